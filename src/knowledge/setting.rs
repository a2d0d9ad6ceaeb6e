//! The product settings that help against a fault: `settings.tsv`, with the product, the rules it helps with, and the
//! side on which the product runs, in each row.

use std::borrow::Cow;
use std::sync::LazyLock;

use super::basis::{Basis, hedged};
use super::product::{Product, product};
use super::table;
use super::wire_event::LogSide;

/// What to change in one product.
#[derive(Debug)]
pub struct Setting {
    /// The rules whose findings call for it.
    pub rules: Vec<&'static str>,
    /// The side on which the product runs.
    pub side: LogSide,
    /// The products that have this setting.
    pub products: Vec<&'static Product>,
    /// A sentence or two, the product's name first. Of a row that nobody has checked, it is without the default, and says so.
    pub remedy: Cow<'static, str>,
    /// How it is known.
    pub basis: Basis,
    /// The version of the product with which it was checked.
    pub version: &'static str,
    /// The source of this row.
    pub source: &'static str,
}

/// All settings.
pub(crate) static SETTINGS: LazyLock<Vec<Setting>> = LazyLock::new(|| {
    table::rows(include_str!("settings.tsv"))
        .map(setting)
        .collect()
});

fn setting(row: [&'static str; 7]) -> Setting {
    let [rules, side, products, remedy, basis, version, source] = row;
    let basis = Basis::named(basis);
    Setting {
        rules: rules.split(' ').collect(),
        side: match side {
            "client" => LogSide::Client,
            _ => LogSide::Server,
        },
        products: products.split(' ').filter_map(product).collect(),
        remedy: match basis.is_presumed() {
            true => Cow::Owned(hedged(remedy)),
            false => Cow::Borrowed(remedy),
        },
        basis,
        version,
        source,
    }
}

/// The settings of this product on this side that help with a finding of this rule.
pub fn settings(
    rule: &str,
    side: LogSide,
    product: &'static Product,
) -> impl Iterator<Item = &'static Setting> {
    SETTINGS.iter().filter(move |it| {
        it.side == side
            && it.rules.contains(&rule)
            && it.products.iter().any(|known| known.name == product.name)
    })
}

#[cfg(test)]
mod tests {
    use super::super::basis::is_told;
    use super::*;

    #[test]
    fn the_table_is_well_formed() {
        table::well_formed::<7>(include_str!("settings.tsv"));
        let rows = table::rows::<7>(include_str!("settings.tsv"));
        for ([_, side, products, remedy, basis, version, source], setting) in
            rows.zip(SETTINGS.iter())
        {
            assert_eq!(side, setting.side.name());
            assert_eq!(
                products.split(' ').count(),
                setting.products.len(),
                "{products}"
            );
            assert!(remedy.ends_with('.') && !source.is_empty(), "{remedy}");
            assert!(is_told(basis, version, source), "{remedy}");
        }
        assert_eq!(
            SETTINGS.len(),
            include_str!("settings.tsv").lines().count() - 1
        );
    }

    #[test]
    fn a_row_that_nobody_checked_is_no_fact() {
        let row = |basis, version| {
            let remedy = "nginx: set `a` (75 s by default) above the limit.";
            setting(["tls-alert", "server", "nginx", remedy, basis, version, "x"]).remedy
        };
        assert!(row("documented", "1").contains("(75 s by default)"));
        let presumed = row("presumed", "-");
        assert!(
            presumed.contains("set `a` above the limit. This is presumed"),
            "{presumed}"
        );
    }

    #[test]
    fn a_product_has_its_own() {
        let nginx = product("nginx").expect("a product");
        let told = |rule, side| {
            settings(rule, side, nginx)
                .map(|it| it.remedy.as_ref())
                .collect::<Vec<_>>()
        };
        let race = told("keep-alive-race", LogSide::Server);
        assert!(
            race.len() == 1 && race[0].contains("`keepalive_timeout`"),
            "{race:?}"
        );
        assert!(told("keep-alive-race", LogSide::Client).is_empty());
        assert!(told("tls-alert", LogSide::Server).is_empty());
    }
}
