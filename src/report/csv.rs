//! The CSV report: one row per connection, for spreadsheets and `join` (RFC 4180 with a header line, lines end in LF).
//!
//! Deliberately without single exchanges and the texts of findings, which JSON has. So no bytes from packets appear
//! here.

use std::borrow::Cow;
use std::io::{self, Write};

use super::view::View;
use crate::analysis::connection::{Connection, Who};
use crate::base::frame_ref::{FrameNames, FrameNumber};
use crate::protocol::http::Outcome;
use crate::report::wording::{moment, terms};

const COLUMNS: [&str; 38] = [
    "id",
    "client_ip",
    "client_port",
    "server_ip",
    "server_port",
    "first_frame",
    "last_frame",
    "first",
    "last",
    "seconds",
    "opening",
    "by",
    "how",
    "reset",
    "phase",
    "frame",
    "at",
    "certainty",
    "orderly",
    "client_state",
    "server_state",
    "time_wait",
    "protocol",
    "client_bytes",
    "server_bytes",
    "client_missing",
    "server_missing",
    "requests",
    "incomplete",
    "rules",
    "first_file",
    "first_frame_in_file",
    "last_file",
    "last_frame_in_file",
    "file",
    "frame_in_file",
    "outcome",
    "outcome_reason",
];

/// Writes the table.
pub(super) fn write(view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    record(out, COLUMNS.map(Cow::Borrowed))?;
    for connection in view.shown() {
        let rules: Vec<_> = view.findings(connection).map(|it| it.rule).collect();
        record(
            out,
            cells(connection, rules.join(" "), &view.snapshot.frames),
        )?;
    }
    Ok(())
}

fn cells(
    connection: &Connection,
    rules: String,
    frames: &FrameNames,
) -> [Cow<'static, str>; COLUMNS.len()] {
    let teardown = &connection.teardown;
    let shown = teardown.frame != FrameNumber(0);
    let ending = terms::ending(connection);
    let incomplete = connection.exchanges.iter();
    let incomplete = incomplete.filter(|it| it.outcome(ending) != Some(Outcome::Complete));
    let sent = |who: Who| connection.sent[who as usize];
    let state = |who: Who| terms::state(connection.states[who as usize]);
    let named = |name: Option<&'static str>| Cow::Borrowed(name.unwrap_or_default());
    let number = |number: u64| Cow::Owned(number.to_string());
    let place = |frame: FrameNumber| match frames.place(frame) {
        Some((file, own)) => (number(file as u64), number(own)),
        None => (named(None), named(None)),
    };
    let (first_file, first_own) = place(connection.first.frame);
    let (last_file, last_own) = place(connection.last.frame);
    let (file, own) = place(teardown.frame);
    [
        number(connection.id.into()),
        Cow::Owned(connection.client.ip.to_string()),
        number(connection.client.port.into()),
        Cow::Owned(connection.server.ip.to_string()),
        number(connection.server.port.into()),
        number(connection.first.frame.0),
        number(connection.last.frame.0),
        Cow::Owned(moment::rfc3339(connection.first.time)),
        Cow::Owned(moment::rfc3339(connection.last.time)),
        Cow::Owned(format!("{:.6}", connection.lasted().as_secs_f64())),
        named(Some(terms::opening(connection.opening))),
        named(terms::by(teardown.by)),
        named(Some(terms::how(teardown.how))),
        named(terms::reset(teardown.how)),
        named(Some(teardown.phase.name())),
        if shown {
            number(teardown.frame.0)
        } else {
            named(None)
        },
        if shown {
            Cow::Owned(moment::rfc3339(teardown.at))
        } else {
            named(None)
        },
        named(Some(teardown.certainty.name())),
        named(Some(if teardown.orderly { "true" } else { "false" })),
        named(state(Who::Client)),
        named(state(Who::Server)),
        named(terms::time_wait(connection)),
        named(terms::protocol(connection.protocol)),
        number(sent(Who::Client).bytes),
        number(sent(Who::Server).bytes),
        number(sent(Who::Client).missing),
        number(sent(Who::Server).missing),
        number(connection.exchanges.len() as u64),
        number(incomplete.count() as u64),
        Cow::Owned(rules),
        first_file,
        first_own,
        last_file,
        last_own,
        file,
        own,
        named(Some(connection.outcome.name())),
        named(Some(connection.outcome.reason())),
    ]
}

/// Writes one line. No cell needs quoting: all are numbers, addresses, times and words of this program.
fn record<const N: usize>(out: &mut dyn Write, cells: [Cow<'_, str>; N]) -> io::Result<()> {
    writeln!(out, "{}", cells.join(","))
}
