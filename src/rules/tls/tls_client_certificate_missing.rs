//! The server required a client certificate and got none.

use crate::analysis::connection::Connection;
use crate::protocol::tls::TlsVersion;
use crate::rules::Severity;
use crate::rules::classify_tls::{TlsFailureKind, failure_as};
use crate::rules::rule::{Check, Verdict, rule};
use crate::rules::statement::{Sentence, sentence};
use crate::rules::wording::{not_yet, tell};
use crate::rules::wording_tls::{asked_for, called, hello, sign, stays_broken};

rule! {
    /// # What happened
    ///
    /// The server asked the client for a certificate and got none. It then refused the client with an alert, or ended the
    /// connection at once. Up to TLS 1.2 the client's handshake fails. In TLS 1.3 the client already considers the handshake
    /// complete: its first read fails.
    ///
    /// # Why it matters
    ///
    /// No request was answered. Clients report `certificate required` or `handshake failure`. A client that cannot read its
    /// certificate, or whose issuer the server did not name, looks the same.
    ///
    /// # Remedy
    ///
    /// - Configure the client with its certificate and private key, and make sure that it can read both files.
    /// - Check that the certificate's issuer is among the authorities that the server accepts (`openssl s_client -connect HOST:PORT` lists them).
    /// - Or turn the demand off where no certificate was meant to be needed (`ssl_verify_client`, `SSLVerifyClient`,
    ///   `clientAuth`).
    ///
    /// # Tell it by
    ///
    /// The server sends a CertificateRequest, and the client's Certificate message is empty. An alert (40, 42 or 116) or a
    /// close follows.
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
    let late = reading.facts.version() >= Some(TlsVersion::TLS_13);
    let code = reading.alert.and_then(|alert| alert.code());
    let message = match code {
        Some(code) => sentence!(
            "The server asked for a client certificate and got none. The server refused the client with the alert {}.",
            called(code)
        ),
        None if late => Sentence::from(
            "The server ended the connection right after the client's part of the handshake, without a response.",
        ),
        None => Sentence::from(
            "The server asked for a client certificate and got none. Then it ended the connection without a byte of data.",
        ),
    };
    let why = match (code, late) {
        (Some(_), _) => None,
        (None, true) => Some(
            "The server had asked for a client certificate and got none. TLS 1.3 encrypts the demand and the answer.",
        ),
        (None, false) => Some("The server ended it because the certificate was missing."),
    };
    let when = late.then_some(
        "With TLS 1.3 the client's handshake succeeds all the same: the error shows at the client's first read.",
    );
    tell(
        &RULE,
        Severity::Error,
        reading.certainty,
        "[Client sent no certificate, and the server requires one|# connections lack a required client certificate]",
        message,
    )
    .presumes(why)
    .adds(asked_for(reading.facts))
    .adds(when)
    .means(Some(stays_broken(reading.facts)))
    .shows(hello(&reading), "ClientHello")
    .shows(reading.facts.leaf().map(|(at, _)| at), "the certificate")
    .shows(Some(reading.at), sign(&reading, connection))
    .about(connection)
}

#[cfg(test)]
mod tests {
    use crate::rules::ladder_check;

    const ASKED: &str = "SYN -->\n<-- SYN\nClientHello [sni=a version=1.2] -->\n\
                         <-- ServerHello Certificate [name=a] CertificateRequest ServerHelloDone\n\
                         Certificate [none] KeyExchange Finished -->\n";

    fn rules(text: &str) -> Vec<&'static str> {
        ladder_check::run(&format!("{ASKED}{text}").parse().expect("a ladder")).rules()
    }

    /// The server's Finished accepts a client without a certificate; who closes then, and why, is another matter.
    #[test]
    fn a_certificate_that_was_optional_is_not_missing() {
        for end in [
            "<-- Finished\nclose_notify FIN -->\n<-- close_notify FIN\nACK -->",
            "<-- Finished\napp 300 -->\nclose_notify FIN -->\n<-- close_notify FIN\nACK -->",
            "<-- Finished\n+60s <-- close_notify FIN\nclose_notify FIN -->\n<-- ACK",
        ] {
            assert!(!rules(end).contains(&super::RULE.name), "{end}");
        }
    }

    #[test]
    fn a_server_that_closes_at_once_refused_it() {
        assert_eq!(rules("<-- FIN\nFIN -->\n<-- ACK"), [super::RULE.name]);
        // Who closes first gives up; a server that closes much later has another reason.
        assert!(!rules("FIN -->\n<-- FIN\nACK -->").contains(&super::RULE.name));
        assert!(!rules("+60s <-- FIN\nFIN -->\n<-- ACK").contains(&super::RULE.name));
    }

    #[test]
    fn what_was_not_captured_refuses_nobody() {
        let text =
            "<~~ Finished\n+1ms <~~ app 900\napp 300 -->\nACK -->\n<-- FIN\nFIN -->\n<-- ACK";
        assert!(!rules(text).contains(&super::RULE.name));
    }
}
