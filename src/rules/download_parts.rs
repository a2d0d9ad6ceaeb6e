//! Downloads in parts: a client that fetches one target on several connections at once, each from another byte on, needs no
//! more of one of them than the next one begins with.
//!
//! In: the records of all connections. Out: which of them their client closed when it had its part, and which connection
//! fetched what follows. Download managers do so: they ask for everything from a byte on, and close.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use super::response::client_left_mid_response;
use super::rule::Diagnosis;
use super::statement::sentence;
use crate::analysis::connection::{By, Connection, Who};
use crate::base::net::Endpoint;
use crate::base::time::Timestamp;
use crate::protocol::http::Exchange;
use crate::rules::Severity;

/// What a client fetches: the client, the server, the target.
type Target<'a> = (IpAddr, Endpoint, &'a [u8]);

/// A request for a target from one byte on.
#[derive(Clone, Copy, Debug)]
struct Part {
    connection: u32,
    start: u64,
    asked_at: Timestamp,
}

/// The parts that were requested by their first byte.
#[derive(Debug, Default)]
pub(crate) struct DownloadParts<'a> {
    parts: HashMap<Target<'a>, Vec<Part>>,
}

impl<'a> DownloadParts<'a> {
    pub(crate) fn new(connections: &'a [Arc<Connection>]) -> Self {
        let mut parts = HashMap::<_, Vec<Part>>::new();
        for connection in connections {
            for exchange in &connection.exchanges {
                let begun = exchange.range_start().zip(target(connection, exchange));
                let request = exchange.request.as_ref();
                if let Some(((start, target), request)) = begun.zip(request) {
                    parts.entry(target).or_default().push(Part {
                        connection: connection.id,
                        start,
                        asked_at: request.message.first.time,
                    });
                }
            }
        }
        for of_one in parts.values_mut() {
            of_one.sort_by_key(|it| it.start);
        }
        Self { parts }
    }

    /// The numbers of the connections that their client closed when it had its part, ascending.
    pub(crate) fn had_their_part(&self, connections: &[Arc<Connection>]) -> Vec<u32> {
        if self.parts.is_empty() {
            return Vec::new();
        }
        let failed = connections.iter().filter(|it| it.outcome.is_failed());
        let had = failed.filter(|it| self.next_part(it).is_some());
        had.map(|it| it.id).collect()
    }

    /// The request for what follows on the part that this connection delivered, if its client closed it with that in hand.
    fn next_part(&self, connection: &Connection) -> Option<Part> {
        let exchange = connection.exchanges.last()?;
        let left = connection.teardown.by == By::Client && !exchange.is_complete();
        let response = exchange.response.as_ref().filter(|_| left)?;
        let start = match response.status {
            206 => exchange.range_start()?,
            200 => 0,
            _ => return None,
        };
        let had = connection.sent[Who::Server as usize].acknowledged;
        let end = start + had.saturating_sub(response.message.head_end());
        let parts = self.parts.get(&target(connection, exchange)?)?;
        let from = parts.partition_point(|it| it.start <= start);
        let next = parts.get(from)?;
        let meanwhile = next.asked_at < connection.teardown.at;
        (next.start <= end && meanwhile && next.connection != connection.id).then_some(*next)
    }
}

fn target<'a>(connection: &Connection, exchange: &'a Exchange) -> Option<Target<'a>> {
    let target = exchange.request.as_ref()?.target.as_ref()?;
    let by_itself = exchange.stream.is_none();
    by_itself.then(|| (connection.client.ip, connection.server, target.as_bytes()))
}

/// Says of a client that left in the middle of a response that it had its part: nothing is wrong then.
pub(super) fn temper(story: &mut Diagnosis, connection: &Connection, parts: &DownloadParts<'_>) {
    let Some(next) = parts.next_part(connection) else {
        return;
    };
    story.severity = Severity::Note;
    story.summary =
        "Client closed [the connection|# connections] with its part of a download".into();
    story.message.say(sentence!(
        "It had requested what follows from byte {} on by another connection (#{}) before it closed: the client fetches the target in \
         parts, and needed no more of this one.",
        next.start,
        next.connection
    ));
    story.message.leave_out_retry();
    story.remedies.clear();
}

/// Whether anything is to be said on findings of this rule.
pub(super) fn concerns(rule: &str) -> bool {
    rule == client_left_mid_response::RULE.name
}

#[cfg(test)]
mod tests {
    use crate::rules::{Severity, ladder_check};

    /// The first connection gets 3,000 bytes and is closed; `second` is requested meanwhile.
    fn found(first: &str, second: &str, closed: &str) -> (Vec<(&'static str, Severity)>, bool) {
        let text = format!(
            "client :1 server\nSYN -->\n<-- SYN\nGET /big {first}-->\n<-- 200 data 1000 [length=9000]\nACK -->\n\
             client :2 server\nSYN -->\n<-- SYN\nGET /big [range={second}] -->\n<-- 206 data 500 [length=500]\nACK -->\n\
             client :1 server\n<-- data 2000\nACK -->\n{closed}\n\
             client :2 server\nFIN -->\n<-- FIN\nACK -->"
        );
        let proof = ladder_check::run(&text.parse().expect("a ladder"));
        let found = proof.findings.iter().map(|it| (it.rule, it.severity));
        (found.collect(), proof.connections[0].outcome.is_failed())
    }

    #[test]
    fn a_client_that_has_its_part_of_a_download_has_lost_nothing() {
        use Severity::{Note, Warning};
        let by_client = "RST -->";
        for (second, severity) in [
            ("bytes=2500-", Note),
            ("bytes=3000-", Note),
            ("bytes=2500-8999", Note),
            // A hole remains between the two.
            ("bytes=3001-", Warning),
            // It begins where the first one did.
            ("bytes=0-", Warning),
            ("bytes=2500-2600,2900-", Warning),
            ("bytes=-500", Warning),
            ("lines=1-", Warning),
        ] {
            let (found, failed) = found("", second, by_client);
            assert_eq!(found, [("client-left-mid-response", severity)], "{second}");
            assert_eq!(failed, severity == Warning, "{second}");
        }
    }

    #[test]
    fn what_the_server_cut_is_lost_whoever_fetches_the_rest() {
        let (found, failed) = found("", "bytes=2500-", "<-- FIN\nFIN -->\n<-- ACK");
        assert!(
            found.iter().any(|it| it.0 == "response-cut-short") && failed,
            "{found:?}"
        );
    }
}
