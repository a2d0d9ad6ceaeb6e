//! The comparison for programs: schema `hangup-diff/1`, one JSON object.
//!
//! `a` and `b` describe the captures; `services` has for each service its `differences`, what may be `chance`, and the names
//! of the facts that are `equal`; `only_in_a` and `only_in_b` are what is not compared. Fields may be added; an unknown value
//! is `null`. The names of facts are stable, their values are words for people. `docs/schema/hangup-diff-1.json` is made from
//! these types.

use std::io::{self, Write};

use serde::Serialize;

use super::differences::{Captured, Comparison, Difference, ServiceComparison, Share};
use super::profile::Example;
use super::services::Unmatched;
use crate::base::escape::{escape, harmless};
use crate::report::wording::moment;

const SCHEMA: &str = "hangup-diff/1";

pub(super) fn write(comparison: &Comparison, out: &mut dyn Write) -> io::Result<()> {
    let [a, b] = &comparison.captures;
    let [only_a, only_b] = &comparison.unmatched;
    let row = ComparisonRow {
        schema: SCHEMA,
        differences: comparison.differences(),
        connections: comparison.pair,
        a: CaptureRow::new(a),
        b: CaptureRow::new(b),
        services: comparison.services.iter().map(ServiceRow::new).collect(),
        only_in_a: only_a.iter().map(UnmatchedRow::new).collect(),
        only_in_b: only_b.iter().map(UnmatchedRow::new).collect(),
    };
    serde_json::to_writer_pretty(&mut *out, &row).map_err(io::Error::from)?;
    writeln!(out)
}

/// What differs between two captures, or two connections. Fields may be added; one that is here keeps its name and meaning.
/// What is not known is `null`. Text from packets is escaped.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(title = "hangup-diff/1"))]
pub(in crate::report) struct ComparisonRow<'a> {
    /// Always `hangup-diff/1`.
    schema: &'static str,
    /// How many differences there are.
    differences: usize,
    /// The two connections that are compared; `null` if two captures are.
    connections: Option<[u32; 2]>,
    /// The first capture.
    a: CaptureRow<'a>,
    /// The second capture; for two connections, the same.
    b: CaptureRow<'a>,
    /// What is compared: a service each, or the two connections.
    services: Vec<ServiceRow<'a>>,
    /// Services that only the first capture has. They are not compared.
    only_in_a: Vec<UnmatchedRow<'a>>,
    /// Services that only the second capture has. They are not compared.
    only_in_b: Vec<UnmatchedRow<'a>>,
}

/// One of the captures.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct CaptureRow<'a> {
    /// Its path, as given.
    path: String,
    /// Its format.
    format: &'a str,
    /// Packets read.
    packets: u64,
    /// Its TCP connections.
    connections: u64,
    /// The time of its first packet.
    first: Option<String>,
    /// The time of its last packet.
    last: Option<String>,
    /// What it lacks, in sentences.
    lacks: &'a [String],
}

impl<'a> CaptureRow<'a> {
    fn new(captured: &'a Captured) -> Self {
        Self {
            path: escape(captured.path.as_bytes()).into_owned(),
            format: &captured.format,
            packets: captured.packets,
            connections: captured.connections,
            first: captured.span.map(|(first, _)| moment::rfc3339(first)),
            last: captured.span.map(|(_, last)| moment::rfc3339(last)),
            lacks: &captured.lacks,
        }
    }
}

/// A value for each side.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Both<T> {
    /// Of the first side.
    a: T,
    /// Of the second side.
    b: T,
}

/// The connections to one service in both captures.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct ServiceRow<'a> {
    /// What it is called.
    name: Both<&'a str>,
    /// Connections.
    connections: Both<u64>,
    /// What the clients call themselves (`User-Agent`), a few of them.
    clients: Both<&'a [String]>,
    /// What the servers call themselves (`Server`), a few of them.
    servers: Both<&'a [String]>,
    /// What differs.
    differences: Vec<DifferenceRow<'a>>,
    /// Values that one side alone has, so rarely that it may be chance.
    chance: Vec<DifferenceRow<'a>>,
    /// The names of the facts that both sides show, and that are equal.
    equal: Vec<&'static str>,
}

impl<'a> ServiceRow<'a> {
    fn new(service: &'a ServiceComparison) -> Self {
        let [a, b] = &service.products;
        let rows = |all: &'a [Difference]| all.iter().map(DifferenceRow::new).collect();
        Self {
            name: Both {
                a: &service.names[0],
                b: &service.names[1],
            },
            connections: Both {
                a: service.connections[0],
                b: service.connections[1],
            },
            clients: Both { a: &a[0], b: &b[0] },
            servers: Both { a: &a[1], b: &b[1] },
            differences: rows(&service.differences),
            chance: rows(&service.chance),
            equal: service.equal.iter().map(|it| it.name).collect(),
        }
    }
}

/// A fact that differs.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct DifferenceRow<'a> {
    /// The name of the fact; it is stable.
    fact: &'static str,
    /// What reports call it.
    label: &'static str,
    /// What is counted.
    counted: &'static str,
    /// The values of the first side.
    a: Vec<ShareRow<'a>>,
    /// The values of the second side.
    b: Vec<ShareRow<'a>>,
}

impl<'a> DifferenceRow<'a> {
    fn new(difference: &'a Difference) -> Self {
        let [a, b] = &difference.sides;
        let (_, counted) = difference.fact.unit.nouns();
        Self {
            fact: difference.fact.name,
            label: difference.fact.label,
            counted,
            a: a.iter().map(ShareRow::new).collect(),
            b: b.iter().map(ShareRow::new).collect(),
        }
    }
}

/// How often a value occurs.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct ShareRow<'a> {
    /// The value, in words.
    value: &'a str,
    /// How often it occurs.
    count: u64,
    /// Of so many.
    of: u64,
    /// Where it shows; `null` if it does not occur.
    example: Option<ExampleRow>,
}

impl<'a> ShareRow<'a> {
    fn new(share: &'a Share) -> Self {
        Self {
            value: &share.value,
            count: share.count,
            of: share.of,
            example: share.example.as_ref().map(ExampleRow::new),
        }
    }
}

/// A connection that shows it.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct ExampleRow {
    /// The number of the connection.
    connection: u32,
    /// Its client: address and port.
    client: String,
    /// Its server: address and port.
    server: String,
    /// The frames, by their numbers in the capture.
    frames: Vec<u64>,
}

impl ExampleRow {
    fn new(example: &Example) -> Self {
        Self {
            connection: example.connection,
            client: example.client.to_string(),
            server: example.server.to_string(),
            frames: example.frames.iter().map(|it| it.0).collect(),
        }
    }
}

/// A service that only one capture has.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct UnmatchedRow<'a> {
    /// What it is called.
    service: std::borrow::Cow<'a, str>,
    /// Its connections.
    connections: u64,
}

impl<'a> UnmatchedRow<'a> {
    fn new(unmatched: &'a Unmatched) -> Self {
        Self {
            service: harmless(&unmatched.name),
            connections: unmatched.connections,
        }
    }
}
