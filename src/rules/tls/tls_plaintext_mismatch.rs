//! One side speaks TLS and the other does not.

use crate::analysis::connection::Connection;
use crate::base::certainty::Certainty;
use crate::base::frame_ref::FrameRef;
use crate::protocol::http::Exchange;
use crate::rules::Severity;
use crate::rules::classify_tls::{TlsFailureKind, failure_as};
use crate::rules::rule::{Check, Verdict, rule};
use crate::rules::wording::{asked, not_yet, side, tell};
use crate::rules::wording_tls::hello;
use crate::rules::wording_tls::named;

rule! {
    /// # What happened
    ///
    /// The client sent a ClientHello and was answered in plain text, usually by a `400 Bad Request`; or it sent a request
    /// in plain text and was answered by a TLS alert. Either the scheme or the port is wrong.
    ///
    /// # Why it matters
    ///
    /// Nothing works on such a connection. Clients say `WRONG_VERSION_NUMBER`, `ERR_SSL_PROTOCOL_ERROR`, "packet length too
    /// long"; servers log an "invalid method" that is the beginning of a hello.
    ///
    /// # Remedy
    ///
    /// - Compare scheme and port at the client: `https` belongs to the TLS port, `http` to the plain one.
    /// - Where a proxy stands between, compare what it speaks to the server with what that port expects; a missing or
    ///   unexpected PROXY line looks the same.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  ClientHello [sni=a] -->
    ///  0.030                     <--  400 "no" [close]
    ///  0.031                     <--  FIN
    ///  0.040  FIN                -->
    ///  0.050                     <--  ACK
    ///  => findings tls-plaintext-mismatch
    /// ```
    ///
    /// # Not this
    ///
    /// A server that answers in TLS, if only to refuse:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  ClientHello [sni=a] -->
    ///  0.030                     <--  alert 40 FIN
    ///  0.040  FIN                -->
    ///  0.050                     <--  ACK
    ///  => findings tls-alert
    /// ```
    ///
    /// TLS that begins after words in plain text, as with STARTTLS:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020                     <--  "220 mail\r\n"
    ///  0.030  "STARTTLS\r\n"     -->
    ///  0.040                     <--  "220 go\r\n"
    ///  0.050  ClientHello        -->
    ///  0.060                     <--  ServerHello [version=1.3] Finished [version=1.3]
    ///  => findings none
    /// ```
    ///
    /// # References
    ///
    /// RFC 8446 §5.1 (records), RFC 2818 §2.
    pub(super) RULE: "tls-plaintext-mismatch", Severity::Error,
    "one side speaks TLS and the other plain text", Check::Connection(check)
}

fn check(connection: &Connection) -> Verdict {
    if let Some(reading) = failure_as(connection, TlsFailureKind::Plaintext) {
        let answer = connection.exchanges.first().and_then(|it| it.status());
        let answer = answer.map_or_else(
            || "in plain text".to_owned(),
            |status| format!("with {status} in plain text"),
        );
        let by = reading.by.map_or("other side", side);
        let asked = named(reading.facts);
        let message = format!(
            "The ClientHello{asked} was answered {answer}: this port of the {by} does not speak TLS."
        );
        return tell(
            &RULE,
            Severity::Error,
            reading.certainty,
            "TLS was answered in plain text",
            message,
        )
        .shows(hello(&reading), "ClientHello")
        .shows(Some(reading.at), "an answer that is no TLS")
        .about(connection);
    }
    let Some((exchange, frame_ref)) = answered_by_alert(connection) else {
        return not_yet(connection);
    };
    let message = format!(
        "A {} in plain text was answered by a TLS alert: this port speaks TLS.",
        asked(Some(exchange))
    );
    tell(
        &RULE,
        Severity::Error,
        Certainty::Certain,
        "plain text was sent to a TLS port",
        message,
    )
    .shows(
        exchange.request.as_ref().map(|it| it.message.first),
        "a request in plain text",
    )
    .shows(Some(frame_ref), "a TLS alert")
    .about(connection)
}

/// The first request, if it was answered with a TLS record (RFC 8446 §5.1).
pub(in crate::rules) fn answered_by_alert(
    connection: &Connection,
) -> Option<(&Exchange, FrameRef)> {
    let exchange = connection.exchanges.first()?;
    let response = &exchange.response.as_ref()?.message;
    let is_record = exchange
        .response_faults()
        .iter()
        .any(|fault| matches!(fault.bytes.as_bytes(), [21, 3, 0..=4, 0, ..]));
    is_record.then_some((exchange, response.first))
}
