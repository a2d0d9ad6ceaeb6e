//! A line that the user types into.

use std::borrow::Cow;

use crate::report::rich_text::Tone;
use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::layout::{Position, Rect};

use super::text_layout::{Paragraph, width};
use super::{Look, PromptError, PromptQuestion};
use crate::report::rich_text::StyledLine;

/// Limit in bytes; more is an accidental paste.
const MAX_LENGTH: usize = 1024;

/// The line, its label, and the cursor.
#[derive(Clone, Debug, Default)]
pub(super) struct Prompt {
    pub(super) label: Cow<'static, str>,
    pub(super) hint: &'static str,
    pub(super) text: String,
    /// Cursor position, in bytes.
    pub(super) at: usize,
    /// The part of the text that cannot be parsed.
    pub(super) complaint: Option<PromptError>,
    /// A key answers it: `y`, or any other for no.
    confirms: bool,
}

/// What a key did to the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PromptKey {
    Nothing,
    Changed,
    Given,
    Dropped,
}

impl Prompt {
    pub(super) fn new(question: PromptQuestion) -> Self {
        Self {
            label: question.label,
            hint: question.hint,
            at: question.text.len(),
            text: question.text,
            complaint: None,
            confirms: question.confirms,
        }
    }

    pub(super) fn key(&mut self, event: KeyEvent) -> PromptKey {
        let control = event.modifiers.contains(KeyModifiers::CONTROL);
        if self.confirms {
            return match event.code {
                KeyCode::Char('y' | 'Y') if !control => {
                    "y".clone_into(&mut self.text);
                    PromptKey::Given
                }
                _ => PromptKey::Dropped,
            };
        }
        match event.code {
            KeyCode::Enter => return PromptKey::Given,
            KeyCode::Esc => return PromptKey::Dropped,
            KeyCode::Char('c' | 'g') if control => return PromptKey::Dropped,
            KeyCode::Char('a') if control => self.at = 0,
            KeyCode::Char('e') if control => self.at = self.text.len(),
            KeyCode::Char('u') if control => {
                self.text.drain(..self.at);
                self.at = 0;
            }
            KeyCode::Char('k') if control => self.text.truncate(self.at),
            KeyCode::Char('w') if control => {
                let before = self.text[..self.at].trim_end();
                let from = before.rfind(' ').map_or(0, |space| space + 1);
                self.text.drain(from..self.at);
                self.at = from;
            }
            KeyCode::Char(char) if !control => self.insert(char),
            KeyCode::Backspace if self.text.is_empty() => return PromptKey::Dropped,
            KeyCode::Backspace => {
                self.at = self.before();
                if self.at < self.text.len() {
                    self.text.remove(self.at);
                }
            }
            KeyCode::Delete if self.at < self.text.len() => {
                self.text.remove(self.at);
            }
            KeyCode::Left => self.at = self.before(),
            KeyCode::Right => {
                let next = self.text[self.at..].chars().next();
                self.at += next.map_or(0, char::len_utf8);
            }
            KeyCode::Home => self.at = 0,
            KeyCode::End => self.at = self.text.len(),
            _ => return PromptKey::Nothing,
        }
        // A cursor motion changes no text, but reporting it as a change is harmless.
        PromptKey::Changed
    }

    pub(super) fn paste(&mut self, text: &str) {
        for char in text.chars() {
            self.insert(char);
        }
    }

    /// Whether the complaint fits to the right of the line; otherwise it is drawn above it.
    fn fits_beside(&self, complaint: &PromptError, area: Rect) -> bool {
        let line = self.label.len() + 3 + width(&self.text) + 2;
        line + width(&complaint.message) <= usize::from(area.width)
    }

    /// Draws the complaint over the last rows above the line if it does not fit to the right of the line.
    pub(super) fn draw_above(&self, look: &Look, line: Rect, above: Rect, buffer: &mut Buffer) {
        let Some(complaint) = &self.complaint else {
            return;
        };
        if self.fits_beside(complaint, line) {
            return;
        }
        let text = StyledLine::of(Tone::Error, complaint.message.clone());
        let rows = Paragraph::new(0, text).rows(above.width.saturating_sub(2));
        let height = u16::try_from(rows.len())
            .unwrap_or(u16::MAX)
            .min(above.height);
        let top = above.bottom() - height;
        let blank = " ".repeat(usize::from(above.width));
        for (row, y) in rows.iter().zip(top..above.bottom()) {
            let room = Rect {
                x: above.x + 1.min(above.width),
                y,
                width: above.width.saturating_sub(2),
                height: 1,
            };
            buffer.set_stringn(
                above.x,
                y,
                &blank,
                blank.len(),
                look.theme.style(Tone::Plain),
            );
            row.line.draw(look, room, buffer);
        }
    }

    fn insert(&mut self, char: char) {
        if !char.is_control() && self.text.len() < MAX_LENGTH {
            self.text.insert(self.at, char);
            self.at += char.len_utf8();
        }
    }

    fn before(&self) -> usize {
        let before = self.text[..self.at].char_indices().next_back();
        before.map_or(0, |(at, _)| at)
    }

    /// Draws the line and returns the cursor position.
    pub(super) fn draw(&self, look: &Look, area: Rect, buffer: &mut Buffer) -> Position {
        let style = |tone| look.theme.style(tone);
        let label = format!(" {}: ", self.label);
        let (x, _) = buffer.set_stringn(
            area.x,
            area.y,
            &label,
            usize::from(area.width),
            style(Tone::Key),
        );
        let room = usize::from(area.right() - x);
        // If the text is longer than the line, scroll so that the text before the cursor is visible.
        let mut from = 0;
        while width(&self.text[from..self.at]) + 1 > room && from < self.at {
            from += self.text[from..].chars().next().map_or(1, char::len_utf8);
        }
        let (end, _) = buffer.set_stringn(x, area.y, &self.text[from..], room, style(Tone::Plain));
        if let Some(complaint) = &self.complaint {
            let within = |byte: usize| byte.clamp(from, self.text.len());
            let left = width(&self.text[from..within(complaint.at.start)]);
            let wide = width(&self.text[within(complaint.at.start)..within(complaint.at.end)]);
            let word = Rect {
                x: x + u16::try_from(left).unwrap_or(0),
                y: area.y,
                width: u16::try_from(wide.max(1)).unwrap_or(1),
                height: 1,
            };
            let wrong = style(Tone::Error).add_modifier(ratatui::style::Modifier::UNDERLINED);
            buffer.set_style(word.intersection(area), wrong);
        }
        let beside = match &self.complaint {
            Some(complaint) if self.fits_beside(complaint, area) => {
                Some((complaint.message.as_str(), Tone::Error))
            }
            Some(_) => None,
            None if self.text.is_empty() => Some((self.hint, Tone::Faint)),
            None => None,
        };
        if let Some((text, tone)) = beside {
            let at = end + 2;
            let room = usize::from(area.right().saturating_sub(at));
            if room > 0 {
                buffer.set_stringn(at, area.y, text, room, style(tone));
            }
        }
        let column = width(&self.text[from..self.at]);
        Position {
            x: (x + u16::try_from(column).unwrap_or(0)).min(area.right().saturating_sub(1)),
            y: area.y,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_edited() {
        let mut prompt = Prompt::new(PromptQuestion {
            label: "search".into(),
            text: "größe x".to_owned(),
            hint: "",
            confirms: false,
        });
        let press = |prompt: &mut Prompt, code| prompt.key(KeyEvent::new(code, KeyModifiers::NONE));
        press(&mut prompt, KeyCode::Backspace);
        press(&mut prompt, KeyCode::Left);
        press(&mut prompt, KeyCode::Left);
        press(&mut prompt, KeyCode::Left);
        assert_eq!(press(&mut prompt, KeyCode::Backspace), PromptKey::Changed);
        press(&mut prompt, KeyCode::Char('!'));
        assert_eq!(prompt.text, "gr!ße ");
        prompt.key(KeyEvent::new(KeyCode::Char('u'), KeyModifiers::CONTROL));
        assert_eq!(prompt.text, "ße ");
        prompt.paste("a\u{1b}b\n");
        assert_eq!(prompt.text, "abße ");
    }
}
