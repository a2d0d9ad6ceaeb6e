//! What the messages of an exchange state or imply about the connection after it (RFC 9112 §9.3).

use super::exchange::Exchange;
use super::message::{Framing, HttpVersion, Message};

/// What a message states or implies about the connection after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Persistence {
    /// It has the option `close`, which takes precedence over everything else.
    Close,
    /// The version is below 1.1 and there is no option `keep-alive`.
    CloseByVersion,
    /// The body ends with the connection.
    CloseByFraming,
    /// It has the option `keep-alive`.
    KeepAlive,
    /// The version is 1.1 or later, and nothing contradicts it.
    KeepByVersion,
    /// The head was not seen.
    Unknown,
}

/// What announced or implied that the connection closes after an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CloseSign {
    /// The request says `Connection: close`.
    RequestClose,
    /// The request is HTTP/1.0 and does not request keep-alive.
    RequestVersion,
    /// The response says `Connection: close`.
    ResponseClose,
    /// The response is HTTP/1.0 and does not grant keep-alive.
    ResponseVersion,
    /// The response body ends with the connection.
    ResponseFraming,
}

impl Message {
    /// What this message states or implies about the connection after it (RFC 9112 §9.3).
    #[must_use]
    pub(crate) fn persistence(&self) -> Persistence {
        if self.connection.close > 0 {
            Persistence::Close
        } else if self.version == HttpVersion::UNKNOWN || self.framing == Framing::Unknown {
            Persistence::Unknown
        } else if self.framing == Framing::UntilClose {
            Persistence::CloseByFraming
        } else if self.connection.keep_alive > 0 {
            Persistence::KeepAlive
        } else if self.version < HttpVersion::HTTP_11 {
            Persistence::CloseByVersion
        } else {
            Persistence::KeepByVersion
        }
    }
}

impl Exchange {
    /// What announces or implies that the connection closes after this exchange. An announcement takes precedence over
    /// an implication, and the request over the response, as it came first.
    #[must_use]
    pub fn closes(&self) -> Option<CloseSign> {
        let request = self.request.as_ref();
        let response = self.response.as_ref();
        let request = request.map_or(Persistence::Unknown, |request| {
            request.message.persistence()
        });
        let response = response.map_or(Persistence::Unknown, |response| {
            response.message.persistence()
        });
        match (request, response) {
            (Persistence::Close, _) => Some(CloseSign::RequestClose),
            (_, Persistence::Close) => Some(CloseSign::ResponseClose),
            (Persistence::CloseByVersion, _) => Some(CloseSign::RequestVersion),
            (_, Persistence::CloseByVersion) => Some(CloseSign::ResponseVersion),
            (_, Persistence::CloseByFraming) => Some(CloseSign::ResponseFraming),
            _ => None,
        }
    }
}
