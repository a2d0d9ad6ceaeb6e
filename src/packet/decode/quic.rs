//! The long header, with which every QUIC connection begins (RFC 8999 §5.1, RFC 9000 §17.2).
//!
//! QUIC has no port of its own, so the header itself must be plausible: its version is a known one, and its connection
//! IDs fit. Short headers, of all later packets, cannot be told from arbitrary bytes and are not recognised.

use super::bytes::Bytes;

/// Header form and fixed bit.
const LONG: u8 = 0xc0;
const VERSION_1: u32 = 1;
/// RFC 9369.
const VERSION_2: u32 = 0x6b33_43cf;
/// The first three bytes of the versions of drafts.
const DRAFTS: u32 = 0xff_0000;
/// The longest connection ID in these versions.
const MAX_ID: u8 = 20;
/// Form and version, before the connection IDs.
const BEFORE_IDS: usize = 5;

/// Whether a datagram begins with a long header.
#[inline]
pub(super) fn begins_with_long_header(datagram: Bytes<'_>) -> bool {
    datagram.u8(0).is_ok_and(|form| form & LONG == LONG) && has_version_and_ids(datagram)
}

fn has_version_and_ids(datagram: Bytes<'_>) -> bool {
    let known = datagram
        .u32(1)
        .is_ok_and(|version| matches!(version, VERSION_1 | VERSION_2) || version >> 8 == DRAFTS);
    let ids = after_id(datagram, BEFORE_IDS).and_then(|second| after_id(datagram, second));
    known && ids.is_some()
}

/// The offset after the connection ID whose length is at `at`, if it ends in the datagram. A length that was not
/// captured says nothing against it.
fn after_id(datagram: Bytes<'_>, at: usize) -> Option<usize> {
    let length = datagram.u8(at).unwrap_or(0);
    let end = at + 1 + usize::from(length);
    (length <= MAX_ID && end <= datagram.wire).then_some(end)
}
