//! The limits on what an analysis keeps: one table, from which the report's lines and the one in `docs/architecture.md`
//! come.

use super::local::MAX_SOCKETS;
use super::logs::MAX_PIPED;
use super::told::MAX_REMEMBERED;
use crate::analysis::engine::{
    ALL_SUMMARY_BYTES, EngineStats, GivenUp, MAX_CLOSED, MAX_KEPT, MAX_LIVE,
    MAX_LIVE_EXCHANGE_BYTES, MAX_PRESENT, MAX_QUESTIONS, MAX_QUIC, MAX_SPLIT, MAX_STREAM_BYTES,
    MAX_WAITING_BYTES, PARTITIONS, RECORD_BYTES, SUMMARY_BYTES, VIEW_SUMMARY_BYTES,
};
use crate::analysis::hosts::{MAX_ALIKE, MAX_PAIRS};
use crate::logs::MAX_KEPT_BYTES;
use crate::packet::capture::{
    FileSummary, MAX_COMMENTS, MAX_FRAME_COMMENTS, MAX_INTERFACES, MAX_NAMES, MAX_RUNS,
    MAX_SECRET_BYTES,
};
use crate::packet::decode::{MAX_CONTEXTS, MAX_DATAGRAMS, MAX_FRAGMENT_BYTES, MAX_PIECES};
use crate::packet::places::{self, MAX_FLOWS, MAX_ITEMS};
use crate::protocol::dns::{MAX_ADDRESSES, MAX_IN_SEGMENT, MAX_LOOKUPS, MAX_RECORDS};
use crate::protocol::h2::{MAX_GOAWAYS, MAX_OPEN, MAX_STREAMS, MAX_WEBSOCKETS};
use crate::protocol::http::{
    MAX_CODED, MAX_DECODED, MAX_DECODERS, MAX_EXCHANGES, MAX_FAULTS, MAX_FIELDS, MAX_INTERIM,
    MAX_SAMPLE, MAX_TEXT_KEPT,
};
use crate::protocol::layers::{MAX_EARLY, MAX_HELD, MAX_PLACES, MAX_TUNNELS};
use crate::protocol::tcp::{MAX_GAPS, MAX_HELD_BYTES, MAX_HELD_PIECES};
use crate::protocol::tls::secrets::{KeyStoreCounts, MAX_LOST, MAX_SESSIONS, MAX_TIMES};
use crate::protocol::tls::{
    MAX_ALERTS, MAX_CERTIFICATE_NAMES, MAX_CERTIFICATES, MAX_LIST, MAX_WAITING,
};
use crate::report::snapshot::LimitHit;
use crate::rules::MAX_GIVEN_UP_CASES;

/// One limit.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    /// Its name in reports, kebab case.
    pub name: &'static str,
    /// Its values, over all partitions, and what each of them counts.
    pub values: &'static [(usize, &'static str)],
    /// What the report says after the count of what was beyond it.
    pub line: &'static str,
}

/// All limits at which something is lost that a reader could miss. Left out are those of a page or a screen, which say
/// themselves what they leave out, and those that no valid input reaches.
pub const LIMITS: [Limit; 41] = [
    Limit {
        name: "open-connections",
        values: &[(MAX_LIVE * PARTITIONS, "connections")],
        line: "connections were judged before their end, because too many were open at once",
    },
    Limit {
        name: "settled-connections",
        values: &[
            (SUMMARY_BYTES * PARTITIONS, "bytes"),
            (ALL_SUMMARY_BYTES * PARTITIONS, "bytes for the screens"),
            (
                VIEW_SUMMARY_BYTES * PARTITIONS,
                "bytes between two views of what goes on",
            ),
        ],
        line: "connections were judged and counted but are not listed; patterns across connections come from the others",
    },
    Limit {
        name: "records",
        values: &[(RECORD_BYTES * PARTITIONS, "bytes")],
        line: "listed connections were judged and counted, but their details are gone",
    },
    Limit {
        name: "older-connections",
        values: &[(MAX_KEPT, "connections")],
        line: "connections were forgotten, the oldest first, to make room for newer ones",
    },
    Limit {
        name: "findings-apart",
        values: &[(MAX_GIVEN_UP_CASES * PARTITIONS, "findings")],
        line: "cases on connections without details are reported without client and server, because there were too many",
    },
    Limit {
        name: "late-segments",
        values: &[(MAX_CLOSED * PARTITIONS, "closed connections")],
        line: "segments arrived after their connection was judged; they count for none",
    },
    Limit {
        name: "reassembly",
        values: &[
            (MAX_STREAM_BYTES * PARTITIONS, "bytes"),
            (MAX_HELD_BYTES, "bytes of one direction"),
            (MAX_HELD_PIECES, "segments of one direction"),
            (MAX_GAPS, "holes of one direction"),
        ],
        line: "holes in byte streams were skipped, because too much data waited behind them",
    },
    Limit {
        name: "unfinished",
        values: &[
            (MAX_WAITING_BYTES * PARTITIONS, "bytes"),
            (MAX_WAITING, "bytes of one handshake message"),
        ],
        line: "times a head, a handshake or a record was read no further, because too much waited for its end",
    },
    Limit {
        name: "exchanges",
        values: &[
            (MAX_LIVE_EXCHANGE_BYTES * PARTITIONS, "bytes"),
            (MAX_EXCHANGES, "exchanges of one connection"),
            (MAX_STREAMS, "HTTP/2 streams of one connection"),
        ],
        line: "exchanges were dropped unjudged, the oldest of connections with very many",
    },
    Limit {
        name: "h2-streams",
        values: &[(MAX_OPEN, "open streams of one connection")],
        line: "HTTP/2 streams were not followed to their end, because too many of one connection were open at once",
    },
    Limit {
        name: "goaways",
        values: &[(MAX_GOAWAYS, "GOAWAYs of one side of a connection")],
        line: "GOAWAYs were not kept, between the first few of one side, with the first error among them, and its last",
    },
    Limit {
        name: "websockets",
        values: &[(MAX_WEBSOCKETS, "of one connection")],
        line: "WebSockets on HTTP/2 streams were not kept, of connections with very many: first those that closed cleanly",
    },
    Limit {
        name: "nested-tunnels",
        values: &[(MAX_TUNNELS as usize, "tunnels inside tunnels")],
        line: "tunnels inside so many tunnels were not decoded: their content is not read",
    },
    Limit {
        name: "tls-alerts",
        values: &[(MAX_ALERTS, "alerts of one connection")],
        line: "TLS alerts were not kept, of connections with very many: first those that end nothing",
    },
    Limit {
        name: "certificates",
        values: &[
            (MAX_CERTIFICATES, "certificates of one chain"),
            (MAX_CERTIFICATE_NAMES, "names of one certificate"),
        ],
        line: "certificates, and names in them, were not read, after the first of each",
    },
    Limit {
        name: "tls-offers",
        values: &[(MAX_LIST, "entries of one list")],
        line: "ciphers, versions and protocols that clients of TLS offer were not kept, after the first of each",
    },
    Limit {
        name: "decryption",
        values: &[
            (MAX_HELD, "bytes that wait for keys"),
            (MAX_LOST as usize, "lost records in a row"),
            (MAX_EARLY, "records of early data"),
        ],
        line: "times decryption stopped, because too much data waited for keys, or too many records were lost",
    },
    Limit {
        name: "record-offsets",
        values: &[(MAX_PLACES, "records of one direction")],
        line: "times every other offset of decrypted records was forgotten: how much of them had arrived at a close is \
               known less exactly",
    },
    Limit {
        name: "texts",
        values: &[(MAX_TEXT_KEPT, "bytes")],
        line: "targets, hosts and product names are cut: … stands for the rest",
    },
    Limit {
        name: "header-fields",
        values: &[(MAX_FIELDS, "fields of one head")],
        line: "header fields were not kept, of heads with very many",
    },
    Limit {
        name: "informational-responses",
        values: &[(MAX_INTERIM, "of one exchange")],
        line: "informational responses were not kept, of exchanges with very many",
    },
    Limit {
        name: "faults",
        values: &[
            (MAX_FAULTS, "faults of one message"),
            (MAX_SAMPLE, "bytes of a malformed response"),
        ],
        line: "faults of messages and frames were not kept, after the first few of each",
    },
    Limit {
        name: "content-codings",
        values: &[
            (MAX_DECODERS * PARTITIONS, "bodies at once"),
            (MAX_CODED as usize, "bytes of one body"),
            (MAX_DECODED as usize, "bytes that it stands for"),
        ],
        line: "bodies with a content coding were not checked to their end, because they were too long, or too many came at \
               once",
    },
    Limit {
        name: "fragments",
        values: &[
            (MAX_FRAGMENT_BYTES, "bytes"),
            (MAX_DATAGRAMS, "datagrams"),
            (MAX_PIECES, "fragments of one datagram"),
        ],
        line: "IP fragments were dropped, because too many waited for the rest of their datagram",
    },
    Limit {
        name: "lookups",
        values: &[(MAX_LOOKUPS, "lookups")],
        line: "lookups of names were not kept, after very many",
    },
    Limit {
        name: "dns-answers",
        values: &[
            (MAX_ADDRESSES, "addresses of one answer"),
            (MAX_RECORDS, "records of one answer"),
            (MAX_IN_SEGMENT, "messages of one segment"),
            (MAX_LOOKUPS, "addresses of all clients"),
        ],
        line: "records of DNS answers, and messages of one segment, were not kept, after the first of each: whether a \
               client looked up an address that is among them is not known",
    },
    Limit {
        name: "quic-connections",
        values: &[(MAX_QUIC, "connections")],
        line: "QUIC packets belong to connections that were not counted, after very many",
    },
    Limit {
        name: "neighbours",
        values: &[(MAX_QUESTIONS, "pairs of hosts"), (MAX_PRESENT, "hosts")],
        line: "ARP questions and senders were not kept, after very many",
    },
    Limit {
        name: "tunnels",
        values: &[(MAX_CONTEXTS, "tunnels")],
        line: "packets came through more tunnels than are distinguished",
    },
    Limit {
        name: "vlans",
        values: &[(MAX_SPLIT * PARTITIONS, "pairs of addresses and ports")],
        line: "packets were not distinguished from those with the same addresses and ports in another VLAN",
    },
    Limit {
        name: "socket-pairs",
        values: &[(MAX_PAIRS, "pairs of hosts")],
        line: "connections are not in the sockets table, which had too many clients and servers",
    },
    Limit {
        name: "legs",
        values: &[(MAX_ALIKE, "requests that are alike at once")],
        line: "requests were not paired with the other side of a proxy, because too many alike were in progress at once",
    },
    Limit {
        name: "key-log-sessions",
        values: &[(MAX_SESSIONS, "sessions")],
        line: "sessions of key logs were dropped, the oldest first: their connections stay encrypted",
    },
    Limit {
        name: "key-log-secrets",
        values: &[(MAX_TIMES, "places of one session")],
        line: "secrets of sessions that key logs repeat very often were dropped",
    },
    Limit {
        name: "file-descriptions",
        values: &[
            (MAX_COMMENTS, "comments"),
            (MAX_FRAME_COMMENTS, "comments on packets"),
            (MAX_NAMES, "names"),
            (MAX_INTERFACES, "interfaces"),
            (MAX_SECRET_BYTES, "bytes of secrets of one file"),
        ],
        line: "comments, names, interfaces and secrets of capture files were not kept",
    },
    Limit {
        name: "frame-runs",
        values: &[(MAX_RUNS, "runs")],
        line: "changes between several files were not recorded: frames after them have their number in all files together",
    },
    Limit {
        name: "places",
        values: &[
            (MAX_ITEMS, "frames"),
            (places::MAX_HELD_BYTES, "bytes"),
            (MAX_FLOWS, "connections of one place"),
        ],
        line: "packets were not looked for at the other place of capture, because too many waited: whether they passed both is not known",
    },
    Limit {
        name: "sightings",
        values: &[(places::MAX_SIGHTINGS, "segments")],
        line: "packets were lost, forged or changed between two places of capture without being listed one by one, after very many",
    },
    Limit {
        name: "log-lines",
        values: &[
            (MAX_KEPT_BYTES, "bytes of the lines of one log"),
            (MAX_PIPED, "bytes of a log that comes through a pipe"),
        ],
        line: "lines of logs were counted and not compared, because there were too many in the capture's time",
    },
    Limit {
        name: "local-sockets",
        values: &[(MAX_SOCKETS, "sockets")],
        line: "sockets and events of this host were forgotten, because too many came at once: their programs and the reasons of their resets are not shown",
    },
    Limit {
        name: "findings-remembered",
        values: &[(MAX_REMEMBERED, "findings")],
        line: "findings already reported live were forgotten; if they recurred, they were reported again",
    },
];

/// The limit of what is kept of this host's sockets, if it was hit.
pub(super) fn local_sockets(count: u64) -> Option<LimitHit> {
    beside("local-sockets", count)
}

/// What was beyond each limit.
pub(super) struct Beyond<'a> {
    pub(super) stats: &'a EngineStats,
    pub(super) given_up: &'a GivenUp,
    /// Connections that are not in the sockets table.
    pub(super) without_sockets: u64,
    /// Cases that are told without their client and server.
    pub(super) cases: u64,
    /// What was dropped from the key store.
    pub(super) keys: KeyStoreCounts,
    pub(super) files: &'a [FileSummary],
    /// Findings that were told during the capture and forgotten.
    pub(super) forgotten: u64,
    /// Requests that had too many alike to be paired.
    pub(super) unpaired: u64,
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

/// The limit of lines that are compared, if it was hit.
pub(super) fn log_lines(count: u64) -> Option<LimitHit> {
    beside("log-lines", count)
}

/// A limit of what stands beside the packets, if it was hit.
fn beside(name: &str, count: u64) -> Option<LimitHit> {
    let limit = LIMITS.iter().find(|it| it.name == name)?;
    (count > 0).then_some(LimitHit {
        name: limit.name,
        count,
        meaning: limit.line,
    })
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
            "quic-connections" => self.stats.quic.let_go(),
            "neighbours" => self.stats.neighbours.let_go(),
            "tunnels" => bounds.tunnels,
            "socket-pairs" => self.without_sockets,
            "key-log-sessions" => self.keys.dropped,
            "key-log-secrets" => self.keys.let_go,
            "findings-apart" => self.cases,
            "late-segments" => bounds.stragglers,
            "h2-streams" => bounds.streams,
            "texts" => bounds.texts,
            "header-fields" => bounds.fields,
            "informational-responses" => bounds.interim,
            "faults" => bounds.faults,
            "content-codings" => bounds.codings,
            "file-descriptions" => self.files.iter().map(|it| it.left_out).sum(),
            "dns-answers" => self.stats.lookups.unread(),
            "goaways" => bounds.goaways,
            "websockets" => bounds.websockets,
            "nested-tunnels" => bounds.inner_tunnels,
            "tls-alerts" => bounds.alerts,
            "certificates" => bounds.certificates,
            "tls-offers" => bounds.offers,
            "decryption" => bounds.decryption,
            "record-offsets" => bounds.places,
            "vlans" => bounds.vlans,
            "findings-remembered" => self.forgotten,
            "places" => self
                .files
                .iter()
                .filter_map(|it| it.vantage.as_ref())
                .map(|it| it.hurried)
                .sum(),
            "sightings" => self.files.iter().map(|it| it.more_sightings).sum(),
            "legs" => self.unpaired,
            "frame-runs" => self.files.iter().map(|it| it.more_runs).sum(),
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::analysis::connection::{By, ConnectionOutcome, FineReason, How, Phase};
    use crate::analysis::engine::LimitCount;
    use crate::base::passage::Vantage;

    #[test]
    fn each_limit_has_its_count_and_its_line() {
        let bounds = LimitCount {
            forgotten: 2,
            shed: 3,
            stragglers: 4,
            holes: 5,
            unfinished: 6,
            exchanges: 7,
            fragments: 8,
            tunnels: 9,
            fields: 10,
            interim: 11,
            faults: 12,
            texts: 13,
            streams: 14,
            inner_tunnels: 24,
            decryption: 25,
            places: 26,
            goaways: 27,
            websockets: 28,
            alerts: 29,
            certificates: 30,
            offers: 31,
            vlans: 32,
            codings: 34,
        };
        let stats = EngineStats {
            bounds,
            ..EngineStats::default()
        };
        let mut given_up = GivenUp {
            records: 15,
            ..GivenUp::default()
        };
        let ending = (
            By::Server,
            How::Open,
            Phase::Opaque,
            ConnectionOutcome::Fine(FineReason::Complete),
        );
        given_up.endings.insert(ending, 19);
        let files = [FileSummary {
            left_out: 17,
            more_runs: 18,
            more_sightings: 37,
            vantage: Some(Box::new(Vantage {
                hurried: 35,
                ..Vantage::default()
            })),
            ..FileSummary::default()
        }];
        let hit = hits(&Beyond {
            stats: &stats,
            given_up: &given_up,
            without_sockets: 20,
            cases: 21,
            keys: KeyStoreCounts {
                let_go: 22,
                dropped: 23,
                ..KeyStoreCounts::default()
            },
            files: &files,
            forgotten: 33,
            unpaired: 36,
        });
        let counts: BTreeSet<u64> = hit.iter().map(|it| it.count).collect();
        // Those of lookups (two), QUIC and neighbours are private to them; logs and sockets are joined later.
        assert_eq!(
            (hit.len(), counts.len()),
            (LIMITS.len() - 6, LIMITS.len() - 6)
        );
        assert_eq!(log_lines(1).map(|it| it.count), Some(1));
        assert_eq!(local_sockets(2).map(|it| it.count), Some(2));
        let names: BTreeSet<_> = LIMITS.iter().map(|it| it.name).collect();
        assert_eq!(names.len(), LIMITS.len());
    }

    /// The table in the architecture's page has these rows; the message of the test is the table.
    #[test]
    fn the_page_has_the_table() {
        let mut table = String::new();
        for limit in &LIMITS {
            let values = limit
                .values
                .iter()
                .map(|(value, of)| format!("{value} {of}"));
            let values = values.collect::<Vec<_>>().join(", ");
            table += &format!("| `{}` | {values} | {} |\n", limit.name, limit.line);
        }
        let page = include_str!("../../docs/architecture.md");
        assert!(page.contains(&table), "{table}");
    }
}
