//! Signals and the terminal of Windows, which has Ctrl-C and no job control.

#[cfg(feature = "ui")]
use std::io;
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
