//! What got no answer, or got it too late: segments that one side repeated, and a request that its client waited for.

use std::time::Duration;

use super::classify::{request, response};
use crate::analysis::connection::{By, Connection, Opening, UnansweredSegments, Who};

/// Repetitions without an answer; packet loss does not take that many in a row.
const REPETITIONS: u16 = 3;

/// Over at least this time.
const LONG_ENOUGH: Duration = Duration::from_secs(1);

/// The side whose segments got no answer, and those segments.
pub(in crate::rules) fn silence(connection: &Connection) -> Option<(Who, &UnansweredSegments)> {
    let unanswered = connection.unanswered.as_deref()?;
    if !matches!(connection.opening, Opening::Handshake | Opening::Midstream) {
        return None;
    }
    // Both directions must be captured to conclude that there was no answer, or the repetitions alone show it.
    if connection.sent.iter().any(|sent| sent.packets == 0) && !connection.met_silence() {
        return None;
    }
    Who::BOTH.into_iter().find_map(|who| {
        let it = &unanswered[who as usize];
        let data = it.count - it.probes.min(it.count);
        let last = connection.last.time.max(it.until.time);
        let reset = connection.reset[who.other() as usize];
        // Anything the peer sends after the first transmission is an answer of a kind.
        let silent = it.peer_last_sent.time <= it.again.time
            && reset.is_none_or(|reset| reset.frame_ref.time < it.again.time);
        let over = last.since(it.peer_last_sent.time.max(connection.first.time));
        (data >= REPETITIONS && it.length > 0 && silent && over >= LONG_ENOUGH).then_some((who, it))
    })
}

/// Keep-alive probes in a row; one or two may be lost.
const PROBES: u16 = 3;

/// The side whose probes got no answer, and those probes.
pub(in crate::rules) fn probed(connection: &Connection) -> Option<(Who, UnansweredSegments)> {
    let unanswered = connection.unanswered.as_deref()?;
    let both = connection.sent.iter().all(|sent| sent.packets > 0);
    if !both || !matches!(connection.opening, Opening::Handshake | Opening::Midstream) {
        return None;
    }
    Who::BOTH.into_iter().find_map(|who| {
        let it = unanswered[who as usize];
        let other = connection.reset[who.other() as usize];
        let silent = it.peer_last_sent.time <= it.since.time
            && other.is_none_or(|reset| reset.frame_ref < it.since);
        (it.probes >= PROBES && it.probes == it.count && silent).then_some((who, it))
    })
}

/// The side all of whose repeated data was lost on the way, as another place shows that was captured nearer to the other side.
pub(in crate::rules) fn lost_between_places(connection: &Connection) -> Option<Who> {
    let (who, it) = silence(connection)?;
    let passages = connection.passages(who);
    let last = passages.last_lost.is_some_and(|last| last >= it.until);
    (last && passages.lost > u32::from(it.same)).then_some(who)
}

/// How long the client waited, and how long the proxy that responded with 504 after the client had left.
pub(in crate::rules) fn timed_out_after(connection: &Connection) -> Option<(Duration, Duration)> {
    let mut all = connection.spoken().iter();
    let exchange = all.find(|it| it.status() == Some(504))?;
    let close = connection.teardown.frame_ref();
    let late = response(exchange)?.first.time > close.time;
    let waited = close.time.since(request(exchange)?.last.time);
    (late && connection.teardown.by == By::Client).then_some((waited, exchange.waited()?))
}
