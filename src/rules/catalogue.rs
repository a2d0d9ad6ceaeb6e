//! All rules, and the texts generated from them.

use std::fmt::Write as _;
use std::sync::LazyLock;

use super::rule::{Group, Rule};
use super::{capture, connecting, h2, keep_alive, ports, request, response, tcp, tls, waiting};

/// The groups of rules, in the order of a connection's life.
pub(crate) static GROUPS: [&Group; 10] = [
    &connecting::GROUP,
    &tls::GROUP,
    &request::GROUP,
    &waiting::GROUP,
    &response::GROUP,
    &keep_alive::GROUP,
    &tcp::GROUP,
    &ports::GROUP,
    &h2::GROUP,
    &capture::GROUP,
];

/// All rules, by name.
pub static CATALOGUE: LazyLock<Vec<&Rule>> = LazyLock::new(|| {
    let mut rules = GROUPS.map(|group| group.rules).concat();
    rules.sort_by_key(|rule| rule.name);
    rules
});

/// Whether a rule concludes from what was said on a connection, and not from TCP alone.
pub(super) fn reads_content(rule: &Rule) -> bool {
    let groups = [
        &tls::GROUP,
        &request::GROUP,
        &waiting::GROUP,
        &response::GROUP,
        &keep_alive::GROUP,
        &h2::GROUP,
    ];
    let mut rules = groups.into_iter().flat_map(|group| group.rules);
    rules.any(|it| it.name == rule.name)
}

/// The rule with this name.
#[must_use]
pub fn rule(name: &str) -> Option<&'static Rule> {
    CATALOGUE.iter().copied().find(|rule| rule.name == name)
}

/// The rule that a misspelt name probably meant: `keepalive race`, `reset_before_respose`.
#[must_use]
pub(crate) fn alike(name: &str) -> Option<&'static str> {
    let letters = |name: &str| -> String {
        let letters = name.chars().filter(|it| it.is_ascii_alphanumeric());
        letters.map(|it| it.to_ascii_lowercase()).collect()
    };
    let wanted = letters(name);
    if wanted.len() > SLIPPED {
        return None;
    }
    let near = CATALOGUE.iter().map(|rule| {
        let distance = strsim::osa_distance(&wanted, &letters(rule.name));
        (distance, rule.name)
    });
    let (distance, rule) = near.min()?;
    (distance * 4 <= wanted.len()).then_some(rule)
}

/// Rules whose names have these words: `reset`, `tls certificate`. Of many the first.
#[must_use]
pub(crate) fn named_like(words: &str) -> Vec<&'static str> {
    let words: Vec<String> = words
        .split(|it: char| !it.is_ascii_alphanumeric())
        .filter(|it| it.len() > 2)
        .map(str::to_ascii_lowercase)
        .collect();
    if words.is_empty() {
        return Vec::new();
    }
    let all = |rule: &&&Rule| {
        let mut parts = words.iter();
        parts.all(|word| rule.name.split('-').any(|it| it == word))
    };
    let found = CATALOGUE.iter().filter(all).map(|it| it.name);
    found.take(ALIKE).collect()
}

/// Names that are offered.
const ALIKE: usize = 8;

/// The rules that a name which no rule has may mean: the one that was misspelt, or else those with its words.
#[must_use]
pub(crate) fn meant(name: &str) -> Vec<&'static str> {
    alike(name).map_or_else(|| named_like(name), |rule| vec![rule])
}

/// Longer than any rule's name.
const SLIPPED: usize = 64;

/// The catalogue, one line per rule: name, severity, summary.
#[must_use]
pub(crate) fn catalogue() -> String {
    let width = CATALOGUE.iter().map(|rule| rule.name.len()).max();
    let mut lines = String::new();
    for rule in CATALOGUE.iter() {
        let severity = rule.severity.name();
        writeln!(
            lines,
            "{:<width$}  {severity:<8}  {}",
            rule.name,
            rule.summary,
            width = width.unwrap_or(0)
        )
        .expect("a string takes everything");
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::super::page::Section;
    use super::*;
    use crate::rules::ladder_check;

    #[test]
    fn slips_in_a_name_are_seen_through() {
        for (typed, rule) in [
            ("keepalive-race", Some("keep-alive-race")),
            ("reset before respose", Some("reset-before-response")),
            ("Half_Close", Some("half-close")),
            ("no-such-rule", None),
            ("", None),
        ] {
            assert_eq!(alike(typed), rule, "{typed}");
        }
    }

    #[test]
    fn the_catalogue_is_sorted_and_its_names_are_kebab_case() {
        let names: Vec<_> = CATALOGUE.iter().map(|rule| rule.name).collect();
        assert!(names.is_sorted_by(|a, b| a < b), "{names:?}");
        for name in names {
            assert!(
                name.bytes()
                    .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-')),
                "{name}"
            );
            assert!(rule(name).is_some());
        }
        assert!(rule("no-such-rule").is_none());
    }

    #[test]
    fn every_page_has_its_sections_in_order() {
        for rule in CATALOGUE.iter() {
            let page = rule.page();
            let headings: Vec<_> = page
                .lines()
                .filter_map(|line| line.strip_prefix("# "))
                .collect();
            let wanted: Vec<_> = Section::ALL
                .iter()
                .map(|section| section.heading())
                .collect();
            let optional = [Section::TellItBy, Section::References].map(Section::heading);
            let wanted: Vec<_> = wanted
                .into_iter()
                .filter(|it| headings.contains(it) || !optional.contains(it))
                .collect();
            assert_eq!(headings, wanted, "{}", rule.name);
            assert!(
                !rule.remedies().is_empty(),
                "{}: the remedy names something to change",
                rule.name
            );
        }
    }

    #[test]
    fn every_example_fires_its_rule_alone_and_not_this_does_not_fire_it() {
        let mut wrong = String::new();
        for rule in CATALOGUE.iter() {
            for (section, fires) in [(Section::Example, true), (Section::NotThis, false)] {
                let ladders = super::super::page::ladders(&rule.section(section));
                if ladders.is_empty() {
                    writeln!(wrong, "{}: {} has no ladder", rule.name, section.heading())
                        .expect("a string takes everything");
                }
                // Certificates are parsed only with this feature.
                let proven =
                    |text: &str| cfg!(feature = "decrypt") || !text.contains("Certificate [");
                for (_, text) in ladders.into_iter().filter(|(_, text)| proven(text)) {
                    if let Err(why) = prove(rule.name, &text, fires) {
                        writeln!(wrong, "{}, {}: {why}\n{text}", rule.name, section.heading())
                            .expect("a string takes everything");
                    }
                }
            }
        }
        assert!(wrong.is_empty(), "{wrong}");
    }

    /// Checks that a ladder makes the rule fire, alone unless it says otherwise, or that it does not.
    fn prove(name: &str, text: &str, fires: bool) -> Result<(), String> {
        let ladder = crate::ladder::parse(text).map_err(|error| error.to_string())?;
        let proof = ladder_check::run(&ladder);
        if !proof.mismatches.is_empty() {
            return Err(format!("{:#?}", proof.mismatches));
        }
        let names = proof.rules();
        let told = ladder.lines.iter().any(|line| {
            matches!(line, crate::ladder::LadderLine::Expect(it)
                if matches!(it.claim, crate::ladder::Claim::Findings(_)))
        });
        let right = match (fires, told) {
            (true, true) => names.contains(&name),
            (true, false) => names == [name],
            (false, _) => !names.contains(&name),
        };
        right.then_some(()).ok_or_else(|| format!("{names:?}"))
    }
}
