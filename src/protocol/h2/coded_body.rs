//! Checks the body of a response on a stream against its `content-encoding`, as the check of HTTP/1 does.

use super::conversation::H2Conversation;
use crate::base::flow_end::FlowEnd;
use crate::protocol::http::{
    CodingCheck, CodingFault, ContentCoding, Framing, MessageProgress, Method, Party, TextInterner,
};

impl H2Conversation {
    /// The head of a response is complete, and its body comes.
    pub(super) fn begin_check(&mut self, stream: u32, coding: ContentCoding, texts: &TextInterner) {
        let Some(exchange) = self.exchange_mut(stream) else {
            return;
        };
        let method = exchange.request.as_ref().map(|it| it.method);
        let comes = exchange.response.as_ref().is_some_and(|it| {
            // A part of a representation is no whole of its coding (RFC 9110 §14.4).
            it.message.progress == MessageProgress::Body
                && it.message.framing == Framing::Streamed
                && it.message.amount == 0
                && !matches!(it.status, 0 | 206)
        });
        let whole = exchange
            .rare
            .as_ref()
            .is_none_or(|it| it.response.missing == 0);
        if !comes || !whole || matches!(method, None | Some(Method::Head | Method::Connect)) {
            return;
        }
        match texts.decoder() {
            Some(permit) => {
                if let Some(open) = self.open.get_mut(&stream) {
                    open.coding = CodingCheck::of(coding, permit);
                }
            }
            None => self.coding_found(stream, Some((coding, CodingFault::Unchecked))),
        }
    }

    /// `count` bytes of the body of a response, of which `bytes` were captured. What comes after a hole cannot be decoded.
    pub(super) fn check_coding(&mut self, from: FlowEnd, stream: u32, count: u32, bytes: &[u8]) {
        if self.party(from) != Party::Responder {
            return;
        }
        let Some(open) = self.open.get_mut(&stream).filter(|it| it.coding.is_some()) else {
            return;
        };
        let found = match bytes.get(..count as usize) {
            Some(bytes) => open.coding.feed(bytes),
            None => {
                open.coding = CodingCheck::NONE;
                None
            }
        };
        self.coding_found(stream, found);
    }

    /// The body of a response is complete.
    pub(super) fn end_check(&mut self, from: FlowEnd, stream: u32) {
        if self.party(from) == Party::Responder
            && let Some(open) = self.open.get_mut(&stream)
        {
            let found = open.coding.finish();
            self.coding_found(stream, found);
        }
    }

    fn coding_found(&mut self, stream: u32, found: Option<(ContentCoding, CodingFault)>) {
        if found.is_some()
            && let Some(exchange) = self.exchange_mut(stream)
        {
            exchange.rare_mut().coding = found;
        }
    }
}
