//! Alerts (RFC 8446 §6, RFC 5246 §7.2): two bytes, level and description.

use crate::base::flow_end::FlowEnd;
use crate::base::frame_ref::FrameRef;

/// An alert that one side sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alert {
    /// Who sent it. In a finished connection [`FlowEnd::A`] is its client.
    pub from: FlowEnd,
    /// The segment in which its record ended.
    pub at: FrameRef,
    /// Level and description; `None` if they are encrypted.
    pub said: Option<(u8, u8)>,
    /// It was sent before both sides had finished the handshake.
    pub in_handshake: bool,
}

/// `close_notify`: the sender has no more data (RFC 8446 §6.1).
pub(super) const CLOSE_NOTIFY: u8 = 0;
/// `user_canceled`, a warning that a `close_notify` follows.
const USER_CANCELED: u8 = 90;
/// `no_renegotiation`, a warning (RFC 5246 §7.2.2).
const NO_RENEGOTIATION: u8 = 100;
/// `unrecognized_name`, which some servers send as a warning and then continue (RFC 6066 §3).
const UNRECOGNIZED_NAME: u8 = 112;

impl Alert {
    /// The description, if it is known.
    #[must_use]
    pub fn code(&self) -> Option<u8> {
        self.said.map(|(_, code)| code)
    }

    /// Whether it ends the connection as a failure. In TLS 1.3 the level means nothing: all but two descriptions are
    /// fatal (RFC 8446 §6). `None` if it is encrypted.
    #[must_use]
    pub(crate) fn is_fatal(&self) -> Option<bool> {
        let (level, code) = self.said?;
        Some(match code {
            CLOSE_NOTIFY | USER_CANCELED | NO_RENEGOTIATION => false,
            UNRECOGNIZED_NAME => level != 1,
            _ => level != 1 || !matches!(code, 41..=46),
        })
    }
}

/// The name of a description, as the RFCs spell it; `None` if it is not registered.
#[must_use]
pub const fn name(code: u8) -> Option<&'static str> {
    Some(match code {
        0 => "close_notify",
        10 => "unexpected_message",
        20 => "bad_record_mac",
        21 => "decryption_failed",
        22 => "record_overflow",
        30 => "decompression_failure",
        40 => "handshake_failure",
        41 => "no_certificate",
        42 => "bad_certificate",
        43 => "unsupported_certificate",
        44 => "certificate_revoked",
        45 => "certificate_expired",
        46 => "certificate_unknown",
        47 => "illegal_parameter",
        48 => "unknown_ca",
        49 => "access_denied",
        50 => "decode_error",
        51 => "decrypt_error",
        52 => "too_many_cids_requested",
        60 => "export_restriction",
        70 => "protocol_version",
        71 => "insufficient_security",
        80 => "internal_error",
        86 => "inappropriate_fallback",
        90 => "user_canceled",
        100 => "no_renegotiation",
        109 => "missing_extension",
        110 => "unsupported_extension",
        111 => "certificate_unobtainable",
        112 => "unrecognized_name",
        113 => "bad_certificate_status_response",
        114 => "bad_certificate_hash_value",
        115 => "unknown_psk_identity",
        116 => "certificate_required",
        120 => "no_application_protocol",
        121 => "ech_required",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_alerts_are_fatal() {
        let alert = |said| Alert {
            from: FlowEnd::A,
            at: FrameRef::default(),
            said,
            in_handshake: true,
        };
        for (said, fatal) in [
            (Some((2, 40)), Some(true)),
            (Some((1, 0)), Some(false)),
            (Some((2, 0)), Some(false)),
            (Some((1, 90)), Some(false)),
            (Some((1, 112)), Some(false)),
            (Some((2, 112)), Some(true)),
            // TLS 1.3 ignores the level: this is fatal despite the warning.
            (Some((1, 70)), Some(true)),
            (None, None),
        ] {
            assert_eq!(alert(said).is_fatal(), fatal, "{said:?}");
        }
    }
}
