//! What Apache HttpClient makes of the head of a response: 4.5 (`DefaultHttpResponseParser`, `BasicLineParser`,
//! `AbstractMessageParser`) and 5.2 (`LenientHttpResponseParser`, `BasicLineParser`).
//!
//! Both read lines until one is a status line; what they say where none comes depends on how the stream ends. Of a body only
//! those with one good length, or up to the close, are read here.

use super::reading::{
    Cursor, Reading, ReadingEnd as End, is_blank, is_c_space, refuse, trim_end, trim_start,
};

/// The release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Release {
    Four,
    Five,
}

/// Lines before the status line that release 5 skips (`Http1Config.maxEmptyLineCount`).
const SKIPPED: usize = 10;

/// Reads one stream of responses to one GET.
pub(super) fn read(mut input: Cursor<'_>, release: Release) -> Reading {
    head(&mut input, release).unwrap_or_else(|it| it)
}

fn head(input: &mut Cursor<'_>, release: Release) -> Result<Reading, Reading> {
    let status = status(input, release)?;
    let (mut lengths, mut coded) = (Vec::new(), false);
    let mut first = true;
    loop {
        let line = without_end(input.whole_line(End::Headers)?);
        if line.is_empty() {
            break;
        }
        // What is folded belongs to the line before.
        if !first && line.first().is_some_and(|it| is_blank(*it)) {
            continue;
        }
        first = false;
        let Some(colon) = line.iter().position(|it| *it == b':') else {
            return refused(release);
        };
        let (name, value) = line.split_at_checked(colon).unwrap_or((line, &[]));
        let bare = trim_end(trim_start(name, is_c_space), is_c_space);
        if bare.is_empty() || release == Release::Five && bare.len() < name.len() {
            return refused(release);
        }
        coded |= bare.eq_ignore_ascii_case(b"transfer-encoding");
        if bare.eq_ignore_ascii_case(b"content-length") {
            let value = value.get(1..).unwrap_or_default();
            lengths.push(trim_end(trim_start(value, is_c_space), is_c_space));
        }
    }
    if coded || status < 200 || matches!(status, 204 | 205 | 304) {
        return Ok(Reading::Unknown);
    }
    let came = input.rest().len() as u64;
    Ok(match lengths[..] {
        [] => Reading::Ends(End::UntilClose),
        [length] if !length.is_empty() && length.iter().all(u8::is_ascii_digit) => {
            let length = std::str::from_utf8(length)
                .ok()
                .and_then(|it| it.parse().ok());
            match length {
                Some(length) if came >= length => Reading::Accepts,
                Some::<u64>(_) => Reading::Ends(End::Length),
                None => Reading::Unknown,
            }
        }
        _ => Reading::Unknown,
    })
}

fn refused<T>(release: Release) -> Result<T, Reading> {
    refuse(match release {
        Release::Four => "Invalid header: ",
        Release::Five => "Invalid header; error at offset ",
    })
}

/// The status of the first status line.
fn status(input: &mut Cursor<'_>, release: Release) -> Result<u32, Reading> {
    for before in 0.. {
        if release == Release::Five && before == SKIPPED {
            break;
        }
        if input.peek().is_none() {
            return match release {
                Release::Four if before > 0 && input.is_closed() => refuse(NO_STATUS_LINE),
                _ => Err(Reading::Ends(End::Nothing)),
            };
        }
        let line = without_end(input.whole_line(End::StatusLine)?);
        let code = code(line);
        match (release, code) {
            // It says that it does not know the version.
            _ if is_of_another_version(line) => return Err(Reading::Unknown),
            (_, Some(Ok(code))) if code < 100 => return refuse("Invalid response: "),
            (_, Some(Ok(code))) => return Ok(code),
            (Release::Four, Some(Err(()))) => {
                return refuse("Status line contains invalid status code: ");
            }
            _ => {}
        }
    }
    Err(Reading::Unknown)
}

/// What release 4 says where the stream ends before a status line.
const NO_STATUS_LINE: &str = "The server failed to respond with a valid HTTP response";

/// The status in a line of HTTP/1; `None` if it is no status line.
fn code(line: &[u8]) -> Option<Result<u32, ()>> {
    let line = trim_start(line, is_c_space);
    let version = line.strip_prefix(b"HTTP/1.")?;
    let minor = version.iter().take_while(|it| it.is_ascii_digit()).count();
    let rest = version.get(minor..).filter(|_| minor > 0)?;
    let code = trim_start(rest, is_c_space);
    let end = code.iter().position(|it| is_c_space(*it));
    let code = code.get(..end.unwrap_or(code.len())).unwrap_or_default();
    let digits = !code.is_empty() && code.iter().all(u8::is_ascii_digit);
    let number = std::str::from_utf8(code).ok().filter(|_| digits);
    Some(number.and_then(|it| it.parse().ok()).ok_or(()))
}

/// Whether a status line names a version other than HTTP/1.
fn is_of_another_version(line: &[u8]) -> bool {
    let version = trim_start(line, is_c_space).strip_prefix(b"HTTP/");
    let digit = |it: &[u8]| it.first().is_some_and(u8::is_ascii_digit);
    version.is_some_and(|it| digit(it) && !it.starts_with(b"1."))
}

fn without_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}
