//! The TCP header and its options (RFC 9293 §3.1, RFC 7323, RFC 2018, RFC 7413).
//!
//! The fixed part must be captured up to the window; if options are cut, those before the cut are kept. Checksums are
//! not verified here: network cards fill them in after the capture has seen the packet (`checksum.rs`).

use crate::base::net::Flags;
use crate::base::net::Skip;
use crate::base::seq::Seq;

use super::bytes::Bytes;
use super::{TcpOptions, TimestampOption};

/// Length in bytes of a header without options.
pub(super) const FIXED_HEADER: usize = 20;

/// Bytes up to and including the window field.
const UP_TO_WINDOW: usize = 16;

/// The header fields that do not depend on the surrounding layers.
pub(super) struct TcpHeader<'a> {
    pub(super) source: u16,
    pub(super) destination: u16,
    pub(super) seq: Seq,
    pub(super) ack: Seq,
    pub(super) flags: Flags,
    pub(super) window: u16,
    pub(super) urgent: u16,
    pub(super) options: OptionList<'a>,
    pub(super) length: u32,
    pub(super) payload: &'a [u8],
    pub(super) bytes: &'a [u8],
}

/// The options of a header, not parsed yet.
#[derive(Clone, Copy)]
pub(super) struct OptionList<'a> {
    bytes: &'a [u8],
    /// The snap length cut it.
    cut: bool,
}

impl OptionList<'_> {
    /// Parses the list, if there is one.
    #[inline(always)]
    pub(super) fn read(self, options: &mut TcpOptions) {
        if self.cut || !self.bytes.is_empty() {
            read_options(self.bytes, self.cut, options);
        }
    }
}

/// Parses the TCP header at the start of an IP packet's payload.
#[inline(always)]
pub(super) fn header(packet: Bytes<'_>) -> Result<TcpHeader<'_>, Skip> {
    if packet.wire < FIXED_HEADER {
        return Err(Skip::Malformed);
    }
    let mut patched = [0; FIXED_HEADER];
    let fixed: &[u8; FIXED_HEADER] = match packet.head() {
        Ok(fixed) => fixed,
        Err(_) => {
            // The fields up to the window are enough; the checksum and the urgent pointer after it read as zero.
            patched[..UP_TO_WINDOW].copy_from_slice(packet.head::<UP_TO_WINDOW>()?);
            &patched
        }
    };
    let header = usize::from(fixed[12] >> 4) * 4;
    if header < FIXED_HEADER || header > packet.wire {
        return Err(Skip::Malformed);
    }
    let captured = header.min(packet.data.len());
    let options = OptionList {
        bytes: packet.data.get(FIXED_HEADER..captured).unwrap_or(&[]),
        cut: captured < header && header > FIXED_HEADER,
    };
    Ok(TcpHeader {
        source: u16::from_be_bytes([fixed[0], fixed[1]]),
        destination: u16::from_be_bytes([fixed[2], fixed[3]]),
        seq: Seq(u32::from_be_bytes([fixed[4], fixed[5], fixed[6], fixed[7]])),
        ack: Seq(u32::from_be_bytes([
            fixed[8], fixed[9], fixed[10], fixed[11],
        ])),
        flags: Flags(fixed[13]),
        window: u16::from_be_bytes([fixed[14], fixed[15]]),
        urgent: u16::from_be_bytes([fixed[18], fixed[19]]),
        options,
        length: u32::try_from(packet.wire - header).unwrap_or(u32::MAX),
        payload: packet.data.get(header..).unwrap_or(&[]),
        bytes: packet.data,
    })
}

/// Parses the option list. If `cut`, the snap length removed its end, so a truncated option does not make it malformed.
#[inline]
fn read_options(list: &[u8], cut: bool, options: &mut TcpOptions) {
    options.any = true;
    // The options of nearly every segment: two NOPs for alignment, then the timestamps (RFC 7323 appendix A).
    if let &[1, 1, 8, 10, v0, v1, v2, v3, e0, e1, e2, e3] = list {
        options.timestamps = Some(TimestampOption {
            value: u32::from_be_bytes([v0, v1, v2, v3]),
            echo: u32::from_be_bytes([e0, e1, e2, e3]),
        });
        return;
    }
    read_uncommon_options(list, cut, options);
}

fn read_uncommon_options(mut list: &[u8], cut: bool, options: &mut TcpOptions) {
    while let Some((&kind, rest)) = list.split_first() {
        match kind {
            0 => return,
            1 => {
                list = rest;
                continue;
            }
            _ => {}
        }
        let Some(&length) = rest.first() else {
            options.malformed |= !cut;
            return;
        };
        if length < 2 {
            options.malformed = true;
            return;
        }
        let Some((option, rest)) = list.split_at_checked(usize::from(length)) else {
            options.malformed |= !cut;
            return;
        };
        list = rest;
        if !read_option(kind, &option[2..], options) {
            options.malformed = true;
        }
    }
}

/// Parses one option's value; returns `false` if the length is invalid for its kind.
fn read_option(kind: u8, value: &[u8], options: &mut TcpOptions) -> bool {
    match (kind, value) {
        (2, &[high, low]) => options.mss = Some(u16::from_be_bytes([high, low])),
        (3, &[shift]) => options.window_scale = Some(shift),
        (4, []) => options.sack_permitted = true,
        (5, blocks) if !blocks.is_empty() && blocks.len() % 8 == 0 => {
            for (slot, block) in options.sack.iter_mut().zip(blocks.chunks_exact(8)) {
                *slot = (
                    Seq(u32::from_be_bytes([block[0], block[1], block[2], block[3]])),
                    Seq(u32::from_be_bytes([block[4], block[5], block[6], block[7]])),
                );
                options.sack_count = options.sack_count.saturating_add(1).min(4);
            }
        }
        (8, &[v0, v1, v2, v3, e0, e1, e2, e3]) => {
            options.timestamps = Some(TimestampOption {
                value: u32::from_be_bytes([v0, v1, v2, v3]),
                echo: u32::from_be_bytes([e0, e1, e2, e3]),
            });
        }
        // Multipath TCP; the subtype is in the upper half of the first byte (RFC 8684 §3.5: 7 is MP_FASTCLOSE).
        (30, &[kind, ..]) if kind >> 4 == 7 => options.fast_close = true,
        (34, _) => options.fast_open = true,
        // The experimental kinds with the magic number that Fast Open used before RFC 7413 assigned it a kind.
        (253 | 254, &[0xf9, 0x89, ..]) => options.fast_open = true,
        (2..=5 | 8, _) => return false,
        _ => {}
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(list: &[u8], cut: bool, expect: TcpOptions) {
        let mut options = TcpOptions::default();
        read_options(list, cut, &mut options);
        assert_eq!(
            options,
            TcpOptions {
                any: true,
                ..expect
            }
        );
    }

    #[test]
    fn a_fast_close_of_multipath_is_known_by_its_subtype() {
        let option = |kind: u8| [30, 12, kind, 0, 1, 2, 3, 4, 5, 6, 7, 8];
        for (kind, fast_close) in [(0x70, true), (0x71, true), (0x20, false)] {
            let expect = TcpOptions {
                fast_close,
                ..TcpOptions::default()
            };
            check(&option(kind), false, expect);
        }
    }

    #[test]
    fn options_of_a_syn() {
        check(
            &[
                2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 0, 7, 0, 0, 0, 0, 1, 3, 3, 9,
            ],
            false,
            TcpOptions {
                mss: Some(1460),
                window_scale: Some(9),
                sack_permitted: true,
                timestamps: Some(TimestampOption { value: 7, echo: 0 }),
                ..TcpOptions::default()
            },
        );
    }

    #[test]
    fn sack_blocks_and_the_common_timestamps() {
        let mut sack = [(Seq(0), Seq(0)); 4];
        sack[0] = (Seq(1), Seq(2));
        sack[1] = (Seq(3), Seq(4));
        check(
            &[1, 1, 5, 18, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4],
            false,
            TcpOptions {
                sack,
                sack_count: 2,
                ..TcpOptions::default()
            },
        );
        check(
            &[1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2],
            false,
            TcpOptions {
                timestamps: Some(TimestampOption { value: 1, echo: 2 }),
                ..TcpOptions::default()
            },
        );
    }

    #[test]
    fn fast_open_in_both_spellings() {
        let expect = TcpOptions {
            fast_open: true,
            ..TcpOptions::default()
        };
        check(&[34, 2, 1, 1], false, expect);
        check(&[254, 4, 0xf9, 0x89], false, expect);
    }

    #[test]
    fn a_broken_list_keeps_what_came_before() {
        let mss = TcpOptions {
            mss: Some(536),
            ..TcpOptions::default()
        };
        let broken = TcpOptions {
            malformed: true,
            ..mss
        };
        check(&[2, 4, 2, 24, 8, 10, 0, 0], false, broken);
        check(&[2, 4, 2, 24, 8, 10, 0, 0], true, mss);
        check(&[2, 4, 2, 24, 8, 1, 0, 0], true, broken);
        check(&[2, 4, 2, 24, 8], false, broken);
        check(&[2, 4, 2, 24, 3, 4, 0, 0], false, broken);
        check(&[2, 4, 2, 24, 0, 9, 9, 9], false, mss);
    }

    #[test]
    fn header_lengths_that_lie() {
        let mut bytes = [0u8; 24];
        let mut at = |offset: u8, wire| {
            bytes[12] = offset << 4;
            header(Bytes { data: &bytes, wire })
                .map(|header| (header.length, header.payload.len()))
                .err()
        };
        assert_eq!(at(4, 24), Some(Skip::Malformed));
        assert_eq!(at(7, 24), Some(Skip::Malformed));
        assert_eq!(at(5, 19), Some(Skip::Malformed));
        assert_eq!(at(7, 40), None);
        assert_eq!(at(5, 24), None);
    }
}
