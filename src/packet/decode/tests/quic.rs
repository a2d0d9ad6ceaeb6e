//! Datagrams that begin with a long header of QUIC, and those that do not.

use super::*;

/// Form, version, and two connection IDs of these lengths, then more of the packet.
fn long_header(form: u8, version: u32, ids: [usize; 2]) -> Vec<u8> {
    let [to, from] = ids.map(|length| join(&[&[length as u8], &vec![7; length]]));
    join(&[&[form], &version.to_be_bytes(), &to, &from, &[0; 30]])
}

#[test]
fn only_long_headers_are_noted() {
    let whole = long_header(0xc3, 1, [8, 20]);
    let dns = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x00\x00\x01\x00\x01";
    let random: Vec<u8> = (0..60_u32)
        .map(|it| (it.wrapping_mul(0x9e37_79b9) >> 24) as u8 | 0xc0)
        .collect();
    let table: &[(&str, &[u8], bool)] = &[
        ("Initial of version 1", &whole, true),
        ("Handshake", &long_header(0xe1, 1, [20, 0]), true),
        (
            "Initial of version 2",
            &long_header(0xd0, 0x6b33_43cf, [8, 0]),
            true,
        ),
        ("draft 29", &long_header(0xc0, 0xff00_001d, [8, 8]), true),
        (
            "IDs of no length at the end",
            &[0xc0, 0, 0, 0, 1, 0, 0],
            true,
        ),
        ("short header", &join(&[&[0x43], &whole[1..]]), false),
        (
            "without the fixed bit",
            &join(&[&[0x83], &whole[1..]]),
            false,
        ),
        ("Version Negotiation", &long_header(0xc0, 0, [8, 8]), false),
        ("an unknown version", &long_header(0xc0, 2, [8, 8]), false),
        ("a long first ID", &long_header(0xc0, 1, [21, 8]), false),
        ("a long second ID", &long_header(0xc0, 1, [8, 21]), false),
        ("a first ID beyond the end", &whole[..10], false),
        ("a second ID beyond the end", &whole[..30], false),
        ("nothing after the first ID", &whole[..14], false),
        ("nothing after the version", &whole[..5], false),
        ("DNS elsewhere", dns, false),
        ("random", &random, false),
        ("one byte", &[0xc0], false),
        ("nothing", &[], false),
    ];
    for (name, payload, noted) in table {
        let mut decoder = Decoder::new();
        let packet = udp(443, payload);
        let packet = frame(101, &packet);
        assert_eq!(decoder.decode(&packet).err(), Some(Skip::NotTcp), "{name}");
        let datagram = decoder.datagram(&packet);
        assert_eq!(datagram.is_some(), *noted, "{name}");
        if let Some(datagram) = datagram {
            let ends = (datagram.source.port, datagram.destination.port);
            assert_eq!(ends, (0x8000, 443), "{name}");
            assert_eq!(datagram.payload, *payload, "{name}");
        }
    }
}

#[test]
fn what_the_capture_cut_is_not_held_against_it() {
    let packet = udp(443, &long_header(0xc0, 1, [20, 0]));
    for (captured, noted) in [(5, true), (6, true), (20, true), (4, false)] {
        let mut cut = frame(101, &packet[..28 + captured]);
        cut.length = packet.len() as u32;
        let mut decoder = Decoder::new();
        assert_eq!(decoder.decode(&cut).err(), Some(Skip::NotTcp));
        assert_eq!(decoder.datagram(&cut).is_some(), noted, "{captured}");
    }
}
