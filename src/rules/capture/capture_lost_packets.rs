//! The capture lacks packets that were sent.

use crate::analysis::hosts::Hosts;
use crate::base::certainty::Certainty;
use crate::rules::rule::{Check, Diagnosis, Verdict, rule};
use crate::rules::statement::{Statement, Value, sentence};
use crate::rules::wording::shows;
use crate::rules::{CaptureQuality, Severity};

rule! {
    /// # What happened
    ///
    /// The capture is not complete. Either it says itself that packets were dropped, or one side acknowledged bytes that were
    /// never captured.
    ///
    /// # Why it matters
    ///
    /// A packet that the capture lost was not lost on the wire. A request without a response may have had one, and a body that
    /// stops may have gone on. On connections with holes, findings are weakened or left out.
    ///
    /// # Remedy
    ///
    /// - Capture again with a larger buffer (`tcpdump -B 65536`) and a filter for the hosts in question.
    /// - Or keep only the first bytes of each packet (`-s 256`) if bodies do not matter.
    /// - Or write to a fast disk, or capture on a host that is not busy itself.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /              -->
    ///  0.030                     <~~  200 "hello"
    ///  0.040  GET /2             -->
    ///  0.050                     <--  200 "two"
    ///  0.060  ACK                -->
    ///  => sent server missing 43
    /// ```
    ///
    /// # Not this
    ///
    /// What the network lost was retransmitted:
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
    /// # References
    ///
    /// pcapng, interface statistics block; tcpdump(1).
    pub(super) RULE: "capture-lost-packets", Severity::Warning,
    "the capture lacks packets that were sent", Check::Capture(check)
}

fn check(capture_quality: &CaptureQuality, hosts: &Hosts<'_>) -> Verdict {
    // A missing direction is a finding of its own.
    let holes = hosts
        .connections
        .iter()
        .filter(|it| it.missing && it.seen == [true; 2]);
    let first = holes.clone().next();
    let count = holes.count();
    let filtered = capture_quality.dropped == 0 && is_filtered(hosts, count);
    if capture_quality.dropped == 0 && count == 0 {
        return Verdict::Clear;
    }
    // Drops are only counted and have no position, while the connections begin somewhere. Without connections there is
    // no conclusion that the drops could weaken, and the report shows the count anyway.
    let Some(first) = first.or(hosts.connections.first()) else {
        return Verdict::Clear;
    };
    let mut message = Statement::default();
    if capture_quality.dropped > 0 {
        message.say(sentence!(
            "{} dropped during the capture.",
            Value::count(capture_quality.dropped, "packet was", "packets were")
        ));
    }
    if count > 0 {
        message.say(sentence!(
            "{} bytes that were acknowledged but not captured.",
            Value::count(count as u64, "connection has", "connections have")
        ));
    }
    message.mean("What seems unanswered on these connections may have been answered.");
    if filtered {
        message.say("No connection has a segment with data in the capture.");
        message.presume("A filter kept only segments with SYN, FIN or RST.");
    }
    Verdict::Found(Box::new(Diagnosis {
        severity: if capture_quality.dropped > 0 {
            Severity::Warning
        } else {
            Severity::Note
        },
        certainty: Certainty::Certain,
        summary: "Capture lacks packets".into(),
        message,
        evidence: vec![shows(
            first.first,
            if count > 0 {
                "a connection with holes begins"
            } else {
                "the first connection of the capture"
            },
        )],
        remedies: match filtered {
            true => vec![WITHOUT_FILTER.into()],
            false => RULE.remedies(),
        },
    }))
}

/// What to do where the capture holds no data at all.
const WITHOUT_FILTER: &str = "Capture again without a filter for TCP flags: it lets only the beginning and the end of connections through.";

/// Whether the capture has data of no connection, though data was acknowledged on several: chance does not choose so.
fn is_filtered(hosts: &Hosts<'_>, holes: usize) -> bool {
    holes > 1 && hosts.connections.iter().all(|it| it.spoke == [false; 2])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_of_flags_leaves_no_data_of_any_connection() {
        let one = |port: u16, arrow: &str| {
            format!(
                "client :{port} server :80\n+1s SYN -->\n<-- SYN\nACK ~~>\nGET / [close] {arrow}\n<~~ 200 data 900 [close]\n\
                 +5s <-- FIN\nFIN -->\n<~~ ACK\n"
            )
        };
        let told = |second: &str| {
            let text = one(40_000, "~~>") + &one(40_001, second);
            crate::rules::ladder_check::found_by(&RULE, &text).expect("found")
        };
        let filtered = told("~~>");
        assert!(
            filtered
                .message
                .contains("only segments with SYN, FIN or RST"),
            "{}",
            filtered.message
        );
        assert!(
            filtered.remedies[0].contains("without a filter"),
            "{:?}",
            filtered.remedies
        );
        let lost = told("-->");
        assert!(!lost.message.contains("only segments"), "{}", lost.message);
        assert!(
            lost.remedies[0].contains("larger buffer"),
            "{:?}",
            lost.remedies
        );
    }

    #[test]
    fn drops_before_any_connection_weaken_nothing() {
        let capture_quality = CaptureQuality {
            frames: 3,
            dropped: 5,
            ..CaptureQuality::default()
        };
        let hosts = Hosts::new(&[], &[], Default::default());
        assert!(matches!(check(&capture_quality, &hosts), Verdict::Clear));
    }

    /// The number of a socket that is gone is made up: no byte can follow the server's FIN.
    #[test]
    fn nothing_is_missing_behind_a_fin() {
        let told = |ack: &str| {
            let text = format!(
                "SYN -->\n<-- SYN\nACK -->\nGET / -->\n<-- 200 \"one\" FIN\nRST [{ack}] -->\n"
            );
            crate::rules::ladder_check::told_by(&RULE, &text)
        };
        assert_eq!(told("ack=900"), None);
    }
}
