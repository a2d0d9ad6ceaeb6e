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

mod apache;
mod curl;
mod go;
mod h11;
mod http_client;
mod java_http;
mod llhttp;
mod mono;
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

/// `java.net.http` of OpenJDK 17.0.21 and later updates of 17.
pub(super) const STRICT_JAVA: &str = "java-httpclient 17.0.21+";

/// The parsers, each with the products that use it.
const PARSERS: [(Parser, &[&str]); 17] = [
    (
        |it| llhttp::read(it, llhttp::Edition::Node),
        &["node-http", "axios", "node-fetch-2", "got"],
    ),
    (
        |it| llhttp::read(it, llhttp::Edition::Undici),
        &["node-fetch"],
    ),
    (llhttp::read_request, &["undici"]),
    (curl::read, &["curl", "php-curl"]),
    (
        |it| http_client::read(it, http_client::Reader::Alone),
        &["python-http.client", "python-urllib"],
    ),
    (
        |it| http_client::read(it, http_client::Reader::Parts),
        &["python-requests"],
    ),
    (
        |it| http_client::read(it, http_client::Reader::Whole),
        &["urllib3"],
    ),
    (php::read, &["php-stream"]),
    (go::read, &["go"]),
    (ruby::read, &["ruby"]),
    (h11::read, &["httpx"]),
    (
        |it| java_http::read(it, java_http::Release::Old),
        &["java-httpclient"],
    ),
    (
        |it| java_http::read(it, java_http::Release::Strict),
        &[STRICT_JAVA],
    ),
    (
        |it| llhttp::read(it, llhttp::Edition::Aiohttp),
        &["aiohttp"],
    ),
    (mono::read, &["mono-webrequest", "mono-wcf"]),
    (
        |it| apache::read(it, apache::Release::Four),
        &["apache-httpclient-4"],
    ),
    (
        |it| apache::read(it, apache::Release::Five),
        &["apache-httpclient-5"],
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

#[cfg(test)]
mod tests {
    use super::*;

    fn read(product: &str, response: &str) -> Option<Reading> {
        let readings = Readings::of(response.as_bytes(), true, StreamEnd::Fin);
        readings.of_product(product)
    }

    /// A reader of lines waits for a status line as long as the stream stays open.
    #[test]
    fn what_is_no_status_line_is_skipped() {
        for (response, end) in [
            ("junk\r\n", ReadingEnd::Nothing),
            ("\x01\x02junk", ReadingEnd::StatusLine),
            (
                "HTTP/1.1 200 OK\rContent-Length: 5\r\rhello",
                ReadingEnd::StatusLine,
            ),
        ] {
            let readings = Readings::of(response.as_bytes(), true, StreamEnd::Waited);
            for product in ["apache-httpclient-4", "apache-httpclient-5"] {
                let read = readings.of_product(product);
                assert_eq!(read, Some(Reading::Ends(end)), "{product}: {response:?}");
            }
        }
    }

    /// What each printed when it was run against these.
    #[test]
    fn parsers_differ() {
        const CHUNKS: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        const LENGTH: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n";
        let refuses = |text| Some(Reading::Refuses(text, true));
        let in_head = |text| Some(Reading::Refuses(text, false));
        let accepts = Some(Reading::Accepts);
        let mono = "mono-webrequest";
        let short = "Response body length does not match content-length header";
        for (product, response, wanted) in [
            (
                mono,
                format!("{CHUNKS}f x\r\n0123456789abcde\r\n0\r\n\r\n"),
                accepts,
            ),
            (
                mono,
                format!("{CHUNKS}fx\r\n0123456789abcde\r\n0\r\n\r\n"),
                refuses("Cannot parse chunk size."),
            ),
            (
                mono,
                format!("{CHUNKS}this is a body without chunks, and long"),
                refuses("Cannot parse chunk size."),
            ),
            (
                mono,
                format!("{CHUNKS}a-body-without-chunks-and-long"),
                refuses("chunk size too long."),
            ),
            (
                mono,
                format!("{CHUNKS}5\r\r\nhello\r\n0\r\n\r\n"),
                refuses("2 CR found"),
            ),
            (
                mono,
                format!("{CHUNKS}5\r\nhelloXX\r\n0\r\n\r\n"),
                refuses("Expecting \\r"),
            ),
            (
                mono,
                format!("{CHUNKS}0\r\n\r\njunk"),
                refuses("Cannot parse chunk size."),
            ),
            (
                mono,
                format!("{LENGTH}no colon\r\n\r\nhello"),
                in_head("no colon found"),
            ),
            (mono, format!("{LENGTH}X\r\n : y\r\n\r\nhello"), accepts),
            (mono, format!("\r\n\r\n{LENGTH}\r\nhello"), accepts),
            (
                mono,
                "HTTP/1.1 2x0 OK\r\n\r\n".into(),
                in_head("Input string was not in a correct format."),
            ),
            (
                mono,
                "junk\r\n\r\n".into(),
                in_head("(GetResponse): ServerProtocolViolation"),
            ),
            (
                "undici",
                format!("{LENGTH}no colon\r\n\r\nhello"),
                in_head(short),
            ),
            (
                "undici",
                "HTTP/1.1 200 OK\r\nno colon\r\nContent-Length: 5\r\n\r\nhello".into(),
                in_head("Invalid header token"),
            ),
            (
                "node-fetch",
                format!("{LENGTH}no colon\r\n\r\nhello"),
                in_head("Invalid header token"),
            ),
            (
                "undici",
                format!("{CHUNKS}zz\r\n"),
                refuses("Invalid character in chunk size"),
            ),
            (
                "php-stream",
                format!("{LENGTH}X\r\n : y\r\n\r\nhello"),
                in_head("HTTP invalid response format (space in header name)!"),
            ),
            (
                "java-httpclient",
                format!("{CHUNKS}3\r\nhello0\r\n\r\n"),
                accepts,
            ),
            (
                STRICT_JAVA,
                format!("{CHUNKS}3\r\nhello0\r\n\r\n"),
                refuses("CR expected"),
            ),
            (
                STRICT_JAVA,
                format!("{CHUNKS}fffffffff\r\nhello"),
                refuses("chunk length too big: "),
            ),
            (
                "apache-httpclient-4",
                "junk\r\n".into(),
                in_head("The server failed to respond with a valid HTTP response"),
            ),
            (
                "apache-httpclient-5",
                "junk\r\n".into(),
                Some(Reading::Ends(ReadingEnd::Nothing)),
            ),
            (
                "apache-httpclient-4",
                "HTTP/1.1 abc OK\r\n\r\n".into(),
                in_head("Status line contains invalid status code: "),
            ),
            (
                "apache-httpclient-5",
                "HTTP/1.1 abc OK\r\n\r\n".into(),
                Some(Reading::Ends(ReadingEnd::Nothing)),
            ),
            (
                "apache-httpclient-5",
                "HTTP/3.7 200 OK\r\n\r\n".into(),
                Some(Reading::Unknown),
            ),
            (
                "apache-httpclient-5",
                "HTTP/1.1 20 OK\r\n\r\n".into(),
                in_head("Invalid response: "),
            ),
            (
                "apache-httpclient-4",
                format!("\r\n{LENGTH}\r\nhello"),
                accepts,
            ),
            (
                "apache-httpclient-5",
                format!("{LENGTH}: novalue\r\n\r\nhello"),
                in_head("Invalid header; error at offset "),
            ),
            (
                "apache-httpclient-4",
                "HTTP/1.1 200 OK\r\nCo".into(),
                in_head("Invalid header: "),
            ),
            (
                "httpx",
                format!("{CHUNKS}5\nhello\n0\n\n"),
                refuses("peer unexpectedly closed connection"),
            ),
        ] {
            assert_eq!(read(product, &response), wanted, "{product}: {response:?}");
        }
    }
}
