//! Output of the commands: reports, to a file or to standard output, and exit statuses.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};

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

/// The format that a file's extension stands for.
pub(super) fn format_of(path: &Path) -> Option<cli::FormatArg> {
    Some(match path.extension()?.to_str()? {
        "txt" => cli::FormatArg::Text,
        "json" => cli::FormatArg::Json,
        "ndjson" | "jsonl" => cli::FormatArg::Ndjson,
        "md" | "markdown" => cli::FormatArg::Markdown,
        "csv" => cli::FormatArg::Csv,
        _ => return None,
    })
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
