//! Derives keys from secrets: the PRF of TLS 1.0 to 1.2 (RFC 2246 §5, RFC 5246 §5), HKDF-Expand-Label of TLS 1.3
//! (RFC 8446 §7.1).

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use sha1::Sha1;
use sha2::{Sha256, Sha384};

/// The hash of the PRF or of HKDF.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HashAlgorithm {
    /// MD5 and SHA-1 together, before TLS 1.2.
    Md5Sha1,
    Sha256,
    Sha384,
}

/// Fills `out` with `PRF(secret, label, seed)`.
pub(super) fn prf(
    hash: HashAlgorithm,
    secret: &[u8],
    label: &[u8],
    seed: &[&[u8]],
    out: &mut [u8],
) {
    match hash {
        HashAlgorithm::Md5Sha1 => {
            let half = secret.len().div_ceil(2);
            let one = secret.get(..half).unwrap_or_default();
            let other = secret.get(secret.len() - half..).unwrap_or_default();
            stretch::<Hmac<Md5>>(one, label, seed, out, false);
            stretch::<Hmac<Sha1>>(other, label, seed, out, true);
        }
        HashAlgorithm::Sha256 => stretch::<Hmac<Sha256>>(secret, label, seed, out, false),
        HashAlgorithm::Sha384 => stretch::<Hmac<Sha384>>(secret, label, seed, out, false),
    }
}

/// `P_hash` (RFC 5246 §5): fills `out`, or XORs into it if `mix`.
fn stretch<M: Mac + KeyInit + Clone>(
    secret: &[u8],
    label: &[u8],
    seed: &[&[u8]],
    out: &mut [u8],
    mix: bool,
) {
    let keyed = keyed::<M>(secret);
    let seeded = |mut mac: M| {
        mac.update(label);
        for part in seed {
            mac.update(part);
        }
        mac.finalize().into_bytes()
    };
    let mut link = seeded(keyed.clone());
    let mut filled = 0;
    while let Some(room) = out.get_mut(filled..).filter(|room| !room.is_empty()) {
        let mut mac = keyed.clone();
        mac.update(&link);
        let piece = seeded(mac);
        for (to, from) in room.iter_mut().zip(&piece) {
            *to = if mix { *to ^ from } else { *from };
        }
        filled += piece.len();
        let mut mac = keyed.clone();
        mac.update(&link);
        link = mac.finalize().into_bytes();
    }
}

/// An HMAC with its key.
pub(super) fn keyed<M: KeyInit>(secret: &[u8]) -> M {
    M::new_from_slice(secret).expect("HMAC takes keys of any length")
}

/// `HKDF-Expand-Label(secret, label, "", length of out)`. Leaves `out` alone and returns `None` if the secret is
/// shorter than the hash, which a checked key log line rules out for the right suite.
pub(super) fn expand_label(
    hash: HashAlgorithm,
    secret: &[u8],
    label: &[u8],
    out: &mut [u8],
) -> Option<()> {
    let length = u16::try_from(out.len()).ok()?;
    let prefix = b"tls13 ";
    let lengths = [u8::try_from(prefix.len() + label.len()).ok()?];
    let info: [&[u8]; 5] = [&length.to_be_bytes(), &lengths, prefix, label, &[0]];
    match hash {
        HashAlgorithm::Sha256 => Hkdf::<Sha256>::from_prk(secret)
            .ok()?
            .expand_multi_info(&info, out)
            .ok(),
        HashAlgorithm::Sha384 => Hkdf::<Sha384>::from_prk(secret)
            .ok()?
            .expand_multi_info(&info, out)
            .ok(),
        HashAlgorithm::Md5Sha1 => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        let digits: Vec<_> = hex.chars().filter_map(|it| it.to_digit(16)).collect();
        digits
            .chunks(2)
            .map(|it| (it[0] << 4 | it[1]) as u8)
            .collect()
    }

    /// The published test vector of the TLS 1.2 PRF with SHA-256.
    #[test]
    fn the_prf_of_tls_1_2() {
        let mut out = [0; 100];
        let secret = bytes("9bbe436ba940f017b17652849a71db35");
        let seed = bytes("a0ba9f936cda311827a6f796ffd5198c");
        prf(
            HashAlgorithm::Sha256,
            &secret,
            b"test label",
            &[&seed],
            &mut out,
        );
        let wanted = bytes(
            "e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a6b301791e90d35c9c9a46b4e14baf9af0fa0\
             22f7077def17abfd3797c0564bab4fbc91666e9def9b97fce34f796789baa48082d122ee42c5a72e5a5110fff70187347b66",
        );
        assert_eq!(out[..], wanted[..]);
    }

    /// RFC 8448 §3: the server's handshake traffic secret gives its key and IV.
    #[test]
    fn the_labels_of_tls_1_3() {
        let secret = bytes("b67b7d690cc16c4e75e54213cb2d37b4e9c912bcded9105d42befd59d391ad38");
        let mut key = [0; 16];
        expand_label(HashAlgorithm::Sha256, &secret, b"key", &mut key).expect("long enough");
        assert_eq!(key[..], bytes("3fce516009c21727d0f2e4e86ee403bc")[..]);
        let mut iv = [0; 12];
        expand_label(HashAlgorithm::Sha256, &secret, b"iv", &mut iv).expect("long enough");
        assert_eq!(iv[..], bytes("5d313eb2671276ee13000b30")[..]);
        assert_eq!(
            expand_label(HashAlgorithm::Sha384, &secret, b"iv", &mut iv),
            None,
            "too short"
        );
    }
}
