//! What can be set.

use super::retention::{Keep, Stay};
use crate::protocol::tls::secrets::KeyStore;

/// What can be set.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct EngineSettings {
    /// Which settled connections [`analyse`] keeps whole.
    pub keep: Keep,
    /// Which connections stay when there are too many.
    pub stay: Stay,
    /// Secrets that open what TLS hides.
    pub keys: KeyStore,
}
