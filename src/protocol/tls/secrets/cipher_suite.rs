//! Cipher suites whose records can be decrypted (IANA, "TLS Cipher Suites").

use super::key_schedule::HashAlgorithm;

/// How records are protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RecordCipher {
    /// AES in CBC mode with a MAC.
    Cbc(MacHash),
    Gcm,
    /// With a tag of 16 bytes.
    Ccm,
    /// With a tag of 8 bytes.
    Ccm8,
    ChaCha20Poly1305,
}

/// The hash of a record MAC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MacHash {
    Sha1,
    Sha256,
    Sha384,
}

impl MacHash {
    pub(super) const fn length(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
        }
    }
}

/// A cipher suite, as far as decryption goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CipherSuite {
    pub(super) bulk: RecordCipher,
    /// Bytes of the key.
    pub(super) key: usize,
    /// The hash of the key schedule in TLS 1.2 and 1.3; earlier versions have their own.
    pub(super) hash: HashAlgorithm,
}

impl CipherSuite {
    /// The suite with this number; `None` if its records cannot be decrypted.
    #[must_use]
    pub(crate) const fn from_id(id: u16) -> Option<Self> {
        use RecordCipher::{Ccm, Ccm8, ChaCha20Poly1305, Gcm};
        let (bulk, key, hash) = match id {
            // RSA, DHE_DSS, DHE_RSA, ECDH(E)_ECDSA, ECDH(E)_RSA with AES-CBC and SHA-1.
            0x002f | 0x0032 | 0x0033 | 0xc004 | 0xc009 | 0xc00e | 0xc013 => {
                (RecordCipher::Cbc(MacHash::Sha1), 16, HashAlgorithm::Sha256)
            }
            0x0035 | 0x0038 | 0x0039 | 0xc005 | 0xc00a | 0xc00f | 0xc014 => {
                (RecordCipher::Cbc(MacHash::Sha1), 32, HashAlgorithm::Sha256)
            }
            // The same with SHA-256 and SHA-384.
            0x003c | 0x0040 | 0x0067 | 0xc023 | 0xc025 | 0xc027 | 0xc029 => (
                RecordCipher::Cbc(MacHash::Sha256),
                16,
                HashAlgorithm::Sha256,
            ),
            0x003d | 0x006a | 0x006b => (
                RecordCipher::Cbc(MacHash::Sha256),
                32,
                HashAlgorithm::Sha256,
            ),
            0xc024 | 0xc026 | 0xc028 | 0xc02a => (
                RecordCipher::Cbc(MacHash::Sha384),
                32,
                HashAlgorithm::Sha384,
            ),
            // AES-GCM.
            0x009c | 0x009e | 0x00a0 | 0x00a2 | 0x00a4 | 0xc02b | 0xc02d | 0xc02f | 0xc031
            | 0x1301 => (Gcm, 16, HashAlgorithm::Sha256),
            0x009d | 0x009f | 0x00a1 | 0x00a3 | 0x00a5 | 0xc02c | 0xc02e | 0xc030 | 0xc032
            | 0x1302 => (Gcm, 32, HashAlgorithm::Sha384),
            // AES-CCM.
            0xc09c | 0xc09e | 0xc0ac | 0x1304 => (Ccm, 16, HashAlgorithm::Sha256),
            0xc09d | 0xc09f | 0xc0ad => (Ccm, 32, HashAlgorithm::Sha256),
            0xc0a0 | 0xc0a2 | 0xc0ae | 0x1305 => (Ccm8, 16, HashAlgorithm::Sha256),
            0xc0a1 | 0xc0a3 | 0xc0af => (Ccm8, 32, HashAlgorithm::Sha256),
            // ChaCha20-Poly1305.
            0xcca8..=0xccaa | 0x1303 => (ChaCha20Poly1305, 32, HashAlgorithm::Sha256),
            _ => return None,
        };
        Some(Self { bulk, key, hash })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suites_are_found_by_number() {
        let table = [
            (0x1301, Some((RecordCipher::Gcm, 16, HashAlgorithm::Sha256))),
            (0x1302, Some((RecordCipher::Gcm, 32, HashAlgorithm::Sha384))),
            (
                0x1303,
                Some((RecordCipher::ChaCha20Poly1305, 32, HashAlgorithm::Sha256)),
            ),
            (0xc02f, Some((RecordCipher::Gcm, 16, HashAlgorithm::Sha256))),
            (
                0xc028,
                Some((
                    RecordCipher::Cbc(MacHash::Sha384),
                    32,
                    HashAlgorithm::Sha384,
                )),
            ),
            (
                0x0035,
                Some((RecordCipher::Cbc(MacHash::Sha1), 32, HashAlgorithm::Sha256)),
            ),
            (0x0005, None),
            (0x000a, None),
            (0, None),
        ];
        for (id, wanted) in table {
            let found = CipherSuite::from_id(id).map(|it| (it.bulk, it.key, it.hash));
            assert_eq!(found, wanted, "{id:#06x}");
        }
    }
}
