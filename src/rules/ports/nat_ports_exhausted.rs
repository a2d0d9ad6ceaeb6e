//! Connects to one server get no answer after very many were made, while others succeed.

use std::time::Duration;

use crate::analysis::connection::{ConnectionSummary, Opening};
use crate::analysis::hosts::{HostPair, Hosts};
use crate::base::certainty::Certainty;
use crate::rules::Severity;
use crate::rules::rule::{Check, Diagnosis, HostDiagnosis, rule};
use crate::rules::statement::{Statement, Value, sentence};
use crate::rules::wording::shows;

rule! {
    /// # What happened
    ///
    /// A client made very many connections to one server within a few minutes. Then new connection attempts to that server got
    /// no answer, while those to other servers did.
    ///
    /// # Why it matters
    ///
    /// A NAT on the way (a cloud's outbound gateway, a firewall) gives each client a number of ports for each destination.
    /// Often it is 64, 128 or 1024. When they are used up, it drops SYNs silently. It recovers about four minutes after the
    /// load ends. The client's log says "connection timed out"; the server sees nothing.
    ///
    /// # Remedy
    ///
    /// - Use each connection for many requests: it is cheaper than anything below.
    /// - Find out whether a NAT stands on the way, and give it more ports or addresses for this client. Or reach the server
    ///   without it (private endpoint, peering).
    /// - Look at the NAT's metrics for failed translations at the time of the SYNs; they settle it.
    ///
    /// # Tell it by
    ///
    /// SYNs to this server get no answer after very many connections to it within minutes. SYNs to other servers are
    /// answered.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client :40000 [times=70 every=100ms] server
    ///  0.000  SYN                -->
    ///  0.001                     <--  SYN
    ///  0.002  ACK                -->
    ///         client :41000 [times=3 every=10ms] server
    ///  8.000  SYN                -->
    ///         client :42000           server 10.0.0.3:80
    ///  8.100  SYN                -->
    ///  8.101                     <--  SYN
    ///  8.102  ACK                -->
    ///         client :41000           server
    ///  9.000  again              -->
    /// 11.000  again              -->
    ///  => findings connect-unanswered nat-ports-exhausted
    /// ```
    ///
    /// # Not this
    ///
    /// A server that is gone after a few connections:
    ///
    /// ```ladder
    ///         client :40000 [times=5 every=100ms] server
    ///  0.000  SYN                -->
    ///  0.001                     <--  SYN
    ///  0.002  ACK                -->
    ///         client :41000 [times=3 every=10ms] server
    ///  8.000  SYN                -->
    ///  9.000  again              -->
    /// 11.000  again              -->
    /// ```
    ///
    /// A server that answers other clients no more than this one:
    ///
    /// ```ladder
    ///         client :40000 [times=70 every=100ms] server
    ///  0.000  SYN                -->
    ///  0.001                     <--  SYN
    ///  0.002  ACK                -->
    ///         client :41000 [times=3 every=10ms] server
    ///  8.000  SYN                -->
    ///         client 10.0.0.9:41000   server
    ///  8.500  SYN                -->
    ///         client :42000           server 10.0.0.3:80
    ///  8.600  SYN                -->
    ///  8.601                     <--  SYN
    ///  8.602  ACK                -->
    ///         client :41000           server
    ///  9.000  again              -->
    ///         client 10.0.0.9:41000   server
    ///  9.500  again              -->
    ///         client :41000           server
    /// 11.000  again              -->
    ///         client 10.0.0.9:41000   server
    /// 11.500  again              -->
    /// ```
    ///
    /// # References
    ///
    /// RFC 6888 (limits of carrier-grade translators); RFC 5382 REQ-5; RFC 4787 §4.
    pub(super) RULE: "nat-ports-exhausted", Severity::Error,
    "connection attempts to one server get no answer after very many, while others work", Check::Hosts(check)
}

/// The smallest number of ports that NATs allot.
const POOL: usize = 64;
/// How long a NAT holds a port after its connection.
const HELD: Duration = Duration::from_secs(240);
/// Least number of connects without an answer.
const LOST: usize = 3;

fn check(hosts: &Hosts<'_>) -> Vec<HostDiagnosis> {
    if hosts.halves().misses_a_direction() {
        return Vec::new();
    }
    hosts
        .busy(POOL)
        .filter_map(|host_pairs| exhausted(hosts, &host_pairs))
        .collect()
}

fn exhausted(hosts: &Hosts<'_>, host_pairs: &HostPair<'_>) -> Option<HostDiagnosis> {
    let silent = host_pairs.connections.iter().copied();
    let silent: Vec<&ConnectionSummary> = silent
        .filter(|it| it.opening == Opening::Unanswered && it.syn_retries > 0)
        .collect();
    let first = *silent.first().filter(|_| silent.len() >= LOST)?;
    let last = silent[silent.len() - 1];
    let held = host_pairs.connections.iter().filter(|it| {
        it.opening == Opening::Handshake
            && it.first < first.first
            && it.last.after(HELD) >= first.first.time
    });
    let held = held.count();
    let meanwhile = |it: &&ConnectionSummary| {
        it.opening == Opening::Handshake
            && it.first >= first.first
            && it.first.time <= last.last.max(last.close.time)
    };
    let meanwhile: Vec<&ConnectionSummary> = hosts.connections.iter().filter(meanwhile).collect();
    let others_fine = meanwhile
        .iter()
        .any(|it| it.client.ip == host_pairs.client && it.server != host_pairs.server);
    let server_fine = meanwhile
        .iter()
        .any(|it| it.client.ip != host_pairs.client && it.server == host_pairs.server);
    // If nobody else gets an answer either, the server is at fault.
    let server_silent = hosts.connections.iter().any(|it| {
        it.opening == Opening::Unanswered
            && it.syn_retries > 0
            && it.client.ip != host_pairs.client
            && it.server == host_pairs.server
            && it.last >= first.first.time
    });
    if server_silent && !server_fine {
        return None;
    }
    let still_served = meanwhile
        .iter()
        .filter(|it| it.client.ip == host_pairs.client && it.server == host_pairs.server)
        .count();
    // If most connects are still answered, a queue is full and not a pool.
    (held >= POOL && others_fine && still_served < silent.len())
        .then(|| HostDiagnosis::of(story(&silent, held, server_fine), &silent))
}

fn story(silent: &[&ConnectionSummary], held: usize, server_fine: bool) -> Diagnosis {
    let mut message = Statement::from(sentence!(
        "{} got no answer after {} to the same server. The client's attempts to other servers were answered.",
        Value::count(
            silent.len() as u64,
            "connection attempt",
            "connection attempts"
        ),
        Value::count(held as u64, "connection", "connections")
    ));
    if server_fine {
        message.say("The server answered other clients at that time.");
    }
    message.presume("A NAT on the way still held ports for those connections, and had none left.");
    message.mean(
        "An overloaded server would look the same, and nothing here shows that a NAT exists. The NAT's metrics settle it.",
    );
    Diagnosis {
        severity: Severity::Error,
        certainty: Certainty::Possible,
        summary: "[Connection attempt|# connection attempts] unanswered after many others".into(),
        message,
        evidence: vec![
            shows(silent[0].first, "first SYN without an answer"),
            shows(silent[silent.len() - 1].first, "last SYN without an answer"),
        ],
        remedies: RULE.remedies(),
    }
}
