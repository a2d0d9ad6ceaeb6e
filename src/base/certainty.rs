//! How sure a claim is. Nothing is claimed that the capture does not show.

use std::fmt;

/// How sure a claim is, in descending order of certainty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Certainty {
    /// The captured bytes prove it.
    Certain,
    /// Another explanation exists, but it is far-fetched.
    Likely,
    /// One of several plausible explanations.
    Possible,
}

impl Certainty {
    /// The name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Certain => "certain",
            Self::Likely => "likely",
            Self::Possible => "possible",
        }
    }

    /// What stands before the sentence that is only inferred.
    #[must_use]
    pub const fn hedge(self) -> &'static str {
        match self {
            Self::Certain => "",
            Self::Likely => "Likely: ",
            Self::Possible => "Possibly: ",
        }
    }
}

impl fmt::Display for Certainty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
