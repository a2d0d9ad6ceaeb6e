//! Decrypts the records of one connection, both directions, from the hellos on.
//!
//! In: every record in order, as it was sent, and what the hellos agreed on. Out: the plaintext. In TLS 1.3 the
//! decryptor parses handshake messages as far as it must: after a Finished, an EndOfEarlyData or a KeyUpdate the sender
//! continues under other keys (RFC 8446 §4.5, §4.6.3, §7).

use std::ops::Range;

use super::cipher_suite::{CipherSuite, RecordCipher};
use super::key_log::Secret;
use super::key_schedule::{HashAlgorithm, expand_label, prf};
use super::key_store::ConnectionSecrets;
use super::record_protection::{RecordFormat, RecordProtection, TrafficKeys, iv_length};
use super::types::{EarlyData, HEADER, MAX_LOST, NegotiatedParameters, NotDecrypted, Plaintext};

/// Decrypts the records of one connection.
#[derive(Clone, Debug)]
pub struct Decryptor {
    suite: CipherSuite,
    format: RecordFormat,
    /// The client's and the server's.
    sides: [DirectionKeys; 2],
}

#[derive(Clone, Debug, Default)]
struct DirectionKeys {
    /// The keys of the next record; `None` while records are in the clear.
    now: Option<KeyStage>,
    /// The keys after those, next first.
    later: Vec<KeyStage>,
    sequence: u64,
    steps: HandshakeMessages,
    /// An unknown number of records was lost.
    lost: bool,
    /// Records in a row that were not decrypted.
    misses: u32,
    /// What this side shows of the fate of early data.
    early_data: EarlyData,
}

#[derive(Clone, Debug)]
struct KeyStage {
    kind: KeyStageKind,
    protection: Option<RecordProtection>,
    /// TLS 1.3: the secret from which the next keys are derived.
    secret: Option<Secret>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum KeyStageKind {
    /// Up to TLS 1.2: all encrypted records.
    Whole,
    Early,
    Handshake,
    Traffic,
}

/// For how many records in a row this is tried: each of them costs as much as [`MAX_LOST`] records.
const MAX_MISSES: u32 = 32;

const CHANGE_CIPHER_SPEC: u8 = 20;
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;

impl Decryptor {
    /// A decryptor for a connection that agreed on this.
    ///
    /// # Errors
    /// If no record of it can ever be decrypted.
    pub fn new(
        agreed: &NegotiatedParameters,
        secrets: &ConnectionSecrets,
    ) -> Result<Self, NotDecrypted> {
        let suite = CipherSuite::from_id(agreed.suite).ok_or(NotDecrypted::Unsupported)?;
        let format = match agreed.version {
            0x0301 => RecordFormat::Chained,
            0x0302 | 0x0303 => RecordFormat::Explicit,
            0x0304 => RecordFormat::Modern,
            _ => return Err(NotDecrypted::Unsupported),
        };
        let sides = match format {
            RecordFormat::Modern => modern(suite, secrets)?,
            RecordFormat::Chained | RecordFormat::Explicit => {
                classic(agreed, suite, format, secrets)?
            }
        };
        Ok(Self {
            suite,
            format,
            sides,
        })
    }

    /// The sides renegotiated (RFC 5246 §7.4.1.2): each switches to its new keys with its next ChangeCipherSpec.
    pub(crate) fn renew(&mut self, agreed: &NegotiatedParameters, secrets: &ConnectionSecrets) {
        let Ok(new) = Self::new(agreed, secrets) else {
            return;
        };
        if new.format != self.format {
            return;
        }
        for (side, new) in self.sides.iter_mut().zip(new.sides) {
            side.later = new.later;
        }
    }

    /// A record of this side (0 the client, 1 the server) is incomplete, but its place in the order is known.
    pub fn skip(&mut self, side: usize, kind: u8) {
        let Some(side) = self.sides.get_mut(side) else {
            return;
        };
        match (self.format, kind) {
            (RecordFormat::Modern, APPLICATION_DATA) => side.sequence += 1,
            (RecordFormat::Modern, _) => {}
            (_, CHANGE_CIPHER_SPEC) => side.change_cipher_spec(),
            _ if side.now.is_some() => side.sequence += 1,
            _ => {}
        }
        // During the handshake it may have been the last message under these keys.
        side.steps = HandshakeMessages::default();
    }

    /// An unknown number of records of this side was lost.
    pub(crate) fn lose(&mut self, side: usize) {
        if let Some(side) = self.sides.get_mut(side) {
            side.lost = true;
            side.steps = HandshakeMessages::default();
        }
    }

    /// Decrypts the next record of this side (0 the client, 1 the server), in place and without its header. A record in
    /// the clear is left as it is.
    ///
    /// # Errors
    /// If the record cannot be decrypted.
    pub fn open(
        &mut self,
        side: usize,
        header: [u8; HEADER],
        record: &mut [u8],
    ) -> Result<Plaintext, NotDecrypted> {
        let kind = header[0];
        let whole = Plaintext {
            kind,
            early: false,
            place: 0..record.len(),
            hidden: false,
        };
        let side = self.sides.get_mut(side).ok_or(NotDecrypted::NoSecret)?;
        match self.format {
            RecordFormat::Modern if kind != APPLICATION_DATA => return Ok(whole),
            RecordFormat::Modern => {}
            RecordFormat::Chained | RecordFormat::Explicit => {
                if kind == CHANGE_CIPHER_SPEC {
                    side.change_cipher_spec();
                    return Ok(whole);
                }
                // Application data is never in the clear: it shows that a ChangeCipherSpec was not captured.
                if side.now.is_none() && kind != APPLICATION_DATA {
                    return Ok(whole);
                }
            }
        }
        let place = side.open(header, record)?;
        if self.format != RecordFormat::Modern {
            return Ok(Plaintext {
                kind,
                early: false,
                place,
                hidden: true,
            });
        }
        let early = side.is_early();
        // The content type is the last byte that is not zero (RFC 8446 §5.2).
        let text = record.get(place.clone()).unwrap_or_default();
        let last = text
            .iter()
            .rposition(|byte| *byte != 0)
            .ok_or(NotDecrypted::WrongSecret)?;
        let kind = text.get(last).copied().unwrap_or(0);
        let place = place.start..place.start + last;
        if kind == HANDSHAKE {
            side.track_key_changes(self.suite, record.get(place.clone()).unwrap_or_default());
        }
        Ok(Plaintext {
            kind,
            early,
            place,
            hidden: true,
        })
    }

    /// In how many directions no record was decrypted again after records were lost, because they may be too many.
    pub(crate) fn given_up(&self) -> u64 {
        let all = self.sides.iter();
        all.filter(|it| it.lost && it.misses >= MAX_MISSES).count() as u64
    }

    /// What became of the client's early data. The server's EncryptedExtensions state it; where they cannot be read,
    /// the client's next step shows it.
    #[must_use]
    pub(crate) fn early_data(&self) -> EarlyData {
        match self.sides.each_ref().map(|side| side.early_data) {
            [own, EarlyData::Undecided] => own,
            [_, told] => told,
        }
    }
}

impl DirectionKeys {
    fn is_early(&self) -> bool {
        self.now
            .as_ref()
            .is_some_and(|stage| stage.kind == KeyStageKind::Early)
    }

    fn change_cipher_spec(&mut self) {
        self.advance();
    }

    fn advance(&mut self) {
        if !self.later.is_empty() {
            self.now = Some(self.later.remove(0));
            self.sequence = 0;
            self.lost = false;
        }
    }

    fn open(
        &mut self,
        header: [u8; HEADER],
        record: &mut [u8],
    ) -> Result<Range<usize>, NotDecrypted> {
        let searches = self.lost && self.misses < MAX_MISSES;
        let ahead = if searches { MAX_LOST } else { 0 };
        // A failed attempt destroys the record: keep a copy where another attempt may follow.
        let others = ahead > 0 || !self.later.is_empty();
        let copy = others.then(|| record.to_vec());
        let mut attempt = |stage: &mut KeyStage, first: u64| {
            let protection = stage.protection.as_mut()?;
            (first..=first.saturating_add(ahead)).find_map(|sequence| {
                let place = protection.open(sequence, header, record);
                if let (None, Some(copy)) = (&place, &copy) {
                    record.copy_from_slice(copy);
                }
                Some((place?, sequence.saturating_add(1)))
            })
        };
        let own = self.now.as_mut();
        let mut found = own.and_then(|stage| attempt(stage, self.sequence));
        if found.is_none() {
            // Early data was rejected, or the handshake was not captured to its end: the sender has moved on to later
            // keys.
            let mut places = self.later.iter_mut().enumerate();
            let next = places.find_map(|(place, stage)| Some((place, attempt(stage, 0)?)));
            if let Some((place, opened)) = next {
                if self.is_early() {
                    self.early_data = EarlyData::Refused;
                }
                self.now = self.later.drain(..=place).next_back();
                self.steps = HandshakeMessages::default();
                found = Some(opened);
            }
        }
        match found {
            Some((place, next)) => {
                self.sequence = next;
                self.lost = false;
                self.misses = 0;
                Ok(place)
            }
            None => {
                self.sequence = self.sequence.saturating_add(1);
                self.misses = self.misses.saturating_add(1);
                let known = |stage: &KeyStage| stage.protection.is_some();
                Err(match self.now.as_ref().is_some_and(known) {
                    true => NotDecrypted::WrongSecret,
                    false => NotDecrypted::NoSecret,
                })
            }
        }
    }

    /// Watches decrypted handshake messages for those that change the keys.
    fn track_key_changes(&mut self, suite: CipherSuite, bytes: &[u8]) {
        let mut rest = bytes;
        while let Some(message) = self.steps.next(&mut rest) {
            let kind = self.now.as_ref().map(|stage| stage.kind);
            match (message, kind) {
                (HandshakeMessages::END_OF_EARLY_DATA, Some(KeyStageKind::Early)) => {
                    self.early_data = EarlyData::Taken;
                    self.advance();
                }
                (HandshakeMessages::ENCRYPTED_EXTENSIONS, Some(KeyStageKind::Handshake)) => {
                    self.early_data = self.steps.early_data();
                }
                (HandshakeMessages::FINISHED, Some(KeyStageKind::Handshake)) => self.advance(),
                (HandshakeMessages::KEY_UPDATE, Some(KeyStageKind::Traffic)) => self.update(suite),
                _ => {}
            }
        }
    }

    /// Derives the next generation of keys (RFC 8446 §7.2).
    fn update(&mut self, suite: CipherSuite) {
        let Some(stage) = &mut self.now else { return };
        let next = stage.secret.as_ref().and_then(|secret| {
            let mut next = vec![0; secret.bytes().len()];
            expand_label(suite.hash, secret.bytes(), b"traffic upd", &mut next)?;
            Some(Secret::from(next))
        });
        *stage = KeyStage::modern(KeyStageKind::Traffic, suite, next);
        self.sequence = 0;
    }
}

impl KeyStage {
    /// The keys derived from a secret of TLS 1.3 (RFC 8446 §7.3).
    fn modern(kind: KeyStageKind, suite: CipherSuite, secret: Option<Secret>) -> Self {
        let protection = secret.as_ref().and_then(|secret| {
            let mut key = [0; 32];
            let key = key.get_mut(..suite.key)?;
            expand_label(suite.hash, secret.bytes(), b"key", key)?;
            let mut iv = [0; 12];
            expand_label(suite.hash, secret.bytes(), b"iv", &mut iv)?;
            let keys = TrafficKeys {
                key,
                iv: &iv,
                mac: &[],
                encrypt_then_mac: false,
            };
            RecordProtection::new(suite, RecordFormat::Modern, &keys)
        });
        Self {
            kind,
            protection,
            secret,
        }
    }
}

fn modern(
    suite: CipherSuite,
    secrets: &ConnectionSecrets,
) -> Result<[DirectionKeys; 2], NotDecrypted> {
    if matches!(suite.bulk, RecordCipher::Cbc(_)) {
        return Err(NotDecrypted::Unsupported);
    }
    let nothing = secrets
        .handshake
        .iter()
        .chain(&secrets.traffic)
        .all(Option::is_none);
    if nothing {
        return Err(NotDecrypted::NoSecret);
    }
    Ok([0, 1].map(|index| {
        let early = secrets.early.clone().filter(|_| index == 0);
        let mut stages = Vec::with_capacity(3);
        if early.is_some() {
            stages.push(KeyStage::modern(KeyStageKind::Early, suite, early));
        }
        let handshake = secrets.handshake.get(index).cloned().flatten();
        stages.push(KeyStage::modern(KeyStageKind::Handshake, suite, handshake));
        let traffic = secrets.traffic.get(index).cloned().flatten();
        stages.push(KeyStage::modern(KeyStageKind::Traffic, suite, traffic));
        let now = stages.remove(0);
        DirectionKeys {
            now: Some(now),
            later: stages,
            ..DirectionKeys::default()
        }
    }))
}

fn classic(
    agreed: &NegotiatedParameters,
    suite: CipherSuite,
    format: RecordFormat,
    secrets: &ConnectionSecrets,
) -> Result<[DirectionKeys; 2], NotDecrypted> {
    let master = secrets.master.as_ref().ok_or(NotDecrypted::NoSecret)?;
    let hash = if agreed.version >= 0x0303 {
        suite.hash
    } else {
        HashAlgorithm::Md5Sha1
    };
    let mac = match suite.bulk {
        RecordCipher::Cbc(mac) => mac.length(),
        _ => 0,
    };
    let iv = iv_length(suite.bulk, format);
    // The largest key block: two MAC keys of 48, two keys of 32, two IVs of 16 bytes.
    let mut block = [0; 192];
    let block = block
        .get_mut(..2 * (mac + suite.key + iv))
        .ok_or(NotDecrypted::Unsupported)?;
    let randoms: [&[u8]; 2] = [&agreed.server_random, &agreed.client_random];
    prf(hash, master.bytes(), b"key expansion", &randoms, block);
    // For each kind the client's comes first, then the server's (RFC 5246 §6.3).
    let mut rest = &*block;
    let mut pair = |length: usize| {
        let (client, after) = rest.split_at_checked(length)?;
        let (server, after) = after.split_at_checked(length)?;
        rest = after;
        Some([client, server])
    };
    let cut = || NotDecrypted::Unsupported;
    let macs = pair(mac).ok_or_else(cut)?;
    let keys = pair(suite.key).ok_or_else(cut)?;
    let ivs = pair(iv).ok_or_else(cut)?;
    let mut sides = [DirectionKeys::default(), DirectionKeys::default()];
    let all = macs.into_iter().zip(keys).zip(ivs);
    for (side, ((mac, key), iv)) in sides.iter_mut().zip(all) {
        let keys = TrafficKeys {
            key,
            iv,
            mac,
            encrypt_then_mac: agreed.encrypt_then_mac,
        };
        let protection = RecordProtection::new(suite, format, &keys).ok_or_else(cut)?;
        side.later.push(KeyStage {
            kind: KeyStageKind::Whole,
            protection: Some(protection),
            secret: None,
        });
    }
    Ok(sides)
}

/// Finds where handshake messages end, however they are split into records.
#[derive(Clone, Debug, Default)]
struct HandshakeMessages {
    header: [u8; 4],
    have: usize,
    left: usize,
    /// Body of the last EncryptedExtensions.
    extensions: Vec<u8>,
}

/// Bytes kept of EncryptedExtensions; they have a few dozen.
const MAX_EXTENSIONS: usize = 4096;
/// The extension by which a server accepts early data (RFC 8446 §4.2.10).
const EARLY_DATA: [u8; 2] = [0, 42];

impl HandshakeMessages {
    const ENCRYPTED_EXTENSIONS: u8 = 8;
    const END_OF_EARLY_DATA: u8 = 5;
    const FINISHED: u8 = 20;
    const KEY_UPDATE: u8 = 24;

    /// The type of the next message that ends in `bytes`; consumes them up to there.
    fn next(&mut self, bytes: &mut &[u8]) -> Option<u8> {
        loop {
            if self.have < self.header.len() {
                let (first, rest) = bytes.split_first()?;
                *bytes = rest;
                self.header[self.have] = *first;
                self.have += 1;
                if self.have == self.header.len() {
                    self.extensions.clear();
                    let [_, high, middle, low] = self.header;
                    self.left =
                        usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
                }
            }
            if self.have == self.header.len() {
                let taken = self.left.min(bytes.len());
                if self.header[0] == Self::ENCRYPTED_EXTENSIONS {
                    let room = MAX_EXTENSIONS.saturating_sub(self.extensions.len());
                    let some = bytes.get(..taken.min(room)).unwrap_or_default();
                    self.extensions.extend_from_slice(some);
                }
                *bytes = bytes.get(taken..).unwrap_or_default();
                self.left -= taken;
                if self.left > 0 {
                    return None;
                }
                self.have = 0;
                return Some(self.header[0]);
            }
        }
    }
}

impl HandshakeMessages {
    /// What EncryptedExtensions state about early data (RFC 8446 §4.3.1).
    fn early_data(&self) -> EarlyData {
        let mut rest = self.extensions.get(2..).unwrap_or_default();
        while let [first, second, high, low, after @ ..] = rest {
            if [*first, *second] == EARLY_DATA {
                return EarlyData::Taken;
            }
            let length = usize::from(u16::from_be_bytes([*high, *low]));
            rest = after.get(length..).unwrap_or_default();
        }
        EarlyData::Refused
    }
}

#[cfg(test)]
mod tests;
