//! What Java's `java.net.http` makes of a response (OpenJDK 17): `Http1HeaderParser.java`, `Http1Response.java`,
//! `ResponseContent.java` of `jdk.internal.net.http`.

use super::reading::{Cursor, Reading, ReadingEnd as End, is_token, refuse, trim_end, trim_start};

/// Bytes of the line before a chunk.
const MAX_CHUNK_HEADER: usize = 2050;

/// Which release.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Release {
    /// Up to 17.0.15.
    Old,
    /// 17.0.21, which looks at what stands between chunks.
    Strict,
}

/// Reads one stream of responses to one GET.
pub(super) fn read(mut input: Cursor<'_>, release: Release) -> Reading {
    response(&mut input, release).unwrap_or_else(|it| it)
}

fn response(input: &mut Cursor<'_>, release: Release) -> Result<Reading, Reading> {
    let (status, fields) = loop {
        let head = (status_line(input)?, fields(input)?);
        // It passes over interim responses.
        match head.0 {
            101 | 200.. => break head,
            _ if input.rest().is_empty() => return Err(Reading::Ends(End::StatusLine)),
            _ => {}
        }
    };
    let first = |name: &[u8]| {
        let mut own = fields.iter().filter(|it| it.0.eq_ignore_ascii_case(name));
        own.next().map(|it| &it.1[..])
    };
    if status == 101 {
        return refuse("Unexpected 101 response, when not upgrading");
    }
    let length = match first(b"content-length") {
        None => None,
        Some(value) => match std::str::from_utf8(value).map(str::parse::<i64>) {
            Ok(Ok(length)) => Some(length),
            _ => return refuse("For input string"),
        },
    };
    let encoding = first(b"transfer-encoding");
    if status == 204 {
        return match length.unwrap_or(0) != 0 || encoding.is_some() {
            true => refuse("unexpected content length header with 204 response"),
            false => Ok(Reading::Accepts),
        };
    }
    let left = input.rest().len() as i64;
    let is_chunked = encoding.is_some_and(|it| it.eq_ignore_ascii_case(b"chunked"));
    match length.unwrap_or(-1) {
        _ if status == 304 => Ok(Reading::Accepts),
        -1 if is_chunked && release == Release::Strict => strict_chunks(input),
        -1 if is_chunked => chunks(input),
        -1 | -2 => Ok(Reading::Ends(End::UntilClose)),
        length if length < 0 || length > left => Ok(Reading::Ends(End::Length)),
        _ => Ok(Reading::Accepts),
    }
}

fn status_line(input: &mut Cursor<'_>) -> Result<u16, Reading> {
    let rest = input.rest();
    if rest.is_empty() {
        return Err(Reading::Ends(End::Nothing));
    }
    let Some(end) = memchr::memchr2(b'\r', b'\n', rest) else {
        return Err(Reading::Ends(End::StatusLine));
    };
    let (line, _) = rest.split_at_checked(end).unwrap_or_default();
    input.skip(end);
    if input.next() == Some(b'\r') {
        match input.next() {
            Some(b'\n') => {}
            Some(_) => return refuse("Bad trailing char"),
            None => return Err(Reading::Ends(End::StatusLine)),
        }
    }
    let status = line.get(9..12).filter(|_| line.starts_with(b"HTTP/1."));
    let status = status.filter(|it| it.iter().all(u8::is_ascii_digit));
    let status = status.and_then(|it| std::str::from_utf8(it).ok()?.parse::<u16>().ok());
    match status.filter(|it| *it >= 100) {
        Some(status) => Ok(status),
        None => refuse("Invalid status line"),
    }
}

/// The name of a field, and its value.
type Field = (Vec<u8>, Vec<u8>);

fn fields(input: &mut Cursor<'_>) -> Result<Vec<Field>, Reading> {
    let more = |input: &mut Cursor<'_>| input.next().ok_or(Reading::Ends(End::Headers));
    let mut found = Vec::new();
    let mut line = match input.next().ok_or(Reading::Ends(End::StatusLine))? {
        b'\n' => return Ok(found),
        b'\r' => match input.next().ok_or(Reading::Ends(End::StatusLine))? {
            b'\n' => return Ok(found),
            _ => return refuse("after status line CR"),
        },
        byte => vec![byte],
    };
    loop {
        match more(input)? {
            b'\n' => {}
            b'\r' => match more(input)? {
                b'\n' => {}
                b' ' | b'\t' => {
                    line.push(b' ');
                    continue;
                }
                // What came before a CR alone is forgotten.
                byte => {
                    line = vec![byte];
                    continue;
                }
            },
            b'\t' => {
                line.push(b' ');
                continue;
            }
            byte => {
                line.push(byte);
                continue;
            }
        }
        match more(input)? {
            b' ' | b'\t' => line.push(b' '),
            b'\n' => {
                found.extend(field(&line)?);
                return Ok(found);
            }
            b'\r' => {
                found.extend(field(&line)?);
                return match more(input)? {
                    b'\n' => Ok(found),
                    _ => refuse("after CR LF CR"),
                };
            }
            byte => {
                found.extend(field(&line)?);
                line = vec![byte];
            }
        }
    }
}

/// A field line; one without a name or a colon is passed over.
fn field(line: &[u8]) -> Result<Option<Field>, Reading> {
    let Some(colon) = line.iter().position(|it| *it == b':').filter(|it| *it > 0) else {
        return Ok(None);
    };
    let (name, value) = line.split_at_checked(colon).unwrap_or_default();
    if !name.iter().all(|it| is_token(*it)) {
        return refuse("Invalid header name");
    }
    // `String.trim` takes all up to the blank for white space.
    let value = value.get(1..).unwrap_or_default();
    let value = trim_start(value, |it| it <= b' ');
    let value = trim_end(value, |it| it <= b' ');
    let is_value = |it: &u8| matches!(it, b'\t' | b' '..=b'~' | 128..);
    if !value.iter().all(is_value) {
        return refuse("Invalid header value");
    }
    Ok(Some((name.to_vec(), value.to_vec())))
}

fn chunks(input: &mut Cursor<'_>) -> Result<Reading, Reading> {
    let length = Reading::Ends(End::BetweenChunks);
    loop {
        let size = match chunk_size(input)? {
            Some(size) => size,
            None => return Ok(length),
        };
        if size < 0 {
            return Ok(Reading::Unknown);
        }
        let size = size as usize;
        if size > input.rest().len() {
            return Ok(Reading::Ends(End::Chunk));
        }
        input.skip(size);
        // The two bytes behind it may be any.
        if input.rest().len() < 2 {
            return Ok(match size {
                0 => length,
                _ => Reading::Ends(End::Chunk),
            });
        }
        input.skip(2);
        if size == 0 {
            return Ok(Reading::Accepts);
        }
    }
}

/// The size before a chunk, which overflows; `None`: its line does not end.
fn chunk_size(input: &mut Cursor<'_>) -> Result<Option<i32>, Reading> {
    let refuse = |text| Err(Reading::Refuses(text, true));
    let (mut size, mut digits, mut extension) = (0_i32, 0, 0);
    loop {
        if digits + extension >= MAX_CHUNK_HEADER && input.peek().is_some() {
            return refuse("Chunk header size too long");
        }
        match input.next() {
            None => return Ok(None),
            Some(b'\r') => loop {
                match input.next() {
                    None => return Ok(None),
                    // It stands for "not yet".
                    Some(b'\n') if size == -1 => {}
                    Some(b'\n') => return Ok(Some(size)),
                    Some(_) => return refuse("invalid chunk header"),
                }
            },
            Some(_) if extension > 0 => extension += 1,
            Some(byte) => match char::from(byte).to_digit(16) {
                Some(digit) => {
                    digits += 1;
                    size = size.wrapping_mul(16).wrapping_add(digit as i32);
                }
                None if digits > 0 => extension += 1,
                None => return refuse("Illegal character in chunk size"),
            },
        }
    }
}

/// Chunks for a release that is strict about their ends.
fn strict_chunks(input: &mut Cursor<'_>) -> Result<Reading, Reading> {
    loop {
        let Some(size) = strict_size(input)? else {
            return Ok(Reading::Ends(End::BetweenChunks));
        };
        if size > input.rest().len() {
            return Ok(Reading::Ends(End::Chunk));
        }
        input.skip(size);
        for (wanted, otherwise) in [(b'\r', "CR expected"), (b'\n', "LF expected")] {
            match input.next() {
                None if size == 0 => return Ok(Reading::Ends(End::BetweenChunks)),
                None => return Ok(Reading::Ends(End::Chunk)),
                Some(byte) if byte == wanted => {}
                Some(_) => return Err(Reading::Refuses(otherwise, true)),
            }
        }
        if size == 0 {
            return Ok(Reading::Accepts);
        }
    }
}

/// The size before a chunk; `None`: its line does not end.
fn strict_size(input: &mut Cursor<'_>) -> Result<Option<usize>, Reading> {
    let refuse = |text| Err(Reading::Refuses(text, true));
    let (mut size, mut digits, mut extension) = (0_u64, 0, 0);
    loop {
        if digits + extension >= MAX_CHUNK_HEADER && input.peek().is_some() {
            return refuse("Chunk header size too long");
        }
        match input.next() {
            None => return Ok(None),
            Some(b'\r') => {
                return match input.next() {
                    None => Ok(None),
                    Some(b'\n') if digits == 0 => refuse("Chunk header doesn't contain any digits"),
                    Some(b'\n') => Ok(usize::try_from(size).ok()),
                    Some(_) => refuse("invalid chunk header"),
                };
            }
            Some(_) if extension > 0 => extension += 1,
            Some(byte) => match char::from(byte).to_digit(16) {
                Some(digit) => {
                    digits += 1;
                    size = size << 4 | u64::from(digit);
                    if size > i32::MAX as u64 {
                        return refuse("chunk length too big: ");
                    }
                }
                None if digits > 0 => extension += 1,
                None => return refuse("Illegal character in chunk size"),
            },
        }
    }
}
