//! Port exhaustion, detected from what is missing: a connect that fails for lack of a port sends no packet.
//!
//! It leaves a saw-tooth. A client takes port after port until it has used every port of its range. Then it is silent,
//! although nothing else has changed, and continues only as fast as the TIME-WAITs of the first ports end, on exactly
//! the ports that become free. In: the connections of one client with one server. Out: [`PortExhaustion`], or nothing.
//! A client that has finished its work is silent as well, but does not resume when the TIME-WAITs end; one that works
//! steadily reuses its ports as well, but not more slowly than before.

use std::time::Duration;

use hashbrown::HashMap;

use super::Measured;
use crate::analysis::connection::ConnectionSummary;
use crate::base::time::Timestamp;

/// A client that ran out of ports.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PortExhaustion {
    /// When it took the last port of its range.
    pub since: Timestamp,
    /// How long it then opened no connection.
    pub silence: Duration,
    /// Connections per second until then.
    pub rate_before: f64,
    /// Connections per second from then on, the silence included.
    pub rate_after: f64,
    /// The time from the close of a connection to the reuse of its port: the TIME-WAIT, as measured.
    pub time_wait: Measured,
}

/// Fewer ports are a pool, not a range.
const LEAST_PORTS: usize = 100;
/// Share of the ports between the lowest and the highest that must have been used: systems that pick at random leave
/// some out.
const COVER: f64 = 0.95;
/// Connections after the silence that are needed to measure the new rate.
const LEAST_AFTER: usize = 10;
/// The factor from which on a lower rate is a collapse and no fluctuation.
const COLLAPSE: f64 = 2.0;
/// The shortest TIME-WAIT that can be configured on any system (Windows `TcpTimedWaitDelay`).
const SHORTEST_WAIT: Duration = Duration::from_secs(30);
/// Relative width within which the reuse intervals of the ports must lie: ports become free one after another and are
/// taken at once.
const ALIKE: f64 = 0.15;

/// Detects that this client ran out of ports towards this server. `connections` are in order of first frame; `range` is
/// the client's range of ephemeral ports, if known for certain.
#[must_use]
pub(crate) fn port_exhaustion(
    connections: &[&ConnectionSummary],
    range: Option<(u16, u16)>,
) -> Option<PortExhaustion> {
    let mut waiting: HashMap<u16, Timestamp, foldhash::fast::FixedState> = HashMap::default();
    let mut pauses = Vec::new();
    let mut full = None;
    let (low, high) = range.or_else(|| bounds(connections))?;
    let wanted = (usize::from(high.saturating_sub(low)) + 1) as f64 * COVER;
    for (index, it) in connections.iter().enumerate() {
        let port = it.client.port;
        let closed = it
            .client_time_wait
            .map_or(it.last, |frame_ref| frame_ref.time);
        if let Some(before) = waiting.insert(port, closed) {
            pauses.push(it.first.time.since(before));
            // The first connection on a port has no predecessor.
            full.get_or_insert(index.saturating_sub(1));
        }
    }
    if waiting.len() < LEAST_PORTS || (waiting.len() as f64) < wanted {
        return None;
    }
    // The last port was taken just before the first reuse.
    let full = full?;
    let (before, after) = connections.split_at_checked(full + 1)?;
    let taken_before = before.len() as f64 >= wanted;
    let waited = before.iter().filter(|it| it.client_time_wait.is_some());
    if !taken_before || after.len() < LEAST_AFTER || waited.count() * 2 < before.len() {
        return None;
    }
    let (first, since) = (before.first()?.first.time, before.last()?.first.time);
    let rate_before = (before.len() - 1) as f64 / seconds(since.since(first));
    let last = after.last()?.first.time;
    let rate_after = after.len() as f64 / seconds(last.since(since));
    let time_wait = Measured::cluster(pauses.clone(), ALIKE, Duration::ZERO)?;
    let alike = time_wait.count * 10 >= pauses.len() * 8;
    let long_enough = time_wait.median >= SHORTEST_WAIT;
    (rate_after * COLLAPSE <= rate_before && alike && long_enough).then(|| PortExhaustion {
        since,
        silence: after[0].first.time.since(since),
        rate_before,
        rate_after,
        time_wait,
    })
}

fn bounds(connections: &[&ConnectionSummary]) -> Option<(u16, u16)> {
    let ports = || connections.iter().map(|it| it.client.port);
    Some((ports().min()?, ports().max()?))
}

fn seconds(span: Duration) -> f64 {
    span.as_secs_f64().max(1e-9)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::frame_ref::{FrameNumber, FrameRef};
    use crate::report::snapshot::sample;

    fn connection(port: u16, millis: u64) -> ConnectionSummary {
        let frame_ref = |millis| FrameRef {
            frame: FrameNumber(1),
            time: Timestamp::default().after(Duration::from_millis(millis)),
        };
        let mut connection = sample::connection();
        connection.client.port = port;
        (connection.first, connection.last) = (frame_ref(millis), frame_ref(millis + 5));
        connection.time_wait = [Some(frame_ref(millis + 5)), None];
        ConnectionSummary::from(&connection)
    }

    fn judge(all: &[ConnectionSummary], range: Option<(u16, u16)>) -> Option<PortExhaustion> {
        port_exhaustion(&all.iter().collect::<Vec<_>>(), range)
    }

    /// 500 ports in five seconds, then a TIME-WAIT, then the same ports again as they become free.
    fn saw_tooth(rounds: u64, wait: u64) -> Vec<ConnectionSummary> {
        let round = |n: u64| {
            (0..500).map(move |port| connection(40_000 + port as u16, n * wait + port * 10))
        };
        (0..rounds).flat_map(round).collect()
    }

    #[test]
    fn a_saw_tooth_is_a_range_that_ran_out() {
        for (wait, seconds) in [(60_010, 60), (120_100, 120), (240_100, 240)] {
            let found = judge(&saw_tooth(3, wait), None).expect("it is one");
            assert_eq!(found.time_wait.median.as_secs(), seconds, "{found:?}");
            assert!((99.0..101.0).contains(&found.rate_before), "{found:?}");
            assert!(found.rate_after < 20.0, "{found:?}");
            assert_eq!(found.silence, Duration::from_millis(wait - 4990));
        }
    }

    #[test]
    fn ports_at_random_that_run_out_are_one_too() {
        // 487 of 500 ports in a pseudo-random order, then again in the order in which they become free.
        let port = |n: u64| 40_000 + (n * 211 % 500) as u16;
        let round = |start: u64| (0..487).map(move |n| connection(port(n), start + n * 10));
        let all: Vec<_> = round(0).chain(round(60_100)).collect();
        assert!(judge(&all, None).is_some());
        assert!(judge(&all, Some((40_000, 40_499))).is_some());
        assert!(
            judge(&all, Some((32_768, 60_999))).is_none(),
            "the range is known to be wider"
        );
    }

    #[test]
    fn whoever_is_done_is_not_starved() {
        assert_eq!(judge(&saw_tooth(1, 60_000), None), None);
        let mut some_more = saw_tooth(1, 60_000);
        some_more.extend((0..5).map(|n| connection(40_000 + n, 70_000 + u64::from(n))));
        assert_eq!(judge(&some_more, None), None, "too few to tell");
    }

    #[test]
    fn steady_work_comes_round_to_its_ports_as_well() {
        // 500 ports, 7 connections a second: each port is reused after 71 s, and none was ever unavailable.
        let all: Vec<_> = (0..3000u64)
            .map(|n| connection(40_000 + (n % 500) as u16, n * 142))
            .collect();
        assert_eq!(judge(&all, None), None);
    }

    #[test]
    fn ports_that_are_used_again_at_once_were_never_short() {
        let round = |start: u64, step: u64| {
            (0..200u64).map(move |n| connection(40_000 + n as u16, start + n * step))
        };
        let all: Vec<_> = round(0, 5).chain(round(1100, 50)).collect();
        assert_eq!(judge(&all, None), None, "a second is no TIME-WAIT");
    }

    #[test]
    fn a_pause_of_any_length_is_no_saw_tooth_when_ports_are_left() {
        // Half an hour later the same client continues, on other ports.
        let all: Vec<_> = (0..300u64)
            .map(|n| {
                connection(
                    40_000 + n as u16,
                    n * 10 + if n < 150 { 0 } else { 1_800_000 },
                )
            })
            .collect();
        assert_eq!(judge(&all, None), None);
    }
}
