//! What GitHub Actions shows: annotations, and the summary of a step.
//!
//! <https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands>. A line that begins with `::` is a
//! command to the runner, so text that has words from packets in it is printed where commands are stopped.

use std::collections::hash_map::RandomState;
use std::fs::File;
use std::hash::BuildHasher as _;
use std::io::{self, Write};

use crate::base::escape::escape;
use crate::rules::{Finding, Severity};

/// What GitHub takes of a step's summary; more is an error of the step.
const MOST_SUMMARY: u64 = 1 << 20;
/// What GitHub shows of one kind of annotation for each step.
const MOST_ANNOTATIONS: usize = 10;

/// Whether this is a job of GitHub Actions.
pub(super) fn is_github() -> bool {
    std::env::var_os("GITHUB_ACTIONS").is_some_and(|it| it == "true")
}

/// The summary of this step, open for appending.
pub(super) struct Summary(File);

impl Summary {
    /// Opens it, if the runner names one.
    pub(super) fn begin() -> Option<Self> {
        let path = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|it| !it.is_empty())?;
        let file = File::options().append(true).create(true).open(path);
        // Without it, the report is in the log all the same.
        file.ok().map(Self)
    }

    /// Appends a report, if there is room for it.
    pub(super) fn append(mut self, report: &[u8]) -> io::Result<()> {
        let there = self.0.metadata()?.len();
        if there + report.len() as u64 + 1 > MOST_SUMMARY {
            return Ok(());
        }
        self.0.write_all(report)?;
        self.0.write_all(b"\n")
    }
}

/// Prints text so that no line of it is a command to the runner.
pub(super) fn without_commands(text: &[u8], out: &mut dyn Write) -> io::Result<()> {
    if !is_github() {
        return out.write_all(text);
    }
    // A word that no packet can foresee.
    let random = RandomState::new();
    let word = format!("{:016x}{:016x}", random.hash_one(1), random.hash_one(2));
    writeln!(out, "::stop-commands::{word}")?;
    out.write_all(text)?;
    writeln!(out, "\n::{word}::")
}

/// An annotation for each finding that is an error or a warning.
pub(super) fn annotate(findings: &[Finding], out: &mut dyn Write) -> io::Result<()> {
    for (severity, kind) in [(Severity::Error, "error"), (Severity::Warning, "warning")] {
        let of = findings.iter().filter(|it| it.severity == severity);
        for finding in of.take(MOST_ANNOTATIONS) {
            writeln!(out, "{}", annotation(kind, finding))?;
        }
    }
    Ok(())
}

fn annotation(kind: &str, finding: &Finding) -> String {
    let mut text = finding.headline();
    if let Some((client, server)) = finding.client.zip(finding.server) {
        text += &format!(" ({client} → {server})");
    }
    text += &format!("\n{}", finding.message);
    let title = property(&format!("hangup: {}", finding.rule));
    format!("::{kind} title={title}::{}", data(&text))
}

/// The text of a command: what would end it is encoded. Other control characters are escaped as in reports.
fn data(text: &str) -> String {
    let lines = text.split('\n').map(|line| escape(line.as_bytes()));
    let escaped = lines.collect::<Vec<_>>().join("\n");
    escaped
        .replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// The value of a property of a command.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_github_would_read_as_more_is_encoded() {
        for (text, as_data, as_property) in [
            ("a: 50%, b", "a: 50%25, b", "a%3A 50%25%2C b"),
            ("a\nb", "a%0Ab", "a%0Ab"),
            ("%0A::error::", "%250A::error::", "%250A%3A%3Aerror%3A%3A"),
        ] {
            assert_eq!(data(text), as_data);
            assert_eq!(property(text), as_property);
        }
        assert!(!data("\u{1b}[31m\r").contains(['\u{1b}', '\r']));
    }
}
