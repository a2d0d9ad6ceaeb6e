//! A running analysis reported on standard output: what happens, a line each, and in text the report at the end.
//!
//! What the lines are is decided in [`feed`](super::feed).

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::cli;
use super::feed::{Feed, USUAL_INTERVAL};
use super::memory::MemoryFile;
use super::metrics::Metrics;
use super::output::{broken_off, closed, exit_code, write_report};
use super::session::Session;
use super::system;
use crate::report::feed::{FeedFormat, FeedLine, SummaryRow};
use crate::report::snapshot::{ReadStage, Snapshot};
use crate::report::{self, ReportOptions, Zone};

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

/// What is printed and served until the analysis ends.
pub(super) struct FeedPlan {
    format: FeedFormat,
    interval: Option<Duration>,
    settled: bool,
    metrics: Option<Metrics>,
    memory: MemoryFile,
}

impl FeedPlan {
    /// What was asked for. Sockets are bound now, before the sandbox.
    ///
    /// # Errors
    /// If the metrics cannot be served there.
    pub(super) fn new(asked: &cli::FeedArgs, format: FeedFormat) -> Result<Self> {
        Ok(Self {
            format,
            interval: asked.interval,
            settled: asked.settled,
            metrics: asked.metrics.map(Metrics::bind).transpose()?,
            memory: MemoryFile::open(),
        })
    }
}

/// What is printed, and when.
struct FeedPrinter<'a> {
    plan: FeedPlan,
    zone: &'a Zone,
    feed: Feed,
    notes: usize,
    due: Instant,
    /// The version of the snapshot that the metrics are of.
    measured: u64,
}

impl<'a> FeedPrinter<'a> {
    fn new(mut plan: FeedPlan, zone: &'a Zone) -> Self {
        if let Some(metrics) = &mut plan.metrics {
            metrics.serve();
        }
        Self {
            feed: Feed::new(plan.settled),
            due: Instant::now() + plan.interval.unwrap_or(USUAL_INTERVAL),
            plan,
            zone,
            notes: 0,
            measured: u64::MAX,
        }
    }

    fn line(&self, line: &FeedLine<'_>, out: &mut dyn Write) -> io::Result<()> {
        line.write(self.plan.format, self.zone, out)
    }

    /// Prints what is new. Returns how many findings were told and forgotten.
    fn print(
        &mut self,
        version: u64,
        snapshot: &Snapshot,
        notes: &[String],
        last: bool,
    ) -> io::Result<u64> {
        let now = system::now();
        let due = Instant::now() >= self.due;
        let mut out = BufWriter::new(io::stdout().lock());
        for line in self.feed.lines(version, snapshot, now, due, last) {
            self.line(&line, &mut out)?;
        }
        for note in notes.iter().skip(self.notes) {
            self.line(&FeedLine::note(now, note), &mut out)?;
        }
        self.notes = self.notes.max(notes.len());
        let totals = || SummaryRow::of(now, snapshot, self.plan.memory.resident());
        if let Some(metrics) = &self.plan.metrics
            && (version != self.measured || due || last)
        {
            metrics.update(snapshot, &totals(), &self.feed);
            self.measured = version;
        }
        if due {
            self.due = Instant::now() + self.plan.interval.unwrap_or(USUAL_INTERVAL);
            if self.plan.interval.is_some() && !last {
                self.line(&FeedLine::Summary(totals()), &mut out)?;
            }
        }
        if last {
            self.line(&FeedLine::End(totals()), &mut out)?;
        }
        out.flush()?;
        Ok(self.feed.forgotten())
    }
}

/// Prints what happens until the analysis ends; in text, then writes the report as `shown`.
pub(super) fn follow(
    session: Session,
    until: &Until,
    asked: &cli::JudgingArgs,
    shown: &ReportOptions,
    plan: FeedPlan,
) -> Result<ExitCode> {
    let begun = Instant::now();
    let (watch, running) = (session.watch(), session.control());
    let is_text = plan.format == FeedFormat::Text;
    let mut printer = FeedPrinter::new(plan, &shown.zone);
    printer
        .line(&FeedLine::start(), &mut io::stdout())
        .map_err(closed)?;
    let mut stopped = false;
    loop {
        let over = until.duration.is_some_and(|it| begun.elapsed() >= it);
        if !stopped && (over || until.signalled.load(Ordering::Relaxed)) {
            running.stop();
            stopped = true;
        }
        // Read the stage before the snapshot, so that nothing published before the end is missed.
        let stage = watch.progress().stage;
        let last = matches!(stage, ReadStage::Done | ReadStage::Failed(_));
        let notes = running.notes();
        match printer.print(watch.version(), &watch.snapshot(), &notes, last) {
            Ok(forgotten) => session.forgot(forgotten),
            Err(error) => {
                // Standard output is closed. Recorded packets must still be written to the end.
                running.stop();
                session.wait();
                return Err(closed(error).into());
            }
        }
        match stage {
            ReadStage::Done => break,
            ReadStage::Failed(reason) => {
                let snapshot = watch.snapshot();
                if is_text && snapshot.summary.frames > 0 {
                    write_report(&snapshot, report::Format::Text, shown, None)?;
                }
                bail!(reason);
            }
            ReadStage::Reading | ReadStage::Following => thread::sleep(PAUSE),
        }
    }
    let worst = session.worst();
    session.wait();
    let snapshot = watch.snapshot();
    if is_text {
        writeln!(io::stdout())?;
        write_report(&snapshot, report::Format::Text, shown, None)?;
    }
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
