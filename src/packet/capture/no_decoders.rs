//! Stands in for `decoders.rs` in a build without the feature `compressed`: says what to do instead.

use std::io::{self, BufRead, Read};

/// Fails always.
pub(super) fn zstd(_packed: impl BufRead) -> io::Result<Box<dyn Read + Send>> {
    Err(lacking("zstd"))
}

/// Fails always.
pub(super) fn lz4(_packed: impl BufRead) -> io::Result<Box<dyn Read + Send>> {
    Err(lacking("lz4"))
}

/// `program` has the name of the format.
fn lacking(program: &str) -> io::Error {
    let reason = format!(
        "this build has no {program} (feature \"compressed\"); unpack it first: {program} -d FILE, or build with it: \
         cargo build --release --features compressed"
    );
    io::Error::new(io::ErrorKind::Unsupported, reason)
}
