//! `hangup report --each`: a line on every capture, the same as each capture's own report would say.

#![cfg(feature = "cli")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod wire;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use hangup::Analysis;
use serde_json::Value;
use wire::captures_below;

/// The program's output, errors and exit status.
fn run(arguments: &[&str], files: &[PathBuf]) -> (String, String, i32) {
    let Output {
        stdout,
        stderr,
        status,
    } = Command::new(env!("CARGO_BIN_EXE_hangup"))
        .args(["report", "--each", "--no-ignore-file"])
        .args(arguments)
        .args(files)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(stdout), text(stderr), status.code().unwrap_or(-1))
}

fn rows(out: &str) -> Vec<Value> {
    let lines = out.lines().map(|line| serde_json::from_str(line).unwrap());
    lines.collect()
}

#[test]
fn every_capture_has_its_line_in_order() {
    let schema = fs::read_to_string("docs/schema/hangup-each-1.json").unwrap();
    let schema = jsonschema::validator_for(&serde_json::from_str(&schema).unwrap()).unwrap();
    let files = captures_below(Path::new("captures"));
    assert!(files.len() > 100, "{}", files.len());
    let (out, err, status) = run(&["-f", "ndjson"], &files);
    assert_eq!((err.as_str(), status), ("", 0));
    let rows = rows(&out);
    assert_eq!(rows.len(), files.len());
    for (path, row) in files.iter().zip(&rows) {
        assert!(schema.is_valid(row), "{row}");
        assert_eq!(row["file"], path.to_str().unwrap());
        let own = Analysis::of_files([path]).unwrap();
        let failed = own.summaries().iter().filter(|it| it.outcome.is_failed());
        assert_eq!(row["failed"], failed.count(), "{row}");
        assert_eq!(row["connections"], own.summaries().len(), "{row}");
        assert_eq!(row["packets"], own.summary().frames, "{row}");
        let worst = own.findings().first().map(|it| it.severity.name());
        let worst = worst.filter(|it| *it != "benign");
        assert_eq!(row["worst"].as_str(), worst, "{row}");
    }
    // Threads change nothing.
    assert_eq!(run(&["-f", "ndjson", "--threads", "1"], &files).0, out);
}

#[test]
fn a_broken_file_is_a_line_and_the_status_says_so() {
    let broken = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("each-broken.pcap");
    fs::write(&broken, "no capture").unwrap();
    let (reset, clean) = (
        PathBuf::from("captures/reset-before-response.pcap"),
        PathBuf::from("captures/clean-keepalive.pcapng"),
    );
    let absent = PathBuf::from("captures/=absent.pcap");
    let files = [broken, reset.clone(), absent, clean.clone()];
    let (out, err, status) = run(&[], &files);
    assert_eq!((err.as_str(), status), ("", 2));
    let lines: Vec<_> = out.lines().collect();
    assert_eq!(lines.len(), 5, "{out}");
    for (line, words) in lines.iter().zip([
        ["FILE", "FAILED"],
        ["unread", "not a packet capture"],
        [
            "error ",
            "2/2  reset-before-response: Server reset 2 connections",
        ],
        ["unread", "No such file"],
        ["-   ", "0/"],
    ]) {
        assert!(words.iter().all(|word| line.contains(word)), "{line}");
    }
    let (out, ..) = run(&["-f", "csv"], &files);
    assert_eq!(out.lines().count(), 5, "{out}");
    let columns = |line: &str| {
        csv::Reader::from_reader(line.as_bytes())
            .headers()
            .unwrap()
            .len()
    };
    assert!(
        out.lines().all(|line| columns(line) == columns(&out)),
        "{out}"
    );
    for (files, status) in [(vec![reset.clone(), clean.clone()], 1), (vec![clean], 0)] {
        assert_eq!(run(&["--fail-on", "error"], &files).2, status, "{files:?}");
    }
    let to = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("each.csv");
    let (out, err, status) = run(&["-o", to.to_str().unwrap()], std::slice::from_ref(&reset));
    assert_eq!((out.as_str(), err.as_str(), status), ("", "", 0));
    assert_eq!(fs::read_to_string(&to).unwrap().lines().count(), 2);
    let (_, err, status) = run(&["-f", "json"], &[reset]);
    assert!(
        status == 2 && err.contains("-f text, ndjson or csv"),
        "{err}"
    );
}
