//! The store of settled connections: a summary of each, the whole record of those that are wanted, and the requests of
//! the others in short if they are wanted, as far as three budgets of bytes go.
//!
//! Every connection is judged when it settles, however many there are. What a budget has no room for is given up in the
//! order of [`Concern`], least first, and is counted ([`GivenUp`], [`Tally`]). Each partition has a store of its own, so
//! that limits take effect at the same place on any number of threads.

use std::any::Any;
use std::collections::VecDeque;
use std::sync::Arc;

use super::given_up::{GivenUp, Tallies, Tally};
use super::{EngineSettings, Event, Sink};
use crate::analysis::connection::{Connection, ConnectionSummary, RequestList};

/// How much is lost if the details of a connection are given up, least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Concern {
    /// Nothing: it ended in order, and no rule has anything to say.
    Nothing,
    /// Something is worth knowing.
    Noted,
    /// It was never established. Only floods and scans have very many of these, and they are all alike.
    Unestablished,
    /// Something was lost or is wrong.
    Failed,
}

impl Concern {
    const ALL: [Self; 4] = [
        Self::Nothing,
        Self::Noted,
        Self::Unestablished,
        Self::Failed,
    ];
}

/// The judgement on a settled connection.
#[derive(Debug)]
pub struct Judgement {
    /// How much it matters.
    pub concern: Concern,
    /// Whether its whole record is wanted.
    pub keep: bool,
    /// What the judge has found, for its [`Tally`] if the record is given up at once.
    pub found: Option<Box<dyn Any>>,
}

/// Judges connections when they settle.
pub trait Judge: Send + Sync {
    /// The judgement on one connection.
    fn judge(&self, connection: &Connection) -> Judgement;
    /// An empty tally, for the connections whose record is given up.
    fn tally(&self) -> Option<Box<dyn Tally>>;
    /// Whether plain connections are of no concern to it and their records are not wanted.
    fn passes_plain(&self) -> bool {
        false
    }
}

/// The judge of an analysis. The default wants every record and knows only whether a connection ended in order.
#[derive(Clone)]
pub struct SharedJudge(pub Arc<dyn Judge>);

impl Default for SharedJudge {
    fn default() -> Self {
        Self(Arc::new(ByOrder))
    }
}

impl std::fmt::Debug for SharedJudge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SharedJudge")
    }
}

struct ByOrder;

impl Judge for ByOrder {
    fn judge(&self, connection: &Connection) -> Judgement {
        Judgement {
            concern: match connection.teardown.orderly {
                true => Concern::Nothing,
                false => Concern::Failed,
            },
            keep: true,
            found: None,
        }
    }

    fn tally(&self) -> Option<Box<dyn Tally>> {
        None
    }
}

/// The budgets of one store; there are sixteen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreBudget {
    /// Bytes of summaries.
    pub summaries: usize,
    /// Bytes of whole records, with everything that belongs to them.
    pub records: usize,
    /// Bytes of the requests, in short, of connections whose record is not kept. 0: nobody searches them.
    pub requests: usize,
}

impl Default for StoreBudget {
    fn default() -> Self {
        Self {
            summaries: SUMMARY_BYTES,
            records: RECORD_BYTES,
            requests: 0,
        }
    }
}

/// Bytes of summaries in one store; fifty megabytes in all, which is two hundred thousand connections. What is computed
/// from them takes three times that.
pub(crate) const SUMMARY_BYTES: usize = 3 << 20;
/// The same for the screens, which list every connection; two hundred megabytes in all, eight hundred thousand
/// connections.
pub(crate) const ALL_SUMMARY_BYTES: usize = 12 << 20;
/// The same of an input without an end, for what is settled between two views of it: sixteen megabytes in all, sixty
/// thousand connections. No more than twice as many are listed ([`MAX_KEPT`](super::MAX_KEPT)), and only a flood of connections
/// settles as many in the two seconds from one view to the next. What is open when a view is taken has room for itself.
pub(crate) const VIEW_SUMMARY_BYTES: usize = 1 << 20;
/// Bytes of whole records in one store; seventy megabytes in all.
pub(crate) const RECORD_BYTES: usize = 4 << 20;
/// The same where every record is wanted: four hundred megabytes in all.
pub(crate) const ALL_RECORD_BYTES: usize = 24 << 20;

/// Bytes of requests in one store, where they are searched; seventy megabytes in all, which is a million and a half usual
/// ones. What does not fit is read again from the input when it is searched.
pub(crate) const REQUEST_BYTES: usize = 4 << 20;

/// Which connections are kept when there are too many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stay {
    /// Of equal concern the first to be settled: for an input that has an end.
    #[default]
    First,
    /// The latest: for an input that may go on for ever. Taking connections out of a store makes room in it again, so
    /// the caller has to evict.
    Latest,
}

/// Settled connections, unsorted: a summary of each and the whole record of some.
#[derive(Debug, Default)]
pub(super) struct Settled {
    pub(super) summaries: Vec<ConnectionSummary>,
    pub(super) records: Vec<Arc<Connection>>,
    /// What is kept of the requests of each summary, in the same order; empty if nobody searches them.
    pub(super) requests: Vec<Option<RequestList>>,
}

impl Settled {
    /// Moves all of `other` here, and frees the room it took there.
    pub(super) fn append(&mut self, other: Self) {
        join(&mut self.summaries, other.summaries);
        join(&mut self.requests, other.requests);
        join(&mut self.records, other.records);
    }
}

/// Moves all of `more` behind `all`, without a copy if there is nothing before it.
fn join<T>(all: &mut Vec<T>, mut more: Vec<T>) {
    if all.is_empty() {
        *all = more;
    } else {
        all.append(&mut more);
    }
}

/// One settled connection.
#[derive(Debug)]
struct KeptConnection {
    summary: ConnectionSummary,
    record: Option<KeptRecord>,
}

/// A record, with its size in bytes.
type KeptRecord = (Arc<Connection>, usize);

/// The connections of one concern, oldest first.
#[derive(Debug, Default)]
struct Shelf {
    kept: VecDeque<KeptConnection>,
    /// The requests of each, in the same order; empty if nobody searches them.
    requests: VecDeque<Option<RequestList>>,
    /// The connections before this one have no record any more.
    stripped: usize,
}

impl Shelf {
    #[inline(always)]
    fn push(&mut self, connection: KeptConnection) {
        // Growth by halves instead of doubling: shelves are most of what an analysis holds.
        if self.kept.len() == self.kept.capacity() {
            self.kept.reserve_exact(self.kept.len() / 2 + 16);
        }
        self.kept.push_back(connection);
    }

    /// Lets the oldest connection go; returns its record and its requests.
    fn pop(&mut self) -> (Option<KeptRecord>, Option<RequestList>) {
        self.stripped = self.stripped.saturating_sub(1);
        let requests = self.requests.pop_front().flatten();
        let oldest = self.kept.pop_front();
        (oldest.and_then(|it| it.record), requests)
    }

    /// Takes the oldest record out; also returns its place on the shelf.
    fn strip(&mut self) -> Option<(usize, Arc<Connection>, usize)> {
        while let Some(connection) = self.kept.get_mut(self.stripped) {
            self.stripped += 1;
            if let Some((record, size)) = connection.record.take() {
                return Some((self.stripped - 1, record, size));
            }
        }
        None
    }
}

/// The settled connections of one partition.
#[derive(Debug)]
pub(super) struct SettledStore {
    judge: SharedJudge,
    stay: Stay,
    budget: StoreBudget,
    shelves: [Shelf; Concern::ALL.len()],
    /// Bytes in use. Under [`Stay::First`] this includes what was taken out.
    summary_bytes: usize,
    record_bytes: usize,
    request_bytes: usize,
    given_up: GivenUp,
    tally: Option<Box<dyn Tally>>,
    plain_segments: usize,
}

impl SettledStore {
    pub(super) fn new(settings: &EngineSettings) -> Self {
        Self {
            judge: settings.judge.clone(),
            stay: settings.stay,
            budget: match settings.stay {
                Stay::First => settings.budget,
                Stay::Latest => StoreBudget {
                    summaries: settings.budget.summaries.min(VIEW_SUMMARY_BYTES),
                    ..settings.budget
                },
            },
            shelves: Default::default(),
            summary_bytes: 0,
            record_bytes: 0,
            request_bytes: 0,
            given_up: GivenUp::default(),
            tally: settings.judge.0.tally(),
            plain_segments: match settings.judge.0.passes_plain() {
                true => settings.tracking.noted(),
                false => 0,
            },
        }
    }

    /// Whether its input may go on for ever.
    pub(super) fn goes_on(&self) -> bool {
        self.stay == Stay::Latest
    }

    /// Number of connections.
    pub(super) fn len(&self) -> usize {
        self.shelves.iter().map(|shelf| shelf.kept.len()).sum()
    }

    /// Takes the stored connections out.
    pub(super) fn clear(&mut self) -> Settled {
        let mut all = Settled::default();
        self.clear_into(&mut all);
        all
    }

    /// Moves the stored connections there.
    pub(super) fn clear_into(&mut self, all: &mut Settled) {
        if self.stay == Stay::Latest {
            (self.summary_bytes, self.record_bytes) = (0, 0);
            self.request_bytes = 0;
        }
        all.summaries.reserve_exact(self.len());
        for shelf in &mut self.shelves {
            let shelf = std::mem::take(shelf);
            all.requests.extend(shelf.requests);
            for connection in shelf.kept {
                all.summaries.push(connection.summary);
                all.records
                    .extend(connection.record.map(|(record, _)| record));
            }
        }
    }

    /// Adds what was given up so far to `given_up` and `tallies`.
    pub(super) fn add_given_up(&self, given_up: &mut GivenUp, tallies: &mut Tallies) {
        given_up.add(&self.given_up);
        tallies.0.extend(self.tally.as_ref().map(|it| it.copy()));
    }

    /// An empty store with the same settings and counts, for what is open: what it accepts is what this one would accept
    /// next. If the input may go on for ever, there is room for all that can be open.
    pub(super) fn beside(&self) -> Self {
        let (summaries, summary_bytes) = match self.stay {
            Stay::First => (self.budget.summaries, self.summary_bytes),
            Stay::Latest => (SUMMARY_BYTES, 0),
        };
        Self {
            judge: self.judge.clone(),
            stay: self.stay,
            budget: StoreBudget {
                summaries,
                ..self.budget
            },
            shelves: Default::default(),
            summary_bytes,
            record_bytes: self.record_bytes,
            request_bytes: self.request_bytes,
            given_up: GivenUp::default(),
            tally: self.judge.0.tally(),
            plain_segments: self.plain_segments,
        }
    }

    /// Makes room for all that can be open, which is settled at the end of the input.
    pub(super) fn make_room_for_open(&mut self) {
        if self.stay == Stay::Latest {
            self.budget.summaries += SUMMARY_BYTES;
        }
    }

    /// The shelves from which room may be made for a connection of this concern, least concern first.
    fn may_yield(&self, concern: Concern) -> usize {
        let equals = concern == Concern::Nothing || self.stay == Stay::Latest;
        concern as usize + usize::from(equals)
    }

    fn has_room(&mut self, concern: Concern) -> bool {
        if self.summary_bytes + size_of::<KeptConnection>() <= self.budget.summaries {
            return true;
        }
        let shelves = self.may_yield(concern);
        let mut shelves = Concern::ALL.iter().zip(&mut self.shelves).take(shelves);
        let Some((of, shelf)) = shelves.find(|(_, shelf)| !shelf.kept.is_empty()) else {
            return false;
        };
        if let Some(oldest) = shelf.kept.front() {
            self.given_up.count(&oldest.summary);
        }
        let (record, requests) = shelf.pop();
        let freed = requests.map_or(0, |it| it.footprint());
        self.request_bytes = self.request_bytes.saturating_sub(freed);
        self.summary_bytes = self
            .summary_bytes
            .saturating_sub(size_of::<KeptConnection>());
        if let Some((record, size)) = record {
            self.record_bytes = self.record_bytes.saturating_sub(size);
            self.tell(*of, &record, None);
        }
        true
    }

    fn has_room_for_record(&mut self, size: usize, concern: Concern) -> bool {
        if size > self.budget.records {
            return false;
        }
        while self.record_bytes + size > self.budget.records {
            let shelves = self.may_yield(concern);
            let mut shelves = Concern::ALL.iter().zip(&mut self.shelves).take(shelves);
            let stripped = shelves.find_map(|(of, shelf)| Some((*of, shelf.strip()?)));
            let Some((of, (place, old, size))) = stripped else {
                return false;
            };
            let requests = self.requests_of(&old);
            if let Some(kept) = self.shelves[of as usize].requests.get_mut(place) {
                *kept = requests;
            }
            self.record_bytes = self.record_bytes.saturating_sub(size);
            self.given_up.records += 1;
            self.tell(of, &old, None);
        }
        true
    }

    #[inline(always)]
    fn shelve(&mut self, concern: Concern, kept: KeptConnection, requests: Option<RequestList>) {
        let shelf = &mut self.shelves[concern as usize];
        shelf.push(kept);
        if self.budget.requests > 0 {
            shelf.requests.push_back(requests);
        }
    }

    /// The requests of a connection in short, if they are searched and there is room for them.
    fn requests_of(&mut self, connection: &Connection) -> Option<RequestList> {
        if self.budget.requests == 0 {
            return None;
        }
        let requests = RequestList::of(connection)?;
        let bytes = self.request_bytes + requests.footprint();
        (bytes <= self.budget.requests).then(|| {
            self.request_bytes = bytes;
            requests
        })
    }

    /// Tells the tally of a connection whose record is given up.
    fn tell(&mut self, concern: Concern, connection: &Connection, found: Option<Box<dyn Any>>) {
        if concern > Concern::Nothing
            && let Some(tally) = &mut self.tally
        {
            tally.count(connection, found);
        }
    }
}

impl Sink for SettledStore {
    fn event(&mut self, event: Event<'_>) {
        if let Event::Settled(connection) = event {
            self.settled(*connection);
        }
    }

    fn plain_segments(&self) -> usize {
        self.plain_segments
    }

    fn settled_plainly(&mut self, summary: ConnectionSummary, record: &dyn Fn() -> Connection) {
        if cfg!(debug_assertions) {
            let record = record();
            let judgement = self.judge.0.judge(&record);
            let of_no_concern = judgement.concern == Concern::Nothing && !judgement.keep;
            assert!(of_no_concern, "{record:#?}");
            assert_eq!(summary, ConnectionSummary::from(&record), "{record:#?}");
        }
        if !self.has_room(Concern::Nothing) {
            self.given_up.count(&summary);
            return;
        }
        self.summary_bytes += size_of::<KeptConnection>();
        let requests = match self.budget.requests {
            0 => None,
            _ => self.requests_of(&record()),
        };
        let kept = KeptConnection {
            summary,
            record: None,
        };
        self.shelve(Concern::Nothing, kept, requests);
    }

    fn settled(&mut self, connection: Connection) {
        let Judgement {
            concern,
            keep,
            found,
        } = self.judge.0.judge(&connection);
        let summary = ConnectionSummary::from(&connection);
        if !self.has_room(concern) {
            self.given_up.count(&summary);
            self.tell(concern, &connection, found);
            return;
        }
        self.summary_bytes += size_of::<KeptConnection>();
        let (mut record, mut requests) = (None, None);
        let size = if keep { connection.footprint() } else { 0 };
        if keep && self.has_room_for_record(size, concern) {
            self.record_bytes += size;
            record = Some((Arc::new(connection), size));
        } else {
            requests = self.requests_of(&connection);
            if keep {
                self.given_up.records += 1;
                self.tell(concern, &connection, found);
            }
        }
        self.shelve(concern, KeptConnection { summary, record }, requests);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::engine::MAX_LIVE;
    use crate::report::snapshot::sample;

    fn settled(store: &mut SettledStore, count: usize) -> (usize, u64) {
        for _ in 0..count {
            store.settled(sample::connection());
        }
        let mut given_up = GivenUp::default();
        store.add_given_up(&mut given_up, &mut Tallies::default());
        (store.clear().summaries.len(), given_up.connections())
    }

    #[test]
    fn between_views_little_is_kept_and_what_is_open_has_room() {
        let settings = EngineSettings {
            stay: Stay::Latest,
            budget: StoreBudget {
                summaries: ALL_SUMMARY_BYTES,
                records: 0,
                requests: 0,
            },
            ..EngineSettings::default()
        };
        let mut store = SettledStore::new(&settings);
        let most = VIEW_SUMMARY_BYTES / size_of::<KeptConnection>();
        for _ in 0..most {
            store.settled(sample::connection());
        }
        assert_eq!(settled(&mut store.beside(), MAX_LIVE), (MAX_LIVE, 0));
        assert_eq!(settled(&mut store, 300), (most, 300));
        // At the end, what is open joins what was settled since the last view.
        store.make_room_for_open();
        assert_eq!(settled(&mut store, most + MAX_LIVE), (most + MAX_LIVE, 300));
    }
}
