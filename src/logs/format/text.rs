//! Any line with a time stamp: what Node.js, Java, Python, .NET and Go programs write, and every line that is not of its
//! file's format. Addresses, ports and a request in it are read; the text itself is compared with what is known to be
//! logged.

use super::apache_error::peers;
use super::fields::status;
use crate::knowledge::{hints_in, is_about_upstream};
use crate::logs::line::{Calendar, LineKind, LogLine};

/// Bytes at the beginning of a line in which its time stamp begins.
const STAMP_WITHIN: usize = 80;

pub(super) fn read(line: &str, calendar: Calendar) -> Option<LogLine> {
    let line = line.trim();
    let time = stamp(line, calendar)?;
    let (time, after) = time;
    let rest = line.get(after..).unwrap_or_default();
    let message = rest.trim_start_matches([']', ' ', ':', '-', '|']).trim();
    let mut read = LogLine {
        kind: LineKind::Event,
        time: Some(time),
        named: peers(rest),
        message: Some(message.into()),
        of_upstream: is_about_upstream(message),
        ..LogLine::default()
    };
    if let [only] = &hints_in(rest).addresses[..]
        && read.named.is_empty()
    {
        read.client = Some(*only);
    }
    request(&mut read, rest);
    Some(read)
}

/// The first time in the line, and where it ends.
fn stamp(line: &str, calendar: Calendar) -> Option<(crate::logs::line::LogMoment, usize)> {
    let mut word_begins = true;
    for (at, char) in line.char_indices().take_while(|(at, _)| *at < STAMP_WITHIN) {
        if word_begins
            && char.is_ascii_alphanumeric()
            && let Some((time, length)) = line.get(at..).and_then(|it| calendar.time_at(it))
        {
            return Some((time, at + length));
        }
        word_begins = !(char.is_ascii_alphanumeric() || char == '.');
    }
    None
}

/// `"GET /x HTTP/1.1" 502`, `GET /x 502 12.3 ms`.
fn request(read: &mut LogLine, text: &str) {
    let quoted = text.split('"').nth(1).filter(|it| it.contains(" HTTP/"));
    if let Some(line) = quoted {
        read.set_request(line);
        let after = text.splitn(3, '"').nth(2).unwrap_or_default();
        read.status = after.split_whitespace().next().and_then(status);
    } else {
        let words: Vec<&str> = text.split_whitespace().take(24).collect();
        for three in words.windows(3) {
            let method = three[0].trim_matches(|it: char| !it.is_ascii_uppercase());
            let known = ["GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS"];
            if known.contains(&method) && three[1].trim_matches('"').starts_with('/') {
                read.method = Some(method.into());
                read.target = Some(three[1].trim_matches('"').into());
                read.status = status(three[2]);
                break;
            }
        }
    }
    if read.status.is_some() && read.method.is_some() {
        read.kind = LineKind::Access;
    }
}
