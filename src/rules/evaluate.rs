//! All rules over all connections; cases with the same story become one finding.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::net::IpAddr;

use super::catalogue::CATALOGUE;
use super::rule::{Check, Story, Verdict};
use super::{Finding, Severity};
use crate::certainty::Certainty;
use crate::connection::{Brief, Connection};
use crate::decode::Endpoint;
use crate::hosts::Sockets;
use crate::mark::FrameNumber;

/// What makes two cases the same story.
type Same = (usize, Severity, Certainty, IpAddr, Endpoint);

/// The same story on one or many connections.
struct Cases {
    /// The first case.
    story: Box<Story>,
    first: FrameNumber,
    connections: Vec<u32>,
}

/// Whether any rule finds something on this connection by itself: what is worth keeping whole.
#[must_use]
pub fn concerns(connection: &Connection) -> bool {
    CATALOGUE.iter().any(|rule| match rule.check {
        Check::Connection(check) => matches!(check(connection), Verdict::Found(_)),
        Check::Sockets(_) => false,
    })
}

/// Findings, from the connections that are wanted whole ([`concerns`] at the least) and a line of each. Worst first, then by number of connections, then by first frame; numbered from 1. `connections` in order
/// of their numbers.
#[must_use]
pub fn evaluate(connections: &[Connection], briefs: &[Brief], sockets: &[Sockets]) -> Vec<Finding> {
    let mut all: BTreeMap<Same, Cases> = BTreeMap::new();
    for connection in connections {
        for (index, rule) in CATALOGUE.iter().enumerate() {
            let Check::Connection(check) = rule.check else {
                continue;
            };
            if let Verdict::Found(story) = check(connection) {
                let same = (
                    index,
                    story.severity,
                    story.certainty,
                    connection.client.ip,
                    connection.server,
                );
                let first = connection.first.frame;
                let cases = all.entry(same).or_insert_with(|| Cases {
                    story,
                    first,
                    connections: Vec::new(),
                });
                cases.connections.push(connection.id);
            }
        }
    }
    evaluate_sockets(briefs, sockets, &mut all);
    let mut cases: Vec<(Same, Cases)> = all.into_iter().collect();
    cases.sort_by_key(|((rule, severity, ..), cases)| {
        (
            Reverse(*severity),
            Reverse(cases.connections.len()),
            cases.first,
            *rule,
        )
    });
    let findings = cases
        .into_iter()
        .zip(1..)
        .map(|(((rule, _, _, client, server), cases), id)| {
            let story = *cases.story;
            Finding {
                id,
                rule: CATALOGUE[rule].name,
                severity: story.severity,
                certainty: story.certainty,
                connections: cases.connections,
                client: Some(client),
                server: Some(server),
                summary: story.summary,
                message: story.message,
                evidence: story.evidence,
                remedies: story.remedies,
            }
        });
    findings.collect()
}

fn evaluate_sockets(connections: &[Brief], sockets: &[Sockets], all: &mut BTreeMap<Same, Cases>) {
    let mut by_pair: BTreeMap<(IpAddr, Endpoint), Vec<&Brief>> = BTreeMap::new();
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
                    row.client,
                    row.server,
                );
                let first = own
                    .first()
                    .map_or(FrameNumber(0), |connection| connection.first.frame);
                let connections = own.iter().map(|connection| connection.id).collect();
                all.insert(
                    same,
                    Cases {
                        story,
                        first,
                        connections,
                    },
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::proof;
    use super::*;

    /// Three connections of one client whose responses say it twice, one of another client, and two that are reset.
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
        <-- RST";

    #[test]
    fn cases_with_the_same_story_are_one_finding_worst_first() {
        let findings = proof::run(&MANY.parse().expect("a ladder")).findings;
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
    fn what_concerns_a_rule_is_what_it_finds() {
        let proof = proof::run(&MANY.parse().expect("a ladder"));
        assert!(proof.connections.iter().all(concerns));
        let fine = proof::run(&"GET / -->\n<-- 200".parse().expect("a ladder"));
        assert!(!fine.connections.iter().any(concerns));
    }
}
