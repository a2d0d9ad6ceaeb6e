//! The cost of decoding one frame, from its first byte to a segment.

use divan::counter::ItemsCount;
use etherparse::{PacketBuilder, TcpOptionElement};
use hangup::base::frame_ref::FrameNumber;
use hangup::base::time::Timestamp;
use hangup::packet::capture::{Frame, LinkType};
use hangup::packet::decode::{Decoded, Decoder};

/// Few enough to stay in the cache, so that the work is measured and not the memory.
const FRAMES: usize = 100;

fn main() {
    divan::main();
}

/// Frames as in a real trace: full segments and bare acknowledgements with timestamps.
fn frames(vlan: bool, v6: bool) -> Vec<Vec<u8>> {
    (0..FRAMES as u32)
        .map(|number| {
            let builder = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]);
            let payload = vec![0x55; if number % 2 == 0 { 1448 } else { 0 }];
            let options = [
                TcpOptionElement::Noop,
                TcpOptionElement::Noop,
                TcpOptionElement::Timestamp(number, number),
            ];
            let mut frame = Vec::new();
            macro_rules! write {
                ($ip:expr) => {
                    $ip.tcp(40_000, 443, number, 500)
                        .ack(number)
                        .options(&options)
                        .expect("twelve bytes of options fit")
                        .write(&mut frame, &payload)
                        .expect("a vector takes all")
                };
            }
            match (vlan, v6) {
                (false, false) => write!(builder.ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64)),
                (true, false) => {
                    write!(builder.single_vlan(7.try_into().expect("below 4096")).ipv4(
                        [10, 0, 0, 1],
                        [10, 0, 0, 2],
                        64
                    ))
                }
                (_, true) => write!(builder.ipv6([1; 16], [2; 16], 64)),
            }
            frame
        })
        .collect()
}

fn decode_all(bencher: divan::Bencher<'_, '_>, data: &[Vec<u8>]) {
    let mut decoder = Decoder::new();
    bencher
        .counter(ItemsCount::new(data.len()))
        .bench_local(|| {
            let mut bytes = 0u64;
            for (number, data) in data.iter().enumerate() {
                let frame = Frame {
                    number: FrameNumber(number as u64),
                    time: Timestamp::from_nanos(number as i64),
                    link: LinkType(1),
                    interface: 0,
                    length: data.len() as u32,
                    passage: hangup::base::passage::Passage::Unknown,
                    data,
                };
                let decoded = decoder.decode(divan::black_box(&frame));
                if let Ok(Decoded::Segment(segment)) = divan::black_box(&decoded) {
                    bytes += u64::from(segment.length);
                }
            }
            bytes
        });
}

#[divan::bench]
fn ethernet_ipv4(bencher: divan::Bencher<'_, '_>) {
    decode_all(bencher, &frames(false, false));
}

#[divan::bench]
fn ethernet_vlan_ipv4(bencher: divan::Bencher<'_, '_>) {
    decode_all(bencher, &frames(true, false));
}

#[divan::bench]
fn ethernet_ipv6(bencher: divan::Bencher<'_, '_>) {
    decode_all(bencher, &frames(false, true));
}

/// The same frames through etherparse, which slices every layer it knows: shows what decoding selected layers saves.
#[divan::bench]
fn etherparse_lax_slicing(bencher: divan::Bencher<'_, '_>) {
    let data = frames(false, false);
    bencher
        .counter(ItemsCount::new(data.len()))
        .bench_local(|| {
            let mut seqs = 0u64;
            for data in &data {
                let sliced = etherparse::LaxSlicedPacket::from_ethernet(divan::black_box(data));
                if let Ok(sliced) = sliced
                    && let Some(etherparse::TransportSlice::Tcp(tcp)) = &sliced.transport
                {
                    seqs += u64::from(divan::black_box(tcp).sequence_number());
                }
            }
            seqs
        });
}
