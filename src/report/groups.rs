//! Groups of connections that ended in the same way, each shown once.

use std::net::IpAddr;

use hashbrown::HashMap;

use super::view::View;
use crate::analysis::connection::{By, Connection, ConnectionOutcome, How, Opening, Phase};
use crate::base::certainty::Certainty;
use crate::base::net::Endpoint;
use crate::rules::Severity;

/// Groups on a page. For more than two screens of them, a filter or another format is the better tool.
pub(super) const MOST: usize = 40;

/// Connections that ended in the same way.
pub(super) struct ConnectionGroup<'a> {
    pub(super) first: &'a Connection,
    /// All their numbers, ascending.
    pub(super) ids: Vec<u32>,
    worst: Option<Severity>,
}

/// What makes connections a group: how they ended, which rules name them, and the hosts, as far as that leaves few
/// enough groups.
#[derive(PartialEq, Eq, Hash)]
struct ConnectionGroupKey {
    by: By,
    how: How,
    phase: Phase,
    opening: Opening,
    certainty: Certainty,
    outcome: ConnectionOutcome,
    rules: Vec<&'static str>,
    client: Option<IpAddr>,
    server: Option<Endpoint>,
}

/// The connections to show, in groups: worst findings first, then by outcome, then the largest groups.
pub(super) fn groups<'a>(view: &View<'a>) -> Vec<ConnectionGroup<'a>> {
    let by_pair = grouped(view, true, true);
    if by_pair.len() <= MOST {
        return by_pair;
    }
    let by_server = grouped(view, false, true);
    if by_server.len() <= MOST {
        return by_server;
    }
    grouped(view, false, false)
}

fn grouped<'a>(view: &View<'a>, by_client: bool, by_server: bool) -> Vec<ConnectionGroup<'a>> {
    let mut places: HashMap<ConnectionGroupKey, usize, foldhash::fast::FixedState> =
        HashMap::default();
    let mut groups: Vec<ConnectionGroup<'a>> = Vec::new();
    for connection in view.shown() {
        let teardown = &connection.teardown;
        let story = ConnectionGroupKey {
            by: teardown.by,
            how: teardown.how,
            phase: teardown.phase,
            opening: connection.opening,
            certainty: teardown.certainty,
            outcome: connection.outcome,
            rules: view.findings(connection).map(|it| it.rule).collect(),
            client: by_client.then_some(connection.client.ip),
            server: by_server.then_some(connection.server),
        };
        let place = *places.entry(story).or_insert(groups.len());
        match groups.get_mut(place) {
            Some(group) => group.ids.push(connection.id),
            None => groups.push(ConnectionGroup {
                first: connection,
                ids: vec![connection.id],
                worst: view.findings(connection).map(|it| it.severity).max(),
            }),
        }
    }
    groups.sort_by(|one, other| {
        let rank = |group: &ConnectionGroup<'_>| group.first.outcome.rank();
        let worst = other.worst.cmp(&one.worst);
        let rank = worst.then_with(|| rank(one).cmp(&rank(other)));
        rank.then(other.ids.len().cmp(&one.ids.len()))
    });
    groups
}
