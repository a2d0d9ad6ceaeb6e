//! Fragmented datagrams: reassembled, contradictory, late and too many.

use super::segment::Decoded;
use super::*;
use crate::base::net::Skip;

/// Fragments an IPv4 packet at multiples of eight bytes after its header.
pub(super) fn fragments(packet: &[u8], id: u16, cuts: &[usize]) -> Vec<Vec<u8>> {
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
    // A piece with a large offset allocates memory up to it.
    for number in 0..2_000u32 {
        piece[12..16].copy_from_slice(&number.to_be_bytes());
        piece[6..8].copy_from_slice(&[0x3f, 0xf0]);
        decoder.decode(&frame(101, &piece)).err();
        assert!(decoder.fragments.sizes_fit());
    }
    let mut sender = fragments(&tcp_over_v4(), 2, &[8])[0].clone();
    let mut dropped = 0;
    for offset in 0..4_000u16 {
        sender[6..8].copy_from_slice(&(0x2000 | (offset * 2)).to_be_bytes());
        let skip = decoder.decode(&frame(101, &sender)).err();
        dropped += u32::from(skip == Some(Skip::FragmentDropped));
    }
    assert!(dropped >= 1, "an endless train is let go");
    assert!(decoder.fragments.sizes_fit());
}
