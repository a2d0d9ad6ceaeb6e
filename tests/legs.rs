//! The two sides of requests through real proxies: the pairs of `captures/legs`, held against what the hosts noted.
//!
//! `truth.tsv` names each leg by its connection and the number of the request on it. No pair may be wrong. Missed may be
//! those that nothing on the wire tells apart: alike requests at the same time.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

mod reading;

use hangup::analysis::connection::Connection;
use hangup::analysis::hosts::ExchangeId;
use reading::Reading;

/// One side of a pair: the connection, and the request on it; `-` where none was sent.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Side {
    connection: String,
    nth: String,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.connection, self.nth)
    }
}

type Pair = (Side, Side);

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/captures/legs"))
}

/// The legs in two columns: `a>b, c>d` and `1, 2`.
fn sides(connections: &str, numbers: &str) -> Vec<Side> {
    let pairs = connections.split(", ").zip(numbers.split(", "));
    let all = pairs.filter(|(connection, _)| connection.contains('>'));
    let side = |(connection, nth): (&str, &str)| Side {
        connection: connection.to_owned(),
        nth: nth.to_owned(),
    };
    all.map(side).collect()
}

/// The pairs of one row.
fn of_row(row: &[&str]) -> Vec<Pair> {
    let legs: Vec<Vec<Side>> = [5, 7, 9]
        .map(|at| sides(row[at], row[at + 1]))
        .into_iter()
        .collect();
    let mut pairs = Vec::new();
    for two in legs.windows(2) {
        let [before, behind] = two else { continue };
        match before.len() == behind.len() {
            true => pairs.extend(before.iter().cloned().zip(behind.iter().cloned())),
            false => pairs.extend(
                before
                    .last()
                    .into_iter()
                    .flat_map(|last| behind.iter().map(|it| (last.clone(), it.clone()))),
            ),
        }
    }
    pairs
}

fn read(recording: &str) -> Reading {
    let path = folder().join(format!("{recording}.pcap"));
    let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    reading::read(&bytes, 2).expect("a capture")
}

fn name(connection: &Connection) -> String {
    format!("{}>{}", connection.client, connection.server)
}

/// The pairs that the program finds.
fn found(reading: &Reading) -> BTreeSet<Pair> {
    let snapshot = &reading.snapshot;
    let side = |id: ExchangeId| Side {
        connection: name(snapshot.connection(id.connection).expect("a record")),
        nth: id
            .exchange
            .map_or("-".to_owned(), |it| (it + 1).to_string()),
    };
    let legs = snapshot.legs.all().iter();
    legs.map(|it| (side(it.client), side(it.upstream)))
        .collect()
}

/// Whether both are the same pair; a request that was not sent, or not read, counts as any.
fn same(one: &Pair, other: &Pair) -> bool {
    let alike = |one: &Side, other: &Side| {
        let any = |side: &Side| matches!(side.nth.as_str(), "-" | "0");
        one.connection == other.connection && (one.nth == other.nth || any(one) || any(other))
    };
    alike(&one.0, &other.0) && alike(&one.1, &other.1)
}

#[test]
fn no_pair_is_wrong_and_few_are_missed() {
    let truth = std::fs::read_to_string(folder().join("truth.tsv")).expect("the truth");
    let rows: Vec<Vec<&str>> = truth
        .lines()
        .skip(1)
        .map(|it| it.split('\t').collect())
        .collect();
    let (mut faults, mut all, mut missed) = (Vec::new(), 0, Vec::new());
    for rows in rows.chunk_by(|one, other| one[0] == other[0]) {
        let recording = rows[0][0];
        let reading = read(recording);
        let seen: BTreeSet<String> = reading
            .snapshot
            .connections
            .iter()
            .map(|it| name(it))
            .collect();
        let wanted = rows.iter().flat_map(|row| of_row(row));
        let wanted: BTreeSet<Pair> = wanted
            .filter(|(one, other)| {
                seen.contains(&one.connection) && seen.contains(&other.connection)
            })
            .collect();
        let found = found(&reading);
        for pair in found
            .iter()
            .filter(|it| !wanted.iter().any(|one| same(one, it)))
        {
            faults.push(format!(
                "{recording}: {} is not the leg behind {}",
                pair.1, pair.0
            ));
        }
        if recording.ends_with("-alike") {
            continue;
        }
        all += wanted.len();
        let gone = wanted
            .iter()
            .filter(|it| !found.iter().any(|one| same(one, it)));
        missed.extend(gone.map(|it| format!("{recording}: {} behind {} is missed", it.1, it.0)));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(all > 100, "{all} pairs");
    assert!(
        missed.len() * 50 <= all,
        "{} of {all}:\n{}",
        missed.len(),
        missed.join("\n")
    );
}

/// The PROXY protocol names the client, and what comes after it is read as on any connection.
#[test]
fn the_proxy_protocol_names_the_client() {
    for (recording, version) in [("proxy-protocol", 1), ("proxy-protocol-2", 2)] {
        let reading = read(recording);
        let mut named = 0;
        for connection in &reading.snapshot.connections {
            let Some(header) = connection.proxied.as_deref() else {
                continue;
            };
            named += 1;
            let before = reading.snapshot.legs.before_all(connection.id);
            assert_eq!(header.version, version, "{recording}");
            assert!(!connection.exchanges.is_empty(), "{recording}");
            for leg in before {
                let client = reading.snapshot.connection(leg.client.connection);
                let client = client.map(|it| it.client);
                assert_eq!(header.client(), client, "{recording} #{}", connection.id);
                assert_eq!(leg.basis.name(), "client", "{recording}");
                assert_eq!(leg.certainty.name(), "certain", "{recording}");
            }
        }
        assert!(named >= 2, "{recording}: {named}");
    }
}
