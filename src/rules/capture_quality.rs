//! What the capture could see: what it lost, cut off, and has twice.

use crate::analysis::engine::EngineStats;
use crate::base::frame_ref::FrameRef;
use crate::base::net::Loss;

/// What the capture could see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CaptureQuality {
    /// Frames that it has.
    pub frames: u64,
    /// Segments among them.
    pub segments: u64,
    /// Segments of which it kept less than there was.
    pub cut: u64,
    /// The first of them.
    pub first_cut: Option<FrameRef>,
    /// Frames that it has twice.
    pub duplicates: u64,
    /// The first of them.
    pub first_duplicate: Option<FrameRef>,
    /// Frames that it says it lost.
    pub dropped: u64,
}

impl CaptureQuality {
    /// From what was counted while reading.
    #[must_use]
    pub fn new(stats: &EngineStats, lost: Loss) -> Self {
        Self {
            frames: stats.frames,
            segments: stats.segments,
            cut: stats.cut,
            first_cut: stats.first_cut,
            duplicates: stats.skipped[crate::base::net::Skip::Duplicate as usize],
            first_duplicate: stats.first_duplicate,
            dropped: lost
                .kernel
                .unwrap_or(0)
                .saturating_add(lost.interface.unwrap_or(0)),
        }
    }
}
