//! A connect was answered by an ICMP error.

use crate::analysis::connection::{ConnectionSummary, Opening};
use crate::analysis::hosts::Hosts;
use crate::base::certainty::Certainty;
use crate::rules::Severity;
use crate::rules::rule::{Check, Diagnosis, HostDiagnosis, rule};
use crate::rules::scans::collapse_scans;
use crate::rules::wording::shows;

rule! {
    /// # What happened
    ///
    /// The client's SYN was answered by an ICMP error that quotes it: a router, a firewall or the server's host says that it
    /// cannot be delivered. The client's log says `EHOSTUNREACH`, "No route to host", `ENETUNREACH`, 10065, or, for an
    /// unreachable port, "connection refused".
    ///
    /// # Why it matters
    ///
    /// No request was sent. Unlike a timeout this names the device: the address from which the ICMP error came. While a
    /// connection is being opened such an error ends the attempt on most systems; on an open one it does not (RFC 5461).
    ///
    /// # Remedy
    ///
    /// - Look at the device that sent the ICMP error: its route to the server, its access list (code 9, 10, 13: forbidden by
    ///   somebody), its neighbour table (code 1: the server's host does not answer ARP, so it is off or elsewhere).
    /// - Check the address that the client uses, and the route and mask of the client itself.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  ACK [unreachable=1]
    ///  => opening unreachable
    /// ```
    ///
    /// # Not this
    ///
    /// An error on the way that did not keep the connection from being opened:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  ACK [unreachable=1]
    ///  1.000  again              -->
    ///  1.010                     <--  SYN
    ///  1.020  GET / [close]      -->
    ///  1.050                     <--  200 "hello" [close]
    ///  1.051                     <--  FIN
    ///  1.060  FIN                -->
    ///  1.070                     <--  ACK
    ///  => opening handshake
    /// ```
    ///
    /// # References
    ///
    /// RFC 792; RFC 1122 §3.2.2.1, §4.2.3.9; RFC 4443 §3.1; RFC 5461.
    pub(super) RULE: "connection-unreachable", Severity::Error,
    "a connect was answered by an ICMP error", Check::Hosts(check)
}

fn check(hosts: &Hosts<'_>) -> Vec<HostDiagnosis> {
    let mut found = Vec::new();
    for host_pairs in hosts.host_pairs() {
        let mut all = host_pairs.connections;
        all.retain(|it| it.opening == Opening::Unreachable);
        if let Some(first) = all.first() {
            let benign = all.iter().all(|it| hosts.fallback(it).is_some());
            found.push(HostDiagnosis::of(story(first, &all, benign), &all));
        }
    }
    collapse_scans(hosts, found, "connects were answered by ICMP errors")
}

/// The meaning of the ICMP error (RFC 792, RFC 1812 §5.2.7.1, RFC 4443 §3).
const fn meaning(version: u8, kind: u8, code: u8) -> &'static str {
    match (version, kind, code) {
        (4, 3, 0) | (6, 1, 0) => "there is no route to that network",
        (4, 3, 1) | (6, 1, 3) => "the host does not answer",
        (4, 3, 2) => "the host does not speak TCP",
        (4, 3, 3) | (6, 1, 4) => "nobody listens on that port",
        (4, 3, 9 | 10 | 13) | (6, 1, 1 | 5 | 6) => "somebody has forbidden it",
        (4, 11, _) | (6, 3, _) => "the packet has gone round in circles",
        _ => "it cannot be delivered",
    }
}

fn story(first: &ConnectionSummary, all: &[&ConnectionSummary], benign: bool) -> Diagnosis {
    let version = if first.server.ip.is_ipv4() { 4 } else { 6 };
    let (who, kind, code) = first.icmp.unwrap_or((first.server.ip, 0, 0));
    let says = meaning(version, kind, code);
    let count = match all.len() {
        1 => "The connect was".to_owned(),
        more => format!("{more} connects were"),
    };
    let mut message =
        format!("{count} answered by an ICMP error from {who} (type {kind}, code {code}): {says}.");
    if who == first.server.ip {
        message.push_str(" It comes from the server's own address.");
    }
    if benign {
        message.push_str(" The client reached another address of the same port within a second.");
    }
    Diagnosis {
        severity: if benign {
            Severity::Benign
        } else {
            Severity::Error
        },
        certainty: Certainty::Certain,
        summary: format!("connects were answered by an ICMP error: {says}").into(),
        message: message.into(),
        evidence: vec![
            shows(first.first, "SYN"),
            shows(
                first.close,
                format!("ICMP type {kind}, code {code} from {who}"),
            ),
        ],
        remedies: RULE.remedies(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::ladder_check;

    fn finding(text: &str) -> Option<crate::rules::Finding> {
        let all = ladder_check::run(&text.parse().expect("a ladder")).findings;
        all.into_iter().find(|finding| finding.rule == RULE.name)
    }

    #[test]
    fn the_device_is_named() {
        let router = finding("SYN -->\n<-- ACK [unreachable=13]").expect("found");
        assert!(
            router.message.contains("10.0.0.254") && router.message.contains("forbidden"),
            "{}",
            router.message
        );
        let host = finding("SYN -->\n<-- ACK [unreachable=3]").expect("found");
        assert!(
            host.message.contains("the server's own address"),
            "{}",
            host.message
        );
    }

    #[test]
    fn soft_errors_do_not_end_open_connections() {
        assert!(
            finding("SYN -->\n<-- SYN\nACK -->\nGET / -->\n<-- ACK [unreachable=1]\n<-- 200")
                .is_none()
        );
    }

    #[test]
    fn another_address_makes_it_benign() {
        let text = "client 10.0.0.1:40000 server 10.0.0.3:80\nSYN -->\n<-- ACK [unreachable=1]
            client 10.0.0.1:40001 server 10.0.0.2:80\n+20ms SYN -->\n<-- SYN\nACK -->";
        assert_eq!(finding(text).map(|it| it.severity), Some(Severity::Benign));
    }
}
