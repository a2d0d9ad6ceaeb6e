//! By how much the clock of a log differs from that of the capture.
//!
//! Every line that names a request, or a connection's addresses, votes for the differences at which it would belong to one of
//! the exchanges with this request. The true difference gets a vote from each line, others only by chance. Without a clear
//! majority the clocks are taken to agree: a difference is never guessed from one weak match.
//!
//! Plausible are differences of up to ten minutes, and whole quarters of hours up to fourteen hours, as zones have them. So a
//! log of another day is never moved to the day of the capture.

use std::collections::{HashMap, HashSet};

use super::line::{LogLine, LogMoment, SECOND};
use super::wire::{Wire, nanos, over};
use crate::base::net::Endpoint;
use crate::knowledge::{LogFormat, StampedAt};

/// Exchanges with the same request that one line votes for.
const ALIKE: usize = 8;
/// Votes that are kept: enough to see a difference, whatever the length of the log.
pub(crate) const MAX_VOTES: usize = 1 << 16;
/// Clocks of hosts that nobody sets differ by no more.
const SKEW: i64 = 600 * SECOND;
/// Beside a difference of zones, clocks differ by no more.
const ZONE_SKEW: i64 = 120 * SECOND;
const QUARTER: i64 = 900 * SECOND;
/// UTC+14 is the easternmost zone.
const ZONES: i64 = 14 * 3600 * SECOND;
/// Clocks that differ by less agree, for lines written in whole seconds and programs that write a little later.
const AGREE: i64 = 5 * SECOND / 2;
/// Exchanges that must agree on a difference. A client's port is the evidence of several.
const LEAST: usize = 3;
/// The same where the log does not write its zone, and the difference is just one of zones.
const LEAST_FOR_ZONE: usize = 2;

/// By how much the log's clock is ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockOffset {
    /// Nanoseconds that are subtracted from the log's times.
    pub nanos: i64,
    /// How well that is known.
    pub uncertainty: i64,
    /// Exchanges or connections that show it; 0: it is taken to be none.
    pub support: usize,
}

impl ClockOffset {
    /// What is assumed if nothing shows a difference.
    pub const NONE: Self = Self {
        nanos: 0,
        uncertainty: SECOND,
        support: 0,
    };
}

/// The votes of a log's lines.
#[derive(Debug, Default)]
pub(crate) struct ClockVotes {
    cast: HashSet<(u32, i32)>,
    /// By seconds: votes, and those with a port in them.
    seconds: HashMap<i32, Bucket>,
    unzoned: bool,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    votes: usize,
    strong: usize,
    /// The bounds that the votes set: at least, at most.
    low: i64,
    high: i64,
    sum: i128,
}

impl ClockVotes {
    /// Takes the vote of a line.
    pub(crate) fn take(&mut self, line: &LogLine, format: LogFormat, wire: &Wire<'_>) {
        let Some(time) = line.time else { return };
        self.unzoned |= !time.zoned;
        if self.cast.len() >= MAX_VOTES {
            return;
        }
        if let (Some(ip), Some(port)) = (line.client, line.client_port) {
            self.of_client(line, time, format, Endpoint { ip, port }, wire);
            return;
        }
        let asked = wire.asked(line);
        if asked.len() > ALIKE {
            return;
        }
        for place in asked {
            let Some((it, connection, exchange)) = wire.exchange(*place) else {
                continue;
            };
            let alike = line.may_have_status(exchange.status());
            let elsewhere = line.client.is_some_and(|ip| {
                wire.knows(ip) && connection.client.ip != ip && line.of_upstream != Some(true)
            });
            if alike && !elsewhere {
                self.moments(*place, time, format, (it.start, it.end), false);
            }
        }
    }

    /// The vote of a line with the client's port, which few connections have.
    fn of_client(
        &mut self,
        line: &LogLine,
        time: LogMoment,
        format: LogFormat,
        client: Endpoint,
        wire: &Wire<'_>,
    ) {
        let asked = wire.asked(line);
        let mut any = false;
        for place in asked {
            if let Some((it, connection, _)) = wire.exchange(*place)
                && connection.client == client
            {
                any = true;
                self.moments(*place, time, format, (it.start, it.end), true);
            }
        }
        if any || line.method.is_some() {
            return;
        }
        for place in wire.opened_by(client).iter().take(ALIKE) {
            if let Some(connection) = wire.connection(*place) {
                let span = (nanos(connection.first.time), over(connection));
                // A number that no exchange has.
                self.moments(u32::MAX - *place, time, format, span, true);
            }
        }
    }

    fn moments(
        &mut self,
        place: u32,
        time: LogMoment,
        format: LogFormat,
        (start, end): (i64, i64),
        strong: bool,
    ) {
        let stamped = format.stamped_at();
        if stamped != StampedAt::Start {
            self.vote(place, time, end, strong);
        }
        if stamped == StampedAt::Start || stamped == StampedAt::StartOrEnd && end - start > SECOND {
            self.vote(place, time, start, strong);
        }
    }

    fn vote(&mut self, place: u32, time: LogMoment, at: i64, strong: bool) {
        let (low, high) = (
            time.nanos.saturating_sub(at),
            (time.nanos + time.precision).saturating_sub(at),
        );
        let middle = low + time.precision / 2;
        if middle.abs() > ZONES + SKEW {
            return;
        }
        let second = i32::try_from(middle.div_euclid(SECOND)).unwrap_or(0);
        if !self.cast.insert((place, second)) {
            return;
        }
        let bucket = self.seconds.entry(second).or_insert(Bucket {
            votes: 0,
            strong: 0,
            low: i64::MIN,
            high: i64::MAX,
            sum: 0,
        });
        bucket.votes += 1;
        bucket.strong += usize::from(strong);
        bucket.low = bucket.low.max(low);
        bucket.high = bucket.high.min(high);
        bucket.sum += i128::from(middle);
    }

    /// Whether more lines would show nothing new.
    pub(crate) fn are_enough(&self) -> bool {
        self.cast.len() >= MAX_VOTES
    }

    /// What the votes show.
    pub(crate) fn decide(&self) -> ClockOffset {
        let around = |second: i32| {
            let near = (second - 1..=second + 1).filter_map(|it| self.seconds.get(&it));
            near.fold((0, 0), |(votes, strong), it| {
                (votes + it.votes, strong + it.strong)
            })
        };
        let agree = i32::try_from(AGREE / SECOND).unwrap_or(2);
        let (at_zero, zero) = (-agree - 1..=agree)
            .map(|it| (around(it).0, it))
            .max_by_key(|(votes, it)| (*votes, -it.abs()))
            .unwrap_or((0, 0));
        let mut places: Vec<(usize, i32)> = self
            .seconds
            .keys()
            .map(|second| (around(*second).0, *second))
            .collect();
        places.sort_by_key(|(votes, second)| (std::cmp::Reverse(*votes), second.abs(), *second));
        let best = places.first().filter(|(_, it)| it.abs() > agree + 1);
        if let Some((votes, second)) = best.copied()
            && votes > 2 * at_zero
            && self.is_plausible(second, votes, around(second).1)
        {
            // What is near the peak is the peak.
            let rival = places.iter().find(|(_, it)| (it - second).abs() > 3);
            if rival.is_none_or(|(rival, _)| votes >= 2 * rival) {
                return self.measured(second);
            }
        }
        match at_zero {
            0 => ClockOffset::NONE,
            _ => self.measured(zero),
        }
    }

    fn is_plausible(&self, second: i32, votes: usize, strong: usize) -> bool {
        let offset = i64::from(second) * SECOND + SECOND / 2;
        let quarter = (offset + offset.signum() * QUARTER / 2) / QUARTER * QUARTER;
        let beside = (offset - quarter).abs();
        let is_zone = quarter.abs() <= ZONES && quarter != 0 && beside <= ZONE_SKEW;
        if is_zone && self.unzoned && beside <= AGREE {
            return votes >= LEAST_FOR_ZONE || strong > 0;
        }
        (is_zone || offset.abs() <= SKEW) && (votes >= LEAST || strong >= LEAST_FOR_ZONE)
    }

    /// The difference that the votes around a second show.
    fn measured(&self, second: i32) -> ClockOffset {
        let around = second - 1..=second + 1;
        // One exchange may have votes of several lines.
        let cast = self.cast.iter().filter(|(_, it)| around.contains(it));
        let shown_by: HashSet<u32> = cast.map(|(place, _)| *place).collect();
        let near = around.filter_map(|it| self.seconds.get(&it));
        let (mut low, mut high, mut sum, mut votes) = (i64::MIN, i64::MAX, 0, 0);
        for bucket in near {
            low = low.max(bucket.low);
            high = high.min(bucket.high);
            sum += bucket.sum;
            votes += bucket.votes;
        }
        let mean = match votes {
            0 => 0,
            votes => i64::try_from(sum / votes as i128).unwrap_or(0),
        };
        // If all bounds hold, the difference lies between them; else programs wrote late.
        let (nanos, uncertainty) = match low <= high {
            true => (low + (high - low) / 2, (high - low) / 2),
            false => (mean, SECOND / 2 + (low - high) / 2),
        };
        ClockOffset {
            nanos,
            uncertainty: uncertainty.clamp(SECOND / 50, SECOND),
            support: shown_by.len(),
        }
    }
}
