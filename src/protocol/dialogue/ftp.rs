//! The control connection of FTP (RFC 959, RFC 4217): the server greets, every command gets replies of which the last one does
//! not begin with 1.

use std::net::IpAddr;

use super::grammar::{Announced, Messages, Opening, Rest, Role, Side, Step, Unit};
use super::lines::{begins, closing, is_reply, line, may_begin, reply, says};

/// The grammar.
#[derive(Clone, Debug, Default)]
pub(super) struct Grammar {
    /// The code of the reply of several lines that the server is in the middle of.
    inside: Option<[u8; 3]>,
    /// Commands without their last reply.
    open: u32,
    /// A command was answered.
    used: bool,
}

/// Commands with which clients begin.
const FIRST: [&[u8]; 7] = [
    b"USER", b"AUTH", b"FEAT", b"SYST", b"OPTS", b"QUIT", b"HOST",
];

/// Commands by which clients learn what the server can do (RFC 959, RFC 2389).
const OPTIONAL: [&[u8]; 4] = [b"FEAT", b"OPTS", b"SYST", b"CLNT"];
/// Commands that take a data connection.
const TRANSFERS: [&[u8]; 7] = [
    b"RETR", b"STOR", b"STOU", b"APPE", b"LIST", b"NLST", b"MLSD",
];

/// The first bytes are those of FTP.
pub(super) fn recognise(opening: &Opening<'_>) -> bool {
    let greets = [&b"220"[..], b"120", b"421", b"500", b"530"]
        .iter()
        .any(|code| opening.server.starts_with(code));
    let named = opening.port == 21 || says(opening.server, b"FTP");
    let calls = !opening.client.is_empty() && !opening.midstream;
    is_reply(opening.server) && greets && (named || calls) && may_begin(opening.client, &FIRST)
}

impl Messages for Grammar {
    fn new(_opening: &Opening<'_>) -> Self {
        Self::default()
    }

    fn next(&mut self, from: Side, bytes: &[u8], rest: Rest) -> Step {
        match (line(bytes, rest), from) {
            (Ok((line, length)), Side::Server) => self.answered(line, length),
            (Ok((line, length)), Side::Client) => self.asked(line, length),
            (Err(step), _) => step,
        }
    }
}

impl Grammar {
    fn asked(&mut self, line: &[u8], length: u64) -> Step {
        // Before ABOR clients may send commands of Telnet (RFC 959 §4.1.3).
        let start = line.iter().position(u8::is_ascii_alphabetic);
        let line = line.get(start.unwrap_or(0)..).unwrap_or(line);
        if begins(line, b"QUIT") {
            return Step::Message(Unit::new(length, Role::Goodbye));
        }
        let secret = [&b"PASS"[..], b"ACCT", b"ADAT"]
            .iter()
            .any(|word| begins(line, word));
        let end = memchr::memchr(b' ', line).filter(|_| secret);
        let told = line.get(..end.unwrap_or(line.len())).unwrap_or(line);
        self.open = self.open.saturating_add(1);
        let acts = [
            &b"STOR"[..],
            b"STOU",
            b"APPE",
            b"DELE",
            b"RNFR",
            b"RNTO",
            b"MKD",
            b"RMD",
            b"SITE",
        ];
        let safe = !acts.iter().any(|word| begins(line, word));
        let mut ask = Unit::new(length, Role::Ask { ends: true });
        ask.transfers = TRANSFERS.iter().any(|word| begins(line, word));
        let ask = ask.announcing(offered(line));
        let optional = OPTIONAL.iter().any(|word| begins(line, word));
        let ask = ask.named("command", told).safe(safe);
        Step::Message(ask.optional(optional))
    }

    fn answered(&mut self, line: &[u8], length: u64) -> Step {
        let part = Unit::new(length, Role::Answer { ends: false });
        if let Some(code) = self.inside {
            let ends = line.starts_with(&code) && matches!(line.get(3), None | Some(b' '));
            if !ends {
                return Step::Message(part);
            }
            self.inside = None;
        } else if line.get(3) == Some(&b'-') {
            self.inside = line.first_chunk().copied();
        }
        match line.first() {
            // What was asked goes on; its last reply follows.
            Some(b'1') if is_reply(line) => Step::Message(part),
            _ if line.starts_with(b"227 ") || line.starts_with(b"229 ") => {
                let step = self.replied(line, length);
                match step {
                    Step::Message(unit) => Step::Message(unit.announcing(waited_for(line))),
                    other => other,
                }
            }
            _ if line.starts_with(b"421") => closing(length, line, self.used && self.open == 0),
            _ if line.starts_with(b"220") && !self.used && self.open == 0 => {
                let text = line.get(4..).unwrap_or_default();
                match self.replied(line, length) {
                    Step::Message(unit) => Step::Message(unit.by(text, b"")),
                    other => other,
                }
            }
            _ => self.replied(line, length),
        }
    }

    fn replied(&mut self, line: &[u8], length: u64) -> Step {
        if self.inside.is_none() && self.open > 0 {
            self.open -= 1;
            self.used = true;
        }
        reply(line, length, b'4')
    }
}

/// The endpoint at which the client waits for a data connection (RFC 959 §4.1.2, RFC 2428 §2).
fn offered(line: &[u8]) -> Option<Announced> {
    let told = |word: &[u8]| line.get(word.len() + 1..).filter(|_| begins(line, word));
    let (address, port) = match (told(b"PORT"), told(b"EPRT")) {
        (Some(numbers), _) => six_numbers(numbers)?,
        (_, Some(fields)) => extended(fields)?,
        _ => return None,
    };
    Some(Announced {
        address,
        port,
        passive: false,
    })
}

/// The endpoint at which the server waits (the replies 227 and 229).
fn waited_for(line: &[u8]) -> Option<Announced> {
    let text = line.get(4..)?;
    let start = memchr::memchr(b'(', text).map(|at| at + 1);
    let (address, port) = match line.starts_with(b"229") {
        true => extended(text.get(start?..)?)?,
        // Some servers leave out the brackets.
        false => {
            let digit = || text.iter().position(u8::is_ascii_digit);
            six_numbers(text.get(start.or_else(digit)?..)?)?
        }
    };
    Some(Announced {
        address,
        port,
        passive: true,
    })
}

/// Four numbers of an address and two of a port, with commas between.
fn six_numbers(text: &[u8]) -> Option<(Option<IpAddr>, u16)> {
    let end = text
        .iter()
        .position(|byte| !byte.is_ascii_digit() && !b", ".contains(byte));
    let text = std::str::from_utf8(text.get(..end.unwrap_or(text.len()))?).ok()?;
    let numbers: Vec<u8> = text
        .split(',')
        .map(|number| number.trim().parse().ok())
        .collect::<Option<_>>()?;
    let [a, b, c, d, high, low] = numbers[..] else {
        return None;
    };
    Some((Some([a, b, c, d].into()), u16::from_be_bytes([high, low])))
}

/// The fields of EPRT and of the reply 229: family, address and port between delimiters; the first two may be empty.
fn extended(text: &[u8]) -> Option<(Option<IpAddr>, u16)> {
    let delimiter = *text.first()?;
    let mut fields = text.split(|byte| *byte == delimiter).skip(2);
    let word = |field: Option<&[u8]>| std::str::from_utf8(field?).ok().map(str::to_owned);
    let address = word(fields.next())?;
    let port = word(fields.next())?.parse().ok()?;
    Some((address.parse().ok(), port))
}

#[cfg(test)]
mod tests {
    use super::{offered, waited_for};
    use crate::protocol::dialogue::tests::{Said, told};

    /// A line of either side, and the endpoint that it announces.
    #[test]
    fn endpoints_of_data_connections_are_read() {
        let rows: &[(&str, Option<&str>)] = &[
            ("PORT 10,79,0,2,141,139", Some("10.79.0.2 36235 active")),
            ("eprt |2|2001:db8::1|5282|", Some("2001:db8::1 5282 active")),
            ("PORT 10,79,0,2,141", None),
            ("PORT 10,79,0,2,999,1", None),
            ("PORTAL 1,2,3,4,5,6", None),
            (
                "227 Entering Passive Mode (10,79,0,1,156,64).",
                Some("10.79.0.1 40000 passive"),
            ),
            ("227 =10,79,0,1,156,64", Some("10.79.0.1 40000 passive")),
            (
                "229 Entering Extended Passive Mode (|||34636|)",
                Some("- 34636 passive"),
            ),
            ("229 Entering", None),
            ("227 (", None),
        ];
        for (line, expected) in rows {
            let bytes = line.as_bytes();
            let found = match line.starts_with('2') {
                true => waited_for(bytes),
                false => offered(bytes),
            };
            let told = found.map(|it| {
                let address = it.address.map_or("-".to_owned(), |it| it.to_string());
                let mode = if it.passive { "passive" } else { "active" };
                format!("{address} {} {mode}", it.port)
            });
            assert_eq!(told.as_deref(), *expected, "{line}");
        }
    }

    #[test]
    fn whose_turn_it_is() {
        let open: [(&str, &[u8]); 3] = [
            ("<", b"220-hello\r\n to you\r\n220 (vsFTPd 3.0.3)\r\n"),
            (">", b"USER a\r\n"),
            ("<", b"331 password\r\n"),
        ];
        let cases: &[(Said<'_>, &str)] = &[
            (&[], "between"),
            (&[(">", b"PASS b\r\n")], "command PASS: unanswered; waiting"),
            (
                &[(">", b"PASS b\r\n"), ("<", b"530 no\r\n")],
                "command PASS: answered; B: 530 no; between",
            ),
            (
                &[(">", b"RETR x\r\n"), ("<", b"150 here\r\n")],
                "command RETR x: answer begun; response-body",
            ),
            (
                &[(">", b"RETR x\r\n"), ("<", b"150 here\r\n226 done\r\n")],
                "command RETR x: answered; between",
            ),
            (
                &[
                    (">", b"FEAT\r\n"),
                    ("<", b"211-features\r\n UTF8\r\n211 end\r\n"),
                ],
                "command FEAT: answered; between",
            ),
            (
                &[
                    (">", b"RETR x\r\n"),
                    ("<", b"150 here\r\n"),
                    (">", b"\xff\xf4\xff\xf2ABOR\r\n"),
                    ("<", b"426 cut\r\n226 ok\r\n"),
                ],
                "command RETR x: answered; command ABOR: answered; B: 426 cut; between",
            ),
            (
                &[("<", b"421 Timeout.\r\n")],
                "B: 421 Timeout.; goodbye; after",
            ),
            (
                &[(">", b"QUIT\r\n"), ("<", b"221 bye\r\n")],
                "goodbye; after",
            ),
        ];
        for (said, expected) in cases {
            let all = [&open[..], said].concat();
            let begun = "FTP; command USER a: answered; ";
            assert_eq!(told(21, &all), format!("{begun}{expected}"));
        }
    }

    #[test]
    fn a_server_that_refuses_says_so_first() {
        assert_eq!(
            told(21, &[("<", b"421 There are too many connected users.\r\n")]),
            "FTP; B: 421 There are too many connected users.; before-request"
        );
    }
}
