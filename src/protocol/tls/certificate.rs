//! Certificates as sent (RFC 5280): in the clear up to TLS 1.2, encrypted in TLS 1.3.
//!
//! In: the body of a Certificate message (RFC 5246 §7.4.2, RFC 8446 §4.4.2). Out: for each certificate, in the order
//! sent, what peers check: names, dates, issuer, key. No signature is verified: the capture holds no trust store.

#[cfg(feature = "decrypt")]
mod x509;

use std::net::IpAddr;

use super::hello::ByteCursor;
use crate::base::time::Timestamp;
#[cfg(feature = "decrypt")]
use x509::read;

/// Certificates kept of one chain; real chains have two to four.
pub(crate) const MAX_CERTIFICATES: usize = 8;
/// Names kept of one certificate. Only those of the largest hosters have more; they are counted.
pub(crate) const MAX_CERTIFICATE_NAMES: usize = 256;

/// How the names of files with certificates end, in lower case.
const FILES: [&[u8]; 4] = [b".crt", b".cer", b".der", b".p7c"];

/// How the name of a file with certificates ends, if this target of a request has one: systems fetch the issuer that a certificate
/// names (RFC 5280 §4.2.2.1). It lies there in the target.
pub(crate) fn certificate_file(target: &[u8]) -> Option<std::ops::Range<usize>> {
    let end = memchr::memchr(b'?', target).unwrap_or(target.len());
    let start = end.checked_sub(FILES[0].len())?;
    let last = target.get(start..end)?;
    FILES
        .iter()
        .any(|it| last.eq_ignore_ascii_case(it))
        .then_some(start..end)
}

/// One certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The subject, as text.
    pub subject: String,
    /// The issuer, as text.
    pub issuer: String,
    /// Subject and issuer are the same.
    pub self_issued: bool,
    /// It may sign other certificates (`cA` of its basic constraints).
    pub is_authority: bool,
    /// It may be a server's: it has no extended key usage, or one that servers have (RFC 5280 §4.2.1.12).
    pub is_for_servers: bool,
    /// Valid from.
    pub from: CertificateDate,
    /// Valid until.
    pub until: CertificateDate,
    /// The DNS names it is for. The common name of the subject counts only where there are no others (RFC 6125 §6.4).
    pub names: Vec<String>,
    /// The IP addresses it is for.
    pub addresses: Vec<IpAddr>,
    /// Names that are not in the two lists, because it has so many.
    pub more_names: u32,
    /// Its key.
    pub key: CertificateKey,
    /// The signature algorithm: the name of a well-known one, else its object identifier.
    pub signature: String,
}

/// A date in a certificate, in seconds since 1970. It is no time on the packet clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CertificateDate(pub i64);

impl CertificateDate {
    /// The same as a time that packet times can be compared with; saturates.
    #[must_use]
    pub const fn time(self) -> Timestamp {
        Timestamp::new(self.0, 0)
    }
}

/// A public key's kind and size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificateKey {
    /// RSA; the bits of the modulus.
    Rsa(usize),
    /// On an elliptic curve of so many bits.
    Ec(usize),
    /// Any other kind.
    Other,
}

impl std::fmt::Display for CertificateKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Rsa(bits) => write!(f, "RSA {bits}"),
            Self::Ec(bits) => write!(f, "EC {bits}"),
            Self::Other => f.write_str("other"),
        }
    }
}

/// The certificates of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct CertificateChain {
    /// How many there are, counted up to [`MAX_CERTIFICATES`].
    pub(super) sent: usize,
    /// Those that could be parsed, in order, up to the first that could not.
    pub(super) read: Vec<Certificate>,
    /// Those after [`MAX_CERTIFICATES`].
    pub(super) more: u32,
}

/// The certificates of a message up to TLS 1.2. `None` if the message breaks off.
pub(super) fn chain(body: &[u8]) -> Option<CertificateChain> {
    entries(ByteCursor(ByteCursor(body).vector(3)?), |_| Some(()))
}

/// The same for TLS 1.3, which puts a context before the list and extensions behind each certificate.
pub(super) fn chain_13(body: &[u8]) -> Option<CertificateChain> {
    let mut body = ByteCursor(body);
    body.vector(1)?;
    entries(ByteCursor(body.vector(3)?), |list| {
        list.vector(2).map(|_| ())
    })
}

fn entries<'a>(
    mut list: ByteCursor<'a>,
    behind: impl Fn(&mut ByteCursor<'a>) -> Option<()>,
) -> Option<CertificateChain> {
    let mut chain = CertificateChain::default();
    while !list.0.is_empty() {
        let der = list.vector(3)?;
        if chain.sent < MAX_CERTIFICATES {
            // What comes after a broken one is not in its place.
            let whole = chain.read.len() == chain.sent;
            chain
                .read
                .extend(Some(der).filter(|_| whole).and_then(read));
            chain.sent += 1;
        } else {
            chain.more = chain.more.saturating_add(1);
        }
        behind(&mut list)?;
    }
    Some(chain)
}

/// A build without the feature `decrypt` parses no certificates.
#[cfg(not(feature = "decrypt"))]
fn read(_der: &[u8]) -> Option<Certificate> {
    None
}

impl Certificate {
    /// Whether it is for this host: a name, or an address as text. A `*` stands for the whole leftmost label and no
    /// more (RFC 6125 §6.4.3). `None` if no name fits and not all of its names were kept.
    #[must_use]
    pub fn is_for(&self, host: &str) -> Option<bool> {
        let host = host.trim_end_matches('.');
        if let Ok(address) = host.parse::<IpAddr>() {
            return self.is_for_address(address);
        }
        let found = self.names.iter().any(|name| covers(name, host));
        (found || self.more_names == 0).then_some(found)
    }

    /// Whether it is for this address. `None` if none fits and not all of its names were kept.
    #[must_use]
    pub(crate) fn is_for_address(&self, address: IpAddr) -> Option<bool> {
        let found = self.addresses.contains(&address);
        (found || self.more_names == 0).then_some(found)
    }

    /// Whether `time` lies within its dates.
    #[must_use]
    pub fn is_valid_at(&self, time: Timestamp) -> bool {
        self.from.time() <= time && time <= self.until.time()
    }
}

fn covers(pattern: &str, host: &str) -> bool {
    let pattern = pattern.trim_end_matches('.');
    match pattern.strip_prefix("*.") {
        Some(parent) => host
            .split_once('.')
            .is_some_and(|(label, rest)| !label.is_empty() && rest.eq_ignore_ascii_case(parent)),
        None => pattern.eq_ignore_ascii_case(host),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cover_hosts_as_rfc_6125_has_it() {
        for (pattern, host, wanted) in [
            ("a.example", "a.example", true),
            ("A.example.", "a.EXAMPLE", true),
            ("*.example", "a.example", true),
            ("*.example", "b.a.example", false),
            ("*.example", "example", false),
            ("*.example", ".example", false),
            ("a.example", "b.example", false),
        ] {
            assert_eq!(covers(pattern, host), wanted, "{pattern} {host}");
        }
    }

    #[test]
    fn a_chain_that_breaks_off_is_none_and_rubbish_in_it_is_left_out() {
        let rubbish = |sent| {
            Some(CertificateChain {
                sent,
                read: Vec::new(),
                more: 0,
            })
        };
        assert_eq!(chain(&[0, 0, 0]), rubbish(0));
        assert_eq!(chain(&[0, 0, 5, 0, 0, 2, 1, 2]), rubbish(1));
        assert_eq!(chain(&[0, 0, 9, 0, 0, 2, 1, 2]), None);
        assert_eq!(chain(&[]), None);
        assert_eq!(chain_13(&[0, 0, 0, 0]), rubbish(0));
        assert_eq!(chain_13(&[1, 9, 0, 0, 7, 0, 0, 2, 1, 2, 0, 0]), rubbish(1));
        assert_eq!(chain_13(&[0, 0, 0, 6, 0, 0, 2, 1, 2, 0]), None);
        assert_eq!(chain_13(&[0, 0, 0]), None);
        // Ten empty ones.
        let many = chain(&[&[0, 0, 30], &[0; 30][..]].concat()).expect("it is whole");
        assert_eq!((many.sent, many.more), (MAX_CERTIFICATES, 2));
    }
}
