//! What is known of one TLS connection.

use std::net::IpAddr;
use std::time::Duration;

use super::alert::Alert;
use super::certificate::Certificate;
use super::hello::{ClientHello, ServerHello, TlsVersion};
use super::turns::{HiddenExchange, HiddenTurns};
use crate::base::certainty::Certainty;
use crate::base::flow_end::FlowEnd;
use crate::base::frame_ref::FrameRef;
use crate::base::time::Timestamp;
use crate::protocol::tls::secrets::NotDecrypted;

/// What is known of one TLS connection. In a finished connection, [`FlowEnd::A`] and index 0 are its client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFacts {
    /// Who sent the ClientHello: the TLS client. Rarely the side that accepted the TCP connection.
    pub caller: FlowEnd,
    /// The ClientHello, and the frame it ended in. After a HelloRetryRequest, the first one.
    pub hello: Option<(FrameRef, ClientHello)>,
    /// The ServerHello, and where it was seen.
    pub answer: Option<(FrameRef, ServerHello)>,
    /// A HelloRetryRequest: the server wanted another ClientHello.
    pub retried: Option<FrameRef>,
    /// The certificates of the TLS server that could be parsed, in the order sent, and where. Without the feature
    /// `decrypt`, none are.
    pub certificates: Option<(FrameRef, Vec<Certificate>)>,
    /// Whether the server requested a certificate of the client, and what the client sent.
    pub client_certificate: ClientCertificate,
    /// A heartbeat (RFC 6520) that the client sent before it had sent its part of the handshake, which no program but a probe
    /// for CVE-2014-0160 does.
    pub heartbeat: Option<FrameRef>,
    /// Alerts other than `close_notify`, the first ones of many.
    pub alerts: Vec<Alert>,
    /// How far the handshake came.
    pub stage: HandshakeStage,
    /// Where the server said that it had sent its whole part, up to TLS 1.2.
    pub server_done: Option<FrameRef>,
    /// In how many turns the two sides have spoken TLS: runs of bytes from one of them.
    pub turns: u32,
    /// The application data of each side, and whether it sent `close_notify`.
    pub flows: [ApplicationData; 2],
    /// The side that answered in plain text.
    pub plain: Option<FlowEnd>,
    /// Whether that answer began with text.
    pub plain_is_text: bool,
    /// Secrets decrypted some of its records.
    pub is_open: bool,
    /// Why nothing was decrypted although there were secrets.
    pub closed: Option<NotDecrypted>,
    /// TLS 1.3: the server's encrypted extensions are as long as those that choose `http/1.1`, or no protocol.
    pub without_h2: bool,
    /// The turns in which application data was sent, up to the first end of a direction.
    pub turns_inside: HiddenTurns,
    /// The first of them one by one.
    pub exchanged: Vec<HiddenExchange>,
    /// TLS 1.3: all that the server had sent up to then may be session tickets (RFC 8446 §4.6.1), which answer no request.
    pub only_tickets: bool,
    /// What the limits left out of all this.
    pub left_out: TlsLeftOut,
}

/// What was beyond a limit on what is kept of one TLS connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TlsLeftOut {
    /// Alerts.
    pub alerts: u32,
    /// Certificates of the server's chain, and names of those that were parsed.
    pub certificates: u32,
    /// Entries of lists in the hellos.
    pub offers: u32,
    /// Handshake messages that were too long.
    pub messages: u32,
    /// Certificates after the last one that was parsed: it is not known how the chain ends.
    pub(crate) chain_goes_on: bool,
    /// A certificate of the server that could not be parsed, and those after it.
    pub(crate) broken_certificate: bool,
}

/// Whether the server requested a certificate of the client, and the client's answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientCertificate {
    /// No request was captured.
    #[default]
    NotAsked,
    /// It was requested, and no answer was seen.
    Asked(FrameRef),
    /// It was requested, and the client sent none.
    Missing(FrameRef, Certainty),
    /// The client sent one.
    Sent(FrameRef),
}

/// How far a handshake came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HandshakeStage {
    /// A record, or part of one, was seen.
    Begun,
    /// The ClientHello was sent.
    ClientHello,
    /// The server answered with its hello.
    ServerHello,
    /// As far as can be seen, the server has sent its whole part.
    ServerFlight,
    /// The client has finished.
    ClientFinished,
    /// Both have finished.
    Complete,
    /// The handshake was before the capture.
    Unseen,
}

impl HandshakeStage {
    /// Its name in reports.
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

/// The application data of one side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ApplicationData {
    /// Records of application data.
    pub records: u64,
    /// Bytes in them. Tags and padding count unless secrets decrypted every record.
    pub bytes: u64,
    /// The first of them.
    pub first: Option<FrameRef>,
    /// The last of them.
    pub last: Option<FrameRef>,
    /// When it had sent all of its part of the handshake.
    pub finished: Option<FrameRef>,
    /// Whether it sent `close_notify`.
    pub close_notify: CloseNotify,
    /// Its last record, if that is encrypted and an alert by its type, or as long as one.
    pub hidden_alert: Option<FrameRef>,
    /// Its last record may be an alert with padding, or data: it is too short to tell.
    pub ends_short: bool,
    /// Bytes of the records with which it ends that are alerts by their type.
    pub closing_alerts: u64,
    /// Bytes that its last record still lacked when the connection ended; 0 if it was sent to its end, or nobody knows.
    pub lacking: u32,
    /// The capture lacks so much that records of this side may have passed unseen.
    pub unsure: bool,
}

/// What is wrong with a certificate, as far as the capture shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CertificateFlaw {
    /// It was outside its dates when it was sent.
    Outdated,
    /// It is for other names than the one in the SNI.
    OtherName,
    /// It names itself as issuer and was sent alone: nobody else vouches for it.
    SelfIssued,
    /// The client sent no SNI, as with an address, and the certificate is not for the server's address.
    OtherAddress,
}

/// The last certificate of a chain, which says what a client misses that does not trust the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChainEnd {
    /// The one certificate that was sent names itself as issuer.
    SelfSigned,
    /// An authority that names itself as issuer, a root, was sent with the others.
    Root,
    /// The issuer of the last one was not sent: it must be in the client's store.
    IssuerNotSent,
}

/// 2000-01-01. A clock that was never set shows 1970: certificates are not judged by it.
const CLOCK_IS_SET: Timestamp = Timestamp::new(946_684_800, 0);

/// Record length of the shortest request on a connection that has served one before: `GET / HTTP/1.1`, a `Host` of one
/// letter, and what TLS 1.3 adds, which is the least of all versions (RFC 8446 §5.2).
const SHORTEST_REQUEST: u64 = 27 + 17;
/// The same in other protocols, where a goodbye is followed by the close at once: longer than `a3 LOGOUT` in any version.
const SHORTEST_WORDS: u64 = 36;
/// A server that is told goodbye closes within this time.
pub(crate) const PROMPT: Duration = Duration::from_millis(300);

/// Whether one side sent `close_notify`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CloseNotify {
    /// It did not.
    #[default]
    None,
    /// The capture lacks the records that would show it.
    Unclear,
    /// It did: certain if in the clear or decrypted, likely if inferred from type and length of the record.
    Notify(FrameRef, Certainty),
}

impl CloseNotify {
    /// Where it was sent.
    #[must_use]
    pub const fn frame_ref(self) -> Option<FrameRef> {
        match self {
            Self::Notify(frame_ref, _) => Some(frame_ref),
            Self::None | Self::Unclear => None,
        }
    }
}

impl TlsFacts {
    /// Whether the client went on before the server's Finished had come: it sent application data (RFC 7918), and so had accepted
    /// the server's certificate.
    #[must_use]
    pub(crate) fn accepts_early(&self) -> bool {
        let own = &self.flows[self.caller.index()];
        self.stage < HandshakeStage::Complete && own.records > 0 && own.finished.is_some()
    }

    /// Why nothing was decrypted although there were secrets: the name in reports.
    #[must_use]
    pub(crate) fn why_closed(&self) -> Option<&'static str> {
        self.closed.map(NotDecrypted::name)
    }

    /// The same with the client of the connection as [`FlowEnd::A`].
    #[must_use]
    pub fn seen_from(mut self, client: FlowEnd) -> Self {
        if client == FlowEnd::B {
            self.caller = self.caller.other();
            self.plain = self.plain.map(FlowEnd::other);
            self.turns_inside.last = self.turns_inside.last.map(FlowEnd::other);
            self.flows.swap(0, 1);
            for alert in &mut self.alerts {
                alert.from = alert.from.other();
            }
        }
        self
    }

    /// The version in use, once the server has chosen.
    #[must_use]
    pub fn version(&self) -> Option<TlsVersion> {
        self.answer.as_ref().map(|(_, answer)| answer.version)
    }

    /// The server name (SNI) that the client asks for, if it is UTF-8.
    #[must_use]
    pub fn sni(&self) -> Option<&str> {
        let (_, hello) = self.hello.as_ref()?;
        std::str::from_utf8(hello.sni.as_deref()?).ok()
    }

    /// The first alert that ends the connection, or may: its code can be encrypted.
    #[must_use]
    pub fn fatal(&self) -> Option<&Alert> {
        self.alerts
            .iter()
            .find(|alert| alert.is_fatal() != Some(false))
    }

    /// What is wrong with the certificate of a server at this address, as far as the capture shows.
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
        let other = leaf.is_for_address(server) == Some(false);
        (self.names_no_server() && other).then_some(CertificateFlaw::OtherAddress)
    }

    /// Whether the client connects to an address: it sends no SNI then (RFC 6066 §3).
    #[must_use]
    pub fn names_no_server(&self) -> bool {
        let hello = self.hello.as_ref();
        hello.is_some_and(|(_, hello)| hello.sni.is_none() && !hello.cut)
    }

    /// Whether the server's certificate was sent in the clear, and its encoding is broken. A build that parses none cannot
    /// tell.
    #[must_use]
    pub fn has_broken_certificate(&self) -> bool {
        let sent = self.certificates.as_ref();
        let none = sent.is_some_and(|(_, chain)| chain.is_empty());
        cfg!(feature = "decrypt") && none && self.left_out.broken_certificate
    }

    /// Whether the server may have shown a certificate: it did, or what it sent after its hello is not legible. Up to TLS
    /// 1.2 the certificate is in the clear.
    #[must_use]
    pub fn may_have_shown_certificate(&self) -> bool {
        let legible = self
            .answer
            .as_ref()
            .is_some_and(|(_, answer)| answer.version < TlsVersion::TLS_13);
        let unseen = self.left_out.messages > 0 || self.stage == HandshakeStage::Unseen;
        self.certificates.is_some() || !legible || unseen
    }

    /// How the chain that the server sent ends; `None` if it goes on after the last certificate that was parsed.
    #[must_use]
    pub fn chain_end(&self) -> Option<ChainEnd> {
        let (_, chain) = self.certificates.as_ref()?;
        if self.left_out.chain_goes_on {
            return None;
        }
        let (leaf, above) = chain.split_first()?;
        Some(match (leaf.self_issued, above) {
            (true, []) => ChainEnd::SelfSigned,
            (_, above) if above.iter().any(|it| it.self_issued) => ChainEnd::Root,
            _ => ChainEnd::IssuerNotSent,
        })
    }

    /// How far the handshake had come in this frame, with what it carries.
    #[must_use]
    pub fn stage_at(&self, at: FrameRef) -> HandshakeStage {
        if self.stage == HandshakeStage::Unseen {
            return self.stage;
        }
        let by_then = |it: Option<FrameRef>| it.is_some_and(|it| it.frame <= at.frame);
        let finished =
            [self.caller, self.caller.other()].map(|end| self.flows[end.index()].finished);
        let hello = self.hello.as_ref().map(|(at, _)| *at);
        let answer = self.answer.as_ref().map(|(at, _)| *at);
        let stage = match finished.map(by_then) {
            [true, true] => HandshakeStage::Complete,
            [true, false] => HandshakeStage::ClientFinished,
            [false, true] => HandshakeStage::ServerFlight,
            _ if by_then(self.server_done) => HandshakeStage::ServerFlight,
            _ if by_then(answer) => HandshakeStage::ServerHello,
            _ if by_then(hello) => HandshakeStage::ClientHello,
            _ => HandshakeStage::Begun,
        };
        stage.min(self.stage)
    }

    /// Whether the stage is proven: no record passed unseen, or the client sent nothing after the server's first byte,
    /// so that it had not finished.
    #[must_use]
    pub fn is_stage_proven(&self) -> bool {
        self.turns <= 2 || self.flows.iter().all(|flow| !flow.unsure)
    }

    /// The certificate, if it was outside its dates when it was sent.
    #[must_use]
    pub(crate) fn outdated(&self) -> Option<(FrameRef, &Certificate)> {
        self.leaf()
            .filter(|(at, leaf)| at.time > CLOCK_IS_SET && !leaf.is_valid_at(at.time))
    }

    /// Who sent the last record of application data; `None` if there was none.
    #[must_use]
    pub fn last_word(&self) -> Option<FlowEnd> {
        let [a, b] = self.flows.map(|flow| flow.last);
        match (a, b) {
            (None, None) => None,
            _ if a > b => Some(FlowEnd::A),
            _ => Some(FlowEnd::B),
        }
    }

    /// Whether a request was still unanswered at `until`, as far as record headers show: the last application data is
    /// the client's, or the server has sent none, session tickets left out. Where HTTP/2 may be in use, the last sender
    /// means nothing: acknowledgements and window updates are records too.
    #[must_use]
    pub fn is_unanswered(&self, until: Timestamp) -> bool {
        let turns = &self.turns_inside;
        let asked = turns.asked_at.filter(|asked| asked.time <= until);
        // What comes last may be padded alerts, and no data.
        let spoke = self.flows[self.caller.index()].records > 0;
        let agreed = self.stage >= HandshakeStage::Complete && spoke;
        let Some(asked) = asked.filter(|_| agreed) else {
            return false;
        };
        // Who speaks on and on waits for nothing, unless it is a request that takes its time to be sent.
        if turns.goes_on && !self.may_be_http() {
            return false;
        }
        let answered = self.flows[self.caller.other().index()];
        // A single record may be an answer as well.
        let tickets = self.only_tickets && answered.records >= 2;
        let silent = answered.records == 0 || tickets;
        // A record that is too short for a request is none: the Close of a WebSocket, for example.
        let shortest = match self.may_be_http() || until.since(asked.time) < PROMPT {
            true => SHORTEST_REQUEST,
            false => SHORTEST_WORDS,
        };
        let asks = turns.last == Some(self.caller) && turns.asked >= shortest;
        silent || asks && !self.may_be_multiplexed()
    }

    /// Whether an earlier session was resumed, so that the server sent no certificate (RFC 5246 §7.3). In TLS 1.3 the
    /// certificate is encrypted, and cannot be seen to be left out.
    #[must_use]
    pub fn is_resumed(&self) -> bool {
        let readable = self
            .version()
            .is_some_and(|version| version < TlsVersion::TLS_13);
        readable
            && self.is_stage_proven()
            && self.answer.is_some()
            && self.certificates.is_none()
            && self.server_done.is_none()
    }

    /// Whether the TLS server sent nothing that a request would be needed for: no data, session tickets, or the SETTINGS of
    /// HTTP/2, which come before any request.
    #[must_use]
    pub fn only_greets(&self) -> bool {
        let chosen = self.answer.as_ref().and_then(|(_, it)| it.alpn.as_deref());
        let [asked, answered] = [self.caller, self.caller.other()].map(|it| self.flows[it.index()]);
        let settings = chosen == Some(b"h2") && asked.records == 0;
        answered.records == 0 || self.only_tickets || settings
    }

    /// Whether HTTP may be spoken: its clients announce it by ALPN.
    #[must_use]
    pub fn may_be_http(&self) -> bool {
        let hello = self.hello.as_ref();
        hello.is_none_or(|(_, hello)| hello.cut || !hello.alpn.is_empty())
    }

    /// Whether HTTP/1 is spoken, as the client offers nothing else or the server chose it.
    #[must_use]
    pub fn is_http1(&self) -> bool {
        let hello = self.hello.as_ref();
        hello.is_some_and(|(_, hello)| hello.alpn.iter().any(|name| name.starts_with(b"http/1.")))
            && !self.may_be_multiplexed()
    }

    /// Whether HTTP/2 may be spoken.
    #[must_use]
    pub fn may_be_multiplexed(&self) -> bool {
        let hello = self.hello.as_ref().map(|(_, hello)| hello);
        let chosen = self
            .answer
            .as_ref()
            .and_then(|(_, answer)| answer.alpn.as_deref());
        match (chosen, hello) {
            // The list of offered protocols was not captured to its end.
            (None, Some(hello)) if hello.cut => true,
            (Some(chosen), _) => chosen == b"h2",
            // TLS 1.3 encrypts the choice. Before it the choice is visible: there was none.
            (None, Some(hello)) => {
                self.version() >= Some(TlsVersion::TLS_13)
                    && hello.alpn.iter().any(|name| name == b"h2")
                    && !(self.without_h2 && hello.alpn.iter().any(|name| name == b"http/1.1"))
            }
            (None, None) => true,
        }
    }

    /// The certificate of the TLS server itself: the first of its chain.
    #[must_use]
    pub fn leaf(&self) -> Option<(FrameRef, &Certificate)> {
        let (frame_ref, chain) = self.certificates.as_ref()?;
        Some((*frame_ref, chain.first()?))
    }
}
