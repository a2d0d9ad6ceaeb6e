//! The channel from one writer to any number of readers: the writer publishes its latest snapshot, and no reader waits
//! for another.
//!
//! The writer publishes whole snapshots now and then, and its progress more often. A reader may hold a snapshot as long
//! as it likes: nothing in it ever changes.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Snapshot;

/// The writer's stage.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ReadStage {
    /// Reading a file that has an end.
    #[default]
    Reading,
    /// Following a source without an end: an interface, a pipe, a growing file.
    Following,
    /// Done: the snapshot is the last one.
    Done,
    /// The analysis stopped; the snapshot holds what was read. The message states the reason and what to do.
    Failed(String),
}

/// The writer's progress.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadProgress {
    /// The writer's stage.
    pub stage: ReadStage,
    /// Frames read.
    pub frames: u64,
    /// Bytes read from the input, as stored.
    pub bytes: u64,
    /// Size of the whole input in bytes, if known.
    pub of: Option<u64>,
}

/// The latest snapshot and progress, shared by the writer and all readers.
#[derive(Debug, Default)]
pub struct SnapshotWatch {
    held: Mutex<WatchState>,
    version: AtomicU64,
}

#[derive(Debug, Default)]
struct WatchState {
    snapshot: Arc<Snapshot>,
    progress: ReadProgress,
}

impl SnapshotWatch {
    /// An empty snapshot, version 0.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Publishes a new snapshot.
    pub fn publish(&self, snapshot: Arc<Snapshot>) {
        // The old snapshot is dropped after the lock is released, since dropping a large one takes time.
        let old = std::mem::replace(&mut self.held().snapshot, snapshot);
        self.version.fetch_add(1, Ordering::Release);
        drop(old);
    }

    /// Publishes the progress.
    pub fn report(&self, progress: ReadProgress) {
        self.held().progress = progress;
    }

    /// The number of snapshots published: a reader that has seen this number has nothing new to read.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// The latest snapshot.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.held().snapshot)
    }

    /// The latest progress.
    #[must_use]
    pub fn progress(&self) -> ReadProgress {
        self.held().progress.clone()
    }

    fn held(&self) -> MutexGuard<'_, WatchState> {
        // A writer that panicked leaves consistent values: each is stored in one step.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_keeps_what_it_holds_and_sees_the_newest() {
        let watch = SnapshotWatch::new();
        let first = watch.snapshot();
        assert_eq!(watch.version(), 0);
        let mut next = Snapshot::default();
        next.summary.frames = 7;
        watch.publish(Arc::new(next));
        assert_eq!((watch.version(), watch.snapshot().summary.frames), (1, 7));
        assert_eq!(first.summary.frames, 0);
    }

    #[test]
    fn progress_is_told_without_a_new_snapshot() {
        let watch = SnapshotWatch::new();
        watch.report(ReadProgress {
            stage: ReadStage::Failed("gone".to_owned()),
            frames: 3,
            ..ReadProgress::default()
        });
        assert_eq!((watch.version(), watch.progress().frames), (0, 3));
    }
}
