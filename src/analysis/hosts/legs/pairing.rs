//! Decides which exchange each one was made for.
//!
//! What has one candidate is decided first. That leaves fewer for the others: an exchange that got its response from one
//! leg has no second one, and the hosts that are known to be the two sides of a proxy rule out others.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use hashbrown::{HashMap, HashSet};

use super::candidates::{InProgress, candidates};
use super::fit::{Fit, Likeness, SLACK, fit};
use super::inside_tls::{self, Side};
use super::item::{Item, items};
use super::leg::{Leg, LegBasis};
use super::unkept::Unkept;
use crate::analysis::connection::{By, Connection, ConnectionSummary};
use crate::base::certainty::Certainty;
use crate::base::net::Endpoint;
use crate::base::time::Timestamp;
use crate::protocol::http::Party;

/// A gateway answers within this time after the leg behind it failed, if nothing but the time ties the two together.
const AT_ONCE: Duration = Duration::from_millis(100);
/// Passes over what is not decided. Each decides something, and few need more than three.
const PASSES: usize = 16;

type Fast = foldhash::fast::FixedState;
/// Exchanges, each with those that it may have been made for.
type Claims = Vec<(u32, Vec<(u32, Fit)>)>;

/// The pairs among these connections, and how many exchanges had too many candidates.
pub(super) fn pairs(
    connections: &[Arc<Connection>],
    summaries: &[ConnectionSummary],
) -> (Vec<Leg>, u64) {
    let first = connections.first().map(|it| it.server);
    if connections.iter().all(|it| Some(it.server) == first) {
        return (Vec::new(), 0);
    }
    let items = items(connections);
    let found = candidates(&items);
    let mut pairing = Pairing {
        parents: vec![None; items.len()],
        items: &items,
        children: HashMap::default(),
        fronts: HashSet::default(),
        servers: HashSet::default(),
        contested: HashSet::default(),
    };
    pairing.decide(found.all);
    pairing.drop_chance(&Unkept::new(connections, summaries));
    pairing.learn();
    pairing.siblings();
    pairing.by_time();
    pairing.hidden();
    let mut legs = pairing.legs();
    legs.extend(pairing.inside_tls());
    (legs, found.left_out)
}

struct Pairing<'i, 'a> {
    items: &'i [Item<'a>],
    /// For each exchange the one that it was made for.
    parents: Vec<Option<(u32, Fit)>>,
    children: HashMap<u32, Vec<u32>, Fast>,
    /// Addresses from which a proxy asks, with one at which it serves.
    fronts: HashSet<(IpAddr, IpAddr), Fast>,
    /// Addresses from which a proxy asks, with a server that it asks.
    servers: HashSet<(IpAddr, Endpoint), Fast>,
    /// Exchanges that two legs fit at the same time.
    contested: HashSet<u32, Fast>,
}

impl<'a> Pairing<'_, 'a> {
    fn item(&self, index: u32) -> Option<&Item<'a>> {
        self.items.get(index as usize)
    }

    fn parent(&self, index: u32) -> Option<(u32, Fit)> {
        self.parents.get(index as usize).copied().flatten()
    }

    fn decide(&mut self, mut pending: Claims) {
        // What is asked for beside a request, such as leave for it, has another path.
        for strict in [true, false] {
            for _ in 0..PASSES {
                let before = pending.len();
                pending.retain(|(upstream, clients)| {
                    let sure = |fit: &Fit| fit.id || fit.port || fit.likeness == Likeness::Same;
                    let now = !strict || clients.iter().any(|it| sure(&it.1));
                    !now || !self.decide_one(*upstream, clients)
                });
                if pending.len() == before {
                    break;
                }
            }
        }
        for (upstream, clients) in &pending {
            self.contest(*upstream, clients);
        }
        let contested = std::mem::take(&mut self.contested);
        for client in contested {
            for child in self.children.remove(&client).unwrap_or_default() {
                if let Some(parent) = self.parents.get_mut(child as usize) {
                    *parent = None;
                }
            }
        }
    }

    fn decide_one(&mut self, upstream: u32, clients: &[(u32, Fit)]) -> bool {
        let open = clients.iter().copied();
        let open = open.filter(|(client, fit)| self.may_be(*client, upstream, *fit));
        let Some((client, fit)) = self.best(upstream, open.collect()) else {
            return false;
        };
        self.pair(client, upstream, fit);
        true
    }

    /// Pairs two, which shows their hosts to be the two sides of a proxy.
    fn pair(&mut self, client: u32, upstream: u32, fit: Fit) {
        self.pair_alone(client, upstream, fit);
        if let Some((served, made)) = self.item(client).zip(self.item(upstream)) {
            self.fronts.insert((made.client(), served.server()));
        }
    }

    fn pair_alone(&mut self, client: u32, upstream: u32, fit: Fit) {
        if let Some(parent) = self.parents.get_mut(upstream as usize) {
            *parent = Some((client, fit));
            self.children.entry(client).or_default().push(upstream);
        }
    }

    /// The one that fits best; `None` if there is none, or two.
    fn best(&self, upstream: u32, mut open: Vec<(u32, Fit)>) -> Option<(u32, Fit)> {
        let all: Vec<u32> = open.iter().map(|it| it.0).collect();
        // Of proxies in a row the last one asks.
        open.retain(|(client, _)| !all.iter().any(|other| self.is_behind(*other, *client)));
        let front = |client: u32, fit: &Fit| fit.host || self.is_front(client, upstream);
        if open.iter().any(|(client, fit)| front(*client, fit)) {
            open.retain(|(client, fit)| front(*client, fit));
        }
        let best = open.iter().map(|it| it.1).max()?;
        let mut equal = open.iter().filter(|it| it.1 == best);
        let first = equal.next().copied();
        first.filter(|_| equal.next().is_none())
    }

    /// Whether `client` is one of those that `other` was made for, over any number of proxies.
    fn is_behind(&self, other: u32, client: u32) -> bool {
        let mut at = other;
        for _ in 0..PASSES {
            match self.parent(at) {
                Some((parent, _)) if parent == client => return true,
                Some((parent, _)) => at = parent,
                None => return false,
            }
        }
        false
    }

    /// Whether a leg can be beside those that are known already: attempts come one after the other, and none after the one
    /// that got the response.
    fn may_be(&self, client: u32, upstream: u32, fit: Fit) -> bool {
        if self.is_behind(client, upstream) {
            return false;
        }
        let Some(own) = self.item(upstream) else {
            return false;
        };
        let children = self.children.get(&client);
        let mut children = children.into_iter().flatten();
        children.all(|child| {
            let known = self.parent(*child).map(|it| it.1);
            let Some((other, known)) = self.item(*child).zip(known) else {
                return true;
            };
            let (first, then) = match own.begin <= other.begin {
                true => ((own, fit), other),
                false => ((other, known), own),
            };
            let (first, fit) = first;
            let answered = fit.passed && first.is_complete() && first.status() < 500;
            first.end <= then.begin.after(SLACK) && !answered
        })
    }

    /// Notes where a leg found its place taken by another that fits no better.
    fn contest(&mut self, upstream: u32, clients: &[(u32, Fit)]) {
        let open = clients.iter();
        if open
            .clone()
            .any(|(client, fit)| self.may_be(*client, upstream, *fit))
        {
            return;
        }
        for (client, fit) in open {
            let children = self.children.get(client);
            let mut children = children.into_iter().flatten();
            if children.any(|child| self.parent(*child).is_some_and(|known| known.1 <= *fit)) {
                self.contested.insert(*client);
            }
        }
    }

    /// Takes back what only the time and a request that many make speak for, between hosts that are no two sides of a proxy
    /// otherwise.
    fn drop_chance(&mut self, unkept: &Unkept) {
        let mut asked: HashMap<IpAddr, Vec<Timestamp>, Fast> = HashMap::default();
        for item in self.items.iter().filter(|it| it.exchange.is_some()) {
            asked.entry(item.client()).or_default().push(item.begin);
        }
        let mut paired: HashMap<(IpAddr, IpAddr), usize, Fast> = HashMap::default();
        let hosts = |upstream: usize, client: u32| {
            let made = self.items.get(upstream)?;
            Some((made.client(), self.item(client)?.server()))
        };
        for (upstream, parent) in self.parents.iter().enumerate() {
            if let Some(hosts) = parent.and_then(|(client, _)| hosts(upstream, client)) {
                *paired.entry(hosts).or_default() += 1;
            }
        }
        // What was asked while the other host served somebody whose requests are not kept may be for those.
        let judged = paired.keys().map(|hosts| {
            let own = asked.get(&hosts.0).map_or(&[][..], |it| it);
            let own = own.iter().filter(|at| !unkept.had(hosts.1, **at));
            (*hosts, own.count())
        });
        let judged: HashMap<(IpAddr, IpAddr), usize, Fast> = judged.collect();
        let chance = |upstream: usize, client: u32, fit: &Fit| {
            let Some(hosts) = hosts(upstream, client) else {
                return true;
            };
            let tied = fit.host || fit.address;
            let times = paired.get(&hosts).copied().unwrap_or(0);
            let most = times * 2 >= judged.get(&hosts).copied().unwrap_or(0);
            let failed = self
                .item(client)
                .is_some_and(|it| it.told.is_none() || it.status() >= 500);
            let known = fit.equal || !fit.passed && failed || times > 1;
            !(fit.id
                || fit.port
                || match fit.likeness {
                    Likeness::Same => tied || most && known,
                    Likeness::Tail => (tied || most) && known,
                    Likeness::Other | Likeness::Unknown => tied && fit.equal,
                })
        };
        let parents = (0u32..).zip(self.parents.iter().enumerate());
        let wrong: Vec<u32> = parents
            .filter(|(_, (upstream, parent))| {
                parent.is_some_and(|(client, fit)| chance(*upstream, client, &fit))
            })
            .map(|it| it.0)
            .collect();
        for upstream in wrong {
            self.unpair(upstream);
        }
    }

    /// The hosts that the pairs show to be proxies, and what is behind them.
    fn learn(&mut self) {
        self.fronts.clear();
        for (upstream, parent) in self.parents.iter().enumerate() {
            let client = parent.and_then(|(client, _)| self.item(client));
            if let Some((client, made)) = client.zip(self.items.get(upstream)) {
                self.fronts.insert((made.client(), client.server()));
                self.servers.insert((made.client(), made.connection.server));
            }
        }
    }

    /// Pairs what has the same id as a leg that is known: attempts, and what a proxy asks for beside a request.
    fn siblings(&mut self) {
        let mut known: HashMap<u64, Option<u32>, Fast> = HashMap::default();
        let ids = |item: &Item<'a>| item.passed_on().into_iter().flat_map(|it| it.ids());
        for (item, parent) in self.items.iter().zip(&self.parents) {
            let Some((client, _)) = parent else {
                continue;
            };
            for id in ids(item) {
                let one = known.entry(id).or_insert(Some(*client));
                *one = one.filter(|it| it == client);
            }
        }
        for (upstream, own) in (0u32..).zip(self.items) {
            if own.exchange.is_none() || self.parent(upstream).is_some() {
                continue;
            }
            let mut clients = ids(own).filter_map(|id| known.get(&id).copied().flatten());
            let client = clients.find(|it| *it != upstream && !self.is_behind(*it, upstream));
            let Some((client, served)) = client.and_then(|it| Some((it, self.item(it)?))) else {
                continue;
            };
            let hosts = (own.client(), served.server());
            let within = served.begin <= own.begin && own.begin <= served.until();
            if within && self.fronts.contains(&hosts) {
                let fit = Fit {
                    id: true,
                    port: false,
                    within,
                    address: false,
                    likeness: Likeness::Other,
                    passed: false,
                    equal: false,
                    host: hosts.0 == hosts.1,
                };
                self.pair(client, upstream, fit);
            }
        }
    }

    /// Pairs requests, and connections, that name their client with its connection, where that is in TLS, or shows no request.
    fn hidden(&mut self) {
        let all = InProgress::of(self.items, |it| it.exchange.is_none());
        let open = (0u32..).zip(self.items).filter(|(index, item)| {
            let said = item.passed_on().is_some_and(|it| it.client().is_some());
            self.parent(*index).is_none() && (said || item.proxied().is_some())
        });
        let pairs = open.filter_map(|(upstream, made)| {
            let clients = all.at(made.begin, self.items)?;
            let mut fits = clients.into_iter().filter_map(|client| {
                let fit = fit(self.item(client)?, made)?;
                (fit.port || fit.address).then_some((client, fit))
            });
            let first = fits.next().filter(|_| fits.next().is_none())?;
            Some((upstream, first))
        });
        let pairs: Vec<_> = pairs.collect();
        for (upstream, (client, fit)) in pairs {
            self.pair(client, upstream, fit);
        }
    }

    /// Pairs what is left with what is hidden in TLS. No requests of their own are made for these.
    fn inside_tls(&self) -> Vec<Leg> {
        let open = |index: usize, side: Side| {
            let index = u32::try_from(index).unwrap_or(u32::MAX);
            match side {
                Side::Client => self.parent(index).is_none(),
                Side::Upstream => self.children.get(&index).is_none_or(Vec::is_empty),
            }
        };
        let is_leg = |served: &Connection, made: &Connection| {
            made.client.ip == served.server.ip && made.client.ip != served.client.ip
        };
        inside_tls::pairs(self.items, open, is_leg)
    }

    /// Pairs what shows neither an id nor a path: attempts that failed before a request, and requests that a proxy
    /// rewrote or translated.
    fn by_time(&mut self) {
        let is_client = |it: &Item<'_>| it.exchange.is_some() && !it.is_fastcgi();
        let all = InProgress::of(self.items, is_client);
        let count = u32::try_from(self.items.len()).unwrap_or(u32::MAX);
        // What was spoken first: it shows hosts to be proxies.
        for spoken in [true, false] {
            let mut open: Vec<u32> = (0..count)
                .filter(|it| self.parent(*it).is_none())
                .filter(|it| self.item(*it).is_some_and(|it| it.exchange.is_some()) == spoken)
                .collect();
            open.sort_by_key(|it| self.item(*it).map(|it| (it.begin, it.id)));
            let mut weak: Vec<(u32, u32)> = Vec::new();
            for upstream in open {
                let Some((client, fit)) = self.only(upstream, &all) else {
                    continue;
                };
                if !fit.host && !fit.address && !self.is_front(client, upstream) {
                    weak.push((client, upstream));
                }
                self.pair_alone(client, upstream, fit);
            }
            self.drop_doubtful(&weak);
            self.learn();
        }
    }

    /// Whether these hosts are known to be the two sides of a proxy.
    fn is_front(&self, client: u32, upstream: u32) -> bool {
        let hosts = self.item(upstream).zip(self.item(client));
        hosts.is_some_and(|(made, served)| self.fronts.contains(&(made.client(), served.server())))
    }

    /// Of what only the time ties to a request, takes back what goes to different servers: no attempt is known to be the
    /// proxy's.
    fn drop_doubtful(&mut self, weak: &[(u32, u32)]) {
        let mut to: HashMap<u32, Option<(IpAddr, Endpoint)>, Fast> = HashMap::default();
        for (client, upstream) in weak {
            if let Some(made) = self.item(*upstream) {
                let way = (made.client(), made.connection.server);
                let one = to.entry(*client).or_insert(Some(way));
                *one = one.filter(|it| *it == way);
            }
        }
        for (client, upstream) in weak {
            if to.get(client).is_some_and(Option::is_none) {
                self.unpair(*upstream);
            }
        }
    }

    fn unpair(&mut self, upstream: u32) {
        let parent = self
            .parents
            .get_mut(upstream as usize)
            .and_then(Option::take);
        let children = parent.and_then(|(client, _)| self.children.get_mut(&client));
        if let Some(children) = children {
            children.retain(|it| *it != upstream);
        }
    }

    /// The only exchange in progress that this one can have been made for.
    fn only(&self, upstream: u32, all: &InProgress) -> Option<(u32, Fit)> {
        let made = self.item(upstream)?;
        let asks = self
            .servers
            .contains(&(made.client(), made.connection.server));
        let wanted = made.exchange.is_some() || asks || made.failed_unanswered();
        let clients = wanted.then(|| all.at(made.begin, self.items))??;
        let fits = clients.into_iter().filter_map(|client| {
            let served = self.item(client).filter(|_| client != upstream)?;
            let fit = fit(served, made).filter(|fit| self.may_be(client, upstream, *fit))?;
            let tied = fit.host || fit.address;
            let known = tied && asks || self.is_front(client, upstream);
            self.is_likely(made, served, &fit, known)
                .then_some((client, fit))
        });
        let mut fits: Vec<(u32, Fit)> = fits.collect();
        if fits.iter().any(|it| it.1.within) {
            fits.retain(|it| it.1.within);
        }
        let ids: Vec<u32> = fits.iter().map(|it| it.0).collect();
        fits.retain(|(client, _)| !ids.iter().any(|other| self.is_behind(*other, *client)));
        match fits[..] {
            [only] => Some(only),
            _ => None,
        }
    }

    /// Whether time and hosts suffice. `known`: requests show that these hosts are the two sides of a proxy.
    fn is_likely(&self, made: &Item<'_>, served: &Item<'_>, fit: &Fit, known: bool) -> bool {
        if made.is_fastcgi() {
            return fit.likeness == Likeness::Unknown || known;
        }
        if made.exchange.is_some() {
            let same = known || fit.host || fit.address;
            return same && fit.equal && made.agent().is_some() && fit.likeness == Likeness::Other;
        }
        if known {
            return true;
        }
        let failed = failed_at(served).is_some_and(|at| at.after(SLACK) >= made.end);
        let at_once = failed_at(served).is_some_and(|at| at.since(made.end) <= AT_ONCE);
        failed && (at_once || fit.host)
    }

    fn legs(&self) -> Vec<Leg> {
        let parents = self.parents.iter().enumerate();
        let legs = parents.filter_map(|(upstream, parent)| {
            let (client, fit) = (*parent)?;
            let basis = match fit {
                _ if fit.id => LegBasis::Id,
                _ if fit.port => LegBasis::Client,
                _ if fit.likeness >= Likeness::Tail => LegBasis::Request,
                _ => LegBasis::Time,
            };
            let tied = fit.host || fit.address;
            let sure = fit.id || fit.port || fit.likeness == Likeness::Same && fit.equal && tied;
            Some(Leg {
                client: self.item(client)?.id,
                upstream: self.items.get(upstream)?.id,
                certainty: match sure {
                    true => Certainty::Certain,
                    false => Certainty::Likely,
                },
                basis,
            })
        });
        legs.collect()
    }
}

/// When the server of an exchange showed that something behind it had failed: by a 502, 503 or 504, or by ending the
/// response before it was whole.
fn failed_at(served: &Item<'_>) -> Option<Timestamp> {
    let exchange = served.exchange?;
    if matches!(served.status(), 502..=504) {
        return served.told;
    }
    match exchange.cut_by() {
        Some(reset) => (reset.by == Party::Responder).then_some(reset.at.time),
        None if exchange.is_complete() => None,
        None => (served.connection.teardown.by == By::Server).then_some(served.end),
    }
}
