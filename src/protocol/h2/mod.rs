//! Floor 5½: HTTP/2 (RFC 9113) on one connection: frames, streams, and what either end says about the connection.
//!
//! A [`H2Conversation`] takes both directions' streams in order (slices, gaps, the end), as that of [`crate::protocol::http`] does,
//! and keeps each stream of a request as an [`crate::protocol::http::Exchange`] with its own outcome, so that whoever reads
//! exchanges reads these too. What is about the connection lies in [`H2Facts`]: SETTINGS, GOAWAY, PING, flow control, and
//! frames that break the protocol.
//!
//! Read `conversation.rs` first: it is the way of a byte. `frame.rs` knows frame headers, `block.rs` header blocks,
//! `hpack.rs` and `huffman.rs` how they are packed, `streams.rs` what a frame means for its stream, `notices.rs` what one means for the connection, `facts.rs` is what is
//! kept, `phase.rs` judges.
//!
//! Where bytes are missing, entries of HPACK's table are lost and with them the fields that refer to them; frames and
//! streams are found again at the next slice that begins with a likely frame. A connection whose beginning is missing is
//! known by such frames (`midway.rs`) and read as after a loss. Left out: what was pushed (§8.4) is counted only,
//! priorities and extensions.

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

pub use conversation::{H2Conversation, MAX_OPEN, MAX_STREAMS};
pub use facts::{
    AnnouncedSettings, FrameFault, Goaway, H2Facts, H2FrameRule, H2Half, H2Pings, MAX_FRAME_FAULTS,
    MAX_GOAWAYS, MAX_WEBSOCKETS, PrefaceMismatch, Stall, Stalls, StreamWebSocket,
};
pub use frame::{PREFACE, begins};
pub use header_block::MAX_BLOCK;
pub use midstream::{FrameSender, goes_on};
