//! A session of another protocol ended before its opening was complete, and neither side said why.

use crate::analysis::connection::{By, Connection, ConnectionOutcome, How, UnknownReason, Who};
use crate::base::certainty::Certainty;
use crate::protocol::dialogue::{AppProtocol, DialogueFacts};
use crate::protocol::http::Exchange;
use crate::rules::Severity;
use crate::rules::rule::{Check, Verdict, rule};
use crate::rules::statement::sentence;
use crate::rules::wording::{not_yet, side, tell};

rule! {
    /// # What happened
    ///
    /// Client and server had begun to open a session. One of them closed the connection before it was open, without a
    /// message. In SSH, that is before the client has sent anything encrypted. In PostgreSQL, a client that requires TLS closes
    /// when the server refuses it.
    ///
    /// # Why it matters
    ///
    /// A client learns the server's host key in the key exchange. One that does not accept it closes, some of them only when
    /// the new keys are in use. A side that finds no algorithm in common closes after the offers. Scanners that only read a
    /// server's version or key do the same on purpose, and so do health checks.
    ///
    /// # Remedy
    ///
    /// - *If the server closed first:* Raise the server's timeout for the login (OpenSSH `LoginGraceTime`), if the client was only
    ///   slow. The server's log shows whether it expired.
    /// - *If the client closed first:* Read what the client printed: whether it did not accept the host key, or found no algorithm in common.
    /// - *If the client closed first:* Compare the server's host key with the client's list of known hosts (`ssh-keygen -F`, `ssh-keyscan`).
    /// - Look in the server's log: it names the client's address and the step at which it left.
    /// - Turn TLS on at the server (`ssl = on` in `postgresql.conf`), or let the client do without (`sslmode=prefer`).
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  ACK                -->
    ///  0.030                     <--  "SSH-2.0-OpenSSH_9.2\r\n"
    ///  0.040  "SSH-2.0-OpenSSH_9.2\r\n" -->
    ///  0.050  FIN                -->
    ///  0.060                     <--  FIN
    ///  0.070  ACK                -->
    ///  => findings session-not-opened
    /// ```
    ///
    /// # Not this
    ///
    /// The server says why:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  ACK                -->
    ///  0.030  "SSH-2.0-OpenSSH_9.2\r\n" -->
    ///  0.040                     <--  "Exceeded MaxStartups\r\n"
    ///  0.041                     <--  FIN
    ///  0.050  FIN                -->
    ///  0.060                     <--  ACK
    /// ```
    ///
    /// # References
    ///
    /// RFC 4253 §4.2 (versions), §7 (key exchange), §8 (the host key).
    pub(in crate::rules) RULE: "session-not-opened", Severity::Note,
    "a session ends before it is open", Check::Connection(check)
}

fn check(connection: &Connection) -> Verdict {
    let facts = connection.dialogue.as_deref();
    if let Some(exchange) = facts.and_then(|it| refused_tls(connection, it)) {
        return without_tls(connection, exchange);
    }
    let ended = connection.outcome == ConnectionOutcome::Unknown(UnknownReason::NotOpened);
    let Some((facts, step)) = facts
        .filter(|_| ended)
        .and_then(|facts| Some((facts, facts.unopened?)))
    else {
        return not_yet(connection);
    };
    let by = match connection.teardown.by {
        By::Client => Who::Client,
        By::Server => Who::Server,
        By::Both | By::Middlebox | By::Nobody => return not_yet(connection),
    };
    let close = connection.teardown.frame_ref();
    let word = match connection.teardown.how {
        How::Fin => "FIN",
        _ => "RST",
    };
    let [client, server] = connection.last_data;
    let spoke = client.max(server).min(close);
    let protocol = facts.protocol.map_or("", AppProtocol::name);
    tell(
        &RULE,
        Severity::Note,
        connection.teardown.certainty,
        "[Session closed before it was open|# sessions closed before they were open]",
        sentence!(
            "The {} ended the connection with a {}, {} after the last data. The {} session was not open yet: it had got as far as {}.",
            side(by),
            word,
            close.time.since(spoke.time),
            protocol,
            step
        ),
    )
    .shows(Some(spoke), "last data")
    .shows(Some(close), format!("{word} from the {}", side(by)))
    .about(connection)
    .keeps(if connection.sent[Who::Client as usize].bytes == 0 {
        |remedy| !remedy.contains("sslmode") && !remedy.contains("host key")
    } else {
        |remedy| !remedy.contains("sslmode")
    })
}

/// The request for TLS that the server refused, if it is the only one and the client left after it.
fn refused_tls<'a>(connection: &Connection, facts: &'a DialogueFacts) -> Option<&'a Exchange> {
    let [only] = &*facts.exchanges else {
        return None;
    };
    let asked = only.rare.as_ref()?.asked.as_ref()?;
    let left = connection.teardown.by == By::Client && connection.teardown.how == How::Fin;
    let refused = asked.noun == "request for TLS" && only.is_complete();
    (left && refused && connection.tls.is_none()).then_some(only)
}

fn without_tls(connection: &Connection, exchange: &Exchange) -> Verdict {
    let Some(answer) = exchange.response.as_ref().map(|it| &it.message) else {
        return not_yet(connection);
    };
    let close = connection.teardown.frame_ref();
    tell(
        &RULE,
        Severity::Warning,
        connection.teardown.certainty.max(Certainty::Likely),
        "Server refused TLS[| on # connections]",
        sentence!(
            "The client asked for TLS, and the server refused it. The client closed the connection (FIN) {} later, without a \
             login.",
            close.time.since(answer.last.time)
        ),
    )
    .presumes(Some("The client requires TLS."))
    .shows(Some(answer.last), "the server refuses TLS")
    .shows(Some(close), "FIN from the client")
    .about(connection)
    .keeps(|remedy| remedy.contains("sslmode"))
}

#[cfg(test)]
mod tests {
    use crate::rules::ladder_check;

    #[test]
    fn a_client_that_requires_tls_leaves_a_server_without_it() {
        let open = "client :40000 server :5432\nSYN -->\n<-- SYN\nACK -->\n";
        let asks = "\"\\x00\\x00\\x00\\x08\\x04\\xd2\\x16\\x2f\" -->\n<-- \"N\"\nACK -->\n";
        let told = |rest: &str| ladder_check::told_by(&super::RULE, &format!("{open}{asks}{rest}"));
        let said = told("FIN -->\n<-- FIN\nACK -->").expect("found");
        assert!(said.contains("the server refused it"), "{said}");
        let goes_on = "\"\\x00\\x00\\x00\\x11\\x00\\x03\\x00\\x00user\\x00me\\x00\\x00\" -->\n<-- ACK\nFIN -->\n<-- FIN\nACK -->";
        assert_eq!(told(goes_on), None);
    }
}
