//! What llhttp, the parser of Node.js, makes of a response: `http`, and what is built on it, run it as Node.js 20 ships it
//! (llhttp 8.1.2 and later); `fetch` and undici bring an older one of their own, which differs in a few texts. aiohttp (3.14)
//! has one of its own as well, and takes more: `aiohttp/_http_parser.pyx`.
//!
//! States and texts are those of `src/llhttp/http.ts`. Nothing is lenient in Node.js, as it is by default.

use super::reading::{Cursor, Reading, ReadingEnd as End, is_token, trim_end};

/// Which of the three.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Edition {
    /// Of `http`.
    Node,
    /// Of undici.
    Undici,
    /// Of aiohttp: lenient about values of fields, about the CR before a LF, and about blanks behind the size of a chunk.
    Aiohttp,
}

/// The field names with a meaning.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Known {
    Other,
    Connection,
    Length,
    Encoding,
    Upgrade,
}

/// What the fields of a head said.
#[derive(Clone, Copy, Default)]
struct Flags {
    close: bool,
    keep_alive: bool,
    length: Option<u64>,
    encoding: bool,
    chunked: bool,
}

struct Parser<'a> {
    edition: Edition,
    input: Cursor<'a>,
    flags: Flags,
    old: bool,
    status: u16,
    in_body: bool,
    trailing: bool,
    /// A digit of a length was read.
    measured: bool,
    /// Chunks did not come to their end where the close was announced.
    cut: bool,
}

type Step<T> = Result<T, Reading>;

/// Reads one stream of responses to one GET.
pub(super) fn read(input: Cursor<'_>, edition: Edition) -> Reading {
    parse(input, edition).0
}

/// The same for undici's `request`. When its parser fails, it compares the body with a `Content-Length` that it has seen, and
/// that is the error that it reports; what ends in the middle of chunks is one as well.
pub(super) fn read_request(input: Cursor<'_>) -> Reading {
    let (reading, parser) = parse(input, Edition::Undici);
    match reading {
        Reading::Refuses(_, false) if parser.measured => Reading::Refuses(
            "Response body length does not match content-length header",
            false,
        ),
        Reading::Accepts if parser.cut => Reading::Refuses("Invalid EOF state", true),
        reading => reading,
    }
}

fn parse(input: Cursor<'_>, edition: Edition) -> (Reading, Parser<'_>) {
    let mut parser = Parser {
        measured: false,
        cut: false,
        edition,
        input,
        flags: Flags::default(),
        old: false,
        status: 0,
        in_body: false,
        trailing: false,
    };
    let reading = parser.stream().unwrap_or_else(|it| it);
    (reading, parser)
}

impl Parser<'_> {
    fn stream(&mut self) -> Step<Reading> {
        let mut last = None;
        loop {
            // What a complete response is followed by, with nobody waiting for it, is read all the same.
            while matches!(self.input.peek(), Some(b'\r' | b'\n')) {
                self.input.next();
            }
            if let (Some(last), None) = (last, self.input.peek()) {
                return Ok(last);
            }
            self.flags = Flags::default();
            self.trailing = false;
            self.in_body = false;
            if let Err(found) = self.start_line().and_then(|()| self.fields()) {
                return match (last, self.edition, &found) {
                    (Some(last), Edition::Undici, _) | (Some(last), _, Reading::Ends(_)) => {
                        Ok(last)
                    }
                    _ => Err(found),
                };
            }
            if let (Some(last), Edition::Undici) = (last, self.edition) {
                return Ok(last);
            }
            let interim = self.status / 100 == 1 && self.status != 101;
            if self.edition == Edition::Undici && self.flags.encoding && self.flags.length.is_some()
            {
                return self.refuse("Content-Length can't be present with Transfer-Encoding");
            }
            // What it makes of these depends on what it asked for.
            if self.edition == Edition::Undici && self.status / 100 == 1 {
                return Ok(Reading::Unknown);
            }
            if self.status == 101 {
                return Ok(Reading::Accepts);
            }
            if self.edition == Edition::Undici && self.status < 100 {
                return self.refuse("false == true");
            }
            self.in_body = true;
            // `http` says that these have no body.
            let bodiless = interim || matches!(self.status, 204 | 304);
            let skips = match self.edition {
                Edition::Node => bodiless,
                Edition::Undici => false,
                Edition::Aiohttp => matches!(self.status, 100 | 102 | 103 | 204 | 304),
            };
            let eof = match (self.body(skips), self.edition) {
                (_, Edition::Undici) if bodiless && self.flags.chunked => {
                    return Ok(Reading::Unknown);
                }
                // What the close was announced for ends with it.
                (Err(Reading::Ends(_)), Edition::Undici)
                    if self.flags.chunked && self.flags.close =>
                {
                    self.cut = true;
                    return Ok(Reading::Accepts);
                }
                (body, _) => body?,
            };
            if eof {
                return Ok(Reading::Ends(End::UntilClose));
            }
            if !interim {
                last = Some(Reading::Accepts);
            }
            if !self.keeps_alive() {
                while matches!(self.input.peek(), Some(b'\r' | b'\n')) {
                    self.input.next();
                }
                return match (self.input.peek(), self.edition) {
                    (Some(_), Edition::Node | Edition::Aiohttp) => {
                        self.refuse("Data after `Connection: close`")
                    }
                    _ => Ok(last.unwrap_or(Reading::Ends(End::StatusLine))),
                };
            }
        }
    }

    fn refuse<T>(&self, reason: &'static str) -> Step<T> {
        Err(Reading::Refuses(reason, self.in_body))
    }

    fn next(&mut self) -> Step<u8> {
        let end = match (self.in_body, self.status) {
            (false, 0) => End::StatusLine,
            (false, _) => End::Headers,
            (true, _) => End::BetweenChunks,
        };
        self.input.next().ok_or(Reading::Ends(end))
    }

    fn peek(&mut self) -> Step<u8> {
        let byte = self.next()?;
        self.input.back();
        Ok(byte)
    }

    fn start_line(&mut self) -> Step<()> {
        self.status = 0;
        self.protocol()?;
        let major = self.digit("Invalid major version")?;
        if self.next()? != b'.' {
            return self.refuse("Expected dot");
        }
        let minor = self.digit("Invalid minor version")?;
        if !matches!((major, minor), (0, 9) | (1, 0 | 1) | (2, 0)) {
            return self.refuse("Invalid HTTP version");
        }
        self.old = (major, minor) < (1, 1);
        if self.next()? != b' ' {
            return self.refuse("Expected space after version");
        }
        let mut status = 0;
        match self.edition {
            Edition::Node | Edition::Aiohttp => {
                for _ in 0..3 {
                    status = status * 10 + u16::from(self.digit("Invalid status code")?);
                }
            }
            Edition::Undici => {
                while self.peek()?.is_ascii_digit() {
                    status = status * 10 + u16::from(self.next()? - b'0');
                    if status > 999 {
                        return self.refuse("Response overflow");
                    }
                }
            }
        }
        match self.next()? {
            b' ' => {}
            b'\r' => self.input.back(),
            b'\n' if self.edition != Edition::Node => self.input.back(),
            _ => return self.refuse("Invalid response status"),
        }
        loop {
            match self.next()? {
                b'\r' => break,
                b'\n' if self.edition == Edition::Node => {
                    return self.refuse("Missing expected CR after response line");
                }
                b'\n' => {
                    self.status = status;
                    return self.after_start_line();
                }
                _ => {}
            }
        }
        // undici's takes any byte for the LF, and the other a second CR.
        match self.next()? {
            b'\n' | b'\r' => {}
            _ if self.edition == Edition::Undici => {}
            _ => return self.refuse("Expected LF after CR"),
        }
        self.status = status;
        self.after_start_line()
    }

    fn after_start_line(&mut self) -> Step<()> {
        match self.peek()? {
            b' ' if self.edition == Edition::Aiohttp => {
                while self.peek()? == b' ' {
                    self.next()?;
                }
                Ok(())
            }
            b' ' => self.refuse("Unexpected space after start line"),
            _ => Ok(()),
        }
    }

    fn protocol(&mut self) -> Step<()> {
        let names: &[&[u8]] = match self.edition {
            Edition::Node | Edition::Aiohttp => &[b"HTTP/", b"RTSP/", b"ICE/"],
            Edition::Undici => &[b"HTTP/"],
        };
        let rest = self.input.rest();
        if let Some(name) = names.iter().find(|it| rest.starts_with(it)) {
            self.input.skip(name.len());
            return Ok(());
        }
        if names.iter().any(|it| it.starts_with(rest)) {
            return Err(Reading::Ends(End::StatusLine));
        }
        match self.edition {
            Edition::Node | Edition::Aiohttp => self.refuse("Expected HTTP/, RTSP/ or ICE/"),
            Edition::Undici => self.refuse("Expected HTTP/"),
        }
    }

    fn digit(&mut self, otherwise: &'static str) -> Step<u8> {
        match self.next()? {
            byte @ b'0'..=b'9' => Ok(byte - b'0'),
            _ => self.refuse(otherwise),
        }
    }

    /// The field lines up to the end of the head, or of the trailer.
    fn fields(&mut self) -> Step<()> {
        loop {
            match self.peek()? {
                b'\r' => {
                    self.next()?;
                    return match (self.next()?, self.edition) {
                        (b'\n', _) | (_, Edition::Undici) => Ok(()),
                        _ => self.refuse("Expected LF after headers"),
                    };
                }
                b'\n' if self.edition != Edition::Node => {
                    self.next()?;
                    return Ok(());
                }
                b'\n' => return self.refuse("Invalid header field char"),
                _ => self.field()?,
            }
        }
    }

    fn field(&mut self) -> Step<()> {
        let rest = self.input.rest();
        let loose = self.edition == Edition::Undici;
        let is_name = |it: &&u8| is_token(**it) || loose && **it == b' ';
        let length = rest.iter().take_while(is_name).count();
        let name = rest.get(..length).unwrap_or_default().to_ascii_lowercase();
        self.input.skip(length);
        let special: [&[u8]; 5] = [
            b"connection ",
            b"proxy-connection ",
            b"content-length ",
            b"transfer-encoding ",
            b"upgrade ",
        ];
        if loose && special.iter().any(|it| name.starts_with(it)) {
            return self.refuse("Invalid header field char");
        }
        let known = match &name[..] {
            b"connection" | b"proxy-connection" => Known::Connection,
            b"content-length" => Known::Length,
            b"transfer-encoding" => Known::Encoding,
            b"upgrade" => Known::Upgrade,
            _ => Known::Other,
        };
        if self.edition == Edition::Aiohttp && known != Known::Other {
            while self.peek()? == b' ' {
                self.next()?;
            }
        }
        match self.next()? {
            b':' if length > 0 || loose => {}
            b' ' if known != Known::Other => return self.refuse("Invalid header field char"),
            _ => return self.refuse("Invalid header token"),
        }
        self.value(known)
    }

    fn value(&mut self, known: Known) -> Step<()> {
        let node = self.edition != Edition::Undici;
        if known == Known::Encoding && self.flags.length.is_some() && node {
            return self.refuse("Transfer-Encoding can't be present with Content-Length");
        }
        while matches!(self.peek()?, b' ' | b'\t') {
            self.next()?;
        }
        let ends = self.peek()?;
        if ends == b'\r' || ends == b'\n' && self.edition == Edition::Aiohttp {
            self.next()?;
            if ends == b'\r' && self.next()? != b'\n' && node {
                return self.refuse(match self.edition {
                    Edition::Aiohttp => "Invalid header token",
                    _ => "Expected LF after CR",
                });
            }
            if matches!(self.peek()?, b' ' | b'\t') {
                return match self.edition {
                    Edition::Node => self.refuse("Invalid header value char"),
                    Edition::Undici => Err(Reading::Unknown),
                    Edition::Aiohttp => self.value(known),
                };
            }
            if known == Known::Length {
                return self.refuse("Empty Content-Length");
            }
            return Ok(());
        }
        match known {
            Known::Length => return self.content_length(),
            Known::Encoding => {
                self.flags.encoding = true;
                self.flags.chunked = false;
            }
            Known::Connection | Known::Upgrade | Known::Other => {}
        }
        let mut value = Vec::new();
        loop {
            match self.next()? {
                b'\r' => break,
                b'\n' if self.edition == Edition::Node && !value.is_empty() => {
                    return self.refuse("Missing expected CR after header value");
                }
                b'\n' if self.edition == Edition::Aiohttp => {
                    self.input.back();
                    break;
                }
                0 if self.edition == Edition::Aiohttp => return self.refuse("Invalid HTTP header"),
                byte if self.edition == Edition::Aiohttp => value.push(byte),
                byte @ (b'\t' | 32..=126 | 128..) => value.push(byte),
                _ => return self.refuse("Invalid header value char"),
            }
        }
        let at = self.input.rest().len();
        self.value_end(known)?;
        // What is folded ends in something else.
        let folded = self.edition == Edition::Aiohttp && at - self.input.rest().len() > 1;
        if !self.trailing && !folded {
            match known {
                Known::Connection => self.connection(&value),
                Known::Encoding => self.flags.chunked = ends_in_chunked(&value),
                _ => {}
            }
        }
        Ok(())
    }

    /// After the CR of a field line.
    fn value_end(&mut self, known: Known) -> Step<()> {
        if self.next()? != b'\n' {
            return self.refuse("Missing expected LF after header value");
        }
        match self.peek()? {
            b' ' | b'\t' if self.edition == Edition::Node => {
                self.refuse("Unexpected whitespace after header value")
            }
            b' ' | b'\t' if self.edition == Edition::Aiohttp => match known {
                Known::Length => self.value(known),
                _ => {
                    self.flags.chunked &= known != Known::Encoding;
                    self.value(Known::Other)
                }
            },
            // It goes on with the value in whichever state it was.
            b' ' | b'\t' if known != Known::Other => Err(Reading::Unknown),
            b' ' | b'\t' => self.value(Known::Other),
            _ => Ok(()),
        }
    }

    fn content_length(&mut self) -> Step<()> {
        if self.flags.length.is_some() {
            return self.refuse("Duplicate Content-Length");
        }
        if self.flags.encoding && self.edition != Edition::Undici {
            return self.refuse("Content-Length can't be present with Transfer-Encoding");
        }
        let mut length: u64 = 0;
        loop {
            match self.next()? {
                byte @ b'0'..=b'9' => {
                    self.measured = true;
                    let digit = u64::from(byte - b'0');
                    let next = length.checked_mul(10).and_then(|it| it.checked_add(digit));
                    match next {
                        Some(next) => length = next,
                        None => return self.refuse("Content-Length overflow"),
                    }
                }
                b' ' => {
                    while self.peek()? == b' ' {
                        self.next()?;
                    }
                    match self.peek()? {
                        b'\r' | b'\n' => {}
                        _ => return self.refuse("Invalid character in Content-Length"),
                    }
                }
                b'\r' => break,
                b'\n' if self.edition == Edition::Node => {
                    return self.refuse("Missing expected CR after header value");
                }
                b'\n' if self.edition == Edition::Aiohttp => {
                    self.input.back();
                    break;
                }
                b'\n' => return self.refuse("Invalid header value char"),
                _ => return self.refuse("Invalid character in Content-Length"),
            }
        }
        self.flags.length = Some(length);
        self.value_end(Known::Length)
    }

    fn connection(&mut self, value: &[u8]) {
        for token in value.split(|it| *it == b',') {
            let token = token.trim_ascii().to_ascii_lowercase();
            match &token[..] {
                b"close" => self.flags.close = true,
                b"keep-alive" => self.flags.keep_alive = true,
                _ => {}
            }
        }
    }

    fn needs_eof(&self) -> bool {
        let bodiless = self.status / 100 == 1 || matches!(self.status, 204 | 304);
        !bodiless && !self.flags.chunked && (self.flags.encoding || self.flags.length.is_none())
    }

    fn keeps_alive(&self) -> bool {
        let wanted = match self.old {
            true => self.flags.keep_alive,
            false => !self.flags.close,
        };
        wanted && !self.needs_eof()
    }

    /// Whether the body is ended by the close.
    fn body(&mut self, skip: bool) -> Step<bool> {
        if skip {
            return Ok(false);
        }
        if self.flags.chunked {
            self.chunks()?;
            return Ok(false);
        }
        match self.flags.length {
            Some(length) if !self.flags.encoding => {
                let left = self.input.rest().len() as u64;
                if left < length {
                    return Err(Reading::Ends(End::Length));
                }
                self.input.skip(length as usize);
                Ok(false)
            }
            _ => Ok(self.needs_eof()),
        }
    }

    fn chunks(&mut self) -> Step<()> {
        loop {
            let mut size: u64 = 0;
            let mut digits = 0;
            while let Some(digit) = hex(self.peek()?) {
                if size > u64::MAX >> 4 {
                    return self.refuse("Chunk size overflow");
                }
                size = size << 4 | digit;
                digits += 1;
                self.next()?;
            }
            if digits == 0 {
                return self.refuse("Invalid character in chunk size");
            }
            while self.edition == Edition::Aiohttp && self.peek()? == b' ' {
                self.next()?;
            }
            match self.next()? {
                b'\r' => {}
                b';' => self.extensions()?,
                b'\n' if self.edition == Edition::Node => {
                    return self.refuse("Missing expected CR after chunk size");
                }
                b'\n' if self.edition == Edition::Aiohttp => {}
                _ => return self.refuse("Invalid character in chunk size"),
            }
            if self.next()? != b'\n' && self.edition != Edition::Undici {
                return self.refuse("Expected LF after chunk size");
            }
            if size > 1 << 31 && self.edition == Edition::Undici {
                return Err(Reading::Unknown);
            }
            if size == 0 {
                self.trailing = true;
                return self.fields();
            }
            if (self.input.rest().len() as u64) < size {
                return Err(Reading::Ends(End::Chunk));
            }
            self.input.skip(size as usize);
            match self.next()? {
                b'\r' => {}
                _ if self.edition == Edition::Undici => {}
                b'\n' if self.edition == Edition::Node => {
                    return self.refuse("Missing expected CR after chunk data");
                }
                b'\n' => self.input.back(),
                _ => return self.refuse("Expected LF after chunk data"),
            }
            if self.next()? != b'\n' && self.edition != Edition::Undici {
                return self.refuse("Expected LF after chunk data");
            }
        }
    }

    /// The extensions of a chunk, up to the CR.
    fn extensions(&mut self) -> Step<()> {
        const NAME: &str = "Invalid character in chunk extensions name";
        const VALUE: &str = "Invalid character in chunk extensions value";
        const START: &str = "Invalid character in chunk extensions";
        if matches!(self.peek()?, b' ' | b'\r' | b';') {
            return self.refuse(START);
        }
        loop {
            match self.next()? {
                b'\r' => return Ok(()),
                b'\n' if self.edition == Edition::Node => {
                    return self.refuse("Missing expected CR after chunk extension name");
                }
                b';' if matches!(self.peek()?, b';' | b'\r') && self.edition == Edition::Undici => {
                    return self.refuse("Invalid character in chunk size");
                }
                b';' if self.peek()? == b';' => return self.refuse(START),
                b';' => {}
                b'=' => loop {
                    match self.next()? {
                        b'\r' => return Ok(()),
                        b';' => break,
                        b'"' => self.quoted()?,
                        byte if is_token(byte) => {}
                        _ => return self.refuse(VALUE),
                    }
                },
                byte if is_token(byte) => {}
                _ => return self.refuse(NAME),
            }
        }
    }

    fn quoted(&mut self) -> Step<()> {
        loop {
            match self.next()? {
                b'"' => return Ok(()),
                b'\\' => {
                    self.next()?;
                }
                b'\t' | 32..=126 | 128.. => {}
                _ => {
                    return self.refuse("Invalid character in chunk extensions quoted value");
                }
            }
        }
    }
}

fn hex(byte: u8) -> Option<u64> {
    char::from(byte).to_digit(16).map(u64::from)
}

/// Whether the last of these codings is `chunked`.
fn ends_in_chunked(value: &[u8]) -> bool {
    let last = value.rsplit(|it| *it == b',').next().unwrap_or_default();
    let last = last.strip_prefix(b" ").unwrap_or(last);
    trim_end(last, |it| it == b' ').eq_ignore_ascii_case(b"chunked")
}
