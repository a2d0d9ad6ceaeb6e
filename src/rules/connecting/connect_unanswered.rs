//! A SYN was sent repeatedly, and nothing answered.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use crate::analysis::connection::{
    By, ConnectionOutcome, ConnectionSummary, FailedReason, Opening,
};
use crate::analysis::hosts::Hosts;
use crate::base::certainty::Certainty;
use crate::base::time::Timestamp;
use crate::protocol::tcp::hops;
use crate::rules::Severity;
use crate::rules::rule::{Check, Diagnosis, HostDiagnosis, rule};
use crate::rules::scans::{Failures, group};
use crate::rules::statement::{Sentence, Statement, Value, sentence};
use crate::rules::wording::{UNSENT, shows};

rule! {
    /// # What happened
    ///
    /// The client sent its SYN several times and got nothing: no SYN-ACK, no RST, no ICMP error. Or the server sent its
    /// SYN-ACK several times, and nothing came from the client any more. The client's log says "connection timed out",
    /// `ETIMEDOUT`, 10060, "Unable to connect to the remote server", curl (28).
    ///
    /// # Why it matters
    ///
    /// No request was sent, so nothing took effect. A firewall or security group may drop the packets, the host may be down,
    /// or no host has the address. A full accept queue and a NAT gateway without free ports look the same. The client
    /// decides how long it tries: Linux stops after about two minutes (`tcp_syn_retries`), Windows after 21 s, and a
    /// program's own timeout is mostly shorter.
    ///
    /// # Remedy
    ///
    /// - *If the server sent no SYN-ACK:* Allow this port in the firewalls and security groups on the way. Check that the address
    ///   is right, and that its host is up.
    /// - *If the server sent no SYN-ACK:* Capture at the server as well: if the SYNs arrive there, the server's own host drops
    ///   them; if not, something on the way does. On the host, look at its firewall, the accept queue (`nstat TcpExtListenOverflows`) and
    ///   reverse path filtering; on the way at firewalls, security groups and routes.
    /// - *If the server sent a SYN-ACK:* Follow the path from the server back to the client: its route, a firewall that has
    ///   not seen the SYN, a security group, a NAT gateway. Capture at the client: the SYN-ACKs do not arrive, or its own
    ///   firewall drops them.
    /// - Set a connect timeout of a few seconds, and let the program try another address.
    ///
    /// # Tell it by
    ///
    /// The SYN is repeated at growing intervals, and nothing comes back: no SYN-ACK, no RST, no ICMP error.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  1.000  again              -->
    ///  3.000  again              -->
    ///  7.000  again              -->
    /// 15.000  again              -->
    ///  => opening unanswered
    /// ```
    ///
    /// Captured at the server, whose SYN-ACKs do not arrive:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.000                     <--  SYN
    ///  1.000  again [noack]      -->
    ///  1.000                     <--  again
    ///  3.000  again [noack]      -->
    ///  3.000                     <--  again
    ///  7.000  again [noack]      -->
    ///  7.000                     <--  again
    ///  => opening rejected
    /// ```
    ///
    /// # Not this
    ///
    /// A SYN at the end of the capture, whose answer may have come later:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  1.000  again              -->
    /// ```
    ///
    /// The capture has one direction only, so answers are not visible. A client that repeats its SYN once may have met a loss:
    ///
    /// ```ladder
    ///         client :40000           server
    ///  0.000  SYN                -->
    ///  0.010                     <~~  SYN
    ///  0.020  GET /              -->
    ///  0.030                     <~~  200 "hello"
    ///  0.040  ACK                -->
    ///         client :40001           server
    ///  0.100  SYN                -->
    ///  1.100  again              -->
    ///  1.120  ACK                -->
    /// ```
    ///
    /// # References
    ///
    /// RFC 9293 §3.8.3 (R1 and R2 of SYNs); RFC 6298 §2.1, §5.7.
    pub(in crate::rules) RULE: "connect-unanswered", Severity::Error,
    "a SYN is repeated and gets no answer, or its SYN-ACK gets none", Check::Hosts(check)
}

/// Retransmissions, over all attempts, from which on it is not packet loss.
const REPETITIONS: u32 = 3;
/// Over at least this time.
const LONG_ENOUGH: Duration = Duration::from_secs(3);
/// An attempt whose last SYN is this near to the end of the capture may still get its answer.
const ANSWERED_WITHIN: Duration = Duration::from_millis(900);
/// A wait for the other address from which on people notice it.
const SLOW: Duration = Duration::from_secs(1);
/// The advice where another address of the same name works.
const UNUSABLE_ADDRESS: &str =
    "Make the silent address reachable, or take it out of DNS until it is: clients try it first.";
/// How the advice begins that the client follows already.
const OTHER_ADDRESS: &str = "Set a connect timeout";

/// What is missing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// Any answer to the SYN.
    Answer,
    /// The same, and the client reached another address at once.
    Fallback,
    /// The client's acknowledgement of the SYN-ACK.
    Acknowledgement,
}

fn check(hosts: &Hosts<'_>) -> Vec<HostDiagnosis> {
    // A client that has its answer does not repeat its SYN, wherever the answer passes.
    let partly = hosts.halves().misses_a_direction();
    let mut all: Vec<Failures<'_, Kind>> = Vec::new();
    for pair in hosts.host_pairs() {
        let of = |is: fn(&ConnectionSummary) -> bool| {
            let own = pair.connections.iter().copied();
            own.filter(|it| is(it)).collect::<Vec<_>>()
        };
        let mut silent = of(is_silent);
        silent.retain(|it| !partly || has_failed(it));
        if partly && silent.is_empty() {
            continue;
        }
        let sure = is_enough(hosts, &silent, |it| it.syn_retries);
        if sure || may_have_failed(hosts, &silent) {
            let benign = silent.iter().all(|it| hosts.fallback(it).is_some());
            all.push(Failures {
                kind: match benign {
                    true => Kind::Fallback,
                    false => Kind::Answer,
                },
                client: pair.client,
                server: pair.server,
                connections: silent,
            });
        }
        let unheard = of(is_unheard);
        if is_enough(hosts, &unheard, |it| it.syn_acks.saturating_sub(1)) {
            all.push(Failures {
                kind: Kind::Acknowledgement,
                client: pair.client,
                server: pair.server,
                connections: unheard,
            });
        }
    }
    let groups = group(hosts, all);
    if groups.is_empty() {
        return Vec::new();
    }
    let answered = hosts.connections.iter().filter(|it| is_answered(it));
    let up: BTreeSet<IpAddr> = answered.map(|it| it.server.ip).collect();
    groups
        .iter()
        .map(|group| {
            group.diagnosis(match group.kind {
                Kind::Answer if is_enough(hosts, &group.connections, |it| it.syn_retries) => {
                    unanswered(hosts, &group.connections, &up, None)
                }
                // One repetition may be lost as well.
                Kind::Answer => Diagnosis {
                    severity: Severity::Warning,
                    certainty: Certainty::Possible,
                    ..unanswered(hosts, &group.connections, &up, None)
                },
                Kind::Fallback => replaced(hosts, &group.connections, &up),
                Kind::Acknowledgement => unheard(&group.connections),
            })
        })
        .collect()
}

/// Whether one attempt is known to have failed, or there were enough retransmissions over all, over long enough, and the
/// capture goes on long enough after them.
fn is_enough(
    hosts: &Hosts<'_>,
    attempts: &[&ConnectionSummary],
    repeated: fn(&ConnectionSummary) -> u8,
) -> bool {
    if attempts.iter().any(|it| has_failed(it)) {
        return true;
    }
    let repetitions: u32 = attempts.iter().map(|it| u32::from(repeated(it))).sum();
    let (Some(first), Some(last)) = (attempts.first(), attempts.iter().map(|it| it.last).max())
    else {
        return false;
    };
    let over = last.since(first.first.time);
    // If the last SYN is the last of its attempt, the capture must go on long enough to show that no answer came.
    let watched = hosts.end.since(last) >= ANSWERED_WITHIN
        || repetitions > REPETITIONS
        || over >= LONG_ENOUGH;
    repetitions >= REPETITIONS && over >= LONG_ENOUGH && watched
}

/// Whether a SYN and its repetition got no answer: the SYN was repeated again, or the capture goes on for as long as an answer to a
/// second repetition would take. A client that gives up after two or three seconds shows no more.
fn may_have_failed(hosts: &Hosts<'_>, attempts: &[&ConnectionSummary]) -> bool {
    let last = attempts.iter().map(|it| it.last).max();
    attempts
        .iter()
        .any(|it| it.syn_retries > 1 && it.last.since(it.first.time) >= ANSWERED_WITHIN * 2)
        || last.is_some_and(|last| hosts.end.since(last) >= ANSWERED_WITHIN)
}

fn is_silent(connection_summary: &ConnectionSummary) -> bool {
    connection_summary.opening == Opening::Unanswered
        && !connection_summary.seen[1]
        && connection_summary.syn_retries > 0
}

/// Whether the server answered, and nothing came back, until it gave up at most.
fn is_unheard(it: &ConnectionSummary) -> bool {
    it.opening == Opening::Rejected
        && matches!(it.by, By::Nobody | By::Server)
        && it.client_syn()
        && it.syn_acks > 1
}

/// Whether the client has given up, or the server has after several answers.
fn has_failed(it: &ConnectionSummary) -> bool {
    let without_answer = ConnectionOutcome::Failed(FailedReason::Unanswered);
    match it.opening {
        Opening::Unanswered => it.outcome == without_answer,
        _ if it.by == By::Nobody => it.outcome == without_answer,
        _ => it.by == By::Server && u32::from(it.syn_acks) > REPETITIONS,
    }
}

/// `up`: hosts that accepted other connections. `instead`: what the client did instead.
fn unanswered(
    hosts: &Hosts<'_>,
    silent: &[&ConnectionSummary],
    up: &BTreeSet<IpAddr>,
    instead: Option<Sentence>,
) -> Diagnosis {
    let (from, until) = span(silent);
    let syns: u64 = silent.iter().map(|it| u64::from(it.syn_retries) + 1).sum();
    let longest = longest(silent);
    let mut message = Statement::from(match silent.len() {
        1 => sentence!(
            "The client sent its SYN {} over {} and got no answer.",
            Value::count(syns, "time", "times"),
            until.since(from)
        ),
        more => sentence!(
            "{} got no answer to {} SYNs. Each attempt sent its SYNs within {}.",
            Value::count(more as u64, "connection attempt", "connection attempts"),
            syns,
            longest
        ),
    });
    if let Some(instead) = instead {
        message.say(instead);
    }
    let (mut before, mut meanwhile) = (0, 0);
    for it in hosts.beside(silent).filter(|it| is_answered(it)) {
        match it.first.time {
            at if at < from => before += 1,
            at if at <= until => meanwhile += 1,
            _ => {}
        }
    }
    if meanwhile > 0 {
        message.say(sentence!(
            "{} between the same two hosts got an answer at that time, so the address is right and the path works.",
            Value::count(
                meanwhile,
                "other connection attempt",
                "other connection attempts"
            )
        ));
    } else if before > 0 {
        message.say(sentence!(
            "{} between the same two hosts got an answer before, so something has changed after that.",
            Value::count(before, "connection attempt", "connection attempts")
        ));
    }
    let whole = |is: fn(&ConnectionSummary) -> bool| silent.iter().all(|it| is(it));
    let lost = whole(ConnectionSummary::lost_on_the_way);
    if lost {
        message.say(sentence!(
            "The capture nearer to the server has none of these SYNs: they were lost between {}.",
            Value::Between(silent.iter().map(|it| it.first.frame).collect())
        ));
    } else if whole(ConnectionSummary::passed_both) {
        message.say("Both places of capture have the SYN.");
        message.presume("The SYN is dropped at the place nearer to the server, or behind it.");
    } else {
        let host_is_up = silent.iter().all(|it| up.contains(&it.server.ip));
        if (meanwhile, before) == (0, 0) && host_is_up {
            message.say("The server's host accepted other connections.");
        }
        message.presume(match (meanwhile, before) {
            (1.., _) => {
                "The server's accept queue was full, a limit on connections was reached, or a NAT gateway had no free port."
            }
            (0, 1..) => "A firewall or a route changed, or the server's host went down.",
            (0, 0) if host_is_up => "A firewall drops the SYNs to this port.",
            (0, 0) => "A firewall drops the SYNs, or no host that is up has this address.",
        });
    }
    message.mean(UNSENT);
    let mut remedies = RULE.remedies();
    if meanwhile > 0 {
        remedies.retain(|it| !it.text().starts_with(CHECK_ADDRESS));
    }
    let mut evidence = Vec::new();
    if let Some(first) = silent.first() {
        evidence.push(shows(first.first, "first SYN"));
        if first.close != first.first {
            evidence.push(shows(
                first.close,
                format!(
                    "last retransmission of that SYN, number {}",
                    first.syn_retries
                ),
            ));
        }
    }
    Diagnosis {
        severity: Severity::Error,
        certainty: match lost {
            true => Certainty::Certain,
            false => Certainty::Likely,
        },
        summary: "[A connection attempt|# connection attempts] got no answer".into(),
        message,
        evidence,
        remedies,
    }
}

/// Attempts that got no answer, each of which a connection to another address replaced.
fn replaced(hosts: &Hosts<'_>, silent: &[&ConnectionSummary], up: &BTreeSet<IpAddr>) -> Diagnosis {
    let delays = silent.iter().filter_map(|it| {
        let instead = hosts.fallback(it)?;
        Some((instead.first.time.since(it.first.time), instead.id))
    });
    let Some((longest, instead)) = delays.max() else {
        return unanswered(hosts, silent, up, None);
    };
    let instead = match silent.len() {
        1 => sentence!(
            "The client opened connection {} to another address with the same port instead, {} after the first SYN.",
            format!("#{instead}"),
            longest
        ),
        _ => sentence!(
            "For each of them the client opened a connection to another address with the same port instead, at most {} \
             after the first SYN.",
            longest
        ),
    };
    let mut diagnosis = unanswered(hosts, silent, up, Some(instead));
    diagnosis.message.mean_only(match longest >= SLOW {
        true => "Only time was lost: each new connection waits for it first.",
        false => "Only that time was lost.",
    });
    diagnosis
        .remedies
        .retain(|it| !it.text().starts_with(OTHER_ADDRESS));
    diagnosis.remedies.insert(0, UNUSABLE_ADDRESS.into());
    Diagnosis {
        severity: match longest >= SLOW {
            true => Severity::Note,
            false => Severity::Benign,
        },
        summary:
            "[A connection attempt|# connection attempts] got no answer; another address worked"
                .into(),
        ..diagnosis
    }
}

fn unheard(attempts: &[&ConnectionSummary]) -> Diagnosis {
    let (from, until) = span(attempts);
    let answers: u64 = attempts.iter().map(|it| u64::from(it.syn_acks)).sum();
    // SYNs that came before the first SYN-ACK do not show that it was lost.
    let again = attempts.iter().any(|it| it.syn_again());
    let before: u64 = attempts.iter().map(|it| u64::from(it.syn_retries)).sum();
    let mut message = Statement::from(match attempts.len() {
        1 => sentence!(
            "The server answered the SYN and sent its SYN-ACK {} within {}. Nothing acknowledged it.",
            Value::count(answers, "time", "times"),
            until.since(from)
        ),
        more => sentence!(
            "The server answered {} and sent {} SYN-ACKs within {}. Nothing acknowledged them.",
            Value::count(more as u64, "connection attempt", "connection attempts"),
            answers,
            until.since(from)
        ),
    });
    let beside = |it: &&ConnectionSummary| hops(it.client_ttl) == 0 && hops(it.server_ttl) > 0;
    let near = attempts.iter().all(beside);
    if near {
        message.say("The capture was taken beside the client: the SYN-ACKs had passed every router on the way.");
        message.presume(match again || before > 0 {
            true => "A firewall on the client's host drops the SYN-ACKs.",
            false => "The client's host did not wait for them: a firewall on it, a scanner, or a forged address.",
        });
        message.mean(UNSENT);
    } else if again {
        message.say("The SYN came again after the SYN-ACK, so its sender did not get the SYN-ACK.");
        message.presume("The path from the server back to the client is broken.");
        message.mean(UNSENT);
    } else if before > 0 {
        message.say("The SYN came again before the first SYN-ACK, and not after it.");
        message
            .presume("The client had timed out before, or the SYN-ACKs are lost on the way back.");
        message.mean(UNSENT);
    } else {
        message.say("The SYN did not come again.");
        message.presume(
            "The SYN-ACKs are lost on the way back, or the sender of the SYN is not there: a forged address, or a scanner.",
        );
    }
    let mut evidence = Vec::new();
    if let Some(first) = attempts.first() {
        evidence.push(shows(first.first, "first SYN"));
        evidence.push(match first.by {
            By::Server => shows(first.close, "RST from the server, which timed out"),
            _ => shows(
                first.close,
                format!("last of {} SYN-ACKs, nothing follows", first.syn_acks),
            ),
        });
    }
    Diagnosis {
        severity: match again {
            false => Severity::Warning,
            true => Severity::Error,
        },
        certainty: match again {
            false => Certainty::Possible,
            true => Certainty::Likely,
        },
        summary: "[A SYN-ACK|SYN-ACKs on # connections] got no acknowledgement".into(),
        message,
        evidence,
        remedies: RULE.remedies(),
    }
}

/// How the advice begins that is of no use where the host has another open connection.
pub(in crate::rules) const CHECK_ADDRESS: &str = "Allow this port in the firewalls";

fn is_answered(it: &ConnectionSummary) -> bool {
    it.seen[1] && matches!(it.opening, Opening::Handshake | Opening::Midstream)
}

fn span(attempts: &[&ConnectionSummary]) -> (Timestamp, Timestamp) {
    let from = attempts.first().map(|it| it.first.time);
    let until = attempts.iter().map(|it| it.last).max();
    (from.unwrap_or_default(), until.unwrap_or_default())
}

fn longest(attempts: &[&ConnectionSummary]) -> Duration {
    let tried = attempts.iter().map(|it| it.last.since(it.first.time));
    tried.max().unwrap_or_default()
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
    fn attempts_add_up() {
        let attempt = |port: u16| format!("client :{port} server\n+500ms SYN -->\n+1s again -->\n");
        let three = finding(&(1..=3).map(attempt).collect::<String>()).expect("found");
        assert!(
            three
                .message
                .starts_with("3 connection attempts got no answer to 6 SYNs"),
            "{}",
            three.message
        );
        assert!(finding(&(1..=2).map(attempt).collect::<String>()).is_none());
    }

    /// Wherever an answer passes: a client that has it does not ask again.
    #[test]
    fn a_client_that_repeats_its_syn_got_no_answer_in_any_direction() {
        let half =
            "client :40000 server\nSYN -->\n<~~ SYN\nGET / -->\n<~~ 200 \"hello\"\nACK -->\n";
        let again = "client :40001 server :81\n+100ms SYN -->\n+1s again -->\n+2s again -->\n";
        assert!(finding(&format!("{half}{again}+4s again -->")).is_some());
        assert!(finding(&format!("{half}{again}+10ms ACK -->\nGET / -->")).is_none());
    }

    /// Programs for sharing files call addresses that they heard of, each at a port of its own.
    #[test]
    fn peers_that_are_gone_are_a_note() {
        let severity = |port: fn(u16) -> u16| {
            let attempt = |nth: u16| {
                let (used, port) = (
                    if nth.is_multiple_of(3) {
                        "<-- SYN\nACK -->\ndata 9 -->\n<-- ACK"
                    } else {
                        "+1s again -->"
                    },
                    port(nth),
                );
                format!(
                    "client :{} server 10.1.0.{nth}:{port}\n+500ms SYN -->\n{used}\n",
                    40_000 + nth
                )
            };
            let all = (1..=30).map(attempt).collect::<String>();
            finding(&all).expect("found").severity
        };
        assert_eq!(severity(|nth| 5000 + nth * 7), Severity::Note);
        assert_eq!(severity(|_| 5000), Severity::Error, "one service");
        assert_eq!(severity(|_| 443), Severity::Error, "one service");
    }

    /// What a client that reached another address lost is time.
    #[test]
    fn an_address_that_another_one_replaced_costs_time() {
        let found_after = |wait: &str| {
            let silent =
                "client :40000 server 10.1.0.1:80\nSYN -->\n+1s again -->\n+2s again -->\n";
            let other = "client :40001 server 10.1.0.2:80\n";
            let used = "<-- SYN\nACK -->\nGET / -->\n<-- 200 \"a\"\nFIN -->\n<-- FIN\nACK -->";
            let text = format!("{silent}{other}+{wait} SYN -->\n{used}");
            let run = ladder_check::run(&text.parse().expect("a ladder"));
            let outcome = run.connections[0].outcome;
            let found = run.findings.into_iter().find(|it| it.rule == RULE.name);
            (found.expect("found"), outcome)
        };
        let (found, outcome) = found_after("500ms");
        assert_eq!(found.severity, Severity::Note);
        assert!(outcome.is_fine(), "{outcome:?}");
        let (said, means) = (found.message.happened(), found.message.meaning());
        assert!(
            said.contains("opened connection #2 to another address"),
            "{said}"
        );
        assert!(said.contains("3.50 s after the first SYN"), "{said}");
        assert_eq!(
            means,
            "Only time was lost: each new connection waits for it first."
        );
        assert_eq!(
            found_after("5s").0.severity,
            Severity::Error,
            "too late to be instead of it"
        );
    }

    /// Many clients give up after two or three seconds.
    #[test]
    fn one_repetition_is_possibly_a_failure() {
        let found_after = |wait: &str| {
            let other = "client 10.5.5.5:9 server 10.9.9.9:80\n";
            let text = format!("SYN -->\n+1s again -->\n{other}+{wait} SYN -->\n<-- SYN\nACK -->");
            finding(&text).map(|it| it.certainty)
        };
        assert_eq!(found_after("1s"), Some(Certainty::Possible));
        assert_eq!(found_after("100ms"), None);
        // The capture stops with the client: the second SYN shows that the first had no answer, and the third that of the second.
        let stopped = finding("SYN -->\n+1s again -->\n+1s again -->").expect("found");
        assert_eq!(stopped.certainty, Certainty::Possible);
    }

    #[test]
    fn quick_retransmissions_are_no_silence() {
        assert!(finding("SYN -->\n+100ms again -->\n+100ms again -->\n+100ms again -->").is_none());
    }

    #[test]
    fn others_that_are_answered_are_reported() {
        let text = "client :1 server\nSYN -->\n<-- SYN\nACK -->\nclient :2 server
            SYN -->\n+1s again -->\n+2s again -->\n+4s again -->";
        assert!(
            finding(text)
                .expect("found")
                .message
                .contains("1 connection attempt between the same two hosts got an answer before")
        );
        let text = "client :2 server\nSYN -->\nclient :1 server\nSYN -->\n<-- SYN\nACK -->
            client :2 server\n+1s again -->\n+2s again -->\n+4s again -->";
        let told = finding(text).expect("found").message;
        assert!(
            told.contains("1 other connection attempt between"),
            "{told}"
        );
    }

    #[test]
    fn others_are_reported_however_many_were_not_answered() {
        let mut text = String::from("client :1 server\nSYN -->\n<-- SYN\nACK -->\n");
        for port in 2..200 {
            text += &format!("client :{port} server\nSYN -->\n+1s again -->\n");
        }
        let told = finding(&text).expect("found").message;
        assert!(
            told.contains("1 connection attempt between the same two hosts got an answer before"),
            "{told}"
        );
    }

    #[test]
    fn syn_acks_that_nothing_acknowledges_are_reported() {
        // Its timer and an answer, 60 us apart, are two.
        let twice = "SYN -->\n+60us <-- SYN\n+60us <-- again\n";
        let server_alone = format!("{twice}+1s <-- again\n+1s <-- again\n+2s <-- again\n");
        let told = finding(&server_alone).expect("found");
        assert_eq!(
            (told.severity, told.certainty),
            (Severity::Warning, Certainty::Possible)
        );
        assert!(told.message.contains("SYN-ACK 5 times"), "{}", told.message);
        let both =
            format!("{twice}+1s again [noack] -->\n<-- again\n+2s again [noack] -->\n<-- again\n");
        let told = finding(&both).expect("found");
        assert_eq!(
            (told.severity, told.certainty),
            (Severity::Error, Certainty::Likely)
        );
        let heard = format!("{both}ACK -->\n");
        assert!(finding(&heard).is_none());
        let rules = ladder_check::run(&both.parse().expect("a ladder")).rules();
        assert_eq!(rules, [RULE.name]);
    }

    #[test]
    fn one_client_with_many_addresses_is_one_finding() {
        let mut text = String::new();
        for host in 2..8 {
            text.push_str(&format!("client :40000 server 10.0.0.{host}:80\nSYN -->\n"));
        }
        for wait in [1, 2, 4] {
            for host in 2..8 {
                let wait = if host == 2 { wait } else { 0 };
                text.push_str(&format!(
                    "client :40000 server 10.0.0.{host}:80\n+{wait}s again -->\n"
                ));
            }
        }
        let all = ladder_check::run(&text.parse().expect("a ladder")).findings;
        let [told] = &all[..] else {
            panic!("{} findings", all.len())
        };
        assert_eq!((told.server, told.connections.len()), (None, 6));
        assert!(
            told.message.contains("6 addresses and ports"),
            "{}",
            told.message
        );
    }
}
