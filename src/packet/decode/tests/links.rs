//! One frame of each link type, and each tag or label on Ethernet.

use super::segment::Decoded;
use super::*;
use crate::base::net::Skip;

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
    let subframe = 8 + v4.len();
    aggregate[26 + 12..26 + 14].copy_from_slice(&u16::try_from(subframe).unwrap().to_be_bytes());
    check("an A-MSDU of one", 105, &aggregate);
    let padding = (14 + subframe).next_multiple_of(4) - (14 + subframe);
    let second = aggregate[26..].to_vec();
    aggregate.extend(vec![0; padding]);
    aggregate.extend(second);
    check("the first of an A-MSDU", 105, &aggregate);
    // The same inside a tunnel whose outer frame is padded.
    let tunnelled = outer(47, &join(&[&[0, 0, 0x82, 0x10], &aggregate]));
    let tunnelled = ether(0x0800, &join(&[&tunnelled, &[0; 9]]));
    for (link, data) in [(105, &aggregate), (1, &tunnelled)] {
        let mut decoder = Decoder::new();
        let frame = frame(link, data);
        decoder.decode(&frame).unwrap();
        match decoder.decode_more(&frame) {
            Some(Ok(Decoded::Segment(segment))) => assert_eq!(segment.payload, PAYLOAD),
            other => panic!("{other:?}"),
        }
        assert!(decoder.decode_more(&frame).is_none());
    }
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
            43,
            ether(0x8100, &join(&[&[0xe0, 43, 8, 0], &v4])),
        ),
        (
            "802.1ad, the inner one counts",
            43,
            ether(0x88a8, &join(&[&[0, 7, 0x81, 0, 0, 43, 8, 0], &v4])),
        ),
        ("9100", 43, ether(0x9100, &join(&[&[0, 43, 8, 0], &v4]))),
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
