//! Frames of the joined places on their way out. Most are those of the base, and leave in the batch that they came in: only those
//! that another place alone has are copied.

use crate::base::frame_ref::FrameNumber;
use crate::packet::capture::{Batch, Frame, FrameSlot};

/// The frames of one batch, as far as they are known.
#[derive(Debug, Default)]
pub(super) struct Output {
    /// The number of the first.
    first: u64,
    slots: Vec<FrameSlot>,
    /// The bytes of those that are not in the base's batch, and which these are.
    copied: Vec<u8>,
    copies: Vec<usize>,
}

impl Output {
    /// Bytes that are copied.
    pub(super) fn copied(&self) -> usize {
        self.copied.len()
    }

    /// Adds a frame of the base, which is in this slot of its batch, with another number and what else is known of it.
    pub(super) fn push(&mut self, frame: &Frame<'_>, slot: &FrameSlot) {
        let nth = self.nth(frame.number);
        self.slots.push(FrameSlot {
            time: frame.time,
            nth,
            passage: frame.passage,
            ..*slot
        });
    }

    /// Adds a copy of a frame.
    pub(super) fn push_copy(&mut self, frame: &Frame<'_>) {
        self.copies.push(self.slots.len());
        let slot = FrameSlot {
            time: frame.time,
            start: self.copied.len() as u32,
            captured: frame.data.len() as u32,
            length: frame.length,
            interface: frame.interface,
            nth: self.nth(frame.number),
            link: frame.link,
            passage: frame.passage,
        };
        self.slots.push(slot);
        self.copied.extend_from_slice(frame.data);
    }

    fn nth(&mut self, number: FrameNumber) -> u32 {
        if self.slots.is_empty() {
            self.first = number.0;
        }
        u32::try_from(number.0 - self.first).unwrap_or(u32::MAX)
    }

    /// Fills `batch` with all of them. The base's batch, of which no frame is to come, gives its buffer for that of `batch`.
    pub(super) fn pass_on(&mut self, batch: &mut Batch, base: &mut Batch) {
        std::mem::swap(&mut batch.bytes, &mut base.bytes);
        (batch.used, batch.first) = (base.used, self.first);
        let room = batch.used + self.copied.len();
        batch.make_room(room);
        batch.bytes[batch.used..room].copy_from_slice(&self.copied);
        for at in self.copies.drain(..) {
            self.slots[at].start += batch.used as u32;
        }
        batch.used = room;
        batch.slots.clear();
        std::mem::swap(&mut batch.slots, &mut self.slots);
        self.copied.clear();
    }

    /// Fills `batch` with copies of all of them; of the base's batch more frames are to come.
    pub(super) fn copy_to(&mut self, batch: &mut Batch, base: Option<&Batch>) {
        batch.first = self.first;
        let mut copies = self.copies.drain(..).peekable();
        for (at, slot) in self.slots.drain(..).enumerate() {
            let data = match copies.next_if_eq(&at) {
                Some(_) => &self.copied[slot.start as usize..][..slot.captured as usize],
                None => base.map_or(&[][..], |base| base.data(&slot)),
            };
            batch.push_slot(slot, data);
        }
        self.copied.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::passage::Passage;
    use crate::base::time::Timestamp;
    use crate::packet::capture::LinkType;

    fn frame(number: u64, data: &[u8]) -> Frame<'_> {
        Frame {
            number: FrameNumber(number),
            time: Timestamp::new(1, 0),
            link: LinkType(1),
            interface: 0,
            length: data.len() as u32,
            passage: Passage::Unknown,
            data,
        }
    }

    /// Frames 7 to 10: the first and the third are the base's.
    fn mixed(base: &Batch) -> Output {
        let mut output = Output::default();
        for (number, data) in [(7, "a"), (8, "BB"), (9, "ccc"), (10, "D")] {
            let slot = base
                .slots
                .iter()
                .find(|it| base.data(it) == data.as_bytes());
            match slot {
                Some(slot) => output.push(&frame(number, data.as_bytes()), slot),
                None => output.push_copy(&frame(number, data.as_bytes())),
            }
        }
        output
    }

    #[test]
    fn both_ways_out_lead_to_the_same_batch() {
        let mut base = Batch::default();
        for (number, data) in [(1, "a"), (2, "not yet"), (3, "ccc")] {
            base.push(frame(number, data.as_bytes()));
        }
        let told = |batch: &Batch| {
            let frames = batch.frames();
            let frames = frames.map(|it| (it.number.0, String::from_utf8_lossy(it.data).into()));
            frames.collect::<Vec<(u64, String)>>()
        };
        let wanted = [(7, "a"), (8, "BB"), (9, "ccc"), (10, "D")];
        let wanted = wanted.map(|(number, data)| (number, data.to_owned()));
        let mut copied = Batch::default();
        let mut output = mixed(&base);
        output.copy_to(&mut copied, Some(&base));
        assert_eq!(told(&copied), wanted);
        assert_eq!(output.copied(), 0);
        let mut passed_on = Batch::default();
        mixed(&base).pass_on(&mut passed_on, &mut base);
        assert_eq!(told(&passed_on), wanted);
    }
}
