//! Decoding: frames of any link type with any bytes, several through one decoder so that fragments are reassembled.

#![no_main]

use hangup::base::frame_ref::FrameNumber;
use hangup::base::net::Skip;
use hangup::packet::capture::{Frame, LinkType};
use hangup::packet::decode::{Decoded, Decoder};
use hangup::base::time::Timestamp;
use libfuzzer_sys::fuzz_target;

/// Header of each frame in the input: link type, bytes kept, bytes cut off.
const HEADER: usize = 5;

fuzz_target!(|data: &[u8]| {
    let mut decoder = Decoder::new();
    let mut rest = data;
    let mut number = 0;
    while let Some((header, tail)) = rest.split_first_chunk::<HEADER>() {
        let [link_low, link_high, long, short, cut] = *header;
        let kept = usize::from(u16::from_be_bytes([long, short])).min(tail.len());
        let (bytes, next) = tail.split_at(kept);
        rest = next;
        number += 1;
        let frame = Frame {
            number: FrameNumber(number),
            time: Timestamp::new(number as i64, 0),
            link: LinkType(u16::from_le_bytes([link_low, link_high])),
            interface: 0,
            length: bytes.len() as u32 + u32::from(cut),
            passage: hangup::base::passage::Passage::Unknown,
            data: bytes,
        };
        check(decoder.decode(&frame));
        let mut more = 0;
        while let Some(decoded) = decoder.decode_more(&frame) {
            check(decoded);
            more += 1;
            assert!(more <= bytes.len(), "every further packet takes bytes");
        }
    }
});

fn check(decoded: Result<Decoded<'_>, Skip>) {
    match decoded {
        Ok(Decoded::Segment(segment)) => {
            assert!(segment.payload.len() <= segment.length as usize);
            assert!(segment.length <= 1 << 20, "an IP length rules");
            assert!(segment.options.sack_blocks().len() <= 4);
        }
        Ok(Decoded::Quote(quote)) => assert!(quote.frame.0 > 0),
        Err(skip) => assert!(Skip::ALL.contains(&skip)),
    }
}
