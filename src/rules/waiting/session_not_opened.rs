//! A session of another protocol ended before its opening was complete, and neither side said why.

use crate::analysis::connection::{By, Connection, ConnectionOutcome, How, UnknownReason, Who};
use crate::base::certainty::Certainty;
use crate::base::frame_ref::FrameRef;
use crate::protocol::dialogue::{
    AppProtocol, Complaint, DialogueFacts, PASSWORD_STEP, SSL_REQUEST,
};
use crate::protocol::http::Exchange;
use crate::rules::Severity;
use crate::rules::rule::{Check, Verdict, rule};
use crate::rules::statement::sentence;
use crate::rules::wording::{UNSENT, not_yet, quoted_error, side, tell};
use crate::rules::wording_tls::STAYS_BROKEN;

rule! {
    /// # What happened
    ///
    /// Client and server had begun to open a session. One of them closed the connection before it was open, without a
    /// message. In SSH, that is before the client has sent anything encrypted. In PostgreSQL, a client that requires TLS closes
    /// when the server refuses it. In MySQL, that is before the server has accepted the login.
    ///
    /// # Why it matters
    ///
    /// A client learns the server's host key in the key exchange. One that does not accept it closes, some of them only when
    /// the new keys are in use. A side that finds no algorithm in common closes after the offers. Scanners that only read a
    /// server's version or key do the same on purpose, and so do health checks. A MySQL server with
    /// `caching_sha2_password` wants the password itself at the first login of a user. A client with neither TLS nor the server's
    /// key does not send it, and closes.
    ///
    /// # Remedy
    ///
    /// - *If the server closed first:* Raise the server's timeout for the login (OpenSSH `LoginGraceTime`), if the client was only
    ///   slow. The server's log shows whether it expired.
    /// - *If the client closed first:* Read what the client printed: whether it did not accept the host key, or found no algorithm in common.
    /// - *If the client closed first:* Compare the server's host key with the client's list of known hosts (`ssh-keygen -F`, `ssh-keyscan`).
    /// - Let the client use TLS (`--ssl-mode=REQUIRED`), or let it ask for the server's key (`--get-server-public-key`,
    ///   `allowPublicKeyRetrieval=true`).
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
    .presumes((step == PASSWORD_STEP && by == Who::Client).then_some(
        "The client does not send its password without TLS or the server's key.",
    ))
    .adds(afterwards(facts, close).map(|it| {
        sentence!("After that the server reported {}.", quoted_error(it))
    }))
    .means(Some(match step == PASSWORD_STEP && by == Who::Client {
        true => STAYS_BROKEN,
        false => UNSENT,
    }))
    .shows(Some(spoke), "last data")
    .shows(Some(close), format!("{word} from the {}", side(by)))
    .about(connection)
    .keeps(if step == PASSWORD_STEP {
        |remedy| remedy.contains("ssl-mode") || remedy.contains("server's log")
    } else if facts.protocol == Some(AppProtocol::MySql) {
        |remedy| remedy.contains("server's log")
    } else if connection.sent[Who::Client as usize].bytes == 0 {
        |remedy| !remedy.contains("ssl") && !remedy.contains("host key")
    } else {
        |remedy| !remedy.contains("ssl")
    })
}

/// What the server reported when it met the close.
fn afterwards(facts: &DialogueFacts, close: FrameRef) -> Option<&Complaint> {
    let complaint = facts.complaint.as_ref();
    complaint.filter(|it| Who::of(it.by) == Who::Server && it.at > close)
}

/// The SSLRequest that the server refused, if it is the only one and the client left after it.
fn refused_tls<'a>(connection: &Connection, facts: &'a DialogueFacts) -> Option<&'a Exchange> {
    let [only] = &*facts.exchanges else {
        return None;
    };
    let asked = only.rare.as_ref()?.asked.as_ref()?;
    let left = connection.teardown.by == By::Client && connection.teardown.how == How::Fin;
    let refused = asked.noun == SSL_REQUEST && only.is_complete();
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
    .means(Some(STAYS_BROKEN))
    .shows(Some(answer.last), "the server refuses TLS")
    .shows(Some(close), "FIN from the client")
    .about(connection)
    .keeps(|remedy| remedy.contains("sslmode"))
}

#[cfg(test)]
mod tests {
    use crate::rules::ladder_check;

    const MYSQL: &str = "client server :3306\nSYN -->\n<-- SYN\nACK -->\n\
        <-- \"\\x4a\\0\\0\\0\\x0a8.0.36\\0aaaabbbbbbbb\\0\\xff\\xff\\xff\\x02\\0\\xff\\xdf\\x15\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0bbbbbbbbbbbb\\0caching_sha2_password\\0\"\n\
        \"\\x24\\0\\0\\x01\\x85\\xa2\\x1e\\x00\\0\\0\\0\\x40\\x21\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0me\\0\\0\" -->\n<-- ACK\n";
    const REPORTS: &str =
        "<-- \"\\x18\\0\\0\\x03\\xff\\x86\\x04#08S01Got an error re\"\nRST [noack] -->";

    #[test]
    fn a_client_of_mysql_that_may_not_send_its_password_leaves() {
        let wants = format!("{MYSQL}<-- \"\\x02\\0\\0\\x02\\x01\\x04\"\nFIN -->\n{REPORTS}");
        let found = ladder_check::found_by(&super::RULE, &wants).expect("found");
        for told in ["request for the password itself", "Got an error re"] {
            assert!(found.message.contains(told), "{}", found.message);
        }
        assert!(
            found.remedies[0].contains("get-server-public-key"),
            "{:?}",
            found.remedies
        );
        let proof = ladder_check::run(&wants.parse().expect("a ladder"));
        assert!(!proof.connections[0].outcome.is_fine());
        // Another step has no such cause, and an open session is none.
        let other = format!("{MYSQL}<-- \"\\x02\\0\\0\\x02\\xfe\\x04\"\nFIN -->\n<-- FIN\nACK -->");
        let found = ladder_check::found_by(&super::RULE, &other).expect("found");
        assert!(
            found.message.happened().ends_with("as far as the login."),
            "{}",
            found.message
        );
        assert_eq!(
            found.message.meaning(),
            "No request was sent: a retry is safe."
        );
        let open = format!(
            "{MYSQL}<-- \"\\x07\\0\\0\\x02\\0\\0\\0\\x02\\0\\0\\0\"\nFIN -->\n<-- FIN\nACK -->"
        );
        assert!(ladder_check::found_by(&super::RULE, &open).is_none());
        // Who is turned away has the answer, whoever closes first.
        for close in ["FIN -->\n<-- FIN", "<-- FIN\nFIN -->"] {
            let refused =
                format!("{MYSQL}<-- \"\\x0b\\0\\0\\x02\\xff\\x15\\x04#28000no\"\n{close}");
            let proof = ladder_check::run(&refused.parse().expect("a ladder"));
            assert_eq!(proof.rules(), ["request-refused"]);
            assert_eq!(proof.connections[0].outcome.reason(), "login-refused");
        }
    }

    /// The header of a proxy before it belongs to no protocol.
    #[test]
    fn a_login_that_got_no_answer_is_no_session() {
        let header =
            "\"PROXY TCP4 192.0.2.1 192.0.2.2 40000 3306\\r\\n\" -->\n<-- ACK\n<-- \"\\x4a";
        for open in [MYSQL.to_owned(), MYSQL.replace("<-- \"\\x4a", header)] {
            let text = format!("{open}+63s FIN -->\n<-- ACK\nRST -->");
            let proof = ladder_check::run(&text.parse().expect("a ladder"));
            let rules = proof.rules();
            assert!(
                rules.contains(&"client-gave-up-waiting"),
                "{rules:?}: {text}"
            );
            assert!(proof.connections[0].outcome.is_failed());
        }
    }

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
