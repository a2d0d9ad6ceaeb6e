//! What libcurl makes of a response (7.88.1, as Debian 12 has it): `lib/http.c`, `lib/http_chunks.c`.
//!
//! The status line is read by `sscanf`, and so is this one.

use super::reading::{
    Cursor, Reading, ReadingEnd as End, is_blank, is_c_space, refuse, trim_end, trim_start,
};

/// Digits of a chunk size that are kept (`CHUNK_MAXNUM_LEN`).
const MAX_DIGITS: usize = 16;

#[derive(Default)]
struct Head {
    status: u16,
    length: Option<i64>,
    chunked: bool,
    /// A transfer coding that libcurl does not know: it fails when the first byte of the body comes.
    unknown_coding: bool,
    /// A transfer coding that it decodes.
    coded: bool,
}

/// Reads one stream of responses to one GET.
pub(super) fn read(mut input: Cursor<'_>) -> Reading {
    loop {
        let head = match read_head(&mut input) {
            Ok(head) => head,
            Err(found) => return found,
        };
        if !matches!(head.status, 100 | 102..=199) {
            return body(&head, &mut input);
        }
    }
}

fn read_head(input: &mut Cursor<'_>) -> Result<Head, Reading> {
    let mut head = Head::default();
    let mut lines = 0;
    loop {
        let line = input.line();
        let whole = line.ends_with(b"\n");
        if lines == 0 && !begins_as_http(line) {
            return match line {
                [] => Err(Reading::Ends(End::StatusLine)),
                _ => refuse("Received HTTP/0.9 when not allowed"),
            };
        }
        // A line that begins with NUL ends its loop over the lines that it has.
        if !whole || lines > 0 && line.first() == Some(&0) {
            return Err(Reading::Ends(match (lines, &head) {
                (0, _) => End::StatusLine,
                (_, Head { chunked: true, .. }) => End::Chunk,
                (
                    _,
                    Head {
                        length: Some(1..), ..
                    },
                ) => End::Length,
                _ => End::Headers,
            }));
        }
        // Of the line that ends the head it looks at the first byte alone.
        if matches!(line.first(), Some(b'\r' | b'\n')) {
            return Ok(head);
        }
        lines += 1;
        if lines == 1 {
            status_line(line, &mut head)?;
        }
        if line.contains(&0) {
            return refuse("Nul byte in header");
        }
        if lines == 1 {
            continue;
        }
        let folded = matches!(line.first(), Some(b' ' | b'\t'));
        if folded && lines > 2 {
            continue;
        }
        if !line.contains(&b':') {
            return refuse("Header without colon");
        }
        // Its list of headers takes the first CR for the end.
        let name = line.split(|it| *it == b'\r').next().unwrap_or_default();
        if folded || !name.contains(&b':') {
            return refuse("A libcurl function was given a bad argument");
        }
        field(line, &mut head)?;
    }
}

fn begins_as_http(line: &[u8]) -> bool {
    let name = b"HTTP/";
    let length = line.len().min(name.len());
    length > 0
        && line
            .get(..length)
            .is_some_and(|it| it.eq_ignore_ascii_case(&name[..length]))
}

/// `sscanf` on a line.
struct Scan<'a>(&'a [u8]);

impl Scan<'_> {
    fn spaces(&mut self) {
        self.0 = trim_start(self.0, is_c_space);
    }

    fn word(&mut self, word: &[u8]) -> Option<()> {
        self.0 = self.0.strip_prefix(word)?;
        Some(())
    }

    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        // A line is a string of C: it ends at its NUL.
        (*first != 0).then(|| self.0 = rest)?;
        Some(*first)
    }

    /// `%Nd`.
    fn number(&mut self, width: usize) -> Option<i32> {
        self.spaces();
        let sign = self
            .0
            .first()
            .filter(|it| matches!(it, b'+' | b'-'))
            .copied();
        let from = usize::from(sign.is_some());
        let digits = self.0.get(from..)?.iter().take(width - from);
        let digits = digits.take_while(|it| it.is_ascii_digit()).count();
        let text = self.0.get(from..from + digits)?;
        let mut number: i32 = 0;
        for digit in text {
            number = number
                .saturating_mul(10)
                .saturating_add(i32::from(digit - b'0'));
        }
        self.0 = self.0.get(from + digits..)?;
        (digits > 0).then_some(if sign == Some(b'-') { -number } else { number })
    }
}

fn status_line(line: &[u8], head: &mut Head) -> Result<(), Reading> {
    let mut scan = Scan(line);
    scan.spaces();
    let major = scan.word(b"HTTP/").and_then(|()| scan.number(1));
    let Some(major) = major else {
        // A line that begins so in lower case is taken for a status line all the same.
        let mut scan = Scan(line);
        scan.spaces();
        let old = scan.word(b"HTTP").and_then(|()| scan.number(3));
        head.status = old.map_or(200, |it| it as u16);
        return Ok(());
    };
    let mut rest = Scan(scan.0);
    let minor = scan.word(b".").and_then(|()| scan.number(1));
    let separator = minor.and_then(|_| scan.byte());
    let status = separator.and_then(|_| scan.number(3));
    let fourth = status.and_then(|_| scan.byte());
    let at_once = line
        .windows(6)
        .any(|it| matches!(it, b"HTTP/2" | b"HTTP/3"));
    if minor.is_none() && at_once {
        if let Some(status) = rest.number(9) {
            head.status = status as u16;
            return match major {
                2 => Ok(()),
                _ => refuse("Unsupported HTTP version (…) in response"),
            };
        }
    } else if fourth.is_some_and(|it| it.is_ascii_digit()) || status.is_some_and(|it| it < 100) {
        return refuse("Unsupported response code in HTTP response");
    }
    let (Some(status), Some(b' ')) = (status, separator) else {
        return refuse("Unsupported HTTP version in response");
    };
    if !matches!((major, minor), (1, Some(0 | 1)) | (2, Some(0))) {
        return refuse("Unsupported HTTP version (…) in response");
    }
    head.status = status as u16;
    Ok(())
}

fn field(line: &[u8], head: &mut Head) -> Result<(), Reading> {
    let begins = |name: &[u8]| {
        let value = line.split_at_checked(name.len());
        value
            .filter(|it| it.0.eq_ignore_ascii_case(name))
            .map(|it| it.1)
    };
    let bodiless = matches!(head.status, 204 | 304);
    if let Some(value) = begins(b"Content-Length:").filter(|_| !bodiless) {
        match number(value) {
            Ok(length) => head.length = length,
            Err(()) => return refuse("Invalid Content-Length: value"),
        }
    } else if let Some(value) = begins(b"Transfer-Encoding:") {
        for coding in value.split(|it| *it == b',') {
            let coding = trim_end(trim_start(coding, is_blank), is_c_space);
            match coding.to_ascii_lowercase().as_slice() {
                b"" | b"identity" | b"none" => {}
                b"chunked" => head.chunked = true,
                b"gzip" | b"x-gzip" | b"deflate" | b"br" | b"zstd" => head.coded = true,
                _ => head.unknown_coding = true,
            }
        }
    }
    Ok(())
}

/// `curlx_strtoofft`: `None` for a number that is too large.
fn number(value: &[u8]) -> Result<Option<i64>, ()> {
    let value = trim_start(value, is_blank);
    let value = value.strip_prefix(b"+").unwrap_or(value);
    let digits = value.iter().take_while(|it| it.is_ascii_digit()).count();
    let text = std::str::from_utf8(value.get(..digits).unwrap_or_default()).unwrap_or_default();
    match text.parse::<i64>() {
        Ok(number) => Ok(Some(number)),
        Err(_) if text.is_empty() => Err(()),
        Err(_) => Ok(None),
    }
}

fn body(head: &Head, input: &mut Cursor<'_>) -> Reading {
    let bodiless = matches!(head.status, 204 | 304);
    if bodiless {
        return Reading::Accepts;
    }
    if head.status == 101 {
        return Reading::Unknown;
    }
    let some = !input.rest().is_empty();
    if head.chunked {
        if head.unknown_coding || head.coded {
            return Reading::Unknown;
        }
        return chunks(input);
    }
    match head.length {
        Some(0) => return Reading::Accepts,
        _ if head.unknown_coding && some => {
            return Reading::Refuses(
                "Unrecognized content encoding type. libcurl understands",
                true,
            );
        }
        _ if head.coded && some => return Reading::Unknown,
        Some(length) if length > input.rest().len() as i64 => return Reading::Ends(End::Length),
        Some(_) => {}
        None => return Reading::Ends(End::UntilClose),
    }
    Reading::Accepts
}

fn chunks(input: &mut Cursor<'_>) -> Reading {
    let bad = Reading::Refuses("Malformed encoding found in chunked-encoding", true);
    let hex = Reading::Refuses(
        "Illegal or missing hexadecimal sequence in chunked-encoding",
        true,
    );
    let long = Reading::Refuses("Too long hexadecimal number in chunked-encoding", true);
    let end = Reading::Ends(End::Chunk);
    loop {
        let rest = input.rest();
        let digits = rest.iter().take_while(|it| it.is_ascii_hexdigit()).count();
        if digits > MAX_DIGITS {
            return long;
        }
        if digits == rest.len() {
            return end;
        }
        let text = rest
            .get(..digits)
            .and_then(|it| std::str::from_utf8(it).ok());
        let Some(size) = text.and_then(|it| i64::from_str_radix(it, 16).ok()) else {
            return hex;
        };
        if !input.line().ends_with(b"\n") {
            return end;
        }
        if size == 0 {
            return trailer(input, bad);
        }
        if size > input.rest().len() as i64 {
            return end;
        }
        input.skip(size as usize);
        loop {
            match input.next() {
                None => return end,
                Some(b'\n') => break,
                Some(b'\r') => {}
                Some(_) => return bad,
            }
        }
    }
}

/// The trailer fields behind the last chunk, and the empty line.
fn trailer(input: &mut Cursor<'_>, bad: Reading) -> Reading {
    loop {
        match input.peek() {
            None => return Reading::Ends(End::Chunk),
            Some(b'\r') => {
                input.next();
                break;
            }
            Some(b'\n') => break,
            Some(_) => {}
        }
        let line = input.rest();
        let end = line
            .iter()
            .position(|it| matches!(it, b'\r' | b'\n'))
            .unwrap_or(line.len());
        let line = line.get(..end).unwrap_or_default();
        input.skip(end);
        let folded = matches!(line.first(), Some(b' ' | b'\t'));
        let kept = folded || line.contains(&b':') && !line.contains(&0);
        if input.peek().is_some() && !kept {
            return Reading::Refuses("Failed reading the chunked-encoded stream", true);
        }
        if input.peek() == Some(b'\r') {
            input.next();
        }
        match input.next() {
            None => return Reading::Ends(End::Chunk),
            Some(b'\n') => {}
            Some(_) => return bad,
        }
    }
    match input.next() {
        None | Some(b'\n') => Reading::Accepts,
        Some(_) => bad,
    }
}
