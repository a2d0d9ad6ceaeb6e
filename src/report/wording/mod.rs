//! The wording shared by all readers: one connection's end in a sentence, the content of a segment, timestamps and
//! durations, numbers, and the terms of the machine-readable formats.
//!
//! In: the types of the layers below. Out: text without control bytes, since all text from packets is escaped. The
//! layout of a page or a screen is left to its module.

pub mod connection;
pub(crate) mod local;
pub mod moment;
pub(crate) mod other_packets;
pub mod outcomes;
pub mod segment;
pub mod step;
pub mod terms;
pub mod tls;
