//! The operations on a running analysis other than reading its [`SnapshotWatch`](super::SnapshotWatch): stopping it,
//! and rereading or exporting connections. No call blocks the reader.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::thread;

use crate::analysis::connection::ConnectionSummary;
use crate::analysis::engine::RereadConnection;

/// A running analysis.
pub trait AnalysisControl: Send + Sync {
    /// Reads what the source still holds, then ends; the [`SnapshotWatch`](super::SnapshotWatch) shows when that is
    /// done.
    fn stop(&self);

    /// Notes on side effects, one per line, such as files written by the flight recorder. The list only grows.
    fn notes(&self) -> Vec<String>;

    /// What was to be written and could not be; its note is among the [notes](Self::notes).
    fn failed(&self) -> Option<String> {
        None
    }

    /// Rereads the input for the frames of one connection.
    fn reread_connection(&self, of: &ConnectionSummary) -> BackgroundResult<RereadConnection>;

    /// Writes the frames of these connections to a new pcapng file. The result is the number of frames.
    fn export(&self, of: &[ConnectionSummary], to: &Path) -> BackgroundResult<u64>;
}

/// A result being computed on a thread of its own. Dropping it cancels the work.
#[derive(Debug)]
pub struct BackgroundResult<T> {
    cancelled: Arc<AtomicBool>,
    coming: Receiver<Result<T, String>>,
    came: Option<Result<Arc<T>, String>>,
}

impl<T: Send + 'static> BackgroundResult<T> {
    /// Starts the work on a new thread. The flag passed to `work` becomes true once the result is no longer wanted.
    pub fn begin(work: impl FnOnce(&AtomicBool) -> Result<T, String> + Send + 'static) -> Self {
        let cancelled = Arc::new(AtomicBool::new(false));
        let (result, coming) = channel();
        let flag = Arc::clone(&cancelled);
        thread::spawn(move || {
            // A caller that has cancelled no longer receives.
            let _ = result.send(work(&flag));
        });
        Self {
            cancelled,
            coming,
            came: None,
        }
    }
}

impl<T> BackgroundResult<T> {
    /// The result or the error; `None` while the work goes on.
    pub fn poll(&mut self) -> Option<&Result<Arc<T>, String>> {
        if self.came.is_none() {
            match self.coming.try_recv() {
                Ok(came) => self.came = Some(came.map(Arc::new)),
                Err(TryRecvError::Empty) => {}
                Err(TryRecvError::Disconnected) => {
                    self.came = Some(Err("reading again failed".to_owned()));
                }
            }
        }
        self.came.as_ref()
    }
}

impl<T> Drop for BackgroundResult<T> {
    fn drop(&mut self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }
}
