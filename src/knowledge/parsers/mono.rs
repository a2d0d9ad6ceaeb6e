//! What `HttpWebRequest` of Mono 6.8 makes of a response: `WebResponseStream` for its head, `MonoChunkParser` for its chunks. It
//! takes nearly all: the end of a line is a LF, or a CR with anything behind it, and a length is a hint.

use super::reading::{
    Cursor, Reading, ReadingEnd as End, is_c_space, refuse, trim_end, trim_start,
};

/// The longest size of a chunk with its extension, or what stands in their place up to a blank.
const MAX_SIZE: usize = 20;
/// Hexadecimal digits of an `Int32`.
const DIGITS: usize = 8;

/// Reads the response to one GET.
pub(super) fn read(mut input: Cursor<'_>) -> Reading {
    response(&mut input).unwrap_or_else(|it| it)
}

fn response(input: &mut Cursor<'_>) -> Result<Reading, Reading> {
    loop {
        let start = loop {
            if let Some(line) = line(input)? {
                break line;
            }
        };
        let status = status(&start)?;
        if input.peek().is_none() {
            return Err(Reading::Ends(End::Headers));
        }
        let fields = fields(input)?;
        match status {
            // The next response follows.
            100 => continue,
            101 => return Ok(Reading::Unknown),
            0..200 | 204 | 304 => return Ok(Reading::Accepts),
            _ => {}
        }
        let is_chunked = |value: &Vec<u8>| {
            let value = value.to_ascii_lowercase();
            memchr::memmem::find(&value, b"chunked").is_some()
        };
        let mut encodings = fields.iter().filter(|it| it.0 == b"transfer-encoding");
        return match encodings.any(|it| is_chunked(&it.1)) {
            true => chunks(input),
            false => Ok(Reading::Accepts),
        };
    }
}

/// The next line without its end; `None` for an empty one.
fn line(input: &mut Cursor<'_>) -> Result<Option<Vec<u8>>, Reading> {
    let mut line = Vec::new();
    while let Some(byte) = input.next() {
        let after_cr = line.last() == Some(&b'\r');
        if after_cr && matches!(byte, b'\n' | b'\r') {
            line.pop();
        }
        match byte {
            b'\n' => return Ok(Some(line).filter(|it| !it.is_empty())),
            _ if !after_cr => line.push(byte),
            // With two CR the byte before them goes as well.
            b'\r' => {
                let shorter = line.pop().map(|_| line);
                return Ok(shorter);
            }
            _ => return Err(Reading::Ends(End::StatusLine)),
        }
    }
    match line.pop() {
        Some(b'\r') => Ok(Some(line)),
        _ => Err(Reading::Ends(End::StatusLine)),
    }
}

fn status(line: &[u8]) -> Result<u32, Reading> {
    let mut parts = line.split(|it| *it == b' ');
    let Some(word) = parts.nth(1) else {
        return refuse("(GetResponse): ServerProtocolViolation");
    };
    let word = trim_end(trim_start(word, is_c_space), |it| it == 0 || is_c_space(it));
    let digits = word.strip_prefix(b"+").unwrap_or(word);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return refuse("Input string was not in a correct format.");
    }
    let text = std::str::from_utf8(digits).unwrap_or_default();
    match text.parse() {
        Ok(status) => Ok(status),
        Err(_) => refuse("Value was either too large or too small for a UInt32."),
    }
}

/// A field with its name in lower case.
type Field = (Vec<u8>, Vec<u8>);

fn fields(input: &mut Cursor<'_>) -> Result<Vec<Field>, Reading> {
    let mut lines: Vec<Vec<u8>> = Vec::new();
    while let Some(line) = line(input).map_err(|_| Reading::Ends(End::Headers))? {
        match (lines.last_mut(), line.first()) {
            (Some(last), Some(b' ' | b'\t')) => last.extend_from_slice(&line),
            (None, Some(b' ' | b'\t')) => return Err(Reading::Unknown),
            _ => lines.push(line),
        }
    }
    let field = |line: &Vec<u8>| {
        let Some(colon) = memchr::memchr(b':', line) else {
            return refuse("no colon found");
        };
        let (name, value) = line.split_at_checked(colon).unwrap_or_default();
        let value = value.get(1..).unwrap_or_default();
        let value = trim_end(trim_start(value, is_c_space), is_c_space);
        let name = name.to_ascii_lowercase();
        // Of a field that may occur once, the value is looked at.
        if name == b"content-length" && value.iter().any(u8::is_ascii_control) {
            return refuse("Specified value has invalid Control characters.");
        }
        Ok((name, value.to_vec()))
    };
    lines.iter().map(field).collect()
}

fn chunks(input: &mut Cursor<'_>) -> Result<Reading, Reading> {
    let between = Ok(Reading::Ends(End::BetweenChunks));
    loop {
        let Some(size) = size(input)? else {
            return between;
        };
        let Ok(size) = usize::try_from(size) else {
            return Ok(Reading::Unknown);
        };
        if size == 0 {
            if !trailer(input)? {
                return between;
            }
            // What follows is the next chunk.
            if input.peek().is_none() {
                return Ok(Reading::Accepts);
            }
            continue;
        }
        if size >= input.rest().len() {
            return Ok(Reading::Ends(End::Chunk));
        }
        input.skip(size);
        for (wanted, otherwise) in [(b'\r', "Expecting \\r"), (b'\n', "Expecting \\n")] {
            match input.next() {
                None => return Ok(Reading::Ends(End::Chunk)),
                Some(byte) if byte == wanted => {}
                Some(_) => return Err(Reading::Refuses(otherwise, true)),
            }
        }
    }
}

/// The size before a chunk; `None` if it does not come to its end.
fn size(input: &mut Cursor<'_>) -> Result<Option<i32>, Reading> {
    let refuse = |text| Err(Reading::Refuses(text, true));
    let (mut word, mut cr, mut blank, mut ended) = (Vec::new(), false, false, false);
    while let Some(byte) = input.next() {
        match byte {
            b'\r' if cr => return refuse("2 CR found"),
            b'\r' => {
                cr = true;
                continue;
            }
            b'\n' if cr => {
                ended = true;
                break;
            }
            b' ' => blank = true,
            _ => {}
        }
        if !blank {
            word.push(byte);
        }
        if word.len() > MAX_SIZE {
            return refuse("chunk size too long.");
        }
    }
    if word.is_empty() && !ended {
        return Ok(None);
    }
    let digits = word.split(|it| *it == b';').next().unwrap_or_default();
    let digits = trim_end(trim_start(digits, is_c_space), is_c_space);
    let known = trim_start(digits, |it| it == b'0');
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_hexdigit) || known.len() > DIGITS {
        return refuse("Cannot parse chunk size.");
    }
    let text = std::str::from_utf8(digits).unwrap_or_default();
    let size = u64::from_str_radix(text, 16).unwrap_or_default();
    Ok(ended.then_some(size as u32 as i32))
}

/// Skips the trailer; `false` if it does not come to its end.
fn trailer(input: &mut Cursor<'_>) -> Result<bool, Reading> {
    if input.rest().starts_with(b"\r\n") {
        input.skip(2);
        return Ok(true);
    }
    let rest = input.rest();
    let Some(end) = memchr::memmem::find(rest, b"\r\n\r\n") else {
        return Ok(false);
    };
    let lines = rest.get(..end).unwrap_or_default();
    let mut lines = lines.split(|it| *it == b'\n').map(|it| it.trim_ascii());
    if lines.any(|it| !it.is_empty() && !it.contains(&b':')) {
        return Err(Reading::Refuses(
            "Specified value does not have a ':' separator.",
            true,
        ));
    }
    input.skip(end + 4);
    Ok(true)
}
