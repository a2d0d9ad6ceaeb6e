//! The program, and the front door of the library: what is asked for, and what it means.
//!
//! [`analysis`] and [`session`] wire the rooms for whoever asks, by [`options`]. Of the command line, [`cli`] is what was
//! typed and touches nothing; [`run`] does what it says. This room alone looks at clocks, terminals and the environment.

pub mod analysis;
#[cfg(all(feature = "cli", feature = "anonymise"))]
mod anonymise;
#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "cli")]
mod cli_examples;
#[cfg(feature = "cli")]
mod cli_feed;
#[cfg(feature = "cli")]
mod cli_run;
#[cfg(feature = "cli")]
mod cli_values;
#[cfg(feature = "ui")]
mod clipboard;
#[cfg(feature = "ui")]
mod clipboard_helper;
#[cfg(feature = "cli")]
mod completions;
#[cfg(feature = "ui")]
mod config;
#[cfg(feature = "cli")]
mod diff;
#[cfg(feature = "cli")]
mod each;
#[cfg(feature = "cli")]
mod extract;
#[cfg(feature = "cli")]
mod feed;
#[cfg(feature = "cli")]
mod headless;
#[cfg(feature = "cli")]
mod interrupt;
mod judge;
mod key_logs;
#[cfg(feature = "cli")]
mod ladder;
pub mod limits;
#[cfg(all(feature = "cli", feature = "live"))]
mod live;
#[cfg_attr(
    not(all(feature = "cli", feature = "live")),
    allow(dead_code, reason = "only a capture asks the operating system")
)]
mod local;
mod logs;
#[cfg(feature = "mcp")]
mod mcp;
#[cfg(feature = "cli")]
mod memory;
#[cfg(feature = "cli")]
mod metrics;
#[cfg(feature = "cli")]
mod mistakes;
#[cfg(feature = "cli")]
mod new_file;
pub mod options;
#[cfg(feature = "cli")]
mod output;
#[cfg(feature = "cli")]
mod progress;
#[cfg(feature = "cli")]
pub mod run;
#[cfg(feature = "cli")]
mod sandbox;
mod selection;
pub mod session;
#[cfg(all(feature = "cli", feature = "live"))]
mod supervise;
#[cfg(feature = "cli")]
mod system;
mod told;
#[cfg(feature = "ui")]
mod tui;
#[cfg(feature = "ui")]
mod tui_loop;
