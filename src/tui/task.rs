//! Work beside the screens: a thread for each piece, so that no key waits for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError, channel};

/// Tells a piece of work that nobody wants it any more.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Whether to stop: worth asking every few thousand steps.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Where pieces of work are begun.
#[derive(Debug, Default)]
pub struct Tasks {
    /// Do it at once: what a test wants.
    inline: bool,
    under_way: Arc<AtomicUsize>,
    finished: Arc<AtomicUsize>,
}

impl Tasks {
    /// Every piece in a thread of its own.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Every piece at once, while the caller waits.
    #[must_use]
    pub fn inline() -> Self {
        Self {
            inline: true,
            ..Self::default()
        }
    }

    /// Begins a piece of work.
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
            // Whoever gave the work up does not listen any more.
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

    /// Drops something large, which takes its time. It must not be waited for, nor be news when it is done.
    pub fn discard<T: Send + 'static>(&self, what: T) {
        if self.inline {
            drop(what);
        } else {
            std::thread::spawn(move || drop(what));
        }
    }

    /// How many pieces were finished so far: a new number is a reason to draw.
    #[must_use]
    pub fn finished(&self) -> usize {
        self.finished.load(Ordering::Acquire)
    }

    /// How many pieces are not finished.
    #[must_use]
    pub fn under_way(&self) -> usize {
        self.under_way.load(Ordering::Relaxed)
    }
}

/// Counts a piece as finished, also when it panics.
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

/// A piece of work under way. Dropping it gives the work up.
#[derive(Debug)]
pub struct Task<T> {
    cancel: Cancel,
    result: Receiver<T>,
}

/// What became of a piece of work.
#[derive(Debug, PartialEq, Eq)]
pub enum TaskOutcome<T> {
    /// Not finished.
    UnderWay,
    /// Here it is; once.
    Done(T),
    /// It broke off, or its result was taken before.
    Gone,
}

impl<T> Task<T> {
    /// Its result, if it is there.
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
        self.cancel.0.store(true, Ordering::Relaxed);
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
