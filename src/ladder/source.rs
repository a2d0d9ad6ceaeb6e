//! The frames of a ladder as an input, to be read like a capture.

use super::frames::OwnedFrame;
use crate::base::net::Loss;
use crate::packet::capture::{Batch, CaptureError, Fill, Source};

/// Frames that are read once, in one batch.
#[derive(Debug)]
pub struct LadderSource {
    frames: Vec<OwnedFrame>,
}

impl LadderSource {
    /// An input of these frames.
    #[must_use]
    pub const fn new(frames: Vec<OwnedFrame>) -> Self {
        Self { frames }
    }
}

impl Source for LadderSource {
    fn fill(&mut self, batch: &mut Batch) -> Result<Fill, CaptureError> {
        batch.clear();
        let frames = std::mem::take(&mut self.frames);
        for frame in &frames {
            batch.push(frame.frame());
        }
        match batch.is_empty() {
            true => Ok(Fill::End),
            false => Ok(Fill::Frames),
        }
    }

    fn stop(&mut self) {
        self.frames.clear();
    }

    fn lost(&self) -> Loss {
        Loss::default()
    }
}
