//! The settings of the engine.

use super::retention::{Keep, Stay};
use crate::protocol::tls::secrets::KeyStore;

/// What to keep of an analysis, and the secrets to decrypt TLS with.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct EngineSettings {
    /// Which settled connections [`analyse`](super::analyse) keeps with their whole record.
    pub keep: Keep,
    /// Which connections are kept when there are too many.
    pub stay: Stay,
    /// Secrets to decrypt TLS records with.
    pub keys: KeyStore,
}
