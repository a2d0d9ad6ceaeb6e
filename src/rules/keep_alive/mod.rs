//! Keep-alive: reuse of connections, idle timers, and announcements of a close.

use super::rule::rules;

rules! {
    "keep_alive", "Keep-alive", "reuse of connections, idle timeouts, and announced closes":
    close_not_announced,
    close_promise_not_kept,
    connection_per_request,
    contradictory_connection_options,
    duplicate_connection_close,
    idle_state_lost,
    idle_timeout_close,
    keep_alive_promise_broken,
    keep_alive_race,
    keep_alive_race_risk,
    keep_alive_refused,
    max_requests_close,
    reuse_of_closed_connection,
    reuse_of_forgotten_connection,
}
