//! Floor 8: frames in, events out. Names the floors below it; nothing else does.
//!
//! One pass, and it cannot fail. Flows are shared out over a fixed number of partitions by a hash of their
//! addresses and ports, and partitions over threads: what comes out is the same to the byte on any number of threads, because the
//! partitions are the same and their order is put right by frame numbers.

mod extract;
mod numbering;
mod parallel;
mod partition;
mod progress;
mod reread;
mod retention;
mod stats;

use std::sync::Arc;

use crate::analysis::connection::{Brief, Connection};
use crate::base::flow_end::End;
use crate::base::frame_ref::Mark;
use crate::base::time::Timestamp;
use crate::packet::capture::{CaptureError, Fill, Frame, Source};
use crate::packet::decode::{Decoded, Decoder, Segment, Skip};
use crate::packet::flow::FlowKey;
use crate::protocol::tcp::Standing;
use crate::protocol::tls::secrets::KeyRing;

use partition::Partition;
use retention::{Harvest, Shelf};

pub use extract::{ExtractError, extract};
pub use numbering::Roll;
pub use parallel::watched;
pub use progress::{Glance, Next, Observer, Outlook};
pub use reread::{CloseUp, Step, close_up};
pub use retention::{Keep, Stay};
pub use stats::{Bound, Stats};

/// How many parts the flows are shared out over. Fixed, so that bounds bite at the same place on any machine; as many
/// as the most threads that can share the work.
pub(crate) const PARTITIONS: usize = 16;

/// What can be set.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Settings {
    /// Which settled connections [`analyse`] keeps whole.
    pub keep: Keep,
    /// Which connections stay when there are too many.
    pub stay: Stay,
    /// Secrets that open what TLS hides.
    pub keys: KeyRing,
}

/// What the engine says.
#[derive(Debug)]
pub enum Event<'a> {
    /// A segment was taken. Only for sinks that ask for it.
    Segment {
        /// The first segment of its connection.
        first: Mark,
        /// Who sent it.
        from: End,
        /// The segment.
        segment: &'a Segment<'a>,
        /// Both ends' states after it, presumed, in the order of [`End`].
        standings: [Standing; 2],
    },
    /// Nothing more can come of a connection.
    Settled(Box<Connection>),
}

/// Where events go.
pub trait Sink {
    /// Takes an event.
    fn event(&mut self, event: Event<'_>);

    /// Takes a settled connection; by itself as an event. For sinks that take very many and keep few.
    fn settled(&mut self, connection: Connection) {
        self.event(Event::Settled(Box::new(connection)));
    }

    /// Whether it wants [`Event::Segment`]; most do not, and it costs.
    fn wants_segments(&self) -> bool {
        false
    }
}

/// Connections only.
impl Sink for Vec<Connection> {
    fn event(&mut self, event: Event<'_>) {
        if let Event::Settled(connection) = event {
            self.push(*connection);
        }
    }
}

/// The engine, a frame at a time.
#[derive(Debug)]
pub struct Engine {
    decoder: Decoder,
    partitions: Vec<Partition>,
    stats: Stats,
}

impl Default for Engine {
    fn default() -> Self {
        Self::new()
    }
}

impl Engine {
    /// An engine that has seen nothing.
    #[must_use]
    pub fn new() -> Self {
        Self {
            decoder: Decoder::new(),
            partitions: (0..PARTITIONS)
                .map(|_| Partition::new(&KeyRing::default()))
                .collect(),
            stats: Stats::default(),
        }
    }

    /// Takes the next frame.
    pub fn frame<S: Sink + ?Sized>(&mut self, frame: &Frame<'_>, sink: &mut S) {
        let partitions = &mut self.partitions;
        decode(&mut self.decoder, &mut self.stats, frame, |decoded| {
            let key = key(decoded);
            partitions[partition(&key)].take(&key, decoded, sink);
        });
    }

    /// Settles everything; the capture is over.
    #[must_use]
    pub fn finish<S: Sink + ?Sized>(mut self, sink: &mut S) -> Stats {
        let end = self.stats.end();
        for partition in self.partitions {
            self.stats.add(partition.finish(end, sink));
        }
        self.stats.take_decoder(&self.decoder);
        self.stats
    }
}

/// All connections of an input.
#[derive(Clone, Debug, Default)]
pub struct Analysis {
    /// One line of each, in order of first frame: number `n` is `briefs[n - 1]`.
    pub briefs: Vec<Brief>,
    /// The whole record of those that are wanted ([`Settings::keep`]), in the same order, with their numbers.
    pub connections: Vec<Arc<Connection>>,
    /// What became of the frames.
    pub stats: Stats,
}

impl Analysis {
    fn join(mut shelves: Vec<Shelf>, mut stats: Stats) -> Self {
        stats.bounds.let_go += shelves.iter().map(|shelf| shelf.let_go).sum::<u64>();
        let mut briefs = Vec::new();
        let mut connections = Vec::new();
        // One shelf after the other is emptied, so that nothing large is there twice; what is sorted then is the keys.
        for shelf in &mut shelves {
            briefs.append(&mut shelf.harvest.briefs);
            connections.append(&mut shelf.harvest.records);
            stats.bounds.exchanges += shelf.exchanges_let_go;
        }
        drop(shelves);
        briefs.sort_by_cached_key(|brief: &Brief| brief.first.frame);
        connections.sort_by_cached_key(|connection: &Arc<Connection>| connection.first.frame);
        for (id, brief) in (1..).zip(&mut briefs) {
            brief.id = id;
        }
        let mut numbered = briefs.iter();
        for connection in &mut connections {
            let own = numbered.find(|brief| brief.first.frame >= connection.first.frame);
            Arc::make_mut(connection).id = own.map_or(0, |brief| brief.id);
        }
        Self {
            briefs,
            connections,
            stats,
        }
    }
}

/// Reads a source to its end, on this many threads. `progress` is called now and then with the number of frames so far.
///
/// # Errors
/// When the source cannot be read.
pub fn analyse(
    source: &mut dyn Source,
    settings: &Settings,
    threads: usize,
    progress: &mut dyn FnMut(u64),
) -> Result<Analysis, CaptureError> {
    if threads <= 1 {
        alone(source, settings, progress)
    } else {
        parallel::analyse(source, settings, threads.min(PARTITIONS), progress)
    }
}

fn alone(
    source: &mut dyn Source,
    settings: &Settings,
    progress: &mut dyn FnMut(u64),
) -> Result<Analysis, CaptureError> {
    let mut decoder = Decoder::new();
    let mut stats = Stats::default();
    let mut shares: Vec<(Partition, Shelf)> = (0..PARTITIONS)
        .map(|_| (Partition::new(&settings.keys), Shelf::new(settings)))
        .collect();
    let mut batch = crate::packet::capture::Batch::default();
    while source.fill(&mut batch)? != Fill::End {
        for frame in batch.frames() {
            decode(&mut decoder, &mut stats, &frame, |decoded| {
                let key = key(decoded);
                let (part, shelf) = &mut shares[partition(&key)];
                part.take(&key, decoded, shelf);
            });
        }
        progress(stats.frames);
    }
    let end = stats.end();
    let mut shelves = Vec::new();
    for (part, mut shelf) in shares {
        stats.add(part.finish(end, &mut shelf));
        shelves.push(shelf);
    }
    stats.take_decoder(&decoder);
    Ok(Analysis::join(shelves, stats))
}

/// The port of DNS.
const DNS: u16 = 53;

/// Reads one frame, counts it, and hands on what it holds.
#[inline]
fn decode(
    decoder: &mut Decoder,
    stats: &mut Stats,
    frame: &Frame<'_>,
    mut take: impl FnMut(&Decoded<'_>),
) {
    stats.frame(frame.time);
    let skipped = match &decoder.decode(frame) {
        Ok(decoded) => {
            if let Decoded::Segment(segment) = decoded {
                stats.segment_kept(segment);
                if segment.source.port == DNS || segment.destination.port == DNS {
                    stats.lookups.segment(segment);
                }
            }
            if let Decoded::Quote(_) = decoded {
                stats.skip(Skip::IcmpError);
            }
            take(decoded);
            None
        }
        Err(skip) => {
            stats.skip(*skip);
            Some(*skip)
        }
    };
    if skipped == Some(Skip::NotTcp)
        && let Some(datagram) = decoder.datagram(frame)
    {
        stats.lookups.datagram(&datagram);
    }
    while let Some(more) = &decoder.decode_more(frame) {
        if let Ok(decoded @ Decoded::Segment(_)) = more {
            stats.aggregated += 1;
            take(decoded);
        }
    }
}

fn key(decoded: &Decoded<'_>) -> FlowKey {
    match decoded {
        Decoded::Segment(segment) => {
            FlowKey::new(segment.source, segment.destination, segment.context)
        }
        Decoded::Quote(quote) => FlowKey::new(quote.source, quote.destination, quote.context),
    }
}

fn partition(key: &FlowKey) -> usize {
    (key.share() % PARTITIONS as u64) as usize
}

/// The end of a capture of which nothing was seen.
const NEVER: Timestamp = Timestamp::from_nanos(0);
