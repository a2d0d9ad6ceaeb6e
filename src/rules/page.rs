//! A rule's page: Markdown in fixed sections.

use super::Rule;
use super::remedy::standing_first;

/// The sections of a page, in order; how to tell the cause from others, and the references, are optional.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    /// What was observed.
    WhatHappened,
    /// The consequences.
    WhyItMatters,
    /// What to change.
    Remedy,
    /// The sign in a capture that tells it from what has the same error.
    TellItBy,
    /// A ladder that fires this rule and no other.
    Example,
    /// A similar ladder that does not fire it.
    NotThis,
    /// RFCs and other sources.
    References,
}

impl Section {
    /// All of them, in order.
    pub const ALL: [Self; 7] = [
        Self::WhatHappened,
        Self::WhyItMatters,
        Self::Remedy,
        Self::TellItBy,
        Self::Example,
        Self::NotThis,
        Self::References,
    ];

    /// Its heading.
    #[must_use]
    pub(crate) const fn heading(self) -> &'static str {
        match self {
            Self::WhatHappened => "What happened",
            Self::WhyItMatters => "Why it matters",
            Self::Remedy => "Remedy",
            Self::TellItBy => "Tell it by",
            Self::Example => "Example",
            Self::NotThis => "Not this",
            Self::References => "References",
        }
    }
}

impl Rule {
    /// The lines of the page: those of the doc comment, without the blank after `///`.
    fn lines(&self) -> impl Iterator<Item = &'static str> {
        let lines = self.page.lines();
        lines.map(|line| line.strip_prefix(' ').unwrap_or(line))
    }

    /// The lines of one section, without its heading. No copy is made: a rule may find a case on every connection.
    fn lines_of(&self, section: Section) -> impl Iterator<Item = &'static str> {
        let heading = move |line: &str| line.strip_prefix("# ") == Some(section.heading());
        let inside = self.lines().skip_while(move |line| !heading(line)).skip(1);
        inside.take_while(|line| !line.starts_with("# "))
    }

    /// The page as Markdown, with the sections under `#`.
    #[must_use]
    pub fn page(&self) -> String {
        text(self.lines())
    }

    /// The text of one section, without its heading; empty if the page does not have it.
    #[must_use]
    pub fn section(&self, section: Section) -> String {
        text(self.lines_of(section)).trim().to_owned()
    }

    /// The sign in a capture that tells this cause from others, on one line; empty if the page does not say it.
    #[must_use]
    pub(crate) fn tell_it_by(&self) -> String {
        let lines: Vec<&str> = self.lines_of(Section::TellItBy).map(str::trim).collect();
        lines.join(" ").trim().to_owned()
    }

    /// What to change, in one sentence: of the first remedy whose condition names a word of the error, else of the first that
    /// has no condition and stands alone or is for the usual case, else of the first whose condition names no error. A
    /// condition stays, unless it is that of the usual case.
    #[must_use]
    pub(crate) fn change(&self, error: &str) -> String {
        let points = self.remedy_points();
        let names_it = |point: &&String| {
            let condition = point.strip_prefix('*').and_then(|it| it.split_once(":* "));
            let mut words = condition.into_iter().flat_map(|(it, _)| it.split(' '));
            words.any(|it| it.contains('_') && error.contains(it))
        };
        let stands_alone =
            |point: &&String| !point.starts_with('*') && standing_first(point) == **point;
        let names_none = |point: &&String| {
            let condition = point
                .split_once(":* ")
                .map_or("", |(condition, _)| condition);
            !condition.contains('_')
        };
        let is_usual = |point: &&String| conditions(point).is_some_and(|(it, _)| is_usual(it));
        let all = || points.iter();
        let point = all().find(names_it).or_else(|| all().find(stands_alone));
        let point = point.or_else(|| all().find(is_usual));
        let point = point.or_else(|| all().find(names_none));
        let Some(point) = point.or_else(|| points.first()) else {
            return String::new();
        };
        let point = with_condition(point);
        let end = point.match_indices(". ").find(|(at, _)| {
            let next = point.get(at + 2..).and_then(|it| it.chars().next());
            next.is_some_and(char::is_uppercase)
        });
        let end = end.map_or(point.len(), |(at, _)| at + 1);
        point.get(..end).unwrap_or(&point).trim().to_owned()
    }

    /// The points of the remedy section.
    #[must_use]
    pub(super) fn remedy_points(&self) -> Vec<String> {
        let mut remedies: Vec<String> = Vec::new();
        for line in self.lines_of(Section::Remedy) {
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

/// Joins lines into one text.
fn text<'a>(lines: impl Iterator<Item = &'a str>) -> String {
    let mut text = String::new();
    for line in lines {
        text.push_str(line);
        text.push('\n');
    }
    text
}

/// The ladders in Markdown: each text, with the number of the line before its first.
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

/// The condition of a piece of advice, which stands before it in asterisks, and the advice.
fn conditions(point: &str) -> Option<(&str, &str)> {
    point.strip_prefix('*')?.split_once(":* ")
}

/// Whether a condition only leaves out what is unusual: `If no 504 came and no request was lost`.
fn is_usual(condition: &str) -> bool {
    let condition = condition.strip_prefix("If ").unwrap_or(condition);
    condition.split(" and ").all(|it| it.starts_with("no "))
}

/// Advice with its condition in the sentence; without one that only leaves out what is unusual.
#[must_use]
pub(crate) fn with_condition(point: &str) -> String {
    match conditions(point) {
        Some((condition, advice)) if is_usual(condition) => advice.to_owned(),
        Some((condition, advice)) => {
            // A product keeps its name.
            let word = advice.split(' ').next().unwrap_or_default();
            let is_name = word.ends_with(':');
            let mut letters = advice.chars();
            let first = letters.next().map(|it| match is_name {
                true => it,
                false => it.to_ascii_lowercase(),
            });
            let advice: String = first.into_iter().chain(letters).collect();
            format!("{condition}: {advice}")
        }
        None => point.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::with_condition;
    use crate::rules::rule;

    #[test]
    fn the_usual_case_needs_no_condition() {
        for (point, told) in [
            ("Raise it.", "Raise it."),
            (
                "*If no request was lost and no 504 came:* Raise it.",
                "Raise it.",
            ),
            ("*If a 504 came:* Raise it.", "If a 504 came: raise it."),
            (
                "*If a 504 came:* OkHttp: raise it.",
                "If a 504 came: OkHttp: raise it.",
            ),
        ] {
            assert_eq!(with_condition(point), told);
        }
        let change = rule("client-gave-up-waiting")
            .expect("a rule")
            .change("499");
        assert!(change.starts_with("Raise the client's timeout"), "{change}");
    }

    #[test]
    fn a_page_says_how_to_tell_it_and_what_to_change() {
        let race = rule("keep-alive-race").expect("a rule");
        assert!(race.tell_it_by().contains("keep-alive timeout"));
        assert!(race.change("").contains("idle"), "{}", race.change(""));
        let reset = rule("h2-reset-stream").expect("a rule");
        assert!(
            reset
                .change("(err 2) INTERNAL_ERROR")
                .contains("INTERNAL_ERROR")
        );
        for rule in crate::rules::CATALOGUE.iter() {
            let change = rule.change("");
            assert!(
                change.ends_with(['.', ':']) && !change.starts_with('*'),
                "{}: {change}",
                rule.name
            );
        }
    }
}
