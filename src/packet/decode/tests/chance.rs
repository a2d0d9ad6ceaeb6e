//! Damaged frames and random bytes: nothing panics, and a cut does not change what is left.

use super::segment::Decoded;
use crate::base::net::Skip;
use proptest::prelude::*;

use super::fragments::fragments;
use super::*;

/// All link types below this are tried; the highest supported one is 285.
const LINKS: u16 = 300;

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

/// Holds for every result: the payload lies within the stated length.
fn sane(decoder: &mut Decoder, frame: &Frame<'_>) {
    if let Ok(Decoded::Segment(segment)) = decoder.decode(frame) {
        assert!(segment.payload.len() <= segment.length as usize);
        let context = segment.context;
        assert_eq!(
            decoder.context_name(context).is_none(),
            context == Context(0)
        );
    }
    while decoder.decode_more(frame).is_some() {}
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
