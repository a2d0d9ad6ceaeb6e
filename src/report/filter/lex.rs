//! The lexer of filter lines: words with their positions.

use std::ops::Range;

use super::foreign;
use super::keys::named;

/// A word of the line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FilterToken<'t> {
    pub(super) kind: FilterTokenKind<'t>,
    /// Its byte range in the line.
    pub(super) at: Range<usize>,
}

/// What a word is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum FilterTokenKind<'t> {
    Open,
    Close,
    Or,
    And,
    Not,
    /// `key:` and the values that follow it, up to the next blank.
    Keyed {
        key: &'t str,
        values: Vec<FilterValue>,
    },
    /// Any other word.
    Text(String),
    /// A quoted string.
    Quoted(String),
}

/// One of the values of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FilterValue {
    pub(super) text: String,
    pub(super) at: Range<usize>,
}

/// A quotation mark without a closing one, by its position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct UnclosedQuote(pub(super) usize);

/// The words of `line` in order.
pub(super) fn tokens(line: &str) -> Result<Vec<FilterToken<'_>>, UnclosedQuote> {
    let mut lexer = Lexer { line, at: 0 };
    let mut tokens = Vec::new();
    while let Some(token) = lexer.token()? {
        tokens.push(token);
    }
    Ok(tokens)
}

struct Lexer<'t> {
    line: &'t str,
    at: usize,
}

impl<'t> Lexer<'t> {
    fn rest(&self) -> &'t str {
        &self.line[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn token(&mut self) -> Result<Option<FilterToken<'t>>, UnclosedQuote> {
        let blank = self.rest().len() - self.rest().trim_start().len();
        self.at += blank;
        let start = self.at;
        let Some(first) = self.peek() else {
            return Ok(None);
        };
        if let Some(kind) = self.option()? {
            return Ok(Some(FilterToken {
                kind,
                at: start..self.at,
            }));
        }
        let kind = match first {
            '(' => self.mark(FilterTokenKind::Open),
            ')' => self.mark(FilterTokenKind::Close),
            '-' | '!' => self.mark(FilterTokenKind::Not),
            '"' => FilterTokenKind::Quoted(self.quoted()?),
            _ => match key(self.rest()) {
                Some(key) => {
                    self.at += key.len() + 1;
                    let values = self.values()?;
                    FilterTokenKind::Keyed { key, values }
                }
                None => self.word(),
            },
        };
        Ok(Some(FilterToken {
            kind,
            at: start..self.at,
        }))
    }

    /// An option as on the command line: `--rule NAME` or `--rule=NAME`.
    fn option(&mut self) -> Result<Option<FilterTokenKind<'t>>, UnclosedQuote> {
        let Some(rest) = self.rest().strip_prefix("--") else {
            return Ok(None);
        };
        let end = rest.find(|char| ends_word(char) || char == '=');
        let key = &rest[..end.unwrap_or(rest.len())];
        if named(key).is_none() {
            return Ok(None);
        }
        self.at += 2 + key.len();
        match self.peek() {
            Some('=') => self.at += 1,
            _ => self.at += self.rest().len() - self.rest().trim_start().len(),
        }
        let values = self.values()?;
        Ok(Some(FilterTokenKind::Keyed { key, values }))
    }

    fn mark(&mut self, kind: FilterTokenKind<'t>) -> FilterTokenKind<'t> {
        self.at += 1;
        kind
    }

    fn word(&mut self) -> FilterTokenKind<'t> {
        let rest = self.rest();
        let end = rest.find(ends_word).unwrap_or(rest.len());
        self.at += end;
        match &rest[..end] {
            "or" | "OR" | "||" | "|" => FilterTokenKind::Or,
            "and" | "AND" | "&&" => FilterTokenKind::And,
            "not" | "NOT" => FilterTokenKind::Not,
            word => FilterTokenKind::Text(word.to_owned()),
        }
    }

    /// The values of a key, separated by commas.
    fn values(&mut self) -> Result<Vec<FilterValue>, UnclosedQuote> {
        let mut values = Vec::new();
        loop {
            let start = self.at;
            let text = match self.peek() {
                Some('"') => self.quoted()?,
                _ => {
                    let rest = self.rest();
                    let end = rest
                        .find(|char| ends_word(char) || char == ',')
                        .unwrap_or(rest.len());
                    self.at += end;
                    rest[..end].to_owned()
                }
            };
            values.push(FilterValue {
                text,
                at: start..self.at,
            });
            if self.peek() != Some(',') {
                return Ok(values);
            }
            self.at += 1;
        }
    }

    /// A string up to the next quotation mark; `\` takes the character after it literally.
    fn quoted(&mut self) -> Result<String, UnclosedQuote> {
        let start = self.at;
        let mut text = String::new();
        let mut chars = self.rest().char_indices().skip(1);
        while let Some((at, char)) = chars.next() {
            match char {
                '"' => {
                    self.at += at + 1;
                    return Ok(text);
                }
                '\\' => match chars.next() {
                    Some((_, char)) => text.push(char),
                    None => break,
                },
                char => text.push(char),
            }
        }
        Err(UnclosedQuote(start))
    }
}

fn ends_word(char: char) -> bool {
    char.is_whitespace() || matches!(char, '(' | ')' | '"')
}

/// The key that `rest` begins with, if any. The first colon of `10.0.0.2:80` or `fe80::1` ends no key, nor does that of
/// `dead::beef`: a value may begin with a colon only after an existing key.
fn key(rest: &str) -> Option<&str> {
    let colon = rest.find(':')?;
    let name = &rest[..colon];
    let is_name = !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphabetic() || byte == b'-');
    let is_known = || named(name).is_some();
    (is_name && (!rest[colon + 1..].starts_with(':') || is_known())).then_some(name)
}

/// Whether `text` parses as itself without quotation marks.
pub(super) fn is_bare(text: &str) -> bool {
    let first = text.chars().next();
    first.is_some_and(|char| !matches!(char, '-' | '!'))
        && !text.chars().any(ends_word)
        && key(text).is_none()
        && named(text).is_none()
        && !foreign::is_keyword(text)
        && !matches!(
            text,
            "or" | "OR" | "||" | "|" | "and" | "AND" | "&&" | "not" | "NOT"
        )
}

/// The same for a value of a key.
pub(super) fn is_bare_value(text: &str) -> bool {
    !text.is_empty() && !text.chars().any(|char| ends_word(char) || char == ',')
}
