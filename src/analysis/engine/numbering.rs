//! The order and numbers of connections in an analysis that is viewed while it runs.
//!
//! In: each [`EngineView`]. Out: an [`EngineOutput`] of everything so far, in order of the first frames. A connection
//! keeps its number from one call to the next, open or settled, because new ones always begin later. Only under
//! [`Stay::First`] numbers can move up: they must be dense, and the limits may drop an open connection when it is
//! settled.
//!
//! Earlier output is not stored here a second time: the caller passes back what it published last.

use std::cmp::Ordering;
use std::sync::Arc;

use super::given_up::{GivenUp, Tally};
use super::{EngineOutput, EngineView, SharedJudge, Stay};
use crate::analysis::connection::{Connection, ConnectionSummary, RequestList};
use crate::base::frame_ref::FrameNumber;
use crate::base::net::{Context, Endpoint};

/// Connections kept of an input without an end, with a summary of 250 bytes each: some minutes of a busy server, and quick
/// to walk through for every new view. While one is made, the one before is there too.
pub(crate) const MAX_KEPT: usize = 128 << 10;
/// Bytes of whole records kept with them.
const MAX_RECORD_BYTES: usize = 64 << 20;
/// Bytes of requests kept with them, in short; those of the oldest connections are let go first.
const MAX_REQUEST_BYTES: usize = 64 << 20;

/// Keeps connections in order and assigns their numbers.
#[derive(Debug)]
pub struct Numbering {
    stay: Stay,
    max_kept: usize,
    max_record_bytes: usize,
    /// The connections that were open at the last call, in order, with their numbers.
    open: Vec<(OrderKey, u32)>,
    /// The highest number assigned.
    last: u32,
    /// Connections evicted so far, the oldest first.
    shed: u64,
    given_up: GivenUp,
    tally: Option<Box<dyn Tally>>,
}

/// The sort key, unique to each connection: one frame may hold several segments.
type OrderKey = (FrameNumber, Endpoint, Endpoint, Context);

impl Numbering {
    /// Creates a numbering without connections.
    #[must_use]
    pub fn new(stay: Stay, judge: &SharedJudge) -> Self {
        Self {
            stay,
            max_kept: MAX_KEPT,
            max_record_bytes: MAX_RECORD_BYTES,
            open: Vec::new(),
            last: 0,
            shed: 0,
            given_up: GivenUp::default(),
            tally: judge.0.tally(),
        }
    }

    /// Everything so far: merges the output of the last call (`summaries`, `requests`, `records`) with the new `view`.
    #[must_use]
    pub fn call(
        &mut self,
        summaries: &[ConnectionSummary],
        requests: &[Option<RequestList>],
        records: &[Arc<Connection>],
        view: EngineView,
    ) -> EngineOutput {
        let EngineView {
            settled,
            open,
            stats,
            mut given_up,
            mut tallies,
        } = view;
        let mut now_open: Vec<OrderKey> = open.summaries.iter().map(of_summary).collect();
        now_open.sort_unstable();
        let mut fresh = settled;
        fresh.append(open);
        let kept = self.forget_before(summaries, records, fresh.summaries.len());
        let was_open = |key: &OrderKey| is_among(&self.open, key);
        let stays = |id: u32, key: &OrderKey| id >= kept.first && !was_open(key);
        // In the order of the summaries, which `merge` gives both.
        let keys = fresh.summaries.iter().map(of_summary);
        let mut sorted: Vec<_> = keys.zip(std::mem::take(&mut fresh.requests)).collect();
        sorted.sort_by_key(|(key, _)| *key);
        let stayed = summaries.iter().zip(requests);
        let stayed = stayed.map(|(summary, list)| (summary.id, of_summary(summary), list));
        let stayed = stayed.filter(|(id, key, _)| stays(*id, key));
        let stayed = stayed.map(|(_, key, list)| (key, list.clone()));
        let expected = kept.count.min(requests.len());
        let merged = merge(stayed, sorted, |(key, _)| *key, expected);
        let mut requests: Vec<_> = merged.into_iter().map(|(_, list)| list).collect();
        // It is collected where the keys were, which took three times as much.
        requests.shrink_to_fit();

        fresh.summaries.sort_by_cached_key(of_summary);
        fresh.records.sort_by_cached_key(of_record);
        let stayed = summaries
            .iter()
            .filter(|it| stays(it.id, &of_summary(it)))
            .copied();
        let mut summaries = merge(stayed, fresh.summaries, of_summary, kept.count);
        let stayed = records.iter().filter(|it| stays(it.id, &of_record(it)));
        let stayed = stayed.map(Arc::clone);
        let mut records = merge(stayed, fresh.records, of_record, records.len());

        self.number(&mut summaries);
        let mut numbered = summaries.iter();
        for record in &mut records {
            let key = of_record(record);
            let own = numbered.find(|summary| of_summary(summary) >= key);
            let id = own.map_or(0, |summary| summary.id);
            if record.id != id {
                Arc::make_mut(record).id = id;
            }
        }
        if self.stay == Stay::Latest {
            self.forget(&mut summaries, &mut requests, &mut records, &now_open);
            shorten(&mut requests, MAX_REQUEST_BYTES);
        }
        let is_open =
            |summary: &&ConnectionSummary| now_open.binary_search(&of_summary(summary)).is_ok();
        let open = summaries.iter().filter(is_open);
        self.open = open
            .map(|summary| (of_summary(summary), summary.id))
            .collect();
        given_up.add(&self.given_up);
        tallies.0.extend(self.tally.as_ref().map(|it| it.copy()));
        let mut analysis = EngineOutput {
            summaries,
            connections: records,
            requests,
            stats,
            given_up,
            tallies,
        };
        analysis.stats.bounds.shed = self.shed;
        analysis
    }

    fn number(&mut self, summaries: &mut [ConnectionSummary]) {
        if self.stay == Stay::First {
            for (id, summary) in (1..).zip(summaries) {
                summary.id = id;
            }
            return;
        }
        for summary in summaries.iter_mut().filter(|summary| summary.id == 0) {
            let key = of_summary(summary);
            summary.id = match self.open.binary_search_by(|(it, _)| it.cmp(&key)) {
                Ok(at) => self.open[at].1,
                Err(_) => {
                    self.last = self.last.saturating_add(1);
                    self.last
                }
            };
        }
    }

    /// Evicts the oldest connections of the last call if `fresh` more would be too many, so that they are not copied first. What
    /// was open then is among the fresh ones.
    fn forget_before(
        &mut self,
        summaries: &[ConnectionSummary],
        records: &[Arc<Connection>],
        fresh: usize,
    ) -> Kept {
        let mut kept = Kept {
            first: 0,
            count: summaries.len().saturating_sub(self.open.len()),
        };
        let all = kept.count + fresh;
        if self.stay == Stay::First || all <= self.max_kept {
            return kept;
        }
        let surplus = (all - self.max_kept / 10 * 9).min(kept.count);
        let open = &self.open;
        let settled = summaries
            .iter()
            .filter(|it| !is_among(open, &of_summary(it)));
        for summary in settled.take(surplus) {
            kept.first = summary.id.saturating_add(1);
            self.given_up.count(summary);
        }
        kept.count -= surplus;
        self.shed += surplus as u64;
        if let Some(tally) = &mut self.tally {
            let gone = records.iter().take_while(|it| it.id < kept.first);
            for record in gone.filter(|it| !is_among(open, &of_record(it))) {
                tally.count(record, None);
            }
        }
        kept
    }

    /// Evicts the oldest settled connections if there are too many, down to nine tenths of the limit, so that it
    /// happens seldom.
    fn forget(
        &mut self,
        summaries: &mut Vec<ConnectionSummary>,
        requests: &mut Vec<Option<RequestList>>,
        records: &mut Vec<Arc<Connection>>,
        open: &[OrderKey],
    ) {
        let mut surplus = match summaries.len() > self.max_kept {
            true => summaries.len() - self.max_kept / 10 * 9,
            false => 0,
        };
        let mut too_many = records.iter().map(|it| it.footprint()).sum::<usize>();
        too_many = match too_many > self.max_record_bytes {
            true => too_many - self.max_record_bytes / 10 * 9,
            false => 0,
        };
        if surplus == 0 && too_many == 0 {
            return;
        }
        let mut weights = records.iter().map(|it| (it.id, it.footprint())).peekable();
        let mut gone = Vec::new();
        let ids: Vec<u32> = summaries.iter().map(|it| it.id).collect();
        summaries.retain(|summary| {
            let weight = weights.next_if(|(id, _)| *id == summary.id);
            let weight = weight.map_or(0, |(_, weight)| weight);
            let enough = surplus == 0 && too_many == 0;
            if enough || open.binary_search(&of_summary(summary)).is_ok() {
                return true;
            }
            surplus = surplus.saturating_sub(1);
            too_many = too_many.saturating_sub(weight);
            gone.push(summary.id);
            self.given_up.count(summary);
            false
        });
        self.shed += gone.len() as u64;
        let mut ids = ids.iter();
        requests.retain(|_| ids.next().is_some_and(|id| gone.binary_search(id).is_err()));
        records.retain(|record| {
            let stays = gone.binary_search(&record.id).is_err();
            if !stays && let Some(tally) = &mut self.tally {
                tally.count(record, None);
            }
            stays
        });
        // All that was merged may be many times what stays, and stays as long as the next view.
        summaries.shrink_to_fit();
        requests.shrink_to_fit();
        records.shrink_to_fit();
    }
}

/// Which settled connections of the last call stay.
struct Kept {
    /// The lowest number that stays.
    first: u32,
    count: usize,
}

fn is_among(open: &[(OrderKey, u32)], key: &OrderKey) -> bool {
    open.binary_search_by(|(it, _)| it.cmp(key)).is_ok()
}

/// Lets the oldest lists of requests go if they take too many bytes, down to nine tenths.
fn shorten(requests: &mut [Option<RequestList>], most: usize) {
    let lists = requests.iter().flatten();
    let mut bytes: usize = lists.map(RequestList::footprint).sum();
    if bytes <= most {
        return;
    }
    for list in requests {
        if bytes <= most / 10 * 9 {
            return;
        }
        bytes = bytes.saturating_sub(list.take().map_or(0, |it| it.footprint()));
    }
}

fn of_summary(summary: &ConnectionSummary) -> OrderKey {
    key(
        summary.first.frame,
        summary.client,
        summary.server,
        summary.context,
    )
}

fn of_record(record: &Arc<Connection>) -> OrderKey {
    let Connection {
        first,
        client,
        server,
        context,
        ..
    } = **record;
    key(first.frame, client, server, context)
}

/// The endpoints are sorted, because the roles of client and server may only be found out later.
fn key(frame: FrameNumber, client: Endpoint, server: Endpoint, context: Context) -> OrderKey {
    (frame, client.min(server), client.max(server), context)
}

/// Merges two sorted sequences; `expected` elements come from `before`. If none do, what is fresh is not copied.
fn merge<T>(
    before: impl Iterator<Item = T>,
    fresh: Vec<T>,
    key: impl Fn(&T) -> OrderKey,
    expected: usize,
) -> Vec<T> {
    let mut before = before.peekable();
    if before.peek().is_none() {
        return fresh;
    }
    let mut all = Vec::with_capacity(expected + fresh.len());
    let mut fresh = fresh.into_iter().peekable();
    for one in before {
        while let Some(earlier) = fresh.next_if(|it| key(it).cmp(&key(&one)) == Ordering::Less) {
            all.push(earlier);
        }
        all.push(one);
    }
    all.extend(fresh);
    all
}

#[cfg(test)]
mod tests {
    use super::super::retention::Settled;
    use super::*;
    use crate::report::snapshot::sample;

    /// A connection that begins in this frame.
    fn connection(frame: u64) -> Connection {
        let mut connection = sample::connection();
        connection.id = 0;
        connection.first = sample::frame_ref(frame, frame);
        connection.client.port = (frame % 60_000) as u16;
        connection
    }

    fn view(settled: &[u64], open: &[u64]) -> EngineView {
        let settled_connections = |frames: &[u64]| {
            let records: Vec<_> = frames.iter().map(|it| Arc::new(connection(*it))).collect();
            Settled {
                summaries: records
                    .iter()
                    .map(|it| ConnectionSummary::from(&**it))
                    .collect(),
                records,
                requests: Vec::new(),
            }
        };
        EngineView {
            settled: settled_connections(settled),
            open: settled_connections(open),
            ..EngineView::default()
        }
    }

    fn numbers(analysis: &EngineOutput) -> Vec<(u64, u32)> {
        let summaries = analysis.summaries.iter();
        summaries.map(|it| (it.first.frame.0, it.id)).collect()
    }

    #[test]
    fn a_connection_keeps_its_number_when_it_is_settled() {
        let mut numbering = Numbering::new(Stay::Latest, &SharedJudge::default());
        let first = numbering.call(&[], &[], &[], view(&[20], &[10, 30]));
        assert_eq!(numbers(&first), [(10, 1), (20, 2), (30, 3)]);
        let next = numbering.call(
            &first.summaries,
            &[],
            &first.connections,
            view(&[30], &[10, 40]),
        );
        assert_eq!(numbers(&next), [(10, 1), (20, 2), (30, 3), (40, 4)]);
        let ids: Vec<u32> = next.connections.iter().map(|it| it.id).collect();
        assert_eq!(ids, [1, 2, 3, 4]);
    }

    #[test]
    fn dense_numbers_move_up_when_one_is_let_go() {
        let mut numbering = Numbering::new(Stay::First, &SharedJudge::default());
        let first = numbering.call(&[], &[], &[], view(&[], &[10, 20, 30]));
        let next = numbering.call(
            &first.summaries,
            &[],
            &first.connections,
            view(&[10, 30], &[]),
        );
        assert_eq!(numbers(&next), [(10, 1), (30, 2)]);
        assert_eq!(next.connections[1].id, 2);
    }

    #[test]
    fn the_oldest_are_forgotten_and_what_is_open_stays() {
        let mut numbering = Numbering {
            max_kept: 50,
            ..Numbering::new(Stay::Latest, &SharedJudge::default())
        };
        let mut seen = EngineOutput::default();
        for round in 0..100 {
            let settled: Vec<u64> = (1..=7).map(|n| 10 + round * 10 + n).collect();
            seen = numbering.call(
                &seen.summaries,
                &[],
                &seen.connections,
                view(&settled, &[1]),
            );
            assert!(seen.summaries.len() <= 50, "{}", seen.summaries.len());
            assert_eq!(numbers(&seen)[0], (1, 1), "the open one");
            assert!(seen.summaries.is_sorted_by_key(|it| it.id));
            let summaries: Vec<u32> = seen.summaries.iter().map(|it| it.id).collect();
            let records: Vec<u32> = seen.connections.iter().map(|it| it.id).collect();
            assert_eq!(summaries, records);
        }
        let kept = seen.summaries.len() as u64;
        assert_eq!(kept + seen.stats.bounds.shed, 701);
        assert_eq!(numbers(&seen).last(), Some(&(1007, 701)));
    }

    #[test]
    fn what_is_alone_is_moved_and_not_copied() {
        let fresh: Vec<_> = [connection(3), connection(7)].map(Arc::new).into();
        let room = fresh.as_ptr();
        let all = merge(std::iter::empty(), fresh, of_record, 0);
        assert_eq!((all.as_ptr(), all.len()), (room, 2));
        let mut settled = Settled::default();
        settled.append(Settled {
            records: all,
            ..Settled::default()
        });
        assert_eq!(settled.records.as_ptr(), room);
        settled.append(Settled {
            records: vec![Arc::new(connection(9))],
            ..Settled::default()
        });
        let frames = settled.records.iter().map(|it| it.first.frame.0);
        assert!(frames.eq([3, 7, 9]));
    }

    #[test]
    fn a_flood_pushes_out_what_was_settled_before_it_is_copied() {
        let mut numbering = Numbering {
            max_kept: 100,
            ..Numbering::new(Stay::Latest, &SharedJudge::default())
        };
        let before: Vec<u64> = (2..=90).collect();
        let first = numbering.call(&[], &[], &[], view(&before, &[1]));
        let flood: Vec<u64> = (1000..1050).collect();
        let kept = numbering.forget_before(&first.summaries, &first.connections, 51);
        assert_eq!((kept.first, kept.count, numbering.shed), (52, 39, 50));
        assert_eq!(numbering.given_up.connections(), 50);
        (numbering.shed, numbering.given_up) = (0, GivenUp::default());
        let next = numbering.call(
            &first.summaries,
            &[],
            &first.connections,
            view(&flood, &[1]),
        );
        let ids: Vec<u32> = next.summaries.iter().map(|it| it.id).collect();
        let expected: Vec<u32> = [1].into_iter().chain(52..=140).collect();
        assert_eq!(ids, expected);
        let records: Vec<u32> = next.connections.iter().map(|it| it.id).collect();
        assert_eq!(records, expected);
        assert_eq!(next.stats.bounds.shed, 50);
        // More at once than ever stay leave no room behind them that stays.
        let flood: Vec<u64> = (2000..9000).collect();
        let last = numbering.call(&next.summaries, &[], &next.connections, view(&flood, &[1]));
        assert_eq!(last.summaries.len(), 90);
        assert!(last.summaries.capacity() < 200 && last.connections.capacity() < 200);
        assert_eq!(last.stats.bounds.shed, 140 + 7000 - 90);
    }

    #[test]
    fn large_records_push_the_oldest_out() {
        let mut numbering = Numbering {
            max_record_bytes: 5 * 10_000,
            ..Numbering::new(Stay::Latest, &SharedJudge::default())
        };
        let mut all = view(&[1, 2, 3, 4, 5], &[]);
        for record in &mut all.settled.records {
            let some = vec![crate::protocol::http::Exchange::default(); 40];
            Arc::make_mut(record).exchanges = some.into_boxed_slice();
        }
        let each = all.settled.records[0].footprint();
        numbering.max_record_bytes = each * 4;
        let seen = numbering.call(&[], &[], &[], all);
        // Five are more than four; nine tenths of four are three connections' worth.
        assert_eq!(numbers(&seen), [(3, 3), (4, 4), (5, 5)]);
        assert_eq!(seen.stats.bounds.shed, 2);
    }
}
