//! Frame headers: the nine bytes at the start of every frame (RFC 9113 §4.1), and what makes them likely.

/// The client connection preface (§3.4).
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Bytes of a frame header.
pub(super) const HEADER: usize = 9;
/// The longest payload that a receiver takes by default (§6.5.2).
pub(super) const USUAL_MAX_FRAME: u32 = 16_384;

/// Frame types (§6).
pub(super) mod kind {
    pub(crate) const DATA: u8 = 0;
    pub(crate) const HEADERS: u8 = 1;
    pub(crate) const PRIORITY: u8 = 2;
    pub(crate) const RST_STREAM: u8 = 3;
    pub(crate) const SETTINGS: u8 = 4;
    pub(crate) const PUSH_PROMISE: u8 = 5;
    pub(crate) const PING: u8 = 6;
    pub(crate) const GOAWAY: u8 = 7;
    pub(crate) const WINDOW_UPDATE: u8 = 8;
    pub(crate) const CONTINUATION: u8 = 9;
}

/// Frame flags (§6).
pub(super) mod flag {
    pub(crate) const END_STREAM: u8 = 0x1;
    pub const ACK: u8 = 0x1;
    pub(crate) const END_HEADERS: u8 = 0x4;
    pub(crate) const PADDED: u8 = 0x8;
    pub(crate) const PRIORITY: u8 = 0x20;
}

/// A frame header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct H2FrameHeader {
    /// Bytes of its payload.
    pub(super) length: u32,
    pub(super) kind: u8,
    pub(super) flags: u8,
    /// 0 for the connection.
    pub(super) stream: u32,
}

impl H2FrameHeader {
    pub(super) const fn read(bytes: [u8; HEADER]) -> Self {
        let [l2, l1, l0, kind, flags, s3, s2, s1, s0] = bytes;
        Self {
            length: u32::from_be_bytes([0, l2, l1, l0]),
            kind,
            flags,
            // The first bit is reserved and must be ignored.
            stream: u32::from_be_bytes([s3 & 0x7f, s2, s1, s0]),
        }
    }

    pub(super) const fn has(self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// Whether its length fits its type (§6); otherwise it is a FRAME_SIZE_ERROR.
    pub(super) const fn fits(self, max: u32) -> bool {
        let length = self.length;
        length <= max
            && match self.kind {
                kind::PRIORITY => length == 5,
                kind::RST_STREAM | kind::WINDOW_UPDATE => length == 4,
                kind::SETTINGS if self.has(flag::ACK) => length == 0,
                kind::SETTINGS => length.is_multiple_of(6),
                kind::PING => length == 8,
                kind::GOAWAY => length >= 8,
                _ => true,
            }
    }

    /// Whether such a header is likely where frame boundaries were lost: of a known type, with a length and a stream
    /// that fit it, and no flags that the type does not define.
    pub(super) const fn is_likely(self, max: u32) -> bool {
        let known_flags = match self.kind {
            kind::DATA => flag::END_STREAM | flag::PADDED,
            kind::HEADERS => flag::END_STREAM | flag::END_HEADERS | flag::PADDED | flag::PRIORITY,
            kind::SETTINGS | kind::PING => flag::ACK,
            kind::PUSH_PROMISE => flag::END_HEADERS | flag::PADDED,
            kind::CONTINUATION => flag::END_HEADERS,
            _ => 0,
        };
        let stream_fits = match self.kind {
            kind::SETTINGS | kind::PING | kind::GOAWAY => self.stream == 0,
            kind::WINDOW_UPDATE => true,
            _ => self.stream != 0,
        };
        self.kind <= kind::CONTINUATION
            && self.fits(max)
            && stream_fits
            && self.flags & !known_flags == 0
    }
}

/// Whether these bytes begin like the first frame of a connection: SETTINGS, or a GOAWAY that refuses it (§3.4).
#[must_use]
pub fn begins(bytes: &[u8]) -> bool {
    bytes.first_chunk().is_some_and(|header| {
        let header = H2FrameHeader::read(*header);
        let first =
            header.kind == kind::SETTINGS && !header.has(flag::ACK) || header.kind == kind::GOAWAY;
        first && header.length < 1024 && header.is_likely(USUAL_MAX_FRAME)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_read() {
        let header = H2FrameHeader::read([0, 1, 2, 1, 5, 0x80, 0, 0, 3]);
        let wanted = H2FrameHeader {
            length: 258,
            kind: kind::HEADERS,
            flags: 5,
            stream: 3,
        };
        assert_eq!(header, wanted);
        assert!(header.has(flag::END_HEADERS) && !header.has(flag::PADDED));
        assert!(header.is_likely(USUAL_MAX_FRAME) && !header.is_likely(257));
    }

    #[test]
    fn what_is_no_frame_is_not_likely() {
        for bytes in [
            *b"HTTP/1.1 ",
            *b"GET / HTT",
            [0; 9],
            [0, 0, 3, 3, 0, 0, 0, 0, 1],
        ] {
            assert!(
                !H2FrameHeader::read(bytes).is_likely(USUAL_MAX_FRAME),
                "{bytes:?}"
            );
        }
        assert!(begins(&[0, 0, 0, 4, 0, 0, 0, 0, 0]));
        assert!(begins(&[0, 0, 8, 7, 0, 0, 0, 0, 0, 1, 2, 3]));
        assert!(!begins(&[0, 0, 0, 4, 1, 0, 0, 0, 0]) && !begins(b"HTTP/1.1 400 Bad"));
        assert!(!begins(&[0, 0, 0, 4, 0, 0, 0, 0]));
    }
}
