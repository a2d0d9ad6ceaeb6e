//! Parses a certificate in DER (RFC 5280 §4.1).

use std::net::IpAddr;

use x509_parser::prelude::{FromDer, GeneralName, ParsedExtension, X509Certificate};
use x509_parser::public_key::PublicKey;

use super::{Certificate, CertificateDate, CertificateKey, MAX_CERTIFICATE_NAMES};

/// `None` if it is no certificate.
pub(super) fn read(der: &[u8]) -> Option<Certificate> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let validity = certificate.validity();
    let mut names = Vec::new();
    let mut addresses = Vec::new();
    let mut more_names = 0_u32;
    let mut is_authority = false;
    let mut is_for_servers = true;
    for extension in certificate.extensions() {
        match extension.parsed_extension() {
            ParsedExtension::SubjectAlternativeName(list) => {
                for name in &list.general_names {
                    let full = names.len() + addresses.len() >= MAX_CERTIFICATE_NAMES;
                    match name {
                        GeneralName::DNSName(_) | GeneralName::IPAddress(_) if full => {
                            more_names += 1
                        }
                        GeneralName::DNSName(name) => names.push((*name).to_owned()),
                        GeneralName::IPAddress(bytes) => addresses.extend(address(bytes)),
                        _ => {}
                    }
                }
            }
            ParsedExtension::BasicConstraints(constraints) => is_authority = constraints.ca,
            ParsedExtension::ExtendedKeyUsage(usage) => {
                is_for_servers = usage.server_auth || usage.any;
            }
            _ => {}
        }
    }
    if names.is_empty() && addresses.is_empty() {
        let common = certificate.subject().iter_common_name();
        names.extend(
            common
                .filter_map(|name| name.as_str().ok().map(str::to_owned))
                .take(1),
        );
    }
    let key = match certificate.public_key().parsed() {
        Ok(PublicKey::RSA(key)) => CertificateKey::Rsa(key.key_size()),
        Ok(PublicKey::EC(key)) => CertificateKey::Ec(key.key_size()),
        _ => CertificateKey::Other,
    };
    Some(Certificate {
        subject: certificate.subject().to_string(),
        issuer: certificate.issuer().to_string(),
        self_issued: certificate.subject().as_raw() == certificate.issuer().as_raw(),
        is_authority,
        is_for_servers,
        from: CertificateDate(validity.not_before.timestamp()),
        until: CertificateDate(validity.not_after.timestamp()),
        names,
        addresses,
        more_names,
        key,
        signature: signature(&certificate.signature_algorithm.algorithm.to_id_string()),
    })
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from),
        16 => <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from),
        _ => None,
    }
}

fn signature(oid: &str) -> String {
    let name = match oid {
        "1.2.840.113549.1.1.4" => "md5WithRSAEncryption",
        "1.2.840.113549.1.1.5" => "sha1WithRSAEncryption",
        "1.2.840.113549.1.1.10" => "RSASSA-PSS",
        "1.2.840.113549.1.1.11" => "sha256WithRSAEncryption",
        "1.2.840.113549.1.1.12" => "sha384WithRSAEncryption",
        "1.2.840.113549.1.1.13" => "sha512WithRSAEncryption",
        "1.2.840.10045.4.1" => "ecdsa-with-SHA1",
        "1.2.840.10045.4.3.2" => "ecdsa-with-SHA256",
        "1.2.840.10045.4.3.3" => "ecdsa-with-SHA384",
        "1.2.840.10045.4.3.4" => "ecdsa-with-SHA512",
        "1.3.101.112" => "Ed25519",
        other => other,
    };
    name.to_owned()
}
