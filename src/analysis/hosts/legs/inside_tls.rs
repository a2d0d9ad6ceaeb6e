//! Legs of which one side is hidden in TLS without secrets: what remains are the turns of its records.
//!
//! A proxy asks behind it after the client's turn has begun, and passes the response on as soon as it has come. So a request on
//! one side that lies within a turn on the other, and whose response comes right before that of the other side, belongs to it
//! if nothing else does: requests at the same time are told apart by the sizes of their responses, or are not paired. The
//! first of several attempts is known by the next one.

use std::net::IpAddr;
use std::time::Duration;

use hashbrown::HashMap;

use super::candidates::MAX_ALIKE;
use super::item::Item;
use super::leg::{ExchangeId, Leg, LegBasis};
use crate::analysis::connection::{By, Connection};
use crate::base::certainty::Certainty;
use crate::base::flow_end::FlowEnd;
use crate::base::net::Endpoint;
use crate::base::time::Timestamp;
use crate::protocol::tls::HiddenExchange;

/// A proxy passes a response on, or gives up after the last attempt, within this time.
const AT_ONCE: Duration = Duration::from_millis(50);
/// Records of this many bytes at most ask for nothing: alerts.
const ALERT: u64 = 64;
/// A response in TLS is longer than the same one without by the headers that a proxy adds, and by five bytes, a tag and padding for
/// each record.
const ADDED: u64 = 8 << 10;
/// A response may be compressed on one side to a part of what it is on the other.
const COMPRESSED: u64 = 24;

/// A turn inside TLS.
struct Turn<'a> {
    id: ExchangeId,
    connection: &'a Connection,
    hidden: &'a HiddenExchange,
    /// Several requests may be under way in it.
    shared: bool,
}

/// One request on the side that is not hidden.
struct Plain<'i, 'a> {
    item: &'i Item<'a>,
    /// The turns that it fits, and whether it was answered.
    turns: Vec<usize>,
    answered: bool,
}

/// The pairs of `open` exchanges, which have none, with turns inside TLS. `is_leg`: whether two hosts are the two sides of a proxy:
/// the one that asks, and the one that is asked.
pub(super) fn pairs<'i, 'a>(
    items: &'i [Item<'a>],
    open: impl Fn(usize, Side) -> bool,
    is_leg: impl Fn(&Connection, &Connection) -> bool,
) -> Vec<Leg> {
    let turns = turns(items);
    let mut found = Vec::new();
    if turns.is_empty() {
        return found;
    }
    for side in [Side::Client, Side::Upstream] {
        let by_host = ByHost::of(&turns, side);
        let mut plain: Vec<Plain<'i, 'a>> = Vec::new();
        let mut asked: HashMap<Asked<'a>, [usize; 2]> = HashMap::new();
        for (index, item) in items.iter().enumerate() {
            if item.exchange.is_none() || !open(index, side) {
                continue;
            }
            let near = by_host.near(side, item).into_iter().filter_map(|at| {
                let turn = turns.get(at)?;
                let (served, made) = side.legs(turn.connection, item.connection);
                let are_legs = served.id != made.id && is_leg(served, made);
                are_legs.then_some((at, side.fit(turn, item)?))
            });
            let mut fits: Vec<(usize, bool)> = near.collect();
            let answered = fits.iter().any(|it| it.1);
            fits.retain(|it| it.1 == answered);
            asked.entry(wanted(item)).or_default()[usize::from(!fits.is_empty())] += 1;
            if fits.is_empty() {
                continue;
            }
            let turns = fits.into_iter().map(|it| it.0).collect();
            let one = Plain {
                item,
                turns,
                answered,
            };
            plain.push(one);
        }
        // What a proxy asks for by itself, such as whether a server is well, fits by chance at most.
        plain.retain(|it| {
            let [without, with] = asked.get(&wanted(it.item)).copied().unwrap_or_default();
            with > without
        });
        found.extend(decided(side, &plain, &turns));
    }
    found
}

/// What is asked for, by whom, and where.
type Asked<'a> = (IpAddr, Endpoint, Option<(&'a [u8], &'a [u8])>);

fn wanted<'a>(item: &Item<'a>) -> Asked<'a> {
    (item.client(), item.connection.server, item.target())
}

/// Turns by the host of the proxy, in order of time.
struct ByHost(HashMap<IpAddr, Vec<(Timestamp, usize, Timestamp)>>);

impl ByHost {
    fn of(turns: &[Turn<'_>], side: Side) -> Self {
        let mut all: HashMap<IpAddr, Vec<(Timestamp, usize, Timestamp)>> = HashMap::new();
        for (at, turn) in turns.iter().enumerate() {
            let host = match side {
                Side::Client => turn.connection.server.ip,
                Side::Upstream => turn.connection.client.ip,
            };
            let resumed = turn.hidden.resumed.filter(|_| turn.id.exchange == Some(0));
            let until = resumed.or(turn.hidden.answered.map(|it| it[0]));
            let until = until.unwrap_or_else(|| turn.connection.over());
            let own = all.entry(host).or_default();
            own.push((turn.hidden.asked[0], at, until));
        }
        for own in all.values_mut() {
            own.sort_unstable();
            let mut latest = None;
            for (_, _, until) in own {
                let most = latest.map_or(*until, |it: Timestamp| it.max(*until));
                *until = most;
                latest = Some(most);
            }
        }
        Self(all)
    }

    /// Those that an exchange may belong to by its time; none if they are too many to tell.
    fn near(&self, side: Side, item: &Item<'_>) -> Vec<usize> {
        let host = match side {
            Side::Client => item.client(),
            Side::Upstream => item.server(),
        };
        let Some(own) = self.0.get(&host) else {
            return Vec::new();
        };
        let (from, to) = match side {
            // Those that had begun, and were not answered before.
            Side::Client => (None, item.begin),
            Side::Upstream => (Some(item.begin), item.until()),
        };
        let end = own.partition_point(|it| it.0 <= to);
        let mut found = Vec::new();
        for (begun, at, latest) in own.get(..end).unwrap_or_default().iter().rev() {
            let over = match from {
                Some(from) => *begun < from,
                None => *latest < to,
            };
            if over {
                break;
            }
            if found.len() >= MAX_ALIKE {
                return Vec::new();
            }
            found.push(*at);
        }
        found
    }
}

/// Which side of the proxy is hidden.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// That of its client.
    Client,
    /// The one behind it.
    Upstream,
}

impl Side {
    /// The connection that the proxy served, and the one that it made.
    const fn legs<'c>(
        self,
        hidden: &'c Connection,
        plain: &'c Connection,
    ) -> (&'c Connection, &'c Connection) {
        match self {
            Self::Client => (hidden, plain),
            Self::Upstream => (plain, hidden),
        }
    }

    /// Whether an exchange may belong to a turn: `Some(true)` if its response was passed on.
    fn fit(self, turn: &Turn<'_>, item: &Item<'_>) -> Option<bool> {
        let answered = turn.hidden.answered.map(|it| it[0]);
        // What comes first on a connection may be session tickets.
        let resumed = turn.hidden.resumed.filter(|_| turn.id.exchange == Some(0));
        let first = self.fit_from(turn, item, answered);
        match first {
            Some(true) => first,
            _ => resumed
                .and_then(|at| self.fit_from(turn, item, Some(at)))
                .filter(|it| *it)
                .or(first),
        }
    }

    /// The same, if the response inside TLS began then.
    fn fit_from(
        self,
        turn: &Turn<'_>,
        item: &Item<'_>,
        answered: Option<Timestamp>,
    ) -> Option<bool> {
        let [asked, _] = turn.hidden.asked;
        let (outer, inner) = match self {
            Self::Client => ((asked, answered), (item.begin, item.told)),
            Self::Upstream => ((item.begin, item.told), (asked, answered)),
        };
        let nested = outer.0 <= inner.0 && outer.1.is_none_or(|told| inner.0 <= told);
        if !nested {
            return None;
        }
        match (outer.1, inner.1) {
            (Some(outer), Some(inner)) if inner <= outer && outer.since(inner) <= AT_ONCE => {
                self.is_as_long(turn, item).then_some(true)
            }
            (Some(_), Some(_)) => None,
            // It failed, or its client left: how it ended is looked at later.
            (_, None) => Some(false),
            (None, Some(_)) => None,
        }
    }

    /// Whether the lengths of both responses allow that one is the other.
    fn is_as_long(self, turn: &Turn<'_>, item: &Item<'_>) -> bool {
        let response = item.exchange.and_then(|it| it.response.as_ref());
        let (Some(response), true) = (response, item.is_complete()) else {
            return true;
        };
        let (plain, hidden) = (response.message.received(), turn.hidden.bytes[1]);
        let short = hidden.saturating_mul(COMPRESSED) < plain;
        let long = hidden > plain.saturating_mul(COMPRESSED).saturating_add(ADDED);
        let much = hidden > plain + plain / 8 + ADDED && plain > ADDED && self == Self::Client;
        !short && (turn.shared || !long && !much)
    }
}

fn turns<'a>(items: &[Item<'a>]) -> Vec<Turn<'a>> {
    let hidden = items.iter().filter(|it| it.is_hidden());
    let all = hidden.flat_map(|it| {
        let connection = it.connection;
        let tls = connection.tls.as_deref().filter(|tls| {
            // The TLS client opened the connection.
            tls.caller == FlowEnd::A && !tls.is_open && tls.plain.is_none()
        });
        let shared = tls.is_some_and(|tls| !speaks_http1(tls));
        let turns = tls.map_or(&[][..], |tls| &tls.exchanged);
        (0u32..).zip(turns).map(move |(nth, hidden)| Turn {
            id: ExchangeId {
                connection: connection.id,
                exchange: Some(nth),
            },
            connection,
            hidden,
            shared,
        })
    });
    // A farewell is no request.
    all.filter(|it| it.hidden.answered.is_some() || it.hidden.bytes[0] > ALERT)
        .collect()
}

/// Whether it is known that HTTP/1 is spoken inside: one request at a time.
fn speaks_http1(tls: &crate::protocol::tls::TlsFacts) -> bool {
    let offered = tls.hello.as_ref().map(|(_, hello)| &hello.alpn);
    let chosen = tls.answer.as_ref().and_then(|(_, it)| it.alpn.as_deref());
    chosen == Some(b"http/1.1")
        || tls.without_h2
        || offered.is_some_and(|all| !all.iter().any(|it| it.as_slice() == b"h2"))
}

/// Of exchanges with the turns that they fit, the pairs that are the only ones possible.
fn decided(side: Side, plain: &[Plain<'_, '_>], turns: &[Turn<'_>]) -> Vec<Leg> {
    // What fits a turn, of those that were answered: two at the same time are not told apart.
    let mut wanted: HashMap<usize, usize> = HashMap::new();
    for it in plain.iter().filter(|it| it.answered) {
        for turn in &it.turns {
            *wanted.entry(*turn).or_default() += 1;
        }
    }
    let mut pairs: Vec<(usize, usize)> = Vec::new();
    for (at, it) in plain.iter().enumerate() {
        let [turn] = it.turns[..] else { continue };
        let alone = turns
            .get(turn)
            .is_some_and(|it| it.shared && side == Side::Client)
            || wanted.get(&turn) == Some(&1);
        if it.answered && alone {
            pairs.push((at, turn));
        }
    }
    let taken: HashMap<usize, usize> = pairs.iter().copied().collect();
    let mut by_turn: HashMap<usize, Vec<usize>> = HashMap::new();
    for (at, turn) in &pairs {
        by_turn.entry(*turn).or_default().push(*at);
    }
    // Attempts that failed, each right before the next one or before the end; the last ones first.
    let mut failed: Vec<usize> = (0..plain.len())
        .filter(|at| !taken.contains_key(at) && plain.get(*at).is_some_and(|it| !it.answered))
        .collect();
    failed.sort_by_key(|at| std::cmp::Reverse(plain.get(*at).map(|it| it.item.begin)));
    for at in failed {
        let Some(own) = plain.get(at) else {
            continue;
        };
        let fits = own.turns.iter().copied().filter(|turn| {
            let Some(turn_of) = turns.get(*turn) else {
                return false;
            };
            let next = by_turn.get(turn).into_iter().flatten();
            let mut next = next.filter_map(|at| plain.get(*at));
            next.any(|it| is_next(own.item, it.item)) || is_end(side, turn_of, own.item)
        });
        let fits: Vec<usize> = fits.collect();
        if let [turn] = fits[..]
            && own.turns.len() == 1
        {
            pairs.push((at, turn));
            by_turn.entry(turn).or_default().push(at);
        }
    }
    let legs = pairs.into_iter().filter_map(|(at, turn)| {
        let own = plain.get(at)?;
        let turn = turns.get(turn)?;
        let whole = ExchangeId {
            exchange: None,
            ..turn.id
        };
        let (client, upstream) = match side {
            // What a client asked for inside TLS has no number.
            Side::Client => (whole, own.item.id),
            // That of a leg which failed is the whole connection.
            Side::Upstream if turn.hidden.answered.is_none() => (own.item.id, whole),
            Side::Upstream => (own.item.id, turn.id),
        };
        Some(Leg {
            client,
            upstream,
            certainty: Certainty::Likely,
            basis: LegBasis::Time,
        })
    });
    legs.collect()
}

/// Whether one attempt follows another that failed.
fn is_next(failed: &Item<'_>, next: &Item<'_>) -> bool {
    failed.method() == next.method()
        && failed.target() == next.target()
        && failed.client() == next.client()
        && failed.end <= next.begin
        && next.begin.since(failed.end) <= AT_ONCE
}

/// Whether the failure of an exchange is what ended the turn: an error that the proxy responded with at once, or a client that left.
fn is_end(side: Side, turn: &Turn<'_>, item: &Item<'_>) -> bool {
    let near = |one: Timestamp, other: Timestamp| {
        let (first, then) = (one.min(other), one.max(other));
        then.since(first) <= AT_ONCE
    };
    let began = near(turn.hidden.asked[1], item.begin);
    let left = turn.connection.teardown.by == By::Client && near(turn.connection.over(), item.end);
    match (side, turn.hidden.answered) {
        (Side::Client, Some([told, _])) => item.end <= told && near(item.end, told),
        (Side::Client, None) => began && left,
        (Side::Upstream, None) => item.told.is_some_and(|told| {
            let over = turn.connection.over();
            item.status() >= 500 && over <= told && near(over, told)
        }),
        (Side::Upstream, Some(_)) => false,
    }
}
