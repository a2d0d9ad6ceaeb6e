//! MongoDB's wire protocol (MongoDB manual, "MongoDB Wire Protocol"; the specification of OP_MSG in the drivers'
//! specifications).

use std::collections::VecDeque;

use super::grammar::{Messages, Opening, Rest, Role, Side, Step, Unit};

const HEADER: usize = 16;
const MAX_LENGTH: u32 = 48_000_000 + (1 << 16);
/// Operations.
const REPLY: u32 = 1;
const QUERY: u32 = 2004;
const GET_MORE: u32 = 2005;
const COMPRESSED: u32 = 2012;
const MSG: u32 = 2013;
/// Flags of OP_MSG.
const MORE_TO_COME: u32 = 1 << 1;
const EXHAUST_ALLOWED: u32 = 1 << 16;
/// Bytes that are waited for of a request, and of an answer, which may be an error.
const MAX_REQUEST: usize = 1200;
const MAX_ANSWER: usize = 2000;
/// Commands that read and change nothing. `aggregate` and `getMore` are none of them: the first may write, the second
/// moves a cursor on.
const READS: [&[u8]; 14] = [
    b"buildInfo",
    b"collStats",
    b"connectionStatus",
    b"count",
    b"dbStats",
    b"distinct",
    b"find",
    b"hello",
    b"isMaster",
    b"ismaster",
    b"listCollections",
    b"listDatabases",
    b"listIndexes",
    b"ping",
];
/// Requests that get no answer that counts, which are remembered.
const MAX_LISTENING: usize = 8;

/// The grammar.
#[derive(Clone, Debug, Default)]
pub(super) struct Grammar {
    /// Requests by which the client only listens for changes of the server's state.
    listening: VecDeque<u32>,
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

struct Header {
    length: u32,
    id: u32,
    answers: u32,
    operation: u32,
}

fn header(bytes: &[u8]) -> Option<Header> {
    Some(Header {
        length: number(bytes, 0)?,
        id: number(bytes, 4)?,
        answers: number(bytes, 8)?,
        operation: number(bytes, 12)?,
    })
}

/// The first bytes are those of MongoDB.
pub(super) fn recognise(opening: &Opening<'_>) -> bool {
    header(opening.client).is_some_and(|it| {
        let known = matches!(it.operation, 2001..=2007 | COMPRESSED | MSG);
        known && it.answers == 0 && (HEADER as u32 + 5..MAX_LENGTH).contains(&it.length)
    })
}

impl Messages for Grammar {
    fn new(_opening: &Opening<'_>) -> Self {
        Self::default()
    }

    fn next(&mut self, from: Side, bytes: &[u8], rest: Rest) -> Step {
        let Some(header) = header(bytes) else {
            return match rest {
                Rest::MayCome => Step::More,
                Rest::NotCaptured => Step::Broken,
            };
        };
        if !(HEADER as u32..MAX_LENGTH).contains(&header.length) {
            return Step::Broken;
        }
        let whole = header.length as usize;
        let telling = match from {
            Side::Client => MAX_REQUEST,
            Side::Server => MAX_ANSWER,
        };
        let body = bytes
            .get(HEADER..bytes.len().min(whole))
            .unwrap_or_default();
        if bytes.len() < whole.min(telling) && rest == Rest::MayCome {
            return Step::More;
        }
        match from {
            Side::Client => self.asked(&header, body),
            Side::Server => self.answered(&header, body),
        }
    }
}

impl Grammar {
    fn asked(&mut self, header: &Header, body: &[u8]) -> Step {
        let notice = Step::Message(Unit::new(header.length.into(), Role::Notice));
        let ask = Unit::new(header.length.into(), Role::Ask { ends: true });
        let flags = number(body, 0).unwrap_or(0);
        let document = match header.operation {
            MSG if flags & MORE_TO_COME != 0 => return notice,
            MSG => document(body),
            // Flags, the name of the collection, and two numbers.
            QUERY => {
                let name = body.get(4..).and_then(|it| memchr::memchr(0, it));
                name.and_then(|end| body.get(4 + end + 1 + 8..))
            }
            GET_MORE => return Step::Message(ask.named("command", b"getMore")),
            COMPRESSED => return Step::Message(ask.named("command", b"")),
            // Insert, update, delete and the end of a cursor had no answer of their own.
            2001 | 2002 | 2006 | 2007 => return notice,
            _ => return Step::Broken,
        };
        let document = document.unwrap_or_default();
        let first = Element::all(document).next();
        let name = first.as_ref().map(|it| it.name).unwrap_or_default();
        let is_hello = [&b"hello"[..], b"ismaster", b"isMaster"].contains(&name);
        let listens = flags & EXHAUST_ALLOWED != 0 && header.operation == MSG
            || Element::all(document).any(|it| it.name == b"topologyVersion");
        if is_hello && listens {
            // It is answered when something changes, or after ten seconds.
            if self.listening.len() == MAX_LISTENING {
                self.listening.pop_front();
            }
            self.listening.push_back(header.id);
            return notice;
        }
        // The value of the first key is the collection, if it is a text.
        let collection = first.and_then(|it| it.text()).filter(|_| !is_hello);
        let words = match collection {
            Some(collection) => [name, b" ", collection].concat(),
            None => name.to_vec(),
        };
        let ask = ask.named("command", &words).safe(READS.contains(&name));
        Step::Message(match driver(document).filter(|_| is_hello) {
            Some((name, version)) => ask.by(name, version),
            None => ask,
        })
    }

    fn answered(&mut self, header: &Header, body: &[u8]) -> Step {
        let flags = number(body, 0).unwrap_or(0);
        let more = header.operation == MSG && flags & MORE_TO_COME != 0;
        if let Some(place) = self.listening.iter().position(|id| *id == header.answers) {
            self.listening.remove(place);
            if more {
                // The next one answers this one.
                self.listening.push_back(header.id);
            }
            return Step::Message(Unit::new(header.length.into(), Role::Notice));
        }
        let document = match header.operation {
            MSG => document(body),
            // Flags, a cursor, and two numbers.
            REPLY => body.get(20..),
            COMPRESSED => None,
            _ => return Step::Broken,
        };
        let unit = Unit::new(header.length.into(), Role::Answer { ends: !more });
        let Some((code, text)) = document.and_then(failure) else {
            return Step::Message(unit);
        };
        // The authentication failed.
        let over = code == 18;
        let name = document
            .and_then(|it| Element::all(it).find(|it| it.name == b"codeName")?.text())
            .unwrap_or_default();
        let said = [code.to_string().as_bytes(), b" ", name].concat();
        Step::Message(match over {
            true => unit.complaining(said.trim_ascii(), text).fatal(),
            false => unit.complaining(said.trim_ascii(), text),
        })
    }
}

/// The document of a message, behind its flags and the kind of its section. Another section may come first.
fn document(body: &[u8]) -> Option<&[u8]> {
    let mut sections = body.get(4..)?;
    loop {
        match sections.first()? {
            0 => return sections.get(1..),
            1 => {
                let length = usize::try_from(number(sections, 1)?).ok()?;
                sections = sections.get(1 + length..)?;
            }
            _ => return None,
        }
    }
}

/// The driver's name and version in a hello; what follows `|` is what wraps it.
fn driver(document: &[u8]) -> Option<(&[u8], &[u8])> {
    let inside = |document, name: &[u8]| {
        let mut all = Element::all(document);
        all.find(|it| it.kind == 0x03 && it.name == name)
            .map(|it| it.value)
    };
    let driver = inside(inside(document, b"client")?, b"driver")?;
    let text = |name: &[u8]| Element::all(driver).find(|it| it.name == name)?.text();
    let first = |it: &'_ [u8]| it.iter().position(|byte| *byte == b'|').unwrap_or(it.len());
    let (name, version) = (text(b"name")?, text(b"version").unwrap_or_default());
    Some((name.get(..first(name))?, version.get(..first(version))?))
}

/// The code and the text of a document that reports an error.
fn failure(document: &[u8]) -> Option<(u32, &[u8])> {
    let field = |name: &[u8]| Element::all(document).find(|it| it.name == name);
    let failed = field(b"ok").is_some_and(|it| it.value.iter().all(|byte| *byte == 0));
    let text = field(b"errmsg").or_else(|| field(b"$err"))?.text()?;
    let code = field(b"code")
        .and_then(|it| number(it.value, 0))
        .unwrap_or(0);
    failed.then_some((code, text))
}

/// An element of a document in BSON.
struct Element<'a> {
    kind: u8,
    name: &'a [u8],
    value: &'a [u8],
}

impl<'a> Element<'a> {
    /// The elements, as far as they are there.
    fn all(document: &'a [u8]) -> impl Iterator<Item = Self> {
        let mut rest = document.get(4..).unwrap_or_default();
        std::iter::from_fn(move || {
            let (element, after) = Self::first(rest)?;
            rest = after;
            Some(element)
        })
    }

    fn first(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (kind, after) = bytes.split_first()?;
        let end = memchr::memchr(0, after)?;
        let (name, value) = (after.get(..end)?, after.get(end + 1..)?);
        let length = || usize::try_from(number(value, 0)?).ok();
        let size = match kind {
            0x01 | 0x09 | 0x11 | 0x12 => 8,
            0x02 => length()?.checked_add(4)?,
            0x03 | 0x04 => length()?,
            0x05 => length()?.checked_add(5)?,
            0x07 => 12,
            0x08 => 1,
            0x0a => 0,
            0x10 => 4,
            0x13 => 16,
            _ => return None,
        };
        let whole = value.get(..size).unwrap_or(value);
        let element = Self {
            kind: *kind,
            name,
            value: whole,
        };
        Some((element, value.get(size..).unwrap_or_default()))
    }

    /// Its text, if it is one.
    fn text(&self) -> Option<&'a [u8]> {
        let text = self.value.get(4..).filter(|_| self.kind == 0x02)?;
        Some(text.strip_suffix(b"\0").unwrap_or(text))
    }
}

#[cfg(test)]
mod tests {
    use crate::protocol::dialogue::tests::{Said, told};

    fn element(kind: u8, name: &str, value: &[u8]) -> Vec<u8> {
        [&[kind], name.as_bytes(), b"\0", value].concat()
    }

    fn text(name: &str, value: &str) -> Vec<u8> {
        let length = (value.len() as u32 + 1).to_le_bytes();
        element(2, name, &[&length, value.as_bytes(), b"\0"].concat())
    }

    fn message(id: u32, answers: u32, flags: u32, elements: &[Vec<u8>]) -> Vec<u8> {
        let elements = elements.concat();
        let document = [
            &(elements.len() as u32 + 5).to_le_bytes()[..],
            &elements,
            b"\0",
        ]
        .concat();
        let length = 16 + 4 + 1 + document.len() as u32;
        let head = [length, id, answers, 2013, flags]
            .map(u32::to_le_bytes)
            .concat();
        [&head[..], b"\0", &document].concat()
    }

    #[test]
    fn whose_turn_it_is() {
        let ok = |id: u32| message(9, id, 0, &[element(1, "ok", &1_f64.to_le_bytes())]);
        let ping = message(1, 0, 0, &[element(0x10, "ping", &[1, 0, 0, 0])]);
        let find = message(2, 0, 0, &[text("find", "users"), text("$db", "test")]);
        let silent = message(3, 0, 2, &[text("insert", "users")]);
        let listens = message(4, 0, 1 << 16, &[element(0x10, "hello", &[1, 0, 0, 0])]);
        let refused = message(
            9,
            2,
            0,
            &[
                element(1, "ok", &[0; 8]),
                text("errmsg", "no"),
                element(0x10, "code", &[13, 0, 0, 0]),
                text("codeName", "Unauthorized"),
            ],
        );
        let (first, second) = (ok(1), ok(2));
        let more = message(10, 4, 2, &[element(1, "ok", &1_f64.to_le_bytes())]);
        let next = message(11, 10, 0, &[element(1, "ok", &1_f64.to_le_bytes())]);
        let cases: &[(Said<'_>, &str)] = &[
            (&[], "between"),
            (&[(">", &find)], "command find users: unanswered; waiting"),
            (
                &[(">", &find), ("<", &second)],
                "command find users: answered; between",
            ),
            (
                &[(">", &find), ("<", &refused)],
                "command find users: answered; B: 13 Unauthorized no; between",
            ),
            (&[(">", &silent)], "between"),
            (&[(">", &listens)], "between"),
            (
                &[(">", &listens), (">", &find), ("<", &more), ("<", &next)],
                "command find users: unanswered; waiting",
            ),
        ];
        for (said, expected) in cases {
            let told = told(1, &[&[(">", &ping[..]), ("<", &first[..])], *said].concat());
            assert_eq!(told, format!("MongoDB; command ping: answered; {expected}"));
        }
    }
}
