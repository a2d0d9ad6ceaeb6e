//! The recipes of `docs/fleet.md`: what DuckDB and Spark find in many captures is what a direct run finds.
//!
//! They run where the tools are installed; elsewhere this says on standard error what was left out.

#![cfg(feature = "cli")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// Captures that are read at most.
const MANY: usize = 1100;
/// Bytes of a capture that takes too long here.
const LARGE: u64 = 1 << 20;
const PROGRAM: &str = env!("CARGO_BIN_EXE_hangup");

fn place(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
        .join("fleet")
        .join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// Whether Python has these modules; says so if it has not.
fn has(modules: &str) -> bool {
    let mut python = Command::new("python3");
    python
        .arg("-c")
        .arg(format!("import {modules}"))
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let there = python.status().is_ok_and(|it| it.success());
    if !there {
        eprintln!("not run: python3 has no {modules}");
    }
    there
}

/// As many captures as there are, up to a thousand and some; `HANGUP_SHARED` names a folder with more.
fn captures() -> Vec<String> {
    let mut all = Vec::new();
    let mut folders = vec![PathBuf::from("captures")];
    if let Some(shared) = std::env::var_os("HANGUP_SHARED") {
        folders.push(PathBuf::from(shared).join("captures"));
    }
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let is_capture = |ending: &std::ffi::OsStr| ending == "pcap" || ending == "pcapng";
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(is_capture)
                && path.metadata().unwrap().len() < LARGE
            {
                all.push(path.to_str().unwrap().to_owned());
            }
        }
    }
    all.sort();
    all.truncate(MANY);
    all
}

#[track_caller]
fn done(command: &mut Command) -> Output {
    let output = command
        .env("HANGUP", PROGRAM)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {told}");
    output
}

/// The lines of a direct run on one capture; none if it cannot be read.
fn direct(capture: &str) -> Vec<Value> {
    let output = Command::new(PROGRAM)
        .args(["report", capture, "-f", "ndjson", "--connections", "all"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The table that a query prints.
fn query(out: &Path, name: &str) -> Vec<Vec<String>> {
    let output = done(
        Command::new("docs/fleet/query")
            .arg(out)
            .arg(format!("docs/fleet/{name}.sql")),
    );
    let text = String::from_utf8(output.stdout).unwrap();
    let rows = text.lines().skip(1);
    rows.map(|line| line.split('\t').map(str::to_owned).collect())
        .collect()
}

#[test]
fn duckdb_finds_what_a_direct_run_finds() {
    if !has("duckdb") {
        return;
    }
    let captures = captures();
    let out = place("duckdb");
    done(Command::new("docs/fleet/read").arg(&out).args(&captures));
    let lines = fs::read_to_string(out.join("captures.ndjson")).unwrap();
    assert_eq!(lines.lines().count(), captures.len());

    let mut servers: BTreeMap<String, u64> = BTreeMap::new();
    let mut races = 0;
    for capture in &captures {
        for line in direct(capture) {
            if line["kind"] == "connection" {
                let server = &line["server"];
                let exchanges = line["exchanges"].as_array().unwrap();
                let lost = |it: &&Value| !it["outcome"].is_null() && it["outcome"] != "complete";
                let failed = match line["outcome"] == "failed" {
                    true => exchanges.iter().filter(lost).count() as u64,
                    false => 0,
                };
                let name = format!("{}:{}", server["ip"].as_str().unwrap(), server["port"]);
                *servers.entry(name).or_default() += failed;
            } else if line["rule"] == "keep-alive-race" {
                races += line["counts"]["times"].as_u64().unwrap();
            }
        }
    }
    let worst = query(&out, "worst-servers");
    assert!(worst.len() > 3, "{worst:?}");
    for row in &worst {
        assert_eq!(
            Some(&row[1].parse().unwrap()),
            servers.get(&row[0]),
            "{row:?}"
        );
    }
    let most = servers.values().max().unwrap();
    assert_eq!(worst[0][1], most.to_string(), "the worst comes first");
    let found: u64 = query(&out, "races")
        .iter()
        .map(|row| row[1].parse::<u64>().unwrap())
        .sum();
    assert_eq!(found, races);
    assert!(races > 0 && out.join("captures.parquet").exists());
}

#[test]
fn spark_finds_what_a_direct_run_finds() {
    let has_java = Command::new("java")
        .arg("-version")
        .output()
        .is_ok_and(|it| it.status.success());
    if !has_java {
        eprintln!("not run: there is no java");
    }
    if !has_java || !has("duckdb, pyspark") {
        return;
    }
    let folder = place("captures");
    let out = place("spark").join("out.parquet");
    let mut captures = captures();
    captures.retain(|it| fs::metadata(it).unwrap().len() > 0);
    captures.truncate(60);
    for (nth, capture) in captures.iter().enumerate() {
        fs::copy(capture, folder.join(format!("{nth}.pcap"))).unwrap();
    }
    done(Command::new("docs/fleet/spark").arg(&folder).arg(&out));
    let rows = done(Command::new("python3").arg("-c").arg(format!(
        "import duckdb, json\nfor row in duckdb.sql(\"select file, connections, failed, rules from '{}/*.parquet'\").fetchall():\n    print(json.dumps(row))",
        out.display()
    )));
    let text = String::from_utf8(rows.stdout).unwrap();
    let rows: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(rows.len(), captures.len());
    for row in rows {
        let name = row[0].as_str().unwrap().rsplit('/').next().unwrap();
        let lines = direct(folder.join(name).to_str().unwrap());
        if row[1].is_null() {
            assert!(lines.is_empty(), "{name}");
            continue;
        }
        let connections: Vec<&Value> = lines
            .iter()
            .filter(|it| it["kind"] == "connection")
            .collect();
        let failed = connections
            .iter()
            .filter(|it| it["outcome"] == "failed")
            .count();
        let mut rules: Vec<&Value> = lines
            .iter()
            .filter(|it| it["kind"] == "finding")
            .map(|it| &it["rule"])
            .collect();
        rules.sort_by_key(|it| it.as_str());
        assert_eq!(row[1], connections.len(), "{name}");
        assert_eq!(row[2], failed, "{name}");
        assert_eq!(
            row[3].as_array().unwrap().iter().collect::<Vec<_>>(),
            rules,
            "{name}"
        );
    }
}

/// Two halves of one connection in two files of a rotation.
#[test]
fn a_connection_in_two_files_is_one_in_one_run() {
    let folder = place("rotated");
    let bytes = fs::read("captures/reset-before-response.pcap").unwrap();
    // The header of the file, then records of a header of 16 bytes and the packet.
    let mut at = 24;
    let mut cuts = Vec::new();
    while at < bytes.len() {
        cuts.push(at);
        let length = u32::from_le_bytes(bytes[at + 8..at + 12].try_into().unwrap()) as usize;
        at += 16 + length;
    }
    let middle = cuts[4];
    let (first, second) = (folder.join("trace_1.pcap"), folder.join("trace_2.pcap"));
    fs::write(&first, &bytes[..middle]).unwrap();
    fs::write(&second, [&bytes[..24], &bytes[middle..]].concat()).unwrap();
    let rules = |files: &[&Path]| {
        let mut program = Command::new(PROGRAM);
        let output = done(program.arg("report").args(files).args(["-f", "ndjson"]));
        let text = String::from_utf8(output.stdout).unwrap();
        let lines = text
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        let rules =
            lines.filter(|it| it["kind"] == "finding" && it["rule"] == "reset-before-response");
        rules
            .map(|it| it["connections"].clone())
            .collect::<Vec<_>>()
    };
    let whole = rules(&[Path::new("captures/reset-before-response.pcap")]);
    assert_eq!(rules(&[&first, &second]), whole);
    assert_ne!(rules(&[&second]), whole);
}
