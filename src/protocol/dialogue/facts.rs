//! What is known of one conversation.

use std::net::IpAddr;

use super::protocols::AppProtocol;
use crate::base::flow_end::FlowEnd;
use crate::base::frame_ref::FrameRef;
use crate::protocol::http::{Asked, Exchange, SharedText};

/// What is known of a conversation that is not HTTP. In a finished connection, [`FlowEnd::A`] and index 0 are its client.
#[derive(Clone, Debug)]
pub struct DialogueFacts {
    /// The protocol, by its content; `None` if it is not known.
    pub protocol: Option<AppProtocol>,
    /// The side that asks.
    pub requester: FlowEnd,
    /// The last requests and their answers.
    pub exchanges: Vec<Exchange>,
    /// The exchanges are presumed from the turns of both sides, since their protocol is not read.
    pub presumed: bool,
    /// Number of complete exchanges before those in `exchanges`.
    pub before: u64,
    /// The last step of its opening, if the protocol has one and the session was never open.
    pub unopened: Option<&'static str>,
    /// Whether the server can do TLS, as far as it said so.
    pub offers_tls: Option<bool>,
    /// Seconds in which a sign of life is due, by what the sides agreed on: Keep Alive of MQTT, heartbeat of AMQP, hold time of BGP.
    pub alive: Option<u16>,
    /// The client had asked for messages that come unasked, and had not taken that back: a subscriber of Redis.
    pub listens: bool,
    /// What each side said of its program.
    pub programs: [Option<Box<ProgramFacts>>; 2],
    /// Where each side said goodbye in the words of the protocol.
    pub goodbyes: [Option<FrameRef>; 2],
    /// The last error that a side reported.
    pub complaint: Option<Complaint>,
    /// The request that this answers, if it is no longer among `exchanges`.
    pub refused_before: Option<Box<Exchange>>,
    /// Number of requests that were answered by an error.
    pub refused: u32,
    /// The beginning of each side's last turn, if it is printable text.
    pub last_words: [Option<SharedText>; 2],
    /// The last turns, oldest first, of a session whose protocol encrypts it: all that shows of what was said.
    pub encrypted_turns: Vec<EncryptedTurn>,
    /// The connections that were announced on this one, in order.
    pub data_connections: Vec<DataConnection>,
}

/// What one side said of its program when the session began; what it did not say is empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramFacts {
    /// Its name, or a text with it.
    pub name: SharedText,
    /// Its version, if it is told apart.
    pub version: SharedText,
    /// Which fields it introduces itself with, with spaces between.
    pub shape: SharedText,
}

/// A further connection that one side announced on this one, for one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataConnection {
    /// The address at which it is waited for, if it was told.
    pub address: Option<IpAddr>,
    /// The port.
    pub port: u16,
    /// The server of this connection waits for it; otherwise the client does.
    pub passive: bool,
    /// Where it was announced.
    pub at: FrameRef,
    /// The request that it is for, once there is one.
    pub command: Option<SharedText>,
    /// Whether that request was answered by success; `None` without a last answer.
    pub succeeded: Option<bool>,
    /// The server refused that request, and not because of the data connection (425 and 426, RFC 959 §4.2.1).
    pub refused: bool,
}

/// A run of encrypted bytes from one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EncryptedTurn {
    /// Who sent them.
    pub from: FlowEnd,
    /// Where the first was seen.
    pub first: FrameRef,
    /// Where the last was seen.
    pub last: FrameRef,
}

/// An error that one side reported in the words of the protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// Who reported it.
    pub by: FlowEnd,
    /// Where it was complete.
    pub at: FrameRef,
    /// Its code, such as an SQLSTATE or a reply code, if the protocol has one.
    pub code: Option<SharedText>,
    /// Its text.
    pub text: SharedText,
    /// It answers a request.
    pub is_answer: bool,
    /// The place of that in [`DialogueFacts::exchanges`], if it is kept there; else it is [`DialogueFacts::refused_before`].
    pub answers: Option<u64>,
    /// By the protocol the session is over with it.
    pub fatal: bool,
}

impl Complaint {
    /// Whether the server of Redis could not parse a command: it closes, and reads nothing behind it (RESP protocol
    /// specification, inline commands).
    #[must_use]
    pub(crate) fn is_of_grammar(&self) -> bool {
        self.fatal && self.text.as_bytes().starts_with(b"ERR Protocol error")
    }

    /// Whether these words are in its text, in this case.
    #[must_use]
    pub(crate) fn mentions(&self, words: &str) -> bool {
        memchr::memmem::find(self.text.as_bytes(), words.as_bytes()).is_some()
    }

    /// Its code; empty if there is none.
    #[must_use]
    pub fn code_bytes(&self) -> &[u8] {
        self.code.as_ref().map_or(&[], SharedText::as_bytes)
    }

    /// Whether it turns away who asked, and nothing failed: an SQLSTATE of class 28 (invalid authorization) or 3D (no such
    /// database), or `invalidCredentials` of LDAP (RFC 4511 §4.1.9), in answer to a request.
    #[must_use]
    pub fn is_denial(&self) -> bool {
        let code = self.code_bytes();
        // MySQL has a number before it.
        let state = match code.iter().position(|byte| *byte == b'(') {
            Some(at) => code.get(at + 1..).unwrap_or_default(),
            None => code,
        };
        let is_state = state.strip_suffix(b")").unwrap_or(state).len() == 5;
        let denies = is_state && (state.starts_with(b"28") || state.starts_with(b"3D"));
        let unbound = code == b"49" && self.text.as_bytes().starts_with(b"invalidCredentials");
        self.is_answer && (denies || unbound)
    }
}

/// What the protocols call the requests that come before a session.
const OPENING: [&str; 6] = [
    "authentication",
    "login",
    "startup message",
    "Connection.Open",
    "Connection.StartOk",
    "SESSION_SETUP",
];
/// The commands by which a client says who it is: SMTP, IMAP, POP3, FTP, Redis, MQTT, LDAP, MongoDB, Kafka.
const LOGIN: [&str; 13] = [
    "AUTH",
    "AUTHENTICATE",
    "bind",
    "CONNECT",
    "HELLO",
    "LOGIN",
    "PASS",
    "PASSWORD",
    "SASLAUTHENTICATE",
    "SASLCONTINUE",
    "SASLHANDSHAKE",
    "SASLSTART",
    "USER",
];

/// Whether a client asks for a session, or says who it is.
#[must_use]
pub(crate) fn is_login(asked: &Asked) -> bool {
    let named = |it: &&str| it.eq_ignore_ascii_case(asked.noun);
    OPENING.iter().any(named) || LOGIN.iter().any(|it| named(it) || begins_with(asked, it))
}

/// Whether the words of a request begin with this one.
#[must_use]
pub(crate) fn begins_with(asked: &Asked, word: &str) -> bool {
    let words = asked.words.as_ref().map_or(&b""[..], |it| it.as_bytes());
    let there = words.get(..word.len());
    let ends = words.get(word.len()).is_none_or(|it| *it == b' ');
    ends && there.is_some_and(|it| it.eq_ignore_ascii_case(word.as_bytes()))
}

impl DialogueFacts {
    /// Whether a grammar read all that was said.
    #[must_use]
    pub(crate) const fn is_read(&self) -> bool {
        self.protocol.is_some() && !self.presumed
    }

    /// The request that the last reported error answers, if it answers one.
    #[must_use]
    pub(crate) fn refused_request(&self) -> Option<&Exchange> {
        let Some(place) = self.complaint.as_ref()?.answers else {
            return self.refused_before.as_deref();
        };
        self.exchanges.get(usize::try_from(place).ok()?)
    }

    /// The same, with the halves in the order client, server.
    #[must_use]
    pub(crate) fn seen_from(mut self, client: FlowEnd) -> Self {
        if client == FlowEnd::B {
            self.requester = self.requester.other();
            self.goodbyes.reverse();
            self.last_words.reverse();
            self.programs.reverse();
            for turn in &mut self.encrypted_turns {
                turn.from = turn.from.other();
            }
            if let Some(complaint) = &mut self.complaint {
                complaint.by = complaint.by.other();
            }
        }
        self
    }
}
