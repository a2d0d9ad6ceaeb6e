//! Classifies RSTs by the numbers and packet traits they carry (RFC 9293 §3.5.2 and §3.10.7, RFC 5961 §3, RFC 1337).

use std::fmt;
use std::time::Duration;

use super::peer::Peer;
use super::state::{Standing, State};
use crate::base::net::Flags;
use crate::base::passage::Passage;
use crate::packet::decode::Segment;

/// The kind of a RST; it decides most of the diagnosis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ResetKind {
    /// Answers a SYN: nothing listens on the port, or the connection is administratively prohibited.
    Refusal,
    /// Answers a segment for which there is no socket (any more): it has no ACK flag, and its sequence number is the
    /// acknowledgement number of the segment that triggered it. That segment came late; the close was earlier.
    NoSocket,
    /// RST and ACK at the sender's next sequence number: its application or kernel aborted a live socket.
    Abort,
    /// Not sent by that host: TTL, IP identification, window, options or timing do not fit it.
    Foreign,
    /// Outside the receiver's window, or sent to a connection already over: without effect.
    Stale,
}

impl ResetKind {
    /// The name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Refusal => "refusal",
            Self::NoSocket => "no-socket",
            Self::Abort => "abort",
            Self::Foreign => "foreign",
            Self::Stale => "stale",
        }
    }
}

impl fmt::Display for ResetKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How a RST differs from all other segments of the host whose address it carries; a set of flags.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResetSigns(u16);

impl ResetSigns {
    /// Another time to live or hop limit: it originated elsewhere.
    pub const DISTANCE: Self = Self(1);
    /// An IPv4 identification far from those of a host that counts its packets.
    pub const NUMBERING: Self = Self(2);
    /// No timestamps on a RST with ACK, where all other segments have them (RFC 7323 §3.2).
    pub const OPTIONS: Self = Self(4);
    /// The host continues as if it had not sent it.
    pub const GOES_ON: Self = Self(8);
    /// The capture nearer to the host does not show it: it was never sent.
    pub const NOT_SENT: Self = Self(16);
    /// It acknowledges data sooner than the host has ever answered: the data cannot have reached it.
    pub const EARLY: Self = Self(32);
    /// A TTL that differs by a hop or two from the one that all segments of the host have.
    pub const HOP: Self = Self(2048);
    /// It acknowledges bytes that nobody had sent.
    pub const UNSENT: Self = Self(64);
    /// A RST in the name of the other side came at the same moment.
    pub const PAIRED: Self = Self(128);
    /// It carries the bytes that its receiver had sent: it was made from that segment.
    pub const MIRRORED: Self = Self(256);
    /// It lies behind what its sender had already sent.
    pub const BEHIND: Self = Self(512);

    /// No sign, but what explains others: a program that opens connections beside its operating system.
    pub const OWN_STACK: Self = Self(1024);

    /// What has other causes, even together. A stack, or a load balancer at the place of the host, may make every RST without the
    /// socket; and the capture may lack what the RST acknowledges, or what it repeats.
    const WEAK: Self = Self(Self::NUMBERING.0 | Self::OPTIONS.0 | Self::UNSENT.0 | Self::BEHIND.0);

    /// Whether all signs of `other` are in the set.
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Number of signs in the set that are not explained. Other hops alone have too many causes to count.
    #[must_use]
    pub const fn count(self) -> u32 {
        if self.has(Self::OWN_STACK) && !self.has(Self::NOT_SENT) {
            return 0;
        }
        (self.0 & !(Self::OWN_STACK.0 | Self::HOP.0)).count_ones()
    }

    /// Whether the signs have hardly another cause than another sender: one alone may have one.
    #[must_use]
    pub const fn show_another_sender(self) -> bool {
        let strong = self.0 & !(Self::WEAK.0 | Self::HOP.0) != 0;
        self.has(Self::MIRRORED) || self.count() > 1 && strong
    }

    /// The signs of both sets.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) const fn remove(&mut self, other: Self) {
        self.0 &= !other.0;
    }

    pub(super) const fn add(&mut self, other: Self, holds: bool) {
        if holds {
            self.0 |= other.0;
        }
    }
}

/// The signs that the RST segment itself shows. `from` has not learned from it yet; `to` receives it.
pub(super) fn signs(segment: &Segment<'_>, from: &Peer, to: &Peer) -> ResetSigns {
    let mut signs = ResetSigns::default();
    if segment.passage == Passage::Sent {
        return signs;
    }
    let print = &from.fingerprint;
    signs.add(ResetSigns::DISTANCE, print.is_distant(segment));
    signs.add(ResetSigns::NUMBERING, print.is_misnumbered(segment));
    let bare = segment.flags.has(Flags::ACK) && segment.options.timestamps.is_none();
    signs.add(ResetSigns::OPTIONS, bare && print.stamps());
    signs.add(ResetSigns::NOT_SENT, segment.passage == Passage::Forged);
    signs.add(ResetSigns::EARLY, is_early(segment, from, to));
    signs.add(ResetSigns::HOP, print.is_off(segment));
    signs.add(ResetSigns::UNSENT, acknowledges_unsent(segment, to));
    signs.add(
        ResetSigns::MIRRORED,
        segment.length > 0 && to.stream.is_echo(segment.payload),
    );
    signs.add(ResetSigns::BEHIND, is_behind(segment, from));
    signs.add(ResetSigns::OWN_STACK, is_kernels_answer(segment, from, to));
    signs
}

/// Whether a RST acknowledges bytes beyond everything that its receiver sent, and beyond a FIN that may not have been captured.
fn acknowledges_unsent(segment: &Segment<'_>, to: &Peer) -> bool {
    // Of a direction that passes elsewhere nothing shows what was sent.
    let known = segment.flags.has(Flags::ACK) && to.stream.is_whole() && to.packets > 0;
    let beyond =
        to.stream.offset(segment.ack) - to.stream.send_next().max(to.stream.acknowledged());
    known && (2..=super::stream::MAX_LEAP).contains(&beyond)
}

/// Whether a RST with ACK lies behind bytes that its sender has sent and not repeated: a host resets at its next number.
fn is_behind(segment: &Segment<'_>, from: &Peer) -> bool {
    let offset = from.stream.offset(segment.seq);
    let behind = (1..=OVERTAKEN).contains(&(from.stream.top() - offset));
    segment.flags.has(Flags::ACK)
        && from.stream.is_anchored()
        && offset >= 0
        && behind
        && from.unanswered == 0
}

/// Whether a RST is that of a host whose program opens connections beside its operating system, with segments of its own making:
/// the system knows of no connection, and resets the answer to the SYN. A scanner does so.
fn is_kernels_answer(segment: &Segment<'_>, from: &Peer, to: &Peer) -> bool {
    let opens = from.awaits_syn_ack() && !from.answered_syn && from.first_ack.is_none();
    let answers = to.answered_syn && to.last_ack == Some(segment.seq);
    opens && answers && from.stream.top() == 0 && !segment.flags.has(Flags::ACK)
}

/// The one answer of a client to a SYN-ACK may have waited for its processor.
const ENOUGH_ROUND_TRIPS: u8 = 2;
/// A RST is early only if it comes by this much sooner than the fastest answer: what queued on the way may vary.
const LEAST_EARLY: Duration = Duration::from_millis(1);

/// Whether a RST acknowledges the newest data in less than three quarters of the shortest round trip to its sender.
fn is_early(segment: &Segment<'_>, from: &Peer, to: &Peer) -> bool {
    let Some(least) = from
        .round_trip
        .filter(|_| from.answered_syn || from.round_trips >= ENOUGH_ROUND_TRIPS)
    else {
        return false;
    };
    let new = segment.flags.has(Flags::ACK)
        && segment.passage != Passage::Both
        && from.stream.is_anchored()
        && to.stream.is_anchored()
        && to.is_answered_first(to.stream.offset(segment.ack));
    let after = segment.time.since(to.top_time.time);
    new && after + LEAST_EARLY < least && after < least * 3 / 4
}

/// Whether a segment comes from nearer than all others of its sender, and answers sooner than that has ever answered: a
/// changed route alone explains the one, and a slow first answer the other. One segment before is no measure: what answers
/// SYNs before a server may have a distance of its own.
pub(super) fn is_of_another(segment: &Segment<'_>, from: &Peer, to: &Peer) -> bool {
    from.fingerprint.is_distant(segment)
        && from.fingerprint.is_seen_twice()
        && from.fingerprint.is_farther_than(segment.ttl)
        && is_early(segment, from, to)
}

/// How far right of the sender's next number a RST may lie and still count as within its numbering: the largest window
/// (RFC 7323 §2.3).
const MAX_WINDOW: i64 = 1 << 30;

/// Classifies a RST by its numbers and the state of both sides. `from` sent it (by its address), `to` receives it.
#[must_use]
pub fn classify(segment: &Segment<'_>, from: &Peer, to: &Peer) -> ResetKind {
    let acks = segment.flags.has(Flags::ACK);
    if is_refusal(segment, from, to) {
        if segment.passage == Passage::Forged {
            return ResetKind::Foreign;
        }
        return ResetKind::Refusal;
    }
    // Until its SYN is answered, a host accepts no RST but one that acknowledges it (RFC 9293 §3.10.7.3, second).
    if misses_syn(from, to) {
        return ResetKind::Stale;
    }
    if answers_challenge(segment, from, to) {
        return ResetKind::Stale;
    }
    let offset = from.stream.offset(segment.seq);
    if segment.passage == Passage::Forged && !both_over(from, to) {
        return ResetKind::Foreign;
    }
    let known = segment.passage == Passage::Sent || is_kernels_answer(segment, from, to);
    if from.fingerprint.is_distant(segment) && !known {
        return ResetKind::Foreign;
    }
    if both_over(from, to) {
        return ResetKind::Stale;
    }
    // A segment without ACK triggers a RST with ACK and sequence number 0; one with ACK triggers a RST without ACK, at
    // the number it acknowledged (RFC 9293 §3.10.7.1).
    if !acks {
        let trigger = to.last_ack == Some(segment.seq) || from.stream.acknowledged() == offset;
        if trigger || !from.stream.is_anchored() {
            return ResetKind::NoSocket;
        }
        let next = from.stream.send_next();
        return if offset >= from.stream.acknowledged().min(next) && offset <= next {
            ResetKind::NoSocket
        } else if offset == next || in_window(offset, from) {
            ResetKind::Abort
        } else {
            ResetKind::Stale
        };
    }
    if !from.stream.is_anchored() || in_window(offset, from) {
        return ResetKind::Abort;
    }
    ResetKind::Stale
}

/// Whether a RST of `from` that is no refusal comes before any answer to the SYN of `to`, which ignores it.
pub(super) fn misses_syn(from: &Peer, to: &Peer) -> bool {
    let unanswered =
        to.isn.is_some() && to.first_ack.is_none() && to.proven == Standing::In(State::SynSent);
    unanswered && from.syn.is_none() && !from.stream.is_anchored()
}

/// Whether such a RST does not acknowledge the SYN, or one that had a FIN with it.
pub(super) fn leaves_syn_open(segment: &Segment<'_>, from: &Peer, to: &Peer) -> bool {
    let acknowledged = to.stream.offset(segment.ack);
    let covers = (0..=to.stream.send_next() + 1).contains(&acknowledged);
    misses_syn(from, to) && !(segment.flags.has(Flags::ACK) && covers)
}

/// How many bytes a RST may lie behind its receiver's acknowledgement because it answers an older segment.
const OVERTAKEN: i64 = 1 << 20;

/// Whether a RST without effect is odd as well: it answers neither what came after the end nor a segment that others
/// have overtaken.
pub(super) fn fits_nothing(segment: &Segment<'_>, from: &Peer, to: &Peer) -> bool {
    let answers_older = !segment.flags.has(Flags::ACK) && {
        let behind = from.stream.acknowledged() - from.stream.offset(segment.seq);
        (0..=OVERTAKEN).contains(&behind)
    };
    from.stream.is_anchored()
        && !both_over(from, to)
        && !answers_older
        && !answers_challenge(segment, from, to)
}

/// Whether a host whose SYN is not answered yet resets an older connection: it got an acknowledgement of something else, and
/// the RST has the number that this acknowledged. It still waits for the answer (RFC 9293 §3.10.7.3, first).
fn answers_challenge(segment: &Segment<'_>, from: &Peer, to: &Peer) -> bool {
    from.awaits_syn_ack() && to.challenged == Some(segment.seq)
}

/// RST and ACK, acknowledging exactly the SYN (and its data, RFC 7413), from a side that never sent a SYN.
fn is_refusal(segment: &Segment<'_>, from: &Peer, to: &Peer) -> bool {
    if to.isn.is_none() && segment.seq.0 == 0 && segment.flags.has(Flags::ACK) {
        // The SYN was not captured. Sequence number 0 with ACK answers a segment without ACK (RFC 9293 §3.10.7.1), and of those
        // programs send only a SYN; scanners send others.
        return !from.stream.is_anchored() && !to.stream.is_anchored();
    }
    let Some(isn) = to.isn.filter(|_| from.syn.is_none()) else {
        return false;
    };
    // Who acknowledged something, or got data, had a SYN-ACK, whether or not it was captured.
    let opened = to.first_ack.is_some() || from.stream.bytes() > 0;
    let unanswered = !opened && matches!(to.proven, Standing::In(State::SynSent | State::Closed));
    let acknowledged = segment.ack.from(isn.add(1));
    unanswered
        && segment.flags.has(Flags::ACK)
        && (0..=to.stream.top().clamp(0, i64::from(i32::MAX))).contains(&i64::from(acknowledged))
}

/// Whether both addresses are of one host: nothing is on the way between them.
pub(super) fn is_within_host(segment: &Segment<'_>) -> bool {
    segment.source.ip.is_loopback() || segment.source.ip == segment.destination.ip
}

/// Whether both sides have closed and know of the other's close: nothing is left that a RST could end.
fn both_over(from: &Peer, to: &Peer) -> bool {
    let over = |peer: &Peer| {
        matches!(
            peer.presumed(),
            Standing::In(State::TimeWait | State::Closed)
        )
    };
    over(from) && over(to)
}

/// Whether a RST at `offset` can have an effect: not left of what the receiver has acknowledged, not right of any
/// window (RFC 5961 §3.2; the exact match that it requires cannot be checked by an observer when segments were lost).
fn in_window(offset: i64, from: &Peer) -> bool {
    let left = from.stream.acknowledged().min(from.stream.send_next());
    offset >= left && offset <= from.stream.send_next().max(left) + MAX_WINDOW
}
