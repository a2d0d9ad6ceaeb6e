//! Captured payload in the words of the notation: heads abbreviated, bodies as text or as a byte count.
//!
//! A word is used only if it expands to exactly as many bytes as were captured, so that all sequence numbers stay
//! right. Fields that say nothing about closing the connection are left out, and the head is padded to its size
//! ([`FieldPiece::Head`]).

use super::fill::HOST;
use super::fill::METHODS;
use super::message::{BodyPiece, FieldPiece, Piece};
use super::recorder::Redaction;
use crate::protocol::http::HttpVersion;

/// Longest body or payload shown as text; longer ones are shown as a byte count.
const MAX_QUOTED: usize = 120;
/// Bytes of a value or target that are shown; the rest is cut off.
const MAX_VALUE: usize = 160;

/// The TLS record header and one byte more, the message type of a handshake record: what is shown of long records.
const TLS_HEAD: usize = 6;

/// Fields about the connection; always shown.
const ABOUT_CONNECTIONS: [&str; 7] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "transfer-encoding",
    "content-length",
    "expect",
    "upgrade",
];
/// Fields that name the sender's software; not shown if payload is redacted.
const ABOUT_SPEAKERS: [&str; 3] = ["user-agent", "server", "via"];

/// The pieces of a segment's payload, of which `bytes` were captured and `length` sent.
pub(super) fn pieces(bytes: &[u8], length: u32, redaction: Redaction) -> Vec<Piece> {
    if length == 0 {
        return Vec::new();
    }
    if let Some(pieces) = messages(bytes, length, redaction) {
        return pieces;
    }
    if bytes.len() == length as usize && bytes.len() <= MAX_QUOTED && !redaction.payload {
        return vec![Piece::Raw(bytes.to_vec())];
    }
    match bytes.get(..TLS_HEAD) {
        Some(head) if matches!(head, [0x14..=0x17, 3, ..]) && length as usize > TLS_HEAD => {
            vec![
                Piece::Raw(head.to_vec()),
                Piece::Data(length - TLS_HEAD as u32),
            ]
        }
        _ => vec![Piece::Data(length)],
    }
}

/// The payload as HTTP/1 messages, if it consists of nothing else.
fn messages(mut bytes: &[u8], length: u32, redaction: Redaction) -> Option<Vec<Piece>> {
    let mut rest = length as usize;
    let mut pieces = Vec::new();
    while rest > 0 {
        let head_len = memchr::memmem::find(bytes, b"\r\n\r\n")? + 4;
        let (head, after) = bytes.split_at(head_len);
        let head = HeadLines::read(head)?;
        let mut here = head.body_here(rest - head_len);
        if head.length.is_some() && !begins_message(after.get(here..).unwrap_or(&[])) {
            // The body is longer than announced.
            here = rest - head_len;
        }
        let captured = &after[..after.len().min(here)];
        let body = if here == 0 {
            BodyPiece::None
        } else if captured.len() == here && here <= MAX_QUOTED && !redaction.payload {
            BodyPiece::Bytes(captured.to_vec())
        } else {
            BodyPiece::Filler(u32::try_from(here).ok()?)
        };
        pieces.push(head.word(body, head_len, redaction)?);
        rest -= head_len + here;
        bytes = after.get(here..).unwrap_or(&[]);
    }
    Some(pieces)
}

/// A head, cut into its lines.
struct HeadLines<'a> {
    start: StartLine<'a>,
    version: (u8, u8),
    fields: Vec<(&'a [u8], &'a [u8])>,
    length: Option<u64>,
    chunked: bool,
}

enum StartLine<'a> {
    Request(&'static str, &'a [u8]),
    Response(u16),
}

impl<'a> HeadLines<'a> {
    fn read(head: &'a [u8]) -> Option<Self> {
        let mut lines = head
            .split(|byte| *byte == b'\n')
            .map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        let (start, version) = start_line(lines.next()?)?;
        let mut read = Self {
            start,
            version,
            fields: Vec::new(),
            length: None,
            chunked: false,
        };
        for line in lines.filter(|line| !line.is_empty()) {
            let colon = line.iter().position(|byte| *byte == b':')?;
            let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
            if name.eq_ignore_ascii_case(b"content-length") {
                read.length = Some(std::str::from_utf8(value).ok()?.parse().ok()?);
            }
            read.chunked |= name.eq_ignore_ascii_case(b"transfer-encoding");
            read.fields.push((name, value));
        }
        Some(read)
    }

    /// How many of the `rest` bytes that follow in the same segment are this message's body.
    fn body_here(&self, rest: usize) -> usize {
        let announced = self
            .length
            .map(|length| usize::try_from(length).unwrap_or(usize::MAX));
        match (&self.start, self.chunked, announced) {
            (StartLine::Response(100..=199 | 204 | 304), _, _) => 0,
            (_, true, _) => rest,
            (_, false, Some(length)) => length.min(rest),
            (StartLine::Request(..), false, None) => 0,
            (StartLine::Response(_), false, None) => rest,
        }
    }

    /// The piece that stands for this message, if there is one of the same size.
    fn word(&self, body: BodyPiece, size: usize, redaction: Redaction) -> Option<Piece> {
        let mut fields = Vec::new();
        if self.version != (1, 1) {
            fields.push(FieldPiece::Version(self.version.0, self.version.1));
        }
        for (name, value) in &self.fields {
            fields.extend(field(name, value, &body, redaction));
        }
        if self.length.is_none() && !self.chunked {
            fields.push(FieldPiece::NoLength);
        }
        let build = |fields: Vec<FieldPiece>| match self.start {
            StartLine::Request(method, target) => Piece::Request {
                method,
                target: shown_target(method, target, redaction),
                body: body.clone(),
                fields,
            },
            StartLine::Response(status) => Piece::Response {
                status,
                body: body.clone(),
                fields,
            },
        };
        let wanted = size
            + match &body {
                BodyPiece::None => 0,
                BodyPiece::Bytes(bytes) => bytes.len(),
                BodyPiece::Filler(count) => *count as usize,
            };
        let spare = |field: &FieldPiece| *field != FieldPiece::NoLength;
        let short: Vec<FieldPiece> = fields
            .iter()
            .filter(|field| spare(field))
            .cloned()
            .collect();
        let filled = |fields: &[FieldPiece]| {
            let mut fields = fields.to_vec();
            fields.push(FieldPiece::Head(u32::try_from(size).unwrap_or(u32::MAX)));
            fields
        };
        let candidates = [
            short.clone(),
            fields.clone(),
            filled(&short),
            filled(&fields),
        ];
        // `no-length` may be left out only where the writer adds no `Content-Length` of its own.
        let adds_length = {
            let mut bytes = Vec::new();
            build(short).write(&mut bytes);
            memchr::memmem::find(&bytes, b"Content-Length: ").is_some()
        };
        let keeps = |fields: &[FieldPiece]| {
            !adds_length
                || self.length.is_some()
                || self.chunked
                || fields.contains(&FieldPiece::NoLength)
        };
        candidates
            .into_iter()
            .filter(|fields| keeps(fields))
            .map(build)
            .find(|piece| {
                let mut bytes = Vec::new();
                piece.write(&mut bytes);
                bytes.len() == wanted
            })
    }
}

fn begins_message(bytes: &[u8]) -> bool {
    let line = bytes.split(|byte| *byte == b'\r').next();
    line.is_some_and(|line| start_line(line).is_some())
}

fn start_line(line: &[u8]) -> Option<(StartLine<'_>, (u8, u8))> {
    let version = |text: &[u8]| HttpVersion::of(text).map(|it| (it.major(), it.minor()));
    let mut words = line.splitn(3, |byte| *byte == b' ');
    let (first, second) = (words.next()?, words.next()?);
    if let Some(version) = version(first) {
        let status = std::str::from_utf8(second).ok()?.parse().ok()?;
        return (100..=999)
            .contains(&status)
            .then_some((StartLine::Response(status), version));
    }
    let method = METHODS
        .into_iter()
        .find(|method| method.as_bytes() == first)?;
    Some((StartLine::Request(method, second), version(words.next()?)?))
}

/// The piece for a field line, if the field is shown.
fn field(name: &[u8], value: &[u8], body: &BodyPiece, redaction: Redaction) -> Option<FieldPiece> {
    let name = std::str::from_utf8(name).ok()?;
    let lower = name.to_ascii_lowercase();
    let value = &value[..value.len().min(MAX_VALUE)];
    let line = || Some(FieldPiece::Line(lower.clone(), value.to_vec()));
    match lower.as_str() {
        "connection" if value.eq_ignore_ascii_case(b"close") => Some(FieldPiece::Close),
        "connection" if value.eq_ignore_ascii_case(b"keep-alive") => Some(FieldPiece::KeepAlive),
        "transfer-encoding"
            if value.eq_ignore_ascii_case(b"chunked") && *body == BodyPiece::None =>
        {
            Some(FieldPiece::Chunked)
        }
        "content-length" => {
            let length = std::str::from_utf8(value).ok()?.parse().ok()?;
            let sent = match body {
                BodyPiece::None => None,
                BodyPiece::Bytes(bytes) => Some(bytes.len() as u64),
                BodyPiece::Filler(count) => Some(u64::from(*count)),
            };
            // The writer adds the length by itself if it is that of the body.
            (sent != Some(length)).then_some(FieldPiece::Length(length))
        }
        // The host that the writer adds by itself.
        "host" if value == HOST.as_bytes() => None,
        "host" if !redaction.addresses && !redaction.payload => line(),
        known if ABOUT_CONNECTIONS.contains(&known) => line(),
        known if ABOUT_SPEAKERS.contains(&known) && !redaction.payload => line(),
        _ => None,
    }
}

fn shown_target(method: &str, target: &[u8], redaction: Redaction) -> Vec<u8> {
    match (method, redaction.payload) {
        ("CONNECT", true) => b"a:443".to_vec(),
        (_, true) => b"/".to_vec(),
        (_, false) => target[..target.len().min(MAX_VALUE)].to_vec(),
    }
}
