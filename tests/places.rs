//! Captures of the same connections at two places. What both together say is held against the kernels of both hosts, and
//! against what each says alone: it is never less certain. It depends neither on the clocks of the places, nor on NAT, nor on
//! boxes that change the numbers.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use hangup::analysis::connection::{By, Connection, How};
use hangup::report::{Format, ReportOptions};
use hangup::{Analysis, AnalysisOptions};

const DIR: &str = "captures/places";

fn analyse(paths: &[PathBuf]) -> Analysis {
    let mut options = AnalysisOptions::default();
    options.records = hangup::Records::All;
    Analysis::with_options(paths.to_vec(), &options).unwrap()
}

/// `by how` in the words of the table.
fn told(connection: &Connection) -> [&'static str; 2] {
    let teardown = &connection.teardown;
    let by = match teardown.by {
        By::Nobody => "null",
        by => by.name(),
    };
    let how = match teardown.how {
        How::Fin => "fin",
        How::Reset(_) => "reset",
        How::Silence => "silence",
        How::Open => "open",
    };
    [by, how]
}

/// One connection in `truth.tsv`.
struct Truth {
    recording: String,
    cells: BTreeMap<String, String>,
}

impl Truth {
    fn all() -> Vec<Self> {
        let table = fs::read_to_string(format!("{DIR}/truth.tsv")).unwrap();
        let mut lines = table.lines();
        let names: Vec<&str> = lines.next().unwrap().split('\t').collect();
        let rows = lines.map(|line| {
            let cells = names.iter().zip(line.split('\t'));
            let cells: BTreeMap<String, String> = cells
                .map(|(name, cell)| ((*name).to_owned(), cell.to_owned()))
                .collect();
            Self {
                recording: cells["recording"].clone(),
                cells,
            }
        });
        rows.collect()
    }

    fn cell(&self, name: &str) -> &str {
        &self.cells[name]
    }

    /// Its two ends as one place shows them.
    fn is(&self, place: &str, connection: &Connection) -> bool {
        self.cell(place) == format!("{}>{}", connection.client, connection.server)
    }
}

fn files(recording: &str) -> Vec<PathBuf> {
    let places = ["", "@server", "@server2", "@router"];
    let all = places.map(|place| format!("{DIR}/{recording}{place}.pcap"));
    all.into_iter()
        .map(PathBuf::from)
        .filter(|it| it.exists())
        .collect()
}

/// What the packets show is less than what the kernels know, or is named otherwise.
const OTHERWISE: &[(&str, [&str; 2])] = &[
    // The FINs crossed: neither side had the other's.
    ("both-close-at-once", ["both", "fin"]),
    ("lossy-parallel", ["both", "fin"]),
    // Nothing of port 81 is in the recording of the server: a capture filter would have the same effect.
    ("refused-on-the-way", ["server", "reset"]),
    // The recording of the server ends before the RST: whether it was running is not known.
    ("translation-forgotten-reset", ["server", "reset"]),
    // The server's kernel dropped the connection without a word; its RST without a socket is what shows it.
    ("response-lost-for-ever", ["server", "reset"]),
];

#[test]
fn two_places_agree_with_the_kernels_and_are_no_less_certain_than_one() {
    let truths = Truth::all();
    let mut recordings: Vec<&str> = truths.iter().map(|it| it.recording.as_str()).collect();
    recordings.dedup();
    let mut faults = Vec::new();
    for recording in recordings {
        let files = files(recording);
        let both = analyse(&files);
        let singles: Vec<Analysis> = files
            .iter()
            .map(|it| analyse(std::slice::from_ref(it)))
            .collect();
        let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
        for truth in truths.iter().filter(|it| it.recording == recording) {
            let nth = seen.entry(truth.cell("client_place")).or_default();
            let of = |analysis: &Analysis, place: &str| {
                let mut own = analysis
                    .connections()
                    .iter()
                    .filter(|it| truth.is(place, it));
                own.nth(*nth).cloned()
            };
            let seen_at = of(&both, "client_place").or_else(|| of(&both, "server_place"));
            let Some(connection) = seen_at else {
                faults.push(format!(
                    "{recording}: {} is not there",
                    truth.cell("client_place")
                ));
                continue;
            };
            let told = told(&connection);
            let wanted = [truth.cell("by"), truth.cell("how")];
            let otherwise = OTHERWISE
                .iter()
                .any(|(name, as_told)| *name == recording && *as_told == told);
            if told != wanted && !otherwise {
                faults.push(format!("{recording}: {told:?}, not {wanted:?}"));
            }
            for single in &singles {
                let alone = of(single, "client_place").or_else(|| of(single, "server_place"));
                let Some(alone) = alone else { continue };
                if connection.teardown.certainty > alone.teardown.certainty && !otherwise {
                    faults.push(format!("{recording}: less certain than {}", alone.teardown));
                }
            }
            *nth += 1;
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn a_forged_reset_is_certain_with_its_proof() {
    for recording in [
        "forged-to-both",
        "forged-to-both-right-ttl",
        "forged-to-client",
        "forged-to-client-right-ttl",
        "forged-to-server",
    ] {
        let both = analyse(&files(recording));
        let findings = both.findings().iter();
        let found: Vec<_> = findings.filter(|it| it.rule == "reset-injected").collect();
        let [finding] = found[..] else {
            panic!("{recording}: {:?}", both.findings());
        };
        assert_eq!(finding.certainty.name(), "certain", "{recording}");
        assert!(
            finding.message.contains("does not have this RST"),
            "{}",
            finding.message
        );
    }
}

/// The client's capture alone shows that the RST is too fast for the server, which would have sent its timestamps too.
#[test]
fn a_reset_faster_than_a_round_trip_is_not_laid_on_the_server() {
    let alone = analyse(&[PathBuf::from(DIR).join("forged-to-both-right-ttl.pcap")]);
    assert_eq!(told(&alone.connections()[0]), ["middlebox", "reset"]);
    let findings = alone.findings();
    assert_eq!(findings[0].rule, "reset-injected");
    assert_eq!(findings[0].certainty.name(), "likely");
}

/// Who refused is not certain in one capture; a RST from nearer than the server's answers is said to be from before it.
#[test]
fn a_refusal_in_the_name_of_the_server_is_not_certain() {
    for (recording, nearer) in [("refused-on-the-way", true), ("refused-by-server", false)] {
        let alone = analyse(&[PathBuf::from(DIR).join(format!("{recording}.pcap"))]);
        let last = alone.connections().last().unwrap();
        assert_eq!(last.teardown.certainty.name(), "likely", "{recording}");
        let finding = &alone.findings()[0];
        let said = finding.message.contains("passed fewer routers");
        assert_eq!(
            (finding.rule, said),
            ("connection-refused", nearer),
            "{recording}"
        );
    }
}

/// A FIN after the other side's data was lost for ever does not make the silence an open connection.
#[test]
fn a_fin_that_is_lost_as_well_does_not_end_a_silence() {
    let dir = std::env::temp_dir().join(format!("hangup-silence-{}", std::process::id()));
    fs::create_dir_all(&dir).unwrap();
    let [client, server] = &files("response-lost-for-ever")[..] else {
        panic!("two files");
    };
    // The RST that answers the FIN is left out, and the FIN where it would have arrived.
    let paths = [dir.join("client.pcap"), dir.join("server.pcap")];
    for (path, file, frames) in [(&paths[0], client, 6), (&paths[1], server, 10)] {
        let bytes = fs::read(file).unwrap();
        let end = (0..frames).fold(24, |at, _| {
            at + 16 + u32::from_le_bytes(bytes[at + 8..at + 12].try_into().unwrap()) as usize
        });
        fs::write(path, &bytes[..end]).unwrap();
    }
    let both = analyse(&paths);
    assert_eq!(told(&both.connections()[0]), ["null", "silence"]);
    let _ = fs::remove_dir_all(&dir);
}

/// Where only notable records are kept, most connections are not tracked; two places of them still say the same.
#[test]
fn plain_connections_are_the_same_at_two_places() {
    for recording in [
        "clean-parallel",
        "clean-heavy",
        "masquerade",
        "request-crosses-close",
    ] {
        let mut options = AnalysisOptions::default();
        options.records = hangup::Records::Notable;
        let few = Analysis::with_options(files(recording), &options).unwrap();
        let all = analyse(&files(recording));
        assert_eq!(few.summaries(), all.summaries(), "{recording}");
    }
}

/// A change of each frame of a classic capture of Ethernet; it keeps the length.
type Change = fn(&mut [u8]);

fn changed(file: &[u8], change: Change) -> Vec<u8> {
    let mut out = file.to_vec();
    let mut at = 24;
    while at + 16 <= out.len() {
        let length = u32::from_le_bytes(out[at + 8..at + 12].try_into().unwrap()) as usize;
        change(&mut out[at + 16..at + 16 + length]);
        at += 16 + length;
    }
    out
}

/// Works on the timestamps of a frame; blanks them if it returns nothing.
fn timestamps(frame: &mut [u8], to: fn([u32; 2]) -> Option<[u32; 2]>) {
    if frame.get(12..14) != Some(&[8, 0]) || frame.get(23) != Some(&6) {
        return;
    }
    let (mut at, end) = (54, 34 + usize::from(frame[46] >> 4) * 4);
    while at + 10 <= end {
        match frame[at] {
            8 => {
                let word = |at: usize| u32::from_be_bytes(frame[at..at + 4].try_into().unwrap());
                match to([word(at + 2), word(at + 6)]) {
                    None => frame[at..at + 10].fill(1),
                    Some([value, echo]) => {
                        frame[at + 2..at + 6].copy_from_slice(&value.to_be_bytes());
                        frame[at + 6..at + 10].copy_from_slice(&echo.to_be_bytes());
                    }
                }
                return;
            }
            1 => at += 1,
            _ => at += usize::from(frame[at + 1]).max(1),
        }
    }
}

fn without_timestamps(frame: &mut [u8]) {
    timestamps(frame, |_| None);
}

fn without_identification(frame: &mut [u8]) {
    without_timestamps(frame);
    frame[18..20].fill(0);
}

fn of_another_stack(frame: &mut [u8]) {
    timestamps(frame, |[value, echo]| {
        Some([value ^ 0x5a5a_0000, echo ^ 0x5a5a_0000])
    });
}

fn to_another_address(frame: &mut [u8]) {
    for at in [26, 30] {
        if frame[at..at + 4] == [10, 81, 0, 2] {
            frame[at..at + 4].copy_from_slice(&[10, 82, 0, 1]);
        }
    }
}

/// A box gives both directions other numbers. The connection is one as long as anything else proves it, and is otherwise
/// shown as each place shows it.
#[test]
fn connections_with_other_numbers_are_joined_or_kept_apart() {
    let dir = std::env::temp_dir().join(format!("hangup-numbers-{}", std::process::id()));
    fs::create_dir_all(&dir).unwrap();
    let same: Change = |_| {};
    let cases: [(&str, Change, Change, bool); 6] = [
        ("as recorded", same, same, true),
        (
            "IP identification",
            without_timestamps,
            without_timestamps,
            true,
        ),
        (
            "payload",
            without_identification,
            without_identification,
            true,
        ),
        ("other addresses", same, to_another_address, true),
        (
            "legs of a proxy",
            without_identification,
            to_another_address,
            false,
        ),
        (
            "a box between with a stack of its own",
            same,
            of_another_stack,
            false,
        ),
    ];
    for (name, client, server, joined) in cases {
        let [first, second] = &files("sequence-rewritten")[..] else {
            panic!("two files");
        };
        let paths = [dir.join("client.pcap"), dir.join("server.pcap")];
        for (path, file, change) in [(&paths[0], first, client), (&paths[1], second, server)] {
            fs::write(path, changed(&fs::read(file).unwrap(), change)).unwrap();
        }
        let both = analyse(&paths);
        let connections = both.connections();
        assert_eq!(connections.len(), if joined { 1 } else { 2 }, "{name}");
        for connection in connections {
            assert_eq!(told(connection), ["client", "fin"], "{name}");
            assert!(connection.teardown.orderly, "{name}");
        }
        assert!(both.findings().is_empty(), "{name}: {:?}", both.findings());
        let inputs = &both.summary().inputs;
        let Some(vantage) = inputs[1].vantage else {
            assert!(!joined, "{name}");
            continue;
        };
        if joined {
            assert_eq!(
                (vantage.flows, vantage.renumbered, vantage.apart),
                (1, 1, 0),
                "{name}"
            );
            // Seven segments did not pass. Without timestamps the first of two that are equal may be the lost one, or not.
            let lost = vantage.lost() + inputs[0].vantage.unwrap().lost();
            assert!((1..=7).contains(&lost), "{name}: {lost}");
        } else {
            assert_eq!((vantage.flows, vantage.apart), (0, 1), "{name}");
        }
    }
    let _ = fs::remove_dir_all(&dir);
    // A router that answers SYNs itself has numbers and timestamps of its own for the server.
    let proxied = analyse(&files("syn-proxy"));
    let vantage = proxied.summary().inputs[1].vantage.unwrap();
    assert_eq!(
        (vantage.flows, vantage.renumbered, vantage.apart),
        (2, 2, 0)
    );
    assert_eq!(proxied.connections().len(), 2);
}

/// How much the clock of the second file is changed.
#[derive(Clone, Copy, Debug)]
struct Clock {
    ahead: i64,
    drift_ppm: i64,
}

/// The same classic capture with another clock.
fn shifted(file: &[u8], clock: Clock) -> Vec<u8> {
    let mut out = file[..24].to_vec();
    let word = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap());
    let unit = if word(0) == 0xa1b2_3c4d { 1 } else { 1000 };
    let (mut at, mut start) = (24, None);
    while at + 16 <= file.len() {
        let time = i64::from(word(at)) * 1_000_000_000 + i64::from(word(at + 4)) * unit;
        let start = *start.get_or_insert(time);
        let time = time + clock.ahead + (time - start) / 1_000_000 * clock.drift_ppm;
        let seconds = u32::try_from(time.div_euclid(1_000_000_000)).unwrap();
        let fraction = u32::try_from(time.rem_euclid(1_000_000_000) / unit).unwrap();
        let end = at + 16 + word(at + 8) as usize;
        out.extend(seconds.to_le_bytes());
        out.extend(fraction.to_le_bytes());
        out.extend(&file[at + 8..end]);
        at = end;
    }
    out
}

/// The report without the lines about the clock.
fn report(paths: &[PathBuf]) -> String {
    let mut out = Vec::new();
    analyse(paths)
        .write_report(Format::Text, &ReportOptions::default(), &mut out)
        .unwrap();
    let text = String::from_utf8(out).unwrap();
    let mut lines: Vec<&str> = Vec::new();
    let mut in_clock = false;
    for line in text.lines() {
        in_clock = line.starts_with("  Clock ") || in_clock && line.starts_with("        ");
        if !in_clock {
            lines.push(line);
        }
    }
    lines.join("\n")
}

#[test]
fn the_report_does_not_depend_on_the_clocks() {
    let dir = std::env::temp_dir().join(format!("hangup-places-{}", std::process::id()));
    fs::create_dir_all(&dir).unwrap();
    let second = 1_000_000_000;
    let clocks = [
        (20_000_000, 0),
        (-20_000_000, 0),
        (3 * second / 2, 0),
        (-3 * second / 2, 0),
        (3600 * second, 0),
        (-3600 * second, 0),
        (0, 100),
    ];
    for recording in [
        "forged-to-both",
        "forged-to-client-right-ttl",
        "server-reset-lost",
        "fin-lost-for-ever",
        "data-lost-once",
        "clean-parallel",
        "masquerade",
        "both-translated",
        "large-segments-lost",
    ] {
        let [client, server] = &files(recording)[..] else {
            panic!("{recording} has two files");
        };
        let own = fs::read(server).unwrap();
        let moved = dir.join(format!("{recording}@server.pcap"));
        let paths = [client.clone(), moved.clone()];
        fs::write(&moved, &own).unwrap();
        let wanted = report(&paths);
        for (ahead, drift_ppm) in clocks {
            let clock = Clock { ahead, drift_ppm };
            fs::write(&moved, shifted(&own, clock)).unwrap();
            assert_eq!(report(&paths), wanted, "{recording}, {clock:?}");
        }
    }
    let _ = fs::remove_dir_all(&dir);
}

/// All recordings of several places.
fn recordings() -> BTreeSet<String> {
    let all = fs::read_dir(DIR).unwrap().map(|it| it.unwrap().path());
    let stems = all.filter_map(|it| Some(it.file_stem()?.to_str()?.to_owned()));
    let places = stems.filter_map(|it| Some(it.split_once('@')?.0.to_owned()));
    places.collect()
}

/// The JSON report with the names of files instead of their places in the command.
fn by_names(paths: &[PathBuf]) -> serde_json::Value {
    let mut out = Vec::new();
    analyse(paths)
        .write_report(Format::Json, &ReportOptions::default(), &mut out)
        .unwrap();
    let mut all: serde_json::Value = serde_json::from_slice(&out).unwrap();
    name_files(&mut all, paths);
    let of = |key: &str| all[key].clone();
    ["connections", "findings", "vantages"]
        .map(|key| (key.to_owned(), of(key)))
        .into_iter()
        .collect()
}

fn name_files(value: &mut serde_json::Value, paths: &[PathBuf]) {
    let named = |it: &serde_json::Value| match it.as_u64() {
        Some(index) => paths[usize::try_from(index).unwrap()]
            .to_str()
            .unwrap()
            .into(),
        None => it.clone(),
    };
    match value {
        serde_json::Value::Object(fields) => {
            for (key, it) in fields {
                match (key.as_str(), &mut *it) {
                    (key, _)
                        if key == "file" || key.ends_with("_file") && !key.ends_with("in_file") =>
                    {
                        *it = named(it)
                    }
                    ("files", serde_json::Value::Array(files)) => {
                        files.iter_mut().for_each(|it| *it = named(it));
                        files.sort_by_key(ToString::to_string);
                    }
                    _ => name_files(it, paths),
                }
            }
        }
        serde_json::Value::Array(all) => all.iter_mut().for_each(|it| name_files(it, paths)),
        _ => {}
    }
}

/// A host's times are those of the place near it, whichever file is named first.
#[test]
fn the_report_does_not_depend_on_the_order_of_the_files() {
    let mut differing = Vec::new();
    for recording in recordings() {
        let files = files(&recording);
        let turned: Vec<PathBuf> = files.iter().rev().cloned().collect();
        if by_names(&files) != by_names(&turned) {
            differing.push(recording);
        }
    }
    assert_eq!(differing, Vec::<String>::new());
}

/// A classic capture in two files.
fn halves(file: &[u8]) -> [Vec<u8>; 2] {
    let mut half = 24;
    while half < file.len() / 2 {
        half += 16 + u32::from_le_bytes(file[half + 8..half + 12].try_into().unwrap()) as usize;
    }
    [file[..half].to_vec(), [&file[..24], &file[half..]].concat()]
}

/// Recordings whose halves do not tell enough: of six files of three places two may be of one place or of two, the numbers of
/// a port that is used again are other ones, and a file that begins with a forged segment has nothing before it.
const NOT_IN_HALVES: &[&str] = &[
    "forged-before-router",
    "forged-to-server",
    "lost-before-router",
    "port-reused",
];

/// What is recorded at a place in two files, one after the other, is recorded at that place.
#[test]
fn a_place_may_have_several_files() {
    let dir = std::env::temp_dir().join(format!("hangup-rotated-{}", std::process::id()));
    fs::create_dir_all(&dir).unwrap();
    let mut differing = Vec::new();
    let all = recordings().into_iter();
    for recording in all.filter(|it| !NOT_IN_HALVES.contains(&&**it)) {
        let files = files(&recording);
        let mut rotated = Vec::new();
        for (place, path) in files.iter().enumerate() {
            for (number, half) in halves(&fs::read(path).unwrap()).iter().enumerate() {
                rotated.push(dir.join(format!("{place}-{number}.pcap")));
                fs::write(rotated.last().unwrap(), half).unwrap();
            }
        }
        let told = |paths: &[PathBuf]| {
            let all = analyse(paths);
            let mut rules: Vec<_> = all.findings().iter().map(|it| it.rule).collect();
            rules.sort_unstable();
            let each = all.connections().iter();
            (
                rules,
                each.map(|it| (it.client, told(it), it.outcome))
                    .collect::<Vec<_>>(),
            )
        };
        let (whole, cut) = (told(&files), told(&rotated));
        if whole != cut {
            differing.push(format!("{recording}: {whole:?}\n{cut:?}"));
        }
    }
    let _ = fs::remove_dir_all(&dir);
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

/// The offset that the program finds lies within a round trip of the one that the recorder has set.
#[test]
fn clocks_are_compared_within_a_round_trip() {
    for truth in Truth::all() {
        let both = analyse(&files(&truth.recording));
        let vantages = both.summary().inputs.iter().filter_map(|it| it.vantage);
        for vantage in vantages.filter(|it| it.place == 1) {
            let Some(trip) = vantage.round_trip else {
                continue;
            };
            let set: f64 = truth.cell("clock_offset").parse().unwrap();
            let found = vantage.clock_offset.unwrap() as f64 / 1e9;
            let drift: f64 = truth.cell("drift_ppm").parse().unwrap();
            // The clock gains while the recording runs, which is a minute at most.
            let off = (found - set).abs() - drift * 1e-6 * 60.0;
            assert!(
                off <= trip.as_secs_f64(),
                "{}: {found} {set} {trip:?}",
                truth.recording
            );
        }
    }
}

/// Files that are no places stay one timeline: halves of one capture, the same file twice, captures of other connections.
#[test]
fn what_is_no_other_place_is_one_timeline() {
    let file = PathBuf::from("captures/keep-alive-race.pcapng");
    let other = PathBuf::from("captures/reset-before-response.pcap");
    for paths in [vec![file.clone(), file.clone()], vec![file.clone(), other]] {
        let all = analyse(&paths);
        assert!(
            all.summary().inputs.iter().all(|it| it.vantage.is_none()),
            "{paths:?}"
        );
    }
    let whole = Path::new(DIR).join("clean-heavy.pcap");
    let bytes = fs::read(&whole).unwrap();
    let dir = std::env::temp_dir().join(format!("hangup-halves-{}", std::process::id()));
    fs::create_dir_all(&dir).unwrap();
    let paths = [dir.join("1.pcap"), dir.join("2.pcap")];
    for (path, half) in paths.iter().zip(halves(&bytes)) {
        fs::write(path, half).unwrap();
    }
    let (one, two) = (analyse(&[whole]), analyse(&paths));
    let verdicts = |it: &Analysis| {
        let each = it.connections().iter();
        each.map(|it| (it.client, told(it))).collect::<Vec<_>>()
    };
    assert_eq!(verdicts(&one), verdicts(&two));
    assert!(two.summary().inputs.iter().all(|it| it.vantage.is_none()));
    let _ = fs::remove_dir_all(&dir);
}

/// A pcapng file of two interfaces, which has the frames of two pcap files in order of time.
fn merged(files: [&[u8]; 2]) -> Vec<u8> {
    fn block(kind: u32, body: &[u8]) -> Vec<u8> {
        let length = 12 + u32::try_from(body.len()).unwrap();
        let [kind, length] = [kind, length].map(u32::to_le_bytes);
        [&kind[..], &length, body, &length].concat()
    }
    let word = |file: &[u8], at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap());
    let mut frames: Vec<(u64, u32, Vec<u8>)> = Vec::new();
    for (interface, file) in (0..).zip(files) {
        let unit = if word(file, 0) == 0xa1b2_3c4d {
            1
        } else {
            1000
        };
        let mut at = 24;
        while at + 16 <= file.len() {
            let end = at + 16 + word(file, at + 8) as usize;
            let time =
                u64::from(word(file, at)) * 1_000_000_000 + u64::from(word(file, at + 4)) * unit;
            let [high, low] = [(time >> 32) as u32, time as u32];
            let head = [
                interface,
                high,
                low,
                word(file, at + 8),
                word(file, at + 12),
            ];
            let mut body = head.map(u32::to_le_bytes).concat();
            body.extend(&file[at + 16..end]);
            body.resize(body.len().next_multiple_of(4), 0);
            frames.push((time, interface, block(6, &body)));
            at = end;
        }
    }
    frames.sort_by_key(|it| (it.0, it.1));
    let section = [&[0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0][..], &[0xff; 8]].concat();
    let mut out = block(0x0a0d_0d0a, &section);
    for file in files {
        // The link type, no snap length, a resolution of nanoseconds, the end of the options.
        let options = [0, 9 | 1 << 16, 9, 0].map(u32::to_le_bytes).concat();
        out.extend(block(
            1,
            &[&word(file, 20).to_le_bytes()[..], &options].concat(),
        ));
    }
    out.extend(frames.into_iter().flat_map(|it| it.2));
    out
}

/// Two interfaces of one file say the same as two files do.
#[test]
fn interfaces_of_one_file_are_places() {
    let dir = std::env::temp_dir().join(format!("hangup-interfaces-{}", std::process::id()));
    fs::create_dir_all(&dir).unwrap();
    let path = dir.join("both.pcapng");
    let said = |analysis: &Analysis| -> Vec<String> {
        let ended = analysis.connections().iter().map(|it| {
            let end = &it.teardown;
            format!(
                "{:?} {:?} {:?} {:?}",
                end.by, end.how, end.certainty, it.outcome
            )
        });
        let rules = analysis.findings().iter();
        let rules = rules.map(|it| format!("{} {:?} {}", it.rule, it.severity, it.message));
        ended.chain(rules).collect()
    };
    let recordings: BTreeSet<String> = Truth::all().into_iter().map(|it| it.recording).collect();
    let mut compared = 0;
    for recording in recordings {
        let both = files(&recording);
        let [client, server] = &both[..] else {
            continue;
        };
        let bytes = [client, server].map(|it| fs::read(it).unwrap());
        if bytes
            .iter()
            .any(|it| !matches!(it[..4], [0xd4 | 0x4d, 0xc3 | 0x3c, 0xb2, 0xa1]))
        {
            continue;
        }
        let [one, other] = &bytes;
        fs::write(&path, merged([one, other])).unwrap();
        let (apart, together) = (analyse(&both), analyse(std::slice::from_ref(&path)));
        // A place is called by its file, or by its interface.
        let names = [("@server.pcap", "interface 1"), (".pcap", "interface 0")];
        let apart = said(&apart).into_iter().map(|text| {
            let renamed = |text: String, (end, name): (&str, &str)| {
                text.replace(&format!("{recording}{end}"), name)
            };
            names.into_iter().fold(text, renamed)
        });
        assert_eq!(said(&together), apart.collect::<Vec<_>>(), "{recording}");
        compared += 1;
    }
    assert!(compared > 40, "{compared}");
    let _ = fs::remove_dir_all(&dir);
}

/// A host that passes frames from one interface to another shows each twice: those are copies, at one place.
#[test]
fn interfaces_of_one_host_are_one_place() {
    let path = std::env::temp_dir().join(format!("hangup-bridge-{}.pcapng", std::process::id()));
    let own = fs::read(&files("clean-parallel")[0]).unwrap();
    let ahead = 30_000;
    let later = shifted(
        &own,
        Clock {
            ahead,
            drift_ppm: 0,
        },
    );
    fs::write(&path, merged([&own, &later])).unwrap();
    let analysis = analyse(std::slice::from_ref(&path));
    let rules: Vec<_> = analysis.findings().iter().map(|it| it.rule).collect();
    assert_eq!(rules, ["capture-duplicated"]);
    assert_eq!(analysis.summary().inputs.len(), 1);
    let _ = fs::remove_file(&path);
}

/// What is told of the segments of all connections, in JSON.
fn sightings(paths: &[PathBuf]) -> Vec<serde_json::Value> {
    let mut out = Vec::new();
    analyse(paths)
        .write_report(Format::Json, &ReportOptions::default(), &mut out)
        .unwrap();
    let report: serde_json::Value = serde_json::from_slice(&out).unwrap();
    let connections = report["connections"].as_array().unwrap().iter();
    let all = connections.flat_map(|it| it["sightings"].as_array().unwrap().clone());
    let index = |it: &serde_json::Value| usize::try_from(it.as_u64().unwrap()).unwrap();
    let name = |place: &serde_json::Value| {
        let file = &report["vantages"][index(place)]["files"][0];
        serde_json::Value::from(name_of(&paths[index(file)]))
    };
    all.map(|mut told| {
        let places = told["places"].as_array().unwrap();
        told["places"] = places.iter().map(name).collect();
        told
    })
    .collect()
}

/// The place of a file: what stands behind the @ in its name.
fn name_of(path: &Path) -> String {
    let name = path.file_stem().unwrap().to_str().unwrap();
    let place = name.split_once('@').map_or("client", |it| it.1);
    place.to_owned()
}

/// Between which two of three places a segment was lost, or comes from, in whatever order they are named.
#[test]
fn of_three_places_it_is_told_between_which_two() {
    for (recording, what, wanted) in [
        ("lost-before-router", "lost", ["client", "router"]),
        ("lost-behind-router", "lost", ["router", "server"]),
        ("forged-before-router", "forged", ["router", "client"]),
        ("forged-behind-router", "forged", ["server", "router"]),
        ("request-held", "held", ["client", "router"]),
    ] {
        let files = files(recording);
        let [a, b, c] = &files[..] else {
            panic!("{recording}: {files:?}");
        };
        for order in [
            [a, b, c],
            [a, c, b],
            [b, a, c],
            [b, c, a],
            [c, a, b],
            [c, b, a],
        ] {
            let order = order.map(Clone::clone);
            let named = |it: &serde_json::Value| it.as_str().unwrap().to_owned();
            let told = sightings(&order);
            let told: BTreeSet<Vec<String>> = told
                .iter()
                .filter(|it| it["what"] == what)
                .map(|it| it["places"].as_array().unwrap().iter().map(named).collect())
                .collect();
            let wanted = BTreeSet::from([wanted.map(str::to_owned).to_vec()]);
            assert_eq!(told, wanted, "{recording} {order:?}");
        }
    }
}

/// What the path changed is told with what it was at both places.
#[test]
fn what_the_path_changed_is_told() {
    let of = |recording: &str, what: &str| {
        let all = sightings(&files(recording)).into_iter();
        all.filter(|it| it["what"] == what).collect::<Vec<_>>()
    };
    let clamped = of("mss-clamped", "mss");
    let sizes: Vec<_> = clamped.iter().map(|it| it["mss"].to_string()).collect();
    assert_eq!(sizes, ["[1460,1200]", "[1200,1460]"]);
    let stripped = of("options-stripped", "options");
    let stripped: BTreeSet<_> = stripped.iter().map(|it| it["option"].to_string()).collect();
    assert!(stripped.contains("\"SACK\"") && stripped.contains("\"timestamps\""));
    let renumbered = of("sequence-rewritten", "sequence");
    assert!(!renumbered.is_empty());
    assert!(renumbered.iter().all(|it| it["sequence_higher_by"] != 0));
    let translated = of("masquerade", "addresses");
    assert!(!translated.is_empty());
    // The report says so as well, and names no other.
    let text = report(&files("mss-clamped"));
    let text: Vec<&str> = text.split_whitespace().collect();
    let text = text.join(" ");
    assert!(
        text.contains("2 SYNs and SYN-ACKs with other TCP options"),
        "{text}"
    );
    for what in ["mss", "options", "sequence", "addresses", "held"] {
        assert!(of("clean-parallel", what).is_empty(), "{what}");
    }
}

/// A segment that took 1.5 s longer than others was held for about that long.
#[test]
fn a_hold_is_measured() {
    let all = sightings(&files("request-held"));
    let held: Vec<f64> = all.iter().filter_map(|it| it["held_ms"].as_f64()).collect();
    assert_eq!(held.len(), 1, "{held:?}");
    assert!((1450.0..1550.0).contains(&held[0]), "{held:?}");
}

/// The records of a classic capture.
fn records(file: &[u8]) -> Vec<&[u8]> {
    let (mut all, mut at) = (Vec::new(), 24);
    while at < file.len() {
        let length = u32::from_le_bytes(file[at + 8..at + 12].try_into().unwrap()) as usize;
        all.push(&file[at..at + 16 + length]);
        at += 16 + length;
    }
    all
}

/// A capture that has nothing of a host on a connection may lack its RST as well.
#[test]
fn a_refusal_that_one_capture_lacks_is_not_forged() {
    // The flags of TCP behind the record's head, Ethernet and IPv4.
    let is_reset = |record: &[u8]| record[16 + 14 + 20 + 13] & 4 != 0;
    let seconds = |record: &[u8]| i64::from(u32::from_le_bytes(record[..4].try_into().unwrap()));
    let (refused, healthy) = (files("refused-by-server"), files("clean-parallel"));
    let read = |path: &PathBuf| fs::read(path).unwrap();
    let (first, last) = (read(&healthy[0]), read(&refused[0]));
    let ahead = seconds(records(&last).last().unwrap()) - seconds(records(&first)[0]) + 1;
    let ahead = ahead * 1_000_000_000;
    let dir = std::env::temp_dir().join(format!("hangup-refused-{}", std::process::id()));
    fs::create_dir_all(&dir).unwrap();
    for without in [false, true] {
        let mut paths = Vec::new();
        for (place, (before, after)) in refused.iter().zip(&healthy).enumerate() {
            let before = read(before);
            let mut out = before[..24].to_vec();
            for record in records(&before) {
                if !(without && place == 1 && is_reset(record)) {
                    out.extend(record);
                }
            }
            let drift_ppm = 0;
            let after = shifted(&read(after), Clock { ahead, drift_ppm });
            out.extend(&after[24..]);
            paths.push(dir.join(format!("{place}.pcap")));
            fs::write(&paths[place], out).unwrap();
        }
        let all = analyse(&paths);
        let rules: Vec<_> = all.findings().iter().map(|it| it.rule).collect();
        assert_eq!(rules, ["connection-refused"], "without: {without}");
    }
    let _ = fs::remove_dir_all(&dir);
}

/// Every TTL that is told stands in one of the files.
#[test]
fn no_hop_limit_is_told_that_no_file_has() {
    for recording in [
        "forged-to-both",
        "forged-to-both-right-ttl",
        "forged-to-client",
        "forged-to-client-right-ttl",
        "forged-to-server",
        "forged-before-router",
        "forged-behind-router",
        "refused-on-the-way",
        "reset-with-other-ttl",
    ] {
        let mut own = BTreeSet::new();
        for file in files(recording) {
            let bytes = fs::read(file).unwrap();
            let mut at = 24;
            while at + 16 <= bytes.len() {
                let length = u32::from_le_bytes(bytes[at + 8..at + 12].try_into().unwrap());
                own.insert(bytes[at + 16 + 22]);
                at += 16 + length as usize;
            }
        }
        let mut files = files(recording);
        for _ in 0..2 {
            let text = report(&files);
            for told in text
                .split("TTL is ")
                .skip(1)
                .chain(text.split("TTL ").skip(1))
            {
                let number: String = told.chars().take_while(char::is_ascii_digit).collect();
                if let Ok(number) = number.parse::<u8>() {
                    assert!(own.contains(&number), "{recording}: {number}\n{text}");
                }
            }
            files.reverse();
        }
    }
}
