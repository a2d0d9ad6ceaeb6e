//! What the messages of an exchange say about the connection after it (RFC 9112 §9.3).

use super::exchange::Exchange;
use super::message::{Framing, HttpVersion, Message};

/// What a message says about the connection after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Persistence {
    /// `close` was said; it wins over everything else.
    Close,
    /// The version is below 1.1 and `keep-alive` was not said.
    CloseByVersion,
    /// The body ends where the connection does.
    CloseByFraming,
    /// `keep-alive` was said.
    KeepAlive,
    /// The version is 1.1 or later, and nothing was said against it.
    KeepByVersion,
    /// The head was not seen.
    Unknown,
}

/// What announced or implied that the connection closes after an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CloseSign {
    /// The request says `Connection: close`.
    RequestClose,
    /// The request is HTTP/1.0 and does not ask for keep-alive.
    RequestVersion,
    /// The response says `Connection: close`.
    ResponseClose,
    /// The response is HTTP/1.0 and does not grant keep-alive.
    ResponseVersion,
    /// The response body ends where the connection does.
    ResponseFraming,
}

impl Message {
    /// What this message says about the connection after it (RFC 9112 §9.3).
    #[must_use]
    pub fn persistence(&self) -> Persistence {
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
    /// What announces or implies that the connection closes after this exchange; what was said counts before what
    /// is implied, and the request before the response, as it came first.
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
