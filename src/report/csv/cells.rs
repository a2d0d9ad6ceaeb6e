//! A row of a table, cell by cell.

use std::borrow::Cow;
use std::fmt::Display;
use std::io::{self, Write};

use crate::base::escape::{escape, harmless};
use crate::base::frame_names::FrameNames;
use crate::base::frame_ref::FrameNumber;
use crate::base::time::Timestamp;
use crate::report::wording::moment;

/// The table being written.
pub(crate) type Table<'a> = csv::Writer<&'a mut dyn Write>;

/// The cells of a row.
pub(crate) struct Cells<'a, const N: usize>(Vec<Cow<'a, str>>);

impl<'a, const N: usize> Cells<'a, N> {
    pub(crate) fn new() -> Self {
        Self(Vec::with_capacity(N))
    }

    /// A word of this program.
    pub(crate) fn word(&mut self, word: impl Into<Option<&'static str>>) {
        self.0.push(Cow::Borrowed(word.into().unwrap_or_default()));
    }

    /// A number, an address, a truth value.
    pub(crate) fn value(&mut self, value: impl Display) {
        self.0.push(Cow::Owned(value.to_string()));
    }

    pub(crate) fn known<T: Display>(&mut self, value: Option<T>) {
        match value {
            Some(value) => self.value(value),
            None => self.word(None),
        }
    }

    pub(crate) fn time(&mut self, at: Option<Timestamp>) {
        self.known(at.map(moment::rfc3339));
    }

    /// The index of the frame's file, and the frame's number there.
    pub(crate) fn place(&mut self, frame: Option<FrameNumber>, frames: &FrameNames) {
        let place = frame.and_then(|it| frames.place(it));
        self.known(place.map(|(file, _)| file));
        self.known(place.map(|(_, own)| own));
    }

    /// Text from packets.
    pub(crate) fn text(&mut self, text: Option<&'a [u8]>) {
        self.0
            .push(uncomputed(text.map_or(Cow::Borrowed(""), escape)));
    }

    /// Text of this program, which may quote text from packets.
    pub(crate) fn own_text(&mut self, text: &str) {
        let text = uncomputed(harmless(text));
        self.0.push(Cow::Owned(text.into_owned()));
    }

    pub(crate) fn write(self, table: &mut Table<'_>) -> io::Result<()> {
        debug_assert_eq!(self.0.len(), N, "a cell for each column");
        let cells = self.0.iter().map(|cell| cell.as_bytes());
        table.write_record(cells).map_err(io::Error::from)
    }
}

/// The text, without a first character that makes a spreadsheet compute it: as in all escaped text, `\x` and two digits
/// stand for a byte.
fn uncomputed(text: Cow<'_, str>) -> Cow<'_, str> {
    match text.as_bytes().first() {
        Some(first @ (b'=' | b'+' | b'-' | b'@')) => {
            Cow::Owned(format!("\\x{first:02x}{}", &text[1..]))
        }
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::Cells;

    fn line(fill: impl FnOnce(&mut Cells<'_, 1>)) -> String {
        let mut cells = Cells::<1>::new();
        fill(&mut cells);
        let mut out = Vec::new();
        let mut table = csv::Writer::from_writer(&mut out as &mut dyn std::io::Write);
        cells.write(&mut table).expect("a vector takes everything");
        drop(table);
        String::from_utf8(out).expect("text")
    }

    /// What a packet says, and the line in the table.
    #[test]
    fn text_from_packets_stays_in_its_cell_and_computes_nothing() {
        for (said, cell) in [
            ("/a?b=c", "/a?b=c"),
            ("/a,b", "\"/a,b\""),
            ("a\"b", "\"a\"\"b\""),
            ("a\r\nb", "a\\x0d\\x0ab"),
            ("=1+1", "\\x3d1+1"),
            ("+1", "\\x2b1"),
            ("-1", "\\x2d1"),
            ("@SUM(A1)", "\\x40SUM(A1)"),
            ("", "\"\""),
        ] {
            assert_eq!(
                line(|it| it.text(Some(said.as_bytes()))),
                format!("{cell}\n")
            );
        }
    }
}
