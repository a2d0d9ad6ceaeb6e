//! The other leg: what happened on the other side of a proxy, as the reason for what a finding reports, or as what
//! followed from it.
//!
//! In: the table of legs ([`Legs`](crate::analysis::hosts::Legs)), the records, and the findings. A response of a gateway
//! names what failed behind it. A finding about one leg is a part of the finding about the other that it follows from, and that
//! one says what followed. Nothing is searched here: what is not in the table is not known.

use std::collections::HashMap;
use std::net::IpAddr;
use std::ops::Deref;
use std::time::Duration;

use super::Finding;
use super::facts::RuleInput;
use super::h2::{h2_reset_stream, websocket_abnormal_close};
use super::headline::Headline;
use super::members::NAMED;
use super::proxy_role::ProxyRole;
use super::refusals::is_gateway_limit;
use super::request::client_left_mid_upload;
use super::response::{client_left_mid_response, reset_mid_response, response_cut_short};
use super::rule::Diagnosis;
use super::statement::{Sentence, Value, sentence};
use super::waiting::{
    client_gave_up_waiting, closed_before_response, gateway_error, gateway_timeout,
    reset_before_response, server_error_status,
};
use super::wording::{UNSENT, UNSENT_UNTIL, named};
use crate::analysis::connection::{By, Connection, How, Opening, ResetKind, Who};
use crate::analysis::hosts::{ExchangeId, Leg, LegBasis, SLACK};
use crate::base::format::ranges;
use crate::base::frame_names::FrameNames;
use crate::base::frame_ref::{FrameNumber, FrameRef};
use crate::base::time::Timestamp;
use crate::protocol::http::{Exchange, Party, Protocol};
use crate::rules::Severity;

/// A proxy closes one leg within this time after the other was closed.
const AT_ONCE: Duration = Duration::from_millis(100);

/// When connections of a capture failed, ascending: whether any did while a gateway had a request, or its own before.
pub(super) struct Failures {
    all: Vec<Timestamp>,
    /// The same with their numbers, by the host that had opened them.
    by_client: HashMap<IpAddr, Vec<(Timestamp, u32)>, foldhash::fast::FixedState>,
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
    /// It did not fail by itself: the server behind it sent this error.
    Responded(u16),
}

/// The leg that is the reason for a response.
struct Reason<'a> {
    connection: &'a Connection,
    failure: Failure,
    at: FrameNumber,
    /// By its address or its request, not by its time alone.
    tied: bool,
}

impl Failures {
    /// Those among the records that are kept; a failed connection always is.
    pub(super) fn new(facts: &RuleInput<'_>) -> Self {
        let connections = facts.connections.iter();
        let failed = connections.filter(|it| failure(it, lost(it)).is_some());
        let mut all = Vec::new();
        let mut by_client = HashMap::<_, Vec<_>, _>::default();
        for it in failed {
            all.push(it.teardown.at);
            let own = by_client.entry(it.client.ip).or_default();
            own.push((it.teardown.at, it.id));
        }
        all.sort_unstable();
        by_client.values_mut().for_each(|own| own.sort_unstable());
        Self { all, by_client }
    }

    /// Whether any connection failed in this time.
    fn any(&self, from: Timestamp, to: Timestamp) -> bool {
        let first = self.all.partition_point(|at| *at < from);
        self.all.get(first).is_some_and(|at| *at <= to)
    }

    /// How many connections that this host had opened had failed until then, and the last of them.
    fn of(&self, host: IpAddr, until: Timestamp) -> Option<(usize, u32)> {
        let own = self.by_client.get(&host)?;
        let count = own.partition_point(|it| it.0 < until);
        let (_, last) = own.get(count.checked_sub(1)?)?;
        Some((count, *last))
    }
}

/// What made a proxy end this exchange as it did: of several attempts the last one that failed.
fn reason<'a>(facts: &RuleInput<'a>, connection: &Connection, index: usize) -> Option<Reason<'a>> {
    let id = ExchangeId::nth(connection, index);
    let legs = facts.legs.behind(id).iter();
    let reasons = legs.filter_map(|leg| behind(facts, connection, leg));
    reasons.max_by_key(|it| it.at)
}

fn behind<'a>(facts: &RuleInput<'a>, connection: &Connection, leg: &Leg) -> Option<Reason<'a>> {
    let made = facts.record(leg.upstream.connection)?;
    let exchange = leg.upstream.on(made);
    let error = exchange.filter(|it| it.is_complete() && it.status().is_some_and(|it| it >= 500));
    let told = error.and_then(|it| Some((it.status()?, it.response.as_ref()?.message.first.frame)));
    let (failure, at) = match told {
        Some((status, at)) => (Failure::Responded(status), at),
        None => (failure(made, exchange)?, made.teardown.frame),
    };
    Some(Reason {
        connection: made,
        failure,
        at,
        tied: leg.basis != LegBasis::Time || made.client.ip == connection.server.ip,
    })
}

/// The first request of a leg that had no whole response when the leg was closed.
fn lost(leg: &Connection) -> Option<&Exchange> {
    let mut exchanges = leg.spoken().iter();
    exchanges.find(|it| it.request.is_some() && (!it.is_complete() || !began_in_time(leg, it)))
}

/// Whether there is a response that began before the close.
fn began_in_time(leg: &Connection, exchange: &Exchange) -> bool {
    let answer = exchange.response.as_ref();
    answer.is_some_and(|it| it.message.first.time < leg.teardown.at)
}

/// How this connection failed its client, who waited for this response.
fn failure(leg: &Connection, waiting: Option<&Exchange>) -> Option<Failure> {
    match leg.opening {
        Opening::Refused => return Some(Failure::Refused),
        Opening::Unanswered | Opening::Unreachable => return Some(Failure::NoAnswer),
        Opening::Rejected => return None,
        Opening::Handshake | Opening::Midstream => {}
    }
    let [client, server] = leg.sent;
    let answered = match (waiting, leg.protocol) {
        (Some(it), _) if it.is_complete() && began_in_time(leg, it) => return None,
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
    ($leg:expr, $what:literal $(, $more:expr)*) => {{
        let leg = $leg;
        let server = leg.connection.server.to_string();
        let (at, id) = (leg.at, leg.connection.id);
        match leg.tied {
            true => Sentence::new(
                concat!("Behind it, ", $what, " ({}, #{})."),
                vec![server.into(), $($more.into(),)* at.into(), id.into()],
            ),
            false => Sentence::new(
                concat!("Just before, ", $what, " ({}, #{})."),
                vec![server.into(), $($more.into(),)* at.into(), id.into()],
            ),
        }
    }};
}

/// What is inferred of a leg that fits in time alone.
const THE_REASON: &str = "That was the reason.";

impl Reason<'_> {
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
            Failure::Responded(status) => {
                reason!(self, "{} responded with {} itself", status.to_string())
            }
        }
    }
}

/// Rules on what a proxy's client gets when something fails behind the proxy.
fn is_passed_on(rule: &str) -> bool {
    is_gateways(rule)
        || [
            server_error_status::RULE.name,
            response_cut_short::RULE.name,
            reset_mid_response::RULE.name,
            closed_before_response::RULE.name,
            reset_before_response::RULE.name,
        ]
        .contains(&rule)
}

/// Whether findings of this rule are about a gateway, so that something failed behind it.
pub(super) fn is_gateways(rule: &str) -> bool {
    [
        gateway_error::RULE.name,
        gateway_timeout::RULE.name,
        h2_reset_stream::RULE.name,
    ]
    .contains(&rule)
}

/// Whether findings of this rule are about the WebSocket that both legs of a proxy carry.
fn is_websocket(rule: &str) -> bool {
    rule == websocket_abnormal_close::RULE.name
}

/// Rules on a client that left; behind a proxy the proxy is the client, and leaves as its own client did.
fn is_leaving(rule: &str) -> bool {
    [
        client_gave_up_waiting::RULE.name,
        client_left_mid_response::RULE.name,
        client_left_mid_upload::RULE.name,
    ]
    .contains(&rule)
}

/// The exchange that a finding of this rule reports first, and when its client had it.
fn failed<'c>(rule: &str, connection: &'c Connection) -> Option<(usize, &'c Exchange, FrameRef)> {
    let spoken = || connection.spoken().iter().enumerate();
    let reset = |it: &Exchange| it.cut_by().filter(|it| it.by == Party::Responder);
    let with = |wanted: &dyn Fn(u16) -> bool| {
        spoken().find_map(|(index, it)| {
            let status = it.status().filter(|status| wanted(*status))?;
            let told = matches!(status, 500 | 501 | 504..) || gateway_error::is_told(it);
            let answer = it
                .response
                .as_ref()
                .filter(|_| told || rule == server_error_status::RULE.name)?;
            Some((index, it, answer.message.first))
        })
    };
    match rule {
        _ if rule == gateway_error::RULE.name => with(&|it| matches!(it, 502 | 503)),
        _ if rule == gateway_timeout::RULE.name => with(&|it| it == 504),
        _ if rule == server_error_status::RULE.name => with(&|it| it >= 500),
        _ if rule == h2_reset_stream::RULE.name => {
            spoken().find_map(|(index, it)| Some((index, it, reset(it)?.at)))
        }
        _ => {
            let (index, it) = spoken().find(|(_, it)| !it.is_complete())?;
            let at = reset(it).map_or(connection.teardown.frame_ref(), |it| it.at);
            Some((index, it, at))
        }
    }
}

/// How the advice begins that is of no use when the leg behind the gateway is in the capture.
const CAPTURE_NEXT: &str = "Capture between the gateway and the server behind it";
/// The same of advice for a gateway that asked no server.
const HAD_A_SERVER: &str = "Check whether the gateway had a server for the request";
/// How the advice begins for a server that closed an idle connection of the gateway.
const IDLE_TIMEOUTS: &str = "Compare the idle timeout of the server behind the gateway";
/// The advice where no other is left.
const FIX_THE_LEG: &str = "Fix what failed behind the gateway: the connection is named above.";

/// Adds the leg behind the proxy to what is said about its response.
pub(super) fn explain(
    rule: &str,
    story: &mut Diagnosis,
    connection: &Connection,
    facts: &RuleInput<'_>,
    failures: &impl Deref<Target = Failures>,
) {
    if !is_passed_on(rule) {
        return;
    }
    let Some((index, exchange, at)) = failed(rule, connection) else {
        return;
    };
    if let Some(reason) = reason(facts, connection, index) {
        story.message.say(reason.told());
        if !reason.tied {
            story.message.say(Sentence::from(THE_REASON).likely());
        }
        let is_idle_close = matches!(reason.failure, Failure::Closed | Failure::Reset);
        story.remedies.retain(|it| {
            let is = |start: &str| it.text().starts_with(start);
            !(is(CAPTURE_NEXT) || is(HAD_A_SERVER) || is(IDLE_TIMEOUTS) && !is_idle_close)
        });
        if is_gateways(rule) && story.remedies.is_empty() {
            story.remedies.push(FIX_THE_LEG.into());
        }
        return;
    }
    // Not every server that resets a stream is a gateway.
    let gateway =
        is_gateways(rule) && rule != h2_reset_stream::RULE.name && !is_gateway_limit(exchange);
    let from = exchange.request.as_ref().map(|it| it.message.first.time);
    let Some(from) = from.filter(|_| gateway) else {
        return;
    };
    if failures.any(from, at.time.after(SLACK)) {
        return;
    }
    match failures.of(connection.server.ip, from) {
        None => story.message.say(
            "The cause is not in this capture: it has no failed connection behind the gateway.",
        ),
        Some((count, last)) => {
            story.message.say(sentence!(
                "Before this request, {} that the gateway's host had opened had failed ({} last).",
                Value::count(count as u64, "connection", "connections"),
                format!("#{last}")
            ));
            let down = Sentence::from("The gateway had taken its servers for down.");
            story.message.say(down.likely());
        }
    }
}

/// Two connections of which one explains the other.
struct Tie {
    /// The index of the finding that follows.
    effect: usize,
    cause: usize,
    /// The pair that shows it.
    leg: Leg,
    /// How many connections of the effect are tied.
    times: usize,
    /// The effect's connections of the further pairs.
    others: Vec<u32>,
    /// Other findings from which other connections of the effect follow, each with the first pair.
    elsewhere: Vec<(usize, Leg)>,
}

/// Makes findings about the two legs of a proxy one story: the effect follows from its cause, and the cause says what
/// followed.
pub(super) fn join(findings: &mut [Finding], facts: &RuleInput<'_>) {
    if facts.legs.all().is_empty() {
        return;
    }
    for effect in 0..findings.len() {
        let finding = &findings[effect];
        if finding.caused_by.is_some() {
            continue;
        }
        let tie = match finding.rule {
            rule if is_passed_on(rule) => tie(findings, effect, facts, true),
            rule if is_leaving(rule) => tie(findings, effect, facts, false),
            rule if is_websocket(rule) => websocket_tie(findings, effect, facts),
            _ => None,
        };
        let Some(tie) = tie.filter(|it| !follows(findings, it.cause, it.effect)) else {
            continue;
        };
        let said = followed(&tie, &findings[effect], facts);
        findings[effect].caused_by = Some(findings[tie.cause].id);
        // What the client of the proxy got comes first; what the proxy did after that, last.
        let is_first = is_passed_on(findings[effect].rule);
        let tell = |cause: &mut Finding, said: Vec<Sentence>| match is_first {
            true => cause.message.say_first(said, facts.frames),
            false => {
                for sentence in said {
                    cause.message.say(sentence, facts.frames);
                }
            }
        };
        tell(&mut findings[tie.cause], said);
        for (cause, leg) in &tie.elsewhere {
            let told = first_followed(leg, &findings[effect], facts);
            if let Some(told) = told.filter(|_| !follows(findings, *cause, effect)) {
                tell(&mut findings[*cause], vec![told]);
            }
        }
        let cause = &findings[tie.cause];
        // Other connections of the finding may have no proxy.
        let all = tie.times == cause.connections.len();
        // What is said of the proxy's response says who made these connections.
        let made = cause.connections.contains(&tie.leg.upstream.connection);
        if made
            && cause.client.is_some()
            && cause.proxy == ProxyRole::None
            && is_gateways(findings[effect].rule)
        {
            let cause = &mut findings[tie.cause];
            cause.proxy = ProxyRole::Client;
            cause.message.set_proxy(ProxyRole::Client, facts.frames);
        }
        if is_first && all && made && passed_nothing_on(&tie, facts) {
            let cause = &mut findings[tie.cause];
            for (unsent, told) in NOT_PASSED_ON {
                cause.message.mean_instead(unsent, told, facts.frames);
            }
        }
        let cause = &mut findings[tie.cause];
        if is_websocket(cause.rule) && all && is_by_proxy(&tie.leg, facts) {
            cause.summary = Headline::of(&PROXY_CLOSED.into(), facts.frames, ProxyRole::None);
        }
    }
}

/// Whether `finding` follows from `other`, over any number of steps.
fn follows(findings: &[Finding], finding: usize, other: usize) -> bool {
    let mut at = finding;
    for _ in 0..findings.len() {
        if at == other {
            return true;
        }
        let cause = findings[at].caused_by;
        let next = cause.and_then(|id| findings.iter().position(|it| it.id == id));
        match next {
            Some(next) => at = next,
            None => return false,
        }
    }
    true
}

/// The finding about the other legs of this one's connections that it follows from. `behind`: they are on the side of the
/// servers.
fn tie(findings: &[Finding], effect: usize, facts: &RuleInput<'_>, behind: bool) -> Option<Tie> {
    let finding = &findings[effect];
    let legs = finding.connections.iter().filter_map(|id| {
        let connection = facts.record(*id)?;
        match behind {
            true => {
                let (index, ..) = failed(finding.rule, connection)?;
                let leg = facts
                    .legs
                    .behind(ExchangeId::nth(connection, index))
                    .last()?;
                Some((leg.upstream.connection, *leg))
            }
            false => {
                let leg = facts.legs.before_all(*id).last()?;
                let client = facts.record(leg.client.connection)?;
                let left = |it: &Connection| it.teardown.by == By::Client;
                let after = connection.teardown.at.after(SLACK) >= client.teardown.at
                    && connection.teardown.at.since(client.teardown.at) <= AT_ONCE;
                (left(client) && after).then_some((leg.client.connection, *leg))
            }
        }
    });
    let legs: Vec<(u32, Leg)> = legs.collect();
    most_tied(findings, effect, &legs, |it| match behind {
        true => it.severity >= Severity::Warning || it.rule == finding.rule,
        false => is_leaving(it.rule),
    })
}

/// The finding that is about most of these other legs of a finding's connections, if it is about half of them.
fn most_tied(
    findings: &[Finding],
    effect: usize,
    legs: &[(u32, Leg)],
    fits: impl Fn(&Finding) -> bool,
) -> Option<Tie> {
    let finding = &findings[effect];
    let mut best: Option<Tie> = None;
    let mut all: Vec<(usize, Leg)> = Vec::new();
    let others = findings.iter().enumerate();
    for (cause, it) in others.filter(|(_, it)| it.id != finding.id && fits(it)) {
        let own = legs
            .iter()
            .filter(|(id, _)| it.connections.binary_search(id).is_ok());
        let times = own.clone().count();
        let Some((_, leg)) = own.clone().next() else {
            continue;
        };
        all.push((cause, *leg));
        // Of two the one that follows from nothing is the cause of both.
        let better = best.as_ref().is_none_or(|best| times > best.times);
        if better && times * 2 >= finding.connections.len() {
            let others = own.skip(1).flat_map(|(_, leg)| leg.connections());
            let mut others: Vec<u32> = others
                .filter(|id| finding.connections.binary_search(id).is_ok())
                .collect();
            others.sort_unstable();
            others.dedup();
            best = Some(Tie {
                effect,
                cause,
                leg: *leg,
                times,
                others,
                elsewhere: Vec::new(),
            });
        }
    }
    if let Some(best) = &mut best {
        let told = best.leg.connections();
        let own = |leg: &Leg| {
            leg.connections()
                .iter()
                .any(|id| told.contains(id) || best.others.contains(id))
        };
        all.retain(|(cause, leg)| *cause != best.cause && !own(leg));
        best.elsewhere = all;
    }
    best
}

/// What it means for a proxy's client that the proxy's own connection was never used.
const NOT_PASSED_ON: [(&str, &str); 2] = [
    (
        UNSENT,
        "The proxy did not pass the request on: a retry is safe.",
    ),
    (
        UNSENT_UNTIL,
        "The proxy did not pass the request on: a retry is safe, but fails until the port accepts connections.",
    ),
];

/// Whether the proxy sent nothing on any of the connections that it made for this request: it may have tried several.
fn passed_nothing_on(tie: &Tie, facts: &RuleInput<'_>) -> bool {
    let mut legs = facts.legs.behind(tie.leg.client).iter();
    legs.all(|leg| {
        let made = facts.record(leg.upstream.connection);
        made.is_some_and(|it| it.sent[Who::Client as usize].bytes == 0)
    })
}

/// What a proxy did to a WebSocket of which it closed both legs.
const PROXY_CLOSED: &str = "Proxy closed [a WebSocket|# WebSockets] without a Close frame";

/// Whether the proxy closed both of its legs.
fn is_by_proxy(leg: &Leg, facts: &RuleInput<'_>) -> bool {
    let by = |id: u32| facts.record(id).map(|it| it.teardown.by);
    let (served, made) = (by(leg.client.connection), by(leg.upstream.connection));
    (served, made) == (Some(By::Server), Some(By::Client))
}

/// The finding about the same WebSocket on the other legs that this one follows from: that of the side that closed, and of
/// a proxy that closed both legs that of its client.
fn websocket_tie(findings: &[Finding], effect: usize, facts: &RuleInput<'_>) -> Option<Tie> {
    let finding = &findings[effect];
    let legs = finding.connections.iter().filter_map(|id| {
        let follows = |leg: &&Leg| {
            let other = if leg.upstream.connection == *id {
                leg.client
            } else {
                leg.upstream
            };
            let (own, other) = (facts.record(*id)?, facts.record(other.connection)?);
            let ends = [own, other].map(|it| it.teardown.at);
            let at_once = ends[0].since(ends[1]).max(ends[1].since(ends[0])) <= AT_ONCE;
            let is_effect = match leg.upstream.connection == *id {
                true => own.teardown.by == By::Client,
                false => (own.teardown.by, other.teardown.by) == (By::Server, By::Server),
            };
            (at_once && is_effect).then_some(other.id)
        };
        let own = facts.legs.before_all(*id).iter();
        let mut own = own.chain(facts.legs.behind_all(*id));
        own.find_map(|leg| Some((follows(&leg)?, *leg)))
    });
    let legs: Vec<(u32, Leg)> = legs.collect();
    most_tied(findings, effect, &legs, |it| it.rule == finding.rule)
}

/// What followed, in the words of the cause.
fn followed(tie: &Tie, effect: &Finding, facts: &RuleInput<'_>) -> Vec<Sentence> {
    let mut told = Vec::new();
    told.extend(first_followed(&tie.leg, effect, facts));
    if !tie.others.is_empty() && !told.is_empty() {
        told.push(sentence!(
            "The same happened on {}.",
            ranges(&tie.others, NAMED, 0)
        ));
    }
    told
}

/// The same of the first pair.
fn first_followed(leg: &Leg, effect: &Finding, facts: &RuleInput<'_>) -> Option<Sentence> {
    let client = facts.record(leg.client.connection)?;
    let frames: &FrameNames = facts.frames;
    let made = facts.record(leg.upstream.connection)?;
    let is_upstream = effect.connections.binary_search(&made.id).is_ok();
    let closed = format!(
        "{} (#{}, {})",
        made.server,
        made.id,
        frames.name(made.teardown.frame)
    );
    if is_websocket(effect.rule) && is_by_proxy(leg, facts) {
        return Some(sentence!(
            "At the same time the proxy ended its connection to the server behind it ({}).",
            Value::Places(
                vec![format!(
                    "#{}, {}",
                    made.id,
                    frames.name(made.teardown.frame)
                )],
                false
            )
        ));
    }
    if is_websocket(effect.rule) && !is_upstream {
        return Some(sentence!(
            "The proxy then closed the connection of its client ({}).",
            Value::Places(
                vec![format!(
                    "#{}, {}",
                    client.id,
                    frames.name(client.teardown.frame)
                )],
                false
            )
        ));
    }
    if is_leaving(effect.rule) || is_websocket(effect.rule) {
        return Some(sentence!(
            "The proxy then closed its connection to {}.",
            Value::Places(vec![closed], false)
        ));
    }
    let (_, exchange, at) = failed(effect.rule, client)?;
    let request = named(exchange);
    let place = format!("#{}, {}", client.id, frames.name(at.frame));
    let place = Value::Places(vec![place], false);
    Some(match exchange.status().filter(|_| exchange.is_complete()) {
        Some(status) => sentence!(
            "The proxy responded with {} to its client for {} ({}).",
            status.to_string(),
            request,
            place
        ),
        None => sentence!(
            "The proxy sent its client no whole response to {} ({}).",
            request,
            place
        ),
    })
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
                assert_eq!(
                    told.contains("Likely: that was the reason"),
                    !sure,
                    "{told}"
                );
            }
        }
    }

    /// A gateway that found its servers dead before the request does not ask them again.
    #[test]
    fn what_failed_before_the_request_is_told() {
        for (host, words) in [
            (
                "10.0.0.2",
                "2 connections that the gateway's host had opened had failed (#2 last)",
            ),
            ("10.0.0.9", "no failed connection behind the gateway"),
        ] {
            let refused = |port: u16| {
                format!("client {host}:{port} server 10.0.0.3:8080\nSYN -->\n<-- RST\n")
            };
            let text = format!("{}{}{ASKS}{TOLD}", refused(50000), refused(50001))
                .replace("SYN -->\n<-- SYN", "+1s SYN -->\n<-- SYN");
            let findings = ladder_check::run(&text.parse().expect("a ladder")).findings;
            let own = findings.iter().find(|it| it.rule == "gateway-error");
            let told = own.expect("a 502 is reported").message.to_string();
            assert!(told.contains(words), "{told}");
        }
    }

    /// What the leg rules out is no advice.
    #[test]
    fn advice_follows_the_leg_that_is_named() {
        const IDLE: &str = "Compare the idle timeout";
        for (leg, status, idle) in [
            ("SYN -->\n<-- RST", 502, false),
            ("SYN -->\n<-- RST", 503, false),
            (
                "SYN -->\n<-- SYN\nACK -->\nGET /a -->\n<-- ACK\n+30ms <-- FIN\nFIN -->\n<-- ACK",
                502,
                true,
            ),
        ] {
            let body = "upstream connect error or disconnect/reset before headers";
            let answer = TOLD.replace("502 \"x\"", &format!("{status} \"{body}\""));
            let text = format!("{ASKS}client 10.0.0.2:50000 server 10.0.0.3:8080\n{leg}\n{answer}");
            let findings = ladder_check::run(&text.parse().expect("a ladder")).findings;
            let own = findings.iter().find(|it| it.rule == "gateway-error");
            let own = &own.expect("a gateway's error is reported").remedies;
            let has = |start: &str| own.iter().any(|it| it.starts_with(start));
            assert_eq!(has(IDLE), idle, "{own:?}");
            assert!(!has(super::HAD_A_SERVER) && !own.is_empty(), "{own:?}");
        }
    }

    #[test]
    fn the_story_begins_with_what_the_client_got() {
        let leg = "client 10.0.0.2:50000 server 10.0.0.3:8080\nSYN -->\n<-- RST\n";
        let text = format!("{ASKS}{leg}{TOLD}");
        let findings = ladder_check::run(&text.parse().expect("a ladder")).findings;
        let own = findings.iter().find(|it| it.rule == "connection-refused");
        let told = own.expect("the refusal is reported").message.to_string();
        let wanted = "The proxy responded with 502 to its client for `GET /a` (#1, frame 7). The proxy's connection attempt \
                      was refused";
        assert!(told.starts_with(wanted), "{told}");
        assert!(told.ends_with("The proxy did not pass the request on: a retry is safe, but fails until the port accepts connections."), "{told}");
    }

    #[test]
    fn a_leg_of_another_request_or_another_time_is_none() {
        let none = |between: &str| {
            let (told, cause) = told(between);
            let named = told.contains("Behind it") || told.contains("Likely: that was the reason");
            assert!(!named && cause.is_none(), "{told}");
            told
        };
        assert!(none("").contains("has no failed connection"));
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
                    client 10.0.0.2:50000 server 10.0.0.3:8080\nSYN -->\n<-- SYN\nGET /a -->\n<-- 200 data 500 [length=4000]\n\
                    client 10.0.0.1:40000 server 10.0.0.2:80\n\
                    <-- h2 SETTINGS h2 HEADERS 1 200 [content-length=4000] h2 DATA 1 500\n\
                    client 10.0.0.2:50000 server 10.0.0.3:8080\n<-- FIN\nFIN -->\n<-- ACK\n\
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

    #[test]
    fn a_websocket_on_both_legs_is_one_story() {
        let ws = "[connection=Upgrade upgrade=websocket]";
        let client = "client 10.0.0.1:40000 server 10.0.0.2:80\n";
        let behind = "client 10.0.0.2:50000 server 10.0.0.3:9000\n";
        let told = |end: &str| {
            let text = format!(
                "{client}SYN -->\n<-- SYN\nACK -->\nGET /ws {ws} -->\n{behind}SYN -->\n<-- SYN\nACK -->\nGET /ws {ws} -->\n\
                 <-- 101 {ws}\n{client}<-- 101 {ws}\nws text 5 -->\n{behind}ws text 5 -->\n{end}"
            );
            let findings = ladder_check::run(&text.parse().expect("a ladder")).findings;
            let mut own = findings
                .iter()
                .filter(|it| it.rule == "websocket-abnormal-close");
            let (one, two) = (own.next().expect("one"), own.next().expect("two"));
            let (cause, effect) = match one.caused_by {
                None => (one, two),
                Some(_) => (two, one),
            };
            assert_eq!((cause.caused_by, effect.caused_by), (None, Some(cause.id)));
            format!("{}. {}", cause.headline(), cause.message)
        };
        let by_proxy = told(&format!("{client}+3s <-- FIN\n{behind}FIN -->\n<-- FIN\n"));
        assert!(
            by_proxy.starts_with("Proxy closed a WebSocket"),
            "{by_proxy}"
        );
        assert!(by_proxy.contains("behind it (#2, "), "{by_proxy}");
        let by_server = told(&format!(
            "{behind}+3s <-- FIN\nFIN -->\n{client}<-- FIN\nFIN -->\n"
        ));
        assert!(
            by_server.starts_with("Server closed a WebSocket"),
            "{by_server}"
        );
        assert!(by_server.contains("of its client (#1, "), "{by_server}");
        let by_client = told(&format!(
            "{client}+3s FIN -->\n<-- FIN\n{behind}FIN -->\n<-- FIN\n"
        ));
        assert!(
            by_client.starts_with("Client closed a WebSocket"),
            "{by_client}"
        );
        assert!(by_client.contains("The proxy then closed"), "{by_client}");
    }
}
