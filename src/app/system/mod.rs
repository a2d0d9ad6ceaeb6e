//! What differs between systems: signals, and where keys come from; and the clock. One file for each kind of system, with the same names.

#[cfg(any(feature = "live", feature = "ui"))]
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::base::time::Timestamp;

#[cfg(unix)]
mod unix;
#[cfg(not(unix))]
mod windows;

#[cfg(unix)]
pub(super) use unix::*;
#[cfg(not(unix))]
pub(super) use windows::*;

/// The wall-clock time; captured packets are stamped by the same clock.
pub(super) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    Timestamp::default().after(since.unwrap_or(Duration::ZERO))
}

/// Starts this program again beside itself, with pipes to it and from it. The terminal's signals do not reach it: it ends when
/// it is asked no more.
#[cfg(any(feature = "live", feature = "ui"))]
pub(super) fn start_helper(argument: &str) -> Option<(Child, ChildStdin, ChildStdout)> {
    let mut command = Command::new(std::env::current_exe().ok()?);
    command
        .arg(argument)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    out_of_reach(&mut command);
    let mut process = command.spawn().ok()?;
    let (to, from) = (process.stdin.take()?, process.stdout.take()?);
    Some((process, to, from))
}
