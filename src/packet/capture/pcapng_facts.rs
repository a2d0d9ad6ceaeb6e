//! What pcapng blocks say beside packets: interfaces, drop counters, names, secrets, comments.
//!
//! Comes in: a block's body, between its two lengths. Goes out: facts into the [`FileSummary`]. Section numbers
//! are those of draft-ietf-opsawg-pcapng. A block that is malformed inside gives what can be read of it: its
//! length was right, so the file goes on.

use crate::base::net::Loss;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::frame::LinkType;
use super::record::ByteOrder;
use super::summary::{FileSummary, Interface, text};

const COMMENT: u16 = 1;

/// An interface, and the seconds to add to its time stamps.
pub(crate) struct InterfaceFacts {
    pub(crate) interface: Interface,
    pub(crate) offset: i64,
}

/// Packets that the file says were dropped.
///
/// Statistics (§4.6) count from the start of the capture, so the latest of an interface holds; packets may also
/// carry how many were dropped just before them, which are added up. Where a file has both, the same drops are
/// meant, and the statistics hold. Beware of what is counted where: dumpcap writes the kernel's drops as the
/// interface's.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// By interface number.
    latest: Vec<(u32, Loss)>,
    between: Option<u64>,
}

impl Counters {
    /// Interfaces whose statistics are kept; those of further ones are not added up.
    const MAX: usize = 1024;

    /// Notes drops between a packet and the one before.
    pub(crate) fn between(&mut self, dropped: u64, summary: &mut FileSummary) {
        self.between = Some(self.between.unwrap_or(0).saturating_add(dropped));
        self.publish(summary);
    }

    fn statistics(&mut self, number: u32, loss: Loss) {
        if let Some((_, latest)) = self.latest.iter_mut().find(|(known, _)| *known == number) {
            latest.kernel = loss.kernel.or(latest.kernel);
            latest.interface = loss.interface.or(latest.interface);
        } else if self.latest.len() < Self::MAX {
            self.latest.push((number, loss));
        }
    }

    fn publish(&self, summary: &mut FileSummary) {
        let told = self.latest.iter().map(|(_, loss)| *loss);
        summary.lost = told.fold(Loss::default(), Loss::and);
        summary.lost.kernel = summary.lost.kernel.or(self.between);
    }
}

/// §4.2. `None`: too short to say anything.
pub(crate) fn interface(
    body: &[u8],
    order: ByteOrder,
    number: u32,
    summary: &mut FileSummary,
) -> Option<InterfaceFacts> {
    let mut facts = InterfaceFacts {
        interface: Interface {
            number,
            name: None,
            link: LinkType(order.u16_at(body, 0)?),
            fcs: None,
            snap_length: order.u32_at(body, 4)?,
            resolution: 6,
        },
        offset: 0,
    };
    let mut description = None;
    for (code, value) in options(&body[8..], order) {
        match (code, value) {
            (COMMENT, _) => summary.note_comment(value),
            (2, _) => facts.interface.name = Some(text(value)),
            (3, _) => description = Some(text(value)),
            (9, &[resolution, ..]) => facts.interface.resolution = resolution,
            // In bits; the document's own example has 4, so a small value is taken to be bytes.
            (13, &[length, ..]) => {
                facts.interface.fcs = Some(if length >= 8 { length / 8 } else { length });
            }
            (14, _) => {
                if let Some(&bytes) = value.first_chunk() {
                    facts.offset = order.u64(bytes) as i64;
                }
            }
            _ => {}
        }
    }
    facts.interface.name = facts.interface.name.or(description);
    Some(facts)
}

/// §4.6.
pub(crate) fn statistics(
    body: &[u8],
    order: ByteOrder,
    number: u32,
    counters: &mut Counters,
    summary: &mut FileSummary,
) {
    let mut loss = Loss::default();
    for (code, value) in options(body.get(12..).unwrap_or_default(), order) {
        let count = value.first_chunk().map(|&bytes| order.u64(bytes));
        match code {
            COMMENT => summary.note_comment(value),
            5 => loss.interface = count,
            7 => loss.kernel = count,
            _ => {}
        }
    }
    counters.statistics(number, loss);
    counters.publish(summary);
}

/// §4.5: records of an address and the names it has, then options.
pub(crate) fn names(body: &[u8], order: ByteOrder, summary: &mut FileSummary) {
    for (kind, value) in options(body, order) {
        let (address, names) = match kind {
            1 => match value.split_first_chunk::<4>() {
                Some((&address, names)) => (IpAddr::V4(Ipv4Addr::from(address)), names),
                None => continue,
            },
            2 => match value.split_first_chunk::<16>() {
                Some((&address, names)) => (IpAddr::V6(Ipv6Addr::from(address)), names),
                None => continue,
            },
            _ => continue,
        };
        for name in names
            .split(|&byte| byte == 0)
            .filter(|name| !name.is_empty())
        {
            summary.note_name(address, name);
        }
    }
}

/// §4.7.
pub(crate) fn secrets(body: &[u8], order: ByteOrder, summary: &mut FileSummary) {
    let (Some(kind), Some(length)) = (order.u32_at(body, 0), order.u32_at(body, 4)) else {
        return;
    };
    let bytes = &body[8..];
    summary.note_secrets(kind, &bytes[..bytes.len().min(length as usize)]);
}

/// §4.3: comments on a packet, and how many were dropped before it.
pub(crate) fn packet_options(
    bytes: &[u8],
    order: ByteOrder,
    counters: &mut Counters,
    summary: &mut FileSummary,
) {
    for (code, value) in options(bytes, order) {
        match code {
            COMMENT => summary.note_comment(value),
            4 => {
                if let Some(&bytes) = value.first_chunk() {
                    counters.between(order.u64(bytes), summary);
                }
            }
            _ => {}
        }
    }
}

/// Comments among any block's options (§3.5).
pub(crate) fn comments(bytes: &[u8], order: ByteOrder, summary: &mut FileSummary) {
    options(bytes, order)
        .filter(|(code, _)| *code == COMMENT)
        .for_each(|(_, value)| summary.note_comment(value));
}

/// Options (§3.5), or the records of a name resolution block, which are alike: a code, a length, a value padded to
/// 32 bits. Ends at the end mark, at the end of the block, or where a length leads beyond it.
fn options(mut bytes: &[u8], order: ByteOrder) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let code = order.u16_at(bytes, 0)?;
        let length = usize::from(order.u16_at(bytes, 2)?);
        if code == 0 {
            return None;
        }
        let value = bytes.get(4..4 + length)?;
        bytes = bytes
            .get(4 + length.next_multiple_of(4)..)
            .unwrap_or_default();
        Some((code, value))
    })
}
