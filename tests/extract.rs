//! `hangup extract`: what it writes is a capture of the wanted connections, on which the same is found, and other programs
//! read its comments.

#![cfg(feature = "cli")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use hangup::packet::capture::{Batch, FileSummary, Fill, OpenOptions, PcapngWriter, open};
use hangup::{Analysis, AnalysisOptions};

const RESET: &str = "captures/reset-before-response.pcap";
const SECRETS: &str = "captures/tls-secrets-inside.pcapng";

fn place(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("extract");
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join(name);
    let _ = fs::remove_file(&path);
    path
}

fn extract(arguments: &[&str], to: &Path) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_hangup"));
    program.arg("extract").args(arguments).arg("-o").arg(to);
    program.stdin(Stdio::null()).output().unwrap()
}

#[track_caller]
fn extracted(name: &str, arguments: &[&str]) -> PathBuf {
    let to = place(name);
    let output = extract(arguments, &to);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {errors}");
    to
}

/// The frames and what the file says of itself.
fn read(path: &Path) -> (Vec<Vec<u8>>, FileSummary) {
    let mut source = open(&[path], &OpenOptions::default()).unwrap();
    let mut batch = Batch::default();
    let mut frames = Vec::new();
    while source.fill(&mut batch).unwrap() != Fill::End {
        frames.extend(batch.frames().map(|it| it.data.to_vec()));
        batch.clear();
    }
    (frames, source.files()[0].clone())
}

fn comments(path: &Path) -> String {
    let (_, facts) = read(path);
    let comments = facts.frame_comments.iter().map(|(_, text)| text.as_str());
    comments.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_frames_are_those_of_the_connections_and_end_as_they_did() {
    for (name, capture, arguments, ids) in [
        ("one", RESET, &["-c", "2"][..], &[2][..]),
        ("number", RESET, &["--finding", "1"], &[1, 2]),
        (
            "rule",
            RESET,
            &["--finding", "reset-before-response"],
            &[1, 2],
        ),
        ("default", RESET, &[], &[1, 2]),
        (
            "both",
            RESET,
            &["-c", "1-2", "--where", "method:POST"],
            &[2],
        ),
        (
            "display",
            RESET,
            &["--where", "http.request.method == \"POST\""],
            &[2],
        ),
        (
            "host",
            RESET,
            &["--host", "10.77.0.2", "--where", "method:GET or path:/x"],
            &[1],
        ),
        (
            "filter",
            "captures/keep-alive-race.pcapng",
            &["--where", "outcome:failed"],
            &[2],
        ),
        (
            "packed",
            "captures/streamed-transfers.pcap.gz",
            &["-c", "7,9"],
            &[7, 9],
        ),
    ] {
        let arguments = [&[capture], arguments].concat();
        let to = extracted(&format!("{name}.pcapng"), &arguments);
        let whole = Analysis::of_files([capture]).unwrap();
        let part = Analysis::of_files([&to]).unwrap();
        assert_eq!(part.summaries().len(), ids.len(), "{name}");
        let of = |id: &u32| whole.summaries().iter().find(|it| it.id == *id).unwrap();
        for (own, original) in part.summaries().iter().zip(ids.iter().map(of)) {
            assert_eq!((own.client, own.server), (original.client, original.server));
            assert_eq!(
                (own.outcome, own.how),
                (original.outcome, original.how),
                "{name}"
            );
            assert_eq!(
                (own.first.time, own.last),
                (original.first.time, original.last)
            );
        }
        let (frames, _) = read(Path::new(capture));
        let (own, facts) = read(&to);
        let mut all = frames.iter();
        assert!(
            own.iter().all(|frame| all.any(|it| it == frame)),
            "{name}: in their order"
        );
        assert!(
            facts.comments[0].starts_with("hangup: the packets of "),
            "{:?}",
            facts.comments
        );
        assert_eq!(facts.damages, 0, "{name}");
    }
}

/// What is found: the rule, how bad it is, and the connections by their addresses and beginning.
type Found = BTreeSet<(&'static str, &'static str, Vec<String>)>;

fn found(paths: &[PathBuf], keylog: &Path) -> Found {
    let mut options = AnalysisOptions::default();
    options
        .key_logs
        .extend(keylog.exists().then(|| keylog.to_owned()));
    let analysis = Analysis::with_options(paths, &options).unwrap();
    let connection = |id: &u32| {
        let all = analysis.summaries();
        let own = all.iter().find(|it| it.id == *id).unwrap();
        format!("{} {} {:?}", own.client, own.server, own.first.time)
    };
    let named = analysis
        .findings()
        .iter()
        .filter(|it| !it.connections.is_empty());
    let named = named.filter(|it| it.severity > hangup::rules::Severity::Benign);
    let found = named.map(|it| {
        (
            it.rule,
            it.severity.name(),
            it.connections.iter().map(connection).collect(),
        )
    });
    found.collect()
}

fn captures(folder: &Path, all: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            captures(&path, all);
        } else if [".pcap", ".pcapng", ".pcap.gz"]
            .iter()
            .any(|it| name.ends_with(it))
        {
            all.push(path);
        }
    }
}

/// What shows only beside another connection that the finding does not name: the one before on the same ports.
const BESIDE_OTHERS: &[&str] = &["time-wait-reused"];
/// Captures in which a connection that no finding names explains another: the proxy's client had its response, the proxy asked
/// twice for two connections of its client, or the new session took over the name of the old one.
const EXPLAINED_BY_OTHERS: &[&str] = &[
    "captures/legs/haproxy-redispatch.pcap",
    "captures/legs/haproxy-tls.pcap",
    "captures/legs/nginx-keep-alive-race.pcap",
    "captures/legs/nginx-next-upstream.pcap",
    "captures/protocols/mqtt-same-client-id.pcap",
];

#[test]
fn the_same_is_found_in_what_is_extracted() {
    let mut all = Vec::new();
    captures(Path::new("captures"), &mut all);
    all.sort();
    let mut tried = 0;
    let mut different = Vec::new();
    for (nth, capture) in all.iter().enumerate() {
        let keylog = capture.with_extension("keylog");
        let mut expected = found(std::slice::from_ref(capture), &keylog);
        expected.retain(|(rule, ..)| !BESIDE_OTHERS.contains(rule));
        if expected.is_empty() {
            continue;
        }
        let name = capture.to_string_lossy();
        let mut arguments = vec![&*name, "--keep-secrets"];
        let keys = keylog.to_string_lossy();
        if keylog.exists() {
            arguments.extend(["--keylog", &*keys]);
        }
        let to = extracted(&format!("same-{nth}.pcapng"), &arguments);
        let came = found(std::slice::from_ref(&to), &keylog);
        fs::remove_file(to).unwrap();
        if came != expected && !EXPLAINED_BY_OTHERS.contains(&&*name) {
            different.push(format!(
                "{name}\n  lost {:?}\n  new {:?}",
                expected.difference(&came).collect::<Vec<_>>(),
                came.difference(&expected).collect::<Vec<_>>()
            ));
        }
        tried += 1;
    }
    assert!(tried > 40, "{tried}");
    assert!(different.is_empty(), "{}", different.join("\n"));
}

#[test]
fn comments_say_what_happened_with_the_frames_of_the_original() {
    let comments = comments(&extracted("comments.pcapng", &[RESET, "-c", "2"]));
    assert_eq!(
        comments.lines().collect::<Vec<_>>(),
        [
            "hangup: connection #2 begins here (reset-before-response.pcap:7), 10.77.0.2:50746 → 10.77.0.1:80",
            "hangup: POST request complete [reset-before-response]",
            "hangup: #2: The server reset the connection (reset-before-response.pcap:12) 0.4 ms after its first packet, without a byte of \
             the response; its request: `POST /order` (reset-before-response.pcap:10). [reset-after-handshake]; RST from \
             the server, no response byte sent [reset-before-response]",
        ]
    );
}

/// Comments that were there stay where they were, and so do names, losses and the name of the interface.
#[test]
fn what_a_capture_says_of_itself_stays() {
    let to = extracted("again.pcapng", &[SECRETS, "-c", "1"]);
    let again = extracted("twice.pcapng", &[to.to_str().unwrap(), "-c", "1"]);
    let (frames, once) = read(&to);
    let (same, twice) = read(&again);
    assert_eq!(frames, same);
    for comment in &once.frame_comments {
        assert!(twice.frame_comments.contains(comment), "{comment:?}");
    }
    assert!(twice.comments.contains(&once.comments[0]));
    let (_, original) = read(Path::new(SECRETS));
    let known = |facts: &FileSummary| {
        let interface = &facts.interfaces[0];
        (interface.name.clone(), interface.snap_length, facts.lost)
    };
    assert_eq!(known(&once), known(&original));
}

#[test]
fn other_programs_find_the_comments() {
    let to = extracted("tshark.pcapng", &[RESET, "-c", "1"]);
    let tshark = Command::new("tshark")
        .arg("-n")
        .arg("-r")
        .arg(&to)
        .args([
            "-Y",
            "frame.comment",
            "-T",
            "fields",
            "-e",
            "frame.number",
            "-e",
            "frame.comment",
        ])
        .output();
    let Ok(output) = tshark else {
        eprintln!("tshark is not installed: its reading of the comments is not tested");
        return;
    };
    let lines = String::from_utf8(output.stdout).unwrap();
    let numbers: Vec<_> = lines
        .lines()
        .filter_map(|it| it.split_once("\thangup: "))
        .map(|it| it.0)
        .collect();
    assert_eq!(numbers, ["1", "4", "6"], "{lines}");
    assert!(lines.contains("The server reset the connection"), "{lines}");
}

#[test]
fn secrets_are_written_only_if_asked_for() {
    let without = place("without.pcapng");
    let output = extract(&[SECRETS, "-c", "1"], &without);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("--keep-secrets keeps them"), "{said}");
    assert!(read(&without).1.secrets.is_empty());
    let with = extracted("with.pcapng", &[SECRETS, "-c", "1", "--keep-secrets"]);
    assert_eq!(read(&with).1.secrets, read(Path::new(SECRETS)).1.secrets);
    let mut all = AnalysisOptions::default();
    all.records = hangup::Records::All;
    let read = |path: &Path| {
        let analysis = Analysis::with_options([path], &all).unwrap();
        analysis.connections()[0].exchanges.len()
    };
    assert_eq!(read(&with), read(Path::new(SECRETS)));
}

#[test]
fn several_files_and_names() {
    let other = "captures/keep-alive-race.pcapng";
    let to = extracted(
        "several.pcapng",
        &[RESET, other, "--where", "outcome:failed"],
    );
    assert_eq!(Analysis::of_files([&to]).unwrap().summaries().len(), 3);
    assert!(comments(&to).contains("(keep-alive-race.pcapng:"));
    let empty = PcapngWriter::new(Vec::new()).unwrap().finish().unwrap();
    let nothing = place("nothing.pcapng");
    fs::write(&nothing, empty).unwrap();
    let refused = extract(&[nothing.to_str().unwrap()], &place("none.pcapng"));
    assert!(
        String::from_utf8_lossy(&refused.stderr).contains("no finding names any of 0 connections")
    );
}

#[test]
fn nothing_is_overwritten_and_errors_say_what_to_type() {
    let to = place("there.pcapng");
    fs::write(&to, "mine").unwrap();
    let refused = extract(&[RESET, "-c", "1"], &to);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("with --force"));
    assert_eq!(fs::read(&to).unwrap(), b"mine");
    assert!(
        extract(&[RESET, "-c", "1", "--force"], &to)
            .status
            .success()
    );
    assert_ne!(fs::read(&to).unwrap(), b"mine");
    let copy = place("copy.pcap");
    fs::copy(RESET, &copy).unwrap();
    let own = extract(&[copy.to_str().unwrap(), "-c", "1", "--force"], &copy);
    assert!(String::from_utf8_lossy(&own.stderr).contains("is one of the captures"));
    assert_eq!(fs::read(&copy).unwrap(), fs::read(RESET).unwrap());
    for (arguments, words) in [
        (
            &["captures/lossy-but-healthy.pcap.gz"][..],
            "--connection 3,7-9",
        ),
        (&[RESET, "-c", "9"], "there is no connection 9"),
        (&[RESET, "--finding", "9"], "there is no finding 9"),
        (
            &[RESET, "--finding", "keepalive-race"],
            "did you mean keep-alive-race?",
        ),
        (
            &[RESET, "--finding", "keep-alive-race"],
            "no finding of keep-alive-race",
        ),
        (&[RESET, "--where", "how:fin"], "none of 2 connections fits"),
        (&[RESET, "--where", "hwo:fin"], "did you mean"),
        (&[RESET, "how:fin"], "--where how:fin"),
        (&["-", "-c", "1"], "save it to a file"),
    ] {
        let to = place("none.pcapng");
        let output = extract(arguments, &to);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {errors}");
        assert!(errors.contains(words), "{arguments:?}: {errors}");
        assert!(!to.exists());
    }
    let packed = extract(&[RESET], &place("x.pcapng.gz"));
    assert!(String::from_utf8_lossy(&packed.stderr).contains("is not compressed"));
}
