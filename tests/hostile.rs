//! Captures that no real network produces: damaged, truncated, repeated, shuffled, or crafted to cost memory. Nothing
//! panics, every frame is counted, and memory stays within its bounds.

mod cases;
mod reading;
mod wire;

use proptest::prelude::*;

use cases::cases;
use hangup::base::flow_end::FlowEnd;
use hangup::base::frame_ref::FrameRef;
use hangup::base::seq::Seq;
use hangup::base::time::Timestamp;
use hangup::protocol::tcp::{ByteStream, StreamSink};
use wire::{InMemory, Shot, captures, load, to_pcap};

/// Limit of bytes held beyond a gap, from the constants of `src/protocol/tcp/stream.rs`.
const MAX_HELD_BYTES: usize = 1 << 20;
/// The longest segment that can be held.
const SEGMENT: usize = 65_535;

/// A modification of a capture's frames.
#[derive(Clone, Debug)]
enum Harm {
    /// Flips a bit of a frame.
    Flip(usize, usize, u8),
    /// Truncates a frame.
    Cut(usize, usize),
    /// Repeats a frame at a later place.
    Repeat(usize, usize),
    /// Swaps two frames, with or without their times.
    Swap(usize, usize, bool),
    /// Removes a frame.
    Lose(usize),
    /// Changes a frame's link type.
    Relabel(usize, u16),
    /// Changes a frame's time.
    Retime(usize, i64),
    /// Overwrites some bytes of a frame.
    Overwrite(usize, usize, Vec<u8>),
}

fn harm() -> impl Strategy<Value = Harm> {
    let frame = any::<usize>;
    // Most of the interesting bytes are in the headers.
    let place = || prop_oneof![3 => 0..100_usize, 1 => any::<usize>()];
    let links = prop::sample::select(vec![0, 1, 12, 101, 105, 113, 127, 228, 276, 9, 50, 192]);
    prop_oneof![
        6 => (frame(), place(), any::<u8>()).prop_map(|(at, byte, bits)| Harm::Flip(at, byte, bits)),
        2 => (frame(), place()).prop_map(|(at, length)| Harm::Cut(at, length)),
        2 => (frame(), frame()).prop_map(|(at, to)| Harm::Repeat(at, to)),
        2 => (frame(), frame(), any::<bool>()).prop_map(|(at, to, times)| Harm::Swap(at, to, times)),
        2 => frame().prop_map(Harm::Lose),
        1 => (frame(), links).prop_map(|(at, link)| Harm::Relabel(at, link)),
        1 => (frame(), any::<i64>()).prop_map(|(at, time)| Harm::Retime(at, time)),
        2 => (frame(), place(), prop::collection::vec(any::<u8>(), 1..8))
            .prop_map(|(at, byte, bytes)| Harm::Overwrite(at, byte, bytes)),
    ]
}

fn suffer(shots: &mut Vec<Shot>, harm: &Harm) {
    if shots.is_empty() {
        return;
    }
    let count = shots.len();
    match harm {
        Harm::Flip(at, byte, bits) => {
            let data = &mut shots[at % count].data;
            if !data.is_empty() {
                let byte = byte % data.len();
                data[byte] ^= bits;
            }
        }
        Harm::Cut(at, length) => {
            let data = &mut shots[at % count].data;
            data.truncate(length % (data.len() + 1));
        }
        Harm::Repeat(at, to) => {
            let again = shots[at % count].clone();
            shots.insert(to % (count + 1), again);
        }
        Harm::Swap(at, to, times) => {
            let (at, to) = (at % count, to % count);
            shots.swap(at, to);
            if !times {
                let time = shots[at].time;
                shots[at].time = shots[to].time;
                shots[to].time = time;
            }
        }
        Harm::Lose(at) => {
            shots.remove(at % count);
        }
        Harm::Relabel(at, link) => shots[at % count].link = *link,
        Harm::Retime(at, time) => shots[at % count].time = Timestamp::from_nanos(*time),
        Harm::Overwrite(at, byte, bytes) => {
            let data = &mut shots[at % count].data;
            if !data.is_empty() {
                let start = byte % data.len();
                let room = (data.len() - start).min(bytes.len());
                data[start..start + room].copy_from_slice(&bytes[..room]);
            }
        }
    }
}

/// The captures small enough to be read some hundred times.
fn small_captures() -> Vec<Vec<Shot>> {
    let all = captures();
    let loaded: Vec<Vec<Shot>> = all.iter().map(|path| load(path)).collect();
    let small = loaded.into_iter().filter(|shots| {
        shots.len() <= 400 && shots.iter().map(|shot| shot.data.len()).sum::<usize>() < 200_000
    });
    let small: Vec<_> = small.collect();
    assert!(small.len() >= 15, "{}", small.len());
    small
}

#[test]
fn captures_that_suffered_never_break_what_always_holds() {
    let captures = small_captures();
    let mut runner = proptest::test_runner::TestRunner::new(cases(800));
    let harms = (
        0..captures.len(),
        prop::collection::vec(harm(), 1..20),
        1..4_usize,
    );
    runner
        .run(&harms, |(which, harms, threads)| {
            let mut shots = captures[which].clone();
            for harm in &harms {
                suffer(&mut shots, harm);
            }
            let reading = reading::analyse(Box::new(InMemory::new(shots.clone(), 50)), threads);
            reading.check();
            prop_assert_eq!(reading.stats.frames, shots.len() as u64);
            for format in reading::FORMATS {
                let report = reading.report(format);
                prop_assert!(
                    !report.contains(|letter: char| letter.is_control() && letter != '\n')
                );
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn files_that_suffered_never_break_what_always_holds() {
    let files: Vec<Vec<u8>> = captures()
        .iter()
        .map(|path| std::fs::read(path).unwrap())
        .filter(|bytes| bytes.len() < 100_000)
        .collect();
    assert!(files.len() >= 15);
    let mut runner = proptest::test_runner::TestRunner::new(cases(400));
    let flips = prop::collection::vec((any::<usize>(), any::<u8>()), 0..30);
    let chances = (
        0..files.len(),
        flips,
        any::<usize>(),
        prop::bool::weighted(0.3),
    );
    runner
        .run(&chances, |(which, flips, cut, is_cut)| {
            let mut bytes = files[which].clone();
            for (at, bits) in flips {
                let at = at % bytes.len();
                bytes[at] ^= bits;
            }
            if is_cut {
                bytes.truncate(cut % bytes.len());
            }
            if let Some(reading) = reading::read(&bytes, 1) {
                reading.check();
            }
            Ok(())
        })
        .unwrap();
}

proptest! {
    #[test]
    fn noise_is_accounted_for(
        frames in prop::collection::vec((0..300_u16, prop::collection::vec(any::<u8>(), 0..120)), 0..40),
    ) {
        let shots: Vec<Shot> = (0..).zip(frames).map(|(number, (link, data))| Shot {
            time: Timestamp::from_nanos(number),
            link,
            interface: 0,
            length: data.len() as u32,
            data,
        }).collect();
        let (connections, stats) = wire::run(&shots);
        reading::check_stats(&stats);
        prop_assert_eq!(stats.frames, shots.len() as u64);
        prop_assert!(connections.len() as u64 <= stats.segments);
    }

    #[test]
    fn a_file_of_noise_is_no_capture_or_is_read(noise in prop::collection::vec(any::<u8>(), 0..600), header: bool) {
        let mut bytes = if header { to_pcap(&[]) } else { Vec::new() };
        bytes.extend(noise);
        if let Some(reading) = reading::read(&bytes, 1) {
            reading.check();
        }
    }
}

/// Counts what a stream delivers, and keeps nothing.
#[derive(Default)]
struct Counter {
    given: u64,
    lost: u64,
    ends: u32,
}

impl StreamSink for Counter {
    fn data(&mut self, _: FlowEnd, _: FrameRef, bytes: &[u8], length: u32) {
        assert!(bytes.len() <= length as usize);
        self.given += u64::from(length);
    }

    fn gap(&mut self, _: FlowEnd, _: FrameRef, length: u64) {
        self.lost += length;
    }

    fn end(&mut self, _: FlowEnd, _: FrameRef) {
        self.ends += 1;
    }
}

/// A stream whose first byte is never sent.
fn with_a_hole(pieces: impl Iterator<Item = (i64, usize)>) -> (ByteStream, Counter) {
    let payload = vec![b'x'; SEGMENT];
    let mut stream = ByteStream::default();
    let mut counter = Counter::default();
    stream.anchor(Seq(0), true);
    for (start, length) in pieces {
        let bytes = &payload[..length];
        stream.data(
            FlowEnd::A,
            FrameRef::default(),
            start,
            bytes,
            length as u32,
            &mut counter,
        );
        assert!(
            stream.held_bytes() <= MAX_HELD_BYTES,
            "{} bytes wait",
            stream.held_bytes()
        );
    }
    (stream, counter)
}

#[test]
fn a_stream_with_a_hole_keeps_a_megabyte_at_most() {
    let (stream, _) = with_a_hole((0..600).map(|number| (1 + number * 60_000, 60_000)));
    assert!(stream.was_limited());
}

#[test]
fn one_byte_before_each_hole_does_not_make_room_for_more() {
    // Each time the bound is hit, the first piece held is a single byte.
    let bytes = (0..1000).map(|number| (1 + number * 2, 1));
    let segments = (0..300).map(|number| (10_000 + number * 65_536, SEGMENT));
    let (stream, _) = with_a_hole(bytes.chain(segments));
    assert!(stream.was_limited());
}

proptest! {
    #[test]
    fn a_stream_of_holes_overlaps_and_repetitions_stays_within_its_bounds(
        pieces in prop::collection::vec((0..4_000_000_i64, prop_oneof![Just(1), 1..2000_usize, Just(SEGMENT)]), 1..300),
        acks in prop::collection::vec((0..300_usize, 0..4_000_000_i64), 0..10),
        fin in prop::option::of((0..300_usize, 0..4_100_000_i64)),
    ) {
        let payload = vec![b'x'; SEGMENT];
        let mut stream = ByteStream::default();
        let mut counter = Counter::default();
        let at = FrameRef::default();
        stream.anchor(Seq(u32::MAX - 5), true);
        for (number, (start, length)) in pieces.into_iter().enumerate() {
            stream.data(FlowEnd::A, at, start, &payload[..length], length as u32, &mut counter);
            prop_assert!(stream.held_bytes() <= MAX_HELD_BYTES);
            for (_, ack) in acks.iter().filter(|(when, _)| *when == number) {
                stream.acknowledge(FlowEnd::A, at, *ack, &mut counter);
            }
            if let Some((when, offset)) = fin && when == number {
                stream.finish(FlowEnd::A, at, offset, &mut counter);
            }
            prop_assert_eq!(counter.given + counter.lost, stream.delivered() as u64);
        }
        stream.close(FlowEnd::A, at, &mut counter);
        prop_assert_eq!(counter.given + counter.lost, stream.delivered() as u64);
        prop_assert_eq!(stream.held_bytes(), 0);
        prop_assert!(stream.bytes() <= stream.top().max(0) as u64);
        prop_assert!(counter.ends <= 1);
    }
}
