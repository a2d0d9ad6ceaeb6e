//! The leg behind a gateway: which failed connection in the same capture is the reason for a gateway's error response.
//!
//! In: the record of the client's connection and those of all others. A leg is taken for the reason if it failed while
//! the gateway had the request, and comes from the gateway's address or asks for the same target. One that only fits in
//! time is reported as a presumption, and only if there is no second one.

use std::time::Duration;

use super::Finding;
use super::facts::RuleInput;
use super::h2::h2_reset_stream;
use super::remedy::Remedy;
use super::rule::Diagnosis;
use super::statement::Sentence;
use super::waiting::{gateway_error, gateway_timeout};
use crate::analysis::connection::{By, Connection, How, Opening, ResetKind};
use crate::base::frame_ref::FrameNumber;
use crate::base::time::Timestamp;
use crate::protocol::http::{Exchange, Party, Protocol};

/// A gateway responds within this time after the leg behind it failed, if nothing but the time ties the two together.
const AT_ONCE: Duration = Duration::from_millis(100);
/// Clocks of two interfaces, and the order in which they are read.
const SLACK: Duration = Duration::from_millis(2);
/// Legs looked at for one answer.
const MOST: usize = 4096;

/// The failed connections of a capture, in the order of their failures.
pub(super) struct Legs<'a> {
    failed: Vec<(Timestamp, &'a Connection)>,
}

/// How a leg failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failure {
    Refused,
    NoAnswer,
    Reset,
    Closed,
    CutShort,
    GivenUp,
}

/// The leg that is the reason for a response.
struct Leg<'a> {
    connection: &'a Connection,
    failure: Failure,
    at: FrameNumber,
    /// By its address or its target, not by its time alone.
    tied: bool,
}

impl<'a> Legs<'a> {
    /// Those among the records that are kept; a failed connection always is.
    pub(super) fn new(facts: &RuleInput<'a>) -> Self {
        let connections = facts.connections.iter().map(AsRef::as_ref);
        let failed = connections.filter(|it| failure(it).is_some());
        let mut failed: Vec<_> = failed.map(|it| (it.teardown.at, it)).collect();
        failed.sort_by_key(|(at, it)| (*at, it.id));
        Self { failed }
    }

    /// The leg that made the gateway respond to this exchange of this connection as it did.
    fn behind(
        &self,
        connection: &Connection,
        exchange: &Exchange,
        at: Timestamp,
    ) -> Option<Leg<'a>> {
        let from = exchange.request.as_ref()?.message.first.time;
        let to = at.after(SLACK);
        let begin = self.failed.partition_point(|(at, _)| *at < from);
        let within = self.failed.get(begin..)?.iter();
        let within = within.take_while(|(at, _)| *at <= to).take(MOST);
        let others =
            within.filter(|(_, leg)| leg.id != connection.id && leg.server != connection.server);
        let legs = others.filter_map(|(_, leg)| fits(leg, connection, exchange, from));
        let mut legs: Vec<Leg<'a>> = legs.collect();
        let tied = legs.iter().rposition(|it| it.tied);
        match tied {
            Some(at) => Some(legs.swap_remove(at)),
            None => {
                let close = |it: &Leg<'_>| to.since(it.connection.teardown.at) <= AT_ONCE;
                let only = legs.len() == 1 && legs.iter().all(close);
                legs.pop().filter(|_| only)
            }
        }
    }
}

/// Whether this failed connection may be what the gateway did for this exchange.
fn fits<'a>(
    leg: &'a Connection,
    connection: &Connection,
    exchange: &Exchange,
    from: Timestamp,
) -> Option<Leg<'a>> {
    let failure = failure(leg)?;
    let asked = lost(leg);
    let began = asked
        .and_then(|it| it.request.as_ref())
        .map_or(leg.first.time, |it| it.message.first.time);
    if began < from {
        return None;
    }
    let target = |exchange: &Exchange| {
        let request = exchange.request.as_ref()?;
        Some((request.method, request.target.clone()?))
    };
    let same = asked.map(|it| target(it).is_some() && target(it) == target(exchange));
    let same_host =
        leg.client.ip == connection.server.ip && connection.client.ip != connection.server.ip;
    // A gateway may change the target; a request of the client itself is none of the gateway's.
    let possible = same_host || leg.client.ip != connection.client.ip || same == Some(true);
    let tied = same == Some(true) || same_host && same.is_none();
    if !possible || !tied && same == Some(false) && !same_host {
        return None;
    }
    Some(Leg {
        connection: leg,
        failure,
        at: leg.teardown.frame,
        tied,
    })
}

/// The first request of a leg that had no whole response when the leg was closed.
fn lost(leg: &Connection) -> Option<&Exchange> {
    let mut exchanges = leg.exchanges.iter();
    exchanges.find(|it| it.request.is_some() && (!it.is_complete() || !began_in_time(leg, it)))
}

/// Whether there is a response that began before the close.
fn began_in_time(leg: &Connection, exchange: &Exchange) -> bool {
    let answer = exchange.response.as_ref();
    answer.is_some_and(|it| it.message.first.time < leg.teardown.at)
}

/// How this connection failed its client.
fn failure(leg: &Connection) -> Option<Failure> {
    match leg.opening {
        Opening::Refused => return Some(Failure::Refused),
        Opening::Unanswered | Opening::Unreachable => return Some(Failure::NoAnswer),
        Opening::Rejected => return None,
        Opening::Handshake | Opening::Midstream => {}
    }
    let [client, server] = leg.sent;
    let answered = match (lost(leg), leg.protocol) {
        (Some(exchange), _) => began_in_time(leg, exchange),
        (None, Protocol::Opaque | Protocol::Unknown)
            if client.bytes > 0 && server.bytes == 0 && server.missing == 0 =>
        {
            false
        }
        _ => return None,
    };
    Some(match (leg.teardown.by, leg.teardown.how) {
        (By::Server, _) if answered => Failure::CutShort,
        (By::Server, How::Fin) => Failure::Closed,
        (By::Server, How::Reset(ResetKind::Abort | ResetKind::NoSocket)) => Failure::Reset,
        (By::Client, How::Fin | How::Reset(_)) if !answered => Failure::GivenUp,
        _ => return None,
    })
}

/// A sentence for a leg that is tied to the gateway's response, and for one that fits in time alone.
macro_rules! reason {
    ($leg:expr, $what:literal) => {{
        let leg = $leg;
        let server = leg.connection.server.to_string();
        let (at, id) = (leg.at, leg.connection.id);
        match leg.tied {
            true => Sentence::new(
                concat!("Behind it, ", $what, " ({}, #{})."),
                vec![server.into(), at.into(), id.into()],
            ),
            false => Sentence::new(
                concat!("Likely the reason: just before, ", $what, " ({}, #{})."),
                vec![server.into(), at.into(), id.into()],
            ),
        }
    }};
}

impl Leg<'_> {
    fn told(&self) -> Sentence {
        match self.failure {
            Failure::Refused => reason!(self, "{} refused a connection"),
            Failure::NoAnswer => reason!(self, "{} did not answer a SYN"),
            Failure::Reset => reason!(self, "{} reset a connection without a response"),
            Failure::Closed => reason!(self, "{} closed a connection without a response"),
            Failure::CutShort => reason!(self, "{} ended its response before it was complete"),
            Failure::GivenUp => reason!(
                self,
                "{} had not responded when that connection was closed from the gateway's side"
            ),
        }
    }
}

/// The exchange that a gateway failed, as a finding of this rule reports it first, and when.
fn failed<'c>(rule: &str, connection: &'c Connection) -> Option<(&'c Exchange, Timestamp)> {
    let statuses: &[u16] = match rule {
        _ if rule == gateway_error::RULE.name => &[502, 503],
        _ if rule == gateway_timeout::RULE.name => &[504],
        _ if rule == h2_reset_stream::RULE.name => {
            return connection.exchanges.iter().find_map(|it| {
                let reset = it.cut_by().filter(|it| it.by == Party::Responder)?;
                Some((it, reset.at.time))
            });
        }
        _ => return None,
    };
    connection.exchanges.iter().find_map(|it| {
        let status = it.status().filter(|status| statuses.contains(status))?;
        let told = status == 504 || gateway_error::is_told(it);
        let answer = it.response.as_ref().filter(|_| told)?;
        Some((it, answer.message.first.time))
    })
}

/// How the advice begins that is of no use when the leg behind the gateway is in the capture.
const CAPTURE_NEXT: &str = "Capture between the gateway and the server behind it";

/// Adds the leg behind the gateway to what is said about its response.
pub(super) fn explain(rule: &str, story: &mut Diagnosis, connection: &Connection, legs: &Legs<'_>) {
    let Some((exchange, at)) = failed(rule, connection) else {
        return;
    };
    match legs.behind(connection, exchange, at) {
        Some(leg) => {
            story.message.say(leg.told());
            let next = |it: &Remedy| it.text().starts_with(CAPTURE_NEXT);
            story.remedies.retain(|it| !next(it));
        }
        // Not every server that resets a stream is a gateway.
        None if rule == h2_reset_stream::RULE.name => {}
        None => story
            .message
            .say("The capture shows no failed connection behind the gateway."),
    }
}

/// Whether findings of this rule are explained by legs.
pub(super) fn is_gateways(rule: &str) -> bool {
    [
        gateway_error::RULE.name,
        gateway_timeout::RULE.name,
        h2_reset_stream::RULE.name,
    ]
    .contains(&rule)
}

/// Connections of a finding whose legs are looked for.
const EXAMINED: usize = 256;

/// Sets the cause of gateways' errors: the finding about the leg behind.
pub(super) fn join(findings: &mut [Finding], facts: &RuleInput<'_>, legs: &Legs<'_>) {
    for index in 0..findings.len() {
        let finding = &findings[index];
        if !is_gateways(finding.rule) || finding.caused_by.is_some() {
            continue;
        }
        let ids = finding.connections.iter().take(EXAMINED);
        let leg = ids.filter_map(|id| {
            let at = facts
                .connections
                .binary_search_by_key(id, |it| it.id)
                .ok()?;
            let connection = facts.connections.get(at)?;
            let (exchange, at) = failed(finding.rule, connection)?;
            Some(legs.behind(connection, exchange, at)?.connection.id)
        });
        let Some(leg) = leg.min() else { continue };
        let cause = findings.iter().find(|it| {
            !is_gateways(it.rule)
                && it.caused_by.is_none()
                && it.connections.binary_search(&leg).is_ok()
        });
        findings[index].caused_by = cause.map(|it| it.id);
    }
}

#[cfg(test)]
mod tests {
    use crate::rules::ladder_check;

    const ASKS: &str =
        "client 10.0.0.1:40000 server 10.0.0.2:80\nSYN -->\n<-- SYN\nACK -->\nGET /a -->\n";
    const TOLD: &str = "client 10.0.0.1:40000 server 10.0.0.2:80\n<-- 502 \"x\"\nACK -->";

    /// What is said about the gateway's 502 when this happens before it, and the rule that it follows from.
    fn told(between: &str) -> (String, Option<&'static str>) {
        let text = format!("{ASKS}{between}{TOLD}");
        let findings = ladder_check::run(&text.parse().expect("a ladder")).findings;
        let own = findings.iter().find(|it| it.rule == "gateway-error");
        let own = own.expect("a 502 is reported");
        let cause = own
            .caused_by
            .and_then(|id| findings.iter().find(|it| it.id == id));
        (own.message.to_string(), cause.map(|it| it.rule))
    }

    #[test]
    fn the_leg_that_failed_meanwhile_is_the_reason() {
        let legs = [
            (
                "SYN -->\n<-- RST",
                "refused a connection",
                "connection-refused",
            ),
            (
                "SYN -->\n<-- SYN\nACK -->\nGET /a -->\n<-- ACK\n+30ms <-- RST",
                "reset a connection without a response",
                "reset-before-response",
            ),
            (
                "SYN -->\n<-- SYN\nACK -->\nGET /a -->\n<-- ACK\n+30ms <-- FIN\nFIN -->\n<-- ACK",
                "closed a connection without a response",
                "closed-before-response",
            ),
        ];
        for (leg, words, rule) in legs {
            for from in ["10.0.0.2", "10.9.0.1"] {
                let (told, cause) = told(&format!(
                    "client {from}:50000 server 10.0.0.3:8080\n{leg}\n"
                ));
                assert!(told.contains(words) && told.contains(", #2)"), "{told}");
                assert_eq!(cause, Some(rule));
                let sure = from == "10.0.0.2" || leg.contains("GET");
                assert_eq!(told.contains("Likely the reason"), !sure, "{told}");
            }
        }
    }

    #[test]
    fn a_leg_of_another_request_or_another_time_is_none() {
        let none = |between: &str| {
            let (told, cause) = told(between);
            assert!(
                told.contains("shows no failed") && cause.is_none(),
                "{told}"
            );
        };
        none("");
        none(
            "client 10.9.0.1:50000 server 10.0.0.3:8080\nSYN -->\n<-- SYN\nACK -->\nGET /other -->\n<-- ACK\n<-- RST\n",
        );
        none(
            "client 10.9.0.1:50000 server 10.0.0.3:8080\nSYN -->\n<-- RST\nclient 10.0.0.1:1 server 10.0.0.4:9\n+1s \
             SYN -->\n<-- SYN\n",
        );
        // Two that fit in time alone: neither is named.
        none(
            "client 10.9.0.1:50000 server 10.0.0.3:8080\nSYN -->\n<-- RST\nclient 10.9.0.1:50001 server \
             10.0.0.4:80\nSYN -->\n<-- RST\n",
        );
    }

    #[test]
    fn a_stream_that_a_gateway_resets_follows_from_the_leg_too() {
        let text = "client 10.0.0.1:40000 server 10.0.0.2:80\nSYN -->\n<-- SYN\nh2 preface h2 SETTINGS h2 HEADERS 1 GET /a END -->\n\
                    <-- h2 SETTINGS h2 HEADERS 1 200 [content-length=4000] h2 DATA 1 500\n\
                    client 10.0.0.2:50000 server 10.0.0.3:8080\nSYN -->\n<-- SYN\nGET /a -->\n<-- 200 data 500 [length=4000]\n\
                    <-- FIN\nFIN -->\n<-- ACK\n\
                    client 10.0.0.1:40000 server 10.0.0.2:80\n<-- h2 RST_STREAM 1 INTERNAL_ERROR\nACK -->";
        let findings = ladder_check::run(&text.parse().expect("a ladder")).findings;
        let own = findings.iter().find(|it| it.rule == "h2-reset-stream");
        let own = own.expect("the reset is reported");
        assert!(
            own.message.contains("ended its response before"),
            "{}",
            own.message
        );
        assert!(own.caused_by.is_some());
    }
}
