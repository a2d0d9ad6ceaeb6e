//! Whole files from the first byte to the last verdict, on one and on two threads: the repository's captures, and one
//! of them repeated many times with other ports.

use std::fs;
use std::io::Cursor;

use divan::Bencher;
use divan::counter::BytesCount;
use hangup::analysis::engine::{EngineSettings, analyse};
use hangup::packet::capture::{Input, OpenOptions, read};

fn main() {
    divan::main();
}

fn run(bytes: &[u8], threads: usize) -> usize {
    let input = Input::from_reader("bench", Box::new(Cursor::new(bytes.to_vec())));
    let mut source = read([Ok(input)], &OpenOptions::default()).expect("it is a capture");
    let analysis = analyse(
        &mut *source,
        &EngineSettings::default(),
        threads,
        &mut |_| (),
    )
    .expect("it can be read");
    analysis.summaries.len()
}

/// Repeats the frames of one capture, each time with other client ports.
fn many(path: &str, times: u16) -> Vec<u8> {
    let bytes = fs::read(path).expect("the capture is there");
    let (header, records) = bytes.split_at(24);
    let mut all = header.to_vec();
    for turn in 0..times {
        let mut rest = records;
        while let Some(captured) = rest
            .get(8..12)
            .and_then(|field| field.try_into().ok())
            .map(u32::from_le_bytes)
        {
            let (record, after) = rest.split_at(16 + captured as usize);
            let mut record = record.to_vec();
            // Ethernet, IPv4 without options: the ports are at offsets 34 and 36; the client's is the higher one.
            let port = |at: usize| u16::from_be_bytes([record[16 + at], record[17 + at]]);
            let at = if port(34) > port(36) { 34 } else { 36 };
            let moved = port(at).wrapping_add(turn) | 0x4000;
            record[16 + at..18 + at].copy_from_slice(&moved.to_be_bytes());
            all.extend_from_slice(&record);
            rest = after;
        }
    }
    all
}

#[divan::bench(args = [
    "captures/client-left-mid-download.pcap",
    "captures/lossy-but-healthy.pcap.gz",
    "captures/port-exhaustion.pcapng",
])]
fn file(bencher: Bencher<'_, '_>, path: &str) {
    let bytes = fs::read(path).expect("the capture is there");
    bencher
        .counter(BytesCount::of_slice(&bytes))
        .bench_local(|| run(&bytes, 1));
}

#[divan::bench(args = [1, 2], sample_count = 10)]
fn short_connections(bencher: Bencher<'_, '_>, threads: usize) {
    let bytes = many("captures/connection-close.pcap", 10_000);
    bencher
        .counter(BytesCount::of_slice(&bytes))
        .bench_local(|| run(&bytes, threads));
}
