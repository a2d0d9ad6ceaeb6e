//! The settled record of one connection.

use std::sync::Arc;
use std::time::Duration;

use super::{By, Certainty, ConnectionOutcome, How, Teardown};
use crate::base::flow_end::FlowEnd;
use crate::base::frame_ref::FrameRef;
use crate::base::net::{Context, Endpoint, Quote};
use crate::base::seq::Seq;
use crate::base::time::Timestamp;
use crate::knowledge::{LogSide, greeting_service};
use crate::protocol::annotations::Annotations;
use crate::protocol::dialogue;
use crate::protocol::h2;
use crate::protocol::http::{Exchange, Message, Method, Protocol};
use crate::protocol::layers::{FirstWords, ProxyHeader};
use crate::protocol::tcp::{
    Checksums, CloseEvent, OddSegments, PassageCounts, ResetKind, Standing,
};
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
    /// The side that accepted it.
    Server,
}

impl Who {
    /// Both, in the order of every pair in the record.
    pub const BOTH: [Self; 2] = [Self::Client, Self::Server];

    /// The side of a flow end in a settled record, where [`FlowEnd::A`] is the client.
    #[must_use]
    pub const fn of(end: FlowEnd) -> Self {
        match end {
            FlowEnd::A => Self::Client,
            FlowEnd::B => Self::Server,
        }
    }

    /// The other side.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }

    /// `client` or `server`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
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

/// The evidence for which side is the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Roles {
    /// The SYN or SYN-ACK was captured.
    Handshake,
    /// The client sent requests.
    Http,
    /// Ports only: the lower or well-known port is taken for the server's.
    Ports,
}

impl Roles {
    /// How sure the roles are on this evidence.
    #[must_use]
    pub const fn certainty(self) -> Certainty {
        match self {
            Self::Handshake | Self::Http => Certainty::Certain,
            Self::Ports => Certainty::Likely,
        }
    }
}

/// Totals of what one side sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SentTotals {
    /// Segments, retransmissions included; a frame captured twice counts once.
    pub packets: u64,
    /// Payload bytes without retransmissions: distinct sequence numbers seen.
    pub bytes: u64,
    /// Segments that repeat data already sent.
    pub retransmitted: u32,
    /// Payload bytes that the peer acknowledged and the capture does not have.
    pub missing: u64,
    /// Segments with FIN.
    pub fins: u32,
    /// Segments with RST.
    pub resets: u32,
    /// Keep-alive probes (0 or 1 byte before the next sequence number, RFC 9293 §3.8.4).
    pub keep_alives: u32,
    /// Times the announced window went from nonzero to zero.
    pub zero_windows: u32,
    /// Probes of a window that the peer had shut: this side had more to send (RFC 9293 §3.8.6.1).
    pub window_probes: u32,
    /// Payload bytes that the peer acknowledged.
    pub acknowledged: u64,
    /// Time to live (IPv4) or hop limit (IPv6) of the first segment.
    pub ttl: u8,
    /// The least and the greatest time to live of its own segments.
    pub ttls: (u8, u8),
}

/// Segments that one side kept repeating at the end of the connection, without an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UnansweredSegments {
    /// Retransmissions and probes.
    pub count: u16,
    /// Keep-alive probes among them.
    pub probes: u16,
    /// When the oldest repeated segment was first sent.
    pub since: FrameRef,
    /// When it was first repeated.
    pub again: FrameRef,
    /// When it was last sent.
    pub until: FrameRef,
    /// When the peer last sent anything but a FIN after all of this; the default if it never did.
    pub peer_last_sent: FrameRef,
    /// How long both sides were idle before.
    pub idle: Duration,
    /// Payload of the oldest segment in flight, if it was repeated.
    pub length: u32,
    /// How often that one segment was repeated; the rest of `count` are others.
    pub same: u16,
    /// The largest payload of a segment that had arrived before.
    pub through: u32,
    /// The segment by which the peer had acknowledged that oldest one before it was repeated, if it had.
    pub acknowledged: Option<FrameRef>,
    /// No packet of the peer was captured, and none reached this side: it acknowledged nothing new, and went on repeating its
    /// oldest bytes after all else. A direction that passes elsewhere does not explain that.
    pub unheard: bool,
}

/// Repetitions of the same bytes of which chance does not take every answer.
const NEVER_ANSWERED: u16 = 3;

impl UnansweredSegments {
    /// Whether the peer was silent on the whole connection, as far as the capture has it ([`Self::unheard`]).
    #[must_use]
    pub(crate) fn met_silence(&self) -> bool {
        let lasted = self.until.time.since(self.since.time);
        self.unheard && self.same >= NEVER_ANSWERED && lasted >= ACKNOWLEDGED_WITHIN
    }
}

/// Payload that its receiver never acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InFlight {
    /// How much.
    pub bytes: u64,
    /// When the first of it was sent, or what came before it and was acknowledged since.
    pub since: FrameRef,
    /// The last acknowledgement of what came before it, if that was later.
    pub acknowledged: Option<FrameRef>,
    /// How long neither side had sent anything before.
    pub idle: Duration,
}

/// Payload that one side had sent, as the number of a later segment of it without payload shows, and of which nothing shows that
/// it arrived: the capture has none of it, and the peer acknowledged none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SkippedBytes {
    /// How much, at least.
    pub bytes: u64,
    /// The first segment that shows it.
    pub shown_by: FrameRef,
}

/// The previous connection on the same addresses and ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Predecessor {
    /// Its last segment.
    pub last: FrameRef,
    /// Whether each side held a TIME-WAIT from it: first the side that opens the new connection, then the side that
    /// accepts it.
    pub waits: [bool; 2],
    /// Both sides had closed it, as far as the capture shows.
    pub over: bool,
}

/// Why a connection is settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SettledBecause {
    /// The capture ends at this time.
    Capture(Timestamp),
    /// The same addresses and ports were used for a new connection at this time.
    Reused(Timestamp),
    /// It was evicted to make room.
    Forgotten(Timestamp),
}

impl SettledBecause {
    pub(super) const fn time(self) -> Timestamp {
        match self {
            Self::Capture(time) | Self::Reused(time) | Self::Forgotten(time) => time,
        }
    }
}

/// The turns in which the sides spoke: each is a run of payload from one of them, in the order of the capture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turns {
    /// How many each side took.
    pub taken: [u32; 2],
    /// The side that took the last one.
    pub last: Option<Who>,
    /// Payload bytes in the last one.
    pub length: u64,
    /// The client also spoke on without waiting for an answer: after a pause within one of its turns.
    pub goes_on: bool,
    /// The server spoke first.
    pub greeted: bool,
    /// The least bytes of a turn of the client that the server's next turn followed; 0 without one.
    pub shortest: u64,
    /// The server spoke after a turn of the client sooner than it can have had it: its turns are not all answers.
    pub unasked: bool,
    /// The snap length cut some of the payload, so that what was spoken may be unknown.
    pub cut: bool,
}

/// One settled connection. Pairs are in the order client, server ([`Who`]).
#[derive(Clone, Debug)]
pub struct Connection {
    /// Its number: connections in order of first frame, from 1. 0 until the numbering has assigned it.
    pub id: u32,
    /// The side that opened it.
    pub client: Endpoint,
    /// The side that accepted it.
    pub server: Endpoint,
    /// The evidence for the roles.
    pub roles: Roles,
    /// The tunnel it is carried in.
    pub context: Context,
    /// Its first segment.
    pub first: FrameRef,
    /// Its last segment.
    pub last: FrameRef,
    /// Until when it was observed: the end of the capture, or the reuse of its addresses and ports.
    pub until: Timestamp,
    /// How it began.
    pub opening: Opening,
    /// From the client's first SYN to the segment that completed the handshake, if both were seen.
    pub connect_time: Option<Duration>,
    /// Number of retransmissions of the SYN.
    pub syn_retries: u16,
    /// Number of SYN-ACKs, retransmissions included.
    pub syn_acks: u16,
    /// The client's SYN came again after the server's first SYN-ACK.
    pub syn_again: bool,
    /// Whether the client's SYN was captured.
    pub client_syn: bool,
    /// Whether the capture does not hold its segments in the order of their times.
    pub disordered: bool,
    /// The number with which each side began, where its SYN was captured.
    pub isn: [Option<Seq>; 2],
    /// Each side's last SYN: the first one, or its last repetition.
    pub last_syn: [Option<FrameRef>; 2],
    /// The server's first acknowledgement of anything but the SYN: from then on its program had the connection.
    pub taken: Option<FrameRef>,
    /// An acknowledgement with the sequence numbers of an older connection, sent instead of an answer to the SYN (RFC
    /// 5961 §4, RFC 9293 §3.5.1).
    pub challenge: Option<FrameRef>,
    /// Who closed it, how and when.
    pub teardown: Teardown,
    /// What came of it: whether anything was lost.
    pub outcome: ConnectionOutcome,
    /// The state of each endpoint after its last segment, presumed where not proven.
    pub states: [Standing; 2],
    /// Since when each side has held a TIME-WAIT, if it has.
    pub time_wait: [Option<FrameRef>; 2],
    /// Each side's first FIN.
    pub fin: [Option<CloseEvent>; 2],
    /// The other side's first segment that acknowledged each side's FIN.
    pub fin_acknowledged: [Option<FrameRef>; 2],
    /// The shortest time from what the other side sent to each side's answer, where it was captured.
    pub round_trip: [Option<Duration>; 2],
    /// Each side's first RST that had an effect; if none had, its first RST.
    pub reset: [Option<CloseEvent>; 2],
    /// The application protocol.
    pub protocol: Protocol,
    /// What each side sent.
    pub sent: [SentTotals; 2],
    /// The segment that carried each side's last new payload; frame 0 if there was none.
    pub last_data: [FrameRef; 2],
    /// The protocol that each side's first bytes show by themselves.
    pub first_words: [Option<FirstWords>; 2],
    /// What the proxy that opened the connection said of its client, in the PROXY protocol.
    pub proxied: Option<Box<ProxyHeader>>,
    /// The turns in which payload was sent.
    pub turns: Turns,
    /// Requests and responses, in order of the requests.
    pub exchanges: Box<[Exchange]>,
    /// TLS facts, if TLS is used, inside a tunnel too.
    pub tls: Option<Box<tls::TlsFacts>>,
    /// HTTP/2 facts about the connection, if it is HTTP/2.
    pub h2: Option<Box<h2::H2Facts>>,
    /// WebSocket facts about its close, if it is a WebSocket.
    pub websocket: Option<Box<websocket::WebSocketFacts>>,
    /// What was said in another application protocol, if one was spoken in plain text.
    pub dialogue: Option<Box<dialogue::DialogueFacts>>,
    /// The ICMP error about the connection that decided the verdict, else the first.
    pub icmp: Option<Box<Quote>>,
    /// Segments of each side whose sequence numbers fit no part of the connection.
    pub out_of_range: [u32; 2],
    /// Protocol violations in the segments of each side.
    pub oddities: [Box<[OddSegments]>; 2],
    /// What each side repeated or probed at the end without an answer, if either did so often enough to be recorded.
    pub unanswered: Option<Box<[UnansweredSegments; 2]>>,
    /// What each side had sent that is neither captured nor acknowledged, if there is anything ([`Connection::skipped`]).
    pub skipped: Option<Box<[Option<SkippedBytes>; 2]>>,
    /// Each side's RST that had no effect before the one in `reset`, if there is any ([`Connection::ignored_reset`]).
    pub ignored_reset: Option<Box<[Option<CloseEvent>; 2]>>,
    /// What each side sent at the end that was never acknowledged, if there is anything ([`Connection::in_flight`]).
    pub in_flight: Option<Box<[Option<InFlight>; 2]>>,
    /// What became of each side's segments between two places that captured the connection, if two did
    /// ([`Connection::passages`]).
    pub passages: Option<Box<[PassageCounts; 2]>>,
    /// The checksums of each side's retransmissions and of its answers to the other's, if there are any
    /// ([`Connection::checksums`]).
    pub checksums: Option<Box<[Checksums; 2]>>,
    /// The connection that used the same addresses and ports before.
    pub predecessor: Option<Predecessor>,
    /// What was read in each segment; only when this connection is reread for display.
    pub annotations: Option<Arc<Annotations>>,
}

/// A line that says goodbye.
const LONGEST_GOODBYE: u64 = 6;

/// Least round trip assumed: on a loopback or within one machine shorter times cannot be told apart.
const LEAST_ROUND_TRIP: Duration = Duration::from_millis(5);

/// Twice the longest time for which an acknowledgement may be delayed.
const ACKNOWLEDGED_WITHIN: Duration = Duration::from_secs(1);

/// What is not acknowledged is repeated after a second, or three round trips if that is longer (RFC 6298 §2); with a margin.
const REPEATED_WITHIN: Duration = Duration::from_millis(1_500);

impl Connection {
    /// How long what a side sent last had not been acknowledged when a RST ended the connection: longer than any host waits with
    /// an acknowledgement (RFC 9293 §3.8.6.3). It never arrived.
    #[must_use]
    pub(crate) fn waited_unacknowledged(&self, who: Who) -> Option<Duration> {
        let sent = self.in_flight(who)?;
        let own = |it: &CloseEvent| {
            matches!(it.kind, Some(ResetKind::Abort | ResetKind::NoSocket))
                && it.frame_ref > sent.since
        };
        let resets = self.reset.iter().flatten().filter(|it| own(it));
        let reset = resets.map(|it| it.frame_ref).min()?;
        let since = sent.acknowledged.unwrap_or(sent.since);
        let waited = reset.time.since(since.time);
        let seen = self.sent.iter().all(|it| it.packets > 0);
        // Who is not acknowledged repeats. Where nothing was repeated, and nothing of the other side shows how much it had, the
        // capture lacks the acknowledgement.
        let other = who.other() as usize;
        let own = self.sent[who as usize].bytes;
        let closes = [self.fin[other], self.reset[other]];
        let lacked = |it: &CloseEvent| {
            it.frame_ref > sent.since && it.kind != Some(ResetKind::NoSocket) && it.received < own
        };
        let heard = closes.iter().flatten().any(lacked) || self.last_data[other] > sent.since;
        // A side whose close crossed it did not wait for it.
        let crossed = |it: &CloseEvent| {
            lacked(it) && it.frame_ref.time.since(sent.since.time) < ACKNOWLEDGED_WITHIN
        };
        let left = self.fin[other].as_ref().is_some_and(crossed);
        let trip = self.connect_time.unwrap_or_default();
        let repeats = waited >= ACKNOWLEDGED_WITHIN.max(trip * 4);
        let lacks = repeats && !heard && self.sent[who as usize].retransmitted == 0;
        (seen && !lacks && !left && waited >= ACKNOWLEDGED_WITHIN).then_some(waited)
    }

    /// An estimate of the round trip: that of the handshake, but no less than programs need to react.
    #[must_use]
    pub(crate) fn expected_round_trip(&self) -> Duration {
        // Without the handshake, what one side took to answer the other.
        let answers = self.round_trip.iter().copied().flatten().max();
        let took = self.connect_time.or(answers);
        took.unwrap_or_default().max(LEAST_ROUND_TRIP)
    }

    /// Whether a RST came so soon after data that it may have reached the other program first, which then loses the data.
    #[must_use]
    pub(crate) fn may_overtake(&self, data: FrameRef, reset: FrameRef) -> bool {
        reset.time.since(data.time) <= self.expected_round_trip() * 2
    }

    /// The checksums of a side's retransmissions, and of its answers to the other's.
    #[must_use]
    pub fn checksums(&self, who: Who) -> Checksums {
        let both = self.checksums.as_ref();
        both.map_or_else(Checksums::default, |both| both[who as usize])
    }

    /// Whether another device sent bytes in a side's name: what it says is a mixture of both.
    #[must_use]
    pub(crate) fn is_forged_in_part(&self, who: Who) -> bool {
        let mut odd = self.oddities[who as usize].iter();
        odd.any(|it| it.forged.is_some())
    }

    /// Whether a side took bytes that another device had sent in the other's name: they came from another distance, and without
    /// what the other's segments have, or before it can have sent any.
    #[must_use]
    pub(crate) fn has_taken_forged_data(&self) -> bool {
        let all = self.oddities.iter().flatten();
        let mut forged = all.filter_map(|it| it.forged.as_deref());
        forged.any(|it| it.is_certainly_foreign() && (it.taken || it.genuine.is_none()))
    }

    /// The side whose bytes in the capture are not those that it sent, and the segment: it breaks the grammar and has a wrong
    /// checksum, while those of the same side after it are right.
    #[must_use]
    pub(crate) fn altered(&self) -> Option<(Who, FrameRef)> {
        Who::BOTH.into_iter().find_map(|who| {
            let own = self.checksums(who);
            let at = own
                .faulty
                .filter(|_| own.right > 0 && own.right >= own.wrong)?;
            Some((who, at))
        })
    }

    /// What this side had sent that neither arrived, as far as the capture shows, nor was acknowledged.
    #[must_use]
    pub fn skipped(&self, who: Who) -> Option<SkippedBytes> {
        self.skipped.as_ref()?[who as usize]
    }

    /// A RST with a side's address before that side's [`reset`](Self::reset), which had no effect: the side went on, and the other
    /// answered.
    #[must_use]
    pub fn ignored_reset(&self, who: Who) -> Option<CloseEvent> {
        self.ignored_reset.as_ref()?[who as usize]
    }

    /// What a side sent at the end that was never acknowledged.
    #[must_use]
    pub fn in_flight(&self, who: Who) -> Option<InFlight> {
        self.in_flight.as_ref()?[who as usize]
    }

    /// Whether one side repeated what it sent and got no packet at all: that none of the other side was captured is no fault of
    /// the capture.
    #[must_use]
    pub(crate) fn met_silence(&self) -> bool {
        let both = self.unanswered.as_deref();
        both.is_some_and(|both| both.iter().any(UnansweredSegments::met_silence))
    }

    /// What became of a side's segments between two places that captured the connection.
    #[must_use]
    pub fn passages(&self, who: Who) -> PassageCounts {
        let both = self.passages.as_ref();
        both.map(|it| it[who as usize]).unwrap_or_default()
    }

    /// The server's close, where the client had closed only its direction before: what it cut off, the client still wanted.
    #[must_use]
    pub(crate) fn after_half_close(&self) -> Option<CloseEvent> {
        match self.teardown.half_closed? {
            How::Fin => self.fin[Who::Server as usize],
            _ => self.reset[Who::Server as usize],
        }
    }

    /// The last byte of a message that this side had when it closed: what came later found no program.
    #[must_use]
    pub(crate) fn last_heard(&self, who: Who, message: &Message) -> FrameRef {
        let own = [self.fin[who as usize], self.reset[who as usize]];
        let close = own.into_iter().flatten().min_by_key(|it| it.frame_ref);
        match close.filter(|it| it.frame_ref < message.last) {
            Some(close) if self.after_half_close().is_none() => close.heard.max(message.first),
            _ => message.last,
        }
    }

    /// Whether the client's host knew of no such connection any more when it was sent something again, though no close of the
    /// client was captured: a program that closes sends a FIN, or a RST with an acknowledgement.
    #[must_use]
    pub(crate) fn client_had_vanished(&self) -> bool {
        const SILENCE: Duration = Duration::from_secs(1);
        let [client, server] = [Who::Client as usize, Who::Server as usize];
        let quiet = self.teardown.at.since(self.last_data[server].time);
        self.teardown.by == By::Client
            && self.teardown.how == How::Reset(ResetKind::NoSocket)
            && self.fin[client].is_none()
            && self.sent[server].retransmitted > 0
            && quiet >= SILENCE
    }

    /// Whether the server had acknowledged what the client had sent up to this offset when the client closed, and what it waited
    /// for had been sent so long before.
    #[must_use]
    pub(crate) fn taken_at(&self, close: &CloseEvent, end: u64, waited: Duration) -> Taken {
        let finally = self.sent[Who::Client as usize].acknowledged >= end;
        // An acknowledgement that is still on its way is none that was missing.
        let soon = waited < ACKNOWLEDGED_WITHIN;
        match (finally, close.acknowledged >= end || soon) {
            (true, true) => Taken::BeforeClose,
            _ if self.did_not_repeat(waited) => Taken::Unseen,
            (true, false) => Taken::AfterClose,
            (false, _) => Taken::Never,
        }
    }

    /// Whether the client waited for longer than it would have waited for an acknowledgement, and repeated nothing.
    fn did_not_repeat(&self, waited: Duration) -> bool {
        let trip = self.connect_time.unwrap_or_default();
        let client = &self.sent[Who::Client as usize];
        client.retransmitted == 0 && waited >= REPEATED_WITHIN.max(trip * 4)
    }

    /// The exchanges of HTTP; without any, those of another protocol in which the client asks, some of which are presumed.
    #[must_use]
    pub fn spoken(&self) -> &[Exchange] {
        match &self.dialogue {
            Some(it) if self.exchanges.is_empty() && it.requester == FlowEnd::A => &it.exchanges,
            _ => &self.exchanges,
        }
    }

    /// When it was over for the programs at its ends; of an open one, its last frame.
    #[must_use]
    pub(crate) fn over(&self) -> Timestamp {
        match self.teardown.how {
            How::Open => self.last.time,
            _ => self.teardown.at,
        }
    }

    /// The protocol that the server's port is known for, if its servers greet whoever calls, and this one did not, until the
    /// client left after a second or more without a word of its own. The port is a hint and no proof.
    #[must_use]
    pub(crate) fn ungreeted(&self) -> Option<&'static str> {
        const PATIENCE: Duration = Duration::from_secs(1);
        let silent = |sent: &SentTotals| sent.bytes + sent.missing == 0 && sent.packets > 0;
        let left = self.teardown.by == By::Client
            && !matches!(self.teardown.how, How::Open | How::Silence)
            && self.teardown.at.since(self.first.time) >= PATIENCE;
        let waited = self.opening == Opening::Handshake && self.sent.iter().all(silent) && left;
        let fin =
            self.fin[Who::Server as usize].is_none_or(|fin| fin.frame_ref.time >= self.teardown.at);
        (waited && fin)
            .then(|| greeting_service(self.server.port))
            .flatten()
    }

    /// Whether the client said goodbye, and nothing else.
    #[must_use]
    pub(crate) fn only_said_goodbye(&self) -> bool {
        let sent = self.sent[Who::Client as usize];
        self.first_words[Who::Client as usize] == Some(FirstWords::Goodbye)
            && sent.bytes <= LONGEST_GOODBYE
            && sent.missing == 0
    }

    /// Bytes at the end of what this side sent that are alerts of TLS, which ask for nothing.
    pub(crate) fn closing_alerts(&self, who: Who) -> u64 {
        let facts = self.tls.as_deref();
        facts.map_or(0, |it| it.flows[who as usize].closing_alerts)
    }

    /// The protocols with which client and server began, if they are two that do not fit together.
    #[must_use]
    pub fn mismatch(&self) -> Option<(FirstWords, FirstWords)> {
        let [client, server] = self.first_words;
        let pair = client.zip(server);
        // What the server said before its first record may have been its consent to TLS.
        let own = Who::Server as usize;
        let begins = self.last_syn[own].is_some() && self.sent[own].missing == 0;
        let consented = server == Some(FirstWords::Tls) && !begins;
        pair.filter(|(client, server)| client != server && *client != FirstWords::Goodbye)
            .filter(|_| !consented)
    }

    /// Whether the server took the header of the PROXY protocol, with which the connection began, for a request: all it said was 400
    /// (RFC 9110 §15.5.1).
    #[must_use]
    pub fn is_proxy_header_refused(&self) -> bool {
        let mut statuses = self
            .exchanges
            .iter()
            .filter_map(Exchange::status)
            .peekable();
        self.proxied.is_some() && statuses.peek().is_some() && statuses.all(|it| it == 400)
    }

    /// How long this side had sent nothing when the connection was closed, if that is longer than the sides had agreed on.
    /// MQTT allows one and a half times its Keep Alive (MQTT 3.1.1 §3.1.2.10), AMQP two heartbeats (AMQP 0-9-1 §4.2.7).
    pub(crate) fn overdue(&self, who: Who) -> Option<Duration> {
        let facts = self.dialogue.as_deref()?;
        let due = Duration::from_secs(facts.alive?.into());
        let allowed = match facts.protocol? {
            dialogue::AppProtocol::Mqtt => due * 3 / 2,
            dialogue::AppProtocol::Amqp => due * 2,
            _ => due,
        };
        // Heartbeats are looked at from time to time.
        let silent = self.teardown.at.since(self.last_data[who as usize].time);
        let seen = self.sent[who as usize].missing == 0;
        (seen && silent + allowed / 20 >= allowed).then_some(silent)
    }

    /// This side's own close, if the other side had closed long before and it knew nothing of that
    /// ([`Teardown::unheard`]).
    pub(crate) fn unaware_close(&self, who: Who) -> Option<FrameRef> {
        let other = match who {
            Who::Client => By::Server,
            Who::Server => By::Client,
        };
        let own = [self.fin[who as usize], self.reset[who as usize]];
        let own = own.into_iter().flatten().map(|it| it.frame_ref).min();
        own.filter(|_| self.teardown.unheard && self.teardown.by == other)
    }

    /// Whether only the turns of both sides show what was asked and answered.
    #[must_use]
    pub fn is_presumed(&self) -> bool {
        self.exchanges.is_empty()
            && self
                .dialogue
                .as_ref()
                .is_some_and(|it| it.presumed && !it.exchanges.is_empty())
    }

    /// The name that the connection was opened for, without a port: that of the first `CONNECT`, else of the first
    /// request's `Host` field, else of the ClientHello's server name.
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
        without_port(whole.as_bytes())
    }

    /// Whether the side that closed first did so with a FIN that was not captured, but acknowledged.
    #[must_use]
    pub fn closed_unseen(&self) -> bool {
        let who = match self.teardown.by {
            By::Client => Who::Client,
            By::Server => Who::Server,
            By::Both | By::Middlebox | By::Nobody => return false,
        };
        self.teardown.how == How::Fin && self.unseen_fin(who).is_some()
    }

    /// This side's FIN if it was not captured, but acknowledged; its frame is the one that acknowledges it.
    #[must_use]
    pub fn unseen_fin(&self, who: Who) -> Option<CloseEvent> {
        self.fin[who as usize].filter(|_| self.sent[who as usize].fins == 0)
    }

    /// The time from its first to its last segment.
    #[must_use]
    pub fn lasted(&self) -> Duration {
        self.last.time.since(self.first.time)
    }
}

/// A round trip that cannot be told from other delays.
const SHORTEST_TRIP: Duration = Duration::from_millis(5);

/// The least time in which a side answers where the connection was captured, if its handshake shows that: half of what its
/// SYN-ACK took. `last_syn`: the last SYN of each side, in any order.
pub(super) fn least_answer_time(last_syn: [Option<FrameRef>; 2]) -> Option<Duration> {
    let [Some(one), Some(other)] = last_syn else {
        return None;
    };
    let (first, second) = (one.min(other), one.max(other));
    let took = second.time.since(first.time);
    (took >= SHORTEST_TRIP).then_some(took / 2)
}

/// When the server acknowledged what a client waited for that closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// Before the client closed.
    BeforeClose,
    /// Only after that: until then it, or the acknowledgement, was lost on the way.
    AfterClose,
    /// Not at all.
    Never,
    /// The capture shows no acknowledgement before the close, but the client repeated nothing: it had one.
    Unseen,
}

/// A name without the port after it; `None` if nothing is left.
pub(super) fn without_port(whole: &[u8]) -> Option<&[u8]> {
    let port = whole.iter().rposition(|byte| *byte == b':');
    let digits = port.filter(|at| {
        let port = whole.get(at + 1..).unwrap_or_default();
        port.iter().all(u8::is_ascii_digit)
    });
    let name = whole.get(..digits.unwrap_or(whole.len()))?;
    (!name.is_empty()).then_some(name)
}
