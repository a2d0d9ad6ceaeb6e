//! The settings of the engine.

use super::retention::{SharedJudge, Stay, StoreBudget};
use crate::protocol::tls::secrets::KeyStore;

/// What to keep of an analysis, and the secrets to decrypt TLS with.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct EngineSettings {
    /// Judges connections when they settle, and says which [`analyse`](super::analyse) keeps with their whole record.
    pub judge: SharedJudge,
    /// Which connections are kept when there are too many.
    pub stay: Stay,
    /// How much is kept.
    pub budget: StoreBudget,
    /// Secrets to decrypt TLS records with.
    pub keys: KeyStore,
}
