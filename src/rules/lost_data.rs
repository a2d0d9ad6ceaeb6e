//! Data of the client that the server's host did not accept, on connections whose exchanges are not read: TLS, and
//! protocols that no layer parses.

use std::time::Duration;

use super::classify::{PAUSE, under_way};
use crate::analysis::connection::{
    CloseEvent, Connection, ConnectionOutcome, FailedReason, InFlight, Opening, ResetKind, Who,
};
use crate::base::frame_ref::FrameRef;

/// Data that a RST answered instead of an acknowledgement.
pub(super) struct LostData {
    /// What was sent.
    pub(super) sent: InFlight,
    /// The RST.
    pub(super) reset: CloseEvent,
    /// What had become of the connection before.
    pub(super) before: Before,
}

/// What had become of a connection before the data came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Before {
    /// It had been idle, and no FIN was seen.
    Idle,
    /// The server had closed, and the client's system had acknowledged that.
    KnownClosed(FrameRef),
    /// The server's close crossed the data.
    Crossed(CloseEvent),
    /// None of these: both sides were at work.
    Busy,
}

/// Shorter pauses are no idleness.
const IDLE: Duration = Duration::from_secs(1);

/// What the client sent last, if a RST of the server, or in its name, took it.
pub(super) fn lost_data(connection: &Connection) -> Option<LostData> {
    let lost = connection.outcome == ConnectionOutcome::Failed(FailedReason::BytesLost);
    if !lost
        || !connection.exchanges.is_empty()
        || !matches!(connection.opening, Opening::Handshake | Opening::Midstream)
        || connection.sent.iter().any(|sent| sent.packets == 0)
    {
        return None;
    }
    // A listener whose program never got the connection has a rule of its own.
    if connection.syn_acks > 1 && connection.taken.is_none() {
        return None;
    }
    let sent = connection.in_flight(Who::Client)?;
    let reset = connection.reset[Who::Server as usize].filter(|reset| {
        let effective = !matches!(reset.kind, Some(ResetKind::Stale | ResetKind::Refusal));
        // What the client sent before it had the RST is lost as well.
        let crossed =
            sent.since.time.since(reset.frame_ref.time) <= connection.expected_round_trip() * 2;
        effective && (reset.frame_ref > sent.since || crossed)
    })?;
    let fin = connection.fin[Who::Server as usize];
    let known = connection.fin_acknowledged[Who::Server as usize];
    let margin = under_way(connection);
    let knew = known.filter(|known| sent.since.time.since(known.time) > margin);
    let before = match (knew, fin, reset.kind) {
        (Some(known), Some(_), _) => Before::KnownClosed(known),
        // A server that closes soon after it sent data ends the session; no idle timer fired.
        // Nor is it idle while the client sends.
        (None, Some(fin), _) if quiet_before(connection, fin) >= PAUSE && had_paused(sent, fin) => {
            Before::Crossed(fin)
        }
        (_, None, Some(ResetKind::NoSocket | ResetKind::Foreign)) if sent.idle >= IDLE => {
            Before::Idle
        }
        (_, None, Some(ResetKind::Abort)) if sent.idle >= PAUSE => Before::Crossed(reset),
        _ => Before::Busy,
    };
    Some(LostData {
        sent,
        reset,
        before,
    })
}

/// Whether no program can have read the client's last turn, though its meaning is not known: all of it came after the server's
/// close, which the client's system had acknowledged, and met no socket.
pub(super) fn reached_no_program(connection: &Connection) -> bool {
    let Some(lost) = lost_data(connection) else {
        return false;
    };
    let turns = &connection.turns;
    let whole =
        turns.last == Some(Who::Client) && turns.length == lost.sent.bytes && !turns.goes_on;
    let nobody = lost.reset.kind == Some(ResetKind::NoSocket);
    whole && nobody && matches!(lost.before, Before::KnownClosed(_))
}

/// Whether the client had paused before what it sent around the server's close.
fn had_paused(sent: InFlight, fin: CloseEvent) -> bool {
    let before = fin.frame_ref.time.since(fin.heard.time);
    match sent.since < fin.frame_ref {
        true => sent.idle >= PAUSE,
        false => before >= PAUSE,
    }
}

/// How long the server had sent no data when it closed.
fn quiet_before(connection: &Connection, fin: CloseEvent) -> Duration {
    let last = connection.last_data[Who::Server as usize].time;
    fin.frame_ref.time.since(last.max(connection.first.time))
}
