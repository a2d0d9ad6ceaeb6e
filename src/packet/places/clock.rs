//! How far the clock of one place is ahead of another's.
//!
//! A segment is seen at both places; the difference of its times is the offset of the clocks plus the time on the way, or
//! minus it in the other direction. So half the sum of both directions is the offset, wrong by no more than the round trip
//! between the places, and half the difference is the time on the way (RFC 5905 §8). Medians keep single delays out.

use std::time::Duration;

/// One segment at both places.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    /// When the first place saw it, in nanoseconds.
    pub(super) time: i64,
    /// How much later the other place saw it, each by its own clock.
    pub(super) later: i64,
    /// The flow, and which of its two directions.
    pub(super) flow: u64,
    pub(super) forward: bool,
}

impl Sample {
    /// The same, as seen from the other place.
    pub(super) const fn turned(self) -> Self {
        Self {
            time: self.time + self.later,
            later: -self.later,
            ..self
        }
    }
}

/// The clock of a place, compared with that of the first one.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ClockEstimate {
    /// Nanoseconds by which it is ahead at `at`.
    pub offset: i64,
    /// How much it gains, in parts of a million; 0 if that is less than can be told.
    pub drift_ppm: f64,
    /// The time, by its own clock, at which the offset is `offset`.
    pub at: i64,
    /// The round trip between the places: the offset is wrong by no more than this. `None` if only one direction was seen.
    pub round_trip: Option<Duration>,
}

/// A drift is told from here on: quartz clocks are better than 1 ppm hardly ever, and worse than 1000 ppm never.
const LEAST_DRIFT: f64 = 2e-6;
const MOST_DRIFT: f64 = 1e-3;
/// The shortest time over which a drift is looked for.
const LEAST_SPAN: i64 = 1_000_000_000;
/// Pairs of samples from which the drift is taken.
const PAIRS: usize = 2000;

impl ClockEstimate {
    /// The estimate from segments seen at both places; `None` without any.
    pub(super) fn of(samples: &[Sample]) -> Option<Self> {
        let origin = *samples.iter().min_by_key(|it| it.time)?;
        let drift = drift(samples, origin.later);
        let straight: Vec<Sample> = samples
            .iter()
            .map(|it| Sample {
                later: it.later - scaled(it.time - origin.time, drift),
                ..*it
            })
            .collect();
        let (offset, round_trip) = offset(&straight)?;
        Some(Self {
            offset,
            drift_ppm: drift * 1e6,
            at: origin.time + offset,
            round_trip: round_trip.map(|it| Duration::from_nanos(it.unsigned_abs())),
        })
    }

    /// A time of this place by the clock of the first one.
    pub(super) fn to_first(self, time: i64) -> i64 {
        let gained = match self.drift_ppm {
            0.0 => 0,
            ppm => scaled(time.saturating_sub(self.at), ppm * 1e-6),
        };
        time.saturating_sub(self.offset).saturating_sub(gained)
    }
}

fn scaled(span: i64, by: f64) -> i64 {
    (span as f64 * by).round() as i64
}

/// Offset and round trip: the median over flows of half the sum, and of the difference, of both directions.
fn offset(samples: &[Sample]) -> Option<(i64, Option<i64>)> {
    let mut sorted: Vec<&Sample> = samples.iter().collect();
    sorted.sort_by_key(|it| (it.flow, it.forward, it.later));
    let mut both = Vec::new();
    for flow in sorted.chunk_by(|a, b| a.flow == b.flow) {
        let split = flow.partition_point(|it| !it.forward);
        let (back, there) = flow.split_at(split);
        if let (Some(back), Some(there)) = (middle(back), middle(there)) {
            let half = (there - back) / 2;
            both.push((back + half, (there - back).abs()));
        }
    }
    if both.is_empty() {
        let mut all: Vec<i64> = samples.iter().map(|it| it.later).collect();
        return Some((median(&mut all)?, None));
    }
    let mut offsets: Vec<i64> = both.iter().map(|it| it.0).collect();
    let mut trips: Vec<i64> = both.iter().map(|it| it.1).collect();
    Some((median(&mut offsets)?, median(&mut trips)))
}

fn middle(sorted: &[&Sample]) -> Option<i64> {
    Some(sorted.get(sorted.len() / 2)?.later)
}

pub(super) fn median(values: &mut [i64]) -> Option<i64> {
    values.sort_unstable();
    values.get(values.len() / 2).copied()
}

/// The median slope between samples that lie far apart (Theil and Sen), if it is more than the spread could feign.
fn drift(samples: &[Sample], origin: i64) -> f64 {
    let mut slopes = Vec::new();
    let mut span = 0;
    for forward in [false, true] {
        let mut own: Vec<(i64, i64)> = samples
            .iter()
            .filter(|it| it.forward == forward)
            .map(|it| (it.time, it.later - origin))
            .collect();
        own.sort_unstable();
        let half = own.len() / 2;
        let step = (half / (PAIRS / 2)).max(1);
        for index in (0..half).step_by(step) {
            let (early, late) = (own[index], own[index + own.len() - half]);
            let apart = late.0 - early.0;
            if apart >= LEAST_SPAN {
                slopes.push((late.1 - early.1) as f64 / apart as f64);
                span = span.max(apart);
            }
        }
    }
    if slopes.len() < 3 {
        return 0.0;
    }
    slopes.sort_by(f64::total_cmp);
    let slope = slopes[slopes.len() / 2];
    // The middle half of the slopes must agree.
    let spread = slopes[slopes.len() * 3 / 4] - slopes[slopes.len() / 4];
    let told =
        slope.abs() >= LEAST_DRIFT && slope.abs() <= MOST_DRIFT && spread <= slope.abs() / 2.0;
    if told { slope } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A segment each 10 ms in turn, with a way of 3 ms and a clock that is `offset` ahead and gains `ppm`.
    fn samples(count: i64, offset: i64, ppm: i64) -> Vec<Sample> {
        (0..count)
            .map(|index| {
                let time = index * 10_000_000;
                let way = if index % 2 == 0 {
                    3_000_000
                } else {
                    -3_000_000
                };
                Sample {
                    time,
                    later: offset + way + time / 1_000_000 * ppm,
                    flow: 7,
                    forward: index % 2 == 0,
                }
            })
            .collect()
    }

    #[test]
    fn an_offset_is_found_whatever_the_way_takes() {
        for offset in [0, 20_000_000, -1_500_000_000, 3_600_000_000_000] {
            let clock = ClockEstimate::of(&samples(20, offset, 0)).expect("samples");
            assert_eq!(clock.offset, offset);
            assert_eq!(clock.round_trip, Some(Duration::from_millis(6)));
            assert_eq!(clock.to_first(offset + 5), 5);
        }
    }

    #[test]
    fn a_drift_is_found_where_it_is_more_than_the_spread() {
        let clock = ClockEstimate::of(&samples(2000, 0, 100)).expect("samples");
        assert!((clock.drift_ppm - 100.0).abs() < 1.0, "{clock:?}");
        assert_eq!(
            ClockEstimate::of(&samples(20, 0, 100)).map(|it| it.drift_ppm),
            Some(0.0)
        );
    }

    #[test]
    fn one_direction_alone_leaves_the_round_trip_open() {
        let one: Vec<_> = samples(20, 0, 0)
            .into_iter()
            .filter(|it| it.forward)
            .collect();
        let clock = ClockEstimate::of(&one).expect("samples");
        assert_eq!((clock.offset, clock.round_trip), (3_000_000, None));
        assert_eq!(ClockEstimate::of(&[]), None);
    }
}
