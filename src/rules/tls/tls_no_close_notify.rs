//! The server closed without `close_notify`.

use crate::analysis::connection::tls_close::client_left_first;
use crate::analysis::connection::{By, Connection, How, Who};
use crate::base::certainty::Certainty;
use crate::protocol::http::{Exchange, Framing, Outcome, Protocol};
use crate::protocol::tcp::ResetKind;
use crate::protocol::tls::{CloseNotify, HandshakeStage};
use crate::rules::Severity;
use crate::rules::classify_tls::{failure, is_unanswered, reset_while_idle, response_cut};
use crate::rules::rule::{Check, Verdict, rule};
use crate::rules::statement::sentence;
use crate::rules::wording::{not_yet, tell};

rule! {
    /// # What happened
    ///
    /// The server ended a TLS connection with a FIN or a RST alone. TLS has a message for the end, `close_notify`, so that
    /// nobody on the path can truncate data unnoticed. As far as type and length of the last record show, the server did not
    /// send it.
    ///
    /// # Why it matters
    ///
    /// If only the close marks the end of a message, the client cannot know whether it has all of it: OpenSSL 3 reports
    /// "unexpected eof while reading". If the length was announced it does not matter, and many servers never send it. A reset
    /// during a response, and a close in the middle of a record, have rules of their own (`reset-mid-response`,
    /// `response-cut-short`).
    ///
    /// # Remedy
    ///
    /// - Let the server shut TLS down before it closes (`SSL_shutdown`, `SslStream.ShutdownAsync`, `tls.Conn.CloseWrite`): some
    ///   clients report an error otherwise.
    /// - Or announce the length of responses, or send them chunked.
    /// - Look in the server's log at the time of the close: a killed server leaves the same sign.
    ///
    /// # Tell it by
    ///
    /// The server's FIN follows its data without a last short alert record (`close_notify`).
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
    ///  0.080                     <--  FIN
    ///  0.090  close_notify FIN   -->
    ///  0.100                     <--  RST [noack]
    ///  => teardown server fin opaque
    ///  => findings tls-no-close-notify
    /// ```
    ///
    /// # Not this
    ///
    /// A server that says it:
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
    ///  0.090  FIN                -->
    ///  0.100                     <--  ACK
    ///  => findings none
    /// ```
    ///
    /// A client that just leaves has all it wanted:
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
    ///  0.080  FIN                -->
    ///  0.090                     <--  FIN
    ///  0.100  ACK                -->
    ///  => findings none
    /// ```
    ///
    /// # References
    ///
    /// RFC 8446 §6.1 (closure alerts); RFC 9112 §9.8 (TLS connection closure).
    pub(super) RULE: "tls-no-close-notify", Severity::Note,
    "the server closed a TLS connection without `close_notify`", Check::Connection(check)
}

fn check(connection: &Connection) -> Verdict {
    let Some(facts) = connection.tls.as_deref() else {
        return not_yet(connection);
    };
    let server = Who::Server as usize;
    let close = match (connection.teardown.by, connection.teardown.how) {
        (By::Server, How::Fin) => connection.fin[server].map(|fin| (fin.frame_ref, "FIN")),
        // Decrypted exchanges are reported by the rules for their protocol.
        (By::Server, How::Reset(ResetKind::Abort)) if connection.protocol == Protocol::Tls => {
            connection.reset[server].map(|reset| (reset.frame_ref, "RST"))
        }
        _ => None,
    };
    let (Some((close, word)), CloseNotify::None) = (close, facts.flows[server].close_notify) else {
        return not_yet(connection);
    };
    // A client that has sent `close_notify` waits for nothing more: the server's close answers it.
    if client_left_first(connection, facts) {
        return Verdict::Clear;
    }
    // The `close_notify` may be among the bytes not captured, or be a short last record with padding; a request without any response has a rule of its own.
    if connection.sent[server].missing > 0
        || facts.stage < HandshakeStage::Complete
        || facts.flows[server].records == 0
        || failure(connection).is_some()
        || facts.flows[server].unsure
        || facts.flows[server].ends_short
        || is_unanswered(connection)
        || response_cut(connection).is_some()
        || reset_while_idle(connection).is_some()
    {
        return Verdict::Clear;
    }
    let since = facts.flows[server].last.unwrap_or_default();
    let (certainty, told) = if facts.is_open {
        (Certainty::Certain, within(connection))
    } else {
        let hidden = "Whether the server's data was complete is encrypted: with a key log (`--keylog FILE`) hangup shows it.";
        (Certainty::Likely, hidden)
    };
    let waited = close.time.since(since.time);
    let (summary, message) = match word {
        "FIN" => (
            "Server closed [a TLS connection|# TLS connections] without close_notify",
            sentence!(
                "The server sent its FIN {} after its last application data.",
                waited
            ),
        ),
        _ => (
            "Server reset [a TLS connection|# TLS connections] without close_notify",
            sentence!(
                "The server sent a RST {} after its last application data.",
                waited
            ),
        ),
    };
    tell(&RULE, Severity::Note, certainty, summary, message)
        .presumes(Some("The server had sent no close_notify before."))
        .adds(Some(told))
        .shows(facts.flows[server].last, "the last application data")
        .shows(Some(close), format!("{word} from the server"))
        .about(connection)
}

/// What the decrypted exchanges show about completeness, which a close without `close_notify` leaves open.
fn within(connection: &Connection) -> &'static str {
    let ending = connection.teardown.ending();
    let until_close = |it: &Exchange| {
        let response = it.response.as_ref();
        response.is_some_and(|it| it.message.framing == Framing::UntilClose)
    };
    let complete = |it: &Exchange| it.outcome(ending) == Some(Outcome::Complete);
    match &*connection.exchanges {
        [] => "Whether the server had sent everything cannot be known.",
        all if all.iter().any(until_close) => {
            "The response ends with the close, so nobody can tell whether all of it arrived."
        }
        all if all.iter().all(complete) => "Every response was complete.",
        _ => "Not every response was complete by then.",
    }
}
