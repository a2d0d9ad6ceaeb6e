//! A fatal TLS alert without a rule of its own.

use crate::analysis::connection::{Connection, Who};
use crate::protocol::tls::{ClientCertificate, alert_name};
use crate::rules::Severity;
use crate::rules::classify_tls::{TlsFailureKind, failure_as};
use crate::rules::rule::{Check, Verdict, rule};
use crate::rules::statement::{Sentence, sentence};
use crate::rules::wording::{not_yet, side, tell};
use crate::rules::wording_tls::{asked_for, called, hello};

rule! {
    /// # What happened
    ///
    /// One side ended the TLS handshake with a fatal alert. The alert names the reason; its sender is the side that objected.
    /// Where the alert is encrypted (TLS 1.3, after the ServerHello), the record's length still shows that it was one, and from
    /// whom.
    ///
    /// # Why it matters
    ///
    /// No request was sent on this connection. The application at the other end reports the alert as an error of its TLS
    /// library. The sender usually logs more than it sent.
    ///
    /// # Remedy
    ///
    /// - *If the alert was handshake_failure and the server sent the alert and the client sent no server name:* Let the client
    ///   send the name of the server (SNI).
    /// - *If the alert was handshake_failure:* Compare the cipher suites, curves and signature algorithms of both sides.
    /// - *If the alert was handshake_failure and the server had answered the ClientHello:* Look whether the server wanted a
    ///   client certificate.
    /// - *If the alert was insufficient_security:* Compare the cipher suites and key sizes that the server requires with those
    ///   that the client offers.
    /// - *If the alert was unrecognized_name and the client sent no server name:* Let the client connect by name,
    ///   and send it (SNI).
    /// - *If the alert was unrecognized_name and the client sent a server name:* Check the host name and the server's virtual hosts: none has a certificate for
    ///   the name that was asked for.
    /// - *If the alert was no_application_protocol:* Compare the protocols offered (ALPN) with those of the server.
    /// - *If the alert was bad_record_mac:* Capture at both ends, to see whether the bytes arrive as they were sent: a faulty
    ///   network card, its offloads or a middlebox may change them.
    /// - *If the alert was decrypt_error:* Check that private key and certificate of the side that received the alert belong
    ///   together.
    /// - *If the alert was access_denied:* Look into the access rules of the alert's sender for the certificate that was
    ///   presented.
    /// - *If the alert was unsupported_certificate:* Compare the kind of the certificate (RSA, ECDSA, its key usage) with what
    ///   the alert's sender accepts.
    /// - *If the alert was missing_extension:* Let the client send the extension that the server requires; most often it is
    ///   the server name, which old clients leave out.
    /// - *If the alert was encrypted and the client sent the alert:* Look in the client's log, or at the certificate
    ///   (`openssl s_client -connect HOST:PORT -servername NAME`): its dates, its names, its issuer.
    /// - *If the alert was encrypted and the client sent the alert:* Renew the certificate, correct its names, or let the
    ///   client trust its issuer, whichever is at fault.
    /// - *If the alert was not encrypted and the client sent the alert:* Look in the client's log at the time of the alert: it
    ///   knows what it refused.
    /// - *If the server sent the alert:* Look in the server's log at the time of the alert: it knows what it refused.
    /// - *If the alert was encrypted:* Or capture again with a key log (`--keylog FILE`): it shows the reason.
    ///
    /// # Tell it by
    ///
    /// A fatal alert (record type 21) comes before the close. Its sender is the side that refused, and its code is the
    /// reason.
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
    let (Some(by), Some(alert)) = (reading.by, reading.alert) else {
        return not_yet(connection);
    };
    let code = alert.code();
    let name = code.map_or_else(|| "encrypted".to_owned(), called);
    let message = match (by, alert.in_handshake) {
        (Who::Client, true) if code.is_none() => {
            "The client ended the TLS handshake with an encrypted alert.".into()
        }
        (Who::Server, true) if code.is_none() => {
            "The server ended the TLS handshake with an encrypted alert.".into()
        }
        (Who::Client, false) if code.is_none() => {
            "The client ended the TLS connection, whose handshake was complete, with an encrypted alert.".into()
        }
        (Who::Server, false) if code.is_none() => {
            "The server ended the TLS connection, whose handshake was complete, with an encrypted alert.".into()
        }
        (Who::Client, true) => {
            sentence!(
                "The client ended the TLS handshake with a fatal alert: {}.",
                &name
            )
        }
        (Who::Server, true) => {
            sentence!(
                "The server ended the TLS handshake with a fatal alert: {}.",
                &name
            )
        }
        (Who::Client, false) => sentence!(
            "The client ended the TLS connection, whose handshake was complete, with a fatal alert: {}.",
            &name
        ),
        (Who::Server, false) => sentence!(
            "The server ended the TLS connection, whose handshake was complete, with a fatal alert: {}.",
            &name
        ),
    };
    let summary = match (alert.in_handshake, code) {
        (true, Some(code)) => match alert_name(code) {
            Some(name) => sentence!(
                "[TLS handshake|# TLS handshakes] ended with the alert {} ({})",
                name,
                code
            ),
            None => sentence!(
                "[TLS handshake|# TLS handshakes] ended with the alert {}",
                code
            ),
        },
        (true, None) => {
            Sentence::from("[TLS handshake|# TLS handshakes] ended with an encrypted alert")
        }
        (false, None) => {
            Sentence::from("[TLS connection|# TLS connections] ended with an encrypted alert")
        }
        (false, Some(_)) => sentence!(
            "[TLS connection|# TLS connections] ended with the alert {}",
            &name
        ),
    };
    let facts = reading.facts;
    // A client that spoke again had an answer, which the snapshot length may have cut.
    let again = connection.turns.cut && connection.turns.taken[Who::Client as usize] > 1;
    let unasked =
        facts.answer.is_none() && facts.client_certificate == ClientCertificate::NotAsked && !again;
    let nameless = unasked && facts.sni().is_none() && code == Some(40) && by == Who::Server;
    let nameless =
        nameless.then_some("Or the server needs the server name (SNI): the client had sent none.");
    let hint = match code {
        // Before the server has chosen anything it has wanted no certificate.
        Some(40) if unasked => Some(Sentence::from(
            "No set of parameters suits both: cipher suites, curves or signature algorithms.",
        )),
        Some(112) if by == Who::Server && facts.hello.is_some() && facts.sni().is_none() => {
            Some(Sentence::from(
                "The server wants to know the name of the server (SNI), and the client had sent none.",
            ))
        }
        Some(code) => about_certificate(code, side(by.other()))
            .or_else(|| about(code, alert.in_handshake).map(Sentence::from)),
        None if by == Who::Client => Some(Sentence::from(
            "The client did not accept the server's certificate. A key log would show the reason.",
        )),
        None => Some(Sentence::from(
            "The server did not accept the client's certificate, or that it had sent none. A key log would show the reason.",
        )),
    };
    let telling = tell(&RULE, Severity::Error, reading.certainty, summary, message)
        .adds(asked_for(reading.facts));
    let telling = match code {
        None => telling.presumes(hint),
        Some(_) => telling.adds(hint),
    };
    telling
        .adds(nameless)
        .shows(hello(&reading), "ClientHello")
        .shows(
            Some(reading.at),
            format!("alert from the {}: {name}", side(by)),
        )
        .about(connection)
}

/// What the code says of the certificate of the side that did not send the alert (RFC 8446 §6.2, RFC 5246 §7.2.2).
fn about_certificate(code: u8, sender: &'static str) -> Option<Sentence> {
    Some(match code {
        42 => sentence!(
            "The certificate that the {} sent cannot be read, or its signature does not verify.",
            sender
        ),
        43 => sentence!(
            "The certificate that the {} sent is of a kind that the sender of the alert does not support.",
            sender
        ),
        44 => sentence!("The certificate that the {} sent was revoked.", sender),
        45 => sentence!(
            "The certificate that the {} sent has expired or is not valid yet.",
            sender
        ),
        46 => sentence!(
            "The certificate that the {} sent was not accepted, for a reason that the alert does not tell.",
            sender
        ),
        48 => sentence!(
            "The issuer of the certificate that the {} sent is not trusted by the sender of the alert.",
            sender
        ),
        _ => return None,
    })
}

/// What the code means otherwise. `in_handshake`: the handshake was not complete.
const fn about(code: u8, in_handshake: bool) -> Option<&'static str> {
    Some(match code {
        10 => "A message came out of turn: the two sides see the handshake differently.",
        20 | 21 if in_handshake => {
            "A record did not pass its integrity check: the two sides derived different keys, or bytes were changed on the way."
        }
        20 | 21 => {
            "A record did not pass its integrity check: bytes were changed on the way, or one side encrypts wrongly."
        }
        22 => "A record was longer than TLS allows. Bytes that are not TLS look like that.",
        40 => {
            "No set of parameters suits both: cipher suites, curves, signature algorithms, or a client certificate that was wanted."
        }
        47 => {
            "A field of a handshake message has a value that is not allowed, or that does not fit the others."
        }
        49 => "The certificate is valid, but the sender's access rules refuse it.",
        50 => {
            "A message could not be parsed: a length in it does not fit. OpenSSL says the same of a connection that ends early."
        }
        51 => {
            "A signature or a Finished message did not verify: the key does not belong to the certificate, or messages were changed."
        }
        71 => "The server requires stronger ciphers or keys than the client offers.",
        80 => "The sender itself failed; the alert blames nothing that was received.",
        109 => {
            "The ClientHello or its answer lacks an extension that the sender requires, such as the server name."
        }
        110 => "An extension came that was not asked for.",
        112 => "The server does not know the name that was asked for.",
        113 => "The OCSP response that was sent with the certificate is not valid.",
        115 => "The server does not know the identity of the pre-shared key.",
        116 => "The server requires a client certificate.",
        120 => "None of the protocols that were offered (ALPN) is spoken there.",
        121 => "The server requires an encrypted ClientHello.",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use crate::rules::ladder_check;

    const OPEN: &str = "SYN -->\n<-- SYN\nClientHello [sni=a version=1.2] -->\n";

    #[test]
    fn each_alert_is_told_with_its_meaning() {
        for (code, name, meaning) in [
            (20, "bad_record_mac (20)", "integrity check"),
            (21, "decryption_failed (21)", "integrity check"),
            (43, "unsupported_certificate (43)", "of a kind"),
            (47, "illegal_parameter (47)", "not allowed"),
            (49, "access_denied (49)", "access rules"),
            (50, "decode_error (50)", "parsed"),
            (51, "decrypt_error (51)", "did not verify"),
            (71, "insufficient_security (71)", "stronger"),
            (80, "internal_error (80)", "itself failed"),
            (109, "missing_extension (109)", "lacks an extension"),
        ] {
            let text = format!("{OPEN}<-- alert {code} FIN\nFIN -->\n<-- ACK");
            let told = ladder_check::told_by(&super::RULE, &text).expect("found");
            assert!(told.contains(name) && told.contains(meaning), "{told}");
            assert!(
                told.starts_with("The server ended the TLS handshake"),
                "{told}"
            );
        }
    }

    /// A client that goes on had the server's choice, though the capture has not.
    #[test]
    fn a_choice_that_was_cut_was_made() {
        let told = |flight: &str| {
            let text = format!("{OPEN}{flight}<-- alert 40 FIN\nFIN -->\n<-- ACK");
            ladder_check::told_by(&super::RULE, &text).expect("found")
        };
        let cut = told(
            "<-- ServerHello Certificate [name=a] ServerHelloDone [cut=30]\nKeyExchange -->\n",
        );
        assert!(
            cut.contains("or a client certificate that was wanted"),
            "{cut}"
        );
        let none = told("");
        assert!(none.contains("curves or signature algorithms"), "{none}");
    }

    #[test]
    fn a_name_that_was_not_sent_is_not_unknown() {
        let told = |hello: &str| {
            let text = format!(
                "SYN -->\n<-- SYN\nClientHello [{hello}] -->\n<-- alert 112 FIN\nFIN -->\n<-- ACK"
            );
            ladder_check::told_by(&super::RULE, &text).expect("found")
        };
        let named = told("sni=a version=1.2");
        assert!(named.contains("does not know the name"), "{named}");
        let nameless = told("version=1.2");
        assert!(nameless.contains("had sent none"), "{nameless}");
    }

    /// The reason is not on the wire: what to look at depends on who knows it.
    #[test]
    fn an_encrypted_alert_names_the_side_that_knows_the_reason() {
        let open = "SYN -->\n<-- SYN\nClientHello [sni=a] -->\n<-- ServerHello [version=1.3] Finished [version=1.3] app 800\n";
        for (alert, told, remedy) in [
            (
                "app 19 FIN -->\n<-- FIN\nACK -->",
                "The client ended the TLS handshake with an encrypted alert.",
                "Look in the client's log",
            ),
            (
                "<-- alert 40 FIN\nFIN -->\n<-- ACK",
                "The server ended the TLS handshake with a fatal alert: handshake_failure (40).",
                "Compare the cipher suites",
            ),
        ] {
            let found = ladder_check::found_by(&super::RULE, &format!("{open}{alert}"));
            let found = found.expect("found");
            assert!(found.message.contains(told), "{}", found.message);
            let first = found.remedies.first();
            assert!(
                first.is_some_and(|it| it.starts_with(remedy)),
                "{:?}",
                found.remedies
            );
        }
    }

    #[test]
    fn what_openssl_answers_to_a_fin_is_no_failure_of_the_client() {
        // A probe that connects and closes: no handshake was begun.
        let probe = "SYN -->\n<-- SYN\nACK -->\nFIN -->\n<-- alert 50 FIN\nRST [noack] -->";
        let proof = ladder_check::run(&probe.parse().expect("a ladder"));
        assert!(proof.rules().is_empty(), "{:?}", proof.rules());
    }
}
