//! Carries out the command line: connects the rooms; with its helpers it is the only code that uses clocks, terminals
//! and the environment.
//!
//! A closed pipe counts as success: the reader has seen enough. Every other failure is one message on standard error
//! that names the input and what to do about it, and exit status 2.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result};

use super::analysis::Analysis;
use super::cli::{self, Cli, Command};
use super::headless::Until;
#[cfg(feature = "live")]
use super::live;
use super::output::{
    FAILED, FOUND, format_of, options, print, refuse_to_overwrite_inputs, wants_color, write_report,
};
use super::progress::ProgressLine;
use super::session::Session;
use super::{headless, ladder};
#[cfg(feature = "ui")]
use super::{tui, tui_loop};

use crate::base::escape::escape;
use crate::knowledge;
use crate::report;
use crate::rules;

/// Runs the command and returns its exit status.
#[must_use]
pub fn run(cli: Cli) -> ExitCode {
    // Without a command, the first word is a file.
    let first = cli.read.files.first().filter(|_| cli.command.is_none());
    let bare = first.map(|it| it.to_string_lossy().into_owned());
    let done = match cli.command {
        #[cfg(feature = "ui")]
        None if tui_loop::is_there() => tui::on_files(&cli.read, &cli.screen),
        None => report_on(&cli.read, report::Format::Text, None),
        Some(Command::Report(asked)) => report(&asked),
        Some(Command::Ladder(asked)) => ladder::ladder(&asked).and_then(print),
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
                // Some errors already include their cause in their message.
                if !message.contains(&cause) {
                    message += &format!(": {cause}");
                }
            }
            if let Some(command) = bare.as_deref().and_then(command_alike) {
                message += &format!("; did you mean `hangup {command}`?");
            }
            // If standard error is closed, the exit status is the only report.
            let _ = writeln!(io::stderr(), "hangup: {message}");
            ExitCode::from(FAILED)
        }
    }
}

/// The command that a word probably means, if it is no file.
fn command_alike(word: &str) -> Option<String> {
    if word.contains(['.', '/', '\\']) || std::path::Path::new(word).exists() {
        return None;
    }
    let commands = cli::command();
    let names = commands.get_subcommands().map(clap::Command::get_name);
    let near = names.map(|name| (strsim::osa_distance(name, word), name.to_owned()));
    let (distance, name) = near.min()?;
    (distance * 3 <= name.len()).then_some(name)
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let mut causes = error
        .chain()
        .filter_map(|it| it.downcast_ref::<io::Error>());
    causes.any(|it| it.kind() == io::ErrorKind::BrokenPipe)
}

fn report(asked: &cli::ReportArgs) -> Result<ExitCode> {
    let by_name = || asked.output.as_deref().and_then(format_of);
    let format = asked
        .format
        .or_else(by_name)
        .unwrap_or(cli::FormatArg::Text);
    let format = match format {
        cli::FormatArg::Text => report::Format::Text,
        cli::FormatArg::Json => report::Format::Json,
        cli::FormatArg::Ndjson => report::Format::Ndjson,
        cli::FormatArg::Markdown => report::Format::Markdown,
        cli::FormatArg::Csv => report::Format::Csv,
    };
    report_on(&asked.read, format, asked.output.as_deref())
}

fn report_on(asked: &cli::ReadArgs, format: report::Format, to: Option<&Path>) -> Result<ExitCode> {
    if let Some(path) = to {
        refuse_to_overwrite_inputs(&asked.files, path)?;
    }
    if asked.follow {
        let session = Session::following(&asked.files, &asked.options(false))?;
        return headless::follow(session, &Until::signal(), &asked.judging);
    }
    let whole = match asked.judging.connections {
        Some(shown) => shown == cli::ShownArg::All,
        None => report::shows_all(format),
    };
    let mut progress = ProgressLine::new();
    let mut analysis = Analysis::read(&asked.files, &asked.options(whole), &mut |frames| {
        progress.at(frames);
    })?;
    drop(progress);
    if matches!(format, report::Format::Text | report::Format::Markdown) {
        analysis.snapshot.drawn = ladder::pictures(asked, &analysis.keys, &analysis.snapshot);
    }
    let options = options(&asked.judging, to.is_none());
    write_report(&analysis.snapshot, format, &options, to)?;
    let bar = asked.judging.fail_on.map(rules::Severity::from);
    let met = bar.is_some_and(|bar| analysis.worst >= Some(bar));
    Ok(if met {
        ExitCode::from(FOUND)
    } else {
        ExitCode::SUCCESS
    })
}

#[cfg(not(feature = "live"))]
fn without_libpcap() -> Result<ExitCode> {
    anyhow::bail!(
        "this build has no libpcap to capture with (feature \"live\"); capture with another program: \
         tcpdump -U -w - | hangup report --follow -"
    )
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

fn explain(asked: &cli::ExplainArgs) -> Result<ExitCode> {
    let text = asked.text.join(" ");
    let name = text.trim();
    if name.is_empty() {
        return print(report::overview());
    }
    if let Some(page) = rules::explain(name) {
        return print(page);
    }
    let color = wants_color(asked.color, true);
    // One word with hyphens is most likely a misspelt rule name; words separated by spaces are first taken as an error
    // text.
    let alike = rules::alike(name);
    let meant = alike.filter(|_| name.contains('-') && !name.contains(' '));
    let page = || report::explanation(&knowledge::explain(name), color);
    let near = |rule: &str| {
        let page = rules::explain(rule)?;
        let name = escape(name.as_bytes());
        Some(format!(
            "No rule is called \"{name}\". Did you mean `{rule}`? This is its page.\n\n{page}"
        ))
    };
    if let Some(page) = meant
        .and_then(near)
        .or_else(page)
        .or_else(|| alike.and_then(near))
    {
        return print(page);
    }
    // If standard error is closed, the exit status is the only report.
    let _ = io::stderr().write_all(report::not_known(name, false).as_bytes());
    Ok(ExitCode::from(FAILED))
}
