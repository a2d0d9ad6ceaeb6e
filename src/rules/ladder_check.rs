//! Checks a ladder against the program: its frames pass through the engine and the rules, and the expectations written
//! in it are compared with the result.
//!
//! Used by the tests of the rules' pages, by the ladders under `tests/ladders/`, and by anyone who gets a ladder in a
//! bug report. It is part of the rules because only here all layers that a ladder can describe are available.

use std::fmt;
use std::sync::Arc;

use super::{CaptureQuality, Finding, RuleInput, SPARED, evaluate, spared};
use crate::analysis::connection::{Connection, ConnectionSummary, Standing, Who};
use crate::analysis::engine::{Engine, EngineStats, Event, Sink};
use crate::analysis::hosts;
use crate::base::frame_names::FrameNames;
use crate::base::net::Loss;
use crate::protocol::http::Outcome;

use crate::base::time::Timestamp;
use crate::ladder::{Claim, Expectation, Ladder, LadderLine, OwnedFrame, SentCounter, frames};

/// An expectation that is not met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LadderMismatch {
    /// The line of the ladder, from 1.
    pub line: usize,
    /// The expectation as written.
    pub wanted: String,
    /// The actual result.
    pub got: String,
}

impl fmt::Display for LadderMismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, wanted, got } = self;
        write!(f, "line {line}: wanted {wanted}, got {got}")
    }
}

/// The result of running a ladder.
#[derive(Clone, Debug, Default)]
pub struct LadderCheck {
    /// Its connections, numbered from 1 in order of first frame.
    pub connections: Vec<Connection>,
    /// The findings of the rules.
    pub findings: Vec<Finding>,
    /// Expectations that are not met, in the order of lines.
    pub mismatches: Vec<LadderMismatch>,
}

impl LadderCheck {
    /// The names of the rules that found something, sorted, each once.
    #[must_use]
    pub fn rules(&self) -> Vec<&'static str> {
        let mut names: Vec<_> = self.findings.iter().map(|finding| finding.rule).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

/// Runs a ladder.
#[must_use]
pub fn run(ladder: &Ladder) -> LadderCheck {
    run_frames(ladder, frames(ladder))
}

/// The same with frames that were changed where the notation has no word for it.
pub(crate) fn run_frames(ladder: &Ladder, frames: Vec<OwnedFrame>) -> LadderCheck {
    let mut engine = Engine::new();
    let mut witness = CheckSink {
        ladder,
        frames: &frames,
        proof: LadderCheck::default(),
        shown: vec![false; frames.len()],
    };
    for frame in &frames {
        engine.frame(&frame.frame(), &mut witness);
    }
    let stats = engine.finish(&mut witness);
    let end = stats.span.map(|(_, last)| last).unwrap_or_default();
    witness.judge(&stats, end)
}

/// Runs a ladder and returns the finding of this rule, if any: what most tests of a rule need.
#[cfg(test)]
pub(super) fn found_by(rule: &super::Rule, ladder: &str) -> Option<Finding> {
    let findings = run(&ladder.parse().expect("a ladder")).findings;
    findings
        .into_iter()
        .find(|finding| finding.rule == rule.name)
}

/// The message of this rule's finding in a ladder, if any.
#[cfg(test)]
pub(super) fn told_by(rule: &super::Rule, ladder: &str) -> Option<String> {
    Some(found_by(rule, ladder)?.message.to_string())
}

/// Compares the engine's output with the ladder.
struct CheckSink<'a> {
    ladder: &'a Ladder,
    frames: &'a [OwnedFrame],
    proof: LadderCheck,
    /// For each frame, whether the engine has reported the states after it.
    shown: Vec<bool>,
}

impl Sink for CheckSink<'_> {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Segment {
                from,
                segment,
                standings,
                ..
            } => {
                let index = usize::try_from(segment.frame.0)
                    .unwrap_or(0)
                    .wrapping_sub(1);
                let Some(frame) = self.frames.get(index) else {
                    return;
                };
                self.shown[index] = true;
                let client = match frame.from {
                    Who::Client => from,
                    Who::Server => from.other(),
                };
                let states = [client, client.other()].map(|end| standings[end.index()]);
                self.compare_states(frame.line, states);
            }
            Event::Settled(connection) => self.proof.connections.push(*connection),
        }
    }

    fn wants_segments(&self) -> bool {
        true
    }
}

impl CheckSink<'_> {
    fn compare_states(&mut self, line: usize, got: [Standing; 2]) {
        if let Some(LadderLine::Packet(packet)) = self.ladder.lines.get(line - 1)
            && let Some(wanted) = packet.states
            && wanted != got
        {
            self.mismatch(line, states(wanted), states(got));
        }
    }

    fn mismatch(&mut self, line: usize, wanted: String, got: String) {
        self.proof
            .mismatches
            .push(LadderMismatch { line, wanted, got });
    }

    fn judge(mut self, stats: &EngineStats, end: Timestamp) -> LadderCheck {
        for (frame, shown) in self.frames.iter().zip(self.shown.clone()) {
            if let Some(LadderLine::Packet(packet)) = self.ladder.lines.get(frame.line - 1)
                && let (Some(wanted), false) = (packet.states, shown)
            {
                self.mismatch(
                    frame.line,
                    states(wanted),
                    "a segment that was not taken".to_owned(),
                );
            }
        }
        let connections = &mut self.proof.connections;
        connections.sort_by_key(|connection| connection.first.frame);
        for (connection, id) in connections.iter_mut().zip(1..) {
            connection.id = id;
        }
        let settings = hosts::HostSettings {
            time_wait: hosts::TIME_WAIT,
            range: None,
        };
        let summaries: Vec<ConnectionSummary> = self
            .proof
            .connections
            .iter()
            .map(ConnectionSummary::from)
            .collect();
        let records = self.proof.connections.iter().cloned().map(Arc::new);
        let records: Vec<Arc<Connection>> = records.collect();
        let sockets = hosts::sockets(&summaries, &settings, end);
        let frames = FrameNames::default();
        self.proof.findings = evaluate(&RuleInput {
            frames: &frames,
            legs: &hosts::Legs::new(&records, &summaries),
            connections: &records,
            summaries: &summaries,
            counted_once: &hosts::without_copies(&summaries),
            sockets: &sockets,
            lookups: &stats.lookups,
            neighbours: &stats.neighbours,
            capture_quality: CaptureQuality::new(stats, Loss::default()),
            end,
        });
        for id in spared(&summaries, &records, &self.proof.findings) {
            if let Some(connection) = self.proof.connections.get_mut(id as usize - 1) {
                connection.outcome = SPARED;
            }
        }
        for (index, line) in self.ladder.lines.iter().enumerate() {
            if let LadderLine::Expect(expectation) = line
                && let Some(got) = differs(expectation, &self.proof)
            {
                self.mismatch(index + 1, expectation.claim.to_string(), got);
            }
        }
        self.proof.mismatches.sort_by_key(|mismatch| mismatch.line);
        self.proof
    }
}

fn states([client, server]: [Standing; 2]) -> String {
    format!("{client} | {server}")
}

/// The actual result where it differs from the expectation; `None` if the expectation is met.
fn differs(expectation: &Expectation, proof: &LadderCheck) -> Option<String> {
    let claim = &expectation.claim;
    match claim {
        Claim::Findings(wanted) => {
            let got = proof.rules();
            return (*wanted != got).then(|| {
                Claim::Findings(got.iter().map(|&name| name.to_owned()).collect()).to_string()
            });
        }
        Claim::Connections(wanted) => {
            let got = proof.connections.len();
            return (*wanted != got).then(|| format!("connections {got}"));
        }
        _ => {}
    }
    let connection = match (expectation.connection, proof.connections.as_slice()) {
        (None, [only]) => only,
        (None, all) => {
            return Some(format!(
                "{} connections: say which, as in `=> 2: …`",
                all.len()
            ));
        }
        (Some(number), all) => match all.get(number as usize - 1) {
            Some(connection) => connection,
            None => return Some(format!("{} connections", all.len())),
        },
    };
    let got = found(claim, connection);
    (got.as_ref() != Some(claim))
        .then(|| got.map_or_else(|| "no such exchange".to_owned(), |got| got.to_string()))
}

/// The claim of the same kind that is true of this connection.
fn found(claim: &Claim, connection: &Connection) -> Option<Claim> {
    let teardown = &connection.teardown;
    Some(match claim {
        Claim::Teardown(_, _, phase) => {
            Claim::Teardown(teardown.by, teardown.how, phase.map(|_| teardown.phase))
        }
        Claim::Opening(_) => Claim::Opening(connection.opening),
        Claim::TimeWait(_) => {
            Claim::TimeWait(connection.time_wait.map(|frame_ref| frame_ref.is_some()))
        }
        Claim::States(_) => Claim::States(connection.states),
        Claim::Exchanges(_) => Claim::Exchanges(connection.exchanges.len()),
        Claim::Outcome(number, _) => {
            let exchange = connection.exchanges.get(number.checked_sub(1)?)?;
            Claim::Outcome(*number, outcome(connection, exchange))
        }
        Claim::Came(_) => Claim::Came(connection.outcome),
        Claim::Orderly(_) => Claim::Orderly(teardown.orderly),
        Claim::Certainty(_) => Claim::Certainty(teardown.certainty),
        Claim::Protocol(_) => Claim::Protocol(connection.protocol),
        Claim::Sent(who, tally, _) => Claim::Sent(*who, *tally, sent(connection, *who, *tally)),
        Claim::Findings(_) | Claim::Connections(_) => return None,
    })
}

fn outcome(connection: &Connection, exchange: &crate::protocol::http::Exchange) -> Option<Outcome> {
    exchange.outcome(connection.teardown.ending())
}

fn sent(connection: &Connection, who: Who, tally: SentCounter) -> u64 {
    let sent = &connection.sent[who as usize];
    match tally {
        SentCounter::Packets => sent.packets,
        SentCounter::Bytes => sent.bytes,
        SentCounter::Retransmitted => sent.retransmitted.into(),
        SentCounter::Missing => sent.missing,
        SentCounter::Fins => sent.fins.into(),
        SentCounter::Resets => sent.resets.into(),
        SentCounter::KeepAlives => sent.keep_alives.into(),
        SentCounter::ZeroWindows => sent.zero_windows.into(),
    }
}
