//! Connecting: from the lookup of a name to the first byte on a connection.

use super::rule::rules;

rules! {
    "connecting", "Connecting", "from the lookup of a name to the first byte on a connection":
    accept_queue_overflow,
    arp_unanswered,
    client_reset_handshake,
    connect_delayed,
    connect_unanswered,
    connection_refused,
    connection_unreachable,
    happy_eyeballs_loser,
    health_probe,
    name_resolution_failed,
    preconnect_unused,
    proxy_refused,
    reset_after_handshake,
    reset_then_refused,
    syn_challenged,
}
