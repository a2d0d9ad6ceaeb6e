//! Decides what came of one connection: a [`ConnectionOutcome`] from its record alone.

use std::time::Duration;

use super::author::{Author, author};
use super::lacking::may_explain;
use super::outcome::{ConnectionOutcome, FailedReason, FineReason, UnknownReason};
use super::record::{Connection, Opening, Roles, SettledBecause, Who};
use super::teardown::{By, How};
use super::tls_close::{
    LONGEST_FAREWELL, cut_while_sending, ended_unanswered, gave_up, is_https, is_unanswered,
    left_before_answer, refused_without_certificate, response_cut, stage_at_close,
};
use crate::base::certainty::Certainty;
use crate::base::flow_end::FlowEnd;
use crate::base::frame_ref::FrameRef;
use crate::protocol::dialogue::{AppProtocol, DialogueFacts, is_login};
use crate::protocol::h2::{Goaway, H2Facts};
use crate::protocol::http::{
    ErrorCode, Exchange, FieldName, Framing, Message, MessageProgress, Outcome, Party, Phase,
    Protocol,
};
use crate::protocol::tcp::{CloseEvent, ResetKind};
use crate::protocol::tls::{CertificateFlaw, HandshakeStage, PROMPT, TlsFacts};
use crate::protocol::websocket::WebSocketFacts;

/// A client whose RST meets the SYN-ACK later than this had given up: a SYN is repeated after a second (RFC 6298 §2.1).
const GAVE_UP_AFTER: Duration = Duration::from_millis(900);
/// An attempt to connect that was repeated twice and for this long has failed, even if it goes on.
const LONG_TRIED: Duration = Duration::from_secs(3);
/// What was captured in the last moment of the capture is presumed to have arrived.
const LAST_MOMENT: Duration = Duration::from_secs(1);
/// No answer comes sooner than this, wherever the capture was taken.
const SOONEST: Duration = Duration::from_millis(1);
/// A close within this time follows from what was sent last.
const AT_ONCE: Duration = Duration::from_secs(1);
/// A client that refuses a certificate closes within this time after the handshake.
const REFUSES_WITHIN: Duration = Duration::from_millis(50);
/// Last words as short as this may be a goodbye, which has no answer: an unbind of LDAP, a `COM_QUIT` of MySQL.
const GOODBYE: u64 = 32;
/// The same in a record of TLS, which is too short for a request.
const TLS_GOODBYE: u64 = 40;
/// The same where nothing but the server's FIN shows that it was one.
const TLS_GOODBYE_AT_ONCE: u64 = 30;
/// The longest goodbye to a side that is gone: an alert of TLS in any cipher, padded.
const FAREWELL: u64 = 128;
/// Repetitions and probes without an answer that make a silence.
const SILENCE: u16 = 3;
/// A server that says why it ends a session closes within this time.
const PARTS_WITHIN: Duration = Duration::from_millis(100);
/// A server closes within this time after a client's goodbye.
const GOODBYE_WITHIN: Duration = Duration::from_millis(500);
/// Turns of a side after which both have agreed on keys: versions, offers, key exchange and the first encrypted words.
const AGREED: u32 = 4;
/// Turns after which it is a habit that the client speaks and the server answers.
const HABIT: u32 = 3;

/// What came of this connection. `ended`: why it was settled.
pub(super) fn judge(connection: &Connection, ended: SettledBecause) -> ConnectionOutcome {
    if connection.disordered {
        return ConnectionOutcome::Unknown(UnknownReason::Disordered);
    }
    if let Some(outcome) = attempt(connection) {
        return outcome;
    }
    // Of the missing direction's messages nothing is known.
    if connection.sent.iter().any(|sent| sent.packets == 0) && !connection.met_silence() {
        return ConnectionOutcome::Unknown(UnknownReason::OneDirection);
    }
    if let Some(lost) = lost(connection) {
        return match may_explain(connection, lost) {
            true => ConnectionOutcome::Unknown(lacks(connection)),
            false => ConnectionOutcome::Failed(lost),
        };
    }
    match hidden(connection, ended) {
        Some(reason) => ConnectionOutcome::Unknown(reason),
        None => complete(connection),
    }
}

/// What keeps a loss from being proven.
fn lacks(connection: &Connection) -> UnknownReason {
    match (connection.has_holes(), connection.opening) {
        (true, _) => UnknownReason::LostPackets,
        (false, Opening::Midstream) => UnknownReason::BeganBefore,
        (false, _) => UnknownReason::SnapLength,
    }
}

/// The outcome of an attempt to connect; `None` if it succeeded, or was made before the capture.
fn attempt(connection: &Connection) -> Option<ConnectionOutcome> {
    use ConnectionOutcome::{Failed, Fine, Unknown};
    let open = connection.teardown.how == How::Open;
    Some(match connection.opening {
        Opening::Handshake | Opening::Midstream => return None,
        Opening::Refused => Failed(FailedReason::Refused),
        Opening::Unreachable => Failed(FailedReason::Unreachable),
        Opening::Unanswered | Opening::Rejected if open => Unknown(UnknownReason::CutOff),
        // A system repeats its SYN after a second at most, unless there was an answer or the program gave up.
        Opening::Unanswered if connection.syn_retries == 0 => Unknown(UnknownReason::NoAnswerSeen),
        Opening::Unanswered if is_given_up(connection, connection.syn_retries) => {
            Failed(FailedReason::Unanswered)
        }
        Opening::Unanswered => Unknown(UnknownReason::CutOff),
        // An answer to a SYN that the capture lacks: what the client sent passes elsewhere.
        Opening::Rejected if connection.sent[Who::Client as usize].packets == 0 => {
            Unknown(UnknownReason::OneDirection)
        }
        Opening::Rejected => match connection.teardown.by {
            By::Client if connection.challenge.is_none() => {
                let after = connection.teardown.at.since(connection.first.time);
                match after >= GAVE_UP_AFTER {
                    true => Failed(FailedReason::ClientLeft),
                    false => Fine(FineReason::Cancelled),
                }
            }
            By::Nobody if connection.syn_acks < 2 => Unknown(UnknownReason::NoAnswerSeen),
            By::Nobody if is_given_up(connection, connection.syn_acks - 1) => {
                Failed(FailedReason::Unanswered)
            }
            By::Nobody => Unknown(UnknownReason::CutOff),
            By::Middlebox => Failed(FailedReason::InjectedReset),
            By::Client | By::Server | By::Both => Failed(FailedReason::Rejected),
        },
    })
}

/// Whether a SYN or SYN-ACK that was repeated so often and has no answer will get none: it was repeated for long, or not again
/// when its turn had come, as each wait is twice the one before (RFC 6298 §5.5).
fn is_given_up(connection: &Connection, retries: u16) -> bool {
    let retries = u32::from(retries);
    let tried = connection.last.time.since(connection.first.time);
    let waits = 2_u32.saturating_pow(retries);
    let next = tried.saturating_mul(waits) / waits.saturating_sub(1).max(1);
    retries >= 2 && tried >= LONG_TRIED || connection.until.since(connection.last.time) >= next
}

/// What was lost on an open connection, as far as the capture proves it.
fn lost(connection: &Connection) -> Option<FailedReason> {
    let lost_in_tls = || {
        connection
            .tls
            .as_deref()
            .and_then(|facts| tls(connection, facts))
    };
    // The server's own page says that it wants TLS.
    let refused = connection.tls.is_none() && connection.exchanges.iter().any(Exchange::wants_tls);
    if refused || connection.mismatch().is_some() || connection.is_proxy_header_refused() {
        return Some(FailedReason::WrongProtocol);
    }
    let forged = || {
        connection
            .has_taken_forged_data()
            .then_some(FailedReason::ForgedData)
    };
    reported(connection)
        .or_else(forged)
        .or_else(|| login_refused(connection))
        .or_else(|| exchanges(connection))
        .or_else(lost_in_tls)
        .or_else(|| websocket(connection))
        .or_else(|| http2(connection))
        .or_else(|| encrypted_session_cut(connection))
        .or_else(|| bytes(connection))
        .or_else(|| last_words(connection))
        .or_else(|| session_cut(connection))
}

/// Whether a FIN or RST ended it.
const fn is_closed(connection: &Connection) -> bool {
    !matches!(connection.teardown.how, How::Open | How::Silence)
}

/// A side's own RST, neither forged nor stale.
fn own_reset(connection: &Connection, who: Who) -> Option<CloseEvent> {
    connection.reset[who as usize]
        .filter(|event| matches!(event.kind, Some(ResetKind::Abort | ResetKind::NoSocket)))
}

fn request(exchange: &Exchange) -> Option<&Message> {
    exchange.request.as_ref().map(|request| &request.message)
}

fn response(exchange: &Exchange) -> Option<&Message> {
    exchange.response.as_ref().map(|response| &response.message)
}

fn is_unseen(message: Option<&Message>) -> bool {
    message.is_some_and(|message| message.progress == MessageProgress::Unseen)
}

fn is_broken(message: Option<&Message>) -> bool {
    message.is_some_and(|message| message.progress == MessageProgress::Broken)
}

/// Bytes that were taken for a request, but are none, and got no response.
fn is_no_request(exchange: &Exchange) -> bool {
    exchange.response.is_none() && is_broken(request(exchange))
}

/// Bytes with which a connection begins in the capture, and that do not show the beginning of a request: the rest of one.
pub(crate) fn is_leftover(connection: &Connection, exchange: &Exchange) -> bool {
    let unread = exchange.request.as_ref().is_some_and(|it| {
        let head = it.message.progress == MessageProgress::Head && it.target.is_none();
        head && it.message.start == 0
    });
    connection.opening == Opening::Midstream && unread && exchange.response.is_none()
}

/// A stream of HTTP/2 whose response is not whole, on a connection of whose packets the snapshot length kept a part.
fn is_beyond_snap_length(connection: &Connection, exchange: &Exchange) -> bool {
    exchange.stream.is_some()
        && connection.turns.cut
        && !response(exchange).is_some_and(Message::is_complete)
}

/// A response to a request of which the capture lacks a part, and of which the server had all that was sent.
pub(crate) fn is_answered_with_holes(connection: &Connection, exchange: &Exchange) -> bool {
    let client = &connection.sent[Who::Client as usize];
    client.missing > 0
        && client.acknowledged >= client.bytes
        && exchange
            .request
            .as_ref()
            .is_some_and(|it| !it.message.is_complete())
        && response(exchange).is_some_and(Message::is_complete)
}

/// Bytes that were taken for a response, though nothing was asked: nobody waits for its end.
fn is_unasked(connection: &Connection, exchange: &Exchange) -> bool {
    let whole = connection.opening == Opening::Handshake
        && connection.sent[Who::Client as usize].missing == 0;
    exchange.request.is_none() && !exchange.is_complete() && whole
}

/// Whether the end of this stream was not followed, because there were too many.
fn is_not_followed(connection: &Connection, exchange: &Exchange) -> bool {
    let many = connection.h2.as_ref().is_some_and(|h2| h2.not_followed > 0);
    many && !exchange.is_settled()
}

/// A response that only the close delimits, and that the client did not wait for.
fn is_open_ended(exchange: &Exchange) -> bool {
    response(exchange).is_some_and(|answer| answer.framing == Framing::UntilClose)
}

/// A side reported an error in the words of the protocol, and the session ended by it: nothing was asked or said after it.
fn reported(connection: &Connection) -> Option<FailedReason> {
    let facts = connection.dialogue.as_deref()?;
    let complaint = facts.complaint.as_ref()?;
    let by = Who::of(complaint.by);
    let at = connection.teardown.frame_ref();
    let soon = at.time.since(complaint.at.time) < AT_ONCE;
    let parted = facts.goodbyes[by.other() as usize].is_some_and(|goodbye| goodbye < at);
    // A server that closes an idle session says so, and nothing is lost by it.
    let idle = facts.goodbyes[by as usize].is_some();
    let last = connection.last_data[by as usize] <= complaint.at;
    let asked = connection.last_data[by.other() as usize] > complaint.at;
    let owed = asked && facts.exchanges.last().is_some_and(|it| !it.is_complete());
    let closer = match connection.teardown.by {
        By::Client => Some(Who::Client),
        By::Server => Some(Who::Server),
        By::Both | By::Middlebox | By::Nobody => None,
    };
    // What a side reports when the other has closed follows from that.
    if closer == Some(by.other()) && at < complaint.at {
        return None;
    }
    // A client that leaves after a refusal has not been sent away.
    let ends = complaint.fatal || !complaint.is_answer || closer == Some(by);
    // After an error that ends the session a goodbye is only polite, and nothing more is owed.
    let over = complaint.fatal || last && !parted && !owed && !idle;
    (ends && over && soon && is_closed(connection) && !complaint.is_denial())
        .then_some(FailedReason::ReportedError)
}

/// The server refused who asked for a session, and but for a goodbye nothing was answered after that.
fn login_refused(connection: &Connection) -> Option<FailedReason> {
    let facts = connection.dialogue.as_deref()?;
    let complaint = facts.complaint.as_ref()?;
    let refused = facts.refused_request()?;
    let login = refused.rare.as_ref()?.asked.as_ref()?;
    let bye = facts.goodbyes[Who::Client as usize];
    let goes_on = |exchange: &Exchange| {
        let asked = request(exchange).map(|message| message.first);
        let parts = asked.zip(bye).is_some_and(|(asked, bye)| asked >= bye);
        asked.is_some_and(|asked| asked > complaint.at) && exchange.is_complete() && !parts
    };
    let ends = is_closed(connection) && complaint.by == FlowEnd::B;
    let over = ends && is_login(login) && !facts.exchanges.iter().any(goes_on);
    over.then_some(FailedReason::LoginRefused)
}

fn exchanges(connection: &Connection) -> Option<FailedReason> {
    let ending = connection.teardown.ending();
    // Of turns that may be a goodbye nothing is presumed.
    if connection.is_presumed() && connection.teardown.phase == Phase::Opaque {
        return None;
    }
    let mut each = connection.spoken().iter();
    each.find_map(|exchange| {
        // What was not captured of the server may have been the response, unless its RST shows that it never had the request.
        let unseen =
            connection.teardown.by != By::Middlebox && answer_may_be_missing(connection, exchange);
        let unasked = is_unasked(connection, exchange);
        let partly = is_leftover(connection, exchange)
            || is_answered_with_holes(connection, exchange)
            || is_beyond_snap_length(connection, exchange);
        if unasked || is_no_request(exchange) || is_not_followed(connection, exchange) || unseen {
            return None;
        }
        if partly {
            return None;
        }
        if exchange
            .coding_fault()
            .is_some_and(|(_, fault)| fault.hides_data())
        {
            return Some(FailedReason::Malformed);
        }
        match exchange.outcome(ending)? {
            Outcome::Complete if answered_unread(connection, exchange) => {
                Some(FailedReason::RequestCut)
            }
            Outcome::Complete if was_lost_to_a_device(connection, exchange) => {
                Some(FailedReason::InjectedReset)
            }
            // An error that came to nobody changed nothing.
            Outcome::Complete if came_too_late(connection, exchange) => None,
            Outcome::Complete if gave_up_on_credentials(connection, exchange) => {
                Some(FailedReason::ProxyRefused)
            }
            Outcome::Complete => refused(exchange),
            Outcome::Unfinished => {
                (connection.teardown.how == How::Silence).then_some(FailedReason::Silence)
            }
            Outcome::ClientLeft if exchange.is_endless() || connection.is_presumed() => None,
            Outcome::ClientLeft if did_not_wait(connection, exchange) => None,
            Outcome::ClientLeft if lost_nothing(connection, exchange) => None,
            Outcome::ClientLeft if exchange.stream.is_none() && is_open_ended(exchange) => {
                goes_on(connection).then_some(FailedReason::ClientLeft)
            }
            Outcome::CutShort
                if connection.teardown.server_too
                    && (exchange.is_endless() || exchange.request.is_none()) =>
            {
                None
            }
            // Where it would have ended is not known.
            Outcome::ClientLeft if still_answers(connection, exchange) => None,
            Outcome::ClientLeft if is_broken(response(exchange)) => Some(FailedReason::Malformed),
            Outcome::ClientLeft => Some(FailedReason::ClientLeft),
            Outcome::CutShort if is_refused_early(connection, exchange) => None,
            outcome => Some(cut(connection, exchange, outcome)),
        }
    })
    .or_else(|| left_unread(connection))
    .or_else(|| authentication_cut(connection))
}

/// Whether what was not captured of the server may have been the response to this request, or the beginning of it.
fn answer_may_be_missing(connection: &Connection, exchange: &Exchange) -> bool {
    let missing = connection.sent[Who::Server as usize].missing > 0;
    exchange.response.is_none()
        && (missing && !met_no_socket(connection, exchange) || may_have_begun_to_answer(connection))
}

/// Whether the one number by which the server's close is known may be a byte of its response instead: all that it sent is its
/// SYN-ACK, and nothing after it confirms the close.
fn may_have_begun_to_answer(connection: &Connection) -> bool {
    let server = &connection.sent[Who::Server as usize];
    let opened = u64::from(connection.syn_acks);
    connection.teardown.by == By::Server
        && connection.closed_unseen()
        && server.bytes == 0
        && server.packets <= opened
}

/// Whether the client closed its direction alone as far as the capture goes: it closed right behind its request, or the server
/// went on sending, until the end of the capture.
fn still_answers(connection: &Connection, exchange: &Exchange) -> bool {
    let close = connection.teardown.frame_ref();
    let spoke = connection.last_data[Who::Server as usize];
    let soon = NO_WAIT.max(connection.expected_round_trip());
    let asked = request(exchange).map(|it| it.last.time);
    let behind =
        exchange.response.is_none() && asked.is_some_and(|asked| close.time.since(asked) <= soon);
    connection.teardown.how == How::Fin
        && connection.reset == [None; 2]
        && connection.fin[Who::Server as usize].is_none()
        && (spoke > close || behind)
        && connection.until.since(spoke.max(close).time) < LAST_MOMENT
}

/// The server refused a request before all of it had come, and the client has the whole response: it need not send the rest.
/// A status of 400 or 408 also stands for a request that did not come.
pub(crate) fn is_refused_early(connection: &Connection, exchange: &Exchange) -> bool {
    let refuses = |status: u16| matches!(status, 401..=407 | 409..=499);
    let had = connection.sent[Who::Server as usize].acknowledged;
    let arrived = |it: &Message| it.is_complete() && it.end() <= had;
    exchange.status().is_some_and(refuses)
        && exchange.stream.is_none()
        && connection.tls.is_none()
        && own_reset(connection, Who::Server).is_none()
        && response(exchange).is_some_and(arrived)
        && !exchange.is_complete()
}

/// The reason why an exchange was not completed that the server ended.
fn cut(connection: &Connection, exchange: &Exchange, outcome: Outcome) -> FailedReason {
    let answered = response(exchange).is_some_and(Message::is_complete);
    if connection.teardown.by == By::Middlebox && !exchange.is_settled() {
        FailedReason::InjectedReset
    } else if is_broken(response(exchange)) {
        FailedReason::Malformed
    } else if answered && !exchange.is_complete() {
        FailedReason::RequestCut
    } else if exchange.response.is_none() && connection.is_presumed() {
        FailedReason::UnansweredWords
    } else if exchange.response.is_none() {
        FailedReason::NoResponse
    } else if outcome == Outcome::Reset {
        FailedReason::Reset
    } else {
        FailedReason::CutShort
    }
}

/// The server answered while the request was still being sent, and reset with bytes of it unread.
fn answered_unread(connection: &Connection, exchange: &Exchange) -> bool {
    let Some((request, answer)) = request(exchange).zip(response(exchange)) else {
        return false;
    };
    let early = answer.first.time < request.last.time && request.received() > 0;
    let client = connection.fin[Who::Client as usize];
    let reset = own_reset(connection, Who::Server).filter(|reset| {
        connection.teardown.by == By::Server
            && exchange.stream.is_none()
            && client.is_none_or(|fin| fin.frame_ref > reset.frame_ref)
    });
    early && reset.is_some()
}

/// A RST in the server's name had ended the connection at the client when the response came: the client's host reset it.
fn was_lost_to_a_device(connection: &Connection, exchange: &Exchange) -> bool {
    let began = response(exchange).map(|answer| answer.first);
    let reset = own_reset(connection, Who::Client);
    connection.teardown.by == By::Middlebox
        && reset.is_some_and(|it| it.kind == Some(ResetKind::NoSocket))
        && began.is_some_and(|began| began > connection.teardown.frame_ref())
}

/// The response began after the client had closed, and its host reset the connection for it.
fn came_too_late(connection: &Connection, exchange: &Exchange) -> bool {
    let began = response(exchange).map(|answer| answer.first);
    connection.teardown.by == By::Client
        && own_reset(connection, Who::Client).is_some()
        && began.is_some_and(|began| began > connection.teardown.frame_ref())
}

/// A RST of the server answered the request itself: its host had acknowledged none of it, and had no socket for it.
fn met_no_socket(connection: &Connection, exchange: &Exchange) -> bool {
    let had = connection.sent[Who::Client as usize].acknowledged;
    let reset = own_reset(connection, Who::Server);
    // Such a RST comes at once: what came later, another segment has drawn.
    let answer_takes = (connection.connect_time.unwrap_or_default() * 2).max(REFUSES_WITHIN);
    request(exchange).is_some_and(|asked| {
        asked.start >= had
            && reset.is_some_and(|reset| {
                reset.kind == Some(ResetKind::NoSocket)
                    && reset.frame_ref > asked.first
                    && reset.frame_ref.time.since(asked.last.time) <= answer_takes
                    && reset.received <= asked.start
            })
    })
}

/// A complete response by which a gateway or proxy says that it got none.
fn refused(exchange: &Exchange) -> Option<FailedReason> {
    match exchange.status()? {
        403 | 502..=504 if exchange.is_proxied() => Some(FailedReason::ProxyRefused),
        502 | 504 => Some(FailedReason::GatewayError),
        503 if matches!(author(exchange), Author::Gateway(..)) => Some(FailedReason::GatewayError),
        _ => None,
    }
}

/// A proxy asked for credentials, and the client left a connection that could have carried the next attempt.
fn gave_up_on_credentials(connection: &Connection, exchange: &Exchange) -> bool {
    let last = connection
        .exchanges
        .last()
        .is_some_and(|it| std::ptr::eq(it, exchange));
    let left = (connection.teardown.by, connection.teardown.how) == (By::Client, How::Fin);
    let kept = response(exchange).is_some_and(|it| it.connection.close == 0);
    exchange.status() == Some(407) && exchange.is_proxied() && last && left && kept
}

/// The server sent more application data after the client had left, and met a RST.
fn goes_on(connection: &Connection) -> bool {
    connection.last_data[Who::Server as usize] > connection.teardown.frame_ref()
        && own_reset(connection, Who::Client).is_some()
}

/// Whether the client's FIN came right behind its request, before an answer could have come: it wanted none, as with a last
/// word that only says goodbye. Over HTTP it may have closed its direction alone, so the response must have come and been
/// taken.
fn did_not_wait(connection: &Connection, exchange: &Exchange) -> bool {
    let teardown = &connection.teardown;
    let answer_takes = connection.connect_time.unwrap_or_default().max(SOONEST);
    let at_once = |asked: &Message| teardown.at.since(asked.last.time) <= answer_takes;
    let taken = exchange.is_complete() && own_reset(connection, Who::Client).is_none();
    let answered = taken || connection.exchanges.is_empty();
    let closed = teardown.by == By::Client && teardown.how == How::Fin;
    closed && answered && request(exchange).is_some_and(at_once)
}

/// Whether the client reset as soon as it had the head of the response, and had asked as health checks ask: it wanted the status alone.
pub(crate) fn wanted_the_status(connection: &Connection, exchange: &Exchange) -> bool {
    const AT_ONCE: Duration = Duration::from_millis(10);
    let teardown = &connection.teardown;
    let reset = own_reset(connection, Who::Client).is_some() && teardown.by == By::Client;
    let had =
        response(exchange).filter(|it| it.progress == MessageProgress::Body && it.received() == 0);
    reset && exchange.is_bare() && had.is_some_and(|it| teardown.at.since(it.first.time) <= AT_ONCE)
}

/// Whether the client left in the middle of a response of which it had what it wanted.
fn lost_nothing(connection: &Connection, exchange: &Exchange) -> bool {
    wanted_the_status(connection, exchange)
        || is_cancelled_call(exchange)
        || left_at_once(connection, exchange)
}

/// A client that closes within this time of its request, or within two round trips, did not wait.
pub(crate) const NO_WAIT: Duration = Duration::from_millis(10);
/// The same where the request was acknowledged only after the close: a round trip took longer. Hosts delay acknowledgements (RFC
/// 9293 §3.8.6.3), Linux by 40 ms.
const UNHEARD: Duration = Duration::from_millis(50);
/// What was sent longer before a close, and not acknowledged by it, was lost.
pub(crate) const CROSSES_WITHIN: Duration = Duration::from_millis(200);

/// Whether the client closed right behind its request, sooner than a response could come, and reset the one that was on its way: it
/// wanted none.
pub(crate) fn left_at_once(connection: &Connection, exchange: &Exchange) -> bool {
    let teardown = &connection.teardown;
    let asked = request(exchange).filter(|it| it.is_complete());
    let fin = connection.fin[Who::Client as usize];
    let Some(((asked, answer), fin)) = asked.zip(response(exchange)).zip(fin) else {
        return false;
    };
    let at = fin.frame_ref.time;
    let waited = at.since(asked.last.time);
    let trip = connection.expected_round_trip();
    // A response that the capture had before the close crossed it: the client is further away than the time between them.
    let crossed = answer.first.time < at
        && answer.start >= fin.received
        && at.since(answer.first.time) < CROSSES_WITHIN;
    let under_way = answer.first.time.since(at) < trip;
    let client = &connection.sent[Who::Client as usize];
    let taken = client.acknowledged >= asked.end() && client.retransmitted == 0;
    let late = taken && fin.acknowledged < asked.end() && waited < UNHEARD;
    let late = late && answer.first.time.since(at) < CROSSES_WITHIN;
    matches!(teardown.by, By::Client | By::Both)
        && teardown.how == How::Fin
        && exchange.stream.is_none()
        && own_reset(connection, Who::Client).is_some()
        && answer.end() > fin.received
        && (crossed || late || under_way && waited <= NO_WAIT.max(trip * 2))
}

/// Whether the client cancelled a stream of HTTP/2 that had begun to answer, or at once: a subscription has no other end, and what
/// is no longer needed is cancelled so. The connection goes on.
fn is_cancelled_call(exchange: &Exchange) -> bool {
    let cancels = exchange
        .cut_by()
        .filter(|it| it.by == Party::Requester && it.code == ErrorCode::CANCEL);
    let asked = request(exchange).map(|it| it.last.time);
    cancels.is_some_and(|it| {
        let soon = asked.is_some_and(|asked| it.at.time.since(asked) < AT_ONCE);
        exchange.response.is_some() || soon
    })
}

/// The client closed while it waited, and the response came to nobody. The server may have closed as well before it had the
/// client's FIN.
fn left_unread(connection: &Connection) -> Option<FailedReason> {
    let teardown = &connection.teardown;
    let waited = matches!(
        teardown.phase,
        Phase::Waiting | Phase::ResponseHead | Phase::ResponseBody
    );
    let crossed = teardown.by == By::Both && teardown.how == How::Fin;
    let left =
        (teardown.by == By::Client || crossed) && waited && teardown.close_notify_seen.is_none();
    let reset = own_reset(connection, Who::Client)?;
    let server = &connection.sent[Who::Server as usize];
    let had = server.acknowledged.max(reset.received);
    let last = connection.spoken().last()?;
    let short = response(last).is_some_and(|answer| answer.end() > had);
    let waited = !last.is_endless()
        && !is_open_ended(last)
        && !did_not_wait(connection, last)
        && !left_at_once(connection, last);
    (left && waited && (short || goes_on(connection))).then_some(FailedReason::ClientLeft)
}

/// NTLM and Negotiate authenticate a connection: a close between challenge and answer undoes it.
fn authentication_cut(connection: &Connection) -> Option<FailedReason> {
    let (first, last) = (connection.exchanges.first()?, connection.exchanges.last()?);
    let asks = |exchange: &Exchange| matches!(exchange.status(), Some(401 | 407));
    let challenge = [FieldName::WwwAuthenticate, FieldName::ProxyAuthenticate]
        .into_iter()
        .flat_map(|name| last.response_fields(name))
        .any(|field| {
            let scheme = field.value.as_bytes();
            let bound = ["NTLM", "Negotiate"]
                .iter()
                .any(|name| scheme.eq_ignore_ascii_case(name.as_bytes()));
            field.more && bound
        });
    let answers = [FieldName::Authorization, FieldName::ProxyAuthorization]
        .into_iter()
        .flat_map(|name| first.request_fields(name))
        .any(|field| field.answers);
    let cut = challenge && asks(last) && is_closed(connection);
    let elsewhere = answers && asks(first) && connection.client_syn;
    (cut || elsewhere).then_some(FailedReason::AuthenticationCut)
}

/// The side that closed first, if it was one of the two.
const fn closer(connection: &Connection) -> Option<Who> {
    match connection.teardown.by {
        By::Client => Some(Who::Client),
        By::Server => Some(Who::Server),
        By::Both | By::Middlebox | By::Nobody => None,
    }
}

fn tls(connection: &Connection, facts: &TlsFacts) -> Option<FailedReason> {
    if facts.plain.is_some() && facts.hello.is_some() && facts.stage <= HandshakeStage::ClientHello
    {
        return Some(FailedReason::WrongProtocol);
    }
    let closer = closer(connection);
    let close = connection.teardown.frame_ref();
    // An alert that answers a close is not its cause.
    let alert = facts.fatal().filter(|alert| {
        // A record as long as an alert stands in the place of a Finished only if all before it is known.
        let whole = connection.sent[Who::of(alert.from) as usize].missing == 0;
        (alert.in_handshake && whole || alert.code().is_some())
            && !(closer == Some(Who::of(alert.from.other())) && close < alert.at)
    });
    if let Some(alert) = alert {
        let agreed = facts.stage == HandshakeStage::Complete && !alert.in_handshake;
        return Some(match agreed {
            true => FailedReason::TlsAlert,
            false => FailedReason::TlsHandshake,
        });
    }
    if !is_closed(connection) {
        return None;
    }
    let [asked, answered] =
        [facts.caller, facts.caller.other()].map(|end| facts.flows[end.index()]);
    let by_caller = closer == Some(Who::of(facts.caller));
    if refused_without_certificate(connection, facts).is_some() {
        return Some(FailedReason::TlsHandshake);
    }
    let agreed = stage_at_close(connection, facts) >= HandshakeStage::Complete
        || asked.records > 0 && answered.records > 0;
    // A client that had accepted the server, and closed in order, left of its own accord.
    if !agreed && by_caller && facts.accepts_early() && connection.teardown.how == How::Fin {
        return None;
    }
    if !agreed {
        return cut_in_handshake(connection, facts).then_some(FailedReason::TlsHandshake);
    }
    // A client that checks the certificate only after the handshake.
    let refuses = asked.records == 0
        && facts.only_greets()
        && by_caller
        && asked
            .finished
            .is_some_and(|finished| close.time.since(finished.time) <= at_once(connection));
    let flaw = facts.flaw(connection.server.ip).filter(|_| refuses);
    let leaves = asked.close_notify.frame_ref().is_some();
    match flaw {
        Some(CertificateFlaw::Outdated) => return Some(FailedReason::TlsHandshake),
        Some(CertificateFlaw::OtherName) if leaves => return Some(FailedReason::TlsHandshake),
        _ => {}
    }
    lost_in_records(connection, facts)
}

fn at_once(connection: &Connection) -> Duration {
    REFUSES_WITHIN.max(connection.connect_time.unwrap_or_default() * 5)
}

/// Whether the connection ended within the handshake, as far as the capture has it.
fn cut_in_handshake(connection: &Connection, facts: &TlsFacts) -> bool {
    // The beginning was before the capture, or its end is among what was not captured.
    let began_before = connection.opening == Opening::Midstream && facts.hello.is_none();
    let partly = !facts.is_stage_proven();
    let missing = connection.sent.iter().any(|sent| sent.missing > 0);
    // A server that answers a client's FIN by an alert has not begun a handshake.
    let begun = connection.sent[Who::of(facts.caller) as usize].bytes > 0 && facts.hello.is_some()
        || connection.sent.iter().all(|sent| sent.bytes > 0);
    begun && !began_before && !partly && !missing && !left_before_answer(connection, facts)
}

/// What record headers show to be lost, where the records are not decrypted.
fn lost_in_records(connection: &Connection, facts: &TlsFacts) -> Option<FailedReason> {
    let teardown = &connection.teardown;
    if gave_up(connection).is_some_and(|it| it.certainty < Certainty::Possible) {
        return Some(FailedReason::ClientLeft);
    }
    if ended_unanswered(connection).is_some() {
        return Some(FailedReason::NoResponse);
    }
    let missing = connection.sent.iter().any(|sent| sent.missing > 0);
    if teardown.phase != Phase::Opaque
        || teardown.by != By::Server
        || connection.roles == Roles::Ports
        || facts.caller != FlowEnd::A
        || missing
    {
        return None;
    }
    if cut_while_sending(connection).is_some() {
        return Some(FailedReason::RequestCut);
    }
    if is_unanswered(connection) {
        return Some(FailedReason::NoResponse);
    }
    // Where all had arrived, and the last record was the end of something, the response may have been complete.
    let cut = response_cut(connection).filter(|cut| cut.lost)?;
    Some(match cut.word {
        "FIN" => FailedReason::CutShort,
        _ => FailedReason::Reset,
    })
}

fn websocket(connection: &Connection) -> Option<FailedReason> {
    let teardown = &connection.teardown;
    let is_lossy = |said: &WebSocketFacts| said.halves.iter().any(|half| half.lost);
    if let Some(said) = &connection.websocket {
        let stale = matches!(teardown.how, How::Reset(ResetKind::Stale));
        if is_closed(connection) && !stale && said.has_no_close() && !is_lossy(said) {
            return Some(FailedReason::WebSocketAbnormal);
        }
        let (_, first) = said.first_close()?;
        return first.blames().map(|_| FailedReason::WebSocketError);
    }
    let h2 = connection.h2.as_ref()?;
    let over = teardown.how != How::Open;
    let abnormal = h2
        .websockets
        .iter()
        .any(|it| it.said.has_no_close() && !is_lossy(&it.said) && (it.ended.is_some() || over));
    abnormal.then_some(FailedReason::WebSocketAbnormal)
}

/// Whether the server closed on the client's preface without a frame of its own.
fn is_mute(connection: &Connection, h2: &H2Facts) -> bool {
    let [client, server] = &h2.halves;
    let sent = &connection.sent[Who::Server as usize];
    let partial =
        h2.upgraded || h2.midstream || server.lost || sent.missing > 0 || sent.packets == 0;
    connection.teardown.by == By::Server
        && is_closed(connection)
        && server.frames == 0
        && client.frames > 0
        && !partial
}

fn http2(connection: &Connection) -> Option<FailedReason> {
    let h2 = connection.h2.as_ref()?;
    if h2.mismatch.is_some() || is_mute(connection, h2) {
        return Some(FailedReason::WrongProtocol);
    }
    // Programs send INTERNAL_ERROR and CANCEL for whatever ends them; what was lost by it the streams show.
    let blames = |goaway: &Goaway| {
        !matches!(
            goaway.code,
            ErrorCode::NO_ERROR | ErrorCode::INTERNAL_ERROR | ErrorCode::CANCEL
        )
    };
    let mut halves = h2.halves.iter();
    let blamed = halves.any(|half| half.complaint().is_some_and(blames));
    blamed.then_some(FailedReason::Http2Error)
}

/// Payload of one side that was never acknowledged.
const fn unacknowledged(connection: &Connection, who: Who) -> u64 {
    let sent = &connection.sent[who as usize];
    sent.bytes
        .saturating_add(sent.missing)
        .saturating_sub(sent.acknowledged)
}

/// Bytes that never arrived: a RST took them, or they were repeated without an answer.
fn bytes(connection: &Connection) -> Option<FailedReason> {
    if connection.teardown.how == How::Silence || probes_failed(connection) {
        return Some(FailedReason::Silence);
    }
    let [client, server] = Who::BOTH.map(|who| unacknowledged(connection, who));
    let read = !connection.spoken().is_empty() && !connection.is_presumed();
    let judged = read && connection.tls.is_none();
    let foreign = connection.teardown.by == By::Middlebox;
    let reset = own_reset(connection, Who::Server);
    let repeated = |who: Who| {
        let unanswered = connection.unanswered.as_deref();
        unanswered.is_some_and(|both| {
            let it = &both[who as usize];
            // Within a moment, several are those of one loss.
            let lasted = it.until.time.since(it.since.time) >= AT_ONCE;
            lasted && it.length > 0 && it.count - it.probes.min(it.count) >= SILENCE
        })
    };
    // A side that repeats its words before it closes says no goodbye.
    let waited = |who: Who| {
        let fin = connection.fin[who as usize];
        let unanswered = connection.unanswered.as_deref();
        unanswered.is_some_and(|both| {
            let it = &both[who as usize];
            it.met_silence() && fin.is_none_or(|fin| it.again < fin.frame_ref)
        })
    };
    if Who::BOTH.into_iter().any(waited) {
        return Some(FailedReason::Silence);
    }
    let at_risk = |data| reset.is_some_and(|reset| connection.may_overtake(data, reset.frame_ref));
    // The exchanges show whether the client's bytes mattered.
    if !judged && client > farewell(connection, Who::Client) {
        if reset.is_some() || foreign {
            return Some(FailedReason::BytesLost);
        }
        if repeated(Who::Client) {
            return Some(FailedReason::Silence);
        }
        if connection.waited_unacknowledged(Who::Client).is_some() {
            return Some(FailedReason::BytesLost);
        }
    }
    let needed = match judged {
        true => {
            let last = connection.spoken().iter().rev().find_map(response)?;
            let short = last.end() > connection.sent[Who::Server as usize].acknowledged;
            return match (short, at_risk(last.last)) {
                (true, true) => Some(FailedReason::BytesLost),
                (true, false) if repeated(Who::Server) => Some(FailedReason::Silence),
                // In that time a client that has the response acknowledges it.
                (true, false) if connection.waited_unacknowledged(Who::Server).is_some() => {
                    Some(FailedReason::BytesLost)
                }
                _ => rejected(connection),
            };
        }
        false => server > farewell(connection, Who::Server),
    };
    let last = connection.last_data[Who::Server as usize];
    // Whether a client of a protocol that is not read wanted what a RST overtook, nothing shows.
    let wanted = connection.tls.is_some() || is_known(connection);
    if needed && (at_risk(last) && wanted || foreign) {
        return Some(FailedReason::BytesLost);
    }
    if needed && repeated(Who::Server) {
        return Some(FailedReason::Silence);
    }
    if needed && connection.waited_unacknowledged(Who::Server).is_some() {
        return Some(FailedReason::BytesLost);
    }
    rejected(connection)
}

/// The length of a goodbye that this side may have sent to a side that was gone.
fn farewell(connection: &Connection, who: Who) -> u64 {
    let said = |who: Who| {
        let facts = connection.tls.as_deref();
        facts.is_some_and(|it| it.flows[who as usize].close_notify.frame_ref().is_some())
    };
    // Where the capture cut the payload, a goodbye of TLS in answer to a close is not seen as one.
    let unread = connection.turns.cut && connection.fin[who.other() as usize].is_some();
    let known = match who == Who::Client && connection.only_said_goodbye() {
        true => GOODBYE,
        false => connection.closing_alerts(who),
    };
    if said(who) || unread || connection.fin[who as usize].is_some() {
        FAREWELL.max(known)
    } else if said(who.other()) || answers_close(connection, who) {
        LONGEST_FAREWELL.max(known)
    } else {
        known
    }
}

/// Whether what this side sent last inside TLS answers the close of the other: it is short, and was sent at once by a host
/// that had acknowledged the FIN. Padded alerts and a GOAWAY do not look like a `close_notify`.
fn answers_close(connection: &Connection, who: Who) -> bool {
    let known = connection.fin_acknowledged[who.other() as usize];
    let last = connection.in_flight(who);
    connection.tls.is_some()
        && known.zip(last).is_some_and(|(known, last)| {
            last.since >= known && last.since.time.since(known.time) < REFUSES_WITHIN
        })
}

/// Whether keep-alive probes got no answer, and the connection was given up.
fn probes_failed(connection: &Connection) -> bool {
    let Some(unanswered) = connection.unanswered.as_deref() else {
        return false;
    };
    Who::BOTH.into_iter().any(|who| {
        let it = &unanswered[who as usize];
        let reset = connection.reset[who.other() as usize];
        let silent = it.peer_last_sent.time <= it.since.time
            && reset.is_none_or(|reset| reset.frame_ref < it.since);
        it.probes >= SILENCE && it.probes == it.count && silent
    })
}

/// The server's system had no socket any more when the connection was opened.
fn rejected(connection: &Connection) -> Option<FailedReason> {
    let teardown = &connection.teardown;
    let gone = teardown.by == By::Server && teardown.how == How::Reset(ResetKind::NoSocket);
    let server = connection.sent[Who::Server as usize];
    let unused = server.bytes == 0 && server.missing == 0;
    let opened = connection.opening == Opening::Handshake;
    (gone && unused && opened).then_some(FailedReason::Rejected)
}

/// Whether what is spoken is not read: no layer understands it.
fn is_opaque(connection: &Connection) -> bool {
    connection.tls.is_none()
        && connection.h2.is_none()
        && connection.websocket.is_none()
        && (connection.exchanges.is_empty() || connection.protocol == Protocol::Tunnel)
}

/// A side ended a session without the words with which its protocol ends one: the server in most, either in BGP.
fn session_cut(connection: &Connection) -> Option<FailedReason> {
    let facts = connection.dialogue.as_deref()?;
    let protocol = facts.protocol.filter(|_| is_read(connection))?;
    // A server of Redis says nothing when it ends a connection, but leaves subscribers alone.
    if protocol.goodbye_of_server().is_none() && !facts.listens {
        return None;
    }
    let side = match connection.teardown.by {
        By::Server => Who::Server,
        By::Client if protocol == AppProtocol::Bgp => Who::Client,
        // Nothing came from the server for longer than was agreed.
        By::Client
            if protocol == AppProtocol::Amqp && connection.overdue(Who::Server).is_some() =>
        {
            Who::Client
        }
        _ => return None,
    };
    let said = facts.goodbyes.iter().any(Option::is_some) || facts.complaint.is_some();
    let asked = connection.sent[Who::Client as usize].bytes > 0;
    let seen = asked && connection.sent.iter().all(|it| it.missing == 0);
    let ended = match connection.teardown.how {
        How::Fin => true,
        How::Reset(_) => own_reset(connection, side).is_some(),
        How::Silence | How::Open => false,
    };
    let idle = connection.teardown.phase == Phase::Between;
    (ended && idle && seen && !said).then_some(FailedReason::SessionCut)
}

/// The server closed an encrypted session that its client had not ended: a client that ends one says so and closes, and a
/// server that ends one for a reason says so before it closes.
fn encrypted_session_cut(connection: &Connection) -> Option<FailedReason> {
    let facts = connection.dialogue.as_deref()?;
    let at = connection.teardown.frame_ref();
    let turn = facts.encrypted_turns.iter().rfind(|it| it.first < at)?;
    let by_server = match connection.teardown.how {
        How::Fin => true,
        How::Reset(kind) => kind == ResetKind::Abort,
        How::Silence | How::Open => false,
    } && connection.teardown.by == By::Server;
    let missing = connection.sent.iter().any(|sent| sent.missing > 0);
    let [client, server] = connection.turns.taken;
    let begun = client.min(server) >= AGREED && connection.roles != Roles::Ports;
    let quiet = match Who::of(turn.from) {
        Who::Client => AT_ONCE,
        Who::Server => PARTS_WITHIN,
    };
    // What the client still sent did not end the silence before the close.
    let own = [connection.fin, connection.reset].map(|it| it[Who::Server as usize]);
    let heard = own.into_iter().flatten().find(|it| it.frame_ref == at);
    let last = match (heard, Who::of(turn.from)) {
        (Some(close), Who::Client) if turn.last >= at => close.heard,
        _ => turn.last,
    };
    let silent = last < at && at.time.since(last.time) >= quiet;
    (by_server && begun && silent && !missing).then_some(FailedReason::SessionCut)
}

/// Whether all that was said in another protocol than HTTP was read.
fn is_read(connection: &Connection) -> bool {
    connection
        .dialogue
        .as_deref()
        .is_some_and(DialogueFacts::is_read)
}

/// Whether its protocol is known. What its grammar does not read may be encrypted, and shows no requests and answers.
fn is_known(connection: &Connection) -> bool {
    connection
        .dialogue
        .as_deref()
        .is_some_and(|it| it.protocol.is_some())
}

/// Whether its protocol encrypts the session, which then has no requests and answers.
fn is_encrypted(connection: &Connection) -> bool {
    connection
        .dialogue
        .as_deref()
        .is_some_and(|it| !it.encrypted_turns.is_empty())
}

/// The server closed without an answer to the client's last words, though it had answered all before, or reset after a
/// wait in which it had said nothing at all. That the client spoke last proves nothing by itself: words like those before
/// that were answered are due an answer, and shorter ones may be a goodbye or a sign of life.
fn last_words(connection: &Connection) -> Option<FailedReason> {
    let turns = &connection.turns;
    let (by, at) = (connection.teardown.by, connection.teardown.frame_ref());
    let spoke = connection.last_data[Who::Client as usize];
    let missing = connection.sent.iter().any(|sent| sent.missing > 0);
    if !is_opaque(connection)
        || is_read(connection)
        || is_known(connection)
        || !is_closed(connection)
        || by != By::Server
        || connection.roles != Roles::Handshake
        || missing
        || turns.last != Some(Who::Client)
        || spoke > at
    {
        return None;
    }
    let alike = turns.length >= turns.shortest && !turns.goes_on && !turns.unasked;
    let habit = turns.taken[0] >= HABIT && alike;
    let waited = at.time.since(spoke.time) >= AT_ONCE;
    // An abort after a wait is no goodbye, and whoever sends on and on waits for nothing.
    let aborted = connection.teardown.how == How::Reset(ResetKind::Abort);
    let silent = turns.taken == [1, 0] && !turns.goes_on;
    let short = turns.length <= GOODBYE && at.time.since(spoke.time) < GOODBYE_WITHIN;
    let goodbye = short || turns.greeted && !waited;
    (habit && !goodbye || silent && aborted && waited).then_some(FailedReason::UnansweredWords)
}

/// What keeps the outcome hidden, if nothing is proven lost.
fn hidden(connection: &Connection, ended: SettledBecause) -> Option<UnknownReason> {
    let teardown = &connection.teardown;
    let missing = connection.sent.iter().any(|sent| sent.missing > 0);
    // The number of a FIN counts what was sent before it.
    let skipped = Who::BOTH.into_iter().any(|who| {
        let sent = connection.sent[who as usize].bytes;
        connection.fin[who as usize].is_some_and(|fin| fin.sent > sent)
    });
    let unseen = match missing || skipped {
        true => UnknownReason::LostPackets,
        false => UnknownReason::SnapLength,
    };
    if teardown.how == How::Open {
        return Some(match ended {
            SettledBecause::Forgotten(_) => UnknownReason::Evicted,
            _ if is_owed(connection) => UnknownReason::CutOff,
            _ => UnknownReason::StillOpen,
        });
    }
    if connection.opening == Opening::Midstream {
        return Some(UnknownReason::BeganBefore);
    }
    let ending = teardown.ending();
    let altered = connection.altered().is_some();
    for exchange in &connection.exchanges {
        // An error in answer to what was not captured: whether the request was complete is not known.
        let status = exchange.status().unwrap_or_default();
        let asked = request(exchange);
        let refuses =
            asked.is_none() && status >= 400 || is_unseen(asked) && matches!(status, 400 | 408);
        if refuses && (missing || connection.turns.cut) {
            return Some(unseen);
        }
        if is_unasked(connection, exchange) {
            continue;
        }
        if is_not_followed(connection, exchange) {
            return Some(UnknownReason::Evicted);
        }
        if is_no_request(exchange) || is_faulty(exchange) && !altered {
            return Some(UnknownReason::Malformed);
        }
        if is_beyond_snap_length(connection, exchange) {
            return Some(UnknownReason::SnapLength);
        }
        // What is missing of the server may have been the response.
        let unseen_answer =
            exchange.request.is_some() && answer_may_be_missing(connection, exchange);
        if unseen_answer || is_answered_with_holes(connection, exchange) {
            return Some(UnknownReason::LostPackets);
        }
        // A client that is still sending when the capture ends may meet a RST.
        let sent = connection.last_data[Who::Client as usize];
        if is_refused_early(connection, exchange)
            && sent > connection.teardown.frame_ref()
            && connection.fin[Who::Client as usize].is_none()
            && matches!(ended, SettledBecause::Capture(_))
            && connection.until.since(sent.time) < LAST_MOMENT
        {
            return Some(UnknownReason::CutOff);
        }
        match exchange.outcome(ending) {
            None => return Some(unseen),
            Some(Outcome::ClientLeft) if still_answers(connection, exchange) => {
                return Some(UnknownReason::CutOff);
            }
            Some(Outcome::ClientLeft)
                if !exchange.is_endless() && !lost_nothing(connection, exchange) =>
            {
                return Some(UnknownReason::EndUnknown);
            }
            Some(_) => {}
        }
    }
    if connection.has_unseen_request() {
        return Some(UnknownReason::LostPackets);
    }
    if has_uncaptured_excess(connection) {
        return Some(UnknownReason::Malformed);
    }
    let read = !connection.exchanges.is_empty() && connection.protocol == Protocol::Http1;
    if missing && !read {
        return Some(UnknownReason::LostPackets);
    }
    if teardown.by == By::Middlebox {
        return Some(UnknownReason::ForeignReset);
    }
    let just_now = matches!(ended, SettledBecause::Capture(_))
        && connection.until.since(teardown.at) < LAST_MOMENT;
    let both =
        connection.fin.iter().all(Option::is_some) || connection.reset.iter().any(Option::is_some);
    (!both && !just_now).then_some(UnknownReason::HalfClosed)
}

/// Whether more bytes followed the last response than it announced, of which none were captured.
fn has_uncaptured_excess(connection: &Connection) -> bool {
    // Two bytes may be a line end.
    const LINE_END: u64 = 2;
    let sent = &connection.sent[Who::Server as usize];
    let last = connection.exchanges.last();
    connection.tls.is_none()
        && connection.protocol == Protocol::Http1
        && sent.missing == 0
        && last.and_then(response).is_some_and(|answer| {
            matches!(answer.framing, Framing::Length | Framing::NoBody)
                && sent.bytes > answer.end() + LINE_END
        })
}

/// Whether a side waits for something on an open connection.
fn is_owed(connection: &Connection) -> bool {
    match connection.teardown.phase {
        Phase::Connecting
        | Phase::TlsHandshake
        | Phase::Request
        | Phase::Waiting
        | Phase::ResponseHead
        | Phase::ResponseBody => true,
        Phase::Opaque => {
            connection
                .dialogue
                .as_deref()
                .is_none_or(|it| it.protocol.is_none())
                && is_opaque(connection)
                && connection.turns.last == Some(Who::Client)
                || connection.tls.as_deref().is_some_and(|facts| {
                    facts.caller == FlowEnd::A && facts.is_unanswered(connection.until)
                })
        }
        Phase::BeforeRequest | Phase::Between | Phase::After | Phase::Tunnel => false,
    }
}

/// Whether a message of this exchange breaks the grammar in a way that receivers refuse.
fn is_faulty(exchange: &Exchange) -> bool {
    let faults = || {
        let both = exchange.request_faults().iter();
        both.chain(exchange.response_faults())
    };
    exchange.rare.is_some() && faults().any(|fault| !fault.rule.is_tolerated())
}

/// The outcome of a closed connection of which nothing is lost and nothing missing.
fn complete(connection: &Connection) -> ConnectionOutcome {
    use ConnectionOutcome::{Fine, Unknown};
    let client = &connection.sent[Who::Client as usize];
    let by_client = connection.teardown.by == By::Client && connection.teardown.how == How::Fin;
    // OpenSSL answers a client's FIN by an alert.
    let probed = client.bytes == 0 && by_client && connection.tls.is_some();
    if probed || connection.sent.iter().all(|sent| sent.bytes == 0) {
        return unused(connection);
    }
    if let Some(facts) = connection.tls.as_deref()
        && matches!(connection.protocol, Protocol::Tls | Protocol::Tunnel)
    {
        return behind_tls(connection, facts);
    }
    let spoken = is_read(connection);
    if spoken
        && connection
            .dialogue
            .as_deref()
            .is_some_and(|it| it.unopened.is_some())
    {
        return Unknown(UnknownReason::NotOpened);
    }
    if !is_opaque(connection) || spoken {
        let last = connection.exchanges.last();
        let ending = connection.teardown.ending();
        let crossed = connection.teardown.by == By::Both;
        let left = |it: &Exchange| {
            (crossed || it.outcome(ending) == Some(Outcome::ClientLeft))
                && left_at_once(connection, it)
        };
        return Fine(match last.is_some_and(left) {
            true => FineReason::NotAwaited,
            false => FineReason::Complete,
        });
    }
    if is_encrypted(connection) {
        return Unknown(UnknownReason::Encrypted);
    }
    // Whether a server that closes had said all it wanted cannot be told of bytes that are not read; a client that
    // closes after an answer has what it asked for.
    let turns = &connection.turns;
    let at = connection.teardown.frame_ref().time;
    let spoke = connection.last_data[Who::Client as usize].time;
    let goodbye = turns.length <= FAREWELL && at.since(spoke) < AT_ONCE && turns.taken[0] > 1;
    match turns.last {
        // A refusal may stand in what was not captured of the answers.
        Some(_) if turns.cut => Unknown(UnknownReason::SnapLength),
        Some(Who::Server) if by_client && turns.taken[0] > 0 => Fine(FineReason::Answered),
        Some(Who::Client) if by_client && goodbye => Fine(FineReason::Answered),
        _ => Unknown(UnknownReason::Opaque),
    }
}

/// The outcome of a connection on which not a byte was sent.
fn unused(connection: &Connection) -> ConnectionOutcome {
    let teardown = &connection.teardown;
    let aborted = teardown.by == By::Server && matches!(teardown.how, How::Reset(_));
    if connection.ungreeted().is_some() {
        return ConnectionOutcome::Failed(FailedReason::ClientLeft);
    }
    // Only a segment of the client draws such a RST from a server that has closed, and none was captured after that close.
    let drawn = own_reset(connection, Who::Server).is_some_and(|reset| {
        let closed = connection.fin[Who::Server as usize];
        let left = connection.fin[Who::Client as usize];
        reset.kind == Some(ResetKind::NoSocket)
            && closed.is_some_and(|fin| fin.frame_ref < reset.frame_ref)
            && left.is_none_or(|fin| fin.frame_ref > reset.frame_ref)
    });
    if drawn {
        return ConnectionOutcome::Unknown(UnknownReason::LostPackets);
    }
    // A server that keeps a connection to which nothing comes aborts it in the end.
    let soon = teardown.at.since(connection.first.time) <= AT_ONCE;
    match aborted && soon {
        true => ConnectionOutcome::Failed(FailedReason::Rejected),
        false => ConnectionOutcome::Fine(FineReason::Unused),
    }
}

/// The outcome of a connection whose TLS records were not decrypted: their order and senders tell the turns.
fn behind_tls(connection: &Connection, facts: &TlsFacts) -> ConnectionOutcome {
    const HIDDEN: ConnectionOutcome = ConnectionOutcome::Unknown(UnknownReason::Encrypted);
    let teardown = &connection.teardown;
    let turns = &facts.turns_inside;
    let [client, server] = facts.flows;
    let said = |who: Who| facts.flows[who as usize].close_notify.frame_ref();
    let closed = connection.teardown.frame_ref();
    let parted = said(Who::Server).filter(|at| *at <= closed);
    // A short record of HTTP/2 may be a stream that the client gives up.
    let goodbye = turns.last == Some(FlowEnd::A)
        && turns.asked <= TLS_GOODBYE
        && (teardown.by == By::Client || teardown.by == By::Server && parted.is_some())
        && server.records > 0
        && !facts.may_be_multiplexed();
    // Words that are shorter than any request, and followed by the server's FIN at once, need no answer.
    let prompt = turns
        .asked_at
        .is_some_and(|at| closed.time.since(at.time) < PROMPT);
    let parting = turns.last == Some(FlowEnd::A)
        && turns.asked < TLS_GOODBYE_AT_ONCE
        && turns.taken > 1
        && (teardown.by, teardown.how) == (By::Server, How::Fin)
        && prompt
        && !facts.may_be_http();
    let goodbye = goodbye || parting;
    let answered = (turns.last == Some(FlowEnd::B) || goodbye) && client.records > 0;
    if facts.caller != FlowEnd::A || !answered {
        return HIDDEN;
    }
    // Of records that were cut, the numbers of bytes alone are known.
    if connection.turns.cut {
        return ConnectionOutcome::Unknown(UnknownReason::SnapLength);
    }
    // Words that are shorter than any request of HTTP/1 are those of a WebSocket, which has an end of its own.
    let upgraded = is_https(connection, facts) && (1..TLS_GOODBYE).contains(&turns.shortest);
    // Tickets are no answer.
    let tickets = facts.only_tickets && server.records >= 2;
    // Frames that are too small for a response may be all that came for a request of HTTP/2.
    let open = facts.may_be_multiplexed() && turns.streams.asked.is_some();
    if upgraded || turns.full || server.lacking > 0 || tickets || open {
        return HIDDEN;
    }
    // A server that closes as soon as it has spoken may have had more to say.
    let at_once = |at: FrameRef| {
        server
            .last
            .is_some_and(|last| at.time.since(last.time) < AT_ONCE)
    };
    let left = match teardown.by {
        // A client that leaves in the middle of a response meets more of it.
        By::Client => {
            let more = server.last.is_some_and(|last| last > closed);
            let reset = matches!(teardown.how, How::Reset(_));
            let follows = parted.is_some_and(|at| !goodbye && at_once(at));
            more || follows || reset && said(Who::Client).is_none_or(|at| at > closed)
        }
        // Without a close_notify the data may have been cut short (RFC 8446 §6.1).
        By::Server => !parting && parted.is_none_or(|at| !goodbye && at_once(at)),
        By::Both | By::Middlebox | By::Nobody => {
            let silent = Who::BOTH.into_iter().all(|it| said(it).is_none());
            silent || facts.may_be_multiplexed() || at_once(closed)
        }
    };
    match left {
        true => HIDDEN,
        false => ConnectionOutcome::Fine(FineReason::Answered),
    }
}

#[cfg(test)]
mod tests;
