//! What the rules give: a finding, how bad it is, and the frames that show it.

use crate::base::certainty::Certainty;
use crate::base::frame_ref::FrameRef;
use crate::base::net::Endpoint;
use std::net::IpAddr;

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
    pub frame_ref: FrameRef,
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
