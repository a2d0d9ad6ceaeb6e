//! What parsers read, and what they make of it.

/// Where the bytes ended before a parser had all that it wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::knowledge) enum ReadingEnd {
    /// Before the first byte.
    Nothing,
    /// In the status line.
    StatusLine,
    /// In the fields.
    Headers,
    /// In a body whose length it knows.
    Length,
    /// In a chunk.
    Chunk,
    /// After a chunk.
    BetweenChunks,
    /// In a body that the close ends.
    UntilClose,
}

/// What a parser makes of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::knowledge) enum Reading {
    /// It has a whole response.
    Accepts,
    /// It says this; `true` once the program has the head.
    Refuses(&'static str, bool),
    /// It wants more than came.
    Ends(ReadingEnd),
    /// It depends on what is not known.
    Unknown,
}

/// Bytes that are read from the first to the last.
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
    /// The server closed behind them.
    closed: bool,
}

impl<'a> Cursor<'a> {
    pub(super) const fn new(bytes: &'a [u8], closed: bool) -> Self {
        Self {
            bytes,
            at: 0,
            closed,
        }
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    pub(super) fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    /// Gives the last byte back.
    pub(super) const fn back(&mut self) {
        self.at = self.at.saturating_sub(1);
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    pub(super) fn skip(&mut self, bytes: usize) {
        self.at = self.at.saturating_add(bytes).min(self.bytes.len());
    }

    /// The next line with its LF, or what is left.
    pub(super) fn line(&mut self) -> &'a [u8] {
        let rest = self.rest();
        let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |it| it + 1);
        self.skip(end);
        rest.get(..end).unwrap_or_default()
    }

    /// The next line for a reader that takes the close for the end of a line, and waits otherwise.
    pub(super) fn whole_line(&mut self, at: ReadingEnd) -> Result<&'a [u8], Reading> {
        let line = self.line();
        match self.closed || line.ends_with(b"\n") {
            true => Ok(line),
            false => Err(Reading::Ends(at)),
        }
    }
}
