//! The pieces of a cell's payload, and the bytes they stand for.

use super::fill::FILLER;
use super::fill::HOST;
use super::h2_ws::{H2Cell, WsCell};
use super::tls::TlsCell;

/// A part of a segment's payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// A request.
    Request {
        /// One of `METHODS`.
        method: &'static str,
        /// The request target.
        target: Vec<u8>,
        /// The body sent in the same segment.
        body: BodyPiece,
        /// Deviations from the default head.
        fields: Vec<FieldPiece>,
    },
    /// A response.
    Response {
        /// 100 to 999.
        status: u16,
        /// The body sent in the same segment.
        body: BodyPiece,
        /// Deviations from the default head.
        fields: Vec<FieldPiece>,
    },
    /// This many bytes of filler.
    Data(u32),
    /// These bytes.
    Raw(Vec<u8>),
    /// A TLS message or record.
    Tls(TlsCell),
    /// An HTTP/2 frame.
    H2(H2Cell),
    /// A WebSocket frame.
    Ws(WsCell),
}

/// The body sent together with a head.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum BodyPiece {
    /// No body.
    #[default]
    None,
    /// These bytes.
    Bytes(Vec<u8>),
    /// This many bytes of filler.
    Filler(u32),
}

/// A deviation from the default head, in the order in which it is written into the head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldPiece {
    /// `Connection: close`.
    Close,
    /// `Connection: keep-alive`.
    KeepAlive,
    /// `Transfer-Encoding: chunked`; a body is sent as one chunk and the last chunk.
    Chunked,
    /// `Content-Length`, whatever the length of the body.
    Length(u64),
    /// No `Content-Length`.
    NoLength,
    /// The version, `HTTP/1.0`.
    Version(u8, u8),
    /// The head is padded to this many bytes.
    Head(u32),
    /// Any field line.
    Line(String, Vec<u8>),
}

/// The field that pads a head to its size: name, colon and line end without a value.
const FILLING: &[u8] = b"X:\r\n";

impl Piece {
    /// Whether it is plain bytes, without a message or frame word.
    #[must_use]
    pub(crate) const fn is_bytes(&self) -> bool {
        matches!(self, Self::Data(_) | Self::Raw(_))
    }

    /// Appends the bytes.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Request {
                method,
                target,
                body,
                fields,
            } => write_request(method, target, body, fields, out),
            Self::Response {
                status,
                body,
                fields,
            } => write_response(*status, body, fields, out),
            Self::Data(count) => fill(*count, out),
            Self::Raw(bytes) => out.extend_from_slice(bytes),
            Self::Tls(secure) => secure.write(out),
            Self::H2(frame) => frame.write(out),
            Self::Ws(frame) => frame.write(out),
        }
    }
}

fn write_request(
    method: &str,
    target: &[u8],
    body: &BodyPiece,
    fields: &[FieldPiece],
    out: &mut Vec<u8>,
) {
    let start = out.len();
    let (major, minor) = version(fields);
    out.extend_from_slice(method.as_bytes());
    out.push(b' ');
    out.extend_from_slice(target);
    out.extend_from_slice(format!(" HTTP/{major}.{minor}\r\n").as_bytes());
    if !names(fields, "host") {
        out.extend_from_slice(b"Host: ");
        match method {
            "CONNECT" => out.extend_from_slice(target),
            _ => out.extend_from_slice(HOST.as_bytes()),
        }
        out.extend_from_slice(b"\r\n");
    }
    let announced = matches!(method, "POST" | "PUT" | "PATCH") || *body != BodyPiece::None;
    write_rest(start, announced, body, fields, out);
}

fn write_response(status: u16, body: &BodyPiece, fields: &[FieldPiece], out: &mut Vec<u8>) {
    let start = out.len();
    let (major, minor) = version(fields);
    let reason = reason(status);
    out.extend_from_slice(format!("HTTP/{major}.{minor} {status} {reason}\r\n").as_bytes());
    // RFC 9110 §8.6: none with 1xx and 204; a 304 may have one, which would mislead here.
    let announced = status >= 200 && !matches!(status, 204 | 304);
    write_rest(start, announced, body, fields, out);
}

/// Writes fields, padding, the empty line and the body.
fn write_rest(
    start: usize,
    announced: bool,
    body: &BodyPiece,
    fields: &[FieldPiece],
    out: &mut Vec<u8>,
) {
    let mut line = |name: &str, value: &[u8]| {
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value);
        out.extend_from_slice(b"\r\n");
    };
    for field in fields {
        match field {
            FieldPiece::Close => line("Connection", b"close"),
            FieldPiece::KeepAlive => line("Connection", b"keep-alive"),
            FieldPiece::Chunked => line("Transfer-Encoding", b"chunked"),
            FieldPiece::Length(count) => line("Content-Length", count.to_string().as_bytes()),
            FieldPiece::Line(name, value) => line(name, value),
            FieldPiece::NoLength | FieldPiece::Version(..) | FieldPiece::Head(_) => {}
        }
    }
    let framed = fields.iter().any(|field| {
        matches!(field, FieldPiece::Length(_) | FieldPiece::NoLength | FieldPiece::Chunked)
            || matches!(field, FieldPiece::Line(name, _) if name.eq_ignore_ascii_case("content-length")
                || name.eq_ignore_ascii_case("transfer-encoding"))
    });
    if announced && !framed {
        line("Content-Length", body.len().to_string().as_bytes());
    }
    for field in fields {
        if let FieldPiece::Head(size) = field {
            let so_far = out.len() - start + 2;
            let lacking = (*size as usize).saturating_sub(so_far);
            if let Some(value) = lacking.checked_sub(FILLING.len()) {
                out.extend_from_slice(&FILLING[..2]);
                out.resize(out.len() + value, FILLER);
                out.extend_from_slice(&FILLING[2..]);
            }
        }
    }
    out.extend_from_slice(b"\r\n");
    let chunked = fields.contains(&FieldPiece::Chunked) && *body != BodyPiece::None;
    if chunked && body.len() > 0 {
        out.extend_from_slice(format!("{:x}\r\n", body.len()).as_bytes());
    }
    match body {
        BodyPiece::None => {}
        BodyPiece::Bytes(bytes) => out.extend_from_slice(bytes),
        BodyPiece::Filler(count) => fill(*count, out),
    }
    if chunked {
        let end: &[u8] = if body.len() > 0 { b"\r\n0" } else { b"0" };
        out.extend_from_slice(end);
        out.extend_from_slice(b"\r\n\r\n");
    }
}

fn fill(count: u32, out: &mut Vec<u8>) {
    out.resize(out.len() + count as usize, FILLER);
}

fn version(fields: &[FieldPiece]) -> (u8, u8) {
    let given = fields.iter().find_map(|field| match field {
        FieldPiece::Version(major, minor) => Some((*major, *minor)),
        _ => None,
    });
    given.unwrap_or((1, 1))
}

fn names(fields: &[FieldPiece], name: &str) -> bool {
    fields
        .iter()
        .any(|field| matches!(field, FieldPiece::Line(line, _) if line.eq_ignore_ascii_case(name)))
}

impl BodyPiece {
    fn len(&self) -> usize {
        match self {
            Self::None => 0,
            Self::Bytes(bytes) => bytes.len(),
            Self::Filler(count) => *count as usize,
        }
    }
}

/// The reason phrases of RFC 9110 §15 that ladders use; any other status has none.
fn reason(status: u16) -> &'static str {
    match status {
        100 => "Continue",
        101 => "Switching Protocols",
        200 => "OK",
        204 => "No Content",
        206 => "Partial Content",
        301 => "Moved Permanently",
        302 => "Found",
        304 => "Not Modified",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        407 => "Proxy Authentication Required",
        408 => "Request Timeout",
        413 => "Content Too Large",
        417 => "Expectation Failed",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expect: &str) {
        let ladder = crate::ladder::parse(text).expect("a ladder");
        let crate::ladder::LadderLine::Packet(packet) = &ladder.lines[0] else {
            panic!("no packet")
        };
        assert_eq!(String::from_utf8(packet.cell.bytes()).unwrap(), expect);
    }

    #[test]
    fn words_become_messages() {
        check("GET /x -->", "GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
        check(
            "POST /x \"ab\" [close host=b] -->",
            "POST /x HTTP/1.1\r\nConnection: close\r\nhost: b\r\nContent-Length: 2\r\n\r\nab",
        );
        check(
            "POST /x [length=9] -->",
            "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n",
        );
        check(
            "CONNECT b:443 [http=1.0] -->",
            "CONNECT b:443 HTTP/1.0\r\nHost: b:443\r\n\r\n",
        );
        check(
            "<-- 200 \"hi\"",
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
        );
        check(
            "<-- 200 data 3 [length=5]",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nxxx",
        );
        check("<-- 200 [no-length] \"hi\"", "HTTP/1.1 200 OK\r\n\r\nhi");
        check(
            "<-- 200 \"hello\" [chunked]",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        );
        check("<-- 304", "HTTP/1.1 304 Not Modified\r\n\r\n");
        check(
            "<-- 204 100",
            "HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n",
        );
    }

    #[test]
    fn heads_are_filled_to_their_size() {
        for size in 60..80u32 {
            let piece = Piece::Response {
                status: 200,
                body: BodyPiece::None,
                fields: vec![FieldPiece::Head(size)],
            };
            let mut bytes = Vec::new();
            piece.write(&mut bytes);
            assert_eq!(bytes.len(), size as usize);
            assert!(bytes.ends_with(b"\r\n\r\n"));
        }
    }
}
