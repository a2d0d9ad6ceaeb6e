//! A body that only the close delimits was ended by a RST.

use crate::analysis::connection::Connection;
use crate::rules::Severity;
use crate::rules::classify::{Ending, EndingKind, response};
use crate::rules::rule::{Check, Verdict, rule};
use crate::rules::statement::{Value, sentence};
use crate::rules::wording::{half_closed_before, named, repetition, tell};

rule! {
    /// # What happened
    ///
    /// The response announces neither a length nor chunks, so its body lasts until the server closes (RFC 9112 §6.3, item 8).
    /// The server ended it with a RST instead of a FIN. Nobody can know whether the body was complete. Clients report
    /// "connection reset", although the whole body may have arrived.
    ///
    /// # Why it matters
    ///
    /// A client must treat such a response as incomplete. The RST may come from a crash during the response, and it discards
    /// what was still on the way.
    ///
    /// # Remedy
    ///
    /// - Let the server send `Content-Length` or `Transfer-Encoding: chunked`, so that the end of the body does not depend on
    ///   the end of the connection.
    /// - Or let the server close with a FIN: read what the client sent before closing, and do not use `SO_LINGER` 0.
    ///
    /// # Tell it by
    ///
    /// The response has neither `Content-Length` nor chunks, and it ends with a RST instead of a FIN.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /              -->
    ///  0.040                     <--  200 data 300 [no-length close]
    ///  0.050  ACK                -->
    ///  0.060                     <--  RST
    ///  => findings response-end-unknown
    /// ```
    ///
    /// # Not this
    ///
    /// A FIN ends such a body properly:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /              -->
    ///  0.040                     <--  200 data 300 [no-length close]
    ///  0.041                     <--  FIN
    ///  0.050  FIN                -->
    ///  0.060                     <--  ACK
    ///  => findings none
    /// ```
    ///
    /// A RST after the FIN comes too late to matter:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /              -->
    ///  0.040                     <--  200 data 300 [no-length close]
    ///  0.041                     <--  FIN
    ///  0.050  "\r\n"             -->
    ///  0.060                     <--  RST [noack]
    /// ```
    ///
    /// # References
    ///
    /// RFC 9112 §6.3 (message body length, item 8), §8 (incomplete messages), §9.8 (TLS closure).
    pub(super) RULE: "response-end-unknown", Severity::Warning,
    "a response body that lasts until the close ends with a RST", Check::Ending(&[EndingKind::EndUnknown], check)
}

fn check(connection: &Connection, ending: &Ending<'_>) -> Verdict {
    let Some(message) = ending.exchange.and_then(response) else {
        return Verdict::Clear;
    };
    let close = ending.close.frame_ref;
    let told = sentence!(
        "The response to {} announced no length. The server ended it with a RST, {} after the last of {}.",
        ending.exchange.map(named).unwrap_or_default(),
        close.time.since(message.last.time),
        Value::exact_bytes(message.received())
    );
    tell(
        &RULE,
        Severity::Warning,
        ending.certainty,
        "A RST ended [a response|responses on # connections] without length",
        told,
    )
    .adds(half_closed_before(connection))
    .means(Some("Whether the body was complete is not known."))
    .means(ending.exchange.map(repetition))
    .shows(Some(message.first), "response begins, without a length")
    .shows(Some(close), "RST from the server instead of a FIN")
    .about(connection)
}
