//! An analysis on its own threads, which publishes what it has while it goes on.
//!
//! In: what is to be read. Out: a [`Watch`] that readers look at, and [`Running`], by which they stop it or have a
//! connection read again. One thread reads and decodes, the crew follows, and one more judges and publishes: a look is
//! taken as often as leaves nine tenths of the time for the reading.

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::Result;

use super::analysis;
use crate::capture::{self, FileSummary, Loss, OpenOptions, PcapngWriter, Source};
use crate::cli;
use crate::connection::Brief;
use crate::engine::{self, CloseUp, ExtractError, Glance, Next, Observer, Outlook, Roll};
use crate::ledger::{Lookup, Progress, Running, Stage, Watch};

/// When the first look is taken: a small file is done by then.
const FIRST: Duration = Duration::from_millis(60);
/// The least time from one publication to the next look.
const LEAST: Duration = Duration::from_millis(100);
/// So many times what a publication took passes before the next look.
const REST: u32 = 9;
/// The least time between two looks when no frame has come, and only the clock has moved.
const IDLE: Duration = Duration::from_secs(1);

/// A running analysis.
pub struct Session {
    watch: Arc<Watch>,
    control: Arc<Control>,
    threads: Vec<JoinHandle<()>>,
}

/// What is shared with those who may stop it or ask.
struct Control {
    stop: AtomicBool,
    again: Again,
}

/// How the input is read once more.
#[derive(Clone)]
struct Again {
    paths: Vec<PathBuf>,
    options: OpenOptions,
}

impl Session {
    /// Begins to read files or pipes.
    ///
    /// # Errors
    /// When one cannot be read, or a rule is asked for that does not exist.
    pub fn of_files(asked: &cli::Read) -> Result<Self> {
        analysis::check_rules(asked)?;
        let options = OpenOptions {
            filter: asked.filter.clone(),
        };
        let mut source = capture::open(&asked.files, &options)?;
        let size = |path: &PathBuf| std::fs::metadata(path).ok().filter(|it| it.is_file());
        let sizes: Option<Vec<u64>> = asked
            .files
            .iter()
            .map(|path| size(path).map(|it| it.len()))
            .collect();
        let of = sizes.map(|sizes| sizes.iter().sum());
        if of.is_none() {
            source = capture::aside(source);
        }
        let again = Again {
            paths: asked.files.clone(),
            options,
        };
        Ok(Self::begin(source, asked, of, again))
    }

    fn begin(source: Box<dyn Source>, asked: &cli::Read, of: Option<u64>, again: Again) -> Self {
        let watch = Arc::new(Watch::new());
        let control = Arc::new(Control {
            stop: AtomicBool::new(false),
            again,
        });
        let stage = match of {
            Some(_) => Stage::Reading,
            None => Stage::Following,
        };
        let progress = Progress {
            stage,
            of,
            ..Progress::default()
        };
        watch.report(progress.clone());
        let (say, said) = channel();
        let pace = Arc::new(Pace::default());
        let publisher = Publisher {
            watch: Arc::clone(&watch),
            pace: Arc::clone(&pace),
            asked: asked.clone(),
            roll: Roll::new(analysis::settings(false).stay),
        };
        let lead = Lead {
            watch: Arc::clone(&watch),
            control: Arc::clone(&control),
            pace,
            say,
            progress,
            looked_at: u64::MAX,
            files: Vec::new(),
            lost: Loss::default(),
        };
        let threads = analysis::threads(asked);
        let threads = vec![
            thread::spawn(move || lead.read(source, threads)),
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
    pub fn watch(&self) -> Arc<Watch> {
        Arc::clone(&self.watch)
    }

    /// By which it is stopped, and connections are read again.
    #[must_use]
    pub fn running(&self) -> Arc<dyn Running> {
        Arc::clone(&self.control) as Arc<dyn Running>
    }

    /// Waits for the end: of the input, or what [`Running::stop`] leaves of it.
    pub fn wait(self) {
        for thread in self.threads {
            if let Err(panic) = thread.join() {
                std::panic::resume_unwind(panic);
            }
        }
    }
}

impl Running for Control {
    fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    fn close_up(&self, of: &Brief) -> Lookup<CloseUp> {
        let (again, of) = (self.again.clone(), *of);
        Lookup::begin(move |given_up| {
            let mut source = again.open()?;
            let goes_on = || !given_up.load(Ordering::Relaxed);
            let found = engine::close_up(&mut *source, &of, goes_on);
            let found = found.map_err(|error| error.to_string())?;
            found.ok_or_else(|| "the connection is not in the input any more".to_owned())
        })
    }

    fn export(&self, of: &[Brief], to: &Path) -> Lookup<u64> {
        let (again, of, to) = (self.again.clone(), of.to_vec(), to.to_owned());
        Lookup::begin(move |given_up| {
            let mut source = again.open()?;
            let goes_on = || !given_up.load(Ordering::Relaxed);
            export(&mut *source, &of, &to, goes_on)
                .map_err(|error| format!("{}: {error}", to.display()))
        })
    }
}

pub(super) fn export(
    source: &mut dyn Source,
    of: &[Brief],
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

impl Again {
    fn open(&self) -> Result<Box<dyn Source>, String> {
        if self.paths.iter().any(|path| path == Path::new("-")) {
            return Err("a pipe cannot be read again: save the capture to a file".to_owned());
        }
        capture::open(&self.paths, &self.options).map_err(|error| error.to_string())
    }
}

/// When the next look may be taken.
#[derive(Default)]
struct Pace {
    /// A look is on its way.
    busy: AtomicBool,
    /// Nanoseconds the last publication took.
    took: AtomicU64,
}

/// What is said to whoever publishes.
struct Word {
    what: What,
    files: Vec<FileSummary>,
    lost: Loss,
}

enum What {
    Look(Box<Outlook>),
    Last(Box<Glance>, Box<Progress>),
}

/// The thread that reads.
struct Lead {
    watch: Arc<Watch>,
    control: Arc<Control>,
    pace: Arc<Pace>,
    say: Sender<Word>,
    progress: Progress,
    /// How many frames there were at the last look.
    looked_at: u64,
    files: Vec<FileSummary>,
    lost: Loss,
}

/// What [`Lead`] needs between two batches.
struct Eye {
    lead: Lead,
    next: Instant,
}

impl Lead {
    fn read(self, mut source: Box<dyn Source>, threads: usize) {
        let mut eye = Eye {
            lead: self,
            next: Instant::now() + FIRST,
        };
        let settings = analysis::settings(false);
        let (glance, outcome) = engine::watched(&mut *source, &settings, threads, &mut eye);
        let mut lead = eye.lead;
        lead.progress.stage = match outcome {
            Ok(()) => Stage::Done,
            Err(error) => Stage::Failed(error.to_string()),
        };
        lead.progress.frames = glance.frames();
        lead.progress.bytes = source.files().iter().map(|file| file.bytes).sum();
        let word = Word {
            what: What::Last(Box::new(glance), Box::new(lead.progress)),
            files: source.files().to_vec(),
            lost: source.lost(),
        };
        // If the publisher is gone it has panicked; joining it says so.
        let _ = lead.say.send(word);
    }
}

impl Observer for Eye {
    fn next(&mut self, frames: u64, source: &dyn Source) -> Next {
        let lead = &mut self.lead;
        lead.progress.frames = frames;
        lead.progress.bytes = source.files().iter().map(|file| file.bytes).sum();
        lead.watch.report(lead.progress.clone());
        if lead.control.stop.load(Ordering::Relaxed) {
            return Next::Stop;
        }
        let now = Instant::now();
        if lead.pace.busy.load(Ordering::Acquire) {
            let took = Duration::from_nanos(lead.pace.took.load(Ordering::Relaxed));
            self.next = now + (took * REST).max(LEAST);
            return Next::GoOn;
        }
        let moved = frames != lead.looked_at;
        if now < self.next || !moved && now < self.next + IDLE {
            return Next::GoOn;
        }
        let took = Duration::from_nanos(lead.pace.took.load(Ordering::Relaxed));
        self.next = now + (took * REST).max(LEAST);
        lead.looked_at = frames;
        lead.files = source.files().to_vec();
        lead.lost = source.lost();
        Next::Look
    }

    fn look(&mut self, outlook: Outlook) {
        self.lead.pace.busy.store(true, Ordering::Release);
        let word = Word {
            what: What::Look(Box::new(outlook)),
            files: std::mem::take(&mut self.lead.files),
            lost: self.lead.lost,
        };
        let _ = self.lead.say.send(word);
    }
}

/// The thread that judges and publishes.
struct Publisher {
    watch: Arc<Watch>,
    pace: Arc<Pace>,
    asked: cli::Read,
    roll: Roll,
}

impl Publisher {
    fn publish(mut self, said: &Receiver<Word>) {
        for word in said {
            let Word { what, files, lost } = word;
            match what {
                What::Look(outlook) => {
                    let begun = Instant::now();
                    self.judge(outlook.wait(), &files, lost);
                    let took = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
                    self.pace.took.store(took, Ordering::Relaxed);
                    self.pace.busy.store(false, Ordering::Release);
                }
                What::Last(glance, progress) => {
                    self.judge(*glance, &files, lost);
                    self.watch.report(*progress);
                    return;
                }
            }
        }
        let mut progress = self.watch.progress();
        progress.stage = Stage::Failed("the analysis broke off".to_owned());
        self.watch.report(progress);
    }

    fn judge(&mut self, glance: Glance, files: &[FileSummary], lost: Loss) {
        let before = self.watch.snapshot();
        let analysis = self.roll.call(&before.briefs, &before.connections, glance);
        drop(before);
        let reading = analysis::judge(analysis, files, lost, &self.asked);
        self.watch.publish(Arc::new(reading.snapshot));
    }
}
