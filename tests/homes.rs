//! Some facts have one home each, and are written nowhere else: how a duration is told (`base/format.rs`), how long a
//! default timer is and which product has it (`knowledge/`). Reads the string literals of `src/`; comments, rules' pages and
//! test modules are left out.

mod literals;

use std::collections::BTreeSet;

use hangup::knowledge::{LIMITS, PRODUCTS, TIMERS};
use hangup::protocol::dialogue::AppProtocol;
use literals::{elsewhere, literals};

fn complain(wrong: &[String], home: &str) {
    assert!(
        wrong.is_empty(),
        "this belongs into {home}:\n{}",
        wrong.join("\n")
    );
}

/// A placeholder, a blank and a unit of time: `{seconds} s`, `{:.1} ms`.
fn formats_a_duration(literal: &str) -> bool {
    literal.match_indices('}').any(|(at, _)| {
        let rest = &literal[at + 1..];
        ["s", "ms", "min", "µs"].iter().any(|unit| {
            let after = rest.strip_prefix(' ').and_then(|it| it.strip_prefix(unit));
            after.is_some_and(|it| !it.starts_with(char::is_alphanumeric))
        })
    })
}

/// A number of seconds or minutes in the same breath as the word "default".
fn states_a_default(literal: &str) -> bool {
    let words: Vec<_> = literal.split_whitespace().collect();
    let timed = words.windows(2).any(|pair| {
        let unit = pair[1].trim_end_matches(|it: char| !it.is_alphanumeric());
        pair[0].starts_with(|it: char| it.is_ascii_digit())
            && ["s", "seconds", "min", "minutes"].contains(&unit)
    });
    timed && literal.contains("default")
}

/// The first words of the products' names that are not words of English as well.
fn product_names() -> BTreeSet<&'static str> {
    let titles = PRODUCTS.iter().map(|it| it.title);
    let titles = titles.chain(TIMERS.iter().map(|it| it.product));
    let titles = titles.chain(LIMITS.iter().map(|it| it.product));
    let first = titles.filter_map(|it| it.split([' ', ',']).next());
    let ordinary = [
        "browsers",
        "firewalls",
        "requests",
        "got",
        "Go",
        "Java",
        "Google",
        "Linux",
        "Windows",
    ];
    // The name of a protocol as well.
    let spoken = |name: &str| AppProtocol::ALL.iter().any(|it| it.name() == name);
    first
        .filter(|it| it.len() > 2 && !ordinary.contains(it) && !spoken(it))
        .collect()
}

fn names_a_product(literal: &str, names: &BTreeSet<&str>) -> bool {
    let words = literal.split(|it: char| !(it.is_alphanumeric() || "-._".contains(it)));
    words
        .map(|word| word.trim_end_matches(['.', '-']))
        .any(|word| names.contains(word))
}

#[test]
fn durations_are_told_in_one_place() {
    // A measured time that is round is told as the setting it is, in seconds.
    let homes = [
        "src/base/format.rs",
        "src/knowledge/",
        "src/rules/measured_time.rs",
    ];
    let wrong: Vec<_> = elsewhere(&homes)
        .into_iter()
        .filter(|(_, literal)| formats_a_duration(literal))
        .map(|(place, literal)| format!("{place}: {literal:?}"))
        .collect();
    complain(&wrong, "base/format.rs");
}

#[test]
fn default_timers_stand_in_the_table() {
    let wrong: Vec<_> = elsewhere(&["src/knowledge/"])
        .into_iter()
        .filter(|(_, literal)| states_a_default(literal))
        .map(|(place, literal)| format!("{place}: {literal:?}"))
        .collect();
    complain(&wrong, "knowledge/timers.tsv");
}

#[test]
fn products_are_named_in_the_tables() {
    let names = product_names();
    assert!(names.contains("nginx") && names.len() > 30, "{names:?}");
    // What one may type, with an example.
    let examples = [
        "src/report/filter/keys.rs",
        "src/report/overview.rs",
        "src/app/cli.rs",
    ];
    let homes = [&["src/knowledge/"][..], &examples].concat();
    let wrong: Vec<_> = elsewhere(&homes)
        .into_iter()
        .filter(|(_, literal)| names_a_product(literal, &names))
        .map(|(place, literal)| format!("{place}: {literal:?}"))
        .collect();
    complain(&wrong, "the tables of knowledge");
}

#[test]
fn what_is_out_of_place_is_seen() {
    for (literal, seen) in [
        ("after {} s of silence", true),
        ("{:.1} ms", true),
        ("{} sockets", false),
        ("every={}s", false),
    ] {
        assert_eq!(formats_a_duration(literal), seen, "{literal}");
    }
    assert!(states_a_default("75 s is the default of many"));
    assert!(!states_a_default(
        "by default nothing is kept for 60 connections"
    ));
    let names = product_names();
    assert!(names_a_product("the default of nginx.", &names));
    assert!(!names_a_product("the default of many", &names));
    let code = "let a = \"x\\\"y\"; // \"no\"\nlet b = '\"';\nf(\"z\")";
    assert_eq!(literals(code), [(1, "x\\\"y"), (3, "z")]);
}

#[test]
fn every_dependency_says_what_it_is_for() {
    let manifest = std::fs::read_to_string("Cargo.toml").expect("it is there");
    let mut inside = false;
    let mut wanted = BTreeSet::new();
    for line in manifest.lines() {
        if line.starts_with('[') {
            inside = line.trim_end_matches(']').ends_with("dependencies");
        } else if inside && let Some((name, _)) = line.split_once(" = ") {
            wanted.insert(name);
        }
    }
    let page = std::fs::read_to_string("docs/dependencies.md").expect("it is there");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `"));
    let cells: Vec<&str> = rows.filter_map(|row| row.split('|').next()).collect();
    let told: BTreeSet<&str> = cells
        .iter()
        .flat_map(|cell| cell.split(','))
        .map(|name| name.trim().trim_matches('`'))
        .collect();
    assert_eq!(told, wanted);
}
