//! The socket errors that both systems returned to their programs, as recorded from the kernels, compared with those
//! computed from the capture.
//!
//! Reads the recordings under `$HANGUP_SHARED/captures/lab`; without it the test does nothing.

mod reading;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hangup::analysis::connection::Who;
use hangup::knowledge::System;
use hangup::packet::capture::{OpenOptions, open};
use hangup::rules::log_errors::socket;
use serde_json::Value;

fn truths(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("the recordings");
    let mut files: Vec<PathBuf> = entries
        .map(|it| it.expect("it can be listed").path())
        .filter(|it| it.to_string_lossy().ends_with(".truth.json"))
        .collect();
    files.sort();
    files
}

#[test]
fn the_system_says_what_the_kernels_recorded() {
    let Some(shared) = std::env::var_os("HANGUP_SHARED") else {
        eprintln!("HANGUP_SHARED is not set: nothing recorded");
        return;
    };
    let lab = Path::new(&shared).join("captures/lab");
    let mut files = truths(&lab);
    files.extend(truths(&lab.join("matrix")));
    let (mut right, mut all, mut invented) = (0, 0, 0);
    let mut misses = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).expect("text");
        let truth: Value = serde_json::from_str(&text).expect("JSON");
        let capture = truth["captures"][0]["file"].as_str().expect("a capture");
        let capture = file.with_file_name(capture);
        let Ok(source) = open(&[&capture], &OpenOptions::default()) else {
            continue;
        };
        let reading = reading::analyse(source, 1);
        let mut seen: BTreeMap<(String, String), Vec<_>> = BTreeMap::new();
        for connection in &reading.snapshot.connections {
            let ends = (connection.client.to_string(), connection.server.to_string());
            seen.entry(ends).or_default().push(connection);
        }
        for row in truth["connections"].as_array().into_iter().flatten() {
            let end = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
            let Some(connections) = seen.get_mut(&(end("client"), end("server"))) else {
                continue;
            };
            if connections.is_empty() || !row["capture_shows"].is_null() {
                continue;
            }
            let connection = connections.remove(0);
            for (who, name) in [(Who::Client, "client"), (Who::Server, "server")] {
                let got = socket(connection, who, System::Linux).and_then(|it| it.pending());
                let got = got.map(|it| it.name(System::Linux));
                let errors = row["socket_errors"][name].as_array();
                let mut recorded = errors.into_iter().flatten().filter_map(Value::as_str);
                // A soft error is recorded without a number: the recording does not contain what connect() then
                // returns.
                let soft = recorded.clone().next() == Some("0");
                let wanted = recorded.find(|it| *it != "0");
                if soft && wanted.is_none() {
                    continue;
                }
                match (wanted, got) {
                    (None, None) => continue,
                    (None, Some(_)) => invented += 1,
                    (Some(_), _) => all += 1,
                }
                if wanted.is_some() && wanted == got {
                    right += 1;
                } else {
                    let case = file
                        .file_stem()
                        .unwrap_or_default()
                        .to_string_lossy()
                        .into_owned();
                    misses.push(format!(
                        "{case} #{} {name}: {wanted:?}, got {got:?}",
                        connection.id
                    ));
                }
            }
        }
    }
    eprintln!("socket errors: {right} of {all}, {invented} that no kernel recorded");
    for miss in &misses {
        eprintln!("  {miss}");
    }
    // Not in the capture: a RST that a middlebox sends to the other side beyond the point of capture, and a timeout
    // that a program sets for itself.
    assert!(right * 100 >= all * 88);
    assert_eq!(invented, 0, "{misses:#?}");
}
