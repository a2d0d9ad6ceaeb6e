//! Which connections the table lists, in which order and in which groups. Computed in a task, for hundreds of thousands of
//! connections.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::columns::{self, CellSource};
use super::grouping::{self, Grouping, RowGroup};
use super::search_again::FoundAgain;
use super::sort_key::SortKey;
use super::view_model::ViewModel;
use super::{Task, TaskOutcome, ViewContext};
use crate::analysis::connection::{ConnectionSummary, How};
use crate::base::net::Endpoint;
use crate::report::filter::{Filter, FilterEvaluator};

/// The filter, the order and the grouping that the user has chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RowsWanted {
    pub(super) query: Filter,
    pub(super) by: SortKey,
    pub(super) down: bool,
    pub(super) grouping: Grouping,
}

/// The rows for one snapshot and what was wanted.
#[derive(Clone, Debug, Default)]
pub(super) struct TableRows {
    /// Indices into the snapshot's connection summaries, in display order.
    pub(super) places: Vec<u32>,
    /// Those for which the filter cannot be decided, ascending.
    pub(super) unknown: Vec<u32>,
    /// The groups, if there are any, and the connections in them.
    pub(super) groups: Vec<RowGroup>,
}

impl TableRows {
    /// `again` is what reading again has decided for this filter.
    pub(super) fn new(
        model: &ViewModel,
        rows_wanted: &RowsWanted,
        again: Option<&FoundAgain>,
    ) -> Self {
        let snapshot = &model.snapshot;
        let chosen = FilterEvaluator::new(&rows_wanted.query, snapshot, &model.naming).chosen();
        let (mut places, mut unknown) = (chosen.rows, chosen.unknown);
        if let Some(again) = again {
            places.extend(&again.hits);
            places.sort_unstable();
            unknown.clone_from(&again.unread);
        }
        if snapshot.narrowed.is_some() {
            let shown = |place: &u32| snapshot.summaries.get(*place as usize);
            places.retain(|place| shown(place).is_some_and(|it| model.shows(it.id)));
        }
        if rows_wanted.by != SortKey::Number {
            let mut keyed: Vec<(Sorting, u32)> = places
                .iter()
                .filter_map(|place| Some((sorting(model, *place, rows_wanted.by)?, *place)))
                .collect();
            // Equal keys stay in the order of their first frame, ascending or descending.
            match rows_wanted.down {
                true => {
                    keyed.sort_unstable_by(|one, two| two.0.cmp(&one.0).then(one.1.cmp(&two.1)))
                }
                false => keyed.sort_unstable(),
            }
            places = keyed.into_iter().map(|(_, place)| place).collect();
        } else if rows_wanted.down {
            places.reverse();
        }
        let groups = grouping::groups(model, &places, rows_wanted.grouping);
        Self {
            places,
            unknown,
            groups,
        }
    }
}

type Sorting = (u128, u64);

fn sorting(model: &ViewModel, place: u32, by: SortKey) -> Option<Sorting> {
    let place = place as usize;
    let summary = model.snapshot.summaries.get(place)?;
    let one = |key: u64| (u128::from(key), 0);
    Some(match by {
        SortKey::Number => one(summary.id.into()),
        SortKey::Client => endpoint(&summary.client),
        SortKey::Server => endpoint(&summary.server),
        SortKey::Host => text(model.snapshot.host(place).unwrap_or_default()),
        SortKey::Protocol => one(summary.protocol as u64),
        SortKey::Request => {
            let source = CellSource {
                summary,
                place,
                model,
                names: false,
                matcher: None,
            };
            let target = columns::shown_request(source).map(|request| request.target);
            text(target.unwrap_or_default())
        }
        SortKey::Opened => one(summary.first.time.as_nanos().cast_unsigned() ^ 1 << 63),
        SortKey::Lasted => (summary.last.since(summary.first.time).as_nanos(), 0),
        SortKey::Ended => {
            let how = match summary.how {
                How::Fin => 0,
                How::Reset(kind) => 1 + kind as u128,
                How::Silence => 100,
                How::Open => 101,
            };
            (how, summary.by as u64)
        }
        SortKey::Outcome => one(summary.outcome.rank().into()),
        SortKey::Reason => one(summary.outcome.place()),
        SortKey::When => one(summary.phase as u64),
        SortKey::Requests => one(summary.exchanges.into()),
        SortKey::Status => one(summary.status.into()),
        SortKey::Bytes => one(summary.bytes[0].saturating_add(summary.bytes[1])),
        SortKey::Sent => one(summary.bytes[0]),
        SortKey::Received => one(summary.bytes[1]),
        SortKey::Handshake => one(summary.connected_after.into()),
        SortKey::Idle => one(summary.idle.into()),
        SortKey::Retransmitted => one(summary.retransmitted.into()),
        SortKey::Finding => {
            let numbers = model.naming.numbers(summary.id);
            // The first number is the worst finding's; a lower number is a worse finding.
            let worst = numbers
                .first()
                .and_then(|it| model.snapshot.findings.get((*it as usize).checked_sub(1)?));
            match worst {
                None => (0, 0),
                Some(finding) => (
                    1 + finding.severity as u128,
                    u64::MAX - u64::from(finding.id),
                ),
            }
        }
    })
}

/// The beginning of a text; further than that, nobody looks for the order of rows.
fn text(text: &[u8]) -> Sorting {
    let mut bytes = [0; 24];
    for (to, from) in bytes.iter_mut().zip(text) {
        *to = from.to_ascii_lowercase();
    }
    let [first @ .., _, _, _, _, _, _, _, _] = bytes;
    let [_, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, rest @ ..] = bytes;
    (u128::from_be_bytes(first), u64::from_be_bytes(rest))
}

fn endpoint(end: &Endpoint) -> Sorting {
    let ip = match end.ip {
        std::net::IpAddr::V4(ip) => u128::from(u32::from(ip)),
        std::net::IpAddr::V6(ip) => u128::from(ip).max(1 << 33),
    };
    (ip, end.port.into())
}

/// Rows, and the view model that they index into.
type ReadyRows = (TableRows, Arc<ViewModel>);

/// What rows are made for: the version of the view model, and what was wanted.
type MadeFor = (u64, RowsWanted);

/// The rows on show, and those being computed.
#[derive(Default)]
pub(super) struct Listing {
    pub(super) rows: TableRows,
    /// `None` before the first rows.
    made_for: Option<MadeFor>,
    /// The view model that the rows index into.
    model: Option<Arc<ViewModel>>,
    under_way: Option<(MadeFor, Task<ReadyRows>)>,
    /// What reading again has found, and for which view model and filter.
    again: Option<(u64, Filter, Arc<FoundAgain>)>,
    /// The groups whose connections are shown, by name.
    unfolded: BTreeSet<String>,
    /// What each row shows, if there are groups.
    shown: Vec<ShownRow>,
}

/// What a row of the table shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ShownRow {
    /// The connection with this index in the snapshot's summaries.
    Connection(u32),
    /// The group with this index.
    Group(u32),
}

/// A row, however many come before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum RowName {
    /// By its number.
    Connection(u32),
    Group(String),
}

/// Up to this many connections, the rows are computed at once: faster than starting a thread.
const AT_ONCE: usize = 2000;

impl Listing {
    /// Takes finished rows and starts computing those requested. Returns whether the rows have changed.
    pub(super) fn lay(&mut self, cx: &ViewContext<'_>, rows_wanted: &RowsWanted) -> bool {
        let mut changed = false;
        if let Some((made, task)) = &self.under_way {
            match task.take() {
                TaskOutcome::UnderWay => {}
                TaskOutcome::Done(ready) => {
                    self.made_for = Some(made.clone());
                    self.under_way = None;
                    self.put(ready, cx);
                    changed = true;
                }
                TaskOutcome::Gone => self.under_way = None,
            }
        }
        let version = cx.model.version;
        let fits = |made: &MadeFor| made.0 == version && made.1 == *rows_wanted;
        if self.made_for.as_ref().is_some_and(fits) {
            self.give_up(cx);
            return changed;
        }
        // Let a task for an older view model finish; otherwise none would ever finish while new models keep arriving.
        let waits = self
            .under_way
            .as_ref()
            .is_some_and(|(made, _)| made.1 == *rows_wanted);
        if waits {
            return changed;
        }
        let again = self.found_again(version, &rows_wanted.query);
        let made = (version, rows_wanted.clone());
        if cx.snapshot().summaries.len() <= AT_ONCE {
            let rows = TableRows::new(cx.model, rows_wanted, again.as_deref());
            self.made_for = Some(made);
            self.put((rows, Arc::clone(cx.model)), cx);
            self.give_up(cx);
            return true;
        }
        let (model, wanted) = (Arc::clone(cx.model), rows_wanted.clone());
        let task = cx.tasks.spawn(move |_| {
            let rows = TableRows::new(&model, &wanted, again.as_deref());
            (rows, model)
        });
        self.give_up(cx);
        self.under_way = Some((made, task));
        changed || self.lay_inline(cx)
    }

    fn found_again(&self, version: u64, query: &Filter) -> Option<Arc<FoundAgain>> {
        let (of, filter, found) = self.again.as_ref()?;
        (*of == version && filter == query).then(|| Arc::clone(found))
    }

    /// Whether the connections that the filter cannot decide have been read again.
    pub(super) fn is_read_again(&self) -> bool {
        let made = self.made_for.as_ref();
        made.is_some_and(|(version, wanted)| self.found_again(*version, &wanted.query).is_some())
    }

    /// Adds to the rows what reading again has found.
    pub(super) fn add(&mut self, found: FoundAgain) {
        if let Some((version, wanted)) = self.made_for.take() {
            self.again = Some((version, wanted.query, Arc::new(found)));
        }
    }

    /// Replaces the rows. A task drops the old ones, which may hold the last reference to an old view model.
    fn put(&mut self, (rows, model): ReadyRows, cx: &ViewContext<'_>) {
        let rows = std::mem::replace(&mut self.rows, rows);
        let model = self.model.replace(model);
        cx.tasks.discard((rows, model));
        self.unfold();
    }

    fn give_up(&mut self, cx: &ViewContext<'_>) {
        if let Some(old) = self.under_way.take() {
            cx.tasks.discard(old);
        }
    }

    /// Takes the result of an inline task, which has finished already.
    fn lay_inline(&mut self, cx: &ViewContext<'_>) -> bool {
        let Some((made, task)) = &self.under_way else {
            return false;
        };
        let TaskOutcome::Done(ready) = task.take() else {
            return false;
        };
        self.made_for = Some(made.clone());
        self.under_way = None;
        self.put(ready, cx);
        true
    }

    pub(super) fn is_under_way(&self) -> bool {
        self.under_way.is_some()
    }

    /// The view model that the rows belong to: an older one while new rows are being computed.
    pub(super) fn model(&self) -> Option<&Arc<ViewModel>> {
        self.model.as_ref()
    }

    fn is_grouped(&self) -> bool {
        let made = self.made_for.as_ref();
        made.is_some_and(|(_, wanted)| wanted.grouping != Grouping::None)
    }

    /// Computes what each row shows.
    fn unfold(&mut self) {
        self.shown.clear();
        if !self.is_grouped() {
            return;
        }
        for (nth, group) in (0..).zip(&self.rows.groups) {
            self.shown.push(ShownRow::Group(nth));
            if self.unfolded.contains(&group.name) {
                let rows = group.places.iter();
                self.shown
                    .extend(rows.map(|place| ShownRow::Connection(*place)));
            }
        }
    }

    /// Shows the connections of a group, or hides them again.
    pub(super) fn toggle(&mut self, name: &str) {
        if !self.unfolded.remove(name) {
            self.unfolded.insert(name.to_owned());
        }
        self.unfold();
    }

    pub(super) fn is_unfolded(&self, group: &RowGroup) -> bool {
        self.unfolded.contains(&group.name)
    }

    /// The number of rows, groups included.
    pub(super) fn len(&self) -> usize {
        match self.is_grouped() {
            true => self.shown.len(),
            false => self.rows.places.len(),
        }
    }

    pub(super) fn row(&self, row: usize) -> Option<ShownRow> {
        match self.is_grouped() {
            true => self.shown.get(row).copied(),
            false => self.rows.places.get(row).copied().map(ShownRow::Connection),
        }
    }

    pub(super) fn group(&self, row: usize) -> Option<&RowGroup> {
        match self.row(row)? {
            ShownRow::Group(nth) => self.rows.groups.get(nth as usize),
            ShownRow::Connection(_) => None,
        }
    }

    /// The connection summary in a row, with its place among the summaries.
    pub(super) fn placed(&self, row: usize) -> Option<(usize, &ConnectionSummary)> {
        let ShownRow::Connection(place) = self.row(row)? else {
            return None;
        };
        let place = place as usize;
        Some((place, self.model.as_ref()?.snapshot.summaries.get(place)?))
    }

    /// The connection summary in a row.
    pub(super) fn summary(&self, row: usize) -> Option<&ConnectionSummary> {
        self.placed(row).map(|(_, summary)| summary)
    }

    pub(super) fn name(&self, row: usize) -> Option<RowName> {
        match self.group(row) {
            Some(group) => Some(RowName::Group(group.name.clone())),
            None => self.summary(row).map(|it| RowName::Connection(it.id)),
        }
    }

    /// The first row of this name.
    pub(super) fn row_of(&self, name: &RowName) -> Option<usize> {
        match name {
            RowName::Connection(id) => {
                let summaries = &self.model.as_ref()?.snapshot.summaries;
                let place = ConnectionSummary::place_of(*id, summaries)?;
                let place = u32::try_from(place).ok()?;
                match self.is_grouped() {
                    true => {
                        let shown = ShownRow::Connection(place);
                        self.shown.iter().position(|it| *it == shown)
                    }
                    false => self.rows.places.iter().position(|it| *it == place),
                }
            }
            RowName::Group(name) => (0..self.shown.len())
                .find(|row| self.group(*row).is_some_and(|group| group.name == *name)),
        }
    }

    /// The summaries of all connections that are listed.
    pub(super) fn summaries(&self) -> impl Iterator<Item = &ConnectionSummary> {
        let summaries = self.model.as_ref().map(|it| &it.snapshot.summaries[..]);
        let summaries = summaries.unwrap_or_default();
        let places = self.rows.places.iter();
        places.filter_map(|place| summaries.get(*place as usize))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::report::snapshot::sample::{connection, endpoint, frame_ref, snapshot};

    #[test]
    fn what_is_equal_keeps_its_order_either_way() {
        let mut many = vec![connection(); 4];
        many[1].client = endpoint(9, 1);
        many[2].last = frame_ref(11, 9000);
        let model = ViewModel::new(Arc::new(snapshot(many)), 1, Duration::from_secs(60));
        let order = |by, down| {
            let query = Filter::default();
            let wanted = RowsWanted {
                query,
                by,
                down,
                grouping: Grouping::None,
            };
            TableRows::new(&model, &wanted, None).places
        };
        assert_eq!(order(SortKey::Number, true), [3, 2, 1, 0]);
        assert_eq!(order(SortKey::Client, false), [0, 2, 3, 1]);
        assert_eq!(order(SortKey::Client, true), [1, 0, 2, 3]);
        assert_eq!(order(SortKey::Lasted, true), [2, 0, 1, 3]);
        for by in SortKey::ALL {
            assert_eq!(order(by, false).len(), 4, "{by:?}");
        }
    }
}
