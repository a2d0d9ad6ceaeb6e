//! A source that is read on a thread of its own, so that whoever wants its frames never waits for long.
//!
//! For pipes: one may have nothing for minutes, while what came before is to be looked at. A thread that waits in a read
//! cannot be called back; when it is no longer wanted it is left behind, and ends with its pipe or with the program.

use crate::base::net::Loss;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use super::error::CaptureError;
use super::frame::{Batch, Fill, Source};
use super::summary::FileSummary;
use crate::base::time::Timestamp;

/// Batches on their way: enough that neither side waits for the other in a stream that flows.
const ON_THE_WAY: usize = 4;
/// How long to wait before saying that there is nothing.
const PATIENCE: Duration = Duration::from_millis(50);

/// What one read gave.
struct ReadResult {
    fill: Result<Fill, CaptureError>,
    batch: Batch,
    files: Vec<FileSummary>,
    lost: Loss,
}

/// The source, seen from where its frames are wanted.
struct ThreadedSource {
    deliveries: Receiver<ReadResult>,
    empty: SyncSender<Batch>,
    files: Vec<FileSummary>,
    lost: Loss,
    latest: Timestamp,
    stopped: bool,
}

/// A source that is opened and read on a thread of its own: even the first bytes may be long in coming. Says [`Fill::Idle`]
/// while there is nothing, with the time of the last frame.
#[must_use]
pub fn aside(
    open: impl FnOnce() -> Result<Box<dyn Source>, CaptureError> + Send + 'static,
) -> Box<dyn Source> {
    let (deliver, deliveries) = sync_channel::<ReadResult>(ON_THE_WAY);
    let (empty, returned) = sync_channel::<Batch>(ON_THE_WAY + 2);
    thread::spawn(move || {
        let mut source = match open() {
            Ok(source) => source,
            Err(error) => {
                // Who has gone does not want to know.
                let _ = deliver.send(ReadResult {
                    fill: Err(error),
                    batch: Batch::default(),
                    files: Vec::new(),
                    lost: Loss::default(),
                });
                return;
            }
        };
        loop {
            let mut batch = returned.try_recv().unwrap_or_default();
            let fill = source.fill(&mut batch);
            let last = !matches!(fill, Ok(Fill::Frames | Fill::Idle(_)));
            let delivery = ReadResult {
                fill,
                batch,
                files: source.files().to_vec(),
                lost: source.lost(),
            };
            if deliver.send(delivery).is_err() || last {
                return;
            }
        }
    });
    Box::new(ThreadedSource {
        deliveries,
        empty,
        files: Vec::new(),
        lost: Loss::default(),
        latest: Timestamp::default(),
        stopped: false,
    })
}

impl Source for ThreadedSource {
    fn fill(&mut self, batch: &mut Batch) -> Result<Fill, CaptureError> {
        batch.clear();
        let patience = if self.stopped {
            Duration::ZERO
        } else {
            PATIENCE
        };
        let delivery = match self.deliveries.recv_timeout(patience) {
            Ok(delivery) => delivery,
            Err(RecvTimeoutError::Timeout) if self.stopped => return Ok(Fill::End),
            Err(RecvTimeoutError::Timeout) => return Ok(Fill::Idle(self.latest)),
            Err(RecvTimeoutError::Disconnected) => return Ok(Fill::End),
        };
        let taken = std::mem::replace(batch, delivery.batch);
        // With enough of them on their way, one is let go.
        let _ = self.empty.try_send(taken);
        self.files = delivery.files;
        self.lost = delivery.lost;
        if let Some(last) = batch.slots.last() {
            self.latest = self.latest.max(last.time);
        }
        delivery.fill
    }

    fn stop(&mut self) {
        self.stopped = true;
    }

    fn lost(&self) -> Loss {
        self.lost
    }

    fn files(&self) -> &[FileSummary] {
        &self.files
    }
}
