//! The products that the headers of a connection name.

use crate::analysis::connection::Connection;
use crate::knowledge::{LogSide, Product, identify, is_other_browser};
use crate::protocol::http::{Exchange, FieldName, MessageProgress, SharedText};

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

/// Whether the `User-Agent` is that of a browser.
pub(super) fn is_browser(connection: &Connection) -> bool {
    let other = |exchange: &Exchange| {
        let request = exchange.request.as_ref();
        let agent = text(request.and_then(|it| it.user_agent.as_ref()));
        agent.is_some_and(is_other_browser)
    };
    match client(connection) {
        Some(product) => product.is_browser(),
        None => connection.exchanges.iter().any(other),
    }
}

/// The same, or the `User-Agent` may be in what the snap length cut off.
pub(super) fn may_be_browser(connection: &Connection) -> bool {
    let unknown = |exchange: &Exchange| {
        exchange.request.as_ref().is_some_and(|request| {
            request.message.progress == MessageProgress::Unseen && request.user_agent.is_none()
        })
    };
    let exchanges = &connection.exchanges;
    is_browser(connection) || !exchanges.is_empty() && exchanges.iter().all(unknown)
}

/// The product of the server, if a header names it.
pub(super) fn server(connection: &Connection) -> Option<&'static Product> {
    connection.exchanges.iter().find_map(|exchange| {
        let name = text(exchange.response.as_ref()?.server.as_ref());
        Some(identify(None, name, None, LogSide::Server)?.product)
    })
}
