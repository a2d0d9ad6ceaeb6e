//! The server accepted a WebSocket with a value that does not fit the client's key.

use crate::analysis::connection::Connection;
use crate::base::certainty::Certainty;
use crate::protocol::http::{Exchange, FieldName};
use crate::protocol::websocket::accept_value;
use crate::rules::Severity;
use crate::rules::rule::{Check, Verdict, rule};
use crate::rules::statement::sentence;
use crate::rules::wording::{not_yet, tell};

rule! {
    /// # What happened
    ///
    /// The client asked for a WebSocket and sent a key (`Sec-WebSocket-Key`). The server agreed with 101, but its
    /// `Sec-WebSocket-Accept` is not the hash of that key. A client must then fail the connection (RFC 6455 §4.1). Its log says
    /// "Invalid Sec-WebSocket-Accept header", "Incorrect 'Sec-WebSocket-Accept' header value" or "Invalid challenge response".
    ///
    /// # Why it matters
    ///
    /// No WebSocket is open, and no message is delivered. The value proves that the server, and not a cache or a proxy that
    /// repeats an older answer, has read this request. It is wrong each time until the cause is fixed.
    ///
    /// # Remedy
    ///
    /// - Compute the value from the key of the same request: base64 of SHA-1 of the key and the GUID of RFC 6455 §4.2.2. A
    ///   library for WebSockets does it.
    /// - Look for a proxy or cache between them that changes the key, or answers with a stored response.
    ///
    /// # Tell it by
    ///
    /// The client closes the connection right after the 101, without a frame of its own.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                                                server
    ///  0.000  SYN                                              -->
    ///  0.010                                                   <--  SYN
    ///  0.020  GET /ws [connection=Upgrade upgrade=websocket sec-websocket-key=dGhlIHNhbXBsZSBub25jZQ==] -->
    ///  0.030                                                   <--  101 [connection=Upgrade upgrade=websocket sec-websocket-accept=dGhlIHNhbXBsZSBub25jZQ==]
    ///  0.040  FIN                                              -->
    ///  0.050                                                   <--  FIN
    ///  0.060  ACK                                              -->
    ///  => findings websocket-accept-mismatch
    /// ```
    ///
    /// # Not this
    ///
    /// The value fits the key:
    ///
    /// ```ladder
    ///         client                                                server
    ///  0.000  SYN                                              -->
    ///  0.010                                                   <--  SYN
    ///  0.020  GET /ws [connection=Upgrade upgrade=websocket sec-websocket-key=dGhlIHNhbXBsZSBub25jZQ==] -->
    ///  0.030                                                   <--  101 [connection=Upgrade upgrade=websocket sec-websocket-accept=s3pPLMBiTxaQ9kYGzzhZRbK+xOo=]
    ///  0.040                                                   <--  ws close 1001 "bye"
    ///  0.050  ws close 1001                                    -->
    ///  0.060                                                   <--  FIN
    ///  0.070  FIN                                              -->
    ///  0.080                                                   <--  ACK
    /// ```
    ///
    /// # References
    ///
    /// RFC 6455 §4.1 (what the client checks), §4.2.2 (how the server computes it).
    pub(in crate::rules) RULE: "websocket-accept-mismatch", Severity::Warning,
    "a server accepts a WebSocket with a value that does not fit the client's key", Check::Connection(check)
}

/// Whether a 101 to this request has an accept value, and it does not fit the key.
fn is_wrong(exchange: &Exchange) -> bool {
    let mut keys = exchange.request_fields(FieldName::SecWebSocketKey);
    let mut values = exchange.response_fields(FieldName::SecWebSocketAccept);
    let pair = keys.next().zip(values.next());
    let alone = keys.next().is_none() && values.next().is_none();
    exchange.status() == Some(101)
        && alone
        && pair.is_some_and(|(key, value)| {
            let whole = !key.more && !value.more;
            whole && accept_value(key.value.as_bytes()).as_bytes() != value.value.as_bytes()
        })
}

/// The exchange whose 101 does not fit its key.
pub(super) fn mismatch(connection: &Connection) -> Option<&Exchange> {
    connection.exchanges.iter().find(|it| is_wrong(it))
}

fn check(connection: &Connection) -> Verdict {
    let Some(exchange) = mismatch(connection) else {
        return not_yet(connection);
    };
    let request = exchange.request.as_ref().map(|it| it.message.last);
    let answer = exchange.response.as_ref().map(|it| it.message.last);
    let key = exchange.request_fields(FieldName::SecWebSocketKey).next();
    let fits = key.map(|key| accept_value(key.value.as_bytes()));
    tell(
        &RULE,
        Severity::Warning,
        Certainty::Certain,
        "[A WebSocket was|# WebSockets were] accepted with a wrong key",
        sentence!(
            "The server agreed to the WebSocket, but its `Sec-WebSocket-Accept` does not fit the client's key: {} would.",
            fits.unwrap_or_default()
        ),
    )
    .means(Some(
        "A client must fail such a connection (RFC 6455 §4.1), so no WebSocket was open. A retry fails in the same way until this is fixed.",
    ))
    .shows(request, "request with the key")
    .shows(answer, "101 with a value that does not fit")
    .about(connection)
}
