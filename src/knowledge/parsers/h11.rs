//! What h11 (0.16), the parser of httpx, makes of a response below httpcore 1.0: `h11/_readers.py`, `h11/_abnf.py`,
//! `h11/_headers.py`, `h11/_connection.py`.

use super::reading::{
    Cursor, Reading, ReadingEnd as End, is_blank, is_c_space, is_token, refuse, trim_end,
};

/// Digits of a length, and of the size of a chunk.
const MAX_DIGITS: usize = 20;
/// Bytes that are waited for until a head or a line is whole.
const MAX_INCOMPLETE: usize = 100 * 1024;

/// Reads one stream of responses to one GET.
pub(super) fn read(mut input: Cursor<'_>) -> Reading {
    stream(&mut input).unwrap_or_else(|it| it)
}

fn stream(input: &mut Cursor<'_>) -> Result<Reading, Reading> {
    loop {
        let head = head(input)?;
        let (status, fields) = response(&head)?;
        let framing = framing(&fields)?;
        match status {
            0..=99 => return refuse("InformationalResponse status_code should be in range"),
            101 => {
                return refuse("Received server _SWITCH_UPGRADE event without a pending proposal");
            }
            102..=199 | 100 => continue,
            204 | 304 => return Ok(Reading::Accepts),
            _ => {}
        }
        return match framing {
            BodyFraming::Chunked => chunks(input),
            BodyFraming::Length(length) if length > input.rest().len() as u128 => {
                Ok(Reading::Ends(End::Length))
            }
            BodyFraming::Length(_) => Ok(Reading::Accepts),
            BodyFraming::UntilClose => Ok(Reading::Ends(End::UntilClose)),
        };
    }
}

/// The lines up to the first empty one (`maybe_extract_lines`); none if that is the first. `None`: it did not come.
fn lines<'a>(input: &mut Cursor<'a>) -> Option<Vec<&'a [u8]>> {
    let all = input.rest();
    let first = [&b"\n"[..], b"\r\n"]
        .into_iter()
        .find(|it| all.starts_with(it));
    if let Some(first) = first {
        input.skip(first.len());
        return Some(Vec::new());
    }
    let mut ends = memchr::memchr_iter(b'\n', all).filter_map(|at| {
        let rest = all.get(at + 1..).unwrap_or_default();
        let blank = [&b"\n"[..], b"\r\n"]
            .into_iter()
            .find(|it| rest.starts_with(it));
        blank.map(|it| (at, it.len()))
    });
    let (end, blank) = ends.next()?;
    input.skip(end + 1 + blank);
    let lines = all.get(..end).unwrap_or_default().split(|it| *it == b'\n');
    Some(
        lines
            .map(|it| it.strip_suffix(b"\r").unwrap_or(it))
            .collect(),
    )
}

fn head<'a>(input: &mut Cursor<'a>) -> Result<Vec<&'a [u8]>, Reading> {
    let waiting = input.rest();
    let lines = lines(input);
    match lines {
        Some(lines) if lines.is_empty() => refuse("no response line received"),
        Some(lines) => Ok(lines),
        None if waiting.is_empty() => Err(Reading::Ends(End::Nothing)),
        // It says "request", of a response as well.
        None if waiting.first().is_some_and(|it| *it < 0x21) => refuse("illegal request line"),
        None if waiting.len() > MAX_INCOMPLETE => refuse("Receive buffer too long"),
        None if memchr::memchr(b'\n', waiting).is_some() => Err(Reading::Ends(End::Headers)),
        None => Err(Reading::Ends(End::StatusLine)),
    }
}

/// The name of a field, and its value.
type Field = (Vec<u8>, Vec<u8>);

fn response(lines: &[&[u8]]) -> Result<(u16, Vec<Field>), Reading> {
    let (first, rest) = lines.split_first().ok_or(Reading::Unknown)?;
    let Some(status) = status_of(first) else {
        return refuse("illegal status line");
    };
    Ok((status, fields(rest)?))
}

/// `HTTP/(\d\.\d) (\d{3})(?: (([ \t]|[^\x00\s])*))?`.
fn status_of(line: &[u8]) -> Option<u16> {
    let rest = line.strip_prefix(b"HTTP/")?;
    let [b'0'..=b'9', b'.', b'0'..=b'9', b' ', rest @ ..] = rest else {
        return None;
    };
    let (code, reason) = rest.split_at_checked(3)?;
    let plain = |it: &u8| is_blank(*it) || is_visible(*it);
    let fits = match reason.split_first() {
        None => true,
        Some((b' ', reason)) => reason.iter().all(plain),
        Some(_) => false,
    };
    if !fits || !code.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(code).ok()?.parse().ok()
}

/// `[^\x00\s]`.
fn is_visible(byte: u8) -> bool {
    byte != 0 && !is_c_space(byte)
}

fn fields(lines: &[&[u8]]) -> Result<Vec<Field>, Reading> {
    let mut found = Vec::new();
    let mut last: Option<Vec<u8>> = None;
    for line in lines {
        let blanks = line.iter().take_while(|it| is_blank(**it)).count();
        match (&mut last, blanks) {
            (None, 1..) => return refuse("continuation line at start of headers"),
            (Some(last), 1..) => {
                last.push(b' ');
                last.extend_from_slice(line.get(blanks..).unwrap_or_default());
            }
            (last, 0) => {
                if let Some(whole) = last.replace(line.to_vec()) {
                    found.push(field(&whole)?);
                }
            }
        }
    }
    if let Some(whole) = last {
        found.push(field(&whole)?);
    }
    Ok(found)
}

fn field(line: &[u8]) -> Result<Field, Reading> {
    let illegal = "illegal header line";
    let Some(colon) = line.iter().position(|it| *it == b':') else {
        return refuse(illegal);
    };
    let (name, value) = line.split_at_checked(colon).unwrap_or_default();
    let value = value.get(1..).unwrap_or_default();
    let plain = |it: &u8| is_blank(*it) || is_visible(*it);
    if name.is_empty() || !name.iter().all(|it| is_token(*it)) || !value.iter().all(plain) {
        return refuse(illegal);
    }
    Ok((name.to_ascii_lowercase(), value.trim_ascii().to_vec()))
}

enum BodyFraming {
    Chunked,
    Length(u128),
    UntilClose,
}

/// `normalize_and_validate`, and what follows from it.
fn framing(fields: &[Field]) -> Result<BodyFraming, Reading> {
    let mut length: Option<Vec<u8>> = None;
    let mut chunked = false;
    for (name, value) in fields {
        if name == b"content-length" {
            let mut each = value.split(|it| *it == b',').map(<[u8]>::trim_ascii);
            let first = each.next().unwrap_or_default();
            if each.any(|it| it != first) {
                return refuse("conflicting Content-Length headers");
            }
            let digits = !first.is_empty() && first.iter().all(u8::is_ascii_digit);
            if !digits || first.len() > MAX_DIGITS {
                return refuse("bad Content-Length");
            }
            if length.as_deref().is_some_and(|it| it != first) {
                return refuse("conflicting Content-Length headers");
            }
            length = Some(first.to_vec());
        } else if name == b"transfer-encoding" {
            if chunked {
                return refuse("multiple Transfer-Encoding headers");
            }
            if !value.eq_ignore_ascii_case(b"chunked") {
                return refuse("Only Transfer-Encoding: chunked is supported");
            }
            chunked = true;
        }
    }
    if chunked {
        return Ok(BodyFraming::Chunked);
    }
    Ok(match length {
        Some(length) => BodyFraming::Length(
            length
                .iter()
                .fold(0, |sum, digit| sum * 10 + u128::from(digit - b'0')),
        ),
        None => BodyFraming::UntilClose,
    })
}

/// What is left of the bytes where something does not come to its end: h11 tells whether some are.
fn incomplete(input: &Cursor<'_>) -> Reading {
    match input.is_closed() && !input.rest().is_empty() {
        true => Reading::Refuses("peer unexpectedly closed connection", true),
        false => Reading::Ends(End::BetweenChunks),
    }
}

fn chunks(input: &mut Cursor<'_>) -> Result<Reading, Reading> {
    loop {
        let rest = input.rest();
        let Some(end) = memchr::memmem::find(rest, b"\r\n") else {
            return Ok(match rest.len() > MAX_INCOMPLETE {
                true => Reading::Refuses("Receive buffer too long", true),
                false => incomplete(input),
            });
        };
        let line = rest.get(..end).unwrap_or_default();
        let Some(size) = size_of(line) else {
            return Ok(Reading::Refuses("illegal chunk header", true));
        };
        input.skip(end + 2);
        if size == 0 {
            break;
        }
        if size > input.rest().len() as u128 {
            return Ok(Reading::Ends(End::Chunk));
        }
        input.skip(size as usize);
        match input.rest() {
            [] => return Ok(Reading::Ends(End::Chunk)),
            [b'\r', b'\n', ..] => input.skip(2),
            [b'\r'] => return Ok(Reading::Ends(End::Chunk)),
            _ => return Ok(Reading::Refuses("malformed chunk footer", true)),
        }
    }
    match lines(input) {
        None => Ok(incomplete(input)),
        Some(lines) => match fields(&lines) {
            Ok(_) => Ok(Reading::Accepts),
            Err(Reading::Refuses(text, _)) => Ok(Reading::Refuses(text, true)),
            Err(other) => Err(other),
        },
    }
}

/// `([0-9A-Fa-f]{1,20})(;.*)?[ \t]*`.
fn size_of(line: &[u8]) -> Option<u128> {
    let digits = line.iter().take_while(|it| it.is_ascii_hexdigit()).count();
    if !(1..=MAX_DIGITS).contains(&digits) {
        return None;
    }
    let rest = line.get(digits..).unwrap_or_default();
    let fits = match rest.first() {
        Some(b';') => memchr::memchr(b'\n', rest).is_none(),
        _ => trim_end(rest, is_blank).is_empty(),
    };
    let text = std::str::from_utf8(line.get(..digits)?).ok()?;
    fits.then(|| u128::from_str_radix(text, 16).ok()).flatten()
}
