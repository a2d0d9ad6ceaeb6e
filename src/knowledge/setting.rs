//! The product settings that help against a fault: `settings.tsv`, with the product, the rules it helps with, and the
//! side on which the product runs, in each row.

use std::sync::LazyLock;

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
    /// A sentence or two, the product's name first.
    pub remedy: &'static str,
    /// The source of this row.
    pub source: &'static str,
}

/// All settings.
pub(crate) static SETTINGS: LazyLock<Vec<Setting>> = LazyLock::new(|| {
    table::rows(include_str!("settings.tsv"))
        .map(|[rules, side, products, remedy, source]| Setting {
            rules: rules.split(' ').collect(),
            side: match side {
                "client" => LogSide::Client,
                _ => LogSide::Server,
            },
            products: products.split(' ').filter_map(product).collect(),
            remedy,
            source,
        })
        .collect()
});

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
    use super::*;

    #[test]
    fn the_table_is_well_formed() {
        table::well_formed::<5>(include_str!("settings.tsv"));
        let rows = table::rows::<5>(include_str!("settings.tsv"));
        for ([_, side, products, remedy, source], setting) in rows.zip(SETTINGS.iter()) {
            assert_eq!(side, setting.side.name());
            assert_eq!(
                products.split(' ').count(),
                setting.products.len(),
                "{products}"
            );
            assert!(remedy.ends_with('.') && !source.is_empty(), "{remedy}");
        }
        assert_eq!(
            SETTINGS.len(),
            include_str!("settings.tsv").lines().count() - 1
        );
    }

    #[test]
    fn a_product_has_its_own() {
        let nginx = product("nginx").expect("a product");
        let told = |rule, side| {
            settings(rule, side, nginx)
                .map(|it| it.remedy)
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
