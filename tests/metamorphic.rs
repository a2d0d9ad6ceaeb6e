//! The same packets in another wrapping have the same verdicts: other formats, other times, several files, another link
//! layer, connections in another order.
//!
//! Over all captures of the project that are read without keys. What is compared is made from the packets alone: a copy has
//! neither the secrets nor the notes of a pcapng file, so the copy in pcapng is what the others are held against.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use hangup::Analysis;
use hangup::base::time::Timestamp;
use hangup::packet::capture::{
    Batch, Fill, Frame, LinkType, OpenOptions, PcapWriter, PcapngWriter, open,
};

const ETHERNET: LinkType = LinkType(1);

/// A frame by itself.
#[derive(Clone)]
struct Packet {
    time: Timestamp,
    link: LinkType,
    length: u32,
    data: Vec<u8>,
}

impl Packet {
    fn frame(&self) -> Frame<'_> {
        Frame {
            number: hangup::base::frame_ref::FrameNumber(1),
            time: self.time,
            link: self.link,
            interface: 0,
            length: self.length,
            passage: Default::default(),
            data: &self.data,
        }
    }
}

fn packets(path: &Path) -> Vec<Packet> {
    let mut source = open(&[path], &OpenOptions::default()).unwrap();
    let (mut batch, mut all) = (Batch::default(), Vec::new());
    // What is damaged is read as far as possible.
    while source.fill(&mut batch).is_ok_and(|it| it != Fill::End) {
        all.extend(batch.frames().map(|it| Packet {
            time: it.time,
            link: it.link,
            length: it.length,
            data: it.data.to_vec(),
        }));
    }
    all
}

fn pcapng(path: &Path, packets: &[Packet]) {
    let mut writer = PcapngWriter::new(BufWriter::new(File::create(path).unwrap())).unwrap();
    for packet in packets {
        writer.frame(&packet.frame()).unwrap();
    }
    writer.finish().unwrap().flush().unwrap();
}

/// What the packets show: how often each verdict on a connection, with the rules that fired on it.
fn verdicts(paths: &[&Path]) -> BTreeMap<String, usize> {
    let analysis = Analysis::of_files(paths.iter().copied()).unwrap();
    let mut all = BTreeMap::new();
    for connection in analysis.connections() {
        let mut rules: Vec<_> = analysis
            .findings()
            .iter()
            .filter(|it| it.connections.contains(&connection.id))
            .map(|it| it.rule)
            .collect();
        rules.sort_unstable();
        rules.dedup();
        let told = format!(
            "{} → {}: {}; {}; {rules:?}",
            connection.client, connection.server, connection.teardown, connection.outcome
        );
        *all.entry(told).or_default() += 1;
    }
    all
}

/// The project's captures.
fn captures() -> Vec<PathBuf> {
    let mut all = Vec::new();
    for folder in ["captures", "captures/healthy"] {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if name.contains(".pcap") {
                all.push(path);
            }
        }
    }
    all.sort();
    assert!(all.len() > 40, "{} captures", all.len());
    // A folder with others, as many as there are.
    if let Some(more) = std::env::var_os("HANGUP_METAMORPHIC") {
        gather(Path::new(&more), &mut all);
    }
    all
}

fn gather(folder: &Path, all: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            gather(&path, all);
        } else if open(&[&path], &OpenOptions::default()).is_ok() {
            all.push(path);
        }
    }
}

/// The addresses and ports of a TCP packet over IPv4 on Ethernet, the same for both directions.
fn flow(packet: &Packet) -> Option<Vec<u8>> {
    let ip = packet.data.get(14..)?;
    let is_tcp = packet.data.get(12..14)? == [8, 0] && ip.first()? >> 4 == 4 && *ip.get(9)? == 6;
    let at = usize::from(ip.first()? & 15) * 4;
    let fragment = u16::from_be_bytes([*ip.get(6)?, *ip.get(7)?]) & 0x3fff;
    if packet.link != ETHERNET || !is_tcp || fragment != 0 {
        return None;
    }
    let one = [ip.get(12..16)?, ip.get(at..at + 2)?].concat();
    let other = [ip.get(16..20)?, ip.get(at + 2..at + 4)?].concat();
    Some(match one < other {
        true => [one, other].concat(),
        false => [other, one].concat(),
    })
}

/// A frame of Ethernet with the header that Linux writes on the interface `any` (`LINKTYPE_LINUX_SLL`) in its place.
fn cooked(packet: &Packet) -> Packet {
    let (ETHERNET, Some(header)) = (packet.link, packet.data.get(..14)) else {
        return packet.clone();
    };
    let mut data = vec![0, 0, 0, 1, 0, 6];
    data.extend_from_slice(&header[6..12]);
    data.extend_from_slice(&[0, 0]);
    data.extend_from_slice(&packet.data[12..]);
    Packet {
        link: LinkType(113),
        length: packet.length + 2,
        data,
        ..*packet
    }
}

/// A frame of Ethernet inside GRE (RFC 2784) between two hosts with other addresses.
fn tunnelled(packet: &Packet) -> Packet {
    if packet.link != ETHERNET {
        return packet.clone();
    }
    let mut data = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0];
    let [high, low] = ((24 + packet.length).min(65_535) as u16).to_be_bytes();
    data.extend_from_slice(&[0x45, 0, high, low, 0, 0, 0, 0, 64, 47, 0, 0]);
    data.extend_from_slice(&[192, 0, 2, 1, 192, 0, 2, 2]);
    data.extend_from_slice(&[0, 0, 0x65, 0x58]);
    data.extend_from_slice(&packet.data);
    Packet {
        length: packet.length + 38,
        data,
        ..*packet
    }
}

#[test]
fn another_wrapping_has_the_same_verdicts() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("metamorphic");
    fs::create_dir_all(&folder).unwrap();
    let place = |name: &str| folder.join(name);
    let (plain, first, second) = (place("plain.pcapng"), place("1.pcapng"), place("2.pcapng"));
    let mut wrong = Vec::new();
    let mut compared = BTreeMap::<&str, usize>::new();
    for path in captures() {
        let packets = packets(&path);
        pcapng(&plain, &packets);
        let wanted = verdicts(&[&plain]);
        let mut check = |how: &'static str, paths: &[&Path]| {
            *compared.entry(how).or_default() += 1;
            let found = verdicts(paths);
            if found != wanted {
                wrong.push(format!(
                    "{}, {how}:\n  {wanted:#?}\n  {found:#?}",
                    path.display()
                ));
            }
        };

        // The classic format, and gzip.
        if packets.iter().all(|it| it.link == packets[0].link) && !packets.is_empty() {
            let file = BufWriter::new(File::create(&first).unwrap());
            let mut writer = PcapWriter::new(file, packets[0].link).unwrap();
            for packet in &packets {
                writer.frame(&packet.frame()).unwrap();
            }
            writer.finish().unwrap().flush().unwrap();
            check("as pcap", &[&first]);
        }
        let mut packed = flate2::write::GzEncoder::new(
            File::create(&first).unwrap(),
            flate2::Compression::fast(),
        );
        packed.write_all(&fs::read(&plain).unwrap()).unwrap();
        packed.finish().unwrap();
        check("with gzip", &[&first]);

        // Two files with half of it each, and two that overlap.
        let (one, other) = packets.split_at(packets.len() / 2);
        pcapng(&first, one);
        pcapng(&second, other);
        check("split", &[&first, &second]);
        check("split, the later file first", &[&second, &first]);

        // No certificate expires meanwhile.
        let later = Duration::from_secs(3600);
        let mut shifted = packets.clone();
        shifted
            .iter_mut()
            .for_each(|it| it.time = it.time.after(later));
        pcapng(&first, &shifted);
        check("an hour later", &[&first]);

        // A VLAN tag after the addresses.
        let mut tagged = packets.clone();
        for packet in tagged.iter_mut().filter(|it| it.link == ETHERNET) {
            if packet.data.len() >= 14 {
                packet.data.splice(12..12, [0x81, 0, 0, 7]);
                packet.length += 4;
            }
        }
        pcapng(&first, &tagged);
        check("in a VLAN", &[&first]);

        // As the interface `any` of Linux records it, and in a tunnel.
        for (how, wrap) in [
            ("cooked by Linux", cooked as fn(&Packet) -> Packet),
            ("in a tunnel", tunnelled),
        ] {
            let wrapped: Vec<_> = packets.iter().map(wrap).collect();
            pcapng(&first, &wrapped);
            check(how, &[&first]);
        }

        // Frames of different connections that have the same time change places.
        let mut swapped = packets.clone();
        for at in 1..swapped.len() {
            let (a, b) = (&swapped[at - 1], &swapped[at]);
            let apart = flow(a).zip(flow(b)).is_some_and(|(a, b)| a[..4] != b[..4]);
            if apart && a.time == b.time {
                swapped.swap(at - 1, at);
            }
        }
        pcapng(&first, &swapped);
        check("with neighbours swapped", &[&first]);

        // The connections of one half of the ports in a file of their own, merged again by time.
        let of_first =
            |it: &Packet| flow(it).is_some_and(|flow| flow.last().is_some_and(|n| n % 2 == 0));
        let (one, other): (Vec<_>, Vec<_>) = packets.iter().cloned().partition(of_first);
        pcapng(&first, &one);
        pcapng(&second, &other);
        check("merged from two", &[&first, &second]);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(compared.values().all(|count| *count > 40), "{compared:?}");
    eprintln!("the same verdicts: {compared:?}");
}
