//! A message announces its length in ways that contradict each other.

use super::malformed_response::{message_of, quote, worst};
use crate::analysis::connection::{Connection, Who};
use crate::base::certainty::Certainty;
use crate::base::frame_ref::FrameRef;
use crate::protocol::http::{Exchange, FaultRule, FieldName, Framing};
use crate::rules::Severity;
use crate::rules::classify::response;
use crate::rules::log_errors::unregistered;
use crate::rules::rule::{Check, Verdict, rule};
use crate::rules::statement::sentence;
use crate::rules::wording::{named, not_yet, tell};

rule! {
    /// # What happened
    ///
    /// A message says in two ways where its body ends, and they differ. It has several `Content-Length` with different
    /// numbers, or `Content-Length` beside `Transfer-Encoding`. Or it has a `Transfer-Encoding` in which `chunked` is not the
    /// last coding, or that an HTTP/1.0 message may not have. Careful clients and proxies refuse it: nginx 502 "upstream sent
    /// duplicate header line", HAProxy `PH`, Node.js `HPE_UNEXPECTED_CONTENT_LENGTH`.
    ///
    /// # Why it matters
    ///
    /// Two readers may find two ends, and then the rest of one message is the beginning of the next. This is how requests are
    /// smuggled past a proxy and responses are split.
    ///
    /// # Remedy
    ///
    /// - *If a message had two lengths:* Let the sender announce one length only. Remove the `Content-Length` that the
    ///   application sets by hand, or the `Transfer-Encoding` of a response that is passed on.
    /// - *If HTTP/1.0 had a transfer coding:* Let the sender use HTTP/1.1 where it sends chunks. In HTTP/1.0, let it announce a
    ///   `Content-Length`, or end the body with the close.
    /// - *If no message had two lengths and HTTP/1.0 had no transfer coding:* Let the sender write `chunked` as the last coding and send chunks, or announce a
    ///   `Content-Length` and no `Transfer-Encoding`.
    /// - Let every proxy refuse such messages, and close the connection after them (RFC 9112 §6.3).
    ///
    /// # Tell it by
    ///
    /// One head has two lengths: two `Content-Length` values that differ, or `Content-Length` beside `Transfer-Encoding`.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET / [close]      -->
    ///  0.040                     <--  "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\nConnection: close\r\n\r\nhello"
    ///  0.041                     <--  FIN
    ///  0.050  FIN                -->
    ///  0.060                     <--  ACK
    ///  => findings ambiguous-message-length
    /// ```
    ///
    /// # Not this
    ///
    /// The same number twice is one length:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET / [close]      -->
    ///  0.040                     <--  "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello"
    ///  0.041                     <--  FIN
    ///  0.050  FIN                -->
    ///  0.060                     <--  ACK
    ///  => findings none
    /// ```
    ///
    /// # References
    ///
    /// RFC 9112 §6.1, §6.3, §11.1 (response splitting), §11.2 (request smuggling); RFC 9110 §8.6.
    pub(super) RULE: "ambiguous-message-length", Severity::Error,
    "a message announces its length in contradictory ways", Check::Connection(check)
}

const fn weight(rule: FaultRule) -> Option<Severity> {
    match rule {
        FaultRule::DifferingLengths
        | FaultRule::LengthAndEncoding
        | FaultRule::EncodingNotChunked
        | FaultRule::ChunkedNotLast => Some(Severity::Error),
        FaultRule::EncodingInOldVersion => Some(Severity::Warning),
        _ => None,
    }
}

/// A response whose last coding is not `chunked` is delimited by the close; many clients reject it.
fn unknown_coding(connection: &Connection) -> Option<Verdict> {
    let (exchange, field) = connection.exchanges.iter().find_map(|exchange| {
        let framing = response(exchange)?.framing;
        let mut fields = exchange.response_fields(FieldName::TransferEncoding);
        (framing == Framing::UntilClose).then(|| fields.next().map(|field| (exchange, field)))?
    })?;
    if field.value.as_bytes().eq_ignore_ascii_case(b"identity") {
        return None;
    }
    let value = crate::base::escape::escape(field.value.as_bytes());
    let verdict = tell(
        &RULE,
        Severity::Warning,
        Certainty::Certain,
        "[Response has|Responses on # connections have] no clear length", sentence!(
            "The response to {} says `Transfer-Encoding: {}`, in which `chunked` is not the last coding.",
            named(exchange),
            value.clone()
        ),
    )
    .means(Some("Only the close shows where it ends, and many clients refuse it."))
    .shows(head_end(exchange), format!("`Transfer-Encoding: {value}`"))
    .about(connection);
    Some(verdict)
}

/// Where the head of the response ended, or where the response began if its head has no end.
fn head_end(exchange: &Exchange) -> Option<FrameRef> {
    let began = || response(exchange).map(|it| it.first);
    exchange.response_head_end().or_else(began)
}

/// Whether a byte that no field may have makes the length unclear: that fault is reported as one of the grammar.
fn is_garbled(exchange: &Exchange) -> bool {
    exchange.response_faults().iter().any(|it| {
        let line = it.bytes.as_bytes().to_ascii_lowercase();
        let framing = line.starts_with(b"transfer-encoding") || line.starts_with(b"content-length");
        framing && matches!(it.rule, FaultRule::Nul | FaultRule::FieldValue)
    })
}

/// A response in chunks that has a coding besides, which is none.
fn unregistered_coding(connection: &Connection) -> Option<Verdict> {
    let (exchange, coding) = connection.exchanges.iter().find_map(|exchange| {
        let chunked = response(exchange)?.framing == Framing::Chunked;
        chunked.then(|| Some((exchange, unregistered(exchange)?)))?
    })?;
    let coding = crate::base::escape::escape(&coding);
    let verdict = tell(
        &RULE,
        Severity::Warning,
        Certainty::Certain,
        "[Response has|Responses on # connections have] an unknown transfer coding",
        sentence!(
            "The response to {} has `{}` in its `Transfer-Encoding`, which is no transfer coding.",
            named(exchange),
            coding.to_string()
        ),
    )
    .means(Some(
        "Strict clients refuse it. Others read the chunks, and take what is in them for the body.",
    ))
    .shows(
        head_end(exchange),
        format!("`Transfer-Encoding` with `{coding}`"),
    )
    .about(connection);
    Some(verdict)
}

fn check(connection: &Connection) -> Verdict {
    if connection.exchanges.iter().any(is_garbled) {
        return not_yet(connection);
    }
    let found = [Who::Server, Who::Client]
        .into_iter()
        .find_map(|who| worst(connection, who, weight).map(|found| (who, found)));
    let Some((who, (severity, exchange, fault, count))) = found else {
        return unknown_coding(connection)
            .or_else(|| unregistered_coding(connection))
            .unwrap_or_else(|| not_yet(connection));
    };
    let message = message_of(exchange, who);
    let told = match who {
        Who::Client => sentence!(
            "It is not clear where {} ends: {}.",
            named(exchange),
            quote(fault, message)
        ),
        Who::Server => sentence!(
            "It is not clear where the response to {} ends: {}.",
            named(exchange),
            quote(fault, message)
        ),
    };
    // What the bytes of the body say to that.
    let faults = match who {
        Who::Client => exchange.request_faults(),
        Who::Server => exchange.response_faults(),
    };
    let chunks = faults.iter().find(|it| it.rule.is_about_chunks());
    let chunks = chunks.filter(|_| fault.rule == FaultRule::EncodingInOldVersion);
    let chunks = chunks.map(|it| {
        sentence!(
            "The body cannot be read as chunks: {}. A client that goes by the header fails.",
            quote(it, message)
        )
    });
    let more =
        (count > 1).then(|| sentence!("{} messages on this connection are like this.", count));
    tell(
        &RULE,
        severity,
        Certainty::Certain,
        "[Message has|Messages on # connections have] an unclear length",
        told,
    )
    .adds(chunks)
    .adds(more)
    .shows(message.map(|message| message.first), fault.rule.text())
    .about(connection)
}

#[cfg(test)]
mod tests {
    use crate::rules::ladder_check;

    #[test]
    fn a_head_without_an_end_is_shown_where_it_began() {
        let text = "SYN -->\n<-- SYN\nACK -->\nGET / -->\n\
                    <-- \"HTTP/1.1 200 OK\\r\\nTransfer-Encoding: lalala, chunked\\r\\nA\\0: \"\nACK -->";
        let found = ladder_check::found_by(&super::RULE, text).expect("found");
        assert!(!found.evidence.is_empty());
    }
}
