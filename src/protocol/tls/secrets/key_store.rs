//! The secrets of many connections, by the random of the ClientHello.

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError, RwLock};

use hashbrown::HashMap;

use super::key_log::{KeyLogLine, KeyLogLineError, Secret, SecretLabel};
use crate::base::frame_ref::FrameNumber;

/// Connections whose secrets are kept. A key log written over many months may have more: the oldest are dropped then,
/// because what is captured now was logged last. Each takes half a kilobyte at most.
pub(crate) const MAX_SESSIONS: usize = 1 << 18;

/// The known secrets of one connection.
#[derive(Clone, Debug, Default)]
pub struct ConnectionSecrets {
    pub(super) master: Option<Secret>,
    pub(super) early: Option<Secret>,
    /// The client's and the server's.
    pub(super) handshake: [Option<Secret>; 2],
    /// The client's and the server's.
    pub(super) traffic: [Option<Secret>; 2],
}

impl ConnectionSecrets {
    /// Whether they decrypt a connection from the handshake on, in both directions.
    #[must_use]
    pub fn are_whole(&self) -> bool {
        let both = |pair: &[Option<Secret>; 2]| pair.iter().all(Option::is_some);
        self.master.is_some() || both(&self.handshake) && both(&self.traffic)
    }

    fn put(&mut self, label: SecretLabel, secret: Secret) {
        let place = match label {
            SecretLabel::Master => &mut self.master,
            SecretLabel::ClientEarly => &mut self.early,
            SecretLabel::ClientHandshake => &mut self.handshake[0],
            SecretLabel::ServerHandshake => &mut self.handshake[1],
            SecretLabel::ClientTraffic => &mut self.traffic[0],
            SecretLabel::ServerTraffic => &mut self.traffic[1],
        };
        *place = Some(secret);
    }

    /// The secret of one line, all others unknown.
    fn of(line: KeyLogLine) -> Self {
        let mut secrets = Self::default();
        secrets.put(line.label, line.secret);
        secrets
    }

    fn add(&mut self, other: Self) {
        let Self {
            master,
            early,
            handshake,
            traffic,
        } = other;
        let all = [(&mut self.master, master), (&mut self.early, early)];
        for (own, new) in all {
            if new.is_some() {
                *own = new;
            }
        }
        let pairs = [
            (&mut self.handshake, handshake),
            (&mut self.traffic, traffic),
        ];
        for (own, new) in pairs {
            for (own, new) in own.iter_mut().zip(new) {
                if new.is_some() {
                    *own = new;
                }
            }
        }
    }
}

/// The secrets of many connections. Clones share one store: a key log line added to one is found in all.
#[derive(Clone, Debug, Default)]
pub struct KeyStore(Arc<RwLock<StoredSecrets>>);

#[derive(Debug, Default)]
struct StoredSecrets {
    /// By client random: which secrets are known from which frame on, in order.
    sessions: HashMap<[u8; 32], Vec<(FrameNumber, ConnectionSecrets)>, foldhash::fast::RandomState>,
    /// The client randoms in the order in which they came.
    order: VecDeque<[u8; 32]>,
    /// The start of an incomplete line.
    rest: Vec<u8>,
    /// The current line was too long: the rest of it is skipped.
    skips_line: bool,
    counts: KeyStoreCounts,
    grows: bool,
}

/// Counts of what a key store was given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyStoreCounts {
    /// Secrets that can decrypt records.
    pub secrets: u64,
    /// Lines that are neither comments nor of a known form.
    pub malformed: u64,
    /// Secrets discarded because those of one connection lie in too many places.
    pub let_go: u64,
    /// Connections whose secrets were dropped because of `MAX_SESSIONS`.
    pub dropped: u64,
}

/// In how many places of a capture the secrets of one connection may lie. It has six, and each is written once.
pub(crate) const MAX_TIMES: usize = 8;
/// The longest line that is accepted, in bytes.
const MAX_LINE: usize = 4096;

impl KeyStore {
    /// Reads a piece of a key log; pieces come in order. `since` is the frame from which on its secrets may be used: 0
    /// for a separate file, the position in the capture for secrets inside it. An incomplete line is kept until its end
    /// comes.
    pub fn read(&self, text: &[u8], since: FrameNumber) {
        let mut key_store = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let mut pieces = text.split_inclusive(|byte| *byte == b'\n').peekable();
        while let Some(piece) = pieces.next() {
            let is_whole = piece.ends_with(b"\n") || pieces.peek().is_some();
            if key_store.skips_line || key_store.rest.len() + piece.len() > MAX_LINE {
                key_store.rest.clear();
                key_store.counts.malformed += u64::from(!key_store.skips_line);
                key_store.skips_line = !is_whole;
                continue;
            }
            if !is_whole {
                key_store.rest.extend_from_slice(piece);
                return;
            }
            if key_store.rest.is_empty() {
                key_store.line(piece, since);
            } else {
                let mut line = std::mem::take(&mut key_store.rest);
                line.extend_from_slice(piece);
                key_store.line(&line, since);
            }
        }
    }

    /// Ends the key log: a last line without a line ending is complete.
    pub fn end(&self, since: FrameNumber) {
        let mut key_store = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let line = std::mem::take(&mut key_store.rest);
        key_store.skips_line = false;
        key_store.line(&line, since);
    }

    /// Sets whether more secrets may come while connections are already running: a connection without its secret may
    /// then wait a little.
    pub fn set_growing(&self, grows: bool) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).grows = grows;
    }

    /// Whether more secrets may come.
    #[must_use]
    pub(crate) fn is_growing(&self) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).grows
    }

    /// The secrets of the connection with this client random that are known at `frame`.
    #[must_use]
    pub fn find(&self, client_random: &[u8; 32], frame: FrameNumber) -> Option<ConnectionSecrets> {
        let key_store = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let known = key_store.sessions.get(client_random)?;
        let mut found: Option<ConnectionSecrets> = None;
        for (_, secrets) in known.iter().filter(|(since, _)| *since <= frame) {
            found.get_or_insert_default().add(secrets.clone());
        }
        found
    }

    /// Whether it holds secrets, or may come to hold some.
    #[must_use]
    pub(crate) fn may_have_secrets(&self) -> bool {
        let key_store = self.0.read().unwrap_or_else(PoisonError::into_inner);
        key_store.grows || !key_store.sessions.is_empty()
    }

    /// Whether it holds no secrets.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let key_store = self.0.read().unwrap_or_else(PoisonError::into_inner);
        key_store.sessions.is_empty()
    }

    /// Counts of what it was given.
    #[must_use]
    pub fn counts(&self) -> KeyStoreCounts {
        self.0.read().unwrap_or_else(PoisonError::into_inner).counts
    }
}

impl StoredSecrets {
    fn line(&mut self, line: &[u8], since: FrameNumber) {
        match KeyLogLine::parse(line) {
            Ok(line) => {
                self.counts.secrets += 1;
                if !self.sessions.contains_key(&line.client_random) {
                    if self.sessions.len() >= MAX_SESSIONS
                        && let Some(oldest) = self.order.pop_front()
                    {
                        self.sessions.remove(&oldest);
                        self.counts.dropped += 1;
                    }
                    self.order.push_back(line.client_random);
                }
                let known = self.sessions.entry(line.client_random).or_default();
                let full = known.len() >= MAX_TIMES;
                let secrets = ConnectionSecrets::of(line);
                match known.last_mut() {
                    Some((last, own)) if *last == since => own.add(secrets),
                    _ if full => self.counts.let_go += 1,
                    _ => known.push((since, secrets)),
                }
            }
            Err(KeyLogLineError::Malformed) => self.counts.malformed += 1,
            Err(KeyLogLineError::Empty | KeyLogLineError::OtherKind) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(random: u8, label: &str) -> String {
        let random = format!("{random:02x}").repeat(32);
        format!("{label} {random} {}\n", "01".repeat(48))
    }

    #[test]
    fn pieces_of_lines_are_put_together() {
        let text = line(1, "CLIENT_RANDOM") + &line(2, "CLIENT_TRAFFIC_SECRET_0");
        for size in [1, 3, 50, text.len()] {
            let key_store = KeyStore::default();
            for piece in text.as_bytes().chunks(size) {
                key_store.read(piece, FrameNumber(0));
            }
            key_store.read(&line(3, "CLIENT_RANDOM").as_bytes()[..175], FrameNumber(0));
            assert!(key_store.find(&[3; 32], FrameNumber(1)).is_none());
            key_store.end(FrameNumber(0));
            assert_eq!(key_store.counts().secrets, 3, "{size}");
            assert!(
                key_store
                    .find(&[1; 32], FrameNumber(1))
                    .is_some_and(|it| it.master.is_some())
            );
            assert!(key_store.find(&[3; 32], FrameNumber(1)).is_some());
        }
    }

    #[test]
    fn a_secret_is_known_from_its_frame_on() {
        let key_store = KeyStore::default();
        key_store.read(line(1, "CLIENT_RANDOM").as_bytes(), FrameNumber(10));
        assert!(key_store.find(&[1; 32], FrameNumber(9)).is_none());
        assert!(key_store.find(&[1; 32], FrameNumber(10)).is_some());
    }

    #[test]
    fn the_oldest_sessions_are_dropped_for_newer_ones() {
        const FOREIGN: usize = MAX_SESSIONS + 10;
        let key_store = KeyStore::default();
        let secret = "01".repeat(48);
        for number in 0..FOREIGN {
            let text = format!("CLIENT_RANDOM {number:064x} {secret}\n");
            key_store.read(text.as_bytes(), FrameNumber(0));
        }
        key_store.read(line(1, "CLIENT_RANDOM").as_bytes(), FrameNumber(0));
        assert!(key_store.find(&[1; 32], FrameNumber(1)).is_some());
        assert!(key_store.find(&[0; 32], FrameNumber(1)).is_none());
        assert_eq!(key_store.counts().dropped, 11);
    }

    #[test]
    fn secrets_of_one_session_in_very_many_places_are_counted() {
        let key_store = KeyStore::default();
        for place in 0..MAX_TIMES as u64 + 3 {
            key_store.read(line(1, "CLIENT_RANDOM").as_bytes(), FrameNumber(place));
        }
        assert_eq!(key_store.counts().let_go, 3);
    }

    #[test]
    fn what_is_no_line_is_counted() {
        let mut text = vec![b'x'; 3 * MAX_LINE];
        // The end of a line that is too long is no line of its own, wherever the log was split.
        text.extend(line(1, "CLIENT_RANDOM").into_bytes());
        text.extend(b"CLIENT_RANDOM 12\n");
        for size in [1, MAX_LINE, 3 * MAX_LINE, text.len()] {
            let key_store = KeyStore::default();
            for piece in text.chunks(size) {
                key_store.read(piece, FrameNumber(0));
            }
            key_store.end(FrameNumber(0));
            assert!(key_store.is_empty());
            assert_eq!(key_store.counts().malformed, 2, "{size}");
        }
    }
}
