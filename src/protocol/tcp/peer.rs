//! One endpoint: its state, what it sent, how it closed, and what its packets look like.

use std::time::Duration;

use super::fingerprint::Fingerprint;
use super::inbox::Inbox;
use super::oddity::{OddSegments, Oddities, Traits};
use super::padding::{Padding, is_padding, may_be_padding};
use super::reset::{ResetKind, ResetSigns};
use super::sightings::Sightings;
use super::state::{Standing, State};
use super::stream::ByteStream;
use crate::base::frame_ref::FrameRef;
use crate::base::passage::Passage;
use crate::base::seq::Seq;
use crate::base::time::Timestamp;
use crate::packet::decode::Segment;

/// Payload that one side may have sent without a byte of it being captured: further away, the number fits no stream.
pub(super) const MOST_SKIPPED: i64 = 1 << 20;

/// A round trip is shorter: a SYN-ACK that nobody acknowledges is repeated until then (RFC 9293 §3.8.3, R2 of SYNs).
const LONGEST_ROUND_TRIP: Duration = Duration::from_secs(60);

/// The first FIN or RST of one endpoint, and what its sender knew at that point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CloseEvent {
    /// The frame that carries it.
    pub frame_ref: FrameRef,
    /// Payload offset of the FIN or RST in its sender's stream.
    pub sent: u64,
    /// Payload offset in the peer's stream up to which the sender had received.
    pub received: u64,
    /// Payload offset in its own stream up to which the peer had acknowledged by then.
    pub acknowledged: u64,
    /// Whether the sender had received the peer's FIN: its acknowledgement covers it.
    pub knew_fin: bool,
    /// The kind of a RST; `None` for a FIN.
    pub kind: Option<ResetKind>,
    /// How a RST differs from its sender's other segments.
    pub signs: ResetSigns,
    /// Its time to live (IPv4) or hop limit (IPv6).
    pub ttl: u8,
    /// What another place shows of it.
    pub passage: Passage,
    /// The segment that carried the peer's last new payload before it; frame 0 if there was none.
    pub heard: FrameRef,
}

impl CloseEvent {
    /// Whether signs show that a RST is not of the host in whose name it came: a device on the way may have sent it.
    pub(crate) fn is_from_elsewhere(&self) -> bool {
        self.kind == Some(ResetKind::Foreign) || self.signs.has(ResetSigns::HOP)
    }
}

/// Data in flight that is not acknowledged, and how much got through before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unacknowledged {
    /// When its first byte or probe was sent.
    pub since: FrameRef,
    /// When it was first retransmitted or probed.
    pub again: FrameRef,
    /// How long neither side had sent anything before `since`, in milliseconds.
    pub idle: u32,
    /// Payload bytes of the oldest segment in flight, if it was retransmitted.
    pub repeated: u32,
    /// How often that segment was retransmitted.
    pub repeats: u16,
    /// Probes without an answer.
    pub probes: u16,
    /// Largest payload of a segment, in bytes.
    pub largest: u32,
    /// Largest payload known to have got through, in bytes.
    pub through: u32,
    /// The segment that last acknowledged more.
    pub acknowledged: FrameRef,
    /// How often bytes were retransmitted that had been acknowledged, since then.
    pub repeated_acknowledged: u16,
    /// When the oldest segment in flight was last retransmitted.
    pub latest: FrameRef,
}

impl Unacknowledged {
    /// Something new is sent at `at` while nothing was in flight; `last` is when either side last sent anything before.
    pub(super) fn begin(&mut self, at: FrameRef, last: Timestamp) {
        self.since = at;
        // Nothing was sent before the first segment, so there was no idle time.
        let idle = if last == Timestamp::default() {
            0
        } else {
            at.time.since(last).as_millis()
        };
        self.idle = u32::try_from(idle).unwrap_or(u32::MAX);
    }

    /// The peer acknowledges `advance` more bytes.
    pub(super) fn acknowledged(&mut self, advance: i64, at: FrameRef) {
        if advance > 0 {
            (self.acknowledged, self.repeated_acknowledged) = (at, 0);
        }
        let advance = u32::try_from(advance).unwrap_or(u32::MAX);
        self.through = self.through.max(self.largest.min(advance));
        self.probes = 0;
        self.repeats = 0;
    }
}

/// What is known of one endpoint.
#[derive(Clone, Debug, Default)]
pub struct Peer {
    /// The state as its own segments prove it.
    pub(super) proven: Standing,
    /// What was sent to it and is not yet proven to have arrived.
    pub(super) inbox: Inbox,
    /// The byte stream it sent.
    pub(super) stream: ByteStream,
    /// What looks like payload of it, and may be the padding of a frame.
    pub(super) padding: Padding,
    /// Its initial sequence number, if its SYN was seen.
    pub(super) isn: Option<Seq>,
    /// Its first SYN.
    pub(super) syn: Option<FrameRef>,
    /// Its last SYN.
    pub(super) last_syn: Option<FrameRef>,
    /// Whether its first SYN carried no ACK.
    pub(super) called: bool,
    /// Its RST is none, but the option with which a Multipath TCP aborts.
    pub(super) fast_closed: bool,
    /// Whether one of its SYNs carried ACK.
    pub(super) answered_syn: bool,
    /// Sequence number of a later SYN that differs from `isn`; the peer's acknowledgement decides which one is valid.
    pub(super) other_isn: Option<Seq>,
    /// SYN segments it sent.
    pub(super) syns: u16,
    /// The acknowledgement number it sent last.
    pub(super) last_ack: Option<Seq>,
    /// When it sent its last segment other than a RST.
    pub(super) last_sent: FrameRef,
    /// Its first segment that was not a SYN and carried a valid ACK.
    pub(super) first_ack: Option<FrameRef>,
    /// Window scale it offered; `None` if its SYN had none or was not seen.
    pub(super) window_scale: Option<u8>,
    /// The window it advertised last, unscaled.
    pub(super) window: Option<u16>,
    /// TSval of the segment that carried its highest byte.
    pub(super) top_timestamp: Option<u32>,
    /// When its highest byte was sent.
    pub(super) top_time: FrameRef,
    /// The shortest time from what the peer sent to this endpoint's answer, where it was captured.
    pub(super) round_trip: Option<Duration>,
    /// How many such times were captured, as far as it matters.
    pub(super) round_trips: u8,
    /// The number after its FIN, if that was far from everything it had sent.
    pub(super) far_fin: Option<Seq>,
    /// Its first FIN.
    pub(super) fin: Option<CloseEvent>,
    /// Its last segment before its first FIN.
    pub(super) before_fin: FrameRef,
    /// All of its FINs so far were lost on the way.
    pub(super) fin_unreached: bool,
    /// The first segment of the peer that acknowledged its FIN.
    pub(super) fin_acknowledged: Option<FrameRef>,
    /// Where the peer first acknowledged one number beyond everything seen.
    pub(super) one_beyond: Option<FrameRef>,
    /// The highest offset beyond what was captured that a segment of it without payload shows it had sent, and the first such
    /// segment.
    pub(super) skipped: Option<(i64, FrameRef)>,
    /// Its first RST that is not stale; if all are stale, the first.
    pub(super) reset: Option<CloseEvent>,
    /// A RST before that one, which had no effect: its host went on, and the other side answered.
    pub(super) ignored_reset: Option<Box<CloseEvent>>,
    /// Since when it has been in TIME-WAIT.
    pub(super) time_wait: Option<FrameRef>,
    /// What its packets look like.
    pub(super) fingerprint: Fingerprint,
    /// Its latest segments, to recognise one captured twice.
    pub(super) sightings: Sightings,
    /// Segments with its address, second sightings not counted.
    pub(super) packets: u64,
    /// Of these, those that were lost on the way, that others forged, and that passed between two places.
    pub(super) passages: PassageCounts,
    pub(super) retransmitted: u32,
    /// Consecutive retransmissions and probes that the peer has not answered.
    pub(super) unanswered: u16,
    /// What it sent last that was not a retransmission, as long as it is not acknowledged.
    pub(super) flight: Unacknowledged,
    /// What the segment looked like whose bytes those of later ones are compared with.
    pub(super) flight_traits: Traits,
    /// An acknowledgement with the numbers of an older connection, sent instead of an answer to the peer's SYN.
    pub(super) challenge: Option<FrameRef>,
    /// What its latest such acknowledgement acknowledges. A host whose SYN is not answered resets it with this number.
    pub(super) challenged: Option<Seq>,
    pub(super) fins: u32,
    pub(super) resets: u32,
    pub(super) keep_alives: u32,
    pub(super) zero_windows: u32,
    pub(super) window_probes: u32,
    /// Segments far outside everything sent, or with numbers that fit no state.
    pub(super) out_of_range: u32,
    /// Its segments that contradict the protocol.
    pub(super) oddities: Oddities,
    /// The checksums of what it sent while something was retransmitted.
    pub(super) checksums: Checksums,
    /// The checksums of all its segments are looked at.
    pub(super) watched: bool,
}

impl Peer {
    /// The state if everything sent to it has arrived.
    #[must_use]
    pub fn presumed(&self) -> Standing {
        self.inbox.presume(self.proven)
    }

    /// The state as its own segments prove it.
    #[must_use]
    pub const fn proven(&self) -> Standing {
        self.proven
    }

    /// The shortest time from what the peer sent to this endpoint's answer, where it was captured.
    #[must_use]
    pub const fn round_trip(&self) -> Option<Duration> {
        self.round_trip
    }

    /// Takes note of a round trip: what was sent at `since` is answered at `at`.
    pub(super) fn note_round_trip(&mut self, since: FrameRef, at: FrameRef) {
        let took = at.time.since(since.time);
        // So long no host waits for an answer: the clock of the capture was set in between.
        if took > LONGEST_ROUND_TRIP {
            return;
        }
        self.round_trips = self.round_trips.saturating_add(1);
        self.round_trip = Some(self.round_trip.map_or(took, |least| least.min(took)));
    }

    /// Whether an acknowledgement up to here is the first answer to this endpoint's newest data, which it sent once.
    pub(super) fn is_answered_first(&self, ack: i64) -> bool {
        self.unanswered == 0
            && self.top_time.frame.0 > 0
            && ack == self.stream.top()
            && ack > self.stream.acknowledged()
    }

    /// Bytes that it had sent, as the number of a later segment without payload shows, and of which nothing shows that they
    /// arrived; and the first segment that shows it.
    #[must_use]
    pub(crate) fn skipped(&self) -> Option<(u64, FrameRef)> {
        let (end, at) = self.skipped?;
        let known = self.stream.send_next().max(self.stream.acknowledged());
        let bytes = u64::try_from(end - known).ok()?;
        // One number may be its FIN.
        (bytes > 1).then_some((bytes, at))
    }

    /// Payload bytes that it had sent before its own RST, as the number of that RST shows, and that the capture does not have. One
    /// number may be its FIN.
    #[must_use]
    pub(crate) fn unseen_before_reset(&self) -> u64 {
        let own = self.reset.filter(|it| it.kind == Some(ResetKind::Abort));
        let sent = own.map_or(0, |it| it.sent);
        let known = u64::try_from(self.stream.send_next().max(self.stream.acknowledged()));
        let ahead = sent.saturating_sub(known.unwrap_or(0));
        match (2..=MOST_SKIPPED.unsigned_abs()).contains(&ahead) {
            true => ahead,
            false => 0,
        }
    }

    /// Whether it has sent a SYN and still waits for an answer to it.
    pub(super) fn awaits_syn_ack(&self) -> bool {
        self.isn.is_some() && self.proven == Standing::In(State::SynSent)
    }

    /// The byte stream it sent.
    #[must_use]
    pub const fn stream(&self) -> &ByteStream {
        &self.stream
    }

    /// Its first SYN.
    #[must_use]
    pub const fn syn(&self) -> Option<FrameRef> {
        self.syn
    }

    /// The number with which it began, of its valid SYN.
    #[must_use]
    pub const fn isn(&self) -> Option<Seq> {
        self.isn
    }

    /// Its last SYN: the same as the first, or the last repetition.
    #[must_use]
    pub const fn last_syn(&self) -> Option<FrameRef> {
        self.last_syn
    }

    /// Whether it aborted by an option of Multipath TCP, which its peer answers by a RST.
    #[must_use]
    pub const fn fast_closed(&self) -> bool {
        self.fast_closed
    }

    /// Whether it called before the peer's SYN came: its first SYN answered nothing.
    #[must_use]
    pub const fn called(&self) -> bool {
        self.called
    }

    /// Whether its SYN answered the peer's.
    #[must_use]
    pub const fn answered_syn(&self) -> bool {
        self.answered_syn
    }

    /// Number of SYN segments it sent, retransmissions included.
    #[must_use]
    pub const fn syns(&self) -> u16 {
        self.syns
    }

    /// Its first segment after the handshake's first two.
    #[must_use]
    pub const fn first_ack(&self) -> Option<FrameRef> {
        self.first_ack
    }

    /// Its first FIN.
    #[must_use]
    pub const fn fin(&self) -> Option<CloseEvent> {
        self.fin
    }

    /// The first segment of the peer that acknowledged its FIN.
    #[must_use]
    pub const fn fin_acknowledged(&self) -> Option<FrameRef> {
        self.fin_acknowledged
    }

    /// When its highest byte was sent.
    #[must_use]
    pub const fn top_time(&self) -> FrameRef {
        self.top_time
    }

    /// Its first RST that is not stale; if all are stale, the first.
    #[must_use]
    pub const fn reset(&self) -> Option<CloseEvent> {
        self.reset
    }

    /// Whether the payload of this segment of it, which its stream has not taken, is set aside or left out as padding.
    pub(crate) fn leaves_out(&self, segment: &Segment<'_>) -> bool {
        may_be_padding(segment) && (self.padding.proven || is_padding(segment))
    }

    /// A RST before [`Self::reset`] that had no effect, and after which it went on.
    #[must_use]
    pub(crate) fn ignored_reset(&self) -> Option<CloseEvent> {
        self.ignored_reset.as_deref().copied()
    }

    /// Since when it has been in TIME-WAIT.
    #[must_use]
    pub const fn time_wait(&self) -> Option<FrameRef> {
        self.time_wait
    }

    /// When it last sent anything but a RST.
    #[must_use]
    pub const fn last_sent(&self) -> FrameRef {
        self.last_sent
    }

    /// Its last segment before its first FIN; the default if it sent none.
    #[must_use]
    pub const fn before_fin(&self) -> FrameRef {
        self.before_fin
    }

    /// Retransmissions and probes since the peer last answered.
    #[must_use]
    pub const fn unanswered(&self) -> u16 {
        self.unanswered
    }

    /// Data in flight that is not acknowledged.
    #[must_use]
    pub const fn flight(&self) -> Unacknowledged {
        self.flight
    }

    /// An acknowledgement with the numbers of an older connection, instead of an answer to a SYN.
    #[must_use]
    pub const fn challenge(&self) -> Option<FrameRef> {
        self.challenge
    }

    /// Number of segments that fit nothing it had sent.
    #[must_use]
    pub const fn out_of_range(&self) -> u32 {
        self.out_of_range
    }

    /// Its segments that contradict the protocol.
    #[must_use]
    pub fn oddities(&self) -> &[OddSegments] {
        self.oddities.all()
    }

    /// The checksums of what it sent while something was retransmitted.
    #[must_use]
    pub const fn checksums(&self) -> Checksums {
        self.checksums
    }

    /// Counters of its segments by kind.
    #[must_use]
    pub const fn counts(&self) -> SegmentCounts {
        SegmentCounts {
            packets: self.packets,
            retransmitted: self.retransmitted,
            fins: self.fins,
            resets: self.resets,
            keep_alives: self.keep_alives,
            zero_windows: self.zero_windows,
            window_probes: self.window_probes,
            ttl: self.fingerprint.ttl(),
            ttls: self.fingerprint.ttls(),
            passages: self.passages,
        }
    }
}

/// Segment counters of one endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SegmentCounts {
    /// All segments.
    pub packets: u64,
    /// Segments that retransmit what was sent before.
    pub retransmitted: u32,
    /// Segments with FIN.
    pub fins: u32,
    /// Segments with RST.
    pub resets: u32,
    /// Keep-alive probes.
    pub keep_alives: u32,
    /// Number of times the advertised window went to zero.
    pub zero_windows: u32,
    /// Probes of a window that the peer had shut: the sender has more.
    pub window_probes: u32,
    /// Time to live of its first segment.
    pub ttl: u8,
    /// The least and the greatest time to live of its own segments.
    pub ttls: (u8, u8),
    /// What became of them between two places.
    pub passages: PassageCounts,
}

/// The checksums of one endpoint's retransmissions, and of its answers to the other's: of no others, as each costs time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checksums {
    /// So many were right.
    pub right: u32,
    /// So many were wrong: the receiver drops such a segment (RFC 9293 §3.1).
    pub wrong: u32,
    /// The first that was wrong.
    pub first_wrong: Option<FrameRef>,
    /// The last that was wrong.
    pub last_wrong: Option<FrameRef>,
    /// The first segment that breaks the grammar of what is spoken, and has a wrong checksum. All after it were looked at.
    pub faulty: Option<FrameRef>,
}

impl Checksums {
    /// Takes note of a segment that breaks the grammar of what is spoken. Returns whether it is the first with a wrong checksum.
    pub(super) fn note_faulty(&mut self, segment: &Segment<'_>, at: FrameRef) -> bool {
        let first = self.faulty.is_none() && segment.has_right_checksum() == Some(false);
        if first {
            self.faulty = Some(at);
        }
        first
    }

    /// Takes note of the checksum of a segment, if the capture shows what it should be.
    #[cold]
    pub(super) fn note(&mut self, segment: &Segment<'_>, at: FrameRef) {
        match segment.has_right_checksum() {
            Some(true) => self.right = self.right.saturating_add(1),
            Some(false) => {
                self.wrong = self.wrong.saturating_add(1);
                self.first_wrong.get_or_insert(at);
                self.last_wrong = Some(at);
            }
            None => {}
        }
    }
}

/// Segments of one endpoint by what two places show of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PassageCounts {
    /// Both places show them.
    pub both: u32,
    /// They were lost between the places.
    pub lost: u32,
    /// They have the endpoint's address, but it did not send them.
    pub forged: u32,
    /// The first that was lost.
    pub first_lost: Option<FrameRef>,
    /// The last that was lost.
    pub last_lost: Option<FrameRef>,
}

impl PassageCounts {
    #[inline]
    pub(super) fn count(&mut self, passage: Passage, at: FrameRef) {
        match passage {
            Passage::Unknown | Passage::Sent | Passage::Apart => {}
            Passage::Both => self.both = self.both.saturating_add(1),
            Passage::Lost => {
                self.lost = self.lost.saturating_add(1);
                self.first_lost.get_or_insert(at);
                self.last_lost = Some(at);
            }
            Passage::Forged => self.forged = self.forged.saturating_add(1),
        }
    }
}
