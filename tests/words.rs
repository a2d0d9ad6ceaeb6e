//! How the program speaks (`docs/words.md`): no text has a word of the table there, headlines and sentences are short,
//! counts agree with their nouns.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod literals;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use hangup::rules::CATALOGUE;
use hangup::{Analysis, Finding};
use literals::elsewhere;

/// Characters of a headline.
const HEADLINE: usize = 60;
/// Words of a sentence.
const SENTENCE: usize = 25;
/// Characters of what a frame of evidence shows.
const EVIDENCE: usize = 80;

/// The words that are not used, each with the reason.
fn unused() -> Vec<(String, String)> {
    let text = fs::read_to_string("docs/words.md").unwrap();
    let table = text.split("## Words that are not used").nth(1).unwrap();
    let rows = table.lines().filter(|line| line.starts_with("| "));
    let rows = rows.skip(1).filter_map(|line| {
        let mut cells = line.trim_matches(['|', ' ']).split('|');
        let word = cells.next()?.trim().to_owned();
        Some((word, cells.next()?.trim().to_owned()))
    });
    rows.collect()
}

/// Where a text has a word that is not used.
fn habits<'w>(text: &str, unused: &'w [(String, String)]) -> Vec<&'w (String, String)> {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let text = text.to_lowercase();
    let has = |word: &str| {
        text.match_indices(word).any(|(at, _)| {
            let before = text[..at].chars().next_back();
            let after = text[at + word.len()..].chars().next();
            let is_word = |it: Option<char>| it.is_some_and(|it| it.is_alphanumeric() || it == '_');
            !is_word(before) && !is_word(after)
        })
    };
    unused.iter().filter(|(word, _)| has(word)).collect()
}

/// Documents for people, and rules' pages.
fn documents() -> Vec<(String, String)> {
    let mut paths = vec![PathBuf::from("README.md"), PathBuf::from("CHANGELOG.md")];
    for folder in ["docs", "docs/rules"] {
        let all = fs::read_dir(folder).unwrap();
        paths.extend(all.map(|it| it.unwrap().path()));
    }
    paths.retain(|it| {
        it.extension().is_some_and(|it| it == "md") && it != Path::new("docs/words.md")
    });
    paths.sort();
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        (path.display().to_string(), text)
    };
    paths.into_iter().map(read).collect()
}

/// A text without its pictures and code.
fn prose(text: &str) -> String {
    let mut out = String::new();
    let mut fenced = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
            out.push('\n');
        } else if !fenced && !line.starts_with("    ") {
            out += line;
            out.push('\n');
        }
    }
    out
}

/// The sentences of a paragraph; code between back quotes and quoted texts are one word each.
fn sentences(text: &str) -> Vec<String> {
    let mut plain = String::new();
    let mut quote = None;
    for char in text.chars() {
        match (quote, char) {
            (None, '`') => quote = Some('`'),
            (None, '“') => quote = Some('”'),
            (None, '"') => quote = Some('"'),
            (Some(end), char) if char == end => {
                quote = None;
                plain.push('X');
            }
            (Some(_), _) => {}
            (None, char) => plain.push(char),
        }
    }
    let mut all = vec![String::new()];
    let words: Vec<_> = plain.split_whitespace().collect();
    for (nth, word) in words.iter().enumerate() {
        let last = all.last_mut().unwrap();
        *last += word;
        last.push(' ');
        let next = words
            .get(nth + 1)
            .and_then(|it| it.chars().find(|it| it.is_alphanumeric()));
        let ends = word
            .trim_end_matches([')', '"', '*'])
            .ends_with(['.', '?', '!', ':', ';']);
        if ends
            && next.is_none_or(|it| {
                it.is_uppercase() || it.is_ascii_digit() || word.ends_with([':', ';'])
            })
        {
            all.push(String::new());
        }
    }
    all.retain(|it| !it.trim().is_empty());
    all
}

/// Whether a sentence says how many cases it holds for: "In 1 of 2 cases: …".
fn counts_its_cases(text: &str) -> bool {
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut counts = words.windows(5);
    counts.any(|it| matches!(it, ["In", _, "of", _, "cases:"]))
}

/// The sentences that are too long.
fn long(text: &str) -> Vec<String> {
    let is_long = |it: &String| it.split_whitespace().count() > SENTENCE;
    sentences(text).into_iter().filter(is_long).collect()
}

/// The findings on the recorded captures.
fn findings() -> Vec<(String, Finding)> {
    let mut paths = Vec::new();
    for folder in [
        "captures",
        "captures/healthy",
        "captures/legs",
        "captures/places",
        "captures/protocols",
    ] {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.to_string_lossy().into_owned();
            if name.contains(".pcap") {
                paths.push(name);
            }
        }
    }
    paths.sort();
    let mut all = Vec::new();
    for path in paths {
        let analysis = Analysis::of_files([&path]).unwrap();
        all.extend(
            analysis
                .findings()
                .iter()
                .map(|it| (path.clone(), it.clone())),
        );
    }
    assert!(all.len() > 300, "only {} findings", all.len());
    all
}

fn none(wrong: &BTreeSet<String>) {
    let all: Vec<&str> = wrong.iter().map(String::as_str).collect();
    assert!(
        wrong.is_empty(),
        "{} texts to write anew (docs/words.md):\n{}",
        wrong.len(),
        all.join("\n")
    );
}

#[test]
fn texts_have_no_word_that_is_not_used() {
    let unused = unused();
    assert!(unused.len() > 20);
    let mut wrong = BTreeSet::new();
    let texts = elsewhere(&["src/knowledge/"]);
    let documents = documents();
    let documents = documents
        .iter()
        .map(|(path, text)| (path.clone(), prose(text)));
    for (place, text) in texts.into_iter().chain(documents) {
        for (word, reason) in habits(&text, &unused) {
            wrong.insert(format!("{place}: “{word}”: {reason}"));
        }
    }
    none(&wrong);
}

#[test]
fn headlines_and_sentences_are_short() {
    let mut wrong = BTreeSet::new();
    for (path, finding) in findings() {
        let rule = finding.rule;
        for times in [1, 1234] {
            let headline = finding.summary.over(times);
            // Two codes are two findings.
            if headline.contains(" or ") {
                wrong.insert(format!("{rule}: two headlines in one: {headline}"));
            }
            if headline.chars().count() > HEADLINE {
                wrong.insert(format!("{rule}: long headline: {headline}"));
            }
            let first = headline.chars().next();
            let article = headline.starts_with("The ");
            if first.is_none_or(char::is_lowercase) || headline.ends_with('.') || article {
                wrong.insert(format!("{rule}: no headline: {headline}"));
            }
        }
        let texts = finding.remedies.iter().map(String::as_str);
        for text in texts.clone().chain([&*finding.message]) {
            // What holds for some connections names them.
            if finding.gone == 0 && counts_its_cases(text) {
                wrong.insert(format!("{rule}: names no connection ({path}): {text}"));
            }
        }
        for text in texts.chain([&*finding.message]) {
            for sentence in long(text) {
                wrong.insert(format!("{rule}: long sentence ({path}): {sentence}"));
            }
        }
        for evidence in &finding.evidence {
            if evidence.note.chars().count() > EVIDENCE {
                wrong.insert(format!("{rule}: long evidence: {}", evidence.note));
            }
        }
    }
    none(&wrong);
}

#[test]
fn pages_have_short_sentences() {
    let mut wrong = BTreeSet::new();
    for rule in CATALOGUE.iter() {
        let page = rule.page();
        for paragraph in prose(&page).split("\n\n") {
            for point in paragraph.split("\n- ") {
                for sentence in long(point) {
                    wrong.insert(format!("{}: {sentence}", rule.name));
                }
            }
        }
    }
    none(&wrong);
}

#[test]
fn habits_and_lengths_are_seen() {
    let unused = [
        ("in vain".to_owned(), String::new()),
        ("mend".to_owned(), String::new()),
    ];
    for (text, seen) in [
        ("It was sent\n in vain.", 1),
        ("Recommend it", 0),
        ("Mend it", 1),
        ("nothing", 0),
    ] {
        assert_eq!(habits(text, &unused).len(), seen, "{text}");
    }
    assert_eq!(
        sentences("One. Two `a. B` is here: three (RFC 9112 §9.6). 4 is.").len(),
        4
    );
    assert!(counts_its_cases("It was. In 1 of 2 cases: Do not."));
    assert!(!counts_its_cases("Compare several cases: equal ones."));
    let many = "word ".repeat(26);
    assert_eq!(long(&many).len(), 1);
    assert!(long(&"word ".repeat(25)).is_empty());
}
