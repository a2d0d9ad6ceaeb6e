//! A request on an idle connection met a host that had no state of it any more.

use std::time::Duration;

use super::keep_alive_race::before;
use crate::analysis::connection::{
    By, CloseEvent, Connection, InFlight, Opening, ResetKind, ResetSigns, Who,
};
use crate::base::certainty::Certainty;
use crate::base::format::duration;
use crate::rules::Severity;
use crate::rules::classify::{Ending, EndingKind, request, response};
use crate::rules::lost_data::{Before, lost_data};
use crate::rules::measured_time;
use crate::rules::rule::{Check, Verdict, rule};
use crate::rules::statement::{Sentence, Value, sentence};
use crate::rules::wording::{asked, named, not_yet, repetition, tell};

rule! {
    /// # What happened
    ///
    /// After a pause the client sent a request on a connection that nobody had closed, as far as the capture shows: no FIN
    /// came. A host that has no such connection answered with a RST. The log says `ECONNRESET`, "connection reset by peer".
    ///
    /// # Why it matters
    ///
    /// Something forgot the connection silently. The idle timeout of a load balancer or NAT gateway may have passed (AWS NLB
    /// 350 s, Azure 4 min). Or the server restarted or crashed. Or it closed while the path was broken, and its FIN was lost. The client cannot know, and
    /// notices only when it loses a request.
    ///
    /// # Remedy
    ///
    /// - *If the lost data came after an idle time of 30 s or more:* Make the client's idle timeout, or the interval of its
    ///   TCP keep-alive, shorter than the limit on the way.
    /// - *If the lost data came after an idle time of under 30 s and the RST has another TTL than the server's segments:* Look
    ///   for what changed at the time of the RST on the firewall, load balancer or container host in front of the server: a
    ///   rule, a restart, a container that stopped.
    /// - *If the lost data came after an idle time of under 30 s and the RST has no other TTL than the server's segments:* Look
    ///   in the server's log, before the RST, for the end of this session: a timeout, a restart or a crash.
    /// - *If the lost data came after an idle time of under 30 s and the RST has no other TTL than the server's segments:* Where
    ///   that log shows a timeout, repair the path, or raise that timeout (sshd `ClientAliveInterval`).
    /// - Capture at the server as well: if the RST is not in that capture, something on the way sent it.
    /// - *If the request may be repeated:* Also let the client retry it on a new connection (RFC 9112 §9.3.1).
    ///
    /// # Tell it by
    ///
    /// The connection was idle, often for minutes, and no FIN came. The first request after the pause gets a RST.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /1             -->
    ///  0.040                     <--  200 "one"
    ///  0.050  ACK                -->
    /// 400.00  GET /2             -->
    /// 400.01                     <--  RST [noack]
    ///  => findings reuse-of-forgotten-connection
    /// ```
    ///
    /// # Not this
    ///
    /// The server sent a FIN before, so it had not forgotten the connection:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /1             -->
    ///  0.040                     <--  200 "one"
    ///  0.050  ACK                -->
    ///  5.040                     <--  FIN
    ///  5.041  GET /2 [crossed]   -->
    ///  5.051                     <--  RST [noack]
    /// ```
    ///
    /// The request was acknowledged, so the server had the connection:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /1             -->
    ///  0.040                     <--  200 "one"
    ///  0.050  ACK                -->
    /// 400.00  GET /2             -->
    /// 400.01                     <--  ACK
    /// 400.02                     <--  RST
    ///  => teardown server reset abort waiting
    /// ```
    ///
    /// The FIN is not in the capture, but the client has acknowledged it:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /1             -->
    ///  0.040                     <--  200 "one"
    ///  0.050  ACK                -->
    ///  5.040                     <~~  FIN
    ///  5.050  ACK                -->
    /// 400.00  GET /2             -->
    /// 400.01                     <--  RST [noack]
    /// ```
    ///
    /// # References
    ///
    /// RFC 9293 §3.5.1 (half-open connections), §3.10.7.1; RFC 5382 REQ-5 (how long a NAT should remember); RFC 9112 §9.3.1.
    pub(in crate::rules) RULE: "reuse-of-forgotten-connection", Severity::Error,
    "a request after a pause is reset by a host that does not know the connection", Check::Read(check)
}

/// That the connection was open, as far as the client could know.
const NOT_CLOSED: &str = "No FIN from the server is in the capture.";

/// Pauses from which on an idle limit may be the reason.
const IDLE: Duration = Duration::from_secs(1);
/// After so long a pause a device that answers for the server may have forgotten the connection.
const LONG: Duration = Duration::from_secs(30);

fn check(connection: &Connection, ending: Option<&Ending<'_>>) -> Verdict {
    if connection.teardown.orderly || connection.reset[Who::Server as usize].is_none() {
        return not_yet(connection);
    }
    if let Some(ending) = ending.filter(|it| it.exchange.is_some()) {
        return match ending.reading {
            EndingKind::ReuseOfForgotten => read(connection, ending),
            _ => Verdict::Clear,
        };
    }
    if let Some(lost) = lost_data(connection) {
        return match lost.before {
            Before::Idle => unread(connection, lost.sent, &lost.reset),
            _ => Verdict::Clear,
        };
    }
    by_a_box(connection).unwrap_or(Verdict::Clear)
}

/// A request that another device's RST answered after a long pause.
fn by_a_box(connection: &Connection) -> Option<Verdict> {
    let reset = connection.reset[Who::Server as usize]?;
    let sent = connection.in_flight(Who::Client)?;
    let both = connection.sent.iter().all(|sent| sent.packets > 0);
    let late = reset.kind == Some(ResetKind::Foreign)
        && connection.teardown.by == By::Middlebox
        && sent.idle >= LONG
        && reset.frame_ref > sent.since
        && connection.fin.iter().all(Option::is_none);
    (late && both).then(|| unread(connection, sent, &reset))
}

/// Where the RST came from, as far as it shows. That its TTL alone differs is said of all rules in one place.
fn origin(connection: &Connection, reset: &CloseEvent) -> Option<Sentence> {
    let (low, high) = connection.sent[Who::Server as usize].ttls;
    let foreign = reset.kind == Some(ResetKind::Foreign);
    // A capture at the other place proves it; signs in one make it probable.
    let sure = reset.signs.has(ResetSigns::NOT_SENT);
    Some(match (foreign, low == high) {
        (true, true) if reset.ttl != low => sentence!(
            "The server did not send this RST: the RST arrived with TTL {}, all other segments from the server with TTL {}.",
            Value::hop_limit(reset.ttl, reset.frame_ref.frame),
            Value::hop_limit(low, reset.frame_ref.frame)
        ),
        (true, _) if sure => "The server did not send this RST: a device on the way did.".into(),
        (true, _) => "A device on the way sent this RST, not the server.".into(),
        (false, _) if reset.signs.has(ResetSigns::HOP) => return None,
        (false, _) => {
            "The server's host no longer had the connection, or a device on the way sent the RST in its name.".into()
        }
    })
}

/// Data whose meaning is not read.
fn unread(connection: &Connection, sent: InFlight, reset: &CloseEvent) -> Verdict {
    let message = sentence!(
        "After {} of idle time the client sent data. A RST came {} later: its sender had no such connection.",
        sent.idle,
        reset.frame_ref.time.since(sent.since.time)
    );
    let missing = connection.sent[Who::Server as usize].missing > 0;
    tell(
        &RULE,
        Severity::Error,
        match missing {
            true => Certainty::Possible,
            false => Certainty::Likely,
        },
        "[An idle connection was|# idle connections were] reset at the next data",
        message,
    )
    .adds(Some(NOT_CLOSED))
    .presumes(origin(connection, reset))
    .adds(measured_time::forgotten(sent.idle))
    .means(Some(match reset.is_from_elsewhere() {
        true => {
            "Most likely no program received what the client sent last. If so, a retry on a new connection is safe."
        }
        false => "No program received what the client sent last: it is safe to retry on a new connection.",
    }))
    .shows(
        Some(sent.since),
        format!("data after {} of idle time", duration(sent.idle)),
    )
    .shows(Some(reset.frame_ref), "RST: no such connection")
    .about(connection)
}

/// A request.
fn read(connection: &Connection, ending: &Ending<'_>) -> Verdict {
    let Some((exchange, sent)) = ending
        .exchange
        .and_then(|exchange| Some((exchange, request(exchange)?)))
    else {
        return Verdict::Clear;
    };
    if connection.syn_acks > 1 && connection.taken.is_none() {
        return Verdict::Clear;
    }
    let close = ending.close.frame_ref;
    let what = asked(Some(exchange));
    let since = before(connection, exchange).and_then(response);
    let since = since.map_or(connection.first, |answer| answer.last);
    let idle = sent.first.time.since(since.time);
    let later = close.time.since(sent.first.time);
    // Of a capture that begins with it the time before is not known.
    let begins = connection.opening == Opening::Midstream && before(connection, exchange).is_none();
    let message = match idle >= IDLE {
        _ if begins => sentence!(
            "The client sent a {}. A RST came {} later: its sender had no such connection.",
            &what,
            later
        ),
        true => sentence!(
            "After {} of idle time the client sent a {}. A RST came {} later: its sender had no such connection.",
            idle,
            &what,
            later
        ),
        false => sentence!(
            "The client sent a {} {} after the last data. A RST came {} later: its sender had no such connection.",
            &what,
            idle,
            later
        ),
    };
    let missing = connection.sent[Who::Server as usize].missing > 0;
    tell(
        &RULE,
        Severity::Error,
        match missing {
            true => Certainty::Possible,
            false => ending.certainty,
        },
        "[A request was|# requests were] reset on an unknown connection",
        message,
    )
    .adds(Some(match begins {
        true => "The capture does not show whether the server had closed before.",
        false => NOT_CLOSED,
    }))
    .presumes(origin(connection, &ending.close).filter(|_| !begins))
    .adds(measured_time::forgotten(idle).filter(|_| !begins))
    .means(Some(match (missing, ending.close.is_from_elsewhere()) {
        (true, _) => repetition(exchange),
        (false, true) => sentence!(
            "Most likely no program received {}. If so, a retry on a new connection is safe.",
            Value::named(named(exchange))
        ),
        (false, false) => sentence!(
            "No program received {}: [it is|they are] safe to retry on a new connection.",
            Value::named(named(exchange))
        ),
    }))
    .shows(Some(sent.first), what.to_string())
    .shows(Some(close), "RST without ACK: no such connection")
    .about(connection)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::ladder_check::found_by;

    const OPEN: &str = "SYN -->\n<-- SYN\nACK -->";

    #[test]
    fn it_is_the_same_in_any_protocol() {
        for data in [
            "GET / -->",
            "\"*2 GET a\" -->",
            "\"\\x17\\x03\\x03\\x00\\x05hello\" -->",
        ] {
            let text = format!("{OPEN}\n+908s {data}\n<-- RST [noack]");
            let found = found_by(&RULE, &text).expect("found");
            assert_eq!(found.severity, Severity::Error, "{data}");
            assert!(found.message.contains("908.0 s"), "{}", found.message);
            assert!(found.message.contains("900 s"), "{}", found.message);
        }
    }

    #[test]
    fn a_device_that_forgot_is_reported_with_its_ttl() {
        let text = format!(
            "{OPEN}\n\"a\" -->\n<-- \"b\"\nACK -->\n+412s \"c\" -->\n<-- RST [noack ttl=250]"
        );
        let found = found_by(&RULE, &text).expect("found");
        assert!(found.message.contains("with TTL 250"), "{}", found.message);
        assert!(found.message.contains("350 s"), "{}", found.message);
    }

    #[test]
    fn a_listener_that_accepted_nothing_has_forgotten_nothing() {
        for data in ["GET / -->", "\"hello\" -->"] {
            let again = "+1s <-- again\n+300ms again -->";
            let text =
                format!("SYN -->\n<-- SYN\nACK -->\n{data}\n{again}\n+2s <-- RST [seq=1 noack]");
            assert!(
                found_by(&RULE, &text).is_none() || !text.contains("<-- again"),
                "{text}"
            );
        }
    }

    #[test]
    fn at_work_nothing_is_forgotten() {
        let text =
            format!("{OPEN}\n\"a\" -->\n<-- \"b\"\nACK -->\n+5ms \"c\" -->\n<-- RST [noack]");
        assert!(found_by(&RULE, &text).is_none());
    }
}
