//! PostgreSQL's frontend/backend protocol 3.0 (PostgreSQL documentation, "Frontend/Backend Protocol").

use super::grammar::{Messages, Opening, Rest, Role, Side, Step, Unit};

/// The codes in the first message.
const STARTUP: u32 = 196_608;
const CANCEL: u32 = 80_877_102;
const SSL: u32 = 80_877_103;
const GSSENC: u32 = 80_877_104;
/// The longest message that is believed: the limit of the server.
const MAX_LENGTH: u32 = 1 << 30;
/// Bytes that are waited for of an error, and of a query.
const MAX_ERROR: u64 = 1500;
const MAX_WORDS: u64 = 200;

/// The grammar.
#[derive(Clone, Debug, Default)]
pub(super) struct Grammar {
    /// The client's next message has no type yet.
    starts: bool,
    /// The server answers by one byte.
    one_byte: bool,
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
    let first = number(opening.client).zip(opening.client.get(4..).and_then(number));
    match first {
        Some((8, SSL | GSSENC) | (16, CANCEL)) => true,
        Some((9..=10_000, STARTUP)) => true,
        _ if opening.midstream && opening.port == 5432 => {
            header(opening.client).is_some_and(|(kind, length)| {
                b"QPBESX".contains(&kind) && (4..MAX_LENGTH >> 8).contains(&length)
            })
        }
        _ => false,
    }
}

impl Messages for Grammar {
    fn new(opening: &Opening<'_>) -> Self {
        Self {
            starts: !opening.midstream,
            one_byte: false,
        }
    }

    fn next(&mut self, from: Side, bytes: &[u8], rest: Rest) -> Step {
        if from == Side::Client && self.starts {
            return self.start(bytes);
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
            (Side::Server, b'E') => MAX_ERROR,
            _ => 5,
        };
        let had = body.len() as u64 + 5;
        match from {
            _ if had < whole.min(telling) && rest == Rest::MayCome => Step::More,
            Side::Client => client(kind, whole, body),
            Side::Server => server(kind, whole, body),
        }
    }
}

impl Grammar {
    fn start(&mut self, bytes: &[u8]) -> Step {
        let Some((length, code)) = number(bytes).zip(bytes.get(4..).and_then(number)) else {
            return Step::More;
        };
        let whole = u64::from(length);
        let ask = Unit::new(whole, Role::Ask { ends: true });
        Step::Message(match code {
            SSL | GSSENC => {
                self.one_byte = true;
                let noun = match code {
                    SSL => "request for TLS",
                    _ => "request for GSSAPI encryption",
                };
                ask.named(noun, b"")
            }
            // It is answered by the close alone.
            CANCEL => Unit::new(whole, Role::Goodbye),
            _ => {
                self.starts = false;
                ask.named("startup message", b"")
            }
        })
    }
}

fn client(kind: u8, whole: u64, body: &[u8]) -> Step {
    let ask = |ends| Unit::new(whole, Role::Ask { ends });
    let text = |body: &'_ [u8]| {
        body.split(|byte| *byte == 0)
            .next()
            .unwrap_or_default()
            .to_vec()
    };
    Step::Message(match kind {
        b'Q' => ask(true).named("query", &text(body)),
        // The name of the statement, then its text.
        b'P' => {
            let after = memchr::memchr(0, body).and_then(|end| body.get(end + 1..));
            ask(false).named("query", &text(after.unwrap_or_default()))
        }
        b'B' | b'D' | b'E' | b'C' | b'H' => ask(false).named("query", b""),
        b'S' => ask(true).named("query", b""),
        b'F' => ask(true).named("function call", b""),
        b'p' => ask(true).named("authentication", b""),
        b'd' => ask(false).named("COPY data", b""),
        b'c' | b'f' => ask(true).named("COPY data", b""),
        b'X' => Unit::new(whole, Role::Goodbye),
        _ => return Step::Broken,
    })
}

fn server(kind: u8, whole: u64, body: &[u8]) -> Step {
    let answer = |ends| Unit::new(whole, Role::Answer { ends });
    Step::Message(match kind {
        b'Z' => answer(true),
        // Codes 0 and 12 say that the authentication is over; all others ask for more of it.
        b'R' => answer(!matches!(number(body), Some(0 | 12))),
        // The client sends data now.
        b'G' => answer(true),
        b'E' => {
            let field = |name: u8| {
                body.split(|byte| *byte == 0)
                    .find_map(|field| field.strip_prefix(&[name]))
            };
            let severity = field(b'V').or_else(|| field(b'S')).unwrap_or_default();
            let fatal = matches!(severity, b"FATAL" | b"PANIC");
            let text = field(b'M').unwrap_or_default();
            let text = [severity, b": ", text].concat();
            let unit = answer(fatal).complaining(field(b'C').unwrap_or_default(), &text);
            if fatal { unit.fatal() } else { unit }
        }
        b'N' | b'A' => Unit::new(whole, Role::Notice),
        b'1' | b'2' | b'3' | b'C' | b'D' | b'H' | b'I' | b'K' | b'S' | b'T' | b'V' | b'W'
        | b'c' | b'd' | b'n' | b's' | b't' | b'v' => answer(false),
        _ => return Step::Broken,
    })
}

#[cfg(test)]
mod tests {
    use crate::protocol::dialogue::tests::{Said, told};

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
        ];
        for (said, expected) in cases {
            let all = [&open[..], said].concat();
            let told = told(5432, &all);
            let begun = "PostgreSQL; startup message: answered; ";
            assert_eq!(told, format!("{begun}{expected}"));
        }
    }

    #[test]
    fn one_byte_answers_whether_it_is_encrypted() {
        let ask = b"\0\0\0\x08\x04\xd2\x16\x2f";
        assert_eq!(
            told(1, &[(">", ask), ("<", b"N"), (">", STARTUP), ("<", READY)]),
            "PostgreSQL; request for TLS: answered; startup message: answered; between"
        );
    }
}
