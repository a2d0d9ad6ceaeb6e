//! Decrypted TLS: captures with a key log next to them, or with secrets inside.

#![cfg(all(feature = "cli", feature = "decrypt"))]

mod seal;

use std::path::PathBuf;
use std::process::Command;

use hangup::base::flow_end::FlowEnd::{self, A, B};
use hangup::base::frame_ref::{FrameNumber, FrameRef};
use hangup::base::time::Timestamp;
use hangup::protocol::http::TextInterner;
use hangup::protocol::layers::{LayerFacts, LayerOptions, ProtocolStack};
use hangup::protocol::tls::secrets::KeyStore;
use serde_json::Value;

use seal::{Sealer, Suite};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("captures")
}

/// The JSON report, and everything the program printed.
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
            let named: Vec<&Value> = named.collect();
            let rules: Vec<&str> = named.iter().filter_map(|it| it["rule"].as_str()).collect();
            let harmless = named
                .iter()
                .all(|it| it["severity"] == "note" || it["severity"] == "benign");
            if rule == "-" && !harmless {
                misses.push(format!("{file} {id}: {rules:?}, and nothing is wrong"));
            }
            if rule != "-" && !rules.contains(&rule) {
                misses.push(format!("{file} {id}: {rules:?}, not {rule}"));
            }
        }
    }
    assert!(misses.is_empty(), "{misses:#?}");
}

/// What the program prints about a capture, given the key log next to it.
fn printed(command: &str, capture: &str, arguments: &[&str]) -> String {
    let path = folder().join(capture);
    let output = Command::new(env!("CARGO_BIN_EXE_hangup"))
        .arg(command)
        .arg(&path)
        .arg("--keylog")
        .arg(path.with_extension("keylog"))
        .args(arguments)
        .output()
        .expect("it runs");
    assert!(output.status.success(), "{capture}: {output:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn secrets_never_reach_a_report() {
    for name in ["tls12.pcapng", "tls13.pcap"] {
        let log = std::fs::read_to_string(folder().join(name).with_extension("keylog"));
        let log = log.expect("a key log").to_lowercase();
        let secrets: Vec<&str> = log
            .lines()
            .filter_map(|line| line.split(' ').nth(2))
            .collect();
        assert!(secrets.len() > 5);
        let mut texts = vec![printed("ladder", name, &["--connection", "1"])];
        for format in ["text", "markdown", "json", "ndjson", "csv"] {
            texts.push(printed(
                "report",
                name,
                &["-f", format, "--connections", "all"],
            ));
        }
        for (secret, text) in secrets
            .iter()
            .flat_map(|it| texts.iter().map(move |text| (it, text)))
        {
            assert!(!text.to_lowercase().contains(secret), "{name}");
        }
    }
}

/// The ladder of the typical connection in a report shows decrypted data.
#[test]
fn pictures_look_into_tls() {
    let picture = |capture: &str| {
        let text = printed("report", capture, &[]);
        let rows = text.lines().filter(|it| it.contains(['│', '·']));
        rows.collect::<Vec<_>>().join("\n")
    };
    insta::assert_snapshot!("picture-tls", picture("tls-cut-short.pcapng"));
    insta::assert_snapshot!("picture-h2", picture("h2-goaway-mid-stream.pcapng"));
    insta::assert_snapshot!(
        "picture-certificate",
        picture("tls-certificate-expired.pcapng")
    );
}

/// A drawn ladder annotates its rows with decrypted data and parses back; with payload and addresses hidden it shows
/// less.
#[test]
fn ladders_look_into_tls() {
    let frame_notes = |capture: &str, arguments: &[&str]| {
        let arguments = [arguments, &["--format", "notation"]].concat();
        let text = printed("ladder", capture, &arguments);
        assert_eq!(
            text.parse::<hangup::ladder::Ladder>()
                .expect("a ladder")
                .to_string(),
            text
        );
        let lines = text.lines().filter(|it| !it.starts_with('#'));
        let lines = lines.filter_map(|it| {
            it.split_once("  # ")
                .map(|(_, frame_note)| frame_note.to_owned())
        });
        lines.collect::<Vec<_>>().join("\n")
    };
    insta::assert_snapshot!(
        "ladder-h2",
        frame_notes("h2-goaway-mid-stream.pcapng", &["--connection", "1"])
    );
    let capture = "tls-client-certificate-missing.pcapng";
    insta::assert_snapshot!("ladder-alert", frame_notes(capture, &["--connection", "2"]));
    let hidden = ["--connection", "2", "--hide-addresses", "--hide-payload"];
    insta::assert_snapshot!("ladder-alert-hidden", frame_notes(capture, &hidden));
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

/// This also holds for a log that is followed by another one.
#[test]
fn the_last_line_of_a_key_log_needs_no_end() {
    let name = folder().join("tls12.keylog");
    let log = std::fs::read_to_string(name).expect("a key log");
    let mut command = Command::new(env!("CARGO_BIN_EXE_hangup"));
    command.args(["report", "-f", "json"]);
    command.arg(folder().join("tls12.pcapng"));
    let mut parts = Vec::new();
    for (nth, line) in log.lines().enumerate() {
        let part = format!("hangup-{}-{nth}.keylog", std::process::id());
        let part = std::env::temp_dir().join(part);
        std::fs::write(&part, line).expect("written");
        command.arg("--keylog").arg(&part);
        parts.push(part);
    }
    let output = command.output().expect("it runs");
    for part in parts {
        std::fs::remove_file(part).expect("removed");
    }
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    for connection in report["connections"].as_array().expect("connections") {
        assert_eq!(connection["protocol"], "http/1");
    }
}

/// An encrypted certificate: its subject, its validity, and whether it matches the requested name.
#[test]
fn certificates_of_tls_1_3_are_read_under_keys() {
    for (name, id, valid, named) in [
        ("tls-certificate-expired", 2, false, true),
        ("tls-self-signed", 2, true, true),
        ("tls-wrong-name", 2, true, false),
        ("tls-client-certificate-missing", 2, true, true),
    ] {
        let of = |key_log: Option<&str>| {
            let (report, _) = report(&format!("{name}.pcapng"), key_log);
            let mut all = report["connections"].as_array().expect("all").clone();
            all.retain(|it| it["id"] == id);
            all.remove(0)["tls"].take()
        };
        assert!(of(None)["certificates"].is_null(), "{name}");
        let tls = of(Some(&format!("{name}.keylog")));
        assert_eq!(tls["decrypted"], true, "{name}");
        let leaf = &tls["certificates"][0];
        assert_eq!(leaf["subject"], "CN=shop.example", "{name}");
        assert_eq!(leaf["names"][0], "shop.example", "{name}");
        assert_eq!(leaf["valid"], valid, "{name}");
        assert_eq!(leaf["names_server"], named, "{name}");
    }
}

/// Decrypted data is reported once: the alert, the negotiated protocol, and which records were application data.
#[test]
fn what_the_outside_made_likely_is_certain_under_keys() {
    let (report, _) = report(
        "tls-client-certificate-missing.pcapng",
        Some("tls-client-certificate-missing.keylog"),
    );
    let tls = &report["connections"][1]["tls"];
    let alerts = tls["alerts"].as_array().expect("alerts");
    let told: Vec<_> = alerts.iter().map(|it| (&it["by"], &it["code"])).collect();
    assert_eq!(told, [(&"server".into(), &116.into())]);
    assert_eq!(report["findings"][0]["certainty"], "certain");
    // After the handshake the server sent no application data record.
    assert_eq!(tls["application"]["server"]["records"], 0);

    let (report, _) = self::report(
        "tls-certificate-expired.pcapng",
        Some("tls-certificate-expired.keylog"),
    );
    for connection in report["connections"].as_array().expect("connections") {
        let alerts = connection["tls"]["alerts"].as_array().expect("alerts");
        assert_eq!(alerts.len(), 1, "in the clear, and not told twice");
    }
    let (report, _) = self::report(
        "h2-goaway-in-order.pcapng",
        Some("h2-goaway-in-order.keylog"),
    );
    assert_eq!(report["connections"][0]["tls"]["alpn"], "h2");
}

/// A body delimited by the close ends with the close_notify (RFC 9112 §9.8): the client may send its FIN first, and
/// the server's FIN need not be captured.
#[test]
fn a_close_notify_completes_what_it_ends() {
    let unfinished = "not (src host 10.77.0.1 and tcp[tcpflags] & tcp-fin != 0)";
    for filter in ["tcp", unfinished] {
        let arguments = ["-f", "json", "--filter", filter];
        let text = printed("report", "tls-open-ended.pcapng", &arguments);
        let report: Value = serde_json::from_str(&text).expect("JSON");
        let connections = report["connections"].as_array().expect("connections");
        assert_eq!(connections.len(), 2);
        for connection in connections {
            let exchange = &connection["exchanges"][0];
            assert_eq!(exchange["outcome"], "complete", "{filter}");
            assert_eq!(exchange["received"], 300);
            assert_eq!(exchange["expected"], Value::Null);
            assert_eq!(connection["teardown"]["phase"], "after", "{filter}");
        }
        let findings = report["findings"].as_array().expect("findings");
        assert!(
            findings
                .iter()
                .all(|it| it["rule"] == "capture-lost-packets"),
            "{findings:?}"
        );
    }
}

/// Every finding that is certain without the key log is also reported with it, and a connection with a likely finding
/// still has one.
#[test]
fn keys_make_nothing_worse() {
    let mut folders = vec![folder()];
    match std::env::var_os("HANGUP_SHARED") {
        Some(shared) => folders.push(PathBuf::from(shared).join("captures/lab")),
        None => eprintln!("the lab's captures are left out: HANGUP_SHARED is not set"),
    }
    let mut misses = Vec::new();
    let mut compared = 0;
    for path in folders
        .iter()
        .flat_map(|it| std::fs::read_dir(it).expect("a folder"))
    {
        let log = path.expect("a file").path();
        if log.extension().is_none_or(|it| it != "keylog") {
            continue;
        }
        let capture = ["pcap", "pcapng"].map(|it| log.with_extension(it));
        let capture = capture.iter().find(|it| it.exists()).expect("a capture");
        let of = |key_log| {
            let (report, _) = report(capture.to_str().expect("text"), key_log);
            let findings = report["findings"].as_array().expect("findings").clone();
            let each = findings.into_iter().flat_map(|it| {
                let ids = it["connections"].as_array().expect("ids").clone();
                let told = |name: &str| it[name].as_str().expect("text").to_owned();
                let (rule, certainty) = (told("rule"), told("certainty"));
                ids.into_iter()
                    .map(move |id| (id.as_u64(), rule.clone(), certainty.clone()))
            });
            each.collect::<Vec<_>>()
        };
        let opened = of(log.to_str());
        for (id, rule, certainty) in of(None) {
            compared += 1;
            let told = opened.iter().any(|it| it.0 == id);
            let same = opened.iter().any(|it| it.0 == id && it.1 == rule);
            // The rejected certificate may lead to a more specific finding, and closes that cross are no news where a loss is.
            let gives_way = ["tls-certificate-rejected", "simultaneous-close"];
            let same = same || told && gives_way.contains(&rule.as_str());
            if certainty == "certain" && !same || !told && certainty == "likely" {
                misses.push(format!("{}: {id:?} {rule} {certainty}", log.display()));
            }
        }
    }
    assert!(compared > 5, "{compared}");
    assert!(misses.is_empty(), "{misses:#?}");
}

/// A step of a connection with known secrets.
enum Step {
    Says(FlowEnd, Vec<u8>),
    /// This many bytes were not captured.
    Lacks(FlowEnd, usize),
}

use Step::{Lacks, Says};

/// A handshake, a request and its response.
fn talk(suite: Suite) -> Vec<Step> {
    let mut client = Sealer::new(suite, 0);
    let mut server = Sealer::new(suite, 1);
    vec![
        Says(A, suite.client_hello()),
        Says(B, suite.server_hello()),
        Says(B, server.finish()),
        Says(A, client.finish()),
        Says(A, client.seal(23, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 0)),
        Says(B, server.seal(23, b"HTTP/1.1 204 No\r\n\r\n", 0)),
        Says(B, server.seal(21, &[1, 0], 0)),
    ]
}

/// The layer facts if the secrets arrive before the step with this number.
fn hear(suite: Suite, steps: &[Step], known_at: usize) -> LayerFacts {
    let key_store = KeyStore::default();
    key_store.set_growing(true);
    let layer_options = LayerOptions {
        keys: Some(key_store.clone()),
        teller: None,
        annotator: None,
    };
    let mut stack = ProtocolStack::boxed(&layer_options, None, [0; 2]);
    let mut texts = TextInterner::new();
    for (number, step) in steps.iter().enumerate() {
        if number == known_at {
            key_store.read(suite.key_log().as_bytes(), FrameNumber(0));
        }
        let at = FrameRef {
            frame: FrameNumber(1 + number as u64),
            time: Timestamp::new(number as i64, 0),
        };
        match step {
            Says(from, bytes) => {
                stack.data(*from, at, bytes, bytes.len() as u32, &mut texts);
            }
            Lacks(from, length) => stack.gap(*from, at, *length as u64, &mut texts),
        }
    }
    if known_at >= steps.len() {
        key_store.read(suite.key_log().as_bytes(), FrameNumber(0));
    }
    stack.finish(&mut texts);
    stack.into_layer_facts()
}

#[test]
fn secrets_that_come_late_open_what_has_waited_in_its_order() {
    for suite in Suite::ALL {
        let steps = talk(suite);
        let wanted = hear(suite, &steps, 0);
        assert_eq!(wanted.exchanges.len(), 1);
        assert!(wanted.exchanges[0].is_complete());
        for known_at in 1..=steps.len() {
            let layer_facts = hear(suite, &steps, known_at);
            assert_eq!(layer_facts.exchanges, wanted.exchanges, "{known_at}");
            assert_eq!(layer_facts.tls, wanted.tls, "{known_at}");
        }
    }
}

#[test]
fn a_change_of_keys_that_was_not_captured_is_told_by_what_follows() {
    for suite in [Suite::Gcm, Suite::Cbc, Suite::CbcThenMac] {
        let mut steps = talk(suite);
        for lost in [2, 3] {
            if let Says(from, bytes) = &steps[lost] {
                steps[lost] = Lacks(*from, bytes.len());
            }
        }
        let layer_facts = hear(suite, &steps, 0);
        assert_eq!(layer_facts.exchanges.len(), 1);
        assert!(layer_facts.exchanges[0].is_complete());
    }
}

/// A limited number of records may be missing; after a longer gap nothing is decrypted.
#[test]
fn records_are_found_again_after_some_that_were_not_captured() {
    for (lost, is_found) in [(1, true), (60, true), (70, false)] {
        let suite = Suite::ModernGcm;
        let mut client = Sealer::new(suite, 0);
        let mut server = Sealer::new(suite, 1);
        let mut steps = vec![
            Says(A, suite.client_hello()),
            Says(B, suite.server_hello()),
            Says(B, server.finish()),
            Says(A, client.finish()),
            Says(
                A,
                client.seal(23, b"POST / HTTP/1.1\r\nContent-Length: 100\r\n\r\n", 0),
            ),
        ];
        let hidden: Vec<u8> = (0..lost).flat_map(|_| client.seal(23, b"x", 0)).collect();
        // The gap does not end at a record boundary; the decryptor has to find it.
        steps.push(Lacks(A, hidden.len() - 3));
        steps.push(Says(A, hidden[hidden.len() - 3..].to_vec()));
        for _ in 0..100 {
            steps.push(Says(
                A,
                client.seal(23, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 0),
            ));
        }
        let layer_facts = hear(suite, &steps, 0);
        assert_eq!(layer_facts.exchanges.len() > 90, is_found, "{lost}");
    }
}

#[test]
fn an_alert_in_the_clear_is_told_once() {
    let suite = Suite::Gcm;
    let mut steps = talk(suite);
    steps.truncate(2);
    steps.push(Says(A, seal::record(21, &[2, 48])));
    let layer_facts = hear(suite, &steps, 0);
    assert_eq!(layer_facts.tls.map(|facts| facts.alerts.len()), Some(1));
}
