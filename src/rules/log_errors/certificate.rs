//! The faults for which a client may have refused the server's certificate.

use crate::analysis::connection::{Connection, Who};
use crate::knowledge::WireEvent;
use crate::protocol::tls::{CertificateFlaw, ChainEnd, TlsFacts, TlsVersion};

/// Why the client does not trust the issuer: the certificate is its own issuer, or the chain that was sent leads to none
/// that the client has.
pub(super) fn untrusted(facts: &TlsFacts) -> WireEvent {
    match facts.chain_end() {
        Some(ChainEnd::IssuerNotSent) => WireEvent::TlsIssuerUnknown,
        _ => WireEvent::TlsCertUntrusted,
    }
}

/// Why the client rejects a certificate, as far as the capture shows; likeliest first. What the certificate refutes is left
/// out, and without a certificate there is nothing to reject.
pub(super) fn refused(connection: &Connection, facts: &TlsFacts) -> Vec<WireEvent> {
    use WireEvent as E;
    let whole = connection.sent[Who::Server as usize].missing == 0;
    // Up to TLS 1.2 a certificate is sent in the clear. Of one that was not read, no fault is known.
    let unread = facts.version().is_some_and(|it| it < TlsVersion::TLS_13)
        && facts.leaf().is_none()
        && facts.fatal().is_none();
    if unread || facts.has_broken_certificate() || whole && !facts.may_have_shown_certificate() {
        return Vec::new();
    }
    let mut faults = Vec::new();
    // What the wire shows leads. A library may look at the issuer first.
    match facts.flaw(connection.server.ip) {
        Some(CertificateFlaw::Outdated) => {
            faults.extend(dated(facts));
            let alone = facts.chain_end() == Some(ChainEnd::SelfSigned);
            faults.extend(alone.then_some(E::TlsCertUntrusted));
        }
        Some(CertificateFlaw::OtherName) => faults.push(E::TlsCertNameMismatch),
        // Hardly any certificate is for an address.
        Some(CertificateFlaw::OtherAddress) => {
            faults.extend([E::TlsCertOtherAddress, untrusted(facts)]);
            faults.extend(wrong_purpose(facts));
        }
        Some(CertificateFlaw::SelfIssued) => {
            faults.push(E::TlsCertUntrusted);
            // A client may have been told to trust it.
            let other = own_and_other_address(connection, facts);
            faults.extend(other.then_some(E::TlsCertOtherAddress));
        }
        None => match facts.leaf() {
            Some((_, leaf)) => {
                let fits = facts.sni().and_then(|name| leaf.is_for(name));
                faults.push(untrusted(facts));
                faults.extend((fits != Some(true)).then_some(E::TlsCertNameMismatch));
                faults.extend(wrong_purpose(facts));
            }
            None => faults.extend([
                untrusted(facts),
                mismatch(facts),
                E::TlsCertExpired,
                E::TlsIssuerUnknown,
                E::TlsCertNotYetValid,
                E::TlsCertWrongPurpose,
            ]),
        },
    }
    faults
}

/// A certificate that is not one of a server.
fn wrong_purpose(facts: &TlsFacts) -> Option<WireEvent> {
    let (_, leaf) = facts.leaf()?;
    (!leaf.is_for_servers).then_some(WireEvent::TlsCertWrongPurpose)
}

/// A certificate outside its dates: it has expired or is not valid yet, or both may be if it was not captured.
pub(super) fn dated(facts: &TlsFacts) -> Vec<WireEvent> {
    match facts.outdated() {
        Some((at, leaf)) if leaf.until.time() < at.time => vec![WireEvent::TlsCertExpired],
        Some(_) => vec![WireEvent::TlsCertNotYetValid],
        // The clock of the client may differ from that of the capture.
        None => vec![WireEvent::TlsCertExpired, WireEvent::TlsCertNotYetValid],
    }
}

/// Whether the certificate is its own issuer, and for another address than the one that the client connects to.
pub(super) fn own_and_other_address(connection: &Connection, facts: &TlsFacts) -> bool {
    let leaf = facts.leaf().map(|(_, leaf)| leaf);
    let other = leaf.and_then(|it| it.is_for_address(connection.server.ip)) == Some(false);
    let own = facts.flaw(connection.server.ip) == Some(CertificateFlaw::SelfIssued);
    own && other && facts.names_no_server()
}

/// A certificate that is not captured, and is not for this server: a client that connects by address sends no name.
pub(super) fn mismatch(facts: &TlsFacts) -> WireEvent {
    match facts.names_no_server() {
        true => WireEvent::TlsCertOtherAddress,
        false => WireEvent::TlsCertNameMismatch,
    }
}
