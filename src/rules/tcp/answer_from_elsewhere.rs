//! A SYN was answered from another address than the one it was sent to.

use std::time::Duration;

use hashbrown::HashMap;

use crate::analysis::connection::{ConnectionSummary, Opening};
use crate::analysis::hosts::Hosts;
use crate::base::certainty::Certainty;
use crate::base::net::Endpoint;
use crate::rules::Severity;
use crate::rules::rule::{Check, Diagnosis, HostDiagnosis, rule};
use crate::rules::statement::{Statement, sentence};
use crate::rules::wording::shows;

rule! {
    /// # What happened
    ///
    /// The client sent a SYN to one address. A SYN-ACK came to the same client port from another address. The client's host
    /// did not know that connection and reset it, so the connection attempt got no answer.
    ///
    /// # Why it matters
    ///
    /// The attempt times out although server and network are up. A device translates addresses on the way there and not on
    /// the way back. Examples are a server behind a virtual address that answers with its own, or a load balancer that the
    /// replies bypass. Another is a pair of routers if only one of them knows the connection.
    ///
    /// # Remedy
    ///
    /// - Route the replies back through the device that translated the request: set the server's default gateway, or use
    ///   source NAT at the load balancer.
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
    "the SYN-ACK comes from another address than the SYN was sent to", Check::Hosts(check)
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
    // One answer does not belong to the SYNs of a scan that all come from one port.
    let mut asking: HashMap<Endpoint, u32, foldhash::fast::FixedState> = HashMap::default();
    for it in hosts
        .connections
        .iter()
        .filter(|it| it.opening == Opening::Unanswered)
    {
        *asking.entry(it.client).or_default() += 1;
    }
    asking.retain(|_, count| *count > 1);
    let many = asking;
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
        if answer.server.ip != asked.server.ip && soon && !many.contains_key(&asked.client) {
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
        summary: "SYN-ACK to [a SYN|# SYNs] came from another address".into(),
        message: Statement::from(sentence!(
            "The client sent a SYN to {}. The SYN-ACK came from {}, to the same client port, and the client's host reset it.",
            asked.server,
            answer.server
        ))
        .presuming("A load balancer or a NAT did not translate the server's address back.")
        .means("The client sent no request on this connection: a retry is safe."),
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
