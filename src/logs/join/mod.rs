//! Decides which line of a log belongs to which exchange or connection.
//!
//! A log is read three times as a stream: its first lines for the format, then for the votes on its clock, then for the lines
//! of the capture's time. Of those the ones that could belong to an exchange are kept, within a budget; `legs` decides which
//! server's connections the log is about, `assign` which line belongs to which exchange, `events` does both for lines about
//! errors. All of it is a function of the lines and the connections.

mod assign;
mod events;
mod kept;
mod legs;
mod reading;

use std::io::{self, BufRead};

use super::agreement;
use super::clock::{ClockOffset, ClockVotes};
use super::format::{LineReader, SAMPLE};
use super::line::{Calendar, LineKind, LogLine};
use super::result::{LeftBecause, LeftLine, LineCounts, LogComparison, LogRow};
use super::wire::Wire;
use crate::base::time::Timestamp;
use crate::knowledge::LogFormat;
use crate::rules::log_errors::Predictor;
use kept::{Joined, KeptLine, LATE, MAX_LEFT};
use reading::each_line;

/// Bytes of lines that are kept of one log, to be joined.
pub(crate) const MAX_KEPT_BYTES: usize = 64 << 20;
/// Bytes of the text of a line that are kept.
const MAX_TEXT: usize = 512;

/// Why a log could not be compared.
#[derive(Debug)]
pub(crate) enum LogFailure {
    /// It cannot be read.
    Io(io::Error),
    /// None of its first lines has a time; this is the first.
    NotALog(String),
}

/// Compares a log with the capture. `open` opens it anew.
pub(crate) fn compare(
    path: &str,
    open: &mut dyn FnMut() -> io::Result<Box<dyn BufRead>>,
    wire: &Wire<'_>,
    predictor: &mut Predictor,
) -> Result<LogComparison, LogFailure> {
    let calendar = Calendar::of(Timestamp::from_nanos(wire.span.0));
    let reader = recognise(open, calendar)?;
    let clock = survey(open, reader.clone(), wire)?;
    let mut collected = Collected::default();
    collected.collect(open, reader.clone(), wire, clock)?;
    Ok(joined(path, &reader, clock, collected, wire, predictor))
}

/// The format of a log, by its first lines.
fn recognise(
    open: &mut dyn FnMut() -> io::Result<Box<dyn BufRead>>,
    calendar: Calendar,
) -> Result<LineReader, LogFailure> {
    let mut first: Vec<String> = Vec::new();
    let mut input = open().map_err(LogFailure::Io)?;
    each_line(&mut *input, |_, line| {
        if !line.trim().is_empty() {
            first.push(line.to_owned());
        }
        first.len() < SAMPLE
    })
    .map_err(LogFailure::Io)?;
    let lines = first.iter().map(String::as_str);
    match LineReader::detect(lines, calendar) {
        Some(reader) => Ok(reader),
        // A log in which nothing was written is a log.
        None => match first.into_iter().next() {
            None => Ok(LineReader::new(LogFormat::Text, calendar)),
            Some(first) => Err(LogFailure::NotALog(first)),
        },
    }
}

/// By how much the clock of the log differs.
fn survey(
    open: &mut dyn FnMut() -> io::Result<Box<dyn BufRead>>,
    mut reader: LineReader,
    wire: &Wire<'_>,
) -> Result<ClockOffset, LogFailure> {
    let mut votes = ClockVotes::default();
    let mut input = open().map_err(LogFailure::Io)?;
    let format = reader.format();
    each_line(&mut *input, |_, line| {
        if let Some(line) = reader.read(line) {
            votes.take(&line, format, wire);
        }
        !votes.are_enough()
    })
    .map_err(LogFailure::Io)?;
    Ok(votes.decide())
}

/// The lines of the capture's time.
#[derive(Debug, Default)]
struct Collected {
    counts: LineCounts,
    kept: Vec<KeptLine>,
    bytes: usize,
    left: Vec<LeftLine>,
    /// The time of the log's first and last line.
    span: Option<(i64, i64)>,
}

impl Collected {
    fn collect(
        &mut self,
        open: &mut dyn FnMut() -> io::Result<Box<dyn BufRead>>,
        mut reader: LineReader,
        wire: &Wire<'_>,
        clock: ClockOffset,
    ) -> Result<(), LogFailure> {
        let mut input = open().map_err(LogFailure::Io)?;
        let bytes = each_line(&mut *input, |number, text| {
            self.counts.lines += 1;
            match reader.read(text) {
                Some(line) => self.take(number, text, line, wire, clock),
                None => self.counts.untimed += 1,
            }
            true
        });
        self.counts.bytes = bytes.map_err(LogFailure::Io)?;
        Ok(())
    }

    fn take(
        &mut self,
        number: u64,
        text: &str,
        line: LogLine,
        wire: &Wire<'_>,
        clock: ClockOffset,
    ) {
        let Some(time) = line.time else {
            self.counts.untimed += 1;
            return;
        };
        let from = time.nanos.saturating_sub(clock.nanos);
        let at = (from, from.saturating_add(time.precision));
        let (first, last) = self.span.unwrap_or((from, from));
        self.span = Some((first.min(from), last.max(from)));
        let slack = clock.uncertainty + LATE;
        if at.1.saturating_add(slack) < wire.span.0 {
            self.counts.before += 1;
            return;
        }
        if at.0.saturating_sub(slack) > wire.span.1 {
            self.counts.after += 1;
            return;
        }
        let kept = KeptLine {
            number,
            line,
            text: cut(text),
            at,
        };
        if is_hopeless(&kept, wire) {
            self.leave(&kept, LeftBecause::NotCaptured);
            return;
        }
        let size = kept.line.footprint() + kept.text.len() + size_of::<KeptLine>();
        if self.bytes + size > MAX_KEPT_BYTES {
            self.counts.beyond += 1;
            return;
        }
        self.bytes += size;
        self.kept.push(kept);
    }

    /// Counts a line that is not joined, and lists it among the first.
    fn leave(&mut self, line: &KeptLine, why: LeftBecause) {
        match why {
            LeftBecause::NotCaptured => self.counts.without_packets += 1,
            LeftBecause::SeveralFit => self.counts.undecided += 1,
        }
        if self.left.len() < MAX_LEFT {
            self.left.push(LeftLine {
                number: line.number,
                text: line.text.clone(),
                why,
            });
        }
    }
}

/// Whether a line of an access log asks for what no exchange and no encrypted connection can be.
fn is_hopeless(kept: &KeptLine, wire: &Wire<'_>) -> bool {
    let line = &kept.line;
    let named = line.client.is_some_and(|ip| wire.knows(ip));
    line.kind == LineKind::Access && wire.asked(line).is_empty() && !named
}

/// The beginning of a line.
fn cut(text: &str) -> Box<str> {
    let text = text.trim_end();
    let mut end = text.len().min(MAX_TEXT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    match text.get(..end) {
        Some(head) if end < text.len() => format!("{head}…").into(),
        _ => text.into(),
    }
}

/// Joins the lines that were collected.
fn joined(
    path: &str,
    reader: &LineReader,
    clock: ClockOffset,
    mut collected: Collected,
    wire: &Wire<'_>,
    predictor: &mut Predictor,
) -> LogComparison {
    let kept = std::mem::take(&mut collected.kept);
    let leg = legs::choose(&kept, wire, clock);
    let mut decided = assign::assign(&kept, &leg, wire, clock, reader.format());
    events::join(&kept, &mut decided.lines, wire, clock, predictor);
    let mut rows = Vec::new();
    for (kept, joined) in kept.into_iter().zip(&decided.lines) {
        let (exchange, connection, writer) = match *joined {
            Joined::Exchange(place, writer) => {
                let Some((it, connection, _)) = wire.exchange(place) else {
                    continue;
                };
                (Some(it.exchange), connection, writer)
            }
            Joined::Connection(place, writer) => match wire.connection(place) {
                Some(connection) => (None, connection, writer),
                None => continue,
            },
            Joined::Undecided => {
                collected.leave(&kept, LeftBecause::SeveralFit);
                continue;
            }
            Joined::Nothing => {
                collected.leave(&kept, LeftBecause::NotCaptured);
                continue;
            }
            Joined::Other => {
                collected.counts.others += 1;
                continue;
            }
        };
        let own = exchange.and_then(|it| connection.exchanges.get(it as usize));
        let agreement = match own {
            Some(exchange) if kept.line.kind == LineKind::Access => {
                agreement::compare(&kept.line, connection, exchange)
            }
            _ => events::agreement(&kept.line, connection, writer, predictor),
        };
        collected.counts.joined += 1;
        rows.push(LogRow {
            number: kept.number,
            text: kept.text,
            line: kept.line,
            connection: connection.id,
            exchange,
            writer,
            agreement,
        });
    }
    collected.left.sort_by_key(|it| it.number);
    // The line of a request may be among those that were not compared.
    let span = collected.span.filter(|_| collected.counts.beyond == 0);
    let (unlogged, unlogged_first) = decided.unlogged(wire, &leg, span);
    LogComparison {
        path: path.to_owned(),
        format: reader.format(),
        clock,
        counts: collected.counts,
        addresses_differ: leg.addresses_differ,
        rows,
        left: collected.left,
        unlogged,
        unlogged_first,
    }
}
