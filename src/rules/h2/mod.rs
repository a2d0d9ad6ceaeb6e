//! HTTP/2 and WebSocket: streams, GOAWAY, close codes.

use super::rule::rules;

rules! {
    "h2", "HTTP/2 and WebSocket", "streams, GOAWAY, close codes":
    h2_close_without_goaway,
    h2_goaway,
    h2_preface_mismatch,
    h2_reset_burst,
    h2_reset_stream,
    websocket_abnormal_close,
    websocket_accept_mismatch,
    websocket_closed_with_error,
}
