//! Large segments that do not get through where smaller ones do.
//!
//! In: the record of one connection. Out: what a rule that proves it and one that suspects it have in common.

use crate::analysis::connection::{Connection, UnansweredSegments};

/// Smaller segments fit through every link that IPv6 may use, less the headers (RFC 8200 §5).
const LARGE: u32 = 1200;
/// Repetitions without an answer.
const REPETITIONS: u16 = 3;

/// A large segment was repeated, and none as large had come through.
pub(super) fn is_stuck(it: &UnansweredSegments) -> bool {
    let stuck = it.count >= REPETITIONS && it.probes == 0;
    stuck && it.length >= LARGE && it.through < LARGE.min(it.length)
}

/// The largest payload that came through, if a larger one got stuck that may have been too large: its receiver, which shows no
/// more whether it is alive, had acknowledged smaller ones.
pub(super) fn largest_through(connection: &Connection) -> Option<u32> {
    let unanswered = connection.unanswered.as_deref()?;
    let mut stuck = unanswered.iter().filter(|it| is_stuck(it));
    stuck.find(|it| it.through > 0).map(|it| it.through)
}
