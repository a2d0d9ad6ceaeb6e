//! Whether what was lost may be retried: what a finding says of it whose rule says nothing.
//!
//! In: the record of one connection. Out: one sentence, as cautious as the record is thin.

use super::Severity;
use super::lost_data::{lost_data, reached_no_program};
use super::response::malformed_response::weight;
use super::rule::Diagnosis;
use super::statement::{Sentence, Value, sentence};
use super::unanswered::lost_between_places;
use super::wording::{UNSENT, named, repetition_on};
use super::wording_tls::stays_broken;
use crate::analysis::connection::{
    By, Connection, ConnectionOutcome, FailedReason, How, Opening, Phase, ResetKind, UnknownReason,
    Who,
};
use crate::protocol::dialogue::AppProtocol;
use crate::protocol::http::{Exchange, Fault};
use crate::protocol::tls::{HandshakeStage, TlsFacts};

/// Adds whether a retry is safe, if the case loses something and does not say so yet.
pub(super) fn complete(story: &mut Diagnosis, connection: &Connection) {
    let lost = !connection.outcome.is_fine();
    if story.severity < Severity::Warning || !lost || story.message.speaks_of_retry() {
        return;
    }
    if let Some(told) = of(connection) {
        let again = is_malformed(connection.outcome) && told.template() != SAME_RESPONSE;
        let later = is_passing(connection) && told.template() != PASSING;
        story.message.mean(told);
        if later {
            story.message.mean(PASSING);
        }
        if again {
            story.message.mean(SAME_RESPONSE);
        }
        if let Some(refused) = refused_before_others(connection) {
            story.message.mean(sentence!(
                "A retry of {} fails in the same way until this is fixed.",
                Value::named(named(refused))
            ));
        }
    }
    if lost_between_places(connection).is_some() {
        story
            .message
            .mean("While the path drops these packets, a retry fails in the same way.");
    }
}

/// The same of a case across connections, if it holds for all of them.
pub(super) fn complete_all(story: &mut Diagnosis, connections: &[&Connection]) {
    if story.severity < Severity::Warning || story.message.speaks_of_retry() {
        return;
    }
    // What began before the capture says nothing beside what failed.
    let any = connections.iter().any(|it| it.outcome.is_failed());
    let lost = connections.iter().filter(|it| match any {
        true => it.outcome.is_failed(),
        false => !it.outcome.is_fine(),
    });
    let mut each = lost.take(LOOKED_AT).map(|it| of(it));
    let Some(Some(mut told)) = each.next() else {
        return;
    };
    for other in each {
        match other {
            Some(other) if other.template() == told.template() => told.absorb(other),
            _ => return,
        }
    }
    story.message.mean(told);
}

/// Connections examined of a case across many.
const LOOKED_AT: usize = 64;

/// What is said of a response that cannot be parsed.
const SAME_RESPONSE: &str = "A retry gets the same response until this is fixed.";

/// What is said of an error that is about the moment.
pub(super) const PASSING: &str = "A later retry may succeed: the error is about the moment.";

/// Whether the server ended the session because of what was asked.
fn was_refused(connection: &Connection) -> bool {
    let dialogue = connection.dialogue.as_deref();
    let reported = matches!(
        connection.outcome,
        ConnectionOutcome::Failed(FailedReason::ReportedError | FailedReason::LoginRefused)
    );
    reported && dialogue.is_some_and(|it| it.refused_request().is_some())
}

/// Whether the error that ended the session is one of the moment: the server had too much to do, or waited too long. By SQLSTATE
/// (class 40: a transaction that was rolled back, class 53, `55P03`, `57P03`), MySQL's numbers, the replies of SMTP and FTP that begin with 4 (RFC 5321 §4.2.1, RFC 959 §4.2.1), or
/// what the text says.
pub(super) fn is_passing(connection: &Connection) -> bool {
    const WORDS: [&[u8]; 10] = [
        b"timeout",
        b"maxstartups",
        b"too many",
        b"max number of clients",
        b"try again",
        b"is loading",
        b"starting up",
        // IMAP (RFC 5530 §3).
        b"[inuse]",
        b"[limit]",
        b"[unavailable]",
    ];
    let complaint = connection
        .dialogue
        .as_deref()
        .and_then(|it| it.complaint.as_ref());
    complaint.is_some_and(|it| {
        let by_code = match it.code_bytes() {
            [b'4', b'0'..=b'9', b'0'..=b'9'] => has_passing_replies(connection),
            [b'4', b'0', _, _, _] | [b'5', b'3', _, _, _] | b"55P03" | b"57P03" => true,
            other => {
                let number = other.split(|byte| *byte == b' ').next();
                // Too many connections, of one user; a lock that timed out, a deadlock.
                matches!(number, Some(b"1040" | b"1203" | b"1205" | b"1213"))
            }
        };
        let text = it.text.as_bytes().to_ascii_lowercase();
        by_code
            || WORDS
                .iter()
                .any(|word| memchr::memmem::find(&text, word).is_some())
    })
}

/// Whether a reply that begins with 4 is about the moment in this protocol. In AMQP, whose codes look the same, 403 refuses a login.
fn has_passing_replies(connection: &Connection) -> bool {
    let protocol = connection.dialogue.as_deref().and_then(|it| it.protocol);
    matches!(protocol, Some(AppProtocol::Smtp | AppProtocol::Ftp))
}

/// Whether the handshake failed for a reason that the next one meets too: one side said so, or the certificate shows it.
/// One that was only cut may have been cancelled, or met a server that was restarted.
fn stays(connection: &Connection, facts: &TlsFacts) -> bool {
    let sent = facts.flows[facts.caller.index()].records > 0;
    let own = connection.teardown.by == By::Client;
    facts.fatal().is_some()
        || facts.plain.is_some()
        || facts.flaw(connection.server.ip).is_some() && own
        || sent
}

/// Whether the response, as far as it came, is one that no client can parse.
fn is_answered_wrong(connection: &Connection, exchange: &Exchange) -> bool {
    let breaks = |it: &Fault| weight(it.rule, Who::Server) == Some(Severity::Error);
    exchange.response.is_some()
        && (is_malformed(connection.outcome) || exchange.response_faults().iter().any(breaks))
}

/// Whether a response came that cannot be parsed, or not by every client.
const fn is_malformed(outcome: ConnectionOutcome) -> bool {
    matches!(
        outcome,
        ConnectionOutcome::Failed(FailedReason::Malformed)
            | ConnectionOutcome::Unknown(UnknownReason::Malformed)
    )
}

/// The request for which the server ended the session, where others were sent behind it and got no answer.
fn refused_before_others(connection: &Connection) -> Option<&Exchange> {
    let refused = connection.dialogue.as_deref()?.refused_request()?;
    let start = |it: &Exchange| Some(it.request.as_ref()?.message.start);
    let behind = |it: &Exchange| start(it) > start(refused) && !it.is_complete();
    let others = connection.spoken().iter().any(behind);
    (others && was_refused(connection) && !is_passing(connection)).then_some(refused)
}

/// What is known of a retry after the end of this connection; `None` while it is open.
fn of(connection: &Connection) -> Option<Sentence> {
    match connection.opening {
        Opening::Refused | Opening::Unanswered | Opening::Unreachable | Opening::Rejected => {
            return Some(UNSENT.into());
        }
        Opening::Handshake | Opening::Midstream => {}
    }
    if connection.teardown.how == How::Open {
        return None;
    }
    if connection.outcome == ConnectionOutcome::Failed(FailedReason::ForgedData) {
        return Some("On the same path, a retry meets the same device.".into());
    }
    if connection.is_proxy_header_refused() {
        return Some(
            "The server read no request: a retry is safe, but fails in the same way until this is fixed.".into(),
        );
    }
    if let Some(facts) = connection.tls.as_deref()
        && connection.teardown.phase == Phase::TlsHandshake
    {
        return Some(match stays(connection, facts) {
            true => stays_broken(facts).into(),
            false => UNSENT.into(),
        });
    }
    let spoken = connection.spoken();
    // A response that the client never acknowledged may not have arrived.
    let had = connection.sent[Who::Server as usize].acknowledged;
    let failed = connection.outcome.is_failed();
    let arrived = |it: &Exchange| {
        let answer = it.response.as_ref().map(|it| &it.message);
        !failed || it.stream.is_some() || answer.is_none_or(|answer| answer.end() <= had)
    };
    let lost = |it: &&Exchange| it.request.is_some() && !(it.is_complete() && arrived(it));
    if !spoken.is_empty() && !connection.is_presumed() {
        return Some(match spoken.iter().find(lost) {
            // What answered is wrong, and answers a retry in the same way.
            Some(exchange) if is_answered_wrong(connection, exchange) => {
                let told = repetition_on(connection, exchange);
                match told.forbids_retry() {
                    true => told,
                    false => SAME_RESPONSE.into(),
                }
            }
            Some(exchange) => repetition_on(connection, exchange),
            None if was_refused(connection) => match is_passing(connection) {
                true => PASSING.into(),
                false => "A retry fails in the same way until this is fixed.".into(),
            },
            None if is_malformed(connection.outcome) => SAME_RESPONSE.into(),
            None => "No request was open: there is nothing to retry.".into(),
        });
    }
    let sent = connection.sent[Who::Client as usize];
    if sent.bytes == 0 && sent.missing == 0 && connection.opening == Opening::Handshake {
        return Some(UNSENT.into());
    }
    if connection.only_said_goodbye() {
        return Some(UNSENT.into());
    }
    let alerts = connection.closing_alerts(Who::Client);
    let unread = connection
        .in_flight(Who::Client)
        .filter(|it| it.bytes > alerts);
    let facts = connection
        .tls
        .as_deref()
        .map(|it| it.flows[it.caller.index()]);
    let whole = sent.missing == 0 && connection.opening == Opening::Handshake;
    // Handshake and alerts alone ask for nothing.
    let over = alerts > 0
        || connection
            .tls
            .as_deref()
            .is_some_and(|it| it.stage >= HandshakeStage::Complete);
    if whole && over && facts.is_some_and(|it| it.records == 0 && it.lacking == 0 && !it.unsure) {
        let broken = connection.tls.as_deref().filter(|it| stays(connection, it));
        return Some(broken.map_or(UNSENT.into(), |facts| stays_broken(facts).into()));
    }
    if reached_no_program(connection) {
        return Some(
            "The server did not process what the client sent last: it is safe to retry on a new connection.".into(),
        );
    }
    if let Some(lost) = lost_data(connection)
        && (lost.reset.kind == Some(ResetKind::NoSocket) || lost.reset.frame_ref < lost.sent.since)
    {
        return Some(sentence!(
            "Do not retry blindly what the server acknowledged: it may have processed that. It did not process the last {}.",
            Value::exact_bytes(lost.sent.bytes)
        ));
    }
    match (connection.outcome, unread) {
        (ConnectionOutcome::Failed(_) | ConnectionOutcome::Unknown(_), unread) => {
            Some(unknown_request(connection.tls.is_some(), unread.is_some()).into())
        }
        (ConnectionOutcome::Fine(_), _) => None,
    }
}

/// What is said of a request that is encrypted, or in a protocol that is not known, and of which the server has not
/// acknowledged all.
const fn unknown_request(encrypted: bool, unacknowledged: bool) -> &'static str {
    match (encrypted, unacknowledged) {
        (true, false) => {
            "Do not retry the encrypted request blindly: the server may have processed it. What only reads is safe to retry."
        }
        (true, true) => {
            "Do not retry the encrypted request blindly: the server may have processed it, although it did not acknowledge all of \
             it. What only reads is safe to retry."
        }
        (false, false) => {
            "Do not retry what the client sent blindly: the server may have processed it."
        }
        (false, true) => {
            "Do not retry what the client sent last blindly: the server may have processed it, although it did not acknowledge \
             all of it."
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::ladder_check;

    #[test]
    fn each_loss_says_whether_a_retry_is_safe() {
        for (ladder, told) in [
            ("SYN -->\n<-- RST", "No request was sent"),
            (
                "SYN -->\n<-- SYN\nACK -->\nClientHello [sni=a] -->\n<-- alert 40 FIN",
                "No request was sent. A retry fails in the same way",
            ),
            (
                "SYN -->\n<-- SYN\nACK -->\nClientHello [sni=a version=1.2] -->\n\
                 <-- ServerHello Certificate [name=a] ServerHelloDone\nFIN -->\n<-- FIN",
                "No request was sent: a retry is safe",
            ),
            (
                "SYN -->\n<-- SYN\nACK -->\nClientHello [sni=a version=1.2] -->\n\
                 <-- ServerHello Certificate [name=b] ServerHelloDone\nKeyExchange Finished -->\n<-- Finished\nFIN -->\n<-- FIN",
                "No request was sent",
            ),
            (
                "SYN -->\n<-- SYN\nACK -->\nGET /a -->\n<-- ACK\n+40ms <-- RST",
                "`GET /a` is safe to retry",
            ),
            (
                "SYN -->\n<-- SYN\nACK -->\nPOST /a \"x\" -->\n<-- ACK\n+40ms <-- RST",
                "Do not retry `POST /a` blindly",
            ),
            (
                "SYN -->\n<-- SYN\nACK -->\nPOST /a [length=9000] data 1000 -->\n<-- ACK\n+40ms <-- RST",
                "cannot have processed it whole",
            ),
            // A request that crossed the server's close.
            (
                "SYN -->\n<-- SYN\nACK -->\n\"GET / HTTP/1.1\\r\\n\\r\\n\" -->\n<-- 200 \"x\"\nACK -->\n+2s POST /a \"x\" -->\n\
                 +20ms <-- FIN [ack=19]\n+20ms <-- RST [noack]",
                "The server did not process",
            ),
            (
                "client server :25\nSYN -->\n<-- SYN\nACK -->\n<-- \"220 mx ESMTP\\r\\n\"\n\"EHLO a\\r\\n\" -->\n\
                 <-- \"250 mx\\r\\n\"\n\"BDAT X\\r\\n\" -->\n<-- \"521 5.5.4 Syntax\\r\\n\"\n<-- FIN\n\
                 \"NOOP\\r\\n\" -->\n<-- RST [noack]",
                "The server did not process",
            ),
            (
                "client server :25\nSYN -->\n<-- SYN\nACK -->\n<-- \"220 mx ESMTP\\r\\n\"\n\"EHLO a\\r\\n\" -->\n\
                 <-- \"250 mx\\r\\n\"\n\"BDAT X\\r\\n\" -->\n<-- \"521 5.5.4 Syntax\\r\\n\"\n<-- FIN\nFIN -->\n<-- ACK",
                "A retry fails in the same way until this is fixed",
            ),
            (
                "client server :25\nSYN -->\n<-- SYN\nACK -->\n<-- \"220 mx ESMTP\\r\\n\"\n\"EHLO a\\r\\n\" -->\n\
                 <-- \"250 mx\\r\\n\"\n\"MAIL FROM:<a@b>\\r\\n\" -->\n<-- \"421 4.7.0 Too many mails\\r\\n\"\n<-- FIN\nFIN -->\n<-- ACK",
                "A later retry may succeed",
            ),
            // Behind a command that cannot be parsed nothing is read.
            (
                "client server :6379\nSYN -->\n<-- SYN\nACK -->\n\"SET a 1\\r\\nSET \\x22b\\r\\nSET c 3\\r\\n\" -->\n\
                 <-- \"+OK\\r\\n-ERR Protocol error: unbalanced quotes in request\\r\\n\"\n<-- FIN\nACK -->\nFIN -->\n<-- ACK",
                "The server did not process the command \"SET c",
            ),
            (
                "client server :6379\nSYN -->\n<-- SYN\nACK -->\n\"*2\\r\\n$3\\r\\nGET\\r\\n$1\\r\\na\\r\\n\" -->\n<-- ACK\n+40ms <-- RST",
                "The command \"GET a\" is safe to retry (it changes nothing)",
            ),
            (
                "client server :6379\nSYN -->\n<-- SYN\nACK -->\n\"*2\\r\\n$4\\r\\nINCR\\r\\n$1\\r\\na\\r\\n\" -->\n<-- ACK\n+40ms <-- RST",
                "Do not retry the command \"INCR a\" blindly",
            ),
            (
                "client server :5432\nSYN -->\n<-- SYN\nACK -->\n\"\\x00\\x00\\x00\\x08\\x04\\xd2\\x16\\x2f\" -->\n<-- ACK\n+40ms <-- RST",
                "The SSLRequest is safe to retry",
            ),
            (
                "SYN -->\n<-- SYN\nACK -->\n<-- FIN\nACK -->\n\"QUIT\\r\\n\" -->\n<-- RST [noack]",
                "No request was sent: a retry is safe",
            ),
            (
                "SYN -->\n<-- SYN\nGET /a -->\n<-- \"HTTP/1.1 2XX OK\\r\\nContent-Length: 2\\r\\n\\r\\nok\"\nFIN -->\n<-- FIN\nACK -->",
                "A retry gets the same response until this is fixed",
            ),
            // The head never ends.
            (
                "SYN -->\n<-- SYN\nGET /a -->\n<-- \"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\n\\r\\r\\nok\"\nFIN -->\n<-- FIN\nACK -->",
                "A retry gets the same response until this is fixed",
            ),
            (
                "SYN -->\n<-- SYN\nGET /a -->\n<-- \"HTTP/1.1 200 OK\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\nzz\\r\\n\"\n<-- FIN\nFIN -->\n<-- ACK",
                "A retry gets the same response until this is fixed",
            ),
            (
                "SYN -->\n<-- SYN\nACK -->\n\"\\x01\\x02\" -->\n<-- \"\\x03\"\nACK -->\n+2s <-- FIN\n+40ms ACK -->\n\
                 +2s \"\\x01\\x04\" -->\n<-- RST [noack]",
                "The server did not process what the client sent last: it is safe",
            ),
            // A part of it came before the close.
            (
                "SYN -->\n<-- SYN\nACK -->\n\"\\x01\" -->\n<-- ACK\n+2s <-- FIN\n+40ms ACK -->\n\
                 +2s \"\\x02\" -->\n<-- RST [noack]",
                "Do not retry blindly what the server acknowledged: it may have processed that. It did not process the last 1 byte.",
            ),
            (
                "SYN -->\n<-- SYN\nACK -->\n\"\\x01\\x02\" -->\n<-- ACK\n+40ms <-- RST",
                "Do not retry what the client sent blindly",
            ),
        ] {
            let proof = ladder_check::run(&ladder.parse().expect("a ladder"));
            let connection = &proof.connections[0];
            let said = of(connection).expect("it is over");
            let said = said.text(&Default::default(), Default::default());
            assert!(said.contains(told), "{ladder}: {said}");
        }
    }

    /// A request that got no end of its response gets none the next time.
    #[test]
    fn a_response_that_cannot_be_parsed_comes_again() {
        let text = "SYN -->\n<-- SYN\nGET /a -->\n<-- \"<html>hello</html>\"\nACK -->\n<-- FIN\nFIN -->\n<-- ACK";
        let findings = ladder_check::run(&text.parse().expect("a ladder")).findings;
        let mut own = findings.iter().filter(|it| it.rule == "malformed-response");
        let found = own.next().expect("found");
        assert!(
            found.message.meaning().ends_with(SAME_RESPONSE),
            "{}",
            found.message
        );
    }
}
