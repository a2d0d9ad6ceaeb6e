//! IMAP (RFC 9051, RFC 3501): the server greets, the client's commands carry a tag, and the reply with the same tag ends the
//! answer. Whatever is untagged before it is a part of the answer.

use super::grammar::{Messages, Opening, Rest, Role, Side, Step, Unit};
use super::lines::{begins, part};

/// The grammar.
#[derive(Clone, Debug, Default)]
pub(super) struct Grammar {
    /// The last message of each side goes on with this line.
    goes_on: [bool; 2],
    /// The client authenticates or waits in IDLE: `+` answers it.
    invited: bool,
    /// The client's next line is a part of an authentication.
    authenticates: bool,
    /// The client said LOGOUT.
    logout: bool,
    /// The server greeted.
    greeted: bool,
}

/// The first bytes are those of IMAP.
pub(super) fn recognise(opening: &Opening<'_>) -> bool {
    let greets = [&b"* OK "[..], b"* PREAUTH ", b"* BYE "]
        .iter()
        .any(|word| opening.server.starts_with(word));
    let first = !opening.midstream || opening.port == 143;
    greets && first && (opening.client.is_empty() || tagged(opening.client).is_some())
}

/// A tag, and what follows it.
fn tagged(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = memchr::memchr(b' ', line)?;
    let (tag, rest) = line.split_at(end);
    let fits = |byte: &u8| byte.is_ascii_graphic() && !b"(){%*\"\\+".contains(byte);
    (!tag.is_empty() && tag.iter().all(fits)).then_some((tag, rest.get(1..)?))
}

/// Bytes that the end of a line announces.
fn literal(line: &[u8]) -> Option<u64> {
    let inner = line.strip_suffix(b"}")?;
    let inner = inner.strip_suffix(b"+").unwrap_or(inner);
    let start = memchr::memrchr(b'{', inner)?;
    std::str::from_utf8(inner.get(start + 1..)?)
        .ok()?
        .parse()
        .ok()
}

impl Messages for Grammar {
    fn new(_opening: &Opening<'_>) -> Self {
        Self::default()
    }

    fn next(&mut self, from: Side, bytes: &[u8], rest: Rest) -> Step {
        let (line, length, whole) = match part(bytes, rest) {
            Ok(found) => found,
            Err(step) => return step,
        };
        let literal = literal(line).filter(|_| whole);
        let length = length.saturating_add(literal.unwrap_or(0));
        let goes_on = !whole || literal.is_some();
        let place = match from {
            Side::Client => 0,
            Side::Server => 1,
        };
        let went_on = std::mem::replace(&mut self.goes_on[place], goes_on);
        match from {
            Side::Client => self.asked(line, length, went_on, !goes_on),
            Side::Server => self.answered(line, length, went_on),
        }
    }
}

impl Grammar {
    fn asked(&mut self, line: &[u8], length: u64, went_on: bool, ends: bool) -> Step {
        let ask = Unit::new(length, Role::Ask { ends });
        if went_on {
            return Step::Message(ask.named("command", b""));
        }
        let authenticates = std::mem::take(&mut self.authenticates);
        if line.eq_ignore_ascii_case(b"DONE") {
            return Step::Message(ask.named("command", b"DONE"));
        }
        if authenticates {
            return Step::Message(ask.named("authentication", b""));
        }
        let Some((_, words)) = tagged(line) else {
            return Step::Broken;
        };
        if begins(words, b"LOGOUT") {
            self.logout = true;
            return Step::Message(Unit::new(length, Role::Goodbye));
        }
        let authenticates = begins(words, b"AUTHENTICATE");
        self.invited = authenticates || begins(words, b"IDLE");
        let secret = authenticates || begins(words, b"LOGIN");
        let end = memchr::memchr(b' ', words).filter(|_| secret);
        let told = words.get(..end.unwrap_or(words.len())).unwrap_or(words);
        let acts = [
            &b"APPEND"[..],
            b"STORE",
            b"COPY",
            b"MOVE",
            b"EXPUNGE",
            b"CREATE",
            b"DELETE",
            b"RENAME",
            b"CLOSE",
        ];
        let plain = match begins(words, b"UID") {
            true => words.get(4..).unwrap_or_default(),
            false => words,
        };
        let safe = !acts.iter().any(|word| begins(plain, word));
        // They ask what the server can do, and say who asks (RFC 2971, RFC 5161).
        let optional = [&b"CAPABILITY"[..], b"ID", b"ENABLE"]
            .iter()
            .any(|word| begins(words, word));
        let ask = ask.named("command", told).safe(safe);
        Step::Message(ask.optional(optional))
    }

    fn answered(&mut self, line: &[u8], length: u64, went_on: bool) -> Step {
        let answer = |ends| Unit::new(length, Role::Answer { ends });
        if went_on {
            return Step::Message(answer(false));
        }
        if let Some(text) = line.strip_prefix(b"* ") {
            let bye = text.strip_prefix(b"BYE ").filter(|_| !self.logout);
            return Step::Message(match bye {
                Some(text) => Unit::new(length, Role::Notice).ending(b"BYE", text),
                None if !std::mem::replace(&mut self.greeted, true) => answer(false).by(text, b""),
                None => answer(false),
            });
        }
        if matches!(line, [b'+'] | [b'+', b' ', ..]) {
            if !self.invited {
                return Step::Message(Unit::new(length, Role::Notice));
            }
            self.authenticates = true;
            return Step::Message(answer(true));
        }
        let Some((_, words)) = tagged(line) else {
            return Step::Broken;
        };
        self.authenticates = false;
        self.invited = false;
        let refused = [&b"NO"[..], b"BAD"]
            .into_iter()
            .find(|it| begins(words, it));
        Step::Message(match refused {
            Some(word) => answer(true).complaining(
                word,
                words.get(word.len()..).unwrap_or_default().trim_ascii(),
            ),
            None if begins(words, b"OK") => answer(true),
            None => return Step::Broken,
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::protocol::dialogue::tests::{Said, told};

    #[test]
    fn whose_turn_it_is() {
        let open: [(&str, &[u8]); 3] = [
            ("<", b"* OK [CAPABILITY IMAP4rev1] ready\r\n"),
            (">", b"a1 LOGIN user \"secret\"\r\n"),
            ("<", b"a1 OK in\r\n"),
        ];
        let cases: &[(Said<'_>, &str)] = &[
            (&[], "between"),
            (
                &[(">", b"a2 SELECT INBOX\r\n")],
                "command SELECT INBOX: unanswered; waiting",
            ),
            (
                &[
                    (">", b"a2 FETCH 1 BODY[]\r\n"),
                    ("<", b"* 1 FETCH (BODY[] {10}\r\na2 OK\r\n"),
                ],
                "command FETCH 1 BODY[]: answer begun; response-body",
            ),
            (
                &[
                    (">", b"a2 FETCH 1 BODY[]\r\n"),
                    (
                        "<",
                        b"* 1 FETCH (BODY[] {7}\r\na2 OK\r\n)\r\na2 OK done\r\n",
                    ),
                ],
                "command FETCH 1 BODY[]: answered; between",
            ),
            (
                &[
                    (">", b"a2 APPEND x {5}\r\n"),
                    ("<", b"+ go\r\n"),
                    (">", b"12345\r\n"),
                    ("<", b"a2 NO [OVERQUOTA] full\r\n"),
                ],
                "command APPEND x {5}: answered; B: NO [OVERQUOTA] full; between",
            ),
            (
                &[(">", b"a2 IDLE\r\n"), ("<", b"+ idling\r\n* 2 EXISTS\r\n")],
                "command IDLE: answered; between",
            ),
            (
                &[
                    (">", b"a2 IDLE\r\n"),
                    ("<", b"+ idling\r\n"),
                    (">", b"DONE\r\n"),
                    ("<", b"a2 OK done\r\n"),
                ],
                "command IDLE: answered; command DONE: answered; between",
            ),
            (
                &[("<", b"* BYE shutting down\r\n")],
                "B: BYE shutting down; between",
            ),
            (
                &[
                    (">", b"a3 LOGOUT\r\n"),
                    ("<", b"* BYE bye\r\na3 OK done\r\n"),
                ],
                "goodbye; after",
            ),
        ];
        for (said, expected) in cases {
            let all = [&open[..], said].concat();
            let begun = "IMAP; command LOGIN: answered; ";
            assert_eq!(told(143, &all), format!("{begun}{expected}"));
        }
    }

    #[test]
    fn a_continuation_belongs_to_the_authentication() {
        let said: [(&str, &[u8]); 5] = [
            ("<", b"* OK ready\r\n"),
            (">", b"1 AUTHENTICATE PLAIN\r\n"),
            ("<", b"+ \r\n"),
            (">", b"AGEAYg==\r\n"),
            ("<", b"1 NO no\r\n"),
        ];
        assert_eq!(
            told(143, &said),
            "IMAP; command AUTHENTICATE: answered; authentication: answered; B: NO no; between"
        );
    }
}
