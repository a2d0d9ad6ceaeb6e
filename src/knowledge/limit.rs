//! Default counts: how many requests a server answers on one connection, how many connections a client opens to one host.
//!
//! `limits.tsv` has one row per default.

use std::sync::LazyLock;

use super::table;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Counted {
    /// Requests on one connection.
    Requests,
    /// Connections of one client to one host.
    Connections,
}

/// A default count of a product.
#[derive(Debug)]
pub struct Limit {
    /// How many.
    pub count: u64,
    /// Of what.
    pub what: Counted,
    /// `client`, `server` or `proxy`.
    pub role: &'static str,
    /// Whose it is.
    pub product: &'static str,
    /// The setting that changes it.
    pub setting: &'static str,
    /// `source-code`, `documented` or `presumed`.
    pub basis: &'static str,
    /// The source of this row.
    pub source: &'static str,
}

/// All limits.
pub static LIMITS: LazyLock<Vec<Limit>> = LazyLock::new(|| {
    table::rows(include_str!("limits.tsv"))
        .filter_map(|[count, what, role, product, setting, basis, source]| {
            Some(Limit {
                count: count.parse().ok()?,
                what: match what {
                    "requests" => Counted::Requests,
                    "connections" => Counted::Connections,
                    _ => return None,
                },
                role,
                product,
                setting,
                basis,
                source,
            })
        })
        .collect()
});

/// The products that have this count by default, with commas between them; `None` where none is known.
#[must_use]
pub(crate) fn default_limit(count: u64, what: Counted) -> Option<String> {
    let same = LIMITS
        .iter()
        .filter(|it| it.count == count && it.what == what);
    let products: Vec<_> = same.map(|it| it.product).collect();
    (!products.is_empty()).then(|| products.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_well_formed() {
        table::well_formed::<7>(include_str!("limits.tsv"));
        assert_eq!(LIMITS.len(), include_str!("limits.tsv").lines().count() - 1);
        assert!(
            LIMITS
                .iter()
                .all(|it| it.count > 0 && !it.source.is_empty())
        );
    }

    #[test]
    fn a_count_names_its_products() {
        assert_eq!(
            default_limit(100, Counted::Requests).as_deref(),
            Some("Apache httpd, Tomcat")
        );
        assert_eq!(default_limit(100, Counted::Connections), None);
    }
}
