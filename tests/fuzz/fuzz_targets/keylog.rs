//! Key logs: any text, read in pieces of any size. The secrets found must not depend on where the text is cut.

#![no_main]

use hangup::protocol::tls::secrets::{KeyLogLine, KeyStore};
use hangup::base::frame_ref::FrameNumber;
use libfuzzer_sys::fuzz_target;

#[path = "../shared/memory.rs"]
mod memory;

fuzz_target!(|data: &[u8]| memory::bounded(data.len(), || run(data)));

fn run(data: &[u8]) {
    let Some((&[size, more], text)) = data.split_first_chunk::<2>() else {
        return;
    };
    let size = 1 + usize::from(size) + 64 * usize::from(more);
    let whole = KeyStore::default();
    whole.read(text, FrameNumber(1));
    whole.end(FrameNumber(1));
    let in_pieces = KeyStore::default();
    for piece in text.chunks(size) {
        in_pieces.read(piece, FrameNumber(1));
    }
    in_pieces.end(FrameNumber(1));
    assert_eq!(whole.counts(), in_pieces.counts());
    assert_eq!(whole.is_empty(), whole.counts().secrets == 0);
    for line in text.split(|byte| *byte == b'\n') {
        let Ok(line) = KeyLogLine::parse(line) else {
            continue;
        };
        let found = [&whole, &in_pieces].map(|key_store| {
            let found = key_store.find(&line.client_random, FrameNumber(1));
            assert!(key_store.find(&line.client_random, FrameNumber(0)).is_none());
            found.map(|secrets| secrets.are_whole())
        });
        assert_eq!(found[0], found[1]);
    }
}
