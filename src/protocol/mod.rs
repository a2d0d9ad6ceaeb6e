//! The protocol dissectors: what each side of a connection did and requested.
//!
//! [`tcp`] follows both endpoints by RFC 9293 and reassembles their streams. [`http`], [`tls`], [`websocket`] and
//! [`h2`] parse the streams, [`dialogue`] those of other application protocols; [`layers`] stacks these protocols by what they find. [`dns`] parses lookups separately,
//! [`annotations`] records what was parsed in which segment, and [`parts`] tells which bytes are what.

pub mod annotations;
pub mod dialogue;
pub mod dns;
pub mod h2;
pub mod http;
pub mod layers;
pub mod parts;
pub mod tcp;
pub mod tls;
pub mod websocket;
