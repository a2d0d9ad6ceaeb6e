//! Sessions of many protocols that were made with real servers and clients (`captures/protocols`): who ended each, how,
//! and that nobody is alarmed by one that went well. What is expected stands in tables beside the captures; it is what was done
//! when they were recorded.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hangup::{Analysis, By, Certainty, Connection, How, ResetKind, Severity};

/// One line of a table.
struct Expected {
    file: String,
    /// The client's port, or the number of the connection.
    connection: String,
    who: String,
    how: String,
    outcome: String,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("captures/protocols")
}

fn tables() -> BTreeMap<String, Vec<Expected>> {
    let mut all: BTreeMap<String, Vec<Expected>> = BTreeMap::new();
    for table in ["expected-db.tsv", "expected-msg.tsv"] {
        let text = std::fs::read_to_string(folder().join(table)).unwrap();
        for line in text.lines().skip(1) {
            let cells: Vec<&str> = line.split('\t').collect();
            let [file, connection, _, who, how, _, outcome, ..] = cells[..] else {
                panic!("{table}: too few cells: {line}");
            };
            all.entry(file.to_owned()).or_default().push(Expected {
                file: file.to_owned(),
                connection: connection.to_owned(),
                who: who.to_owned(),
                how: how.to_owned(),
                outcome: outcome.to_owned(),
            });
        }
    }
    all
}

/// Calls `look` with every expected connection, its record, and what was found about it.
fn each(mut look: impl FnMut(&Expected, &Connection, &[(&'static str, Severity)])) {
    for (file, rows) in tables() {
        let analysis = Analysis::of_files([folder().join(&file)]).unwrap();
        for expected in rows {
            let connection = analysis.connections().iter().find(|it| {
                // In active mode it is the server of FTP that calls.
                let names = [it.client.port.into(), it.server.port.into(), it.id];
                names
                    .iter()
                    .any(|name| name.to_string() == expected.connection)
            });
            let connection = connection
                .unwrap_or_else(|| panic!("{file}: no connection {}", expected.connection));
            let about = analysis.findings().iter();
            let about = about.filter(|finding| finding.connections.contains(&connection.id));
            let findings: Vec<_> = about.map(|it| (it.rule, it.severity)).collect();
            look(&expected, connection, &findings);
        }
    }
}

/// What a record says of the close, in the words of the tables.
fn told(connection: &Connection) -> (&'static str, &'static str) {
    let teardown = &connection.teardown;
    let who = match teardown.by {
        By::Client => "client",
        By::Server => "server",
        By::Both => "both",
        By::Middlebox => "middlebox",
        By::Nobody => "nobody",
    };
    let how = match teardown.how {
        How::Fin => "fin",
        How::Reset(ResetKind::Refusal) => "refused",
        How::Reset(_) => "rst",
        How::Silence => "silence",
        How::Open => "open",
    };
    (who, how)
}

/// Connections on which more was done than the packets show, each with what they show.
const UNSEEN: &[(&str, &str, &str)] = &[
    // The capture ends before the SYN was repeated often enough.
    ("postgresql-forgotten-drop-pgx.pcap", "nobody", "open"),
    ("mqtt-forgotten.pcap", "nobody", "open"),
    // Both routers call; the one that was killed had accepted this connection.
    ("bgp-client-killed.pcap", "server", "fin"),
];

#[test]
fn who_ended_it_and_how() {
    let mut wrong = Vec::new();
    each(|expected, connection, _| {
        let got = told(connection);
        let called = connection.server.port.to_string() == expected.connection;
        let got = match got {
            ("client", how) if called => ("server", how),
            ("server", how) if called => ("client", how),
            got => got,
        };
        let wanted = (expected.who.as_str(), expected.how.as_str());
        let unseen = UNSEEN.contains(&(expected.file.as_str(), got.0, got.1));
        // A box on the way that drops packets, or answers in the server's name with a RST that any host without the
        // connection would send, cannot be told from the server.
        let same = match wanted {
            ("middlebox", "silence") => got == ("nobody", "silence"),
            ("middlebox", "refused") => got == ("server", "refused"),
            ("middlebox", "rst") => {
                got == ("server", "rst") && connection.teardown.certainty != Certainty::Certain
            }
            wanted => got == wanted,
        };
        if !same && !unseen {
            let place = format!("{} {}", expected.file, expected.connection);
            wrong.push(format!("{place}: wanted {wanted:?}, got {got:?}"));
        }
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn nobody_is_alarmed_by_what_went_well() {
    let mut wrong = Vec::new();
    each(|expected, _, findings| {
        let orderly = expected.file.contains("-orderly");
        let well = expected.outcome == "fine" || orderly && expected.outcome != "failed";
        for (rule, severity) in findings {
            if well && *severity >= Severity::Warning && !SAID.contains(&(&*expected.file, *rule)) {
                wrong.push(format!("{} {}: {rule}", expected.file, expected.connection));
            }
        }
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is said of sessions that lost nothing, and rightly.
const SAID: &[(&str, &str)] = &[
    // The server answered 400: the client spoke plain text on a TLS port.
    ("https-plain-to-tls-curl.pcap", "tls-plaintext-mismatch"),
    ("https-plain-to-tls-requests.pcap", "tls-plaintext-mismatch"),
];
