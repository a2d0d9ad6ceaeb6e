//! Ctrl-C while captures are read: one sentence, and the end by the signal itself, so that a shell that runs a script stops
//! too.
//!
//! Only where standard error is a terminal: a job in the background of a script ignores Ctrl-C, and goes on doing so.
//! What follows its input ends with a report instead, see [`headless`](super::headless).

/// Says on Ctrl-C that `what` is not complete.
#[cfg(feature = "live")]
pub(super) fn say_on_interrupt(what: &'static str) {
    use std::io::{self, IsTerminal as _, Write as _};

    use signal_hook::consts::SIGINT;
    use signal_hook::iterator::Signals;

    if !io::stderr().is_terminal() {
        return;
    }
    // If the signal cannot be caught, it ends the program without a word.
    let Ok(mut signals) = Signals::new([SIGINT]) else {
        return;
    };
    std::thread::spawn(move || {
        if signals.forever().next().is_some() {
            // If standard error is closed, the message has no reader.
            let _ = writeln!(io::stderr(), "\r\x1b[Khangup: interrupted; {what}");
            let _ = signal_hook::low_level::emulate_default_handler(SIGINT);
        }
    });
}

/// Without signals, Ctrl-C ends the program without a word.
#[cfg(not(feature = "live"))]
pub(super) fn say_on_interrupt(_: &'static str) {}
