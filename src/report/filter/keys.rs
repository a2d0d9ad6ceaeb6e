//! The keys: what each is for, which values it takes, and what a value means.

use super::address::Place;
use super::amount::Bound;
use super::expr::Grade;
use super::expr::Means;
use super::expr::Measure;
use super::expr::Part;
use super::expr::Test;
use crate::analysis::connection::{By, Opening, Phase, ResetKind, State, Who};
use crate::base::certainty::Certainty;
use crate::ladder::Found;
use crate::protocol::http::{Outcome, Protocol};
use crate::rules::{self, Severity};

/// A key.
#[derive(Debug)]
pub struct Key {
    /// What stands before the colon.
    pub name: &'static str,
    /// What it asks, for help.
    pub help: &'static str,
    /// A test with it that makes sense.
    pub example: &'static str,
    pub(super) takes: Takes,
}

/// Which values a key takes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Takes {
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
    Amount(Measure),
    Rule,
    Severity,
    Said(Part),
}

/// All keys, those asked for most first.
pub static KEYS: &[Key] = &[
    key("by", "who ended it", "by:server", Takes::By),
    key("how", "by which means", "how:reset", Takes::How),
    key(
        "phase",
        "what was under way at the end",
        "phase:waiting",
        Takes::Phase,
    ),
    key(
        "client",
        "who opened it: address, network, port",
        "client:10.0.0.0/8",
        Takes::Place(Some(Who::Client)),
    ),
    key(
        "server",
        "who was called",
        "server:10.0.0.2:80",
        Takes::Place(Some(Who::Server)),
    ),
    key(
        "address",
        "either of the two",
        "address:10.0.0.2",
        Takes::Place(None),
    ),
    key(
        "port",
        "of either",
        "port:443",
        Takes::Amount(Measure::Port),
    ),
    key(
        "rule",
        "a finding of this rule names it",
        "rule:keep-alive-race",
        Takes::Rule,
    ),
    key(
        "severity",
        "how bad the findings are",
        "severity:>=warning",
        Takes::Severity,
    ),
    key(
        "finding",
        "the number of a finding",
        "finding:1",
        Takes::Amount(Measure::Finding),
    ),
    key(
        "status",
        "of the last response",
        "status:5xx",
        Takes::Amount(Measure::Status),
    ),
    key(
        "outcome",
        "what became of a request",
        "outcome:cut-short",
        Takes::Outcome,
    ),
    key(
        "host",
        "the host that was asked",
        "host:api",
        Takes::Said(Part::Host),
    ),
    key(
        "path",
        "what was asked for",
        "path:/login",
        Takes::Said(Part::Target),
    ),
    key(
        "method",
        "of a request",
        "method:POST",
        Takes::Said(Part::Method),
    ),
    key(
        "agent",
        "the client's program",
        "agent:curl",
        Takes::Said(Part::Agent),
    ),
    key(
        "took",
        "how long it lasted",
        "took:>5s",
        Takes::Amount(Measure::Took),
    ),
    key(
        "waited",
        "for the last response, or in vain",
        "waited:>1s",
        Takes::Amount(Measure::Waited),
    ),
    key(
        "idle",
        "before it was closed",
        "idle:>60s",
        Takes::Amount(Measure::Idle),
    ),
    key(
        "requests",
        "how many",
        "requests:0",
        Takes::Amount(Measure::Requests),
    ),
    key(
        "bytes",
        "of payload, both ways",
        "bytes:>1MB",
        Takes::Amount(Measure::Bytes),
    ),
    key("opening", "how it began", "opening:refused", Takes::Opening),
    key(
        "protocol",
        "what was spoken",
        "protocol:http/1",
        Takes::Protocol,
    ),
    key(
        "state",
        "of either side at the end",
        "state:TIME-WAIT",
        Takes::State(None),
    ),
    key(
        "client-state",
        "of the client at the end",
        "client-state:TIME-WAIT",
        Takes::State(Some(Who::Client)),
    ),
    key(
        "server-state",
        "of the server at the end",
        "server-state:CLOSE-WAIT",
        Takes::State(Some(Who::Server)),
    ),
    key("orderly", "nothing was owed", "orderly:no", Takes::Orderly),
    key(
        "certainty",
        "how far it is proven",
        "certainty:certain",
        Takes::Certainty,
    ),
    key("id", "its number", "id:1..100", Takes::Amount(Measure::Id)),
    key(
        "frame",
        "a frame of it",
        "frame:4711",
        Takes::Amount(Measure::Frame),
    ),
];

const fn key(name: &'static str, help: &'static str, example: &'static str, takes: Takes) -> Key {
    Key {
        name,
        help,
        example,
        takes,
    }
}

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

impl Key {
    /// The words that it takes; empty if it takes numbers, addresses or any text.
    #[must_use]
    pub fn words(&self) -> Vec<&'static str> {
        fn of<T: Found>() -> Vec<&'static str> {
            T::WORDS.iter().map(|(_, word)| *word).collect()
        }
        match self.takes {
            Takes::By => of::<By>(),
            Takes::How => {
                let coarse = [Means::Fin, Means::Reset, Means::Silence, Means::Open];
                let words = coarse.into_iter().map(Means::word);
                words.chain(of::<ResetKind>()).collect()
            }
            Takes::Phase => of::<Phase>(),
            Takes::Opening => of::<Opening>(),
            Takes::Protocol => of::<Protocol>(),
            Takes::Orderly => of::<bool>(),
            Takes::Certainty => CERTAINTIES.map(Certainty::name).to_vec(),
            Takes::State(_) => State::ALL.map(State::name).to_vec(),
            Takes::Outcome => OUTCOMES.map(Outcome::name).to_vec(),
            Takes::Rule => rules::CATALOGUE.iter().map(|rule| rule.name).collect(),
            Takes::Severity => {
                let words = SEVERITIES.iter().map(|severity| severity.name());
                words.chain(["none"]).collect()
            }
            Takes::Place(_) | Takes::Amount(_) | Takes::Said(_) => Vec::new(),
        }
    }

    /// What a value means; the error says what would mean something.
    pub(super) fn test(&self, value: &str) -> Result<Test, String> {
        let lower = value.to_ascii_lowercase();
        let found = match self.takes {
            Takes::By => By::from_word(&lower).map(Test::By),
            Takes::How => means(&lower).map(Test::How),
            Takes::Phase => Phase::from_word(&lower).map(Test::Phase),
            Takes::Opening => Opening::from_word(&lower).map(Test::Opening),
            Takes::Protocol => Protocol::from_word(&lower).map(Test::Protocol),
            Takes::Orderly => bool::from_word(&lower).map(Test::Orderly),
            Takes::Certainty => {
                let known = CERTAINTIES.into_iter().find(|it| it.name() == lower);
                known.map(Test::Certainty)
            }
            Takes::State(who) => {
                let state = State::ALL
                    .into_iter()
                    .find(|state| state.name().eq_ignore_ascii_case(value));
                state.map(|state| Test::State(who, state))
            }
            Takes::Outcome => {
                let known = OUTCOMES.into_iter().find(|it| it.name() == lower);
                known.map(Test::Outcome)
            }
            Takes::Severity => grade(&lower),
            Takes::Rule => {
                let known = rules::CATALOGUE
                    .iter()
                    .any(|rule| rule.name.contains(&lower));
                (known && !value.is_empty()).then_some(Test::Rule(lower))
            }
            Takes::Place(who) => {
                let place = Place::read(value).map(|place| Test::Place(who, place));
                return place.ok_or_else(|| {
                    "an address, a network or a port is expected, such as 10.0.0.2, 10.0.0.0/8, [::1]:443 or :80".to_owned()
                });
            }
            Takes::Amount(measure) => {
                let bound =
                    Bound::read(value, measure.unit()).map(|bound| Test::Amount(measure, bound));
                return bound.map_err(str::to_owned);
            }
            Takes::Said(_) if value.is_empty() => {
                return Err(format!("a text is expected, such as {}", self.example));
            }
            Takes::Said(part) => Some(Test::Said(part, value.to_owned())),
        };
        found.ok_or_else(|| match self.takes {
            Takes::Rule => "no rule has this in its name".to_owned(),
            _ => format!("`{}` takes {}", self.name, self.words().join(", ")),
        })
    }
}

fn means(word: &str) -> Option<Means> {
    let coarse = [Means::Fin, Means::Reset, Means::Silence, Means::Open];
    let coarse = coarse.into_iter().find(|means| means.word() == word);
    coarse.or_else(|| ResetKind::from_word(word).map(Means::Kind))
}

fn grade(word: &str) -> Option<Test> {
    let named = |word: &str| SEVERITIES.into_iter().find(|it| it.name() == word);
    match word.strip_prefix(">=") {
        Some(word) => named(word).map(|severity| Test::Severity(Grade::AtLeast(severity))),
        None if word == "none" => Some(Test::Unnamed),
        None => named(word).map(|severity| Test::Severity(Grade::Is(severity))),
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

    #[test]
    fn no_key_stands_twice() {
        let mut names: Vec<_> = KEYS.iter().map(|key| key.name).collect();
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]));
    }
}
