//! What a reader may ask of an analysis that goes on, beside looking at its [`Watch`](super::Watch): to stop, and to show
//! one connection at close range. Nothing here makes the reader wait.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::thread;

use crate::analysis::connection::ConnectionSummary;
use crate::analysis::engine::RereadConnection;

/// An analysis that goes on.
pub trait AnalysisControl: Send + Sync {
    /// Takes what the source still holds and ends; the [`Watch`](super::Watch) says when that is done.
    fn stop(&self);

    /// What was done beside the analysis, a line each, such as files that the flight recorder wrote; only ever longer.
    fn notes(&self) -> Vec<String>;

    /// Has the input read again for the frames of one connection.
    fn reread_connection(&self, of: &ConnectionSummary) -> BackgroundResult<RereadConnection>;

    /// Has the frames of these connections written to a new pcapng file. What comes back is how many there were.
    fn export(&self, of: &[ConnectionSummary], to: &Path) -> BackgroundResult<u64>;
}

/// Something that is being looked up on a thread of its own. Dropping it gives it up.
#[derive(Debug)]
pub struct BackgroundResult<T> {
    given_up: Arc<AtomicBool>,
    coming: Receiver<Result<T, String>>,
    came: Option<Result<Arc<T>, String>>,
}

impl<T: Send + 'static> BackgroundResult<T> {
    /// Begins. `work` is told whether it is still wanted by the flag, which turns true when it is not.
    pub fn begin(work: impl FnOnce(&AtomicBool) -> Result<T, String> + Send + 'static) -> Self {
        let given_up = Arc::new(AtomicBool::new(false));
        let (result, coming) = channel();
        let flag = Arc::clone(&given_up);
        thread::spawn(move || {
            // Whoever has given it up is not there to take it.
            let _ = result.send(work(&flag));
        });
        Self {
            given_up,
            coming,
            came: None,
        }
    }
}

impl<T> BackgroundResult<T> {
    /// What came of it, or why nothing did; `None` while it is not done.
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
        self.given_up.store(true, Ordering::Relaxed);
    }
}
