//! Ethernet and what an EtherType announces: VLAN tags and IP.

use etherparse::EtherType;

use super::Skip;
use super::walk::{Layer, Step, Walk};

/// The highest value of the two bytes behind the addresses that is a length (IEEE 802.3 §3.2.6).
const MAX_802_3_LENGTH: u16 = 1500;

impl<'a> Walk<'a, '_> {
    #[inline]
    pub(super) fn ethernet(&mut self) -> Result<Step<'a>, Skip> {
        let &[a, b, c, d, e, f, g, h, i, j, k, l, t0, t1] = self.bytes.head()?;
        self.digest(
            u64::from_ne_bytes([a, b, c, d, e, f, g, h]),
            u64::from(u32::from_ne_bytes([i, j, k, l])),
        );
        self.bytes = self.bytes.after(14)?;
        self.ether_type(u16::from_be_bytes([t0, t1]))
    }

    /// What follows an EtherType.
    #[inline]
    pub(super) fn ether_type(&mut self, kind: u16) -> Result<Step<'a>, Skip> {
        match EtherType(kind) {
            EtherType::IPV4 => self.ipv4(),
            EtherType::IPV6 => self.ipv6(),
            EtherType::VLAN_TAGGED_FRAME
            | EtherType::PROVIDER_BRIDGING
            | EtherType::VLAN_DOUBLE_TAGGED_FRAME => {
                let &[t0, t1, n0, n1] = self.bytes.head()?;
                self.path.vlan = u16::from_be_bytes([t0, t1]) & 0x0fff;
                self.on(4, Layer::EtherType(u16::from_be_bytes([n0, n1])))
            }
            _ => self.uncommon_ether_type(kind),
        }
    }

    fn uncommon_ether_type(&mut self, kind: u16) -> Result<Step<'a>, Skip> {
        if kind <= MAX_802_3_LENGTH {
            return Err(Skip::NotIp);
        }
        Err(Skip::NotIp)
    }
}
