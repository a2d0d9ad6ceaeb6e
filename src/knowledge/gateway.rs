//! How the error answers of gateways are told from those of the servers behind them: by words in the body, or by a
//! `Server` field that the gateway sends with its own answers only.
//!
//! `gateways.tsv` has one row per product, status and text.

use std::borrow::Cow;
use std::sync::LazyLock;

use super::basis::Basis;
use super::product::{Product, product};
use super::table;

/// An error answer that a gateway makes itself.
#[derive(Debug)]
pub struct GatewayAnswer {
    /// The products that make it; the first gives it its name unless a header names another of them.
    pub products: Vec<&'static Product>,
    /// Its status.
    pub status: u16,
    /// Words in its body; `None` if the `Server` field is proof enough.
    pub body: Option<&'static str>,
    /// What the gateway says with it, as a clause. Of a row that nobody has checked, it says that it is presumed.
    pub meaning: Cow<'static, str>,
}

/// All of them.
static ANSWERS: LazyLock<Vec<GatewayAnswer>> = LazyLock::new(|| {
    table::rows(include_str!("gateways.tsv"))
        .filter_map(|[products, status, body, meaning, basis, _, source]| {
            (!source.is_empty()).then_some(())?;
            Some(GatewayAnswer {
                products: products.split(' ').filter_map(product).collect(),
                status: status.parse().ok()?,
                body: table::field(body),
                meaning: match Basis::named(basis).is_presumed() {
                    true => Cow::Owned(format!("presumably, {meaning}")),
                    false => Cow::Borrowed(meaning),
                },
            })
        })
        .collect()
});

/// The answer with this status that the beginning of the body, or the product named by the `Server` field, gives away.
#[must_use]
pub(crate) fn gateway_answer(
    status: u16,
    body: &[u8],
    named: Option<&Product>,
) -> Option<(&'static Product, &'static GatewayAnswer)> {
    let mut answers = ANSWERS.iter().filter(|it| it.status == status);
    let names = |it: &GatewayAnswer| {
        let mut products = it.products.iter().copied();
        products.find(|own| named.is_some_and(|it| it.name == own.name))
    };
    let found = answers.find(|it| match it.body {
        Some(words) => memchr::memmem::find(body, words.as_bytes()).is_some(),
        None => names(it).is_some(),
    })?;
    let product = names(found).or_else(|| found.products.first().copied())?;
    Some((product, found))
}

#[cfg(test)]
mod tests {
    use super::super::basis::is_told;
    use super::*;

    #[test]
    fn the_table_is_well_formed() {
        table::well_formed::<7>(include_str!("gateways.tsv"));
        for [.., basis, version, source] in table::rows::<7>(include_str!("gateways.tsv")) {
            assert!(is_told(basis, version, source), "{source}");
        }
        assert_eq!(
            ANSWERS.len(),
            include_str!("gateways.tsv").lines().count() - 1
        );
        for answer in ANSWERS.iter() {
            assert!(!answer.products.is_empty());
            assert!(!answer.meaning.ends_with('.'), "{}", answer.meaning);
        }
    }

    #[test]
    fn the_body_or_the_header_tells() {
        let name = |status, body: &str, named: &str| {
            let found = gateway_answer(status, body.as_bytes(), product(named));
            found.map(|(product, _)| product.name)
        };
        let nginx = "<hr><center>nginx/1.22.1</center>";
        assert_eq!(name(502, nginx, "nginx"), Some("nginx"));
        assert_eq!(name(502, nginx, "cloudflare"), Some("nginx"));
        assert_eq!(name(502, "not here", "nginx"), None);
        assert_eq!(name(503, "{\"later\":true}", "envoy"), None);
        assert_eq!(name(503, "no healthy upstream", "envoy"), Some("envoy"));
        assert_eq!(name(502, "", "aws-alb"), Some("aws-alb"));
        assert_eq!(name(500, "", "aws-alb"), None);
    }
}
