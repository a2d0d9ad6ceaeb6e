//! Finds the known error texts that a pasted text resembles.
//!
//! A text is a sequence of words: letters only, in lower case. Numbers, addresses, quotes and punctuation are dropped,
//! and so are the variable parts of a known text. A known text matches when its words occur in the pasted line in the
//! same order, or when the pasted words occur in it. Rare words count for more: a word's weight is the logarithm of how
//! few texts contain it. A word that no known text contains is first corrected, if a known word is within one or two
//! letters of it.
//!
//! Why words and `strsim` rather than trigrams: texts differ by single words that matter ("on a send", "on a receive"),
//! and trigrams blur those. An edit distance over whole texts would cost a thousand long comparisons; over unknown
//! words alone it costs a few short ones.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use super::error_text::{ErrorText, FACTS};

/// How well a known text matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MatchQuality {
    /// Most of its words occur.
    Alike,
    /// The pasted words are a part of it.
    Part,
    /// All its words occur, in order.
    Whole,
}

impl MatchQuality {
    /// Factor for the weight of the common words: a whole short text is better evidence than pieces of a long one.
    const fn worth(self) -> f32 {
        match self {
            Self::Whole => 1.0,
            Self::Part => 0.9,
            Self::Alike => 0.6,
        }
    }
}

/// A known text that the pasted text resembles.
#[derive(Clone, Debug)]
pub struct FuzzyMatch {
    /// The row of the table.
    pub fact: &'static ErrorText,
    /// The part of it that matches: its text, its cause or its type.
    pub text: &'static str,
    /// How well it matches.
    pub fit: MatchQuality,
    /// The weight of the common words, times the factor for `fit`.
    pub weight: f32,
}

type PhraseWord = u16;

struct Phrase {
    text: &'static str,
    words: Vec<PhraseWord>,
    weight: f32,
    facts: Vec<usize>,
}

/// A line of the pasted text.
struct PastedLine {
    words: Vec<PhraseWord>,
    /// Number of words that occur in no known text.
    unknown: usize,
}

struct PhraseIndex {
    words: HashMap<&'static str, PhraseWord>,
    weights: Vec<f32>,
    /// For each word, the phrases that contain it.
    phrases_by_word: Vec<Vec<u16>>,
    phrases: Vec<Phrase>,
}

/// A type that occurs in more rows than this (`IOException`) is not matched by itself.
const FACTS_OF_A_TYPE: usize = 16;
/// Words of a line that are compared. The longest known text has about forty.
const LINE_WORDS: usize = 96;
/// Lines that are compared: an error and its causes are at the top of a trace.
const LINES: usize = 48;
/// Words that a variable part of a text may have.
const WORDS_OF_A_GAP: usize = 12;
/// Unknown words that are corrected: a line with more of them is not a misspelt known text.
const CORRECTIONS: usize = 8;
/// Letters from which on an unknown word is tried as two words.
const LEAST_OF_TWO: usize = 6;
/// Share of a known text, by weight, that has to occur.
const ENOUGH: f32 = 0.7;
/// Share of a line, by weight, that a known text has to explain if not all of that text occurs.
const HALF: f32 = 0.5;
/// Share of a known text that a few words have to be, or words of which not all occur in it.
const SOME: f32 = 0.4;
/// Least weight of a match: a lighter one, such as a single common word, would match anything.
const MIN_WEIGHT: f32 = 2.0;
/// Weight from which on a single word matches by itself: one text in ninety contains it.
const MIN_WORD_WEIGHT: f32 = 4.5;

static PHRASES: LazyLock<PhraseIndex> = LazyLock::new(PhraseIndex::of_facts);

/// The known texts that resemble a line of `text`, best first.
#[must_use]
pub(super) fn resembling(text: &str) -> Vec<FuzzyMatch> {
    let phrases = &*PHRASES;
    let mut corrections = CORRECTIONS;
    let mut best: BTreeMap<usize, (MatchQuality, f32)> = BTreeMap::new();
    let lines = text.lines().filter(|line| !is_frame(line));
    for line in lines.flat_map(with_clauses).take(LINES) {
        let pasted = phrases.read(line, &mut corrections);
        for (phrase, fit, weight) in phrases.phrases_like(&pasted) {
            if fit == MatchQuality::Whole && !phrases.is_said(phrase, line, &pasted) {
                continue;
            }
            let entry = best.entry(phrase).or_insert((fit, weight));
            if weight > entry.1 {
                *entry = (fit, weight);
            }
        }
    }
    let heaviest = best.values().map(|it| it.1).fold(0.0, f32::max);
    let mut found: Vec<FuzzyMatch> = Vec::new();
    for (phrase, (fit, weight)) in best {
        // A whole text counts even where a longer one contains it; other matches only if nearly as good as the best.
        let near =
            weight >= heaviest * 0.85 || fit == MatchQuality::Whole && weight >= heaviest * 0.6;
        if !near {
            continue;
        }
        let Some(phrase) = phrases.phrases.get(phrase) else {
            continue;
        };
        for fact in phrase.facts.iter().filter_map(|it| FACTS.get(*it)) {
            found.push(FuzzyMatch {
                fact,
                text: phrase.text,
                fit,
                weight,
            });
        }
    }
    found.sort_by(|a, b| {
        let by_weight = b.weight.total_cmp(&a.weight);
        by_weight
            .then_with(|| b.fit.cmp(&a.fit))
            .then_with(|| a.text.cmp(b.text))
            .then_with(|| a.fact.product.rank.cmp(&b.fact.product.rank))
            .then_with(|| a.fact.product.name.cmp(b.fact.product.name))
            .then_with(|| a.fact.events.cmp(&b.fact.events))
    });
    found
}

/// A line, and its clauses if it has several: a log puts its own words before an error's.
fn with_clauses(line: &str) -> impl Iterator<Item = &str> {
    let several = clauses(line).nth(1).is_some();
    let long = |it: &&str| spelled(it).nth(2).is_some();
    std::iter::once(line).chain(clauses(line).filter(long).filter(move |_| several))
}

/// What a line says, part by part: split where programs join an error to its cause.
fn clauses(line: &str) -> impl Iterator<Item = &str> {
    line.split(": ")
        .flat_map(|it| it.split(" - "))
        .flat_map(|it| it.split("; "))
        .flat_map(|it| it.split(">"))
        .flat_map(|it| it.split(['(', ')', '[', ']', '|', '"', '{', '}']))
        .filter(|it| !it.trim().is_empty())
}

/// A text of one word with the type before it, as it is printed: without it, it says nothing.
fn whole_of_a_word(fact: &ErrorText) -> Option<&'static str> {
    let (kind, text) = fact.kind.zip(fact.text)?;
    let is_type = kind.contains('.') && !kind.contains(' ');
    let word = !text.is_empty() && text.bytes().all(|it| it.is_ascii_alphabetic());
    // Leaks a few short texts, once per process.
    (is_type && word).then(|| &*Box::leak(format!("{kind}: {text}").into_boxed_str()))
}

/// The name of a type without its package; empty for types of several words (`DEBUG log`).
fn last_name(kind: &'static str) -> &'static str {
    let name = kind.rsplit('.').next().unwrap_or(kind);
    let is_type = name.len() > 8 && name.bytes().all(|it| it.is_ascii_alphanumeric());
    if is_type { name } else { "" }
}

/// Whether a text is only a proxy's code (`SD--`, `UC`). Those depend on case and are looked up as codes.
fn is_code(text: &str) -> bool {
    text.ends_with("--") || text.len() == 2
}

/// A line of a stack trace that gives a place and no error: Java, .NET, Node, Python, Ruby, Go.
pub(super) fn is_frame(line: &str) -> bool {
    let line = line.trim();
    let called = line
        .strip_prefix("at ")
        .is_some_and(|rest| rest.contains('(') || rest.contains('/') || rest.contains('.'));
    called
        || line.starts_with("File \"")
        || line.starts_with("from /")
        || line.starts_with("--- ")
        || line.starts_with("goroutine ")
        || line.starts_with("... ") && line.ends_with(" more")
        || line.starts_with("Traceback (most recent call last)")
        || !line.is_empty() && line.bytes().all(|it| matches!(it, b'^' | b'~' | b' '))
}

impl PhraseIndex {
    fn of_facts() -> Self {
        let mut phrases = Self {
            words: HashMap::new(),
            weights: Vec::new(),
            phrases_by_word: Vec::new(),
            phrases: Vec::new(),
        };
        let mut known: HashMap<&'static str, usize> = HashMap::new();
        let mut types: HashMap<&'static str, usize> = HashMap::new();
        for fact in FACTS.iter() {
            *types.entry(fact.kind.map_or("", last_name)).or_default() += 1;
        }
        for (index, fact) in FACTS.iter().enumerate() {
            let kind = fact.kind.map(last_name).filter(|name| {
                !name.is_empty() && types.get(name).is_some_and(|it| *it <= FACTS_OF_A_TYPE)
            });
            let short = whole_of_a_word(fact);
            let texts = [fact.text, fact.cause, kind, short].into_iter().flatten();
            for text in texts.filter(|it| !is_code(it)) {
                let phrase = *known.entry(text).or_insert_with(|| {
                    let words = spelled(text).map(|word| phrases.word(word)).collect();
                    phrases.phrases.push(Phrase {
                        text,
                        words,
                        weight: 0.0,
                        facts: Vec::new(),
                    });
                    phrases.phrases.len() - 1
                });
                if let Some(phrase) = phrases.phrases.get_mut(phrase) {
                    phrase.facts.push(index);
                }
            }
        }
        phrases.weigh();
        phrases
    }

    /// The number of a word; a new word gets the next one.
    fn word(&mut self, word: &'static str) -> PhraseWord {
        let lower: &'static str = if word.bytes().any(|it| it.is_ascii_uppercase()) {
            // Leaks a few thousand short words, once per process.
            Box::leak(word.to_ascii_lowercase().into_boxed_str())
        } else {
            word
        };
        let next = PhraseWord::try_from(self.words.len()).unwrap_or(PhraseWord::MAX);
        *self.words.entry(lower).or_insert(next)
    }

    fn weigh(&mut self) {
        self.phrases_by_word = vec![Vec::new(); self.words.len()];
        for (index, phrase) in self.phrases.iter().enumerate() {
            let index = u16::try_from(index).unwrap_or(u16::MAX);
            for word in &phrase.words {
                if let Some(phrases_by_word) = self.phrases_by_word.get_mut(usize::from(*word))
                    && phrases_by_word.last() != Some(&index)
                {
                    phrases_by_word.push(index);
                }
            }
        }
        #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
        let weigh = |phrases_by_word: &Vec<u16>| {
            (self.phrases.len() as f32 / phrases_by_word.len().max(1) as f32)
                .ln()
                .max(0.1)
        };
        self.weights = self.phrases_by_word.iter().map(weigh).collect();
        let weights = &self.weights;
        for phrase in &mut self.phrases {
            phrase.weight = phrase
                .words
                .iter()
                .map(|word| weights.get(usize::from(*word)).copied().unwrap_or(0.0))
                .sum();
        }
    }

    /// The known words of a line; unknown words are corrected or left out.
    fn read(&self, line: &str, corrections: &mut usize) -> PastedLine {
        let mut words = Vec::new();
        let mut unknown = 0;
        for word in spelled(line).take(LINE_WORDS) {
            let lower = word.to_ascii_lowercase();
            if let Some(known) = self.words.get(lower.as_str()) {
                words.push(*known);
                continue;
            }
            if let Some(two) = self.two_in_one(&lower) {
                words.extend(two);
                continue;
            }
            let corrected = if *corrections > 0 && lower.len() >= 4 {
                *corrections -= 1;
                self.corrected(&lower)
            } else {
                None
            };
            match corrected {
                Some(known) => words.push(known),
                None => unknown += 1,
            }
        }
        PastedLine { words, unknown }
    }

    /// Two known words written as one: `timedout`, `hangup`.
    fn two_in_one(&self, wrong: &str) -> Option<[PhraseWord; 2]> {
        if wrong.len() < LEAST_OF_TWO {
            return None;
        }
        let known = |part: &str| self.words.get(part).copied();
        (2..wrong.len() - 1).find_map(|at| {
            let (one, two) = wrong.split_at_checked(at)?;
            // Two short words concatenate to many unrelated words by chance.
            let long = one.len().max(two.len()) * 2 >= LEAST_OF_TWO + 2;
            Some([known(one)?, known(two)?]).filter(|_| long)
        })
    }

    fn corrected(&self, wrong: &str) -> Option<PhraseWord> {
        let allowed = if wrong.len() >= 8 { 2 } else { 1 };
        let (first, last) = (wrong.bytes().next(), wrong.bytes().next_back());
        let candidates = self.words.iter().filter(|(word, _)| {
            // A typo rarely affects both the first and the last letter.
            word.len().abs_diff(wrong.len()) <= allowed
                && (word.bytes().next() == first || word.bytes().next_back() == last)
        });
        candidates
            .map(|(word, number)| {
                // Of equally near words the more common one is meant.
                let common = self
                    .phrases_by_word
                    .get(usize::from(*number))
                    .map_or(0, Vec::len);
                (
                    strsim::osa_distance(word, wrong),
                    Reverse(common),
                    *word,
                    *number,
                )
            })
            .filter(|it| it.0 <= allowed)
            .min()
            .map(|it| it.3)
    }

    /// Whether the words of a phrase stand together as a text of their own. Single words of a long sentence in the same
    /// order are no message: a text of one or two words has to be at least half of its clause.
    fn is_said(&self, phrase: usize, line: &str, pasted: &PastedLine) -> bool {
        let Some(phrase) = self.phrases.get(phrase) else {
            return false;
        };
        let count = phrase.words.len();
        let named = phrase.text.contains('_')
            || count == 1
                && phrase
                    .text
                    .bytes()
                    .skip(1)
                    .any(|it| it.is_ascii_uppercase());
        if count > 2 || named {
            let gaps = phrase.text.matches('…').count();
            let most = count + count / 2 + 2 + gaps * WORDS_OF_A_GAP;
            return self.narrowest(&phrase.words, &pasted.words) <= most;
        }
        clauses(line).chain([line]).any(|clause| {
            let clause = self.read(clause, &mut CORRECTIONS.min(2));
            let all = clause.words.len() + clause.unknown;
            all <= 2 * count && self.in_order(&phrase.words, &clause.words) > phrase.weight * 0.99
        })
    }

    /// The length of the shortest part of a line that holds these words in this order.
    fn narrowest(&self, phrase: &[PhraseWord], line: &[PhraseWord]) -> usize {
        let ends = (0..line.len()).filter_map(|start| {
            if line.get(start) != phrase.first() {
                return None;
            }
            let mut at = start;
            for word in phrase {
                at += line.get(at..)?.iter().position(|it| it == word)? + 1;
            }
            Some(at - start)
        });
        ends.min().unwrap_or(usize::MAX)
    }

    fn weight(&self, word: PhraseWord) -> f32 {
        self.weights.get(usize::from(word)).copied().unwrap_or(0.0)
    }

    /// The phrases that a line resembles: index, quality and weight.
    fn phrases_like(&self, line: &PastedLine) -> Vec<(usize, MatchQuality, f32)> {
        // A partial match counts only when the line holds little else.
        let mostly_known = line.unknown * 3 <= line.words.len();
        let line = &line.words[..];
        let alone = line.first().filter(|_| line.len() == 1);
        let partly = mostly_known && alone.is_none_or(|word| self.weight(*word) >= MIN_WORD_WEIGHT);
        let few = matches!(line.len(), 2 | 3);
        let asked: f32 = line.iter().map(|word| self.weight(*word)).sum();
        if asked < MIN_WEIGHT {
            return Vec::new();
        }
        // Upper bound of the common weight, ignoring order: this excludes most phrases cheaply.
        let mut common = vec![0.0_f32; self.phrases.len()];
        let mut seen: Vec<PhraseWord> = line.to_vec();
        seen.sort_unstable();
        seen.dedup();
        for word in seen {
            for phrase in self
                .phrases_by_word
                .get(usize::from(word))
                .into_iter()
                .flatten()
            {
                if let Some(sum) = common.get_mut(usize::from(*phrase)) {
                    *sum += self.weight(word);
                }
            }
        }
        let mut like = Vec::new();
        for (index, (phrase, common)) in self.phrases.iter().zip(common).enumerate() {
            let may = common >= ENOUGH * asked || common >= ENOUGH * ENOUGH * phrase.weight;
            if common < MIN_WEIGHT.min(phrase.weight) || !may {
                continue;
            }
            let weight = self.in_order(&phrase.words, line);
            let (of_phrase, of_line) = (weight / phrase.weight.max(0.1), weight / asked);
            let fit = if of_phrase > 0.99 {
                MatchQuality::Whole
            } else if partly && of_line > 0.95 && (!few || of_phrase >= SOME) {
                MatchQuality::Part
            } else if of_phrase >= ENOUGH && of_line >= HALF
                || partly && line.len() > 2 && of_line >= ENOUGH && of_phrase >= SOME
            {
                MatchQuality::Alike
            } else {
                continue;
            };
            if weight >= MIN_WEIGHT {
                like.push((index, fit, weight * fit.worth()));
            }
        }
        like
    }

    /// The weight of the heaviest common subsequence of words.
    fn in_order(&self, phrase: &[PhraseWord], line: &[PhraseWord]) -> f32 {
        let mut row = vec![0.0_f32; line.len() + 1];
        for word in phrase {
            let mut diagonal = 0.0;
            let mut left = 0.0_f32;
            for (here, there) in row.iter_mut().skip(1).zip(line) {
                let above = *here;
                let matched = if word == there {
                    diagonal + self.weight(*word)
                } else {
                    0.0
                };
                *here = above.max(left).max(matched);
                diagonal = above;
                left = *here;
            }
        }
        row.last().copied().unwrap_or(0.0)
    }
}

/// The words of a text: they begin with a letter and are not hexadecimal numbers; `_` and digits may follow.
fn spelled(text: &str) -> impl Iterator<Item = &str> {
    text.split(|it: char| !(it.is_ascii_alphanumeric() || it == '_'))
        .filter(|word| word.starts_with(|it: char| it.is_ascii_alphabetic()))
        .filter(|word| {
            !(word.len() >= 4
                && word.bytes().any(|it| it.is_ascii_digit())
                && word.bytes().all(|it| it.is_ascii_hexdigit()))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn best(text: &str, expected: &str, fit: MatchQuality) {
        let found = resembling(text);
        let first: Vec<_> = found.iter().take(3).map(|it| (it.text, it.fit)).collect();
        let fits = |it: &&FuzzyMatch| {
            it.text.contains(expected) && it.fit == fit && it.weight >= found[0].weight * 0.999
        };
        assert!(found.iter().find(fits).is_some(), "{text}: {first:?}");
    }

    #[test]
    fn whole_texts_and_parts() {
        best("socket hang up", "socket hang up", MatchQuality::Whole);
        best(
            "Empty reply from server",
            "Empty reply from server",
            MatchQuality::Whole,
        );
        best(
            "An unexpected error occurred on a receive",
            "occurred on a receive",
            MatchQuality::Part,
        );
        best(
            "unexpected error occurred on a send",
            "occurred on a send",
            MatchQuality::Part,
        );
        best(
            "A connection that was expected to be kept alive was closed by the server",
            "kept alive",
            MatchQuality::Part,
        );
        best(
            "Remote end closed connection without response",
            "Remote end closed connection without response",
            MatchQuality::Whole,
        );
    }

    #[test]
    fn variable_parts_and_surroundings_do_not_matter() {
        best(
            "2025-11-20 19:01:02 ERROR curl: (18) transfer closed with 4711 bytes remaining to read (attempt 3)",
            "transfer closed with … bytes remaining to read",
            MatchQuality::Whole,
        );
        best(
            "Exception in thread \"main\" java.net.SocketException: Unexpected end of file from server\n\
             \tat java.base/sun.net.www.http.HttpClient.parseHTTPHeader(HttpClient.java:954)\n\
             \tat Main.main(Main.java:7)",
            "Unexpected end of file from server",
            MatchQuality::Whole,
        );
        best(
            "2025/11/20 19:01:02 [error] 31#31: *7 upstream prematurely closed connection while reading response header \
             from upstream, client: 10.0.0.1, server: _, request: \"GET / HTTP/1.1\"",
            "upstream prematurely closed connection while reading response header from upstream",
            MatchQuality::Whole,
        );
    }

    #[test]
    fn slips_are_put_right() {
        best("sokcet hang up", "socket hang up", MatchQuality::Whole);
        best(
            "Emtpy reply form server",
            "Empty reply from server",
            MatchQuality::Whole,
        );
        best(
            "transfer closd with 12 bytes remainig to read",
            "bytes remaining to read",
            MatchQuality::Whole,
        );
        best(
            "upstream prematurly closed conection",
            "upstream prematurely closed connection",
            MatchQuality::Part,
        );
    }

    #[test]
    fn what_resembles_nothing_finds_nothing() {
        for text in [
            "",
            "the",
            "hello world",
            "error",
            "…",
            "banana republic of letters",
        ] {
            let found = resembling(text);
            assert!(
                found.is_empty(),
                "{text}: {:?}",
                found.iter().map(|it| it.text).collect::<Vec<_>>()
            );
        }
    }
}
