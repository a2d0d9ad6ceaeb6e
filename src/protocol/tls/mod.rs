//! TLS on one connection, also without secrets: from SSL 3.0 to TLS 1.3, on any port.
//!
//! In: the TCP streams of both directions from the first record on. Out: [`TlsFacts`]: what the handshake agreed on and
//! how far it came, the certificates sent in the clear, alerts with their senders, how much application data each side
//! sent, and whether it sent `close_notify`.
//!
//! Read `record.rs` first: it splits a stream into records (RFC 8446 §5.1) and keeps of them only handshake messages in
//! the clear. `hello.rs` and `certificate.rs` parse those, `alert.rs` has the alert codes, `session.rs` puts both
//! directions together, and `facts.rs` defines the result. What is encrypted is inferred from type and length of
//! records alone, and reported as likely. Where [`secrets`] decrypt records, `encrypted_handshake.rs` parses the
//! handshake messages in them. Decrypting and parsing certificates need the feature `decrypt`.
//!
//! Left out: verifying signatures and chains (the capture does not hold the trust store), DTLS, SSL 2.0.

mod alert;
mod certificate;
mod encrypted_handshake;
mod facts;
mod hello;
mod record;
pub mod secrets;
mod session;
mod turns;

pub use alert::{Alert, name as alert_name};
pub use certificate::{Certificate, CertificateDate, CertificateKey};
pub(crate) use certificate::{MAX_CERTIFICATE_NAMES, MAX_CERTIFICATES, certificate_file};
pub(crate) use facts::PROMPT;
pub use facts::{
    ApplicationData, CertificateFlaw, ChainEnd, ClientCertificate, CloseNotify, HandshakeStage,
    TlsFacts, TlsLeftOut,
};
pub(crate) use hello::MAX_LIST;
pub use hello::{ClientHello, ServerHello, TlsVersion};
pub(crate) use record::MAX_WAITING;
pub(crate) use session::MAX_ALERTS;
pub use session::TlsSession;
pub use turns::{HiddenExchange, HiddenTurns};
