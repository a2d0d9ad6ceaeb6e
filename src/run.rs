//! What the user's wish means: wires the floors, and is alone in looking at clocks, terminals and the environment.
//!
//! A closed pipe is success: whoever reads has seen enough. Every other failure is one message on standard error that
//! names the input and the way out, and exit status 2.

mod analysis;
mod drawing;
mod headless;
#[cfg(feature = "live")]
mod live;
mod narrowing;
#[cfg(feature = "live")]
mod privileges;
mod progress;
#[cfg(feature = "ui")]
mod screens;
mod secrets;
pub mod session;
#[cfg(feature = "ui")]
mod terminal;

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};

use crate::base::escape::escape;
use crate::cli::{self, Cli, Command};
use crate::knowledge;
use crate::report::snapshot::Snapshot;
use crate::report::{self, Shown, Zone};
use crate::rules;

use headless::Until;
use session::Session;

/// A finding was as bad as `--fail-on`.
const FOUND: u8 = 1;
/// The work could not be done.
const FAILED: u8 = 2;

/// Does what was asked and says how it went.
#[must_use]
pub fn run(cli: Cli) -> ExitCode {
    let done = match cli.command {
        #[cfg(feature = "ui")]
        None if terminal::is_there() => screens::on_files(&cli.read, &cli.screen),
        None => report_on(&cli.read, report::Format::Text, None),
        Some(Command::Report(asked)) => report(&asked),
        Some(Command::Ladder(asked)) => drawing::ladder(&asked).and_then(print),
        #[cfg(feature = "live")]
        Some(Command::Live(asked)) => live::live(&asked),
        #[cfg(feature = "live")]
        Some(Command::Interfaces) => live::interfaces(),
        #[cfg(not(feature = "live"))]
        Some(Command::Live(_) | Command::Interfaces) => without_libpcap(),
        Some(Command::Explain(asked)) => explain(&asked),
        Some(Command::Rules) => print(rules::catalogue()),
        Some(Command::Completions { shell }) => completions(shell),
        Some(Command::Man { command }) => man(command.as_deref()),
    };
    match done {
        Ok(code) => code,
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            let mut message = escape(error.to_string().as_bytes()).into_owned();
            for cause in error.chain().skip(1) {
                let cause = escape(cause.to_string().as_bytes()).into_owned();
                // Some errors tell their cause themselves.
                if !message.contains(&cause) {
                    message += &format!(": {cause}");
                }
            }
            // With standard error closed, the exit status is all there is to say.
            let _ = writeln!(io::stderr(), "hangup: {message}");
            ExitCode::from(FAILED)
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let mut causes = error
        .chain()
        .filter_map(|it| it.downcast_ref::<io::Error>());
    causes.any(|it| it.kind() == io::ErrorKind::BrokenPipe)
}

fn report(asked: &cli::Report) -> Result<ExitCode> {
    let by_name = || asked.output.as_deref().and_then(format_of);
    let format = asked.format.or_else(by_name).unwrap_or(cli::Format::Text);
    let format = match format {
        cli::Format::Text => report::Format::Text,
        cli::Format::Json => report::Format::Json,
        cli::Format::Ndjson => report::Format::Ndjson,
        cli::Format::Markdown => report::Format::Markdown,
        cli::Format::Csv => report::Format::Csv,
    };
    report_on(&asked.read, format, asked.output.as_deref())
}

fn report_on(asked: &cli::Read, format: report::Format, to: Option<&Path>) -> Result<ExitCode> {
    if let Some(path) = to {
        spare_the_inputs(&asked.files, path)?;
    }
    if asked.follow {
        return headless::follow(Session::of_files(asked)?, &Until::signal(), &asked.judging);
    }
    let whole = match asked.judging.connections {
        Some(shown) => shown == cli::Shown::All,
        None => report::shows_all(format),
    };
    let mut reading = analysis::read(asked, whole)?;
    if matches!(format, report::Format::Text | report::Format::Markdown) {
        reading.snapshot.drawn = drawing::pictures(asked, &reading.snapshot);
    }
    let options = options(&asked.judging, to.is_none());
    write_report(&reading.snapshot, format, &options, to)?;
    let bar = asked.judging.fail_on.map(analysis::severity);
    let met = bar.is_some_and(|bar| reading.worst >= Some(bar));
    Ok(if met {
        ExitCode::from(FOUND)
    } else {
        ExitCode::SUCCESS
    })
}

/// How a report is to look.
fn options(asked: &cli::Judging, to_stdout: bool) -> report::Options {
    report::Options {
        connections: asked.connections.map(|shown| match shown {
            cli::Shown::All => Shown::All,
            cli::Shown::Notable => Shown::Notable,
            cli::Shown::None => Shown::None,
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
fn write_report(
    snapshot: &Snapshot,
    format: report::Format,
    options: &report::Options,
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

/// The format that a file's name asks for.
fn format_of(path: &Path) -> Option<cli::Format> {
    Some(match path.extension()?.to_str()? {
        "txt" => cli::Format::Text,
        "json" => cli::Format::Json,
        "ndjson" | "jsonl" => cli::Format::Ndjson,
        "md" | "markdown" => cli::Format::Markdown,
        "csv" => cli::Format::Csv,
        _ => return None,
    })
}

/// Captures are evidence: a report never takes the place of one that it is made from.
fn spare_the_inputs(inputs: &[PathBuf], output: &Path) -> Result<()> {
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

/// `NO_COLOR` counts when it is not empty (<https://no-color.org>); what is typed counts more.
fn wants_color(when: cli::Color, to_stdout: bool) -> bool {
    match when {
        cli::Color::Always => true,
        cli::Color::Never => false,
        cli::Color::Auto => {
            let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
            let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
            to_stdout && io::stdout().is_terminal() && !set("NO_COLOR") && !dumb
        }
    }
}

#[cfg(not(feature = "live"))]
fn without_libpcap() -> Result<ExitCode> {
    bail!(
        "this build has no libpcap to capture with (feature \"live\"); capture with another program: \
         tcpdump -U -w - | hangup report --follow -"
    )
}

fn print(text: impl AsRef<[u8]>) -> Result<ExitCode> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_ref())?;
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn completions(shell: clap_complete::Shell) -> Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut cli::command(), "hangup", &mut script);
    print(script)
}

fn man(command: Option<&str>) -> Result<ExitCode> {
    let mut root = cli::command();
    root.build();
    let page = match command {
        None => root,
        Some(name) => root
            .find_subcommand(name)
            .with_context(|| format!("no command is called {name:?}; `hangup --help` lists them"))?
            .clone(),
    };
    let mut text = Vec::new();
    clap_mangen::Man::new(page).render(&mut text)?;
    print(text)
}

fn explain(asked: &cli::Explain) -> Result<ExitCode> {
    let text = asked.text.join(" ");
    let name = text.trim();
    if name.is_empty() {
        return print(report::overview());
    }
    if let Some(page) = rules::explain(name) {
        return print(page);
    }
    // One word with hyphens is a rule's name, with slips in it; words with blanks between them are a text first.
    let alike = rules::alike(name);
    let page = || report::explanation(&knowledge::explain(name));
    let meant = alike.filter(|_| name.contains('-') && !name.contains(' '));
    if let Some(page) = meant.and_then(rules::explain) {
        return print(format!(
            "(No rule is called {name:?}; this one is.)\n\n{page}"
        ));
    }
    if let Some(page) = page().or_else(|| alike.and_then(rules::explain)) {
        return print(page);
    }
    bail!(
        "{name:?} is no rule and no known error text or code; `hangup explain` alone says what is known"
    );
}
