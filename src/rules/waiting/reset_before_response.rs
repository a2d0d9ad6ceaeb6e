//! The server reset the connection instead of responding to a complete request.

use std::time::Duration;

use crate::analysis::connection::{By, Connection, How, Opening, ResetKind, Who};
use crate::base::certainty::Certainty;
use crate::protocol::http::Exchange;
use crate::rules::classify::{Ending, EndingKind, announced, is_open_ended};
use crate::rules::measured_time;
use crate::rules::rule::{Check, Diagnosis, Verdict, rule};
use crate::rules::statement::{Statement, Value, sentence};
use crate::rules::wording::{
    PARTLY_MISSING, PRESUMED, UNSURE_SIDES, asked, half_closed_before, named, not_yet, repetition,
    tell,
};
use crate::rules::wording_tls::hidden_request;
use crate::rules::{Evidence, Severity};

rule! {
    /// # What happened
    ///
    /// The client sent a complete request. The server reset the connection (RST) without a single byte of the final response.
    /// The client's log says "connection reset by peer", `ECONNRESET`, `socket hang up`, "An unexpected error occurred on a
    /// receive" or curl (56). A gateway in front responds with 502.
    ///
    /// # Why it matters
    ///
    /// The response is lost, and nobody knows whether the request took effect: the server had received it. A client may retry
    /// by itself only if the method is idempotent (RFC 9110 §9.2.2).
    ///
    /// A server that resets did not close normally. Its process was killed or crashed with unread data in its socket, or a watchdog stopped it. Or something closes sockets with `SO_LINGER` 0.
    ///
    /// # Remedy
    ///
    /// - *If HTTP was spoken and the wait was under 50 ms and it was the first request on the connection:* Look for a rule of the
    ///   server or a firewall that refuses the request (a deny list, nginx `return 444` with `reset_timedout_connection`).
    ///   This is too soon for a timeout.
    /// - *If HTTP was spoken and the wait was under 50 ms and the connection had never been idle for longer:* Let the client close
    ///   idle connections sooner than the server does: the server was probably closing this one when the request came.
    /// - *If HTTP was spoken and the wait was under 50 ms and the connection had been idle for as long before:* Look for what in
    ///   this request made the server close: a rule that refuses it, or a fault that it triggers.
    /// - *If HTTP was not spoken and the wait was under 50 ms:* Look for a rule of the server or of a firewall that refuses
    ///   it. This is too soon for a timeout.
    /// - *If HTTP was spoken and the wait was 1 s or more:* Compare the wait with the server's timeouts (gunicorn `--timeout`,
    ///   IIS `executionTimeout`). Raise the timeout above the longest call, or make the call shorter.
    /// - *If HTTP was not spoken and the wait was 1 s or more:* Compare the wait with the timeouts of the server, and of a
    ///   proxy or pool in front of it.
    /// - Look in the server's log and the system log at the time of the RST for a crash, an out-of-memory kill or a restart.
    ///   Or look for a limit on run time that ended the worker.
    /// - *If HTTP was spoken:* Find out whether the server resets on purpose (`SO_LINGER` 0, nginx
    ///   `reset_timedout_connection`). Let it respond with a status, or close with a FIN, instead.
    ///
    /// # Tell it by
    ///
    /// The server acknowledges the whole request, then sends a RST without a response. Under 50 ms points to a rule or a
    /// crash, seconds to a timeout or a restart.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /report        -->
    ///  0.030                     <--  ACK
    /// 30.020                     <--  RST                :: CLOSED | CLOSED
    ///  => teardown server reset abort waiting
    ///  => findings reset-before-response
    /// ```
    ///
    /// # Not this
    ///
    /// A RST with another time to live than the server's other packets does not come from the server:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /report        -->
    ///  0.030                     <--  ACK
    ///  0.040                     <--  RST [ttl=249]
    ///  => teardown middlebox reset foreign waiting
    /// ```
    ///
    /// The request was not complete: the server refused it, or closed before it came:
    ///
    /// ```ladder
    ///         client                          server
    ///  0.000  SYN                        -->
    ///  0.010                             <--  SYN
    ///  0.020  POST /up [length=9000] data 1000 -->
    ///  0.030                             <--  ACK
    ///  0.040                             <--  RST
    ///  => teardown server reset abort request
    /// ```
    ///
    /// A RST that does not acknowledge the request crossed it on the way. The server had not received the request and reset
    /// an idle connection:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /1             -->
    ///  0.040                     <--  200 "one"
    ///  0.050  ACK                -->
    ///  5.000  GET /2             -->
    ///  5.001                     <--  RST [crossed]
    ///  => teardown server reset abort between
    /// ```
    ///
    /// The response had begun, or was complete:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /              -->
    ///  0.040                     <--  200 "hello"
    ///  0.050  ACK                -->
    ///  0.060                     <--  RST
    ///  => teardown server reset abort between
    /// ```
    ///
    /// # References
    ///
    /// RFC 9293 §3.5.2 and §3.10.7 (reset generation and processing); RFC 9110 §9.2.2 (idempotent methods), §15.2 (interim
    /// responses).
    pub(in crate::rules) RULE: "reset-before-response", Severity::Error,
    "the server resets the connection instead of responding to a complete request", Check::Read(check)
}

fn check(connection: &Connection, ending: Option<&Ending<'_>>) -> Verdict {
    let read = ending.filter(|it| it.reading == EndingKind::ResetBeforeResponse);
    let Some(ending) = read else {
        let reset = matches!(
            (connection.teardown.by, connection.teardown.how),
            (By::Server, How::Reset(ResetKind::Abort))
        );
        if reset && let Some(found) = one_sided(connection) {
            return found;
        }
        let gone = (By::Server, How::Reset(ResetKind::NoSocket));
        let gone = (connection.teardown.by, connection.teardown.how) == gone;
        return match reset || gone && connection.tls.is_some() {
            true => hidden_request(&RULE, connection, "RST"),
            false => not_yet(connection),
        };
    };
    let Some(exchange) = ending.exchange.filter(|_| ending.close.kind.is_some()) else {
        return Verdict::Clear;
    };
    let unanswered = connection
        .spoken()
        .iter()
        .filter(|exchange| exchange.request.is_some() && exchange.response.is_none());
    let more = unanswered.count().saturating_sub(1);
    Verdict::Found(Box::new(story(connection, ending, exchange, more)))
}

/// Only the server's side was captured: it acknowledged bytes from the client, sent none, and reset.
fn one_sided(connection: &Connection) -> Option<Verdict> {
    let [client, server] = &connection.sent;
    let close = connection.reset[Who::Server as usize]?;
    let taken = close.received;
    let alone = client.packets == 0 && server.bytes == 0 && server.missing == 0 && taken > 0;
    if !alone || connection.opening != Opening::Handshake {
        return None;
    }
    let message = sentence!(
        "The server acknowledged {} from the client and reset the connection without sending a byte.",
        Value::exact_bytes(taken)
    );
    let verdict = tell(
        &RULE,
        Severity::Error,
        Certainty::Possible,
        "Server took data, then reset [the connection|# connections]",
        message,
    )
    .means(Some(
        "Only the server's side was captured, so whether it had a whole request is not known.",
    ))
    .shows(Some(close.frame_ref), "RST from the server, no byte sent")
    .about(connection);
    Some(verdict)
}

/// What comes sooner is no timeout of this request.
const SOON: Duration = Duration::from_millis(50);

/// How long a connection of HTTP/1 had been idle, after a response that was whole, when this request came.
fn idle_before(connection: &Connection, exchange: &Exchange) -> Option<Duration> {
    let began = exchange.request.as_ref()?.message.first;
    let all = connection.spoken().iter();
    let before = all.take_while(|it| it.stream.is_none() && !std::ptr::eq(*it, exchange));
    let last = before.last().filter(|it| it.is_complete())?;
    let ended = last.response.as_ref()?.message.last;
    (ended < began).then(|| began.time.since(ended.time))
}

fn story(
    connection: &Connection,
    ending: &Ending<'_>,
    exchange: &Exchange,
    more: usize,
) -> Diagnosis {
    let teardown = &connection.teardown;
    let half_closed = half_closed_before(connection);
    let at = match half_closed {
        Some(_) => ending.close.frame_ref.time,
        None => teardown.at,
    };
    let missing = connection.sent.iter().any(|sent| sent.missing > 0);
    let certainty = if missing || half_closed.is_some() {
        Certainty::Possible
    } else if is_open_ended(exchange) || connection.is_presumed() {
        teardown.certainty.max(Certainty::Likely)
    } else {
        ending.certainty
    };
    let request = exchange
        .request
        .as_ref()
        .map(|request| request.message.last);
    let waited = request.map(|last| at.since(last.time)).unwrap_or_default();
    let asked = asked(Some(exchange));
    let announced = announced(connection, exchange).is_some();
    let open_ended = is_open_ended(exchange);
    let mut message = Statement::from(match open_ended {
        false => sentence!(
            "The server received the whole {} and reset the connection {} later, without a byte of the response.",
            &asked,
            waited
        ),
        true => sentence!(
            "The server received what was sent of the {} and reset the connection {} later, without a byte of the response.",
            &asked,
            waited
        ),
    });
    if ending.close.kind == Some(ResetKind::NoSocket) {
        message.say("The form of the RST shows that the server had closed its socket before.");
    }
    if let Some(closed) = connection.unaware_close(Who::Client) {
        message.say(match closed.time < teardown.at {
            true => sentence!(
                "The client did not know that: its own FIN, {} before, drew the RST.",
                teardown.at.since(closed.time)
            ),
            false => sentence!(
                "The client did not receive the RST: it closed {} later without knowing of it.",
                closed.time.since(teardown.at)
            ),
        });
    }
    if let Some(before) = half_closed {
        message.say(before);
    }
    if let Some(idle) = idle_before(connection, exchange).filter(|_| waited < SOON) {
        message.say(sentence!(
            "The connection had carried a request before, and then had been idle for {}.",
            idle
        ));
    }
    if open_ended {
        message.mean(
            "Whether the request was complete is not known: its head was not captured whole.",
        );
    }
    message.mean(match announced {
        true => sentence!(
            "{} is safe to retry: the response before it announced the close, so the server must not process what \
             follows (RFC 9112 §9.6).",
            named(exchange)
        ),
        false => repetition(exchange),
    });
    if more > 0 {
        message.say(sentence!(
            "{} on this connection got no response either.",
            Value::count(more as u64, "more request", "more requests")
        ));
    }
    if missing {
        message.mean(PARTLY_MISSING);
    }
    if connection.is_presumed() {
        message.mean(PRESUMED);
    }
    let mut remedies = RULE.remedies();
    if let Some(whose) = measured_time::wait(connection, waited, Who::Server) {
        message.say(whose);
    }
    if connection.roles.certainty() != Certainty::Certain {
        remedies.push(UNSURE_SIDES.into());
    }
    let mut evidence = Vec::new();
    evidence.extend(request.map(|frame_ref| Evidence {
        frame_ref,
        note: match open_ended {
            false => format!("{asked} complete"),
            true => format!("last captured byte of the {asked}"),
        },
    }));
    let reset = connection.reset[Who::Server as usize].map(|event| event.frame_ref);
    evidence.extend(reset.map(|frame_ref| Evidence {
        frame_ref,
        note: "RST from the server, no response byte sent".to_owned(),
    }));
    Diagnosis {
        severity: if announced {
            Severity::Warning
        } else {
            Severity::Error
        },
        certainty,
        summary: "Server reset [the connection|# connections] before responding".into(),
        message,
        evidence,
        remedies,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::ladder_check;

    fn finding(text: &str) -> Option<crate::rules::Finding> {
        let proof = ladder_check::run(&text.parse().expect("a ladder"));
        proof
            .findings
            .into_iter()
            .find(|finding| finding.rule == RULE.name)
    }

    const OPEN: &str = "SYN -->\n<-- SYN\nACK -->\n";

    /// A server that closes an idle connection resets it if the next request lies unread: no rule refused that request.
    #[test]
    fn a_reset_of_a_reused_connection_is_no_refusal() {
        let before = "GET / -->\n<-- 200 \"x\"\nACK -->\n";
        for (carried, idle, advice) in
            [("", false, "deny list"), (before, true, "idle connections")]
        {
            let found =
                finding(&format!("{OPEN}{carried}+311ms GET / -->\n+1ms <-- RST")).expect("found");
            let first = &found.remedies[0];
            assert!(first.contains(advice), "{first}");
            assert_eq!(
                found.message.contains("been idle for 3"),
                idle,
                "{}",
                found.message
            );
        }
    }

    #[test]
    fn the_wait_is_compared_with_known_timeouts() {
        let thirty = finding(&format!("{OPEN}GET / -->\n+30s <-- RST")).expect("found");
        assert!(
            thirty.message.contains("30.0 s") && thirty.message.contains("gunicorn"),
            "{}",
            thirty.message
        );
        assert_eq!(thirty.evidence.len(), 2);
        assert_eq!(thirty.evidence[1].frame_ref.frame.0, 5);
        let soon = finding(&format!("{OPEN}POST / \"x\" -->\n+40ms <-- RST")).expect("found");
        assert!(
            !soon.message.contains("gunicorn") && soon.message.contains("blindly"),
            "{}",
            soon.message
        );
        assert_eq!(soon.certainty, Certainty::Certain);
    }

    #[test]
    fn an_interim_response_is_not_the_final_one() {
        assert!(finding(&format!("{OPEN}GET / -->\n<-- 100\nACK -->\n<-- RST")).is_some());
    }

    #[test]
    fn what_the_capture_lost_may_have_been_the_response() {
        let text = format!("{OPEN}GET / -->\n<~~ 200 \"x\"\nACK -->\n<-- RST");
        assert!(finding(&text).is_none_or(|finding| finding.certainty == Certainty::Possible));
    }

    #[test]
    fn a_connection_that_is_open_cannot_be_judged() {
        assert!(finding(&format!("{OPEN}GET / -->")).is_none());
    }

    #[test]
    fn a_head_that_was_cut_does_not_show_that_the_request_was_whole() {
        let text =
            format!("{OPEN}POST / [length=3000 cut=20] data 1000 -->\n<-- ACK\n+40ms <-- RST");
        let found = finding(&text).expect("found");
        assert_eq!(found.certainty, Certainty::Likely);
        assert!(
            found.message.contains("not captured whole"),
            "{}",
            found.message
        );
        assert!(
            !found.message.contains("received the whole POST"),
            "{}",
            found.message
        );
    }

    #[test]
    fn of_the_servers_side_alone_what_it_acknowledged_is_said() {
        let text = "SYN ~~>\n<-- SYN\nACK ~~>\nGET / ~~>\n<-- ACK\n+1s <-- RST";
        let found = finding(text).expect("found");
        assert_eq!(found.certainty, Certainty::Possible);
        assert!(
            found.message.contains("acknowledged 27 bytes"),
            "{}",
            found.message
        );
        assert!(finding("SYN ~~>\n<-- SYN\nACK ~~>\n+1s <-- RST").is_none());
    }
}
