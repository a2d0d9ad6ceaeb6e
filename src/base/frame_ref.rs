//! Where and when something happened in the input.

use crate::base::time::Timestamp;

/// A frame's number in the whole input, from 1, as Wireshark counts when the same files are merged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FrameNumber(pub u64);

/// A frame and its time: what every claim can be held against.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FrameRef {
    /// The frame.
    pub frame: FrameNumber,
    /// When it was captured.
    pub time: Timestamp,
}
