//! The remedies on the rules' pages.

use std::sync::LazyLock;

use hashbrown::HashMap;

use super::catalogue::CATALOGUE;
use super::remedy::Remedy;
use super::rule::Rule;

impl Rule {
    /// The remedies on the page, in its order: the likeliest first.
    pub(super) fn remedies(&self) -> Vec<Remedy> {
        PAGES.get(self.name).cloned().unwrap_or_default()
    }
}

/// The remedies of all pages. They are read once, as a rule may find a case on every connection.
static PAGES: LazyLock<HashMap<&'static str, Vec<Remedy>>> = LazyLock::new(|| {
    let read = |rule: &Rule| {
        let points = rule.remedy_points().into_iter();
        // As many as there are points on all pages, once.
        let points = points.map(|point| Remedy::from_table(String::leak(point)));
        (rule.name, points.collect())
    };
    CATALOGUE.iter().map(|rule| read(rule)).collect()
});

#[cfg(test)]
mod tests {
    use super::*;
    use crate::knowledge::setting::SETTINGS;
    use crate::knowledge::{LIMITS, TIMERS};

    /// The numbers that stand before "by default".
    fn defaults(text: &str) -> Vec<u64> {
        let parts: Vec<&str> = text.split("by default").collect();
        let before = parts.split_last().map_or(&[][..], |(_, before)| before);
        let numbers = before.iter().filter_map(|part| {
            let words = part.rsplit([' ', '(', ',']);
            words.take(4).find_map(|it| it.parse().ok())
        });
        numbers.collect()
    }

    #[test]
    fn a_default_on_a_page_was_checked() {
        let settings = SETTINGS.iter().filter(|it| !it.basis.is_presumed());
        let mut known: Vec<u64> = settings.flat_map(|it| defaults(&it.remedy)).collect();
        let limits = LIMITS.iter().filter(|it| !it.basis.is_presumed());
        known.extend(limits.map(|it| it.count));
        let timers = TIMERS.iter().filter(|it| it.is_checked());
        known.extend(timers.map(|it| it.seconds as u64));
        let mut told = 0;
        for rule in CATALOGUE.iter() {
            for remedy in rule.remedies() {
                for number in defaults(remedy.text()) {
                    assert!(known.contains(&number), "{}: {}", rule.name, remedy.text());
                    told += 1;
                }
            }
        }
        assert!(told > 1, "{told}");
        assert_eq!(defaults("raise `a` (30 s by default, 20 s before 7)"), [30]);
    }
}
