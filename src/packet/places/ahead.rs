//! One place, read and decoded ahead of the window on a thread of its own: joining two places takes longer than all else that
//! is done for their frames, and has a thread to itself so.
//!
//! In: the source of the place. Out: its batches in their order, each with what is looked at of its frames. What the source says of
//! its files comes with each batch, as it stood then, so that nothing depends on how far the thread has come.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use super::identity::{self, Numbers};
use super::items::TcpFacts;
use super::renumbered;
use crate::base::net::{Endpoint, Flags, Loss};
use crate::packet::capture::{Batch, CaptureError, FileSummary, Fill, Source};
use crate::packet::decode::{Decoder, Segment, TcpOptions};
use crate::packet::flow::FlowKey;

/// Batches that are read before a thread is started: a small capture has no more, and starting one takes longer than reading it.
const AT_FIRST: usize = 2;
/// Batches in transit.
const IN_TRANSIT: usize = 2;

/// What is looked at of every frame. What few frames are asked for stands beside it ([`ReadBatch`]), because this is what one
/// processor hands another.
#[derive(Clone, Copy, Debug)]
pub(super) struct FrameFacts {
    /// A hash of its numbers; 0 if it has none.
    pub(super) identity: u64,
    pub(super) segment: Option<SegmentFacts>,
}

/// The same of a segment.
#[derive(Clone, Copy, Debug)]
pub(super) struct SegmentFacts {
    /// The identity of its flow ([`FlowKey::share`]), and whether the lesser end sent it.
    pub(super) share: u64,
    pub(super) from_lesser: bool,
    pub(super) tcp: TcpFacts,
}

/// A batch, and what is looked at of its frames.
#[derive(Debug, Default)]
pub(super) struct ReadBatch {
    pub(super) batch: Batch,
    pub(super) facts: Vec<FrameFacts>,
    /// The sender and the receiver of each frame, as far as it holds a segment.
    ends: Vec<Option<[Endpoint; 2]>>,
    /// The options of SYNs, by the slots of their frames.
    options: Vec<(u32, TcpOptions)>,
}

impl ReadBatch {
    pub(super) fn clear(&mut self) {
        self.batch.clear();
        self.facts.clear();
        self.ends.clear();
        self.options.clear();
    }

    /// The sender and the receiver of the segment in this slot.
    pub(super) fn ends(&self, slot: usize) -> Option<[Endpoint; 2]> {
        self.ends.get(slot).copied().flatten()
    }

    /// The options of the SYN in this slot.
    pub(super) fn options(&self, slot: u32) -> Option<&TcpOptions> {
        let at = self.options.binary_search_by_key(&slot, |it| it.0).ok()?;
        self.options.get(at).map(|it| &it.1)
    }
}

/// Decodes the frames of one source.
#[derive(Debug)]
pub(super) struct FactReader(Decoder);

impl FactReader {
    pub(super) fn new() -> Self {
        Self(Decoder::new())
    }

    /// Fills `read` with the next frames of the source, and what is looked at of them.
    pub(super) fn fill(
        &mut self,
        source: &mut dyn Source,
        read: &mut ReadBatch,
    ) -> Result<Fill, CaptureError> {
        read.clear();
        let fill = source.fill(&mut read.batch)?;
        let (batch, options) = (&read.batch, &mut read.options);
        for (slot, frame) in (0..).zip(batch.frames()) {
            let mut ends = None;
            let segment = self.0.with_segment(&frame, |segment| {
                ends = Some([segment.source, segment.destination]);
                if segment.flags.has(Flags::SYN) {
                    options.push((slot, segment.options));
                }
                SegmentFacts::of(segment)
            });
            let identity = match &segment {
                Some(segment) => segment.tcp.numbers.identity(),
                None => identity::of_other(&frame).unwrap_or(0),
            };
            read.facts.push(FrameFacts { identity, segment });
            read.ends.push(ends);
        }
        Ok(fill)
    }
}

impl SegmentFacts {
    fn of(segment: &Segment<'_>) -> Self {
        let (from, to) = (segment.source, segment.destination);
        Self {
            share: FlowKey::new(from, to, segment.context).share(),
            from_lesser: from <= to,
            tcp: TcpFacts {
                flow: 0,
                end: 0,
                numbers: Numbers::of(segment),
                ttl: segment.ttl,
                ip_id: segment.ip_id.unwrap_or(0),
                telling: identity::is_telling(segment),
                likeness: renumbered::likeness(segment),
            },
        }
    }
}

/// What the thread delivers.
struct Delivery {
    fill: Result<Fill, CaptureError>,
    read: ReadBatch,
    files: Vec<FileSummary>,
    lost: Loss,
}

/// The thread, and both ways to it.
struct Aside {
    thread: JoinHandle<()>,
    deliveries: Receiver<Delivery>,
    empty: SyncSender<ReadBatch>,
    files: Vec<FileSummary>,
    lost: Loss,
}

impl Aside {
    fn start(mut source: Box<dyn Source>, mut reader: FactReader) -> Self {
        let (files, lost) = (source.files().to_vec(), source.lost());
        let (deliver, deliveries) = sync_channel::<Delivery>(IN_TRANSIT);
        let (empty, returned) = sync_channel::<ReadBatch>(IN_TRANSIT);
        let thread = thread::spawn(move || {
            loop {
                let mut read = returned.try_recv().unwrap_or_default();
                let fill = reader.fill(&mut *source, &mut read);
                let last = !matches!(fill, Ok(Fill::Frames | Fill::Idle(_)));
                let delivery = Delivery {
                    fill,
                    read,
                    files: source.files().to_vec(),
                    lost: source.lost(),
                };
                // If nobody takes it, the rest is not wanted.
                if deliver.send(delivery).is_err() || last {
                    return;
                }
            }
        });
        Self {
            thread,
            deliveries,
            empty,
            files,
            lost,
        }
    }
}

/// One place.
pub(super) struct Ahead {
    /// As long as it is read here: its source, and the batches so far.
    here: Option<(Box<dyn Source>, FactReader)>,
    batches: usize,
    aside: Option<Aside>,
}

impl Ahead {
    pub(super) fn new(source: Box<dyn Source>) -> Self {
        Self {
            here: Some((source, FactReader::new())),
            batches: 0,
            aside: None,
        }
    }

    pub(super) fn files(&self) -> &[FileSummary] {
        match (&self.here, &self.aside) {
            (Some((source, _)), _) => source.files(),
            (None, Some(aside)) => &aside.files,
            (None, None) => &[],
        }
    }

    pub(super) fn lost(&self) -> Loss {
        match (&self.here, &self.aside) {
            (Some((source, _)), _) => source.lost(),
            (None, Some(aside)) => aside.lost,
            (None, None) => Loss::default(),
        }
    }

    /// Fills `read` with the next frames. After the end, or an error, there are none.
    pub(super) fn fill(&mut self, read: &mut ReadBatch) -> Result<Fill, CaptureError> {
        self.batches += 1;
        if let Some((source, reader)) = self.here.take_if(|_| self.batches > AT_FIRST) {
            self.aside = Some(Aside::start(source, reader));
        }
        if let Some((source, reader)) = &mut self.here {
            return reader.fill(&mut **source, read);
        }
        let Some(aside) = &mut self.aside else {
            return Ok(Fill::End);
        };
        let Ok(delivery) = aside.deliveries.recv() else {
            // It has delivered the last batch, or panicked.
            let ended = self.aside.take().map(|it| it.thread.join());
            return match ended {
                Some(Err(panic)) => std::panic::resume_unwind(panic),
                _ => Ok(Fill::End),
            };
        };
        let taken = std::mem::replace(read, delivery.read);
        // If enough wait there to be filled again, this one is dropped.
        let _ = aside.empty.try_send(taken);
        (aside.files, aside.lost) = (delivery.files, delivery.lost);
        delivery.fill
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::frame_ref::FrameNumber;
    use crate::base::passage::Passage;
    use crate::base::time::Timestamp;
    use crate::packet::capture::{Frame, LinkType};

    /// A source of so many batches with a frame each; then it ends, fails or panics.
    struct Counted {
        batches: u64,
        filled: u64,
        end: fn() -> Result<Fill, CaptureError>,
        files: Vec<FileSummary>,
    }

    impl Source for Counted {
        fn fill(&mut self, batch: &mut Batch) -> Result<Fill, CaptureError> {
            batch.clear();
            if self.filled == self.batches {
                return (self.end)();
            }
            self.filled += 1;
            self.files[0].packets = self.filled;
            batch.push(Frame {
                number: FrameNumber(self.filled),
                time: Timestamp::new(1, 0),
                link: LinkType(1),
                interface: 0,
                length: 60,
                passage: Passage::Unknown,
                data: &[0; 60],
            });
            Ok(Fill::Frames)
        }

        fn stop(&mut self) {}

        fn lost(&self) -> Loss {
            Loss::default()
        }

        fn files(&self) -> &[FileSummary] {
            &self.files
        }
    }

    fn ahead(batches: u64, end: fn() -> Result<Fill, CaptureError>) -> Ahead {
        Ahead::new(Box::new(Counted {
            batches,
            filled: 0,
            end,
            files: vec![FileSummary::default()],
        }))
    }

    /// The numbers of all frames. Of the file it is known what was read of it by then, however far the thread has come.
    fn numbers(ahead: &mut Ahead) -> Result<Vec<u64>, CaptureError> {
        let (mut read, mut numbers) = (ReadBatch::default(), Vec::new());
        while ahead.fill(&mut read)? != Fill::End {
            assert_eq!(read.facts.len(), read.batch.len());
            numbers.extend(read.batch.frames().map(|frame| frame.number.0));
            assert_eq!(ahead.files()[0].packets, numbers.len() as u64);
        }
        Ok(numbers)
    }

    #[test]
    fn what_is_read_ahead_comes_in_order() {
        for batches in [0, 1, 2, 3, 20] {
            let mut ahead = ahead(batches, || Ok(Fill::End));
            let all: Vec<u64> = (1..=batches).collect();
            assert_eq!(numbers(&mut ahead).ok(), Some(all));
            let mut read = ReadBatch::default();
            assert_eq!(ahead.fill(&mut read).ok(), Some(Fill::End));
        }
    }

    #[test]
    fn an_error_of_the_source_arrives() {
        let failed = || {
            Err(CaptureError::NotACapture {
                path: "a".into(),
                reason: "no".to_owned(),
            })
        };
        for batches in [0, 5] {
            assert!(numbers(&mut ahead(batches, failed)).is_err());
        }
    }

    #[test]
    #[should_panic(expected = "the source has panicked")]
    fn a_panic_of_the_thread_is_one_of_the_reader() {
        let _ = numbers(&mut ahead(5, || panic!("the source has panicked")));
    }
}
