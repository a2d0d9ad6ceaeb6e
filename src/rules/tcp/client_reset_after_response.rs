//! The client reset the connection after it had received everything: harmless.

use crate::analysis::connection::{Connection, Who};
use crate::rules::Severity;
use crate::rules::classify::{Ending, EndingKind, owns_reset, response};
use crate::rules::rule::{Check, Verdict, rule};
use crate::rules::statement::{Statement, sentence};
use crate::rules::wording::tell;

rule! {
    /// # What happened
    ///
    /// The client received the complete response. Then it ended the connection with a RST instead of a FIN, or answered the
    /// server's FIN with a RST.
    ///
    /// # Why it matters
    ///
    /// It does not matter: nothing was outstanding any more. Browsers, load generators, Windows programs and proxies that
    /// want no TIME-WAIT (`SO_LINGER` 0, HAProxy to its servers) close this way. Servers may log `ECONNRESET`, which can be
    /// ignored.
    ///
    /// # Remedy
    ///
    /// - Change nothing. In a noisy server log, lower the level for resets between two requests.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /              -->
    ///  0.040                     <--  200 "hello" [close]
    ///  0.041                     <--  FIN
    ///  0.050  RST                -->
    ///  => findings client-reset-after-response
    /// ```
    ///
    /// # Not this
    ///
    /// The client had not everything yet:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /              -->
    ///  0.040                     <--  200 data 300 [length=1000]
    ///  0.050  RST                -->
    /// ```
    ///
    /// The server sent the RST:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /              -->
    ///  0.040                     <--  200 "hello" [close]
    ///  0.050  ACK                -->
    ///  0.060                     <--  RST
    /// ```
    ///
    /// # References
    ///
    /// RFC 9112 §6.3 (message body length), §9.6; RFC 9293 §3.6.1.
    pub(super) RULE: "client-reset-after-response", Severity::Benign,
    "the client resets the connection after it has the complete response", Check::Ending(&[EndingKind::ClientResetAfter], check)
}

fn check(connection: &Connection, ending: &Ending<'_>) -> Verdict {
    let Some(message) = ending.exchange.and_then(response) else {
        return Verdict::Clear;
    };
    let Some(reset) = owns_reset(connection, Who::Client) else {
        return Verdict::Clear;
    };
    let told = Statement::from(sentence!(
        "The client reset the connection {} after the last byte of a complete response.",
        reset.frame_ref.time.since(message.last.time)
    ))
    .means("Nothing was lost.");
    tell(
        &RULE,
        Severity::Benign,
        ending.certainty,
        "Client reset [a connection|# connections] after the full response",
        told,
    )
    .shows(Some(message.last), "response complete")
    .shows(Some(reset.frame_ref), "RST from the client")
    .about(connection)
}
