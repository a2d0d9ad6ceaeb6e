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
