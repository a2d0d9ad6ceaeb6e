//! A connection that still receives segments.
//!
//! In: its segments in capture order, and ICMP errors about it. Out: the settled [`Connection`].

use std::sync::Arc;
use std::time::Duration;

use super::judgement;
use super::outcome::{ConnectionOutcome, UnknownReason};
use super::record::{
    Connection, InFlight, Predecessor, SentTotals, SettledBecause, SkippedBytes, Turns,
    UnansweredSegments, Who, least_answer_time,
};
use super::verdict;
use crate::base::flow_end::FlowEnd;
use crate::base::frame_ref::FrameRef;
use crate::base::net::{Context, Endpoint, Flags, Quote, QuoteKind};
use crate::base::passage::Passage;
use crate::base::time::Timestamp;
use crate::packet::decode::Segment;
use crate::protocol::http::{Protocol, TextInterner};
use crate::protocol::layers::{LayerFacts, LayerOptions, ProtocolStack};
use crate::protocol::tcp::{CloseEvent, EndpointPair, SegmentResult, Standing, StreamSink};

/// How a segment relates to a connection with the same addresses and ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SegmentMatch {
    /// It belongs to the connection.
    Ours,
    /// It begins a new connection on the same addresses and ports.
    Fresh,
    /// It belongs to the previous connection, whose sequence numbers it carries.
    Before,
}

/// What the limits of one connection discarded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Evicted {
    /// Directions in which a hole was skipped because too much data waited behind it.
    pub holes: u64,
    /// Exchanges evicted because the connection had too many.
    pub exchanges: u64,
    /// How often unfinished elements were cut short, because the total of waiting bytes was too large.
    pub unfinished: u64,
    /// Tunnels inside tunnels that were not looked into.
    pub tunnels: u64,
    /// How often decryption was given up, or read early data before it was known to be accepted.
    pub decryption: u64,
    /// How often every other place of decrypted data was dropped.
    pub places: u64,
}

/// What one connection holds of its streams. The engine limits the total over all connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeldBytes {
    /// Bytes that wait for the end of their head, handshake message or record.
    pub waiting: usize,
    /// Bytes of exchanges.
    pub exchanges: usize,
}

impl HeldBytes {
    fn of(stack: &ProtocolStack) -> Self {
        Self {
            waiting: stack.waiting_bytes(),
            exchanges: stack.exchange_bytes(),
        }
    }
}

/// A segment that is so much older than the one before it was not captured after it: what several queues of one card bring out of
/// order is less apart.
const OUT_OF_ORDER: Duration = Duration::from_millis(10);
/// A clock that is set back makes one such segment.
const ONE_STEP: u16 = 1;

/// A connection that is not settled yet.
#[derive(Clone, Debug)]
pub struct ConnectionTracker {
    /// The endpoints, in the order of [`FlowEnd`].
    pub(super) endpoints: [Endpoint; 2],
    pub(super) context: Context,
    pub(super) first: FrameRef,
    pub(super) last: FrameRef,
    pub(super) pair: EndpointPair,
    pub(super) parsed: ParsedStreams,
    /// How often unfinished elements were cut short.
    unfinished: u32,
    /// Segments that are older than the one captured before them.
    disordered: u16,
    pub(super) icmp: Option<Box<Quote>>,
    pub(super) predecessor: Option<Predecessor>,
    /// An acknowledgement of the previous connection, sent while this one was opened.
    pub(super) challenge: Option<FrameRef>,
}

/// What is kept of a finished connection for the next one on its addresses and ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PredecessorState {
    /// Its last segment.
    pub last: FrameRef,
    /// Its end A.
    first: Endpoint,
    /// Whether each end waits, from end A on.
    waits: [bool; 2],
    over: bool,
}

impl PredecessorState {
    /// That of a plain connection that is over.
    pub(crate) const fn of_plain(
        last: FrameRef,
        [first, _]: [Endpoint; 2],
        waits: [bool; 2],
    ) -> Self {
        Self {
            last,
            first,
            waits,
            over: true,
        }
    }

    pub(super) fn before(self, initiator: Endpoint) -> Predecessor {
        let [a, b] = self.waits;
        Predecessor {
            last: self.last,
            waits: if self.first == initiator {
                [a, b]
            } else {
                [b, a]
            },
            over: self.over,
        }
    }
}

/// Unanswered retransmissions and probes from which on they are recorded.
const NOTED: u16 = 2;

impl ConnectionTracker {
    /// Creates the connection that begins with `segment`. `predecessor` is the last known state of the previous
    /// connection on the same addresses and ports.
    #[must_use]
    pub fn new(segment: &Segment<'_>, predecessor: Option<PredecessorState>) -> Self {
        let at = FrameRef {
            frame: segment.frame,
            time: segment.time,
        };
        let answers = segment.flags.has(Flags::SYN) && segment.flags.has(Flags::ACK);
        // The answer to a SYN that was not captured is sent to who called.
        let endpoints = match answers {
            true => [segment.destination, segment.source],
            false => [segment.source, segment.destination],
        };
        let predecessor = predecessor.map(|it| it.before(endpoints[0]));
        Self::begun(at, endpoints, segment.context, predecessor)
    }

    /// The connection whose first segment is at `first`, from the first of these to the second.
    pub(super) fn begun(
        first: FrameRef,
        endpoints: [Endpoint; 2],
        context: Context,
        predecessor: Option<Predecessor>,
    ) -> Self {
        Self {
            endpoints,
            context,
            first,
            last: first,
            pair: EndpointPair::new(),
            parsed: ParsedStreams {
                ports: endpoints.map(|it| it.port),
                ..ParsedStreams::default()
            },
            unfinished: 0,
            disordered: 0,
            icmp: None,
            predecessor,
            challenge: None,
        }
    }

    /// The offset in this end's stream of the first byte of its segment's payload.
    #[must_use]
    pub(crate) fn payload_offset(&self, from: FlowEnd, segment: &Segment<'_>) -> i64 {
        self.pair.peer(from).stream().offset(segment.payload_seq())
    }

    /// Sets how its streams are parsed; call it before the first payload byte.
    pub(crate) fn set_layer_options(&mut self, layer_options: LayerOptions) {
        self.parsed.layer_options = layer_options;
    }

    /// The state to keep of it for the next connection on its addresses and ports.
    #[must_use]
    pub(crate) fn predecessor_state(&self) -> PredecessorState {
        PredecessorState {
            last: self.last,
            first: self.endpoints[0],
            waits: FlowEnd::BOTH.map(|end| self.pair.peer(end).time_wait().is_some()),
            over: self.is_over(),
        }
    }

    /// Records a bare ACK by which the accepting side answers this connection's SYN with the previous connection's
    /// numbers.
    pub(crate) fn note_challenge(&mut self, segment: &Segment<'_>) {
        let bare = segment.flags.has(Flags::ACK)
            && segment.length == 0
            && segment.flags.0 & (Flags::SYN.0 | Flags::FIN.0 | Flags::RST.0) == 0;
        if bare && segment.source == self.endpoints[1] {
            self.challenge.get_or_insert(FrameRef {
                frame: segment.frame,
                time: segment.time,
            });
        }
    }

    /// The end that sent a segment from `source`. For a socket connected to itself it is always `A`.
    #[must_use]
    pub(crate) fn end_of(&self, source: Endpoint) -> FlowEnd {
        if self.endpoints[0] == source {
            FlowEnd::A
        } else {
            FlowEnd::B
        }
    }

    /// Its first segment.
    #[must_use]
    pub const fn first(&self) -> FrameRef {
        self.first
    }

    /// Its last segment so far.
    #[must_use]
    pub const fn last(&self) -> FrameRef {
        self.last
    }

    /// The state of each endpoint, presumed where not proven.
    #[must_use]
    pub fn standings(&self) -> [Standing; 2] {
        FlowEnd::BOTH.map(|end| self.pair.peer(end).presumed())
    }

    /// Both ends have closed, as far as the capture shows.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.pair.is_over()
    }

    /// What its limits discarded.
    #[must_use]
    pub fn limits(&self) -> Evicted {
        let layers = self.parsed.stack.as_ref().map(|stack| stack.limits());
        let layers = layers.unwrap_or_default();
        Evicted {
            tunnels: layers.tunnels,
            decryption: layers.decryption,
            places: layers.places,
            holes: FlowEnd::BOTH
                .iter()
                .filter(|end| self.pair.peer(**end).stream().was_limited())
                .count() as u64,
            exchanges: self.parsed.stack.as_ref().map_or(0, |stack| stack.let_go()),
            unfinished: self.unfinished.into(),
        }
    }

    /// A half-open connection: only a SYN was seen, without an answer. The cheapest connection to evict.
    #[must_use]
    pub(crate) fn is_half_open(&self) -> bool {
        self.parsed.stack.is_none()
            && FlowEnd::BOTH
                .iter()
                .any(|end| self.pair.peer(*end).counts().packets == 0)
    }

    /// The handshake is complete, or the capture began after it: every later segment belongs to this connection.
    #[must_use]
    pub(crate) fn is_established(&self) -> bool {
        FlowEnd::BOTH
            .iter()
            .all(|end| self.pair.peer(*end).first_ack().is_some())
            || FlowEnd::BOTH
                .iter()
                .any(|end| self.pair.peer(*end).proven() == Standing::Midstream)
    }

    /// How `segment`, sent by `from`, relates to this connection. `before` is the predecessor, while it is available.
    #[must_use]
    pub fn fit(&self, from: FlowEnd, segment: &Segment<'_>, before: Option<&Self>) -> SegmentMatch {
        let sender = self.pair.peer(from);
        let receiver = self.pair.peer(from.other());
        if segment.flags.has(Flags::SYN) && !segment.flags.has(Flags::RST) {
            if sender.syn().is_some() && sender.stream().seq(-1) == segment.seq {
                return SegmentMatch::Ours;
            }
            if segment.flags.has(Flags::ACK) {
                let answers = receiver.syn().is_none()
                    || receiver.stream().offset(segment.ack) >= 0
                        && receiver.stream().offset(segment.ack) <= receiver.stream().send_next();
                let fresh = sender.stream().is_anchored() && !answers
                    || sender.syn().is_some() && self.pair.is_closing()
                    || sender.proven() == Standing::Midstream;
                return if fresh {
                    SegmentMatch::Fresh
                } else {
                    SegmentMatch::Ours
                };
            }
            // The peer's acknowledgement of this SYN comes earlier in the capture than the SYN itself.
            let foretold = sender.stream().is_anchored()
                && sender.stream().is_whole()
                && sender.stream().seq(-1) == segment.seq;
            // A side that was called may acknowledge the SYN first, and call back with a SYN of its own.
            let calls_back = receiver.first_ack().is_none()
                && sender.stream().bytes() == 0
                && sender.fin().is_none();
            let both_open = sender.syn().is_none()
                && receiver.syn().is_some()
                && !receiver.answered_syn()
                && (calls_back || !sender.stream().is_anchored());
            return if foretold || both_open {
                SegmentMatch::Ours
            } else {
                SegmentMatch::Fresh
            };
        }
        match before {
            Some(before) if self.is_of(before, from, segment) => SegmentMatch::Before,
            _ => SegmentMatch::Ours,
        }
    }

    /// Whether `segment` carries the numbers of `before` and not of this connection, which is being opened (RFC 5961
    /// §4: a SYN on a live connection elicits an acknowledgement with its old numbers, which in turn elicits a RST).
    fn is_of(&self, before: &Self, from: FlowEnd, segment: &Segment<'_>) -> bool {
        let sender = self.pair.peer(from);
        let receiver = self.pair.peer(from.other());
        let near = |offset: i64, stream: &crate::protocol::tcp::ByteStream| {
            (offset - stream.send_next()).abs() <= i64::from(u16::MAX)
        };
        let fits_sender = sender.stream().is_anchored()
            && near(sender.stream().offset(segment.seq), sender.stream());
        let fits_receiver = segment.flags.has(Flags::ACK)
            && receiver.stream().is_anchored()
            && near(receiver.stream().offset(segment.ack), receiver.stream());
        if fits_sender || fits_receiver {
            return false;
        }
        let old_from = before.end_of(segment.source);
        let old = before.pair.peer(old_from).stream();
        old.is_anchored() && (old.offset(segment.seq) - old.send_next()).abs() <= 1 << 20
    }

    /// Processes a segment that is [`SegmentMatch::Ours`].
    pub fn segment(
        &mut self,
        from: FlowEnd,
        segment: &Segment<'_>,
        texts: &mut TextInterner,
    ) -> SegmentResult {
        let midstream = self.midstream_client();
        let faults = self.parsed.faults();
        let mut streams = self.parsed.reader(midstream, texts);
        let received = self.pair.segment(from, segment, &mut streams);
        if self.parsed.faults() != faults {
            self.pair.note_faulty(from, segment);
        }
        if received == SegmentResult::Taken {
            let older = self.last.time.since(segment.time) >= OUT_OF_ORDER;
            let alone = segment.passage == Passage::Unknown;
            self.disordered = self.disordered.saturating_add(u16::from(older && alone));
            self.last = FrameRef {
                frame: segment.frame,
                time: segment.time,
            };
        }
        received
    }

    /// The presumed client where the capture began after the connection; evaluated before the first payload byte.
    fn midstream_client(&self) -> Option<FlowEnd> {
        let unseen = || {
            FlowEnd::BOTH
                .iter()
                .all(|end| self.pair.peer(*end).syn().is_none())
        };
        (self.parsed.stack.is_none() && unseen()).then(|| verdict::likely_client(self.endpoints))
    }

    /// Bytes that wait behind holes.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.pair.held_bytes()
    }

    /// Skips all holes, because the total of waiting bytes is too large.
    pub(crate) fn skip_holes(&mut self, texts: &mut TextInterner) {
        let midstream = self.midstream_client();
        let mut streams = self.parsed.reader(midstream, texts);
        self.pair.skip_holes(self.last, &mut streams);
    }

    /// What it holds of its streams.
    #[must_use]
    pub const fn kept(&self) -> HeldBytes {
        self.parsed.kept
    }

    /// Evicts the older half of its exchanges, because the total of exchanges is too large.
    pub(crate) fn evict_older_exchanges(&mut self) {
        if let Some(stack) = &mut self.parsed.stack {
            stack.evict_older_half();
            self.parsed.kept = HeldBytes::of(stack);
        }
    }

    /// Parses waiting bytes as far as possible and drops the rest, because the total of waiting bytes is too large.
    pub(crate) fn drop_incomplete(&mut self, texts: &mut TextInterner) {
        if let Some(stack) = &mut self.parsed.stack {
            stack.drop_incomplete(texts);
            self.parsed.kept = HeldBytes::of(stack);
            self.unfinished = self.unfinished.saturating_add(1);
        }
    }

    /// Records an ICMP error about a segment of this connection. One that reports it unreachable replaces any other.
    pub fn quote(&mut self, quote: &Quote) {
        let outweighs = match &self.icmp {
            None => true,
            Some(kept) => {
                kept.kind != QuoteKind::Unreachable && quote.kind == QuoteKind::Unreachable
            }
        };
        if outweighs {
            self.icmp = Some(Box::new(*quote));
        }
    }

    /// Builds the record, when nothing more can come. `ended` says why, and until when the connection was observed.
    #[must_use]
    pub(crate) fn settle(mut self, ended: SettledBecause, texts: &mut TextInterner) -> Connection {
        let owing = FlowEnd::BOTH.into_iter().find(|end| {
            self.pair.acknowledges_unseen_fin(*end).is_some() && verdict::owes(&self, *end)
        });
        let midstream = self.midstream_client();
        let mut streams = self.parsed.reader(midstream, texts);
        self.pair.close(self.last, owing, &mut streams);
        let least = least_answer_time(FlowEnd::BOTH.map(|end| self.pair.peer(end).last_syn()));
        if let Some(stack) = &mut self.parsed.stack {
            stack.answers_take(least);
            stack.finish(texts);
        }
        let verdict = verdict::judge(&self, ended);
        let ends = match verdict.client {
            FlowEnd::A => FlowEnd::BOTH,
            FlowEnd::B => [FlowEnd::B, FlowEnd::A],
        };
        let peers = ends.map(|end| self.pair.peer(end));
        let protocol = self
            .parsed
            .stack
            .as_ref()
            .map_or(Protocol::Unknown, |stack| stack.protocol());
        // Decrypted data is counted in plaintext bytes, so the reach of each close is converted to plaintext bytes too.
        let inside = |end: FlowEnd, bytes: u64| match &self.parsed.stack {
            Some(stack) => stack.inside(end, bytes),
            None => bytes,
        };
        let close = |end: FlowEnd, event: Option<CloseEvent>| {
            event.map(|event| CloseEvent {
                sent: inside(end, event.sent),
                received: inside(end.other(), event.received),
                acknowledged: inside(end, event.acknowledged),
                ..event
            })
        };
        let fin = ends.map(|end| close(end, self.pair.peer(end).fin()));
        let reset = ends.map(|end| close(end, self.pair.peer(end).reset()));
        let ignored_reset = ends.map(|end| close(end, self.pair.peer(end).ignored_reset()));
        let backwards = super::verdict::asks_backwards(&self, verdict.client);
        let protocol = match backwards {
            true => Protocol::Opaque,
            false => protocol,
        };
        let mut layer_facts = self
            .parsed
            .stack
            .take()
            .map_or_else(LayerFacts::default, |stack| stack.into_layer_facts());
        if backwards {
            layer_facts.exchanges.clear();
        }
        if verdict.client == FlowEnd::B {
            // Puts the halves in the order client, server.
            if let Some(h2) = &mut layer_facts.h2 {
                h2.halves.reverse();
                for socket in &mut h2.websockets {
                    socket.said.halves.reverse();
                }
            }
            if let Some(websocket) = &mut layer_facts.websocket {
                websocket.halves.reverse();
            }
        }
        let client_syn = peers[0].syn();
        let mut connection = Connection {
            id: 0,
            client: self.endpoints[ends[0].index()],
            server: self.endpoints[ends[1].index()],
            roles: verdict.roles,
            context: self.context,
            first: self.first,
            last: self.last,
            until: ended.time(),
            opening: verdict.opening,
            connect_time: client_syn
                .zip(peers[0].first_ack())
                .map(|(syn, ack)| ack.time.since(syn.time)),
            syn_retries: peers[0].syns().saturating_sub(1),
            syn_acks: peers[1].syns(),
            syn_again: peers[0]
                .last_syn()
                .zip(peers[1].syn())
                .is_some_and(|(last, answer)| last > answer),
            client_syn: client_syn.is_some(),
            disordered: self.disordered > ONE_STEP,
            isn: peers.map(|peer| peer.isn()),
            last_syn: peers.map(|peer| peer.last_syn()),
            taken: peers[1].first_ack(),
            challenge: self.challenge.or_else(|| peers[1].challenge()),
            teardown: verdict.teardown,
            // Judged below, by the record.
            outcome: ConnectionOutcome::Unknown(UnknownReason::StillOpen),
            // Nothing is presumed of a host that sent no segment.
            states: peers.map(|peer| match peer.counts().packets {
                0 => Standing::Unseen,
                _ => peer.presumed(),
            }),
            time_wait: peers.map(|peer| peer.time_wait()),
            fin,
            fin_acknowledged: peers.map(|peer| peer.fin_acknowledged()),
            round_trip: peers.map(|peer| peer.round_trip()),
            reset,
            protocol,
            sent: peers.map(|peer| {
                let counts = peer.counts();
                SentTotals {
                    packets: counts.packets,
                    bytes: peer.stream().bytes(),
                    retransmitted: counts.retransmitted,
                    missing: peer.stream().missing() + peer.unseen_before_reset(),
                    fins: counts.fins,
                    resets: counts.resets,
                    keep_alives: counts.keep_alives,
                    zero_windows: counts.zero_windows,
                    window_probes: counts.window_probes,
                    acknowledged: acknowledged(peer.stream()),
                    ttl: counts.ttl,
                    ttls: counts.ttls,
                }
            }),
            last_data: peers.map(|peer| peer.top_time()),
            turns: self.parsed.turns.seen_from(verdict.client, least),
            exchanges: layer_facts.exchanges.into_boxed_slice(),
            tls: layer_facts
                .tls
                .map(|facts| Box::new(facts.seen_from(verdict.client))),
            h2: layer_facts.h2,
            websocket: layer_facts.websocket,
            dialogue: layer_facts
                .dialogue
                .map(|facts| Box::new(facts.seen_from(verdict.client))),
            first_words: match verdict.client {
                FlowEnd::A => layer_facts.first_words,
                FlowEnd::B => [None; 2],
            },
            proxied: layer_facts.proxied,
            icmp: self.icmp,
            oddities: peers.map(|peer| peer.oddities().into()),
            out_of_range: peers.map(|peer| peer.out_of_range()),
            unanswered: unanswered(peers),
            skipped: boxed(peers.map(skipped)),
            ignored_reset: boxed(ignored_reset),
            in_flight: boxed(peers.map(in_flight)),
            passages: boxed(peers.map(|peer| peer.counts().passages)),
            checksums: boxed(peers.map(|peer| peer.checksums())),
            predecessor: self.predecessor,
            annotations: self
                .parsed
                .layer_options
                .annotator
                .map(|annotator| Arc::new(annotator.annotations().seen_from(verdict.client))),
        };
        connection.outcome = judgement::judge(&connection, ended);
        connection
    }
}

fn unanswered(peers: [&crate::protocol::tcp::Peer; 2]) -> Option<Box<[UnansweredSegments; 2]>> {
    if peers.iter().all(|peer| peer.unanswered() < NOTED) {
        return None;
    }
    let [client, server] = peers;
    Some(Box::new([(client, server), (server, client)].map(
        |(peer, other)| {
            let flight = peer.flight();
            // A FIN after all of this, which acknowledges none of it, is no answer. Nor is one that was lost, and its repetitions.
            let waits = peer.stream().acknowledged() < peer.stream().top();
            let left = other.fin().is_some_and(|fin| {
                fin.frame_ref > peer.last_sent() || fin.passage.is_lost() && waits
            });
            UnansweredSegments {
                count: peer.unanswered(),
                probes: flight.probes,
                since: flight.since,
                again: flight.again,
                until: peer.last_sent(),
                peer_last_sent: match left {
                    true => other.before_fin(),
                    false => other.last_sent(),
                },
                idle: Duration::from_millis(flight.idle.into()),
                length: flight.repeated,
                same: flight.repeats,
                through: flight.through,
                acknowledged: (flight.repeated_acknowledged >= flight.repeats.max(1))
                    .then_some(flight.acknowledged),
                unheard: is_unheard(peer, other),
            }
        },
    )))
}

/// Whether a side that was captured alone got nothing from the other: its numbers show no packet of that, and the last that
/// it sent are its oldest bytes.
fn is_unheard(peer: &crate::protocol::tcp::Peer, other: &crate::protocol::tcp::Peer) -> bool {
    other.counts().packets == 0
        && !peer.stream().is_whole()
        && peer.stream().acknowledged() == 0
        && other.stream().acknowledged() == 0
        && peer.flight().latest > peer.top_time()
}

/// Both, if there is anything in either: most connections have none.
fn boxed<T: Default + PartialEq>(both: [T; 2]) -> Option<Box<[T; 2]>> {
    both.iter()
        .any(|it| *it != T::default())
        .then(|| Box::new(both))
}

/// What this side had sent of which nothing shows that it arrived.
fn skipped(peer: &crate::protocol::tcp::Peer) -> Option<SkippedBytes> {
    let (bytes, shown_by) = peer.skipped()?;
    Some(SkippedBytes { bytes, shown_by })
}

/// What this side sent that was never acknowledged.
fn in_flight(peer: &crate::protocol::tcp::Peer) -> Option<InFlight> {
    let (stream, flight) = (peer.stream(), peer.flight());
    let bytes = u64::try_from(stream.top() - stream.acknowledged()).unwrap_or(0);
    (bytes > 0 && flight.since.frame.0 > 0).then(|| InFlight {
        bytes,
        since: flight.since,
        acknowledged: Some(flight.acknowledged).filter(|at| *at > flight.since),
        idle: Duration::from_millis(flight.idle.into()),
    })
}

/// Payload bytes that the peer has acknowledged, without the FIN.
pub(super) fn acknowledged(stream: &crate::protocol::tcp::ByteStream) -> u64 {
    let acked = stream.acknowledged();
    u64::try_from(stream.fin().map_or(acked, |fin| acked.min(fin))).unwrap_or(0)
}

/// What was made of both streams.
#[derive(Clone, Debug, Default)]
pub(super) struct ParsedStreams {
    /// Created at the first byte.
    pub(super) stack: Option<Box<ProtocolStack>>,
    kept: HeldBytes,
    turns: TurnCounter,
    layer_options: LayerOptions,
    /// Ports of both ends.
    ports: [u16; 2],
}

/// A side that sends again after this pause, without an answer, does not wait for one.
const PAUSE: Duration = Duration::from_millis(20);

/// Counts the turns of both sides.
#[derive(Clone, Copy, Debug, Default)]
struct TurnCounter {
    taken: [u32; 2],
    first: Option<FlowEnd>,
    last: Option<FlowEnd>,
    at: Timestamp,
    length: u64,
    goes_on: [bool; 2],
    /// Of each end's turns that the other's followed: the least bytes, and the least time until that came.
    shortest: [u64; 2],
    soonest: [Option<Duration>; 2],
    cut: bool,
}

impl TurnCounter {
    #[inline]
    fn count(&mut self, from: FlowEnd, at: Timestamp, length: u64) {
        if self.last == Some(from) {
            self.length = self.length.saturating_add(length);
            self.goes_on[from.index()] |= at.since(self.at) >= PAUSE;
        } else {
            if let Some(before) = self.last {
                let after = at.since(self.at);
                let (shortest, soonest) = (
                    before.of_mut(&mut self.shortest),
                    before.of_mut(&mut self.soonest),
                );
                *shortest = match *shortest {
                    0 => self.length,
                    least => least.min(self.length),
                };
                *soonest = Some(soonest.map_or(after, |it| it.min(after)));
            }
            let taken = &mut self.taken[from.index()];
            *taken = taken.saturating_add(1);
            self.first.get_or_insert(from);
            (self.last, self.length) = (Some(from), length);
        }
        self.at = at;
    }

    fn seen_from(self, client: FlowEnd, least: Option<Duration>) -> Turns {
        let ends = [client, client.other()];
        let role = |end: FlowEnd| match end == client {
            true => Who::Client,
            false => Who::Server,
        };
        Turns {
            taken: ends.map(|end| self.taken[end.index()]),
            last: self.last.map(role),
            length: self.length,
            goes_on: self.goes_on[client.index()],
            greeted: self.first == Some(client.other()),
            shortest: *client.of(&self.shortest),
            unasked: least
                .zip(*client.of(&self.soonest))
                .is_some_and(|(least, soonest)| soonest < least),
            cut: self.cut,
        }
    }
}

impl ParsedStreams {
    /// Faults of grammar found so far.
    fn faults(&self) -> u32 {
        self.stack.as_ref().map_or(0, |stack| stack.faults())
    }

    /// Who takes the streams. `midstream` is the presumed client where the capture began after the connection.
    const fn reader<'a>(
        &'a mut self,
        midstream: Option<FlowEnd>,
        texts: &'a mut TextInterner,
    ) -> StreamReader<'a> {
        StreamReader {
            stack: &mut self.stack,
            kept: &mut self.kept,
            turns: &mut self.turns,
            layer_options: &self.layer_options,
            ports: self.ports,
            midstream,
            texts,
        }
    }
}

/// Passes the streams on to the protocol stack, which is created at the first byte.
struct StreamReader<'a> {
    stack: &'a mut Option<Box<ProtocolStack>>,
    kept: &'a mut HeldBytes,
    turns: &'a mut TurnCounter,
    layer_options: &'a LayerOptions,
    ports: [u16; 2],
    /// The presumed client where the capture began after the connection.
    midstream: Option<FlowEnd>,
    texts: &'a mut TextInterner,
}

impl StreamSink for StreamReader<'_> {
    #[inline]
    fn data(&mut self, from: FlowEnd, at: FrameRef, bytes: &[u8], length: u32) {
        let (layer_options, midstream, ports) = (self.layer_options, self.midstream, self.ports);
        let stack = self
            .stack
            .get_or_insert_with(|| ProtocolStack::boxed(layer_options, midstream, ports));
        self.turns.count(from, at.time, length.into());
        self.turns.cut |= bytes.len() < length as usize;
        if let Some(teller) = &layer_options.teller {
            teller.slice(from, bytes, length);
        }
        stack.data(from, at, bytes, length, self.texts);
        *self.kept = HeldBytes::of(stack);
    }

    fn gap(&mut self, from: FlowEnd, at: FrameRef, length: u64) {
        let (layer_options, midstream, ports) = (self.layer_options, self.midstream, self.ports);
        let stack = self
            .stack
            .get_or_insert_with(|| ProtocolStack::boxed(layer_options, midstream, ports));
        self.turns.count(from, at.time, length);
        if let Some(teller) = &layer_options.teller {
            teller.gap(from, length);
        }
        stack.gap(from, at, length, self.texts);
        *self.kept = HeldBytes::of(stack);
    }

    fn end(&mut self, from: FlowEnd, _at: FrameRef) {
        if let Some(stack) = self.stack {
            stack.end(from, self.texts);
            *self.kept = HeldBytes::of(stack);
        }
    }
}
