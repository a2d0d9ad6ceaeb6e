//! Rereads one connection: its whole record, and each of its segments with the frame that carried it.
//!
//! In: the input once more, from its beginning. Every frame is decoded, so that tunnels and fragments come out as the
//! first time; only frames of the connection are processed further. The memory is bounded: of a very large connection
//! the beginning and the end are kept, because that is where it is opened and closed.

use super::intake::decode;
use super::intake::key;
use std::collections::VecDeque;
use std::ops::Range;
use std::time::Duration;

use super::partition::Partition;
use super::{EngineStats, Event, Sink};
use crate::analysis::connection::{Connection, ConnectionSummary, How, State, Who};
use crate::base::flow_end::FlowEnd;
use crate::base::frame_ref::{FrameNumber, FrameRef};
use crate::base::passage::Passage;
use crate::base::time::Timestamp;
use crate::packet::capture::{Batch, CaptureError, Fill, Frame, LinkType, Source};
use crate::packet::decode::{Decoder, Segment};
use crate::packet::flow::FlowKey;
use crate::protocol::tcp::Standing;
use crate::protocol::tls::secrets::KeyStore;

/// Bytes of frames kept of the beginning, and the same of the end.
const MAX_BYTES: usize = 32 << 20;
/// Segments kept of the beginning, and the same of the end: more than anybody reads, a third of a kilobyte each.
const MAX_STEPS: usize = 100_000;
/// How long after its last segment frames of a closed connection are still looked for: late segments come within this
/// time, and a capture is out of order by less.
const PATIENCE: Duration = Duration::from_secs(5);

/// One connection, its segments and their frames.
#[derive(Debug)]
pub struct RereadConnection {
    /// The whole record, with the number of the summary it was requested by.
    pub connection: Connection,
    /// Its segments in capture order.
    pub steps: Vec<RereadSegment>,
    /// Segments discarded because there were too many; they followed `steps[before_gap - 1]`.
    pub left_out: u64,
    /// The index among the steps where the discarded segments were.
    pub before_gap: usize,
    /// The input no longer has its beginning; the record covers the rest.
    pub begins_late: bool,
}

/// One segment.
#[derive(Debug)]
pub struct RereadSegment {
    /// The sender.
    pub from: Who,
    /// The states of client and server after it, presumed.
    pub standings: [Standing; 2],
    segment: Segment<'static>,
    link: LinkType,
    length: u32,
    interface: u32,
    data: Box<[u8]>,
    payload: PayloadPlace,
    /// Bytes of the TCP header, which precedes the payload.
    header: usize,
}

/// Where the payload is.
#[derive(Debug)]
enum PayloadPlace {
    Within(Range<usize>),
    /// A copy: the payload was reassembled from several frames.
    Apart(Box<[u8]>),
}

impl RereadSegment {
    /// The segment, with the captured part of its payload, and its bytes if there are some.
    #[must_use]
    pub fn segment(&self) -> Segment<'_> {
        let (payload, bytes) = match &self.payload {
            PayloadPlace::Within(range) => {
                let from = range.start.saturating_sub(self.header);
                let both = [range.clone(), from..range.end];
                both.map(|it| self.data.get(it).unwrap_or_default()).into()
            }
            PayloadPlace::Apart(bytes) => (&**bytes, &[][..]),
        };
        Segment {
            payload,
            bytes,
            ..self.segment
        }
    }

    /// The frame that carried it; of a fragmented datagram, the last fragment's.
    #[must_use]
    pub fn frame(&self) -> Frame<'_> {
        Frame {
            number: self.segment.frame,
            time: self.segment.time,
            link: self.link,
            interface: self.interface,
            length: self.length,
            passage: self.segment.passage,
            data: &self.data,
        }
    }
}

/// Reads `source` as far as needed, with the secrets in `keys`, and records annotations ([`Connection::annotations`]).
/// Returns `None` if the connection is not in the source, or if `goes_on` returned false before it was complete.
///
/// # Errors
/// When the source cannot be read.
pub fn reread_connection(
    source: &mut dyn Source,
    wanted: &ConnectionSummary,
    keys: &KeyStore,
    goes_on: impl FnMut() -> bool,
) -> Result<Option<RereadConnection>, CaptureError> {
    let end = FrameNumber(u64::MAX);
    let found = reread_connections(source, &[*wanted], keys, end, goes_on)?;
    Ok(found.into_iter().next().flatten())
}

/// The same for several connections in one pass, in the order of `wanted`; nothing is read beyond the frame `last`.
///
/// # Errors
/// When the source cannot be read.
pub fn reread_connections(
    source: &mut dyn Source,
    wanted: &[ConnectionSummary],
    keys: &KeyStore,
    last: FrameNumber,
    mut goes_on: impl FnMut() -> bool,
) -> Result<Vec<Option<RereadConnection>>, CaptureError> {
    let mut each: Vec<_> = wanted
        .iter()
        .map(|it| WantedConnection::new(it, keys))
        .collect();
    let mut decoder = Decoder::new();
    let mut stats = EngineStats::default();
    let mut batch = Batch::default();
    'reading: loop {
        match source.fill(&mut batch)? {
            Fill::Frames => {}
            Fill::Idle(now) => stats.nothing(now),
            Fill::End => break,
        }
        if !goes_on() {
            return Ok(wanted.iter().map(|_| None).collect());
        }
        for frame in batch.frames() {
            if frame.number > last || each.iter().all(|it| it.is_over(&frame)) {
                break 'reading;
            }
            decode(&mut decoder, &mut stats, &frame, |decoded| {
                let flow = key(decoded);
                let own = each
                    .iter_mut()
                    .filter(|it| it.flow == flow && !it.is_over(&frame));
                for own in own {
                    let mut hand = SegmentSink {
                        frame: &frame,
                        found: &mut own.found,
                    };
                    own.partition.take(&flow, decoded, &mut hand);
                }
            });
        }
    }
    let end = stats.end();
    let each = each.into_iter().zip(wanted);
    Ok(each.map(|(own, wanted)| own.finish(end, wanted)).collect())
}

/// A connection that is looked for.
struct WantedConnection {
    flow: FlowKey,
    partition: Partition,
    found: RereadSoFar,
}

impl WantedConnection {
    fn new(wanted: &ConnectionSummary, keys: &KeyStore) -> Self {
        Self {
            flow: FlowKey::new(wanted.client, wanted.server, wanted.context),
            partition: Partition::new(keys).with_annotations(),
            found: RereadSoFar::new(wanted.first, until(wanted)),
        }
    }

    /// Whether neither this frame nor a later one belongs to it.
    fn is_over(&self, frame: &Frame<'_>) -> bool {
        frame.time > self.found.until && frame.number > self.found.wanted.frame
    }

    fn finish(mut self, end: Timestamp, wanted: &ConnectionSummary) -> Option<RereadConnection> {
        let nothing = Frame {
            number: wanted.first.frame,
            time: end,
            link: LinkType(0),
            interface: 0,
            length: 0,
            passage: Passage::Unknown,
            data: &[],
        };
        let mut hand = SegmentSink {
            frame: &nothing,
            found: &mut self.found,
        };
        let _ = self.partition.finish(end, &mut hand);
        self.found.finish(wanted)
    }
}

/// The time up to which frames may belong to a connection.
pub(super) fn until(summary: &ConnectionSummary) -> Timestamp {
    let closed = matches!(
        summary.client_state,
        Standing::In(State::Closed | State::TimeWait)
    );
    match summary.how {
        How::Fin | How::Reset(_) if closed => summary.last.after(PATIENCE),
        // Only the end of the input shows that nothing more came.
        _ => Timestamp::from_nanos(i64::MAX),
    }
}

/// What was found so far.
struct RereadSoFar {
    wanted: FrameRef,
    until: Timestamp,
    /// The first segment of the connection that the steps belong to.
    first: Option<FrameRef>,
    record: Option<Connection>,
    beginning: Vec<(FlowEnd, RereadSegment)>,
    end: VecDeque<(FlowEnd, RereadSegment)>,
    bytes: [usize; 2],
    left_out: u64,
}

/// A sink that knows the frame being processed.
struct SegmentSink<'a> {
    frame: &'a Frame<'a>,
    found: &'a mut RereadSoFar,
}

impl Sink for SegmentSink<'_> {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Segment {
                first,
                from,
                segment,
                standings,
            } => self
                .found
                .segment(first, from, segment, standings, self.frame),
            Event::Settled(connection) => self.found.settled(*connection),
        }
    }

    fn wants_segments(&self) -> bool {
        true
    }
}

impl RereadSoFar {
    const fn new(wanted: FrameRef, until: Timestamp) -> Self {
        Self {
            wanted,
            until,
            first: None,
            record: None,
            beginning: Vec::new(),
            end: VecDeque::new(),
            bytes: [0; 2],
            left_out: 0,
        }
    }

    fn segment(
        &mut self,
        first: FrameRef,
        from: FlowEnd,
        segment: &Segment<'_>,
        standings: [Standing; 2],
        frame: &Frame<'_>,
    ) {
        // The connection that holds the wanted frame is the last one to begin at that frame or before. In this reread
        // it may begin earlier than the first time, when other connections had caused it to be evicted.
        match self.first {
            Some(before) if before == first => {}
            // A connection that begins later is another one, unless the source no longer has the beginning.
            Some(_) if first.frame > self.wanted.frame => return,
            Some(before) if before.frame > first.frame => return,
            _ if first.time > self.until => return,
            _ => {
                *self = Self {
                    first: Some(first),
                    ..Self::new(self.wanted, self.until)
                };
            }
        }
        let step = RereadSegment {
            from: Who::Client,
            standings,
            segment: Segment {
                payload: &[],
                bytes: &[],
                ..*segment
            },
            link: frame.link,
            length: frame.length,
            interface: frame.interface,
            data: frame.data.into(),
            payload: payload(frame.data, segment.payload),
            header: segment.bytes.len().saturating_sub(segment.payload.len()),
        };
        let weight = step.weight();
        if self.end.is_empty()
            && self.beginning.len() < MAX_STEPS
            && self.bytes[0] + weight <= MAX_BYTES
        {
            self.bytes[0] += weight;
            self.beginning.push((from, step));
            return;
        }
        self.bytes[1] += weight;
        self.end.push_back((from, step));
        while self.end.len() > MAX_STEPS || self.bytes[1] > MAX_BYTES {
            let Some((_, gone)) = self.end.pop_front() else {
                break;
            };
            self.bytes[1] = self.bytes[1].saturating_sub(gone.weight());
            self.left_out += 1;
        }
    }

    fn settled(&mut self, connection: Connection) {
        if Some(connection.first) == self.first {
            self.record = Some(connection);
        }
    }

    fn finish(self, wanted: &ConnectionSummary) -> Option<RereadConnection> {
        let mut connection = self.record?;
        connection.id = wanted.id;
        let before_gap = self.beginning.len();
        let first = self.beginning.first()?;
        let a = match first.0 {
            FlowEnd::A => first.1.segment.source,
            FlowEnd::B => first.1.segment.destination,
        };
        let swapped = a != connection.client;
        let steps = self.beginning.into_iter().chain(self.end);
        let steps = steps.map(|(from, mut step)| {
            step.from = match (from, swapped) {
                (FlowEnd::A, false) | (FlowEnd::B, true) => Who::Client,
                (FlowEnd::B, false) | (FlowEnd::A, true) => Who::Server,
            };
            if swapped {
                step.standings.swap(0, 1);
            }
            step
        });
        Some(RereadConnection {
            steps: steps.collect(),
            connection,
            left_out: self.left_out,
            before_gap,
            begins_late: self.first.is_some_and(|it| it.frame > wanted.first.frame),
        })
    }
}

impl RereadSegment {
    fn weight(&self) -> usize {
        let apart = match &self.payload {
            PayloadPlace::Within(_) => 0,
            PayloadPlace::Apart(bytes) => bytes.len(),
        };
        self.data.len() + apart
    }
}

/// The place of a payload in its frame, else a copy of it.
fn payload(frame: &[u8], payload: &[u8]) -> PayloadPlace {
    let start = (payload.as_ptr() as usize).checked_sub(frame.as_ptr() as usize);
    match start {
        _ if payload.is_empty() => PayloadPlace::Within(0..0),
        Some(start) if start + payload.len() <= frame.len() => {
            PayloadPlace::Within(start..start + payload.len())
        }
        _ => PayloadPlace::Apart(payload.into()),
    }
}
