//! A connection that is ordinary so far: handshake, one request and its response, close, each segment next in its
//! order.
//!
//! Most connections of most captures are like this until their end. They are not tracked. Each segment is noted in forty
//! bytes, with the head in it; beside the notes stands only what each side's segments have in common ([`PlainEnd`]). When
//! the connection has ended, its summary follows from these notes ([`PlainConnection::summary`]). With the first segment that does not fit, the notes are passed to a
//! [`ConnectionTracker`] ([`PlainConnection::replay`]). It then knows what it would know if it had followed from the
//! start. Nothing else depends on the way that a connection took.

use std::time::Duration;

use super::record::Predecessor;
use super::summary::{ConnectionSummary, Marks, OutcomeSet, PlainTexts, gave_way_after, millis};
use super::summary::{micros, persists};
use super::tracker::{ConnectionTracker, PredecessorState};
use super::{
    By, Certainty, ConnectionOutcome, FineReason, How, Opening, Phase, Roles, Standing, State,
};
use crate::base::flow_end::FlowEnd;
use crate::base::frame_ref::{FrameNumber, FrameRef};
use crate::base::net::{Context, Endpoint, Flags};
use crate::base::passage::Passage;
use crate::base::seq::Seq;
use crate::base::time::Timestamp;
use crate::packet::decode::{Segment, TcpOptions, TimestampOption};
use crate::protocol::http::{
    Exchange, Method, PlainMessage, Protocol, Request, Response, TextInterner, plain_request,
    plain_response,
};
use crate::protocol::layers::LayerOptions;
use crate::protocol::tcp::may_be_padding;

/// A close this soon after the response has no timer behind it.
const AT_ONCE: Duration = Duration::from_millis(100);
/// Bytes of a body that are noted: those that tell a forged segment from the real one are among them.
const BODY_START: usize = 24;
/// The same of its end.
const BODY_END: usize = 8;
/// The notes of SYN and SYN-ACK.
const OPENING: usize = 2;
/// Notes for which room is made at a time.
const STEP: usize = 4;

/// What became of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PlainStep {
    /// It was noted.
    Noted,
    /// It was noted, and with it both sides have closed.
    Over,
    /// It does not fit. Nothing has changed.
    Unfit,
}

/// A connection that is plain so far. SYN and SYN-ACK are its first notes.
#[derive(Clone, Debug)]
pub(crate) struct PlainConnection {
    notes: PlainNotes,
    /// The frame of the SYN.
    first: FrameRef,
    endpoints: [Endpoint; 2],
    ends: [PlainEnd; 2],
    context: Context,
    over: bool,
}

/// What is noted of its segments; the next connection has the room for them after it.
#[derive(Clone, Debug, Default)]
pub(crate) struct PlainNotes(Box<Notes>);

#[derive(Clone, Debug, Default)]
struct Notes {
    segments: Vec<NotedSegment>,
    /// What is kept of their payloads.
    bytes: Vec<u8>,
    request: Option<AskedPlainly>,
    response: Option<AnsweredPlainly>,
    predecessor: Option<Predecessor>,
}

/// One of its ends: where its sequence numbers are, and what is the same in all its segments.
#[derive(Clone, Copy, Debug)]
struct PlainEnd {
    /// The number of its SYN.
    start: Seq,
    /// The number of its next byte.
    next: Seq,
    /// The number that it acknowledged last.
    acked: Seq,
    link_digest: u32,
    interface: u32,
    vlan: u16,
    /// The note of its FIN.
    fin: Option<u16>,
    ttl: u8,
    has_ip_id: bool,
    passage: Passage,
    options: SynOptions,
}

/// The options of a SYN beside timestamps.
#[derive(Clone, Copy, Debug)]
struct SynOptions {
    mss: Option<u16>,
    window_scale: Option<u8>,
    sack_permitted: bool,
    fast_open: bool,
    any: bool,
}

impl PlainEnd {
    /// The end that sends this SYN, and has acknowledged this much.
    fn begun(syn: &Segment<'_>, acked: Seq) -> Self {
        let TcpOptions {
            mss,
            window_scale,
            sack_permitted,
            fast_open,
            any,
            ..
        } = syn.options;
        Self {
            start: syn.seq,
            next: syn.seq.add(1),
            acked,
            link_digest: syn.link_digest,
            interface: syn.interface,
            vlan: syn.vlan,
            fin: None,
            ttl: syn.ttl,
            has_ip_id: syn.ip_id.is_some(),
            passage: syn.passage,
            options: SynOptions {
                mss,
                window_scale,
                sack_permitted,
                fast_open,
                any,
            },
        }
    }

    /// Bytes that it has sent.
    fn bytes(&self) -> u64 {
        let numbers = self.next.from(self.start).unsigned_abs();
        u64::from(numbers.saturating_sub(1 + u32::from(self.fin.is_some())))
    }

    /// Whether a segment is like the ones before in all that is not noted.
    fn is_like(&self, segment: &Segment<'_>) -> bool {
        segment.ttl == self.ttl
            && segment.vlan == self.vlan
            && segment.link_digest == self.link_digest
            && segment.interface == self.interface
            && segment.passage == self.passage
            && segment.ip_id.is_some() == self.has_ip_id
    }
}

#[derive(Clone, Copy, Debug)]
struct NotedSegment {
    time: Timestamp,
    /// Frames after the SYN.
    after: u32,
    ack: Seq,
    stamps: Option<TimestampOption>,
    ip_id: u16,
    window: u16,
    length: u16,
    /// Bytes kept of its payload.
    kept: u16,
    flags: Flags,
    from: FlowEnd,
}

#[derive(Clone, Copy, Debug)]
struct AskedPlainly {
    message: PlainMessage,
    method: Method,
    texts: PlainTexts,
    first: FrameRef,
    last: FrameRef,
    /// Bytes of its body that are still to come.
    left: u64,
}

#[derive(Clone, Copy, Debug)]
struct AnsweredPlainly {
    message: PlainMessage,
    status: u16,
    first: FrameRef,
    last: FrameRef,
    left: u64,
}

/// What the payload of a segment is.
enum Words {
    None,
    Request(AskedPlainly),
    RequestBody(u64),
    Response(AnsweredPlainly),
    ResponseBody(u64),
}

impl PlainConnection {
    /// The connection that `syn` and its answer begin, if that is plain, too. It takes one of `room` if it is.
    pub(crate) fn begun(
        syn: &Segment<'static>,
        answer: &Segment<'_>,
        predecessor: Option<PredecessorState>,
        room: &mut Vec<PlainNotes>,
    ) -> Option<Self> {
        let answers = answer.flags.0 == Flags::SYN.with(Flags::ACK).0
            && answer.source == syn.destination
            && answer.source != syn.source
            && answer.ack == syn.seq.add(1)
            && answer.length == 0
            && answer.time >= syn.time
            && is_ordinary(answer)
            && is_ordinary(syn);
        if !answers || answer.options.sack_count > 0 || syn.options.sack_count > 0 {
            return None;
        }
        let after = answer.frame.0.checked_sub(syn.frame.0)?;
        let after = u32::try_from(after).ok()?;
        let mut plain = Self {
            notes: room.pop().unwrap_or_default(),
            first: FrameRef {
                frame: syn.frame,
                time: syn.time,
            },
            endpoints: [syn.source, syn.destination],
            ends: [
                PlainEnd::begun(syn, answer.seq),
                PlainEnd::begun(answer, answer.ack),
            ],
            context: syn.context,
            over: false,
        };
        plain.notes.0.predecessor = predecessor.map(|it| it.before(syn.source));
        plain.note(FlowEnd::A, syn, 0, &Words::None);
        plain.note(FlowEnd::B, answer, after, &Words::None);
        Some(plain)
    }

    /// The room for the notes of another connection; this one is settled.
    pub(crate) fn into_room(self) -> PlainNotes {
        let mut notes = self.notes;
        notes.0.segments.clear();
        notes.0.bytes.clear();
        (notes.0.request, notes.0.response) = (None, None);
        notes
    }

    /// Its first segment.
    pub(crate) const fn first(&self) -> FrameRef {
        self.first
    }

    /// Whether both sides have closed.
    pub(crate) const fn is_over(&self) -> bool {
        self.over
    }

    /// The VLAN of each end's first segment.
    pub(crate) fn vlans(&self) -> [Option<u16>; 2] {
        self.ends.map(|end| Some(end.vlan))
    }

    /// The state to keep of it for the next connection on its addresses and ports, once both sides have closed.
    pub(crate) fn predecessor_state(&self) -> PredecessorState {
        let waits = FlowEnd::BOTH.map(|end| self.closed_first() == Some(end));
        PredecessorState::of_plain(self.last(), self.endpoints, waits)
    }

    fn last(&self) -> FrameRef {
        let noted = self.notes.0.segments.last();
        noted.map_or(self.first, |it| self.at(it))
    }

    const fn at(&self, noted: &NotedSegment) -> FrameRef {
        FrameRef {
            frame: FrameNumber(self.first.frame.0 + noted.after as u64),
            time: noted.time,
        }
    }

    /// The FIN of an end.
    fn fin(&self, end: FlowEnd) -> Option<FrameRef> {
        let noted = usize::from(end.of(&self.ends).fin?);
        self.notes.0.segments.get(noted).map(|it| self.at(it))
    }

    /// The end whose FIN came first, if both have sent one.
    fn closed_first(&self) -> Option<FlowEnd> {
        let [a, b] = &self.ends;
        a.fin.zip(b.fin).map(|(a, b)| match a < b {
            true => FlowEnd::A,
            false => FlowEnd::B,
        })
    }

    /// Notes the next segment, if it fits; `most` is how many are noted.
    pub(crate) fn take(
        &mut self,
        segment: &Segment<'_>,
        most: usize,
        texts: &mut TextInterner,
    ) -> PlainStep {
        let from = match segment.source == self.endpoints[0] {
            true => FlowEnd::A,
            false => FlowEnd::B,
        };
        let noted = self.notes.0.segments.len();
        if noted >= most.saturating_add(OPENING) || self.over || !self.is_next(from, segment) {
            return PlainStep::Unfit;
        }
        let at = FrameRef {
            frame: segment.frame,
            time: segment.time,
        };
        let Some(words) = self.words(from, segment, at, texts) else {
            return PlainStep::Unfit;
        };
        if segment.flags.has(Flags::FIN) && !(self.is_told(&words) && self.knows_all(from, segment))
        {
            return PlainStep::Unfit;
        }
        let after = segment.frame.0.checked_sub(self.first.frame.0);
        let after = after.and_then(|it| u32::try_from(it).ok());
        let Some((after, noted)) = after.zip(u16::try_from(noted).ok()) else {
            return PlainStep::Unfit;
        };
        self.note(from, segment, after, &words);
        self.hear(words, at);
        let [a, b] = &mut self.ends;
        let (own, other) = match from {
            FlowEnd::A => (a, b),
            FlowEnd::B => (b, a),
        };
        own.next = own.next.add(segment.seq_len());
        own.acked = segment.ack;
        if segment.flags.has(Flags::FIN) {
            own.fin = Some(noted);
        }
        self.over = own.fin.is_some() && other.fin.is_some() && own.acked == other.next;
        // The FIN that answers the other has to be acknowledged as well.
        self.over &= !segment.flags.has(Flags::FIN);
        match self.over {
            true => PlainStep::Over,
            false => PlainStep::Noted,
        }
    }

    /// Whether a segment is the next of its sender, and like the ones before in all that is not noted.
    fn is_next(&self, from: FlowEnd, segment: &Segment<'_>) -> bool {
        let (own, other) = (from.of(&self.ends), from.other().of(&self.ends));
        let flags = segment.flags.0 & !(Flags::PSH.0 | Flags::FIN.0);
        let fin = segment.flags.has(Flags::FIN);
        let empty = segment.length == 0 && !fin;
        let advances = segment.ack.from(own.acked) > 0;
        // The first segment completes the handshake.
        let notes = &self.notes.0.segments;
        let is_third = notes.len() == OPENING;
        let due = notes.last().is_some_and(|last| segment.time >= last.time)
            && (!is_third || from == FlowEnd::A && segment.ack == other.next);
        flags == Flags::ACK.0
            && due
            && segment.seq == own.next
            && (advances || segment.ack == own.acked && !empty)
            && other.next.from(segment.ack) >= 0
            && (own.fin.is_none() || empty)
            && is_ordinary(segment)
            && own.is_like(segment)
            && is_stamped_alone(&segment.options)
    }

    /// What the payload of a segment is; `None` if it is not plain.
    fn words(
        &self,
        from: FlowEnd,
        segment: &Segment<'_>,
        at: FrameRef,
        texts: &mut TextInterner,
    ) -> Option<Words> {
        let length = u64::from(segment.length);
        if length == 0 {
            return Some(Words::None);
        }
        let left = |message: &PlainMessage| {
            let body = length.checked_sub(message.head_len.into())?;
            message.body.checked_sub(body)
        };
        match (from, &self.notes.0.request, &self.notes.0.response) {
            (FlowEnd::A, None, None) => {
                let read = plain_request(segment.payload, texts)?;
                Some(Words::Request(AskedPlainly {
                    message: read.message,
                    method: read.method,
                    texts: PlainTexts::of(&read),
                    first: at,
                    last: at,
                    left: left(&read.message)?,
                }))
            }
            (FlowEnd::A, Some(request), None) => {
                Some(Words::RequestBody(request.left.checked_sub(length)?))
            }
            (FlowEnd::B, Some(request), None) if request.left == 0 => {
                let read = plain_response(segment.payload, request.method, texts)?;
                Some(Words::Response(AnsweredPlainly {
                    message: read.message,
                    status: read.status,
                    first: at,
                    last: at,
                    left: left(&read.message)?,
                }))
            }
            (FlowEnd::B, _, Some(response)) => {
                Some(Words::ResponseBody(response.left.checked_sub(length)?))
            }
            _ => None,
        }
    }

    /// Whether request and response are complete with these words.
    fn is_told(&self, words: &Words) -> bool {
        match words {
            Words::Response(response) => response.left == 0,
            Words::ResponseBody(left) => *left == 0,
            Words::None => {
                let response = self.notes.0.response.as_ref();
                response.is_some_and(|response| response.left == 0)
            }
            Words::Request(_) | Words::RequestBody(_) => false,
        }
    }

    /// Whether its sender had received all that the other had sent.
    fn knows_all(&self, from: FlowEnd, segment: &Segment<'_>) -> bool {
        segment.ack == from.other().of(&self.ends).next
    }

    fn hear(&mut self, words: Words, at: FrameRef) {
        let Notes {
            request: asked,
            response: answered,
            ..
        } = &mut *self.notes.0;
        match words {
            Words::None => {}
            Words::Request(request) => *asked = Some(request),
            Words::Response(response) => *answered = Some(response),
            Words::RequestBody(left) => {
                if let Some(request) = asked {
                    (request.left, request.last) = (left, at);
                }
            }
            Words::ResponseBody(left) => {
                if let Some(response) = answered {
                    (response.left, response.last) = (left, at);
                }
            }
        }
    }

    fn note(&mut self, from: FlowEnd, segment: &Segment<'_>, after: u32, words: &Words) {
        let head = match words {
            Words::Request(request) => request.message.head_len as usize,
            Words::Response(response) => response.message.head_len as usize,
            Words::None | Words::RequestBody(_) | Words::ResponseBody(_) => 0,
        };
        let payload = segment.payload;
        let start = head + BODY_START;
        let Notes {
            segments, bytes, ..
        } = &mut *self.notes.0;
        let kept = payload.len().min(start + BODY_END);
        // Where very many are open, most of what is held are notes: they grow in small steps.
        bytes.reserve_exact(kept);
        if segments.len() == segments.capacity() {
            segments.reserve_exact(STEP);
        }
        match payload.len() > kept {
            true => {
                let (start, rest) = payload.split_at(start);
                bytes.extend_from_slice(start);
                bytes.extend_from_slice(&rest[rest.len() - BODY_END..]);
            }
            false => bytes.extend_from_slice(payload),
        }
        segments.push(NotedSegment {
            time: segment.time,
            after,
            ack: segment.ack,
            stamps: segment.options.timestamps,
            ip_id: segment.ip_id.unwrap_or(0),
            window: segment.window,
            length: segment.length as u16,
            kept: kept as u16,
            flags: segment.flags,
            from,
        });
    }

    /// The tracker that has followed the connection so far.
    pub(crate) fn replay(
        &self,
        layer_options: LayerOptions,
        texts: &mut TextInterner,
    ) -> Box<ConnectionTracker> {
        let Notes {
            segments,
            bytes,
            predecessor,
            ..
        } = &*self.notes.0;
        let mut live = Box::new(ConnectionTracker::begun(
            self.first,
            self.endpoints,
            self.context,
            *predecessor,
        ));
        live.set_layer_options(layer_options);
        let mut next = self.ends.map(|end| end.start);
        let mut bytes = &bytes[..];
        let mut payload = Vec::new();
        for noted in segments {
            let (kept, rest) = bytes.split_at(usize::from(noted.kept));
            bytes = rest;
            payload.clear();
            payload.extend_from_slice(kept);
            if noted.kept < noted.length {
                // What was left out is a part of a body: nobody looks at it.
                let end = payload.len() - BODY_END;
                payload.truncate(end);
                payload.resize(usize::from(noted.length) - BODY_END, 0);
                payload.extend_from_slice(&kept[end..]);
            }
            let seq = noted.from.of_mut(&mut next);
            let segment = self.segment(noted, *seq, &payload);
            *seq = seq.add(segment.seq_len());
            live.segment(noted.from, &segment, texts);
        }
        live
    }

    fn segment<'a>(&self, noted: &NotedSegment, seq: Seq, payload: &'a [u8]) -> Segment<'a> {
        let own = noted.from.of(&self.ends);
        let options = TcpOptions {
            timestamps: noted.stamps,
            any: noted.stamps.is_some(),
            ..TcpOptions::default()
        };
        let SynOptions {
            mss,
            window_scale,
            sack_permitted,
            fast_open,
            any,
        } = own.options;
        Segment {
            frame: self.at(noted).frame,
            time: noted.time,
            interface: own.interface,
            context: self.context,
            vlan: own.vlan,
            link_digest: own.link_digest,
            source: *noted.from.of(&self.endpoints),
            destination: *noted.from.other().of(&self.endpoints),
            ttl: own.ttl,
            ip_id: own.has_ip_id.then_some(noted.ip_id),
            seq,
            ack: noted.ack,
            flags: noted.flags,
            window: noted.window,
            urgent: 0,
            options: match noted.flags.has(Flags::SYN) {
                true => TcpOptions {
                    mss,
                    window_scale,
                    sack_permitted,
                    fast_open,
                    any,
                    ..options
                },
                false => options,
            },
            length: noted.length.into(),
            passage: own.passage,
            payload,
            bytes: &[],
        }
    }

    /// Its summary, if its end was plain, too: no rule has anything to say of it, and nothing is kept but this.
    pub(crate) fn summary(&self) -> Option<ConnectionSummary> {
        let first = self.closed_first().filter(|_| self.over)?;
        let notes = &*self.notes.0;
        let (request, response) = (notes.request.as_ref()?, notes.response.as_ref()?);
        let exchange = exchange(request, response);
        let close = self.fin(first)?;
        let second = self.fin(first.other())?;
        let pause = close.time.since(response.last.time);
        let announced = exchange.closes().is_some();
        let predecessor = notes.predecessor;
        let waited = predecessor.is_some_and(|before| before.waits[0]);
        // A server that closes without a word about it is worth a note.
        if pause >= AT_ONCE || waited || !announced && first == FlowEnd::B {
            return None;
        }
        let opened = notes.segments.get(OPENING)?.time.since(self.first.time);
        let [by, client_state, server_state] = match first {
            FlowEnd::A => [State::TimeWait, State::TimeWait, State::Closed],
            FlowEnd::B => [State::Closed, State::Closed, State::TimeWait],
        };
        let by_client = by == State::TimeWait;
        let responds = persists(exchange.response.as_ref().map(|it| &it.message)?);
        Some(ConnectionSummary {
            id: 0,
            first: self.first,
            last: self.last().time,
            close,
            client_time_wait: by_client.then_some(second),
            client: self.endpoints[0],
            server: self.endpoints[1],
            context: self.context,
            exchanges: 1,
            server_says_close: response.message.says_close(),
            server_persists: responds,
            client_persists: persists(exchange.request.as_ref().map(|it| &it.message)?),
            server_time_wait: !by_client,
            seen: [true; 2],
            spoke: [true; 2],
            missing: false,
            both_sent_data: false,
            retransmitted: 0,
            icmp: None,
            syn_retries: 0,
            marks: Marks::of_plain(
                request.texts.load_generator,
                self.ends[0].passage == Passage::Both,
            ),
            syn_acks: 1,
            prompt: 0,
            status: response.status,
            connected_after: micros(opened),
            asked: request.texts.asked,
            name: request.texts.name,
            retried: [request.texts.retried; 2],
            lost: None,
            waited: micros(response.first.time.since(request.last.time)),
            idle: millis(pause),
            reused_after: 0,
            gave_way_after: gave_way_after(predecessor, self.first.time),
            client_ttl: self.ends[0].ttl,
            server_ttl: self.ends[1].ttl,
            client_state: Standing::In(client_state),
            server_state: Standing::In(server_state),
            bytes: self.ends.map(|end| end.bytes()),
            outcomes: OutcomeSet::COMPLETE,
            certainty: Certainty::Certain,
            roles: Roles::Handshake,
            opening: Opening::Handshake,
            by: match by_client {
                true => By::Client,
                false => By::Server,
            },
            how: How::Fin,
            phase: match announced {
                true => Phase::After,
                false => Phase::Between,
            },
            orderly: true,
            outcome: ConnectionOutcome::Fine(FineReason::Complete),
            protocol: Protocol::Http1,
        })
    }
}

/// The exchange, without its texts.
fn exchange(request: &AskedPlainly, response: &AnsweredPlainly) -> Exchange {
    Exchange {
        request: Some(Request {
            message: request.message.complete(request.first, request.last),
            target: None,
            host: None,
            user_agent: None,
            method: request.method,
            forwarded: false,
            accepts_coding: false,
        }),
        response: Some(Response {
            message: response.message.complete(response.first, response.last),
            server: None,
            status: response.status,
        }),
        ..Exchange::default()
    }
}

/// Whether a segment has nothing that must be tracked and was captured whole.
fn is_ordinary(segment: &Segment<'_>) -> bool {
    segment.urgent == 0
        && !segment.passage.is_one_sided()
        && segment.window != 0
        && segment.length <= u16::MAX.into()
        && segment.payload.len() == segment.length as usize
        && !may_be_padding(segment)
        && !segment.options.malformed
}

/// Whether there are no options but timestamps.
fn is_stamped_alone(options: &TcpOptions) -> bool {
    options.any == options.timestamps.is_some()
        && options.sack_count == 0
        && options.mss.is_none()
        && options.window_scale.is_none()
        && !(options.sack_permitted || options.fast_open || options.fast_close)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::connection::Connection;
    use crate::analysis::engine::{Engine, Event, Sink};

    /// Takes summaries and counts records.
    #[derive(Default)]
    struct Settled {
        plain: Vec<ConnectionSummary>,
        tracked: Vec<Connection>,
    }

    impl Sink for Settled {
        fn event(&mut self, event: Event<'_>) {
            if let Event::Settled(connection) = event {
                self.tracked.push(*connection);
            }
        }

        fn plain_segments(&self) -> usize {
            32
        }

        fn settled_plainly(&mut self, summary: ConnectionSummary, record: &dyn Fn() -> Connection) {
            assert_eq!(ConnectionSummary::from(&record()), summary);
            self.plain.push(summary);
        }
    }

    fn settled(text: &str) -> Settled {
        let ladder = crate::ladder::parse(text).expect("a ladder");
        let (mut engine, mut settled) = (Engine::new(), Settled::default());
        for frame in crate::ladder::frames(&ladder) {
            engine.frame(&frame.frame(), &mut settled);
        }
        let _ = engine.finish(&mut settled);
        settled
    }

    const OPEN: &str = "SYN -->\n<-- SYN\nACK -->\n";
    const ASKED: &str = "SYN -->\n<-- SYN\nACK -->\nGET /a [user-agent=wrk/4] -->\n";
    const LAST: &str = "<-- FIN\nFIN -->\n<-- ACK\n";
    const LEFT: &str = "FIN -->\n<-- FIN\nACK -->\n";

    #[test]
    fn a_plain_connection_is_small() {
        let size = size_of::<PlainConnection>();
        assert!(size <= 184, "{size}");
        assert!(size_of::<NotedSegment>() <= 40);
    }

    #[test]
    fn ordinary_connections_are_not_tracked() {
        for (before, rest, after) in [
            (ASKED, "<-- 200 \"one\" [close]\n", LAST),
            (ASKED, "<-- 200 \"one\"\nACK -->\n", LEFT),
            (ASKED, "<-- ACK\n<-- 204 [close server=nginx]\n", LAST),
            (ASKED, "<-- 304\n", LEFT),
            (
                ASKED,
                "<-- 200 data 1000 [length=2500 close]\n<-- data 1500\nACK -->\n",
                LAST,
            ),
            (
                OPEN,
                "POST /b data 9 [length=20] -->\ndata 11 -->\n<-- 200 \"two\"\n",
                LEFT,
            ),
            (
                OPEN,
                "GET / [http=1.0] -->\n<-- 200 FIN \"x\"\n",
                "FIN -->\n<-- ACK\n",
            ),
        ] {
            let text = [before, rest, after].concat();
            let settled = settled(&text);
            let counts = (settled.plain.len(), settled.tracked.len());
            assert_eq!(counts, (1, 0), "{text}");
        }
    }

    #[test]
    fn everything_else_is_tracked() {
        for rest in [
            "<-- 200 \"one\" [close]\n<-- FIN\nRST -->\n",
            "<-- 200 \"one\" [close]\n<-- FIN\nFIN -->\n<-- ACK\n<-- RST\n",
            "<-- 200 \"one\"\n<-- FIN\nFIN -->\n<-- ACK\n",
            "<-- 200 \"one\" [close]\n+1s <-- FIN\nFIN -->\n<-- ACK\n",
            "<-- 404 \"none\" [close]\n<-- FIN\nFIN -->\n<-- ACK\n",
            "<-- 200 \"one\" [chunked close]\n<-- FIN\nFIN -->\n<-- ACK\n",
            "<-- 200 data 5 [length=9 close]\n<-- FIN\nFIN -->\n<-- ACK\n",
            "<-- 200 \"one\" [close]\n<-- again\n<-- FIN\nFIN -->\n<-- ACK\n",
            "<-- 200 \"one\" [close]\n<-- FIN\nACK [win=0] -->\nFIN -->\n<-- ACK\n",
            "<-- 200 \"one\" [close]\n<-- FIN [ttl=9]\nFIN -->\n<-- ACK\n",
            "<-- 200 \"one\"\nGET /b -->\n<-- 200 \"two\"\nFIN -->\n<-- FIN\nACK -->\n",
            "<~~ 200 \"one\" [close]\n<-- FIN\nFIN -->\n<-- ACK\n",
            "<-- 200 \"one\" [close]\n<-- FIN\nFIN [crossed] -->\n<-- ACK\nACK -->\n",
            "FIN -->\n<-- 200 \"one\" [close]\n<-- FIN\nACK -->\n",
            "<-- 200 \"one\" [close]\n<-- FIN\nFIN -->\n",
            "<-- 200 \"one\" [close]\n",
        ] {
            let text = [ASKED, rest].concat();
            let settled = settled(&text);
            let counts = (settled.plain.len(), settled.tracked.len());
            assert_eq!(counts, (0, 1), "{text}");
        }
    }

    #[test]
    fn the_one_before_is_known() {
        let ordinary = [ASKED, "<-- 200 \"one\" [close]\n", LAST].concat();
        // Enough of them that the first ones are settled when their ports are used again.
        let text = format!(
            "client :40001 [times=600 every=5ms] server\n{ordinary}client :40001 server\n+20s {ordinary}"
        );
        let mut settled = settled(&text);
        assert_eq!((settled.plain.len(), settled.tracked.len()), (1200, 0));
        settled.plain.sort_by_key(|summary| summary.first);
        let knows = |it: &&ConnectionSummary| it.gave_way_after.is_some();
        let (first, second) = settled.plain.split_at(600);
        assert_eq!(first.iter().filter(knows).count(), 0);
        assert!(second.iter().filter(knows).count() > 500);
        assert!(second.iter().all(ConnectionSummary::by_load_generator));
    }
}
