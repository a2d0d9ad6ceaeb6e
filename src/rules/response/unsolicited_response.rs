//! A response came without a request.

use crate::analysis::connection::{Connection, Opening, Who};
use crate::protocol::http::{Exchange, Method};
use crate::rules::Severity;
use crate::rules::classify::{behind_another, late_timeout, request, response};
use crate::rules::rule::{Check, Verdict, rule};
use crate::rules::statement::{Statement, sentence};
use crate::rules::wording::{named, not_yet, tell};

rule! {
    /// # What happened
    ///
    /// The server sent a response while no request was open: before the first, or between two. Most often it is a 408 with
    /// which a server ends an idle connection, or a 400 on a connection that was opened in advance. Go logs "Unsolicited
    /// response received on idle HTTP channel".
    ///
    /// # Why it matters
    ///
    /// A client must not take it for the response to its next request (RFC 9112 §9.2). A client that does gives its user a
    /// 408 for a request that nobody read.
    ///
    /// # Remedy
    ///
    /// - *If the response behind another one answered nothing:* Find what responds twice to one request: a handler that goes on
    ///   after it has responded, or a length that is too small. Until then, do not reuse the connection.
    /// - *If no response came directly behind another one:* Let the server close idle connections without a response (HAProxy
    ///   `option http-ignore-probes`, `errorfile 408 /dev/null`).
    /// - *If no response came directly behind another one:* Or make the client's idle timeout shorter than the server's, so that the client closes first.
    ///
    /// # Tell it by
    ///
    /// The server sends a status line, often 408, while no request is outstanding.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  ACK                -->
    ///  9.000                     <--  408 "too late" [close]
    ///  9.001                     <--  FIN
    ///  9.010  FIN                -->
    ///  9.020                     <--  ACK
    ///  => findings unsolicited-response
    /// ```
    ///
    /// A response that was there before the request, which is a mistake or an attack:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.011                     <--  200 "you are welcome" [close]
    ///  0.012                     <--  FIN
    ///  0.020  ACK                -->
    ///  0.200  GET /              -->
    ///  0.210  FIN                -->
    ///  0.220                     <--  RST [noack]
    ///  => findings unsolicited-response
    /// ```
    ///
    /// # Not this
    ///
    /// The request was not captured:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET / [close]      ~~>
    ///  0.040                     <--  200 "hello" [close]
    ///  0.041                     <--  FIN
    ///  0.050  FIN                -->
    ///  0.060                     <--  ACK
    ///  => findings capture-lost-packets
    /// ```
    ///
    /// The capture began after it:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.040                     <--  200 "hello" [close]
    ///  0.041                     <--  FIN
    ///  0.050  FIN                -->
    ///  0.060                     <--  ACK
    /// ```
    ///
    /// # References
    ///
    /// RFC 9110 §15.5.9 (408); RFC 9112 §9.2 (associating responses with requests).
    pub(super) RULE: "unsolicited-response", Severity::Warning,
    "a response comes while no request is open", Check::Connection(check)
}

fn check(connection: &Connection) -> Verdict {
    let unasked = |exchange: &&Exchange| exchange.request.is_none() && exchange.response.is_some();
    let Some(exchange) = connection.exchanges.iter().find(unasked) else {
        return not_yet(connection);
    };
    // It ends a request that did not come whole.
    if late_timeout(connection).is_some() {
        return Verdict::Clear;
    }
    // What follows a tunnel's beginning is the tunnel's.
    let mut spoken = connection.exchanges.iter();
    let tunnel = spoken.any(|it| {
        let connects = it
            .request
            .as_ref()
            .is_some_and(|it| it.method == Method::Connect);
        connects && it.status().is_some_and(|status| status / 100 == 2)
    });
    if tunnel {
        return Verdict::Clear;
    }
    let client = &connection.sent[Who::Client as usize];
    // Plain text in response to a ClientHello has a rule of its own.
    if connection.opening != Opening::Handshake
        || connection.tls.is_some()
        || client.missing > 0
        || client.packets == 0
        // A request may stand in what was cut.
        || connection.turns.cut
        || connection.sent[Who::Server as usize].missing > 0
    {
        return Verdict::Clear;
    }
    let answer = response(exchange);
    // What the client sent before is no request that can be read, and the server answers it.
    let first = connection
        .exchanges
        .iter()
        .position(|it| std::ptr::eq(it, exchange));
    let spoke = connection.sent[Who::Client as usize].bytes > 0;
    // A request that begins with the client's first byte, after the response, is the first thing that the client said.
    let later = connection.exchanges.iter().find_map(|it| {
        let asked = request(it).filter(|asked| asked.start == 0)?;
        (asked.first > answer?.first).then_some(asked.first)
    });
    if first == Some(0) && spoke && later.is_none() {
        return Verdict::Clear;
    }
    let status = exchange
        .status()
        .map_or_else(|| "a response".to_owned(), |status| status.to_string());
    let behind = behind_another(connection).filter(|_| later.is_none());
    // The further ones that follow each other.
    let is_behind = |it: &&Exchange| behind.is_some_and(|own| std::ptr::eq(*it, own));
    let rest = connection.exchanges.iter();
    let rest = rest.skip_while(|it| !is_behind(it)).skip(1);
    let further = rest.take_while(|it| it.request.is_none()).count();
    let message = match (later, behind) {
        (None, Some(first)) if further > 1 => Statement::from(sentence!(
            "The server sent {} responses more, the first of them {}, directly behind its response to {}.",
            further as u64,
            status.clone(),
            named(first)
        ))
        .means("A client that keeps the connection may take them for the responses to its next requests."),
        (None, Some(first)) => Statement::from(sentence!(
            "The server sent a second response ({}) directly behind its response to {}.",
            status.clone(),
            named(first)
        ))
        .means("A client that keeps the connection may take it for the response to its next request."),
        (Some(later), _) => Statement::from(sentence!(
            "The server sent {} before the client had sent anything. The request came only after it ({}).",
            status.clone(),
            later
        ))
        .means("A client may take it for the response to that request, which nobody had read."),
        (None, None) => Statement::from(sentence!(
            "The server sent {} while no request was open.",
            status.clone()
        )),
    };
    let twice = behind.is_some();
    tell(
        &RULE,
        match later {
            Some(_) => Severity::Warning,
            None if twice => Severity::Warning,
            None => Severity::Note,
        },
        connection.teardown.certainty,
        match twice {
            true if further > 1 => "Server responded several times to [a request|# requests]",
            true => "Server responded twice to [a request|# requests]",
            false => "Server responded without a request[| on # connections]",
        },
        message,
    )
    .shows(
        answer.map(|answer| answer.first),
        format!("{status} without a request"),
    )
    .about(connection)
}

#[cfg(test)]
mod tests {
    use crate::rules::Severity;
    use crate::rules::ladder_check::{found_by, told_by};

    const OPEN: &str = "SYN -->\n<-- SYN\nACK -->\nGET /x -->\n<-- 200 \"one\"\n";

    /// Two requests in one segment, of which the capture kept the beginning.
    #[test]
    fn a_request_may_stand_in_what_was_cut() {
        let told = |cut: &str| {
            let ask = format!("SYN -->\n<-- SYN\nACK -->\nGET /a [head=300 {cut}] -->\n");
            let rest =
                "<-- 200 \"one\"\nACK -->\n+1s <-- 200 \"two\"\nACK -->\nFIN -->\n<-- FIN\nACK -->";
            told_by(&super::RULE, &format!("{ask}{rest}"))
        };
        assert!(told("").is_some());
        assert_eq!(told("cut=60"), None);
    }

    #[test]
    fn a_second_response_is_no_idle_timeout() {
        let twice = format!("{OPEN}+1ms <-- 200 \"two\"\nACK -->\nFIN -->\n<-- FIN\nACK -->");
        let found = found_by(&super::RULE, &twice).expect("found");
        assert_eq!(found.severity, Severity::Warning);
        assert!(
            found.message.contains("second response"),
            "{}",
            found.message
        );
        assert!(
            found.remedies[0].contains("responds twice"),
            "{:?}",
            found.remedies
        );
        let thrice =
            format!("{OPEN}+1ms <-- 200 \"two\" 200 \"three\"\nACK -->\nFIN -->\n<-- FIN\nACK -->");
        let found = found_by(&super::RULE, &thrice).expect("found");
        assert!(
            found.message.contains("sent 2 responses more"),
            "{}",
            found.message
        );
        assert!(found.headline().contains("several times"));
        let idle =
            format!("{OPEN}ACK -->\n+5s <-- 408 \"late\" [close]\n<-- FIN\nFIN -->\n<-- ACK");
        let found = found_by(&super::RULE, &idle).expect("found");
        assert_eq!(found.severity, Severity::Note);
        assert!(found.remedies[0].contains("idle"), "{:?}", found.remedies);
    }

    /// The handler responded at once; the rest of the request never came.
    #[test]
    fn the_end_of_a_request_that_did_not_come_whole_is_no_unasked_response() {
        let text = "SYN -->\n<-- SYN\nACK -->\nPOST /x [length=1000] data 300 -->\n<-- 200 \"ok\"\nACK -->\n\
                    +1500ms <-- 408 \"late\" [close]\n<-- FIN\nFIN -->\n<-- ACK";
        assert_eq!(told_by(&super::RULE, text), None);
        let rule = &crate::rules::request::client_left_mid_upload::RULE;
        let told = told_by(rule, text).expect("found");
        assert!(
            told.contains("300 of 1,000") && told.contains("408"),
            "{told}"
        );
    }
}
