//! Ctrl-C while captures are read: one sentence, and the end by the signal itself, so that a shell that runs a script stops
//! too.
//!
//! Only where standard error is a terminal: a job in the background of a script ignores Ctrl-C, and goes on doing so.
//! What follows its input ends with a report instead, see [`headless`](super::headless).

use std::io::{self, IsTerminal as _, Write as _};

use super::system;

/// Says on Ctrl-C that `what` is not complete.
pub(super) fn say_on_interrupt(what: &'static str) {
    if io::stderr().is_terminal() {
        system::on_interrupt(move || {
            // If standard error is closed, the message has no reader.
            let _ = writeln!(io::stderr(), "\r\x1b[Khangup: interrupted; {what}");
        });
    }
}
