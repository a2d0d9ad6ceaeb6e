//! What a decryptor is given and what it returns, the same in builds that cannot decrypt.

use std::ops::Range;

/// Most records that may be lost in a row if those after them are to be decrypted.
pub(crate) const MAX_LOST: u64 = 64;

/// Bytes of a record header.
pub(super) const HEADER: usize = 5;

/// What the hellos agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NegotiatedParameters {
    /// The client's random.
    pub client_random: [u8; 32],
    /// The server's random.
    pub server_random: [u8; 32],
    /// The version that was chosen: 0x0301 for TLS 1.0 to 0x0304 for TLS 1.3.
    pub version: u16,
    /// The cipher suite that was chosen.
    pub suite: u16,
    /// Both sides want encrypt-then-MAC (RFC 7366).
    pub encrypt_then_mac: bool,
}

/// Why a record was not decrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotDecrypted {
    /// No secret is known for this part of the connection.
    NoSecret,
    /// The known secret does not fit: the record is not authentic under it.
    WrongSecret,
    /// A version or cipher suite that is not supported.
    Unsupported,
    /// This build cannot decrypt: it lacks the feature `decrypt`.
    NotBuilt,
}

impl NotDecrypted {
    /// Its name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoSecret => "no-secret",
            Self::WrongSecret => "wrong-secret",
            Self::Unsupported => "unsupported-suite",
            Self::NotBuilt => "not-in-this-build",
        }
    }
}

/// What became of early data (RFC 8446 §4.2.10).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EarlyData {
    /// Not known yet.
    #[default]
    Undecided,
    /// The server accepts it.
    Taken,
    /// The server rejects it: it never processes it, and the client sends what matters of it again.
    Refused,
}

/// The content of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plaintext {
    /// The content type: 20 change_cipher_spec, 21 alert, 22 handshake, 23 application data.
    pub kind: u8,
    /// It was encrypted under the keys of early data.
    pub early: bool,
    /// Its range in the record that was passed in.
    pub place: Range<usize>,
    /// It was encrypted; otherwise the record was in the clear and is unchanged.
    pub hidden: bool,
}
