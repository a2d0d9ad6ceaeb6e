//! Who hung up, how and when: the words of every verdict.

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
    /// The side that was called.
    Server,
    /// Neither had the other's FIN or RST when it sent its own.
    Both,
    /// A box between them: the RST is not the work of the host whose address it carries.
    Middlebox,
    /// Nobody has.
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
    /// By which means.
    pub how: How,
    /// In which phase.
    pub phase: Phase,
    /// The frame that shows it; of a silence or an open connection, the last one. 0 if there is none.
    pub frame: FrameNumber,
    /// When that frame was captured.
    pub at: Timestamp,
    /// How far the capture proves it.
    pub certainty: Certainty,
    /// Both sides' bytes all arrived and nothing was owed.
    pub orderly: bool,
    /// Where the server had said `close_notify`, of a client that had read it before it closed: under the keys the server
    /// was the first to end (RFC 8446 §6.1), and what it owed then the client waited for no longer.
    pub told: Option<FrameRef>,
}

impl Teardown {
    /// How the connection ended, as far as its exchanges care. When both began at once the server's close counts: the
    /// client's could not have been known to it. A silence is no ending that anybody chose.
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
