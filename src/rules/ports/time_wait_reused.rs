//! A port was reused while the server still held the TIME-WAIT of its previous connection.

use std::time::Duration;

use crate::analysis::connection::ConnectionSummary;
use crate::analysis::hosts::{Hosts, Measured};
use crate::base::certainty::Certainty;
use crate::rules::Severity;
use crate::rules::rule::{Check, Diagnosis, HostDiagnosis, rule};
use crate::rules::statement::{Statement, Value, sentence};
use crate::rules::wording::shows;

rule! {
    /// # What happened
    ///
    /// The client reused an address and port towards a server that had closed the previous connection first, shortly before.
    /// The server accepted it in TIME-WAIT, as RFC 6191 allows.
    ///
    /// # Why it matters
    ///
    /// Nothing was lost. It shows that the server closes first. It also shows that the ports of the client, or of a NAT
    /// between, return within a minute: there are few of them, or many connections.
    ///
    /// # Remedy
    ///
    /// - Where it happens often, keep connections alive, or give the client or its NAT more ports.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET / [close]      -->
    ///  0.040                     <--  200 "hello" [close]
    ///  0.041                     <--  FIN
    ///  0.050  FIN                -->
    ///  0.060                     <--  ACK
    ///  5.000  SYN [isn=9000000]  -->
    ///  5.010                     <--  SYN
    ///  5.020  ACK                -->
    /// ```
    ///
    /// # Not this
    ///
    /// The TIME-WAIT was over:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET / [close]      -->
    ///  0.040                     <--  200 "hello" [close]
    ///  0.041                     <--  FIN
    ///  0.050  FIN                -->
    ///  0.060                     <--  ACK
    /// 600.000 SYN [isn=9000000]  -->
    /// 600.010                    <--  SYN
    /// 600.020 ACK                -->
    /// ```
    ///
    /// # References
    ///
    /// RFC 6191 §2; RFC 9293 §3.6.1, MAY-2.
    pub(super) RULE: "time-wait-reused", Severity::Note,
    "a port was reused while the server held the TIME-WAIT", Check::Hosts(check)
}

/// The longest TIME-WAIT in use (RFC 9293 §3.4.2, Windows).
const TIME_WAIT: Duration = Duration::from_secs(240);

fn check(hosts: &Hosts<'_>) -> Vec<HostDiagnosis> {
    let mut found = Vec::new();
    for host_pairs in hosts.busy(2) {
        let mut again = host_pairs.connections;
        again.retain(|it| gap(it).is_some_and(|gap| gap < TIME_WAIT));
        let gaps = again.iter().filter_map(|it| gap(it));
        if let Some(gaps) = Measured::of(gaps.collect()) {
            found.push(HostDiagnosis::of(story(&again, gaps), &again));
        }
    }
    found
}

fn gap(it: &ConnectionSummary) -> Option<Duration> {
    it.gave_way_after
        .map(|millis| Duration::from_millis(millis.get().into()))
}

fn story(again: &[&ConnectionSummary], gaps: Measured) -> Diagnosis {
    let message = match gaps.count {
        1 => sentence!(
            "The port was reused {} after its last connection, and the server accepted it.",
            gaps.median
        ),
        count => sentence!(
            "Ports were reused {} times, {} after their last connections, and the server accepted them.",
            count,
            Value::Duration(gaps.range.0, gaps.range.1)
        ),
    };
    Diagnosis {
        severity: Severity::Note,
        certainty: if gaps.range.1 < TIME_WAIT / 4 {
            Certainty::Certain
        } else {
            Certainty::Likely
        },
        summary: "[Port|# ports] reused while the server held the TIME-WAIT".into(),
        message: Statement::from(message)
            .presuming("The server held the last connection in TIME-WAIT."),
        evidence: vec![shows(again[0].first, "SYN on the same addresses and ports")],
        remedies: RULE.remedies(),
    }
}
