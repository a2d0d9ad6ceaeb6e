//! Wrapped text: paragraphs of words with a tone, some of them links, and a scroll position.
//!
//! Widths are in terminal columns; a wide character takes two.

use crate::report::rich_text::Tone;
use std::ops::Range;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Span;

use super::{Action, Look, SeekResult, TextSeek};
use crate::report::rich_text::StyledLine;

/// Width limit for running text: in longer rows the eye loses the next one.
pub(super) const LEGIBLE: u16 = 110;

/// From this width on, running text stands in two columns next to each other.
const TWO: u16 = 150;

impl StyledLine {
    /// Width in columns of the terminal.
    pub(super) fn columns(&self) -> usize {
        self.0.iter().map(|(_, text)| width(text)).sum()
    }

    /// Draws the line into the first row of `area`, left-aligned; a symbol marks a cut at the right. Returns the
    /// columns used.
    pub(super) fn draw(&self, look: &Look, area: Rect, buffer: &mut Buffer) -> u16 {
        if area.is_empty() {
            return 0;
        }
        let mut column = area.x;
        let too_long = self.columns() > usize::from(area.width);
        let end = area.right() - u16::from(too_long);
        for (tone, text) in &self.0 {
            let room = usize::from(end - column);
            let (next, _) = buffer.set_stringn(column, area.y, text, room, look.theme.style(*tone));
            column = next;
            if column >= end {
                break;
            }
        }
        if too_long {
            buffer.set_stringn(
                end,
                area.y,
                look.glyphs.more,
                1,
                look.theme.style(Tone::Faint),
            );
            column = end + 1;
        }
        column - area.x
    }

    /// The same, right-aligned.
    pub(super) fn draw_right(&self, look: &Look, area: Rect, buffer: &mut Buffer) -> u16 {
        let wide = u16::try_from(self.columns())
            .unwrap_or(u16::MAX)
            .min(area.width);
        let area = Rect {
            x: area.right() - wide,
            width: wide,
            ..area
        };
        self.draw(look, area, buffer)
    }
}

/// Columns of a text.
pub(super) fn width(text: &str) -> usize {
    Span::raw(text).width()
}

/// A paragraph: its first row is indented by `indent`, the others by `hang`.
#[derive(Clone, Debug, Default)]
pub(super) struct Paragraph {
    pub(super) indent: u16,
    pub(super) hang: u16,
    pub(super) line: StyledLine,
    /// Index of the link that the paragraph represents.
    pub(super) link: Option<usize>,
}

impl Paragraph {
    pub(super) fn new(indent: u16, line: impl Into<StyledLine>) -> Self {
        Self {
            indent,
            hang: indent,
            line: line.into(),
            link: None,
        }
    }

    pub(super) fn hanging(mut self, hang: u16) -> Self {
        self.hang = hang;
        self
    }

    pub(super) fn link(mut self, link: usize) -> Self {
        self.link = Some(link);
        self
    }

    /// Wraps the paragraph. Words stay whole if they fit into a row.
    pub(super) fn rows(&self, columns: u16) -> Vec<WrappedRow> {
        let mut rows = vec![WrappedRow {
            indent: self.indent,
            line: StyledLine::default(),
            link: self.link,
        }];
        let mut at = self.indent;
        for word in words(&self.line) {
            let begun = rows.last().is_some_and(|row| !row.line.0.is_empty());
            if begun && word.wide > columns.saturating_sub(at) {
                end(&mut rows);
                rows.push(self.next_row());
                at = self.hang;
            }
            for (tone, mut rest) in word.pieces {
                // A word longer than a row continues in the next.
                let mut wide = columns_of(rest);
                while wide > columns.saturating_sub(at) && at < columns {
                    let fits = fitting(rest, usize::from(columns - at));
                    if fits == 0 {
                        break;
                    }
                    push(&mut rows, tone, &rest[..fits]);
                    rest = &rest[fits..];
                    wide = columns_of(rest);
                    rows.push(self.next_row());
                    at = self.hang;
                }
                push(&mut rows, tone, rest);
                at = at.saturating_add(wide);
            }
            push(&mut rows, word.tone, &" ".repeat(usize::from(word.spaces)));
            at = at.saturating_add(word.spaces);
        }
        end(&mut rows);
        rows
    }

    fn next_row(&self) -> WrappedRow {
        WrappedRow {
            indent: self.hang,
            line: StyledLine::default(),
            link: self.link,
        }
    }
}

/// Removes trailing blanks from the last row: there may be no space for them.
fn end(rows: &mut [WrappedRow]) {
    let Some(row) = rows.last_mut() else { return };
    while let Some((_, text)) = row.line.0.last_mut() {
        text.truncate(text.trim_end_matches(' ').len());
        if !text.is_empty() {
            break;
        }
        row.line.0.pop();
    }
}

/// The text between two spaces, in any number of tones.
struct StyledWord<'a> {
    pieces: Vec<(Tone, &'a str)>,
    wide: u16,
    /// Spaces after the word.
    spaces: u16,
    /// Tone of those spaces.
    tone: Tone,
}

fn words(line: &StyledLine) -> Vec<StyledWord<'_>> {
    let mut words: Vec<StyledWord<'_>> = Vec::new();
    let mut open = false;
    for (tone, text) in &line.0 {
        for part in text.split_inclusive(' ') {
            let bare = part.trim_end_matches(' ');
            let spaces = u16::try_from(part.len() - bare.len()).unwrap_or(u16::MAX);
            if !open {
                words.push(StyledWord {
                    pieces: Vec::new(),
                    wide: 0,
                    spaces: 0,
                    tone: *tone,
                });
            }
            if let Some(word) = words.last_mut() {
                if !bare.is_empty() {
                    word.pieces.push((*tone, bare));
                    word.wide = word.wide.saturating_add(columns_of(bare));
                }
                word.spaces = spaces;
                word.tone = *tone;
            }
            open = spaces == 0;
        }
    }
    words
}

fn columns_of(text: &str) -> u16 {
    u16::try_from(width(text)).unwrap_or(u16::MAX)
}

/// Bytes of `text` that fit into `columns`.
fn fitting(text: &str, columns: usize) -> usize {
    let mut taken = 0;
    for (at, char) in text.char_indices() {
        let next = at + char.len_utf8();
        let wide = width(&text[at..next]);
        if taken + wide > columns {
            return at;
        }
        taken += wide;
    }
    text.len()
}

fn push(rows: &mut [WrappedRow], tone: Tone, text: &str) {
    let Some(row) = rows.last_mut() else { return };
    match row.line.0.last_mut() {
        Some((before, piece)) if *before == tone => piece.push_str(text),
        _ if !text.is_empty() => row.line.0.push((tone, text.to_owned())),
        _ => {}
    }
}

/// A row of a wrapped paragraph.
#[derive(Clone, Debug)]
pub(super) struct WrappedRow {
    pub(super) indent: u16,
    pub(super) line: StyledLine,
    pub(super) link: Option<usize>,
}

impl WrappedRow {
    pub(super) fn text(&self) -> String {
        self.line.0.iter().map(|(_, text)| text.as_str()).collect()
    }
}

/// Truncates to `most` rows and appends `sign` if anything was cut.
pub(super) fn shorten(rows: &mut Vec<WrappedRow>, most: usize, sign: &str) {
    if rows.len() > most {
        rows.truncate(most);
        if let Some(last) = rows.last_mut() {
            let line = std::mem::take(&mut last.line);
            last.line = line.faint(format!(" {sign}"));
        }
    }
}

/// A text longer than the screen, with a scroll position and a marked link.
#[derive(Clone, Debug, Default)]
pub(super) struct Pager {
    paragraphs: Vec<Paragraph>,
    links: usize,
    rows: Vec<WrappedRow>,
    /// The width that the rows were wrapped for.
    columns: u16,
    /// In how many columns of text, next to each other, the rows stand.
    beside: usize,
    /// How many rows are in sight, in all columns.
    height: usize,
    top: usize,
    marked: usize,
    /// The row that the last search found.
    found: Option<usize>,
}

impl Pager {
    pub(super) fn new(paragraphs: Vec<Paragraph>) -> Self {
        let links = paragraphs.iter().filter_map(|it| it.link).max();
        Self {
            links: links.map_or(0, |last| last + 1),
            paragraphs,
            ..Self::default()
        }
    }

    /// Replaces the text and keeps the position.
    pub(super) fn replace(&mut self, paragraphs: Vec<Paragraph>) {
        let new = Self::new(paragraphs);
        let marked = self.marked.min(new.links.saturating_sub(1));
        *self = Self {
            top: self.top,
            found: self.found,
            marked,
            ..new
        };
    }

    /// Marks a link without scrolling to it.
    pub(super) fn begin_at(&mut self, link: usize) {
        self.marked = link.min(self.links.saturating_sub(1));
    }

    /// Index of the marked link.
    pub(super) fn marked(&self) -> Option<usize> {
        (self.links > 0).then_some(self.marked)
    }

    pub(super) fn lay(&mut self, area: Rect) {
        self.beside = match area.width >= TWO {
            true => 2,
            false => 1,
        };
        // One column for the scroll bar, and a blank one before it.
        let wide = area.width / self.beside as u16;
        let columns = wide.saturating_sub(2).clamp(1, LEGIBLE);
        if columns != self.columns {
            let before = self.rows.len();
            self.columns = columns;
            self.rows = self
                .paragraphs
                .iter()
                .flat_map(|it| it.rows(columns))
                .collect();
            // Rewrapped text keeps about the same position.
            let top = (self.top * self.rows.len()).checked_div(before);
            self.top = top.unwrap_or(self.top);
        }
        self.height = usize::from(area.height) * self.beside;
        self.top = self.top.min(self.last_top());
    }

    fn last_top(&self) -> usize {
        self.rows.len().saturating_sub(self.height)
    }

    /// Handles a cursor motion; returns false for any other action.
    pub(super) fn act(&mut self, action: Action) -> bool {
        let page = self.height.saturating_sub(2).max(1);
        self.top = match action {
            Action::Up => self.top.saturating_sub(1),
            Action::Down => self.top + 1,
            Action::PageUp => self.top.saturating_sub(page),
            Action::PageDown => self.top + page,
            Action::First => 0,
            Action::Last => self.rows.len(),
            Action::Next | Action::Previous => {
                let step = match action {
                    // If the marked link is out of sight, return to it first.
                    _ if !self.is_in_sight() => 0,
                    Action::Next => 1,
                    _ => self.links.saturating_sub(1),
                };
                self.mark(self.marked + step);
                self.top
            }
            _ => return false,
        };
        self.top = self.top.min(self.last_top());
        true
    }

    fn is_in_sight(&self) -> bool {
        let rows = self.rows_of(self.marked());
        rows.is_none_or(|rows| rows.start >= self.top && rows.end <= self.top + self.height)
    }

    fn mark(&mut self, link: usize) {
        if self.links == 0 {
            return;
        }
        self.marked = link % self.links;
        let marked = Some(self.marked);
        if let Some(range) = self.rows_of(marked) {
            self.show(range);
        }
    }

    fn rows_of(&self, link: Option<usize>) -> Option<Range<usize>> {
        let first = self.rows.iter().position(|row| row.link == link)?;
        let rest = self.rows[first..].iter();
        Some(first..first + rest.take_while(|row| row.link == link).count())
    }

    /// Scrolls as little as needed.
    fn show(&mut self, range: Range<usize>) {
        if range.end > self.top + self.height {
            self.top = range.end - self.height.min(range.end);
        }
        if range.start < self.top {
            self.top = range.start;
        }
        self.top = self.top.min(self.last_top());
    }

    /// The link at a place of the screen.
    pub(super) fn click(&mut self, column: u16, row: u16) -> Option<usize> {
        let tall = self.height / self.beside.max(1);
        let right = self.beside == 2 && column > self.columns + 2;
        let row = usize::from(row) + if right { tall } else { 0 };
        let link = self.rows.get(self.top + row)?.link?;
        self.marked = link;
        Some(link)
    }

    pub(super) fn seek(&mut self, needle: &str, seek: TextSeek) -> SeekResult {
        let from = self.found.unwrap_or(self.top);
        let hit = |row: &WrappedRow| holds(&row.text(), needle);
        let found = find(self.rows.len(), from, seek, |nth| hit(&self.rows[nth]));
        self.found = found.map(|hit| hit.row);
        if let Some(row) = self.found {
            self.show(row..row + 1);
        }
        SeekResult::of(found)
    }

    pub(super) fn draw(&self, look: &Look, area: Rect, buffer: &mut Buffer) {
        let rows = self.rows.iter().enumerate().skip(self.top);
        let wide = area.width / self.beside.max(1) as u16;
        let places = (0..self.beside.max(1) as u16).flat_map(|nth| {
            let x = area.x + nth * wide;
            (area.top()..area.bottom()).map(move |y| (x, y))
        });
        for ((nth, row), (x, y)) in rows.zip(places) {
            let room = Rect {
                x,
                y,
                width: wide.saturating_sub(1),
                height: 1,
            };
            let marked = row.link.is_some() && row.link == self.marked();
            let inner = Rect {
                x: room.x + row.indent.min(room.width),
                width: room.width - row.indent.min(room.width),
                ..room
            };
            row.line.draw(look, inner, buffer);
            if marked || self.found == Some(nth) {
                buffer.set_style(room, look.theme.style(Tone::Selected));
            }
            if marked {
                let style = look.theme.style(Tone::Key);
                buffer.set_stringn(room.x, y, look.glyphs.cursor, 1, style);
            }
        }
        // As if all rows in sight stood in one column.
        let (rows, top) = match self.beside {
            2 => (self.rows.len().div_ceil(2), self.top.div_ceil(2)),
            _ => (self.rows.len(), self.top),
        };
        scroll_bar(rows, top, look, area, buffer);
    }
}

/// Two areas side by side, with a column between them; the left one is `left` wide.
pub(super) fn side_by_side(area: Rect, left: u16) -> [Rect; 2] {
    let right = Rect {
        x: area.x + left + 1,
        width: area.width - left - 1,
        ..area
    };
    [
        Rect {
            width: left,
            ..area
        },
        right,
    ]
}

/// Two areas one above the other, with `gap` rows between them; the upper one is `upper` high.
pub(super) fn one_above_the_other(area: Rect, upper: u16, gap: u16) -> [Rect; 2] {
    let lower = Rect {
        y: area.y + upper + gap,
        height: area.height - upper - gap,
        ..area
    };
    [
        Rect {
            height: upper,
            ..area
        },
        lower,
    ]
}

/// Draws the scroll position at the right edge; nothing if everything is visible.
pub(super) fn scroll_bar(rows: usize, top: usize, look: &Look, area: Rect, buffer: &mut Buffer) {
    let height = usize::from(area.height);
    if rows <= height || area.is_empty() {
        return;
    }
    let thumb = (height * height / rows).clamp(1, height);
    let place = (height - thumb) * top.min(rows - height) / (rows - height);
    for nth in 0..height {
        let within = (place..place + thumb).contains(&nth);
        let sign = look.glyphs.scroll[usize::from(within)];
        let style = look.theme.style(Tone::Faint);
        let y = area.y + u16::try_from(nth).unwrap_or(0);
        buffer.set_stringn(area.right() - 1, y, sign, 1, style);
    }
}

/// Whether a text contains another. Case-insensitive unless `needle` contains a capital.
pub(super) fn holds(text: &str, needle: &str) -> bool {
    if needle.is_empty() {
        return false;
    }
    if needle.chars().any(char::is_uppercase) {
        text.contains(needle)
    } else {
        text.to_lowercase().contains(needle)
    }
}

/// A row that a search found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RowHit {
    pub(super) row: usize,
    /// The search went around the end or the beginning to get there.
    pub(super) wrapped: bool,
}

impl SeekResult {
    pub(super) const fn of(found: Option<RowHit>) -> Self {
        match found {
            None => Self::Missing,
            Some(hit) if hit.wrapped => Self::Wrapped,
            Some(_) => Self::Found,
        }
    }
}

/// The next of `rows` for which `hit` returns true, from `from` on, wrapping around the end.
pub(super) fn find(
    rows: usize,
    from: usize,
    seek: TextSeek,
    hit: impl Fn(usize) -> bool,
) -> Option<RowHit> {
    let from = from.min(rows.saturating_sub(1));
    let row = (0..rows)
        .map(|step| match seek {
            TextSeek::Here => (from + step) % rows,
            TextSeek::Next => (from + 1 + step) % rows,
            TextSeek::Previous => (from + 2 * rows - 1 - step) % rows,
        })
        .find(|nth| hit(*nth))?;
    let wrapped = match seek {
        TextSeek::Here => row < from,
        TextSeek::Next => row <= from,
        TextSeek::Previous => row >= from,
    };
    Some(RowHit { row, wrapped })
}

/// The position in a list longer than the screen: the selected row, and the row at the top.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ListPosition {
    pub(super) selected: usize,
    pub(super) top: usize,
    rows: usize,
    height: usize,
}

impl ListPosition {
    /// Adapts the position to the number of rows, of which `height` fit.
    pub(super) fn lay(&mut self, rows: usize, height: usize) {
        (self.rows, self.height) = (rows, height.max(1));
        self.selected = self.selected.min(rows.saturating_sub(1));
        self.top = self
            .top
            .clamp(
                (self.selected + 1).saturating_sub(self.height),
                self.selected,
            )
            .min(rows.saturating_sub(self.height));
    }

    /// Handles a cursor motion; returns false for any other action.
    pub(super) fn act(&mut self, action: Action) -> bool {
        let page = self.height.saturating_sub(1).max(1);
        self.selected = match action {
            Action::Up => self.selected.saturating_sub(1),
            Action::Down => self.selected + 1,
            Action::PageUp => self.selected.saturating_sub(page),
            Action::PageDown => self.selected + page,
            Action::First => 0,
            Action::Last => self.rows,
            _ => return false,
        };
        self.lay(self.rows, self.height);
        true
    }

    /// Selects the row that a search found.
    pub(super) fn go_to(&mut self, found: Option<RowHit>) -> SeekResult {
        match found {
            Some(hit) if self.select(hit.row) => SeekResult::of(found),
            _ => SeekResult::Missing,
        }
    }

    /// Selects a row and returns whether there is one.
    pub(super) fn select(&mut self, row: usize) -> bool {
        let there = row < self.rows;
        if there {
            self.selected = row;
            self.lay(self.rows, self.height);
        }
        there
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, columns: u16, expected: &[&str]) {
        let paragraph = Paragraph::new(0, text).hanging(2);
        let rows = paragraph.rows(columns);
        let texts: Vec<_> = rows
            .iter()
            .map(|row| {
                format!(
                    "{:w$}{}",
                    "",
                    row.text().trim_end(),
                    w = usize::from(row.indent)
                )
            })
            .collect();
        assert_eq!(texts, expected);
    }

    #[test]
    fn words_are_kept_whole_where_they_fit() {
        check("one two three", 8, &["one two", "  three"]);
        check("one two three", 80, &["one two three"]);
        check(
            "a_word_of_twenty_cols",
            8,
            &["a_word_o", "  f_twen", "  ty_col", "  s"],
        );
        check("", 8, &[""]);
        check("今日は", 5, &["今日", "  は"]);
    }

    #[test]
    fn a_word_of_two_tones_is_one_word() {
        let line = StyledLine::of(Tone::Strong, "one tw").plain("o three");
        let rows = Paragraph::new(0, line).rows(5);
        let texts: Vec<_> = rows
            .iter()
            .map(|row| row.text().trim_end().to_owned())
            .collect();
        assert_eq!(texts, ["one", "two", "three"]);
    }

    #[test]
    fn a_place_stays_within() {
        let mut place = ListPosition::default();
        place.lay(10, 3);
        place.act(Action::Last);
        assert_eq!((place.selected, place.top), (9, 7));
        place.lay(4, 3);
        assert_eq!((place.selected, place.top), (3, 1));
        place.lay(0, 3);
        assert_eq!((place.selected, place.top), (0, 0));
        place.act(Action::Down);
        assert_eq!((place.selected, place.top), (0, 0));
    }

    #[test]
    fn searching_goes_around_the_end() {
        let hit = |nth| nth == 2 || nth == 5;
        for (rows, from, seek, found) in [
            (8, 2, TextSeek::Here, Some((2, false))),
            (8, 6, TextSeek::Here, Some((2, true))),
            (8, 2, TextSeek::Next, Some((5, false))),
            (8, 5, TextSeek::Next, Some((2, true))),
            (3, 2, TextSeek::Next, Some((2, true))),
            (8, 5, TextSeek::Previous, Some((2, false))),
            (8, 2, TextSeek::Previous, Some((5, true))),
            (0, 0, TextSeek::Next, None),
        ] {
            let hit = find(rows, from, seek, hit).map(|hit| (hit.row, hit.wrapped));
            assert_eq!(hit, found, "{rows} {from} {seek:?}");
        }
        assert!(holds("Keep-Alive", "keep") && !holds("keep-alive", "Keep"));
    }
}
