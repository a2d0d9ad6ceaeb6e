//! The claims of a ladder about its connections, in the words of the report.

use std::fmt;

use crate::analysis::connection::{
    By, Certainty, ConnectionOutcome, How, Opening, Phase, ResetKind, Standing, State, Who,
};
use crate::protocol::http::{Outcome, Protocol};

/// One claim: `=> …`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expectation {
    /// The connection it is about, by order of first frame from 1; `None` if there is only one.
    pub connection: Option<u32>,
    /// What is claimed.
    pub claim: Claim,
}

/// A claim, with its notation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// `teardown server fin after`; without a phase, any phase fits.
    Teardown(By, How, Option<Phase>),
    /// `opening handshake`.
    Opening(Opening),
    /// `time-wait client | server | both | none`.
    TimeWait([bool; 2]),
    /// `states TIME-WAIT | CLOSED`.
    States([Standing; 2]),
    /// `exchanges 2`.
    Exchanges(usize),
    /// `outcome 1 complete`, by number from 1; `unknown` if the capture lost the bytes that decide it.
    Outcome(usize, Option<Outcome>),
    /// `outcome failed no-response`: of the connection.
    Came(ConnectionOutcome),
    /// `orderly yes`.
    Orderly(bool),
    /// `certainty likely`.
    Certainty(Certainty),
    /// `protocol http/1`.
    Protocol(Protocol),
    /// `sent client missing 100`.
    Sent(Who, SentCounter, u64),
    /// `findings none`, `findings rule-a rule-b`; about the whole ladder.
    Findings(Vec<String>),
    /// `connections 2`; about the whole ladder.
    Connections(usize),
}

/// A counter of what one side sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "named as in `Sent`")]
pub enum SentCounter {
    Packets,
    Bytes,
    Retransmitted,
    Missing,
    Fins,
    Resets,
    KeepAlives,
    ZeroWindows,
}

/// A value of the connection's record that has words in the notation.
pub trait RecordedFact: Sized + Copy + PartialEq + 'static {
    /// Each value and its word.
    const WORDS: &'static [(Self, &'static str)];

    /// The value of a word.
    #[must_use]
    fn from_word(word: &str) -> Option<Self> {
        let known = Self::WORDS.iter().find(|(_, name)| *name == word);
        known.map(|(thing, _)| *thing)
    }

    /// The word of this value; `?` if it has none.
    #[must_use]
    fn word(self) -> &'static str {
        let known = Self::WORDS.iter().find(|(thing, _)| *thing == self);
        known.map_or("?", |(_, name)| name)
    }
}

macro_rules! words {
    ($type:ty, $($thing:expr => $word:expr),+ $(,)?) => {
        impl RecordedFact for $type {
            const WORDS: &'static [(Self, &'static str)] = &[$(($thing, $word)),+];
        }
    };
}

words!(Who, Who::Client => "client", Who::Server => "server");
words!(By, By::Client => "client", By::Server => "server", By::Both => "both", By::Middlebox => "middlebox",
    By::Nobody => "nobody");
words!(ResetKind, ResetKind::Refusal => "refusal", ResetKind::NoSocket => "no-socket", ResetKind::Abort => "abort",
    ResetKind::Foreign => "foreign", ResetKind::Stale => "stale");
words!(Opening, Opening::Handshake => "handshake", Opening::Refused => "refused", Opening::Unreachable => "unreachable",
    Opening::Unanswered => "unanswered", Opening::Rejected => "rejected", Opening::Midstream => "midstream");
words!(Protocol, Protocol::Unknown => "unknown", Protocol::Http1 => "http/1", Protocol::Http2 => "http/2",
    Protocol::Tls => "tls", Protocol::WebSocket => "websocket", Protocol::Tunnel => "connect",
    Protocol::Opaque => "opaque");
words!(bool, true => "yes", false => "no");
words!([bool; 2], [true, false] => "client", [false, true] => "server", [true, true] => "both",
    [false, false] => "none");
words!(SentCounter, SentCounter::Packets => "packets", SentCounter::Bytes => "bytes", SentCounter::Retransmitted => "retransmitted",
    SentCounter::Missing => "missing", SentCounter::Fins => "fins", SentCounter::Resets => "resets", SentCounter::KeepAlives => "keep-alives",
    SentCounter::ZeroWindows => "zero-windows");

/// Implements [`RecordedFact`] for values whose word is their `name()`.
macro_rules! named {
    ($type:ty, $($thing:expr),+ $(,)?) => { words!($type, $($thing => $thing.name()),+); };
}

named!(
    Certainty,
    Certainty::Certain,
    Certainty::Likely,
    Certainty::Possible
);
named!(
    Outcome,
    Outcome::Complete,
    Outcome::NoResponse,
    Outcome::CutShort,
    Outcome::ClientLeft,
    Outcome::Reset,
    Outcome::Unfinished
);
named!(
    Phase,
    Phase::Connecting,
    Phase::TlsHandshake,
    Phase::BeforeRequest,
    Phase::Request,
    Phase::Waiting,
    Phase::ResponseHead,
    Phase::ResponseBody,
    Phase::Between,
    Phase::After,
    Phase::Tunnel,
    Phase::Opaque
);

/// The standing with this name.
pub(super) fn standing(word: &str) -> Option<Standing> {
    match word {
        "UNSEEN" => Some(Standing::Unseen),
        "MIDSTREAM" => Some(Standing::Midstream),
        _ => {
            let state = State::ALL.into_iter().find(|state| state.name() == word);
            state.map(Standing::In)
        }
    }
}

impl fmt::Display for Expectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("=> ")?;
        if let Some(number) = self.connection {
            write!(f, "{number}: ")?;
        }
        self.claim.fmt(f)
    }
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Teardown(by, how, phase) => {
                write!(f, "teardown {} ", by.word())?;
                match how {
                    How::Fin => f.write_str("fin"),
                    How::Reset(kind) => write!(f, "reset {}", kind.word()),
                    How::Silence => f.write_str("silence"),
                    How::Open => f.write_str("open"),
                }?;
                phase.map_or(Ok(()), |phase| write!(f, " {}", phase.word()))
            }
            Self::Opening(opening) => write!(f, "opening {}", opening.word()),
            Self::TimeWait(who) => write!(f, "time-wait {}", who.word()),
            Self::States([client, server]) => write!(f, "states {client} | {server}"),
            Self::Exchanges(count) => write!(f, "exchanges {count}"),
            Self::Outcome(number, outcome) => {
                let word = outcome.map_or("unknown", Outcome::name);
                write!(f, "outcome {number} {word}")
            }
            Self::Came(outcome) => write!(f, "outcome {} {}", outcome.name(), outcome.reason()),
            Self::Orderly(orderly) => write!(f, "orderly {}", orderly.word()),
            Self::Certainty(certainty) => write!(f, "certainty {}", certainty.name()),
            Self::Protocol(protocol) => write!(f, "protocol {}", protocol.word()),
            Self::Sent(who, tally, count) => {
                write!(f, "sent {} {} {count}", who.word(), tally.word())
            }
            Self::Findings(rules) if rules.is_empty() => f.write_str("findings none"),
            Self::Findings(rules) => write!(f, "findings {}", rules.join(" ")),
            Self::Connections(count) => write!(f, "connections {count}"),
        }
    }
}

/// Parses what follows `=>`. An error carries the index of the word that caused it.
pub(super) fn claim(words: &[&str]) -> Result<Claim, (usize, String)> {
    let word = |index: usize| words.get(index).copied().unwrap_or("");
    let end = |index: usize, claim: Claim| match words.get(index) {
        None => Ok(claim),
        Some(word) => Err((index, format!("nothing may follow here, but {word:?} does"))),
    };
    match word(0) {
        "teardown" => {
            let by = known::<By>(words, 1)?;
            let (how, next) = match word(2) {
                "fin" => (How::Fin, 3),
                "silence" => (How::Silence, 3),
                "open" => (How::Open, 3),
                "reset" => (How::Reset(known(words, 3)?), 4),
                other => {
                    return Err((
                        2,
                        format!("{other:?}: known are fin, reset KIND, silence, open"),
                    ));
                }
            };
            if words.len() == next {
                return Ok(Claim::Teardown(by, how, None));
            }
            end(
                next + 1,
                Claim::Teardown(by, how, Some(known(words, next)?)),
            )
        }
        "opening" => end(2, Claim::Opening(known(words, 1)?)),
        "time-wait" => end(2, Claim::TimeWait(known(words, 1)?)),
        "states" => end(4, Claim::States(states(words, 1)?)),
        "exchanges" => end(2, Claim::Exchanges(number(words, 1)?)),
        "outcome" if ConnectionOutcome::WORDS.contains(&word(1)) => {
            let named = |it: &ConnectionOutcome| (it.name(), it.reason()) == (word(1), word(2));
            let known = || ConnectionOutcome::all().filter(|it| it.name() == word(1));
            match known().find(named) {
                Some(outcome) => end(3, Claim::Came(outcome)),
                None => {
                    let words: Vec<_> = known().map(ConnectionOutcome::reason).collect();
                    Err((2, format!("{:?}: known are {}", word(2), words.join(", "))))
                }
            }
        }
        "outcome" if word(2) == "unknown" => end(3, Claim::Outcome(number(words, 1)?, None)),
        "outcome" => end(3, Claim::Outcome(number(words, 1)?, Some(known(words, 2)?))),
        "orderly" => end(2, Claim::Orderly(known(words, 1)?)),
        "certainty" => end(2, Claim::Certainty(known(words, 1)?)),
        "protocol" => end(2, Claim::Protocol(known(words, 1)?)),
        "sent" => end(
            4,
            Claim::Sent(known(words, 1)?, known(words, 2)?, number(words, 3)?),
        ),
        "findings" if words.len() == 1 => Err((0, "which? none, or the rules' names".to_owned())),
        "findings" if word(1) == "none" => end(2, Claim::Findings(Vec::new())),
        "findings" => {
            if let Some(none) = words.iter().skip(1).position(|word| *word == "none") {
                return Err((none + 1, "none is no rule".to_owned()));
            }
            let mut rules: Vec<String> = words[1..].iter().map(|&word| word.to_owned()).collect();
            rules.sort();
            Ok(Claim::Findings(rules))
        }
        "connections" => end(2, Claim::Connections(number(words, 1)?)),
        other => Err((
            0,
            format!(
                "{other:?}: known are teardown, opening, time-wait, states, exchanges, outcome, orderly, certainty, \
             protocol, sent, findings, connections"
            ),
        )),
    }
}

fn known<T: RecordedFact>(words: &[&str], index: usize) -> Result<T, (usize, String)> {
    let word = words.get(index).copied().unwrap_or("");
    T::from_word(word).ok_or_else(|| {
        let known: Vec<_> = T::WORDS.iter().map(|(_, name)| *name).collect();
        (index, format!("{word:?}: known are {}", known.join(", ")))
    })
}

fn number<T: std::str::FromStr>(words: &[&str], index: usize) -> Result<T, (usize, String)> {
    let word = words.get(index).copied().unwrap_or("");
    word.parse()
        .map_err(|_| (index, format!("{word:?} is no number")))
}

/// Parses `STATE | STATE` from `index` on.
pub(super) fn states(words: &[&str], index: usize) -> Result<[Standing; 2], (usize, String)> {
    let word = |index: usize| words.get(index).copied().unwrap_or("");
    let state = |index: usize| {
        let unknown = || {
            (
                index,
                format!(
                    "{:?} is no state of RFC 9293, nor UNSEEN or MIDSTREAM",
                    word(index)
                ),
            )
        };
        standing(word(index)).ok_or_else(unknown)
    };
    if word(index + 1) != "|" {
        return Err((
            index + 1,
            "the states of client and server are parted by |".to_owned(),
        ));
    }
    Ok([state(index)?, state(index + 2)?])
}
