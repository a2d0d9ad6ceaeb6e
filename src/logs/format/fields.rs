//! Splits a line at its blanks: what stands in quotes or brackets is one field.

/// A field of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field<'l> {
    /// Up to the next blank.
    Word(&'l str),
    /// In quotes, without them, escapes not undone.
    Quoted(&'l str),
    /// In brackets, without them.
    Bracketed(&'l str),
}

impl<'l> Field<'l> {
    /// Its text, however it is set.
    pub(super) const fn text(self) -> &'l str {
        match self {
            Self::Word(it) | Self::Quoted(it) | Self::Bracketed(it) => it,
        }
    }

    pub(super) const fn word(self) -> Option<&'l str> {
        match self {
            Self::Word(it) => Some(it),
            _ => None,
        }
    }

    pub(super) const fn quoted(self) -> Option<&'l str> {
        match self {
            Self::Quoted(it) => Some(it),
            _ => None,
        }
    }
}

/// Fields of a line that are looked at.
const MOST: usize = 64;

/// The fields of a line.
pub(super) fn fields(line: &str) -> Vec<Field<'_>> {
    let mut fields = Vec::with_capacity(16);
    let mut rest = line.trim_start();
    while !rest.is_empty() && fields.len() < MOST {
        let (field, after) = next(rest);
        fields.push(field);
        rest = after.trim_start();
    }
    fields
}

fn next(rest: &str) -> (Field<'_>, &str) {
    let bytes = rest.as_bytes();
    let part = |from: usize, to: usize| rest.get(from..to).unwrap_or_default();
    match bytes.first() {
        Some(b'"') => {
            let end = end_of_quote(bytes).unwrap_or(bytes.len());
            (
                Field::Quoted(part(1, end)),
                rest.get(end + 1..).unwrap_or(""),
            )
        }
        Some(b'[') => match memchr::memchr(b']', bytes) {
            // `[::1]:80` is an address with its port.
            Some(end)
                if bytes.get(end + 1) != Some(&b':')
                    || bytes.get(1..end).is_some_and(|it| it.contains(&b' ')) =>
            {
                (
                    Field::Bracketed(part(1, end)),
                    rest.get(end + 1..).unwrap_or(""),
                )
            }
            _ => word(rest),
        },
        _ => word(rest),
    }
}

fn word(rest: &str) -> (Field<'_>, &str) {
    let end = rest.find([' ', '\t']).unwrap_or(rest.len());
    let (word, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
    (Field::Word(word), after)
}

/// Where the quote that begins here ends: at a quote that no backslash escapes.
fn end_of_quote(bytes: &[u8]) -> Option<usize> {
    let mut at = 1;
    loop {
        let next = memchr::memchr2(b'"', b'\\', bytes.get(at..)?)?;
        at += next;
        match bytes.get(at) {
            Some(b'"') => return Some(at),
            _ => at += 2,
        }
    }
}

/// A number, unless it is `-`.
pub(super) fn number(word: &str) -> Option<u64> {
    word.parse().ok()
}

/// A status of three digits.
pub(super) fn status(word: &str) -> Option<u16> {
    let number: u16 = word.parse().ok()?;
    (word.len() == 3 && (100..1000).contains(&number) || word == "0").then_some(number)
}

#[cfg(test)]
mod tests {
    use super::Field::{Bracketed, Quoted, Word};
    use super::*;

    #[test]
    fn quotes_and_brackets_hold_together() {
        for (line, wanted) in [
            ("a  b", vec![Word("a"), Word("b")]),
            (
                r#"[20/Nov/2025:19:01:02 +0000] "GET / \"x" -"#,
                vec![
                    Bracketed("20/Nov/2025:19:01:02 +0000"),
                    Quoted(r#"GET / \"x"#),
                    Word("-"),
                ],
            ),
            ("[::1]:80 [a b]", vec![Word("[::1]:80"), Bracketed("a b")]),
            ("\"open", vec![Quoted("open")]),
            ("[open", vec![Word("[open")]),
            ("\"a\\", vec![Quoted("a\\")]),
            ("", vec![]),
        ] {
            assert_eq!(fields(line), wanted, "{line}");
        }
    }
}
