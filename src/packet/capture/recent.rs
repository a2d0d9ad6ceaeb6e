//! The latest frames of a source that cannot be read again: for rereading one connection, and for writing them to a
//! file when a finding appears (flight recorder).
//!
//! Bounded by bytes and, optionally, by age; evicted frames are counted. A reader gets a view of the present content
//! and blocks nobody.

use crate::base::net::Loss;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::error::CaptureError;
use super::frame::{Batch, Fill, FrameSlot, Source};
use super::wrapped::{Wrap, wrapped};
use crate::base::time::Timestamp;

/// Frames are evicted in chunks of this many bytes: small relative to the total, so that the bounds are met closely.
const CHUNK: usize = 256 << 10;

/// The bounds of what is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecentLimits {
    /// Maximum memory in bytes, that beside the frames included.
    pub bytes: usize,
    /// Maximum age of frames; older ones are evicted even if there is room.
    pub age: Option<Duration>,
}

impl Default for RecentLimits {
    /// 64 MiB, of any age.
    fn default() -> Self {
        Self {
            bytes: 64 << 20,
            age: None,
        }
    }
}

/// A bounded memory of the latest frames.
#[derive(Debug)]
pub struct Recent {
    memory: RecentLimits,
    held: Mutex<RecentFrames>,
}

#[derive(Debug, Default)]
struct RecentFrames {
    chunks: VecDeque<Arc<Batch>>,
    /// The chunk that is not full yet.
    filling: Batch,
    bytes: usize,
    evicted: u64,
}

impl Recent {
    /// Creates an empty memory.
    #[must_use]
    pub fn new(memory: RecentLimits) -> Arc<Self> {
        Arc::new(Self {
            memory,
            held: Mutex::default(),
        })
    }

    /// A source that passes on the frames of `source` and remembers them.
    #[must_use]
    pub fn of(self: &Arc<Self>, source: Box<dyn Source>) -> Box<dyn Source> {
        wrapped(source, Arc::clone(self))
    }

    /// Number of frames evicted so far.
    #[must_use]
    pub fn evicted(&self) -> u64 {
        self.held().evicted
    }

    /// A source that replays the frames remembered now. Frames keep their numbers.
    #[must_use]
    pub fn source(&self) -> Box<dyn Source> {
        let held = self.held();
        let mut chunks = held.chunks.clone();
        if !held.filling.is_empty() {
            let mut last = Batch::default();
            copy(&held.filling, &mut last);
            chunks.push_back(Arc::new(last));
        }
        Box::new(Replay { chunks })
    }

    fn take(&self, batch: &Batch) {
        let Some(latest) = batch.slots.iter().map(|slot| slot.time).max() else {
            return;
        };
        let mut held = self.held();
        for slot in &batch.slots {
            let data = batch.data(slot);
            let number = batch.first + u64::from(slot.nth);
            let far = number.saturating_sub(held.filling.first) > u64::from(u32::MAX);
            if held.filling.used + data.len() > CHUNK || far {
                held.close();
            }
            if held.filling.is_empty() {
                held.filling.first = number;
                held.filling.make_room(CHUNK);
            }
            let nth = (number - held.filling.first) as u32;
            held.filling.push_slot(FrameSlot { nth, ..*slot }, data);
        }
        while held.is_beyond(self.memory, latest) {
            let Some(gone) = held.chunks.pop_front() else {
                break;
            };
            held.bytes = held.bytes.saturating_sub(gone.footprint());
            held.evicted += gone.len() as u64;
        }
    }

    fn held(&self) -> MutexGuard<'_, RecentFrames> {
        // A thread that panicked here left only complete chunks.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RecentFrames {
    fn close(&mut self) {
        let mut full = std::mem::take(&mut self.filling);
        if !full.is_empty() {
            full.shrink(0);
            self.bytes += full.footprint();
            self.chunks.push_back(Arc::new(full));
        }
    }

    fn is_beyond(&self, memory: RecentLimits, latest: Timestamp) -> bool {
        let old = |age: Duration| {
            let oldest = self.chunks.front().and_then(|chunk| chunk.slots.last());
            oldest.is_some_and(|slot| latest.since(slot.time) > age)
        };
        self.bytes > memory.bytes || memory.age.is_some_and(old)
    }
}

/// Copies the frames of a batch without the bytes between them.
fn copy(from: &Batch, to: &mut Batch) {
    to.clear();
    to.first = from.first;
    for slot in &from.slots {
        to.push_slot(*slot, from.data(slot));
    }
}

impl Wrap for Arc<Recent> {
    fn fill(&mut self, inner: &mut dyn Source, batch: &mut Batch) -> Result<Fill, CaptureError> {
        let fill = inner.fill(batch)?;
        if fill == Fill::Frames {
            self.take(batch);
        }
        Ok(fill)
    }
}

/// A view of what was remembered at one moment.
struct Replay {
    chunks: VecDeque<Arc<Batch>>,
}

impl Source for Replay {
    fn fill(&mut self, batch: &mut Batch) -> Result<Fill, CaptureError> {
        let Some(chunk) = self.chunks.pop_front() else {
            batch.clear();
            return Ok(Fill::End);
        };
        copy(&chunk, batch);
        Ok(Fill::Frames)
    }

    fn stop(&mut self) {
        self.chunks.clear();
    }

    fn lost(&self) -> Loss {
        Loss::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::frame_ref::FrameNumber;
    use crate::packet::capture::{Frame, LinkType};

    /// One frame per second, each of `bytes` bytes.
    fn batch(numbers: std::ops::Range<u64>, bytes: usize) -> Batch {
        let mut batch = Batch::default();
        for number in numbers {
            batch.push(Frame {
                number: FrameNumber(number),
                time: Timestamp::new(number as i64, 0),
                link: LinkType(1),
                interface: 0,
                length: bytes as u32,
                passage: crate::base::passage::Passage::Unknown,
                data: &vec![number as u8; bytes],
            });
        }
        batch
    }

    fn numbers(recent: &Recent) -> Vec<u64> {
        let (mut source, mut all, mut batch) = (recent.source(), Vec::new(), Batch::default());
        while source.fill(&mut batch).unwrap() != Fill::End {
            for frame in batch.frames() {
                assert!(frame.data.iter().all(|byte| *byte == frame.number.0 as u8));
                all.push(frame.number.0);
            }
        }
        all
    }

    #[test]
    fn the_latest_stay_with_their_numbers_and_the_rest_is_counted() {
        let recent = Recent::new(RecentLimits {
            bytes: 1 << 20,
            age: None,
        });
        for begin in (1..1000).step_by(37) {
            recent.take(&batch(begin..begin + 37, 10_000));
        }
        let kept = numbers(&recent);
        assert_eq!(kept.last(), Some(&999));
        assert!(kept.windows(2).all(|pair| pair[0] + 1 == pair[1]));
        assert_eq!(recent.evicted() + kept.len() as u64, 999);
        let bytes = kept.len() * 10_000;
        assert!(bytes > 3 << 18 && bytes <= (1 << 20) + CHUNK, "{bytes}");
    }

    /// What stands beside a small frame is almost as large as the frame.
    #[test]
    fn small_frames_take_no_more_memory_than_was_said() {
        let recent = Recent::new(RecentLimits {
            bytes: 1 << 20,
            age: None,
        });
        for begin in (1..100_000).step_by(100) {
            recent.take(&batch(begin..begin + 100, 60));
        }
        let held = recent.held();
        let chunks = held.chunks.iter().map(|it| it.footprint());
        let bytes: usize = chunks.chain([held.filling.footprint()]).sum();
        assert!(bytes > 3 << 18, "{bytes}");
        // The chunk that is being filled comes on top, with its slots.
        assert!(bytes <= (1 << 20) + 2 * CHUNK, "{bytes}");
    }

    #[test]
    fn what_is_too_old_goes_although_there_is_room() {
        let recent = Recent::new(RecentLimits {
            bytes: 1 << 30,
            age: Some(Duration::from_secs(60)),
        });
        for begin in (1..1000).step_by(10) {
            recent.take(&batch(begin..begin + 10, 50_000));
        }
        let kept = numbers(&recent);
        // A chunk holds five frames.
        assert!((60..=66).contains(&kept.len()), "{}", kept.len());
    }
}
