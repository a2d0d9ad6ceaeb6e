//! What a connection carries, in the words of the tables of defaults.

use super::{Connection, ConnectionSummary};
use crate::knowledge::service;
use crate::protocol::http::Protocol;
use crate::protocol::tls::TlsFacts;

/// The application protocols that the bytes of a connection may be, and TLS if they are inside it. Empty words: none that is
/// known.
pub(crate) type Carried = [&'static str; 2];

impl Connection {
    /// What it carries, as far as its bytes show; where they do not, as its server's port suggests.
    #[must_use]
    pub(crate) fn carried(&self) -> Carried {
        let read = self.dialogue.as_deref().and_then(|it| it.protocol);
        if let (Some(protocol), true) = (read, self.exchanges.is_empty()) {
            return [protocol.id(), ""];
        }
        let offers = self.tls.as_deref().is_some_and(offers_http);
        carried(
            self.protocol,
            !self.exchanges.is_empty() || offers,
            self.server.port,
        )
    }
}

impl ConnectionSummary {
    /// The same.
    #[must_use]
    pub(crate) fn carried(&self) -> Carried {
        carried(self.protocol, self.exchanges > 0, self.server.port)
    }
}

/// Whether the client offered HTTP in its hello (ALPN).
fn offers_http(tls: &TlsFacts) -> bool {
    let hello = tls.hello.as_ref().map(|(_, hello)| hello);
    hello.is_some_and(|hello| {
        let mut offered = hello.alpn.iter();
        offered.any(|name| name == b"h2" || name == b"http/1.1")
    })
}

fn carried(protocol: Protocol, http: bool, port: u16) -> Carried {
    match (protocol, service(port)) {
        (Protocol::WebSocket, _) => ["websocket", ""],
        (Protocol::Tunnel, _) => ["", ""],
        _ if http => ["http", "tls"],
        (Protocol::Http1 | Protocol::Http2, _) => ["http", ""],
        // What is inside is HTTP more often than all else, unless the port says another.
        (Protocol::Tls, other) => [other.unwrap_or("http"), "tls"],
        (Protocol::Unknown, Some(service)) => [service, ""],
        // These bytes are not HTTP's.
        (Protocol::Opaque, Some(service)) if service != "http" => [service, ""],
        (Protocol::Opaque | Protocol::Unknown, _) => ["", ""],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::dialogue::AppProtocol;
    use crate::rules::ladder_check;

    #[test]
    fn what_is_read_needs_no_port() {
        let text = "client :40000 server 10.0.0.2:5432\n0.000 SYN -->\n<-- SYN\nACK -->\n<-- \"220 mail.example ESMTP\\r\\n\"\n\"EHLO me\\r\\n\" -->\n<-- \"250 mail.example\\r\\n\"\n\"QUIT\\r\\n\" -->\n<-- \"221 bye\\r\\n\"\n<-- FIN\nFIN -->\n<-- ACK";
        let proof = ladder_check::run(&text.parse().expect("a ladder"));
        assert_eq!(proof.connections[0].carried(), ["smtp", ""]);
    }

    /// A protocol has one name in the code and in the tables.
    #[test]
    fn what_is_read_has_a_word_in_the_tables() {
        for protocol in AppProtocol::ALL {
            assert!(crate::knowledge::is_service(protocol.id()), "{protocol:?}");
        }
    }

    #[test]
    fn bytes_say_more_than_ports() {
        for (protocol, http, port, what) in [
            (Protocol::Http1, true, 5432, "http"),
            (Protocol::Http2, false, 9092, "http"),
            (Protocol::WebSocket, true, 80, "websocket"),
            (Protocol::Tunnel, true, 3128, ""),
            (Protocol::Tls, true, 5432, "http"),
            (Protocol::Tls, false, 5432, "postgresql"),
            (Protocol::Tls, false, 9443, "http"),
            (Protocol::Opaque, false, 5432, "postgresql"),
            (Protocol::Opaque, false, 80, ""),
            (Protocol::Opaque, false, 9000, ""),
            (Protocol::Unknown, false, 80, "http"),
            (Protocol::Unknown, false, 9000, ""),
        ] {
            assert_eq!(
                carried(protocol, http, port)[0],
                what,
                "{protocol:?} {port}"
            );
        }
    }
}
