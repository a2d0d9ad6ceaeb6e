//! Output of the commands: reports, to a file or to standard output, and exit statuses.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, anyhow, bail};

use super::cli;
use crate::report::snapshot::Snapshot;
use crate::report::{self, Shown, Zone};

/// Exit status: a finding was at least as severe as `--fail-on`.
pub(super) const FOUND: u8 = 1;

/// Exit status: the command failed.
pub(super) const FAILED: u8 = 2;

pub(super) fn print(text: impl AsRef<[u8]>) -> Result<ExitCode> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_ref())?;
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// The report's options: colour, time zone and the like.
pub(super) fn options(asked: &cli::JudgingArgs, to_stdout: bool) -> report::ReportOptions {
    report::ReportOptions {
        connections: asked.connections.map(|shown| match shown {
            cli::ShownArg::All => Shown::All,
            cli::ShownArg::Notable => Shown::Notable,
            cli::ShownArg::None => Shown::None,
        }),
        color: wants_color(asked.color, to_stdout),
        zone: if asked.local {
            Zone::local()
        } else {
            Zone::UTC
        },
    }
}

/// Writes a report to a file, or to standard output.
pub(super) fn write_report(
    snapshot: &Snapshot,
    format: report::Format,
    options: &report::ReportOptions,
    to: Option<&Path>,
) -> Result<()> {
    let put = |out: &mut dyn Write| -> io::Result<()> {
        let mut out = BufWriter::with_capacity(1 << 16, out);
        report::write(snapshot, format, options, &mut out)?;
        out.flush()
    };
    match to {
        None => put(&mut io::stdout().lock())?,
        Some(path) => File::create(path)
            .and_then(|mut file| put(&mut file))
            .with_context(|| format!("{}: the report cannot be written", path.display()))?,
    }
    Ok(())
}

/// The formats, and the endings of files that stand for them.
const ENDINGS: &[(report::Format, &[&str])] = &[
    (report::Format::Text, &["txt", "text"]),
    (report::Format::Json, &["json"]),
    (report::Format::Ndjson, &["ndjson", "jsonl"]),
    (report::Format::Markdown, &["md", "markdown"]),
    (report::Format::Csv, &["csv"]),
];

/// The format that a file's ending stands for; text, if it has none.
///
/// # Errors
/// If no format belongs to the ending: what was wanted is not written as something else.
pub(super) fn format_for(path: &Path) -> Result<report::Format> {
    let Some(ending) = path.extension() else {
        return Ok(report::Format::Text);
    };
    let ending = ending.to_string_lossy().to_lowercase();
    let known = ENDINGS
        .iter()
        .find(|(_, endings)| endings.contains(&ending.as_str()));
    known.map(|(format, _)| *format).ok_or_else(|| {
        let endings: Vec<_> = ENDINGS
            .iter()
            .filter_map(|(_, endings)| endings.first().map(|it| format!(".{it}")))
            .collect();
        anyhow!(
            "{}: no format belongs to .{ending}; end the name in {}, or name the format: \
             -f text, json, ndjson, markdown or csv",
            path.display(),
            endings.join(", ")
        )
    })
}

impl From<cli::FormatArg> for report::Format {
    fn from(typed: cli::FormatArg) -> Self {
        match typed {
            cli::FormatArg::Text => Self::Text,
            cli::FormatArg::Json => Self::Json,
            cli::FormatArg::Ndjson => Self::Ndjson,
            cli::FormatArg::Markdown => Self::Markdown,
            cli::FormatArg::Csv => Self::Csv,
        }
    }
}

/// Fails if `output` is one of the inputs. Captures are evidence; a report must not overwrite one.
pub(super) fn refuse_to_overwrite_inputs(inputs: &[PathBuf], output: &Path) -> Result<()> {
    let Ok(output) = output.canonicalize() else {
        return Ok(());
    };
    for input in inputs {
        if input.canonicalize().is_ok_and(|input| input == output) {
            bail!(
                "{}: is one of the captures; write the report elsewhere",
                output.display()
            );
        }
    }
    Ok(())
}

/// `NO_COLOR` counts if it is not empty (<https://no-color.org>); the command line takes precedence.
pub(super) fn wants_color(when: cli::ColorArg, to_stdout: bool) -> bool {
    match when {
        cli::ColorArg::Always => true,
        cli::ColorArg::Never => false,
        cli::ColorArg::Auto => {
            let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
            let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
            to_stdout && io::stdout().is_terminal() && !set("NO_COLOR") && !dumb
        }
    }
}
