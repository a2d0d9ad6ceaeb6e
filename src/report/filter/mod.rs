//! The filter language that selects connections.
//!
//! In: a line such as `by:server how:reset took:>5s (status:5xx or rule:keep-alive-race) -client:10.0.0.0/8 checkout`.
//! Out: a [`Filter`], or a [`FilterError`] that points at the word and names a valid one; and with a
//! [`FilterEvaluator`] the matching connections of a snapshot.
//!
//! ```text
//! query = all { "or" all }
//! all   = one { one }                      "and" may stand between, and says nothing
//! one   = { "-" | "not" } ( "(" query ")" | test )
//! test  = key ":" value { "," value } | word | quoted
//! ```
//!
//! Several values are alternatives. Numbers take `>` `>=` `<` `<=` and `2..5`; times have units (`ms`, `s`, `min`, `h`)
//! and so have bytes (`kB`, `MB`). A bare time or byte count means at least that much, a bare number exactly that. A
//! word without a key is searched in what a row shows: addresses and names, how it ended, rules, requests and statuses.
//!
//! Tests of requests that all must hold are of one request: `path:/x status:502` is a connection on which `/x` got 502.
//! What the command line and other programs call a filter is accepted too: `--rule NAME`, `host 10.0.0.1 and port 80`
//! (`foreign.rs`).
//!
//! People type what they know from elsewhere: `how:rst` is understood as it is, a Wireshark display filter is translated
//! (`Filter::understand`) or, where one is no filter, an error that offers its translation.
//!
//! Not included: names that would have to be resolved, and arithmetic.

mod address;
mod amount;
mod complete;
mod error;
mod evaluate;
mod expr;
mod foreign;
mod keys;
mod lex;
mod parse;
mod print;
mod wireshark;

use crate::rules::Finding;
use expr::FilterExpr;

pub use complete::{Completion, Offer, complete};
pub use error::FilterError;
pub use evaluate::{FilterEvaluator, FilterResult, RequestMatcher};
pub use keys::FilterKey;
pub use wireshark::DisplayFilter;

/// How a Wireshark display filter was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TranslatedFilter {
    /// The line of this language that says the same.
    pub(crate) line: String,
    caution: Option<&'static str>,
}

impl TranslatedFilter {
    /// `Wireshark filter taken as port:80`, and what to mind.
    pub(crate) fn told(&self) -> String {
        let caution = self.caution.map(|it| format!(" ({it})"));
        let caution = caution.unwrap_or_default();
        format!("Wireshark filter taken as {}{caution}", self.line)
    }
}

/// A filter of connections; the default matches all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// `None` matches everything.
    expr: Option<FilterExpr>,
}

impl Filter {
    /// Parses a line.
    ///
    /// # Errors
    ///
    /// If a word is invalid; the error points at it.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        parse::parse(text)
    }

    /// Parses a line that may also be a Wireshark display filter. That is translated, and how it was understood comes with it.
    ///
    /// # Errors
    ///
    /// If a word is invalid, or the display filter has no equal; the error points at it.
    pub(crate) fn understand(text: &str) -> Result<(Self, Option<TranslatedFilter>), FilterError> {
        let display = DisplayFilter::recognise(text);
        let Some(Ok(line)) = display.as_ref().map(DisplayFilter::to_line) else {
            return Self::parse(text).map(|filter| (filter, None));
        };
        let filter = Self::parse(&line)?;
        let caution = display.and_then(|it| it.caution());
        Ok((filter, Some(TranslatedFilter { line, caution })))
    }

    /// What it says of one request; `None` if nothing.
    #[must_use]
    pub(crate) fn of_request(&self) -> Option<RequestMatcher> {
        RequestMatcher::of(self)
    }

    /// Connections that it asks for by what was found on them, and of which the details are given up: no row stands for them. At
    /// least so many; one connection may have several findings.
    #[must_use]
    pub(crate) fn beyond_rows(&self, findings: &[Finding]) -> u64 {
        let asked = findings.iter().filter(|it| {
            let expr = self.expr.as_ref();
            it.gone > 0 && expr.is_some_and(|expr| expr.asks_for(it))
        });
        asked.map(|it| it.gone).max().unwrap_or(0)
    }

    /// Whether it matches every connection.
    #[must_use]
    pub(crate) const fn is_everything(&self) -> bool {
        self.expr.is_none()
    }
}
