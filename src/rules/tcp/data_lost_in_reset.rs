//! A RST took data that had not been acknowledged, in a protocol that is not read.

use crate::analysis::connection::{Connection, ResetKind, Who};
use crate::base::certainty::Certainty;
use crate::rules::Severity;
use crate::rules::classify::ending;
use crate::rules::classify_tls::cut_while_sending;
use crate::rules::lost_data::{Before, lost_data};
use crate::rules::rule::{Check, Verdict, rule};
use crate::rules::statement::{Value, sentence};
use crate::rules::wording::{not_yet, tell};

rule! {
    /// # What happened
    ///
    /// The client was sending, in TLS or in a protocol that is not read here, and a RST came from the server's address. What
    /// the client had sent last was never acknowledged: the server's program did not get it.
    ///
    /// # Why it matters
    ///
    /// Data is lost, and only the protocol tells whether it mattered: a request, a part of an upload, a message. The client's
    /// log says `ECONNRESET`, "connection reset by peer".
    ///
    /// # Remedy
    ///
    /// - Look into the server's log at the moment of the RST: whether its program ended, gave the client up, or closed with
    ///   data of the client unread.
    /// - Capture at the server as well: if the RST is not in that capture, something on the way sent it.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  "*1 PING"          -->
    ///  0.030                     <--  "+PONG"
    ///  0.040  "*2 SET a"         -->
    ///  0.050                     <--  RST [noack]
    ///  => findings data-lost-in-reset
    /// ```
    ///
    /// # Not this
    ///
    /// All had been acknowledged:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  "*1 PING"          -->
    ///  0.030                     <--  "+PONG"
    ///  0.040  ACK                -->
    ///  0.050                     <--  RST
    /// ```
    ///
    /// After a time of idleness the connection had been forgotten:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  "*1 PING"          -->
    ///  0.030                     <--  "+PONG"
    ///  0.040  ACK                -->
    /// 90.000  "*2 SET a"         -->
    /// 90.010                     <--  RST [noack]
    ///  => findings reuse-of-forgotten-connection
    /// ```
    ///
    /// # References
    ///
    /// RFC 9293 §3.5.2, §3.10.7.
    pub(super) RULE: "data-lost-in-reset", Severity::Error,
    "a RST took data that had not been acknowledged", Check::Connection(check)
}

fn check(connection: &Connection) -> Verdict {
    let Some(lost) = lost_data(connection).filter(|it| it.before == Before::Busy) else {
        return not_yet(connection);
    };
    // A RST that is not the server's has a rule of its own.
    if lost.reset.kind == Some(ResetKind::Foreign)
        || ending(connection).is_some_and(|it| it.exchange.is_some())
        || cut_while_sending(connection).is_some()
    {
        return Verdict::Clear;
    }
    let missing = connection.sent[Who::Server as usize].missing > 0;
    tell(
        &RULE,
        Severity::Error,
        match missing {
            true => Certainty::Possible,
            false => Certainty::Likely,
        },
        "data was lost to a RST of the server",
        sentence!(
            "The client had sent {} that were never acknowledged when a RST of the server came, {} after the first of them.",
            Value::exact_bytes(lost.sent.bytes),
            lost.reset.frame_ref.time.since(lost.sent.since.time)
        ),
    )
    .shows(
        Some(lost.sent.since),
        "the first of the data that was not acknowledged",
    )
    .shows(Some(lost.reset.frame_ref), "RST from the server")
    .about(connection)
}

#[cfg(test)]
mod tests {
    use crate::rules::ladder_check;

    /// Of a capture with a snap length it is not known whether TLS was spoken, nor what the last bytes were. As few as an
    /// alert has may be the goodbye in answer to the server's.
    #[test]
    fn short_uncaptured_bytes_behind_a_close_may_be_a_goodbye() {
        let lost = |cut: &str, bytes: u32| {
            let text = format!(
                "SYN -->\n<-- SYN\nACK -->\ndata 300 [{cut}] -->\n<-- data 200 [{cut}]\nACK -->\n<-- FIN\n\
                 data {bytes} [{cut} crossed] -->\n<-- RST [noack]"
            );
            let rules = ladder_check::run(&text.parse().expect("a ladder")).rules();
            rules.contains(&"data-lost-in-reset")
        };
        assert!(lost("cut=300", 31));
        assert!(!lost("cut=2", 31));
        assert!(lost("cut=2", 1000));
    }
}
