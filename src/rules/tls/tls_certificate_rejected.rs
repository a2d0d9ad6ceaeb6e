//! The client rejected the server's certificate.

use crate::analysis::connection::Connection;
use crate::knowledge::WireEvent;
use crate::protocol::tls::Alert;
use crate::rules::Severity;
use crate::rules::classify_tls::{TlsFailureKind, failure_as};
use crate::rules::log_errors::certificate_alert;
use crate::rules::rule::{Check, Verdict, rule};
use crate::rules::statement::{Sentence, sentence};
use crate::rules::wording::{not_yet, tell};
use crate::rules::wording_tls::{STAYS_BROKEN, adding, asked_for, describe, hello, sign};

rule! {
    /// # What happened
    ///
    /// The client refused the server's certificate. Its alert says so (`unknown_ca`, `bad_certificate`, `certificate_unknown`
    /// and similar), or it left as soon as it had received a self-signed certificate.
    ///
    /// # Why it matters
    ///
    /// No request was sent. Clients report that the chain cannot be verified, that the issuer is unknown, or "Could not
    /// establish trust relationship for the SSL/TLS secure channel".
    ///
    /// # Remedy
    ///
    /// - *If the issuer of the certificate was not sent and the alert may be about the issuer:* Let the server send its
    ///   certificate and every intermediate one, without the root (nginx `ssl_certificate`, HAProxy `crt`).
    /// - *If the certificate signs itself and the alert may be about the issuer:* Replace the certificate that signs itself by
    ///   one of an authority, or put it into the trust store of the program that fails; never turn verification off.
    /// - *If the certificate cannot be parsed:* Replace the certificate: its encoding (DER) is broken. `openssl x509 -in FILE
    ///   -text` must be able to read it.
    /// - *If the alert was certificate_revoked:* Renew the certificate: its authority has revoked it.
    /// - *If the alert is not about the issuer:* Compare the names, dates and usage of the certificate with the name that the
    ///   client calls and with the client's clock.
    /// - *If the certificate is not known to sign itself and the alert may be about the issuer:* Also, for a private CA, add its
    ///   root certificate to the trust store of the failing program. Java, Python, Node.js and the system each have one.
    /// - *If the certificate is hidden:* Capture with a key log to read the certificate, or look at it with `openssl s_client
    ///   -connect HOST:PORT -servername NAME -showcerts`.
    ///
    /// # Tell it by
    ///
    /// The client sends alert 42, 46 or 48, or closes, directly after the server's Certificate message.
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
    /// A client that goes on has accepted it:
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
    let message = match reading.alert.and_then(|alert| alert.code()) {
        Some(48) => {
            "The client refused the server's certificate: the client does not trust the issuer."
        }
        Some(44) => "The client refused the server's certificate: the certificate was revoked.",
        Some(43) => {
            "The client refused the server's certificate: the client does not support this kind."
        }
        Some(42) => "The client refused the server's certificate with bad_certificate.",
        Some(_) => "The client refused the server's certificate; the alert does not say why.",
        None => {
            "The client left without an alert after the server's certificate, which is self-signed."
        }
    };
    let telling = tell(
        &RULE,
        Severity::Error,
        reading.certainty,
        "Client refused the server's certificate[| on # connections]",
        message,
    )
    .adds(asked_for(reading.facts))
    .presumes(
        reading
            .alert
            .is_none()
            .then_some("The client does not trust that certificate."),
    )
    .adds(reading.alert.and_then(|alert| sent_for(connection, alert)))
    .means(Some(STAYS_BROKEN));
    adding(telling, describe(reading.facts))
        .shows(hello(&reading), "ClientHello")
        .shows(reading.facts.leaf().map(|(at, _)| at), "the certificate")
        .shows(Some(reading.at), sign(&reading, connection))
        .about(connection)
}

/// Faults that are listed: more are nearly all of them.
const MOST_WORDS: usize = 3;

/// For which faults the client's library sends this alert; that it may be any where the library is not known.
fn sent_for(connection: &Connection, alert: &Alert) -> Option<Sentence> {
    let code = alert.code().filter(|code| matches!(code, 42 | 46))?;
    let Some((library, causes)) = certificate_alert(connection, code) else {
        return Some("Some TLS libraries send that alert for any fault, others for a few.".into());
    };
    let mut words: Vec<&str> = causes.iter().filter_map(|it| fault(*it)).collect();
    words.dedup();
    let (last, others) = words.split_last()?;
    if words.len() > MOST_WORDS {
        return Some(sentence!(
            "The client's TLS library, {}, sends that alert for any fault.",
            library
        ));
    }
    let list = match others {
        [] => (*last).to_owned(),
        others => format!("{} or {last}", others.join(", ")),
    };
    Some(sentence!(
        "The client's TLS library, {}, sends that alert for {}.",
        library,
        list
    ))
}

/// A fault of a certificate, in words.
const fn fault(event: WireEvent) -> Option<&'static str> {
    Some(match event {
        WireEvent::TlsCertUntrusted | WireEvent::TlsIssuerUnknown => {
            "an issuer that is not trusted"
        }
        WireEvent::TlsCertNameMismatch | WireEvent::TlsCertOtherAddress => "another name",
        WireEvent::TlsCertExpired => "a date in the past",
        WireEvent::TlsCertNotYetValid => "a date in the future",
        WireEvent::TlsCertWrongPurpose => "a certificate that is not one of a server",
        _ => return None,
    })
}

/// Certificates are only parsed in builds with this feature.
#[cfg(feature = "decrypt")]
#[cfg(test)]
mod tests {
    use crate::rules::ladder_check;

    #[test]
    fn a_missing_issuer_is_not_a_certificate_that_signs_itself() {
        let found = |certificate: &str| {
            let text = format!(
                "SYN -->\n<-- SYN\nClientHello [sni=a version=1.2] -->\n\
                 <-- ServerHello Certificate [{certificate}] ServerHelloDone\nalert 48 FIN -->\n<-- FIN\nACK -->"
            );
            ladder_check::found_by(&super::RULE, &text).expect("found")
        };
        let own = found("name=a self-signed");
        assert!(own.message.contains("self-signed"), "{}", own.message);
        assert!(
            own.remedies[0].contains("signs itself"),
            "{:?}",
            own.remedies
        );
        let alone = found("name=a");
        assert!(
            alone.message.contains("did not send the issuer"),
            "{}",
            alone.message
        );
        assert!(
            alone.remedies[0].contains("every intermediate one"),
            "{:?}",
            alone.remedies
        );
        assert!(!alone.remedies.iter().any(|it| it.contains("signs itself")));
    }
}
