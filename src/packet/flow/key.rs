//! The identity of a flow: both endpoints, regardless of direction, and the tunnel.
//!
//! The VLAN is part of the identity only where it has to be. The two directions of one connection may use different
//! VLANs. But if a second connection with the same addresses and ports opens in another VLAN while the first is live,
//! the VLAN tells them apart.

use std::net::{IpAddr, Ipv4Addr};

use crate::base::net::{Context, Endpoint};

/// The undirected identity of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FlowKey {
    low: Endpoint,
    high: Endpoint,
    context: Context,
    /// The VLAN, for flows that only the VLAN tells apart.
    vlan: Option<u16>,
    /// Computed once: both the distribution over partitions and the table use it.
    share: u64,
}

const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;

impl FlowKey {
    /// The flow of segments between two endpoints, in either direction.
    #[must_use]
    #[inline(always)]
    pub fn new(source: Endpoint, destination: Endpoint, context: Context) -> Self {
        let (low, high) = ordered(source, destination);
        let ports = u64::from(low.port) << 48 | u64::from(high.port) << 32 | u64::from(context.0);
        let share = mix(mix(mix(fold(low.ip)) ^ fold(high.ip).rotate_left(32)) ^ ports);
        Self {
            low,
            high,
            context,
            vlan: None,
            share,
        }
    }

    /// The same flow restricted to one VLAN.
    #[must_use]
    pub(crate) const fn in_vlan(self, vlan: u16) -> Self {
        Self {
            vlan: Some(vlan),
            share: mix(self.share ^ (vlan as u64 + 1)),
            ..self
        }
    }

    /// A hash that is the same in every run and on every machine. Work is distributed by it, and the output must not
    /// depend on the distribution.
    #[must_use]
    pub const fn share(&self) -> u64 {
        self.share
    }

    /// The hash for a table; `seed` makes bucket collisions unpredictable.
    #[must_use]
    pub const fn hash(&self, seed: u64) -> u64 {
        mix(self.share ^ seed)
    }
}

/// Both, the lesser one first. Those of IPv4 are compared as numbers and made again from them: the general comparison, and a
/// choice between two that were just written to memory, take longer than all else that is done for a usual frame.
#[inline(always)]
fn ordered(a: Endpoint, b: Endpoint) -> (Endpoint, Endpoint) {
    let (IpAddr::V4(x), IpAddr::V4(y)) = (a.ip, b.ip) else {
        return if a <= b { (a, b) } else { (b, a) };
    };
    let number = |ip: Ipv4Addr, port: u16| u64::from(u32::from(ip)) << 16 | u64::from(port);
    let endpoint = |number: u64| Endpoint {
        ip: IpAddr::V4(Ipv4Addr::from((number >> 16) as u32)),
        port: number as u16,
    };
    let (a, b) = (number(x, a.port), number(y, b.port));
    (endpoint(a.min(b)), endpoint(a.max(b)))
}

#[inline(always)]
fn fold(ip: IpAddr) -> u64 {
    match ip {
        IpAddr::V4(ip) => u64::from(u32::from(ip)),
        IpAddr::V6(ip) => {
            let bits = u128::from(ip);
            mix(bits as u64) ^ (bits >> 64) as u64 ^ MULTIPLIER
        }
    }
}

#[inline(always)]
const fn mix(word: u64) -> u64 {
    let wide = (word ^ MULTIPLIER) as u128 * 0xd6e8_feb8_6659_fd93_u128;
    (wide as u64) ^ (wide >> 64) as u64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn endpoint() -> impl Strategy<Value = Endpoint> {
        (any::<IpAddr>(), any::<u16>()).prop_map(|(ip, port)| Endpoint { ip, port })
    }

    proptest! {
        #[test]
        fn both_directions_are_one_flow(a in endpoint(), b in endpoint(), context: u32, seed: u64) {
            let there = FlowKey::new(a, b, Context(context));
            let back = FlowKey::new(b, a, Context(context));
            prop_assert_eq!(there, back);
            prop_assert_eq!(there.hash(seed), back.hash(seed));
            prop_assert_eq!(there.share(), back.share());
            prop_assert_eq!((there.low, there.high), (a.min(b), a.max(b)));
        }
    }
}
