//! Exchanges: a request and its response, and how an exchange ended.

use std::time::Duration;

use super::coding::{CodingFault, ContentCoding};
use super::fault::Fault;
use super::fields::{Field, FieldName};
use super::message::HttpVersion;
use super::message::{Message, MessageProgress, Method};
use super::passed_on::PassedOn;
use super::stream::{H2Stream, Party};
use super::text::SharedText;
use crate::base::frame_ref::FrameRef;

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Its position in the stream, its framing, its progress.
    pub message: Message,
    /// The request target as it was sent; `None` if the start line was not seen to its end.
    pub target: Option<SharedText>,
    /// The `Host` field.
    pub host: Option<SharedText>,
    /// The `User-Agent` field.
    pub user_agent: Option<SharedText>,
    /// The method.
    pub method: Method,
    /// A field says that it was made for somebody else: `X-Forwarded-For`, `Forwarded` (RFC 7239), `X-Real-IP`.
    pub forwarded: bool,
    /// `Accept-Encoding` names gzip or deflate, or any coding.
    pub accepts_coding: bool,
}

/// A final response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// Its position in the stream, its framing, its progress.
    pub message: Message,
    /// The `Server` field.
    pub server: Option<SharedText>,
    /// The status code; 0 if it was illegible or has not been seen yet.
    pub status: u16,
}

/// A response before the final one (RFC 9110 §15.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interim {
    /// 100 to 199, but not 101.
    pub status: u16,
    /// Where its last byte was seen.
    pub at: FrameRef,
    /// Offset of its first byte.
    pub start: u64,
    /// Offset after its head.
    pub end: u64,
}

/// A request and its response. Either may never have been seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exchange {
    /// The request; `None` for a response that came unsolicited, or whose request was not captured.
    pub request: Option<Request>,
    /// The final response, from its first byte on.
    pub response: Option<Response>,
    /// Parts that few exchanges have; boxed because there can be many exchanges.
    pub rare: Option<Box<RareParts>>,
    /// The HTTP/2 stream, if the exchange is one.
    pub stream: Option<Box<H2Stream>>,
    /// What makes it known again on the other side of a proxy, if there is anything.
    pub passed_on: Option<Box<PassedOn>>,
}

/// Parts that few exchanges have; boxed because there can be many exchanges.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RareParts {
    /// The name of a [`Method::Other`].
    pub method: Option<SharedText>,
    /// Rare parts of the request.
    pub request: RareHead,
    /// Rare parts of the response.
    pub response: RareHead,
    /// Interim responses; only the first ones if there are many.
    pub interim: Vec<Interim>,
    /// Number of interim responses that are not in `interim`.
    pub more_interim: u32,
    /// The capture lost the response, or may have lost it.
    pub response_lost: bool,
    /// Where the body of the request began; only recorded if the request has a field or fault worth keeping.
    pub body_began: Option<FrameRef>,
    /// A final response came instead of `100 Continue`, and the client withheld its body (RFC 9110 §10.1.1).
    pub body_withheld: bool,
    /// In a protocol other than HTTP: what was asked.
    pub asked: Option<Asked>,
    /// The beginning of the content of an error of HTTP/1, without the lines of chunks, up to the first byte that was not
    /// captured: it shows whether a gateway wrote it, or a server that wants TLS.
    pub body_start: Option<SharedText>,
    /// The body of the response has a content coding, and this is wrong with it.
    pub coding: Option<(ContentCoding, CodingFault)>,
    /// The bytes of a response that breaks the grammar, as its receiver met them.
    pub sample: Option<Box<ResponseSample>>,
}

/// The bytes of a response that breaks the grammar.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResponseSample {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// They begin with the first byte of the response; otherwise with a chunk of its body.
    pub has_head: bool,
    /// They are all that the sender sent from there on.
    pub is_whole: bool,
}

/// A request of a protocol other than HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// What the protocol calls it: "query", "command".
    pub noun: &'static str,
    /// Its words, or the beginning of them, without secrets.
    pub words: Option<SharedText>,
    /// To ask twice changes no more than to ask once.
    pub safe: bool,
    /// A client asks it to learn what the server can do, and goes on if it is refused.
    pub optional: bool,
    /// What the answer says in the words of the protocol, if they are read.
    pub answer: Option<SharedText>,
}

/// Parts that few messages have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RareHead {
    /// Where the head ended, if in another segment than it began.
    pub head_end: Option<FrameRef>,
    /// Field lines worth keeping, in order, one entry per line.
    pub fields: Vec<Field>,
    /// Number of such field lines that are not in `fields`.
    pub more_fields: u32,
    /// Field lines of its HTTP/1 head, of all names; 0 if they are no more than `FEW_LINES`.
    pub field_lines: u16,
    /// Violations of the grammar; only the first ones if there are many.
    pub faults: Vec<Fault>,
    /// Number of faults that are not in `faults`.
    pub more_faults: u32,
    /// Number of trailer fields after the last chunk.
    pub trailers: u32,
    /// The last chunk of its body came, and not the empty line that ends it.
    pub last_chunk: bool,
    /// Bytes of the message that the capture lost. They were sent.
    pub missing: u64,
    /// Line ends after it, where the next message was due.
    pub blank_after: u32,
    /// The head could not be parsed to its end, because the snap length cut off bytes of it or the capture lost some.
    pub head_cut: bool,
    /// Its chunked body ends within a chunk, not after a complete one.
    pub within_chunk: bool,
    /// What came is no HTTP, and no line of it ends.
    pub no_line_end: bool,
}

/// How the connection ended, as far as it matters to an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConnectionEnd {
    /// It did not end within the capture.
    Open,
    /// The client closed first: FIN or RST.
    ByClient,
    /// The server's FIN.
    ServerFin,
    /// The server's RST, or one with its address.
    ServerReset,
}

/// How an exchange ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// Request and response are complete by their own framing.
    Complete,
    /// The server closed without a byte of the final response.
    NoResponse,
    /// The server closed before the response was complete.
    CutShort,
    /// The client closed before the response was complete.
    ClientLeft,
    /// The server's side reset the connection before the response was complete.
    Reset,
    /// Still in progress when the capture ended.
    Unfinished,
}

impl Outcome {
    /// The name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::NoResponse => "no-response",
            Self::CutShort => "cut-short",
            Self::ClientLeft => "client-left",
            Self::Reset => "reset",
            Self::Unfinished => "unfinished",
        }
    }
}

/// What servers write in a 400 to a request in plain text on a TLS port: nginx, Apache httpd, Go, Tomcat.
const WANTS_TLS: [&[u8]; 4] = [
    b"plain HTTP request was sent to HTTPS port",
    b"speaking plain HTTP to an SSL-enabled server port",
    b"Client sent an HTTP request to an HTTPS server",
    b"combination of host and port requires TLS",
];

/// What nginx writes in a 400 (its 495 and 496) to a client whose certificate is missing or was not verified
/// (ngx_http_special_response.c).
const WANTS_CERTIFICATE: [&[u8]; 2] = [
    b"No required SSL certificate was sent",
    b"The SSL certificate error",
];

impl Exchange {
    /// The method as sent, also one that [`Method`] does not list; `None` if it was not seen.
    #[must_use]
    pub fn method(&self) -> Option<&[u8]> {
        let request = self.request.as_ref()?;
        match request.method.name() {
            Some(name) => Some(name.as_bytes()),
            None => Some(self.rare.as_ref()?.method.as_ref()?.as_bytes()),
        }
    }

    /// The status code of the final response, if it was legible.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        let status = self.response.as_ref()?.status;
        (status != 0).then_some(status)
    }

    /// Whether the request was sent to a proxy: it asks for a tunnel, or names a whole URL (RFC 9112 §3.2.2, §3.2.3).
    pub(crate) fn is_proxied(&self) -> bool {
        self.request.as_ref().is_some_and(|request| {
            let target = request.target.as_ref().map_or(&[][..], |it| it.as_bytes());
            request.method == Method::Connect
                || target.starts_with(b"http://")
                || target.starts_with(b"https://")
        })
    }

    /// The version that its messages name, if one does.
    pub(crate) fn version(&self) -> Option<HttpVersion> {
        let request = self.request.as_ref().map(|it| it.message.version);
        let response = self.response.as_ref().map(|it| it.message.version);
        let mut known = request.into_iter().chain(response);
        known.find(|it| *it != HttpVersion::UNKNOWN)
    }

    /// Bytes of the response's body that came; `None` if that is not known. If a response never came, nothing was
    /// received, unless the capture lost it. `outcome` is what came of the exchange.
    pub(crate) fn response_received(&self, outcome: Option<Outcome>) -> Option<u64> {
        let response = self.response.as_ref().map(|it| &it.message);
        let seen = response.is_none_or(|it| it.progress != MessageProgress::Unseen);
        (outcome.is_some() && seen).then(|| response.map_or(0, Message::received))
    }

    /// Time from the last byte of the request to the first byte of the final response. Zero if the response came before
    /// that last byte, `None` if the request was not seen to its end, or there is no response.
    #[must_use]
    pub fn waited(&self) -> Option<Duration> {
        let request = &self.request.as_ref()?.message;
        let response = &self.response.as_ref()?.message;
        let missing = self.rare.as_ref().map_or(0, |rare| rare.request.missing);
        let seen = match request.progress {
            MessageProgress::Complete => true,
            // Cut by the snap length, but all its bytes were sent, and none after the response began.
            MessageProgress::Unseen => missing == 0 && request.last.time <= response.first.time,
            _ => false,
        };
        seen.then(|| response.first.time.since(request.last.time))
    }

    /// Where the head of the request ended.
    #[must_use]
    pub fn request_head_end(&self) -> Option<FrameRef> {
        let message = &self.request.as_ref()?.message;
        let kept = self.rare.as_ref().and_then(|rare| rare.request.head_end);
        (message.progress != MessageProgress::Head).then_some(kept.unwrap_or(message.first))
    }

    /// Where the head of the final response ended.
    #[must_use]
    pub fn response_head_end(&self) -> Option<FrameRef> {
        let message = &self.response.as_ref()?.message;
        let kept = self.rare.as_ref().and_then(|rare| rare.response.head_end);
        (message.progress != MessageProgress::Head).then_some(kept.unwrap_or(message.first))
    }

    /// The kept lines of one field of the request, in order.
    pub fn request_fields(&self, name: FieldName) -> impl Iterator<Item = &Field> {
        let rare = self.rare.as_deref();
        rare.into_iter()
            .flat_map(|rare| &rare.request.fields)
            .filter(move |field| field.name == name)
    }

    /// Whether the head of the request has hardly more than `Host` and `Connection`, as that of a health check. Programs that want
    /// the content say who they are, or what they accept.
    #[must_use]
    pub fn is_bare(&self) -> bool {
        /// The version, two line ends, and `Connection: keep-alive`.
        const REST: usize = "  HTTP/1.1\r\n\r\nConnection: keep-alive\r\n".len();
        let bare = |request: &Request| {
            let length = |text: &Option<SharedText>| text.as_ref().map(|it| it.as_bytes().len());
            let host = length(&request.host).map_or(0, |it| it + "Host: \r\n".len());
            let line = request.method.name().map_or(0, str::len)
                + length(&request.target).unwrap_or_default();
            request.user_agent.is_none()
                && request.message.is_complete()
                && request.message.head_len as usize <= line + host + REST
        };
        self.stream.is_none() && self.request.as_ref().is_some_and(bare)
    }

    /// The first byte that the request asks for, if it asks for a part of its target by a single range (RFC 9110 §14.2).
    #[must_use]
    pub fn range_start(&self) -> Option<u64> {
        let asked = self.request_fields(FieldName::Range).next()?;
        let range = std::str::from_utf8(asked.value.as_bytes()).ok()?;
        let range = range.strip_prefix("bytes=")?;
        let (first, last) = range.split_once('-')?;
        (!last.contains(',')).then(|| first.trim().parse().ok())?
    }

    /// Whether the whole head of the request was seen, and asks for no other protocol.
    pub(super) fn is_known_without_upgrade(&self) -> bool {
        let request = self.request.as_ref();
        let seen = request.is_some_and(|it| it.message.progress != MessageProgress::Unseen);
        let cut = self.rare.as_ref().is_some_and(|it| it.request.head_cut);
        seen && !cut && self.request_fields(FieldName::Upgrade).next().is_none()
    }

    /// The kept lines of one field of the response, in order.
    pub fn response_fields(&self, name: FieldName) -> impl Iterator<Item = &Field> {
        let rare = self.rare.as_deref();
        rare.into_iter()
            .flat_map(|rare| &rare.response.fields)
            .filter(move |field| field.name == name)
    }

    /// Whether the response is a stream of events or images, which continues until the client leaves.
    #[must_use]
    pub fn is_endless(&self) -> bool {
        let mut types = self.response_fields(FieldName::ContentType);
        types.any(|field| super::fields::is_endless(field.value.as_bytes()))
    }

    /// Violations of the grammar in the request.
    #[must_use]
    pub fn request_faults(&self) -> &[Fault] {
        self.rare.as_ref().map_or(&[], |rare| &rare.request.faults)
    }

    /// Violations of the grammar in the response.
    #[must_use]
    pub fn response_faults(&self) -> &[Fault] {
        self.rare.as_ref().map_or(&[], |rare| &rare.response.faults)
    }

    /// What is wrong with the body of the response, which is not in the coding that its `Content-Encoding` names.
    #[must_use]
    pub fn coding_fault(&self) -> Option<(ContentCoding, CodingFault)> {
        let found = self.rare.as_ref()?.coding?;
        (found.1 != CodingFault::Unchecked).then_some(found)
    }

    /// Whether the response is complete, and nothing of the request is known to be outstanding. A body that was
    /// withheld because the response came first is not outstanding, nor is a request whose end cannot be determined.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        let withheld = self.rare.as_ref().is_some_and(|rare| rare.body_withheld);
        let owes = self.request.as_ref().is_some_and(|request| {
            matches!(
                request.message.progress,
                MessageProgress::Head | MessageProgress::Body
            ) && !withheld
        });
        let response = self.response.as_ref();
        !owes && response.is_some_and(|response| response.message.is_complete())
    }

    /// How the exchange ended, given how its connection did. `None` if the capture lost what would show it.
    #[must_use]
    pub fn outcome(&self, ending: ConnectionEnd) -> Option<Outcome> {
        if self.is_complete() {
            return Some(if self.is_short() {
                Outcome::CutShort
            } else {
                Outcome::Complete
            });
        }
        // A stream ends independently of its connection (RFC 9113 §5.4.2, §6.8).
        if let Some(stream) = &self.stream {
            match stream.reset.map(|reset| reset.by) {
                Some(Party::Requester) => return Some(Outcome::ClientLeft),
                Some(Party::Responder) => return Some(Outcome::Reset),
                None if stream.refused.is_some() => return Some(Outcome::NoResponse),
                None => {}
            }
        }
        if self.rare.as_ref().is_some_and(|rare| rare.response_lost) {
            return None;
        }
        let response = self.response.as_ref().map(|response| &response.message);
        if response
            .is_some_and(|it| it.progress == MessageProgress::Unseen && !it.is_surely_short())
        {
            return None;
        }
        Some(match ending {
            ConnectionEnd::Open => Outcome::Unfinished,
            ConnectionEnd::ByClient => Outcome::ClientLeft,
            ConnectionEnd::ServerReset => Outcome::Reset,
            ConnectionEnd::ServerFin if response.is_none() => Outcome::NoResponse,
            ConnectionEnd::ServerFin => Outcome::CutShort,
        })
    }

    /// Whether a server refused this request in plain text, because it wants TLS on this port.
    #[must_use]
    pub fn wants_tls(&self) -> bool {
        self.is_bad_request_saying(&WANTS_TLS)
    }

    /// Whether a server refused this request because the client showed no certificate, or none that it accepts.
    #[must_use]
    pub fn wants_certificate(&self) -> bool {
        self.is_bad_request_saying(&WANTS_CERTIFICATE)
    }

    /// Whether the response is a 400 whose body begins with a page that has one of these words.
    fn is_bad_request_saying(&self, words: &[&[u8]]) -> bool {
        let page = self.rare.as_ref().and_then(|it| it.body_start.as_ref());
        let page = page.map_or(&[][..], SharedText::as_bytes);
        let says = |words: &&[u8]| memchr::memmem::find(page, words).is_some();
        self.status() == Some(400) && words.iter().any(says)
    }

    /// Adds what one of its heads says about who passed it on.
    pub(crate) fn pass_on(&mut self, said: &PassedOn) {
        if !said.is_empty() {
            self.passed_on.get_or_insert_default().merge(said);
        }
    }

    pub(crate) fn rare_mut(&mut self) -> &mut RareParts {
        self.rare.get_or_insert_default()
    }
}
