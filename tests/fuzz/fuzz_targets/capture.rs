//! The file readers: any bytes, plain or compressed. The result must not depend on the sizes of the reads.

#![no_main]

use std::io::{self, Read};

use hangup::packet::capture::{Batch, Fill};
use libfuzzer_sys::fuzz_target;

#[path = "../../reading/mod.rs"]
mod reading;

fuzz_target!(|data: &[u8]| {
    let whole = frames(data, usize::MAX);
    // Where a read ends matters near record headers, so about a hundred reads suffice however long the file is.
    let in_sips = frames(data, 7 + data.len() / 100);
    // How much a decompressor returns before it meets damage depends on how much is requested at once.
    let is_packed = data.starts_with(&[0x1f, 0x8b])
        || data.starts_with(&[0x28, 0xb5, 0x2f, 0xfd])
        || data.get(1..4) == Some(&[0x2a, 0x4d, 0x18])
        || data.starts_with(&[0x04, 0x22, 0x4d, 0x18]);
    let is_whole =
        |read: &Option<Frames>| read.as_ref().is_some_and(|(_, damage)| damage.is_none());
    if !is_packed || is_whole(&whole) && is_whole(&in_sips) {
        assert_eq!(whole, in_sips);
    }
});

type Row = (u64, i64, u16, u32, Vec<u8>);
/// All frames, and the offset of damage in the file.
type Frames = (Vec<Row>, Option<u64>);

fn frames(data: &[u8], at_once: usize) -> Option<Frames> {
    let mut source = reading::source(Sips(data.to_vec(), 0, at_once))?;
    let mut batch = Batch::default();
    let mut rows = Vec::new();
    while source.fill(&mut batch).expect("it was opened") != Fill::End {
        rows.extend(batch.frames().map(|frame| {
            (
                frame.number.0,
                frame.time.as_nanos(),
                frame.link.0,
                frame.length,
                frame.data.to_vec(),
            )
        }));
    }
    let [file] = source.files() else {
        panic!("one input, one summary")
    };
    assert_eq!(file.packets, rows.len() as u64);
    assert!(
        rows.is_sorted_by(|one, next| one.0 < next.0),
        "numbers rise"
    );
    Some((rows, file.damage.as_ref().map(|damage| damage.offset)))
}

/// Returns a few bytes per read.
struct Sips(Vec<u8>, usize, usize);

impl Read for Sips {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let rest = &self.0[self.1..];
        let count = rest.len().min(out.len()).min(self.2);
        out[..count].copy_from_slice(&rest[..count]);
        self.1 += count;
        Ok(count)
    }
}
