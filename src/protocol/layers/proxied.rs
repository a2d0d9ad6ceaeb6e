//! The header with which a proxy names its client before anything else on a connection: the PROXY protocol of HAProxy, which
//! nginx, Envoy, and load balancers of clouds speak as well, in text (version 1) and in binary (version 2).
//!
//! Specification: <https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt>. It comes in one segment (§2), so one that is cut
//! is not read. Left out: the additions of version 2 (TLV), and addresses that are not of TCP over IP.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::base::net::Endpoint;

/// The beginning of version 2 (§2.2).
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// The longest line of version 1, with its end (§2.1).
const LONGEST_LINE: usize = 107;
/// Additions to the header of version 2 are certificates' names and ids: more than this is something else.
const LONGEST_BINARY: usize = 4096;

/// What a proxy says of its client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProxyHeader {
    /// 1 or 2.
    pub version: u8,
    /// The client and the address that it connected to; `None` for a connection that the proxy made for itself, such as a health
    /// check, or where it names no address of TCP over IP.
    pub ends: Option<[Endpoint; 2]>,
    /// Its length in bytes.
    pub length: u32,
}

impl ProxyHeader {
    /// The header that a connection begins with.
    pub(crate) fn of(bytes: &[u8]) -> Option<Self> {
        match bytes.first()? {
            b'P' => Self::of_line(bytes),
            b'\r' => Self::of_binary(bytes),
            _ => None,
        }
    }

    fn of_line(bytes: &[u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(b"PROXY ")?;
        let line = rest.get(..LONGEST_LINE.min(rest.len()))?;
        let end = line.windows(2).position(|it| it == b"\r\n")?;
        let text = std::str::from_utf8(line.get(..end)?).ok()?;
        let mut words = text.split(' ');
        let ends = match words.next()? {
            "UNKNOWN" => None,
            "TCP4" | "TCP6" => {
                let [source, destination] = [words.next()?, words.next()?];
                let [from, to] = [words.next()?, words.next()?];
                let end = |ip: &str, port: &str| {
                    Some(Endpoint {
                        ip: ip.parse().ok()?,
                        port: port.parse().ok()?,
                    })
                };
                Some([end(source, from)?, end(destination, to)?])
            }
            _ => return None,
        };
        Some(Self {
            version: 1,
            ends,
            length: u32::try_from(end + 8).ok()?,
        })
    }

    fn of_binary(bytes: &[u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(SIGNATURE)?;
        let &[version_and_command, family, high, low] = rest.first_chunk()?;
        let length = usize::from(u16::from_be_bytes([high, low]));
        let body = rest.get(4..4 + length)?;
        if version_and_command >> 4 != 2 || length > LONGEST_BINARY {
            return None;
        }
        let port = |at: usize| Some(u16::from_be_bytes(*body.get(at..)?.first_chunk()?));
        let ends = match (version_and_command & 15, family) {
            (0, _) => None,
            (1, 0x11) => {
                let ip = |at: usize| Some(Ipv4Addr::from(*body.get(at..)?.first_chunk::<4>()?));
                Some([
                    (IpAddr::V4(ip(0)?), port(8)?),
                    (IpAddr::V4(ip(4)?), port(10)?),
                ])
            }
            (1, 0x21) => {
                let ip = |at: usize| Some(Ipv6Addr::from(*body.get(at..)?.first_chunk::<16>()?));
                Some([
                    (IpAddr::V6(ip(0)?), port(32)?),
                    (IpAddr::V6(ip(16)?), port(34)?),
                ])
            }
            (1, _) => None,
            _ => return None,
        };
        Some(Self {
            version: 2,
            ends: ends.map(|both| both.map(|(ip, port)| Endpoint { ip, port })),
            length: u32::try_from(SIGNATURE.len() + 4 + length).ok()?,
        })
    }

    /// The client, if it is named.
    #[must_use]
    pub fn client(&self) -> Option<Endpoint> {
        self.ends.map(|[client, _]| client)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(bytes: &[u8]) -> Option<String> {
        let header = ProxyHeader::of(bytes)?;
        let client = header.client().map_or("-".to_owned(), |it| it.to_string());
        Some(format!("v{} {client} {}", header.version, header.length))
    }

    #[test]
    fn both_versions_name_the_client() {
        let line = b"PROXY TCP4 10.83.0.2 10.83.1.10 42318 80\r\nGET / HTTP/1.1\r\n";
        assert_eq!(told(line).as_deref(), Some("v1 10.83.0.2:42318 42"));
        assert_eq!(
            told(b"PROXY TCP6 2001:db8::1 2001:db8::2 1 2\r\n").as_deref(),
            Some("v1 [2001:db8::1]:1 40")
        );
        assert_eq!(told(b"PROXY UNKNOWN\r\n").as_deref(), Some("v1 - 15"));
        let mut binary = SIGNATURE.to_vec();
        binary.extend([
            0x21, 0x11, 0, 15, 10, 0, 0, 1, 10, 0, 0, 2, 0x10, 0, 0, 80, 4, 0, 0,
        ]);
        assert_eq!(told(&binary).as_deref(), Some("v2 10.0.0.1:4096 31"));
        let mut six = SIGNATURE.to_vec();
        six.extend([0x21, 0x21, 0, 36]);
        six.extend([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        six.extend([0; 16]);
        six.extend([0, 7, 0, 80]);
        assert_eq!(told(&six).as_deref(), Some("v2 [2001:db8::1]:7 52"));
        // A health check of the proxy itself.
        let mut local = SIGNATURE.to_vec();
        local.extend([0x20, 0, 0, 0]);
        assert_eq!(told(&local).as_deref(), Some("v2 - 16"));
    }

    #[test]
    fn what_is_no_header_is_left() {
        for other in [
            &b"PROXY / HTTP/1.1\r\n"[..],
            b"PROXY TCP4 10.0.0.1 10.0.0.2 1\r\n",
            b"PROXY TCP4 10.0.0.1 10.0.0.2 70000 80\r\n",
            b"PROXY TCP4 10.0.0.1 10.0.0.2 1 80",
            b"POST / HTTP/1.1\r\n",
            b"\r\n\r\n\0\r\nQUIT\n\x31\x11\0\0",
            b"\r\nGET / HTTP/1.1\r\n",
            b"",
        ] {
            assert_eq!(told(other), None, "{}", other.escape_ascii());
        }
    }
}
