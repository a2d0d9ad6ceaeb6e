//! A SYN was answered from another address than the one it was sent to.

use std::time::Duration;

use hashbrown::HashMap;

use crate::analysis::connection::{ConnectionSummary, Opening};
use crate::analysis::hosts::Hosts;
use crate::base::certainty::Certainty;
use crate::base::net::Endpoint;
use crate::rules::Severity;
use crate::rules::rule::{Check, Diagnosis, HostDiagnosis, rule};
use crate::rules::statement::sentence;
use crate::rules::wording::shows;

rule! {
    /// # What happened
    ///
    /// The client sent a SYN to one address, and a SYN-ACK came to the same port from another one. The client's host knows
    /// nothing of that and reset it; the connect got no answer.
    ///
    /// # Why it matters
    ///
    /// The connect times out though server and network are up. Something translates addresses on the way there and not on the
    /// way back: a server behind a virtual address that answers with its own, a load balancer that the answers pass by, two
    /// routers of which only one knows the connection.
    ///
    /// # Remedy
    ///
    /// - Let the answers go back through the box that translated the request: default gateway of the server, source
    ///   translation at the load balancer.
    /// - With direct server return, put the virtual address on the loopback interface of each server and listen on it.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client :40000           server 10.0.0.2:80
    ///  0.000  SYN                -->
    ///         client :40000           server 10.0.0.3:80
    ///  0.001  SYN                ~~>
    ///  0.010                     <--  SYN
    ///  0.020  RST [noack]        -->
    ///         client :40000           server 10.0.0.2:80
    ///  1.000  again              -->
    ///  => findings answer-from-elsewhere client-reset-handshake
    /// ```
    ///
    /// # Not this
    ///
    /// Two servers, each asked by itself:
    ///
    /// ```ladder
    ///         client :40000           server 10.0.0.2:80
    ///  0.000  SYN                -->
    ///         client :40001           server 10.0.0.3:80
    ///  0.001  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  RST [noack]        -->
    /// ```
    ///
    /// # References
    ///
    /// RFC 9293 §3.10.7.1, §3.10.7.3.
    pub(super) RULE: "answer-from-elsewhere", Severity::Warning,
    "a SYN was answered from another address than the one it was sent to", Check::Hosts(check)
}

/// An answer comes within the time a client waits.
const SOON: Duration = Duration::from_secs(10);

fn check(hosts: &Hosts<'_>) -> Vec<HostDiagnosis> {
    let stray = |it: &&ConnectionSummary| {
        it.opening == Opening::Rejected && it.syn_acks > 0 && !it.client_syn()
    };
    let mut strays: HashMap<Endpoint, &ConnectionSummary, foldhash::fast::FixedState> =
        HashMap::default();
    for it in hosts.connections.iter().filter(stray) {
        strays.entry(it.client).or_insert(it);
    }
    if strays.is_empty() {
        return Vec::new();
    }
    let mut found = Vec::new();
    for asked in hosts.connections {
        if asked.opening != Opening::Unanswered || asked.seen[1] {
            continue;
        }
        let Some(answer) = strays.get(&asked.client) else {
            continue;
        };
        let soon = answer.first.time >= asked.first.time
            && answer.first.time.since(asked.first.time) <= SOON;
        if answer.server != asked.server && soon {
            let mut it = HostDiagnosis::of(story(asked, answer), &[asked]);
            it.connections.push(answer.id);
            it.connections.sort_unstable();
            found.push(it.once());
        }
    }
    found
}

fn story(asked: &ConnectionSummary, answer: &ConnectionSummary) -> Diagnosis {
    Diagnosis {
        severity: Severity::Warning,
        certainty: Certainty::Likely,
        summary: "SYNs were answered from another address".into(),
        message: sentence!(
            "The SYN went to {} and the SYN-ACK came from {}, to the same client port; the client's host does not take it.",
            asked.server,
            answer.server
        )
        .into(),
        evidence: vec![
            shows(asked.first, format!("SYN to {}", asked.server)),
            shows(answer.first, format!("SYN-ACK from {}", answer.server)),
        ],
        remedies: RULE.remedies(),
    }
}

#[cfg(test)]
mod tests {
    use crate::rules::ladder_check;

    #[test]
    fn one_connect_and_its_answer_are_one_case() {
        let ladder = "client :40000 server 10.0.0.2:80\nSYN -->\nclient :40000 server 10.0.0.3:80\nSYN ~~>\n<-- SYN\n\
                      RST [noack] -->\nclient :40000 server 10.0.0.2:80\n+1s again -->";
        let found = ladder_check::found_by(&super::RULE, ladder).expect("found");
        assert_eq!((found.connections.len(), found.times), (2, 1));
        assert!(found.message.contains("10.0.0.2:80"), "{}", found.message);
        assert!(found.message.contains("10.0.0.3:80"), "{}", found.message);
    }
}
