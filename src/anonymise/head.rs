//! Heads of HTTP: which field is what, by its name.
//!
//! In: the head as it was parsed. Out: the same with names replaced: targets, hosts, cookies, credentials and the values of
//! all fields that are not listed here. What frames the message and what names a product stays. Names of fields stay as far as
//! their words are known.

use super::words::Words;
use crate::protocol::http::ContentCoding;
use crate::protocol::tls::certificate_file;

/// Fields of which numbers and known words stay: they frame the message, or say how the connection goes on.
const PLAIN: [&str; 48] = [
    "accept",
    "accept-encoding",
    "accept-ranges",
    "access-control-allow-methods",
    "age",
    "allow",
    "alt-svc",
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "content-range",
    "content-type",
    "date",
    "expect",
    "grpc-encoding",
    "grpc-message",
    "grpc-status",
    "keep-alive",
    "max-forwards",
    "pragma",
    "proxy-connection",
    "proxy-status",
    "range",
    "retry-after",
    "sec-websocket-accept",
    "sec-websocket-extensions",
    "sec-websocket-key",
    "sec-websocket-protocol",
    "sec-websocket-version",
    "server",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "vary",
    "via",
    "x-cache",
    "x-envoy-response-flags",
    "x-envoy-upstream-service-time",
    "x-forwarded-port",
    "x-forwarded-proto",
    "x-powered-by",
    ":method",
    ":scheme",
    ":status",
    ":protocol",
];
/// Fields of random bytes that belong together (RFC 6455 §4): they name nothing, and stay.
const NONCES: [&str; 2] = ["sec-websocket-accept", "sec-websocket-key"];
/// Fields that consist of numbers: however long they are, they stay.
const NUMBERS: [&str; 7] = [
    "age",
    "content-length",
    "content-range",
    "keep-alive",
    "max-forwards",
    "range",
    "retry-after",
];
/// Fields with credentials: the name of the scheme stays.
const CREDENTIALS: [&str; 4] = [
    "authorization",
    "proxy-authenticate",
    "proxy-authorization",
    "www-authenticate",
];
/// Fields that name a host: what follows a colon is a port.
const HOSTS: [&str; 3] = [":authority", "host", "x-forwarded-host"];
/// Methods (RFC 9110 §9.3).
const METHODS: [&str; 8] = [
    "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE",
];
/// A message of NTLM in base64: its signature, and which of the three messages it is.
const NTLM: &[u8] = b"TlRMTVNTUAA";

/// What the rest of the message depends on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct HeadFacts {
    /// The status of a response.
    pub(super) status: u16,
    /// The outer coding of the body, if it is one that can be checked.
    pub(super) coding: Option<ContentCoding>,
}

/// Which coding the body begins with: of several the last one was applied last (RFC 9110 §8.4).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Codings {
    last: Option<ContentCoding>,
    /// A transfer coding other than `chunked` comes between.
    transferred: bool,
    is_chunked: bool,
}

impl Codings {
    pub(super) fn field(&mut self, name: &[u8], value: &[u8]) {
        let value = value.trim_ascii();
        if name.eq_ignore_ascii_case(b"content-encoding") {
            let outer = value.rsplit(|it| *it == b',').next().unwrap_or_default();
            self.last = ContentCoding::named(outer.trim_ascii());
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            let is_chunked = value.eq_ignore_ascii_case(b"chunked");
            self.transferred |= self.is_chunked || !is_chunked;
            self.is_chunked = true;
        }
    }

    pub(super) fn outer(self) -> Option<ContentCoding> {
        self.last.filter(|_| !self.transferred)
    }
}

/// A line of a head, replaced.
struct Line {
    /// At its length, and the same with addresses as the packets have them, which may be longer or shorter.
    bytes: Vec<u8>,
    exact: Option<Vec<u8>>,
}

/// Replaces the names in a head, at its length.
///
/// An address in a field becomes the one that the packets have. If that has more figures, the room comes from the spaces behind
/// colons, which mean nothing (RFC 9112 §5.1).
pub(super) fn rewrite(words: &mut Words, head: &[u8], is_request: bool) -> (Vec<u8>, HeadFacts) {
    let mut lines: Vec<Line> = Vec::new();
    let mut equal = head.to_vec();
    let facts = replace(words, &mut equal, is_request);
    let mut at = 0;
    for line in equal.split_inclusive(|it| *it == b'\n') {
        let original = head.get(at..at + line.len()).unwrap_or_default();
        at += line.len();
        lines.push(Line {
            bytes: line.to_vec(),
            exact: if at == line.len() {
                None
            } else {
                exact(words, original)
            },
        });
    }
    let grows = |it: &Line| {
        it.exact
            .as_ref()
            .map_or(0, |exact| exact.len() as isize - it.bytes.len() as isize)
    };
    let mut spaces = lines
        .iter()
        .filter(|it| has_space(it.exact.as_ref().unwrap_or(&it.bytes)))
        .count() as isize;
    // The longest ones remain as they are if there is no room for all.
    while lines.iter().map(grows).sum::<isize>() > spaces {
        let Some(longest) = lines.iter_mut().max_by_key(|it| grows(it)) else {
            break;
        };
        longest.exact = None;
    }
    let mut more = lines.iter().map(grows).sum::<isize>();
    let mut out = Vec::with_capacity(head.len());
    for line in lines {
        let mut bytes = line.exact.unwrap_or(line.bytes);
        if let Some(colon) = bytes
            .iter()
            .position(|it| *it == b':')
            .filter(|_| has_space(&bytes) && !out.is_empty())
        {
            while more > 0 && bytes.get(colon + 1) == Some(&b' ') && spaces > 0 {
                bytes.remove(colon + 1);
                more -= 1;
                spaces -= 1;
            }
            while more < 0 {
                bytes.insert(colon + 1, b' ');
                more += 1;
            }
        }
        out.extend(bytes);
    }
    // Only if it fits: a head is never longer than it was.
    if out.len() == head.len() {
        (out, facts)
    } else {
        (equal, facts)
    }
}

/// A field has a space between its colon and its value.
fn has_space(line: &[u8]) -> bool {
    let colon = line.iter().position(|it| *it == b':');
    let is_folded = matches!(line.first(), Some(b' ' | b'\t'));
    colon.is_some_and(|at| !is_folded && line.get(at + 1) == Some(&b' '))
}

/// A field whose value has an IPv4 address in it, with the address that the packets have.
fn exact(words: &mut Words, line: &[u8]) -> Option<Vec<u8>> {
    let colon = line.iter().position(|it| *it == b':')?;
    let (name, rest) = line.split_at(colon);
    let key = name.trim_ascii().to_ascii_lowercase();
    let key = std::str::from_utf8(&key).ok()?;
    // The length of a host tells programs apart that send nothing else.
    if matches!(line.first(), Some(b' ' | b'\t'))
        || HOSTS.contains(&key)
        || PLAIN.contains(&key)
        || CREDENTIALS.contains(&key)
    {
        return None;
    }
    let end = rest.trim_ascii_end().len();
    let value = rest.get(1..end)?;
    let replaced = words.names_with_addresses(value)?;
    let mut own = name.to_vec();
    field_name(words, &mut own);
    own.push(b':');
    own.extend(replaced);
    own.extend(rest.get(end..).unwrap_or_default());
    Some(own)
}

/// Replaces the names in a head, each at its length.
fn replace(words: &mut Words, head: &mut [u8], is_request: bool) -> HeadFacts {
    let mut facts = HeadFacts::default();
    let mut codings = Codings::default();
    let mut name = Vec::new();
    for (nth, line) in head.split_inclusive_mut(|it| *it == b'\n').enumerate() {
        let end = line.trim_ascii_end().len();
        let line = line.get_mut(..end).unwrap_or_default();
        match (nth, line.first()) {
            (0, _) if is_request => request_line(words, line),
            (0, _) => {
                let digits = line.split(|it| *it == b' ').nth(1).unwrap_or_default();
                facts.status = std::str::from_utf8(digits)
                    .ok()
                    .and_then(|it| it.parse().ok())
                    .unwrap_or(0);
                status_line(words, line);
            }
            // The value of the line before goes on.
            (_, Some(b' ' | b'\t')) => {
                codings.field(&name, line);
                value(words, &name, line);
            }
            _ => field(words, line, &mut name, &mut codings),
        }
    }
    facts.coding = codings.outer();
    facts
}

fn field(words: &mut Words, line: &mut [u8], name: &mut Vec<u8>, codings: &mut Codings) {
    let Some(colon) = line.iter().position(|it| *it == b':') else {
        return words.names(line);
    };
    let (own, rest) = line.split_at_mut(colon);
    let rest = rest.get_mut(1..).unwrap_or_default();
    *name = own.trim_ascii().to_ascii_lowercase();
    codings.field(name, rest);
    field_name(words, own);
    value(words, name, rest);
}

/// Replaces what is not known of the name of a field.
pub(super) fn field_name(words: &mut Words, name: &mut [u8]) {
    for part in name.split_mut(|it| !it.is_ascii_alphanumeric()) {
        words.text(part);
    }
}

/// Replaces the names in the value of a field, whose name is in lower case.
pub(super) fn value(words: &mut Words, name: &[u8], value: &mut [u8]) {
    let name = std::str::from_utf8(name).unwrap_or_default();
    if NONCES.contains(&name) {
        return;
    }
    if NUMBERS.contains(&name) {
        for part in value.chunk_by_mut(|a, b| a.is_ascii_digit() == b.is_ascii_digit()) {
            if !part.first().is_some_and(u8::is_ascii_digit) {
                words.text(part);
            }
        }
    } else if name == ":path" {
        target(words, value);
    } else if PLAIN.contains(&name) {
        words.text(value);
    } else if CREDENTIALS.contains(&name) {
        credentials(words, value);
    } else if HOSTS.contains(&name) {
        authority(words, value);
    } else {
        words.names(value);
    }
}

fn request_line(words: &mut Words, line: &mut [u8]) {
    let Some(first) = line.iter().position(|it| *it == b' ') else {
        // A method that runs into what follows it is one still.
        let method = METHODS.iter().find(|it| line.starts_with(it.as_bytes()));
        let rest = line.get_mut(method.map_or(0, |it| it.len())..);
        return words.text(rest.unwrap_or_default());
    };
    let is_connect = line.starts_with(b"CONNECT ");
    let (method, rest) = line.split_at_mut(first);
    words.text(method);
    let version = rest.windows(6).rposition(|it| it == b" HTTP/");
    // A version that a path runs into ends the line.
    let version = version.or_else(|| {
        rest.len()
            .checked_sub(8)
            .filter(|at| rest.get(*at..*at + 5) == Some(b"HTTP/"))
    });
    let (middle, version) = rest.split_at_mut(version.unwrap_or(rest.len()));
    match is_connect {
        true => authority(words, middle),
        false => target(words, middle),
    }
    words.text(version);
}

/// What follows the version may run into it.
fn status_line(words: &mut Words, line: &mut [u8]) {
    let version = match line {
        [b'H', b'T', b'T', b'P', b'/', major, b'.', minor, ..]
            if major.is_ascii_digit() && minor.is_ascii_digit() =>
        {
            8
        }
        _ => 0,
    };
    words.text(line.get_mut(version..).unwrap_or_default());
}

/// A path with its query, or a whole URL.
fn target(words: &mut Words, target: &mut [u8]) {
    let begin = target.len() - target.trim_ascii_start().len();
    let Some(at) = target.windows(3).position(|it| it == b"://") else {
        return path(words, target);
    };
    let (scheme, rest) = target.split_at_mut(at);
    words.text(scheme.get_mut(begin..).unwrap_or_default());
    let rest = rest.get_mut(3..).unwrap_or_default();
    let end = rest
        .iter()
        .position(|it| matches!(it, b'/' | b'?'))
        .unwrap_or(rest.len());
    let (host, rest) = rest.split_at_mut(end);
    authority(words, host);
    path(words, rest);
}

/// A path: its names, and not that a file has certificates.
fn path(words: &mut Words, path: &mut [u8]) {
    let Some(kept) = certificate_file(path) else {
        return words.names(path);
    };
    let (before, rest) = path.split_at_mut(kept.start);
    words.names(before);
    words.names(rest.get_mut(kept.len()..).unwrap_or_default());
}

/// A host, and its port.
pub(super) fn authority(words: &mut Words, host: &mut [u8]) {
    let is_port = |it: &[u8]| !it.is_empty() && it.len() <= 5 && it.iter().all(u8::is_ascii_digit);
    let trimmed = host.trim_ascii_end();
    let port = trimmed
        .iter()
        .rposition(|it| *it == b':')
        .filter(|at| is_port(trimmed.get(at + 1..).unwrap_or_default()));
    let end = port.unwrap_or(host.len());
    words.names(host.get_mut(..end).unwrap_or_default());
}

fn credentials(words: &mut Words, value: &mut [u8]) {
    const SCHEMES: [&[u8]; 7] = [
        b"basic",
        b"bearer",
        b"digest",
        b"negotiate",
        b"ntlm",
        b"kerberos",
        b"realm",
    ];
    for part in value.split_mut(|it| matches!(it, b' ' | b',' | b'=' | b'"')) {
        let kept = if part.starts_with(NTLM) {
            NTLM.len() + 1
        } else {
            0
        };
        let is_scheme = SCHEMES.iter().any(|it| part.eq_ignore_ascii_case(it));
        if !is_scheme {
            words.names(part.get_mut(kept..).unwrap_or_default());
        }
    }
}
