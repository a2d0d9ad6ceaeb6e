//! The certificate is for another name.

use crate::analysis::connection::Connection;
use crate::base::certainty::Certainty;
use crate::base::escape::shortened;
use crate::protocol::tls::HandshakeStage;
use crate::rules::Severity;
use crate::rules::classify_tls::{TlsFailureKind, failure_as};
use crate::rules::rule::{Check, Verdict, rule};
use crate::rules::statement::sentence;
use crate::rules::wording::{not_yet, tell};
use crate::rules::wording_tls::{STAYS_BROKEN, adding, describe, hello, sign};

rule! {
    /// # What happened
    ///
    /// The client asked for one name, and the server sent a certificate for others. The client ended the handshake, or left
    /// right after it, as programs do that compare names themselves (curl). A client that connects to an address sends no name,
    /// and expects that address in the certificate. In TLS 1.3 the certificate is encrypted; a key log makes it readable.
    ///
    /// # Why it matters
    ///
    /// No request was sent. Clients report "no alternative certificate subject name matches", `ERR_TLS_CERT_ALTNAME_INVALID`,
    /// `ERR_CERT_COMMON_NAME_INVALID`, or that the remote name does not match.
    ///
    /// # Remedy
    ///
    /// - *If the client sent no server name:* Let the client call the server by a name that is in the certificate; an address
    ///   is one only if the certificate holds it as an address.
    /// - *If the client sent a server name:* Let the client ask for a name that is in the certificate, or get a certificate
    ///   that has the name among its alternative names; the common name does not count any more.
    /// - *If the client sent a server name:* Where one address serves several names, check that the server chooses by SNI and
    ///   what it sends to a name it does not know.
    ///
    /// # Tell it by
    ///
    /// The client leaves after the server's Certificate message. The name in the ClientHello (SNI) is not among the
    /// certificate's names.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  ClientHello [sni=b.example version=1.2] -->
    ///  0.030                     <--  ServerHello Certificate [name=a.example] ServerHelloDone
    ///  0.040  alert 46           -->
    ///  0.041  FIN                -->
    ///  0.050                     <--  FIN
    ///  0.060  ACK                -->
    ///  => findings tls-name-mismatch
    /// ```
    ///
    /// A client that looks at the name only when the handshake is over, likely:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  ClientHello [sni=b.example version=1.2] -->
    ///  0.030                     <--  ServerHello Certificate [name=a.example] ServerHelloDone
    ///  0.040  KeyExchange Finished -->
    ///  0.050                     <--  Finished
    ///  0.051  close_notify FIN   -->
    ///  0.061                     <--  FIN
    ///  0.071  ACK                -->
    ///  => findings tls-name-mismatch
    /// ```
    ///
    /// # Not this
    ///
    /// One that leaves without a word may be a probe:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  ClientHello [sni=b.example version=1.2] -->
    ///  0.030                     <--  ServerHello Certificate [name=a.example] ServerHelloDone
    ///  0.040  KeyExchange Finished -->
    ///  0.050                     <--  Finished
    ///  0.051  FIN                -->
    ///  0.061                     <--  FIN
    ///  0.071  ACK                -->
    ///  => findings tls-handshake-cut
    /// ```
    ///
    /// A name that a wildcard covers:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  ClientHello [sni=b.example version=1.2] -->
    ///  0.030                     <--  ServerHello Certificate [name=*.example] ServerHelloDone
    ///  0.040  alert 46           -->
    ///  0.041  FIN                -->
    ///  0.050                     <--  FIN
    ///  0.060  ACK                -->
    ///  => findings tls-certificate-rejected
    /// ```
    ///
    /// # References
    ///
    /// RFC 6125 §6.4 (matching names), RFC 6066 §3 (server name indication).
    pub(super) RULE: "tls-name-mismatch", Severity::Error,
    "the certificate is not for the name that the client asked for", Check::Connection(check)
}

fn check(connection: &Connection) -> Verdict {
    let Some(reading) = failure_as(connection, TlsFailureKind::Name) else {
        return not_yet(connection);
    };
    let message = match reading.facts.sni() {
        Some(name) => sentence!(
            "The client asked for {}, and the server's certificate is for another name.",
            shortened(name.as_bytes(), 80)
        ),
        None => sentence!(
            "The client sent no server name, because it called the address {}, and the certificate is not for that address.",
            connection.server.ip
        ),
    };
    let left = match reading.stage {
        HandshakeStage::Complete => Some(
            "The client closed right after the handshake and sent no request. Its last alert is encrypted.",
        ),
        _ => None,
    };
    let telling = tell(
        &RULE,
        Severity::Error,
        reading.certainty,
        "Certificate is for another name",
        message,
    );
    adding(telling, describe(reading.facts))
        .adds(left)
        .presumes(
            (reading.certainty != Certainty::Certain)
                .then_some("The client refused the certificate because of the name."),
        )
        .means(Some(STAYS_BROKEN))
        .shows(hello(&reading), "ClientHello")
        .shows(reading.facts.leaf().map(|(at, _)| at), "the certificate")
        .shows(Some(reading.at), sign(&reading, connection))
        .about(connection)
}

#[cfg(test)]
mod tests {
    use crate::rules::ladder_check::told_by;

    /// The SETTINGS of HTTP/2 come before any request, and answer none.
    #[test]
    fn settings_of_the_server_hide_no_refusal() {
        let told = |alpn: &str| {
            let open =
                "SYN -->\n<-- SYN\nClientHello [sni=b.example version=1.2 alpn=h2,http/1.1] -->\n";
            let text = format!(
                "{open}<-- ServerHello [alpn={alpn}] Certificate [name=a.example] ServerHelloDone\n\
                 KeyExchange Finished -->\n<-- Finished app 64\nclose_notify FIN -->\n<-- FIN\nACK -->"
            );
            told_by(&super::RULE, &text)
        };
        assert!(told("h2").is_some());
        assert_eq!(told("http/1.1"), None, "what was sent may be an answer");
    }
}
