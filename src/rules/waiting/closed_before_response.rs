//! The server closed (FIN) instead of responding to a complete request.

use std::time::Duration;

use crate::analysis::connection::tls_close::ended_unanswered;
use crate::analysis::connection::{By, Connection, How, Who};
use crate::protocol::http::{Exchange, Message};
use crate::rules::Severity;
use crate::rules::classify::{Ending, EndingKind, announced, is_open_ended, last_word, request};
use crate::rules::classify_h2::was_sent_away;
use crate::rules::measured_time;
use crate::rules::rule::{Check, Verdict, rule};
use crate::rules::statement::{Statement, Value, sentence};
use crate::rules::waiting::client_gave_up_waiting::usual;
use crate::rules::wording::{asked, half_closed_before, named, not_yet, repetition, tell, waited};
use crate::rules::wording_tls::hidden_request;

rule! {
    /// # What happened
    ///
    /// The client sent a complete request, and the server received it. The server closed its direction with a FIN without a
    /// single byte of the final response. The client's log says "Empty reply from server" (curl 52), `ERR_EMPTY_RESPONSE`,
    /// `RemoteDisconnected`, `EOF` or "The connection was closed unexpectedly". A gateway's log says "upstream prematurely
    /// closed connection", and its client gets a 502.
    ///
    /// # Why it matters
    ///
    /// The response is lost, and nobody knows whether the request took effect. A kernel sends a FIN for any socket that was
    /// closed with all data read, also when the process ended. The handler returned or crashed without writing, a timeout
    /// killed the worker, or the server is set to close like this (nginx `return 444`).
    ///
    /// # Remedy
    ///
    /// - *If PostgreSQL was spoken:* Look in PostgreSQL's log for "server process … was terminated by
    ///   signal". A server that ends a
    ///   session on purpose sends an error before it closes, and none came.
    /// - *If HTTP was not spoken and the wait was 1 s or more and the server had sent nothing:* Check that the target is up, where a
    ///   proxy or load balancer listens on this port. One that cannot reach its target closes like this.
    /// - Look in the server's log at the time of the FIN for a crash or a killed process. Look in the system log for an
    ///   out-of-memory kill.
    /// - *If the wait was under 50 ms and it was the first request on the connection:* Look for a rule of the server or of a
    ///   proxy that refuses the request (nginx `return 444`). This is too soon for a timeout.
    /// - *If the wait was under 50 ms and the connection had never been idle for longer:* Let the client close idle connections
    ///   sooner than the server does: the server was probably closing this one when the request came.
    /// - *If the wait was under 50 ms and the connection had been idle for as long before:* Look for what in this request made the server
    ///   close: a rule that refuses it, or a fault that it triggers.
    /// - *If HTTP was spoken:* Look for code that closes without responding: a handler that returns without writing.
    /// - *If HTTP was spoken and the wait was 1 s or more:* Compare the wait with the server's timeouts (ASP.NET
    ///   `executionTimeout`, gunicorn `--timeout`). Raise the timeout above the longest call, or make the call shorter.
    /// - *If HTTP was not spoken and the wait was 1 s or more:* Compare the wait with the timeouts of the server, and of a
    ///   proxy or pool in front of it.
    /// - *If a response before had announced the close:* Let the client retry the pipelined requests on a new connection. Let
    ///   it not pipeline past the server's limit of requests (Apache `MaxKeepAliveRequests`, nginx `keepalive_requests`).
    /// - *If HTTP was spoken and the wait was under 50 ms:* Let a server that refuses on purpose say so with a status, such as 403.
    ///
    /// # Tell it by
    ///
    /// The server acknowledges the whole request, then sends its FIN without a response. The connection is new, or the FIN
    /// comes more than a round trip after the request.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /              -->
    ///  0.040                     <--  FIN
    ///  0.050  FIN                -->
    ///  0.060                     <--  ACK
    ///  => teardown server fin waiting
    ///  => findings closed-before-response
    /// ```
    ///
    /// Requests that are pipelined behind one whose response announces the close get no response either. The server must not
    /// process them (RFC 9112 §9.6), so this is a warning:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /1 GET /2      -->
    ///  0.040                     <--  200 "one" [close]
    ///  0.041                     <--  FIN
    ///  0.050  FIN                -->
    ///  0.060                     <--  ACK
    ///  => teardown server fin waiting
    ///  => findings closed-before-response
    /// ```
    ///
    /// Inside TLS without keys, only the order of the records shows it, so it is likely and not certain:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  ClientHello [version=1.2] -->
    ///  0.030                     <--  ServerHello Certificate ServerHelloDone
    ///  0.040  KeyExchange Finished -->
    ///  0.050                     <--  Finished
    ///  0.060  app 300            -->
    ///  0.070                     <--  FIN
    ///  0.080  close_notify FIN   -->
    ///  0.090                     <--  RST [noack]
    ///  => findings closed-before-response
    /// ```
    ///
    /// # Not this
    ///
    /// The TLS connection began before the capture, and the client's last record has the length of an encrypted alert, so it
    /// may be a close:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.010  close_notify [version=1.3] -->
    ///  0.020                     <--  FIN
    ///  0.030  FIN                -->
    ///  0.040                     <--  ACK
    /// ```
    ///
    /// The server sent its FIN before the request reached it; the two crossed:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /1             -->
    ///  0.040                     <--  200 "one"
    ///  0.050  ACK                -->
    ///  5.000  GET /2             -->
    ///  5.001                     <--  FIN [crossed]
    ///  5.011                     <--  RST [noack]
    ///  => teardown server fin between
    /// ```
    ///
    /// The client closed first, so it was not waiting any more:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /              -->
    ///  0.030                     <--  ACK
    ///  3.020  FIN                -->
    ///  3.030                     <--  FIN
    ///  3.040  ACK                -->
    ///  => teardown client fin waiting
    /// ```
    ///
    /// The response was acknowledged, but not captured:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /              -->
    ///  0.030                     <~~  200 data 1000
    ///  0.040  ACK                -->
    ///  0.050                     <--  FIN
    ///  0.060  FIN                -->
    ///  0.070                     <--  ACK
    /// ```
    ///
    /// Only one side was captured, so nothing can be said:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                ~~>
    ///  0.010                     <--  SYN
    ///  0.020  GET /              ~~>
    ///  0.040                     <--  FIN
    /// ```
    ///
    /// # References
    ///
    /// RFC 9110 §9.2.2 (idempotent methods); RFC 9112 §9.3.1 (retrying), §9.6 (tear-down).
    pub(in crate::rules) RULE: "closed-before-response", Severity::Error,
    "the server closes the connection instead of responding to a complete request", Check::Read(check)
}

/// A response that took as long was held back on purpose.
const HELD: Duration = Duration::from_secs(30);

fn check(connection: &Connection, ending: Option<&Ending<'_>>) -> Verdict {
    let read = ending.filter(|it| it.reading == EndingKind::ClosedBeforeResponse);
    let Some(ending) = read else {
        return match (connection.teardown.by, connection.teardown.how) {
            (By::Server, How::Fin) => hidden_request(&RULE, connection, "FIN"),
            _ if ended_unanswered(connection).is_some() => {
                hidden_request(&RULE, connection, "close_notify")
            }
            _ => not_yet(connection),
        };
    };
    if let Some(exchange) = ending.exchange
        && let Some(answer) = announced(connection, exchange)
    {
        return announced_story(connection, ending, exchange, answer);
    }
    let close = ending.close.frame_ref;
    // The GOAWAY says why.
    if was_sent_away(connection, close) {
        return Verdict::Clear;
    }
    let what = asked(ending.exchange);
    let time = waited(ending.exchange, close);
    let unanswered = connection
        .spoken()
        .iter()
        .filter(|exchange| exchange.request.is_some() && exchange.response.is_none())
        .count();
    let more = (unanswered > 1).then(|| {
        sentence!(
            "{} on this connection got no response either.",
            Value::count(unanswered as u64 - 1, "more request", "more requests")
        )
    });
    let Some(exchange) = ending.exchange else {
        return Verdict::Clear;
    };
    let message = match is_open_ended(exchange) {
        false => sentence!(
            "The server received the whole {} and closed the connection {} later, without a byte of the response.",
            &what,
            time
        ),
        true => sentence!(
            "The server received what was sent of the {} and closed the connection {} later, without a byte of the response.",
            &what,
            time
        ),
    };
    let mut message = Statement::from(message);
    if is_open_ended(exchange) {
        message.mean(
            "Whether the request was complete is not known: its head was not captured whole.",
        );
    }
    message.mean(repetition(exchange));
    let held = usual(connection).filter(|usual| *usual >= HELD);
    let severity = match held {
        Some(_) => Severity::Warning,
        None => Severity::Error,
    };
    let held = held.map(|usual| {
        sentence!(
            "Another request on this connection had its response after {}: the server holds requests until it has something to \
             say (long polling).",
            usual
        )
    });
    tell(
        &RULE,
        severity,
        ending.certainty,
        "Server closed [the connection|# connections] before responding",
        message,
    )
    .adds(more)
    .adds(half_closed_before(connection))
    .adds(held)
    .adds(measured_time::wait(connection, time, Who::Server))
    .shows(
        ending
            .exchange
            .and_then(request)
            .map(|message| message.last),
        format!("{what} complete"),
    )
    .shows(
        Some(close),
        format!(
            "{} from the server, no response byte sent",
            last_word(connection)
        ),
    )
    .about(connection)
}

/// The close was announced, and requests pipelined behind the announcement got no response.
fn announced_story(
    connection: &Connection,
    ending: &Ending<'_>,
    exchange: &Exchange,
    answer: &Message,
) -> Verdict {
    let unanswered = connection.spoken().iter();
    let unanswered: Vec<&Exchange> = unanswered
        .filter(|exchange| exchange.request.is_some() && exchange.response.is_none())
        .collect();
    let who = match connection.teardown.by {
        By::Client => "client",
        _ => "server",
    };
    let message = sentence!(
        "A response announced the close of the connection, and the {} closed it {} later. {}.",
        who,
        ending.close.frame_ref.time.since(answer.last.time),
        Value::count(
            unanswered.len() as u64,
            "pipelined request behind it got no response",
            "pipelined requests behind it got no response"
        )
    );
    let message = Statement::from(message).means(sentence!(
        "{} [is|are] safe to retry: a server must not process what follows such a response (RFC 9112 §9.6).",
        Value::named_all(unanswered.iter().map(|it| named(it)))
    ));
    tell(
        &RULE,
        Severity::Warning,
        ending.certainty,
        "Pipelined requests lost at a close[| on # connections]",
        message,
    )
    .shows(
        request(exchange).map(|message| message.last),
        format!("{} complete", asked(Some(exchange))),
    )
    .shows(
        Some(answer.last),
        "response before it complete, announcing the close",
    )
    .shows(Some(ending.close.frame_ref), format!("close by the {who}"))
    .about(connection)
    .keeps(|remedy| remedy.contains("pipelined"))
}

#[cfg(test)]
mod tests {
    use crate::rules::ladder_check;

    fn message(text: &str) -> Option<String> {
        let text = format!("SYN -->\n<-- SYN\nACK -->\n{text}");
        let found = ladder_check::found_by(&super::RULE, &text)?;
        assert_eq!(found.evidence.len(), 2);
        Some(found.message.to_string())
    }

    /// Inside TLS the server's goodbye is all that comes of the response; the client's FIN follows it.
    #[test]
    fn a_close_notify_is_no_response() {
        let hello = "client server :8443\nSYN -->\n<-- SYN\nClientHello [sni=a version=1.2] -->\n\
                     <-- ServerHello Certificate [name=a] ServerHelloDone\nKeyExchange Finished -->\n<-- Finished\n";
        let told = |text: &str| {
            crate::rules::ladder_check::told_by(&super::RULE, &format!("{hello}{text}"))
        };
        let end = "FIN -->\n<-- FIN\nACK -->";
        let mute = told(&format!(
            "app 300 -->\n+9ms <-- close_notify\nclose_notify {end}"
        ))
        .expect("found");
        assert!(
            mute.contains("close_notify") && mute.contains("without a record of a response"),
            "{mute}"
        );
        // Answered, or the client had said goodbye first, or it left for another reason much later.
        for fine in [
            format!("app 300 -->\n<-- app 900\n+9ms <-- close_notify\nclose_notify {end}"),
            format!("app 300 -->\n+9ms close_notify -->\n<-- close_notify\n{end}"),
        ] {
            assert_eq!(told(&fine), None, "{fine}");
        }
    }

    #[test]
    fn the_wait_is_compared_with_known_timeouts() {
        let soon = message("GET / -->\n+40ms <-- FIN\nFIN -->\n<-- ACK").expect("found");
        assert!(
            soon.contains("40.0 ms") && soon.contains("safe to retry"),
            "{soon}"
        );
        let late = message("POST / \"x\" -->\n+110s <-- FIN\nFIN -->\n<-- ACK").expect("found");
        assert!(
            late.contains("ASP.NET") && late.contains("blindly"),
            "{late}"
        );
    }

    #[test]
    fn a_request_that_is_held_until_there_is_something_to_say_is_a_warning() {
        let found = |wait: &str| {
            let text = format!(
                "SYN -->\n<-- SYN\nACK -->\nPOST / \"x\" -->\n<-- ACK\n+{wait} <-- 200 \"news\"\nPOST / \"x\" -->\n\
                 <-- ACK\n+200s <-- FIN\nFIN -->\n<-- ACK"
            );
            ladder_check::found_by(&super::RULE, &text).expect("found")
        };
        let held = found("162s");
        assert_eq!(held.severity, super::Severity::Warning);
        assert!(held.message.contains("long polling"), "{}", held.message);
        assert_eq!(found("2s").severity, super::Severity::Error);
    }

    #[test]
    fn all_that_were_pipelined_are_counted() {
        let text = "GET /1 -->\nGET /2 -->\nGET /3 -->\n<-- 200 \"one\"\n<-- FIN\nFIN -->\n<-- ACK";
        let told = message(text).expect("found");
        assert!(told.contains("1 more request on this connection"), "{told}");
    }

    #[test]
    fn requests_behind_an_announced_close_are_a_warning_on_either_side() {
        let open = "SYN -->\n<-- SYN\nGET /1 GET /2 GET /3 -->\n<-- 200 \"one\" [close]\nACK -->\n";
        for (close, who) in [
            ("<-- FIN\nFIN -->\n<-- ACK", "server"),
            ("FIN -->\n<-- FIN\nACK -->", "client"),
        ] {
            let found =
                ladder_check::found_by(&super::RULE, &format!("{open}{close}")).expect("found");
            assert_eq!(found.severity, super::Severity::Warning);
            assert_eq!(found.remedies.len(), 1, "{:?}", found.remedies);
            assert!(
                found.message.contains("2 pipelined") && found.message.contains(who),
                "{}",
                found.message
            );
        }
    }
}
