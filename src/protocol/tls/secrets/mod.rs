//! Floor 4½: the secrets of TLS connections, and what they open.
//!
//! A [`KeyStore`] holds what programs wrote to their key logs (`SSLKEYLOGFILE`) or a capture brought along (pcapng
//! decryption secrets). An [`Decryptor`] takes the secrets of one connection and what its hellos agreed on, and turns
//! protected records back into what was protected: TLS 1.0 to 1.2 (RFC 2246, 4346, 5246; AES-CBC with and without
//! encrypt-then-MAC, AES-GCM, AES-CCM, ChaCha20-Poly1305) and TLS 1.3 (RFC 8446; early data, key updates).
//!
//! Every record is authenticated: a wrong key is noticed, and opens nothing. The primitives are those of the RustCrypto
//! crates. Left out: suites that hardly anybody speaks any more (RC4, 3DES, Camellia), and private keys of servers. Secrets
//! have no way out of here: they are not printed, not even for debugging.

mod cipher_suite;
mod decrypt;
mod key_log;
mod key_schedule;
mod key_store;
mod record_protection;

pub use cipher_suite::CipherSuite;
pub use decrypt::{Decryptor, EarlyData, NegotiatedParameters, NotDecrypted, Plaintext};
pub use key_log::{KeyLogLine, KeyLogLineError, Secret, SecretLabel};
pub use key_store::{ConnectionSecrets, KeyStore, MAX_SESSIONS};
