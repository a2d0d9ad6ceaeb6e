//! Tests of the whole layer: files built in memory and read back through every kind of input.

use crate::base::frame_ref::FrameNumber;
use crate::base::net::Loss;
use std::io::{self, Read, Write};
use std::net::IpAddr;

use proptest::prelude::*;

use cases::cases;

use super::files::Files;
use super::*;
use crate::base::time::Timestamp;

#[path = "../../../tests/cases/mod.rs"]
mod cases;

/// A frame as the tests compare it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    number: u64,
    nanos: i64,
    link: u16,
    interface: u32,
    length: u32,
    data: Vec<u8>,
}

const SECOND: i64 = 1_700_000_000;
const NANOS: i64 = SECOND * 1_000_000_000;

fn input(bytes: &[u8]) -> Result<Input, CaptureError> {
    let bytes = io::Cursor::new(bytes.to_vec());
    Ok(Input::from_reader("memory", Box::new(bytes)))
}

fn drain(source: &mut dyn Source) -> Vec<Seen> {
    let mut batch = Batch::default();
    let mut seen = Vec::new();
    while source.fill(&mut batch).expect("files do not fail half-way") == Fill::Frames {
        assert!(!batch.is_empty());
        seen.extend(batch.frames().map(|frame| Seen {
            number: frame.number.0,
            nanos: frame.time.as_nanos(),
            link: frame.link.0,
            interface: frame.interface,
            length: frame.length,
            data: frame.data.to_vec(),
        }));
    }
    assert!(batch.is_empty());
    seen
}

fn read_in_chunks(bytes: &[u8], chunk: usize) -> Result<(Vec<Seen>, FileSummary), CaptureError> {
    let mut files = Files::open([input(bytes)], Some(chunk))?;
    let seen = drain(&mut files);
    Ok((seen, files.files()[0].clone()))
}

#[track_caller]
fn read_whole(bytes: &[u8]) -> (Vec<Seen>, FileSummary) {
    read_in_chunks(bytes, 1 << 20).expect("this is a capture")
}

/// Builds a file from numbers in one byte order.
struct Bytes {
    big: bool,
    bytes: Vec<u8>,
}

impl Bytes {
    fn new(big: bool) -> Self {
        let bytes = Vec::new();
        Self { big, bytes }
    }

    fn u16(mut self, number: u16) -> Self {
        let bytes = if self.big {
            number.to_be_bytes()
        } else {
            number.to_le_bytes()
        };
        self.bytes.extend(bytes);
        self
    }

    fn u32(mut self, number: u32) -> Self {
        let bytes = if self.big {
            number.to_be_bytes()
        } else {
            number.to_le_bytes()
        };
        self.bytes.extend(bytes);
        self
    }

    fn u64(mut self, number: u64) -> Self {
        let bytes = if self.big {
            number.to_be_bytes()
        } else {
            number.to_le_bytes()
        };
        self.bytes.extend(bytes);
        self
    }

    fn raw(mut self, bytes: &[u8]) -> Self {
        self.bytes.extend_from_slice(bytes);
        self
    }

    fn padded(self, bytes: &[u8]) -> Self {
        let padding = bytes.len().next_multiple_of(4) - bytes.len();
        self.raw(bytes).raw(&[0; 3][..padding])
    }

    fn option(self, code: u16, value: &[u8]) -> Self {
        self.u16(code).u16(value.len() as u16).padded(value)
    }

    fn block(self, kind: u32, body: impl FnOnce(Self) -> Self) -> Self {
        let body = body(Self::new(self.big)).bytes;
        let total = body.len() as u32 + 12;
        self.u32(kind).u32(total).raw(&body).u32(total)
    }

    fn section(self) -> Self {
        self.block(0x0A0D_0D0A, |b| {
            b.u32(0x1A2B_3C4D).u16(1).u16(0).u64(u64::MAX)
        })
    }

    fn interface(self, link: u16, options: impl FnOnce(Self) -> Self) -> Self {
        self.block(1, |b| options(b.u16(link).u16(0).u32(0)))
    }

    fn packet(self, interface: u32, ticks: u64, data: &[u8]) -> Self {
        let length = data.len() as u32;
        self.block(6, |b| {
            let b = b.u32(interface).u32((ticks >> 32) as u32).u32(ticks as u32);
            b.u32(length).u32(length).padded(data)
        })
    }

    fn classic(self, magic: u32, version: (u16, u16), link: u32) -> Self {
        let b = self.u32(magic).u16(version.0).u16(version.1);
        b.u32(0).u32(0).u32(65535).u32(link)
    }

    fn record(self, second: i64, fraction: u32, data: &[u8]) -> Self {
        let length = data.len() as u32;
        self.u32(second as u32)
            .u32(fraction)
            .u32(length)
            .u32(length)
            .raw(data)
    }
}

/// A classic capture of `count` frames, `step` milliseconds apart, starting at `from` milliseconds.
fn milliseconds(from: u32, count: u32, step: u32) -> Vec<u8> {
    let mut file = Bytes::new(false).classic(0xa1b2_c3d4, (2, 4), 1);
    for n in 0..count {
        let at = from + n * step;
        let data = [at as u8; 60];
        file = file.record(
            SECOND + i64::from(at / 1000),
            at % 1000 * 1000,
            &data[..40 + n as usize % 20],
        );
    }
    file.bytes
}

/// A classic capture of frames that do not compress well.
fn noise(count: u32) -> Vec<u8> {
    let mut file = Bytes::new(false).classic(0xa1b2_c3d4, (2, 4), 1);
    let mut state = 1_u64;
    for n in 0..count {
        let mut data = Vec::new();
        for _ in 0..20 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            data.extend(state.to_le_bytes());
        }
        file = file.record(SECOND, n, &data);
    }
    file.bytes
}

/// A pcapng file with every kind of block.
fn everything(big: bool) -> Vec<u8> {
    let ticks = SECOND as u64 * 1_000_000;
    let mut file = Bytes::new(big)
        .block(0x0A0D_0D0A, |b| {
            let b = b.u32(0x1A2B_3C4D).u16(1).u16(0).u64(u64::MAX);
            b.option(1, b"first section").option(0, b"")
        })
        .interface(1, |b| b.option(2, b"eth0").option(0, b""))
        .interface(101, |b| {
            let b = b.option(3, b"tunnel").option(9, &[9]);
            let offset = if big {
                100_i64.to_be_bytes()
            } else {
                100_i64.to_le_bytes()
            };
            b.option(14, &offset).option(0, b"")
        })
        .packet(0, ticks, b"abc")
        .packet(1, NANOS as u64 + 7, b"defgh")
        // A simple packet block, and the obsolete block with a drop.
        .block(3, |b| b.u32(6).padded(b"simple"))
        .block(2, |b| {
            let b = b
                .u16(0)
                .u16(3)
                .u32((ticks >> 32) as u32)
                .u32(ticks as u32 + 1);
            b.u32(3).u32(1500).padded(b"old")
        })
        // A packet with a comment, names, statistics, secrets, and blocks that are skipped.
        .block(6, |b| {
            let b = b
                .u32(0)
                .u32((ticks >> 32) as u32)
                .u32(ticks as u32 + 2)
                .u32(2)
                .u32(2);
            b.padded(b"ij").option(1, b"look here").option(0, b"")
        })
        .block(4, |b| {
            let b = b.option(1, b"\x0a\x00\x00\x01server\0web\0");
            b.option(2, b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01self\0")
                .option(0, b"")
        })
        .block(5, |b| {
            let (mut few, mut many) = (Bytes::new(big), Bytes::new(big));
            (few, many) = (few.u64(5), many.u64(7));
            b.u32(0)
                .u64(0)
                .option(5, &few.bytes)
                .option(7, &many.bytes)
                .option(0, b"")
        })
        .block(10, |b| b.u32(0x544c_534b).u32(5).padded(b"keys!"))
        .block(0x0BAD, |b| b.u32(32473).u32(1))
        .block(0x7777, |b| b.u64(1));
    // A second section in the other byte order, whose interface numbers restart.
    file.big = !big;
    file = file
        .section()
        .interface(113, |b| b.option(9, &[0x80 | 10]).option(0, b""));
    file.packet(0, (SECOND as u64) << 10 | 512, b"binary").bytes
}

#[track_caller]
fn check_everything(big: bool) {
    let (seen, summary) = read_whole(&everything(big));
    let facts: Vec<_> = seen
        .iter()
        .map(|s| (s.number, s.interface, s.link, s.nanos - NANOS, &s.data[..]))
        .collect();
    assert_eq!(
        facts,
        [
            (1, 0, 1, 0, &b"abc"[..]),
            (2, 1, 101, 100 * 1_000_000_000 + 7, b"defgh"),
            (3, 0, 1, 100 * 1_000_000_000 + 7, b"simple"),
            (4, 0, 1, 1000, b"old"),
            (5, 0, 1, 2000, b"ij"),
            // Wireshark counts the custom block as a packet.
            (7, 2, 113, 500_000_000, b"binary"),
        ]
    );
    assert_eq!(seen[3].length, 1500);
    assert_eq!(
        (summary.format, summary.packets, &summary.damage),
        ("pcapng", 6, &None)
    );
    assert_eq!(summary.comments, ["first section"]);
    assert_eq!(summary.frame_comments, [(5, "look here".to_owned())]);
    let names: Vec<_> = summary
        .interfaces
        .iter()
        .map(|i| i.name.as_deref())
        .collect();
    assert_eq!(names, [Some("eth0"), Some("tunnel"), None]);
    let address = |text: &str| text.parse::<IpAddr>().unwrap();
    let known = [("10.0.0.1", "server"), ("10.0.0.1", "web"), ("::1", "self")];
    assert_eq!(
        summary.names,
        known.map(|(at, name)| (address(at), name.to_owned()))
    );
    assert_eq!(
        (summary.secrets[0].kind, &summary.secrets[0].bytes[..]),
        (0x544c_534b, &b"keys!"[..])
    );
    // The statistics take precedence over the obsolete block's drop counter.
    assert_eq!(
        summary.lost,
        Loss {
            kernel: Some(7),
            interface: Some(5)
        }
    );
}

#[test]
fn pcapng_is_read_in_either_byte_order() {
    check_everything(false);
    check_everything(true);
}

#[test]
fn every_classic_variant_is_read() {
    // Magic number, version, link field, bytes between header and data, fraction, its nanoseconds, FCS.
    let variants = [
        (0xa1b2_c3d4, (2, 4), 1, 0, 5, 5000, None),
        (0xa1b2_3c4d, (2, 4), 101, 0, 5, 5, None),
        (0xa1b2_cd34, (2, 4), 1, 8, 5, 5000, None),
        (0xa1b2_c3d4, (2, 4), 0x2400_0001, 0, 5, 5000, Some(4)),
        (0x1c00_01ac, (2, 4), 1, 0, 5, 5, None),
        (0x1c00_01ab, (2, 4), 1, 0, 5, 5, None),
    ];
    for big in [false, true] {
        for (magic, version, link, beyond, fraction, nanos, fcs) in variants {
            let mut file = Bytes::new(big).classic(magic, version, link);
            if magic >> 16 == 0x1c00 {
                file = file.u32(1234);
            }
            for data in [&b"first"[..], b"second"] {
                let b = file
                    .u32(SECOND as u32)
                    .u32(fraction)
                    .u32(data.len() as u32)
                    .u32(1500);
                file = b.raw(&[0xee; 8][..beyond]).raw(data);
            }
            let (seen, summary) = read_whole(&file.bytes);
            assert_eq!(summary.damage, None, "{magic:x}");
            let data: Vec<_> = seen.iter().map(|s| &s.data[..]).collect();
            assert_eq!(data, [&b"first"[..], b"second"], "{magic:x}");
            assert_eq!(
                (seen[1].nanos, seen[1].length),
                (NANOS + nanos, 1500),
                "{magic:x}"
            );
            assert_eq!(seen[1].link, link as u16);
            assert_eq!(summary.interfaces[0].fcs, fcs);
        }
    }
}

#[test]
fn old_versions_have_their_lengths_the_wrong_way_round() {
    for (version, swapped) in [
        ((2, 2), true),
        ((2, 3), true),
        ((2, 3), false),
        ((543, 0), true),
        ((2, 4), false),
    ] {
        let (first, second) = if swapped { (1500, 3) } else { (3, 1500) };
        let file = Bytes::new(false).classic(0xa1b2_c3d4, version, 1);
        let file = file
            .u32(SECOND as u32)
            .u32(0)
            .u32(first)
            .u32(second)
            .raw(b"abc");
        let (seen, summary) = read_whole(&file.bytes);
        assert_eq!(
            (&seen[0].data[..], seen[0].length),
            (&b"abc"[..], 1500),
            "{version:?}"
        );
        assert_eq!(summary.damage, None);
    }
}

#[test]
fn resolutions_reach_from_seconds_to_beyond_nanoseconds() {
    let cases: [(u8, u64, i64); 9] = [
        // Half a second before the epoch, and no date at all.
        (6, 500_000_u64.wrapping_neg(), -500_000_000),
        (6, 1 << 63, i64::MAX),
        (0, 3, 3_000_000_000),
        (3, 1500, 1_500_000_000),
        (9, 15, 15),
        (12, 15_999, 15),
        (127, u64::MAX, 1),
        (0x80, 2, 2_000_000_000),
        (0xff, u64::MAX, 0),
    ];
    for (resolution, ticks, nanos) in cases {
        let file = Bytes::new(false).section();
        let file = file.interface(1, |b| b.option(9, &[resolution]).option(0, b""));
        let (seen, _) = read_whole(&file.packet(0, ticks, b"x").bytes);
        assert_eq!(seen[0].nanos, nanos, "if_tsresol {resolution:#x}");
    }
}

#[test]
fn what_is_no_capture_is_refused_with_a_way_out() {
    let xz = b"\xfd7zXZ\0\0\0and so on and so on and on";
    let cases: [(&[u8], &str); 7] = [
        (b"", "it is empty"),
        (
            b"12:00:01 IP 10.0.0.1.80 > 10.0.0.2.999: tcp 0",
            "it is text",
        ),
        (xz, "xz -dc"),
        (b"snoop\0\0\0\0\0\0\x02", "editcap"),
        (&[0; 40], "it begins 00 00 00 00"),
        (b"\xd4\xc3\xb2\xa1\x02\0\x04\0", "8 of the 24 bytes"),
        (
            &Bytes::new(false).classic(0xa1b2_c3d4, (7, 0), 1).bytes,
            "version 7.0",
        ),
    ];
    for (bytes, way_out) in cases {
        let error = read_in_chunks(bytes, 1 << 20).unwrap_err().to_string();
        assert!(
            error.contains(way_out),
            "{error:?} should contain {way_out:?}"
        );
        assert!(error.starts_with("memory: "), "{error}");
    }
    let directory = open(&["src"], &OpenOptions::default()).err().unwrap();
    assert!(directory.to_string().contains("directory"), "{directory}");
    let missing = open(&["no/such.pcap"], &OpenOptions::default())
        .err()
        .unwrap();
    assert!(matches!(missing, CaptureError::Io { .. }), "{missing}");
    assert!(missing.to_string().contains("no/such.pcap"), "{missing}");
}

#[test]
fn a_file_of_only_a_header_is_a_capture_without_frames() {
    for bytes in [milliseconds(0, 0, 1), Bytes::new(true).section().bytes] {
        let (seen, summary) = read_whole(&bytes);
        assert_eq!((seen.len(), summary.packets, summary.damage), (0, 0, None));
    }
}

#[test]
fn a_file_cut_anywhere_gives_what_is_whole() {
    for file in [milliseconds(0, 5, 1), everything(false), everything(true)] {
        let (whole, _) = read_whole(&file);
        let mut before = 0;
        for cut in 0..file.len() {
            let Ok((seen, summary)) = read_in_chunks(&file[..cut], 64) else {
                assert!(cut < 28, "a header is enough to be a capture");
                continue;
            };
            assert_eq!(seen, whole[..seen.len()], "cut at {cut}");
            assert!(seen.len() >= before, "cut at {cut}");
            before = seen.len();
            assert!(summary.damages <= 1, "cut at {cut}: {summary:?}");
        }
        assert_eq!(before, whole.len() - 1);
    }
}

#[test]
fn a_claim_of_gigabytes_is_damage_and_costs_nothing() {
    let record = |claim: u32| {
        milliseconds(0, 3, 1)
            .into_iter()
            .chain(
                Bytes::new(false)
                    .u32(SECOND as u32)
                    .u32(0)
                    .u32(claim)
                    .u32(claim)
                    .bytes,
            )
            .collect::<Vec<_>>()
    };
    let block = |claim: u32| {
        Bytes::new(false)
            .section()
            .interface(1, |b| b)
            .packet(0, 5, b"abc")
            .u32(6)
            .u32(claim)
            .u64(0)
            .bytes
    };
    for claim in [0, 1, 3, 4, 11, 13, 0x7fff_fffc, 0xffff_fffc, u32::MAX] {
        let (seen, summary) = read_whole(&block(claim));
        assert_eq!(seen.len(), 1);
        assert_eq!(
            summary.damage.map(|d| d.offset),
            Some(28 + 20 + 36),
            "claim {claim}"
        );
    }
    for claim in [262_145, u32::MAX] {
        let (seen, summary) = read_whole(&record(claim));
        assert_eq!((seen.len(), summary.damages), (3, 1));
        assert_eq!(summary.passed_over, 16);
    }
}

#[test]
fn memory_follows_the_bytes_not_the_claim() {
    // D-Bus messages may have 128 MiB; this one has four bytes.
    let file = Bytes::new(false).classic(0xa1b2_c3d4, (2, 4), 231);
    let file = file
        .u32(0)
        .u32(0)
        .u32(128 << 20)
        .u32(128 << 20)
        .raw(b"abcd")
        .bytes;
    let mut files = Files::open([input(&file)], Some(4096)).unwrap();
    let mut batch = Batch::default();
    assert_eq!(files.fill(&mut batch).unwrap(), Fill::End);
    assert!(batch.bytes.len() < 64 << 10, "{}", batch.bytes.len());
    assert_eq!(files.files()[0].damages, 1);
}

#[test]
fn reading_goes_on_after_damage() {
    // A record in the middle with a wrong length, and a run of garbage bytes.
    let mut file = milliseconds(0, 20, 1);
    let (whole, _) = read_whole(&file);
    let record = |n: usize| 24 + (0..n).map(|n| 16 + 40 + n % 20).sum::<usize>();
    file[record(7) + 11] = 0x40;
    let (seen, summary) = read_whole(&file);
    assert_eq!(seen.len(), 19);
    assert_eq!(seen[7].data, whole[8].data);
    assert_eq!(summary.damage.unwrap().offset, record(7) as u64);
    assert_eq!(summary.passed_over, (record(8) - record(7)) as u64);

    let start = Bytes::new(false)
        .section()
        .interface(1, |b| b)
        .packet(0, 1, b"one");
    let at = start.bytes.len() as u64;
    let file = start
        .raw(&[0xab; 1001])
        .packet(0, 2, b"two")
        .packet(0, 3, b"three")
        .bytes;
    for chunk in [1, 7, 100, 1 << 20] {
        let (seen, summary) = read_in_chunks(&file, chunk).unwrap();
        let data: Vec<_> = seen.iter().map(|s| &s.data[..]).collect();
        assert_eq!(data, [&b"one"[..], b"two", b"three"]);
        assert_eq!(
            (summary.damage.unwrap().offset, summary.passed_over),
            (at, 1001)
        );
    }
}

#[test]
fn joined_files_are_read_as_one() {
    let (front, back) = (milliseconds(0, 5, 1), milliseconds(5, 5, 1));
    for joined in [
        [&front[..], &back].concat(),
        [gzip(&front), gzip(&back)].concat(),
    ] {
        let (seen, summary) = read_whole(&joined);
        let times: Vec<_> = seen
            .iter()
            .map(|seen| (seen.nanos - NANOS) / 1_000_000)
            .collect();
        assert_eq!(times, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
        assert_eq!(summary.damage.unwrap().offset, front.len() as u64);
    }
    let sections = [everything(false), everything(true)].concat();
    let (seen, summary) = read_whole(&sections);
    assert_eq!((seen.len(), summary.damage), (12, None));
}

#[test]
fn a_packet_that_contradicts_itself_costs_only_itself() {
    let file = Bytes::new(false).section().interface(1, |b| b);
    let file = file.packet(0, 1, b"one").packet(9, 2, b"whose?");
    let file = file
        .block(6, |b| b.u32(0).u64(0).u32(100).u32(100))
        .packet(0, 3, b"three");
    let (seen, summary) = read_whole(&file.bytes);
    assert_eq!(seen.len(), 2);
    assert_eq!((summary.damages, summary.passed_over), (2, 0));
    assert!(summary.damage.unwrap().reason.contains("interface 9"));
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

#[cfg(feature = "compressed")]
fn lz4(bytes: &[u8]) -> Vec<u8> {
    let small = lz4_flex::frame::FrameInfo::new().block_size(lz4_flex::frame::BlockSize::Max64KB);
    let mut packer = lz4_flex::frame::FrameEncoder::with_frame_info(small, Vec::new());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

#[cfg(feature = "compressed")]
fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}

#[test]
fn compressed_files_are_unpacked_in_one_piece_or_several() {
    type Pack = fn(&[u8]) -> Vec<u8>;
    let packers: &[(Pack, &str)] = &[
        (gzip, "pcap+gzip"),
        #[cfg(feature = "compressed")]
        (zstd, "pcap+zstd"),
        #[cfg(feature = "compressed")]
        (lz4, "pcap+lz4"),
    ];
    let file = noise(5000);
    let (whole, _) = read_whole(&file);
    for &(pack, format) in packers {
        let (front, back) = file.split_at(777);
        for packed in [pack(&file), [pack(front), pack(back)].concat()] {
            let (seen, summary) = read_whole(&packed);
            assert!(seen == whole, "{format}");
            assert_eq!(
                (summary.format, summary.bytes),
                (format, packed.len() as u64)
            );
            assert_eq!(summary.damage, None);
        }
        let packed = pack(&file);
        let (seen, summary) = read_whole(&packed[..packed.len() / 2]);
        assert!(
            seen[..] == whole[..seen.len()] && seen.len() < whole.len(),
            "{format}"
        );
        assert_eq!(summary.damages, 1, "{format}");
        let error = read_in_chunks(&packed[..20], 100).unwrap_err().to_string();
        assert!(error.contains("cannot be unpacked"), "{error}");
    }
    let error = read_in_chunks(&gzip(b""), 100).unwrap_err().to_string();
    assert!(error.contains("unpacks to nothing"), "{error}");
}

#[cfg(not(feature = "compressed"))]
#[test]
fn what_this_build_cannot_unpack_is_told() {
    for (magic, program) in [
        (&b"\x28\xb5\x2f\xfd"[..], "zstd"),
        (b"\x52\x2a\x4d\x18", "zstd"),
        (b"\x04\x22\x4d\x18", "lz4"),
    ] {
        let file = [magic, &[0; 60]].concat();
        let error = read_in_chunks(&file, 100).unwrap_err().to_string();
        let wanted = format!("unpack it first: {program} -d FILE");
        assert!(error.contains(&wanted), "{error}");
        assert!(error.contains("(feature \"compressed\")"), "{error}");
    }
}

/// Delivers bytes as a pipe does, a few at a time.
struct Pipe {
    bytes: io::Cursor<Vec<u8>>,
    few: usize,
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let few = self.few.min(buffer.len());
        self.bytes.read(&mut buffer[..few])
    }
}

#[test]
fn a_pipe_is_not_waited_for_while_there_are_frames() {
    let bytes = io::Cursor::new(milliseconds(0, 10, 1));
    let few = 200;
    let pipe = Input::from_reader("-", Box::new(Pipe { bytes, few }));
    let mut source = read([Ok(pipe)], &OpenOptions::default()).unwrap();
    let mut batch = Batch::default();
    assert_eq!(source.fill(&mut batch).unwrap(), Fill::Frames);
    assert!(batch.len() < 4, "{}", batch.len());
    assert_eq!(batch.len() + drain(&mut *source).len(), 10);
}

#[track_caller]
fn check_merged(files: &[Vec<u8>], chunk: usize) {
    let read_one = |(index, file): (usize, &Vec<u8>)| {
        let (seen, _) = read_in_chunks(file, chunk).unwrap();
        assert!(
            seen.iter()
                .zip(1..)
                .all(|(seen, number)| seen.number == number)
        );
        seen.into_iter()
            .map(move |seen| (index, seen))
            .collect::<Vec<_>>()
    };
    // Each file's frames in their own order; the smallest head is next, by time and then by file.
    let mut queues: Vec<_> = files
        .iter()
        .enumerate()
        .map(read_one)
        .map(|v| v.into_iter().peekable())
        .collect();
    let mut expected = Vec::new();
    while let Some(next) = queues
        .iter_mut()
        .enumerate()
        .filter_map(|(index, queue)| Some((queue.peek()?.1.nanos, index)))
        .min()
    {
        let (_, seen) = queues[next.1].next().unwrap();
        let number = expected.len() as u64 + 1;
        expected.push((number, seen.nanos, seen.data));
    }
    let folder = tempfile(files);
    let paths: Vec<_> = (0..files.len())
        .map(|n| folder.0.join(n.to_string()))
        .collect();
    let inputs = paths.iter().map(|path| Input::open(path));
    let mut on_disk = Files::open(inputs, Some(chunk)).unwrap();
    let mut streams = Files::open(files.iter().map(|file| input(file)), Some(chunk)).unwrap();
    for merged in [&mut on_disk, &mut streams] {
        let seen = drain(merged);
        let seen: Vec<_> = seen
            .into_iter()
            .map(|s| (s.number, s.nanos, s.data))
            .collect();
        assert!(
            seen == expected,
            "{} of {} frames",
            seen.len(),
            expected.len()
        );
        for (summary, file) in merged.files().iter().zip(files) {
            assert_eq!(summary.packets, read_whole(file).1.packets);
        }
        assert_eq!(merged.files().len(), files.len());
    }
}

/// A directory that is deleted on drop.
pub(super) struct Folder(pub(super) std::path::PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Files named by their index.
pub(super) fn tempfile(files: &[Vec<u8>]) -> Folder {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = format!(
        "hangup-{}-{}",
        std::process::id(),
        NEXT.fetch_add(1, Ordering::Relaxed)
    );
    let folder = Folder(std::env::temp_dir().join(name));
    std::fs::create_dir_all(&folder.0).unwrap();
    for (n, file) in files.iter().enumerate() {
        std::fs::write(folder.0.join(n.to_string()), file).unwrap();
    }
    folder
}

#[test]
fn several_files_are_one_timeline() {
    for chunk in [100, 5000, 1 << 20] {
        // Rotated files named out of order; overlapping files; equal times; one file without frames.
        check_merged(
            &[
                milliseconds(200, 100, 1),
                milliseconds(0, 100, 1),
                milliseconds(100, 100, 1),
            ],
            chunk,
        );
        check_merged(
            &[
                milliseconds(0, 100, 3),
                milliseconds(1, 100, 3),
                milliseconds(50, 30, 1),
            ],
            chunk,
        );
        check_merged(
            &[
                milliseconds(0, 100, 1),
                milliseconds(0, 100, 1),
                milliseconds(0, 0, 1),
            ],
            chunk,
        );
    }
}

#[test]
fn more_files_overlap_than_are_open_at_once() {
    let files: Vec<_> = (0..150)
        .map(|from| milliseconds(from, 20, 3 + from % 2))
        .collect();
    for chunk in [100, 1 << 20] {
        check_merged(&files, chunk);
    }
}

#[test]
fn numbers_without_a_frame_stay_between_the_frames() {
    let sparse = |first: u64| {
        let mut file = Bytes::new(false).section().interface(1, |b| b);
        for n in 0..20 {
            for _ in 0..n % 3 {
                file = file.block(0x0BAD, |b| b.u32(1));
            }
            file = file.packet(0, first + 2 * n, &[n as u8]);
        }
        file.block(0x0BAD, |b| b.u32(1)).bytes
    };
    for chunk in [10, 100, 10_000] {
        let (alone, _) = read_in_chunks(&sparse(0), chunk).unwrap();
        let numbers: Vec<_> = alone.iter().map(|seen| seen.number).collect();
        assert_eq!(numbers[..7], [1, 3, 6, 7, 9, 12, 13]);
        let inputs = [0, 1, 100].map(|first| input(&sparse(first)));
        let mut merged = Files::open(inputs, Some(chunk)).unwrap();
        let numbers: Vec<_> = drain(&mut merged).iter().map(|seen| seen.number).collect();
        let mut expected = Vec::new();
        let mut next = 0;
        for n in (0..20).flat_map(|n| [n, n]).chain(0..20) {
            next += 1 + n % 3;
            // The block at each file's end takes no number: no frame follows it.
            expected.push(next);
        }
        assert_eq!(numbers, expected);
    }
}

#[test]
fn interfaces_are_numbered_over_all_files() {
    let files = [
        milliseconds(10, 1, 1),
        everything(false),
        milliseconds(0, 1, 1),
    ];
    let mut merged = Files::open(files.iter().map(|file| input(file)), None).unwrap();
    drain(&mut merged);
    let mut numbers: Vec<_> = merged
        .files()
        .iter()
        .flat_map(|f| &f.interfaces)
        .map(|i| i.number)
        .collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [0, 1, 2, 3, 4]);
    assert_eq!(
        merged.lost(),
        Loss {
            kernel: Some(7),
            interface: Some(5)
        }
    );
}

#[test]
fn what_repeats_without_end_is_kept_within_bounds() {
    let mut file = Bytes::new(false).section().interface(1, |b| b);
    for _ in 0..5000 {
        file = file.block(6, |b| {
            b.u32(0)
                .u64(0)
                .u32(0)
                .u32(0)
                .option(1, &[b'c'; 2000])
                .option(0, b"")
        });
    }
    for _ in 0..3000 {
        file = file
            .interface(1, |b| b)
            .block(10, |b| b.u32(1).u32(4000).padded(&[7; 4000]));
    }
    let (seen, summary) = read_whole(&file.bytes);
    assert_eq!((seen.len(), summary.damage), (5000, None));
    assert_eq!(summary.frame_comments.len(), 4096);
    let (_, comment) = &summary.frame_comments[0];
    assert!(comment.len() == 1024 + "…".len() && comment.ends_with('…'));
    assert_eq!(summary.interfaces.len(), 1024);
    assert!(summary.secrets.iter().map(|s| s.bytes.len()).sum::<usize>() <= 4 << 20);
    assert!(summary.left_out > 3000 + 904 - 1024);
}

#[cfg(feature = "live")]
#[test]
fn a_filter_takes_frames_out_and_leaves_the_numbers() {
    let file = milliseconds(0, 1000, 1);
    let options = OpenOptions {
        filter: Some("ether[0] = 7".to_owned()),
        ..OpenOptions::default()
    };
    let mut source = read([input(&file)], &options).unwrap();
    let numbers: Vec<_> = drain(&mut *source).iter().map(|seen| seen.number).collect();
    assert_eq!(numbers, [8, 264, 520, 776]);
    assert_eq!(source.files()[0].packets, 1000);

    let options = OpenOptions {
        filter: Some("prot 80".to_owned()),
        ..OpenOptions::default()
    };
    let error = read([input(&file)], &options).err().unwrap();
    assert!(error.to_string().contains("prot 80"), "{error}");

    // Raw IP has three numbers in files, and a fourth in libpcap.
    for link in [101, 12, 14] {
        let packet = b"\x45\0\0\x28\0\0\0\0\x40\x06\0\0\x0a\0\0\x01\x0a\0\0\x02\0\x50\x99\x99\0\0\0\0\0\0\0\0\x50\0\0\0\0\0\0\0";
        let file = Bytes::new(false)
            .classic(0xa1b2_c3d4, (2, 4), link)
            .record(SECOND, 0, packet);
        let options = OpenOptions {
            filter: Some("tcp src port 80".to_owned()),
            ..OpenOptions::default()
        };
        let mut source = read([input(&file.bytes)], &options).unwrap();
        assert_eq!(drain(&mut *source).len(), 1, "link type {link}");
    }
}

#[cfg(not(feature = "live"))]
#[test]
fn a_filter_without_libpcap_is_refused() {
    let options = OpenOptions {
        filter: Some("tcp".to_owned()),
        ..OpenOptions::default()
    };
    let error = read([input(&milliseconds(0, 1, 1))], &options)
        .err()
        .unwrap();
    assert!(error.to_string().contains("tcpdump -r"), "{error}");
}

#[test]
fn what_is_written_can_be_read_back() {
    let file = everything(false);
    let (seen, _) = read_whole(&file);
    let mut pcapng = PcapngWriter::new(Vec::new()).unwrap();
    for seen in &seen {
        pcapng
            .commented(&frame(seen), [&*format!("frame {}", seen.number)])
            .unwrap();
    }
    let (again, summary) = read_whole(&pcapng.finish().unwrap());
    // The custom block is not written, so its number is not used.
    let numbered = (1..).zip(&seen).map(|(number, seen)| Seen {
        number,
        ..seen.clone()
    });
    assert_eq!(again, numbered.collect::<Vec<_>>());
    assert_eq!(
        (summary.damage, &summary.frame_comments[5]),
        (None, &(6, "frame 7".to_owned()))
    );

    let mut pcap = PcapWriter::new(Vec::new(), LinkType(1)).unwrap();
    let only: Vec<_> = seen.iter().filter(|seen| seen.link == 1).collect();
    for seen in &only {
        pcap.frame(&frame(seen)).unwrap();
    }
    assert!(pcap.frame(&frame(&seen[1])).is_err(), "another link type");
    let (again, _) = read_whole(&pcap.finish().unwrap());
    let facts = |seen: &Seen| (seen.nanos, seen.length, seen.data.clone());
    assert_eq!(
        again.iter().map(facts).collect::<Vec<_>>(),
        only.into_iter().map(facts).collect::<Vec<_>>()
    );
}

fn frame(seen: &Seen) -> Frame<'_> {
    Frame {
        number: FrameNumber(seen.number),
        time: Timestamp::from_nanos(seen.nanos),
        link: LinkType(seen.link),
        interface: seen.interface,
        length: seen.length,
        passage: crate::base::passage::Passage::Unknown,
        data: &seen.data,
    }
}

/// Reads the same file with pcap-parser, as a second opinion on lengths and bytes.
#[test]
fn pcap_parser_agrees() {
    use pcap_parser::traits::PcapNGPacketBlock;
    use pcap_parser::{Block, LegacyPcapSlice, PcapBlockOwned, parse_block_le};

    let file = milliseconds(0, 500, 7);
    let theirs: Vec<Vec<u8>> = LegacyPcapSlice::from_slice(&file)
        .unwrap()
        .map(|block| match block.unwrap() {
            PcapBlockOwned::Legacy(record) => record.data.to_vec(),
            _ => panic!("only records"),
        })
        .collect();
    let (ours, _) = read_whole(&file);
    assert_eq!(
        ours.into_iter().map(|seen| seen.data).collect::<Vec<_>>(),
        theirs
    );

    let ours = read_whole(&file).0;
    let mut writer = PcapngWriter::new(Vec::new()).unwrap();
    ours.iter()
        .for_each(|seen| writer.frame(&frame(seen)).unwrap());
    let file = writer.finish().unwrap();
    let (mut rest, mut theirs) = (&file[..], Vec::new());
    while !rest.is_empty() {
        let (after, block) = parse_block_le(rest).unwrap();
        rest = after;
        if let Block::EnhancedPacket(packet) = block {
            theirs.push(packet.packet_data().to_vec());
        }
    }
    assert_eq!(
        ours.into_iter().map(|seen| seen.data).collect::<Vec<_>>(),
        theirs
    );
}

proptest! {
    #[test]
    fn any_chunk_size_gives_the_same_frames(chunk in 1_usize..400, big: bool) {
        for file in [milliseconds(0, 50, 1), everything(big), gzip(&everything(big))] {
            let (expected, before) = read_whole(&file);
            let (seen, after) = read_in_chunks(&file, chunk).unwrap();
            prop_assert_eq!(seen, expected);
            prop_assert_eq!(after, before);
        }
    }

    #[test]
    fn flipped_bytes_never_panic_nor_make_more_than_there_is(
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        which in 0..6,
        chunk in 1_usize..2000,
    ) {
        let mut file = match which {
            0 => milliseconds(0, 30, 1),
            1 => everything(false),
            2 => everything(true),
            #[cfg(feature = "compressed")]
            3 => zstd(&everything(false)),
            #[cfg(feature = "compressed")]
            4 => lz4(&milliseconds(0, 30, 1)),
            _ => gzip(&everything(false)),
        };
        for (at, byte) in flips {
            let at = at.index(file.len());
            file[at] ^= byte;
        }
        let Ok((seen, _)) = read_in_chunks(&file, chunk) else {
            return Ok(());
        };
        let whole = read_whole(&file).0;
        prop_assert_eq!(&seen, &whole, "the chunk size made a difference");
        if which < 3 {
            let bytes: usize = seen.iter().map(|seen| seen.data.len() + 12).sum();
            prop_assert!(bytes <= file.len());
        }
    }

}

proptest! {
    // Each case writes its files to disk.
    #![proptest_config(cases(48))]

    #[test]
    fn merging_is_by_time_and_keeps_each_file_in_order(
        spans in prop::collection::vec((0_u32..200, 0_u32..40, 0_u32..5), 1..5),
        chunk in 30_usize..3000,
    ) {
        let files: Vec<_> = spans.iter().map(|(from, count, step)| milliseconds(*from, *count, *step)).collect();
        check_merged(&files, chunk);
    }
}
