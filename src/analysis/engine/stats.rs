//! The disposition of the frames, and which limits were hit.
use std::collections::BTreeMap;

use super::neighbours::Neighbours;
use super::quic::QuicConnections;
use crate::analysis::connection::{Connection, Evicted};
use crate::base::frame_ref::FrameRef;
use crate::base::net::Skip;
use crate::base::time::Timestamp;
use crate::packet::decode::{Decoder, Segment};
use crate::protocol::dns::Lookups;
use crate::protocol::http::CodingFault;

/// How often each limit on what is kept was hit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LimitCount {
    /// Connections settled before their end to make room.
    pub forgotten: u64,
    /// Settled connections that were kept and later evicted, the oldest first, to make room for newer ones.
    pub shed: u64,
    /// Segments that came after their closed connection had been settled.
    pub stragglers: u64,
    /// Holes skipped because too much data waited behind them.
    pub holes: u64,
    /// How often unfinished heads, handshake messages, header blocks or records were cut short, because too much waited
    /// for its end.
    pub unfinished: u64,
    /// Exchanges evicted on connections with too many.
    pub exchanges: u64,
    /// Fragments discarded.
    pub fragments: u64,
    /// Packets whose tunnel was not distinguished from others, because there were too many.
    pub tunnels: u64,
    /// Header fields beyond the number that is kept of a head.
    pub fields: u64,
    /// Informational responses beyond the number that is kept of an exchange.
    pub interim: u64,
    /// Faults beyond the number that is kept of a message or a connection.
    pub faults: u64,
    /// Targets and other texts of which only the beginning is kept.
    pub texts: u64,
    /// Bodies whose content coding was not checked to the end.
    pub codings: u64,
    /// HTTP/2 streams that were not followed, because too many of one connection were open.
    pub streams: u64,
    /// Tunnels inside tunnels that were not looked into.
    pub inner_tunnels: u64,
    /// How often decryption was given up, or read early data before it was known to be accepted.
    pub decryption: u64,
    /// How often every other place of decrypted data was dropped.
    pub places: u64,
    /// GOAWAYs beyond the number that is kept of one side.
    pub goaways: u64,
    /// WebSockets on HTTP/2 streams beyond the number that is kept of a connection.
    pub websockets: u64,
    /// TLS alerts beyond the number that is kept of a connection.
    pub alerts: u64,
    /// Certificates and names in them beyond the number that is kept.
    pub certificates: u64,
    /// Entries of lists in TLS hellos beyond the number that is kept.
    pub offers: u64,
    /// Connections that were not told apart from one with the same addresses and ports in another VLAN.
    pub vlans: u64,
}

impl LimitCount {
    /// Counts what the limits of one connection discarded while it was followed.
    pub(super) fn evicted(&mut self, limits: Evicted) {
        self.holes += limits.holes;
        self.unfinished += limits.unfinished;
        self.exchanges += limits.exchanges;
        self.inner_tunnels += limits.tunnels;
        self.decryption += limits.decryption;
        self.places += limits.places;
    }

    /// Counts what the limits of one connection left out of its record.
    pub(super) fn settled(&mut self, connection: &Connection) {
        for exchange in &connection.exchanges {
            let request = exchange.request.as_ref();
            let request =
                request.map(|it| [it.target.as_ref(), it.host.as_ref(), it.user_agent.as_ref()]);
            let server = exchange.response.as_ref().and_then(|it| it.server.as_ref());
            let texts = request.into_iter().flatten().flatten().chain(server);
            self.texts += texts.filter(|text| text.is_cut()).count() as u64;
            self.interim += exchange
                .rare
                .as_ref()
                .map_or(0, |it| it.more_interim.into());
            let coding = exchange.rare.as_ref().and_then(|it| it.coding);
            self.codings += u64::from(coding.is_some_and(|it| it.1 == CodingFault::Unchecked));
            for head in exchange
                .rare
                .iter()
                .flat_map(|it| [&it.request, &it.response])
            {
                self.fields += u64::from(head.more_fields);
                self.faults += u64::from(head.more_faults);
            }
        }
        if let Some(h2) = &connection.h2 {
            self.streams += h2.not_followed;
            self.faults += h2.more_faults;
            self.goaways += h2.halves.iter().map(|it| it.more_goaways).sum::<u64>();
            self.websockets += h2.more_websockets;
        }
        if let Some(tls) = &connection.tls {
            self.alerts += u64::from(tls.left_out.alerts);
            self.certificates += u64::from(tls.left_out.certificates);
            self.offers += u64::from(tls.left_out.offers);
            self.unfinished += u64::from(tls.left_out.messages);
        }
    }
}

/// Counts of frames and segments. Every frame has one disposition: `frames + aggregated == segments + Σ skipped`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EngineStats {
    /// Frames read.
    pub frames: u64,
    /// Segments processed.
    pub segments: u64,
    /// Segments beyond the first of their frame (802.11 aggregates).
    pub aggregated: u64,
    /// Frames without one, by reason, in the order of [`Skip::ALL`].
    pub skipped: [u64; Skip::ALL.len()],
    /// Segments whose payload the capture cut short.
    pub cut: u64,
    /// The first segment cut short.
    pub first_cut: Option<FrameRef>,
    /// The first frame that was captured twice, by its second occurrence.
    pub first_duplicate: Option<FrameRef>,
    /// Times of the earliest and the latest frame.
    pub span: Option<(Timestamp, Timestamp)>,
    /// The time until which the source reported that nothing more came.
    pub idle: Option<Timestamp>,
    /// How often each limit was hit.
    pub bounds: LimitCount,
    /// Frames that hold IP and no TCP, by the number of the innermost protocol.
    pub protocols: BTreeMap<u8, u64>,
    /// The DNS lookups of the capture.
    pub lookups: Lookups,
    /// The QUIC connections of the capture, which are only counted.
    pub quic: QuicConnections,
    /// Who was asked for by ARP.
    pub neighbours: Neighbours,
    /// Names of tunnels, by number; number 0 is no tunnel.
    pub contexts: Vec<String>,
}

impl EngineStats {
    pub(super) fn frame(&mut self, time: Timestamp) {
        self.frames += 1;
        self.span = Some(match self.span {
            None => (time, time),
            Some((first, last)) => (first.min(time), last.max(time)),
        });
    }

    #[inline]
    pub(super) fn segment_kept(&mut self, segment: &Segment<'_>) {
        if segment.payload.len() < segment.length as usize {
            self.cut += 1;
            self.first_cut.get_or_insert(FrameRef {
                frame: segment.frame,
                time: segment.time,
            });
        }
    }

    pub(super) fn duplicate(&mut self, segment: &Segment<'_>) {
        self.skip(Skip::Duplicate);
        self.first_duplicate.get_or_insert(FrameRef {
            frame: segment.frame,
            time: segment.time,
        });
    }

    /// Records that the source is idle at `now`.
    pub(super) fn nothing(&mut self, now: Timestamp) {
        if self.span.is_some() {
            self.idle = Some(self.idle.map_or(now, |before| before.max(now)));
        }
    }

    pub(super) fn skip(&mut self, skip: Skip) {
        self.skipped[skip as usize] += 1;
    }

    /// The time up to which the input was observed.
    #[must_use]
    pub fn end(&self) -> Timestamp {
        let last = self.span.map_or(NEVER, |(_, last)| last);
        self.idle.map_or(last, |idle| idle.max(last))
    }

    pub(super) fn add(&mut self, other: Self) {
        self.segments += other.segments;
        for (sum, count) in self.skipped.iter_mut().zip(other.skipped) {
            *sum += count;
        }
        let earlier = |one: Option<FrameRef>, two: Option<FrameRef>| match (one, two) {
            (Some(one), Some(two)) => Some(one.min(two)),
            (one, two) => one.or(two),
        };
        self.first_duplicate = earlier(self.first_duplicate, other.first_duplicate);
        self.cut += other.cut;
        self.first_cut = earlier(self.first_cut, other.first_cut);
        self.bounds.forgotten += other.bounds.forgotten;
        self.bounds.stragglers += other.bounds.stragglers;
        self.bounds.holes += other.bounds.holes;
        self.bounds.unfinished += other.bounds.unfinished;
        self.bounds.exchanges += other.bounds.exchanges;
        self.bounds.fields += other.bounds.fields;
        self.bounds.interim += other.bounds.interim;
        self.bounds.faults += other.bounds.faults;
        self.bounds.codings += other.bounds.codings;
        self.bounds.texts += other.bounds.texts;
        self.bounds.streams += other.bounds.streams;
        self.bounds.inner_tunnels += other.bounds.inner_tunnels;
        self.bounds.decryption += other.bounds.decryption;
        self.bounds.places += other.bounds.places;
        self.bounds.goaways += other.bounds.goaways;
        self.bounds.websockets += other.bounds.websockets;
        self.bounds.alerts += other.bounds.alerts;
        self.bounds.certificates += other.bounds.certificates;
        self.bounds.offers += other.bounds.offers;
        self.bounds.vlans += other.bounds.vlans;
    }

    pub(super) fn take_decoder(&mut self, decoder: &Decoder) {
        let counts = decoder.fragment_counts();
        self.bounds.fragments = counts.limited;
        self.bounds.tunnels = decoder.contexts_overflowed();
        self.contexts = (0..)
            .map(|number| decoder.context_name(crate::base::net::Context(number)))
            .enumerate()
            .take_while(|(number, name)| *number == 0 || name.is_some())
            .map(|(_, name)| name.unwrap_or_default().to_owned())
            .collect();
    }
}

/// The end of a capture without any frame.
pub(super) const NEVER: Timestamp = Timestamp::from_nanos(0);
