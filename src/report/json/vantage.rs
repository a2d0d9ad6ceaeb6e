//! The rows of `vantages`: the places that captured the same connections. Empty if there is one place.

use serde::Serialize;

use crate::base::passage::Vantage;
use crate::report::snapshot::InputSummary;

/// A place that captured connections which another place captured too.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct VantageRow {
    /// Indexes of its files in `capture.files`.
    files: Vec<usize>,
    /// Nanoseconds by which its clock is ahead of the first place's; 0 for the first, and where it is not known.
    clock_offset_ns: i64,
    /// The offset is wrong by no more than this; `null` if only one direction was seen.
    round_trip_ns: Option<u64>,
    /// How much its clock gains, in parts of a million.
    drift_ppm: f64,
    /// Connections that this place and the first one show.
    connections_at_both: u64,
    /// Of these, those with other addresses or ports here than at the first place.
    connections_translated: u64,
    /// Of these, those with other sequence numbers here than at the first place.
    connections_renumbered: u64,
    /// Connections with the addresses and ports of one at the first place and with other numbers, which could not be joined: they
    /// are listed once for each place.
    connections_not_joined: u64,
    /// Segments that both places show.
    segments_at_both: u64,
    /// Segments that only this place shows.
    segments_here_only: u64,
    /// Of these, those that were lost on the way to the other place.
    segments_lost_from_here: u64,
    /// Of these, those that the host whose address they carry never sent.
    segments_forged_here: u64,
}

impl VantageRow {
    /// All places, in the order in which they were named.
    pub(super) fn all(inputs: &[InputSummary]) -> impl Iterator<Item = Self> {
        let mut places: Vec<(Vantage, Vec<usize>)> = Vec::new();
        for (index, input) in inputs.iter().enumerate() {
            let Some(vantage) = input.vantage else {
                continue;
            };
            match places.iter_mut().find(|it| it.0.place == vantage.place) {
                Some((_, files)) => files.push(index),
                None => places.push((vantage, vec![index])),
            }
        }
        places.sort_by_key(|it| it.0.place);
        places.into_iter().map(|(it, files)| Self {
            files,
            clock_offset_ns: it.clock_offset.unwrap_or(0),
            round_trip_ns: it
                .round_trip
                .map(|it| u64::try_from(it.as_nanos()).unwrap_or(u64::MAX)),
            drift_ppm: it.drift_ppb.unwrap_or(0) as f64 / 1e3,
            connections_at_both: it.flows,
            connections_translated: it.translated,
            connections_renumbered: it.renumbered,
            connections_not_joined: it.apart,
            segments_at_both: it.both,
            segments_here_only: it.alone,
            segments_lost_from_here: it.lost,
            segments_forged_here: it.forged,
        })
    }
}
