//! The products that the headers of a connection name.

use crate::analysis::connection::Connection;
use crate::knowledge::{LogSide, Product, identify};
use crate::protocol::http::{FieldName, SharedText};

fn text(text: Option<&SharedText>) -> Option<&str> {
    text.and_then(SharedText::as_str)
}

/// The product of the client, if a header names it.
pub(super) fn client(connection: &Connection) -> Option<&'static Product> {
    connection.exchanges.iter().find_map(|exchange| {
        // A proxy forwards the `User-Agent` of its own client.
        if exchange.request_fields(FieldName::Via).next().is_some() {
            return None;
        }
        let agent = text(exchange.request.as_ref()?.user_agent.as_ref());
        Some(identify(agent, None, None, LogSide::Client)?.product)
    })
}

/// The product of the server, if a header names it.
pub(super) fn server(connection: &Connection) -> Option<&'static Product> {
    connection.exchanges.iter().find_map(|exchange| {
        let name = text(exchange.response.as_ref()?.server.as_ref());
        Some(identify(None, name, None, LogSide::Server)?.product)
    })
}
