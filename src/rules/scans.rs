//! Clients that try very many servers, which are reported once.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::{Diagnosis, HostDiagnosis, Severity};
use crate::analysis::hosts::Hosts;
use crate::base::certainty::Certainty;
use crate::base::format::number;

/// Number of servers (address and port) from which on a client that fails with most of them is scanning, and gets one
/// finding only.
const A_SCAN: usize = 20;

/// Clients that try very many servers and use few.
fn scanners(hosts: &Hosts<'_>) -> BTreeMap<IpAddr, usize> {
    let mut tried: BTreeMap<IpAddr, (usize, usize)> = BTreeMap::new();
    for host_pairs in hosts.host_pairs() {
        let (all, used) = tried.entry(host_pairs.client).or_default();
        *all += 1;
        *used += usize::from(host_pairs.connections.iter().any(|it| it.spoke[0]));
    }
    let scans = tried
        .into_iter()
        .filter(|(_, (all, used))| *all >= A_SCAN && used * 4 < *all);
    scans.map(|(client, (all, _))| (client, all)).collect()
}

/// Merges the findings of one client with very many servers into one note.
pub(super) fn collapse_scans(
    hosts: &Hosts<'_>,
    all: Vec<HostDiagnosis>,
    what: &str,
) -> Vec<HostDiagnosis> {
    if all.is_empty() {
        return all;
    }
    let scanners = scanners(hosts);
    let mut by_client: BTreeMap<Option<IpAddr>, Vec<HostDiagnosis>> = BTreeMap::new();
    for found in all {
        by_client.entry(found.client).or_default().push(found);
    }
    let mut kept = Vec::new();
    for (client, mut found) in by_client {
        let Some(servers) = client.and_then(|client| scanners.get(&client)) else {
            kept.append(&mut found);
            continue;
        };
        let mut connections: Vec<u32> =
            found.iter().flat_map(|it| it.connections.clone()).collect();
        connections.sort_unstable();
        let first = found.iter().map(|it| it.first).min().unwrap_or_default();
        let evidence = found.swap_remove(0).story.evidence;
        kept.push(HostDiagnosis {
            story: Diagnosis {
                severity: Severity::Note,
                certainty: Certainty::Likely,
                summary: format!("{what}, with {} addresses and ports tried by one client", number(*servers)).into(),
                message: format!(
                    "One client tried {} addresses and ports and used few of them; {what}. That is how a scanner works, or a program that \
                     asks a whole network; each failure by itself says little.",
                    number(*servers)
                ).into(),
                evidence,
                remedies: vec!["Find out which program on the client does this, and whether it should.".into()],
            },
            client,
            server: None,
            connections,
            first,
        });
    }
    kept
}
