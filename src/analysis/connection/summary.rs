//! The summary of one connection: kept for every connection, where the whole record would be too large.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use super::record::{Connection, Opening, Predecessor, Roles, Who, without_port};
use super::requests::RequestList;
use super::teardown::{By, How};
use super::tls_close::{gave_up, is_unanswered};
use super::{Certainty, ConnectionOutcome, Phase, Standing};
use crate::base::frame_ref::FrameRef;
use crate::base::net::{Context, Endpoint};
use crate::base::time::Timestamp;
use crate::knowledge::is_load_generator;
use crate::protocol::http::{
    Exchange, FieldName, HttpVersion, Message, MessageProgress, Method, Outcome, PlainRequest,
    Protocol,
};
use crate::protocol::tls::HandshakeStage;

/// The summary of one connection, of fixed size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionSummary {
    /// Its number: connections in order of first frame, from 1. 0 until assigned.
    pub id: u32,
    /// Its first segment.
    pub first: FrameRef,
    /// Time of its last segment.
    pub last: Timestamp,
    /// The frame that shows how it ended; if it fell silent or is open, the last one.
    pub close: FrameRef,
    /// Since when the client held a TIME-WAIT, if it did.
    pub client_time_wait: Option<FrameRef>,
    /// The side that opened it.
    pub client: Endpoint,
    /// The side that accepted it.
    pub server: Endpoint,
    /// The tunnel it is carried in.
    pub context: Context,
    /// Number of exchanges.
    pub exchanges: u32,
    /// A response carried `Connection: close`.
    pub server_says_close: bool,
    /// A response was persistent: HTTP/1.1 without `Connection: close`, or HTTP/1.0 with `keep-alive`.
    pub server_persists: bool,
    /// Every request asked for a persistent connection.
    pub client_persists: bool,
    /// The server held a TIME-WAIT.
    pub server_time_wait: bool,
    /// Whether a segment of each side was captured.
    pub seen: [bool; 2],
    /// Whether payload of each side was captured.
    pub spoke: [bool; 2],
    /// Bytes of the connection are missing from the capture.
    pub missing: bool,
    /// The TLS handshake is complete, and both sides have sent application data.
    pub both_sent_data: bool,
    /// Segments that repeat payload already sent, of both sides; 0 if only SYNs and FINs were.
    pub retransmitted: u16,
    /// The sender of an ICMP error about the connection, with type and code.
    pub icmp: Option<(IpAddr, u8, u8)>,
    /// Number of retransmissions of the SYN.
    pub syn_retries: u8,
    /// What else is known of it, in one byte.
    pub(super) marks: Marks,
    /// Number of SYN-ACKs, retransmissions included.
    pub syn_acks: u8,
    /// Requests that began within 10 ms of the end of the response before.
    pub prompt: u16,
    /// Status code of the last response; 0 if there was none.
    pub status: u16,
    /// Microseconds from the SYN to the end of the handshake; 0 if unknown.
    pub connected_after: u32,
    /// What the last request asked for: a hash of method, host and target; without a request, of the TLS server name. 0
    /// if unknown.
    pub asked: u32,
    /// A hash of the name that the connection was opened for, without its port ([`ConnectionSummary::digest_name`]); 0
    /// if unknown.
    pub name: u32,
    /// Hashes of the first and the last request, each with the length of its body and its `User-Agent`; 0 if unknown.
    pub retried: [u32; 2],
    /// Set if the last request got no complete response, though the connection is over.
    pub lost: Option<LostRequest>,
    /// Microseconds from the end of the last request to the first byte of its response, or to the close if that came
    /// first.
    pub waited: u32,
    /// Milliseconds of idle time before the close, after a complete response; 0 otherwise.
    pub idle: u32,
    /// The longest idle time, in milliseconds, after which the client used the connection again.
    pub reused_after: u32,
    /// Milliseconds since the last segment of the previous connection on these addresses and ports, if the server held
    /// a TIME-WAIT from it and still accepted this one, at least 1; `None` otherwise.
    pub gave_way_after: Option<NonZeroU32>,
    /// Time to live (IPv4) or hop limit (IPv6) of the client's first segment.
    pub client_ttl: u8,
    /// Time to live (IPv4) or hop limit (IPv6) of the server's first segment.
    pub server_ttl: u8,
    /// The client's state after its last segment.
    pub client_state: Standing,
    /// The server's state after its last segment.
    pub server_state: Standing,
    /// Payload bytes that each side sent, retransmissions not counted.
    pub bytes: [u64; 2],
    /// The outcomes of its exchanges.
    pub outcomes: OutcomeSet,
    /// How sure the verdict is.
    pub certainty: Certainty,
    /// The evidence for the roles.
    pub roles: Roles,
    /// How it began.
    pub opening: Opening,
    /// Who closed it first.
    pub by: By,
    /// By which means it was closed.
    pub how: How,
    /// The phase in which it was closed.
    pub phase: Phase,
    /// All bytes of both sides arrived, and no exchange was left unfinished.
    pub orderly: bool,
    /// What came of it: whether anything was lost.
    pub outcome: ConnectionOutcome,
    /// The application protocol.
    pub protocol: Protocol,
}

/// A last request without a complete response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LostRequest {
    /// A retry is safe: its method is idempotent (RFC 9110 §9.2.2), or the server did not have all of it.
    Harmless,
    /// The server had all of it, and may have acted on it.
    Had,
}

/// Facts that are true or not, a bit for each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Marks(u8);

impl Marks {
    const CLIENT_SYN: u8 = 1;
    const TAKEN: u8 = 2;
    const LOAD_GENERATOR: u8 = 4;
    const SEARCHABLE: u8 = 8;
    const SYNS_LOST: u8 = 16;
    const ARRIVED: u8 = 32;
    const SYN_AGAIN: u8 = 64;
    const MET_SILENCE: u8 = 128;

    fn of(connection: &Connection) -> Self {
        let agent = |exchange: &Exchange| {
            let request = exchange.request.as_ref();
            let agent = request.and_then(|request| request.user_agent.as_ref());
            agent.is_some_and(|agent| is_load_generator(agent.as_bytes()))
        };
        let set = |bit: u8, holds: bool| if holds { bit } else { 0 };
        let client = &connection.sent[Who::Client as usize];
        let passages = connection.passages(Who::Client);
        let lost_all = client.packets > 0 && u64::from(passages.lost) == client.packets;
        Self(
            set(Self::CLIENT_SYN, connection.client_syn)
                | set(Self::SYNS_LOST, lost_all)
                | set(Self::ARRIVED, passages.both > 0)
                | set(Self::TAKEN, connection.taken.is_some())
                | set(Self::SYN_AGAIN, connection.syn_again)
                | set(Self::MET_SILENCE, connection.met_silence())
                | set(Self::SEARCHABLE, RequestList::is_worth(connection))
                | set(
                    Self::LOAD_GENERATOR,
                    connection.exchanges.first().is_some_and(agent),
                ),
        )
    }

    /// Those of a plain connection.
    pub(super) const fn of_plain(load_generator: bool, arrived: bool) -> Self {
        let own = if load_generator {
            Self::LOAD_GENERATOR
        } else {
            0
        };
        let arrived = if arrived { Self::ARRIVED } else { 0 };
        // It has a request.
        Self(Self::CLIENT_SYN | Self::TAKEN | Self::SEARCHABLE | own | arrived)
    }

    const fn has(self, bit: u8) -> bool {
        self.0 & bit != 0
    }
}

/// What a summary holds of the texts of a plain request.
#[derive(Clone, Copy, Debug)]
pub(super) struct PlainTexts {
    pub(super) asked: u32,
    pub(super) name: u32,
    pub(super) retried: u32,
    pub(super) load_generator: bool,
}

impl PlainTexts {
    pub(super) fn of(request: &PlainRequest<'_>) -> Self {
        let method = request.method.name().unwrap_or_default().as_bytes();
        let host = request.host.unwrap_or_default();
        let agent = request.user_agent.unwrap_or_default();
        let asked = digest_asked(method, host, request.target);
        Self {
            asked,
            name: match without_port(host) {
                Some(name) => ConnectionSummary::digest_name(name),
                None => 0,
            },
            retried: digest_retried(asked, request.message.head_len, request.message.body, agent),
            load_generator: is_load_generator(agent),
        }
    }
}

impl ConnectionSummary {
    /// The client's SYN was captured.
    #[must_use]
    pub const fn client_syn(&self) -> bool {
        self.marks.has(Marks::CLIENT_SYN)
    }

    /// The server acknowledged more than the SYN, or sent more than the SYN-ACK.
    #[must_use]
    pub const fn taken(&self) -> bool {
        self.marks.has(Marks::TAKEN)
    }

    /// The client's SYN came again after the server's first SYN-ACK.
    #[must_use]
    pub const fn syn_again(&self) -> bool {
        self.marks.has(Marks::SYN_AGAIN)
    }

    /// One side repeated what it sent and got no packet at all ([`Connection::met_silence`]).
    pub(crate) const fn met_silence(&self) -> bool {
        self.marks.has(Marks::MET_SILENCE)
    }

    /// Two places show that all that the client sent was lost between them.
    #[must_use]
    pub const fn lost_on_the_way(&self) -> bool {
        self.marks.has(Marks::SYNS_LOST)
    }

    /// Two places show that something that the client sent passed both.
    #[must_use]
    pub const fn passed_both(&self) -> bool {
        self.marks.has(Marks::ARRIVED)
    }

    /// It has requests, or a name, that a [`RequestList`] lists.
    #[must_use]
    pub const fn is_searchable(&self) -> bool {
        self.marks.has(Marks::SEARCHABLE)
    }

    /// The client names itself as a load generator.
    #[must_use]
    pub const fn by_load_generator(&self) -> bool {
        self.marks.has(Marks::LOAD_GENERATOR)
    }

    /// The place of the summary with this number among some in order of their numbers: mostly these have no gaps.
    #[must_use]
    pub(crate) fn place_of(id: u32, among: &[Self]) -> Option<usize> {
        let first = among.first()?.id;
        let dense = id.checked_sub(first)? as usize;
        match among.get(dense) {
            Some(it) if it.id == id => Some(dense),
            _ => among.binary_search_by_key(&id, |it| it.id).ok(),
        }
    }

    /// The hash of a name, as in [`ConnectionSummary::name`]. Letter case is ignored.
    #[must_use]
    pub fn digest_name(name: &[u8]) -> u32 {
        fnv(name.iter().map(u8::to_ascii_lowercase))
    }
}

impl From<&Connection> for ConnectionSummary {
    fn from(connection: &Connection) -> Self {
        let client = Who::Client as usize;
        let last = connection.exchanges.last();
        let asked = last.map_or(0, model);
        Self {
            id: connection.id,
            first: connection.first,
            last: connection.last.time,
            close: connection.teardown.frame_ref(),
            client_time_wait: connection.time_wait[client],
            client: connection.client,
            server: connection.server,
            context: connection.context,
            exchanges: u32::try_from(connection.exchanges.len()).unwrap_or(u32::MAX),
            server_says_close: connection
                .exchanges
                .iter()
                .filter_map(|exchange| exchange.response.as_ref())
                .any(|response| response.message.connection.close > 0),
            server_persists: responses(connection).any(persists),
            client_persists: requests(connection).next().is_some()
                && requests(connection).all(persists),
            server_time_wait: connection.time_wait[Who::Server as usize].is_some(),
            seen: connection.sent.map(|sent| sent.packets > 0),
            spoke: connection.sent.map(|sent| sent.bytes > 0),
            both_sent_data: connection.tls.as_deref().is_some_and(|facts| {
                facts.stage == HandshakeStage::Complete
                    && facts.flows.iter().all(|flow| flow.records > 0)
            }),
            missing: connection.sent.iter().any(|sent| sent.missing > 0),
            retransmitted: connection
                .sent
                .iter()
                .filter(|sent| sent.bytes > 0)
                .fold(0u32, |sum, sent| sum.saturating_add(sent.retransmitted))
                .try_into()
                .unwrap_or(u16::MAX),
            icmp: connection
                .icmp
                .as_ref()
                .map(|quote| (quote.reporter, quote.icmp_type, quote.icmp_code)),
            syn_retries: u8::try_from(connection.syn_retries).unwrap_or(u8::MAX),
            marks: Marks::of(connection),
            syn_acks: u8::try_from(connection.syn_acks).unwrap_or(u8::MAX),
            connected_after: connection.connect_time.map_or(0, micros),
            prompt: gaps(connection)
                .filter(|gap| *gap <= PROMPT)
                .count()
                .try_into()
                .unwrap_or(u16::MAX),
            reused_after: gaps(connection).max().map_or(0, millis),
            status: last.and_then(Exchange::status).unwrap_or(0),
            asked: last.map_or_else(|| asked_by_name(connection), |_| asked),
            name: connection.name().map_or(0, ConnectionSummary::digest_name),
            retried: match &*connection.exchanges {
                [] => [0; 2],
                [one] => [digest_with_body(one, asked); 2],
                [first, .., last] => [
                    digest_with_body(first, model(first)),
                    digest_with_body(last, asked),
                ],
            },
            lost: last.and_then(|last| lost(connection, last)),
            waited: connection.waited(),
            idle: last.map_or(0, |last| idle(connection, last)),
            gave_way_after: gave_way(connection),
            client_ttl: connection.sent[client].ttl,
            server_ttl: connection.sent[Who::Server as usize].ttl,
            client_state: connection.states[client],
            server_state: connection.states[Who::Server as usize],
            bytes: connection.sent.map(|sent| sent.bytes),
            outcomes: OutcomeSet::of(connection),
            certainty: connection.teardown.certainty,
            roles: connection.roles,
            opening: connection.opening,
            by: connection.teardown.by,
            how: connection.teardown.how,
            phase: connection.teardown.phase,
            orderly: connection.teardown.orderly,
            outcome: connection.outcome,
            protocol: connection.protocol,
        }
    }
}

/// A set of [`Outcome`]s.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutcomeSet(u8);

impl OutcomeSet {
    /// One complete exchange.
    pub(super) const COMPLETE: Self = Self(1 << Outcome::Complete as u8);

    fn of(connection: &Connection) -> Self {
        let ending = connection.teardown.ending();
        let outcomes = connection
            .exchanges
            .iter()
            .filter_map(|it| it.outcome(ending));
        Self(outcomes.fold(0, |set, outcome| set | 1 << outcome as u8))
    }

    /// Whether the set contains `outcome`.
    #[must_use]
    pub const fn has(self, outcome: Outcome) -> bool {
        self.0 & 1 << outcome as u8 != 0
    }
}

/// A request that follows a response this soon was waiting for it: the time covers round trips between nearby hosts and
/// a scheduler's delay.
const PROMPT: Duration = Duration::from_millis(10);

fn requests(connection: &Connection) -> impl Iterator<Item = &Message> {
    let exchanges = connection.exchanges.iter();
    exchanges.filter_map(|exchange| Some(&exchange.request.as_ref()?.message))
}

fn responses(connection: &Connection) -> impl Iterator<Item = &Message> {
    let exchanges = connection.exchanges.iter();
    exchanges.filter_map(|exchange| Some(&exchange.response.as_ref()?.message))
}

/// Whether the sender of this message would keep the connection open (RFC 9112 §9.3).
pub(super) fn persists(message: &Message) -> bool {
    let options = message.connection;
    options.close == 0 && (message.version >= HttpVersion::HTTP_11 || options.keep_alive > 0)
}

/// The time from the end of each response to the next request.
fn gaps(connection: &Connection) -> impl Iterator<Item = Duration> {
    connection.exchanges.windows(2).filter_map(|pair| {
        let before = pair[0].response.as_ref()?.message.last;
        let after = pair[1].request.as_ref()?.message.first;
        (after.time >= before.time).then(|| after.time.since(before.time))
    })
}

pub(super) fn micros(time: Duration) -> u32 {
    u32::try_from(time.as_micros()).unwrap_or(u32::MAX)
}

pub(super) fn millis(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX)
}

/// Milliseconds since the predecessor's last segment, if the server held a TIME-WAIT from it and still accepted the
/// connection.
fn gave_way(connection: &Connection) -> Option<NonZeroU32> {
    let opened = connection.opening == Opening::Handshake && connection.challenge.is_none();
    gave_way_after(connection.predecessor, connection.first.time).filter(|_| opened)
}

/// The same of a connection that was opened without a challenge, by its predecessor and its first segment.
pub(super) fn gave_way_after(
    predecessor: Option<Predecessor>,
    first: Timestamp,
) -> Option<NonZeroU32> {
    let before = predecessor.filter(|before| before.waits[1])?;
    NonZeroU32::new(millis(first.since(before.last.time)).max(1))
}

impl Connection {
    /// As in [`ConnectionSummary::waited`].
    #[must_use]
    pub(crate) fn waited(&self) -> u32 {
        let last = self.exchanges.last();
        last.map_or_else(|| hidden_wait(self), |last| waited(self, last))
    }
}

/// Microseconds from the last request to the start of its response, or to the close if none had started by then.
fn waited(connection: &Connection, last: &Exchange) -> u32 {
    let left = connection.teardown.by == By::Client && connection.teardown.phase == Phase::Waiting;
    match (&last.request, &last.response) {
        // A response that came after the client left was not waited for.
        (Some(request), Some(response)) if !left => {
            // A request without an end was still waited on: count from its last byte.
            let since = response.message.first.time.since(request.message.last.time);
            micros(last.waited().unwrap_or(since))
        }
        (Some(request), _) => micros(connection.teardown.at.since(request.message.last.time)),
        (None, _) => 0,
    }
}

/// The same inside TLS that is not decrypted, as far as the turns show; 0 if nothing was outstanding.
fn hidden_wait(connection: &Connection) -> u32 {
    if let Some(left) = gave_up(connection) {
        return micros(left.waited());
    }
    let asked = connection
        .tls
        .as_deref()
        .and_then(|it| it.turns_inside.asked_at);
    asked
        .filter(|_| is_unanswered(connection))
        .map_or(0, |asked| micros(connection.teardown.at.since(asked.time)))
}

fn idle(connection: &Connection, last: &Exchange) -> u32 {
    let over = matches!(connection.teardown.phase, Phase::Between | Phase::After);
    match &last.response {
        Some(response) if over => millis(connection.teardown.at.since(response.message.last.time)),
        _ => 0,
    }
}

/// A hash of method, host and target (FNV-1a): equal requests have equal hashes on every machine.
fn model(exchange: &Exchange) -> u32 {
    let Some(request) = &exchange.request else {
        return 0;
    };
    let Some(target) = &request.target else {
        return 0;
    };
    let host = request
        .host
        .as_ref()
        .map_or(&[][..], |host| host.as_bytes());
    digest_asked(
        exchange.method().unwrap_or_default(),
        host,
        target.as_bytes(),
    )
}

fn digest_asked(method: &[u8], host: &[u8], target: &[u8]) -> u32 {
    let hash = [method, host, target].into_iter().fold(FNV, |hash, part| {
        fnv_on(fnv_on(hash, part.iter().copied()), [b' '])
    });
    hash.max(1)
}

/// The hash of a request, whose own is `asked`, with the lengths of its head and body and the program that sent it: the same
/// method called by another program is no retry of this request. Where no `User-Agent` tells programs apart, the fields that
/// each sends do.
fn digest_with_body(exchange: &Exchange, asked: u32) -> u32 {
    let Some(request) = exchange.request.as_ref() else {
        return 0;
    };
    // Only its message sets a gRPC call apart: its target is a method, and most calls are equally long.
    let agent = request.user_agent.as_ref();
    let agent = agent.map_or(&[][..], |agent| agent.as_bytes());
    let message = &request.message;
    // In HTTP/2 the length of a head depends on what was said before it.
    let head = match exchange.stream {
        Some(_) => 0,
        None => u32::try_from(message.head_end() - message.start).unwrap_or(u32::MAX),
    };
    match message.progress {
        MessageProgress::Complete => {
            // Another part of the same target is another request.
            let parts = exchange.request_fields(FieldName::Range);
            let asked = parts.fold(asked, |hash, part| {
                fnv_on(hash, part.value.as_bytes().iter().copied())
            });
            digest_retried(asked, head, message.received(), agent)
        }
        _ => 0,
    }
}

fn digest_retried(asked: u32, head: u32, body: u64, agent: &[u8]) -> u32 {
    if asked == 0 || agent.starts_with(b"grpc-") {
        return 0;
    }
    let hash = fnv_on(FNV, asked.to_be_bytes());
    let hash = fnv_on(hash, head.to_be_bytes());
    let hash = fnv_on(hash, body.to_be_bytes());
    fnv_on(hash, agent.iter().copied()).max(1)
}

/// The hash of the server name in the ClientHello.
fn asked_by_name(connection: &Connection) -> u32 {
    let hello = connection.tls.as_ref().and_then(|tls| tls.hello.as_ref());
    let name = hello.and_then(|(_, hello)| hello.sni.as_deref());
    name.map_or(0, |name| fnv(name.iter().copied()))
}

fn fnv(bytes: impl Iterator<Item = u8>) -> u32 {
    fnv_on(FNV, bytes).max(1)
}

/// The hash of nothing.
const FNV: u32 = 0x811c_9dc5;

/// The hash of what was hashed before and these bytes.
fn fnv_on(hash: u32, bytes: impl IntoIterator<Item = u8>) -> u32 {
    bytes.into_iter().fold(hash, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    })
}

/// Whether and how the last request was lost.
fn lost(connection: &Connection, last: &Exchange) -> Option<LostRequest> {
    let request = last.request.as_ref()?;
    let over = !matches!(connection.teardown.how, How::Open);
    let whole = request.message.progress == MessageProgress::Complete;
    // Of a direction that was not captured, no response can be missed; nor of one whose bytes the client acknowledged.
    let server = &connection.sent[Who::Server as usize];
    let taken = server.missing > 0 && server.acknowledged >= server.bytes;
    let unseen = server.packets == 0 || taken;
    if last.is_complete() || !over || !whole || unseen {
        return None;
    }
    let had = connection.sent[Who::Client as usize].acknowledged >= request.message.end();
    // A tunnel that was never set up had no effect.
    let repeatable = request.method.is_idempotent() || request.method == Method::Connect;
    Some(if had && !repeatable {
        LostRequest::Had
    } else {
        LostRequest::Harmless
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_million_briefs_fit_into_memory() {
        assert!(
            size_of::<ConnectionSummary>() <= 224,
            "{}",
            size_of::<ConnectionSummary>()
        );
    }
}
