//! The search in connections whose requests were not kept: the input is read again, in a task.

use std::collections::HashMap;

use super::view_model::ViewModel;
use super::{Cancel, Host};
use crate::base::frame_ref::FrameNumber;
use crate::base::net::Endpoint;
use crate::report::filter::{Filter, FilterEvaluator};

/// What reading again has found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct FoundAgain {
    /// The connections that match, as indices into the snapshot's summaries, ascending.
    pub(super) hits: Vec<u32>,
    /// Those that were not found again, ascending: whether they match is not known.
    pub(super) unread: Vec<u32>,
    /// Why they were not.
    pub(super) failure: Option<String>,
}

/// Reads the input again and decides the filter for the `unknown` connections.
pub(super) fn search_again(
    query: &Filter,
    model: &ViewModel,
    unknown: &[u32],
    host: &dyn Host,
    cancel: &Cancel,
) -> FoundAgain {
    let snapshot = &model.snapshot;
    let evaluator = FilterEvaluator::new(query, snapshot, &model.naming);
    let mut sought: HashMap<(FrameNumber, Endpoint, Endpoint), u32> = unknown
        .iter()
        .filter_map(|place| {
            let it = snapshot.summaries.get(*place as usize)?;
            Some(((it.first.frame, it.client, it.server), *place))
        })
        .collect();
    let mut hits = Vec::new();
    let mut goes_on = |bytes: u64| {
        cancel.report(bytes);
        !cancel.is_wanted()
    };
    let read = host.reread_all(&mut goes_on, &mut |record| {
        let key = (record.first.frame, record.client, record.server);
        let Some(place) = sought.remove(&key) else {
            return;
        };
        let summary = snapshot.summaries.get(place as usize);
        if summary.is_some_and(|summary| evaluator.decide(summary, record)) {
            hits.push(place);
        }
    });
    hits.sort_unstable();
    let mut unread: Vec<u32> = sought.into_values().collect();
    unread.sort_unstable();
    FoundAgain {
        hits,
        unread,
        failure: read.err(),
    }
}
