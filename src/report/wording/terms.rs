//! The terms of the machine-readable formats for the types of the layers below.

use std::time::Duration;

use crate::analysis::connection::{By, Connection, How, Opening, Roles, Standing};
use crate::analysis::hosts::RangeBasis;
use crate::base::passage::Passage;
use crate::protocol::http::{CloseSign, ConnectionEnd, Protocol};

/// A duration in milliseconds.
pub(crate) fn millis(span: Duration) -> f64 {
    span.as_nanos() as f64 / 1e6
}

/// Who began the close; `None` while nobody has.
#[must_use]
pub const fn by(by: By) -> Option<&'static str> {
    match by {
        By::Nobody => None,
        by => Some(by.name()),
    }
}

/// How the connection was closed.
#[must_use]
pub const fn how(how: How) -> &'static str {
    how.name()
}

/// The kind of RST, if one ended the connection.
#[must_use]
pub const fn reset(how: How) -> Option<&'static str> {
    match how {
        How::Reset(kind) => Some(kind.name()),
        How::Fin | How::Silence | How::Open => None,
    }
}

/// What another place of capture shows of a segment.
#[must_use]
pub const fn passage(passage: Passage) -> Option<&'static str> {
    match passage {
        Passage::Unknown | Passage::Sent | Passage::Apart => None,
        Passage::Both => Some("both"),
        Passage::Lost => Some("lost"),
        Passage::Forged => Some("forged"),
    }
}

/// How the connection was opened.
#[must_use]
pub const fn opening(opening: Opening) -> &'static str {
    match opening {
        Opening::Handshake => "handshake",
        Opening::Refused => "refused",
        Opening::Unreachable => "unreachable",
        Opening::Unanswered => "unanswered",
        Opening::Rejected => "rejected",
        Opening::Midstream => "midstream",
    }
}

/// The application protocol; `None` while unknown.
#[must_use]
pub const fn protocol(protocol: Protocol) -> Option<&'static str> {
    match protocol {
        Protocol::Unknown => None,
        Protocol::Http1 => Some("http/1"),
        Protocol::Http2 => Some("http/2"),
        Protocol::Tls => Some("tls"),
        Protocol::WebSocket => Some("websocket"),
        Protocol::Tunnel => Some("connect"),
        Protocol::Opaque => Some("opaque"),
    }
}

/// What the roles of client and server are inferred from.
#[must_use]
pub(crate) const fn roles(roles: Roles) -> &'static str {
    match roles {
        Roles::Handshake => "handshake",
        Roles::Http => "http",
        Roles::Ports => "ports",
    }
}

/// What a port range is based on.
#[must_use]
pub const fn basis(basis: RangeBasis) -> &'static str {
    match basis {
        RangeBasis::Told => "told",
        RangeBasis::Observed => "observed",
        RangeBasis::Default => "default",
    }
}

/// What announced a close.
#[must_use]
pub(crate) const fn close_sign(sign: CloseSign) -> &'static str {
    match sign {
        CloseSign::RequestClose => "request-close",
        CloseSign::RequestVersion => "request-version",
        CloseSign::ResponseClose => "response-close",
        CloseSign::ResponseVersion => "response-version",
        CloseSign::ResponseFraming => "response-framing",
    }
}

/// An endpoint's state by its name in RFC 9293 §3.3.2; `None` where it was not seen.
#[must_use]
pub fn state(standing: Standing) -> Option<&'static str> {
    standing.state().map(|state| state.name())
}

/// Which sides have been in TIME-WAIT.
#[must_use]
pub fn time_wait(connection: &Connection) -> Option<&'static str> {
    let [client, server] = connection.time_wait;
    match (client, server) {
        (Some(_), Some(_)) => Some("both"),
        (Some(_), None) => Some("client"),
        (None, Some(_)) => Some("server"),
        (None, None) => None,
    }
}

/// How the connection ended, as its exchanges see it.
#[must_use]
pub const fn ending(connection: &Connection) -> ConnectionEnd {
    connection.teardown.ending()
}
