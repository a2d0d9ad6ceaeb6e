//! The HTTP and TCP logs of HAProxy (configuration manual, chapter 8.2), behind what syslog puts before them.
//!
//! `10.0.0.1:4711 [20/Nov/2025:19:01:02.123] front back/server 0/0/1/2/3 200 154 - - ---- 1/1/0/0/0 0/0 "GET / HTTP/1.1"`; for
//! TCP there are three timers and no status; an error log has a text behind `front/1:`.

use std::time::Duration;

use super::fields::{Field, fields, number};
use crate::knowledge::address_at;
use crate::logs::line::{Calendar, LineKind, LogLine};

pub(super) fn read(line: &str, calendar: Calendar) -> Option<LogLine> {
    let fields = fields(line);
    let place = fields.windows(2).position(|pair| {
        let [Field::Word(peer), Field::Bracketed(time)] = pair else {
            return false;
        };
        let whole = address_at(peer)
            .is_some_and(|(_, port, length)| port.is_some() && length == peer.len());
        whole && calendar.time_at(time).is_some()
    })?;
    let (client, client_port, _) = address_at(fields.get(place)?.text())?;
    let (time, _) = calendar.time_at(fields.get(place + 1)?.text())?;
    let mut read = LogLine {
        kind: LineKind::Access,
        time: Some(time),
        client: Some(client),
        client_port,
        ..LogLine::default()
    };
    let rest = fields.get(place + 2..)?;
    let word = |at: usize| rest.get(at).and_then(|it: &Field<'_>| it.word());
    let timers = word(2).and_then(timers);
    match timers {
        Some(timers) if timers.len() == 5 => {
            read.status = word(3).and_then(|it| it.parse::<i32>().ok()).map(status);
            read.bytes = word(4)
                .map(|it| it.trim_start_matches('+'))
                .and_then(number);
            // A head is counted as it is held in memory.
            read.rough_bytes = true;
            read.ending = word(7).map(Into::into);
            let request = rest.iter().rev().find_map(|it| it.quoted());
            if let Some(request) = request.filter(|it| *it != "<BADREQ>") {
                read.set_request(request);
            }
            read.duration = timers.last().copied().flatten();
        }
        Some(timers) if timers.len() == 3 => {
            read.bytes = word(3)
                .map(|it| it.trim_start_matches('+'))
                .and_then(number);
            read.ending = word(4).map(Into::into);
            read.duration = timers.last().copied().flatten();
        }
        _ => {
            let front = word(0).filter(|it| it.ends_with(':'))?;
            let text = line.split_once(front).map(|(_, text)| text.trim())?;
            read.kind = LineKind::Event;
            read.message = Some(text.into());
            read.of_upstream = Some(false);
        }
    }
    Some(read)
}

/// `0/0/1/-1/30001`: the total comes last. -1 is a timer that did not run.
fn timers(word: &str) -> Option<Vec<Option<Duration>>> {
    let parts = word.split('/').map(|part| {
        let millis: i64 = part.trim_start_matches('+').parse().ok()?;
        Some(u64::try_from(millis).ok().map(Duration::from_millis))
    });
    parts.collect()
}

/// -1 is no status.
fn status(code: i32) -> u16 {
    u16::try_from(code).unwrap_or(0)
}
