//! Tab-separated tables: one fact per line, the first line names the columns, an empty field means unknown.
//!
//! The tables are compiled into the program, so a malformed one is a build error that the tests find. At run time a row
//! with too few fields is skipped.

/// The rows of a table with `N` columns, without its header line.
pub(super) fn rows<const N: usize>(text: &'static str) -> impl Iterator<Item = [&'static str; N]> {
    text.lines().skip(1).filter_map(row)
}

fn row<const N: usize>(line: &'static str) -> Option<[&'static str; N]> {
    let mut fields = line.split('\t');
    let mut row = [""; N];
    for field in &mut row {
        *field = fields.next()?;
    }
    fields.next().is_none().then_some(row)
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
