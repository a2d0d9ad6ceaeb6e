//! Reassembly of fragmented IP datagrams (RFC 791 §3.2, RFC 8200 §4.5).
//!
//! The input is a [`Fragment`]; the output is the whole datagram once its last piece has arrived. Bounded in datagrams,
//! in bytes, in pieces per datagram and in age on the packet clock; dropped datagrams are counted. A piece that
//! overlaps others without being an exact repetition causes the whole datagram to be dropped (RFC 5722; hosts do so for
//! IPv4 too), since two hosts could reassemble such pieces differently.
//!
//! A piece cut by the snap length leaves a hole: the datagram has its full length, and its captured part ends at the
//! hole.

use crate::base::net::Context;
use crate::base::net::Skip;
use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

use hashbrown::HashMap;

use crate::base::time::Timestamp;

use super::bytes::Bytes;
use super::walk::{Layer, PathSoFar};

/// Maximum number of incomplete datagrams. A busy tunnel with a small MTU has some hundreds at a time.
pub(crate) const MAX_DATAGRAMS: usize = 4096;
/// Maximum total bytes of incomplete datagrams: four times the 4 MB that Linux allows (net.ipv4.ipfrag_high_thresh),
/// since a capture point sees many hosts.
pub(crate) const MAX_BYTES: usize = 16 << 20;
/// Maximum number of pieces per datagram: 64 KB in pieces of the smallest IPv4 MTU (68, RFC 791) would be 1366.
pub(crate) const MAX_PIECES: usize = 1400;
/// The longest datagram that IP can fragment, in bytes.
const MAX_DATAGRAM: usize = 65_535;
/// Maximum age of an incomplete datagram: 60 s by RFC 8200 §4.5, the longest that any host waits.
const MAX_AGE: Duration = Duration::from_secs(60);

/// Identifies the datagram that a fragment belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct DatagramKey {
    pub(super) context: Context,
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
    pub(super) id: u32,
    pub(super) sender: FragmentSender,
}

/// The protocol that fragmented the datagram; each has its own identifier space.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum FragmentSender {
    /// IPv4, whose identifiers are unique per protocol (RFC 791 §3.2).
    Ipv4(u8),
    Ipv6,
    /// CAPWAP, RFC 5415 §3.4.
    Capwap,
}

/// One fragment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fragment<'a> {
    pub(super) key: DatagramKey,
    /// The layer at the start of the datagram; the first piece's value is used.
    pub(super) next: Layer,
    /// Its offset in the datagram, in bytes.
    pub(super) offset: usize,
    pub(super) more: bool,
    pub(super) bytes: Bytes<'a>,
    pub(super) path: PathSoFar,
}

/// A reassembled datagram.
#[derive(Debug)]
pub(super) struct WholeDatagram {
    /// The captured bytes from its start.
    pub(super) data: Vec<u8>,
    /// Its length on the wire.
    pub(super) length: usize,
    pub(super) next: Layer,
    pub(super) path: PathSoFar,
}

/// Results of reassembly. All but `stranded` count datagrams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FragmentCounts {
    /// Fragments held now, or part of a datagram that was dropped before it was complete.
    pub stranded: u64,
    /// Datagrams reassembled.
    pub whole: u64,
    /// Datagrams dropped because they were not complete within a minute.
    pub expired: u64,
    /// Datagrams dropped because their pieces overlapped or contradicted each other.
    pub overlapping: u64,
    /// Datagrams dropped because a limit on datagrams, bytes or pieces was reached.
    pub limited: u64,
}

/// The pieces of one datagram so far.
#[derive(Debug)]
struct PartialDatagram {
    /// Start, end on the wire, end of what was captured; sorted, without overlap.
    pieces: Vec<(usize, usize, usize)>,
    data: Vec<u8>,
    /// The total length, once the last piece is known.
    length: Option<usize>,
    /// The layer at the start of the datagram, from its first piece.
    next: Option<Layer>,
    since: Timestamp,
    serial: u64,
}

/// All incomplete datagrams.
#[derive(Debug, Default)]
pub(super) struct Fragments {
    waiting: HashMap<DatagramKey, PartialDatagram, foldhash::fast::RandomState>,
    /// In order of arrival; datagrams that are complete stay in the queue until they reach its front.
    queue: VecDeque<(u64, DatagramKey)>,
    serial: u64,
    bytes: usize,
    pub(super) counts: FragmentCounts,
}

impl Fragments {
    /// Adds a piece. Returns the datagram if the piece completes it.
    ///
    /// # Errors
    /// [`Skip::Fragment`] while pieces are missing, [`Skip::FragmentDropped`] or [`Skip::Malformed`] if the piece is
    /// discarded.
    pub(super) fn insert(
        &mut self,
        piece: &Fragment<'_>,
        now: Timestamp,
    ) -> Result<WholeDatagram, Skip> {
        self.expire(now);
        let end = piece.offset.saturating_add(piece.bytes.wire);
        // RFC 8200 §4.5 and RFC 791 §3.2: all but the last are multiples of eight, none extends past the maximum
        // length.
        if end > MAX_DATAGRAM
            || piece.bytes.wire == 0
            || (piece.more && !piece.bytes.wire.is_multiple_of(8))
        {
            return Err(Skip::Malformed);
        }
        if !self.waiting.contains_key(&piece.key) {
            self.enqueue(piece.key);
        }
        let serial = self.serial;
        let entry = self
            .waiting
            .entry(piece.key)
            .or_insert_with(|| PartialDatagram {
                pieces: Vec::new(),
                data: Vec::new(),
                length: None,
                next: None,
                since: now,
                serial,
            });
        let before = entry.data.len();
        let outcome = entry.insert(piece, end);
        self.bytes = self.bytes + entry.data.len() - before;
        let complete = entry.is_whole();
        match outcome {
            Insert::Repeated => return Err(Skip::Fragment),
            Insert::Kept => self.counts.stranded += 1,
            Insert::Overlap => {
                self.remove(&piece.key);
                self.counts.overlapping += 1;
                return Err(Skip::FragmentDropped);
            }
            Insert::TooMany => {
                self.remove(&piece.key);
                self.counts.limited += 1;
                return Err(Skip::FragmentDropped);
            }
        }
        if !complete {
            while self.bytes > MAX_BYTES && !self.queue.is_empty() {
                self.drop_oldest();
            }
            return Err(Skip::Fragment);
        }
        let waiting = self.remove(&piece.key).ok_or(Skip::Fragment)?;
        self.counts.whole += 1;
        self.counts.stranded = self
            .counts
            .stranded
            .saturating_sub(waiting.pieces.len() as u64);
        Ok(waiting.into_whole(piece))
    }

    /// Whether the byte count matches the data held, and both respect the limits.
    #[cfg(test)]
    pub(super) fn sizes_fit(&self) -> bool {
        let held: usize = self
            .waiting
            .values()
            .map(|waiting| waiting.data.len())
            .sum();
        held == self.bytes
            && held <= MAX_BYTES
            && self.waiting.len() <= MAX_DATAGRAMS
            && self.queue.len() <= 2 * MAX_DATAGRAMS
    }

    fn remove(&mut self, key: &DatagramKey) -> Option<PartialDatagram> {
        let waiting = self.waiting.remove(key)?;
        self.bytes -= waiting.data.len();
        Some(waiting)
    }

    /// Makes room for one more datagram and appends it to the queue.
    fn enqueue(&mut self, key: DatagramKey) {
        if self.waiting.len() >= MAX_DATAGRAMS {
            self.drop_oldest();
        }
        if self.queue.len() >= 2 * MAX_DATAGRAMS {
            let waiting = &self.waiting;
            self.queue.retain(|(serial, key)| {
                waiting
                    .get(key)
                    .is_some_and(|waiting| waiting.serial == *serial)
            });
        }
        self.serial += 1;
        self.queue.push_back((self.serial, key));
    }

    /// Drops datagrams that are older than [`MAX_AGE`].
    fn expire(&mut self, now: Timestamp) {
        while let Some((serial, key)) = self.queue.front() {
            match self.waiting.get(key) {
                Some(waiting) if waiting.serial == *serial => {
                    if now.since(waiting.since) < MAX_AGE {
                        return;
                    }
                    let key = *key;
                    self.remove(&key);
                    self.counts.expired += 1;
                }
                _ => {}
            }
            self.queue.pop_front();
        }
    }

    fn drop_oldest(&mut self) {
        while let Some((serial, key)) = self.queue.pop_front() {
            if self
                .waiting
                .get(&key)
                .is_some_and(|waiting| waiting.serial == serial)
            {
                self.remove(&key);
                self.counts.limited += 1;
                return;
            }
        }
    }
}

enum Insert {
    Kept,
    Repeated,
    Overlap,
    TooMany,
}

impl PartialDatagram {
    fn insert(&mut self, piece: &Fragment<'_>, end: usize) -> Insert {
        let start = piece.offset;
        let at = self.pieces.partition_point(|&(_, other, _)| other <= start);
        if let Some(&(other_start, other_end, _)) = self.pieces.get(at)
            && other_start < end
        {
            return if other_start <= start && end <= other_end {
                Insert::Repeated
            } else {
                Insert::Overlap
            };
        }
        if self.pieces.len() >= MAX_PIECES {
            return Insert::TooMany;
        }
        let furthest = self.pieces.last().map_or(0, |&(_, end, _)| end);
        let contradicts = match (piece.more, self.length) {
            (false, None) => furthest > end,
            (false, Some(length)) => length != end,
            (true, Some(length)) => end > length,
            (true, None) => false,
        };
        if contradicts {
            return Insert::Overlap;
        }
        if !piece.more {
            self.length = Some(end);
        }
        if start == 0 {
            self.next = Some(piece.next);
        }
        let captured = start + piece.bytes.data.len().min(piece.bytes.wire);
        if self.data.len() < captured {
            self.data.resize(captured, 0);
        }
        if let Some(room) = self.data.get_mut(start..captured) {
            room.copy_from_slice(&piece.bytes.data[..captured - start]);
        }
        self.pieces.insert(at, (start, end, captured));
        Insert::Kept
    }

    fn is_whole(&self) -> bool {
        let Some(length) = self.length else {
            return false;
        };
        let mut reached = 0;
        self.pieces.iter().all(|&(start, end, _)| {
            let joins = start == reached;
            reached = end;
            joins
        }) && reached == length
    }

    fn into_whole(mut self, last: &Fragment<'_>) -> WholeDatagram {
        let captured = self
            .pieces
            .iter()
            .find(|&&(_, end, captured)| captured < end)
            .map_or(self.data.len(), |&(_, _, captured)| captured);
        self.data.truncate(captured);
        WholeDatagram {
            data: self.data,
            length: self.length.unwrap_or(captured),
            next: self.next.unwrap_or(last.next),
            path: last.path,
        }
    }
}
