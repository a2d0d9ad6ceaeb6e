//! Lines of logs: any text, in whatever format it is taken for. What is read of a line must fit the line.

#![no_main]

use hangup::base::time::Timestamp;
use hangup::logs::{Calendar, LineReader};
use libfuzzer_sys::fuzz_target;

#[path = "../shared/memory.rs"]
mod memory;

fuzz_target!(|data: &[u8]| memory::bounded(data.len(), || run(data)));

fn run(data: &[u8]) {
    let Some((day, text)) = data.split_first_chunk::<4>() else {
        return;
    };
    let day = i64::from(u32::from_le_bytes(*day)) * 1_000_000_000;
    let calendar = Calendar::of(Timestamp::from_nanos(day));
    let text = String::from_utf8_lossy(text);
    let Some(mut reader) = LineReader::detect(text.lines(), calendar) else {
        return;
    };
    let mut again = reader.clone();
    for line in text.lines() {
        let read = reader.read(line);
        assert_eq!(read, again.read(line), "the same line says the same");
        let Some(read) = read else { continue };
        // A few letters may stand for one in the log (`\x22`), never one for many.
        let texts = [&read.method, &read.target, &read.agent, &read.ending, &read.level, &read.message];
        for text in texts.into_iter().flatten() {
            assert!(text.len() <= 4 * line.len(), "{text:?} is not from {line:?}");
        }
    }
}
