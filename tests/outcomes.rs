//! Outcomes and findings agree: a connection with an error is not fine, and one whose findings are all benign has not
//! failed. Checked over the ladders of the rules' pages and of `tests/ladders/`, the captures of this repository, and
//! those below `HANGUP_SHARED`, if that is set.
//!
//! Of captures that lack a part the same holds, and a connection that failed has a finding that says so.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use hangup::base::frame_ref::FrameNumber;
use hangup::base::net::{Endpoint, Flags};
use hangup::base::time::Timestamp;
use hangup::packet::capture::{Batch, Fill, Frame, LinkType, OpenOptions, PcapngWriter, open};
use hangup::packet::decode::{Decoded, Decoder};
use hangup::rules::{CATALOGUE, Finding, Severity, ladder_check, ladders};
use hangup::{Analysis, AnalysisOptions, Connection, Records};

/// Rules whose errors are about ports, queues or time: the connections that they name felt nothing of it, came late but
/// whole, or brought the bad news in a complete response.
const ABOUT_HOSTS: [&str; 6] = [
    "accept-queue-overflow",
    "ephemeral-port-pressure",
    "ephemeral-ports-exhausted",
    "nat-ports-exhausted",
    "server-time-limit",
    "time-wait-reuse-refused",
];

/// Where findings and outcome contradict each other.
fn contradictions<'a>(
    connections: impl Iterator<Item = &'a Connection>,
    findings: &[Finding],
) -> Vec<String> {
    let mut named: BTreeMap<u32, Vec<&Finding>> = BTreeMap::new();
    for finding in findings {
        for id in &finding.connections {
            named.entry(*id).or_default().push(finding);
        }
    }
    let mut found = Vec::new();
    for connection in connections {
        let named = named.remove(&connection.id).unwrap_or_default();
        let worst = named.iter().map(|it| it.severity).max();
        let error = named
            .iter()
            .find(|it| it.severity == Severity::Error && !ABOUT_HOSTS.contains(&it.rule));
        let outcome = connection.outcome;
        let rule = match (error, worst) {
            (Some(error), _) if outcome.is_fine() => error.rule,
            (_, Some(Severity::Benign)) if outcome.is_failed() => named[0].rule,
            _ => continue,
        };
        found.push(format!("#{} {rule}: {outcome}", connection.id));
    }
    found
}

/// Captures, and the outcomes of their connections with the number of each.
const OUTCOMES: [(&str, &[(&str, u64)]); 16] = [
    ("field/r10-redis-idle-timeout", &[("failed no-response", 1)]),
    (
        "field/r11-redis-azure-idle-rst",
        &[("failed no-response", 1)],
    ),
    ("field/r13-pg-crash-in-query", &[("failed no-response", 1)]),
    (
        "field/r20-mqtt-duplicate-id",
        &[("failed session-cut", 7), ("unknown still-open", 1)],
    ),
    ("field/r27-tls-lb-probe@server", &[("fine unused", 6)]),
    (
        "field/r43-nginx-refused-502-any",
        &[("failed gateway-error", 1), ("failed refused", 1)],
    ),
    ("field/s18-alb-502@client", &[("failed gateway-error", 1)]),
    (
        "field/right-today/r06-ws-1006-nginx-any",
        &[("failed websocket-abnormal", 2)],
    ),
    (
        "field/right-today/r26-tls-unexpected-eof",
        &[("unknown encrypted", 2)],
    ),
    (
        "field/right-today/r01-node-server-timeout@server",
        &[("fine complete", 3)],
    ),
    (
        "claims/accept-queue-full-opaque",
        &[("failed bytes-lost", 1)],
    ),
    (
        "claims/forgotten-after-908s-opaque",
        &[("failed bytes-lost", 1)],
    ),
    (
        "claims/capture-begins-with-last-fin",
        &[("unknown began-before", 1), ("unknown still-open", 1)],
    ),
    ("lab/normal-syn-rst-portscan", &[("fine cancelled", 3)]),
    ("lab/benign-loss10--curl", &[("fine complete", 1)]),
    ("lab/websocket-rst", &[("failed websocket-abnormal", 1)]),
];

#[test]
fn shared_captures_come_out_as_they_went() {
    let Some(shared) = std::env::var_os("HANGUP_SHARED") else {
        eprintln!("HANGUP_SHARED is not set: nothing was checked");
        return;
    };
    let mut wrong = Vec::new();
    for (name, wanted) in OUTCOMES {
        let path = Path::new(&shared).join(format!("captures/{name}.pcap"));
        let analysis = Analysis::of_files([path]).expect("a capture");
        let mut got: BTreeMap<String, u64> = BTreeMap::new();
        for summary in analysis.summaries() {
            let outcome = summary.outcome;
            *got.entry(format!("{} {}", outcome.name(), outcome.reason()))
                .or_default() += 1;
        }
        let wanted: BTreeMap<String, u64> = wanted
            .iter()
            .map(|(outcome, count)| ((*outcome).to_owned(), *count))
            .collect();
        if got != wanted {
            wrong.push(format!("{name}: {got:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let path = entry.path();
        let name = path.to_string_lossy().into_owned();
        if path.is_dir() {
            files(&path, found);
        } else if name.contains(".pcap") || name.contains(".cap") || name.contains(".dmp") {
            found.push(path);
        }
    }
}

fn check(folder: &Path) {
    let mut all = Vec::new();
    files(folder, &mut all);
    all.sort();
    let mut options = AnalysisOptions::default();
    options.records = Records::All;
    let mut wrong = Vec::new();
    for path in all {
        // Some are no captures.
        let Ok(analysis) = Analysis::with_options([&path], &options) else {
            continue;
        };
        let connections = analysis.connections().iter().map(AsRef::as_ref);
        for it in contradictions(connections, analysis.findings()) {
            wrong.push(format!("{}: {it}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{:#?}", wrong);
}

#[test]
fn in_ladders_findings_and_outcomes_agree() {
    let mut texts: Vec<(String, String)> = Vec::new();
    for rule in CATALOGUE.iter() {
        let of_page = ladders(&rule.page()).into_iter();
        texts.extend(of_page.map(|(line, text)| (format!("{} {line}", rule.name), text)));
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ladders");
    for entry in std::fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("it can be listed").path();
        let markdown = std::fs::read_to_string(&path).expect("a story is text");
        let of_story = ladders(&markdown).into_iter();
        texts.extend(of_story.map(|(line, text)| (format!("{}:{line}", path.display()), text)));
    }
    let mut wrong = Vec::new();
    for (place, text) in texts {
        let proof = ladder_check::run(&text.parse().expect("a ladder"));
        for it in contradictions(proof.connections.iter(), &proof.findings) {
            wrong.push(format!("{place}: {it}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn in_captures_findings_and_outcomes_agree() {
    check(&Path::new(env!("CARGO_MANIFEST_DIR")).join("captures"));
}

#[test]
fn in_shared_captures_findings_and_outcomes_agree() {
    let Some(shared) = std::env::var_os("HANGUP_SHARED") else {
        eprintln!("HANGUP_SHARED is not set: nothing was checked");
        return;
    };
    check(&Path::new(&shared).join("captures"));
}

/// A packet of a capture, with what decides whether a variant has it.
#[derive(Clone)]
struct Packet {
    time: Timestamp,
    link: LinkType,
    length: u32,
    data: Vec<u8>,
    /// Of a TCP segment: its sender and receiver, its flags, and whether it has payload.
    segment: Option<(Endpoint, Endpoint, Flags, bool)>,
}

fn packets(path: &Path) -> Vec<Packet> {
    let Ok(mut source) = open(&[path], &OpenOptions::default()) else {
        return Vec::new();
    };
    let mut decoder = Decoder::new();
    let (mut batch, mut all) = (Batch::default(), Vec::new());
    while source.fill(&mut batch).is_ok_and(|it| it != Fill::End) {
        for frame in batch.frames() {
            let segment = match decoder.decode(&frame) {
                Ok(Decoded::Segment(it)) => {
                    let payload = it.length > 0;
                    Some((it.source, it.destination, it.flags, payload))
                }
                _ => None,
            };
            all.push(Packet {
                time: frame.time,
                link: frame.link,
                length: frame.length,
                data: frame.data.to_vec(),
                segment,
            });
        }
    }
    all
}

/// The packets as a capture in pcapng.
fn written(packets: &[Packet]) -> Vec<u8> {
    let mut writer = PcapngWriter::new(Vec::new()).expect("memory takes it");
    for packet in packets {
        let frame = Frame {
            number: FrameNumber(1),
            time: packet.time,
            link: packet.link,
            interface: 0,
            length: packet.length,
            passage: Default::default(),
            data: &packet.data,
        };
        writer.frame(&frame).expect("memory takes it");
    }
    writer.finish().expect("memory takes it")
}

/// What captures lack: each with its name.
fn lacking(all: &[Packet]) -> Vec<(&'static str, Vec<Packet>)> {
    let thinned = |keeps: &dyn Fn(usize, &Packet) -> bool| -> Vec<Packet> {
        let kept = all.iter().enumerate().filter(|(at, it)| keeps(*at, it));
        kept.map(|(_, it)| it.clone()).collect()
    };
    let opens = |it: &Packet, answer: bool| {
        let flags = it.segment.map(|it| it.2);
        flags.is_some_and(|it| it.has(Flags::SYN) && it.has(Flags::ACK) == answer)
    };
    let mut clients: BTreeMap<(Endpoint, Endpoint), Endpoint> = BTreeMap::new();
    for (source, destination, flags, _) in all.iter().filter_map(|it| it.segment) {
        let pair = (source.min(destination), source.max(destination));
        if flags.has(Flags::SYN) && !flags.has(Flags::ACK) || !clients.contains_key(&pair) {
            clients.insert(pair, source);
        }
    }
    let from_client = |it: &Packet| {
        let segment = it.segment;
        segment
            .map(|(source, other, ..)| clients[&(source.min(other), source.max(other))] == source)
    };
    let bare = |it: &Packet| {
        let segment = it.segment;
        segment.is_some_and(|(_, _, flags, payload)| {
            let control = [Flags::SYN, Flags::FIN, Flags::RST];
            !payload && !control.iter().any(|it| flags.has(*it))
        })
    };
    let count = all.len();
    let mut snapped = all.to_vec();
    snapped.iter_mut().for_each(|it| it.data.truncate(96));
    vec![
        ("whole", all.to_vec()),
        ("no SYN", thinned(&|_, it| !opens(it, false))),
        (
            "no SYN and no SYN-ACK",
            thinned(&|_, it| !opens(it, false) && !opens(it, true)),
        ),
        ("last two thirds", thinned(&|at, _| at >= count / 3)),
        ("first two thirds", thinned(&|at, _| at < count * 2 / 3)),
        ("96 bytes of each", snapped),
        (
            "from clients",
            thinned(&|_, it| from_client(it) != Some(false)),
        ),
        (
            "from servers",
            thinned(&|_, it| from_client(it) != Some(true)),
        ),
        ("one in ten lost", thinned(&|at, _| at % 10 != 6)),
        ("one in ten lost, others", thinned(&|at, _| at % 10 != 3)),
        (
            "three in ten lost",
            thinned(&|at, _| !matches!(at * 7 % 10, 1..=3)),
        ),
        ("no bare ACKs", thinned(&|_, it| !bare(it))),
    ]
}

/// Connections that failed, and of which no finding says so.
fn untold<'a>(
    connections: impl Iterator<Item = &'a Connection>,
    findings: &[Finding],
) -> Vec<String> {
    let told = |id: u32| {
        // The same connection behind an address translation is named in the text.
        let twin = format!("#{id} is the same connection");
        let mut all = findings.iter().filter(|it| it.severity > Severity::Benign);
        all.any(|it| it.connections.contains(&id) || it.message.contains(&twin))
    };
    let failed = connections.filter(|it| it.outcome.is_failed() && !told(it.id));
    failed
        .map(|it| format!("#{} is told by no finding: {}", it.id, it.outcome))
        .collect()
}

/// Where findings and outcomes of captures that lack something contradict each other.
fn contradictions_where_something_lacks(all: &[PathBuf]) -> Vec<String> {
    let (next, wrong) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("lacking");
    std::fs::create_dir_all(&folder).expect("a folder");
    let mut options = AnalysisOptions::default();
    options.records = Records::All;
    let work = |worker: usize| {
        let file = folder.join(format!("{worker}.pcapng"));
        while let Some(path) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
            let whole = packets(path);
            for (variant, packets) in lacking(&whole) {
                std::fs::write(&file, written(&packets)).expect("there is room");
                let Ok(analysis) = Analysis::with_options([&file], &options) else {
                    continue;
                };
                let connections = || analysis.connections().iter().map(AsRef::as_ref);
                let mut found = contradictions(connections(), analysis.findings());
                found.extend(untold(connections(), analysis.findings()));
                let found = found
                    .iter()
                    .map(|it| format!("{}, {variant}: {it}", path.display()));
                wrong.lock().expect("no worker panicked").extend(found);
            }
        }
    };
    std::thread::scope(|scope| {
        for worker in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            let work = &work;
            scope.spawn(move || work(worker));
        }
    });
    let mut wrong = wrong.into_inner().expect("no worker panicked");
    wrong.sort();
    wrong
}

#[test]
fn in_captures_that_lack_something_findings_and_outcomes_agree() {
    let mut all = Vec::new();
    match std::env::var_os("HANGUP_LACKING") {
        Some(list) => {
            let list = std::fs::read_to_string(list).expect("a list of captures");
            all.extend(list.lines().map(PathBuf::from));
        }
        None => files(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join("captures"),
            &mut all,
        ),
    }
    let wrong = contradictions_where_something_lacks(&all);
    assert!(wrong.is_empty(), "{} {wrong:#?}", wrong.len());
}
