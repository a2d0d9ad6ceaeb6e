//! What can go wrong before there is a frame.

use std::path::PathBuf;

/// Why an input cannot be read. Each message names the input and a way out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CaptureError {
    /// The operating system refused.
    #[error("{}: {error}", path.display())]
    Io {
        /// The input, `-` for standard input.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        error: std::io::Error,
    },
    /// The first bytes are not those of a capture.
    #[error("{}: not a packet capture: {reason}", path.display())]
    NotACapture {
        /// The input, `-` for standard input.
        path: PathBuf,
        /// What was found instead and what is read.
        reason: String,
    },
    /// An interface cannot be captured on.
    #[error("{interface}: {reason}")]
    Live {
        /// The interface.
        interface: String,
        /// Why not.
        reason: String,
    },
    /// This program may not capture.
    #[error("{interface}: capturing is not permitted")]
    NotPermitted {
        /// The interface.
        interface: String,
    },
    /// The BPF filter does not compile, or this build has no libpcap to compile it.
    #[error("filter {filter:?}: {reason}")]
    Filter {
        /// What was typed.
        filter: String,
        /// What libpcap said.
        reason: String,
    },
}
