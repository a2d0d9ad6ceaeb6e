//! The capture kept only the first bytes of each packet.

use crate::analysis::hosts::Hosts;
use crate::base::certainty::Certainty;
use crate::rules::rule::{Check, Diagnosis, Verdict, rule};
use crate::rules::statement::sentence;
use crate::rules::wording::shows;
use crate::rules::{CaptureQuality, Severity};

rule! {
    /// # What happened
    ///
    /// The capture was taken with a snapshot length: it kept only the first bytes of longer packets.
    ///
    /// # Why it matters
    ///
    /// Packet lengths are in the headers, so the amount of data, who closed and when are known. The content is not. A message
    /// whose head was cut cannot be read, and the end of some messages stays unknown. Findings that need the missing bytes are
    /// left out.
    ///
    /// # Remedy
    ///
    /// - Where heads were cut, capture with a larger snapshot length: `tcpdump -s 2048` keeps nearly every head, `-s 0`
    ///   everything.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /              -->
    ///  0.040                     <--  200 data 1000 [cut=200]
    ///  0.050  ACK                -->
    /// ```
    ///
    /// # Not this
    ///
    /// Everything was kept:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /              -->
    ///  0.040                     <--  200 data 1000
    ///  0.050  ACK                -->
    /// ```
    ///
    /// # References
    ///
    /// tcpdump(1), `-s`; pcapng, `if_snaplen`.
    pub(super) RULE: "capture-cut-short", Severity::Note,
    "the capture kept only the first bytes of packets", Check::Capture(check)
}

fn check(capture_quality: &CaptureQuality, _: &Hosts<'_>) -> Verdict {
    let Some(first) = capture_quality.first_cut else {
        return Verdict::Clear;
    };
    Verdict::Found(Box::new(Diagnosis {
        severity: Severity::Note,
        certainty: Certainty::Certain,
        summary: "Capture kept only the first bytes of packets".into(),
        message: sentence!(
            "The capture kept only a part of {} of {} segments. Their lengths are known, their contents are not.",
            capture_quality.cut,
            capture_quality.segments
        )
        .into(),
        evidence: vec![shows(first, "the first segment that was cut")],
        remedies: RULE.remedies(),
    }))
}
