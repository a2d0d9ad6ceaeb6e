//! Who closed a connection, how and when: the parts of every verdict.

use std::fmt;

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

impl By {
    /// The word of the reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
            Self::Both => "both",
            Self::Middlebox => "middlebox",
            Self::Nobody => "nobody",
        }
    }
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
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

impl How {
    /// The word of the reports; of every kind of RST the same.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fin => "fin",
            Self::Reset(_) => "reset",
            Self::Silence => "silence",
            Self::Open => "open",
        }
    }
}

impl fmt::Display for How {
    /// `FIN`, `RST (abort)`, `silence`, `open`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fin => f.write_str("FIN"),
            Self::Reset(kind) => write!(f, "RST ({kind})"),
            Self::Silence | Self::Open => f.write_str(self.name()),
        }
    }
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
    pub close_notify_seen: Option<FrameRef>,
    /// The other side closed without knowing of it: so much later that the two did not cross, or before a RST that only
    /// answers its FIN.
    pub unheard: bool,
    /// The client's FIN came first, right after the last bytes of a response that was not complete, and the server had sent
    /// nothing more when it closed as well, at once. Either the response was all that the server had, and the client closes its
    /// direction early; or the server stopped because the client had closed.
    pub server_too: bool,
    /// How the server closed after the client's FIN, where that closed only the client's direction: the client's host took more
    /// of the response, or the FIN came too soon after the request to be that of a client which waits and leaves.
    pub half_closed: Option<How>,
}

impl Teardown {
    /// The frame that shows it, with its time.
    #[must_use]
    pub const fn frame_ref(&self) -> FrameRef {
        FrameRef {
            frame: self.frame,
            time: self.at,
        }
    }

    /// The end of the connection as its exchanges see it. If both sides closed at once the server's close counts,
    /// because it could not have known of the client's. A silence counts as no close, because nobody chose it.
    #[must_use]
    pub const fn ending(&self) -> ConnectionEnd {
        match (self.by, self.how) {
            (_, How::Open | How::Silence) | (By::Nobody, _) => ConnectionEnd::Open,
            (By::Client, _) if self.close_notify_seen.is_some() || self.server_too => {
                ConnectionEnd::ServerFin
            }
            (By::Client, _) => match self.half_closed {
                Some(How::Fin) => ConnectionEnd::ServerFin,
                Some(_) => ConnectionEnd::ServerReset,
                None => ConnectionEnd::ByClient,
            },
            (_, How::Reset(_)) => ConnectionEnd::ServerReset,
            (_, How::Fin) => ConnectionEnd::ServerFin,
        }
    }
}

impl fmt::Display for Teardown {
    /// Who, how, when and how sure: `server: RST (abort), waiting, certain (frame 9)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            by,
            how,
            phase,
            certainty,
            ..
        } = self;
        write!(f, "{by}: {how}, {phase}, {certainty}")?;
        match self.frame {
            FrameNumber(0) => Ok(()),
            FrameNumber(frame) => write!(f, " (frame {frame})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_is_told_in_its_words() {
        let verdict = Teardown {
            by: By::Server,
            how: How::Reset(ResetKind::NoSocket),
            phase: Phase::Waiting,
            frame: FrameNumber(1234),
            at: Timestamp::default(),
            certainty: Certainty::Likely,
            orderly: false,
            close_notify_seen: None,
            unheard: false,
            server_too: false,
            half_closed: None,
        };
        assert_eq!(
            verdict.to_string(),
            "server: RST (no-socket), waiting, likely (frame 1234)"
        );
        let open = Teardown {
            by: By::Nobody,
            how: How::Open,
            frame: FrameNumber(0),
            ..verdict
        };
        assert_eq!(open.to_string(), "nobody: open, waiting, likely");
    }
}
