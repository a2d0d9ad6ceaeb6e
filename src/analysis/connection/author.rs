//! Who wrote an error answer: a gateway, or the server behind it.

use crate::knowledge::{LogSide, Product, Role, gateway_answer, identify};
use crate::protocol::http::{Exchange, SharedText};

/// Who wrote an error answer.
#[derive(Clone, Copy, Debug)]
pub enum Author {
    /// This gateway: its words or its `Server` field say so.
    Gateway(&'static Product, &'static str),
    /// A gateway, as its status says; this product named itself in a header.
    Presumed(Option<&'static Product>),
    /// A server, or something in front of it.
    Unknown,
}

/// Who wrote the 502, 503 or 504 of this exchange.
pub fn author(exchange: &Exchange) -> Author {
    let Some(status) = exchange.status() else {
        return Author::Unknown;
    };
    let server = exchange.response.as_ref().and_then(|it| it.server.as_ref());
    let server = server.and_then(SharedText::as_str);
    let product = identify(None, server, None, LogSide::Server).map(|it| it.product);
    let rare = exchange.rare.as_ref();
    let body = rare.and_then(|rare| rare.body_start.as_ref());
    let body = body.map_or(&[][..], SharedText::as_bytes);
    match gateway_answer(status, body, product) {
        Some((product, answer)) => Author::Gateway(product, &answer.meaning),
        None if status == 503 => Author::Unknown,
        None => Author::Presumed(product.filter(|it| it.role == Role::Proxy)),
    }
}
