//! One connection that was captured before and behind an address translation, as on all interfaces of a router, or that a
//! file holds again after its end: the record has it twice.
//!
//! In: the records that are kept. Out: for the second of such a pair the first, and the other way round. Nothing on the way
//! changes the numbers of TCP in a translation of addresses, so both sides began with the same ones, at the same time, from the
//! same port. A fault of such a connection is told once.

use std::sync::Arc;

use hashbrown::{HashMap, HashSet};

use crate::analysis::connection::{Connection, Who};
use crate::base::seq::Seq;

/// The pairs of one capture.
#[derive(Debug, Default)]
pub(super) struct Translated {
    /// By the number of the second.
    first: HashMap<u32, u32, foldhash::fast::FixedState>,
    /// By the number of the first.
    second: HashMap<u32, u32, foldhash::fast::FixedState>,
    /// What a file holds again.
    copies: HashSet<u32, foldhash::fast::FixedState>,
}

/// What both have in common.
type Key = (u16, Seq, Option<Seq>);

impl Translated {
    /// The pairs among these connections, which are in the order of their first segments.
    pub(super) fn new(connections: &[Arc<Connection>]) -> Self {
        let mut latest: HashMap<Key, &Connection, foldhash::fast::FixedState> = HashMap::default();
        let mut pairs = Self::default();
        for connection in connections {
            let [Some(client), server] = connection.isn else {
                continue;
            };
            let key = (connection.client.port, client, server);
            let Some(one) = latest.insert(key, connection) else {
                continue;
            };
            let translated = is_translated(one, connection) && !pairs.first.contains_key(&one.id);
            if translated {
                pairs.second.insert(one.id, connection.id);
                pairs.first.insert(connection.id, one.id);
            }
            if is_copy(one, connection) {
                pairs.copies.insert(connection.id);
            }
        }
        pairs
    }

    /// Whether the capture holds this connection a second time, as the first of the two shows it.
    pub(super) fn is_copy(&self, id: u32) -> bool {
        self.copies.contains(&id)
    }

    /// The connection that was captured before the translation, if this is the same behind it.
    pub(super) fn before(&self, id: u32) -> Option<u32> {
        self.first.get(&id).copied()
    }

    /// The same connection behind the translation.
    pub(super) fn behind(&self, id: u32) -> Option<u32> {
        self.second.get(&id).copied()
    }
}

/// Whether a file that holds its traffic twice has it again.
fn is_copy(one: &Connection, other: &Connection) -> bool {
    (one.client, one.server, one.first.time) == (other.client, other.server, other.first.time)
}

/// Whether one began while the other was opened, at other addresses, and both sides sent as much.
fn is_translated(one: &Connection, other: &Connection) -> bool {
    let opened = one.connect_time.map(|time| one.first.time.after(time));
    let opened = opened.unwrap_or(one.last.time);
    let bytes = |it: &Connection| Who::BOTH.map(|who| it.sent[who as usize].bytes);
    let elsewhere = one.client.ip != other.client.ip || one.server != other.server;
    elsewhere
        && one.client_syn
        && other.client_syn
        && other.first.time >= one.first.time
        && other.first.time <= opened
        && bytes(one) == bytes(other)
}

#[cfg(test)]
mod tests {
    use crate::rules::ladder_check;

    /// Ladders begin with the same sequence numbers unless they name others.
    #[test]
    fn what_one_connection_lost_is_told_once() {
        let before = "client :40000 server 10.0.0.2:80\n";
        let told = |text: &str| {
            let proof = ladder_check::run(&text.parse().expect("a ladder"));
            let lost = proof
                .findings
                .into_iter()
                .filter(|it| it.rule == "reset-before-response");
            let told = lost.map(|it| (it.connections, it.message.to_string()));
            let (connections, messages): (Vec<_>, Vec<_>) = told.unzip();
            (connections.concat(), messages.concat())
        };
        let inside = |port: &str, target: &str| {
            let behind = format!("client {port} server 10.0.9.2:8080\n");
            format!(
                "{before}SYN -->\n{behind}+100us SYN -->\n+100us <-- SYN\n{before}+50us <-- SYN\nGET /x -->\n\
                 {behind}+50us GET /{target} -->\n+300ms <-- RST\n{before}+50us <-- RST"
            )
        };
        let (connections, message) = told(&inside(":40000", "x"));
        assert_eq!(connections, [1], "{message}");
        assert!(message.contains("#2 is the same connection"), "{message}");
        let one = "SYN -->\n<-- SYN\nGET /x -->\n+300ms <-- RST\n";
        let after = format!("{before}{one}client :40000 server 10.0.9.2:8080\n+100ms {one}");
        for other in [inside(":40001", "x"), inside(":40000", "other"), after] {
            assert_eq!(told(&other).0, [1, 2], "{other}");
        }
    }
}
