//! Connections to one server are cut for one name, and work for others.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::analysis::connection::{Connection, ConnectionSummary, How, Opening, Phase};
use crate::analysis::hosts::Hosts;
use crate::base::certainty::Certainty;
use crate::base::escape::shortened;
use crate::base::net::Endpoint;
use crate::rules::rule::{Check, Diagnosis, HostDiagnosis, rule};
use crate::rules::statement::{Statement, Value, sentence};
use crate::rules::wording::shows;
use crate::rules::{RuleInput, Severity};

rule! {
    /// # What happened
    ///
    /// Every connection to a server that asked for one name was cut at its first request. A RST or silence ended it, without a
    /// byte from the server. The name stands in `Host`, in `CONNECT`, or in the ClientHello. Connections to the same address
    /// and port that ask for another name are served.
    ///
    /// # Why it matters
    ///
    /// The server answers, so neither its health nor the route is at fault: something decides by the name. Mostly that is a
    /// firewall, a content filter or a provider on the path. It reads the name and forges a RST or drops the packets. It may be
    /// the server's own front end as well.
    ///
    /// # Remedy
    ///
    /// - Look for the name in the lists of the firewall, proxy or content filter between client and server, and allow it.
    /// - Capture at the server: a RST that it did not send, or a request that never arrives, comes from a filter.
    ///
    /// # Tell it by
    ///
    /// Connections that ask for one name are cut. Connections to the same address and port that ask for another name are
    /// served.
    ///
    /// # Example
    ///
    /// ```ladder
    /// client :40001 server
    ///  0.000  SYN                -->
    ///  0.050                     <--  SYN
    ///  0.100  GET / [host=allowed.example] -->
    ///  0.150                     <--  200 "hello"
    /// client :40002 server
    ///  1.000  SYN                -->
    ///  1.050                     <--  SYN
    ///  1.100  GET / [host=other.example] -->
    ///  1.103                     <--  RST [ttl=250]
    /// client :40003 server
    ///  2.000  SYN                -->
    ///  2.050                     <--  SYN
    ///  2.100  GET / [host=other.example] -->
    ///  2.103                     <--  RST [ttl=250]
    ///  => findings request-retried reset-injected reset-on-name
    /// ```
    ///
    /// In TLS the name is in the ClientHello:
    ///
    /// ```ladder
    ///         client :40001          server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  ClientHello [sni=a] -->
    ///  0.030                     <--  RST
    ///         client :40002          server
    ///  1.000  SYN                -->
    ///  1.010                     <--  SYN
    ///  1.020  ClientHello [sni=a] -->
    ///  1.030                     <--  RST
    ///         client :40003          server
    ///  2.000  SYN                -->
    ///  2.010                     <--  SYN
    ///  2.020  ClientHello [sni=b version=1.2] -->
    ///  2.030                     <--  ServerHello Certificate [name=b] ServerHelloDone
    ///  2.040  KeyExchange Finished -->
    ///  2.050                     <--  Finished
    ///  2.060  app 300            -->
    ///  2.070                     <--  app 900
    ///  => findings reset-on-name tls-handshake-cut
    /// ```
    ///
    /// # Not this
    ///
    /// All names fare alike:
    ///
    /// ```ladder
    /// client :40001 server
    ///  0.000  SYN                -->
    ///  0.050                     <--  SYN
    ///  0.100  GET / [host=allowed.example] -->
    ///  0.103                     <--  RST [ttl=250]
    /// client :40002 server
    ///  1.000  SYN                -->
    ///  1.050                     <--  SYN
    ///  1.100  GET / [host=other.example] -->
    ///  1.103                     <--  RST [ttl=250]
    /// ```
    ///
    /// A server that resets for every name:
    ///
    /// ```ladder
    ///         client :40001          server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  ClientHello [sni=a] -->
    ///  0.030                     <--  RST
    ///         client :40002          server
    ///  1.000  SYN                -->
    ///  1.010                     <--  SYN
    ///  1.020  ClientHello [sni=b] -->
    ///  1.030                     <--  RST
    ///  => findings tls-handshake-cut
    /// ```
    ///
    /// The name is served at other times:
    ///
    /// ```ladder
    /// client :40001 server
    ///  0.000  SYN                -->
    ///  0.050                     <--  SYN
    ///  0.100  GET / [host=allowed.example] -->
    ///  0.150                     <--  200 "hello"
    /// client :40002 server
    ///  1.000  SYN                -->
    ///  1.050                     <--  SYN
    ///  1.100  GET / [host=other.example] -->
    ///  1.103                     <--  RST [ttl=250]
    /// client :40003 server
    ///  2.000  SYN                -->
    ///  2.050                     <--  SYN
    ///  2.100  GET / [host=other.example] -->
    ///  2.150                     <--  200 "hello"
    /// ```
    ///
    /// The server itself says that it will not serve the name:
    ///
    /// ```ladder
    /// client :40001 server
    ///  0.000  SYN                -->
    ///  0.050                     <--  SYN
    ///  0.100  GET / [host=allowed.example] -->
    ///  0.150                     <--  200 "hello"
    /// client :40002 [times=2 every=1s] server
    ///  1.000  SYN                -->
    ///  1.050                     <--  SYN
    ///  1.100  GET / [host=other.example] -->
    ///  1.150                     <--  421 "not here" [close]
    ///  1.151                     <--  RST
    /// ```
    ///
    /// # References
    ///
    /// RFC 6066 §3 (server name indication); RFC 9110 §7.2 (Host); RFC 7754 (blocking and filtering).
    pub(super) RULE: "reset-on-name", Severity::Warning,
    "connections for one name are cut at once, others to the same server are not", Check::All(check)
}

/// Time after the request, in addition to the round trip, within which a RST can be caused by the name.
const AT_ONCE: Duration = Duration::from_millis(5);
/// Cases that are more than chance.
const ENOUGH: usize = 2;

/// The outcomes of connections to one server with one name.
#[derive(Default)]
struct NameOutcome<'a> {
    cut: Vec<&'a ConnectionSummary>,
    others: usize,
}

fn check(facts: &RuleInput<'_>, hosts: &Hosts<'_>) -> Vec<HostDiagnosis> {
    let mut servers: BTreeMap<Endpoint, BTreeMap<u32, NameOutcome<'_>>> = BTreeMap::new();
    for connection_summary in hosts.connections {
        if connection_summary.name != 0 && connection_summary.opening == Opening::Handshake {
            let fate = servers
                .entry(connection_summary.server)
                .or_default()
                .entry(connection_summary.name)
                .or_default();
            if is_cut(connection_summary) {
                fate.cut.push(connection_summary);
            } else {
                fate.others += 1;
            }
        }
    }
    let mut found = Vec::new();
    for fates in servers.values() {
        let served: usize = fates
            .values()
            .filter(|fate| fate.cut.is_empty())
            .map(|fate| fate.others)
            .sum();
        for fate in fates.values() {
            if fate.cut.len() >= ENOUGH && fate.others == 0 && served > 0 {
                found.extend(tell(facts, &fate.cut, served));
            }
        }
    }
    found
}

/// Whether it ended with its first request, at once or in silence, without a byte from the server.
fn is_cut(connection_summary: &ConnectionSummary) -> bool {
    let trip = Duration::from_micros(connection_summary.connected_after.into());
    let at_once = Duration::from_micros(connection_summary.waited.into()) <= trip + AT_ONCE;
    let ended = match connection_summary.how {
        How::Reset(_) => at_once,
        How::Silence => true,
        How::Fin | How::Open => false,
    };
    let once = connection_summary.exchanges == 1 || connection_summary.phase == Phase::TlsHandshake;
    connection_summary.spoke == [true, false] && once && !connection_summary.missing && ended
}

fn tell(facts: &RuleInput<'_>, cut: &[&ConnectionSummary], served: usize) -> Option<HostDiagnosis> {
    let first = cut.first()?;
    let whole = |it: &&std::sync::Arc<Connection>| it.first.frame == first.first.frame;
    let connection = facts.connections.iter().find(whole)?;
    let name = shortened(connection.name()?, 80);
    let hello = connection.tls.as_ref().and_then(|tls| tls.hello.as_ref());
    let request = || connection.exchanges.first()?.request_head_end();
    let asked = hello.map(|(frame_ref, _)| *frame_ref).or_else(request)?;
    let story = Diagnosis {
        severity: Severity::Warning,
        certainty: Certainty::Likely,
        summary: sentence!(
            "Connections for {} are cut, others are not",
            name.clone()
        ),
        message: Statement::from(sentence!(
            "{} to {} for {} ended with the first request, without a byte from the server; {} for other names at the same \
             address and port did not.",
            Value::count(cut.len() as u64, "connection", "connections"),
            first.server,
            name.clone(),
            Value::count(served as u64, "connection", "connections")
        ))
        .presuming("A device on the way, or the server's front end, decides by the name."),
        evidence: vec![
            shows(asked, format!("the name {name} goes by")),
            shows(first.close, "the connection ends"),
        ],
        remedies: RULE.remedies(),
    };
    let mut found = HostDiagnosis::of(story, cut);
    if cut.iter().any(|it| it.client.ip != first.client.ip) {
        found.client = None;
    }
    Some(found)
}
