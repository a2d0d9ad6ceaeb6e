//! The times, addresses and ports in a pasted log line, which identify the connection it is about.
//!
//! Nothing is added: a time written without a zone has none, a date written without a year has none.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Hints that identify a connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogLineHints {
    /// Times, in order of appearance.
    pub times: Vec<LogTime>,
    /// Addresses, in order of appearance, without repetitions.
    pub addresses: Vec<IpAddr>,
    /// Ports, in order of appearance, without repetitions.
    pub ports: Vec<u16>,
}

impl LogLineHints {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.times.is_empty() && self.addresses.is_empty() && self.ports.is_empty()
    }
}

/// A time as a log writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogTime {
    /// The year, if written.
    pub year: Option<i16>,
    /// Month and day, if written.
    pub month_day: Option<(i8, i8)>,
    /// Hour, minute, second.
    pub time: (i8, i8, i8),
    /// The fraction of the second, in nanoseconds.
    pub nanoseconds: i32,
    /// Seconds east of UTC, if written.
    pub offset: Option<i32>,
}

/// Bytes that are read. A log line is short; of a longer text only the beginning is read.
const BYTES: usize = 16 * 1024;
/// Hints of one kind that are kept: a line has a few.
const KEPT: usize = 16;

/// Reads the hints in a text.
#[must_use]
pub(crate) fn hints_in(text: &str) -> LogLineHints {
    let text = head(text, BYTES);
    let mut hints = LogLineHints::default();
    let mut rest = text;
    let mut at_start = true;
    while !rest.is_empty() {
        let eaten = if at_start {
            take(rest, &mut hints)
        } else {
            None
        };
        let step = eaten.unwrap_or_else(|| rest.chars().next().map_or(1, char::len_utf8));
        let last = rest.get(..step).and_then(|it| it.chars().next_back());
        at_start = last.is_none_or(|it| !(it.is_ascii_alphanumeric() || it == '.'));
        rest = rest.get(step..).unwrap_or("");
    }
    hints
}

/// The beginning of a text, at most `bytes` long, cut at a character boundary.
pub(super) fn head(text: &str, bytes: usize) -> &str {
    let mut end = text.len().min(bytes);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or(text)
}

/// Takes one hint from the beginning of `text` and returns its length.
fn take(text: &str, hints: &mut LogLineHints) -> Option<usize> {
    if let Some((moment, length)) = time_at(text) {
        keep(&mut hints.times, moment);
        return Some(length);
    }
    if let Some((address, port, length)) = address_at(text) {
        keep(&mut hints.addresses, address);
        if let Some(port) = port {
            keep(&mut hints.ports, port);
        }
        return Some(length);
    }
    let (port, length) = named_port(text)?;
    keep(&mut hints.ports, port);
    Some(length)
}

fn keep<T: PartialEq>(kept: &mut Vec<T>, one: T) {
    if kept.len() < KEPT && !kept.contains(&one) {
        kept.push(one);
    }
}

/// A cursor over ASCII.
struct Scan<'a> {
    text: &'a [u8],
    at: usize,
}

impl Scan<'_> {
    fn digits<const N: usize>(&mut self) -> Option<u32> {
        let digits = self.text.get(self.at..self.at + N)?;
        let mut value = 0;
        for digit in digits {
            value = value * 10 + u32::from(digit.checked_sub(b'0').filter(|it| *it < 10)?);
        }
        self.at += N;
        Some(value)
    }

    fn one_of(&mut self, bytes: &[u8]) -> Option<u8> {
        let byte = *self.text.get(self.at)?;
        bytes.contains(&byte).then(|| {
            self.at += 1;
            byte
        })
    }

    fn month(&mut self) -> Option<i8> {
        const NAMES: &[u8] = b"janfebmaraprmayjunjulaugsepoctnovdec";
        let name = self.text.get(self.at..self.at + 3)?.to_ascii_lowercase();
        let month = NAMES.chunks(3).position(|it| it == name)?;
        self.at += 3;
        i8::try_from(month + 1).ok()
    }

    /// `19:01:02`, optionally followed by `.123456` or `,123`.
    fn clock(&mut self) -> Option<((i8, i8, i8), i32)> {
        let hour = self.digits::<2>()?;
        self.one_of(b":")?;
        let minute = self.digits::<2>()?;
        self.one_of(b":")?;
        let second = self.digits::<2>()?;
        if hour > 23 || minute > 59 || second > 60 {
            return None;
        }
        let mut nanoseconds = 0;
        let before = self.at;
        if self.one_of(b".,").is_some() {
            let mut scale = 100_000_000;
            while let Some(digit) = self.digits::<1>() {
                nanoseconds += i32::try_from(digit).ok()? * scale;
                scale /= 10;
            }
            if self.at == before + 1 {
                self.at = before;
            }
        }
        let small = |it: u32| i8::try_from(it).ok();
        Some(((small(hour)?, small(minute)?, small(second)?), nanoseconds))
    }

    /// `Z`, `+01:00`, ` +0100`.
    fn offset(&mut self) -> Option<i32> {
        let before = self.at;
        let read = |scan: &mut Self| {
            scan.one_of(b" ");
            if scan.one_of(b"Zz").is_some() {
                return Some(0);
            }
            let sign = if scan.one_of(b"+-")? == b'-' { -1 } else { 1 };
            let hours = scan.digits::<2>()?;
            scan.one_of(b":");
            let minutes = scan.digits::<2>()?;
            Some(sign * i32::try_from(hours * 3600 + minutes * 60).ok()?)
        };
        let offset = read(self);
        if offset.is_none() {
            self.at = before;
        }
        offset
    }
}

/// The time at the beginning of a text, and its length.
pub(crate) fn time_at(text: &str) -> Option<(LogTime, usize)> {
    let scan = || Scan {
        text: text.as_bytes(),
        at: 0,
    };
    [iso, common_log, syslog, clock_alone, epoch]
        .into_iter()
        .find_map(|read| {
            let mut scan = scan();
            read(&mut scan).map(|moment| (moment, scan.at))
        })
}

/// `2025-11-20T19:01:02.5Z`, `2025-11-20 19:01:02,500`, `2025/11/20 19:01:02`.
fn iso(scan: &mut Scan<'_>) -> Option<LogTime> {
    let year = scan.digits::<4>()?;
    let dash = scan.one_of(b"-/")?;
    let month = scan.digits::<2>()?;
    scan.one_of(&[dash])?;
    let day = scan.digits::<2>()?;
    scan.one_of(b"T t_")?;
    let (time, nanoseconds) = scan.clock()?;
    moment_of(Some(year), month, day, time, nanoseconds, scan.offset())
}

/// `20/Nov/2025:19:01:02 +0000`, HAProxy's `20/Nov/2025:19:01:02.123`, and RFC 9110's `20 Nov 2025 19:01:02`.
fn common_log(scan: &mut Scan<'_>) -> Option<LogTime> {
    let day = scan.digits::<2>()?;
    let dash = scan.one_of(b"/ -")?;
    let month = scan.month()?;
    scan.one_of(&[dash])?;
    let year = scan.digits::<4>()?;
    scan.one_of(b": ")?;
    let (time, nanoseconds) = scan.clock()?;
    moment_of(
        Some(year),
        u32::try_from(month).ok()?,
        day,
        time,
        nanoseconds,
        scan.offset(),
    )
}

/// `Nov 20 19:01:02` (RFC 3164 §4.1.2), the day padded with a blank; Apache's error log has the year behind it.
fn syslog(scan: &mut Scan<'_>) -> Option<LogTime> {
    let month = scan.month()?;
    scan.one_of(b" ")?;
    let day = match scan.one_of(b" ") {
        Some(_) => scan.digits::<1>()?,
        None => scan.digits::<2>()?,
    };
    scan.one_of(b" ")?;
    let (time, nanoseconds) = scan.clock()?;
    let before = scan.at;
    let year = scan.one_of(b" ").and_then(|_| scan.digits::<4>());
    let ends = |scan: &Scan<'_>| {
        !scan
            .text
            .get(scan.at)
            .is_some_and(u8::is_ascii_alphanumeric)
    };
    let year = year.filter(|year| (1970..2262).contains(year) && ends(scan));
    if year.is_none() {
        scan.at = before;
    }
    moment_of(
        year,
        u32::try_from(month).ok()?,
        day,
        time,
        nanoseconds,
        None,
    )
}

fn clock_alone(scan: &mut Scan<'_>) -> Option<LogTime> {
    let (time, nanoseconds) = scan.clock()?;
    Some(LogTime {
        year: None,
        month_day: None,
        time,
        nanoseconds,
        offset: None,
    })
}

/// Seconds since 1970, from 2001 on, with or without a fraction; thirteen digits are milliseconds.
fn epoch(scan: &mut Scan<'_>) -> Option<LogTime> {
    let seconds = i64::from(scan.digits::<9>()?) * 10 + i64::from(scan.digits::<1>()?);
    let mut nanoseconds = 0;
    if let Some(milliseconds) = scan.digits::<3>() {
        nanoseconds = i32::try_from(milliseconds).ok()? * 1_000_000;
    } else if scan.one_of(b".").is_some() {
        let mut scale = 100_000_000;
        while let Some(digit) = scan.digits::<1>() {
            nanoseconds += i32::try_from(digit).ok()? * scale;
            scale /= 10;
        }
    }
    if scan
        .text
        .get(scan.at)
        .is_some_and(u8::is_ascii_alphanumeric)
        || seconds < 1_000_000_000
    {
        return None;
    }
    let civil = Timestamp::new(seconds, nanoseconds)
        .ok()?
        .to_zoned(TimeZone::UTC);
    Some(LogTime {
        year: Some(civil.year()),
        month_day: Some((civil.month(), civil.day())),
        time: (civil.hour(), civil.minute(), civil.second()),
        nanoseconds,
        offset: Some(0),
    })
}

fn moment_of(
    year: Option<u32>,
    month: u32,
    day: u32,
    time: (i8, i8, i8),
    nanoseconds: i32,
    offset: Option<i32>,
) -> Option<LogTime> {
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    Some(LogTime {
        year: year.and_then(|it| i16::try_from(it).ok()),
        month_day: Some((i8::try_from(month).ok()?, i8::try_from(day).ok()?)),
        time,
        nanoseconds,
        offset,
    })
}

/// The address at the beginning of a text, with the port if one follows, and the length of both.
pub(crate) fn address_at(text: &str) -> Option<(IpAddr, Option<u16>, usize)> {
    if let Some(rest) = text.strip_prefix('[') {
        let end = rest.find(']')?;
        let address: Ipv6Addr = rest.get(..end)?.parse().ok()?;
        let length = end + 2;
        let port = port_after(text, length);
        return Some((
            address.into(),
            port.map(|it| it.0),
            port.map_or(length, |it| it.1),
        ));
    }
    let end = text
        .find(|it: char| !(it.is_ascii_hexdigit() || matches!(it, '.' | ':')))
        .unwrap_or(text.len());
    let word = text.get(..end)?;
    let dotted = word
        .find(|it: char| !(it.is_ascii_digit() || it == '.'))
        .unwrap_or(word.len());
    let four = word.get(..dotted)?.trim_end_matches('.');
    if let Ok(address) = four.parse::<Ipv4Addr>() {
        let port = port_after(text, four.len());
        return Some((
            address.into(),
            port.map(|it| it.0),
            port.map_or(four.len(), |it| it.1),
        ));
    }
    // Node writes `::1` port 8080 like this.
    if let Some((port, length)) = word.strip_prefix("::1:").and_then(number) {
        return Some((
            Ipv6Addr::LOCALHOST.into(),
            Some(port),
            "::1:".len() + length,
        ));
    }
    let six = word.trim_end_matches([':', '.']);
    let address: Ipv6Addr = six.parse().ok().filter(|_| six.len() > 2)?;
    Some((address.into(), None, six.len()))
}

/// The port in `:8080` (or `.8080` on Windows and the BSDs, or `', 8080)` in Python), and where it ends.
fn port_after(text: &str, at: usize) -> Option<(u16, usize)> {
    let rest = text.get(at..)?;
    let separator = [":", "', ", "\", ", ", port "]
        .into_iter()
        .find(|it| rest.starts_with(it))?;
    let (port, length) = number(rest.get(separator.len()..)?)?;
    Some((port, at + separator.len() + length))
}

/// The port in `port 8080`, `port=8080`, `lport=8080`, `sport: 8080`.
fn named_port(text: &str) -> Option<(u16, usize)> {
    let word = ["port", "lport", "rport", "sport", "dport"]
        .into_iter()
        .find(|it| {
            text.get(..it.len())
                .is_some_and(|head| head.eq_ignore_ascii_case(it))
        })?;
    let rest = text.get(word.len()..)?;
    let blank = rest.len() - rest.trim_start_matches([' ', '=', ':', '"', '#']).len();
    if blank == 0 || blank > 3 {
        return None;
    }
    let (port, length) = number(rest.get(blank..)?)?;
    Some((port, word.len() + blank + length))
}

fn number(text: &str) -> Option<(u16, usize)> {
    let end = text
        .find(|it: char| !it.is_ascii_digit())
        .unwrap_or(text.len());
    let port: u16 = text.get(..end)?.parse().ok()?;
    (port > 0).then_some((port, end))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(year: Option<i16>, nanoseconds: i32, offset: Option<i32>) -> LogTime {
        LogTime {
            year,
            month_day: Some((11, 20)),
            time: (19, 1, 2),
            nanoseconds,
            offset,
        }
    }

    #[track_caller]
    fn time(text: &str, expected: LogTime) {
        assert_eq!(hints_in(text).times, [expected], "{text}");
    }

    #[test]
    fn times_in_many_hands() {
        time("2025-11-20T19:01:02Z", at(Some(2025), 0, Some(0)));
        time(
            "[2025-11-20T19:01:02.500+01:00]",
            at(Some(2025), 500_000_000, Some(3600)),
        );
        time(
            "2025-11-20 19:01:02,123 ERROR x",
            at(Some(2025), 123_000_000, None),
        );
        time(
            "2025/11/20 19:01:02 [error] 7#7: *1 x",
            at(Some(2025), 0, None),
        );
        time(
            "- - [20/Nov/2025:19:01:02 +0000] \"GET",
            at(Some(2025), 0, Some(0)),
        );
        time(
            "[20/Nov/2025:19:01:02.042]",
            at(Some(2025), 42_000_000, None),
        );
        time("<14>Nov 20 19:01:02 host x", at(None, 0, None));
        time("<14>Nov 20 19:01:02 2025x host", at(None, 0, None));
        time(
            "[Thu Nov 20 19:01:02.5 2025] [core:error]",
            at(Some(2025), 500_000_000, None),
        );
        time(
            "date: Thu, 20 Nov 2025 19:01:02 GMT",
            at(Some(2025), 0, None),
        );
        time("ts=1763665262.25", at(Some(2025), 250_000_000, Some(0)));
        time("ts=1763665262250 x", at(Some(2025), 250_000_000, Some(0)));
        let clock = LogTime {
            year: None,
            month_day: None,
            ..at(None, 500_000_000, None)
        };
        time("19:01:02.5 boom", clock);
    }

    #[test]
    fn what_is_no_time() {
        for text in [
            "25:00:00",
            "2025-13-20T19:01:02",
            "1.2.3",
            "00:0c:29:aa:bb:cc",
            "123456789",
        ] {
            assert_eq!(hints_in(text).times, [], "{text}");
        }
    }

    #[track_caller]
    fn place(text: &str, addresses: &[&str], ports: &[u16]) {
        let hints = hints_in(text);
        let found: Vec<_> = hints.addresses.iter().map(ToString::to_string).collect();
        assert_eq!(found, addresses, "{text}");
        assert_eq!(hints.ports, ports, "{text}");
    }

    #[test]
    fn addresses_and_ports() {
        place(
            "read tcp 10.77.1.1:44034->10.77.1.2:8010: read",
            &["10.77.1.1", "10.77.1.2"],
            &[44_034, 8010],
        );
        place("connect ECONNREFUSED ::1:8080", &["::1"], &[8080]);
        place(
            "connect to [2001:db8::7]:443 failed",
            &["2001:db8::7"],
            &[443],
        );
        place("peer 2001:db8::7 left", &["2001:db8::7"], &[]);
        place(
            "HTTPConnectionPool(host='10.77.2.2', port=8020)",
            &["10.77.2.2"],
            &[8020],
        );
        place(
            "Connect call failed ('10.77.2.2', 8020)",
            &["10.77.2.2"],
            &[8020],
        );
        place(
            "Failed to connect to 10.0.0.1 port 80 after",
            &["10.0.0.1"],
            &[80],
        );
        place(
            "client: 10.0.0.1, server: _, upstream: \"http://10.0.0.2:9000/\"",
            &["10.0.0.1", "10.0.0.2"],
            &[9000],
        );
        place("version 1.2.3.4567 of port", &[], &[]);
        place("from 10.0.0.1.", &["10.0.0.1"], &[]);
    }

    proptest! {
        #[test]
        fn anything_can_be_read(text in "\\PC{0,200}") {
            let _ = hints_in(&text);
        }

        #[test]
        fn log_like_text_can_be_read(text in "[0-9:./\\-T ,Zé\\[\\]pNov]{0,80}") {
            let _ = hints_in(&text);
        }
    }
}
