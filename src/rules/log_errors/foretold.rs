//! Whether a line is one that is predicted for a connection.
//!
//! What a report itself expects in a log leads back to its connection, also where the words are the server's own, and are in
//! no table.

use std::cell::RefCell;

use super::Predictor;
use super::placeholders::filled;
use crate::analysis::connection::{Connection, Who};
use crate::knowledge::WireEvent;

/// Letters and digits from which on a predicted text may be a part of a line; a shorter one must be the line, or all that stands
/// behind the type of the error.
const LEAST: usize = 8;

thread_local! {
    static PREDICTOR: RefCell<Predictor> = RefCell::default();
}

/// Whether the line has a text that is predicted for a program of this connection; `met`: what both sides met.
pub(super) fn is_foretold(
    line: &str,
    connection: &Connection,
    met: [Vec<Vec<WireEvent>>; 2],
) -> bool {
    PREDICTOR.with_borrow_mut(|predictor| {
        Who::BOTH.into_iter().zip(met).any(|(who, met)| {
            let told = predictor.told_of(met, connection, who);
            let texts = told.iter().filter_map(|it| it.text);
            // What is filled in stands between the parts.
            let mut near = texts.filter(|it| has_parts(line, it));
            near.any(|it| has(line, &filled(it, connection, who)))
        })
    })
}

/// Whether a line has a text; anything may stand for `…`.
fn has(line: &str, text: &str) -> bool {
    let known = text.chars().filter(|it| it.is_alphanumeric()).count();
    if known < LEAST {
        let line = line.trim();
        return line == text || line.rsplit_once(": ").is_some_and(|(_, rest)| rest == text);
    }
    has_parts(line, text)
}

/// Whether a line has the parts of a text between `…`, in their order.
fn has_parts(line: &str, text: &str) -> bool {
    let mut rest = line;
    text.split('…').all(|part| match rest.find(part) {
        Some(at) => {
            rest = rest.get(at + part.len()..).unwrap_or_default();
            true
        }
        None => false,
    })
}

#[cfg(test)]
mod tests {
    use super::has;

    #[test]
    fn a_short_text_is_all_that_an_error_says() {
        for (line, text, found) in [
            ("timeout", "timeout", true),
            ("java.net.SocketTimeoutException: timeout", "timeout", true),
            (
                "java.net.SocketTimeoutException: connect timeout",
                "timeout",
                false,
            ),
            ("timeout: 3", "timeout", false),
            (
                "read failed: Connection reset by peer, 4 bytes",
                "Connection reset by peer",
                true,
            ),
        ] {
            assert_eq!(has(line, text), found, "{line}");
        }
    }
}
