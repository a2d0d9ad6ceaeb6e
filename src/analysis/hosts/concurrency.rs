//! How many connections a client has open to a server at once, and for how long that number is at its maximum: a
//! connection limit shows as a number that is reached and held.

use crate::analysis::connection::ConnectionSummary;
use crate::base::time::Timestamp;
use std::time::Duration;

/// Connections open at the same time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Concurrency {
    /// The maximum.
    pub most: usize,
    /// The share of the time, from the first segment to the last, at the maximum; 0 to 1.
    pub at_most: f64,
    /// Length of that time in seconds.
    pub seconds: f64,
}

impl Concurrency {
    /// The concurrency of these connections, each open from its first segment to its last, or until it was idle before its
    /// close; `None` if there are none.
    #[must_use]
    pub fn of(connections: &[&ConnectionSummary]) -> Option<Self> {
        let mut steps: Vec<(Timestamp, i32)> = Vec::with_capacity(connections.len() * 2);
        for it in connections {
            steps.push((it.first.time, 1));
            let end = match it.idle {
                0 => it.last,
                idle => it.close.time.before(Duration::from_millis(idle.into())),
            };
            steps.push((end.max(it.first.time), -1));
        }
        steps.sort_unstable();
        let (begin, end) = (steps.first()?.0, steps.last()?.0);
        let seconds = end.since(begin).as_secs_f64();
        let mut now = 0;
        let most = steps.iter().map(|(_, step)| {
            now += step;
            now
        });
        // A connection of a single moment counts as open, too.
        let most = most.max()?.max(1);
        let (mut now, mut there, mut since) = (0, 0.0, begin);
        for (at, step) in steps {
            if now == most {
                there += at.since(since).as_secs_f64();
            }
            (now, since) = (now + step, at);
        }
        Some(Self {
            most: usize::try_from(most).ok()?,
            at_most: there / seconds.max(f64::MIN_POSITIVE),
            seconds,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::frame_ref::{FrameNumber, FrameRef};
    use crate::report::snapshot::sample;

    fn open(spans: &[(u64, u64)]) -> Option<Concurrency> {
        let summary = |(from, to): &(u64, u64)| {
            let frame_ref = |seconds| FrameRef {
                frame: FrameNumber(1),
                time: Timestamp::default().after(Duration::from_secs(seconds)),
            };
            let mut connection = sample::connection();
            (connection.first, connection.last) = (frame_ref(*from), frame_ref(*to));
            ConnectionSummary::from(&connection)
        };
        let all: Vec<ConnectionSummary> = spans.iter().map(summary).collect();
        Concurrency::of(&all.iter().collect::<Vec<_>>())
    }

    #[test]
    fn the_most_and_for_how_long() {
        let of = |spans: &[(u64, u64)]| {
            open(spans).map(|it| {
                (
                    it.most,
                    (it.at_most * 100.0).round() as u32,
                    it.seconds as u64,
                )
            })
        };
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[(0, 10)]), Some((1, 100, 10)));
        assert_eq!(of(&[(0, 10), (0, 10)]), Some((2, 100, 10)));
        assert_eq!(of(&[(0, 10), (5, 10)]), Some((2, 50, 10)));
        assert_eq!(of(&[(0, 4), (6, 10)]), Some((1, 80, 10)));
        assert_eq!(
            of(&[(0, 5), (5, 10)]),
            Some((1, 100, 10)),
            "what ends as another begins is not beside it"
        );
        assert_eq!(of(&[(3, 3)]), Some((1, 0, 0)), "a moment");
    }
}
