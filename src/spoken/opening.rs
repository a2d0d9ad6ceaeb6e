//! What is said under the keys of TLS, where a key log opens them.
//!
//! In: both directions of one TLS connection, as its session gets them. Each direction's records are gathered whole (one
//! for each direction, and while a secret may still come, some more), opened by [`Opener`], and what they held is fed to a
//! [`Spoken`] of its own. Of every record it is kept how much had been said when it ended, so that a place in the TCP
//! stream can be turned into one in what was said.
//!
//! A record with a hole in it cannot be opened and is a gap inside; its length is nearly known. Left out: TLS inside of
//! TLS, and secrets for a connection whose hellos were not seen.

use super::{Heard, Spoken};
use crate::http::Texts;
use crate::keys::{Closed, EarlyData, KeyRing, Opener};
use crate::mark::Mark;
use crate::side::End;
use crate::tls::Session;

/// Bytes of records that are held for a secret that is not there yet: key logs are written while the handshake goes on.
const MAX_HELD: usize = 256 << 10;
/// Places kept of one direction; of more, every other one is let go, and places between are those of the record before.
const MAX_PLACES: usize = 1 << 16;
/// Record payload: 2^14 and room for expansion (RFC 5246 §6.2.3; RFC 8446 §5.2 has less).
const MAX_RECORD: usize = (1 << 14) + 2048;
const HEADER: usize = 5;
/// What protection adds to a record, about: nonce, tag, content type.
const ADDED: u64 = 24;

const CHANGE_CIPHER_SPEC: u8 = 20;
const ALERT: u8 = 21;
/// The description of the alert that takes leave (RFC 8446 §6.1).
const CLOSE_NOTIFY: u8 = 0;
const APPLICATION_DATA: u8 = 23;

/// TLS, and what it hides.
#[derive(Clone, Debug)]
pub(super) struct Secured {
    pub(super) session: Session,
    pub(super) opening: Opening,
}

/// Whether what is hidden is read.
#[derive(Clone, Debug)]
pub(super) enum Opening {
    /// Nobody has secrets.
    Hidden,
    /// There may be some.
    Asked(Box<Asked>),
    /// Those there are do not open it.
    Closed(Closed),
}

#[derive(Clone, Debug)]
pub(super) struct Asked {
    ring: KeyRing,
    /// Who sent the ClientHello.
    caller: Option<End>,
    opener: Option<Opener>,
    lanes: [Lane; 2],
    early: Early,
    inner: Spoken,
    /// Something was opened.
    any: bool,
    /// A record was not authentic under its secret.
    wrong: bool,
}

/// One direction.
#[derive(Clone, Debug, Default)]
struct Lane {
    /// Bytes of records that are not dealt with.
    waiting: Vec<u8>,
    /// Bytes of the stream before `waiting`.
    before: u64,
    /// Bytes of the record in progress that are still to be passed over, since it has a hole.
    holed: Option<Holed>,
    /// Where records begin is not known.
    lost: bool,
    /// Bytes said inside.
    said: u64,
    /// After how many bytes of the stream how many had been said.
    places: Vec<(u64, u64)>,
    /// After how many bytes of the stream `close_notify` had been said, and where.
    farewell: Option<(u64, Mark)>,
}

/// Early data, which is held back until it is known whether the server takes it: what it does not take was never asked.
#[derive(Clone, Debug, Default)]
struct Early {
    /// After how many bytes of the stream, where, and what was said.
    waiting: Vec<(u64, Mark, Vec<u8>)>,
    held: usize,
    /// What was handed on and is still to be counted: after how many bytes of the stream, and how many.
    counted: Vec<(u64, u64)>,
}

impl Early {
    fn hold(&mut self, outside: u64, at: Mark, bytes: &[u8]) {
        self.held += bytes.len();
        self.waiting.push((outside, at, bytes.to_vec()));
    }

    /// The server takes it, or nothing will tell.
    fn hand_on(&mut self, caller: End, inner: &mut Spoken, texts: &mut Texts) {
        for (outside, at, bytes) in self.waiting.drain(..) {
            let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
            inner.data(caller, at, &bytes, length, texts);
            self.counted.push((outside, u64::from(length)));
        }
        self.held = 0;
    }

    fn drop_it(&mut self) {
        self.waiting.clear();
        self.held = 0;
    }
}

#[derive(Clone, Copy, Debug)]
struct Holed {
    kind: u8,
    length: u64,
    left: u64,
}

impl Secured {
    pub(super) fn new(keys: Option<&KeyRing>) -> Self {
        let opening = match keys {
            Some(ring) => Opening::Asked(Box::new(Asked {
                ring: ring.clone(),
                caller: None,
                opener: None,
                lanes: Default::default(),
                early: Early::default(),
                inner: Spoken::default(),
                any: false,
                wrong: false,
            })),
            None => Opening::Hidden,
        };
        Self {
            session: Session::new(),
            opening,
        }
    }

    pub(super) fn data(
        &mut self,
        from: End,
        at: Mark,
        bytes: &[u8],
        length: u32,
        texts: &mut Texts,
    ) {
        self.session.data(from, at, bytes, length);
        if let Opening::Asked(asked) = &mut self.opening {
            asked.lanes[from.index()].take(bytes);
            let cut = u64::from(length).saturating_sub(bytes.len() as u64);
            self.open(from, at, texts);
            self.hole(from, at, cut, texts);
        }
    }

    pub(super) fn gap(&mut self, from: End, at: Mark, length: u64, texts: &mut Texts) {
        self.session.gap(from, at, length);
        self.hole(from, at, length, texts);
    }

    fn hole(&mut self, from: End, at: Mark, length: u64, texts: &mut Texts) {
        let Opening::Asked(asked) = &mut self.opening else {
            return;
        };
        if length > 0 {
            asked.hole(from, at, length, texts);
        }
    }

    /// Opens what waits, this direction first: what it says may be what the other waits for.
    fn open(&mut self, from: End, at: Mark, texts: &mut Texts) {
        let Opening::Asked(asked) = &mut self.opening else {
            return;
        };
        if asked.opener.is_none()
            && let Some(found) = asked.look(&self.session, at)
        {
            match found {
                Ok(opener) => asked.opener = Some(opener),
                Err(closed) => {
                    self.opening = Opening::Closed(closed);
                    return;
                }
            }
        }
        if asked.opener.is_none() && asked.held() > MAX_HELD {
            self.opening = Opening::Closed(Closed::NoSecret);
            return;
        }
        asked.caller = self.session.caller();
        for end in [from, from.other()] {
            asked.open(end, at, &mut self.session, texts);
            asked.count_early();
        }
    }
}

impl Opening {
    /// What is said inside, once something was opened.
    pub(super) fn heard(&self) -> Option<&Spoken> {
        match self {
            Self::Asked(asked) if asked.any => Some(&asked.inner),
            _ => None,
        }
    }

    pub(super) fn into_heard(self) -> Option<Heard> {
        match self {
            Self::Asked(asked) if asked.any => Some(asked.inner.into_heard()),
            _ => None,
        }
    }

    /// Why it stays hidden, where there were secrets.
    pub(super) fn closed(&self) -> Option<Closed> {
        match self {
            Self::Hidden => None,
            Self::Closed(closed) => Some(*closed),
            Self::Asked(asked) if asked.any => None,
            Self::Asked(asked) => match asked.opener {
                Some(_) => asked.wrong.then_some(Closed::WrongSecret),
                None => Some(Closed::NoSecret),
            },
        }
    }

    /// How much had been said when so many bytes of this direction were there.
    pub(super) fn place(&self, end: End, bytes: u64) -> u64 {
        let Self::Asked(asked) = self else { return 0 };
        let places = &asked.lanes[end.index()].places;
        let after = places.partition_point(|(outside, _)| *outside <= bytes);
        let last = after.checked_sub(1).and_then(|at| places.get(at));
        last.map_or(0, |(_, said)| *said)
    }

    /// Where `close_notify` was said, if it was among so many bytes of this direction.
    pub(super) fn farewell(&self, end: End, bytes: u64) -> Option<Mark> {
        let Self::Asked(asked) = self else {
            return None;
        };
        let (outside, at) = asked.lanes[end.index()].farewell?;
        (outside <= bytes).then_some(at)
    }

    pub(super) fn end(&mut self, from: End, texts: &mut Texts) {
        if let Self::Asked(asked) = self {
            asked.inner.end(from, texts);
        }
    }

    pub(super) fn finish(&mut self, texts: &mut Texts) {
        if let Self::Asked(asked) = self {
            asked.let_early_go(texts);
            asked.inner.finish(texts);
        }
    }
}

impl Asked {
    /// Bytes that wait.
    fn held(&self) -> usize {
        self.lanes.iter().map(|lane| lane.waiting.len()).sum()
    }

    /// The opener's number of the side that sends: 0 is the caller.
    fn side(&self, from: End) -> usize {
        usize::from(self.caller.is_some_and(|caller| caller != from))
    }

    /// Looks for the secrets, once both hellos were read. `None`: not yet.
    fn look(&self, session: &Session, at: Mark) -> Option<Result<Opener, Closed>> {
        let agreed = session.agreed()?;
        let may_come = self.ring.is_growing() && self.held() < MAX_HELD;
        match self.ring.find(&agreed.client_random, at.frame) {
            Some(secrets) if secrets.are_whole() || !may_come => {
                Some(Opener::new(&agreed, &secrets))
            }
            None if !may_come => Some(Err(Closed::NoSecret)),
            _ => None,
        }
    }

    /// Deals with the records of one direction that are there whole.
    fn open(&mut self, from: End, at: Mark, session: &mut Session, texts: &mut Texts) {
        let side = self.side(from);
        let Self {
            opener,
            caller,
            lanes,
            early,
            inner,
            any,
            wrong,
            ..
        } = self;
        let caller = caller.unwrap_or(from);
        let lane = &mut lanes[from.index()];
        let mut done = 0;
        while let Some((header, whole)) = lane.record(done) {
            if header == [0; HEADER] {
                lane.lose(done);
                if let Some(opener) = opener {
                    opener.lose(side);
                }
                return;
            }
            let Some(opener) = opener else {
                // In the clear, and read by the session; what is hidden waits for its secret.
                if matches!(header[0], APPLICATION_DATA | CHANGE_CIPHER_SPEC) {
                    break;
                }
                done += whole;
                continue;
            };
            let Some(record) = lane.waiting.get_mut(done + HEADER..done + whole) else {
                break;
            };
            done += whole;
            let outside = lane.before + done as u64;
            match opener.open(side, header, record) {
                Ok(plain) => {
                    let bytes = record.get(plain.place.clone()).unwrap_or_default();
                    // The server's EncryptedExtensions come before whatever it says.
                    match opener.early_data() {
                        EarlyData::Taken => early.hand_on(caller, inner, texts),
                        EarlyData::Refused => early.drop_it(),
                        EarlyData::Undecided
                            if from != caller && plain.kind == APPLICATION_DATA =>
                        {
                            early.hand_on(caller, inner, texts);
                        }
                        EarlyData::Undecided => {}
                    }
                    let fate = opener.early_data();
                    match (plain.kind, bytes) {
                        (APPLICATION_DATA, []) => {}
                        (APPLICATION_DATA, _) if plain.early && fate == EarlyData::Refused => {}
                        (APPLICATION_DATA, bytes)
                            if plain.early
                                && fate == EarlyData::Undecided
                                && early.held < MAX_HELD =>
                        {
                            *any = true;
                            early.hold(outside, at, bytes);
                        }
                        (APPLICATION_DATA, bytes) => {
                            *any = true;
                            let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
                            inner.data(from, at, bytes, length, texts);
                            lane.said += u64::from(length);
                        }
                        (ALERT, [level, code]) => {
                            session.alert_inside(from, at, (*level, *code));
                            if *code == CLOSE_NOTIFY {
                                // The end of what is said: a body that lasts until the close is complete.
                                inner.end(from, texts);
                                lane.farewell.get_or_insert((outside, at));
                            }
                        }
                        _ => {}
                    }
                }
                Err(_) if header[0] == APPLICATION_DATA && *any => {
                    let length = (whole as u64).saturating_sub(HEADER as u64 + ADDED);
                    inner.gap(from, at, length, texts);
                    lane.said += length;
                }
                Err(closed) => *wrong |= closed == Closed::WrongSecret,
            }
            lane.note(outside);
        }
        lane.drop_first(done);
    }

    /// What was handed on of early data counts as said where it was sent.
    fn count_early(&mut self) {
        let Some(caller) = self.caller.filter(|_| !self.early.counted.is_empty()) else {
            return;
        };
        let lane = &mut self.lanes[caller.index()];
        for (outside, length) in self.early.counted.drain(..) {
            lane.said += length;
            for place in lane.places.iter_mut().filter(|place| place.0 >= outside) {
                place.1 += length;
            }
        }
    }

    /// Nothing will tell what became of early data.
    fn let_early_go(&mut self, texts: &mut Texts) {
        if let Some(caller) = self.caller {
            self.early.hand_on(caller, &mut self.inner, texts);
            self.count_early();
        }
    }

    fn hole(&mut self, from: End, at: Mark, length: u64, texts: &mut Texts) {
        self.let_early_go(texts);
        let lane = &mut self.lanes[from.index()];
        let whole = lane.begun();
        let left = match (lane.holed, whole) {
            (Some(holed), _) => Some(holed),
            (None, Some((header, left))) => Some(Holed {
                kind: header[0],
                length: u64::from(u16::from_be_bytes([header[3], header[4]])),
                left,
            }),
            (None, None) => None,
        };
        let begun = lane.waiting.len() as u64;
        lane.before += begun + length;
        lane.waiting.clear();
        match left {
            Some(holed) if holed.left > length => {
                lane.holed = Some(Holed {
                    left: holed.left - length,
                    ..holed
                });
            }
            Some(holed) if holed.left == length => {
                lane.holed = None;
                self.pass_over(from, at, holed, texts);
            }
            _ => {
                lane.lost = true;
                lane.holed = None;
                let side = self.side(from);
                if let Some(opener) = &mut self.opener {
                    opener.lose(side);
                }
                if self.any {
                    self.inner.gap(from, at, length, texts);
                    self.lanes[from.index()].said += length;
                }
            }
        }
    }

    /// A record that has a hole is over.
    fn pass_over(&mut self, from: End, at: Mark, holed: Holed, texts: &mut Texts) {
        let side = self.side(from);
        if let Some(opener) = &mut self.opener {
            opener.skip(side, holed.kind);
        }
        let lane = &mut self.lanes[from.index()];
        if holed.kind == APPLICATION_DATA && self.any {
            let length = holed.length.saturating_sub(ADDED);
            self.inner.gap(from, at, length, texts);
            lane.said += length;
        }
        let outside = lane.before;
        lane.note(outside);
    }
}

impl Lane {
    fn take(&mut self, bytes: &[u8]) {
        if self.lost {
            // A gap may have ended anywhere: the next slice that begins with a record header tells.
            let header = matches!(bytes, [20..=23, 3, 0..=4, ..]);
            if !header {
                self.before += bytes.len() as u64;
                return;
            }
            self.lost = false;
        }
        let mut bytes = bytes;
        if let Some(holed) = &mut self.holed {
            let passed = holed.left.min(bytes.len() as u64);
            holed.left -= passed;
            self.before += passed;
            bytes = bytes.get(passed as usize..).unwrap_or_default();
            if holed.left > 0 {
                return;
            }
            self.holed = None;
        }
        self.waiting.extend_from_slice(bytes);
    }

    /// The header and the whole length of the record that begins at `at`, if it is all there. A header of zeros: what is
    /// there is no record.
    fn record(&self, at: usize) -> Option<([u8; HEADER], usize)> {
        let rest = self.waiting.get(at..)?;
        let header: [u8; HEADER] = rest.get(..HEADER)?.try_into().ok()?;
        let length = usize::from(u16::from_be_bytes([header[3], header[4]]));
        if !(20..=24).contains(&header[0]) || header[1] != 3 || length > MAX_RECORD {
            return Some(([0; HEADER], 0));
        }
        (rest.len() >= HEADER + length).then_some((header, HEADER + length))
    }

    /// The header of the record in progress, and how much of it is still to come.
    fn begun(&self) -> Option<([u8; HEADER], u64)> {
        let header: [u8; HEADER] = self.waiting.get(..HEADER)?.try_into().ok()?;
        let length = u64::from(u16::from_be_bytes([header[3], header[4]]));
        let there = (self.waiting.len() - HEADER) as u64;
        Some((header, length.checked_sub(there)?))
    }

    fn drop_first(&mut self, done: usize) {
        self.waiting.drain(..done.min(self.waiting.len()));
        self.before += done as u64;
    }

    fn lose(&mut self, done: usize) {
        self.drop_first(done);
        self.before += self.waiting.len() as u64;
        self.waiting.clear();
        self.lost = true;
    }

    fn note(&mut self, outside: u64) {
        if self.places.len() >= MAX_PLACES {
            let mut keep = false;
            self.places.retain(|_| {
                keep = !keep;
                keep
            });
        }
        self.places.push((outside, self.said));
    }
}
