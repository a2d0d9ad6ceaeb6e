//! The decrypted data of TLS, where a key log has the secrets.
//!
//! In: both directions of one TLS connection, as its session gets them. Until the secrets are available, the data waits
//! in order. Then each direction's records are reassembled and decrypted by [`Decryptor`], and their content is fed to
//! a [`ProtocolStack`] of its own. For every record, the number of decrypted bytes up to its end is kept, so that an
//! offset in the TCP stream can be turned into one in the decrypted data.
//!
//! A record with a hole in it cannot be decrypted and is a gap in the decrypted data, of about its length. Left out:
//! TLS inside of TLS, and secrets for a connection whose hellos were not seen.

use super::{LayerFacts, LayerLimits, LayerOptions, ProtocolStack};
use crate::base::flow_end::FlowEnd;
use crate::base::frame_ref::FrameRef;
use crate::protocol::annotations::Annotator;
use crate::protocol::http::TextInterner;
use crate::protocol::tls::TlsSession;
use crate::protocol::tls::secrets::{Decryptor, EarlyData, KeyStore, NotDecrypted};

/// Most bytes that wait for a secret that is not known yet: key logs are written while the handshake is under way.
pub(crate) const MAX_HELD: usize = 256 << 10;
/// Offsets kept of one direction. Beyond that, every other one is dropped; an offset between two is that of the record
/// before.
pub(crate) const MAX_PLACES: usize = 1 << 16;
/// Most bytes of record payload: 2^14 and room for expansion (RFC 5246 §6.2.3; RFC 8446 §5.2 has less).
const MAX_RECORD: usize = (1 << 14) + 2048;
/// Most records of early data that wait until the server accepts or rejects it; servers take 16 KB, one or two records.
pub(crate) const MAX_EARLY: usize = 64;
const HEADER: usize = 5;
/// Bytes that protection adds to a record, about: nonce, tag, content type.
const ADDED: u64 = 24;

const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
/// The description of the alert that closes a direction (RFC 8446 §6.1).
const CLOSE_NOTIFY: u8 = 0;
const APPLICATION_DATA: u8 = 23;

/// TLS, and its decrypted data.
#[derive(Clone, Debug)]
pub(super) struct DecryptedLayer {
    pub(super) session: TlsSession,
    pub(super) opening: DecryptState,
    /// Too much waited for secrets.
    given_up: bool,
}

/// Whether encrypted data is decrypted.
#[derive(Clone, Debug)]
pub(super) enum DecryptState {
    /// There is no key store.
    Hidden,
    /// There is a key store: it may have, or come to have, the secrets.
    Decrypting(Box<Decryption>),
    /// Nothing is decrypted, and nothing will be.
    Closed(NotDecrypted),
}

#[derive(Clone, Debug)]
pub(super) struct Decryption {
    key_store: KeyStore,
    /// Who sent the ClientHello.
    caller: Option<FlowEnd>,
    decryptor: Option<Decryptor>,
    /// What came before there was a decryptor, in order.
    pieces: Vec<WaitingRecord>,
    /// Bytes of `pieces`, and of their own size.
    held: usize,
    /// Where the last of them was seen.
    last: FrameRef,
    directions: [DecryptedDirection; 2],
    /// Early data: the offset after its record, where it was seen, and its content. It is held back until it is known
    /// whether the server accepts it: what it rejects counts as never sent.
    early: Vec<(u64, FrameRef, Box<[u8]>)>,
    /// Early data was read before it was known whether the server accepts it.
    early_unsure: bool,
    inner: ProtocolStack,
    annotator: Option<Annotator>,
    /// A record was decrypted.
    opened: bool,
    /// There is decrypted application data.
    any: bool,
    /// A record was not authentic under its secret.
    wrong: bool,
}

/// Data that waits for a secret.
#[derive(Clone, Debug)]
enum WaitingRecord {
    /// Bytes, and how many are missing after them.
    Data(FlowEnd, FrameRef, Box<[u8]>, u64),
    /// A FIN.
    End(FlowEnd),
}

/// The records of one direction.
#[derive(Clone, Debug, Default)]
struct DecryptedDirection {
    /// Bytes of records that are not processed yet.
    waiting: Vec<u8>,
    /// Offset of `waiting` in the stream.
    before: u64,
    /// The current record, which has a hole: the rest of it is to be skipped.
    holed: Option<RecordWithHole>,
    /// Record boundaries are lost.
    lost: bool,
    /// Bytes of decrypted data, and of those before TLS began.
    said: u64,
    /// Bytes before TLS began.
    first: u64,
    /// Pairs of an offset in the stream and the value of `said` there, one for each record.
    places: Vec<(u64, u64)>,
    /// How often every other one of them was dropped.
    thinned: u64,
    /// Offset in the stream after `close_notify`, and where it was seen.
    close_notify: Option<(u64, FrameRef)>,
}

#[derive(Clone, Copy, Debug)]
struct RecordWithHole {
    kind: u8,
    length: u64,
    left: u64,
}

impl DecryptedLayer {
    /// TLS that begins at these offsets; decrypted data is counted from there.
    pub(super) fn new(layer_options: &LayerOptions, since: [u64; 2]) -> Self {
        let direction = |said| DecryptedDirection {
            said,
            first: said,
            ..DecryptedDirection::default()
        };
        // Secrets decrypt one layer: TLS inside of TLS is not supported.
        let inside = LayerOptions {
            teller: None,
            keys: None,
            annotator: layer_options.annotator.clone(),
        };
        let opening = match &layer_options.keys {
            Some(key_store) => DecryptState::Decrypting(Box::new(Decryption {
                key_store: key_store.clone(),
                caller: None,
                decryptor: None,
                pieces: Vec::new(),
                held: 0,
                last: FrameRef::default(),
                directions: since.map(direction),
                early: Vec::new(),
                early_unsure: false,
                inner: ProtocolStack::starting(since, inside),
                annotator: layer_options.annotator.clone(),
                opened: false,
                any: false,
                wrong: false,
            })),
            None => DecryptState::Hidden,
        };
        Self {
            session: TlsSession::new()
                .with_annotator(layer_options.annotator.clone())
                .with_teller(layer_options.teller.clone()),
            opening,
            given_up: false,
        }
    }

    pub(super) fn data(
        &mut self,
        from: FlowEnd,
        at: FrameRef,
        bytes: &[u8],
        length: u32,
        texts: &mut TextInterner,
    ) {
        self.session.data(from, at, bytes, length);
        let cut = u64::from(length).saturating_sub(bytes.len() as u64);
        self.take(from, at, bytes, cut, texts);
    }

    pub(super) fn gap(
        &mut self,
        from: FlowEnd,
        at: FrameRef,
        length: u64,
        texts: &mut TextInterner,
    ) {
        self.session.gap(from, at, length);
        self.take(from, at, &[], length, texts);
    }

    /// The FIN of one direction.
    pub(super) fn end(&mut self, from: FlowEnd, texts: &mut TextInterner) {
        self.session.end(from);
        if let DecryptState::Decrypting(decryption) = &mut self.opening {
            match decryption.decryptor {
                Some(_) => decryption.inner.end(from, texts),
                None => decryption.hold(WaitingRecord::End(from)),
            }
        }
    }

    /// Nothing more comes. Data that waits for its secret gets it now or never.
    pub(super) fn finish(&mut self, texts: &mut TextInterner) {
        if let DecryptState::Decrypting(decryption) = &self.opening
            && decryption.decryptor.is_none()
        {
            self.look(decryption.last, true, texts);
        }
        if let DecryptState::Decrypting(decryption) = &mut self.opening {
            decryption.release_early_data(&mut self.session, texts);
            decryption.inner.finish(texts);
        }
    }

    /// The next bytes of one direction, and how many are missing after them.
    fn take(
        &mut self,
        from: FlowEnd,
        at: FrameRef,
        bytes: &[u8],
        missing: u64,
        texts: &mut TextInterner,
    ) {
        let DecryptState::Decrypting(decryption) = &mut self.opening else {
            return;
        };
        if decryption.decryptor.is_some() {
            decryption.take(from, at, bytes, missing, &mut self.session, texts);
            return;
        }
        decryption.last = at;
        decryption.hold(WaitingRecord::Data(from, at, bytes.into(), missing));
        let full = decryption.held > MAX_HELD;
        let grows = decryption.key_store.is_growing();
        // Without the hellos nothing can be decrypted.
        if full && self.session.agreed().is_none() || self.session.is_midstream() {
            self.given_up = full && !self.session.is_midstream();
            self.opening = DecryptState::Closed(NotDecrypted::NoSecret);
        } else {
            self.look(at, !grows || full, texts);
            self.given_up |= full && grows && matches!(self.opening, DecryptState::Closed(_));
        }
    }

    /// What the limits left out of the decryption.
    pub(super) fn limits(&self) -> LayerLimits {
        let own = match &self.opening {
            DecryptState::Decrypting(decryption) => decryption.limits(),
            DecryptState::Hidden | DecryptState::Closed(_) => LayerLimits::default(),
        };
        LayerLimits {
            decryption: own.decryption + u64::from(self.given_up),
            ..own
        }
    }

    /// Looks for the secrets once both hellos were parsed, and decrypts what has waited for them, in the order in which
    /// it came. `is_last`: do not wait for more secrets.
    fn look(&mut self, at: FrameRef, is_last: bool, texts: &mut TextInterner) {
        let DecryptState::Decrypting(decryption) = &mut self.opening else {
            return;
        };
        let Some(agreed) = self.session.agreed() else {
            return;
        };
        let decryptor = match decryption.key_store.find(&agreed.client_random, at.frame) {
            Some(secrets) if secrets.are_whole() || is_last => Decryptor::new(&agreed, &secrets),
            None if is_last => Err(NotDecrypted::NoSecret),
            _ => return,
        };
        match decryptor {
            Ok(decryptor) => decryption.decryptor = Some(decryptor),
            Err(closed) => {
                self.opening = DecryptState::Closed(closed);
                return;
            }
        }
        decryption.caller = self.session.caller();
        decryption.held = 0;
        for piece in std::mem::take(&mut decryption.pieces) {
            match piece {
                WaitingRecord::Data(from, at, bytes, missing) => {
                    decryption.take(from, at, &bytes, missing, &mut self.session, texts);
                }
                WaitingRecord::End(from) => decryption.inner.end(from, texts),
            }
        }
    }

    /// Bytes that wait: of handshake messages, of records, and in the decrypted data.
    pub(super) fn waiting_bytes(&self) -> usize {
        let records = match &self.opening {
            DecryptState::Decrypting(decryption) => decryption.waiting_bytes(),
            DecryptState::Hidden | DecryptState::Closed(_) => 0,
        };
        self.session.waiting_bytes() + records
    }

    /// Parses incomplete messages as far as they go and drops them, since too much waits in total. What waits for a
    /// secret is not decrypted any more.
    pub(super) fn drop_incomplete(&mut self, texts: &mut TextInterner) {
        self.session.drop_incomplete();
        if let DecryptState::Decrypting(decryption) = &mut self.opening {
            if decryption.decryptor.is_none() {
                self.opening = DecryptState::Closed(NotDecrypted::NoSecret);
                return;
            }
            decryption
                .directions
                .iter_mut()
                .for_each(DecryptedDirection::give_up_record);
            decryption.release_early_data(&mut self.session, texts);
            decryption.inner.drop_incomplete(texts);
        }
    }
}

impl DecryptState {
    /// The stack of the decrypted data, once there is any.
    pub(super) fn decrypted_stack(&self) -> Option<&ProtocolStack> {
        match self {
            Self::Decrypting(decryption) if decryption.any => Some(&decryption.inner),
            _ => None,
        }
    }

    pub(super) fn decrypted_stack_mut(&mut self) -> Option<&mut ProtocolStack> {
        match self {
            Self::Decrypting(decryption) if decryption.any => Some(&mut decryption.inner),
            _ => None,
        }
    }

    pub(super) fn into_layer_facts(self) -> Option<LayerFacts> {
        match self {
            Self::Decrypting(decryption) if decryption.any => {
                Some(decryption.inner.into_layer_facts())
            }
            _ => None,
        }
    }

    /// Whether any record was decrypted.
    pub(super) fn is_open(&self) -> bool {
        matches!(self, Self::Decrypting(decryption) if decryption.opened)
    }

    /// Why nothing was decrypted, where there was a key store.
    pub(super) fn closed(&self) -> Option<NotDecrypted> {
        match self {
            Self::Hidden => None,
            Self::Closed(closed) => Some(*closed),
            Self::Decrypting(decryption) if decryption.opened => None,
            Self::Decrypting(decryption) => match decryption.decryptor {
                Some(_) => decryption.wrong.then_some(NotDecrypted::WrongSecret),
                None => Some(NotDecrypted::NoSecret),
            },
        }
    }

    /// How many bytes were decrypted when the first `bytes` bytes of this direction had arrived.
    pub(super) fn place(&self, end: FlowEnd, bytes: u64) -> u64 {
        let Self::Decrypting(decryption) = self else {
            return 0;
        };
        let direction = &decryption.directions[end.index()];
        let places = &direction.places;
        let after = places.partition_point(|(outside, _)| *outside <= bytes);
        let last = after.checked_sub(1).and_then(|at| places.get(at));
        last.map_or(direction.first, |(_, said)| *said)
    }

    /// Where `close_notify` was seen, if it is among the first `bytes` bytes of this direction.
    pub(super) fn close_notify(&self, end: FlowEnd, bytes: u64) -> Option<FrameRef> {
        let Self::Decrypting(decryption) = self else {
            return None;
        };
        let (outside, at) = decryption.directions[end.index()].close_notify?;
        (outside <= bytes).then_some(at)
    }
}

impl Decryption {
    /// Keeps what cannot be decrypted yet.
    fn hold(&mut self, piece: WaitingRecord) {
        if let WaitingRecord::Data(_, _, bytes, _) = &piece {
            self.held += bytes.len();
        }
        self.held += size_of::<WaitingRecord>();
        self.pieces.push(piece);
    }

    fn limits(&self) -> LayerLimits {
        let lost = self.decryptor.as_ref().map_or(0, Decryptor::given_up);
        LayerLimits {
            decryption: lost + u64::from(self.early_unsure),
            places: self.directions.iter().map(|it| it.thinned).sum(),
            tunnels: 0,
        }
    }

    /// Bytes that wait.
    fn waiting_bytes(&self) -> usize {
        let records: usize = self
            .directions
            .iter()
            .map(|direction| direction.waiting.len())
            .sum();
        self.held + records + self.early_bytes() + self.inner.waiting_bytes()
    }

    /// The next bytes of one direction, and how many are missing after them; the secrets are available.
    fn take(
        &mut self,
        from: FlowEnd,
        at: FrameRef,
        bytes: &[u8],
        missing: u64,
        session: &mut TlsSession,
        texts: &mut TextInterner,
    ) {
        self.directions[from.index()].take(bytes);
        self.open(from, at, session, texts);
        if missing > 0 {
            self.release_early_data(session, texts);
            self.hole(from, at, missing, texts);
        }
    }

    /// The decryptor's number of the side that sends: 0 is the TLS client.
    fn side(&self, from: FlowEnd) -> usize {
        usize::from(self.caller.is_some_and(|caller| caller != from))
    }

    /// Decrypts the complete records of one direction.
    fn open(
        &mut self,
        from: FlowEnd,
        at: FrameRef,
        session: &mut TlsSession,
        texts: &mut TextInterner,
    ) {
        let side = self.side(from);
        let mut waiting = std::mem::take(&mut self.directions[from.index()].waiting);
        let mut done = 0;
        while let Some((header, whole)) = record(&waiting, done) {
            let direction = &mut self.directions[from.index()];
            let Some(decryptor) = &mut self.decryptor else {
                break;
            };
            if header == [0; HEADER] {
                direction.before += waiting.len() as u64;
                direction.lost = true;
                decryptor.lose(side);
                return;
            }
            let Some(record) = waiting.get_mut(done + HEADER..done + whole) else {
                break;
            };
            done += whole;
            let outside = direction.before + done as u64;
            match decryptor.open(side, header, record) {
                Ok(plain) if plain.hidden => {
                    let bytes = record.get(plain.place).unwrap_or_default();
                    let fate = decryptor.early_data();
                    self.opened = true;
                    let early = plain.early && plain.kind == APPLICATION_DATA;
                    let full = self.early.len() >= MAX_EARLY;
                    self.early_unsure |= early && full && fate == EarlyData::Undecided;
                    if self.keeps_early(plain.early, fate, plain.kind) {
                        if fate == EarlyData::Undecided {
                            self.early.push((outside, at, bytes.into()));
                        }
                    } else {
                        if fate == EarlyData::Refused {
                            self.early.clear();
                        } else if fate == EarlyData::Taken || plain.kind == APPLICATION_DATA {
                            self.release_early_data(session, texts);
                        }
                        session.opened(from, at, plain.kind, bytes.len() as u64);
                        self.read(from, at, plain.kind, bytes, session, texts);
                        if matches!((plain.kind, bytes), (ALERT, [_, CLOSE_NOTIFY])) {
                            let direction = &mut self.directions[from.index()];
                            direction.close_notify.get_or_insert((outside, at));
                        }
                    }
                }
                // In the clear, and parsed by the session.
                Ok(_) => {}
                Err(closed) => {
                    session.decryption_gap(from);
                    self.wrong |= closed == NotDecrypted::WrongSecret;
                    if header[0] == APPLICATION_DATA && self.any {
                        let length = (whole as u64).saturating_sub(HEADER as u64 + ADDED);
                        self.gap(from, at, length, texts);
                    }
                }
            }
            self.directions[from.index()].note(outside);
        }
        let direction = &mut self.directions[from.index()];
        direction.waiting = waiting;
        direction.drop_first(done);
    }

    /// Whether a record is early data that is not to be read, or not yet.
    fn keeps_early(&self, early: bool, fate: EarlyData, kind: u8) -> bool {
        let room = self.early.len() < MAX_EARLY;
        let undecided = fate == EarlyData::Undecided && room;
        early && kind == APPLICATION_DATA && (undecided || fate == EarlyData::Refused)
    }

    fn early_bytes(&self) -> usize {
        self.early.iter().map(|(_, _, bytes)| bytes.len()).sum()
    }

    /// The server accepts the early data, or nothing will show whether it does: it counts as sent where its records
    /// are.
    fn release_early_data(&mut self, session: &mut TlsSession, texts: &mut TextInterner) {
        let Some(caller) = self.caller else { return };
        for (outside, at, bytes) in std::mem::take(&mut self.early) {
            let length = bytes.len() as u64;
            session.opened(caller, at, APPLICATION_DATA, length);
            self.read(caller, at, APPLICATION_DATA, &bytes, session, texts);
            let places = self.directions[caller.index()].places.iter_mut();
            for place in places.filter(|place| place.0 >= outside) {
                place.1 += length;
            }
        }
    }

    /// Parses the content of a decrypted record.
    fn read(
        &mut self,
        from: FlowEnd,
        at: FrameRef,
        kind: u8,
        bytes: &[u8],
        session: &mut TlsSession,
        texts: &mut TextInterner,
    ) {
        match (kind, bytes) {
            (APPLICATION_DATA, []) => {}
            (APPLICATION_DATA, bytes) => {
                self.any = true;
                let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
                if let Some(annotator) = &self.annotator {
                    annotator.said(from, at, bytes);
                }
                self.inner.data(from, at, bytes, length, texts);
                self.directions[from.index()].said += u64::from(length);
            }
            (ALERT, [level, code]) => {
                session.decrypted_alert(from, at, (*level, *code));
                if *code == CLOSE_NOTIFY {
                    // It ends the decrypted data: a body that lasts until the close is complete.
                    self.inner.end(from, texts);
                }
            }
            (HANDSHAKE, bytes) => {
                session.decrypted_handshake(from, at, bytes);
                if let Some(agreed) = session.take_renewed()
                    && let Some(secrets) = self.key_store.find(&agreed.client_random, at.frame)
                    && let Some(decryptor) = &mut self.decryptor
                {
                    decryptor.renew(&agreed, &secrets);
                }
            }
            _ => {}
        }
    }

    fn hole(&mut self, from: FlowEnd, at: FrameRef, length: u64, texts: &mut TextInterner) {
        let direction = &mut self.directions[from.index()];
        let left = direction.holed.or_else(|| direction.begun());
        let begun = direction.waiting.len() as u64;
        direction.before += begun + length;
        direction.waiting.clear();
        match left {
            Some(holed) if holed.left > length => {
                direction.holed = Some(RecordWithHole {
                    left: holed.left - length,
                    ..holed
                });
            }
            Some(holed) if holed.left == length => {
                direction.holed = None;
                self.pass_over(from, at, holed, texts);
            }
            _ => {
                direction.lost = true;
                direction.holed = None;
                let side = self.side(from);
                if let Some(decryptor) = &mut self.decryptor {
                    decryptor.lose(side);
                }
                if self.any {
                    self.gap(from, at, length, texts);
                }
            }
        }
    }

    /// `length` bytes of decrypted data are missing.
    fn gap(&mut self, from: FlowEnd, at: FrameRef, length: u64, texts: &mut TextInterner) {
        if let Some(annotator) = &self.annotator {
            annotator.missing(from, at, length);
        }
        self.inner.gap(from, at, length, texts);
        self.directions[from.index()].said += length;
    }

    /// A record that has a hole is over.
    fn pass_over(
        &mut self,
        from: FlowEnd,
        at: FrameRef,
        holed: RecordWithHole,
        texts: &mut TextInterner,
    ) {
        let side = self.side(from);
        if let Some(decryptor) = &mut self.decryptor {
            decryptor.skip(side, holed.kind);
        }
        if holed.kind == APPLICATION_DATA && self.any {
            let length = holed.length.saturating_sub(ADDED);
            self.gap(from, at, length, texts);
        }
        let direction = &mut self.directions[from.index()];
        let outside = direction.before;
        direction.note(outside);
    }
}

impl DecryptedDirection {
    fn take(&mut self, bytes: &[u8]) {
        if self.lost {
            // A gap may have ended anywhere. Reading resumes at the next slice that begins with a record header.
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

    /// The record in progress, and how much of it is still to come.
    fn begun(&self) -> Option<RecordWithHole> {
        let header: [u8; HEADER] = self.waiting.get(..HEADER)?.try_into().ok()?;
        let length = u64::from(u16::from_be_bytes([header[3], header[4]]));
        let there = (self.waiting.len() - HEADER) as u64;
        Some(RecordWithHole {
            kind: header[0],
            length,
            left: length.checked_sub(there)?,
        })
    }

    /// Skips the record in progress, like one with a hole.
    fn give_up_record(&mut self) {
        if let Some(begun) = self.begun().filter(|begun| begun.left > 0) {
            self.holed = Some(begun);
            self.before += self.waiting.len() as u64;
            self.waiting = Vec::new();
        }
    }

    fn drop_first(&mut self, done: usize) {
        self.waiting.drain(..done.min(self.waiting.len()));
        self.before += done as u64;
    }

    fn note(&mut self, outside: u64) {
        if self.places.len() >= MAX_PLACES {
            self.thinned = self.thinned.saturating_add(1);
            let mut keep = false;
            self.places.retain(|_| {
                keep = !keep;
                keep
            });
        }
        self.places.push((outside, self.said));
    }
}

/// The header and the total length of the record that begins at `at`, if it is complete. A header of zeros means that
/// what is there is not a record.
fn record(waiting: &[u8], at: usize) -> Option<([u8; HEADER], usize)> {
    let rest = waiting.get(at..)?;
    let header: [u8; HEADER] = rest.get(..HEADER)?.try_into().ok()?;
    let length = usize::from(u16::from_be_bytes([header[3], header[4]]));
    if !(20..=24).contains(&header[0]) || header[1] != 3 || length > MAX_RECORD {
        return Some(([0; HEADER], 0));
    }
    (rest.len() >= HEADER + length).then_some((header, HEADER + length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_that_are_dropped_are_counted() {
        let mut direction = DecryptedDirection::default();
        let records = MAX_PLACES as u64 + 1;
        (0..records).for_each(|record| direction.note(record));
        assert_eq!(
            (direction.thinned, direction.places.len()),
            (1, MAX_PLACES / 2 + 1)
        );
    }
}
