//! How sure a claim is. Nothing is claimed that the capture does not show.

/// How sure a claim is, surest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Certainty {
    /// The captured bytes prove it.
    Certain,
    /// Another reading exists, but it is far-fetched.
    Likely,
    /// One of several readings.
    Possible,
}

impl Certainty {
    /// The word in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Certain => "certain",
            Self::Likely => "likely",
            Self::Possible => "possible",
        }
    }
}
