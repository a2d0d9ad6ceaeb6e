//! The cases of which a sentence, a remedy or a log line holds, so that a text names them: `#2, #5–#9: …`.

use crate::base::format::{number, ranges};

/// Numbers that are kept; more are counted.
const KEPT: usize = 64;
/// Ranges that are named; the rest are counted.
const NAMED: usize = 4;

/// Some cases of a finding, with the connections on which they were captured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Members {
    cases: u64,
    /// The lowest numbers of connections, ascending; none where their details are given up.
    known: Vec<u32>,
    /// Connections in all.
    connections: u64,
}

/// One case, on a connection that is not known.
impl Default for Members {
    fn default() -> Self {
        Self {
            cases: 1,
            known: Vec::new(),
            connections: 1,
        }
    }
}

impl Members {
    /// So many cases, on these connections.
    pub(super) fn on(cases: u64, connections: &[u32]) -> Self {
        let mut known = connections.to_vec();
        known.sort_unstable();
        known.truncate(KEPT);
        Self {
            cases,
            known,
            connections: connections.len() as u64,
        }
    }

    /// How many cases they are.
    pub(super) const fn cases(&self) -> u64 {
        self.cases
    }

    /// Forgets the numbers of the connections, whose details are given up.
    pub(super) fn forget_numbers(&mut self) {
        self.known = Vec::new();
    }

    /// Adds others.
    pub(super) fn absorb(&mut self, others: &Self) {
        self.cases = self.cases.saturating_add(others.cases);
        self.connections = self.connections.saturating_add(others.connections);
        self.known.extend(&others.known);
        self.known.sort_unstable();
        self.known.dedup();
        self.known.truncate(KEPT);
    }

    /// What stands before a text that holds for these of `all` cases: `#2, #5–#9: `, or `In 2 of 9 cases: ` where the
    /// connections are not known; nothing if they are all.
    pub(super) fn lead(&self, all: u64) -> String {
        if self.cases >= all {
            return String::new();
        }
        if self.known.is_empty() {
            return format!("In {} of {} cases: ", number(self.cases), number(all));
        }
        let unnamed = self.connections.saturating_sub(self.known.len() as u64);
        format!("{}: ", ranges(&self.known, NAMED, unnamed))
    }
}

/// A text without what [`Members::lead`] put before it; `None` if it holds for all cases.
pub(super) fn without_lead(text: &str) -> Option<&str> {
    let (lead, rest) = text.split_once(": ")?;
    let is_number = |it: &str| it.bytes().all(|it| it.is_ascii_digit() || it == b',');
    let counted = lead
        .strip_prefix("In ")
        .and_then(|it| it.strip_suffix(" cases"));
    let counted = counted.and_then(|it| it.split_once(" of "));
    let is_counted = counted.is_some_and(|(some, all)| is_number(some) && is_number(all));
    let named = lead.replace([',', '#', '–', ' '], "");
    let is_named =
        lead.starts_with('#') && is_number(&named.replacen("and", "", 1).replace("more", ""));
    (is_counted || is_named).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_are_named_by_their_numbers() {
        let of = |ids: &[u32]| {
            let each = ids.iter().map(|id| Members::on(1, &[*id]));
            let joined = each.reduce(|mut all, it| {
                all.absorb(&it);
                all
            });
            joined.expect("a member")
        };
        for (ids, all, lead) in [
            (&[2][..], 1, ""),
            (&[2], 2, "#2: "),
            (&[7, 5, 6, 2], 9, "#2, #5–#7: "),
            (&[9, 1, 3, 5, 7, 11], 9, "#1, #3, #5, #7 and 2 more: "),
        ] {
            assert_eq!(of(ids).lead(all), lead);
            let text = format!("{lead}Look: here.");
            assert_eq!(without_lead(&text), (all > 1).then_some("Look: here."));
        }
        let many: Vec<u32> = (1..=1000).map(|nth| 2 * nth).collect();
        assert_eq!(of(&many).lead(2000), "#2, #4, #6, #8 and 996 more: ");
        assert_eq!(Members::default().lead(3), "In 1 of 3 cases: ");
        assert_eq!(
            without_lead("In 1,001 of 2,000 cases: Look."),
            Some("Look.")
        );
        assert_eq!(without_lead("Look: here."), None);
    }
}
