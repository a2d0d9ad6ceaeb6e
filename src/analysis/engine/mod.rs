//! The engine: frames in, events out. It uses the layers below, and they do not know of it.
//!
//! It makes one pass and cannot fail. Flows are distributed over a fixed number of partitions by a hash of their
//! addresses and ports, and partitions over threads. The output is the same to the byte on any number of threads,
//! because the partitions are the same and their results are sorted by frame number.

mod closed_tuples;
mod event;
mod extract;
mod given_up;
mod intake;
mod neighbours;
mod numbering;
mod output;
mod parallel;
mod partition;
mod progress;
mod quic;
mod reread;
mod reread_all;
mod retention;
mod settings;
mod stats;
mod tuple;

use intake::{decode, key, partition, usual, usual_flow};

use crate::packet::capture::{CaptureError, Fill, Frame, Source};
use crate::packet::decode::Decoder;
use crate::protocol::tls::secrets::KeyStore;

use partition::Partition;
use retention::SettledStore;

pub use event::{Event, Sink};
pub use extract::{ExtractError, extract};
pub use given_up::{EndingKey, GivenUp, Tallies, Tally};
pub(crate) use intake::PARTITIONS;
pub(crate) use neighbours::{MAX_PRESENT, MAX_QUESTIONS};
pub use neighbours::{NeighbourQuestion, Neighbours};
pub(crate) use numbering::MAX_KEPT;
pub use numbering::Numbering;
pub use output::EngineOutput;
pub use parallel::watched;
pub(crate) use partition::{
    MAX_CLOSED, MAX_HELD as MAX_STREAM_BYTES, MAX_LIVE, MAX_LIVE_EXCHANGE_BYTES, MAX_SPLIT,
    MAX_WAITING as MAX_WAITING_BYTES,
};
pub use progress::{EngineView, NextStep, Observer, PendingView};
pub(crate) use quic::MAX_QUIC;
pub use quic::QuicConnections;
pub use reread::{RereadConnection, RereadSegment, reread_connection, reread_connections};
pub use reread_all::reread_all;
pub(crate) use retention::{
    ALL_RECORD_BYTES, ALL_SUMMARY_BYTES, RECORD_BYTES, REQUEST_BYTES, SUMMARY_BYTES,
    VIEW_SUMMARY_BYTES,
};
pub use retention::{Concern, Judge, Judgement, SharedJudge, Stay, StoreBudget};
pub use settings::{EngineSettings, Tracking};
pub(crate) use settings::{SentResets, Witness};
pub use stats::{EngineStats, LimitCount};

/// The engine, fed one frame at a time.
#[derive(Debug)]
pub struct Engine {
    decoder: Decoder,
    partitions: Vec<Partition>,
    stats: EngineStats,
}

impl Default for Engine {
    fn default() -> Self {
        Self::new()
    }
}

impl Engine {
    /// Creates an engine without any state.
    #[must_use]
    pub fn new() -> Self {
        Self::with_keys(&KeyStore::default())
    }

    /// The same, with secrets to decrypt TLS with.
    #[must_use]
    pub fn with_keys(keys: &KeyStore) -> Self {
        Self {
            decoder: Decoder::new(),
            partitions: (0..PARTITIONS).map(|_| Partition::new(keys)).collect(),
            stats: EngineStats::default(),
        }
    }

    /// Processes the next frame.
    pub fn frame<S: Sink + ?Sized>(&mut self, frame: &Frame<'_>, sink: &mut S) {
        let partitions = &mut self.partitions;
        decode(&mut self.decoder, &mut self.stats, frame, |decoded| {
            let key = key(decoded);
            partitions[partition(&key)].take(&key, decoded, sink);
        });
    }

    /// Settles all connections; the capture is over.
    #[must_use]
    pub fn finish<S: Sink + ?Sized>(mut self, sink: &mut S) -> EngineStats {
        let end = self.stats.end();
        for partition in self.partitions {
            self.stats.add(partition.finish(end, sink));
        }
        self.stats.take_decoder(&self.decoder);
        self.stats
    }
}

/// Reads a source to its end, on `threads` threads. `progress` is called after each batch with the number of frames so
/// far.
///
/// # Errors
/// When the source cannot be read.
pub fn analyse(
    source: &mut dyn Source,
    settings: &EngineSettings,
    threads: usize,
    progress: &mut dyn FnMut(u64),
) -> Result<EngineOutput, CaptureError> {
    if threads <= 1 {
        alone(source, settings, progress)
    } else {
        parallel::analyse(source, settings, threads.min(PARTITIONS), progress)
    }
}

fn alone(
    source: &mut dyn Source,
    settings: &EngineSettings,
    progress: &mut dyn FnMut(u64),
) -> Result<EngineOutput, CaptureError> {
    let mut decoder = Decoder::new();
    let mut stats = EngineStats::default();
    let mut shares: Vec<(Partition, SettledStore)> = (0..PARTITIONS)
        .map(|_| (Partition::of(settings), SettledStore::new(settings)))
        .collect();
    let mut batch = crate::packet::capture::Batch::default();
    while source.fill(&mut batch)? != Fill::End {
        for frame in batch.frames() {
            if usual_flow(&frame).is_some() {
                stats.frame(frame.time);
                usual(&frame, |flow, segment| {
                    let (part, store) = &mut shares[partition(flow)];
                    part.usual(flow, segment, store);
                });
                continue;
            }
            decode(&mut decoder, &mut stats, &frame, |decoded| {
                let key = key(decoded);
                let (part, store) = &mut shares[partition(&key)];
                part.take(&key, decoded, store);
            });
        }
        progress(stats.frames);
    }
    let end = stats.end();
    let mut stores = Vec::new();
    for (part, mut store) in shares {
        stats.add(part.finish(end, &mut store));
        stores.push(store);
    }
    stats.take_decoder(&decoder);
    Ok(EngineOutput::join(stores, stats, 1))
}
