//! Who hung up, and why: the end of every TCP connection in a packet capture, explained.
//!
//! A frame passes the floors in order: [`capture`] gives bytes and a time, [`decode`] a segment or the reason why
//! not, `flow` says whose it is, `tcp` what each side was, `http` what was asked and answered, `connection` who
//! ended it, how and when. `docs/architecture.md` has the whole way.

#![forbid(unsafe_code)]

pub mod analysis;
pub mod base;
#[cfg(feature = "cli")]
pub mod cli;
pub mod knowledge;
pub mod ladder;
pub mod packet;
pub mod protocol;
pub mod report;
pub mod rules;
#[cfg(feature = "cli")]
pub mod run;
#[cfg(feature = "ui")]
pub mod tui;
