//! A row for each connection. No bytes from packets appear here.

use std::io;

use super::cells::{Cells, Table};
use crate::analysis::connection::{Connection, Who};
use crate::base::frame_ref::FrameNumber;
use crate::protocol::http::Outcome;
use crate::report::view::View;
use crate::report::wording::terms;

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
pub(super) fn write(view: &View<'_>, table: &mut Table<'_>) -> io::Result<()> {
    table.write_record(COLUMNS)?;
    view.shown().try_for_each(|it| row(view, it).write(table))
}

fn row(view: &View<'_>, connection: &Connection) -> Cells<'static, { COLUMNS.len() }> {
    let teardown = &connection.teardown;
    let closed = Some(teardown.frame).filter(|it| *it != FrameNumber(0));
    let ending = terms::ending(connection);
    let incomplete = connection.exchanges.iter();
    let incomplete = incomplete.filter(|it| it.outcome(ending) != Some(Outcome::Complete));
    let rules: Vec<_> = view.findings(connection).map(|it| it.rule).collect();
    let frames = &view.snapshot.frames;
    let mut row = Cells::new();
    row.value(connection.id);
    for host in [connection.client, connection.server] {
        row.value(host.ip);
        row.value(host.port);
    }
    row.value(connection.first.frame.0);
    row.value(connection.last.frame.0);
    row.time(Some(connection.first.time));
    row.time(Some(connection.last.time));
    row.value(format_args!("{:.6}", connection.lasted().as_secs_f64()));
    row.word(terms::opening(connection.opening));
    row.word(terms::by(teardown.by));
    row.word(terms::how(teardown.how));
    row.word(terms::reset(teardown.how));
    row.word(teardown.phase.name());
    row.known(closed.map(|it| it.0));
    row.time(closed.map(|_| teardown.at));
    row.word(teardown.certainty.name());
    row.value(teardown.orderly);
    for who in Who::BOTH {
        row.word(terms::state(connection.states[who as usize]));
    }
    row.word(terms::time_wait(connection));
    row.word(terms::protocol(connection.protocol));
    for who in Who::BOTH {
        row.value(connection.sent[who as usize].bytes);
    }
    for who in Who::BOTH {
        row.value(connection.sent[who as usize].missing);
    }
    row.value(connection.exchanges.len());
    row.value(incomplete.count());
    row.value(rules.join(" "));
    row.place(Some(connection.first.frame), frames);
    row.place(Some(connection.last.frame), frames);
    row.place(closed, frames);
    row.word(connection.outcome.name());
    row.word(connection.outcome.reason());
    row
}
