//! Which files are of one place, and in which order the places lie between the clients and the servers.
//!
//! Two files that show the same segments are of two places. Which of the others go with which follows from what a place does not
//! change: the hop limits of a host, and connections that go on where another file ends. The place nearest to the clients is
//! the first: what a client waited for is measured there. Neither depends on the order in which the files were named.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use hashbrown::{HashMap, HashSet};

use super::clock::{ClockEstimate, Sample, median};
use super::prints::{Index, Print, Shared, SharedSegment};
use super::way::SAME_TIME;

/// One place: some of the files, with a clock of their own.
#[derive(Debug)]
pub(super) struct Place {
    /// Indexes of its files.
    pub(super) files: Vec<usize>,
    /// Its clock, compared with that of the first place, if they share a segment.
    pub(super) clock: Option<ClockEstimate>,
}

/// What two files share, by the lesser of both in the order of `Files::order`.
type Shares = BTreeMap<(usize, usize), Shared>;

/// Inputs with these segments as places, if there are at least two. Whether two inputs are of two places, `apart` says of what
/// they share. `named` orders inputs of which nothing else does.
pub(super) fn divided<Name: Ord>(
    prints: &[Vec<Print>],
    named: &[Name],
    apart: fn(&Shared) -> bool,
) -> Option<Vec<Place>> {
    let mut order: Vec<usize> = (0..prints.len()).collect();
    let begin = |input: usize| prints[input].first().map(Print::time);
    order.sort_by(|a, b| (begin(*a), named.get(*a)).cmp(&(begin(*b), named.get(*b))));
    let indexes: Vec<Index<'_>> = order.iter().map(|it| Index::of(&prints[*it])).collect();
    let (mut shares, mut hints) = (Shares::new(), Shares::new());
    for later in 1..indexes.len() {
        for earlier in 0..later {
            let (one, other) = (&indexes[earlier], &indexes[later]);
            let shared = one.shared(other);
            // What a file repeats of the one before it was sent twice.
            let goes_on = one.goes_on_in(other) || other.goes_on_in(one);
            match apart(&shared) && !(goes_on && one.same_hops(other) == Some(true)) {
                true => shares.insert((earlier, later), shared),
                false => hints.insert((earlier, later), shared),
            };
        }
    }
    if shares.is_empty() {
        return None;
    }
    let related: HashSet<usize> = shares.keys().flat_map(|it| [it.0, it.1]).collect();
    let mut places: Vec<Vec<usize>> = Vec::new();
    let (first, rest): (Vec<usize>, Vec<usize>) =
        (0..indexes.len()).partition(|it| related.contains(it));
    for file in first {
        let fits = |place: &&mut Vec<usize>| {
            let mut files = place.iter();
            files.all(|it| !shares.contains_key(&pair(*it, file)))
        };
        let of = |place: &[usize]| affinity(&indexes, &hints, place, file);
        // Of several that fit alike, the first.
        let best = places.iter_mut().filter(fits).rev().max_by_key(|it| of(it));
        match best {
            Some(place) => place.push(file),
            None => places.push(vec![file]),
        }
    }
    let mut places = along(places, &shares);
    for file in rest {
        // What shares nothing with any other goes on somewhere, or is of the first place.
        let of = |place: &[usize]| affinity(&indexes, &hints, place, file);
        let best = places.iter_mut().rev().max_by_key(|it| of(it));
        if let Some(place) = best {
            place.push(file);
        }
    }
    let first: HashSet<usize> = places.first()?.iter().copied().collect();
    let with_clock = places.iter().enumerate().map(|(number, files)| {
        let mut own = files.clone();
        own.sort_unstable();
        Place {
            files: own.into_iter().map(|it| order[it]).collect(),
            clock: match number {
                0 => None,
                _ => ClockEstimate::of(&samples(&shares, &first, files)),
            },
        }
    });
    Some(with_clock.collect())
}

/// The segments that these files share with those of the first place.
fn samples(shares: &Shares, first: &HashSet<usize>, files: &[usize]) -> Vec<Sample> {
    let mut found = Vec::new();
    for ((a, b), shared) in shares {
        let samples = shared.samples.iter().map(|it| it.sample);
        if first.contains(a) && files.contains(b) {
            found.extend(samples);
        } else if first.contains(b) && files.contains(a) {
            found.extend(samples.map(Sample::turned));
        }
    }
    found
}

fn pair(a: usize, b: usize) -> (usize, usize) {
    (a.min(b), a.max(b))
}

/// How much speaks for a file being of the place of these, of which none shows enough of its segments to be of another one.
fn affinity(indexes: &[Index<'_>], hints: &Shares, place: &[usize], file: usize) -> i32 {
    let each = place.iter().map(|of| {
        let (earlier, later) = pair(*of, file);
        let (one, other) = (&indexes[earlier], &indexes[later]);
        let elsewhere = hints.get(&(earlier, later)).is_some_and(Shared::is_routed);
        let hops = match one.same_hops(other) {
            Some(true) => 2,
            Some(false) => -4,
            None => 0,
        };
        let goes_on = one.goes_on_in(other) || other.goes_on_in(one);
        hops + i32::from(goes_on) - if elsewhere { 8 } else { 0 }
    });
    each.sum()
}

/// The places in the order in which the segments of clients pass them. Those of which that is not known stay in their order.
fn along(mut places: Vec<Vec<usize>>, shares: &Shares) -> Vec<Vec<usize>> {
    let nearer = |one: &[usize], other: &[usize]| -> Ordering {
        let (mut hops, mut travel) = (0, 0);
        for ((a, b), shared) in shares {
            let sign = match () {
                () if one.contains(a) && other.contains(b) => 1,
                () if one.contains(b) && other.contains(a) => -1,
                () => continue,
            };
            let (by_hops, by_time) = shared.nearer();
            hops += sign * by_hops;
            travel += sign * by_time;
        }
        (if hops == 0 { travel } else { hops }).cmp(&0)
    };
    // How many lie before each, less those behind it.
    let before = |place: &Vec<usize>| -> i32 {
        let others = places.iter().filter(|it| *it != place);
        others.map(|it| nearer(it, place) as i32).sum()
    };
    let mut sorted: Vec<usize> = (0..places.len()).collect();
    sorted.sort_by_cached_key(|it| before(&places[*it]));
    let sorted = sorted.into_iter();
    sorted.map(|it| std::mem::take(&mut places[it])).collect()
}

impl Shared {
    /// Whether some of the segments that both show passed a router between the two.
    fn is_routed(&self) -> bool {
        self.samples.iter().any(|it| it.hops != 0)
    }

    /// How many segments say by their hop limits that the first of both is nearer to the clients, and how many connections by their
    /// times; less than 0 if more say the contrary.
    fn nearer(&self) -> (i32, i32) {
        let from_client = |it: &SharedSegment| if it.from_client { 1 } else { -1 };
        let hops = self.samples.iter();
        let hops = hops.map(|it| i32::from(it.hops.signum()) * from_client(it));
        let mut flows: HashMap<u64, [Vec<i64>; 2]> = HashMap::new();
        for it in &self.samples {
            let found = flows.entry(it.sample.flow).or_default();
            found[usize::from(it.from_client)].push(it.sample.later);
        }
        let times = flows.into_values().map(|[mut back, mut there]| {
            match (median(&mut there), median(&mut back)) {
                (Some(there), Some(back)) if (there - back).abs() > SAME_TIME => {
                    (there - back).signum() as i32
                }
                _ => 0,
            }
        });
        (hops.sum(), times.sum())
    }
}
