//! Which connection a client opened to another address of a server: looked up, so that a flood of attempts does not take
//! quadratic time, and no attempt is left out.
//!
//! In: the summaries in order of first frame, and which of them count. Out: the first of them in a range whose server has
//! another address, of the same client, or of one that calls by the other IP version (RFC 8305).

use std::net::IpAddr;

use hashbrown::HashMap;

use crate::analysis::connection::ConnectionSummary;
use crate::base::time::Timestamp;

/// The connections that may stand for another.
#[derive(Debug)]
pub(crate) struct Alternatives<'a> {
    connections: &'a [ConnectionSummary],
    by_client: HashMap<(u16, IpAddr), Run, foldhash::fast::FixedState>,
    by_version: HashMap<(u16, bool), Run, foldhash::fast::FixedState>,
}

/// Connections to one port, in order.
#[derive(Debug, Default)]
struct Run {
    /// Their places among all.
    places: Vec<u32>,
    /// For each of them the place in this run of the next one whose server has another address.
    next_other: Vec<u32>,
}

impl<'a> Alternatives<'a> {
    /// Those among the connections that count.
    pub(crate) fn new(
        connections: &'a [ConnectionSummary],
        counts: impl Fn(&ConnectionSummary) -> bool,
    ) -> Self {
        let mut all = Self {
            connections,
            by_client: HashMap::default(),
            by_version: HashMap::default(),
        };
        for (place, it) in (0..).zip(connections).filter(|(_, it)| counts(it)) {
            let (port, client) = (it.server.port, it.client.ip);
            let own = all.by_client.entry((port, client)).or_default();
            own.places.push(place);
            let version = all.by_version.entry((port, client.is_ipv4())).or_default();
            version.places.push(place);
        }
        let runs = all
            .by_client
            .values_mut()
            .chain(all.by_version.values_mut());
        runs.for_each(|run| run.link(connections));
        all
    }

    /// The first one from place `from` on that began until then and may stand for `failed`.
    pub(crate) fn first(
        &self,
        failed: &ConnectionSummary,
        from: usize,
        until: Timestamp,
    ) -> Option<&'a ConnectionSummary> {
        let (port, client) = (failed.server.port, failed.client.ip);
        let own = self.by_client.get(&(port, client));
        let other = self.by_version.get(&(port, !client.is_ipv4()));
        let runs = own.into_iter().chain(other);
        let found = runs.filter_map(|run| run.first(self.connections, failed.server.ip, from));
        let first = self.connections.get(found.min()?)?;
        (first.first.time <= until).then_some(first)
    }
}

impl Run {
    fn link(&mut self, connections: &[ConnectionSummary]) {
        let server = |place: u32| connections.get(place as usize).map(|it| it.server.ip);
        let end = self.places.len() as u32;
        self.next_other = vec![end; self.places.len()];
        for at in (1..self.places.len()).rev() {
            let same = server(self.places[at - 1]) == server(self.places[at]);
            self.next_other[at - 1] = match same {
                true => self.next_other[at],
                false => at as u32,
            };
        }
    }

    /// The place among all of the first one from `from` on whose server is not this one.
    fn first(
        &self,
        connections: &[ConnectionSummary],
        server: IpAddr,
        from: usize,
    ) -> Option<usize> {
        let at = self
            .places
            .partition_point(|place| (*place as usize) < from);
        let place = *self.places.get(at)? as usize;
        if connections.get(place)?.server.ip != server {
            return Some(place);
        }
        let next = *self.next_other.get(at)? as usize;
        self.places.get(next).map(|place| *place as usize)
    }
}
