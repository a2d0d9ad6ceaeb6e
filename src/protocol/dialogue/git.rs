//! The daemon of git (git's documentation, `gitprotocol-pack`): the client asks for a repository, and the server begins to list
//! what it has or says why not. What follows is not read.

use super::grammar::{Messages, Opening, Rest, Role, Side, Step, Unit};

/// The grammar.
#[derive(Clone, Debug, Default)]
pub(super) struct Grammar {
    /// The request and the first line of its answer were read.
    asked: bool,
    answered: bool,
}

/// The length of the line that begins here, in four hexadecimal digits.
fn length(bytes: &[u8]) -> Option<usize> {
    let digits = std::str::from_utf8(bytes.get(..4)?).ok()?;
    let length = usize::from_str_radix(digits, 16).ok()?;
    (length > 4).then_some(length)
}

/// The first bytes are those of git's daemon.
pub(super) fn recognise(opening: &Opening<'_>) -> bool {
    let asks = opening.client.get(4..).is_some_and(|words| {
        [
            &b"git-upload-pack "[..],
            b"git-receive-pack ",
            b"git-upload-archive ",
        ]
        .iter()
        .any(|word| words.starts_with(word))
    });
    asks && length(opening.client).is_some()
}

impl Messages for Grammar {
    fn new(_opening: &Opening<'_>) -> Self {
        Self::default()
    }

    fn next(&mut self, from: Side, bytes: &[u8], rest: Rest) -> Step {
        if self.answered || from == Side::Client && self.asked {
            return Step::Broken;
        }
        let whole = match length(bytes) {
            Some(whole) if bytes.len() >= whole => whole,
            None if bytes.len() >= 4 => return Step::Broken,
            _ if rest == Rest::NotCaptured => return Step::Broken,
            _ => return Step::More,
        };
        let words = bytes.get(4..whole).unwrap_or_default();
        if from == Side::Client {
            self.asked = true;
            let words = words.split(|byte| *byte == 0).next().unwrap_or_default();
            let ask = Unit::new(whole as u64, Role::Ask { ends: true });
            return Step::Message(ask.named("request", words).safe(true));
        }
        self.answered = true;
        let answer = Unit::new(whole as u64, Role::Answer { ends: true });
        Step::Message(match words.strip_prefix(b"ERR ") {
            Some(text) => answer.ending(b"ERR", text.trim_ascii()),
            None => answer,
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::protocol::dialogue::tests::told;

    #[test]
    fn whose_turn_it_is() {
        let ask: (&str, &[u8]) = (">", b"001bgit-upload-pack /a\0b=c\0");
        let begun = "git; request git-upload-pack /a: ";
        assert_eq!(told(9418, &[ask]), format!("{begun}unanswered; waiting"));
        assert_eq!(
            told(9418, &[ask, ("<", b"000aERR no")]),
            format!("{begun}answered; B: ERR no; between")
        );
    }
}
