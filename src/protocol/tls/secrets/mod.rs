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

mod cipher_suite;
mod decrypt;
mod key_log;
mod key_schedule;
mod key_store;
mod record_protection;

pub use cipher_suite::CipherSuite;
pub use decrypt::{Decryptor, EarlyData, NegotiatedParameters, NotDecrypted, Plaintext};
pub use key_log::{KeyLogLine, KeyLogLineError, Secret, SecretLabel};
pub use key_store::{ConnectionSecrets, KeyStore};
