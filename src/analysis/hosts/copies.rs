//! Connections that a capture holds a second time, one after the other: a file that was appended to itself.
//!
//! In: the summaries, in the order of their first frames. Out: those that count. A packet that comes twice at once is left out when
//! frames are read; this is for what lies too far apart for that. No two connections begin at the same addresses and ports at
//! the same time, so one that does is a copy.

use std::borrow::Cow;

use hashbrown::HashSet;

use crate::analysis::connection::ConnectionSummary;

/// The connections without copies. Where time never runs back there are none.
#[must_use]
pub fn without_copies(connections: &[ConnectionSummary]) -> Cow<'_, [ConnectionSummary]> {
    if connections.is_sorted_by_key(|it| it.first.time) {
        return Cow::Borrowed(connections);
    }
    let mut seen = HashSet::<_, foldhash::fast::FixedState>::default();
    let place = |it: &ConnectionSummary| (it.client, it.server, it.context, it.first.time);
    let kept: Vec<&ConnectionSummary> = connections
        .iter()
        .filter(|it| seen.insert(place(it)))
        .collect();
    match kept.len() == connections.len() {
        true => Cow::Borrowed(connections),
        false => Cow::Owned(kept.into_iter().cloned().collect()),
    }
}
