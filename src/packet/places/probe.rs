//! Looks at the beginning of each file for what several files show: which of them are of which place, and how their clocks
//! differ.

use std::path::Path;

use super::grouping::{Place, divided};
use super::identity;
use super::prints::{Print, Shared};
use super::taps;
use crate::packet::capture::{self, Batch, Fill, OpenOptions};
use crate::packet::decode::Decoder;

/// Bytes that are looked at of all files together, and of one. The connections that two files share show up early in both.
const PROBED: usize = 64 << 20;
const PROBED_OF_ONE: usize = 8 << 20;
/// With more files than this, nothing is looked for: a rotated set would be read twice.
const MAX_PROBED: usize = 64;

/// What lies between the files of one command.
pub(super) enum Between {
    /// They are of these places.
    Places(Vec<Place>),
    /// They are of one place, and the clock of each is ahead by so many nanoseconds.
    Clocks(Vec<i64>),
}

/// What lies between these files, if anything does. Files that share nothing belong to the first place.
pub(super) fn between(paths: &[&Path]) -> Option<Between> {
    let is_file = |path: &&Path| path.metadata().is_ok_and(|it| it.is_file());
    if !(2..=MAX_PROBED).contains(&paths.len()) || !paths.iter().all(is_file) {
        return None;
    }
    let budget = (PROBED / paths.len()).min(PROBED_OF_ONE);
    let prints: Vec<Vec<Print>> = paths.iter().map(|path| prints(path, budget)).collect();
    if let Some(places) = divided(&prints, paths, Shared::is_of_places) {
        return Some(Between::Places(places));
    }
    let ahead = taps::ahead(&prints);
    (!ahead.is_empty()).then_some(Between::Clocks(ahead))
}

/// The places of these files, if there are at least two.
pub(super) fn places(paths: &[&Path]) -> Option<Vec<Place>> {
    match between(paths)? {
        Between::Places(places) => Some(places),
        Between::Clocks(_) => None,
    }
}

/// By how much the clock of each file is ahead; empty if nothing shows that they differ.
#[cfg(test)]
pub(super) fn ahead(paths: &[&Path]) -> Vec<i64> {
    match between(paths) {
        Some(Between::Clocks(ahead)) => ahead,
        _ => Vec::new(),
    }
}

/// The interfaces of one file that are places, by their numbers in it, if there are at least two places.
pub(super) fn interfaces(path: &Path) -> Option<Vec<Place>> {
    if !path.metadata().is_ok_and(|it| it.is_file()) || !capture::may_have_interfaces(path) {
        return None;
    }
    let mut by_interface: Vec<Vec<Print>> = Vec::new();
    for print in prints(path, PROBED_OF_ONE) {
        let number = print.interface as usize;
        if number >= MAX_PROBED {
            continue;
        }
        if by_interface.len() <= number {
            by_interface.resize_with(number + 1, Vec::new);
        }
        by_interface[number].push(print);
    }
    if by_interface.len() < 2 {
        return None;
    }
    let numbers: Vec<usize> = (0..by_interface.len()).collect();
    divided(&by_interface, &numbers, Shared::is_of_hosts)
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
            let print = decoder.with_segment(&frame, |segment| {
                let at = (frame.time.as_nanos(), frame.interface);
                identity::is_telling(segment).then(|| Print::of(segment, at))
            });
            found.extend(print.flatten());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_are_the_same_in_each_run() {
        let name = "captures/places/sequence-rewritten";
        let files = [format!("{name}.pcap"), format!("{name}@server.pcap")];
        let paths: Vec<&Path> = files.iter().map(Path::new).collect();
        let clocks = || {
            let found = places(&paths).expect("two places");
            found.iter().map(|it| it.clock).collect::<Vec<_>>()
        };
        let first = clocks();
        for _ in 0..8 {
            assert_eq!(clocks(), first);
        }
    }
}
