//! What is said under the keys of TLS, where a key log opens them.
//!
//! In: both directions of one TLS connection, as its session gets them. Each direction's records are gathered whole (one
//! for each direction, and while a secret may still come, some more), opened by [`Opener`], and what they held is fed to a
//! [`Spoken`] of its own. Of every record it is kept how much had been said when it ended, so that a place in the TCP
//! stream can be turned into one in what was said.
//!
//! A record with a hole in it cannot be opened and is a gap inside; its length is nearly known. Left out: TLS inside of
//! TLS, and secrets for a connection whose hellos were not seen.

use std::collections::VecDeque;

use super::{Heard, Listening, Spoken};
use crate::http::Texts;
use crate::keys::{Closed, KeyRing, Opener};
use crate::mark::Mark;
use crate::minutes::{Clerk, What};
use crate::side::End;
use crate::tls::Session;

/// Bytes of records that are held for a secret that is not there yet: key logs are written while the handshake goes on.
const MAX_HELD: usize = 256 << 10;
/// Places kept of one direction; of more, every other one is let go, and places between are those of the record before.
const MAX_PLACES: usize = 1 << 16;
/// Segments that are told apart among those whose records wait: [`MAX_HELD`] in full ones are two hundred.
const MAX_MARKS: usize = 4096;
/// Record payload: 2^14 and room for expansion (RFC 5246 §6.2.3; RFC 8446 §5.2 has less).
const MAX_RECORD: usize = (1 << 14) + 2048;
const HEADER: usize = 5;
/// What protection adds to a record, about: nonce, tag, content type.
const ADDED: u64 = 24;

const CHANGE_CIPHER_SPEC: u8 = 20;
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
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
    inner: Spoken,
    clerk: Option<Clerk>,
    /// Something was opened.
    opened: bool,
    /// Something was said inside.
    any: bool,
    /// A record was not authentic under its secret.
    wrong: bool,
    /// No more segments come.
    is_over: bool,
}

/// One direction.
#[derive(Clone, Debug, Default)]
struct Lane {
    /// Bytes of records that are not dealt with.
    waiting: Vec<u8>,
    /// Bytes of the stream before `waiting`.
    before: u64,
    /// Where what waits was seen: up to which byte of the stream in which segment.
    marks: VecDeque<(u64, Mark)>,
    /// Bytes of the record in progress that are still to be passed over, since it has a hole.
    holed: Option<Holed>,
    /// Where records begin is not known.
    lost: bool,
    /// The FIN came while records waited for their secret.
    ends: bool,
    /// Bytes said inside.
    said: u64,
    /// After how many bytes of the stream it had taken its leave.
    over: Option<u64>,
    /// After how many bytes of the stream how many had been said.
    places: Vec<(u64, u64)>,
}

#[derive(Clone, Copy, Debug)]
struct Holed {
    kind: u8,
    length: u64,
    left: u64,
}

impl Secured {
    pub(super) fn new(listening: &Listening) -> Self {
        let opening = match &listening.keys {
            Some(ring) => Opening::Asked(Box::new(Asked {
                ring: ring.clone(),
                caller: None,
                opener: None,
                lanes: Default::default(),
                inner: Spoken {
                    // Keys open one layer: there is no TLS inside of TLS.
                    listening: Listening {
                        keys: None,
                        clerk: listening.clerk.clone(),
                    },
                    ..Spoken::default()
                },
                clerk: listening.clerk.clone(),
                opened: false,
                any: false,
                wrong: false,
                is_over: false,
            })),
            None => Opening::Hidden,
        };
        Self {
            session: Session::new().taken_down(listening.clerk.clone()),
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
            asked.lanes[from.index()].take(bytes, at);
            let cut = u64::from(length).saturating_sub(bytes.len() as u64);
            self.open(from, at, texts);
            self.hole(from, at, cut, texts);
        }
    }

    pub(super) fn gap(&mut self, from: End, at: Mark, length: u64, texts: &mut Texts) {
        self.session.gap(from, at, length);
        self.hole(from, at, length, texts);
    }

    /// The FIN of one direction; what waits for its secret comes before it.
    pub(super) fn end(&mut self, from: End, texts: &mut Texts) {
        let Opening::Asked(asked) = &mut self.opening else {
            return;
        };
        let lane = &mut asked.lanes[from.index()];
        if asked.opener.is_none() && !lane.waiting.is_empty() {
            lane.ends = true;
        } else {
            asked.inner.end(from, texts);
        }
    }

    /// Nothing more comes. Secrets may have come since the last record did.
    pub(super) fn finish(&mut self, texts: &mut Texts) {
        let last = match &self.opening {
            Opening::Asked(asked) => {
                let marks = asked.lanes.iter().filter_map(|lane| lane.marks.back());
                marks.map(|(_, at)| *at).max()
            }
            _ => None,
        };
        if let Some(at) = last {
            if let Opening::Asked(asked) = &mut self.opening {
                asked.is_over = true;
            }
            self.open(End::A, at, texts);
        }
        if let Opening::Asked(asked) = &mut self.opening {
            asked.inner.finish(texts);
        }
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
                Ok(opener) => {
                    asked.opener = Some(opener);
                    asked.catch_up(&mut self.session, texts);
                }
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
            asked.open(end, None, &mut self.session, texts);
        }
        for end in [from, from.other()] {
            if asked.opener.is_some() && std::mem::take(&mut asked.lanes[end.index()].ends) {
                asked.inner.end(end, texts);
            }
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

    /// Whether secrets opened something.
    pub(super) fn is_open(&self) -> bool {
        matches!(self, Self::Asked(asked) if asked.opened)
    }

    /// Why it stays hidden, where there were secrets.
    pub(super) fn closed(&self) -> Option<Closed> {
        match self {
            Self::Hidden => None,
            Self::Closed(closed) => Some(*closed),
            Self::Asked(asked) if asked.opened => None,
            Self::Asked(asked) => match asked.opener {
                Some(_) => asked.wrong.then_some(Closed::WrongSecret),
                None => Some(Closed::NoSecret),
            },
        }
    }

    /// Whether all had been said when so many bytes of this direction were there: its close_notify is an end as a FIN is.
    pub(super) fn is_over(&self, end: End, bytes: u64) -> bool {
        let Self::Asked(asked) = self else {
            return false;
        };
        let over = asked.lanes[end.index()].over;
        over.is_some_and(|over| over <= bytes)
    }

    /// How much had been said when so many bytes of this direction were there.
    pub(super) fn place(&self, end: End, bytes: u64) -> u64 {
        let Self::Asked(asked) = self else { return 0 };
        let places = &asked.lanes[end.index()].places;
        let after = places.partition_point(|(outside, _)| *outside <= bytes);
        let last = after.checked_sub(1).and_then(|at| places.get(at));
        last.map_or(0, |(_, said)| *said)
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
        let may_come = self.ring.is_growing() && self.held() < MAX_HELD && !self.is_over;
        match self.ring.find(&agreed.client_random, at.frame) {
            Some(secrets) if secrets.are_whole() || !may_come => {
                Some(Opener::new(&agreed, &secrets))
            }
            None if !may_come => Some(Err(Closed::NoSecret)),
            _ => None,
        }
    }

    /// Deals with what waited for its secret, in the order in which it was seen: questions before their answers.
    fn catch_up(&mut self, session: &mut Session, texts: &mut Texts) {
        self.caller = session.caller();
        let marks = self.lanes.iter().flat_map(|lane| &lane.marks);
        let mut marks: Vec<Mark> = marks.map(|(_, at)| *at).collect();
        marks.sort_unstable();
        marks.dedup();
        for at in marks {
            for end in End::BOTH {
                self.open(end, Some(at), session, texts);
            }
        }
    }

    /// Deals with the records of one direction that are there whole, up to this segment.
    fn open(&mut self, from: End, until: Option<Mark>, session: &mut Session, texts: &mut Texts) {
        let side = self.side(from);
        let mut waiting = std::mem::take(&mut self.lanes[from.index()].waiting);
        let mut done = 0;
        while let Some((header, whole)) = record(&waiting, done) {
            if header == [0; HEADER] {
                let lane = &mut self.lanes[from.index()];
                lane.before += waiting.len() as u64;
                lane.lost = true;
                if let Some(opener) = &mut self.opener {
                    opener.lose(side);
                }
                return;
            }
            let lane = &mut self.lanes[from.index()];
            let at = lane.mark(lane.before + (done + whole) as u64);
            if until.is_some_and(|until| at > until) {
                break;
            }
            let Some(opener) = &mut self.opener else {
                // In the clear, and read by the session; what is hidden waits for its secret.
                if matches!(header[0], APPLICATION_DATA | CHANGE_CIPHER_SPEC) {
                    break;
                }
                done += whole;
                continue;
            };
            let Some(record) = waiting.get_mut(done + HEADER..done + whole) else {
                break;
            };
            done += whole;
            let lane = &mut self.lanes[from.index()];
            let outside = lane.before + done as u64;
            match opener.open(side, header, record) {
                Ok(plain) if plain.hidden => {
                    let bytes = record.get(plain.place).unwrap_or_default();
                    self.opened = true;
                    if (plain.kind, bytes.get(1)) == (ALERT, Some(&CLOSE_NOTIFY)) {
                        lane.over.get_or_insert(outside);
                    }
                    session.opened(from, at, plain.kind, bytes.len() as u64);
                    self.read(from, at, plain.kind, bytes, session, texts);
                }
                // In the clear, and read by the session.
                Ok(_) => {}
                Err(closed) => {
                    session.lost_inside(from);
                    self.wrong |= closed == Closed::WrongSecret;
                    if header[0] == APPLICATION_DATA && self.any {
                        let length = (whole as u64).saturating_sub(HEADER as u64 + ADDED);
                        self.gap(from, at, length, texts);
                    }
                }
            }
            self.lanes[from.index()].note(outside);
        }
        let lane = &mut self.lanes[from.index()];
        lane.waiting = waiting;
        lane.drop_first(done);
    }

    /// What a record held that was opened.
    fn read(
        &mut self,
        from: End,
        at: Mark,
        kind: u8,
        bytes: &[u8],
        session: &mut Session,
        texts: &mut Texts,
    ) {
        match (kind, bytes) {
            (APPLICATION_DATA, []) => {}
            (APPLICATION_DATA, bytes) => {
                self.any = true;
                let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
                if let Some(clerk) = &self.clerk {
                    clerk.said(from, at, bytes);
                }
                self.inner.data(from, at, bytes, length, texts);
                self.lanes[from.index()].said += u64::from(length);
            }
            (ALERT, [level, code]) => {
                session.alert_inside(from, at, (*level, *code));
                if *code == CLOSE_NOTIFY {
                    // The end of what is said: a body that lasts until the close is complete.
                    self.inner.end(from, texts);
                }
            }
            (HANDSHAKE, bytes) if self.opener.as_ref().is_some_and(Opener::is_modern) => {
                session.handshake_inside(from, at, bytes);
            }
            // Up to TLS 1.2 that is the Finished.
            (HANDSHAKE, [kind, ..]) => session.note(from, at, What::Handshake(*kind)),
            _ => {}
        }
    }

    fn hole(&mut self, from: End, at: Mark, length: u64, texts: &mut Texts) {
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
                    self.gap(from, at, length, texts);
                }
            }
        }
    }

    /// So much of what was said is not there.
    fn gap(&mut self, from: End, at: Mark, length: u64, texts: &mut Texts) {
        if let Some(clerk) = &self.clerk {
            clerk.missing(from, at, length);
        }
        self.inner.gap(from, at, length, texts);
        self.lanes[from.index()].said += length;
    }

    /// A record that has a hole is over.
    fn pass_over(&mut self, from: End, at: Mark, holed: Holed, texts: &mut Texts) {
        let side = self.side(from);
        if let Some(opener) = &mut self.opener {
            opener.skip(side, holed.kind);
        }
        if holed.kind == APPLICATION_DATA && self.any {
            let length = holed.length.saturating_sub(ADDED);
            self.gap(from, at, length, texts);
        }
        let lane = &mut self.lanes[from.index()];
        let outside = lane.before;
        lane.note(outside);
    }
}

impl Lane {
    fn take(&mut self, bytes: &[u8], at: Mark) {
        if self.waiting.is_empty() {
            self.marks.clear();
        }
        self.gather(bytes);
        let end = self.before + self.waiting.len() as u64;
        let full = self.marks.len() >= MAX_MARKS;
        match self.marks.back_mut() {
            Some(last) if last.1 == at || full => *last = (end, at),
            _ => self.marks.push_back((end, at)),
        }
    }

    fn gather(&mut self, bytes: &[u8]) {
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

    /// Where the byte before this place of the stream was seen.
    fn mark(&mut self, outside: u64) -> Mark {
        while self.marks.len() > 1 && self.marks.front().is_some_and(|(end, _)| *end < outside) {
            self.marks.pop_front();
        }
        self.marks.front().map_or(Mark::default(), |(_, at)| *at)
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

/// The header and the whole length of the record that begins at `at`, if it is all there. A header of zeros: what is
/// there is no record.
fn record(waiting: &[u8], at: usize) -> Option<([u8; HEADER], usize)> {
    let rest = waiting.get(at..)?;
    let header: [u8; HEADER] = rest.get(..HEADER)?.try_into().ok()?;
    let length = usize::from(u16::from_be_bytes([header[3], header[4]]));
    if !(20..=24).contains(&header[0]) || header[1] != 3 || length > MAX_RECORD {
        return Some(([0; HEADER], 0));
    }
    (rest.len() >= HEADER + length).then_some((header, HEADER + length))
}
