//! What the frames of an HTTP/2 connection state about the connection, rather than about a single stream.

use std::time::Duration;

use crate::base::frame_ref::FrameRef;
use crate::protocol::http::{ErrorCode, Party, SharedText, StreamReset};
use crate::protocol::websocket;

/// GOAWAYs kept of one side; a graceful end has two (RFC 9113 §6.8).
pub(crate) const MAX_GOAWAYS: usize = 4;
/// Frames that break the protocol, kept of one connection; the first ones explain the rest.
pub(crate) const MAX_FRAME_FAULTS: usize = 8;

/// What is known of the connection. The halves are in the order of the flow ends; in a finished connection the client
/// is first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct H2Facts {
    /// What each side sent.
    pub halves: [H2Half; 2],
    /// It began as HTTP/1.1 and was upgraded (RFC 7540 §3.2).
    pub upgraded: bool,
    /// It began before the capture: the settings of both sides are unknown, and so are some fields.
    pub midstream: bool,
    /// One side does not use HTTP/2, or sent a wrong preface.
    pub mismatch: Option<PrefaceMismatch>,
    /// Streams that the client opened.
    pub streams: u64,
    /// Streams that the server promised (§8.4).
    pub promised: u64,
    /// The most streams that were open at a time.
    pub peak_open: u32,
    /// Streams that took the last place of what SETTINGS_MAX_CONCURRENT_STREAMS allows.
    pub at_limit: u64,
    /// Streams beyond the number that is followed: they are exchanges without an end.
    pub not_followed: u64,
    /// Frames that break the protocol, the first ones of many.
    pub faults: Vec<FrameFault>,
    /// Faults that are not in `faults`.
    pub more_faults: u64,
    /// WebSockets on streams of their own (RFC 8441), the first ones of many, in the order in which they ended.
    pub websockets: Vec<StreamWebSocket>,
    /// WebSockets that are not in `websockets`. One without a Close is left out last.
    pub more_websockets: u64,
}

/// WebSockets kept of one connection; a browser opens a few.
pub(crate) const MAX_WEBSOCKETS: usize = 64;

/// A WebSocket on a stream (RFC 8441).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamWebSocket {
    /// The stream.
    pub stream: u32,
    /// What was sent on it; the halves in the order of those of the connection.
    pub said: websocket::WebSocketFacts,
    /// Where the stream itself ended; `None` where the connection ended first.
    pub ended: Option<FrameRef>,
}

impl H2Facts {
    /// Whether a side that resets a stream only passes on the error of the other side's GOAWAY. Only for a finished
    /// connection, where the client's half is first.
    #[must_use]
    pub(crate) fn passes_on(&self, reset: StreamReset) -> bool {
        let [client, server] = &self.halves;
        let other = match reset.by {
            Party::Requester => server,
            Party::Responder => client,
        };
        other
            .complaint()
            .is_some_and(|it| it.code == reset.code && it.at <= reset.at)
    }
}

/// What one side sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct H2Half {
    /// Frames.
    pub frames: u64,
    /// Payload of DATA frames, padding left out.
    pub data: u64,
    /// The settings it announced, and the defaults of the others.
    pub settings: AnnouncedSettings,
    /// Its first SETTINGS.
    pub settings_at: Option<FrameRef>,
    /// Its GOAWAYs, the first and the last ones.
    pub goaways: Vec<Goaway>,
    /// GOAWAYs that are not in `goaways`.
    pub more_goaways: u64,
    /// PINGs it sent, and their answers.
    pub pings: H2Pings,
    /// RST_STREAMs it sent.
    pub resets: u64,
    /// How often flow control kept it from sending.
    pub stalls: Stalls,
    /// Header blocks of it that could not be decoded.
    pub unread_blocks: u64,
    /// The capture lost frames of it.
    pub lost: bool,
    /// Its last frame.
    pub last: Option<FrameRef>,
}

impl H2Half {
    /// The GOAWAY that counts: the last one (§6.8).
    #[must_use]
    pub fn goaway(&self) -> Option<&Goaway> {
        self.goaways.last()
    }

    /// The first GOAWAY with an error; one without an error may follow it.
    #[must_use]
    pub(crate) fn complaint(&self) -> Option<&Goaway> {
        self.goaways
            .iter()
            .find(|it| it.code != ErrorCode::NO_ERROR)
    }
}

/// The settings a side announced (§6.5.2), as far as they matter here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnnouncedSettings {
    /// SETTINGS_MAX_CONCURRENT_STREAMS; there is no limit unless one is announced.
    pub max_concurrent_streams: Option<u32>,
    /// SETTINGS_INITIAL_WINDOW_SIZE.
    pub initial_window: u32,
    /// SETTINGS_MAX_FRAME_SIZE.
    pub max_frame: u32,
    /// SETTINGS_ENABLE_CONNECT_PROTOCOL (RFC 8441 §3).
    pub connect_protocol: bool,
}

impl Default for AnnouncedSettings {
    fn default() -> Self {
        Self {
            max_concurrent_streams: None,
            initial_window: 65_535,
            max_frame: super::frame::USUAL_MAX_FRAME,
            connect_protocol: false,
        }
    }
}

/// A GOAWAY (§6.8).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Goaway {
    /// Where it was seen.
    pub at: FrameRef,
    /// Offset of its frame in the stream of its sender.
    pub start: u64,
    /// The last stream that the sender may have processed.
    pub last_stream: u32,
    /// Why.
    pub code: ErrorCode,
    /// Its debug data, the first 256 bytes.
    pub debug: SharedText,
}

impl Goaway {
    /// The last stream of a GOAWAY that only asks for no new streams; the real one follows (§6.8).
    pub(crate) const NOT_YET: u32 = 0x7fff_ffff;
}

/// PINGs of one side (§6.7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct H2Pings {
    /// Sent.
    pub sent: u64,
    /// Answered by the other side.
    pub answered: u64,
    /// The oldest one without an answer.
    pub unanswered: Option<FrameRef>,
}

/// A time in which flow control kept a side from sending (§5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stall {
    /// The stream whose window was used up; 0 for that of the connection.
    pub stream: u32,
    /// When it was used up.
    pub since: FrameRef,
    /// When the other side opened the window again; `None` if it never did.
    pub until: Option<FrameRef>,
}

/// All stalls of one side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stalls {
    /// How many.
    pub count: u64,
    /// The longest that ended.
    pub longest: Duration,
    /// The stall that lasts, or else the last one.
    pub worst: Option<Stall>,
}

/// One side does not use HTTP/2 as the other expects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrefaceMismatch {
    /// Where it was seen.
    pub at: FrameRef,
    /// The client's preface was wrong; otherwise it was the server's first bytes.
    pub by_client: bool,
    /// The bytes seen instead, the first 64.
    pub bytes: SharedText,
}

impl PrefaceMismatch {
    /// The server answered in HTTP/1.
    #[must_use]
    pub(crate) fn is_http1(&self) -> bool {
        self.bytes.as_bytes().starts_with(b"HTTP/1.")
    }
}

/// A rule of the protocol that a frame breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum H2FrameRule {
    /// A length that does not fit the frame type, or exceeds the allowed one (§4.2).
    FrameSize,
    /// A frame on a stream it may not be on (§5.1.1, §6).
    StreamId,
    /// Another frame within a header block (§6.10).
    HeaderBlockBroken,
    /// A CONTINUATION that continues nothing (§6.10).
    LoneContinuation,
    /// A header block of more than `MAX_BLOCK` bytes.
    BlockTooLong,
    /// A header block that cannot be decoded (§4.3).
    Compression,
    /// Padding longer than the frame (§6.1).
    Padding,
    /// A field that HTTP/2 forbids (§8.2).
    ForbiddenField,
}

impl H2FrameRule {
    /// The rule in words.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::FrameSize => {
                "frame of a length that its kind does not have, or that was not allowed"
            }
            Self::StreamId => "frame on a stream where it may not be",
            Self::HeaderBlockBroken => "another frame within a header block",
            Self::LoneContinuation => "CONTINUATION without a header block before it",
            Self::BlockTooLong => "header block too long",
            Self::Compression => "header block that cannot be decoded",
            Self::Padding => "more padding than frame",
            Self::ForbiddenField => "field that HTTP/2 forbids",
        }
    }
}

/// One frame that breaks the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameFault {
    /// Which rule it breaks.
    pub rule: H2FrameRule,
    /// Whether the client sent it.
    pub by_client: bool,
    /// Its stream.
    pub stream: u32,
    /// Where it was seen.
    pub at: FrameRef,
}
