//! Of two connects to two addresses of a server, the slower one was dropped.

use std::time::Duration;

use crate::analysis::connection::{By, ConnectionSummary, Opening};
use crate::analysis::hosts::Hosts;
use crate::base::certainty::Certainty;
use crate::rules::Severity;
use crate::rules::rule::{Check, Diagnosis, HostDiagnosis, rule};
use crate::rules::statement::{Statement, sentence};
use crate::rules::wording::shows;

rule! {
    /// # What happened
    ///
    /// A client opened connections to two addresses with the same port at nearly the same time. It used the faster one, and
    /// closed the other without sending data.
    ///
    /// # Why it matters
    ///
    /// It does not matter: programs find out this way whether IPv6 or IPv4 works better (Happy Eyeballs). The server's log
    /// may show a connection without a request.
    ///
    /// # Remedy
    ///
    /// - Change nothing. Count such connections neither as requests nor as failures.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client 10.0.0.1:40000   server 10.0.0.3:80
    ///  0.000  SYN                -->
    ///         client 10.0.0.1:40001   server 10.0.0.2:80
    ///  0.250  SYN                -->
    ///  0.260                     <--  SYN
    ///  0.270  GET /              -->
    ///         client 10.0.0.1:40000   server 10.0.0.3:80
    ///  0.280                     <--  SYN
    ///  0.281  ACK                -->
    ///  0.282  RST                -->
    ///         client 10.0.0.1:40001   server 10.0.0.2:80
    ///  0.290                     <--  200 "hello"
    ///  0.500  ACK                -->
    ///  => findings happy-eyeballs-loser
    /// ```
    ///
    /// # Not this
    ///
    /// Two connections, but neither is used:
    ///
    /// ```ladder
    ///         client 10.0.0.1:40000   server 10.0.0.3:80
    ///  0.000  SYN                -->
    ///         client 10.0.0.1:40001   server 10.0.0.2:80
    ///  0.250  SYN                -->
    ///  0.260                     <--  SYN
    ///  0.270  ACK                -->
    ///         client 10.0.0.1:40000   server 10.0.0.3:80
    ///  0.280                     <--  SYN
    ///  0.281  ACK                -->
    ///  0.282  RST                -->
    /// ```
    ///
    /// # References
    ///
    /// RFC 8305 §5.
    pub(super) RULE: "happy-eyeballs-loser", Severity::Benign,
    "the client drops the slower of two connections to two addresses", Check::Hosts(check)
}

/// The next address is tried after 250 ms, 300 ms at most (RFC 8305 §5), plus a margin for the program.
const APART: Duration = Duration::from_millis(350);
/// Neighbouring attempts that are examined: programs try a handful of addresses.
const NEIGHBOURS: usize = 16;

fn check(hosts: &Hosts<'_>) -> Vec<HostDiagnosis> {
    let all = hosts.connections;
    let mut found = Vec::new();
    for (index, loser) in all.iter().enumerate() {
        if loser.spoke != [false; 2]
            || loser.by != By::Client
            || !matches!(loser.opening, Opening::Handshake | Opening::Rejected)
        {
            continue;
        }
        let low = index.saturating_sub(NEIGHBOURS);
        let near = all[low..].iter().take(2 * NEIGHBOURS);
        let winner = near.into_iter().find(|winner| won(winner, loser));
        if let Some(winner) = winner {
            found.push(HostDiagnosis::of(story(loser, winner), &[loser]));
        }
    }
    found
}

fn won(winner: &ConnectionSummary, loser: &ConnectionSummary) -> bool {
    let apart = winner
        .first
        .time
        .since(loser.first.time)
        .max(loser.first.time.since(winner.first.time));
    let host = winner.client.ip == loser.client.ip
        || winner.client.ip.is_ipv4() != loser.client.ip.is_ipv4();
    host && winner.server.port == loser.server.port
        && winner.server.ip != loser.server.ip
        && winner.spoke[0]
        && apart <= APART
}

fn story(loser: &ConnectionSummary, winner: &ConnectionSummary) -> Diagnosis {
    let mut evidence = vec![
        shows(loser.first, "SYN of the dropped connection"),
        shows(winner.first, "SYN of the used connection"),
        shows(loser.close, "close by the client"),
    ];
    evidence.sort_by_key(|it| it.frame_ref);
    Diagnosis {
        severity: Severity::Benign,
        certainty: Certainty::Likely,
        summary: "The client dropped [a connection|# connections] to a slower address".into(),
        message: Statement::from(sentence!(
            "The client opened connections to {} and {} at nearly the same time. It used the second, and closed the first \
             without sending data.",
            loser.server,
            winner.server
        ))
        .means("Nothing was lost."),
        evidence,
        remedies: RULE.remedies(),
    }
}
