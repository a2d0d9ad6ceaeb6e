//! The key, and what is derived from it: a permutation of addresses, and pseudo-random functions for words and opaque bytes.
//!
//! One key gives one mapping, in every capture. Without a key file it is random, and it is kept nowhere: then nobody can tell
//! whether a name or an address was a certain one.

use aes::Aes128;
use aes::cipher::{BlockCipherEncrypt as _, KeyInit as _};
use hkdf::Hkdf;
use ipcrypt_rs::IpcryptPfx;
use sha2::Sha256;

/// A key has at least as many bytes; a passphrase that is shorter can be guessed.
pub const MIN_KEY: usize = 16;

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// It can be guessed.
    #[error(
        "the key has {0} bytes, and needs at least 16; `head -c 32 /dev/urandom > KEY` makes one"
    )]
    Short(usize),
    /// The system has no random numbers.
    #[error("no random key: {0}")]
    Random(getrandom::Error),
}

/// The keys of all mappings.
pub struct Key {
    pub(super) addresses: IpcryptPfx,
    pub(super) words: Prf,
    pub(super) opaque: Prf,
    pub(super) macs: Prf,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key")
    }
}

impl Key {
    /// From the content of a file.
    ///
    /// # Errors
    /// If it is short.
    pub fn of_bytes(bytes: &[u8]) -> Result<Self, KeyError> {
        if bytes.len() < MIN_KEY {
            return Err(KeyError::Short(bytes.len()));
        }
        Ok(Self::derived(bytes))
    }

    /// One that nobody knows.
    ///
    /// # Errors
    /// If the system has no random numbers.
    pub fn random() -> Result<Self, KeyError> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(KeyError::Random)?;
        Ok(Self::derived(&bytes))
    }

    fn derived(secret: &[u8]) -> Self {
        let source = Hkdf::<Sha256>::new(Some(b"hangup anonymise 1"), secret);
        Self {
            addresses: IpcryptPfx::new(expand(&source, b"addresses")),
            words: Prf::new(expand(&source, b"words")),
            opaque: Prf::new(expand(&source, b"opaque")),
            macs: Prf::new(expand(&source, b"macs")),
        }
    }
}

fn expand<const N: usize>(source: &Hkdf<Sha256>, label: &[u8]) -> [u8; N] {
    let mut out = [0; N];
    // It fails for more than 8160 bytes only.
    let _ = source.expand(label, &mut out);
    out
}

/// A pseudo-random function of byte strings.
pub(super) struct Prf(Aes128);

impl Prf {
    fn new(key: [u8; 16]) -> Self {
        Self(Aes128::new(&key.into()))
    }

    /// One block.
    pub(super) fn block(&self, input: [u8; 16]) -> [u8; 16] {
        let mut block = input.into();
        self.0.encrypt_block(&mut block);
        block.into()
    }

    /// CBC-MAC with the length in front, which makes it safe for inputs of any length.
    pub(super) fn hash(&self, label: u8, bytes: &[u8]) -> [u8; 16] {
        let mut state = [0; 16];
        state[0] = label;
        state[8..].copy_from_slice(&(bytes.len() as u64).to_be_bytes());
        state = self.block(state);
        for chunk in bytes.chunks(16) {
            for (byte, add) in state.iter_mut().zip(chunk) {
                *byte ^= add;
            }
            state = self.block(state);
        }
        state
    }

    /// Replaces bytes by a function of them, of the same length: equal ones stay equal, and show nothing else.
    pub(super) fn replace(&self, bytes: &mut [u8]) {
        let seed = self.hash(1, bytes);
        for (nth, chunk) in bytes.chunks_mut(16).enumerate() {
            let mut counter = seed;
            for (byte, add) in counter.iter_mut().zip((nth as u64).to_be_bytes()) {
                *byte ^= add;
            }
            chunk.copy_from_slice(self.block(counter).get(..chunk.len()).unwrap_or_default());
        }
    }
}
