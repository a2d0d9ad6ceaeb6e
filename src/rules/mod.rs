//! Floor 11: what it means. One file per rule: its page, its detection, its example and what it is not.
//!
//! In: settled connections, and the sockets that each client spends on each server. Out: [`Finding`]s, worst first.
//! A rule parses nothing and remembers nothing; a fact that it lacks belongs into the record. [`CATALOGUE`] lists them,
//! [`explain`] gives the page, which is the rule's doc comment. The ladders in a page are run by its test.

mod accept_queue_overflow;
mod ambiguous_message_length;
mod answer_from_elsewhere;
mod auth_broken_by_close;
mod body_overrun;
mod capture_cut_short;
mod capture_duplicated;
mod capture_lost_packets;
mod capture_one_sided;
mod catalogue;
mod client_gave_up_waiting;
mod client_left_mid_response;
mod client_left_mid_upload;
mod client_reset_after_response;
mod client_reset_handshake;
mod close_not_announced;
mod close_promise_not_kept;
mod close_wait_leak;
mod closed_before_request;
mod closed_before_response;
mod connect_unanswered;
mod connection_limit_queueing;
mod connection_per_request;
mod connection_refused;
mod connection_unreachable;
mod contradictory_connection_options;
mod duplicate_connection_close;
mod early_response_reset;
mod early_tuple_reuse;
mod ending;
mod ephemeral_port_pressure;
mod ephemeral_ports_exhausted;
mod evaluate;
mod expect_continue_stall;
mod fin_unanswered;
mod gateway_timeout;
#[cfg(test)]
mod guards;
mod h2_close_without_goaway;
mod h2_goaway;
mod h2_preface_mismatch;
mod h2_reset_burst;
mod h2_reset_stream;
mod half_close;
mod half_close_taken_as_abort;
mod happy_eyeballs_loser;
mod health_probe;
mod idle_state_lost;
mod idle_timeout_close;
mod keep_alive_promise_broken;
mod keep_alive_race;
mod keep_alive_race_risk;
mod keep_alive_refused;
mod keepalive_probes_unanswered;
mod malformed_request;
mod malformed_response;
mod max_requests_close;
mod measure;
mod name_resolution_failed;
mod nat_invalid_reset;
mod nat_ports_exhausted;
mod page;
mod path_mtu_blackhole;
mod periodic_abandoned_request;
mod preconnect_unused;
pub mod proof;
mod proxy_refused;
mod request_retried;
mod reset_after_handshake;
mod reset_after_response;
mod reset_before_response;
mod reset_injected;
mod reset_mid_response;
mod reset_on_name;
mod response_after_client_left;
mod response_cut_short;
mod response_end_unknown;
mod retransmissions_exhausted;
mod reuse_of_closed_connection;
mod reuse_of_forgotten_connection;
mod rule;
mod secure;
mod server_time_limit;
mod sight;
mod simultaneous_close;
mod syn_challenged;
mod tailored;
mod tcp_flags_anomaly;
mod telling;
mod time_wait_on_client;
mod time_wait_on_server;
mod time_wait_reuse_refused;
mod time_wait_reused;
mod timers;
mod tls_alert;
mod tls_certificate_expired;
mod tls_certificate_rejected;
mod tls_client_certificate_missing;
mod tls_handshake_cut;
mod tls_name_mismatch;
mod tls_no_close_notify;
mod tls_no_common_version;
mod tls_plaintext_mismatch;
mod tls_reset_after_close_notify;
mod unsolicited_response;
mod websocket_abnormal_close;
mod websocket_closed_with_error;

use std::net::IpAddr;

use crate::base::certainty::Certainty;
use crate::base::frame_ref::Mark;
use crate::packet::decode::Endpoint;

pub(crate) use body_overrun::uncaptured_excess;
pub use catalogue::{CATALOGUE, alike, catalogue, explain, rule, to_markdown};
pub use evaluate::{Facts, concerns, evaluate};
pub use page::{Section, ladders};
pub use rule::{Check, Found, Rule, Story, Verdict};
pub use sight::Sight;

/// How bad it is, worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Recognised as harmless; shown and counted, never raised.
    Benign,
    /// Worth knowing.
    Note,
    /// Something will be lost, or is wrong.
    Warning,
    /// A request, connection or byte was lost.
    Error,
}

impl Severity {
    /// The word in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Benign => "benign",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// One piece of evidence: a frame and what it shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// The frame.
    pub mark: Mark,
    /// What it shows.
    pub note: String,
}

/// Something found, on one connection or on many with the same story.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Its number, from 1, worst first.
    pub id: u32,
    /// The rule's name.
    pub rule: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// How far the capture proves it.
    pub certainty: Certainty,
    /// The connections, by number, in order.
    pub connections: Vec<u32>,
    /// The client, if it is one.
    pub client: Option<IpAddr>,
    /// The server, if it is one.
    pub server: Option<Endpoint>,
    /// The finding that it follows from, if one does: told together, they are one story.
    pub caused_by: Option<u32>,
    /// What follows a count: "responses say `Connection: close` twice".
    pub summary: String,
    /// What happened here, in a sentence or two.
    pub message: String,
    /// The frames that show it, the first case.
    pub evidence: Vec<Evidence>,
    /// What to change.
    pub remedies: Vec<String>,
}
