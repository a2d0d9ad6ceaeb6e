//! The program: what was typed, and what it means.
//!
//! [`cli`] is the command line as it was typed and touches nothing. [`run`] does what it says: it wires the rooms, and with its
//! helpers here is alone in looking at clocks, terminals and the environment.

mod analysis;
pub mod cli;
mod headless;
mod key_logs;
mod ladder;
#[cfg(feature = "live")]
mod live;
mod output;
#[cfg(feature = "live")]
mod privileges;
mod progress;
pub mod run;
mod selection;
pub mod session;
#[cfg(feature = "ui")]
mod tui;
#[cfg(feature = "ui")]
mod tui_loop;
