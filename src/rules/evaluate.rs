//! Evaluates all rules over all connections; equal cases are merged into one finding.

use super::download_parts::{self, DownloadParts};
use super::facts::RuleInput;
use super::ftp_data::Transfers;
use super::gathered::{Gathered, GivenUpCases, put};
use std::borrow::Cow;
use std::cell::LazyCell;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::alone::{FoundAlone, found_alone, temper};
use super::capture_elsewhere;
use super::cases::{CaseKey, Cases};
use super::catalogue::CATALOGUE;
use super::held;
use super::members::NAMED;
use super::product_remedies::tailor;
use super::proxy_role::ProxySockets;
use super::recovered_legs;
use super::retry;
use super::rule::{Check, HostDiagnosis, Rule, Verdict};
use super::server_stopped::{self, ServerStops};
use super::silent_host::{self, BetweenHosts};
use super::statement::sentence;
use super::translated::Translated;
use super::upstream::{self, Failures};
use super::{Finding, Severity};
use crate::analysis::connection::{Connection, ConnectionSummary, Opening, ResetSigns, Who};
use crate::analysis::hosts::Hosts;

use crate::base::escape::shortened;
use crate::base::format::ranges;
use crate::base::frame_ref::FrameNumber;
use crate::base::net::Endpoint;
use crate::rules::connecting::{accept_queue_overflow, connection_refused};
use crate::rules::keep_alive::{keep_alive_race, reuse_of_forgotten_connection};
use crate::rules::request::request_retried;
use crate::rules::tcp::{
    close_wait_leak, data_lost_in_reset, nat_invalid_reset, reset_after_response,
};
use crate::rules::tls::tls_handshake_cut;
use crate::rules::waiting::{
    client_gave_up_waiting, periodic_abandoned_request, reset_before_response, server_error_status,
    server_time_limit, session_cut,
};

/// Rules whose findings cause one another when they are about the same two hosts, cause first.
const STORY: [&str; 6] = [
    "duplicate-connection-close",
    "keep-alive-refused",
    "connection-per-request",
    "time-wait-on-client",
    "ephemeral-port-pressure",
    "ephemeral-ports-exhausted",
];

/// The findings, worst first, then by number of connections, then by first frame; numbered from 1. Notes on connections that
/// failed come before other notes.
#[must_use]
pub fn evaluate(facts: &RuleInput<'_>) -> Vec<Finding> {
    evaluate_with(facts, None)
}

/// The same, with what was found on connections whose details are given up.
#[must_use]
pub(crate) fn evaluate_with(
    facts: &RuleInput<'_>,
    given_up: Option<&GivenUpCases>,
) -> Vec<Finding> {
    let mut gathered = Gathered::default();
    let failures = LazyCell::new(|| Failures::new(facts));
    let in_use = LazyCell::new(|| tls_handshake_cut::InUse::new(facts));
    let between = LazyCell::new(|| BetweenHosts::new(facts.summaries));
    let stops = LazyCell::new(|| ServerStops::new(facts.summaries));
    let parts = LazyCell::new(|| DownloadParts::new(facts.connections));
    // What one connection lacks, the others may lack as well.
    let lossy = LazyCell::new(|| facts.summaries.iter().any(|it| it.missing));
    let transfers = Transfers::new(facts);
    let mut raced = keep_alive_race::lay_unread(facts);
    let mut taken_over = session_cut::taken_over(facts);
    let race = CATALOGUE
        .iter()
        .position(|rule| rule.name == keep_alive_race::RULE.name);
    let translated = Translated::new(facts.connections);
    for connection in facts.connections {
        if translated.is_copy(connection.id) {
            continue;
        }
        let own = found_alone(connection);
        // Its faults are those of the same connection before the translation.
        let before = translated.before(connection.id).filter(|_| !own.is_empty());
        let before = before.and_then(|id| facts.record(id));
        let told: Vec<usize> = before.map_or_else(Vec::new, |it| {
            found_alone(it).into_iter().map(|it| it.rule).collect()
        });
        let behind = translated.behind(connection.id);
        for FoundAlone { rule, mut story } in own {
            let mut index = rule;
            let rule = CATALOGUE[rule];
            if transfers.spares(rule, connection) || told.contains(&index) {
                continue;
            }
            if rule.name == close_wait_leak::RULE.name {
                if is_closed_beyond(connection.id, &translated, facts) {
                    continue;
                }
                if *lossy {
                    close_wait_leak::temper(&mut story);
                }
            }
            if let Some(behind) = behind {
                story.message.say(sentence!(
                    "{} is the same connection behind an address translation.",
                    format!("#{behind}")
                ));
            }
            if rule.name == tls_handshake_cut::RULE.name {
                tls_handshake_cut::temper(&mut story, connection, &in_use);
            }
            let is_idle_close = server_stopped::concerns(rule.name);
            if is_idle_close && !stops.temper(rule.name, &mut story, connection) {
                continue;
            }
            if download_parts::concerns(rule.name) {
                download_parts::temper(&mut story, connection, &parts);
            }
            upstream::explain(rule.name, &mut story, connection, facts, &failures);
            if silent_host::concerns(rule.name) {
                silent_host::explain(rule.name, &mut story, connection, facts, &between);
            }
            if rule.name == reset_before_response::RULE.name
                && let Some((at, raced)) = race.zip(raced.remove(&connection.id))
            {
                (index, *story) = (at, raced);
            }
            if rule.name == session_cut::RULE.name
                && let Some(taken) = taken_over.remove(&connection.id)
            {
                *story = taken;
            }
            let name = CATALOGUE[index].name;
            recovered_legs::temper(name, &mut story, &[connection.id], facts);
            let key = CaseKey::of(index, &story, connection);
            gathered.add(key, Cases::of(*story, connection));
        }
    }
    if let Some(given_up) = given_up {
        gathered.merge(given_up.gathered());
    }
    let mut all = gathered.into_cases();
    let reservation = given_up.and_then(GivenUpCases::reservation);
    // What a file holds twice happened once.
    let across = RuleInput {
        summaries: facts.counted_once,
        ..*facts
    };
    for (key, mut cases) in evaluate_summaries(&across) {
        if let Some(reservation) = reservation
            .clone()
            .filter(|_| !cases.connections.is_empty())
        {
            cases.message.say(reservation);
        }
        put(&mut all, key, cases);
    }
    let mut cases: Vec<(CaseKey, Cases)> = all.into_iter().collect();
    for (_, it) in &mut cases {
        it.connections.sort_unstable();
    }
    drop_told(&mut cases);
    cases.sort_by_key(|(key, cases)| {
        (
            Reverse(key.severity),
            key.severity == Severity::Note && !any_failed(&cases.connections, facts),
            Reverse(cases.in_all()),
            cases.first,
            key.rule,
        )
    });
    let proxies = ProxySockets::new(facts);
    let findings = cases.into_iter().zip(1..);
    let findings = findings.map(|((key, cases), id)| made(key, cases, id, facts, &proxies));
    let mut findings: Vec<Finding> = findings.collect();
    join(&mut findings);
    upstream::join(&mut findings, facts);
    join_certificates(&mut findings, facts);
    join_refusals(&mut findings, facts);
    join_unaccepted(&mut findings, facts);
    transfers.name(&mut findings, facts.frames);
    name(&mut findings, facts);
    tailor(&mut findings, facts);
    for finding in &mut findings {
        name_proxy(finding);
    }
    capture_elsewhere::leave_out(&mut findings, facts);
    held::tell(&mut findings, facts);
    findings
}

/// Whether the same connection on the other side of a translation has the close that may be missing on this side.
fn is_closed_beyond(id: u32, translated: &Translated, facts: &RuleInput<'_>) -> bool {
    let same = translated.behind(id).or_else(|| translated.before(id));
    let same = same.and_then(|id| facts.record(id));
    same.is_some_and(|it| {
        it.fin.iter().all(Option::is_some) || it.reset.iter().any(Option::is_some)
    })
}

/// Whether one of these connections failed: a note on it is told before other notes.
fn any_failed(ids: &[u32], facts: &RuleInput<'_>) -> bool {
    let mut ids = ids.iter();
    ids.any(|id| facts.record(*id).is_some_and(|it| it.outcome.is_failed()))
}

/// The finding of these cases.
fn made(
    key: CaseKey,
    mut cases: Cases,
    id: u32,
    facts: &RuleInput<'_>,
    proxies: &ProxySockets,
) -> Finding {
    let proxy = proxies.role(key.client, key.server);
    cases.message.set_proxy(proxy);
    Finding {
        id,
        example: cases.example.connection,
        rule: CATALOGUE[key.rule].name,
        severity: key.severity,
        certainty: key.certainty,
        client: key.client,
        server: key.server,
        proxy,
        caused_by: None,
        summary: super::headline::Headline::of(&cases.summary, facts.frames, proxy),
        message: cases.message.text(facts.frames),
        evidence: cases.evidence,
        remedies: cases.remedies.shown(cases.count),
        connections: cases.connections,
        gone: cases.gone,
        times: cases.times,
    }
}

/// Calls the side that is a proxy so where the text is not made of sentences.
fn name_proxy(finding: &mut Finding) {
    let proxy = finding.proxy;
    let notes = finding.evidence.iter_mut().map(|it| &mut it.note);
    for text in notes.chain(&mut finding.remedies) {
        if let Cow::Owned(renamed) = proxy.in_text(text) {
            *text = renamed;
        }
    }
}

/// A status that several answers have after the same time is told by the rule on that time.
fn drop_told(cases: &mut Vec<(CaseKey, Cases)>) {
    let rule = |key: &CaseKey| CATALOGUE[key.rule].name;
    // What was lost with a connection that another one's RST ended is told with that RST.
    let of = |name: &str| {
        let own = cases.iter().filter(|(key, _)| rule(key) == name);
        let ids = own.flat_map(|(_, cases)| cases.connections.iter().copied());
        let mut ids: Vec<u32> = ids.collect();
        ids.sort_unstable();
        ids
    };
    let told = of(server_time_limit::RULE.name);
    let ended = of(nat_invalid_reset::RULE.name);
    // What a timer sends again is no retry.
    let timed = of(periodic_abandoned_request::RULE.name);
    // That a session was cut by a RST is said with the session.
    let cut = of(session_cut::RULE.name);
    cases.retain(|(key, cases)| {
        let all = |told: &[u32]| {
            cases.gone == 0
                && cases
                    .connections
                    .iter()
                    .all(|id| told.binary_search(id).is_ok())
        };
        match rule(key) {
            own if own == server_error_status::RULE.name => !all(&told),
            own if own == data_lost_in_reset::RULE.name => !all(&ended),
            own if own == reset_after_response::RULE.name => !all(&cut),
            own if own == request_retried::RULE.name => !all(&timed),
            _ => true,
        }
    });
}

/// The places of the findings of these rules.
fn of_rules(findings: &[Finding], rules: &[&str]) -> Vec<usize> {
    let all = findings.iter().enumerate();
    all.filter(|(_, it)| rules.contains(&it.rule))
        .map(|(nth, _)| nth)
        .collect()
}

/// Rules on a flaw that the server's certificate shows.
const FLAWS: [&str; 2] = ["tls-name-mismatch", "tls-certificate-expired"];

/// Where TLS 1.3 hides a certificate that was refused, another connection may show it: the same server, asked for the same
/// name, sent one with a flaw.
fn join_certificates(findings: &mut [Finding], facts: &RuleInput<'_>) {
    let names = |finding: &Finding| {
        let records = facts.records(&finding.connections).into_iter();
        let names = records.map(|it| it.tls.as_ref()?.sni().map(str::to_owned));
        names.collect::<Option<Vec<String>>>()
    };
    let is_hidden = |finding: &Finding| {
        let records = facts.records(&finding.connections);
        let mut tls = records.iter().map(|it| it.tls.as_ref());
        tls.all(|it| it.is_some_and(|tls| tls.leaf().is_none() && !tls.has_broken_certificate()))
    };
    let flaws = of_rules(findings, &FLAWS);
    if flaws.is_empty() {
        return;
    }
    for effect in of_rules(findings, &["tls-certificate-rejected"]) {
        let finding = &findings[effect];
        if finding.caused_by.is_some() || !is_hidden(finding) {
            continue;
        }
        let Some(asked) = names(finding).filter(|it| !it.is_empty()) else {
            continue;
        };
        let shows = |it: &Finding| {
            it.server == finding.server
                && it.caused_by.is_none()
                && names(it).is_some_and(|shown| asked.iter().all(|name| shown.contains(name)))
        };
        let Some(cause) = flaws.iter().copied().find(|at| shows(&findings[*at])) else {
            continue;
        };
        let place = ranges(&finding.connections, NAMED, finding.gone);
        findings[effect].caused_by = Some(findings[cause].id);
        findings[cause].message.say(
            sentence!(
                "On {} the client refused a certificate that is encrypted. The client had asked for the same name, so it is \
                 probably the same certificate.",
                place
            ),
            facts.frames,
        );
    }
}

/// A client that lost its connection to a RST tries again: a refusal within this time belongs to it.
const TRIES_AGAIN: Duration = Duration::from_secs(1);

/// A RST with a TTL of its own ended a connection, and one with the same TTL refused the next: both have one cause.
fn join_refusals(findings: &mut [Finding], facts: &RuleInput<'_>) {
    let ends = of_rules(findings, &[reuse_of_forgotten_connection::RULE.name]);
    if ends.is_empty() {
        return;
    }
    for effect in of_rules(findings, &[connection_refused::RULE.name]) {
        let finding = &findings[effect];
        if finding.caused_by.is_some() {
            continue;
        }
        let own = facts.records(&finding.connections);
        let Some(first) = own
            .first()
            .filter(|_| own.len() == finding.connections.len())
        else {
            continue;
        };
        let refused = first.reset[Who::Server as usize];
        let fits = |it: &Finding| {
            if it.caused_by.is_some() {
                return None;
            }
            let before = it.connections.first().and_then(|id| facts.record(*id))?;
            let reset = before.reset[Who::Server as usize]?;
            let since = first.first.time.since(reset.frame_ref.time);
            let same = before.client.ip == first.client.ip
                && before.server == first.server
                && refused.is_some_and(|it| it.ttl == reset.ttl)
                && reset.signs.has(ResetSigns::HOP);
            (same && reset.frame_ref < first.first && since <= TRIES_AGAIN).then_some(since)
        };
        let mut causes = ends.iter().copied();
        let Some((cause, since)) = causes.find_map(|at| Some((at, fits(&findings[at])?))) else {
            continue;
        };
        let place = ranges(&finding.connections, NAMED, finding.gone);
        let told = sentence!(
            "But {} later a RST with the same TTL refused a new connection ({}): a retry fails until the port accepts connections.",
            since,
            place
        );
        findings[effect].caused_by = Some(findings[cause].id);
        findings[cause].message.mean(told, facts.frames);
    }
}

/// Clients that left connections which the program had not accepted either tell of the same full queue.
fn join_unaccepted(findings: &mut [Finding], facts: &RuleInput<'_>) {
    let queues = of_rules(findings, &[accept_queue_overflow::RULE.name]);
    if queues.is_empty() {
        return;
    }
    for effect in of_rules(findings, &[client_gave_up_waiting::RULE.name]) {
        let finding = &findings[effect];
        if finding.caused_by.is_some() {
            continue;
        }
        let own = facts.records(&finding.connections);
        let unserved = |it: &&Connection| {
            it.sent[Who::Server as usize].bytes == 0 && it.opening == Opening::Handshake
        };
        if own.len() != finding.connections.len() || own.is_empty() || !own.iter().all(unserved) {
            continue;
        }
        let full = |it: &Finding| {
            let first = it.connections.first().and_then(|id| facts.record(*id));
            it.server == finding.server
                && first.is_some_and(|first| {
                    let at = first.first.time;
                    own.iter()
                        .all(|it| it.first.time.since(at).max(at.since(it.first.time)) <= ONE_BURST)
                })
        };
        if let Some(cause) = queues.iter().copied().find(|at| full(&findings[*at])) {
            findings[effect].caused_by = Some(findings[cause].id);
        }
    }
}

/// Connection attempts within this time meet the same queue.
const ONE_BURST: Duration = Duration::from_secs(5);

/// Adds the name by which the client knew the server, if the lookup was captured.
fn name(findings: &mut [Finding], facts: &RuleInput<'_>) {
    for finding in findings {
        let (Some(client), Some(server)) = (finding.client, finding.server) else {
            continue;
        };
        if let Some(lookup) = facts.lookups.of(client, server.ip)
            && finding.severity >= Severity::Warning
        {
            let name = shortened(&lookup.name, 80);
            let frame = lookup.answer.map_or(lookup.asked, |answer| answer.at).frame;
            let frame = facts.frames.name(frame);
            let known = format!("{} as {name} ({frame})", server.ip);
            let told = sentence!("The client knew {}.", known);
            finding.message.say(told, facts.frames);
        }
    }
}

/// Sets the cause of each finding that follows from another.
fn join(findings: &mut [Finding]) {
    let place = |finding: &Finding| STORY.iter().position(|name| *name == finding.rule);
    let hosts = |finding: &Finding| (finding.client, finding.server);
    // The parts of each story, and what happened to many connections at once, by hosts: there may be very many findings.
    let mut stories = BTreeMap::<_, Vec<(usize, u32)>>::new();
    let mut wholes = BTreeMap::<_, Vec<Whole>>::new();
    for finding in &*findings {
        if let Some(place) = place(finding) {
            let own = stories.entry(hosts(finding)).or_default();
            own.push((place, finding.id));
        }
        if COLLECTIVE.contains(&finding.rule) || PARTS.iter().any(|it| it.1 == finding.rule) {
            let own = wholes.entry(finding.server).or_default();
            own.push(Whole {
                id: finding.id,
                rule: finding.rule,
                connections: finding.connections.clone(),
            });
        }
    }
    for finding in findings {
        let wholes = wholes.get(&finding.server);
        let collective = collective_cause(finding, wholes.map_or(&[], |it| it));
        let own = place(finding).zip(stories.get(&hosts(finding)));
        let cause = own.and_then(|(own, parts)| {
            let causes = parts.iter().filter(|(place, _)| *place < own);
            causes.max_by_key(|(place, _)| place).map(|(_, id)| *id)
        });
        finding.caused_by = cause.or(collective);
    }
}

/// Rules whose findings cause all others that are about no other connections.
const COLLECTIVE: [&str; 3] = [
    "reset-then-refused",
    "accept-queue-overflow",
    "protocol-mismatch",
];

/// Findings that are about the same FIN or RST as another on the same connections, and that other: a second explanation of
/// one fact is no second finding.
const PARTS: [(&str, &str); 25] = [
    ("reset-after-handshake", "reset-before-response"),
    ("reset-injected", "reuse-of-forgotten-connection"),
    ("tls-handshake-cut", "reset-injected"),
    ("idle-timeout-close", "reuse-of-closed-connection"),
    ("idle-timeout-close", "session-not-opened"),
    ("request-refused", "early-response-reset"),
    ("keep-alive-race-risk", "keep-alive-race"),
    ("response-cut-short", "h2-goaway"),
    ("response-cut-short", "h2-close-without-goaway"),
    ("response-cut-short", "session-ended-with-error"),
    ("data-lost-in-reset", "closed-before-request"),
    ("fin-unanswered", "client-gave-up-waiting"),
    ("fin-unanswered", "client-left-mid-response"),
    ("gateway-timeout", "client-gave-up-waiting"),
    ("retransmissions-exhausted", "checksum-wrong"),
    ("idle-state-lost", "checksum-wrong"),
    ("connect-unanswered", "checksum-wrong"),
    ("connect-delayed", "checksum-wrong"),
    ("client-gave-up-waiting", "checksum-wrong"),
    ("tls-handshake-cut", "checksum-wrong"),
    ("reset-after-response", "retransmissions-exhausted"),
    ("client-gave-up-waiting", "retransmissions-exhausted"),
    ("client-gave-up-waiting", "periodic-abandoned-request"),
    ("closed-before-response", "h2-goaway"),
    ("client-reset-after-response", "keepalive-probes-unanswered"),
];

/// A finding of which others may tell a part.
struct Whole {
    id: u32,
    rule: &'static str,
    connections: Vec<u32>,
}

/// Whether a finding of one rule is a part of a finding of another, if all its connections are among the other's.
fn is_part(rule: &str, whole: &str) -> bool {
    match COLLECTIVE.contains(&whole) {
        true => !COLLECTIVE.contains(&rule),
        false => PARTS.contains(&(rule, whole)),
    }
}

/// The finding on the server of which this one tells a part: all its connections are among those of the other.
fn collective_cause(finding: &Finding, wholes: &[Whole]) -> Option<u32> {
    if finding.connections.is_empty() {
        return None;
    }
    let mut wholes = wholes.iter().filter(|it| is_part(finding.rule, it.rule));
    let whole = wholes.find(|whole| {
        let mut own = finding.connections.iter();
        own.all(|id| whole.connections.binary_search(id).is_ok())
    });
    whole.map(|it| it.id)
}

/// Evaluates the rules that need many connections. Each rule scans the summaries of all connections, which takes time
/// if there are many: two threads share the rules.
fn evaluate_summaries(facts: &RuleInput<'_>) -> BTreeMap<CaseKey, Cases> {
    let hosts = Hosts::new(facts.summaries, facts.sockets, facts.end);
    let next = AtomicUsize::new(0);
    let work = || {
        let mut found = BTreeMap::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(rule) = CATALOGUE.get(index) else {
                return found;
            };
            evaluate_hosts(facts, &hosts, (index, rule), &mut found);
        }
    };
    if facts.summaries.len() < WORTH_A_THREAD {
        let mut found = evaluate_sockets(facts);
        found.extend(work());
        return found;
    }
    std::thread::scope(|scope| {
        let other = scope.spawn(work);
        let mut found = evaluate_sockets(facts);
        found.extend(work());
        match other.join() {
            Ok(others) => found.extend(others),
            Err(panic) => std::panic::resume_unwind(panic),
        }
        found
    })
}

/// Connections from which on a second thread gains more than its start costs.
const WORTH_A_THREAD: usize = 1024;

fn evaluate_hosts(
    facts: &RuleInput<'_>,
    hosts: &Hosts<'_>,
    (index, rule): (usize, &Rule),
    all: &mut BTreeMap<CaseKey, Cases>,
) {
    let found = match rule.check {
        Check::Hosts(check) => check(hosts),
        Check::All(check) => check(facts, hosts),
        Check::Capture(check) => match check(&facts.capture_quality, hosts) {
            Verdict::Found(story) => vec![HostDiagnosis {
                story: *story,
                client: None,
                server: None,
                connections: Vec::new(),
                first: FrameNumber(0),
                times: 0,
            }],
            Verdict::Clear | Verdict::NotYet => return,
        },
        Check::Connection(_) | Check::Read(_) | Check::Ending(..) | Check::Sockets(_) => return,
    };
    for mut it in found {
        let mut summaries = it.connections.iter().filter_map(|id| summary(facts, *id));
        temper(&mut it.story, summaries.any(|it| it.outcome.is_failed()));
        recovered_legs::temper(rule.name, &mut it.story, &it.connections, facts);
        let key = CaseKey {
            first: it.first,
            ..CaseKey::between(index, &it.story, it.client, it.server)
        };
        let known = facts.records(&it.connections);
        retry::complete_all(&mut it.story, &known);
        put(all, key, Cases::across(it, &known));
    }
}

/// The summary of this connection, if it is kept.
fn summary<'a>(facts: &RuleInput<'a>, id: u32) -> Option<&'a ConnectionSummary> {
    let at = ConnectionSummary::place_of(id, facts.summaries)?;
    facts.summaries.get(at)
}

fn evaluate_sockets(facts: &RuleInput<'_>) -> BTreeMap<CaseKey, Cases> {
    let mut all = BTreeMap::new();
    let mut by_pair: BTreeMap<(IpAddr, Endpoint), Vec<&ConnectionSummary>> = BTreeMap::new();
    for row in facts.sockets {
        by_pair.entry((row.client, row.server)).or_default();
    }
    for connection in facts.summaries {
        if let Some(list) = by_pair.get_mut(&(connection.client.ip, connection.server)) {
            list.push(connection);
        }
    }
    for row in facts.sockets {
        let own = &by_pair[&(row.client, row.server)];
        for (index, rule) in CATALOGUE.iter().enumerate() {
            let Check::Sockets(check) = rule.check else {
                continue;
            };
            if let Verdict::Found(mut story) = check(row, own) {
                temper(&mut story, own.iter().any(|it| it.outcome.is_failed()));
                let key = CaseKey::between(index, &story, Some(row.client), Some(row.server));
                let first = own
                    .first()
                    .map_or(FrameNumber(0), |connection| connection.first.frame);
                let connections: Vec<u32> = own.iter().map(|connection| connection.id).collect();
                let known = facts.records(&connections);
                put(&mut all, key, Cases::on(*story, first, connections, &known));
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::super::ladder_check;
    use super::*;
    use crate::analysis::hosts::without_copies;

    /// Three connections of one client whose responses carry the option twice, one of another client, and two that are
    /// reset.
    const MANY: &str = "
        client :40001 [times=3 every=10s] server
        GET / -->
        <-- 200 [close close] FIN
        client 10.0.0.9:40001 server
        GET / -->
        <-- 200 [close close] FIN
        client :50001 [times=2 every=10s] server
        SYN -->
        <-- SYN
        POST / -->
        +40ms <-- RST";

    /// Two rules look at one segment: what the one says is a part of the other.
    #[test]
    fn two_findings_on_one_segment_are_one_story() {
        let again = "+900ms again -->\n".repeat(5);
        let many = format!("GET / -->\n<-- ACK\n+2s FIN -->\n{again}");
        for (text, part, whole) in [
            (
                "ClientHello [sni=a] -->\n<-- RST [ttl=249 id=4660]\n+10ms <-- ACK\nRST [noack] -->",
                "tls-handshake-cut",
                "reset-injected",
            ),
            (
                "ACK -->\n+90ms <-- FIN\nACK -->\n\"NOOP\\r\\n\" -->\n+80ms <-- RST [noack]",
                "data-lost-in-reset",
                "closed-before-request",
            ),
            (
                "h2 preface h2 SETTINGS h2 HEADERS 1 GET / END -->\n<-- h2 SETTINGS h2 HEADERS 1 200 h2 DATA 1 9\n\
                 +5ms <-- FIN\nFIN -->\n<-- ACK",
                "response-cut-short",
                "h2-close-without-goaway",
            ),
            (&many, "fin-unanswered", "client-gave-up-waiting"),
            (
                "GET / -->\n<-- ACK\n+500ms FIN -->\n<-- ACK\n+1s <-- 504 \"late\" [server=HAProxy]\nRST [noack] -->",
                "gateway-timeout",
                "client-gave-up-waiting",
            ),
        ] {
            let text = format!("SYN -->\n+10ms <-- SYN\n{text}");
            let findings = ladder_check::run(&text.parse().expect("a ladder")).findings;
            let own = |rule: &str| findings.iter().find(|it| it.rule == rule);
            let (Some(part), Some(whole)) = (own(part), own(whole)) else {
                let rules: Vec<_> = findings.iter().map(|it| it.rule).collect();
                panic!("{text}: {rules:?}")
            };
            let causes = (whole.caused_by, part.caused_by);
            assert_eq!(causes, (None, Some(whole.id)), "{text}");
        }
    }

    #[test]
    fn cases_with_the_same_story_are_one_finding_worst_first() {
        let findings = ladder_check::run(&MANY.parse().expect("a ladder")).findings;
        let told: Vec<_> = findings
            .iter()
            .map(|finding| {
                let client = finding.client.map(|ip| ip.to_string()).unwrap_or_default();
                (
                    finding.id,
                    finding.rule,
                    client,
                    finding.connections.clone(),
                )
            })
            .collect();
        let wanted = [
            (
                1,
                "reset-before-response",
                "10.0.0.1".to_owned(),
                vec![3, 5],
            ),
            (
                2,
                "duplicate-connection-close",
                "10.0.0.1".to_owned(),
                vec![1, 4, 6],
            ),
            (
                3,
                "duplicate-connection-close",
                "10.0.0.9".to_owned(),
                vec![2],
            ),
        ];
        assert_eq!(told, wanted);
        assert!(
            findings.iter().all(|finding| !finding.evidence.is_empty()),
            "no frame, no finding"
        );
    }

    #[test]
    fn parts_and_wholes_are_rules() {
        for (part, whole) in PARTS {
            for name in [part, whole] {
                assert!(CATALOGUE.iter().any(|it| it.name == name), "{name}");
            }
        }
    }

    #[test]
    fn a_server_is_called_by_the_name_that_was_looked_up() {
        let text = "
            client :5000 server 10.0.0.53:53
            lookup shop.example -->
            <-- address 10.0.0.2
            client :40000 server
            SYN -->
            <-- SYN
            GET / -->
            +40ms <-- RST";
        let findings = ladder_check::run(&text.parse().expect("a ladder")).findings;
        let message = &findings[0].message;
        assert!(
            message
                .happened()
                .ends_with("The client knew 10.0.0.2 as shop.example (frame 2)."),
            "{message}"
        );
    }

    #[test]
    fn one_client_with_the_same_story_everywhere_is_told_of_once() {
        let mut text = String::new();
        for port in 1..=25 {
            text.push_str(&format!(
                "client :40000 server 10.0.0.2:{port}\nSYN FIN -->\n<-- RST\n"
            ));
        }
        let findings = ladder_check::run(&text.parse().expect("a ladder")).findings;
        let own: Vec<_> = findings
            .iter()
            .filter(|it| it.rule == "tcp-flags-anomaly")
            .collect();
        let [finding] = own[..] else {
            panic!("one finding, not {}", own.len())
        };
        assert_eq!((finding.server, finding.connections.len()), (None, 25));
    }

    /// A file that was appended to itself.
    #[test]
    fn connections_that_a_file_holds_again_count_once() {
        let text = "client [times=2 every=1s] server\nSYN -->\n<-- RST";
        let proof = ladder_check::run(&text.parse().expect("a ladder"));
        let own: Vec<_> = proof
            .connections
            .iter()
            .map(ConnectionSummary::from)
            .collect();
        let mut again = own.clone();
        for it in &mut again {
            it.id += 2;
        }
        let summaries: Vec<_> = own.into_iter().chain(again).collect();
        let input = RuleInput {
            connections: &[],
            summaries: &summaries,
            counted_once: &without_copies(&summaries),
            sockets: &[],
            lookups: &Default::default(),
            neighbours: &Default::default(),
            capture_quality: Default::default(),
            frames: &Default::default(),
            legs: &Default::default(),
            end: proof.connections[0].until,
        };
        let findings = evaluate(&input);
        let refused = findings.iter().find(|it| it.rule == "connection-refused");
        assert_eq!(refused.expect("they were refused").connections, [1, 2]);
    }

    #[test]
    fn a_finding_across_connections_says_that_more_are_not_listed() {
        let refused = "SYN -->\n<-- RST".parse().expect("a ladder");
        let connections = ladder_check::run(&refused).connections;
        let summaries: Vec<_> = connections.iter().map(ConnectionSummary::from).collect();
        let connections: Vec<_> = connections.into_iter().map(std::sync::Arc::new).collect();
        for not_listed in [0, 7] {
            let mut given_up = GivenUpCases::default();
            given_up.not_listed(not_listed);
            let input = RuleInput {
                connections: &connections,
                summaries: &summaries,
                counted_once: &summaries,
                sockets: &[],
                lookups: &Default::default(),
                neighbours: &Default::default(),
                capture_quality: Default::default(),
                frames: &Default::default(),
                legs: &Default::default(),
                end: connections[0].until,
            };
            let findings = evaluate_with(&input, Some(&given_up));
            let mut refused = findings.iter().filter(|it| it.rule == "connection-refused");
            let message = &refused.next().expect("it was refused").message;
            let said = message.contains("that are listed; 7 others are not.");
            assert_eq!(said, not_listed > 0, "{message}");
        }
    }
}
