//! The client rejected the server's certificate.

use crate::analysis::connection::Connection;
use crate::rules::Severity;
use crate::rules::classify_tls::{TlsFailureKind, failure_as};
use crate::rules::rule::{Check, Verdict, rule};
use crate::rules::wording::{not_yet, tell};
use crate::rules::wording_tls::describe;
use crate::rules::wording_tls::hello;
use crate::rules::wording_tls::named;
use crate::rules::wording_tls::sign;

rule! {
    /// # What happened
    ///
    /// The client refused the server's certificate: its alert says so (`unknown_ca`, `bad_certificate`,
    /// `certificate_unknown` and their like), or it left as soon as it had seen a certificate that vouches for itself.
    ///
    /// # Why it matters
    ///
    /// No request was sent. Clients report that the chain cannot be verified, that the issuer is unknown, or "Could not
    /// establish trust relationship for the SSL/TLS secure channel".
    ///
    /// # Remedy
    ///
    /// - Send the whole chain: the server's certificate and every intermediate one, without the root.
    /// - Where the authority is one's own, put it into the trust store of the program that fails: Java, Python, Node and
    ///   the system each have one.
    /// - Replace certificates that sign themselves; never turn verification off.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  ClientHello [sni=a version=1.2] -->
    ///  0.030                     <--  ServerHello Certificate [name=a self-signed] ServerHelloDone
    ///  0.040  alert 48           -->
    ///  0.041  FIN                -->
    ///  0.050                     <--  FIN
    ///  0.060  ACK                -->
    ///  => findings tls-certificate-rejected
    /// ```
    ///
    /// # Not this
    ///
    /// A client that goes on has accepted it, whoever signed it:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  ClientHello [sni=a version=1.2] -->
    ///  0.030                     <--  ServerHello Certificate [name=a self-signed] ServerHelloDone
    ///  0.040  KeyExchange Finished -->
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
    /// RFC 5246 §7.2.2 (alerts about certificates), §7.4.2 (the chain); RFC 5280 §6.
    pub(super) RULE: "tls-certificate-rejected", Severity::Error,
    "the client refused the server's certificate", Check::Connection(check)
}

fn check(connection: &Connection) -> Verdict {
    let Some(reading) = failure_as(connection, TlsFailureKind::Rejected) else {
        return not_yet(connection);
    };
    let asked = named(reading.facts);
    let what = describe(reading.facts);
    let why = match reading.alert.and_then(|alert| alert.code()) {
        Some(48) => "its issuer is not trusted there",
        Some(44) => "it was revoked",
        Some(43) => "its kind is not supported there",
        Some(_) => "the alert does not say why",
        None => "no alert says why, but nobody vouches for it but itself",
    };
    let message = format!("The client refused the certificate of the server{asked}: {why}.{what}");
    tell(
        &RULE,
        Severity::Error,
        reading.certainty,
        "clients refused the certificate",
        message,
    )
    .shows(hello(&reading), "ClientHello")
    .shows(reading.facts.leaf().map(|(at, _)| at), "the certificate")
    .shows(Some(reading.at), sign(&reading, connection))
    .about(connection)
}
