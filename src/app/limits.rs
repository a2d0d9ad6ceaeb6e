//! The limits on what an analysis keeps: one table, from which the report's lines and the one in `docs/architecture.md`
//! come.

use crate::analysis::engine::{
    EngineStats, GivenUp, MAX_KEPT, MAX_LIVE, MAX_LIVE_EXCHANGE_BYTES, MAX_QUESTIONS,
    MAX_STREAM_BYTES, MAX_WAITING_BYTES, PARTITIONS, RECORD_BYTES, SUMMARY_BYTES,
};
use crate::analysis::hosts::MAX_PAIRS;
use crate::packet::decode::{MAX_CONTEXTS, MAX_FRAGMENT_BYTES};
use crate::protocol::dns::MAX_LOOKUPS;
use crate::protocol::tls::secrets::MAX_SESSIONS;
use crate::report::snapshot::LimitHit;

/// One limit.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    /// Its name in reports, kebab case.
    pub name: &'static str,
    /// Its value, over all partitions.
    pub value: usize,
    /// What `value` counts.
    pub unit: &'static str,
    /// What the report says after the count of what was beyond it.
    pub line: &'static str,
}

/// All limits whose effect on the report is more than the length of a text.
pub const LIMITS: [Limit; 13] = [
    Limit {
        name: "open-connections",
        value: MAX_LIVE * PARTITIONS,
        unit: "connections",
        line: "connections were judged before their end, because too many were open at once",
    },
    Limit {
        name: "settled-connections",
        value: SUMMARY_BYTES * PARTITIONS,
        unit: "bytes",
        line: "connections were judged and counted, and are not listed; patterns across connections are judged from \
               the others",
    },
    Limit {
        name: "records",
        value: RECORD_BYTES * PARTITIONS,
        unit: "bytes",
        line: "listed connections were judged and counted, and their details are gone",
    },
    Limit {
        name: "older-connections",
        value: MAX_KEPT,
        unit: "connections",
        line: "connections were forgotten, the oldest first, to make room for newer ones",
    },
    Limit {
        name: "reassembly",
        value: MAX_STREAM_BYTES * PARTITIONS,
        unit: "bytes",
        line: "holes in a byte stream were given up, because too much waited behind them",
    },
    Limit {
        name: "unfinished",
        value: MAX_WAITING_BYTES * PARTITIONS,
        unit: "bytes",
        line: "times a head, a handshake or a record was read no further, because too much waited for its end",
    },
    Limit {
        name: "exchanges",
        value: MAX_LIVE_EXCHANGE_BYTES * PARTITIONS,
        unit: "bytes",
        line: "exchanges were let go unjudged, the oldest of connections with very many",
    },
    Limit {
        name: "fragments",
        value: MAX_FRAGMENT_BYTES,
        unit: "bytes",
        line: "IP fragments were let go, because too many waited for their siblings",
    },
    Limit {
        name: "lookups",
        value: MAX_LOOKUPS,
        unit: "lookups",
        line: "lookups of names were not kept, after very many",
    },
    Limit {
        name: "neighbours",
        value: MAX_QUESTIONS,
        unit: "pairs of hosts",
        line: "ARP questions were not kept, after very many",
    },
    Limit {
        name: "tunnels",
        value: MAX_CONTEXTS,
        unit: "tunnels",
        line: "packets came through tunnels beyond the number that is told apart",
    },
    Limit {
        name: "socket-pairs",
        value: MAX_PAIRS,
        unit: "pairs of hosts",
        line: "connections are not in the sockets table, which had too many clients and servers",
    },
    Limit {
        name: "key-log-sessions",
        value: MAX_SESSIONS,
        unit: "sessions",
        line: "sessions of key logs were dropped, the oldest first: their connections stay encrypted",
    },
];

/// What was beyond each limit.
pub(super) struct Beyond<'a> {
    pub(super) stats: &'a EngineStats,
    pub(super) given_up: &'a GivenUp,
    /// Connections that are not in the sockets table.
    pub(super) without_sockets: u64,
    /// Sessions dropped from the key store.
    pub(super) sessions: u64,
}

/// The limits that were hit.
pub(super) fn hits(beyond: &Beyond<'_>) -> Vec<LimitHit> {
    let hits = LIMITS.iter().map(|limit| LimitHit {
        name: limit.name,
        count: beyond.count(limit.name),
        meaning: limit.line,
    });
    hits.filter(|hit| hit.count > 0).collect()
}

impl Beyond<'_> {
    fn count(&self, name: &str) -> u64 {
        let bounds = &self.stats.bounds;
        match name {
            "open-connections" => bounds.forgotten,
            "settled-connections" => self.given_up.connections().saturating_sub(bounds.shed),
            "records" => self.given_up.records,
            "older-connections" => bounds.shed,
            "reassembly" => bounds.holes,
            "unfinished" => bounds.unfinished,
            "exchanges" => bounds.exchanges,
            "fragments" => bounds.fragments,
            "lookups" => self.stats.lookups.let_go(),
            "neighbours" => self.stats.neighbours.let_go(),
            "tunnels" => bounds.tunnels,
            "socket-pairs" => self.without_sockets,
            "key-log-sessions" => self.sessions,
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table in the architecture's page has these rows; the message of the test is the table.
    #[test]
    fn the_page_has_the_table() {
        let mut table = String::new();
        for limit in &LIMITS {
            table += &format!(
                "| `{}` | {} {} | {} |\n",
                limit.name, limit.value, limit.unit, limit.line
            );
        }
        let page = include_str!("../../docs/architecture.md");
        assert!(page.contains(&table), "{table}");
    }
}
