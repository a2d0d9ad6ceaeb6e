//! Heads of the most ordinary kind: whole in one segment, free of faults, without a field that [`super::Exchange`]
//! keeps apart. All that matters of such a message fits into a few numbers.
//!
//! The parsers are those of [`super::HttpConversation`]. What it would treat in any other way than as a head and a body
//! of known length is not plain here.

use super::fields::{FieldFacts, KeepAlive};
use super::framing::{self, BodyFraming};
use super::head::{self, Head, HeadKind};
use super::message::{ConnectionOptions, Framing, HttpVersion, Message, MessageProgress, Method};
use super::message_state::FEW_LINES;
use super::text::{MAX_KEPT, TextInterner};
use crate::base::frame_ref::FrameRef;

/// What both kinds of messages have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PlainMessage {
    /// Bytes of the head.
    pub(crate) head_len: u32,
    /// Bytes of the body.
    pub(crate) body: u64,
    framing: Framing,
    version: HttpVersion,
    connection: ConnectionOptions,
    keep_alive: KeepAlive,
}

/// A request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PlainRequest<'a> {
    pub(crate) message: PlainMessage,
    pub(crate) method: Method,
    pub(crate) target: &'a [u8],
    pub(crate) host: Option<&'a [u8]>,
    pub(crate) user_agent: Option<&'a [u8]>,
}

/// A final response.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PlainResponse {
    pub(crate) message: PlainMessage,
    pub(crate) status: u16,
}

impl PlainMessage {
    fn of(read: &Head<'_>, head_len: usize, body: BodyFraming) -> Option<Self> {
        let FieldFacts {
            connection,
            keep_alive,
            ..
        } = read.facts;
        let framed = matches!(body.framing, Framing::NoBody | Framing::Length);
        let clear = body.faults == [None; 3];
        // Contradicting and repeated options have rules of their own.
        let one =
            connection.close.saturating_add(connection.keep_alive) <= 1 && connection.others == 0;
        let parameters = keep_alive == KeepAlive::default() || connection.close == 0;
        (framed && clear && one && parameters).then_some(Self {
            head_len: u32::try_from(head_len).ok()?,
            body: body.length,
            framing: body.framing,
            version: read.version?,
            connection,
            keep_alive,
        })
    }

    /// Whether it has the option `close`.
    pub(crate) const fn says_close(&self) -> bool {
        self.connection.close > 0
    }

    /// The message, complete.
    pub(crate) fn complete(&self, first: FrameRef, last: FrameRef) -> Message {
        Message {
            last,
            body_wire: self.body,
            amount: self.body,
            head_len: self.head_len,
            keep_alive: self.keep_alive,
            connection: self.connection,
            version: self.version,
            framing: self.framing,
            progress: MessageProgress::Complete,
            ..Message::begun(first, 0)
        }
    }
}

/// The request at the beginning of a segment, if it is plain.
pub(crate) fn plain_request<'a>(
    bytes: &'a [u8],
    texts: &mut TextInterner,
) -> Option<PlainRequest<'a>> {
    let mut read = Head::default();
    let end = plain_head(bytes, HeadKind::Request, texts, &mut read)?;
    let method = Method::from_bytes(read.method);
    // The others change what follows.
    let usual = matches!(
        method,
        Method::Get | Method::Post | Method::Put | Method::Delete | Method::Patch | Method::Options
    );
    let target = read.target.filter(|_| usual)?;
    let FieldFacts {
        host, user_agent, ..
    } = read.facts;
    let body = framing::of_request(&read.facts, read.version?);
    let whole = |text: Option<&[u8]>| text.is_none_or(|it| it.len() <= MAX_KEPT);
    (whole(Some(target)) && whole(host) && whole(user_agent)).then_some(PlainRequest {
        message: PlainMessage::of(&read, end, body)?,
        method,
        target,
        host,
        user_agent,
    })
}

/// The response at the beginning of a segment, if it is plain and answers a plain request with `method`.
pub(crate) fn plain_response(
    bytes: &[u8],
    method: Method,
    texts: &mut TextInterner,
) -> Option<PlainResponse> {
    let mut read = Head::default();
    let end = plain_head(bytes, HeadKind::Response, texts, &mut read)?;
    let status = read.status;
    let body = framing::of_response(&read.facts, read.version?, status, Some(method));
    let kept = read.facts.server.is_none_or(|it| it.len() <= MAX_KEPT);
    let plain = (200..400).contains(&status) && read.facts.content_coding().is_none() && kept;
    plain.then_some(PlainResponse {
        message: PlainMessage::of(&read, end, body)?,
        status,
    })
}

/// Reads the head at the beginning of a segment, and says where it ends. What follows the grammar, and has a usual method
/// or a status, is what [`super::recognition`] recognises: nothing has to be searched for first.
fn plain_head<'a>(
    bytes: &'a [u8],
    kind: HeadKind,
    texts: &mut TextInterner,
    read: &mut Head<'a>,
) -> Option<usize> {
    let bytes = bytes.get(..MAX_PLAIN_HEAD).unwrap_or(bytes);
    let end = head::read_strictly(bytes, kind, texts, read)?;
    let FieldFacts {
        kept, more, lines, ..
    } = &read.facts;
    let few = kept.is_empty() && *more == 0 && *lines <= FEW_LINES;
    few.then_some(end)
}

/// Longer heads are in more than one segment as a rule.
const MAX_PLAIN_HEAD: usize = 4 << 10;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::recognition::{FirstBytes, recognise};
    use super::*;

    proptest! {
        #[test]
        fn what_is_plain_is_recognised(
            request: bool,
            changes in prop::collection::vec((0..64_usize, prop::sample::select(&b"\r\n :/1GHa"[..])), 0..4),
            cut in 0..8_usize,
        ) {
            let whole: &[u8] = match request {
                true => b"GET /a?b HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nxyz\r\n\r\nGET / HTTP/1.1\r\n",
                false => b"HTTP/1.1 200 OK\r\nServer: a\r\nContent-Length: 3\r\n\r\nxyz\r\n\r\nHTTP/1.1 200\r\n",
            };
            let mut bytes = whole.to_vec();
            for (at, byte) in changes {
                bytes[at] = byte;
            }
            bytes.truncate(whole.len() - cut);
            let mut texts = TextInterner::new();
            let (wanted, read) = match request {
                true => {
                    let read = plain_request(&bytes, &mut texts);
                    (FirstBytes::Request, read.map(|it| it.message.head_len))
                }
                false => {
                    let read = plain_response(&bytes, Method::Get, &mut texts);
                    (FirstBytes::Response, read.map(|it| it.message.head_len))
                }
            };
            if let Some(head_len) = read {
                prop_assert_eq!(recognise(&bytes, 0), wanted);
                prop_assert_eq!(head::end_of(&bytes, &mut 0), Some(head_len as usize));
            }
        }
    }
}
