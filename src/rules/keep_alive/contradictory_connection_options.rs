//! One message carries both `close` and `keep-alive`.

use crate::analysis::connection::{Connection, Who};
use crate::base::certainty::Certainty;
use crate::protocol::http::{Exchange, Message};
use crate::rules::Severity;
use crate::rules::classify::{request, response};
use crate::rules::rule::{Check, Verdict, rule};
use crate::rules::statement::{Statement, sentence};
use crate::rules::wording::{asked, not_yet, tell};

rule! {
    /// # What happened
    ///
    /// One message says that the connection will be closed, and that it will be kept. It has `Connection: close` and
    /// `Connection: keep-alive`, on one line or on two, or it has `Keep-Alive` parameters beside `close`.
    ///
    /// # Why it matters
    ///
    /// `close` wins (RFC 9112 §9.3), but not every program follows that. One that sees `keep-alive` first keeps the
    /// connection in its pool and loses the next request on it. Usually two parts of the sender set the field without
    /// knowing of each other, such as an application and the proxy in front of it.
    ///
    /// # Remedy
    ///
    /// - Find both places that add the field, in the application and in the server or proxy in front of it, and remove one.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /              -->
    ///  0.040                     <--  200 "hello" [connection=close connection=keep-alive]
    ///  0.041                     <--  FIN
    ///  0.050  FIN                -->
    ///  0.060                     <--  ACK
    ///  => findings contradictory-connection-options
    /// ```
    ///
    /// # Not this
    ///
    /// The two sides may differ:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET / [keep-alive] -->
    ///  0.040                     <--  200 "hello" [close]
    ///  0.041                     <--  FIN
    ///  0.050  FIN                -->
    ///  0.060                     <--  ACK
    ///  => findings none
    /// ```
    ///
    /// Other options beside `close`:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET / [connection="TE, close" te=trailers] -->
    ///  0.040                     <--  200 "hello" [close]
    ///  0.041                     <--  FIN
    ///  0.050  FIN                -->
    ///  0.060                     <--  ACK
    ///  => findings none
    /// ```
    ///
    /// # References
    ///
    /// RFC 9112 §9.3 (persistence: `close` counts first), §9.6; RFC 9110 §7.6.1.
    pub(super) RULE: "contradictory-connection-options", Severity::Warning,
    "one message says both `close` and `keep-alive`", Check::Connection(check)
}

/// How bad the contradiction in a message is, if there is one.
fn contradiction(message: Option<&Message>) -> Option<Severity> {
    let message = message?;
    let options = message.connection;
    if options.close == 0 {
        None
    } else if options.keep_alive > 0 {
        Some(Severity::Warning)
    } else if message.keep_alive.timeout().is_some() || message.keep_alive.max().is_some() {
        Some(Severity::Note)
    } else {
        None
    }
}

fn first(connection: &Connection) -> Option<(Severity, Who, &Exchange)> {
    connection.exchanges.iter().find_map(|exchange| {
        let by_server = contradiction(response(exchange)).map(|it| (it, Who::Server, exchange));
        by_server.or_else(|| contradiction(request(exchange)).map(|it| (it, Who::Client, exchange)))
    })
}

fn check(connection: &Connection) -> Verdict {
    let Some((severity, who, exchange)) = first(connection) else {
        return not_yet(connection);
    };
    let what = match severity {
        Severity::Note => "`Connection: close` beside `Keep-Alive` parameters",
        _ => "both `close` and `keep-alive` among its Connection options",
    };
    let asked = asked(Some(exchange));
    let (told, frame_ref) = match who {
        Who::Client => (
            sentence!("The {} has {}.", asked, what),
            exchange.request_head_end(),
        ),
        Who::Server => (
            sentence!("The response to the {} has {}.", asked, what),
            exchange.response_head_end(),
        ),
    };
    let index = connection
        .exchanges
        .iter()
        .position(|other| std::ptr::eq(other, exchange));
    let later = index.is_some_and(|index| index + 1 < connection.exchanges.len());
    let next = if later {
        "`close` wins by the standard, but the connection was used again."
    } else {
        "`close` wins, and the connection was not used again."
    };
    tell(
        &RULE,
        severity,
        Certainty::Certain,
        "[A message|Messages on # connections] said `close` and `keep-alive`",
        Statement::from(told).means(next),
    )
    .shows(frame_ref, what)
    .about(connection)
}
