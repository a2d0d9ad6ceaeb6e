//! The wire events that a malformed HTTP/1 message is to its receiver.

use super::program;
use crate::knowledge::WireEvent;
use crate::protocol::http::{CodingFault, Exchange, Fault, FaultRule, FieldName, Framing};

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

/// Sizes of a head at which common clients draw the line: aiohttp and Node.js, then Python and .NET, curl and httpx, and
/// Java.
const HEAD_LIMITS: [(u64, WireEvent); 5] = [
    (384 << 10, WireEvent::HeaderOver384K),
    (100 << 10, WireEvent::HeaderTooLarge),
    (64 << 10, WireEvent::HeaderOver64K),
    (16 << 10, WireEvent::HeaderOver16K),
    (8 << 10, WireEvent::HeaderOver8K),
];

/// Header lines that the strictest common clients accept.
const MODEST_FIELDS: u16 = 100;

/// What some clients refuse in a response that breaks no rule.
pub(super) fn beyond_limits(exchange: &Exchange) -> Vec<WireEvent> {
    let rare = exchange.rare.as_ref();
    let many = rare.is_some_and(|it| it.response.field_lines > MODEST_FIELDS);
    let unknown = has_unknown_coding(exchange).then_some(WireEvent::BadTransferEncoding);
    let many = many.then_some(WireEvent::TooManyFields);
    unknown
        .into_iter()
        .chain(many)
        .chain(large(exchange))
        .collect()
}

/// The limit that the head exceeds. Of a head that was not read to its end, all that came counts.
fn large(exchange: &Exchange) -> Option<WireEvent> {
    let message = &exchange.response.as_ref()?.message;
    let size = match is_endless(exchange) {
        true => message.end().saturating_sub(message.start),
        false => u64::from(message.head_len),
    };
    let mut limits = HEAD_LIMITS.iter();
    limits.find(|it| size > it.0).map(|it| it.1)
}

/// Whether the head was too long to be read to its end: what follows it is not known.
pub(super) fn is_endless(exchange: &Exchange) -> bool {
    let mut faults = exchange.response_faults().iter();
    faults.any(|it| it.rule == FaultRule::HeadTooLong)
}

/// What a client that decodes meets in a body that is not in its content coding. One that has not asked for a coding
/// takes the bytes as they are, with few exceptions.
pub(super) fn coding(exchange: &Exchange) -> Option<WireEvent> {
    let (_, fault) = exchange.coding_fault()?;
    let cut = exchange.rare.as_ref().is_some_and(|it| it.request.head_cut);
    let asked = exchange.request.as_ref().is_none_or(|it| it.accepts_coding);
    if !asked && !cut && !program::decodes_unasked(exchange) {
        return None;
    }
    Some(match fault {
        CodingFault::NotCoded => WireEvent::NotInContentEncoding,
        CodingFault::Checksum => WireEvent::ContentEncodingChecksum,
        CodingFault::Damaged(_) | CodingFault::Length => WireEvent::BadContentEncoding,
        CodingFault::EndsEarly(_) | CodingFault::NotEnded => WireEvent::ContentEncodingCut,
        // The data are whole, and clients differ in whether they miss what follows.
        CodingFault::TrailerCut(_) | CodingFault::Unchecked => return None,
    })
}

/// The faults the client meets in a response, in byte order. Clients differ in which they report.
pub(super) fn response(exchange: &Exchange, events: &mut Vec<WireEvent>) {
    for fault in exchange.response_faults() {
        events.extend(in_response(fault, exchange));
    }
}

/// Whether a parser that does not notice this fault computes a different end of the message than the sender meant.
pub(super) fn hides_the_end(event: WireEvent) -> bool {
    use WireEvent as E;
    matches!(
        event,
        E::HeaderWithoutColon
            | E::SpaceBeforeColon
            | E::SpaceBeforeLengthColon
            | E::SpaceInHeaderName
            | E::LengthAndChunked
            | E::ShortLengthAndChunked
            | E::DifferingLengths
            | E::BadContentLength
            | E::EmptyContentLength
            | E::LengthList
            | E::ContentLengthWord
            | E::HugeContentLength
            | E::NegativeContentLength
            | E::BadTransferEncoding
            | E::RepeatedTransferEncoding
            | E::ChunkedNotLast
            | E::BadChunkSize
            | E::ChunkSize0x
            | E::NegativeChunkSize
            | E::EmptyChunkSize
            | E::BadChunkEnd
            | E::ChunkBareLf
            | E::ChunkSizeTooLarge
            | E::ChunkExtensionTooLong
    )
}

fn in_response(fault: &Fault, exchange: &Exchange) -> Option<WireEvent> {
    use FaultRule as F;
    use WireEvent as E;
    let has = |byte: u8| fault.bytes.as_bytes().contains(&byte);
    let begins = |is: fn(&u8) -> bool| fault.bytes.as_bytes().first().is_some_and(is);
    Some(match fault.rule {
        F::StartLine => not_http(fault, exchange),
        F::BeforeStartLine => E::BadStatusLine,
        F::Status => status(fault),
        // Many programs read no more than the major version.
        F::Version | F::OtherVersion if fault.bytes.as_bytes().starts_with(b"HTTP/1.") => {
            return None;
        }
        F::OtherVersion if fault.bytes.as_bytes().starts_with(b"HTTP/0.9") => return None,
        F::Version | F::OtherVersion if fault.bytes.as_bytes().starts_with(b"HTTP/2") => {
            E::HttpVersion2
        }
        F::Version | F::OtherVersion => E::BadHttpVersion,
        F::FieldName if has(b' ') => E::SpaceInHeaderName,
        F::SpaceBeforeColon if is_framing(fault) => E::SpaceBeforeLengthColon,
        F::SpaceBeforeColon => E::SpaceBeforeColon,
        F::NoColon => E::HeaderWithoutColon,
        F::Nul => E::NulInHeader,
        // What a program makes of it shows in the length.
        F::BareLf if !is_counted(exchange) => return None,
        F::BareLf => E::BareLf,
        F::ObsFold => E::ObsFold,
        F::BareCr => E::BareCr,
        F::SpaceBeforeFields => E::SpaceBeforeFields,
        F::ContentLength => return length(exchange),
        F::DifferingLengths | F::RepeatedLength if is_listed(exchange) => E::LengthList,
        F::DifferingLengths => E::DifferingLengths,
        F::RepeatedLength => E::RepeatedLength,
        F::LengthAndEncoding if lacks_bytes(exchange) => E::ShortLengthAndChunked,
        F::LengthAndEncoding => E::LengthAndChunked,
        F::EncodingNotChunked => E::BadTransferEncoding,
        F::ChunkedNotLast if lists_codings(exchange) => E::ChunkedNotLast,
        F::ChunkedNotLast => E::RepeatedTransferEncoding,
        F::ChunkTooLarge => E::ChunkSizeTooLarge,
        F::ChunkSize if begins(|byte| matches!(byte, b'x' | b'X')) => {
            match follows_zero(fault, exchange) {
                true => E::ChunkSize0x,
                false => E::BadChunkSize,
            }
        }
        F::ChunkSize if begins(|byte| *byte == b'-') => E::NegativeChunkSize,
        F::BeforeChunkSize if begins(|byte| *byte == b'\r') => E::EmptyChunkSize,
        F::ChunkSize | F::BeforeChunkSize => E::BadChunkSize,
        F::ChunkExtension => E::ChunkExtensionTooLong,
        F::ChunkLine => E::BareCr,
        // What follows the line feed is read on, and not quoted.
        F::ChunkEnd if fault.bytes.as_bytes().is_empty() || begins(|byte| *byte == b'\n') => {
            E::ChunkBareLf
        }
        F::ChunkEnd => E::BadChunkEnd,
        F::ExcessBytes => excess(exchange.status()),
        _ => return None,
    })
}

/// Whether fewer bytes of the body came, framing and all, than `Content-Length` says.
fn lacks_bytes(exchange: &Exchange) -> bool {
    let message = exchange.response.as_ref().map(|it| &it.message);
    announced(exchange)
        .zip(message)
        .is_some_and(|(length, message)| message.end().saturating_sub(message.head_end()) < length)
}

/// The number in `Content-Length`, where the bytes of the head are known.
fn announced(exchange: &Exchange) -> Option<u64> {
    const FIELD: &[u8] = b"\ncontent-length:";
    let sample = exchange.rare.as_deref()?.sample.as_ref();
    let head = sample.filter(|it| it.has_head)?.bytes.to_ascii_lowercase();
    let at = memchr::memmem::find(&head, FIELD)? + FIELD.len();
    let line = head.get(at..)?.split(|it| *it == b'\n').next()?;
    std::str::from_utf8(line.trim_ascii()).ok()?.parse().ok()
}

/// Whether the field is one that says how long the body is.
fn is_framing(fault: &Fault) -> bool {
    let names: [&[u8]; 2] = [b"content-length", b"transfer-encoding"];
    let line = fault.bytes.as_bytes().to_ascii_lowercase();
    names.iter().any(|it| line.starts_with(it))
}

/// Whether a 0 stands before the fault in a size, as far as the bytes before it are known.
fn follows_zero(fault: &Fault, exchange: &Exchange) -> bool {
    let rare = exchange.rare.as_deref();
    let Some(sample) = rare.and_then(|it| it.sample.as_ref()) else {
        return true;
    };
    let own = fault.bytes.as_bytes();
    let own = own.get(..own.len().min(8)).unwrap_or_default();
    memchr::memmem::find(&sample.bytes, &[&b"0"[..], own].concat()).is_some()
}

/// Whether the response announces its length in bytes.
fn is_counted(exchange: &Exchange) -> bool {
    let response = exchange.response.as_ref();
    response.is_some_and(|it| it.message.framing == Framing::Length)
}

/// The event of bytes that follow a complete response with this status.
pub(super) const fn excess(status: Option<u16>) -> WireEvent {
    match status {
        Some(204) => WireEvent::BodyOn204,
        Some(304) => WireEvent::BodyOn304,
        _ => WireEvent::ExcessBody,
    }
}

/// The event of bytes that are no start line. Programs that read lines wait for the end of the line, and some for the
/// end of the head; others look at the first bytes at once.
fn not_http(fault: &Fault, exchange: &Exchange) -> WireEvent {
    let bytes = fault.bytes.as_bytes();
    let holds = |end: &[u8]| memchr::memmem::find(bytes, end).is_some();
    let message = exchange.response.as_ref().map(|it| &it.message);
    let all = message.is_some_and(|it| it.end().saturating_sub(it.start) <= bytes.len() as u64);
    let rare = exchange.rare.as_deref();
    match () {
        () if rare.is_some_and(|it| it.response.no_line_end) => WireEvent::StrayBytes,
        () if !all || holds(b"\n\r\n") || holds(b"\n\n") => WireEvent::BadStatusLine,
        () if holds(b"\n") => WireEvent::StrayLine,
        () => WireEvent::StrayBytes,
    }
}

/// The event of a status that is not three digits, by the word that stands in its place.
fn status(fault: &Fault) -> WireEvent {
    if fault.quoted != fault.offset {
        return WireEvent::NoStatusCode;
    }
    let word = fault.bytes.as_bytes().split(|byte| *byte == b' ').next();
    let word = word.unwrap_or_default().trim_ascii();
    match word.len() {
        0 => WireEvent::NoStatusCode,
        _ if !word.first().is_some_and(u8::is_ascii_digit) => WireEvent::StatusWord,
        _ if !word.iter().all(u8::is_ascii_digit) => WireEvent::BadStatusCode,
        1 | 2 => WireEvent::ShortStatusCode,
        3 => WireEvent::BadStatusCode,
        _ => WireEvent::LongStatusCode,
    }
}

/// Whether one `Transfer-Encoding` has several values.
fn lists_codings(exchange: &Exchange) -> bool {
    let mut fields = exchange.response_fields(FieldName::TransferEncoding);
    fields.any(|it| it.value.as_bytes().contains(&b','))
}

/// Whether one `Content-Length` has several values.
fn is_listed(exchange: &Exchange) -> bool {
    let mut fields = exchange.response_fields(FieldName::ContentLength);
    fields.any(|it| it.value.as_bytes().contains(&b','))
}

/// The event of a `Content-Length` that is no number, by its value: some programs take the digits that it begins with.
/// Many programs accept a plus before the digits.
fn length(exchange: &Exchange) -> Option<WireEvent> {
    let mut fields = exchange.response_fields(FieldName::ContentLength);
    let values = fields.by_ref().map(|it| it.value.as_bytes().trim_ascii());
    let bad = |it: &&[u8]| it.is_empty() || !it.iter().all(u8::is_ascii_digit);
    let mut long = None;
    for value in values {
        if !bad(&value) {
            long = Some(WireEvent::HugeContentLength);
            continue;
        }
        return match value.split_first() {
            None => Some(WireEvent::EmptyContentLength),
            Some((b'-', _)) => Some(WireEvent::NegativeContentLength),
            Some((b'+', rest)) if !bad(&rest) => None,
            _ if value.contains(&b',') => Some(WireEvent::LengthList),
            Some((byte, _)) if byte.is_ascii_digit() => Some(WireEvent::BadContentLength),
            Some(_) => Some(WireEvent::ContentLengthWord),
        };
    }
    Some(long.unwrap_or(WireEvent::BadContentLength))
}

fn has_unknown_coding(exchange: &Exchange) -> bool {
    unregistered(exchange).is_some()
}

/// The first transfer coding of the response that is none.
pub(in crate::rules) fn unregistered(exchange: &Exchange) -> Option<Vec<u8>> {
    let mut fields = exchange.response_fields(FieldName::TransferEncoding);
    fields.find_map(|field| {
        let codings = field.value.as_bytes().split(|byte| *byte == b',');
        let mut names = codings.map(|coding| {
            let name = coding.split(|byte| *byte == b';').next();
            name.unwrap_or_default().trim_ascii()
        });
        let unknown = names.find(|name| {
            !name.is_empty() && !CODINGS.iter().any(|it| it.eq_ignore_ascii_case(name))
        });
        unknown.map(<[u8]>::to_vec)
    })
}

/// The faults the server meets in a request that it rejected.
pub(super) fn request(exchange: &Exchange, events: &mut Vec<WireEvent>) {
    use FaultRule as F;
    use WireEvent as E;
    for fault in exchange.request_faults() {
        events.push(match fault.rule {
            F::StartLine | F::Version | F::OtherVersion | F::Target => E::RequestBadLine,
            F::ContentLength => E::RequestBadLength,
            F::DifferingLengths => E::RequestDifferingLengths,
            F::LengthAndEncoding => E::RequestLengthAndChunked,
            F::EncodingNotChunked | F::ChunkedNotLast => E::RequestBadEncoding,
            F::ChunkSize
            | F::ChunkTooLarge
            | F::BeforeChunkSize
            | F::ChunkExtension
            | F::ChunkLine
            | F::ChunkEnd => E::RequestBadChunk,
            F::HeadTooLong => E::RequestHeaderTooLarge,
            // Servers accept the last of these.
            F::ExcessBytes
            | F::UnaskedUpgrade
            | F::RepeatedLength
            | F::EncodingInOldVersion
            | F::LengthForbidden
            | F::BareLf => continue,
            _ => E::RequestBadHeader,
        });
    }
    match exchange.status() {
        Some(413) => events.push(E::RequestBodyTooLarge),
        Some(431) => events.push(E::RequestHeaderTooLarge),
        _ => {}
    }
}
