//! Parses a head: start line and field lines (RFC 9112 §2–5).
//!
//! A head that follows the grammar is parsed by `httparse`. One that does not is parsed again line by line, leniently,
//! to report what is wrong and where, and to continue as most programs would. A test checks the two parsers against
//! each other.

use std::mem::MaybeUninit;

use httparse::Header;
use memchr::{memchr, memchr_iter};

use super::fault::{Fault, FaultRule, MAX_FAULTS, MAX_QUOTE};
use super::fields::FieldFacts;
use super::message::HttpVersion;
use super::recognition::is_token;
use super::text::{SharedText, TextInterner};
use super::unfold::Unfolded;

/// Field lines that `httparse` gets room for; a head with more is parsed line by line.
const LINES: usize = 64;

/// The kind of message a head belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeadKind {
    Request,
    Response,
}

/// A parsed head.
#[derive(Debug, Default)]
pub(super) struct Head<'a> {
    pub(super) method: &'a [u8],
    pub(super) target: Option<&'a [u8]>,
    pub(super) version: Option<HttpVersion>,
    /// 0 if it is illegible.
    pub(super) status: u16,
    pub(super) facts: FieldFacts<'a>,
    pub(super) faults: Vec<Fault>,
    pub(super) more_faults: u32,
}

/// Where the head at the beginning of `bytes` ends, its empty line included. The first `scanned` bytes were searched
/// before without finding the end; the number is updated.
pub(super) fn end_of(bytes: &[u8], scanned: &mut usize) -> Option<usize> {
    let from = *scanned;
    for at in memchr_iter(b'\n', bytes.get(from..)?) {
        let at = from + at;
        match bytes.get(at + 1..)? {
            [b'\n', ..] => return Some(at + 2),
            [b'\r', b'\n', ..] => return Some(at + 3),
            [] | [b'\r'] => {
                *scanned = at;
                return None;
            }
            _ => {}
        }
    }
    *scanned = bytes.len();
    None
}

/// Parses a complete head that begins at `offset` of its direction, if it follows the grammar but for the ends of its
/// lines, into `read`, which is the default.
pub(super) fn read_well_formed<'a>(
    head: &'a [u8],
    kind: HeadKind,
    offset: u64,
    texts: &mut TextInterner,
    read: &mut Head<'a>,
) -> Option<()> {
    strict(head, kind, texts, read).filter(|end| *end == head.len())?;
    if has_bare_lf(head)
        && let Some(at) =
            memchr_iter(b'\n', head).find(|at| *at == 0 || head.get(at - 1) != Some(&b'\r'))
    {
        let line = head.get(..at).unwrap_or_default();
        let start = line
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |at| at + 1);
        read.fault_in(
            FaultRule::BareLf,
            offset + at as u64,
            offset + start as u64,
            name_of(head.get(start..=at).unwrap_or_default()),
        );
    }
    Some(())
}

/// Parses a complete head that breaks the grammar.
pub(super) fn read_unfolded<'a>(
    head: &'a Unfolded,
    kind: HeadKind,
    offset: u64,
    texts: &mut TextInterner,
) -> Head<'a> {
    let mut read = lenient(head.bytes(), kind, offset, texts);
    read.faults.extend(head.faults().iter().cloned());
    read.faults.sort_by_key(|fault| fault.offset);
    let mut bare_lf = false;
    read.faults
        .retain(|it| it.rule != FaultRule::BareLf || !std::mem::replace(&mut bare_lf, true));
    read.faults.truncate(MAX_FAULTS);
    read
}

/// Parses the head at the beginning of `bytes` into `read`, which is the default, and says where it ends; `None` if it does
/// not follow the grammar in all, or goes on after `bytes`. (A head is large: to move it takes about as long as to read it.)
pub(super) fn read_strictly<'a>(
    bytes: &'a [u8],
    kind: HeadKind,
    texts: &mut TextInterner,
    read: &mut Head<'a>,
) -> Option<usize> {
    // `httparse` passes over empty lines before the start line.
    let blank = matches!(bytes.first(), Some(b'\r' | b'\n'));
    let end = strict(bytes, kind, texts, read).filter(|_| !blank)?;
    (!has_bare_lf(bytes.get(..end)?)).then_some(end)
}

/// Parses an incomplete head: its complete lines, a partial start line, and a truncated `User-Agent` or `Server`.
pub(super) fn read_part<'a>(
    head: &'a [u8],
    kind: HeadKind,
    offset: u64,
    texts: &mut TextInterner,
) -> Head<'a> {
    let complete = head
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |at| at + 1);
    if let (Some(lines @ [_, ..]), Some(rest)) = (head.get(..complete), head.get(complete..)) {
        let mut read = lenient(lines, kind, offset, texts);
        read.facts.partial_product_field(rest);
        return read;
    }
    let mut read = Head::default();
    let mut words = head.split(|byte| *byte == b' ').peekable();
    let first = words.next().unwrap_or_default();
    // A word counts only if the space after it is there.
    if words.peek().is_none() {
        return read;
    }
    match kind {
        HeadKind::Request => {
            read.method = first;
            let target = words.next().filter(|_| words.peek().is_some());
            read.target = target;
        }
        HeadKind::Response => {
            read.version = HttpVersion::of(first);
            let status = words.next().unwrap_or_default();
            if status.len() == 3 {
                read.status = status_code(status).unwrap_or(0);
            }
        }
    }
    read
}

/// Whether a line ends without a CR. Checks many bytes at a time, since hardly any head has such a line.
fn has_bare_lf(head: &[u8]) -> bool {
    let pairs = head.iter().zip(head.get(1..).unwrap_or_default());
    let end_head_response = pairs.fold(0, |found, (one, next)| {
        found | u8::from(*next == b'\n') & u8::from(*one != b'\r')
    });
    end_head_response != 0 || head.first() == Some(&b'\n')
}

/// Parses the head at the beginning of `bytes`, and says where it ends.
fn strict<'a>(
    bytes: &'a [u8],
    kind: HeadKind,
    texts: &mut TextInterner,
    read: &mut Head<'a>,
) -> Option<usize> {
    let mut lines = [const { MaybeUninit::uninit() }; LINES];
    let end = match kind {
        HeadKind::Request => {
            let mut request = httparse::Request::new(&mut []);
            let httparse::Status::Complete(end) =
                request.parse_with_uninit_headers(bytes, &mut lines).ok()?
            else {
                return None;
            };
            read.method = request.method?.as_bytes();
            read.target = Some(request.path?.as_bytes());
            read.version = request.version.map(|minor| HttpVersion::new(1, minor));
            collect_fields(request.headers, &mut read.facts, texts);
            end
        }
        HeadKind::Response => {
            let mut response = httparse::Response::new(&mut []);
            let config = httparse::ParserConfig::default();
            let parsed =
                config.parse_response_with_uninit_headers(&mut response, bytes, &mut lines);
            let httparse::Status::Complete(end) = parsed.ok()? else {
                return None;
            };
            read.status = response.code?;
            read.version = response.version.map(|minor| HttpVersion::new(1, minor));
            collect_fields(response.headers, &mut read.facts, texts);
            end
        }
    };
    Some(end)
}

fn collect_fields<'a>(lines: &[Header<'a>], facts: &mut FieldFacts<'a>, texts: &mut TextInterner) {
    for line in lines {
        facts.line(line.name.as_bytes(), line.value.trim_ascii(), texts);
    }
}

fn lenient<'a>(head: &'a [u8], kind: HeadKind, offset: u64, texts: &mut TextInterner) -> Head<'a> {
    let mut read = Head::default();
    let mut at = 0;
    let mut first = true;
    let mut bare_lf = false;
    let mut fields = false;
    while let Some(rest) = head.get(at..).filter(|rest| !rest.is_empty()) {
        let end = memchr(b'\n', rest).map_or(rest.len(), |end| end + 1);
        let whole = rest.get(..end).unwrap_or_default();
        let begins = offset + at as u64;
        at += end;
        let line = whole.strip_suffix(b"\n").unwrap_or(whole);
        let stripped = line.strip_suffix(b"\r");
        if stripped.is_none() && !std::mem::replace(&mut bare_lf, true) {
            // The place is that of the LF, as in the strict reading.
            let place = begins + line.len() as u64;
            read.fault_in(FaultRule::BareLf, place, begins, name_of(whole));
        }
        let line = stripped.unwrap_or(line);
        if std::mem::replace(&mut first, false) {
            match kind {
                HeadKind::Request => read.request_line(line, begins),
                HeadKind::Response => read.status_line(line, begins),
            }
        } else if !line.is_empty() {
            read.field_line(line, begins, !fields, texts);
            fields |= !matches!(line.first(), Some(b' ' | b'\t'));
        }
    }
    read
}

impl<'a> Head<'a> {
    fn fault(&mut self, rule: FaultRule, offset: u64, bytes: &[u8]) {
        self.fault_in(rule, offset, offset, bytes);
    }

    /// Notes a fault at `offset`, with the bytes from `quoted` on as its quote.
    fn fault_in(&mut self, rule: FaultRule, offset: u64, quoted: u64, bytes: &[u8]) {
        if self.faults.len() < MAX_FAULTS {
            let bytes = SharedText::new(bytes.get(..MAX_QUOTE).unwrap_or(bytes));
            self.faults.push(Fault {
                rule,
                offset,
                bytes,
                quoted,
            });
        } else {
            self.more_faults = self.more_faults.saturating_add(1);
        }
    }

    fn request_line(&mut self, line: &'a [u8], offset: u64) {
        let method = line.iter().take_while(|byte| is_token(**byte)).count();
        let (method, rest) = line.split_at_checked(method).unwrap_or((line, &[]));
        self.method = method;
        let (target, last) = match rest.iter().rposition(|byte| *byte == b' ') {
            Some(space) if space > 0 => (
                rest.get(1..space).unwrap_or_default(),
                rest.get(space + 1..),
            ),
            _ => (rest.get(1..).unwrap_or_default(), None),
        };
        self.version = last.and_then(HttpVersion::of);
        match (rest.first(), self.version) {
            (Some(b' '), Some(known)) => {
                if !matches!(known, HttpVersion::HTTP_10 | HttpVersion::HTTP_11) {
                    self.fault(FaultRule::OtherVersion, offset, line);
                }
            }
            (Some(b' '), None) if last.is_some_and(|last| last.starts_with(b"HTTP/")) => {
                self.fault(FaultRule::Version, offset, line);
            }
            _ => self.fault(FaultRule::StartLine, offset, line),
        }
        let target = if self.version.is_some() {
            target
        } else {
            rest.get(1..).unwrap_or_default()
        };
        self.target = (!target.is_empty()).then_some(target);
        if target.is_empty() && self.version.is_some() {
            self.fault(FaultRule::Target, offset, line);
        }
        let forbidden = |byte: &u8| byte.is_ascii_control() || *byte == b' ';
        if let Some(at) = target
            .iter()
            .position(forbidden)
            .filter(|_| self.version.is_some())
        {
            let quote = target.get(at..).unwrap_or_default();
            let rule = if quote.first() == Some(&0) {
                FaultRule::Nul
            } else {
                FaultRule::Target
            };
            self.fault(rule, offset + (method.len() + 1 + at) as u64, quote);
        }
    }

    fn status_line(&mut self, line: &'a [u8], offset: u64) {
        let word_end = |from: usize| {
            let rest = line.get(from..).unwrap_or_default();
            let ends = |byte: &u8| *byte <= b' ' || *byte == 0x7f;
            rest.iter()
                .position(ends)
                .map_or(line.len(), |at| from + at)
        };
        let end = word_end(0);
        self.version = line.get(..end).and_then(HttpVersion::of);
        match self.version {
            Some(HttpVersion::HTTP_10 | HttpVersion::HTTP_11) => {}
            Some(_) => self.fault(FaultRule::OtherVersion, offset, line),
            None => self.fault(FaultRule::Version, offset, line),
        }
        let begins = self.separator(line, offset, end, true);
        let end = word_end(begins);
        match line.get(begins..end).and_then(status_code) {
            Some(status) => self.status = status,
            None if begins == line.len() => {
                self.fault_in(FaultRule::Status, offset + begins as u64, offset, line);
            }
            None => self.fault(
                FaultRule::Status,
                offset + begins as u64,
                line.get(begins..).unwrap_or_default(),
            ),
        }
        let begins = self.separator(line, offset, end, false);
        self.value(b"", line.get(begins..).unwrap_or_default(), line, offset);
    }

    /// Passes over what separates two words of a status line: one space. A space may begin the reason as well, so that
    /// one more counts only before the status.
    fn separator(&mut self, line: &[u8], offset: u64, at: usize, status: bool) -> usize {
        let is_word = |byte: &u8| *byte > b' ' && *byte != 0x7f;
        let rest = line.get(at..).unwrap_or_default();
        let first = usize::from(rest.first() == Some(&b' '));
        let odd = match rest.get(first) {
            Some(_) if first == 1 && !status => return at + 1,
            Some(byte) if !is_word(byte) => *byte,
            _ => return at + first,
        };
        let rule = match odd {
            0 => FaultRule::Nul,
            b'\r' => FaultRule::BareCr,
            _ => FaultRule::Separator,
        };
        let quote = rest.get(first..).unwrap_or_default();
        self.fault(rule, offset + (at + first) as u64, quote);
        let odd = quote.iter().position(is_word).unwrap_or(quote.len());
        at + first + odd
    }

    fn field_line(
        &mut self,
        line: &'a [u8],
        offset: u64,
        is_first: bool,
        texts: &mut TextInterner,
    ) {
        if matches!(line.first(), Some(b' ' | b'\t')) {
            // It continues no field: what does is one line by now.
            let rule = if is_first {
                FaultRule::SpaceBeforeFields
            } else {
                FaultRule::ObsFold
            };
            self.fault(rule, offset, name_of(line));
            return;
        }
        if starts_message(line) {
            self.fault(FaultRule::SecondStartLine, offset, line);
            return;
        }
        let Some(colon) = memchr(b':', line) else {
            // Of a line of a CR alone the other CR belongs to its end.
            let (rule, at) = match (memchr(0, line), line) {
                (Some(at), _) => (FaultRule::Nul, at),
                (None, [b'\r', ..]) => (FaultRule::BareCr, 0),
                (None, _) => (FaultRule::NoColon, 0),
            };
            self.fault_in(rule, offset + at as u64, offset, line);
            return;
        };
        let (name, value) = line.split_at_checked(colon).unwrap_or((line, &[]));
        let value = value.get(1..).unwrap_or_default();
        // White space is SP and HTAB (RFC 9110 §5.6.3); a form feed or a CR is a forbidden byte.
        let blanks = name
            .iter()
            .rev()
            .take_while(|it| matches!(it, b' ' | b'\t'));
        let trimmed = name.get(..name.len() - blanks.count()).unwrap_or(name);
        if trimmed.len() < name.len() {
            self.fault(FaultRule::SpaceBeforeColon, offset, name_of(line));
        }
        if trimmed.is_empty() || !trimmed.iter().all(|byte| is_token(*byte)) {
            let (rule, at) = match (memchr(0, trimmed), memchr(b'\r', trimmed)) {
                (Some(at), _) => (FaultRule::Nul, at),
                (None, Some(at)) => (FaultRule::BareCr, at),
                (None, None) => (FaultRule::FieldName, 0),
            };
            self.fault_in(rule, offset + at as u64, offset, name_of(line));
        }
        let clean = self.value(trimmed, value, line, offset);
        let name = name.trim_ascii_end();
        // Clients differ in whether such a coding counts, and so does what the body should be.
        if !clean && name.eq_ignore_ascii_case(b"content-encoding") {
            return;
        }
        // Lenient readers take any white space off.
        self.facts.line(name, value.trim_ascii(), texts);
    }

    /// Reports control bytes in a value. If the value may be secret, only the field name is quoted. Returns whether there
    /// are none.
    fn value(&mut self, name: &[u8], value: &[u8], line: &[u8], offset: u64) -> bool {
        let forbidden = |byte: &u8| (*byte < b' ' && *byte != b'\t') || *byte == 0x7f;
        let Some(at) = value.iter().position(forbidden) else {
            return true;
        };
        let rule = match value.get(at) {
            Some(0) => FaultRule::Nul,
            Some(b'\r') => FaultRule::BareCr,
            _ => FaultRule::FieldValue,
        };
        let at_line = line.len() - value.len() + at;
        let at_line = offset + at_line as u64;
        if is_secret(name) {
            self.fault_in(rule, at_line, offset, name_of(line));
        } else {
            self.fault(rule, at_line, value.get(at..).unwrap_or_default());
        }
        false
    }
}

/// The part of a line that may be quoted: a field line up to its colon, or a whole start line.
pub(super) fn name_of(line: &[u8]) -> &[u8] {
    match memchr(b':', line) {
        Some(colon) if !starts_message(line) => line.get(..=colon).unwrap_or(line),
        _ => line,
    }
}

/// Whether the value of such a field must not be quoted.
fn is_secret(name: &[u8]) -> bool {
    let name = name.to_ascii_lowercase();
    [
        "auth", "cookie", "token", "key", "secret", "password", "session",
    ]
    .iter()
    .any(|word| memchr::memmem::find(&name, word.as_bytes()).is_some())
}

/// Whether a line among the fields is a start line: a response that was split in two.
fn starts_message(line: &[u8]) -> bool {
    let is_status = line.starts_with(b"HTTP/1.") && line.get(8) == Some(&b' ');
    let is_request = matches!(
        line,
        [
            ..,
            b' ',
            b'H',
            b'T',
            b'T',
            b'P',
            b'/',
            b'1',
            b'.',
            b'0' | b'1'
        ]
    ) && line.iter().find(|byte| !is_token(**byte)) == Some(&b' ');
    is_status || is_request
}

fn status_code(word: &[u8]) -> Option<u16> {
    match word {
        [a @ b'1'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9'] => {
            let digit = |byte: &u8| u16::from(byte - b'0');
            Some(digit(a) * 100 + digit(b) * 10 + digit(c))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::fields::{ContentLengths, TransferCodings};
    use super::super::unfold::unfold;
    use super::*;

    /// A head, and its faults with their offsets.
    type HeadCase = (&'static [u8], &'static [(FaultRule, u64)]);

    /// Parses a complete head, and passes on what it is.
    fn with_head<T>(head: &[u8], kind: HeadKind, offset: u64, told: impl Fn(Head<'_>) -> T) -> T {
        let mut texts = TextInterner::new();
        let mut read = Head::default();
        if read_well_formed(head, kind, offset, &mut texts, &mut read).is_some() {
            return told(read);
        }
        let unfolded = unfold(head, offset);
        told(read_unfolded(&unfolded, kind, offset, &mut texts))
    }

    fn faults(head: &[u8], kind: HeadKind) -> Vec<(FaultRule, u64)> {
        let faults = with_head(head, kind, 1000, |read| read.faults);
        faults
            .iter()
            .map(|fault| (fault.rule, fault.offset - 1000))
            .collect()
    }

    #[test]
    fn heads_end_at_the_empty_line() {
        let cases: &[(&[u8], Option<usize>)] = &[
            (b"a\r\n\r\nb", Some(5)),
            (b"a\n\nb", Some(3)),
            (b"a\r\n\nb", Some(4)),
            (b"a\n\r\nb", Some(4)),
            (b"a\r\n\r", None),
            (b"a\r\nb\r\n", None),
            (b"", None),
        ];
        for (bytes, end) in cases {
            assert_eq!(end_of(bytes, &mut 0), *end, "{}", bytes.escape_ascii());
            let mut scanned = 0;
            let grown = (0..=bytes.len()).find_map(|length| end_of(&bytes[..length], &mut scanned));
            assert_eq!(grown, *end, "byte by byte: {}", bytes.escape_ascii());
        }
    }

    #[test]
    fn field_lines_are_counted() {
        for lines in [0, 3, 101] {
            let head = format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: b\r\n".repeat(lines));
            let read = with_head(head.as_bytes(), HeadKind::Response, 0, |it| it.facts.lines);
            assert_eq!(usize::from(read), lines);
        }
    }

    #[test]
    fn faults_are_named_and_found() {
        use FaultRule::*;
        let cases: &[HeadCase] = &[
            (b"HTTP/1.1 200 OK\r\nA: b\r\n\r\n", &[]),
            (b"HTTP/1.1 200\r\n\r\n", &[]),
            (b"HTTP/1.1 200 OK\nA: b\n\n", &[(BareLf, 15)]),
            (
                b"HTTP/1.1 200 OK\r\nA: b\n c\r\n\r\n",
                &[(BareLf, 21), (ObsFold, 22)],
            ),
            (
                b"HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
                &[(SpaceBeforeColon, 17)],
            ),
            (b"HTTP/1.1 200 OK\r\nA b: c\r\n\r\n", &[(FieldName, 17)]),
            // Neither a form feed nor a CR is white space here.
            (b"HTTP/1.1 200 OK\r\nA\x0c: c\r\n\r\n", &[(FieldName, 17)]),
            (
                b"HTTP/1.1 200 OK\r\nA\r : c\r\n\r\n",
                &[(SpaceBeforeColon, 17), (BareCr, 18)],
            ),
            (b"HTTP/1.1 200 OK\r\n: c\r\n\r\n", &[(FieldName, 17)]),
            (b"HTTP/1.1 200 OK\r\nA\r\n\r\n", &[(NoColon, 17)]),
            (b"HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", &[(ObsFold, 23)]),
            (
                b"HTTP/1.1 200 OK\r\n A: b\r\n\r\n",
                &[(SpaceBeforeFields, 17)],
            ),
            (b"HTTP/1.1 200 OK\r\nA: b\x00c\r\n\r\n", &[(Nul, 21)]),
            (b"HTTP/1.1 200 OK\r\nA: b\rc\r\n\r\n", &[(BareCr, 21)]),
            (b"HTTP/1.1 200 OK\r\nA: b\x01c\r\n\r\n", &[(FieldValue, 21)]),
            (b"HTTP/1.1 20 OK\r\n\r\n", &[(Status, 9)]),
            (b"HTTP/1.1 2000 OK\r\n\r\n", &[(Status, 9)]),
            (b"HTTP/1.1\r\n\r\n", &[(Status, 8)]),
            // The status is legible, and what stands around it is not.
            (b"HTTP/1.1\t 200 ok\r\n\r\n", &[(Separator, 8)]),
            (b"HTTP/1.1 \t200 ok\r\n\r\n", &[(Separator, 9)]),
            (b"HTTP/1.1\r 200 ok\r\n\r\n", &[(BareCr, 8)]),
            (b"HTTP/1.1\x00 200 ok\r\n\r\n", &[(Nul, 8)]),
            (
                b"HTTP/1.1\x0b200\x0bok\r\n\r\n",
                &[(Separator, 8), (Separator, 12)],
            ),
            (b"HTTP/1.1 200\rA:b\r\n\r\n", &[(BareCr, 12)]),
            (b"HTTP/1.1 200 \rA:b\r\n\r\n", &[(BareCr, 13)]),
            (b"HTTP/1.1\rA:b\r\n\r\n", &[(BareCr, 8), (Status, 9)]),
            (
                b"HTTP/1.1x\rA:b\r\n\r\n",
                &[(Version, 0), (BareCr, 9), (Status, 10)],
            ),
            (b"HTTP/1.01 200 ok\r\n\r\n", &[(Version, 0)]),
            (b"HTTP/1.2 200 ok\r\n\r\n", &[(OtherVersion, 0)]),
            (b"HTTP/0.9 200 ok\r\n\r\n", &[(OtherVersion, 0)]),
            // LF CR CR LF
            (
                b"HTTP/1.1 200 ok\r\nA: b\n\r\r\n\r\n",
                &[(BareLf, 21), (BareCr, 22)],
            ),
            // A line that only seems to continue one.
            (
                b"HTTP/1.1 200 ok\r\nA\r\n : b\r\n\r\n",
                &[(NoColon, 17), (ObsFold, 20)],
            ),
            (
                b"HTTP/1.1 200 ok\r\n A: b\r\n c\r\n\r\n",
                &[(SpaceBeforeFields, 17), (SpaceBeforeFields, 24)],
            ),
            (
                b"HTTP/1.1 200 OK\r\nHTTP/1.1 302 Found\r\n\r\n",
                &[(SecondStartLine, 17)],
            ),
            (b"HTTP/3.7 200 OK\r\n\r\n", &[(OtherVersion, 0)]),
        ];
        for (head, expect) in cases {
            assert_eq!(
                faults(head, HeadKind::Response),
                *expect,
                "{}",
                head.escape_ascii()
            );
        }
        let cases: &[HeadCase] = &[
            (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", &[]),
            (b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", &[(Target, 6)]),
            (b"GET  HTTP/1.1\r\n\r\n", &[(Target, 0)]),
            (b"GET / HTTP/1.9\r\n\r\n", &[(OtherVersion, 0)]),
            (b"GET / HTTP/1.\nA: b\n\n", &[(Version, 0), (BareLf, 13)]),
            (b"GET / HTTP/x\r\n\r\n", &[(Version, 0)]),
            (b"GET /\r\n\r\n", &[(StartLine, 0)]),
        ];
        for (head, expect) in cases {
            assert_eq!(
                faults(head, HeadKind::Request),
                *expect,
                "{}",
                head.escape_ascii()
            );
        }
    }

    #[test]
    fn folded_lines_are_one_line() {
        type Folded = (&'static str, ContentLengths, TransferCodings);
        let cases: &[Folded] = &[
            (
                "Transfer-Encoding:\r\n chunked",
                ContentLengths::None,
                TransferCodings::Chunked,
            ),
            (
                "Transfer-Encoding: chunked\r\n ",
                ContentLengths::None,
                TransferCodings::Chunked,
            ),
            (
                "Content-Length: 68\r\n 34",
                ContentLengths::Illegible,
                TransferCodings::None,
            ),
            (
                "Content-Length:\n\t68\r\nA: b",
                ContentLengths::One(68),
                TransferCodings::None,
            ),
        ];
        for (lines, lengths, coding) in cases {
            let head = format!("HTTP/1.1 200 OK\r\n{lines}\r\n\r\n");
            let read = with_head(head.as_bytes(), HeadKind::Response, 0, |it| {
                (it.facts.lengths, it.facts.coding)
            });
            assert_eq!(read, (*lengths, *coding), "{lines:?}");
        }
    }

    #[test]
    fn the_quote_says_where_it_begins() {
        let head = b"HTTP/1.1 200 OK\r\nName: some value\nA\x00b: c\r\nC: d\x01\r\n\r\n";
        let faults = with_head(head, HeadKind::Response, 0, |read| read.faults);
        let told: Vec<_> = faults
            .iter()
            .map(|it| (it.offset, it.quoted, it.bytes.as_str().unwrap_or("?")))
            .collect();
        assert_eq!(
            told,
            [(33, 17, "Name:"), (35, 34, "A\0b:"), (46, 46, "\u{1}")]
        );
    }

    #[test]
    fn of_secrets_only_the_name_is_quoted() {
        let head = b"GET / HTTP/1.1\r\nAuthorization: Basic abc\x01def\r\nCookie : x=1\r\nSet-Cookie: y\n\r\n";
        let faults = with_head(head, HeadKind::Request, 0, |read| read.faults);
        let quotes: Vec<_> = faults
            .iter()
            .map(|fault| fault.bytes.as_str().unwrap_or("?"))
            .collect();
        assert_eq!(quotes, ["Authorization:", "Cookie :", "Set-Cookie:"]);
    }

    #[test]
    fn faults_are_bounded() {
        let mut head = b"GET / HTTP/1.1\r\n".to_vec();
        for _ in 0..100 {
            head.extend_from_slice(b"no colon\r\n");
        }
        head.extend_from_slice(b"\r\n");
        let read = with_head(&head, HeadKind::Request, 0, |read| {
            (read.faults.len(), read.more_faults)
        });
        assert_eq!(read, (MAX_FAULTS, 92));
        head.truncate(16);
        head.extend_from_slice(b"A: b");
        head.extend_from_slice(&b"\r\n c".repeat(100));
        head.extend_from_slice(b"\r\n\r\n");
        let read = with_head(&head, HeadKind::Request, 0, |read| read.faults.len());
        assert_eq!(read, MAX_FAULTS);
    }

    #[test]
    fn a_start_line_counts_as_far_as_it_goes() {
        let mut texts = TextInterner::new();
        let part = read_part(b"GET /index.html HTT", HeadKind::Request, 0, &mut texts);
        assert_eq!(
            (part.method, part.target),
            (&b"GET"[..], Some(&b"/index.html"[..]))
        );
        let cut = |line: &str| {
            let head = format!("GET / HTTP/1.1\r\nHost: x\r\n{line}");
            let read = read_part(
                head.as_bytes(),
                HeadKind::Request,
                0,
                &mut TextInterner::new(),
            );
            read.facts
                .user_agent
                .map(|it| String::from_utf8_lossy(it).into_owned())
        };
        assert_eq!(
            cut("User-Agent: python-httpx/0.2").as_deref(),
            Some("python-httpx/0.")
        );
        assert_eq!(cut("User-Agent: node"), None, "it may go on as node-fetch");
        assert_eq!(cut("User-Agen"), None);
        assert_eq!(cut("X-User-Agent: curl/8"), None);
        let part = read_part(b"GET /index.ht", HeadKind::Request, 0, &mut texts);
        assert_eq!((part.method, part.target), (&b"GET"[..], None));
        let part = read_part(b"HTTP/1.1 404 Not", HeadKind::Response, 0, &mut texts);
        assert_eq!(
            (part.version, part.status),
            (Some(HttpVersion::HTTP_11), 404)
        );
        let part = read_part(
            b"HTTP/1.1 200 OK\r\nServer: x\r\nContent-Le",
            HeadKind::Response,
            0,
            &mut texts,
        );
        assert_eq!((part.status, part.facts.server), (200, Some(&b"x"[..])));
    }

    proptest! {
        /// What `httparse` accepts, the lenient parser parses alike and without faults, bare LF aside.
        #[test]
        fn both_readers_agree(lines in proptest::collection::vec(
            ("(Connection|Host|Content-Length|Via|Server|X-[a-z]{0,5})", "[ \t]?[!-~é]{0,9}( [!-~]{1,5})?[ \t]?"), 0..8),
            request: bool, lf: bool)
        {
            let end = if lf { "\n" } else { "\r\n" };
            let start = if request { "GET /x?y HTTP/1.1" } else { "HTTP/1.1 200 Fine" };
            let mut head = format!("{start}{end}");
            for (name, value) in &lines {
                head.push_str(&format!("{name}:{value}{end}"));
            }
            head.push_str(end);
            let kind = if request { HeadKind::Request } else { HeadKind::Response };
            let mut texts = TextInterner::new();
            let mut strict = Head::default();
            if super::strict(head.as_bytes(), kind, &mut texts, &mut strict).is_some() {
                let lenient = lenient(head.as_bytes(), kind, 0, &mut texts);
                prop_assert!(lenient.faults.iter().all(|fault| lf && fault.rule == FaultRule::BareLf));
                prop_assert_eq!(format!("{:?}", strict.facts), format!("{:?}", lenient.facts));
                prop_assert_eq!((strict.method, strict.target), (lenient.method, lenient.target));
                prop_assert_eq!((strict.version, strict.status), (lenient.version, lenient.status));
            }
        }

        #[test]
        fn no_bytes_panic(head: Vec<u8>, request: bool) {
            let kind = if request { HeadKind::Request } else { HeadKind::Response };
            with_head(&head, kind, u64::MAX - 10_000, |_| ());
            read_part(&head, kind, 0, &mut TextInterner::new());
        }
    }
}
