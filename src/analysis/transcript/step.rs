//! The relation of a segment to those before it: new data, a retransmission, data beyond a hole, a probe.
//!
//! The streams are reassembled by the same code as in the first analysis ([`crate::protocol::tcp`]); the kind of a
//! segment follows from what it changes there.

use super::streams::StreamChunks;
use crate::analysis::connection::{Standing, Who};
use crate::base::flow_end::FlowEnd;
use crate::base::frame_names::FrameNames;
use crate::base::frame_ref::{FrameNumber, FrameRef};
use crate::base::net::Flags;
use crate::base::passage::Passage;
use crate::base::seq::Seq;
use crate::base::time::Timestamp;
use crate::packet::decode::Segment;
use crate::protocol::tcp::EndpointPair;

/// One segment of a transcript.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TranscriptStep {
    /// The frame that carried it.
    pub frame: FrameNumber,
    /// When the frame was captured.
    pub time: Timestamp,
    /// The sender.
    pub from: Who,
    /// Its control bits.
    pub flags: Flags,
    /// Its sequence number, relative to its sender's SYN.
    pub seq: i64,
    /// Its acknowledgement number, relative to the other side's SYN; `None` without ACK.
    pub ack: Option<i64>,
    /// Payload bytes.
    pub length: u32,
    /// How many payload bytes were captured.
    pub captured: u32,
    /// The window it announces in bytes, scaled if the scale was seen (RFC 7323 §2).
    pub window: u64,
    /// The states of client and server after it, presumed where not proven.
    pub standings: [Standing; 2],
    /// What another place shows of it.
    pub passage: Passage,
    /// Nothing in the capture shows that it arrived: it asks for an acknowledgement, none was captured, and the capture was
    /// not taken where it arrives.
    pub may_be_lost: bool,
    /// Its relation to the segments before it.
    pub kind: SegmentKind,
    /// Of a retransmission, the frame that carried its first byte before.
    pub before: Option<FrameNumber>,
    /// What its headers say of its sender.
    pub header: HeaderFacts,
    /// Bytes of each side that this segment proves were never captured.
    pub missing: [u64; 2],
    /// The TLS record that its payload begins with.
    pub tls: Option<TlsRecordHead>,
    /// It carries a sign of life of its protocol and nothing else: what that is called.
    pub sign_of_life: Option<&'static str>,
}

/// What the IP and TCP headers of a segment say of its sender.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeaderFacts {
    /// Time to live (IPv4) or hop limit (IPv6).
    pub ttl: u8,
    /// IP identification; IPv6 has none.
    pub ip_id: Option<u16>,
    /// Maximum segment size (RFC 9293 §3.7.1).
    pub mss: Option<u16>,
    /// Window scale shift (RFC 7323 §2).
    pub window_scale: Option<u8>,
    /// SACK permitted (RFC 2018 §2).
    pub sack_permitted: bool,
    /// TSval and TSecr (RFC 7323 §3).
    pub timestamps: Option<(u32, u32)>,
    /// Number of SACK blocks (RFC 2018 §3).
    pub sack_blocks: u8,
}

impl HeaderFacts {
    fn of(segment: &Segment<'_>) -> Self {
        let options = &segment.options;
        Self {
            ttl: segment.ttl,
            ip_id: segment.ip_id,
            mss: options.mss,
            window_scale: options.window_scale,
            sack_permitted: options.sack_permitted,
            timestamps: options.timestamps.map(|it| (it.value, it.echo)),
            sack_blocks: options.sack_count,
        }
    }
}

impl TranscriptStep {
    /// What its headers say, with the hop limit that its file shows.
    pub(crate) fn own_header(&self, frames: &FrameNames) -> HeaderFacts {
        HeaderFacts {
            ttl: frames.own_ttl(self.frame, self.header.ttl),
            ..self.header
        }
    }
}

impl std::fmt::Display for HeaderFacts {
    /// `ttl 64 id 0x1a2b mss 1460 ws 7 sack-ok ts 1:0`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ttl {}", self.ttl)?;
        if let Some(id) = self.ip_id {
            write!(f, " id {id:#06x}")?;
        }
        if let Some(mss) = self.mss {
            write!(f, " mss {mss}")?;
        }
        if let Some(scale) = self.window_scale {
            write!(f, " ws {scale}")?;
        }
        if self.sack_permitted {
            f.write_str(" sack-ok")?;
        }
        if self.sack_blocks > 0 {
            write!(f, " sack {}", self.sack_blocks)?;
        }
        match self.timestamps {
            Some((value, echo)) => write!(f, " ts {value}:{echo}"),
            None => f.write_str(" no ts"),
        }
    }
}

/// The relation of a segment to those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SegmentKind {
    /// It occupies no sequence numbers: an acknowledgement, or a RST.
    Bare,
    /// It continues the stream.
    New,
    /// It lies beyond a hole of this many bytes.
    Ahead(u64),
    /// It fills a hole.
    Fill,
    /// A retransmission.
    Again,
    /// Other bytes under sequence numbers that were sent before.
    Other,
    /// A keep-alive probe (RFC 9293 §3.8.4).
    Probe,
}

/// The start of a TLS record: its content type, and the byte after the record header, which is the message type of a
/// handshake record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TlsRecordHead(pub u8, pub u8);

/// Reassembles both streams again.
#[derive(Debug, Default)]
pub(super) struct StreamFollower {
    pair: EndpointPair,
    sides: [SideStream; 2],
    last: FrameRef,
    /// The ranges of relative sequence numbers that each side sent, in the order sent, each with its frame.
    sent: [Vec<(i64, i64, FrameNumber)>; 2],
}

#[derive(Clone, Copy, Debug, Default)]
struct SideStream {
    /// The last sequence number of this side, and its distance from the SYN; `None` before the first.
    known: Option<(Seq, i64)>,
    /// The window scale of its SYN.
    scale: u8,
    fin: bool,
}

/// Segments of a side that are searched for the first copy of a retransmission.
const LOOKED_BACK: usize = 4096;
/// Larger window scales are taken as this (RFC 7323 §2.3).
const MAX_SCALE: u8 = 14;

impl StreamFollower {
    pub(super) fn step(
        &mut self,
        from: Who,
        segment: &Segment<'_>,
        standings: [Standing; 2],
        chunks: &mut StreamChunks,
    ) -> TranscriptStep {
        let at = FrameRef {
            frame: segment.frame,
            time: segment.time,
        };
        self.last = at;
        let has = |flag| segment.flags.has(flag);
        let (me, other) = (from as usize, from.other() as usize);
        // The RST that refuses a connection has sequence number 0, which is not relative to anything.
        let own = !(has(Flags::RST) && segment.seq == Seq(0));
        if own && self.sides[me].known.is_none() {
            self.sides[me].known = Some((segment.seq, i64::from(!has(Flags::SYN))));
        }
        if has(Flags::ACK) && self.sides[other].known.is_none() {
            self.sides[other].known = Some((segment.ack, 1));
        }
        let seq = if own {
            self.sides[me].relative(segment.seq)
        } else {
            0
        };
        let ack = has(Flags::ACK).then(|| self.sides[other].relative(segment.ack));
        if has(Flags::SYN)
            && let Some(scale) = segment.options.window_scale
        {
            self.sides[me].scale = scale.min(MAX_SCALE);
        }
        let scale = if has(Flags::SYN) {
            0
        } else {
            self.sides[me].scale
        };

        let before = self.seen(from);
        let missing = chunks.missing;
        // Ignore the result: duplicate frames have been sorted out before.
        let _ = self.pair.segment(end(from), segment, chunks);
        let peer = self.pair.peer(end(from));
        let padded = peer.leaves_out(segment) && peer.stream().bytes() == before.bytes;
        let bare = Segment {
            length: 0,
            payload: &[],
            ..*segment
        };
        let segment = if padded { &bare } else { segment };
        let kind = self.kind(from, segment, before);
        let before = match kind {
            SegmentKind::Again => self.sent_before(me, seq),
            _ => None,
        };
        if segment.seq_len() > 0 && kind != SegmentKind::Probe {
            let end = seq + i64::from(segment.seq_len());
            self.sent[me].push((seq, end, segment.frame));
        }
        if has(Flags::RST) {
            chunks.reset(from, at);
        }
        if has(Flags::FIN) {
            self.sides[me].fin = true;
        }
        TranscriptStep {
            frame: segment.frame,
            time: segment.time,
            from,
            flags: segment.flags,
            seq,
            ack,
            length: segment.length,
            captured: u32::try_from(segment.payload.len()).unwrap_or(u32::MAX),
            window: u64::from(segment.window) << scale,
            standings,
            kind,
            before,
            passage: segment.passage,
            may_be_lost: false,
            header: HeaderFacts::of(segment),
            missing: [0, 1].map(|side| chunks.missing[side].saturating_sub(missing[side])),
            tls: tls(segment.payload),
            sign_of_life: sign_of_life(segment.payload),
        }
    }

    /// The last frame before this that carried this side's byte with this relative sequence number.
    fn sent_before(&self, side: usize, seq: i64) -> Option<FrameNumber> {
        let mut sent = self.sent[side].iter().rev().take(LOOKED_BACK);
        let found = sent.find(|(first, end, _)| (*first..*end).contains(&seq));
        found.map(|(.., frame)| *frame)
    }

    /// Restarts the reassembly after segments that were left out: the next segment has no known predecessor.
    pub(super) fn lose_track(&mut self, chunks: &mut StreamChunks) {
        self.pair = EndpointPair::new();
        chunks.left_out(self.last);
    }

    /// Ends the streams.
    pub(super) fn close(&mut self, chunks: &mut StreamChunks) {
        self.pair.close(self.last, None, chunks);
    }

    fn seen(&self, from: Who) -> SeenBefore {
        let peer = self.pair.peer(end(from));
        let stream = peer.stream();
        SeenBefore {
            bytes: stream.bytes(),
            top: stream.top(),
            next: stream.send_next(),
            anchored: stream.is_anchored(),
            syns: peer.syns(),
        }
    }

    fn kind(&self, from: Who, segment: &Segment<'_>, before: SeenBefore) -> SegmentKind {
        let has = |flag| segment.flags.has(flag);
        let stream = self.pair.peer(end(from)).stream();
        if has(Flags::RST) {
            return SegmentKind::Bare;
        }
        if has(Flags::SYN) {
            return if before.syns > 0 {
                SegmentKind::Again
            } else {
                SegmentKind::New
            };
        }
        if segment.seq_len() == 0 || segment.length == 1 && stream.bytes() == before.bytes {
            let back =
                before.anchored && before.next > 0 && stream.offset(segment.seq) == before.next - 1;
            // The last byte once more, before the other side has acknowledged it: it was lost.
            let heard = self.pair.peer(end(from.other())).stream().is_anchored();
            let lost = segment.length == 1 && heard && stream.acknowledged() < before.next;
            return match (back, segment.seq_len()) {
                (true, 1) if lost => SegmentKind::Again,
                (true, _) => SegmentKind::Probe,
                (false, 0) => SegmentKind::Bare,
                (false, _) => SegmentKind::Again,
            };
        }
        let offset = stream.offset(segment.payload_seq());
        if segment.length == 0 {
            return if self.sides[from as usize].fin {
                SegmentKind::Again
            } else {
                SegmentKind::New
            };
        }
        // What comes after its sender's own FIN is no part of the stream, and new nevertheless.
        let beyond = stream.fin().is_some_and(|fin| offset >= fin);
        if beyond {
            SegmentKind::New
        } else if before.anchored && offset < before.top && stream.contradicts() {
            SegmentKind::Other
        } else if before.anchored && stream.bytes() == before.bytes {
            SegmentKind::Again
        } else if before.anchored && offset > before.top {
            SegmentKind::Ahead(u64::try_from(offset - before.top).unwrap_or(0))
        } else if before.anchored && offset < before.top {
            SegmentKind::Fill
        } else {
            SegmentKind::New
        }
    }
}

/// The state of one side before a segment.
#[derive(Clone, Copy)]
struct SeenBefore {
    bytes: u64,
    top: i64,
    next: i64,
    anchored: bool,
    syns: u16,
}

impl SideStream {
    /// The distance of `seq` from the SYN, taken nearest to the previous number.
    fn relative(&mut self, seq: Seq) -> i64 {
        let (last, place) = *self.known.get_or_insert((seq, 1));
        let place = place.saturating_add(i64::from(seq.from(last)));
        self.known = Some((seq, place));
        place
    }
}

/// The client is end `A` here.
pub(super) const fn end(who: Who) -> FlowEnd {
    match who {
        Who::Client => FlowEnd::A,
        Who::Server => FlowEnd::B,
    }
}

/// What a payload is that asks for nothing: a heartbeat of AMQP 0-9-1 (§4.2.7), a KEEPALIVE of BGP (RFC 4271 §4.4).
fn sign_of_life(payload: &[u8]) -> Option<&'static str> {
    const HEARTBEAT: &[u8] = &[8, 0, 0, 0, 0, 0, 0, 0xce];
    match payload {
        HEARTBEAT => Some("heartbeat"),
        [marker @ .., 0, 19, 4] if marker == [0xff; 16] => Some("KEEPALIVE"),
        _ => None,
    }
}

fn tls(payload: &[u8]) -> Option<TlsRecordHead> {
    match payload {
        [kind @ 0x14..=0x17, 3, _, _, _, message, ..] => Some(TlsRecordHead(*kind, *message)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::followed;
    use super::*;

    #[test]
    fn a_retransmission_names_the_frame_it_repeats() {
        let (_, transcript) =
            followed("SYN -->\n<-- SYN\nACK -->\ndata 10 -->\n+300ms again -->\n<-- data 5");
        let told: Vec<_> = transcript
            .steps
            .iter()
            .map(|step| (step.kind, step.before.map(|it| it.0)))
            .collect();
        assert_eq!(told[3], (SegmentKind::New, None));
        assert_eq!(told[4], (SegmentKind::Again, Some(4)));
        assert_eq!(told[5], (SegmentKind::New, None));
    }

    #[test]
    fn headers_are_told_as_far_as_they_are_there() {
        let plain = HeaderFacts {
            ttl: 64,
            ..HeaderFacts::default()
        };
        assert_eq!(plain.to_string(), "ttl 64 no ts");
        let full = HeaderFacts {
            ip_id: Some(0x1a2b),
            mss: Some(1460),
            window_scale: Some(7),
            sack_permitted: true,
            timestamps: Some((123, 0)),
            sack_blocks: 1,
            ..plain
        };
        assert_eq!(
            full.to_string(),
            "ttl 64 id 0x1a2b mss 1460 ws 7 sack-ok sack 1 ts 123:0"
        );
    }
}
