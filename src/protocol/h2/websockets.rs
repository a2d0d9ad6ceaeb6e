//! WebSockets on streams (RFC 8441): a CONNECT with `:protocol`, and WebSocket frames in DATA.
//!
//! In: the DATA of streams that asked for a WebSocket, as it comes. Out: what both sides sent, and where it ended, in
//! [`super::H2Facts::websockets`].

use super::conversation::H2Conversation;
use super::facts::{MAX_WEBSOCKETS, StreamWebSocket};
use crate::base::flow_end::FlowEnd;
use crate::base::frame_ref::FrameRef;
use crate::protocol::http::TextInterner;
use crate::protocol::websocket;

impl H2Conversation {
    /// This stream asks for a WebSocket.
    pub(super) fn open_socket(&mut self, stream: u32) {
        let requester = self.requester;
        if let Some(open) = self.open.get_mut(&stream) {
            let socket = websocket::WebSocketConversation::new(requester, [0; 2]);
            open.socket = Some(Box::new(socket));
        }
    }

    /// `count` bytes of DATA of a stream, of which `bytes` were captured. `lost`: the capture lacks them.
    pub(super) fn take_socket(
        &mut self,
        from: FlowEnd,
        at: FrameRef,
        (stream, count): (u32, u32),
        bytes: &[u8],
        lost: bool,
        texts: &mut TextInterner,
    ) {
        let Some(open) = self.open.get_mut(&stream) else {
            return;
        };
        let Some(socket) = &mut open.socket else {
            return;
        };
        let captured = bytes.get(..count as usize).unwrap_or(bytes);
        if lost {
            socket.gap(from, at, u64::from(count), texts);
        } else {
            socket.data(from, at, captured, count, texts);
        }
    }

    /// A side has ended a stream: a WebSocket on it is over when both have.
    pub(super) fn end_socket(&mut self, from: FlowEnd, at: FrameRef, stream: u32) {
        let Some(open) = self.open.get_mut(&stream) else {
            return;
        };
        let Some(socket) = &mut open.socket else {
            return;
        };
        socket.end(from, &mut TextInterner::new());
        if open.ended == [true; 2] {
            self.close_socket(stream, Some(at));
            self.open.remove(&stream);
        }
    }

    /// Keeps the facts of a WebSocket whose stream is over, if it was accepted.
    pub(super) fn close_socket(&mut self, stream: u32, ended: Option<FrameRef>) {
        let Some(open) = self.open.get_mut(&stream) else {
            return;
        };
        let answered = open.socket.take().filter(|_| {
            let exchange = self.exchange_mut(stream);
            exchange.is_some_and(|exchange| matches!(exchange.status(), Some(200..=299)))
        });
        let Some(socket) = answered else { return };
        let said = socket.into_facts();
        let kept = &mut self.facts.websockets;
        if kept.len() >= MAX_WEBSOCKETS {
            self.facts.more_websockets = self.facts.more_websockets.saturating_add(1);
            let orderly = kept.iter().rposition(|it| !it.said.has_no_close());
            let Some(orderly) = orderly.filter(|_| said.has_no_close()) else {
                return;
            };
            kept.remove(orderly);
        }
        kept.push(StreamWebSocket {
            stream,
            said,
            ended,
        });
    }

    /// The connection is over, and with it every open WebSocket.
    pub(super) fn finish_sockets(&mut self) {
        let open = self.open.iter().filter(|(_, open)| open.socket.is_some());
        let streams: Vec<u32> = open.map(|(stream, _)| *stream).collect();
        for stream in streams {
            self.close_socket(stream, None);
        }
    }
}
