//! What every source gives: frames with their time, link type and both lengths, many to a buffer.

use crate::mark::FrameNumber;
use crate::time::Timestamp;

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
pub(crate) struct Slot {
    pub(crate) time: Timestamp,
    pub(crate) start: u32,
    pub(crate) captured: u32,
    pub(crate) length: u32,
    pub(crate) interface: u32,
    pub(crate) link: LinkType,
}

/// Many frames in one buffer, to be filled again and again.
#[derive(Debug, Default)]
pub struct Batch {
    /// The bytes that the slots point into; may hold more than the frames (record headers lie between them).
    pub(crate) bytes: Vec<u8>,
    pub(crate) slots: Vec<Slot>,
    /// The number of the first frame.
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
        self.slots.iter().enumerate().map(|(index, slot)| Frame {
            number: FrameNumber(self.first + index as u64),
            time: slot.time,
            link: slot.link,
            interface: slot.interface,
            length: slot.length,
            data: &self.bytes[slot.start as usize..][..slot.captured as usize],
        })
    }

    /// Forgets the frames, keeps the room.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.slots.clear();
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

/// What the source knows of frames that were never kept. `None`: it cannot know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Loss {
    /// Dropped by the kernel for want of buffer, as the capture itself reports (pcapng statistics, libpcap).
    pub kernel: Option<u64>,
    /// Dropped by the interface or its driver.
    pub interface: Option<u64>,
}

/// Something that frames come out of, in time order as far as the input is.
pub trait Source: Send {
    /// Clears `batch` and fills it with the next frames.
    ///
    /// # Errors
    /// When the input cannot be read at all. Damage inside a file is no error: it is noted, and reading goes on as
    /// far as it can.
    fn fill(&mut self, batch: &mut Batch) -> Result<Fill, super::CaptureError>;

    /// Frames known to be lost so far.
    fn lost(&self) -> Loss;
}
