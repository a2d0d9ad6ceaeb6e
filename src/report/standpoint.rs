//! Where a capture was taken, as round trips show: near the clients, near the servers, or between them.
//!
//! The time from what one side sent to the other side's reply passes the place of capture twice: it is the way from there
//! to the side that replies, and back. The handshake is in it, to which an operating system replies at once.

use std::time::Duration;

use crate::analysis::connection::{Connection, Opening, Who};
use crate::base::format::duration;

/// A round trip up to which a side is near: its own host, or one beside it.
const NEAR: Duration = Duration::from_millis(1);
/// A round trip from which on a side is not near.
const FAR: Duration = Duration::from_millis(3);
/// How much longer the way to the far side is, at least.
const TIMES: u32 = 10;

/// Where one connection was captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standpoint {
    Near(Who),
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

/// `taken near the client: round trip to the server 20.4 ms`. Nothing if the connections do not show it, or
/// do not agree.
pub(super) fn told<'a>(connections: impl IntoIterator<Item = &'a Connection>) -> Option<String> {
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
    let [client, server] = [least[0]?, least[1]?].map(duration);
    Some(match found? {
        Standpoint::Near(Who::Client) => {
            format!("taken near the client: round trip to the server {server}")
        }
        Standpoint::Near(Who::Server) => {
            format!("taken near the server: round trip to the client {client}")
        }
        Standpoint::Between => {
            format!("taken between both: round trip to the client {client}, server {server}")
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::ladder_check;

    #[test]
    fn round_trips_show_the_place() {
        let told_of = |server: u32, client: u32| {
            let text = format!(
                "SYN -->\n+{server}us <-- SYN\n+{client}us ACK -->\nGET / -->\n+{server}us <-- ACK\n"
            );
            let proof = ladder_check::run(&text.parse().expect("a ladder"));
            told(&proof.connections)
        };
        for (server, client, wanted) in [
            (
                20_400,
                50,
                Some("taken near the client: round trip to the server 20.4 ms"),
            ),
            (
                50,
                20_400,
                Some("taken near the server: round trip to the client 20.4 ms"),
            ),
            (
                8_000,
                5_000,
                Some("taken between both: round trip to the client 5.0 ms, server 8.0 ms"),
            ),
            (50, 60, None),
            (900, 2_000, None),
        ] {
            assert_eq!(
                told_of(server, client).as_deref(),
                wanted,
                "{server} {client}"
            );
        }
    }
}
