//! The captures of `captures/protocols`: what the programs in them printed is among the texts that are predicted.
//! `expected-*.tsv` has a row per connection, with what was done and what each side printed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hangup::analysis::connection::Who;
use hangup::rules::log_errors::{Predictor, filled};
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
    plain
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

/// Captures whose text is not predicted, by the reason.
const NOT_PREDICTED: &[(&str, &[&str])] = &[
    (
        "no error was printed",
        &[
            "postgresql-client-killed-psql",
            "mysql-client-killed-mysql",
            "smtp-no-goodbye",
            "smtp-http-sent",
            "bgp-client-killed",
            "pop3-client-left",
            "rdp-protocols",
        ],
    ),
    (
        "what was outstanding is inside TLS",
        &[
            "grpc-killed-in-call-grpc-js",
            "grpc-killed-in-call-grpc-python",
            "grpc-killed-mid-answer-grpc-js",
            "grpc-max-age-grpc-js",
            "grpc-max-age-grpc-python",
            "grpc-plain-to-tls-grpc-js",
            "grpc-plain-to-tls-grpc-python",
            "grpc-stopping-grpc-js",
            "grpc-stopping-grpc-python",
            "https-client-timeout-https",
            "https-killed-mid-answer-curl",
            "https-killed-mid-answer-java",
            "https-wrong-name-go",
            "https-wrong-name-https",
            "https-wrong-name-requests",
            "mysql-tls-killed-mysql",
        ],
    ),
    (
        "the cause is in no packet, or on another connection",
        &[
            "smtp-relay-denied",
            "smtp-starttls-refused",
            "git-refused",
            "postgresql-forgotten-drop-pgx",
            "ssh-to-other",
            "ssh-http-sent",
        ],
    ),
    (
        "the words of the protocol are not read",
        &[
            "amqp-channel-exception",
            "amqp-killed",
            "amqp-missed-heartbeat",
            "amqp-shutdown",
            "amqp-stopped",
            "amqp-too-many",
            "amqp-wrong-password",
            "amqp-wrong-protocol",
            "bgp-hold-timer",
            "bgp-killed",
            "bgp-peer-stopped",
            "bgp-shutdown",
            "bgp-wrong-as",
            "dns-server-stopped",
            "dns-transfer-refused",
            "fastcgi-visitor-left",
            "ftp-active-blocked",
            "ftp-client-left-in-transfer",
            "ftp-idle-timeout",
            "ftp-killed-in-transfer",
            "ftp-not-found",
            "ftp-passive-blocked",
            "ftp-tls-refused",
            "ftp-too-many",
            "ftp-wrong-password",
            "imap-forgotten",
            "imap-kicked",
            "imap-too-many",
            "imap-wrong-password",
            "kafka-killed-idle-kafka-python",
            "ldap-size-limit-ldapsearch",
            "ldap-starttls-unsupported-ldapsearch",
            "ldap-wrong-password-ldap3",
            "ldap-wrong-password-ldapsearch",
            "memcached-killed-idle-pymemcache",
            "memcached-killed-in-command-pymemcache",
            "mqtt-forgotten",
            "mqtt-forgotten-rst",
            "mqtt-id-refused",
            "mqtt-plain-to-tls",
            "mqtt-same-client-id",
            "mqtt-server-killed",
            "mqtt-server-stopped",
            "mqtt-too-large",
            "mqtt-too-many",
            "mqtt-wrong-password",
            "mysql-client-timeout-go-mysql",
            "mysql-client-timeout-mariadb-jdbc",
            "mysql-client-timeout-mysql2",
            "mysql-client-timeout-mysqlclient",
            "mysql-client-timeout-pymysql",
            "mysql-forgotten-rst-mysql",
            "mysql-host-not-allowed-mariadb-jdbc",
            "mysql-host-not-allowed-mysql",
            "mysql-host-not-allowed-pymysql",
            "mysql-kill-in-query-mysql",
            "mysql-killed-idle-mysql",
            "mysql-killed-idle-mysql2",
            "mysql-killed-in-query-go-mysql",
            "mysql-killed-in-query-mysql",
            "mysql-killed-mid-answer-mysql",
            "mysql-max-packet-mysql",
            "mysql-max-packet-pymysql",
            "mysql-shutdown-mysql",
            "mysql-stopped-go-mysql",
            "mysql-tls-required-go-mysql",
            "mysql-tls-required-mysql2",
            "mysql-tls-unsupported-go-mysql",
            "mysql-tls-unsupported-mariadb-jdbc",
            "mysql-tls-unsupported-mysql",
            "mysql-tls-unsupported-mysql2",
            "mysql-tls-unsupported-pymysql",
            "mysql-tls-untrusted-mariadb-jdbc",
            "mysql-too-many-go-mysql",
            "mysql-too-many-mariadb-jdbc",
            "mysql-too-many-mysql",
            "mysql-too-many-mysql2",
            "mysql-too-many-pymysql",
            "mysql-wait-timeout-go-mysql",
            "mysql-wait-timeout-mariadb-jdbc",
            "mysql-wait-timeout-mysql",
            "mysql-wait-timeout-mysql2",
            "mysql-wait-timeout-pymysql",
            "mysql-wrong-password-go-mysql",
            "mysql-wrong-password-mariadb-jdbc",
            "mysql-wrong-password-mysql",
            "mysql-wrong-password-mysql2",
            "mysql-wrong-password-pymysql",
            "pop3-wrong-password",
            "redis-client-kill-idle-ioredis",
            "redis-client-timeout-redis",
            "redis-killed-idle-ioredis",
            "redis-killed-idle-redis",
            "redis-maxclients-ioredis",
            "redis-maxclients-redis",
            "redis-maxclients-redis-cli",
            "redis-maxclients-redis-py",
            "redis-no-password-redis-cli",
            "redis-no-password-redis-py",
            "redis-output-buffer-redis-cli",
            "redis-plain-to-tls-ioredis",
            "redis-plain-to-tls-redis-cli",
            "redis-plain-to-tls-redis-py",
            "redis-protected-ioredis",
            "redis-protected-redis",
            "redis-protected-redis-cli",
            "redis-protected-redis-py",
            "redis-timeout-ioredis",
            "redis-timeout-redis",
            "redis-wrong-password-ioredis",
            "redis-wrong-password-redis",
            "redis-wrong-password-redis-py",
            "rsync-killed",
            "rsync-orderly",
            "smb-old-version",
            "smb-wrong-password",
            "smtp-forgotten",
            "ssh-alive-missed",
            "ssh-forgotten-rst",
            "ssh-host-key-refused",
            "ssh-nothing-in-common",
            "zookeeper-expired-kazoo",
        ],
    ),
];

#[test]
fn what_clients_printed_is_predicted() {
    let mut kept: BTreeMap<String, Vec<Arc<Connection>>> = BTreeMap::new();
    let (mut told, mut all) = (0, 0);
    let mut missed: BTreeMap<String, Vec<String>> = BTreeMap::new();
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
        let predicted = Predictor::default().told(connection, Who::Client);
        let texts: Vec<_> = predicted
            .iter()
            .filter_map(|it| Some(filled(it.text?, connection, Who::Client)))
            .collect();
        if texts.iter().any(|it| says(&row.text, it)) {
            told += 1;
        } else {
            let line = format!(
                "{} {} printed {:?}; predicted {texts:?}",
                row.port, row.client, row.text
            );
            missed.entry(row.file).or_default().push(line);
        }
    }
    eprintln!("what the client printed is predicted for {told} of {all} connections");
    for (file, lines) in &missed {
        for line in lines {
            eprintln!("{file}: {line}");
        }
    }
    let excepted = |file: &str| NOT_PREDICTED.iter().any(|(_, files)| files.contains(&file));
    let wrong: Vec<_> = missed.keys().filter(|it| !excepted(it)).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}
