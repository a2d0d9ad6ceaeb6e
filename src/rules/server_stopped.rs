//! Whether a server's program stopped when it closed a connection: then no timer of an idle connection had run out.
//!
//! In: the summaries of all connections. Out: what shows the stop, for the findings on such a close. The next SYN to its port
//! was refused, or it closed at one instant several connections that had been idle for different times.

use std::collections::HashMap;
use std::time::Duration;

use super::keep_alive::{idle_timeout_close, keep_alive_promise_broken};
use super::rule::Diagnosis;
use super::statement::{Sentence, Value, sentence};
use crate::analysis::connection::{By, Connection, ConnectionSummary, How, Opening};
use crate::base::net::Endpoint;
use crate::base::time::Timestamp;
use crate::rules::Severity;

/// A program that stopped refuses connections from then on; one that starts again does so for some seconds.
const REFUSED_WITHIN: Duration = Duration::from_secs(5);
/// A program that stops closes all its connections within this time.
const AT_ONCE: Duration = Duration::from_millis(100);
/// Timers that run out at one instant began at one instant, but for the time that programs need.
const SAME: Duration = Duration::from_millis(50);

/// Whether a rule is on a close that a timer of an idle connection may have caused.
pub(super) fn concerns(rule: &str) -> bool {
    [
        idle_timeout_close::RULE.name,
        keep_alive_promise_broken::RULE.name,
    ]
    .contains(&rule)
}

/// The connections of each server.
pub(super) struct ServerStops<'a> {
    by_server: HashMap<Endpoint, OwnConnections<'a>, foldhash::fast::FixedState>,
}

#[derive(Default)]
struct OwnConnections<'a> {
    /// All, by their numbers, which are those of their first frames.
    opened: Vec<&'a ConnectionSummary>,
    /// Those that it closed after an idle time, by the time of the close.
    idle_closes: Vec<&'a ConnectionSummary>,
}

impl<'a> ServerStops<'a> {
    pub(super) fn new(all: &'a [ConnectionSummary]) -> Self {
        let mut by_server = HashMap::<_, OwnConnections<'a>, _>::default();
        for it in all {
            let own = by_server.entry(it.server).or_default();
            own.opened.push(it);
            if it.by == By::Server && it.idle > 0 {
                own.idle_closes.push(it);
            }
        }
        for own in by_server.values_mut() {
            own.idle_closes.sort_by_key(|it| it.close.time);
        }
        Self { by_server }
    }

    /// Makes a finding on an idle close one about a server that stopped, if it did. `false`: there is nothing left to find.
    pub(super) fn temper(
        &self,
        rule: &str,
        story: &mut Diagnosis,
        connection: &Connection,
    ) -> bool {
        let own = &connection.teardown;
        let broken = rule == keep_alive_promise_broken::RULE.name;
        let closed = own.by == By::Server && own.how != How::Open;
        if !closed {
            return true;
        }
        let refused = self.refused_after(connection);
        if !broken {
            return refused.is_none();
        }
        if let Some(sign) = refused.or_else(|| self.closed_with(connection)) {
            story.severity = Severity::Note;
            story.message.presume_no_more();
            story.message.say(sign);
            story
                .message
                .presume("The server's program was stopped or started again.");
            story.remedies = vec!["Change nothing if the server was stopped on purpose.".into()];
        }
        true
    }

    /// That the server refused the first connection after the close.
    fn refused_after(&self, connection: &Connection) -> Option<Sentence> {
        let at = connection.teardown.at;
        let opened = &self.by_server.get(&connection.server)?.opened;
        let from = opened.partition_point(|it| it.first.time <= at);
        let mut later = opened.get(from..)?.iter();
        let next = later.find(|it| it.context == connection.context)?;
        let after = next.first.time.since(at);
        (next.opening == Opening::Refused && after <= REFUSED_WITHIN).then(|| {
            sentence!(
                "{} after that close the server refused a connection to the same port ({}).",
                after,
                format!("#{}", next.id)
            )
        })
    }

    /// That the server closed other connections at the same time, which had been idle for longer or shorter.
    fn closed_with(&self, connection: &Connection) -> Option<Sentence> {
        let at = connection.teardown.at;
        let server = self.by_server.get(&connection.server)?;
        let place = server
            .opened
            .binary_search_by_key(&connection.id, |it| it.id);
        let own = server.opened.get(place.ok()?)?;
        let apart = |it: &ConnectionSummary| distance(it.close.time, at);
        let closes = &server.idle_closes;
        let from = closes.partition_point(|it| it.close.time < at && apart(it) > AT_ONCE);
        let near = closes.get(from..)?.iter();
        let near = near.take_while(|it| apart(it) <= AT_ONCE);
        let differs = |it: &&&ConnectionSummary| {
            let idle = Duration::from_millis(it.idle.abs_diff(own.idle).into());
            it.id != own.id && it.context == connection.context && idle > SAME.max(apart(it))
        };
        let count = near.filter(differs).count();
        (count > 0).then(|| {
            sentence!(
                "It closed {} at the same time, after other idle times.",
                Value::count(count as u64, "other connection", "other connections")
            )
        })
    }
}

fn distance(one: Timestamp, other: Timestamp) -> Duration {
    one.max(other).since(one.min(other))
}

#[cfg(test)]
mod tests {
    use crate::rules::Severity::{self, Note, Warning};
    use crate::rules::ladder_check;

    fn told(text: &str) -> Vec<(&'static str, Severity)> {
        let found = ladder_check::run(&text.parse().expect("a ladder")).findings;
        found.iter().map(|it| (it.rule, it.severity)).collect()
    }

    const PROMISE: &str = "client :1 server\nSYN -->\n<-- SYN\nACK -->\nGET / -->\n+1ms <-- 200 \"x\" [keep-alive=\"timeout=5\"]\n";

    /// A server that is stopped closes idle connections before their time. That is no broken promise.
    #[test]
    fn a_server_that_stops_breaks_no_promise() {
        let close = "+2s <-- FIN\nFIN -->\n<-- ACK\n";
        let next = "client :2 server\n+500ms SYN -->\n";
        for (after, severity) in [
            (String::new(), Warning),
            (format!("{next}<-- RST"), Note),
            (
                format!("{next}<-- SYN\nACK -->\nFIN -->\n<-- FIN\nACK -->"),
                Warning,
            ),
        ] {
            let all = told(&format!("{PROMISE}{close}{after}"));
            let own = all.iter().find(|it| it.0 == "keep-alive-promise-broken");
            assert_eq!(own.map(|it| it.1), Some(severity), "{after}: {all:?}");
        }
    }

    /// No timer closed what the end of a program closed.
    #[test]
    fn a_server_that_is_gone_had_no_timer() {
        let open = "client :1 server\nSYN -->\n<-- SYN\nACK -->\nGET / -->\n+1ms <-- 200 \"x\"\n+3s <-- FIN\nFIN -->\n<-- ACK\n";
        let gone = "client :2 server\n+500ms SYN -->\n<-- RST";
        let has = |text: &str| told(text).iter().any(|it| it.0 == "idle-timeout-close");
        assert!(has(open));
        assert!(!has(&format!("{open}{gone}")));
    }
}
