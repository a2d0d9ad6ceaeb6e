//! Messages that programs of all kinds print, matched word by word: databases, mail, shells, message brokers, RPC,
//! browsers. They complement the texts that are predicted, which are those of HTTP programs.
//!
//! `messages.tsv` has one row per message: the program, the words in lower case with `…` for a variable part, and the
//! wire events, likeliest first. A row without events is an answer or a state of the program itself, which the
//! connection carried in order. A row of the program `*` is a message of the system, which any program may print.
//! `programs.tsv` has the words by which programs are recognised that have no predicted texts.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::basis::Basis;
use super::table::{self, field};
use super::wire_event::WireEvent;

/// One message.
#[derive(Debug, PartialEq, Eq)]
pub struct Message {
    /// The program that prints it; `None` for a message of the system.
    pub program: Option<&'static str>,
    /// Its words.
    pub phrase: &'static str,
    /// The wire events it stands for, likeliest first; empty if it is no event on the wire.
    pub events: Vec<WireEvent>,
    /// A further remark.
    pub note: Option<&'static str>,
    /// How it is known that the program prints it.
    pub basis: Basis,
    /// The version of the program with which it was checked.
    pub version: &'static str,
    /// The source of this row.
    pub source: &'static str,
}

/// All messages.
static MESSAGES: LazyLock<Vec<Message>> = LazyLock::new(|| {
    table::rows(include_str!("messages.tsv"))
        .map(
            |[program, phrase, events, note, basis, version, source]| Message {
                program: (program != "*").then_some(program),
                phrase,
                events: events.split(' ').filter_map(WireEvent::named).collect(),
                note: field(note),
                basis: Basis::named(basis),
                version,
                source,
            },
        )
        .collect()
});

/// The messages by their first word.
static BY_FIRST_WORD: LazyLock<HashMap<&'static str, Vec<&'static Message>>> =
    LazyLock::new(|| {
        let mut index: HashMap<&'static str, Vec<&'static Message>> = HashMap::new();
        for message in MESSAGES.iter() {
            let first = message.phrase.split(' ').next().unwrap_or_default();
            let first = first.strip_prefix('=').unwrap_or(first);
            index.entry(first).or_default().push(message);
        }
        index
    });

/// A program without predicted texts: its title, and the words that name it.
struct NamedProgram {
    title: &'static str,
    words: Vec<&'static str>,
    /// The protocols that it speaks: words of `service.rs`, with spaces between.
    protocols: &'static str,
}

static PROGRAMS: LazyLock<Vec<NamedProgram>> = LazyLock::new(|| {
    table::rows(include_str!("programs.tsv"))
        .map(|[title, words, protocols]| NamedProgram {
            title,
            words: words.split(' ').collect(),
            protocols,
        })
        .collect()
});

/// Words that a variable part may have.
const GAP: usize = 30;
/// Words that are read: a pasted line has a few dozen, a trace a few hundred.
const WORDS: usize = 1024;

/// The messages in a text, the longest first; a message within a longer one is left out.
#[must_use]
pub(super) fn messages_in(text: &str) -> Vec<&'static Message> {
    let words = words(text);
    let mut found: Vec<(usize, usize, usize, &'static Message)> = Vec::new();
    for (start, word) in words.iter().enumerate() {
        for message in BY_FIRST_WORD.get(word.as_str()).into_iter().flatten() {
            if let Some((end, length)) = match_at(message, &words, start) {
                found.push((start, end, length, message));
            }
        }
    }
    let all = found.clone();
    found.retain(|(start, end, length, _)| {
        !all.iter()
            .any(|(from, to, longer, _)| from <= start && end <= to && longer > length)
    });
    // The system's own words are the weaker evidence, wherever they stand; a program's identifier the strongest.
    found.sort_by_key(|(start, _, length, message)| {
        let spelled = !message.phrase.contains('_');
        let length = std::cmp::Reverse(*length);
        (message.program.is_none(), spelled, length, *start)
    });
    let mut messages: Vec<&'static Message> = Vec::new();
    for (.., message) in found {
        if !messages.contains(&message) {
            messages.push(message);
        }
    }
    messages
}

/// The program that a text names and that has no predicted texts.
#[must_use]
pub(super) fn program_in(text: &str) -> Option<&'static str> {
    let words = words(text);
    let named = |it: &&NamedProgram| {
        words.iter().any(|word| {
            it.words.iter().any(|name| match name.strip_suffix('*') {
                Some(stem) => word.starts_with(stem),
                None => word == name,
            })
        })
    };
    PROGRAMS.iter().find(named).map(|it| it.title)
}

/// The protocols that a program speaks, by its title or the name of a program of that kind; empty if they are not known.
#[must_use]
pub(super) fn protocols_of(program: &str) -> &'static str {
    let titled = PROGRAMS.iter().find(|it| it.title == program);
    let titled = titled.or_else(|| {
        let title = program_in(program)?;
        PROGRAMS.iter().find(|it| it.title == title)
    });
    titled.map_or("", |it| it.protocols)
}

/// Whether the message begins at this word: the word after its last one, and how many of its words there are.
fn match_at(message: &Message, words: &[String], start: usize) -> Option<(usize, usize)> {
    let (phrase, alone) = match message.phrase.strip_prefix('=') {
        Some(phrase) => (phrase, true),
        None => (message.phrase, false),
    };
    let mut at = start;
    let mut length = 0;
    for (index, part) in phrase.split(" … ").enumerate() {
        let part: Vec<&str> = part.split(' ').collect();
        let last = if index == 0 { at } else { at + GAP };
        let fits = |from: &usize| {
            let there = words.get(*from..from + part.len());
            there.is_some_and(|there| there.iter().zip(&part).all(|(a, b)| a == b))
        };
        at = (at..=last).find(fits)? + part.len();
        length += part.len();
    }
    (!alone || words.len() == length).then_some((at, length))
}

/// The words of a text in lower case: letters, digits and `_`.
fn words(text: &str) -> Vec<String> {
    text.split(|it: char| !(it.is_ascii_alphanumeric() || it == '_'))
        .filter(|word| !word.is_empty())
        .take(WORDS)
        .map(str::to_ascii_lowercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::basis::is_told;
    use super::*;

    #[test]
    fn the_tables_are_well_formed() {
        table::well_formed::<7>(include_str!("messages.tsv"));
        table::well_formed::<3>(include_str!("programs.tsv"));
        for row in table::rows::<7>(include_str!("messages.tsv")) {
            for event in row[2].split(' ').filter(|it| !it.is_empty()) {
                assert!(WireEvent::named(event).is_some(), "{row:?}");
            }
            assert!(!row[0].is_empty() && !row[6].is_empty(), "{row:?}");
            assert!(is_told(row[4], row[5], row[6]), "{row:?}");
            assert!(!row[2].is_empty() || !row[3].is_empty(), "{row:?}");
            let plain = row[1].trim_start_matches('=').replace(" … ", " ");
            assert_eq!(words(&plain).join(" "), plain, "words in lower case");
        }
        for message in MESSAGES.iter() {
            let side = message.events.first().map(|it| it.side());
            let mixed = message.program.is_some_and(|it| {
                // One text at both ends.
                !["Windows", "Java", "RabbitMQ", "Go"].contains(&it)
            });
            assert!(
                !mixed || message.events.iter().all(|it| Some(it.side()) == side),
                "{message:?}"
            );
        }
    }

    #[track_caller]
    fn finds(text: &str, phrases: &[&str]) {
        let found: Vec<_> = messages_in(text).iter().map(|it| it.phrase).collect();
        assert_eq!(found, phrases, "{text}");
    }

    #[test]
    fn the_longest_message_wins() {
        finds(
            "(2013, 'Lost connection to MySQL server during query')",
            &["lost connection to mysql server during query"],
        );
        finds(
            "read tcp 10.0.0.1:5000->10.0.0.2:80: i/o timeout",
            &["read tcp … i o timeout"],
        );
        finds("1006", &["=1006"]);
        finds("there were 1006 of them", &[]);
        finds("lost connection", &[]);
    }

    #[test]
    fn a_program_is_named_by_a_word() {
        assert_eq!(
            program_in("psycopg2.OperationalError: x"),
            Some("PostgreSQL")
        );
        assert_eq!(program_in("nothing of the kind"), None);
    }
}
