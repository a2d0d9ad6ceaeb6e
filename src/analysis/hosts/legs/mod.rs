//! The legs of proxies: which exchanges are the two sides of one request that a proxy passed on.
//!
//! In: the records that are kept, of one capture or several. Out: [`Legs`], a table of pairs: an exchange that a proxy
//! served, and one that it made for it. One exchange may have several legs, one after the other, where the proxy retried;
//! a leg may have legs of its own behind a second proxy. A connection that failed before a request (refused, not
//! answered) is a leg as a whole.
//!
//! `item` reads what is compared of an exchange, `fit` compares two, `candidates` finds those that can belong together:
//! by ids, by the end of the path, and by time for what has neither. `pairing` decides. Where two fit equally well, none is taken:
//! alike requests at the same time are no pair. `inside_tls` compares what is hidden in TLS by its turns. Left out: legs of which
//! both sides are hidden, and exchanges whose records are not kept.

mod candidates;
mod fit;
mod inside_tls;
mod item;
mod leg;
mod pairing;
#[cfg(test)]
mod tests;
mod unkept;

use std::sync::Arc;

use crate::analysis::connection::{Connection, ConnectionSummary};

pub(crate) use candidates::MAX_ALIKE;
pub(crate) use fit::SLACK;
pub use leg::{ExchangeId, Leg, LegBasis};

/// All legs of a capture.
#[derive(Clone, Debug, Default)]
pub struct Legs {
    /// In the order of their clients' exchanges, then of their own.
    by_client: Vec<Leg>,
    /// In their own order; each exchange is a leg of one other at most.
    by_upstream: Vec<Leg>,
    left_out: u64,
}

impl Legs {
    /// The legs among these connections, which are in the order of their numbers. `summaries`: all connections, those whose
    /// records are not kept too.
    #[must_use]
    pub fn new(connections: &[Arc<Connection>], summaries: &[ConnectionSummary]) -> Self {
        let (mut by_client, left_out) = pairing::pairs(connections, summaries);
        by_client.sort_by_key(|it| (it.client, it.upstream));
        let mut by_upstream = by_client.clone();
        by_upstream.sort_by_key(|it| it.upstream);
        Self {
            by_client,
            by_upstream,
            left_out,
        }
    }

    /// The legs that a proxy made for this exchange, in order of their connections.
    #[must_use]
    pub fn behind(&self, id: ExchangeId) -> &[Leg] {
        range(&self.by_client, |it| it.client, id)
    }

    /// The exchange that a proxy made this one for.
    #[must_use]
    pub fn before(&self, id: ExchangeId) -> Option<&Leg> {
        range(&self.by_upstream, |it| it.upstream, id).first()
    }

    /// The legs behind all exchanges of this connection.
    #[must_use]
    pub fn behind_all(&self, connection: u32) -> &[Leg] {
        range(&self.by_client, |it| it.client.connection, connection)
    }

    /// The legs that exchanges of this connection are, or the connection itself is.
    #[must_use]
    pub fn before_all(&self, connection: u32) -> &[Leg] {
        range(&self.by_upstream, |it| it.upstream.connection, connection)
    }

    /// All of them, in the order of their clients' exchanges.
    #[must_use]
    pub fn all(&self) -> &[Leg] {
        &self.by_client
    }

    /// Exchanges that were not paired because too many alike were in progress at once.
    #[must_use]
    pub(crate) const fn left_out(&self) -> u64 {
        self.left_out
    }
}

/// Those of a sorted list with this key.
fn range<K: Ord>(legs: &[Leg], key: fn(&Leg) -> K, wanted: K) -> &[Leg] {
    let from = legs.partition_point(|it| key(it) < wanted);
    let to = legs.partition_point(|it| key(it) <= wanted);
    legs.get(from..to).unwrap_or_default()
}
