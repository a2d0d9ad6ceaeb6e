//! Classifies a failed TLS handshake: which side failed it, and by which sign.
//!
//! In: the record of one connection. Out: a [`TlsFailureKind`], the one classification that fits best. As with other
//! endings, several rules look at the same event, and this keeps them from reporting it twice.

use std::time::Duration;

use crate::analysis::connection::tls_close::refused_without_certificate;
pub(super) use crate::analysis::connection::tls_close::{
    cut_while_sending, ended_unanswered, gave_up, is_unanswered, reset_while_idle, response_cut,
    stage_at_close,
};
use crate::analysis::connection::{By, Connection, How, Opening, Who};
use crate::base::certainty::Certainty;
use crate::base::flow_end::FlowEnd;
use crate::base::frame_ref::FrameRef;
use crate::protocol::tls::{
    Alert, CertificateFlaw, ClientCertificate, CloseNotify, HandshakeStage, TlsFacts,
};

/// The classes of TLS failures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TlsFailureKind {
    /// One side speaks TLS and the other does not.
    Plaintext,
    /// The server required a client certificate, and got none.
    ClientCertificate,
    /// No protocol version in common.
    Version,
    /// The certificate is for another name.
    Name,
    /// The certificate is outside its validity period.
    Date,
    /// The certificate was rejected for another reason.
    Rejected,
    /// Another fatal alert.
    Alert,
    /// The connection ended within the handshake without an alert.
    Cut,
    /// The client closed as soon as the handshake was complete.
    LeftAfterHandshake,
}

/// A TLS failure and its evidence.
pub(super) struct TlsFailure<'a> {
    pub(super) failure: TlsFailureKind,
    pub(super) facts: &'a TlsFacts,
    /// The side that failed the handshake: the sender of the alert, or the closer.
    pub(super) by: Option<Who>,
    pub(super) at: FrameRef,
    /// How far the handshake had come by then.
    pub(super) stage: HandshakeStage,
    pub(super) alert: Option<&'a Alert>,
    pub(super) certainty: Certainty,
}

/// Time within which a client that verifies the server after the handshake closes.
const AT_ONCE: Duration = Duration::from_millis(50);

/// The classification of the handshake's failure; `None` if it did not fail or nothing can be concluded.
pub(super) fn failure(connection: &Connection) -> Option<TlsFailure<'_>> {
    let facts = connection.tls.as_deref()?;
    // If only one direction was captured, nothing is known about the missing messages of the other.
    if connection.sent.iter().any(|sent| sent.packets == 0) {
        return None;
    }
    // A client that never spoke has not begun a handshake; an alert can be what the server says to its FIN.
    let own = connection.sent[Who::of(facts.caller) as usize];
    if facts.hello.is_none() && own.bytes == 0 && own.missing == 0 {
        return None;
    }
    let closed = !matches!(connection.teardown.how, How::Open | How::Silence);
    let close = connection.teardown.frame_ref();
    let closer = match connection.teardown.by {
        By::Client => Some(Who::Client),
        By::Server => Some(Who::Server),
        By::Both | By::Middlebox | By::Nobody => None,
    };
    let missing = connection.sent.iter().any(|sent| sent.missing > 0);
    let limit = |certainty| {
        if missing {
            Certainty::Possible
        } else {
            certainty
        }
    };
    let reading = |failure, by, at, alert, certainty| {
        Some(TlsFailure {
            failure,
            facts,
            by,
            at,
            stage: match at == close {
                true => stage_at_close(connection, facts),
                false => facts.stage_at(at),
            },
            alert,
            certainty,
        })
    };
    if let (Some(plain), Some(_)) = (facts.plain, &facts.hello)
        && facts.stage <= HandshakeStage::ClientHello
    {
        let at = connection.last_data[plain.index()];
        return reading(
            TlsFailureKind::Plaintext,
            Some(Who::of(plain)),
            at,
            None,
            Certainty::Certain,
        );
    }
    // An alert in response to a close is not its cause.
    let too_late = |alert: &Alert| closer == Some(Who::of(alert.from.other())) && close < alert.at;
    // A record as long as an alert stands in the place of a Finished only if all before it is known.
    let unsure = |alert: &Alert| {
        alert.code().is_none() && connection.sent[Who::of(alert.from) as usize].missing > 0
    };
    let counts =
        |alert: &&Alert| (alert.in_handshake || alert.code().is_some()) && !too_late(alert);
    if let Some(alert) = facts.fatal().filter(counts).filter(|it| !unsure(it)) {
        let (failure, certainty) = by_alert(connection, facts, alert);
        let by = Some(Who::of(alert.from));
        return reading(failure, by, alert.at, Some(alert), certainty);
    }
    if !closed {
        return None;
    }
    if let Some((by, at)) = refused_without_certificate(connection, facts) {
        return reading(
            TlsFailureKind::ClientCertificate,
            Some(by),
            at,
            None,
            limit(Certainty::Likely),
        );
    }
    // Without the start of the handshake, what is missing may have preceded the capture.
    if connection.opening == Opening::Midstream && facts.hello.is_none() {
        return None;
    }
    let called = facts.caller.other();
    let flow = facts.flows[called.index()];
    match stage_at_close(connection, facts) {
        HandshakeStage::Unseen => None,
        HandshakeStage::Complete => {
            let own = facts.flows[facts.caller.index()];
            let finished = own.finished?;
            // The other side's FIN may only answer its goodbye.
            let caller = Who::of(facts.caller);
            let said = own.close_notify.frame_ref().filter(|said| *said < close);
            let left = (closer == Some(caller)).then_some(close).or(said);
            let at_once = left.is_some_and(|left| {
                left.time.since(finished.time) <= AT_ONCE.max(connection.expected_round_trip() * 5)
            });
            let unused = own.records == 0 && at_once;
            let spoke = !facts.only_greets();
            // What passed unseen may have been data.
            if !unused || spoke || own.unsure || flow.unsure {
                return None;
            }
            // A flaw of the certificate that does not depend on the name explains the close. Some clients compare names
            // after the handshake and then close in order. Probes to an address and self-issued certificates are
            // commonplace and explain nothing.
            let leaves = own.close_notify.frame_ref().is_some();
            let (failure, certainty) = match facts.flaw(connection.server.ip) {
                Some(CertificateFlaw::Outdated) => (TlsFailureKind::Date, Certainty::Likely),
                Some(CertificateFlaw::OtherName) if leaves => {
                    (TlsFailureKind::Name, Certainty::Likely)
                }
                _ => (TlsFailureKind::LeftAfterHandshake, Certainty::Possible),
            };
            reading(failure, Some(caller), left?, None, limit(certainty))
        }
        stage => {
            // The end of the handshake, or an alert, may be among what passed unseen.
            if !facts.is_stage_proven() || served_early(facts) {
                return None;
            }
            // A flaw in what the client received explains the close, unless it has accepted that by its Finished. Hardly
            // any certificate is for an address: the lack of one means nothing unless an alert complains.
            let judging = matches!(
                stage,
                HandshakeStage::ServerHello | HandshakeStage::ServerFlight
            );
            let fault = (judging && closer == Some(Who::of(facts.caller)))
                .then(|| facts.flaw(connection.server.ip))
                .flatten()
                .filter(|flaw| *flaw != CertificateFlaw::OtherAddress)
                .map(failing);
            // A server that has not answered has sent no alert either, if it has sent nothing at all.
            let silent = connection.sent[Who::of(called) as usize];
            let silent = silent.bytes == 0 && silent.missing == 0;
            let certainty = match facts.flows.iter().any(|flow| flow.unsure) && !silent {
                true => Certainty::Likely,
                false => Certainty::Certain,
            };
            match fault {
                Some(fault) => reading(fault, closer, close, None, limit(Certainty::Likely)),
                None => reading(TlsFailureKind::Cut, closer, close, None, limit(certainty)),
            }
        }
    }
}

/// Whether the server answered early data before the client's Finished (RFC 8446 §2.3, §4.4.4): both had accepted each other
/// and sent data, so the handshake did not fail.
fn served_early(facts: &TlsFacts) -> bool {
    let [asked, answered] =
        [facts.caller, facts.caller.other()].map(|end| facts.flows[end.index()]);
    asked.records > 0 && answered.records > 0 && answered.finished.is_some()
}

/// The failure, if it is of this kind.
pub(super) fn failure_as(
    connection: &Connection,
    wanted: TlsFailureKind,
) -> Option<TlsFailure<'_>> {
    failure(connection).filter(|reading| reading.failure == wanted)
}

fn by_alert(
    connection: &Connection,
    facts: &TlsFacts,
    alert: &Alert,
) -> (TlsFailureKind, Certainty) {
    let from_caller = alert.from == facts.caller;
    let sure = |failure| (failure, Certainty::Certain);
    let Some(code) = alert.code() else {
        return (TlsFailureKind::Alert, Certainty::Likely);
    };
    match code {
        70 | 86 => sure(TlsFailureKind::Version),
        116 if !from_caller => sure(TlsFailureKind::ClientCertificate),
        // The alerts that servers send for an empty Certificate message.
        40 | 41 | 42 | 46 | 49 if !from_caller => match facts.client_certificate {
            ClientCertificate::Missing(_, certainty) => {
                (TlsFailureKind::ClientCertificate, certainty)
            }
            _ => sure(TlsFailureKind::Alert),
        },
        45 if from_caller => sure(TlsFailureKind::Date),
        42 | 43 | 44 | 46 | 48 if from_caller => match flaw(connection, facts) {
            // `unknown_ca` (48) states its reason itself.
            Some(failure) if code != 48 => (failure, Certainty::Likely),
            _ => sure(TlsFailureKind::Rejected),
        },
        _ => sure(TlsFailureKind::Alert),
    }
}

/// The kind of failure that a flaw of the certificate stands for.
fn flaw(connection: &Connection, facts: &TlsFacts) -> Option<TlsFailureKind> {
    facts.flaw(connection.server.ip).map(failing)
}

const fn failing(flaw: CertificateFlaw) -> TlsFailureKind {
    match flaw {
        CertificateFlaw::Outdated => TlsFailureKind::Date,
        CertificateFlaw::OtherName | CertificateFlaw::OtherAddress => TlsFailureKind::Name,
        CertificateFlaw::SelfIssued => TlsFailureKind::Rejected,
    }
}

/// Whether a side has sent `close_notify`, as far as the records show.
pub(super) const fn sent_close_notify(facts: &TlsFacts, end: FlowEnd) -> bool {
    matches!(
        facts.flows[end.index()].close_notify,
        CloseNotify::Notify(..)
    )
}

#[cfg(test)]
mod tests {
    use super::super::ladder_check;

    const OPEN: &str = "SYN -->\n<-- SYN\n";
    const HELLO: &str = "ClientHello [sni=a version=1.2] -->\n";
    const ANSWER: &str = "<-- ServerHello Certificate [name=a] ServerHelloDone\n";
    const OLD: &str = "KeyExchange Finished -->\n<-- Finished\n";
    const NEW: &str =
        "ClientHello [sni=a] -->\n<-- ServerHello [version=1.3] Finished [version=1.3] app 800\n";

    #[track_caller]
    fn check(text: &str, rules: &[&str]) {
        let text = format!("{OPEN}{text}");
        let proof = ladder_check::run(&text.parse().expect("a ladder"));
        assert_eq!(proof.rules(), rules, "{text}");
    }

    /// Certificates are only parsed in builds with this feature.
    #[cfg(feature = "decrypt")]
    #[test]
    fn each_failure_has_one_reading() {
        // A server responding to the close of a client that rejected its certificate.
        check(
            &format!(
                "{HELLO}<-- ServerHello Certificate [name=a self-signed] ServerHelloDone\nFIN -->\n<-- alert 50 FIN\nRST [noack] -->"
            ),
            &["tls-certificate-rejected"],
        );
        // A client that connects to an address sends no name; that the certificate is for a name then means nothing.
        let nameless = format!("ClientHello [version=1.2] -->\n{ANSWER}");
        check(
            &format!("{nameless}FIN -->\n<-- FIN\nACK -->"),
            &["tls-handshake-cut"],
        );
        check(
            &format!("{nameless}alert 42 FIN -->\n<-- FIN\nACK -->"),
            &["tls-name-mismatch"],
        );
        check(
            &format!("{HELLO}{ANSWER}FIN -->\n<-- FIN\nACK -->"),
            &["tls-handshake-cut"],
        );
        check(&format!("{HELLO}{ANSWER}RST -->"), &["tls-handshake-cut"]);
        check(&format!("{HELLO}<-- RST"), &["tls-handshake-cut"]);
        check(
            &format!("{HELLO}{ANSWER}alert 42 FIN -->\n<-- FIN\nACK -->"),
            &["tls-certificate-rejected"],
        );
        // TLS 1.3 encrypts the reason, but not this.
        check(
            &format!("{NEW}close_notify [version=1.3] FIN -->\n<-- FIN\nACK -->"),
            &["tls-alert"],
        );
        // A handshake still under way when the capture ends.
        check(HELLO, &[]);
        // A capture that begins at the end of a handshake, or with the `close_notify` after it.
        let end = "FIN -->\n<-- FIN\nACK -->";
        let hidden = r#""\x15\x03\x03\x00\x1a" data 26"#;
        for beginning in ["KeyExchange Finished -->", &format!("{hidden} -->")] {
            let proof =
                ladder_check::run(&format!("{beginning}\n{end}").parse().expect("a ladder"));
            assert!(proof.rules().is_empty(), "{beginning}");
        }
        check(&format!("{HELLO}{ANSWER}"), &[]);
    }

    /// A client's goodbye ends the session, whoever sends the first FIN.
    #[test]
    fn a_goodbye_of_the_client_is_its_close() {
        let open = "ClientHello [sni=a alpn=http/1.1] -->\n<-- ServerHello [version=1.3] Finished [version=1.3] app 800\n\
                    Finished [version=1.3] -->\n";
        let bye = "close_notify [version=1.3] -->";
        let end = "<-- FIN\nFIN -->\n<-- ACK";
        // The JDK pads both of its alerts, and its Finished.
        let padded = "ClientHello [sni=a alpn=http/1.1] -->\n<-- ServerHello [version=1.3] Finished [version=1.3] app 800\napp 69 -->\n";
        for (text, rules) in [
            // After the handshake: it did not like the certificate.
            (
                format!("{open}<-- app 250 app 250\n{bye}\n{end}"),
                &["tls-handshake-cut"][..],
            ),
            (
                format!("{padded}<-- app 250 app 250\napp 35 app 35 -->\n{end}"),
                &["tls-handshake-cut"],
            ),
            // While it waits: it gave up. Tickets are no answer, even if the second crosses the request.
            (
                format!("{open}<-- app 250 app 250\napp 300 -->\n+2s {bye}\n{end}"),
                &["client-gave-up-waiting"],
            ),
            (
                format!("{open}<-- app 250\napp 300 -->\n<-- app 250\n+2s {bye}\n{end}"),
                &["client-gave-up-waiting"],
            ),
            (
                format!(
                    "{open}<-- app 250\napp 300 -->\n<-- app 250\n+2s FIN -->\n<-- FIN\nACK -->"
                ),
                &["client-gave-up-waiting"],
            ),
            // A crash of the server has no such word before it.
            (
                format!("{open}<-- app 250 app 250\napp 300 -->\n+2s <-- FIN\nFIN -->\n<-- ACK"),
                &["closed-before-response"],
            ),
            // After an idle time the timer was the client's.
            (
                format!("{open}app 300 -->\n<-- app 900\n+5s {bye}\n{end}"),
                &[],
            ),
        ] {
            check(&text, rules);
        }
    }

    /// What the capture lacks is not what the hosts did: the stage is told by what came after.
    #[test]
    fn a_session_of_which_records_passed_unseen_had_its_handshake() {
        let cut = r#"<-- "\x16\x03\x03\x03\xe8" data 1400 [cut=60]"#;
        let end = "app 200 -->\nFIN -->\n<-- FIN\nACK -->";
        // Neither the server's part nor its Finished was captured whole.
        check(
            &format!(
                "{HELLO}{cut}\nKeyExchange Finished -->\n<-- data 50 [cut=3]\napp 300 -->\n<-- data 900 [cut=9]\n{end}"
            ),
            &["capture-cut-short"],
        );
        // The end of the handshake may be in what was cut.
        check(
            &format!("{HELLO}{cut}\ndata 90 [cut=3] -->\n<-- FIN\nFIN -->\n<-- ACK"),
            &["capture-cut-short"],
        );
        // The client sent nothing after the server's messages, so it had not finished.
        check(
            &format!("{HELLO}{cut}\nFIN -->\n<-- FIN\nACK -->"),
            &["capture-cut-short", "tls-handshake-cut"],
        );
        // The snap length cut the ClientHello, and the server sent nothing at all.
        check(
            &format!("{} [cut=60] -->\n<-- RST", HELLO.trim_end_matches(" -->\n")),
            &["capture-cut-short", "tls-handshake-cut"],
        );
    }

    /// The JDK pads an alert to a record of 35 bytes, Mbed TLS to one of 32, and any library may: a short last record is no
    /// proof that the alert is missing, nor that data was lost.
    #[test]
    fn a_padded_alert_is_presumed_where_a_direction_ends() {
        // The Finished of the JDK has padding as well.
        let begin =
            "ClientHello [sni=a] -->\n<-- ServerHello [version=1.3] app 39 app 900 app 69\n";
        let asked = format!("{begin}app 69 app 300 -->\n");
        let served = format!("{asked}<-- app 900\n");
        let left = "FIN -->\n<-- ACK";
        check(
            &format!("{served}<-- FIN\n{left}"),
            &["tls-no-close-notify"],
        );
        for ending in [
            "app 35 FIN",
            "app 32 FIN",
            "app 35 app 35 FIN",
            "app 35\n<-- FIN",
            "app 60 FIN",
        ] {
            check(&format!("{served}<-- {ending}\n{left}"), &[]);
            // A side whose Finished has no padding does not pad its alerts.
            let bare = served.replace("app 69", "Finished [version=1.3]");
            check(
                &format!("{bare}<-- {ending}\n{left}"),
                &["tls-no-close-notify"],
            );
        }
        // It was data, as more came.
        check(
            &format!("{served}<-- app 35\n<-- app 900 FIN\n{left}"),
            &["tls-no-close-notify"],
        );
        // It answers no request.
        for alert in ["close_notify [version=1.3]", "app 35", "app 32"] {
            check(
                &format!("{asked}<-- {alert} FIN\n{left}"),
                &["closed-before-response"],
            );
        }
        // What a client says to a close that it has known for long is not lost data.
        let late = "<-- FIN\nACK -->\n+30s app 35 -->\n<-- RST [noack]";
        check(&format!("{served}{late}"), &["tls-no-close-notify"]);
        // In place of its Finished, a client says why it leaves.
        for alert in ["app 19", "app 35", "app 32"] {
            check(
                &format!("{begin}{alert} FIN -->\n<-- FIN\nACK -->"),
                &["tls-alert"],
            );
        }
        // Both messages in one record, and a request behind them.
        for both in [61, 77] {
            check(
                &format!(
                    "{begin}app {both} -->\napp 94 -->\n<-- close_notify [version=1.3]\n<-- RST"
                ),
                &["tls-client-certificate-missing"],
            );
        }
        // The JDK's empty Certificate message is no end of the handshake.
        check(
            &format!("{begin}app 41 app 69 -->\n<-- app 35 FIN\n{left}"),
            &["tls-client-certificate-missing"],
        );
    }

    /// Where an encrypted alert comes before the close, no text says that there was none.
    #[test]
    fn an_encrypted_alert_is_not_denied() {
        let told = |text: &str| {
            let proof = ladder_check::run(&format!("{OPEN}{text}").parse().expect("a ladder"));
            let findings = proof.findings.iter();
            let texts = findings.map(|it| format!("{} {:?}", it.message, it.evidence));
            texts.collect::<String>()
        };
        let hidden = r#""\x15\x03\x03\x00\x1a" data 26"#;
        for (text, alert) in [
            (
                format!(
                    "{HELLO}{ANSWER}KeyExchange Finished -->\n<-- {hidden} FIN\nFIN -->\n<-- ACK"
                ),
                true,
            ),
            (
                format!("{HELLO}{ANSWER}KeyExchange Finished -->\n<-- FIN\nFIN -->\n<-- ACK"),
                false,
            ),
            (format!("{NEW}<-- app 19 FIN\nFIN -->\n<-- ACK"), true),
            (
                format!("{NEW}Finished [version=1.3] -->\n+1ms app 19 FIN -->\n<-- FIN\nACK -->"),
                true,
            ),
        ] {
            let told = told(&text);
            let denied = told.contains("without an alert") || told.contains("No alert");
            assert_eq!(
                told.contains("encrypted alert") || told.contains("which is encrypted"),
                alert,
                "{text}: {told}"
            );
            assert_eq!(denied, !alert, "{text}: {told}");
        }
    }

    /// A client that never spoke has begun no handshake, whatever the server says to its FIN.
    #[test]
    fn a_probe_without_a_byte_is_no_handshake() {
        check("ACK -->\nFIN -->\n<-- alert 50 FIN\nRST [noack] -->", &[]);
        check("ACK -->\nFIN -->\n<-- FIN\nACK -->", &[]);
    }

    /// Where TLS began before the capture, no unanswered request is reported.
    #[test]
    fn what_began_before_the_capture_owes_no_answer() {
        let unseen = "SYN -->\n<-- SYN\nACK -->\nClientHello [sni=a] -->\n<~~ data 900\n\
                      Finished [version=1.3] -->\napp 300 -->\n<-- app 900\n";
        for said in [
            // A `close_notify`, not a request.
            "close_notify [version=1.3] -->\n".to_owned(),
            // From the ports alone the requesting side is unknown.
            "app 300 -->\n".to_owned(),
            // The response to the ClientHello was not captured: a record of an alert's length is an alert in any
            // version.
            format!("{unseen}close_notify [version=1.3] -->\n"),
        ] {
            let ladder = format!("{said}<-- FIN\nFIN -->\n<-- ACK");
            let rules = ladder_check::run(&ladder.parse().expect("a ladder")).rules();
            let owed = ["closed-before-response", "reset-before-response"];
            assert!(
                !rules.iter().any(|it| owed.contains(it)),
                "{said}: {rules:?}"
            );
        }
    }

    #[test]
    fn what_is_hidden_is_read_from_the_order_of_records() {
        let asked = format!("{HELLO}{ANSWER}{OLD}app 300 -->\n");
        check(&format!("{asked}<-- RST"), &["reset-before-response"]);
        check(
            &format!("{asked}<-- FIN\nFIN -->\n<-- ACK"),
            &["closed-before-response"],
        );
        check(
            &format!("{asked}<-- app 900\n<-- close_notify FIN\nFIN -->\n<-- ACK"),
            &[],
        );
        check(
            &format!("{asked}<-- app 900\nACK -->\nFIN -->\n<-- FIN\nACK -->"),
            &[],
        );
        check(
            &format!("{asked}<-- app 900\nACK -->\n+5s <-- close_notify FIN\nFIN -->\n<-- ACK"),
            &["idle-timeout-close"],
        );
        // A WebSocket's Close is not a request, however the connection ends after it; a head and its body in two
        // records are one.
        let spoke = format!("{asked}<-- app 900\n");
        let goes = "<-- close_notify FIN\nFIN -->\n<-- ACK";
        check(&format!("{spoke}app 30 -->\n{goes}"), &[]);
        check(
            &format!("{spoke}app 60 app 30 -->\n{goes}"),
            &["closed-before-response"],
        );
        // A reset right after data discards what is in flight.
        check(&format!("{spoke}ACK -->\n<-- RST"), &["reset-mid-response"]);
        // After a pause it was idle, whatever made the server reset.
        check(
            &format!("{spoke}ACK -->\n+5s <-- RST"),
            &["idle-timeout-close"],
        );
        check(
            &format!("{spoke}ACK -->\n+7.7s <-- RST"),
            &["reset-after-response"],
        );
        // A client that had said goodbye waits for nothing.
        check(&format!("{spoke}close_notify -->\n<-- RST"), &[]);
        // A record of 1000 bytes, of which 500 were sent.
        let part = r#"<-- "\x17\x03\x03\x03\xe8" data 500"#;
        check(
            &format!("{asked}{part}\nACK -->\n<-- FIN\nFIN -->\n<-- ACK"),
            &["response-cut-short"],
        );
        check(
            &format!("{spoke}app 300 -->\n{part}\n+5s <-- RST"),
            &["reset-mid-response"],
        );
        // The rest was sent and not captured.
        let rest = "<~~ data 500\nACK -->\n<-- FIN\nFIN -->\n<-- ACK";
        check(&format!("{asked}{part}\n{rest}"), &["capture-lost-packets"]);
        // Two tickets of one size are no response; two records of different sizes may be.
        let new = format!("{NEW}Finished [version=1.3] app 300 -->\n");
        let end = "<-- FIN\nclose_notify [version=1.3] FIN -->\n<-- RST [noack]";
        check(
            &format!("{new}<-- app 250 app 250\n{end}"),
            &["closed-before-response"],
        );
        check(
            &format!("{new}<-- app 250 app 700\n{end}"),
            &["tls-no-close-notify"],
        );
        // HTTP/2 sends many frames that are no requests.
        let multiplexed = asked
            .replace("sni=a ", "sni=a alpn=h2 ")
            .replace("version=1.2", "version=1.3");
        let multiplexed = multiplexed.replace(ANSWER, "<-- ServerHello [version=1.3] app 800\n");
        let multiplexed = multiplexed.replace("Finished", "Finished [version=1.3]");
        check(
            &format!("{multiplexed}<-- app 900 app 100\napp 40 -->\n<-- FIN\nFIN -->\n<-- ACK"),
            &["tls-no-close-notify"],
        );
    }
}
