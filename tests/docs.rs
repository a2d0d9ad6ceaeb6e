//! Keeps the documents in step with the program: generated parts are compared, and commands shown to the user are run
//! through the parser. With `HANGUP_REWRITE=1` the generated parts are rewritten.

#![cfg(feature = "cli")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

use std::fs;
use std::path::Path;
use std::process::Command;

use clap::Parser;
use hangup::app::cli::{self, Cli};

const REWRITE: &str = "HANGUP_REWRITE=1 cargo test --test docs";

#[track_caller]
fn in_step(path: &str, made: &str) {
    if std::env::var_os("HANGUP_REWRITE").is_some() {
        fs::write(path, made).unwrap();
        return;
    }
    let kept = fs::read_to_string(path).unwrap_or_default();
    if kept != made {
        let differs = kept
            .lines()
            .zip(made.lines())
            .position(|(one, other)| one != other);
        let line = differs.unwrap_or_else(|| kept.lines().count().min(made.lines().count()));
        panic!(
            "{path} is out of step from line {}; rewrite it with: {REWRITE}\n  has  {:?}\n  want {:?}",
            line + 1,
            kept.lines().nth(line).unwrap_or_default(),
            made.lines().nth(line).unwrap_or_default()
        );
    }
}

/// What `hangup` prints for these arguments.
fn output(arguments: &[&str]) -> String {
    let mut program = Command::new(env!("CARGO_BIN_EXE_hangup"));
    let output = program
        .args(arguments)
        .env_remove("NO_COLOR")
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// The contents of every fenced block of this language.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}");
    let mut blocks = Vec::new();
    let mut lines = page.lines();
    while lines.by_ref().any(|line| line == fence) {
        let block: Vec<_> = lines.by_ref().take_while(|line| *line != "```").collect();
        blocks.push(block.join("\n"));
    }
    blocks
}

#[test]
fn usage_is_what_help_says() {
    in_step("docs/usage.md", &cli::usage());
}

#[test]
fn rules_are_what_explain_says() {
    let pages = hangup::report::rule_pages();
    for (name, page) in &pages {
        in_step(&format!("docs/rules/{name}"), page);
    }
    let mut there: Vec<_> = fs::read_dir("docs/rules")
        .unwrap()
        .map(|it| it.unwrap().file_name().into_string().unwrap())
        .collect();
    let mut made: Vec<_> = pages.into_iter().map(|(name, _)| name).collect();
    there.sort();
    made.sort();
    assert_eq!(there, made);
}

/// Where a document says how many rules there are, it is so many.
#[test]
fn the_number_of_rules_is_theirs() {
    let count = hangup::rules::CATALOGUE.len();
    for (path, phrase) in [
        ("README.md", format!("{count} rules")),
        ("CHANGELOG.md", format!("{count} rules")),
    ] {
        let page = fs::read_to_string(path).unwrap();
        assert!(page.contains(&phrase), "{path} does not say {phrase:?}");
    }
}

/// The block after `<!-- picture: ARGUMENTS -->` must equal what the program prints for these arguments.
#[test]
fn the_readme_shows_what_the_program_prints() {
    let page = fs::read_to_string("README.md").unwrap();
    let mut made = String::new();
    let mut pictures = 0;
    let mut lines = page.lines().peekable();
    while let Some(line) = lines.next() {
        made += line;
        made.push('\n');
        let picture = line.strip_prefix("<!-- picture: ");
        if let Some(arguments) = picture.and_then(|it| it.strip_suffix(" -->")) {
            pictures += 1;
            assert_eq!(
                lines.next(),
                Some("```text"),
                "a picture follows its arguments"
            );
            let arguments: Vec<_> = arguments.split(' ').collect();
            made += &format!("```text\n{}\n```\n", output(&arguments).trim_end());
            assert!(lines.by_ref().any(|line| line == "```"), "a picture ends");
        }
        let screen = line.strip_prefix("<!-- screen: ");
        if let Some(name) = screen.and_then(|it| it.strip_suffix(" -->")) {
            pictures += 1;
            made += &format!("```text\n{}\n```\n", snapshot(name));
            assert!(lines.by_ref().any(|line| line == "```"), "a screen ends");
        }
    }
    assert!(pictures > 1);
    in_step("README.md", &made);
}

/// A screen recorded as a snapshot by `tests/screens.rs`.
fn snapshot(name: &str) -> String {
    let file = fs::read_to_string(format!("tests/snapshots/screens__{name}.snap")).unwrap();
    let (_, screen) = file
        .trim_start_matches("---\n")
        .split_once("---\n")
        .unwrap();
    let screen = screen.strip_prefix("---\n").unwrap_or(screen);
    screen.trim_end().to_owned()
}

/// The keys of the screens are those that the help shows.
#[cfg(feature = "ui")]
#[test]
fn the_keys_are_those_of_the_screens() {
    let table = hangup::tui::keys::to_markdown();
    in_step(
        "docs/keys.md",
        &format!("# Keys of the screens\n\n`?` shows them in the screens.\n\n{table}"),
    );
}

/// Every `hangup …` command line in the documents parses, and the files it names exist.
#[test]
fn the_commands_of_the_documents_exist() {
    let mut tried = 0;
    for path in ["README.md", "docs/captures.md"] {
        let page = fs::read_to_string(path).unwrap();
        for line in blocks(&page, "sh").iter().flat_map(|block| block.lines()) {
            let line = line.split(" #").next().unwrap().trim();
            let typed = match line.split_once("cargo run --release --locked -- ") {
                Some((_, arguments)) => format!("hangup {arguments}"),
                None if line.starts_with("hangup ") => line.to_owned(),
                None => continue,
            };
            // Stop at a pipe or a redirection: the rest belongs to the shell.
            let words = words(&typed);
            let words = words
                .iter()
                .take_while(|word| !["|", ">", "<"].contains(&word.as_str()));
            let words: Vec<_> = words.collect();
            if let Err(error) = Cli::try_parse_from(&words) {
                let asked = [
                    clap::error::ErrorKind::DisplayHelp,
                    clap::error::ErrorKind::DisplayVersion,
                ];
                assert!(asked.contains(&error.kind()), "{path}: {line}\n{error}");
            }
            let named = |word: &str| word.starts_with("captures/") && !word.contains('*');
            for word in words.iter().filter(|word| named(word)) {
                assert!(Path::new(word).exists(), "{path}: {line}");
            }
            tried += 1;
        }
    }
    assert!(tried >= 5, "only {tried} commands were found");
}

/// Splits words as a shell does, as far as the documents need it.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for char in line.chars() {
        match char {
            '\'' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            char => words.last_mut().unwrap().push(char),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}
