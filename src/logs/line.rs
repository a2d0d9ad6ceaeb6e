//! One line of a log, as far as it can be compared with packets.

use std::net::IpAddr;
use std::time::Duration;

use jiff::civil;
use jiff::tz::TimeZone;

use crate::base::net::Endpoint;
use crate::base::time::Timestamp;
use crate::knowledge::{LogTime, NOT_SENT, time_at};

/// Nanoseconds of a second.
pub(crate) const SECOND: i64 = 1_000_000_000;

/// When a line says it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogMoment {
    /// Nanoseconds since 1970: in UTC if the line states its zone, else as its clock shows them.
    pub nanos: i64,
    /// How exact it is: a second, a millisecond. The true time is between `nanos` and `nanos + precision`.
    pub precision: i64,
    /// The zone stands in the line.
    pub zoned: bool,
}

/// The day of a capture, for lines that do not write their year or day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Calendar {
    day: civil::Date,
}

impl Calendar {
    /// That of this moment.
    #[must_use]
    pub fn of(at: Timestamp) -> Self {
        let at = jiff::Timestamp::from_nanosecond(i128::from(at.as_nanos())).unwrap_or_default();
        Self {
            day: at.to_zoned(TimeZone::UTC).date(),
        }
    }

    /// The time at the beginning of a text, and its length.
    #[must_use]
    pub fn time_at(self, text: &str) -> Option<(LogMoment, usize)> {
        let (time, length) = time_at(text)?;
        let written = text.get(..length)?;
        Some((self.moment(&time, written)?, length))
    }

    fn moment(self, time: &LogTime, written: &str) -> Option<LogMoment> {
        let (hour, minute, second) = time.time;
        // A leap second is the last one of its minute.
        let clock = civil::time(hour, minute, second.min(59), time.nanoseconds);
        let day = match (time.year, time.month_day) {
            (Some(year), Some((month, day))) => civil::Date::new(year, month, day).ok()?,
            (None, Some((month, day))) => {
                let years = [-1, 0, 1].map(|it| self.day.year().saturating_add(it));
                let days = years.into_iter();
                let days = days.filter_map(|year| civil::Date::new(year, month, day).ok());
                let away = |day: &civil::Date| (*day - self.day).get_days().unsigned_abs();
                days.min_by_key(away)?
            }
            _ => self.day,
        };
        let local = day.to_datetime(clock).to_zoned(TimeZone::UTC).ok()?;
        let nanos = i64::try_from(local.timestamp().as_nanosecond()).ok()?;
        let east = i64::from(time.offset.unwrap_or(0)) * SECOND;
        Some(LogMoment {
            // No log was written in another century; so sums with times of the capture stay in range.
            nanos: Some(nanos.checked_sub(east)?).filter(|it| (0..i64::MAX / 2).contains(it))?,
            precision: precision(written),
            zoned: time.offset.is_some(),
        })
    }
}

/// How exact a time is by the digits of its fraction.
fn precision(written: &str) -> i64 {
    let fraction = written.rsplit_once(['.', ',']).map(|(_, it)| it);
    let digits = fraction.map_or(0, |it| it.bytes().take_while(u8::is_ascii_digit).count());
    // Thirteen digits are milliseconds since 1970.
    let digits = match written.len() >= 13 && written.bytes().all(|it| it.is_ascii_digit()) {
        true => 3,
        false => digits,
    };
    let digits = u32::try_from(digits.min(9)).unwrap_or(9);
    SECOND / 10_i64.pow(digits)
}

/// What a line is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LineKind {
    /// A request that is over.
    Access,
    /// Something that happened.
    #[default]
    Event,
}

/// One line, and what it says. What it does not say is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogLine {
    /// A request, or an event.
    pub kind: LineKind,
    /// Its time.
    pub time: Option<LogMoment>,
    /// The address of the client.
    pub client: Option<IpAddr>,
    /// The port of the client.
    pub client_port: Option<u16>,
    /// The address at which the server was asked.
    pub local: Option<IpAddr>,
    /// The port at which the server was asked.
    pub local_port: Option<u16>,
    /// The server that a proxy asked, or tried to.
    pub upstream: Option<Endpoint>,
    /// Other addresses with ports in its text.
    pub named: Vec<Endpoint>,
    /// The method.
    pub method: Option<Box<str>>,
    /// The target, without what the log escaped.
    pub target: Option<Box<str>>,
    /// The target is decoded, and may lack its query.
    pub loose_target: bool,
    /// `HTTP/1.1`: the major and minor number.
    pub version: Option<(u8, u8)>,
    /// The status; 0 stands for none.
    pub status: Option<u16>,
    /// Bytes that were sent to the client. Logs count the body, the body as it is framed, or all.
    pub bytes: Option<u64>,
    /// The bytes are counted in a form that is not on the wire.
    pub rough_bytes: bool,
    /// How long it took.
    pub duration: Option<Duration>,
    /// The `User-Agent`.
    pub agent: Option<Box<str>>,
    /// How it ended, in the log's own code: `SH--`, `UC`, a reason phrase, an error number.
    pub ending: Option<Box<str>>,
    /// How grave it is.
    pub level: Option<Box<str>>,
    /// The text of an event.
    pub message: Option<Box<str>>,
    /// It is about the connection to the server behind (`Some(true)`), or that of the client.
    pub of_upstream: Option<bool>,
}

impl LogLine {
    /// Bytes that it takes in memory.
    #[must_use]
    pub fn footprint(&self) -> usize {
        let texts = [
            &self.method,
            &self.target,
            &self.agent,
            &self.ending,
            &self.level,
            &self.message,
        ];
        let texts: usize = texts.into_iter().flatten().map(|it| it.len() + 16).sum();
        size_of::<Self>() + texts + self.named.len() * size_of::<Endpoint>()
    }

    /// Whether a response with this status may be the line's; `None` is no response.
    pub(super) fn may_have_status(&self, wire: Option<u16>) -> bool {
        let wire = wire.unwrap_or(0);
        self.status
            .is_none_or(|log| log == wire || wire == 0 && NOT_SENT.contains(&log))
    }

    /// Whether it names the address of a client or of a server.
    pub(super) fn names_address(&self) -> bool {
        self.client.is_some() || self.upstream.is_some() || !self.named.is_empty()
    }

    /// Sets the method, the target and the version of a request line, without the quotes.
    pub(super) fn set_request(&mut self, line: &str) {
        let line = unescaped(line);
        let mut words = line.splitn(2, ' ');
        let method = words.next().unwrap_or_default();
        let is_method = !method.is_empty()
            && method.len() <= 32
            && method
                .bytes()
                .all(|it| it.is_ascii_uppercase() || b"-_".contains(&it));
        let Some(rest) = words.next().filter(|_| is_method && method != "-") else {
            return;
        };
        let (target, version) = match rest.rsplit_once(' ') {
            Some((target, version)) if version.starts_with("HTTP/") => (target, Some(version)),
            _ => (rest, None),
        };
        self.method = Some(method.into());
        self.target = Some(target.into());
        self.version = version.and_then(version_of);
    }
}

/// The numbers of `HTTP/1.1`, `HTTP/2`.
pub(super) fn version_of(word: &str) -> Option<(u8, u8)> {
    let numbers = word.strip_prefix("HTTP/")?;
    let (major, minor) = numbers.split_once('.').unwrap_or((numbers, "0"));
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// Undoes what logs do to quotes, backslashes and bytes that are no text: `\"`, `\\`, `\xHH`.
pub(super) fn unescaped(text: &str) -> std::borrow::Cow<'_, str> {
    if !text.contains('\\') {
        return text.into();
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'\\' {
            bytes.push(*first);
            continue;
        }
        match rest {
            [b'x', high, low, after @ ..]
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                let digit = |it: u8| char::from(it).to_digit(16).unwrap_or(0) as u8;
                bytes.push(digit(*high) << 4 | digit(*low));
                rest = after;
            }
            [one @ (b'"' | b'\\'), after @ ..] => {
                bytes.push(*one);
                rest = after;
            }
            _ => bytes.push(b'\\'),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calendar() -> Calendar {
        Calendar::of(Timestamp::new(1_764_374_400, 0))
    }

    #[test]
    fn a_time_knows_how_exact_it_is() {
        // 2025-11-29T00:00:00Z.
        let midnight = 1_764_374_400;
        for (text, seconds, precision, zoned) in [
            ("29/Nov/2025:00:00:01 +0000", midnight + 1, SECOND, true),
            ("29/Nov/2025:02:00:01 +0200", midnight + 1, SECOND, true),
            ("29/Nov/2025:00:00:01.000", midnight + 1, 1_000_000, false),
            ("2025-11-29T00:00:01.000000Z", midnight + 1, 1000, true),
            ("2025-11-29 00:00:01,000 x", midnight + 1, 1_000_000, false),
            ("1764374401.000 x", midnight + 1, 1_000_000, true),
            ("1764374401000", midnight + 1, 1_000_000, true),
            ("Sat Nov 29 00:00:01.000000 2025", 0, 0, false),
            ("Nov 29 00:00:01.000000 2025]", midnight + 1, 1000, false),
            (
                "Dec 31 23:59:59 host",
                midnight + 33 * 86_400 - 1,
                SECOND,
                false,
            ),
            (
                "Jan  1 00:00:00 host",
                midnight + 33 * 86_400,
                SECOND,
                false,
            ),
            ("00:00:01", midnight + 1, SECOND, false),
        ] {
            let read = calendar().time_at(text).map(|(it, _)| it);
            let wanted = (precision > 0).then_some(LogMoment {
                nanos: seconds * SECOND,
                precision,
                zoned,
            });
            assert_eq!(read, wanted, "{text}");
        }
    }

    #[test]
    fn escapes_are_undone() {
        for (written, meant) in [
            ("/a", "/a"),
            (r"/\x22a\x5C", r#"/"a\"#),
            (r#"/\"a\\"#, r#"/"a\"#),
            (r"/\xC3\xA9", "/é"),
            (r"/\q\x", r"/\q\x"),
        ] {
            assert_eq!(unescaped(written), meant, "{written}");
        }
    }
}
