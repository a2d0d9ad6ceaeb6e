//! The captured bytes of both streams in order, bounded in memory.

use std::collections::VecDeque;

use crate::analysis::connection::Who;
use crate::base::flow_end::FlowEnd;
use crate::base::frame_ref::FrameRef;
use crate::protocol::annotations::Annotations;
use crate::protocol::tcp::StreamSink;

/// A part of one side's stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamChunk {
    /// The sender.
    pub from: Who,
    /// The frame that carried it; the first, if several did.
    pub at: FrameRef,
    /// Stream bytes of this side before it, as far as they were counted.
    pub offset: u64,
    /// Its content.
    pub said: ChunkContent,
}

/// The content of a stream chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChunkContent {
    /// Bytes.
    Bytes(Vec<u8>),
    /// This many bytes were cut off by the snapshot length.
    Cut(u64),
    /// This many bytes were never captured.
    Missing(u64),
    /// The FIN: nothing more comes from this side.
    End,
    /// A RST.
    Reset,
    /// Decrypted data follows.
    Opened,
    /// Data of both sides was discarded here.
    LeftOut,
}

/// Bytes kept of the beginning, and the same of the end: hundreds of screens each.
const MAX_BYTES: usize = 1 << 20;
/// Chunks kept of the beginning, and the same of the end.
const MAX_PARTS: usize = 20_000;
/// Bytes in one chunk: a viewer renders only the chunks on the screen.
const MAX_PART: usize = 4096;

/// Collects the chunks of both streams.
#[derive(Debug, Default)]
pub(super) struct StreamChunks {
    beginning: Vec<StreamChunk>,
    end: VecDeque<StreamChunk>,
    bytes: [usize; 2],
    said: [u64; 2],
    full: bool,
    left_out: bool,
    /// Bytes of each side that were never captured, so far.
    pub(super) missing: [u64; 2],
}

impl StreamChunks {
    pub(super) fn reset(&mut self, from: Who, at: FrameRef) {
        self.push(from, at, ChunkContent::Reset);
    }

    pub(super) fn left_out(&mut self, at: FrameRef) {
        self.push(Who::Client, at, ChunkContent::LeftOut);
    }

    pub(super) fn finish(self) -> Vec<StreamChunk> {
        let mut all = self.beginning;
        if self.left_out
            && let Some(last) = all.last()
        {
            let gap = StreamChunk {
                said: ChunkContent::LeftOut,
                ..last.clone()
            };
            all.push(gap);
        }
        all.extend(self.end);
        all
    }

    fn push(&mut self, from: Who, at: FrameRef, said: ChunkContent) {
        let weight = said.weight();
        let chunk = StreamChunk {
            from,
            at,
            offset: self.said[from as usize],
            said,
        };
        self.full |= self.bytes[0] + weight > MAX_BYTES || self.beginning.len() >= MAX_PARTS;
        if !self.full {
            self.bytes[0] += weight;
            self.beginning.push(chunk);
            return;
        }
        self.bytes[1] += weight;
        self.end.push_back(chunk);
        while self.bytes[1] > MAX_BYTES || self.end.len() > MAX_PARTS {
            let Some(gone) = self.end.pop_front() else {
                break;
            };
            self.bytes[1] = self.bytes[1].saturating_sub(gone.said.weight());
            self.left_out = true;
        }
    }

    /// The chunk to which bytes of this side can be appended.
    fn open_part(&mut self, from: Who) -> Option<&mut Vec<u8>> {
        let last = match self.end.back_mut() {
            Some(last) => last,
            None if self.full => return None,
            None => self.beginning.last_mut()?,
        };
        match &mut last.said {
            ChunkContent::Bytes(bytes) if last.from == from && bytes.len() < MAX_PART => {
                Some(bytes)
            }
            _ => None,
        }
    }
}

/// Replaces the TLS records by decrypted data. FIN and RST keep their places.
pub(super) fn inside(outside: Vec<StreamChunk>, annotations: &Annotations) -> Vec<StreamChunk> {
    let Some(first) = annotations.said.first() else {
        return outside;
    };
    let mut ends = outside
        .into_iter()
        .filter(|it| matches!(it.said, ChunkContent::End | ChunkContent::Reset))
        .peekable();
    let mut offsets = [0_u64; 2];
    let mut all = vec![StreamChunk {
        from: Who::of(first.from),
        at: first.at,
        offset: 0,
        said: ChunkContent::Opened,
    }];
    let mut push = |from: Who, at: FrameRef, said: ChunkContent, length: u64| {
        let offset = &mut offsets[from as usize];
        let chunk = StreamChunk {
            from,
            at,
            offset: *offset,
            said,
        };
        *offset = offset.saturating_add(length);
        all.push(chunk);
    };
    for part in &annotations.said {
        while let Some(end) = ends.next_if(|it| it.at < part.at) {
            push(end.from, end.at, end.said, 0);
        }
        let from = Who::of(part.from);
        if part.after_gap {
            push(from, part.at, ChunkContent::LeftOut, 0);
        }
        for bytes in part.bytes.chunks(MAX_PART) {
            push(
                from,
                part.at,
                ChunkContent::Bytes(bytes.to_vec()),
                bytes.len() as u64,
            );
        }
        if part.missing > 0 {
            push(
                from,
                part.at,
                ChunkContent::Missing(part.missing),
                part.missing,
            );
        }
    }
    for end in ends {
        push(end.from, end.at, end.said, 0);
    }
    all
}

impl ChunkContent {
    const fn weight(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            _ => 0,
        }
    }
}

impl StreamSink for StreamChunks {
    fn data(&mut self, from: FlowEnd, at: FrameRef, bytes: &[u8], length: u32) {
        let who = Who::of(from);
        for part in bytes.chunks(MAX_PART) {
            match self.open_part(who) {
                Some(open) => {
                    open.extend_from_slice(part);
                    let end = usize::from(!self.end.is_empty());
                    self.bytes[end] += part.len();
                }
                None => self.push(who, at, ChunkContent::Bytes(part.to_vec())),
            }
            self.said[who as usize] += part.len() as u64;
        }
        let cut = u64::from(length).saturating_sub(bytes.len() as u64);
        if cut > 0 {
            self.push(who, at, ChunkContent::Cut(cut));
            self.said[who as usize] += cut;
        }
    }

    fn gap(&mut self, from: FlowEnd, at: FrameRef, length: u64) {
        let who = Who::of(from);
        self.push(who, at, ChunkContent::Missing(length));
        self.said[who as usize] = self.said[who as usize].saturating_add(length);
        self.missing[who as usize] = self.missing[who as usize].saturating_add(length);
    }

    fn end(&mut self, from: FlowEnd, at: FrameRef) {
        self.push(Who::of(from), at, ChunkContent::End);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::transcript::tests::followed;

    #[test]
    fn what_was_said_is_taken_down_in_order() {
        let (_, transcript) = followed(concat!(
            "SYN -->\n<-- SYN\nACK -->\n",
            "GET / -->\n",
            "<-- 200 data 300 [length=1000]\n",
            "<~~ data 100\n",
            "<-- \"tail\"\n",
            "ACK -->\n",
            "<-- FIN\n",
            "RST [noack] -->\n",
        ));
        let said: Vec<_> = transcript
            .chunks
            .iter()
            .map(|it| (it.from, it.offset, &it.said))
            .collect();
        assert!(
            matches!(said[0], (Who::Client, 0, ChunkContent::Bytes(bytes)) if bytes.starts_with(b"GET / "))
        );
        assert!(
            matches!(said[1], (Who::Server, 0, ChunkContent::Bytes(bytes)) if bytes.len() > 300)
        );
        assert!(matches!(
            said[2],
            (Who::Server, _, ChunkContent::Missing(100))
        ));
        assert!(
            matches!(said[3], (Who::Server, _, ChunkContent::Bytes(bytes)) if bytes == b"tail")
        );
        assert!(matches!(said[4], (Who::Server, _, ChunkContent::End)));
        assert!(matches!(said[5], (Who::Client, _, ChunkContent::Reset)));
        assert_eq!(said.len(), 6);
    }

    #[test]
    fn of_much_the_beginning_and_the_end_stay() {
        let mut speech = StreamChunks::default();
        let at = FrameRef::default();
        let megabyte = vec![b'x'; 1 << 20];
        speech.data(FlowEnd::A, at, b"first", 5);
        for _ in 0..9 {
            speech.data(FlowEnd::B, at, &megabyte, 1 << 20);
        }
        speech.data(FlowEnd::A, at, b"last", 4);
        let all = speech.finish();
        let bytes: usize = all.iter().map(|it| it.said.weight()).sum();
        assert!(bytes <= 2 * MAX_BYTES + 2 * MAX_PART, "{bytes}");
        assert_eq!(all[0].said, ChunkContent::Bytes(b"first".to_vec()));
        assert_eq!(
            all[all.len() - 1].said,
            ChunkContent::Bytes(b"last".to_vec())
        );
        assert_eq!(
            all.iter()
                .filter(|it| it.said == ChunkContent::LeftOut)
                .count(),
            1
        );
        assert_eq!(all[all.len() - 1].offset, 5);
    }
}
