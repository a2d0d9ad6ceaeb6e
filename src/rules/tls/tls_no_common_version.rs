//! No protocol version that both sides support.

use crate::analysis::connection::{Connection, Who};
use crate::rules::Severity;
use crate::rules::classify_tls::{TlsFailureKind, failure_as};
use crate::rules::remedy_conditions::offers_draft;
use crate::rules::rule::{Check, Verdict, rule};
use crate::rules::statement::sentence;
use crate::rules::wording::{not_yet, tell};
use crate::rules::wording_tls::{STAYS_BROKEN, asked_for, hello, sign};

rule! {
    /// # What happened
    ///
    /// One side ended the handshake with the alert `protocol_version`: it does not support the versions that the client
    /// offered, or the one that the server chose. Or the server sent `inappropriate_fallback`: the client had fallen back to an
    /// older version than both support.
    ///
    /// # Why it matters
    ///
    /// No request was sent. It happens to old clients at hardened servers (TLS 1.0 and 1.1 disabled), and to new clients at old
    /// devices.
    ///
    /// # Remedy
    ///
    /// - *If the alert was inappropriate_fallback:* Find out why the client's first attempt failed, in the connection before
    ///   this one: it retries with an older version after any failure.
    /// - *If the alert was protocol_version and the client had fallen back:* Find out why the client's first attempt failed, in
    ///   the connection before this one: there it offered a newer version.
    /// - *If the alert was protocol_version and a draft was offered:* Update client and server to the final TLS 1.3 (RFC 8446).
    ///   Each draft is a protocol of its own, which only the same draft understands.
    /// - *If the alert was protocol_version and TLS 1.3 was offered and the server sent the alert:* Look at the server, or at
    ///   the device that answers for it: there is no newer version to offer. It may take only versions older than those
    ///   offered, or misread the ClientHello.
    /// - *If the alert was protocol_version and the client had not fallen back and only older versions were offered and the
    ///   server sent the alert:* Let the client offer a newer version: .NET Framework below 4.7 needs
    ///   `ServicePointManager.SecurityProtocol` or `SchUseStrongCrypto`, Java 7 `https.protocols`, old OpenSSL an update.
    /// - *If the alert was protocol_version and the client had not fallen back and only older versions were offered and the
    ///   server sent the alert:* Or, where the client cannot be changed, allow its version at the server or at a proxy before
    ///   it, knowingly.
    /// - *If the alert was protocol_version and the client sent the alert:* Update the server, or turn its newer versions on;
    ///   where that cannot be, allow its version at the client, knowingly.
    ///
    /// # Tell it by
    ///
    /// The alert is 70 (`protocol_version`) or 86, and it comes directly after the ClientHello or the ServerHello.
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
    "client and server have no TLS version in common", Check::Connection(check)
}

fn check(connection: &Connection) -> Verdict {
    let Some(reading) = failure_as(connection, TlsFailureKind::Version) else {
        return not_yet(connection);
    };
    let offered = reading.facts.hello.as_ref().map(|(_, hello)| {
        let versions: Vec<_> = hello.versions.iter().map(ToString::to_string).collect();
        versions.join(", ")
    });
    let offered = offered.filter(|list| !list.is_empty());
    let fallback = reading.alert.and_then(|alert| alert.code()) == Some(FALLBACK);
    let hello_says = reading.facts.hello.as_ref();
    let fell_back = hello_says.is_some_and(|(_, hello)| hello.is_fallback());
    let (summary, message) = match (fallback, reading.by) {
        (true, _) => (
            "Client fell back to an older TLS version",
            "The server refused a second attempt of the client with an older TLS version (alert inappropriate_fallback): it \
             supports a newer one, so the first attempt failed for another reason.",
        ),
        (false, by) if fell_back && by != Some(Who::Client) => (
            "Client fell back to a TLS version that the server refuses",
            "The server ended the TLS handshake with the alert protocol_version: it takes none of the versions that the \
             client offered. The ClientHello says that it is a fallback (`TLS_FALLBACK_SCSV`): the client supports a newer \
             version, and offers an older one after an attempt that failed.",
        ),
        (false, Some(Who::Client)) => (
            "Client and server have no TLS version in common",
            "The client ended the TLS handshake with the alert protocol_version: it does not take the version that the server \
             chose.",
        ),
        (false, _) => (
            "Client and server have no TLS version in common",
            "The server ended the TLS handshake with the alert protocol_version: it takes none of the versions that the \
             client offered.",
        ),
    };
    let chosen = reading.facts.version().map(|version| version.to_string());
    tell(&RULE, Severity::Error, reading.certainty, summary, message)
        .adds(asked_for(reading.facts))
        .means(Some(match fell_back {
            true => "No request was sent. Why the attempt before it failed decides whether a retry helps.",
            false => STAYS_BROKEN,
        }))
        .adds(offered.map(|list| sentence!("The client offered {}.", list)))
        .adds(offers_draft(connection).then_some("A draft of TLS 1.3 is another version than TLS 1.3."))
        .adds(chosen.map(|version| sentence!("The server chose {}.", version)))
        .shows(hello(&reading), "ClientHello")
        .shows(reading.facts.leaf().map(|(at, _)| at), "the certificate")
        .shows(Some(reading.at), sign(&reading, connection))
        .about(connection)
}

/// `inappropriate_fallback` (RFC 7507 §4).
const FALLBACK: u8 = 86;

#[cfg(test)]
mod tests {
    use crate::rules::ladder_check;

    #[test]
    fn a_fallback_is_told_as_one() {
        let text = "SYN -->\n<-- SYN\nClientHello [sni=a version=1.1] -->\n<-- alert 86 FIN\nFIN -->\n<-- ACK";
        let found = ladder_check::found_by(&super::RULE, text).expect("found");
        assert!(
            found.message.contains("inappropriate_fallback"),
            "{}",
            found.message
        );
        assert!(
            !found.message.contains("protocol_version"),
            "{}",
            found.message
        );
        assert!(
            found.remedies[0].contains("first attempt"),
            "{:?}",
            found.remedies
        );
    }

    #[test]
    fn drafts_are_told_as_versions_of_their_own() {
        let hello = "\"\\x16\\x03\\x01\\x00\\x38\\x01\\x00\\x00\\x34\\x03\\x03abcdefghijklmnopqrstuvwxyz012345\\x00\\x00\\x02\\x13\\x01\\x01\\x00\\x00\\x09\\x00\\x2b\\x00\\x05\\x04\\x7f\\x10\\x03\\x03\" -->";
        let text = format!("SYN -->\n<-- SYN\n{hello}\n<-- alert 70 FIN\nFIN -->\n<-- ACK");
        let found = ladder_check::found_by(&super::RULE, &text).expect("found");
        assert!(
            found.message.contains("TLS 1.3 draft 16, TLS 1.2"),
            "{}",
            found.message
        );
        assert!(found.remedies[0].contains("final"), "{:?}", found.remedies);
    }

    #[test]
    fn a_client_that_says_that_it_fell_back_supports_more() {
        let found = |cipher: &str| {
            let text = format!(
                "SYN -->\n<-- SYN\nClientHello [sni=a version=1.0 {cipher}] -->\n<-- alert 70 FIN\nFIN -->\n<-- ACK"
            );
            ladder_check::found_by(&super::RULE, &text).expect("found")
        };
        let told = found("fallback");
        assert!(told.message.contains("a newer version"), "{}", told.message);
        assert!(!told.message.contains("same way"), "{}", told.message);
        assert!(
            told.remedies[0].contains("first attempt"),
            "{:?}",
            told.remedies
        );
        assert!(found("").message.contains("same way"));
    }
}
