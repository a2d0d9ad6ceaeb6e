//! What proves that HTTP begins here, on any port.
//!
//! A request line is `token SP target SP HTTP/x.y` (RFC 9112 §3), a status line `HTTP/x.y SP 3DIGIT` (§4). SIP, RTSP,
//! ICY, SMTP and similar protocols have another last or first word and do not match. The functions examine only the
//! first line, and at most [`MAX_START_LINE`] bytes of it.

use memchr::memchr;

/// Maximum bytes of a start line that are buffered; RFC 9112 §3 recommends at least 8000.
pub(super) const MAX_START_LINE: usize = 16 << 10;
/// Maximum bytes of a method name that is accepted; the longest registered one has 17.
const MAX_METHOD: usize = 24;
/// The beginning of the client connection preface (RFC 9113 §3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n";
/// Methods worth buffering a partial line for, or that begin a request without a version.
const KNOWN: [&[u8]; 9] = [
    b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"CONNECT", b"OPTIONS", b"TRACE", b"PATCH",
];
/// Maximum TLS record payload in bytes: 2^14 plus expansion (RFC 5246 §6.2.3; RFC 8446 §5.2 allows less).
const MAX_RECORD: usize = (1 << 14) + 2048;

/// What the first bytes of a message, or of a direction, are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FirstBytes {
    /// Too few bytes to decide.
    NotYet,
    /// A request line.
    Request,
    /// A known method and a complete line that is not a request line: malformed, or HTTP/0.9. Or a line that says HTTP, and
    /// does not begin with a method.
    LikeRequest,
    /// A status line.
    Response,
    /// `HTTP/` and a complete line that is not a status line.
    LikeResponse,
    /// The client connection preface of HTTP/2.
    Preface,
    /// The SETTINGS frame that an HTTP/2 server may send before it has received the preface (RFC 9113 §3.4).
    Settings,
    /// A TLS record.
    Tls,
    /// None of these.
    Nothing,
}

/// What `bytes` begin with. The first `scanned` bytes are known to contain no line end.
pub(super) fn recognise(bytes: &[u8], scanned: usize) -> FirstBytes {
    match bytes.first() {
        None => FirstBytes::NotYet,
        Some(0) if is_settings(bytes) => FirstBytes::Settings,
        Some(20..=23) => tls(bytes),
        Some(b'H') if is_prefix(bytes, b"HTTP/") => response(bytes, scanned),
        Some(byte) if is_token(*byte) => request(bytes, scanned),
        Some(byte) if !byte.is_ascii_control() => broken_request(bytes, scanned),
        Some(_) => FirstBytes::Nothing,
    }
}

/// Whether `bytes` begin with a SETTINGS frame of ordinary length (RFC 9113 §6.5).
fn is_settings(bytes: &[u8]) -> bool {
    matches!(bytes, [0, 0, length, 4, 0, 0, 0, 0, 0, ..] if length.is_multiple_of(6))
}

/// Whether `bytes` begin with a known method and a space, or with what can still become that.
pub(super) fn may_be_request(bytes: &[u8]) -> bool {
    KNOWN.iter().any(|method| match bytes.get(method.len()) {
        Some(next) => bytes.starts_with(method) && *next == b' ',
        None => method.starts_with(bytes),
    })
}

/// Whether `bytes` begin with the whole of a known method, alone or with a space: a start byte that another protocol has
/// as well proves nothing.
pub(super) fn begins_request(bytes: &[u8]) -> bool {
    may_be_request(bytes) && KNOWN.iter().any(|method| bytes.starts_with(method))
}

/// Whether `byte` may be in a token (RFC 9110 §5.6.2).
pub(super) const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}

/// Whether one of the two is a prefix of the other.
fn is_prefix(bytes: &[u8], whole: &[u8]) -> bool {
    let common = bytes.len().min(whole.len());
    bytes.get(..common) == whole.get(..common)
}

/// The first line without its end, if it is complete.
fn first_line(bytes: &[u8], scanned: usize) -> Option<&[u8]> {
    let end = scanned + memchr(b'\n', bytes.get(scanned..)?)?;
    let line = bytes.get(..end)?;
    Some(line.strip_suffix(b"\r").unwrap_or(line))
}

fn response(bytes: &[u8], scanned: usize) -> FirstBytes {
    let shape = b"HTTP/0.0 000";
    let fits = bytes.iter().zip(shape).all(|(byte, like)| match like {
        b'0' => byte.is_ascii_digit(),
        _ => byte == like,
    });
    match bytes.get(shape.len()) {
        Some(b' ' | b'\r' | b'\n') if fits => FirstBytes::Response,
        None if fits => FirstBytes::NotYet,
        _ if first_line(bytes, scanned).is_some() || bytes.len() > MAX_START_LINE => {
            FirstBytes::LikeResponse
        }
        _ => FirstBytes::NotYet,
    }
}

fn request(bytes: &[u8], scanned: usize) -> FirstBytes {
    if is_prefix(bytes, PREFACE) {
        return if bytes.len() >= PREFACE.len() {
            FirstBytes::Preface
        } else {
            FirstBytes::NotYet
        };
    }
    let method = bytes
        .iter()
        .take(MAX_METHOD)
        .take_while(|byte| is_token(**byte))
        .count();
    match bytes.get(method) {
        None if method < MAX_METHOD && !bytes.iter().any(u8::is_ascii_lowercase) => {
            return FirstBytes::NotYet;
        }
        Some(b' ') => {}
        _ => return broken_request(bytes, scanned),
    }
    let name = bytes.get(..method).unwrap_or_default();
    // Methods are case-sensitive, and none is registered in lower case; plain text begins with such words.
    if name.iter().any(u8::is_ascii_lowercase) {
        return broken_request(bytes, scanned);
    }
    let known = KNOWN.contains(&name);
    let Some(line) = first_line(bytes, scanned) else {
        // What is not text is not buffered. Only the first bytes are checked, not all of them again with every slice.
        let text = bytes
            .iter()
            .take(256)
            .all(|byte| !byte.is_ascii_control() || *byte == b'\r');
        return if text && bytes.len() <= MAX_START_LINE {
            FirstBytes::NotYet
        } else {
            FirstBytes::Nothing
        };
    };
    if ends_in_version(line) && line.len() > method + b" x HTTP/1.1".len() - 1 {
        FirstBytes::Request
    } else if known {
        FirstBytes::LikeRequest
    } else {
        broken_request(bytes, scanned)
    }
}

/// A first line that begins with no method, and yet says HTTP: by its last word, or as a method alone that `Host` follows.
/// Nothing is buffered for it: many other protocols begin with text.
fn broken_request(bytes: &[u8], scanned: usize) -> FirstBytes {
    let Some(line) = first_line(bytes, scanned).filter(|it| it.len() <= MAX_START_LINE) else {
        return FirstBytes::Nothing;
    };
    let alone = || {
        let next = bytes
            .get(line.len()..)
            .unwrap_or_default()
            .trim_ascii_start();
        let host = next.get(..b"Host:".len());
        KNOWN.contains(&line) && host.is_some_and(|it| it.eq_ignore_ascii_case(b"Host:"))
    };
    let text = !line.iter().any(u8::is_ascii_control);
    match text && (names_http(line) || alone()) {
        true => FirstBytes::LikeRequest,
        false => FirstBytes::Nothing,
    }
}

/// Whether a line ends in `HTTP/` and what is left of a version, and something comes before that.
fn names_http(line: &[u8]) -> bool {
    let version = line.iter().rev().take(3);
    let digits = version.take_while(|byte| byte.is_ascii_digit() || **byte == b'.');
    let rest = line.get(..line.len() - digits.count()).unwrap_or_default();
    rest.len() > b"HTTP/".len() && rest.ends_with(b"HTTP/")
}

/// Whether the first line ends in a whole version, with any beginning: no other protocol's does.
pub(super) fn is_versioned(bytes: &[u8]) -> bool {
    first_line(bytes, 0).is_some_and(ends_in_version)
}

/// Whether the last word of a line is `HTTP/x.y`.
fn ends_in_version(line: &[u8]) -> bool {
    matches!(line, [.., b' ', b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
        if major.is_ascii_digit() && minor.is_ascii_digit())
}

/// Whether a TLS record holds a ClientHello or ServerHello, as far as its first bytes show.
pub(super) fn is_hello(bytes: &[u8]) -> bool {
    matches!(bytes, [22, 3, _, _, _, 1 | 2, ..])
}

fn tls(bytes: &[u8]) -> FirstBytes {
    match bytes {
        [_] | [_, 3] | [_, 3, 0..=4] | [_, 3, 0..=4, _] => FirstBytes::NotYet,
        // The next byte shows whether it is a ClientHello or a ServerHello.
        [22, 3, 0..=4, high, low] if (*high, *low) != (0, 0) => FirstBytes::NotYet,
        [kind, 3, 0..=4, high, low, ..] => {
            let length = usize::from(u16::from_be_bytes([*high, *low]));
            let fits = match kind {
                20 => length == 1,
                21 => (2..=256).contains(&length),
                _ => (1..=MAX_RECORD).contains(&length),
            };
            if fits {
                FirstBytes::Tls
            } else {
                FirstBytes::Nothing
            }
        }
        _ => FirstBytes::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_begins_a_message_and_what_does_not() {
        let cases: &[(&[u8], FirstBytes)] = &[
            (b"GET / HTTP/1.1\r\n", FirstBytes::Request),
            (b"GET / HTTP/1.1\n", FirstBytes::Request),
            (b"M-SEARCH * HTTP/1.1\r\n", FirstBytes::Request),
            (b"GET http://a/ b HTTP/1.0\r\n", FirstBytes::Request),
            (b"CONNECT a:443 HTTP/1.1\r\nHost", FirstBytes::Request),
            (b"GET / HTTP/1.1", FirstBytes::NotYet),
            (b"G", FirstBytes::NotYet),
            (b"GET /\r\n", FirstBytes::LikeRequest),
            (b"GET HTTP/1.1\r\n", FirstBytes::LikeRequest),
            (b"GET / HTTP/1.1 \r\n", FirstBytes::LikeRequest),
            (b"HTTP/1.1 200 OK\r\n", FirstBytes::Response),
            (b"HTTP/1.0 404\r\n", FirstBytes::Response),
            (b"HTTP/1.1 200", FirstBytes::NotYet),
            (b"HTT", FirstBytes::NotYet),
            (b"HTTP/1.1 2000 OK\r\n", FirstBytes::LikeResponse),
            (b"HTTP/1.1 20 OK\r\n", FirstBytes::LikeResponse),
            (b"HTTPS 200 OK\r\n", FirstBytes::Nothing),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", FirstBytes::Preface),
            (b"PRI * HT", FirstBytes::NotYet),
            (b"GET/ HTTP/1.1\r\n", FirstBytes::LikeRequest),
            (b"GET/HTTP/1.1\r\n", FirstBytes::LikeRequest),
            (b"CCM_POST / HTTP/1.\r\n", FirstBytes::LikeRequest),
            (b"get / HTTP/1.1\r\n", FirstBytes::LikeRequest),
            (b"\xc3\x83 / HTTP/1.1\r\n", FirstBytes::LikeRequest),
            (b"\"GET / HTTP/1.1\r\n", FirstBytes::LikeRequest),
            (b"OPTIONS\nHost: a\n\n", FirstBytes::LikeRequest),
            (b"HEAD\r\nSTAT\r\n", FirstBytes::Nothing),
            (b"<34>1 GET / HTTP/1.1 200\n", FirstBytes::Nothing),
            (b"\xc3\x83 / HTTP/1.1", FirstBytes::Nothing),
            (b"\x01 / HTTP/1.1\r\n", FirstBytes::Nothing),
            (b"a\x01 / HTTP/1.1\r\n", FirstBytes::Nothing),
            (b"OPTIONS rtsp://a RTSP/1.0\r\n", FirstBytes::LikeRequest),
            (b"INVITE sip:a@b SIP/2.0\r\n", FirstBytes::Nothing),
            (b"SIP/2.0 200 OK\r\n", FirstBytes::Nothing),
            (b"RTSP/1.0 200 OK\r\n", FirstBytes::Nothing),
            (b"ICY 200 OK\r\n", FirstBytes::Nothing),
            (b"EHLO there\r\n", FirstBytes::Nothing),
            (b"rest of a body", FirstBytes::Nothing),
            (b"220 mail ESMTP\r\n", FirstBytes::Nothing),
            (b"SSH-2.0-x\r\n", FirstBytes::Nothing),
            (b"GET \x00\x01\x02", FirstBytes::Nothing),
            (b"\x16\x03\x01\x02\x00\x01", FirstBytes::Tls),
            (b"\x15\x03\x03\x00\x02\x02\x28", FirstBytes::Tls),
            (b"\x16\x03", FirstBytes::NotYet),
            (b"\x16\x05\x01\x02\x00\x01", FirstBytes::Nothing),
            (b"\x14\x03\x03\x00\x02", FirstBytes::Nothing),
            (b"\x00\x00", FirstBytes::Nothing),
            (b"<html>", FirstBytes::Nothing),
        ];
        for (bytes, first_bytes) in cases {
            assert_eq!(
                recognise(bytes, 0),
                *first_bytes,
                "{}",
                bytes.escape_ascii()
            );
        }
    }

    #[test]
    fn a_first_byte_is_no_request() {
        for (bytes, may_be, begins) in [
            (&b"G"[..], true, false),
            (b"GE", true, false),
            (b"GET", true, true),
            (b"GET /", true, true),
            (b"GETX", false, false),
            (b"P", true, false),
            (b"N", false, false),
        ] {
            let told = (may_be_request(bytes), begins_request(bytes));
            assert_eq!(told, (may_be, begins), "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn endless_lines_are_not_waited_for() {
        let mut bytes = b"GET /".to_vec();
        bytes.resize(MAX_START_LINE + 1, b'x');
        assert_eq!(recognise(&bytes, 0), FirstBytes::Nothing);
        assert_eq!(recognise(&bytes[..MAX_START_LINE], 0), FirstBytes::NotYet);
    }
}
