//! A request and the server's close crossed on an idle connection.

use crate::analysis::connection::{Connection, Who};
use crate::base::format::duration;
use crate::protocol::http::Exchange;
use crate::rules::Severity;
use crate::rules::classify::{Ending, EndingKind, request, response};
use crate::rules::measured_time;
use crate::rules::rule::{Check, Verdict, rule};
use crate::rules::wording::{again, asked, close_word, tell};

rule! {
    /// # What happened
    ///
    /// A connection was kept alive after a response. The server closed it just when the client sent the next request on it:
    /// neither knew of the other. The request meets a closed socket, draws a RST, and is never answered. The client's log says
    /// `ECONNRESET`, `socket hang up`, `NoHttpResponseException`, `RemoteDisconnected`, "A connection that was expected to be
    /// kept alive was closed by the server"; a gateway answers 502 or 503.
    ///
    /// # Why it matters
    ///
    /// It comes and goes, hits one request in many, and looks like the network's fault. It is a matter of two timers: the
    /// server's idle limit is not longer than the client's. Wherever a client may reuse a connection as long as, or longer
    /// than, the server keeps it, some requests will be sent in that last moment. The server has not read the request, but the
    /// client cannot know that; by itself it may only repeat idempotent ones.
    ///
    /// # Remedy
    ///
    /// - Make the client's idle limit shorter than the server's by some seconds (.NET `MaxServicePointIdleTime` or
    ///   `PooledConnectionIdleTimeout`, Node `keepAliveTimeout` of the agent, the pool's `idleTimeout`, nginx's upstream
    ///   `keepalive_timeout`).
    /// - Or make the server's longer than that of everything in front of it (Node `server.keepAliveTimeout` and
    ///   `headersTimeout` above 60 s behind an AWS ALB, gunicorn `--keep-alive`, Kestrel `KeepAliveTimeout`).
    /// - Let the client repeat requests that are idempotent on a new connection when this happens (RFC 9112 §9.3.1).
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /1             -->
    ///  0.040                     <--  200 "one"
    ///  0.050  ACK                -->
    ///  5.040                     <--  FIN
    ///  5.041  GET /2 [crossed]   -->
    ///  5.051                     <--  RST [noack]
    ///  => teardown server fin between
    ///  => findings keep-alive-race
    /// ```
    ///
    /// # Not this
    ///
    /// The server had the request when it closed:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /1             -->
    ///  0.040                     <--  200 "one"
    ///  0.050  ACK                -->
    ///  5.000  GET /2             -->
    ///  5.010                     <--  FIN
    ///  5.020  FIN                -->
    ///  5.030                     <--  ACK
    ///  => teardown server fin waiting
    /// ```
    ///
    /// The client had known of the FIN for a long time:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /1             -->
    ///  0.040                     <--  200 "one"
    ///  5.040                     <--  FIN
    ///  5.050  ACK                -->
    ///  9.000  GET /2             -->
    ///  9.010                     <--  RST [noack]
    /// ```
    ///
    /// An idle connection that nobody needs any more:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /1             -->
    ///  0.040                     <--  200 "one"
    ///  0.050  ACK                -->
    ///  5.040                     <--  FIN
    ///  5.050  FIN                -->
    ///  5.060                     <--  ACK
    /// ```
    ///
    /// # References
    ///
    /// RFC 9112 §9.3.1 (retrying requests), §9.5 (timeouts: "a client or server can close at any time"), §9.6; RFC 9110 §9.2.2.
    pub(super) RULE: "keep-alive-race", Severity::Error,
    "a request crossed the server's close of an idle connection", Check::Ending(&[EndingKind::Race], check)
}

/// The exchange before this one.
pub(in crate::rules) fn before<'a>(
    connection: &'a Connection,
    this: &Exchange,
) -> Option<&'a Exchange> {
    let index = connection
        .exchanges
        .iter()
        .position(|exchange| std::ptr::eq(exchange, this))?;
    connection.exchanges.get(index.checked_sub(1)?)
}

/// How long the connection had been idle when it was closed.
pub(in crate::rules) fn idle_until_close(
    connection: &Connection,
    ending: &Ending<'_>,
) -> Option<std::time::Duration> {
    let previous = before(connection, ending.exchange?)?;
    let last = response(previous)?.last;
    Some(ending.close.frame_ref.time.since(last.time))
}

fn check(connection: &Connection, ending: &Ending<'_>) -> Verdict {
    let Some(sent) = ending.exchange.and_then(request) else {
        return Verdict::Clear;
    };
    let close = ending.close.frame_ref;
    let word = close_word(ending);
    let what = asked(ending.exchange);
    let order = if sent.first.time >= close.time {
        format!("{} after", duration(sent.first.time.since(close.time)))
    } else {
        format!("{} before", duration(close.time.since(sent.first.time)))
    };
    let idle = idle_until_close(connection, ending);
    let after = idle.map_or_else(String::new, |idle| {
        format!(
            " The connection had been idle for {} when the server closed it.",
            duration(idle)
        )
    });
    let message = format!(
        "The client sent a {what} {order} the server's {word}; they crossed, and the request was never answered.{after} {}",
        again(ending.exchange)
    );
    let whose = idle
        .and_then(|idle| measured_time::idle(idle, Who::Server))
        .map(|default| format!("An idle limit of {default}."));
    tell(
        &RULE,
        Severity::Error,
        ending.certainty,
        "requests crossed the server's close of an idle connection",
        message,
    )
    .adds(whose)
    .shows(Some(close), format!("{word} from the server"))
    .shows(
        Some(sent.first),
        format!("the {what}, which the server never read"),
    )
    .about(connection)
}

#[cfg(test)]
mod tests {
    use crate::rules::ladder_check;

    fn message(text: &str) -> Option<String> {
        let text = format!("SYN -->\n<-- SYN\nGET /1 -->\n<-- 200 \"one\"\nACK -->\n{text}");
        ladder_check::told_by(&super::RULE, &text)
    }

    #[test]
    fn both_numbers_are_told() {
        let told =
            message("+5s <-- FIN\n+1ms GET /2 [crossed] -->\n<-- RST [noack]").expect("found");
        assert!(
            told.contains("idle for 5.00 s") && told.contains("1.0 ms after"),
            "{told}"
        );
        assert!(
            told.contains("Node.js") && told.contains("may be sent again"),
            "{told}"
        );
    }

    #[test]
    fn a_reset_races_as_well_as_a_fin() {
        let told = message("+5s POST /2 \"x\" -->\n<-- RST [crossed]").expect("found");
        assert!(
            told.contains("the server's RST") && told.contains("blindly"),
            "{told}"
        );
    }
}
