//! The formats of logs: which one a file has, and what a line of it says.
//!
//! In: the first lines of a file, then each line. Out: a [`LogLine`]. A line that is not of the file's format is read as text
//! with a time stamp: in many files two programs write. What container runtimes and syslog put before a line is taken off
//! first. Left out on purpose: formats that a configuration makes up, unless they begin like the common format or are JSON.

mod alb;
mod apache_error;
mod common_log;
mod envoy;
mod fields;
mod haproxy;
mod json;
mod nginx_error;
mod text;
mod w3c;

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use super::line::{Calendar, LogLine};
use crate::knowledge::LogFormat;

/// Lines by which a format is recognised.
pub(crate) const SAMPLE: usize = 200;
/// Bytes of a line that are read. Longer ones have a long text at their end.
pub(crate) const MAX_LINE: usize = 16 << 10;

/// Reads the lines of one file.
#[derive(Clone, Debug)]
pub struct LineReader {
    format: LogFormat,
    calendar: Calendar,
    w3c: w3c::Columns,
}

impl LineReader {
    /// A reader of this format.
    #[must_use]
    pub fn new(format: LogFormat, calendar: Calendar) -> Self {
        Self {
            format,
            calendar,
            w3c: w3c::Columns::default(),
        }
    }

    /// The format that most of these lines have; `None` if none of them has a time that is known.
    #[must_use]
    pub fn detect<'l>(
        lines: impl Iterator<Item = &'l str> + Clone,
        calendar: Calendar,
    ) -> Option<Self> {
        let mut best: Option<(usize, Self)> = None;
        for format in LogFormat::ALL {
            let mut reader = Self::new(format, calendar);
            let read = lines.clone().take(SAMPLE);
            let read = read.filter(|line| reader.strictly(line).is_some()).count();
            if read > best.as_ref().map_or(0, |(most, _)| *most) {
                best = Some((read, Self::new(format, calendar)));
            }
        }
        best.map(|(_, reader)| reader)
    }

    /// The file's format.
    #[must_use]
    pub const fn format(&self) -> LogFormat {
        self.format
    }

    /// What a line says; `None` if nothing in it can be compared.
    pub fn read(&mut self, line: &str) -> Option<LogLine> {
        self.strictly(line).or_else(|| {
            let inner = unwrapped(line);
            text::read(&inner, self.calendar)
        })
    }

    /// What a line says, if it is of the file's format.
    fn strictly(&mut self, line: &str) -> Option<LogLine> {
        let line = line.trim_end_matches(['\r', '\n']);
        if line.trim().is_empty() {
            return None;
        }
        let calendar = self.calendar;
        match self.format {
            LogFormat::IisW3c => return self.w3c.read(line, calendar),
            LogFormat::HttpSysError => return w3c::http_sys(line, calendar),
            LogFormat::Json => return json::read(line, calendar),
            _ => {}
        }
        let inner = unwrapped(line);
        let inner = &*inner;
        match self.format {
            LogFormat::NginxError => nginx_error::read(inner, calendar),
            LogFormat::ApacheError => apache_error::read(inner, calendar),
            LogFormat::Alb => alb::read(inner, calendar),
            LogFormat::Haproxy => haproxy::read(inner, calendar),
            LogFormat::Envoy => envoy::read(inner, calendar),
            LogFormat::CommonLog => common_log::read(inner, calendar),
            _ => text::read(inner, calendar),
        }
    }
}

/// A line without what a container's runtime put around it: `2025-11-20T19:01:02.5Z stderr F …` (CRI), `{"log":"…"}` (Docker's
/// `json-file`).
fn unwrapped(line: &str) -> Cow<'_, str> {
    if line.starts_with("{\"log\":")
        && let Ok(serde_json::Value::Object(object)) = serde_json::from_str(line)
        && let Some(serde_json::Value::String(inner)) = object.get("log")
    {
        return inner.trim_end().to_owned().into();
    }
    for stream in [" stdout F ", " stderr F "] {
        if let Some((time, inner)) = line.split_once(stream)
            && !time.contains(' ')
        {
            return inner.into();
        }
    }
    line.into()
}
