//! What Python's `http.client` makes of a response (CPython 3.11), alone and below urllib3 2, with and without requests:
//! `Lib/http/client.py`, `Lib/email/feedparser.py`, urllib3's `response.py`.

use super::reading::{Cursor, Reading, ReadingEnd as End, is_blank, refuse, trim_end, trim_start};

/// Who reads the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reader {
    /// `http.client` itself.
    Alone,
    /// `http.client` for urllib3, which has it read the whole body at once.
    Whole,
    /// urllib3, part by part, as requests has it read.
    Parts,
}

/// A line longer than this is refused (`_MAXLINE`).
const MAX_LINE: usize = 65536;

/// Reads one stream of responses to one GET.
pub(super) fn read(mut input: Cursor<'_>, reader: Reader) -> Reading {
    head(&mut input, reader).unwrap_or_else(|it| it)
}

fn head(input: &mut Cursor<'_>, reader: Reader) -> Result<Reading, Reading> {
    let status = loop {
        let (version, status) = status_line(input)?;
        if status != 100 {
            if !version.starts_with(b"HTTP/1.") && version != b"HTTP/0.9" {
                return refuse("UnknownProtocol");
            }
            break status;
        }
        input.skip_lines(End::Headers)?;
    };
    let from = input.rest();
    input.skip_lines(End::Headers)?;
    let head = from
        .get(..from.len() - input.rest().len())
        .unwrap_or_default();
    let fields = fields(head);
    let all = |name: &[u8]| -> Vec<&[u8]> {
        let own = fields.iter().filter(|it| it.0.eq_ignore_ascii_case(name));
        own.map(|it| &it.1[..]).collect()
    };
    let (encodings, lengths) = (all(b"transfer-encoding"), all(b"content-length"));
    let coding = encodings.first();
    let mut chunked = coding.is_some_and(|it| it.eq_ignore_ascii_case(b"chunked"));
    let bodiless = (100..200).contains(&status) || matches!(status, 204 | 304);
    let own = lengths
        .first()
        .filter(|_| !chunked)
        .and_then(|it| int(it, 10));
    let own = own.filter(|it| *it >= 0);
    let length = if bodiless { Some(0) } else { own };
    let stated = match reader {
        Reader::Alone => None,
        Reader::Whole | Reader::Parts => stated_length(&lengths)?,
    };
    if reader == Reader::Parts {
        let listed = |it: &&[u8]| {
            let mut names = it.split(|byte| *byte == b',');
            names.any(|it| strip(it).eq_ignore_ascii_case(b"chunked"))
        };
        chunked |= encodings.iter().any(listed);
        if chunked {
            return chunks(input, reader);
        }
        let stated = if bodiless { Some(0) } else { stated };
        let came = length.map_or(input.rest().len() as i128, |it| {
            it.min(input.rest().len() as i128)
        });
        return Ok(match stated {
            // More than announced is an error, too.
            Some(stated) if stated != came => Reading::Ends(End::Length),
            _ if length.is_none() => Reading::Ends(End::UntilClose),
            _ => Reading::Accepts,
        });
    }
    if chunked {
        return chunks(input, reader);
    }
    let left = input.rest().len() as i128;
    Ok(match length {
        // What no buffer holds is an error of its own.
        Some(length) if length >= i128::from(i64::MAX) - 64 => Reading::Unknown,
        Some(length) if length > left => Reading::Ends(End::Length),
        Some(_) => Reading::Accepts,
        None => Reading::Ends(End::UntilClose),
    })
}

/// The length that urllib3 expects.
fn stated_length(lengths: &[&[u8]]) -> Result<Option<i128>, Reading> {
    let listed = lengths.join(&b", "[..]);
    if lengths.is_empty() {
        return Ok(None);
    }
    let mut values = Vec::new();
    for one in listed.split(|it| *it == b',') {
        match int(one, 10) {
            Some(number) => values.push(number),
            None => return Ok(None),
        }
    }
    values.dedup();
    match values[..] {
        [one] => Ok((one >= 0).then_some(one)),
        _ => refuse("Content-Length contained multiple unmatching values"),
    }
}

fn status_line<'a>(input: &mut Cursor<'a>) -> Result<(&'a [u8], i128), Reading> {
    let line = input.whole_line(End::StatusLine)?;
    if line.is_empty() {
        return Err(Reading::Ends(End::Nothing));
    }
    if line.len() > MAX_LINE {
        return refuse("LineTooLong");
    }
    let mut words = line.split(|it| is_space(*it)).filter(|it| !it.is_empty());
    let (version, status) = (words.next(), words.next());
    let status = status
        .and_then(|it| int(it, 10))
        .filter(|it| (100..=999).contains(it));
    match (version, status) {
        (Some(version), Some(status)) if version.starts_with(b"HTTP/") => Ok((version, status)),
        _ => refuse("BadStatusLine"),
    }
}

/// What `str.split` and `int` take for white space in what was decoded as Latin-1.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | 9..=13 | 28..=31 | 0x85 | 0xa0)
}

fn strip(text: &[u8]) -> &[u8] {
    trim_end(trim_start(text, is_space), is_space)
}

/// `int(text, base)`.
fn int(text: &[u8], base: u32) -> Option<i128> {
    let text = strip(text);
    let (negative, text) = match text.split_first() {
        Some((b'-', rest)) => (true, rest),
        Some((b'+', rest)) => (false, rest),
        _ => (false, text),
    };
    let hex = base == 16 && matches!(text, [b'0', b'x' | b'X', ..]);
    let mut text = if hex { text.get(2..)? } else { text };
    if hex && text.first() == Some(&b'_') {
        text = text.get(1..)?;
    }
    if text.is_empty() || text.first() == Some(&b'_') || text.last() == Some(&b'_') {
        return None;
    }
    let mut number: i128 = 0;
    let mut before = 0;
    for byte in text {
        if *byte == b'_' {
            if before == b'_' {
                return None;
            }
        } else {
            let digit = char::from(*byte).to_digit(base)?;
            number = number
                .saturating_mul(i128::from(base))
                .saturating_add(i128::from(digit));
        }
        before = *byte;
    }
    Some(if negative { -number } else { number })
}

/// The fields that the parser of e-mail finds in a head: it stops at the first line that is none, and takes a CR alone for
/// the end of a line.
fn fields(head: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut found: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    let mut rest = head;
    let mut nameless = false;
    while !rest.is_empty() {
        let end = match rest.iter().position(|it| matches!(it, b'\r' | b'\n')) {
            Some(at) if rest.get(at..at + 2) == Some(b"\r\n") => at + 2,
            Some(at) => at + 1,
            None => rest.len(),
        };
        let (line, after) = rest.split_at_checked(end).unwrap_or((rest, &[]));
        rest = after;
        if matches!(line.first(), Some(b' ' | b'\t')) {
            if let Some(last) = found.last_mut().filter(|_| !nameless) {
                last.1.extend_from_slice(line);
            }
            continue;
        }
        let name = line.iter().position(|it| !matches!(it, 33..=57 | 59..=126));
        let Some(name) = name.filter(|it| line.get(*it) == Some(&b':')) else {
            if line.starts_with(b"From ") {
                continue;
            }
            break;
        };
        nameless = name == 0;
        if !nameless {
            let value = line.get(name + 1..).unwrap_or_default();
            let value = trim_start(value, is_blank);
            let name = line.get(..name).unwrap_or_default();
            found.push((name.to_vec(), value.to_vec()));
        }
    }
    for (_, value) in &mut found {
        value.truncate(trim_end(value, |it| matches!(it, b'\r' | b'\n')).len());
    }
    found
}

fn chunks(input: &mut Cursor<'_>, reader: Reader) -> Result<Reading, Reading> {
    loop {
        let line = input.whole_line(End::BetweenChunks)?;
        if line.len() > MAX_LINE {
            return Ok(Reading::Unknown);
        }
        let size = line.split(|it| *it == b';').next().unwrap_or_default();
        // Bytes are stripped of the white space of ASCII.
        let latin = |it: &u8| matches!(it, 28..=31 | 0x85 | 0xa0);
        let size = match size.iter().any(latin) {
            true => None,
            false => int(size, 16),
        };
        match size {
            None if line.is_empty() && reader == Reader::Parts => {
                return Ok(Reading::Ends(End::BetweenChunks));
            }
            None => {
                let reason = match reader {
                    Reader::Alone | Reader::Whole => "IncompleteRead",
                    Reader::Parts => "InvalidChunkLength",
                };
                return Ok(Reading::Refuses(reason, true));
            }
            Some(0) => break,
            Some(size) if size < 0 || size > i128::from(i64::MAX) - 64 => {
                return Ok(Reading::Unknown);
            }
            Some(size) if size > input.rest().len() as i128 => {
                return Ok(Reading::Ends(End::Chunk));
            }
            Some(size) => input.skip(size as usize),
        }
        if input.rest().len() < 2 {
            return Ok(Reading::Ends(End::Chunk));
        }
        input.skip(2);
    }
    input.skip_lines(End::BetweenChunks)?;
    Ok(Reading::Accepts)
}
