//! Connections captured at several places: the places, and what became of a segment between them.

use std::time::Duration;

use super::frame_ref::FrameNumber;
use super::net::Endpoint;

/// Places that are told apart. Of more than these it is not said between which two a segment was lost.
pub const PLACES: usize = 8;

/// Whether a segment that one place shows was seen at the other place too, and what it means if it was not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Passage {
    /// There is one place, or it is not known what the other place should have shown.
    #[default]
    Unknown,
    /// Both places show it: it passed between them.
    Both,
    /// The place nearer to its sender shows it, and the other does not, though it was capturing: it was lost between them.
    Lost,
    /// The place nearer to its receiver shows it, and the other does not, though it was capturing: its sender never sent it.
    Forged,
    /// There is one place, and the operating system of its sender says that it sent it.
    Sent,
    /// It belongs to a connection that the first place shows with other numbers: which of its segments are which is not known.
    Apart,
}

impl Passage {
    /// Whether its receiver cannot have it.
    #[must_use]
    pub const fn is_lost(self) -> bool {
        matches!(self, Self::Lost)
    }

    /// Whether only one of the places shows it, and it is known why.
    #[must_use]
    pub const fn is_one_sided(self) -> bool {
        matches!(self, Self::Lost | Self::Forged)
    }
}

/// A place that captured connections which another place captured too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Vantage {
    /// Its number, in the order in which the places were named, from 0.
    pub place: u32,
    /// Nanoseconds by which its clock is ahead of the first place's; `None` for the first.
    pub clock_offset: Option<i64>,
    /// How much its clock gains, in parts of a thousand million.
    pub drift_ppb: Option<i64>,
    /// The round trip between it and the first place: the offset is wrong by no more than this.
    pub round_trip: Option<Duration>,
    /// Connections that both places show.
    pub flows: u64,
    /// Of these, those with other addresses or ports than at the first place.
    pub translated: u64,
    /// Of these, those with other sequence numbers than at the first place.
    pub renumbered: u64,
    /// Connections with the addresses and ports, and not the numbers, of one of the first place.
    pub apart: u64,
    /// Segments that both places show.
    pub both: u64,
    /// Segments that only this place shows.
    pub alone: u64,
    /// Segments that were lost on the way from here to each place.
    pub lost_to: [u64; PLACES],
    /// Segments that the host whose address they carry never sent, and that come from between each place and this one.
    pub forged_from: [u64; PLACES],
    /// Connections that open with other TCP options than at the first place.
    pub other_options: u64,
    /// Frames that were passed on before their counterpart could come, because too many waited.
    pub hurried: u64,
}

impl Vantage {
    /// Segments that were lost after they had passed here.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost_to.iter().sum()
    }

    /// Segments that arrived here and were never sent.
    #[must_use]
    pub fn forged(&self) -> u64 {
        self.forged_from.iter().sum()
    }
}

/// What several places of capture show of one segment beside its frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// The frame of the segment.
    pub frame: FrameNumber,
    /// Its sender and its receiver, as the first place shows them.
    pub ends: [Endpoint; 2],
    /// What they show.
    pub what: Sight,
}

/// What several places of capture show of a segment. Places are named by their number, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// It passed the first of these places and was lost before the second.
    Lost(u8, u8),
    /// It did not pass the first of these places and arrived at the second: it comes from between them.
    Forged(u8, u8),
    /// It took so much longer than others from the first of these places to the second.
    Held(u8, u8, Duration),
    /// This place, which is not the first, captured it, where its hop limit is lower by this.
    Hops(u8, i16),
    /// A SYN with another maximum segment size at this place: that in the frame, and the one there. `None`: without the option.
    Mss(u8, Option<u16>, Option<u16>),
    /// A SYN that has lost options between its frame's place and this one, or got them on the way there: their names.
    Options(u8, &'static str),
    /// At this place the sequence numbers of its sender are lower by this.
    Renumbered(u8, u32),
    /// At this place its sender and its receiver have these addresses and ports.
    Translated(u8, [Endpoint; 2]),
}
