//! What the parsers of common clients make of a response that breaks the grammar.
//!
//! In: the bytes of the response, as the client met them. Out: a [`Reading`] for each parser: it accepts the response, it
//! refuses it and says why, or it comes to the end of the bytes and wants more. One file a parser, written after its
//! source, with the version that was read; `captures/clients/faults.tsv.gz` has what the programs themselves said to some
//! 2,200 responses, and `tests/faults.rs` compares. A parser decides by the bytes alone, so that a fault that it overlooks,
//! or meets behind another, is told as that program would.
//!
//! The texts are those of the tables of error texts, which say how each product prints them. Left out: limits of lengths and
//! of counts that are events of their own, and what content codings hide.

mod curl;
mod go;
mod h11;
mod http_client;
mod java_http;
mod llhttp;
mod php;
mod reading;
mod ruby;

use super::wire_event::WireEvent;
use reading::Cursor;
pub(super) use reading::{Reading, ReadingEnd};

/// How the stream of the response ended for its client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum StreamEnd {
    /// The server closed.
    Fin,
    /// The connection was reset.
    Reset,
    /// It closed after it had waited for more.
    Waited,
    /// In no way that the client met.
    Open,
}

/// What a client's parser makes of the bytes of one response.
type Parser = fn(Cursor<'_>) -> Reading;

/// The parsers, each with the products that use it.
const PARSERS: [(Parser, &[&str]); 11] = [
    (
        |it| llhttp::read(it, llhttp::Edition::Node),
        &["node-http", "axios", "node-fetch-2"],
    ),
    (
        |it| llhttp::read(it, llhttp::Edition::Undici),
        &["node-fetch"],
    ),
    (curl::read, &["curl", "php-curl"]),
    (
        |it| http_client::read(it, http_client::Reader::Alone),
        &["python-http.client", "python-urllib"],
    ),
    (
        |it| http_client::read(it, http_client::Reader::Urllib3),
        &["python-requests"],
    ),
    (php::read, &["php-stream"]),
    (go::read, &["go"]),
    (ruby::read, &["ruby"]),
    (h11::read, &["httpx"]),
    (java_http::read, &["java-httpclient"]),
    (
        |it| llhttp::read(it, llhttp::Edition::Aiohttp),
        &["aiohttp"],
    ),
];

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
        let closed = is_whole && end == StreamEnd::Fin;
        let readings = PARSERS.map(|(read, _)| match read(Cursor::new(bytes, closed)) {
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
            Reading::Ends(ReadingEnd::UntilClose) if self.end == StreamEnd::Fin => {
                of_content.copied().collect()
            }
            Reading::Ends(at) => match self.end {
                StreamEnd::Fin => [fin_in(at)]
                    .into_iter()
                    .chain(of_content.copied())
                    .collect(),
                StreamEnd::Reset => vec![reset_in(at)],
                StreamEnd::Waited => vec![waiting_in(at)],
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
        ReadingEnd::BetweenChunks | ReadingEnd::UntilClose => WireEvent::FinBetweenChunks,
    }
}

const fn reset_in(end: ReadingEnd) -> WireEvent {
    match end {
        ReadingEnd::Nothing => WireEvent::RstBeforeResponse,
        ReadingEnd::StatusLine => WireEvent::RstInStatusLine,
        ReadingEnd::Headers => WireEvent::RstInHeaders,
        ReadingEnd::Length => WireEvent::RstInBodyLength,
        ReadingEnd::Chunk | ReadingEnd::BetweenChunks => WireEvent::RstInChunk,
        ReadingEnd::UntilClose => WireEvent::RstInBodyUntilClose,
    }
}

const fn waiting_in(end: ReadingEnd) -> WireEvent {
    match end {
        ReadingEnd::Nothing | ReadingEnd::StatusLine | ReadingEnd::Headers => {
            WireEvent::ServerSilent
        }
        ReadingEnd::Length
        | ReadingEnd::Chunk
        | ReadingEnd::BetweenChunks
        | ReadingEnd::UntilClose => WireEvent::BodyStalled,
    }
}
