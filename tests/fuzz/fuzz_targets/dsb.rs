//! The whole program, with secrets: a capture file in, its secrets in the key store, every report out.

#![no_main]

use hangup::packet::capture::{Batch, Fill};
use hangup::protocol::tls::secrets::KeyStore;
use hangup::base::frame_ref::FrameNumber;
use libfuzzer_sys::fuzz_target;

#[path = "../shared/memory.rs"]
mod memory;
#[path = "../../reading/mod.rs"]
mod reading;

/// `TLSK`.
const TLS_KEY_LOG: u32 = 0x544c_534b;

fuzz_target!(|data: &[u8]| memory::bounded(data.len(), || run(data)));

fn run(data: &[u8]) {
    let Some(keys) = secrets(data) else { return };
    let Some(source) = reading::source(std::io::Cursor::new(data.to_vec())) else {
        return;
    };
    let reading = reading::analyse_with(source, 1, None, &keys);
    reading.check();
    for format in reading::FORMATS {
        let report = reading.report(format);
        let odd = |letter: char| letter.is_control() && letter != '\n';
        assert!(!report.contains(odd), "no control characters: {report:?}");
    }
}

fn secrets(data: &[u8]) -> Option<KeyStore> {
    let mut source = reading::source(std::io::Cursor::new(data.to_vec()))?;
    let mut batch = Batch::default();
    while source.fill(&mut batch).expect("it was opened") != Fill::End {}
    let key_store = KeyStore::default();
    for secrets in source.files().iter().flat_map(|file| &file.secrets) {
        if secrets.kind == TLS_KEY_LOG {
            key_store.read(&secrets.bytes, FrameNumber(0));
            key_store.end(FrameNumber(0));
        }
    }
    Some(key_store)
}
