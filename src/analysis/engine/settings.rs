//! The settings of the engine.

use std::fmt;
use std::sync::Arc;

use super::retention::{SharedJudge, Stay, StoreBudget};
use crate::base::net::Endpoint;
use crate::base::time::Timestamp;
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
    /// Who knows which RSTs a host sent.
    pub(crate) witness: Witness,
    /// When a connection is tracked.
    #[doc(hidden)]
    pub tracking: Tracking,
}

/// Knows RSTs that a host sent from elsewhere than the packets.
pub(crate) trait SentResets: Send + Sync {
    /// Whether the operating system says that it sent a RST from the one end to the other at this time.
    fn sent(&self, from: Endpoint, to: Endpoint, at: Timestamp) -> bool;
}

/// Who knows which RSTs a host sent: nobody, where there are only packets.
#[derive(Clone, Default)]
pub(crate) struct Witness(pub(crate) Option<Arc<dyn SentResets>>);

impl Witness {
    /// Whether a RST is known to be its sender's own.
    pub(super) fn knows(&self, from: Endpoint, to: Endpoint, at: Timestamp) -> bool {
        self.0.as_ref().is_some_and(|it| it.sent(from, to, at))
    }
}

impl fmt::Debug for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Witness").field(&self.0.is_some()).finish()
    }
}

/// When a connection is tracked. The output does not depend on it.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tracking {
    /// From the first segment on that is not plain.
    #[default]
    AsNeeded,
    /// From its first segment on.
    FromStart,
    /// From the first segment on that is not plain, and no later than after so many plain ones.
    After(usize),
}

impl Tracking {
    /// Segments that are noted of one connection after the SYN-ACK: enough for a response of 30 kB. Longer connections
    /// are tracked, so that the notes stay small.
    pub(super) const MOST: usize = 32;

    /// How many are noted.
    pub(super) fn noted(self) -> usize {
        match self {
            Self::AsNeeded => Self::MOST,
            Self::FromStart => 0,
            Self::After(most) => most.min(Self::MOST),
        }
    }
}
