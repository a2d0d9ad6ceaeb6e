//! The field cases that the program exists for: each is a story that somebody had in a log, and what is on the wire
//! then. Each test starts from a capture, real or drawn as a ladder, has the whole program look at it, and holds the
//! story, its numbers, the predicted error texts and the remedy against what is known.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

#[path = "../reading/mod.rs"]
mod reading;

mod compared;
mod connecting;
mod many;
mod one;
mod story;
