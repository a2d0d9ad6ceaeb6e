//! A server reset its live connections, and then nobody listened any more.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use crate::analysis::connection::{By, ConnectionSummary, How, Opening, ResetKind};
use crate::analysis::hosts::Hosts;
use crate::base::certainty::Certainty;
use crate::base::net::Endpoint;
use crate::base::time::Timestamp;
use crate::rules::Severity;
use crate::rules::rule::{Check, Diagnosis, HostDiagnosis, rule};
use crate::rules::statement::{Statement, Value, sentence};
use crate::rules::wording::shows;

rule! {
    /// # What happened
    ///
    /// The server reset several connections that were in use. After that it refused every connection attempt on the same
    /// address and port. Its program was killed, crashed or restarted, or its host was.
    ///
    /// # Why it matters
    ///
    /// What was outstanding on these connections is lost. Clients get "connection reset by peer" first, and "connection
    /// refused" after that. All of it has one cause at one moment. When a process ends, the kernel closes its sockets: with
    /// a RST those that hold unread data, with a FIN the others. Until a new process listens, it refuses.
    ///
    /// # Remedy
    ///
    /// - Look in the logs of the server's program and of its system at the time of the first RST: a crash, an
    ///   out-of-memory kill, a deployment, a restart by a supervisor.
    /// - Before a planned restart, let the program finish its requests and take it out of the load balancer. Or start the
    ///   new program before the old one ends (hand over the listening socket, `SO_REUSEPORT`).
    /// - Let clients retry with growing pauses. A refused connection attempt took no effect.
    ///
    /// # Tell it by
    ///
    /// Several live connections are reset at one moment, and every later SYN to that port is refused.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client :40000 [times=3 every=10ms] server 10.0.0.2:5432
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  "Q1"               -->
    ///  0.030                     <--  "R1"
    ///  0.040  ACK                -->
    /// 10.000                     <--  RST
    ///         client :41000 [times=4 every=1s] server 10.0.0.2:5432
    /// 10.500  SYN                -->
    /// 10.510                     <--  RST
    /// ```
    ///
    /// # Not this
    ///
    /// Another connection goes on, so the program is still running:
    ///
    /// ```ladder
    ///         client :40000 [times=3 every=10ms] server 10.0.0.2:5432
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  "Q1"               -->
    ///  0.030                     <--  "R1"
    ///  0.040  ACK                -->
    ///         client :45000           server 10.0.0.2:5432
    ///  0.100  SYN                -->
    ///  0.110                     <--  SYN
    ///  0.120  "Q1"               -->
    ///  0.130                     <--  "R1"
    ///  0.140  ACK                -->
    ///         client :40000           server 10.0.0.2:5432
    /// 10.000                     <--  RST
    ///         client :41000 [times=4 every=1s] server 10.0.0.2:5432
    /// 10.500  SYN                -->
    /// 10.510                     <--  RST
    ///         client :45000           server 10.0.0.2:5432
    /// 15.000  "Q2"               -->
    /// 15.010                     <--  "R2"
    /// 15.020  ACK                -->
    ///  => findings connection-refused
    /// ```
    ///
    /// Nothing was reset before the refusals:
    ///
    /// ```ladder
    ///         client :41000 [times=4 every=1s] server 10.0.0.2:5432
    /// 10.500  SYN                -->
    /// 10.510                     <--  RST
    ///  => findings connection-refused
    /// ```
    ///
    /// # References
    ///
    /// RFC 9293 §3.5.2, §3.10.7.1; RFC 1122 §4.2.2.13 (closing with unread data).
    pub(super) RULE: "reset-then-refused", Severity::Error,
    "the server resets its live connections, and then refuses new ones", Check::Hosts(check)
}

/// Resets that are no coincidence.
const RESETS: usize = 2;
/// Between the first reset and the first refusal.
const SOON: Duration = Duration::from_secs(30);
/// A connection on which anything arrives this long after the resets has survived them.
const SURVIVES: Duration = Duration::from_secs(1);

/// A server that ended in use.
struct Outage<'a> {
    /// Connections that it reset.
    reset: Vec<&'a ConnectionSummary>,
    /// Connections that it closed with a FIN at that moment.
    closed: Vec<&'a ConnectionSummary>,
    /// Attempts that were refused after that.
    refused: Vec<&'a ConnectionSummary>,
    /// When it accepted again.
    back: Option<Timestamp>,
}

fn check(hosts: &Hosts<'_>) -> Vec<HostDiagnosis> {
    let outages = outages(hosts);
    outages.iter().map(diagnosis).collect()
}

/// The refused connections that this rule reports.
pub(super) fn told(hosts: &Hosts<'_>) -> HashSet<u32> {
    let outages = outages(hosts);
    let refused = outages.iter().flat_map(|it| it.refused.iter());
    refused.map(|it| it.id).collect()
}

fn outages<'a>(hosts: &Hosts<'a>) -> Vec<Outage<'a>> {
    let mut servers: BTreeMap<Endpoint, Vec<&ConnectionSummary>> = BTreeMap::new();
    for it in hosts.connections {
        if it.opening == Opening::Refused {
            servers.entry(it.server).or_default();
        }
    }
    if servers.is_empty() {
        return Vec::new();
    }
    for it in hosts.connections {
        if let Some(own) = servers.get_mut(&it.server) {
            own.push(it);
        }
    }
    let servers = servers.into_values();
    servers.filter_map(|it| outage(&it)).collect()
}

fn is_open(it: &ConnectionSummary) -> bool {
    matches!(it.opening, Opening::Handshake | Opening::Midstream)
}

/// Whether the server reset this connection.
fn was_reset(it: &ConnectionSummary) -> bool {
    let kind = matches!(it.how, How::Reset(ResetKind::Abort | ResetKind::NoSocket));
    is_open(it) && it.by == By::Server && kind && !it.orderly
}

/// The outage of one server, from all its connections.
fn outage<'a>(all: &[&'a ConnectionSummary]) -> Option<Outage<'a>> {
    // The first refusal that follows a reset.
    let reset = all.iter().copied().filter(|it| was_reset(it));
    let mut reset: Vec<&ConnectionSummary> = reset.collect();
    reset.sort_by_key(|it| it.close);
    let refusals = || {
        all.iter()
            .copied()
            .filter(|it| it.opening == Opening::Refused)
    };
    let first = refusals().find(|refusal| {
        let before = reset.iter().filter(|it| {
            it.close.time <= refusal.first.time && it.close.time.after(SOON) >= refusal.first.time
        });
        before.count() >= RESETS
    })?;
    reset.retain(|it| {
        it.close.time <= first.first.time && it.close.time.after(SOON) >= first.first.time
    });
    let (from, to) = (reset.first()?.close.time, reset.last()?.close.time);
    let accepted = |it: &&&ConnectionSummary| it.opening == Opening::Handshake;
    let accepts = all.iter().filter(accepted);
    let back = accepts
        .clone()
        .map(|it| it.first.time)
        .find(|at| *at > first.first.time);
    // It was still accepting after the resets.
    if accepts
        .clone()
        .any(|it| it.first.time > to && it.first.time < first.first.time)
    {
        return None;
    }
    let survives = |it: &&&ConnectionSummary| {
        is_open(it)
            && it.first.time < from
            && it.last > to.after(SURVIVES)
            && !was_reset(it)
            && !matches!(it.how, How::Silence)
    };
    if all.iter().any(|it| survives(&it)) {
        return None;
    }
    let closed = all.iter().copied().filter(|it| {
        is_open(it)
            && it.by == By::Server
            && it.how == How::Fin
            && it.close.time.after(SURVIVES) >= from
            && it.close.time <= to.after(SURVIVES)
    });
    let refused = refusals()
        .filter(|it| it.first >= first.first && back.is_none_or(|back| it.first.time < back));
    Some(Outage {
        closed: closed.collect(),
        refused: refused.collect(),
        reset,
        back,
    })
}

fn diagnosis(outage: &Outage<'_>) -> HostDiagnosis {
    let mut all: Vec<&ConnectionSummary> = [&outage.reset, &outage.closed, &outage.refused]
        .into_iter()
        .flatten()
        .copied()
        // If nothing was outstanding, nothing was lost.
        .filter(|it| !it.outcome.is_fine())
        .collect();
    all.sort_by_key(|it| it.first);
    let client = all.first().map(|it| it.client.ip);
    let mut told = HostDiagnosis::of(story(outage), &all);
    told.client = client.filter(|client| all.iter().all(|it| it.client.ip == *client));
    told.once()
}

fn story(outage: &Outage<'_>) -> Diagnosis {
    let Outage {
        reset,
        closed,
        refused,
        back,
    } = outage;
    let times = |all: &[&ConnectionSummary], at: fn(&ConnectionSummary) -> Timestamp| {
        let first = all.first().map(|it| at(it)).unwrap_or_default();
        (first, all.last().map(|it| at(it)).unwrap_or_default())
    };
    let (from, to) = times(reset, |it| it.close.time);
    let (since, until) = times(refused, |it| it.first.time);
    let mut message = Statement::from(sentence!(
        "Within {} the server reset {} that were in use.",
        to.since(from),
        Value::count(reset.len() as u64, "connection", "connections")
    ));
    if !closed.is_empty() {
        message.say(sentence!(
            "At the same time the server closed {} more with a FIN.",
            closed.len()
        ));
    }
    message.say(match refused.len() {
        1 => sentence!(
            "{} after the first reset, the server refused a connection attempt.",
            since.since(from)
        ),
        more => sentence!(
            "From {} after the first reset, the server refused every connection attempt: {} within {}.",
            since.since(from),
            more,
            until.since(since)
        ),
    });
    message.say(match back {
        Some(back) => sentence!(
            "The server accepted again {} after the first RST.",
            back.since(from)
        ),
        None => sentence!("The server did not accept again in this capture."),
    });
    let gone = |it: &&ConnectionSummary| it.how == How::Reset(ResetKind::NoSocket);
    if reset.iter().all(gone) {
        message.say("The RSTs mean that these sockets no longer existed.");
    }
    message.presume(match reset.iter().all(gone) {
        true => "The program had ended before, or the host was restarted.",
        false => "The program was killed, crashed or was restarted.",
    });
    let mut evidence = Vec::new();
    evidence.extend(reset.first().map(|it| shows(it.close, "first RST")));
    let last = reset.last().filter(|_| reset.len() > 1);
    evidence.extend(last.map(|it| shows(it.close, "last RST on a live connection")));
    evidence.extend(
        refused
            .first()
            .map(|it| shows(it.close, "first refused connection attempt")),
    );
    Diagnosis {
        severity: Severity::Error,
        certainty: Certainty::Likely,
        summary: "Server reset its connections and then refused new ones".into(),
        message,
        evidence,
        remedies: RULE.remedies(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::ladder_check;

    const LIVE: &str = "client :40000 [times=3 every=10ms] server 10.0.0.2:5432
        SYN -->\n<-- SYN\n\"Q1\" -->\n<-- \"R1\"\nACK -->\n+10s <-- RST\n";

    #[test]
    fn the_refusals_are_not_reported_twice() {
        let text = format!("{LIVE}client :41000 server 10.0.0.2:5432\n+500ms SYN -->\n<-- RST\n");
        let told = ladder_check::found_by(&RULE, &text).expect("found");
        assert_eq!(told.connections.len(), 4);
        assert!(told.message.contains("3 connections"), "{}", told.message);
        let rules = ladder_check::run(&text.parse().expect("a ladder")).rules();
        assert!(!rules.contains(&"connection-refused"), "{rules:?}");
    }

    #[test]
    fn a_server_that_accepts_in_between_was_not_gone() {
        let text = format!(
            "{LIVE}client :42000 server 10.0.0.2:5432\n+1s SYN -->\n<-- SYN\nACK -->
            client :41000 server 10.0.0.2:5432\n+500ms SYN -->\n<-- RST\n"
        );
        assert!(ladder_check::found_by(&RULE, &text).is_none());
    }

    #[test]
    fn the_time_until_it_is_back_is_reported() {
        let text = format!(
            "{LIVE}client :41000 server 10.0.0.2:5432\n+500ms SYN -->\n<-- RST
            client :42000 server 10.0.0.2:5432\n+4s SYN -->\n<-- SYN\nACK -->"
        );
        let told = ladder_check::told_by(&RULE, &text).expect("found");
        assert!(told.contains("The server accepted again 4."), "{told}");
    }

    #[test]
    fn one_reset_is_not_enough() {
        let one = LIVE.replace("[times=3 every=10ms] ", "");
        let text = format!("{one}client :41000 server 10.0.0.2:5432\n+500ms SYN -->\n<-- RST\n");
        assert!(ladder_check::found_by(&RULE, &text).is_none());
    }
}
