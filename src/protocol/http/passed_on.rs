//! What makes the request on one side of a proxy known again on the other: ids that programs pass on, and the client
//! that a proxy names.
//!
//! Ids are kept as hashes: they are only compared. Of the addresses in `X-Forwarded-For`, `Forwarded` (RFC 7239) or
//! FastCGI's `REMOTE_ADDR` the last one is kept: it is the client of the proxy that sent the request. Left out: ids of
//! single steps, such as the parent of `traceparent`, which every hop replaces.

use std::hash::BuildHasher as _;
use std::net::IpAddr;

/// Ids kept of one exchange: usual are one that the client chose, one of a proxy, and one of tracing.
const MAX_IDS: usize = 4;

/// What is passed on with a request and its response, or added by a proxy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PassedOn {
    /// Hashes of ids; 0 where there is none.
    ids: [u64; MAX_IDS],
    /// The client that the sender of the request names, and its port; 0 if it names none.
    client: Option<(IpAddr, u16)>,
    /// A hash of all the clients that it names; 0 if there are none.
    clients: u64,
}

impl PassedOn {
    /// Hashes of the ids in it.
    pub fn ids(&self) -> impl Iterator<Item = u64> + '_ {
        self.ids.iter().copied().filter(|it| *it != 0)
    }

    /// The client of the proxy that sent the request, and its port; 0 if only the address is named.
    #[must_use]
    pub const fn client(&self) -> Option<(IpAddr, u16)> {
        self.client
    }

    /// Whether both name the same clients: a proxy passed the list on as it was.
    #[must_use]
    pub const fn same_clients(&self, other: &Self) -> bool {
        self.clients == other.clients
    }

    /// Takes what a field says, if it is one of these; whether it names a client.
    pub(crate) fn field(&mut self, name: &[u8], value: &[u8]) -> bool {
        let is = |other: &str| name.eq_ignore_ascii_case(other.as_bytes());
        match name.len() {
            9 if is("forwarded") => self.forwarded(value),
            9 if is("x-real-ip") => {
                if self.client.is_none() {
                    self.client = address(value);
                }
                return true;
            }
            15 if is("x-forwarded-for") => self.named(value, last_of(value)),
            11 if is("traceparent") => {
                self.id(value.split(|byte| *byte == b'-').nth(1).unwrap_or_default());
                return false;
            }
            12 if is("x-request-id") || is("x-b3-traceid") => return self.id(value),
            10 if is("request-id") || is("x-trace-id") => return self.id(value),
            11 if is("x-unique-id") => return self.id(value),
            15 if is("x-amzn-trace-id") => return self.id(value),
            16 if is("x-correlation-id") => return self.id(value),
            _ => return false,
        }
        true
    }

    /// The client as FastCGI names it.
    pub(crate) fn remote(&mut self, address: &[u8], port: &[u8]) {
        let text = |bytes| std::str::from_utf8(bytes).ok();
        let ip = text(address).and_then(|it| it.parse().ok());
        let port = text(port).and_then(|it| it.parse().ok()).unwrap_or(0);
        self.client = ip.map(|ip| (ip, port));
    }

    /// Adds an id; that is no client.
    fn id(&mut self, value: &[u8]) -> bool {
        if !value.is_empty() {
            self.add(hash(value));
        }
        false
    }

    fn add(&mut self, id: u64) {
        if !self.ids.contains(&id)
            && let Some(free) = self.ids.iter_mut().find(|it| **it == 0)
        {
            *free = id;
        }
    }

    fn named(&mut self, all: &[u8], last: &[u8]) {
        self.clients ^= hash(all);
        // The last line counts: proxies append.
        self.client = address(last);
    }

    fn forwarded(&mut self, value: &[u8]) {
        let pairs = last_of(value).split(|byte| *byte == b';');
        let mut by_name = pairs.filter_map(|pair| {
            let (name, value) = pair.trim_ascii().split_at_checked(4)?;
            name.eq_ignore_ascii_case(b"for=").then_some(value)
        });
        if let Some(node) = by_name.next() {
            let bare = node.strip_prefix(b"\"").unwrap_or(node);
            self.named(value, bare.strip_suffix(b"\"").unwrap_or(bare));
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Adds what another head says.
    pub(super) fn merge(&mut self, other: &Self) {
        for id in other.ids() {
            self.add(id);
        }
        self.client = self.client.or(other.client);
        self.clients ^= other.clients;
    }
}

fn hash(bytes: &[u8]) -> u64 {
    foldhash::fast::FixedState::default().hash_one(bytes).max(1)
}

/// The last member of a list.
fn last_of(value: &[u8]) -> &[u8] {
    let last = value.rsplit(|byte| *byte == b',').next();
    last.unwrap_or_default().trim_ascii()
}

/// An address, with a port or without: `10.0.0.1:80`, `[2001:db8::1]:80`, `2001:db8::1`.
fn address(text: &[u8]) -> Option<(IpAddr, u16)> {
    let text = std::str::from_utf8(text).ok()?.trim();
    if let Ok(ip) = text.parse() {
        return Some((ip, 0));
    }
    if let Ok(both) = text.parse::<std::net::SocketAddr>() {
        return Some((both.ip(), both.port()));
    }
    let inner = text.strip_prefix('[')?.strip_suffix(']')?;
    Some((inner.parse().ok()?, 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(fields: &[(&str, &str)]) -> PassedOn {
        let mut all = PassedOn::default();
        for (name, value) in fields {
            all.field(name.as_bytes(), value.as_bytes());
        }
        all
    }

    #[test]
    fn the_last_client_counts() {
        let cases = [
            ("X-Forwarded-For", "10.0.0.1", Some("10.0.0.1:0")),
            ("x-forwarded-for", "10.0.0.1, 10.0.0.2", Some("10.0.0.2:0")),
            (
                "X-Forwarded-For",
                "10.0.0.1, 10.0.0.2:77",
                Some("10.0.0.2:77"),
            ),
            ("X-Forwarded-For", "unknown", None),
            ("X-Forwarded-For", "2001:db8::1", Some("[2001:db8::1]:0")),
            (
                "Forwarded",
                "for=1.2.3.4, For=\"[2001:db8::1]:4711\";by=x",
                Some("[2001:db8::1]:4711"),
            ),
            (
                "Forwarded",
                "proto=http;for=\"10.0.0.3:80\"",
                Some("10.0.0.3:80"),
            ),
            ("X-Real-IP", "10.0.0.1", Some("10.0.0.1:0")),
            ("X-Real-IP", "\u{e9}", None),
        ];
        for (name, value, expected) in cases {
            let told = said(&[(name, value)]).client();
            let told = told.map(|(ip, port)| std::net::SocketAddr::new(ip, port).to_string());
            assert_eq!(told.as_deref(), expected, "{name}: {value}");
        }
    }

    #[test]
    fn ids_are_compared_by_their_values() {
        let one = said(&[("X-Request-Id", "a1"), ("traceparent", "00-4bf9-00f0-01")]);
        let other = said(&[("x-correlation-id", "a1")]);
        let traced = said(&[("traceparent", "00-4bf9-aaaa-00")]);
        let shared = |other: &PassedOn| one.ids().any(|id| other.ids().any(|it| it == id));
        assert!(shared(&other) && shared(&traced));
        assert!(!shared(&said(&[("X-Request-Id", "a2")])) && !shared(&said(&[("Cookie", "a1")])));
        assert!(said(&[("X-Request-Id", "")]).is_empty());
    }
}
