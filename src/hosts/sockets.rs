//! What one client spends on one server: open sockets, sockets in TIME-WAIT, and the ports that both take away.
//!
//! A client's port is taken from its first segment until the connection is closed there, and where the client holds a
//! TIME-WAIT (RFC 9293 §3.6.1) until that is over: after the modelled time, or when the same addresses and ports are
//! used again (RFC 6191). One sort and one sweep over the beginnings and ends.
//! Left out on purpose: what a capture of this length cannot show, such as sockets in TIME-WAIT from before it began.

use std::net::IpAddr;
use std::time::Duration;

use hashbrown::HashMap;

use super::range::PortsSeen;
use super::{RangeBasis, Settings, Sockets};
use crate::certainty::Certainty;
use crate::connection::{Connection, Standing, State, Who};
use crate::decode::{Context, Endpoint};
use crate::time::Timestamp;

/// Connections from which on a rate is one.
const ENOUGH: usize = 50;
/// The shortest time over which a rate is extrapolated.
const LONG_ENOUGH: Duration = Duration::from_secs(1);

/// The sockets of every client and server, most used first. `end` is when the capture ends.
#[must_use]
pub fn sockets(connections: &[Connection], settings: &Settings, end: Timestamp) -> Vec<Sockets> {
    let mut ports: HashMap<IpAddr, PortsSeen, foldhash::fast::FixedState> = HashMap::default();
    for connection in connections {
        if connection.roles.certainty() == Certainty::Certain {
            let seen = ports.entry(connection.client.ip).or_insert(PortsSeen::NONE);
            let ttl = connection.sent[Who::Client as usize].ttl;
            seen.note(connection.client.port, ttl);
        }
    }
    let mut uses: Vec<Use> = connections
        .iter()
        .map(|it| Use::new(it, settings, end))
        .collect();
    uses.sort_unstable();
    let mut rows: Vec<Sockets> = uses
        .chunk_by_mut(|one, other| one.pair == other.pair)
        .map(|uses| {
            let seen = ports.get(&uses[0].pair.0).copied();
            row(uses, seen, settings, end)
        })
        .collect();
    rows.sort_by(|one, other| {
        let weight = |it: &Sockets| (it.used_peak, it.connections);
        let place = |it: &Sockets| (it.client, it.server);
        let by_weight = weight(other).cmp(&weight(one));
        by_weight.then_with(|| place(one).cmp(&place(other)))
    });
    rows
}

/// One use of a client port. Ordered by client and server, then port, then time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Use {
    pair: (IpAddr, Endpoint, Context),
    port: u16,
    begins: Timestamp,
    ends: Timestamp,
    time_wait: Option<Timestamp>,
}

impl Use {
    fn new(connection: &Connection, settings: &Settings, end: Timestamp) -> Self {
        let client = Who::Client as usize;
        let time_wait = connection.time_wait[client].map(|mark| mark.time);
        let standing = connection.states[client];
        let ends = match (time_wait, standing) {
            (Some(since), _) => since.after(settings.time_wait),
            // Nobody can see when a client stops trying; it spoke last then.
            (None, Standing::Unseen | Standing::In(State::Closed | State::SynSent)) => {
                connection.last.time
            }
            (None, _) => end.max(connection.last.time),
        };
        Self {
            pair: (connection.client.ip, connection.server, connection.context),
            port: connection.client.port,
            begins: connection.first.time,
            ends,
            time_wait,
        }
    }
}

/// What changes at a moment: sockets in use, sockets in TIME-WAIT. Ends sort before beginnings.
type Change = (Timestamp, i8, i8);

fn row(uses: &mut [Use], seen: Option<PortsSeen>, settings: &Settings, end: Timestamp) -> Sockets {
    let (client, server, _) = uses[0].pair;
    let mut own = PortsSeen::NONE;
    let mut changes: Vec<Change> = Vec::with_capacity(uses.len() * 3);
    for at in 0..uses.len() {
        // A port that is used again is free for the moment between.
        let again = uses.get(at + 1).filter(|next| next.port == uses[at].port);
        if let Some(again) = again.map(|next| next.begins) {
            uses[at].ends = uses[at].ends.min(again);
        }
        // A refused connection may be a single segment; its port was in use all the same.
        let moment = uses[at].begins.after(Duration::from_nanos(1));
        uses[at].ends = uses[at].ends.max(moment);
        let this = uses[at];
        own.note(this.port, 0);
        changes.push((this.begins, 1, 0));
        match this.time_wait.filter(|since| *since < this.ends) {
            Some(since) => {
                changes.push((since, 0, 1));
                changes.push((this.ends, -1, -1));
            }
            None => changes.push((this.ends, -1, 0)),
        }
    }
    changes.sort_unstable();
    let (range, basis) = seen.unwrap_or(own).range(settings.range);
    let size = u64::from(range.1.saturating_sub(range.0)) + 1;
    let mut found = Sweep::default();
    for (time, used, time_wait) in changes {
        found.change(time, used, time_wait, end, size);
    }
    // What was merely observed cannot run out: nobody knows where it ends.
    let runs_out_at = match basis {
        RangeBasis::Observed => None,
        RangeBasis::Told | RangeBasis::Default => {
            found.ran_out.or_else(|| runs_out(uses, size, settings))
        }
    };
    let (ports_low, ports_high) = own.bounds();
    Sockets {
        client,
        server,
        connections: uses.len() as u64,
        time_wait_now: found.time_wait_now,
        time_wait_peak: found.time_wait_peak,
        peak_at: found.peak_at,
        used_peak: found.used_peak,
        ports_low,
        ports_high,
        range,
        basis,
        runs_out_at,
    }
}

/// Where a sweep through the changes stands, and what it has seen.
#[derive(Default)]
struct Sweep {
    used: i64,
    used_peak: u64,
    time_wait: i64,
    time_wait_peak: u64,
    peak_at: Option<Timestamp>,
    time_wait_now: u64,
    ran_out: Option<Timestamp>,
}

impl Sweep {
    fn change(&mut self, time: Timestamp, used: i8, time_wait: i8, end: Timestamp, size: u64) {
        self.used += i64::from(used);
        self.time_wait += i64::from(time_wait);
        if time > end {
            return;
        }
        let count = |number: i64| u64::try_from(number).unwrap_or(0);
        self.time_wait_now = count(self.time_wait);
        self.used_peak = self.used_peak.max(count(self.used));
        if count(self.time_wait) > self.time_wait_peak {
            self.time_wait_peak = count(self.time_wait);
            self.peak_at = Some(time);
        }
        if self.ran_out.is_none() && count(self.used) >= size {
            self.ran_out = Some(time);
        }
    }
}

/// When the range will be used up, if sockets go on entering TIME-WAIT as steadily as they have, and faster than they
/// leave it.
fn runs_out(uses: &[Use], size: u64, settings: &Settings) -> Option<Timestamp> {
    let mut entered: Vec<Timestamp> = uses.iter().filter_map(|it| it.time_wait).collect();
    entered.sort_unstable();
    let (first, last) = (*entered.first()?, *entered.last()?);
    let span = last.since(first);
    if entered.len() < ENOUGH || span < LONG_ENOUGH {
        return None;
    }
    let middle = first.after(span / 2);
    let early = entered.partition_point(|at| *at < middle);
    let late = entered.len() - early;
    let steady = early <= 2 * late && late <= 2 * early;
    let rate = (entered.len() - 1) as f64 / span.as_secs_f64();
    if !steady || rate * settings.time_wait.as_secs_f64() <= size as f64 {
        return None;
    }
    let until = Duration::try_from_secs_f64(size as f64 / rate).ok()?;
    Some(first.after(until))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::sample;
    use crate::mark::{FrameNumber, Mark};

    const TIME_WAIT: Duration = Duration::from_secs(60);

    /// A connection from `port` that begins and ends after so many seconds, with or without a TIME-WAIT at the client.
    fn connection(port: u16, begins: f64, ends: f64, time_wait: bool) -> Connection {
        let mark = |seconds: f64| Mark {
            frame: FrameNumber(1),
            time: Timestamp::default().after(Duration::from_secs_f64(seconds)),
        };
        let mut connection = sample::connection();
        connection.client.port = port;
        connection.first = mark(begins);
        connection.last = mark(ends);
        let state = if time_wait {
            State::TimeWait
        } else {
            State::Closed
        };
        connection.states = [Standing::In(state); 2];
        connection.time_wait = [time_wait.then(|| mark(ends)), None];
        connection
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp::default().after(Duration::from_secs(seconds))
    }

    fn only(connections: &[Connection], range: Option<(u16, u16)>, end: u64) -> Sockets {
        let settings = Settings {
            time_wait: TIME_WAIT,
            range,
        };
        let rows = sockets(connections, &settings, at(end));
        let [row] = &rows[..] else {
            panic!("one row, not {}", rows.len())
        };
        row.clone()
    }

    #[test]
    fn time_waits_come_and_go() {
        let all: Vec<_> = (0..10)
            .map(|n| connection(40_000 + n, f64::from(n), f64::from(n) + 0.5, true))
            .collect();
        for (end, now, peak) in [(10, 10, 10), (62, 8, 10), (200, 0, 10)] {
            let row = only(&all, None, end);
            assert_eq!(
                (row.time_wait_now, row.time_wait_peak),
                (now, peak),
                "{end}"
            );
            assert_eq!(row.used_peak, 10);
            assert_eq!((row.ports_low, row.ports_high), (40_000, 40_009));
        }
    }

    #[test]
    fn closed_sockets_take_no_port() {
        let all = [
            connection(40_000, 0.0, 1.0, false),
            connection(40_001, 1.0, 2.0, false),
            connection(40_002, 2.0, 2.0, false),
        ];
        let row = only(&all, None, 10);
        assert_eq!((row.used_peak, row.time_wait_peak), (1, 0));
    }

    #[test]
    fn a_port_that_is_used_again_leaves_time_wait() {
        let all = [
            connection(40_000, 0.0, 1.0, true),
            connection(40_000, 5.0, 6.0, true),
        ];
        let row = only(&all, None, 10);
        assert_eq!(
            (row.used_peak, row.time_wait_peak, row.time_wait_now),
            (1, 1, 1)
        );
    }

    #[test]
    fn open_sockets_take_a_port_to_the_end() {
        let mut open = connection(40_000, 0.0, 1.0, false);
        open.states = [Standing::In(State::Established); 2];
        let row = only(&[open, connection(40_001, 8.0, 9.0, false)], None, 10);
        assert_eq!(row.used_peak, 2);
    }

    #[test]
    fn steady_use_is_carried_forward() {
        let steady = |per_second: u32| -> Vec<_> {
            (0..per_second * 10)
                .map(|n| {
                    let begins = f64::from(n) / f64::from(per_second);
                    connection(40_000 + n as u16, begins, begins, true)
                })
                .collect()
        };
        // 20 a second for 60 s are 1200: more than 1000 ports, fewer than 2000.
        let row = only(&steady(20), Some((40_000, 40_999)), 10);
        assert_eq!(row.runs_out_at, Some(at(50)));
        assert_eq!(
            only(&steady(20), Some((40_000, 41_999)), 10).runs_out_at,
            None
        );
        let row = only(&steady(20), Some((40_000, 40_099)), 10);
        assert_eq!(
            row.used_peak_percent(),
            200.0,
            "more than the range has: it was told wrong"
        );
        assert!(row.runs_out_at.unwrap() < at(6));
        assert_eq!(
            only(&steady(20)[..30], Some((40_000, 40_999)), 10).runs_out_at,
            None
        );
    }

    #[test]
    fn rows_are_in_order_of_use() {
        let mut other = connection(50_000, 0.0, 1.0, true);
        other.client.ip = "10.0.0.9".parse().unwrap();
        let all = [
            other,
            connection(40_000, 0.0, 1.0, true),
            connection(40_002, 0.0, 1.0, true),
        ];
        let settings = Settings {
            time_wait: TIME_WAIT,
            range: None,
        };
        let rows = sockets(&all, &settings, at(2));
        let used: Vec<_> = rows.iter().map(|row| row.used_peak).collect();
        assert_eq!(used, [2, 1]);
        assert!(sockets(&[], &settings, at(2)).is_empty());
    }

    /// Three hundred thousand connections are a page of work, not a pause.
    #[test]
    #[ignore = "measures; run with --release"]
    fn many_connections_take_no_time() {
        let all: Vec<_> = (0..300_000u32)
            .map(|n| {
                let begins = f64::from(n) / 1000.0;
                connection((n % 28_232 + 32_768) as u16, begins, begins, true)
            })
            .collect();
        let begun = std::time::Instant::now();
        only(&all, None, 300);
        eprintln!("{:?}", begun.elapsed());
    }
}
