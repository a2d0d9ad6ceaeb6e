//! Cases joined while they are collected, so that memory grows with the number of findings, not of connections.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use hashbrown::HashSet;

use super::cases::{CaseKey, Cases};
use super::catalogue::CATALOGUE;
use super::classify::ending;
use super::evaluate::look;
use super::rule::{Diagnosis, Verdict};
use super::statement::sentence;
use crate::analysis::connection::Connection;
use crate::base::net::Endpoint;

/// Number of servers from which on one client's equal cases are merged: a scanner, a load generator or a proxy.
const MANY_SERVERS: usize = 20;
/// Servers that are counted one by one for such a client.
const MAX_SERVERS: usize = 65_536;
/// Findings kept apart by client and server among those whose details are given up, in one partition.
const MAX_GIVEN_UP_CASES: usize = 512;

/// Cases by what makes them members of one finding.
#[derive(Clone, Debug, Default)]
pub(super) struct Gathered {
    all: BTreeMap<CaseKey, Cases>,
    /// By client: the servers with which it has the same case.
    servers: BTreeMap<CaseKey, Servers>,
}

#[derive(Clone, Debug, Default)]
struct Servers {
    known: HashSet<Endpoint, foldhash::fast::FixedState>,
    /// There are more than are known.
    more: bool,
}

impl Gathered {
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn has(&self, key: &CaseKey) -> bool {
        self.all.contains_key(key)
    }

    /// Adds a case of one connection, or several that were joined already.
    pub(super) fn add(&mut self, key: CaseKey, cases: Cases) {
        let Some(server) = key.server else {
            return put(&mut self.all, key, cases);
        };
        let source = CaseKey {
            server: None,
            ..key
        };
        let servers = self.servers.entry(source).or_default();
        let is_new = match servers.known.len() < MAX_SERVERS {
            true => servers.known.insert(server),
            false => {
                servers.more |= !servers.known.contains(&server);
                false
            }
        };
        if servers.known.len() < MANY_SERVERS {
            return put(&mut self.all, key, cases);
        }
        if is_new && servers.known.len() == MANY_SERVERS {
            self.collapse(source);
        }
        put(&mut self.all, source, cases);
    }

    /// Adds a case with a server that is not told apart.
    fn add_elsewhere(&mut self, key: CaseKey, cases: Cases) {
        self.servers.entry(key).or_default().more = true;
        put(&mut self.all, key, cases);
    }

    /// Joins the cases of a client with each server to one.
    fn collapse(&mut self, source: CaseKey) {
        let Some(servers) = self.servers.get(&source) else {
            return;
        };
        for server in &servers.known {
            let own = CaseKey {
                server: Some(*server),
                ..source
            };
            if let Some(cases) = self.all.remove(&own) {
                put(&mut self.all, source, cases);
            }
        }
    }

    /// Adds all of another.
    pub(super) fn merge(&mut self, other: Self) {
        let Self { all, servers } = other;
        for (source, theirs) in servers {
            let own = self.servers.entry(source).or_default();
            own.known.extend(theirs.known);
            own.more |= theirs.more;
            if own.known.len() >= MANY_SERVERS {
                self.collapse(source);
            }
        }
        for (key, cases) in all {
            self.add(key, cases);
        }
    }

    /// The cases, each key once. Those of a client with very many servers say so.
    pub(super) fn into_cases(mut self) -> BTreeMap<CaseKey, Cases> {
        for (source, servers) in self.servers {
            if servers.known.len() < MANY_SERVERS {
                continue;
            }
            if let Some(joined) = self.all.get_mut(&source) {
                joined.connections.sort_unstable();
                joined.message.say(match servers.more {
                    false => sentence!(
                        "The client has this case with {} addresses and ports.",
                        servers.known.len()
                    ),
                    true => sentence!(
                        "The client has this case with more than {} addresses and ports.",
                        servers.known.len()
                    ),
                });
            }
        }
        self.all
    }
}

/// Adds a case to its like.
pub(super) fn put(all: &mut BTreeMap<CaseKey, Cases>, key: CaseKey, cases: Cases) {
    match all.entry(key) {
        Entry::Occupied(mut own) => own.get_mut().absorb(cases),
        Entry::Vacant(place) => {
            place.insert(cases);
        }
    }
}

/// What the rules found on connections whose details are given up.
#[derive(Clone, Debug, Default)]
pub struct GivenUpCases {
    gathered: Gathered,
    /// Connections with a finding.
    connections: u64,
}

impl GivenUpCases {
    /// Adds what the rules find on a connection.
    pub fn count(&mut self, connection: &Connection) {
        let ending = ending(connection);
        let mut any = false;
        for (index, rule) in CATALOGUE.iter().enumerate() {
            if let Verdict::Found(story) = look(rule, connection, ending.as_ref()) {
                any = true;
                self.add(index, *story, connection);
            }
        }
        self.connections += u64::from(any);
    }

    fn add(&mut self, rule: usize, story: Diagnosis, connection: &Connection) {
        let key = CaseKey::of(rule, &story, connection);
        let by_client = CaseKey {
            server: None,
            ..key
        };
        let mut cases = Cases::of(story, connection);
        cases.connections = Vec::new();
        cases.gone = 1;
        if self.gathered.len() < MAX_GIVEN_UP_CASES || self.gathered.has(&key) {
            return self.gathered.add(key, cases);
        }
        let client = key.client.filter(|_| self.gathered.has(&by_client));
        let key = CaseKey {
            client,
            ..by_client
        };
        self.gathered.add_elsewhere(key, cases);
    }

    /// Adds those of another.
    pub fn merge(&mut self, other: Self) {
        self.gathered.merge(other.gathered);
        self.connections += other.connections;
    }

    /// Connections with a finding.
    #[must_use]
    pub const fn connections(&self) -> u64 {
        self.connections
    }

    pub(super) fn gathered(&self) -> Gathered {
        self.gathered.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::ladder_check;

    /// Connections of one client to so many servers, each reset before the response.
    fn resets(servers: usize) -> Vec<Connection> {
        let mut text = String::new();
        for port in 1..=servers {
            text.push_str(&format!(
                "client :40000 server 10.0.0.2:{port}\nSYN -->\n<-- SYN\nPOST / -->\n+40ms <-- RST\n"
            ));
        }
        ladder_check::run(&text.parse().expect("a ladder")).connections
    }

    #[test]
    fn what_was_found_is_counted_whatever_the_order() {
        for servers in [3, 19, 20, 50] {
            let connections = resets(servers);
            let (left, right) = connections.split_at(servers / 3);
            let count = |list: &[Connection]| {
                let mut cases = GivenUpCases::default();
                list.iter().rev().for_each(|it| cases.count(it));
                cases
            };
            let mut all = count(right);
            all.merge(count(left));
            assert_eq!(all.connections(), servers as u64);
            let cases = all.gathered().into_cases();
            let of = |key: &CaseKey| CATALOGUE[key.rule].name == "reset-before-response";
            let own: Vec<_> = cases.iter().filter(|(key, _)| of(key)).collect();
            let gone: u64 = own.iter().map(|(_, cases)| cases.gone).sum();
            assert_eq!(gone, servers as u64);
            let findings = if servers < MANY_SERVERS { servers } else { 1 };
            assert_eq!(own.len(), findings, "{servers}");
            let first = own.iter().map(|(_, cases)| cases.first).min();
            assert_eq!(first, connections.first().map(|it| it.first.frame));
        }
    }

    #[test]
    fn the_cases_of_a_flood_stay_few() {
        let mut cases = GivenUpCases::default();
        let connections = resets(1);
        for number in 0..5000_u32 {
            let mut connection = connections[0].clone();
            connection.client.ip = std::net::IpAddr::from(number.to_be_bytes());
            cases.count(&connection);
        }
        assert_eq!(cases.connections(), 5000);
        assert!(cases.gathered().into_cases().len() < 2 * MAX_GIVEN_UP_CASES);
    }
}
