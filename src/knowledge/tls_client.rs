//! Programs by their ClientHello. Which cipher suites a client offers, in which order, and with which application
//! protocols, is the choice of its TLS library and often of the program itself; so it narrows down who speaks where all
//! else is encrypted.

use std::hash::{Hash, Hasher};
use std::sync::LazyLock;

use super::table;

/// A ClientHello, and the programs that are known to send it.
#[derive(Debug, PartialEq, Eq)]
pub struct TlsClient {
    /// The first cipher suites, best first.
    ciphers: Vec<u16>,
    /// How many cipher suites there are, as far as a ClientHello is kept.
    count: usize,
    /// The application protocols.
    alpn: &'static str,
    /// The names of the products, likeliest first.
    pub products: Vec<&'static str>,
}

impl Hash for TlsClient {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.ciphers.hash(state);
        self.count.hash(state);
        self.alpn.hash(state);
    }
}

static TLS_CLIENTS: LazyLock<Vec<TlsClient>> = LazyLock::new(|| {
    table::rows(include_str!("tls_clients.tsv"))
        .map(|[ciphers, count, alpn, products, _]| TlsClient {
            ciphers: numbers(ciphers),
            count: count.parse().unwrap_or(0),
            alpn: if alpn == "-" { "" } else { alpn },
            products: products.split(' ').collect(),
        })
        .collect()
});

fn numbers(hex: &str) -> Vec<u16> {
    let words = hex.split(' ');
    words
        .filter_map(|it| u16::from_str_radix(it, 16).ok())
        .collect()
}

/// The programs whose ClientHello offers just these cipher suites and application protocols.
#[must_use]
pub fn tls_client(ciphers: &[u16], alpn: &[Vec<u8>]) -> Option<&'static TlsClient> {
    TLS_CLIENTS.iter().find(|it| {
        let names = it.alpn.split(',').filter(|name| !name.is_empty());
        it.count == ciphers.len()
            && ciphers.starts_with(&it.ciphers)
            && names.map(str::as_bytes).eq(alpn.iter().map(Vec::as_slice))
    })
}

#[cfg(test)]
mod tests {
    use super::super::product::product;
    use super::*;

    #[test]
    fn the_table_is_well_formed_and_names_products() {
        let text = include_str!("tls_clients.tsv");
        table::well_formed::<5>(text);
        for it in TLS_CLIENTS.iter() {
            assert!(it.count > it.ciphers.len() && it.ciphers.len() == 6);
            assert!(
                it.products.iter().all(|name| product(name).is_some()),
                "{it:?}"
            );
        }
    }

    #[test]
    fn only_the_whole_offer_names_a_program() {
        let go: Vec<u16> = [0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8]
            .into_iter()
            .chain(0..13)
            .collect();
        let products = |ciphers: &[u16], alpn: &[&str]| {
            let alpn: Vec<_> = alpn.iter().map(|it| it.as_bytes().to_vec()).collect();
            tls_client(ciphers, &alpn).map(|it| it.products.clone())
        };
        assert_eq!(products(&go, &[]), Some(vec!["go"]));
        assert_eq!(products(&go, &["h2", "http/1.1"]), Some(vec!["go"]));
        assert_eq!(products(&go, &["h2"]), None);
        assert_eq!(products(&go[..18], &[]), None);
        assert_eq!(products(&[], &[]), None);
    }
}
