//! Tests with whole frames: for each link type and tunnel one frame and the segment it must yield; then frames that are
//! cut, padded, fragmented, damaged or random. This file builds the parts of frames.

mod chance;
mod fragments;
mod lengths;
mod links;
mod quic;
mod sightings;
mod tunnels;

use super::segment::Decoded;
use crate::base::net::QuoteKind;
use crate::base::net::Skip;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use etherparse::{PacketBuilder, PacketBuilderStep, TcpHeader, TcpOptionElement};

use super::*;
use crate::base::frame_ref::FrameNumber;
use crate::base::seq::Seq;
use crate::base::time::Timestamp;
use crate::packet::capture::LinkType;

const PAYLOAD: &[u8] = b"hello";
const MACS: [u8; 12] = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];

fn tcp_over_v4() -> Vec<u8> {
    finish(PacketBuilder::ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64).tcp(1000, 80, 7, 512))
}

fn tcp_over_v6() -> Vec<u8> {
    finish(PacketBuilder::ipv6([1; 16], [2; 16], 64).tcp(1000, 80, 7, 512))
}

fn finish(builder: PacketBuilderStep<TcpHeader>) -> Vec<u8> {
    let mut packet = Vec::new();
    builder
        .ack(9)
        .options(&[
            TcpOptionElement::Noop,
            TcpOptionElement::Noop,
            TcpOptionElement::Timestamp(3, 4),
        ])
        .unwrap()
        .write(&mut packet, PAYLOAD)
        .unwrap();
    packet
}

fn join(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

fn ether(kind: u16, rest: &[u8]) -> Vec<u8> {
    join(&[&MACS, &kind.to_be_bytes(), rest])
}

/// An outer IPv4 header from 192.0.2.2 to 192.0.2.1.
fn outer(protocol: u8, rest: &[u8]) -> Vec<u8> {
    let total = u16::try_from(20 + rest.len()).unwrap().to_be_bytes();
    let mut header = [
        0x45, 0, 0, 0, 0, 1, 0, 0, 9, protocol, 0, 0, 192, 0, 2, 2, 192, 0, 2, 1,
    ];
    header[2..4].copy_from_slice(&total);
    join(&[&header, rest])
}

fn udp(port: u16, rest: &[u8]) -> Vec<u8> {
    let length = u16::try_from(8 + rest.len()).unwrap().to_be_bytes();
    outer(
        17,
        &join(&[&[0x80, 0], &port.to_be_bytes(), &length, &[0, 0], rest]),
    )
}

/// An 802.11 data frame with its LLC header: `kind` and `flags` are the frame control field.
fn wifi(kind: u8, flags: u8, extra: usize, rest: &[u8]) -> Vec<u8> {
    let header = join(&[&[kind, flags, 0, 0], &[1; 6], &[2; 6], &[3; 6], &[0, 0]]);
    join(&[&header, &vec![0; extra], &snap(0x0800), rest])
}

fn snap(kind: u16) -> Vec<u8> {
    join(&[&[0xaa, 0xaa, 3, 0, 0, 0], &kind.to_be_bytes()])
}

fn frame(link: u16, data: &[u8]) -> Frame<'_> {
    Frame {
        number: FrameNumber(1),
        time: Timestamp::new(1, 0),
        link: LinkType(link),
        interface: 0,
        length: data.len() as u32,
        passage: crate::base::passage::Passage::Unknown,
        data,
    }
}

/// Decodes a frame that must hold the one segment that all tests use; returns tunnel description and VLAN.
#[track_caller]
fn check(name: &str, link: u16, data: &[u8]) -> (Option<String>, u16) {
    let mut decoder = Decoder::new();
    let (context, vlan) = match decoder.decode(&frame(link, data)) {
        Ok(Decoded::Segment(segment)) => {
            assert_eq!(
                (segment.source.port, segment.destination.port),
                (1000, 80),
                "{name}"
            );
            let (source, destination) = match segment.source.ip {
                IpAddr::V4(_) => (
                    Ipv4Addr::new(10, 0, 0, 1).into(),
                    Ipv4Addr::new(10, 0, 0, 2).into(),
                ),
                IpAddr::V6(_) => (
                    IpAddr::from(Ipv6Addr::from([1; 16])),
                    IpAddr::from(Ipv6Addr::from([2; 16])),
                ),
            };
            assert_eq!(segment.source.ip, source, "{name}");
            assert_eq!(segment.destination.ip, destination, "{name}");
            assert_eq!((segment.seq, segment.ack), (Seq(7), Seq(9)), "{name}");
            assert_eq!(segment.payload, PAYLOAD, "{name}");
            assert_eq!(segment.length, 5, "{name}");
            assert_eq!(
                segment.options.timestamps,
                Some(TimestampOption { value: 3, echo: 4 }),
                "{name}"
            );
            (segment.context, segment.vlan)
        }
        other => panic!("{name}: {other:?}"),
    };
    (decoder.context_name(context).map(str::to_owned), vlan)
}

#[track_caller]
fn skipped(name: &str, link: u16, data: &[u8], expect: Skip) {
    let mut decoder = Decoder::new();
    match decoder.decode(&frame(link, data)) {
        Err(skip) => assert_eq!(skip, expect, "{name}"),
        other => panic!("{name}: {other:?}"),
    }
}
