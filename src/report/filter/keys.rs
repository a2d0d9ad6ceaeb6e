//! The filter keys: the purpose and the values of each, and the meaning of a value.

use super::address::AddressTest;
use super::amount::AmountRange;
use super::expr::FilterTest;
use super::expr::HowTest;
use super::expr::Measure;
use super::expr::RequestPart;
use super::expr::SeverityTest;
use crate::analysis::connection::{By, ConnectionOutcome, Opening, Phase, ResetKind, State, Who};
use crate::base::certainty::Certainty;
use crate::ladder::RecordedFact;
use crate::protocol::http::{Outcome, Protocol};
use crate::rules::log_errors::ErrorSearch;
use crate::rules::{self, Severity};

/// A key.
#[derive(Debug)]
pub struct FilterKey {
    /// The text before the colon.
    pub name: &'static str,
    /// What it tests, for the help text.
    pub help: &'static str,
    /// A meaningful test with this key.
    pub example: &'static str,
    pub(super) takes: KeyValues,
}

/// The kind of values a key takes.
#[derive(Clone, Copy, Debug)]
pub(super) enum KeyValues {
    By,
    How,
    Phase,
    Opening,
    Protocol,
    Orderly,
    Certainty,
    State(Option<Who>),
    Place(Option<Who>),
    Outcome,
    Reason,
    Amount(Measure),
    Rule,
    Severity,
    Error,
    Said(RequestPart),
}

/// Options of the command line that are a key by another name, with what stands before their value.
const OPTIONS: [(&str, &str, &str); 3] = [
    ("connection", "id", ""),
    ("connections", "id", ""),
    ("min-severity", "severity", ">="),
];

/// The key of this name, or of the option of the command line of this name, and what stands before its value.
pub(super) fn named(name: &str) -> Option<(&'static FilterKey, &'static str)> {
    let option = OPTIONS
        .iter()
        .find(|(option, ..)| option.eq_ignore_ascii_case(name));
    let (name, before) = option.map_or((name, ""), |(_, key, before)| (*key, *before));
    Some((FilterKey::named(name)?, before))
}

/// All keys, the most used first.
pub(crate) static KEYS: &[FilterKey] = &[
    key("by", "who ended it", "by:server", KeyValues::By),
    key("how", "by which means", "how:reset", KeyValues::How),
    key(
        "phase",
        "what was under way at the end",
        "phase:waiting",
        KeyValues::Phase,
    ),
    key(
        "client",
        "who opened it: address, network, port",
        "client:10.0.0.0/8",
        KeyValues::Place(Some(Who::Client)),
    ),
    key(
        "server",
        "who was called",
        "server:10.0.0.2:80",
        KeyValues::Place(Some(Who::Server)),
    ),
    key(
        "address",
        "either of the two",
        "address:10.0.0.2",
        KeyValues::Place(None),
    ),
    key(
        "port",
        "of either",
        "port:443",
        KeyValues::Amount(Measure::Port),
    ),
    key(
        "rule",
        "a finding of this rule names it",
        "rule:keep-alive-race",
        KeyValues::Rule,
    ),
    key(
        "severity",
        "how bad the findings are",
        "severity:>=warning",
        KeyValues::Severity,
    ),
    key(
        "finding",
        "the number of a finding",
        "finding:1",
        KeyValues::Amount(Measure::Finding),
    ),
    key(
        "error",
        "what a log says: a text, a code, a line",
        "error:ECONNRESET",
        KeyValues::Error,
    ),
    key(
        "status",
        "of a response",
        "status:5xx",
        KeyValues::Amount(Measure::Status),
    ),
    key(
        "outcome",
        "of the connection or a request",
        "outcome:failed",
        KeyValues::Outcome,
    ),
    key(
        "reason",
        "of the connection's outcome",
        "reason:opaque",
        KeyValues::Reason,
    ),
    key(
        "host",
        "the host that was asked",
        "host:api",
        KeyValues::Said(RequestPart::Host),
    ),
    key(
        "path",
        "what was asked for",
        "path:/login",
        KeyValues::Said(RequestPart::Target),
    ),
    key(
        "method",
        "of a request",
        "method:POST",
        KeyValues::Said(RequestPart::Method),
    ),
    key(
        "agent",
        "the client's program",
        "agent:curl",
        KeyValues::Said(RequestPart::Agent),
    ),
    key(
        "took",
        "how long it lasted",
        "took:>5s",
        KeyValues::Amount(Measure::Took),
    ),
    key(
        "handshake",
        "from the SYN to the ACK",
        "handshake:>100ms",
        KeyValues::Amount(Measure::Handshake),
    ),
    key(
        "waited",
        "for the last response, or without one",
        "waited:>1s",
        KeyValues::Amount(Measure::Waited),
    ),
    key(
        "idle",
        "before it was closed",
        "idle:>60s",
        KeyValues::Amount(Measure::Idle),
    ),
    key(
        "requests",
        "how many",
        "requests:0",
        KeyValues::Amount(Measure::Requests),
    ),
    key(
        "bytes",
        "of payload, both ways",
        "bytes:>1MB",
        KeyValues::Amount(Measure::Bytes),
    ),
    key(
        "sent",
        "payload from the client",
        "sent:>1kB",
        KeyValues::Amount(Measure::Sent),
    ),
    key(
        "received",
        "payload from the server",
        "received:>1MB",
        KeyValues::Amount(Measure::Received),
    ),
    key(
        "retransmitted",
        "segments that repeat payload",
        "retransmitted:>0",
        KeyValues::Amount(Measure::Retransmitted),
    ),
    key(
        "opening",
        "how it began",
        "opening:refused",
        KeyValues::Opening,
    ),
    key(
        "protocol",
        "what was spoken",
        "protocol:http/1",
        KeyValues::Protocol,
    ),
    key(
        "state",
        "of either side at the end",
        "state:TIME-WAIT",
        KeyValues::State(None),
    ),
    key(
        "client-state",
        "of the client at the end",
        "client-state:TIME-WAIT",
        KeyValues::State(Some(Who::Client)),
    ),
    key(
        "server-state",
        "of the server at the end",
        "server-state:CLOSE-WAIT",
        KeyValues::State(Some(Who::Server)),
    ),
    key(
        "orderly",
        "nothing was owed",
        "orderly:no",
        KeyValues::Orderly,
    ),
    key(
        "certainty",
        "how far it is proven",
        "certainty:certain",
        KeyValues::Certainty,
    ),
    key(
        "id",
        "its number",
        "id:1..100",
        KeyValues::Amount(Measure::Id),
    ),
    key(
        "frame",
        "a frame of it",
        "frame:4711",
        KeyValues::Amount(Measure::Frame),
    ),
];

const fn key(
    name: &'static str,
    help: &'static str,
    example: &'static str,
    takes: KeyValues,
) -> FilterKey {
    FilterKey {
        name,
        help,
        example,
        takes,
    }
}

/// What people type for a key.
const KEY_SYNONYMS: &[(&str, &str)] = &[
    ("addr", "address"),
    ("ip", "address"),
    ("proto", "protocol"),
    ("code", "status"),
    ("url", "path"),
    ("uri", "path"),
    ("target", "path"),
    ("ua", "agent"),
    ("user-agent", "agent"),
    ("duration", "took"),
    ("connection", "id"),
    ("conn", "id"),
    ("who", "by"),
];

/// What people type for a value, by key.
const BY: &[(&str, &str)] = &[
    ("proxy", "middlebox"),
    ("firewall", "middlebox"),
    ("none", "nobody"),
];
const HOW: &[(&str, &str)] = &[
    ("rst", "reset"),
    ("resets", "reset"),
    ("close", "fin"),
    ("closed", "fin"),
    ("timeout", "silence"),
    ("timed-out", "silence"),
    ("silent", "silence"),
    ("refused", "refusal"),
    ("aborted", "abort"),
    ("injected", "foreign"),
];
const PHASE: &[(&str, &str)] = &[
    ("connect", "connecting"),
    ("handshake", "connecting"),
    ("syn", "connecting"),
    ("tls", "tls-handshake"),
    ("wait", "waiting"),
    ("head", "response-head"),
    ("headers", "response-head"),
    ("body", "response-body"),
    ("idle", "between"),
    ("keep-alive", "between"),
    ("keepalive", "between"),
];
const OPENING: &[(&str, &str)] = &[
    ("timeout", "unanswered"),
    ("reset", "refused"),
    ("rst", "refused"),
    ("refusal", "refused"),
];
const PROTOCOL: &[(&str, &str)] = &[
    ("http", "http/1"),
    ("http1", "http/1"),
    ("http/1.1", "http/1"),
    ("http2", "http/2"),
    ("h2", "http/2"),
    ("https", "tls"),
    ("ssl", "tls"),
    ("ws", "websocket"),
];
const ORDERLY: &[(&str, &str)] = &[("true", "yes"), ("1", "yes"), ("false", "no"), ("0", "no")];
const OUTCOME: &[(&str, &str)] = &[("ok", "fine"), ("fail", "failed"), ("error", "failed")];
const SEVERITY: &[(&str, &str)] = &[
    ("warn", "warning"),
    (">=warn", ">=warning"),
    ("warnings", "warning"),
    ("errors", "error"),
    ("notes", "note"),
    ("info", "note"),
];

const SEVERITIES: [Severity; 4] = [
    Severity::Error,
    Severity::Warning,
    Severity::Note,
    Severity::Benign,
];
const CERTAINTIES: [Certainty; 3] = [Certainty::Certain, Certainty::Likely, Certainty::Possible];
const OUTCOMES: [Outcome; 6] = [
    Outcome::Complete,
    Outcome::NoResponse,
    Outcome::CutShort,
    Outcome::ClientLeft,
    Outcome::Reset,
    Outcome::Unfinished,
];

/// The reasons of all outcomes, each once.
fn reasons() -> Vec<&'static str> {
    let mut words: Vec<_> = ConnectionOutcome::all()
        .map(ConnectionOutcome::reason)
        .collect();
    words.sort_unstable();
    words.dedup();
    words
}

impl FilterKey {
    /// The words that it takes; empty if it takes numbers, addresses or any text.
    #[must_use]
    pub fn words(&self) -> Vec<&'static str> {
        fn of<T: RecordedFact>() -> Vec<&'static str> {
            T::WORDS.iter().map(|(_, word)| *word).collect()
        }
        match self.takes {
            KeyValues::By => of::<By>(),
            KeyValues::How => {
                let coarse = [
                    HowTest::Fin,
                    HowTest::Reset,
                    HowTest::Silence,
                    HowTest::Open,
                ];
                let words = coarse.into_iter().map(HowTest::word);
                words.chain(of::<ResetKind>()).collect()
            }
            KeyValues::Phase => of::<Phase>(),
            KeyValues::Opening => of::<Opening>(),
            KeyValues::Protocol => of::<Protocol>(),
            KeyValues::Orderly => of::<bool>(),
            KeyValues::Certainty => CERTAINTIES.map(Certainty::name).to_vec(),
            KeyValues::State(_) => State::ALL.map(State::name).to_vec(),
            KeyValues::Outcome => {
                let requests = OUTCOMES.map(Outcome::name);
                ConnectionOutcome::WORDS
                    .into_iter()
                    .chain(requests)
                    .collect()
            }
            KeyValues::Reason => reasons(),
            KeyValues::Rule => rules::CATALOGUE.iter().map(|rule| rule.name).collect(),
            KeyValues::Severity => {
                let words = SEVERITIES.iter().map(|severity| severity.name());
                words.chain(["none"]).collect()
            }
            KeyValues::Place(_) | KeyValues::Amount(_) | KeyValues::Error | KeyValues::Said(_) => {
                Vec::new()
            }
        }
    }

    /// The key with this name, or with one that people type for it.
    fn named(name: &str) -> Option<&'static Self> {
        let lower = name.to_ascii_lowercase();
        let usual = KEY_SYNONYMS.iter().find(|(typed, _)| *typed == lower);
        let name = usual.map_or(lower.as_str(), |(_, name)| name);
        KEYS.iter().find(|key| key.name == name)
    }

    /// The key that a word such as `how:reset` begins with.
    #[must_use]
    pub fn of_word(word: &str) -> Option<&'static Self> {
        let (name, value) = word.split_once(':')?;
        KEYS.iter()
            .find(|key| key.name == name && !value.is_empty())
    }

    /// The word of this key for one that people type instead.
    fn usual<'w>(&self, typed: &'w str) -> &'w str {
        let synonyms: &[(&str, &str)] = match self.takes {
            KeyValues::By => BY,
            KeyValues::How => HOW,
            KeyValues::Phase => PHASE,
            KeyValues::Opening => OPENING,
            KeyValues::Protocol => PROTOCOL,
            KeyValues::Orderly => ORDERLY,
            KeyValues::Outcome => OUTCOME,
            KeyValues::Severity => SEVERITY,
            KeyValues::Amount(Measure::Id | Measure::Finding) => {
                return typed.strip_prefix('#').unwrap_or(typed);
            }
            _ => return typed,
        };
        let usual = synonyms.iter().find(|(word, _)| *word == typed);
        usual.map_or(typed, |(_, word)| *word)
    }

    /// The test for a value; the error names valid values.
    pub(super) fn test(&self, value: &str) -> Result<FilterTest, String> {
        let lower = value.to_ascii_lowercase();
        let lower = self.usual(&lower).to_owned();
        let found = match self.takes {
            KeyValues::By => By::from_word(&lower).map(FilterTest::By),
            KeyValues::How => means(&lower).map(FilterTest::How),
            KeyValues::Phase => Phase::from_word(&lower).map(FilterTest::Phase),
            KeyValues::Opening => Opening::from_word(&lower).map(FilterTest::Opening),
            KeyValues::Protocol => Protocol::from_word(&lower).map(FilterTest::Protocol),
            KeyValues::Orderly => bool::from_word(&lower).map(FilterTest::Orderly),
            KeyValues::Certainty => {
                let known = CERTAINTIES.into_iter().find(|it| it.name() == lower);
                known.map(FilterTest::Certainty)
            }
            KeyValues::State(who) => {
                let state = State::ALL
                    .into_iter()
                    .find(|state| letters(state.name()) == letters(value));
                state.map(|state| FilterTest::State(who, state))
            }
            KeyValues::Outcome => {
                let mut words = ConnectionOutcome::WORDS.into_iter();
                let came = words.find(|word| *word == lower);
                let known = || OUTCOMES.into_iter().find(|it| it.name() == lower);
                came.map(FilterTest::Came)
                    .or_else(|| known().map(FilterTest::Outcome))
            }
            KeyValues::Reason => {
                let known = reasons().into_iter().find(|word| *word == lower);
                known.map(FilterTest::Reason)
            }
            KeyValues::Severity => grade(&lower),
            KeyValues::Rule => {
                let known = rules::CATALOGUE
                    .iter()
                    .any(|rule| rule.name.contains(&lower));
                (known && !value.is_empty()).then_some(FilterTest::Rule(lower))
            }
            KeyValues::Place(who) => {
                let place = AddressTest::read(value).map(|place| FilterTest::Place(who, place));
                return place.ok_or_else(|| {
                    "an address, a network or a port is expected, such as 10.0.0.2, 10.0.0.0/8, [::1]:443 or :80".to_owned()
                });
            }
            KeyValues::Amount(measure) => {
                let bound = AmountRange::read(self.usual(value), measure.unit())
                    .map(|bound| FilterTest::Amount(measure, bound));
                return bound.map_err(str::to_owned);
            }
            KeyValues::Error => {
                let known = ErrorSearch::new(value).is_some() && !value.is_empty();
                return match known {
                    true => Ok(FilterTest::Error(value.to_owned())),
                    false => Err(
                        "no such error is known; type a text or a code of a log, such as error:\"socket hang up\" or \
                         error:10054"
                            .to_owned(),
                    ),
                };
            }
            KeyValues::Said(_) if value.is_empty() => {
                return Err(format!("a text is expected, such as {}", self.example));
            }
            KeyValues::Said(part) => Some(FilterTest::Said(part, value.to_owned())),
        };
        found.ok_or_else(|| match self.takes {
            KeyValues::Rule => "no rule has this in its name".to_owned(),
            _ => format!("`{}` takes {}", self.name, self.words().join(", ")),
        })
    }
}

/// The letters of a state's name: `TIME_WAIT` and `timewait` are TIME-WAIT.
fn letters(name: &str) -> String {
    let letters = name.chars().filter(char::is_ascii_alphanumeric);
    letters.map(|it| it.to_ascii_lowercase()).collect()
}

fn means(word: &str) -> Option<HowTest> {
    let coarse = [
        HowTest::Fin,
        HowTest::Reset,
        HowTest::Silence,
        HowTest::Open,
    ];
    let coarse = coarse.into_iter().find(|means| means.word() == word);
    coarse.or_else(|| ResetKind::from_word(word).map(HowTest::Kind))
}

fn grade(word: &str) -> Option<FilterTest> {
    let named = |word: &str| SEVERITIES.into_iter().find(|it| it.name() == word);
    match word.strip_prefix(">=") {
        Some(word) => {
            named(word).map(|severity| FilterTest::Severity(SeverityTest::AtLeast(severity)))
        }
        None if word == "none" => Some(FilterTest::Unnamed),
        None => named(word).map(|severity| FilterTest::Severity(SeverityTest::Is(severity))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_example_is_one_and_every_word_is_taken() {
        for key in KEYS {
            let value = key
                .example
                .strip_prefix(key.name)
                .unwrap()
                .strip_prefix(':')
                .unwrap();
            assert!(key.test(value).is_ok(), "{}", key.example);
            for word in key.words() {
                assert!(key.test(word).is_ok(), "{}:{word}", key.name);
            }
        }
    }

    /// A synonym is no word of its own, and means one that is.
    #[test]
    fn what_people_type_is_understood() {
        let own = |typed: &str| KEYS.iter().any(|key| key.name == typed);
        for (typed, key) in KEY_SYNONYMS {
            assert!(!own(typed) && own(key), "{typed}");
        }
        for key in KEYS {
            let words = key.words();
            for table in [
                BY, HOW, PHASE, OPENING, PROTOCOL, ORDERLY, OUTCOME, SEVERITY,
            ] {
                for (typed, word) in table {
                    if key.usual(typed) == *word {
                        assert!(!words.contains(typed), "{}:{typed}", key.name);
                        assert!(key.test(typed).is_ok(), "{}:{typed}", key.name);
                    }
                }
            }
        }
    }

    #[test]
    fn no_key_stands_twice() {
        let mut names: Vec<_> = KEYS.iter().map(|key| key.name).collect();
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]));
    }
}
