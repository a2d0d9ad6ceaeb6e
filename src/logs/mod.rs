//! What logs say beside what the packets show.
//!
//! In: lines of logs, and the connections of a capture. Out: for each line the exchange or connection that it is about, what
//! the log and the wire say of it, and whether they agree. `format` reads lines, `wire` is the capture as logs see it, `clock`
//! finds by how much the log's clock differs, `join` decides which line belongs to which exchange, `agreement` compares.
//!
//! A line is joined only if nothing else in the capture fits it as well; else it is counted as not decided.

mod agreement;
mod clock;
pub(crate) mod format;
mod join;
pub(crate) mod line;
mod result;
mod wire;

use std::io::{self, BufRead};
use std::sync::Arc;

pub use agreement::{Agreement, Compared};
pub use clock::ClockOffset;
pub use format::LineReader;
pub(crate) use join::{LogFailure, MAX_KEPT_BYTES};
pub use line::{Calendar, LineKind, LogLine, LogMoment};
pub use result::{LeftBecause, LeftLine, LineCounts, LogComparison, LogRow};

use crate::analysis::connection::Connection;
use crate::analysis::hosts::Legs;
use crate::base::time::Timestamp;
use crate::rules::log_errors::{Predictor, Relays};
use wire::Wire;

/// Compares logs with the connections of a capture.
pub(crate) struct LogComparer<'a> {
    wire: Wire<'a>,
    predictor: Predictor,
}

impl<'a> LogComparer<'a> {
    /// `span`: the times of the first and the last frame.
    pub(crate) fn new(
        connections: &'a [Arc<Connection>],
        legs: &Legs,
        span: (Timestamp, Timestamp),
    ) -> Self {
        Self {
            wire: Wire::new(connections, span),
            predictor: Predictor::with(Relays::new(connections, legs)),
        }
    }

    /// Compares one log. `open` opens it anew; it is called several times.
    pub(crate) fn compare(
        &mut self,
        path: &str,
        open: &mut dyn FnMut() -> io::Result<Box<dyn BufRead>>,
    ) -> Result<LogComparison, LogFailure> {
        join::compare(path, open, &self.wire, &mut self.predictor)
    }
}
