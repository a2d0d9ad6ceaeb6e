//! SMTP (RFC 5321): the server greets, every command gets a reply, and after 354 a message follows that ends with a dot.

use super::grammar::{Messages, Opening, Rest, Role, Side, Step, Unit};
use super::lines::{begins, closing, is_reply, line, reply};

/// The grammar.
#[derive(Clone, Debug, Default)]
pub(super) struct Grammar {
    /// Commands without their reply.
    open: u32,
    /// A command was answered.
    used: bool,
    /// The client sends a message.
    data: bool,
    /// Replies that come before that to the command for a message. Some clients do not wait for it (RFC 2920 §3.1 says that
    /// they must), and send the message at once.
    before_data: Option<u32>,
    /// The client's next line is a part of an authentication.
    authenticates: bool,
    /// What the server says next is what it can do, and its first line is still to come.
    lists: Option<bool>,
    /// The server said something.
    greeted: bool,
}

/// Ports of SMTP and of submission (RFC 6409, RFC 8314).
const PORTS: [u16; 4] = [25, 465, 587, 2525];

/// The first bytes are those of SMTP.
pub(super) fn recognise(opening: &Opening<'_>) -> bool {
    let says =
        |word: &[u8]| memchr::memmem::find(&opening.server.to_ascii_uppercase(), word).is_some();
    let greets =
        is_reply(opening.server) && matches!(opening.server.first(), Some(b'2' | b'4' | b'5'));
    let calls = [&b"EHLO"[..], b"HELO", b"LHLO"]
        .iter()
        .any(|word| begins(opening.client, word));
    let named = says(b"SMTP") || is_enhanced(opening.server) || PORTS.contains(&opening.port);
    greets && (calls || named && opening.client.is_empty())
        || calls && opening.server.is_empty() && named
}

/// Whether a reply has an enhanced status code of its own class, `421 4.3.2 text`: no other protocol has them (RFC 2034 §4,
/// RFC 3463 §2).
fn is_enhanced(reply: &[u8]) -> bool {
    let class = reply.first().filter(|it| b"245".contains(it));
    let mut words = reply.get(4..).unwrap_or_default().split(|it| *it == b' ');
    let mut parts = words.next().unwrap_or_default().split(|it| *it == b'.');
    let number = |it: Option<&[u8]>| {
        it.is_some_and(|it| matches!(it.len(), 1..=3) && it.iter().all(u8::is_ascii_digit))
    };
    let own = parts
        .next()
        .is_some_and(|it| it.len() == 1 && it.first() == class);
    own && number(parts.next()) && number(parts.next()) && parts.next().is_none()
}

/// Bytes of the chunk that follows `BDAT 120` or `BDAT 120 LAST` (RFC 3030 §2); `None` if it is neither, so that no chunk
/// follows.
fn chunk_size(line: &[u8]) -> Option<u64> {
    let mut words = line
        .split(|byte| *byte == b' ')
        .filter(|word| !word.is_empty());
    let digits = words.nth(1)?;
    let size = std::str::from_utf8(digits).ok()?.parse().ok();
    let last = words
        .next()
        .is_none_or(|word| word.eq_ignore_ascii_case(b"LAST"));
    size.filter(|_| last && digits.iter().all(u8::is_ascii_digit) && words.next().is_none())
}

impl Messages for Grammar {
    fn new(_opening: &Opening<'_>) -> Self {
        Self::default()
    }

    fn next(&mut self, from: Side, bytes: &[u8], rest: Rest) -> Step {
        let (line, length) = match line(bytes, rest) {
            Ok(found) => found,
            // The text of a message may have long lines.
            Err(_) if self.data && from == Side::Client && bytes.len() > 2 => {
                let part = Unit::new(bytes.len() as u64, Role::Ask { ends: false });
                return Step::Message(part.named("message", b""));
            }
            Err(step) => return step,
        };
        match from {
            Side::Server => self.answered(line, length),
            Side::Client => self.asked(line, length),
        }
    }
}

impl Grammar {
    fn answered(&mut self, line: &[u8], length: u64) -> Step {
        // Nothing but the command for a message has this reply (RFC 5321 §4.3.2). The command may not have been captured.
        let last = line.get(3) != Some(&b'-');
        match (self.before_data, line.starts_with(b"354")) {
            (None, granted) => self.data |= granted,
            (Some(0), granted) if last => {
                self.data &= granted;
                self.before_data = None;
            }
            (Some(more), _) if last => self.before_data = Some(more - 1),
            (Some(_), _) => {}
        }
        self.authenticates = line.starts_with(b"334");
        if line.starts_with(b"421") {
            return closing(length, line, self.used && self.open == 0);
        }
        if last && self.open > 0 {
            self.open -= 1;
            self.used = true;
        }
        let first = self.lists.filter(|_| line.starts_with(b"250"));
        self.lists = first.map(|_| false).filter(|_| !last);
        let is_tls = line
            .get(4..)
            .is_some_and(|word| word.eq_ignore_ascii_case(b"STARTTLS"));
        // The name of the host comes first (RFC 5321 §4.3.1).
        let greeting = (!self.greeted && line.starts_with(b"220"))
            .then(|| line.splitn(2, |byte| *byte == b' ').nth(1))
            .flatten();
        self.greeted = true;
        match (reply(line, length, b'4'), first) {
            (Step::Message(unit), _) if greeting.is_some() => {
                let text = greeting.and_then(|it| it.splitn(2, |byte| *byte == b' ').nth(1));
                Step::Message(unit.by(text.unwrap_or_default(), b""))
            }
            (Step::Message(unit), Some(_)) if is_tls => Step::Message(unit.offering_tls(true)),
            (Step::Message(unit), Some(true)) => Step::Message(unit.offering_tls(false)),
            (step, _) => step,
        }
    }

    fn asked(&mut self, line: &[u8], length: u64) -> Step {
        let ask = |ends| Unit::new(length, Role::Ask { ends });
        if self.data {
            self.data = line != b".";
            self.open = self.open.saturating_add(u32::from(!self.data));
            return Step::Message(ask(!self.data).named("message", b""));
        }
        if self.authenticates {
            self.authenticates = false;
            return Step::Message(ask(true).named("authentication", b""));
        }
        if begins(line, b"DATA") {
            self.before_data = Some(self.open);
            self.data = true;
        }
        if !begins(line, b"QUIT") {
            self.open = self.open.saturating_add(1);
        }
        if begins(line, b"QUIT") {
            return Step::Message(Unit::new(length, Role::Goodbye));
        }
        if begins(line, b"AUTH") {
            return Step::Message(ask(true).named("command", b"AUTH").safe(true));
        }
        if begins(line, b"BDAT")
            && let Some(size) = chunk_size(line)
        {
            let whole = length.saturating_add(size);
            return Step::Message(Unit::new(whole, Role::Ask { ends: true }).named("message", b""));
        }
        // Until a message is complete nothing has an effect.
        // A client goes on with HELO (RFC 5321 §3.2).
        let optional = begins(line, b"EHLO");
        if optional && self.open == 1 {
            self.lists = Some(true);
        }
        let ask = ask(true).named("command", line).safe(true);
        let ask = ask.optional(optional);
        Step::Message(match optional {
            true => ask.shaped(line.get(..4).unwrap_or_default()),
            false => ask,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::dialogue::tests::{Said, told};

    /// An enhanced status code shows SMTP on any port, where a bare reply may be FTP's.
    #[test]
    fn a_refusal_in_place_of_a_greeting() {
        let opening = |server: &'static [u8]| Opening {
            server,
            port: 8335,
            client: b"",
            midstream: false,
        };
        for (greeting, smtp) in [
            (&b"421 4.3.2 Too many connections, try later\r\n"[..], true),
            (b"554 5.7.1 no\r\n", true),
            (b"421 4.3.2 ESMTP busy\r\n", true),
            (b"421 Too many users\r\n", false),
            (b"220 2.3.4.5 ready\r\n", false),
            (b"220 4.3.2 ready\r\n", false),
            (b"220 2.3 ready\r\n", false),
        ] {
            assert_eq!(
                recognise(&opening(greeting)),
                smtp,
                "{}",
                greeting.escape_ascii()
            );
        }
    }

    #[test]
    fn whose_turn_it_is() {
        let open: [(&str, &[u8]); 3] = [
            ("<", b"220 mx ESMTP\r\n"),
            (">", b"EHLO a\r\n"),
            ("<", b"250-mx\r\n250 SIZE 9\r\n"),
        ];
        let cases: &[(Said<'_>, &str)] = &[
            (&[], "between"),
            (
                &[(">", b"MAIL FROM:<a>\r\n")],
                "command MAIL FROM:<a>: unanswered; waiting",
            ),
            (
                &[
                    (">", b"DATA\r\n"),
                    ("<", b"354 go\r\n"),
                    (">", b"Subject: x\r\n\r\n"),
                ],
                "command DATA: answered; message: begun; request",
            ),
            // A client that does not wait for 354.
            (
                &[
                    (
                        ">",
                        b"RCPT TO:<b>\r\nDATA\r\nSubject: x\r\n\r\nRSET\r\n.\r\n",
                    ),
                    ("<", b"250 ok\r\n354 go\r\n250 queued\r\n"),
                ],
                "command RCPT TO:<b>: answered; command DATA: answered; message: answered; between",
            ),
            (
                &[
                    (">", b"DATA\r\n"),
                    ("<", b"503 no recipient\r\n"),
                    (">", b"RSET\r\n"),
                    ("<", b"250 ok\r\n"),
                ],
                "command DATA: answered; command RSET: answered; B: 503 no recipient; between",
            ),
            (
                &[
                    (">", b"DATA\r\n"),
                    ("<", b"354 go\r\n"),
                    (">", b"QUIT\r\n.\r\n"),
                    ("<", b"552 too large\r\n"),
                ],
                "command DATA: answered; message: answered; B: 552 too large; between",
            ),
            (
                &[(">", b"BDAT 3 LAST\r\nabc"), ("<", b"250 ok\r\n")],
                "message: answered; between",
            ),
            // No chunk follows what is no size.
            (
                &[
                    (">", b"BDAT 1234 SCRAMBLE\r\n"),
                    ("<", b"501 syntax\r\n"),
                    (">", b"BDAT -1 LAST\r\n"),
                    ("<", b"501 syntax\r\n"),
                ],
                "command BDAT 1234 SCRAMBLE: answered; command BDAT -1 LAST: answered; B: 501 syntax; between",
            ),
            (
                &[(">", b"QUIT\r\n"), ("<", b"221 bye\r\n")],
                "goodbye; after",
            ),
            (&[("<", b"421 idle\r\n")], "B: 421 idle; goodbye; after"),
            (
                &[(">", b"NOOP\r\n"), ("<", b"421 overloaded\r\n")],
                "command NOOP: answered; B: 421 overloaded; between",
            ),
            (
                &[
                    (">", b"MAIL FROM:<a>\r\nDATA\r\n"),
                    ("<", b"250 ok\r\n354 go\r\n"),
                    (">", b"Subject: x\r\n\r\n.\r\n"),
                    ("<", b"250 taken\r\n"),
                ],
                "command MAIL FROM:<a>: answered; command DATA: answered; message: answered; between",
            ),
        ];
        for (said, expected) in cases {
            let all = [&open[..], said].concat();
            let begun = "SMTP; command EHLO a: answered; ";
            assert_eq!(told(25, &all), format!("{begun}{expected}"));
        }
    }

    #[test]
    fn a_refusal_may_be_all_that_is_said() {
        assert_eq!(
            told(25, &[("<", b"554 no service\r\n")]),
            "SMTP; B: 554 no service; before-request"
        );
    }
}
