//! The client asks for persistent connections, and the server refuses on every response.

use std::time::Duration;

use crate::analysis::connection::ConnectionSummary;
use crate::analysis::hosts::Hosts;
use crate::base::certainty::Certainty;
use crate::rules::Severity;
use crate::rules::rule::{Check, Diagnosis, HostDiagnosis, rule};
use crate::rules::statement::{Statement, Value, sentence};
use crate::rules::wording::{rate, shows};

rule! {
    /// # What happened
    ///
    /// The client asked for persistent connections, as HTTP/1.1 does by default. The server sent `Connection: close` in
    /// every response.
    ///
    /// # Why it matters
    ///
    /// Each request pays for a TCP handshake, and for a TLS handshake where TLS is used. NTLM and Kerberos, which
    /// authenticate a connection, stop working. The side that closes first collects TIME-WAITs. If that is the client, it
    /// runs out of ports.
    ///
    /// # Remedy
    ///
    /// - Find what refuses keep-alive. Keep-alive may be off in the server (IIS "HTTP Keep-Alives", Apache `KeepAlive Off`, nginx
    ///   `keepalive_timeout 0`). Or an application adds the header `Connection: close`, or a proxy uses HTTP/1.0 to its
    ///   backend.
    /// - Then switch keep-alive on there, and make the server's idle timeout longer than the client's.
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
    "the server sends `Connection: close` in every response", Check::Hosts(check)
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
    let statuses = statuses.iter().take(STATUSES);
    let mut statuses: Vec<_> = statuses.map(|it| it.to_string().into()).collect();
    if more > 0 {
        statuses.push(format!("{more} more").into());
    }
    let mut message = Statement::from(sentence!(
        "On {} the client wanted to keep the connection. On each of them the server said `Connection: close`.",
        Value::count(refused.len() as u64, "connection", "connections")
    ))
    .and(sentence!(
        "The status was {}.",
        Value::Words(statuses, false)
    ));
    if let Some(rate) = rate(refused) {
        message.say(sentence!(
            "On average the client opened a new connection every {}.",
            Duration::from_secs_f64(rate.recip())
        ));
    }
    message.mean("One connection could have carried many of these requests.");
    Diagnosis {
        severity: Severity::Warning,
        certainty: Certainty::Certain,
        summary: "Server refused to keep [a connection|# connections] alive".into(),
        message,
        evidence: vec![
            shows(refused[0].first, "first of these connections"),
            shows(refused[0].close, "closed after one response"),
            shows(refused[1].first, "next connection opened"),
        ],
        remedies: RULE.remedies(),
    }
}

#[cfg(test)]
mod tests {
    use crate::rules::ladder_check;

    #[test]
    fn each_count_has_a_sentence_of_its_own() {
        let ladder = |port, status| {
            format!(
                "client :{port} [times=15 every=100ms] server\nSYN -->\n<-- SYN\nGET / -->\n<-- {status} \"x\" [close]\n\
                 <-- FIN\nFIN -->\n<-- ACK\n"
            )
        };
        let ladder = ladder(40_000, 200) + &ladder(50_000, 404);
        let told = ladder_check::told_by(&super::RULE, &ladder).expect("found");
        assert!(told.contains("On 30 connections the client"), "{told}");
        assert!(told.contains("The status was 200 or 404."), "{told}");
        assert!(told.contains("a new connection every "), "{told}");
    }
}
