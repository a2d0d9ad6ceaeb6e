//! Floor 6: what was asked and answered on one connection.
//!
//! A [`HttpConversation`] takes both directions' streams in order, as the TCP floor hands them over (slices, gaps, the
//! end), finds by content what is spoken on whatever port, and for HTTP/1.x keeps the [`Exchange`]s with their byte
//! offsets, so that [`HttpConversation::phase_at`] can say what either end had seen at any moment.
//!
//! Read `conversation.rs` first: it is the way of a byte, `reading.rs` that of a message, `pairing.rs`
//! its place in an exchange, `damage.rs` what becomes of it when bytes are broken or lost. `recognition.rs` says what proves a message, `head.rs` reads
//! heads, `framing.rs` and `chunked.rs` find where a body ends (RFC 9112 §6–7), `persistence.rs` what was promised
//! about the connection (§9), `phase.rs` judges.
//!
//! Left out: HTTP/2, WebSocket frames, TLS and everything inside a tunnel. Where they begin is found here; the bytes are
//! handed back.

mod chunk_resync;
mod chunked;
mod conversation;
mod direction;
mod exchange;
mod fault;
mod fields;
mod framing;
mod head;
mod loss;
mod message;
mod message_state;
mod pairing;
mod persistence;
mod phase;
mod recognition;
mod stream;
mod text;

#[cfg(test)]
mod tests;

pub use conversation::{HttpConversation, MAX_EXCHANGES, MAX_HEAD, Protocol};
pub use exchange::{
    ConnectionEnd, Exchange, Interim, Outcome, RareHead, RareParts, Request, Response,
};
pub use fault::{Fault, FaultRule, MAX_FAULTS};
pub use fields::{Field, FieldName, KeepAlive, MAX_FIELD_VALUE, MAX_FIELDS};
pub use message::{ConnectionOptions, Framing, HttpVersion, Message, MessageProgress, Method};
pub use persistence::{CloseSign, Persistence};
pub(crate) use phase::{MessageSeen, phase_of, see_request};
pub use phase::{Phase, Reach};
pub use stream::{ErrorCode, H2Stream, Party, StreamReset};
pub use text::{SharedText, TextInterner};
