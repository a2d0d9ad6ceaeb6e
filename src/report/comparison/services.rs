//! Which connections of one capture are compared with which of the other: those to the same service.
//!
//! Addresses and ephemeral ports differ from capture to capture, often the servers' too. So a service is its port; where
//! both captures have several servers at a port, also the server's name or, if all are the same, its address. Ports that
//! only one capture has are matched by what is requested there.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::analysis::connection::Connection;
use crate::base::escape::shortened;
use crate::protocol::http::Exchange;

/// Characters of the name of a service.
const NAME: usize = 60;
/// The share of one side's requests, in percent, that two ports must have in common to be one service.
const IN_COMMON: usize = 50;

/// The connections of one service in both captures.
#[derive(Debug)]
pub(super) struct Matched<'a> {
    /// What it is called in each.
    pub(super) names: [String; 2],
    pub(super) connections: [Vec<&'a Connection>; 2],
}

/// Connections of one capture to a service that the other does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unmatched {
    pub(crate) name: String,
    pub(crate) connections: u64,
}

impl Unmatched {
    const fn new(name: String, connections: &[&Connection]) -> Self {
        Self {
            name,
            connections: connections.len() as u64,
        }
    }
}

/// The services of two captures.
#[derive(Debug, Default)]
pub(super) struct Services<'a> {
    pub(super) matched: Vec<Matched<'a>>,
    pub(super) unmatched: [Vec<Unmatched>; 2],
}

/// The connections to one port.
type Ports<'a> = BTreeMap<u16, Vec<&'a Connection>>;

impl<'a> Services<'a> {
    pub(super) fn new(sides: [Vec<&'a Connection>; 2]) -> Self {
        let mut services = Self::default();
        let mut ports: [Ports<'a>; 2] = sides.map(|side| parts(side, |it| it.server.port));
        let common: Vec<u16> = {
            let [one, other] = &ports;
            one.keys()
                .filter(|port| other.contains_key(port))
                .copied()
                .collect()
        };
        for port in common {
            let both = ports
                .each_mut()
                .map(|it| it.remove(&port).unwrap_or_default());
            services.divide(port, both);
        }
        services.match_by_work(&mut ports);
        for (unmatched, rest) in services.unmatched.iter_mut().zip(ports) {
            let rest = rest.into_iter();
            unmatched.extend(rest.map(|(port, own)| Unmatched::new(format!("port {port}"), &own)));
        }
        services
    }

    /// Takes the connections to one port, divided by server where both captures have the same several servers.
    fn divide(&mut self, port: u16, both: [Vec<&'a Connection>; 2]) {
        let servers = both.each_ref().map(|side| {
            let ips = side.iter().map(|it| it.server.ip);
            ips.collect::<BTreeSet<IpAddr>>()
        });
        if servers[0] == servers[1] && servers[0].len() > 1 {
            let parts = both.map(|side| parts(side, |it| it.server.ip));
            return self.take(parts, |ip| format!("port {port} of {ip}"));
        }
        let names = both.each_ref().map(|side| {
            let names = side.iter().filter_map(|it| it.name());
            names.collect::<BTreeSet<_>>()
        });
        let shared: BTreeSet<Vec<u8>> = names[0]
            .intersection(&names[1])
            .map(|it| it.to_ascii_lowercase())
            .collect();
        if shared.len() > 1 {
            let parts = both.map(|side| {
                parts(side, |it| {
                    let name = it.name().map(<[u8]>::to_ascii_lowercase);
                    name.filter(|name| shared.contains(name))
                })
            });
            return self.take(parts, |name| match name {
                Some(name) => format!("port {port} of {}", shortened(name, NAME)),
                None => format!("port {port} of other names"),
            });
        }
        let name = format!("port {port}");
        self.matched.push(Matched {
            names: [name.clone(), name],
            connections: both,
        });
    }

    /// Takes what both sides have; the rest has no match.
    fn take<K: Ord>(
        &mut self,
        mut sides: [BTreeMap<K, Vec<&'a Connection>>; 2],
        name: impl Fn(&K) -> String,
    ) {
        let [one, other] = &mut sides;
        for (key, connections) in std::mem::take(one) {
            match other.remove(&key) {
                Some(others) => self.matched.push(Matched {
                    names: [name(&key), name(&key)],
                    connections: [connections, others],
                }),
                None => self.unmatched[0].push(Unmatched::new(name(&key), &connections)),
            }
        }
        let rest = other.iter();
        self.unmatched[1].extend(rest.map(|(key, own)| Unmatched::new(name(key), own)));
    }

    /// Matches ports that only one side has by what is requested there.
    fn match_by_work(&mut self, ports: &mut [Ports<'a>; 2]) {
        let works = ports.each_ref().map(|side| {
            let each = side.iter().map(|(port, all)| (*port, work(all)));
            each.collect::<BTreeMap<u16, BTreeSet<Vec<u8>>>>()
        });
        let [one, other] = &works;
        let mut pairs: Vec<(usize, u16, u16)> = Vec::new();
        for (port, work) in one {
            for (other, others) in other {
                let common = work.intersection(others).count();
                if common > 0 && common * 100 >= work.len().min(others.len()) * IN_COMMON {
                    pairs.push((common, *port, *other));
                }
            }
        }
        // One unread service on each side is the same, for want of another.
        if let ([(port, work)], [(other, others)]) = (
            &one.iter().collect::<Vec<_>>()[..],
            &other.iter().collect::<Vec<_>>()[..],
        ) && work.is_empty()
            && others.is_empty()
            && self.matched.is_empty()
        {
            pairs.push((0, **port, **other));
        }
        pairs.sort_by_key(|(common, ..)| std::cmp::Reverse(*common));
        for (_, port, other) in pairs {
            let has = ports[0].contains_key(&port) && ports[1].contains_key(&other);
            if !has {
                continue;
            }
            let connections = [ports[0].remove(&port), ports[1].remove(&other)];
            self.matched.push(Matched {
                names: [format!("port {port}"), format!("port {other}")],
                connections: connections.map(Option::unwrap_or_default),
            });
        }
    }
}

fn parts<'a, K: Ord>(
    side: Vec<&'a Connection>,
    key: impl Fn(&Connection) -> K,
) -> BTreeMap<K, Vec<&'a Connection>> {
    let mut parts: BTreeMap<K, Vec<&'a Connection>> = BTreeMap::new();
    for connection in side {
        parts.entry(key(connection)).or_default().push(connection);
    }
    parts
}

/// What is requested on these connections: methods and paths.
fn work(connections: &[&Connection]) -> BTreeSet<Vec<u8>> {
    let exchanges = connections.iter().flat_map(|it| &it.exchanges);
    exchanges.filter_map(asked).collect()
}

fn asked(exchange: &Exchange) -> Option<Vec<u8>> {
    let target = exchange.request.as_ref()?.target.as_ref()?.as_bytes();
    let path = target.split(|byte| *byte == b'?').next()?;
    Some([exchange.method()?, b" ", path].concat())
}
