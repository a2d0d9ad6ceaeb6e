//! WebSocket frames: payloads are replaced under their mask, the code of a Close stays, and known words of its reason.

use super::filler::FILLER;
use super::words::Words;

const CLOSE: u8 = 8;

/// The frame that a direction is in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    opcode: u8,
    mask: Option<[u8; 4]>,
    taken: usize,
}

impl Frame {
    pub(super) const fn new(opcode: u8, mask: Option<[u8; 4]>) -> Self {
        Self {
            opcode,
            mask,
            taken: 0,
        }
    }

    /// Replaces the next bytes of the payload.
    pub(super) fn piece(&mut self, words: &mut Words, bytes: &mut [u8]) {
        self.unmask(bytes);
        if self.opcode == CLOSE {
            let code = 2_usize.saturating_sub(self.taken);
            words.text(bytes.get_mut(code..).unwrap_or_default());
        } else {
            bytes.fill(FILLER);
        }
        self.unmask(bytes);
        self.taken = self.taken.wrapping_add(bytes.len());
    }

    fn unmask(&self, bytes: &mut [u8]) {
        let Some(mask) = self.mask else {
            return;
        };
        let keys = mask.iter().cycle().skip(self.taken % 4);
        for (byte, key) in bytes.iter_mut().zip(keys) {
            *byte ^= key;
        }
    }
}
