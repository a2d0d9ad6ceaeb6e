//! The same connections captured at several places: which inputs are places, how their clocks differ, and one stream of
//! frames in which each segment is there once, marked with what the other place shows of it
//! ([`Passage`](crate::base::passage::Passage)).
//!
//! In: capture files. A bounded probe of the beginning of each (`probe.rs`) finds files that show the same segments, and
//! what lies between their clocks (`clock.rs`). Out: a [`Source`] like any other (`union.rs`). It has the frames of the
//! place nearest to the clients in their order, and between them those that only another place has, at the place that the order of
//! that other place gives them. Clocks only decide between what neither order decides. Segments are paired by their
//! numbers, not by their addresses (`identity.rs`), so that NAT does not hide that they are the same (`flows.rs`), and where
//! a box changes the numbers by what remains (`renumbered.rs`); a frame that only another place has is returned with the
//! addresses and numbers that the first place would show (`rewrite.rs`). A connection that both places show with numbers
//! that contradict each other, and that nothing else proves to be the same, is one of each place.
//!
//! The interfaces of one file are places too, where hosts or a router lie between them: what `dumpcap` captured on both sides
//! of a router, or `mergecap` put together.
//!
//! Files that share nothing, or show the same frames at the same times, are one timeline as before.
//!
//! What places show of a segment beside its frame is a [`Sighting`](crate::base::passage::Sighting) (`notes.rs`): between which two
//! of them it was lost or forged (`way.rs`), how long it was held there, and what was changed on the way.
//!
//! Left out: boxes that divide the payload anew.

mod ahead;
mod clock;
mod feed;
mod flows;
mod grouping;
mod identity;
mod items;
mod notes;
mod output;
mod prints;
mod probe;
mod renumbered;
mod rewrite;
mod taps;
mod union;
mod way;

use std::path::Path;

use ahead::{Ahead, FactReader};
use clock::ClockEstimate;
use feed::Origin;
use probe::Between;

use crate::packet::capture::{
    self, CaptureError, Chosen, ChosenInterfaces, Input, OpenOptions, Source,
};

pub(crate) use flows::MAX_FLOWS;
pub(crate) use notes::MAX_SIGHTINGS;
pub(crate) use union::{MAX_HELD_BYTES, MAX_ITEMS};

/// Numbers of interfaces that one place may use; those of the next place begin after them.
const INTERFACES: u32 = 1 << 16;

/// Opens one or several captures; `-` is standard input. Files that show the same connections at several places become
/// one stream, others one timeline ([`capture::open`]).
///
/// # Errors
/// If a path cannot be read or is not a capture, or the filter does not compile.
pub fn open(
    paths: &[impl AsRef<Path>],
    options: &OpenOptions,
) -> Result<Box<dyn Source>, CaptureError> {
    let paths: Vec<&Path> = paths.iter().map(AsRef::as_ref).collect();
    if let [only] = paths[..]
        && let Some(found) = probe::interfaces(only)
    {
        return divided(only, &found, options);
    }
    let found = match probe::between(&paths) {
        Some(Between::Places(found)) => found,
        Some(Between::Clocks(ahead)) => return capture::open_with_clocks(&paths, options, &ahead),
        None => return capture::open(&paths, options),
    };
    let sources = (0..).zip(found).map(|(number, place)| {
        let inputs = place.files.iter().map(|index| Input::open(paths[*index]));
        let source = capture::read_numbered(inputs, options, number * INTERFACES)?;
        Ok((source, place.files, place.clock))
    });
    // The probe finds two places or more, or none.
    joined(sources)?.map_or_else(|| capture::open(&paths, options), Ok)
}

/// Whether these files show the same connections at several places, so that they are no one timeline.
#[must_use]
pub fn are_several(paths: &[impl AsRef<Path>]) -> bool {
    let paths: Vec<&Path> = paths.iter().map(AsRef::as_ref).collect();
    probe::places(&paths).is_some()
}

/// The sources of the places as one, each with the indexes of its files and its clock.
fn joined(
    sources: impl Iterator<
        Item = Result<(Box<dyn Source>, Vec<usize>, Option<ClockEstimate>), CaptureError>,
    >,
) -> Result<Option<Box<dyn Source>>, CaptureError> {
    let sources: Vec<_> = sources.collect::<Result<_, _>>()?;
    let places = sources.len();
    let mut joined: Option<Origin> = None;
    // A union that is a part of another has its own files in the order of the places; only the last has those that were named.
    let mut named: Vec<usize> = Vec::new();
    for (number, (source, files, clock)) in sources.into_iter().enumerate() {
        let (before, all) = (named.len(), named.len() + files.len());
        named.extend(files);
        let indexes: Vec<usize> = match number + 1 == places {
            true => named.clone(),
            false => (0..all).collect(),
        };
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        let other = Origin::One(Ahead::new(source), number);
        joined = Some(match joined {
            None => other,
            Some(base) => {
                let of_each = [&indexes[..before], &indexes[before..]];
                let union = union::Union::new([base, other], of_each, clock, number);
                Origin::Joined(Box::new(union), FactReader::new())
            }
        });
    }
    Ok(match joined {
        Some(Origin::Joined(union, _)) => Some(union),
        _ => None,
    })
}

/// Opens one capture of which several interfaces are places: each is an input of its own.
fn divided(
    path: &Path,
    found: &[grouping::Place],
    options: &OpenOptions,
) -> Result<Box<dyn Source>, CaptureError> {
    let numbers = |place: &grouping::Place| -> Vec<u32> {
        let numbers = place.files.iter();
        numbers.filter_map(|it| u32::try_from(*it).ok()).collect()
    };
    let sources = found.iter().enumerate().map(|(input, place)| {
        let first = u32::try_from(input).unwrap_or(0) * INTERFACES;
        let source = capture::read_numbered([Input::open(path)], options, first)?;
        let chosen = match input {
            // With what no other place has: interfaces without a connection that is looked for.
            0 => Chosen::AllBut(found[1..].iter().flat_map(numbers).collect()),
            _ => Chosen::Only(numbers(place)),
        };
        let source: Box<dyn Source> = Box::new(ChosenInterfaces::of(source, chosen, first));
        Ok((source, vec![input], place.clock))
    });
    joined(sources)?.map_or_else(|| capture::open(&[path], options), Ok)
}
