//! Stands in for `decrypt.rs` in a build without the feature `decrypt`: there never is a decryptor.

use super::key_store::ConnectionSecrets;
use super::types::{EarlyData, HEADER, NegotiatedParameters, NotDecrypted, Plaintext};

/// Decrypts the records of one connection. This build has none.
#[derive(Clone, Debug)]
pub enum Decryptor {}

impl Decryptor {
    /// Tells that this build cannot decrypt.
    ///
    /// # Errors
    /// Always.
    pub fn new(
        _agreed: &NegotiatedParameters,
        _secrets: &ConnectionSecrets,
    ) -> Result<Self, NotDecrypted> {
        Err(NotDecrypted::NotBuilt)
    }

    /// The sides renegotiated.
    pub fn renew(&mut self, _agreed: &NegotiatedParameters, _secrets: &ConnectionSecrets) {
        match *self {}
    }

    /// A record of this side is incomplete.
    pub fn skip(&mut self, _side: usize, _kind: u8) {
        match *self {}
    }

    /// An unknown number of records of this side was lost.
    pub fn lose(&mut self, _side: usize) {
        match *self {}
    }

    /// Decrypts the next record of this side.
    ///
    /// # Errors
    /// Never, since there is no decryptor.
    pub fn open(
        &mut self,
        _side: usize,
        _header: [u8; HEADER],
        _record: &mut [u8],
    ) -> Result<Plaintext, NotDecrypted> {
        match *self {}
    }

    /// In how many directions decryption was given up.
    pub(crate) const fn given_up(&self) -> u64 {
        match *self {}
    }

    /// What became of the client's early data.
    #[must_use]
    pub fn early_data(&self) -> EarlyData {
        match *self {}
    }
}
