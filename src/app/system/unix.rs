//! Signals and the terminal of Linux, macOS and the BSDs.

#[cfg(any(feature = "live", feature = "ui"))]
use std::io;
#[cfg(feature = "live")]
use std::process::{Child, Command, ExitStatus};
#[cfg(any(feature = "live", feature = "ui"))]
use std::sync::Arc;
#[cfg(feature = "ui")]
use std::sync::atomic::AtomicBool;
#[cfg(feature = "live")]
use std::sync::{Mutex, PoisonError};
use std::thread;

#[cfg(feature = "live")]
use rustix::io::Errno;
#[cfg(feature = "live")]
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
#[cfg(feature = "ui")]
use signal_hook::consts::{SIGCONT, SIGTSTP};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
#[cfg(feature = "live")]
use signal_hook::consts::{SIGQUIT, SIGUSR1, SIGUSR2};
#[cfg(feature = "ui")]
use signal_hook::flag;
use signal_hook::iterator::Signals;
#[cfg(feature = "live")]
use signal_hook::iterator::SignalsInfo;
#[cfg(feature = "live")]
use signal_hook::iterator::exfiltrator::WithOrigin;
use signal_hook::low_level::emulate_default_handler;
#[cfg(feature = "live")]
use signal_hook::low_level::siginfo::Cause;

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

/// The signals that are passed on to a command, if a process sent them. What the terminal sends reaches the command
/// without that, which is in the same group.
#[cfg(feature = "live")]
const PASSED_ON: &[i32] = &[SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2];

/// A command that runs, and the signals for it.
#[cfg(feature = "live")]
pub(in crate::app) struct RunningCommand {
    child: Child,
    /// Its number, as long as it is its own.
    running: Arc<Mutex<Option<Pid>>>,
}

/// Starts a command. From then on, signals are its own.
///
/// # Errors
/// If it cannot be started.
#[cfg(feature = "live")]
pub(in crate::app) fn start(command: &mut Command) -> io::Result<RunningCommand> {
    // Before it is started, so that none is missed. What is ignored stays so, for the command too.
    let caught = PASSED_ON.iter().filter(|it| !is_ignored(**it));
    let mut signals = SignalsInfo::<WithOrigin>::new(caught)?;
    let child = command.spawn()?;
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let running = Arc::new(Mutex::new(pid));
    let of = Arc::clone(&running);
    thread::spawn(move || {
        let mut late = false;
        for origin in &mut signals {
            let running = of.lock().unwrap_or_else(PoisonError::into_inner);
            let sent = !matches!(origin.cause, Cause::Kernel);
            match (*running, Signal::from_named_raw(origin.signal)) {
                (Some(pid), Some(signal)) if sent => {
                    // It may have ended just now.
                    let _ = kill_process(pid, signal);
                }
                (Some(_), _) => {}
                // The first may be the one that ended the command.
                (None, _) if late => {
                    let _ = emulate_default_handler(origin.signal);
                }
                (None, _) => late = true,
            }
        }
    });
    Ok(RunningCommand { child, running })
}

#[cfg(feature = "live")]
impl RunningCommand {
    /// Waits for its end.
    ///
    /// # Errors
    /// If it cannot be waited for.
    pub(in crate::app) fn wait(mut self) -> io::Result<ExitStatus> {
        let pid = *self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pid) = pid {
            // Its number stays its own until it is waited for without `NOWAIT`.
            let ended = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
            while let Err(Errno::INTR) = waitid(WaitId::Pid(pid), ended) {}
        }
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.child.wait()
    }
}

/// The signal that ended a command.
#[cfg(feature = "live")]
pub(in crate::app) fn signal_of(status: ExitStatus) -> Option<i32> {
    std::os::unix::process::ExitStatusExt::signal(&status)
}

/// Keeps the terminal's signals from a command.
#[cfg(any(feature = "live", feature = "ui"))]
pub(in crate::app) fn out_of_reach(command: &mut Command) {
    std::os::unix::process::CommandExt::process_group(command, 0);
}

/// Whether a signal was ignored when the program started. Only Linux tells it.
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|it| it.strip_prefix("SigIgn:"));
    let set = line.and_then(|it| u64::from_str_radix(it.trim(), 16).ok());
    set.is_some_and(|set| set >> (signal - 1) & 1 == 1)
}
