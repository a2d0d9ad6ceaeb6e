//! Recognizes HTTP/2 whose beginning was not captured: frames, one after the other, to the end of a slice.
//!
//! In: one slice as it was sent. Out: whether it can hardly be anything else, and which side sent it, as far as it
//! shows. Senders write frames whole, so that sooner or later a slice begins with one; a slice within a long DATA frame
//! shows nothing. Other protocols begin with lengths as well, but not with a type, flags and stream that match
//! (RFC 9113 §4.1, §6).

use super::frame::{H2FrameHeader, HEADER, USUAL_MAX_FRAME, flag, kind};

/// Frames that suffice if the last one continues in the next slice.
const ENOUGH: usize = 3;
/// Frames examined in one slice.
const MAX_LOOKED_AT: usize = 16;
/// Error codes that are registered (§7); senders use no others.
const LAST_CODE: u32 = 0xd;

/// The greatest number of a stream, by which a GOAWAY announces another one.
const MOST: u32 = 0x7fff_ffff;

/// Which side sent these frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameSender {
    /// The client's: a request is among them.
    Requester,
    /// The server's: a response, or a promise.
    Responder,
    /// Either side's.
    Either,
}

/// Whether a slice of `length` bytes, of which `bytes` were captured, is HTTP/2 without its beginning, and which side
/// sent it.
#[must_use]
pub(crate) fn detect_midstream(bytes: &[u8], length: u32) -> Option<FrameSender> {
    let mut rest = bytes;
    let mut left = length as usize;
    let mut seen = 0;
    let mut telling = false;
    let mut sign = FrameSender::Either;
    while let Some(header) = rest.first_chunk() {
        let header = H2FrameHeader::read(*header);
        let whole = HEADER + header.length as usize;
        let payload = rest.get(HEADER..whole.min(rest.len()))?;
        if !header.is_likely(USUAL_MAX_FRAME) || !fits(header, payload) {
            return None;
        }
        seen += 1;
        if sign == FrameSender::Either {
            sign = whose(header, payload);
        }
        // In other types length and type confirm each other; anything may be DATA.
        telling |= header.kind != kind::DATA;
        match left.checked_sub(whole) {
            Some(0) => return telling.then_some(sign),
            Some(more) => left = more,
            None => return (telling && seen > ENOUGH).then_some(sign),
        }
        if seen >= MAX_LOOKED_AT {
            return telling.then_some(sign);
        }
        rest = rest.get(whole..).unwrap_or_default();
    }
    // Cut off by the snap length, or within a header that continues in the next slice.
    (telling && seen >= ENOUGH).then_some(sign)
}

/// Whether a payload fits its frame type, as far as it was captured.
fn fits(header: H2FrameHeader, payload: &[u8]) -> bool {
    let number = |bytes: &[u8]| bytes.first_chunk().copied().map(u32::from_be_bytes);
    match header.kind {
        kind::RST_STREAM => number(payload).is_none_or(|code| code <= LAST_CODE),
        kind::WINDOW_UPDATE => number(payload).is_none_or(|more| (1..=0x7fff_ffff).contains(&more)),
        kind::GOAWAY => payload
            .get(4..)
            .and_then(number)
            .is_none_or(|code| code <= LAST_CODE),
        kind::HEADERS | kind::PUSH_PROMISE => header.length > 0 && header.has(flag::END_HEADERS),
        kind::CONTINUATION => false,
        _ => true,
    }
}

/// Which side sent a frame: pseudo-header fields come first (§8.3), mostly from the static table (RFC 7541 appendix A).
fn whose(header: H2FrameHeader, payload: &[u8]) -> FrameSender {
    match header.kind {
        kind::PUSH_PROMISE => FrameSender::Responder,
        kind::GOAWAY => {
            // Clients open the odd streams, and the last one that was processed is the peer's (§5.1.1, §6.8).
            let last = payload.first_chunk().copied().map(u32::from_be_bytes);
            match last.map(|it| it & MOST) {
                Some(last) if last % 2 == 1 && last != MOST => FrameSender::Responder,
                _ => FrameSender::Either,
            }
        }
        kind::HEADERS => {
            let pad = usize::from(header.has(flag::PADDED));
            let priority = if header.has(flag::PRIORITY) { 5 } else { 0 };
            let block = payload.get(pad + priority..).unwrap_or_default();
            // Dynamic table size updates may come first.
            let first = block.iter().find(|byte| **byte & 0xe0 != 0x20);
            match first {
                // :authority, :method, :path, :scheme; indexed, or with a new value.
                Some(0x81..=0x87 | 0x41..=0x47 | 0x01..=0x07 | 0x11..=0x17) => {
                    FrameSender::Requester
                }
                Some(0x88..=0x8e | 0x48..=0x4e | 0x08..=0x0e | 0x18..=0x1e) => {
                    FrameSender::Responder
                }
                _ => FrameSender::Either,
            }
        }
        _ => FrameSender::Either,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GET: &[u8] = b"\0\0\x03\x01\x05\0\0\0\x07\x82\x84\x86";
    const OK: &[u8] = b"\0\0\x01\x01\x04\0\0\0\x07\x88";
    const PING: &[u8] = b"\0\0\x08\x06\0\0\0\0\0abcdefgh";
    const GOAWAY: &[u8] = b"\0\0\x08\x07\0\0\0\0\0\0\0\0\x03\0\0\0\0";
    const LAST: &[u8] = b"\0\0\x08\x07\0\0\0\0\0\x7f\xff\xff\xff\0\0\0\0";
    const BODY: &[u8] = b"\0\0\x02\0\x01\0\0\0\x07hi";

    #[track_caller]
    fn check(frames: &[&[u8]], wanted: Option<FrameSender>) {
        let bytes = frames.concat();
        assert_eq!(
            detect_midstream(&bytes, bytes.len() as u32),
            wanted,
            "{}",
            bytes.escape_ascii()
        );
    }

    #[test]
    fn frames_to_the_end_of_a_slice_are_http2() {
        check(&[GET], Some(FrameSender::Requester));
        check(&[OK], Some(FrameSender::Responder));
        check(&[PING], Some(FrameSender::Either));
        check(&[PING, OK, BODY], Some(FrameSender::Responder));
        check(&[GOAWAY], Some(FrameSender::Responder));
        check(&[PING, LAST], Some(FrameSender::Either));
        check(&[BODY, OK], Some(FrameSender::Responder));
        check(
            &[PING, PING, OK, BODY, &[0, 0]],
            Some(FrameSender::Responder),
        );
        check(&[PING, PING, OK, &BODY[..10]], Some(FrameSender::Responder));
    }

    #[test]
    fn what_may_be_anything_is_not() {
        check(&[BODY], None);
        check(&[BODY, BODY], None);
        check(&[PING, b"x"], None);
        check(&[PING, &BODY[..10]], None);
        check(&[&GET[..11]], None);
        check(&[&[0; 64]], None);
        check(&[b"\0\0\x04\x08\0\0\0\0\0\0\0\0\0"], None);
        check(&[b"\0\0\x04\x03\0\0\0\0\x01\0\0\x03\0"], None);
        check(&[], None);
        // Kafka, DNS over TCP, a PostgreSQL message, AMQP.
        check(&[b"\0\0\0\x0e\0\x12\0\0\0\0\0\x01\0\x04test"], None);
        check(
            &[b"\0\x1d\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x01a\0\0\x01\0\x01"],
            None,
        );
        check(&[b"Q\0\0\0\x0dSELECT 1\0"], None);
        check(&[b"AMQP\0\0\x09\x01"], None);
    }
}
