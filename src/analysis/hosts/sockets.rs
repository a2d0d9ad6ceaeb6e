//! The sockets that one client uses towards one server: open sockets, sockets in TIME-WAIT, and the ports that both
//! occupy.
//!
//! A client's port is occupied from its first segment until the connection is closed there. If the client holds a
//! TIME-WAIT (RFC 9293 §3.6.1), it is occupied until that ends: after the assumed time, or when the same addresses and
//! ports are used again (RFC 6191). The implementation is one pass over the connections, and a sweep over the
//! beginnings and ends. Left out deliberately: what the capture cannot show, such as sockets in TIME-WAIT from before
//! it began.

use std::net::IpAddr;
use std::time::Duration;

use hashbrown::HashMap;

use super::port_exhaustion::port_exhaustion;
use super::port_range::PortsSeen;
use super::{HostSettings, RangeBasis, Sockets};
use crate::analysis::connection::{ConnectionSummary, Standing, State};
use crate::base::certainty::Certainty;
use crate::base::net::{Context, Endpoint};
use crate::base::time::Timestamp;

/// Pairs of client and server that are distinguished. A client with many sockets uses them early and often; the pairs
/// beyond this limit are a scan or a flood, with a socket each.
pub(crate) const MAX_PAIRS: usize = 65_536;
/// The fewest connections from which a rate is extrapolated.
const ENOUGH: usize = 50;
/// The shortest duration of a use: a refused connection may be a single segment, and still occupied its port.
const MOMENT: Duration = Duration::from_nanos(1);
/// The shortest time over which a rate is extrapolated.
const LONG_ENOUGH: Duration = Duration::from_secs(1);

/// The sockets of every client and server, most used first. The connections must be in order of first frame; `end` is
/// when the capture ends.
#[must_use]
pub fn sockets(
    connections: &[ConnectionSummary],
    settings: &HostSettings,
    end: Timestamp,
) -> Vec<Sockets> {
    let mut ports: PortUseMap<IpAddr, PortsSeen> = PortUseMap::default();
    let mut places: PortUseMap<(IpAddr, Endpoint, Context), u32> = PortUseMap::default();
    let mut pairs: Vec<PortUses<'_>> = Vec::new();
    let mut latest: PortUseMap<(u32, u16), usize> = PortUseMap::default();
    for connection in connections {
        let client = connection.client;
        let ttl = connection.client_ttl;
        if connection.roles.certainty() == Certainty::Certain {
            let seen = ports.entry(client.ip).or_insert(PortsSeen::NONE);
            seen.note(client.port, ttl);
        }
        let pair = (client.ip, connection.server, connection.context);
        let next = pairs.len() as u32;
        let full = pairs.len() >= MAX_PAIRS;
        if full && !places.contains_key(&pair) {
            continue;
        }
        let place = *places.entry(pair).or_insert(next);
        if place == next {
            pairs.push(PortUses::new(client.ip, connection.server));
        }
        let uses = &mut pairs[place as usize];
        uses.connections.push(connection);
        uses.ports.note(client.port, ttl);
        // A port that is reused was free just before.
        if let Some(before) = latest.insert((place, client.port), uses.all.len()) {
            uses.all[before].cut(connection.first.time);
        }
        uses.all.push(PortUse::new(connection, settings, end));
    }
    let rows = pairs.iter_mut().map(|uses| {
        let exhausted = port_exhaustion(&uses.connections, settings.range);
        // What was measured replaces what was assumed.
        let measured = exhausted.as_ref().map(|it| HostSettings {
            time_wait: it.time_wait.median,
            ..*settings
        });
        if let Some(measured) = &measured {
            uses.measure(measured, end);
        }
        let seen = ports.get(&uses.client).unwrap_or(&uses.ports);
        let range = seen.range(settings.range);
        let row = row(uses, range, measured.as_ref().unwrap_or(settings), end);
        Sockets {
            port_exhaustion: exhausted,
            ..row
        }
    });
    let mut rows: Vec<Sockets> = rows.collect();
    rows.sort_by(|one, other| {
        let weight = |it: &Sockets| (it.used_peak, it.connections);
        let place = |it: &Sockets| (it.client, it.server);
        let by_weight = weight(other).cmp(&weight(one));
        by_weight.then_with(|| place(one).cmp(&place(other)))
    });
    rows
}

type PortUseMap<K, V> = HashMap<K, V, foldhash::fast::FixedState>;

/// The port uses of one client towards one server.
struct PortUses<'a> {
    client: IpAddr,
    server: Endpoint,
    ports: PortsSeen,
    all: Vec<PortUse>,
    connections: Vec<&'a ConnectionSummary>,
}

impl PortUses<'_> {
    const fn new(client: IpAddr, server: Endpoint) -> Self {
        Self {
            client,
            server,
            ports: PortsSeen::NONE,
            all: Vec::new(),
            connections: Vec::new(),
        }
    }

    /// Computes the uses again, with other settings.
    fn measure(&mut self, settings: &HostSettings, end: Timestamp) {
        let mut latest: PortUseMap<u16, usize> = PortUseMap::default();
        self.all.clear();
        for connection in &self.connections {
            if let Some(before) = latest.insert(connection.client.port, self.all.len()) {
                self.all[before].cut(connection.first.time);
            }
            self.all.push(PortUse::new(connection, settings, end));
        }
    }
}

/// One use of a client port.
#[derive(Clone, Copy)]
struct PortUse {
    begins: Timestamp,
    ends: Timestamp,
    time_wait: Option<Timestamp>,
}

impl PortUse {
    fn new(connection: &ConnectionSummary, settings: &HostSettings, end: Timestamp) -> Self {
        let time_wait = connection.client_time_wait.map(|frame_ref| frame_ref.time);
        let standing = connection.client_state;
        let ends = match (time_wait, standing) {
            (Some(since), _) => since.after(settings.time_wait),
            // The capture does not show when a client stops retrying; its last segment is taken for the end.
            (None, Standing::Unseen | Standing::In(State::Closed | State::SynSent)) => {
                connection.last
            }
            (None, _) => end.max(connection.last),
        };
        let begins = connection.first.time;
        Self {
            begins,
            ends: ends.max(begins.after(MOMENT)),
            time_wait,
        }
    }

    /// Ends the use at `at`, unless it has ended before.
    fn cut(&mut self, at: Timestamp) {
        self.ends = self.ends.min(at).max(self.begins.after(MOMENT));
        self.time_wait = self.time_wait.filter(|since| *since < self.ends);
    }
}

fn row(
    uses: &PortUses<'_>,
    (range, basis): ((u16, u16), RangeBasis),
    settings: &HostSettings,
    end: Timestamp,
) -> Sockets {
    let size = u64::from(range.1.saturating_sub(range.0)) + 1;
    let all = || uses.all.iter();
    let ports = ConcurrentCount::of(
        all().map(|it| it.begins).collect(),
        all().map(|it| it.ends).collect(),
        size,
        end,
    );
    let waiting = || all().filter_map(|it| Some((it.time_wait?, it.ends)));
    let entered: Vec<_> = waiting().map(|(since, _)| since).collect();
    let time_waits = ConcurrentCount::of(
        entered,
        waiting().map(|(_, ends)| ends).collect(),
        size,
        end,
    );
    // An observed range cannot run out, because its bounds are not known.
    let runs_out_at = match basis {
        RangeBasis::Observed => None,
        RangeBasis::Told | RangeBasis::Default => ports
            .full_at
            .or_else(|| runs_out(&time_waits.begins, size, settings)),
    };
    let (ports_low, ports_high) = uses.ports.bounds();
    Sockets {
        client: uses.client,
        server: uses.server,
        connections: uses.all.len() as u64,
        time_wait_now: time_waits.now,
        time_wait_peak: time_waits.peak,
        peak_at: time_waits.peak_at,
        used_peak: ports.peak,
        ports_low,
        ports_high,
        range,
        basis,
        rate: rate(&uses.all),
        runs_out_at,
        port_exhaustion: None,
    }
}

fn rate(uses: &[PortUse]) -> Option<f64> {
    let (first, last) = (uses.first()?, uses.last()?);
    let span = last.begins.since(first.begins).as_secs_f64();
    (span > 0.0).then(|| (uses.len() - 1) as f64 / span)
}

/// How many uses overlap in time.
struct ConcurrentCount {
    /// When each began, in order.
    begins: Vec<Timestamp>,
    now: u64,
    peak: u64,
    peak_at: Option<Timestamp>,
    /// When the count first reached the size of the range.
    full_at: Option<Timestamp>,
}

impl ConcurrentCount {
    /// Sweeps over beginnings and ends up to `end`. At equal times, ends come first. Both lists are nearly sorted
    /// already, which the stable sort exploits.
    fn of(mut begins: Vec<Timestamp>, mut ends: Vec<Timestamp>, size: u64, end: Timestamp) -> Self {
        begins.sort();
        ends.sort();
        let (mut now, mut peak, mut peak_at, mut full_at) = (0u64, 0, None, None);
        let mut over = ends.iter().copied().peekable();
        for begin in begins.iter().copied().take_while(|begin| *begin <= end) {
            while over.next_if(|at| *at <= begin).is_some() {
                now = now.saturating_sub(1);
            }
            now += 1;
            if now > peak {
                (peak, peak_at) = (now, Some(begin));
            }
            if now >= size && full_at.is_none() {
                full_at = Some(begin);
            }
        }
        while over.next_if(|at| *at <= end).is_some() {
            now = now.saturating_sub(1);
        }
        Self {
            begins,
            now,
            peak,
            peak_at,
            full_at,
        }
    }
}

/// When the range will be used up, if sockets continue to enter TIME-WAIT as steadily as they have, and faster than
/// they leave it.
fn runs_out(entered: &[Timestamp], size: u64, settings: &HostSettings) -> Option<Timestamp> {
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
    use crate::base::frame_ref::{FrameNumber, FrameRef};
    use crate::report::snapshot::sample;

    const TIME_WAIT: Duration = Duration::from_secs(60);

    /// A connection from `port` with these times in seconds, with or without a TIME-WAIT at the client.
    fn connection(port: u16, begins: f64, ends: f64, time_wait: bool) -> ConnectionSummary {
        let frame_ref = |seconds: f64| FrameRef {
            frame: FrameNumber(1),
            time: Timestamp::default().after(Duration::from_secs_f64(seconds)),
        };
        let mut connection = sample::connection();
        connection.client.port = port;
        connection.first = frame_ref(begins);
        connection.last = frame_ref(ends);
        let state = if time_wait {
            State::TimeWait
        } else {
            State::Closed
        };
        connection.states = [Standing::In(state); 2];
        connection.time_wait = [time_wait.then(|| frame_ref(ends)), None];
        ConnectionSummary::from(&connection)
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp::default().after(Duration::from_secs(seconds))
    }

    fn only(connections: &[ConnectionSummary], range: Option<(u16, u16)>, end: u64) -> Sockets {
        let settings = HostSettings {
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
    fn uses_at_one_moment_do_not_pile_up() {
        let all: Vec<_> = (0..5).map(|_| connection(40_000, 1.0, 1.0, true)).collect();
        let row = only(&all, None, 100);
        assert_eq!((row.time_wait_now, row.connections), (0, 5));
    }

    #[test]
    fn open_sockets_take_a_port_to_the_end() {
        let mut open = connection(40_000, 0.0, 1.0, false);
        open.client_state = Standing::In(State::Established);
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
        let settings = HostSettings {
            time_wait: TIME_WAIT,
            range: None,
        };
        let rows = sockets(&all, &settings, at(2));
        let used: Vec<_> = rows.iter().map(|row| row.used_peak).collect();
        assert_eq!(used, [2, 1]);
        assert!(sockets(&[], &settings, at(2)).is_empty());
    }
}
