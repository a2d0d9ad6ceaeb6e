//! What each side did and asked, protocol by protocol.
//!
//! [`tcp`] follows both endpoints by RFC 9293 and reassembles what they sent. The others read it: [`http`], [`tls`],
//! [`websocket`], [`h2`]; [`layers`] puts one on top of the other by what they find. [`dns`] reads lookups beside them, and
//! [`annotations`] takes down what was read in which segment.

pub mod annotations;
pub mod dns;
pub mod h2;
pub mod http;
pub mod layers;
pub mod tcp;
pub mod tls;
pub mod websocket;
