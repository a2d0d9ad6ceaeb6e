//! No protocol version that both sides support.

use crate::analysis::connection::Connection;
use crate::rules::Severity;
use crate::rules::classify_tls::{TlsFailureKind, failure_as};
use crate::rules::rule::{Check, Verdict, rule};
use crate::rules::wording::{not_yet, side, tell};
use crate::rules::wording_tls::hello;
use crate::rules::wording_tls::named;
use crate::rules::wording_tls::sign;

rule! {
    /// # What happened
    ///
    /// One side ended the handshake with the alert `protocol_version`: the versions that the client offered, or the one
    /// that the server chose, are not spoken at the other end.
    ///
    /// # Why it matters
    ///
    /// No request was sent. It befalls old clients at servers that were tightened (TLS 1.0 and 1.1 turned off), and new
    /// clients at old devices.
    ///
    /// # Remedy
    ///
    /// - Let the client offer a newer version: .NET Framework below 4.7 needs `ServicePointManager.SecurityProtocol` or
    ///   `SchUseStrongCrypto`, Java 7 `https.protocols`, old OpenSSL an update.
    /// - Or, where the client cannot be changed, allow its version at the server or at a proxy before it, knowingly.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  ClientHello [sni=a version=1.0] -->
    ///  0.030                     <--  alert 70 FIN
    ///  0.040  FIN                -->
    ///  0.050                     <--  ACK
    ///  => findings tls-no-common-version
    /// ```
    ///
    /// # Not this
    ///
    /// Another alert:
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
    /// # References
    ///
    /// RFC 8446 §4.2.1 (supported versions), §6.2; RFC 8996 (TLS 1.0 and 1.1 are deprecated).
    pub(super) RULE: "tls-no-common-version", Severity::Error,
    "no TLS version is spoken by both sides", Check::Connection(check)
}

fn check(connection: &Connection) -> Verdict {
    let Some(reading) = failure_as(connection, TlsFailureKind::Version) else {
        return not_yet(connection);
    };
    let asked = named(reading.facts);
    let offered = reading.facts.hello.as_ref().map(|(_, hello)| {
        let versions: Vec<_> = hello.versions.iter().map(ToString::to_string).collect();
        versions.join(", ")
    });
    let offered = match offered.as_deref() {
        Some("") | None => String::new(),
        Some(list) => format!(" The client offered {list}."),
    };
    let by = reading.by.map_or("one side", side);
    let message = format!(
        "The {by} ended the TLS handshake{asked} with the alert protocol_version.{offered}"
    );
    tell(
        &RULE,
        Severity::Error,
        reading.certainty,
        "no TLS version is spoken by both sides",
        message,
    )
    .shows(hello(&reading), "ClientHello")
    .shows(reading.facts.leaf().map(|(at, _)| at), "the certificate")
    .shows(Some(reading.at), sign(&reading, connection))
    .about(connection)
}
