//! A fatal TLS alert without a rule of its own.

use crate::analysis::connection::Connection;
use crate::rules::Severity;
use crate::rules::classify_tls::{TlsFailureKind, failure_as};
use crate::rules::rule::{Check, Verdict, rule};
use crate::rules::wording::{not_yet, side, tell};
use crate::rules::wording_tls::called;
use crate::rules::wording_tls::hello;
use crate::rules::wording_tls::named;

rule! {
    /// # What happened
    ///
    /// One side ended the TLS handshake with a fatal alert. The alert names the reason, its sender is the side that did not
    /// like what it was sent. Where the keys hide it (TLS 1.3, after the server's hello), the record's length still says
    /// that it was an alert, and from whom.
    ///
    /// # Why it matters
    ///
    /// No request was sent on this connection. The application at the other end sees the alert as an error of its TLS
    /// library, and its sender usually logs more than it said.
    ///
    /// # Remedy
    ///
    /// - Look at the log of the alert's sender first: it knows what it refused.
    /// - `handshake_failure` (40): compare the cipher suites and curves of both sides, and whether the server wanted a
    ///   client certificate.
    /// - `unrecognized_name` (112): the server has no certificate for the name that was asked for; check the host name and
    ///   the server's virtual hosts.
    /// - `no_application_protocol` (120): compare the protocols offered (ALPN) with those of the server.
    /// - `internal_error` (80): the sender failed by itself; its log tells.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  ClientHello [sni=a] -->
    ///  0.030                     <--  alert 40
    ///  0.040  FIN                -->
    ///  0.050                     <--  FIN
    ///  0.060  ACK                -->
    ///  => findings tls-alert
    /// ```
    ///
    /// # Not this
    ///
    /// A `close_notify` is no failure, nor is any other warning that is followed by more:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  ClientHello [sni=a version=1.2] -->
    ///  0.030                     <--  ServerHello Certificate [name=a] ServerHelloDone
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
    /// An alert about the version has a rule of its own:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  ClientHello [sni=a] -->
    ///  0.030                     <--  alert 70
    ///  0.040  FIN                -->
    ///  0.050                     <--  FIN
    ///  0.060  ACK                -->
    ///  => findings tls-no-common-version
    /// ```
    ///
    /// # References
    ///
    /// RFC 8446 §6 (alert protocol), RFC 5246 §7.2.
    pub(super) RULE: "tls-alert", Severity::Error,
    "one side ended the TLS handshake with a fatal alert", Check::Connection(check)
}

fn check(connection: &Connection) -> Verdict {
    let Some(reading) = failure_as(connection, TlsFailureKind::Alert) else {
        return not_yet(connection);
    };
    let by = reading.by.map_or("one side", side);
    let (name, hint) = match reading.alert.and_then(|alert| alert.code()) {
        Some(code) => (called(code), about(code)),
        None => (
            "hidden by the keys".to_owned(),
            "At this point of a TLS 1.3 handshake it is nearly always about the server's certificate, which the keys hide as \
             well: with a key log both could be read.",
        ),
    };
    let asked = named(reading.facts);
    let message =
        format!("The {by} ended the TLS handshake{asked} with a fatal alert: {name}. {hint}");
    tell(
        &RULE,
        Severity::Error,
        reading.certainty,
        "TLS handshakes ended with a fatal alert",
        message,
    )
    .shows(hello(&reading), "ClientHello")
    .shows(Some(reading.at), format!("alert from the {by}: {name}"))
    .about(connection)
}

/// What the code means, and where to look.
const fn about(code: u8) -> &'static str {
    match code {
        40 => {
            "No set of parameters suits both: cipher suites, curves, signature algorithms, or a client certificate that was wanted."
        }
        48 => "The issuer of the certificate is not trusted there.",
        42..=46 => "It is about the certificate that the other side sent.",
        47 | 50 | 51 | 10 | 20 | 22 | 109 | 110 => {
            "The sender holds that the other side broke the protocol."
        }
        71 => "The sender wants stronger parameters than were offered.",
        80 => "The sender failed by itself.",
        112 => "The server does not know the name that was asked for.",
        120 => "None of the protocols that were offered (ALPN) is spoken there.",
        _ => "",
    }
}
