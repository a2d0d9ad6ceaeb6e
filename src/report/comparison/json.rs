//! The comparison for programs: schema `hangup-diff/1`, one JSON object.
//!
//! `a` and `b` describe the captures; `services` has for each service its `differences`, what may be `chance`, and the names
//! of the facts that are `equal`; `only_in_a` and `only_in_b` are what is not compared. Fields may be added; an unknown value
//! is `null`. The names of facts are stable, their values are words for people.

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

#[derive(Serialize)]
struct ComparisonRow<'a> {
    schema: &'static str,
    differences: usize,
    connections: Option<[u32; 2]>,
    a: CaptureRow<'a>,
    b: CaptureRow<'a>,
    services: Vec<ServiceRow<'a>>,
    only_in_a: Vec<UnmatchedRow<'a>>,
    only_in_b: Vec<UnmatchedRow<'a>>,
}

#[derive(Serialize)]
struct CaptureRow<'a> {
    path: String,
    format: &'a str,
    packets: u64,
    connections: u64,
    first: Option<String>,
    last: Option<String>,
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

#[derive(Serialize)]
struct Both<T> {
    a: T,
    b: T,
}

#[derive(Serialize)]
struct ServiceRow<'a> {
    name: Both<&'a str>,
    connections: Both<u64>,
    clients: Both<&'a [String]>,
    servers: Both<&'a [String]>,
    differences: Vec<DifferenceRow<'a>>,
    chance: Vec<DifferenceRow<'a>>,
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

#[derive(Serialize)]
struct DifferenceRow<'a> {
    fact: &'static str,
    label: &'static str,
    counted: &'static str,
    a: Vec<ShareRow<'a>>,
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

#[derive(Serialize)]
struct ShareRow<'a> {
    value: &'a str,
    count: u64,
    of: u64,
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

#[derive(Serialize)]
struct ExampleRow {
    connection: u32,
    client: String,
    server: String,
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

#[derive(Serialize)]
struct UnmatchedRow<'a> {
    service: std::borrow::Cow<'a, str>,
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
