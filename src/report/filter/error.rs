//! Why a line is no filter.

use std::ops::Range;

/// An invalid word of a line, and what was likely meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterError {
    /// The word's byte range in the line; empty where a word is missing.
    pub at: Range<usize>,
    /// What is wrong with it.
    pub message: String,
    /// A valid word to replace it, if one is near.
    pub instead: Option<String>,
}
