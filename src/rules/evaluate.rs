//! All rules over all connections; cases with the same story become one finding.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::net::IpAddr;

use super::catalogue::CATALOGUE;
use super::rule::{Check, Story, Verdict};
use super::{Finding, Severity};
use crate::certainty::Certainty;
use crate::connection::Connection;
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

/// Findings, worst first, then by number of connections, then by first frame; numbered from 1. `connections` in order
/// of their numbers.
#[must_use]
pub fn evaluate(connections: &[Connection], sockets: &[Sockets]) -> Vec<Finding> {
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
    evaluate_sockets(connections, sockets, &mut all);
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

fn evaluate_sockets(
    connections: &[Connection],
    sockets: &[Sockets],
    all: &mut BTreeMap<Same, Cases>,
) {
    let mut by_pair: BTreeMap<(IpAddr, Endpoint), Vec<&Connection>> = BTreeMap::new();
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
