//! References to frames of the input.

use crate::base::time::Timestamp;

/// A frame's number in the whole input, counted from 1, as Wireshark numbers frames when the same files are merged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FrameNumber(pub u64);

/// A frame and its capture time. Every claim names one, so that it can be checked against the capture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FrameRef {
    /// The frame's number.
    pub frame: FrameNumber,
    /// When it was captured.
    pub time: Timestamp,
}

/// Frames of one file that follow one another in the whole input as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameRun {
    /// The number of its first frame in the whole input.
    pub first: FrameNumber,
    /// The number of that frame in its file, counted from 1; or [`FrameRun::UNKNOWN`].
    pub own: u64,
}

impl FrameRun {
    /// It is not recorded where this frame and those after it are.
    pub const UNKNOWN: u64 = 0;
}
