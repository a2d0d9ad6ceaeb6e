//! Captures against each other: no capture differs from itself, nor from the same work recorded again, with other ephemeral
//! ports, sequence numbers and times. Two that do differ are told apart by that, and by nothing else.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod reading;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use hangup::Timestamp;
use hangup::packet::capture::{Batch, Fill, Frame, OpenOptions, PcapngWriter, open};
use hangup::report::comparison::Comparison;
use hangup::report::snapshot::Snapshot;
use hangup::report::{Format, ReportOptions};
use serde_json::Value;

fn captures() -> Vec<PathBuf> {
    let folders = ["captures", "captures/healthy", "captures/protocols"];
    let all = folders.iter().flat_map(|it| fs::read_dir(it).unwrap());
    let mut all: Vec<PathBuf> = all.map(|it| it.unwrap().path()).collect();
    all.retain(|path| {
        let name = path.to_string_lossy();
        [".pcap", ".pcapng", ".pcap.gz"]
            .iter()
            .any(|it| name.ends_with(it))
    });
    all.sort();
    assert!(all.len() > 100);
    all
}

fn snapshot(path: &Path) -> Snapshot {
    let source = open(&[path], &OpenOptions::default()).unwrap();
    reading::analyse(source, 1).snapshot
}

fn json(comparison: &Comparison) -> Value {
    let mut out = Vec::new();
    comparison
        .write(Format::Json, &ReportOptions::default(), &mut out)
        .unwrap();
    serde_json::from_slice(&out).unwrap()
}

/// The differences as `fact: A | B`.
fn told(comparison: &Comparison) -> Vec<String> {
    let json = json(comparison);
    let services = json["services"].as_array().unwrap().iter();
    let all = services.flat_map(|it| it["differences"].as_array().unwrap());
    let side = |rows: &Value| {
        let rows = rows.as_array().unwrap().iter();
        let rows = rows.map(|it| {
            format!(
                "{} {}/{}",
                it["value"].as_str().unwrap(),
                it["count"],
                it["of"]
            )
        });
        rows.collect::<Vec<_>>().join(", ")
    };
    all.map(|it| {
        format!(
            "{}: {} | {}",
            it["fact"].as_str().unwrap(),
            side(&it["a"]),
            side(&it["b"])
        )
    })
    .collect()
}

/// The same work, recorded again: other ephemeral ports, sequence numbers and times.
struct Again {
    /// The ports of servers, which stay.
    servers: BTreeSet<u16>,
}

impl Again {
    fn port(&self, port: u16) -> u16 {
        match self.servers.contains(&port) || port < 0x4000 {
            true => port,
            // Stays above 0x4000, and does not meet a server's.
            false => Some(port ^ 0x0a5a)
                .filter(|it| !self.servers.contains(it))
                .unwrap_or(port),
        }
    }

    /// What is added to the sequence numbers from one port to another.
    fn shift(from: u16, to: u16) -> u32 {
        (u32::from(from) << 16 | u32::from(to)).wrapping_mul(0x9e37_79b1)
    }

    /// Rewrites a TCP header, as far as it was captured.
    fn tcp(&self, header: &mut [u8]) {
        let Some(ports) = header.get_mut(..4) else {
            return;
        };
        let [from, to] = [0, 2].map(|at| u16::from_be_bytes([ports[at], ports[at + 1]]));
        ports[..2].copy_from_slice(&self.port(from).to_be_bytes());
        ports[2..].copy_from_slice(&self.port(to).to_be_bytes());
        add(header.get_mut(4..8), Self::shift(from, to));
        let has_ack = header.get(13).is_some_and(|flags| flags & 0x10 != 0);
        if !has_ack {
            return;
        }
        let back = Self::shift(to, from);
        add(header.get_mut(8..12), back);
        let end = usize::from(header[12] >> 4) * 4;
        let mut at = 20;
        while let (true, Some(&kind)) = (at < end, header.get(at)) {
            let length = match (kind, header.get(at + 1)) {
                (0, _) | (_, None) => break,
                (1, _) => 1,
                (_, Some(&length)) => usize::from(length).max(2),
            };
            if kind == 5 {
                for edge in (at + 2..at + length).step_by(4) {
                    add(header.get_mut(edge..edge + 4), back);
                }
            }
            at += length;
        }
    }

    /// Rewrites what an IP packet carries.
    fn ip(&self, packet: &mut [u8]) {
        let (protocol, header) = match packet.first().map(|it| it >> 4) {
            Some(4) if packet.len() >= 20 => {
                let first = u16::from_be_bytes([packet[6], packet[7]]) & 0x1fff == 0;
                (
                    if first { packet[9] } else { 255 },
                    usize::from(packet[0] & 15) * 4,
                )
            }
            Some(6) if packet.len() >= 40 => (packet[6], 40),
            _ => return,
        };
        let Some(inner) = packet.get_mut(header..) else {
            return;
        };
        match protocol {
            6 => self.tcp(inner),
            // An ICMP error quotes the packet.
            1 | 58 => {
                if let Some(quoted) = inner.get_mut(8..) {
                    self.ip(quoted);
                }
            }
            _ => {}
        }
    }

    fn frame(&self, link: u16, data: &mut [u8]) {
        let (kind, header) = match link {
            1 => (data.get(12..14), 14),
            113 => (data.get(14..16), 16),
            276 => (data.get(0..2), 20),
            other => panic!("link type {other}"),
        };
        if matches!(kind, Some([8, 0] | [0x86, 0xdd]))
            && let Some(packet) = data.get_mut(header..)
        {
            self.ip(packet);
        }
    }
}

fn add(field: Option<&mut [u8]>, shift: u32) {
    if let Some([a, b, c, d]) = field {
        let sum = u32::from_be_bytes([*a, *b, *c, *d]).wrapping_add(shift);
        [*a, *b, *c, *d] = sum.to_be_bytes();
    }
}

/// A day later, and all takes a little longer.
fn later(at: Timestamp, first: Timestamp) -> Timestamp {
    let day = std::time::Duration::from_secs(86_400);
    first.after(day).after(at.since(first).mul_f64(1.02))
}

fn recorded_again(path: &Path, first: &Snapshot) -> Snapshot {
    let servers = first.summaries.iter().map(|it| it.server.port);
    let again = Again {
        servers: servers.collect(),
    };
    let mut source = open(&[path], &OpenOptions::default()).unwrap();
    let mut writer = PcapngWriter::new(Vec::new()).unwrap();
    let mut batch = Batch::default();
    let mut began = None;
    while source.fill(&mut batch).unwrap() != Fill::End {
        for frame in batch.frames() {
            let mut data = frame.data.to_vec();
            again.frame(frame.link.0, &mut data);
            let began = *began.get_or_insert(frame.time);
            let rewritten = Frame {
                data: &data,
                time: later(frame.time, began),
                ..frame
            };
            writer.frame(&rewritten).unwrap();
        }
        batch.clear();
    }
    let bytes = writer.finish().unwrap();
    reading::read(&bytes, 1).unwrap().snapshot
}

#[test]
fn no_capture_differs_from_itself() {
    let mut wrong = Vec::new();
    for path in captures() {
        let one = snapshot(&path);
        if one.summaries.is_empty() {
            continue;
        }
        let again = recorded_again(&path, &one);
        assert_eq!(
            one.summaries.len(),
            again.summaries.len(),
            "{}",
            path.display()
        );
        for (how, other) in [("itself", &one), ("recorded again", &again)] {
            let comparison = Comparison::of_captures(&one, other);
            assert!(
                !comparison.has_nothing_in_common(),
                "{} {how}",
                path.display()
            );
            for difference in told(&comparison) {
                wrong.push(format!("{} {how}: {difference}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_two_servers_of_case_13_differ_in_the_header_the_fins_and_time_wait() {
    let [once, twice] = ["once", "twice"]
        .map(|it| snapshot(Path::new(&format!("captures/announced-close-{it}.pcapng"))));
    let comparison = Comparison::of_captures(&once, &twice);
    assert_eq!(
        told(&comparison),
        [
            "response-connection: `close` 12/12 | `close` twice on 2 lines 12/12",
            "closing: server FIN, then client FIN 12/12 | client FIN, then server FIN 12/12",
            "time-wait: server 12/12 | client 12/12",
        ]
    );
    let json = json(&comparison);
    let schema = fs::read_to_string("docs/schema/hangup-diff-1.json").unwrap();
    let schema = jsonschema::validator_for(&serde_json::from_str(&schema).unwrap()).unwrap();
    assert!(schema.is_valid(&json), "docs/schema/hangup-diff-1.json");
    assert_eq!(json["differences"], 3);
    assert_eq!(json["services"][0]["chance"], serde_json::json!([]));
    let example = &json["services"][0]["differences"][1]["b"][0]["example"];
    assert_eq!(example["connection"], 1);
    assert_eq!(example["frames"].as_array().unwrap().len(), 2);
}
