//! What happens in a running analysis, from one look at it to the next: findings opened, updated, closed; connections that
//! are over.
//!
//! A finding is opened when two snapshots in a row contain it: one on a connection that is still open may be withdrawn when
//! its next packet arrives. A connection is told when two snapshots in a row show its end. Further cases are told when the
//! interval is over, so that a busy finding has one line for each.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use super::told::{FindingName, MAX_REMEMBERED, name};
use crate::analysis::connection::How;
use crate::base::time::Timestamp;
use crate::report::feed::{ClosedRow, FeedLine, UpdatedRow, hosts};
use crate::report::snapshot::Snapshot;
use crate::rules::Finding;

/// How often further cases are told, unless an interval is asked for.
pub(super) const USUAL_INTERVAL: Duration = Duration::from_secs(10);

/// A finding that was seen.
#[derive(Debug)]
struct Known {
    id: u64,
    /// Whether it was opened, and not closed since.
    open: bool,
    /// Cases in all, in the latest snapshot, and at the latest line.
    times: u64,
    latest: u64,
    told: u64,
    told_at: Timestamp,
    /// The number of the latest snapshot that has it.
    seen: u64,
}

/// What has been told.
#[derive(Debug, Default)]
pub(super) struct Feed {
    findings: HashMap<FindingName, Known>,
    /// The number of the latest finding.
    last_id: u64,
    /// Snapshots that were looked at.
    looks: u64,
    /// The version of the latest.
    version: u64,
    /// Whether connections are told.
    connections: bool,
    /// The highest number of a connection, and those that are not told yet.
    newest: u32,
    waiting: BTreeSet<u32>,
    /// Findings that were told and forgotten, since asked.
    forgotten: u64,
}

impl Feed {
    /// `connections`: those that are over are told.
    pub(super) fn new(connections: bool) -> Self {
        Self {
            connections,
            // A finding that was never seen is not one of the look before.
            looks: 1,
            ..Self::default()
        }
    }

    /// The lines of a snapshot. `last`: nothing comes after it. `due`: an interval is over.
    pub(super) fn lines<'a>(
        &mut self,
        version: u64,
        snapshot: &'a Snapshot,
        now: Timestamp,
        due: bool,
        last: bool,
    ) -> Vec<FeedLine<'a>> {
        let mut lines = Vec::new();
        if version != self.version || last {
            self.version = version;
            self.looks += 1;
            self.look(snapshot, now, last, &mut lines);
            if self.connections {
                self.over(snapshot, last, &mut lines);
            }
        }
        if due || last {
            self.update(snapshot, now, &mut lines);
        }
        lines
    }

    /// How many findings were told and forgotten, since this was asked.
    pub(super) fn forgotten(&mut self) -> u64 {
        std::mem::take(&mut self.forgotten)
    }

    /// The cases so far of each finding that was opened: one that a single look shows may be withdrawn, and a counter
    /// cannot fall.
    pub(super) fn cases(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.findings
            .iter()
            .filter(|(_, known)| known.told > 0)
            .map(|(name, known)| (name.0, known.times))
    }

    fn look<'a>(
        &mut self,
        snapshot: &'a Snapshot,
        now: Timestamp,
        last: bool,
        lines: &mut Vec<FeedLine<'a>>,
    ) {
        let looks = self.looks;
        for (name, finding, times) in by_name(&snapshot.findings) {
            let known = self.findings.entry(name).or_insert_with(|| {
                self.last_id += 1;
                Known {
                    id: self.last_id,
                    open: false,
                    times: 0,
                    latest: 0,
                    told: 0,
                    told_at: now,
                    seen: 0,
                }
            });
            // Connections may have been forgotten: then the number falls, and nothing new has happened.
            known.times += times.saturating_sub(known.latest);
            known.latest = times;
            let again = known.seen + 1 == looks;
            known.seen = looks;
            if !known.open && (again || last) {
                known.open = true;
                known.told = known.times;
                known.told_at = now;
                lines.push(FeedLine::opened(known.id, known.times, finding, snapshot));
            }
        }
        for (name, known) in &mut self.findings {
            if known.seen == looks {
                continue;
            }
            known.latest = 0;
            if std::mem::take(&mut known.open) {
                lines.push(FeedLine::FindingClosed(ClosedRow {
                    id: known.id,
                    at: now,
                    rule: name.0,
                    hosts: hosts(name.1, name.2),
                    times: known.times,
                }));
            }
        }
        if self.findings.len() > MAX_REMEMBERED {
            let before = self.findings.len();
            self.findings.retain(|_, known| known.seen == looks);
            self.forgotten += (before - self.findings.len()) as u64;
        }
    }

    fn over<'a>(&mut self, snapshot: &'a Snapshot, last: bool, lines: &mut Vec<FeedLine<'a>>) {
        self.waiting.retain(|id| {
            let summary = snapshot.connection_summary(*id);
            let over = summary.filter(|it| last || it.how != How::Open);
            lines.extend(over.map(|it| FeedLine::settled(it, snapshot)));
            // One that was forgotten is told no more.
            summary.is_some() && over.is_none()
        });
        let new = snapshot.summaries.iter().rev();
        let new = new.take_while(|it| it.id > self.newest);
        let new: Vec<_> = new.collect();
        for summary in new.iter().rev() {
            match last {
                true => lines.push(FeedLine::settled(summary, snapshot)),
                false => drop(self.waiting.insert(summary.id)),
            }
        }
        self.newest = new.first().map_or(self.newest, |it| it.id);
    }

    fn update<'a>(
        &mut self,
        snapshot: &'a Snapshot,
        now: Timestamp,
        lines: &mut Vec<FeedLine<'a>>,
    ) {
        for (name, finding, _) in by_name(&snapshot.findings) {
            let Some(known) = self.findings.get_mut(&name) else {
                continue;
            };
            if !known.open || known.times == known.told {
                continue;
            }
            lines.push(FeedLine::FindingUpdated(UpdatedRow {
                id: known.id,
                at: now,
                rule: finding.rule,
                severity: finding.severity.name(),
                hosts: hosts(finding.client, finding.server),
                added: known.times - known.told,
                since: known.told_at,
                times: known.times,
            }));
            known.told = known.times;
            known.told_at = now;
        }
    }
}

/// The findings by name, each with its cases; the worst of a name stands for it.
fn by_name(findings: &[Finding]) -> Vec<(FindingName, &Finding, u64)> {
    let mut all: Vec<(FindingName, &Finding, u64)> = Vec::with_capacity(findings.len());
    let mut places = HashMap::new();
    for finding in findings {
        let name = name(finding);
        let at = *places.entry(name).or_insert(all.len());
        match all.get_mut(at) {
            Some((.., times)) => *times = times.saturating_add(finding.times),
            None => all.push((name, finding, finding.times)),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;
    use crate::base::certainty::Certainty;
    use crate::report::snapshot::sample::{connection, endpoint, snapshot};
    use crate::rules::Severity;

    fn finding(client: u8, times: u64) -> Finding {
        Finding {
            id: 1,
            example: None,
            rule: "a-rule",
            severity: Severity::Error,
            certainty: Certainty::Certain,
            connections: vec![1],
            gone: 0,
            times,
            client: Some(IpAddr::from([10, 0, 0, client])),
            server: Some(endpoint(2, 80)),
            proxy: Default::default(),
            caused_by: None,
            summary: "it happened".into(),
            message: "It happened.".into(),
            evidence: Vec::new(),
            remedies: Vec::new(),
        }
    }

    /// What each look says, a word for each line: `+1` opened, `1:5` five more cases, `-1` closed, `#1` a connection.
    fn words(feed: &mut Feed, version: u64, snapshot: &Snapshot, due: bool, last: bool) -> String {
        let lines = feed.lines(version, snapshot, Timestamp::default(), due, last);
        let words = lines.iter().map(|line| {
            let line = serde_json::to_value(line).expect("JSON");
            let id = &line["id"];
            match line["kind"].as_str() {
                Some("finding-opened") => format!("+{id}"),
                Some("finding-updated") => format!("{id}:{}", line["added"]),
                Some("finding-closed") => format!("-{id}"),
                _ => format!("#{id}"),
            }
        });
        words.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_finding_is_opened_updated_and_closed() {
        let mut feed = Feed::new(false);
        // The cases of two findings in each look, whether an interval is over, whether it is the last; what is said.
        for (version, (one, other, due, last, said)) in [
            (1, 0, false, false, ""),
            (1, 0, false, false, "+1"),
            (6, 1, false, false, ""),
            (6, 1, true, false, "+2 1:5"),
            (6, 1, true, false, ""),
            // Connections were forgotten: nothing new has happened.
            (2, 1, true, false, ""),
            (3, 1, true, false, "1:1"),
            (3, 0, false, false, "-2"),
            // It comes back, as what it was.
            (3, 1, false, false, ""),
            (0, 1, false, false, "+2 -1"),
            (4, 1, false, true, "+1"),
        ]
        .into_iter()
        .enumerate()
        {
            let mut all = snapshot(vec![connection()]);
            for (client, times) in [(1, one), (2, other)] {
                if times > 0 {
                    all.findings.push(finding(client, times));
                }
            }
            let version = version as u64 + 1;
            assert_eq!(
                words(&mut feed, version, &all, due, last),
                said,
                "{version}"
            );
            // The same snapshot says nothing more.
            if !last {
                assert_eq!(words(&mut feed, version, &all, due, false), "", "{version}");
            }
        }
        let cases: u64 = feed.cases().map(|(_, times)| times).sum();
        assert_eq!(cases, 6 + 1 + 4 + 1 + 1);
    }

    #[test]
    fn a_connection_is_told_once_when_it_is_over() {
        let mut open = connection();
        open.teardown.how = How::Open;
        let mut feed = Feed::new(true);
        for (version, (connections, last, said)) in [
            (vec![connection(), open.clone()], false, ""),
            (vec![connection(), open.clone()], false, "#1"),
            (vec![connection(), connection(), open.clone()], false, "#2"),
            (vec![connection(), connection(), open], true, "#3"),
        ]
        .into_iter()
        .enumerate()
        {
            let all = snapshot(connections);
            let version = version as u64 + 1;
            assert_eq!(
                words(&mut feed, version, &all, false, last),
                said,
                "{version}"
            );
        }
    }
}
