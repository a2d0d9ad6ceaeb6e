//! Bytes as quoted text that is safe to print on any terminal, and back.

use std::fmt::{self, Write as _};

/// Writes `bytes` in quotation marks with the escapes `\r \n \t \" \\` and `\xNN`. Characters outside ASCII are kept if
/// they are valid UTF-8 and printable.
pub(super) struct Quoted<'a>(pub &'a [u8]);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for chunk in self.0.utf8_chunks() {
            for char in chunk.valid().chars() {
                write_char(char, f)?;
            }
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        f.write_char('"')
    }
}

fn write_char(char: char, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match char {
        '\r' => f.write_str("\\r"),
        '\n' => f.write_str("\\n"),
        '\t' => f.write_str("\\t"),
        '"' => f.write_str("\\\""),
        '\\' => f.write_str("\\\\"),
        ' '..='~' => f.write_char(char),
        // The standard library's escape covers what is not printable: controls, format characters, unassigned code
        // points.
        _ if !char.is_ascii() && char.escape_debug().count() == 1 => f.write_char(char),
        _ => {
            let mut buffer = [0; 4];
            for byte in char.encode_utf8(&mut buffer).bytes() {
                write!(f, "\\x{byte:02x}")?;
            }
            Ok(())
        }
    }
}

/// Writes `bytes` unquoted if they can be a word of the notation, else in quotation marks.
pub(super) struct BareWord<'a>(pub &'a [u8]);

impl fmt::Display for BareWord<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain =
            |byte: &u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'[' | b']' | b'\\');
        let arrow = super::tokens::ARROWS
            .iter()
            .any(|arrow| arrow.as_bytes() == self.0);
        if !self.0.is_empty()
            && self.0.iter().all(plain)
            && !arrow
            && self.0 != b"::"
            && self.0 != b"|"
            && self.0 != b"#"
        {
            self.0
                .iter()
                .try_for_each(|byte| f.write_char(char::from(*byte)))
        } else {
            Quoted(self.0).fmt(f)
        }
    }
}

/// Parses quoted text from after the opening quotation mark. Returns the bytes and how much of `text` they took,
/// including the closing mark.
pub(super) fn unquote(text: &str) -> Result<(Vec<u8>, usize), (usize, &'static str)> {
    let mut bytes = Vec::new();
    let mut chars = text.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return Ok((bytes, at + 1)),
            '\\' => match chars.next().map(|(_, char)| char) {
                Some('r') => bytes.push(b'\r'),
                Some('n') => bytes.push(b'\n'),
                Some('t') => bytes.push(b'\t'),
                Some('0') => bytes.push(0),
                Some('"') => bytes.push(b'"'),
                Some('\\') => bytes.push(b'\\'),
                Some('x') => {
                    let digits = text.get(at + 2..at + 4);
                    let byte = digits
                        .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
                        .and_then(|digits| u8::from_str_radix(digits, 16).ok());
                    bytes.push(byte.ok_or((at, "\\x takes two hexadecimal digits"))?);
                    chars.next();
                    chars.next();
                }
                _ => return Err((at, "known are \\r \\n \\t \\0 \\\" \\\\ and \\xNN")),
            },
            _ => {
                let mut buffer = [0; 4];
                bytes.extend_from_slice(char.encode_utf8(&mut buffer).as_bytes());
            }
        }
    }
    Err((text.len(), "the quotation mark is not closed"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_a_screen_obeys_is_spelled_out() {
        let shown = |bytes: &[u8]| Quoted(bytes).to_string();
        assert_eq!(shown(b"a\r\n\t\"\\"), r#""a\r\n\t\"\\""#);
        assert_eq!(shown(b"\x1b[2J\x07\x7f\xff"), r#""\x1b[2J\x07\x7f\xff""#);
        assert_eq!(shown("grün €".as_bytes()), "\"grün €\"");
        assert_eq!(
            shown("\u{202e}\u{9b}".as_bytes()),
            r#""\xe2\x80\xae\xc2\x9b""#
        );
    }

    proptest! {
        #[test]
        fn quoting_loses_nothing(bytes: Vec<u8>) {
            let text = Quoted(&bytes).to_string();
            prop_assert!(text.chars().all(|char| !char.is_control()));
            let (back, taken) = unquote(&text[1..]).unwrap();
            prop_assert_eq!(taken, text.len() - 1);
            prop_assert_eq!(back, bytes);
        }
    }
}
