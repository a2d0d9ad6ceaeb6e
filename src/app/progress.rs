//! A progress line on standard error during long analysis runs.

use crate::base::format::duration;
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// Runs shorter than this show no line.
const PATIENCE: Duration = Duration::from_millis(500);
/// The minimum interval between two updates of the line.
const PACE: Duration = Duration::from_millis(100);

/// The progress line; shown only if standard error is a terminal.
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

    /// Reports that `frames` frames have been read.
    pub(super) fn at(&mut self, frames: u64) {
        if !self.told {
            return;
        }
        let passed = self.begun.elapsed();
        if passed >= self.next {
            self.next = passed + PACE;
            let millions = frames as f64 / 1e6;
            // If standard error is closed, the line has no reader.
            let _ = write!(
                io::stderr(),
                "\r{millions:.1} million packets, {} \x1b[K",
                duration(passed)
            );
        }
    }
}

impl Drop for ProgressLine {
    /// Erases the line.
    fn drop(&mut self) {
        if self.told && self.next > PATIENCE {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}
