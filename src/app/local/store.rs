//! What was said of sockets, until it is joined with the connections that a capture shows.
//!
//! A socket has the addresses and ports of its connection, but so may another one, before, after, or in another network
//! namespace. So a fact belongs to a connection only if a segment of it was captured at the same moment: the FIN or RST
//! that a close sends, the handshake that an open ends. Which programs hold a socket was seen in this namespace, at two
//! moments between which the connection must have segments.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use super::fact::{Fact, Program, SentReset, What, endpoint};
use crate::analysis::connection::{Connection, ConnectionSummary, How, Who};
use crate::base::frame_ref::FrameRef;
use crate::base::net::{Context, Endpoint};
use crate::base::time::Timestamp;
use crate::knowledge::SocketThen;
use crate::report::snapshot::{LocalEnd, LocalEnds, LocalReset, Process, Snapshot};

/// Sockets about which facts wait.
pub(in crate::app) const MAX_SOCKETS: usize = 65_536;
/// Facts of each kind that wait for one socket: its latest.
const MAX_FACTS: usize = 8;
/// Between an event and its segment: both are stamped by the same clock, while the processor may be taken away.
const SAME: Duration = Duration::from_millis(100);
/// The same where only the port says which connection it is.
const SAME_PORT: Duration = Duration::from_millis(2);

/// The ends of a socket: its own, and its peer's.
type Ends = (Endpoint, Endpoint);

/// What was said of one socket.
#[derive(Debug, Default)]
struct Said {
    acted: VecDeque<(Timestamp, Program)>,
    held: VecDeque<HeldBy>,
    resets: VecDeque<(Timestamp, SentReset)>,
    /// Whether any of it is known to belong to a connection.
    joined: bool,
    latest: Timestamp,
}

/// Programs that hold a socket.
#[derive(Debug)]
struct HeldBy {
    since: Timestamp,
    /// When it was seen last; `None` while it is.
    until: Option<Timestamp>,
    by: Vec<Program>,
}

/// All that was said.
#[derive(Debug, Default)]
pub(super) struct Store {
    sockets: HashMap<Ends, Said>,
    /// The keys of `sockets`, the oldest first.
    order: VecDeque<Ends>,
    /// RSTs that listening sockets sent: only their own end is known.
    listening: VecDeque<(Timestamp, Endpoint, SentReset)>,
    /// Sockets that were dropped and events that were never read.
    lost: u64,
    /// All that happened before is said.
    said_until: Timestamp,
}

impl Store {
    /// Notes a fact.
    pub(super) fn take(&mut self, fact: Fact) {
        let at = Timestamp::from_nanos(fact.at);
        let ends = (endpoint(fact.local), endpoint(fact.remote));
        if ends.1.port == 0 {
            if let What::Reset(reset) = fact.what {
                push(&mut self.listening, (at, ends.0, reset), MAX_SOCKETS);
            }
            return;
        }
        if !self.sockets.contains_key(&ends) {
            self.make_room();
            self.order.push_back(ends);
        }
        let said = self.sockets.entry(ends).or_default();
        said.latest = said.latest.max(at);
        match fact.what {
            What::Acted(by) => push(&mut said.acted, (at, by), MAX_FACTS),
            What::Reset(reset) => push(&mut said.resets, (at, reset), MAX_FACTS),
            What::Held(by) => {
                let held = HeldBy {
                    since: at,
                    until: None,
                    by,
                };
                push(&mut said.held, held, MAX_FACTS);
            }
            What::Gone => {
                let open = said.held.iter_mut().find(|it| it.until.is_none());
                if let Some(held) = open {
                    held.until = Some(at);
                }
            }
        }
    }

    /// Notes that all that happened before `time` is said.
    pub(super) fn catch_up(&mut self, time: Timestamp) {
        self.said_until = time;
    }

    /// Whether something that happened before `time` may not be said yet.
    pub(super) fn is_behind(&self, time: Timestamp) -> bool {
        self.said_until < time
    }

    /// Whether a RST from one end to the other was sent at this time.
    pub(super) fn sent(&self, from: Endpoint, to: Endpoint, at: Timestamp) -> bool {
        let said = self.sockets.get(&(from, to));
        said.is_some_and(|it| it.resets.iter().any(|it| distance(it.0, at) <= SAME))
    }

    /// Notes that events were lost.
    pub(super) fn lose(&mut self, events: u64) {
        self.lost = self.lost.saturating_add(events);
    }

    /// Sockets that were dropped before a snapshot showed their connection, and events that were never read.
    pub(super) const fn lost(&self) -> u64 {
        self.lost
    }

    fn make_room(&mut self) {
        while self.sockets.len() >= MAX_SOCKETS {
            let Some(oldest) = self.order.pop_front() else {
                return;
            };
            let said = self.sockets.remove(&oldest);
            self.lost += u64::from(said.is_some_and(|it| !it.joined));
        }
    }

    /// Drops what nobody will ask for any more.
    pub(super) fn forget_before(&mut self, time: Timestamp) {
        self.sockets
            .retain(|_, said| said.latest >= time || said.held.iter().any(|it| it.until.is_none()));
        self.order.retain(|it| self.sockets.contains_key(it));
        self.listening.retain(|it| it.0 >= time);
    }

    /// Writes what is known of the connections of a snapshot to `known`.
    pub(super) fn join(&mut self, snapshot: &Snapshot, known: &mut LocalEnds) {
        for summary in &snapshot.summaries {
            if summary.context != Context(0) {
                continue;
            }
            for who in Who::BOTH {
                let Some(said) = self.sockets.get_mut(&ends(summary, who)) else {
                    continue;
                };
                let record = snapshot.connection(summary.id);
                let found = said.of(summary, record, who);
                if found != LocalEnd::default() {
                    said.joined = true;
                    merge(known.change(summary.id), who, found);
                }
            }
        }
        if !self.listening.is_empty() {
            self.join_listening(snapshot, known);
        }
    }

    /// RSTs of listening sockets belong to a connection only if no other RST left that port at the same moment.
    fn join_listening(&self, snapshot: &Snapshot, known: &mut LocalEnds) {
        let resets = snapshot.connections.iter().flat_map(|connection| {
            Who::BOTH.into_iter().filter_map(move |who| {
                let event = connection.reset[who as usize].as_ref()?;
                let own = (connection.context == Context(0)).then(|| at(connection, who))?;
                Some((connection.id, who, own, event.frame_ref))
            })
        });
        let resets: Vec<_> = resets.collect();
        for (time, own, reset) in &self.listening {
            let fits = |end: &Endpoint, frame: &FrameRef| {
                let address = own.ip.is_unspecified() || own.ip == end.ip;
                address && own.port == end.port && distance(*time, frame.time) <= SAME_PORT
            };
            let mut all = resets.iter().filter(|it| fits(&it.2, &it.3));
            let (Some((id, who, end, frame)), None) = (all.next(), all.next()) else {
                continue;
            };
            let others = self
                .listening
                .iter()
                .filter(|it| fits(end, frame) && it.1 == *own);
            let alike = others.filter(|it| distance(it.0, frame.time) <= SAME_PORT);
            if alike.count() == 1 {
                let found = LocalEnd {
                    held_by: Vec::new(),
                    reset: Some(sent(*frame, reset)),
                };
                merge(known.change(*id), *who, found);
            }
        }
    }
}

impl Said {
    /// What of it belongs to this end of a connection.
    fn of(&self, summary: &ConnectionSummary, record: Option<&Connection>, who: Who) -> LocalEnd {
        let closes = record.map(|it| [&it.fin[who as usize], &it.reset[who as usize]]);
        let closes = closes.into_iter().flatten().flatten();
        let closes = closes.map(|it| it.frame_ref.time);
        let moments: Vec<_> = [summary.first.time, summary.close.time]
            .into_iter()
            .chain(closes)
            .collect();
        let near = |time: Timestamp| moments.iter().any(|it| distance(*it, time) <= SAME);
        let held = self.held.iter().rev();
        let mut held = held.filter(|it| {
            let before = it.until.is_none_or(|until| summary.first.time <= until);
            before && (it.since <= summary.last || summary.how == How::Open && it.until.is_none())
        });
        let holders = held.next().map_or(&[][..], |it| &it.by);
        let acted = self.acted.iter().rev().find(|it| near(it.0));
        let held_by = match acted {
            Some((_, by)) => vec![whole(by, holders)],
            None => holders.iter().map(Process::from).collect(),
        };
        let frame = match record {
            Some(record) => record.reset[who as usize].as_ref().map(|it| it.frame_ref),
            None => None,
        };
        let reset = frame.and_then(|frame| {
            let all = self.resets.iter();
            let near = all.filter(|it| distance(it.0, frame.time) <= SAME);
            let (_, nearest) = near.min_by_key(|it| distance(it.0, frame.time))?;
            let mut reset = sent(frame, nearest);
            if reset.socket == SocketThen::Closed {
                reset.by = nearest.by.as_ref().map(|it| whole(it, holders));
            }
            Some(reset)
        });
        LocalEnd { held_by, reset }
    }
}

/// A program that acted on its socket; if it was gone when it was asked for, the one that was seen to hold it.
fn whole(program: &Program, seen: &[Program]) -> Process {
    let mut same = seen.iter().filter(|it| it.name == program.name);
    match (program.pid, seen, same.next(), same.next()) {
        (None, [only], ..) | (None, _, Some(only), None) => only.into(),
        _ => program.into(),
    }
}

fn sent(frame: FrameRef, reset: &SentReset) -> LocalReset {
    LocalReset {
        frame,
        reason: reset.reason.as_str().into(),
        socket: SocketThen::named(&reset.socket),
        by: reset.by.as_ref().map(Process::from),
    }
}

/// Adds what was found to what was known: later looks see more.
fn merge(known: &mut [LocalEnd; 2], who: Who, found: LocalEnd) {
    let end = &mut known[who as usize];
    if !found.held_by.is_empty() {
        end.held_by = found.held_by;
    }
    if found.reset.is_some() {
        end.reset = found.reset;
    }
}

fn push<T>(queue: &mut VecDeque<T>, item: T, most: usize) {
    if queue.len() >= most {
        queue.pop_front();
    }
    queue.push_back(item);
}

fn distance(one: Timestamp, other: Timestamp) -> Duration {
    one.max(other).since(one.min(other))
}

const fn ends(summary: &ConnectionSummary, who: Who) -> Ends {
    match who {
        Who::Client => (summary.client, summary.server),
        Who::Server => (summary.server, summary.client),
    }
}

const fn at(connection: &Connection, who: Who) -> Endpoint {
    match who {
        Who::Client => connection.client,
        Who::Server => connection.server,
    }
}
