//! A row for each finding.

use std::io;

use super::cells::{Cells, Table};
use crate::report::view::View;
use crate::rules::Finding;

const COLUMNS: [&str; 20] = [
    "id",
    "rule",
    "severity",
    "certainty",
    "headline",
    "cases",
    "connections",
    "first_connection",
    "client_ip",
    "server_ip",
    "server_port",
    "caused_by",
    "first",
    "last",
    "frame",
    "file",
    "frame_in_file",
    "evidence",
    "message",
    "remedy",
];

/// Writes the table.
pub(super) fn write(view: &View<'_>, table: &mut Table<'_>) -> io::Result<()> {
    table.write_record(COLUMNS)?;
    let findings = view.snapshot.findings.iter();
    findings
        .map(|it| row(view, it))
        .try_for_each(|row| row.write(table))
}

fn row<'a>(view: &View<'_>, finding: &'a Finding) -> Cells<'a, { COLUMNS.len() }> {
    let proof = finding.evidence.first();
    let (first, last) = view.snapshot.span_of(finding).unzip();
    let mut row = Cells::new();
    row.value(finding.id);
    row.word(finding.rule);
    row.word(finding.severity.name());
    row.word(finding.certainty.name());
    row.own_text(&finding.headline());
    row.value(finding.times);
    row.value(finding.in_all());
    row.known(finding.connections.first());
    row.known(finding.client);
    row.known(finding.server.map(|it| it.ip));
    row.known(finding.server.map(|it| it.port));
    row.known(finding.caused_by);
    row.time(first);
    row.time(last);
    row.known(proof.map(|it| it.frame_ref.frame.0));
    row.place(proof.map(|it| it.frame_ref.frame), &view.snapshot.frames);
    row.own_text(proof.map_or("", |it| &it.note));
    row.own_text(&finding.message);
    row.own_text(finding.remedies.first().map_or("", String::as_str));
    row
}
