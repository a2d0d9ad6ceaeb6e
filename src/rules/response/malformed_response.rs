//! A response breaks the grammar of HTTP/1.

use std::time::Duration;

use crate::analysis::connection::{By, Connection, Opening, Who};
use crate::base::certainty::Certainty;
use crate::protocol::dialogue::AppProtocol;
use crate::protocol::http::{Exchange, Fault, FaultRule, Message};
use crate::rules::Severity;
use crate::rules::rule::{Check, Verdict, rule};
use crate::rules::statement::{Sentence, sentence};
use crate::rules::wording::{named, not_yet, side, tell};

rule! {
    /// # What happened
    ///
    /// The bytes of a response break the grammar of HTTP/1. There is no status line, or a field line has no colon or has
    /// forbidden bytes. Or there is a lone CR or LF, a bad chunk, or a length that is not a number. The finding says which
    /// rule, at which byte, and quotes the bytes. Clients say "The server committed a protocol violation", `HPE_INVALID_…`
    /// (Node.js), "malformed HTTP response" (Go), `BadStatusLine` (Python), `ERR_INVALID_HTTP_RESPONSE`, curl (1) or (8). What
    /// browsers skip or accept, and show the response whole, is a warning.
    ///
    /// # Why it matters
    ///
    /// Strict clients drop the response, and tolerant ones disagree about where it ends. A status line or a second block of
    /// fields inside the header of one response means that somebody could put line ends into a value. That is response
    /// splitting (CWE-113), a security hole and not only a fault.
    ///
    /// # Remedy
    ///
    /// - Correct the program that writes the response. A server's own functions for fields and chunks keep to the grammar.
    /// - *If line ends may stand in a value:* Let no value with line ends into a header field.
    /// - *If the response had no status line:* Check that the port speaks HTTP, and that the client uses the right address and scheme.
    /// - *If a lenient parser accepts it:* Until then, let the client tolerate it where that is safe (.NET Framework `useUnsafeHeaderParsing`, Node.js
    ///   `insecureHTTPParser`).
    ///
    /// # Tell it by
    ///
    /// The response arrives, and the client closes directly after it. Its bytes break the grammar of HTTP.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET / [close]      -->
    ///  0.040                     <--  "HTTP/1.1 200 OK\r\nno colon here\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    ///  0.041                     <--  FIN
    ///  0.050  FIN                -->
    ///  0.060                     <--  ACK
    ///  => findings malformed-response
    /// ```
    ///
    /// # Not this
    ///
    /// Another protocol breaks no rule of HTTP:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020                     <--  "220 mail.example ESMTP\r\n"
    ///  0.030  "EHLO me\r\n"      -->
    ///  0.040                     <--  "250 hello\r\n"
    ///  0.050  "QUIT\r\n"         -->
    ///  0.060                     <--  "221 bye\r\n"
    ///  0.061                     <--  FIN
    ///  0.070  FIN                -->
    ///  0.080                     <--  ACK
    ///  => findings none
    /// ```
    ///
    /// Of the head, only the beginning was captured:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET / [close]      -->
    ///  0.040                     <--  200 data 1000 [close head=400 cut=60]
    ///  0.041                     <--  FIN
    ///  0.050  FIN                -->
    ///  0.060                     <--  ACK
    ///  => findings capture-cut-short
    /// ```
    ///
    /// The server speaks first, so it is not a response:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  ACK                -->
    ///  0.030                     <--  "220 mail.example ready\r\n"
    ///  0.040  "HELO a\r\n"        -->
    /// ```
    ///
    /// TLS is not HTTP:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  "\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00" -->
    ///  0.030                     <--  "\x15\x03\x01\x00\x02\x02\x28"
    /// ```
    ///
    /// A gap, after which the middle of a body is read:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /              -->
    ///  0.030                     <~~  200 data 1000 [length=3000]
    ///  0.040                     <--  "\x00 no head at all\r\n"
    ///  0.050  ACK                -->
    /// ```
    ///
    /// # References
    ///
    /// RFC 9112 §2.2, §4, §5, §7.1; RFC 9110 §5.5; CWE-113.
    pub(super) RULE: "malformed-response", Severity::Error,
    "a response breaks the grammar of HTTP/1", Check::Connection(check)
}

/// The severity of a grammar fault that is reported here; faults of lengths and of excess bytes have rules of their
/// own. `None`: harmless and common.
pub(in crate::rules) const fn weight(rule: FaultRule, who: Who) -> Option<Severity> {
    if rule.is_about_length() {
        return None;
    }
    Some(match rule {
        // Browsers send them, servers accept them.
        FaultRule::Target => Severity::Note,
        // Browsers skip or accept such lines, and show the response whole.
        FaultRule::SpaceBeforeColon | FaultRule::NoColon | FaultRule::FieldName
            if matches!(who, Who::Server) =>
        {
            Severity::Warning
        }
        // Servers read a higher minor version as their own (RFC 9110 §2.5).
        FaultRule::OtherVersion => Severity::Note,
        _ if rule.is_tolerated() => Severity::Warning,
        _ => Severity::Error,
    })
}

/// The beginning of the client connection preface of HTTP/2 (RFC 9113 §3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0";

/// The first of the worst faults in one side's messages for which `weigh` returns a severity, and the number of
/// messages with such faults.
pub(in crate::rules) fn worst(
    connection: &Connection,
    who: Who,
    weigh: impl Fn(FaultRule) -> Option<Severity>,
) -> Option<(Severity, &Exchange, &Fault, u64)> {
    // What was sent is not known.
    if connection.altered().is_some() || connection.is_forged_in_part(who) {
        return None;
    }
    let mut found: Option<(Severity, &Exchange, &Fault)> = None;
    let mut messages = 0;
    // The first bytes of a connection whose beginning was not captured may be the rest of a body.
    let mut rest_of_body =
        connection.opening != Opening::Handshake && !begins_with_request(connection);
    for exchange in &connection.exchanges {
        if exchange.rare.is_none() {
            rest_of_body &= message_of(exchange, who).is_none();
            continue;
        }
        let faults = match who {
            Who::Client => exchange.request_faults(),
            Who::Server if is_text_of_another(connection, exchange) => &[],
            Who::Server => exchange.response_faults(),
        };
        let headless = faults.iter().any(|it| it.rule == FaultRule::StartLine);
        if rest_of_body && headless {
            continue;
        }
        rest_of_body &= message_of(exchange, who).is_none();
        let mut counted = false;
        for fault in faults {
            let Some(severity) = weigh(fault.rule) else {
                continue;
            };
            // HTTP/1.0 has no chunks: whether there are any is the question that the ambiguous length asks.
            let has = |rule| faults.iter().any(|it| it.rule == rule);
            if fault.rule.is_about_chunks() && has(FaultRule::EncodingInOldVersion) {
                continue;
            }
            // HTTP/2 begins after a 101 that was not captured.
            if fault.rule == FaultRule::StartLine && fault.bytes.as_bytes().starts_with(PREFACE) {
                continue;
            }
            counted = true;
            if found.is_none_or(|(worst, ..)| severity > worst) {
                found = Some((severity, exchange, fault));
            }
        }
        messages += u64::from(counted);
    }
    found.map(|(severity, exchange, fault)| (severity, exchange, fault, messages))
}

/// Whether the capture begins with a whole request, and what the server sent first came after it: that is the response.
fn begins_with_request(connection: &Connection) -> bool {
    let [client, server] = connection.sent;
    let first = connection.exchanges.first();
    client.missing == 0
        && server.missing == 0
        && first.is_some_and(|it| {
            let asked = it.request.as_ref().filter(|it| it.target.is_some());
            let asked = asked.map(|it| &it.message);
            let answer = message_of(it, Who::Server);
            asked.zip(answer).is_some_and(|(asked, answer)| {
                let interim = it.rare.as_ref().is_some_and(|it| !it.interim.is_empty());
                let begins = asked.start == 0 && (answer.start == 0 || interim);
                asked.is_complete() && begins && answer.first > asked.last
            })
        })
}

/// Whether what looks like a status line comes from a server that nobody asked anything: it is text of another protocol.
fn is_text_of_another(connection: &Connection, exchange: &Exchange) -> bool {
    connection.opening == Opening::Handshake
        && connection.sent.iter().all(|sent| sent.missing == 0)
        && exchange.request.is_none()
}

/// Position, where one byte is at fault, and bytes: "no start line (byte 40 of the message): …", as words.
pub(in crate::rules) fn quote(fault: &Fault, message: Option<&Message>) -> String {
    let start = message.map_or(0, |message| message.start);
    let at = fault.offset.saturating_sub(start);
    let bytes = crate::base::escape::escape(fault.bytes.as_bytes());
    // Such a fault is one of the fields together, whose place is not kept.
    let length = fault.rule == FaultRule::ContentLength || fault.rule.is_about_length();
    if length && fault.rule != FaultRule::ExcessBytes {
        return match bytes.is_empty() {
            true => fault.rule.text().into(),
            false => format!("{}: \"{bytes}\"", fault.rule.text()),
        };
    }
    if bytes.is_empty() {
        format!("{} (byte {at} of the message)", fault.rule.text())
    } else {
        format!(
            "{} (byte {at} of the message): \"{bytes}\"",
            fault.rule.text()
        )
    }
}

/// Where a fault is, in a sentence of its own: the same fault in many messages is said once.
pub(in crate::rules) fn place(fault: &Fault, message: Option<&Message>) -> Option<Sentence> {
    if fault.bytes.as_bytes().is_empty() {
        return None;
    }
    let bytes = format!(
        "\"{}\"",
        crate::base::escape::escape(fault.bytes.as_bytes())
    );
    // Its place is not kept.
    if fault.rule == FaultRule::ContentLength {
        return Some(sentence!("It is {}.", bytes));
    }
    if fault.rule == FaultRule::BeforeStartLine {
        return Some(sentence!("They are {}.", bytes));
    }
    let start = message.map_or(0, |message| message.start);
    let at = fault.offset.saturating_sub(start);
    Some(match fault.quoted == fault.offset {
        true => sentence!("The fault begins at byte {} of the message: {}.", at, bytes),
        false => sentence!(
            "It is byte {} of the message, in the line that begins with {}.",
            at,
            bytes
        ),
    })
}

/// The message of one side.
pub(in crate::rules) fn message_of(exchange: &Exchange, who: Who) -> Option<&Message> {
    match who {
        Who::Client => crate::rules::classify::request(exchange),
        Who::Server => crate::rules::classify::response(exchange),
    }
}

/// A client that does not get the end of the head waits for it, and does not complain of what came.
fn left_open(connection: &Connection, message: Option<&Message>) -> Option<Sentence> {
    let message = message?;
    let waited = connection.teardown.at.since(message.last.time);
    let open = connection.teardown.by == By::Client
        && connection.fin[Who::Server as usize]
            .is_none_or(|fin| fin.frame_ref.time > connection.teardown.at)
        && waited >= LEFT_OPEN;
    open.then(|| {
        sentence!(
            "The server left the connection open, and the client closed it {} later. A program that waits for the rest \
             of the message runs into its timeout.",
            waited
        )
    })
}

/// A client that closes later than this after the last bytes has waited.
const LEFT_OPEN: Duration = Duration::from_secs(1);

fn check(connection: &Connection) -> Verdict {
    // TLS and HTTP/2 bytes do not violate HTTP/1 grammar: they are other protocols, and a wrong port has a rule of its
    // own.
    if crate::rules::tls::tls_plaintext_mismatch::answered_by_alert(connection).is_some()
        || crate::rules::h2::h2_preface_mismatch::answered_in_frames(connection).is_some()
    {
        return not_yet(connection);
    }
    let Some((severity, exchange, fault, count)) =
        worst(connection, Who::Server, |rule| weight(rule, Who::Server))
    else {
        return not_yet(connection);
    };
    let message = message_of(exchange, Who::Server);
    let other_version = fault.rule == FaultRule::OtherVersion;
    let told = match other_version {
        true => sentence!(
            "The response to {} has an HTTP version other than 1.0 and 1.1.",
            named(exchange)
        ),
        false => sentence!(
            "The response to {} breaks the grammar of HTTP: {}.",
            named(exchange),
            fault.rule.text()
        ),
    };
    let summary = match other_version {
        true => "[Response has|Responses on # connections have] an unusual HTTP version",
        false => "[Response breaks|Responses on # connections break] the grammar of HTTP",
    };
    let split = (fault.rule == FaultRule::SecondStartLine).then_some(
        "A second response begins inside the header of the first: response splitting (CWE-113).",
    );
    let foreign = Some(fault)
        .filter(|it| it.rule == FaultRule::StartLine)
        .and_then(|it| AppProtocol::of_server(it.bytes.as_bytes()))
        .map(|it| {
            sentence!(
                "{} servers begin like this: the client sent the request to a port that does not speak HTTP.",
                it.name()
            )
        });
    let more =
        (count > 1).then(|| sentence!("{} responses on this connection are like this.", count));
    tell(&RULE, severity, Certainty::Certain, summary, told)
        .means(foreign)
        .adds(place(fault, message))
        .adds(split)
        .adds(left_open(connection, message))
        .adds(more)
        .shows(
            // Of an interim response only the end is recorded; for one that was cut off, the request takes its place.
            message
                .map(|message| message.first)
                .or_else(|| Some(exchange.rare.as_ref()?.interim.first()?.at))
                .or_else(|| Some(exchange.request.as_ref()?.message.last))
                .or(Some(connection.last)),
            format!("{}'s message: {}", side(Who::Server), fault.rule.text()),
        )
        .about(connection)
}

#[cfg(test)]
mod tests {
    use crate::rules::{Severity, ladder_check};

    fn finding(response: &str) -> Option<(Severity, String)> {
        let text = format!(
            "SYN -->\n<-- SYN\nGET / [close] -->\n<-- \"{response}\"\n<-- FIN\nFIN -->\n<-- ACK"
        );
        let found = ladder_check::found_by(&super::RULE, &text)?;
        Some((found.severity, found.message.to_string()))
    }

    #[test]
    fn the_rule_and_the_bytes_are_reported() {
        let (severity, told) =
            finding(r"HTTP/1.1 200 OK\r\nBad\x00Name: 1\r\nContent-Length: 0\r\n\r\n")
                .expect("found");
        assert_eq!(severity, Severity::Error);
        assert!(
            told.contains(r#"It is byte 20 of the message, in the line that begins with "Bad"#),
            "{told}"
        );
    }

    /// The first bytes after the first whole request are its response, with or without the handshake.
    #[test]
    fn a_response_needs_no_handshake() {
        let found = |before: &str, ask: &str| {
            let text = format!(
                "{before}GET / [close]{ask}\n<-- \"no status line\\r\\n\\r\\n\"\n<-- FIN\nFIN -->\n<-- ACK"
            );
            ladder_check::found_by(&super::RULE, &text).is_some()
        };
        assert!(found("", " -->"));
        assert!(!found("<-- data 100\nACK -->\n", " -->"));
        assert!(!found("", " ~~>"));
    }

    /// Most clients wait for the LF until they give up: the one that closes is not the cause.
    #[test]
    fn lines_that_end_with_a_cr_alone_never_end() {
        let answer = r"HTTP/1.1 200 OK\rContent-Length: 5\r\rhello";
        for end in [
            "+2s FIN -->\n<-- FIN\nACK -->",
            "+2s RST -->",
            "<-- FIN\nFIN -->\n<-- ACK",
        ] {
            let text = format!("SYN -->\n<-- SYN\nGET / -->\n<-- \"{answer}\"\nACK -->\n{end}");
            let proof = ladder_check::run(&text.parse().expect("a ladder"));
            assert_eq!(proof.rules(), [super::RULE.name], "{end}");
            assert!(
                proof.findings[0].message.contains("CR without LF"),
                "{}",
                proof.findings[0].message
            );
        }
        // The LF may still come.
        let text = "SYN -->\n<-- SYN\nGET / -->\n<-- \"HTTP/1.1 200 OK\\r\"\nACK -->\n+2s FIN -->\n<-- FIN\nACK -->";
        assert!(ladder_check::found_by(&super::RULE, text).is_none());
    }

    #[test]
    fn what_many_accept_is_a_warning() {
        for response in [
            r"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
            r"HTTP/1.1\t 200 OK\r\nContent-Length: 0\r\n\r\n",
            r" HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            r"HTTP/1.1 200 OK\r\nno colon\r\nContent-Length: 0\r\n\r\n",
            r"HTTP/1.1 200 OK\r\nA b: c\r\nContent-Length: 0\r\n\r\n",
        ] {
            let (severity, _) = finding(response).expect("found");
            assert_eq!(severity, Severity::Warning, "{response}");
        }
        let (severity, told) =
            finding(r"HTTP/1.2 200 OK\r\nContent-Length: 0\r\n\r\n").expect("found");
        assert_eq!(severity, Severity::Note);
        assert!(!told.contains("grammar"), "{told}");
    }

    #[test]
    fn a_split_response_is_named() {
        let text = r"HTTP/1.1 200 OK\r\nX: a\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
        let (_, told) = finding(text).expect("found");
        assert!(told.contains("CWE-113"), "{told}");
    }

    #[test]
    fn a_length_that_is_not_a_number_is_quoted() {
        let told = ladder_check::told_by(
            &super::RULE,
            r#"SYN -->
<-- SYN
GET / -->
<-- "HTTP/1.1 200 OK\r\nContent-Length: 12a\r\n\r\nhello"
ACK -->"#,
        );
        let told = told.expect("found");
        assert!(told.contains("not a number. It is \"12a\"."), "{told}");
        assert!(!told.contains("byte 0"), "{told}");
    }

    #[test]
    fn another_protocol_may_have_such_a_line() {
        let text = r#"SYN -->
<-- SYN
ACK -->
<-- "220 f\r\n"
"EHLO\r\nSTARTTLS\r\n" -->
<-- "220 ready\r\n"
ACK -->
<-- "HTTP/1.1 101\nUpgrade: h2c\n\n"
ACK -->"#;
        assert!(ladder_check::found_by(&super::RULE, text).is_none());
    }

    #[test]
    fn a_plain_response_is_fine() {
        assert_eq!(
            finding(r"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
            None
        );
    }

    #[test]
    fn a_connection_that_is_left_open_lets_the_client_wait() {
        let told = |end: &str| {
            let text =
                format!("SYN -->\n<-- SYN\nGET / -->\n<-- \"<html>hello</html>\"\nACK -->\n{end}");
            ladder_check::told_by(&super::RULE, &text).expect("found")
        };
        assert!(told("+3s FIN -->\n<-- FIN\nACK -->").contains("left the connection open"));
        assert!(!told("<-- FIN\nFIN -->\n<-- ACK").contains("left the connection open"));
    }

    /// Chunks exist only in HTTP/1.1: in an older message it is the length that is in question.
    #[test]
    fn no_chunk_is_missed_in_an_old_version() {
        let found = |version: &str| {
            let text = format!(
                "SYN -->\n<-- SYN\nGET / -->\n<-- \"HTTP/1.{version} 200 OK\\r\\nTransfer-Encoding: \
                 chunked\\r\\n\\r\\nplain text\"\nFIN -->\n<-- FIN\nACK -->"
            );
            crate::rules::ladder_check::found_by(&super::RULE, &text).is_some()
        };
        assert!(!found("0"));
        assert!(found("1"));
    }
}
