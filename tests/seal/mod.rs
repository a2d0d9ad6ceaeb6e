//! The counterpart of `hangup::protocol::tls::secrets`: encrypts authentic records under fixed, known secrets.
//!
//! Shared by the tests and by the fuzz targets.

#![allow(dead_code, reason = "every test uses a part of it")]

use aes::cipher::{BlockModeEncrypt, KeyIvInit};
use aes_gcm::Aes128Gcm;
use aes_gcm::aead::{AeadInOut, KeyInit, Nonce};
use chacha20poly1305::ChaCha20Poly1305;
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use sha1::Sha1;
use sha2::Sha256;

const CLIENT_RANDOM: [u8; 32] = [7; 32];
const SERVER_RANDOM: [u8; 32] = [8; 32];
const MASTER: [u8; 48] = [9; 48];

/// The negotiated cipher suite.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Suite {
    /// TLS 1.3, AES-128-GCM.
    ModernGcm,
    /// TLS 1.3, ChaCha20-Poly1305.
    ModernChaCha,
    /// TLS 1.2, AES-128-GCM.
    Gcm,
    /// TLS 1.2, AES-128-CBC with SHA-1.
    Cbc,
    /// The same with encrypt-then-MAC (RFC 7366).
    CbcThenMac,
}

impl Suite {
    pub const ALL: [Self; 5] = [
        Self::ModernGcm,
        Self::ModernChaCha,
        Self::Gcm,
        Self::Cbc,
        Self::CbcThenMac,
    ];

    fn is_modern(self) -> bool {
        matches!(self, Self::ModernGcm | Self::ModernChaCha)
    }

    fn id(self) -> [u8; 2] {
        match self {
            Self::ModernGcm => [0x13, 0x01],
            Self::ModernChaCha => [0x13, 0x03],
            Self::Gcm => [0xc0, 0x2f],
            Self::Cbc | Self::CbcThenMac => [0xc0, 0x13],
        }
    }

    fn extensions(self, version: &[u8]) -> Vec<u8> {
        let mut all = Vec::new();
        if self.is_modern() {
            all.extend([0, 43, 0, version.len() as u8]);
            all.extend_from_slice(version);
        }
        if self == Self::CbcThenMac {
            all.extend([0, 22, 0, 0]);
        }
        [&[0, all.len() as u8], &all[..]].concat()
    }

    pub fn client_hello(self) -> Vec<u8> {
        let suites = [&[0, 2][..], &self.id(), &[1, 0]].concat();
        let extensions = self.extensions(&[2, 3, 4]);
        let body = [&[3, 3][..], &CLIENT_RANDOM, &[0], &suites, &extensions].concat();
        record(22, &message(1, &body))
    }

    pub fn server_hello(self) -> Vec<u8> {
        let suite = [&self.id()[..], &[0]].concat();
        let extensions = self.extensions(&[3, 4]);
        let body = [&[3, 3][..], &SERVER_RANDOM, &[0], &suite, &extensions].concat();
        record(22, &message(2, &body))
    }

    pub fn key_log(self) -> String {
        let hex = |bytes: &[u8]| {
            bytes
                .iter()
                .map(|it| format!("{it:02x}"))
                .collect::<String>()
        };
        let random = hex(&CLIENT_RANDOM);
        if !self.is_modern() {
            return format!("CLIENT_RANDOM {random} {}\n", hex(&MASTER));
        }
        let kinds = [
            "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
            "SERVER_HANDSHAKE_TRAFFIC_SECRET",
            "CLIENT_TRAFFIC_SECRET_0",
            "SERVER_TRAFFIC_SECRET_0",
        ];
        let lines = kinds
            .iter()
            .zip(1..)
            .map(|(kind, number)| format!("{kind} {random} {}\n", hex(&[number; 32])));
        lines.collect()
    }
}

pub fn record(kind: u8, payload: &[u8]) -> Vec<u8> {
    let [high, low] = (payload.len() as u16).to_be_bytes();
    [&[kind, 3, 3, high, low], payload].concat()
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let [_, length @ ..] = (body.len() as u32).to_be_bytes();
    [&[kind][..], &length, body].concat()
}

/// Encrypts the records of one side.
pub struct Sealer {
    suite: Suite,
    /// 0 the client, 1 the server.
    side: u8,
    secret: [u8; 32],
    key: [u8; 32],
    iv: [u8; 12],
    mac: [u8; 20],
    sequence: u64,
}

impl Sealer {
    pub fn new(suite: Suite, side: u8) -> Self {
        let mut sealer = Self {
            suite,
            side,
            secret: [1 + side; 32],
            key: [0; 32],
            iv: [0; 12],
            mac: [0; 20],
            sequence: 0,
        };
        if suite.is_modern() {
            sealer.keys();
        } else {
            sealer.key_block();
        }
        sealer
    }

    /// RFC 8446 §7.3.
    fn keys(&mut self) {
        expand(
            &self.secret,
            b"key",
            match self.suite {
                Suite::ModernGcm => &mut self.key[..16],
                _ => &mut self.key[..],
            },
        );
        expand(&self.secret, b"iv", &mut self.iv);
        self.sequence = 0;
    }

    /// RFC 5246 §6.3.
    fn key_block(&mut self) {
        let seed = [&b"key expansion"[..], &SERVER_RANDOM, &CLIENT_RANDOM].concat();
        let keyed = || Hmac::<Sha256>::new_from_slice(&MASTER).expect("any length");
        let hash = |parts: &[&[u8]]| {
            let mut mac = keyed();
            parts.iter().for_each(|part| mac.update(part));
            mac.finalize().into_bytes()
        };
        let mut link = hash(&[&seed]);
        let mut block = Vec::new();
        while block.len() < 128 {
            block.extend(hash(&[&link, &seed]));
            link = hash(&[&link]);
        }
        let side = usize::from(self.side);
        if self.suite == Suite::Gcm {
            self.key[..16].copy_from_slice(&block[16 * side..][..16]);
            self.iv[..4].copy_from_slice(&block[32 + 4 * side..][..4]);
        } else {
            self.mac.copy_from_slice(&block[20 * side..][..20]);
            self.key[..16].copy_from_slice(&block[40 + 16 * side..][..16]);
        }
    }

    /// Completes this side's part of the handshake.
    pub fn finish(&mut self) -> Vec<u8> {
        let change = record(20, &[1]);
        let finished = self.seal(22, &message(20, &[0; 32]), 0);
        if self.suite.is_modern() {
            self.secret = [3 + self.side; 32];
            self.keys();
        }
        [change, finished].concat()
    }

    /// A KeyUpdate, and the next generation of traffic keys (RFC 8446 §7.2).
    pub fn update(&mut self) -> Vec<u8> {
        let record = self.seal(22, &message(24, &[0]), 0);
        if self.suite.is_modern() {
            let mut next = [0; 32];
            expand(&self.secret, b"traffic upd", &mut next);
            self.secret = next;
            self.keys();
        }
        record
    }

    /// An authentic record; `odd` selects its padding, which may be invalid.
    pub fn seal(&mut self, kind: u8, plain: &[u8], odd: u8) -> Vec<u8> {
        let plain = &plain[..plain.len().min(1 << 14)];
        let sequence = self.sequence.to_be_bytes();
        self.sequence += 1;
        match self.suite {
            Suite::ModernGcm | Suite::ModernChaCha => {
                let mut text = plain.to_vec();
                text.push(kind);
                text.resize(text.len() + usize::from(odd & 15), 0);
                let [high, low] = (text.len() as u16 + 16).to_be_bytes();
                let mut nonce = self.iv;
                nonce
                    .iter_mut()
                    .skip(4)
                    .zip(sequence)
                    .for_each(|(byte, number)| *byte ^= number);
                let header = [23, 3, 3, high, low];
                let tag = match self.suite {
                    Suite::ModernGcm => {
                        aead::<Aes128Gcm>(&self.key[..16], &nonce, &header, &mut text)
                    }
                    _ => aead::<ChaCha20Poly1305>(&self.key, &nonce, &header, &mut text),
                };
                record(23, &[text, tag].concat())
            }
            Suite::Gcm => {
                let mut text = plain.to_vec();
                let mut nonce = self.iv;
                nonce[4..].copy_from_slice(&sequence);
                let beside = associated(sequence, kind, text.len());
                let tag = aead::<Aes128Gcm>(&self.key[..16], &nonce, &beside, &mut text);
                record(kind, &[&sequence[..], &text, &tag].concat())
            }
            Suite::Cbc | Suite::CbcThenMac => {
                let late = self.suite == Suite::CbcThenMac;
                let mut text = plain.to_vec();
                if !late {
                    text.extend(self.mac(sequence, kind, plain));
                }
                let padding = 15 - text.len() % 16 + 16 * usize::from(odd >> 4);
                // The last byte may claim any padding length.
                let claim = if odd & 15 == 15 { odd } else { padding as u8 };
                text.resize(text.len() + padding + 1, claim);
                let mut body = vec![5; 16];
                body.extend(cbc(&self.key[..16], text));
                if late {
                    body.extend(self.mac(sequence, kind, &body));
                }
                record(kind, &body)
            }
        }
    }

    fn mac(&self, sequence: [u8; 8], kind: u8, bytes: &[u8]) -> Vec<u8> {
        let mut mac = Hmac::<Sha1>::new_from_slice(&self.mac).expect("any length");
        mac.update(&associated(sequence, kind, bytes.len()));
        mac.update(bytes);
        mac.finalize().into_bytes().to_vec()
    }
}

fn associated(sequence: [u8; 8], kind: u8, length: usize) -> Vec<u8> {
    let [high, low] = (length as u16).to_be_bytes();
    [&sequence[..], &[kind, 3, 3, high, low]].concat()
}

fn aead<C: KeyInit + AeadInOut>(
    key: &[u8],
    nonce: &[u8; 12],
    beside: &[u8],
    text: &mut [u8],
) -> Vec<u8> {
    let cipher = C::new_from_slice(key).expect("its length");
    let nonce = <&Nonce<C>>::try_from(&nonce[..]).expect("its length");
    let tag = cipher.encrypt_inout_detached(nonce, beside, text.into());
    tag.expect("short enough").to_vec()
}

/// Encrypts with an IV of sixteen fives.
fn cbc(key: &[u8], mut text: Vec<u8>) -> Vec<u8> {
    let mut mode =
        cbc::Encryptor::<aes::Aes128>::new_from_slices(key, &[5; 16]).expect("their lengths");
    for block in text.chunks_exact_mut(16) {
        mode.encrypt_block(block.try_into().expect("its length"));
    }
    text
}

fn expand(secret: &[u8], label: &[u8], out: &mut [u8]) {
    let length = (out.len() as u16).to_be_bytes();
    let lengths = [6 + label.len() as u8];
    let info: [&[u8]; 5] = [&length, &lengths, b"tls13 ", label, &[0]];
    let expanded = Hkdf::<Sha256>::from_prk(secret)
        .expect("its length")
        .expand_multi_info(&info, out);
    expanded.expect("short enough");
}
