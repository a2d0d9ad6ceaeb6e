//! A row for each HTTP request with its response, of the connections that are shown.

use std::io;

use super::cells::{Cells, Table};
use crate::analysis::connection::Connection;
use crate::protocol::http::{Exchange, Message, Outcome};
use crate::report::view::View;
use crate::report::wording::terms::{self, millis};

const COLUMNS: [&str; 31] = [
    "connection",
    "number",
    "client_ip",
    "client_port",
    "server_ip",
    "server_port",
    "method",
    "target",
    "host",
    "version",
    "request_frame",
    "request_file",
    "request_frame_in_file",
    "request_first",
    "request_last",
    "status",
    "response_frame",
    "response_file",
    "response_frame_in_file",
    "response_first",
    "response_last",
    "outcome",
    "expected",
    "received",
    "waited_ms",
    "user_agent",
    "server",
    "closes",
    "stream",
    "connection_outcome",
    "rules",
];

/// Writes the table.
pub(super) fn write(view: &View<'_>, table: &mut Table<'_>) -> io::Result<()> {
    table.write_record(COLUMNS)?;
    for connection in view.shown() {
        for (number, exchange) in (1..).zip(&connection.exchanges) {
            row(view, connection, number, exchange).write(table)?;
        }
    }
    Ok(())
}

fn row<'a>(
    view: &View<'_>,
    connection: &'a Connection,
    number: u64,
    exchange: &'a Exchange,
) -> Cells<'a, { COLUMNS.len() }> {
    let request = exchange.request.as_ref();
    let response = exchange.response.as_ref();
    let asked = request.map(|it| &it.message);
    let answered = response.map(|it| &it.message);
    let outcome = exchange.outcome(terms::ending(connection));
    let rules: Vec<_> = view.findings(connection).map(|it| it.rule).collect();
    let mut row = Cells::new();
    row.value(connection.id);
    row.value(number);
    for host in [connection.client, connection.server] {
        row.value(host.ip);
        row.value(host.port);
    }
    row.text(exchange.method());
    row.text(request.and_then(|it| Some(it.target.as_ref()?.as_bytes())));
    row.text(request.and_then(|it| Some(it.host.as_ref()?.as_bytes())));
    row.known(exchange.version());
    message(&mut row, asked, view);
    row.known(exchange.status());
    message(&mut row, answered, view);
    row.word(outcome.map(Outcome::name));
    row.known(exchange.response_expected());
    row.known(exchange.response_received(outcome));
    row.known(exchange.waited().map(millis));
    row.text(request.and_then(|it| Some(it.user_agent.as_ref()?.as_bytes())));
    row.text(response.and_then(|it| Some(it.server.as_ref()?.as_bytes())));
    row.word(exchange.closes().map(terms::close_sign));
    row.known(exchange.stream.as_deref().map(|it| it.id));
    row.word(connection.outcome.name());
    row.value(rules.join(" "));
    row
}

/// Where and when a message is.
fn message<const N: usize>(row: &mut Cells<'_, N>, message: Option<&Message>, view: &View<'_>) {
    let first = message.map(|it| it.first.frame);
    row.known(first.map(|it| it.0));
    row.place(first, &view.snapshot.frames);
    row.time(message.map(|it| it.first.time));
    row.time(message.map(|it| it.last.time));
}
