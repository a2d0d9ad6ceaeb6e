//! Connections that are reset for the name they ask for.

use std::collections::BTreeMap;

use super::Severity;
use super::measure::shows;
use super::rule::{Check, Found, Story, rule};
use crate::certainty::Certainty;
use crate::connection::{Brief, How, Phase};
use crate::hosts::Hosts;
use crate::http::Protocol;

rule! {
    /// # What happened
    ///
    /// Every connection that asked for one name was reset right after its ClientHello, without a word from the server, while the
    /// same client got through to the same server with other names.
    ///
    /// # Why it matters
    ///
    /// The server's port is open and speaks TLS: it is the name that is objected to, by a filter on the path that reads it in
    /// the hello, or by the server itself. A server that does not know a name usually says so with an alert
    /// (`unrecognized_name`).
    ///
    /// # Remedy
    ///
    /// - Ask whoever runs the firewall or proxy on the path whether the name is filtered; the frames of the RSTs tell by their
    ///   time to live from where they come.
    /// - Capture at the server too: a hello that never arrives there was stopped on the way.
    /// - Look at the server's list of names (virtual hosts, `strict-sni`, reject rules).
    ///
    /// # Example
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
    /// A server that resets whatever name is asked for:
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
    /// # References
    ///
    /// RFC 6066 §3 (server name indication, `unrecognized_name`); RFC 8744 (filtering by the name in the hello).
    pub(super) RULE: "reset-on-name", Severity::Warning,
    "connections are reset for the name they ask for", Check::Hosts(check)
}

/// Once is an accident.
const CUTS: usize = 2;

fn check(hosts: &Hosts<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    for dealings in hosts.busy(CUTS + 1) {
        let mut names: BTreeMap<u32, (Vec<&Brief>, usize)> = BTreeMap::new();
        for it in dealings.connections.iter().filter(|it| is_named(it)) {
            let (cut, through) = names.entry(it.asked).or_default();
            if is_cut(it) {
                cut.push(it);
            } else {
                *through += 1;
            }
        }
        let got_through = names
            .values()
            .any(|(cut, through)| cut.is_empty() && *through > 0);
        for (cut, through) in names.values() {
            if got_through && *through == 0 && cut.len() >= CUTS {
                found.push(Found::of(story(cut), cut));
            }
        }
    }
    found
}

/// TLS that says for whom it is.
fn is_named(it: &Brief) -> bool {
    it.protocol == Protocol::Tls && it.asked != 0
}

/// Reset in the handshake, and the server has not said a word.
fn is_cut(it: &Brief) -> bool {
    matches!(it.how, How::Reset(_)) && it.phase == Phase::TlsHandshake && it.spoke == [true, false]
}

fn story(cut: &[&Brief]) -> Story {
    let first = cut.first();
    let mut evidence = Vec::new();
    evidence.extend(first.map(|it| shows(it.close, "RST, and the server has not said a word")));
    Story {
        severity: Severity::Warning,
        certainty: Certainty::Likely,
        summary: "all connections for one name were reset after the ClientHello".to_owned(),
        message: format!(
            "{} connections that asked for the same name were all reset after their ClientHello, while others from the same \
             client to the same server got through with another name.",
            cut.len()
        ),
        evidence,
        remedies: RULE.remedies(),
    }
}
