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
    /// A host asked its network several times who has an address (ARP), and nobody answered.
    ///
    /// # Why it matters
    ///
    /// Without the hardware address no packet can be sent to that neighbour, or through it if it is the router: a connect
    /// fails without a SYN. The client's log says "No route to host", `EHOSTUNREACH`, or a timeout; a capture shows no TCP
    /// at all. The neighbour is off, has another address, or is in another network or VLAN. That networks are asked for
    /// addresses that nobody has is common; it matters where the asker needs that host.
    ///
    /// # Remedy
    ///
    /// - Check that the host with this address is up and in the same network and VLAN, and that the address and the mask of
    ///   the asker are right: what is outside its network it must send to its router.
    /// - Check whether the address is that of the asker's router: then its default route is wrong, or the router is
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
    /// It answers:
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
    /// The answers to another host may have passed by where this was captured:
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
    "a neighbour was asked for by ARP, and did not answer", Check::All(check)
}

/// Systems ask three times or more before they give up.
const TIMES: u32 = 3;
/// Over at least this time.
const LONG_ENOUGH: Duration = Duration::from_millis(900);
/// Who asks for so many absent hosts is a scanner, or a router that somebody scans through.
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
    // Where nobody else asks, and nothing else goes on, the capture was taken at the asker.
    let alone = hosts.connections.is_empty() && facts.neighbours.askers() == 1;
    let mut found = Vec::new();
    for (asker, mut questions) in by_asker {
        questions.retain(|it| !alive.contains(&it.target.into()));
        questions.sort_by_key(|it| it.first);
        let knows = clients.contains(&asker.into());
        // Answers go to the asker alone: where others' connections were captured, its own may not have been.
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

/// `knows`: an answer to the asker would be in the capture; `alone`: there is nothing else in it.
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
            "{} does not answer ARP: {} asked for it {} over {}.",
            IpAddr::from(only.target),
            asker,
            Value::Count(least, most, "time", "times"),
            over
        ),
        [first, ..] => sentence!(
            "{} do not answer ARP, {} the first: {} asked for each {} over {}.",
            Value::count(questions.len() as u64, "address", "addresses"),
            IpAddr::from(first.target),
            asker,
            Value::Count(least, most, "time", "times"),
            over
        ),
        [] => sentence!("Nobody answers ARP."),
    });
    let many = questions.len() >= A_SCAN;
    message.say(match many {
        true => sentence!("That many is how a scan looks, or a router through which somebody scans."),
        false => sentence!(
            "Nothing can be sent there without it: {} sends no SYN, and its programs are told that there is no route to the \
             host.",
            asker
        ),
    });
    if !knows {
        message.say(
            "An answer goes to the asker alone, and may have passed by where this was captured; a capture at the asker \
             settles it.",
        );
    }
    let mut evidence = Vec::new();
    if let Some(first) = questions.first() {
        let note = |what: &str| format!("{what}: who has {}?", first.target);
        evidence.push(shows(first.first, note("the first question")));
        evidence.push(shows(first.last, note("the last one")));
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
        summary: "a neighbour does not answer ARP".into(),
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
            alone.message.starts_with(
                "10.0.0.9 does not answer ARP: 10.0.0.1 asked for it 3 times over 3.0"
            ),
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
        assert!(told.message.starts_with("30 addresses"), "{}", told.message);
    }

    #[test]
    fn who_takes_part_in_tcp_is_there() {
        let text = format!(
            "{}client :1 server 10.0.0.9:80\nSYN -->\n<-- RST\n",
            asked(9..10)
        );
        assert!(ladder_check::found_by(&RULE, &text).is_none());
    }
}
