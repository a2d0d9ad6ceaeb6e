//! Ports: TIME-WAIT, ephemeral ports and their reuse.

use super::rule::rules;

rules! {
    "ports", "Ports", "TIME-WAIT, ephemeral ports and their reuse":
    early_tuple_reuse,
    ephemeral_port_pressure,
    ephemeral_ports_exhausted,
    nat_ports_exhausted,
    time_wait_on_client,
    time_wait_on_server,
    time_wait_reuse_refused,
    time_wait_reused,
}
