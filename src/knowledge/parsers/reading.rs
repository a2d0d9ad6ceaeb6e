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

/// A refusal before the program has the head.
pub(super) const fn refuse<T>(text: &'static str) -> Result<T, Reading> {
    Err(Reading::Refuses(text, false))
}

/// A blank or a tab.
pub(super) const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// What `isspace` of C takes for white space.
pub(super) const fn is_c_space(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == 0x0b
}

/// A byte of a token (RFC 9110 §5.6.2), as all of them take it.
pub(super) fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// A text without these bytes before it.
pub(super) fn trim_start(text: &[u8], is: impl Fn(u8) -> bool) -> &[u8] {
    let from = text.iter().position(|it| !is(*it)).unwrap_or(text.len());
    text.get(from..).unwrap_or_default()
}

/// A text without these bytes behind it.
pub(super) fn trim_end(text: &[u8], is: impl Fn(u8) -> bool) -> &[u8] {
    let end = text.iter().rposition(|it| !is(*it)).map_or(0, |it| it + 1);
    text.get(..end).unwrap_or_default()
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

    /// Whether the server closed behind the bytes.
    pub(super) const fn is_closed(&self) -> bool {
        self.closed
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

    /// Skips lines up to an empty one, which is skipped as well.
    pub(super) fn skip_lines(&mut self, at: ReadingEnd) -> Result<(), Reading> {
        while !matches!(self.whole_line(at)?, b"\r\n" | b"\n" | b"") {}
        Ok(())
    }
}
