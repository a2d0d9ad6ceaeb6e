//! What the close of a TLS connection shows of its handshake and its responses, as far as record headers tell.
//!
//! In: the record of one connection. Out: facts that the outcome of the connection and the rules agree on.

use std::time::Duration;

use super::{By, Connection, How, Phase, ResetKind, Roles, Who};
use crate::base::certainty::Certainty;
use crate::base::flow_end::FlowEnd;
use crate::base::frame_ref::FrameRef;
use crate::protocol::http::Protocol;
use crate::protocol::tls::{ClientCertificate, CloseNotify, HandshakeStage, TlsFacts, TlsVersion};

/// Time within which a server that refuses the client's part of the handshake says so or closes, besides the round trip.
const REFUSES_WITHIN: Duration = Duration::from_secs(2);

/// The side of a flow end in a record.
pub(crate) const fn who(end: FlowEnd) -> Who {
    match end {
        FlowEnd::A => Who::Client,
        FlowEnd::B => Who::Server,
    }
}

/// The first close, as the verdict on the connection has it.
pub(crate) const fn close(connection: &Connection) -> FrameRef {
    FrameRef {
        frame: connection.teardown.frame,
        time: connection.teardown.at,
    }
}

/// How far the handshake had come at the first close, as far as the closer knew.
pub(crate) fn stage_at_close(connection: &Connection, facts: &TlsFacts) -> HandshakeStage {
    let close = close(connection);
    let stage = facts.stage_at(close);
    if stage == HandshakeStage::Unseen {
        return stage;
    }
    let by_caller = connection.teardown.by
        == match who(facts.caller) {
            Who::Client => By::Client,
            Who::Server => By::Server,
        };
    let event = connection.fin[who(facts.caller) as usize]
        .into_iter()
        .chain(connection.reset[who(facts.caller) as usize])
        .find(|event| event.frame_ref.frame == close.frame);
    // What the other side had sent by then may have crossed the close.
    match event.filter(|_| by_caller) {
        Some(event) if event.received == 0 => stage.min(HandshakeStage::ClientHello),
        _ => stage,
    }
}

/// The sign by which a server refused a client without a certificate, where no alert in the clear says so: it closed,
/// or sent an encrypted alert, before the client had closed, and has sent no data. Up to TLS 1.2 its Finished accepts the
/// client (RFC 5246 §7.4.9); in TLS 1.3 it comes before the client's certificate.
pub(crate) fn refused_without_certificate(
    connection: &Connection,
    facts: &TlsFacts,
) -> Option<(Who, FrameRef)> {
    let ClientCertificate::Missing(asked, _) = facts.client_certificate else {
        return None;
    };
    let called = facts.caller.other();
    let (own, flow) = (
        facts.flows[facts.caller.index()],
        facts.flows[called.index()],
    );
    let accepted = flow.finished.is_some() && facts.version() < Some(TlsVersion::TLS_13);
    if flow.records > 0 || flow.unsure || accepted {
        return None;
    }
    let ends = |who: Who, notify: Option<FrameRef>| {
        let fin = connection.fin[who as usize];
        let reset = connection.reset[who as usize]
            .filter(|event| matches!(event.kind, Some(ResetKind::Abort | ResetKind::NoSocket)));
        let closes = fin.into_iter().chain(reset).map(|event| event.frame_ref);
        closes.chain(notify).min()
    };
    let by = who(called);
    let sign = ends(by, flow.close_notify.frame_ref())?;
    let first = ends(who(facts.caller), own.close_notify.frame_ref()).is_none_or(|it| sign < it);
    let soon =
        sign.time.since(asked.time) <= REFUSES_WITHIN + connection.connect_time.unwrap_or_default();
    (first && soon).then_some((by, sign))
}

/// A response inside TLS that the server's close cut off, as far as record headers show.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ResponseCut {
    /// The FIN or RST.
    pub(crate) at: FrameRef,
    pub(crate) word: &'static str,
    pub(crate) certainty: Certainty,
}

/// A RST this soon after the last data is not caused by an idle timer.
const UNDER_WAY: Duration = Duration::from_secs(1);

/// Whether the server cut off a response whose records are not decrypted: it closed in the middle of a record, or reset
/// the connection while it was answering, without `close_notify`.
pub(crate) fn response_cut(connection: &Connection) -> Option<ResponseCut> {
    let facts = connection.tls.as_deref()?;
    let server = Who::Server as usize;
    // Decrypted exchanges are reported by the rules for their protocol.
    let hidden = connection.teardown.phase == Phase::Opaque && connection.protocol == Protocol::Tls;
    if !hidden || facts.caller != FlowEnd::A || connection.roles == Roles::Ports {
        return None;
    }
    let (event, word) = match (connection.teardown.by, connection.teardown.how) {
        (By::Server, How::Fin) => (connection.fin[server]?, "FIN"),
        (By::Server, How::Reset(ResetKind::Abort)) => (connection.reset[server]?, "RST"),
        _ => return None,
    };
    let at = event.frame_ref;
    let [client, flow] = facts.flows;
    let answers = flow.records > 0 || flow.lacking > 0;
    // A client that has said close_notify waits for nothing more.
    let left = client
        .close_notify
        .frame_ref()
        .is_some_and(|left| left < at);
    let sent = connection.sent[server];
    let unseen = flow.unsure || sent.missing > 0 || event.sent > sent.bytes;
    let stage = facts.stage;
    if !answers || left || unseen || client.records == 0 || stage < HandshakeStage::Complete {
        return None;
    }
    if flow.lacking > 0 {
        let certainty = Certainty::Certain;
        return Some(ResponseCut {
            at,
            word,
            certainty,
        });
    }
    let answering = facts.last_word == Some(FlowEnd::B) && !facts.only_tickets;
    let soon = flow
        .last
        .is_some_and(|last| last <= at && at.time.since(last.time) < UNDER_WAY);
    let silent = flow.close_notify == CloseNotify::None;
    let goodbye = is_answered_goodbye(connection, facts);
    (word == "RST" && answering && soon && silent && !goodbye).then_some(ResponseCut {
        at,
        word,
        certainty: Certainty::Likely,
    })
}

/// Whether a request inside TLS got no response, judging by the encrypted records.
pub(crate) fn is_unanswered(connection: &Connection) -> bool {
    // A response is outstanding only if it is known which side requests.
    let hidden = connection.teardown.phase == Phase::Opaque && connection.roles != Roles::Ports;
    let facts = connection
        .tls
        .as_deref()
        .filter(|facts| facts.caller == FlowEnd::A);
    // A record that was sent in part is the beginning of a response.
    let unanswered = |facts: &TlsFacts| {
        facts.is_unanswered(connection.teardown.at) && facts.flows[FlowEnd::B.index()].lacking == 0
    };
    hidden && facts.is_some_and(|facts| unanswered(facts) && !may_be_goodbye(connection, facts))
}

/// Record length of the longest goodbye: a few bytes (an unbind of LDAP, a `QUIT`) with the padding and code of CBC.
const LONGEST_GOODBYE: u64 = 80;
/// What follows a goodbye follows at once.
const AT_ONCE: Duration = Duration::from_secs(1);

/// Whether the client's last record may be a goodbye that has no answer: it is short, the close follows at once, there were
/// answers before, and nothing says that HTTP is spoken (its clients announce it by ALPN).
fn may_be_goodbye(connection: &Connection, facts: &TlsFacts) -> bool {
    let [client, server] = facts.flows;
    let soon = client
        .last
        .is_some_and(|last| connection.teardown.at.since(last.time) < AT_ONCE);
    let short = facts.last_word == Some(FlowEnd::A) && facts.last_words <= LONGEST_GOODBYE;
    !may_be_http(facts) && soon && short && server.records > 0 && !facts.only_tickets
}

/// Whether HTTP may be spoken: its clients announce it by ALPN.
fn may_be_http(facts: &TlsFacts) -> bool {
    let hello = facts.hello.as_ref();
    hello.is_none_or(|(_, hello)| hello.cut || !hello.alpn.is_empty())
}

/// The longest answer to a goodbye: a line or two of SMTP or IMAP.
const LONGEST_REPLY: u64 = 160;

/// Whether the server's last records may be its answer to a goodbye, after which nothing is due (RFC 5321 §4.1.1.10): the
/// client's last turn and the answer are short, the client has all of it, and both had spoken before.
fn is_answered_goodbye(connection: &Connection, facts: &TlsFacts) -> bool {
    let [client, server] = facts.flows;
    let sent = connection.sent[Who::Server as usize];
    let short = facts.last_words <= LONGEST_GOODBYE && facts.last_answer <= LONGEST_REPLY;
    let before = client.bytes > facts.last_words && server.bytes > facts.last_answer;
    let arrived = sent.missing == 0 && sent.acknowledged >= sent.bytes;
    !may_be_http(facts) && short && before && arrived && !facts.only_tickets
}

/// A client that closes sooner, and has had no answer, has not run into a time limit.
const SHORTEST_LIMIT: Duration = Duration::from_millis(900);

/// Whether the client closed of its own accord before the server had answered its ClientHello at all: it did not wait,
/// and nothing was refused.
pub(crate) fn left_before_answer(connection: &Connection, facts: &TlsFacts) -> bool {
    let asked = facts.hello.as_ref().map(|(at, _)| at.time);
    (connection.teardown.by, connection.teardown.how) == (By::Client, How::Fin)
        && facts.caller == FlowEnd::A
        && stage_at_close(connection, facts) <= HandshakeStage::ClientHello
        && asked.is_none_or(|asked| connection.teardown.at.since(asked) < SHORTEST_LIMIT)
}
