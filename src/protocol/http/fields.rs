//! The header fields that affect how messages and connections end, one entry per field line.
//!
//! Credentials are never kept: of `Authorization` and its siblings only the scheme is.

use super::coding::ContentCoding;
use super::message::ConnectionOptions;
use super::passed_on::PassedOn;
use super::text::{SharedText, TextInterner};

/// Field lines kept per message.
pub(crate) const MAX_FIELDS: usize = 32;
/// Bytes kept of a field value.
pub(crate) const MAX_FIELD_VALUE: usize = 256;

/// A field whose lines are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "they are their names")]
pub enum FieldName {
    /// Kept if there is more in it than one plain `close` or `keep-alive`.
    Connection,
    ProxyConnection,
    /// Kept if there is more in it than `timeout` and `max`, or if there is more than one line.
    KeepAlive,
    /// Kept if there is more than one line, or if it is not a plain number.
    ContentLength,
    /// Kept if it is not just `chunked`.
    TransferEncoding,
    Expect,
    Upgrade,
    RetryAfter,
    /// The scheme alone; [`Field::more`] shows whether a challenge came with it.
    WwwAuthenticate,
    /// The scheme alone.
    ProxyAuthenticate,
    /// The scheme alone.
    Authorization,
    /// The scheme alone.
    ProxyAuthorization,
    Via,
    /// Every `Host` line if there is more than one.
    Host,
    /// What the acceptance of a WebSocket must be made of; a number that is used once, and no secret.
    SecWebSocketKey,
    SecWebSocketAccept,
    /// In a request: it is a SOAP 1.1 call.
    SoapAction,
    /// Which part of a target a request asks for.
    Range,
    /// Kept of the response to a SOAP call, and if it names an endless stream.
    ContentType,
    /// Kept of the response to a SOAP call.
    ContentEncoding,
}

impl FieldName {
    /// The name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connection => "Connection",
            Self::ProxyConnection => "Proxy-Connection",
            Self::KeepAlive => "Keep-Alive",
            Self::ContentLength => "Content-Length",
            Self::TransferEncoding => "Transfer-Encoding",
            Self::Expect => "Expect",
            Self::Upgrade => "Upgrade",
            Self::RetryAfter => "Retry-After",
            Self::WwwAuthenticate => "WWW-Authenticate",
            Self::ProxyAuthenticate => "Proxy-Authenticate",
            Self::Authorization => "Authorization",
            Self::ProxyAuthorization => "Proxy-Authorization",
            Self::Via => "Via",
            Self::Host => "Host",
            Self::SecWebSocketKey => "Sec-WebSocket-Key",
            Self::SecWebSocketAccept => "Sec-WebSocket-Accept",
            Self::SoapAction => "SOAPAction",
            Self::Range => "Range",
            Self::ContentType => "Content-Type",
            Self::ContentEncoding => "Content-Encoding",
        }
    }
}

/// One field line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Which field.
    pub name: FieldName,
    /// Its value without surrounding white space; see [`FieldName`] for what is left out.
    pub value: SharedText,
    /// Part of the value is not kept: a challenge, credentials, or bytes beyond `MAX_FIELD_VALUE`.
    pub more: bool,
    /// The credentials answer an NTLM or Negotiate challenge, which is valid for one connection only.
    pub answers: bool,
}

/// The parameters of a `Keep-Alive` line (RFC 2068 §19.7.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct KeepAlive {
    /// One more than the value, so that 0 means absent; `max` likewise.
    timeout: u16,
    max: u16,
}

impl KeepAlive {
    /// Seconds for which the sender announces to keep an idle connection; values beyond 65534 count as 65534.
    #[must_use]
    pub const fn timeout(self) -> Option<u16> {
        self.timeout.checked_sub(1)
    }

    /// Number of further requests that the sender announces to answer on this connection.
    #[must_use]
    pub const fn max(self) -> Option<u16> {
        self.max.checked_sub(1)
    }
}

/// What the `Content-Length` lines contain (RFC 9112 §6.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum ContentLengths {
    #[default]
    None,
    One(u64),
    /// The same number, several times.
    Repeated(u64),
    Differing,
    Illegible,
}

/// What the `Transfer-Encoding` lines contain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum TransferCodings {
    /// None, or the obsolete `identity`.
    #[default]
    None,
    /// `chunked`, once and last.
    Chunked,
    /// `chunked`, but more than once or not last.
    ChunkedBadly,
    /// Other codings only.
    Other,
}

/// The protocol that `Upgrade` requests or agrees to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Upgrade {
    #[default]
    None,
    WebSocket,
    H2c,
    Other,
}

/// What the fields of one head contain, collected line by line.
#[derive(Debug, Default)]
pub(super) struct FieldFacts<'a> {
    pub(super) connection: ConnectionOptions,
    pub(super) keep_alive: KeepAlive,
    pub(super) lengths: ContentLengths,
    pub(super) coding: TransferCodings,
    pub(super) upgrade: Upgrade,
    pub(super) expects_continue: bool,
    pub(super) forwarded: bool,
    pub(super) passed_on: PassedOn,
    pub(super) host: Option<&'a [u8]>,
    pub(super) user_agent: Option<&'a [u8]>,
    pub(super) server: Option<&'a [u8]>,
    content_type: Option<&'a [u8]>,
    content_encoding: Option<&'a [u8]>,
    /// The last one, if there are several: the coding that was applied last.
    outer_encoding: Option<&'a [u8]>,
    pub(super) accepts_coding: bool,
    pub(super) kept: Vec<Field>,
    pub(super) more: u32,
    /// Field lines, of all names.
    pub(super) lines: u16,
    /// By slot, the only line of its name so far; it is kept when a second one comes.
    single: [Option<&'a [u8]>; 3],
}

const CONNECTION: usize = 0;
const CONTENT_LENGTH: usize = 1;
const HOST: usize = 2;

impl<'a> FieldFacts<'a> {
    /// Adds one field line; `value` has no surrounding white space.
    pub(super) fn line(&mut self, name: &'a [u8], value: &'a [u8], texts: &mut TextInterner) {
        self.lines = self.lines.saturating_add(1);
        // Most programs write a name in the usual way, which is compared faster.
        let is =
            |usual: &str| name == usual.as_bytes() || name.eq_ignore_ascii_case(usual.as_bytes());
        match name.len() {
            3 if is("Via") => self.keep(FieldName::Via, value, texts),
            4 if is("Host") => {
                self.host = self.host.or(Some(value));
                self.keep_from_second(HOST, FieldName::Host, value, false, texts);
            }
            5 if is("Range") => self.keep(FieldName::Range, value, texts),
            6 if is("Server") => self.server = self.server.or(Some(value)),
            6 if is("Expect") => {
                self.expects_continue |= value.eq_ignore_ascii_case(b"100-continue");
                self.keep(FieldName::Expect, value, texts);
            }
            7 if is("Upgrade") => self.upgrade(value, texts),
            15 if is("Accept-Encoding") => {
                self.accepts_coding |= accepts_any_coding(value);
            }
            10 if is("Connection") => self.connection(value, texts),
            10 if is("User-Agent") => self.user_agent = self.user_agent.or(Some(value)),
            10 if is("Keep-Alive") => self.keep_alive(value, texts),
            10 if is("SOAPAction") => self.keep(FieldName::SoapAction, value, texts),
            11 if is("Retry-After") => self.keep(FieldName::RetryAfter, value, texts),
            12 if is("Content-Type") => {
                self.content_type = self.content_type.or(Some(value));
                if is_endless(value) {
                    self.keep(FieldName::ContentType, value, texts);
                }
            }
            13 if is("Authorization") => self.keep_scheme(FieldName::Authorization, value, texts),
            14 if is("Content-Length") => self.content_length(value, texts),
            16 if is("Content-Encoding") => {
                self.outer_encoding = self.content_encoding.and(Some(value));
                self.content_encoding = self.content_encoding.or(Some(value));
            }
            16 if is("Proxy-Connection") => self.keep(FieldName::ProxyConnection, value, texts),
            16 if is("WWW-Authenticate") => {
                self.keep_scheme(FieldName::WwwAuthenticate, value, texts)
            }
            17 if is("Sec-WebSocket-Key") => {
                self.keep(FieldName::SecWebSocketKey, value, texts);
            }
            17 if is("Transfer-Encoding") => self.transfer_encoding(value, texts),
            18 if is("Proxy-Authenticate") => {
                self.keep_scheme(FieldName::ProxyAuthenticate, value, texts)
            }
            19 if is("Proxy-Authorization") => {
                self.keep_scheme(FieldName::ProxyAuthorization, value, texts)
            }
            20 if is("Sec-WebSocket-Accept") => {
                self.keep(FieldName::SecWebSocketAccept, value, texts);
            }
            9..=16 => self.forwarded |= self.passed_on.field(name, value),
            _ => {}
        }
    }

    /// Adds a truncated `User-Agent` or `Server` line, as far as the words in it are certainly complete.
    pub(super) fn partial_product_field(&mut self, line: &'a [u8]) {
        let mut halves = line.splitn(2, |byte| *byte == b':');
        let (Some(name), Some(value)) = (halves.next(), halves.next()) else {
            return;
        };
        let end = value.iter().rposition(|byte| b"/ .".contains(byte));
        let whole = end.and_then(|end| value.get(..=end)).unwrap_or_default();
        let whole = Some(whole.trim_ascii()).filter(|it| !it.is_empty());
        if name.eq_ignore_ascii_case(b"user-agent") {
            self.user_agent = self.user_agent.or(whole);
        } else if name.eq_ignore_ascii_case(b"server") {
            self.server = self.server.or(whole);
        }
    }

    /// The outermost content coding of the body, if it is one that can be checked.
    pub(super) fn content_coding(&self) -> Option<ContentCoding> {
        // Of several codings the last one was applied last (RFC 9110 §8.4): the body begins as that one does.
        let value = self.outer_encoding.or(self.content_encoding)?;
        let outer = value.rsplit(|byte| *byte == b',').next()?.trim_ascii();
        // A transfer coding comes between.
        let coded = |field: &Field| field.name == FieldName::TransferEncoding;
        ContentCoding::named(outer).filter(|_| !self.kept.iter().any(coded))
    }

    /// Keeps the fields that are needed to read the body.
    pub(super) fn keep_media(&mut self, texts: &mut TextInterner) {
        if let Some(value) = self.content_type.filter(|it| !is_endless(it)) {
            self.keep(FieldName::ContentType, value, texts);
        }
        if let Some(value) = self.content_encoding {
            self.keep(FieldName::ContentEncoding, value, texts);
        }
    }

    fn connection(&mut self, value: &'a [u8], texts: &mut TextInterner) {
        let options = &mut self.connection;
        options.lines = options.lines.saturating_add(1);
        let mut tokens = 0;
        for token in tokens_of(value) {
            tokens += 1;
            if token.eq_ignore_ascii_case(b"close") {
                options.close = options.close.saturating_add(1);
            } else if token.eq_ignore_ascii_case(b"keep-alive") {
                options.keep_alive = options.keep_alive.saturating_add(1);
            } else if token.eq_ignore_ascii_case(b"upgrade") {
                options.upgrade = true;
            } else {
                options.others = options.others.saturating_add(1);
            }
        }
        let unusual = tokens != 1 || options.upgrade || options.others > 0;
        self.keep_from_second(CONNECTION, FieldName::Connection, value, unusual, texts);
    }

    fn keep_alive(&mut self, value: &'a [u8], texts: &mut TextInterner) {
        let first = self.keep_alive == KeepAlive::default();
        let mut plain = first;
        for parameter in tokens_of(value) {
            let mut halves = parameter.splitn(2, |byte| *byte == b'=');
            let name = halves.next().unwrap_or_default().trim_ascii();
            let number = halves.next().and_then(|value| number(value.trim_ascii()));
            let kept = number.map(|number| {
                u16::try_from(number).map_or(u16::MAX, |number| number.saturating_add(1))
            });
            match kept {
                Some(kept) if first && name.eq_ignore_ascii_case(b"timeout") => {
                    self.keep_alive.timeout = kept
                }
                Some(kept) if first && name.eq_ignore_ascii_case(b"max") => {
                    self.keep_alive.max = kept
                }
                _ => plain = false,
            }
        }
        if !plain {
            self.keep(FieldName::KeepAlive, value, texts);
        }
    }

    /// Adds a `Content-Length` line. A list in one line counts as several lines (RFC 9110 §8.6).
    fn content_length(&mut self, value: &'a [u8], texts: &mut TextInterner) {
        let unusual = number(value).is_none();
        for item in value.split(|byte| *byte == b',') {
            self.lengths = match (self.lengths, number(item.trim_ascii())) {
                (ContentLengths::Illegible, _) | (_, None) => ContentLengths::Illegible,
                (ContentLengths::None, Some(number)) => ContentLengths::One(number),
                (ContentLengths::One(one) | ContentLengths::Repeated(one), Some(number))
                    if one == number =>
                {
                    ContentLengths::Repeated(one)
                }
                _ => ContentLengths::Differing,
            };
        }
        self.keep_from_second(
            CONTENT_LENGTH,
            FieldName::ContentLength,
            value,
            unusual,
            texts,
        );
    }

    fn transfer_encoding(&mut self, value: &'a [u8], texts: &mut TextInterner) {
        for coding in tokens_of(value) {
            let chunked = coding.eq_ignore_ascii_case(b"chunked");
            self.coding = match self.coding {
                TransferCodings::None if chunked => TransferCodings::Chunked,
                TransferCodings::Other if chunked => TransferCodings::Chunked,
                TransferCodings::Chunked | TransferCodings::ChunkedBadly => {
                    TransferCodings::ChunkedBadly
                }
                coded if coding.eq_ignore_ascii_case(b"identity") => coded,
                _ => TransferCodings::Other,
            };
        }
        if !value.eq_ignore_ascii_case(b"chunked") || self.coding != TransferCodings::Chunked {
            self.keep(FieldName::TransferEncoding, value, texts);
        }
    }

    fn upgrade(&mut self, value: &'a [u8], texts: &mut TextInterner) {
        for protocol in tokens_of(value) {
            let name = protocol
                .split(|byte| *byte == b'/')
                .next()
                .unwrap_or_default();
            let asked = if name.eq_ignore_ascii_case(b"websocket") {
                Upgrade::WebSocket
            } else if name.eq_ignore_ascii_case(b"h2c") {
                Upgrade::H2c
            } else {
                Upgrade::Other
            };
            if self.upgrade == Upgrade::None {
                self.upgrade = asked;
            }
        }
        self.keep(FieldName::Upgrade, value, texts);
    }

    /// Keeps a line if `now` is set or it is not the first of its name; with the second one, keeps the first one too.
    fn keep_from_second(
        &mut self,
        slot: usize,
        name: FieldName,
        value: &'a [u8],
        now: bool,
        texts: &mut TextInterner,
    ) {
        let Some(single) = self.single.get_mut(slot) else {
            return;
        };
        match single.replace(value) {
            None if now => self.keep(name, value, texts),
            None => {}
            Some(first) => {
                if !self.kept.iter().any(|field| field.name == name) {
                    self.keep(name, first, texts);
                }
                self.keep(name, value, texts);
            }
        }
    }

    fn keep(&mut self, name: FieldName, value: &[u8], texts: &mut TextInterner) {
        let short = value.get(..MAX_FIELD_VALUE).unwrap_or(value);
        self.push(name, short, short.len() < value.len(), false, texts);
    }

    /// Keeps only the scheme of credentials and challenges.
    fn keep_scheme(&mut self, name: FieldName, value: &[u8], texts: &mut TextInterner) {
        let end = value
            .iter()
            .position(|byte| !super::recognition::is_token(*byte));
        let scheme = value.get(..end.unwrap_or(value.len())).unwrap_or_default();
        // Without a space after it, it is not a scheme, but perhaps a bare secret.
        let sent_bare = end.is_none() && scheme.len() > MAX_SCHEME;
        let scheme = if sent_bare { &[][..] } else { scheme };
        let credentials = value.get(scheme.len()..).unwrap_or_default().trim_ascii();
        let answers = is_answer(scheme, credentials);
        self.push(name, scheme, scheme.len() < value.len(), answers, texts);
    }

    fn push(
        &mut self,
        name: FieldName,
        value: &[u8],
        more: bool,
        answers: bool,
        texts: &mut TextInterner,
    ) {
        if self.kept.len() < MAX_FIELDS {
            let value = texts.text(value);
            self.kept.push(Field {
                name,
                value,
                more,
                answers,
            });
        } else {
            self.more = self.more.saturating_add(1);
        }
    }
}

/// Whether this is the media type of a stream that continues until one side closes.
pub(super) fn is_endless(media_type: &[u8]) -> bool {
    [&b"text/event-stream"[..], b"multipart/x-mixed-replace"]
        .iter()
        .any(|name| {
            let start = media_type.get(..name.len());
            start.is_some_and(|start| start.eq_ignore_ascii_case(name))
        })
}

/// Whether these credentials continue a handshake that a challenge began: the third message of NTLM (`NTLMSSP\0`, then
/// 3 in little-endian order), bare or under Negotiate, or a `NegTokenResp` of SPNEGO (RFC 4178 §4.2.2), whose first
/// byte is 0xa1. Recognised by the first base64 characters.
fn is_answer(scheme: &[u8], credentials: &[u8]) -> bool {
    let is = |name: &[u8]| scheme.eq_ignore_ascii_case(name);
    let third = credentials.starts_with(b"TlRMTVNTUAAD");
    let detect_midstream = matches!(credentials, [b'o', b'Q'..=b'Z' | b'a'..=b'f', ..]);
    is(b"ntlm") && third || is(b"negotiate") && (third || detect_midstream)
}

/// Bytes of the longest registered authentication scheme, plus a margin.
const MAX_SCHEME: usize = 24;

/// Whether a value of `Accept-Encoding` accepts gzip or deflate.
pub(crate) fn accepts_any_coding(value: &[u8]) -> bool {
    tokens_of(value).any(accepts_coding)
}

/// Whether a member of `Accept-Encoding` (RFC 9110 §12.5.3) accepts gzip or deflate.
fn accepts_coding(member: &[u8]) -> bool {
    let mut parts = member.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
    let name = parts.next().unwrap_or_default();
    let known = name == b"*" || ContentCoding::named(name).is_some();
    let refused = |it: &[u8]| matches!(it, b"q=0" | b"q=0.0" | b"q=0.00" | b"q=0.000");
    known && !parts.any(refused)
}

/// The members of a comma-separated list (RFC 9110 §5.6.1), empty ones left out.
fn tokens_of(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value
        .split(|byte| *byte == b',')
        .map(<[u8]>::trim_ascii)
        .filter(|token| !token.is_empty())
}

/// Parses a value that consists of digits only. `None` if it does not fit into 64 bits.
fn number(value: &[u8]) -> Option<u64> {
    if value.is_empty() {
        return None;
    }
    value.iter().try_fold(0u64, |sum, byte| {
        let digit = (byte.is_ascii_digit()).then(|| u64::from(byte - b'0'))?;
        sum.checked_mul(10)?.checked_add(digit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(lines: &[(&'static str, &'static str)]) -> FieldFacts<'static> {
        let mut facts = FieldFacts::default();
        let mut texts = TextInterner::new();
        for (name, value) in lines {
            facts.line(name.as_bytes(), value.as_bytes(), &mut texts);
        }
        facts
    }

    fn kept(facts: &FieldFacts<'_>) -> Vec<(FieldName, String)> {
        let kept = facts.kept.iter();
        kept.map(|field| (field.name, field.value.as_str().unwrap_or("?").to_owned()))
            .collect()
    }

    #[test]
    fn connection_options_are_counted_line_by_line() {
        let twice = facts(&[("Connection", "close"), ("connection", "Close")]);
        assert_eq!((twice.connection.lines, twice.connection.close), (2, 2));
        assert_eq!(kept(&twice).len(), 2);
        let both = facts(&[
            ("Connection", "close, keep-alive"),
            ("Connection", ",, foo"),
        ]);
        let options = both.connection;
        assert_eq!(
            (
                options.lines,
                options.close,
                options.keep_alive,
                options.others
            ),
            (2, 1, 1, 1)
        );
        assert_eq!(kept(&both).len(), 2);
        let plain = facts(&[("Connection", "keep-alive")]);
        assert_eq!((plain.connection.keep_alive, plain.kept.len()), (1, 0));
        assert!(facts(&[("Connection", "Upgrade")]).connection.upgrade);
    }

    #[test]
    fn lengths_agree_or_differ() {
        let cases: &[(&[&'static str], ContentLengths)] = &[
            (&[], ContentLengths::None),
            (&["0"], ContentLengths::One(0)),
            (&["5", "5"], ContentLengths::Repeated(5)),
            (&["5, 5"], ContentLengths::Repeated(5)),
            (&["5", "6"], ContentLengths::Differing),
            (&["5", "5", "6"], ContentLengths::Differing),
            (&["+5"], ContentLengths::Illegible),
            (&["-1"], ContentLengths::Illegible),
            (&[""], ContentLengths::Illegible),
            (&["5,"], ContentLengths::Illegible),
            (&["18446744073709551615"], ContentLengths::One(u64::MAX)),
            (&["18446744073709551616"], ContentLengths::Illegible),
        ];
        for (values, lengths) in cases {
            let lines: Vec<_> = values
                .iter()
                .map(|value| ("Content-Length", *value))
                .collect();
            assert_eq!(facts(&lines).lengths, *lengths, "{values:?}");
        }
    }

    #[test]
    fn codings() {
        let cases: &[(&[&'static str], TransferCodings)] = &[
            (&["chunked"], TransferCodings::Chunked),
            (&["gzip, Chunked"], TransferCodings::Chunked),
            (&["gzip", "chunked"], TransferCodings::Chunked),
            (&["identity"], TransferCodings::None),
            (&["gzip"], TransferCodings::Other),
            (&["chunked, gzip"], TransferCodings::ChunkedBadly),
            (&["chunked", "chunked"], TransferCodings::ChunkedBadly),
            (&["xchunked"], TransferCodings::Other),
        ];
        for (values, coding) in cases {
            let lines: Vec<_> = values
                .iter()
                .map(|value| ("Transfer-Encoding", *value))
                .collect();
            assert_eq!(facts(&lines).coding, *coding, "{values:?}");
        }
    }

    #[test]
    fn keep_alive_parameters() {
        let plain = facts(&[("Keep-Alive", "timeout=5, max=100")]);
        assert_eq!(
            (plain.keep_alive.timeout(), plain.keep_alive.max()),
            (Some(5), Some(100))
        );
        assert!(plain.kept.is_empty());
        let odd = facts(&[("Keep-Alive", "timeout=99999999; x")]);
        assert_eq!(odd.keep_alive.timeout(), None);
        assert_eq!(kept(&odd).len(), 1);
    }

    #[test]
    fn secrets_are_never_kept() {
        let head = facts(&[
            ("Authorization", "Basic dXNlcjpwYXNz"),
            ("Authorization", "dXNlcjpwYXNzdXNlcjpwYXNzdXNlcjpwYXNz"),
            ("Proxy-Authorization", "NTLM TlRMTVNTUAAB"),
            ("WWW-Authenticate", "NTLM"),
            ("WWW-Authenticate", "NTLM TlRMTVNTUAAC"),
            ("Cookie", "secret"),
        ]);
        let lines: Vec<_> = head
            .kept
            .iter()
            .map(|field| (field.value.as_str().unwrap_or("?"), field.more))
            .collect();
        assert_eq!(
            lines,
            [
                ("Basic", true),
                ("", true),
                ("NTLM", true),
                ("NTLM", false),
                ("NTLM", true)
            ]
        );
    }

    #[test]
    fn kept_lines_are_bounded() {
        let head = facts(&[("Via", "1.1 a"); 100]);
        assert_eq!((head.kept.len(), head.more), (MAX_FIELDS, 68));
    }
}
