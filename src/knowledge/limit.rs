//! Default counts: how many requests a server answers on one connection, how many connections a client opens to one host.
//!
//! `limits.tsv` has one row per default.

use std::sync::LazyLock;

use super::basis::Basis;
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
    /// How it is known.
    pub basis: Basis,
    /// The version of the product with which it was checked.
    pub version: &'static str,
    /// The source of this row.
    pub source: &'static str,
}

/// All limits.
pub static LIMITS: LazyLock<Vec<Limit>> = LazyLock::new(|| {
    table::rows(include_str!("limits.tsv"))
        .filter_map(
            |[count, what, role, product, setting, basis, version, source]| {
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
                    basis: Basis::named(basis),
                    version,
                    source,
                })
            },
        )
        .collect()
});

/// The products that have this count by default, with commas between them; `None` where none is known.
#[must_use]
pub(crate) fn default_limit(count: u64, what: Counted) -> Option<String> {
    told(
        LIMITS
            .iter()
            .filter(|it| it.count == count && it.what == what),
    )
}

/// The products of [`default_limit`]: what is presumed comes last and is marked.
fn told<'a>(limits: impl Iterator<Item = &'a Limit>) -> Option<String> {
    let (presumed, known): (Vec<_>, Vec<_>) = limits.partition(|it| it.basis.is_presumed());
    let known = known.iter().map(|it| it.product.to_owned());
    let presumed = presumed
        .iter()
        .map(|it| format!("presumably {}", it.product));
    let products: Vec<_> = known.chain(presumed).collect();
    (!products.is_empty()).then(|| products.join(", "))
}

#[cfg(test)]
mod tests {
    use super::super::basis::is_told;
    use super::*;

    #[test]
    fn the_table_is_well_formed() {
        table::well_formed::<8>(include_str!("limits.tsv"));
        assert_eq!(LIMITS.len(), include_str!("limits.tsv").lines().count() - 1);
        for [count, .., basis, version, source] in table::rows::<8>(include_str!("limits.tsv")) {
            assert!(is_told(basis, version, source), "{count} {source}");
        }
        assert!(LIMITS.iter().all(|it| it.count > 0));
    }

    #[test]
    fn what_is_presumed_is_marked() {
        let limit = |product, basis| Limit {
            count: 7,
            what: Counted::Requests,
            role: "server",
            product,
            setting: "",
            basis,
            version: "",
            source: "",
        };
        let all = [limit("A", Basis::Presumed), limit("B", Basis::Documented)];
        assert_eq!(told(all.iter()).as_deref(), Some("B, presumably A"));
        assert_eq!(told([].iter()), None);
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
