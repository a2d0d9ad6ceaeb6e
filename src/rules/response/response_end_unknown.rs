//! A body that only the close delimits was ended by a RST.

use crate::analysis::connection::Connection;
use crate::rules::Severity;
use crate::rules::classify::{Ending, EndingKind, response};
use crate::rules::rule::{Check, Verdict, rule};
use crate::rules::statement::{Value, sentence};
use crate::rules::wording::{named, tell};

rule! {
    /// # What happened
    ///
    /// The response announces neither a length nor chunks, so its body lasts until the server closes (RFC 9112 §6.3, item 8).
    /// It was not closed with a FIN but with a RST. Whether the body was complete cannot be known, by nobody.
    ///
    /// # Why it matters
    ///
    /// A client must treat such a response as incomplete: the RST may stand for a crash in the middle, and it discards what
    /// was still on its way. Clients report "connection reset" although the whole body may be there.
    ///
    /// # Remedy
    ///
    /// - Let the server send `Content-Length` or `Transfer-Encoding: chunked`, so that the end of the body does not depend on
    ///   the end of the connection.
    /// - Let the server end the connection with a FIN: read what the client sent before closing, and do not use `SO_LINGER` 0.
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
    /// A RST after the FIN comes too late to leave a doubt:
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
    "a body that lasts until the close was ended by a RST", Check::Ending(&[EndingKind::EndUnknown], check)
}

fn check(connection: &Connection, ending: &Ending<'_>) -> Verdict {
    let Some(message) = ending.exchange.and_then(response) else {
        return Verdict::Clear;
    };
    let close = ending.close.frame_ref;
    let told = sentence!(
        "The response to {} announces no length, and the server ended it with a RST, {} after the last of {}. Whether that \
         was all cannot be told.",
        ending.exchange.map(named).unwrap_or_default(),
        close.time.since(message.last.time),
        Value::exact_bytes(message.received())
    );
    tell(
        &RULE,
        Severity::Warning,
        ending.certainty,
        "bodies without a length were ended by a RST",
        told,
    )
    .shows(Some(message.first), "the response begins, without a length")
    .shows(Some(close), "RST from the server instead of a FIN")
    .about(connection)
}
