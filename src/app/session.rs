//! An analysis on its own threads, which publishes what it has while it goes on.
//!
//! In: what is to be read. Out: a [`SnapshotWatch`] that readers look at, and [`AnalysisControl`], by which they stop it or have a
//! connection read again. One thread reads and decodes, the crew follows, and one more judges and publishes: a look is
//! taken as often as leaves nine tenths of the time for the reading.

use std::collections::HashSet;
use std::fs::File;
use std::io::BufWriter;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::analysis::{self, ReportSelection};
use super::cli;
use super::key_logs::Presence;
use crate::analysis::connection::ConnectionSummary;
use crate::analysis::engine::{
    self, EngineSettings, EngineView, ExtractError, NextStep, Numbering, Observer, PendingView,
    RereadConnection, Stay,
};
use crate::base::net::Endpoint;
use crate::base::net::Loss;
use crate::base::time::Timestamp;
use crate::packet::capture::{
    self, Batch, CaptureError, FileSummary, Fill, OpenOptions, PcapngWriter, Recent, RecentLimits,
    Recording, Rotation, Source,
};
use crate::protocol::tls::secrets::KeyStore;
use crate::report::snapshot::{
    AnalysisControl, BackgroundResult, ReadProgress, ReadStage, SnapshotWatch,
};
use crate::rules::Severity;

/// When the first look is taken: a small file is done by then.
const FIRST: Duration = Duration::from_millis(60);
/// The least time from one publication to the next look.
const LEAST: Duration = Duration::from_millis(100);
/// So many times what a publication took passes before the next look.
const REST: u32 = 9;
/// The most, while something is followed: who watches waits for it.
const MOST: Duration = Duration::from_secs(2);
/// The least time between two looks when no frame has come, and only the clock has moved.
const IDLE: Duration = Duration::from_secs(1);

/// Findings that are known to have been told or recorded; of more, only those that still stand are remembered, so that one
/// that comes back after days is told again.
pub(super) const MAX_REMEMBERED: usize = 50_000;

/// A running analysis.
pub struct Session {
    watch: Arc<SnapshotWatch>,
    control: Arc<SharedControl>,
    threads: Vec<JoinHandle<()>>,
}

/// What is shared with those who may stop it or ask.
struct SharedControl {
    stop: AtomicBool,
    again: Reopen,
    /// What opens TLS, as it was opened the first time.
    keys: KeyStore,
    notes: Mutex<Vec<String>>,
    /// The worst of the latest findings, whether they are shown or not.
    worst: Mutex<Option<Severity>>,
}

/// How the input is read once more.
#[derive(Clone)]
enum Reopen {
    /// From the files.
    Files(Vec<PathBuf>, OpenOptions),
    /// From memory, as far as that goes.
    Recent(Arc<Recent>),
}

/// A flight recorder: what is remembered is written down when something is found.
pub(super) struct FlightRecorder {
    /// What a finding has to be.
    pub(super) severity: Severity,
    /// What the files are called, but for their numbers.
    pub(super) path: PathBuf,
    /// What is remembered.
    pub(super) recent: Arc<Recent>,
    /// For how long: two findings within that time are in one file.
    pub(super) age: Duration,
}

/// What there is to read, and how it is to be treated.
struct SessionPlan {
    source: Box<dyn Source>,
    of: Option<u64>,
    again: Reopen,
    settings: EngineSettings,
    flight: Option<FlightRecorder>,
}

impl Session {
    /// Begins to read files or pipes.
    ///
    /// # Errors
    /// When one cannot be read, or a rule is asked for that does not exist.
    pub fn of_files(asked: &cli::ReadArgs) -> Result<Self> {
        Self::reading(asked, false)
    }

    /// The same; `whole`: every connection's record is wanted, not just those of notable ones.
    pub(super) fn reading(asked: &cli::ReadArgs, whole: bool) -> Result<Self> {
        let has_end = |path: &PathBuf| std::fs::metadata(path).is_ok_and(|it| it.is_file());
        let key_logs = match asked.follow || !asked.files.iter().all(has_end) {
            true => Presence::Awaited,
            false => Presence::Required,
        };
        let wanted = ReportSelection::of(&asked.judging, whole, key_logs)?;
        let options = OpenOptions {
            filter: asked.filter.clone(),
        };
        for path in asked.files.iter().filter(|it| it.as_os_str() != "-") {
            // What is not there is told at once, not by whoever reads it later.
            std::fs::metadata(path).with_context(|| path.display().to_string())?;
        }
        let size = |path: &PathBuf| std::fs::metadata(path).ok().filter(|it| it.is_file());
        let sizes: Option<Vec<u64>> = asked
            .files
            .iter()
            .map(|path| size(path).map(|it| it.len()))
            .collect();
        let files = Reopen::Files(asked.files.clone(), options.clone());
        let mut settings = wanted.settings();
        let (source, of, again) = match sizes {
            Some(sizes) if !asked.follow => {
                let source = capture::open(&asked.files, &options)?;
                (source, Some(sizes.iter().sum()), files)
            }
            // What has an end that is not known yet; a file can be read again, a pipe cannot.
            sizes => {
                settings.stay = Stay::Latest;
                let (paths, follow) = (asked.files.clone(), asked.follow);
                let source = capture::aside(move || {
                    let inputs = paths.iter().map(|path| match follow {
                        true => capture::Input::growing(path),
                        false => capture::Input::open(path),
                    });
                    capture::read(inputs, &options)
                });
                match sizes {
                    Some(_) => (source, None, files),
                    None => {
                        let recent = Recent::new(RecentLimits::default());
                        (recent.of(source), None, Reopen::Recent(recent))
                    }
                }
            }
        };
        let plan = SessionPlan {
            source,
            of,
            again,
            settings,
            flight: None,
        };
        Ok(Self::begin(plan, wanted))
    }

    /// Begins to read an interface, or anything else that has no end; `recent` is what remembers its frames.
    pub(super) fn following(
        source: Box<dyn Source>,
        recent: Arc<Recent>,
        flight: Option<FlightRecorder>,
        asked: &cli::JudgingArgs,
    ) -> Result<Self> {
        let wanted = ReportSelection::of(asked, false, Presence::Awaited)?;
        let mut settings = wanted.settings();
        settings.stay = Stay::Latest;
        let plan = SessionPlan {
            source,
            of: None,
            again: Reopen::Recent(recent),
            settings,
            flight,
        };
        Ok(Self::begin(plan, wanted))
    }

    fn begin(plan: SessionPlan, wanted: ReportSelection) -> Self {
        let SessionPlan {
            source,
            of,
            again,
            settings,
            flight,
        } = plan;
        let source = wanted.keyed(source, of.is_none());
        let absent = wanted.absent_key_logs().iter();
        let notes = absent.map(|path| {
            let name = path.display();
            format!(
                "{name}: is not there yet; TLS is opened with it as soon as a program writes it"
            )
        });
        let notes = notes.collect();
        let watch = Arc::new(SnapshotWatch::new());
        let control = Arc::new(SharedControl {
            stop: AtomicBool::new(false),
            again,
            keys: settings.keys.clone(),
            notes: Mutex::new(notes),
            worst: Mutex::default(),
        });
        let stage = match of {
            Some(_) => ReadStage::Reading,
            None => ReadStage::Following,
        };
        let progress = ReadProgress {
            stage,
            of,
            ..ReadProgress::default()
        };
        watch.report(progress.clone());
        let (say, said) = channel();
        let pace = Arc::new(ViewPace::default());
        let publisher = Publisher {
            watch: Arc::clone(&watch),
            control: Arc::clone(&control),
            pace: Arc::clone(&pace),
            numbering: Numbering::new(settings.stay),
            wanted: wanted.clone(),
            flight,
            recorded: HashSet::new(),
            awaits: None,
            files: 0,
            next: Timestamp::MIN,
            now: Timestamp::MIN,
        };
        let lead = SessionReader {
            watch: Arc::clone(&watch),
            control: Arc::clone(&control),
            pace,
            say,
            progress,
            looked_at: u64::MAX,
            files: Vec::new(),
            lost: Loss::default(),
        };
        let threads = vec![
            thread::spawn(move || lead.read(source, &settings, wanted.threads())),
            thread::spawn(move || publisher.publish(&said)),
        ];
        Self {
            watch,
            control,
            threads,
        }
    }

    /// Where what it has is seen.
    #[must_use]
    pub fn watch(&self) -> Arc<SnapshotWatch> {
        Arc::clone(&self.watch)
    }

    /// By which it is stopped, and connections are read again.
    #[must_use]
    pub fn running(&self) -> Arc<dyn AnalysisControl> {
        Arc::clone(&self.control) as Arc<dyn AnalysisControl>
    }

    /// What opens TLS in them.
    pub(super) fn keys(&self) -> KeyStore {
        self.control.keys.clone()
    }

    /// How its packets are read once more.
    pub(super) fn packets(
        &self,
    ) -> impl Fn() -> Result<Box<dyn Source>, String> + Send + Sync + use<> {
        let again = self.control.again.clone();
        move || again.open()
    }

    /// Tells the worst of the latest findings, whether they are shown or not.
    pub(super) fn worst(&self) -> impl Fn() -> Option<Severity> + use<> {
        let control = Arc::clone(&self.control);
        move || *control.worst.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the end: of the input, or what [`AnalysisControl::stop`] leaves of it.
    pub fn wait(self) {
        for thread in self.threads {
            if let Err(panic) = thread.join() {
                std::panic::resume_unwind(panic);
            }
        }
    }
}

impl SharedControl {
    fn control_notes(&self) -> MutexGuard<'_, Vec<String>> {
        // A note is put in place in one step.
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AnalysisControl for SharedControl {
    fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    fn notes(&self) -> Vec<String> {
        self.control_notes().clone()
    }

    fn reread_connection(&self, of: &ConnectionSummary) -> BackgroundResult<RereadConnection> {
        let (again, keys, of) = (self.again.clone(), self.keys.clone(), *of);
        BackgroundResult::begin(move |given_up| {
            let mut source = again.open()?;
            let goes_on = || !given_up.load(Ordering::Relaxed);
            let found = engine::reread_connection(&mut *source, &of, &keys, goes_on);
            let found = found.map_err(|error| error.to_string())?;
            found.ok_or_else(|| "its packets are not remembered any more".to_owned())
        })
    }

    fn export(&self, of: &[ConnectionSummary], to: &Path) -> BackgroundResult<u64> {
        let (again, of, to) = (self.again.clone(), of.to_vec(), to.to_owned());
        BackgroundResult::begin(move |given_up| {
            let mut source = again.open()?;
            let goes_on = || !given_up.load(Ordering::Relaxed);
            export(&mut *source, &of, &to, goes_on)
                .map_err(|error| format!("{}: {error}", to.display()))
        })
    }
}

pub(super) fn export(
    source: &mut dyn Source,
    of: &[ConnectionSummary],
    to: &Path,
    goes_on: impl FnMut() -> bool,
) -> Result<u64, ExtractError> {
    // Never over something that is there: it may be the capture itself.
    let file = File::create_new(to)?;
    let mut writer = PcapngWriter::new(BufWriter::with_capacity(1 << 16, file))?;
    let count = engine::extract(source, of, goes_on, |frame| writer.frame(frame))?;
    writer.finish()?;
    Ok(count)
}

impl Reopen {
    fn open(&self) -> Result<Box<dyn Source>, String> {
        match self {
            Self::Files(paths, options) => {
                capture::open(paths, options).map_err(|error| error.to_string())
            }
            Self::Recent(recent) => Ok(recent.source()),
        }
    }
}

/// When the next look may be taken.
#[derive(Default)]
struct ViewPace {
    /// A look is on its way.
    busy: AtomicBool,
    /// Nanoseconds the last publication took.
    took: AtomicU64,
}

/// What is said to whoever publishes.
struct PublisherMessage {
    what: PublishedView,
    files: Vec<FileSummary>,
    lost: Loss,
}

enum PublishedView {
    Look(Box<PendingView>),
    Last(Box<EngineView>, Box<ReadProgress>),
}

/// The thread that reads.
struct SessionReader {
    watch: Arc<SnapshotWatch>,
    control: Arc<SharedControl>,
    pace: Arc<ViewPace>,
    say: Sender<PublisherMessage>,
    progress: ReadProgress,
    /// How many frames there were at the last look.
    looked_at: u64,
    files: Vec<FileSummary>,
    lost: Loss,
}

/// What [`SessionReader`] needs between two batches.
struct SessionObserver {
    lead: SessionReader,
    next: Instant,
}

impl SessionReader {
    fn read(self, mut source: Box<dyn Source>, settings: &EngineSettings, threads: usize) {
        let mut eye = SessionObserver {
            lead: self,
            next: Instant::now() + FIRST,
        };
        let (view, outcome) = engine::watched(&mut *source, settings, threads, &mut eye);
        let mut lead = eye.lead;
        lead.progress.stage = match outcome {
            Ok(()) => ReadStage::Done,
            Err(error) => ReadStage::Failed(error.to_string()),
        };
        lead.progress.frames = view.frames();
        lead.progress.bytes = source.files().iter().map(|file| file.bytes).sum();
        let word = PublisherMessage {
            what: PublishedView::Last(Box::new(view), Box::new(lead.progress)),
            files: source.files().to_vec(),
            lost: source.lost(),
        };
        // If the publisher is gone it has panicked; joining it says so.
        let _ = lead.say.send(word);
    }
}

impl SessionReader {
    /// How long after a publication that took so long the next look is.
    fn rest(&self, took: Duration) -> Duration {
        let rest = took.saturating_mul(REST).max(LEAST);
        match self.progress.stage {
            ReadStage::Following => rest.min(MOST.max(took)),
            _ => rest,
        }
    }
}

impl Observer for SessionObserver {
    fn next(&mut self, frames: u64, source: &dyn Source) -> NextStep {
        let lead = &mut self.lead;
        lead.progress.frames = frames;
        lead.progress.bytes = source.files().iter().map(|file| file.bytes).sum();
        lead.watch.report(lead.progress.clone());
        if lead.control.stop.load(Ordering::Relaxed) {
            return NextStep::Stop;
        }
        let now = Instant::now();
        if lead.pace.busy.load(Ordering::Acquire) {
            let took = Duration::from_nanos(lead.pace.took.load(Ordering::Relaxed));
            self.next = now + lead.rest(took);
            return NextStep::GoOn;
        }
        let moved = frames != lead.looked_at;
        if now < self.next || !moved && now < self.next + IDLE {
            return NextStep::GoOn;
        }
        let took = Duration::from_nanos(lead.pace.took.load(Ordering::Relaxed));
        self.next = now + lead.rest(took);
        lead.looked_at = frames;
        lead.files = source.files().to_vec();
        lead.lost = source.lost();
        NextStep::Look
    }

    fn look(&mut self, pending_view: PendingView) {
        self.lead.pace.busy.store(true, Ordering::Release);
        let word = PublisherMessage {
            what: PublishedView::Look(Box::new(pending_view)),
            files: std::mem::take(&mut self.lead.files),
            lost: self.lead.lost,
        };
        let _ = self.lead.say.send(word);
    }
}

/// The thread that judges and publishes.
struct Publisher {
    watch: Arc<SnapshotWatch>,
    control: Arc<SharedControl>,
    pace: Arc<ViewPace>,
    wanted: ReportSelection,
    numbering: Numbering,
    flight: Option<FlightRecorder>,
    /// What the flight recorder has been woken by.
    recorded: HashSet<(&'static str, Option<IpAddr>, Option<Endpoint>)>,
    /// What it is to write a file for.
    awaits: Option<&'static str>,
    /// How many files it has written.
    files: u32,
    /// When the next may be written: what happens until then is still remembered by then.
    next: Timestamp,
    /// How late it is.
    now: Timestamp,
}

impl Publisher {
    fn publish(mut self, said: &Receiver<PublisherMessage>) {
        for word in said {
            let PublisherMessage { what, files, lost } = word;
            match what {
                PublishedView::Look(pending_view) => {
                    let begun = Instant::now();
                    self.judge(pending_view.wait(), &files, lost);
                    self.record(false);
                    let took = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
                    self.pace.took.store(took, Ordering::Relaxed);
                    self.pace.busy.store(false, Ordering::Release);
                }
                PublishedView::Last(view, progress) => {
                    self.judge(*view, &files, lost);
                    self.record(true);
                    self.watch.report(*progress);
                    return;
                }
            }
        }
        let mut progress = self.watch.progress();
        progress.stage = ReadStage::Failed("the analysis broke off".to_owned());
        self.watch.report(progress);
    }

    fn judge(&mut self, view: EngineView, files: &[FileSummary], lost: Loss) {
        let before = self.watch.snapshot();
        let analysis = self
            .numbering
            .call(&before.summaries, &before.connections, view);
        self.now = analysis.stats.end();
        drop(before);
        let reading = analysis::judge(analysis, files, lost, &self.wanted);
        *self
            .control
            .worst
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = reading.worst;
        self.watch.publish(Arc::new(reading.snapshot));
    }

    /// Writes down what is remembered, if something new is bad enough; at the last opportunity without waiting for more.
    fn record(&mut self, last: bool) {
        let Some(flight) = &self.flight else {
            return;
        };
        let snapshot = self.watch.snapshot();
        let mut present = HashSet::new();
        for finding in &snapshot.findings {
            let name = (finding.rule, finding.client, finding.server);
            present.insert(name);
            if finding.severity >= flight.severity && self.recorded.insert(name) {
                self.awaits.get_or_insert(finding.rule);
            }
        }
        if self.recorded.len() > MAX_REMEMBERED {
            self.recorded.retain(|name| present.contains(name));
        }
        let Some(rule) = self.awaits else {
            return;
        };
        if self.now < self.next && !last {
            return;
        }
        self.awaits = None;
        self.next = self.now.after(flight.age / 2);
        self.files += 1;
        let path = capture::numbered(&flight.path, self.files);
        let note = match write_down(&flight.recent, &path) {
            Ok(frames) => format!("{}: {frames} packets kept, for {rule}", path.display()),
            Err(error) => format!("nothing could be kept for {rule}: {error}"),
        };
        self.control.control_notes().push(note);
    }
}

fn write_down(recent: &Recent, path: &Path) -> Result<u64, CaptureError> {
    let mut source = recent.source();
    let mut recording = Recording::begin(path, Rotation::default())?;
    let (mut batch, mut count) = (Batch::default(), 0);
    while source.fill(&mut batch)? != Fill::End {
        for frame in batch.frames() {
            recording.frame(&frame)?;
            count += 1;
        }
    }
    recording.end(Loss::default())?;
    Ok(count)
}
