//! For each exchange those that it may have been made for.
//!
//! Nothing is compared pairwise: exchanges that share an id are found by the id, those with the same end of their path
//! in one pass over time, and those in progress at a moment by a list in the order of their beginnings.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::hash::BuildHasher as _;

use super::fit::{Fit, SLACK, fit};
use super::item::{Item, tail};
use crate::base::time::Timestamp;

/// Upper bound of exchanges that are alike and in progress at once: of more than these, none could be told from the others.
pub(crate) const MAX_ALIKE: usize = 256;

/// Which exchanges each one may have been made for, by the index of both.
#[derive(Debug, Default)]
pub(super) struct Candidates {
    /// In the order of the exchanges' beginnings; only those that have any.
    pub(super) all: Vec<(u32, Vec<(u32, Fit)>)>,
    /// Exchanges whose candidates were too many.
    pub(super) left_out: u64,
}

/// Those with an id or with a path.
pub(super) fn candidates(items: &[Item<'_>]) -> Candidates {
    let mut found: Vec<(u32, u32, Fit)> = Vec::new();
    by_id(items, &mut found);
    let left_out = by_path(items, &mut found);
    let begin = |index: u32| items.get(index as usize).map(|it| (it.begin, it.id));
    found.sort_by_key(|(upstream, client, _)| (begin(*upstream), *client));
    found.dedup_by_key(|(upstream, client, _)| (*upstream, *client));
    let mut all: Vec<(u32, Vec<(u32, Fit)>)> = Vec::new();
    for (upstream, client, fit) in found {
        match all.last_mut() {
            Some((last, list)) if *last == upstream => list.push((client, fit)),
            _ => all.push((upstream, vec![(client, fit)])),
        }
    }
    Candidates { all, left_out }
}

fn by_id(items: &[Item<'_>], found: &mut Vec<(u32, u32, Fit)>) {
    let ids = (0u32..).zip(items).flat_map(|(index, item)| {
        let ids = item.passed_on().into_iter().flat_map(|it| it.ids());
        ids.map(move |id| (id, index))
    });
    let mut ids: Vec<_> = ids.collect();
    ids.sort_unstable();
    // An id of more exchanges than this is that of a user or of a session.
    for group in ids.chunk_by(|one, other| one.0 == other.0) {
        if group.len() > MAX_ALIKE {
            continue;
        }
        for (_, upstream) in group {
            let clients = group.iter().map(|(_, client)| *client);
            found.extend(fitting(items, *upstream, clients));
        }
    }
}

/// Those among `clients` that fit.
fn fitting(
    items: &[Item<'_>],
    upstream: u32,
    clients: impl Iterator<Item = u32>,
) -> impl Iterator<Item = (u32, u32, Fit)> {
    let own = items.get(upstream as usize);
    clients.filter_map(move |client| {
        let other = items.get(client as usize).filter(|_| client != upstream)?;
        Some((upstream, client, fit(other, own?)?))
    })
}

fn by_path(items: &[Item<'_>], found: &mut Vec<(u32, u32, Fit)>) -> u64 {
    let hasher = foldhash::fast::FixedState::default();
    let keyed = (0u32..).zip(items).filter_map(|(index, item)| {
        let (path, _) = item.target()?;
        Some((hasher.hash_one(tail(path)), item.begin, index))
    });
    let mut keyed: Vec<_> = keyed.collect();
    keyed.sort_unstable();
    let groups = keyed.chunk_by(|one, other| one.0 == other.0);
    let mut left_out = 0;
    for group in groups {
        let mut servers = group.iter().filter_map(|(_, _, index)| {
            let item = items.get(*index as usize)?;
            Some(item.connection.server)
        });
        let first = servers.next();
        if servers.any(|it| Some(it) != first) {
            left_out += sweep(items, group, found);
        }
    }
    left_out
}

/// Compares exchanges with the same end of the path, in the order of their beginnings, with those in progress.
fn sweep(
    items: &[Item<'_>],
    group: &[(u64, Timestamp, u32)],
    found: &mut Vec<(u32, u32, Fit)>,
) -> u64 {
    let mut open: BinaryHeap<Reverse<(Timestamp, u32)>> = BinaryHeap::new();
    let mut coming = group.iter().peekable();
    let mut left_out = 0;
    for (_, begin, upstream) in group {
        while let Some((_, _, client)) = coming.next_if(|it| it.1 <= begin.after(SLACK)) {
            let until = items.get(*client as usize).map(Item::until);
            open.extend(until.map(|until| Reverse((until.after(SLACK), *client))));
        }
        while open.peek().is_some_and(|Reverse((until, _))| until < begin) {
            open.pop();
        }
        if open.len() > MAX_ALIKE {
            left_out += 1;
            continue;
        }
        let clients = open.iter().map(|Reverse((_, client))| *client);
        found.extend(fitting(items, *upstream, clients));
    }
    left_out
}

/// Exchanges by the time in which they were in progress.
pub(super) struct InProgress {
    /// Beginning, index, and the latest end of this one and all before it.
    all: Vec<(Timestamp, u32, Timestamp)>,
}

impl InProgress {
    /// Those for which `wanted` holds.
    pub(super) fn of(items: &[Item<'_>], wanted: impl Fn(&Item<'_>) -> bool) -> Self {
        let items = (0u32..).zip(items).filter(|(_, item)| wanted(item));
        let mut all: Vec<_> = items
            .map(|(index, item)| (item.begin, index, item.until()))
            .collect();
        all.sort_unstable();
        let mut latest = None;
        for (_, _, until) in &mut all {
            let most = latest.map_or(*until, |it: Timestamp| it.max(*until));
            *until = most;
            latest = Some(most);
        }
        Self { all }
    }

    /// Those in progress at this moment; `None` if too many began before it to tell.
    pub(super) fn at(&self, moment: Timestamp, items: &[Item<'_>]) -> Option<Vec<u32>> {
        let end = self.all.partition_point(|it| it.0 <= moment.after(SLACK));
        let mut found = Vec::new();
        for (steps, (_, index, latest)) in self.all.get(..end)?.iter().rev().enumerate() {
            if latest.after(SLACK) < moment {
                break;
            }
            if steps >= MAX_ALIKE {
                return None;
            }
            let item = items.get(*index as usize)?;
            if item.until().after(SLACK) >= moment {
                found.push(*index);
            }
        }
        Some(found)
    }
}
