//! The CSV report: a table of connections, of exchanges or of findings, for spreadsheets, `join` and databases (RFC 4180
//! with a header line; lines end in LF).
//!
//! Columns keep their names and order; new ones come last. A cell that is not known is empty. Text from packets passes
//! through `base::escape`, and no cell begins with what a spreadsheet takes for a formula.

mod cells;
mod connections;
mod exchanges;
mod findings;

use std::io::{self, Write};

pub(crate) use cells::{Cells, Table};

use super::options::CsvTable;
use super::view::View;

/// Writes the table that the options name.
pub(super) fn write(view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    let mut table = csv::Writer::from_writer(out);
    match view.options.table {
        CsvTable::Connections => connections::write(view, &mut table)?,
        CsvTable::Exchanges => exchanges::write(view, &mut table)?,
        CsvTable::Findings => findings::write(view, &mut table)?,
    }
    table.flush()
}
