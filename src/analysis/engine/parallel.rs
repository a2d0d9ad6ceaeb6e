//! The engine on several threads: a reading thread reads, and each worker processes its share of the partitions.
//!
//! A batch goes to all workers at once. Each has its own list of what in it is for its partitions. Of the most usual
//! frames that is only their place: at a glance the reading thread sees whose they are, and the worker decodes them. All
//! others are decoded by the reading thread, since decoding them may need or leave state. Their segments are handed over
//! with the payload's place in the batch, so that nothing is copied; payloads of reassembled datagrams are copied to the
//! batch's extra bytes. Batches are returned to be filled again.

use super::intake::{PARTITIONS, decode, key, partition, usual, usual_flow};
use super::output::EngineOutput;
use super::stats::NEVER;
use crate::packet::decode::Decoded;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};

use super::partition::Partition;
use super::progress::{EngineView, NextStep, Observer, PartialView, PendingView};
use super::retention::SettledStore;
use super::settings::EngineSettings;
use super::stats::EngineStats;
use crate::base::net::Quote;
use crate::base::time::Timestamp;
use crate::packet::capture::{Batch, CaptureError, Fill, FrameSlot, Source};
use crate::packet::decode::{Decoder, Segment};

/// Batches in flight: enough that no thread waits for long, few enough that they stay in the cache.
const IN_FLIGHT: usize = 6;

/// The buffer that holds a segment's bytes, its payload at their end.
#[derive(Clone, Copy)]
enum PayloadRef {
    Batch,
    Extra,
}

struct SegmentRef {
    segment: Segment<'static>,
    start: u32,
    length: u32,
    payload: u32,
    place: PayloadRef,
}

enum QuoteOrSegment {
    Segment(SegmentRef),
    Quote(Box<Quote>),
}

/// What is next for a worker.
#[derive(Clone, Copy)]
enum WorkItem {
    /// The frame in this slot, which the worker decodes. (A copy, because what two workers read of one list is moved to and fro
    /// between their caches.)
    Frame(FrameSlot),
    /// The next one that is decoded already.
    Decoded,
}

/// What in a batch is for one worker.
#[derive(Default)]
struct WorkList {
    items: Vec<WorkItem>,
    decoded: Vec<QuoteOrSegment>,
}

/// A batch, and the work list of each worker.
struct WorkBatch {
    batch: Batch,
    extra: Vec<u8>,
    lists: Vec<WorkList>,
}

enum WorkerCommand {
    Batch(Arc<WorkBatch>),
    /// Send a view of the current state, as of this time.
    Show(Timestamp, Sender<PartialView>),
    Finish(Timestamp),
}

pub(super) fn analyse(
    source: &mut dyn Source,
    settings: &EngineSettings,
    threads: usize,
    progress: &mut dyn FnMut(u64),
) -> Result<EngineOutput, CaptureError> {
    let (stores, stats, outcome) = work(source, settings, threads, &mut Unobserved(progress));
    outcome.map(|()| EngineOutput::join(stores, stats, threads))
}

/// Reads a source to its end, or until the observer stops it, on `threads` threads. Returns what was settled after the
/// last view, and the error if the source could not be read further.
pub fn watched(
    source: &mut dyn Source,
    settings: &EngineSettings,
    threads: usize,
    observer: &mut dyn Observer,
) -> (EngineView, Result<(), CaptureError>) {
    let threads = threads.clamp(1, PARTITIONS);
    let (stores, stats, outcome) = work(source, settings, threads, observer);
    let mut view = EngineView {
        stats,
        ..EngineView::default()
    };
    for mut store in stores {
        store.add_given_up(&mut view.given_up, &mut view.tallies);
        view.settled.append(store.clear());
    }
    (view, outcome)
}

/// An observer that only reports progress.
struct Unobserved<'a>(&'a mut dyn FnMut(u64));

impl Observer for Unobserved<'_> {
    fn next(&mut self, frames: u64, _: &dyn Source) -> NextStep {
        (self.0)(frames);
        NextStep::GoOn
    }

    fn look(&mut self, _: PendingView) {}
}

fn work(
    source: &mut dyn Source,
    settings: &EngineSettings,
    threads: usize,
    observer: &mut dyn Observer,
) -> (Vec<SettledStore>, EngineStats, Result<(), CaptureError>) {
    let (back, returned) = channel::<Arc<WorkBatch>>();
    std::thread::scope(|scope| {
        let mut orders = Vec::new();
        let mut workers = Vec::new();
        for worker in 0..threads {
            let (order, inbox) = sync_channel::<WorkerCommand>(IN_FLIGHT);
            let back = back.clone();
            orders.push(order);
            workers.push(scope.spawn(move || run_worker(worker, threads, settings, &inbox, &back)));
        }
        drop(back);
        let mut reading_thread = ReadingThread {
            decoder: Decoder::new(),
            stats: EngineStats::default(),
            orders: &orders,
            returned: &returned,
            made: 0,
        };
        let outcome = reading_thread.run(source, observer);
        let end = reading_thread.stats.end();
        for order in &orders {
            // A closed channel means that the worker has panicked; joining it reports that.
            let _ = order.send(WorkerCommand::Finish(end));
        }
        let ReadingThread {
            decoder, mut stats, ..
        } = reading_thread;
        stats.take_decoder(&decoder);
        let mut stores = Vec::new();
        for worker in workers {
            match worker.join() {
                Ok(theirs) => {
                    for (store, sums) in theirs {
                        stores.push(store);
                        stats.add(sums);
                    }
                }
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        (stores, stats, outcome)
    })
}

/// The reading thread: it reads and decodes.
struct ReadingThread<'a> {
    decoder: Decoder,
    stats: EngineStats,
    orders: &'a [SyncSender<WorkerCommand>],
    returned: &'a Receiver<Arc<WorkBatch>>,
    made: usize,
}

impl ReadingThread<'_> {
    fn run(
        &mut self,
        source: &mut dyn Source,
        observer: &mut dyn Observer,
    ) -> Result<(), CaptureError> {
        let mut stopped = false;
        loop {
            let mut work_batch = self.empty_batch();
            match source.fill(&mut work_batch.batch)? {
                Fill::Frames => {}
                Fill::Idle(now) => self.stats.nothing(now),
                Fill::End => return Ok(()),
            }
            self.decode(&mut work_batch);
            let work_batch = Arc::new(work_batch);
            for order in self.orders {
                let _ = order.send(WorkerCommand::Batch(Arc::clone(&work_batch)));
            }
            match observer.next(self.stats.frames, source) {
                NextStep::GoOn => {}
                NextStep::Look => observer.look(self.show()),
                NextStep::Stop if stopped => {}
                NextStep::Stop => {
                    stopped = true;
                    source.stop();
                }
            }
        }
    }

    /// Requests a view from every worker, as of the batches sent to it so far.
    fn show(&self) -> PendingView {
        let (part, parts) = channel();
        for order in self.orders {
            let _ = order.send(WorkerCommand::Show(self.stats.end(), part.clone()));
        }
        let mut stats = self.stats.clone();
        stats.take_decoder(&self.decoder);
        PendingView { parts, stats }
    }

    fn empty_batch(&mut self) -> WorkBatch {
        if self.made >= IN_FLIGHT {
            // Every worker sends the batch back; the one to drop the last other reference makes it reusable.
            for work_batch in self.returned {
                if let Ok(mut work_batch) = Arc::try_unwrap(work_batch) {
                    work_batch.extra.clear();
                    for list in &mut work_batch.lists {
                        list.items.clear();
                        list.decoded.clear();
                    }
                    return work_batch;
                }
            }
        }
        self.made += 1;
        WorkBatch {
            batch: Batch::default(),
            extra: Vec::new(),
            lists: self.orders.iter().map(|_| WorkList::default()).collect(),
        }
    }

    fn decode(&mut self, work_batch: &mut WorkBatch) {
        let threads = work_batch.lists.len();
        let worker_of: [usize; PARTITIONS] = std::array::from_fn(|partition| partition % threads);
        let (lists, extra, batch) = (
            &mut work_batch.lists,
            &mut work_batch.extra,
            &work_batch.batch,
        );
        for (slot, frame) in batch.slots.iter().zip(batch.frames()) {
            if let Some(flow) = usual_flow(&frame) {
                self.stats.frame(frame.time);
                let to = worker_of[partition(&flow)];
                lists[to].items.push(WorkItem::Frame(*slot));
                continue;
            }
            decode(&mut self.decoder, &mut self.stats, &frame, |decoded| {
                let to = worker_of[partition(&key(decoded))];
                let item = match decoded {
                    Decoded::Segment(segment) => {
                        QuoteOrSegment::Segment(pack(segment, batch, extra))
                    }
                    Decoded::Quote(quote) => QuoteOrSegment::Quote(Box::new(*quote)),
                };
                lists[to].items.push(WorkItem::Decoded);
                lists[to].decoded.push(item);
            });
        }
    }
}

fn pack(segment: &Segment<'_>, batch: &Batch, extra: &mut Vec<u8>) -> SegmentRef {
    let (place, start) = match batch.place_of(segment.bytes) {
        Some(start) => (PayloadRef::Batch, start),
        None => {
            let start = extra.len() as u32;
            extra.extend_from_slice(segment.bytes);
            (PayloadRef::Extra, start)
        }
    };
    SegmentRef {
        segment: Segment {
            payload: &[],
            bytes: &[],
            ..*segment
        },
        start,
        length: segment.bytes.len() as u32,
        payload: segment.payload.len() as u32,
        place,
    }
}

impl SegmentRef {
    fn open<'a>(&self, work_batch: &'a WorkBatch) -> Segment<'a> {
        let bytes = match self.place {
            PayloadRef::Batch => work_batch.batch.bytes(),
            PayloadRef::Extra => &work_batch.extra,
        };
        let bytes = bytes
            .get(self.start as usize..)
            .and_then(|rest| rest.get(..self.length as usize))
            .unwrap_or(&[]);
        let header = bytes.len().saturating_sub(self.payload as usize);
        Segment {
            payload: bytes.get(header..).unwrap_or(&[]),
            bytes,
            ..self.segment
        }
    }
}

/// A worker: processes its share of the flows.
fn run_worker(
    worker: usize,
    threads: usize,
    settings: &EngineSettings,
    inbox: &Receiver<WorkerCommand>,
    back: &Sender<Arc<WorkBatch>>,
) -> Vec<(SettledStore, EngineStats)> {
    // Partition p belongs to the worker if p % threads == worker; its index here is p / threads.
    let mut shares: Vec<(Partition, SettledStore)> = (worker..PARTITIONS)
        .step_by(threads)
        .map(|_| (Partition::of(settings), SettledStore::new(settings)))
        .collect();
    // A division for each frame would take longer than its hash.
    let share_of: [usize; PARTITIONS] = std::array::from_fn(|partition| partition / threads);
    let mut end = NEVER;
    for order in inbox {
        let work_batch = match order {
            WorkerCommand::Batch(work_batch) => work_batch,
            WorkerCommand::Show(now, to) => {
                let _ = to.send(show(&mut shares, now));
                continue;
            }
            WorkerCommand::Finish(time) => {
                end = time;
                break;
            }
        };
        let list = &work_batch.lists[worker];
        let mut ready = list.decoded.iter();
        for item in &list.items {
            match item {
                WorkItem::Frame(slot) => {
                    usual(&work_batch.batch.frame(slot), |flow, segment| {
                        let (part, store) = &mut shares[share_of[partition(flow)]];
                        part.usual(flow, segment, store);
                    });
                }
                WorkItem::Decoded => {
                    let decoded = match ready.next() {
                        Some(QuoteOrSegment::Segment(segment)) => {
                            Decoded::Segment(segment.open(&work_batch))
                        }
                        Some(QuoteOrSegment::Quote(quote)) => Decoded::Quote(**quote),
                        None => continue,
                    };
                    let key = key(&decoded);
                    let (part, store) = &mut shares[share_of[partition(&key)]];
                    part.take(&key, &decoded, store);
                }
            }
        }
        let _ = back.send(work_batch);
    }
    shares
        .into_iter()
        .map(|(part, mut store)| {
            store.make_room_for_open();
            let sums = part.finish(end, &mut store);
            (store, sums)
        })
        .collect()
}

fn show(shares: &mut [(Partition, SettledStore)], now: Timestamp) -> PartialView {
    let mut all = PartialView::default();
    for (part, store) in shares {
        if store.goes_on() {
            part.settle_given_up(now, store);
        }
        let mut beside = store.beside();
        all.stats.add(part.show(now, &mut beside));
        for store in [&beside, &*store] {
            store.add_given_up(&mut all.given_up, &mut all.tallies);
        }
        all.open.append(beside.clear());
        all.settled.append(store.clear());
    }
    all
}
