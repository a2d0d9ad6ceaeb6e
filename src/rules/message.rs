//! The text of a finding, which can still be joined with that of others.

use super::statement::{Sentence, Statement};
use crate::base::frame_ref::FrameNames;

/// The text of a finding: what happened, then what it means. It can be used like the string of both.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    statement: Statement,
    text: String,
    /// Bytes that say what happened.
    happened: usize,
}

impl Message {
    pub(super) fn of(statement: Statement, frames: &FrameNames) -> Self {
        let mut text = statement.happened(frames);
        let meaning = statement.meaning(frames);
        let happened = text.len();
        if happened > 0 && !meaning.is_empty() {
            text.push(' ');
        }
        text += &meaning;
        Self {
            statement,
            text,
            happened,
        }
    }

    /// What happened.
    #[must_use]
    pub fn happened(&self) -> &str {
        self.text.get(..self.happened).unwrap_or(&self.text)
    }

    /// What it means for the user; may be empty.
    #[must_use]
    pub fn meaning(&self) -> &str {
        let rest = self.text.get(self.happened..);
        rest.unwrap_or_default().trim_start()
    }

    /// Whether it advises against a retry.
    pub(crate) fn forbids_retry(&self) -> bool {
        self.statement.forbids_retry()
    }

    /// Adds to what happened.
    pub(super) fn say(&mut self, sentence: Sentence, frames: &FrameNames) {
        let mut statement = std::mem::take(&mut self.statement);
        statement.say(sentence);
        *self = Self::of(statement, frames);
    }

    /// The text that holds for the cases of this one and of the others.
    pub(super) fn joined<'a>(
        &self,
        others: impl IntoIterator<Item = &'a Self>,
        frames: &FrameNames,
    ) -> Self {
        let mut statement = self.statement.clone();
        for other in others {
            statement.absorb(other.statement.clone());
        }
        Self::of(statement, frames)
    }
}

impl std::ops::Deref for Message {
    type Target = str;

    fn deref(&self) -> &str {
        &self.text
    }
}

impl std::fmt::Display for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl PartialEq<&str> for Message {
    fn eq(&self, other: &&str) -> bool {
        self.text == *other
    }
}

/// All of it says what happened.
impl From<&'static str> for Message {
    fn from(text: &'static str) -> Self {
        Self::of(Statement::from(text), &FrameNames::default())
    }
}
