//! The lines that may belong to an exchange or a connection, and what they are joined to.

use crate::analysis::connection::Who;
use crate::logs::line::{LogLine, SECOND};

/// Lines that were not joined, and requests without a line, that are listed.
pub(super) const MAX_LEFT: usize = 64;
/// A program writes its line up to this long after the packet that caused it.
pub(super) const LATE: i64 = 2 * SECOND;

/// A line that may belong to an exchange or a connection.
#[derive(Clone, Debug)]
pub(super) struct KeptLine {
    pub(super) number: u64,
    pub(super) line: LogLine,
    pub(super) text: Box<str>,
    /// Its time on the capture's clock: not before, and before.
    pub(super) at: (i64, i64),
}

/// What a line was joined to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Joined {
    /// An exchange, by its place in the wire's list.
    Exchange(u32, Who),
    /// A connection, by its place.
    Connection(u32, Who),
    /// Several fit.
    Undecided,
    /// None fits.
    Nothing,
    /// It is about no connection.
    Other,
}
