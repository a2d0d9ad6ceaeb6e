//! Who hung up, and why: the end of every TCP connection in a packet capture, explained.
//!
//! A frame passes the rooms in order: [`packet`] makes of bytes and a time a segment, [`protocol`] says what each side did and
//! asked, [`analysis`] who ended the connection, how and when; [`rules`] say what it means, [`report`] tells it.
//! `docs/architecture.md` has the whole way.

#![forbid(unsafe_code)]

pub mod analysis;
#[cfg(feature = "cli")]
pub mod app;
pub mod base;
pub mod knowledge;
pub mod ladder;
pub mod packet;
pub mod protocol;
pub mod report;
pub mod rules;
#[cfg(feature = "ui")]
pub mod tui;
