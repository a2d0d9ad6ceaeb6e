//! The protocol that the first bytes of one side show, whatever the other side said.
//!
//! In: the first payload of one side. Out: its protocol, if the bytes show it by themselves. A port is no sign. Bytes that
//! could be anything show nothing.

use crate::protocol::dialogue::AppProtocol;

/// The protocol that one side began to speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FirstWords {
    /// A request or status line of HTTP/1, or the preface of HTTP/2.
    Http,
    /// A record of TLS.
    Tls,
    /// Another protocol.
    Other(AppProtocol),
    /// The client's goodbye, alike in several protocols of lines. It asks for nothing.
    Goodbye,
}

impl FirstWords {
    /// What the side that called said first.
    #[must_use]
    pub(crate) fn of_client(bytes: &[u8]) -> Option<Self> {
        if is_request(bytes) {
            return Some(Self::Http);
        }
        if is_record(bytes, 22) {
            return Some(Self::Tls);
        }
        if GOODBYES.iter().any(|it| bytes.eq_ignore_ascii_case(it)) {
            return Some(Self::Goodbye);
        }
        AppProtocol::of_client(bytes).map(Self::Other)
    }

    /// What the side that was called said first.
    #[must_use]
    pub(crate) fn of_server(bytes: &[u8]) -> Option<Self> {
        if is_status(bytes) {
            return Some(Self::Http);
        }
        if is_record(bytes, 22) || is_record(bytes, 21) {
            return Some(Self::Tls);
        }
        AppProtocol::of_server(bytes).map(Self::Other)
    }

    /// The name in texts.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Http => "HTTP",
            Self::Tls => "TLS",
            Self::Other(protocol) => protocol.name(),
            Self::Goodbye => "a goodbye",
        }
    }
}

/// What clients of SMTP, FTP, POP3 and their like say last (RFC 5321 §4.1.1.10, RFC 959 §4.1.1).
const GOODBYES: [&[u8]; 4] = [b"QUIT\r\n", b"QUIT\n", b"EXIT\r\n", b"BYE\r\n"];

/// A whole request line of HTTP/1, or the preface of HTTP/2.
fn is_request(bytes: &[u8]) -> bool {
    if bytes.starts_with(b"PRI * HTTP/2.0\r\n") {
        return true;
    }
    let line = bytes.split(|byte| *byte == b'\n').next();
    let line = line.unwrap_or_default().trim_ascii_end();
    let mut words = line.split(|byte| *byte == b' ');
    let method = words.next().unwrap_or_default();
    let version = words.next_back().unwrap_or_default();
    let named = method.len() >= 3 && method.iter().all(u8::is_ascii_uppercase);
    named && version.starts_with(b"HTTP/1.") && words.next().is_some()
}

/// The beginning of a status line of HTTP/1.
fn is_status(bytes: &[u8]) -> bool {
    matches!(
        bytes,
        [
            b'H',
            b'T',
            b'T',
            b'P',
            b'/',
            b'1',
            b'.',
            b'0' | b'1',
            b' ',
            b'1'..=b'5',
            ..
        ]
    )
}

/// The header of a TLS record of this type (RFC 8446 §5.1).
fn is_record(bytes: &[u8], kind: u8) -> bool {
    matches!(bytes, [first, 3, 0..=4, high, low, ..]
        if *first == kind && (1..=1 << 14).contains(&u16::from_be_bytes([*high, *low])))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What each side's first bytes show, by name; `-` for nothing.
    #[test]
    fn the_first_bytes_show_the_protocol_or_nothing() {
        let name = |it: Option<FirstWords>| it.map_or("-", FirstWords::name);
        let clients: &[(&[u8], &str)] = &[
            (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP"),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "HTTP"),
            (b"GET / HTT", "-"),
            (b"GET key\r\n", "-"),
            (b"\x16\x03\x01\x02\x00\x01\x00", "TLS"),
            (b"SSH-2.0-OpenSSH_9.2\r\n", "SSH"),
            (b"\x00\x00\x00\x08\x04\xd2\x16\x2f", "PostgreSQL"),
            (b"*1\r\n$4\r\nPING\r\n", "Redis"),
            (b"EHLO a\r\n", "-"),
            (b"\x01\x02\x03\x04anything", "-"),
            (b"hello\r\n", "-"),
            (b"quit\r\n", "a goodbye"),
            (b"QUIT\r\nNOOP\r\n", "-"),
            (b"", "-"),
        ];
        for (bytes, expected) in clients {
            assert_eq!(name(FirstWords::of_client(bytes)), *expected, "{bytes:?}");
        }
        let servers: &[(&[u8], &str)] = &[
            (b"HTTP/1.1 400 Bad Request\r\n", "HTTP"),
            (b"\x15\x03\x03\x00\x02\x02\x46", "TLS"),
            (b"SSH-2.0-OpenSSH_9.2\r\n", "SSH"),
            (b"220 mail.example ESMTP Postfix\r\n", "SMTP"),
            (b"220 (vsFTPd 3.0.3)\r\n", "FTP"),
            (
                b"-ERR wrong number of arguments for 'get' command\r\n",
                "Redis",
            ),
            (b"-ERR no\r\n", "-"),
            (b"+OK ready\r\n", "POP3"),
            (b"220 hello\r\n", "-"),
            (b"421 too many\r\n", "-"),
            (b"N", "-"),
            (b"\x00\x00\x00\x01", "-"),
            (b"<html>", "-"),
            (b"", "-"),
        ];
        for (bytes, expected) in servers {
            assert_eq!(name(FirstWords::of_server(bytes)), *expected, "{bytes:?}");
        }
    }
}
