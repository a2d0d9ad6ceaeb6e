//! A connect was answered by an ICMP error.

use std::net::IpAddr;

use crate::analysis::connection::{ConnectionSummary, Opening};
use crate::analysis::hosts::Hosts;
use crate::base::certainty::Certainty;
use crate::rules::Severity;
use crate::rules::rule::{Check, Diagnosis, HostDiagnosis, rule};
use crate::rules::scans::{failures, group};
use crate::rules::statement::{Statement, Value, sentence};
use crate::rules::wording::{UNSENT, shows};

rule! {
    /// # What happened
    ///
    /// An ICMP error that quotes the client's SYN came back: a router, a firewall or the server's host reports that it
    /// cannot be delivered. The client's log says `EHOSTUNREACH`, "No route to host", `ENETUNREACH`, 10065, or, for an
    /// unreachable port, "connection refused". If the same device answers several attempts of one client this way, they are
    /// one finding.
    ///
    /// # Why it matters
    ///
    /// No request was sent. Unlike a timeout, the error names the device: the address that the ICMP error came from. During
    /// a connection attempt such an error ends the attempt on most systems. On an open connection it does not (RFC 5461). A
    /// host on which no program listens answers a SYN with a RST. "Port unreachable" for TCP comes from a firewall that
    /// rejects (iptables `REJECT`), on the host itself or on a router before it.
    ///
    /// # Remedy
    ///
    /// - *If the ICMP error came from another address:* Check the device that sent it: its filter rules (code 3, 9, 10, 13),
    ///   its route to the server (code 0), its neighbour table (code 1: the server's host does not answer ARP, so it is off
    ///   or elsewhere).
    /// - *If the ICMP error came from the server's address:* Check the firewall of the server's host: it allows this port
    ///   for other hosts only, or for none (`nft list ruleset`, `iptables -nvL`).
    /// - Check the address that the client uses, and the client's own route and network mask.
    ///
    /// # Tell it by
    ///
    /// An ICMP error that quotes the SYN comes back, often from a router's address.
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
    /// An error on the way, which did not keep the connection from being opened:
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
    pub(in crate::rules) RULE: "connection-unreachable", Severity::Error,
    "an ICMP error answers a connection attempt", Check::Hosts(check)
}

/// The ICMP error: its sender, type and code; and whether the client reached another address at once.
type Kind = (bool, Option<(IpAddr, u8, u8)>);

fn check(hosts: &Hosts<'_>) -> Vec<HostDiagnosis> {
    let all = failures(hosts, |it| {
        let unreachable = it.opening == Opening::Unreachable;
        unreachable.then(|| (hosts.fallback(it).is_some(), it.icmp))
    });
    let groups = group(hosts, all);
    groups
        .iter()
        .map(|group| group.diagnosis(story(&group.connections, group.kind)))
        .collect()
}

/// The meaning of the ICMP error (RFC 792, RFC 1812 §5.2.7.1, RFC 4443 §3). `own`: the server's host sent it.
pub(in crate::rules) const fn meaning(version: u8, kind: u8, code: u8, own: bool) -> &'static str {
    match (version, kind, code) {
        (4, 3, 0) | (6, 1, 0) => "no route to the network",
        (4, 3, 1) | (6, 1, 3) => "the host does not answer",
        (4, 3, 2) => "the host does not accept TCP",
        (4, 3, 3) | (6, 1, 4) if own => "the host's firewall rejects the port",
        (4, 3, 3) | (6, 1, 4) => "a firewall on the way rejects the port",
        (4, 3, 9 | 10 | 13) | (6, 1, 1 | 5 | 6) => "a filter rule forbids it",
        (4, 11, _) | (6, 3, _) => "the TTL ran out on the way",
        _ => "the packet cannot be delivered",
    }
}

fn story(all: &[&ConnectionSummary], (benign, icmp): Kind) -> Diagnosis {
    let server = all.first().map(|it| it.server.ip);
    let version = if server.is_none_or(|ip| ip.is_ipv4()) {
        4
    } else {
        6
    };
    let (who, kind, code) =
        icmp.map_or((server, 0, 0), |(who, kind, code)| (Some(who), kind, code));
    let own = who.is_some() && all.iter().all(|it| Some(it.server.ip) == who);
    let says = meaning(version, kind, code, own);
    let who = who.map(|who| who.to_string()).unwrap_or_default();
    let mut message = Statement::from(match all.len() {
        1 => sentence!(
            "{} answered the SYN with an ICMP error (type {}, code {}): {}.",
            &who,
            kind,
            code,
            says
        ),
        more => sentence!(
            "{} answered {} with an ICMP error (type {}, code {}): {}.",
            &who,
            Value::count(more as u64, "connection attempt", "connection attempts"),
            kind,
            code,
            says
        ),
    });
    message.say(match own {
        true => sentence!("That is the server's own address."),
        false => sentence!(
            "{} is not the server's address: it is a router or a firewall on the way.",
            &who
        ),
    });
    match benign {
        true => {
            message.say("Within a second the client reached another address with the same port.")
        }
        false => message.mean(UNSENT),
    }
    let mut evidence = Vec::new();
    if let Some(first) = all.first() {
        evidence.push(shows(first.first, "SYN"));
        evidence.push(shows(
            first.close,
            format!("ICMP error from {who}, type {kind}, code {code}"),
        ));
    }
    Diagnosis {
        severity: if benign {
            Severity::Benign
        } else {
            Severity::Error
        },
        certainty: Certainty::Certain,
        summary: sentence!("[A connection|# connections] failed: {}", says),
        message,
        evidence,
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
            router.message.contains("10.0.0.254") && router.message.contains("forbids"),
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
    fn no_host_says_by_icmp_that_nobody_listens() {
        let own = finding("SYN -->\n<-- ACK [unreachable=3]").expect("found");
        assert!(
            own.message.contains("the host's firewall rejects"),
            "{}",
            own.message
        );
        assert!(!own.message.contains("listens"), "{}", own.message);
        assert_eq!(
            meaning(4, 3, 3, false),
            "a firewall on the way rejects the port"
        );
        assert_eq!(
            meaning(6, 1, 4, false),
            "a firewall on the way rejects the port"
        );
    }

    #[test]
    fn one_missing_route_is_one_finding() {
        let mut text = String::new();
        for host in 2..14 {
            text.push_str(&format!(
                "client :40000 server 10.9.0.{host}:80\nSYN -->\n<-- ACK [unreachable=1]\n"
            ));
        }
        let all = ladder_check::run(&text.parse().expect("a ladder")).findings;
        let [told] = &all[..] else {
            panic!("{} findings", all.len())
        };
        assert_eq!(
            (told.severity, told.connections.len()),
            (Severity::Error, 12)
        );
        assert!(
            told.message
                .contains("came from one client and went to 12 addresses and ports"),
            "{}",
            told.message
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
