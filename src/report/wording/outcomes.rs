//! What came of many connections, in one clause: how many failed, are fine, or cannot be judged, and why not.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use crate::analysis::connection::{ConnectionOutcome, ConnectionSummary, UnknownReason};
use crate::analysis::hosts::Legs;
use crate::base::format::{capitalised, number, ranges};
use crate::report::numbered_findings;
use crate::report::snapshot::Snapshot;
use crate::rules::{Check, Finding, Severity, rule, within_a_sentence};

/// `unknown: it began before the capture`.
#[must_use]
pub fn judged(outcome: ConnectionOutcome) -> String {
    match outcome {
        ConnectionOutcome::Unknown(reason) => format!("{}: it {}", outcome.name(), reason.phrase()),
        _ => outcome.to_string(),
    }
}

/// ` Whether it failed is not known: it began before the capture.`, to follow a sentence; nothing where all is well, or still open.
#[must_use]
pub fn remark(outcome: ConnectionOutcome) -> String {
    match outcome {
        _ if outcome.is_fine() || outcome.is_still_open() => String::new(),
        ConnectionOutcome::Unknown(reason) => {
            format!(" Whether it failed is not known: it {}.", reason.phrase())
        }
        _ => format!(" {}.", capitalised(&judged(outcome))),
    }
}

/// Why connections failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailureCause {
    /// The headline of the finding that explains it.
    pub headline: String,
    /// What that finding tells happened on a proxy's own connections.
    pub is_behind_proxy: bool,
    /// What explains connections that the first does not: headlines, and the reasons of those that no finding explains.
    pub others: Vec<String>,
}

impl FailureCause {
    /// The headline alone.
    fn of(headline: String) -> Self {
        Self {
            headline,
            is_behind_proxy: false,
            others: Vec::new(),
        }
    }
}

/// Why connections of the capture failed, if findings say it; of one that did not fail, what is worth knowing.
#[must_use]
pub fn why_it_failed(snapshot: &Snapshot) -> Option<FailureCause> {
    match &snapshot.summaries[..] {
        [only] => why_this_failed(snapshot, only),
        _ => why_they_failed(snapshot),
    }
}

/// Of one connection: the headline of the error, or warning, whose evidence has the end of the connection, else of the worst
/// error.
fn why_this_failed(snapshot: &Snapshot, only: &ConnectionSummary) -> Option<FailureCause> {
    if !only.outcome.is_failed() {
        // What is said of the capture is not about how this one ended.
        let mut all = numbered_findings(snapshot).into_iter();
        let is_of_capture =
            |name: &str| rule(name).is_some_and(|it| matches!(it.check, Check::Capture(_)));
        let first = all.find(|it| !is_of_capture(it.rule));
        return first.map(|it| FailureCause::of(it.headline));
    }
    let is_cause = |it: &&Finding| {
        it.severity >= Severity::Warning
            && it.caused_by.is_none()
            && it.connections.contains(&only.id)
    };
    let causes = || snapshot.findings.iter().filter(is_cause);
    let ends = |it: &&Finding| {
        let mut evidence = it.evidence.iter();
        evidence.any(|it| it.frame_ref.frame == only.close.frame)
    };
    let worst = causes().find(|it| it.severity == Severity::Error);
    let explains = causes().find(ends).or(worst);
    explains.map(|it| FailureCause::of(it.headline()))
}

/// Of many: the first finding on a connection that failed, those after it which explain more of them, and the reasons of the
/// others.
fn why_they_failed(snapshot: &Snapshot) -> Option<FailureCause> {
    let failed = snapshot
        .summaries
        .iter()
        .filter(|it| it.outcome.is_failed() && !snapshot.ignored.leaves_out(it.id));
    let mut failed: BTreeMap<u32, &'static str> =
        failed.map(|it| (it.id, it.outcome.phrase())).collect();
    let legs = &snapshot.legs;
    let is_behind = |id| legs.behind_all(id).is_empty() && !legs.before_all(id).is_empty();
    let mut cause: Option<FailureCause> = None;
    for finding in numbered_findings(snapshot) {
        let blames = finding.severity >= Severity::Warning;
        let ids = finding.connections.iter().copied();
        let own: Vec<u32> = ids
            .filter(|id| blames && failed.remove(id).is_some())
            .collect();
        if own.is_empty() {
            continue;
        }
        // The proxy's clients met the same fault.
        for leg in own.iter().flat_map(|id| legs.before_all(*id)) {
            failed.remove(&leg.client.connection);
        }
        match &mut cause {
            Some(first) => first.others.push(finding.headline),
            None => {
                cause = Some(FailureCause {
                    is_behind_proxy: finding.of_cause.iter().all(|id| is_behind(*id)),
                    ..FailureCause::of(finding.headline)
                });
            }
        }
    }
    let reasons: BTreeSet<&str> = failed.into_values().collect();
    let one_of_many = |reason: &str| reason.replacen("the connection ", "a connection ", 1);
    let mut reasons = reasons.into_iter().map(one_of_many);
    // Where a note alone explains it, the outcome says why.
    let mut cause = match cause {
        Some(cause) => cause,
        None => FailureCause::of(reasons.next()?),
    };
    cause.others.extend(reasons);
    Some(cause)
}

/// A headline as a clause: "the server closed an idle connection". Of "2 connections failed: the host does not answer" that is
/// the end, because it follows what says that some failed.
fn as_clause(headline: &str) -> Cow<'_, str> {
    let says_why = |(who, why): (&str, _)| {
        let failed = who.ends_with(" connection") || who.ends_with(" connections");
        failed.then_some(why)
    };
    let why = headline.split_once(" failed: ").and_then(says_why);
    let clause = within_a_sentence(why.unwrap_or(headline));
    let mut words = clause.split([' ', '\'']);
    let needs_article = |word| {
        matches!(
            word,
            "client" | "server" | "proxy" | "gateway" | "response" | "session" | "handshake"
        )
    };
    let actor = words.next().unwrap_or_default();
    // "MQTT session", "TLS handshake".
    let is_abbreviation = actor.chars().all(char::is_uppercase);
    match needs_article(actor) || is_abbreviation && words.next().is_some_and(needs_article) {
        true => format!("the {clause}").into(),
        false => clause,
    }
}

/// How many connections have each outcome.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutcomeTally {
    /// Something was lost on them.
    pub failed: u64,
    /// Everything on them was completed.
    pub fine: u64,
    /// Of those that cannot be judged: by reason, in the order of [`UnknownReason::ALL`].
    unknown: [u64; UnknownReason::ALL.len()],
    /// The outcome of the first that was counted.
    first: Option<ConnectionOutcome>,
    /// Of those that failed: the connections to a proxy, and the proxy's own for the same requests.
    proxied: [Vec<u32>; 2],
    /// The first that failed, by number.
    failures: Vec<u32>,
}

/// Connections that failed which are named one by one.
const NAMED: usize = 3;

/// Reasons named one by one; the others are put together.
const REASONS: usize = 4;

impl OutcomeTally {
    /// Counts one connection.
    pub fn add(&mut self, outcome: ConnectionOutcome) {
        self.add_many(outcome, 1);
    }

    /// Counts connections with the same outcome.
    pub fn add_many(&mut self, outcome: ConnectionOutcome, connections: u64) {
        self.first.get_or_insert(outcome);
        match outcome {
            ConnectionOutcome::Failed(_) => self.failed += connections,
            ConnectionOutcome::Fine(_) => self.fine += connections,
            ConnectionOutcome::Unknown(reason) => {
                let place = UnknownReason::ALL.iter().position(|it| *it == reason);
                if let Some(count) = place.and_then(|at| self.unknown.get_mut(at)) {
                    *count += connections;
                }
            }
        }
    }

    /// Counts the connection with this number.
    pub fn add_connection(&mut self, id: u32, outcome: ConnectionOutcome) {
        self.add(outcome);
        if outcome.is_failed() && self.failures.len() <= NAMED {
            self.failures.push(id);
        }
    }

    /// Notes which connections failed on both sides of a proxy: what looks like several failures is one.
    pub fn note_proxies(&mut self, legs: &Legs, failed: impl Fn(u32) -> bool) {
        let both = legs
            .all()
            .iter()
            .map(|leg| [leg.client.connection, leg.upstream.connection]);
        for pair in both.filter(|pair| pair.iter().all(|id| failed(*id))) {
            for (all, id) in self.proxied.iter_mut().zip(pair) {
                all.push(id);
            }
        }
        for all in &mut self.proxied {
            all.sort_unstable();
            all.dedup();
        }
    }

    /// ` (#7)`, after the number of those that failed: which they are, if they are few among others.
    fn named(&self) -> String {
        let all = self.failures.len() as u64;
        match all == self.failed && all < self.all() && self.failures.len() <= NAMED {
            true => format!(" ({})", ranges(&self.failures, NAMED, 0)),
            false => String::new(),
        }
    }

    /// ` (#1 to a proxy, #2 from it to its server)`, after the number of those that failed.
    fn through_proxies(&self) -> String {
        let [to, from] = self.proxied.each_ref().map(|it| it.len() as u64);
        match (&self.proxied, to + from == self.failed) {
            (_, _) if from == 0 => self.named(),
            ([to, from], true) if to.len() == 1 && from.len() == 1 => {
                let named = |ids: &[u32]| ranges(ids, 1, 0);
                format!(
                    " ({} to a proxy, {} from it to its server)",
                    named(to),
                    named(from)
                )
            }
            (_, true) => format!(
                " ({} to a proxy, {} from it to its servers)",
                number(to),
                number(from)
            ),
            (_, false) => format!(" ({} of them from a proxy to its servers)", number(from)),
        }
    }

    /// `: a connection attempt was refused, and 2 other faults`, after what says that some failed.
    fn cause(&self, why: Option<&FailureCause>) -> String {
        let Some(why) = why.filter(|_| self.failed > 0) else {
            return String::new();
        };
        let first = as_clause(&why.headline);
        // The proxy itself is not behind itself.
        let is_proxy = ["the proxy ", "the gateway "]
            .iter()
            .any(|it| first.starts_with(it));
        let first = match why.is_behind_proxy && !is_proxy {
            true => format!("behind the proxy {first}"),
            false => first.into_owned(),
        };
        match &why.others[..] {
            [] => format!(": {first}"),
            [second] => format!(": {first}, and {}", as_clause(second)),
            many => format!(": {first}, and {} other faults", many.len()),
        }
    }

    /// Those that cannot be judged, the open ones among them.
    #[must_use]
    pub fn unknown(&self) -> u64 {
        self.unknown.iter().sum()
    }

    /// Those that had not ended when the capture did, with nothing outstanding.
    #[must_use]
    pub fn still_open(&self) -> u64 {
        let both = UnknownReason::ALL.iter().zip(self.unknown);
        both.filter(|(reason, _)| **reason == UnknownReason::StillOpen)
            .map(|(_, count)| count)
            .sum()
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> u64 {
        self.failed + self.fine + self.unknown()
    }

    /// `2 of 12 connections failed, 1 began before the capture`. `blamed`: findings say that something is wrong, so that
    /// connections on which nothing was lost are not called fine. `why`: the finding that explains the failures.
    #[must_use]
    pub fn clause(&self, blamed: bool, why: Option<&FailureCause>) -> String {
        let (all, unknown) = (self.all(), self.reasons());
        if all == 1
            && let Some(only) = self.first
        {
            return match only {
                ConnectionOutcome::Failed(reason) => {
                    let why =
                        why.map_or(Cow::Borrowed(reason.phrase()), |it| as_clause(&it.headline));
                    format!("the connection failed: {why}")
                }
                ConnectionOutcome::Fine(_) => match why.filter(|_| blamed) {
                    Some(why) => {
                        let clause = as_clause(&why.headline);
                        format!("{clause}; the connection itself did not fail")
                    }
                    None if blamed => "the connection did not fail".to_owned(),
                    None => "the connection is fine".to_owned(),
                },
                ConnectionOutcome::Unknown(reason) => match (reason, why) {
                    (UnknownReason::Malformed, Some(why)) => {
                        format!(
                            "the connection may have failed: {}",
                            as_clause(&why.headline)
                        )
                    }
                    (_, Some(why)) => {
                        format!(
                            "the connection {}: {}",
                            reason.phrase(),
                            as_clause(&why.headline)
                        )
                    }
                    (_, None) => format!("the connection {}", reason.phrase()),
                },
            };
        }
        let told = match (self.failed, self.fine) {
            (0, 0) => match &unknown[..] {
                [(_, 2, phrase)] => return format!("both connections {phrase}"),
                [(_, _, phrase)] => return format!("all {} connections {phrase}", number(all)),
                _ => format!("of {} connections ", number(all)),
            },
            (0, 2) if all == 2 && blamed => "neither connection failed".to_owned(),
            (0, 2) if all == 2 => "both connections are fine".to_owned(),
            (2, _) if all == 2 => format!("both connections failed{}", self.through_proxies()),
            (0, fine) if fine == all && blamed => {
                format!("none of {} connections failed", number(all))
            }
            (0, fine) if fine == all => format!("all {} connections are fine", number(all)),
            (0, _) if blamed => format!(
                "none of {} connections is known to have failed",
                number(all)
            ),
            (0, fine) => format!(
                "{} of {} connections {} fine",
                number(fine),
                number(all),
                if fine == 1 { "is" } else { "are" }
            ),
            (failed, _) => {
                let proxies = self.through_proxies();
                match failed == all {
                    true => format!("all {} connections failed{proxies}", number(all)),
                    false => {
                        let failed = number(failed);
                        format!("{failed} of {} connections failed{proxies}", number(all))
                    }
                }
            }
        };
        let cause = self.cause(why);
        let parts = unknown
            .iter()
            .map(|(_, count, phrase)| format!("{} {phrase}", number(*count)));
        let parts: Vec<String> = parts.collect();
        match (self.failed + self.fine, parts.is_empty()) {
            (_, true) => told + &cause,
            (0, false) => told + &parts.join(", "),
            (_, false) if cause.is_empty() => format!("{told}, {}", parts.join(", ")),
            (_, false) => format!("{told}{cause}; {}", parts.join(", ")),
        }
    }

    /// The same where the reasons stand elsewhere: `2 of 12 connections failed`.
    #[must_use]
    pub fn brief(&self, blamed: bool, why: Option<&FailureCause>) -> String {
        let all = number(self.all());
        match (self.failed, self.fine) {
            _ if self.all() == 1 || self.unknown() == 0 => self.clause(blamed, why),
            (0, 0) if self.unknown() == self.still_open() => self.clause(blamed, why),
            (0, 0) => format!("none of {all} connections can be judged"),
            (0, _) if blamed => format!("none of {all} connections is known to have failed"),
            (0, fine) => format!(
                "{} of {all} connections {} fine",
                number(fine),
                if fine == 1 { "is" } else { "are" }
            ),
            (failed, _) => {
                format!(
                    "{} of {all} connections failed{}",
                    number(failed),
                    self.named()
                )
            }
        }
    }

    /// Why some cannot be judged, the open ones left out: `1 began before the capture, 2 ended inside encryption`, without
    /// numbers if there is one reason; empty if all can be judged.
    #[must_use]
    pub fn doubts(&self) -> String {
        let mut reasons = self.reasons();
        reasons.retain(|(reason, ..)| *reason != Some(UnknownReason::StillOpen));
        if let [(.., phrase)] = &reasons[..] {
            return phrase.to_string();
        }
        let told = reasons.iter();
        let told = told.map(|(_, count, phrase)| format!("{} {phrase}", number(*count)));
        told.collect::<Vec<_>>().join(", ")
    }

    /// The reasons why some cannot be judged, the most frequent first, with the number of connections and the phrase for
    /// so many; of the others, which are put together, no reason.
    fn reasons(&self) -> Vec<(Option<UnknownReason>, u64, Cow<'static, str>)> {
        let both = UnknownReason::ALL.iter().zip(self.unknown);
        let mut reasons: Vec<_> = both
            .filter(|(_, count)| *count > 0)
            .map(|(reason, count)| (Some(*reason), count, reason.phrase_of(count)))
            .collect();
        reasons.sort_by_key(|(_, count, _)| std::cmp::Reverse(*count));
        if reasons.len() > REASONS {
            let rest = reasons.drain(REASONS - 1..).map(|(_, count, _)| count);
            let rest = rest.sum();
            reasons.push((None, rest, "cannot be judged for other reasons".into()));
        }
        reasons
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::connection::{FailedReason, FineReason};

    /// What follows "the connection failed" does not say it again, and one that did not fail has a headline all the same.
    #[test]
    fn a_headline_becomes_a_clause() {
        let told = |outcome: ConnectionOutcome, headline: &str| {
            let mut all = OutcomeTally::default();
            all.add(outcome);
            let why = FailureCause::of(headline.to_owned());
            all.clause(true, Some(&why))
        };
        let failed = ConnectionOutcome::Failed(FailedReason::NoResponse);
        let fine = ConnectionOutcome::Fine(FineReason::Complete);
        let malformed = ConnectionOutcome::Unknown(UnknownReason::Malformed);
        for (outcome, headline, clause) in [
            (
                failed,
                "A connection failed: the host does not answer",
                "the connection failed: the host does not answer",
            ),
            (
                fine,
                "Server responded with an error status",
                "the server responded with an error status; the connection itself did not fail",
            ),
            (
                failed,
                "TLS handshake ended with an encrypted alert",
                "the connection failed: the TLS handshake ended with an encrypted alert",
            ),
            (
                malformed,
                "Response breaks the grammar of HTTP",
                "the connection may have failed: the response breaks the grammar of HTTP",
            ),
        ] {
            assert_eq!(told(outcome, headline), clause);
        }
    }

    #[test]
    fn every_mixture_is_told_with_its_numbers() {
        let failed = ConnectionOutcome::Failed(FailedReason::NoResponse);
        let fine = ConnectionOutcome::Fine(FineReason::Complete);
        let open = ConnectionOutcome::Unknown(UnknownReason::StillOpen);
        let before = ConnectionOutcome::Unknown(UnknownReason::BeganBefore);
        let hidden = ConnectionOutcome::Unknown(UnknownReason::Encrypted);
        let lacking = ConnectionOutcome::Unknown(UnknownReason::LostPackets);
        let cases: [(&[ConnectionOutcome], bool, &str); 15] = [
            (
                &[hidden; 2],
                false,
                "both connections are encrypted up to the close",
            ),
            (
                &[open; 2],
                false,
                "both connections were still open when the capture ended",
            ),
            (
                &[fine, lacking, lacking],
                false,
                "1 of 3 connections is fine, 2 lack packets in the capture",
            ),
            (
                &[fine, lacking],
                false,
                "1 of 2 connections is fine, 1 lacks packets in the capture",
            ),
            (&[fine], false, "the connection is fine"),
            (&[fine], true, "the connection did not fail"),
            (
                &[failed],
                true,
                "the connection failed: a request got no response",
            ),
            (
                &[open],
                false,
                "the connection was still open when the capture ended",
            ),
            (&[fine; 3], false, "all 3 connections are fine"),
            (&[fine; 3], true, "none of 3 connections failed"),
            (
                &[before; 3],
                false,
                "all 3 connections began before the capture",
            ),
            (
                &[open, before, before],
                false,
                "of 3 connections 2 began before the capture, 1 was still open when the capture ended",
            ),
            (
                &[fine, before],
                false,
                "1 of 2 connections is fine, 1 began before the capture",
            ),
            (&[failed, fine, fine], true, "1 of 3 connections failed"),
            (
                &[failed, before],
                true,
                "1 of 2 connections failed, 1 began before the capture",
            ),
        ];
        for (outcomes, blamed, told) in cases {
            let mut tally = OutcomeTally::default();
            for outcome in outcomes {
                tally.add(*outcome);
            }
            assert_eq!(tally.clause(blamed, None), told);
        }
    }

    #[test]
    fn both_sides_of_a_proxy_are_named() {
        let failed = ConnectionOutcome::Failed(FailedReason::NoResponse);
        let of = |count: u64, to: &[u32], from: &[u32]| {
            let mut tally = OutcomeTally {
                proxied: [to.to_vec(), from.to_vec()],
                ..OutcomeTally::default()
            };
            tally.add_many(failed, count);
            tally.clause(true, None)
        };
        for (count, to, from, told) in [
            (2, &[][..], &[][..], "both connections failed"),
            (
                2,
                &[1],
                &[2],
                "both connections failed (#1 to a proxy, #2 from it to its server)",
            ),
            (
                4,
                &[1, 3],
                &[2, 4],
                "all 4 connections failed (2 to a proxy, 2 from it to its servers)",
            ),
            (
                5,
                &[1, 3],
                &[2, 4],
                "all 5 connections failed (2 of them from a proxy to its servers)",
            ),
        ] {
            assert_eq!(of(count, to, from), told);
        }
    }

    #[test]
    fn what_explains_the_failures_follows_their_number() {
        let failed = ConnectionOutcome::Failed(FailedReason::NoResponse);
        let before = ConnectionOutcome::Unknown(UnknownReason::BeganBefore);
        let cause = |others: &[&str], is_behind_proxy| FailureCause {
            headline: "Server closed 2 connections".to_owned(),
            is_behind_proxy,
            others: others.iter().copied().map(str::to_owned).collect(),
        };
        let login = "Server refused a login";
        for (outcomes, why, told) in [
            (
                &[failed, failed][..],
                cause(&[], false),
                "both connections failed: the server closed 2 connections",
            ),
            (
                &[failed, failed],
                cause(&[], true),
                "both connections failed: behind the proxy the server closed 2 connections",
            ),
            (
                &[failed, failed, failed],
                cause(&[login], false),
                "all 3 connections failed: the server closed 2 connections, and the server refused a login",
            ),
            (
                &[failed, failed, failed, failed],
                cause(&[login, "a request was cut short"], false),
                "all 4 connections failed: the server closed 2 connections, and 2 other faults",
            ),
            (
                &[failed, failed, before],
                cause(&[], false),
                "2 of 3 connections failed: the server closed 2 connections; 1 began before the capture",
            ),
            (
                &[before, before],
                cause(&[], false),
                "both connections began before the capture",
            ),
        ] {
            let mut tally = OutcomeTally::default();
            outcomes.iter().for_each(|it| tally.add(*it));
            assert_eq!(tally.clause(true, Some(&why)), told);
        }
    }

    #[test]
    fn many_reasons_are_put_together() {
        let mut tally = OutcomeTally::default();
        for reason in UnknownReason::ALL {
            tally.add(ConnectionOutcome::Unknown(*reason));
        }
        let told = tally.clause(false, None);
        assert!(
            told.ends_with(", 13 cannot be judged for other reasons"),
            "{told}"
        );
    }
}
