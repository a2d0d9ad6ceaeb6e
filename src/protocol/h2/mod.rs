//! HTTP/2 (RFC 9113) on one connection: frames, streams, and what either end states about the connection.
//!
//! A [`H2Conversation`] takes both directions' streams in order (slices, gaps, the end), like that of
//! [`crate::protocol::http`], and keeps each request stream as an [`crate::protocol::http::Exchange`] with its own
//! outcome, so that code that reads exchanges reads these too. What is about the connection lies in [`H2Facts`]:
//! SETTINGS, GOAWAY, PING, flow control, and frames that break the protocol.
//!
//! Read `conversation.rs` first: it follows a byte through the parser. `direction.rs` has the state of one direction,
//! `frame.rs` parses frame headers, `header_block.rs` header blocks, `hpack.rs` and `huffman.rs` their encoding.
//! `streams.rs` applies a frame to its stream, `control_frames.rs` one to the connection, `coded_body.rs` checks whether a body
//! is in its content coding, and `websockets.rs` reads WebSockets in streams. `facts.rs` defines the result, `phase.rs` finds the phase of a close, and `wire.rs` writes
//! frames.
//!
//! Where bytes are missing, entries of HPACK's table are lost, and with them the fields that refer to them. Frames and
//! streams are found again at the next slice that begins with a likely frame. A connection whose beginning is missing
//! is recognized by such frames (`midstream.rs`) and read as after a loss. Left out: pushed streams (§8.4), which are
//! only counted, priorities and extensions.

mod coded_body;
mod control_frames;
mod conversation;
mod direction;
mod facts;
mod frame;
mod header_block;
mod hpack;
mod huffman;
mod midstream;
mod phase;
mod streams;
#[cfg(test)]
mod tests;
mod websockets;
pub mod wire;

pub use conversation::H2Conversation;
pub(crate) use conversation::{MAX_OPEN, MAX_STREAMS};
pub use facts::{
    AnnouncedSettings, FrameFault, Goaway, H2Facts, H2FrameRule, H2Half, H2Pings, PrefaceMismatch,
    Stall, Stalls, StreamWebSocket,
};
pub(crate) use facts::{MAX_GOAWAYS, MAX_WEBSOCKETS};
pub use frame::{PREFACE, begins};
#[cfg(feature = "anonymise")]
pub(crate) use header_block::BlockDecoder;
#[cfg(feature = "anonymise")]
pub(crate) use hpack::{FieldPlaces, StringPlace};
#[cfg(feature = "anonymise")]
pub(crate) use huffman::{code_length as huffman_code_length, encode as huffman_encode};
pub use midstream::FrameSender;
pub(crate) use midstream::detect_midstream;
