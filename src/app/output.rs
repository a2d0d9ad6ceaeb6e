//! Output of the commands: reports, to a file or to standard output, and exit statuses.

use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, anyhow, bail};

use super::cli;
use super::new_file::NewFile;
use crate::base::escape::escape;
use crate::report::snapshot::Snapshot;
use crate::report::{self, CsvTable, Shown, Zone};
use crate::rules::Severity;

/// Exit status: a finding was at least as severe as `--fail-on`.
pub(super) const FOUND: u8 = 1;

/// Exit status: the command failed.
pub(super) const FAILED: u8 = 2;

pub(super) fn print(text: impl AsRef<[u8]>) -> Result<ExitCode> {
    let mut out = io::stdout().lock();
    let put = out.write_all(text.as_ref()).and_then(|()| out.flush());
    put.map_err(closed)?;
    Ok(ExitCode::SUCCESS)
}

/// An error of writing to standard output, in words: one that was closed from the start is a device that is always full
/// (`closed_output.c`).
pub(super) fn closed(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::StorageFull => io::Error::new(
            io::ErrorKind::StorageFull,
            "standard output is closed or full, so nothing was written; name a file with -o",
        ),
        _ => error,
    }
}

/// Columns of a report that goes to no terminal.
const WIDE: usize = 100;

/// The report's options: colour, time zone and the like.
pub(super) fn options(asked: &cli::JudgingArgs, to_stdout: bool) -> report::ReportOptions {
    report::ReportOptions {
        connections: asked.connections.map(|shown| match shown {
            cli::ShownArg::All => Shown::All,
            cli::ShownArg::Notable => Shown::Notable,
            cli::ShownArg::None => Shown::None,
        }),
        table: CsvTable::default(),
        color: wants_color(asked.color, to_stdout),
        width: (!to_stdout || !io::stdout().is_terminal()).then_some(WIDE),
        zone: zone(asked.local),
        threads: asked.threads.map(usize::from),
    }
}

/// UTC, or this machine's zone.
pub(super) fn zone(local: bool) -> Zone {
    match local {
        true => Zone::local(),
        false => Zone::UTC,
    }
}

/// Writes a report to a file, or to standard output.
pub(super) fn write_report(
    snapshot: &Snapshot,
    format: report::Format,
    options: &report::ReportOptions,
    to: Option<(NewFile, &Path)>,
) -> Result<()> {
    write_to(to, |out| report::write(snapshot, format, options, out))
}

/// Writes what `put` writes to a file, or to standard output. A closed pipe is no failure: the reader has seen enough,
/// and what was found stands.
pub(super) fn write_to(
    to: Option<(NewFile, &Path)>,
    put: impl Fn(&mut dyn Write) -> io::Result<()>,
) -> Result<()> {
    let put = |out: &mut dyn Write| -> io::Result<()> {
        let mut out = BufWriter::with_capacity(1 << 16, out);
        put(&mut out)?;
        out.flush()
    };
    let written = match to {
        None => put(&mut io::stdout().lock()).map_err(|error| closed(error).into()),
        Some((mut file, path)) => put(&mut file)
            .and_then(|()| file.finish())
            .with_context(|| not_written(path)),
    };
    written.or_else(|error| match is_broken_pipe(&error) {
        true => Ok(()),
        false => Err(error),
    })
}

/// Whether the reader of a pipe has gone.
pub(super) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let mut causes = error
        .chain()
        .filter_map(|it| it.downcast_ref::<io::Error>());
    causes.any(|it| it.kind() == io::ErrorKind::BrokenPipe)
}

/// The exit status that `--fail-on` asks for. A list of what to ignore may turn it; that is said.
pub(super) fn exit_code(
    asked: &cli::JudgingArgs,
    worst: Option<Severity>,
    snapshot: &Snapshot,
) -> ExitCode {
    let ignored = &snapshot.ignored;
    let told = ignored.told();
    let told = told.map(|it| format!("{} leaves out: {it}", escape(ignored.path.as_bytes())));
    exit_status(asked, worst, told)
}

/// The same, of captures of which `ignored` was left out: what leaves it out, and what it is.
pub(super) fn exit_status(
    asked: &cli::JudgingArgs,
    worst: Option<Severity>,
    ignored: Option<String>,
) -> ExitCode {
    let Some(bar) = asked.fail_on.map(Severity::from) else {
        return ExitCode::SUCCESS;
    };
    if worst >= Some(bar) {
        return ExitCode::from(FOUND);
    }
    if let Some(ignored) = ignored {
        // If standard error is closed, the report's first line has said it.
        let _ = writeln!(
            io::stderr(),
            "hangup: --fail-on does not count what {ignored}; --no-ignore-file counts everything"
        );
    }
    ExitCode::SUCCESS
}

/// What ended a capture before its user did: an interface that went away.
pub(super) fn broken_off(snapshot: &Snapshot) -> Option<String> {
    let mut inputs = snapshot.summary.inputs.iter();
    let live = inputs.find(|it| it.format == "live")?;
    let damage = live.damage.as_ref()?;
    Some(format!("{}: {}", live.path, damage.reason))
}

/// Begins the file of a report.
pub(super) fn begin(path: &Path) -> Result<(NewFile, &Path)> {
    let file = NewFile::create(path).with_context(|| not_written(path))?;
    Ok((file, path))
}

pub(super) fn not_written(path: &Path) -> String {
    format!("{}: the report cannot be written", path.display())
}

/// The format, by option or by the ending of the file; none, if neither says it.
pub(super) fn format(asked: &cli::TargetArgs) -> Result<Option<report::Format>> {
    match (asked.format(), asked.file()) {
        (Some(format), _) => Ok(Some(format.into())),
        (None, Some(path)) => format_for(path).map(Some),
        (None, None) => Ok(None),
    }
}

/// The format that a file's ending stands for; text, if it has none.
///
/// # Errors
/// If no format belongs to the ending: what was wanted is not written as something else.
pub(super) fn format_for(path: &Path) -> Result<report::Format> {
    let Some(ending) = path.extension() else {
        return Ok(report::Format::Text);
    };
    let ending = ending.to_string_lossy().to_lowercase();
    report::Format::of_ending(&ending).ok_or_else(|| {
        let endings: Vec<_> = report::Format::ENDINGS
            .iter()
            .filter_map(|(_, endings)| endings.first().map(|it| format!(".{it}")))
            .collect();
        anyhow!(
            "{}: no format belongs to .{ending}; end the name in {}, or name the format: \
             -f text, json, ndjson, markdown, html or csv",
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
            cli::FormatArg::Html => Self::Html,
            cli::FormatArg::Csv => Self::Csv,
        }
    }
}

impl From<cli::TableArg> for CsvTable {
    fn from(typed: cli::TableArg) -> Self {
        match typed {
            cli::TableArg::Connections => Self::Connections,
            cli::TableArg::Exchanges => Self::Exchanges,
            cli::TableArg::Findings => Self::Findings,
        }
    }
}

/// The file that a capture is written to; `None` is standard output. `pipe` is a command that reads a capture.
pub(super) fn capture_target<'a>(
    to: &'a Path,
    force: bool,
    inputs: &[PathBuf],
    pipe: &str,
) -> Result<Option<&'a Path>> {
    if to == Path::new("-") {
        if io::stdout().is_terminal() {
            bail!("a capture is not written to a terminal: -o OUT.pcapng, or a pipe: | {pipe}");
        }
        return Ok(None);
    }
    let ending = to.extension().map(|it| it.to_ascii_lowercase());
    if ending.is_some_and(|it| ["gz", "zst", "lz4"].iter().any(|packed| it == *packed)) {
        bail!(
            "{}: what is written is not compressed; end the name in .pcapng",
            to.display()
        );
    }
    refuse_to_overwrite_inputs(inputs, to)?;
    refuse_to_replace(to, force)?;
    Ok(Some(to))
}

/// Fails if `output` is one of the inputs. Captures are evidence; a report must not overwrite one.
pub(super) fn refuse_to_overwrite_inputs(inputs: &[PathBuf], output: &Path) -> Result<()> {
    let Ok(output) = output.canonicalize() else {
        return Ok(());
    };
    for input in inputs {
        if input.canonicalize().is_ok_and(|input| input == output) {
            bail!(
                "{}: is one of the captures; name another file",
                output.display()
            );
        }
    }
    Ok(())
}

/// Fails if a file exists that is not to be replaced: tcpdump would overwrite it, but a capture is evidence, and what it
/// shows does not come back.
pub(super) fn refuse_to_replace(path: &Path, force: bool) -> Result<()> {
    match path.symlink_metadata() {
        Ok(_) if !force => bail!(
            "{}: it exists already, and a capture may be the only one of its kind; name another file, or replace it \
             with --force",
            path.display()
        ),
        Ok(file) if !file.is_file() => bail!(
            "{}: it is no regular file, so --force does not replace it; name another file",
            path.display()
        ),
        _ => Ok(()),
    }
}

/// `NO_COLOR` counts if it is not empty (<https://no-color.org>); the command line takes precedence.
pub(super) fn wants_color(when: cli::ColorArg, to_stdout: bool) -> bool {
    colored(when, to_stdout && io::stdout().is_terminal())
}

/// The same for any output that is a terminal or not.
pub(super) fn colored(when: cli::ColorArg, is_terminal: bool) -> bool {
    match when {
        cli::ColorArg::Always => true,
        cli::ColorArg::Never => false,
        cli::ColorArg::Auto => {
            let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
            let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
            is_terminal && !set("NO_COLOR") && !dumb
        }
    }
}
