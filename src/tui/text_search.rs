//! Text search over all connections, in a task: for hundreds of thousands of them it takes longer than a key may wait.

use std::sync::Arc;

use super::search_again::{FoundAgain, search_again};
use super::text_layout::holds;
use super::view_model::ViewModel;
use super::{Task, TaskOutcome, TextSeek, ViewContext};
use crate::report::filter::{Filter, FilterEvaluator, RequestMatcher};

/// The hits of the last search, and the search under way.
#[derive(Default)]
pub(super) struct TextSearch {
    hits: Option<SearchHits>,
    under_way: Option<(TextSeek, Task<SearchHits>)>,
    /// The reading again for connections whose requests were not kept.
    again: Option<(TextSeek, Task<FoundAgain>)>,
}

/// The connections whose row contains a text.
struct SearchHits {
    needle: String,
    /// The version of the view model that was searched.
    version: u64,
    /// The number of the first connection.
    first: u32,
    /// What is looked for, and what it says of a request.
    query: Option<Filter>,
    matcher: Option<RequestMatcher>,
    /// Whether each connection from there on is a hit.
    found: Vec<bool>,
    /// Those whose requests were not kept, as indices into the snapshot's summaries.
    unknown: Vec<u32>,
    /// How many of those could not be read again.
    unread: u64,
}

impl SearchHits {
    fn new(needle: String, model: &ViewModel) -> Self {
        let summaries = &model.snapshot.summaries;
        let (first, last) = match (summaries.first(), summaries.last()) {
            (Some(first), Some(last)) => (first.id, last.id),
            _ => (0, 0),
        };
        let query = query(&needle);
        let mut hits = Self {
            first,
            matcher: query.as_ref().and_then(Filter::of_request),
            query: query.clone(),
            found: vec![false; last.saturating_sub(first) as usize + 1],
            needle,
            version: model.version,
            unknown: Vec::new(),
            unread: 0,
        };
        if let Some(query) = query {
            let chosen = FilterEvaluator::new(&query, &model.snapshot, &model.naming).chosen();
            hits.add(&chosen.rows, model);
            hits.unknown = chosen.unknown;
        }
        hits
    }

    fn add(&mut self, places: &[u32], model: &ViewModel) {
        for place in places {
            let summary = model.snapshot.summaries.get(*place as usize);
            let at = summary.map(|it| it.id.saturating_sub(self.first) as usize);
            if let Some(it) = at.and_then(|at| self.found.get_mut(at)) {
                *it = true;
            }
        }
    }
}

/// The filter that looks for a text.
fn query(needle: &str) -> Option<Filter> {
    let quoted = needle.replace('\\', "\\\\").replace('"', "\\\"");
    Filter::parse(&format!("\"{quoted}\"")).ok()
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
        self.again = None;
    }

    /// Starts to read the input again for connections whose requests were not kept. Returns whether there is anything left to
    /// look for.
    pub(super) fn begin_again(
        &mut self,
        seek: TextSeek,
        model: &Arc<ViewModel>,
        cx: &ViewContext<'_>,
    ) -> bool {
        if self.again.is_some() {
            return true;
        }
        let hits = self.hits.as_mut().filter(|it| !it.unknown.is_empty());
        let query = hits.as_ref().and_then(|hits| hits.query.clone());
        let (Some(hits), Some(query)) = (hits, query) else {
            return false;
        };
        let (unknown, model) = (std::mem::take(&mut hits.unknown), Arc::clone(model));
        let host = Arc::clone(&cx.session.host);
        let task = cx
            .tasks
            .spawn(move |cancel| search_again(&query, &model, &unknown, &*host, cancel));
        self.again = Some((seek, task));
        true
    }

    /// Bytes of the input that have been read again, while it is being read.
    pub(super) fn read_again(&self) -> Option<u64> {
        self.again.as_ref().map(|(_, task)| task.progress())
    }

    /// Takes what reading again has found.
    fn take_again(&mut self, model: &ViewModel) -> Option<TextSeek> {
        let (seek, task) = self.again.as_ref()?;
        let seek = *seek;
        match task.take() {
            TaskOutcome::UnderWay => return None,
            TaskOutcome::Done(found) => {
                if let Some(hits) = &mut self.hits {
                    hits.add(&found.hits, model);
                    hits.unread = found.unread.len() as u64;
                }
            }
            TaskOutcome::Gone => {}
        }
        self.again = None;
        Some(seek)
    }

    /// The direction in which to move the selection, once the search has finished.
    pub(super) fn take(&mut self, model: Option<&ViewModel>) -> Option<TextSeek> {
        if let Some(seek) = model.and_then(|model| self.take_again(model)) {
            return Some(seek);
        }
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

    pub(super) fn is_under_way(&self) -> bool {
        self.under_way.is_some()
    }

    /// The text searched for last.
    pub(super) fn needle(&self) -> &str {
        self.hits.as_ref().map_or("", |it| it.needle.as_str())
    }

    /// How many connections could not be searched for it.
    pub(super) fn not_searched(&self) -> u64 {
        let hits = self.hits.as_ref();
        hits.map_or(0, |hits| hits.unknown.len() as u64 + hits.unread)
    }

    /// Whether the text searched for last is in this one.
    pub(super) fn is_in(&self, text: &str) -> bool {
        holds(text, self.needle())
    }

    /// What the last search says of a request, if it found this connection.
    pub(super) fn matcher(&self, id: u32) -> Option<&RequestMatcher> {
        let hits = self.hits.as_ref().filter(|_| self.is_hit(id));
        hits.and_then(|it| it.matcher.as_ref())
    }

    /// What the last search looked for, if it found this connection.
    pub(super) fn query(&self, id: u32) -> Option<Filter> {
        let hits = self.hits.as_ref().filter(|_| self.is_hit(id));
        hits.and_then(|it| it.query.clone())
    }

    /// Forgets the last search.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    /// Whether the text is in this connection's row.
    pub(super) fn is_hit(&self, id: u32) -> bool {
        let hits = self.hits.as_ref();
        let at = |hits: &SearchHits| Some(id.checked_sub(hits.first)? as usize);
        hits.is_some_and(|hits| at(hits).and_then(|at| hits.found.get(at)) == Some(&true))
    }
}
