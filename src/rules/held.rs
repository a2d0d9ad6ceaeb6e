//! Findings about waiting say which segment was held on the way, where several places of capture show it.
//!
//! In: findings, and what places show of segments. A segment that came late explains a timeout, or a retransmission, of the side
//! that waited for it or for its acknowledgement.

use std::time::Duration;

use super::Finding;
use super::connecting::{connect_delayed, connect_unanswered};
use super::facts::RuleInput;
use super::statement::sentence;
use super::tcp::{fin_unanswered, keepalive_probes_unanswered, retransmissions_exhausted};
use super::waiting::{client_gave_up_waiting, gateway_timeout, server_time_limit};
use super::wording::side;
use crate::analysis::connection::Who;
use crate::base::passage::Sight;

/// A segment that was held for less than this causes neither a retransmission nor a timeout.
const LEAST: Duration = Duration::from_millis(200);

/// The rules whose findings are about a side that waited.
const WAITED: [&str; 8] = [
    client_gave_up_waiting::RULE.name,
    gateway_timeout::RULE.name,
    server_time_limit::RULE.name,
    connect_delayed::RULE.name,
    connect_unanswered::RULE.name,
    fin_unanswered::RULE.name,
    keepalive_probes_unanswered::RULE.name,
    retransmissions_exhausted::RULE.name,
];

/// Says of these findings which segment was held before the last event of each.
pub(super) fn tell(findings: &mut [Finding], facts: &RuleInput<'_>) {
    let frames = facts.frames;
    for finding in findings.iter_mut().filter(|it| WAITED.contains(&it.rule)) {
        let shown = finding.example.or(finding.connections.first().copied());
        let Some(connection) = shown.and_then(|id| facts.record(id)) else {
            continue;
        };
        let ends = [connection.client, connection.server];
        let last = finding.evidence.iter().map(|it| it.frame_ref.frame).max();
        let span = [
            connection.first.frame,
            last.unwrap_or(connection.last.frame),
        ];
        let held = frames.sightings(ends, span).filter_map(|it| match it.what {
            Sight::Held(from, to, time) if time >= LEAST => Some((time, it, from, to)),
            _ => None,
        });
        let Some((time, sighting, from, to)) = held.max_by_key(|it| it.0) else {
            continue;
        };
        let sender = match sighting.ends[0] == connection.client {
            true => Who::Client,
            false => Who::Server,
        };
        let said = sentence!(
            "A segment from the {} ({}) was held {} on the way, between {}.",
            side(sender),
            sighting.frame,
            time,
            frames.both_places(from, to)
        );
        finding.message.say(said, frames);
    }
}
