//! Address tests: `10.0.0.2`, `10.0.0.2:80`, `:80`, `10.0.0.0/8`, `2001:db8::/32`, `[::1]:443`.

use std::fmt;
use std::net::IpAddr;

use crate::base::net::Endpoint;

/// A network, a port, or both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AddressTest {
    /// An address and the length of its prefix in bits; `None` matches any.
    pub(super) net: Option<(IpAddr, u8)>,
    /// `None` matches any.
    pub(super) port: Option<u16>,
}

impl AddressTest {
    /// Parses an address test; `None` if the text is not one.
    pub(super) fn read(text: &str) -> Option<Self> {
        let (address, port) = split(text)?;
        let net = match address {
            "" => None,
            address => Some(net(address)?),
        };
        (net.is_some() || port.is_some()).then_some(Self { net, port })
    }

    /// Whether the endpoint matches.
    pub(super) fn holds(&self, at: &Endpoint) -> bool {
        self.port.is_none_or(|port| port == at.port)
            && self.net.is_none_or(|(net, bits)| within(at.ip, net, bits))
    }
}

impl fmt::Display for AddressTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((ip, bits)) = self.net {
            // An IPv6 address needs brackets only with a port.
            match (ip, self.port) {
                (IpAddr::V6(ip), Some(_)) => write!(f, "[{ip}")?,
                (ip, _) => write!(f, "{ip}")?,
            }
            if bits < width(ip) {
                write!(f, "/{bits}")?;
            }
            if ip.is_ipv6() && self.port.is_some() {
                f.write_str("]")?;
            }
        }
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

/// Splits address and port. `10.0.0.0/8:80` and `[2001:db8::/32]:80` have both; without brackets an IPv6 address has no
/// port.
fn split(text: &str) -> Option<(&str, Option<u16>)> {
    if let Some(rest) = text.strip_prefix('[') {
        let (address, rest) = rest.split_once(']')?;
        return match rest {
            "" => Some((address, None)),
            rest => Some((address, Some(rest.strip_prefix(':')?.parse().ok()?))),
        };
    }
    match text.split_once(':') {
        Some((_, rest)) if rest.contains(':') => Some((text, None)),
        Some((address, port)) => Some((address, Some(port.parse().ok()?))),
        None => Some((text, None)),
    }
}

fn net(text: &str) -> Option<(IpAddr, u8)> {
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address, Some(bits.parse::<u8>().ok()?)),
        None => (text, None),
    };
    let ip: IpAddr = address.parse().ok()?;
    let bits = bits.unwrap_or(width(ip));
    (bits <= width(ip)).then_some((masked(ip, bits), bits))
}

const fn width(ip: IpAddr) -> u8 {
    match ip {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

fn within(ip: IpAddr, net: IpAddr, bits: u8) -> bool {
    match (ip, net) {
        (IpAddr::V4(_), IpAddr::V4(_)) | (IpAddr::V6(_), IpAddr::V6(_)) => masked(ip, bits) == net,
        _ => false,
    }
}

/// The address with all bits after the first `bits` cleared.
fn masked(ip: IpAddr, bits: u8) -> IpAddr {
    match ip {
        IpAddr::V4(ip) => {
            let mask = u32::MAX
                .checked_shl(32 - u32::from(bits.min(32)))
                .unwrap_or(0);
            IpAddr::V4((u32::from(ip) & mask).into())
        }
        IpAddr::V6(ip) => {
            let mask = u128::MAX
                .checked_shl(128 - u32::from(bits.min(128)))
                .unwrap_or(0);
            IpAddr::V6((u128::from(ip) & mask).into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(place: &str, at: &str, inside: bool) {
        let at: std::net::SocketAddr = at.parse().unwrap();
        let at = Endpoint {
            ip: at.ip(),
            port: at.port(),
        };
        assert_eq!(
            AddressTest::read(place).unwrap().holds(&at),
            inside,
            "{place} {at}"
        );
    }

    #[test]
    fn places_hold_endpoints() {
        check("10.0.0.2", "10.0.0.2:80", true);
        check("10.0.0.2", "10.0.0.3:80", false);
        check("10.0.0.2:80", "10.0.0.2:80", true);
        check("10.0.0.2:80", "10.0.0.2:81", false);
        check(":80", "[::1]:80", true);
        check("10.0.0.0/8", "10.255.0.1:1", true);
        check("10.0.0.0/8", "11.0.0.1:1", false);
        check("10.1.2.3/8:80", "10.9.9.9:80", true);
        check("0.0.0.0/0", "1.2.3.4:1", true);
        check("0.0.0.0/0", "[::1]:1", false);
        check("2001:db8::/32", "[2001:db8:1::1]:1", true);
        check("[2001:db8::/32]:443", "[2001:db8:1::1]:1", false);
        check("::1", "[::1]:9", true);
        check("::/0", "[::1]:9", true);
    }

    #[test]
    fn nonsense_is_no_place() {
        for text in [
            "",
            "10.0.0",
            "10.0.0.0/33",
            ":",
            ":99999",
            "[::1",
            "[::1]80",
            "::1/129",
            "a:80",
            "10.0.0.2:",
        ] {
            assert_eq!(AddressTest::read(text), None, "{text}");
        }
    }
}
