//! Tab-separated tables: one fact a line, the first line names the columns, an empty field means nothing is known.
//!
//! The tables are part of the program, so a malformed one is a fault of the build, found by the tests; at run time a row
//! too short is passed over.

/// The rows of a table with `N` columns, its head left out.
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

/// The tables as they lie in the source, for tests that hold every line against its head.
#[cfg(test)]
pub(super) fn well_formed<const N: usize>(text: &'static str) {
    for (index, line) in text.lines().enumerate() {
        assert!(row::<N>(line).is_some(), "line {}: {line}", index + 1);
    }
    assert!(text.ends_with('\n'));
}
