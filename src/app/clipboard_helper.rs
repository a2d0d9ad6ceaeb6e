//! A process beside the screens that gives texts to clipboard programs, because in the sandbox no program can be started.
//!
//! It is this program again, started before the sandbox, with [`ARGUMENT`] alone. In, on its standard input: the length of
//! a text in eight bytes, and the text. Out: a byte for each, 1 if a program took it. It ends when its input does. It has no
//! capabilities, and nothing but texts reaches it.

use std::io::{self, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, ExitCode};

use super::{clipboard, sandbox, system};

/// What tells the program to be the helper.
pub(super) const ARGUMENT: &str = "--clipboard-helper";
/// The longest text that is taken: no more than a screen copies.
const MAX_TEXT: u64 = 64 << 20;

/// The screens' end of it.
pub(super) struct Helper {
    to: ChildStdin,
    from: ChildStdout,
    /// Not waited for: it ends by itself.
    _process: Child,
}

impl Helper {
    /// Starts it.
    pub(super) fn begin() -> Option<Self> {
        let (process, to, from) = system::start_helper(ARGUMENT)?;
        Some(Self {
            to,
            from,
            _process: process,
        })
    }

    /// Whether a program took the text.
    pub(super) fn give(&mut self, text: &str) -> io::Result<bool> {
        self.to.write_all(&(text.len() as u64).to_le_bytes())?;
        self.to.write_all(text.as_bytes())?;
        self.to.flush()?;
        let mut taken = [0];
        self.from.read_exact(&mut taken)?;
        Ok(taken == [1])
    }
}

/// Is the helper.
pub(super) fn serve() -> ExitCode {
    sandbox::drop_privileges();
    let programs = clipboard::programs_here();
    let (mut from, mut to) = (io::stdin().lock(), io::stdout().lock());
    let mut length = [0; 8];
    while from.read_exact(&mut length).is_ok() {
        let length = u64::from_le_bytes(length).min(MAX_TEXT);
        let mut text = String::new();
        let read = from.by_ref().take(length).read_to_string(&mut text);
        let taken = read.is_ok() && clipboard::give_to_any(&programs, &text);
        let told = to.write_all(&[u8::from(taken)]).and_then(|()| to.flush());
        if told.is_err() {
            break;
        }
    }
    ExitCode::SUCCESS
}
