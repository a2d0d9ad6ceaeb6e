//! An analysis on its own threads that publishes snapshots while it runs.
//!
//! The input is a list of files or a live source. The output is a [`SnapshotWatch`], from which readers take snapshots,
//! and an [`AnalysisControl`], with which they stop the analysis or reread a connection. One thread reads and decodes,
//! worker threads analyse, and one more evaluates the rules and publishes. Intermediate snapshots are taken only so
//! often that nine tenths of the time are left for reading.

use std::collections::HashSet;
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::judge::{self, ReportSelection};
use super::key_logs::Presence;
use super::local::LocalFacts;
use super::options::{AnalysisError, AnalysisOptions};
use super::told::{MAX_REMEMBERED, ToldFindings, name};
use crate::analysis::connection::ConnectionSummary;
use crate::analysis::engine::{
    self, EngineSettings, EngineView, ExtractError, NextStep, Numbering, Observer, PendingView,
    RereadConnection, Stay,
};
use crate::base::net::Loss;
use crate::base::time::Timestamp;
use crate::packet::capture::{
    self, Batch, CaptureError, FileSummary, Fill, OpenOptions, PcapngWriter, Recent, RecentLimits,
    Recording, Rotation, Source,
};
use crate::packet::places;
use crate::protocol::tls::secrets::KeyStore;
use crate::report::snapshot::{
    AnalysisControl, BackgroundResult, ReadProgress, ReadStage, SnapshotWatch,
};
use crate::rules::Severity;

/// When the first intermediate snapshot is taken. Small files are finished by then.
const FIRST: Duration = Duration::from_millis(60);
/// The minimum time from one publication to the next snapshot.
const LEAST: Duration = Duration::from_millis(100);
/// The time to the next snapshot, as a multiple of the time the last publication took.
const REST: u32 = 9;
/// The maximum time to the next snapshot while the input is followed, because a user may be waiting for it.
const MOST: Duration = Duration::from_secs(2);
/// The minimum extra wait between two snapshots if no frame has arrived and only the clock has advanced.
const IDLE: Duration = Duration::from_secs(1);

/// A running analysis.
pub struct Session {
    watch: Arc<SnapshotWatch>,
    control: Arc<SharedControl>,
    threads: Vec<JoinHandle<()>>,
}

/// State shared with readers that may stop the analysis or start background work.
struct SharedControl {
    stop: AtomicBool,
    again: Reopen,
    /// The secrets, so that rereading decrypts what the first pass decrypted.
    keys: KeyStore,
    notes: Mutex<Vec<String>>,
    /// What could not be written, the first time.
    failed: Mutex<Option<String>>,
    /// Findings that were told and forgotten.
    forgotten: AtomicU64,
    /// The worst severity of the latest findings, whether they are shown or not.
    worst: Mutex<Option<Severity>>,
}

/// How the input is read again.
#[derive(Clone)]
enum Reopen {
    /// From the files.
    Files(Vec<PathBuf>, OpenOptions),
    /// From the frames kept in memory.
    Recent(Arc<Recent>),
    /// Nobody will want it.
    #[cfg_attr(
        not(feature = "live"),
        allow(dead_code, reason = "files can be read again")
    )]
    Never,
}

/// The flight recorder: writes the remembered frames to a file when a finding appears.
pub(super) struct FlightRecorder {
    /// The minimum severity of a finding that triggers it.
    pub(super) severity: Severity,
    /// The path of the files; a number is added to the name of each.
    pub(super) path: PathBuf,
    /// The remembered frames.
    pub(super) recent: Arc<Recent>,
    /// How long frames are remembered. Files, except the last, are written at least half of this time apart, so findings
    /// that come close together share one.
    pub(super) age: Duration,
}

/// What to read, and how.
struct SessionPlan {
    source: Box<dyn Source>,
    of: Option<u64>,
    again: Reopen,
    settings: EngineSettings,
    flight: Option<FlightRecorder>,
    local: Option<LocalFacts>,
}

impl Session {
    /// Starts to read files or pipes; it ends with them.
    ///
    /// # Errors
    /// If an input cannot be read, or an option names a rule, a file or an error that does not exist.
    pub fn of_files<P: Into<PathBuf>>(
        paths: impl IntoIterator<Item = P>,
        options: &AnalysisOptions,
    ) -> Result<Self, AnalysisError> {
        Self::opened(paths, false, options)
    }

    /// Starts to read files or pipes, and goes on as they grow, until [`AnalysisControl::stop`].
    ///
    /// # Errors
    /// As [`Session::of_files`].
    pub fn following<P: Into<PathBuf>>(
        paths: impl IntoIterator<Item = P>,
        options: &AnalysisOptions,
    ) -> Result<Self, AnalysisError> {
        Self::opened(paths, true, options)
    }

    fn opened<P: Into<PathBuf>>(
        paths: impl IntoIterator<Item = P>,
        follow: bool,
        options: &AnalysisOptions,
    ) -> Result<Self, AnalysisError> {
        let paths = paths.into_iter().map(Into::into).collect();
        let open = OpenOptions::with_filter(options.filter.clone())?;
        Self::reading(paths, follow, open, options)
    }

    /// Starts to capture on an interface, until [`AnalysisControl::stop`].
    ///
    /// # Errors
    /// If the interface cannot be captured on, or as [`Session::of_files`]. [`AnalysisOptions::filter`] is not looked at:
    /// [`LiveOptions`](crate::LiveOptions) has a filter of its own.
    #[cfg(feature = "live")]
    pub fn of_interface(
        interface: &capture::LiveOptions,
        options: &AnalysisOptions,
    ) -> Result<Self, AnalysisError> {
        let recent = Recent::new(RecentLimits::default());
        let source = recent.of(capture::live(interface)?);
        Self::of_source(source, Some(recent), None, None, options)
    }

    pub(super) fn reading(
        files: Vec<PathBuf>,
        follow: bool,
        options: OpenOptions,
        wanted: &AnalysisOptions,
    ) -> Result<Self, AnalysisError> {
        let has_end = |path: &PathBuf| std::fs::metadata(path).is_ok_and(|it| it.is_file());
        let key_logs = match follow || !files.iter().all(has_end) {
            true => Presence::Awaited,
            false => Presence::Required,
        };
        let wanted = ReportSelection::of(wanted, key_logs)?;
        for path in files.iter().filter(|it| it.as_os_str() != "-") {
            // Report a missing file now, not on the thread that reads it later.
            let metadata = std::fs::metadata(path).map_err(|source| AnalysisError::Input {
                path: path.clone(),
                source,
            })?;
            if metadata.is_dir() {
                capture::open(&[path], &options)?;
            }
        }
        let size = |path: &PathBuf| std::fs::metadata(path).ok().filter(|it| it.is_file());
        let sizes: Option<Vec<u64>> = files
            .iter()
            .map(|path| size(path).map(|it| it.len()))
            .collect();
        let again = Reopen::Files(files.clone(), options.clone());
        let mut settings = wanted.settings();
        let (source, of, again) = match sizes {
            Some(sizes) if !follow => {
                let source = places::open(&files, &options)?;
                (source, Some(sizes.iter().sum()), again)
            }
            // Input of unknown length. A file can be read again, a pipe cannot.
            sizes => {
                settings.stay = Stay::Latest;
                let source = capture::aside(move || {
                    let inputs = files.iter().map(|path| match follow {
                        true => capture::Input::growing(path),
                        false => capture::Input::open(path),
                    });
                    capture::read(inputs, &options)
                });
                match sizes {
                    Some(_) => (source, None, again),
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
            local: None,
        };
        Ok(Self::begin(plan, wanted))
    }

    /// Starts to read an interface, or another source that has no end; `recent` remembers its frames, if connections will be
    /// read again, and `local` knows what the operating system says of its connections.
    #[cfg(feature = "live")]
    pub(super) fn of_source(
        source: Box<dyn Source>,
        recent: Option<Arc<Recent>>,
        flight: Option<FlightRecorder>,
        local: Option<LocalFacts>,
        options: &AnalysisOptions,
    ) -> Result<Self, AnalysisError> {
        let mut options = options.clone();
        if let Some(local) = &local {
            options.witness = local.witness();
        }
        let wanted = ReportSelection::of(&options, Presence::Awaited)?;
        let mut settings = wanted.settings();
        settings.stay = Stay::Latest;
        let plan = SessionPlan {
            source,
            of: None,
            again: recent.map_or(Reopen::Never, Reopen::Recent),
            settings,
            flight,
            local,
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
            local,
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
            failed: Mutex::default(),
            forgotten: AtomicU64::new(0),
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
            numbering: Numbering::new(settings.stay, &settings.judge),
            wanted: wanted.clone(),
            flight,
            local,
            recorded: ToldFindings::default(),
            pending_rule: None,
            files: 0,
            next: Timestamp::MIN,
            now: Timestamp::MIN,
        };
        let reader = SessionReader {
            watch: Arc::clone(&watch),
            control: Arc::clone(&control),
            pace,
            say,
            progress,
            frames_at_last_view: u64::MAX,
            files: Vec::new(),
            lost: Loss::default(),
        };
        let threads = vec![
            thread::spawn(move || reader.read(source, &settings, wanted.threads())),
            thread::spawn(move || publisher.publish(&said)),
        ];
        Self {
            watch,
            control,
            threads,
        }
    }

    /// The snapshots and the progress of this analysis.
    #[must_use]
    pub fn watch(&self) -> Arc<SnapshotWatch> {
        Arc::clone(&self.watch)
    }

    /// The control to stop the analysis and to reread connections.
    #[must_use]
    pub fn control(&self) -> Arc<dyn AnalysisControl> {
        Arc::clone(&self.control) as Arc<dyn AnalysisControl>
    }

    /// The store of the secrets that decrypt TLS in this input.
    #[cfg(feature = "ui")]
    pub(super) fn keys(&self) -> KeyStore {
        self.control.keys.clone()
    }

    /// A function that opens the input again.
    #[cfg(feature = "ui")]
    pub(super) fn packets(
        &self,
    ) -> impl Fn() -> Result<Box<dyn Source>, String> + Send + Sync + use<> {
        let again = self.control.again.clone();
        move || again.open()
    }

    #[cfg(feature = "cli")]
    /// A function that returns the worst severity of the latest findings, whether they are shown or not.
    pub(super) fn worst(&self) -> impl Fn() -> Option<Severity> + use<> {
        let control = Arc::clone(&self.control);
        move || *control.worst.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts findings that were told and forgotten, for the report.
    pub(super) fn forgot(&self, findings: u64) {
        self.control.forgot(findings);
    }

    /// Waits until the analysis has ended: with its input, or after [`AnalysisControl::stop`].
    ///
    /// # Panics
    /// If a thread of the analysis panicked; its panic is resumed.
    pub fn wait(self) {
        for thread in self.threads {
            if let Err(panic) = thread.join() {
                std::panic::resume_unwind(panic);
            }
        }
    }
}

impl SharedControl {
    fn forgot(&self, findings: u64) {
        self.forgotten.fetch_add(findings, Ordering::Relaxed);
    }

    fn control_notes(&self) -> MutexGuard<'_, Vec<String>> {
        // A poisoned lock is safe to use: each note is added in one step.
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

    fn failed(&self) -> Option<String> {
        let failed = self.failed.lock();
        failed.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn reread_connection(&self, of: &ConnectionSummary) -> BackgroundResult<RereadConnection> {
        let (again, keys, of) = (self.again.clone(), self.keys.clone(), *of);
        BackgroundResult::begin(move |cancelled| {
            let mut source = again.open()?;
            let goes_on = || !cancelled.load(Ordering::Relaxed);
            let found = engine::reread_connection(&mut *source, &of, &keys, goes_on);
            let found = found.map_err(|error| error.to_string())?;
            found.ok_or_else(|| "its packets are not remembered any more".to_owned())
        })
    }

    fn export(&self, of: &[ConnectionSummary], to: &Path) -> BackgroundResult<u64> {
        let (again, of, to) = (self.again.clone(), of.to_vec(), to.to_owned());
        BackgroundResult::begin(move |cancelled| {
            let mut source = again.open()?;
            let goes_on = || !cancelled.load(Ordering::Relaxed);
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
    // Never overwrite an existing file: it may be the capture itself.
    let file = File::create_new(to)?;
    let mut writer = PcapngWriter::new(BufWriter::with_capacity(1 << 16, file))?;
    let count = engine::extract(source, of, goes_on, |frame, _| writer.frame(frame))?;
    writer.finish()?;
    Ok(count)
}

impl Reopen {
    fn open(&self) -> Result<Box<dyn Source>, String> {
        match self {
            Self::Files(paths, options) => {
                places::open(paths, options).map_err(|error| error.to_string())
            }
            Self::Recent(recent) => Ok(recent.source()),
            Self::Never => Err("its packets are not remembered".to_owned()),
        }
    }
}

/// When the next intermediate snapshot may be taken.
#[derive(Default)]
struct ViewPace {
    /// A snapshot has been requested and is not published yet.
    busy: AtomicBool,
    /// Duration of the last publication in nanoseconds.
    took: AtomicU64,
}

/// A message from the reader to the publisher.
struct PublisherMessage {
    what: PublishedView,
    files: Vec<FileSummary>,
    lost: Loss,
}

enum PublishedView {
    Look(Box<PendingView>),
    Last(Box<EngineView>, Box<ReadProgress>),
}

/// The state of the thread that reads.
struct SessionReader {
    watch: Arc<SnapshotWatch>,
    control: Arc<SharedControl>,
    pace: Arc<ViewPace>,
    say: Sender<PublisherMessage>,
    progress: ReadProgress,
    /// The number of frames at the last snapshot.
    frames_at_last_view: u64,
    files: Vec<FileSummary>,
    lost: Loss,
}

/// The engine's observer: called between two batches on behalf of [`SessionReader`].
struct SessionObserver {
    reader: SessionReader,
    next: Instant,
}

impl SessionReader {
    fn read(self, mut source: Box<dyn Source>, settings: &EngineSettings, threads: usize) {
        let mut observer = SessionObserver {
            reader: self,
            next: Instant::now() + FIRST,
        };
        let (view, outcome) = engine::watched(&mut *source, settings, threads, &mut observer);
        let mut reader = observer.reader;
        reader.progress.stage = match outcome {
            Ok(()) => ReadStage::Done,
            Err(error) => ReadStage::Failed(error.to_string()),
        };
        reader.progress.frames = view.frames();
        reader.progress.bytes = source.files().iter().map(|file| file.bytes).sum();
        let word = PublisherMessage {
            what: PublishedView::Last(Box::new(view), Box::new(reader.progress)),
            files: source.files().to_vec(),
            lost: source.lost(),
        };
        // If the receiver is gone, the publisher has panicked; joining its thread reports that.
        let _ = reader.say.send(word);
    }
}

impl SessionReader {
    /// The wait before the next snapshot, after a publication that took `took`.
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
        let reader = &mut self.reader;
        reader.progress.frames = frames;
        reader.progress.bytes = source.files().iter().map(|file| file.bytes).sum();
        reader.watch.report(reader.progress.clone());
        if reader.control.stop.load(Ordering::Relaxed) {
            return NextStep::Stop;
        }
        let now = Instant::now();
        if reader.pace.busy.load(Ordering::Acquire) {
            let took = Duration::from_nanos(reader.pace.took.load(Ordering::Relaxed));
            self.next = now + reader.rest(took);
            return NextStep::GoOn;
        }
        let moved = frames != reader.frames_at_last_view;
        if now < self.next || !moved && now < self.next + IDLE {
            return NextStep::GoOn;
        }
        let took = Duration::from_nanos(reader.pace.took.load(Ordering::Relaxed));
        self.next = now + reader.rest(took);
        reader.frames_at_last_view = frames;
        reader.files = source.files().to_vec();
        reader.lost = source.lost();
        NextStep::Look
    }

    fn look(&mut self, pending_view: PendingView) {
        self.reader.pace.busy.store(true, Ordering::Release);
        let word = PublisherMessage {
            what: PublishedView::Look(Box::new(pending_view)),
            files: std::mem::take(&mut self.reader.files),
            lost: self.reader.lost,
        };
        let _ = self.reader.say.send(word);
    }
}

/// The thread that evaluates the rules and publishes.
struct Publisher {
    watch: Arc<SnapshotWatch>,
    control: Arc<SharedControl>,
    pace: Arc<ViewPace>,
    wanted: ReportSelection,
    numbering: Numbering,
    flight: Option<FlightRecorder>,
    /// What the operating system says of the connections.
    local: Option<LocalFacts>,
    /// Findings that have triggered the flight recorder.
    recorded: ToldFindings,
    /// The rule for whose finding a file is to be written.
    pending_rule: Option<&'static str>,
    /// Number of files written.
    files: u32,
    /// The earliest time of the next file. Frames that arrive until then are still remembered at that time.
    next: Timestamp,
    /// The time of the latest snapshot on the packet clock.
    now: Timestamp,
}

impl Publisher {
    fn publish(mut self, said: &Receiver<PublisherMessage>) {
        for word in said {
            let PublisherMessage { what, files, lost } = word;
            match what {
                PublishedView::Look(pending_view) => {
                    let begun = Instant::now();
                    self.judge(pending_view.wait(), &files, lost, false);
                    self.record(false);
                    let took = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
                    self.pace.took.store(took, Ordering::Relaxed);
                    self.pace.busy.store(false, Ordering::Release);
                }
                PublishedView::Last(view, progress) => {
                    self.judge(*view, &files, lost, true);
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

    /// Evaluates the rules and publishes. `last`: no view comes after this one.
    fn judge(&mut self, view: EngineView, files: &[FileSummary], lost: Loss, last: bool) {
        let before = self.watch.snapshot();
        let analysis = self.numbering.call(
            &before.summaries,
            &before.requests,
            &before.connections,
            view,
        );
        self.now = analysis.stats.end();
        drop(before);
        let forgotten = self.control.forgotten.load(Ordering::Relaxed);
        let mut reading = judge::judge(analysis, files, lost, &self.wanted, forgotten);
        match &mut self.local {
            Some(local) if last => local.finish(&mut reading.snapshot),
            Some(local) => local.join(&mut reading.snapshot, self.now),
            None => {}
        }
        *self
            .control
            .worst
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = reading.worst;
        self.watch.publish(Arc::new(reading.snapshot));
    }

    /// Writes the remembered frames to a file if a new finding is severe enough. If `last`, does so without waiting for
    /// later frames.
    fn record(&mut self, last: bool) {
        let Some(flight) = &self.flight else {
            return;
        };
        let snapshot = self.watch.snapshot();
        let mut present = HashSet::new();
        for finding in &snapshot.findings {
            let name = name(finding);
            present.insert(name);
            if finding.severity >= flight.severity && self.recorded.is_new(name) {
                self.pending_rule.get_or_insert(finding.rule);
            }
        }
        self.control
            .forgot(self.recorded.forget(&present, MAX_REMEMBERED));
        let Some(rule) = self.pending_rule else {
            return;
        };
        if self.now < self.next && !last {
            return;
        }
        self.pending_rule = None;
        self.next = self.now.after(flight.age / 2);
        self.files += 1;
        let path = capture::numbered(&flight.path, self.files);
        let note = match write_recent(&flight.recent, &path) {
            Ok(frames) => format!("{}: {frames} packets kept, for {rule}", path.display()),
            Err(error) => {
                let note = format!("nothing could be kept for {rule}: {error}");
                let mut failed = self
                    .control
                    .failed
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner);
                failed.get_or_insert_with(|| note.clone());
                note
            }
        };
        self.control.control_notes().push(note);
    }
}

/// Writes what is remembered to a new file; if that fails, there is none.
fn write_recent(recent: &Recent, path: &Path) -> Result<u64, CaptureError> {
    let recording = Recording::begin(path, Rotation::default())?;
    copy_recent(recent, recording).inspect_err(|_| {
        // What remains of it would be taken for what was asked for. If it stays, the error is still reported.
        let _ = std::fs::remove_file(path);
    })
}

fn copy_recent(recent: &Recent, mut recording: Recording) -> Result<u64, CaptureError> {
    let mut source = recent.source();
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
