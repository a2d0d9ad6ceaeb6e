//! Connections captured at several places: the places, and what became of a segment between them.

use std::time::Duration;

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
    /// Of these, those that were lost on the way to the other place.
    pub lost: u64,
    /// Of these, those that the host whose address they carry never sent.
    pub forged: u64,
    /// Frames that were passed on before their counterpart could come, because too many waited.
    pub hurried: u64,
}
