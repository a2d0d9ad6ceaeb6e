//! The field cases that the program was written for: each is an error somebody found in a log, and what is on the wire
//! when it occurs. Each test starts from a capture, real or drawn as a ladder, runs the whole program on it, and
//! checks the diagnosis, its numbers, the predicted error texts and the remedy.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

#[path = "../reading/mod.rs"]
mod reading;

mod compared;
mod connecting;
mod many;
mod one;
mod story;
