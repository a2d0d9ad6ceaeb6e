//! QUIC connections, which are counted and not analysed (RFC 9000).
//!
//! In: datagrams that begin with a long header, on the reading thread. A connection uses it until its handshake is over,
//! so its later packets, and a change of addresses after the handshake, add nothing to the count. Connections that
//! follow each other between the same addresses and ports count as one.

use hashbrown::HashSet;

use crate::base::net::{Context, Endpoint};
use crate::packet::decode::Datagram;

/// Connections counted: some megabytes.
pub(crate) const MAX_QUIC: usize = 65_536;

/// The QUIC connections of a capture, up to a bound.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QuicConnections {
    /// The addresses and ports of each, in sorted order, as both directions share them.
    seen: HashSet<(Endpoint, Endpoint, Context)>,
    let_go: u64,
}

impl QuicConnections {
    /// Takes one datagram that begins with a long header.
    pub(super) fn datagram(&mut self, datagram: &Datagram<'_>) {
        let (one, other) = (datagram.source, datagram.destination);
        let connection = (one.min(other), one.max(other), datagram.context);
        if self.seen.len() < MAX_QUIC {
            self.seen.insert(connection);
        } else if !self.seen.contains(&connection) {
            self.let_go += 1;
        }
    }

    /// Number of connections.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.seen.len() as u64
    }

    /// Datagrams whose connection was beyond the bound and not counted.
    #[must_use]
    pub const fn let_go(&self) -> u64 {
        self.let_go
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::frame_ref::{FrameNumber, FrameRef};
    use crate::base::time::Timestamp;

    /// A datagram between port 443 and the client that `number` stands for.
    fn take(quic: &mut QuicConnections, number: u32, from_server: bool) {
        let client = Endpoint {
            ip: std::net::Ipv4Addr::from(number >> 8).into(),
            port: 50_000 + (number & 0xff) as u16,
        };
        let server = Endpoint {
            ip: std::net::Ipv4Addr::from(0x0a00_0001).into(),
            port: 443,
        };
        let (source, destination) = match from_server {
            true => (server, client),
            false => (client, server),
        };
        quic.datagram(&Datagram {
            frame_ref: FrameRef {
                frame: FrameNumber(1),
                time: Timestamp::new(1, 0),
            },
            context: Context(0),
            source,
            destination,
            payload: &[],
        });
    }

    #[test]
    fn both_directions_are_one_connection() {
        let mut quic = QuicConnections::default();
        for (number, from_server) in [(1, false), (1, true), (2, false), (1, false)] {
            take(&mut quic, number, from_server);
        }
        assert_eq!((quic.count(), quic.let_go()), (2, 0));
    }

    #[test]
    fn beyond_the_bound_datagrams_are_counted() {
        let mut quic = QuicConnections::default();
        let most = MAX_QUIC as u32;
        for number in 0..most + 3 {
            take(&mut quic, number, false);
        }
        take(&mut quic, 0, true);
        take(&mut quic, most, true);
        assert_eq!((quic.count(), quic.let_go()), (MAX_QUIC as u64, 4));
    }
}
