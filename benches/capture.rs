//! The cost of reading a frame, compared with copying its bytes: `cargo bench --bench capture`.

use std::io::Cursor;
use std::sync::{Arc, LazyLock};

use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use hangup::base::frame_ref::FrameNumber;
use hangup::base::time::Timestamp;
use hangup::packet::capture::{
    Batch, Fill, Frame, Input, LinkType, OpenOptions, PcapWriter, PcapngWriter, read,
};

const FRAMES: u64 = 200_000;
/// The average length of a frame in short connections.
const LENGTH: usize = 198;

/// A file in memory, shared by all runs.
#[derive(Clone)]
struct Bytes(Arc<Vec<u8>>);

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

static PCAP: LazyLock<Bytes> = LazyLock::new(|| {
    let mut writer = PcapWriter::new(Vec::new(), LinkType(1)).expect("memory takes all");
    frames(|frame| writer.frame(frame).expect("memory takes all"));
    Bytes(Arc::new(writer.finish().expect("memory takes all")))
});

static PCAPNG: LazyLock<Bytes> = LazyLock::new(|| {
    let mut writer = PcapngWriter::new(Vec::new()).expect("memory takes all");
    frames(|frame| writer.frame(frame).expect("memory takes all"));
    Bytes(Arc::new(writer.finish().expect("memory takes all")))
});

static ZSTD: LazyLock<Bytes> = LazyLock::new(|| {
    let packed = zstd::encode_all(PCAP.as_ref(), 3).expect("memory takes all");
    Bytes(Arc::new(packed))
});

static GZIP: LazyLock<Bytes> = LazyLock::new(|| {
    let mut packed = Vec::new();
    let level = flate2::Compression::default();
    let mut packer = flate2::read::GzEncoder::new(PCAP.as_ref(), level);
    std::io::Read::read_to_end(&mut packer, &mut packed).expect("memory takes all");
    Bytes(Arc::new(packed))
});

fn frames(mut each: impl FnMut(&Frame<'_>)) {
    let mut data = [0; LENGTH];
    let mut state = 1_u64;
    for number in 0..FRAMES {
        // Vary a few bytes, as headers do.
        for field in data.chunks_mut(8).step_by(3) {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            field.copy_from_slice(&state.to_le_bytes()[..field.len()]);
        }
        each(&Frame {
            number: FrameNumber(number),
            time: Timestamp::from_nanos(1_700_000_000_000_000_000 + number as i64 * 1000),
            link: LinkType(1),
            interface: 0,
            length: LENGTH as u32,
            passage: hangup::base::passage::Passage::Unknown,
            data: &data,
        });
    }
}

/// Reads `files` as one timeline without touching the frames' contents.
fn run(bencher: Bencher<'_, '_>, files: &[&Bytes], filter: Option<&str>) {
    let mut options = OpenOptions::default();
    options.filter = filter.map(str::to_owned);
    let mut batch = Batch::default();
    bencher
        .counter(ItemsCount::new(FRAMES as usize * files.len()))
        .counter(BytesCount::new(
            files.iter().map(|file| file.0.len()).sum::<usize>(),
        ))
        .bench_local(|| {
            let inputs = files.iter().map(|file| {
                let bytes = Cursor::new((*file).clone());
                Ok(Input::from_reader("memory", Box::new(bytes)))
            });
            let mut source = read(inputs, &options).expect("these are captures");
            let mut frames = 0;
            while source.fill(&mut batch).expect("memory does not fail") == Fill::Frames {
                frames += black_box(batch.len());
            }
            frames
        });
}

/// The baseline of all others: copies the file's bytes a mebibyte at a time.
#[divan::bench]
fn copy_only(bencher: Bencher<'_, '_>) {
    let mut to = vec![0; 1 << 20];
    bencher
        .counter(ItemsCount::new(FRAMES as usize))
        .counter(BytesCount::new(PCAP.0.len()))
        .bench_local(|| {
            for from in PCAP.0.chunks(1 << 20) {
                to[..from.len()].copy_from_slice(from);
                black_box(&mut to);
            }
        });
}

#[divan::bench]
fn pcap(bencher: Bencher<'_, '_>) {
    run(bencher, &[&PCAP], None);
}

#[divan::bench]
fn pcapng(bencher: Bencher<'_, '_>) {
    run(bencher, &[&PCAPNG], None);
}

#[divan::bench]
fn pcap_zstd(bencher: Bencher<'_, '_>) {
    run(bencher, &[&ZSTD], None);
}

#[divan::bench]
fn pcap_gzip(bencher: Bencher<'_, '_>) {
    run(bencher, &[&GZIP], None);
}

/// The worst case of merging: every frame comes from a different file than the one before.
#[divan::bench]
fn two_interleaved(bencher: Bencher<'_, '_>) {
    run(bencher, &[&PCAP, &PCAPNG], None);
}

#[cfg(feature = "live")]
#[divan::bench]
fn filtered(bencher: Bencher<'_, '_>) {
    run(bencher, &[&PCAP], Some("tcp port 80"));
}

/// pcap-parser instead of our own reader: copies a mebibyte at a time and parses each record into a block.
#[divan::bench]
fn pcap_parser_pcap(bencher: Bencher<'_, '_>) {
    parsed(bencher, &PCAP.0, 24, |bytes| {
        let (rest, record) = pcap_parser::parse_pcap_frame(bytes).ok()?;
        black_box(record);
        Some(rest.len())
    });
}

/// The same for pcapng.
#[divan::bench]
fn pcap_parser_pcapng(bencher: Bencher<'_, '_>) {
    parsed(bencher, &PCAPNG.0, 0, |bytes| {
        let (rest, block) = pcap_parser::parse_block_le(bytes).ok()?;
        black_box(block);
        Some(rest.len())
    });
}

/// `parse` returns how many bytes follow a record, if the record is complete.
fn parsed(
    bencher: Bencher<'_, '_>,
    file: &[u8],
    header: usize,
    parse: impl Fn(&[u8]) -> Option<usize>,
) {
    let mut buffer = vec![0; 1 << 20];
    bencher
        .counter(ItemsCount::new(FRAMES as usize))
        .counter(BytesCount::new(file.len()))
        .bench_local(|| {
            let (mut from, mut records) = (header, 0);
            loop {
                let chunk = &file[from..file.len().min(from + (1 << 20))];
                let buffer = &mut buffer[..chunk.len()];
                buffer.copy_from_slice(chunk);
                let mut at = 0;
                while let Some(left) = parse(&buffer[at..]) {
                    at = buffer.len() - left;
                    records += 1;
                }
                from += at;
                if at == 0 {
                    break records;
                }
            }
        });
}

fn main() {
    divan::main();
}
