//! A RST after a TLS connection had ended in order.

use crate::analysis::connection::{By, Connection, ResetKind, Who};
use crate::base::certainty::Certainty;
use crate::protocol::tls::HandshakeStage;
use crate::rules::Severity;
use crate::rules::classify_tls::failure;
use crate::rules::rule::{Check, Verdict, rule};
use crate::rules::wording::{not_yet, side, tell};

rule! {
    /// # What happened
    ///
    /// One side sent `close_notify` and its FIN. After that came a RST. Either the other side's own `close_notify` or remaining
    /// data met a closed socket, or a side dropped a connection that was over.
    ///
    /// # Why it matters
    ///
    /// It does not matter: both sides know that nothing more was to come. Most TLS clients and servers leave such resets
    /// behind.
    ///
    /// # Remedy
    ///
    /// - Change nothing. Exclude these from counters of resets.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  ClientHello [sni=a version=1.2] -->
    ///  0.030                     <--  ServerHello Certificate [name=a] ServerHelloDone
    ///  0.040  KeyExchange Finished -->
    ///  0.050                     <--  Finished
    ///  0.060  app 300            -->
    ///  0.070                     <--  app 900
    ///  0.080                     <--  close_notify FIN
    ///  0.090  close_notify FIN   -->
    ///  0.100                     <--  RST [noack]
    ///  => findings tls-reset-after-close-notify
    /// ```
    ///
    /// # Not this
    ///
    /// A RST instead of a word:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  ClientHello [sni=a version=1.2] -->
    ///  0.030                     <--  ServerHello Certificate [name=a] ServerHelloDone
    ///  0.040  KeyExchange Finished -->
    ///  0.050                     <--  Finished
    ///  0.060  app 300            -->
    ///  0.070                     <--  app 900
    ///  0.080                     <--  RST
    /// ```
    ///
    /// # References
    ///
    /// RFC 8446 §6.1 (either side may close its write side first); RFC 9293 §3.10.7.1.
    pub(super) RULE: "tls-reset-after-close-notify", Severity::Benign,
    "a RST after the TLS connection was closed cleanly", Check::Connection(check)
}

fn check(connection: &Connection) -> Verdict {
    let Some(facts) = connection.tls.as_deref() else {
        return not_yet(connection);
    };
    if facts.stage < HandshakeStage::Complete || failure(connection).is_some() {
        return not_yet(connection);
    }
    let first = |who| match connection.teardown.by {
        By::Client => who == Who::Client,
        By::Server => who == Who::Server,
        By::Both => true,
        By::Middlebox | By::Nobody => false,
    };
    let gone = Who::BOTH
        .into_iter()
        .filter(|who| first(*who))
        .find_map(|who| {
            let fin = connection.fin[who as usize]?;
            let said = facts.flows[who as usize].close_notify.frame_ref()?;
            (said <= fin.frame_ref).then_some((who, said, fin.frame_ref))
        });
    let Some((who, said, fin)) = gone else {
        return not_yet(connection);
    };
    let reset = Who::BOTH.into_iter().find_map(|who| {
        let event = connection.reset[who as usize]?;
        let own = matches!(event.kind, Some(ResetKind::Abort | ResetKind::NoSocket));
        (own && event.frame_ref > fin).then_some((who, event.frame_ref))
    });
    let Some((by, reset)) = reset else {
        return not_yet(connection);
    };
    // Data that the other side sent on is what the RST answers and discards. After early data the client's records may be
    // the rest of its handshake.
    let other = facts.flows[who.other() as usize];
    let answer = facts.answer.as_ref().map(|(at, _)| *at);
    let early = other.first < answer;
    if !early && other.last.is_some_and(|last| last > said) || other.lacking > 0 {
        return Verdict::Clear;
    }
    let message = match (who, by) {
        (Who::Client, Who::Client) => {
            "The client had sent close_notify and closed. Then it sent a RST."
        }
        (Who::Client, Who::Server) => {
            "The client had sent close_notify and closed. Then the server sent a RST."
        }
        (Who::Server, Who::Client) => {
            "The server had sent close_notify and closed. Then the client sent a RST."
        }
        (Who::Server, Who::Server) => {
            "The server had sent close_notify and closed. Then it sent a RST."
        }
    };
    tell(
        &RULE,
        Severity::Benign,
        Certainty::Likely,
        "[Reset|# resets] after TLS was closed cleanly",
        message,
    )
    .presumes(Some("That RST lost nothing."))
    .shows(Some(said), format!("close_notify from the {}", side(who)))
    .shows(Some(reset), format!("RST from the {}", side(by)))
    .about(connection)
}
