//! Connection attempts that failed and cost nothing, because another connection took their place.
//!
//! One record does not show that: a refused attempt is a failure, as far as its own segments show. In: all summaries and the
//! findings. Out: the numbers of the attempts whose outcome is fine after all.

use std::sync::Arc;

use super::download_parts::DownloadParts;
use super::tls::tls_handshake_cut::is_not_needed;
use super::{Finding, Severity};
use crate::analysis::connection::{
    Connection, ConnectionOutcome, ConnectionSummary, FineReason, Opening, UnknownReason,
};
use crate::analysis::hosts::Fallbacks;

/// The outcome of a connection that another one replaced.
pub(crate) const SPARED: ConnectionOutcome = ConnectionOutcome::Fine(FineReason::NotNeeded);

/// The numbers of all connections of which only others show that they lost nothing: such attempts, and downloads of which the
/// client had its part. `summaries` are in order of first frame.
#[must_use]
pub(crate) fn spared(
    summaries: &[ConnectionSummary],
    connections: &[Arc<Connection>],
    findings: &[Finding],
) -> Vec<u32> {
    let mut spared = spared_attempts(summaries, findings);
    let surplus = findings.iter().filter(|it| is_not_needed(it));
    spared.extend(surplus.flat_map(|it| it.connections.iter().copied()));
    spared.extend(DownloadParts::new(connections).had_their_part(connections));
    spared
}

fn spared_attempts(summaries: &[ConnectionSummary], findings: &[Finding]) -> Vec<u32> {
    let failed = |it: &&ConnectionSummary| {
        let opened = matches!(it.opening, Opening::Handshake | Opening::Midstream);
        // A client that reached another address gives up this one without a segment.
        let unseen = [UnknownReason::NoAnswerSeen, UnknownReason::CutOff];
        let unseen = unseen.map(ConnectionOutcome::Unknown);
        (it.outcome.is_failed() || unseen.contains(&it.outcome)) && !opened
    };
    let failed: Vec<&ConnectionSummary> = summaries.iter().filter(failed).collect();
    if failed.is_empty() {
        return Vec::new();
    }
    let mut named: Vec<(u32, Severity)> = findings
        .iter()
        .flat_map(|it| it.connections.iter().map(|id| (*id, it.severity)))
        .filter(|(id, _)| failed.binary_search_by_key(id, |it| it.id).is_ok())
        .collect();
    named.sort_unstable();
    let worst = |id: u32| {
        let until = named.partition_point(|(other, _)| *other <= id);
        let last = until.checked_sub(1).and_then(|last| named.get(last));
        last.filter(|(other, _)| *other == id)
            .map(|(_, worst)| *worst)
    };
    let fallbacks = Fallbacks::new(summaries);
    let spared = |it: &&ConnectionSummary| match worst(it.id) {
        Some(Severity::Benign) => true,
        Some(Severity::Warning | Severity::Error) => false,
        Some(Severity::Note) | None => fallbacks.of(it).is_some(),
    };
    failed.into_iter().filter(spared).map(|it| it.id).collect()
}
