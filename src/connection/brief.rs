//! One line about one connection: what is kept of all of them, where the whole record is not wanted.

use super::record::{Connection, Opening, Roles, Who};
use super::teardown::{By, How};
use super::{Phase, Standing};
use crate::decode::{Context, Endpoint};
use crate::http::Protocol;
use crate::mark::Mark;
use crate::time::Timestamp;

/// One line about one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Brief {
    /// Its number: connections in order of first frame, from 1. 0 until it is given.
    pub id: u32,
    /// Its first segment.
    pub first: Mark,
    /// When its last segment came.
    pub last: Timestamp,
    /// Since when the client held a TIME-WAIT, if it did.
    pub client_time_wait: Option<Mark>,
    /// Who opened it.
    pub client: Endpoint,
    /// Who was called.
    pub server: Endpoint,
    /// The tunnel it runs in.
    pub context: Context,
    /// Exchanges on it.
    pub exchanges: u32,
    /// A response said `Connection: close`.
    pub server_says_close: bool,
    /// Time to live or hop limit of the client's first segment.
    pub client_ttl: u8,
    /// The client's state after its last segment.
    pub client_state: Standing,
    /// What the roles rest on.
    pub roles: Roles,
    /// How it began.
    pub opening: Opening,
    /// Who ended it.
    pub by: By,
    /// By which means.
    pub how: How,
    /// When.
    pub phase: Phase,
    /// Both sides' bytes all arrived, and nothing was owed.
    pub orderly: bool,
    /// What was spoken.
    pub protocol: Protocol,
}

impl From<&Connection> for Brief {
    fn from(connection: &Connection) -> Self {
        let client = Who::Client as usize;
        Self {
            id: connection.id,
            first: connection.first,
            last: connection.last.time,
            client_time_wait: connection.time_wait[client],
            client: connection.client,
            server: connection.server,
            context: connection.context,
            exchanges: u32::try_from(connection.exchanges.len()).unwrap_or(u32::MAX),
            server_says_close: connection
                .exchanges
                .iter()
                .filter_map(|exchange| exchange.response.as_ref())
                .any(|response| response.message.connection.close > 0),
            client_ttl: connection.sent[client].ttl,
            client_state: connection.states[client],
            roles: connection.roles,
            opening: connection.opening,
            by: connection.teardown.by,
            how: connection.teardown.how,
            phase: connection.teardown.phase,
            orderly: connection.teardown.orderly,
            protocol: connection.protocol,
        }
    }
}
