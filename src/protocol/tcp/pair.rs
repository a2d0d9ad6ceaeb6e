//! How one segment advances both endpoints.
//!
//! In: the segments of one connection in capture order. A segment from one end first proves what had reached that end
//! (as far as its acknowledgement goes), then its own flags take effect, then what it implies for the other end is
//! queued there. Causality comes from acknowledgement numbers, never from capture order. Payload is passed to the
//! [`StreamSink`].

use super::doubt;
use super::oddity::{Oddity, Traits, forged};
use super::padding::is_padding;
use super::peer::MOST_SKIPPED;
use super::peer::{CloseEvent, Peer};
use super::reset::{self, ResetKind, ResetSigns};
use super::state::{Standing, State, StateInput};
use super::stream::{Arrival, StreamSink};
use crate::base::flow_end::FlowEnd;
use crate::base::frame_ref::FrameRef;
use crate::base::net::Flags;
use crate::base::passage::Passage;
use crate::packet::decode::Segment;

/// Whether a segment was processed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SegmentResult {
    /// It was processed.
    Taken,
    /// It is a second sighting of one that was processed; nothing was counted.
    Duplicate,
}

/// A segment that fills a hole counts as a retransmission only if it comes this long after the bytes beyond the hole;
/// sooner than that, the path has reordered two segments. Used if the sender sends no timestamps.
const REORDERED_WITHIN: std::time::Duration = std::time::Duration::from_millis(3);

/// Both endpoints of one connection.
#[derive(Clone, Debug, Default)]
pub struct EndpointPair {
    peers: [Peer; 2],
}

impl EndpointPair {
    /// Two endpoints of which nothing was seen yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// One endpoint.
    #[must_use]
    pub const fn peer(&self, end: FlowEnd) -> &Peer {
        &self.peers[end as usize]
    }

    pub(super) fn both(&mut self, from: FlowEnd) -> (&mut Peer, &mut Peer) {
        let [a, b] = &mut self.peers;
        match from {
            FlowEnd::A => (a, b),
            FlowEnd::B => (b, a),
        }
    }

    /// Processes the next segment that `from` sent.
    pub fn segment<R: StreamSink>(
        &mut self,
        from: FlowEnd,
        segment: &Segment<'_>,
        reader: &mut R,
    ) -> SegmentResult {
        let (sender, receiver) = self.both(from);
        let doubled = receiver.sightings.has_second();
        let asked_once = receiver.syns == 1;
        if sender
            .sightings
            .is_second(segment, &sender.fingerprint, doubled, asked_once)
        {
            return SegmentResult::Duplicate;
        }
        let bare = Self::without_padding(from, sender, receiver, segment, reader);
        let segment = bare.as_ref().unwrap_or(segment);
        let at = FrameRef {
            frame: segment.frame,
            time: segment.time,
        };
        if segment.passage != Passage::Unknown {
            sender.passages.count(segment.passage, at);
        }
        receiver.inbox.set_unreached(segment.passage.is_lost());
        sender.inbox.set_unreached(false);
        if segment.flags.has(Flags::RST) {
            // A RST is repeated for every segment that meets no socket, with the same text.
            let first_text = !sender.oddities.has(Oddity::ResetWithText);
            Self::take_reset(sender, receiver, segment, at);
            // The other side's own bytes are nobody's text.
            let mirrored = |it: CloseEvent| it.signs.has(ResetSigns::MIRRORED);
            if first_text && !sender.reset.is_some_and(mirrored) {
                sender.stream.count_extraneous(segment.length);
            }
            if sender.stream.is_anchored() {
                Self::take_ack(from, sender, receiver, segment, at, reader);
            }
            self.note_time_wait(at);
            return SegmentResult::Taken;
        }
        sender.packets += 1;
        let (retransmitted, answers) = (sender.retransmitted, receiver.unanswered > 0);
        if segment.length > 0 && reset::is_of_another(segment, sender, receiver) {
            let own = sender.fingerprint.ttl();
            sender.oddities.note_foreign_bytes(at, segment.ttl, own);
        }
        sender.fingerprint.learn(segment);
        let usual = [Flags::ACK, Flags::SYN, Flags::FIN];
        if !usual.into_iter().any(|it| segment.flags.has(it)) {
            sender.oddities.note(Oddity::WithoutAck, at, &[]);
        }
        if segment.flags.has(Flags::SYN) {
            Self::take_syn(sender, receiver, segment, at);
        } else if sender.syn.is_none() && is_unacceptable(receiver, segment) {
            // Until its SYN is answered, a host accepts no acknowledgement of anything else (RFC 9293 §3.10.7.3,
            // first): this one has the numbers of an older connection, or is forged.
            sender.fins += u32::from(segment.flags.has(Flags::FIN));
            sender.stream.count_extraneous(segment.length);
            sender.out_of_range = sender.out_of_range.saturating_add(1);
            if segment.length == 0 && !segment.flags.has(Flags::FIN) {
                sender.challenge.get_or_insert(at);
            }
            sender.challenged = Some(segment.ack);
            return SegmentResult::Taken;
        } else {
            Self::take_midstream(sender, receiver, segment);
        }
        Self::note_window(sender, segment);
        if sender.reset.is_some() || receiver.reset.is_some() {
            doubt::resets(sender, receiver, segment);
        }
        Self::take_ack(from, sender, receiver, segment, at, reader);
        Self::take_payload(from, sender, receiver, segment, at, reader);
        if segment.flags.has(Flags::FIN) && !segment.flags.has(Flags::SYN) && sender.fin.is_none() {
            sender.before_fin = sender.last_sent;
        }
        sender.last_sent = at;
        let looked_at = answers || sender.watched || sender.retransmitted > retransmitted;
        if looked_at && segment.passage == Passage::Unknown {
            sender.checksums.note(segment, at);
        }
        // A SYN with a FIN is dropped by its receiver, or its bits are damaged: what follows is as after a SYN.
        if segment.flags.has(Flags::FIN) && !segment.flags.has(Flags::SYN) {
            Self::take_fin(from, sender, receiver, segment, at, reader);
        }
        if !sender.oddities.is_empty() {
            sender.oddities.note_checksum(segment, at);
        }
        if segment.options.fast_close && sender.reset.is_none() {
            // It aborts; the RST by which the peer must answer ends nothing any more (RFC 8684 §3.5).
            let offset = sender.stream.offset(segment.seq);
            let kind = Some(ResetKind::Abort);
            sender.reset = Some(close_event(sender, receiver, segment, at, offset, kind));
            sender.fast_closed = true;
        }
        if segment.flags.0 & (Flags::SYN.0 | Flags::FIN.0) != 0
            || receiver.fin.is_some()
            || sender.fin.is_some()
        {
            self.note_time_wait(at);
        }
        SegmentResult::Taken
    }

    /// The payload of this segment breaks the grammar of what is spoken. With a wrong checksum it may not be what was sent: from
    /// now on the checksums of all segments are looked at, which shows whether they are right otherwise.
    #[cold]
    pub(crate) fn note_faulty(&mut self, from: FlowEnd, segment: &Segment<'_>) {
        let at = FrameRef {
            frame: segment.frame,
            time: segment.time,
        };
        if self.peers[from.index()].checksums.note_faulty(segment, at) {
            self.peers.iter_mut().for_each(|peer| peer.watched = true);
        }
    }

    /// Bytes held beyond holes, in both directions.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        let [a, b] = &self.peers;
        a.stream.held_bytes() + b.stream.held_bytes()
    }

    /// Gives up the holes of both ends.
    pub(crate) fn skip_holes<R: StreamSink>(&mut self, at: FrameRef, reader: &mut R) {
        for end in FlowEnd::BOTH {
            self.peers[end.index()].stream.skip_holes(end, at, reader);
        }
    }

    /// Nothing more will come: holes become gaps, and held bytes are delivered. `owing`: the end that owed the other something.
    pub fn close<R: StreamSink>(&mut self, at: FrameRef, owing: Option<FlowEnd>, reader: &mut R) {
        for end in FlowEnd::BOTH {
            self.decide_padding(end, reader);
        }
        for end in FlowEnd::BOTH {
            self.infer_fin(end, at, owing == Some(end), reader);
        }
        for end in FlowEnd::BOTH {
            self.infer_probe(end);
        }
        for end in FlowEnd::BOTH {
            self.peers[end.index()].stream.close(end, at, reader);
        }
    }

    /// The close of an end's peer, if it acknowledges the one number beyond everything that the end sent.
    #[must_use]
    pub(crate) fn acknowledges_unseen_fin(&self, end: FlowEnd) -> Option<CloseEvent> {
        let (own, peer) = (&self.peers[end.index()], &self.peers[end.other().index()]);
        let top = own.stream.top();
        let knew = |event: &CloseEvent| knows_one_more(event, top);
        let alone = own.fin.is_none()
            && own.reset.is_none()
            && own.stream.acknowledged() == top + 1
            && own.stream.missing() > 0
            && peer.zero_windows == 0;
        peer.fin.or(peer.reset).filter(knew).filter(|_| alone)
    }

    /// The one number beyond everything that an end sent, acknowledged by a peer that then closed, was a FIN which the
    /// capture lacks. (A single byte of payload there would need another cause for the close.) `owes`: the end owed its peer
    /// more than a byte, so that the acknowledgement may come with the peer's close.
    fn infer_fin<R: StreamSink>(&mut self, end: FlowEnd, at: FrameRef, owes: bool, reader: &mut R) {
        let Some(close) = self.acknowledges_unseen_fin(end) else {
            return;
        };
        let (own, peer) = self.both(end);
        let top = own.stream.top();
        // An acknowledgement that comes with the peer's own close does not tell when the FIN had come.
        let seen = own.one_beyond.filter(|seen| *seen < close.frame_ref);
        let seen = match (seen, owes) {
            (Some(seen), true) => seen,
            (Some(seen), false) if own.stream.missing() == 1 => seen,
            (None, true) if close.kind.is_none() => close.frame_ref,
            _ => return,
        };
        let received = u64::try_from(peer.stream.acknowledged()).unwrap_or(0);
        own.fin = Some(CloseEvent {
            frame_ref: seen,
            sent: close.received - 1,
            received: received.min(close.sent),
            acknowledged: close.received - 1,
            knew_fin: false,
            kind: None,
            signs: ResetSigns::default(),
            ttl: own.fingerprint.ttl(),
            passage: Passage::Unknown,
            heard: peer.top_time,
        });
        own.stream.finish(end, at, top, reader);
        for event in [&mut peer.fin, &mut peer.reset].into_iter().flatten() {
            if knows_one_more(event, top) {
                event.received -= 1;
                event.knew_fin = true;
            }
        }
    }

    /// The one number that an end was first seen with, acknowledged, is that of a keep-alive probe, if no close makes a FIN of
    /// it.
    fn infer_probe(&mut self, end: FlowEnd) {
        let (own, peer) = self.both(end);
        if own.stream.acknowledged() == 1 && own.stream.may_begin_with_probe() {
            own.stream.begin_after_probe();
            own.keep_alives += 1;
            for event in [&mut peer.fin, &mut peer.reset].into_iter().flatten() {
                event.received = event.received.saturating_sub(1);
            }
        }
    }

    fn take_syn(sender: &mut Peer, receiver: &mut Peer, segment: &Segment<'_>, at: FrameRef) {
        sender.syns = sender.syns.saturating_add(1);
        sender.last_syn = Some(at);
        if segment.flags.has(Flags::FIN) {
            sender.oddities.note(Oddity::SynFin, at, &[]);
        }
        let first = sender.syn.is_none();
        let answers = segment.flags.has(Flags::ACK);
        if first && !sender.stream.is_whole() && sender.stream.is_anchored() {
            // What came before with its address was not part of this connection.
            if answers && sender.stream.seq(0) != segment.seq.add(1) {
                Self::opens_still(receiver, sender);
            }
            sender.stream.anchor_again(segment.seq.add(1));
            sender.fin = None;
            sender.fin_acknowledged = None;
            sender.proven = Standing::Unseen;
            receiver.inbox.take_back(StateInput::ReceiveFin);
            receiver.inbox.take_back(StateInput::ReceiveAckOfSyn);
        } else if !first && sender.isn != Some(segment.seq) {
            sender.other_isn = Some(segment.seq);
        } else if !first && !answers && receiver.syn.is_none() {
            Self::opens_still(sender, receiver);
        }
        sender.stream.anchor(segment.seq.add(1), true);
        if !first {
            sender.retransmitted += 1;
            sender.unanswered = sender.unanswered.saturating_add(1);
        }
        if first {
            sender.syn = Some(at);
            sender.called = !answers;
            sender.isn = Some(segment.seq);
            sender.window_scale = segment.options.window_scale;
        }
        sender.answered_syn |= answers;
        if answers {
            Self::note_uncounted_syn(receiver, segment);
            // An endpoint that answers a SYN has received one, captured or not.
            receiver.stream.anchor(segment.ack, true);
            if receiver.proven == Standing::Unseen {
                receiver.proven = Standing::In(State::SynSent);
            }
            if let Some(syn) = receiver.syn.filter(|_| receiver.syns == 1 && first) {
                sender.note_round_trip(syn, at);
            }
            sender.proven = sender.inbox.prove(sender.proven, 0, None);
            sender.proven = sender.proven.after(StateInput::SendSynAck);
            receiver.inbox.push(StateInput::ReceiveSynAck);
        } else {
            sender.proven = sender.proven.after(StateInput::SendSyn);
            if receiver.proven == Standing::Unseen || receiver.syn.is_some() {
                receiver.inbox.push(StateInput::ReceiveSyn);
            }
        }
    }

    /// `opener` repeats its SYN, or only now gets an answer to it: it was still opening the connection. An acknowledgement of
    /// more than its SYN that `peer` sent before had the numbers of an older connection, which happened to be near, and so had
    /// the RST by which the opener answered (RFC 5961 §4).
    fn opens_still(opener: &mut Peer, peer: &mut Peer) {
        let Some(isn) = opener.isn else {
            return;
        };
        let silent = opener.first_ack.is_none() && opener.stream.top() == 0;
        if !silent || peer.stream.top() > 0 || opener.stream.acknowledged() == 0 {
            return;
        }
        peer.challenge = peer.challenge.or(peer.first_ack.take());
        peer.first_ack = None;
        peer.proven = Standing::Unseen;
        peer.inbox.take_back(StateInput::ReceiveRst);
        opener.stream.anchor_again(isn.add(1));
        opener.proven = Standing::In(State::SynSent);
        opener.inbox.take_back(StateInput::ReceiveAckOfSyn);
        if let Some(event) = &mut opener.reset {
            event.kind = Some(ResetKind::Stale);
        }
    }

    /// Handles a segment without SYN. If nothing was seen of an end before, the capture began after the handshake.
    fn take_midstream(sender: &mut Peer, receiver: &mut Peer, segment: &Segment<'_>) {
        if !sender.stream.is_anchored() || sender.stream.may_begin_with_probe() {
            Self::begin_midstream(sender, segment);
        }
        if segment.flags.has(Flags::ACK) {
            receiver.stream.anchor(segment.ack, false);
        }
        if sender.proven == Standing::Unseen && sender.inbox.is_empty() {
            sender.proven = Standing::Midstream;
        }
        if receiver.proven == Standing::Unseen
            && receiver.inbox.is_empty()
            && receiver.syn.is_none()
        {
            receiver.proven = Standing::Midstream;
        }
    }

    /// The number with which an end is first seen may be that of a keep-alive probe, one before its next byte. A probe's byte is
    /// zero and is not pushed; one without a byte is recognised when the peer has acknowledged that number, and the end goes
    /// on after it, or repeats it.
    fn begin_midstream(sender: &mut Peer, segment: &Segment<'_>) {
        let bare = segment.flags.0 & (Flags::PSH.0 | Flags::FIN.0) == 0;
        let garbage = bare && segment.length == 1 && segment.payload == [0];
        if !sender.stream.is_anchored() {
            let first = segment.payload_seq().add(u32::from(garbage));
            return sender.stream.anchor(first, false);
        }
        let start = sender.stream.offset(segment.payload_seq());
        let goes_on = start == 1 && segment.seq_len() > 0;
        let again = start == 0 && bare && (segment.length == 0 || garbage);
        if sender.stream.acknowledged() == 1 && (goes_on || again) {
            sender.stream.begin_after_probe();
            sender.keep_alives += u32::from(goes_on);
        }
    }

    fn note_window(sender: &mut Peer, segment: &Segment<'_>) {
        let was_open = sender.window != Some(0);
        if segment.window == 0 && was_open && !segment.flags.has(Flags::SYN) {
            sender.zero_windows += 1;
        }
        sender.window = Some(segment.window);
    }

    /// The SYN takes a sequence number (RFC 9293 §3.4). Programs that write captures of their own making forget that: the peer
    /// acknowledges the number of the SYN itself, and the first byte has it again.
    fn note_uncounted_syn(receiver: &mut Peer, segment: &Segment<'_>) {
        let stream = &mut receiver.stream;
        if receiver.isn == Some(segment.ack)
            && stream.is_whole()
            && stream.offset(segment.ack) == -1
        {
            stream.anchor_again(segment.ack);
        }
    }

    /// Applies what the acknowledgement number proves and changes.
    fn take_ack<R: StreamSink>(
        from: FlowEnd,
        sender: &mut Peer,
        receiver: &mut Peer,
        segment: &Segment<'_>,
        at: FrameRef,
        reader: &mut R,
    ) {
        if !segment.flags.has(Flags::ACK) || !receiver.stream.is_anchored() {
            return;
        }
        Self::note_uncounted_syn(receiver, segment);
        if let Some(isn) = receiver.other_isn
            && segment.ack == isn.add(1)
        {
            receiver.stream.anchor_again(segment.ack);
            receiver.isn = Some(isn);
        }
        let ack = receiver.stream.offset(segment.ack);
        // Nothing can follow a FIN: what is acknowledged beyond was not sent. What a RST has there says nothing.
        let last = receiver.stream.fin().map_or(i64::MAX, |fin| fin + 1);
        let beyond_fin = ack > last && segment.flags.has(Flags::RST);
        let far = ack > receiver.stream.send_next() + super::stream::MAX_LEAP;
        if ack < 0 || far || beyond_fin {
            // Acknowledges what was never sent on this connection (RFC 9293 §3.10.7.4), or what the capture lacks: very much of a
            // transfer, whose FIN was captured.
            if receiver.far_fin == Some(segment.ack) {
                receiver.oddities.forget(Oddity::FinOutOfRange);
            }
            sender.out_of_range = sender.out_of_range.saturating_add(1);
            return;
        }
        sender.last_ack = Some(segment.ack);
        let ack = ack.min(last);
        if ack > receiver.stream.acknowledged() && ack == receiver.stream.top() + 1 {
            receiver.one_beyond = Some(at);
        }
        if !segment.flags.has(Flags::RST) && receiver.is_answered_first(ack) {
            sender.note_round_trip(receiver.top_time, at);
        }
        if ack > receiver.stream.acknowledged() || ack >= receiver.stream.send_next() {
            receiver.unanswered = 0;
            let advance = ack - receiver.stream.acknowledged();
            receiver.flight.acknowledged(advance, at);
        }
        if !segment.flags.has(Flags::RST) {
            if receiver.fin_unreached && receiver.stream.fin().is_some_and(|fin| ack > fin) {
                // It had reached the sender after all: the capture there lacks it.
                receiver.fin_unreached = false;
                sender.inbox.push(StateInput::ReceiveFin);
            }
            if !sender.inbox.is_empty() {
                sender.proven = sender
                    .inbox
                    .prove(sender.proven, ack, receiver.stream.fin());
                if !segment.flags.has(Flags::SYN) {
                    // Only an open endpoint sends anything but SYN and RST.
                    sender.proven = sender
                        .inbox
                        .prove_by_act(sender.proven, StateInput::ReceiveAckOfSyn);
                }
            }
            if !segment.flags.has(Flags::SYN) && sender.first_ack.is_none() {
                sender.first_ack = Some(at);
                // Where only SYN, FIN and RST are kept, a FIN is the first that acknowledges the SYN, long after.
                let at_once = !segment.flags.has(Flags::FIN)
                    && sender.stream.offset(segment.payload_seq()) <= 0;
                if let Some(syn) = receiver.syn.filter(|_| receiver.syns == 1 && at_once) {
                    sender.note_round_trip(syn, at);
                }
                if receiver.syn.is_some() || receiver.proven == Standing::In(State::SynReceived) {
                    receiver.inbox.push(StateInput::ReceiveAckOfSyn);
                }
            }
            if let Some(fin) = receiver.stream.fin()
                && ack > fin
                && receiver.stream.acknowledged() <= fin
            {
                receiver.inbox.push(StateInput::ReceiveAckOfFin);
                receiver.fin_acknowledged.get_or_insert(at);
            }
        }
        receiver.stream.acknowledge(from.other(), at, ack, reader);
    }

    pub(super) fn take_payload<R: StreamSink>(
        from: FlowEnd,
        sender: &mut Peer,
        receiver: &Peer,
        segment: &Segment<'_>,
        at: FrameRef,
        reader: &mut R,
    ) {
        let start = sender.stream.offset(segment.payload_seq());
        let control = segment.flags.0 & (Flags::SYN.0 | Flags::FIN.0) != 0;
        if segment.length <= 1 && !control {
            // RFC 9293 §3.8.4: a probe repeats the sequence number before the next, with or without a byte of garbage.
            let next = sender.stream.send_next();
            if start + 1 == next
                && (segment.length == 0 || receiver_has_all(sender, next))
                && (next > 0 || !sender.stream.is_whole())
            {
                match receiver.window {
                    Some(0) => sender.window_probes += 1,
                    _ => sender.keep_alives += 1,
                }
                if sender.unanswered == 0 {
                    let last = sender.last_sent.time.max(receiver.last_sent.time);
                    sender.flight.begin(at, last);
                    sender.flight.again = at;
                }
                sender.unanswered = sender.unanswered.saturating_add(1);
                sender.flight.probes = sender.flight.probes.saturating_add(1);
                return;
            }
        }
        if segment.length == 0 {
            let ahead = start - sender.stream.send_next();
            if (2..=MOST_SKIPPED).contains(&ahead) && !control {
                let since = sender.skipped.map_or(at, |(_, since)| since);
                let end = sender.skipped.map_or(start, |(end, _)| end.max(start));
                sender.skipped = Some((end, since));
            }
            return;
        }
        if let Some(fin) = sender.stream.fin()
            && start + i64::from(segment.length) > fin
            && start <= fin + super::stream::MAX_LEAP
            && !is_padding(segment)
        {
            sender.oddities.note(Oddity::DataAfterFin, at, &[]);
        }
        let nothing_in_flight = sender.stream.acknowledged() >= start;
        let repeats = start < sender.stream.delivered();
        let arrival = sender
            .stream
            .data(from, at, start, segment.payload, segment.length, reader);
        if arrival != Arrival::OutOfRange && sender.stream.contradicts() {
            let first = sender.flight_traits;
            let print = &sender.fingerprint;
            let known = repeats && sender.stream.sampled() == first.at;
            let second = Traits::of(segment, at);
            let found = known.then(|| {
                forged(
                    first,
                    second,
                    print.ttl(),
                    print.stamps(),
                    nothing_in_flight,
                )
            });
            let one_packet = known && first.is_packet_of(second);
            sender
                .oddities
                .note_other_bytes(at, found.flatten(), one_packet);
        }
        if sender.stream.sampled() == at {
            sender.flight_traits = Traits::of(segment, at);
        }
        let tsval = segment.options.timestamps.map(|times| times.value);
        match arrival {
            Arrival::New | Arrival::Ahead => {
                if nothing_in_flight {
                    let last = sender.last_sent.time.max(receiver.last_sent.time);
                    sender.flight.begin(at, last);
                }
                sender.flight.largest = sender.flight.largest.max(segment.length);
                sender.top_timestamp = tsval;
                sender.top_time = at;
            }
            Arrival::Fill => {
                let reordered = match (tsval, sender.top_timestamp) {
                    (Some(this), Some(top)) => (this.wrapping_sub(top) as i32) < 0,
                    _ => at.time.since(sender.top_time.time) < REORDERED_WITHIN,
                };
                if !reordered {
                    sender.retransmitted += 1;
                }
            }
            Arrival::Again => {
                if start + i64::from(segment.length) <= sender.stream.acknowledged() {
                    let again = &mut sender.flight.repeated_acknowledged;
                    *again = again.saturating_add(1);
                }
                if start <= sender.stream.acknowledged() {
                    sender.flight.repeated = segment.length;
                    sender.flight.repeats = sender.flight.repeats.saturating_add(1);
                    sender.flight.latest = at;
                }
                if sender.unanswered == 0 {
                    sender.flight.again = at;
                }
                sender.retransmitted += 1;
                sender.unanswered = sender.unanswered.saturating_add(1);
            }
            Arrival::OutOfRange => {
                sender.stream.count_extraneous(segment.length);
                sender.out_of_range = sender.out_of_range.saturating_add(1);
            }
        }
    }

    fn take_fin<R: StreamSink>(
        from: FlowEnd,
        sender: &mut Peer,
        receiver: &mut Peer,
        segment: &Segment<'_>,
        at: FrameRef,
        reader: &mut R,
    ) {
        sender.fins += 1;
        if !segment.flags.has(Flags::ACK) && !segment.flags.has(Flags::SYN) {
            sender.oddities.note(Oddity::FinWithoutAck, at, &[]);
        }
        let offset = sender.stream.offset(segment.payload_seq()) + i64::from(segment.length);
        if sender.fin.is_some() {
            if sender.fin_unreached && !segment.passage.is_lost() {
                sender.fin_unreached = false;
                receiver.inbox.push(StateInput::ReceiveFin);
            }
            if segment.length == 0 {
                sender.retransmitted += 1;
                sender.unanswered = sender.unanswered.saturating_add(1);
            }
            return;
        }
        sender.stream.finish(from, at, offset, reader);
        if sender.stream.fin().is_none() {
            if (offset - sender.stream.top()).abs() > super::stream::MAX_LEAP {
                sender.oddities.note(Oddity::FinOutOfRange, at, &[]);
                let end = segment.payload_seq().add(segment.length);
                sender.far_fin = Some(end.add(1));
            }
            sender.out_of_range = sender.out_of_range.saturating_add(1);
            return;
        }
        sender.fin = Some(close_event(sender, receiver, segment, at, offset, None));
        sender.proven = sender.proven.after(StateInput::SendFin);
        sender.fin_unreached = segment.passage.is_lost();
        receiver.inbox.push(StateInput::ReceiveFin);
    }

    fn take_reset(sender: &mut Peer, receiver: &mut Peer, segment: &Segment<'_>, at: FrameRef) {
        if proves_more(segment, sender, receiver) {
            sender.stream.note_acknowledged(segment.seq);
        }
        let signs = reset::signs(segment, sender, receiver);
        let kind = match reset::classify(segment, sender, receiver) {
            ResetKind::Abort if signs.show_another_sender() => ResetKind::Foreign,
            ResetKind::NoSocket if signs.has(ResetSigns::MIRRORED) => ResetKind::Foreign,
            kind => kind,
        };
        if segment.length > 0 && !is_padding(segment) && !signs.has(ResetSigns::MIRRORED) {
            sender
                .oddities
                .note(Oddity::ResetWithText, at, segment.payload);
        }
        if kind == ResetKind::Stale && reset::leaves_syn_open(segment, sender, receiver) {
            sender.oddities.note_early_reset(at, segment.ttl);
        } else if kind == ResetKind::Stale && reset::fits_nothing(segment, sender, receiver) {
            sender.oddities.note(Oddity::ResetOutOfWindow, at, &[]);
        }
        sender.packets += 1;
        sender.resets += 1;
        let offset = if sender.stream.is_anchored() && kind != ResetKind::Refusal {
            sender.stream.offset(segment.seq)
        } else {
            0
        };
        let mut event = close_event(sender, receiver, segment, at, offset, Some(kind));
        event.signs = signs;
        if kind == ResetKind::Foreign {
            // A middlebox on the path has seen what the capture has seen.
            event.sent = u64::try_from(sender.stream.top()).unwrap_or(0);
            event.received = u64::try_from(receiver.stream.top()).unwrap_or(0);
        }
        let replace = match sender.reset.and_then(|event| event.kind) {
            None => true,
            Some(ResetKind::Stale) => !doubt::confirms(sender, &event) && kind != ResetKind::Stale,
            Some(_) => false,
        };
        if replace {
            let ignored = |it: &CloseEvent| it.signs.has(ResetSigns::GOES_ON);
            if let Some(before) = sender.reset.filter(ignored) {
                sender.ignored_reset.get_or_insert(Box::new(before));
            }
            sender.reset = Some(event);
        }
        doubt::both(sender, receiver, segment);
        match kind {
            ResetKind::Stale => {}
            ResetKind::Foreign => receiver.inbox.push(StateInput::ReceiveRst),
            ResetKind::Refusal | ResetKind::NoSocket | ResetKind::Abort => {
                // What a program does beside its system says nothing of that.
                if !signs.has(ResetSigns::OWN_STACK) {
                    sender.fingerprint.learn(segment);
                }
                if sender.proven == Standing::Unseen && kind != ResetKind::Refusal {
                    sender.proven = Standing::Midstream;
                }
                sender.proven = sender
                    .inbox
                    .presume(sender.proven)
                    .after(StateInput::SendRst);
                if sender.proven == Standing::Unseen {
                    sender.proven = Standing::In(State::Closed);
                }
                sender.inbox = super::Inbox::default();
                receiver.inbox.push(StateInput::ReceiveRst);
            }
        }
    }

    fn note_time_wait(&mut self, at: FrameRef) {
        for peer in &mut self.peers {
            if peer.presumed() == Standing::In(State::TimeWait) {
                peer.time_wait.get_or_insert(at);
            } else {
                peer.time_wait = None;
            }
        }
    }

    /// Whether neither end can send anything more that matters: each is CLOSED or in TIME-WAIT.
    #[must_use]
    pub fn is_over(&self) -> bool {
        let untouched = |peer: &Peer| peer.fin.is_none() && peer.reset.is_none();
        // Called after every segment, most of which are not near the end.
        if untouched(&self.peers[0]) && untouched(&self.peers[1]) {
            return false;
        }
        self.peers.iter().all(|peer| {
            matches!(
                peer.presumed(),
                Standing::In(State::Closed | State::TimeWait)
            )
        })
    }

    /// Whether a FIN or an effective RST was sent by either end.
    #[must_use]
    pub(crate) fn is_closing(&self) -> bool {
        self.peers.iter().any(|peer| {
            peer.fin.is_some()
                || peer
                    .reset
                    .is_some_and(|event| event.kind != Some(ResetKind::Stale))
        })
    }
}

/// Bytes beyond the SYN that may be acknowledged although the capture has neither them nor the SYN-ACK: a first window.
/// The numbers of an older connection are hardly ever so near.
const NOT_CAPTURED: i64 = u16::MAX as i64;

/// Whether a segment acknowledges what `receiver`, whose SYN has not been answered, cannot have sent.
fn is_unacceptable(receiver: &Peer, segment: &Segment<'_>) -> bool {
    let most = receiver.stream.send_next().saturating_add(NOT_CAPTURED);
    receiver.proven == Standing::In(State::SynSent)
        && segment.flags.has(Flags::ACK)
        && !(0..=most).contains(&receiver.stream.offset(segment.ack))
}

/// How much may have been acknowledged of a connection of which only the handshake was captured.
const MOST_UNSEEN: i64 = 1 << 20;

/// Whether a RST shows that data was sent which the capture lacks, where it has no byte of either side: without ACK it has the
/// number that its sender's peer acknowledged (RFC 9293 §3.10.7.1), or the sender's next. One number may be a FIN.
fn proves_more(segment: &Segment<'_>, sender: &Peer, receiver: &Peer) -> bool {
    let peers = [sender, receiver];
    let unused = |it: &&Peer| {
        it.stream.top() == 0
            && it.stream.acknowledged() <= 0
            && it.fin.is_none()
            && it.reset.is_none()
    };
    !segment.flags.has(Flags::ACK)
        && sender.isn.is_some()
        && receiver.challenged != Some(segment.seq)
        && peers.iter().all(unused)
        && (2..=MOST_UNSEEN).contains(&sender.stream.offset(segment.seq))
}

/// Whether a close acknowledges one number more than what its peer sent up to `top`.
fn knows_one_more(close: &CloseEvent, top: i64) -> bool {
    i64::try_from(close.received) == Ok(top + 1)
}

fn receiver_has_all(sender: &Peer, next: i64) -> bool {
    sender.stream.acknowledged() >= next
}

fn close_event(
    sender: &Peer,
    receiver: &Peer,
    segment: &Segment<'_>,
    at: FrameRef,
    offset: i64,
    kind: Option<ResetKind>,
) -> CloseEvent {
    // A RST without ACK does not show what its sender has received; its earlier acknowledgements do.
    let claimed = segment
        .flags
        .has(Flags::ACK)
        .then_some(segment.ack)
        .filter(|_| receiver.stream.is_anchored() && kind != Some(ResetKind::Refusal))
        .map(|ack| receiver.stream.offset(ack))
        .filter(|ack| {
            (0..=receiver
                .stream
                .send_next()
                .max(receiver.stream.acknowledged()))
                .contains(ack)
        });
    let received = claimed.unwrap_or(0).max(receiver.stream.acknowledged());
    let fin = receiver.stream.fin();
    CloseEvent {
        frame_ref: at,
        sent: u64::try_from(offset).unwrap_or(0),
        received: u64::try_from(fin.map_or(received, |fin| received.min(fin))).unwrap_or(0),
        acknowledged: u64::try_from(sender.stream.acknowledged()).unwrap_or(0),
        knew_fin: fin.is_some_and(|fin| received > fin),
        kind,
        signs: ResetSigns::default(),
        ttl: segment.ttl,
        passage: segment.passage,
        heard: receiver.top_time,
    }
}
