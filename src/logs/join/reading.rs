//! Reads lines from a stream, however long they are.

use std::io::{self, BufRead};

use crate::logs::format::MAX_LINE;

/// Calls `take` with the number and the text of each line, until it returns false. Of a longer line only the beginning is
/// kept. Returns the number of bytes read.
pub(super) fn each_line(
    input: &mut dyn BufRead,
    mut take: impl FnMut(u64, &str) -> bool,
) -> io::Result<u64> {
    let mut number = 0;
    let mut read = 0;
    let mut begun: Vec<u8> = Vec::new();
    loop {
        let buffer = match input.fill_buf() {
            Ok(buffer) => buffer,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if buffer.is_empty() {
            break;
        }
        let length = buffer.len();
        let mut rest = buffer;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            let (line, after) = rest.split_at(end);
            rest = after.get(1..).unwrap_or_default();
            number += 1;
            let go_on = if begun.is_empty() {
                take(number, &text(line))
            } else {
                extend(&mut begun, line);
                let go_on = take(number, &text(&begun));
                begun.clear();
                go_on
            };
            if !go_on {
                return Ok(read);
            }
        }
        extend(&mut begun, rest);
        input.consume(length);
        read += length as u64;
    }
    if !begun.is_empty() {
        take(number + 1, &text(&begun));
    }
    Ok(read)
}

fn extend(begun: &mut Vec<u8>, more: &[u8]) {
    let room = MAX_LINE.saturating_sub(begun.len());
    begun.extend_from_slice(more.get(..room).unwrap_or(more));
}

fn text(line: &[u8]) -> std::borrow::Cow<'_, str> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    String::from_utf8_lossy(line.get(..MAX_LINE).unwrap_or(line))
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    #[test]
    fn lines_are_read_across_buffers() {
        let long = "x".repeat(3 * MAX_LINE);
        let text = format!("one\r\n\n{long}\ntwo\u{e9}\nlast");
        for size in [1, 7, 64, 1 << 20] {
            let mut input = BufReader::with_capacity(size, text.as_bytes());
            let mut lines = Vec::new();
            let read = each_line(&mut input, |number, line| {
                lines.push((number, line.len()));
                true
            });
            let wanted = [(1, 3), (2, 0), (3, MAX_LINE), (4, 5), (5, 4)];
            assert_eq!(lines, wanted, "{size}");
            assert_eq!(read.ok(), Some(text.len() as u64));
        }
        let mut input = text.as_bytes();
        let mut first = 0;
        let _ = each_line(&mut input, |_, _| {
            first += 1;
            false
        });
        assert_eq!(first, 1);
    }
}
