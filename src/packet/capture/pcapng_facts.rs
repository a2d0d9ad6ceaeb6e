//! The contents of pcapng blocks other than packets: interfaces, drop counters, names, secrets, comments.
//!
//! The input is a block's body, between its two lengths; the output goes to the [`FileSummary`]. Section numbers refer
//! to draft-ietf-opsawg-pcapng. Of a block whose body is malformed, everything up to the error is used: its length was
//! right, so reading continues.

use crate::base::net::Loss;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::frame::LinkType;
use super::record::ByteOrder;
use super::summary::{FileSummary, Interface, text};

const COMMENT: u16 = 1;

/// An interface, and the seconds to add to its timestamps.
pub(crate) struct InterfaceFacts {
    pub(crate) interface: Interface,
    pub(crate) offset: i64,
}

/// Drops that the file reports.
///
/// Statistics (§4.6) count from the start of the capture, so the latest of an interface is valid. Packets may also
/// carry the number of drops just before them; these are added up. If a file has both, they count the same drops, and
/// the statistics take precedence. Note that tools differ: dumpcap writes the kernel's drops as the interface's.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// The latest statistics by interface number.
    latest: Vec<(u32, Loss)>,
    between: Option<u64>,
}

impl Counters {
    /// Maximum number of interfaces whose statistics are kept; those of others are not added.
    const MAX: usize = 1024;

    /// Adds packets dropped between a packet and the one before.
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

/// Interface description, §4.2. `None` if the body is too short.
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
            // In bits; but the document's own example has 4, so values below 8 are taken as bytes.
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

/// Interface statistics, §4.6.
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

/// Name resolution, §4.5: records of an address and its names, then options.
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

/// Decryption secrets, §4.7.
pub(crate) fn secrets(body: &[u8], order: ByteOrder, summary: &mut FileSummary) {
    let (Some(kind), Some(length)) = (order.u32_at(body, 0), order.u32_at(body, 4)) else {
        return;
    };
    let bytes = &body[8..];
    summary.note_secrets(kind, &bytes[..bytes.len().min(length as usize)]);
}

/// Options of the packet block with this number, §4.3: comments, and the number of packets dropped before it.
pub(crate) fn packet_options(
    bytes: &[u8],
    order: ByteOrder,
    number: u64,
    counters: &mut Counters,
    summary: &mut FileSummary,
) {
    for (code, value) in options(bytes, order) {
        match code {
            COMMENT => summary.note_frame_comment(number, value),
            4 => {
                if let Some(&bytes) = value.first_chunk() {
                    counters.between(order.u64(bytes), summary);
                }
            }
            _ => {}
        }
    }
}

/// Comments among the options of any block (§3.5).
pub(crate) fn comments(bytes: &[u8], order: ByteOrder, summary: &mut FileSummary) {
    options(bytes, order)
        .filter(|(code, _)| *code == COMMENT)
        .for_each(|(_, value)| summary.note_comment(value));
}

/// Iterates over options (§3.5), or over the records of a name resolution block, which have the same layout: a code, a
/// length, a value padded to 32 bits. Stops at the end marker, at the end of the block, or where a length exceeds the
/// block.
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
