//! The capture as logs see it: exchanges by what was asked, connections by their ends.
//!
//! An exchange has two moments at which a program may write of it: when its request began, and when it was over, by a complete
//! response, a reset stream, or the end of its connection.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hash, Hasher as _};
use std::net::IpAddr;
use std::sync::Arc;

use super::line::LogLine;
use crate::analysis::connection::Connection;
use crate::base::net::Endpoint;
use crate::base::time::Timestamp;
use crate::protocol::http::{Exchange, MessageProgress, Outcome};

/// Bytes of a target that tell it from others.
const TARGET: usize = 1024;

/// One exchange, as it is looked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WireExchange {
    /// Its connection's place.
    pub(crate) connection: u32,
    /// Its place in the connection.
    pub(crate) exchange: u32,
    /// What was asked.
    pub(crate) key: u64,
    /// What was asked, as logs write it that decode it or leave the query out.
    pub(crate) loose: u64,
    /// When the request began, in nanoseconds.
    pub(crate) start: i64,
    /// When it was over.
    pub(crate) end: i64,
}

/// The capture as logs see it.
#[derive(Debug)]
pub(crate) struct Wire<'a> {
    pub(crate) connections: &'a [Arc<Connection>],
    /// First and last frame, in nanoseconds.
    pub(crate) span: (i64, i64),
    /// In the order of their ends.
    pub(crate) exchanges: Vec<WireExchange>,
    by_key: HashMap<u64, Vec<u32>>,
    by_loose: HashMap<u64, Vec<u32>>,
    by_client: HashMap<Endpoint, Vec<u32>>,
    by_server: HashMap<Endpoint, Vec<u32>>,
    by_client_ip: HashMap<IpAddr, Vec<u32>>,
    /// Connections in which something failed, in the order of their ends.
    pub(crate) failed: Vec<(i64, u32)>,
}

impl<'a> Wire<'a> {
    pub(crate) fn new(connections: &'a [Arc<Connection>], span: (Timestamp, Timestamp)) -> Self {
        let mut wire = Self {
            connections,
            span: (nanos(span.0), nanos(span.1)),
            exchanges: Vec::new(),
            by_key: HashMap::new(),
            by_loose: HashMap::new(),
            by_client: HashMap::new(),
            by_server: HashMap::new(),
            by_client_ip: HashMap::new(),
            failed: Vec::new(),
        };
        for (place, connection) in (0..).zip(connections) {
            wire.by_client
                .entry(connection.client)
                .or_default()
                .push(place);
            wire.by_server
                .entry(connection.server)
                .or_default()
                .push(place);
            wire.by_client_ip
                .entry(connection.client.ip)
                .or_default()
                .push(place);
            if !connection.outcome.is_fine() {
                wire.failed.push((over(connection), place));
            }
            for (nth, exchange) in (0..).zip(&connection.exchanges) {
                wire.exchanges
                    .extend(seen(connection, exchange, place, nth));
            }
        }
        wire.exchanges
            .sort_by_key(|it| (it.end, it.connection, it.exchange));
        wire.failed.sort_unstable();
        for (place, it) in (0..).zip(&wire.exchanges) {
            wire.by_key.entry(it.key).or_default().push(place);
            wire.by_loose.entry(it.loose).or_default().push(place);
        }
        wire
    }

    /// The exchanges that asked for what a line says, in the order of their ends.
    pub(crate) fn asked(&self, line: &LogLine) -> &[u32] {
        let Some((key, loose)) = Self::key_of(line) else {
            return &[];
        };
        let found = match loose {
            false => self.by_key.get(&key),
            true => self.by_loose.get(&key),
        };
        found.map_or(&[], Vec::as_slice)
    }

    /// What tells the request of a line from others, and whether the target is a loose one.
    pub(crate) fn key_of(line: &LogLine) -> Option<(u64, bool)> {
        let (method, target) = (line.method.as_ref()?, line.target.as_ref()?);
        let loose = line.loose_target;
        Some((key(method.as_bytes(), target.as_bytes(), loose), loose))
    }

    pub(crate) fn exchange(
        &self,
        place: u32,
    ) -> Option<(&WireExchange, &'a Connection, &'a Exchange)> {
        let it = self.exchanges.get(place as usize)?;
        let connection: &'a Connection = self.connections.get(it.connection as usize)?;
        let exchange = connection.exchanges.get(it.exchange as usize)?;
        Some((it, connection, exchange))
    }

    pub(crate) fn connection(&self, place: u32) -> Option<&'a Connection> {
        self.connections.get(place as usize).map(|it| &**it)
    }

    /// Connections of a line's client: from its address, and its port if the line has one.
    pub(crate) fn of_client(&self, line: &LogLine) -> &[u32] {
        match (line.client, line.client_port) {
            (Some(ip), Some(port)) => self.opened_by(Endpoint { ip, port }),
            (Some(ip), None) => self.by_client_ip.get(&ip).map_or(&[], Vec::as_slice),
            (None, _) => &[],
        }
    }

    /// Connections from this address and port.
    pub(crate) fn opened_by(&self, client: Endpoint) -> &[u32] {
        self.by_client.get(&client).map_or(&[], Vec::as_slice)
    }

    /// Connections to this address and port.
    pub(crate) fn to_server(&self, server: Endpoint) -> &[u32] {
        self.by_server.get(&server).map_or(&[], Vec::as_slice)
    }

    /// Whether the capture has this address at all.
    pub(crate) fn knows(&self, ip: IpAddr) -> bool {
        self.by_client_ip.contains_key(&ip)
    }
}

/// Times beyond this, as damaged captures have them, count as this one: sums of a few stay in range.
const FAR: i64 = i64::MAX / 3;

/// A time in nanoseconds.
pub(crate) fn nanos(at: Timestamp) -> i64 {
    at.as_nanos().clamp(-FAR, FAR)
}

/// When a connection was over.
pub(crate) fn over(connection: &Connection) -> i64 {
    nanos(connection.over())
}

/// How an exchange ended.
pub(crate) fn outcome(connection: &Connection, exchange: &Exchange) -> Option<Outcome> {
    exchange.outcome(connection.teardown.ending())
}

fn seen(
    connection: &Connection,
    exchange: &Exchange,
    place: u32,
    nth: u32,
) -> Option<WireExchange> {
    let request = exchange.request.as_ref()?;
    let target = request.target.as_ref()?;
    let method = exchange.method()?;
    let start = nanos(request.message.first.time);
    let answered = exchange.response.as_ref().map(|it| &it.message);
    let end = match answered {
        Some(it) if it.is_complete() => nanos(it.last.time),
        _ if exchange.cut_by().is_some() => exchange.cut_by().map_or(start, |it| nanos(it.at.time)),
        // Where its end cannot be told, the last of it that was seen.
        Some(it) if it.progress == MessageProgress::Unseen => nanos(it.last.time),
        _ => over(connection),
    };
    Some(WireExchange {
        connection: place,
        exchange: nth,
        key: key(method, target.as_bytes(), false),
        loose: key(method, target.as_bytes(), true),
        start,
        end: end.max(start),
    })
}

/// A hash of method and target. A target in absolute form is the same as its path (RFC 9112 §3.2.2).
fn key(method: &[u8], target: &[u8], loose: bool) -> u64 {
    let text = String::from_utf8_lossy(target);
    let path = match text.split_once("://") {
        Some((scheme, rest)) if scheme.bytes().all(|it| it.is_ascii_alphabetic()) => rest
            .find(['/', '?'])
            .and_then(|at| rest.get(at..))
            .unwrap_or("/"),
        _ => &text,
    };
    let mut hasher = foldhash::fast::FixedState::default().build_hasher();
    method.hash(&mut hasher);
    if loose {
        let path = path.split(['?', '#']).next().unwrap_or(path);
        let decoded = decoded(path.as_bytes());
        let lower = String::from_utf8_lossy(&decoded).to_lowercase();
        lower
            .as_bytes()
            .iter()
            .take(TARGET)
            .for_each(|it| it.hash(&mut hasher));
    } else {
        path.as_bytes()
            .iter()
            .take(TARGET)
            .for_each(|it| it.hash(&mut hasher));
    }
    hasher.finish()
}

/// A path without percent-encoding; blanks are `+`, as logs write them.
fn decoded(path: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        let mut byte = *first;
        if let (b'%', [high, low, after @ ..]) = (byte, rest) {
            let digit = |it: &u8| char::from(*it).to_digit(16);
            if let (Some(high), Some(low)) = (digit(high), digit(low)) {
                byte = (high << 4 | low) as u8;
                rest = after;
            }
        }
        out.push(if byte == b' ' { b'+' } else { byte });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_that_mean_the_same_have_one_key() {
        for (one, other, loose, same) in [
            ("/a?b=1", "/a?b=1", false, true),
            ("http://h:80/a?b=1", "/a?b=1", false, true),
            ("http://h", "/", false, true),
            ("/a?u=http://h/", "/", false, false),
            ("/a", "/A", false, false),
            ("/a%20b?q", "/a+b", true, true),
            ("/A", "/a", true, true),
            ("/a", "/b", true, false),
            ("/%zz%", "/%zz%", true, true),
        ] {
            let equal = key(b"GET", one.as_bytes(), loose) == key(b"GET", other.as_bytes(), loose);
            assert_eq!(equal, same, "{one} {other}");
        }
        assert_ne!(key(b"GET", b"/", false), key(b"POST", b"/", false));
    }
}
