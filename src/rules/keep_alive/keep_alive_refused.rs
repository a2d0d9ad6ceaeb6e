//! The client asks for persistent connections, and the server refuses on every response.

use crate::analysis::connection::ConnectionSummary;
use crate::analysis::hosts::Hosts;
use crate::base::certainty::Certainty;
use crate::base::format::number;
use crate::rules::Severity;
use crate::rules::rule::{Check, Diagnosis, HostDiagnosis, rule};
use crate::rules::wording::{rate, shows};

rule! {
    /// # What happened
    ///
    /// The client asked for persistent connections, as HTTP/1.1 does unless it says otherwise, and the server answered
    /// `Connection: close` on every response.
    ///
    /// # Why it matters
    ///
    /// Each request pays for a handshake of TCP, and of TLS where it is used. NTLM and Kerberos, which authenticate a
    /// connection, break down. Whoever closes first collects TIME-WAITs; if that is the client, its ports run out.
    ///
    /// # Remedy
    ///
    /// - Find what refuses: keep-alive switched off in the server (IIS "HTTP Keep-Alives", Apache `KeepAlive Off`, nginx
    ///   `keepalive_timeout 0`), a custom header `Connection: close` of the application, a proxy that speaks HTTP/1.0 to its
    ///   backend.
    /// - Switch keep-alive on there, and let the server's idle timeout be longer than the client's.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client :40000 [times=30 every=100ms] server
    ///  0.000  SYN                -->
    ///  0.001                     <--  SYN
    ///  0.002  GET /              -->
    ///  0.003                     <--  200 "hello" [close]
    ///  0.004                     <--  FIN
    ///  0.005  FIN                -->
    ///  0.006                     <--  ACK
    /// ```
    ///
    /// # Not this
    ///
    /// The client asked for the close:
    ///
    /// ```ladder
    ///         client :40000 [times=30 every=100ms] server
    ///  0.000  SYN                -->
    ///  0.001                     <--  SYN
    ///  0.002  GET / [close]      -->
    ///  0.003                     <--  200 "hello" [close]
    ///  0.004                     <--  FIN
    ///  0.005  FIN                -->
    ///  0.006                     <--  ACK
    /// ```
    ///
    /// # References
    ///
    /// RFC 9112 §9.3, §9.6.
    pub(super) RULE: "keep-alive-refused", Severity::Warning,
    "the server answers `Connection: close` on every response", Check::Hosts(check)
}

/// Responses from which on it is a setting, not a coincidence.
const LEAST: usize = 20;
/// Statuses that are named.
const STATUSES: usize = 5;

fn check(hosts: &Hosts<'_>) -> Vec<HostDiagnosis> {
    let mut found = Vec::new();
    for host_pairs in hosts.busy(LEAST + 1) {
        let answered = host_pairs.connections.iter().filter(|it| it.status != 0);
        let (mut refused, mut kept) = (Vec::new(), 0);
        for it in answered {
            let refuses = it.server_says_close && !it.server_persists;
            match (it.client_persists, refuses) {
                (true, true) => refused.push(*it),
                (_, false) => kept += 1,
                (false, true) => {}
            }
        }
        if refused.len() > LEAST && kept == 0 {
            found.push(HostDiagnosis::of(story(&refused), &refused));
        }
    }
    found
}

fn story(refused: &[&ConnectionSummary]) -> Diagnosis {
    let mut statuses: Vec<u16> = refused.iter().map(|it| it.status).collect();
    statuses.sort_unstable();
    statuses.dedup();
    let more = statuses.len().saturating_sub(STATUSES);
    let mut statuses: Vec<_> = statuses.iter().take(STATUSES).map(u16::to_string).collect();
    if more > 0 {
        statuses.push(format!("{more} more"));
    }
    let pace = rate(refused).map_or_else(String::new, |rate| format!(" ({rate:.1} a second)"));
    Diagnosis {
        severity: Severity::Warning,
        certainty: Certainty::Certain,
        summary: "every response says `Connection: close`, though the client would go on".into(),
        message: format!(
            "On all {} connections{pace}, the client was ready to go on and the server said `Connection: close` (status {}). One \
             connection could have carried many of these requests.",
            number(refused.len()),
            statuses.join(", "),
        ).into(),
        evidence: vec![
            shows(refused[0].first, "the first of these connections"),
            shows(refused[0].close, "it is closed after one response"),
            shows(refused[1].first, "the next one is opened"),
        ],
        remedies: RULE.remedies(),
    }
}
