//! The frames in the window in which their counterparts are looked for, and what is looked at of each.

use super::identity::Numbers;
use super::way::Trail;

/// One of two places: that of the base stream, or the other.
pub(super) type Side = usize;
pub(super) const BASE: Side = 0;
pub(super) const OTHER: Side = 1;

/// A frame in the window.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item {
    pub(super) side: Side,
    /// The batch that holds it, and its index there.
    pub(super) batch: u64,
    pub(super) slot: u32,
    /// Its time by the clock of the base, and by its own.
    pub(super) time: i64,
    pub(super) own_time: i64,
    /// A hash of its numbers as the base would show them; 0 if it has none.
    pub(super) identity: u64,
    pub(super) tcp: Option<TcpFacts>,
    /// The frame of the other side that shows the same.
    pub(super) partner: Option<Partner>,
    /// Bytes of its payload that frames of the other side show, which are divided otherwise.
    pub(super) covered: u32,
    /// It was asked whether they show all of it.
    pub(super) looked_through: bool,
    /// What the places before the other one show of it.
    pub(super) trail: Trail,
}

/// The counterpart of a frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct Partner {
    pub(super) item: u64,
    /// Its time by the clock of the base.
    pub(super) time: i64,
}

/// What is looked at of a segment.
#[derive(Clone, Copy, Debug)]
pub(super) struct TcpFacts {
    /// The flow at its own side, and which end sent it.
    pub(super) flow: u32,
    pub(super) end: usize,
    /// Its numbers at its own side.
    pub(super) numbers: Numbers,
    pub(super) ttl: u8,
    pub(super) ip_id: u16,
    pub(super) telling: bool,
    /// What remains where its numbers are changed; 0 if that says too little.
    pub(super) likeness: u64,
}
