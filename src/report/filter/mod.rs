//! Floor 11½: the words by which people choose connections.
//!
//! In: a line such as `by:server how:reset took:>5s (status:5xx or rule:keep-alive-race) -client:10.0.0.0/8 checkout`.
//! Out: a [`Query`], or a [`Wrong`] that points at the word and says what would be right; and with a [`Sieve`] the
//! connections of a snapshot that it means.
//!
//! ```text
//! query = all { "or" all }
//! all   = one { one }                      "and" may stand between, and says nothing
//! one   = { "-" | "not" } ( "(" query ")" | test )
//! test  = key ":" value { "," value } | word | quoted
//! ```
//!
//! Several values are alternatives. Numbers take `>` `>=` `<` `<=` and `2..5`; times have units (`ms`, `s`, `min`, `h`)
//! and so have bytes (`kB`, `MB`). A bare time or amount means at least that much, a bare number just that one. A word
//! without a key is looked for in what a row shows: addresses, how it ended, rules, hosts and targets.
//!
//! Left out: names that would have to be looked up, and arithmetic.

mod address;
mod amount;
mod complete;
mod evaluate;
mod keys;
mod lex;
mod parse;
mod print;

use crate::analysis::connection::{By, Opening, Phase, ResetKind, State, Who};
use crate::base::certainty::Certainty;
use crate::protocol::http::{Outcome, Protocol};
use crate::rules::Severity;

use address::Place;
use amount::{Bound, Unit};

pub use complete::{Completion, Offer, complete};
pub use evaluate::{Chosen, Sieve};
pub use keys::{KEYS, Key};
pub use parse::Wrong;

/// Which connections are meant; by itself all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// `None` is everything.
    expr: Option<Expr>,
}

impl Query {
    /// Reads a line.
    ///
    /// # Errors
    /// When a word makes no sense; the error points at it.
    pub fn parse(text: &str) -> Result<Self, Wrong> {
        parse::parse(text)
    }

    /// Whether it means every connection.
    #[must_use]
    pub const fn is_everything(&self) -> bool {
        self.expr.is_none()
    }
}

/// How tests are joined. Never nested without need: no `All` in an `All`, no `Any` in an `Any`, none with fewer than two.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Expr {
    All(Vec<Expr>),
    Any(Vec<Expr>),
    Not(Box<Expr>),
    Test(Test),
}

/// What is asked of one connection.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Test {
    By(By),
    How(Means),
    Phase(Phase),
    Opening(Opening),
    Protocol(Protocol),
    Orderly(bool),
    Certainty(Certainty),
    /// Of either side, if neither is named.
    State(Option<Who>, State),
    /// Of either side, if neither is named.
    Place(Option<Who>, Place),
    Outcome(Outcome),
    Amount(Measure, Bound),
    /// A rule with this in its name.
    Rule(String),
    Severity(Grade),
    /// No finding names it.
    Unnamed,
    /// A request's host, target, or program has this in it.
    Said(Part, String),
    /// Anything that a row shows has this in it.
    Text(String),
}

/// By which means it ended, coarse or fine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Means {
    Fin,
    Reset,
    Kind(ResetKind),
    Silence,
    Open,
}

/// How bad the findings that name it are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Grade {
    /// One is just so bad.
    Is(Severity),
    /// One is so bad or worse.
    AtLeast(Severity),
}

/// What can be counted or timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Measure {
    /// Its number.
    Id,
    /// A frame between its first and the one that shows its end.
    Frame,
    /// The number of a finding that names it.
    Finding,
    /// Of either side.
    Port,
    Status,
    Requests,
    Bytes,
    Took,
    Waited,
    Idle,
}

impl Measure {
    const fn unit(self) -> Unit {
        match self {
            Self::Bytes => Unit::Bytes,
            Self::Took | Self::Waited | Self::Idle => Unit::Time,
            Self::Status => Unit::Status,
            Self::Id | Self::Frame | Self::Finding | Self::Port | Self::Requests => Unit::Plain,
        }
    }
}

/// What a request said, in its own words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Host,
    Target,
    Method,
    Agent,
}
