//! PostgreSQL's frontend/backend protocol 3.0 (PostgreSQL documentation, "Frontend/Backend Protocol").

use std::collections::VecDeque;

use super::grammar::{Messages, Opening, Rest, Role, Side, Step, Unit};
use super::lines::statement;

/// The codes in the first message.
const STARTUP: u32 = 196_608;
const CANCEL: u32 = 80_877_102;
/// What the protocol calls the request for TLS.
pub(crate) const SSL_REQUEST: &str = "SSLRequest";
const SSL: u32 = 80_877_103;
const GSSENC: u32 = 80_877_104;
/// The longest message that is believed: the limit of the server.
const MAX_LENGTH: u32 = 1 << 30;
/// Bytes that are waited for of an error, and of a query.
const MAX_ERROR: u64 = 1500;
const MAX_WORDS: u64 = 200;
/// Bytes of what a server says of a completed command.
const MAX_TAG: usize = 40;
/// Bytes of the names of parameters that are compared.
const MAX_SHAPE: usize = 160;
/// Bytes of a startup message that are waited for.
const MAX_STARTUP: usize = 1024;
/// Batches that are followed at once.
const MAX_BATCHES: usize = 4096;

/// The grammar.
#[derive(Clone, Debug, Default)]
pub(super) struct Grammar {
    /// The client's next message has no type yet.
    starts: bool,
    /// The server answers by one byte.
    one_byte: bool,
    /// Parts of the present batch of the extended protocol.
    parts: u32,
    /// The batches that are not answered yet.
    batches: VecDeque<Batch>,
    /// The last query was one of the simple protocol.
    simple: bool,
    /// Both sides stream, as in replication.
    streams: bool,
    /// What the server says of the last command that it completed: `SELECT 1`.
    tag: Vec<u8>,
}

/// What the server answers as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Batch {
    /// It ends with "ready for query".
    Synced,
    /// The client flushed so many parts and goes on without a Sync.
    Flushed { left: u32 },
}

fn number(bytes: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.first_chunk()?))
}

/// A type and a length.
fn header(bytes: &[u8]) -> Option<(u8, u32)> {
    let length = number(bytes.get(1..)?)?;
    Some((*bytes.first()?, length))
}

/// The first bytes are those of PostgreSQL.
pub(super) fn recognise(opening: &Opening<'_>) -> bool {
    let known = || {
        header(opening.client).is_some_and(|(kind, length)| {
            b"QPBESX".contains(&kind) && (4..MAX_LENGTH >> 8).contains(&length)
        })
    };
    is_startup(opening.client) || opening.midstream && opening.port == 5432 && known()
}

/// Whether these bytes are the first message of a client, which has no type.
fn is_startup(bytes: &[u8]) -> bool {
    let first = number(bytes).zip(bytes.get(4..).and_then(number));
    matches!(
        first,
        Some((8, SSL | GSSENC) | (16, CANCEL) | (9..=10_000, STARTUP))
    )
}

impl Messages for Grammar {
    fn new(opening: &Opening<'_>) -> Self {
        let begins = is_startup(opening.client);
        Self {
            starts: !opening.midstream || begins,
            // It answers what was before the capture: a request for encryption, and begins no message.
            one_byte: opening.midstream && begins && opening.server == b"N",
            ..Self::default()
        }
    }

    fn next(&mut self, from: Side, bytes: &[u8], rest: Rest) -> Step {
        if from == Side::Client && self.starts {
            return self.start(bytes, rest);
        }
        if from == Side::Server && self.one_byte {
            if let Some(b'N' | b'S' | b'G') = bytes.first() {
                self.one_byte = false;
                return Step::Message(Unit::new(1, Role::Answer { ends: true }));
            }
            self.one_byte = false;
        }
        let Some((kind, length)) = header(bytes) else {
            return match rest {
                Rest::MayCome => Step::More,
                Rest::NotCaptured => Step::Broken,
            };
        };
        if !(4..MAX_LENGTH).contains(&length) {
            return Step::Broken;
        }
        let whole = u64::from(length) + 1;
        let body = bytes.get(5..).unwrap_or_default();
        let body = body
            .get(..body.len().min(length as usize - 4))
            .unwrap_or_default();
        let telling = match (from, kind) {
            (Side::Client, b'Q' | b'P') => MAX_WORDS,
            (Side::Server, b'E' | b'N') => MAX_ERROR,
            (Side::Server, b'C') => MAX_TAG as u64,
            _ => 5,
        };
        let had = body.len() as u64 + 5;
        match from {
            _ if had < whole.min(telling) && rest == Rest::MayCome => Step::More,
            Side::Client => self.client(kind, whole, body),
            Side::Server => self.server(kind, whole, body),
        }
    }
}

impl Grammar {
    fn start(&mut self, bytes: &[u8], rest: Rest) -> Step {
        let Some((length, code)) = number(bytes).zip(bytes.get(4..).and_then(number)) else {
            return Step::More;
        };
        let whole = u64::from(length);
        if bytes.len() < MAX_STARTUP.min(length as usize) && rest == Rest::MayCome {
            return Step::More;
        }
        let ask = Unit::new(whole, Role::Ask { ends: true });
        Step::Message(match code {
            SSL | GSSENC => {
                self.one_byte = true;
                let noun = match code {
                    SSL => SSL_REQUEST,
                    _ => "GSSENCRequest",
                };
                ask.named(noun, b"").safe(true)
            }
            // It is answered by the close alone.
            CANCEL => Unit::new(whole, Role::Goodbye),
            _ => {
                self.starts = false;
                let own = bytes
                    .get(..bytes.len().min(length as usize))
                    .unwrap_or(bytes);
                let (name, shape) = parameters(own.get(8..).unwrap_or_default());
                ask.named("startup message", b"")
                    .safe(true)
                    .by(name, b"")
                    .shaped(&shape)
            }
        })
    }

    fn client(&mut self, kind: u8, whole: u64, body: &[u8]) -> Step {
        let ask = |ends| Unit::new(whole, Role::Ask { ends });
        let text = |body: &'_ [u8]| {
            body.split(|byte| *byte == 0)
                .next()
                .map(statement)
                .unwrap_or_default()
        };
        if matches!(kind, b'P' | b'B' | b'D' | b'E' | b'C') {
            self.parts = self.parts.saturating_add(1);
            self.simple = false;
        }
        Step::Message(match kind {
            b'Q' => {
                self.simple = true;
                self.begin(Batch::Synced);
                ask(true).named("query", &text(body))
            }
            // The name of the statement, then its text.
            b'P' => {
                let after = memchr::memchr(0, body).and_then(|end| body.get(end + 1..));
                ask(false).named("query", &text(after.unwrap_or_default()))
            }
            b'B' | b'D' | b'E' | b'C' => ask(false).named("query", b""),
            b'H' if self.parts == 0 => Unit::new(whole, Role::Notice),
            b'H' => {
                let left = std::mem::take(&mut self.parts);
                self.begin(Batch::Flushed { left });
                ask(true).named("query", b"")
            }
            b'S' => {
                self.parts = 0;
                self.begin(Batch::Synced);
                ask(true).named("query", b"")
            }
            b'F' => {
                self.begin(Batch::Synced);
                ask(true).named("function call", b"")
            }
            b'p' => ask(true).named("authentication", b""),
            b'd' | b'c' | b'f' if self.streams => {
                self.streams = kind == b'd';
                Unit::new(whole, Role::Notice)
            }
            b'd' => ask(false).named("COPY data", b""),
            // In the extended protocol a Sync follows, which is answered.
            b'c' | b'f' => ask(self.simple).named("COPY data", b""),
            b'X' => Unit::new(whole, Role::Goodbye),
            _ => return Step::Broken,
        })
    }

    fn begin(&mut self, batch: Batch) {
        if self.batches.len() < MAX_BATCHES {
            self.batches.push_back(batch);
        }
    }

    /// Whether a part of the answer is the last one to what the client flushed.
    fn flushed(&mut self) -> bool {
        match self.batches.front_mut() {
            Some(Batch::Flushed { left }) => {
                *left = left.saturating_sub(1);
                let all = *left == 0;
                if all {
                    self.batches.pop_front();
                }
                all
            }
            _ => false,
        }
    }

    fn server(&mut self, kind: u8, whole: u64, body: &[u8]) -> Step {
        let answer = |ends| Unit::new(whole, Role::Answer { ends });
        Step::Message(match kind {
            b'Z' => {
                // What was flushed behind an error is answered no more.
                while matches!(self.batches.pop_front(), Some(Batch::Flushed { .. })) {}
                answer(true).named("answer", &std::mem::take(&mut self.tag))
            }
            // Codes 0 and 12 say that the authentication is over; all others ask for more of it.
            b'R' => answer(!matches!(number(body), Some(0 | 12))),
            // The client sends data now, and what it sent behind the query is ignored.
            b'G' => {
                self.batches.pop_front();
                if self.simple {
                    self.begin(Batch::Synced);
                }
                answer(true)
            }
            // Both sides send data now.
            b'W' => {
                self.streams = true;
                answer(true)
            }
            b'd' | b'c' if self.streams => Unit::new(whole, Role::Notice),
            b'E' => {
                let (code, severity, text) = report(body);
                match severity {
                    b"FATAL" | b"PANIC" => answer(true).complaining(code, &text).fatal(),
                    _ => {
                        let front = self.batches.front();
                        let ends = matches!(front, Some(Batch::Flushed { .. }));
                        if ends {
                            self.batches.pop_front();
                        }
                        answer(ends).complaining(code, &text)
                    }
                }
            }
            b'N' => {
                let (code, _, text) = report(body);
                let notice = Unit::new(whole, Role::Notice);
                // The server is stopped at once, or another of its processes crashed: it says so and closes.
                match code.starts_with(b"57P0") {
                    true => notice.complaining(code, &text).fatal(),
                    false => notice,
                }
            }
            b'A' => Unit::new(whole, Role::Notice),
            b'C' => {
                let tag = body.split(|byte| *byte == 0).next().unwrap_or_default();
                self.tag = tag.get(..tag.len().min(MAX_TAG)).unwrap_or(tag).to_vec();
                answer(self.flushed()).named("answer", tag)
            }
            b'1' | b'2' | b'3' | b'I' | b'T' | b'n' | b's' => answer(self.flushed()),
            b'D' | b'H' | b'K' | b'S' | b'V' | b'c' | b'd' | b't' | b'v' => answer(false),
            _ => return Step::Broken,
        })
    }
}

/// The name of the application in a startup message, and the names of its other parameters in order, with the values of those
/// that drivers set.
fn parameters(body: &[u8]) -> (&[u8], Vec<u8>) {
    let mut words = body.split(|byte| *byte == 0);
    let (mut application, mut shape) = (&b""[..], Vec::new());
    while let Some((name, value)) = words.next().zip(words.next()) {
        if name.is_empty() || shape.len() > MAX_SHAPE {
            break;
        }
        if name == b"application_name" {
            application = value;
            continue;
        }
        let told = [&b"client_encoding"[..], b"datestyle", b"extra_float_digits"]
            .iter()
            .any(|it| name.eq_ignore_ascii_case(it));
        if !shape.is_empty() {
            shape.push(b' ');
        }
        shape.extend_from_slice(name);
        if told {
            shape.push(b'=');
            shape.extend(
                value
                    .iter()
                    .map(|byte| if *byte == b' ' { b'_' } else { *byte }),
            );
        }
    }
    (application, shape)
}

/// The SQLSTATE, the severity and the text of an error or a notice.
fn report(body: &[u8]) -> (&[u8], &[u8], Vec<u8>) {
    let field = |name: u8| {
        body.split(|byte| *byte == 0)
            .find_map(|field| field.strip_prefix(&[name]))
    };
    let severity = field(b'V').or_else(|| field(b'S')).unwrap_or_default();
    let text = [severity, b": ", field(b'M').unwrap_or_default()].concat();
    (field(b'C').unwrap_or_default(), severity, text)
}

#[cfg(test)]
mod tests {
    use crate::protocol::dialogue::tests::{Said, told, told_midstream};

    const STARTUP: &[u8] = b"\0\0\0\x12\0\x03\0\0user\0me\0\0\0";
    const READY: &[u8] = b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I";
    const QUERY: &[u8] = b"Q\0\0\0\x0dselect 1\0";
    const ROWS: &[u8] = b"T\0\0\0\x06\0\0D\0\0\0\x06\0\0C\0\0\0\x0dSELECT 1\0Z\0\0\0\x05I";
    const FATAL: &[u8] = b"E\0\0\0\x31SFATAL\0VFATAL\0C57P01\0Mterminating connection\0\0";

    #[test]
    fn whose_turn_it_is() {
        let open = [(">", STARTUP), ("<", READY)];
        let cases: &[(Said<'_>, &str)] = &[
            (&[], "between"),
            (&[(">", QUERY)], "query select 1: unanswered; waiting"),
            (&[(">", &QUERY[..9])], "request"),
            (
                &[(">", QUERY), ("<", &ROWS[..14])],
                "query select 1: answer begun; response-body",
            ),
            (
                &[(">", QUERY), ("<", ROWS)],
                "query select 1: answered; between",
            ),
            (
                &[(">", QUERY), ("<", FATAL)],
                "query select 1: answered; B: 57P01 FATAL: terminating connection; between",
            ),
            (
                &[("<", FATAL)],
                "B: 57P01 FATAL: terminating connection; between",
            ),
            (&[(">", b"X\0\0\0\x04")], "goodbye; after"),
            // The extended protocol: a flush, then the rest.
            (
                &[
                    (">", b"P\0\0\0\x0c\0a=$1\0\0\0D\0\0\0\x06S\0H\0\0\0\x04"),
                    ("<", b"1\0\0\0\x04t\0\0\0\x06\0\0n\0\0\0\x04"),
                ],
                "query a=$1: answered; between",
            ),
            (
                &[
                    (">", b"P\0\0\0\x0c\0a=$1\0\0\0D\0\0\0\x06S\0H\0\0\0\x04"),
                    ("<", b"1\0\0\0\x04t\0\0\0\x06\0\0n\0\0\0\x04"),
                    (">", b"E\0\0\0\x09\0\0\0\0\0S\0\0\0\x04"),
                ],
                "query a=$1: answered; query: unanswered; waiting",
            ),
            (
                &[
                    (
                        ">",
                        b"P\0\0\0\x0c\0a=$1\0\0\0E\0\0\0\x09\0\0\0\0\0S\0\0\0\x04",
                    ),
                    ("<", b"1\0\0\0\x04C\0\0\0\x0aCOPY\0\0Z\0\0\0\x05I"),
                ],
                "query a=$1: answered; between",
            ),
            // Data of the client, in the simple protocol.
            (
                &[
                    (">", QUERY),
                    ("<", b"G\0\0\0\x07\0\0\0"),
                    (">", b"d\0\0\0\x05xc\0\0\0\x04"),
                    ("<", b"C\0\0\0\x0aCOPY\0\0Z\0\0\0\x05I"),
                ],
                "query select 1: answered; COPY data: answered; between",
            ),
            // Replication.
            (
                &[
                    (">", QUERY),
                    ("<", b"W\0\0\0\x07\0\0\0"),
                    ("<", b"d\0\0\0\x05x"),
                    (">", b"d\0\0\0\x05x"),
                ],
                "query select 1: answered; between",
            ),
            (
                &[
                    (">", QUERY),
                    ("<", b"N\0\0\0\x1bSWARNING\0C57P02\0Mgone\0\0"),
                ],
                "query select 1: unanswered; B: 57P02 WARNING: gone; waiting",
            ),
        ];
        for (said, expected) in cases {
            let all = [&open[..], said].concat();
            let told = told(5432, &all);
            let begun = "PostgreSQL; startup message: answered; ";
            assert_eq!(told, format!("{begun}{expected}"));
        }
    }

    /// A capture may begin between the handshake of TCP and the first message, or behind the answer on encryption.
    #[test]
    fn the_first_message_is_known_without_the_handshake() {
        let ask = b"\0\0\0\x08\x04\xd2\x16\x2f";
        let login = "startup message: answered; B: 57P01 FATAL: terminating connection; between";
        let end = [(">", STARTUP), ("<", READY), ("<", FATAL)];
        for (begin, said) in [
            (vec![(">", &ask[..]), ("<", b"N")], "SSLRequest: answered; "),
            (vec![("<", &b"N"[..])], ""),
            (vec![], ""),
        ] {
            let told = told_midstream(5432, &[begin, end.to_vec()].concat());
            assert_eq!(told, format!("PostgreSQL; {said}{login}"));
        }
    }

    #[test]
    fn one_byte_answers_whether_it_is_encrypted() {
        let ask = b"\0\0\0\x08\x04\xd2\x16\x2f";
        assert_eq!(
            told(1, &[(">", ask), ("<", b"N"), (">", STARTUP), ("<", READY)]),
            "PostgreSQL; SSLRequest: answered; startup message: answered; between"
        );
    }
}
