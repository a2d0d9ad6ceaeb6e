//! A figure of text as a picture (SVG): the same cells, lines and arrows as strokes, everything else as letters.
//!
//! In: lines of styled text in which each character takes one cell. Out: a `<figure>`. Runs of letters of one tone are one
//! `<text>`, as wide as its cells whatever the font. The text itself is the picture's description, for readers that see none.

use std::fmt::Write as _;

use maud::{Markup, html};

use super::html::class;
use super::rich_text::{StyledLine, Tone};

/// The size of a cell in pixels, and of the letters in it.
const WIDE: usize = 8;
const HIGH: usize = 18;
/// Pixels from the top of a cell to the letters' base line.
const BASE: usize = 13;

/// Draws the lines; `id` tells the picture from others on the page.
pub(super) fn figure(lines: &[StyledLine], id: &str) -> Markup {
    let wide = lines.iter().map(StyledLine::width).max().unwrap_or(0) * WIDE;
    let high = lines.len() * HIGH;
    let texts: Vec<String> = lines.iter().map(StyledLine::text).collect();
    let described = texts
        .iter()
        .map(|it| it.trim_end())
        .collect::<Vec<_>>()
        .join("\n");
    let (title, text) = (format!("{id}-title"), format!("{id}-text"));
    html! {
        figure tabindex="0" role="region" aria-label="Ladder" {
            svg role="img" aria-labelledby=(format!("{title} {text}")) xmlns="http://www.w3.org/2000/svg"
                width=(wide) height=(high) viewBox=(format!("0 0 {wide} {high}")) {
                title id=(title) { "Ladder: the packets of the typical case, client at the left, server at the right" }
                desc id=(text) { (described) }
                @for (nth, line) in lines.iter().enumerate() { (row(line, nth * HIGH)) }
            }
        } "\n"
    }
}

/// One line, `top` pixels from the top.
fn row(line: &StyledLine, top: usize) -> Markup {
    let mut pieces = Vec::new();
    let mut at = 0;
    for (tone, text) in &line.0 {
        for piece in split(text) {
            let cells = piece.chars().count();
            pieces.push((*tone, at, piece));
            at += cells;
        }
    }
    html! {
        @for (tone, at, piece) in pieces {
            @if let Some(path) = strokes(piece, at * WIDE, top) {
                path class=[stroke_class(tone)] d=(path) {}
            } @else {
                (letters(tone, piece, at, top))
            }
        }
    }
}

fn letters(tone: Tone, piece: &str, at: usize, top: usize) -> Markup {
    let before = piece.len() - piece.trim_start().len();
    let words = piece.trim();
    let cells = words.chars().count();
    html! {
        @if cells > 0 {
            text class=[class(tone)] x=((at + before) * WIDE) y=(top + BASE) textLength=(cells * WIDE) { (words) }
        }
    }
}

/// The classes of a stroke: its colour is that of the letters.
fn stroke_class(tone: Tone) -> Option<&'static str> {
    class(tone).filter(|it| !matches!(*it, "code" | "strong"))
}

/// What is drawn as a stroke.
const fn is_stroke(char: char) -> bool {
    matches!(char, '─' | '│' | '┃' | '┄' | '▶' | '◀')
}

/// Runs of strokes, and runs of letters.
fn split(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let first = is_stroke(rest.chars().next()?);
        let end = rest.find(|char| is_stroke(char) != first);
        let (piece, after) = rest.split_at(end.unwrap_or(rest.len()));
        rest = after;
        Some(piece)
    })
}

/// The path of a run of strokes; `None` for letters. The base line of a cell is its middle.
fn strokes(piece: &str, left: usize, top: usize) -> Option<String> {
    if !piece.chars().all(is_stroke) {
        return None;
    }
    let mut path = String::new();
    let middle = top + HIGH / 2;
    for (nth, char) in piece.chars().enumerate() {
        let x = left + nth * WIDE;
        // Writing to a string cannot fail.
        let _ = match char {
            '─' => write!(path, "M{x} {middle}h{WIDE}"),
            '┄' => write!(path, "M{} {middle}h3", x + 2),
            '▶' => write!(path, "M{x} {middle}h{WIDE}m-5 -4l5 4l-5 4"),
            '◀' => write!(path, "M{} {middle}h-{WIDE}m5 -4l-5 4l5 4", x + WIDE),
            _ => write!(path, "M{} {top}v{HIGH}", x + WIDE / 2),
        };
    }
    Some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strokes_and_letters_keep_their_cells() {
        let line = StyledLine::from("1  │─▶").with(Tone::Error, "<RST>");
        let drawn = figure(&[line], "one").0;
        for part in [
            "<text x=\"0\" y=\"13\" textLength=\"8\">1</text>",
            "d=\"M28 0v18M32 9h8M40 9h8m-5 -4l5 4l-5 4\"",
            "<text class=\"error\" x=\"48\" y=\"13\" textLength=\"40\">&lt;RST&gt;</text>",
            "viewBox=\"0 0 88 18\"",
            "1  │─▶&lt;RST&gt;</desc>",
        ] {
            assert!(drawn.contains(part), "{part} in {drawn}");
        }
    }
}
