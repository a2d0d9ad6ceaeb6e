//! The request: faults while it is sent.

use super::rule::rules;

rules! {
    "request", "The request", "what happens to it while it is sent, and who retries it":
    auth_broken_by_close,
    client_left_mid_upload,
    closed_before_request,
    early_response_reset,
    expect_continue_stall,
    malformed_request,
    request_retried,
}
