//! Healthy traffic alarms nobody, whole or in part: what a capture lacks is not what the hosts did.

use std::path::{Path, PathBuf};

use hangup::packet::capture::{Batch, Fill, OpenOptions, open};
use hangup::{Analysis, AnalysisOptions, Severity};

/// A frame of a capture: seconds and microseconds, length on the wire, and what was captured.
#[derive(Clone)]
struct Record {
    time: [u32; 2],
    length: u32,
    data: Vec<u8>,
}

/// A name, and what it takes of a capture.
type Part = (&'static str, fn(Vec<Record>) -> Vec<Record>);

/// The ways to capture only a part.
const PARTS: &[Part] = &[
    ("whole", |all| all),
    ("begun late", |all| after(all, 40)),
    ("begun a little late", |all| after(all, 13)),
    ("ended early", |all| before(all, 60)),
    ("ended a little early", |all| before(all, 87)),
    ("the middle", |all| after(before(all, 80), 30)),
    ("96 bytes of each frame", |all| cut(all, 96)),
    ("68 bytes of each frame", |all| cut(all, 68)),
    ("every 7th frame lost", |all| without(all, 7, 3)),
    ("every 11th frame lost", |all| without(all, 11, 5)),
    ("from the server alone", |all| one_way(all, true)),
    ("from the client alone", |all| one_way(all, false)),
    ("without bare acknowledgements", |mut all| {
        all.retain(|it| !is_bare_ack(&it.data));
        all
    }),
];

/// Captures in which something is lost after all, and the rule that says so.
const TROUBLE: &[(&str, &str)] = &[("dns-fail", "name-resolution-failed")];

fn after(all: Vec<Record>, percent: usize) -> Vec<Record> {
    let first = all.len() * percent / 100;
    all.into_iter().skip(first).collect()
}

fn before(mut all: Vec<Record>, percent: usize) -> Vec<Record> {
    all.truncate(all.len() * percent / 100);
    all
}

fn cut(mut all: Vec<Record>, bytes: usize) -> Vec<Record> {
    all.iter_mut().for_each(|it| it.data.truncate(bytes));
    all
}

fn without(all: Vec<Record>, nth: usize, of: usize) -> Vec<Record> {
    let kept = all.into_iter().enumerate();
    let kept = kept.filter(|(at, _)| at % nth != of);
    kept.map(|(_, it)| it).collect()
}

fn one_way(mut all: Vec<Record>, from_lower: bool) -> Vec<Record> {
    all.retain(|it| {
        tcp(&it.data).is_some_and(|(header, _)| {
            let port = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
            (port(0) < port(2)) == from_lower
        })
    });
    all
}

fn is_bare_ack(frame: &[u8]) -> bool {
    const ACK: u8 = 0x10;
    tcp(frame).is_some_and(|(header, payload)| header[13] == ACK && payload == 0)
}

/// The TCP header and the length of the payload, after Ethernet (or Linux's cooked header) and IPv4.
fn tcp(frame: &[u8]) -> Option<(&[u8], usize)> {
    let ip = [14, 20].into_iter().find_map(|at| {
        let ip = frame.get(at..)?;
        (ip.first()? >> 4 == 4 && *ip.get(9)? == 6).then_some(ip)
    })?;
    let header = ip.get(usize::from(ip[0] & 15) * 4..)?;
    let whole = usize::from(u16::from_be_bytes([*ip.get(2)?, *ip.get(3)?]));
    let own = usize::from(header.get(12)? >> 4) * 4;
    let payload = whole.checked_sub(usize::from(ip[0] & 15) * 4 + own)?;
    Some((header, payload))
}

/// The header of a pcap file of its link type, and its frames.
fn read(path: &Path) -> (Vec<u8>, Vec<Record>) {
    let mut link = 1;
    let mut source = open(&[path], &OpenOptions::default()).expect("a capture");
    let (mut batch, mut all) = (Batch::default(), Vec::new());
    while source.fill(&mut batch).expect("frames") != Fill::End {
        all.extend(batch.frames().map(|frame| {
            link = u32::from(frame.link.0);
            let nanos = frame.time.as_nanos();
            let (seconds, rest) = (nanos / 1_000_000_000, nanos % 1_000_000_000);
            Record {
                time: [seconds as u32, (rest / 1000) as u32],
                length: frame.length,
                data: frame.data.to_vec(),
            }
        }));
    }
    let head = [0xa1b2_c3d4, 2 | 4 << 16, 0, 0, 262_144, link];
    (head.map(u32::to_le_bytes).concat(), all)
}

fn write(path: &Path, header: &[u8], all: &[Record]) {
    let mut bytes = header.to_vec();
    for record in all {
        let captured = record.data.len() as u32;
        for number in [record.time[0], record.time[1], captured, record.length] {
            bytes.extend(number.to_le_bytes());
        }
        bytes.extend(&record.data);
    }
    std::fs::write(path, bytes).expect("room for a capture");
}

#[test]
fn nobody_is_alarmed_whatever_part_was_captured() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("captures/healthy");
    let scratch = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("healthy.pcap");
    let mut names: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("captures")
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            let name = path.to_string_lossy();
            name.ends_with(".pcap") || name.ends_with(".pcap.gz")
        })
        .collect();
    names.sort();
    assert!(names.len() >= 90, "{}", names.len());
    let mut alarms = Vec::new();
    for path in &names {
        let file = path.file_name().expect("a name").to_string_lossy();
        let (name, _) = file.split_once('.').expect("a name and its ending");
        let key_log = path.with_file_name(format!("{name}.keylog"));
        let mut options = vec![AnalysisOptions::default()];
        if key_log.exists() {
            let mut with_keys = AnalysisOptions::default();
            with_keys.key_logs = vec![key_log];
            options.push(with_keys);
        }
        let (header, all) = read(path);
        for (part, take) in PARTS {
            write(&scratch, &header, &take(all.clone()));
            for options in &options {
                let analysis = Analysis::with_options([&scratch], options).expect("a capture");
                let wrong = analysis.findings().iter().filter(|it| {
                    it.severity >= Severity::Warning && !TROUBLE.contains(&(name, it.rule))
                });
                alarms.extend(wrong.map(|it| {
                    format!(
                        "{name}, {part}: {} {} ({})",
                        it.severity, it.rule, it.message
                    )
                }));
            }
        }
    }
    assert!(alarms.is_empty(), "{}", alarms.join("\n"));
}
