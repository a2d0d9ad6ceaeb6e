//! A running analysis reported on standard output: findings as they come, and the report at the end.
//!
//! A finding is printed when two snapshots in a row contain it: a finding on a connection that is still open may be
//! withdrawn when its next packet arrives.

use std::collections::HashSet;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::cli;
use super::output::{broken_off, closed, exit_code, write_report};
use super::session::Session;
use super::system;
use super::told::{FindingName, MAX_REMEMBERED, ToldFindings, name};
use crate::base::escape::escape;
use crate::report::snapshot::{ReadStage, Snapshot};
use crate::report::{self, ReportOptions};
use crate::rules::Finding;

/// The interval at which new snapshots are looked for.
const PAUSE: Duration = Duration::from_millis(50);

/// What ends the analysis, in addition to the end of the input.
pub(super) struct Until {
    /// A maximum duration.
    duration: Option<Duration>,
    /// Set by a signal.
    signalled: Arc<AtomicBool>,
}

impl Until {
    /// Ends with the input or on a signal. Signals are caught from this call on, so that a user who has just been told
    /// that the capture runs can end it at once.
    pub(super) fn signal() -> Self {
        Self {
            duration: None,
            signalled: signals(),
        }
    }

    /// Also ends after `duration`.
    #[cfg(feature = "live")]
    pub(super) fn or_after(self, duration: Option<Duration>) -> Self {
        Self { duration, ..self }
    }
}

/// Prints findings until the analysis ends, then writes the report as `shown`.
pub(super) fn follow(
    session: Session,
    until: &Until,
    asked: &cli::JudgingArgs,
    shown: &ReportOptions,
) -> Result<ExitCode> {
    let begun = Instant::now();
    let (watch, running) = (session.watch(), session.control());
    let mut printer = FindingPrinter::default();
    let mut stopped = false;
    let mut notes = 0;
    loop {
        let over = until.duration.is_some_and(|it| begun.elapsed() >= it);
        if !stopped && (over || until.signalled.load(Ordering::Relaxed)) {
            running.stop();
            stopped = true;
        }
        // Read the stage before the snapshot, so that nothing published before the end is missed.
        let stage = watch.progress().stage;
        let printed = printer.print_new(watch.version(), &watch.snapshot());
        let printed = printed.and_then(|forgotten| {
            session.forgot(forgotten);
            for note in running.notes().into_iter().skip(notes) {
                notes += 1;
                writeln!(io::stdout(), "{}", escape(note.as_bytes()))?;
            }
            Ok(())
        });
        if let Err(error) = printed {
            // Standard output is closed. Recorded packets must still be written to the end.
            running.stop();
            session.wait();
            return Err(closed(error).into());
        }
        match stage {
            ReadStage::Done => break,
            ReadStage::Failed(reason) => {
                let snapshot = watch.snapshot();
                if snapshot.summary.frames > 0 {
                    write_report(&snapshot, report::Format::Text, shown, None)?;
                }
                bail!(reason);
            }
            ReadStage::Reading | ReadStage::Following => thread::sleep(PAUSE),
        }
    }
    let worst = session.worst();
    session.wait();
    writeln!(io::stdout())?;
    let snapshot = watch.snapshot();
    write_report(&snapshot, report::Format::Text, shown, None)?;
    if let Some(failed) = running.failed().or_else(|| broken_off(&snapshot)) {
        bail!(failed);
    }
    Ok(exit_code(asked, worst(), &snapshot))
}

/// A flag set by a signal that ends the analysis; a second signal ends the program at once.
fn signals() -> Arc<AtomicBool> {
    let signalled = Arc::new(AtomicBool::new(false));
    for signal in system::ending() {
        // If a signal cannot be caught, it keeps its default effect and ends the program.
        let again = Arc::clone(&signalled);
        let _ = signal_hook::flag::register_conditional_shutdown(signal, 128 + signal, again);
        let _ = signal_hook::flag::register(signal, Arc::clone(&signalled));
    }
    signalled
}

#[derive(Default)]
struct FindingPrinter {
    version: u64,
    seen: HashSet<FindingName>,
    printed: ToldFindings,
}

impl FindingPrinter {
    /// Prints the findings that were not printed yet. Returns how many of those that were are forgotten.
    fn print_new(&mut self, version: u64, snapshot: &Snapshot) -> io::Result<u64> {
        if version == self.version {
            return Ok(0);
        }
        self.version = version;
        let mut out = io::stdout().lock();
        let mut now = HashSet::new();
        for finding in &snapshot.findings {
            let name = name(finding);
            now.insert(name);
            if self.seen.contains(&name) && self.printed.is_new(name) {
                writeln!(out, "{}", line(finding))?;
            }
        }
        let forgotten = self.printed.forget(&now, MAX_REMEMBERED);
        self.seen = now;
        out.flush()?;
        Ok(forgotten)
    }
}

fn line(finding: &Finding) -> String {
    let mut line = format!("{:7}  {}", finding.severity.name(), finding.rule);
    if let Some(client) = finding.client {
        line += &format!("  {client}");
    }
    if let Some(server) = finding.server {
        line += &format!(" → {server}");
    }
    let message = escape(finding.message.as_bytes());
    format!("{line}  {message}")
}
