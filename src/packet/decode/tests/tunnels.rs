//! One packet through each tunnel.

use super::*;
use crate::base::net::Skip;

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
        (
            "teredo with authentication, no origin",
            Some("teredo"),
            udp(3544, &join(&[&[0, 1, 2, 1], &[0; 3], &[0; 9], &v6])),
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
