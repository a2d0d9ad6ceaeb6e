//! The terminal and the event loop: takes over the terminal, passes events and time to the screens, draws them, and
//! restores the terminal in every case.
//!
//! The terminal's content is restored when the user leaves the screens, on a panic before its message is printed, on
//! SIGTERM, SIGHUP and SIGINT, and while the program is stopped by job control. Work that takes long runs on other
//! threads.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::event::{
    self, DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture,
};
use ratatui::crossterm::terminal::{
    BeginSynchronizedUpdate, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen,
    disable_raw_mode, enable_raw_mode,
};
use ratatui::crossterm::{cursor, execute, queue};
use signal_hook::flag;

use super::clipboard::Clipboard;
use super::config::ScreenConfig;
use super::output::FAILED;
use super::{cli, session, system};
use crate::report::snapshot::{ReadProgress, ReadStage, SnapshotWatch};
use crate::tui::{
    App, Depth, Effect, Glyphs, Look, ScreenSubject, Tasks, Theme, TimeStyle, ViewModel,
};

/// How often the loop looks for news while there may be some: half of the longest time a key may have to wait.
const PACE: Duration = Duration::from_millis(25);
/// The same while nothing changes by itself.
const CALM: Duration = Duration::from_millis(250);
/// How long the loop may take to end after a signal, or to show that it is alive.
const PATIENCE: Duration = Duration::from_millis(400);

type TerminalWriter = BufWriter<io::Stdout>;

/// Shows the screens until the user leaves. The thread that reads the packets writes to `watch`. If the terminal itself
/// disappears, calls `end` and exits the process.
pub(super) fn show(
    session: ScreenSubject,
    look: Look,
    mouse: bool,
    mut clipboard: Clipboard,
    watch: &Arc<SnapshotWatch>,
    end: impl FnOnce() + Send + 'static,
) -> Result<()> {
    let signals = SignalFlags::new().context("signals cannot be caught")?;
    let watchdog = Watchdog::begin(&signals, end);
    let digests = ViewModelWorker::begin(Arc::clone(watch), session.time_wait);
    let mut app = App::new(session, look, Tasks::new());
    let mut held = TerminalGuard::take(mouse).context("this terminal cannot be drawn on")?;
    let begun = Instant::now();
    loop {
        watchdog.heartbeats.fetch_add(1, Ordering::Relaxed);
        if signals.leave.load(Ordering::Relaxed) || unreadable(&watch.progress()).is_some() {
            return Ok(());
        }
        if let Some(model) = digests.newest() {
            app.take(model);
        }
        app.report(watch.progress());
        app.tick(begun.elapsed());
        if app.wants_drawing() {
            held.draw(&mut app)?;
        }
        let stopped = signals.stop.swap(false, Ordering::Relaxed);
        let mut effects = app.effects();
        if stopped {
            effects.push(Effect::Suspend);
        }
        for effect in effects {
            match effect {
                Effect::Quit => return Ok(()),
                Effect::Suspend => {
                    held.suspend()?;
                    watchdog.heartbeats.fetch_add(1, Ordering::Relaxed);
                }
                Effect::Copy(text) => {
                    let notice = clipboard.copy(text, held.terminal.backend_mut());
                    app.notice(notice);
                }
            }
        }
        app.notice(clipboard.news(held.terminal.backend_mut()));
        if signals.back.swap(false, Ordering::Relaxed) {
            held.terminal.clear()?;
            held.draw(&mut app)?;
        }
        let growing = !matches!(
            watch.progress().stage,
            ReadStage::Done | ReadStage::Failed(_)
        );
        let busy = app.is_busy() || clipboard.is_busy();
        let pace = if growing || busy { PACE } else { CALM };
        if event::poll(pace)? {
            // Process all pending events before the next draw.
            loop {
                let event = event::read()?;
                provoke(&event);
                app.event(&event);
                if !event::poll(Duration::ZERO)? {
                    break;
                }
            }
        }
    }
}

/// Why the input cannot be read, where nothing of it was.
pub(super) fn unreadable(progress: &ReadProgress) -> Option<&str> {
    match &progress.stage {
        ReadStage::Failed(reason) if progress.frames == 0 => Some(reason),
        _ => None,
    }
}

/// Panics on F12 in debug builds if the environment asks for it: for the test that a panic restores the terminal.
fn provoke(event: &event::Event) {
    if cfg!(debug_assertions) && std::env::var_os("HANGUP_PROVOKE_PANIC").is_some() {
        let wanted = event::KeyCode::F(12);
        assert!(
            !matches!(event, event::Event::Key(key) if key.code == wanted),
            "provoked"
        );
    }
}

/// The screens' colours and glyphs, from the command line, the environment and the configuration file.
pub(super) fn look(asked: &cli::ScreenArgs, color: cli::ColorArg, config: &ScreenConfig) -> Look {
    let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let term = variable("TERM").unwrap_or_default();
    let theme = asked.theme.or(config.theme);
    let theme = theme.unwrap_or(cli::ThemeArg::Auto);
    let unwanted = variable("NO_COLOR").is_some() || term == "dumb" || theme == cli::ThemeArg::None;
    let none = color == cli::ColorArg::Never || (color == cli::ColorArg::Auto && unwanted);
    let many = variable("COLORTERM").is_some()
        || ["256color", "kitty", "alacritty", "foot", "ghostty"]
            .iter()
            .any(|it| term.contains(it));
    let depth = match (none, many) {
        (true, _) => Depth::Mono,
        (false, true) => Depth::Indexed,
        (false, false) => Depth::Sixteen,
    };
    // `15;0`: text and background colour, as rxvt, Konsole and others set it. 7 and 15 are white.
    let background = variable("COLORFGBG");
    let background = background.and_then(|it| it.rsplit(';').next()?.parse::<u8>().ok());
    let light = match theme {
        cli::ThemeArg::Auto | cli::ThemeArg::None => matches!(background, Some(7 | 9..=15)),
        cli::ThemeArg::Light => true,
        cli::ThemeArg::Dark => false,
    };
    // The first of these that is set takes precedence (POSIX, 8.2).
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
        .into_iter()
        .find_map(variable);
    let locale = locale.unwrap_or_default().to_lowercase();
    let unicode = locale.contains("utf-8") || locale.contains("utf8");
    let glyphs = if asked.ascii || !unicode {
        Glyphs::ASCII
    } else {
        Glyphs::UNICODE
    };
    Look {
        theme: Theme {
            depth,
            light,
            colours: config.colours,
        },
        glyphs,
        times: TimeStyle::default(),
    }
}

/// Whether there is a terminal to draw on.
pub(super) fn is_there() -> bool {
    let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
    // If standard input is a capture, keys are read from the terminal device.
    let keys = io::stdin().is_terminal() || system::has_keys();
    io::stdout().is_terminal() && keys && !dumb
}

/// Computes the view model of every new snapshot.
struct ViewModelWorker {
    newest: Arc<Mutex<Option<Arc<ViewModel>>>>,
    over: Arc<AtomicBool>,
}

impl ViewModelWorker {
    fn begin(watch: Arc<SnapshotWatch>, time_wait: Duration) -> Self {
        let newest: Arc<Mutex<Option<Arc<ViewModel>>>> = Arc::default();
        let over = Arc::new(AtomicBool::new(false));
        let (put, stop) = (Arc::clone(&newest), Arc::clone(&over));
        thread::spawn(move || {
            let mut seen = 0;
            while !stop.load(Ordering::Relaxed) {
                let version = watch.version();
                if version == seen {
                    thread::sleep(PACE);
                    continue;
                }
                seen = version;
                let model = ViewModel::new(watch.snapshot(), version, time_wait);
                let model = Some(Arc::new(model));
                let mut place = put.lock().unwrap_or_else(PoisonError::into_inner);
                let old = std::mem::replace(&mut *place, model);
                // Drop a model that was never taken after the lock is released, so that the loop does not wait for it.
                drop(place);
                drop(old);
            }
        });
        Self { newest, over }
    }

    fn newest(&self) -> Option<Arc<ViewModel>> {
        let mut place = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        place.take()
    }
}

impl Drop for ViewModelWorker {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

/// Flags that signal handlers set.
struct SignalFlags {
    leave: Arc<AtomicBool>,
    stop: Arc<AtomicBool>,
    back: Arc<AtomicBool>,
}

impl SignalFlags {
    fn new() -> io::Result<Self> {
        let signals = Self {
            leave: Arc::default(),
            stop: Arc::default(),
            back: Arc::default(),
        };
        for signal in system::LEAVING {
            flag::register(*signal, Arc::clone(&signals.leave))?;
        }
        system::watch_job_control(&signals.stop, &signals.back)?;
        Ok(signals)
    }
}

/// Ends the program if its loop cannot: once the terminal is gone, waiting for a key may never return.
struct Watchdog {
    heartbeats: Arc<AtomicU64>,
    over: Arc<AtomicBool>,
}

impl Watchdog {
    fn begin(signals: &SignalFlags, end: impl FnOnce() + Send + 'static) -> Self {
        let (heartbeats, over) = (
            Arc::new(AtomicU64::new(0)),
            Arc::new(AtomicBool::new(false)),
        );
        let (heartbeat, done) = (Arc::clone(&heartbeats), Arc::clone(&over));
        let told = Arc::clone(&signals.leave);
        thread::spawn(move || {
            let mut before = u64::MAX;
            loop {
                thread::sleep(PATIENCE);
                if done.load(Ordering::Relaxed) {
                    return;
                }
                let now = heartbeat.load(Ordering::Relaxed);
                // A loop that draws for a while on a busy machine is alive; without a terminal it cannot draw.
                if now == before && (told.load(Ordering::Relaxed) || is_gone()) {
                    break;
                }
                before = now;
            }
            leave();
            end();
            std::process::exit(i32::from(FAILED))
        });
        Self { heartbeats, over }
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

/// Whether the terminal is gone: after a hang-up, its descriptor no longer counts as a terminal.
fn is_gone() -> bool {
    !io::stdout().is_terminal()
}

/// Whether the program controls the terminal at present.
static TAKEN: AtomicBool = AtomicBool::new(false);
/// Panic messages of other threads while the screens were shown; printed after the screens are left.
static PANICS: Mutex<BTreeMap<String, String>> = Mutex::new(BTreeMap::new());

/// The terminal while the program controls it.
struct TerminalGuard {
    terminal: Terminal<CrosstermBackend<TerminalWriter>>,
    mouse: bool,
}

impl TerminalGuard {
    fn take(mouse: bool) -> io::Result<Self> {
        guard_panics(thread::current().id());
        let out = BufWriter::with_capacity(1 << 16, io::stdout());
        enter(mouse)?;
        // From here on, dropping the guard restores the terminal.
        let terminal = Terminal::new(CrosstermBackend::new(out));
        match terminal {
            Ok(terminal) => Ok(Self { terminal, mouse }),
            Err(error) => {
                leave();
                Err(error)
            }
        }
    }

    fn draw(&mut self, app: &mut App) -> io::Result<()> {
        // Terminals that support synchronized updates show the frame at once; others ignore the sequence.
        queue!(self.terminal.backend_mut(), BeginSynchronizedUpdate)?;
        self.terminal.draw(|frame| app.draw(frame))?;
        execute!(self.terminal.backend_mut(), EndSynchronizedUpdate)
    }

    fn suspend(&mut self) -> io::Result<()> {
        leave();
        system::suspend()?;
        enter(self.mouse)?;
        self.terminal.clear()
    }
}

impl Drop for TerminalGuard {
    fn drop(&mut self) {
        leave();
        let said = PANICS.lock().unwrap_or_else(PoisonError::into_inner);
        for (thread, text) in &*said {
            let _ = writeln!(io::stderr(), "hangup: a fault in {thread}: {text}");
        }
    }
}

fn enter(mouse: bool) -> io::Result<()> {
    enable_raw_mode()?;
    TAKEN.store(true, Ordering::SeqCst);
    let mut out = io::stdout();
    execute!(
        out,
        EnterAlternateScreen,
        EnableBracketedPaste,
        cursor::Hide
    )?;
    if mouse {
        execute!(out, EnableMouseCapture)?;
    }
    Ok(())
}

/// Restores the terminal if the program controls it.
fn leave() {
    if !TAKEN.swap(false, Ordering::SeqCst) {
        return;
    }
    // Try each step even if one fails.
    let mut out = io::stdout();
    let _ = execute!(out, EndSynchronizedUpdate);
    let _ = execute!(out, DisableMouseCapture, DisableBracketedPaste);
    let _ = execute!(out, LeaveAlternateScreen, cursor::Show);
    let _ = disable_raw_mode();
}

/// Installs a panic hook that restores the terminal before the message is printed. Panics of threads other than
/// `screens` are printed after the screens are left.
fn guard_panics(screens: ThreadId) {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let here = thread::current();
        if here.id() == screens || !TAKEN.load(Ordering::SeqCst) {
            leave();
            before(info);
            return;
        }
        let name = here.name().unwrap_or("a thread").to_owned();
        let mut said = PANICS.lock().unwrap_or_else(PoisonError::into_inner);
        said.entry(name).or_insert_with(|| info.to_string());
    }));
}

/// Reports a failure to the screens if the analysis panics.
pub(super) fn report_panics(reading: session::Session, watch: Arc<SnapshotWatch>) {
    thread::spawn(move || {
        let broke = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| reading.wait()));
        if broke.is_err() {
            let progress = watch.progress();
            watch.report(ReadProgress {
                stage: ReadStage::Failed(
                    "the analysis broke off by a fault in hangup; what is shown is what it had"
                        .to_owned(),
                ),
                ..progress
            });
        }
    });
}
