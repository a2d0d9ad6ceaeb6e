//! Where places lie on the way of a segment, and what became of it between them.
//!
//! A place lies behind another where hop limits are lower, and where segments come later than those of the other direction:
//! both hold without comparing clocks. A segment was lost between the last place that shows it and the next one, which
//! does not; a forged one comes from between the first place that shows it and the one before.

use std::time::Duration;

use crate::base::passage::Sight;

/// Places whose sightings fit into the bits of [`Seen`].
pub(super) use crate::base::passage::PLACES;

/// Times of two directions that differ by less than this are the same: both places may be one host.
pub(super) const SAME_TIME: i64 = 10_000;

/// A segment that took so much longer than others was held on the way.
pub(super) const HELD: Duration = Duration::from_millis(20);

/// Which places show a segment, a bit for each.
pub(super) type Seen = u8;

/// The bit of a place; none for one that is not told apart.
pub(super) fn bit(place: u32) -> Seen {
    match usize::try_from(place) {
        Ok(place) if place < PLACES => 1 << place,
        _ => 0,
    }
}

/// Where a place lies on the way of one end's segments, compared with the first place.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Position {
    /// Routers between the two, by the hop limits of this end, and by those of the other; 0 also where it is not known.
    pub(super) hops: [i16; 2],
    /// Twice the time on the way from the first place, in nanoseconds.
    pub(super) travel: Option<i64>,
}

impl Position {
    /// That of the first place.
    pub(super) const FIRST: Self = Self {
        hops: [0; 2],
        travel: Some(0),
    };

    /// Whether segments pass this place before that one; `None` if it is not known.
    pub(super) fn is_before(self, that: Self) -> Option<bool> {
        let apart = |at: usize| that.hops[at] - self.hops[at];
        let by_hops = match (apart(0), apart(1)) {
            (0, 0) => None,
            (own, 0) => Some(own > 0),
            (0, other) => Some(other > 0),
            (own, other) if (own > 0) == (other > 0) => Some(own > 0),
            _ => return None,
        };
        let by_time = match (self.travel, that.travel) {
            (Some(own), Some(other)) if (own - other).abs() > SAME_TIME => Some(own < other),
            _ => None,
        };
        match (by_hops, by_time) {
            (Some(a), Some(b)) if a != b => None,
            (a, b) => a.or(b),
        }
    }
}

/// A place on the way of a segment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stop {
    pub(super) place: u8,
    pub(super) position: Position,
    /// When it was capturing, by the clock of the first place.
    pub(super) span: Option<(i64, i64)>,
    /// It shows what else passed there, so that its silence says something.
    pub(super) trusted: bool,
}

impl Stop {
    /// Whether it was capturing at a time, and after it.
    pub(super) fn captured_at(&self, time: i64, margin: i64) -> bool {
        let at = |(first, last)| first <= time && last >= time.saturating_add(margin);
        self.trusted && self.span.is_some_and(at)
    }
}

/// What became of a segment, by the numbers of two places.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Fate {
    /// Nothing is claimed.
    #[default]
    Open,
    Lost(u8, u8),
    Forged(u8, u8),
}

/// What is known of a segment from the places before: which show it, and what became of it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Trail {
    pub(super) seen: Seen,
    pub(super) fate: Fate,
}

/// Of these stops the last that lies before `own`, and the first that lies behind it.
pub(super) fn neighbours<'s>(
    stops: impl Iterator<Item = &'s Stop>,
    own: &Stop,
) -> [Option<&'s Stop>; 2] {
    let [mut before, mut behind]: [Option<&Stop>; 2] = [None; 2];
    for stop in stops {
        let is_before = |a: &Stop, b: &Stop| a.position.is_before(b.position) == Some(true);
        if is_before(stop, own) && before.is_none_or(|it| is_before(it, stop)) {
            before = Some(stop);
        } else if is_before(own, stop) && behind.is_none_or(|it| is_before(stop, it)) {
            behind = Some(stop);
        }
    }
    [before, behind]
}

/// What was known of a segment, with what one place more shows of it. `shows`: it has the segment; else `silent` says whether that
/// means something.
pub(super) fn revised(fate: Fate, stops: &[Stop], own: &Stop, shows: bool, silent: bool) -> Fate {
    let (Fate::Lost(from, to) | Fate::Forged(from, to)) = fate else {
        return fate;
    };
    let at = |place: u8| stops.iter().find(|it| it.place == place);
    let (Some(first), Some(second)) = (at(from), at(to)) else {
        return fate;
    };
    let behind = first.position.is_before(own.position) == Some(true);
    let before = own.position.is_before(second.position) == Some(true);
    let (beyond, ahead) = (
        second.position.is_before(own.position) == Some(true),
        own.position.is_before(first.position) == Some(true),
    );
    match (fate, shows) {
        // It went on to the place that shows it.
        (Fate::Lost(..), true) if behind && before => Fate::Lost(own.place, to),
        (Fate::Lost(..), true) if beyond => Fate::Open,
        (Fate::Lost(..), false) if behind && before && silent => Fate::Lost(from, own.place),
        (Fate::Forged(..), true) if behind && before => Fate::Forged(from, own.place),
        (Fate::Forged(..), true) if ahead => Fate::Open,
        (Fate::Forged(..), false) if behind && before && silent => Fate::Forged(own.place, to),
        _ => fate,
    }
}

/// Says more exactly where a segment was held, with a place more: it was held for `span` between the first place and this one. Returns
/// whether that is all of what it says.
pub(super) fn narrowed(whats: &mut Vec<Sight>, stops: &[Stop], own: &Stop, span: Duration) -> bool {
    let at = |place: u8| stops.iter().find(|it| it.place == place);
    let is_before = |a: &Stop, b: &Stop| a.position.is_before(b.position) == Some(true);
    let known = whats.iter().position(|it| matches!(it, Sight::Held(..)));
    let Some(Sight::Held(from, to, all)) = known.and_then(|it| whats.get(it).copied()) else {
        return false;
    };
    let (Some(first), Some(second)) = (at(from), at(to)) else {
        return true;
    };
    let rest = all.saturating_sub(span);
    let parts = match (from, to) {
        (0, _) => [span, rest],
        (_, 0) => [rest, span],
        _ => return true,
    };
    if is_before(first, own) && is_before(own, second) {
        whats.retain(|it| !matches!(it, Sight::Held(..)));
        let all = [(from, own.place, parts[0]), (own.place, to, parts[1])];
        let held = all.into_iter().filter(|it| it.2 >= HELD);
        whats.extend(held.map(|(from, to, span)| Sight::Held(from, to, span)));
        return true;
    }
    // What was held before is a part of what is measured from the first place on.
    span < all + HELD
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stop(place: u8, hops: i16) -> Stop {
        Stop {
            place,
            position: Position {
                hops: [hops, hops],
                travel: None,
            },
            span: Some((0, 10)),
            trusted: true,
        }
    }

    #[test]
    fn positions_are_compared_by_hops_and_by_times() {
        let at = |hops, travel| Position { hops, travel };
        assert_eq!(at([1, 1], None).is_before(at([2, 2], None)), Some(true));
        assert_eq!(at([1, 0], None).is_before(Position::FIRST), Some(false));
        assert_eq!(
            at([0, 0], Some(-50_000)).is_before(Position::FIRST),
            Some(true)
        );
        assert_eq!(at([0, 0], Some(50)).is_before(Position::FIRST), None);
        // What they say contradicts itself.
        assert_eq!(at([1, -1], None).is_before(Position::FIRST), None);
        assert_eq!(at([1, 1], Some(-50_000)).is_before(Position::FIRST), None);
    }

    #[test]
    fn the_place_in_the_middle_says_on_which_side_of_it_a_segment_was_lost() {
        let (all, middle) = ([stop(0, 0), stop(1, 4)], stop(2, 2));
        let told = |fate, shows, silent| revised(fate, &all, &middle, shows, silent);
        assert_eq!(told(Fate::Lost(0, 1), true, false), Fate::Lost(2, 1));
        assert_eq!(told(Fate::Lost(0, 1), false, true), Fate::Lost(0, 2));
        assert_eq!(told(Fate::Lost(0, 1), false, false), Fate::Lost(0, 1));
        assert_eq!(told(Fate::Forged(0, 1), true, false), Fate::Forged(0, 2));
        assert_eq!(told(Fate::Forged(0, 1), false, true), Fate::Forged(2, 1));
        // One behind both has what was said to be lost, one before both what was said to be forged.
        let lost = revised(Fate::Lost(0, 1), &all, &stop(2, 9), true, false);
        let forged = revised(Fate::Forged(0, 1), &all, &stop(2, -9), true, false);
        assert_eq!((lost, forged), (Fate::Open, Fate::Open));
    }

    #[test]
    fn a_place_in_the_middle_says_on_which_side_of_it_a_segment_was_held() {
        let (all, middle) = ([stop(0, 0), stop(1, 4)], stop(2, 2));
        let (long, none) = (Duration::from_secs(1), Duration::ZERO);
        let told = |from, to, span| {
            let mut whats = vec![Sight::Held(from, to, long)];
            assert!(narrowed(&mut whats, &all, &middle, span));
            whats
        };
        assert_eq!(told(0, 1, long), [Sight::Held(0, 2, long)]);
        assert_eq!(told(0, 1, none), [Sight::Held(2, 1, long)]);
        let half = Duration::from_millis(500);
        assert_eq!(
            told(0, 1, half),
            [Sight::Held(0, 2, half), Sight::Held(2, 1, half)]
        );
        // Behind both it is no other hold.
        let mut whats = vec![Sight::Held(0, 1, long)];
        assert!(narrowed(&mut whats, &all, &stop(2, 9), long));
        assert_eq!(whats, [Sight::Held(0, 1, long)]);
        assert!(!narrowed(&mut whats, &all, &stop(2, 9), long * 3));
    }

    #[test]
    fn neighbours_are_the_nearest() {
        let all = [stop(0, 0), stop(1, 2), stop(3, 6), stop(4, 9)];
        let found = neighbours(all.iter(), &stop(2, 4)).map(|it| it.map(|it| it.place));
        assert_eq!(found, [Some(1), Some(3)]);
        assert_eq!(
            neighbours(all[..1].iter(), &stop(2, 4)).map(|it| it.map(|it| it.place)),
            [Some(0), None]
        );
    }
}
