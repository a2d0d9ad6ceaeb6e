//! The daemon of rsync (rsyncd(5); `clientserver.c` of its source): both sides name their version, the client asks for a module,
//! and the server agrees or says why not. The transfer is not read.

use super::grammar::{Messages, Opening, Rest, Role, Side, Step, Unit};
use super::lines::line;

/// The grammar.
#[derive(Clone, Debug, Default)]
pub(super) struct Grammar {
    /// The client named its version.
    named: bool,
    /// The server asks for a user name and what proves it.
    authenticates: bool,
    /// The transfer began.
    transfers: bool,
}

const GREETING: &[u8] = b"@RSYNCD: ";

/// The first bytes are those of rsync's daemon.
pub(super) fn recognise(opening: &Opening<'_>) -> bool {
    let greets = |bytes: &[u8]| bytes.starts_with(GREETING);
    let (client, server) = (opening.client, opening.server);
    // What comes after the greetings cannot be told from a transfer.
    let first = !opening.midstream;
    first && greets(client) && (server.is_empty() || greets(server))
        || first && greets(server) && client.is_empty()
}

impl Messages for Grammar {
    fn new(_opening: &Opening<'_>) -> Self {
        Self::default()
    }

    fn next(&mut self, from: Side, bytes: &[u8], rest: Rest) -> Step {
        if self.transfers {
            return Step::Broken;
        }
        let (line, length) = match line(bytes, rest) {
            Ok(found) => found,
            Err(step) => return step,
        };
        match from {
            Side::Client => self.asked(line, length),
            Side::Server => self.answered(line, length),
        }
    }
}

impl Grammar {
    fn asked(&mut self, line: &[u8], length: u64) -> Step {
        if !std::mem::replace(&mut self.named, true) {
            return Step::Message(Unit::new(length, Role::Notice));
        }
        let ask = Unit::new(length, Role::Ask { ends: true }).safe(true);
        Step::Message(match std::mem::take(&mut self.authenticates) {
            true => ask.named("authentication", b""),
            false => ask.named("module", line),
        })
    }

    fn answered(&mut self, line: &[u8], length: u64) -> Step {
        let answer = |ends| Unit::new(length, Role::Answer { ends });
        if let Some(text) = line.strip_prefix(b"@ERROR") {
            let text = text.strip_prefix(b":").unwrap_or(text).trim_ascii();
            return Step::Message(answer(true).ending(b"@ERROR", text));
        }
        let Some(words) = line.strip_prefix(GREETING) else {
            // What an administrator says to all, and the list of modules.
            return Step::Message(answer(false));
        };
        self.authenticates = words.starts_with(b"AUTHREQD");
        self.transfers = words == b"OK";
        Step::Message(match words {
            b"EXIT" => answer(true),
            _ if self.authenticates || self.transfers => answer(true),
            _ => Unit::new(length, Role::Notice),
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::protocol::dialogue::tests::{Said, told};

    #[test]
    fn whose_turn_it_is() {
        let open: [(&str, &[u8]); 3] = [
            ("<", b"@RSYNCD: 31.0 sha512\n"),
            (">", b"@RSYNCD: 31.0 sha512\n"),
            (">", b"files\n"),
        ];
        let cases: &[(Said<'_>, &str)] = &[
            (&[], "module files: unanswered; waiting"),
            (
                &[("<", b"hello\n@RSYNCD: OK\n")],
                "module files: answered; between",
            ),
            (
                &[("<", b"@ERROR: Unknown module 'files'\n")],
                "module files: answered; B: @ERROR Unknown module 'files'; between",
            ),
            (
                &[("<", b"@RSYNCD: AUTHREQD abc\n"), (">", b"user secret\n")],
                "module files: answered; authentication: unanswered; waiting",
            ),
        ];
        for (said, expected) in cases {
            let all = [&open[..], said].concat();
            assert_eq!(told(873, &all), format!("rsync; {expected}"));
        }
    }
}
