//! The text of a finding, which can still be joined with that of others.

use std::borrow::Cow;

use super::proxy_role::ProxyRole;
use super::statement::{Paragraph, Sentence, Statement};
use crate::base::certainty::Certainty;
use crate::base::frame_names::FrameNames;

/// The text of a finding: what happened, then what it means. It can be used like the string of both.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    statement: Statement,
    happened: Vec<Paragraph>,
    meaning: Vec<Paragraph>,
    text: String,
    /// Bytes of the text that say what happened.
    end: usize,
    /// Where the text begins to say what it means.
    start: usize,
}

impl Message {
    pub(super) fn of(statement: Statement, frames: &FrameNames) -> Self {
        let (happened, meaning) = (statement.happened(frames), statement.meaning(frames));
        Self::made(statement, happened, meaning)
    }

    fn made(statement: Statement, happened: Vec<Paragraph>, meaning: Vec<Paragraph>) -> Self {
        let joined = |all: &[Paragraph]| {
            let each = all.iter().map(ToString::to_string);
            each.collect::<Vec<_>>().join(" ")
        };
        let mut text = joined(&happened);
        let end = text.len();
        if let (Some(last), Some(first)) = (happened.last(), meaning.first()) {
            text.push(' ');
            // In one line, what holds for all would be taken for a part of what holds for some.
            if !last.lead.is_empty() && first.lead.is_empty() {
                text += statement.lead_of_all();
            }
        }
        let start = text.len();
        text += &joined(&meaning);
        Self {
            statement,
            happened,
            meaning,
            text,
            end,
            start,
        }
    }

    /// The same with a hedge before the first sentence of each paragraph that is inferred. Where none is marked as such, all
    /// of it is.
    #[must_use]
    pub fn hedged(&self, certainty: Certainty) -> Self {
        let hedge = certainty.hedge();
        if hedge.is_empty() {
            return self.clone();
        }
        let (mut happened, mut meaning) = (self.happened.clone(), self.meaning.clone());
        // What it means rests on what happened: a hedge there holds for both.
        let in_first = happened.iter().any(|it| it.presumed.is_some());
        let in_second = meaning.iter().any(|it| it.presumed.is_some());
        let hedged = match in_first || !in_second {
            true => &mut happened,
            false => &mut meaning,
        };
        if !in_first && !in_second {
            hedged.iter_mut().take(1).for_each(|it| it.hedge(0, hedge));
        }
        for it in hedged {
            if let Some(at) = it.presumed {
                it.hedge(at, hedge);
            }
        }
        Self::made(self.statement.clone(), happened, meaning)
    }

    /// What happened.
    #[must_use]
    pub fn happened(&self) -> &str {
        self.text.get(..self.end).unwrap_or(&self.text)
    }

    /// What it means for the user; may be empty.
    #[must_use]
    pub fn meaning(&self) -> &str {
        self.text.get(self.start..).unwrap_or_default()
    }

    /// What happened, in paragraphs: what holds for other connections stands in another one, and begins with their numbers.
    pub fn happened_in_parts(&self) -> impl Iterator<Item = String> {
        self.happened.iter().map(ToString::to_string)
    }

    /// What it means for the user, in paragraphs.
    pub fn meaning_in_parts(&self) -> impl Iterator<Item = String> {
        self.meaning.iter().map(ToString::to_string)
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

    /// Puts this before what happened.
    pub(super) fn say_first(&mut self, sentences: Vec<Sentence>, frames: &FrameNames) {
        let mut statement = std::mem::take(&mut self.statement);
        statement.say_first(sentences);
        *self = Self::of(statement, frames);
    }

    /// Adds to what it means.
    pub(super) fn mean(&mut self, sentence: Sentence, frames: &FrameNames) {
        let mut statement = std::mem::take(&mut self.statement);
        statement.mean(sentence);
        *self = Self::of(statement, frames);
    }

    /// Says this in place of what it means with that template.
    pub(super) fn mean_instead(
        &mut self,
        template: &str,
        sentence: &'static str,
        frames: &FrameNames,
    ) {
        let mut statement = std::mem::take(&mut self.statement);
        statement.mean_instead(template, sentence);
        *self = Self::of(statement, frames);
    }

    /// Says which side is a proxy.
    pub(super) fn set_proxy(&mut self, proxy: ProxyRole, frames: &FrameNames) {
        let mut statement = std::mem::take(&mut self.statement);
        statement.set_proxy(proxy);
        *self = Self::of(statement, frames);
    }

    /// Leaves out what it says about a retry.
    pub(super) fn leave_out_retry(&mut self) {
        let mut statement = std::mem::take(&mut self.statement);
        statement.leave_out_retry();
        self.statement = statement;
    }

    /// The text that holds for the cases of this one and of the others, each with its certainty.
    pub(super) fn joined<'a>(
        &self,
        certainty: Certainty,
        others: impl IntoIterator<Item = (&'a Self, Certainty)>,
        frames: &FrameNames,
    ) -> Self {
        let mut statement = self.statement.clone();
        for (other, own) in others {
            let mut other = other.statement.clone();
            if own != certainty {
                other.hedge_each(own);
            }
            statement.absorb(other);
        }
        Self::of(statement, frames)
    }
}

/// Words that may begin a sentence and are no names, so that they are written small after a colon.
const SMALL: [&str; 70] = [
    "A",
    "After",
    "All",
    "An",
    "Another",
    "Any",
    "As",
    "At",
    "Authentication",
    "Both",
    "Certificate",
    "Client",
    "Client's",
    "Compressed",
    "Connection",
    "Copies",
    "Data",
    "Each",
    "Every",
    "Gateway",
    "Health",
    "Idle",
    "In",
    "It",
    "Its",
    "Keep-alive",
    "Large",
    "Later",
    "Lost",
    "Message",
    "Most",
    "Name",
    "No",
    "Nobody",
    "None",
    "Nothing",
    "On",
    "One",
    "Pipelined",
    "Plain",
    "Port",
    "Ports",
    "Proxy",
    "Request",
    "Requests",
    "Reset",
    "Response",
    "Retransmissions",
    "Segment",
    "Server",
    "Server's",
    "Session",
    "So",
    "Some",
    "Somebody",
    "Such",
    "That",
    "The",
    "Their",
    "Then",
    "There",
    "These",
    "They",
    "This",
    "Those",
    "Unsolicited",
    "What",
    "Which",
    "With",
    "Within",
];

/// A sentence after a colon: its first word is written small if it is no name.
pub(crate) fn within_a_sentence(text: &str) -> Cow<'_, str> {
    let word = text.split(' ').next().unwrap_or_default();
    match SMALL.contains(&word) {
        true => Cow::Owned(format!(
            "{}{}",
            word.to_ascii_lowercase(),
            text.strip_prefix(word).unwrap_or_default()
        )),
        false => Cow::Borrowed(text),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hedge_stands_before_what_is_inferred() {
        let told = |statement: Statement, certainty| {
            let message = Message::of(statement, &FrameNames::default());
            let hedged = message.hedged(certainty);
            (hedged.happened().to_owned(), hedged.meaning().to_owned())
        };
        let fact = || Statement::from("The server sent it 4 times.");
        let inferred = || fact().presuming("The path lost it.");
        for (statement, certainty, happened, meaning) in [
            (
                inferred(),
                Certainty::Certain,
                "The server sent it 4 times. The path lost it.",
                "",
            ),
            (
                inferred().means("Retry it."),
                Certainty::Likely,
                "The server sent it 4 times. Likely: the path lost it.",
                "Retry it.",
            ),
            (
                fact().means(Sentence::from("GET was lost.").presumed()),
                Certainty::Possible,
                "The server sent it 4 times.",
                "Possibly: GET was lost.",
            ),
            (
                fact(),
                Certainty::Likely,
                "Likely: the server sent it 4 times.",
                "",
            ),
        ] {
            let wanted = (happened.to_owned(), meaning.to_owned());
            assert_eq!(told(statement, certainty), wanted);
        }
    }
}
