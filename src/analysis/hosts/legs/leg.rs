//! A pair of exchanges, and what shows that they belong together.

use std::fmt;

use crate::analysis::connection::Connection;
use crate::base::certainty::Certainty;
use crate::protocol::http::Exchange;

/// An exchange, or a connection without one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExchangeId {
    /// The connection's number.
    pub connection: u32,
    /// The index among `Connection::spoken`; `None` for a connection without exchanges.
    pub exchange: Option<u32>,
}

impl ExchangeId {
    /// That of the exchange at this index of the connection.
    pub(crate) fn nth(connection: &Connection, index: usize) -> Self {
        Self {
            connection: connection.id,
            exchange: u32::try_from(index).ok(),
        }
    }

    /// The exchange itself, on its connection.
    pub(crate) fn on(self, connection: &Connection) -> Option<&Exchange> {
        let index = usize::try_from(self.exchange?).ok()?;
        connection.spoken().get(index)
    }
}

/// `3.1` is the first exchange of connection 3, `3` the connection alone.
impl fmt::Display for ExchangeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.exchange {
            Some(index) => write!(f, "{}.{}", self.connection, u64::from(index) + 1),
            None => write!(f, "{}", self.connection),
        }
    }
}

/// What shows that two exchanges are two sides of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LegBasis {
    /// Time and hosts alone.
    Time,
    /// The same request, in time within the other.
    Request,
    /// The proxy names its client's address and port.
    Client,
    /// Both carry the same id.
    Id,
}

impl LegBasis {
    /// The name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Time => "time",
            Self::Request => "request",
            Self::Client => "client",
            Self::Id => "id",
        }
    }
}

/// Two sides of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leg {
    /// The exchange that the proxy served.
    pub client: ExchangeId,
    /// The exchange that it made for it.
    pub upstream: ExchangeId,
    /// How sure it is.
    pub certainty: Certainty,
    /// What shows it.
    pub basis: LegBasis,
}

impl Leg {
    /// The connections of both sides.
    pub(crate) const fn connections(&self) -> [u32; 2] {
        [self.client.connection, self.upstream.connection]
    }
}
