//! The engine on several threads: one reads and decodes, the others each follow a share of the partitions.
//!
//! A batch goes to all of them as one; each gets its own list of parcels: segments whose payload is named by its place
//! in the batch, so that nothing is copied. What a reassembled datagram held is copied to the end of the batch's own
//! extra bytes. Batches come back to be filled again.

use super::intake::{PARTITIONS, decode, key, partition};
use super::output::Analysis;
use super::stats::NEVER;
use crate::packet::decode::Decoded;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};

use super::partition::Partition;
use super::progress::{Glance, Next, Observer, Outlook, Part};
use super::retention::Shelf;
use super::settings::Settings;
use super::stats::Stats;
use crate::base::net::Quote;
use crate::base::time::Timestamp;
use crate::packet::capture::{Batch, CaptureError, Fill, Source};
use crate::packet::decode::{Decoder, Segment};

/// Batches on their way at once: enough that nobody waits for long, few enough that they stay in the cache.
const IN_FLIGHT: usize = 6;

/// Where a payload lies.
#[derive(Clone, Copy)]
enum Place {
    Batch,
    Extra,
}

struct Parcel {
    segment: Segment<'static>,
    start: u32,
    length: u32,
    place: Place,
}

enum Item {
    Parcel(Parcel),
    Quote(Box<Quote>),
}

/// A batch, and what each follower has to do with it.
struct Load {
    batch: Batch,
    extra: Vec<u8>,
    lists: Vec<Vec<Item>>,
}

enum Order {
    Load(Arc<Load>),
    /// Show what there is; it is so late.
    Show(Timestamp, Sender<Part>),
    Finish(Timestamp),
}

pub(super) fn analyse(
    source: &mut dyn Source,
    settings: &Settings,
    threads: usize,
    progress: &mut dyn FnMut(u64),
) -> Result<Analysis, CaptureError> {
    let (shelves, stats, outcome) = work(source, settings, threads, &mut Unseen(progress));
    outcome.map(|()| Analysis::join(shelves, stats))
}

/// Reads a source to its end on this many threads, or until the observer has seen enough. Gives what there was after the
/// last look, and the error if the source could not be read on.
pub fn watched(
    source: &mut dyn Source,
    settings: &Settings,
    threads: usize,
    observer: &mut dyn Observer,
) -> (Glance, Result<(), CaptureError>) {
    let threads = threads.clamp(1, PARTITIONS);
    let (shelves, mut stats, outcome) = work(source, settings, threads, observer);
    let mut settled = super::Harvest::default();
    for mut shelf in shelves {
        stats.bounds.let_go += shelf.let_go;
        stats.bounds.exchanges += shelf.exchanges_let_go;
        settled.append(&mut shelf.clear());
    }
    let glance = Glance {
        settled,
        stats,
        ..Glance::default()
    };
    (glance, outcome)
}

/// Only wants to know how far it is.
struct Unseen<'a>(&'a mut dyn FnMut(u64));

impl Observer for Unseen<'_> {
    fn next(&mut self, frames: u64, _: &dyn Source) -> Next {
        (self.0)(frames);
        Next::GoOn
    }

    fn look(&mut self, _: Outlook) {}
}

fn work(
    source: &mut dyn Source,
    settings: &Settings,
    threads: usize,
    observer: &mut dyn Observer,
) -> (Vec<Shelf>, Stats, Result<(), CaptureError>) {
    let (back, returned) = channel::<Arc<Load>>();
    std::thread::scope(|scope| {
        let mut orders = Vec::new();
        let mut followers = Vec::new();
        for worker in 0..threads {
            let (order, inbox) = sync_channel::<Order>(IN_FLIGHT);
            let back = back.clone();
            orders.push(order);
            followers.push(scope.spawn(move || follow(worker, threads, settings, &inbox, &back)));
        }
        drop(back);
        let mut lead = Lead {
            decoder: Decoder::new(),
            stats: Stats::default(),
            orders: &orders,
            returned: &returned,
            made: 0,
        };
        let outcome = lead.run(source, observer);
        let end = lead.stats.end();
        for order in &orders {
            // A follower that is gone has panicked; joining it says so.
            let _ = order.send(Order::Finish(end));
        }
        let Lead {
            decoder, mut stats, ..
        } = lead;
        stats.take_decoder(&decoder);
        let mut shelves = Vec::new();
        for follower in followers {
            match follower.join() {
                Ok(theirs) => {
                    for (shelf, sums) in theirs {
                        shelves.push(shelf);
                        stats.add(sums);
                    }
                }
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        (shelves, stats, outcome)
    })
}

/// The thread that reads and decodes.
struct Lead<'a> {
    decoder: Decoder,
    stats: Stats,
    orders: &'a [SyncSender<Order>],
    returned: &'a Receiver<Arc<Load>>,
    made: usize,
}

impl Lead<'_> {
    fn run(
        &mut self,
        source: &mut dyn Source,
        observer: &mut dyn Observer,
    ) -> Result<(), CaptureError> {
        let mut stopped = false;
        loop {
            let mut load = self.empty_load();
            match source.fill(&mut load.batch)? {
                Fill::Frames => {}
                Fill::Idle(now) => self.stats.nothing(now),
                Fill::End => return Ok(()),
            }
            self.decode(&mut load);
            let load = Arc::new(load);
            for order in self.orders {
                let _ = order.send(Order::Load(Arc::clone(&load)));
            }
            match observer.next(self.stats.frames, source) {
                Next::GoOn => {}
                Next::Look => observer.look(self.show()),
                Next::Stop if stopped => {}
                Next::Stop => {
                    stopped = true;
                    source.stop();
                }
            }
        }
    }

    /// Has every follower show what it has when it has done what it was sent so far.
    fn show(&self) -> Outlook {
        let (part, parts) = channel();
        for order in self.orders {
            let _ = order.send(Order::Show(self.stats.end(), part.clone()));
        }
        let mut stats = self.stats.clone();
        stats.take_decoder(&self.decoder);
        Outlook { parts, stats }
    }

    fn empty_load(&mut self) -> Load {
        if self.made >= IN_FLIGHT {
            // Every follower sends it back; the last to let go of it hands it over.
            for load in self.returned {
                if let Ok(mut load) = Arc::try_unwrap(load) {
                    load.extra.clear();
                    load.lists.iter_mut().for_each(Vec::clear);
                    return load;
                }
            }
        }
        self.made += 1;
        Load {
            batch: Batch::default(),
            extra: Vec::new(),
            lists: self.orders.iter().map(|_| Vec::new()).collect(),
        }
    }

    fn decode(&mut self, load: &mut Load) {
        let threads = load.lists.len();
        let (lists, extra, batch) = (&mut load.lists, &mut load.extra, &load.batch);
        for frame in batch.frames() {
            decode(&mut self.decoder, &mut self.stats, &frame, |decoded| {
                let to = partition(&key(decoded)) % threads;
                let item = match decoded {
                    Decoded::Segment(segment) => Item::Parcel(pack(segment, batch, extra)),
                    Decoded::Quote(quote) => Item::Quote(Box::new(*quote)),
                };
                lists[to].push(item);
            });
        }
    }
}

fn pack(segment: &Segment<'_>, batch: &Batch, extra: &mut Vec<u8>) -> Parcel {
    let (place, start) = match batch.place_of(segment.payload) {
        Some(start) => (Place::Batch, start),
        None => {
            let start = extra.len() as u32;
            extra.extend_from_slice(segment.payload);
            (Place::Extra, start)
        }
    };
    Parcel {
        segment: Segment {
            payload: &[],
            ..*segment
        },
        start,
        length: segment.payload.len() as u32,
        place,
    }
}

impl Parcel {
    fn open<'a>(&self, load: &'a Load) -> Segment<'a> {
        let bytes = match self.place {
            Place::Batch => load.batch.bytes(),
            Place::Extra => &load.extra,
        };
        let payload = bytes
            .get(self.start as usize..)
            .and_then(|rest| rest.get(..self.length as usize))
            .unwrap_or(&[]);
        Segment {
            payload,
            ..self.segment
        }
    }
}

/// The thread that follows a share of the flows.
fn follow(
    worker: usize,
    threads: usize,
    settings: &Settings,
    inbox: &Receiver<Order>,
    back: &Sender<Arc<Load>>,
) -> Vec<(Shelf, Stats)> {
    // Partition p is the worker's if p % threads == worker; it stands at p / threads.
    let mut shares: Vec<(Partition, Shelf)> = (worker..PARTITIONS)
        .step_by(threads)
        .map(|_| (Partition::new(&settings.keys), Shelf::new(settings)))
        .collect();
    let mut end = NEVER;
    for order in inbox {
        let load = match order {
            Order::Load(load) => load,
            Order::Show(now, to) => {
                let _ = to.send(show(&mut shares, now));
                continue;
            }
            Order::Finish(time) => {
                end = time;
                break;
            }
        };
        for item in &load.lists[worker] {
            let decoded = match item {
                Item::Parcel(parcel) => Decoded::Segment(parcel.open(&load)),
                Item::Quote(quote) => Decoded::Quote(**quote),
            };
            let key = key(&decoded);
            let (part, shelf) = &mut shares[partition(&key) / threads];
            part.take(&key, &decoded, shelf);
        }
        let _ = back.send(load);
    }
    shares
        .into_iter()
        .map(|(part, mut shelf)| {
            let sums = part.finish(end, &mut shelf);
            (shelf, sums)
        })
        .collect()
}

fn show(shares: &mut [(Partition, Shelf)], now: Timestamp) -> Part {
    let mut all = Part::default();
    for (part, shelf) in shares {
        let mut beside = shelf.beside();
        all.stats.add(part.show(now, &mut beside));
        all.stats.bounds.let_go += beside.let_go;
        all.stats.bounds.exchanges += beside.exchanges_let_go;
        all.open.append(&mut beside.harvest);
        all.settled.append(&mut shelf.clear());
    }
    all
}
