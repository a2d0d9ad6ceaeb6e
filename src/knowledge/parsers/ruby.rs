//! What Ruby's `Net::HTTP` makes of a response (3.1): `lib/net/http/response.rb`, `lib/net/protocol.rb`.

use super::reading::{
    Cursor, Reading, ReadingEnd as End, is_c_space, refuse, trim_end, trim_start,
};

/// Reads one stream of responses to one GET.
pub(super) fn read(mut input: Cursor<'_>) -> Reading {
    stream(&mut input).unwrap_or_else(|it| it)
}

fn stream(input: &mut Cursor<'_>) -> Result<Reading, Reading> {
    loop {
        let status = status_line(input)?;
        let fields = fields(input)?;
        let joined = |name: &[u8]| {
            let own = fields.iter().filter(|it| it.0.eq_ignore_ascii_case(name));
            let own: Vec<&[u8]> = own.map(|it| &it.1[..]).collect();
            (!own.is_empty()).then(|| own.join(&b", "[..]))
        };
        match status {
            101 if input.rest().is_empty() => return Ok(Reading::Unknown),
            100..=199 => continue,
            204 | 205 | 304 => return Ok(Reading::Accepts),
            _ => {}
        }
        if joined(b"transfer-encoding").is_some_and(|it| has_chunked(&it)) {
            return chunks(input);
        }
        if let Some(length) = joined(b"content-length") {
            let Some(from) = length.iter().position(u8::is_ascii_digit) else {
                return Ok(Reading::Refuses("wrong Content-Length format", true));
            };
            let digits = length.get(from..).unwrap_or_default();
            let digits = digits.iter().take_while(|it| it.is_ascii_digit());
            let length = digits.fold(0_u64, |sum, digit| {
                sum.saturating_mul(10)
                    .saturating_add(u64::from(digit - b'0'))
            });
            // A body that is too short is taken for whole.
            let waits = length > input.rest().len() as u64 && !input.is_closed();
            return Ok(match waits {
                true => Reading::Ends(End::Length),
                false => Reading::Accepts,
            });
        }
        return Ok(match joined(b"content-range") {
            Some(_) => Reading::Unknown,
            None => Reading::Ends(End::UntilClose),
        });
    }
}

/// A line with its end, without the last of its bytes, or two of them if they are CR and LF (`String#chop`).
fn line<'a>(input: &mut Cursor<'a>, end: End) -> Result<&'a [u8], Reading> {
    let line = input.line();
    match line.strip_suffix(b"\n") {
        Some(line) => Ok(line.strip_suffix(b"\r").unwrap_or(line)),
        None => Err(Reading::Ends(end)),
    }
}

/// `/\AHTTP(?:\/(\d+\.\d+))?\s+(\d\d\d)(?:\s+(.*))?\z/i`.
fn status_line(input: &mut Cursor<'_>) -> Result<u16, Reading> {
    let end = match input.peek() {
        None => End::Nothing,
        Some(_) => End::StatusLine,
    };
    status_of(line(input, end)?).map_or_else(|| refuse("wrong status line"), Ok)
}

fn status_of(line: &[u8]) -> Option<u16> {
    let (name, mut rest) = line.split_at_checked(4)?;
    if !name.eq_ignore_ascii_case(b"HTTP") {
        return None;
    }
    let digits = |text: &[u8]| text.iter().take_while(|it| it.is_ascii_digit()).count();
    if let Some(version) = rest.strip_prefix(b"/") {
        let major = digits(version);
        let minor = version.get(major..)?.strip_prefix(b".")?;
        let length = digits(minor);
        if major == 0 || length == 0 {
            return None;
        }
        rest = minor.get(length..)?;
    }
    let code = trim_start(rest, is_c_space);
    let (code, reason) = code.split_at_checked(3)?;
    let spaced = code.len() < rest.len() && rest.first().is_some_and(|it| is_c_space(*it));
    let ends = reason.first().is_none_or(|it| is_c_space(*it));
    if !spaced || !ends || digits(code) != 3 {
        return None;
    }
    std::str::from_utf8(code).ok()?.parse().ok()
}

/// The name of a field, and its value with what was folded.
type Field = (Vec<u8>, Vec<u8>);

fn fields(input: &mut Cursor<'_>) -> Result<Vec<Field>, Reading> {
    let blank = |it: u8| is_c_space(it) || it == 0;
    let mut found: Vec<Field> = Vec::new();
    let mut last: Option<Field> = None;
    loop {
        // The close ends a line, and the head.
        let line = trim_end(input.whole_line(End::Headers)?, is_c_space);
        if line.is_empty() {
            break;
        }
        let text = trim_end(trim_start(line, blank), blank);
        if let (Some(b' ' | b'\t'), Some((_, value))) = (line.first(), &mut last) {
            if !value.is_empty() {
                value.push(b' ');
            }
            value.extend_from_slice(text);
            continue;
        }
        if let Some(field) = last.take() {
            found.push(checked(field)?);
        }
        let Some(colon) = text.iter().position(|it| *it == b':') else {
            return refuse("wrong header line format");
        };
        let (name, value) = text.split_at_checked(colon).unwrap_or_default();
        let value = trim_start(value.get(1..).unwrap_or_default(), is_c_space);
        last = Some((trim_end(name, is_c_space).to_vec(), value.to_vec()));
    }
    if let Some(field) = last {
        found.push(checked(field)?);
    }
    Ok(found)
}

/// A field whose value has no end of a line.
fn checked(field: Field) -> Result<Field, Reading> {
    match memchr::memchr2(b'\r', b'\n', &field.1) {
        Some(_) => refuse("header field value cannot include CR/LF"),
        None => Ok(field),
    }
}

/// `/(?:\A|[^\-\w])chunked(?![\-\w])/i`.
fn has_chunked(field: &[u8]) -> bool {
    const CHUNKED: &[u8] = b"chunked";
    let word = |it: &u8| it.is_ascii_alphanumeric() || matches!(it, b'_' | b'-');
    let mut places = field.windows(CHUNKED.len()).enumerate();
    places.any(|(at, part)| {
        let before = at.checked_sub(1).and_then(|it| field.get(it));
        let after = field.get(at + CHUNKED.len());
        part.eq_ignore_ascii_case(CHUNKED) && ![before, after].into_iter().flatten().any(word)
    })
}

fn chunks(input: &mut Cursor<'_>) -> Result<Reading, Reading> {
    loop {
        let line = line(input, End::BetweenChunks)?;
        let Some(from) = line.iter().position(u8::is_ascii_hexdigit) else {
            return Ok(Reading::Refuses("wrong chunk size line", true));
        };
        let digits = line.get(from..).unwrap_or_default();
        let digits = digits.iter().map_while(|it| char::from(*it).to_digit(16));
        let size = digits.fold(0_u64, |sum, digit| {
            sum.saturating_mul(16).saturating_add(u64::from(digit))
        });
        if size == 0 {
            break;
        }
        // The two bytes behind it may be any.
        if size.saturating_add(2) > input.rest().len() as u64 {
            return Ok(Reading::Ends(End::Chunk));
        }
        input.skip(size as usize + 2);
    }
    while !line(input, End::BetweenChunks)?.is_empty() {}
    Ok(Reading::Accepts)
}
