//! Failures with one cause that are one finding: of one client with many servers, of many clients with one server, and of
//! scanners.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::statement::{Value, sentence};
use super::{Diagnosis, HostDiagnosis, Severity};
use crate::analysis::connection::{By, ConnectionSummary, How, Opening};
use crate::analysis::hosts::Hosts;
use crate::base::certainty::Certainty;
use crate::base::net::Endpoint;

/// What to do about a scanner.
pub(super) const SCANNER: &str = "Find out which program does this, and whether it should. From the internet it is to be expected.";
/// A client that tries at least so many servers (address and port) and fails with most of them is scanning.
const A_SCAN: usize = 20;
/// A client that tries at least so many ports of one server and uses none of them is scanning it.
const A_PORT_SCAN: usize = 10;
/// A client that probes a server, and tries at least so many of its ports, is scanning it.
const A_PROBED_SCAN: usize = 3;
/// So many clients that try several ports of one host, and do not need it, are the internet's scanners; one of them may
/// have found something.
const MANY_SCANNERS: usize = 10;
/// Ports above these have no service of their own.
const PRIVILEGED: u16 = 1023;
/// With at least so many clients or servers, equal failures are one finding.
const ALIKE: usize = 3;

/// The connections of one client with one server that failed in one way.
pub(super) struct Failures<'a, K> {
    /// What must be equal for failures to have one cause, besides the client or the server.
    pub(super) kind: K,
    pub(super) client: IpAddr,
    pub(super) server: Endpoint,
    /// In order of first frame; at least one.
    pub(super) connections: Vec<&'a ConnectionSummary>,
}

/// The failures of all pairs, those of each pair in order of their kinds. `kind`: what failed, if the connection did.
pub(super) fn failures<'a, K: Copy + Ord>(
    hosts: &Hosts<'a>,
    kind: impl Fn(&ConnectionSummary) -> Option<K>,
) -> Vec<Failures<'a, K>> {
    let mut all = Vec::new();
    for pair in hosts.host_pairs() {
        let mut kinds: BTreeMap<K, Vec<&ConnectionSummary>> = BTreeMap::new();
        for it in pair.connections {
            if let Some(kind) = kind(it) {
                kinds.entry(kind).or_default().push(it);
            }
        }
        all.extend(kinds.into_iter().map(|(kind, connections)| Failures {
            kind,
            client: pair.client,
            server: pair.server,
            connections,
        }));
    }
    all
}

/// Failures that are one finding.
pub(super) struct FailureGroup<'a, K> {
    pub(super) kind: K,
    /// In order of first frame.
    pub(super) connections: Vec<&'a ConnectionSummary>,
    clients: BTreeSet<IpAddr>,
    servers: BTreeSet<Endpoint>,
    /// These attempts were not expected to succeed.
    is_scan: bool,
    /// They are several, or their clients made others.
    is_many: bool,
    /// Not all of them were.
    is_for_peers: bool,
}

/// Where a group is gathered.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Client(IpAddr),
    Server(IpAddr),
    Pair(IpAddr, Endpoint),
}

/// Puts together what has one cause: by the client, if it fails with more servers than there are clients that fail with
/// this server, else by the server.
pub(super) fn group<'a, K: Copy + Ord>(
    hosts: &Hosts<'a>,
    all: Vec<Failures<'a, K>>,
) -> Vec<FailureGroup<'a, K>> {
    if all.is_empty() {
        return Vec::new();
    }
    let mut with: BTreeMap<(K, IpAddr), BTreeSet<Endpoint>> = BTreeMap::new();
    let mut from: BTreeMap<(K, IpAddr), BTreeSet<IpAddr>> = BTreeMap::new();
    for it in &all {
        let servers = with.entry((it.kind, it.client)).or_default();
        servers.insert(it.server);
        let clients = from.entry((it.kind, it.server.ip)).or_default();
        clients.insert(it.client);
    }
    let mut groups: BTreeMap<(K, Place), FailureGroup<'a, K>> = BTreeMap::new();
    for it in all {
        let servers = with
            .get(&(it.kind, it.client))
            .map_or(0, |servers| servers.len());
        let clients = from
            .get(&(it.kind, it.server.ip))
            .map_or(0, |clients| clients.len());
        let place = match servers.max(clients) >= ALIKE {
            true if servers >= clients => Place::Client(it.client),
            true => Place::Server(it.server.ip),
            false => Place::Pair(it.client, it.server),
        };
        let own = groups
            .entry((it.kind, place))
            .or_insert_with(|| FailureGroup {
                kind: it.kind,
                connections: Vec::new(),
                clients: BTreeSet::new(),
                servers: BTreeSet::new(),
                is_scan: false,
                is_many: false,
                is_for_peers: false,
            });
        own.connections.extend(it.connections);
        own.clients.insert(it.client);
        own.servers.insert(it.server);
    }
    let habits = Habits::of(hosts);
    let mut groups: Vec<_> = groups.into_values().collect();
    for group in &mut groups {
        group.connections.sort_unstable_by_key(|it| it.first);
        group.is_scan = habits.is_scan(&group.clients, &group.servers);
        group.is_many = group.connections.len() > 1 || habits.tried_others(&group.clients);
        group.is_for_peers = habits.look_for_peers(&group.clients, &group.servers);
    }
    groups.sort_by_key(|group| group.connections.first().map(|it| it.first));
    groups
}

/// What each client tried, and what it used.
struct Habits {
    /// Servers tried and used.
    by_client: BTreeMap<IpAddr, (usize, usize)>,
    /// Clients, and addresses of servers with which they used a connection.
    used: BTreeSet<(IpAddr, IpAddr)>,
    /// Of clients, and addresses of servers that they probed: how many ports they tried.
    probed: BTreeMap<(IpAddr, IpAddr), usize>,
    /// Of each client: the addresses that it called at ports without a service of their own, and these ports.
    peers: BTreeMap<IpAddr, (BTreeSet<IpAddr>, BTreeSet<u16>)>,
}

/// Whether the client only looked whether the port is open: it reset the connection as soon as it was, or sent a segment that
/// belongs to none.
fn is_probe(it: &ConnectionSummary) -> bool {
    let looked = match it.opening {
        Opening::Handshake => it.by == By::Client && matches!(it.how, How::Reset(_)),
        Opening::Midstream => true,
        _ => false,
    };
    looked && it.spoke == [false; 2] && !it.missing
}

impl Habits {
    fn of(hosts: &Hosts<'_>) -> Self {
        let mut habits = Self {
            by_client: BTreeMap::new(),
            used: BTreeSet::new(),
            probed: BTreeMap::new(),
            peers: BTreeMap::new(),
        };
        let mut ports = BTreeMap::<(IpAddr, IpAddr), usize>::new();
        for pair in hosts.host_pairs() {
            if pair.server.port > PRIVILEGED {
                let (peers, own) = habits.peers.entry(pair.client).or_default();
                peers.insert(pair.server.ip);
                own.insert(pair.server.port);
            }
            let (all, used) = habits.by_client.entry(pair.client).or_default();
            *all += 1;
            let hosts = (pair.client, pair.server.ip);
            *ports.entry(hosts).or_default() += 1;
            if pair.connections.iter().any(|it| is_probe(it)) {
                habits.probed.insert(hosts, 0);
            }
            if pair.connections.iter().any(|it| it.spoke[0]) {
                *used += 1;
                habits.used.insert((pair.client, pair.server.ip));
            }
        }
        for (hosts, tried) in &mut habits.probed {
            *tried = ports.get(hosts).copied().unwrap_or_default();
        }
        habits
    }

    /// Whether these clients tried more than one server.
    fn tried_others(&self, clients: &BTreeSet<IpAddr>) -> bool {
        let tried = |client: &IpAddr| self.by_client.get(client).is_some_and(|(all, _)| *all > 1);
        clients.iter().any(tried)
    }

    /// Whether these clients look for peers, some of which are always gone: each calls many hosts, at nearly as many ports.
    fn look_for_peers(&self, clients: &BTreeSet<IpAddr>, servers: &BTreeSet<Endpoint>) -> bool {
        let looks = |client: &IpAddr| {
            let own = self.peers.get(client);
            own.is_some_and(|(peers, ports)| {
                peers.len() >= A_SCAN && ports.len() * 2 >= peers.len()
            })
        };
        servers.iter().all(|it| it.port > PRIVILEGED) && clients.iter().all(looks)
    }

    /// Whether these clients only try what is there, and do not need it.
    fn is_scan(&self, clients: &BTreeSet<IpAddr>, servers: &BTreeSet<Endpoint>) -> bool {
        let tries_everything = |client: &IpAddr| {
            let (all, used) = self.by_client.get(client).copied().unwrap_or_default();
            all >= A_SCAN && used * 4 < all
        };
        let hosts: BTreeSet<IpAddr> = servers.iter().map(|it| it.ip).collect();
        let [host] = hosts.iter().collect::<Vec<_>>()[..] else {
            return clients.iter().all(tries_everything);
        };
        let users = clients.iter();
        let users = users.filter(|client| self.used.contains(&(**client, *host)));
        let strangers = match users.count() {
            0 => true,
            some => clients.len() >= MANY_SCANNERS && some * 4 < clients.len(),
        };
        let ports = match clients.len() {
            1 => A_PORT_SCAN,
            _ => ALIKE,
        };
        let probes = |client: &IpAddr| {
            let tried = self.probed.get(&(*client, *host));
            tried.is_some_and(|tried| *tried >= A_PROBED_SCAN)
        };
        // No program listens on port 0.
        let nowhere = servers.iter().all(|it| it.port == 0);
        nowhere
            || clients.iter().all(tries_everything)
            || strangers && (servers.len() >= ports || clients.iter().all(probes))
    }
}

impl<K> FailureGroup<'_, K> {
    /// The finding.
    pub(super) fn diagnosis(&self, mut story: Diagnosis) -> HostDiagnosis {
        match (self.clients.len(), self.servers.len()) {
            (1, 1) => {}
            (1, servers) => story.message.say(sentence!(
                "They came from one client and went to {}.",
                Value::count(servers as u64, "address and port", "addresses and ports")
            )),
            (clients, 1) => story.message.say(sentence!(
                "They came from {} and went to the same address and port.",
                Value::count(clients as u64, "client", "clients")
            )),
            (clients, servers) => {
                let clients = Value::count(clients as u64, "client", "clients");
                let host = self.servers.first().map(|it| it.ip);
                let host = host.filter(|host| self.servers.iter().all(|it| it.ip == *host));
                story.message.say(match host {
                    Some(host) => sentence!(
                        "They came from {} and went to {} of {}.",
                        clients,
                        Value::count(servers as u64, "port", "ports"),
                        host
                    ),
                    None => sentence!(
                        "They came from {} and went to {}.",
                        clients,
                        Value::count(servers as u64, "address and port", "addresses and ports")
                    ),
                });
            }
        }
        if self.is_scan && story.severity > Severity::Note {
            story.severity = Severity::Note;
            story.certainty = Certainty::Likely;
            if self.is_many {
                story
                    .message
                    .say("Hardly any of these addresses and ports was ever used.");
            }
            story
                .message
                .presume("A scanner did this, or a program that tries what is there.");
            if self.is_many {
                story
                    .message
                    .mean("A single failure among so many attempts means little.");
            }
            story.remedies = vec![SCANNER.into()];
        }
        if self.is_for_peers && story.severity > Severity::Note {
            story.severity = Severity::Note;
            story
                .message
                .presume("The program looks for peers, as those for sharing files do. Many of their addresses are out of date.");
        }
        let only = |all: &BTreeSet<IpAddr>| all.first().copied().filter(|_| all.len() == 1);
        HostDiagnosis {
            story,
            client: only(&self.clients),
            server: self
                .servers
                .first()
                .copied()
                .filter(|_| self.servers.len() == 1),
            connections: self.connections.iter().map(|it| it.id).collect(),
            first: self
                .connections
                .first()
                .map(|it| it.first.frame)
                .unwrap_or_default(),
            times: self.connections.len() as u64,
        }
    }
}
