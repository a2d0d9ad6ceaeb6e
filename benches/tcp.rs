//! The cost of a segment for both endpoints' states and streams: bulk data in order, with every tenth segment late,
//! and whole short connections.

use std::net::{IpAddr, Ipv4Addr};

use divan::Bencher;
use divan::counter::ItemsCount;
use hangup::base::flow_end::FlowEnd;
use hangup::base::frame_ref::{FrameNumber, FrameRef};
use hangup::base::net::{Context, Endpoint, Flags};
use hangup::base::seq::Seq;
use hangup::base::time::Timestamp;
use hangup::packet::decode::{Segment, TcpOptions};
use hangup::protocol::tcp::{EndpointPair, StreamSink};

fn main() {
    divan::main();
}

/// Counts the bytes it receives.
struct Count(u64);

impl StreamSink for Count {
    fn data(&mut self, _: FlowEnd, _: FrameRef, _: &[u8], length: u32) {
        self.0 += u64::from(length);
    }
    fn gap(&mut self, _: FlowEnd, _: FrameRef, _: u64) {}
    fn end(&mut self, _: FlowEnd, _: FrameRef) {}
}

static PAYLOAD: [u8; 1448] = [b'x'; 1448];

fn segment(number: u64, flags: Flags, seq: u32, ack: u32, length: u32) -> Segment<'static> {
    let at = |port| Endpoint {
        ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
        port,
    };
    Segment {
        frame: FrameNumber(number),
        time: Timestamp::from_nanos(number as i64 * 10_000),
        interface: 0,
        context: Context(0),
        vlan: 0,
        link_digest: 0,
        source: at(40_000),
        destination: at(80),
        ttl: 64,
        ip_id: Some(number as u16),
        seq: Seq(seq),
        ack: Seq(ack),
        flags,
        window: 1000,
        urgent: 0,
        options: TcpOptions::default(),
        length,
        passage: hangup::base::passage::Passage::Unknown,
        payload: &PAYLOAD[..length as usize],
        bytes: &[],
    }
}

/// A thousand full segments, each acknowledged; every `late`th arrives after its successor.
fn bulk(late: usize) -> Vec<(FlowEnd, Segment<'static>)> {
    let mut data: Vec<_> = (0..1000_u32)
        .map(|n| segment(u64::from(n) * 2, Flags::ACK, 1 + n * 1448, 1, 1448))
        .collect();
    if late > 0 {
        for at in (0..data.len() - 1).step_by(late) {
            data.swap(at, at + 1);
        }
    }
    let mut all = Vec::new();
    let mut acked = 0;
    for (number, piece) in data.into_iter().enumerate() {
        all.push((FlowEnd::A, piece));
        acked += piece.length;
        let ack = segment(number as u64 * 2 + 1, Flags::ACK, 1, 1 + acked, 0);
        all.push((FlowEnd::B, ack));
    }
    all
}

#[divan::bench(args = [0, 10])]
fn bulk_transfer(bencher: Bencher<'_, '_>, late: usize) {
    let segments = bulk(late);
    bencher
        .counter(ItemsCount::new(segments.len()))
        .bench_local(|| {
            let mut pair = EndpointPair::new();
            let mut count = Count(0);
            for (from, segment) in &segments {
                pair.segment(*from, segment, &mut count);
            }
            count.0
        });
}

#[divan::bench]
fn short_connection(bencher: Bencher<'_, '_>) {
    let syn_ack = Flags::SYN.with(Flags::ACK);
    let fin_ack = Flags::FIN.with(Flags::ACK);
    let segments = [
        (FlowEnd::A, segment(1, Flags::SYN, 0, 0, 0)),
        (FlowEnd::B, segment(2, syn_ack, 0, 1, 0)),
        (FlowEnd::A, segment(3, Flags::ACK, 1, 1, 0)),
        (FlowEnd::A, segment(4, Flags::ACK, 1, 1, 100)),
        (FlowEnd::B, segment(5, Flags::ACK, 1, 101, 1000)),
        (FlowEnd::B, segment(6, fin_ack, 1001, 101, 0)),
        (FlowEnd::A, segment(7, fin_ack, 101, 1002, 0)),
        (FlowEnd::B, segment(8, Flags::ACK, 1002, 102, 0)),
    ];
    bencher
        .counter(ItemsCount::new(segments.len()))
        .bench_local(|| {
            let mut pair = Box::new(EndpointPair::new());
            let mut count = Count(0);
            for (from, segment) in &segments {
                pair.segment(*from, segment, &mut count);
            }
            pair.is_over()
        });
}
