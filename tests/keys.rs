//! What is said under the keys of TLS: the captures that have a key log beside them, or secrets inside.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("captures")
}

/// The JSON report, and everything it printed.
fn report(file: &str, key_log: Option<&str>) -> (Value, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hangup"));
    command.args(["report", "-f", "json"]);
    command.arg(folder().join(file));
    if let Some(name) = key_log {
        command.arg("--keylog").arg(folder().join(name));
    }
    let output = command.output().expect("it runs");
    assert!(output.status.success(), "{file}: {output:?}");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    (serde_json::from_str(&text).expect("JSON"), text)
}

#[test]
fn what_was_said_is_judged_as_in_the_clear() {
    let table = std::fs::read_to_string(folder().join("opened.tsv")).expect("a table");
    let mut misses = Vec::new();
    for line in table.lines().skip(1) {
        let columns: Vec<&str> = line.split('\t').collect();
        let [file, number, _, by, how, _, phase, _, rule, options] = columns[..] else {
            panic!("{line}");
        };
        let key_log = options.strip_prefix("--keylog ");
        let (report, _) = report(file, key_log);
        for connection in report["connections"].as_array().expect("connections") {
            let id = connection["id"].to_string();
            if number != "all" && number != id {
                continue;
            }
            let teardown = &connection["teardown"];
            let got = [&teardown["by"], &teardown["how"], &teardown["phase"]];
            if got != [by, how, phase] {
                misses.push(format!("{file} {id}: {got:?}, not {by} {how} {phase}"));
            }
            let named = report["findings"].as_array().expect("findings").iter();
            let named = named.filter(|finding| {
                let of = finding["connections"].as_array().expect("numbers");
                of.contains(&connection["id"])
            });
            let rules: Vec<&str> = named.filter_map(|it| it["rule"].as_str()).collect();
            if rule != "-" && !rules.contains(&rule) {
                misses.push(format!("{file} {id}: {rules:?}, not {rule}"));
            }
        }
    }
    assert!(misses.is_empty(), "{misses:#?}");
}

#[test]
fn secrets_never_reach_a_report() {
    let log = std::fs::read_to_string(folder().join("tls13.keylog")).expect("a key log");
    let (_, text) = report("tls13.pcap", Some("tls13.keylog"));
    let secrets: Vec<&str> = log
        .lines()
        .filter_map(|line| line.split(' ').nth(2))
        .collect();
    assert!(secrets.len() > 10);
    for secret in secrets {
        assert!(!text.contains(secret));
    }
}

#[test]
fn keys_of_other_connections_open_nothing_and_the_report_says_so() {
    let (report, _) = report("tls12.pcapng", Some("tls13.keylog"));
    for connection in report["connections"].as_array().expect("connections") {
        assert_eq!(connection["protocol"], "tls");
        assert_eq!(connection["tls"]["decrypted"], false);
        assert_eq!(connection["tls"]["not_decrypted"], "no-secret");
    }
}

#[test]
fn the_last_line_of_a_key_log_needs_no_end() {
    let name = folder().join("tls12.keylog");
    let log = std::fs::read_to_string(name).expect("a key log");
    let bare = std::env::temp_dir().join(format!("hangup-{}.keylog", std::process::id()));
    std::fs::write(&bare, log.trim_end()).expect("written");
    let (report, _) = report("tls12.pcapng", bare.to_str());
    std::fs::remove_file(&bare).expect("removed");
    for connection in report["connections"].as_array().expect("connections") {
        assert_eq!(connection["protocol"], "http/1");
    }
}
