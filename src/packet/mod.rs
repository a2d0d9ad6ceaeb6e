//! From captured bytes to TCP segments.
//!
//! [`capture`] reads timestamped frames from files, pipes and interfaces; only it can fail. [`decode`] turns a frame
//! into a TCP segment, or into a counted reason why it holds none. [`flow`] finds the flow that a segment belongs to.
//! [`places`] joins captures of the same connections at several places.

pub mod capture;
pub mod decode;
pub mod flow;
pub mod places;
