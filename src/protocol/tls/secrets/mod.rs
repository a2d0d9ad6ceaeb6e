//! The secrets of TLS connections, and the decryption of their records.
//!
//! A [`KeyStore`] holds what programs wrote to their key logs (`SSLKEYLOGFILE`) or a capture contains (pcapng
//! decryption secrets). A [`Decryptor`] takes the secrets of one connection and what its hellos agreed on, and decrypts
//! its records: TLS 1.0 to 1.2 (RFC 2246, 4346, 5246; AES-CBC with and without encrypt-then-MAC, AES-GCM, AES-CCM,
//! ChaCha20-Poly1305) and TLS 1.3 (RFC 8446; early data, key updates).
//!
//! Every record is authenticated: a wrong key is noticed, and decrypts nothing. The primitives are those of the
//! RustCrypto crates. Left out: suites that are hardly in use any more (RC4, 3DES, Camellia), and private keys of
//! servers. Secrets never leave this module: they are not printed, not even by `Debug`.
//!
//! Without the feature `decrypt`, key logs are parsed all the same, and every connection whose secret is known is
//! [`NotDecrypted::NotBuilt`].

#[cfg(feature = "decrypt")]
mod cipher_suite;
#[cfg(feature = "decrypt")]
mod decrypt;
mod key_log;
#[cfg(feature = "decrypt")]
mod key_schedule;
mod key_store;
#[cfg(not(feature = "decrypt"))]
mod no_decrypt;
#[cfg(feature = "decrypt")]
mod record_protection;
mod types;

#[cfg(feature = "decrypt")]
pub use cipher_suite::CipherSuite;
#[cfg(feature = "decrypt")]
pub use decrypt::Decryptor;
pub use key_log::{KeyLogLine, KeyLogLineError, Secret, SecretLabel};
pub use key_store::{ConnectionSecrets, KeyStore, KeyStoreCounts};
pub(crate) use key_store::{MAX_SESSIONS, MAX_TIMES};
#[cfg(not(feature = "decrypt"))]
pub use no_decrypt::Decryptor;
pub(crate) use types::MAX_LOST;
pub use types::{EarlyData, NegotiatedParameters, NotDecrypted, Plaintext};
