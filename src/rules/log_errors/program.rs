//! Who speaks at one side of a connection, by its messages.

use std::hash::{Hash, Hasher};

use crate::analysis::connection::{Connection, Who};
use crate::knowledge::{NamedBy, Product, Side, Speaker, Stack, identify, inside};
use crate::protocol::http::{Exchange, FieldName, Progress, Text};

/// Who speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Voice {
    /// A header names it.
    Known(Stack),
    /// Its messages were seen and carry no such header.
    Nameless,
    /// It calls by SOAP, and no header that was seen names it.
    Soap,
    /// None could be read, or what they say means nothing to us.
    Unheard,
}

impl Hash for Voice {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::mem::discriminant(self).hash(state);
        if let Self::Known(stack) = self {
            stack.product.name.hash(state);
            stack.version.hash(state);
            stack.by.hash(state);
        }
    }
}

impl Voice {
    /// Whoever has this role in the connection.
    pub(super) fn of(connection: &Connection, who: Who) -> Self {
        let mut voice = Self::Unheard;
        for exchange in &connection.exchanges {
            let heard = match who {
                Who::Client => client(exchange),
                Who::Server => server(exchange),
            };
            match heard {
                Self::Known(_) => return heard,
                Self::Nameless | Self::Soap => voice = heard,
                Self::Unheard => {}
            }
        }
        voice
    }

    pub(super) fn speaker(&self) -> Speaker<'_> {
        match self {
            Self::Known(stack) => Speaker::Known(stack),
            Self::Nameless => Speaker::Nameless,
            Self::Soap => Speaker::Soap,
            Self::Unheard => Speaker::Unheard,
        }
    }

    /// The program, if a header names it.
    pub(super) fn product(&self) -> Option<&'static Product> {
        match self {
            Self::Known(stack) => Some(stack.product),
            Self::Nameless | Self::Soap | Self::Unheard => None,
        }
    }

    /// The framework that likely runs inside the server that speaks.
    pub(super) fn inside(&self) -> Option<Stack> {
        match self {
            Self::Known(stack) => Some(Stack {
                product: inside(stack.product)?,
                version: None,
                by: stack.by,
            }),
            Self::Nameless | Self::Soap | Self::Unheard => None,
        }
    }

    pub(super) fn named_by(&self) -> Option<NamedBy> {
        match self {
            Self::Known(stack) => Some(stack.by),
            Self::Nameless | Self::Soap | Self::Unheard => None,
        }
    }
}

fn client(exchange: &Exchange) -> Voice {
    let Some(request) = &exchange.request else {
        return Voice::Unheard;
    };
    // A proxy hands on its client's `User-Agent`, but it is the proxy that meets what befalls this connection.
    if exchange.request_fields(FieldName::Via).next().is_some() {
        return Voice::Unheard;
    }
    match text(&request.user_agent) {
        Some(agent) => identify(Some(agent), None, None, Side::Client).into(),
        None if request.user_agent.is_none() && calls_by_soap(exchange) => Voice::Soap,
        None if request.user_agent.is_some() || request.target.is_none() => Voice::Unheard,
        None => whole_head(request.message.progress, exchange, |rare| {
            rare.request.head_cut
        }),
    }
}

/// Whether the request is a call of SOAP 1.1 (§6.1.1 of its note).
pub(super) fn calls_by_soap(exchange: &Exchange) -> bool {
    let mut actions = exchange.request_fields(FieldName::SoapAction);
    actions.next().is_some()
}

fn server(exchange: &Exchange) -> Voice {
    let Some(response) = &exchange.response else {
        return Voice::Unheard;
    };
    let mut via = exchange.response_fields(FieldName::Via);
    let via = via.next().and_then(|field| field.value.as_str());
    let server = text(&response.server);
    if response.server.is_none() && via.is_none() {
        return match exchange.status() {
            Some(_) => whole_head(response.message.progress, exchange, |rare| {
                rare.response.head_cut
            }),
            None => Voice::Unheard,
        };
    }
    identify(None, server, via, Side::Server).into()
}

/// A head that was read to its end and names nobody.
fn whole_head(
    progress: Progress,
    exchange: &Exchange,
    cut: fn(&crate::protocol::http::Rare) -> bool,
) -> Voice {
    let cut = exchange.rare.as_deref().is_some_and(cut);
    match progress {
        Progress::Body | Progress::Complete if !cut => Voice::Nameless,
        _ => Voice::Unheard,
    }
}

fn text(text: &Option<Text>) -> Option<&str> {
    text.as_ref().and_then(Text::as_str)
}

impl From<Option<Stack>> for Voice {
    fn from(stack: Option<Stack>) -> Self {
        stack.map_or(Self::Unheard, Self::Known)
    }
}
