//! Text search over all connections, in a task: for hundreds of thousands of them it takes longer than a key may wait.

use std::sync::Arc;

use super::view_model::ViewModel;
use super::{Task, TaskOutcome, TextSeek, ViewContext};
use crate::report::filter::{Filter, FilterEvaluator};

/// The hits of the last search, and the search under way.
#[derive(Default)]
pub(super) struct TextSearch {
    hits: Option<SearchHits>,
    under_way: Option<(TextSeek, Task<SearchHits>)>,
}

/// The connections whose row contains a text.
struct SearchHits {
    needle: String,
    /// The version of the view model that was searched.
    version: u64,
    /// The number of the first connection.
    first: u32,
    /// Whether each connection from there on is a hit.
    found: Vec<bool>,
}

impl SearchHits {
    fn new(needle: String, model: &ViewModel) -> Self {
        let summaries = &model.snapshot.summaries;
        let (first, last) = match (summaries.first(), summaries.last()) {
            (Some(first), Some(last)) => (first.id, last.id),
            _ => (0, 0),
        };
        let mut found = vec![false; last.saturating_sub(first) as usize + 1];
        let quoted = format!("\"{}\"", needle.replace('\\', "\\\\").replace('"', "\\\""));
        if let Ok(query) = Filter::parse(&quoted) {
            let chosen = FilterEvaluator::new(&query, &model.snapshot, &model.naming).chosen();
            for summary in chosen
                .rows
                .iter()
                .filter_map(|row| summaries.get(*row as usize))
            {
                if let Some(it) = found.get_mut(summary.id.saturating_sub(first) as usize) {
                    *it = true;
                }
            }
        }
        Self {
            needle,
            version: model.version,
            first,
            found,
        }
    }
}

impl TextSearch {
    /// Whether the hits of this text are known for this view model.
    pub(super) fn is_ready(&self, needle: &str, model: &ViewModel) -> bool {
        let hits = self.hits.as_ref();
        hits.is_some_and(|it| it.needle == needle && it.version == model.version)
    }

    /// Starts a search; the selection moves to the hit when it has finished.
    pub(super) fn begin(
        &mut self,
        needle: &str,
        seek: TextSeek,
        model: &Arc<ViewModel>,
        cx: &ViewContext<'_>,
    ) {
        let (needle, model) = (needle.to_owned(), Arc::clone(model));
        let task = cx.tasks.spawn(move |_| SearchHits::new(needle, &model));
        self.under_way = Some((seek, task));
    }

    /// The direction in which to move the selection, once the search has finished.
    pub(super) fn take(&mut self) -> Option<TextSeek> {
        let (seek, task) = self.under_way.as_ref()?;
        let seek = *seek;
        match task.take() {
            TaskOutcome::UnderWay => None,
            TaskOutcome::Done(hits) => {
                self.hits = Some(hits);
                self.under_way = None;
                Some(seek)
            }
            TaskOutcome::Gone => {
                self.under_way = None;
                None
            }
        }
    }

    /// Cancels the search.
    pub(super) fn give_up(&mut self, cx: &ViewContext<'_>) {
        if let Some(old) = self.under_way.take() {
            cx.tasks.discard(old);
        }
    }

    pub(super) fn is_under_way(&self) -> bool {
        self.under_way.is_some()
    }

    /// The text searched for last.
    pub(super) fn needle(&self) -> &str {
        self.hits.as_ref().map_or("", |it| it.needle.as_str())
    }

    /// Whether the text is in this connection's row.
    pub(super) fn is_hit(&self, id: u32) -> bool {
        let hits = self.hits.as_ref();
        let at = |hits: &SearchHits| Some(id.checked_sub(hits.first)? as usize);
        hits.is_some_and(|hits| at(hits).and_then(|at| hits.found.get(at)) == Some(&true))
    }
}
