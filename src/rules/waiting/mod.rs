//! Waiting: a complete request, and no response yet.

use super::rule::rules;

rules! {
    "waiting", "Waiting", "a complete request, and no response yet":
    client_gave_up_waiting,
    closed_before_response,
    connection_limit_queueing,
    gateway_error,
    gateway_timeout,
    half_close_taken_as_abort,
    periodic_abandoned_request,
    protocol_mismatch,
    reset_before_response,
    server_error_status,
    server_time_limit,
    session_cut,
    session_ended_with_error,
    session_not_opened,
}
