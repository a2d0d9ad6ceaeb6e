//! Which connections the table lists, and in which order. Computed in a task, for hundreds of thousands of
//! connections.

use std::sync::Arc;

use super::view_model::ViewModel;
use super::{Task, TaskOutcome, ViewContext};
use crate::analysis::connection::{ConnectionSummary, How};
use crate::base::net::Endpoint;
use crate::report::filter::{Filter, FilterEvaluator};

/// The sort key of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum SortKey {
    Number,
    Client,
    Server,
    Opened,
    Lasted,
    Ended,
    Outcome,
    Reason,
    When,
    Requests,
    Status,
    Bytes,
    Finding,
}

impl SortKey {
    #[cfg(test)]
    pub(super) const ALL: [Self; 13] = [
        Self::Number,
        Self::Client,
        Self::Server,
        Self::Opened,
        Self::Lasted,
        Self::Ended,
        Self::Outcome,
        Self::Reason,
        Self::When,
        Self::Requests,
        Self::Status,
        Self::Bytes,
        Self::Finding,
    ];

    /// Whether the first press sorts in descending order, because the largest values are of interest.
    pub(super) const fn begins_with_most(self) -> bool {
        matches!(
            self,
            Self::Lasted | Self::Requests | Self::Bytes | Self::Finding | Self::Status
        )
    }
}

/// The filter and the order that the user has chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RowsWanted {
    pub(super) query: Filter,
    pub(super) by: SortKey,
    pub(super) down: bool,
}

/// The rows for one snapshot and one filter and order.
#[derive(Clone, Debug, Default)]
pub(super) struct TableRows {
    /// Indices into the snapshot's connection summaries, in display order.
    pub(super) places: Vec<u32>,
    /// Connections for which the filter cannot be decided.
    pub(super) unknown: u64,
}

impl TableRows {
    pub(super) fn new(model: &ViewModel, rows_wanted: &RowsWanted) -> Self {
        let snapshot = &model.snapshot;
        let chosen = FilterEvaluator::new(&rows_wanted.query, snapshot, &model.naming).chosen();
        let mut places = chosen.rows;
        if snapshot.narrowed.is_some() {
            let shown = |place: &u32| snapshot.summaries.get(*place as usize);
            places.retain(|place| shown(place).is_some_and(|it| model.shows(it.id)));
        }
        if rows_wanted.by != SortKey::Number {
            let mut keyed: Vec<(Sorting, u32)> = places
                .iter()
                .filter_map(|place| {
                    let summary = snapshot.summaries.get(*place as usize)?;
                    Some((sorting(model, summary, rows_wanted.by), *place))
                })
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
        Self {
            places,
            unknown: chosen.unknown,
        }
    }
}

type Sorting = (u128, u64);

fn sorting(model: &ViewModel, summary: &ConnectionSummary, by: SortKey) -> Sorting {
    let one = |key: u64| (u128::from(key), 0);
    match by {
        SortKey::Number => one(summary.id.into()),
        SortKey::Client => endpoint(&summary.client),
        SortKey::Server => endpoint(&summary.server),
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
    }
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

/// The rows on show, and those being computed.
#[derive(Default)]
pub(super) struct Listing {
    pub(super) rows: TableRows,
    /// The version and the request that the rows were made for; `None` before the first.
    made_for: Option<(u64, RowsWanted)>,
    /// The view model that the rows index into.
    model: Option<Arc<ViewModel>>,
    under_way: Option<(u64, RowsWanted, Task<ReadyRows>)>,
}

/// Up to this many connections, the rows are computed at once: faster than starting a thread.
const AT_ONCE: usize = 2000;

impl Listing {
    /// Takes finished rows and starts computing those requested. Returns whether the rows have changed.
    pub(super) fn lay(&mut self, cx: &ViewContext<'_>, rows_wanted: &RowsWanted) -> bool {
        let mut changed = false;
        if let Some((version, made, task)) = &self.under_way {
            match task.take() {
                TaskOutcome::UnderWay => {}
                TaskOutcome::Done(ready) => {
                    self.made_for = Some((*version, made.clone()));
                    self.under_way = None;
                    self.put(ready, cx);
                    changed = true;
                }
                TaskOutcome::Gone => self.under_way = None,
            }
        }
        let version = cx.model.version;
        let fits = |made: &(u64, RowsWanted)| made.0 == version && made.1 == *rows_wanted;
        if self.made_for.as_ref().is_some_and(fits) {
            self.give_up(cx);
            return changed;
        }
        // Let a task for an older view model finish; otherwise none would ever finish while new models keep arriving.
        let waits = self
            .under_way
            .as_ref()
            .is_some_and(|(_, made, _)| made == rows_wanted);
        if waits {
            return changed;
        }
        if cx.snapshot().summaries.len() <= AT_ONCE {
            self.put(
                (TableRows::new(cx.model, rows_wanted), Arc::clone(cx.model)),
                cx,
            );
            self.made_for = Some((version, rows_wanted.clone()));
            self.give_up(cx);
            return true;
        }
        let (model, wanted) = (Arc::clone(cx.model), rows_wanted.clone());
        let task = cx.tasks.spawn(move |_| {
            let rows = TableRows::new(&model, &wanted);
            (rows, model)
        });
        self.give_up(cx);
        self.under_way = Some((version, rows_wanted.clone(), task));
        changed || self.lay_inline(rows_wanted, cx)
    }

    /// Replaces the rows. A task drops the old ones, which may hold the last reference to an old view model.
    fn put(&mut self, (rows, model): ReadyRows, cx: &ViewContext<'_>) {
        let rows = std::mem::replace(&mut self.rows, rows);
        let model = self.model.replace(model);
        cx.tasks.discard((rows, model));
    }

    fn give_up(&mut self, cx: &ViewContext<'_>) {
        if let Some(old) = self.under_way.take() {
            cx.tasks.discard(old);
        }
    }

    /// Takes the result of an inline task, which has finished already.
    fn lay_inline(&mut self, rows_wanted: &RowsWanted, cx: &ViewContext<'_>) -> bool {
        let Some((version, _, task)) = &self.under_way else {
            return false;
        };
        let TaskOutcome::Done(ready) = task.take() else {
            return false;
        };
        self.made_for = Some((*version, rows_wanted.clone()));
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

    /// The connection summary in a row.
    pub(super) fn summary(&self, row: usize) -> Option<&ConnectionSummary> {
        let place = *self.rows.places.get(row)?;
        self.model.as_ref()?.snapshot.summaries.get(place as usize)
    }

    /// The row of a connection.
    pub(super) fn row_of(&self, id: u32) -> Option<usize> {
        let summaries = &self.model.as_ref()?.snapshot.summaries;
        let place = summaries.binary_search_by_key(&id, |it| it.id).ok()?;
        let place = u32::try_from(place).ok()?;
        self.rows.places.iter().position(|it| *it == place)
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
            TableRows::new(&model, &RowsWanted { query, by, down }).places
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
