//! Requests that a server of HTTP refused by a status, where clients fail for it.
//!
//! In: the record of one connection. Out: the last such exchange, its status and why, for the rule and for its remedies. What a
//! status says of the server's own fault is none of these.

use crate::analysis::connection::{Author, Connection, author, is_refused_early};
use crate::protocol::dialogue::{Complaint, DialogueFacts, is_login};
use crate::protocol::http::{Exchange, FieldName};

/// Why HTTP's status is the end of what the client wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// 413, 414 or 431: what is too large.
    Size(&'static str),
    /// The client asked for a WebSocket.
    WebSocket,
    /// The client showed no certificate, or none that is accepted.
    Certificate,
    /// Not all of the request had come.
    Early,
}

/// The last request that was refused.
pub(super) fn refused(connection: &Connection) -> Option<(&Exchange, u16, Refusal)> {
    connection.exchanges.iter().rev().find_map(|exchange| {
        let status = exchange.status().filter(|_| !exchange.is_proxied())?;
        let websocket = || {
            let asked = exchange.request_fields(FieldName::Upgrade);
            let mut asked = asked.map(|it| it.value.as_bytes());
            asked.any(|it| it.eq_ignore_ascii_case(b"websocket"))
        };
        let refusal = match status {
            // Credentials come with the next request; a gateway's errors have rules of their own.
            401 | 407 | 101 | 500.. => return None,
            413 => Refusal::Size("its body"),
            414 => Refusal::Size("its target"),
            431 => Refusal::Size("its head"),
            _ if exchange.wants_certificate() => Refusal::Certificate,
            _ if websocket() => Refusal::WebSocket,
            _ if is_refused_early(connection, exchange) => Refusal::Early,
            _ => return None,
        };
        Some((exchange, status, refusal))
    })
}

/// Whether the server refused the user or the password of a login: by the code that has no other meaning in its protocol, or by
/// the text. A login that is refused for where it came from, or for lack of TLS, is none.
pub(super) fn are_credentials(connection: &Connection, complaint: &Complaint) -> bool {
    const WORDS: [&[u8]; 8] = [
        b"password",
        b"login incorrect",
        b"login was refused",
        b"authentication failed",
        // IMAP (RFC 5530 §3).
        b"[authenticationfailed]",
        b"invalidcredentials",
        b"wrongpass",
        b"logon_failure",
    ];
    let facts = connection.dialogue.as_deref();
    let refused = facts.and_then(DialogueFacts::refused_request);
    let asked = refused.and_then(|it| it.rare.as_ref()?.asked.as_ref());
    let login = asked.is_some_and(is_login);
    // PostgreSQL: invalid_password. MySQL: ER_ACCESS_DENIED_ERROR. SMTP: RFC 4954 §6.
    let code = complaint.code_bytes().split(|byte| *byte == b' ').next();
    let by_code = matches!(code, Some(b"28P01" | b"1045" | b"535"));
    let text = complaint.text.as_bytes().to_ascii_lowercase();
    let mut words = WORDS.iter();
    login && (by_code || words.any(|it| memchr::memmem::find(&text, it).is_some()))
}

/// Whether the server refused the user or the password of a login.
pub(super) fn were_credentials_refused(connection: &Connection) -> bool {
    let facts = connection.dialogue.as_deref();
    let complaint = facts.and_then(|it| it.complaint.as_ref());
    complaint.is_some_and(|it| are_credentials(connection, it))
}

/// Whether a limit of a gateway itself refused the request, as its own page says: nothing behind it was asked.
pub(super) fn is_gateway_limit(exchange: &Exchange) -> bool {
    let limits = |meaning: &str| meaning.starts_with("a limit of its own");
    !exchange.is_proxied()
        && matches!(author(exchange), Author::Gateway(_, meaning) if limits(meaning))
}

/// Whether the server refused a request with this status.
pub(super) fn was_refused_with(connection: &Connection, status: &str) -> bool {
    refused(connection).is_some_and(|(_, own, _)| status.parse() == Ok(own))
}

/// Whether the server refused to open a WebSocket.
pub(super) fn was_websocket_refused(connection: &Connection) -> bool {
    refused(connection).is_some_and(|(.., it)| it == Refusal::WebSocket)
}

/// Whether the server refused a request for the client's certificate, or for the lack of one.
pub(super) fn was_certificate_wanted(connection: &Connection) -> bool {
    refused(connection).is_some_and(|(.., it)| it == Refusal::Certificate)
}

/// Whether the server refused a request before all of it had come, for another reason than its size.
pub(super) fn was_upload_refused(connection: &Connection) -> bool {
    refused(connection).is_some_and(|(.., it)| it == Refusal::Early)
}
