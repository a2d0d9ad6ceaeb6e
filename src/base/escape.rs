//! Escaping of untrusted text: the only way bytes from packets and files reach a terminal or a report.
//!
//! The input is bytes of unknown origin. The output is text that triggers no terminal control sequence, hides nothing,
//! and can be turned back into the original bytes. Printable UTF-8 stays as it is. `\` becomes `\\`; a control byte or
//! a byte that is not valid UTF-8 becomes `\xNN`; a character that is invisible or changes the writing direction
//! becomes `\u{…}`. Escaping that an output format needs on top (JSON's quotes, Markdown's pipes) is deliberately left
//! to that format.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Characters above ASCII that are escaped because they do not show as themselves, in ascending ranges: C1 controls,
/// formatting and direction controls (Unicode category Cf), fillers, variation selectors, line separators,
/// non-characters.
const HIDDEN: [(u32, u32); 37] = [
    (0x80, 0x9f),
    (0xad, 0xad),
    (0x34f, 0x34f),
    (0x600, 0x605),
    (0x61c, 0x61c),
    (0x6dd, 0x6dd),
    (0x70f, 0x70f),
    (0x890, 0x891),
    (0x8e2, 0x8e2),
    (0x115f, 0x1160),
    (0x17b4, 0x17b5),
    (0x180b, 0x180f),
    (0x200b, 0x200f),
    (0x2028, 0x202e),
    (0x2060, 0x206f),
    (0x2800, 0x2800),
    (0x3164, 0x3164),
    (0xfdd0, 0xfdef),
    (0xfe00, 0xfe0f),
    (0xfeff, 0xfeff),
    (0xffa0, 0xffa0),
    (0xfff0, 0xfffb),
    (0xfffe, 0xffff),
    (0x110bd, 0x110bd),
    (0x110cd, 0x110cd),
    (0x13430, 0x1343f),
    (0x1bca0, 0x1bca3),
    (0x1d173, 0x1d17a),
    (0x1fffe, 0x1ffff),
    (0x2fffe, 0x2ffff),
    (0x3fffe, 0x3ffff),
    (0x4fffe, 0x4ffff),
    (0x5fffe, 0x5ffff),
    (0x6fffe, 0x6ffff),
    (0x7fffe, 0x7ffff),
    (0x8fffe, 0xdffff),
    (0xe0000, 0x10_ffff),
];

/// Escapes `bytes`; borrows them if nothing has to change.
#[must_use]
pub(crate) fn escape(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) if text.chars().all(is_plain) => Cow::Borrowed(text),
        _ => Cow::Owned(escaped(bytes)),
    }
}

/// A request, a field or a setting as it stands in a sentence: in backticks, without any of its own.
#[must_use]
pub(crate) fn in_backticks(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('`');
    for (nth, part) in text.split('`').enumerate() {
        if nth > 0 {
            out.push_str("\\x60");
        }
        out.push_str(part);
    }
    out.push('`');
    out
}

/// Like [`escape`], for text of this program's own that may quote text already escaped: a backslash is not doubled.
#[must_use]
pub(crate) fn harmless(text: &str) -> Cow<'_, str> {
    let stays = |char: char| char == '\\' || is_plain(char);
    if text.chars().all(stays) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for char in text.chars() {
        if stays(char) {
            out.push(char);
        } else {
            push(&mut out, char);
        }
    }
    Cow::Owned(out)
}

/// At most `width` characters of [`escape`]; longer text is cut and ends in `…`.
#[must_use]
pub(crate) fn shortened(bytes: &[u8], width: usize) -> Cow<'_, str> {
    let text = escape(bytes);
    match text.char_indices().nth(width) {
        None => text,
        Some(_) => {
            let kept = text.chars().take(width.saturating_sub(1));
            Cow::Owned(kept.chain(['…']).collect())
        }
    }
}

fn escaped(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() + 16);
    for chunk in bytes.utf8_chunks() {
        for char in chunk.valid().chars() {
            push(&mut out, char);
        }
        for byte in chunk.invalid() {
            push_byte(&mut out, *byte);
        }
    }
    out
}

fn push(out: &mut String, char: char) {
    match char {
        '\\' => out.push_str("\\\\"),
        char if char.is_ascii_control() => push_byte(out, char as u8),
        char if is_plain(char) => out.push(char),
        char => {
            // Writing to a string cannot fail.
            let _ = write!(out, "\\u{{{:x}}}", u32::from(char));
        }
    }
}

fn push_byte(out: &mut String, byte: u8) {
    let _ = write!(out, "\\x{byte:02x}");
}

fn is_plain(char: char) -> bool {
    if char.is_ascii() {
        return char != '\\' && !char.is_ascii_control();
    }
    let code = u32::from(char);
    let next = HIDDEN.partition_point(|(_, last)| *last < code);
    HIDDEN.get(next).is_none_or(|(first, _)| code < *first)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The inverse of [`escape`].
    fn unescape(text: &str) -> Vec<u8> {
        let mut out = Vec::new();
        let mut rest = text;
        while let Some(char) = rest.chars().next() {
            rest = &rest[char.len_utf8()..];
            if char != '\\' {
                out.extend_from_slice(char.to_string().as_bytes());
            } else if let Some(after) = rest.strip_prefix('\\') {
                out.push(b'\\');
                rest = after;
            } else if let Some(after) = rest.strip_prefix('x') {
                out.push(u8::from_str_radix(&after[..2], 16).unwrap());
                rest = &after[2..];
            } else {
                let (code, after) = rest[2..].split_once('}').unwrap();
                let char = char::from_u32(u32::from_str_radix(code, 16).unwrap()).unwrap();
                out.extend_from_slice(char.to_string().as_bytes());
                rest = after;
            }
        }
        out
    }

    #[test]
    fn the_ranges_ascend() {
        let flat: Vec<u32> = HIDDEN.iter().flat_map(|(a, b)| [*a, *b]).collect();
        assert!(flat.is_sorted());
        assert!(HIDDEN.windows(2).all(|pair| pair[0].1 < pair[1].0));
    }

    #[test]
    fn foreign_text_is_shown_for_what_it_is() {
        for (bytes, text) in [
            (&b"/plain?a=b"[..], "/plain?a=b"),
            ("/größe/日本".as_bytes(), "/größe/日本"),
            (b"\x1b[31mred", "\\x1b[31mred"),
            (b"a\r\nb\0\x7f", "a\\x0d\\x0ab\\x00\\x7f"),
            (b"C:\\temp", "C:\\\\temp"),
            (b"\xff\xfe", "\\xff\\xfe"),
            ("user\u{202e}txt.exe".as_bytes(), "user\\u{202e}txt.exe"),
            ("a\u{200b}b\u{85}".as_bytes(), "a\\u{200b}b\\u{85}"),
            ("\u{e0041}".as_bytes(), "\\u{e0041}"),
        ] {
            assert_eq!(escape(bytes), text);
        }
    }

    #[test]
    fn what_was_escaped_is_not_escaped_again() {
        let once = escape(b"a\\b\x1b\xff");
        assert_eq!(harmless(&once), once);
        assert_eq!(harmless("a\u{202e}b\x07"), "a\\u{202e}b\\x07");
    }

    #[test]
    fn long_text_loses_its_end() {
        assert_eq!(shortened(b"12345", 5), "12345");
        assert_eq!(shortened(b"123456", 5), "1234…");
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_nothing_is_obeyed(bytes: Vec<u8>) {
            let text = escape(&bytes);
            prop_assert_eq!(unescape(&text), bytes.as_slice());
            prop_assert!(!text.chars().any(char::is_control));
        }

        #[test]
        fn any_character_survives(text: String) {
            let shown = escape(text.as_bytes());
            prop_assert_eq!(unescape(&shown), text.as_bytes());
            prop_assert!(shown.chars().all(|c| c == '\\' || is_plain(c)));
        }
    }
}
