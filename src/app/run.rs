//! Carries out the command line: connects the rooms; with its helpers it is the only code that uses clocks, terminals
//! and the environment.
//!
//! A closed pipe is no failure: the reader has seen enough. Every failure is one message on standard error that names the
//! input and what to do about it, and exit status 2.

use std::ffi::OsString;
use std::io::{self, Read as _, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Parser as _;

use super::analysis::Analysis;
#[cfg(feature = "anonymise")]
use super::anonymise;
use super::cli::{self, Cli, Command};
use super::headless::{FeedPlan, Until};
#[cfg(feature = "mcp")]
use super::mcp;
use super::output::{
    FAILED, begin, exit_code, format, is_broken_pipe, options, print, refuse_to_overwrite_inputs,
    wants_color, write_report,
};
use super::progress::ProgressLine;
use super::sandbox::Needs;
use super::session::Session;
use super::{
    cli_examples, completions, diff, each, extract, headless, interrupt, ladder, mistakes, sandbox,
};
#[cfg(feature = "ui")]
use super::{clipboard_helper, tui, tui_loop};
#[cfg(feature = "live")]
use super::{live, local, supervise};

use crate::base::escape::escape;
use crate::knowledge;
use crate::packet::capture::OpenOptions;
use crate::report::feed::FeedFormat;
use crate::report::{self, CsvTable};
use crate::rules;

/// Reads the command line, runs it, and returns the exit status.
#[must_use]
pub fn run_typed(words: impl IntoIterator<Item = OsString>) -> ExitCode {
    let words: Vec<OsString> = words.into_iter().collect();
    match &words[..] {
        [] | [_] => return mistakes::welcome(),
        #[cfg(feature = "ui")]
        [_, word] if word == clipboard_helper::ARGUMENT => return clipboard_helper::serve(),
        #[cfg(all(feature = "live", target_os = "linux"))]
        [_, word] if word == local::ARGUMENT => return local::serve(),
        #[cfg(feature = "live")]
        [program, word, rest @ ..] if word == supervise::ARGUMENT => {
            return supervise::record(std::iter::once(program).chain(rest));
        }
        [_, one, other] if is_version(one, other) || is_version(other, one) => return version(),
        _ => {}
    }
    match Cli::try_parse_from(&words) {
        Ok(cli) => run(cli),
        Err(error) => mistakes::refuse(&error),
    }
}

/// Runs the command and returns its exit status.
#[must_use]
pub fn run(cli: Cli) -> ExitCode {
    // Without a command, the first word is a file.
    let files = cli.read.files();
    let first = files.first().filter(|_| cli.command.is_none());
    let bare = first.map(|it| it.to_string_lossy().into_owned());
    match carry_out(cli) {
        Ok(code) => code,
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => failed(&error, bare.as_deref()),
    }
}

/// Says why a command failed, and what to do about it. `bare`: the first word, if it is a file and no command.
pub(super) fn failed(error: &anyhow::Error, bare: Option<&str>) -> ExitCode {
    let mut message = mistakes::told(error);
    if let Some(way_out) = mistakes::way_out(error, bare) {
        message += &format!("; {way_out}");
    }
    // If standard error is closed, the exit status is the only report.
    let _ = writeln!(io::stderr(), "hangup: {}", escape(message.as_bytes()));
    ExitCode::from(FAILED)
}

fn carry_out(cli: Cli) -> Result<ExitCode> {
    match cli.command {
        None => {
            let mut read = cli.read;
            mistakes::translate(&mut read.filter)?;
            #[cfg(feature = "ui")]
            if tui_loop::is_there() && !cli.output.asks() && read.log.is_empty() {
                return tui::on_files(&read, &cli.screen);
            }
            report(&read, &cli.output, &cli::FeedArgs::default())
        }
        Some(Command::Report(mut asked)) => {
            mistakes::translate(&mut asked.read.filter)?;
            match asked.each {
                true => each::each(&asked.read, &asked.output),
                false => report(&asked.read, &asked.output, &asked.feed),
            }
        }
        Some(Command::Ladder(mut asked)) => {
            mistakes::translate(&mut asked.filter)?;
            ladder::ladder(&asked).and_then(print)
        }
        Some(Command::Diff(mut asked)) => {
            mistakes::translate(&mut asked.filter)?;
            diff::diff(&asked)
        }
        Some(Command::Extract(mut asked)) => {
            mistakes::translate(&mut asked.filter)?;
            extract::extract(&asked)
        }
        #[cfg(feature = "anonymise")]
        Some(Command::Anonymise(asked)) => anonymise::anonymise(&asked),
        #[cfg(not(feature = "anonymise"))]
        Some(Command::Anonymise(_)) => bail!("this build cannot anonymise (feature \"anonymise\")"),
        #[cfg(feature = "live")]
        Some(Command::Live(mut asked)) => {
            let typed = asked.filter.join(" ");
            if !typed.is_empty() {
                asked.filter = vec![mistakes::capture_filter(&typed)?];
            }
            live::live(&asked)
        }
        #[cfg(feature = "live")]
        Some(Command::Run(asked)) => supervise::run(&asked),
        #[cfg(feature = "live")]
        Some(Command::Interfaces) => live::interfaces(),
        #[cfg(not(feature = "live"))]
        Some(Command::Live(_) | Command::Run(_) | Command::Interfaces) => without_libpcap(),
        Some(Command::Explain(asked)) => explain(&asked),
        #[cfg(feature = "mcp")]
        Some(Command::Mcp(asked)) => mcp::serve(&asked),
        #[cfg(not(feature = "mcp"))]
        Some(Command::Mcp(_)) => bail!("this build has no MCP server (feature \"mcp\")"),
        Some(Command::Rules { word }) => catalogue(word.as_deref()),
        Some(Command::Completions { shell }) => print(completions::script(shell)),
        Some(Command::Man { command }) => man(command.as_deref()),
    }
}

fn is_version(one: &OsString, other: &OsString) -> bool {
    (one == "--version" || one == "-V") && (other == "-v" || other == "--verbose")
}

/// `hangup --version -v`: what this build has, and what it finds on this system.
fn version() -> ExitCode {
    let mut text = format!("hangup {}\n", env!("CARGO_PKG_VERSION"));
    text += &format!("libpcap: {}\n", libpcap());
    #[cfg(feature = "live")]
    {
        text += &format!("{}\n", local::status());
    }
    for line in sandbox::status() {
        text += &line;
        text.push('\n');
    }
    // A closed pipe: the reader has seen enough.
    print(text).unwrap_or(ExitCode::SUCCESS)
}

#[cfg(feature = "live")]
fn libpcap() -> String {
    use crate::packet::capture::libpcap;

    match (libpcap::is_linked(), libpcap::is_there()) {
        (true, _) => "part of this program".to_owned(),
        (false, true) => "found; opened for `live`, `interfaces` and `--filter` only".to_owned(),
        (false, false) => format!(
            "missing, so there is no `live` and no `--filter`; {}",
            mistakes::install_libpcap()
        ),
    }
}

#[cfg(not(feature = "live"))]
fn libpcap() -> String {
    "not in this build".to_owned()
}

fn report(
    asked: &cli::ReadArgs,
    output: &cli::OutputArgs,
    feed: &cli::FeedArgs,
) -> Result<ExitCode> {
    if asked.follow {
        return follow(asked, output, feed);
    }
    if feed.asks() {
        bail!("--interval, --settled and --metrics are for --follow, which goes on as files grow");
    }
    let format = format(&output.target)?.unwrap_or(match output.table {
        Some(_) => report::Format::Csv,
        None => report::Format::Text,
    });
    if output.table.is_some() && format != report::Format::Csv {
        anyhow::bail!("--table is for a CSV; add -f csv, or end the name of OUT in .csv");
    }
    let table = output.table.map_or_else(CsvTable::default, CsvTable::from);
    report_on(asked, format, table, output.target.file())
}

fn report_on(
    asked: &cli::ReadArgs,
    format: report::Format,
    table: CsvTable,
    to: Option<&Path>,
) -> Result<ExitCode> {
    let files = asked.files();
    if let Some(path) = to {
        refuse_to_overwrite_inputs(&files, path)?;
    }
    refuse_two_pipes(asked)?;
    let open = OpenOptions::with_filter(asked.filter.clone())?;
    let needs = Needs::of(asked);
    let judged = &asked.judging;
    let whole = match asked.judging.connections {
        Some(shown) => shown == cli::ShownArg::All,
        None => report::shows_all(format),
    };
    // What looks at the system outside comes before the sandbox.
    let (mut wanted, mut shown) = (asked.options(whole), options(judged, to.is_none()));
    wanted.relate_if_small(&files);
    shown.table = table;
    wanted.fix_threads();
    let to = to.map(begin).transpose()?;
    needs.naming(to.as_ref().map(|(file, _)| file)).confine();
    interrupt::say_on_interrupt("the report was not written");
    let mut progress = ProgressLine::new();
    let mut analysis = Analysis::read(&files, &open, &wanted, &mut |frames| {
        progress.at(frames);
    })?;
    drop(progress);
    if !report::shows_all(format) {
        analysis.snapshot.drawn =
            ladder::pictures(&files, &open, &analysis.keys, &analysis.snapshot);
    }
    let code = exit_code(judged, analysis.worst, &analysis.snapshot);
    write_report(&analysis.snapshot, format, &shown, to)?;
    // The program ends: what it holds goes with it, and not record by record.
    std::mem::forget(analysis);
    Ok(code)
}

/// Standard input is one input at most.
fn refuse_two_pipes(asked: &cli::ReadArgs) -> Result<()> {
    let files = asked.files();
    let stdin = files
        .iter()
        .chain(&asked.log)
        .filter(|it| it.as_os_str() == "-");
    if stdin.count() > 1 {
        bail!(
            "standard input can be one of the captures or one of the logs; name files for the others"
        );
    }
    Ok(())
}

/// `--follow`: a line for each thing that happens.
fn follow(
    asked: &cli::ReadArgs,
    output: &cli::OutputArgs,
    feed: &cli::FeedArgs,
) -> Result<ExitCode> {
    let format = match format(&output.target)?.unwrap_or(report::Format::Text) {
        report::Format::Text => FeedFormat::Text,
        report::Format::Ndjson => FeedFormat::Ndjson,
        _ => bail!("--follow writes lines as things happen: -f text or ndjson"),
    };
    if output.target.file().is_some() || output.table.is_some() {
        bail!("--follow writes to standard output as things happen, without -o and --table");
    }
    refuse_two_pipes(asked)?;
    let open = OpenOptions::with_filter(asked.filter.clone())?;
    let needs = Needs::of(asked).serving(feed.metrics.is_some());
    let plan = FeedPlan::new(feed, format)?;
    let shown = options(&asked.judging, true);
    let mut wanted = asked.options(false);
    wanted.fix_threads();
    needs.confine();
    let session = Session::reading(asked.files(), true, open, &wanted)?;
    headless::follow(session, &Until::signal(), &asked.judging, &shown, plan)
}

#[cfg(not(feature = "live"))]
fn without_libpcap() -> Result<ExitCode> {
    anyhow::bail!(
        "this build has no libpcap to capture with (feature \"live\"); capture with another program: \
         tcpdump -U -w - | hangup report --follow -"
    )
}

fn man(command: Option<&str>) -> Result<ExitCode> {
    let mut root = cli::documented();
    root.build();
    let page = match command {
        None => root,
        Some(name) => match root.find_subcommand(name) {
            Some(page) => page.clone(),
            None => {
                let near = mistakes::command_alike(name);
                let near = near.map_or_else(String::new, |it| format!(" did you mean {it}?"));
                bail!("no command is called {name:?};{near} `hangup --help` lists them")
            }
        },
    };
    let man = clap_mangen::Man::new(page);
    let mut text = Vec::new();
    man.render_title(&mut text)?;
    man.render_name_section(&mut text)?;
    man.render_synopsis_section(&mut text)?;
    if let Some(examples) = cli_examples::of(command) {
        // The heading of the section says that they are examples.
        let (_, examples) = examples.split_once('\n').unwrap_or_default();
        let examples = examples
            .replace('\\', "\\e")
            .replace('-', "\\-")
            .replace('\'', "\\(aq");
        write!(text, ".SH EXAMPLES\n.nf\n{examples}\n.fi\n")?;
    }
    man.render_options_section(&mut text)?;
    if command.is_none() {
        man.render_subcommands_section(&mut text)?;
    }
    man.render_extra_section(&mut text)?;
    if command.is_none() {
        man.render_version_section(&mut text)?;
    }
    print(text)
}

/// The rules, or those with this word in their line.
fn catalogue(word: Option<&str>) -> Result<ExitCode> {
    let all = rules::catalogue();
    let Some(word) = word else {
        return print(all);
    };
    let lower = word.to_lowercase();
    let lines = all
        .lines()
        .filter(|line| line.to_lowercase().contains(&lower));
    let lines: String = lines.map(|line| format!("{line}\n")).collect();
    if lines.is_empty() {
        let near = rules::alike(word);
        let near = near.map_or_else(String::new, |it| format!(" did you mean {it}?"));
        bail!("no rule has {word:?} in its line;{near} `hangup rules` lists all");
    }
    print(lines)
}

fn explain(asked: &cli::ExplainArgs) -> Result<ExitCode> {
    let text = match &asked.text[..] {
        [only] if only == "-" => pasted(io::stdin().lock())?,
        words => words.join(" "),
    };
    let name = text.trim();
    if name.is_empty() {
        return print(report::overview());
    }
    let color = wants_color(asked.color, true);
    if let Some(page) = explained(name, color) {
        return print(page);
    }
    // If standard error is closed, the exit status is the only report.
    let _ = io::stderr().write_all(report::not_known(name, false).as_bytes());
    Ok(ExitCode::from(FAILED))
}

/// Bytes of standard input that are explained: more than a stack trace has.
const PASTED: u64 = 64 * 1024;

/// A text from standard input.
fn pasted(from: impl io::Read) -> Result<String> {
    let mut text = Vec::new();
    from.take(PASTED).read_to_end(&mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// The page of a rule, or what an error text, a code or a log line may mean, if one of these is known.
pub(super) fn explained(name: &str, color: bool) -> Option<String> {
    if let Some(page) = report::rule_page(name, color) {
        return Some(page);
    }
    // One word with hyphens is most likely a misspelt rule name; words separated by spaces are first taken as an error
    // text.
    let alike = rules::alike(name);
    let meant = alike.filter(|_| name.contains('-') && !name.contains(' '));
    let page = || report::explanation(&knowledge::explain(name), color);
    let near = |rule: &str| {
        let page = report::rule_page(rule, color)?;
        let name = escape(name.as_bytes());
        Some(format!(
            "No rule is called \"{name}\". Did you mean `{rule}`? This is its page.\n\n{page}"
        ))
    };
    meant
        .and_then(near)
        .or_else(page)
        .or_else(|| alike.and_then(near))
}
