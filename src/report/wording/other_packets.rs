//! What a capture holds that is not TCP.

use crate::base::format::{count, number};
use crate::base::net::Skip;
use crate::report::snapshot::CaptureSummary;

/// Names of IP protocols (IANA, Assigned Internet Protocol Numbers).
const PROTOCOLS: &[(u8, &str)] = &[
    (1, "ICMP"),
    (2, "IGMP"),
    (17, "UDP"),
    (47, "GRE"),
    (50, "ESP"),
    (51, "AH"),
    (58, "ICMPv6"),
    (88, "EIGRP"),
    (89, "OSPF"),
    (103, "PIM"),
    (112, "VRRP"),
    (132, "SCTP"),
];

/// "There is no TCP in this capture: 6 packets of ARP, 20 of UDP. It holds 12 QUIC connections, which are not analysed."
pub(crate) fn no_tcp(summary: &CaptureSummary) -> String {
    let mut kinds: Vec<(String, u64)> = Vec::new();
    kinds.push(("of ARP".to_owned(), summary.arp));
    for (protocol, count) in &summary.protocols {
        kinds.push((format!("of {}", name(*protocol)), *count));
    }
    let skipped = |skip: Skip| summary.skipped[skip as usize];
    for (skip, what) in [
        (Skip::IcmpError, "of ICMP errors about TCP"),
        (Skip::Encrypted, "encrypted below TCP"),
        (Skip::LinkType, "of a link type that is not read"),
    ] {
        kinds.push((what.to_owned(), skipped(skip)));
    }
    let link = skipped(Skip::NotIp).saturating_sub(summary.arp);
    kinds.push(("without IP".to_owned(), link));
    kinds.retain(|(_, count)| *count > 0);
    kinds.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let mut told = "There is no TCP in this capture".to_owned();
    for (nth, (what, packets)) in kinds.iter().enumerate() {
        told += &match nth {
            0 => format!(": {} {what}", count(*packets, "packet", "packets")),
            _ => format!(", {} {what}", number(*packets)),
        };
    }
    told.push('.');
    match (quic(summary), summary.quic_connections) {
        (Some(quic), 1) => told += &format!(" It holds {quic}, which is not analysed."),
        (Some(quic), _) => told += &format!(" It holds {quic}, which are not analysed."),
        (None, _) => {}
    }
    told
}

/// `UDP`, `IP protocol 250`.
fn name(protocol: u8) -> String {
    let known = PROTOCOLS.iter().find(|(number, _)| *number == protocol);
    known.map_or_else(
        || format!("IP protocol {protocol}"),
        |(_, name)| (*name).to_owned(),
    )
}

/// "3 ICMP, 2 UDP", most first; `packets` of other protocols where which ones was not counted.
pub(crate) fn other_protocols(summary: &CaptureSummary, packets: u64) -> String {
    let mut kinds: Vec<(u8, u64)> = summary.protocols.iter().map(|it| (*it.0, *it.1)).collect();
    if kinds.iter().map(|it| it.1).sum::<u64>() != packets {
        return format!("{} of other protocols over IP", number(packets));
    }
    kinds.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let told: Vec<String> = kinds
        .iter()
        .map(|(protocol, count)| format!("{} {}", number(*count), name(*protocol)))
        .collect();
    told.join(", ")
}

/// "12 QUIC connections"; `None` if there are none.
pub(crate) fn quic(summary: &CaptureSummary) -> Option<String> {
    let quic = count(
        summary.quic_connections,
        "QUIC connection",
        "QUIC connections",
    );
    let limits = &mut summary.limits.iter();
    match summary.quic_connections {
        0 => None,
        _ if limits.any(|it| it.name == "quic-connections") => Some(format!("more than {quic}")),
        _ => Some(quic),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::snapshot::LimitHit;

    #[test]
    fn what_there_is_is_told_most_first() {
        let mut summary = CaptureSummary::default();
        assert_eq!(no_tcp(&summary), "There is no TCP in this capture.");
        summary.arp = 6;
        summary.skipped[Skip::NotIp as usize] = 7;
        summary.protocols = [(17, 20), (250, 1)].into();
        assert_eq!(
            no_tcp(&summary),
            "There is no TCP in this capture: 20 packets of UDP, 6 of ARP, 1 of IP protocol 250, 1 without IP."
        );
    }

    #[test]
    fn quic_is_counted_with_its_bound() {
        let mut summary = CaptureSummary {
            protocols: [(17, 20)].into(),
            ..CaptureSummary::default()
        };
        assert_eq!(quic(&summary), None);
        summary.quic_connections = 1;
        assert_eq!(
            no_tcp(&summary),
            "There is no TCP in this capture: 20 packets of UDP. It holds 1 QUIC connection, which is not analysed."
        );
        summary.quic_connections = 12;
        assert_eq!(quic(&summary).as_deref(), Some("12 QUIC connections"));
        summary.limits = vec![LimitHit {
            name: "quic-connections",
            count: 1,
            meaning: "",
        }];
        assert_eq!(
            quic(&summary).as_deref(),
            Some("more than 12 QUIC connections")
        );
    }
}
