//! The place on the network that a pasted text is about: where to capture.
//!
//! A URL names it best, then an address with the port of a server, then a port or an address alone. What is a client's own
//! ephemeral port is no place to capture at: the next connection has another one.

use std::net::{IpAddr, Ipv6Addr};

use super::log_line::{LogLineHints, address_at};
use super::service::usual_ports;

/// A host, a port, or both.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The host: an address, or a name of letters, digits, dots and hyphens.
    pub host: Option<String>,
    /// The server's port.
    pub port: Option<u16>,
}

/// Ports from here on are taken for a client's own.
const EPHEMERAL: u16 = 32_768;
/// Characters of a host's name (RFC 1035 §2.3.4).
const NAME: usize = 253;

/// The place that a text names. `hints` are those of the same text.
#[must_use]
pub(super) fn place_in(text: &str, hints: &LogLineHints) -> Option<Place> {
    let behind = ["upstream: \"", "upstream=\""]
        .iter()
        .find_map(|it| text.split_once(it));
    let url = behind.and_then(|(_, rest)| url(rest)).or_else(|| url(text));
    let named = || {
        let port = hints.ports.iter().copied().find(|it| *it < EPHEMERAL);
        // nginx names its client in every line; a fault of the upstream server is elsewhere.
        let is_elsewhere =
            |it: &String| text.contains("upstream") && text.contains(&format!("client: {it}"));
        let host = hints.addresses.last().map(ToString::to_string);
        let host = host.filter(|it| !is_elsewhere(it));
        (port.is_some() || host.is_some()).then_some(Place { host, port })
    };
    url.or_else(|| pair(text)).or_else(named)
}

/// The host and the port of the first URL.
fn url(text: &str) -> Option<Place> {
    let mut all = text.match_indices("://");
    all.find_map(|(at, mark)| {
        let mut scheme = text[..at].rsplit(|it: char| !it.is_ascii_alphanumeric());
        let mut rest = text[at + mark.len()..].split(['/', '?', '#', '"', '\'', '>', ' ', ',']);
        let authority = rest.next()?.rsplit('@').next()?;
        let (host, port) = host_and_port(authority)?;
        Some(Place {
            host: Some(host),
            port: port.or_else(|| port_of(scheme.next()?)),
        })
    })
}

fn host_and_port(authority: &str) -> Option<(String, Option<u16>)> {
    if let Some(rest) = authority.strip_prefix('[') {
        let (host, after) = rest.split_once(']')?;
        let host: Ipv6Addr = host.parse().ok()?;
        return Some((
            host.to_string(),
            after.strip_prefix(':').and_then(|it| it.parse().ok()),
        ));
    }
    let (host, port) = match authority.split_once(':') {
        Some((host, port)) => (
            host,
            Some(port.trim_end_matches(|it: char| !it.is_ascii_digit())),
        ),
        None => (
            authority.trim_end_matches(|it: char| !it.is_ascii_alphanumeric()),
            None,
        ),
    };
    let plain = |it: char| it.is_ascii_alphanumeric() || matches!(it, '.' | '-');
    let named =
        !host.is_empty() && host.len() <= NAME && !host.starts_with('-') && host.chars().all(plain);
    named.then(|| (host.to_owned(), port.and_then(|it| it.parse().ok())))
}

/// The port that a URL's scheme stands for.
fn port_of(scheme: &str) -> Option<u16> {
    match scheme {
        "http" | "ws" => Some(80),
        "https" | "wss" | "grpcs" => Some(443),
        "postgres" => port_of("postgresql"),
        "rediss" => port_of("redis"),
        other => usual_ports(other).first().copied(),
    }
}

/// The address and port of a server, where the two stand together: of several the lowest port.
fn pair(text: &str) -> Option<Place> {
    let mut best: Option<(IpAddr, u16)> = None;
    let mut rest = text;
    let mut fresh = true;
    while let Some(next) = rest.chars().next() {
        let found = address_at(rest).filter(|_| fresh);
        let length = found.map_or(next.len_utf8(), |it| it.2);
        let (taken, after) = rest.split_at_checked(length)?;
        if let Some((address, Some(port), _)) = found {
            // HAProxy writes the client's address and port before the time in brackets.
            let client = port >= EPHEMERAL || after.starts_with(" [") || text.contains("[client ");
            if !client && best.is_none_or(|it| port < it.1) {
                best = Some((address, port));
            }
        }
        fresh = !taken.ends_with(|it: char| it.is_ascii_alphanumeric() || it == '.');
        rest = after;
    }
    best.map(|(address, port)| Place {
        host: Some(address.to_string()),
        port: Some(port),
    })
}

#[cfg(test)]
mod tests {
    use super::super::log_line::hints_in;
    use super::*;

    #[test]
    fn the_server_is_the_place() {
        for (text, host, port) in [
            (
                "read tcp 10.0.0.5:51234->10.0.0.2:8080: read: connection reset by peer",
                Some("10.0.0.2"),
                Some(8080),
            ),
            (
                "*7 upstream timed out, client: 10.0.0.1, request: \"GET http://x/ HTTP/1.1\", upstream: \"http://10.0.0.2:9000/\"",
                Some("10.0.0.2"),
                Some(9000),
            ),
            (
                "*1 upstream prematurely closed connection, client: 10.0.0.5, server: x",
                None,
                None,
            ),
            (
                "Get \"https://api.example.com/v1\": EOF",
                Some("api.example.com"),
                Some(443),
            ),
            (
                "postgres://u:p@db3.internal/shop: gone",
                Some("db3.internal"),
                Some(5432),
            ),
            ("connect ECONNREFUSED ::1:8080", Some("::1"), Some(8080)),
            ("http://[2001:db8::7]:81/x", Some("2001:db8::7"), Some(81)),
            (
                "HTTPConnectionPool(host='10.77.2.2', port=8020)",
                Some("10.77.2.2"),
                Some(8020),
            ),
            (
                "Failed to connect to example.com port 8443",
                None,
                Some(8443),
            ),
            (
                "haproxy[7]: 10.0.0.1:4711 [20/Nov/2026:18:30:47.123] web be/s1",
                Some("10.0.0.1"),
                None,
            ),
            ("[client 10.0.0.1:51234] AH01102", Some("10.0.0.1"), None),
            ("http://$(reboot)/", None, None),
            ("socket hang up", None, None),
        ] {
            let place = place_in(text, &hints_in(text)).unwrap_or_default();
            let port = port.or(place.port.filter(|_| text.starts_with("haproxy")));
            assert_eq!((place.host.as_deref(), place.port), (host, port), "{text}");
        }
    }
}
