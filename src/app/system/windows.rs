//! Signals and the terminal of Windows, which has Ctrl-C and no job control.

#[cfg(any(feature = "live", feature = "ui"))]
use std::io;
#[cfg(feature = "live")]
use std::process::{Child, Command, ExitStatus};
#[cfg(feature = "ui")]
use std::sync::Arc;
#[cfg(feature = "ui")]
use std::sync::atomic::AtomicBool;

use signal_hook::consts::{SIGINT, SIGTERM};

/// The signals that end what follows its input, with a report.
pub(in crate::app) fn ending() -> Vec<i32> {
    vec![SIGINT, SIGTERM]
}

/// The signals on which the screens are left.
#[cfg(feature = "ui")]
pub(in crate::app) const LEAVING: &[i32] = &[SIGTERM, SIGINT];

/// There is no job control.
///
/// # Errors
/// None.
#[cfg(feature = "ui")]
pub(in crate::app) fn watch_job_control(
    _: &Arc<AtomicBool>,
    _: &Arc<AtomicBool>,
) -> io::Result<()> {
    Ok(())
}

/// There is no job control.
///
/// # Errors
/// None.
#[cfg(feature = "ui")]
pub(in crate::app) fn suspend() -> io::Result<()> {
    Ok(())
}

/// Whether keys can be read although standard input is something else.
#[cfg(feature = "ui")]
pub(in crate::app) fn has_keys() -> bool {
    std::fs::File::open("CONIN$").is_ok()
}

/// Ctrl-C ends the program without a word.
pub(in crate::app) fn on_interrupt(_: impl FnOnce() + Send + 'static) {}

/// A command that runs. Ctrl-C reaches it without help.
#[cfg(feature = "live")]
pub(in crate::app) struct RunningCommand(Child);

/// Starts a command. Ctrl-C is its own from then on.
///
/// # Errors
/// If it cannot be started.
#[cfg(feature = "live")]
pub(in crate::app) fn start(command: &mut Command) -> io::Result<RunningCommand> {
    let caught = std::sync::Arc::default();
    signal_hook::flag::register(SIGINT, caught)?;
    command.spawn().map(RunningCommand)
}

#[cfg(feature = "live")]
impl RunningCommand {
    /// Waits for its end.
    ///
    /// # Errors
    /// If it cannot be waited for.
    pub(in crate::app) fn wait(mut self) -> io::Result<ExitStatus> {
        self.0.wait()
    }
}

/// No signal ends a command.
#[cfg(feature = "live")]
pub(in crate::app) fn signal_of(_: ExitStatus) -> Option<i32> {
    None
}

/// Keeps Ctrl-C from a command.
#[cfg(any(feature = "live", feature = "ui"))]
pub(in crate::app) fn out_of_reach(command: &mut Command) {
    use std::os::windows::process::CommandExt as _;

    const CREATE_NEW_PROCESS_GROUP: u32 = 0x200;
    command.creation_flags(CREATE_NEW_PROCESS_GROUP);
}
