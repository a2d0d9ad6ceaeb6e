//! The settled record of one connection.

use std::sync::Arc;
use std::time::Duration;

use super::{Certainty, Teardown};
use crate::base::frame_ref::FrameRef;
use crate::base::net::{Context, Endpoint, Quote};
use crate::base::time::Timestamp;
use crate::knowledge::LogSide;
use crate::protocol::annotations::Annotations;
use crate::protocol::h2;
use crate::protocol::http::{Exchange, Method, Protocol};
use crate::protocol::tcp::{CloseEvent, OddSegments, Standing};
use crate::protocol::tls;
use crate::protocol::websocket;

/// How the connection began, as far as the capture shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Opening {
    /// SYN, SYN-ACK and the ACK that completes it (or its equivalent).
    Handshake,
    /// The SYN was answered by a RST.
    Refused,
    /// The SYN was answered by an ICMP error.
    Unreachable,
    /// The SYN got no answer.
    Unanswered,
    /// The SYN was answered by a SYN-ACK that the client reset, or the handshake was never completed.
    Rejected,
    /// The capture begins after the connection did.
    Midstream,
}

/// One of the two roles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Who {
    /// The side that opened the connection.
    Client,
    /// The side that was called.
    Server,
}

impl Who {
    /// Both, in the order of every pair in the record.
    pub const BOTH: [Self; 2] = [Self::Client, Self::Server];

    /// The other side.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }

    /// The log of the program at this side.
    #[must_use]
    pub const fn log_side(self) -> LogSide {
        match self {
            Self::Client => LogSide::Client,
            Self::Server => LogSide::Server,
        }
    }
}

/// What the roles rest on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Roles {
    /// The SYN or SYN-ACK was captured.
    Handshake,
    /// Requests came from the client.
    Http,
    /// The lower or well-known port is taken for the server's.
    Ports,
}

impl Roles {
    /// How far this proves who is the client.
    #[must_use]
    pub const fn certainty(self) -> Certainty {
        match self {
            Self::Handshake | Self::Http => Certainty::Certain,
            Self::Ports => Certainty::Likely,
        }
    }
}

/// What one side sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SentTotals {
    /// Segments, repetitions included, frames seen twice counted once.
    pub packets: u64,
    /// Payload bytes without retransmissions: distinct sequence numbers seen.
    pub bytes: u64,
    /// Segments that repeat what was sent before.
    pub retransmitted: u32,
    /// Payload that the peer acknowledged and the capture never saw.
    pub missing: u64,
    /// Segments with FIN.
    pub fins: u32,
    /// Segments with RST.
    pub resets: u32,
    /// Keep-alive probes (0 or 1 byte before the next sequence number, RFC 9293 §3.8.4).
    pub keep_alives: u32,
    /// Times the window was announced as zero after it was not.
    pub zero_windows: u32,
    /// Payload bytes that the peer acknowledged.
    pub acknowledged: u64,
    /// Time to live or hop limit of the first segment.
    pub ttl: u8,
}

/// What one side sent again and again at last, without an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UnansweredSegments {
    /// Repetitions and probes.
    pub count: u16,
    /// Keep-alive probes among them.
    pub probes: u16,
    /// When the oldest of it was first sent.
    pub since: FrameRef,
    /// When it was first repeated.
    pub again: FrameRef,
    /// When it was last sent.
    pub until: FrameRef,
    /// When the peer last sent anything; the default if it never did.
    pub layer_facts: FrameRef,
    /// How long neither side had sent anything before.
    pub idle: Duration,
    /// Payload of the segment that was repeated.
    pub length: u32,
    /// The largest payload that had come through before.
    pub through: u32,
}

/// The connection before, on the same addresses and ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Predecessor {
    /// Its last segment.
    pub last: FrameRef,
    /// Whether the side that opens the new connection, and the side that is called, held a TIME-WAIT from it.
    pub waits: [bool; 2],
    /// Both sides had closed, as far as could be seen.
    pub over: bool,
}

/// One settled connection. Pairs are in the order client, server ([`Who`]).
#[derive(Clone, Debug)]
pub struct Connection {
    /// Its number: connections in order of first frame, from 1. 0 until the ledger has given it.
    pub id: u32,
    /// Who opened it.
    pub client: Endpoint,
    /// Who was called.
    pub server: Endpoint,
    /// What the roles rest on.
    pub roles: Roles,
    /// The tunnel it runs in.
    pub context: Context,
    /// Its first segment.
    pub first: FrameRef,
    /// Its last segment.
    pub last: FrameRef,
    /// Until when it was watched: the end of the capture, or when its addresses and ports began anew.
    pub until: Timestamp,
    /// How it began.
    pub opening: Opening,
    /// From the client's first SYN to the segment that completed the handshake, if both were seen.
    pub connect_time: Option<Duration>,
    /// How often the SYN was sent again.
    pub syn_retries: u16,
    /// SYN-ACKs, repetitions included.
    pub syn_acks: u16,
    /// The client's SYN was seen.
    pub client_syn: bool,
    /// An acknowledgement with the numbers of an older connection, sent instead of an answer to the SYN (RFC 5961 §4,
    /// RFC 9293 §3.5.1).
    pub challenge: Option<FrameRef>,
    /// Who ended it, how and when.
    pub teardown: Teardown,
    /// The state of each endpoint after its last segment, presumed where not proven.
    pub states: [Standing; 2],
    /// Whether each side has held a TIME-WAIT, and since when.
    pub time_wait: [Option<FrameRef>; 2],
    /// Each side's first FIN.
    pub fin: [Option<CloseEvent>; 2],
    /// The other side's first segment that acknowledged each side's FIN.
    pub fin_acknowledged: [Option<FrameRef>; 2],
    /// Each side's first RST that had an effect, or its first of all.
    pub reset: [Option<CloseEvent>; 2],
    /// What was spoken.
    pub protocol: Protocol,
    /// What each side sent.
    pub sent: [SentTotals; 2],
    /// The segment that carried each side's last new payload; frame 0 if there was none.
    pub last_data: [FrameRef; 2],
    /// What was asked and answered, in order of the requests.
    pub exchanges: Box<[Exchange]>,
    /// What is told of TLS, where it is spoken, inside a tunnel too.
    pub tls: Option<Box<tls::TlsFacts>>,
    /// What HTTP/2 said about the connection, if it was spoken.
    pub h2: Option<Box<h2::H2Facts>>,
    /// What a WebSocket said about its end, if it was one.
    pub websocket: Option<Box<websocket::WebSocketFacts>>,
    /// The ICMP error about it that decided something, else the first.
    pub icmp: Option<Box<Quote>>,
    /// Segments of each side with numbers that fit nothing.
    pub astray: [u32; 2],
    /// What contradicts the protocol in the segments of each side.
    pub oddities: [Box<[OddSegments]>; 2],
    /// What each side repeated or probed to the end without an answer, if one did so often.
    pub unanswered: Option<Box<[UnansweredSegments; 2]>>,
    /// The connection that used the same addresses and ports before.
    pub predecessor: Option<Predecessor>,
    /// What was read in which segment, where somebody looks at it at close range.
    pub annotations: Option<Arc<Annotations>>,
}

impl Connection {
    /// The name that the connection was opened for, without a port: that of the first `CONNECT`, of the ClientHello, or of the
    /// first request's `Host` field.
    #[must_use]
    pub fn name(&self) -> Option<&[u8]> {
        let hello = self.tls.as_ref().and_then(|tls| tls.hello.as_ref());
        let sni = hello.and_then(|(_, hello)| hello.sni.as_deref());
        let Some(request) = self.exchanges.first().and_then(|it| it.request.as_ref()) else {
            return sni;
        };
        let whole = match request.method {
            Method::Connect => request.target.as_ref(),
            _ => request.host.as_ref(),
        }?;
        let bytes = whole.as_bytes();
        let port = bytes.iter().rposition(|byte| *byte == b':');
        let digits = port.filter(|at| {
            let port = bytes.get(at + 1..).unwrap_or_default();
            port.iter().all(u8::is_ascii_digit)
        });
        let name = bytes.get(..digits.unwrap_or(bytes.len()))?;
        (!name.is_empty()).then_some(name)
    }

    /// How long it was seen.
    #[must_use]
    pub fn lasted(&self) -> Duration {
        self.last.time.since(self.first.time)
    }
}
