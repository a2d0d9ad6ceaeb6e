//! TIME-WAITs and used ports over time, as a bounded number of points to draw.
//!
//! In: the connection summaries, and how long a TIME-WAIT lasts. Out: a [`TimeSeries`] of one client towards one
//! server, or of one host with all others, as client and as server. A point holds the maximum within its step, so that
//! no peak is lost however coarse the steps are. A TIME-WAIT ends when its time is over, or when a new connection takes
//! its pair of ports (RFC 6191). A server's TIME-WAIT is counted from the last segment of its connection, which started
//! or restarted it (RFC 9293 §3.10.7.4).

use std::hash::Hash;
use std::net::IpAddr;
use std::time::Duration;

use hashbrown::HashMap;

use crate::analysis::connection::ConnectionSummary;
use crate::base::net::Endpoint;
use crate::base::time::Timestamp;

/// The most points of a series: as many as a wide terminal has columns.
pub(crate) const MAX_POINTS: usize = 240;

/// One step of a series.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TimeStep {
    /// The most TIME-WAITs held at once.
    pub time_wait: u32,
    /// The most ports open or in TIME-WAIT at once.
    pub used: u32,
    /// Connections opened.
    pub opened: u32,
}

/// A series of steps of equal length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeSeries {
    /// When the first step begins.
    pub start: Timestamp,
    /// The length of each step.
    pub step: Duration,
    /// The steps, at most `MAX_POINTS`.
    pub points: Vec<TimeStep>,
    /// TIME-WAITs held when the last step ends.
    pub time_wait_now: u32,
}

impl TimeSeries {
    /// The most TIME-WAITs held at once.
    #[must_use]
    pub fn time_wait_peak(&self) -> u32 {
        self.points.iter().map(|it| it.time_wait).max().unwrap_or(0)
    }

    /// When step `step` begins.
    #[must_use]
    pub fn at(&self, step: usize) -> Timestamp {
        let steps = u32::try_from(step).unwrap_or(u32::MAX);
        self.start.after(self.step.saturating_mul(steps))
    }
}

/// The series of one client towards one server.
#[must_use]
pub(crate) fn client_series(
    connections: &[ConnectionSummary],
    (client, server): (IpAddr, Endpoint),
    time_wait: Duration,
    (start, end): (Timestamp, Timestamp),
) -> TimeSeries {
    let own = connections
        .iter()
        .filter(|it| it.client.ip == client && it.server == server);
    let uses = own.map(|it| ConnectionSpan {
        of: it.client.port,
        first: it.first.time,
        last: it.last,
        wait: client_wait(it),
    });
    sweep(uses, time_wait, (start, end))
}

/// When the client's TIME-WAIT began.
pub(super) fn client_wait(summary: &ConnectionSummary) -> Option<Timestamp> {
    summary.client_time_wait.map(|frame_ref| frame_ref.time)
}

/// When the server's TIME-WAIT began.
pub(super) fn server_wait(summary: &ConnectionSummary) -> Option<Timestamp> {
    summary.server_time_wait.then_some(summary.last)
}

/// The time that one connection occupies its ports.
struct ConnectionSpan<K> {
    /// Its ports, and addresses where they differ: no two connections share them at one time.
    of: K,
    first: Timestamp,
    last: Timestamp,
    /// When its TIME-WAIT began.
    wait: Option<Timestamp>,
}

/// The beginning or end of a use or a TIME-WAIT.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Edge {
    // At equal times, ends come first.
    WaitEnds,
    UseEnds,
    UseBegins,
    WaitBegins,
}

/// Computes the series; `uses` must be in order of their beginnings.
fn sweep<K: Hash + Eq>(
    uses: impl Iterator<Item = ConnectionSpan<K>>,
    time_wait: Duration,
    (start, end): (Timestamp, Timestamp),
) -> TimeSeries {
    let mut steps: Vec<(Timestamp, Edge)> = Vec::new();
    let mut waiting: HashMap<K, Timestamp, foldhash::fast::FixedState> = HashMap::default();
    let close = |steps: &mut Vec<(Timestamp, Edge)>, since: Timestamp, until: Timestamp| {
        // An end sorts before a beginning at the same time, and would not cancel it.
        if since < until {
            steps.push((since, Edge::WaitBegins));
            steps.push((until, Edge::WaitEnds));
        }
        steps.push((until, Edge::UseEnds));
    };
    for it in uses {
        if let Some(since) = waiting.remove(&it.of) {
            // If two uses of the same ports overlap, the first is taken to end where the second begins.
            let until = since.after(time_wait).min(it.first).max(since);
            close(&mut steps, since, until);
        }
        steps.push((it.first, Edge::UseBegins));
        match it.wait {
            Some(since) => drop(waiting.insert(it.of, since)),
            None => {
                let over = it.last.max(it.first.after(Duration::from_nanos(1)));
                steps.push((over, Edge::UseEnds));
            }
        }
    }
    for since in waiting.into_values() {
        close(&mut steps, since, since.after(time_wait));
    }
    steps.sort_unstable();
    let step = step_of(end.since(start));
    let count = usize::try_from(end.since(start).as_nanos() / step.as_nanos().max(1))
        .map_or(MAX_POINTS, |it| (it + 1).min(MAX_POINTS));
    let mut points = vec![TimeStep::default(); count];
    let (mut waits, mut used) = (0u32, 0u32);
    let mut rest = steps.into_iter().peekable();
    for (number, point) in (1u32..).zip(&mut points) {
        let last = number as usize == count;
        let until = start.after(step.saturating_mul(number));
        // What holds when the step begins holds within it.
        (point.time_wait, point.used) = (waits, used);
        while let Some((_, what)) =
            rest.next_if(|(at, _)| if last { *at <= end } else { *at < until })
        {
            match what {
                Edge::WaitEnds => waits = waits.saturating_sub(1),
                Edge::UseEnds => used = used.saturating_sub(1),
                Edge::WaitBegins => waits += 1,
                Edge::UseBegins => {
                    used += 1;
                    point.opened += 1;
                }
            }
            point.time_wait = point.time_wait.max(waits);
            point.used = point.used.max(used);
        }
    }
    TimeSeries {
        start,
        step,
        points,
        time_wait_now: waits,
    }
}

/// The shortest step of a readable length (1, 2 or 5 times a power of ten) that needs at most `MAX_POINTS` points.
fn step_of(span: Duration) -> Duration {
    let mut unit = Duration::from_micros(1);
    loop {
        for times in [1, 2, 5] {
            let step = unit.saturating_mul(times);
            if span.as_nanos() / step.as_nanos().max(1) < MAX_POINTS as u128 {
                return step;
            }
        }
        unit = unit.saturating_mul(10);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::base::frame_ref::{FrameNumber, FrameRef};
    use crate::report::snapshot::sample;

    fn at(millis: u64) -> Timestamp {
        Timestamp::default().after(Duration::from_millis(millis))
    }

    /// A connection from this port with these times in milliseconds; `holder` 0 gives the client a TIME-WAIT, 1 the
    /// server.
    fn connection(port: u16, begins: u64, ends: u64, holder: usize) -> ConnectionSummary {
        let frame_ref = |millis| FrameRef {
            frame: FrameNumber(1),
            time: at(millis),
        };
        let mut connection = sample::connection();
        connection.client.port = port;
        (connection.first, connection.last) = (frame_ref(begins), frame_ref(ends));
        connection.time_wait = [None; 2];
        if let Some(slot) = connection.time_wait.get_mut(holder) {
            *slot = Some(frame_ref(ends));
        }
        ConnectionSummary::from(&connection)
    }

    const MINUTE: Duration = Duration::from_secs(60);

    fn pair(summary: &ConnectionSummary) -> (IpAddr, Endpoint) {
        (summary.client.ip, summary.server)
    }

    #[test]
    fn time_waits_rise_and_fall() {
        let all: Vec<_> = (0..10)
            .map(|n| connection(n as u16, n * 1000, n * 1000 + 500, 0))
            .collect();
        let series = client_series(&all, pair(&all[0]), MINUTE, (at(0), at(80_000)));
        assert_eq!(
            (series.step, series.points.len()),
            (Duration::from_millis(500), 161)
        );
        assert_eq!((series.time_wait_peak(), series.time_wait_now), (10, 0));
        // The fifth TIME-WAIT begins at 4.5 s, the first ends at 60.5 s, the last at 69.5 s.
        for (step, wanted) in [
            (0, 0),
            (1, 1),
            (9, 5),
            (30, 10),
            (120, 10),
            (122, 9),
            (140, 0),
        ] {
            assert_eq!(
                series.points[step].time_wait,
                wanted,
                "{step}: {:?}",
                series.at(step)
            );
        }
        assert_eq!(series.points.iter().map(|it| it.opened).sum::<u32>(), 10);
    }

    #[test]
    fn a_servers_time_wait_takes_no_port() {
        let all = [
            connection(1, 0, 100, 0),
            connection(2, 50, 200, 1),
            connection(3, 60, 300, 2),
        ];
        let client = client_series(&all, pair(&all[0]), MINUTE, (at(0), at(1000)));
        assert_eq!(
            client.time_wait_now, 1,
            "the server's takes no port of the client's"
        );
        assert_eq!(client.points.last().expect("points").used, 1);
    }

    #[test]
    fn a_port_that_is_used_again_leaves_its_time_wait() {
        let all = [
            connection(1, 0, 100, 0),
            connection(1, 200, 300, 0),
            connection(1, 350, 400, 2),
        ];
        let series = client_series(&all, pair(&all[0]), MINUTE, (at(0), at(480)));
        assert_eq!(series.step, Duration::from_millis(5));
        let waits: Vec<_> = series.points.iter().map(|it| it.time_wait).collect();
        for (step, wanted) in [
            (19, 0),
            (20, 1),
            (39, 1),
            (41, 0),
            (60, 1),
            (71, 0),
            (96, 0),
        ] {
            assert_eq!(waits[step], wanted, "{step}: {waits:?}");
        }
        assert!(series.points.iter().all(|it| it.used <= 1));
        assert_eq!(series.points[96].used, 0);
    }

    #[test]
    fn nothing_is_a_flat_line() {
        let series = client_series(&[], pair(&connection(1, 0, 1, 0)), MINUTE, (at(5), at(5)));
        assert_eq!(series.points, [TimeStep::default()]);
    }

    proptest! {
        #[test]
        fn points_are_few_and_lose_no_peak(
            uses in proptest::collection::vec((0u64..500_000, 0u64..5000), 1..60),
            end in 0u64..10_000_000_000,
        ) {
            let all: Vec<_> = (1..).zip(&uses).map(|(port, (begins, lasts))| connection(port, *begins, begins + lasts, 0)).collect();
            let series = client_series(&all, pair(&all[0]), MINUTE, (at(0), at(end)));
            prop_assert!(series.points.len() <= MAX_POINTS && !series.points.is_empty());
            // Counted independently at the moment each begins.
            let held = |moment: Timestamp| all.iter().filter_map(client_wait)
                .filter(|since| *since <= moment && moment < since.after(MINUTE)).count();
            let moments = all.iter().filter_map(client_wait).filter(|since| *since <= at(end));
            let peak = moments.map(held).max().unwrap_or(0);
            prop_assert_eq!(series.time_wait_peak() as usize, peak);
            prop_assert_eq!(series.time_wait_now as usize, held(at(end)));
            let opened: u32 = series.points.iter().map(|it| it.opened).sum();
            prop_assert_eq!(opened as usize, uses.iter().filter(|(begins, _)| *begins <= end).count());
        }
    }
}
