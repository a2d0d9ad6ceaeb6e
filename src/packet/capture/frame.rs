//! What every source gives: frames with their time, link type and both lengths, many to a buffer.

use super::summary::FileSummary;
use crate::base::frame_ref::FrameNumber;
use crate::base::net::Loss;
use crate::base::time::Timestamp;

/// A link-layer header type, as registered at <https://www.tcpdump.org/linktypes.html>.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct LinkType(pub u16);

/// One frame as captured.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// Its number in the input.
    pub number: FrameNumber,
    /// When it was captured.
    pub time: Timestamp,
    /// What the first byte of `data` is the start of.
    pub link: LinkType,
    /// The interface it was seen on: an index over all interfaces of the input, in order of appearance.
    pub interface: u32,
    /// Bytes it had on the wire; at least `data.len()` unless the file is wrong about it.
    pub length: u32,
    /// The bytes that were kept (the snap length may have cut it).
    pub data: &'a [u8],
}

/// Where a frame lies in its batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FrameSlot {
    pub(crate) time: Timestamp,
    pub(crate) start: u32,
    pub(crate) captured: u32,
    pub(crate) length: u32,
    pub(crate) interface: u32,
    /// How far its number is above the batch's first: its index, unless numbers in between have no frame (a filter took
    /// it out, or it is a block that Wireshark counts among the packets). Rises.
    pub(crate) nth: u32,
    pub(crate) link: LinkType,
}

/// Many frames in one buffer, to be filled again and again.
#[derive(Debug, Default)]
pub struct Batch {
    /// The bytes that the slots point into; may hold more than the frames (record headers lie between them). Its
    /// length is the room that has been made, and only grows: clearing a mebibyte anew for each fill would cost
    /// as much as a third of reading it.
    pub(crate) bytes: Vec<u8>,
    /// How many of `bytes` are in use; [`Batch::push`] goes on from here.
    pub(crate) used: usize,
    pub(crate) slots: Vec<FrameSlot>,
    /// The number of the first frame; each slot says how far it is above.
    pub(crate) first: u64,
}

impl Batch {
    /// How many frames it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether it holds no frame.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// The frames in order.
    pub fn frames(&self) -> impl ExactSizeIterator<Item = Frame<'_>> {
        self.slots.iter().map(|slot| self.frame(slot))
    }

    /// Adds a copy of a frame, for sources that have frames one at a time. Numbers must not fall within a batch,
    /// nor span more than `u32::MAX`.
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
        };
        self.push_slot(slot, frame.data);
    }

    /// Forgets the frames, keeps the room.
    pub fn clear(&mut self) {
        self.slots.clear();
        self.used = 0;
    }

    /// Adds `slot` with a copy of `data`, which may not bring the batch above 4 GiB: then it is cut to fit.
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

    /// Takes out the frames that `keep` does not want. The others keep their numbers.
    #[cfg(feature = "live")]
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&Frame<'_>) -> bool) {
        let mut slots = std::mem::take(&mut self.slots);
        slots.retain(|slot| keep(&self.frame(slot)));
        self.slots = slots;
    }

    /// All its bytes, those between the frames included.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.used.min(self.bytes.len())]
    }

    /// Where `part` begins in [`Batch::bytes`], if it lies in there.
    pub(crate) fn place_of(&self, part: &[u8]) -> Option<u32> {
        let start = (part.as_ptr() as usize).checked_sub(self.bytes.as_ptr() as usize)?;
        let inside = start + part.len() <= self.bytes().len();
        inside.then(|| u32::try_from(start).ok()).flatten()
    }

    /// The bytes of one slot.
    pub(crate) fn data(&self, slot: &FrameSlot) -> &[u8] {
        &self.bytes[slot.start as usize..][..slot.captured as usize]
    }

    fn frame(&self, slot: &FrameSlot) -> Frame<'_> {
        Frame {
            number: FrameNumber(self.first + u64::from(slot.nth)),
            time: slot.time,
            link: slot.link,
            interface: slot.interface,
            length: slot.length,
            data: self.data(slot),
        }
    }
}

/// What [`Source::fill`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    /// The batch holds at least one frame.
    Frames,
    /// A live source had nothing; the clock stands here.
    Idle(Timestamp),
    /// There is nothing more.
    End,
}

/// Something that frames come out of, in time order as far as the input is.
pub trait Source: Send {
    /// Clears `batch` and fills it with the next frames.
    ///
    /// # Errors
    /// When the input cannot be read at all. Damage inside a file is no error: it is noted, and reading goes on as
    /// far as it can.
    fn fill(&mut self, batch: &mut Batch) -> Result<Fill, super::CaptureError>;

    /// No more is wanted than what it holds already: those frames, then [`Fill::End`]. What is still in a file is not
    /// held.
    fn stop(&mut self);

    /// Frames known to be lost so far.
    fn lost(&self) -> Loss;

    /// What is known of each file read, in the order they were given; complete after [`Fill::End`]. Empty for a
    /// source that reads no file.
    fn files(&self) -> &[FileSummary] {
        &[]
    }
}
