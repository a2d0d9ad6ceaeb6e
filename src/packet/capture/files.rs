//! Files and pipes merged into one [`Source`] with a single timeline.
//!
//! Frames come out in order of their times. Frames of one file keep the order of the file; of two frames with the same
//! time, the one from the file named first comes first. Frame numbers and interface numbers count over all inputs.
//!
//! A file is opened when the timeline reaches its first frame and closed at its end, so a rotated set of a thousand
//! files is read one after another. While only one file is open, its batches are passed on unchanged. Where files overlap,
//! runs of frames are copied, each up to the point where another file has an earlier frame. Of very many that overlap, a
//! small one is read whole and closed, a larger one in the smaller pieces the more there are ([`BUFFERED`]), and few are
//! open at once ([`FileHandles`]).

use crate::base::frame_ref::FrameNumber;
use crate::base::net::Loss;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::path::Path;

use super::error::CaptureError;
use super::filter::{self, FilterPrograms};
use super::frame::{Batch, Fill, FrameSlot, Source};
use super::handles::FileHandles;
use super::input::Input;
use super::reader::FileReader;
use super::runs::RunLog;
use super::summary::FileSummary;
use crate::base::time::Timestamp;

/// Bytes read at once from a single input, and thus the size of a batch. Large enough that the cost of a system call is
/// negligible, small enough that the frames are still in the cache when they are analysed, and that those in flight take a
/// few megabytes.
const CHUNK: usize = 512 << 10;
/// The same for each of several inputs, all of which may have to be open at once.
const CHUNK_OF_SEVERAL: usize = 256 << 10;
/// Bytes of frames that wait in the buffers of all inputs, as long as each has at least [`SMALLEST_CHUNK`].
const BUFFERED: usize = 8 << 20;
/// Bytes to read at once however many inputs there are: a few frames.
const SMALLEST_CHUNK: usize = 1 << 10;
/// The part of a batch below which frames are copied to it rather than passed on in a batch of their own.
const COPIED: usize = 8;

/// Frames of a file that has been read to its end that are let go at once, at the least.
const LET_GO: usize = 8;

/// Options for reading.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct OpenOptions {
    /// A BPF expression: only frames that match it are returned. They keep their numbers in the unfiltered input.
    pub filter: Option<String>,
    /// What it compiles to, by link type; clones share it.
    pub(super) programs: FilterPrograms,
}

impl OpenOptions {
    /// Options with this filter, compiled at once. So libpcap is opened and names are looked up now, and not when a capture
    /// is read, perhaps with fewer rights.
    ///
    /// # Errors
    /// If the filter does not compile, or needs libpcap where there is none.
    pub fn with_filter(filter: Option<String>) -> Result<Self, CaptureError> {
        let options = Self {
            filter,
            ..Self::default()
        };
        if let Some(expression) = &options.filter {
            filter::compile_usual(expression, &options.programs)?;
        }
        Ok(options)
    }
}

/// Opens one or several captures as one timeline; `-` is standard input.
///
/// # Errors
/// If a path cannot be read or is not a capture, or the filter does not compile. Each message says what to do about it.
pub fn open(
    paths: &[impl AsRef<Path>],
    options: &OpenOptions,
) -> Result<Box<dyn Source>, CaptureError> {
    let inputs = paths.iter().map(|path| Input::open(path.as_ref()));
    read(inputs, options)
}

/// Like [`open`], for inputs that need not be files.
///
/// # Errors
/// Like [`open`].
pub fn read(
    inputs: impl IntoIterator<Item = Result<Input, CaptureError>>,
    options: &OpenOptions,
) -> Result<Box<dyn Source>, CaptureError> {
    read_numbered(inputs, options, 0)
}

/// Like [`read`]; the numbers of interfaces begin at `first_interface`.
pub(crate) fn read_numbered(
    inputs: impl IntoIterator<Item = Result<Input, CaptureError>>,
    options: &OpenOptions,
    first_interface: u32,
) -> Result<Box<dyn Source>, CaptureError> {
    let files = Files::open_from(inputs, None, first_interface, &[])?;
    with_filter(files, options)
}

/// Like [`open`], with files whose clocks are ahead by so many nanoseconds: their frames are set back.
pub(crate) fn open_with_clocks(
    paths: &[&Path],
    options: &OpenOptions,
    ahead: &[i64],
) -> Result<Box<dyn Source>, CaptureError> {
    let inputs = paths.iter().map(|path| Input::open(path));
    with_filter(Files::open_from(inputs, None, 0, ahead)?, options)
}

fn with_filter(files: Files, options: &OpenOptions) -> Result<Box<dyn Source>, CaptureError> {
    match &options.filter {
        None => Ok(Box::new(files)),
        Some(expression) => filter::filtered(Box::new(files), expression, options.programs.clone()),
    }
}

/// All inputs, merged.
pub(crate) struct Files {
    /// Files whose first frame has not been reached, the next one last.
    waiting: Vec<ClosedFile>,
    /// Indexed by input; files that have been reached and have not ended.
    open: Vec<Option<Box<OpenFile>>>,
    handles: FileHandles,
    /// Bytes of the buffers of open files.
    buffered: usize,
    /// The time of the next frame of each open file that has frames in its batch.
    heads: BinaryHeap<Reverse<(Timestamp, usize)>>,
    /// Open files with no frames left in their batch.
    drained: Vec<usize>,
    summaries: Vec<FileSummary>,
    next_interface: u32,
    next_number: u64,
    chunk: usize,
    stopped: bool,
    runs: RunLog,
}

/// A file that has been probed and closed again.
struct ClosedFile {
    first: Timestamp,
    index: usize,
    input: Input,
}

/// An open file and its next frames.
struct OpenFile {
    reader: FileReader,
    batch: Batch,
    /// Bytes of the batch's buffer after it was last filled.
    buffered: usize,
    at: usize,
    /// The number in this file of the batch's first number.
    first: u64,
    /// The number in this file after the last that was read.
    next: u64,
}

impl OpenFile {
    /// Counts numbers that were just read, up to the last frame's.
    fn count(&mut self, last: Option<&FrameSlot>) {
        self.first = self.next;
        self.next += last.map_or(0, |slot| u64::from(slot.nth) + 1);
    }
}

impl Files {
    /// [`Files::open_from`], with interfaces from 0.
    #[cfg(test)]
    pub(crate) fn open(
        inputs: impl IntoIterator<Item = Result<Input, CaptureError>>,
        chunk: Option<usize>,
    ) -> Result<Self, CaptureError> {
        Self::open_from(inputs, chunk, 0, &[])
    }

    /// Probes every input, so that unreadable ones are reported at once. `chunk`, if given, is the number of bytes to
    /// read at once; the numbers of interfaces begin at `next_interface`; `ahead` is by how much the clocks of files are ahead, if any.
    fn open_from(
        inputs: impl IntoIterator<Item = Result<Input, CaptureError>>,
        chunk: Option<usize>,
        next_interface: u32,
        ahead: &[i64],
    ) -> Result<Self, CaptureError> {
        let mut inputs = inputs.into_iter().peekable();
        let expected = inputs.size_hint().0;
        let mut files = Self {
            waiting: Vec::with_capacity(expected),
            open: Vec::with_capacity(expected),
            handles: FileHandles::default(),
            buffered: 0,
            heads: BinaryHeap::new(),
            drained: Vec::new(),
            summaries: Vec::with_capacity(expected),
            next_interface,
            next_number: 1,
            chunk: chunk.unwrap_or(CHUNK),
            stopped: false,
            runs: RunLog::default(),
        };
        while let Some(input) = inputs.next() {
            let input = input?;
            let index = files.summaries.len();
            let clock_ahead = ahead.get(index).copied().filter(|it| *it != 0);
            files.summaries.push(FileSummary {
                clock_ahead,
                ..FileSummary::default()
            });
            files.open.push(None);
            let alone = index == 0 && inputs.peek().is_none();
            if !alone {
                files.chunk = chunk.unwrap_or(CHUNK_OF_SEVERAL);
            }
            match input.again() {
                Some(again) if !alone => {
                    let first = first_time(input, files.chunk, &files.handles)?;
                    let first = set_back(first, clock_ahead);
                    files.waiting.push(ClosedFile {
                        first,
                        index,
                        input: again,
                    });
                }
                _ => files.begin(index, input)?,
            }
        }
        files
            .waiting
            .sort_by_key(|file| Reverse((file.first, file.index)));
        Ok(files)
    }

    /// Opens an input; its frames are read by the next [`Files::load`].
    fn begin(&mut self, index: usize, input: Input) -> Result<(), CaptureError> {
        let reader = FileReader::open(
            input,
            self.chunk,
            &self.handles,
            &mut self.summaries[index],
            &mut self.next_interface,
        )?;
        self.open[index] = Some(Box::new(OpenFile {
            reader,
            batch: Batch::default(),
            buffered: 0,
            at: 0,
            first: 1,
            next: 1,
        }));
        self.drained.push(index);
        Ok(())
    }

    /// Ensures that every open file has frames and an entry in `heads`, and that every file is open that the timeline
    /// has reached.
    fn load(&mut self) -> Result<(), CaptureError> {
        self.refill();
        while let Some(next) = self.waiting.pop() {
            let head = self.heads.peek().map(|Reverse(head)| *head);
            if head.is_some_and(|head| head < (next.first, next.index)) {
                self.waiting.push(next);
                break;
            }
            self.begin(next.index, next.input)?;
            self.refill();
        }
        Ok(())
    }

    /// Refills each drained file and updates `heads`, or closes the file.
    fn refill(&mut self) {
        let open = self.heads.len() + self.drained.len();
        let share = BUFFERED / open.max(1);
        for index in self.drained.drain(..) {
            let Some(file) = &mut self.open[index] else {
                continue;
            };
            self.buffered -= file.buffered;
            let room = share.min(BUFFERED.saturating_sub(self.buffered));
            let chunk = room.max(SMALLEST_CHUNK).min(self.chunk);
            file.batch.clear();
            file.batch.shrink(chunk);
            file.reader.read_at_most(chunk);
            let summary = &mut self.summaries[index];
            file.reader
                .fill(&mut file.batch, summary, &mut self.next_interface);
            set_all_back(&mut file.batch, summary.clock_ahead);
            file.at = 0;
            let last = file.batch.slots.last().copied();
            file.count(last.as_ref());
            if chunk < self.chunk || file.reader.has_ended() {
                file.batch.trim();
            }
            file.buffered = file.batch.bytes.len();
            match file.batch.slots.first() {
                Some(slot) => {
                    self.buffered += file.buffered;
                    self.heads.push(Reverse((slot.time, index)));
                }
                None => {
                    self.open[index] = None;
                    self.summaries[index].runs.shrink_to_fit();
                }
            }
        }
    }

    /// The only file with anything left, if there is exactly one and it is drained.
    fn lone(&self) -> Option<usize> {
        match self.drained[..] {
            [index] if self.heads.is_empty() && self.waiting.is_empty() => Some(index),
            _ => None,
        }
    }

    /// Moves the next run of frames into `batch`. Returns whether the batch is full.
    fn run(&mut self, batch: &mut Batch) -> bool {
        let Some(Reverse((_, index))) = self.heads.pop() else {
            return true;
        };
        let other = self.heads.peek().map(|Reverse(head)| *head);
        let waiting = self.waiting.last().map(|file| (file.first, file.index));
        let bound = match (other, waiting) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        let earlier = |slot: &FrameSlot| bound.is_none_or(|bound| (slot.time, index) < bound);
        let Some(file) = &mut self.open[index] else {
            return false;
        };
        let rest = &file.batch.slots[file.at..];
        // The first frame is taken regardless of the bound: it is the smallest of all.
        let run = 1 + rest.iter().skip(1).take_while(|slot| earlier(slot)).count();
        let own = file.first + u64::from(rest.first().map_or(0, |slot| slot.nth));
        if run == rest.len() && batch.is_empty() && file.batch.used >= self.chunk / COPIED {
            std::mem::swap(batch, &mut file.batch);
            if let Some(taken) = file.at.checked_sub(1) {
                let above = batch.slots[taken].nth.saturating_add(1);
                batch.slots.drain(..file.at);
                batch
                    .slots
                    .iter_mut()
                    .for_each(|slot| slot.nth = slot.nth.saturating_sub(above));
            }
            file.batch.clear();
            file.at = 0;
            self.drained.push(index);
            let nth = batch.slots.first().map_or(0, |slot| slot.nth);
            self.record(index, nth, own);
            return true;
        }
        let mut taken = 0;
        let mut begins = None;
        // Numbers without a frame (blocks that Wireshark counts as packets) stay gaps between the frames of the file.
        let mut before = file.at.checked_sub(1).map(|at| file.batch.slots[at].nth);
        for slot in &rest[..run] {
            let between = before.map_or(slot.nth, |before| {
                slot.nth.saturating_sub(before).saturating_sub(1)
            });
            before = Some(slot.nth);
            let next = batch
                .slots
                .last()
                .map_or(0, |last| last.nth.saturating_add(1));
            let nth = next.saturating_add(between);
            batch.push_slot(FrameSlot { nth, ..*slot }, file.batch.data(slot));
            begins = begins.or(Some(nth));
            taken += 1;
            if batch.used >= self.chunk {
                break;
            }
        }
        file.at += taken;
        // Nothing more is read into this buffer, and very many may overlap: what was copied is let go by halves.
        if file.at >= LET_GO && file.at * 2 >= file.batch.len() && file.reader.has_ended() {
            file.at = file.batch.forget(file.at);
        }
        if let Some(slot) = file.batch.slots.get(file.at) {
            self.heads.push(Reverse((slot.time, index)));
        } else {
            self.drained.push(index);
        }
        if let Some(nth) = begins {
            self.record(index, nth, own);
        }
        batch.used >= self.chunk
    }

    /// Records that the frame with this number in the batch is the file's own of this number, if it does not go on from the
    /// run before.
    fn record(&mut self, index: usize, nth: u32, own: u64) {
        let first = FrameNumber(self.next_number + u64::from(nth));
        self.runs
            .record(&mut self.summaries, first, Some((index, own)));
    }

    /// Whether the next step may block on a pipe that has no data yet.
    fn would_wait(&self) -> bool {
        self.drained.iter().any(|index| {
            let file = self.open[*index].as_ref();
            file.is_some_and(|file| file.reader.is_a_stream())
        })
    }
}

impl Source for Files {
    fn fill(&mut self, batch: &mut Batch) -> Result<Fill, CaptureError> {
        batch.clear();
        if self.stopped {
            return Ok(Fill::End);
        }
        if let Some(index) = self.lone() {
            if let Some(file) = &mut self.open[index] {
                let summary = &mut self.summaries[index];
                file.reader.fill(batch, summary, &mut self.next_interface);
                set_all_back(batch, summary.clock_ahead);
                file.count(batch.slots.last());
                let own = file.first;
                if !batch.is_empty() {
                    self.record(index, 0, own);
                }
            }
        } else {
            loop {
                self.load()?;
                if self.run(batch) || self.would_wait() {
                    break;
                }
            }
        }
        batch.first = self.next_number;
        let last = batch.slots.last();
        self.next_number += last.map_or(0, |slot| u64::from(slot.nth) + 1);
        Ok(match batch.is_empty() {
            true => Fill::End,
            false => Fill::Frames,
        })
    }

    fn stop(&mut self) {
        self.stopped = true;
    }

    fn lost(&self) -> Loss {
        self.summaries
            .iter()
            .map(|file| file.lost)
            .fold(Loss::default(), Loss::and)
    }

    fn files(&self) -> &[FileSummary] {
        &self.summaries
    }
}

/// A time by a clock that is ahead by so many nanoseconds, as it was.
fn set_back(time: Timestamp, ahead: Option<i64>) -> Timestamp {
    match ahead {
        Some(ahead) => Timestamp::from_nanos(time.as_nanos().saturating_sub(ahead)),
        None => time,
    }
}

fn set_all_back(batch: &mut Batch, ahead: Option<i64>) {
    if ahead.is_some() {
        let slots = batch.slots.iter_mut();
        slots.for_each(|slot| slot.time = set_back(slot.time, ahead));
    }
}

/// The time of an input's first frame; the earliest time for an input without frames, so that it is handled first.
fn first_time(
    input: Input,
    chunk: usize,
    handles: &FileHandles,
) -> Result<Timestamp, CaptureError> {
    let (mut summary, mut interfaces) = (FileSummary::default(), 0);
    // Only the first frame is needed.
    let chunk = chunk.min(64 << 10);
    let mut reader = FileReader::open(input, chunk, handles, &mut summary, &mut interfaces)?;
    let mut batch = Batch::default();
    reader.fill(&mut batch, &mut summary, &mut interfaces);
    Ok(batch.slots.first().map_or(Timestamp::MIN, |slot| slot.time))
}

#[cfg(test)]
mod tests {
    use super::super::frame_names;
    use super::*;

    #[test]
    fn frames_after_too_many_runs_have_the_number_in_all_files() {
        // The frames of two equal files alternate.
        let path = Path::new("captures/reset-before-response.pcap");
        let mut files =
            Files::open([Input::open(path), Input::open(path)], None).expect("captures");
        files.runs = RunLog::up_to(2);
        let mut batch = Batch::default();
        while !matches!(files.fill(&mut batch), Ok(Fill::End) | Err(_)) {}
        let beyond: u64 = files.files().iter().map(|it| it.more_runs).sum();
        assert!(beyond > 1, "{beyond}");
        let names = frame_names(files.files());
        let places = [1, 2, 3].map(|frame| names.place(FrameNumber(frame)));
        assert!(places[0].is_some() && places[1].is_some(), "{places:?}");
        let last: u64 = files.files().iter().map(|it| it.packets).sum();
        // Both inputs are one file.
        assert_eq!(names.name(FrameNumber(last)), format!("frame {last}"));
    }
}
