//! One connection's record, and what only many of them show.
//!
//! [`connection`] makes of what the protocols found one record, with its verdict; [`engine`] takes frames and settles
//! connections; [`hosts`] looks across them; [`transcript`] goes through one again, segment by segment.

pub mod connection;
pub mod engine;
pub mod hosts;
pub mod transcript;
