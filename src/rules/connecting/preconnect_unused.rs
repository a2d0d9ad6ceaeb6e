//! A connection was opened in advance and never used.

use std::time::Duration;

use crate::analysis::connection::{By, Connection, How, Opening, Phase};
use crate::rules::Severity;
use crate::rules::rule::{Check, Diagnosis, Verdict, rule};
use crate::rules::statement::{Statement, sentence};
use crate::rules::wording::shows;

rule! {
    /// # What happened
    ///
    /// The client opened a connection and sent nothing. After a while it closed the connection, or the server did.
    ///
    /// # Why it matters
    ///
    /// It does not matter. Browsers open connections in advance, and pools keep some ready. Servers close those on which no
    /// request comes (Apache after 20 to 40 s, nginx after 60 s). Some send a 408 first, which answers no request.
    ///
    /// # Remedy
    ///
    /// - Change nothing. Do not count such connections as failed requests.
    ///
    /// # Tell it by
    ///
    /// The handshake completes, and the client sends no byte before one side closes.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  ACK                -->
    /// 10.000  FIN                -->
    /// 10.010                     <--  FIN
    /// 10.020  ACK                -->
    ///  => teardown client fin before-request
    /// ```
    ///
    /// # Not this
    ///
    /// The client closed at once:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  ACK                -->
    ///  0.021  FIN                -->
    ///  0.030                     <--  FIN
    ///  0.040  ACK                -->
    /// ```
    ///
    /// # References
    ///
    /// RFC 9110 §15.5.9 (408).
    pub(super) RULE: "preconnect-unused", Severity::Benign,
    "a connection is opened in advance and never used", Check::Connection(check)
}

/// A connection that lasts less was not opened in advance.
const KEPT: Duration = Duration::from_secs(1);

fn check(connection: &Connection) -> Verdict {
    let teardown = &connection.teardown;
    if teardown.phase != Phase::BeforeRequest
        || teardown.how != How::Fin
        || connection.opening != Opening::Handshake
        || connection.ungreeted().is_some()
        || connection
            .sent
            .iter()
            .any(|sent| sent.bytes + sent.missing > 0 || sent.packets == 0)
    {
        return Verdict::Clear;
    }
    let lasted = teardown.at.since(connection.first.time);
    let who = match teardown.by {
        By::Client => "client",
        By::Server => "server",
        _ => return Verdict::Clear,
    };
    if lasted < KEPT {
        return Verdict::Clear;
    }
    let frame_ref = teardown.frame_ref();
    Verdict::Found(Box::new(Diagnosis {
        severity: Severity::Benign,
        certainty: teardown.certainty,
        summary: "[A connection was|# connections were] opened and never used".into(),
        message: Statement::from(sentence!(
            "The client opened the connection, and neither side sent data. The {} closed it after {}.",
            who,
            lasted
        ))
        .means("Nothing was lost: browsers and pools open connections in advance."),
        evidence: vec![
            shows(connection.first, "SYN"),
            shows(frame_ref, format!("FIN from the {who}")),
        ],
        remedies: RULE.remedies(),
    }))
}
