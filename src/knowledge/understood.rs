//! The words of an error text that are part of nothing known, so that a reader sees what the explanation rests on.

use std::collections::BTreeSet;

use super::error_text::FACTS;
use super::reading::Reading;

/// Words that say nothing by themselves, in any text.
const EMPTY: &[&str] = &[
    "and",
    "are",
    "but",
    "call",
    "caused",
    "could",
    "debug",
    "did",
    "err",
    "error",
    "errors",
    "exception",
    "failed",
    "failure",
    "fatal",
    "for",
    "from",
    "had",
    "has",
    "have",
    "http",
    "https",
    "info",
    "into",
    "log",
    "message",
    "msg",
    "not",
    "nested",
    "response",
    "request",
    "status",
    "that",
    "the",
    "then",
    "this",
    "was",
    "warn",
    "warning",
    "were",
    "when",
    "while",
    "with",
    "get",
    "post",
    "put",
    "getaddrinfo",
    "connect",
    "read",
    "write",
    "recv",
    "send",
    "syscall",
    "rpc",
    "desc",
    "data",
    "jan",
    "feb",
    "mar",
    "apr",
    "may",
    "jun",
    "jul",
    "aug",
    "sep",
    "oct",
    "nov",
    "dec",
    "mon",
    "tue",
    "wed",
    "thu",
    "fri",
    "sat",
    "sun",
    "client",
    "server",
    "host",
    "port",
    "reason",
    "code",
];
/// Words that are kept.
const KEPT: usize = 24;
/// Letters from which on a misspelt word is recognised.
const LONG: usize = 5;

/// The words of a line that no known text, code or program in it explains. Numbers, addresses and paths are no words.
#[must_use]
pub(super) fn not_understood(line: &str, reading: &Reading) -> Vec<String> {
    if reading.status.is_some() {
        return Vec::new();
    }
    // What nginx appends names hosts and requests.
    let line = line.split(", client: ").next().unwrap_or(line);
    let known = known_words(reading);
    let mut unknown: Vec<String> = Vec::new();
    let breaks = |it: char| {
        it.is_whitespace()
            || matches!(
                it,
                ',' | ';'
                    | '('
                    | ')'
                    | '['
                    | ']'
                    | '{'
                    | '}'
                    | '"'
                    | '\''
                    | '<'
                    | '>'
                    | '='
                    | '|'
                    | '`'
            )
    };
    for token in line.split(breaks) {
        let token = token.trim_matches(|it: char| !it.is_alphanumeric());
        // Of a dotted name the last part is the type; a dotted name in lower case is a host or a file.
        let word = match token.rsplit_once('.') {
            Some((_, last)) if last.starts_with(|it: char| it.is_uppercase()) => last,
            Some(_) => continue,
            None => token,
        };
        let plain = word
            .chars()
            .all(|it| it.is_alphabetic() || matches!(it, '_' | '-' | '\''));
        let lower = word.to_lowercase();
        if word.chars().count() < 3 || !plain || EMPTY.contains(&lower.as_str()) {
            continue;
        }
        let near = |it: &String| lower.len() >= LONG && strsim::osa_distance(it, &lower) <= 2;
        let parts_known = || lower.split(['_', '-']).all(|it| known.contains(it));
        if known.contains(&lower) || parts_known() || known.iter().any(near) {
            continue;
        }
        if unknown.len() < KEPT && !unknown.iter().any(|it| it.eq_ignore_ascii_case(word)) {
            unknown.push(word.to_owned());
        }
    }
    unknown
}

/// The words of what was recognised, and the names of all error types, in lower case.
fn known_words(reading: &Reading) -> BTreeSet<String> {
    let mut known = BTreeSet::new();
    let mut add = |text: &str| {
        let words = text.split(|it: char| !it.is_alphanumeric() && it != '_');
        known.extend(words.filter(|it| !it.is_empty()).map(str::to_lowercase));
    };
    for one in &reading.texts {
        add(one.text);
        let fact = one.fact;
        [fact.text, fact.cause]
            .into_iter()
            .flatten()
            .for_each(&mut add);
        add(fact.product.title);
        add(fact.product.name);
    }
    for message in &reading.messages {
        add(message.phrase);
        add(message.program.unwrap_or_default());
    }
    for code in &reading.codes {
        add(code.code);
        add(code.aliases);
        add(code.family.title());
        add(&code.meaning);
    }
    add(reading.program.unwrap_or_default());
    for kind in FACTS.iter().filter_map(|it| it.kind) {
        add(kind);
    }
    known
}

#[cfg(test)]
mod tests {
    use super::super::explain::explain;

    #[test]
    fn what_is_not_known_is_named() {
        for (text, unknown) in [
            ("socket hang up", &[][..]),
            ("java.net.SocketException: Connection reset", &[]),
            ("sokcet hangup while frobnicating", &["frobnicating"]),
            ("checkout: socket hang up", &["checkout"]),
            ("10.0.0.1 - - \"GET /frob HTTP/1.1\" 502 0", &[]),
        ] {
            assert_eq!(explain(text).unknown, unknown, "{text}");
        }
    }
}
