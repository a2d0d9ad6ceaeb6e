//! Floor 1: frames from files, pipes and interfaces. The only floor that can fail.
//!
//! A [`Source`] fills [`Batch`]es: many frames in one buffer, so that the floors above borrow and never copy, and
//! whole batches can cross to another thread.

mod error;
mod frame;

pub use crate::mark::FrameNumber;
pub use error::CaptureError;
pub use frame::{Batch, Fill, Frame, LinkType, Loss, Source};
