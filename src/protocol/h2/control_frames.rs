//! Frames about the connection: SETTINGS, PING, GOAWAY, RST_STREAM and WINDOW_UPDATE (RFC 9113 §6), and the stalls of
//! flow control (§5.2).

use super::conversation::H2Conversation;
use super::facts::{AnnouncedSettings, Goaway, MAX_GOAWAYS, Stall};
use super::frame::{flag, kind};
use crate::base::flow_end::FlowEnd;
use crate::base::frame_ref::FrameRef;
use crate::protocol::http::{ErrorCode, TextInterner};

/// Bytes kept of a GOAWAY's debug data.
const MAX_DEBUG: usize = 256;

/// The settings that matter (§6.5.2, RFC 8441 §3).
const MAX_CONCURRENT_STREAMS: u16 = 3;
const INITIAL_WINDOW_SIZE: u16 = 4;
const MAX_FRAME_SIZE: u16 = 5;
const ENABLE_CONNECT_PROTOCOL: u16 = 8;

impl H2Conversation {
    /// A frame about the connection or flow control is over; `payload` is what was captured of it.
    pub(super) fn notice(
        &mut self,
        from: FlowEnd,
        at: FrameRef,
        payload: &[u8],
        texts: &mut TextInterner,
    ) {
        let header = self.direction(from).header;
        match header.kind {
            kind::SETTINGS if !header.has(flag::ACK) => self.settings(from, at, payload),
            kind::PING => self.ping(from, at, header.has(flag::ACK)),
            kind::GOAWAY => self.goaway(from, at, payload, texts),
            kind::RST_STREAM => {
                let half = &mut self.direction_mut(from).half;
                half.resets = half.resets.saturating_add(1);
                if let Some(code) = payload.first_chunk() {
                    let code = ErrorCode(u32::from_be_bytes(*code));
                    self.reset_stream(from, at, header.stream, code);
                }
            }
            kind::WINDOW_UPDATE => {
                if let Some([a, b, c, d]) = payload.first_chunk() {
                    let more = u32::from_be_bytes([a & 0x7f, *b, *c, *d]);
                    self.window(from, at, header.stream, i64::from(more));
                }
            }
            _ => {}
        }
    }

    fn settings(&mut self, from: FlowEnd, at: FrameRef, payload: &[u8]) {
        let half = &mut self.direction_mut(from).half;
        half.settings_at.get_or_insert(at);
        let before = half.settings.initial_window;
        let settings: &mut AnnouncedSettings = &mut half.settings;
        for [k1, k0, rest @ ..] in payload.as_chunks::<6>().0 {
            let value = u32::from_be_bytes(*rest);
            match u16::from_be_bytes([*k1, *k0]) {
                MAX_CONCURRENT_STREAMS => settings.max_concurrent_streams = Some(value),
                INITIAL_WINDOW_SIZE => settings.initial_window = value & 0x7fff_ffff,
                MAX_FRAME_SIZE => settings.max_frame = value,
                ENABLE_CONNECT_PROTOCOL => settings.connect_protocol = value == 1,
                _ => {}
            }
        }
        let settings = *settings;
        let other = self.direction_mut(from.other());
        // Until the setting is acknowledged the old limit may be used: the larger one counts.
        other.max_frame = other.max_frame.max(settings.max_frame);
        let change = i64::from(settings.initial_window) - i64::from(before);
        if change != 0 {
            // §6.9.2: the windows of all streams change by the difference.
            for open in self.open.values_mut() {
                let window = &mut open.window[from.other().index()];
                *window = window.saturating_add(change);
            }
        }
    }

    fn ping(&mut self, from: FlowEnd, at: FrameRef, is_answer: bool) {
        if is_answer {
            let pings = &mut self.direction_mut(from.other()).half.pings;
            pings.answered = pings.answered.saturating_add(1);
            if pings.answered >= pings.sent {
                pings.unanswered = None;
            }
        } else {
            let pings = &mut self.direction_mut(from).half.pings;
            pings.sent = pings.sent.saturating_add(1);
            pings.unanswered.get_or_insert(at);
        }
    }

    fn goaway(&mut self, from: FlowEnd, at: FrameRef, payload: &[u8], texts: &mut TextInterner) {
        let Some(([a, b, c, d, code @ ..], debug)) = payload.split_first_chunk::<8>() else {
            return;
        };
        let last_stream = u32::from_be_bytes([a & 0x7f, *b, *c, *d]);
        let goaway = Goaway {
            at,
            start: self.direction(from).start,
            last_stream,
            code: ErrorCode(u32::from_be_bytes(*code)),
            debug: texts.text(debug.get(..MAX_DEBUG).unwrap_or(debug)),
        };
        let half = &mut self.direction_mut(from).half;
        if half.goaways.len() >= MAX_GOAWAYS {
            // The first that complains stays: what follows it need not repeat the error.
            let last = half.goaways.len() - 1;
            let complains = half
                .goaways
                .iter()
                .position(|it| it.code != ErrorCode::NO_ERROR);
            let spare = if complains == Some(last) {
                last - 1
            } else {
                last
            };
            half.goaways.remove(spare);
            half.more_goaways = half.more_goaways.saturating_add(1);
        }
        half.goaways.push(goaway);
        if from != self.requester {
            self.refuse_above(last_stream, at);
        }
    }

    /// A WINDOW_UPDATE of `from`: the other side may send more.
    fn window(&mut self, from: FlowEnd, at: FrameRef, stream: u32, more: i64) {
        let sender = from.other();
        let now = if stream == 0 {
            let window = &mut self.direction_mut(sender).window;
            *window = window.saturating_add(more);
            *window
        } else {
            let Some(open) = self.open.get_mut(&stream) else {
                return;
            };
            let window = &mut open.window[sender.index()];
            *window = window.saturating_add(more);
            *window
        };
        let stalls = &mut self.direction_mut(sender).half.stalls;
        if let Some(stall) = &mut stalls.worst
            && now > 0
            && stall.stream == stream
            && stall.until.is_none()
        {
            stall.until = Some(at);
            stalls.longest = stalls.longest.max(at.time.since(stall.since.time));
        }
    }

    /// After DATA that did not end its stream: checks whether flow control now blocks the sender.
    pub(super) fn check_windows(&mut self, from: FlowEnd, stream: u32, at: FrameRef) {
        let direction = self.direction(from);
        // The windows are known only if all frames of both sides were captured.
        if direction.half.lost || self.direction(from.other()).half.lost {
            return;
        }
        let own = self.open.get(&stream).map(|open| open.window[from.index()]);
        let blocked = match own {
            Some(window) if window <= 0 => stream,
            Some(_) if direction.window <= 0 => 0,
            _ => return,
        };
        let stalls = &mut self.direction_mut(from).half.stalls;
        stalls.count = stalls.count.saturating_add(1);
        let fresh = Stall {
            stream: blocked,
            since: at,
            until: None,
        };
        // `worst` is the stall that lasts. Of those that ended, `longest` keeps the longest duration, `worst` the
        // latest stall.
        match &stalls.worst {
            Some(worst) if worst.until.is_none() => {}
            _ => stalls.worst = Some(fresh),
        }
    }
}
