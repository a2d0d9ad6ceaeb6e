//! Many captures, a line each: in columns for people, as lines of JSON (schema `hangup-each/1`) or as CSV for programs.
//!
//! A capture that could not be read is a line too, with its error. What is counted is counted as on a capture's own page.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::csv::{Cells, Table};
use super::finding_order::{FindingSection, sections};
use super::page::outcomes;
use crate::base::escape::{escape, harmless};
use crate::base::format::number;
use crate::report::snapshot::Snapshot;
use crate::report::wording::moment;
use crate::rules::Severity;

const SCHEMA: &str = "hangup-each/1";
/// The widest column of paths; longer ones move the rest of their line.
const WIDEST: usize = 60;

/// How the lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EachFormat {
    /// In columns.
    Text,
    /// An object each.
    Ndjson,
    /// A record each, below a header.
    Csv,
}

/// One of many captures. Fields may be added; one that is here keeps its name and meaning. What is not known is `null`. Text
/// from packets is escaped.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(title = "hangup-each/1"))]
pub struct EachRow {
    /// Always `hangup-each/1`.
    schema: &'static str,
    /// The path as given; `-` is standard input.
    file: String,
    /// Why it could not be read; `null` if it was. Then nothing else is known.
    error: Option<String>,
    /// Where and why reading stopped short; `null` for a whole file.
    damage: Option<String>,
    /// Frames read.
    packets: Option<u64>,
    /// Time of the first frame, RFC 3339 in UTC.
    first: Option<String>,
    /// Time of the last frame.
    last: Option<String>,
    /// Connections, all of which were judged.
    connections: Option<u64>,
    /// Connections on which something was lost.
    failed: Option<u64>,
    /// Connections on which everything was completed.
    fine: Option<u64>,
    /// Connections that cannot be judged.
    unknown: Option<u64>,
    /// Findings that are errors; the same between other hosts, and what follows from one, is counted once.
    errors: Option<u64>,
    /// Findings that are warnings.
    warnings: Option<u64>,
    /// Findings that are notes.
    notes: Option<u64>,
    /// The severity of the worst finding above benign; `null` without one.
    worst: Option<&'static str>,
    /// The rule of that finding.
    rule: Option<&'static str>,
    /// Its headline.
    headline: Option<String>,
    /// Packets that were never captured, as far as somebody counted.
    packets_lost: Option<u64>,
    /// Whether a limit of memory took effect; the capture's own report says which.
    limited: Option<bool>,
}

impl EachRow {
    /// The line of a capture that was read.
    #[must_use]
    pub fn of(path: &Path, snapshot: &Snapshot) -> Self {
        let sections = sections(&snapshot.findings);
        let of = |severity: Severity| {
            let own = sections.iter().filter(|it| it.severity() == severity);
            Some(own.count() as u64)
        };
        let worst = sections.iter().max_by_key(|it| it.severity());
        let worst = sections
            .iter()
            .find(|it| Some(it.severity()) == worst.map(FindingSection::severity))
            .filter(|it| it.severity() > Severity::Benign);
        let outcomes = outcomes(snapshot);
        let summary = &snapshot.summary;
        let mut damaged = summary.inputs.iter().filter_map(|it| it.damage.as_ref());
        let damage = damaged.next().map(|it| {
            let reason = escape(it.reason.as_bytes());
            format!("at byte {}: {reason}", number(it.offset))
        });
        let (first, last) = summary.span.unzip();
        Self {
            damage,
            packets: Some(summary.frames),
            first: first.map(moment::rfc3339),
            last: last.map(moment::rfc3339),
            connections: Some(outcomes.all()),
            failed: Some(outcomes.failed),
            fine: Some(outcomes.fine),
            unknown: Some(outcomes.unknown()),
            errors: of(Severity::Error),
            warnings: of(Severity::Warning),
            notes: of(Severity::Note),
            worst: worst.map(|it| it.severity().name()),
            rule: worst.map(|it| it.cause().rule),
            headline: worst.map(|it| {
                let headline = it.cause().summary.over(it.times());
                harmless(&headline).into_owned()
            }),
            packets_lost: summary.lost.total(),
            limited: Some(!summary.limits.is_empty()),
            ..Self::unread(path, None)
        }
    }

    /// The line of a capture that could not be read.
    #[must_use]
    pub fn unread(path: &Path, error: Option<&str>) -> Self {
        Self {
            schema: SCHEMA,
            file: shown(path),
            error: error.map(|it| escape(it.as_bytes()).into_owned()),
            damage: None,
            packets: None,
            first: None,
            last: None,
            connections: None,
            failed: None,
            fine: None,
            unknown: None,
            errors: None,
            warnings: None,
            notes: None,
            worst: None,
            rule: None,
            headline: None,
            packets_lost: None,
            limited: None,
        }
    }
}

/// The lines, in one format.
#[derive(Debug)]
pub struct EachLines {
    format: EachFormat,
    /// Columns of the path.
    width: usize,
}

const COLUMNS: [&str; 18] = [
    "file",
    "error",
    "damage",
    "packets",
    "first",
    "last",
    "connections",
    "failed",
    "fine",
    "unknown",
    "errors",
    "warnings",
    "notes",
    "worst",
    "rule",
    "headline",
    "packets_lost",
    "limited",
];

impl EachLines {
    /// Begins, with the heading of the columns.
    ///
    /// # Errors
    /// If writing to `out` fails.
    pub fn begin(format: EachFormat, files: &[PathBuf], out: &mut dyn Write) -> io::Result<Self> {
        let widths = files.iter().map(|it| shown(it).chars().count());
        let width = widths.max().unwrap_or(0).clamp(4, WIDEST);
        let it = Self { format, width };
        match format {
            EachFormat::Text => it.columns(out, "FILE", "WORST", "FAILED", "WORST FINDING")?,
            EachFormat::Ndjson => {}
            EachFormat::Csv => {
                let mut table = Table::from_writer(out);
                table.write_record(COLUMNS)?;
                table.flush()?;
            }
        }
        Ok(it)
    }

    /// Writes the line of one capture.
    ///
    /// # Errors
    /// If writing to `out` fails.
    pub fn row(&self, row: &EachRow, out: &mut dyn Write) -> io::Result<()> {
        match self.format {
            EachFormat::Text => self.text(row, out),
            EachFormat::Ndjson => {
                serde_json::to_writer(&mut *out, row).map_err(io::Error::from)?;
                writeln!(out)
            }
            EachFormat::Csv => {
                let mut table = Table::from_writer(out);
                cells(row).write(&mut table)?;
                table.flush()
            }
        }
    }

    fn text(&self, row: &EachRow, out: &mut dyn Write) -> io::Result<()> {
        if let Some(error) = &row.error {
            return self.columns(out, &row.file, "unread", "", error);
        }
        let known = |count: Option<u64>| number(count.unwrap_or(0));
        let failed = format!("{}/{}", known(row.failed), known(row.connections));
        let mut told = match (row.rule, &row.headline) {
            (Some(rule), Some(headline)) => format!("{rule}: {headline}"),
            _ => "-".to_owned(),
        };
        let all = [row.errors, row.warnings, row.notes];
        let all: u64 = all.into_iter().flatten().sum();
        if all > 1 {
            told += &format!(" (and {} more)", number(all - 1));
        }
        if let Some(damage) = &row.damage {
            told += &format!(" [damaged {damage}]");
        }
        if row.packets_lost.is_some_and(|it| it > 0) {
            told += " [packets lost]";
        }
        if row.limited == Some(true) {
            told += " [limits of memory reached]";
        }
        self.columns(out, &row.file, row.worst.unwrap_or("-"), &failed, &told)
    }

    fn columns(
        &self,
        out: &mut dyn Write,
        file: &str,
        worst: &str,
        failed: &str,
        told: &str,
    ) -> io::Result<()> {
        let width = self.width;
        writeln!(out, "{file:width$}  {worst:7}  {failed:>7}  {told}")
    }
}

fn cells(row: &EachRow) -> Cells<'_, { COLUMNS.len() }> {
    let mut cells = Cells::new();
    cells.own_text(&row.file);
    cells.own_text(row.error.as_deref().unwrap_or_default());
    cells.own_text(row.damage.as_deref().unwrap_or_default());
    cells.known(row.packets);
    cells.known(row.first.as_ref());
    cells.known(row.last.as_ref());
    for count in [
        row.connections,
        row.failed,
        row.fine,
        row.unknown,
        row.errors,
        row.warnings,
        row.notes,
    ] {
        cells.known(count);
    }
    cells.word(row.worst);
    cells.word(row.rule);
    cells.own_text(row.headline.as_deref().unwrap_or_default());
    cells.known(row.packets_lost);
    cells.known(row.limited);
    cells
}

/// A path as it is shown.
fn shown(path: &Path) -> String {
    escape(path.as_os_str().as_encoded_bytes()).into_owned()
}
