//! Cases 1 and 5: the client fails before it can send a request.

use hangup::analysis::connection::{Phase, Who};
use hangup::rules::{self, Severity};

use crate::story::{DOTNET, Story};

/// Case 1: `Unable to connect to the remote server`, 10060.
#[test]
fn case_1_a_syn_that_is_not_answered() {
    let story = Story::captured("connect-unanswered.pcap");
    story.says(
        "connect-unanswered",
        Severity::Error,
        &["SYN 4 times over 3.07 s", "no answer"],
        &["firewall", "Capture at the server", "accept queue"],
    );
    assert_eq!(story.loud(), ["connect-unanswered"]);
    let line = story.first_line(1, Who::Client);
    assert_eq!(line, "curl: Connection timed out after … milliseconds");
    assert!(
        story.log(1, Who::Server).is_empty(),
        "no program heard of it"
    );
    // No header names the client before the first request; the tables hold .NET Framework's text for the full connect
    // timeout.
    let cancelled = Story::drawn(
        "SYN -->\n+1s again -->\n+2s again -->\n+4s again -->\n+8s again -->\n+16s again -->\n+32s again -->",
    );
    let texts = cancelled.log(1, Who::Client);
    let told = texts
        .iter()
        .find(|it| it.stack == "dotnet-framework")
        .expect("it is a suspect");
    assert_eq!(told.text, Some("Unable to connect to the remote server"));
}

/// Case 1: the same, 10061.
#[test]
fn case_1_a_syn_that_is_refused() {
    let story = Story::captured("connection-refused.pcapng");
    let refused: Vec<_> = story.reading.snapshot.findings.iter().collect();
    assert_eq!(refused.len(), 2, "one for each version of IP");
    for finding in refused {
        assert_eq!(
            (finding.rule, finding.severity),
            ("connection-refused", Severity::Error)
        );
        assert!(
            finding.message.contains("refused with a RST"),
            "{}",
            finding.message
        );
        assert!(
            finding.remedies[0].contains("Start the server"),
            "{:?}",
            finding.remedies
        );
    }
    for number in [1, 2] {
        let log = story.log(number, Who::Client);
        let told = log
            .iter()
            .find(|it| it.stack == "dotnet-framework" || it.also.contains(&"dotnet-framework"));
        assert_eq!(
            told.and_then(|it| it.text),
            Some("Unable to connect to the remote server"),
            "{log:#?}"
        );
    }
}

/// Case 1: ICMP answers the SYN.
#[test]
fn case_1_a_host_that_cannot_be_reached() {
    let story = Story::drawn("SYN -->\n<-- ACK [unreachable=1]");
    story.says(
        "connection-unreachable",
        Severity::Error,
        &["type 3, code 1", "the host does not answer"],
        &["route"],
    );
    let log = story.log(1, Who::Client);
    assert!(
        log.iter()
            .any(|it| it.text.is_some_and(|text| text.contains("EHOSTUNREACH"))),
        "{log:#?}"
    );
}

/// Case 1: a proxy refuses the CONNECT.
#[test]
fn case_1_a_proxy_that_refuses() {
    for (status, said, severity) in [
        ("502 \"no\"", "502", Severity::Error),
        (
            "407 \"who\" [proxy-authenticate=Basic]",
            "407",
            Severity::Warning,
        ),
    ] {
        let story = Story::drawn(&format!(
            "client server :3128\nSYN -->\n<-- SYN\nACK -->\nCONNECT /shop.example:443 [{DOTNET}] -->\n+20ms <-- {status}\nACK -->\n<-- FIN\nFIN -->\n<-- ACK"
        ));
        story.says("proxy-refused", severity, &[said], &["proxy"]);
        let line = story.first_line(1, Who::Client);
        assert!(
            line.starts_with("dotnet-framework*: ") && line.contains(said),
            "{line}"
        );
    }
}

/// Case 5: `Could not establish secure channel for SSL/TLS`. The handshake is unencrypted up to and including the
/// certificate.
#[test]
fn case_5_a_certificate_that_the_client_does_not_take() {
    let story = Story::captured("tls-unknown-authority.pcapng");
    let connection = story.connection(1);
    assert_eq!(connection.teardown.phase, Phase::TlsHandshake);
    let log = story.log(1, Who::Client);
    let says = |part: &str| {
        log.iter()
            .any(|it| it.text.is_some_and(|text| text.contains(part)))
    };
    assert!(says("certificate"), "{log:#?}");
    // The TLS rules report which fault the handshake had.
    if rules::rule("tls-certificate-rejected").is_some() {
        let told = story.loud();
        assert!(told.iter().any(|it| it.starts_with("tls-")), "{told:?}");
    }
}
