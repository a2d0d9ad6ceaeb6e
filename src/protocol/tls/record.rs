//! Splits one direction into records (RFC 8446 §5.1, RFC 5246 §6.2.1).
//!
//! In: slices of the stream, and the lengths of gaps. Out: an [`EndedRecord`] for every record, and the handshake
//! messages in the clear, collected across records and segments. Everything else is skipped: encrypted data is counted,
//! not kept.

use crate::base::frame_ref::FrameRef;
use crate::protocol::parts::StreamPart;

/// Most bytes of record payload: 2^14 and room for expansion (RFC 5246 §6.2.3; RFC 8446 §5.2 has less).
pub(super) const MAX_RECORD: usize = (1 << 14) + 2048;
/// Most bytes of unparsed handshake messages that are kept: certificate chains have 3 to 8 KB; OpenSSL takes 100 KB at
/// most.
pub(crate) const MAX_WAITING: usize = 100 << 10;
/// The offset that is never reached.
pub(super) const NEVER: u64 = u64::MAX;

pub(super) const CHANGE_CIPHER_SPEC: u8 = 20;
pub(super) const ALERT: u8 = 21;
pub(super) const HANDSHAKE: u8 = 22;
pub(super) const APPLICATION_DATA: u8 = 23;
pub(super) const HEARTBEAT: u8 = 24;

/// An encrypted TLS 1.3 alert without padding: two bytes, the content type and a 16-byte tag (RFC 8446 §5.2).
pub(super) const ENCRYPTED_ALERT_LENGTH: u16 = 19;
/// Zeros that the JDK appends to each encrypted record (`OutputRecord.t13Encrypt`).
pub(super) const PADDING_OF_JDK: u16 = 16;
/// The same alert with the padding of the JDK.
pub(super) const JDK_ALERT_LENGTH: u16 = ENCRYPTED_ALERT_LENGTH + PADDING_OF_JDK;
/// The same alert as Mbed TLS sends it, which pads content and type to a multiple of 16 bytes
/// (`MBEDTLS_SSL_CID_TLS1_3_PADDING_GRANULARITY`).
pub(super) const MBED_ALERT_LENGTH: u16 = 32;
/// An alert is rarely longer, in any cipher and with any padding.
pub(super) const LONGEST_ALERT: u16 = 96;
/// A Certificate message of TLS 1.3 without certificates (RFC 8446 §4.4.2): header, an empty context, an empty list.
pub(super) const EMPTY_CERTIFICATE_LENGTH: u16 = 8;
/// The same, encrypted: with the content type and the tag.
pub(super) const ENCRYPTED_EMPTY_CERTIFICATE_LENGTH: u16 = EMPTY_CERTIFICATE_LENGTH + 17;
/// The same with the padding of the JDK.
pub(super) const JDK_EMPTY_CERTIFICATE_LENGTH: u16 =
    ENCRYPTED_EMPTY_CERTIFICATE_LENGTH + PADDING_OF_JDK;
/// The shortest encrypted Finished: four bytes, a hash of 32, the content type and the tag of eight bytes that
/// `TLS_AES_128_CCM_8_SHA256` has. What ends a client's part of the handshake is no shorter.
const SHORTEST_FINISHED: u16 = 45;
/// An encrypted alert up to TLS 1.2 is no shorter: two bytes, and the shortest MAC or tag with what it needs.
const MIN_ENCRYPTED_ALERT: u16 = 18;

/// The records of one direction.
#[derive(Clone, Debug, Default)]
pub(super) struct RecordReader {
    /// Bytes so far, from the first record on.
    pub(super) offset: u64,
    /// Bytes of the current record that are still to come.
    left: u32,
    header: [u8; 5],
    have: u8,
    reading: RecordState,
    /// A gap may have ended anywhere. Reading resumes at the next slice that begins with a record header.
    lost: bool,
    /// Record boundaries were lost once: records may have passed unseen.
    pub(super) unsure: bool,
    /// A record header was seen.
    any: bool,
    /// The first record seen is application data or an encrypted alert: the handshake was before the capture.
    pub(super) midstream: bool,
    /// A ChangeCipherSpec was seen: later records are encrypted (up to TLS 1.2).
    pub(super) ciphered: bool,
    /// A HelloRetryRequest was seen: a ChangeCipherSpec changes no keys (RFC 8446 appendix D.4).
    pub(super) retried: bool,
    /// Handshake messages that are not parsed yet.
    pub(super) waiting: Vec<u8>,
    /// Where the first byte of `waiting` was seen.
    pub(super) since: FrameRef,
    /// Message boundaries are lost: no more messages are collected.
    desynchronized: bool,
    /// Handshake messages that were longer than what is kept of one.
    pub(super) too_long: u32,
    /// Offset after the first record under the negotiated keys, and where it was seen.
    pub(super) settled: Option<(u64, FrameRef)>,
    settles: bool,
    alert: [u8; 2],
    alert_have: u8,
    /// The last record that ended.
    pub(super) last: Option<EndedRecord>,
    /// A record header was complete just now.
    just_begun: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum RecordState {
    #[default]
    PassOver,
    Messages,
    Alert,
}

/// Whether an encrypted record of TLS 1.3 is as long as an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AlertLength {
    /// As one without padding: it has room for two bytes, and hardly anything else is so short.
    Bare,
    /// As one that a library pads: something else may be as long, so only what comes after it shows what it was.
    Padded,
}

/// A record that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EndedRecord {
    pub(super) kind: u8,
    pub(super) length: u16,
    /// Where its last byte was seen.
    pub(super) at: FrameRef,
    /// Level and description of an alert in the clear.
    pub(super) alert: Option<(u8, u8)>,
    /// It is the first record under the negotiated keys, or came before that one.
    pub(super) in_handshake: bool,
}

impl EndedRecord {
    /// Whether it is as long as an encrypted alert of TLS 1.3.
    pub(super) const fn alert_length(&self) -> Option<AlertLength> {
        match (self.kind, self.length) {
            (APPLICATION_DATA, ENCRYPTED_ALERT_LENGTH) => Some(AlertLength::Bare),
            (APPLICATION_DATA, JDK_ALERT_LENGTH | MBED_ALERT_LENGTH) => Some(AlertLength::Padded),
            _ => None,
        }
    }
}

impl RecordReader {
    /// Consumes at least one byte of `bytes`. Returns how many, and the record that ended with them.
    pub(super) fn step(&mut self, bytes: &[u8], at: FrameRef) -> (usize, Option<EndedRecord>) {
        if self.left > 0 {
            let take = (self.left as usize).min(bytes.len());
            match self.reading {
                RecordState::PassOver => {}
                RecordState::Messages => self.gather(bytes.get(..take).unwrap_or_default(), at),
                RecordState::Alert => {
                    for byte in bytes.iter().take(take) {
                        if let Some(slot) = self.alert.get_mut(usize::from(self.alert_have)) {
                            *slot = *byte;
                            self.alert_have += 1;
                        }
                    }
                }
            }
            self.left -= take as u32;
            self.offset = self.offset.saturating_add(take as u64);
            let ended = (self.left == 0).then(|| self.record_ended(at));
            return (take, ended);
        }
        let missing = 5 - usize::from(self.have);
        let take = missing.min(bytes.len());
        let from = usize::from(self.have);
        if let (Some(slots), Some(head)) =
            (self.header.get_mut(from..from + take), bytes.get(..take))
        {
            slots.copy_from_slice(head);
        }
        self.have += take as u8;
        self.offset = self.offset.saturating_add(take as u64);
        if self.have < 5 {
            return (take, None);
        }
        self.have = 0;
        if !self.record_begins() {
            self.lose();
            let rest = bytes.len() - take;
            self.offset = self.offset.saturating_add(rest as u64);
            return (bytes.len(), None);
        }
        let ended = (self.left == 0).then(|| self.record_ended(at));
        (take, ended)
    }

    /// Begins a slice. After a loss, records are looked for again here.
    pub(super) fn begin_slice(&mut self) {
        if self.lost {
            self.lost = false;
            self.left = 0;
            self.have = 0;
        }
    }

    /// Skips bytes that were not captured. If they end inside the current record, only part of its content is lost.
    /// Returns the record that ended with them.
    pub(super) fn skip(&mut self, length: u64, at: FrameRef) -> Option<EndedRecord> {
        self.offset = self.offset.saturating_add(length);
        let within = u64::from(self.left).checked_sub(length);
        if self.reading == RecordState::Messages || within.is_none() {
            self.desynchronized = true;
        }
        match within {
            Some(left) => {
                self.left = left as u32;
                (left == 0 && length > 0).then(|| self.record_ended(at))
            }
            None => {
                let settles = self.settles;
                let ended = (self.left > 0).then(|| self.record_ended(at));
                self.settles = false;
                self.lose();
                ended.filter(|_| settles)
            }
        }
    }

    fn lose(&mut self) {
        self.lost = true;
        self.unsure = true;
        self.desynchronized = true;
        self.left = 0;
        self.have = 0;
    }

    /// The record whose header was complete just now: its offset, its length with the header, and what it is.
    pub(super) fn begun(&mut self) -> Option<(u64, u64, StreamPart<'static>)> {
        if !std::mem::take(&mut self.just_begun) {
            return None;
        }
        let [kind, _, _, high, low] = self.header;
        let part = StreamPart::TlsRecord {
            kind,
            is_clear: self.reading != RecordState::PassOver || kind == CHANGE_CIPHER_SPEC,
        };
        let length = u64::from(u16::from_be_bytes([high, low])) + 5;
        Some((self.offset.saturating_sub(5), length, part))
    }

    /// Parses a complete record header. Returns false if it is not one.
    fn record_begins(&mut self) -> bool {
        let [kind, major, _, high, low] = self.header;
        let length = u16::from_be_bytes([high, low]);
        if !(20..=24).contains(&kind) || major != 3 || usize::from(length) > MAX_RECORD {
            return false;
        }
        self.left = u32::from(length);
        self.just_begun = true;
        let first = !std::mem::replace(&mut self.any, true);
        self.reading = RecordState::PassOver;
        self.alert_have = 0;
        match kind {
            CHANGE_CIPHER_SPEC => self.ciphered = !self.retried,
            HANDSHAKE if self.ciphered => self.settles = true,
            HANDSHAKE if !self.desynchronized => self.reading = RecordState::Messages,
            ALERT if length == 2 => self.reading = RecordState::Alert,
            APPLICATION_DATA if first => self.midstream = true,
            ALERT if first && length >= MIN_ENCRYPTED_ALERT => self.midstream = true,
            APPLICATION_DATA => self.settles = length >= SHORTEST_FINISHED,
            _ => {}
        }
        true
    }

    fn record_ended(&mut self, at: FrameRef) -> EndedRecord {
        let [kind, _, _, high, low] = self.header;
        let in_handshake = self.settled.is_none();
        if std::mem::take(&mut self.settles) && in_handshake {
            self.settled = Some((self.offset, at));
            self.waiting = Vec::new();
        }
        let [level, code] = self.alert;
        let clear =
            self.reading == RecordState::Alert && self.alert_have == 2 && (1..=2).contains(&level);
        let ended = EndedRecord {
            kind,
            length: u16::from_be_bytes([high, low]),
            at,
            alert: clear.then_some((level, code)),
            in_handshake,
        };
        self.last = Some(ended);
        ended
    }

    fn gather(&mut self, bytes: &[u8], at: FrameRef) {
        if self.waiting.is_empty() {
            self.since = at;
        }
        if self.waiting.len() + bytes.len() > MAX_WAITING {
            self.waiting = Vec::new();
            self.stop_collecting();
            self.too_long = self.too_long.saturating_add(1);
            return;
        }
        self.waiting.extend_from_slice(bytes);
    }

    /// Collects no more handshake messages.
    pub(super) fn stop_collecting(&mut self) {
        self.desynchronized = true;
        if self.reading == RecordState::Messages {
            self.reading = RecordState::PassOver;
        }
    }

    /// Offset after the first record under the negotiated keys; [`NEVER`] while there is none.
    pub(super) fn settled_at(&self) -> u64 {
        self.settled.map_or(NEVER, |(offset, _)| offset)
    }

    /// Bytes that the last record still lacks, if it was followed to here without a loss.
    pub(super) fn lacking(&self) -> u32 {
        match (self.unsure, self.have) {
            (true, _) => 0,
            (false, 0) => self.left,
            (false, have) => 5_u32.saturating_sub(u32::from(have)),
        }
    }

    /// The handshake is over, as what is sent here shows, though the records that ended it were not captured.
    pub(super) fn settle(&mut self, at: FrameRef) {
        self.settled.get_or_insert((self.offset, at));
        self.settles = false;
        self.waiting = Vec::new();
    }

    /// Whether everything so far lies in records that were seen to their end.
    pub(super) fn is_at_boundary(&self) -> bool {
        !self.lost && self.left == 0 && self.have == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(kind: u8, length: usize) -> Vec<u8> {
        let mut bytes = vec![kind, 3, 3, (length >> 8) as u8, length as u8];
        bytes.resize(5 + length, 2);
        bytes
    }

    fn feed(direction: &mut RecordReader, mut bytes: &[u8]) -> Vec<EndedRecord> {
        let mut ended = Vec::new();
        direction.begin_slice();
        while !bytes.is_empty() {
            let (used, end) = direction.step(bytes, FrameRef::default());
            bytes = &bytes[used..];
            ended.extend(end);
        }
        ended
    }

    /// Checks after how many bytes the direction settles, whatever the size of the slices.
    #[track_caller]
    fn check(records: &[(u8, usize)], settled: Option<u64>) {
        let stream: Vec<u8> = records
            .iter()
            .flat_map(|(kind, length)| record(*kind, *length))
            .collect();
        for slice in 1..=stream.len() {
            let mut direction = RecordReader::default();
            let mut ended = 0;
            for piece in stream.chunks(slice) {
                ended += feed(&mut direction, piece).len();
            }
            assert_eq!(ended, records.len(), "in slices of {slice}");
            assert_eq!(
                direction.settled.map(|it| it.0),
                settled,
                "in slices of {slice}"
            );
            assert!(direction.is_at_boundary());
        }
    }

    #[test]
    fn a_direction_settles_with_its_first_record_under_new_keys() {
        check(&[(22, 30), (22, 7)], None);
        check(&[(22, 30), (20, 1), (22, 40)], Some(35 + 6 + 45));
        check(&[(22, 30), (20, 1), (23, 53), (23, 100)], Some(35 + 6 + 58));
        check(&[(22, 30), (23, 53)], Some(35 + 58));
        check(&[(22, 30), (20, 1), (23, 19)], None);
        check(
            &[(22, 30), (20, 1), (23, 25), (23, 53)],
            Some(35 + 6 + 30 + 58),
        );
        check(&[(22, 30), (21, 2)], None);
        check(&[(22, 0), (21, 2)], None);
    }

    #[test]
    fn a_first_record_under_keys_means_the_handshake_was_before() {
        for (kind, length, before) in [
            (23, 9, true),
            (21, 22, true),
            (21, 2, false),
            (22, 64, false),
        ] {
            let mut direction = RecordReader::default();
            feed(&mut direction, &record(kind, length));
            assert_eq!(direction.midstream, before, "{kind} of {length}");
        }
    }

    #[test]
    fn records_are_found_again_after_a_loss() {
        let mut direction = RecordReader::default();
        feed(&mut direction, &record(22, 30)[..10]);
        assert_eq!(direction.skip(500, FrameRef::default()), None);
        assert!(!direction.is_at_boundary());
        assert_eq!(feed(&mut direction, b"rest of a record").len(), 0);
        assert_eq!(feed(&mut direction, &record(23, 100)).len(), 1);
        // A gap within one record loses nothing else.
        let long = record(23, 100);
        feed(&mut direction, &long[..50]);
        assert_eq!(direction.skip(20, FrameRef::default()), None);
        assert_eq!(feed(&mut direction, &long[70..]).len(), 1);
    }
}
