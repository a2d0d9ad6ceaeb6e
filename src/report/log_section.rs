//! The section about logs: for each, how many of its lines are at their request, by how much its clock differs, and a table of
//! what the log says beside what the wire says; what differs comes first, then what failed.

use std::io;
use std::time::Duration;

use super::rich_text::{RichTable, StyledLine, Tone};
use super::sheet::Sheet;
use super::view::View;
use crate::analysis::connection::{Connection, Who};
use crate::base::escape::{escape, shortened};
use crate::base::format::{bytes, count, duration, number};
use crate::logs::{LeftBecause, LineKind, LogComparison, LogLine, LogRow};
use crate::protocol::http::{Exchange, Outcome};
use crate::report::wording::segment;

/// Rows of one log's table.
const ROWS: usize = 20;
/// Lines without packets, or not decided, and requests without lines that are listed.
const LISTED: usize = 3;
/// Characters of a cell that holds a text from a log.
const CELL: usize = 26;
/// Characters of a line that is listed as it is.
const LINE: usize = 100;
/// A clock that differs by less is not mentioned.
const SAME_CLOCK: u64 = 1_000_000_000;

/// Writes the section, if logs were given.
pub(super) fn write(view: &View<'_>, sheet: &mut dyn Sheet) -> io::Result<()> {
    if view.snapshot.logs.is_empty() {
        return Ok(());
    }
    sheet.heading("Logs")?;
    for log in &view.snapshot.logs {
        one(view, log, sheet)?;
    }
    Ok(())
}

fn one(view: &View<'_>, log: &LogComparison, sheet: &mut dyn Sheet) -> io::Result<()> {
    let counts = &log.counts;
    let path = escape(log.path.as_bytes());
    let outside = counts.before + counts.after;
    let mut told = format!(
        " ({}): {}",
        log.format.title(),
        count(counts.lines, "line", "lines")
    );
    if outside > 0 {
        told += &format!(", {} of another time than the capture", number(outside));
    }
    sheet.entry(&StyledLine::default().code(path).plain(told).plain("."))?;
    sheet.detail("Lines", &lines(log).into())?;
    let apart = log.clock.nanos.unsigned_abs();
    if log.clock.support > 0 && apart >= SAME_CLOCK {
        let side = if log.clock.nanos < 0 {
            "behind"
        } else {
            "ahead of"
        };
        let told = format!(
            "The log is {} {side} the capture, as {}.",
            duration(Duration::from_nanos(apart)),
            count(
                log.clock.support as u64,
                "request or connection shows",
                "requests or connections show"
            )
        );
        sheet.detail("Clock", &told.into())?;
    }
    if log.addresses_differ {
        let told = "The log has other client addresses than the capture, as with a proxy or NAT between them.";
        sheet.detail("Clients", &told.into())?;
    }
    table(view, log, sheet)?;
    left(log, sheet)?;
    unlogged(view, log, sheet)
}

/// How many lines were joined, and what became of the others.
fn lines(log: &LogComparison) -> String {
    let counts = &log.counts;
    let differ = log
        .rows
        .iter()
        .filter(|it| it.agreement.agrees() == Some(false));
    let mut parts = vec![format!(
        "{} at {} request or connection",
        number(counts.joined),
        if counts.joined == 1 { "its" } else { "their" }
    )];
    for (many, what) in [
        (differ.count() as u64, "differ from the packets"),
        (counts.without_packets, "without packets"),
        (
            counts.undecided,
            "not decided, because several requests fit",
        ),
        (counts.beyond, "not compared, because there were too many"),
        (counts.others, "about no connection"),
        (counts.untimed, "without a time"),
    ] {
        if many > 0 {
            parts.push(format!("{} {what}", number(many)));
        }
    }
    parts.join("; ") + "."
}

/// Whether what a row is about went wrong, on the wire or by the log.
fn failed(view: &View<'_>, row: &LogRow) -> bool {
    let connection = view.snapshot.connection(row.connection);
    let exchange = connection.and_then(|it| Some((it, row.exchange_on(it)?)));
    let status = row
        .line
        .status
        .is_some_and(|it| !(200..500).contains(&it) || it == 499);
    match exchange {
        Some((connection, exchange)) => {
            let outcome = exchange.outcome(connection.teardown.ending());
            status || outcome != Some(Outcome::Complete)
        }
        None => status || connection.is_some_and(|it| !it.outcome.is_fine()),
    }
}

fn table(view: &View<'_>, log: &LogComparison, sheet: &mut dyn Sheet) -> io::Result<()> {
    let rank = |row: &&LogRow| match (row.agreement.agrees(), failed(view, row)) {
        (Some(false), _) => 0,
        (_, true) => 1,
        (_, false) if row.line.kind == LineKind::Event => 2,
        _ => 3,
    };
    let mut rows: Vec<&LogRow> = log.rows.iter().filter(|it| rank(it) < 3).collect();
    rows.sort_by_key(|it| (rank(it), it.number));
    let more = rows.len().saturating_sub(ROWS);
    rows.truncate(ROWS);
    if rows.is_empty() {
        return Ok(());
    }
    let mut table = RichTable {
        columns: vec![
            ("Line", true),
            ("Log says", false),
            ("Wire says", false),
            ("Agree", false),
            ("See", false),
        ],
        spares_last: false,
        rows: Vec::new(),
    };
    for row in rows {
        let agree = match row.agreement.agrees() {
            Some(true) => StyledLine::of(Tone::Good, "yes"),
            Some(false) => {
                let names = row.agreement.differs.iter().map(|it| it.name());
                let names = names.collect::<Vec<_>>().join(", ");
                StyledLine::of(Tone::Warning, format!("no: {names}"))
            }
            None => "–".into(),
        };
        table.rows.push(vec![
            number(row.number).into(),
            log_says(&row.line).into(),
            wire_says(view, row).into(),
            agree,
            see(view, row).into(),
        ]);
    }
    sheet.table(&table)?;
    if more > 0 {
        let told = format!(
            "{} not listed here; --format json has them.",
            count(more as u64, "further line is", "further lines are")
        );
        sheet.paragraph(&told.into())?;
    }
    Ok(())
}

/// `GET /path 502, 157 B`; the text of an event.
fn log_says(line: &LogLine) -> String {
    let request = match (&line.method, &line.target) {
        (Some(method), Some(target)) if line.kind == LineKind::Access => {
            let room = CELL.saturating_sub(14);
            Some(format!(
                "{} {}",
                shortened(method.as_bytes(), 8),
                shortened(target.as_bytes(), room)
            ))
        }
        _ => None,
    };
    let Some(request) = request else {
        let text = line.message.as_ref().or(line.ending.as_ref());
        return shortened(text.map_or(&b"-"[..], |it| it.as_bytes()), CELL).to_string();
    };
    let mut said = request;
    if let Some(status) = line.status {
        said += &format!(" {status}");
    }
    if let Some(sent) = line.bytes {
        said += &format!(", {}", bytes(sent));
    }
    if let Some(ending) = &line.ending {
        said += &format!(", {}", shortened(ending.as_bytes(), 12));
    }
    said
}

/// `#3, finding 1`.
fn see(view: &View<'_>, row: &LogRow) -> String {
    match view.finding_numbers(row.connection).first() {
        Some(first) => format!("#{}, finding {first}", row.connection),
        None => format!("#{}", row.connection),
    }
}

/// `502, 157 B`; behind a proxy with the word that says so.
fn wire_says(view: &View<'_>, row: &LogRow) -> String {
    let Some(connection) = view.snapshot.connection(row.connection) else {
        return String::new();
    };
    let said = match row.exchange_on(connection) {
        Some(exchange) => fate(connection, exchange),
        None => connection.outcome.to_string(),
    };
    match row.writer {
        Who::Client => format!("its server: {said}"),
        Who::Server => said,
    }
}

/// What came of an exchange, in a few words.
pub(super) fn fate(connection: &Connection, exchange: &Exchange) -> String {
    let response = exchange.response.as_ref().map(|it| &it.message);
    let received = response.map_or(0, |it| it.received());
    let status = exchange
        .status()
        .map_or_else(String::new, |it| format!("{it}, "));
    match exchange.outcome(connection.teardown.ending()) {
        Some(Outcome::Complete) => format!("{status}{}", bytes(received)),
        Some(Outcome::NoResponse) => "closed without a response".to_owned(),
        Some(Outcome::CutShort) => format!("{status}cut short after {}", bytes(received)),
        Some(Outcome::ClientLeft) => format!("{status}client left after {}", bytes(received)),
        Some(Outcome::Reset) => format!("{status}reset after {}", bytes(received)),
        Some(Outcome::Unfinished) => format!("{status}not over yet"),
        None => format!("{status}the end was not captured"),
    }
}

fn left(log: &LogComparison, sheet: &mut dyn Sheet) -> io::Result<()> {
    for (why, label) in [
        (LeftBecause::NotCaptured, "No packets"),
        (LeftBecause::SeveralFit, "Undecided"),
    ] {
        for line in log.left.iter().filter(|it| it.why == why).take(LISTED) {
            let text = shortened(line.text.as_bytes(), LINE);
            let told = format!("line {}: {text}", number(line.number));
            sheet.detail(label, &told.into())?;
        }
    }
    Ok(())
}

fn unlogged(view: &View<'_>, log: &LogComparison, sheet: &mut dyn Sheet) -> io::Result<()> {
    if log.unlogged == 0 {
        return Ok(());
    }
    let named = log
        .unlogged_first
        .iter()
        .take(LISTED)
        .filter_map(|(id, nth)| {
            let connection = view.snapshot.connection(*id)?;
            let exchange = connection.exchanges.get(*nth as usize)?;
            Some(format!("{} (#{id})", segment::request(exchange)))
        });
    let named = named.collect::<Vec<_>>().join(", ");
    let more = if log.unlogged > LISTED as u64 {
        ", …"
    } else {
        ""
    };
    let told = format!(
        "{} no line: {named}{more}",
        count(log.unlogged, "request has", "requests have")
    );
    sheet.detail("No line", &told.into())
}
