//! Signals and the terminal of Linux, macOS and the BSDs.

#[cfg(feature = "ui")]
use std::io;
#[cfg(feature = "ui")]
use std::sync::Arc;
#[cfg(feature = "ui")]
use std::sync::atomic::AtomicBool;
use std::thread;

#[cfg(feature = "ui")]
use signal_hook::consts::{SIGCONT, SIGTSTP};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
#[cfg(feature = "ui")]
use signal_hook::flag;
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

/// The signals that end what follows its input, with a report: Ctrl-C, `kill`, and the end of the terminal. What `nohup`
/// started goes on when its terminal ends.
pub(in crate::app) fn ending() -> Vec<i32> {
    let mut signals = vec![SIGINT, SIGTERM];
    if !is_ignored(SIGHUP) {
        signals.push(SIGHUP);
    }
    signals
}

/// The signals on which the screens are left.
#[cfg(feature = "ui")]
pub(in crate::app) const LEAVING: &[i32] = &[SIGTERM, SIGHUP, SIGINT];

/// Sets `stop` when job control stops the program, and `back` when it goes on.
///
/// # Errors
/// If the signals cannot be caught.
#[cfg(feature = "ui")]
pub(in crate::app) fn watch_job_control(
    stop: &Arc<AtomicBool>,
    back: &Arc<AtomicBool>,
) -> io::Result<()> {
    flag::register(SIGTSTP, Arc::clone(stop))?;
    flag::register(SIGCONT, Arc::clone(back))?;
    Ok(())
}

/// Stops this program, as Ctrl-Z does; returns when it goes on.
///
/// # Errors
/// If it cannot be stopped.
#[cfg(feature = "ui")]
pub(in crate::app) fn suspend() -> io::Result<()> {
    emulate_default_handler(SIGTSTP)
}

/// Whether keys can be read although standard input is something else.
#[cfg(feature = "ui")]
pub(in crate::app) fn has_keys() -> bool {
    std::fs::File::open("/dev/tty").is_ok()
}

/// On Ctrl-C, calls `say` and ends by the signal itself. If the signal cannot be caught, it ends the program without a
/// word.
pub(in crate::app) fn on_interrupt(say: impl FnOnce() + Send + 'static) {
    let Ok(mut signals) = Signals::new([SIGINT]) else {
        return;
    };
    thread::spawn(move || {
        if signals.forever().next().is_some() {
            say();
            let _ = emulate_default_handler(SIGINT);
        }
    });
}

/// Whether a signal was ignored when the program started. Only Linux tells it.
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|it| it.strip_prefix("SigIgn:"));
    let set = line.and_then(|it| u64::from_str_radix(it.trim(), 16).ok());
    set.is_some_and(|set| set >> (signal - 1) & 1 == 1)
}
