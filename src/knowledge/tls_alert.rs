//! For which faults of a certificate a TLS library sends which alert.
//!
//! The RFCs leave that open: one library sends `bad_certificate` for every fault, another one for a name alone. `tls_alerts.tsv`
//! has a row for each alert that a library sends, with the programs whose faults were seen or read; `-` is one that sends none.
//! What is not in the table may mean anything.

use std::sync::LazyLock;

use super::basis::Basis;
use super::table;
use super::wire_event::WireEvent;

/// An alert that a library sends about a certificate.
#[derive(Debug)]
struct CertificateAlert {
    /// The name of the library.
    library: &'static str,
    /// The products in which it is.
    products: Vec<&'static str>,
    /// Its number; `None` if these products send none.
    code: Option<u8>,
    /// The faults for which it is sent.
    causes: Vec<WireEvent>,
}

static ALERTS: LazyLock<Vec<CertificateAlert>> = LazyLock::new(|| {
    table::rows(include_str!("tls_alerts.tsv"))
        .filter(|row: &[&str; 7]| !Basis::named(row[4]).is_presumed())
        .map(|row| {
            let [library, products, code, causes, _, _, _] = row;
            CertificateAlert {
                library,
                products: products.split(' ').collect(),
                code: code.parse().ok(),
                causes: causes.split(' ').filter_map(WireEvent::named).collect(),
            }
        })
        .collect()
});

/// The faults of a certificate.
const FAULTS: [WireEvent; 7] = [
    WireEvent::TlsCertUntrusted,
    WireEvent::TlsIssuerUnknown,
    WireEvent::TlsCertNameMismatch,
    WireEvent::TlsCertOtherAddress,
    WireEvent::TlsCertExpired,
    WireEvent::TlsCertNotYetValid,
    WireEvent::TlsCertWrongPurpose,
];

/// Whether a product may have sent this alert for this fault, as far as its alerts are known.
pub(super) fn may_send(product: &str, code: u8, fault: WireEvent) -> bool {
    let mut own = ALERTS.iter().filter(|it| it.products.contains(&product));
    let mut known = own.clone();
    !FAULTS.contains(&fault)
        || known.next().is_none()
        || own.any(|it| it.code == Some(code) && it.causes.contains(&fault))
}

/// The library of one of these products that sends this alert, and the faults for which it does. `None` if the alerts of one
/// of them are not known, or their libraries differ in what they send it for.
pub(crate) fn sent_for(
    products: &[&str],
    code: u8,
) -> Option<(&'static str, &'static [WireEvent])> {
    let known = |product: &&str| ALERTS.iter().any(|it| it.products.contains(product));
    if !products.iter().all(known) {
        return None;
    }
    let sends = |it: &&CertificateAlert| {
        it.code == Some(code) && products.iter().any(|name| it.products.contains(name))
    };
    let mut rows = ALERTS.iter().filter(sends);
    let first = rows.next()?;
    rows.all(|it| it.causes == first.causes)
        .then_some((first.library, &first.causes))
}

#[cfg(test)]
mod tests {
    use super::super::product::product;
    use super::*;
    use WireEvent as E;

    #[test]
    fn the_table_is_well_formed_and_names_products_and_faults() {
        let text = include_str!("tls_alerts.tsv");
        table::well_formed::<7>(text);
        assert_eq!(ALERTS.len(), text.lines().count() - 1, "a row is presumed");
        for it in ALERTS.iter() {
            for name in &it.products {
                assert!(product(name).is_some(), "{it:?}");
            }
            assert_eq!(it.causes.is_empty(), it.code.is_none(), "{it:?}");
            assert!(
                it.causes.iter().all(|cause| FAULTS.contains(cause)),
                "{it:?}"
            );
        }
    }

    #[test]
    fn libraries_differ_in_what_an_alert_says() {
        for (product, code, fault, may) in [
            ("curl", 48, E::TlsCertUntrusted, true),
            ("curl", 42, E::TlsCertUntrusted, false),
            ("curl", 42, E::TlsCertNotYetValid, true),
            ("curl", 42, E::TlsCertNameMismatch, false),
            ("python-requests", 42, E::TlsCertNameMismatch, true),
            ("go", 42, E::TlsCertExpired, true),
            ("go", 48, E::TlsCertUntrusted, false),
            ("java-urlconnection", 46, E::TlsCertUntrusted, true),
            ("java-urlconnection", 46, E::TlsCertExpired, false),
            ("reqwest", 45, E::TlsCertNotYetValid, true),
            ("node-http", 48, E::TlsCertUntrusted, false),
            // Not in the table.
            ("safari", 42, E::TlsCertUntrusted, true),
            // No fault of a certificate.
            ("node-http", 48, E::TlsAlertOther, true),
        ] {
            assert_eq!(
                may_send(product, code, fault),
                may,
                "{product} {code} {fault}"
            );
        }
    }

    #[test]
    fn a_library_is_named_if_all_programs_agree() {
        let sent = |products: &[&str], code| sent_for(products, code).map(|it| it.0);
        assert_eq!(sent(&["curl", "php-curl"], 42), Some("OpenSSL"));
        assert_eq!(sent(&["go"], 42), Some("Go"));
        // Curl compares names later than Ruby does.
        assert_eq!(sent(&["ruby", "curl"], 42), None);
        assert_eq!(sent(&["ruby", "curl"], 48), Some("OpenSSL"));
        assert_eq!(sent(&["websockets", "httpx"], 42), None);
        assert_eq!(sent(&[], 42), None);
    }
}
