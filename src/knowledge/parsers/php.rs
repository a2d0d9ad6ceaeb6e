//! What PHP's stream wrapper makes of a response (8.2): `ext/standard/http_fopen_wrapper.c`. It looks at the status line
//! alone; what it does not understand of the rest, it passes over.

use super::reading::{Cursor, Reading, ReadingEnd as End, is_c_space, trim_start};

/// Bytes of the status line that are looked at.
const MAX_LINE: usize = 127;
/// Where the status is looked for.
const STATUS: usize = 9;

/// Reads one stream of responses to one GET.
pub(super) fn read(mut input: Cursor<'_>) -> Reading {
    response(&mut input).unwrap_or_else(|it| it)
}

fn response(input: &mut Cursor<'_>) -> Result<Reading, Reading> {
    let mut line = input.whole_line(End::StatusLine)?;
    if line.is_empty() {
        return Ok(Reading::Ends(End::StatusLine));
    }
    let mut status = status_of(line);
    // Of the interim responses, one is passed over.
    if matches!(status, 100 | 102..=199) {
        loop {
            line = input.whole_line(End::Headers)?;
            if line.is_empty() {
                break;
            }
            if line
                .get(..6)
                .is_some_and(|it| it.eq_ignore_ascii_case(b"HTTP/1"))
            {
                status = status_of(line);
                break;
            }
        }
    }
    if let Some(fault) = fields(input)? {
        return Ok(Reading::Refuses(fault, false));
    }
    Ok(match status {
        200..400 => Reading::Accepts,
        _ => Reading::Refuses("HTTP request failed!", false),
    })
}

/// `atoi`.
fn status_of(line: &[u8]) -> i64 {
    let line = line.get(..line.len().min(MAX_LINE)).unwrap_or_default();
    let text = line.get(STATUS..).unwrap_or_default();
    let text = trim_start(text, is_c_space);
    let (sign, text) = match text.split_first() {
        Some((b'-', rest)) => (-1, rest),
        Some((b'+', rest)) => (1, rest),
        _ => (1, text),
    };
    let mut number: i64 = 0;
    for digit in text.iter().take_while(|it| it.is_ascii_digit()) {
        number = number
            .saturating_mul(10)
            .saturating_add(i64::from(digit - b'0'));
    }
    // `atoi` drops what an `int` does not hold.
    i64::from(sign * number.clamp(i64::MIN + 1, i64::MAX) as i32)
}

/// What is wrong with the lines of the fields: 8.2.28 and later look at them.
fn fields(input: &mut Cursor<'_>) -> Result<Option<&'static str>, Reading> {
    let mut last: Option<Vec<u8>> = None;
    loop {
        let line = input.whole_line(End::Headers)?;
        let (Some(first), second) = (line.first(), line.get(1)) else {
            return Ok(None);
        };
        let folded = matches!(first, b' ' | b'\t');
        if let Some(mut name) = last.take() {
            // What is folded may belong to the name.
            if folded {
                name.truncate(name.trim_ascii_end().len());
                name.push(b' ');
                name.extend_from_slice(line.trim_ascii_start());
                last = Some(name);
                continue;
            }
            let Some(colon) = name.iter().position(|it| *it == b':') else {
                return Ok(Some(
                    "HTTP invalid response format (no colon in header line)!",
                ));
            };
            let inner = name.get(1..colon).unwrap_or_default();
            if inner.iter().any(|it| matches!(it, b' ' | b'\t')) {
                return Ok(Some("HTTP invalid response format (space in header name)!"));
            }
        }
        match (first, second) {
            (b'\n', _) | (b'\r', Some(b'\n')) => return Ok(None),
            (b'\r', _) => {
                return Ok(Some(
                    "HTTP invalid header name (cannot start with CR character)!",
                ));
            }
            _ if folded => {
                return Ok(Some(
                    "HTTP invalid response format (folding header at the start)!",
                ));
            }
            _ => last = Some(line.to_vec()),
        }
    }
}
