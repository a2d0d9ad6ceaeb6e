//! Which findings were told while packets come, so that each is told once.

use std::collections::HashSet;
use std::net::IpAddr;

use crate::base::net::Endpoint;
use crate::rules::Finding;

/// The most findings that are remembered as told. Above it, only those still in the snapshot are remembered, so that one
/// that recurs after days is told again.
pub(super) const MAX_REMEMBERED: usize = 50_000;

/// What makes findings of two snapshots the same.
pub(super) type FindingName = (&'static str, Option<IpAddr>, Option<Endpoint>);

/// The name of a finding.
pub(super) const fn name(finding: &Finding) -> FindingName {
    (finding.rule, finding.client, finding.server)
}

/// The findings that were told.
#[derive(Debug, Default)]
pub(super) struct ToldFindings(HashSet<FindingName>);

impl ToldFindings {
    /// Whether this one was not told yet; from now on it was.
    pub(super) fn is_new(&mut self, name: FindingName) -> bool {
        self.0.insert(name)
    }

    /// Forgets those that are not `present`, if there are more than `most`. Returns how many.
    pub(super) fn forget(&mut self, present: &HashSet<FindingName>, most: usize) -> u64 {
        let before = self.0.len();
        if before > most {
            self.0.retain(|name| present.contains(name));
        }
        (before - self.0.len()) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_forgotten_is_counted_and_told_again() {
        let name = |client: u8| ("a-rule", Some(IpAddr::from([10, 0, 0, client])), None);
        let mut told = ToldFindings::default();
        assert!((1..=4).all(|client| told.is_new(name(client))));
        assert!(!told.is_new(name(1)));
        let present = HashSet::from([name(4)]);
        assert_eq!(told.forget(&present, 4), 0);
        assert_eq!(told.forget(&present, 3), 3);
        assert!(told.is_new(name(1)) && !told.is_new(name(4)));
    }
}
