//! For which faults of a certificate a TLS library sends which alert.
//!
//! The RFCs leave that open: one library sends `bad_certificate` for every fault, another one for a name alone. `tls_alerts.tsv`
//! has a row for each alert that a library sends, with the programs whose faults were seen or read. Of those that send none, `-` leaves
//! the handshake where it is, and `after` finishes it and leaves then. What is not in the table may mean anything.

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
    /// They finish the handshake before they look at the certificate.
    finishes: bool,
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
                finishes: code == "after",
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

/// How a client ended a handshake, where the capture shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Refusal {
    /// By this alert.
    Alert(u8),
    /// Without one. Whether it had finished its part of the handshake before.
    Silent { finished: bool },
}

impl Refusal {
    /// Whether a product may have ended the handshake so for this fault of a certificate, as far as its alerts are known.
    /// What is no such fault may always be.
    pub(super) fn fits(self, product: &str, fault: WireEvent) -> bool {
        let mut own = ALERTS.iter().filter(|it| it.products.contains(&product));
        let mut known = own.clone();
        if !FAULTS.contains(&fault) || known.next().is_none() {
            return true;
        }
        match self {
            Self::Alert(code) => own.any(|it| it.code == Some(code) && it.causes.contains(&fault)),
            // A fault for which a library that sends alerts has none is looked for after the handshake.
            Self::Silent { finished } => {
                let mute = own.clone().find(|it| it.code.is_none());
                // One that finishes first may leave before its last flight is sent.
                match mute {
                    Some(it) if !it.causes.is_empty() && !it.causes.contains(&fault) => false,
                    Some(it) => it.finishes || !finished,
                    None => finished && !own.any(|it| it.causes.contains(&fault)),
                }
            }
        }
    }
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
            assert!(!it.causes.is_empty() || it.code.is_none(), "{it:?}");
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
            ("aiohttp", 48, E::TlsCertUntrusted, false),
            // Not in the table.
            ("safari", 42, E::TlsCertUntrusted, true),
            // No fault of a certificate.
            ("node-http", 48, E::TlsAlertOther, true),
        ] {
            assert_eq!(
                Refusal::Alert(code).fits(product, fault),
                may,
                "{product} {code} {fault}"
            );
        }
    }

    #[test]
    fn few_clients_refuse_a_certificate_without_an_alert() {
        for (product, fault, within, after) in [
            ("curl", E::TlsCertUntrusted, false, false),
            ("curl", E::TlsCertNameMismatch, false, true),
            ("python-requests", E::TlsCertNameMismatch, false, false),
            ("okhttp", E::TlsCertNameMismatch, false, true),
            ("node-http", E::TlsCertExpired, true, true),
            ("wget", E::TlsCertUntrusted, true, true),
            ("aiohttp", E::TlsCertUntrusted, true, false),
            ("mono-wcf", E::TlsCertExpired, true, false),
            ("chrome", E::TlsCertNameMismatch, false, false),
            ("safari", E::TlsCertExpired, true, true),
            ("curl", E::TlsAlertOther, true, true),
            ("java-httpclient", E::TlsCertUntrusted, true, false),
            ("java-httpclient", E::TlsCertExpired, false, false),
        ] {
            let fits = |finished| Refusal::Silent { finished }.fits(product, fault);
            assert_eq!(
                [fits(false), fits(true)],
                [within, after],
                "{product} {fault}"
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
