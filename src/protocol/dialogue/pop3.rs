//! POP3 (RFC 1939): the server greets, every command gets a line of `+OK` or `-ERR`, and some of the former go on until a line
//! of a single dot.

use std::collections::VecDeque;

use super::grammar::{Messages, Opening, Rest, Role, Side, Step, Unit};
use super::lines::{begins, line, may_begin, until_dot};

/// Commands that are followed while they have no answer.
const MAX_OPEN: usize = 256;

/// The grammar.
#[derive(Clone, Debug, Default)]
pub(super) struct Grammar {
    /// For every command without an answer, whether that has many lines.
    open: VecDeque<bool>,
    /// The server greeted.
    greeted: bool,
    /// The server sends a text.
    text: bool,
    /// Its next bytes begin a line.
    fresh: bool,
    /// The client's next line is a part of an authentication.
    authenticates: bool,
}

/// Commands with which clients begin.
const FIRST: [&[u8]; 7] = [
    b"CAPA", b"USER", b"AUTH", b"APOP", b"STLS", b"QUIT", b"NOOP",
];

/// The first bytes are those of POP3.
pub(super) fn recognise(opening: &Opening<'_>) -> bool {
    // Without a text it is the answer of Redis as well.
    let bare = opening.server.starts_with(b"+OK\r") && opening.port == 110;
    let greets = opening.server.starts_with(b"+OK ") || bare;
    let refuses = opening.server.starts_with(b"-ERR ") && opening.port == 110;
    // Another protocol answers `+OK` to what its client said first.
    let first = opening.client.is_empty() && !opening.midstream || opening.port == 110;
    (greets || refuses) && first && may_begin(opening.client, &FIRST)
}

impl Messages for Grammar {
    fn new(_opening: &Opening<'_>) -> Self {
        Self::default()
    }

    fn next(&mut self, from: Side, bytes: &[u8], rest: Rest) -> Step {
        if from == Side::Server && self.text {
            return match until_dot(bytes, &mut self.fresh) {
                Ok((length, ends)) => {
                    self.text = !ends;
                    Step::Message(Unit::new(length, Role::Answer { ends }))
                }
                Err(step) => step,
            };
        }
        match (line(bytes, rest), from) {
            (Ok((line, length)), Side::Server) => self.answered(line, length),
            (Ok((line, length)), Side::Client) => self.asked(line, length),
            (Err(step), _) => step,
        }
    }
}

impl Grammar {
    fn asked(&mut self, line: &[u8], length: u64) -> Step {
        let ask = Unit::new(length, Role::Ask { ends: true });
        if self.authenticates {
            self.authenticates = false;
            return Step::Message(ask.named("authentication", b""));
        }
        if begins(line, b"QUIT") {
            return Step::Message(Unit::new(length, Role::Goodbye));
        }
        if self.open.len() >= MAX_OPEN {
            return Step::Broken;
        }
        let is = |word: &[u8]| begins(line, word);
        let alone = !line.contains(&b' ');
        let listed = alone && (is(b"LIST") || is(b"UIDL") || is(b"AUTH"));
        self.open
            .push_back(listed || is(b"CAPA") || is(b"RETR") || is(b"TOP"));
        let secret = is(b"PASS") || is(b"AUTH") || is(b"APOP");
        let end = memchr::memchr(b' ', line).filter(|_| secret);
        let told = line.get(..end.unwrap_or(line.len())).unwrap_or(line);
        // What is deleted is only marked until QUIT.
        // It asks what the server can do (RFC 2449).
        let optional = is(b"CAPA") || alone && is(b"AUTH");
        let ask = ask.named("command", told).safe(true);
        Step::Message(ask.optional(optional))
    }

    fn answered(&mut self, line: &[u8], length: u64) -> Step {
        let answer = |ends| Unit::new(length, Role::Answer { ends });
        if matches!(line, [b'+'] | [b'+', b' ', ..]) {
            self.authenticates = true;
            return Step::Message(answer(true));
        }
        self.authenticates = false;
        if let Some(text) = line.strip_prefix(b"-ERR") {
            self.greeted = true;
            self.open.pop_front();
            return Step::Message(answer(true).complaining(b"-ERR", text.trim_ascii()));
        }
        if !line.starts_with(b"+OK") {
            return Step::Broken;
        }
        if !std::mem::replace(&mut self.greeted, true) {
            let text = line.get(4..).unwrap_or_default();
            return Step::Message(answer(true).by(text, b""));
        }
        self.text = self.open.pop_front().unwrap_or(false);
        self.fresh = true;
        Step::Message(answer(!self.text))
    }
}

#[cfg(test)]
mod tests {
    use crate::protocol::dialogue::tests::{Said, told};

    #[test]
    fn whose_turn_it_is() {
        let open: [(&str, &[u8]); 3] = [
            ("<", b"+OK ready\r\n"),
            (">", b"USER a\r\n"),
            ("<", b"+OK\r\n"),
        ];
        let cases: &[(Said<'_>, &str)] = &[
            (&[], "between"),
            (&[(">", b"PASS b\r\n")], "command PASS: unanswered; waiting"),
            (
                &[(">", b"PASS b\r\n"), ("<", b"-ERR no such user\r\n")],
                "command PASS: answered; B: -ERR no such user; between",
            ),
            (
                &[(">", b"RETR 1\r\n"), ("<", b"+OK 9 octets\r\na\r\n..\r\n")],
                "command RETR 1: answer begun; response-body",
            ),
            (
                &[
                    (">", b"LIST\r\nLIST 1\r\n"),
                    ("<", b"+OK\r\n1 9\r\n.\r\n+OK 1 9\r\n"),
                ],
                "command LIST: answered; command LIST 1: answered; between",
            ),
            (
                &[
                    (">", b"AUTH PLAIN\r\n"),
                    ("<", b"+ \r\n"),
                    (">", b"AGEAYg==\r\n"),
                    ("<", b"+OK in\r\n"),
                ],
                "command AUTH: answered; authentication: answered; between",
            ),
            (
                &[(">", b"QUIT\r\n"), ("<", b"+OK bye\r\n")],
                "goodbye; after",
            ),
        ];
        for (said, expected) in cases {
            let all = [&open[..], said].concat();
            let begun = "POP3; command USER a: answered; ";
            assert_eq!(told(110, &all), format!("{begun}{expected}"));
        }
    }

    #[test]
    fn the_same_words_in_answer_to_a_client_that_spoke_first_are_not_it() {
        let said: [(&str, &[u8]); 2] = [(">", b"AUTH secret\r\n"), ("<", b"+OK\r\n")];
        assert!(told(6379, &said).starts_with('?'));
    }
}
