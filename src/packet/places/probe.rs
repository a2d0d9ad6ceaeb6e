//! Looks at the beginning of each file: which of them show the same segments, and how their clocks differ.

use std::path::Path;

use hashbrown::{HashMap, HashSet};

use super::clock::{ClockEstimate, Sample};
use super::identity;
use crate::base::net::Flags;
use crate::packet::capture::{self, Batch, Fill, OpenOptions};
use crate::packet::decode::{Decoded, Decoder};
use crate::packet::flow::FlowKey;

/// Bytes that are looked at of all files together, and of one. The connections that two files share show up early in both.
const PROBED: usize = 64 << 20;
const PROBED_OF_ONE: usize = 8 << 20;
/// With more files than this, nothing is looked for: a rotated set would be read twice.
const MAX_PROBED: usize = 64;
/// Segments that two files must share; one of them opens a connection or carries data.
const SHARED: usize = 2;

/// One place: some of the files, with a clock of their own.
#[derive(Debug)]
pub(super) struct Place {
    /// Indexes of its files.
    pub(super) files: Vec<usize>,
    /// Its clock, compared with that of the first place.
    pub(super) clock: ClockEstimate,
}

/// A segment of one file.
#[derive(Clone, Copy, Debug)]
struct Print {
    identity: u64,
    time: i64,
    /// The flow by its addresses and ports.
    flow: u64,
    /// Whether it comes from the endpoint that sorts first.
    low: bool,
    ip_id: u16,
    /// It opens a connection or carries data.
    weighty: bool,
}

/// What two files share.
struct Shared {
    samples: Vec<Sample>,
    weighty: usize,
}

/// The places, if there are at least two. Files that share nothing belong to the first.
pub(super) fn places(paths: &[&Path]) -> Option<Vec<Place>> {
    let is_file = |path: &&Path| path.metadata().is_ok_and(|it| it.is_file());
    if !(2..=MAX_PROBED).contains(&paths.len()) || !paths.iter().all(is_file) {
        return None;
    }
    let budget = (PROBED / paths.len()).min(PROBED_OF_ONE);
    let prints: Vec<Vec<Print>> = paths.iter().map(|path| prints(path, budget)).collect();
    let by_identity: Vec<_> = prints.iter().map(|it| index(it)).collect();
    // Each file goes to the first place with which it shares nothing, as long as it shares something with another.
    let mut places: Vec<Vec<usize>> = vec![vec![0]];
    let mut shares: HashMap<(usize, usize), Shared> = HashMap::new();
    for later in 1..paths.len() {
        for earlier in 0..later {
            let shared = shared(&by_identity[earlier], &by_identity[later]);
            if shared.samples.len() >= SHARED && shared.weighty > 0 && !is_one_clock(&shared) {
                shares.insert((earlier, later), shared);
            }
        }
        let own = places
            .iter()
            .position(|place| place.iter().all(|it| !shares.contains_key(&(*it, later))));
        match own.and_then(|own| places.get_mut(own)) {
            Some(place) => place.push(later),
            None => places.push(vec![later]),
        }
    }
    if places.len() < 2 {
        return None;
    }
    let first: HashSet<usize> = places[0].iter().copied().collect();
    let with_clock = places.iter().enumerate().map(|(number, files)| {
        let samples = shares.iter().filter_map(|((a, b), shared)| {
            let here = |it: &usize| files.contains(it);
            match (first.contains(a) && here(b), first.contains(b) && here(a)) {
                (true, _) => Some((false, shared)),
                (_, true) => Some((true, shared)),
                _ => None,
            }
        });
        let samples: Vec<Sample> = samples
            .flat_map(|(turned, shared)| {
                shared.samples.iter().map(move |it| match turned {
                    false => *it,
                    true => Sample {
                        time: it.time + it.later,
                        later: -it.later,
                        ..*it
                    },
                })
            })
            .collect();
        let clock = match number {
            0 => None,
            _ => ClockEstimate::of(&samples),
        };
        Place {
            files: files.clone(),
            clock: clock.unwrap_or_default(),
        }
    });
    Some(with_clock.collect())
}

/// The telling segments at the beginning of a file. One that cannot be read has none; opening it says why.
fn prints(path: &Path, budget: usize) -> Vec<Print> {
    let mut found = Vec::new();
    let Ok(mut source) = capture::open(&[path], &OpenOptions::default()) else {
        return found;
    };
    let (mut batch, mut decoder, mut bytes) = (Batch::default(), Decoder::new(), 0);
    while bytes < budget && matches!(source.fill(&mut batch), Ok(Fill::Frames)) {
        for frame in batch.frames() {
            bytes += frame.data.len() + 16;
            let Ok(Decoded::Segment(segment)) = decoder.decode(&frame) else {
                continue;
            };
            if !identity::is_telling(&segment) {
                continue;
            }
            found.push(Print {
                identity: identity::of_segment(&segment),
                time: frame.time.as_nanos(),
                flow: FlowKey::new(segment.source, segment.destination, segment.context).share(),
                low: segment.source <= segment.destination,
                ip_id: segment.ip_id.unwrap_or(0),
                weighty: segment.length > 0 || segment.flags.has(Flags::SYN),
            });
        }
    }
    found
}

/// The segments of a file by their numbers; those that occur more than once are left out.
fn index(prints: &[Print]) -> HashMap<u64, Option<Print>> {
    let mut index = HashMap::with_capacity(prints.len());
    for print in prints {
        index
            .entry(print.identity)
            .and_modify(|it| *it = None)
            .or_insert(Some(*print));
    }
    index
}

/// The segments that two files share.
fn shared(a: &HashMap<u64, Option<Print>>, b: &HashMap<u64, Option<Print>>) -> Shared {
    let mut shared = Shared {
        samples: Vec::new(),
        weighty: 0,
    };
    for (identity, first) in a {
        let (Some(first), Some(Some(second))) = (first, b.get(identity)) else {
            continue;
        };
        let other = first.ip_id != 0 && second.ip_id != 0 && first.ip_id != second.ip_id;
        if other && first.flow == second.flow {
            // Retransmissions without timestamps.
            continue;
        }
        shared.weighty += usize::from(first.weighty);
        shared.samples.push(Sample {
            time: first.time,
            later: second.time.saturating_sub(first.time),
            flow: first.flow,
            forward: first.low,
        });
    }
    // The order in a hash map is another in each run.
    shared
        .samples
        .sort_unstable_by_key(|it| (it.time, it.flow, it.later));
    shared
}

/// Whether the times are the same as well: one file given twice, or two interfaces of one host whose packets were stamped
/// once.
fn is_one_clock(shared: &Shared) -> bool {
    let same = shared.samples.iter().filter(|it| it.later == 0).count();
    same * 4 >= shared.samples.len() * 3
}
