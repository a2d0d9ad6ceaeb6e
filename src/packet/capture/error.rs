//! Errors of opening and reading captures.

use std::path::PathBuf;

/// Why an input cannot be read. Each message names the input and what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CaptureError {
    /// The operating system reported an error.
    #[error("{}: {error}", path.display())]
    Io {
        /// The path of the input, `-` for standard input.
        path: PathBuf,
        /// The operating system's error.
        #[source]
        error: std::io::Error,
    },
    /// The first bytes do not belong to a supported capture format.
    #[error("{}: not a packet capture: {reason}", path.display())]
    NotACapture {
        /// The path of the input, `-` for standard input.
        path: PathBuf,
        /// What was found instead, and which formats are supported.
        reason: String,
    },
    /// Capturing on an interface failed.
    #[error("{interface}: {reason}")]
    Live {
        /// The name of the interface.
        interface: String,
        /// The reason.
        reason: String,
    },
    /// The program lacks the permission to capture.
    #[error("{interface}: capturing is not permitted")]
    NotPermitted {
        /// The name of the interface.
        interface: String,
    },
    /// A filter or an interface needs libpcap, and this machine has none.
    #[error("capturing and capture filters need libpcap, which is not installed")]
    NoLibpcap,
    /// The BPF filter does not compile, or this build has no libpcap to compile it.
    #[error("filter {filter:?}: {reason}")]
    Filter {
        /// The expression as typed.
        filter: String,
        /// libpcap's message.
        reason: String,
    },
}
