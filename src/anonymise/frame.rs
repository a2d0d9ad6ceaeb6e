//! One frame: its headers with other addresses, and right checksums where they were right.
//!
//! In: the frame, and where its layers begin, as the decoder has found them. Everything behind the last layer that is
//! understood is filler, and so is what follows the packet in the frame.

use super::filler::unknown;
use super::stream::Shared;
use super::{dns, words::Words};
use crate::packet::decode::{LayerKind, LayerPlace};

const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMP: u8 = 1;
const ICMP_V6: u8 = 58;
const FRAGMENT: u8 = 44;
const DNS: u16 = 53;

/// An IP packet in a frame.
#[derive(Clone, Copy, Debug)]
struct IpPlace {
    start: usize,
    is_v6: bool,
    header: usize,
    /// The end by its length, and whether all of it was captured.
    end: usize,
    is_whole: bool,
    /// A later fragment begins with no header.
    is_later_fragment: bool,
    is_fragment: bool,
    /// The protocol that it carries in the end, and where that begins.
    carries: Option<(u8, usize)>,
}

/// What the payload of the frame is, which the caller has replaced already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Inside {
    /// A TCP segment, whose payload begins here.
    Segment(usize),
    /// A DNS message begins here.
    Dns(usize),
    /// A QUIC packet with a long header begins here.
    Quic(usize),
    /// An ICMP error that quotes a segment.
    Quote,
    /// Nothing that is followed.
    Other,
}

/// Replaces what a frame holds beside the payload of its segment. `original`: the frame as it was.
pub(super) fn rewrite(
    shared: &mut Shared,
    out: &mut [u8],
    original: &[u8],
    places: &[LayerPlace],
    inside: Inside,
) {
    let words = &mut shared.words;
    let mut packets = Vec::new();
    for (nth, place) in places.iter().enumerate() {
        let next = places.get(nth + 1);
        match place.kind {
            LayerKind::Link(link) => {
                link_header(words, out, link.0, place.start, next.map(|it| it.start))
            }
            LayerKind::Ethernet => macs(words, out, place.start, 2),
            LayerKind::Wifi => wifi(words, out, place.start),
            _ => {}
        }
        let begins_ip = match place.kind {
            LayerKind::Ip => true,
            LayerKind::EtherType(kind) => matches!(kind, 0x0800 | 0x86dd),
            LayerKind::Protocol(4 | 41) => true,
            LayerKind::Link(link) => matches!(link.0, 12 | 14 | 101 | 228 | 229),
            LayerKind::Ethernet => false,
            _ => false,
        };
        if begins_ip && let Some(packet) = packet(original, place.start) {
            packets.push(packet);
        }
        // Ethernet goes on to IP without a layer of its own.
        if let LayerKind::Protocol(number) = place.kind {
            let before = nth.checked_sub(1).and_then(|it| places.get(it));
            let before = before.map_or(0, |it| it.start);
            packets.extend(
                packet_before(original, place.start, number).filter(|it| it.start >= before),
            );
        }
    }
    if let Some(last) = places.last()
        && matches!(last.kind, LayerKind::Link(_) | LayerKind::Ethernet)
    {
        packets.extend(ethernet_packet(original, last));
    }
    packets.sort_by_key(|it| it.start);
    packets.dedup_by_key(|it| it.start);
    for packet in &mut packets {
        let own = places
            .iter()
            .filter(|it| it.start >= packet.start + packet.header);
        let mut own = own.map_while(|it| match it.kind {
            LayerKind::Protocol(number) => Some((number, it.start)),
            _ => None,
        });
        // Behind extension headers.
        packet.carries = own
            .find(|(number, _)| !matches!(number, 0 | 43 | 44 | 51 | 60 | 135 | 139 | 140))
            .filter(|(number, _)| matches!(*number, TCP | UDP | ICMP | ICMP_V6));
    }
    contents(words, out, original, places, packets.last(), inside);
    for packet in packets.iter().rev() {
        addresses(words, out, packet);
        checksums(out, original, packet);
    }
    // Padding, and the check sequence of the link.
    let end = packets.first().map(|it| it.end);
    if let Some(end) = end {
        out.get_mut(end..).unwrap_or_default().fill(0);
    }
}

fn number(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// The packet whose header begins here.
fn packet(bytes: &[u8], start: usize) -> Option<IpPlace> {
    let packet = bytes.get(start..)?;
    let first = *packet.first()?;
    let (header, length, is_later, is_fragment) = match first >> 4 {
        4 => {
            let header = usize::from(first & 15) * 4;
            let fragment = number(packet, 6)?;
            (
                header,
                usize::from(number(packet, 2)?),
                fragment & 0x1fff != 0,
                fragment & 0x3fff != 0,
            )
        }
        6 => {
            let payload = usize::from(number(packet, 4)?);
            let is_fragment = packet.get(6) == Some(&FRAGMENT);
            let is_later = is_fragment && number(packet, 42).is_some_and(|it| it & !7 != 0);
            let length = if payload == 0 { 0 } else { payload + 40 };
            (
                40,
                length,
                is_later,
                is_fragment && number(packet, 42).is_some_and(|it| it & !6 != 0),
            )
        }
        _ => return None,
    };
    if header < 20 || header > packet.len() {
        return None;
    }
    // A length of zero means segmentation offload.
    let length = if length < header {
        packet.len()
    } else {
        length
    };
    Some(IpPlace {
        start,
        is_v6: first >> 4 == 6,
        header,
        end: (start + length).min(bytes.len()),
        is_whole: start + length <= bytes.len(),
        is_later_fragment: is_later,
        is_fragment,
        carries: None,
    })
}

/// The packet whose payload begins here.
fn packet_before(bytes: &[u8], payload: usize, protocol: u8) -> Option<IpPlace> {
    let v4 = (20..=60).step_by(4).find_map(|length| {
        let start = payload.checked_sub(length)?;
        let fits = bytes.get(start)? >> 4 == 4
            && usize::from(bytes.get(start)? & 15) * 4 == length
            && *bytes.get(start + 9)? == protocol;
        fits.then(|| packet(bytes, start)).flatten()
    });
    let v6 = || {
        let start = payload.checked_sub(40)?;
        let fits = bytes.get(start)? >> 4 == 6 && *bytes.get(start + 6)? == protocol;
        fits.then(|| packet(bytes, start)).flatten()
    };
    v4.or_else(v6)
}

/// A packet directly in the outermost frame, of which no layer is noted: a fragment.
fn ethernet_packet(bytes: &[u8], last: &LayerPlace) -> Option<IpPlace> {
    let start = match last.kind {
        LayerKind::Link(link) if link.0 == 1 => last.start + 14,
        LayerKind::Ethernet => last.start + 14,
        _ => return None,
    };
    let kind = number(bytes, start - 2)?;
    matches!(kind, 0x0800 | 0x86dd)
        .then(|| packet(bytes, start))
        .flatten()
}

fn macs(words: &Words, out: &mut [u8], start: usize, count: usize) {
    for nth in 0..count {
        let at = start + nth * 6;
        if let Some(mac) = out.get_mut(at..at + 6) {
            words.key().replace_mac(mac);
        }
    }
}

/// The header of a link type. `end`: where the next layer begins.
fn link_header(words: &Words, out: &mut [u8], link: u16, start: usize, end: Option<usize>) {
    let clear = |out: &mut [u8], from: usize| {
        let end = end.unwrap_or(out.len()).max(start + from);
        out.get_mut(start + from..end).unwrap_or_default().fill(0);
    };
    match link {
        1 | 281 | 284 | 285 => macs(words, out, start, 2),
        113 => macs(words, out, start + 6, 1),
        276 => macs(words, out, start + 12, 1),
        105 => wifi(words, out, start),
        6 => macs(words, out, start + 2, 2),
        10 => macs(words, out, start + 1, 2),
        // The process, the position, the rule: what the header says beside its length and the next type.
        192 => clear(out, 8),
        117 => clear(out, 1),
        258 => {
            let kept = out.get(start + 8..start + 12).unwrap_or_default().to_vec();
            clear(out, 4);
            if let Some(place) = out.get_mut(start + 8..start + 12)
                && kept.len() == 4
            {
                place.copy_from_slice(&kept);
            }
        }
        239 => log_fields(out, start + 4),
        _ => {}
    }
}

/// The fields of Linux's netfilter log before the packet.
fn log_fields(out: &mut [u8], mut at: usize) {
    const PAYLOAD: u16 = 9;
    while let Some(&[l0, l1, t0, t1]) = out.get(at..).and_then(<[u8]>::first_chunk) {
        let little = u16::from_le_bytes([l0, l1]);
        let (length, kind) = match l0 != 0 && usize::from(little) <= out.len() {
            true => (little, u16::from_le_bytes([t0, t1])),
            false => (u16::from_be_bytes([l0, l1]), u16::from_be_bytes([t0, t1])),
        };
        if length < 4 || kind & 0x7fff == PAYLOAD {
            return;
        }
        let end = at + usize::from(length);
        if let Some(value) = out.get_mut(at + 4..end) {
            value.fill(0);
        }
        at += usize::from(length).next_multiple_of(4);
    }
}

/// The addresses of an 802.11 header.
fn wifi(words: &Words, out: &mut [u8], start: usize) {
    let Some(control) = out
        .get(start..start + 2)
        .map(|it| u16::from_le_bytes([it[0], it[1]]))
    else {
        return;
    };
    let kind = control >> 2 & 3;
    let count = match kind {
        1 => 2,
        _ => 3,
    };
    macs(words, out, start + 4, count);
    if kind == 2 && control & 0x0300 == 0x0300 {
        macs(words, out, start + 24, 1);
    }
}

/// Replaces the addresses of a packet, and of its extension headers.
fn addresses(words: &Words, out: &mut [u8], packet: &IpPlace) {
    let (first, length) = if packet.is_v6 { (8, 16) } else { (12, 4) };
    for nth in 0..2 {
        let at = packet.start + first + nth * length;
        if let Some(address) = out.get_mut(at..at + length) {
            words.key().replace_address(address);
        }
    }
    if !packet.is_v6 {
        // Options that record routes have addresses in them.
        let options = out
            .get_mut(packet.start + 20..packet.start + packet.header)
            .unwrap_or_default();
        v4_options(options);
    } else {
        routes(words, out, packet);
    }
}

/// Keeps the kinds and lengths of options.
fn v4_options(options: &mut [u8]) {
    let mut at = 0;
    while let Some(kind) = options.get(at) {
        if *kind == 0 {
            break;
        }
        if *kind == 1 {
            at += 1;
            continue;
        }
        let length = options.get(at + 1).map_or(2, |it| usize::from(*it)).max(2);
        let end = (at + length).min(options.len());
        options.get_mut(at + 2..end).unwrap_or_default().fill(0);
        at += length;
    }
    options.get_mut(at..).unwrap_or_default().fill(0);
}

/// Replaces the addresses of a routing header.
fn routes(words: &Words, out: &mut [u8], packet: &IpPlace) {
    let mut next = out.get(packet.start + 6).copied();
    let mut at = packet.start + 40;
    while let Some(kind @ (0 | 43 | 60)) = next {
        let Some(&[following, units]) = out.get(at..).and_then(<[u8]>::first_chunk) else {
            return;
        };
        let length = 8 + usize::from(units) * 8;
        if let Some(data) = out.get_mut(at + 8..at + length) {
            match kind {
                43 => data
                    .chunks_exact_mut(16)
                    .for_each(|it| words.key().replace_address(it)),
                60 => v4_options(data),
                _ => {}
            }
        }
        (next, at) = (Some(following), at + length);
    }
}

/// What the innermost packet, or the frame without any, holds.
fn contents(
    words: &mut Words,
    out: &mut [u8],
    original: &[u8],
    places: &[LayerPlace],
    packet: Option<&IpPlace>,
    inside: Inside,
) {
    let Some(packet) = packet else {
        return no_packet(words, out, places);
    };
    let end = packet.end;
    let fill = |out: &mut [u8], from: usize| {
        for (byte, old) in out.iter_mut().zip(original).take(end).skip(from) {
            *byte = unknown(*old);
        }
    };
    if packet.is_later_fragment {
        return fill(
            out,
            packet.start + packet.header + if packet.is_v6 { 8 } else { 0 },
        );
    }
    let last = places
        .last()
        .filter(|it| it.start >= packet.start + packet.header);
    match (inside, packet.carries) {
        (Inside::Segment(payload), Some((TCP, start))) => {
            tcp_options(words, out, start, payload);
        }
        (Inside::Dns(start), _) => dns::rewrite(
            words,
            out.get_mut(start..end.max(start)).unwrap_or_default(),
        ),
        (Inside::Quic(start), _) => quic(words, out, original, start, end),
        (_, Some((TCP, start))) => {
            // A segment that is cut, or a part of one: its header stays.
            let header = usize::from(original.get(start + 12).copied().unwrap_or(0) >> 4) * 4;
            tcp_options(words, out, start, start + header.max(20));
            fill(out, start + header.max(20));
        }
        (_, Some((UDP, start))) => match last {
            Some(last) if last.start > start => fill(out, last.start),
            _ if names_dns(original, start) => {
                dns::rewrite(
                    words,
                    out.get_mut(start + 8..end.max(start + 8))
                        .unwrap_or_default(),
                );
            }
            _ => fill(out, start + 8),
        },
        (_, Some((kind @ (ICMP | ICMP_V6), start))) => icmp(words, out, original, kind, start, end),
        _ => {
            if packet.is_fragment {
                return first_fragment(words, out, original, packet);
            }
            // ESP, SCTP and others: nothing of them is read.
            let from = match last {
                Some(last) => last.start,
                None => packet.start + packet.header,
            };
            fill(out, from);
        }
    }
}

fn names_dns(bytes: &[u8], udp: usize) -> bool {
    [0, 2].iter().any(|at| number(bytes, udp + at) == Some(DNS))
}

/// The first fragment of a datagram: the header of TCP or UDP stays.
fn first_fragment(words: &Words, out: &mut [u8], original: &[u8], packet: &IpPlace) {
    let (protocol, start) = match packet.is_v6 {
        false => (original.get(packet.start + 9), packet.start + packet.header),
        true => (original.get(packet.start + 40), packet.start + 48),
    };
    let header = match protocol {
        Some(&TCP) => {
            let length = usize::from(original.get(start + 12).copied().unwrap_or(0) >> 4) * 4;
            tcp_options(words, out, start, start + length.max(20));
            length.max(20)
        }
        Some(&(UDP | ICMP | ICMP_V6)) => 8,
        _ => 0,
    };
    for (byte, old) in out
        .iter_mut()
        .zip(original)
        .take(packet.end)
        .skip(start + header)
    {
        *byte = unknown(*old);
    }
}

/// Frames without IP: ARP keeps its form; of all others the kind stays.
fn no_packet(words: &Words, out: &mut [u8], places: &[LayerPlace]) {
    const ARP: u16 = 0x0806;
    let Some(last) = places.last() else {
        return out.fill(0);
    };
    let (kind, start) = match last.kind {
        LayerKind::Link(link) if link.0 == 1 => (number(out, last.start + 12), last.start + 14),
        LayerKind::Ethernet => (number(out, last.start + 12), last.start + 14),
        LayerKind::EtherType(kind) => (Some(kind), last.start),
        LayerKind::Wifi => (None, last.start + 24),
        LayerKind::Link(link) => match link.0 {
            113 => (number(out, last.start + 14), last.start + 16),
            276 => (number(out, last.start), last.start + 20),
            105 => (None, last.start + 24),
            0 | 108 => (None, last.start + 4),
            // Nothing of it is understood.
            _ => (None, last.start),
        },
        _ => (None, last.start + 4),
    };
    if kind == Some(ARP) {
        return arp(words, out, start);
    }
    out.get_mut(start..).unwrap_or_default().fill(0);
}

/// RFC 826: both addresses of the sender and of the target.
fn arp(words: &Words, out: &mut [u8], start: usize) {
    let lengths = (out.get(start + 4).copied(), out.get(start + 5).copied());
    let (Some(6), Some(4)) = lengths else {
        return out.get_mut(start + 8..).unwrap_or_default().fill(0);
    };
    for nth in 0..2 {
        let at = start + 8 + nth * 10;
        macs(words, out, at, 1);
        if let Some(address) = out.get_mut(at + 6..at + 10) {
            words.key().replace_address(address);
        }
    }
    out.get_mut(start + 28..).unwrap_or_default().fill(0);
}

/// The option of Multipath TCP.
const MULTIPATH: u8 = 30;

/// Options that identify: cookies, keys and digests. Others are sizes and clocks that the analysis reads.
fn tcp_options(words: &Words, out: &mut [u8], start: usize, end: usize) {
    let options = out.get_mut(start + 20..).unwrap_or_default();
    let length = end.saturating_sub(start + 20).min(options.len());
    let options = options.get_mut(..length).unwrap_or_default();
    let mut at = 0;
    while let Some(kind) = options.get(at).copied() {
        let length = match kind {
            0 => {
                options.get_mut(at..).unwrap_or_default().fill(0);
                return;
            }
            1 => 1,
            _ => match options.get(at + 1).copied().map(usize::from) {
                Some(length) if length >= 2 && at + length <= options.len() => length,
                // The list is malformed, and shall remain so.
                _ => return,
            },
        };
        if !matches!(kind, 1..=5 | 8) {
            // The subtype of Multipath TCP says what the option is (RFC 8684 §8.1); the rest are keys and tokens.
            let named = at + 2 + usize::from(kind == MULTIPATH);
            let value = options.get_mut(named..at + length).unwrap_or_default();
            words.key().opaque.replace(value);
        }
        at += length;
    }
}

/// A long header (RFC 9000 §17.2): its form, the version and the lengths of the connection ids stay.
fn quic(words: &Words, out: &mut [u8], original: &[u8], start: usize, end: usize) {
    let mut at = start + 5;
    for _ in 0..2 {
        let length = usize::from(original.get(at).copied().unwrap_or(0));
        let id_end = (at + 1 + length).min(end);
        if let Some(id) = out.get_mut(at + 1..id_end) {
            words.key().opaque.replace(id);
        }
        at = id_end.max(at + 1);
    }
    out.get_mut(at.min(end)..end).unwrap_or_default().fill(0);
}

/// An error keeps the headers that it quotes, with other addresses; of everything else the type and code stay.
fn icmp(words: &Words, out: &mut [u8], original: &[u8], kind: u8, start: usize, end: usize) {
    let message = original.get(start).copied().unwrap_or_default();
    let quotes = match kind {
        ICMP => matches!(message, 3 | 4 | 5 | 11 | 12),
        _ => matches!(message, 1..=4),
    };
    let quoted = start + 8;
    if kind == ICMP
        && message == 5
        && let Some(gateway) = out.get_mut(start + 4..start + 8)
    {
        words.key().replace_address(gateway);
    }
    let Some(inner) = packet(original, quoted).filter(|it| quotes && it.start + it.header <= end)
    else {
        if kind == ICMP_V6
            && matches!(message, 135 | 136)
            && let Some(target) = out.get_mut(start + 8..start + 24)
        {
            words.key().replace_address(target);
            return out
                .get_mut((start + 24).min(end)..end)
                .unwrap_or_default()
                .fill(0);
        }
        return out
            .get_mut(quoted.min(end)..end)
            .unwrap_or_default()
            .fill(0);
    };
    addresses(words, out, &inner);
    let ports = inner.start + inner.header;
    let protocol = match inner.is_v6 {
        true => original.get(inner.start + 6).copied(),
        false => original.get(inner.start + 9).copied(),
    };
    // The checksum in the quotation is that of a segment that is not there.
    let kept = match protocol {
        Some(TCP) => 16,
        Some(UDP) => 6,
        _ => 0,
    };
    out.get_mut((ports + kept).min(end)..end)
        .unwrap_or_default()
        .fill(0);
    if !inner.is_v6 {
        fix_v4(out, original, &inner);
    }
}

/// The sum of 16-bit words.
fn sum(bytes: &[u8], mut sum: u64) -> u64 {
    for pair in bytes.chunks(2) {
        sum += u64::from(pair[0]) << 8 | u64::from(pair.get(1).copied().unwrap_or(0));
    }
    sum
}

fn fold(mut sum: u64) -> u16 {
    while sum > 0xffff {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    !(sum as u16)
}

/// The header's checksum: right if it was right.
fn fix_v4(out: &mut [u8], original: &[u8], packet: &IpPlace) {
    let header = packet.start..packet.start + packet.header;
    let Some(was) = original.get(header.clone()) else {
        return;
    };
    let was_right = fold(sum(was, 0)) == 0;
    let was_none = was.get(10..12) == Some(&[0, 0]);
    let Some(now) = out.get_mut(header) else {
        return;
    };
    if was_none && !was_right {
        return;
    }
    now[10..12].fill(0);
    let right = fold(sum(now, 0));
    let written = if was_right { right } else { wrong(right) };
    now[10..12].copy_from_slice(&written.to_be_bytes());
}

/// Another checksum, which says nothing of what it was computed from.
const fn wrong(right: u16) -> u16 {
    match right ^ 0x5555 {
        0 | 0xffff => right ^ 0x3333,
        other => other,
    }
}

/// The checksums of a packet and of what it carries.
fn checksums(out: &mut [u8], original: &[u8], packet: &IpPlace) {
    if !packet.is_v6 {
        fix_v4(out, original, packet);
    }
    let Some((protocol, start)) = packet.carries else {
        return;
    };
    let place = start
        + match protocol {
            TCP => 16,
            UDP => 6,
            _ => 2,
        };
    if place + 2 > packet.end {
        return;
    }
    let Some(was) = original.get(place..place + 2) else {
        return;
    };
    // Without a checksum (RFC 768).
    if protocol == UDP && was == [0, 0] {
        return;
    }
    let whole = packet.is_whole && !packet.is_fragment;
    let length = packet.end - start;
    let pseudo = |bytes: &[u8]| {
        let (from, to) = if packet.is_v6 { (8, 40) } else { (12, 20) };
        let addresses = bytes
            .get(packet.start + from..packet.start + to)
            .unwrap_or_default();
        match protocol {
            ICMP => 0,
            _ => sum(addresses, 0) + u64::from(protocol) + length as u64,
        }
    };
    let total = |bytes: &[u8]| {
        fold(sum(
            bytes.get(start..packet.end).unwrap_or_default(),
            pseudo(bytes),
        ))
    };
    // What was not captured cannot be verified, before and after.
    let was_right = !whole || total(original) == 0;
    if let Some(field) = out.get_mut(place..place + 2) {
        field.fill(0);
    }
    let right = match (total(out), protocol) {
        (0, UDP) => 0xffff,
        (right, _) => right,
    };
    let written = if was_right { right } else { wrong(right) };
    if let Some(field) = out.get_mut(place..place + 2) {
        field.copy_from_slice(&written.to_be_bytes());
    }
}
