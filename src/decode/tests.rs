//! Whole frames: for each link type and tunnel one frame and the segment it must give; then frames that are cut,
//! padded, fragmented, damaged or made of chance.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use etherparse::{PacketBuilder, PacketBuilderStep, TcpHeader, TcpOptionElement};
use proptest::prelude::*;

use super::*;
use crate::capture::{FrameNumber, LinkType};
use crate::seq::Seq;
use crate::time::Timestamp;

const PAYLOAD: &[u8] = b"hello";
const MACS: [u8; 12] = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];

/// All link types below this are tried; the highest that is read is 285.
const LINKS: u16 = 300;

// Parts of frames.

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

/// A data frame of 802.11 with its LLC header: `kind` and `flags` are the frame control field.
fn wifi(kind: u8, flags: u8, extra: usize, rest: &[u8]) -> Vec<u8> {
    let header = join(&[&[kind, flags, 0, 0], &[1; 6], &[2; 6], &[3; 6], &[0, 0]]);
    join(&[&header, &vec![0; extra], &snap(0x0800), rest])
}

fn snap(kind: u16) -> Vec<u8> {
    join(&[&[0xaa, 0xaa, 3, 0, 0, 0], &kind.to_be_bytes()])
}

// Running.

fn frame(link: u16, data: &[u8]) -> Frame<'_> {
    Frame {
        number: FrameNumber(1),
        time: Timestamp::new(1, 0),
        link: LinkType(link),
        interface: 0,
        length: data.len() as u32,
        data,
    }
}

/// Decodes a frame that must hold the one segment all frames here are built around; gives tunnel name and VLAN.
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

// Link types.

#[test]
fn link_types() {
    let (v4, v6) = (tcp_over_v4(), tcp_over_v6());
    let in_ether = ether(0x0800, &v4);
    let llc = join(&[&snap(0x0800), &v4]);
    let cooked = |kind: u16, rest: &[u8]| {
        join(&[
            &[0, 4, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0],
            &kind.to_be_bytes(),
            rest,
        ])
    };
    let table: &[(&str, u16, Vec<u8>)] = &[
        ("null, little end", 0, join(&[&[2, 0, 0, 0], &v4])),
        (
            "null, big end, Darwin's IPv6",
            0,
            join(&[&[0, 0, 0, 30], &v6]),
        ),
        ("loop", 108, join(&[&[0, 0, 0, 2], &v4])),
        ("ethernet", 1, in_ether.clone()),
        ("ethernet, IPv6", 1, ether(0x86dd, &v6)),
        (
            "ethernet, 802.3 with SNAP",
            1,
            ether(u16::try_from(llc.len()).unwrap(), &llc),
        ),
        ("token ring", 6, join(&[&[0x10, 0x40], &MACS, &llc])),
        (
            "token ring, source routed",
            6,
            join(&[
                &[0x10, 0x40],
                &[2; 6],
                &[0x82, 0, 0, 0, 0, 1],
                &[4, 0, 0, 0],
                &llc,
            ]),
        ),
        ("slip", 8, join(&[&[0; 16], &v4])),
        ("ppp", 9, join(&[&[0xff, 3, 0, 0x21], &v4])),
        ("ppp, compressed fields", 9, join(&[&[0x21], &v4])),
        ("ppp, IPv6", 9, join(&[&[0, 0x57], &v6])),
        ("fddi", 10, join(&[&[0x50], &MACS, &llc])),
        ("raw", 12, v4.clone()),
        ("raw, OpenBSD", 14, v6.clone()),
        ("raw, registered", 101, v4.clone()),
        ("ppp in hdlc", 50, join(&[&[0xff, 3, 0, 0x21], &v4])),
        ("cisco hdlc", 104, join(&[&[0x0f, 0, 8, 0], &v4])),
        (
            "pppoe",
            51,
            join(&[&[0x11, 0, 0, 1], &[0, 59], &[0, 0x21], &v4]),
        ),
        ("rfc 1483, llc", 100, llc.clone()),
        ("rfc 1483, bare", 100, v4.clone()),
        (
            "rfc 1483, routed iso",
            100,
            join(&[&[0xfe, 0xfe, 3, 0xcc], &v4]),
        ),
        (
            "rfc 1483, bridged",
            100,
            join(&[&[0xaa, 0xaa, 3, 0, 0x80, 0xc2, 0, 7, 0, 0], &in_ether]),
        ),
        ("802.11", 105, wifi(0x08, 1, 0, &v4)),
        (
            "frame relay, nlpid",
            107,
            join(&[&[0x18, 0x41, 3, 0xcc], &v4]),
        ),
        ("frame relay, cisco", 107, join(&[&[0x18, 0x41, 8, 0], &v4])),
        (
            "frame relay, snap",
            107,
            join(&[&[0x18, 0x41, 3, 0, 0x80, 0, 0, 0, 8, 0], &v4]),
        ),
        ("enc", 109, join(&[&[2, 0, 0, 0], &[0; 8], &v4])),
        ("sll", 113, cooked(0x0800, &v4)),
        ("sll, llc", 113, cooked(4, &llc)),
        ("pflog", 117, join(&[&[61, 2], &[0; 62], &v4])),
        (
            "prism",
            119,
            join(&[
                &[0x44, 0, 0, 0, 12, 0, 0, 0],
                &[0; 4],
                &wifi(0x08, 1, 0, &v4),
            ]),
        ),
        (
            "avs",
            163,
            join(&[
                &[0x80, 0x21, 0x10, 1, 0, 0, 0, 12],
                &[0; 4],
                &wifi(0x08, 1, 0, &v4),
            ]),
        ),
        ("ip over fibre channel", 122, join(&[&[0; 16], &llc])),
        ("sunatm", 123, join(&[&[2, 0, 0, 5], &llc])),
        (
            "radiotap",
            127,
            join(&[&[0, 0, 9, 0, 0, 0, 0, 0, 0], &wifi(0x08, 1, 0, &v4)]),
        ),
        ("arcnet", 129, join(&[&[1, 2, 0, 0, 212, 0, 0, 1], &v4])),
        ("ieee 1394", 138, join(&[&[0; 16], &[8, 0], &v4])),
        (
            "ppp with direction",
            204,
            join(&[&[1, 0xff, 3, 0, 0x21], &v4]),
        ),
        (
            "hdlc with direction",
            205,
            join(&[&[1, 0x0f, 0, 8, 0], &v4]),
        ),
        (
            "frame relay with direction",
            206,
            join(&[&[1, 0x18, 0x41, 3, 0xcc], &v4]),
        ),
        (
            "juniper ethernet",
            178,
            join(&[&[0x4d, 0x47, 0x43, 0], &in_ether]),
        ),
        (
            "juniper with extensions",
            178,
            join(&[&[0x4d, 0x47, 0x43, 0x80, 0, 2, 9, 9], &in_ether]),
        ),
        ("ppi", 192, join(&[&[0, 0, 8, 0, 1, 0, 0, 0], &in_ether])),
        (
            "erf",
            197,
            join(&[&[0; 8], &[2, 0, 0, 0, 0, 0, 0, 0], &[0, 0], &in_ether]),
        ),
        (
            "erf with an extension",
            197,
            join(&[
                &[0; 8],
                &[0x82, 0, 0, 0, 0, 0, 0, 0],
                &[0; 8],
                &[0, 0],
                &in_ether,
            ]),
        ),
        ("mpls", 219, join(&[&[0, 1, 0, 64, 0, 1, 1, 64], &v4])),
        ("ipnet", 226, join(&[&[0; 24], &v4])),
        ("ipv4", 228, v4.clone()),
        ("ipv6", 229, v6.clone()),
        (
            "nflog",
            239,
            join(&[
                &[2, 0, 0, 0],
                &[5, 0, 3, 0, 9, 0, 0, 0],
                &[61, 0, 9, 0],
                &v4,
            ]),
        ),
        (
            "nflog, big end",
            239,
            join(&[
                &[2, 0, 0, 0],
                &[0, 5, 0, 3, 9, 0, 0, 0],
                &[0, 61, 0, 9],
                &v4,
            ]),
        ),
        ("netanalyzer", 240, join(&[&[0; 4], &in_ether])),
        ("ip over infiniband", 242, join(&[&[8, 0, 0, 0], &v4])),
        (
            "pktap",
            258,
            join(&[&[16, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0], &[0; 4], &in_ether]),
        ),
        (
            "sll2",
            276,
            join(&[&[8, 0, 0, 0, 0, 0, 0, 2, 0, 1, 4, 6], &[0; 8], &v4]),
        ),
        ("broadcom tag", 281, join(&[&MACS, &[0; 4], &[8, 0], &v4])),
        ("broadcom tag in front", 282, join(&[&[0; 4], &in_ether])),
        ("marvell tag", 284, join(&[&MACS, &[0; 4], &[8, 0], &v4])),
        (
            "marvell long tag",
            285,
            join(&[&MACS, &[0xda, 0xda, 0, 0], &[0; 4], &[8, 0], &v4]),
        ),
    ];
    for (name, link, data) in table {
        assert_eq!(check(name, *link, data), (None, 0), "{name}");
    }
    skipped("usb", 189, &v4, Skip::LinkType);
}

#[test]
fn wifi_frames() {
    let v4 = tcp_over_v4();
    check("four addresses", 105, &wifi(0x08, 3, 6, &v4));
    check("qos", 105, &wifi(0x88, 1, 2, &v4));
    check("qos with ht control", 105, &wifi(0x88, 0x81, 6, &v4));
    check("padded header", 105, &wifi(0x88, 1, 4, &v4));
    let mut aggregate = wifi(0x88, 1, 16, &v4);
    aggregate[24] = 0x80;
    check("first of an A-MSDU", 105, &aggregate);
    check("opened by the card", 105, &wifi(0x08, 0x41, 0, &v4));
    skipped("protected", 105, &wifi(0x08, 0x41, 8, &v4), Skip::Encrypted);
    skipped(
        "fragment",
        105,
        &wifi(0x08, 0x05, 0, &v4),
        Skip::FragmentDropped,
    );
    skipped("null data", 105, &wifi(0x48, 1, 0, &v4), Skip::NotIp);
    skipped("beacon", 105, &wifi(0x80, 0, 0, &v4), Skip::NotIp);
}

#[test]
fn tags_and_labels() {
    let v4 = tcp_over_v4();
    let in_ether = ether(0x0800, &v4);
    let table: &[(&str, u16, Vec<u8>)] = &[
        (
            "802.1Q",
            42,
            ether(0x8100, &join(&[&[0xe0, 42, 8, 0], &v4])),
        ),
        (
            "802.1ad, the inner one counts",
            42,
            ether(0x88a8, &join(&[&[0, 7, 0x81, 0, 0, 42, 8, 0], &v4])),
        ),
        ("9100", 42, ether(0x9100, &join(&[&[0, 42, 8, 0], &v4]))),
        (
            "pppoe",
            0,
            ether(0x8864, &join(&[&[0x11, 0, 0, 1, 0, 59, 0, 0x21], &v4])),
        ),
        (
            "mpls",
            0,
            ether(0x8847, &join(&[&[0, 1, 0, 64, 0, 1, 1, 64], &v4])),
        ),
        (
            "pseudowire with control word",
            0,
            ether(0x8847, &join(&[&[0, 1, 1, 64], &[0; 4], &in_ether])),
        ),
        (
            "pseudowire",
            0,
            ether(0x8847, &join(&[&[0, 1, 1, 64], &in_ether])),
        ),
        (
            "provider backbone",
            0,
            ether(0x88e7, &join(&[&[0, 0, 0, 9], &in_ether])),
        ),
        (
            "fabric path",
            0,
            ether(0x8903, &join(&[&[0, 9], &in_ether])),
        ),
        (
            "cisco metadata",
            0,
            ether(0x8909, &join(&[&[1, 1, 0, 1, 0, 9, 8, 0], &v4])),
        ),
        (
            "vn-tag",
            0,
            ether(0x8926, &join(&[&[0, 0, 0, 9, 8, 0], &v4])),
        ),
        ("hsr", 0, ether(0x892f, &join(&[&[0, 60, 0, 9, 8, 0], &v4]))),
        (
            "e-tag",
            0,
            ether(0x893f, &join(&[&[0, 0, 0, 9, 0, 0, 8, 0], &v4])),
        ),
        (
            "trill",
            0,
            ether(0x22f3, &join(&[&[0, 0x41, 0, 1, 0, 2], &[0; 4], &in_ether])),
        ),
        (
            "nsh",
            0,
            ether(0x894f, &join(&[&[0, 2, 2, 3, 0, 0, 0, 9], &in_ether])),
        ),
        (
            "macsec, signed",
            0,
            ether(0x88e5, &join(&[&[0x20, 0], &[0; 12], &[8, 0], &v4])),
        ),
    ];
    for (name, vlan, data) in table {
        assert_eq!(check(name, 1, data), (None, *vlan), "{name}");
    }
    skipped("macsec", 1, &ether(0x88e5, &[0x2c; 60]), Skip::Encrypted);
    skipped("arp", 1, &ether(0x0806, &[0; 46]), Skip::NotIp);
    skipped("stp", 1, &ether(38, &[0x42; 46]), Skip::NotIp);
}

// Tunnels.

#[test]
fn tunnels() {
    let (v4, v6) = (tcp_over_v4(), tcp_over_v6());
    let in_ether = ether(0x0800, &v4);
    let gre = |flags: u16, kind: u16, rest: &[u8]| {
        outer(
            47,
            &join(&[&flags.to_be_bytes(), &kind.to_be_bytes(), rest]),
        )
    };
    let mut deflated = Vec::new();
    std::io::Read::read_to_end(
        &mut flate2::read::DeflateEncoder::new(&v4[20..], flate2::Compression::best()),
        &mut deflated,
    )
    .unwrap();
    let mut packed = outer(108, &join(&[&[6, 0, 0, 2], &deflated]));
    packed[12..20].copy_from_slice(&[10, 0, 0, 1, 10, 0, 0, 2]);
    let mut guarded = outer(51, &join(&[&[6, 4], &[0; 22], &v4[20..]]));
    guarded[12..20].copy_from_slice(&[10, 0, 0, 1, 10, 0, 0, 2]);
    let vni = [0, 0, 42, 0];
    let table: &[(&str, Option<&str>, Vec<u8>)] = &[
        ("ipip", Some("ipip"), outer(4, &v4)),
        ("6in4", Some("6in4"), outer(41, &v6)),
        ("ah", None, guarded),
        ("ipcomp", None, packed),
        (
            "etherip",
            Some("etherip"),
            outer(97, &join(&[&[0x30, 0], &in_ether])),
        ),
        (
            "mpls in ip",
            Some("mpls"),
            outer(137, &join(&[&[0, 1, 1, 64], &v4])),
        ),
        (
            "l2tpv3",
            Some("l2tp"),
            outer(115, &join(&[&[0, 0, 0, 9], &[0; 4], &in_ether])),
        ),
        ("gre", Some("gre"), gre(0, 0x0800, &v4)),
        (
            "gre, checksum, key and number",
            Some("gre 5"),
            gre(
                0xb000,
                0x0800,
                &join(&[&[0; 4], &[0, 0, 0, 5], &[0; 4], &v4]),
            ),
        ),
        (
            "nvgre",
            Some("gre 42"),
            gre(0x2000, 0x6558, &join(&[&[0, 0, 42, 17], &in_ether])),
        ),
        ("erspan i", Some("erspan"), gre(0, 0x88be, &in_ether)),
        (
            "erspan ii",
            Some("erspan"),
            gre(0x1000, 0x88be, &join(&[&[0; 4], &[0x10; 8], &in_ether])),
        ),
        (
            "erspan iii with subheader",
            Some("erspan"),
            gre(
                0x1000,
                0x22eb,
                &join(&[&[0; 4], &[0x20; 10], &[0, 1], &[0; 8], &in_ether]),
            ),
        ),
        (
            "pptp",
            Some("pptp"),
            gre(
                0x3081,
                0x880b,
                &join(&[&[0; 4], &[0; 4], &[0; 4], &[0xff, 3, 0, 0x21], &v4]),
            ),
        ),
        (
            "eoip",
            Some("eoip 9"),
            gre(0x2001, 0x6400, &join(&[&[0, 80, 9, 0], &in_ether])),
        ),
        ("wccp", Some("wccp"), gre(0, 0x883e, &join(&[&[0; 4], &v4]))),
        (
            "mpls in gre",
            Some("gre"),
            gre(0, 0x8847, &join(&[&[0, 1, 1, 64], &v4])),
        ),
        ("aruba", Some("gre"), gre(0, 0x8210, &wifi(0x08, 1, 0, &v4))),
        (
            "vxlan",
            Some("vxlan 42"),
            udp(4789, &join(&[&[8, 0, 0, 0], &vni, &in_ether])),
        ),
        (
            "vxlan, old port",
            Some("vxlan 42"),
            udp(8472, &join(&[&[8, 0, 0, 0], &vni, &in_ether])),
        ),
        (
            "vxlan-gpe",
            Some("vxlan 42"),
            udp(4790, &join(&[&[0xc, 0, 0, 1], &vni, &v4])),
        ),
        (
            "geneve with options",
            Some("geneve 42"),
            udp(
                6081,
                &join(&[&[1, 0, 0x65, 0x58], &vni, &[0; 4], &in_ether]),
            ),
        ),
        (
            "gtp",
            Some("gtp"),
            udp(2152, &join(&[&[0x30, 255, 0, 57, 0, 0, 0, 1], &v4])),
        ),
        (
            "gtp with extensions",
            Some("gtp"),
            udp(
                2152,
                &join(&[
                    &[0x34, 255, 0, 69, 0, 0, 0, 1],
                    &[0, 0, 0, 0x85],
                    &[1, 0, 0, 0x20],
                    &[1, 0, 0, 0],
                    &v4,
                ]),
            ),
        ),
        ("teredo", Some("teredo"), udp(3544, &join(&[&[0; 8], &v6]))),
        (
            "l2tp",
            Some("l2tp"),
            udp(
                1701,
                &join(&[&[0x40, 2, 0, 70, 0, 1, 0, 1], &[0xff, 3, 0, 0x21], &v4]),
            ),
        ),
        (
            "capwap",
            Some("capwap"),
            udp(5247, &join(&[&[0, 0x10, 2, 0, 0, 0, 0, 0], &in_ether])),
        ),
        (
            "capwap, 802.11 swapped",
            Some("capwap"),
            udp(
                5247,
                &join(&[&[0, 0x10, 3, 0, 0, 0, 0, 0], &wifi(1, 8, 0, &v4)]),
            ),
        ),
        (
            "mpls in udp",
            Some("mpls"),
            udp(6635, &join(&[&[0, 1, 1, 64], &v4])),
        ),
        ("lisp", Some("lisp"), udp(4341, &join(&[&[0; 8], &v4]))),
        (
            "tzsp",
            Some("tzsp"),
            udp(37008, &join(&[&[1, 0, 0, 1, 0, 10, 1, 5, 1], &in_ether])),
        ),
        (
            "vxlan in ipip",
            Some("ipip 192.0.2.1 - 192.0.2.2 / vxlan 42"),
            outer(4, &udp(4789, &join(&[&[8, 0, 0, 0], &vni, &in_ether]))),
        ),
    ];
    for (name, context, packet) in table {
        let expect = context.map(|context| format!("{context} 192.0.2.1 - 192.0.2.2"));
        assert_eq!(check(name, 101, packet), (expect, 0), "{name}");
    }
    skipped("esp", 101, &outer(50, &[1; 40]), Skip::Encrypted);
    skipped("esp over udp", 101, &udp(4500, &[1; 40]), Skip::Encrypted);
    skipped("ike", 101, &udp(4500, &[0; 40]), Skip::NotTcp);
    skipped("dns", 101, &udp(53, &[0; 40]), Skip::NotTcp);
    skipped(
        "capwap, encrypted",
        101,
        &udp(5247, &[1; 40]),
        Skip::Encrypted,
    );
    skipped(
        "gtp, an echo",
        101,
        &udp(2152, &[0x32, 1, 0, 4, 0, 0, 0, 0]),
        Skip::NotTcp,
    );
}

#[test]
fn the_end_that_udp_declares_is_the_end() {
    let mut packet = udp(
        4789,
        &join(&[&[8, 0, 0, 0, 0, 0, 42, 0], &ether(0x0800, &tcp_over_v4())]),
    );
    packet[25] = 8 + 8 + 14 + 20;
    skipped("no room for TCP", 101, &packet, Skip::Cut);
}

// Lengths.

#[test]
fn padding_is_no_payload_and_cut_bytes_count() {
    let packet = tcp_over_v4();
    check("padded", 1, &join(&[&ether(0x0800, &packet), &[0; 30]]));
    let mut decoder = Decoder::new();
    let cut = &ether(0x0800, &packet)[..14 + 20 + 32 + 2];
    let Ok(Decoded::Segment(segment)) = decoder.decode(&frame(1, cut)) else {
        panic!("a cut payload is still a segment");
    };
    assert_eq!((segment.length, segment.payload), (5, &b"he"[..]));
    // In the options: what is there stays. Behind the window: enough. Before it: not.
    let Ok(Decoded::Segment(segment)) = decoder.decode(&frame(101, &packet[..20 + 24])) else {
        panic!("cut options are still a segment");
    };
    assert!(segment.options.any && !segment.options.malformed);
    assert_eq!(segment.length, 5);
    let Ok(Decoded::Segment(segment)) = decoder.decode(&frame(101, &packet[..20 + 16])) else {
        panic!("a header up to the window is still a segment");
    };
    assert_eq!((segment.window, segment.length), (512, 5));
    skipped("cut in the window", 101, &packet[..20 + 15], Skip::Cut);
}

#[test]
fn a_length_of_zero_means_the_frame() {
    let mut v4 = tcp_over_v4();
    v4[2..4].copy_from_slice(&[0, 0]);
    check("segmentation offload", 1, &ether(0x0800, &v4));
    let mut v6 = tcp_over_v6();
    v6[4..6].copy_from_slice(&[0, 0]);
    check("BIG TCP", 1, &ether(0x86dd, &v6));
    let mut short = tcp_over_v4();
    short[2..4].copy_from_slice(&[0, 19]);
    skipped("shorter than its header", 101, &short, Skip::Malformed);
}

#[test]
fn the_version_rules_over_the_ether_type() {
    check("IPv6 as IPv4", 1, &ether(0x0800, &tcp_over_v6()));
    let mut bogus = tcp_over_v4();
    bogus[0] = 0x55;
    skipped("version 5", 1, &ether(0x0800, &bogus), Skip::Malformed);
}

#[test]
fn ipv6_extension_headers() {
    let v6 = tcp_over_v6();
    let with = |next: u8, headers: &[u8]| {
        let mut packet = join(&[&v6[..40], headers, &v6[40..]]);
        packet[6] = next;
        let length = u16::try_from(packet.len() - 40).unwrap().to_be_bytes();
        packet[4..6].copy_from_slice(&length);
        packet
    };
    check("hop by hop", 101, &with(0, &[6, 0, 1, 4, 0, 0, 0, 0]));
    check(
        "destination options",
        101,
        &with(60, &[6, 0, 1, 4, 0, 0, 0, 0]),
    );
    check(
        "an atomic fragment",
        101,
        &with(44, &[6, 0, 0, 0, 0, 0, 0, 1]),
    );
    check("authenticated", 101, &with(51, &join(&[&[6, 4], &[0; 22]])));
    let mut routed = with(43, &join(&[&[6, 2, 4, 1, 0, 0, 0, 0], &[2; 16]]));
    routed[24..40].copy_from_slice(&[9; 16]);
    check("segment routing, on its way", 101, &routed);
    let mut routed = with(43, &join(&[&[6, 4, 0, 1, 0, 0, 0, 0], &[8; 16], &[2; 16]]));
    routed[24..40].copy_from_slice(&[9; 16]);
    check("source route, on its way", 101, &routed);
}

// Digest and ICMP.

#[test]
fn the_digest_tells_two_sightings_apart() {
    let mut decoder = Decoder::new();
    let packet = tcp_over_v4();
    let mut digest = |link: u16, data: &[u8]| match decoder.decode(&frame(link, data)) {
        Ok(Decoded::Segment(segment)) => segment.link_digest,
        other => panic!("{other:?}"),
    };
    let one = ether(0x0800, &packet);
    let mut other = one.clone();
    other[5] = 3;
    assert_eq!(digest(1, &one), digest(1, &one));
    assert_ne!(digest(1, &one), digest(1, &other));
    assert_eq!(digest(101, &packet), 0);
    let cooked = |kind| {
        join(&[
            &[0, kind, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 8, 0],
            &packet,
        ])
    };
    assert_ne!(digest(113, &cooked(0)), digest(113, &cooked(4)));
}

#[test]
fn icmp_errors_quote() {
    let v4 = tcp_over_v4();
    let v6 = tcp_over_v6();
    let v6_outer = |rest: &[u8]| {
        let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
        join(&[
            &[0x60, 0, 0, 0],
            &length,
            &[58, 64],
            &[5; 16],
            &[1; 16],
            rest,
        ])
    };
    let table: &[(&[u8], QuoteKind, Option<u32>)] = &[
        (&[3, 1, 0, 0, 0, 0, 0, 0], QuoteKind::Unreachable, None),
        (&[3, 4, 0, 0, 0, 0, 5, 0], QuoteKind::TooBig, Some(1280)),
        (&[3, 4, 0, 0, 0, 0, 0, 0], QuoteKind::TooBig, None),
        (&[11, 0, 0, 0, 0, 0, 0, 0], QuoteKind::TimeExceeded, None),
        (&[5, 1, 0, 0, 10, 0, 0, 9], QuoteKind::Other, None),
    ];
    let quote = |data: &[u8]| match Decoder::new().decode(&frame(101, data)) {
        Ok(Decoded::Quote(quote)) => quote,
        other => panic!("{other:?}"),
    };
    for (icmp, kind, mtu) in table {
        let quote = quote(&outer(1, &join(&[icmp, &v4[..28]])));
        assert_eq!((quote.kind, quote.mtu), (*kind, *mtu));
        assert_eq!((quote.icmp_type, quote.icmp_code), (icmp[0], icmp[1]));
        assert_eq!(quote.reporter, IpAddr::from([192, 0, 2, 2]));
        assert_eq!(quote.source.to_string(), "10.0.0.1:1000");
        assert_eq!(quote.destination.to_string(), "10.0.0.2:80");
        assert_eq!(quote.seq, Seq(7));
    }
    let too_big = quote(&v6_outer(&join(&[&[2, 0, 0, 0, 0, 0, 5, 0], &v6[..48]])));
    assert_eq!((too_big.kind, too_big.mtu), (QuoteKind::TooBig, Some(1280)));
    assert_eq!(too_big.destination.port, 80);
    let ping = join(&[&[8, 0, 0, 0, 0, 0, 0, 0], &v4[..28]]);
    skipped("a ping", 101, &outer(1, &ping), Skip::NotTcp);
    let short = join(&[&[3, 1, 0, 0, 0, 0, 0, 0], &v4[..27]]);
    skipped("quoted too little", 101, &outer(1, &short), Skip::Cut);
    let dns = join(&[&[3, 3, 0, 0, 0, 0, 0, 0], &udp(53, &[0; 8])]);
    skipped("a quoted datagram", 101, &outer(1, &dns), Skip::NotTcp);
}

// Fragments.

/// Cuts an IPv4 packet at multiples of eight bytes behind its header.
fn fragments(packet: &[u8], id: u16, cuts: &[usize]) -> Vec<Vec<u8>> {
    let (header, body) = packet.split_at(20);
    let ends = cuts.iter().copied().chain([body.len()]);
    let starts = [0].into_iter().chain(cuts.iter().copied());
    starts
        .zip(ends)
        .map(|(start, end)| {
            let mut piece = join(&[header, &body[start..end]]);
            let total = u16::try_from(piece.len()).unwrap().to_be_bytes();
            piece[2..4].copy_from_slice(&total);
            piece[4..6].copy_from_slice(&id.to_be_bytes());
            let more = if end < body.len() { 0x2000 } else { 0 };
            let field = u16::try_from(start / 8).unwrap() | more;
            piece[6..8].copy_from_slice(&field.to_be_bytes());
            piece
        })
        .collect()
}

#[track_caller]
fn whole_from(decoder: &mut Decoder, pieces: &[Vec<u8>]) {
    let (last, first) = pieces.split_last().unwrap();
    for piece in first {
        assert_eq!(
            decoder.decode(&frame(101, piece)).err(),
            Some(Skip::Fragment)
        );
    }
    match decoder.decode(&frame(101, last)) {
        Ok(Decoded::Segment(segment)) => {
            assert_eq!((segment.payload, segment.length), (PAYLOAD, 5))
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn fragments_in_any_order() {
    let packet = tcp_over_v4();
    let mut decoder = Decoder::new();
    let mut pieces = fragments(&packet, 1, &[8, 24]);
    for _ in 0..3 {
        pieces.rotate_left(1);
        whole_from(&mut decoder, &pieces);
    }
    pieces.reverse();
    whole_from(&mut decoder, &pieces);
    pieces.insert(1, pieces[0].clone());
    whole_from(&mut decoder, &pieces);
    assert_eq!(decoder.fragment_counts().whole, 5);
    assert_eq!(decoder.fragment_counts().stranded, 0);
}

#[test]
fn fragments_inside_and_outside_of_a_tunnel() {
    let mut pieces = Vec::new();
    for (id, inner) in fragments(&tcp_over_v4(), 1, &[16]).iter().enumerate() {
        let id = u16::try_from(id).unwrap();
        pieces.extend(fragments(&outer(4, inner), id, &[8]));
    }
    whole_from(&mut Decoder::new(), &pieces);
}

#[test]
fn fragments_of_ipv6() {
    let v6 = tcp_over_v6();
    let piece = |offset: u16, more: u16, body: &[u8]| {
        let length = u16::try_from(8 + body.len()).unwrap().to_be_bytes();
        let field = (offset | more).to_be_bytes();
        join(&[
            &v6[..4],
            &length,
            &[44, 64],
            &v6[8..40],
            &[6, 0],
            &field,
            &[0, 0, 0, 1],
            body,
        ])
    };
    let pieces = [piece(0, 1, &v6[40..64]), piece(24, 0, &v6[64..])];
    whole_from(&mut Decoder::new(), &pieces);
}

#[test]
fn overlapping_fragments_fall() {
    let packet = tcp_over_v4();
    let mut decoder = Decoder::new();
    let first = &fragments(&packet, 1, &[24])[0];
    let overlapping = &fragments(&packet, 1, &[16])[1];
    assert_eq!(
        decoder.decode(&frame(101, first)).err(),
        Some(Skip::Fragment)
    );
    assert_eq!(
        decoder.decode(&frame(101, overlapping)).err(),
        Some(Skip::FragmentDropped)
    );
    assert_eq!(decoder.fragment_counts().overlapping, 1);
}

#[test]
fn a_fragment_cut_by_the_snap_length_leaves_its_length() {
    let mut decoder = Decoder::new();
    let mut pieces = fragments(&tcp_over_v4(), 1, &[32]);
    pieces[1].truncate(22);
    decoder.decode(&frame(101, &pieces[0])).err();
    match decoder.decode(&frame(101, &pieces[1])) {
        Ok(Decoded::Segment(segment)) => {
            assert_eq!((segment.payload, segment.length), (&PAYLOAD[..2], 5))
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn siblings_that_come_too_late_do_not_count() {
    let mut decoder = Decoder::new();
    let pieces = fragments(&tcp_over_v4(), 1, &[24]);
    let late = Frame {
        time: Timestamp::new(61, 0),
        ..frame(101, &pieces[1])
    };
    assert_eq!(
        decoder.decode(&frame(101, &pieces[0])).err(),
        Some(Skip::Fragment)
    );
    assert_eq!(decoder.decode(&late).err(), Some(Skip::Fragment));
    assert_eq!(decoder.fragment_counts().expired, 1);
}

#[test]
fn a_flood_of_fragments_is_bounded() {
    let mut decoder = Decoder::new();
    let mut piece = fragments(&tcp_over_v4(), 1, &[24])[0].clone();
    for number in 0..40_000u32 {
        piece[12..16].copy_from_slice(&number.to_be_bytes());
        assert_eq!(
            decoder.decode(&frame(101, &piece)).err(),
            Some(Skip::Fragment)
        );
    }
    assert!(decoder.fragment_counts().limited > 30_000);
    assert!(
        decoder.fragments.sizes_fit(),
        "{:?}",
        decoder.fragment_counts()
    );
    // Far offsets take room up to them.
    for number in 0..2_000u32 {
        piece[12..16].copy_from_slice(&number.to_be_bytes());
        piece[6..8].copy_from_slice(&[0x3f, 0xf0]);
        decoder.decode(&frame(101, &piece)).err();
        assert!(decoder.fragments.sizes_fit());
    }
    let mut train = fragments(&tcp_over_v4(), 2, &[8])[0].clone();
    let mut dropped = 0;
    for offset in 0..4_000u16 {
        train[6..8].copy_from_slice(&(0x2000 | (offset * 2)).to_be_bytes());
        let skip = decoder.decode(&frame(101, &train)).err();
        dropped += u32::from(skip == Some(Skip::FragmentDropped));
    }
    assert!(dropped >= 1, "an endless train is let go");
    assert!(decoder.fragments.sizes_fit());
}

// Damage and chance.

fn any_frame() -> impl Strategy<Value = (u16, Vec<u8>)> {
    let (v4, v6) = (tcp_over_v4(), tcp_over_v6());
    let in_ether = ether(0x0800, &v4);
    let built = vec![
        (1, in_ether.clone()),
        (1, ether(0x86dd, &v6)),
        (1, ether(0x8847, &join(&[&[0, 1, 1, 64], &in_ether]))),
        (
            101,
            udp(4789, &join(&[&[8, 0, 0, 0, 0, 0, 42, 0], &in_ether])),
        ),
        (
            101,
            udp(
                2152,
                &join(&[
                    &[0x34, 255, 0, 9, 0, 0, 0, 1, 0, 0, 0, 0x85, 1, 0, 0, 0],
                    &v4,
                ]),
            ),
        ),
        (
            101,
            udp(
                6081,
                &join(&[&[1, 0, 0x65, 0x58, 0, 0, 1, 0, 0, 0, 0, 0], &in_ether]),
            ),
        ),
        (
            101,
            udp(37008, &join(&[&[1, 0, 0, 1, 0, 10, 1, 5, 1], &in_ether])),
        ),
        (
            101,
            udp(
                1701,
                &join(&[&[0x40, 2, 0, 70, 0, 1, 0, 1, 0xff, 3, 0, 0x21], &v4]),
            ),
        ),
        (
            101,
            outer(47, &join(&[&[0x30, 0, 0x22, 0xeb], &[0; 28], &in_ether])),
        ),
        (101, outer(1, &join(&[&[3, 1, 0, 0, 0, 0, 0, 0], &v4]))),
        (105, wifi(0x88, 1, 2, &v4)),
        (101, fragments(&v4, 1, &[16])[1].clone()),
    ];
    (
        proptest::sample::select(built),
        proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        any::<prop::sample::Index>(),
    )
        .prop_map(|((link, mut data), flips, end)| {
            for (at, value) in flips {
                let at = at.index(data.len());
                data[at] = value;
            }
            if end.index(3) == 0 {
                data.truncate(end.index(data.len() + 1));
            }
            (link, data)
        })
}

/// What must hold for any answer: the payload lies within what was claimed.
fn sane(decoder: &mut Decoder, frame: &Frame<'_>) {
    if let Ok(Decoded::Segment(segment)) = decoder.decode(frame) {
        assert!(segment.payload.len() <= segment.length as usize);
        let context = segment.context;
        assert_eq!(
            decoder.context_name(context).is_none(),
            context == Context(0)
        );
    }
}

proptest! {
    #[test]
    fn chance_never_panics(
        data in proptest::collection::vec(any::<u8>(), 0..200),
        length in any::<u16>(),
    ) {
        let mut decoder = Decoder::new();
        for link in 0..LINKS {
            sane(&mut decoder, &Frame { length: length.into(), ..frame(link, &data) });
        }
    }

    #[test]
    fn chance_behind_any_ether_type_protocol_or_port_never_panics(
        data in proptest::collection::vec(any::<u8>(), 0..120),
        kind: u16,
    ) {
        let mut decoder = Decoder::new();
        for kind in [kind, 0x8847, 0x8864, 0x88e5, 0x22f3, 0x894f, 0x8903, 0x8100, 100] {
            sane(&mut decoder, &frame(1, &ether(kind, &data)));
        }
        for protocol in [0, 4, 6, 41, 43, 44, 47, 51, 60, 97, 108, 115, 137, 143] {
            sane(&mut decoder, &frame(101, &outer(protocol, &data)));
        }
        for port in [4789, 4790, 6081, 2152, 3544, 1701, 5247, 6635, 4341, 37008, 4500] {
            sane(&mut decoder, &frame(101, &udp(port, &data)));
        }
    }

    #[test]
    fn damaged_frames_never_panic(frames in proptest::collection::vec(any_frame(), 1..20)) {
        let mut decoder = Decoder::new();
        for (link, data) in &frames {
            sane(&mut decoder, &frame(*link, data));
        }
    }

    #[test]
    fn a_cut_never_changes_what_is_left(cut in 0usize..80) {
        let data = ether(0x0800, &tcp_over_v4());
        let cut = cut.min(data.len());
        let mut decoder = Decoder::new();
        let frame = Frame { length: data.len() as u32, ..frame(1, &data[..cut]) };
        match decoder.decode(&frame) {
            Ok(Decoded::Segment(segment)) => {
                prop_assert!(cut >= 14 + 20 + 16);
                prop_assert_eq!(segment.length, 5);
                prop_assert_eq!(segment.payload, &PAYLOAD[..cut.saturating_sub(66)]);
            }
            Err(skip) => {
                prop_assert!(cut < 14 + 20 + 16);
                prop_assert_eq!(skip, Skip::Cut);
            }
            Ok(Decoded::Quote(quote)) => prop_assert!(false, "{quote:?}"),
        }
    }
}
