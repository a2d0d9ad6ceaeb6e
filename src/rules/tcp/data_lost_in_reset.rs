//! A RST took data that had not been acknowledged, in a protocol that is not read.

use crate::analysis::connection::{Connection, ResetKind, Who};
use crate::base::certainty::Certainty;
use crate::base::frame_ref::FrameRef;
use crate::rules::Severity;
use crate::rules::classify::Ending;
use crate::rules::classify_tls::cut_while_sending;
use crate::rules::lost_data::{Before, lost_data};
use crate::rules::rule::{Check, Verdict, rule};
use crate::rules::statement::{Value, sentence};
use crate::rules::wording::{not_yet, tell};

rule! {
    /// # What happened
    ///
    /// The client was sending data, in TLS or in a protocol that is not read here. Then a RST came from the server. What the
    /// client had sent last was never acknowledged, so it is lost.
    ///
    /// # Why it matters
    ///
    /// Only the protocol shows whether the lost data mattered: a request, a part of an upload, or a message. The client's
    /// log says `ECONNRESET`, "connection reset by peer".
    ///
    /// # Remedy
    ///
    /// - Look in the server's log at the time of the RST. The program may have ended, timed out, or closed while data from
    ///   the client was unread.
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
    /// All data had been acknowledged:
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
    /// The connection had been idle, and was forgotten:
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
    pub(in crate::rules) RULE: "data-lost-in-reset", Severity::Error,
    "the server resets the connection, and data was not acknowledged", Check::Read(check)
}

fn check(connection: &Connection, ending: Option<&Ending<'_>>) -> Verdict {
    let Some(lost) = lost_data(connection).filter(|it| it.before == Before::Busy) else {
        return not_yet(connection);
    };
    // A RST that is not the server's has a rule of its own.
    if lost.reset.kind == Some(ResetKind::Foreign)
        || ending.is_some_and(|it| it.exchange.is_some())
        || cut_while_sending(connection).is_some()
    {
        return Verdict::Clear;
    }
    let missing = connection.sent[Who::Server as usize].missing > 0;
    // A FIN says that nothing more comes; that nothing more is read, only the RST says.
    let before = |at: FrameRef| at < lost.sent.since;
    let fin = connection.fin[Who::Server as usize].map(|it| it.frame_ref);
    let fin = fin.filter(|at| before(*at));
    let known = connection.fin_acknowledged[Who::Server as usize].filter(|at| before(*at));
    let closed = fin.map(|fin| {
        let earlier = lost.sent.since.time.since(fin.time);
        match known {
            Some(_) => sentence!(
                "The server had closed {} before that, and the client had acknowledged the close.",
                earlier
            ),
            None => sentence!("The server had closed {} before that.", earlier),
        }
    });
    tell(
        &RULE,
        Severity::Error,
        match missing {
            true => Certainty::Possible,
            false => Certainty::Likely,
        },
        "Server reset [a connection|# connections], and data was lost",
        match lost.reset.frame_ref < lost.sent.since {
            true => sentence!(
                "The server reset the connection while the client was sending. {} that crossed the RST were not acknowledged.",
                Value::exact_bytes(lost.sent.bytes)
            ),
            false => sentence!(
                "The client sent {}. The server reset the connection {} after the first of it, and acknowledged none of it.",
                Value::exact_bytes(lost.sent.bytes),
                lost.reset.frame_ref.time.since(lost.sent.since.time)
            ),
        },
    )
    .adds(closed)
    .presumes(Some("The server's program read none of it: the data was lost."))
    .shows(fin, "FIN from the server")
    .shows(
        Some(lost.sent.since),
        "first data that was not acknowledged",
    )
    .shows(Some(lost.reset.frame_ref), "RST from the server")
    .about(connection)
}

#[cfg(test)]
mod tests {
    use crate::rules::ladder_check;

    /// A capture with a snap length does not show whether TLS was used, nor what the last bytes were. If they are as few as in
    /// an alert, they may be the `close_notify` in answer to the server's.
    #[test]
    fn short_uncaptured_bytes_after_a_close_may_be_a_close_notify() {
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
