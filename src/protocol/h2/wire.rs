//! Writes frames, for ladders and tests.
//!
//! Fields are literals without indexing (RFC 7541 §6.2.2), so that each block can be decoded on its own.

use super::frame::{flag, kind};

/// The frame types that have a name in ladders, and their numbers (RFC 9113 §6).
pub(crate) const KINDS: [(&str, u8); 9] = [
    ("DATA", kind::DATA),
    ("HEADERS", kind::HEADERS),
    ("RST_STREAM", kind::RST_STREAM),
    ("SETTINGS", kind::SETTINGS),
    ("PUSH_PROMISE", kind::PUSH_PROMISE),
    ("PING", kind::PING),
    ("GOAWAY", kind::GOAWAY),
    ("WINDOW_UPDATE", kind::WINDOW_UPDATE),
    ("CONTINUATION", kind::CONTINUATION),
];

/// END_STREAM and ACK are the same bit.
pub(crate) const END_STREAM: u8 = flag::END_STREAM;
/// Marks the answer to SETTINGS or PING.
pub const ACK: u8 = flag::ACK;
/// The header block ends with this frame.
pub(crate) const END_HEADERS: u8 = flag::END_HEADERS;

/// Appends a frame.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8], out: &mut Vec<u8>) {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    let [_, high, middle, low] = length.to_be_bytes();
    out.extend_from_slice(&[high, middle, low, kind, flags]);
    out.extend_from_slice(&stream.to_be_bytes());
    out.extend_from_slice(payload);
}

/// Appends a field to a header block.
pub fn field(name: &[u8], value: &[u8], out: &mut Vec<u8>) {
    out.push(0);
    for string in [name, value] {
        integer(string.len(), out);
        out.extend_from_slice(string);
    }
}

/// A length with a prefix of seven bits (RFC 7541 §5.1).
fn integer(value: usize, out: &mut Vec<u8>) {
    let Some(mut rest) = value.checked_sub(0x7f) else {
        out.push(value as u8);
        return;
    };
    out.push(0x7f);
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}
