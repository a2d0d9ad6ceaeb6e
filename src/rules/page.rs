//! A rule's page: Markdown in fixed sections.

use super::Rule;

/// The sections of every page, in order; the last may be missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    /// What was seen.
    WhatHappened,
    /// What it costs.
    WhyItMatters,
    /// What to change.
    Remedy,
    /// A ladder that fires this rule and no other.
    Example,
    /// A ladder that looks like it and does not fire it.
    NotThis,
    /// Where it is written.
    References,
}

impl Section {
    /// All of them, in order.
    pub const ALL: [Self; 6] = [
        Self::WhatHappened,
        Self::WhyItMatters,
        Self::Remedy,
        Self::Example,
        Self::NotThis,
        Self::References,
    ];

    /// Its heading.
    #[must_use]
    pub const fn heading(self) -> &'static str {
        match self {
            Self::WhatHappened => "What happened",
            Self::WhyItMatters => "Why it matters",
            Self::Remedy => "Remedy",
            Self::Example => "Example",
            Self::NotThis => "Not this",
            Self::References => "References",
        }
    }
}

impl Rule {
    /// The page as Markdown, sections under `#`.
    #[must_use]
    pub fn page(&self) -> String {
        let lines = self.page.lines();
        let mut page = String::with_capacity(self.page.len());
        for line in lines {
            page.push_str(line.strip_prefix(' ').unwrap_or(line));
            page.push('\n');
        }
        page
    }

    /// The text of one section, without its heading; empty if the page has none.
    #[must_use]
    pub fn section(&self, section: Section) -> String {
        let mut inside = false;
        let mut text = String::new();
        for line in self.page().lines() {
            match line.strip_prefix("# ") {
                Some(heading) => inside = heading == section.heading(),
                None if inside => {
                    text.push_str(line);
                    text.push('\n');
                }
                None => {}
            }
        }
        text.trim().to_owned()
    }

    /// What to change: the first sentence of each point of the remedy, the rest on the page.
    #[must_use]
    pub fn remedies(&self) -> Vec<String> {
        let section = self.section(Section::Remedy);
        let mut remedies: Vec<String> = Vec::new();
        for line in section.lines() {
            match (line.strip_prefix("- "), remedies.last_mut()) {
                (Some(point), _) => remedies.push(point.to_owned()),
                (None, Some(last)) if !line.trim().is_empty() => {
                    last.push(' ');
                    last.push_str(line.trim());
                }
                _ => {}
            }
        }
        remedies
    }
}

/// The ladders in Markdown: each text, and the line of the document before its first.
#[must_use]
pub fn ladders(markdown: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (index, line) in markdown.lines().enumerate() {
        match (&mut open, line.trim()) {
            (None, "```ladder") => open = Some((index + 1, String::new())),
            (Some(_), "```") => found.extend(open.take()),
            (Some((_, text)), _) => {
                text.push_str(line);
                text.push('\n');
            }
            (None, _) => {}
        }
    }
    found
}
