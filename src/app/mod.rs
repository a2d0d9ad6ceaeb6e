//! The program: the command line and what it does.
//!
//! [`cli`] declares the command line and has no side effects. [`run`] carries it out: it connects the other rooms. It
//! and its helpers here are the only code that uses clocks, terminals and the environment.

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
