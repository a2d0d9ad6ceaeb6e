//! The response: cut short, malformed, or no longer wanted.

use super::rule::rules;

rules! {
    "response", "The response", "cut short, malformed, or not wanted any more":
    ambiguous_message_length,
    body_overrun,
    client_left_mid_response,
    malformed_response,
    request_refused,
    reset_mid_response,
    response_after_client_left,
    response_cut_short,
    response_end_unknown,
    undecodable_body,
    unsolicited_response,
}
