//! Wording shared by the TLS rules: names, alerts, and what the encrypted part of a handshake allows to conclude.

use super::Severity;
use super::classify_tls::{TlsFailure, failure, is_unanswered, sent_close_notify};
use super::rule::{Rule, Verdict};
use super::wording::{not_yet, side, tell};
use crate::analysis::connection::{Connection, How};
use crate::base::certainty::Certainty;
use crate::base::escape::escape;
use crate::base::format::duration;
use crate::base::frame_ref::FrameRef;
use crate::protocol::tls::{Alert, HandshakeStage, TlsFacts};

/// The frame that completed the ClientHello.
pub(super) fn hello(reading: &TlsFailure<'_>) -> Option<FrameRef> {
    reading.facts.hello.as_ref().map(|(at, _)| *at)
}

/// " for a.example", or empty without SNI.
pub(super) fn named(facts: &TlsFacts) -> String {
    match facts.sni() {
        Some(name) => format!(" for {}", escape(name.as_bytes())),
        None => String::new(),
    }
}

/// An alert's name and code.
pub(super) fn called(code: u8) -> String {
    match crate::protocol::tls::alert_name(code) {
        Some(name) => format!("{name} ({code})"),
        None => format!("code {code}"),
    }
}

/// What ended the handshake.
pub(super) fn sign(reading: &TlsFailure<'_>, connection: &Connection) -> String {
    let by = reading.by.map_or("one side", side);
    match reading.alert.map(Alert::code) {
        Some(Some(code)) => format!("alert from the {by}: {}", called(code)),
        Some(None) => format!("an alert from the {by}, hidden"),
        None if reading.facts.stage >= HandshakeStage::Complete => {
            format!("the {by} ends the connection")
        }
        None => match connection.teardown.how {
            How::Fin => format!("FIN from the {by}, without an alert"),
            _ => format!("RST from the {by}, without an alert"),
        },
    }
}

/// Names listed of a certificate.
const MAX_TOLD: usize = 4;

/// Names and issuer of the certificate, as sentences to append.
pub(super) fn describe(facts: &TlsFacts) -> String {
    let Some((_, leaf)) = facts.leaf() else {
        return String::new();
    };
    let names: Vec<String> = leaf
        .names
        .iter()
        .map(|name| escape(name.as_bytes()).into_owned())
        .chain(leaf.addresses.iter().map(ToString::to_string))
        .collect();
    let mut told = names
        .iter()
        .take(MAX_TOLD)
        .cloned()
        .collect::<Vec<_>>()
        .join(", ");
    if names.len() > MAX_TOLD {
        told.push_str(&format!(" and {} more", names.len() - MAX_TOLD));
    }
    let issuer = if leaf.self_issued {
        "itself".to_owned()
    } else {
        escape(leaf.issuer.as_bytes()).into_owned()
    };
    let chain = facts
        .certificates
        .as_ref()
        .map_or(0, |(_, chain)| chain.len());
    let sent = match chain {
        1 if !leaf.self_issued => " It was sent alone, without those that vouch for it.",
        _ => "",
    };
    format!(" The certificate is for {told}, issued by {issuer}.{sent}")
}

/// The server ended the connection with a request inside TLS unanswered: the TLS case of a rule for plain HTTP.
pub(super) fn hidden_request(rule: &'static Rule, connection: &Connection, what: &str) -> Verdict {
    let Some(facts) = connection
        .tls
        .as_deref()
        .filter(|_| is_unanswered(connection) && failure(connection).is_none())
    else {
        return not_yet(connection);
    };
    let asked = facts.flows[facts.caller.index()].last.unwrap_or_default();
    let close = FrameRef {
        frame: connection.teardown.frame,
        time: connection.teardown.at,
    };
    let waited = duration(close.time.since(asked.time));
    let notify = if sent_close_notify(facts, facts.caller.other()) {
        " It said close_notify before."
    } else {
        ""
    };
    let message = format!(
        "Inside TLS the last word was the client's{}: the server {what} {waited} after it, without a record of an answer.{notify} \
         What was asked is hidden; with a key log it could be told.",
        named(facts)
    );
    let certainty = if connection.sent.iter().any(|sent| sent.missing > 0) {
        Certainty::Possible
    } else {
        Certainty::Likely
    };
    tell(
        rule,
        Severity::Error,
        certainty,
        "requests inside TLS were not answered",
        message,
    )
    .shows(Some(asked), "the last application data from the client")
    .shows(Some(close), format!("the server {what}"))
    .about(connection)
}
