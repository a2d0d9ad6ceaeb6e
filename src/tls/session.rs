//! Both directions of one TLS connection.

use super::stage::{NEVER, TlsLane, TlsNews};
use crate::mark::Mark;
use crate::side::End;

/// One TLS connection. Offsets count from the first byte of its first record, by direction.
#[derive(Debug)]
pub struct Session {
    lanes: [Lane; 2],
    /// The handshake was before the capture.
    midstream: bool,
}

#[derive(Debug)]
struct Lane {
    offset: u64,
    /// Offset after the first record under the new keys.
    settled: u64,
    records: TlsLane,
}

impl Default for Session {
    fn default() -> Self {
        Self::new()
    }
}

impl Session {
    /// Nothing said yet.
    #[must_use]
    pub const fn new() -> Self {
        const LANE: Lane = Lane {
            offset: 0,
            settled: NEVER,
            records: TlsLane::new(),
        };
        Self {
            lanes: [LANE; 2],
            midstream: false,
        }
    }

    /// Whether the first bytes of a direction can belong to TLS.
    #[must_use]
    pub fn claims(&self, bytes: &[u8]) -> bool {
        self.midstream || matches!(bytes, [20..=24] | [20..=24, 3, ..])
    }

    /// The next bytes of one direction.
    pub fn data(&mut self, from: End, _at: Mark, bytes: &[u8], length: u32) {
        let lane = &mut self.lanes[from.index()];
        let news = lane.records.feed(bytes);
        Self::news(lane, &mut self.midstream, news);
        lane.offset = lane.offset.saturating_add(bytes.len() as u64);
        let cut = u64::from(length).saturating_sub(bytes.len() as u64);
        self.gap(from, cut);
    }

    /// The next `length` bytes of one direction were never captured.
    pub fn gap(&mut self, from: End, length: u64) {
        if length == 0 {
            return;
        }
        let lane = &mut self.lanes[from.index()];
        let news = lane.records.skip(length);
        lane.offset = lane.offset.saturating_add(length);
        Self::news(lane, &mut self.midstream, news);
    }

    /// Whether this end had finished its part of the handshake when it had sent so many bytes.
    #[must_use]
    pub fn is_settled(&self, end: End, sent: u64) -> bool {
        self.midstream || sent >= self.lanes[end.index()].settled
    }

    fn news(lane: &mut Lane, midstream: &mut bool, news: Option<TlsNews>) {
        match news {
            Some(TlsNews::Settled(after)) => {
                lane.settled = lane.settled.min(lane.offset.saturating_add(after as u64));
            }
            Some(TlsNews::Midstream) => *midstream = true,
            None => {}
        }
    }
}
