//! A neighbour was asked for by ARP and did not answer.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use crate::analysis::engine::NeighbourQuestion;
use crate::analysis::hosts::Hosts;
use crate::base::certainty::Certainty;
use crate::rules::rule::{Check, Diagnosis, HostDiagnosis, rule};
use crate::rules::statement::{Statement, Value, sentence};
use crate::rules::wording::shows;
use crate::rules::{RuleInput, Severity};

rule! {
    /// # What happened
    ///
    /// A host asked its network several times which hardware address an IP address has (ARP), and no reply came.
    ///
    /// # Why it matters
    ///
    /// Without the hardware address no packet can be sent to that neighbour, or through it if it is the router. A connection
    /// attempt then fails without a SYN. The client's log says "No route to host", `EHOSTUNREACH`, or a timeout, and a
    /// capture shows no TCP at all. The neighbour is off, has another address, or is in another network or VLAN. Requests
    /// for unused addresses are common. It matters if the asking host needs that neighbour.
    ///
    /// # Remedy
    ///
    /// - Check that the host with this address is up, and in the same network and VLAN. Check the address and the network
    ///   mask of the asking host too: it must send packets for other networks to its router.
    /// - Check whether the address is that of the asking host's router. Then its default route is wrong, or the router is
    ///   down.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  who-has 10.0.0.9   -->
    ///  1.000  who-has 10.0.0.9   -->
    ///  2.000  who-has 10.0.0.9   -->
    /// ```
    ///
    /// # Not this
    ///
    /// The neighbour answers:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  who-has 10.0.0.2   -->
    ///  1.000  who-has 10.0.0.2   -->
    ///  2.000  who-has 10.0.0.2   -->
    ///  2.001                     <--  is-at 10.0.0.2
    /// ```
    ///
    /// Asked once, as at the end of a capture:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  who-has 10.0.0.9   -->
    /// ```
    ///
    /// The replies to another host may not have reached the point of capture:
    ///
    /// ```ladder
    ///         client 10.0.0.1:40000   server 10.0.0.2:80
    ///  0.000  who-has 10.0.0.9   -->
    ///  1.000  who-has 10.0.0.9   -->
    ///  2.000  who-has 10.0.0.9   -->
    ///         client 10.0.0.5:40000   server 10.0.0.2:80
    ///  3.000  SYN                -->
    ///  3.010                     <--  SYN
    ///  3.020  ACK                -->
    /// ```
    ///
    /// # References
    ///
    /// RFC 826; RFC 1122 §2.3.2.2; RFC 5227 (probes with no address of their own).
    pub(super) RULE: "arp-unanswered", Severity::Warning,
    "a neighbour does not answer ARP requests", Check::All(check)
}

/// Systems ask three times or more before they stop.
const TIMES: u32 = 3;
/// Over at least this time.
const LONG_ENOUGH: Duration = Duration::from_millis(900);
/// A host that asks for so many absent hosts is a scanner, or a router through which a host scans.
const A_SCAN: usize = 10;

fn check(facts: &RuleInput<'_>, hosts: &Hosts<'_>) -> Vec<HostDiagnosis> {
    let mut by_asker: BTreeMap<Ipv4Addr, Vec<NeighbourQuestion>> = BTreeMap::new();
    for it in facts.neighbours.unanswered() {
        let long = it.last.time.since(it.first.time) >= LONG_ENOUGH;
        if it.times >= TIMES && long {
            by_asker.entry(it.asker).or_default().push(*it);
        }
    }
    if by_asker.is_empty() {
        return Vec::new();
    }
    // Hosts that sent or were sent TCP.
    let mut alive: BTreeSet<IpAddr> = BTreeSet::new();
    let mut clients: BTreeSet<IpAddr> = BTreeSet::new();
    for it in hosts.connections {
        alive.extend(it.seen[0].then_some(it.client.ip));
        alive.extend(it.seen[1].then_some(it.server.ip));
        clients.insert(it.client.ip);
    }
    // If no other host asks, and there is no other traffic, the capture was taken at the asker.
    let alone = hosts.connections.is_empty() && facts.neighbours.askers() == 1;
    let mut found = Vec::new();
    for (asker, mut questions) in by_asker {
        questions.retain(|it| !alive.contains(&it.target.into()));
        questions.sort_by_key(|it| it.first);
        let knows = clients.contains(&asker.into());
        // Replies go to the asker alone: in a capture of others' connections they may be missing.
        if !knows && !hosts.connections.is_empty() {
            continue;
        }
        if let Some(first) = questions.first() {
            let story = story(&questions, knows || alone, alone);
            found.push(HostDiagnosis {
                story,
                client: Some(asker.into()),
                server: None,
                connections: Vec::new(),
                first: first.first.frame,
                times: 1,
            });
        }
    }
    found
}

/// `knows`: a reply to the asker would be in the capture; `alone`: there is nothing else in it.
fn story(questions: &[NeighbourQuestion], knows: bool, alone: bool) -> Diagnosis {
    let asker = questions.first().map(|it| IpAddr::from(it.asker));
    let asker = asker.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    let times = |pick: fn(&[u64]) -> Option<u64>| {
        let all: Vec<u64> = questions.iter().map(|it| it.times.into()).collect();
        pick(&all).unwrap_or_default()
    };
    let (least, most) = (
        times(|all| all.iter().copied().min()),
        times(|all| all.iter().copied().max()),
    );
    let from = questions.iter().map(|it| it.first.time).min();
    let until = questions.iter().map(|it| it.last.time).max();
    let over = until.unwrap_or_default().since(from.unwrap_or_default());
    let mut message = Statement::from(match questions {
        [only] => sentence!(
            "{} asked for {} by ARP {} over {}. No reply came.",
            asker,
            IpAddr::from(only.target),
            Value::Count(least, most, "time", "times"),
            over
        ),
        [first, ..] => sentence!(
            "{} asked for {} by ARP, each {} over {}. The first was {}. No reply came.",
            asker,
            Value::count(questions.len() as u64, "address", "addresses"),
            Value::Count(least, most, "time", "times"),
            over,
            IpAddr::from(first.target)
        ),
        [] => sentence!("No reply to ARP came."),
    });
    let many = questions.len() >= A_SCAN;
    message.presume(match many {
        true => sentence!("This is a scan, or a router through which a host scans: nobody needs so many addresses."),
        false => sentence!("No host with that address was up in this network."),
    });
    if !many {
        message.mean(sentence!(
            "Without a reply {} can send nothing to that address: no SYN goes out, and its programs get \"No route to host\".",
            asker
        ));
    }
    if !knows {
        message.mean(
            "A reply goes to the asking host alone, so this capture may have missed it. A capture at that host would settle it.",
        );
    }
    let mut evidence = Vec::new();
    if let Some(first) = questions.first() {
        let note = |what: &str| format!("{what}: who has {}?", first.target);
        evidence.push(shows(first.first, note("first request")));
        evidence.push(shows(first.last, note("last request")));
    }
    Diagnosis {
        severity: match alone && !many {
            true => Severity::Warning,
            false => Severity::Note,
        },
        certainty: match knows {
            true => Certainty::Likely,
            false => Certainty::Possible,
        },
        summary: "A neighbour did not answer ARP requests".into(),
        message,
        evidence,
        remedies: RULE.remedies(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::ladder_check;

    fn asked(hosts: std::ops::Range<u8>) -> String {
        let mut text = "client 10.0.0.1:40000 server 10.0.0.2:80\n".to_owned();
        for wait in ["0s", "1s", "2s"] {
            for host in hosts.clone() {
                let wait = if host == hosts.start { wait } else { "0s" };
                text.push_str(&format!("+{wait} who-has 10.0.0.{host} -->\n"));
            }
        }
        text
    }

    #[test]
    fn the_address_is_named_and_what_the_capture_could_see_decides() {
        let alone = ladder_check::found_by(&RULE, &asked(9..10)).expect("found");
        assert!(
            alone
                .message
                .starts_with("10.0.0.1 asked for 10.0.0.9 by ARP 3 times over 3.0"),
            "{}",
            alone.message
        );
        assert_eq!(
            (alone.severity, alone.certainty),
            (Severity::Warning, Certainty::Likely)
        );
        let connected = "SYN -->\n<-- SYN\nACK -->\n";
        let told = format!("{}{connected}", asked(9..10));
        let told = ladder_check::found_by(&RULE, &told).expect("found");
        assert_eq!(
            (told.severity, told.certainty),
            (Severity::Note, Certainty::Likely)
        );
        let other = format!(
            "{}client 10.0.0.5:1 server 10.0.0.2:80\n{connected}",
            asked(9..10)
        );
        assert!(ladder_check::found_by(&RULE, &other).is_none());
    }

    #[test]
    fn a_scan_is_one_note() {
        let text = asked(20..50);
        let all = ladder_check::run(&text.parse().expect("a ladder")).findings;
        let [told] = &all[..] else {
            panic!("{} findings", all.len())
        };
        assert_eq!(told.severity, Severity::Note);
        assert!(told.message.contains("30 addresses"), "{}", told.message);
    }

    #[test]
    fn a_host_that_uses_tcp_is_there() {
        let text = format!(
            "{}client :1 server 10.0.0.9:80\nSYN -->\n<-- RST\n",
            asked(9..10)
        );
        assert!(ladder_check::found_by(&RULE, &text).is_none());
    }
}
