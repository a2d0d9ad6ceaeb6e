//! Protocols of lines: replies that begin with three digits (RFC 5321 §4.2, RFC 959 §4.2).

use super::grammar::{Rest, Role, Step, Unit};

/// Longest line that is waited for.
const MAX_LINE: usize = 2048;

/// The first line without its end, and its length with it; or why there is none.
pub(super) fn line(bytes: &[u8], rest: Rest) -> Result<(&[u8], u64), Step> {
    match memchr::memchr(b'\n', bytes) {
        Some(end) => {
            let line = bytes.get(..end).unwrap_or_default();
            Ok((line.strip_suffix(b"\r").unwrap_or(line), end as u64 + 1))
        }
        None if rest == Rest::NotCaptured || bytes.len() > MAX_LINE => Err(Step::Broken),
        None => Err(Step::More),
    }
}

/// Whether a line begins with this word, in any case, and ends or goes on with a space.
pub(super) fn begins(line: &[u8], word: &[u8]) -> bool {
    line.get(..word.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(word))
        && matches!(line.get(word.len()), None | Some(b' '))
}

/// Whether bytes begin with a reply line: three digits and a space or `-`.
pub(super) fn is_reply(bytes: &[u8]) -> bool {
    matches!(
        bytes,
        [b'1'..=b'6', b'0'..=b'9', b'0'..=b'9', b' ' | b'-', ..]
    )
}

/// A reply line. `refuses`: the first digit from which on it is an error.
pub(super) fn reply(line: &[u8], length: u64, refuses: u8) -> Step {
    if !is_reply(line) && !matches!(line, [b'1'..=b'6', b'0'..=b'9', b'0'..=b'9']) {
        return Step::Broken;
    }
    let (code, text) = line.split_at(3);
    let ends = text.first() != Some(&b'-');
    let unit = Unit::new(length, Role::Answer { ends });
    let refused = line.first().is_some_and(|digit| *digit >= refuses);
    Step::Message(match refused {
        true => {
            let unit = unit.complaining(code, text.get(1..).unwrap_or_default());
            // It closes the channel, whatever it answers (RFC 5321 §3.8, RFC 959 §4.2).
            if code == b"421" { unit.fatal() } else { unit }
        }
        false => unit,
    })
}

/// The text of a statement in SQL on one line, without what follows the words that announce a password.
pub(super) fn statement(text: &[u8]) -> Vec<u8> {
    let lower = text.to_ascii_lowercase();
    let secret = [&b"password"[..], b"identified"]
        .iter()
        .filter_map(|word| memchr::memmem::find(&lower, word))
        .min();
    let quotes = |at: &usize| {
        let rest = text.get(*at..).unwrap_or_default();
        memchr::memchr2(b'\'', b'"', rest).is_some() || rest.len() + *at >= MAX_STATEMENT
    };
    let told = text
        .get(..secret.filter(quotes).unwrap_or(text.len()))
        .unwrap_or_default();
    let mut line = Vec::with_capacity(told.len());
    for byte in told.trim_ascii() {
        match (byte.is_ascii_whitespace(), line.last()) {
            (true, Some(b' ')) => {}
            (true, _) => line.push(b' '),
            (false, _) => line.push(*byte),
        }
    }
    line
}

/// A statement that may go on beyond what is looked at.
const MAX_STATEMENT: usize = 190;
