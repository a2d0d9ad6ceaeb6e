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
