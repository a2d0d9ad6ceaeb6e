//! Whose turn it is inside TLS, as far as the headers of records tell: counters, no more.
//!
//! In: the records of application data that are left when the handshake, session tickets and alerts are taken out. Out: how
//! it stood when the first side ended its direction, since a client that is told of a close answers it in records too.

use std::time::Duration;

use crate::base::flow_end::FlowEnd;
use crate::base::frame_ref::FrameRef;
use crate::base::time::Timestamp;

/// A side that sends again after this pause, without an answer, does not wait for one.
const PAUSE: Duration = Duration::from_millis(200);
/// Record length of the longest answer to the close of the other side: alerts in any cipher, a GOAWAY.
const LONGEST_FAREWELL: u64 = 96;
/// The shortest payload of a record that is full (RFC 8446 §5.1): what filled it goes on in the next.
const FULL: u64 = 1 << 14;

/// The turns of both sides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HiddenTurns {
    /// Who spoke last; `None` if nobody has.
    pub last: Option<FlowEnd>,
    /// Bytes of the records in the last turn of the TLS client, be it answered or not.
    pub asked: u64,
    /// Bytes of the records in the last turn of the TLS server.
    pub answered: u64,
    /// The last record of the TLS client.
    pub asked_at: Option<FrameRef>,
    /// How many turns the TLS client took.
    pub taken: u32,
    /// The least bytes of a turn of the TLS client that was over; 0 without one.
    pub shortest: u64,
    /// The TLS client also spoke on without waiting for an answer: after a pause within one of its turns.
    pub goes_on: bool,
    /// The least time from a record of the TLS client to the one of the server that followed it.
    pub soonest: Option<Duration>,
    /// The last record of the TLS server was full: there was more to say.
    pub full: bool,
    /// The same of the TLS client.
    pub asks_on: bool,
    /// The server sent records that cannot all be session tickets of TLS 1.3.
    pub beyond_tickets: bool,
    /// What may be open if HTTP/2 is spoken.
    pub streams: HiddenStreams,
}

/// A request of HTTP/2 that may be open, as far as the lengths of records tell: each small frame of control has its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HiddenStreams {
    /// The last record of the TLS client that may hold a request, if no record of the server that may hold a response came after
    /// it.
    pub asked: Option<FrameRef>,
    /// The first frame as long as RST_STREAM that came after it, and whether it is of the client.
    pub withdrawn: Option<(FrameRef, bool)>,
    /// Which side has sent its first record: it holds no request and no response, unless it is long.
    begun: [bool; 2],
}

/// Payload of a record with an acknowledgement of SETTINGS, or with a PING or GOAWAY (RFC 9113 §6.5, §6.7, §6.8).
const CONTROL: [u64; 2] = [9, 17];
/// The same with a RST_STREAM or WINDOW_UPDATE (RFC 9113 §6.4, §6.9).
const STREAM_CONTROL: u64 = 13;
/// Payload up to which the first record of a server holds its SETTINGS, and no response.
const LONGEST_SETTINGS: u64 = 100;
/// The same of a client, whose preface stands before them (RFC 9113 §3.4).
const LONGEST_PREFACE: u64 = 130;
/// The least payload that a request takes: names of the static table, and a short path.
const LEAST_HEADERS: u64 = 23;

impl HiddenStreams {
    fn record(&mut self, asks: bool, at: FrameRef, payload: u64, ticket: bool) {
        let first = !std::mem::replace(&mut self.begun[usize::from(!asks)], true);
        let longest = match asks {
            true => LONGEST_PREFACE,
            false => LONGEST_SETTINGS,
        };
        if first && payload <= longest || !asks && ticket || CONTROL.contains(&payload) {
            // A ticket is longer than SETTINGS, which come after it.
            self.begun[1] &= !(first && ticket && payload > longest);
        } else if payload == STREAM_CONTROL {
            self.withdrawn.get_or_insert((at, asks));
        } else if !asks {
            self.asked = None;
        } else if payload >= LEAST_HEADERS {
            self.asked = Some(at);
            self.withdrawn = None;
        }
    }
}

/// A turn of the TLS client, and that of the server which followed it: with HTTP/1 a request and its response, with HTTP/2 several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HiddenExchange {
    /// The client's first record, and its last.
    pub asked: [Timestamp; 2],
    /// The server's first record, and its last.
    pub answered: Option<[Timestamp; 2]>,
    /// The server's first record after a pause: in the first turn it may begin the response, and session tickets came before.
    pub resumed: Option<Timestamp>,
    /// Bytes of the records of both.
    pub bytes: [u64; 2],
}

/// Session tickets come one right after another, and a response that took time after such a pause.
const LEAST_PAUSE: Duration = Duration::from_millis(3);

/// Turns of one connection that are kept one by one: what is asked for on it later is not compared with other connections.
pub(crate) const MAX_HIDDEN: usize = 64;

/// The turns up to now, and those at the first end of a direction.
#[derive(Clone, Debug, Default)]
pub(super) struct TurnCounter {
    now: HiddenTurns,
    kept: Vec<HiddenExchange>,
    /// At the end of a direction: whose it was, and whether a FIN shows it.
    ended: Option<(HiddenTurns, FlowEnd, bool)>,
}

impl TurnCounter {
    /// A record of application data. `asks`: from the TLS client.
    pub(super) fn record(&mut self, from: FlowEnd, asks: bool, at: FrameRef, length: u64) {
        // What looked like a close_notify was none, if more comes than the answer to one.
        if let Some((_, by, false)) = self.ended
            && (by == from || !asks || length > LONGEST_FAREWELL)
        {
            self.ended = None;
        }
        self.keep(from, asks, at, length);
        let turns = &mut self.now;
        let goes_on = turns.last == Some(from);
        if asks {
            match goes_on {
                true => {
                    let since = turns.asked_at.unwrap_or(at);
                    turns.goes_on |= at.time.since(since.time) >= PAUSE;
                }
                false => turns.taken = turns.taken.saturating_add(1),
            }
            turns.asked = if goes_on { turns.asked } else { 0 }.saturating_add(length);
            turns.asked_at = Some(at);
            turns.asks_on = length >= FULL;
        } else {
            if !goes_on && turns.taken > 0 {
                let after = turns.asked_at.map(|asked| at.time.since(asked.time));
                turns.soonest = turns.soonest.into_iter().chain(after).min();
                turns.shortest = match turns.shortest {
                    0 => turns.asked,
                    before => before.min(turns.asked),
                };
            }
            turns.answered = if goes_on { turns.answered } else { 0 }.saturating_add(length);
            turns.full = length >= FULL;
        }
        turns.last = Some(from);
    }

    /// The same record, whose payload may be frames of HTTP/2. `ticket`: it may hold a session ticket instead.
    pub(super) fn frames(&mut self, asks: bool, at: FrameRef, payload: u64, ticket: bool) {
        self.now.streams.record(asks, at, payload, ticket);
    }

    /// What the server sends now, or has sent, is more than session tickets.
    pub(super) const fn go_beyond_tickets(&mut self) {
        self.now.beyond_tickets = true;
    }

    fn keep(&mut self, from: FlowEnd, asks: bool, at: FrameRef, length: u64) {
        let is_new = asks && self.now.last != Some(from);
        if is_new && self.kept.len() < MAX_HIDDEN {
            self.kept.push(HiddenExchange {
                asked: [at.time; 2],
                answered: None,
                resumed: None,
                bytes: [length, 0],
            });
            return;
        }
        // What comes after the last one that is kept is none of it.
        let taken = usize::try_from(self.now.taken).unwrap_or(usize::MAX);
        if is_new || taken > MAX_HIDDEN {
            return;
        }
        if let Some(last) = self.kept.last_mut() {
            match asks {
                true => last.asked[1] = at.time,
                false => {
                    let answered = last.answered.get_or_insert([at.time; 2]);
                    let pause = at.time.since(answered[1]);
                    answered[1] = at.time;
                    if pause >= LEAST_PAUSE {
                        last.resumed.get_or_insert(at.time);
                    }
                }
            }
            let bytes = &mut last.bytes[usize::from(!asks)];
            *bytes = bytes.saturating_add(length);
        }
    }

    /// The turns one by one.
    pub(super) fn kept(&mut self) -> Vec<HiddenExchange> {
        std::mem::take(&mut self.kept)
    }

    /// One direction ends, by its FIN or by what is likely its `close_notify`.
    pub(super) fn end(&mut self, from: FlowEnd, fin: bool) {
        match &mut self.ended {
            Some((_, by, by_fin)) => *by_fin |= fin && *by == from,
            ended => *ended = Some((self.now, from, fin)),
        }
    }

    /// The direction ends by its FIN, and what it sent last is likely a `close_notify`: these were the turns before it.
    pub(super) fn end_with_alert(&mut self, from: FlowEnd, before: HiddenTurns) {
        match &mut self.ended {
            Some((_, by, by_fin)) if *by == from => *by_fin = true,
            // The other side's close may have answered it.
            Some((then, ..)) if (then.taken, then.answered) != (before.taken, before.answered) => {}
            ended => *ended = Some((before, from, true)),
        }
    }

    /// The turns up to now.
    pub(super) const fn now(&self) -> HiddenTurns {
        self.now
    }

    /// Who spoke last, up to now.
    pub(super) const fn last(&self) -> Option<FlowEnd> {
        self.now.last
    }

    /// The turns when the first side ended its direction, or all of them.
    pub(super) fn at_end(&self) -> HiddenTurns {
        self.ended.map_or(self.now, |(turns, ..)| turns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::frame_ref::FrameNumber;
    use crate::base::time::Timestamp;

    const CLIENT: FlowEnd = FlowEnd::A;
    const SERVER: FlowEnd = FlowEnd::B;

    fn at(millis: i64) -> FrameRef {
        FrameRef {
            frame: FrameNumber(1),
            time: Timestamp::new(millis / 1000, (millis % 1000) as u32 * 1_000_000),
        }
    }

    #[test]
    fn what_answers_a_close_is_no_turn() {
        let mut turns = TurnCounter::default();
        turns.record(CLIENT, true, at(0), 300);
        turns.record(SERVER, false, at(10), 900);
        turns.record(CLIENT, true, at(20), 38);
        turns.end(SERVER, false);
        turns.record(CLIENT, true, at(21), 35);
        turns.record(CLIENT, true, at(22), 35);
        let end = turns.at_end();
        assert_eq!((end.last, end.asked, end.taken), (Some(CLIENT), 38, 2));
        assert_eq!((end.shortest, end.asked_at), (300, Some(at(20))));
    }

    #[test]
    fn what_looked_like_a_close_was_none_if_more_comes() {
        let mut turns = TurnCounter::default();
        turns.record(CLIENT, true, at(0), 300);
        turns.end(SERVER, false);
        turns.record(CLIENT, true, at(10), 400);
        assert_eq!(turns.at_end().asked, 700);
        turns.end(CLIENT, false);
        turns.record(SERVER, false, at(20), 50);
        assert_eq!(turns.at_end().last, Some(SERVER));
        // After a FIN nothing more counts.
        turns.end(CLIENT, true);
        turns.record(SERVER, false, at(30), 16_401);
        assert_eq!((turns.at_end().answered, turns.at_end().full), (50, false));
    }

    #[test]
    fn small_frames_of_control_answer_no_request() {
        // Who, payload, and whether it may be a ticket; then whether a request may be open, and whether it was withdrawn.
        type Sent = (bool, u64, bool);
        let rows: [(&[Sent], bool, bool); 8] = [
            // A preface alone.
            (&[(true, 64, false), (false, 27, true)], false, false),
            // Preface, tickets, SETTINGS, request, acknowledgements.
            (
                &[
                    (true, 64, false),
                    (false, 265, true),
                    (false, 265, true),
                    (false, 57, false),
                    (true, 45, false),
                    (true, 9, false),
                    (false, 9, false),
                ],
                true,
                false,
            ),
            // The same, answered.
            (
                &[
                    (true, 64, false),
                    (false, 57, true),
                    (true, 45, false),
                    (false, 60, false),
                ],
                false,
                false,
            ),
            // Preface and request in one.
            (&[(true, 190, false), (false, 27, true)], true, false),
            // SETTINGS and response in one.
            (&[(true, 190, false), (false, 300, false)], false, false),
            // Reset, and asked again.
            (
                &[(true, 190, false), (false, 27, true), (false, 13, false)],
                true,
                true,
            ),
            (
                &[
                    (true, 190, false),
                    (false, 27, true),
                    (false, 13, false),
                    (true, 40, false),
                ],
                true,
                false,
            ),
            // A WINDOW_UPDATE is no request.
            (
                &[(true, 64, false), (false, 27, true), (true, 13, false)],
                false,
                true,
            ),
        ];
        for (records, open, withdrawn) in rows {
            let mut turns = TurnCounter::default();
            for (asks, payload, ticket) in records {
                turns.frames(*asks, at(0), *payload, *ticket);
            }
            let streams = turns.now().streams;
            let found = (streams.asked.is_some(), streams.withdrawn.is_some());
            assert_eq!(found, (open, withdrawn), "{records:?}");
        }
    }

    #[test]
    fn turns_are_kept_one_by_one() {
        let mut turns = TurnCounter::default();
        turns.record(SERVER, false, at(0), 40);
        turns.record(CLIENT, true, at(10), 300);
        turns.record(CLIENT, true, at(11), 200);
        turns.record(SERVER, false, at(20), 900);
        turns.record(SERVER, false, at(25), 100);
        turns.record(CLIENT, true, at(30), 7);
        let told: Vec<_> = turns
            .kept()
            .iter()
            .map(|it| (it.asked.map(|it| it), it.answered, it.bytes))
            .collect();
        let time = |millis| at(millis).time;
        assert_eq!(
            told,
            [
                (
                    [time(10), time(11)],
                    Some([time(20), time(25)]),
                    [500, 1000]
                ),
                ([time(30), time(30)], None, [7, 0]),
            ]
        );
    }

    #[test]
    fn the_soonest_answer_is_kept() {
        let mut turns = TurnCounter::default();
        turns.record(SERVER, false, at(0), 300);
        assert_eq!(turns.at_end().soonest, None);
        for (asked, answered) in [(10, 50), (60, 61), (70, 90)] {
            turns.record(CLIENT, true, at(asked), 300);
            turns.record(SERVER, false, at(answered), 300);
            turns.record(SERVER, false, at(answered), 300);
        }
        assert_eq!(turns.at_end().soonest, Some(Duration::from_millis(1)));
    }

    #[test]
    fn who_speaks_again_after_a_pause_waits_for_nothing() {
        let mut turns = TurnCounter::default();
        turns.record(CLIENT, true, at(0), 300);
        turns.record(CLIENT, true, at(50), 300);
        assert!(!turns.at_end().goes_on);
        turns.record(CLIENT, true, at(1050), 300);
        assert!(turns.at_end().goes_on);
    }
}
