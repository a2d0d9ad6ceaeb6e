//! The machine-readable report: schema `hangup-report/1`, as one JSON object or as one object per line.
//!
//! In: a [`Snapshot`](crate::report::snapshot::Snapshot). Out: JSON written row by row, so that a report on hundreds of
//! thousands of connections needs no more memory than one row. The field names are stable, since scripts depend on
//! them; fields may be added, and an unknown value is `null`, never left out. Text from packets passes through
//! `base::escape`. Analysis types are deliberately not `Serialize`: a rename there must not change the schema.

mod capture;
mod chunks;
mod connection;
mod exchange;
mod finding;
mod layers;
mod legs;
mod local;
mod log;
mod row;
#[cfg(test)]
mod schema;
mod search_result;
mod tls;
mod vantage;

use std::io::{self, Write};

use serde::Serialize;

use super::view::View;
use crate::analysis::hosts::Sockets;
use crate::report::wording::terms;
use capture::CaptureRow;
use connection::ConnectionRow;
use finding::FindingRow;
use row::JsonTime;
use search_result::{IgnoredRow, SearchRow};
use vantage::VantageRow;

const SCHEMA: &str = "hangup-report/1";

/// Writes one JSON object. Each row is on a line of its own, so that two reports can be compared line by line.
pub(super) fn write(view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    let snapshot = view.snapshot;
    write!(out, "{{\"schema\":\"{SCHEMA}\",\n\"tool\":")?;
    row(out, &ToolRow::OURS)?;
    write!(out, ",\n\"capture\":")?;
    row(out, &CaptureRow::new(view))?;
    write!(out, ",\n\"search\":")?;
    row(out, &SearchRow::of(snapshot))?;
    write!(out, ",\n\"ignored\":")?;
    row(out, &IgnoredRow::of(snapshot))?;
    write!(out, ",\n\"connections\":[")?;
    chunks::write(view, out, |view, place, connection, out| {
        out.extend_from_slice(if place == 0 { b"\n" } else { b",\n" });
        row(out, &ConnectionRow::new(connection, view))
    })?;
    write!(out, "]")?;
    rows(
        out,
        "findings",
        snapshot.findings.iter().map(|it| FindingRow::new(it, view)),
    )?;
    rows(out, "sockets", snapshot.sockets.iter().map(SocketsRow::new))?;
    rows(out, "vantages", VantageRow::all(&snapshot.summary.inputs))?;
    let logs = snapshot.logs.iter().map(|it| log::LogRow::new(it, view));
    rows(out, "log", logs)?;
    writeln!(out, "}}")
}

/// Writes the same objects one per line, each with its `kind`.
pub(super) fn write_lines(view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    let snapshot = view.snapshot;
    line(
        out,
        "capture",
        &ReportHead {
            schema: SCHEMA,
            tool: ToolRow::OURS,
            capture: CaptureRow::new(view),
        },
    )?;
    if let Some(search) = SearchRow::of(snapshot) {
        line(out, "search", &search)?;
    }
    if let Some(ignored) = IgnoredRow::of(snapshot) {
        line(out, "ignored", &ignored)?;
    }
    chunks::write(view, out, |view, _, connection, out| {
        line(out, "connection", &ConnectionRow::new(connection, view))
    })?;
    for finding in &snapshot.findings {
        line(out, "finding", &FindingRow::new(finding, view))?;
    }
    for sockets in &snapshot.sockets {
        line(out, "sockets", &SocketsRow::new(sockets))?;
    }
    for vantage in VantageRow::all(&snapshot.summary.inputs) {
        line(out, "vantage", &vantage)?;
    }
    for log in &snapshot.logs {
        line(out, "log", &log::LogRow::new(log, view))?;
    }
    Ok(())
}

fn rows<R: Serialize>(
    out: &mut dyn Write,
    name: &str,
    rows: impl Iterator<Item = R>,
) -> io::Result<()> {
    write!(out, ",\n\"{name}\":[")?;
    let mut between = "\n";
    // A row may have very many numbers, which are written faster to memory.
    let mut bytes = Vec::new();
    for each in rows {
        bytes.clear();
        bytes.extend_from_slice(between.as_bytes());
        row(&mut bytes, &each)?;
        out.write_all(&bytes)?;
        between = ",\n";
    }
    write!(out, "]")
}

fn row<W: Write + ?Sized>(out: &mut W, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(out, value).map_err(io::Error::from)
}

fn line<W: Write + ?Sized>(
    out: &mut W,
    kind: &'static str,
    object: &impl Serialize,
) -> io::Result<()> {
    row(out, &NdjsonLine { kind, object })?;
    writeln!(out)
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct NdjsonLine<'a, T: Serialize> {
    kind: &'static str,
    #[serde(flatten)]
    object: &'a T,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct ReportHead<'a> {
    /// The schema of all lines.
    schema: &'static str,
    /// What wrote the report.
    tool: ToolRow,
    /// The capture.
    #[serde(flatten)]
    capture: CaptureRow<'a>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct ToolRow {
    /// Always `hangup`.
    name: &'static str,
    /// The version that wrote the report.
    version: &'static str,
}

impl ToolRow {
    const OURS: Self = Self {
        name: "hangup",
        version: env!("CARGO_PKG_VERSION"),
    };
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct SocketsRow {
    /// The client.
    client: std::net::IpAddr,
    /// The server as `address:port`.
    server: String,
    /// Connections between them.
    connections: u64,
    /// Client sockets in TIME-WAIT when the capture ends, by the assumed duration.
    time_wait_now: u64,
    /// The most at once.
    time_wait_peak: u64,
    /// Lowest client port seen.
    ports_low: u16,
    /// Highest client port seen.
    ports_high: u16,
    /// The client's ephemeral ports, as `low-high`.
    range: String,
    /// What the range rests on.
    #[cfg_attr(test, schemars(extend("enum" = ["told", "observed", "default"])))]
    range_basis: &'static str,
    /// The largest share of the range in use at once.
    used_peak_percent: f64,
    /// When the range runs out at this rate; `null` if it does not.
    runs_out_at: Option<JsonTime>,
    /// When the most were in TIME-WAIT.
    peak_at: Option<JsonTime>,
    /// The most client ports open or in TIME-WAIT at once.
    used_peak: u64,
}

impl SocketsRow {
    fn new(sockets: &Sockets) -> Self {
        Self {
            client: sockets.client,
            server: sockets.server.to_string(),
            connections: sockets.connections,
            time_wait_now: sockets.time_wait_now,
            time_wait_peak: sockets.time_wait_peak,
            ports_low: sockets.ports_low,
            ports_high: sockets.ports_high,
            range: format!("{}-{}", sockets.range.0, sockets.range.1),
            range_basis: terms::basis(sockets.basis),
            used_peak_percent: (sockets.used_peak_percent() * 10.0).round() / 10.0,
            runs_out_at: sockets.runs_out_at.map(JsonTime),
            peak_at: sockets.peak_at.map(JsonTime),
            used_peak: sockets.used_peak,
        }
    }
}
