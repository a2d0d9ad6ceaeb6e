//! The command-line program. Everything it does is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    hangup::app::run::run_typed(std::env::args_os())
}
