//! The remedies on the rules' pages.

use std::sync::{LazyLock, OnceLock};

use hashbrown::HashMap;

use super::catalogue::CATALOGUE;
use super::remedy::Remedy;
use super::rule::Rule;

impl Rule {
    /// The remedies on the page, in its order: the likeliest first.
    pub(super) fn remedies(&self) -> Vec<Remedy> {
        let page = PAGES.get(self.name);
        page.map_or_else(Vec::new, |(rule, page)| {
            page.get_or_init(|| read(rule)).clone()
        })
    }
}

/// The remedies of all pages. Each page is read once, as a rule may find a case on every connection.
static PAGES: LazyLock<HashMap<&'static str, PageRemedies>> = LazyLock::new(|| {
    let pages = CATALOGUE.iter();
    pages
        .map(|rule| (rule.name, (*rule, OnceLock::new())))
        .collect()
});

/// A rule, and the remedies on its page once they are read.
type PageRemedies = (&'static Rule, OnceLock<Vec<Remedy>>);

fn read(rule: &Rule) -> Vec<Remedy> {
    let points = rule.remedy_points().into_iter();
    // As many as there are points on all pages, once.
    points
        .map(|point| Remedy::from_table(String::leak(point)).lasting())
        .collect()
}

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
