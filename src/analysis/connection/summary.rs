//! One line about one connection: what is kept of all of them, where the whole record is not wanted.

use std::net::IpAddr;
use std::time::Duration;

use super::record::{Connection, Opening, Roles, Who};
use super::teardown::{By, How};
use super::{Certainty, Phase, Standing};
use crate::base::frame_ref::FrameRef;
use crate::base::net::{Context, Endpoint};
use crate::base::time::Timestamp;
use crate::protocol::http::{
    Exchange, HttpVersion, Message, MessageProgress, Method, Outcome, Protocol,
};
use crate::protocol::tls::HandshakeStage;

/// One line about one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionSummary {
    /// Its number: connections in order of first frame, from 1. 0 until it is given.
    pub id: u32,
    /// Its first segment.
    pub first: FrameRef,
    /// When its last segment came.
    pub last: Timestamp,
    /// The frame that shows how it ended; of a silence or an open connection, the last one.
    pub close: FrameRef,
    /// Since when the client held a TIME-WAIT, if it did.
    pub client_time_wait: Option<FrameRef>,
    /// Who opened it.
    pub client: Endpoint,
    /// Who was called.
    pub server: Endpoint,
    /// The tunnel it runs in.
    pub context: Context,
    /// Exchanges on it.
    pub exchanges: u32,
    /// A response said `Connection: close`.
    pub server_says_close: bool,
    /// A response without `Connection: close`, or with `keep-alive` in HTTP/1.0: the server would go on.
    pub server_persists: bool,
    /// Each request asked for the connection to be kept.
    pub client_persists: bool,
    /// The server held a TIME-WAIT.
    pub server_time_wait: bool,
    /// Segments of each side were seen.
    pub seen: [bool; 2],
    /// Payload of each side was seen.
    pub spoke: [bool; 2],
    /// The capture lost bytes of it.
    pub missing: bool,
    /// Inside TLS both sides have said something.
    pub decrypted_layer: bool,
    /// Payload was sent more than once.
    pub retransmitted: bool,
    /// Who says by ICMP that it cannot be reached, with type and code.
    pub icmp: Option<(IpAddr, u8, u8)>,
    /// How often the SYN was sent again.
    pub syn_retries: u8,
    /// The client's SYN was seen.
    pub client_syn: bool,
    /// SYN-ACKs, repetitions included.
    pub syn_acks: u8,
    /// Requests that began within a moment of the response before.
    pub prompt: u16,
    /// Status code of the last response; 0 if there was none.
    pub status: u16,
    /// Microseconds from the SYN to the end of the handshake; 0 if unknown.
    pub connected_after: u32,
    /// What the last request asked for: a digest of method, host and target; of TLS, of the server's name. 0 if unknown.
    pub asked: u32,
    /// The name that the first request was addressed to, without its port: a digest ([`ConnectionSummary::digest_name`]); 0 if unknown.
    pub name: u32,
    /// What the first and the last request asked for, and with how much of a body: digests; 0 if unknown.
    pub retried: [u32; 2],
    /// The last request got no whole answer, though the connection is over.
    pub lost: Option<LostRequest>,
    /// Microseconds from the end of the last request to the first byte of its response, or to the close if that came first.
    pub waited: u32,
    /// Milliseconds of idleness before the close, after a complete response; 0 otherwise.
    pub idle: u32,
    /// The longest idleness, in milliseconds, after which the client used the connection again.
    pub reused_after: u32,
    /// Milliseconds since the connection before on these addresses and ports, whose TIME-WAIT the server held and which
    /// gave way; `None` if it did not, or there was none.
    pub gave_way_after: Option<u32>,
    /// Time to live or hop limit of the client's first segment.
    pub client_ttl: u8,
    /// Time to live or hop limit of the server's first segment.
    pub server_ttl: u8,
    /// The client's state after its last segment.
    pub client_state: Standing,
    /// The server's state after its last segment.
    pub server_state: Standing,
    /// Payload that each side sent, repetitions not counted.
    pub bytes: [u64; 2],
    /// What became of its exchanges.
    pub outcomes: OutcomeSet,
    /// How far the capture proves how it ended.
    pub certainty: Certainty,
    /// What the roles rest on.
    pub roles: Roles,
    /// How it began.
    pub opening: Opening,
    /// Who ended it.
    pub by: By,
    /// By which means.
    pub how: How,
    /// When.
    pub phase: Phase,
    /// Both sides' bytes all arrived, and nothing was owed.
    pub orderly: bool,
    /// What was spoken.
    pub protocol: Protocol,
}

/// A request that got no whole answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LostRequest {
    /// Its method promises that twice is as good as once (RFC 9110 §9.2.2), or the server did not have all of it.
    Harmless,
    /// The server had all of it, and may have acted on it.
    Had,
}

impl ConnectionSummary {
    /// The digest of a name, for [`ConnectionSummary::name`].
    #[must_use]
    pub fn digest_name(name: &[u8]) -> u32 {
        fnv(name.iter().map(u8::to_ascii_lowercase))
    }
}

impl From<&Connection> for ConnectionSummary {
    fn from(connection: &Connection) -> Self {
        let client = Who::Client as usize;
        let last = connection.exchanges.last();
        Self {
            id: connection.id,
            first: connection.first,
            last: connection.last.time,
            close: FrameRef {
                frame: connection.teardown.frame,
                time: connection.teardown.at,
            },
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
            client_persists: requests(connection).all(persists),
            server_time_wait: connection.time_wait[Who::Server as usize].is_some(),
            seen: connection.sent.map(|sent| sent.packets > 0),
            spoke: connection.sent.map(|sent| sent.bytes > 0),
            decrypted_layer: connection.tls.as_deref().is_some_and(|facts| {
                facts.stage == HandshakeStage::Complete
                    && facts.flows.iter().all(|flow| flow.records > 0)
            }),
            missing: connection.sent.iter().any(|sent| sent.missing > 0),
            retransmitted: connection
                .sent
                .iter()
                .any(|sent| sent.retransmitted > 0 && sent.bytes > 0),
            icmp: connection
                .icmp
                .as_ref()
                .map(|quote| (quote.reporter, quote.icmp_type, quote.icmp_code)),
            syn_retries: u8::try_from(connection.syn_retries).unwrap_or(u8::MAX),
            client_syn: connection.client_syn,
            syn_acks: u8::try_from(connection.syn_acks).unwrap_or(u8::MAX),
            connected_after: connection.connect_time.map_or(0, micros),
            prompt: gaps(connection)
                .filter(|gap| *gap <= PROMPT)
                .count()
                .try_into()
                .unwrap_or(u16::MAX),
            reused_after: gaps(connection).max().map_or(0, millis),
            status: last.and_then(Exchange::status).unwrap_or(0),
            asked: last.map_or_else(|| asked_by_name(connection), model),
            name: connection.name().map_or(0, ConnectionSummary::digest_name),
            retried: [connection.exchanges.first(), last].map(|it| it.map_or(0, digest_with_body)),
            lost: last.and_then(|last| lost(connection, last)),
            waited: last.map_or(0, |last| waited(connection, last)),
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
            protocol: connection.protocol,
        }
    }
}

/// A set of outcomes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutcomeSet(u8);

impl OutcomeSet {
    fn of(connection: &Connection) -> Self {
        let ending = connection.teardown.ending();
        let outcomes = connection
            .exchanges
            .iter()
            .filter_map(|it| it.outcome(ending));
        Self(outcomes.fold(0, |set, outcome| set | 1 << outcome as u8))
    }

    /// Whether it is among them.
    #[must_use]
    pub const fn has(self, outcome: Outcome) -> bool {
        self.0 & 1 << outcome as u8 != 0
    }
}

/// A request that follows a response so soon was waiting for it: round trips between neighbours, and a scheduler's turn.
const PROMPT: Duration = Duration::from_millis(10);

fn requests(connection: &Connection) -> impl Iterator<Item = &Message> {
    let exchanges = connection.exchanges.iter();
    exchanges.filter_map(|exchange| Some(&exchange.request.as_ref()?.message))
}

fn responses(connection: &Connection) -> impl Iterator<Item = &Message> {
    let exchanges = connection.exchanges.iter();
    exchanges.filter_map(|exchange| Some(&exchange.response.as_ref()?.message))
}

/// Whether the sender of this message would keep the connection (RFC 9112 §9.3).
fn persists(message: &Message) -> bool {
    let options = message.connection;
    options.close == 0 && (message.version >= HttpVersion::HTTP_11 || options.keep_alive > 0)
}

/// How long each request came after the response before it.
fn gaps(connection: &Connection) -> impl Iterator<Item = Duration> {
    connection.exchanges.windows(2).filter_map(|pair| {
        let before = pair[0].response.as_ref()?.message.last;
        let after = pair[1].request.as_ref()?.message.first;
        (after.time >= before.time).then(|| after.time.since(before.time))
    })
}

fn micros(time: Duration) -> u32 {
    u32::try_from(time.as_micros()).unwrap_or(u32::MAX)
}

fn millis(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX)
}

/// How long after its predecessor it was opened, past the server's TIME-WAIT.
fn gave_way(connection: &Connection) -> Option<u32> {
    let before = connection.predecessor.filter(|before| before.waits[1])?;
    let opened = connection.opening == Opening::Handshake && connection.challenge.is_none();
    opened.then(|| millis(connection.first.time.since(before.last.time)))
}

/// Of the last exchange: until the answer began, or until the close if it had not by then.
fn waited(connection: &Connection, last: &Exchange) -> u32 {
    let left = connection.teardown.by == By::Client && connection.teardown.phase == Phase::Waiting;
    match (&last.request, &last.response) {
        // An answer to nobody was not waited for.
        (Some(request), Some(response)) if !left => {
            // A request that was never complete was waited for.
            let since = response.message.first.time.since(request.message.last.time);
            micros(last.waited().unwrap_or(since))
        }
        (Some(request), _) => micros(connection.teardown.at.since(request.message.last.time)),
        (None, _) => 0,
    }
}

fn idle(connection: &Connection, last: &Exchange) -> u32 {
    let over = matches!(connection.teardown.phase, Phase::Between | Phase::After);
    match &last.response {
        Some(response) if over => millis(connection.teardown.at.since(response.message.last.time)),
        _ => 0,
    }
}

/// Equal requests have equal digests (FNV-1a), on every machine.
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
    let parts: [&[u8]; 3] = [
        exchange.method().unwrap_or_default(),
        host,
        target.as_bytes(),
    ];
    fnv(parts
        .into_iter()
        .flat_map(|part| part.iter().chain(b" "))
        .copied())
}

/// The digest of a request together with the length of its body and the program that sent it: another program's call of
/// the same method is no retry of this one.
fn digest_with_body(exchange: &Exchange) -> u32 {
    let Some(request) = exchange.request.as_ref() else {
        return 0;
    };
    // A call of gRPC is told apart by its message alone (its target is a method, and lengths are mostly the same).
    let agent = request.user_agent.as_ref();
    let agent = agent.map_or(&[][..], |agent| agent.as_bytes());
    if agent.starts_with(b"grpc-") {
        return 0;
    }
    let asked = model(exchange);
    let body = request.message.received().to_be_bytes();
    let whole = request.message.progress == MessageProgress::Complete;
    match (asked, whole) {
        (0, _) | (_, false) => 0,
        _ => fnv(asked
            .to_be_bytes()
            .into_iter()
            .chain(body)
            .chain(agent.iter().copied())),
    }
}

/// The server's name in the ClientHello, as a digest.
fn asked_by_name(connection: &Connection) -> u32 {
    let hello = connection.tls.as_ref().and_then(|tls| tls.hello.as_ref());
    let name = hello.and_then(|(_, hello)| hello.sni.as_deref());
    name.map_or(0, |name| fnv(name.iter().copied()))
}

fn fnv(bytes: impl Iterator<Item = u8>) -> u32 {
    let hash = bytes.fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    hash.max(1)
}

/// What was lost with the last request, if it was.
fn lost(connection: &Connection, last: &Exchange) -> Option<LostRequest> {
    let request = last.request.as_ref()?;
    let over = !matches!(connection.teardown.how, How::Open);
    let whole = request.message.progress == MessageProgress::Complete;
    if last.is_complete() || !over || !whole {
        return None;
    }
    let had = connection.sent[Who::Client as usize].acknowledged >= request.message.end();
    // A tunnel that never came to be took no effect.
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
