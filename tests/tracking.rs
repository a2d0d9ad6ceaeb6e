//! Whether a connection is tracked from its first segment, from a later one, or never, changes nothing in any report.
//!
//! That its summary is the one that its record would have had, and that no rule has anything to say of it, is checked
//! wherever a connection ends plainly, in every test: the store of settled connections asserts it.

mod cases;
mod exchange;
mod wire;

use std::path::{Path, PathBuf};

use hangup::analysis::engine::Tracking;
use hangup::ladder::{frames, parse, to_pcap};
use hangup::report::{Format, ReportOptions};
use hangup::rules::ladders;
use hangup::{Analysis, AnalysisOptions, Records};
use proptest::prelude::*;

use cases::cases;
use exchange::{play, script, seen_at};
use wire::{Packet, Shot, captures, captures_below};

/// The reports on a capture.
fn reports(path: &Path, tracking: Tracking, threads: usize) -> [String; 3] {
    let mut options = AnalysisOptions::default();
    options.records = Records::Notable;
    options.threads = Some(threads);
    options.tracking = tracking;
    let analysis = Analysis::with_options([path], &options).expect("a capture");
    [Format::Text, Format::Json, Format::Csv].map(|format| {
        let mut out = Vec::new();
        analysis
            .write_report(format, &ReportOptions::default(), &mut out)
            .expect("a vector takes everything");
        String::from_utf8(out).expect("a report is text")
    })
}

/// Compares tracking from the start with tracking from any point.
#[track_caller]
fn any_way_is_the_same(path: &Path, most: impl IntoIterator<Item = usize>) {
    let whole = reports(path, Tracking::FromStart, 1);
    let each = most.into_iter().map(Tracking::After);
    for (number, tracking) in each.chain([Tracking::AsNeeded]).enumerate() {
        let some = reports(path, tracking, 1 + number % 2);
        for (one, other) in whole.iter().zip(&some) {
            assert!(
                one == other,
                "{}: {tracking:?}\n{}",
                path.display(),
                difference(one, other)
            );
        }
    }
}

/// The first line that differs.
fn difference(one: &str, other: &str) -> String {
    let mut lines = one.lines().zip(other.lines());
    let differs = lines.find(|(one, other)| one != other);
    differs.map_or_else(
        || "one is longer".to_owned(),
        |(one, other)| format!("- {one}\n+ {other}"),
    )
}

fn file(name: &str, bytes: &[u8]) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("tracking");
    std::fs::create_dir_all(&folder).expect("a folder for the tests");
    let path = folder.join(name);
    std::fs::write(&path, bytes).expect("the folder takes files");
    path
}

#[test]
fn captures_are_told_the_same_on_any_way() {
    let all = captures();
    for path in &all {
        any_way_is_the_same(path, [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    }
}

#[test]
fn shared_captures_are_told_the_same_on_any_way() {
    let Some(shared) = std::env::var_os("HANGUP_SHARED") else {
        eprintln!("HANGUP_SHARED is not set: nothing was checked");
        return;
    };
    let mut all = captures_below(&PathBuf::from(shared).join("captures"));
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("captures/protocols");
    all.extend(captures_below(&folder));
    assert!(!all.is_empty());
    for path in &all {
        let readable = Analysis::of_files([path]).is_ok();
        if readable {
            any_way_is_the_same(path, [5]);
        }
    }
}

/// The stories of how connections end, and the examples of all rules.
#[test]
fn stories_are_told_the_same_on_any_way() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut number = 0;
    for folder in ["tests/ladders", "docs/rules"] {
        for entry in std::fs::read_dir(root.join(folder)).expect("the folder is there") {
            let markdown = std::fs::read_to_string(entry.expect("a name").path()).expect("text");
            for (_, text) in ladders(&markdown) {
                let Ok(ladder) = parse(&text) else { continue };
                let path = file(&format!("story-{number}.pcap"), &to_pcap(&frames(&ladder)));
                any_way_is_the_same(&path, [4]);
                number += 1;
            }
        }
    }
    assert!(number > 100, "{number}");
}

/// What an ordinary connection consists of: each part in several ways.
const OPENED: [&str; 3] = [
    "SYN -->\n<-- SYN\nACK -->\n",
    "SYN -->\n<-- SYN\n",
    "SYN -->\n<-- SYN [ttl=50]\nACK -->\n",
];
const ASKED: [&str; 6] = [
    "GET /a -->\n",
    "GET /a [close user-agent=curl/8.5] -->\n<-- ACK\n",
    "POST /a \"hello\" -->\n",
    "POST /a data 9 [length=20] -->\n<-- ACK\ndata 11 -->\n",
    "GET /a [http=1.0] -->\n",
    "HEAD /a -->\n",
];
const ANSWERED: [&str; 12] = [
    "<-- 200 \"hello\"\nACK -->\n",
    "<-- 200 \"hello\" [close]\n",
    "<-- 200 data 500 [length=3000 close server=nginx]\n<-- data 1000\nACK -->\n<-- data 1500\nACK -->\n",
    "<-- 204\nACK -->\n",
    "<-- 304 [close]\n",
    "<-- 200 data 40 [http=1.0]\nACK -->\n",
    "<-- 404 \"no\" [close]\nACK -->\n",
    "<-- 200 data 10 [length=9]\n",
    "<-- 200 \"x\" [chunked]\nACK -->\n",
    "<-- 200 \"x\" [keep-alive=timeout=5]\nACK -->\n",
    "<-- 502 \"x\" [close]\nACK -->\n",
    "<-- 200 \"x\" [connection=close connection=close]\nACK -->\n",
];
const CLOSED: [&str; 9] = [
    "<-- FIN\nFIN -->\n<-- ACK\n",
    "<-- FIN\nACK -->\n+50ms FIN -->\n<-- ACK\n",
    "FIN -->\n<-- FIN\nACK -->\n",
    "FIN -->\n<-- ACK\n<-- FIN\nACK -->\n",
    "+300ms FIN -->\n<-- FIN\nACK -->\n",
    "+5s <-- FIN\nFIN -->\n<-- ACK\n",
    "<-- FIN\nFIN [crossed] -->\n<-- ACK\nACK -->\n",
    "<-- FIN\nRST -->\n",
    "",
];
/// What may come in between.
const ODD: [&str; 18] = [
    "RST -->",
    "<-- RST",
    "RST [noack] -->",
    "<-- RST [ttl=9]",
    "again -->",
    "<-- again",
    "probe -->",
    "<-- probe",
    "ACK -->",
    "<-- ACK [win=0]",
    "data 5 ~~>",
    "<~~ data 5",
    "<-- ACK [ttl=9]",
    "ACK [ack=3] -->",
    "<-- data 4 [seq=9]",
    "GET /b -->",
    "<-- FIN",
    "<-- ACK [unreachable=3]",
];

/// One connection, in places disturbed.
fn connection() -> impl Strategy<Value = String> {
    let parts = (
        0..OPENED.len(),
        0..ASKED.len(),
        0..ANSWERED.len(),
        0..CLOSED.len(),
    );
    let odd = prop::collection::vec((0..ODD.len(), any::<prop::sample::Index>()), 0..2);
    (parts, odd).prop_map(|((opened, asked, answered, closed), odd)| {
        let whole = [
            OPENED[opened],
            ASKED[asked],
            ANSWERED[answered],
            CLOSED[closed],
        ]
        .concat();
        let mut lines: Vec<&str> = whole.lines().collect();
        for (word, place) in odd {
            lines.insert(place.index(lines.len()) + 1, ODD[word]);
        }
        lines.join("\n") + "\n"
    })
}

proptest! {
    #![proptest_config(cases(60))]

    #[test]
    fn ladders_are_told_the_same_on_any_way(
        connections in prop::collection::vec((connection(), 0..4_u16), 1..8),
    ) {
        let mut text = String::new();
        for (number, (lines, reused)) in (0..).zip(&connections) {
            // Some use the addresses and ports of the one before.
            let port = 40000 + number - u16::from(*reused == 0 && number > 0);
            text += &format!("client 10.0.0.1:{port} server 10.0.0.2:80\n{lines}");
        }
        let ladder = parse(&text).map_err(|error| TestCaseError::fail(format!("{error}\n{text}")))?;
        let path = file("ladder.pcap", &to_pcap(&frames(&ladder)));
        any_way_is_the_same(&path, [1, 2, 3, 5, 7]);
    }
}

proptest! {
    #![proptest_config(cases(12))]

    #[test]
    fn exchanges_are_told_the_same_on_any_way(
        scripts in prop::collection::vec(script(), 1..40), apart in 0..50_000_000_i64, point in 0..=100_i64,
    ) {
        let mut packets = Vec::new();
        for (number, script) in (0..).zip(&scripts) {
            let client = 1 + number - number % 3 / 2;
            for packet in seen_at(&play(script), point) {
                let time = 1 + packet.time + apart * i64::from(number);
                packets.push(Packet { client, time, ..packet });
            }
        }
        packets.sort_by_key(|packet| packet.time);
        let shots: Vec<Shot> = packets.iter().map(Packet::shot).collect();
        let path = file("exchanges.pcap", &wire::to_pcap(&shots));
        any_way_is_the_same(&path, [1, 2, 4, 6, 9]);
    }
}
