//! A report narrowed to an error, and one without what the user excludes.

#![cfg(feature = "cli")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::{Value, json};

const RACE: &str = "captures/keep-alive-race.pcapng";
const CLEAN: &str = "captures/clean-keepalive.pcapng";
const PORTS: &str = "captures/port-exhaustion.pcapng";

fn run(arguments: &[&str]) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_hangup"));
    program.args(arguments).output().unwrap()
}

fn text(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn report(arguments: &[&str]) -> Value {
    let output = run(&[&["report", "-f", "json"], arguments].concat());
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn list(name: &str, lines: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join(name);
    fs::write(&path, lines).unwrap();
    path
}

fn ids(report: &Value) -> Vec<u64> {
    let rows = report["connections"].as_array().unwrap().iter();
    rows.map(|it| it["id"].as_u64().unwrap()).collect()
}

/// Where a connection failed, one that is fine with a note on it is none that the error is about.
#[test]
fn a_note_on_a_connection_that_is_fine_fits_no_error() {
    let told = report(&[RACE, "--error", "connection reset by peer"]);
    assert_eq!(ids(&told), [2]);
}

#[test]
fn an_error_leads_to_its_connection() {
    for error in [
        "socket hang up",
        "Error: sokcet hang up\n    at connResetException (node:internal/errors:705:14)",
        "2026-11-20 18:30:47,790 WARN java.net.SocketException: Unexpected end of file from server",
        "[pool-7] http.client.RemoteDisconnected: Remote end closed connection without response",
        "upstream prematurely closed connection while reading response header from upstream, upstream: \"http://10.77.0.1:80/\"",
    ] {
        let told = report(&[RACE, "--error", error]);
        assert_eq!(ids(&told), [2], "{error}");
        assert_eq!(told["search"]["fits"], json!([2]), "{error}");
        assert_eq!(told["search"]["certainty"], "certain", "{error}");
        for finding in told["findings"].as_array().unwrap() {
            assert_eq!(finding["connections"], json!([2]), "{error}");
        }
        let told = text(&[RACE, "--error", error]);
        assert!(told.contains("1 of 2 connections fits: #2."), "{told}");
        assert!(told.contains("keep-alive-race"), "{told}");
        assert!(!told.contains("idle-timeout-close"), "{told}");
    }
}

#[test]
fn another_zone_is_only_likely() {
    let error = "2026-11-20 23:00:47 socket hang up";
    let told = report(&[RACE, "--error", error]);
    assert_eq!(told["search"]["certainty"], "likely");
    assert_eq!(told["search"]["clock_ahead_seconds"], 16_200);
    let told = text(&[RACE, "--error", error]);
    assert!(
        told.contains("Likely: 1 of 2 connections fits: #2."),
        "{told}"
    );
    assert!(
        told.contains("if that clock is 4 h 30 min ahead of UTC"),
        "{told}"
    );
}

#[test]
fn what_fits_nothing_is_said_and_no_failure() {
    for (capture, error, would) in [
        (
            RACE,
            "curl: (18) transfer closed with 12 bytes remaining to read",
            "the server closes before Content-Length is reached [response-cut-short]",
        ),
        (CLEAN, "ECONNREFUSED", "the SYN is answered by a RST"),
        (CLEAN, "0x80070032", "a capture holds nothing of it"),
    ] {
        let arguments = ["report", capture, "--fail-on", "benign", "--error", error];
        let told = text(&arguments);
        assert!(
            told.contains("Nothing in this capture fits that error."),
            "{told}"
        );
        assert!(told.contains(would), "{told}");
        let told = report(&arguments[1..]);
        assert_eq!(
            (ids(&told), &told["findings"]),
            (Vec::new(), &json!([])),
            "{error}"
        );
        assert_eq!(told["search"]["fits"], json!([]));
    }
}

#[test]
fn a_line_points_to_its_connection_though_its_story_is_another() {
    let error = "connect to 10.77.0.1 failed: Connection refused (local port 39662)";
    let told = report(&[RACE, "--error", error]);
    assert_eq!(told["search"]["fits"], json!([]));
    assert_eq!(told["search"]["points_to"], 1);
    assert_eq!(ids(&told), [1]);
    let told = text(&[RACE, "--error", error]);
    assert!(told.contains("points to #1"), "{told}");
}

#[test]
fn an_error_that_leaves_no_packet_leads_to_what_causes_it() {
    let told = report(&[
        PORTS,
        "--ephemeral-ports",
        "40000-40019",
        "--error",
        "10048",
    ]);
    assert_eq!(told["search"]["grounds"], "finding");
    assert_eq!(ids(&told).len(), 20);
    let output = run(&[
        "report",
        PORTS,
        "--ephemeral-ports",
        "40000-40019",
        "--error",
        "Only one usage of each socket address (protocol/network address/port) is normally permitted",
        "--fail-on",
        "error",
    ]);
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn every_format_is_narrowed() {
    let told = |format: &str| {
        let output = run(&["report", RACE, "--error", "socket hang up", "-f", format]);
        String::from_utf8(output.stdout).unwrap()
    };
    let csv = told("csv");
    assert_eq!(csv.lines().count(), 2);
    assert!(csv.lines().nth(1).unwrap().starts_with("2,"), "{csv}");
    let lines = told("ndjson");
    let kinds: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["kind"].clone())
        .collect();
    assert_eq!(kinds[..3], ["capture", "search", "connection"]);
    assert_eq!(kinds.iter().filter(|it| *it == "connection").count(), 1);
    assert!(told("markdown").contains("**1 of 2 connections fits: \\#2.**"));
}

#[test]
fn an_unknown_error_is_a_failure_with_a_way_out() {
    let output = run(&["report", RACE, "--error", "banana"]);
    assert_eq!(output.status.code(), Some(2));
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(
        errors.contains("\"banana\"") && errors.contains("hangup explain"),
        "{errors}"
    );
}

#[test]
fn what_is_left_out_is_counted() {
    let path = list("some.ignore", "# the probe\nserver 10.77.0.1 path /hello\n");
    let path = path.to_str().unwrap();
    let told = text(&[RACE, "--ignore-file", path]);
    assert!(told.contains("Every connection is left out."), "{told}");
    assert!(told.contains("2 connections ignored by"), "{told}");
    assert!(
        told.contains("2 by line 2, server 10.77.0.1 path /hello"),
        "{told}"
    );
    assert!(!told.contains("keep-alive-race]"), "{told}");
    let whole = report(&[RACE, "--ignore-file", path]);
    assert_eq!(whole["ignored"]["connections"], json!([1, 2]));
    assert_eq!(whole["ignored"]["lines"][0]["connections"], 2);
    assert_eq!(
        (&whole["connections"], &whole["findings"]),
        (&json!([]), &json!([]))
    );
    let notable = report(&[RACE, "--ignore-file", path, "--connections", "notable"]);
    assert_eq!(notable["ignored"], whole["ignored"]);
    let without = report(&[RACE, "--no-ignore-file"]);
    assert_eq!(without["ignored"], Value::Null);
}

#[test]
fn a_rule_can_be_left_out_for_some_hosts() {
    let path = list("rule.ignore", "rule keep-alive-race client 10.77.0.0/16\n");
    let output = run(&[
        "report",
        RACE,
        "--fail-on",
        "error",
        "--ignore-file",
        path.to_str().unwrap(),
    ]);
    assert_eq!(output.status.code(), Some(0));
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(told.contains("1 finding ignored by"), "{told}");
    assert!(!told.contains("[keep-alive-race]"), "{told}");
}

#[test]
fn the_list_of_the_working_directory_is_used_unless_it_is_not_wanted() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("with-a-list");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(".hangupignore"), "port 80\n").unwrap();
    let capture = fs::canonicalize(RACE).unwrap();
    let told = |more: &[&str]| {
        let mut program = Command::new(env!("CARGO_BIN_EXE_hangup"));
        program.current_dir(&folder).arg(&capture).args(more);
        String::from_utf8(program.output().unwrap().stdout).unwrap()
    };
    assert!(told(&[]).contains("2 connections ignored by .hangupignore"));
    assert!(!told(&["--no-ignore-file"]).contains("ignored"));
}

#[test]
fn a_bad_line_is_named() {
    let path = list("bad.ignore", "port 80\n\nprot 81\n");
    let path = path.to_str().unwrap();
    for (path, words) in [
        (path, &["bad.ignore", "line 3", "\"prot\""][..]),
        (
            "no-such-list",
            &["no-such-list", "cannot be read", "No such file"],
        ),
    ] {
        let output = run(&["report", RACE, "--ignore-file", path]);
        assert_eq!(output.status.code(), Some(2));
        let errors = String::from_utf8(output.stderr).unwrap();
        for word in words {
            assert!(errors.contains(word), "{word}: {errors}");
        }
    }
}
