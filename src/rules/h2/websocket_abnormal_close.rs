//! A WebSocket that ended without a Close frame.

use std::time::Duration;

use crate::analysis::connection::{By, Connection, How, ResetKind, Who};
use crate::base::certainty::Certainty;
use crate::rules::Severity;
use crate::rules::h2::websocket_accept_mismatch::mismatch;
use crate::rules::measured_time;
use crate::rules::rule::{Check, Verdict, rule};
use crate::rules::statement::{Value, sentence};
use crate::rules::wording::{not_yet, side, tell};

rule! {
    /// # What happened
    ///
    /// The connection became a WebSocket and was closed with a FIN or a RST, although neither side had sent a Close frame. The
    /// application gets code 1006, "abnormal closure", which is never sent on the wire. Logs say "no close frame received or
    /// sent", `CloseEvent.code 1006`, "WebSocket connection closed unexpectedly" or "unexpected EOF".
    ///
    /// # Why it matters
    ///
    /// Messages in transit may be lost, and neither side knows what the other received. If it happens after the same silence
    /// again and again, a proxy's idle timeout cuts quiet connections, and hits every quiet user.
    ///
    /// # Remedy
    ///
    /// - *If the WebSocket had been silent for 2 s or more:* Send a Ping from either end more often than the shortest
    ///   idle timeout on the way: after half of the silence that was measured, or sooner.
    /// - *If the WebSocket had been silent for 2 s or more:* Or raise that timeout (nginx `proxy_read_timeout`, HAProxy
    ///   `timeout tunnel`, the load balancer's idle timeout).
    /// - *If the server closed first:* Look in the server's log at the time of the close. A program that ends a WebSocket sends a
    ///   Close (1000, or 1001 when it goes away) and waits for the other's; a process that is killed cannot.
    /// - *If the client closed first:* Find out whether the client is a proxy: one closes like this when its idle timeout
    ///   expires. A program should send a Close, and wait for the server's, before it closes the connection.
    ///
    /// # Tell it by
    ///
    /// A 101 response opened the WebSocket. A FIN or RST ends it, and neither side sent a Close frame before.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                                                server
    ///  0.000  SYN                                              -->
    ///  0.010                                                   <--  SYN
    ///  0.020  GET /ws [connection=Upgrade upgrade=websocket]   -->
    ///  0.030                                                   <--  101 [connection=Upgrade upgrade=websocket]
    ///  0.040  ws text 5                                        -->
    ///  0.050                                                   <--  ws text 7
    /// 60.050                                                   <--  FIN
    /// 60.060  FIN                                              -->
    /// 60.070                                                   <--  ACK
    ///  => protocol websocket
    ///  => teardown server fin tunnel
    ///  => findings websocket-abnormal-close
    /// ```
    ///
    /// # Not this
    ///
    /// Both said goodbye:
    ///
    /// ```ladder
    ///         client                                                server
    ///  0.000  SYN                                              -->
    ///  0.010                                                   <--  SYN
    ///  0.020  GET /ws [connection=Upgrade upgrade=websocket]   -->
    ///  0.030                                                   <--  101 [connection=Upgrade upgrade=websocket]
    ///  0.040                                                   <--  ws close 1001 "bye"
    ///  0.050  ws close 1001                                    -->
    ///  0.060                                                   <--  FIN
    ///  0.070  FIN                                              -->
    ///  0.080                                                   <--  ACK
    ///  => findings none
    /// ```
    ///
    /// # References
    ///
    /// RFC 6455 §5.5.1, §7.1.5, §7.1.6, §7.4.1; RFC 8441 §5.
    pub(in crate::rules) RULE: "websocket-abnormal-close", Severity::Warning,
    "a WebSocket was closed without a Close frame", Check::Connection(check)
}

/// Shorter silences are not idleness.
const AT_LEAST: Duration = Duration::from_secs(2);

/// What it means for the messages.
const LAST_MESSAGES: &str = "Whether the last messages were processed is not known. After reconnecting, resend only what is safe to repeat.";
/// The same after a silence.
const NONE_IN_FLIGHT: &str = "No message was lost on the way. Whether the last one was processed is not shown: resend only what is safe to repeat.";

fn check(connection: &Connection) -> Verdict {
    let Some(websocket) = &connection.websocket else {
        return on_streams(connection);
    };
    let (who, word) = match (connection.teardown.by, connection.teardown.how) {
        (By::Nobody, _) => return not_yet(connection),
        (by, How::Fin) => (by, "FIN"),
        (by, How::Reset(kind)) if kind != ResetKind::Stale => (by, "RST"),
        _ => return Verdict::Clear,
    };
    // A client that must fail the connection has no WebSocket to close.
    if !websocket.has_no_close() || who == By::Client && mismatch(connection).is_some() {
        return Verdict::Clear;
    }
    let (summary, message) = match (who, word) {
        (By::Client, "FIN") => (
            "Client closed [a WebSocket|# WebSockets] without a Close frame",
            "The client closed the WebSocket with a FIN, and neither side had sent a Close frame: client and server report the code 1006.",
        ),
        (By::Client, _) => (
            "Client reset [a WebSocket|# WebSockets] without a Close frame",
            "The client ended the WebSocket with a RST, and neither side had sent a Close frame: client and server report the code 1006.",
        ),
        (By::Server, "FIN") => (
            "Server closed [a WebSocket|# WebSockets] without a Close frame",
            "The server closed the WebSocket with a FIN, and neither side had sent a Close frame: client and server report the code 1006.",
        ),
        (By::Server, _) => (
            "Server reset [a WebSocket|# WebSockets] without a Close frame",
            "The server ended the WebSocket with a RST, and neither side had sent a Close frame: client and server report the code 1006.",
        ),
        (By::Both, _) => (
            "Both sides closed [a WebSocket|# WebSockets] without a Close frame",
            "Both sides closed the WebSocket at once, and neither had sent a Close frame: client and server report the code 1006.",
        ),
        (By::Middlebox | By::Nobody, _) => (
            "A device on the way reset [a WebSocket|# WebSockets]",
            "A device on the way ended the WebSocket with a RST in the name of one side: client and server report the code 1006.",
        ),
    };
    let closed = connection.teardown.at;
    let last = websocket.last();
    let idle = last.map(|last| closed.since(last.time));
    let silent =
        idle.map(|idle| sentence!("The last WebSocket message was sent {} before that.", idle));
    let closer = match who {
        By::Client => Who::Client,
        By::Server | By::Both | By::Middlebox | By::Nobody => Who::Server,
    };
    let silence = idle.filter(|idle| *idle >= AT_LEAST);
    let timer = silence.and_then(|idle| {
        let known = measured_time::idle(connection, idle, closer);
        known.or_else(|| {
            let round = measured_time::round(idle)?;
            Some(sentence!("{}: probably an idle timeout.", round))
        })
    });
    let cut = Who::BOTH
        .into_iter()
        .find(|who| websocket.halves[*who as usize].is_cut)
        .map(|who| match who {
            Who::Client => "The client had sent only part of its last frame.",
            Who::Server => "The server had sent only part of its last frame.",
        });
    let pings = Who::BOTH.into_iter().find_map(|who| {
        let pings = &websocket.halves[who as usize].pings;
        pings.unanswered?;
        let open = pings.sent.saturating_sub(pings.answered);
        let count = Value::count(open, "Ping", "Pings");
        Some(sentence!("{} of the {} got no Pong.", count, side(who)))
    });
    // A Close may be among frames that were not captured.
    let unsure = websocket.halves.iter().any(|half| half.lost)
        || connection
            .sent
            .iter()
            .any(|sent| sent.packets == 0 || sent.missing > 0);
    let (severity, certainty) = match unsure {
        true => (Severity::Note, Certainty::Possible),
        false => (Severity::Warning, connection.teardown.certainty),
    };
    let frame_ref = connection.teardown.frame_ref();
    let switched = connection
        .exchanges
        .last()
        .and_then(|it| it.response.as_ref());
    let hidden = unsure.then_some("A Close frame may be among the packets that the capture lacks.");
    let arrived = Who::BOTH
        .iter()
        .all(|who| connection.in_flight(*who).is_none());
    tell(&RULE, severity, certainty, summary, message)
        .adds(silent)
        .adds(hidden)
        .adds(timer)
        .adds(cut)
        .adds(pings)
        .means(Some(match silence.is_some() && arrived && cut.is_none() {
            true => NONE_IN_FLIGHT,
            false => LAST_MESSAGES,
        }))
        .shows(
            switched.map(|it| it.message.first),
            "the 101 that begins the WebSocket",
        )
        .shows(last, "last WebSocket frame")
        .shows(Some(frame_ref), format!("{word} without a Close frame"))
        .about(connection)
}

/// The same for WebSockets on HTTP/2 streams (RFC 8441), where the end of the stream takes the place of the
/// connection's end.
fn on_streams(connection: &Connection) -> Verdict {
    let Some(h2) = &connection.h2 else {
        return Verdict::Clear;
    };
    let over = !matches!(connection.teardown.how, How::Open);
    let mut cut = h2
        .websockets
        .iter()
        .filter(|it| it.said.has_no_close() && (it.ended.is_some() || over));
    let Some(first) = cut.next() else {
        return not_yet(connection);
    };
    let more = cut.count() as u64;
    let close = connection.teardown.frame_ref();
    let (end, how, told) = match first.ended {
        Some(frame_ref) => (
            frame_ref,
            "its stream ended",
            sentence!(
                "The WebSocket on stream {} ended with its stream, and neither side had sent a Close frame: client and server report the code 1006.",
                first.stream
            ),
        ),
        None => (
            close,
            "the connection ended",
            sentence!(
                "The WebSocket on stream {} ended with the connection, and neither side had sent a Close frame: client and server report the code 1006.",
                first.stream
            ),
        ),
    };
    let last = first.said.last();
    let ago = last.map(|last| {
        sentence!(
            "The last WebSocket message was sent {} before that.",
            end.time.since(last.time)
        )
    });
    let more = (more > 0).then(|| {
        let count = Value::count(more, "more WebSocket", "more WebSockets");
        sentence!("{} on the connection ended like this.", count)
    });
    let unsure = first.said.halves.iter().any(|half| half.lost);
    let (severity, certainty) = match unsure {
        true => (Severity::Note, Certainty::Possible),
        false => (Severity::Warning, connection.teardown.certainty),
    };
    tell(
        &RULE,
        severity,
        certainty,
        "[A WebSocket|# WebSockets] on HTTP/2 ended without a Close frame",
        told,
    )
    .adds(ago)
    .adds(more)
    .means(Some(LAST_MESSAGES))
    .shows(last, "last WebSocket frame")
    .shows(Some(end), format!("{how} without a Close frame"))
    .about(connection)
}

#[cfg(test)]
mod tests {
    use crate::rules::ladder_check;

    const OPEN: &str = "SYN -->\n<-- SYN\nGET /ws [connection=Upgrade upgrade=websocket] -->\n\
                        <-- 101 [connection=Upgrade upgrade=websocket]\n";

    fn message(text: &str) -> Option<String> {
        ladder_check::told_by(&super::RULE, &format!("{OPEN}{text}"))
    }

    #[test]
    fn silence_is_held_against_timers() {
        let told = message("ws text 5 -->\n+60s <-- FIN").expect("found");
        assert!(
            told.contains("60.0 s before") && told.contains("nginx"),
            "{told}"
        );
        let told = message("ws text 5 -->\n+45s <-- RST").expect("found");
        assert!(told.contains("45 s is a round number"), "{told}");
        let told = message("ws text 5 -->\n<-- RST").expect("found");
        assert!(
            told.contains("1.0 ms before") && !told.contains("round"),
            "{told}"
        );
    }

    #[test]
    fn pings_without_a_pong_are_told() {
        let told = message("<-- ws ping\n+20s <-- ws ping\n+20s <-- FIN").expect("found");
        assert!(told.contains("2 Pings of the server got no Pong"), "{told}");
    }

    #[test]
    fn one_close_is_enough() {
        assert!(message("ws close 1000 -->\n<-- FIN\nFIN -->\n<-- ACK").is_none());
        assert!(message("<-- ws close\nRST -->").is_none());
    }

    #[test]
    fn a_client_that_leaves_without_a_word_is_told_too() {
        let told = message("ws text 1 -->\nFIN -->\n<-- FIN\nACK -->").expect("found");
        assert!(told.starts_with("The client closed"), "{told}");
    }
}
