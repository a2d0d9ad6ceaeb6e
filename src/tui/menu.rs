//! A small menu over the bottom of a screen: a few texts to copy, the usual one first.

use crate::report::rich_text::Tone;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::choice::{draw_sheet, sheet_height};
use super::text_layout::ListPosition;
use super::{Action, KeyOutcome, Look};
use crate::report::rich_text::StyledLine;

/// A text that can be copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MenuItem {
    /// Its name in the menu and in the message: "Wireshark filter".
    pub(super) what: String,
    /// The text itself.
    pub(super) text: String,
}

impl MenuItem {
    pub(super) fn new(what: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            text: text.into(),
        }
    }
}

/// The menu; it is closed while it has no items.
#[derive(Clone, Debug, Default)]
pub(super) struct Menu {
    items: Vec<MenuItem>,
    place: ListPosition,
}

impl Menu {
    /// Opens the menu with these items.
    pub(super) fn open(&mut self, items: Vec<MenuItem>) {
        self.items = items;
        self.place = ListPosition::default();
        self.place.lay(self.items.len(), self.items.len());
    }

    pub(super) fn is_open(&self) -> bool {
        !self.items.is_empty()
    }

    /// Handles an action while the menu is open; `None` while it is closed.
    pub(super) fn act(&mut self, action: Action) -> Option<KeyOutcome> {
        if !self.is_open() || self.place.act(action) {
            return self.is_open().then_some(KeyOutcome::Done);
        }
        Some(match action {
            // Pressing the copy key twice takes the first item.
            Action::Open | Action::Copy => self.take(),
            Action::Back => {
                self.items.clear();
                KeyOutcome::Done
            }
            Action::Quit | Action::Suspend | Action::Redraw | Action::Light => return None,
            _ => KeyOutcome::Done,
        })
    }

    fn take(&mut self) -> KeyOutcome {
        let mut items = std::mem::take(&mut self.items);
        if self.place.selected >= items.len() {
            return KeyOutcome::Done;
        }
        let item = items.swap_remove(self.place.selected);
        KeyOutcome::Copy {
            what: item.what,
            text: item.text,
        }
    }

    /// Handles a click; `rows` is the height of the screen's body.
    pub(super) fn click(&mut self, row: u16, rows: u16) -> Option<KeyOutcome> {
        if !self.is_open() {
            return None;
        }
        let top = rows.saturating_sub(self.height(rows));
        let at = usize::from(row).checked_sub(usize::from(top) + 1);
        match at {
            Some(at) if self.place.select(at) => Some(self.take()),
            _ => {
                self.items.clear();
                Some(KeyOutcome::Done)
            }
        }
    }

    fn height(&self, rows: u16) -> u16 {
        sheet_height(self.items.len(), rows)
    }

    pub(super) fn draw(&self, look: &Look, area: Rect, buffer: &mut Buffer) {
        if !self.is_open() {
            return;
        }
        let list = draw_sheet("Copy", self.items.len(), look, area, buffer);
        for (nth, (item, y)) in self.items.iter().zip(list.top()..list.bottom()).enumerate() {
            let row = Rect {
                y,
                height: 1,
                ..list
            };
            let selected = nth == self.place.selected;
            let sign = if selected { look.glyphs.cursor } else { " " };
            let first = item.text.lines().next().unwrap_or_default().trim_start();
            let line = StyledLine::of(Tone::Key, sign)
                .plain(format!(" {:<22} ", item.what))
                .faint(first);
            line.draw(look, row, buffer);
            if selected {
                buffer.set_style(row, look.theme.style(Tone::Selected));
            }
        }
    }
}
