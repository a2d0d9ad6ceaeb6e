//! memcached: the text protocol with its meta commands (protocol.txt of memcached) and the binary protocol (memcached wiki,
//! "BinaryProtocolRevamped").

use super::grammar::{Messages, Opening, Rest, Role, Side, Step, Unit};
use super::lines::line;

/// The header of the binary protocol, and its first byte in both directions.
const HEADER: usize = 24;
const ASKS: u8 = 0x80;
const ANSWERS: u8 = 0x81;
/// Bytes of the text of an error that are waited for.
const MAX_ERROR: u64 = 100;

/// The grammar.
#[derive(Clone, Debug, Default)]
pub(super) struct Grammar {
    binary: bool,
    /// The client watches: the server tells what happens.
    watches: bool,
}

/// Commands that a value follows, and others.
const STORES: &[&[u8]] = &[b"set", b"add", b"replace", b"append", b"prepend", b"cas"];
const OTHERS: &[&[u8]] = &[
    b"get", b"gets", b"gat", b"gats", b"incr", b"decr", b"touch", b"delete", b"mg", b"md", b"ma",
    b"me", b"mn", b"ms",
];
const LONE: &[&[u8]] = &[b"version", b"stats", b"flush_all", b"mn", b"quit"];

fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|byte| *byte == b' ')
        .filter(|word| !word.is_empty())
}

fn number(word: Option<&[u8]>) -> Option<u64> {
    std::str::from_utf8(word?).ok()?.parse().ok()
}

/// The first bytes are those of memcached.
pub(super) fn recognise(opening: &Opening<'_>) -> bool {
    if let [ASKS, opcode, ..] = opening.client {
        return *opcode <= 0x2f && opening.client.len() >= HEADER && is_binary(opening.client);
    }
    let Ok((line, _)) = line(opening.client, Rest::MayCome) else {
        return false;
    };
    let count = words(line).count();
    let Some(name) = words(line).next() else {
        return false;
    };
    let numbers = || {
        words(line)
            .skip(2)
            .take(3)
            .all(|word| number(Some(word)).is_some())
    };
    let replies = |texts: &[&[u8]]| texts.iter().any(|text| opening.server.starts_with(text));
    STORES.contains(&name) && count >= 5 && numbers()
        || OTHERS.contains(&name)
            && count >= 2
            && (opening.port == 11211
                || replies(&[
                    b"VALUE ",
                    b"END\r\n",
                    b"DELETED",
                    b"NOT_FOUND",
                    b"EN\r\n",
                    b"HD",
                ]))
        || LONE.contains(&name)
            && (opening.port == 11211 || replies(&[b"VERSION ", b"STAT ", b"MN\r\n"]))
}

/// Requests that have no key: Quit, Flush, No-op, Version, Stat, QuitQ, FlushQ, Verbosity, SASL list mechs.
const KEYLESS: [u8; 9] = [0x07, 0x08, 0x0a, 0x0b, 0x10, 0x17, 0x18, 0x1b, 0x20];

/// Whether the lengths in a binary header agree, and a request that needs a key has one.
fn is_binary(bytes: &[u8]) -> bool {
    match sizes(bytes) {
        Some((key, extras, body)) => {
            let names_nothing = bytes.get(1).is_some_and(|opcode| KEYLESS.contains(opcode));
            bytes.get(5) == Some(&0)
                && key + extras <= body
                && body < 1 << 27
                && (key > 0 || names_nothing)
        }
        None => false,
    }
}

/// Bytes of the key, of the extras, and of all that follows a binary header.
fn sizes(bytes: &[u8]) -> Option<(u64, u64, u64)> {
    let key = u16::from_be_bytes(*bytes.get(2..)?.first_chunk()?);
    let body = u32::from_be_bytes(*bytes.get(8..)?.first_chunk()?);
    Some((key.into(), (*bytes.get(4)?).into(), body.into()))
}

impl Messages for Grammar {
    fn new(opening: &Opening<'_>) -> Self {
        Self {
            binary: opening.client.first() == Some(&ASKS),
            watches: false,
        }
    }

    fn next(&mut self, from: Side, bytes: &[u8], rest: Rest) -> Step {
        if self.binary {
            return binary(from, bytes, rest);
        }
        if from == Side::Server && self.watches {
            return Step::Message(Unit::new(bytes.len() as u64, Role::Notice));
        }
        match (line(bytes, rest), from) {
            (Ok((line, length)), Side::Client) => self.asked(line, length),
            (Ok((line, length)), Side::Server) => answered(line, length),
            (Err(step), _) => step,
        }
    }
}

impl Grammar {
    fn asked(&mut self, line: &[u8], length: u64) -> Step {
        let mut all = words(line);
        let Some(name) = all.next() else {
            return Step::Message(Unit::new(length, Role::Notice));
        };
        let key = all.next();
        let value = match name {
            _ if STORES.contains(&name) => number(all.nth(2)),
            b"ms" => number(all.next()),
            _ => None,
        };
        let whole = match value {
            Some(size) => length.saturating_add(size).saturating_add(2),
            None => length,
        };
        let is_meta = matches!(name, b"mg" | b"ms" | b"md" | b"ma");
        let quiet = match is_meta {
            true => words(line).skip(2).any(|flag| flag == b"q"),
            false => line.ends_with(b" noreply"),
        };
        self.watches |= name == b"watch";
        let words = [name, key.unwrap_or_default()].join(&b' ');
        Step::Message(match name {
            b"quit" => Unit::new(whole, Role::Goodbye),
            _ if quiet || name == b"watch" => Unit::new(whole, Role::Notice),
            _ => Unit::new(whole, Role::Ask { ends: true }).named("command", words.trim_ascii()),
        })
    }
}

fn answered(line: &[u8], length: u64) -> Step {
    let answer = |whole, ends| Step::Message(Unit::new(whole, Role::Answer { ends }));
    let first = words(line).next().unwrap_or_default();
    let with = |size: Option<u64>| match size {
        Some(size) => length.saturating_add(size).saturating_add(2),
        None => length,
    };
    match first {
        b"VALUE" => answer(with(number(words(line).nth(3))), false),
        b"STAT" | b"ITEM" => answer(length, false),
        b"VA" => answer(with(number(words(line).nth(1))), true),
        b"ERROR" | b"CLIENT_ERROR" | b"SERVER_ERROR" => {
            let unit = Unit::new(length, Role::Answer { ends: true });
            let full = line.starts_with(b"ERROR Too many open connections");
            Step::Message(match full {
                true => unit.complaining(b"", line).fatal(),
                false => unit.complaining(b"", line),
            })
        }
        _ if line.iter().all(|byte| matches!(byte, b' '..=b'~')) => answer(length, true),
        _ => Step::Broken,
    }
}

fn binary(from: Side, bytes: &[u8], rest: Rest) -> Step {
    let Some((key, extras, body)) = sizes(bytes).filter(|_| bytes.len() >= HEADER) else {
        return match rest {
            Rest::MayCome => Step::More,
            Rest::NotCaptured => Step::Broken,
        };
    };
    let whole = HEADER as u64 + body;
    match (from, bytes) {
        (Side::Client, [ASKS, opcode, ..]) => Step::Message(match opcode {
            0x07 | 0x17 => Unit::new(whole, Role::Goodbye),
            // They are answered only if something is wrong, or found.
            0x09 | 0x0d | 0x11..=0x16 | 0x18..=0x1a | 0x1e | 0x24 => Unit::new(whole, Role::Notice),
            _ => Unit::new(whole, Role::Ask { ends: true }).named("command", name(*opcode)),
        }),
        (Side::Server, [ANSWERS, opcode, _, _, _, _, high, low, ..]) => {
            let status = u16::from_be_bytes([*high, *low]);
            // Not found, exists, not stored: answers as good as any.
            let refuses = !matches!(status, 0 | 1 | 2 | 5 | 0x21);
            if refuses && (bytes.len() as u64) < whole.min(MAX_ERROR) && rest == Rest::MayCome {
                return Step::More;
            }
            // Statistics end with an empty one.
            let ends = *opcode != 0x10 || body == 0 || status != 0;
            let silent = matches!(opcode, 0x09 | 0x0d);
            let unit = Unit::new(
                whole,
                match silent {
                    true => Role::Notice,
                    false => Role::Answer { ends },
                },
            );
            let at = HEADER + usize::try_from(key + extras).unwrap_or(0);
            let text = bytes
                .get(
                    at..bytes
                        .len()
                        .min(usize::try_from(whole).unwrap_or(usize::MAX)),
                )
                .unwrap_or_default();
            Step::Message(match (refuses, status) {
                (false, _) => unit,
                (true, 0x20) => unit.complaining(b"0x20", text).fatal(),
                (true, _) => unit.complaining(format!("{status:#04x}").as_bytes(), text),
            })
        }
        _ => Step::Broken,
    }
}

fn name(opcode: u8) -> &'static [u8] {
    match opcode {
        0x00 => b"get",
        0x01 => b"set",
        0x02 => b"add",
        0x03 => b"replace",
        0x04 => b"delete",
        0x05 => b"increment",
        0x06 => b"decrement",
        0x08 => b"flush",
        0x0a => b"no-op",
        0x0b => b"version",
        0x0c => b"get key",
        0x0e => b"append",
        0x0f => b"prepend",
        0x10 => b"stat",
        0x1c => b"touch",
        0x1d => b"get and touch",
        0x20 => b"SASL list mechanisms",
        0x21 => b"SASL authentication",
        0x22 => b"SASL step",
        _ => b"",
    }
}

#[cfg(test)]
mod tests {
    use crate::protocol::dialogue::tests::{Said, told};

    #[test]
    fn whose_turn_it_is() {
        let set: (&str, &[u8]) = (">", b"set a 0 60 3\r\nabc\r\n");
        let cases: &[(Said<'_>, &str)] = &[
            (&[], "waiting"),
            (&[("<", b"STORED\r\n")], "between"),
            (
                &[("<", b"STORED\r\n"), (">", b"get a\r\n")],
                "command get a: unanswered; waiting",
            ),
            (
                &[
                    ("<", b"STORED\r\n"),
                    (">", b"get a\r\n"),
                    ("<", b"VALUE a 0 3\r\nabc\r\n"),
                ],
                "command get a: answer begun; response-body",
            ),
            (
                &[
                    ("<", b"STORED\r\n"),
                    (">", b"get a\r\n"),
                    ("<", b"VALUE a 0 3\r\nEND\r\nEND\r\n"),
                ],
                "command get a: answered; between",
            ),
            (
                &[
                    ("<", b"STORED\r\n"),
                    (">", b"get a\r\n"),
                    ("<", b"VALUE a 0 3\r\nabc\r\nEND\r\n"),
                ],
                "command get a: answered; between",
            ),
            (
                &[("<", b"STORED\r\n"), (">", b"delete a noreply\r\n")],
                "between",
            ),
            (&[("<", b"STORED\r\n"), (">", b"mg a v q\r\n")], "between"),
            (
                &[("<", b"STORED\r\n"), (">", b"quit\r\n")],
                "goodbye; after",
            ),
            (
                &[("<", b"SERVER_ERROR object too large for cache\r\n")],
                "B: - SERVER_ERROR object too large for cache; between",
            ),
        ];
        for (said, expected) in cases {
            let told = told(1, &[&[set], *said].concat());
            let how = if said.is_empty() {
                "unanswered"
            } else {
                "answered"
            };
            assert_eq!(told, format!("memcached; command set a: {how}; {expected}"));
        }
    }

    /// A length of another protocol may begin like a request: one without the key that it needs is none.
    #[test]
    fn a_request_without_a_key_is_of_another_protocol() {
        let client = b"\x80\0\0\0\0\0\0\0\x01\0\0\0NONSTRUCTURE_CONF\0\0\0";
        let opening = |client| super::Opening {
            client,
            server: b"",
            port: 2000,
            midstream: false,
        };
        assert!(!super::recognise(&opening(client)));
        let noop = [&[0x80, 0x0a][..], &[0; 22]].concat();
        assert!(super::recognise(&opening(&noop)));
    }

    #[test]
    fn the_binary_protocol_says_it_in_bytes() {
        let ask = |opcode| {
            [
                &[0x80, opcode, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1][..],
                &[0; 12],
                b"a",
            ]
            .concat()
        };
        let answer = |status| {
            [
                &[0x81, 0, 0, 0, 0, 0, 0, status, 0, 0, 0, 2][..],
                &[0; 12],
                b"no",
            ]
            .concat()
        };
        let get = ask(0);
        let first = [(">", &get[..]), ("<", &answer(1)[..])];
        let quiet = ask(9);
        let quit = ask(7);
        let bad = answer(0x82);
        let cases: &[(Said<'_>, &str)] = &[
            (&[], "between"),
            (&[(">", &quiet)], "between"),
            (&[(">", &get)], "command get: unanswered; waiting"),
            (
                &[(">", &get), ("<", &bad)],
                "command get: answered; B: 0x82 no; between",
            ),
            (&[(">", &quit)], "goodbye; after"),
        ];
        for (said, expected) in cases {
            let told = told(1, &[&first[..], said].concat());
            assert_eq!(
                told,
                format!("memcached; command get: answered; {expected}")
            );
        }
    }
}
