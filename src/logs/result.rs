//! What comes of a comparison: a [`LogComparison`] for each log, with a row for each line that was joined.

use super::agreement::Agreement;
use super::clock::ClockOffset;
use super::line::LogLine;
use crate::analysis::connection::{Connection, Who};
use crate::knowledge::LogFormat;
use crate::protocol::http::Exchange;

/// One log beside the capture.
#[derive(Clone, Debug)]
pub struct LogComparison {
    /// The path as given.
    pub path: String,
    /// Its format.
    pub format: LogFormat,
    /// The clock of the log.
    pub clock: ClockOffset,
    /// How many lines there are of each kind.
    pub counts: LineCounts,
    /// The addresses of clients in the log are none of those that the capture has.
    pub addresses_differ: bool,
    /// The lines that were joined, in the order of the file.
    pub rows: Vec<LogRow>,
    /// Lines of the capture's time that were not joined: the first of them.
    pub left: Vec<LeftLine>,
    /// Requests to the server that wrote the log, in its time, without a line; not counted if lines were not compared.
    pub unlogged: u64,
    /// The first of them: the number of the connection, and the place of the exchange.
    pub unlogged_first: Vec<(u32, u32)>,
}

/// How many lines a log has of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LineCounts {
    /// All lines.
    pub lines: u64,
    /// Bytes that were read.
    pub bytes: u64,
    /// Without a time: the rest of a line before, or of a format that is not known.
    pub untimed: u64,
    /// Before the capture.
    pub before: u64,
    /// After it.
    pub after: u64,
    /// About no request and no connection.
    pub others: u64,
    /// Joined.
    pub joined: u64,
    /// Several exchanges or connections fit.
    pub undecided: u64,
    /// Nothing in the capture fits.
    pub without_packets: u64,
    /// Not compared, because there were too many.
    pub beyond: u64,
}

/// A line and what it is about.
#[derive(Clone, Debug)]
pub struct LogRow {
    /// Its number in the file, from 1.
    pub number: u64,
    /// The line as it stands there, cut if it is long.
    pub text: Box<str>,
    /// What it says.
    pub line: LogLine,
    /// The number of the connection.
    pub connection: u32,
    /// The place of the exchange, if the line is about one.
    pub exchange: Option<u32>,
    /// The side of the connection that wrote the line.
    pub writer: Who,
    /// Whether both say the same.
    pub agreement: Agreement,
}

impl LogRow {
    /// The exchange that it is about, on its connection.
    pub(crate) fn exchange_on<'c>(&self, connection: &'c Connection) -> Option<&'c Exchange> {
        connection.exchanges.get(self.exchange? as usize)
    }
}

/// Why a line of the capture's time was not joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeftBecause {
    /// No such request, or no such connection, was captured then.
    NotCaptured,
    /// Several fit equally well.
    SeveralFit,
}

/// A line that was not joined.
#[derive(Clone, Debug)]
pub struct LeftLine {
    /// Its number in the file, from 1.
    pub number: u64,
    /// The line, cut if it is long.
    pub text: Box<str>,
    /// Why.
    pub why: LeftBecause,
}
