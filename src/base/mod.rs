//! Words and numbers that every room uses: time, sequence numbers, ends of a flow, certainty, escaping, formatting.
//!
//! Nothing here knows what a packet is.

pub mod certainty;
pub mod escape;
pub mod flow_end;
pub mod format;
pub mod frame_ref;
pub mod net;
pub mod seq;
pub mod time;
