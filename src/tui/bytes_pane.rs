//! The bytes of both streams in order, escaped, with the FIN, the RST and what was never captured.

use crate::report::rich_text::Tone;
use std::ops::Range;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::text_layout::{ListPosition, find, holds, scroll_bar, width};
use super::{Action, Look, SeekResult, TextSeek, ViewContext};
use crate::analysis::connection::{Connection, Who};
use crate::analysis::transcript::{ChunkContent, ConnectionTranscript, StreamChunk};
use crate::base::escape::escape;
use crate::base::format::{bytes, number};
use crate::report::rich_text::StyledLine;

/// Columns at the left for the offset and the sender's symbol.
const OFFSET: u16 = 12;
/// Columns of an escaped byte.
const ESCAPED: usize = 4;

/// The rows of both streams, and the selected one.
#[derive(Default)]
pub(super) struct BytesPane {
    /// What each row shows: index of a chunk, and a range of its bytes.
    rows: Vec<(u32, Range<u32>)>,
    made_for: Option<u16>,
    place: ListPosition,
}

impl BytesPane {
    /// Invalidates the rows after the streams have changed.
    pub(super) fn take(&mut self) {
        self.made_for = None;
    }

    pub(super) fn lay(&mut self, reread: &ConnectionTranscript, area: Rect) {
        let columns = area.width.saturating_sub(OFFSET + 2).max(8);
        if self.made_for != Some(columns) {
            self.made_for = Some(columns);
            self.rows = rows(&reread.transcript.chunks, usize::from(columns));
        }
        self.place.lay(self.rows.len(), usize::from(area.height));
    }

    pub(super) fn act(&mut self, action: Action) -> bool {
        self.place.act(action)
    }

    pub(super) fn click(&mut self, row: u16) -> bool {
        self.place.select(self.place.top + usize::from(row))
    }

    pub(super) fn seek(
        &mut self,
        needle: &str,
        seek: TextSeek,
        reread: &ConnectionTranscript,
    ) -> SeekResult {
        let chunks = &reread.transcript.chunks;
        let found = find(self.rows.len(), self.place.selected, seek, |nth| {
            let (part, range) = &self.rows[nth];
            chunks
                .get(*part as usize)
                .is_some_and(|it| holds(&text(it, range), needle))
        });
        self.place.go_to(found)
    }

    pub(super) fn draw(
        &self,
        cx: &ViewContext<'_>,
        reread: &ConnectionTranscript,
        area: Rect,
        buffer: &mut Buffer,
    ) {
        let look = cx.look;
        if self.rows.is_empty() {
            let room = Rect {
                x: area.x + 2.min(area.width),
                width: area.width.saturating_sub(2),
                ..area
            };
            StyledLine::default()
                .faint("neither side sent a byte of payload")
                .draw(look, room, buffer);
        }
        for (y, nth) in (area.top()..area.bottom()).zip(self.place.top..) {
            let Some((part, range)) = self.rows.get(nth) else {
                break;
            };
            let Some(chunk) = reread.transcript.chunks.get(*part as usize) else {
                break;
            };
            let row = Rect {
                y,
                height: 1,
                width: area.width.saturating_sub(1),
                ..area
            };
            draw_row(chunk, range, reread, look, row, buffer);
            if nth == self.place.selected {
                buffer.set_style(row, look.theme.style(Tone::Selected));
                buffer.set_stringn(
                    area.x,
                    y,
                    look.glyphs.cursor,
                    1,
                    look.theme.style(Tone::Key),
                );
            }
        }
        scroll_bar(self.rows.len(), self.place.top, look, area, buffer);
    }
}

fn draw_row(
    chunk: &StreamChunk,
    range: &Range<u32>,
    reread: &ConnectionTranscript,
    look: &Look,
    row: Rect,
    buffer: &mut Buffer,
) {
    let (connection, frames) = (&reread.connection, &reread.frames);
    let (tone, sign, name) = match chunk.from {
        Who::Client => (Tone::Client, look.glyphs.ladder.arrow[2], "client"),
        Who::Server => (Tone::Server, look.glyphs.ladder.arrow[0], "server"),
    };
    let at = chunk.offset.saturating_add(range.start.into());
    let line = StyledLine::of(tone, format!(" {sign} {at:>8} "));
    let rule = look.glyphs.rule.repeat(2);
    let frame = frames.name(chunk.at.frame);
    let line = match &chunk.said {
        ChunkContent::Bytes(_) => line.with(Tone::Plain, text(chunk, range)),
        ChunkContent::Cut(many) => line.faint(format!(
            "{rule} {} cut off by the snap length {rule}",
            bytes(*many)
        )),
        ChunkContent::Missing(many) => line.with(
            Tone::Warning,
            format!("{rule} {} never captured {rule}", bytes(*many)),
        ),
        ChunkContent::Opened => StyledLine::default().strong(format!(
            " {rule} opened: what was said in TLS, without its handshake {rule}"
        )),
        ChunkContent::LeftOut => StyledLine::default().faint(format!(
            "{rule} much more, of both sides, is not kept {rule}"
        )),
        ChunkContent::End => {
            let text = format!(
                "{rule} FIN from the {name}, {frame}{} {rule}",
                short(connection, chunk.from)
            );
            line.strong(text)
        }
        ChunkContent::Reset => {
            let text = format!(
                "{rule} RST from the {name}, {frame}{} {rule}",
                short(connection, chunk.from)
            );
            line.with(Tone::Error, text)
        }
    };
    line.draw(look, row, buffer);
}

/// `: 659 bytes short here`, if the last message from this side is shorter than its declared length.
fn short(connection: &Connection, from: Who) -> String {
    let last = connection.exchanges.last();
    let message = match from {
        Who::Client => last.and_then(|it| Some(&it.request.as_ref()?.message)),
        Who::Server => last.and_then(|it| Some(&it.response.as_ref()?.message)),
    };
    let lacking = message
        .filter(|message| !message.is_complete())
        .and_then(|message| message.expected()?.checked_sub(message.received()))
        .filter(|lacking| *lacking > 0);
    match lacking {
        Some(1) => ": 1 byte short here".to_owned(),
        Some(lacking) => format!(": {} bytes short here", number(lacking)),
        None => String::new(),
    }
}

fn text(chunk: &StreamChunk, range: &Range<u32>) -> String {
    match &chunk.said {
        ChunkContent::Bytes(all) => {
            let part = all
                .get(range.start as usize..range.end as usize)
                .unwrap_or_default();
            // A line end can only stand at the end of a row.
            let bare = part
                .strip_suffix(b"\r\n")
                .or_else(|| part.strip_suffix(b"\n"));
            let end = match (bare, part.ends_with(b"\r\n")) {
                (None, _) => "",
                (Some(_), true) => "\\r\\n",
                (Some(_), false) => "\\n",
            };
            format!("{}{end}", escape(bare.unwrap_or(part)))
        }
        _ => String::new(),
    }
}

/// Splits the chunks into rows: at line ends, and at the width of the pane.
fn rows(chunks: &[StreamChunk], columns: usize) -> Vec<(u32, Range<u32>)> {
    let mut rows = Vec::new();
    for (nth, chunk) in chunks.iter().enumerate() {
        let nth = u32::try_from(nth).unwrap_or(u32::MAX);
        let ChunkContent::Bytes(all) = &chunk.said else {
            rows.push((nth, 0..0));
            continue;
        };
        let (mut from, mut at, mut used) = (0, 0, 0);
        while at < all.len() {
            let (taken, wide) = character(&all[at..]);
            // The escaped line end may use the last columns.
            if used + wide > columns.saturating_sub(ESCAPED) && at > from {
                rows.push((nth, place(from)..place(at)));
                (from, used) = (at, 0);
            }
            at += taken;
            used += wide;
            if all[at - 1] == b'\n' {
                rows.push((nth, place(from)..place(at)));
                (from, used) = (at, 0);
            }
        }
        if from < all.len() {
            rows.push((nth, place(from)..place(all.len())));
        }
    }
    rows
}

/// A chunk is some kilobytes at most, so its offsets fit.
fn place(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

/// Bytes and columns of the first character.
fn character(bytes: &[u8]) -> (usize, usize) {
    match bytes {
        [b'\r', b'\n', ..] | [b'\n', ..] => (if bytes[0] == b'\r' { 2 } else { 1 }, 0),
        [b'\\', ..] => (1, 2),
        [b' '..=b'~', ..] => (1, 1),
        [first @ 0xc2..=0xf4, ..] => {
            let long = match first {
                0xf0.. => 4,
                0xe0.. => 3,
                _ => 2,
            };
            match bytes
                .get(..long)
                .and_then(|it| std::str::from_utf8(it).ok())
            {
                Some(char) => (long, width(&escape(char.as_bytes()))),
                None => (1, ESCAPED),
            }
        }
        _ => (1, ESCAPED),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::base::frame_ref::FrameRef;

    fn chunks(bytes: &[u8]) -> Vec<StreamChunk> {
        vec![StreamChunk {
            from: Who::Client,
            at: FrameRef::default(),
            offset: 0,
            said: ChunkContent::Bytes(bytes.to_vec()),
        }]
    }

    #[test]
    fn lines_end_where_they_end() {
        let chunks = chunks(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n\x00\x01tail");
        let texts: Vec<_> = rows(&chunks, 40)
            .iter()
            .map(|(_, range)| text(&chunks[0], range))
            .collect();
        assert_eq!(
            texts,
            [
                "GET / HTTP/1.1\\r\\n",
                "Host: a\\r\\n",
                "\\r\\n",
                "\\x00\\x01tail"
            ]
        );
    }

    proptest! {
        #[test]
        fn every_byte_is_in_one_row_and_fits(bytes: Vec<u8>, columns in 8..60usize) {
            let chunks = chunks(&bytes);
            let mut next = 0;
            for (_, range) in rows(&chunks, columns) {
                prop_assert_eq!(range.start, next);
                next = range.end;
                prop_assert!(width(&text(&chunks[0], &range)) <= columns.max(12));
            }
            prop_assert_eq!(next as usize, bytes.len());
        }
    }
}
