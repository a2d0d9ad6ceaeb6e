//! The headline of a finding, in singular and plural.

use std::fmt;

use super::proxy_role::ProxyRole;
use super::statement::{NUMBER, Sentence};
use crate::base::format::number;
use crate::base::frame_names::FrameNames;

/// A headline, for one case and for many: "A request was reset", "7 requests were reset".
///
/// A rule writes both as one template, `[A request was|# requests were] reset`, in which `#` is the number of cases. A
/// template without `#` holds for any number.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Headline {
    one: String,
    /// What stands before the number and after it; without a number all of it stands before.
    many: (String, Option<String>),
}

impl Headline {
    pub(super) fn of(sentence: &Sentence, frames: &FrameNames, proxy: ProxyRole) -> Self {
        let many = sentence.choice(true, frames, proxy);
        let many = match many.split_once(NUMBER) {
            Some((before, after)) => (before.to_owned(), Some(after.to_owned())),
            None => (many, None),
        };
        Self {
            one: sentence.choice(false, frames, proxy),
            many,
        }
    }

    /// The headline over so many cases.
    #[must_use]
    pub fn over(&self, times: u64) -> String {
        match (&self.many, times) {
            (_, 0 | 1) => self.one.clone(),
            ((before, Some(after)), many) => format!("{before}{}{after}", number(many)),
            ((text, None), _) => text.clone(),
        }
    }
}

/// A headline that holds for any number.
impl From<&str> for Headline {
    fn from(text: &str) -> Self {
        Self {
            one: text.to_owned(),
            many: (text.to_owned(), None),
        }
    }
}

/// The headline over one case.
impl fmt::Display for Headline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.one)
    }
}
