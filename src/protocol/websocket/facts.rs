//! What the frames of a WebSocket show about its end.

use crate::base::flow_end::FlowEnd;
use crate::base::frame_ref::FrameRef;
use crate::protocol::http::SharedText;

/// What is known of the connection. The halves are in the order of the flow ends; in a finished connection the client
/// is first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WebSocketFacts {
    /// What each side sent.
    pub halves: [WebSocketHalf; 2],
}

impl WebSocketFacts {
    /// Whether no side sent a Close: applications then see 1006 (RFC 6455 §7.1.5).
    #[must_use]
    pub(crate) fn has_no_close(&self) -> bool {
        self.halves.iter().all(|half| half.close.is_none())
    }

    /// The Close that came first, and who sent it; the other side usually echoes its code.
    pub(crate) fn first_close(&self) -> Option<(FlowEnd, &CloseFrame)> {
        let ends = [FlowEnd::A, FlowEnd::B].into_iter().zip(&self.halves);
        let closes = ends.filter_map(|(end, half)| Some((end, half.close.as_ref()?)));
        closes.min_by_key(|(_, close)| close.at)
    }

    /// The last frame of either side.
    #[must_use]
    pub fn last(&self) -> Option<FrameRef> {
        self.halves.iter().filter_map(|half| half.last).max()
    }
}

/// What one side sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WebSocketHalf {
    /// Frames.
    pub frames: u64,
    /// Frames that end a message.
    pub messages: u64,
    /// Bytes of payload, as framed.
    pub bytes: u64,
    /// Its Close, the first one.
    pub close: Option<CloseFrame>,
    /// Its Pings.
    pub pings: WebSocketPings,
    /// Its last frame.
    pub last: Option<FrameRef>,
    /// The first frame that broke the framing, and how.
    pub fault: Option<(WebSocketFrameRule, FrameRef)>,
    /// Its last frame is incomplete.
    pub is_cut: bool,
    /// The capture lost frames of it.
    pub lost: bool,
}

/// A Close frame (§5.5.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloseFrame {
    /// Where it was seen.
    pub at: FrameRef,
    /// Offset of its frame in the stream of its sender.
    pub start: u64,
    /// The status code (§7.4); `None` if it has none.
    pub code: Option<u16>,
    /// The reason, as sent.
    pub reason: SharedText,
}

impl CloseFrame {
    /// Its code, if that blames one side (RFC 6455 §7.4.1).
    pub(crate) fn blames(&self) -> Option<u16> {
        let blames = |code: &u16| matches!(code, 1002 | 1003 | 1007..=1011 | 1014);
        self.code.filter(blames)
    }

    /// What the code means (§7.4.1 and the registry).
    #[must_use]
    pub(crate) const fn meaning(code: u16) -> Option<&'static str> {
        Some(match code {
            1000 => "normal closure",
            1001 => "going away",
            1002 => "protocol error",
            1003 => "unsupported data",
            1007 => "invalid payload",
            1008 => "policy violation",
            1009 => "message too big",
            1010 => "extension missing",
            1011 => "internal error",
            1012 => "service restart",
            1013 => "try again later",
            1014 => "bad gateway",
            _ => return None,
        })
    }
}

/// Pings of one side (§5.5.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WebSocketPings {
    /// Sent.
    pub sent: u64,
    /// Pongs of the other side that answered one or more of them.
    pub answered: u64,
    /// The oldest one since the other side's last Pong.
    pub unanswered: Option<FrameRef>,
    /// The last one.
    pub last: Option<FrameRef>,
}

/// A framing rule that a frame breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WebSocketFrameRule {
    /// A client's frame without a mask, or a server's with one (§5.1).
    Mask,
    /// An opcode that is not defined (§5.2).
    Opcode,
    /// A control frame that is fragmented or longer than 125 bytes (§5.5).
    Control,
}

impl WebSocketFrameRule {
    /// The rule in words.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Mask => "client frame without a mask, or server frame with one",
            Self::Opcode => "opcode that is not defined",
            Self::Control => "control frame fragmented or too long",
        }
    }
}
