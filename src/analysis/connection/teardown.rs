//! Who closed a connection, how and when: the parts of every verdict.

use crate::base::certainty::Certainty;
use crate::base::frame_ref::{FrameNumber, FrameRef};
use crate::base::time::Timestamp;
use crate::protocol::http::{ConnectionEnd, Phase};
use crate::protocol::tcp::ResetKind;

/// The side that began the close: the sender of the first FIN or RST in the order that acknowledgements prove.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum By {
    /// The side that opened the connection.
    Client,
    /// The side that accepted it.
    Server,
    /// Neither had the other's FIN or RST when it sent its own.
    Both,
    /// A middlebox: it sent the RST in the name of one side, or the ICMP error that decided the verdict.
    Middlebox,
    /// No side: the connection was not closed.
    Nobody,
}

/// By which means the connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum How {
    /// A FIN came first.
    Fin,
    /// A RST came first.
    Reset(ResetKind),
    /// One side stopped answering.
    Silence,
    /// The capture ends before the connection does.
    Open,
}

/// The verdict on one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Teardown {
    /// Who began the close.
    pub by: By,
    /// By which means it was closed.
    pub how: How,
    /// The phase in which it was closed.
    pub phase: Phase,
    /// The frame that shows it; if the connection fell silent or is open, the last one. 0 if there is none.
    pub frame: FrameNumber,
    /// When that frame was captured.
    pub at: Timestamp,
    /// How sure the verdict is.
    pub certainty: Certainty,
    /// All bytes of both sides arrived, and no exchange was left unfinished.
    pub orderly: bool,
    /// The server's `close_notify`, if the client had received it before it closed: within TLS the server closed first
    /// (RFC 8446 §6.1), so the client no longer waited for a response.
    pub told: Option<FrameRef>,
}

impl Teardown {
    /// The end of the connection as its exchanges see it. If both sides closed at once the server's close counts,
    /// because it could not have known of the client's. A silence counts as no close, because nobody chose it.
    #[must_use]
    pub const fn ending(&self) -> ConnectionEnd {
        match (self.by, self.how) {
            (_, How::Open | How::Silence) | (By::Nobody, _) => ConnectionEnd::Open,
            (By::Client, _) if self.told.is_some() => ConnectionEnd::ServerFin,
            (By::Client, _) => ConnectionEnd::ByClient,
            (_, How::Reset(_)) => ConnectionEnd::ServerReset,
            (_, How::Fin) => ConnectionEnd::ServerFin,
        }
    }
}
