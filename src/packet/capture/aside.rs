//! A source read on its own thread, so that the consumer of its frames never blocks for long.
//!
//! It is meant for pipes: a pipe may deliver nothing for minutes while earlier frames are to be analysed. A thread
//! blocked in a read cannot be cancelled; when it is no longer needed it is abandoned, and ends with its pipe or with
//! the program.

use crate::base::net::Loss;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use super::error::CaptureError;
use super::frame::{Batch, Fill, Source};
use super::summary::FileSummary;
use crate::base::time::Timestamp;

/// Batches in transit: enough that neither thread waits for the other while data flows.
const IN_TRANSIT: usize = 4;
/// How long to wait before reporting [`Fill::Idle`].
const PATIENCE: Duration = Duration::from_millis(50);

/// The result of one read.
struct ReadResult {
    fill: Result<Fill, CaptureError>,
    batch: Batch,
    files: Vec<FileSummary>,
    lost: Loss,
}

/// The consumer's end of the source.
struct ThreadedSource {
    deliveries: Receiver<ReadResult>,
    empty: SyncSender<Batch>,
    files: Vec<FileSummary>,
    lost: Loss,
    latest: Timestamp,
    stopped: bool,
}

/// Opens and reads a source on its own thread, since even the first bytes may take long to arrive. Returns
/// [`Fill::Idle`] with the time of the last frame while there is nothing to read.
#[must_use]
pub(crate) fn aside(
    open: impl FnOnce() -> Result<Box<dyn Source>, CaptureError> + Send + 'static,
) -> Box<dyn Source> {
    let (deliver, deliveries) = sync_channel::<ReadResult>(IN_TRANSIT);
    let (empty, returned) = sync_channel::<Batch>(IN_TRANSIT + 2);
    thread::spawn(move || {
        let mut source = match open() {
            Ok(source) => source,
            Err(error) => {
                // If the consumer is gone, the error has no reader.
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
        // If enough empty batches are queued for reuse, drop this one.
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
