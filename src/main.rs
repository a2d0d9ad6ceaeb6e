//! The command-line program. Everything it does is in the library.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    hangup::app::run::run(hangup::app::cli::Cli::parse())
}
