//! How far a TLS handshake came, from record headers alone (RFC 5246 §6.2, RFC 8446 §5.1).
//!
//! A direction has *settled* after its first record under the new keys: the one after ChangeCipherSpec, or, without
//! that, its first application data. In TLS 1.3 everything after the hello is application data, alerts included; those
//! are too small to be a Finished, and settle nothing. Certificates, versions and alerts are read elsewhere.

/// Record payload: 2^14 and room for expansion (RFC 5246 §6.2.3; RFC 8446 §5.2 has less).
const MAX_RECORD: usize = (1 << 14) + 2048;

/// No position.
pub(super) const NEVER: u64 = u64::MAX;
/// An encrypted TLS 1.3 alert: two bytes, the content type and a 16-byte tag, with some padding allowed.
const ALERT: u32 = 24;

const CHANGE_CIPHER_SPEC: u8 = 20;
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;

/// One direction of a TLS connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TlsLane {
    /// Bytes of the record that are still to come.
    left: u32,
    /// The record header so far.
    header: [u8; 5],
    have: u8,
    ciphered: bool,
    /// The record in progress settles this direction when it ends.
    settles: bool,
    any: bool,
    lost: bool,
}

/// What some bytes said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TlsNews {
    /// This direction settled after so many of the bytes.
    Settled(usize),
    /// The first record that was seen is application data: the handshake was before the capture.
    Midstream,
}

impl TlsLane {
    pub(super) const fn new() -> Self {
        Self {
            left: 0,
            header: [0; 5],
            have: 0,
            ciphered: false,
            settles: false,
            any: false,
            lost: false,
        }
    }

    /// Passes over the bytes of one slice.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Option<TlsNews> {
        let mut news = None;
        let mut at = 0;
        if self.lost {
            self.left = 0;
            self.have = 0;
            self.lost = false;
        }
        while at < bytes.len() {
            if self.left > 0 {
                let take = (self.left as usize).min(bytes.len() - at);
                at += take;
                self.left -= take as u32;
                if self.left == 0 && self.settles {
                    self.settles = false;
                    news = news.or(Some(TlsNews::Settled(at)));
                }
                continue;
            }
            if let (Some(slot), Some(byte)) =
                (self.header.get_mut(usize::from(self.have)), bytes.get(at))
            {
                *slot = *byte;
            }
            at += 1;
            self.have += 1;
            if self.have == 5 {
                self.have = 0;
                if let Some(found) = self.record() {
                    news = news.or(Some(found));
                }
                if self.lost {
                    break;
                }
            }
        }
        news
    }

    /// A record header is complete.
    fn record(&mut self) -> Option<TlsNews> {
        let [kind, major, _, high, low] = self.header;
        let length = u32::from(u16::from_be_bytes([high, low]));
        if !(20..=24).contains(&kind) || major != 3 || length as usize > MAX_RECORD {
            self.lost = true;
            return None;
        }
        self.left = length;
        let first = !std::mem::replace(&mut self.any, true);
        match kind {
            CHANGE_CIPHER_SPEC => self.ciphered = true,
            HANDSHAKE => self.settles = self.ciphered,
            APPLICATION_DATA if first => return Some(TlsNews::Midstream),
            APPLICATION_DATA => self.settles = length > ALERT,
            _ => {}
        }
        None
    }

    /// Passes over bytes that were not captured. If they end inside the record in progress nothing is lost.
    pub(super) fn skip(&mut self, length: u64) -> Option<TlsNews> {
        match u64::from(self.left).checked_sub(length) {
            Some(left) => self.left = left as u32,
            None => self.lost = true,
        }
        let settled = self.settles && (self.left == 0 || self.lost);
        self.settles &= !settled;
        settled.then_some(TlsNews::Settled(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(kind: u8, length: usize) -> Vec<u8> {
        let mut bytes = vec![kind, 3, 3, (length >> 8) as u8, length as u8];
        bytes.resize(5 + length, 0);
        bytes
    }

    /// Where the direction settles, whatever the slices.
    #[track_caller]
    fn check(records: &[(u8, usize)], settled: Option<usize>) {
        let stream: Vec<u8> = records
            .iter()
            .flat_map(|(kind, length)| record(*kind, *length))
            .collect();
        for slice in 1..=stream.len() {
            let mut lane = TlsLane::new();
            let mut found = None;
            for (index, piece) in stream.chunks(slice).enumerate() {
                if let Some(TlsNews::Settled(after)) = lane.feed(piece) {
                    found = found.or(Some(index * slice + after));
                }
            }
            assert_eq!(found, settled, "in slices of {slice}");
        }
    }

    #[test]
    fn a_direction_settles_with_its_first_record_under_new_keys() {
        check(&[(22, 30), (22, 7)], None);
        check(&[(22, 30), (20, 1), (22, 40)], Some(35 + 6 + 45));
        check(&[(22, 30), (20, 1), (23, 53), (23, 100)], Some(35 + 6 + 58));
        check(&[(22, 30), (23, 53)], Some(35 + 58));
        check(&[(22, 30), (20, 1), (23, 19)], None);
        check(&[(22, 30), (21, 2)], None);
    }

    #[test]
    fn application_data_first_means_the_handshake_was_before() {
        assert_eq!(
            TlsLane::new().feed(&record(23, 9)),
            Some(TlsNews::Midstream)
        );
    }
}
