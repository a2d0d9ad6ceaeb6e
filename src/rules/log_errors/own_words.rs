//! Whether a line quotes what one side of a connection said in its own words: an error of a database, the reason of a Close,
//! the text of an error page. Such words are in no table.

use crate::analysis::connection::Connection;
use crate::protocol::dialogue::Complaint;
use crate::protocol::http::SharedText;

/// Letters and digits of a line from which on it may be a part of what was said.
const LEAST: usize = 8;
/// Letters and digits of what was said from which on it is known again in a line.
const TELLING: usize = 12;
/// So many words are no accident.
const WORDS: usize = 3;
/// A code stands alone in a line and has a digit: `28P01`, `1130`, `550`.
const SHORTEST_CODE: usize = 3;

/// The words of a line, in lower case, with one space around each.
#[derive(Clone, Debug)]
pub(super) struct OwnWords {
    line: String,
}

/// How a line is related to what was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Quotation {
    /// It is a part of what was said, of few words.
    Short,
    /// It is a longer part of what was said, or holds all of it.
    Long,
}

impl OwnWords {
    /// `None` if the line is too short to be known again.
    pub(super) fn of(line: &str) -> Option<Self> {
        let line = plain(line.as_bytes());
        let long = letters(&line) >= LEAST;
        (long || is_code(&line)).then_some(Self { line })
    }

    /// Whether one side of the connection said this.
    pub(super) fn quoted_on(&self, connection: &Connection) -> Option<Quotation> {
        let complaint = connection.dialogue.as_deref();
        let complaint = complaint.and_then(|it| it.complaint.as_ref());
        let by_error = complaint.and_then(|it| self.of_complaint(it));
        let closes = connection.websocket.iter().flat_map(|it| {
            let closes = it.halves.iter().filter_map(|it| it.close.as_ref());
            closes.map(|it| &it.reason)
        });
        let goaways = connection.h2.iter().flat_map(|it| {
            let halves = it.halves.iter();
            halves.flat_map(|it| &it.goaways).map(|it| &it.debug)
        });
        let by_close = closes.chain(goaways).filter_map(|it| self.of_text(it));
        let pages = connection.exchanges.iter().filter_map(|it| {
            let rare = it.rare.as_ref()?;
            self.part_of(&plain(rare.body_start.as_ref()?.as_bytes()))
        });
        let statuses = connection.exchanges.iter().filter_map(|it| {
            let stream = it.stream.as_ref()?;
            self.of_text(stream.grpc_message.as_ref()?)
        });
        let rest = by_close.chain(pages).chain(statuses);
        by_error.into_iter().chain(rest).max()
    }

    fn of_complaint(&self, complaint: &Complaint) -> Option<Quotation> {
        let code = complaint.code_bytes();
        // MySQL has a number, and a code of SQL behind it.
        let named = |code: &str| is_code(&self.line) && code.contains(&*self.line);
        if named(&plain(code)) {
            return Some(Quotation::Long);
        }
        let text = complaint.text.as_bytes();
        let whole = plain(&[code, b" ", text].concat());
        self.of_text(&complaint.text).max(self.part_of(&whole))
    }

    fn of_text(&self, said: &SharedText) -> Option<Quotation> {
        let said = plain(said.as_bytes());
        let telling = letters(&said) >= TELLING && words(&said) > 1;
        match telling && self.line.contains(&*said) {
            true => Some(Quotation::Long),
            false => self.part_of(&said),
        }
    }

    fn part_of(&self, said: &str) -> Option<Quotation> {
        (letters(&self.line) >= LEAST && said.contains(&*self.line)).then(|| {
            match words(&self.line) {
                WORDS.. => Quotation::Long,
                _ => Quotation::Short,
            }
        })
    }
}

/// A text in lower case, with a space for all that is neither letter nor digit.
fn plain(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let mut plain = String::with_capacity(text.len() + 2);
    plain.push(' ');
    for letter in text.chars().flat_map(char::to_lowercase) {
        match (letter.is_alphanumeric(), plain.ends_with(' ')) {
            (true, _) => plain.push(letter),
            (false, false) => plain.push(' '),
            (false, true) => {}
        }
    }
    if !plain.ends_with(' ') {
        plain.push(' ');
    }
    plain
}

fn letters(plain: &str) -> usize {
    plain.chars().filter(|it| *it != ' ').count()
}

fn words(plain: &str) -> usize {
    plain.split(' ').filter(|it| !it.is_empty()).count()
}

fn is_code(plain: &str) -> bool {
    words(plain) == 1
        && letters(plain) >= SHORTEST_CODE
        && plain.bytes().any(|it| it.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::{OwnWords, Quotation};
    use crate::rules::ladder_check;

    const SMTP: &str = "client server :25\nSYN -->\n<-- SYN\nACK -->\n\
                        <-- \"421 4.3.2 Too many connections, try later\\r\\n\" FIN\nFIN -->\n<-- ACK";

    fn quoted(ladder: &str, line: &str) -> Option<Quotation> {
        let proof = ladder_check::run(&ladder.parse().expect("a ladder"));
        OwnWords::of(line)?.quoted_on(&proof.connections[0])
    }

    #[test]
    fn a_line_with_the_words_of_a_server_finds_them() {
        let long = Some(Quotation::Long);
        for (line, expected) in [
            ("(421, b'4.3.2 Too many connections, try later')", long),
            ("Too many connections, try later", long),
            ("many connections", Some(Quotation::Short)),
            ("421", long),
            ("422", None),
            ("try again later, too many connections", None),
            ("xyzzy", None),
        ] {
            assert_eq!(quoted(SMTP, line), expected, "{line}");
        }
    }
}
