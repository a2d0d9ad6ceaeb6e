//! What a server must answer to the key of a client that opens a WebSocket (RFC 6455 §4.2.2).

use sha1::{Digest, Sha1};

use crate::base::base64::base64;

/// What is put behind the key before both are hashed.
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// The value of `Sec-WebSocket-Accept` that fits this `Sec-WebSocket-Key`.
pub(crate) fn accept_value(key: &[u8]) -> String {
    base64(&Sha1::new().chain_update(key).chain_update(GUID).finalize())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_example_of_the_rfc() {
        let accept = super::accept_value(b"dGhlIHNhbXBsZSBub25jZQ==");
        assert_eq!(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }
}
