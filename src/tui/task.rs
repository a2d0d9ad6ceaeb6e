//! Background work for the screens: one thread per task, so that no key waits for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError, channel};

/// Tells a task that its result is no longer wanted.
#[derive(Clone, Debug, Default)]
pub struct Cancel {
    wanted: Arc<AtomicBool>,
    progress: Arc<AtomicU64>,
}

impl Cancel {
    /// Whether the task should stop. Poll it every few thousand steps.
    #[must_use]
    pub(crate) fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::Relaxed)
    }

    /// Reports how far the task has got.
    pub(crate) fn report(&self, progress: u64) {
        self.progress.store(progress, Ordering::Relaxed);
    }
}

/// Starts tasks and counts them.
#[derive(Debug, Default)]
pub struct Tasks {
    /// Run each task inside [`Tasks::spawn`], for tests.
    inline: bool,
    under_way: Arc<AtomicUsize>,
    finished: Arc<AtomicUsize>,
}

impl Tasks {
    /// Runs every task in a thread of its own.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs every task at once, on the caller's thread.
    #[must_use]
    pub fn inline() -> Self {
        Self {
            inline: true,
            ..Self::default()
        }
    }

    /// Starts a task.
    pub fn spawn<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Cancel) -> T + Send + 'static,
    ) -> Task<T> {
        let cancel = Cancel::default();
        let (send, result) = channel();
        let done = TaskGuard {
            under_way: Arc::clone(&self.under_way),
            finished: Arc::clone(&self.finished),
        };
        self.under_way.fetch_add(1, Ordering::Relaxed);
        let told = cancel.clone();
        let work = move || {
            // The receiver is gone if the task was cancelled.
            let _ = send.send(work(&told));
            drop(done);
        };
        if self.inline {
            work();
        } else {
            std::thread::spawn(work);
        }
        Task { cancel, result }
    }

    /// Drops a large value in a thread of its own. It is not counted: nobody waits for it, and its end is no reason to
    /// draw.
    pub(crate) fn discard<T: Send + 'static>(&self, what: T) {
        if self.inline {
            drop(what);
        } else {
            std::thread::spawn(move || drop(what));
        }
    }

    /// How many tasks have finished so far: a new number is a reason to draw.
    #[must_use]
    pub fn finished(&self) -> usize {
        self.finished.load(Ordering::Acquire)
    }

    /// How many tasks have not finished.
    #[must_use]
    pub(crate) fn under_way(&self) -> usize {
        self.under_way.load(Ordering::Relaxed)
    }
}

/// Counts a task as finished, even if it panics.
struct TaskGuard {
    under_way: Arc<AtomicUsize>,
    finished: Arc<AtomicUsize>,
}

impl Drop for TaskGuard {
    fn drop(&mut self) {
        self.under_way.fetch_sub(1, Ordering::Relaxed);
        self.finished.fetch_add(1, Ordering::Release);
    }
}

/// A task under way. Dropping it cancels the task.
#[derive(Debug)]
pub struct Task<T> {
    cancel: Cancel,
    result: Receiver<T>,
}

/// The state of a task.
#[derive(Debug, PartialEq, Eq)]
pub enum TaskOutcome<T> {
    /// Not finished.
    UnderWay,
    /// The result; returned once.
    Done(T),
    /// The task panicked, or its result was taken before.
    Gone,
}

impl<T> Task<T> {
    /// How far the task has got, as it reported last.
    pub(crate) fn progress(&self) -> u64 {
        self.cancel.progress.load(Ordering::Relaxed)
    }

    /// Takes the result if the task has finished.
    pub fn take(&self) -> TaskOutcome<T> {
        match self.result.try_recv() {
            Ok(result) => TaskOutcome::Done(result),
            Err(TryRecvError::Empty) => TaskOutcome::UnderWay,
            Err(TryRecvError::Disconnected) => TaskOutcome::Gone,
        }
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.cancel.wanted.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_done_once_and_given_up_when_dropped() {
        let tasks = Tasks::inline();
        let task = tasks.spawn(|_| 7);
        assert_eq!((tasks.under_way(), tasks.finished()), (0, 1));
        assert_eq!(task.take(), TaskOutcome::Done(7));
        assert_eq!(task.take(), TaskOutcome::Gone);
        let tasks = Tasks::new();
        let (send, told) = channel();
        let task = tasks.spawn(move |cancel| {
            while !cancel.is_wanted() {
                std::thread::yield_now();
            }
            send.send(()).unwrap();
        });
        drop(task);
        told.recv().unwrap();
    }
}
