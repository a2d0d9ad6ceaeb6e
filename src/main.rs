//! The command-line program. Everything it does is in the library.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    hangup::run::run(hangup::cli::Cli::parse())
}
