//! Cases joined while they are collected, so that memory grows with the number of findings, not of connections.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::hash::Hash;
use std::net::IpAddr;

use hashbrown::HashSet;

use super::alone::FoundAlone;
use super::cases::{CaseKey, Cases};
use super::rule::Diagnosis;
use super::statement::{Sentence, Value, sentence};
use crate::analysis::connection::Connection;
use crate::base::net::Endpoint;

/// Number of servers from which on one client's equal cases are merged, as those of a scanner, a load generator or a
/// proxy; and number of clients from which on those with one server are.
const MANY: usize = 20;
/// Servers of such clients and clients of such servers that are counted one by one.
const MAX_COUNTED: usize = 65_536;
/// Findings kept apart by client and server among those whose details are given up, in one partition.
pub(crate) const MAX_GIVEN_UP_CASES: usize = 512;

/// Cases by what makes them members of one finding.
#[derive(Clone, Debug, Default)]
pub(super) struct Gathered {
    all: BTreeMap<CaseKey, Cases>,
    /// By client: the servers with which it has the same case.
    servers: BTreeMap<CaseKey, Others<Endpoint>>,
    /// By server: the clients that have the same case with it.
    clients: BTreeMap<CaseKey, Others<IpAddr>>,
    /// Members of all these sets.
    counted: usize,
}

/// The hosts on the other side of equal cases.
#[derive(Clone, Debug)]
struct Others<T> {
    known: HashSet<T, foldhash::fast::FixedState>,
    /// There are more than are known.
    more: bool,
}

impl<T> Default for Others<T> {
    fn default() -> Self {
        let known = HashSet::default();
        Self { known, more: false }
    }
}

impl<T: Hash + Eq> Others<T> {
    fn add(&mut self, other: T, counted: &mut usize) {
        match *counted < MAX_COUNTED || self.known.len() < MANY {
            true => *counted += usize::from(self.known.insert(other)),
            false => self.more |= !self.known.contains(&other),
        }
    }

    fn merge(&mut self, others: Self, counted: &mut usize) {
        self.more |= others.more;
        others
            .known
            .into_iter()
            .for_each(|it| self.add(it, counted));
    }

    fn are_many(&self) -> bool {
        self.known.len() >= MANY
    }
}

impl Gathered {
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// Adds a case of one connection, or several that were joined already.
    pub(super) fn add(&mut self, key: CaseKey, cases: Cases) {
        // Where there is one like it, its client and its server are counted.
        if let Some(own) = self.all.get_mut(&key) {
            return own.absorb(cases);
        }
        if let (Some(client), Some(server)) = (key.client, key.server) {
            let (of_client, of_server) = (key.of_client(), key.of_server());
            let place = self.place(key);
            // Where the cases of one side are joined, the other side is counted, and has no set of its own.
            if place != of_server {
                let servers = self.servers.entry(of_client).or_default();
                servers.add(server, &mut self.counted);
                if servers.are_many() && place != of_client {
                    self.collapse_client(of_client);
                }
            }
            if place != of_client {
                let clients = self.clients.entry(of_server).or_default();
                clients.add(client, &mut self.counted);
                if clients.are_many() && place != of_server {
                    self.collapse_server(of_server);
                }
            }
        }
        let place = self.place(key);
        put(&mut self.all, place, cases);
    }

    /// Where a case with this key is gathered.
    fn place(&self, key: CaseKey) -> CaseKey {
        let (of_client, of_server) = (key.of_client(), key.of_server());
        match (key.client, key.server) {
            (Some(_), Some(_)) if self.servers.get(&of_client).is_some_and(Others::are_many) => {
                of_client
            }
            (Some(_), Some(_)) if self.clients.get(&of_server).is_some_and(Others::are_many) => {
                of_server
            }
            _ => key,
        }
    }

    /// Adds a case among cases of which no more are to be kept apart. Returns whether its client or server is told.
    fn add_to_known(&mut self, key: CaseKey, cases: Cases) -> bool {
        let (of_client, of_server) = (key.of_client(), key.of_server());
        let has = |key| self.all.contains_key(key);
        let place = match () {
            () if has(&key) => {
                self.add(key, cases);
                return true;
            }
            () if has(&of_client) => of_client,
            () if has(&of_server) => of_server,
            () => CaseKey {
                server: None,
                ..of_server
            },
        };
        let servers = self.servers.get_mut(&place);
        if let (Some(servers), Some(server)) = (servers, key.server) {
            servers.add(server, &mut self.counted);
        }
        let clients = self.clients.get_mut(&place);
        if let (Some(clients), Some(client)) = (clients, key.client) {
            clients.add(client, &mut self.counted);
        }
        put(&mut self.all, place, cases);
        place.client.is_some() || place.server.is_some()
    }

    /// Joins the cases of a client with each server to one.
    fn collapse_client(&mut self, of_client: CaseKey) {
        let servers = self.servers.get(&of_client).into_iter();
        for server in servers.flat_map(|it| &it.known) {
            let own = CaseKey {
                server: Some(*server),
                ..of_client
            };
            if let Some(cases) = self.all.remove(&own) {
                put(&mut self.all, of_client, cases);
            }
        }
    }

    /// Joins the cases of each client with a server to one.
    fn collapse_server(&mut self, of_server: CaseKey) {
        let clients = self.clients.get(&of_server).into_iter();
        for client in clients.flat_map(|it| &it.known) {
            let own = CaseKey {
                client: Some(*client),
                ..of_server
            };
            if let Some(cases) = self.all.remove(&own) {
                put(&mut self.all, of_server, cases);
            }
        }
    }

    /// Adds all of another.
    pub(super) fn merge(&mut self, other: Self) {
        let Self {
            all,
            servers,
            clients,
            ..
        } = other;
        for (of_client, theirs) in servers {
            let own = self.servers.entry(of_client).or_default();
            own.merge(theirs, &mut self.counted);
            if own.are_many() {
                self.collapse_client(of_client);
            }
        }
        for (of_server, theirs) in clients {
            let own = self.clients.entry(of_server).or_default();
            own.merge(theirs, &mut self.counted);
            if own.are_many() {
                self.collapse_server(of_server);
            }
        }
        for (key, cases) in all {
            let place = self.place(key);
            put(&mut self.all, place, cases);
        }
    }

    /// The cases, each key once. Those of a client with very many servers, or of a server with very many clients, say so.
    pub(super) fn into_cases(mut self) -> BTreeMap<CaseKey, Cases> {
        for (of_client, servers) in self.servers {
            let joined = self.all.get_mut(&of_client);
            if let Some(joined) = joined.filter(|_| servers.are_many()) {
                joined.connections.sort_unstable();
                joined.message.say(match servers.more {
                    false => sentence!(
                        "The same happened between the client and {} addresses and ports in all.",
                        servers.known.len()
                    ),
                    true => sentence!(
                        "The same happened between the client and more than {} addresses and ports.",
                        servers.known.len()
                    ),
                });
            }
        }
        for (of_server, clients) in self.clients {
            let joined = self.all.get_mut(&of_server);
            if let Some(joined) = joined.filter(|_| clients.are_many()) {
                joined.connections.sort_unstable();
                joined.message.say(match clients.more {
                    false => sentence!(
                        "The same happened to {} clients of the server in all.",
                        clients.known.len()
                    ),
                    true => sentence!(
                        "The same happened to more than {} clients of the server.",
                        clients.known.len()
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
    /// Cases that are kept apart neither by client nor by server.
    without_hosts: u64,
    /// Connections of which rules that need many see nothing.
    not_listed: u64,
}

impl GivenUpCases {
    /// Adds what the rules find on a connection.
    pub(crate) fn count(&mut self, connection: &Connection, found: Vec<FoundAlone>) {
        self.connections += u64::from(!found.is_empty());
        for it in found {
            self.add(it.rule, *it.story, connection);
        }
    }

    fn add(&mut self, rule: usize, story: Diagnosis, connection: &Connection) {
        let key = CaseKey::of(rule, &story, connection);
        let cases = Cases::given_up(story, connection);
        match self.gathered.len() < MAX_GIVEN_UP_CASES {
            true => self.gathered.add(key, cases),
            false => {
                let apart = self.gathered.add_to_known(key, cases);
                self.without_hosts += u64::from(!apart);
            }
        }
    }

    /// Adds those of another.
    pub fn merge(&mut self, other: Self) {
        self.gathered.merge(other.gathered);
        self.connections += other.connections;
        self.without_hosts += other.without_hosts;
    }

    /// Connections with a finding.
    #[must_use]
    pub const fn connections(&self) -> u64 {
        self.connections
    }

    /// Cases that are told without their client and server.
    #[must_use]
    pub const fn without_hosts(&self) -> u64 {
        self.without_hosts
    }

    /// Tells how many connections are not listed.
    pub const fn not_listed(&mut self, connections: u64) {
        self.not_listed = connections;
    }

    /// What is to be said of a finding across connections, if there are more than are listed.
    pub(super) fn reservation(&self) -> Option<Sentence> {
        (self.not_listed > 0).then(|| {
            sentence!(
                "This is said of the connections that are listed; {} not.",
                Value::count(self.not_listed, "other is", "others are")
            )
        })
    }

    pub(super) fn gathered(&self) -> Gathered {
        self.gathered.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base;
    use crate::base::certainty::Certainty;
    use crate::base::frame_ref::FrameNumber;
    use crate::rules::catalogue::CATALOGUE;
    use crate::rules::{Severity, found_alone, ladder_check};

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
                list.iter()
                    .rev()
                    .for_each(|it| cases.count(it, found_alone(it)));
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
            let findings = if servers < MANY { servers } else { 1 };
            assert_eq!(own.len(), findings, "{servers}");
            let first = own.iter().map(|(_, cases)| cases.first).min();
            assert_eq!(first, connections.first().map(|it| it.first.frame));
        }
    }

    /// Connections of so many clients, each with the same fault at one server.
    fn clients(clients: u32) -> Vec<Connection> {
        let like = resets(1).remove(0);
        let of = |number: u32| {
            let mut connection = like.clone();
            connection.id = number + 1;
            connection.first.frame = FrameNumber(u64::from(number) + 1);
            connection.client.ip = IpAddr::from((0x0b00_0000 + number).to_be_bytes());
            connection
        };
        (0..clients).map(of).collect()
    }

    #[test]
    fn a_server_that_fails_very_many_clients_is_told_once() {
        for count in [19, 20, 3000] {
            let all = clients(count);
            let mut cases = GivenUpCases::default();
            all.iter()
                .rev()
                .for_each(|it| cases.count(it, found_alone(it)));
            let mut more = GivenUpCases::default();
            all.iter().for_each(|it| more.count(it, found_alone(it)));
            cases.merge(more);
            let cases = cases.gathered().into_cases();
            let of = |key: &CaseKey| CATALOGUE[key.rule].name == "reset-before-response";
            let own: Vec<_> = cases.iter().filter(|(key, _)| of(key)).collect();
            let findings = if (count as usize) < MANY { count } else { 1 };
            assert_eq!(own.len(), findings as usize);
            let gone: u64 = own.iter().map(|(_, cases)| cases.gone).sum();
            assert_eq!(gone, u64::from(2 * count));
            let (key, cases) = own[0];
            if findings == 1 {
                assert_eq!((key.client, key.server), (None, Some(all[0].server)));
                let told = cases.message.text(&Default::default());
                let said = format!(
                    "The same happened to {} clients",
                    base::format::number(count)
                );
                assert!(told.contains(&said), "{told}");
                assert!(
                    !told.contains(" of 6,000:") && !told.contains(" of 40:"),
                    "{told}"
                );
            }
        }
    }

    #[test]
    fn what_is_counted_has_a_bound() {
        let mut gathered = Gathered::default();
        let like = clients(1).remove(0);
        let key = |number: u32| CaseKey {
            rule: 0,
            severity: Severity::Error,
            certainty: Certainty::Certain,
            summary: "",
            variant: 0,
            client: Some(IpAddr::from(number.to_be_bytes())),
            server: Some(like.server),
            first: FrameNumber(0),
        };
        let mut found = found_alone(&like).into_iter().map(|it| *it.story);
        let story = found.next().expect("a fault");
        for number in 0..MAX_COUNTED as u32 + 1000 {
            gathered.add(key(number), Cases::of(story.clone(), &like));
        }
        assert!(gathered.counted <= MAX_COUNTED && gathered.servers.len() < 2 * MANY);
        let told = gathered.into_cases();
        let (_, cases) = told.first_key_value().expect("one finding");
        let text = cases.message.text(&Default::default());
        assert!(told.len() == 1 && text.contains("more than 65,5"), "{text}");
    }

    #[test]
    fn cases_without_their_hosts_are_counted() {
        let mut cases = GivenUpCases::default();
        for mut connection in clients(5000) {
            connection.server.ip = connection.client.ip;
            cases.count(&connection, found_alone(&connection));
        }
        let apart = cases.gathered().into_cases().len();
        assert!(apart < 2 * MAX_GIVEN_UP_CASES);
        assert!(cases.without_hosts() > 4000, "{}", cases.without_hosts());
    }

    #[test]
    fn the_cases_of_a_flood_stay_few() {
        let mut cases = GivenUpCases::default();
        let connections = resets(1);
        for number in 0..5000_u32 {
            let mut connection = connections[0].clone();
            connection.client.ip = IpAddr::from(number.to_be_bytes());
            cases.count(&connection, found_alone(&connection));
        }
        assert_eq!(cases.connections(), 5000);
        assert!(cases.gathered().into_cases().len() < 2 * MAX_GIVEN_UP_CASES);
    }
}
