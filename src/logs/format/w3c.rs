//! W3C extended logs (IIS and others), whose columns a line `#Fields:` names, and the error log of HTTP.sys, which has fixed
//! columns (Microsoft, "Format of the HTTP Server API Error Logs"). Both are in UTC.

use std::time::Duration;

use super::fields::{number, status};
use crate::knowledge::address_at;
use crate::logs::line::{Calendar, LineKind, LogLine, LogMoment, version_of};

/// The columns of IIS, if a file was cut before it names them.
const USUAL: &str = "date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) cs(Referer) \
                     sc-status sc-substatus sc-win32-status time-taken";
/// The columns of HTTP.sys' error log; newer systems have `sc-bytes` and more behind.
const ERRORS: &str = "date time c-ip c-port s-ip s-port cs-version cs-method cs-uri sc-status s-siteid s-reason s-queuename";

/// The columns that the file has named so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Columns {
    names: Vec<String>,
}

impl Columns {
    pub(super) fn read(&mut self, line: &str, calendar: Calendar) -> Option<LogLine> {
        if let Some(names) = line.strip_prefix("#Fields:") {
            self.names = names.split_whitespace().map(str::to_owned).collect();
        }
        if line.starts_with('#') {
            return None;
        }
        let words: Vec<&str> = line.split([' ', '\t']).collect();
        if self.names.is_empty() {
            let names: Vec<&str> = USUAL.split(' ').collect();
            return (words.len() == names.len()).then(|| of(&names, &words, calendar))?;
        }
        let names: Vec<&str> = self.names.iter().map(String::as_str).collect();
        of(&names, &words, calendar)
    }
}

/// A line of HTTP.sys' error log.
pub(super) fn http_sys(line: &str, calendar: Calendar) -> Option<LogLine> {
    let words: Vec<&str> = line.split(' ').collect();
    let names: Vec<&str> = ERRORS.split(' ').collect();
    // A client's port and a server's port in their places are in no other format.
    let port = |at: usize| words.get(at)?.parse::<u16>().ok();
    (port(3).is_some() && port(5).is_some() && words.len() + 2 >= names.len()).then_some(())?;
    of(&names, &words, calendar)
}

fn of(names: &[&str], words: &[&str], calendar: Calendar) -> Option<LogLine> {
    let value = |name: &str| {
        let at = names.iter().position(|it| *it == name)?;
        words.get(at).copied().filter(|it| *it != "-")
    };
    let stamp = format!("{} {}", value("date")?, value("time")?);
    let (time, length) = calendar.time_at(&stamp)?;
    (length == stamp.len()).then_some(())?;
    let address = |name: &str| value(name).and_then(address_at).map(|(ip, ..)| ip);
    let port = |name: &str| value(name)?.parse().ok();
    let reason = value("s-reason");
    let system = value("sc-win32-status").filter(|it| *it != "0");
    let sub = value("sc-substatus").filter(|it| *it != "0");
    let ending = reason.map(str::to_owned).or_else(|| {
        let system = system.map(|it| format!("sc-win32-status {it}"));
        let sub = sub.map(|it| format!("sc-substatus {it}"));
        let said: Vec<String> = [sub, system].into_iter().flatten().collect();
        (!said.is_empty()).then(|| said.join(", "))
    });
    let target = value("cs-uri").map(str::to_owned).or_else(|| {
        let stem = value("cs-uri-stem")?;
        Some(match value("cs-uri-query") {
            Some(query) => format!("{stem}?{query}"),
            None => stem.to_owned(),
        })
    });
    let kind = match reason {
        Some(_) => LineKind::Event,
        None => LineKind::Access,
    };
    Some(LogLine {
        kind,
        time: Some(LogMoment {
            zoned: true,
            ..time
        }),
        client: address("c-ip"),
        client_port: port("c-port"),
        local: address("s-ip"),
        local_port: port("s-port"),
        method: value("cs-method").map(Into::into),
        target: target.map(Into::into),
        loose_target: true,
        version: value("cs-version").and_then(version_of),
        status: value("sc-status").and_then(status),
        bytes: value("sc-bytes").and_then(number),
        duration: value("time-taken")
            .and_then(number)
            .map(Duration::from_millis),
        agent: value("cs(User-Agent)").map(|it| it.replace('+', " ").into()),
        message: reason.map(Into::into),
        ending: ending.map(Into::into),
        of_upstream: Some(false),
        ..LogLine::default()
    })
}
