//! Link-layer header types: what the first byte of a frame is the start of
//! (<https://www.tcpdump.org/linktypes.html>).

use crate::capture::LinkType;

use super::Skip;
use super::walk::{Step, Walk};

impl<'a> Walk<'a, '_> {
    #[inline]
    pub(super) fn link(&mut self, link: LinkType) -> Result<Step<'a>, Skip> {
        match link.0 {
            1 => self.ethernet(),
            12 | 14 | 101 => self.ip(),
            228 => self.ipv4(),
            229 => self.ipv6(),
            _ => Err(Skip::LinkType),
        }
    }
}
