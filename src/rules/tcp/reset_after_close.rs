//! A RST came after a FIN, when nothing was under way any more: harmless.

use crate::analysis::connection::{Connection, How, ResetKind, Who};
use crate::rules::Severity;
use crate::rules::classify::ending;
use crate::rules::rule::{Check, Verdict, rule};
use crate::rules::statement::{Statement, sentence};
use crate::rules::wording::{not_yet, side, tell};

rule! {
    /// # What happened
    ///
    /// One side had closed the connection with a FIN, and everything that was sent before had arrived. A RST followed: the
    /// other side closed with bytes of its peer unread or without waiting, or a host answered a segment that came late.
    ///
    /// # Why it matters
    ///
    /// It does not: nothing was on its way any more. A program that still reads or writes there may log "connection reset by
    /// peer", `ECONNRESET`; that can be ignored. A RST also ends a TIME-WAIT early (RFC 1337), which is harmless as long as the
    /// same addresses and ports are not used again at once.
    ///
    /// # Remedy
    ///
    /// - Nothing has to be changed; if a log is noisy, log resets after a close quietly.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /              -->
    ///  0.040                     <--  200 "hello"
    ///  0.050  FIN                -->
    ///  0.051                     <--  RST
    ///  => findings reset-after-close
    /// ```
    ///
    /// # Not this
    ///
    /// A RST instead of a FIN:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /              -->
    ///  0.040                     <--  200 "hello"
    ///  0.050  ACK                -->
    ///  0.051                     <--  RST
    /// ```
    ///
    /// A client that had not all of the response:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /              -->
    ///  0.040                     <--  200 data 300 [length=1000]
    ///  0.050  FIN                -->
    ///  0.060                     <--  data 700
    ///  0.070  RST [noack]        -->
    /// ```
    ///
    /// # References
    ///
    /// RFC 9293 §3.6, §3.10.7; RFC 1337.
    pub(super) RULE: "reset-after-close", Severity::Benign,
    "a RST came after a FIN, when nothing was under way any more", Check::Connection(check)
}

fn check(connection: &Connection) -> Verdict {
    if connection.teardown.how != How::Fin || !connection.outcome.is_fine() {
        return not_yet(connection);
    }
    let fins = connection.fin.iter().flatten().map(|it| it.frame_ref);
    let Some(fin) = fins.min() else {
        return Verdict::Clear;
    };
    let resets = Who::BOTH.into_iter().filter_map(|who| {
        let reset = connection.reset[who as usize]?;
        let own = reset.kind != Some(ResetKind::Foreign) && reset.frame_ref > fin;
        own.then_some((who, reset))
    });
    let Some((who, reset)) = resets.min_by_key(|(_, reset)| reset.frame_ref) else {
        return Verdict::Clear;
    };
    // A client's RST after a response has a rule of its own, and so has one after the goodbye of TLS.
    let arrived = connection
        .sent
        .iter()
        .all(|sent| sent.bytes <= sent.acknowledged && sent.missing == 0);
    if !arrived || connection.tls.is_some() || ending(connection).is_some() {
        return Verdict::Clear;
    }
    let name = side(who);
    let message = Statement::from(sentence!(
        "A RST of the {} came {} after the first FIN.",
        name,
        reset.frame_ref.time.since(fin.time)
    ))
    .and("All that was sent had arrived: nothing was lost.");
    tell(
        &RULE,
        Severity::Benign,
        connection.teardown.certainty,
        sentence!("a RST of the {} came after the close", name),
        message,
    )
    .shows(Some(fin), "the first FIN")
    .shows(Some(reset.frame_ref), format!("RST from the {name}"))
    .about(connection)
}
