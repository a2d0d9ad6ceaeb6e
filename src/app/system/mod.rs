//! What differs between systems: signals, and where keys come from; and the clock. One file for each kind of system, with the same names.

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
