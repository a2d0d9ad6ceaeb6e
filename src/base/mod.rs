//! Types and functions that every room uses: time, sequence numbers, flow ends, certainty, escaping, formatting.
//!
//! Nothing here depends on packet formats.

pub(crate) mod base64;
pub mod certainty;
pub mod escape;
pub mod flow_end;
pub mod format;
pub mod frame_names;
pub mod frame_ref;
pub mod net;
pub mod passage;
pub mod seq;
pub mod shell;
pub mod time;
pub mod typed_time;
