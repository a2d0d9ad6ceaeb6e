//! What Go's `net/http` makes of a response (1.19.8): `response.go`, `transfer.go`, `internal/chunked.go`,
//! `net/textproto/reader.go`.

use super::reading::{Cursor, Reading, ReadingEnd as End, is_blank, refuse, trim_end, trim_start};

/// Digits of a chunk size that are counted.
const MAX_DIGITS: usize = 16;

/// Reads one stream of responses to one GET.
pub(super) fn read(mut input: Cursor<'_>) -> Reading {
    stream(&mut input).unwrap_or_else(|it| it)
}

fn stream(input: &mut Cursor<'_>) -> Result<Reading, Reading> {
    loop {
        let (status, version) = status_line(input)?;
        let fields = fields(input)?;
        let all = |name: &[u8]| -> Vec<&[u8]> {
            let own = fields.iter().filter(|it| it.0.eq_ignore_ascii_case(name));
            own.map(|it| &it.1[..]).collect()
        };
        let encodings = all(b"transfer-encoding");
        let chunked = match &encodings[..] {
            _ if version < (b'1', b'1') => false,
            [] => false,
            [one] if one.eq_ignore_ascii_case(b"chunked") => true,
            [_] => return refuse("unsupported transfer encoding: "),
            _ => return refuse("too many transfer encodings: "),
        };
        let lengths = if chunked {
            Vec::new()
        } else {
            all(b"content-length")
        };
        if lengths.iter().any(|it| Some(it) != lengths.first()) {
            return refuse("http: message cannot contain multiple Content-Length headers; got ");
        }
        let bodiless = (100..200).contains(&status) || matches!(status, 204 | 304);
        let length = match lengths.first() {
            _ if bodiless || chunked => None,
            None => None,
            Some(value) if value.trim_ascii().is_empty() => None,
            Some(value) => match std::str::from_utf8(value.trim_ascii()).map(str::parse::<u64>) {
                Ok(Ok(length)) if length <= i64::MAX as u64 && value.first() != Some(&b'+') => {
                    Some(length)
                }
                _ => return refuse("bad Content-Length "),
            },
        };
        // It asks for no upgrade, and takes a 101 for the end.
        if (100..200).contains(&status) && status != 101 {
            continue;
        }
        if status == 101 {
            return Ok(Reading::Accepts);
        }
        let whole = match length {
            _ if bodiless => Reading::Accepts,
            _ if chunked => chunks(input),
            Some(length) if length > input.rest().len() as u64 => Reading::Ends(End::Length),
            Some(length) => {
                input.skip(usize::try_from(length).unwrap_or(usize::MAX));
                Reading::Accepts
            }
            None => return Ok(Reading::Ends(End::UntilClose)),
        };
        let says = |option: &[u8]| {
            let mut tokens = all(b"connection")
                .into_iter()
                .flat_map(|it| it.split(|b| *b == b','));
            tokens.any(|it| it.trim_ascii().eq_ignore_ascii_case(option))
        };
        let idle = !says(b"close") && (version != (b'1', b'0') || says(b"keep-alive"));
        // What comes on a connection that nobody waits for is a line of its log, if the program is still there.
        return Ok(match whole {
            Reading::Accepts if idle && version.0 >= b'1' && !input.rest().is_empty() => {
                Reading::Unknown
            }
            whole => whole,
        });
    }
}

/// The next line, without its end.
fn line<'a>(input: &mut Cursor<'a>, end: End) -> Result<&'a [u8], Reading> {
    let line = input.whole_line(end)?;
    if line.is_empty() && end == End::StatusLine {
        return Err(Reading::Ends(End::Nothing));
    }
    if line.is_empty() {
        return Err(Reading::Ends(end));
    }
    // What ends without LF is a line to it, too.
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    Ok(line.strip_suffix(b"\r").unwrap_or(line))
}

fn trim(text: &[u8]) -> &[u8] {
    trim_end(trim_start(text, is_blank), is_blank)
}

fn status_line(input: &mut Cursor<'_>) -> Result<(u16, (u8, u8)), Reading> {
    let line = line(input, End::StatusLine)?;
    let Some(at) = line.iter().position(|it| *it == b' ') else {
        return refuse("malformed HTTP ");
    };
    let (version, rest) = line.split_at_checked(at).unwrap_or_default();
    let from = rest.iter().position(|it| *it != b' ').unwrap_or(rest.len());
    let rest = rest.get(from..).unwrap_or_default();
    let status = rest.split(|it| *it == b' ').next().unwrap_or_default();
    let number = std::str::from_utf8(status).ok().filter(|it| it.len() == 3);
    let Some(status) = number
        .and_then(|it| it.parse::<i16>().ok())
        .filter(|it| *it >= 0)
    else {
        return refuse("malformed HTTP ");
    };
    match version {
        [
            b'H',
            b'T',
            b'T',
            b'P',
            b'/',
            major @ b'0'..=b'9',
            b'.',
            minor @ b'0'..=b'9',
        ] => Ok((status as u16, (*major, *minor))),
        _ => refuse("malformed HTTP "),
    }
}

/// The name of a field, and its value with what was folded.
type Field<'a> = (&'a [u8], Vec<u8>);

fn fields<'a>(input: &mut Cursor<'a>) -> Result<Vec<Field<'a>>, Reading> {
    let mut found: Vec<Field<'_>> = Vec::new();
    if matches!(input.peek(), Some(b' ' | b'\t')) {
        return refuse("malformed MIME header initial line: ");
    }
    loop {
        let own = line(input, End::Headers)?;
        if own.iter().all(|it| matches!(it, b' ' | b'\t')) {
            return Ok(found);
        }
        let mut folded = Vec::new();
        while matches!(input.peek(), Some(b' ' | b'\t')) {
            folded.push(b' ');
            folded.extend_from_slice(trim(line(input, End::Headers)?));
        }
        let Some(colon) = own.iter().position(|it| *it == b':') else {
            return refuse("malformed MIME header: missing colon: ");
        };
        let (name, value) = own.split_at_checked(colon).unwrap_or_default();
        let mut value = trim(value.get(1..).unwrap_or_default()).to_vec();
        value.extend(folded);
        found.push((name, trim_start(&value, is_blank).to_vec()));
    }
}

fn chunks(input: &mut Cursor<'_>) -> Reading {
    let end = Reading::Ends(End::Chunk);
    loop {
        let line = input.line();
        let Some(line) = line.strip_suffix(b"\n") else {
            return end;
        };
        if line.len() >= 4096 {
            return Reading::Unknown;
        }
        let size = trim_end(line, |it| matches!(it, b' ' | b'\t' | b'\r' | b'\n'));
        let size = size.split(|it| *it == b';').next().unwrap_or_default();
        let mut number: u64 = 0;
        for (at, byte) in size.iter().enumerate() {
            let Some(digit) = char::from(*byte).to_digit(16) else {
                return Reading::Refuses("invalid byte in chunk length", true);
            };
            if at == MAX_DIGITS {
                return Reading::Refuses("http chunk length too large", true);
            }
            number = number << 4 | u64::from(digit);
        }
        if number == 0 {
            return trailer(input);
        }
        if number > input.rest().len() as u64 {
            return end;
        }
        input.skip(number as usize);
        match input.rest() {
            [b'\r', b'\n', ..] => input.skip(2),
            [_, _, ..] => return Reading::Refuses("malformed chunked encoding", true),
            _ => return end,
        }
    }
}

fn trailer(input: &mut Cursor<'_>) -> Reading {
    match input.rest() {
        [b'\r', b'\n', ..] => {
            input.skip(2);
            Reading::Accepts
        }
        [] | [_] => Reading::Ends(End::Chunk),
        rest if !rest.windows(4).any(|it| it == b"\r\n\r\n") => Reading::Unknown,
        _ => match fields(input) {
            Ok(_) => Reading::Accepts,
            Err(_) => Reading::Unknown,
        },
    }
}
