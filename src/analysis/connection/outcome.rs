//! What came of a connection: whether anything that was begun on it was lost.
//!
//! [`Teardown`](super::Teardown) says who closed, and whether in the orderly way. That is another question: a RST after
//! a complete response takes nothing away, and FINs on both sides may leave a request without its response. In: the
//! record of one connection. Out: a [`ConnectionOutcome`], judged in this order: what is proven lost; what the capture
//! does not show; what cannot be told of a protocol that is not read; and only then, that all is well.

use std::borrow::Cow;
use std::fmt;

/// What came of a connection, and why it is judged so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConnectionOutcome {
    /// A request, a response, an attempt to connect, a handshake or a byte was lost.
    Failed(FailedReason),
    /// Everything that was begun was completed.
    Fine(FineReason),
    /// The capture does not show which.
    Unknown(UnknownReason),
}

impl ConnectionOutcome {
    /// The three words of the reports.
    pub const WORDS: [&str; 3] = ["failed", "fine", "unknown"];

    /// Every outcome with every reason.
    pub fn all() -> impl Iterator<Item = Self> {
        let failed = FailedReason::ALL.iter().copied().map(Self::Failed);
        let fine = FineReason::ALL.iter().copied().map(Self::Fine);
        let unknown = UnknownReason::ALL.iter().copied().map(Self::Unknown);
        failed.chain(unknown).chain(fine)
    }

    /// The word of the reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Failed(_) => "failed",
            Self::Fine(_) => "fine",
            Self::Unknown(_) => "unknown",
        }
    }

    /// The reason in one word, for programs.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Failed(reason) => reason.name(),
            Self::Fine(reason) => reason.name(),
            Self::Unknown(reason) => reason.name(),
        }
    }

    /// The reason in words, for people.
    #[must_use]
    pub const fn phrase(self) -> &'static str {
        match self {
            Self::Failed(reason) => reason.phrase(),
            Self::Fine(reason) => reason.phrase(),
            Self::Unknown(reason) => reason.phrase(),
        }
    }

    /// Whether something was lost.
    #[must_use]
    pub const fn is_failed(self) -> bool {
        matches!(self, Self::Failed(_))
    }

    /// Whether everything was completed.
    #[must_use]
    pub const fn is_fine(self) -> bool {
        matches!(self, Self::Fine(_))
    }

    /// Whether it had not ended when the capture did, and nothing was outstanding.
    #[must_use]
    pub const fn is_still_open(self) -> bool {
        matches!(self, Self::Unknown(UnknownReason::StillOpen))
    }

    /// Its place where the reasons are told apart, the worst first.
    #[must_use]
    pub fn place(self) -> u64 {
        let place = Self::all().position(|it| it == self);
        place.map_or(u64::MAX, |place| place as u64)
    }

    /// Its place where the worst comes first: failed, unknown, still open, fine.
    #[must_use]
    pub const fn rank(self) -> u8 {
        match self {
            Self::Failed(_) => 0,
            Self::Unknown(UnknownReason::StillOpen) => 2,
            Self::Unknown(_) => 1,
            Self::Fine(_) => 3,
        }
    }
}

impl fmt::Display for ConnectionOutcome {
    /// `failed: the server closed without a response`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name(), self.phrase())
    }
}

/// Declares the reasons of one outcome, each with its word and its phrase.
macro_rules! reasons {
    ($(#[$of:meta])* $name:ident: $($(#[$doc:meta])* $reason:ident $word:literal $phrase:literal,)+) => {
        $(#[$of])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$doc])* $reason,)+
        }

        impl $name {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$reason),+];

            /// The word of the reports.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$reason => $word,)+
                }
            }

            /// The same in words.
            #[must_use]
            pub const fn phrase(self) -> &'static str {
                match self {
                    $(Self::$reason => $phrase,)+
                }
            }
        }
    };
}

reasons! {
    /// What was lost.
    FailedReason:
    /// A RST answered the SYN.
    Refused "refused" "the connection was refused",
    /// An ICMP error answered the SYN.
    Unreachable "unreachable" "ICMP reported the server unreachable",
    /// Nothing answered the SYN, or the SYN-ACK.
    Unanswered "unanswered" "the connection attempt got no answer",
    /// The handshake was not completed, or the server had no socket after it.
    Rejected "rejected" "the connection was reset before it was used",
    /// TLS was not agreed on.
    TlsHandshake "tls-handshake" "the TLS handshake failed",
    /// A fatal TLS alert after the handshake.
    TlsAlert "tls-alert" "a fatal TLS alert ended it",
    /// The two sides do not speak the same protocol.
    WrongProtocol "wrong-protocol" "the two sides spoke different protocols",
    /// The server ended without a byte of the response.
    NoResponse "no-response" "a request got no response",
    /// A response ended before its end.
    CutShort "cut-short" "a response was cut short",
    /// The server, or somebody in its name, reset before the end of a response.
    Reset "reset" "a response was cut by a RST",
    /// The client left before it had its response.
    ClientLeft "client-left" "the client left before its response was complete",
    /// A request was never sent or read to its end.
    RequestCut "request-cut" "a request was cut short",
    /// The response breaks the grammar, and where it ends cannot be told.
    Malformed "malformed" "a response cannot be parsed",
    /// A gateway answered for an origin that did not.
    GatewayError "gateway-error" "a gateway got no response from its upstream",
    /// A proxy did not pass on what it was asked for.
    ProxyRefused "proxy-refused" "a proxy refused the request",
    /// The close cut an authentication that is bound to its connection.
    AuthenticationCut "authentication-cut" "the close interrupted an authentication",
    /// HTTP/2 ended with an error.
    Http2Error "h2-error" "HTTP/2 ended with an error",
    /// A WebSocket ended without a Close.
    WebSocketAbnormal "websocket-abnormal" "a WebSocket ended without a Close",
    /// A WebSocket was closed with a code that says that something went wrong.
    WebSocketError "websocket-error" "a WebSocket was closed with an error",
    /// A side reported an error in the words of its protocol, and ended the session.
    ReportedError "reported-error" "a side reported an error and ended the session",
    /// The server refused a login, and nothing was done on the connection after it.
    LoginRefused "login-refused" "the server refused the login",
    /// A session of another protocol ended without the words with which its protocol ends one.
    SessionCut "session-cut" "a session was cut in the middle",
    /// A side stopped answering.
    Silence "silence" "one side stopped answering",
    /// Bytes were never acknowledged, and a RST ended the connection.
    BytesLost "bytes-lost" "bytes were lost to a RST",
    /// A box on the path reset the connection while something was outstanding.
    InjectedReset "injected-reset" "a forged RST cut it",
    /// A device on the way sent data in the name of a side, and the other took it.
    ForgedData "forged-data" "a device on the way sent data in the name of a side",
    /// The server ended without an answer to the client's last words, as it had given to those before.
    UnansweredWords "unanswered-words" "the client's last message got no answer",
}

reasons! {
    /// Why nothing was lost.
    FineReason:
    /// Every request has its response, and every message its end.
    Complete "complete" "complete",
    /// The client's words were answered, and the client closed.
    Answered "answered" "all requests were answered",
    /// Not a byte was sent.
    Unused "unused" "nothing was sent on it",
    /// The client withdrew the attempt as soon as it was answered.
    Cancelled "cancelled" "the client cancelled the connection attempt",
    /// The client closed right behind its request, sooner than a response could come.
    NotAwaited "not-awaited" "the client did not wait for a response",
    /// Another connection took its place.
    NotNeeded "not-needed" "another connection took its place",
}

reasons! {
    /// What keeps it from being judged. The phrases fit one connection, [`UnknownReason::phrase_of`] many.
    UnknownReason:
    /// The capture ends before it does, with nothing outstanding.
    StillOpen "still-open" "was still open when the capture ended",
    /// The capture ends before it does, and something is outstanding.
    CutOff "cut-off" "was still waiting when the capture ended",
    /// One side has closed, and the other has not.
    HalfClosed "half-closed" "was closed on one side only",
    /// It was begun before the capture.
    BeganBefore "began-before" "began before the capture",
    /// No answer to its SYN or SYN-ACK was captured, and that was not repeated, as it would be without an answer.
    NoAnswerSeen "no-answer-seen" "has no captured answer",
    /// One direction was not captured.
    OneDirection "one-direction" "was captured in one direction only",
    /// Its packets are not in the order of their times, so that it does not show what followed what.
    Disordered "disordered" "is not in the order of its times in the capture",
    /// The capture lacks packets of it.
    LostPackets "lost-packets" "lacks packets in the capture",
    /// The snap length cut off what would tell.
    SnapLength "snap-length" "lacks bytes beyond the snapshot length",
    /// It was judged before its end, to make room.
    Evicted "evicted" "was judged before its end, to free memory",
    /// It is encrypted.
    Encrypted "encrypted" "is encrypted up to the close",
    /// Its session was never open, and nothing was asked in it.
    NotOpened "not-opened" "ended before a session was open",
    /// It is in a protocol that is not read.
    Opaque "opaque" "used a protocol that is not read",
    /// A message breaks the grammar, and what its receiver made of it is not on the wire.
    Malformed "malformed" "has a message that breaks the grammar",
    /// The end of a response cannot be told.
    EndUnknown "end-unknown" "has a response of unknown length",
    /// A RST that its host seems not to have sent, with nothing outstanding.
    ForeignReset "foreign-reset" "may have been cut by a forged RST",
}

impl UnknownReason {
    /// The phrase for so many connections: "was still open", "were still open".
    #[must_use]
    pub fn phrase_of(self, connections: u64) -> Cow<'static, str> {
        let phrase = self.phrase();
        if connections == 1 {
            return phrase.into();
        }
        let plural = |(one, many): (&str, &str)| {
            let rest = phrase.strip_prefix(one)?;
            rest.starts_with(' ').then(|| format!("{many}{rest}"))
        };
        let verbs = [
            ("was", "were"),
            ("is", "are"),
            ("has", "have"),
            ("lacks", "lack"),
        ];
        let found = verbs.into_iter().find_map(plural);
        found.map_or(Cow::Borrowed(phrase), Cow::Owned)
    }
}
