//! Completions at the cursor of a filter line: keys, and the values of a key.

use std::ops::Range;

use super::keys::{KEYS, named};

/// The completions for the word at the cursor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Completion {
    /// The byte range of the line that a completion replaces.
    pub replaces: Range<usize>,
    /// The completions, likeliest first.
    pub offers: Vec<Offer>,
}

/// One completion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The text to insert.
    pub text: &'static str,
    /// What it means; may be empty.
    pub help: &'static str,
    /// Whether it is a key, to be followed by a colon and a value.
    pub is_key: bool,
}

/// The completions at this byte of the line.
#[must_use]
pub fn complete(line: &str, cursor: usize) -> Completion {
    let Some(before) = line.get(..cursor.min(line.len())) else {
        return Completion::default();
    };
    let ends_word = |char: char| char.is_whitespace() || matches!(char, '(' | ')' | '"');
    let start = before.rfind(ends_word).map_or(0, |at| {
        at + before[at..].chars().next().map_or(1, char::len_utf8)
    });
    let start =
        start + before[start..].len() - before[start..].trim_start_matches(['-', '!']).len();
    let word = &before[start..];
    match word.split_once(':') {
        None => Completion {
            replaces: start..before.len(),
            offers: matching(word, KEYS.iter().map(|key| (key.name, key.help)), true),
        },
        Some((name, values)) => {
            let Some((key, _)) = named(name) else {
                return Completion::default();
            };
            let value = values.rsplit(',').next().unwrap_or_default();
            let words = key.words().into_iter().map(|word| (word, ""));
            Completion {
                replaces: before.len() - value.len()..before.len(),
                offers: matching(value, words, false),
            }
        }
    }
}

/// The words that begin with the text typed, then those that contain it; none if the text is already a complete word.
fn matching(
    typed: &str,
    known: impl Iterator<Item = (&'static str, &'static str)>,
    is_key: bool,
) -> Vec<Offer> {
    let typed = typed.to_ascii_lowercase();
    let mut found: Vec<_> = known
        .filter_map(|(text, help)| {
            let at = text.to_ascii_lowercase().find(&typed)?;
            Some((at > 0, Offer { text, help, is_key }))
        })
        .collect();
    found.sort_by_key(|(inside, _)| *inside);
    let offers: Vec<_> = found.into_iter().map(|(_, offer)| offer).collect();
    match &offers[..] {
        [only] if !is_key && only.text.eq_ignore_ascii_case(&typed) => Vec::new(),
        _ => offers,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(line: &str, replaced: &str, first: &[&str]) {
        let found = complete(line, line.len());
        assert_eq!(&line[found.replaces.clone()], replaced);
        let texts: Vec<_> = found
            .offers
            .iter()
            .map(|offer| offer.text)
            .take(first.len())
            .collect();
        assert_eq!(texts, first, "{line}");
    }

    #[test]
    fn words_are_offered() {
        check("", "", &["by", "how", "phase"]);
        check("by:client h", "h", &["how", "host"]);
        check("-ph", "ph", &["phase"]);
        check("(ser", "ser", &["server", "server-state"]);
        check("how:", "", &["fin", "reset", "silence", "open"]);
        check("how:re", "re", &["reset", "refusal"]);
        check("by:client,s", "s", &["server"]);
        check("rule:race", "race", &["keep-alive-race"]);
        check("state:time", "time", &["TIME-WAIT"]);
        assert_eq!(complete("by:client", 9).offers, []);
        assert_eq!(complete("nothing:x", 9).offers, []);
    }

    proptest! {
        #[test]
        fn any_cursor_will_do(line: String, cursor: usize) {
            let cursor = cursor % (line.len() + 2);
            let found = complete(&line, cursor);
            prop_assert!(line.get(found.replaces).is_some());
        }
    }
}
