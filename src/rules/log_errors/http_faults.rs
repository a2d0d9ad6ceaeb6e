//! The wire events that a malformed HTTP/1 message is to its receiver.

use crate::knowledge::WireEvent;
use crate::protocol::http::{Exchange, Fault, FaultRule, FieldName};

/// The registered transfer codings (RFC 9112 §7).
const CODINGS: [&[u8]; 7] = [
    b"chunked",
    b"gzip",
    b"x-gzip",
    b"deflate",
    b"compress",
    b"x-compress",
    b"identity",
];

/// Bytes of a head that the strictest common client accepts: Node's `--max-http-header-size`.
const MODEST_HEAD: u32 = 16 << 10;

/// The faults the client meets in a response, in byte order. Clients differ in which they report.
pub(super) fn response(exchange: &Exchange, events: &mut Vec<WireEvent>) {
    for fault in exchange.response_faults() {
        events.extend(in_response(fault, exchange));
    }
    if has_unknown_coding(exchange) {
        events.push(WireEvent::BadTransferEncoding);
    }
    let head = exchange.response.as_ref().map(|it| it.message.head_len);
    if head.is_some_and(|length| length > MODEST_HEAD) {
        events.push(WireEvent::HeaderTooLarge);
    }
}

/// Whether a parser that does not notice this fault computes a different end of the message than the sender meant.
pub(super) fn hides_the_end(event: WireEvent) -> bool {
    use WireEvent as E;
    matches!(
        event,
        E::HeaderWithoutColon
            | E::SpaceBeforeColon
            | E::SpaceInHeaderName
            | E::LengthAndChunked
            | E::DifferingLengths
            | E::BadContentLength
            | E::NegativeContentLength
            | E::BadTransferEncoding
            | E::RepeatedTransferEncoding
            | E::BadChunkSize
    )
}

fn in_response(fault: &Fault, exchange: &Exchange) -> Option<WireEvent> {
    use FaultRule as F;
    use WireEvent as E;
    let has = |byte: u8| fault.bytes.as_bytes().contains(&byte);
    Some(match fault.rule {
        F::StartLine if is_headless(fault, exchange) => E::Http09Response,
        F::StartLine => E::BadStatusLine,
        F::Status => E::BadStatusCode,
        F::Version => E::BadHttpVersion,
        F::FieldName if has(b' ') => E::SpaceInHeaderName,
        F::SpaceBeforeColon => E::SpaceBeforeColon,
        F::NoColon => E::HeaderWithoutColon,
        F::Nul => E::NulInHeader,
        F::BareLf => E::BareLf,
        F::ObsFold => E::ObsFold,
        F::HeadTooLong => E::HeaderTooLarge,
        F::ContentLength if fault.bytes.as_bytes().trim_ascii().starts_with(b"-") || has(b'-') => {
            E::NegativeContentLength
        }
        F::ContentLength => E::BadContentLength,
        F::DifferingLengths => E::DifferingLengths,
        F::LengthAndEncoding => E::LengthAndChunked,
        F::EncodingNotChunked => E::BadTransferEncoding,
        F::ChunkedNotLast => E::RepeatedTransferEncoding,
        F::ChunkSize | F::ChunkEnd => E::BadChunkSize,
        F::ExcessBytes => excess(exchange.status()),
        _ => return None,
    })
}

/// The event of bytes that follow a complete response with this status.
pub(super) const fn excess(status: Option<u16>) -> WireEvent {
    match status {
        Some(204 | 304) => WireEvent::BodyOn204,
        _ => WireEvent::ExcessBody,
    }
}

/// Whether the fault covers all bytes received, none of them an empty line that ends a head, and the first line is a
/// single word: a bare body, as before HTTP/1.0.
fn is_headless(fault: &Fault, exchange: &Exchange) -> bool {
    let bytes = fault.bytes.as_bytes();
    let empty_line = |end: &[u8]| memchr::memmem::find(bytes, end).is_some();
    let message = exchange.response.as_ref().map(|it| &it.message);
    let all = message.is_some_and(|it| it.end().saturating_sub(it.start) <= bytes.len() as u64);
    let line = bytes.split(|byte| *byte == b'\n').next();
    let words = line.is_some_and(|line| line.contains(&b' '));
    all && !words && !empty_line(b"\n\r\n") && !empty_line(b"\n\n")
}

fn has_unknown_coding(exchange: &Exchange) -> bool {
    let mut fields = exchange.response_fields(FieldName::TransferEncoding);
    fields.any(|field| {
        let codings = field.value.as_bytes().split(|byte| *byte == b',');
        let mut names = codings.map(|coding| {
            let name = coding.split(|byte| *byte == b';').next();
            name.unwrap_or_default().trim_ascii()
        });
        names
            .any(|name| !name.is_empty() && !CODINGS.iter().any(|it| it.eq_ignore_ascii_case(name)))
    })
}

/// The faults the server meets in a request that it rejected.
pub(super) fn request(exchange: &Exchange, events: &mut Vec<WireEvent>) {
    use FaultRule as F;
    use WireEvent as E;
    for fault in exchange.request_faults() {
        events.push(match fault.rule {
            F::StartLine | F::Version | F::Target => E::RequestBadLine,
            F::ContentLength => E::RequestBadLength,
            F::DifferingLengths => E::RequestDifferingLengths,
            F::LengthAndEncoding => E::RequestLengthAndChunked,
            F::EncodingNotChunked | F::ChunkedNotLast => E::RequestBadEncoding,
            F::ChunkSize | F::ChunkEnd => E::RequestBadChunk,
            F::HeadTooLong => E::RequestHeaderTooLarge,
            F::ExcessBytes | F::RepeatedLength | F::EncodingInOldVersion | F::LengthForbidden => {
                continue;
            }
            _ => E::RequestBadHeader,
        });
    }
    match exchange.status() {
        Some(413) => events.push(E::RequestBodyTooLarge),
        Some(431) => events.push(E::RequestHeaderTooLarge),
        _ => {}
    }
}
