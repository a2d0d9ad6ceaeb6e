//! Whether one exchange may have been made for another, and what speaks for it.

use std::time::Duration;

use super::item::{Item, tail};
use crate::protocol::http::{Exchange, Message, MessageProgress};

/// Clocks of two interfaces, and the order in which they are read.
pub(crate) const SLACK: Duration = Duration::from_millis(2);
/// Clocks of two hosts, where an id shows that two exchanges belong together, and addresses or fields which is whose.
const CLOCKS: Duration = Duration::from_secs(5);

/// How much alike two requests are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Likeness {
    /// Nothing compares them.
    Unknown,
    /// Another path.
    Other,
    /// The path has the same end, and the query is the same.
    Tail,
    /// Path and query are the same.
    Same,
}

/// What speaks for a pair. The order is that of the weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Fit {
    /// Both carry the same id.
    pub(super) id: bool,
    /// The upstream request names the client's address and port.
    pub(super) port: bool,
    /// It is within the other to the nanosecond.
    pub(super) within: bool,
    /// The upstream request names the client's address.
    pub(super) address: bool,
    pub(super) likeness: Likeness,
    /// The response was passed on: the same status, first here and then there.
    pub(super) passed: bool,
    /// Request and response are equally long on both sides.
    pub(super) equal: bool,
    /// The upstream connection comes from the host that served the other.
    pub(super) host: bool,
}

/// What speaks for `upstream` having been made for `client`; `None` if it was not.
pub(super) fn fit(client: &Item<'_>, upstream: &Item<'_>) -> Option<Fit> {
    let (served, made) = (client.connection, upstream.connection);
    let host = made.client.ip == served.server.ip;
    let own = made.client.ip == served.client.ip && !host;
    if served.id == made.id
        || served.server == made.server
        || own
        || is_begun(client)
        || is_translated(client, upstream)
    {
        return None;
    }
    let (ids, port, address) = named(client, upstream)?;
    let within = client.begin <= upstream.begin && upstream.begin <= client.until();
    // Which is whose is known by the hosts, or by the order alone: on one host, and where the proxy's client serves as well,
    // either may be the other's.
    let mutual = host && made.server.ip == served.client.ip;
    let one_host = made.server.ip == made.client.ip;
    let slack = match host || address {
        true if mutual && (one_host || !address) => Duration::ZERO,
        true if ids => CLOCKS,
        true => SLACK,
        false => Duration::ZERO,
    };
    let near = client.begin <= upstream.begin.after(slack)
        && upstream.begin <= client.until().after(slack);
    if !near {
        return None;
    }
    let likeness = compare(client, upstream)?;
    let passed = reply(client, upstream, slack)?;
    Some(Fit {
        id: ids,
        port,
        within,
        address,
        likeness,
        passed,
        equal: passed && equally_long(client, upstream),
        host,
    })
}

/// Whether the head of its request had not come to its end, so that a proxy could pass nothing on.
fn is_begun(client: &Item<'_>) -> bool {
    let request = client.exchange.and_then(|it| it.request.as_ref());
    request.is_some_and(|it| it.message.progress == MessageProgress::Head)
}

/// The same connection behind an address translation: it was opened before the first one stood.
fn is_translated(client: &Item<'_>, upstream: &Item<'_>) -> bool {
    let (one, other) = (client.connection, upstream.connection);
    let stood = one.connect_time.map(|time| one.first.time.after(time));
    let opened = other.first.time;
    stood.is_some_and(|stood| opened >= one.first.time && opened < stood)
}

/// Whether both carry the same id, and whether the upstream request names the client, with its port and at all. `None` if
/// it names another.
fn named(client: &Item<'_>, upstream: &Item<'_>) -> Option<(bool, bool, bool)> {
    let said = upstream.passed_on();
    let of_client = client.passed_on();
    let same = |id| of_client.is_some_and(|it| it.ids().any(|other| other == id));
    let ids = said.is_some_and(|it| it.ids().any(same));
    if let Some(named) = upstream.proxied() {
        // A proxy in a row passes on whom the one before has named.
        let is_his = named == client.connection.client || client.proxied() == Some(named);
        return (is_his || ids).then_some((ids, is_his, is_his));
    }
    let Some(said) = said else {
        return Some((false, false, false));
    };
    let Some((ip, port)) = said.client() else {
        return Some((ids, false, false));
    };
    let peer = client.connection.client;
    let unchanged = of_client.is_some_and(|it| it.client().is_some() && it.same_clients(said));
    match ip == peer.ip {
        true if port == 0 => Some((ids, false, true)),
        true if port == peer.port => Some((ids, true, true)),
        _ if unchanged || ids => Some((ids, false, false)),
        _ => None,
    }
}

/// How much alike the requests are; `None` if one cannot have become the other.
fn compare(client: &Item<'_>, upstream: &Item<'_>) -> Option<Likeness> {
    if upstream.exchange.is_none() || client.exchange.is_none() {
        return Some(Likeness::Unknown);
    }
    let (asked, made) = (client.method(), upstream.method());
    // A cache fetches the whole for a HEAD.
    let same = asked == made || asked == b"HEAD" && made == b"GET";
    let known = !asked.is_empty() && !made.is_empty();
    if known && !same || client.is_tunnel() != upstream.is_tunnel() {
        return None;
    }
    let foreign = upstream.is_fastcgi();
    if !foreign && client.agent() != upstream.agent() || client.is_fastcgi() {
        return None;
    }
    if !foreign && bodies(client, upstream).is_some_and(|(one, other)| one != other) {
        return None;
    }
    let (Some((path, query)), Some((other, other_query))) = (client.target(), upstream.target())
    else {
        return Some(Likeness::Unknown);
    };
    if path == other && (query == other_query || foreign) {
        return Some(Likeness::Same);
    }
    let ends = !tail(path).is_empty() && tail(path) == tail(other);
    match ends && (query == other_query || foreign) {
        true => Some(Likeness::Tail),
        false => Some(Likeness::Other),
    }
}

/// The lengths of both requests' bodies, if both are complete.
fn bodies(client: &Item<'_>, upstream: &Item<'_>) -> Option<(u64, u64)> {
    let length = |item: &Item<'_>| {
        let message = &item.exchange?.request.as_ref()?.message;
        whole(item.exchange?, message, true)
    };
    Some((length(client)?, length(upstream)?))
}

/// The length of a body that was sent and captured whole.
fn whole(exchange: &Exchange, message: &Message, request: bool) -> Option<u64> {
    let rare = exchange.rare.as_deref();
    let head = rare.map(|it| if request { &it.request } else { &it.response });
    let missing = head.is_some_and(|it| it.missing > 0 || it.head_cut);
    (message.progress == MessageProgress::Complete && !missing).then(|| message.received())
}

/// A response that a proxy makes itself.
const fn is_own(status: u16) -> bool {
    matches!(status, 400 | 408 | 413 | 429 | 499 | 500..=599)
}

/// Whether the response was passed on; `None` if the two contradict each other.
fn reply(client: &Item<'_>, upstream: &Item<'_>, slack: Duration) -> Option<bool> {
    let (status, told) = (client.status(), client.told);
    let Some(made) = upstream.told else {
        // A leg without a response ended before another one was taken, or the proxy said so itself.
        let before = told.is_none_or(|told| upstream.end <= told.after(slack));
        return (told.is_none() || is_own(status) || before).then_some(false);
    };
    let Some(told) = told else {
        return Some(false);
    };
    let early = made <= told.after(slack);
    let other = upstream.status();
    let translated = upstream.is_fastcgi();
    if early && (status == other || translated) {
        return Some(true);
    }
    if is_own(status) {
        return Some(false);
    }
    // A proxy may put an answer of its own in the place of an error, and revalidates what it has stored.
    let replaced = other >= 300 || matches!(status, 206 | 304 | 416) && matches!(other, 200 | 206);
    (early && replaced).then_some(false)
}

/// Whether request and response have the same lengths on both sides; of a response that was cut on both, no more was passed on
/// than had come.
fn equally_long(client: &Item<'_>, upstream: &Item<'_>) -> bool {
    let answer = |item: &Item<'_>| {
        let exchange = item.exchange?;
        let message = &exchange.response.as_ref()?.message;
        Some((whole(exchange, message, false), message.received()))
    };
    let requests = bodies(client, upstream).is_some_and(|(one, other)| one == other);
    requests
        && match (answer(client), answer(upstream)) {
            (Some((Some(one), _)), Some((Some(other), _))) => one == other,
            (Some((None, one)), Some((None, other))) => one <= other,
            _ => false,
        }
}
