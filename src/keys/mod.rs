//! Floor 4½: the secrets of TLS connections, and what they open.
//!
//! A [`KeyRing`] holds what programs wrote to their key logs (`SSLKEYLOGFILE`) or a capture brought along (pcapng
//! decryption secrets). An [`Opener`] takes the secrets of one connection and what its hellos agreed on, and turns
//! protected records back into what was protected: TLS 1.0 to 1.2 (RFC 2246, 4346, 5246; AES-CBC with and without
//! encrypt-then-MAC, AES-GCM, AES-CCM, ChaCha20-Poly1305) and TLS 1.3 (RFC 8446; early data, key updates).
//!
//! Every record is authenticated: a wrong key is noticed, and opens nothing. The primitives are those of the RustCrypto
//! crates. Left out: suites that hardly anybody speaks any more (RC4, 3DES, Camellia), and private keys of servers. Secrets
//! have no way out of here: they are not printed, not even for debugging.

mod log;
mod opener;
mod protection;
mod ring;
mod schedule;
mod suite;

pub use log::{KeyLine, Label, LineError, Secret};
pub use opener::{Agreed, Closed, EarlyData, Opener, Plain};
pub use ring::{KeyRing, MAX_SESSIONS, Secrets};
pub use suite::Suite;
