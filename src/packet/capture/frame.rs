//! The output of every source: frames with their time, link type, captured length and original length, in batches.

use super::summary::FileSummary;
use crate::base::frame_ref::FrameNumber;
use crate::base::net::Loss;
use crate::base::passage::Passage;
use crate::base::time::Timestamp;

/// A link-layer header type, as registered at <https://www.tcpdump.org/linktypes.html>.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct LinkType(pub u16);

/// One frame as captured.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// Its number in the whole input, from 1.
    pub number: FrameNumber,
    /// When it was captured.
    pub time: Timestamp,
    /// The type of the header at the start of `data`.
    pub link: LinkType,
    /// The interface it was captured on: an index over all interfaces of the input, in order of appearance.
    pub interface: u32,
    /// Length on the wire in bytes; at least `data.len()` unless the file is wrong.
    pub length: u32,
    /// What another place that captured the same connection shows of it.
    pub passage: Passage,
    /// The captured bytes, which the snap length may have cut.
    pub data: &'a [u8],
}

/// The position of a frame in its batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FrameSlot {
    pub(crate) time: Timestamp,
    pub(crate) start: u32,
    pub(crate) captured: u32,
    pub(crate) length: u32,
    pub(crate) interface: u32,
    /// The offset of its number from the number of the batch's first frame. Equals its index unless numbers in between
    /// have no frame (a filter removed it, or the number belongs to a block that Wireshark counts as a packet).
    /// Increasing.
    pub(crate) nth: u32,
    pub(crate) link: LinkType,
    pub(crate) passage: Passage,
}

/// Bytes of a file for each frame in it, at the least: a record header and hardly more than the headers of TCP.
const SMALLEST_FRAME: usize = 64;

/// Many frames in one buffer that is refilled repeatedly.
#[derive(Debug, Default)]
pub struct Batch {
    /// The bytes that the slots point into; may hold more than the frames (record headers lie between them). Its length
    /// is the allocated room and only grows: zeroing it anew for each fill would cost as much as a third of the
    /// time to read it.
    pub(crate) bytes: Vec<u8>,
    /// Number of `bytes` in use; [`Batch::push`] appends from here.
    pub(crate) used: usize,
    pub(crate) slots: Vec<FrameSlot>,
    /// The number of the first frame; slots store offsets from it.
    pub(crate) first: u64,
}

impl Batch {
    /// Number of frames.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether it holds no frames.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// The frames in order.
    pub fn frames(&self) -> impl ExactSizeIterator<Item = Frame<'_>> {
        self.slots.iter().map(|slot| self.frame(slot))
    }

    /// Appends a copy of a frame, for sources that produce frames one at a time. Numbers must not decrease within a
    /// batch, nor span more than `u32::MAX`.
    pub fn push(&mut self, frame: Frame<'_>) {
        if self.slots.is_empty() {
            self.first = frame.number.0;
        }
        let nth = frame.number.0.saturating_sub(self.first);
        let slot = FrameSlot {
            time: frame.time,
            start: 0,
            captured: 0,
            length: frame.length,
            interface: frame.interface,
            nth: u32::try_from(nth).unwrap_or(u32::MAX),
            link: frame.link,
            passage: frame.passage,
        };
        self.push_slot(slot, frame.data);
    }

    /// Removes the frames and keeps the allocated memory.
    pub fn clear(&mut self) {
        self.slots.clear();
        self.used = 0;
    }

    /// The memory that it takes, in bytes.
    pub(crate) fn footprint(&self) -> usize {
        self.bytes.capacity() + self.slots.capacity() * size_of::<FrameSlot>()
    }

    /// Makes room for frames of so many bytes, so that none of them makes it grow by more than it needs.
    pub(crate) fn make_room(&mut self, bytes: usize) {
        if self.bytes.len() < bytes {
            self.bytes.reserve_exact(bytes - self.bytes.len());
            self.bytes.resize(bytes, 0);
        }
    }

    /// Frees memory that neither the frames need nor a batch of `room` bytes.
    pub(crate) fn shrink(&mut self, room: usize) {
        let needed = self.used.max(room);
        if self.bytes.len() > needed * 2 {
            self.bytes.truncate(needed);
            self.bytes.shrink_to_fit();
        }
        self.slots.shrink_to(room / SMALLEST_FRAME);
    }

    /// Frees what lies behind the last frame.
    pub(crate) fn trim(&mut self) {
        self.used = self
            .slots
            .last()
            .map_or(0, |slot| slot.start as usize + slot.captured as usize);
        self.bytes.truncate(self.used);
        self.bytes.shrink_to_fit();
        self.slots.shrink_to_fit();
    }

    /// Frees what the frames before index `at` take, except for the slot of the last of them. Returns the index that `at` has
    /// then.
    pub(crate) fn forget(&mut self, at: usize) -> usize {
        let (Some(slot), Some(last)) = (self.slots.get(at), at.checked_sub(1)) else {
            return at;
        };
        let start = slot.start;
        self.bytes.drain(..start as usize);
        self.bytes.shrink_to_fit();
        self.used -= start as usize;
        self.slots.drain(..last);
        self.slots.shrink_to_fit();
        for slot in &mut self.slots {
            slot.start = slot.start.saturating_sub(start);
        }
        at - last
    }

    /// Appends `slot` with a copy of `data`. Data that would make the batch larger than 4 GiB is cut.
    pub(crate) fn push_slot(&mut self, slot: FrameSlot, data: &[u8]) {
        let start = self.used;
        let captured = data.len().min((u32::MAX as usize).saturating_sub(start));
        let end = start + captured;
        if end > self.bytes.len() {
            self.bytes.resize(end.max(self.bytes.len() * 2), 0);
        }
        self.bytes[start..end].copy_from_slice(&data[..captured]);
        self.used = end;
        self.slots.push(FrameSlot {
            start: start as u32,
            captured: captured as u32,
            ..slot
        });
    }

    /// Removes the frames for which `keep` returns false. The others keep their numbers.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&Frame<'_>) -> bool) {
        let mut slots = std::mem::take(&mut self.slots);
        slots.retain(|slot| keep(&self.frame(slot)));
        self.slots = slots;
    }

    /// All bytes in use, including those between frames.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.used.min(self.bytes.len())]
    }

    /// The offset of `part` in [`Batch::bytes`], if it lies within.
    pub(crate) fn place_of(&self, part: &[u8]) -> Option<u32> {
        let start = (part.as_ptr() as usize).checked_sub(self.bytes.as_ptr() as usize)?;
        let inside = start + part.len() <= self.bytes().len();
        inside.then(|| u32::try_from(start).ok()).flatten()
    }

    /// The bytes of one slot.
    pub(crate) fn data(&self, slot: &FrameSlot) -> &[u8] {
        &self.bytes[slot.start as usize..][..slot.captured as usize]
    }

    /// The frame with this index.
    pub(crate) fn nth(&self, index: usize) -> Option<Frame<'_>> {
        self.slots.get(index).map(|slot| self.frame(slot))
    }

    /// The frame in this slot.
    pub(crate) fn frame(&self, slot: &FrameSlot) -> Frame<'_> {
        Frame {
            number: FrameNumber(self.first + u64::from(slot.nth)),
            time: slot.time,
            link: slot.link,
            interface: slot.interface,
            length: slot.length,
            passage: slot.passage,
            data: self.data(slot),
        }
    }
}

/// The result of [`Source::fill`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    /// The batch holds at least one frame.
    Frames,
    /// A live source had no frames; the value is its current time.
    Idle(Timestamp),
    /// The input has ended.
    End,
}

/// A source of frames, in time order as far as the input is.
pub trait Source: Send {
    /// Clears `batch` and fills it with the next frames.
    ///
    /// # Errors
    /// If the input cannot be read at all. Damage inside a file is not an error: it is noted in the summary, and
    /// reading continues as far as possible.
    fn fill(&mut self, batch: &mut Batch) -> Result<Fill, super::CaptureError>;

    /// Stops the source: it returns the frames it already holds, then [`Fill::End`]. Unread content of a file does not
    /// count as held.
    fn stop(&mut self);

    /// Frames known to be lost so far.
    fn lost(&self) -> Loss;

    /// The summaries of the files read, in the order given; complete after [`Fill::End`]. Empty for a source that reads
    /// no file.
    fn files(&self) -> &[FileSummary] {
        &[]
    }
}
