//! What is spoken on one connection.

use super::exchange::Exchange;
use super::phase::{Phase, Reach};
use super::text::Texts;
use crate::certainty::Certainty;
use crate::mark::Mark;
use crate::side::End;

/// Bytes of a head that are waited for: what the most generous servers take.
pub const MAX_HEAD: usize = 64 << 10;
/// Exchanges kept of one connection (about 13 MB); the oldest are let go, and counted.
pub const MAX_EXCHANGES: usize = 65_536;

/// What is spoken on a connection, by its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// Nothing was said yet, or too little to tell.
    Unknown,
    /// HTTP/1.x, or 0.9.
    Http1,
    /// HTTP/2 without TLS, by its preface or an upgrade to `h2c`.
    Http2,
    /// TLS records.
    Tls,
    /// After a 101 to `websocket`.
    WebSocket,
    /// After a CONNECT's 2xx, or a 101 to something else.
    Tunnel,
    /// Something else.
    Opaque,
}

/// The HTTP spoken on one TCP connection.
#[derive(Debug, Default)]
pub struct Conversation {
    exchanges: Vec<Exchange>,
}

impl Conversation {
    /// Nothing said yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The next bytes of one direction, in order and without overlap. `bytes` is what was captured, `length` what was
    /// on the wire: the rest was cut off by the snap length.
    pub fn data(&mut self, from: End, at: Mark, bytes: &[u8], length: u32, texts: &mut Texts) {
        let _ = (from, at, bytes, length, texts);
    }

    /// The next `length` bytes of one direction were never captured.
    pub fn gap(&mut self, from: End, at: Mark, length: u64, texts: &mut Texts) {
        let _ = (from, at, length, texts);
    }

    /// The FIN of one direction, in order. It completes a body that is delimited by the close.
    pub fn end(&mut self, from: End, at: Mark, texts: &mut Texts) {
        let _ = (from, at, texts);
    }

    /// The connection is over: what waits for more bytes is read as far as it goes, and the working memory is freed.
    pub fn finish(&mut self, texts: &mut Texts) {
        let _ = texts;
    }

    /// What is spoken.
    #[must_use]
    pub fn protocol(&self) -> Protocol {
        Protocol::Unknown
    }

    /// Who is the HTTP (or TLS) client, by content.
    #[must_use]
    pub fn requester(&self) -> Option<(End, Certainty)> {
        None
    }

    /// The exchanges in order of their requests.
    #[must_use]
    pub fn exchanges(&self) -> &[Exchange] {
        &self.exchanges
    }

    /// The exchanges, when nothing else is wanted any more.
    #[must_use]
    pub fn into_exchanges(self) -> Vec<Exchange> {
        self.exchanges
    }

    /// Exchanges that were let go because there were more than [`MAX_EXCHANGES`]; the oldest ones.
    #[must_use]
    pub fn let_go(&self) -> u64 {
        0
    }

    /// In which phase `closer` was when it had sent and received this much.
    #[must_use]
    pub fn phase_at(&self, closer: End, sent: Reach, received: Reach) -> Phase {
        let _ = (closer, sent, received);
        Phase::Opaque
    }
}
