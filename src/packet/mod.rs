//! Bytes in, segments out.
//!
//! [`capture`] gives frames with their times, from files, pipes and interfaces, and alone can fail; [`decode`] makes of a
//! frame a TCP segment, or the counted reason why there is none in it; [`flow`] says whose it is.

pub mod capture;
pub mod decode;
pub mod flow;
