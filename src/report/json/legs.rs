//! The legs of proxies in JSON: the name of an exchange, and those of the exchanges on the other side of a proxy.

use serde::Serialize;

use crate::analysis::hosts::{ExchangeId, Leg, Legs};

/// What is said beside an exchange.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct ExchangeLegs {
    /// Its name: `3.1` for the first exchange of connection 3.
    id: String,
    /// The exchanges on the other side of a proxy: the one that this one was made for, and those that were made for it.
    legs: Vec<String>,
}

impl ExchangeLegs {
    pub(super) fn new(connection: u32, index: u32, legs: &Legs) -> Self {
        let id = ExchangeId {
            connection,
            exchange: Some(index),
        };
        let before = legs.before(id).map(|it| it.client);
        let behind = legs.behind(id).iter().map(|it| it.upstream);
        Self {
            id: id.to_string(),
            legs: before
                .into_iter()
                .chain(behind)
                .map(|it| it.to_string())
                .collect(),
        }
    }
}

/// One pair, from one of its sides.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct LegRow {
    /// The exchange of this connection; the connection's number if it has none.
    exchange: String,
    /// The exchange on the other side of the proxy.
    leg: String,
    /// Its connection.
    connection: u32,
    /// Which side of the proxy that is: the client's, or the one behind it.
    #[cfg_attr(test, schemars(extend("enum" = ["client", "upstream"])))]
    side: &'static str,
    /// How sure it is.
    #[cfg_attr(test, schemars(extend("enum" = ["certain", "likely"])))]
    certainty: &'static str,
    /// What shows it: the same id, the client's address and port in the request, the same request within the time of the
    /// other, or time and hosts alone.
    #[cfg_attr(test, schemars(extend("enum" = ["id", "client", "request", "time"])))]
    basis: &'static str,
}

impl LegRow {
    /// The legs of a connection: first those towards the client.
    pub(super) fn all(connection: u32, legs: &Legs) -> Vec<Self> {
        let row = |own: ExchangeId, other: ExchangeId, side, leg: &Leg| Self {
            exchange: own.to_string(),
            leg: other.to_string(),
            connection: other.connection,
            side,
            certainty: leg.certainty.name(),
            basis: leg.basis.name(),
        };
        let before = legs.before_all(connection).iter();
        let before = before.map(|it| row(it.upstream, it.client, "client", it));
        let behind = legs.behind_all(connection).iter();
        let behind = behind.map(|it| row(it.client, it.upstream, "upstream", it));
        before.chain(behind).collect()
    }
}
