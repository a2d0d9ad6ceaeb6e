//! Completions of the filter line, and the one that Tab has inserted.

use super::PromptCompletion;
use crate::report::filter::{Completion, Offer, complete};

/// The completions of a line. Tab inserts the first; each further Tab replaces it with the next.
#[derive(Default)]
pub(super) struct Completions {
    taken: Option<InsertedOffer>,
}

/// A completion that was inserted into the line.
struct InsertedOffer {
    /// The line after the insertion; `typed` is what the user typed before it.
    line: String,
    typed: (String, usize),
    nth: usize,
}

impl Completions {
    /// Completes the line at byte `at`, or replaces the completion inserted last with the next one.
    pub(super) fn next(&mut self, line: &str, at: usize) -> Option<PromptCompletion> {
        let again = self.taken.take().filter(|it| it.line == line);
        let (typed, at, nth) = match again {
            Some(InsertedOffer {
                typed: (text, at),
                nth,
                ..
            }) => (text, at, nth + 1),
            None => (line.to_owned(), at, 0),
        };
        let Completion { replaces, offers } = complete(&typed, at);
        let nth = nth.checked_rem(offers.len())?;
        let mut line = typed.clone();
        let word = spelled(&offers[nth]);
        let end = replaces.start + word.len();
        line.replace_range(replaces, &word);
        // A single candidate is final: the next Tab completes what follows it.
        if offers.len() > 1 {
            self.taken = Some(InsertedOffer {
                line: line.clone(),
                typed: (typed, at),
                nth,
            });
        }
        Some(PromptCompletion { line, at: end })
    }

    /// The completions of a line, each with whether it is the inserted one.
    pub(super) fn of(&self, line: &str) -> impl Iterator<Item = (String, bool)> {
        let taken = self.taken.as_ref().filter(|it| it.line == line);
        let found = match taken {
            Some(InsertedOffer {
                typed: (text, at), ..
            }) => complete(text, *at),
            None => complete(line, line.len()),
        };
        let nth = taken.map(|it| it.nth);
        let offers = found.offers.into_iter().enumerate();
        offers.map(move |(at, offer)| (spelled(&offer), Some(at) == nth))
    }
}

fn spelled(offer: &Offer) -> String {
    let colon = if offer.is_key { ":" } else { "" };
    format!("{}{colon}", offer.text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tab_goes_through_what_fits() {
        let mut completions = Completions::default();
        let first = completions.next("took:>1s ph", 11).unwrap();
        assert_eq!((first.line.as_str(), first.at), ("took:>1s phase:", 15));
        assert!(completions.next("how:zzz", 7).is_none());
        let one = completions.next("by:", 3).unwrap();
        let two = completions.next(&one.line, one.at).unwrap();
        assert_ne!(one, two);
        assert!(two.line.starts_with("by:") && two.line.len() > 3);
        let shown: Vec<_> = completions.of(&two.line).collect();
        assert!(shown.len() > 1 && shown[1].1, "{shown:?}");
        // Wraps around to the first.
        let mut line = two;
        for _ in 2..=shown.len() {
            line = completions.next(&line.line, line.at).unwrap();
        }
        assert_eq!(line, one);
    }
}
