//! Floor 5: TLS on one connection, seen from outside: from SSL 3.0 to TLS 1.3, on any port.
//!
//! In: the TCP streams of both directions from the first record on. Out: [`TlsFacts`]: what the handshake agreed on and how
//! far it came, the certificates that travelled in the clear, alerts with their senders, how much was said under the keys
//! and how each side took its leave.
//!
//! Read `record.rs` first: it cuts a stream into records (RFC 8446 §5.1) and keeps no more of them than handshake messages
//! in the clear. `hello.rs` and `certificate.rs` read those, `alert.rs` has the codes, `session.rs` puts both directions
//! together, and `facts.rs` is what is told. What is hidden is inferred from kind and length of records alone, and said to
//! be likely; where `spoken` opens records with secrets, `inside.rs` reads what of the handshake was in them.
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

pub use alert::{Alert, name as alert_name};
pub use certificate::{Certificate, CertificateDate, CertificateKey, MAX_CERTIFICATES};
pub use facts::{
    ApplicationData, CertificateFlaw, ClientCertificate, CloseNotify, HandshakeStage, TlsFacts,
};
pub use hello::{ClientHello, ServerHello, TlsVersion};
pub use session::TlsSession;
