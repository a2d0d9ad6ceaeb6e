//! Finds the connection that a log line is about, by comparing its addresses, ports and times with the connections.
//!
//! A hint that matches no connection does not narrow the result; the mismatch is reported. A time without a zone is
//! taken as UTC, and if nothing happened then, as the local time of a zone a number of half hours away, which is only
//! likely.

use std::net::IpAddr;

use jiff::civil;
use jiff::tz::TimeZone;

use crate::analysis::connection::ConnectionSummary;
use crate::base::time::Timestamp;
use crate::knowledge::{LogLineHints, LogTime};

const SECOND: i64 = 1_000_000_000;
const HALF_HOUR: i64 = 1800 * SECOND;
const DAY: i64 = 86_400 * SECOND;

/// A program writes its line up to this long after the packet that caused it.
const LATE: i64 = 2 * SECOND;
/// Clocks of a logging and a capturing host differ by less under NTP; so does a time truncated to seconds.
const EARLY: i64 = SECOND;
/// Connections whose ends differ by less than this are equally near to a line's time.
const ALIKE: i64 = SECOND / 2;
/// Half hours from UTC−12 to UTC+14.
const ZONES: std::ops::RangeInclusive<i64> = -24..=28;
/// Upper bound of days on which a time without a date is tried.
const DAYS: i64 = 31;

/// How a time in the line was interpreted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockReading {
    /// It states its zone.
    Told,
    /// It states none and matches as UTC.
    Utc,
    /// It states none and matches if its clock is this many seconds ahead of UTC.
    Shifted(i32),
}

/// The comparison of a line's hints with a capture.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LocatedConnections {
    /// Addresses of the line that are on the chosen connections.
    pub addresses: Vec<IpAddr>,
    /// Ports of the line that are on the chosen connections.
    pub ports: Vec<u16>,
    /// The time of the line that matches, and how it was interpreted.
    pub time: Option<(LogTime, ClockReading)>,
    /// Addresses that are on none of the candidate connections.
    pub unmatched_addresses: Vec<IpAddr>,
    /// Ports that are on none of them.
    pub unmatched_ports: Vec<u16>,
    /// The line has times, and none matches.
    pub unmatched_time: bool,
}

impl LocatedConnections {
    /// Whether any hint in the line matched a connection.
    #[must_use]
    pub(crate) fn says_which(&self) -> bool {
        !self.addresses.is_empty() || !self.ports.is_empty() || self.time.is_some()
    }
}

/// Narrows `among` (connection numbers, ascending) by the hints.
pub(super) fn locate(
    hints: &LogLineHints,
    among: &[u32],
    summaries: &[ConnectionSummary],
    span: Option<(Timestamp, Timestamp)>,
) -> (Vec<u32>, LocatedConnections) {
    let mut located = LocatedConnections::default();
    let of = |id: &u32| {
        let at = ConnectionSummary::place_of(*id, summaries)?;
        summaries.get(at)
    };
    let mut chosen: Vec<&ConnectionSummary> = among.iter().filter_map(of).collect();
    chosen = most(chosen, |it| {
        let ends = [it.client.ip, it.server.ip];
        ends.iter()
            .filter(|ip| hints.addresses.contains(ip))
            .count()
    });
    for ip in &hints.addresses {
        let on = chosen
            .iter()
            .any(|it| it.client.ip == *ip || it.server.ip == *ip);
        let list = if on {
            &mut located.addresses
        } else {
            &mut located.unmatched_addresses
        };
        list.push(*ip);
    }
    // A client port belongs to one connection, a server port to many.
    chosen = most(chosen, |it| {
        let client = usize::from(hints.ports.contains(&it.client.port)) * 2;
        client + usize::from(hints.ports.contains(&it.server.port))
    });
    for port in &hints.ports {
        let on = chosen
            .iter()
            .any(|it| it.client.port == *port || it.server.port == *port);
        let list = if on {
            &mut located.ports
        } else {
            &mut located.unmatched_ports
        };
        list.push(*port);
    }
    if !hints.times.is_empty() && !chosen.is_empty() {
        match at_a_time(&hints.times, &chosen, span) {
            Some((moment, clock, then)) => {
                located.time = Some((moment, clock));
                chosen = then;
            }
            None => located.unmatched_time = true,
        }
    }
    (chosen.iter().map(|it| it.id).collect(), located)
}

/// Those with the highest score, or all if none scores.
fn most(
    all: Vec<&ConnectionSummary>,
    score: impl Fn(&ConnectionSummary) -> usize,
) -> Vec<&ConnectionSummary> {
    let best = all.iter().map(|it| score(it)).max().unwrap_or(0);
    let mut all = all;
    if best > 0 {
        all.retain(|it| score(it) == best);
    }
    all
}

/// The connections that ended at one of the times, or existed then.
fn at_a_time<'b>(
    times: &[LogTime],
    among: &[&'b ConnectionSummary],
    span: Option<(Timestamp, Timestamp)>,
) -> Option<(LogTime, ClockReading, Vec<&'b ConnectionSummary>)> {
    let span = span?;
    for moment in times {
        let clock = match moment.offset {
            Some(_) => ClockReading::Told,
            None => ClockReading::Utc,
        };
        let then = nearest(&readings(moment, 0, span), among, false);
        if !then.is_empty() {
            return Some((*moment, clock, then));
        }
    }
    let local = times.iter().filter(|it| it.offset.is_none());
    let mut shifts: Vec<i64> = ZONES.filter(|halves| *halves != 0).collect();
    // Whole hours first, and small shifts before large ones.
    shifts.sort_by_key(|halves| (halves % 2 != 0, halves.abs()));
    for moment in local {
        for halves in &shifts {
            let then = nearest(&readings(moment, *halves, span), among, true);
            if !then.is_empty() {
                let seconds = i32::try_from(halves * 1800).unwrap_or(0);
                return Some((*moment, ClockReading::Shifted(seconds), then));
            }
        }
    }
    None
}

/// The moments that a time can mean, in nanoseconds, if its clock is `halves` half hours ahead of UTC.
fn readings(moment: &LogTime, halves: i64, (first, last): (Timestamp, Timestamp)) -> Vec<i64> {
    let (hour, minute, second) = moment.time;
    let ahead = moment
        .offset
        .map_or(halves * HALF_HOUR, |east| i64::from(east) * SECOND);
    let of_day = (i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second)) * SECOND
        + i64::from(moment.nanoseconds);
    let day_of = |at: Timestamp| at.as_nanos().div_euclid(DAY);
    let days: Vec<i64> = match moment.month_day {
        Some((month, day)) => {
            let years = match moment.year {
                Some(year) => year..=year,
                None => year_of(first)..=year_of(last),
            };
            let days = years.filter_map(|year| civil::Date::new(year, month, day).ok());
            let days = days.filter_map(|date| date.to_zoned(TimeZone::UTC).ok());
            days.map(|midnight| midnight.timestamp().as_second().div_euclid(86_400))
                .collect()
        }
        // One more day on either side, since the zone can change the date.
        None => {
            let from = day_of(first) - 1;
            (from..=(day_of(last) + 1).min(from + DAYS)).collect()
        }
    };
    days.into_iter()
        .filter_map(|day| {
            let midnight = day.checked_mul(DAY)?;
            midnight.checked_add(of_day)?.checked_sub(ahead)
        })
        .collect()
}

fn year_of(at: Timestamp) -> i16 {
    let at = jiff::Timestamp::from_nanosecond(i128::from(at.as_nanos())).unwrap_or_default();
    at.to_zoned(TimeZone::UTC).year()
}

/// Of the connections that existed at one of the moments, those that ended nearest to it. `strictly`: they must have
/// ended then.
fn nearest<'b>(
    moments: &[i64],
    among: &[&'b ConnectionSummary],
    strictly: bool,
) -> Vec<&'b ConnectionSummary> {
    let distance = |it: &ConnectionSummary| {
        let close = it.close.time.as_nanos();
        let (first, last) = (it.first.time.as_nanos(), it.last.as_nanos());
        let near = |moment: &i64| {
            // A time truncated to seconds means any moment of that second.
            let until = if moment % SECOND == 0 {
                moment.saturating_add(SECOND)
            } else {
                *moment
            };
            let late = if (*moment..until).contains(&close) {
                0
            } else {
                moment.saturating_sub(close)
            };
            let ended = (-EARLY..=LATE).contains(&late);
            let there = *moment >= first.saturating_sub(EARLY)
                && *moment <= last.max(close).saturating_add(LATE);
            (ended || there && !strictly).then_some(late.saturating_abs())
        };
        moments.iter().filter_map(near).min()
    };
    let near: Vec<(i64, &ConnectionSummary)> = among
        .iter()
        .filter_map(|it| Some((distance(it)?, *it)))
        .collect();
    let best = near.iter().map(|(far, _)| *far).min().unwrap_or(0);
    let near = near
        .into_iter()
        .filter(|(far, _)| *far <= best.saturating_add(ALIKE));
    near.map(|(_, it)| it).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::connection::Connection;
    use crate::knowledge::hints_in;
    use crate::report::snapshot::sample::{connection, endpoint, frame_ref};

    /// Three connections that end at 01:40:16, 01:40:56 and 02:10:16 on 2009-07-11, on ports 1001 to 1003.
    fn three() -> Vec<ConnectionSummary> {
        let ends = [0u64, 40_000, 1_800_000];
        let all = ends.into_iter().zip(1..).map(|(millis, id)| {
            let mut one: Connection = connection();
            one.id = id;
            one.client = endpoint(1, 1000 + u16::try_from(id).unwrap());
            one.first = frame_ref(u64::from(id) * 10, millis);
            one.last = frame_ref(u64::from(id) * 10 + 9, millis + 60);
            one.teardown.at = frame_ref(0, millis + 41).time;
            ConnectionSummary::from(&one)
        });
        all.collect()
    }

    #[track_caller]
    fn finds(line: &str, ids: &[u32], clock: Option<ClockReading>) -> LocatedConnections {
        let summaries = three();
        let span = Some((frame_ref(0, 0).time, frame_ref(0, 1_800_060).time));
        let (found, located) = locate(&hints_in(line), &[1, 2, 3], &summaries, span);
        assert_eq!(found, ids, "{line}");
        assert_eq!(located.time.map(|it| it.1), clock, "{line}");
        located
    }

    #[test]
    fn times_in_every_zone() {
        finds("2009-07-11T01:40:56Z x", &[2], Some(ClockReading::Told));
        finds(
            "2009-07-11T03:40:56+02:00 x",
            &[2],
            Some(ClockReading::Told),
        );
        finds(
            "2009-07-11 01:40:57,100 ERROR x",
            &[2],
            Some(ClockReading::Utc),
        );
        finds("Jul 11 01:40:16 host x", &[1], Some(ClockReading::Utc));
        finds("02:10:17 x", &[3], Some(ClockReading::Utc));
        finds(
            "2009-07-11 03:40:56 x",
            &[2],
            Some(ClockReading::Shifted(7200)),
        );
        finds(
            "2009-07-10 20:40:57 x",
            &[2],
            Some(ClockReading::Shifted(-18_000)),
        );
        finds(
            "2009-07-11 07:10:56 x",
            &[2],
            Some(ClockReading::Shifted(19_800)),
        );
        finds(
            "[11/Jul/2009:10:40:56 x",
            &[2],
            Some(ClockReading::Shifted(32_400)),
        );
    }

    #[test]
    fn a_time_that_fits_nothing_narrows_nothing() {
        for line in [
            "2009-07-12T01:40:56Z x",
            "2008-07-11 01:40:56 x",
            "01:55:30 x",
        ] {
            let located = finds(line, &[1, 2, 3], None);
            assert!(located.unmatched_time, "{line}");
        }
    }

    #[test]
    fn addresses_and_ports() {
        let located = finds("client 10.0.0.1:1002, upstream 10.9.9.9:80", &[2], None);
        assert_eq!(located.ports, [1002, 80]);
        assert_eq!(
            located.unmatched_addresses,
            ["10.9.9.9".parse::<IpAddr>().unwrap()]
        );
        let located = finds("port 7", &[1, 2, 3], None);
        assert_eq!(located.unmatched_ports, [7]);
        finds("no hint", &[1, 2, 3], None);
    }
}
