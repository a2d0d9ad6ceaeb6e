//! A list over the bottom of a screen from which something is chosen: columns, groups.

use crate::report::rich_text::Tone;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::text_layout::{ListPosition, scroll_bar};
use super::{Action, Look};
use crate::report::rich_text::StyledLine;

/// A row of the list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ChoiceRow {
    /// What is said before the name: whether it is on.
    pub(super) mark: String,
    pub(super) name: String,
    /// What it means.
    pub(super) help: String,
}

/// The list; it is closed while it has no rows.
#[derive(Clone, Debug, Default)]
pub(super) struct ChoiceList {
    title: &'static str,
    rows: Vec<ChoiceRow>,
    place: ListPosition,
}

impl ChoiceList {
    pub(super) fn open(title: &'static str, rows: Vec<ChoiceRow>, selected: usize) -> Self {
        let mut place = ListPosition::default();
        place.lay(rows.len(), rows.len());
        place.select(selected);
        Self { title, rows, place }
    }

    /// Adapts the list to what has changed, and to the height of the screen.
    pub(super) fn lay(&mut self, rows: Vec<ChoiceRow>, height: u16) {
        self.rows = rows;
        let height = usize::from(self.height(height)).saturating_sub(1);
        self.place.lay(self.rows.len(), height);
    }

    pub(super) const fn selected(&self) -> usize {
        self.place.selected
    }

    /// Handles a cursor motion; returns false for any other action.
    pub(super) fn act(&mut self, action: Action) -> bool {
        self.place.act(action)
    }

    /// Selects the row at a row of the screen, which has `height` of them; returns whether there is one.
    pub(super) fn click(&mut self, row: u16, height: u16) -> bool {
        let top = height.saturating_sub(self.height(height));
        let at = usize::from(row).checked_sub(usize::from(top) + 1);
        at.is_some_and(|at| self.place.select(self.place.top + at))
    }

    fn height(&self, rows: u16) -> u16 {
        sheet_height(self.rows.len(), rows)
    }

    pub(super) fn draw(&self, look: &Look, area: Rect, buffer: &mut Buffer) {
        let list = draw_sheet(self.title, self.rows.len(), look, area, buffer);
        let rows = self.rows.iter().enumerate().skip(self.place.top);
        for ((nth, row), y) in rows.zip(list.top()..list.bottom()) {
            let room = Rect {
                y,
                height: 1,
                width: list.width.saturating_sub(1),
                ..list
            };
            let selected = nth == self.place.selected;
            let sign = if selected { look.glyphs.cursor } else { " " };
            let line = StyledLine::of(Tone::Key, sign)
                .plain(format!(" {:<4}{:<12} ", row.mark, row.name))
                .faint(row.help.as_str());
            line.draw(look, room, buffer);
            if selected {
                buffer.set_style(room, look.theme.style(Tone::Selected));
            }
        }
        scroll_bar(self.rows.len(), self.place.top, look, list, buffer);
    }
}

/// Rows that a list over the bottom of a screen takes of `most`: one is its title.
pub(super) fn sheet_height(rows: usize, most: u16) -> u16 {
    u16::try_from(rows + 1).unwrap_or(most).min(most)
}

/// Clears the bottom of a screen for a list of so many rows, draws its title, and returns the area of the rows.
pub(super) fn draw_sheet(
    title: &str,
    rows: usize,
    look: &Look,
    area: Rect,
    buffer: &mut Buffer,
) -> Rect {
    let height = sheet_height(rows, area.height);
    let area = Rect {
        y: area.bottom() - height,
        height,
        ..area
    };
    ratatui::widgets::Widget::render(ratatui::widgets::Clear, area, buffer);
    let rule = look.glyphs.rule.repeat(usize::from(area.width));
    let faint = look.theme.style(Tone::Faint);
    buffer.set_stringn(area.x, area.y, rule, usize::from(area.width), faint);
    let head = Rect {
        x: area.x + 2.min(area.width),
        width: area.width.saturating_sub(4),
        ..area
    };
    StyledLine::of(Tone::Heading, format!(" {title} ")).draw(look, head, buffer);
    Rect {
        y: area.y + 1.min(area.height),
        height: area.height.saturating_sub(1),
        ..area
    }
}
