//! Bytes that break the grammar of HTTP: what a client says of them depends on them, so their form stays.
//!
//! Lines, spaces, signs and control characters stay; letters become letters and digits digits, and what could be a digit of a
//! hexadecimal number still could, and what could not still cannot. A letter `x` stays, since it marks such numbers. Where a head was expected its fields are replaced as those of a
//! head, so that a client finds the same framing. Bytes that are no text are filler.

use super::filler::unknown;
use super::head;
use super::words::Words;

/// Bytes of a line whose digits are those of a size, where a chunk begins: no client reads a longer number.
const SIZE_LINE: usize = 32;
/// Digits of a size in any other line.
const SHORT_SIZE: usize = 4;

/// Replaces bytes where a head (`in_head`) or a line of a chunked body was expected. Returns whether the head goes on behind them.
pub(super) fn rewrite(
    words: &mut Words,
    bytes: &mut [u8],
    in_head: bool,
    is_request: bool,
) -> bool {
    if !is_text(bytes) {
        bytes.iter_mut().for_each(|it| *it = unknown(*it));
        return false;
    }
    let end = if in_head { head_end(bytes) } else { Some(0) };
    let (head, rest) = bytes.split_at_mut(end.unwrap_or(bytes.len()));
    let first = head.split(|it| *it == b'\n').next().unwrap_or_default();
    if is_request && !names_http(first) {
        // What a client sends without naming HTTP is content.
        names(words, head);
    } else if !head.is_empty() {
        let replaced = head::rewrite(words, head, is_request).0;
        head.copy_from_slice(&replaced);
    }
    for (nth, line) in rest.split_inclusive_mut(|it| *it == b'\n').enumerate() {
        let digits = line.iter().filter(|it| it.is_ascii_hexdigit()).count();
        let may_be = |it: &u8| it.is_ascii_hexdigit() || *it == b'x' || !it.is_ascii_graphic();
        let is_size = line.iter().all(may_be);
        let begins = nth == 0 && !in_head && line.len() <= SIZE_LINE && line.ends_with(b"\n");
        size_line(words, line, begins || is_size && digits <= SHORT_SIZE);
    }
    end.is_none()
}

/// Most bytes are of a text.
fn is_text(bytes: &[u8]) -> bool {
    let others = bytes
        .iter()
        .filter(|it| !matches!(it, b' '..=b'~' | b'\t' | b'\r' | b'\n'));
    others.count() * 4 <= bytes.len()
}

/// Where the empty line behind a head ends.
fn head_end(bytes: &[u8]) -> Option<usize> {
    let mut before = 0;
    for (at, _) in bytes.iter().enumerate().filter(|(_, it)| **it == b'\n') {
        let line = bytes.get(before..at).unwrap_or_default();
        if matches!(line, [] | [b'\r']) {
            return Some(at + 1);
        }
        before = at + 1;
    }
    None
}

fn names_http(line: &[u8]) -> bool {
    line.windows(5).any(|it| it.eq_ignore_ascii_case(b"HTTP/"))
}

/// Replaces the words of a line; the digits of a size stay.
fn size_line(words: &mut Words, line: &mut [u8], is_size: bool) {
    let original = line.to_vec();
    names(words, line);
    if is_size {
        for (byte, old) in line.iter_mut().zip(&original) {
            if old.is_ascii_hexdigit() {
                *byte = *old;
            }
        }
    }
}

/// Replaces all words, each letter by one that means the same where a number may stand.
fn names(words: &mut Words, bytes: &mut [u8]) {
    const DIGITS: &[u8] = b"abcdef";
    const OTHERS: &[u8] = b"ghijklmnopqrstuvwyz";
    let original = bytes.to_vec();
    words.names(bytes);
    for (byte, old) in bytes.iter_mut().zip(&original) {
        let kind = match old.to_ascii_lowercase() {
            b'a'..=b'f' => DIGITS,
            b'x' => b"x",
            b'g'..=b'z' => OTHERS,
            _ => continue,
        };
        let own = byte.to_ascii_lowercase();
        if kind.contains(&own) {
            continue;
        }
        let other = kind
            .get(usize::from(own) % kind.len())
            .copied()
            .unwrap_or(own);
        *byte = match old.is_ascii_uppercase() {
            true => other.to_ascii_uppercase(),
            false => other,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::super::key::Key;
    use super::*;

    /// What each byte is to a parser.
    fn form(bytes: &[u8]) -> Vec<u8> {
        let form = |it: &u8| match it {
            b'0'..=b'9' => b'0',
            b'a'..=b'f' => b'a',
            b'A'..=b'F' => b'A',
            b'x' | b'X' => *it,
            b'g'..=b'z' => b'z',
            b'G'..=b'Z' => b'Z',
            other => *other,
        };
        bytes.iter().map(form).collect()
    }

    #[test]
    fn the_form_stays_and_the_names_do_not() {
        let key = Key::of_bytes(b"a key for tests, long enough").unwrap();
        let mut words = Words::new(key);
        for (bytes, in_head, kept, gone) in [
            (
                "zz;quartermaine=1\r\nabc\r\n",
                false,
                "\r\n",
                "quartermaine",
            ),
            ("0x1f\r\nwilhelmina\r\n", false, "0x1f\r\n", "wilhelmina"),
            (
                "HTTP/1,1 200 OK\r\nX-A: umbrella\r\nContent-Length: 3\r\n\r\niban",
                true,
                "Content-Length: 3\r\n\r\n",
                "umbrella",
            ),
            (
                "HTTP/1.1  200 OK\r\n",
                true,
                "HTTP/1.1  200 OK\r\n",
                "umbrella",
            ),
            (
                "http/1.1 200 ok\r\n",
                true,
                "http/1.1 200 ok\r\n",
                "umbrella",
            ),
            ("<html><p>quartermaine</p>", true, "<", "quartermaine"),
        ] {
            let mut out = bytes.as_bytes().to_vec();
            rewrite(&mut words, &mut out, in_head, false);
            // The names in a head are those that they are elsewhere.
            let form = |bytes: &[u8]| match in_head {
                true => form(bytes)
                    .iter()
                    .map(|it| it.to_ascii_lowercase().min(b'a'))
                    .collect(),
                false => form(bytes),
            };
            assert_eq!(form(&out), form(bytes.as_bytes()), "{bytes:?}");
            let out = String::from_utf8(out).unwrap();
            assert!(
                out.contains(kept) && !out.contains(gone),
                "{bytes:?}: {out:?}"
            );
        }
        let mut login = b"login=quartermaine&password=secret\r\n".to_vec();
        rewrite(&mut words, &mut login, true, true);
        let login = String::from_utf8(login).unwrap();
        assert!(!login.contains("secret") && login.contains('&'), "{login}");
        let mut binary = b"\x00\x01\x02\x90abc\xff".to_vec();
        rewrite(&mut words, &mut binary, true, false);
        assert_eq!(binary, b"\x01\x01\x01\xfexxx\xfe");
    }
}
