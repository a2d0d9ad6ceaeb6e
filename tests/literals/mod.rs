//! The string literals of `src/`; comments, rules' pages and test modules are left out.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

use std::fs;
use std::path::{Path, PathBuf};

fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|it| it == "rs") {
            found.push(path);
        }
    }
}

/// The string literals of a piece of code, as written, each with its line.
pub fn literals(code: &str) -> Vec<(usize, &str)> {
    let bytes = code.as_bytes();
    let (mut at, mut line) = (0, 1);
    let mut found = Vec::new();
    while at < bytes.len() {
        let rest = &code[at..];
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("'\"'")
            || rest.starts_with("'\\\"'")
            || rest.starts_with("b'\"'")
        {
            rest[2..].find('\'').map_or(1, |end| end + 3)
        } else if rest.starts_with('"') {
            let mut end = 1;
            while end < rest.len() && rest.as_bytes()[end] != b'"' {
                end += if rest.as_bytes()[end] == b'\\' { 2 } else { 1 };
            }
            found.push((line, rest.get(1..end).unwrap_or_default()));
            end + 1
        } else {
            rest.chars().next().map_or(1, char::len_utf8)
        };
        let length = length.min(rest.len());
        line += rest[..length].matches('\n').count();
        at += length;
    }
    found
}

/// All string literals outside of `homes`: where each stands, and its text.
pub fn elsewhere(homes: &[&str]) -> Vec<(String, String)> {
    let mut files = Vec::new();
    collect(Path::new("src"), &mut files);
    files.sort();
    let mut found = Vec::new();
    for path in files {
        let name = path.to_str().unwrap();
        let is_test =
            name.ends_with("/tests.rs") || name.contains("/tests/") || name.ends_with("sample.rs");
        if is_test || homes.iter().any(|home| name.starts_with(home)) {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        for (line, literal) in literals(code) {
            found.push((format!("{name}:{line}"), literal.to_owned()));
        }
    }
    assert!(
        found.len() > 1000,
        "only {} literals were found",
        found.len()
    );
    found
}
