//! What the close of a TLS connection shows of its handshake and its responses, as far as record headers tell.
//!
//! In: the record of one connection. Out: facts that the outcome of the connection and the rules agree on.

use std::time::Duration;

use super::record::least_answer_time;
use super::{By, CloseEvent, Connection, How, Phase, ResetKind, Roles, Who};
use crate::base::certainty::Certainty;
use crate::base::flow_end::FlowEnd;
use crate::base::frame_ref::FrameRef;
use crate::knowledge::service;
use crate::protocol::http::Protocol;
use crate::protocol::tls::{
    ClientCertificate, CloseNotify, HandshakeStage, PROMPT, TlsFacts, TlsVersion,
};

/// Time within which a server that refuses the client's part of the handshake says so or closes, besides the round trip.
const REFUSES_WITHIN: Duration = Duration::from_secs(2);

/// How far the handshake had come at the first close, as far as the closer knew.
pub(crate) fn stage_at_close(connection: &Connection, facts: &TlsFacts) -> HandshakeStage {
    let close = connection.teardown.frame_ref();
    let stage = facts.stage_at(close);
    if stage == HandshakeStage::Unseen {
        return stage;
    }
    let by_caller = connection.teardown.by
        == match Who::of(facts.caller) {
            Who::Client => By::Client,
            Who::Server => By::Server,
        };
    let event = connection.fin[Who::of(facts.caller) as usize]
        .into_iter()
        .chain(connection.reset[Who::of(facts.caller) as usize])
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
    let by = Who::of(called);
    let sign = ends(by, flow.close_notify.frame_ref())?;
    let first =
        ends(Who::of(facts.caller), own.close_notify.frame_ref()).is_none_or(|it| sign < it);
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
    /// Something is known to be lost: there was more to come, or what had been sent had not arrived.
    pub(crate) lost: bool,
}

/// A RST this soon after the last data is not caused by an idle timer.
const UNDER_WAY: Duration = Duration::from_secs(1);

/// The facts, if exchanges are hidden in records that are not decrypted, and it is known which side requests.
fn hidden(connection: &Connection) -> Option<&TlsFacts> {
    let facts = connection.tls.as_deref()?;
    // Decrypted exchanges are reported by the rules for their protocol.
    let hidden = connection.teardown.phase == Phase::Opaque && connection.protocol == Protocol::Tls;
    let known = facts.caller == FlowEnd::A && connection.roles != Roles::Ports;
    (hidden && known).then_some(facts)
}

/// Whether the server cut off a response whose records are not decrypted: it closed in the middle of a record, or reset
/// the connection while it was answering, without `close_notify`.
pub(crate) fn response_cut(connection: &Connection) -> Option<ResponseCut> {
    let facts = hidden(connection)?;
    let server = Who::Server as usize;
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
    if cut_while_sending(connection).is_some() {
        return None;
    }
    if flow.lacking > 0 {
        return Some(ResponseCut {
            at,
            word,
            certainty: Certainty::Certain,
            lost: true,
        });
    }
    let answering = facts.turns_inside.last == Some(FlowEnd::B) && !facts.only_tickets;
    let soon = flow
        .last
        .is_some_and(|last| last <= at && at.time.since(last.time) < UNDER_WAY);
    let silent = flow.close_notify == CloseNotify::None;
    let goodbye = is_answered_goodbye(connection, facts);
    (word == "RST" && answering && soon && silent && !goodbye).then_some(ResponseCut {
        at,
        word,
        certainty: Certainty::Likely,
        lost: facts.turns_inside.full || sent.acknowledged < sent.bytes,
    })
}

/// A RST of the server on a connection where nothing was under way, as far as the turns show: when it had sent its last data.
pub(crate) fn reset_while_idle(connection: &Connection) -> Option<FrameRef> {
    let facts = hidden(connection)?;
    let [client, server] = facts.flows;
    let reset = (connection.teardown.by, connection.teardown.how)
        == (By::Server, How::Reset(ResetKind::Abort));
    let answered = facts.turns_inside.last == Some(FlowEnd::B) && !facts.only_tickets;
    let quiet = server.lacking == 0 && !facts.turns_inside.full;
    let said = client.close_notify != CloseNotify::None || server.close_notify != CloseNotify::None;
    let missing = connection.sent.iter().any(|sent| sent.missing > 0);
    let last = server.last?;
    let long = connection.teardown.at.since(last.time) >= UNDER_WAY;
    (reset && answered && quiet && !said && !missing && !server.unsure && long).then_some(last)
}

/// A request inside TLS that was still being sent when the server reset the connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SendingCut {
    /// The client's last whole record, if it sent one.
    pub(crate) asked: Option<FrameRef>,
    /// The server's last record, if it spoke after the client had begun.
    pub(crate) answer: Option<FrameRef>,
    /// The server's RST.
    pub(crate) reset: FrameRef,
    /// Bytes that the client's last record still lacked.
    pub(crate) lacking: u32,
}

/// A pause before what is sent that is no rhythm of sending.
const PAUSE: Duration = Duration::from_millis(190);

/// Whether the server reset the connection while the client was sending, as far as record headers show: its last record
/// was not complete, or full, as where more follows.
pub(crate) fn cut_while_sending(connection: &Connection) -> Option<SendingCut> {
    let facts = hidden(connection)?;
    let [client, server] = facts.flows;
    let turns = &facts.turns_inside;
    let reset = connection.reset[Who::Server as usize]
        .filter(|event| matches!(event.kind, Some(ResetKind::Abort | ResetKind::NoSocket)))?;
    // After a pause, a full record was the last one.
    let full = turns.asks_on
        && turns.last == Some(FlowEnd::A)
        && turns
            .asked_at
            .is_some_and(|at| connection.teardown.at.since(at.time) < UNDER_WAY);
    let missing = connection.sent.iter().any(|sent| sent.missing > 0);
    let spoke = client.records > 0 || client.lacking > 0;
    let cut = connection.teardown.by == By::Server && (client.lacking > 0 || full) && spoke;
    let quiet = client.close_notify == CloseNotify::None || client.lacking > 0;
    // What comes after a pause met a close, or a host that had forgotten the connection.
    let reused = connection
        .in_flight(Who::Client)
        .is_some_and(|it| it.idle >= PAUSE);
    if reused
        || !cut
        || missing
        || client.unsure
        || !quiet
        || facts.stage < HandshakeStage::Complete
    {
        return None;
    }
    let answered = turns.last == Some(FlowEnd::B) && !facts.only_tickets;
    Some(SendingCut {
        asked: turns.asked_at,
        answer: server.last.filter(|_| answered),
        reset: reset.frame_ref,
        lacking: client.lacking,
    })
}

/// The longest answer of a client to the server's close: alerts in any cipher, a GOAWAY.
pub(super) const LONGEST_FAREWELL: u64 = 96;

/// Whether the server had all that the client had sent when it closed, but for what answers its close.
fn had_all(connection: &Connection) -> bool {
    let client = connection.sent[Who::Client as usize];
    let server = Who::Server as usize;
    let received = |event: Option<CloseEvent>| event.map_or(client.bytes, |event| event.received);
    let had = match (connection.teardown.by, connection.teardown.how) {
        (By::Server, How::Fin) => received(connection.fin[server]),
        (By::Server, How::Reset(ResetKind::Abort)) => received(connection.reset[server]),
        // There was no connection any more when the rest came.
        (By::Server, How::Reset(ResetKind::NoSocket)) => client.acknowledged,
        _ => client.bytes,
    };
    had.saturating_add(LONGEST_FAREWELL) >= client.bytes
}

/// Whether what the server said inside TLS is no answer to what the client said before it: it came sooner than the server can
/// have had that. A tunnel, or a protocol in which both sides speak when they like, has no turns that show what is due.
fn speaks_unasked(connection: &Connection, facts: &TlsFacts) -> bool {
    let least = least_answer_time(connection.last_syn);
    let soonest = facts.turns_inside.soonest;
    !facts.is_http1() && least.zip(soonest).is_some_and(|(least, it)| it < least)
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
        facts.is_unanswered(left_at(connection, facts, Who::Server).time)
            && facts.flows[FlowEnd::B.index()].lacking == 0
            && !facts.flows[FlowEnd::B.index()].unsure
            && !speaks_unasked(connection, facts)
            && had_all(connection)
            && cut_while_sending(connection).is_none()
    };
    hidden
        && facts.is_some_and(|facts| {
            unanswered(facts)
                && !client_left_first(connection, facts)
                && !may_be_goodbye(connection, facts)
        })
}

/// A client that is told by `close_notify` that the session is over closes within this time, besides the round trip.
const CLOSES_WITHIN: Duration = Duration::from_secs(1);

/// The server's `close_notify`, if that is all that came of the response to a request inside TLS: the client then closed.
pub(crate) fn ended_unanswered(connection: &Connection) -> Option<FrameRef> {
    let facts = hidden(connection)?;
    let said = facts.flows[Who::Server as usize].close_notify.frame_ref()?;
    let closes = (connection.teardown.by, connection.teardown.how) == (By::Client, How::Fin);
    let close = connection.teardown.frame_ref();
    let reacts = said < close
        && close.time.since(said.time)
            <= CLOSES_WITHIN + connection.connect_time.unwrap_or_default();
    let missing = connection.sent.iter().any(|sent| sent.missing > 0);
    (closes && reacts && !missing && is_unanswered(connection)).then_some(said)
}

/// When this side showed that it ends the connection: by its `close_notify`, or the close itself.
fn left_at(connection: &Connection, facts: &TlsFacts, who: Who) -> FrameRef {
    let close = connection.teardown.frame_ref();
    let said = facts.flows[who as usize].close_notify.frame_ref();
    said.map_or(close, |said| said.min(close))
}

/// Whether the client said goodbye before the server closed or did so: it waited for nothing more, and no timer of the server
/// had run out.
pub(crate) fn client_left_first(connection: &Connection, facts: &TlsFacts) -> bool {
    left_at(connection, facts, Who::Client) < left_at(connection, facts, Who::Server)
}

/// A client that gave up waiting for an answer inside TLS.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GaveUp {
    /// Its last record.
    pub(crate) asked: FrameRef,
    /// Its `close_notify`, FIN or RST, whichever came first.
    pub(crate) left: FrameRef,
    /// Its FIN or RST.
    pub(crate) close: FrameRef,
    /// What came first.
    pub(crate) word: &'static str,
    /// [`Certainty::Possible`] where nothing shows that an answer was due.
    pub(crate) certainty: Certainty,
}

impl GaveUp {
    /// How long it waited.
    pub(crate) fn waited(&self) -> Duration {
        self.left.time.since(self.asked.time)
    }
}

/// A client of HTTP that closes sooner did not wait.
const SHORTEST_WAIT: Duration = Duration::from_millis(100);
/// In other protocols, what is sent may need no answer: a client that waits stays this long, and has had answers before.
const LONG_WAIT: Duration = Duration::from_secs(1);
/// Turns of the client after which it is a habit that it speaks and the server answers.
const HABIT: u32 = 3;

/// Whether HTTP/1 is spoken inside TLS, as far as the client announces it, or the port shows it.
pub(super) fn is_https(connection: &Connection, facts: &TlsFacts) -> bool {
    facts.is_http1() || !facts.may_be_http() && service(connection.server.port) == Some("http")
}

/// Whether the client closed while it waited for an answer inside TLS, as far as record headers show.
pub(crate) fn gave_up(connection: &Connection) -> Option<GaveUp> {
    let facts = hidden(connection)?;
    let (event, word) = match (connection.teardown.by, connection.teardown.how) {
        (By::Client, How::Fin) => (connection.fin[Who::Client as usize]?, "FIN"),
        (By::Client, How::Reset(ResetKind::Abort)) => {
            (connection.reset[Who::Client as usize]?, "RST")
        }
        // The server's FIN answered the client's goodbye.
        (By::Server, How::Fin)
            if left_at(connection, facts, Who::Client) < connection.teardown.frame_ref() =>
        {
            let own = Who::Client as usize;
            let close = connection.fin[own].or(connection.reset[own])?;
            (close, "close_notify")
        }
        _ => return None,
    };
    let left = left_at(connection, facts, Who::Client);
    let [client, server] = facts.flows;
    let unseen = client.unsure || server.unsure;
    let missing = connection.sent.iter().any(|sent| sent.missing > 0);
    let within = client.lacking > 0 || server.lacking > 0;
    let parted = server.close_notify != CloseNotify::None && !goes_unheard(facts, left);
    // A client that closes only its own direction goes on reading.
    let reads = server.last.is_some_and(|last| last > left)
        && connection.reset[Who::Client as usize].is_none();
    if unseen || missing || within || parted || reads || speaks_unasked(connection, facts) {
        return None;
    }
    if !facts.is_unanswered(left.time) {
        let (asked, gave_up) = open_stream(facts, left)?;
        let found = GaveUp {
            asked,
            left: gave_up,
            close: event.frame_ref,
            word,
            certainty: Certainty::Possible,
        };
        return (found.waited() >= LONG_WAIT).then_some(found);
    }
    let (asked, least, certainty) = waits_for(connection, facts, left)?;
    let found = GaveUp {
        asked,
        left,
        close: event.frame_ref,
        word,
        certainty,
    };
    (found.waited() >= least).then_some(found)
}

/// A client that spoke last inside TLS and left: when it spoke, how long it must have waited, and how sure it is that an answer was due.
fn waits_for(
    connection: &Connection,
    facts: &TlsFacts,
    left: FrameRef,
) -> Option<(FrameRef, Duration, Certainty)> {
    // Much less than all that was answered is a frame of a WebSocket, a push or a keep-alive, and no request like those.
    let turns = facts.turns_inside;
    if turns.taken > 1 && turns.asked.saturating_mul(2) < turns.shortest {
        return None;
    }
    let least = match facts.is_http1() {
        true => SHORTEST_WAIT.max(connection.connect_time.unwrap_or_default() * 3),
        false => LONG_WAIT,
    };
    // A server of HTTP/2 speaks, whatever it is asked.
    let silent = facts.may_be_multiplexed() && facts.hello.is_some() && facts.only_greets();
    // Nor does one that answers a client which has left.
    let late = facts.flows[Who::Server as usize].last > Some(left);
    let expects = is_https(connection, facts) || silent || late || turns.taken >= HABIT;
    // Without an announced protocol, what is sent may be a report that nobody answers.
    let reports = connection.server.port == SYSLOG_TLS;
    let certainty = match expects {
        true => Certainty::Likely,
        false if reports || facts.may_be_multiplexed() => return None,
        false => Certainty::Possible,
    };
    Some((turns.asked_at?, least, certainty))
}

/// Whose clients report, and get no answer (RFC 5425 §4.1).
const SYSLOG_TLS: u16 = 6514;

/// The last record of a client that may have begun a request of HTTP/2, after which the server sent nothing but frames too small
/// for a response; and when the client gave up: by its RST_STREAM, after which it soon left, or when it left.
fn open_stream(facts: &TlsFacts, left: FrameRef) -> Option<(FrameRef, FrameRef)> {
    let streams = facts.turns_inside.streams;
    let may = facts.may_be_multiplexed() && facts.hello.is_some();
    let asked = streams.asked.filter(|_| may)?;
    match streams.withdrawn {
        None => Some((asked, left)),
        Some((at, by_client)) => {
            let soon = left.time.since(at.time) < SHORTEST_WAIT;
            (by_client && soon).then_some((asked, at.min(left)))
        }
    }
}

/// Whether the server said `close_notify` only after the client had left.
fn goes_unheard(facts: &TlsFacts, left: FrameRef) -> bool {
    let said = facts.flows[Who::Server as usize].close_notify.frame_ref();
    said.is_some_and(|said| said > left)
}

/// Record length of the longest goodbye: a few bytes (an unbind of LDAP, a `QUIT`) with the padding and code of CBC.
const LONGEST_GOODBYE: u64 = 80;

/// Whether the client's last record may be a goodbye that has no answer: it is short, the close follows at once, there were
/// answers before, and nothing says that HTTP is spoken (its clients announce it by ALPN).
fn may_be_goodbye(connection: &Connection, facts: &TlsFacts) -> bool {
    let server = facts.flows[FlowEnd::B.index()];
    let turns = &facts.turns_inside;
    let end = left_at(connection, facts, Who::Server).time;
    let prompt = PROMPT + connection.connect_time.unwrap_or_default() * 2;
    let soon = turns
        .asked_at
        .is_some_and(|last| end.since(last.time) < prompt);
    let short = turns.last == Some(FlowEnd::A) && turns.asked <= LONGEST_GOODBYE;
    !facts.may_be_http() && soon && short && server.records > 0 && !facts.only_tickets
}

/// The longest answer to a goodbye: a line or two of SMTP or IMAP.
const LONGEST_REPLY: u64 = 160;

/// Whether the server's last records may be its answer to a goodbye, after which nothing is due (RFC 5321 §4.1.1.10): the
/// client's last turn and the answer are short, the client has all of it, and both had spoken before.
fn is_answered_goodbye(connection: &Connection, facts: &TlsFacts) -> bool {
    let [client, server] = facts.flows;
    let turns = &facts.turns_inside;
    let sent = connection.sent[Who::Server as usize];
    let short = turns.asked <= LONGEST_GOODBYE && turns.answered <= LONGEST_REPLY;
    let before = client.bytes > turns.asked && server.bytes > turns.answered;
    let arrived = sent.missing == 0 && sent.acknowledged >= sent.bytes;
    !facts.may_be_http() && short && before && arrived && !facts.only_tickets
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
        // What the snapshot length cut may have been the server's hello.
        && !(connection.turns.cut && connection.sent[Who::Server as usize].bytes > 0)
        && asked.is_none_or(|asked| connection.teardown.at.since(asked) < SHORTEST_LIMIT)
}
