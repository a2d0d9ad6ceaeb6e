//! Who closed one connection, how and when.
//!
//! Who closed first is a question of knowledge, not of capture order: a side that had the other's FIN when it sent its
//! own came second, wherever the capture was taken. Acknowledgement numbers show this. A RST acknowledges nothing and
//! is not acknowledged; a RST from a host that has no socket (any more) shows that it had closed before.

use std::time::Duration;

use super::record::{Opening, Roles, SettledBecause, Who};
use super::teardown::{By, How, Teardown};
use super::tracker::{ConnectionTracker, acknowledged};
use crate::base::certainty::Certainty;
use crate::base::flow_end::FlowEnd;
use crate::base::frame_ref::FrameRef;
use crate::base::net::Endpoint;
use crate::base::time::Timestamp;
use crate::knowledge::service;
use crate::protocol::http::{Phase, Protocol, Reach};
use crate::protocol::tcp::{
    CloseEvent, OddSegments, Oddity, Peer, ResetKind, ResetSigns, Standing, State,
};

/// Unanswered retransmissions or probes that make a silence, and not just the end of the capture.
const SILENCE_AFTER: u16 = 3;
/// How long a side must also have been silent: three times the shortest retransmission timers.
const SILENT_FOR: Duration = Duration::from_millis(600);
/// What queues on the way may add to the time of two segments that cross.
const QUEUED: Duration = Duration::from_millis(200);
/// The longest that two segments that cross are taken to be apart where the round trip is not known: the first timeout of
/// a retransmission (RFC 6298 §2.1).
const LONGEST_ROUND_TRIP: Duration = Duration::from_secs(1);
/// Bytes that a server can send before the first acknowledgement: ten segments of Ethernet (RFC 6928 §2).
const FIRST_WINDOW: u64 = 14_600;
/// What a program does within this time after something, it does at once.
const AT_ONCE: Duration = Duration::from_millis(10);
/// A server that takes the client's FIN for an abort closes within this time.
const ABORTS_WITHIN: Duration = Duration::from_millis(200);
/// A SYN sent this long before the end of the capture should have been answered (RFC 6298 §2.1: the first
/// retransmission comes after one second).
const ANSWERED_WITHIN: Duration = Duration::from_secs(1);

/// The roles, the opening and the teardown of a connection.
pub(super) struct TeardownVerdict {
    pub(super) client: FlowEnd,
    pub(super) roles: Roles,
    pub(super) opening: Opening,
    pub(super) teardown: Teardown,
}

/// The first close, and who sent it.
struct FirstClose {
    by: Closer,
    event: CloseEvent,
    /// The end whose address the FIN or RST carries.
    end: FlowEnd,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Closer {
    End,
    /// One end, whose close the other had not received when it closed long after.
    Unheard,
    Both,
    Middlebox,
}

pub(super) fn judge(live: &ConnectionTracker, ended: SettledBecause) -> TeardownVerdict {
    let (client, roles) = roles(live);
    let opening = opening(live, client);
    let close = first_close(live, client);
    let teardown = match &close {
        Some(close) => closed(live, client, opening, close, ended),
        None => open(live, client, opening, ended),
    };
    let certainty = certainty(live, roles, opening, &teardown, close.as_ref());
    TeardownVerdict {
        client,
        roles,
        opening,
        teardown: Teardown {
            certainty,
            ..teardown
        },
    }
}

/// Determines the client, and on what evidence.
fn roles(live: &ConnectionTracker) -> (FlowEnd, Roles) {
    for end in FlowEnd::BOTH {
        let peer = live.pair.peer(end);
        let other = live.pair.peer(end.other());
        if peer.answered_syn() && !other.answered_syn() {
            // A server that answers the SYN with one of its own is called all the same (RFC 9293 §3.5, simultaneous opening).
            let called = peer.called() && other.called() && peer.syn() < other.syn();
            let client = if called { end } else { end.other() };
            return (client, Roles::Handshake);
        }
    }
    // The bits of a SYN with a FIN may be damaged: without an answer it does not show who called.
    let opens = |end: FlowEnd| {
        let peer = live.pair.peer(end);
        let odd = |it: &OddSegments| it.kind == Oddity::SynFin;
        let spoke = live.pair.peer(end.other()).counts().packets > 0;
        peer.syn()
            .filter(|_| !(spoke && peer.oddities().iter().any(odd)))
    };
    let by_syn = match [FlowEnd::A, FlowEnd::B].map(opens) {
        [Some(a), Some(b)] => Some(if a <= b { FlowEnd::A } else { FlowEnd::B }),
        [Some(_), None] => Some(FlowEnd::A),
        [None, Some(_)] => Some(FlowEnd::B),
        [None, None] => None,
    };
    if let Some(end) = by_syn {
        return (end, Roles::Handshake);
    }
    // Only a side that was called refuses, whatever the ports.
    let refuser = FlowEnd::BOTH
        .into_iter()
        .find(|end| refuses(live.pair.peer(*end)));
    if let Some(end) = refuser {
        return (end.other(), Roles::Ports);
    }
    // Nobody answers with segments that no program sends: a scanner asks with them.
    let prober = FlowEnd::BOTH
        .into_iter()
        .find(|end| only_probes(live.pair.peer(*end)));
    if let Some(end) = prober {
        return (end, Roles::Ports);
    }
    if let Some((end, Certainty::Certain | Certainty::Likely)) = live
        .parsed
        .stack
        .as_ref()
        .and_then(|stack| stack.requester())
    {
        return (end, Roles::Http);
    }
    (likely_client(live.endpoints), Roles::Ports)
}

/// Whether all that an end sent are segments without ACK, which belong to no connection.
fn only_probes(peer: &Peer) -> bool {
    let odd = |it: &&OddSegments| matches!(it.kind, Oddity::WithoutAck | Oddity::FinWithoutAck);
    let probes = peer.oddities().iter().filter(odd);
    let probes: u64 = probes.map(|it| u64::from(it.count)).sum();
    probes > 0 && probes >= peer.counts().packets
}

/// The port of NFS (RFC 7530 §3.1), which an operating system calls from one of the ports that it reserves for root.
const NFS: u16 = 2049;
/// These ports: no program serves most of them.
const RESERVED: std::ops::Range<u16> = 512..1024;

/// The presumed client, by the ports alone.
pub(super) fn likely_client(endpoints: [Endpoint; 2]) -> FlowEnd {
    let [a, b] = endpoints.map(|endpoint| endpoint.port);
    match [a, b] {
        [own, NFS] if RESERVED.contains(&own) => return FlowEnd::A,
        [NFS, own] if RESERVED.contains(&own) => return FlowEnd::B,
        _ => {}
    }
    if service_rank(a) < service_rank(b) {
        FlowEnd::B
    } else {
        FlowEnd::A
    }
}

/// The lower the rank, the more likely the port is the server's: system ports (RFC 6335 §6), then ports that a protocol is
/// known for, then ports below every system's ephemeral range, then by number. Nobody listens on port 0.
fn service_rank(port: u16) -> u32 {
    let number = u32::from(port);
    match port {
        0 => u32::MAX,
        1..1024 => number,
        _ if service(port).is_some() => 100_000 + number,
        1024..32768 => 200_000 + number,
        _ => 300_000 + number,
    }
}

fn opening(live: &ConnectionTracker, client: FlowEnd) -> Opening {
    let caller = live.pair.peer(client);
    let called = live.pair.peer(client.other());
    if caller.syn().is_none() && called.syn().is_none() {
        return match refuses(called) {
            true => Opening::Refused,
            false => Opening::Midstream,
        };
    }
    let spoke = |peer: &Peer| peer.stream().bytes() > 0 || peer.fin().is_some();
    // A RST at a number beyond all that was captured: what came before it is missing.
    let used = |peer: &Peer| peer.reset().is_some() && peer.stream().missing() > 0;
    if used(caller) || used(called) {
        return Opening::Handshake;
    }
    if called.syn().is_none() {
        let refused = called.reset().is_some_and(|reset| {
            reset.kind == Some(ResetKind::Refusal)
                || reset.kind == Some(ResetKind::Foreign) && caller.first_ack().is_none()
        });
        if refused {
            return Opening::Refused;
        }
        let unreachable = live
            .icmp
            .as_ref()
            .is_some_and(|quote| quote.kind != crate::base::net::QuoteKind::TooBig);
        // A client that goes on has received an answer, whether or not it was captured.
        if caller.first_ack().is_some() || spoke(called) {
            return Opening::Handshake;
        }
        return if unreachable {
            Opening::Unreachable
        } else {
            Opening::Unanswered
        };
    }
    if caller.first_ack().is_some() || spoke(caller) || spoke(called) {
        return Opening::Handshake;
    }
    if caller.answered_syn() || caller.proven() == Standing::In(State::Established) {
        return Opening::Handshake;
    }
    // No program resets what its system has not opened.
    let aborts = |peer: &Peer| {
        peer.reset()
            .is_some_and(|it| it.kind == Some(ResetKind::Abort))
    };
    if aborts(called) && caller.reset().is_none() {
        return Opening::Handshake;
    }
    // The server has data of the client that the capture has not.
    if caller.stream().acknowledged() > 0 {
        return Opening::Handshake;
    }
    Opening::Rejected
}

/// Whether this side refused a SYN.
fn refuses(peer: &Peer) -> bool {
    peer.reset()
        .is_some_and(|reset| reset.kind == Some(ResetKind::Refusal))
}

/// The first RST of one end, unless it is stale.
fn effective_reset(peer: &Peer) -> Option<CloseEvent> {
    peer.reset()
        .filter(|event| event.kind != Some(ResetKind::Stale))
}

/// How an end closed first: by its FIN or by a RST of its own.
fn own_close(peer: &Peer) -> Option<CloseEvent> {
    let reset = effective_reset(peer).filter(|event| event.kind != Some(ResetKind::Foreign));
    match (peer.fin(), reset) {
        (Some(fin), Some(reset)) => Some(if fin.frame_ref <= reset.frame_ref {
            fin
        } else {
            reset
        }),
        (fin, reset) => fin.or(reset),
    }
}

fn first_close(live: &ConnectionTracker, client: FlowEnd) -> Option<FirstClose> {
    let peers = FlowEnd::BOTH.map(|end| live.pair.peer(end));
    let own = peers.map(own_close);
    let forged = FlowEnd::BOTH
        .into_iter()
        .filter_map(|end| {
            effective_reset(peers[end.index()])
                .filter(|event| event.kind == Some(ResetKind::Foreign))
                .map(|event| (end, event))
        })
        .min_by_key(|(_, event)| event.frame_ref);
    let first_own = own.iter().flatten().map(|event| event.frame_ref).min();
    if let Some((end, event)) = forged
        && first_own.is_none_or(|frame_ref| event.frame_ref < frame_ref)
    {
        return Some(FirstClose {
            by: Closer::Middlebox,
            event,
            end,
        });
    }
    let [a, b] = own;
    let only = match (a, b) {
        (Some(event), None) => Some((FlowEnd::A, event)),
        (None, Some(event)) => Some((FlowEnd::B, event)),
        _ => None,
    };
    if only.is_some_and(|(end, event)| was_cut_off(live, end, &event)) {
        return None;
    }
    let (end, by) = match (a, b) {
        (None, None) => return None,
        (Some(_), None) => (FlowEnd::A, Closer::End),
        (None, Some(_)) => (FlowEnd::B, Closer::End),
        (Some(a), Some(b)) => match one_was_lost(live, &a, &b, client) {
            Some(end) => (end, Closer::Unheard),
            None => match FlowEnd::BOTH
                .into_iter()
                .find(|end| drew_reset(live, *end, client))
            {
                Some(end) if has_all_answers(live, end) => (end, Closer::End),
                // It waited for the other one, whose connection had ended long before without its knowledge.
                Some(end) => (end.other(), Closer::Unheard),
                None => match fast_closer(live) {
                    Some(end) => (end, Closer::End),
                    None => who_was_first(&a, &b, client, crossing_time(live, client)),
                },
            },
        },
    };
    own[end.index()].map(|event| FirstClose { by, event, end })
}

/// Whether one side's FIN came after the other had fallen silent: it had repeated its data without an answer, all of which
/// was lost on the way, as two places of capture show, and did not answer the FIN either.
fn was_cut_off(live: &ConnectionTracker, end: FlowEnd, close: &CloseEvent) -> bool {
    let (own, other) = (live.pair.peer(end), live.pair.peer(end.other()));
    let last_lost = other.counts().passages.last_lost;
    close.kind.is_none()
        && own.fin_acknowledged().is_none()
        && other.unanswered() >= SILENCE_AFTER
        && last_lost.is_some_and(|lost| lost >= other.last_sent())
        && close.frame_ref.time.since(other.last_sent().time) >= SILENT_FOR
}

/// The first of two closes when one of them was lost on the way, as two places of capture show: then neither side knew of
/// the other's close, and their times order them if they are further apart than a round trip.
fn one_was_lost(
    live: &ConnectionTracker,
    a: &CloseEvent,
    b: &CloseEvent,
    client: FlowEnd,
) -> Option<FlowEnd> {
    if !a.passage.is_lost() && !b.passage.is_lost() || a.knew_fin || b.knew_fin {
        return None;
    }
    earlier(a, b, round_trip(live, client).unwrap_or(LONGEST_ROUND_TRIP))
}

/// The end that aborted by an option of Multipath TCP, if the other one did not: that one's RST is the answer.
fn fast_closer(live: &ConnectionTracker) -> Option<FlowEnd> {
    match FlowEnd::BOTH.map(|end| live.pair.peer(end).fast_closed()) {
        [true, false] => Some(FlowEnd::A),
        [false, true] => Some(FlowEnd::B),
        _ => None,
    }
}

/// Whether the FIN of this end is what the other one's RST answers, from a host that had no such connection any more: the
/// end had sent nothing for longer than two segments can cross, so no earlier segment of it can have drawn the RST.
fn drew_reset(live: &ConnectionTracker, end: FlowEnd, client: FlowEnd) -> bool {
    let (own, other) = (live.pair.peer(end), live.pair.peer(end.other()));
    let (Some(fin), Some(reset)) = (own.fin(), other.reset()) else {
        return false;
    };
    let before = own.before_fin();
    other.fin().is_none()
        && own.reset().is_none()
        && reset.kind == Some(ResetKind::NoSocket)
        && fin.frame_ref < reset.frame_ref
        && before != FrameRef::default()
        && own.syn().is_some()
        && fin.frame_ref.time.since(before.time) > crossing_time(live, client)
}

/// Whether the other end sent the last data of the connection, and this end acknowledged all of it when it closed.
fn has_all_answers(live: &ConnectionTracker, end: FlowEnd) -> bool {
    let (own, other) = (live.pair.peer(end), live.pair.peer(end.other()));
    let sent = u64::try_from(other.stream().top()).unwrap_or(0);
    other.top_time() > own.top_time() && own.fin().is_some_and(|fin| fin.received >= sent)
}

/// How long two segments that cross can be apart where they are captured: a round trip, with as much again for queues.
fn crossing_time(live: &ConnectionTracker, client: FlowEnd) -> Duration {
    round_trip(live, client).map_or(LONGEST_ROUND_TRIP, |it| 2 * it + QUEUED)
}

/// The first SYN and the ACK of the answer are a round trip apart at any point of the way.
fn round_trip(live: &ConnectionTracker, client: FlowEnd) -> Option<Duration> {
    let caller = live.pair.peer(client);
    Some(caller.first_ack()?.time.since(caller.syn()?.time))
}

/// Which of two closes is the earlier one, if more time than this lies between them.
fn earlier(a: &CloseEvent, b: &CloseEvent, apart: Duration) -> Option<FlowEnd> {
    let (a, b) = (a.frame_ref.time, b.frame_ref.time);
    if b.since(a) > apart {
        Some(FlowEnd::A)
    } else if a.since(b) > apart {
        Some(FlowEnd::B)
    } else {
        None
    }
}

/// Which of two closes came first; `Both` if they crossed in flight. Which of two crossing closes is captured first
/// depends on the capture point, so the client's is reported: the outstanding response was owed to it.
fn who_was_first(
    a: &CloseEvent,
    b: &CloseEvent,
    client: FlowEnd,
    crossing: Duration,
) -> (FlowEnd, Closer) {
    if a.knew_fin != b.knew_fin {
        return (
            if a.knew_fin { FlowEnd::B } else { FlowEnd::A },
            Closer::End,
        );
    }
    let no_socket = |event: &CloseEvent| event.kind == Some(ResetKind::NoSocket);
    match (no_socket(a), no_socket(b)) {
        (true, false) if b.kind.is_none() => return (FlowEnd::A, Closer::End),
        (false, true) if a.kind.is_none() => return (FlowEnd::B, Closer::End),
        _ => {}
    }
    // The earlier one was lost on the way to the other side: what is sent later did not cross it.
    if let Some(first) = earlier(a, b, crossing) {
        return (first, Closer::Unheard);
    }
    match (a.kind, b.kind) {
        (None, None) => (client, Closer::Both),
        // Of a FIN and a RST that crossed, the FIN is reported.
        (None, Some(_)) => (FlowEnd::A, Closer::Both),
        (Some(_), None) => (FlowEnd::B, Closer::Both),
        // A side that has received a RST has no socket left to abort.
        (Some(ResetKind::Abort), Some(ResetKind::Abort)) => (client, Closer::Both),
        (Some(_), Some(_)) => (
            if a.frame_ref <= b.frame_ref {
                FlowEnd::A
            } else {
                FlowEnd::B
            },
            Closer::End,
        ),
    }
}

fn role(end: FlowEnd, client: FlowEnd) -> Who {
    if end == client {
        Who::Client
    } else {
        Who::Server
    }
}

fn closed(
    live: &ConnectionTracker,
    client: FlowEnd,
    opening: Opening,
    close: &FirstClose,
    ended: SettledBecause,
) -> Teardown {
    let by = match (close.by, role(close.end, client)) {
        (Closer::Both, _) => By::Both,
        (Closer::Middlebox, _) => By::Middlebox,
        (Closer::End | Closer::Unheard, Who::Client) => By::Client,
        (Closer::End | Closer::Unheard, Who::Server) => By::Server,
    };
    let how = close.event.kind.map_or(How::Fin, How::Reset);
    let phase = match asks_backwards(live, client) {
        true => Phase::Opaque,
        false => phase(live, opening, close),
    };
    // A server that has said close_notify did not close because of the client's FIN.
    let close_notify_seen = close_notify_seen(live, by, client.other(), close);
    let server_too = by == By::Client
        && close_notify_seen.is_none()
        && matches!(phase, Phase::ResponseHead | Phase::ResponseBody)
        && closes_as_well(live, client, close);
    let waits = matches!(
        phase,
        Phase::Waiting | Phase::ResponseHead | Phase::ResponseBody
    );
    let half_closed = (by == By::Client && waits && !server_too)
        .then(|| after_half_close(live, client, close))
        .flatten();
    Teardown {
        by,
        how,
        phase,
        frame: close.event.frame_ref.frame,
        at: close.event.frame_ref.time,
        certainty: Certainty::Certain,
        orderly: is_orderly(live, by, how, phase, ended),
        close_notify_seen,
        unheard: close.by == Closer::Unheard,
        server_too,
        half_closed,
    }
}

/// Whether the requests of HTTP come from the side that was called: then the two sides are not client and server of HTTP,
/// and which of them serves what is not known.
pub(super) fn asks_backwards(live: &ConnectionTracker, client: FlowEnd) -> bool {
    let stack = live.parsed.stack.as_ref();
    let requester = stack.filter(|it| it.protocol() == Protocol::Http1);
    let requester = requester.and_then(|it| it.requester());
    live.pair.peer(client).syn().is_some()
        && live.pair.peer(client.other()).answered_syn()
        && requester.is_some_and(|(end, _)| end != client)
}

/// Whether the server closed right after the client's FIN, which came right after the server's last bytes: all that it ever
/// sent had arrived by then.
fn closes_as_well(live: &ConnectionTracker, client: FlowEnd, close: &FirstClose) -> bool {
    let (own, server) = (live.pair.peer(client), live.pair.peer(client.other()));
    let Some(fin) = server.fin().filter(|_| close.event.kind.is_none()) else {
        return false;
    };
    let at = close.event.frame_ref.time;
    // A server that has more to send fills the first window at least.
    fin.sent == close.event.received
        && fin.sent <= FIRST_WINDOW
        && at.since(server.top_time().time) <= AT_ONCE
        && fin.frame_ref.time.since(at) <= AT_ONCE
        && own.reset().is_none()
        && server.reset().is_none()
        && own.counts().zero_windows == 0
        && server.stream().missing() == 0
}

/// How the server closed after a FIN with which the client closed only its direction. A host whose program has closed the
/// whole connection resets what comes after the FIN; without a byte after it, only a FIN right behind the request and a
/// server that does not close because of it say so.
fn after_half_close(live: &ConnectionTracker, client: FlowEnd, close: &FirstClose) -> Option<How> {
    let (own, server) = (live.pair.peer(client), live.pair.peer(client.other()));
    let end = own_close(server)?;
    let at = close.event.frame_ref;
    if close.event.kind.is_some() || own.reset().is_some() || end.frame_ref <= at {
        return None;
    }
    let took = acknowledged(server.stream()) > close.event.received;
    let silent = server.stream().bytes() + server.stream().missing() == 0;
    let straight_on = at.time.since(own.top_time().time) <= AT_ONCE;
    let waits = silent && straight_on && end.frame_ref.time.since(at.time) > ABORTS_WITHIN;
    (took || waits).then(|| end.kind.map_or(How::Fin, How::Reset))
}

fn phase(live: &ConnectionTracker, opening: Opening, close: &FirstClose) -> Phase {
    match opening {
        Opening::Handshake | Opening::Midstream => {}
        _ => return Phase::Connecting,
    }
    let is_fin = close.event.kind.is_none();
    let sent = Reach {
        bytes: close.event.sent,
        fin: is_fin,
    };
    let received = Reach {
        bytes: close.event.received,
        fin: close.event.knew_fin,
    };
    let at = close.event.frame_ref.time;
    layered_phase(live, opening, close.end, sent, received, at)
}

fn layered_phase(
    live: &ConnectionTracker,
    opening: Opening,
    at: FlowEnd,
    sent: Reach,
    received: Reach,
    time: Timestamp,
) -> Phase {
    let stack = live.parsed.stack.as_ref();
    if let Some(phase) = stack.and_then(|it| it.spoken_phase(at, sent, received, time)) {
        return phase;
    }
    match &live.parsed.stack {
        Some(stack) if stack.protocol() == Protocol::Unknown => {
            if opening == Opening::Handshake && stack.exchanges().next().is_none() {
                stack.phase_at(at, sent, received)
            } else {
                Phase::Opaque
            }
        }
        Some(stack) => stack.phase_at(at, sent, received),
        None if opening == Opening::Handshake => Phase::BeforeRequest,
        None => Phase::Opaque,
    }
}

/// Whether this end owed the other a response when the capture ended.
pub(super) fn owes(live: &ConnectionTracker, end: FlowEnd) -> bool {
    let (client, _) = roles(live);
    let whole =
        |end: FlowEnd| Reach::bytes(u64::try_from(live.pair.peer(end).stream().top()).unwrap_or(0));
    let opening = opening(live, client);
    let (sent, received) = (whole(client), whole(end));
    let phase = || layered_phase(live, opening, client, sent, received, live.last.time);
    end != client
        && matches!(
            phase(),
            Phase::Waiting | Phase::ResponseHead | Phase::ResponseBody
        )
}

/// The verdict without a FIN or RST: a silence, or just the end of the capture.
fn open(
    live: &ConnectionTracker,
    client: FlowEnd,
    opening: Opening,
    ended: SettledBecause,
) -> Teardown {
    let end_of_view = ended.time();
    let cut_off = FlowEnd::BOTH.into_iter().find(|end| {
        let close = own_close(live.pair.peer(*end));
        close.is_some_and(|close| was_cut_off(live, *end, &close))
    });
    let silent = match opening {
        Opening::Unanswered | Opening::Unreachable | Opening::Refused | Opening::Rejected => {
            end_of_view.since(live.first.time) >= ANSWERED_WITHIN
                || opening == Opening::Unreachable
                || matches!(ended, SettledBecause::Reused(_))
        }
        Opening::Handshake | Opening::Midstream => {
            cut_off.is_some()
                || FlowEnd::BOTH.iter().any(|end| {
                    let peer = live.pair.peer(*end);
                    let other = live.pair.peer(end.other());
                    peer.unanswered() >= SILENCE_AFTER
                        && end_of_view.since(other.last_sent().time) >= SILENT_FOR
                })
        }
    };
    let whole =
        |end: FlowEnd| Reach::bytes(u64::try_from(live.pair.peer(end).stream().top()).unwrap_or(0));
    let phase = match opening {
        Opening::Handshake | Opening::Midstream => layered_phase(
            live,
            opening,
            client,
            whole(client),
            whole(client.other()),
            end_of_view,
        ),
        _ => Phase::Connecting,
    };
    let by = match (&live.icmp, opening) {
        (Some(quote), Opening::Unreachable) => {
            if quote.reporter == live.endpoints[client.other().index()].ip {
                By::Server
            } else {
                By::Middlebox
            }
        }
        _ => By::Nobody,
    };
    let at = match (&live.icmp, opening) {
        (Some(quote), Opening::Unreachable) => FrameRef {
            frame: quote.frame,
            time: quote.time,
        },
        // It fell silent after its last segment, not after what the other side sent later.
        _ => cut_off.map_or(live.last, |end| live.pair.peer(end.other()).last_sent()),
    };
    Teardown {
        by,
        how: if silent { How::Silence } else { How::Open },
        phase,
        frame: at.frame,
        at: at.time,
        certainty: Certainty::Certain,
        orderly: false,
        close_notify_seen: None,
        unheard: false,
        server_too: false,
        half_closed: None,
    }
}

/// The server's `close_notify`, if the client had received it before it closed.
fn close_notify_seen(
    live: &ConnectionTracker,
    by: By,
    server: FlowEnd,
    close: &FirstClose,
) -> Option<FrameRef> {
    let stack = live.parsed.stack.as_ref().filter(|_| by == By::Client)?;
    stack.close_notify(server, close.event.received)
}

/// All bytes of both sides arrived, and no exchange was left unfinished.
fn is_orderly(
    live: &ConnectionTracker,
    by: By,
    how: How,
    phase: Phase,
    ended: SettledBecause,
) -> bool {
    let peers = FlowEnd::BOTH.map(|end| live.pair.peer(end));
    let nothing_owed = live.parsed.stack.as_ref().is_none_or(|stack| {
        let spoken = stack.spoken().is_some() && phase.is_outstanding();
        !spoken && stack.exchanges().all(|exchange| exchange.is_settled())
    });
    // What was sent in the last moment of the capture is presumed to have arrived.
    let was_reset = peers.iter().any(|peer| effective_reset(peer).is_some());
    let cut_off = !was_reset
        && matches!(ended, SettledBecause::Capture(end) if end.since(live.last.time) < ANSWERED_WITHIN);
    // A close must be answered by the other side's close.
    let both_closed = peers.iter().all(|peer| {
        peer.fin().is_some()
            || matches!(
                peer.presumed(),
                Standing::In(State::Closed | State::TimeWait)
            )
    });
    let all_arrived = cut_off
        || peers.iter().all(|peer| {
            let stream = peer.stream();
            acknowledged(stream) >= u64::try_from(stream.top()).unwrap_or(0)
        });
    let by_reset = match how {
        How::Fin => false,
        // A client that has everything and resets has lost nothing; a server that resets may have left requests unread.
        How::Reset(ResetKind::Abort | ResetKind::NoSocket) => {
            by != By::Client || !matches!(phase, Phase::Between | Phase::After)
        }
        How::Reset(_) | How::Silence | How::Open => true,
    };
    nothing_owed && all_arrived && (both_closed || cut_off) && !by_reset
}

fn certainty(
    live: &ConnectionTracker,
    roles: Roles,
    opening: Opening,
    teardown: &Teardown,
    close: Option<&FirstClose>,
) -> Certainty {
    let peers = FlowEnd::BOTH.map(|end| live.pair.peer(end));
    let one_sided = opening != Opening::Unanswered
        && opening != Opening::Unreachable
        && peers.iter().any(|peer| peer.counts().packets == 0);
    let lossy = peers.iter().any(|peer| peer.stream().missing() > 0);
    // A FIN that was not captured is known by its acknowledgement alone.
    let inferred = peers
        .iter()
        .any(|peer| peer.fin().is_some() && peer.counts().fins == 0);
    // The other side's close may have been sent earlier, lost, and captured when it was repeated; where two places of
    // capture show that this one was lost, that does not matter.
    let lost = close.is_some_and(|it| it.event.passage.is_lost());
    let indirect = inferred
        || teardown.unheard && !lost
        || match teardown.how {
            // That it was never sent is proven where the capture nearer to that host lacks it.
            How::Reset(ResetKind::Foreign) => {
                !close.is_some_and(|it| it.event.signs.has(ResetSigns::NOT_SENT))
            }
            How::Reset(ResetKind::NoSocket) => close.is_some(),
            // A firewall refuses in the name of the server as well. On one host there is none on the way.
            How::Reset(ResetKind::Refusal) => live.endpoints[0].ip != live.endpoints[1].ip,
            // A device on the way may have sent it.
            How::Reset(_) => close.is_some_and(|it| it.event.signs.has(ResetSigns::EARLY)),
            _ => false,
        };
    if one_sided || lossy || indirect || roles == Roles::Ports {
        Certainty::Likely
    } else {
        Certainty::Certain
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ladder::{Ladder, frames};
    use crate::rules::ladder_check;

    #[test]
    fn the_port_of_a_service_is_the_servers() {
        let rows = [
            ([50_000, 80], FlowEnd::A),
            ([22, 1000], FlowEnd::B),
            ([939, 2049], FlowEnd::A),
            ([2049, 939], FlowEnd::B),
            ([2049, 25], FlowEnd::A),
            ([2049, 50_000], FlowEnd::B),
        ];
        for (ports, expected) in rows {
            let ip = std::net::Ipv4Addr::LOCALHOST.into();
            let endpoints = ports.map(|port| Endpoint { ip, port });
            assert_eq!(likely_client(endpoints), expected, "{ports:?}");
        }
    }

    /// RFC 8684 §3.5: the peer of a Multipath TCP that aborts by MP_FASTCLOSE answers with a RST.
    #[test]
    fn who_sends_a_fast_close_has_aborted() {
        const OPTION: [u8; 12] = [30, 12, 0x70, 0, 1, 2, 3, 4, 5, 6, 7, 8];
        /// Where the IP header begins, and the TCP header after it.
        const IP: usize = 14;
        const TCP: usize = IP + 20;
        let text =
            "SYN -->\n<-- SYN\nACK -->\n\"one\" -->\n<-- \"two\"\nACK -->\n+4s ACK -->\n<-- RST";
        let ladder: Ladder = text.parse().expect("a ladder");
        let closer = |option: bool| {
            let mut frames = frames(&ladder);
            if option {
                let place = frames.len() - 2;
                let frame = &mut frames[place];
                let bytes = &mut frame.bytes;
                let header = TCP + usize::from(bytes[TCP + 12] >> 4) * 4;
                bytes.splice(header..header, OPTION);
                bytes[TCP + 12] += 3 << 4;
                let length = u16::from_be_bytes([bytes[IP + 2], bytes[IP + 3]]) + 12;
                bytes[IP + 2..IP + 4].copy_from_slice(&length.to_be_bytes());
                frame.length += 12;
            }
            let proof = ladder_check::run_frames(&ladder, frames);
            let teardown = &proof.connections[0].teardown;
            (teardown.by, teardown.how)
        };
        let abort = How::Reset(ResetKind::Abort);
        assert_eq!(closer(false), (By::Server, abort));
        assert_eq!(closer(true), (By::Client, abort));
    }
}
