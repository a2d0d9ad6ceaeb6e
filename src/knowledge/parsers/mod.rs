//! What the parsers of common clients make of a response that breaks the grammar.
//!
//! In: the bytes of the response, as the client met them. Out: a [`Reading`] for each parser: it accepts the response, it
//! refuses it and says why, or it comes to the end of the bytes and wants more. One file a parser, written after its
//! source, with the version that was read; `captures/clients/faults.tsv.gz` has what the programs themselves said to some
//! 1,900 responses, and `tests/faults.rs` compares. A parser decides by the bytes alone, so that a fault that it overlooks,
//! or meets behind another, is told as that program would.
//!
//! The texts are those of the tables of error texts, which say how each product prints them. Left out: limits of lengths and
//! of counts that are events of their own, and what content codings hide.

mod curl;
mod go;
mod http_client;
mod llhttp;
mod php;

use super::wire_event::WireEvent;

/// Where the bytes ended before a parser had all that it wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum ReadingEnd {
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
}

/// What a parser makes of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Reading {
    /// It has a whole response.
    Accepts,
    /// It says this; `true` once the program has the head.
    Refuses(&'static str, bool),
    /// It wants more than came.
    Ends(ReadingEnd),
    /// It depends on what is not known.
    Unknown,
}

/// How the stream of the response ended for its client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum StreamEnd {
    /// The server closed.
    Fin,
    /// The connection was reset.
    Reset,
    /// In no way that the client met.
    Open,
}

/// The parsers, each with the products that use it.
const PARSERS: [(Parser, &[&str]); 7] = [
    (Parser::Node, &["node-http", "axios", "node-fetch-2"]),
    (Parser::Undici, &["node-fetch"]),
    (Parser::Curl, &["curl", "php-curl"]),
    (Parser::HttpClient, &["python-http.client", "python-urllib"]),
    (Parser::Urllib3, &["python-requests"]),
    (Parser::Php, &["php-stream"]),
    (Parser::Go, &["go"]),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Parser {
    Node,
    Undici,
    Curl,
    HttpClient,
    Urllib3,
    Php,
    Go,
}

impl Parser {
    fn read(self, bytes: &[u8]) -> Reading {
        match self {
            Self::Node => llhttp::read(bytes, llhttp::Edition::Node),
            Self::Undici => llhttp::read(bytes, llhttp::Edition::Undici),
            Self::Curl => curl::read(bytes),
            Self::HttpClient => http_client::read(bytes, http_client::Reader::Alone),
            Self::Urllib3 => http_client::read(bytes, http_client::Reader::Urllib3),
            Self::Php => php::read(bytes),
            Self::Go => go::read(bytes),
        }
    }
}

/// What all parsers make of one response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Readings {
    readings: [Reading; PARSERS.len()],
    end: StreamEnd,
}

impl Readings {
    /// Reads the bytes; `is_whole`: no more came.
    #[must_use]
    pub(crate) fn of(bytes: &[u8], is_whole: bool, end: StreamEnd) -> Self {
        let readings = PARSERS.map(|(parser, _)| match parser.read(bytes) {
            Reading::Ends(_) if !is_whole => Reading::Unknown,
            reading => reading,
        });
        Self { readings, end }
    }

    /// What the parser of this product made of it; `None` for a product whose parser is not known.
    #[must_use]
    pub(super) fn of_product(&self, product: &str) -> Option<Reading> {
        let mut parsers = PARSERS.iter();
        let at = parsers.position(|(_, products)| products.contains(&product))?;
        self.readings.get(at).copied()
    }

    /// The events of a program whose parser read the bytes so: instead of the faults, and of the end that others met, the
    /// end that it met itself.
    #[must_use]
    pub(super) fn events(&self, reading: Reading, events: &[WireEvent]) -> Vec<WireEvent> {
        let of_content = events.iter().filter(|it| it.is_of_content());
        match reading {
            Reading::Unknown | Reading::Refuses(..) => Vec::new(),
            Reading::Accepts => of_content.copied().collect(),
            Reading::Ends(at) => match self.end {
                StreamEnd::Fin => [fin_in(at)]
                    .into_iter()
                    .chain(of_content.copied())
                    .collect(),
                StreamEnd::Reset => [reset_in(at)].into_iter().collect(),
                StreamEnd::Open => {
                    let waits = |it: &&WireEvent| it.is_wait();
                    events.iter().filter(waits).copied().collect()
                }
            },
        }
    }
}

const fn fin_in(end: ReadingEnd) -> WireEvent {
    match end {
        ReadingEnd::Nothing => WireEvent::FinBeforeResponse,
        ReadingEnd::StatusLine => WireEvent::FinInStatusLine,
        ReadingEnd::Headers => WireEvent::FinInHeaders,
        ReadingEnd::Length => WireEvent::FinInBodyLength,
        ReadingEnd::Chunk => WireEvent::FinInChunk,
        ReadingEnd::BetweenChunks => WireEvent::FinBetweenChunks,
    }
}

const fn reset_in(end: ReadingEnd) -> WireEvent {
    match end {
        ReadingEnd::Nothing => WireEvent::RstBeforeResponse,
        ReadingEnd::StatusLine => WireEvent::RstInStatusLine,
        ReadingEnd::Headers => WireEvent::RstInHeaders,
        ReadingEnd::Length => WireEvent::RstInBodyLength,
        ReadingEnd::Chunk | ReadingEnd::BetweenChunks => WireEvent::RstInChunk,
    }
}

/// Bytes that are read from the first to the last.
struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    /// Gives the last byte back.
    const fn back(&mut self) {
        self.at = self.at.saturating_sub(1);
    }

    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    fn skip(&mut self, bytes: usize) {
        self.at = self.at.saturating_add(bytes).min(self.bytes.len());
    }

    /// The next line with its LF, or what is left.
    fn line(&mut self) -> &'a [u8] {
        let rest = self.rest();
        let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |it| it + 1);
        self.skip(end);
        rest.get(..end).unwrap_or_default()
    }
}
