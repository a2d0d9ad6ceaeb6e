//! Of two connects to two addresses of a server, the slower one was dropped.

use std::cell::LazyCell;
use std::time::Duration;

use crate::analysis::connection::{By, ConnectionSummary, Opening};
use crate::analysis::hosts::{Alternatives, Hosts};
use crate::base::certainty::Certainty;
use crate::rules::rule::{Check, Diagnosis, HostDiagnosis, rule};
use crate::rules::statement::{Statement, sentence};
use crate::rules::wording::shows;
use crate::rules::{RuleInput, Severity};

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
    /// Two servers, which the client had looked up under two names:
    ///
    /// ```ladder
    ///         client 10.0.0.1:50000   server 10.0.0.53:53
    ///  0.000  lookup a.example   -->
    ///  0.001                     <--  address 10.0.0.3
    ///         client 10.0.0.1:50001   server 10.0.0.53:53
    ///  0.002  lookup b.example   -->
    ///  0.003                     <--  address 10.0.0.2
    ///         client 10.0.0.1:40000   server 10.0.0.3:80
    ///  0.010  SYN                -->
    ///         client 10.0.0.1:40001   server 10.0.0.2:80
    ///  0.050  SYN                -->
    ///  0.060                     <--  SYN
    ///  0.070  GET /              -->
    ///         client 10.0.0.1:40000   server 10.0.0.3:80
    ///  0.080                     <--  SYN
    ///  0.081  ACK                -->
    ///  0.082  RST                -->
    /// ```
    ///
    /// # References
    ///
    /// RFC 8305 §5.
    pub(super) RULE: "happy-eyeballs-loser", Severity::Benign,
    "the client drops the slower of two connections to two addresses", Check::All(check)
}

/// The next address is tried after 250 ms, 300 ms at most (RFC 8305 §5), plus a margin for the program.
const APART: Duration = Duration::from_millis(350);

/// Whether the client looked up the two addresses under different names: they are two servers then, and none is the other's
/// alternative.
fn are_of_two_names(
    facts: &RuleInput<'_>,
    loser: &ConnectionSummary,
    winner: &ConnectionSummary,
) -> bool {
    let name = |it: &ConnectionSummary| {
        let lookup = facts.lookups.of(loser.client.ip, it.server.ip);
        lookup.map(|it| &it.name)
    };
    let names = name(loser).zip(name(winner));
    names.is_some_and(|(one, other)| one != other)
}

fn check(facts: &RuleInput<'_>, hosts: &Hosts<'_>) -> Vec<HostDiagnosis> {
    let all = hosts.connections;
    let used = LazyCell::new(|| Alternatives::new(all, |it| it.spoke[0]));
    let mut found = Vec::new();
    for loser in all {
        if loser.spoke != [false; 2]
            || loser.by != By::Client
            || !matches!(loser.opening, Opening::Handshake | Opening::Rejected)
        {
            continue;
        }
        let began = |it: &ConnectionSummary| it.first.time.after(APART) < loser.first.time;
        let from = all.partition_point(began);
        let winner = used.first(loser, from, loser.first.time.after(APART));
        if let Some(winner) = winner.filter(|it| !are_of_two_names(facts, loser, it)) {
            found.push(HostDiagnosis::of(story(loser, winner), &[loser]));
        }
    }
    found
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
        summary: "Client dropped [a connection|# connections] to a slower address".into(),
        message: Statement::from(sentence!(
            "The client opened connections to {} and {} at nearly the same time. It used the second, and closed the first without \
             data.",
            loser.server,
            winner.server
        ))
        .presuming("The client tried both addresses at once, to keep the one that is faster.")
        .means("Nothing was lost."),
        evidence,
        remedies: RULE.remedies(),
    }
}

#[cfg(test)]
mod tests {
    use crate::rules::ladder_check;

    #[test]
    fn others_in_between_hide_no_winner() {
        let mut text = String::from("client 10.0.0.1:40000 server 10.0.0.3:80\nSYN -->\n");
        for port in 1..100 {
            text += &format!(
                "client 10.0.0.9:{port} server 10.0.0.8:80\nSYN -->\n<-- SYN\nGET / -->\n"
            );
        }
        text += "client 10.0.0.1:40001 server 10.0.0.2:80\nSYN -->\n<-- SYN\nGET / -->\n\
                 client 10.0.0.1:40000 server 10.0.0.3:80\n<-- SYN\nACK -->\nRST -->";
        assert!(ladder_check::found_by(&super::RULE, &text).is_some());
    }
}
