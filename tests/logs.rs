//! Holds what is said of logs against the truth of `captures/legs`: which line of which log belongs to which request on which
//! connection. The truth was noted by the programs, not read from the captures.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use hangup::{Analysis, AnalysisOptions, Format, ReportOptions};
use serde_json::Value;

const FOLDER: &str = "captures/legs";

/// A request: the columns of `truth.tsv` by their names.
type Truth = HashMap<String, String>;

fn truth() -> BTreeMap<String, Vec<Truth>> {
    let text = fs::read_to_string(format!("{FOLDER}/truth.tsv")).unwrap();
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().unwrap().split('\t').collect();
    let mut all: BTreeMap<String, Vec<Truth>> = BTreeMap::new();
    for line in lines {
        let values = line.split('\t').map(str::to_owned);
        let row: Truth = names
            .iter()
            .map(|it| (*it).to_owned())
            .zip(values)
            .collect();
        all.entry(row["recording"].clone()).or_default().push(row);
    }
    all
}

/// The captures of a recording: at the first proxy, and at other places.
fn captures(recording: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(FOLDER).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let stem = name.split(['@', '.']).next().unwrap_or_default();
        if stem == recording && name.contains(".pcap") {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn report(captures: &[PathBuf], log: &Path) -> Value {
    let mut options = AnalysisOptions::default();
    options.logs = vec![log.to_owned()];
    let keys = captures[0]
        .to_string_lossy()
        .split(['@', '.'])
        .next()
        .unwrap()
        .to_owned()
        + ".keylog";
    if Path::new(&keys).exists() {
        options.key_logs = vec![keys.into()];
    }
    let analysis = Analysis::with_options(captures.to_vec(), &options)
        .unwrap_or_else(|error| panic!("{}: {error}", log.display()));
    let mut json = Vec::new();
    analysis
        .write_report(Format::Json, &ReportOptions::default(), &mut json)
        .unwrap();
    serde_json::from_slice(&json).unwrap()
}

/// The connections of a report by their ends, as the truth writes them.
fn by_ends(report: &Value) -> HashMap<u64, String> {
    let end = |it: &Value| {
        let ip = it["ip"].as_str().unwrap();
        let ip = if ip.contains(':') {
            format!("[{ip}]")
        } else {
            ip.to_owned()
        };
        format!("{ip}:{}", it["port"])
    };
    let connections = report["connections"].as_array().unwrap().iter();
    let each = connections.map(|it| {
        let ends = format!("{}>{}", end(&it["client"]), end(&it["server"]));
        (it["id"].as_u64().unwrap(), ends)
    });
    each.collect()
}

/// Where each line is: the ends of its connection, the place of the exchange, and who wrote it.
fn joins(report: &Value) -> BTreeMap<u64, (String, Option<u64>, String)> {
    let ends = by_ends(report);
    let lines = report["log"][0]["lines"].as_array().unwrap().iter();
    let each = lines.map(|it| {
        let id = it["connection"].as_u64().unwrap();
        let writer = it["written_by"].as_str().unwrap().to_owned();
        let place = (ends[&id].clone(), it["exchange"].as_u64(), writer);
        (it["line"].as_u64().unwrap(), place)
    });
    each.collect()
}

/// The numbers in a cell such as `4, 5` or `-`.
fn numbers(cell: &str) -> Vec<u64> {
    cell.split([',', ' '])
        .filter_map(|it| it.parse().ok())
        .collect()
}

fn list(cell: &str) -> Vec<String> {
    let parts = cell.split([',', ' ']).filter(|it| it.contains('>'));
    parts.map(str::to_owned).collect()
}

/// Recordings in which the client's address in a log is one that a PROXY header announced: which leg it is of is not shown.
const ANNOUNCED: [&str; 2] = ["proxy-protocol", "proxy-protocol-2"];

#[derive(Debug, Default)]
struct Tally {
    lines: usize,
    right: usize,
    undecided: usize,
    /// Lines of what was not captured, or is encrypted, that were joined nevertheless.
    invented: usize,
    wrong: Vec<String>,
}

#[test]
fn access_lines_are_at_their_requests() {
    let mut tally = Tally::default();
    for (recording, rows) in truth() {
        if ANNOUNCED.contains(&recording.as_str()) {
            continue;
        }
        for (suffix, column, leg, nth) in [
            ("access.log", "access_line", "leg1", "nth1"),
            ("@middle.access.log", "middle_access_line", "leg2", "nth2"),
        ] {
            let between = if suffix.starts_with('@') { "" } else { "." };
            let log = PathBuf::from(format!("{FOLDER}/{recording}{between}{suffix}"));
            if !log.exists() {
                continue;
            }
            for capture in captures(&recording) {
                let report = report(std::slice::from_ref(&capture), &log);
                let joins = joins(&report);
                let captured: BTreeSet<String> = by_ends(&report).into_values().collect();
                let readable = |ends: &str| {
                    let of = report["connections"].as_array().unwrap().iter();
                    let ids = by_ends(&report);
                    let mut own = of.filter(|it| ids[&it["id"].as_u64().unwrap()] == ends);
                    own.any(|it| !it["exchanges"].as_array().unwrap().is_empty())
                };
                for row in &rows {
                    let Some(wanted) = list(&row[leg]).into_iter().next() else {
                        continue;
                    };
                    let place = numbers(&row[nth]).first().copied();
                    for line in numbers(&row[column]) {
                        let found = joins.get(&line);
                        if !captured.contains(&wanted) || !readable(&wanted) {
                            let elsewhere = found.is_some_and(|it| it.0 != wanted);
                            tally.invented += usize::from(elsewhere);
                            if elsewhere {
                                tally
                                    .wrong
                                    .push(format!("{}: line {line}: {found:?}", log.display()));
                            }
                            continue;
                        }
                        tally.lines += 1;
                        match found {
                            Some((ends, exchange, _))
                                if *ends == wanted
                                    && exchange.is_none_or(|it| Some(it + 1) == place) =>
                            {
                                tally.right += 1;
                            }
                            Some(other) => tally.wrong.push(format!(
                                "{} on {}: line {line} is at {other:?}, not {wanted} {place:?}",
                                log.display(),
                                capture.display()
                            )),
                            None => {
                                tally.undecided += 1;
                                tally
                                    .wrong
                                    .push(format!("{}: line {line}: nowhere", log.display()));
                            }
                        }
                    }
                }
            }
        }
    }
    assert!(tally.lines >= 100, "{tally:?}");
    assert_eq!(tally.invented, 0, "{tally:#?}");
    assert!(tally.right * 100 >= tally.lines * 99, "{tally:#?}");
    println!("{} of {} lines", tally.right, tally.lines);
}

#[test]
fn error_lines_are_at_the_leg_that_they_are_about() {
    let (mut lines, mut wrong) = (0, Vec::new());
    for (recording, rows) in truth() {
        if ANNOUNCED.contains(&recording.as_str()) {
            continue;
        }
        for (suffix, column, client, server) in [
            (".error.log", "error_lines", "leg1", "leg2"),
            ("@middle.error.log", "middle_error_lines", "leg2", "leg3"),
        ] {
            let log = PathBuf::from(format!("{FOLDER}/{recording}{suffix}"));
            if !log.exists() || fs::metadata(&log).unwrap().len() == 0 {
                continue;
            }
            for capture in captures(&recording) {
                let report = report(std::slice::from_ref(&capture), &log);
                let joins = joins(&report);
                let text = fs::read_to_string(&log).unwrap();
                let texts: Vec<&str> = text.lines().collect();
                for row in &rows {
                    for line in numbers(&row[column]) {
                        let Some((ends, _, writer)) = joins.get(&line) else {
                            continue;
                        };
                        lines += 1;
                        let legs = match writer.as_str() {
                            "client" => list(&row[server]),
                            _ => list(&row[client]),
                        };
                        // A proxy may have tried once more than was noted: to the same server.
                        let to = |it: &String| it.split('>').nth(1).map(str::to_owned);
                        let near = legs.iter().any(|it| to(it) == to(ends));
                        if !legs.contains(ends) && !near {
                            wrong.push(format!(
                                "{}: {ends}: {}",
                                log.display(),
                                texts[line as usize - 1]
                            ));
                        }
                    }
                }
            }
        }
    }
    assert!(lines >= 10 && wrong.is_empty(), "{lines} {wrong:#?}");
    println!("{lines} lines");
}

/// A text with its dates some days earlier.
fn earlier(text: &str, days: u32) -> String {
    let mut text = text.to_owned();
    for day in [29, 30] {
        let other = day - days;
        for (from, to) in [
            (format!("{day}/Nov/2026"), format!("{other}/Nov/2026!")),
            (format!("2026-11-{day}"), format!("2026!-11-{other}")),
            (format!("2026/11/{day}"), format!("2026!/11/{other}")),
            (format!("Nov {day} "), format!("Nov! {other} ")),
            (format!("{day}-Nov-2026"), format!("{other}-Nov-2026!")),
        ] {
            text = text.replace(&from, &to);
        }
    }
    let text = text.replace("2026!", "2026").replace("Nov!", "Nov");
    // Seconds since 1970.
    let mut parts = text.split("\"ts\":");
    let mut moved = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|it: char| !it.is_ascii_digit()).unwrap_or(0);
        let seconds: u64 = part[..end].parse().unwrap();
        moved += &format!(
            "\"ts\":{}{}",
            seconds - u64::from(days) * 86_400,
            &part[end..]
        );
    }
    moved
}

#[test]
fn a_log_of_another_day_is_about_nothing_here() {
    let folder = tempfile::tempdir().unwrap();
    let mut logs = 0;
    for recording in truth().into_keys() {
        let capture = captures(&recording).remove(0);
        for suffix in [
            ".access.log",
            ".error.log",
            "@app.log",
            "@middle.access.log",
        ] {
            let log = PathBuf::from(format!("{FOLDER}/{recording}{suffix}"));
            let Ok(text) = fs::read_to_string(&log) else {
                continue;
            };
            if text.is_empty() {
                continue;
            }
            for days in [1, 7] {
                let path = folder.path().join("other.log");
                fs::write(&path, earlier(&text, days)).unwrap();
                let report = report(std::slice::from_ref(&capture), &path);
                let log_row = &report["log"][0];
                assert_eq!(
                    log_row["joined"],
                    0,
                    "{} {days}: {log_row:#}",
                    log.display()
                );
                logs += 1;
            }
        }
    }
    assert!(logs >= 20, "{logs}");
}

#[test]
fn other_traffic_changes_no_join() {
    let all: Vec<String> = truth().into_keys().collect();
    for (nth, recording) in all.iter().enumerate().filter(|(nth, _)| nth % 4 == 0) {
        let log = PathBuf::from(format!("{FOLDER}/{recording}.access.log"));
        if !log.exists() {
            continue;
        }
        let own = captures(recording).remove(0);
        let other = captures(&all[(nth + all.len() / 2) % all.len()]).remove(0);
        let alone = joins(&report(std::slice::from_ref(&own), &log));
        let among = joins(&report(&[own.clone(), other.clone()], &log));
        assert_eq!(alone, among, "{} beside {}", own.display(), other.display());
    }
}

#[test]
fn more_lines_than_are_kept_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large.log");
    let line = "10.83.0.2 - - [29/Nov/2026:23:58:50 +0000] \"GET /hello/1 HTTP/1.1\" 200 6 \"-\" \"curl/7.88.1\"\n";
    let first = fs::read_to_string(format!("{FOLDER}/nginx-default.access.log")).unwrap();
    let line = first
        .lines()
        .next()
        .map_or(line.to_owned(), |it| format!("{it}\n"));
    fs::write(&path, line.repeat(200_000)).unwrap();
    let report = report(&[format!("{FOLDER}/nginx-default.pcap").into()], &path);
    let log = &report["log"][0];
    assert_eq!(log["lines_total"], 200_000);
    // As many lines for one request: none is taken for it.
    assert_eq!(log["joined"], 0);
    assert!(
        log["not_compared"].as_u64().unwrap() > 0,
        "{}",
        log["not_compared"]
    );
    // A line that was not compared may be that of any request.
    assert_eq!(log["requests_without_line"], 0);
    let hit = report["capture"]["limits_hit"].as_array().unwrap().iter();
    assert!(
        hit.filter_map(|it| it["name"].as_str())
            .any(|it| it == "log-lines")
    );
}

#[test]
fn a_request_that_a_line_may_be_about_is_not_without_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.log");
    let line = |second: u32, path: &str, status: u16| {
        format!(
            "10.83.0.2 - - [30/Nov/2026:00:01:{second:02} +0000] \"GET {path} HTTP/1.1\" {status} 6 \"-\" \"curl/7.88.1\"\n"
        )
    };
    // Three requests for this path were answered in that second, none with 404: which one the line means is not known.
    let text = line(0, "/none", 200) + &line(8, "/fresh/1", 404) + &line(59, "/none", 200);
    fs::write(&path, text).unwrap();
    let report = report(&[format!("{FOLDER}/varnish-default.pcap").into()], &path);
    let log = &report["log"][0];
    assert_eq!((&log["joined"], &log["undecided"]), (&0.into(), &1.into()));
    let ends = by_ends(&report);
    let unlogged = log["requests_without_line_first"].as_array().unwrap();
    let of_path = unlogged.iter().filter(|it| {
        ends[&it["connection"].as_u64().unwrap()] == "10.83.0.2:50350>10.83.1.10:80"
            && it["exchange"].as_u64().unwrap() < 3
    });
    assert_eq!(of_path.count(), 0, "{unlogged:?}");
    assert!(!unlogged.is_empty());
}

#[test]
fn what_is_no_log_is_said_to_be_none() {
    let read = |path: &str| {
        let mut options = AnalysisOptions::default();
        options.logs = vec![path.into()];
        let capture = format!("{FOLDER}/nginx-default.pcap");
        Analysis::with_options([capture], &options)
            .err()
            .map(|it| it.to_string())
    };
    let text = read("LICENSE-MIT").unwrap();
    assert!(
        text.contains("hangup explain") && text.contains("MIT License"),
        "{text}"
    );
    assert!(
        read("captures/none.log")
            .unwrap()
            .contains("cannot be read")
    );
    assert!(read("captures").unwrap().contains("cannot be read"));
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty.log");
    fs::write(&empty, "").unwrap();
    assert_eq!(read(&empty.to_string_lossy()), None);
}
