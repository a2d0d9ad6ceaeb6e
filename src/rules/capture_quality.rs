//! The quality of the capture: losses, truncated packets and duplicates.

use crate::analysis::engine::EngineStats;
use crate::base::frame_ref::FrameRef;
use crate::base::net::Loss;

/// Counts of what the capture lost, truncated or duplicated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CaptureQuality {
    /// Frames captured.
    pub frames: u64,
    /// TCP segments among them.
    pub segments: u64,
    /// Segments truncated by the snap length.
    pub cut: u64,
    /// The first of them.
    pub first_cut: Option<FrameRef>,
    /// Frames captured twice.
    pub duplicates: u64,
    /// The first of them.
    pub first_duplicate: Option<FrameRef>,
    /// Connections that the capture holds a second time, long after the first.
    pub copied_connections: u64,
    /// The first segment of the first of them.
    pub first_copy: Option<FrameRef>,
    /// Frames that the capture reports as dropped.
    pub dropped: u64,
}

impl CaptureQuality {
    /// Builds the counts from those made while reading.
    #[must_use]
    pub fn new(stats: &EngineStats, lost: Loss) -> Self {
        Self {
            frames: stats.frames,
            segments: stats.segments,
            cut: stats.cut,
            first_cut: stats.first_cut,
            duplicates: stats.skipped[crate::base::net::Skip::Duplicate as usize],
            first_duplicate: stats.first_duplicate,
            copied_connections: 0,
            first_copy: None,
            dropped: lost
                .kernel
                .unwrap_or(0)
                .saturating_add(lost.interface.unwrap_or(0)),
        }
    }
}
