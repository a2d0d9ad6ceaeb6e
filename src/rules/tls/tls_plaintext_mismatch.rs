//! One side speaks TLS and the other does not.

use crate::analysis::connection::{Connection, Who};
use crate::base::certainty::Certainty;
use crate::base::frame_ref::FrameRef;
use crate::protocol::dialogue::AppProtocol;
use crate::protocol::http::Exchange;
use crate::protocol::layers::FirstWords;
use crate::protocol::tcp::hops;
use crate::rules::Severity;
use crate::rules::classify::request;
use crate::rules::classify_tls::{TlsFailureKind, failure_as};
use crate::rules::rule::{Check, Verdict, rule};
use crate::rules::statement::{Sentence, sentence};
use crate::rules::wording::{named, not_yet, tell};
use crate::rules::wording_tls::{asked_for, hello};

rule! {
    /// # What happened
    ///
    /// The client sent a ClientHello and got an answer in plain text, usually a `400 Bad Request`. Or it sent a request in
    /// plain text and got a TLS alert, or a page that says that this port wants TLS. Either the scheme or the port is wrong.
    ///
    /// # Why it matters
    ///
    /// No request succeeds on such a connection. Clients report `WRONG_VERSION_NUMBER`, `ERR_SSL_PROTOCOL_ERROR` or "packet
    /// length too long". Servers log an "invalid method", which is the beginning of a ClientHello.
    ///
    /// # Remedy
    ///
    /// - *If the client sent a ClientHello and the server spoke no other protocol than HTTP:* Let the client use `http` on this
    ///   port, or the server's TLS port; or turn TLS on for this port (nginx `listen … ssl`).
    /// - *If the client sent a ClientHello and the server spoke another protocol than HTTP:* Let the client begin in plain
    ///   text on this port (`STARTTLS` where the protocol has it), or use the server's TLS port; or turn TLS on for this port.
    /// - *If the client sent no ClientHello:* Let the client use `https` on this port, or the server's plain port.
    /// - *If the client sent a ClientHello:* Where a proxy stands between, compare what it speaks to the server with what that
    ///   port expects; a missing or unexpected PROXY line looks the same.
    ///
    /// # Tell it by
    ///
    /// A ClientHello (bytes `16 03`) gets readable text such as `HTTP/1.1 400`. Or a plain request gets a TLS alert.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  ClientHello [sni=a] -->
    ///  0.030                     <--  400 "no" [close]
    ///  0.031                     <--  FIN
    ///  0.040  FIN                -->
    ///  0.050                     <--  ACK
    ///  => findings tls-plaintext-mismatch
    /// ```
    ///
    /// Some servers answer such a request with a page of their own:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /              -->
    ///  0.030                     <--  400 "<title>400 The plain HTTP request was sent to HTTPS port</title>" [close]
    ///  0.031                     <--  FIN
    ///  0.040  FIN                -->
    ///  0.050                     <--  ACK
    ///  => findings tls-plaintext-mismatch
    /// ```
    ///
    /// # Not this
    ///
    /// A server that answers in TLS, if only to refuse:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  ClientHello [sni=a] -->
    ///  0.030                     <--  alert 40 FIN
    ///  0.040  FIN                -->
    ///  0.050                     <--  ACK
    ///  => findings tls-alert
    /// ```
    ///
    /// TLS that begins after words in plain text, as with STARTTLS:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020                     <--  "220 mail\r\n"
    ///  0.030  "STARTTLS\r\n"     -->
    ///  0.040                     <--  "220 go\r\n"
    ///  0.050  ClientHello        -->
    ///  0.060                     <--  ServerHello [version=1.3] Finished [version=1.3]
    ///  => findings none
    /// ```
    ///
    /// # References
    ///
    /// RFC 8446 §5.1 (records), RFC 2818 §2.
    pub(super) RULE: "tls-plaintext-mismatch", Severity::Error,
    "one side speaks TLS and the other plain text", Check::Connection(check)
}

fn check(connection: &Connection) -> Verdict {
    if connection.is_proxy_header_refused() {
        return Verdict::Clear;
    }
    if let Some(reading) = failure_as(connection, TlsFailureKind::Plaintext) {
        let answer = connection.exchanges.first().and_then(|it| it.status());
        if reading.by != Some(Who::Client)
            && let Some(ttls) = two_places(connection)
        {
            return tell(
                &RULE,
                Severity::Error,
                Certainty::Possible,
                "TLS answered in plain text by a device on the way",
                sentence!(
                    "The ClientHello was answered in plain text. Segments with the server's address have the TTLs {} and {}.",
                    ttls.0,
                    ttls.1
                ),
            )
            .presumes(Some("A device on the way gave that answer in the server's name, as filters of providers and companies do."))
            .adds(asked_for(reading.facts))
            .shows(hello(&reading), "ClientHello")
            .shows(Some(reading.at), "answer that is not TLS")
            .about(connection)
            .keeps(|remedy| !remedy.contains("Let the client use `http`"));
        }
        let message = match (reading.by, answer) {
            (Some(Who::Client), _) => Sentence::from(
                "The server began with TLS, and the client answered in plain text: this port of the client does not speak TLS.",
            ),
            (_, Some(status)) => sentence!(
                "The ClientHello was answered with {} in plain text: this port of the server does not speak TLS.",
                status
            ),
            (_, None) if !reading.facts.plain_is_text => {
                "The ClientHello was answered with bytes that are neither TLS nor text: this port of the server speaks another protocol.".into()
            }
            (_, None) => {
                "The ClientHello was answered in plain text: this port of the server does not speak TLS.".into()
            }
        };
        return tell(
            &RULE,
            Severity::Error,
            reading.certainty,
            match reading.facts.plain_is_text {
                true => "TLS answered in plain text",
                false => "TLS answered in another protocol",
            },
            message,
        )
        .adds(asked_for(reading.facts))
        .adds(other(connection))
        .shows(hello(&reading), "ClientHello")
        .shows(Some(reading.at), "answer that is not TLS")
        .about(connection);
    }
    if let Some(exchange) = answered_by_page(connection) {
        let status = exchange.status().unwrap_or_default();
        return tell(
            &RULE,
            Severity::Error,
            Certainty::Certain,
            "Plain text sent to a TLS port",
            sentence!(
                "{} was sent in plain text, and the server's answer {} says that this port speaks TLS.",
                named(exchange),
                status
            ),
        )
        .shows(
            exchange.request.as_ref().map(|it| it.message.first),
            "a request in plain text",
        )
        .shows(
            exchange.response.as_ref().map(|it| it.message.first),
            "the answer, in plain text",
        )
        .about(connection);
    }
    if let Some((FirstWords::Other(protocol), FirstWords::Tls)) = connection.mismatch() {
        return other_to_tls(connection, protocol);
    }
    let Some((exchange, frame_ref)) = answered_by_alert(connection) else {
        return unlike_beginnings(connection);
    };
    let message = sentence!(
        "{} in plain text was answered by a TLS alert: this port speaks TLS.",
        named(exchange)
    );
    tell(
        &RULE,
        Severity::Error,
        Certainty::Certain,
        "Plain text sent to a TLS port",
        message,
    )
    .shows(
        exchange.request.as_ref().map(|it| it.message.first),
        "a request in plain text",
    )
    .shows(Some(frame_ref), "a TLS alert")
    .about(connection)
}

/// The least and the greatest TTL of what came with the server's address, if they are too far apart for one host on one path.
fn two_places(connection: &Connection) -> Option<(u8, u8)> {
    let (low, high) = connection.sent[Who::Server as usize].ttls;
    let apart = hops(low).abs_diff(hops(high)) > HOPS && high.abs_diff(low) > HOPS;
    apart.then_some((low, high))
}

/// Routes that change differ by less.
const HOPS: u8 = 2;

/// Which protocol the server speaks instead, if its first bytes show it.
fn other(connection: &Connection) -> Option<Sentence> {
    match connection.first_words {
        [Some(FirstWords::Tls), Some(FirstWords::Other(protocol))] => Some(sentence!(
            "The server speaks {} in plain text on this port.",
            protocol.name()
        )),
        _ => None,
    }
}

/// The client spoke another protocol than HTTP in plain text, and the server answered in TLS.
fn other_to_tls(connection: &Connection, protocol: AppProtocol) -> Verdict {
    let asked = connection.spoken().first().and_then(request);
    tell(
        &RULE,
        Severity::Error,
        Certainty::Certain.max(connection.teardown.certainty),
        "Plain text was sent to a TLS port",
        sentence!(
            "The client spoke {} in plain text, and the server answered in TLS: this port speaks TLS.",
            protocol.name()
        ),
    )
    .shows(
        Some(asked.map_or(connection.first, |it| it.first)),
        "the connection on which the client speaks in plain text",
    )
    .shows(
        Some(connection.last_data[Who::Server as usize]),
        "the server's last data, in TLS",
    )
    .about(connection)
}

/// The first bytes alone show it: neither the ClientHello was whole, nor an answer that says what was wrong.
fn unlike_beginnings(connection: &Connection) -> Verdict {
    let (summary, message) = match connection.mismatch() {
        Some((FirstWords::Tls, _)) => (
            "TLS answered in plain text",
            "The client began with TLS, and the server answered in plain text: this port of the server does not speak TLS.",
        ),
        Some((FirstWords::Http, FirstWords::Tls)) => (
            "Plain text sent to a TLS port",
            "The client sent an HTTP request in plain text, and the server answered in TLS: this port speaks TLS.",
        ),
        _ => return not_yet(connection),
    };
    tell(
        &RULE,
        Severity::Error,
        Certainty::Certain.max(connection.teardown.certainty),
        summary,
        Sentence::from(message),
    )
    .adds(other(connection))
    .shows(
        Some(connection.last_data[Who::Client as usize]),
        "the client's last data",
    )
    .shows(
        Some(connection.last_data[Who::Server as usize]),
        "the server's last data",
    )
    .about(connection)
}

/// The request that was answered by a page which says that TLS is wanted.
fn answered_by_page(connection: &Connection) -> Option<&Exchange> {
    let plain = connection.tls.is_none();
    let mut exchanges = connection.exchanges.iter();
    exchanges.find(|it| it.wants_tls()).filter(|_| plain)
}

/// The first request, if it was answered with a TLS record (RFC 8446 §5.1).
pub(in crate::rules) fn answered_by_alert(
    connection: &Connection,
) -> Option<(&Exchange, FrameRef)> {
    let exchange = connection.exchanges.first()?;
    let response = &exchange.response.as_ref()?.message;
    let is_record = exchange
        .response_faults()
        .iter()
        .any(|fault| matches!(fault.bytes.as_bytes(), [21, 3, 0..=4, 0, ..]));
    is_record.then_some((exchange, response.first))
}

#[cfg(test)]
mod tests {
    use crate::rules::ladder_check;

    #[test]
    fn an_answer_from_another_place_says_nothing_of_the_port() {
        let told = |ttl: u8| {
            let text = format!(
                "client server [ttl=53]\nSYN -->\n<-- SYN\nACK -->\nClientHello [sni=a] -->\n\
                 <-- 403 \"blocked\" FIN [ttl={ttl}]\nFIN -->"
            );
            ladder_check::found_by(&super::RULE, &text).expect("found")
        };
        let own = told(53);
        assert!(
            own.message.contains("does not speak TLS"),
            "{}",
            own.message
        );
        let other = told(59);
        assert!(
            !other.message.contains("does not speak TLS"),
            "{}",
            other.message
        );
        assert!(
            other.message.contains("TTLs 53 and 59"),
            "{}",
            other.message
        );
        assert!(
            !other.remedies.iter().any(|it| it.contains("`http`")),
            "{:?}",
            other.remedies
        );
    }

    /// What makes an outcome "wrong protocol" has a finding.
    #[test]
    fn half_a_hello_shows_it_too() {
        for (text, told) in [
            (
                r#""\x16\x03\x01\x00\xf1\x01\x00\x00" -->
<-- 200 "OK""#,
                "began with TLS",
            ),
            (
                r#""\x16\x03\x01\x00\xf1\x01\x00\x00" -->
<-- "220 mail.example ESMTP\r\n""#,
                "speaks SMTP in plain text",
            ),
            (
                "ClientHello [sni=a] -->\n<-- \"\\x00\\x03\\x00\\x00\\x00\\x03\\x01\\x83\\x01\"",
                "neither TLS nor text",
            ),
        ] {
            let text = format!("SYN -->\n<-- SYN\nACK -->\n{text}\nFIN -->\n<-- FIN\nACK -->");
            let found = ladder_check::found_by(&super::RULE, &text).expect("found");
            assert!(found.message.contains(told), "{}", found.message);
            assert!(
                !found.remedies.iter().any(|it| it.contains("use `https`")),
                "{:?}",
                found.remedies
            );
        }
    }
}
