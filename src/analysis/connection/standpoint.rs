//! Where a capture was taken, as round trips show: near the clients, near the servers, or between them.
//!
//! The time from what one side sent to the other side's reply passes the place of capture twice: it is the way from there
//! to the side that replies, and back. The handshake is in it, to which an operating system replies at once.

use std::time::Duration;

use super::{Connection, Opening, Who};
use crate::protocol::tcp::hops;

/// A round trip up to which a side is near: its own host, or one beside it.
const NEAR: Duration = Duration::from_millis(1);
/// A round trip from which on a side is not near.
const FAR: Duration = Duration::from_millis(3);
/// How much longer the way to the far side is, at least.
const TIMES: u32 = 10;

/// Where one connection was captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standpoint {
    /// At one side: on its host, or beside it.
    Near(Who),
    /// Between both.
    Between,
}

impl Standpoint {
    /// By the round trips from the place of capture to the client and to the server.
    fn of([client, server]: [Duration; 2]) -> Option<Self> {
        let near = |own: Duration, other: Duration| {
            own <= NEAR && other >= FAR && other >= own.saturating_mul(TIMES)
        };
        match (near(client, server), near(server, client)) {
            (true, _) => Some(Self::Near(Who::Client)),
            (_, true) => Some(Self::Near(Who::Server)),
            _ => (client >= FAR && server >= FAR).then_some(Self::Between),
        }
    }
}

/// The side beside which a connection was captured, as hop limits show: its packets had passed no router, and those of the other
/// side had. What the other side sent had passed every router on the way when it was captured.
#[must_use]
pub(crate) fn beside(connection: &Connection) -> Option<Who> {
    let sent = connection.sent;
    if sent
        .iter()
        .any(|it| it.packets == 0 || it.ttls.0 != it.ttls.1)
    {
        return None;
    }
    let [client, server] = sent.map(|it| hops(it.ttl));
    match (client, server) {
        (0, 1..) => Some(Who::Client),
        (1.., 0) => Some(Who::Server),
        _ => None,
    }
}

/// Where these connections were captured, and the least round trips from there to the client and to the server. Nothing if
/// they do not show it, or do not agree.
#[must_use]
pub fn standpoint<'a>(
    connections: impl IntoIterator<Item = &'a Connection>,
) -> Option<(Standpoint, [Duration; 2])> {
    let mut found: Option<Standpoint> = None;
    let mut least: [Option<Duration>; 2] = [None; 2];
    for connection in connections {
        let [Some(client), Some(server)] = connection.round_trip else {
            continue;
        };
        let is_open = connection.opening == Opening::Handshake && connection.client_syn;
        let both = [client, server];
        let Some(here) = Standpoint::of(both).filter(|_| is_open) else {
            continue;
        };
        if found.is_some_and(|it| it != here) {
            return None;
        }
        found = Some(here);
        for (least, own) in least.iter_mut().zip(both) {
            *least = Some(least.map_or(own, |it| it.min(own)));
        }
    }
    Some((found?, [least[0]?, least[1]?]))
}
