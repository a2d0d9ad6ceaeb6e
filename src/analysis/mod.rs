//! The analysis: from frames to settled connections, and findings that need more than one connection.
//!
//! [`connection`] builds the record of one connection, with its verdict, from what the protocols parsed. [`engine`]
//! takes frames and settles connections. [`hosts`] compares connections with each other. [`transcript`] lists one
//! connection segment by segment.

pub mod connection;
pub mod engine;
pub mod hosts;
pub mod transcript;
