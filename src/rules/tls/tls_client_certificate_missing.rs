//! The server required a client certificate and got none.

use crate::analysis::connection::Connection;
use crate::rules::Severity;
use crate::rules::classify_tls::{TlsFailureKind, failure_as};
use crate::rules::rule::{Check, Verdict, rule};
use crate::rules::wording::{not_yet, tell};
use crate::rules::wording_tls::hello;
use crate::rules::wording_tls::named;
use crate::rules::wording_tls::sign;

rule! {
    /// # What happened
    ///
    /// The server asked the client for a certificate, the client sent none, and the server ended the connection. In TLS 1.3
    /// the client takes the handshake for done by then: its first read fails, not its handshake.
    ///
    /// # Why it matters
    ///
    /// No request was answered. Clients say `certificate required` or `handshake failure`; a client with a certificate that
    /// it may not read, or of an issuer that the server did not name, looks the same.
    ///
    /// # Remedy
    ///
    /// - Give the client its certificate and the key to it, and the rights to read both.
    /// - Compare the authorities that the server names in its request with the issuer of the client's certificate.
    /// - If no certificate was meant to be needed, turn it off at the server (`ssl_verify_client`, `SSLVerifyClient`,
    ///   `clientAuth`).
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  ClientHello [sni=a version=1.2] -->
    ///  0.030                     <--  ServerHello Certificate [name=a] CertificateRequest ServerHelloDone
    ///  0.040  Certificate [none] KeyExchange Finished -->
    ///  0.050                     <--  alert 40 FIN
    ///  0.060  FIN                -->
    ///  0.070                     <--  ACK
    ///  => findings tls-client-certificate-missing
    /// ```
    ///
    /// # Not this
    ///
    /// A server that asks and goes on without takes it as optional:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  ClientHello [sni=a version=1.2] -->
    ///  0.030                     <--  ServerHello Certificate [name=a] CertificateRequest ServerHelloDone
    ///  0.040  Certificate [none] KeyExchange Finished -->
    ///  0.050                     <--  Finished
    ///  0.060  app 300            -->
    ///  0.070                     <--  app 900
    ///  0.080                     <--  close_notify FIN
    ///  0.090  FIN                -->
    ///  0.100                     <--  ACK
    ///  => findings none
    /// ```
    ///
    /// # References
    ///
    /// RFC 8446 §4.4.2 (an empty certificate), §6.2 (`certificate_required`); RFC 5246 §7.4.6.
    pub(super) RULE: "tls-client-certificate-missing", Severity::Error,
    "the server wanted a client certificate and got none", Check::Connection(check)
}

fn check(connection: &Connection) -> Verdict {
    let Some(reading) = failure_as(connection, TlsFailureKind::ClientCertificate) else {
        return not_yet(connection);
    };
    let asked = named(reading.facts);
    let how = match reading.alert.and_then(|alert| alert.code()) {
        Some(_) => "said so by its alert",
        None => "ended the connection",
    };
    let message = format!(
        "The server{asked} wanted a certificate of the client, the client had none, and the server {how}."
    );
    tell(
        &RULE,
        Severity::Error,
        reading.certainty,
        "the client had no certificate",
        message,
    )
    .shows(hello(&reading), "ClientHello")
    .shows(reading.facts.leaf().map(|(at, _)| at), "the certificate")
    .shows(Some(reading.at), sign(&reading, connection))
    .about(connection)
}
