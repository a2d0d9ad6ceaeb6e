//! TCP: FINs, RSTs and retransmissions, independent of the application protocol.

use super::rule::rules;

rules! {
    "tcp", "TCP", "FINs, RSTs and retransmissions, in any protocol":
    answer_from_elsewhere,
    checksum_wrong,
    client_reset_after_response,
    close_wait_leak,
    data_injected,
    data_lost_in_reset,
    fin_unanswered,
    half_close,
    keepalive_probes_unanswered,
    nat_invalid_reset,
    path_mtu_blackhole,
    reset_after_close,
    reset_after_response,
    reset_injected,
    retransmissions_exhausted,
    simultaneous_close,
    tcp_flags_anomaly,
}
