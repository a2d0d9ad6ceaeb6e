//! The link-layer digest, and ICMP errors that quote a segment.

use super::segment::Decoded;
use super::*;
use crate::base::net::Skip;

#[test]
fn the_digest_tells_two_sightings_apart() {
    let mut decoder = Decoder::new();
    let packet = tcp_over_v4();
    let mut mix_link_digest = |link: u16, data: &[u8]| match decoder.decode(&frame(link, data)) {
        Ok(Decoded::Segment(segment)) => segment.link_digest,
        other => panic!("{other:?}"),
    };
    let one = ether(0x0800, &packet);
    let mut other = one.clone();
    other[5] = 3;
    assert_eq!(mix_link_digest(1, &one), mix_link_digest(1, &one));
    assert_ne!(mix_link_digest(1, &one), mix_link_digest(1, &other));
    assert_eq!(mix_link_digest(101, &packet), 0);
    let cooked = |kind| {
        join(&[
            &[0, kind, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 8, 0],
            &packet,
        ])
    };
    assert_ne!(
        mix_link_digest(113, &cooked(0)),
        mix_link_digest(113, &cooked(4))
    );
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
