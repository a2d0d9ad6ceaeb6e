//! Documents that are made from the program are what the program makes.

use std::path::Path;

use hangup::rules;

/// Compares a document, or writes it where that is asked for.
#[track_caller]
fn check(path: &str, text: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("HANGUP_UPDATE_DOCS").is_some() {
        std::fs::write(&file, text).expect("it can be written");
        return;
    }
    let stands = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        stands == text,
        "{path} is not what the program makes of it; rewrite it with\n\n    HANGUP_UPDATE_DOCS=1 cargo test --test docs\n"
    );
}

#[test]
fn the_rules_are_documented() {
    check("docs/rules.md", &rules::to_markdown());
}
