//! The capture sees one direction only.

use crate::analysis::connection::{ConnectionSummary, Opening};
use crate::analysis::hosts::Hosts;
use crate::base::certainty::Certainty;
use crate::rules::rule::{Check, Diagnosis, Verdict, rule};
use crate::rules::statement::{Statement, Value, sentence};
use crate::rules::wording::shows;
use crate::rules::{CaptureQuality, Severity};

rule! {
    /// # What happened
    ///
    /// Of most connections the capture holds the packets of one side only, though that side went on as if it had received the
    /// other's.
    ///
    /// # Why it matters
    ///
    /// The other direction takes another path past the point of capture, or a filter leaves it out. Missing responses prove
    /// nothing here. Who closed first is known only where acknowledgements show it.
    ///
    /// # Remedy
    ///
    /// - Capture on one of the two hosts, or mirror both directions of the port.
    /// - Or correct the capture filter: `host X` has both directions, `src host X` has one.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <~~  SYN
    ///  0.020  GET /              -->
    ///  0.040                     <~~  200 "hello"
    ///  0.050  ACK                -->
    ///  0.060  GET /              -->
    ///  0.070                     <~~  200 "hello"
    ///  0.080  ACK                -->
    ///  => findings capture-one-sided
    /// ```
    ///
    /// # Not this
    ///
    /// A server that does not answer is no direction that was not captured:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  1.000  again              -->
    /// ```
    ///
    /// A single segment shows no direction that went on:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  data 100           -->
    /// ```
    ///
    /// # References
    ///
    /// RFC 9293 §3.8 (what acknowledgements prove).
    pub(super) RULE: "capture-one-sided", Severity::Note,
    "the capture shows one direction only", Check::Capture(check)
}

/// Fewer segments are a sample, and no conversation of which one side is missing.
const CONVERSATION: u64 = 3;

fn check(quality: &CaptureQuality, hosts: &Hosts<'_>) -> Verdict {
    let halves = hosts.halves();
    if !halves.misses_a_direction() || quality.segments < CONVERSATION {
        return Verdict::Clear;
    }
    // One segment alone has no answer yet.
    let more = |it: &&ConnectionSummary| it.last > it.first.time || it.close.frame > it.first.frame;
    let mut sides = hosts.connections.iter().filter(|it| {
        it.seen != [true; 2] && matches!(it.opening, Opening::Handshake | Opening::Midstream)
    });
    let Some(first) = sides.find(more) else {
        return Verdict::Clear;
    };
    Verdict::Found(Box::new(Diagnosis {
        severity: Severity::Note,
        certainty: Certainty::Likely,
        summary: "Capture shows one direction only".into(),
        message: Statement::from(match halves.whole {
            0 => sentence!(
                "The capture has only one direction of {}.",
                Value::count(halves.half.into(), "connection", "connections")
            ),
            whole => sentence!(
                "Of {} the capture has one direction only; of {} it has both.",
                Value::count(halves.half.into(), "connection", "connections"),
                whole
            ),
        })
        .presuming("The capture was taken where one direction does not pass.")
        .means("Missing responses prove nothing here."),
        evidence: vec![shows(first.first, "a connection with one side missing")],
        remedies: RULE.remedies(),
    }))
}
