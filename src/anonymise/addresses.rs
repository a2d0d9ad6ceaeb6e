//! Addresses: IP addresses keep their common prefixes, MAC addresses are replaced.
//!
//! Two addresses share exactly as many leading bits after the mapping as before (`ipcrypt-pfx`). Addresses that say what kind of
//! address they are stay of their kind: private ones stay in their private range, and loopback, multicast, broadcast and
//! unspecified addresses stay as they are, since they name nobody.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::key::Key;

/// Ranges that are mapped onto themselves: their first address and length of the prefix.
const V4_RANGES: [([u8; 4], u32); 6] = [
    ([10, 0, 0, 0], 8),
    ([172, 16, 0, 0], 12),
    ([192, 168, 0, 0], 16),
    ([169, 254, 0, 0], 16),
    ([100, 64, 0, 0], 10),
    ([0, 0, 0, 0], 8),
];
/// Ranges whose addresses stay as they are.
const V4_KEPT: [([u8; 4], u32); 3] = [
    ([127, 0, 0, 0], 8),
    ([224, 0, 0, 0], 4),
    ([240, 0, 0, 0], 4),
];
/// The first bytes and length of the prefix: unique local, link-local, 6to4, Teredo, NAT64.
const V6_RANGES: [([u8; 8], u32); 5] = [
    ([0xfc, 0, 0, 0, 0, 0, 0, 0], 7),
    ([0xfe, 0x80, 0, 0, 0, 0, 0, 0], 64),
    ([0x20, 2, 0, 0, 0, 0, 0, 0], 16),
    ([0x20, 1, 0, 0, 0, 0, 0, 0], 32),
    ([0, 0x64, 0xff, 0x9b, 0, 0, 0, 0], 64),
];
/// Most times that a range is stepped out of: there are fewer ranges.
const MAX_STEPS: usize = 16;

impl Key {
    /// The address that stands for this one.
    #[must_use]
    pub fn address(&self, ip: IpAddr) -> IpAddr {
        match ip {
            IpAddr::V4(ip) => IpAddr::V4(self.v4(ip)),
            IpAddr::V6(ip) => IpAddr::V6(self.v6(ip)),
        }
    }

    fn v4(&self, ip: Ipv4Addr) -> Ipv4Addr {
        let own = u32::from(ip);
        let within = |value: u32, (first, length): ([u8; 4], u32)| {
            (value ^ u32::from_be_bytes(first)) >> (32 - length) == 0
        };
        // All of a network, for a broadcast.
        if own == 0 || V4_KEPT.iter().any(|range| within(own, *range)) {
            return ip;
        }
        let map = |value: u32| match self.addresses.encrypt_ipaddr(Ipv4Addr::from(value).into()) {
            IpAddr::V4(ip) => u32::from(ip),
            IpAddr::V6(_) => value,
        };
        let mut mapped = map(own);
        let all = || V4_RANGES.into_iter().chain(V4_KEPT);
        if let Some((first, length)) = V4_RANGES.into_iter().find(|range| within(own, *range)) {
            let low = u32::MAX >> length;
            return Ipv4Addr::from(u32::from_be_bytes(first) & !low | mapped & low);
        }
        // Where a range would have gone there is room, as it stays where it is.
        for _ in 0..MAX_STEPS {
            let Some((first, length)) = all().find(|range| within(mapped, *range)) else {
                break;
            };
            let low = u32::MAX >> length;
            mapped = map(u32::from_be_bytes(first)) & !low | mapped & low;
        }
        Ipv4Addr::from(mapped)
    }

    fn v6(&self, ip: Ipv6Addr) -> Ipv6Addr {
        if ip.is_unspecified() || ip.is_loopback() || ip.is_multicast() {
            return ip;
        }
        // An IPv4 address in it.
        if let Some(v4) = ip.to_ipv4_mapped() {
            return self.v4(v4).to_ipv6_mapped();
        }
        let own = u128::from(ip);
        let range =
            |(first, length): ([u8; 8], u32)| (u128::from(u64::from_be_bytes(first)) << 64, length);
        let within =
            |value: u128, (first, length): (u128, u32)| (value ^ first) >> (128 - length) == 0;
        let map = |value: u128| match self.addresses.encrypt_ipaddr(Ipv6Addr::from(value).into()) {
            IpAddr::V6(ip) => u128::from(ip),
            IpAddr::V4(ip) => u128::from(ip.to_ipv6_mapped()),
        };
        let mut mapped = map(own);
        let ranges = V6_RANGES.map(range);
        if let Some((first, length)) = ranges.into_iter().find(|range| within(own, *range)) {
            let low = u128::MAX >> length;
            return Ipv6Addr::from(first & !low | mapped & low);
        }
        // Multicast and the addresses that stand for IPv4 are no places for a host.
        let others = [(0xff << 120, 8), (0, 8)];
        for _ in 0..MAX_STEPS {
            let all = || ranges.into_iter().chain(others);
            let Some((first, length)) = all().find(|range| within(mapped, *range)) else {
                break;
            };
            let low = u128::MAX >> length;
            mapped = map(first) & !low | mapped & low;
        }
        Ipv6Addr::from(mapped)
    }

    /// Replaces the address at the beginning of these bytes: 4 or 16.
    pub(super) fn replace_address(&self, bytes: &mut [u8]) {
        if let Ok(own) = <[u8; 4]>::try_from(&*bytes) {
            bytes.copy_from_slice(&self.v4(own.into()).octets());
        } else if let Ok(own) = <[u8; 16]>::try_from(&*bytes) {
            bytes.copy_from_slice(&self.v6(own.into()).octets());
        } else {
            bytes.fill(0);
        }
    }

    /// Replaces a MAC address. Group addresses and zeros stay; others become locally administered ones.
    pub(super) fn replace_mac(&self, bytes: &mut [u8]) {
        if bytes.first().is_none_or(|it| it & 1 == 1) || bytes.iter().all(|it| *it == 0) {
            return;
        }
        self.macs.replace(bytes);
        if let Some(first) = bytes.first_mut() {
            *first = *first & 0xfc | 2;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> Key {
        Key::of_bytes(b"a key for tests, long enough").unwrap()
    }

    #[test]
    fn common_prefixes_stay_and_kinds_stay() {
        let key = key();
        let map = |ip: &str| key.address(ip.parse().unwrap());
        for (a, b, bits) in [
            ("10.1.2.3", "10.1.2.4", 29),
            ("10.1.2.3", "10.128.2.3", 8),
            ("192.168.1.1", "192.168.1.255", 24),
            ("203.0.113.1", "203.0.113.200", 24),
            ("8.8.8.8", "8.8.4.4", 20),
            ("2001:db8::1", "2001:db8::2", 126),
            ("2001:db8::1", "2001:db8:0:1::1", 63),
            ("fe80::1", "fe80::2", 126),
        ] {
            let common = |a: IpAddr, b: IpAddr| match (a, b) {
                (IpAddr::V4(a), IpAddr::V4(b)) => (u32::from(a) ^ u32::from(b)).leading_zeros(),
                (IpAddr::V6(a), IpAddr::V6(b)) => (u128::from(a) ^ u128::from(b)).leading_zeros(),
                _ => 0,
            };
            assert_eq!(common(a.parse().unwrap(), b.parse().unwrap()), bits);
            assert_eq!(common(map(a), map(b)), bits, "{a} {b}");
            assert_ne!(map(a).to_string(), a);
        }
        for same in [
            "127.0.0.1",
            "0.0.0.0",
            "255.255.255.255",
            "224.0.0.251",
            "::1",
            "ff02::1",
            "::",
        ] {
            assert_eq!(map(same).to_string(), same);
        }
        for (ip, prefix) in [
            ("10.9.8.7", "10."),
            ("172.20.1.1", "172."),
            ("192.168.3.4", "192.168."),
            ("fd00::1", "f"),
            ("fe80::17", "fe80::"),
        ] {
            assert!(map(ip).to_string().starts_with(prefix), "{ip} {}", map(ip));
        }
    }

    /// No two addresses become one, and none becomes private that was not.
    #[test]
    fn addresses_stay_apart() {
        let key = key();
        let mut seen = std::collections::HashSet::new();
        for nth in 0..65_536_u32 {
            let own = Ipv4Addr::from(nth << 16 | nth.wrapping_mul(40_503) & 0xffff);
            let mapped = key.v4(own);
            assert!(seen.insert(mapped), "{own} {mapped}");
            assert_eq!(own.is_private(), mapped.is_private(), "{own} {mapped}");
            assert_eq!(own.is_loopback(), mapped.is_loopback(), "{own} {mapped}");
            assert_eq!(own.is_multicast(), mapped.is_multicast(), "{own} {mapped}");
        }
    }

    #[test]
    fn macs_keep_their_kind() {
        let key = key();
        let map = |mut mac: [u8; 6]| {
            key.replace_mac(&mut mac);
            mac
        };
        assert_eq!(map([0xff; 6]), [0xff; 6]);
        assert_eq!(map([0; 6]), [0; 6]);
        assert_eq!(map([1, 0, 0x5e, 0, 0, 1]), [1, 0, 0x5e, 0, 0, 1]);
        let own = map([0, 0x16, 0x3e, 1, 2, 3]);
        assert_ne!(own, [0, 0x16, 0x3e, 1, 2, 3]);
        assert_eq!(own[0] & 3, 2);
        assert_eq!(own, map([0, 0x16, 0x3e, 1, 2, 3]));
    }
}
