//! Several interfaces as one source.
//!
//! Each batch is of one interface. Between interfaces, frames are in the order in which the kernel delivers them, not in
//! that of their times: a connection is on one interface, and in its own frames nothing changes.

use super::error::CaptureError;
use super::frame::{Batch, Fill, Source};
use super::summary::FileSummary;
use crate::base::net::Loss;

/// All `sources`, each with an interface number of its own. It ends when all of them have ended.
pub(crate) fn side_by_side(sources: Vec<Box<dyn Source>>) -> Box<dyn Source> {
    let files = sources
        .iter()
        .map(|it| it.files().first().cloned().unwrap_or_default());
    Box::new(SideBySide {
        files: files.collect(),
        ended: vec![false; sources.len()],
        sources,
        turn: 0,
        next: 1,
    })
}

struct SideBySide {
    sources: Vec<Box<dyn Source>>,
    ended: Vec<bool>,
    /// The summary of each source, as it was when last filled from.
    files: Vec<FileSummary>,
    /// The source that is asked next.
    turn: usize,
    /// The number of the next frame.
    next: u64,
}

impl Source for SideBySide {
    fn fill(&mut self, batch: &mut Batch) -> Result<Fill, CaptureError> {
        batch.clear();
        let count = self.sources.len();
        let mut idle = None;
        for _ in 0..count {
            let at = self.turn;
            self.turn = (at + 1) % count;
            if self.ended[at] {
                continue;
            }
            let source = &mut self.sources[at];
            let fill = source.fill(batch)?;
            if let Some(file) = source.files().first() {
                self.files[at].clone_from(file);
            }
            match fill {
                Fill::Frames => {
                    for slot in &mut batch.slots {
                        slot.interface = u32::try_from(at).unwrap_or(u32::MAX);
                    }
                    batch.first = self.next;
                    self.next += batch.len() as u64;
                    return Ok(Fill::Frames);
                }
                Fill::Idle(now) => idle = Some(now),
                Fill::End => self.ended[at] = true,
            }
        }
        Ok(idle.map_or(Fill::End, Fill::Idle))
    }

    fn stop(&mut self) {
        for source in &mut self.sources {
            source.stop();
        }
    }

    fn lost(&self) -> Loss {
        let each = self.sources.iter().map(|it| it.lost());
        each.fold(Loss::default(), Loss::and)
    }

    fn files(&self) -> &[FileSummary] {
        &self.files
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::capture::{OpenOptions, open};

    #[test]
    fn all_frames_come_each_with_its_interface() {
        let one = "captures/reset-before-response.pcap";
        let read = || open(&[one], &OpenOptions::default()).expect("it is there");
        let mut both = side_by_side(vec![read(), read()]);
        let (mut batch, mut numbers) = (Batch::default(), Vec::new());
        let mut of = [0, 0];
        while both.fill(&mut batch).expect("it is a capture") != Fill::End {
            for frame in batch.frames() {
                numbers.push(frame.number.0);
                of[frame.interface as usize] += 1;
            }
        }
        assert_eq!(of, [12, 12]);
        assert_eq!(numbers, (1..=24).collect::<Vec<_>>());
        assert_eq!(both.files().iter().map(|it| it.packets).sum::<u64>(), 24);
    }
}
