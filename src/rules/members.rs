//! The cases of which a sentence, a remedy or a log line holds, so that a text names them: `#2, #5–#9: …`.

use crate::base::format::{number, ranges};

/// Numbers that are kept; more are counted.
const KEPT: usize = 64;
/// Ranges that are named; the rest are counted.
pub(super) const NAMED: usize = 4;

/// Some cases of a finding, with the connections on which they were captured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Members {
    cases: u64,
    /// The lowest number of a connection; none where the details of all are given up.
    lowest: Option<u32>,
    /// The numbers after it, ascending.
    known: Vec<u32>,
    /// Connections in all.
    connections: u64,
}

/// One case, on a connection that is not known.
impl Default for Members {
    fn default() -> Self {
        Self {
            cases: 1,
            lowest: None,
            known: Vec::new(),
            connections: 1,
        }
    }
}

impl Members {
    /// So many cases, on these connections.
    pub(super) fn on(cases: u64, connections: &[u32]) -> Self {
        let count = connections.len() as u64;
        let (lowest, known) = match connections {
            // Most are made of one case, and need no memory.
            [] => (None, Vec::new()),
            [one] => (Some(*one), Vec::new()),
            _ => kept(connections.to_vec()),
        };
        Self {
            cases,
            lowest,
            known,
            connections: count,
        }
    }

    /// How many cases they are.
    pub(super) const fn cases(&self) -> u64 {
        self.cases
    }

    /// The lowest numbers of connections, ascending.
    fn numbers(&self) -> impl Iterator<Item = u32> {
        self.lowest.into_iter().chain(self.known.iter().copied())
    }

    /// Adds others.
    pub(super) fn absorb(&mut self, others: &Self) {
        self.cases = self.cases.saturating_add(others.cases);
        self.connections = self.connections.saturating_add(others.connections);
        let highest = self.known.last().copied().or(self.lowest);
        if others.lowest.is_none() || self.known.len() + 1 >= KEPT && others.lowest > highest {
            return;
        }
        // The next case of a long capture is mostly a later one.
        if others.known.is_empty() && highest.is_some() && others.lowest > highest {
            self.known.extend(others.lowest);
            return;
        }
        (self.lowest, self.known) = kept(self.numbers().chain(others.numbers()).collect());
    }

    /// What stands before a text that holds for all of these cases, after one that holds for some of them.
    pub(super) const fn lead_of_all(&self) -> &'static str {
        match self.cases {
            2 => "Both: ",
            _ => "All: ",
        }
    }

    /// What stands before a text that holds for these of `all` cases: `#2, #5–#9: `, or `In 2 of 9 cases: ` where the
    /// connections are not known; nothing if they are all.
    pub(super) fn lead(&self, all: u64) -> String {
        if self.cases >= all {
            return String::new();
        }
        let known: Vec<u32> = self.numbers().collect();
        if known.is_empty() {
            return format!("In {} of {} cases: ", number(self.cases), number(all));
        }
        let unnamed = self.connections.saturating_sub(known.len() as u64);
        format!("{}: ", ranges(&known, NAMED, unnamed))
    }
}

/// The lowest of these numbers, and those after it that are kept.
fn kept(mut numbers: Vec<u32>) -> (Option<u32>, Vec<u32>) {
    numbers.sort_unstable();
    numbers.dedup();
    numbers.truncate(KEPT);
    let lowest = numbers.first().copied();
    numbers.drain(..1.min(numbers.len()));
    (lowest, numbers)
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
