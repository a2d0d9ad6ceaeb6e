//! All that rules may look at.

use super::CaptureQuality;
use crate::analysis::connection::{Connection, ConnectionSummary};
use crate::analysis::hosts::Sockets;
use crate::base::time::Timestamp;
use crate::protocol::dns::Lookups;
use std::sync::Arc;

/// All that there is to look at.
#[derive(Clone, Copy, Debug)]
pub struct RuleInput<'a> {
    /// The connections that are wanted whole, those of which [`concerns`] is true at the least, in order of their
    /// numbers.
    pub connections: &'a [Arc<Connection>],
    /// A line of each connection.
    pub summaries: &'a [ConnectionSummary],
    /// Sockets by client and server.
    pub sockets: &'a [Sockets],
    /// Names that were looked up.
    pub lookups: &'a Lookups,
    /// What the capture could see.
    pub sight: CaptureQuality,
    /// When it ends.
    pub end: Timestamp,
}
