//! Rows about the capture and its files.

use std::borrow::Cow;

use serde::{Serialize, Serializer};

use super::row::JsonTime;
use crate::base::escape::escape;
use crate::base::net::Skip;
use crate::report::snapshot::InputSummary;
use crate::report::view::View;

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct CaptureRow<'a> {
    /// The input files, in the order given.
    files: Vec<FileRow<'a>>,
    /// Time of the first frame; `null` without frames.
    first: Option<JsonTime>,
    /// Time of the last frame.
    last: Option<JsonTime>,
    /// Frames read.
    packets: u64,
    /// TCP segments among them.
    segments: u64,
    /// Frames that are no TCP segments or could not be read, by reason; only reasons that occurred.
    skipped: SkippedRow<'a>,
    /// Packets that the system dropped before they were captured; `null` if nobody counted.
    dropped_by_kernel: Option<u64>,
    /// Packets that the interface dropped; `null` if nobody counted.
    dropped_by_interface: Option<u64>,
    /// Connections in the capture, all of which were judged.
    connections_total: u64,
    /// Connections in `connections`.
    connections_listed: u64,
    /// Connections judged before their end, to make room for others.
    connections_let_go: u64,
    /// QUIC connections seen; they are not analysed.
    quic_connections: u64,
    /// Connections that were judged and counted, and whose details are gone.
    details_let_go: u64,
    /// The limits of memory that took effect.
    limits_hit: Vec<LimitRow>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct FileRow<'a> {
    /// The path as given; `-` is standard input.
    path: Cow<'a, str>,
    /// The interfaces whose frames are read of it, if those of its other interfaces are another place; else `null`.
    only: Option<Cow<'a, str>>,
    /// By how much its clock was ahead of the file with the other direction, in nanoseconds; its times are told without that. Only
    /// there if the clocks differ.
    #[serde(skip_serializing_if = "Option::is_none")]
    clock_ahead_ns: Option<i64>,
    /// The format: `pcap`, `pcapng`, `live` and others.
    format: &'a str,
    /// Frames read from it.
    packets: u64,
    /// Bytes read from it.
    bytes: u64,
    /// Where and why reading stopped short; `null` for a whole file.
    damage: Option<DamageRow<'a>>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct DamageRow<'a> {
    /// Bytes from the start of the file.
    offset: u64,
    /// What is wrong there.
    reason: Cow<'a, str>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct LimitRow {
    /// The limit's name in `docs/architecture.md`.
    name: &'static str,
    /// How often it took effect.
    count: u64,
    /// What that means for the report.
    meaning: &'static str,
}

impl<'a> CaptureRow<'a> {
    pub(super) fn new(view: &'a View<'_>) -> Self {
        let summary = &view.snapshot.summary;
        let limits = summary.limits.iter();
        Self {
            files: summary.inputs.iter().map(FileRow::new).collect(),
            first: summary.span.map(|(first, _)| JsonTime(first)),
            last: summary.span.map(|(_, last)| JsonTime(last)),
            packets: summary.frames,
            segments: summary.segments,
            skipped: SkippedRow(&summary.skipped),
            dropped_by_kernel: summary.lost.kernel,
            dropped_by_interface: summary.lost.interface,
            connections_total: view.snapshot.connections_total(),
            connections_listed: view.shown().count() as u64,
            connections_let_go: summary.let_go,
            quic_connections: summary.quic_connections,
            details_let_go: summary.given_up.records,
            limits_hit: limits
                .map(|limit| LimitRow {
                    name: limit.name,
                    count: limit.count,
                    meaning: limit.meaning,
                })
                .collect(),
        }
    }
}

impl<'a> FileRow<'a> {
    pub(super) fn new(input: &'a InputSummary) -> Self {
        Self {
            path: escape(input.path.as_bytes()),
            only: input.only.as_ref().map(|only| escape(only.as_bytes())),
            clock_ahead_ns: input.clock_ahead,
            format: &input.format,
            packets: input.packets,
            bytes: input.bytes,
            damage: input.damage.as_ref().map(|damage| DamageRow {
                offset: damage.offset,
                reason: escape(damage.reason.as_bytes()),
            }),
        }
    }
}

/// The skip reasons that occurred, with their counts.
pub(super) struct SkippedRow<'a>(&'a [u64; Skip::ALL.len()]);

impl Serialize for SkippedRow<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let counted = Skip::ALL.iter().zip(self.0);
        let counted = counted.filter(|(_, count)| **count > 0);
        serializer.collect_map(counted.map(|(skip, count)| (skip.name(), count)))
    }
}
