//! The colours. Hue is never the only sign: each tone that matters also has a symbol or a word.
//!
//! The background stays the terminal's own. The hues are those of Okabe and Ito, which people with any kind of colour
//! vision can tell apart, darker on a light background.

use super::view_model::OutcomeClass;
use ratatui::style::{Color, Modifier, Style};

use crate::report::rich_text::Tone;

/// How many colours the terminal has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// None available or none wanted: weight and reverse video only.
    Mono,
    /// The sixteen whose hues the user's theme defines.
    Sixteen,
    /// 256, whose hues are known.
    Indexed,
}

/// A colour scheme.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Theme {
    /// How many colours there are.
    pub depth: Depth,
    /// Whether the background is light.
    pub light: bool,
}

impl Theme {
    /// The style of a tone.
    #[must_use]
    pub(crate) fn style(&self, tone: Tone) -> Style {
        let plain = Style::new();
        let bold = plain.add_modifier(Modifier::BOLD);
        match tone {
            Tone::Plain => plain,
            Tone::Strong => bold,
            Tone::Faint => match self.depth {
                Depth::Indexed => plain.fg(self.pick(245, 242)),
                _ => plain.add_modifier(Modifier::DIM),
            },
            Tone::Heading => self.colored(bold, 110, 25, Color::Cyan),
            Tone::Key => self.colored(bold, 110, 25, Color::Cyan),
            Tone::Code => self.colored(plain, 180, 94, Color::Reset),
            Tone::Error => self.colored(bold, 203, 160, Color::Red),
            Tone::Warning => self.colored(plain, 214, 130, Color::Yellow),
            Tone::Note => self.colored(plain, 75, 26, Color::Cyan),
            Tone::Good => self.colored(plain, 36, 29, Color::Green),
            Tone::Client => self.colored(plain, 75, 26, Color::Cyan),
            Tone::Server => self.colored(plain, 175, 126, Color::Magenta),
            Tone::Selected => match self.depth {
                Depth::Indexed => plain.bg(self.pick(237, 253)),
                _ => plain.add_modifier(Modifier::REVERSED),
            },
            Tone::Here => bold.add_modifier(Modifier::REVERSED),
        }
    }

    /// The same for the opposite background.
    #[must_use]
    pub const fn turned(self) -> Self {
        Self {
            light: !self.light,
            ..self
        }
    }

    const fn pick(&self, dark: u8, light: u8) -> Color {
        Color::Indexed(if self.light { light } else { dark })
    }

    fn colored(&self, style: Style, dark: u8, light: u8, of_sixteen: Color) -> Style {
        match self.depth {
            Depth::Mono => style,
            Depth::Sixteen => style.fg(of_sixteen),
            Depth::Indexed => style.fg(self.pick(dark, light)),
        }
    }
}

/// The tone of an outcome.
pub(super) const fn tone(class: OutcomeClass) -> Tone {
    match class {
        OutcomeClass::Failed => Tone::Error,
        OutcomeClass::Unknown => Tone::Warning,
        OutcomeClass::StillOpen => Tone::Note,
        OutcomeClass::Fine => Tone::Good,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_colours_there_are_none() {
        let theme = Theme {
            depth: Depth::Mono,
            light: false,
        };
        for tone in [
            Tone::Error,
            Tone::Faint,
            Tone::Selected,
            Tone::Here,
            Tone::Key,
        ] {
            let style = theme.style(tone);
            assert_eq!((style.fg, style.bg), (None, None), "{tone:?}");
        }
        assert_ne!(theme.style(Tone::Selected), theme.style(Tone::Plain));
    }
}
