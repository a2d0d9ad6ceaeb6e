//! Record protection of one direction under one key: decrypts records and checks that they are authentic.

use aes::cipher::{BlockModeDecrypt, KeyIvInit};
use aes_gcm::aead::{AeadInOut, KeyInit, Nonce, Tag};
use aes_gcm::{Aes128Gcm, Aes256Gcm};
use ccm::Ccm;
use ccm::consts::{U8, U12, U16};
use chacha20poly1305::ChaCha20Poly1305;
use hmac::{Hmac, Mac};
use sha1::Sha1;
use sha2::{Sha256, Sha384};
use std::ops::Range;

use super::cipher_suite::{CipherSuite, MacHash, RecordCipher};
use super::key_schedule::keyed;
use super::types::HEADER;

type Ccm16<C> = Ccm<C, U16, U12>;
type CcmShort<C> = Ccm<C, U8, U12>;

/// Bytes of an AES block, and of a record's IV in CBC mode.
const BLOCK: usize = 16;
/// Bytes of a nonce of every AEAD here.
const NONCE: usize = 12;
/// Bytes of the nonce that each record carries (RFC 5288 §3).
const EXPLICIT: usize = 8;

/// How a record's nonce and its additional authenticated data are formed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RecordFormat {
    /// TLS 1.0: in CBC mode the last block of a record is the IV of the next (RFC 2246 §6.2.3.2).
    Chained,
    /// TLS 1.1 and 1.2.
    Explicit,
    /// TLS 1.3 (RFC 8446 §5.2).
    Modern,
}

/// The cipher, with its key.
#[derive(Clone)]
enum Primitive {
    Gcm128(Box<Aes128Gcm>),
    Gcm256(Box<Aes256Gcm>),
    Ccm128(Box<Ccm16<aes::Aes128>>),
    Ccm256(Box<Ccm16<aes::Aes256>>),
    Ccm128Short(Box<CcmShort<aes::Aes128>>),
    Ccm256Short(Box<CcmShort<aes::Aes256>>),
    ChaCha(Box<ChaCha20Poly1305>),
    Cbc(Box<Cbc>),
}

#[derive(Clone)]
struct Cbc {
    key: Box<[u8]>,
    mac: MacHash,
    mac_key: Box<[u8]>,
    encrypt_then_mac: bool,
    /// TLS 1.0: the last ciphertext block of the record before.
    chain: [u8; BLOCK],
}

/// Record protection under one key.
#[derive(Clone)]
pub(super) struct RecordProtection {
    cipher: Primitive,
    format: RecordFormat,
    /// The fixed part of the nonce; all of it where it is XORed with the sequence number.
    iv: [u8; NONCE],
    bulk: RecordCipher,
}

/// Keys as the key schedule derives them.
pub(super) struct TrafficKeys<'a> {
    pub(super) key: &'a [u8],
    pub(super) iv: &'a [u8],
    pub(super) mac: &'a [u8],
    pub(super) encrypt_then_mac: bool,
}

impl std::fmt::Debug for RecordProtection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Protection")
            .field("era", &self.format)
            .field("bulk", &self.bulk)
            .finish_non_exhaustive()
    }
}

/// Bytes of the IV that the key schedule has to derive.
pub(super) const fn iv_length(bulk: RecordCipher, format: RecordFormat) -> usize {
    match (bulk, format) {
        (RecordCipher::Cbc(_), RecordFormat::Chained) => BLOCK,
        (RecordCipher::Cbc(_), _) => 0,
        (RecordCipher::ChaCha20Poly1305, _) | (_, RecordFormat::Modern) => NONCE,
        _ => NONCE - EXPLICIT,
    }
}

impl RecordProtection {
    /// `None` if the lengths do not fit the suite.
    pub(super) fn new(
        suite: CipherSuite,
        format: RecordFormat,
        keys: &TrafficKeys<'_>,
    ) -> Option<Self> {
        let key = keys.key;
        let whole = suite.key == 32;
        let cipher = match suite.bulk {
            RecordCipher::Gcm if whole => {
                Primitive::Gcm256(Box::new(KeyInit::new_from_slice(key).ok()?))
            }
            RecordCipher::Gcm => Primitive::Gcm128(Box::new(KeyInit::new_from_slice(key).ok()?)),
            RecordCipher::Ccm if whole => {
                Primitive::Ccm256(Box::new(KeyInit::new_from_slice(key).ok()?))
            }
            RecordCipher::Ccm => Primitive::Ccm128(Box::new(KeyInit::new_from_slice(key).ok()?)),
            RecordCipher::Ccm8 if whole => {
                Primitive::Ccm256Short(Box::new(KeyInit::new_from_slice(key).ok()?))
            }
            RecordCipher::Ccm8 => {
                Primitive::Ccm128Short(Box::new(KeyInit::new_from_slice(key).ok()?))
            }
            RecordCipher::ChaCha20Poly1305 => {
                Primitive::ChaCha(Box::new(KeyInit::new_from_slice(key).ok()?))
            }
            RecordCipher::Cbc(mac) => Primitive::Cbc(Box::new(Cbc {
                key: key.into(),
                mac,
                mac_key: keys.mac.into(),
                encrypt_then_mac: keys.encrypt_then_mac,
                chain: keys
                    .iv
                    .try_into()
                    .ok()
                    .or((format != RecordFormat::Chained).then_some([0; BLOCK]))?,
            })),
        };
        let mut iv = [0; NONCE];
        if !matches!(suite.bulk, RecordCipher::Cbc(_)) {
            iv.get_mut(..keys.iv.len())?.copy_from_slice(keys.iv);
        }
        Some(Self {
            cipher,
            format,
            iv,
            bulk: suite.bulk,
        })
    }

    /// Decrypts `record`, without its `header`, in place. Returns the range of the content, in TLS 1.3 with the content
    /// type still behind it; `None` if the record is not authentic.
    pub(super) fn open(
        &mut self,
        sequence: u64,
        header: [u8; HEADER],
        record: &mut [u8],
    ) -> Option<Range<usize>> {
        if let Primitive::Cbc(cbc) = &mut self.cipher {
            return cbc.open(self.format, sequence, header, record);
        }
        let tag = match self.bulk {
            RecordCipher::Ccm8 => 8,
            _ => 16,
        };
        let explicit = match (self.bulk, self.format) {
            (RecordCipher::ChaCha20Poly1305, _) | (_, RecordFormat::Modern) => 0,
            _ => EXPLICIT,
        };
        let length = record.len().checked_sub(explicit + tag)?;
        let mut nonce = self.iv;
        let numbers = if explicit > 0 {
            let own: [u8; EXPLICIT] = record.get(..explicit)?.try_into().ok()?;
            nonce[NONCE - EXPLICIT..].copy_from_slice(&own);
            [0; 8]
        } else {
            sequence.to_be_bytes()
        };
        for (byte, number) in nonce[NONCE - EXPLICIT..].iter_mut().zip(numbers) {
            *byte ^= number;
        }
        let classic = associated(sequence, header, length);
        let beside: &[u8] = match self.format {
            RecordFormat::Modern => &header,
            RecordFormat::Chained | RecordFormat::Explicit => &classic,
        };
        let body = record.get_mut(explicit..)?;
        let (text, tag) = body.split_at_mut_checked(length)?;
        match &self.cipher {
            Primitive::Gcm128(cipher) => open(&**cipher, &nonce, beside, text, tag),
            Primitive::Gcm256(cipher) => open(&**cipher, &nonce, beside, text, tag),
            Primitive::Ccm128(cipher) => open(&**cipher, &nonce, beside, text, tag),
            Primitive::Ccm256(cipher) => open(&**cipher, &nonce, beside, text, tag),
            Primitive::Ccm128Short(cipher) => open(&**cipher, &nonce, beside, text, tag),
            Primitive::Ccm256Short(cipher) => open(&**cipher, &nonce, beside, text, tag),
            Primitive::ChaCha(cipher) => open(&**cipher, &nonce, beside, text, tag),
            Primitive::Cbc(_) => None,
        }?;
        Some(explicit..explicit + length)
    }
}

fn open<C: AeadInOut>(
    cipher: &C,
    nonce: &[u8; NONCE],
    beside: &[u8],
    text: &mut [u8],
    tag: &[u8],
) -> Option<()> {
    let nonce = <&Nonce<C>>::try_from(&nonce[..]).ok()?;
    let tag = <&Tag<C>>::try_from(tag).ok()?;
    cipher
        .decrypt_inout_detached(nonce, beside, text.into(), tag)
        .ok()
}

/// The additional authenticated data of a record up to TLS 1.2: sequence number, type and version, and the length of
/// the content (RFC 5246 §6.2.3.3).
fn associated(sequence: u64, header: [u8; HEADER], length: usize) -> [u8; 13] {
    let mut all = [0; 13];
    let [kind, major, minor, ..] = header;
    all[..8].copy_from_slice(&sequence.to_be_bytes());
    all[8..11].copy_from_slice(&[kind, major, minor]);
    let length = u16::try_from(length).unwrap_or(u16::MAX);
    all[11..].copy_from_slice(&length.to_be_bytes());
    all
}

impl Cbc {
    fn open(
        &mut self,
        format: RecordFormat,
        sequence: u64,
        header: [u8; HEADER],
        record: &mut [u8],
    ) -> Option<Range<usize>> {
        let tag = self.mac.length();
        let sealed = if self.encrypt_then_mac {
            // The MAC covers the ciphertext, including its IV (RFC 7366 §3).
            let sealed = record.len().checked_sub(tag)?;
            let (text, mac) = record.split_at_checked(sealed)?;
            self.is_authentic(&associated(sequence, header, sealed), text, mac)?;
            sealed
        } else {
            record.len()
        };
        let begins = if format == RecordFormat::Chained {
            0
        } else {
            BLOCK
        };
        let text = record.get_mut(..sealed)?;
        let (iv, text) = text.split_at_mut_checked(begins)?;
        if text.is_empty() || !text.len().is_multiple_of(BLOCK) {
            return None;
        }
        let iv = match format {
            RecordFormat::Chained => self.chain,
            RecordFormat::Explicit | RecordFormat::Modern => (&*iv).try_into().ok()?,
        };
        let chain: [u8; BLOCK] = text.last_chunk().copied()?;
        decrypt(&self.key, &iv, text)?;
        // Every byte of the padding, and the length byte after it, holds the length of the padding (RFC 5246 §6.2.3.2).
        let padding = *text.last()?;
        let length = text.len().checked_sub(usize::from(padding) + 1)?;
        if text.get(length..)?.iter().any(|byte| *byte != padding) {
            return None;
        }
        let length = if self.encrypt_then_mac {
            length
        } else {
            let length = length.checked_sub(tag)?;
            let (text, mac) = text.split_at_checked(length)?;
            let mac = mac.get(..tag)?;
            self.is_authentic(&associated(sequence, header, length), text, mac)?;
            length
        };
        self.chain = chain;
        Some(begins..begins + length)
    }

    fn is_authentic(&self, beside: &[u8], text: &[u8], mac: &[u8]) -> Option<()> {
        match self.mac {
            MacHash::Sha1 => verify::<Hmac<Sha1>>(&self.mac_key, beside, text, mac),
            MacHash::Sha256 => verify::<Hmac<Sha256>>(&self.mac_key, beside, text, mac),
            MacHash::Sha384 => verify::<Hmac<Sha384>>(&self.mac_key, beside, text, mac),
        }
    }
}

fn verify<M: Mac + hmac::KeyInit>(
    key: &[u8],
    beside: &[u8],
    text: &[u8],
    mac: &[u8],
) -> Option<()> {
    let mut own = keyed::<M>(key);
    own.update(beside);
    own.update(text);
    own.verify_slice(mac).ok()
}

fn decrypt(key: &[u8], iv: &[u8; BLOCK], text: &mut [u8]) -> Option<()> {
    let blocks = aes::Block::slice_as_chunks_mut(text).0;
    match key.len() {
        16 => cbc::Decryptor::<aes::Aes128>::new_from_slices(key, iv)
            .ok()?
            .decrypt_blocks(blocks),
        _ => cbc::Decryptor::<aes::Aes256>::new_from_slices(key, iv)
            .ok()?
            .decrypt_blocks(blocks),
    }
    Some(())
}
