//! How a command ended, as one process tells it to the other: a line of JSON.

use std::process::ExitStatus;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::app::system;
use crate::base::format::duration;

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct CommandEnd {
    /// Its exit status, as a shell has it: 128 and the signal's number, if a signal ended it.
    pub(super) status: u8,
    /// The signal that ended it.
    signal: Option<i32>,
    /// How long it ran.
    pub(super) took: Duration,
}

impl CommandEnd {
    pub(super) fn of(status: ExitStatus, took: Duration) -> Self {
        let signal = system::signal_of(status);
        let shell = match (status.code(), signal) {
            (Some(code), _) => code,
            (None, Some(signal)) => 128 + signal,
            (None, None) => 1,
        };
        // Windows has statuses of 32 bits; what is not 0 must not become it.
        let low = (shell & 0xff) as u8;
        Self {
            status: if shell != 0 && low == 0 { 1 } else { low },
            signal,
            took,
        }
    }

    /// The line that tells it.
    pub(super) fn line(&self) -> String {
        // It consists of numbers: there is no failure.
        serde_json::to_string(self).unwrap_or_default() + "\n"
    }

    /// What a line tells; nothing, if it is none of these.
    pub(super) fn read(line: &str) -> Option<Self> {
        serde_json::from_str(line).ok()
    }

    /// Whether the command failed.
    pub(super) const fn failed(&self) -> bool {
        self.status != 0
    }

    /// In words: "exited with status 1 after 2.00 s".
    pub(super) fn words(&self) -> String {
        let after = duration(self.took);
        match self.signal {
            Some(signal) => format!("was ended by signal {signal} after {after}"),
            None => format!("exited with status {} after {after}", self.status),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_survives_its_line() {
        for (status, signal, words) in [
            (3, None, "exited with status 3 after 1.50 s"),
            (137, Some(9), "was ended by signal 9 after 1.50 s"),
        ] {
            let end = CommandEnd {
                status,
                signal,
                took: Duration::from_millis(1500),
            };
            assert_eq!(CommandEnd::read(&end.line()).as_ref(), Some(&end));
            assert_eq!(end.words(), words);
        }
        assert_eq!(CommandEnd::read(""), None);
    }
}
