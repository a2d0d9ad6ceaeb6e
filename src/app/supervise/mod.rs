//! `hangup run`: a command runs while its packets are captured, and if something fails they are kept with a report.
//!
//! Two processes do this. The one that was called starts the command, passes on signals, and ends with the command's exit
//! status; it reads no packet. The other ([`recorder`]) captures and reports: this program again, started before the
//! command, with [`ARGUMENT`] first and the same words after it. It says on its standard output when it captures, reads
//! on its standard input how the command ended ([`CommandEnd`]), and what it prints after that goes to standard error. So
//! the command has no part in the sandbox, and what reads packets can start nothing.
//!
//! Left out: the rights of the command. It has those of the process that was called.

mod ci;
mod command_end;
mod junit;
mod recorder;

use std::io::{self, BufRead as _, BufReader, ErrorKind, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result};

use super::output::FAILED;
use super::{cli, system};
use crate::base::escape::escape;
use command_end::CommandEnd;
pub(super) use recorder::record;

/// What tells the program to be the recorder.
pub(super) const ARGUMENT: &str = "--run-recorder";
/// What the recorder says when it captures.
const READY: &str = "ready";
/// Exit status: the command is not there, or cannot be run, as for shells.
const NOT_FOUND: u8 = 127;
const NOT_RUN: u8 = 126;

/// The process that captures and reports.
struct Recorder {
    process: Child,
    to: Option<ChildStdin>,
    from: BufReader<ChildStdout>,
}

impl Recorder {
    /// Starts it, and returns when it captures; `None`: it has said why it cannot.
    fn begin() -> Result<Option<Self>> {
        let mut command = Command::new(std::env::current_exe()?);
        command
            .arg(ARGUMENT)
            .args(std::env::args_os().skip(1))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        // A capture ends when the command does, not before.
        system::out_of_reach(&mut command);
        let mut process = command.spawn()?;
        let pipes = process.stdin.take().zip(process.stdout.take());
        let (to, from) = pipes.context("the recorder has no pipes")?;
        let mut from = BufReader::new(from);
        let mut line = String::new();
        from.read_line(&mut line)?;
        if line.trim_end() != READY {
            process.wait()?;
            return Ok(None);
        }
        let to = Some(to);
        Ok(Some(Self { process, to, from }))
    }

    /// Tells it how the command ended (an empty line: none was run), prints what it says, and returns its exit status.
    fn end(mut self, end: Option<&CommandEnd>) -> Result<u8> {
        if let Some(mut to) = self.to.take() {
            let line = end.map_or_else(|| "\n".to_owned(), CommandEnd::line);
            // If it is gone, its exit status says so.
            let _ = to.write_all(line.as_bytes());
        }
        // If standard error is closed, the exit status is the only report.
        let _ = io::copy(&mut self.from, &mut io::stderr());
        let status = self.process.wait()?;
        let code = status.code().and_then(|it| u8::try_from(it).ok());
        Ok(code.unwrap_or(FAILED))
    }
}

/// Runs the command.
pub(super) fn run(asked: &cli::RunArgs) -> Result<ExitCode> {
    let Some(recorder) = Recorder::begin()? else {
        return Ok(ExitCode::from(FAILED));
    };
    let [name, arguments @ ..] = &asked.command[..] else {
        return Ok(ExitCode::from(FAILED));
    };
    let mut command = Command::new(name);
    command.args(arguments);
    if let ([log], None) = (&asked.judging.keylog[..], std::env::var_os("SSLKEYLOGFILE")) {
        command.env("SSLKEYLOGFILE", log);
    }
    let begun = Instant::now();
    let running = match system::start(&mut command) {
        Ok(running) => running,
        Err(error) => {
            recorder.end(None)?;
            let name = name.to_string_lossy();
            let name = escape(name.as_bytes());
            let (code, reason) = match error.kind() {
                ErrorKind::NotFound => (NOT_FOUND, "there is no such command".to_owned()),
                _ => (NOT_RUN, error.to_string()),
            };
            // If standard error is closed, the exit status is the only report.
            let _ = writeln!(io::stderr(), "hangup: {name}: {reason}; nothing was run");
            return Ok(ExitCode::from(code));
        }
    };
    let end = CommandEnd::of(running.wait()?, begun.elapsed());
    let reported = recorder.end(Some(&end))?;
    Ok(ExitCode::from(match end.status {
        0 => reported,
        status => status,
    }))
}
