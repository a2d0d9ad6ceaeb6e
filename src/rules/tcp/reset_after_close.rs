//! A RST came after a FIN, when nothing was under way any more: harmless.

use crate::analysis::connection::{Connection, How, ResetKind, Who};
use crate::base::format::capitalised;
use crate::rules::Severity;
use crate::rules::classify::Ending;
use crate::rules::rule::{Check, Verdict, rule};
use crate::rules::statement::{Statement, sentence};
use crate::rules::wording::{not_yet, side, tell};

rule! {
    /// # What happened
    ///
    /// One side had closed the connection with a FIN, and everything sent before had arrived. Then a RST followed. Either
    /// the other side closed with data unread or without waiting, or a host answered a segment that came late.
    ///
    /// # Why it matters
    ///
    /// It does not matter: nothing was outstanding any more. A program that still reads or writes there may log "connection
    /// reset by peer", `ECONNRESET`, which can be ignored. A RST also ends a TIME-WAIT early (RFC 1337). That is harmless
    /// unless the same addresses and ports are reused at once.
    ///
    /// # Remedy
    ///
    /// - Change nothing. In a noisy log, lower the level for resets after a close.
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
    /// The client had only a part of the response:
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
    "a RST comes after a FIN, when nothing is outstanding any more", Check::Read(check)
}

fn check(connection: &Connection, ending: Option<&Ending<'_>>) -> Verdict {
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
    // A client's RST after a response has a rule of its own, and so has one after `close_notify`.
    let arrived = connection
        .sent
        .iter()
        .all(|sent| sent.bytes <= sent.acknowledged && sent.missing == 0);
    if !arrived || connection.tls.is_some() || ending.is_some() {
        return Verdict::Clear;
    }
    let name = side(who);
    let message = Statement::from(sentence!(
        "The {} sent a RST {} after the first FIN.",
        name,
        reset.frame_ref.time.since(fin.time)
    ))
    .means("All data had arrived, so nothing was lost.");
    tell(
        &RULE,
        Severity::Benign,
        connection.teardown.certainty,
        sentence!(
            "{} sent a RST after [the close|# closes]",
            capitalised(name)
        ),
        message,
    )
    .shows(Some(fin), "first FIN")
    .shows(Some(reset.frame_ref), format!("RST from the {name}"))
    .about(connection)
}
