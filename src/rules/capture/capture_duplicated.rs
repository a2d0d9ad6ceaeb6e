//! The capture holds packets twice.

use crate::analysis::hosts::Hosts;
use crate::base::certainty::Certainty;
use crate::rules::rule::{Check, Diagnosis, Verdict, rule};
use crate::rules::statement::{Value, sentence};
use crate::rules::wording::shows;
use crate::rules::{CaptureQuality, Severity};

rule! {
    /// # What happened
    ///
    /// The same packets were captured more than once: on several interfaces of one host (`-i any`, a bridge, containers), or by
    /// a mirror port that copies both incoming and outgoing packets.
    ///
    /// # Why it matters
    ///
    /// Nothing was sent twice. Copies are recognised by everything that stays the same on the way, and left out. Tools that do
    /// not do this report retransmissions and duplicate acknowledgements.
    ///
    /// # Remedy
    ///
    /// - Capture on one interface, or mirror one direction of each port. Or leave it: the copies were left out.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN [id=1]         -->
    /// +10us   again [id=1]       -->
    ///  0.010                     <--  SYN [id=1]
    /// +10us                      <--  again [id=1]
    ///  0.020  GET / [id=2]       -->
    /// +10us   again [id=2]       -->
    ///  0.030                     <--  200 "hello" [id=2]
    /// +10us                      <--  again [id=2]
    ///  0.040  ACK                -->
    /// ```
    ///
    /// # Not this
    ///
    /// A retransmission:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /              -->
    ///  0.220  again              -->
    ///  0.230                     <--  200 "hello"
    ///  0.240  ACK                -->
    /// ```
    ///
    /// A SYN-ACK that the server's timer repeats while a repeated SYN asks for it:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.000                     <--  SYN
    ///  1.000  again [noack]      -->
    /// +20us                      <--  again
    /// +60us                      <--  again
    ///  1.010  GET /              -->
    ///  1.020                     <--  200 "hello"
    ///  1.030  ACK                -->
    ///  => findings connect-delayed
    /// ```
    ///
    /// # References
    ///
    /// tcpdump(1), `-i any`; editcap(1), `-d`.
    pub(super) RULE: "capture-duplicated", Severity::Note,
    "the capture holds packets twice", Check::Capture(check)
}

fn check(capture_quality: &CaptureQuality, _: &Hosts<'_>) -> Verdict {
    let copies = capture_quality.copied_connections;
    if let Some(first) = capture_quality.first_copy {
        return Verdict::Found(Box::new(Diagnosis {
            severity: Severity::Note,
            certainty: Certainty::Certain,
            summary: "Capture holds connections twice".into(),
            message: sentence!(
                "{} came twice, at the same time and from the same port: the file holds its traffic again. Findings across \
                 connections count each once.",
                Value::count(copies, "connection", "connections")
            )
            .into(),
            evidence: vec![shows(first, "the first that comes again")],
            remedies: RULE.remedies(),
        }));
    }
    let Some(first) = capture_quality.first_duplicate else {
        return Verdict::Clear;
    };
    Verdict::Found(Box::new(Diagnosis {
        severity: Severity::Note,
        certainty: Certainty::Likely,
        summary: "Capture holds packets twice".into(),
        message: sentence!(
            "{} of {} frames are copies of packets that the capture holds already. They were left out.",
            capture_quality.duplicates,
            capture_quality.frames
        )
        .into(),
        evidence: vec![shows(first, "the first copy")],
        remedies: RULE.remedies(),
    }))
}
