//! The groups of the connections table: by server, host, path, client, outcome or rule.
//!
//! A connection is in each group that it has a part in: one with requests for two paths is in two groups.

use std::borrow::Cow;
use std::collections::HashMap;
use std::net::IpAddr;

use super::columns::by_number;
use super::view_model::{OutcomeClass, ViewModel};
use crate::analysis::connection::{BriefRequest, ConnectionSummary};
use crate::base::escape::escape;
use crate::base::net::Endpoint;

/// What the connections are grouped by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) enum Grouping {
    #[default]
    None,
    Server,
    Host,
    Path,
    Client,
    Outcome,
    Rule,
}

impl Grouping {
    pub(super) const ALL: [Self; 7] = [
        Self::None,
        Self::Server,
        Self::Host,
        Self::Path,
        Self::Client,
        Self::Outcome,
        Self::Rule,
    ];

    /// The name in the menu and in the head of the table.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Server => "server",
            Self::Host => "host",
            Self::Path => "path",
            Self::Client => "client",
            Self::Outcome => "outcome",
            Self::Rule => "rule",
        }
    }

    /// A line for the menu.
    pub(super) const fn help(self) -> &'static str {
        match self {
            Self::None => "a row for each connection",
            Self::Server => "address and port",
            Self::Host => "the name that was asked for: Host, TLS server name, or DNS",
            Self::Path => "what was requested, without what follows a question mark",
            Self::Client => "the client's address",
            Self::Outcome => "whether anything was lost, and why",
            Self::Rule => "the rules that found something",
        }
    }
}

/// The connections that have something in common.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct RowGroup {
    /// What they have in common, escaped.
    pub(super) name: String,
    /// Indices into the snapshot's summaries, in the order of the table.
    pub(super) places: Vec<u32>,
    /// How many of them failed.
    pub(super) failed: u64,
    /// Their requests; only those for the path, if they are grouped by path.
    pub(super) requests: u64,
    /// Their payload, both ways.
    pub(super) bytes: u64,
}

/// What stands for a connection that has nothing to be grouped by.
const NOTHING: &str = "(none)";
/// What stands for a connection whose requests were not kept.
const NOT_KEPT: &str = "(requests not kept)";

/// The groups of these connections: those with most failures first, then the largest.
pub(super) fn groups(model: &ViewModel, places: &[u32], by: Grouping) -> Vec<RowGroup> {
    if by == Grouping::None {
        return Vec::new();
    }
    let mut collector = Collector {
        by,
        model,
        nth: HashMap::new(),
        groups: Vec::new(),
    };
    for place in places {
        if let Some(summary) = model.snapshot.summaries.get(*place as usize) {
            collector.connection(*place, summary);
        }
    }
    let mut groups: Vec<RowGroup> = collector.groups;
    groups.sort_by(|one, two| {
        let size = |group: &RowGroup| (group.failed, group.places.len());
        size(two)
            .cmp(&size(one))
            .then_with(|| one.name.cmp(&two.name))
    });
    groups
}

/// What tells a group from others, without its name.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum GroupKey<'a> {
    Endpoint(Endpoint),
    Address(IpAddr),
    Text(&'a [u8]),
    Word(&'static str, &'static str),
    Nothing,
    NotKept,
}

struct Collector<'a> {
    by: Grouping,
    model: &'a ViewModel,
    nth: HashMap<GroupKey<'a>, usize>,
    groups: Vec<RowGroup>,
}

impl<'a> Collector<'a> {
    fn connection(&mut self, place: u32, summary: &ConnectionSummary) {
        let snapshot = &self.model.snapshot;
        let requests = summary.exchanges.into();
        match self.by {
            Grouping::None => {}
            Grouping::Server => {
                self.put(GroupKey::Endpoint(summary.server), place, summary, requests);
            }
            Grouping::Client => {
                let key = GroupKey::Address(summary.client.ip);
                self.put(key, place, summary, requests);
            }
            Grouping::Host => {
                let host = snapshot.host(place as usize);
                self.put(self.text(host, summary), place, summary, requests);
            }
            Grouping::Outcome => {
                let class = OutcomeClass::of(summary.outcome).name();
                let key = GroupKey::Word(class, summary.outcome.reason());
                self.put(key, place, summary, requests);
            }
            Grouping::Rule => {
                let mut seen: Vec<&str> = Vec::new();
                for number in self.model.naming.numbers(summary.id) {
                    let rule = by_number(snapshot, *number).map(|it| it.rule);
                    if let Some(rule) = rule.filter(|rule| !seen.contains(rule)) {
                        seen.push(rule);
                        self.put(GroupKey::Word(rule, ""), place, summary, requests);
                    }
                }
                if seen.is_empty() {
                    self.put(GroupKey::Nothing, place, summary, requests);
                }
            }
            Grouping::Path => self.paths(place, summary),
        }
    }

    fn paths(&mut self, place: u32, summary: &ConnectionSummary) {
        let snapshot = &self.model.snapshot;
        let list = snapshot.requests.get(place as usize);
        let mut any = false;
        if let Some(list) = list.and_then(Option::as_ref) {
            for request in list {
                any = true;
                self.path(&request, place, summary);
            }
        } else if let Some(record) = snapshot.connection(summary.id) {
            for exchange in record.spoken() {
                any = true;
                self.path(&BriefRequest::of(exchange), place, summary);
            }
        }
        if !any {
            self.put(self.text(None, summary), place, summary, 0);
        }
    }

    fn path(&mut self, request: &BriefRequest<'a>, place: u32, summary: &ConnectionSummary) {
        let end = memchr::memchr(b'?', request.target);
        let path = request.target.get(..end.unwrap_or(request.target.len()));
        let key = match path {
            Some(path) if !path.is_empty() => GroupKey::Text(path),
            _ => GroupKey::Nothing,
        };
        self.put(key, place, summary, 1);
    }

    fn text(&self, text: Option<&'a [u8]>, summary: &ConnectionSummary) -> GroupKey<'a> {
        let kept = self.model.snapshot.connection(summary.id).is_some();
        match text {
            Some(text) => GroupKey::Text(text),
            None if summary.is_searchable() && !kept => GroupKey::NotKept,
            None => GroupKey::Nothing,
        }
    }

    fn put(&mut self, key: GroupKey<'a>, place: u32, summary: &ConnectionSummary, requests: u64) {
        let groups = &mut self.groups;
        let nth = *self.nth.entry(key).or_insert_with(|| {
            groups.push(RowGroup {
                name: name(key),
                ..RowGroup::default()
            });
            groups.len() - 1
        });
        let Some(group) = groups.get_mut(nth) else {
            return;
        };
        group.requests += requests;
        // The same path again on the same connection.
        if group.places.last() == Some(&place) {
            return;
        }
        group.places.push(place);
        group.failed += u64::from(OutcomeClass::of(summary.outcome) == OutcomeClass::Failed);
        group.bytes += summary.bytes[0].saturating_add(summary.bytes[1]);
    }
}

fn name(key: GroupKey<'_>) -> String {
    match key {
        GroupKey::Endpoint(endpoint) => endpoint.to_string(),
        GroupKey::Address(address) => address.to_string(),
        GroupKey::Text(text) => escape(text).into_owned(),
        GroupKey::Word(word, "") => word.to_owned(),
        GroupKey::Word(word, reason) => format!("{word}: {reason}"),
        GroupKey::Nothing => NOTHING.to_owned(),
        GroupKey::NotKept => NOT_KEPT.to_owned(),
    }
}

/// A name that fits into `columns`.
pub(super) fn shortened(name: &str, columns: usize) -> Cow<'_, str> {
    if name.chars().count() <= columns {
        return Cow::Borrowed(name);
    }
    let kept = name.chars().take(columns.saturating_sub(1));
    Cow::Owned(kept.chain(['…']).collect())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::analysis::connection::{ConnectionOutcome, FailedReason};
    use crate::report::snapshot::sample::{connection, endpoint, snapshot};

    #[test]
    fn the_group_with_most_failures_comes_first() {
        let mut many = vec![connection(); 5];
        many[3].server = endpoint(9, 80);
        many[3].outcome = ConnectionOutcome::Failed(FailedReason::NoResponse);
        many[4].client = endpoint(7, 80);
        let model = ViewModel::new(Arc::new(snapshot(many)), 1, Duration::from_secs(60));
        for (by, told) in [
            (Grouping::None, &[][..]),
            (Grouping::Server, &["10.0.0.9:80 1/1", "10.0.0.2:80 0/4"]),
            (Grouping::Client, &["10.0.0.1 1/4", "10.0.0.7 0/1"]),
            (
                Grouping::Outcome,
                &["failed: no-response 1/1", "fine: complete 0/4"],
            ),
            (Grouping::Rule, &["(none) 1/5"]),
            (Grouping::Path, &["(none) 1/5"]),
            (Grouping::Host, &["(none) 1/5"]),
        ] {
            let groups = groups(&model, &[0, 1, 2, 3, 4], by);
            let groups = groups
                .iter()
                .map(|it| format!("{} {}/{}", it.name, it.failed, it.places.len()));
            assert_eq!(groups.collect::<Vec<_>>(), told, "{by:?}");
        }
    }
}
