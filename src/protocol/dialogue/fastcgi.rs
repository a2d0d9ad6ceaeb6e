//! FastCGI (FastCGI Specification 1.0): records of one request, whose standard input ends with an empty one.

use super::grammar::{Messages, Opening, Rest, Role, Side, Step, Unit};
use crate::protocol::http::{Method, PassedOn};

const HEADER: usize = 8;
const VERSION: u8 = 1;
/// Types of records.
const BEGIN: u8 = 1;
const ABORT: u8 = 2;
const END: u8 = 3;
const PARAMS: u8 = 4;
const INPUT: u8 = 5;
const OUTPUT: u8 = 6;
const ERRORS: u8 = 7;
const DATA: u8 = 8;
const VALUES: u8 = 9;
const VALUES_RESULT: u8 = 10;
const UNKNOWN: u8 = 11;
/// The server keeps the connection.
const KEEP: u8 = 1;
/// Bytes of the parameters that are waited for, and of an error.
const MAX_PARAMS: usize = 2500;
const MAX_ERROR: usize = 300;

/// The grammar.
#[derive(Clone, Debug, Default)]
pub(super) struct Grammar {
    keeps: bool,
    /// A request has begun, and its input has not ended.
    asking: bool,
    /// The rest of the record with which the server is done, as it closes after this request.
    closes: u64,
}

struct Record<'a> {
    kind: u8,
    content: &'a [u8],
    length: usize,
    whole: u64,
}

fn record(bytes: &[u8]) -> Option<Record<'_>> {
    let [VERSION, kind, _, _, high, low, padding, _, content @ ..] = bytes else {
        return None;
    };
    let length = usize::from(u16::from_be_bytes([*high, *low]));
    Some(Record {
        kind: *kind,
        content: content.get(..content.len().min(length)).unwrap_or_default(),
        length,
        whole: (HEADER + length + usize::from(*padding)) as u64,
    })
}

/// The first bytes are those of FastCGI.
pub(super) fn recognise(opening: &Opening<'_>) -> bool {
    match opening.client {
        [VERSION, BEGIN, _, _, 0, 8, _, _, 0, 1..=3, 0 | KEEP, ..] => true,
        [VERSION, VALUES, 0, 0, _, _, _, _, name, ..] => (12..=15).contains(name),
        _ => false,
    }
}

impl Messages for Grammar {
    fn new(_opening: &Opening<'_>) -> Self {
        Self::default()
    }

    fn next(&mut self, from: Side, bytes: &[u8], rest: Rest) -> Step {
        if from == Side::Server && self.closes > 0 {
            let length = std::mem::take(&mut self.closes);
            return Step::Message(Unit::new(length, Role::Goodbye));
        }
        let more = match rest {
            Rest::MayCome => Step::More,
            Rest::NotCaptured => Step::Broken,
        };
        if bytes.first().is_some_and(|version| *version != VERSION) {
            return Step::Broken;
        }
        let Some(record) = record(bytes) else {
            return more;
        };
        let telling = match record.kind {
            ERRORS => MAX_ERROR,
            BEGIN | END => record.length,
            _ => 0,
        };
        if record.content.len() < record.length.min(telling) && rest == Rest::MayCome {
            return Step::More;
        }
        match from {
            Side::Client => self.asked(&record, bytes, rest),
            Side::Server => self.answered(&record),
        }
    }
}

impl Grammar {
    fn asked(&mut self, record: &Record<'_>, bytes: &[u8], rest: Rest) -> Step {
        let ask = |ends| Unit::new(record.whole, Role::Ask { ends });
        Step::Message(match record.kind {
            BEGIN => {
                self.keeps = record.content.get(2).is_some_and(|flags| flags & KEEP != 0);
                let at = usize::try_from(record.whole).unwrap_or(usize::MAX);
                let after = bytes.get(at..).unwrap_or_default();
                // The parameters name the request, and they follow at once: both are one part of it.
                let Some(next) = self::record(after) else {
                    let wanting = after.len() < HEADER && rest == Rest::MayCome;
                    return if wanting { Step::More } else { Step::Broken };
                };
                let needed = next.length.min(MAX_PARAMS);
                if next.content.len() < needed && rest == Rest::MayCome {
                    return Step::More;
                }
                if next.kind != PARAMS {
                    return Step::Broken;
                }
                self.asking = true;
                let length = record.whole.saturating_add(next.whole);
                let (words, said) = request(next.content);
                let method = words.split(|byte| *byte == b' ').next().unwrap_or_default();
                let unit = Unit::new(length, Role::Ask { ends: false })
                    .named("FastCGI request", &words)
                    .safe(Method::from_bytes(method).is_idempotent());
                Unit {
                    passed_on: (!said.is_empty()).then(|| Box::new(said)),
                    ..unit
                }
            }
            // Records behind the end of the input belong to the request that is complete: some clients end it twice.
            PARAMS | DATA | INPUT if !self.asking => Unit::new(record.whole, Role::Notice),
            PARAMS | DATA => ask(false).named("FastCGI request", b""),
            INPUT => {
                self.asking = record.length > 0;
                ask(!self.asking).named("FastCGI request", b"")
            }
            ABORT => Unit::new(record.whole, Role::Notice),
            VALUES => ask(true).named("request for values", b""),
            _ => return Step::Broken,
        })
    }

    fn answered(&mut self, record: &Record<'_>) -> Step {
        let answer = |length, ends| Unit::new(length, Role::Answer { ends });
        Step::Message(match record.kind {
            OUTPUT => answer(record.whole, false),
            ERRORS => answer(record.whole, false).complaining(b"", record.content),
            END => {
                let length = match self.keeps {
                    true => record.whole,
                    false => record.whole - 1,
                };
                self.closes = record.whole - length;
                let unit = answer(length, true);
                let refusal: &[u8] = match record.content.get(4) {
                    Some(1) => b"FCGI_CANT_MPX_CONN",
                    Some(2) => b"FCGI_OVERLOADED",
                    Some(3) => b"FCGI_UNKNOWN_ROLE",
                    _ => return Step::Message(unit.settling()),
                };
                unit.complaining(b"", refusal).fatal()
            }
            VALUES_RESULT | UNKNOWN => answer(record.whole, true),
            _ => return Step::Broken,
        })
    }
}

/// The method and the path among these parameters, and what makes the request known that the proxy had.
fn request(mut content: &[u8]) -> (Vec<u8>, PassedOn) {
    let (mut method, mut path, mut script, mut file) = (&b""[..], &b""[..], &b""[..], &b""[..]);
    let (mut address, mut port) = (&b""[..], &b""[..]);
    let mut said = PassedOn::default();
    while let Some((name, value, rest)) = pair(content) {
        match name {
            b"REQUEST_METHOD" => method = value,
            b"REQUEST_URI" => path = value.split(|byte| *byte == b'?').next().unwrap_or_default(),
            b"SCRIPT_NAME" => script = value,
            b"SCRIPT_FILENAME" => file = value,
            b"REMOTE_ADDR" => address = value,
            b"REMOTE_PORT" => port = value,
            b"HTTP_X_REQUEST_ID" => {
                said.field(b"x-request-id", value);
            }
            b"HTTP_TRACEPARENT" => {
                said.field(b"traceparent", value);
            }
            b"HTTP_X_CORRELATION_ID" => {
                said.field(b"x-correlation-id", value);
            }
            _ => {}
        }
        content = rest;
    }
    said.remote(address, port);
    let named = [path, script, file].into_iter().find(|it| !it.is_empty());
    let words = [method, named.unwrap_or_default()].join(&b' ');
    (words.trim_ascii().to_vec(), said)
}

/// The first name and value, and what follows them.
fn pair(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (name, bytes) = length(bytes)?;
    let (value, bytes) = length(bytes)?;
    let end = name.checked_add(value)?;
    Some((bytes.get(..name)?, bytes.get(name..end)?, bytes.get(end..)?))
}

/// A length of one byte, or of four if the first bit is set.
fn length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    match bytes {
        [first @ 0..=0x7f, rest @ ..] => Some((usize::from(*first), rest)),
        [a, b, c, d, rest @ ..] => {
            let length = u32::from_be_bytes([a & 0x7f, *b, *c, *d]);
            Some((usize::try_from(length).ok()?, rest))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::protocol::dialogue::tests::{Said, told};

    fn record(kind: u8, content: &[u8]) -> Vec<u8> {
        let [high, low] = (content.len() as u16).to_be_bytes();
        [&[1, kind, 0, 1, high, low, 0, 0], content].concat()
    }

    fn ask(flags: u8) -> Vec<u8> {
        [
            record(1, &[0, 1, flags, 0, 0, 0, 0, 0]),
            record(4, b"\x0e\x03REQUEST_METHODGET\x0b\x04REQUEST_URI/a?b"),
            record(4, b""),
        ]
        .concat()
    }

    #[test]
    fn whose_turn_it_is() {
        let (ask, keep) = (ask(0), ask(1));
        let input = record(5, b"");
        let output = record(6, b"hello");
        let errors = record(7, b"oops");
        let end = record(3, &[0; 8]);
        let overloaded = record(3, &[0, 0, 0, 0, 2, 0, 0, 0]);
        let cases: &[(Said<'_>, &str)] = &[
            (&[(">", &ask)], "begun; request"),
            (&[(">", &ask), (">", &input)], "unanswered; waiting"),
            (
                &[(">", &ask), (">", &input), ("<", &output)],
                "answer begun; response-body",
            ),
            (
                &[(">", &ask), (">", &input), ("<", &errors)],
                "answer begun; B: - oops; response-body",
            ),
            (
                &[
                    (">", &ask),
                    (">", &input),
                    ("<", &errors),
                    ("<", &output),
                    ("<", &end),
                ],
                "answered; goodbye; after",
            ),
            (
                &[(">", &keep), (">", &input), ("<", &output), ("<", &end)],
                "answered; between",
            ),
            // An input that ends twice.
            (
                &[
                    (">", &ask),
                    (">", &input),
                    (">", &input),
                    ("<", &output),
                    ("<", &end),
                ],
                "answered; goodbye; after",
            ),
            (
                &[(">", &keep), (">", &input), ("<", &overloaded)],
                "answered; B: - FCGI_OVERLOADED; between",
            ),
        ];
        for (said, expected) in cases {
            assert_eq!(
                told(9000, said),
                format!("FastCGI; FastCGI request GET /a: {expected}")
            );
        }
    }
}
