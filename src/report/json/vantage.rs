//! The rows of `vantages`, the places that captured the same connections, and of `sightings`, what they show of single
//! segments. Empty if there is one place.

use serde::Serialize;

use super::row::{EndpointRow, PlaceRow};
use crate::analysis::connection::Connection;
use crate::base::frame_names::FrameNames;
use crate::base::passage::{PLACES, Sight, Sighting, Vantage};
use crate::report::snapshot::InputSummary;
use crate::report::wording::terms::millis;

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
    /// Segments that passed here and were lost on the way to another place.
    segments_lost_from_here: u64,
    /// The same by the place that they did not reach, as its index among these rows.
    segments_lost_to: Vec<u64>,
    /// Segments that arrived here, and that the host whose address they carry never sent.
    segments_forged_here: u64,
    /// The same by the place that they did not pass, though it lies nearer to that host, as its index among these rows.
    segments_forged_after: Vec<u64>,
    /// SYNs and SYN-ACKs with other TCP options here than at the first place.
    handshakes_with_other_options: u64,
}

/// What several places show of a segment beside its frame.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct SightingRow {
    /// The frame.
    frame: u64,
    #[serde(flatten)]
    place: PlaceRow,
    /// The side that sent it.
    #[cfg_attr(test, schemars(extend("enum" = ["client", "server"])))]
    from: &'static str,
    /// `lost` or `forged` between two places, `held` there; at another place than the frame's: `mss`, `options`, `sequence` and
    /// `addresses` that differ; `hop-limit`: the frame is from another place than the first.
    #[cfg_attr(test, schemars(extend("enum" = ["lost", "forged", "held", "mss", "options", "sequence", "addresses", "hop-limit"])))]
    what: &'static str,
    /// The two places, or the one where it differs, as indexes of `vantages`.
    places: Vec<u8>,
    /// How long it was held.
    held_ms: Option<f64>,
    /// Of `mss`: the maximum segment size in the frame, and at the other place.
    mss: Option<[Option<u16>; 2]>,
    /// Of `options`: which one was removed, added or changed.
    option: Option<&'static str>,
    /// Of `sequence`: by how much the sequence numbers in the frame are higher, modulo 2^32.
    sequence_higher_by: Option<u32>,
    /// Of `addresses`: sender and receiver at the other place.
    addresses: Option<[EndpointRow; 2]>,
    /// Of `hop-limit`: by how much the hop limits of this report are higher than in the frame, as they are those of the first
    /// place.
    hop_limit_higher_by: Option<i16>,
}

impl SightingRow {
    /// All of a connection.
    pub(super) fn all(connection: &Connection, frames: &FrameNames) -> Vec<Self> {
        let ends = [connection.client, connection.server];
        let span = [connection.first.frame, connection.last.frame];
        let all = frames.sightings(ends, span);
        all.map(|it| Self::of(it, connection, frames)).collect()
    }

    fn of(sighting: &Sighting, connection: &Connection, frames: &FrameNames) -> Self {
        let by_client = sighting.ends[0] == connection.client;
        let row = Self {
            frame: sighting.frame.0,
            place: PlaceRow::new(sighting.frame, frames),
            from: if by_client { "client" } else { "server" },
            what: "lost",
            places: Vec::new(),
            held_ms: None,
            mss: None,
            option: None,
            sequence_higher_by: None,
            addresses: None,
            hop_limit_higher_by: None,
        };
        let (what, places) = match sighting.what {
            Sight::Lost(from, to) => ("lost", vec![from, to]),
            Sight::Forged(from, to) => ("forged", vec![from, to]),
            Sight::Held(from, to, _) => ("held", vec![from, to]),
            Sight::Mss(place, ..) => ("mss", vec![place]),
            Sight::Options(place, _) => ("options", vec![place]),
            Sight::Renumbered(place, _) => ("sequence", vec![place]),
            Sight::Translated(place, _) => ("addresses", vec![place]),
            Sight::Hops(place, _) => ("hop-limit", vec![place]),
        };
        let row = Self {
            what,
            places,
            ..row
        };
        match sighting.what {
            Sight::Lost(..) | Sight::Forged(..) => row,
            Sight::Held(.., span) => Self {
                held_ms: Some(millis(span)),
                ..row
            },
            Sight::Mss(_, here, there) => Self {
                mss: Some([here, there]),
                ..row
            },
            Sight::Options(_, option) => Self {
                option: Some(option),
                ..row
            },
            Sight::Renumbered(_, added) => Self {
                sequence_higher_by: Some(added),
                ..row
            },
            Sight::Translated(_, ends) => Self {
                addresses: Some(ends.map(EndpointRow::new)),
                ..row
            },
            Sight::Hops(_, hops) => Self {
                hop_limit_higher_by: Some(hops),
                ..row
            },
        }
    }
}

impl VantageRow {
    /// All places, from the clients to the servers.
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
        let many = places.len().min(PLACES);
        places.into_iter().map(move |(it, files)| Self {
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
            segments_lost_from_here: it.lost(),
            segments_lost_to: it.lost_to.iter().take(many).copied().collect(),
            segments_forged_here: it.forged(),
            segments_forged_after: it.forged_from.iter().take(many).copied().collect(),
            handshakes_with_other_options: it.other_options,
        })
    }
}
