//! The captures of `captures/protocols`: what the programs in them printed is among the texts that are predicted.
//! `expected-*.tsv` has a row per connection, with what was done and what each side printed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hangup::analysis::connection::Who;
use hangup::analysis::hosts::Legs;
use hangup::knowledge::NamedBy;
use hangup::rules::log_errors::{PredictedText, Predictor, Relays, filled};
use hangup::{Analysis, AnalysisOptions, Connection, Records};

/// A connection that failed, and what its client printed.
struct Row {
    file: String,
    /// The port of one end: the client's, unless the server opened the connection.
    port: u16,
    client: String,
    text: String,
}

/// Clients that are no programs with texts of their own: a few lines of a script.
const SCRIPTS: [&str; 4] = ["socket", "bash", "program", "nc"];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("captures/protocols")
}

/// The rows of connections that failed, whose clients printed something.
fn failed() -> Vec<Row> {
    let mut all = Vec::new();
    for table in ["expected-db.tsv", "expected-msg.tsv"] {
        let text = std::fs::read_to_string(folder().join(table)).expect("a table");
        for line in text.lines().skip(1) {
            let fields: Vec<&str> = line.split('\t').collect();
            let [file, port, _, _, _, _, outcome, _, client, text, ..] = fields[..] else {
                panic!("{table}: {line}");
            };
            let name = client.split(' ').next().unwrap_or_default();
            if outcome == "failed" && !text.is_empty() && !SCRIPTS.contains(&name) {
                all.push(Row {
                    file: file.trim_end_matches(".pcap").to_owned(),
                    port: port.parse().expect("a port"),
                    client: client.to_owned(),
                    text: text.to_owned(),
                });
            }
        }
    }
    all
}

/// The words of a text in lower case, without the codes that are printed in square brackets.
fn words(text: &str) -> Vec<String> {
    let mut plain = String::new();
    for part in text.split('[') {
        let rest = match part.split_once(']') {
            Some((code, rest)) if code.bytes().all(|it| !it.is_ascii_lowercase()) => rest,
            _ => part,
        };
        plain.push(' ');
        plain += rest;
    }
    // A class of exceptions has a name of several words, and a number its unit behind it.
    let mut apart = String::new();
    let mut letters = plain.chars().peekable();
    let mut before = ' ';
    while let Some(letter) = letters.next() {
        let next_is_small = letters.peek().is_some_and(char::is_ascii_lowercase);
        let begins = letter.is_ascii_uppercase() && (before.is_ascii_lowercase() || next_is_small);
        let other = before.is_ascii_digit() != letter.is_ascii_digit();
        if begins || other {
            apart.push(' ');
        }
        apart.push(letter);
        before = letter;
    }
    apart
        .split(|it: char| !it.is_ascii_alphanumeric())
        .filter(|it| !it.is_empty())
        .map(str::to_ascii_lowercase)
        .collect()
}

/// Other words that may stand between two words of a text: a code, a line break's mark.
const BETWEEN: usize = 1;

/// Whether the words of a predicted text are in what was printed, in order; anything may stand for `…`.
fn says(printed: &str, predicted: &str) -> bool {
    let printed = words(printed);
    let parts: Vec<Vec<String>> = predicted.split('…').map(words).collect();
    let mut at = 0;
    let all: usize = parts.iter().map(Vec::len).sum();
    for part in parts.iter().filter(|it| !it.is_empty()) {
        let from = (at..printed.len())
            .find_map(|start| after(&printed[start..], part).map(|it| start + it));
        match from {
            Some(next) => at = next,
            None => return false,
        }
    }
    all >= 1
}

/// The place after the words of a part that begin here.
fn after(printed: &[String], part: &[String]) -> Option<usize> {
    let mut at = 0;
    for (nth, word) in part.iter().enumerate() {
        let most = if nth == 0 { 1 } else { BETWEEN + 1 };
        let there = printed.get(at..)?.iter().take(most);
        at += there.into_iter().position(|it| it == word)? + 1;
    }
    Some(at)
}

fn connections(file: &str) -> Vec<Arc<Connection>> {
    let mut options = AnalysisOptions::default();
    options.records = Records::All;
    let path = folder().join(format!("{file}.pcap"));
    let analysis = Analysis::with_options([path], &options).expect("a capture");
    analysis.connections().to_vec()
}

/// Captures whose client printed no error: it was killed, or had all that it wanted. Nothing is predicted.
const NO_ERROR: [&str; 4] = [
    "mysql-client-killed-mysql",
    "pop3-client-left",
    "postgresql-client-killed-psql",
    "smtp-no-goodbye",
];

/// Captures with a text that is not predicted, by the reason.
const NOT_PREDICTED: &[(&str, &[&str])] = &[
    (
        "only an event of the library was printed, or that of another try",
        &[
            "bgp-client-killed",
            "mqtt-id-refused",
            "mqtt-same-client-id",
            "mqtt-server-killed",
            "mqtt-too-large",
        ],
    ),
    (
        "an option or the words of the script decide",
        &[
            "amqp-wrong-protocol",
            "https-client-timeout-https",
            "rdp-protocols",
            "smtp-http-sent",
            "ssh-http-sent",
        ],
    ),
    (
        "the text is about a connection that ended in order",
        &["bgp-shutdown"],
    ),
    (
        "the recording did not keep the line",
        &["bgp-peer-stopped", "mysql-max-packet-mysql"],
    ),
    (
        "what was outstanding is inside TLS",
        &[
            "grpc-killed-in-call-grpc-js",
            "grpc-killed-in-call-grpc-python",
            "grpc-killed-mid-answer-grpc-js",
            "grpc-max-age-grpc-js",
            "grpc-max-age-grpc-python",
            "grpc-stopping-grpc-js",
            "grpc-stopping-grpc-python",
            "https-killed-mid-answer-curl",
            "https-killed-mid-answer-java",
        ],
    ),
    (
        "the program has several texts for it, and is not named",
        &["redis-plain-to-tls-ioredis"],
    ),
    (
        "what shows it is encrypted, or not read",
        &["zookeeper-expired-kazoo"],
    ),
];

/// Clients of the tables, by their first word, and the products that they are.
const PROGRAMS: &[(&str, &str)] = &[
    ("psql", "psql"),
    ("PgJDBC", "pgjdbc"),
    ("psycopg2", "psycopg2"),
    ("psycopg", "psycopg"),
    ("node-postgres", "node-postgres"),
    ("pgx", "pgx"),
    ("asyncpg", "asyncpg"),
    ("lib/pq", "lib-pq"),
    ("mariadb", "mysql-cli"),
    ("PyMySQL", "pymysql"),
    ("mysql2", "mysql2"),
    ("MariaDB", "mariadb-jdbc"),
    ("mysqlclient", "mysqlclient"),
    ("go-sql-driver/mysql", "go-mysql"),
    ("redis-cli", "redis-cli"),
    ("redis-py", "redis-py"),
    ("ioredis", "ioredis"),
    ("node-redis", "node-redis"),
    ("PyMongo", "pymongo"),
    ("MongoDB", "mongodb-node"),
    ("pika", "pika"),
    ("amqplib", "amqplib"),
    ("kafka-python", "kafka-python"),
    ("ssh", "ssh"),
    ("paramiko", "paramiko"),
];

/// Those of them whose handshake names the program.
const NAMED: usize = 128;

/// Connections whose client's text is predicted, at least.
const PREDICTED: usize = 468;

#[test]
fn what_clients_printed_is_predicted() {
    let mut kept: BTreeMap<String, Vec<Arc<Connection>>> = BTreeMap::new();
    let (mut told, mut all, mut named) = (0, 0, 0);
    let mut missed: BTreeMap<String, Vec<String>> = BTreeMap::new();
    // A program prints one line, whichever of its connections it is about.
    let mut rest: Vec<(Row, Vec<String>)> = Vec::new();
    let mut about: BTreeSet<[String; 3]> = BTreeSet::new();
    for row in failed() {
        let connections = kept
            .entry(row.file.clone())
            .or_insert_with(|| connections(&row.file));
        let Some(connection) = connections
            .iter()
            .find(|it| [it.client.port, it.server.port].contains(&row.port))
        else {
            panic!("{}: no connection from port {}", row.file, row.port);
        };
        all += 1;
        let relays = Relays::new(connections, &Legs::new(connections, &[]));
        let predicted = Predictor::with(relays).told(connection, Who::Client);
        let by_handshake = |it: &&PredictedText| it.identified_by == Some(NamedBy::Handshake);
        let own = row.client.split(' ').next().unwrap_or_default();
        let own = PROGRAMS.iter().find(|(name, _)| *name == own);
        if let Some(one) = predicted.iter().find(by_handshake) {
            named += 1;
            let right = own.is_some_and(|(_, product)| *product == one.stack);
            assert!(
                right,
                "{}: {} was taken for {}",
                row.file, row.client, one.stack
            );
        }
        let texts: Vec<String> = predicted
            .iter()
            .filter_map(|it| Some(filled(it.text?, connection, Who::Client).into_owned()))
            .collect();
        let none = NO_ERROR.contains(&&*row.file);
        if none && texts.is_empty() || !none && texts.iter().any(|it| says(&row.text, it)) {
            told += 1;
            about.insert([row.file, row.client, row.text]);
        } else {
            rest.push((row, texts));
        }
    }
    for (row, texts) in rest {
        let line = format!(
            "{} {} printed {:?}; predicted {texts:?}",
            row.port, row.client, row.text
        );
        let file = row.file.clone();
        match about.contains(&[row.file, row.client, row.text]) {
            true => told += 1,
            false => missed.entry(file).or_default().push(line),
        }
    }
    eprintln!("what the client printed is predicted for {told} of {all} connections");
    eprintln!("the handshake names the program of {named}");
    for (file, lines) in &missed {
        for line in lines {
            eprintln!("{file}: {line}");
        }
    }
    let excepted = || NOT_PREDICTED.iter().flat_map(|(_, files)| files.iter());
    let wrong: Vec<_> = missed
        .keys()
        .filter(|it| !excepted().any(|file| file == it))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    let stale: Vec<_> = excepted().filter(|it| !missed.contains_key(**it)).collect();
    assert!(stale.is_empty(), "predicted by now: {stale:#?}");
    assert!(told >= PREDICTED, "{told} of {all}");
    assert!(named >= NAMED, "{named} of {all} are named");
}
