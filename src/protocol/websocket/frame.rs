//! Frame headers (RFC 6455 §5.2): two to fourteen bytes.

/// Bytes of the longest header.
pub(super) const LONGEST: usize = 14;
/// Most bytes of payload in a control frame (§5.5).
pub(super) const MAX_CONTROL: usize = 125;

pub(super) const CLOSE: u8 = 8;
pub(super) const PING: u8 = 9;
pub(super) const PONG: u8 = 10;

/// A frame header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct WebSocketFrameHeader {
    pub(super) opcode: u8,
    /// It ends a message.
    pub(super) fin: bool,
    /// Reserved bits; extensions use the first.
    pub(super) reserved: u8,
    pub(super) mask: Option<[u8; 4]>,
    pub(super) length: u64,
}

impl WebSocketFrameHeader {
    /// Parses a header and returns its size in bytes; `None` if it is incomplete.
    pub(super) fn read(bytes: &[u8]) -> Option<(Self, usize)> {
        let [first, second, rest @ ..] = bytes else {
            return None;
        };
        let (length, rest, used) = match second & 0x7f {
            126 => {
                let (length, rest) = rest.split_first_chunk()?;
                (u64::from(u16::from_be_bytes(*length)), rest, 4)
            }
            127 => {
                let (length, rest) = rest.split_first_chunk()?;
                (u64::from_be_bytes(*length), rest, 10)
            }
            short => (u64::from(short), rest, 2),
        };
        let (mask, used) = if second & 0x80 != 0 {
            (Some(*rest.first_chunk()?), used + 4)
        } else {
            (None, used)
        };
        let header = Self {
            opcode: first & 0x0f,
            fin: first & 0x80 != 0,
            reserved: first >> 4 & 7,
            mask,
            length,
        };
        Some((header, used))
    }

    pub(super) const fn is_control(self) -> bool {
        self.opcode >= CLOSE
    }

    pub(super) const fn is_defined(self) -> bool {
        matches!(self.opcode, 0..=2 | CLOSE..=PONG)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_all_lengths_are_read() {
        let read = |bytes: &[u8]| {
            WebSocketFrameHeader::read(bytes).map(|(header, used)| (header.length, used))
        };
        assert_eq!(read(&[0x81]), None);
        assert_eq!(read(&[0x81, 5]), Some((5, 2)));
        assert_eq!(read(&[0x81, 0x85, 1, 2, 3]), None);
        assert_eq!(read(&[0x81, 0x85, 1, 2, 3, 4]), Some((5, 6)));
        assert_eq!(read(&[0x82, 126, 1]), None);
        assert_eq!(read(&[0x82, 126, 1, 0]), Some((256, 4)));
        let long = [0x82, 255, 0, 0, 0, 1, 0, 0, 0, 0, 9, 9, 9, 9];
        assert_eq!(read(&long), Some((1 << 32, LONGEST)));
        assert_eq!(read(&long[..13]), None);
    }
}
