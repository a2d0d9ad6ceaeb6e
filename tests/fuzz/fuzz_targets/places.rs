//! A capture as two places saw it: some frames at one of them alone, the clocks apart. Every report out.

#![no_main]

use std::io::Cursor;
use std::path::PathBuf;
use std::sync::LazyLock;

use hangup::packet::capture::{Batch, Fill, Frame, PcapngWriter};
use hangup::{Analysis, ReportOptions, Timestamp};
use libfuzzer_sys::fuzz_target;

#[path = "../../reading/mod.rs"]
mod reading;

/// The files of the two places: one pair for each process.
static FILES: LazyLock<[PathBuf; 2]> = LazyLock::new(|| {
    ["client", "server"].map(|place| {
        std::env::temp_dir().join(format!("hangup-fuzz-{}-{place}.pcapng", std::process::id()))
    })
});

fuzz_target!(|data: &[u8]| {
    let Some((&[offset, unit, holes @ ..], bytes)) = data.split_first_chunk::<10>() else {
        return;
    };
    let Some(mut source) = reading::source(Cursor::new(bytes.to_vec())) else {
        return;
    };
    // From 128 ns to 8.6 s, either way.
    let offset = i64::from(offset as i8) << (unit % 27);
    let holes = u64::from_le_bytes(holes);
    let mut places = [(); 2].map(|()| PcapngWriter::new(Vec::new()).expect("a vector takes it"));
    let (mut batch, mut count) = (Batch::default(), 0u32);
    while matches!(source.fill(&mut batch), Ok(Fill::Frames)) {
        for frame in batch.frames() {
            // Two bits a frame: both places, or only one of them.
            let seen = holes.rotate_right(2 * count) & 3;
            count = count.wrapping_add(1);
            let later = frame.time.as_nanos().saturating_add(offset);
            let moved = Frame { time: Timestamp::from_nanos(later), ..frame };
            for (place, (frame, without)) in places.iter_mut().zip([(frame, 1), (moved, 2)]) {
                if seen != without {
                    place.frame(&frame).expect("a vector takes it");
                }
            }
        }
    }
    for (place, file) in places.into_iter().zip(&*FILES) {
        std::fs::write(file, place.finish().expect("a vector takes it")).expect("room for a file");
    }
    let Ok(analysis) = Analysis::of_files(&*FILES) else {
        return;
    };
    for format in reading::FORMATS {
        let mut report = Vec::new();
        let written = analysis.write_report(format, &ReportOptions::default(), &mut report);
        assert!(written.is_ok(), "{written:?}");
        let odd = |byte: &u8| byte.is_ascii_control() && *byte != b'\n';
        assert!(!report.iter().any(odd), "no control characters: {}", String::from_utf8_lossy(&report));
    }
});
