//! Where a capture was taken, in words.

use crate::analysis::connection::{Connection, Standpoint, Who, standpoint};
use crate::base::format::duration;

/// `taken near the client: round trip to the server 20.4 ms`. Nothing if the connections do not show it, or
/// do not agree.
pub(super) fn told<'a>(connections: impl IntoIterator<Item = &'a Connection>) -> Option<String> {
    let (place, round_trips) = standpoint(connections)?;
    let [client, server] = round_trips.map(duration);
    Some(match place {
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
