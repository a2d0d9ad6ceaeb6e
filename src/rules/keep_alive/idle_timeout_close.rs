//! An idle connection was closed after a time that is a configured timeout.

use crate::base::format::duration;
use std::time::Duration;

use crate::analysis::connection::{By, Connection, How, Phase, ResetKind, Who};
use crate::base::certainty::Certainty;
use crate::base::flow_end::FlowEnd;
use crate::base::frame_ref::FrameRef;
use crate::rules::Severity;
use crate::rules::classify::{request, response};
use crate::rules::measured_time;
use crate::rules::rule::{Check, Verdict, rule};
use crate::rules::statement::sentence;
use crate::rules::wording::{not_yet, side, tell};

rule! {
    /// # What happened
    ///
    /// All requests were answered, the connection was kept, and one side closed it after a while: the time it was idle is a
    /// round number of seconds, a known default, or what the server had announced with `Keep-Alive: timeout`.
    ///
    /// # Why it matters
    ///
    /// That is as it should be, and worth knowing: this is the limit within which a client may reuse a connection. A client
    /// that reuses connections for as long or longer will lose a request now and then to a close that crosses it.
    ///
    /// # Remedy
    ///
    /// - Compare the limit with the idle limit of whatever stands in front: that one should be shorter by some seconds.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /              -->
    ///  0.040                     <--  200 "hello"
    ///  0.050  ACK                -->
    ///  5.040                     <--  FIN
    ///  5.050  FIN                -->
    ///  5.060                     <--  ACK
    ///  => findings idle-timeout-close
    /// ```
    ///
    /// # Not this
    ///
    /// A close that was announced:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET / [close]      -->
    ///  0.040                     <--  200 "hello" [close]
    ///  0.041                     <--  FIN
    ///  0.050  FIN                -->
    ///  0.060                     <--  ACK
    ///  => findings none
    /// ```
    ///
    /// A time that is nobody's setting:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /              -->
    ///  0.040                     <--  200 "hello"
    ///  0.050  ACK                -->
    ///  3.540                     <--  FIN
    ///  3.550  FIN                -->
    ///  3.560                     <--  ACK
    ///  => findings none
    /// ```
    ///
    /// A request that was waiting for its answer was not idle:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /              -->
    ///  0.030                     <--  ACK
    ///  5.020                     <--  FIN
    ///  5.030  FIN                -->
    ///  5.040                     <--  ACK
    /// ```
    ///
    /// # References
    ///
    /// RFC 9112 §9.5 (failures and timeouts); RFC 2068 §19.7.1 (`Keep-Alive`).
    pub(super) RULE: "idle-timeout-close", Severity::Note,
    "an idle connection was closed after a time that is a setting", Check::Connection(check)
}

/// Shorter pauses are not idleness.
const AT_LEAST: Duration = Duration::from_millis(190);

/// A close of an idle connection.
pub(in crate::rules) struct IdleClose {
    pub(in crate::rules) who: Who,
    pub(in crate::rules) since: FrameRef,
    pub(in crate::rules) time: Duration,
    /// The timeout that the server had announced, in seconds.
    pub(in crate::rules) promised: Option<u16>,
    /// Why the time is a configured timeout.
    reason: String,
}

/// The idle period that ended in this close, of any length, if nothing was outstanding and nothing was lost.
pub(in crate::rules) fn pause(connection: &Connection) -> Option<IdleClose> {
    let teardown = &connection.teardown;
    if teardown.phase != Phase::Between {
        return None;
    }
    let who = match (teardown.by, teardown.how) {
        (By::Server, How::Fin | How::Reset(ResetKind::Abort)) => Who::Server,
        (By::Client, How::Fin | How::Reset(ResetKind::Abort)) => Who::Client,
        _ => return None,
    };
    let last = connection.exchanges.last()?;
    if !last.is_complete() || request(last).is_none() {
        return None;
    }
    let answer = response(last)?;
    Some(IdleClose {
        who,
        since: answer.last,
        time: teardown.at.since(answer.last.time),
        promised: answer.keep_alive.timeout(),
        reason: String::new(),
    })
}

/// The same inside TLS, where `close_notify` shows that nothing was outstanding: only likely, as the data is encrypted.
fn hidden_pause(connection: &Connection) -> Option<IdleClose> {
    let facts = connection.tls.as_deref()?;
    let server = Who::Server as usize;
    let closed = matches!(
        (connection.teardown.by, connection.teardown.how),
        (By::Server, How::Fin)
    );
    let since = facts.flows[server].last?;
    let said = facts.flows[server].close_notify.frame_ref().is_some();
    let answered = facts.last_word == Some(FlowEnd::B) && !facts.only_tickets;
    let opaque = connection.teardown.phase == Phase::Opaque;
    (opaque && closed && said && answered && facts.caller == FlowEnd::A).then(|| IdleClose {
        who: Who::Server,
        since,
        time: connection.teardown.at.since(since.time),
        promised: None,
        reason: String::new(),
    })
}

/// The same, if its time is a configured timeout.
pub(in crate::rules) fn idle(connection: &Connection) -> Option<IdleClose> {
    let pause = pause(connection).or_else(|| hidden_pause(connection))?;
    if pause.time < AT_LEAST || super::keep_alive_promise_broken::broken(connection).is_some() {
        return None;
    }
    let promised = pause
        .promised
        .filter(|seconds| measured_time::fires(u64::from(*seconds), pause.time));
    let reason = if let Some(seconds) = promised {
        format!("the server had announced `Keep-Alive: timeout={seconds}`")
    } else if let Some(default) = measured_time::idle(pause.time, pause.who) {
        default.to_string()
    } else {
        measured_time::round(pause.time).or_else(|| measured_time::round_in_short(pause.time))?
    };
    Some(IdleClose { reason, ..pause })
}

fn check(connection: &Connection) -> Verdict {
    let Some(idle) = idle(connection) else {
        return not_yet(connection);
    };
    let who = side(idle.who);
    let word = match connection.teardown.how {
        How::Fin => "FIN",
        _ => "RST",
    };
    let close = match connection.teardown.how {
        How::Fin => connection.fin[idle.who as usize],
        _ => connection.reset[idle.who as usize],
    };
    let message = format!(
        "The {who} closed with a {word} after {} without a request; {}.",
        duration(idle.time),
        idle.reason
    );
    tell(
        &RULE,
        Severity::Note,
        connection.teardown.certainty.max(Certainty::Likely),
        sentence!("idle connections were closed by the {}'s timer", who),
        message,
    )
    .shows(Some(idle.since), "the last response is complete")
    .shows(
        close.map(|event| event.frame_ref),
        format!("{word} from the {who}"),
    )
    .about(connection)
}

#[cfg(test)]
mod tests {
    use crate::rules::ladder_check;

    fn message(seconds: &str, field: &str) -> Option<String> {
        let text = format!(
            "SYN -->\n<-- SYN\nGET / -->\n<-- 200 \"x\" [{field}]\nACK -->\n+{seconds} <-- FIN\nFIN -->\n<-- ACK"
        );
        ladder_check::told_by(&super::RULE, &text)
    }

    #[test]
    fn the_reason_is_told() {
        assert!(message("75s", "x-a=b").is_some_and(|told| told.contains("nginx")));
        assert!(message("33s", "x-a=b").is_some_and(|told| told.contains("round")));
        let promised = message("7s", "keep-alive=timeout=7").is_some();
        assert!(promised);
        assert_eq!(message("33.7s", "x-a=b"), None);
    }
}
