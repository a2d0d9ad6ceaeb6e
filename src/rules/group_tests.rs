//! A finding of several cases says nothing that is false for one of them.
//!
//! A test only. The example of each rule is varied in what may differ between two cases: method, path, names, times, sizes and
//! numbers of segments. What is said of both together is compared with what is said of each alone: a word or number that
//! only one of them has stands in a sentence that names its cases (`#2: …`), or next to the other's. It makes no
//! difference whether the rules join the two to one finding, or a report shows two findings of other hosts as one.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::ladder_check;
use super::page::{Section, ladders};
use super::{CATALOGUE, CaptureQuality, Finding, Rule, RuleInput, evaluate};
use crate::analysis::connection::{Connection, ConnectionSummary};
use crate::base::frame_names::FrameNames;
use crate::ladder::frames;
use crate::report::told_by_section;

/// The variants of a ladder.
type Variant = (&'static str, fn(&str) -> String);

const VARIANTS: &[Variant] = &[
    ("another path", |ladder| {
        ladder
            .replace(" /", " /other/")
            .replace("/other/ ", "/other ")
    }),
    ("another method", |ladder| {
        ladder.replace("GET ", "DELETE ").replace("POST ", "PATCH ")
    }),
    ("other times", slower),
    ("other sizes", larger),
    ("another name", |ladder| {
        ladder.replace("one.example", "two.example")
    }),
    ("no name", |ladder| ladder.replace("sni=one.example", "")),
    ("more segments", |ladder| {
        let again = |line: &str| match line.contains(" again ") {
            true => format!("{line}{line}"),
            false => line.to_owned(),
        };
        ladder.split_inclusive('\n').map(again).collect()
    }),
];

/// A ladder whose names are as long as those of hosts are.
fn named(ladder: &str) -> String {
    ladder
        .replace("sni=a ", "sni=one.example ")
        .replace("sni=a]", "sni=one.example]")
}

/// Times at the beginning of a line, a third longer.
fn slower(ladder: &str) -> String {
    let line = |line: &str| {
        let text = line.trim_start();
        let end = text.find(' ').unwrap_or(text.len());
        let (time, rest) = text.split_at(end);
        match time.parse::<f64>() {
            Ok(seconds) if time.contains('.') => format!("{:.3}{rest}\n", seconds * 1.3),
            _ => format!("{line}\n"),
        }
    };
    ladder.lines().map(line).collect()
}

/// Numbers after `data`, two more.
fn larger(ladder: &str) -> String {
    let mut after_data = false;
    let words = ladder.split_inclusive([' ', '\n']).map(|word| {
        let number = word.trim_end().parse::<u64>();
        let end = &word[word.trim_end().len()..];
        let told = match number {
            Ok(number) if after_data && number > 4 => format!("{}{end}", number + 2),
            _ => word.to_owned(),
        };
        after_data = word.trim() == "data";
        told
    });
    words.collect()
}

/// The connections of a ladder.
fn connections(ladder: &str) -> Vec<Connection> {
    ladder.parse().map_or_else(
        |_| Vec::new(),
        |ladder| ladder_check::run(&ladder).connections,
    )
}

/// What the rule says of these connections together, if it is one finding.
fn told(rule: &Rule, connections: &[Connection]) -> Option<Finding> {
    let numbered = (1..).zip(connections).map(|(id, connection)| {
        // All ladders begin with the same numbers; what has the same is one connection, captured twice.
        Arc::new(Connection {
            id,
            isn: [None; 2],
            ..connection.clone()
        })
    });
    let records: Vec<_> = numbered.collect();
    let summaries: Vec<_> = records
        .iter()
        .map(|it| ConnectionSummary::from(&**it))
        .collect();
    let findings = evaluate(&RuleInput {
        connections: &records,
        summaries: &summaries,
        counted_once: &summaries,
        sockets: &[],
        lookups: &Default::default(),
        neighbours: &Default::default(),
        capture_quality: CaptureQuality::default(),
        frames: &FrameNames::default(),
        legs: &Default::default(),
        end: connections.iter().map(|it| it.until).max()?,
    });
    let mut own = findings.into_iter().filter(|it| it.rule == rule.name);
    let first = own.next()?;
    (own.next().is_none() && first.connections.len() == connections.len()).then_some(first)
}

/// Numbers, paths, names of hosts and words in capitals.
fn facts(text: &str) -> BTreeSet<&str> {
    let words = text.split_whitespace();
    let words = words.map(|it| it.trim_matches(|it: char| "(),.;:\"“”".contains(it)));
    words
        .filter(|it| {
            it.starts_with('/')
                || it.starts_with(|it: char| it.is_ascii_digit())
                || it.contains('.')
                || it.len() > 2 && it.chars().all(|it| it.is_ascii_uppercase())
        })
        .collect()
}

fn sentences(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive(". ").map(str::trim)
}

fn names_its_cases(sentence: &str) -> bool {
    sentence
        .split_once(": ")
        .is_some_and(|(lead, _)| lead.starts_with('#'))
}

/// Sentences of `both` that hold for one of the two alone.
fn half_true(one: &str, two: &str, both: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let (one, two) = (facts(one), facts(two));
    // The sentences after one that names its cases are about the same cases, until one says that it is about all.
    let mut named = false;
    for sentence in sentences(both) {
        let here = facts(sentence);
        let about_all = ["Both: ", "All: "]
            .iter()
            .any(|it| sentence.starts_with(it));
        named = names_its_cases(sentence) || named && !about_all;
        let only = |own: &BTreeSet<&str>, others: &BTreeSet<&str>| {
            let mut only = own.difference(others);
            only.any(|it| here.contains(it))
        };
        let alone = only(&one, &two) != only(&two, &one);
        if alone && !named {
            wrong.push(sentence.to_owned());
        }
    }
    if both.contains(". or ") || both.contains("., ") {
        wrong.push(both.to_owned());
    }
    wrong
}

#[test]
fn what_is_said_of_two_holds_for_both() {
    let mut wrong = Vec::new();
    let mut joined = BTreeSet::new();
    for rule in CATALOGUE.iter() {
        if !rule.check.is_alone() {
            continue;
        }
        for (_, ladder) in ladders(&rule.section(Section::Example)) {
            let ladder = named(&ladder);
            let base = connections(&ladder);
            let Some(base) = base
                .iter()
                .find(|it| told(rule, &[(*it).clone()]).is_some())
            else {
                continue;
            };
            for (name, vary) in VARIANTS {
                let varied = connections(&vary(&ladder));
                for other in &varied {
                    let pair = [base.clone(), other.clone()];
                    let each = pair
                        .each_ref()
                        .map(|it| told(rule, std::slice::from_ref(it)));
                    let ([Some(one), Some(two)], Some(both)) = (each, told(rule, &pair)) else {
                        continue;
                    };
                    joined.insert(rule.name);
                    let half = half_true(&one.message, &two.message, &both.message);
                    wrong.extend(half.iter().map(|it| format!("{}, {name}: {it}", rule.name)));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(joined.len() > 40, "{joined:?}");
}

/// Frames of an example from which on it takes too long to read it in many variants.
const FRAMES: usize = 4000;

/// A report shows equal findings of other hosts as one, whatever they are found on.
#[test]
fn what_a_report_says_of_two_findings_holds_for_both() {
    let mut wrong = Vec::new();
    let mut joined = BTreeSet::new();
    for rule in CATALOGUE.iter() {
        let found = |ladder: &str| {
            let parsed = ladder.parse().ok()?;
            if frames(&parsed).len() > FRAMES {
                return None;
            }
            let mut all = ladder_check::run(&parsed).findings.into_iter();
            let mut own = all.find(|it| it.rule == rule.name)?;
            own.caused_by = None;
            Some(own)
        };
        for (_, ladder) in ladders(&rule.section(Section::Example)) {
            let ladder = named(&ladder);
            let Some(one) = found(&ladder) else {
                continue;
            };
            for (name, vary) in VARIANTS {
                let varied = vary(&ladder);
                let two = found(&varied).filter(|_| varied != ladder);
                let Some(two) = two else {
                    continue;
                };
                let one = one.clone();
                let pair = [Finding { id: 1, ..one }, Finding { id: 2, ..two }];
                let [both] = &told_by_section(&pair)[..] else {
                    continue;
                };
                joined.insert(rule.name);
                // Findings of several cases count them.
                let several = pair.iter().any(|it| it.times > 1);
                let half = half_true(&pair[0].message, &pair[1].message, both);
                let half = half.iter().filter(|it| !(several && it.contains(" of ")));
                wrong.extend(half.map(|it| format!("{}, {name}: {it}", rule.name)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(joined.len() > 60, "{joined:?}");
}
