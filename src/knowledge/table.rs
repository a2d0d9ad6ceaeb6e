//! Tab-separated tables: one fact per line, the first line names the columns, an empty field means unknown.
//!
//! The tables are compiled into the program, so a malformed one is a build error that the tests find. At run time a row
//! with too few fields is skipped.

/// The rows of a table with `N` columns, without its header line.
pub(super) fn rows<const N: usize>(text: &'static str) -> impl Iterator<Item = [&'static str; N]> {
    lines(text).filter_map(row)
}

/// The lines of a table, without its header line.
pub(super) fn lines(text: &'static str) -> impl Iterator<Item = &'static str> {
    let mut start = 0;
    let lines = memchr::memchr_iter(b'\n', text.as_bytes()).filter_map(move |end| {
        let line = text.get(start..end);
        start = end + 1;
        line
    });
    lines.skip(1)
}

/// The fields of a line.
pub(super) fn row<const N: usize>(line: &'static str) -> Option<[&'static str; N]> {
    let mut tabs = memchr::memchr_iter(b'\t', line.as_bytes());
    let mut row = [""; N];
    let (last, fields) = row.split_last_mut()?;
    let mut start = 0;
    for field in fields {
        let end = tabs.next()?;
        *field = line.get(start..end)?;
        start = end + 1;
    }
    *last = line.get(start..)?;
    tabs.next().is_none().then_some(row)
}

/// A field, unless it is empty.
pub(super) fn field(text: &'static str) -> Option<&'static str> {
    (!text.is_empty()).then_some(text)
}

/// Checks a table as it is in the source: every line against the header line.
#[cfg(test)]
pub(super) fn well_formed<const N: usize>(text: &'static str) {
    for (index, line) in text.lines().enumerate() {
        assert!(row::<N>(line).is_some(), "line {}: {line}", index + 1);
    }
    assert!(text.ends_with('\n'));
}
