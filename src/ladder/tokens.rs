//! Splits a line into words, quoted strings, brackets and a trailing remark, each with its offset.

use std::net::SocketAddr;

use super::escape::unquote;

/// The four arrows: captured and missing, from the client and from the server.
pub(super) const ARROWS: [&str; 4] = ["-->", "<--", "~~>", "<~~"];

/// A token of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// A word, delimited by spaces.
    Word(&'a str),
    /// The content of quotation marks.
    String(Vec<u8>),
    /// The content of brackets: names, with values after `=`.
    Bracket(Vec<BracketItem>),
    /// The text after a `#`.
    Remark(&'a str),
}

/// One item in brackets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BracketItem {
    pub(super) name: String,
    pub(super) value: Option<Vec<u8>>,
    pub(super) at: usize,
}

/// A token and its byte offset in the line.
pub(super) type Placed<'a> = (usize, Token<'a>);

/// What is wrong, and the byte offset where.
pub(super) type TokenFault = (usize, String);

/// Splits a line into tokens.
pub(super) fn tokens(line: &str) -> Result<Vec<Placed<'_>>, TokenFault> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(skip) = line[at..].find(|char: char| !char.is_whitespace()) {
        at += skip;
        let rest = &line[at..];
        let word = rest.split(char::is_whitespace).next().unwrap_or(rest);
        if let Some(text) = rest.strip_prefix('"') {
            let (bytes, taken) = string(text, at + 1)?;
            tokens.push((at, Token::String(bytes)));
            at += 1 + taken;
        } else if rest.starts_with('[') && word.parse::<SocketAddr>().is_err() {
            let (items, end) = bracket(line, at + 1)?;
            tokens.push((at, Token::Bracket(items)));
            at = end;
        } else if word == "#" {
            tokens.push((at, Token::Remark(rest[word.len()..].trim())));
            break;
        } else {
            tokens.push((at, Token::Word(word)));
            at += word.len();
        }
    }
    Ok(tokens)
}

fn string(text: &str, at: usize) -> Result<(Vec<u8>, usize), TokenFault> {
    unquote(text).map_err(|(offset, what)| (at + offset, what.to_owned()))
}

/// Parses the items after an opening bracket; returns the offset after the closing one.
fn bracket(line: &str, mut at: usize) -> Result<(Vec<BracketItem>, usize), TokenFault> {
    let mut items = Vec::new();
    loop {
        let rest = &line[at..];
        let trimmed = rest.trim_start();
        at += rest.len() - trimmed.len();
        if trimmed.starts_with(']') {
            return Ok((items, at + 1));
        }
        let ends = |char: char| char.is_whitespace() || matches!(char, '=' | ']' | '"' | '[');
        let name = &trimmed[..trimmed.find(ends).unwrap_or(trimmed.len())];
        if name.is_empty() {
            let what = if trimmed.is_empty() {
                "the bracket is not closed"
            } else {
                "a name must stand here, as in [ack=1]"
            };
            return Err((at, what.to_owned()));
        }
        let mut item = BracketItem {
            name: name.to_owned(),
            value: None,
            at,
        };
        at += name.len();
        if let Some(value) = line[at..].strip_prefix('=') {
            at += 1;
            if let Some(text) = value.strip_prefix('"') {
                let (bytes, taken) = string(text, at + 1)?;
                item.value = Some(bytes);
                at += 1 + taken;
            } else {
                let end = value.find(|char: char| char.is_whitespace() || char == ']');
                let value = &value[..end.unwrap_or(value.len())];
                item.value = Some(value.as_bytes().to_vec());
                at += value.len();
            }
        }
        items.push(item);
    }
}
