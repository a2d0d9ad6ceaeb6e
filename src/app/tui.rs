//! The interactive screens: starts the analysis behind them and implements what they need from outside.

use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::cli;
use super::clipboard::Clipboard;
use super::config::{self, ScreenConfig};
use super::extract::Excerpt;
use super::new_file::NewFile;
use super::output;
use super::sandbox::{self, Needs};
use super::session::Session;
use super::tui_loop;
use crate::analysis::connection::{Connection, ConnectionSummary};
use crate::analysis::engine;
use crate::analysis::transcript::ConnectionTranscript;
use crate::base::escape::escape;
use crate::packet::capture::{OpenOptions, Source};
use crate::protocol::tls::secrets::KeyStore;
use crate::report::snapshot::{AnalysisControl, ReadStage, Snapshot, SnapshotWatch};
use crate::report::{self, Zone};
use crate::tui::{self, Host};

/// How long the program waits at exit for recorded packets to be written; no disk takes longer.
const LAST: Duration = Duration::from_secs(5);

/// Opens the screens at once and fills them while the captures are read.
pub(super) fn on_files(asked: &cli::ReadArgs, screen: &cli::ScreenArgs) -> Result<ExitCode> {
    let config = config::read(screen)?;
    // Report a file that cannot be opened before the screens appear.
    let files = asked.files();
    let mut options = asked.options(false);
    options.search_requests = true;
    let open = OpenOptions::with_filter(asked.filter.clone())?;
    // What looks at the system outside comes before the sandbox.
    let outside = Outside {
        zone: output::zone(asked.judging.local),
        clipboard: Clipboard::new(),
    };
    options.fix_threads();
    Needs::of(asked).writing_here().confine();
    let reading = Session::reading(files.clone(), asked.follow, open, &options)?;
    let host = ScreenHost {
        keys: reading.keys(),
        packets: Box::new(reading.packets()),
        inputs: files.clone(),
        zone: outside.zone.clone(),
    };
    let (worst, watch) = (reading.worst(), reading.watch());
    let name = name(&files);
    show(reading, name, host, &asked.judging, screen, config, outside)?;
    // What is no capture was not shown: the terminal says why.
    if let Some(reason) = tui_loop::unreadable(&watch.progress()) {
        bail!("{reason}");
    }
    Ok(output::exit_code(
        &asked.judging,
        worst(),
        &watch.snapshot(),
    ))
}

/// What the screens have from outside the sandbox.
pub(super) struct Outside {
    pub(super) zone: Zone,
    pub(super) clipboard: Clipboard,
}

/// Shows live packets of an interface, for at most the requested duration.
#[cfg(feature = "live")]
pub(super) fn on_interface(
    reading: Session,
    interface: &str,
    asked: &cli::LiveArgs,
    config: ScreenConfig,
    outside: Outside,
) -> Result<ExitCode> {
    // Also of the report at the end, because the screens leave nothing on the terminal.
    let options = report::ReportOptions {
        zone: outside.zone.clone(),
        ..output::options(&asked.judging, true)
    };
    let host = ScreenHost {
        keys: reading.keys(),
        packets: Box::new(reading.packets()),
        inputs: asked.write.iter().cloned().collect(),
        zone: outside.zone.clone(),
    };
    if let Some(duration) = asked.duration {
        let running = reading.control();
        thread::spawn(move || {
            thread::sleep(duration);
            running.stop();
        });
    }
    let (watch, running, worst) = (reading.watch(), reading.control(), reading.worst());
    let name = escape(interface.as_bytes()).into_owned();
    let (judging, screen) = (&asked.judging, &asked.screen);
    show(reading, name, host, judging, screen, config, outside)?;
    let snapshot = watch.snapshot();
    output::write_report(&snapshot, report::Format::Text, &options, None)?;
    let kept = asked.write.iter().filter(|_| asked.keep.is_none());
    let kept = kept.map(|path| format!("the packets are in {}", path.display()));
    for note in running.notes().into_iter().chain(kept) {
        // If standard error is closed, the message has no reader.
        let _ = writeln!(std::io::stderr(), "hangup: {}", escape(note.as_bytes()));
    }
    let broken_off = || output::broken_off(&snapshot);
    if let Some(failed) = running.failed().or_else(broken_off) {
        bail!(failed);
    }
    Ok(output::exit_code(&asked.judging, worst(), &snapshot))
}

fn show(
    reading: Session,
    name: String,
    host: ScreenHost,
    judging: &cli::JudgingArgs,
    screen: &cli::ScreenArgs,
    config: ScreenConfig,
    outside: Outside,
) -> Result<()> {
    let watch = reading.watch();
    let running = reading.control();
    tui_loop::report_panics(reading, Arc::clone(&watch));
    let look = tui_loop::look(screen, judging.color, &config);
    let session = tui::ScreenSubject {
        name,
        zone: outside.zone,
        time_wait: judging.time_wait,
        host: Arc::new(host),
        keys: config.keys,
        columns: config.columns,
    };
    let end = {
        let (running, watch) = (Arc::clone(&running), Arc::clone(&watch));
        move || end(&*running, &watch)
    };
    let mouse = !screen.no_mouse;
    let shown = tui_loop::show(session, look, mouse, outside.clipboard, &watch, end.clone());
    end();
    shown
}

/// Stops the analysis and waits until recorded packets are written.
fn end(running: &dyn AnalysisControl, watch: &SnapshotWatch) {
    running.stop();
    let until = Instant::now() + LAST;
    // Only followed input may be recorded. Reading of a file can be abandoned at any point.
    while watch.progress().stage == ReadStage::Following && Instant::now() < until {
        thread::sleep(Duration::from_millis(10));
    }
}

/// The title of the screens, in a word or two.
fn name(files: &[PathBuf]) -> String {
    let name = |path: &Path| {
        let last = path.file_name().unwrap_or(path.as_os_str());
        escape(last.to_string_lossy().as_bytes()).into_owned()
    };
    match files {
        [] => String::new(),
        [only] if only == Path::new("-") => "standard input".to_owned(),
        [only] => name(only),
        [first, second] => format!("{} and {}", name(first), name(second)),
        [first, rest @ ..] => format!("{} and {} more", name(first), rest.len()),
    }
}

/// Why a file could not be written, for the status line.
fn not_written(to: &Path, error: &anyhow::Error) -> String {
    let denied = error
        .chain()
        .filter_map(|it| it.downcast_ref::<io::Error>())
        .find_map(sandbox::reason);
    match denied {
        Some(reason) => format!("{}: {reason}", to.display()),
        None => {
            let text = format!("{error:#}");
            let name = to.file_name().unwrap_or(to.as_os_str()).to_string_lossy();
            match text.contains(&*name) {
                true => text,
                false => format!("{}: {text}", to.display()),
            }
        }
    }
}

/// The host of the screens: what they need from outside.
struct ScreenHost {
    /// The secrets that decrypt TLS.
    keys: KeyStore,
    packets: Box<dyn Fn() -> Result<Box<dyn Source>, String> + Send + Sync>,
    /// Captures, which must not be overwritten.
    inputs: Vec<PathBuf>,
    zone: Zone,
}

impl Host for ScreenHost {
    fn reread(
        &self,
        of: &ConnectionSummary,
        goes_on: &mut dyn FnMut() -> bool,
    ) -> Result<ConnectionTranscript, String> {
        ConnectionTranscript::read(&mut *(self.packets)()?, of, Some(&self.keys), goes_on)
    }

    fn write_report(&self, snapshot: &Snapshot, to: &Path) -> Result<(), String> {
        let write = || -> Result<()> {
            output::refuse_to_overwrite_inputs(&self.inputs, to)?;
            let format = output::format_for(to)?;
            let options = report::ReportOptions {
                zone: self.zone.clone(),
                ..report::ReportOptions::default()
            };
            let mut out = BufWriter::new(NewFile::create(to)?);
            report::write(snapshot, format, &options, &mut out)?;
            out.into_inner()?.finish()?;
            Ok(())
        };
        write().map_err(|error| not_written(to, &error))
    }

    fn write_frames(&self, snapshot: &Snapshot, of: &[u32], to: &Path) -> Result<u64, String> {
        let write = || -> Result<u64> {
            output::refuse_to_overwrite_inputs(&self.inputs, to)?;
            let mut source = (self.packets)().map_err(anyhow::Error::msg)?;
            let excerpt = Excerpt {
                snapshot,
                ids: of,
                why: ", chosen in the screens".to_owned(),
                known: None,
                with_secrets: false,
            };
            excerpt.write_file(&mut *source, NewFile::create(to)?)
        };
        write().map_err(|error| not_written(to, &error))
    }

    fn reread_all(
        &self,
        goes_on: &mut dyn FnMut(u64) -> bool,
        each: &mut dyn FnMut(&Connection),
    ) -> Result<(), String> {
        let mut source = (self.packets)()?;
        let read = engine::reread_all(&mut *source, &self.keys, goes_on, each);
        read.map(drop).map_err(|error| error.to_string())
    }

    fn refuses(&self, path: &Path) -> Option<String> {
        let refused = output::refuse_to_overwrite_inputs(&self.inputs, path);
        refused.err().map(|error| not_written(path, &error))
    }

    fn exists(&self, path: &Path) -> bool {
        path.exists()
    }
}
