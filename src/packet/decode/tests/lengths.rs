//! Lengths in headers, cuts by the snap length, and IPv6 extension headers.

use super::segment::Decoded;
use super::*;
use crate::base::net::Skip;

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
    // Cut in the options: those before the cut are kept. Cut after the window: enough. Cut before it: not enough.
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
