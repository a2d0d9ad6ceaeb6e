//! Lines about errors and other events: joined by addresses, ports and time, or by what the programs of a connection are
//! expected to log.
//!
//! A proxy's error log speaks of two legs. What it says of its own server (`upstream`) belongs to the connection that it opened
//! there, and is written by that connection's client; the rest belongs to the connection of its client.

use std::collections::HashMap;

use super::assign::{failure, in_order, is_of_request, reaches};
use super::kept::{Joined, KeptLine, LATE};
use crate::analysis::connection::{Connection, Who};
use crate::logs::agreement::{Agreement, Compared};
use crate::logs::clock::ClockOffset;
use crate::logs::line::{LogLine, SECOND};
use crate::logs::wire::{Wire, nanos, outcome, over};
use crate::rules::log_errors::Predictor;

/// Connections that are looked at for one line.
const EXAMINED: usize = 512;
/// Characters of a message that tell it from others of its kind.
const KIND: usize = 24;
/// Characters of an expected text that a line must have, beside what varies.
const TELLING: usize = 8;

/// What a line may be about: a place in this list is what lines are joined to.
#[derive(Debug, Default)]
struct Targets {
    /// When it was over, and what it is.
    all: Vec<(i64, Joined)>,
    places: HashMap<(u32, u32), u32>,
}

impl Targets {
    fn place(&mut self, at: i64, what: Joined) -> u32 {
        let key = match what {
            Joined::Exchange(it, _) => (0, it),
            Joined::Connection(it, _) => (1, it),
            _ => (2, 0),
        };
        *self.places.entry(key).or_insert_with(|| {
            self.all.push((at, what));
            self.all.len() as u32 - 1
        })
    }
}

/// Joins the lines that are no requests, and those of requests that cannot be seen.
pub(super) fn join(
    kept: &[KeptLine],
    decided: &mut [Joined],
    wire: &Wire<'_>,
    clock: ClockOffset,
    predictor: &mut Predictor,
) {
    let mut targets = Targets::default();
    let mut groups: HashMap<Vec<u8>, Vec<(usize, Vec<u32>)>> = HashMap::new();
    for (nth, line) in kept.iter().enumerate() {
        if is_of_request(line) {
            if decided[nth] == Joined::Nothing {
                decided[nth] = unseen(line, wire, clock);
            }
            continue;
        }
        let found = candidates(line, wire, clock, predictor);
        match &found[..] {
            [] => decided[nth] = nothing(&line.line),
            [(_, only)] => decided[nth] = *only,
            several => {
                let places = several
                    .iter()
                    .map(|(at, it)| targets.place(*at, *it))
                    .collect();
                let exchanges = several
                    .iter()
                    .any(|(_, it)| matches!(it, Joined::Exchange(..)));
                let own = groups.entry(kind(&line.line, exchanges)).or_default();
                own.push((nth, places));
            }
        }
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_unstable();
    for (_, lines) in groups {
        let mut wanted: Vec<u32> = lines
            .iter()
            .flat_map(|(_, it)| it.iter().copied())
            .collect();
        wanted.sort_unstable();
        wanted.dedup();
        let moments = wanted
            .iter()
            .filter_map(|it| Some((targets.all.get(*it as usize)?.0, *it)));
        let mut moments: Vec<(i64, u32)> = moments.collect();
        moments.sort_unstable();
        let own: Vec<_> = lines.iter().map(|(nth, _)| (kept[*nth].at, *nth)).collect();
        for (nth, _) in &lines {
            decided[*nth] = Joined::Undecided;
        }
        // An exact time that is met is hardly chance.
        let exact = own.iter().all(|((from, to), _)| to - from <= SECOND / 1000);
        let mut clusters = in_order(&own, &moments, &reaches(clock));
        if exact && clusters.joined.len() < own.len() {
            let near = in_order(&own, &moments, &[SECOND / 50]);
            let open = |nth: usize, all: &[(usize, u32)]| all.iter().all(|(it, _)| *it != nth);
            let more = near
                .joined
                .into_iter()
                .filter(|(nth, _)| open(*nth, &clusters.joined));
            let more: Vec<_> = more.collect();
            clusters.joined.extend(more);
        }
        for (nth, place) in clusters.joined {
            let possible = lines
                .iter()
                .any(|(it, places)| *it == nth && places.contains(&place));
            if let Some((_, what)) = targets.all.get(place as usize).filter(|_| possible) {
                decided[nth] = *what;
            }
        }
    }
}

/// What makes lines alike: where they point, and how their text begins.
fn kind(line: &LogLine, exchanges: bool) -> Vec<u8> {
    let message = line.message.as_deref().unwrap_or_default();
    let begin: String = message.chars().take(KIND).collect();
    // A connection that was refused carries no request.
    let target = line.target.as_ref().filter(|_| exchanges);
    // Several clients wait for one server.
    let client = line.client.filter(|_| line.of_upstream != Some(true));
    let place = format!(
        "{:?} {client:?} {:?} {target:?} {:?} ",
        line.of_upstream, line.upstream, line.named
    );
    (place + &begin).into_bytes()
}

/// A line that names no connection is about none.
fn nothing(line: &LogLine) -> Joined {
    match line.names_address() || line.target.is_some() {
        true => Joined::Nothing,
        false => Joined::Other,
    }
}

/// The connection of a request that is encrypted, or not HTTP.
fn unseen(kept: &KeptLine, wire: &Wire<'_>, clock: ClockOffset) -> Joined {
    let line = &kept.line;
    let slack = clock.uncertainty + LATE;
    let mut found = wire.of_client(line).iter().filter(|place| {
        wire.connection(**place).is_some_and(|it| {
            // Of a request that is read, the exchange would have been found.
            (it.exchanges.is_empty() || line.method.is_none())
                && super::legs::may_be_of(line, it)
                && nanos(it.first.time) <= kept.at.1 + slack
                && over(it).max(nanos(it.last.time)) + slack >= kept.at.0
        })
    });
    match (found.next(), found.next()) {
        (Some(only), None) => Joined::Connection(*only, Who::Server),
        (Some(_), Some(_)) => Joined::Undecided,
        (None, _) => Joined::Nothing,
    }
}

/// What a line may be about, and when that was over.
fn candidates(
    kept: &KeptLine,
    wire: &Wire<'_>,
    clock: ClockOffset,
    predictor: &mut Predictor,
) -> Vec<(i64, Joined)> {
    let line = &kept.line;
    if let Some(found) = by_both_ends(kept, wire) {
        return vec![found];
    }
    let (connections, writer) = match line.of_upstream {
        Some(true) => {
            let servers = || line.upstream.iter().chain(&line.named);
            let found = servers().flat_map(|it| near(wire.to_server(*it), kept, wire));
            let found: Vec<u32> = found.collect();
            // Where the leg to the server was not captured, the request that it was for says what came of it.
            match servers().all(|it| wire.to_server(*it).is_empty()) {
                true => (of_client(kept, wire), Who::Server),
                false => (found, Who::Client),
            }
        }
        Some(false) => (of_client(kept, wire), Who::Server),
        None if line.client.is_some() => (of_client(kept, wire), Who::Server),
        None => of_named(kept, wire),
    };
    if connections.is_empty() {
        return match line.names_address() {
            true => Vec::new(),
            false => by_text(kept, wire, clock, predictor),
        };
    }
    let mut found = Vec::new();
    for place in connections {
        found.extend(parts(kept, place, writer, wire));
    }
    likeliest(found, kept, clock)
}

/// The connection between two endpoints of a line, as `10.0.0.1:44034->10.0.0.2:8010`.
fn by_both_ends(kept: &KeptLine, wire: &Wire<'_>) -> Option<(i64, Joined)> {
    let named = &kept.line.named;
    for (one, other) in named
        .iter()
        .flat_map(|one| named.iter().map(move |other| (one, other)))
    {
        let own = wire.opened_by(*one).iter().rev().find(|place| {
            wire.connection(**place)
                .is_some_and(|it| it.server == *other && nanos(it.first.time) <= kept.at.1 + LATE)
        });
        if let Some(place) = own {
            // The program's own end stands first.
            let writer = match named.first() == Some(one) {
                true => Who::Client,
                false => Who::Server,
            };
            let at = wire.connection(*place).map_or(0, over);
            return Some((at, Joined::Connection(*place, writer)));
        }
    }
    None
}

/// Connections of a line's client. The one to the server behind is another leg.
fn of_client(kept: &KeptLine, wire: &Wire<'_>) -> Vec<u32> {
    let line = &kept.line;
    let mut found = near(wire.of_client(line), kept, wire);
    found.retain(|place| {
        wire.connection(*place)
            .is_some_and(|it| super::legs::may_be_of(line, it))
    });
    found
}

/// Connections to or from an endpoint that the text names.
fn of_named(kept: &KeptLine, wire: &Wire<'_>) -> (Vec<u32>, Who) {
    let line = &kept.line;
    for peer in line.upstream.iter().chain(&line.named) {
        let to = near(wire.to_server(*peer), kept, wire);
        if !to.is_empty() {
            return (to, Who::Client);
        }
        let from = near(wire.opened_by(*peer), kept, wire);
        if !from.is_empty() {
            return (from, Who::Server);
        }
    }
    (Vec::new(), Who::Client)
}

/// Those of the connections that existed at a line's time, or had just ended.
fn near(places: &[u32], kept: &KeptLine, wire: &Wire<'_>) -> Vec<u32> {
    let begun = |place: &u32| {
        wire.connection(*place)
            .is_some_and(|it| nanos(it.first.time) <= kept.at.1 + LATE)
    };
    // In the order of their beginnings.
    let until = places.partition_point(begun);
    let before = places.get(..until).unwrap_or_default().iter().rev();
    let alive = before.take(EXAMINED).filter(|place| {
        wire.connection(**place)
            .is_some_and(|it| over(it).max(nanos(it.last.time)) + 2 * LATE >= kept.at.0)
    });
    alive.copied().collect()
}

/// The exchanges of a connection that a line names, or else the connection.
fn parts(kept: &KeptLine, place: u32, writer: Who, wire: &Wire<'_>) -> Vec<(u8, i64, Joined)> {
    let Some(connection) = wire.connection(place) else {
        return Vec::new();
    };
    let own = wire.asked(&kept.line).iter().filter_map(|it| {
        let (seen, on, exchange) = wire.exchange(*it)?;
        let same = on.id == connection.id;
        same.then(|| {
            let failed = failure(outcome(on, exchange), exchange);
            (failed, seen.end, Joined::Exchange(*it, writer))
        })
    });
    let own: Vec<_> = own.collect();
    match own.is_empty() {
        // A request that is not on it: this is not the connection, unless its requests cannot be seen.
        true if kept.line.target.is_some() && !connection.exchanges.is_empty() => Vec::new(),
        true => {
            let failed = 2 * u8::from(!connection.outcome.is_fine());
            vec![(failed, over(connection), Joined::Connection(place, writer))]
        }
        false => own,
    }
}

/// The failed ones that were over at the line's time; without one, all of that time.
fn likeliest(
    found: Vec<(u8, i64, Joined)>,
    kept: &KeptLine,
    clock: ClockOffset,
) -> Vec<(i64, Joined)> {
    let then = |at: i64, early: i64| {
        at >= kept.at.0 - LATE - clock.uncertainty && at <= kept.at.1 + early + clock.uncertainty
    };
    for (failed, early) in [
        (2, SECOND / 10),
        (2, SECOND),
        (1, SECOND / 10),
        (0, SECOND / 10),
    ] {
        let own = found
            .iter()
            .filter(|it| it.0 == failed && then(it.1, early));
        let own: Vec<_> = own.map(|(_, at, what)| (*at, *what)).collect();
        if !own.is_empty() {
            return own;
        }
    }
    // Something that was going on: a warning about a request that went on.
    let all: Vec<_> = found.into_iter().map(|(_, at, what)| (at, what)).collect();
    match all.len() {
        1 => all,
        _ => all
            .into_iter()
            .filter(|(at, _)| then(*at, 60 * SECOND))
            .collect(),
    }
}

/// Failed connections of a line's time whose programs are expected to write its text.
fn by_text(
    kept: &KeptLine,
    wire: &Wire<'_>,
    clock: ClockOffset,
    predictor: &mut Predictor,
) -> Vec<(i64, Joined)> {
    let from = kept.at.0 - LATE - clock.uncertainty;
    let to = kept.at.1 + SECOND / 10 + clock.uncertainty;
    let begin = wire.failed.partition_point(|(at, _)| *at < from);
    let then = wire.failed.get(begin..).unwrap_or_default().iter();
    let mut found = Vec::new();
    for (at, place) in then.take_while(|(at, _)| *at <= to).take(EXAMINED) {
        let Some(connection) = wire.connection(*place) else {
            continue;
        };
        for who in Who::BOTH {
            if says(&kept.line, connection, who, predictor) {
                found.push((*at, Joined::Connection(*place, who)));
                break;
            }
        }
    }
    found
}

/// Whether the program on this side is expected to write a line's text.
fn says(line: &LogLine, connection: &Connection, who: Who, predictor: &mut Predictor) -> bool {
    let Some(message) = line.message.as_deref() else {
        return false;
    };
    let told = predictor.told(connection, who);
    told.iter()
        .filter_map(|it| it.text)
        .any(|it| has(message, it))
}

/// Whether a text has all parts of an expected one, in order; `…` stands for what varies.
fn has(message: &str, expected: &str) -> bool {
    let parts = expected.split('…').map(str::trim).filter(|it| it.len() > 1);
    let mut rest = message;
    let mut telling = 0;
    for part in parts {
        let Some(at) = rest.find(part) else {
            return false;
        };
        telling += part.len();
        rest = rest.get(at + part.len()..).unwrap_or_default();
    }
    telling >= TELLING
}

/// Whether a line's text is what the connection's programs are expected to log.
pub(super) fn agreement(
    line: &LogLine,
    connection: &Connection,
    writer: Who,
    predictor: &mut Predictor,
) -> Agreement {
    let mut agreement = Agreement::default();
    if says(line, connection, writer, predictor) {
        agreement.add(Compared::Text, true);
    }
    agreement
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_has_the_parts_of_an_expected_one() {
        for (message, expected, wanted) in [
            ("Error: socket hang up", "socket hang up", true),
            (
                "read tcp 10.0.0.1:1->10.0.0.2:2: read: connection reset by peer",
                "read tcp …->…: read: connection reset by peer",
                true,
            ),
            (
                "connection reset by peer: read",
                "read: connection reset by peer",
                false,
            ),
            ("EOF", "EOF", false),
            ("started", "socket hang up", false),
        ] {
            assert_eq!(has(message, expected), wanted, "{message}");
        }
    }
}
