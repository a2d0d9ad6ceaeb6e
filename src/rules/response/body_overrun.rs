//! More bytes came than the message announced.

use super::malformed_response::{message_of, quote, worst};
use crate::analysis::connection::{Connection, Opening, Who};
use crate::base::certainty::Certainty;
use crate::protocol::http::{FaultRule, Framing, Protocol};
use crate::rules::Severity;
use crate::rules::classify::response;
use crate::rules::rule::{Check, Verdict, rule};
use crate::rules::statement::sentence;
use crate::rules::wording::{named, not_yet, tell};

rule! {
    /// # What happened
    ///
    /// After a complete response came bytes that do not begin another one. The body is longer than its `Content-Length`, or
    /// there is one where none may be (204, 304, the response to a HEAD). Go logs "Unsolicited response received on idle HTTP
    /// channel", Node.js `HPE_INVALID_CONSTANT`, curl "Excess found".
    ///
    /// # Why it matters
    ///
    /// The connection is out of step: a client that keeps it would read the rest as the next response. Careful clients drop
    /// the connection. Careless ones hand one user's bytes to another.
    ///
    /// # Remedy
    ///
    /// - *If the response may have a body:* Correct the announced length: it must count the bytes that are sent, after
    ///   compression and re-encoding.
    /// - *If the response may have no body:* Let the server send no body with 204 and 304, nor in the response to a HEAD.
    ///
    /// # Tell it by
    ///
    /// The response is complete by its own length, and more bytes follow it.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET / [close]      -->
    ///  0.040                     <--  200 "hello and more" [length=5 close]
    ///  0.041                     <--  FIN
    ///  0.050  FIN                -->
    ///  0.060                     <--  ACK
    ///  => findings body-overrun
    /// ```
    ///
    /// # Not this
    ///
    /// An additional line end after the body is ignored everywhere:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET / [close]      -->
    ///  0.040                     <--  200 "hello\r\n" [length=5 close]
    ///  0.041                     <--  FIN
    ///  0.050  FIN                -->
    ///  0.060                     <--  ACK
    ///  => findings none
    /// ```
    ///
    /// Two pipelined responses:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /1             -->
    ///  0.021  GET /2 [close]     -->
    ///  0.040                     <--  200 "one"
    ///  0.041                     <--  200 "two" [close]
    ///  0.042                     <--  FIN
    ///  0.050  FIN                -->
    ///  0.060                     <--  ACK
    ///  => findings none
    /// ```
    ///
    /// A response to what is no request has a body like any other:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  "HEAD/ HTTP/1.1\r\nHost: a\r\n\r\n" -->
    ///  0.040                     <--  "HTTP/1.0 400 Bad Request\r\nContent-Length: 5\r\n\r\nsorry"
    ///  0.041                     <--  FIN
    ///  0.050  FIN                -->
    ///  0.060                     <--  ACK
    ///  => findings malformed-request
    /// ```
    ///
    /// # References
    ///
    /// RFC 9112 §6.3 (message body length), §9.2 (a response that matches no request); RFC 9110 §6.4.1, §15.3.5, §15.4.5.
    pub(super) RULE: "body-overrun", Severity::Error,
    "bytes follow a complete response and do not begin another", Check::Connection(check)
}

/// Number of bytes sent after the last response that the snap length cut off.
pub(crate) fn uncaptured_excess(connection: &Connection) -> Option<u64> {
    let last = connection.exchanges.last()?;
    let message = response(last)?;
    let sent = &connection.sent[Who::Server as usize];
    // Inside TLS more bytes are sent than application data.
    if connection.tls.is_some() {
        return None;
    }
    let blank = last.rare.as_ref().map_or(0, |it| it.response.blank_after);
    let seen = message.end().saturating_add(blank.into());
    let excess = sent.bytes.checked_sub(seen)?;
    let delimited = matches!(message.framing, Framing::Length | Framing::NoBody);
    // Two bytes may be a line end.
    if excess <= 2
        || !delimited
        || !last.is_complete()
        || last.request.is_none()
        || sent.missing > 0
        || connection.sent[Who::Client as usize].packets == 0
        || connection.is_forged_in_part(Who::Server)
        || connection.opening != Opening::Handshake
        || connection.protocol != Protocol::Http1
    {
        return None;
    }
    Some(excess)
}

fn uncaptured(connection: &Connection) -> Option<Verdict> {
    let excess = uncaptured_excess(connection)?;
    let last = connection.exchanges.last()?;
    let message = response(last)?;
    let expected = message.expected().unwrap_or(0);
    let verdict = tell(
        &RULE,
        Severity::Error,
        Certainty::Likely,
        "[Response is|Responses on # connections are] longer than announced",
        sentence!(
            "The response to {} announced {} body bytes, and {} more followed. None of them was captured.",
            named(last),
            expected,
            excess
        ),
    )
    .presumes(Some("These bytes belong to no message that the client expects."))
    .shows(Some(message.first), "response begins")
    .shows(Some(connection.last_data[Who::Server as usize]), "last bytes from the server")
    .about(connection);
    Some(verdict)
}

fn check(connection: &Connection) -> Verdict {
    let weight = |rule: FaultRule| (rule == FaultRule::ExcessBytes).then_some(Severity::Error);
    let Some((severity, exchange, fault, count)) = worst(connection, Who::Server, weight) else {
        return uncaptured(connection).unwrap_or_else(|| not_yet(connection));
    };
    // Packets that the capture lost may have held the beginning of a message.
    if connection.sent[Who::Server as usize].missing > 0 {
        return Verdict::Clear;
    }
    // What was asked is not known: a server that could not read it either responds with a body.
    if exchange
        .request_faults()
        .iter()
        .any(|it| it.rule == FaultRule::StartLine)
    {
        return Verdict::Clear;
    }
    // The request that was not captured may have asked for a tunnel.
    if exchange.request.is_none() && exchange.status().is_some_and(|it| it / 100 == 2) {
        return Verdict::Clear;
    }
    let message = message_of(exchange, Who::Server);
    let expected = message.and_then(|message| message.expected());
    let status = exchange.status().unwrap_or_default().to_string();
    let bytes = quote(fault, message);
    let (summary, told) = if message.is_some_and(|message| message.framing == Framing::NoBody) {
        // No matter what length it announces.
        (
            "Data followed [a response|responses on # connections] without a body",
            sentence!(
                "The response {} to {} has no body, by its status or its request's method. Bytes followed its head: {}.",
                status,
                named(exchange),
                bytes
            ),
        )
    } else {
        (
            "[Response is|Responses on # connections are] longer than announced",
            sentence!(
                "The response {} to {} announced {} body bytes, and more followed: {}.",
                status,
                named(exchange),
                expected.unwrap_or(0),
                bytes
            ),
        )
    };
    let more =
        (count > 1).then(|| sentence!("{} responses on this connection are like this.", count));
    // Clients take the bytes that were announced, and close.
    let last = exchange.closes().is_some();
    let severity = match last {
        true => severity.min(Severity::Warning),
        false => severity,
    };
    tell(&RULE, severity, Certainty::Certain, summary, told)
        .adds(more)
        .adds(last.then_some(
            "The connection was to close after this response: no later one is read from the wrong place.",
        ))
        .shows(message.map(|message| message.first), "response begins")
        .about(connection)
}

#[cfg(test)]
mod tests {
    use crate::base::certainty::Certainty;
    use crate::rules::Severity;

    #[test]
    fn line_ends_after_a_body_are_no_excess() {
        let run = |rest: &str| {
            let text = format!(
                "SYN -->\n<-- SYN\nGET / -->\n<-- \"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok{rest}\"\nACK \
                 -->\nFIN -->\n<-- FIN\nACK -->"
            );
            crate::rules::ladder_check::found_by(&super::RULE, &text).is_some()
        };
        assert!(!run(r"\r\n\r\n"));
        assert!(run("and more"));
    }

    #[test]
    fn what_follows_the_last_response_of_a_connection_harms_no_other() {
        let severity = |close: &str| {
            let text = format!(
                "SYN -->\n<-- SYN\nGET / -->\n<-- \"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n{close}\\r\\nok and more\"\n\
                 FIN -->\n<-- FIN\nACK -->"
            );
            crate::rules::ladder_check::found_by(&super::RULE, &text).map(|it| it.severity)
        };
        assert_eq!(severity(""), Some(Severity::Error));
        assert_eq!(severity("Connection: close\\r\\n"), Some(Severity::Warning));
    }

    /// A forged response comes first, and the real one has the same sequence numbers and more of them.
    #[test]
    fn two_answers_under_the_same_numbers_are_no_proof() {
        let told = |second: &str| {
            let text = format!(
                "SYN -->\n<-- SYN\nGET / -->\n<-- \"HTTP/1.1 200 OK\\r\\nContent-Length: \
                 5\\r\\n\\r\\nBANG!\"\n{second}\nRST -->"
            );
            let found = crate::rules::ladder_check::found_by(&super::RULE, &text).expect("found");
            (found.severity, found.certainty, found.message)
        };
        let real = "<-- \"HTTP/1.1 200 OK\\r\\nServer: real\\r\\nContent-Length: 9\\r\\n\\r\\nthe truth\" [seq=1]";
        let (severity, certainty, message) = told(real);
        assert_eq!(
            (severity, certainty),
            (Severity::Note, Certainty::Possible),
            "{message}"
        );
        assert!(message.contains("with other bytes"), "{message}");
        let (severity, certainty, _) = told("<-- \"and more\"");
        assert_eq!((severity, certainty), (Severity::Error, Certainty::Certain));
    }

    /// A 304 and the response to a HEAD may announce the length of what they do not carry.
    #[test]
    fn what_has_no_body_is_not_said_to_announce_none() {
        let text = "SYN -->\n<-- SYN\nGET / -->\n<-- \"HTTP/1.1 304 Not Modified\\r\\nContent-Length: 8\\r\\n\\r\\nand \
                    more\"\nACK -->\nFIN -->\n<-- FIN\nACK -->";
        let found = crate::rules::ladder_check::found_by(&super::RULE, text).expect("found");
        assert!(found.message.contains("has no body"), "{}", found.message);
        assert!(!found.message.contains("announced"), "{}", found.message);
    }
}
