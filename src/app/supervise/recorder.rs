//! The process beside the command: captures to a file, and reports on it when the command has ended.
//!
//! The report is that of `hangup report` on the same file, so what is kept and what was said agree. While the command runs,
//! frames are only written to disk: nothing is analysed, and no memory grows.

use std::ffi::OsString;
use std::fs;
use std::io::{self, BufRead as _, ErrorKind, IsTerminal as _, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};
use clap::Parser as _;

use super::ci::{self, Summary};
use super::command_end::CommandEnd;
use super::{READY, junit};
use crate::app::analysis::Analysis;
use crate::app::cli::{self, Cli, Command};
use crate::app::judge::ReportSelection;
use crate::app::key_logs::Presence;
use crate::app::local::{LocalFacts, LocalHelper};
use crate::app::new_file::NewFile;
use crate::app::options::AnalysisOptions;
use crate::app::output::{self, colored, exit_code};
use crate::app::sandbox::Needs;
use crate::app::{ladder, live, mistakes, run, system};
use crate::base::escape::escape;
use crate::base::format::count;
use crate::base::shell::shell_word;
use crate::packet::capture::{
    self, Batch, CaptureError, Fill, LiveOptions, OpenOptions, Recording, Rotation, Source,
};
use crate::report::snapshot::Snapshot;
use crate::report::wording::moment::rfc3339;
use crate::report::{self, Format, ReportOptions};
use crate::rules::Severity;

/// How long is captured after the command has ended: its peers still answer to the end of its connections.
const AFTERWARDS: Duration = Duration::from_millis(300);
/// Runs that begin in the same second and folder: their files have numbers.
const SAME_NAME: u32 = 1000;

/// What is heard of the command.
enum Word {
    /// It ended.
    Ended(CommandEnd),
    /// It was not run.
    NotRun,
    /// Nothing: the process that would say it is gone.
    Gone,
}

/// Is the recorder, with the words that were typed.
pub(in crate::app) fn record<'a>(words: impl Iterator<Item = &'a OsString>) -> ExitCode {
    let Ok(Cli {
        command: Some(Command::Run(mut asked)),
        ..
    }) = Cli::try_parse_from(words)
    else {
        return ExitCode::from(output::FAILED);
    };
    let done = mistakes::translate(&mut asked.filter).and_then(|()| recorded(&asked));
    done.unwrap_or_else(|error| run::failed(&error, None))
}

fn recorded(asked: &cli::RunArgs) -> Result<ExitCode> {
    let mut options = asked.judging.options(false);
    // A mistake is told before the command runs.
    ReportSelection::of(&options, Presence::Awaited)?;
    if !asked.directory.is_dir() {
        bail!(
            "{}: is not a folder that is there; name another with -d, or make it: mkdir -p {}",
            asked.directory.display(),
            shell_word(&asked.directory)
        );
    }
    let interfaces = interfaces(asked)?;
    let sources = interfaces.iter().map(|name| open(name, asked));
    let source = capture::side_by_side(sources.collect::<Result<_>>()?);
    let summary = ci::is_github().then(Summary::begin).flatten();
    let color = colored(asked.judging.color, io::stderr().is_terminal());
    let shown = ReportOptions {
        color,
        ..output::options(&asked.judging, false)
    };
    // What looks at the system outside comes before the sandbox.
    options.fix_threads();
    let local = LocalHelper::begin();
    let inside = asked.directory.join("any");
    let needs = interfaces
        .iter()
        .fold(Needs::default(), |needs, it| needs.capturing(it));
    needs
        .judging(&asked.judging, true)
        .writing(Some(&inside))
        .writing(asked.junit.as_deref())
        .confine();
    let local = local.map(LocalHelper::listen);
    let (path, recording) = begin(&asked.directory)?;
    let junit = asked.junit.as_deref().map(NewFile::create).transpose();
    let junit =
        junit.with_context(|| output::not_written(asked.junit.as_ref().unwrap_or(&path)))?;
    let report = RunReport {
        asked,
        path: &path,
        shown: &shown,
        junit,
        summary,
        local,
    };
    match capture_beside(recording.of(source))? {
        Word::NotRun => {
            fs::remove_file(&path)?;
            Ok(ExitCode::SUCCESS)
        }
        Word::Ended(end) => report.on(Some(&end), options),
        Word::Gone => report.on(None, options),
    }
}

/// The interfaces to capture on: those that are named; else loopback, and the one that leads elsewhere.
fn interfaces(asked: &cli::RunArgs) -> Result<Vec<String>> {
    if !asked.interface.is_empty() {
        return Ok(asked.interface.clone());
    }
    let all = capture::interfaces()?;
    let usual = capture::default_interface(&all);
    let loopback = all.iter().find(|it| it.is_up && it.is_loopback);
    let elsewhere = usual.filter(|it| !it.is_loopback && (it.name != "any" || loopback.is_none()));
    let both = loopback.into_iter().chain(elsewhere);
    let both: Vec<String> = both.map(|it| it.name.clone()).collect();
    if both.is_empty() {
        bail!("there is no interface to capture on; `hangup interfaces` says why");
    }
    Ok(both)
}

fn open(interface: &str, asked: &cli::RunArgs) -> Result<Box<dyn Source>> {
    let mut wanted = LiveOptions::new(interface, system::now);
    wanted.filter = asked.filter.clone().unwrap_or_default();
    capture::live(&wanted).map_err(|error| match error {
        CaptureError::NotPermitted { interface } => {
            let command = asked.command.iter().map(shell_word);
            let command = command.collect::<Vec<_>>().join(" ");
            anyhow!(
                "{interface}: this user may not capture, so nothing was run. From now on: {}. This once, with the \
                 command as this user: sudo {} run -- sudo -E -u \"$USER\" {command}",
                live::setcap(),
                live::program()
            )
        }
        other => other.into(),
    })
}

/// Begins the file of the capture. Its name has the time; an existing file is never replaced.
fn begin(directory: &Path) -> Result<(PathBuf, Recording)> {
    let time = rfc3339(system::now());
    let second = time.split('.').next().unwrap_or_default();
    let digits: String = second.chars().filter(|it| !"-:".contains(*it)).collect();
    for number in 1..SAME_NAME {
        let again = match number {
            1 => String::new(),
            _ => format!("-{number}"),
        };
        let path = directory.join(format!("hangup-run-{digits}Z{again}.pcapng"));
        // `./` says nothing.
        let path = path.strip_prefix(".").map_or(path.clone(), Path::to_owned);
        match Recording::begin(&path, Rotation::default()) {
            Ok(recording) => return Ok((path, recording)),
            Err(CaptureError::Io { error, .. }) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error.into()),
        }
    }
    bail!(
        "{}: too many runs began in this second; name another folder with -d",
        directory.display()
    )
}

/// Captures until the command has ended and what is left of it has arrived.
fn capture_beside(mut source: Box<dyn Source>) -> Result<Word> {
    let mut out = io::stdout();
    writeln!(out, "{READY}").and_then(|()| out.flush())?;
    let told = hear();
    let mut batch = Batch::default();
    let mut word = None;
    let mut until: Option<Instant> = None;
    while source.fill(&mut batch)? != Fill::End {
        if word.is_none() {
            word = told.try_recv().ok();
            until = word.as_ref().map(|_| Instant::now() + AFTERWARDS);
        }
        if until.is_some_and(|it| Instant::now() >= it) {
            source.stop();
        }
    }
    // An interface may have gone away before.
    Ok(word.or_else(|| told.recv().ok()).unwrap_or(Word::Gone))
}

/// Listens for the end of the command, on a thread of its own.
fn hear() -> Receiver<Word> {
    let (tell, told) = channel();
    thread::spawn(move || {
        let mut line = String::new();
        let read = io::stdin().lock().read_line(&mut line);
        let word = match (read, CommandEnd::read(&line)) {
            (_, Some(end)) => Word::Ended(end),
            (Ok(1..), None) => Word::NotRun,
            _ => Word::Gone,
        };
        // Nobody listens if the capture broke off.
        let _ = tell.send(word);
    });
    told
}

/// What is said and kept at the end.
struct RunReport<'a> {
    asked: &'a cli::RunArgs,
    path: &'a Path,
    shown: &'a ReportOptions,
    junit: Option<NewFile>,
    summary: Option<Summary>,
    /// What the operating system says of the connections. The capture does not have it, the report does.
    local: Option<LocalFacts>,
}

impl RunReport<'_> {
    fn on(mut self, end: Option<&CommandEnd>, mut options: AnalysisOptions) -> Result<ExitCode> {
        options.key_logs = self.key_logs();
        if let Some(local) = &mut self.local {
            local.end();
            options.witness = local.witness();
        }
        let files = [self.path.to_owned()];
        let from = OpenOptions::default();
        let mut analysis = Analysis::read(&files, &from, &options, &mut |_| {})?;
        let snapshot = &mut analysis.snapshot;
        if let Some(local) = &mut self.local {
            local.finish(snapshot);
        }
        snapshot.drawn = ladder::pictures(&files, &from, &analysis.keys, snapshot);
        let judged = &self.asked.judging;
        let bar = judged.fail_on.map_or(Severity::Error, Severity::from);
        if let Some((mut file, to)) = self.junit.take().zip(self.asked.junit.as_deref()) {
            let document = junit::document(&self.asked.command, end, &analysis.snapshot, bar);
            document
                .map_err(io::Error::other)
                .and_then(|it| file.write_all(it.as_bytes()))
                .and_then(|()| file.finish())
                .with_context(|| output::not_written(to))?;
        }
        let failed = analysis.worst >= Some(bar) || end.is_none_or(CommandEnd::failed);
        let mut out = io::stdout().lock();
        match failed || self.asked.keep {
            true => self.keep(end, &analysis.snapshot, &mut out)?,
            false => self.discard(&analysis.snapshot, bar, &mut out)?,
        }
        if ci::is_github() {
            ci::annotate(analysis.findings(), &mut out)?;
        }
        Ok(exit_code(
            &self.asked.judging,
            analysis.worst,
            &analysis.snapshot,
        ))
    }

    /// Prints the report and keeps it beside the capture.
    fn keep(
        &mut self,
        end: Option<&CommandEnd>,
        snapshot: &Snapshot,
        out: &mut dyn Write,
    ) -> Result<()> {
        let mut text = Vec::new();
        report::write(snapshot, Format::Text, self.shown, &mut text)?;
        ci::without_commands(&text, out)?;
        let (path, markdown) = (self.path, self.path.with_extension("md"));
        let mut text = Vec::new();
        report::write(snapshot, Format::Markdown, self.shown, &mut text)?;
        let file = NewFile::create(&markdown);
        let written = file.and_then(|mut file| {
            file.write_all(&text)?;
            file.finish()
        });
        written.with_context(|| output::not_written(&markdown))?;
        if let Some(summary) = self.summary.take() {
            summary.append(&text)?;
        }
        let end = end.map(|it| format!("the command {}; ", it.words()));
        writeln!(
            out,
            "hangup: {}kept: {}, {}",
            end.unwrap_or_default(),
            escape(path.as_os_str().as_encoded_bytes()),
            escape(markdown.as_os_str().as_encoded_bytes())
        )?;
        Ok(())
    }

    /// Removes the capture, and says so.
    fn discard(&self, snapshot: &Snapshot, bar: Severity, out: &mut dyn Write) -> Result<()> {
        fs::remove_file(self.path)?;
        let connections = count(snapshot.connections_total(), "connection", "connections");
        let lesser = match snapshot.findings.len() as u64 {
            0 => String::new(),
            some => format!(
                ", {} below {}",
                count(some, "finding", "findings"),
                bar.name()
            ),
        };
        writeln!(
            out,
            "hangup: nothing failed ({connections}{lesser}); without --keep nothing is kept"
        )?;
        Ok(())
    }

    /// The key logs that are there now.
    fn key_logs(&self) -> Vec<PathBuf> {
        let (there, absent): (Vec<_>, Vec<_>) = self
            .asked
            .judging
            .keylog
            .iter()
            .cloned()
            .partition(|it| it.exists());
        for path in absent {
            // If standard error is closed, TLS is seen from outside.
            let _ = writeln!(
                io::stderr(),
                "hangup: {}: no program has written it, so TLS is seen from outside",
                escape(path.as_os_str().as_encoded_bytes())
            );
        }
        there
    }
}
