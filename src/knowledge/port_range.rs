//! The port ranges that systems use for outgoing connections by default.

use std::sync::LazyLock;

use super::basis::Basis;
use super::table;

/// A system's ephemeral ports (RFC 6056 §2).
#[derive(Debug, PartialEq, Eq)]
pub struct PortRange {
    /// The system.
    pub system: &'static str,
    /// The lowest port.
    pub low: u16,
    /// The highest port.
    pub high: u16,
    /// How it is known.
    pub basis: Basis,
    /// The version of the system with which it was checked.
    pub version: &'static str,
    /// The source of this row.
    pub source: &'static str,
}

static RANGES: LazyLock<Vec<PortRange>> = LazyLock::new(|| {
    table::rows(include_str!("ports.tsv"))
        .filter_map(|[system, low, high, basis, version, source]| {
            let (low, high) = (low.parse().ok()?, high.parse().ok()?);
            Some(PortRange {
                system,
                low,
                high,
                basis: Basis::named(basis),
                version,
                source,
            })
        })
        .collect()
});

/// All ranges, the most common system first.
#[must_use]
pub(crate) fn port_ranges() -> &'static [PortRange] {
    &RANGES
}

#[cfg(test)]
mod tests {
    use super::super::basis::is_told;
    use super::*;

    #[test]
    fn the_table_is_well_formed() {
        table::well_formed::<6>(include_str!("ports.tsv"));
        assert_eq!(
            port_ranges().len(),
            include_str!("ports.tsv").lines().count() - 1
        );
        for [.., basis, version, source] in table::rows::<6>(include_str!("ports.tsv")) {
            assert!(is_told(basis, version, source), "{source}");
        }
        for range in port_ranges() {
            assert!(range.low < range.high, "{range:?}");
        }
        assert_eq!(
            (port_ranges()[0].low, port_ranges()[0].high),
            (32_768, 60_999)
        );
    }
}
