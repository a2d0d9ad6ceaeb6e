//! A line on standard error while the work takes its time.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// Work that takes less is not worth a line.
const PATIENCE: Duration = Duration::from_millis(500);
/// Between two changes of the line.
const PACE: Duration = Duration::from_millis(100);

/// How far the reading is, told only to a terminal.
pub(super) struct ProgressLine {
    told: bool,
    begun: Instant,
    next: Duration,
}

impl ProgressLine {
    pub(super) fn new() -> Self {
        Self {
            told: io::stderr().is_terminal(),
            begun: Instant::now(),
            next: PATIENCE,
        }
    }

    /// `frames` have been read.
    pub(super) fn at(&mut self, frames: u64) {
        if !self.told {
            return;
        }
        let passed = self.begun.elapsed();
        if passed >= self.next {
            self.next = passed + PACE;
            let millions = frames as f64 / 1e6;
            // Who has closed standard error wants to hear nothing.
            let _ = write!(
                io::stderr(),
                "\r{millions:.1} million packets, {:.0} s \x1b[K",
                passed.as_secs_f64()
            );
        }
    }
}

impl Drop for ProgressLine {
    /// Takes the line away again.
    fn drop(&mut self) {
        if self.told && self.next > PATIENCE {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}
