//! A time that was measured several times: the count, the median and the range.

use std::time::Duration;

use crate::base::time::Timestamp;

/// Statistics over measurements of the same thing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measured {
    /// The number of measurements.
    pub count: usize,
    /// The median.
    pub median: Duration,
    /// The minimum and the maximum.
    pub range: (Duration, Duration),
}

impl Measured {
    /// The statistics over these times; `None` if there are none.
    #[must_use]
    pub fn of(mut times: Vec<Duration>) -> Option<Self> {
        times.sort_unstable();
        let (first, last) = (*times.first()?, *times.last()?);
        Some(Self {
            count: times.len(),
            median: (times[(times.len() - 1) / 2] + times[times.len() / 2]) / 2,
            range: (first, last),
        })
    }

    /// The densest group among these times: the most that lie within `share` of their middle, or within `floor` if that
    /// is more.
    #[must_use]
    pub(crate) fn cluster(mut times: Vec<Duration>, share: f64, floor: Duration) -> Option<Self> {
        times.sort_unstable();
        let mut best = 0..0;
        let mut low = 0;
        for high in 0..times.len() {
            let width =
                |low: usize| 2 * floor.max(times[high].mul_f64(share)) < times[high] - times[low];
            while width(low) {
                low += 1;
            }
            if high + 1 - low > best.len() {
                best = low..high + 1;
            }
        }
        Self::of(times.get(best)?.to_vec())
    }

    /// The width of the range as a fraction of the median.
    #[must_use]
    pub fn spread(&self) -> f64 {
        let apart = self.range.1.saturating_sub(self.range.0);
        apart.as_secs_f64() / self.median.as_secs_f64().max(f64::MIN_POSITIVE)
    }
}

/// An event that repeats at a steady interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Period {
    /// The interval from event to event, where none was missed.
    pub measured: Measured,
    /// The median deviation of an event from its expected time.
    pub jitter: Duration,
    /// Events that were expected and did not occur.
    pub missed: u32,
}

/// The most consecutive events that may be missed.
const MOST_MISSED: f64 = 9.0;

impl Period {
    /// The period of events at these times, in order, if they have one. Events may be missed, and each may be early or
    /// late by `share` of the period, but most follow their predecessor by one period.
    #[must_use]
    pub fn of(at: &[Timestamp], share: f64) -> Option<Self> {
        let gaps: Vec<Duration> = at.windows(2).map(|pair| pair[1].since(pair[0])).collect();
        let beat = Measured::cluster(gaps.clone(), share, Duration::ZERO)?;
        if beat.count * 2 < gaps.len() {
            return None;
        }
        let one = beat.median.as_secs_f64().max(f64::MIN_POSITIVE);
        let (mut off, mut missed) = (Vec::new(), 0.0);
        for gap in &gaps {
            let beats = gap.as_secs_f64() / one;
            // A gap with missed events spans several periods, each with its own jitter.
            let whole = beats.round();
            if (1.0..=MOST_MISSED + 1.0).contains(&whole)
                && (beats - whole).abs() <= 2.0 * share * whole
            {
                off.push(gap.abs_diff(beat.median.mul_f64(whole)));
                missed += whole - 1.0;
            }
        }
        let steady = off.len() * 10 >= gaps.len() * 9;
        steady.then(|| Self {
            measured: beat,
            jitter: Measured::of(off).map_or(Duration::ZERO, |it| it.median),
            missed: missed as u32,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(all: &[f64]) -> Vec<Duration> {
        all.iter().copied().map(Duration::from_secs_f64).collect()
    }

    #[test]
    fn the_densest_group_is_found_among_others() {
        let times = seconds(&[0.4, 30.0, 30.1, 29.9, 7.0, 30.2]);
        let cluster = Measured::cluster(times, 0.02, Duration::ZERO).unwrap();
        assert_eq!(
            (cluster.count, cluster.median),
            (4, Duration::from_millis(30_050))
        );
        assert!(cluster.spread() < 0.011, "{cluster:?}");
        assert_eq!(Measured::cluster(Vec::new(), 0.1, Duration::ZERO), None);
    }

    fn at(all: &[u64]) -> Vec<Timestamp> {
        let stamp = |seconds: &u64| Timestamp::default().after(Duration::from_secs(*seconds));
        all.iter().map(stamp).collect()
    }

    #[test]
    fn periods_may_miss_beats_and_jitter() {
        let minutes = |all: &[u64]| at(&all.iter().map(|it| it * 60).collect::<Vec<_>>());
        for (times, wanted) in [
            (minutes(&[0, 21, 42, 63]), Some(21)),
            (minutes(&[0, 21, 63, 84, 105]), Some(21)),
            (minutes(&[0, 1, 5, 33, 34]), None),
            (minutes(&[0]), None),
        ] {
            let got = Period::of(&times, 0.1).map(|it| it.measured.median.as_secs() / 60);
            assert_eq!(got, wanted, "{times:?}");
        }
        assert_eq!(
            Period::of(&at(&[0, 10, 21, 30, 41]), 0.1)
                .unwrap()
                .measured
                .median
                .as_secs(),
            10
        );
    }
}
