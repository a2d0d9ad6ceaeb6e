//! Where one that works leaves what it has so far, and any number of readers look at it, none waiting for another.
//!
//! The writer publishes whole snapshots now and then, and says more often how far it is. A reader that holds a snapshot
//! keeps it as long as it likes: nothing in it ever changes.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Snapshot;

/// What the writer is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ReadStage {
    /// Reading a file towards its end.
    #[default]
    Reading,
    /// Following something that has no end yet: an interface, a pipe, a file that grows.
    Following,
    /// Done: the snapshot is the last one.
    Done,
    /// It could not go on; the snapshot is what it had. The message says why and what to do.
    Failed(String),
}

/// How far the writer is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadProgress {
    /// What it is about.
    pub stage: ReadStage,
    /// Frames taken.
    pub frames: u64,
    /// Bytes taken from the input, as stored.
    pub bytes: u64,
    /// Bytes of the whole input, if it has an end that is known.
    pub of: Option<u64>,
}

/// The place itself.
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
    /// Nothing seen yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The writer has a new state of affairs.
    pub fn publish(&self, snapshot: Arc<Snapshot>) {
        // What was there is dropped after the lock is, since a large one takes its time.
        let old = std::mem::replace(&mut self.held().snapshot, snapshot);
        self.version.fetch_add(1, Ordering::Release);
        drop(old);
    }

    /// The writer says how far it is.
    pub fn report(&self, progress: ReadProgress) {
        self.held().progress = progress;
    }

    /// How often something was published: a reader that saw this number has nothing new to look at.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// The newest state of affairs.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.held().snapshot)
    }

    /// How far the writer is.
    #[must_use]
    pub fn progress(&self) -> ReadProgress {
        self.held().progress.clone()
    }

    fn held(&self) -> MutexGuard<'_, WatchState> {
        // A writer that panicked leaves whole values behind: each is put in place in one step.
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
