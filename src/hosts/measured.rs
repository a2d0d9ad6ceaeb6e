//! A time that was measured several times: how many, the middle one, and how far they lie apart.

use std::time::Duration;

/// What measurements of the same thing have in common.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measured {
    /// How many there are.
    pub count: usize,
    /// The middle one.
    pub median: Duration,
    /// The shortest and the longest.
    pub range: (Duration, Duration),
}

impl Measured {
    /// Of these times, if there are any.
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

    /// The densest group among these times: the most that lie within `share` of their middle, `floor` at the least.
    #[must_use]
    pub fn cluster(mut times: Vec<Duration>, share: f64, floor: Duration) -> Option<Self> {
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

    /// How far the outermost lie apart, as a share of the middle one.
    #[must_use]
    pub fn spread(&self) -> f64 {
        let apart = self.range.1.saturating_sub(self.range.0);
        apart.as_secs_f64() / self.median.as_secs_f64().max(f64::MIN_POSITIVE)
    }
}

/// The period in which something happens, if it has one. `at` in order. A beat may be missed, and each may come a
/// little early or late, but most lie one period after the one before.
#[must_use]
pub fn period(at: &[crate::time::Timestamp], share: f64) -> Option<Measured> {
    let gaps: Vec<Duration> = at.windows(2).map(|pair| pair[1].since(pair[0])).collect();
    let beat = Measured::cluster(gaps.clone(), share, Duration::ZERO)?;
    let fits = |gap: &Duration| {
        let beats = gap.as_secs_f64() / beat.median.as_secs_f64().max(f64::MIN_POSITIVE);
        // Missed beats: as many periods more, each with its own jitter.
        let whole = beats.round();
        (1.0..=10.0).contains(&whole) && (beats - whole).abs() <= 2.0 * share * whole
    };
    let fit = gaps.iter().filter(|gap| fits(gap)).count();
    (beat.count * 2 >= gaps.len() && fit * 10 >= gaps.len() * 9).then_some(beat)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

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
            let got = period(&times, 0.1).map(|beat| beat.median.as_secs() / 60);
            assert_eq!(got, wanted, "{times:?}");
        }
        assert_eq!(
            period(&at(&[0, 10, 21, 30, 41]), 0.1)
                .unwrap()
                .median
                .as_secs(),
            10
        );
    }
}
