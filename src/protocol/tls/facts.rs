//! What is told of one TLS connection.

use std::net::IpAddr;

use super::alert::Alert;
use super::certificate::Certificate;
use super::hello::{ClientHello, ServerHello, TlsVersion};
use crate::base::certainty::Certainty;
use crate::base::flow_end::FlowEnd;
use crate::base::frame_ref::FrameRef;
use crate::base::time::Timestamp;
use crate::protocol::tls::secrets::NotDecrypted;

/// What is told of one TLS connection. [`FlowEnd::A`] and index 0 are the client of the connection once it is in a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFacts {
    /// Who sent the ClientHello; rarely the side that is called.
    pub caller: FlowEnd,
    /// What was offered, and where it was seen to its end. After a HelloRetryRequest, the first one.
    pub hello: Option<(FrameRef, ClientHello)>,
    /// What was chosen, and where.
    pub answer: Option<(FrameRef, ServerHello)>,
    /// The server wanted another ClientHello.
    pub retried: Option<FrameRef>,
    /// The certificates of the side that was called, as sent, and where.
    pub certificates: Option<(FrameRef, Vec<Certificate>)>,
    /// Whether the caller was asked for a certificate, and what it sent.
    pub client_certificate: ClientCertificate,
    /// Alerts that are no leave-taking, the first ones of many.
    pub alerts: Vec<Alert>,
    /// How far the handshake came.
    pub stage: HandshakeStage,
    /// What each side said under the keys, and how it took its leave.
    pub flows: [ApplicationData; 2],
    /// Who answered in plain text.
    pub plain: Option<FlowEnd>,
    /// Secrets opened what it hides.
    pub is_open: bool,
    /// Why they did not, where there were any at hand.
    pub closed: Option<NotDecrypted>,
    /// Who said the last application data, and what the other side has said since the one before: `None` if nobody did.
    pub last_word: Option<FlowEnd>,
    /// Bytes of the records of application data that the caller has sent since the other side's last.
    pub last_words: u64,
    /// Of TLS 1.3, all that the called side has said may have been session tickets (RFC 8446 §4.6.1), which are no answer.
    pub only_tickets: bool,
}

/// Whether a certificate was asked of the caller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientCertificate {
    /// Not that the capture shows.
    #[default]
    NotAsked,
    /// Asked, and no answer was seen.
    Asked(FrameRef),
    /// None was sent, when asked.
    Missing(FrameRef, Certainty),
    /// One was sent.
    Sent(FrameRef),
}

/// How far a handshake came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HandshakeStage {
    /// A record or a part of one.
    Begun,
    /// The ClientHello was sent.
    ClientHello,
    /// The server answered with its hello.
    ServerHello,
    /// The server has sent all of its part, as far as can be seen.
    ServerFlight,
    /// The client has finished.
    ClientFinished,
    /// Both have finished.
    Complete,
    /// It was before the capture.
    Unseen,
}

impl HandshakeStage {
    /// The words in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Begun => "begun",
            Self::ClientHello => "client-hello",
            Self::ServerHello => "server-hello",
            Self::ServerFlight => "server-flight",
            Self::ClientFinished => "client-finished",
            Self::Complete => "complete",
            Self::Unseen => "unseen",
        }
    }
}

/// What one side said under the keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ApplicationData {
    /// Records of application data.
    pub records: u64,
    /// Bytes in them, tags and padding included; without them where secrets opened all.
    pub bytes: u64,
    /// The first of them.
    pub first: Option<FrameRef>,
    /// The last of them.
    pub last: Option<FrameRef>,
    /// When it had finished its part of the handshake.
    pub finished: Option<FrameRef>,
    /// How it took its leave.
    pub farewell: CloseNotify,
}

/// What is wrong with a certificate, as far as it shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CertificateFlaw {
    /// It was outside its dates when it was sent.
    Outdated,
    /// It is for other names than the one that was asked for.
    OtherName,
    /// Nobody vouches for it but itself.
    SelfIssued,
    /// No name was asked for, as with an address, and it is not for the address that was called.
    OtherAddress,
}

/// Clocks that were never set say 1970; certificates are not judged by them.
const CLOCK_IS_SET: Timestamp = Timestamp::new(946_684_800, 0);

/// The record of the shortest request on a connection that has served before: `GET / HTTP/1.1`, `Host` of one letter, and
/// what TLS 1.3 adds, which is the least (RFC 8446 §5.2).
const SHORTEST_REQUEST: u64 = 27 + 17;

/// How one side took its leave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CloseNotify {
    /// Not a word.
    #[default]
    None,
    /// The capture lost what would tell.
    Unclear,
    /// `close_notify`: certain in the clear, likely by kind and length of the record.
    Notify(FrameRef, Certainty),
}

impl CloseNotify {
    /// Where it was said.
    #[must_use]
    pub const fn frame_ref(self) -> Option<FrameRef> {
        match self {
            Self::Notify(frame_ref, _) => Some(frame_ref),
            Self::None | Self::Unclear => None,
        }
    }
}

impl TlsFacts {
    /// Why secrets that were at hand did not open it, in a word.
    #[must_use]
    pub fn why_closed(&self) -> Option<&'static str> {
        self.closed.map(NotDecrypted::name)
    }

    /// The same with the client of the connection as [`FlowEnd::A`].
    #[must_use]
    pub fn seen_from(mut self, client: FlowEnd) -> Self {
        if client == FlowEnd::B {
            self.caller = self.caller.other();
            self.plain = self.plain.map(FlowEnd::other);
            self.last_word = self.last_word.map(FlowEnd::other);
            self.flows.swap(0, 1);
            for alert in &mut self.alerts {
                alert.from = alert.from.other();
            }
        }
        self
    }

    /// The version that is spoken, once the server has chosen.
    #[must_use]
    pub fn version(&self) -> Option<TlsVersion> {
        self.answer.as_ref().map(|(_, answer)| answer.version)
    }

    /// The name of the server that the caller wants, if it is text.
    #[must_use]
    pub fn sni(&self) -> Option<&str> {
        let (_, hello) = self.hello.as_ref()?;
        std::str::from_utf8(hello.sni.as_deref()?).ok()
    }

    /// The first alert that ends the connection, or may: its code can be hidden.
    #[must_use]
    pub fn fatal(&self) -> Option<&Alert> {
        self.alerts
            .iter()
            .find(|alert| alert.is_fatal() != Some(false))
    }

    /// What is wrong with the certificate of a server at this address, as far as it shows.
    #[must_use]
    pub fn flaw(&self, server: IpAddr) -> Option<CertificateFlaw> {
        let (at, leaf) = self.leaf()?;
        if self.outdated().is_some() {
            return Some(CertificateFlaw::Outdated);
        }
        if self
            .sni()
            .is_some_and(|name| leaf.is_for(name) == Some(false))
        {
            return Some(CertificateFlaw::OtherName);
        }
        let alone = self
            .certificates
            .as_ref()
            .is_some_and(|(_, all)| all.len() == 1);
        if leaf.self_issued && alone && at.frame.0 > 0 {
            return Some(CertificateFlaw::SelfIssued);
        }
        // A client that calls an address sends no name (RFC 6066 §3).
        let nameless = self
            .hello
            .as_ref()
            .is_some_and(|(_, hello)| hello.sni.is_none() && !hello.cut);
        let other = leaf.is_for_address(server) == Some(false);
        (nameless && other).then_some(CertificateFlaw::OtherAddress)
    }

    /// The certificate, if it was outside its dates when it was sent.
    #[must_use]
    pub fn outdated(&self) -> Option<(FrameRef, &Certificate)> {
        self.leaf()
            .filter(|(at, leaf)| at.time > CLOCK_IS_SET && !leaf.is_valid_at(at.time))
    }

    /// Whether a request inside was not answered until then, as far as the outside shows: the last word is the caller's,
    /// or the other side has never said a word, session tickets left out. Where HTTP/2 may be spoken the last word means
    /// nothing: acknowledgements and window updates are records too.
    #[must_use]
    pub fn is_unanswered(&self, until: Timestamp) -> bool {
        let asked = self.flows[self.caller.index()];
        let answered = self.flows[self.caller.other().index()];
        let in_time = asked.last.is_some_and(|last| last.time <= until);
        if self.stage < HandshakeStage::Complete || !in_time {
            return false;
        }
        let hello = self.hello.as_ref().map(|(_, hello)| hello);
        let chosen = self
            .answer
            .as_ref()
            .and_then(|(_, answer)| answer.alpn.as_deref());
        let multiplexed = match (chosen, hello) {
            // What was offered was not captured to its end.
            (None, Some(hello)) if hello.cut => true,
            (Some(chosen), _) => chosen == b"h2",
            // TLS 1.3 hides what was chosen; before it, nothing is.
            (None, Some(hello)) => {
                self.version() >= Some(TlsVersion::TLS_13)
                    && hello.alpn.iter().any(|name| name == b"h2")
            }
            (None, None) => true,
        };
        // One record alone may be an answer as well.
        let tickets = self.only_tickets && answered.records >= 2;
        let silent = answered.records == 0 || tickets;
        // What is too short for a request is none: the Close of a WebSocket, say.
        let asks = self.last_word == Some(self.caller) && self.last_words >= SHORTEST_REQUEST;
        silent || asks && !multiplexed
    }

    /// The certificate of the side that was called.
    #[must_use]
    pub fn leaf(&self) -> Option<(FrameRef, &Certificate)> {
        let (frame_ref, chain) = self.certificates.as_ref()?;
        Some((*frame_ref, chain.first()?))
    }
}
