//! Protocols of lines: replies that begin with three digits (RFC 5321 §4.2, RFC 959 §4.2), and lines in general.

use super::grammar::{Rest, Role, Step, Unit};

/// Longest line that is waited for.
const MAX_LINE: usize = 2048;
/// Bytes at the end of a part of a longer line that stay with the rest of it.
const KEPT: usize = 32;

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

/// As [`line`], with `true`; of a line that is too long to wait for, the first part, with `false`.
pub(super) fn part(bytes: &[u8], rest: Rest) -> Result<(&[u8], u64, bool), Step> {
    match line(bytes, rest) {
        Ok((line, length)) => Ok((line, length, true)),
        Err(Step::Broken) if bytes.len() > MAX_LINE => {
            let part = bytes.get(..bytes.len() - KEPT).unwrap_or_default();
            Ok((part, part.len() as u64, false))
        }
        Err(step) => Err(step),
    }
}

/// Whether a line begins with this word, in any case, and ends or goes on with a space.
pub(super) fn begins(line: &[u8], word: &[u8]) -> bool {
    line.get(..word.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(word))
        && matches!(line.get(word.len()), None | Some(b' '))
}

/// Whether the first bytes of a side are the beginning of a line with one of these words; none are, too.
pub(super) fn may_begin(bytes: &[u8], words: &[&[u8]]) -> bool {
    let first = bytes
        .split(|byte| matches!(byte, b' ' | b'\r' | b'\n'))
        .next()
        .unwrap_or_default();
    bytes.is_empty() || words.iter().any(|word| first.eq_ignore_ascii_case(word))
}

/// Whether bytes hold this text, in any case.
pub(super) fn says(bytes: &[u8], text: &[u8]) -> bool {
    bytes
        .windows(text.len())
        .any(|part| part.eq_ignore_ascii_case(text))
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
    // A reply that begins with 6 holds another one, signed or encrypted (RFC 2228 §5.1).
    let refused = line
        .first()
        .is_some_and(|digit| (refuses..b'6').contains(digit));
    Step::Message(match refused {
        true => {
            let unit = unit.complaining(code, text.get(1..).unwrap_or_default());
            // They close the channel, whatever they answer (RFC 5321 §3.8, RFC 959 §4.2, RFC 7504 §3).
            match code {
                b"421" | b"521" => unit.fatal(),
                _ => unit,
            }
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
/// A reply 421, with which the server closes (RFC 5321 §3.8, RFC 959 §4.2.2). `idle`: it comes after the session was used, and
/// answers nothing.
pub(super) fn closing(length: u64, line: &[u8], idle: bool) -> Step {
    if line.get(3) == Some(&b'-') {
        return reply(line, length, b'4');
    }
    let text = line.get(4..).unwrap_or_default();
    Step::Message(match idle {
        true => Unit::new(length, Role::Goodbye).complaining(b"421", text),
        false => Unit::new(length, Role::Answer { ends: true }).ending(b"421", text),
    })
}

/// A part of a text that ends with a line of a single dot (RFC 1939 §3). `fresh`: `bytes` begin a line; it is set to
/// whether what follows does. `true` with the dot.
pub(super) fn until_dot(bytes: &[u8], fresh: &mut bool) -> Result<(u64, bool), Step> {
    if *fresh {
        match bytes {
            [b'.', b'\r', b'\n', ..] => return Ok((3, true)),
            [b'.', b'\n', ..] => return Ok((2, true)),
            [b'.'] | [b'.', b'\r'] => return Err(Step::More),
            _ => {}
        }
    }
    let dot = memchr::memmem::find(bytes, b"\n.");
    let end = dot.or_else(|| memchr::memrchr(b'\n', bytes));
    *fresh = end.is_some();
    Ok((end.map_or(bytes.len(), |end| end + 1) as u64, false))
}
