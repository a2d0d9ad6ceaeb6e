//! The HTTP/1.x dissector: requests and responses on one connection.
//!
//! [`HttpConversation`] takes the streams of both directions in order, as the TCP layer delivers them (slices, gaps,
//! the end). It detects the protocol by content, on any port, and for HTTP/1.x keeps the [`Exchange`]s with their byte
//! offsets, so that [`HttpConversation::phase_at`] can state what either end had seen at any moment.
//!
//! Read `conversation.rs` first: it follows each byte. `message_state.rs` follows a message, `pairing.rs` assigns it to
//! an exchange, and `loss.rs` handles broken and lost bytes. `recognition.rs` states what proves the start of a
//! message, `head.rs` parses heads, `framing.rs` and `chunked.rs` find where a body ends (RFC 9112 §6–7),
//! `coding.rs` checks whether a body is in its content coding,
//! `persistence.rs` determines what was announced about the connection (§9), and `phase.rs` derives the phase.
//!
//! Left out: HTTP/2, WebSocket frames, TLS and everything inside a tunnel. This dissector finds where they begin and
//! hands their bytes back.

mod chunk_resync;
mod chunked;
mod coding;
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
mod passed_on;
mod persistence;
mod phase;
mod plain;
mod recognition;
mod sample;
mod stream;
mod text;
mod unfold;

#[cfg(test)]
mod tests;

pub(crate) use coding::{CodingCheck, MAX_CODED, MAX_DECODED, MAX_DECODERS};
pub use coding::{CodingFault, ContentCoding};
pub(crate) use conversation::MAX_EXCHANGES;
pub use conversation::{HttpConversation, Protocol};
pub use exchange::{
    Asked, ConnectionEnd, Exchange, Interim, Outcome, RareHead, RareParts, Request, Response,
    ResponseSample,
};
pub(crate) use fault::MAX_FAULTS;
pub use fault::{Fault, FaultRule};
pub use fields::{Field, FieldName, KeepAlive};
pub(crate) use fields::{MAX_FIELDS, accepts_any_coding};
pub use message::{ConnectionOptions, Framing, HttpVersion, Message, MessageProgress, Method};
pub(crate) use message_state::MAX_INTERIM;
pub use passed_on::PassedOn;
pub use persistence::{CloseSign, Persistence};
pub(crate) use phase::{MessageSeen, phase_of, request_seen};
pub use phase::{Phase, Reach};
pub(crate) use plain::{PlainMessage, PlainRequest, plain_request, plain_response};
pub(crate) use sample::MAX_SAMPLE;
pub use stream::{ErrorCode, H2Stream, Party, StreamReset};
pub(crate) use text::MAX_KEPT as MAX_TEXT_KEPT;
pub use text::{SharedText, TextInterner};
