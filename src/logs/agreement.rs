//! Whether a line says what the packets show.
//!
//! Compared are the status, the bytes of the response and the time that it took, as far as both have them. A log counts bytes
//! in one of three ways: the body, the body as it is framed, or the whole response; any of them agrees.

use std::time::Duration;

use super::line::{LineKind, LogLine};
use super::wire::outcome;
use crate::analysis::connection::Connection;
use crate::knowledge::NOT_SENT;
use crate::protocol::http::{Exchange, Message, MessageProgress, Outcome};

/// What a line and the packets were compared in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compared {
    /// The status.
    Status,
    /// Bytes of the response.
    Bytes,
    /// How long it took.
    Time,
    /// The text of an error, with what the connection's programs are expected to log.
    Text,
}

impl Compared {
    /// Its name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Bytes => "bytes",
            Self::Time => "time",
            Self::Text => "text",
        }
    }
}

/// Whether both say the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Agreement {
    /// In what they agree.
    pub same: Vec<Compared>,
    /// In what they differ.
    pub differs: Vec<Compared>,
}

impl Agreement {
    /// `None` if nothing could be compared.
    #[must_use]
    pub fn agrees(&self) -> Option<bool> {
        match (self.differs.is_empty(), self.same.is_empty()) {
            (false, _) => Some(false),
            (true, false) => Some(true),
            (true, true) => None,
        }
    }

    pub(super) fn add(&mut self, what: Compared, same: bool) {
        match same {
            true => self.same.push(what),
            false => self.differs.push(what),
        }
    }
}

/// Times that differ by less than this, or by less than a fifth, are the same: programs and captures begin to count at other
/// moments.
const TIME: Duration = Duration::from_millis(500);

/// Compares a line with its exchange.
pub(crate) fn compare(line: &LogLine, connection: &Connection, exchange: &Exchange) -> Agreement {
    let mut agreement = Agreement::default();
    if line.kind != LineKind::Access {
        return agreement;
    }
    let outcome = outcome(connection, exchange);
    let lost = outcome.is_none();
    match (line.status, exchange.status()) {
        (Some(log), Some(wire)) => agreement.add(Compared::Status, log == wire),
        (Some(log), None) if !lost && outcome != Some(Outcome::Unfinished) => {
            agreement.add(Compared::Status, NOT_SENT.contains(&log));
        }
        _ => {}
    }
    if let (Some(log), false) = (line.bytes, lost)
        && let Some(same) = same_bytes(log, exchange)
        && (same || !line.rough_bytes)
    {
        agreement.add(Compared::Bytes, same);
    }
    if let Some(log) = line.duration
        && let Some(wire) = took(connection, exchange)
    {
        let apart = log.abs_diff(wire);
        let same = apart <= TIME || apart <= wire.max(log) / 5;
        agreement.add(Compared::Time, same);
    }
    agreement
}

/// Whether the bytes in the log are those of the response; `None` if that cannot be told.
fn same_bytes(log: u64, exchange: &Exchange) -> Option<bool> {
    let Some(response) = &exchange.response else {
        return (log == 0).then_some(true);
    };
    let message = &response.message;
    if counts(message).contains(&log) {
        return Some(true);
    }
    // Frames of HTTP/2 have heads of their own, whose bytes some count; what follows another protocol is no body.
    let clear = exchange.stream.is_none()
        && matches!(
            message.progress,
            MessageProgress::Complete | MessageProgress::Body
        )
        && response.status != 101
        && exchange
            .rare
            .as_ref()
            .is_none_or(|it| it.response.missing == 0);
    // A server may have written more than the client took.
    clear.then_some(false)
}

/// The three ways to count a response: body, framed body, all.
pub(crate) const fn counts(message: &Message) -> [u64; 3] {
    [
        message.received(),
        message.end().saturating_sub(message.head_end()),
        message.end().saturating_sub(message.start),
    ]
}

/// The time from the first byte of the request to the last of the response.
fn took(connection: &Connection, exchange: &Exchange) -> Option<Duration> {
    let from = exchange.request.as_ref()?.message.first.time;
    let response = exchange.response.as_ref().map(|it| &it.message);
    match response {
        Some(it) if it.is_complete() => Some(it.last.time.since(from)),
        Some(_) => None,
        None if connection.teardown.orderly => None,
        None => Some(connection.teardown.at.since(from)),
    }
}
