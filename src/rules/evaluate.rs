//! Evaluates all rules over all connections; equal cases are merged into one finding.

use super::facts::RuleInput;
use crate::base::format::number;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::catalogue::CATALOGUE;
use super::classify::{Ending, ending};
use super::product_remedies::tailor;
use super::rule::{Check, Diagnosis, HostDiagnosis, Rule, Verdict};
use super::wording::not_yet;
use super::{Finding, Severity};
use crate::analysis::connection::{Connection, ConnectionSummary};
use crate::analysis::hosts::{Hosts, Sockets};
use crate::base::certainty::Certainty;
use crate::base::escape::shortened;
use crate::base::frame_ref::FrameNumber;
use crate::base::net::Endpoint;
use crate::protocol::dns::Lookups;
use crate::rules::tls::tls_handshake_cut;

/// What makes two cases equal.
type CaseKey = (
    usize,
    Severity,
    Certainty,
    Option<IpAddr>,
    Option<Endpoint>,
    FrameNumber,
);

/// Equal cases on one or many connections.
struct Cases {
    /// The diagnosis of the first case.
    story: Diagnosis,
    first: FrameNumber,
    connections: Vec<u32>,
}

/// Rules whose findings cause one another when they are about the same two hosts, cause first.
const STORY: [&str; 6] = [
    "duplicate-connection-close",
    "keep-alive-refused",
    "connection-per-request",
    "time-wait-on-client",
    "ephemeral-port-pressure",
    "ephemeral-ports-exhausted",
];

/// Whether any rule finds something on this connection alone: if so, its full record is worth keeping.
#[must_use]
pub(crate) fn concerns(connection: &Connection) -> bool {
    let ending = ending(connection);
    let found = |rule: &Rule| look(rule, connection, ending.as_ref());
    CATALOGUE
        .iter()
        .any(|rule| matches!(found(rule), Verdict::Found(_)))
}

/// The verdict of one rule on one connection alone.
fn look(rule: &Rule, connection: &Connection, ending: Option<&Ending<'_>>) -> Verdict {
    match (rule.check, ending) {
        (Check::Connection(check), _) => check(connection),
        (Check::Ending(readings, check), Some(ending)) if readings.contains(&ending.reading) => {
            check(connection, ending)
        }
        (Check::Ending(..), None) => not_yet(connection),
        (
            Check::Ending(..)
            | Check::Sockets(_)
            | Check::Hosts(_)
            | Check::All(_)
            | Check::Capture(_),
            _,
        ) => Verdict::Clear,
    }
}

/// The findings, worst first, then by number of connections, then by first frame; numbered from 1.
#[must_use]
pub fn evaluate(facts: &RuleInput<'_>) -> Vec<Finding> {
    let mut all: BTreeMap<CaseKey, Cases> = BTreeMap::new();
    for connection in facts.connections {
        let ending = ending(connection);
        for (index, rule) in CATALOGUE.iter().enumerate() {
            if let Verdict::Found(mut story) = look(rule, connection, ending.as_ref()) {
                if rule.name == tls_handshake_cut::RULE.name {
                    tls_handshake_cut::temper(&mut story, connection, facts.summaries);
                }
                let same = (
                    index,
                    story.severity,
                    story.certainty,
                    Some(connection.client.ip),
                    Some(connection.server),
                    FrameNumber(0),
                );
                let first = connection.first.frame;
                let cases = all.entry(same).or_insert_with(|| Cases {
                    story: *story,
                    first,
                    connections: Vec::new(),
                });
                cases.connections.push(connection.id);
            }
        }
    }
    collapse(&mut all);
    all.extend(evaluate_summaries(facts));
    let mut cases: Vec<(CaseKey, Cases)> = all.into_iter().collect();
    cases.sort_by_key(|((rule, severity, ..), cases)| {
        (
            Reverse(*severity),
            Reverse(cases.connections.len()),
            cases.first,
            *rule,
        )
    });
    let findings = cases.into_iter().zip(1..);
    let mut findings: Vec<Finding> = findings
        .map(|(((rule, _, _, client, server, _), cases), id)| {
            let story = cases.story;
            Finding {
                id,
                rule: CATALOGUE[rule].name,
                severity: story.severity,
                certainty: story.certainty,
                connections: cases.connections,
                client,
                server,
                caused_by: None,
                summary: story.summary,
                message: story.message,
                evidence: story.evidence,
                remedies: story.remedies,
            }
        })
        .collect();
    join(&mut findings);
    name(&mut findings, facts.lookups);
    tailor(&mut findings, facts.connections);
    findings
}

/// Number of servers from which on one client's equal cases are merged.
const MANY_SERVERS: usize = 20;

/// Merges the equal cases of one client with very many servers, which is a scanner, a load generator or a proxy.
fn collapse(all: &mut BTreeMap<CaseKey, Cases>) {
    type CaseSource = (usize, Severity, Certainty, Option<IpAddr>);
    let mut sources: BTreeMap<CaseSource, Vec<CaseKey>> = BTreeMap::new();
    for same in all.keys() {
        let (rule, severity, certainty, client, ..) = *same;
        let source = (rule, severity, certainty, client);
        sources.entry(source).or_default().push(*same);
    }
    for ((rule, severity, certainty, client), servers) in sources {
        if servers.len() < MANY_SERVERS {
            continue;
        }
        let mut cases: Vec<Cases> = servers.iter().filter_map(|it| all.remove(it)).collect();
        cases.sort_by_key(|it| it.first);
        let mut connections: Vec<u32> =
            cases.iter().flat_map(|it| it.connections.clone()).collect();
        connections.sort_unstable();
        let others = cases.len() - 1;
        let Some(mut first) = cases.into_iter().next() else {
            continue;
        };
        first.story.message.push_str(&format!(
            " This client has the same story with {} other addresses and ports.",
            number(others)
        ));
        first.connections = connections;
        let same = (rule, severity, certainty, client, None, FrameNumber(0));
        all.insert(same, first);
    }
}

/// Adds the name by which the client knew the server, if the lookup was captured.
fn name(findings: &mut [Finding], lookups: &Lookups) {
    for finding in findings {
        let (Some(client), Some(server)) = (finding.client, finding.server) else {
            continue;
        };
        if let Some(lookup) = lookups.of(client, server.ip)
            && finding.severity >= Severity::Warning
        {
            let name = shortened(&lookup.name, 80);
            let frame = lookup
                .answer
                .map_or(lookup.asked, |answer| answer.at)
                .frame
                .0;
            finding.message.push_str(&format!(
                " The client knew {} as {name} (frame {frame}).",
                server.ip
            ));
        }
    }
}

/// Sets the cause of each finding that follows from another.
fn join(findings: &mut [Finding]) {
    let place = |finding: &Finding| STORY.iter().position(|name| *name == finding.rule);
    for index in 0..findings.len() {
        let Some(own) = place(&findings[index]) else {
            continue;
        };
        let hosts = |finding: &Finding| (finding.client, finding.server);
        let causes = findings.iter().filter(|other| {
            hosts(other) == hosts(&findings[index]) && place(other).is_some_and(|it| it < own)
        });
        let cause = causes
            .max_by_key(|other| place(other))
            .map(|other| other.id);
        findings[index].caused_by = cause;
    }
}

/// Evaluates the rules that need many connections. Each rule scans the summaries of all connections, which takes time
/// if there are many: two threads share the rules.
fn evaluate_summaries(facts: &RuleInput<'_>) -> BTreeMap<CaseKey, Cases> {
    let hosts = Hosts::new(facts.summaries, facts.sockets, facts.end);
    let next = AtomicUsize::new(0);
    let work = || {
        let mut found = BTreeMap::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(rule) = CATALOGUE.get(index) else {
                return found;
            };
            evaluate_hosts(facts, &hosts, (index, rule), &mut found);
        }
    };
    std::thread::scope(|scope| {
        let other = scope.spawn(work);
        let mut found = evaluate_sockets(facts.summaries, facts.sockets);
        found.extend(work());
        match other.join() {
            Ok(others) => found.extend(others),
            Err(panic) => std::panic::resume_unwind(panic),
        }
        found
    })
}

fn evaluate_hosts(
    facts: &RuleInput<'_>,
    hosts: &Hosts<'_>,
    (index, rule): (usize, &Rule),
    all: &mut BTreeMap<CaseKey, Cases>,
) {
    let found = match rule.check {
        Check::Hosts(check) => check(hosts),
        Check::All(check) => check(facts, hosts),
        Check::Capture(check) => match check(&facts.capture_quality, hosts) {
            Verdict::Found(story) => vec![HostDiagnosis {
                story: *story,
                client: None,
                server: None,
                connections: Vec::new(),
                first: FrameNumber(0),
            }],
            Verdict::Clear | Verdict::NotYet => return,
        },
        Check::Connection(_) | Check::Ending(..) | Check::Sockets(_) => return,
    };
    for it in found {
        let (severity, certainty) = (it.story.severity, it.story.certainty);
        let same = (index, severity, certainty, it.client, it.server, it.first);
        let cases = Cases {
            story: it.story,
            first: it.first,
            connections: it.connections,
        };
        all.insert(same, cases);
    }
}

fn evaluate_sockets(
    connections: &[ConnectionSummary],
    sockets: &[Sockets],
) -> BTreeMap<CaseKey, Cases> {
    let mut all = BTreeMap::new();
    let mut by_pair: BTreeMap<(IpAddr, Endpoint), Vec<&ConnectionSummary>> = BTreeMap::new();
    for row in sockets {
        by_pair.entry((row.client, row.server)).or_default();
    }
    for connection in connections {
        if let Some(list) = by_pair.get_mut(&(connection.client.ip, connection.server)) {
            list.push(connection);
        }
    }
    for row in sockets {
        let own = &by_pair[&(row.client, row.server)];
        for (index, rule) in CATALOGUE.iter().enumerate() {
            let Check::Sockets(check) = rule.check else {
                continue;
            };
            if let Verdict::Found(story) = check(row, own) {
                let same = (
                    index,
                    story.severity,
                    story.certainty,
                    Some(row.client),
                    Some(row.server),
                    FrameNumber(0),
                );
                let first = own
                    .first()
                    .map_or(FrameNumber(0), |connection| connection.first.frame);
                let connections = own.iter().map(|connection| connection.id).collect();
                all.insert(
                    same,
                    Cases {
                        story: *story,
                        first,
                        connections,
                    },
                );
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::super::ladder_check;
    use super::*;

    /// Three connections of one client whose responses carry the option twice, one of another client, and two that are
    /// reset.
    const MANY: &str = "
        client :40001 [times=3 every=10s] server
        GET / -->
        <-- 200 [close close] FIN
        client 10.0.0.9:40001 server
        GET / -->
        <-- 200 [close close] FIN
        client :50001 [times=2 every=10s] server
        SYN -->
        <-- SYN
        POST / -->
        +40ms <-- RST";

    #[test]
    fn cases_with_the_same_story_are_one_finding_worst_first() {
        let findings = ladder_check::run(&MANY.parse().expect("a ladder")).findings;
        let told: Vec<_> = findings
            .iter()
            .map(|finding| {
                let client = finding.client.map(|ip| ip.to_string()).unwrap_or_default();
                (
                    finding.id,
                    finding.rule,
                    client,
                    finding.connections.clone(),
                )
            })
            .collect();
        let wanted = [
            (
                1,
                "reset-before-response",
                "10.0.0.1".to_owned(),
                vec![3, 5],
            ),
            (
                2,
                "duplicate-connection-close",
                "10.0.0.1".to_owned(),
                vec![1, 4, 6],
            ),
            (
                3,
                "duplicate-connection-close",
                "10.0.0.9".to_owned(),
                vec![2],
            ),
        ];
        assert_eq!(told, wanted);
        assert!(
            findings.iter().all(|finding| !finding.evidence.is_empty()),
            "no frame, no finding"
        );
    }

    #[test]
    fn a_server_is_called_by_the_name_that_was_looked_up() {
        let text = "
            client :5000 server 10.0.0.53:53
            lookup shop.example -->
            <-- address 10.0.0.2
            client :40000 server
            SYN -->
            <-- SYN
            GET / -->
            +40ms <-- RST";
        let findings = ladder_check::run(&text.parse().expect("a ladder")).findings;
        let message = &findings[0].message;
        assert!(
            message.ends_with("The client knew 10.0.0.2 as shop.example (frame 2)."),
            "{message}"
        );
    }

    #[test]
    fn one_client_with_the_same_story_everywhere_is_told_of_once() {
        let mut text = String::new();
        for port in 1..=25 {
            text.push_str(&format!(
                "client :40000 server 10.0.0.2:{port}\nSYN FIN -->\n<-- RST\n"
            ));
        }
        let findings = ladder_check::run(&text.parse().expect("a ladder")).findings;
        let own: Vec<_> = findings
            .iter()
            .filter(|it| it.rule == "tcp-flags-anomaly")
            .collect();
        let [finding] = own[..] else {
            panic!("one finding, not {}", own.len())
        };
        assert_eq!((finding.server, finding.connections.len()), (None, 25));
    }

    #[test]
    fn what_concerns_a_rule_is_what_it_finds() {
        let proof = ladder_check::run(&MANY.parse().expect("a ladder"));
        assert!(proof.connections.iter().all(concerns));
        let fine = ladder_check::run(&"GET / -->\n<-- 200".parse().expect("a ladder"));
        assert!(!fine.connections.iter().any(concerns));
    }
}
