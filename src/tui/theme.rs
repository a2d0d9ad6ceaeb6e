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
    /// The colours that the user has chosen instead of those of the scheme.
    pub colours: Colours,
}

/// Colours that the user has chosen, by what they are for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Colours([Option<Color>; Colours::NAMES.len()]);

impl Colours {
    /// What can be coloured, by its name in the configuration file.
    pub const NAMES: [(&'static str, Tone); 13] = [
        ("plain", Tone::Plain),
        ("strong", Tone::Strong),
        ("faint", Tone::Faint),
        ("heading", Tone::Heading),
        ("key", Tone::Key),
        ("code", Tone::Code),
        ("error", Tone::Error),
        ("warning", Tone::Warning),
        ("note", Tone::Note),
        ("good", Tone::Good),
        ("client", Tone::Client),
        ("server", Tone::Server),
        ("selected", Tone::Selected),
    ];

    /// Chooses a colour; returns whether there is something of that name.
    pub fn set(&mut self, name: &str, colour: Color) -> bool {
        let mut names = Self::NAMES.iter().zip(&mut self.0);
        let found = names.find(|((it, _), _)| *it == name);
        found.is_some_and(|(_, place)| {
            *place = Some(colour);
            true
        })
    }

    fn of(&self, tone: Tone) -> Option<Color> {
        let mut names = Self::NAMES.iter().zip(self.0);
        names.find(|((_, it), _)| *it == tone)?.1
    }
}

impl Theme {
    /// The style of a tone.
    #[must_use]
    pub(crate) fn style(&self, tone: Tone) -> Style {
        let style = self.usual(tone);
        match self.colours.of(tone) {
            Some(_) if self.depth == Depth::Mono => style,
            // The selected row keeps the colours of what it says.
            Some(colour) if tone == Tone::Selected => Style::new().bg(colour),
            Some(colour) => style.remove_modifier(Modifier::DIM).fg(colour),
            None => style,
        }
    }

    fn usual(&self, tone: Tone) -> Style {
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
            colours: Colours::default(),
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
        let mut colours = Colours::default();
        assert!(colours.set("error", Color::Red) && !colours.set("here", Color::Red));
        let mono = Theme { colours, ..theme };
        assert_eq!(mono.style(Tone::Error).fg, None);
        let depth = Depth::Sixteen;
        let coloured = Theme { depth, ..mono };
        assert_eq!(coloured.style(Tone::Error).fg, Some(Color::Red));
    }
}
