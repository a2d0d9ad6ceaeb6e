//! The checksum of a TCP segment (RFC 9293 §3.1), for the few whose fate it explains.
//!
//! In: a segment with the captured bytes of its header and payload. Out: whether its receiver accepts it, where the capture can
//! show that. It is not computed for every segment: it would cost more than all else, and on a host that leaves it to the
//! network card the capture has the sum before the card has filled it in.

use std::net::IpAddr;

use etherparse::checksum::Sum16BitWords;

use super::Segment;

const TCP: u8 = 6;
/// Where the field is in the header.
const FIELD: std::ops::Range<usize> = 16..18;

impl Segment<'_> {
    /// Whether the checksum is right, or is that of the pseudo-header, which a network card completes. Nothing if it cannot be
    /// computed, because bytes were not captured, or if it is zero, which leaves it to the card as well.
    #[must_use]
    pub(crate) fn has_right_checksum(&self) -> Option<bool> {
        let length = u32::try_from(self.bytes.len()).ok()?;
        let field = *self.bytes.get(FIELD)?.first_chunk::<2>()?;
        let header = u32::from(self.bytes.get(12)? >> 4) * 4;
        if length != header.checked_add(self.length)? {
            return None;
        }
        // Zero as the sum of all words is written as 0xffff in UDP alone.
        let whole = self.pseudo_header(length);
        let is_right = whole.add_slice(self.bytes).ones_complement() == 0;
        let partial = [length, 0].map(|length| !self.pseudo_header(length).ones_complement());
        let field = u16::from_ne_bytes(field);
        let completed = partial.iter().any(|sum| field == *sum || field == !*sum);
        match is_right || completed {
            true => Some(true),
            false => (field != 0).then_some(false),
        }
    }

    fn pseudo_header(&self, length: u32) -> Sum16BitWords {
        let mut sum = Sum16BitWords::new();
        for ip in [self.source.ip, self.destination.ip] {
            sum = match ip {
                IpAddr::V4(ip) => sum.add_4bytes(ip.octets()),
                IpAddr::V6(ip) => sum.add_16bytes(ip.octets()),
            };
        }
        sum.add_2bytes([0, TCP]).add_4bytes(length.to_be_bytes())
    }
}

#[cfg(test)]
mod tests {
    use crate::ladder::frames;
    use crate::packet::decode::{Decoded, Decoder};

    /// What is made of the checksum of the first segment after something was done to its bytes.
    fn of(change: impl Fn(&mut Vec<u8>)) -> Option<bool> {
        let ladder = "SYN -->\n<-- SYN\n\"hello\" -->".parse().expect("a ladder");
        let mut all = frames(&ladder);
        let frame = &mut all[2];
        change(&mut frame.bytes);
        match Decoder::new().decode(&frame.frame()) {
            Ok(Decoded::Segment(segment)) => segment.has_right_checksum(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_a_card_fills_in_later_is_not_wrong() {
        let put =
            |sum: u16| move |bytes: &mut Vec<u8>| bytes[50..52].copy_from_slice(&sum.to_be_bytes());
        let pseudo = |length: u32| -> u16 {
            let [a, b, c, d] = [10u32 << 8, 1, 10 << 8, 2];
            u16::try_from(a + b + c + d + 6 + length).expect("small")
        };
        assert_eq!(of(|_| {}), Some(true));
        assert_eq!(of(|bytes| bytes[55] ^= 1), Some(false), "a damaged byte");
        assert_eq!(of(put(0x1234)), Some(false), "another sum");
        assert_eq!(of(put(0)), None, "left empty");
        assert_eq!(of(put(pseudo(25))), Some(true), "that of the pseudo-header");
        assert_eq!(of(put(pseudo(0))), Some(true), "the same without a length");
        assert_eq!(of(|bytes| bytes.truncate(56)), None, "not captured whole");
    }
}
