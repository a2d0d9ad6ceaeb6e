//! The identity of a flow: both endpoints, regardless of direction, and the tunnel.
//!
//! The VLAN is part of the identity only where it has to be. The two directions of one connection may use different
//! VLANs. But if a second connection with the same addresses and ports opens in another VLAN while the first is live,
//! the VLAN tells them apart.

use std::net::IpAddr;

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
        let (low, high) = if is_ordered(&source, &destination) {
            (source, destination)
        } else {
            (destination, source)
        };
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

/// The same as `a <= b`, but faster for IPv4 because it avoids the general comparison of addresses.
#[inline(always)]
fn is_ordered(a: &Endpoint, b: &Endpoint) -> bool {
    match (a.ip, b.ip) {
        (IpAddr::V4(x), IpAddr::V4(y)) => (u32::from(x), a.port) <= (u32::from(y), b.port),
        _ => a <= b,
    }
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
        }
    }
}
