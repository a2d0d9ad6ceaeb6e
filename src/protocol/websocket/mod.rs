//! WebSocket (RFC 6455) after a 101: frames, Close, Ping and Pong.
//!
//! A [`WebSocketConversation`] takes both directions' streams in order from where the protocol was switched. Payload is
//! skipped; only that of a Close is kept and unmasked. The result is [`WebSocketFacts`]: which side sent a Close with
//! which code and reason, which Pings had no Pong, and the last frame of each side.
//!
//! Left out: messages and their text, extensions (a Close is never compressed, RFC 7692 §6.1), and WebSocket over
//! HTTP/2 (RFC 8441), whose frames lie inside DATA: see [`crate::protocol::h2`].

mod accept;
mod conversation;
mod facts;
mod frame;

pub(crate) use accept::accept_value;
pub use conversation::WebSocketConversation;
pub use facts::{CloseFrame, WebSocketFacts, WebSocketFrameRule, WebSocketHalf, WebSocketPings};
