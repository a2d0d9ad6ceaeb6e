//! What differs between systems: signals, and where keys come from. One file for each kind of system, with the same names.

#[cfg(unix)]
mod unix;
#[cfg(not(unix))]
mod windows;

#[cfg(unix)]
pub(super) use unix::*;
#[cfg(not(unix))]
pub(super) use windows::*;
