//! What a grammar says of a message.

use std::net::IpAddr;

use crate::protocol::http::PassedOn;

/// The first bytes of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Opening<'a> {
    /// Those of the side that called, or that is presumed to have where the capture began later.
    pub(super) client: &'a [u8],
    /// Those of the other side.
    pub(super) server: &'a [u8],
    /// The server's port: a hint, never a proof.
    pub(super) port: u16,
    /// The capture began after the connection, so that these are not its first bytes.
    pub(super) midstream: bool,
}

/// What a message means for whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// A request, or a part of one, that gets an answer. `ends`: it is complete with this message.
    Ask { ends: bool },
    /// An answer to the oldest open request, or a part of one. `ends`: it is complete with this message.
    Answer { ends: bool },
    /// Expects nothing, answers nothing.
    Notice,
    /// The sender is done: it expects nothing but the close.
    Goodbye,
    /// The sender takes back its oldest open request, which gets no answer any more.
    Withdraws,
}

/// What one side says of itself when the session begins. A later message completes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ProgramSigns {
    /// Its name, or a text with it.
    pub(super) name: Vec<u8>,
    /// Its version, if it is told apart.
    pub(super) version: Vec<u8>,
    /// Which fields there are, with spaces between.
    pub(super) shape: Vec<u8>,
    /// Whether the server can do TLS, as far as it says so.
    pub(super) offers_tls: Option<bool>,
    /// Seconds in which a sign of life is due; 0 is none.
    pub(super) alive: Option<u16>,
    /// Whether the client waits for messages from now on that come unasked.
    pub(super) listens: Option<bool>,
}

/// A message, or as much of it as has a meaning of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unit {
    /// Bytes on the wire.
    pub(super) length: u64,
    /// What it means.
    pub(super) role: Role,
    /// For a request, what it is called: "query", "command".
    pub(super) noun: &'static str,
    /// The words of a request or an answer, as far as they are worth telling; never a secret.
    pub(super) words: Vec<u8>,
    /// To ask it twice changes no more than to ask it once.
    pub(super) safe: bool,
    /// A client asks it to learn what the server can do, and goes on if it is refused.
    pub(super) optional: bool,
    /// What the sender says of itself.
    pub(super) program: Option<Box<ProgramSigns>>,
    /// It settles what was complained of before.
    pub(super) settles: bool,
    /// The step that the opening of the session has reached with it; empty when the session is open.
    pub(super) step: Option<&'static str>,
    /// The error that it reports: its code, which may be empty, and its text.
    pub(super) error: Option<Box<(Vec<u8>, Vec<u8>)>>,
    /// By the protocol the session is over with this error.
    pub(super) fatal: bool,
    /// What pairs a request with its answers, where they do not come in order: a number of the protocol's own.
    pub(super) key: Option<u64>,
    /// It is the last answer to all open requests with its number.
    pub(super) sweeps: bool,
    /// The endpoint of a further connection that it announces.
    pub(super) announces: Option<Box<Announced>>,
    /// What was announced last is for this request.
    pub(super) transfers: bool,
    /// What makes a request known again that a proxy translated.
    pub(super) passed_on: Option<Box<PassedOn>>,
}

/// The endpoint at which one side waits for a further connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Announced {
    /// Its address, if it is told.
    pub(super) address: Option<IpAddr>,
    pub(super) port: u16,
    /// The server of this connection waits there.
    pub(super) passive: bool,
}

impl Unit {
    /// A message of this length and meaning, and nothing to tell of it.
    pub(super) const fn new(length: u64, role: Role) -> Self {
        Self {
            length,
            role,
            noun: "request",
            words: Vec::new(),
            safe: false,
            optional: false,
            program: None,
            settles: false,
            step: None,
            error: None,
            fatal: false,
            key: None,
            sweeps: false,
            announces: None,
            transfers: false,
            passed_on: None,
        }
    }

    /// A request with these words.
    pub(super) fn named(mut self, noun: &'static str, words: &[u8]) -> Self {
        self.noun = noun;
        self.words = words
            .get(..words.len().min(MAX_WORDS))
            .unwrap_or(words)
            .to_vec();
        self
    }

    /// A request that may be repeated if this holds.
    pub(super) const fn safe(mut self, safe: bool) -> Self {
        self.safe = safe;
        self
    }

    /// A request that asks what the server can do, if this holds.
    pub(super) const fn optional(mut self, optional: bool) -> Self {
        self.optional = optional;
        self
    }

    /// The sender's program says this of itself.
    pub(super) fn by(mut self, name: &[u8], version: &[u8]) -> Self {
        let signs = self.program.get_or_insert_default();
        let short = |it: &[u8]| it.get(..it.len().min(MAX_NAME)).unwrap_or(it).to_vec();
        (signs.name, signs.version) = (short(name), short(version));
        self
    }

    /// The sender's program introduces itself by these fields.
    pub(super) fn shaped(mut self, shape: &[u8]) -> Self {
        let signs = self.program.get_or_insert_default();
        signs.shape = shape
            .get(..shape.len().min(MAX_WORDS))
            .unwrap_or(shape)
            .to_vec();
        self
    }

    /// A sign of life is due within so many seconds, if this says so.
    pub(super) fn due(mut self, seconds: Option<u16>) -> Self {
        if seconds.is_some() {
            self.program.get_or_insert_default().alive = seconds;
        }
        self
    }

    /// The client waits from now on for messages that come unasked, or no more.
    pub(super) fn listening(mut self, listens: bool) -> Self {
        self.program.get_or_insert_default().listens = Some(listens);
        self
    }

    /// It says whether the server can do TLS.
    pub(super) fn offering_tls(mut self, offers: bool) -> Self {
        self.program.get_or_insert_default().offers_tls = Some(offers);
        self
    }

    /// The opening of the session has reached this step.
    pub(super) const fn at(mut self, step: &'static str) -> Self {
        self.step = Some(step);
        self
    }

    /// An error with this code and text.
    pub(super) fn complaining(mut self, code: &[u8], text: &[u8]) -> Self {
        let text = text.get(..text.len().min(MAX_WORDS)).unwrap_or(text);
        self.error = Some(Box::new((code.to_vec(), text.to_vec())));
        self
    }

    /// With this error the session is over, by the protocol.
    pub(super) const fn fatal(mut self) -> Self {
        self.fatal = true;
        self
    }

    /// The end of an answer in which complaints were no failure.
    pub(super) const fn settling(mut self) -> Self {
        self.settles = true;
        self
    }

    /// An error after which the session cannot go on, whoever closes.
    pub(super) fn ending(self, code: &[u8], text: &[u8]) -> Self {
        self.complaining(code, text).fatal()
    }

    /// Nothing else with the same number is answered.
    pub(super) const fn sweeping(mut self) -> Self {
        self.sweeps = true;
        self
    }

    /// It announces this endpoint, if there is one in it.
    pub(super) fn announcing(mut self, endpoint: Option<Announced>) -> Self {
        self.announces = endpoint.map(Box::new);
        self
    }

    /// A request and its answers have this number in common. An answer to a number that nobody asked with is ignored.
    pub(super) const fn keyed(mut self, key: u64) -> Self {
        self.key = Some(key);
        self
    }
}

/// Bytes kept of the name of a program.
const MAX_NAME: usize = 80;
/// Bytes kept of the words of a request or an error.
const MAX_WORDS: usize = 200;

/// What the next bytes of a direction are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Too few bytes to tell.
    More,
    /// A message begins here.
    Message(Unit),
    /// They do not fit the grammar.
    Broken,
}

/// The side that sent a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// The one that opened the conversation.
    Client,
    /// The other one.
    Server,
}

/// Whether more of a message may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rest {
    /// More bytes may come.
    MayCome,
    /// The capture does not hold what comes next: it is now or never.
    NotCaptured,
}

/// One protocol's messages.
pub(super) trait Messages {
    /// The grammar at the beginning of a connection that this opens.
    fn new(opening: &Opening<'_>) -> Self;

    /// What `bytes` begin with; they begin where the sender's last message ended. It is asked again with more bytes after
    /// [`Step::More`]; after [`Step::Message`] the message counts as begun.
    fn next(&mut self, from: Side, bytes: &[u8], rest: Rest) -> Step;

    /// Whether the first bytes of a message cannot be anything else, so that messages are found again behind a hole.
    const SELF_EVIDENT: bool = false;
}
