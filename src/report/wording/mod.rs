//! Floor 11½: the words that readers share: one connection's end in a sentence, what a segment says, moments and spans, numbers, and the
//! words of the machine-readable formats.
//!
//! In: what the floors below tell as types. Out: text without a control byte in it, since whatever came out of a packet
//! was escaped. What a page or a screen looks like is left to those who make it.

pub mod connection;
pub mod moment;
pub mod segment;
pub mod terms;
pub mod tls;
