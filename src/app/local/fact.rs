//! What the helper says, a line of JSON for each fact.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::base::net::Endpoint;
use crate::report::snapshot::Process;

/// A program, as [`Process`] has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Program {
    pub(super) name: String,
    pub(super) pid: Option<u32>,
}

impl From<&Program> for Process {
    fn from(it: &Program) -> Self {
        Self {
            name: it.name.as_str().into(),
            pid: it.pid,
        }
    }
}

/// A RST that was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SentReset {
    /// The reason, as the kernel names it.
    pub(super) reason: String,
    /// What the socket was doing, as [`SocketThen::name`](crate::knowledge::SocketThen::name) has it.
    pub(super) socket: String,
    /// The program whose system call sent it.
    pub(super) by: Option<Program>,
}

/// What happened to a socket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum What {
    /// A program opened or closed it.
    Acted(Program),
    /// These programs hold it, since at least now.
    Held(Vec<Program>),
    /// They held it at this time for the last time.
    Gone,
    /// A RST was sent for it. If the remote end is unspecified, it was sent by a listening socket.
    Reset(SentReset),
}

/// A fact, with its time in nanoseconds of Unix time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Fact {
    pub(super) at: i64,
    pub(super) local: SocketAddr,
    pub(super) remote: SocketAddr,
    pub(super) what: What,
}

/// A line of the helper.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Line {
    /// A fact.
    Fact(Fact),
    /// Events that were dropped, because they came faster than they were read.
    Lost(u64),
    /// All that happened before this time is said, in nanoseconds of Unix time.
    UpTo(i64),
}

/// An address as the packets have it: IPv4 on a socket of IPv6 is IPv4.
pub(super) fn endpoint(it: SocketAddr) -> Endpoint {
    Endpoint {
        ip: it.ip().to_canonical(),
        port: it.port(),
    }
}
