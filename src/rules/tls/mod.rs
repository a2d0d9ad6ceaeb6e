//! TLS: handshakes that end early, certificates, and `close_notify`.

use super::rule::rules;

rules! {
    "tls", "TLS", "handshakes that end early, certificates, and how TLS says goodbye":
    reset_on_name,
    tls_alert,
    tls_certificate_expired,
    tls_certificate_rejected,
    tls_client_certificate_missing,
    tls_handshake_cut,
    tls_name_mismatch,
    tls_no_close_notify,
    tls_no_common_version,
    tls_plaintext_mismatch,
    tls_reset_after_close_notify,
}
