//! An idle connection was closed after a time that is a configured timeout.

use std::time::Duration;

use crate::analysis::connection::tls_close::client_left_first;
use crate::analysis::connection::{
    By, Connection, ConnectionOutcome, FailedReason, How, Phase, ResetKind, Roles, Who,
};
use crate::base::certainty::Certainty;
use crate::base::flow_end::FlowEnd;
use crate::base::frame_ref::FrameRef;
use crate::protocol::dialogue::{AppProtocol, DialogueFacts};
use crate::protocol::http::{ErrorCode, Framing, Protocol};
use crate::protocol::tls::CloseNotify;
use crate::rules::Severity;
use crate::rules::classify::{request, response};
use crate::rules::classify_tls::reset_while_idle;
use crate::rules::measured_time;
use crate::rules::rule::{Check, Verdict, rule};
use crate::rules::statement::{Sentence, sentence};
use crate::rules::unanswered::probed;
use crate::rules::wording::{not_yet, side, tell};

rule! {
    /// # What happened
    ///
    /// All requests had their responses, and the connection was kept open. One side closed it after an idle time that looks
    /// like a setting: a round number of seconds, a known default, or the `Keep-Alive: timeout` that the server had
    /// announced. A server that refuses the next connection was stopped: then no timer had run out, and this is not
    /// reported.
    ///
    /// # Why it matters
    ///
    /// This is normal, and it shows the idle timeout: a client may reuse a connection only within it. A client that reuses
    /// connections after the same time or later loses a request now and then to a close that crosses it.
    ///
    /// # Remedy
    ///
    /// - *If the server closed first:* Make the idle timeout of the client's connection pool shorter than this one, by more than
    ///   a round trip. Otherwise a request may cross the close and be lost.
    /// - *If the client closed first:* Change nothing: a client that closes idle connections before the server does
    ///   loses no request.
    ///
    /// # Tell it by
    ///
    /// Every request has its response. The FIN comes a round number of seconds after the last one.
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
    /// A response announced the close:
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
    /// A time that is not a usual setting:
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
    /// A request was waiting for its response, so the connection was not idle:
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
    pub(in crate::rules) RULE: "idle-timeout-close", Severity::Note,
    "an idle connection is closed after a time that looks like a setting", Check::Connection(check)
}

/// Shorter pauses are not idleness.
const AT_LEAST: Duration = Duration::from_millis(190);
/// In a protocol that is not read, a shorter pause may be anything.
const OPAQUE_AT_LEAST: Duration = Duration::from_secs(1);
/// A server that closes without `close_notify` may have died in the middle of an answer: only longer pauses are idleness.
const HIDDEN_AT_LEAST: Duration = Duration::from_secs(2);
/// How late programs notice an expired timer that they check from time to time.
const LATE: Duration = Duration::from_millis(350);

/// A close of an idle connection.
pub(in crate::rules) struct IdleClose {
    pub(in crate::rules) who: Who,
    pub(in crate::rules) since: FrameRef,
    pub(in crate::rules) time: Duration,
    /// The timeout that the server had announced, in seconds.
    pub(in crate::rules) promised: Option<u16>,
    /// Why the time is a configured timeout.
    reason: Option<Sentence>,
    /// What is exchanged is not read.
    unread: bool,
    /// The protocol is read after all, and nothing was under way in it.
    spoken: bool,
    /// The GOAWAY that ended it, before either side closed.
    goaway: Option<FrameRef>,
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
        reason: None,
        unread: false,
        spoken: false,
        goaway: None,
    })
}

/// The same on HTTP/2, where the server's GOAWAY without an error ends an idle connection, and either side closes it then
/// (RFC 9113 §6.8).
fn goaway_pause(connection: &Connection) -> Option<IdleClose> {
    let h2 = connection.h2.as_ref()?;
    let server = &h2.halves[Who::Server as usize];
    let goaway = server.goaways.first()?;
    let quiet = connection.exchanges.iter().all(|it| it.is_complete());
    let unseen = h2.halves.iter().any(|half| half.lost);
    let last = connection.exchanges.iter().filter_map(response);
    let since = last.map(|answer| answer.last).max()?;
    let closed = connection.teardown.how != How::Open && connection.teardown.at >= goaway.at.time;
    (goaway.code == ErrorCode::NO_ERROR && quiet && closed && !unseen && since < goaway.at).then(
        || IdleClose {
            who: Who::Server,
            since,
            time: goaway.at.time.since(since.time),
            promised: None,
            reason: None,
            unread: false,
            spoken: false,
            goaway: Some(goaway.at),
        },
    )
}

/// The same inside TLS, where `close_notify` or a longer pause shows that nothing was outstanding: only likely, as the data
/// is encrypted.
fn hidden_pause(connection: &Connection) -> Option<IdleClose> {
    let facts = connection.tls.as_deref()?;
    let server = facts.flows[Who::Server as usize];
    let since = server.last?;
    let time = connection.teardown.at.since(since.time);
    let closed = match (connection.teardown.by, connection.teardown.how) {
        (By::Server, How::Fin) => match server.close_notify {
            CloseNotify::Notify(..) => true,
            CloseNotify::None => time >= HIDDEN_AT_LEAST && server.lacking == 0,
            CloseNotify::Unclear => false,
        },
        _ => reset_while_idle(connection).is_some(),
    };
    let turns = &facts.turns_inside;
    let answered = turns.last == Some(FlowEnd::B) && !turns.full && !facts.only_tickets;
    let opaque = connection.teardown.phase == Phase::Opaque;
    (opaque && closed && answered && facts.caller == FlowEnd::A).then_some(IdleClose {
        who: Who::Server,
        since,
        time,
        promised: None,
        reason: None,
        unread: true,
        spoken: false,
        goaway: None,
    })
}

/// The same in a protocol that is not read: the server spoke last, and what the client had sent had arrived.
fn unread_pause(connection: &Connection) -> Option<IdleClose> {
    let facts = connection.dialogue.as_deref();
    let spoken = facts.is_some_and(DialogueFacts::is_read);
    if spoken && connection.teardown.phase != Phase::Between {
        return None;
    }
    let [client, server] = connection.last_data;
    let teardown = &connection.teardown;
    let asked = connection.sent[Who::Client as usize];
    let close = connection.fin[Who::Server as usize]?;
    // Sessions that the server keeps while the client shows signs of life, and the parting words of a server.
    let kept = facts
        .and_then(|it| it.protocol)
        .is_some_and(AppProtocol::keeps_session);
    let cut = connection.outcome == ConnectionOutcome::Failed(FailedReason::SessionCut);
    if kept || cut || facts.is_some_and(|it| it.complaint.is_some()) {
        return None;
    }
    let quiet = connection.protocol == Protocol::Opaque
        && connection.exchanges.is_empty()
        && connection.tls.is_none()
        && connection.roles == Roles::Handshake
        && (teardown.by, teardown.how) == (By::Server, How::Fin)
        && asked.bytes > 0
        && close.received >= connection.sent[Who::Client as usize].acknowledged
        && server.frame.0 > 0;
    // What the client sent after the close does not count.
    let answered = client < server || client > close.frame_ref;
    let time = close.frame_ref.time.since(server.time);
    (quiet && answered && time >= OPAQUE_AT_LEAST).then_some(IdleClose {
        who: Who::Server,
        since: server,
        time,
        promised: None,
        reason: None,
        unread: true,
        spoken,
        goaway: None,
    })
}

/// The same, if its time is a configured timeout.
pub(in crate::rules) fn idle(connection: &Connection) -> Option<IdleClose> {
    let pause = goaway_pause(connection)
        .or_else(|| pause(connection))
        .or_else(|| hidden_pause(connection))
        .or_else(|| unread_pause(connection))?;
    // What was not captured may have ended the idleness. A server that closes when the client has said goodbye has no timer.
    let drawn = pause.who == Who::Server
        && connection
            .tls
            .as_deref()
            .is_some_and(|facts| client_left_first(connection, facts));
    // A host whose probes of the connection got no answer has no timer of its own either.
    if drawn
        || probed(connection).is_some()
        || pause.time < AT_LEAST
        || connection.sent.iter().any(|sent| sent.missing > 0)
        || super::keep_alive_promise_broken::broken(connection).is_some()
    {
        return None;
    }
    let promised = pause
        .promised
        .filter(|seconds| measured_time::fires(u64::from(*seconds), pause.time));
    let seconds = (pause.time + LATE).as_secs();
    let reason = if let Some(seconds) = promised {
        sentence!(
            "The server had announced this timeout: {} (`Keep-Alive: timeout`).",
            Duration::from_secs(seconds.into())
        )
    } else if let Some(default) = measured_time::idle(connection, pause.time, pause.who) {
        default
    } else if let Some(round) = round(&pause) {
        sentence!("{}.", round)
    } else if pause.unread
        && seconds > 0
        && pause
            .time
            .saturating_sub(Duration::from_secs(pause.time.as_secs()))
            <= LATE
    {
        sentence!(
            "The time is a little more than {}, which fits a timer that is checked from time to time.",
            Duration::from_secs(seconds)
        )
    } else {
        return None;
    };
    Some(IdleClose {
        reason: Some(reason),
        ..pause
    })
}

/// That the time is round. A server that goes on closes a connection by its timer. A client closes its own when its program
/// ends, after any time: only one that is unlikely by chance counts.
fn round(pause: &IdleClose) -> Option<String> {
    match pause.who {
        Who::Server => {
            measured_time::round(pause.time).or_else(|| measured_time::round_in_short(pause.time))
        }
        Who::Client => measured_time::round_in_fives(pause.time),
    }
}

fn check(connection: &Connection) -> Verdict {
    let Some(idle) = idle(connection) else {
        return not_yet(connection);
    };
    // The server's close was the end of its response.
    let last = connection.exchanges.last().and_then(response);
    if idle.who == Who::Server && last.is_some_and(|it| it.framing == Framing::UntilClose) {
        return not_yet(connection);
    }
    let who = side(idle.who);
    let (word, close) = match connection.teardown.how {
        _ if idle.goaway.is_some() => ("GOAWAY", None),
        How::Fin => ("FIN", connection.fin[idle.who as usize]),
        _ => ("RST", connection.reset[idle.who as usize]),
    };
    let message = match idle.unread {
        _ if idle.goaway.is_some() => sentence!(
            "The {} sent GOAWAY (NO_ERROR) after {} without an open stream.",
            who,
            idle.time
        ),
        true if idle.spoken => sentence!(
            "The {} closed the connection ({}) {} after its last data. No reply was outstanding.",
            who,
            word,
            idle.time
        ),
        true => sentence!(
            "The {} closed the connection ({}) {} after its last data. As far as the direction of the data shows, no reply was \
             outstanding.",
            who,
            word,
            idle.time
        ),
        false => sentence!(
            "The {} closed the connection ({}) after {} without a request.",
            who,
            word,
            idle.time
        ),
    };
    let since = match idle.unread {
        true => "last data",
        false => "last response complete",
    };
    tell(
        &RULE,
        Severity::Note,
        connection.teardown.certainty.max(Certainty::Likely),
        sentence!(
            "[An idle connection was|# idle connections were] closed by the {}'s timer",
            who
        ),
        message,
    )
    .presumes(Some(sentence!(
        "An idle timeout of the {} had expired.",
        who
    )))
    .adds(idle.reason)
    .shows(Some(idle.since), since)
    .shows(
        close.map(|event| event.frame_ref).or(idle.goaway),
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

    /// The kernel gave up on a host that is gone; no program's timer had expired.
    #[test]
    fn probes_without_an_answer_are_no_timer() {
        let text = "SYN -->\n<-- SYN\nGET / -->\n<-- 200 \"x\"\nACK -->\n+1s probe -->\n+1s probe -->\n+1s probe -->\n+1s RST -->";
        let rules = ladder_check::run(&text.parse().expect("a ladder")).rules();
        assert!(
            rules.contains(&"keepalive-probes-unanswered") && !rules.contains(&super::RULE.name),
            "{rules:?}"
        );
    }

    /// No matter who closes after it: the timer was that of the side that sent the GOAWAY.
    #[test]
    fn a_goaway_ends_an_idle_connection_of_http2() {
        let open = "SYN -->\n<-- SYN\nh2 preface h2 SETTINGS -->\n<-- h2 SETTINGS\n";
        let asked = "h2 HEADERS 1 GET / END -->\n<-- h2 HEADERS 1 200 END\n";
        let told =
            |text: &str| ladder_check::told_by(&super::RULE, &format!("{open}{asked}{text}"));
        let server = told("+1s <-- h2 GOAWAY 1 NO_ERROR\n<-- FIN\nFIN -->\n<-- ACK");
        let server = server.expect("found");
        assert!(
            server.starts_with("The server sent GOAWAY (NO_ERROR) after 1.00 s"),
            "{server}"
        );
        let client = told("+1s <-- h2 GOAWAY 1 NO_ERROR\nFIN -->\n<-- FIN\nACK -->");
        assert!(client.is_some_and(|it| it.starts_with("The server sent GOAWAY")));
        assert_eq!(
            told("+1s <-- h2 GOAWAY 1 ENHANCE_YOUR_CALM\n<-- FIN\nFIN -->\n<-- ACK"),
            None
        );
        assert_eq!(
            told("+1430ms <-- h2 GOAWAY 1 NO_ERROR\n<-- FIN\nFIN -->\n<-- ACK"),
            None
        );
    }

    #[test]
    fn a_protocol_that_is_not_read_has_idle_limits_too() {
        let text = |pause: &str| {
            let open = "SYN -->\n<-- SYN\nACK -->";
            format!(
                "{open}\n\"*1 PING\" -->\n<-- \"+PONG\"\nACK -->\n+{pause} <-- FIN\nFIN -->\n<-- ACK"
            )
        };
        let told = |pause: &str| ladder_check::told_by(&super::RULE, &text(pause));
        assert!(told("2260ms").is_some_and(|it| it.contains("2.26 s")));
        assert!(told("300s").is_some_and(|it| it.contains("300")));
        assert_eq!(told("500ms"), None);
        assert_eq!(told("2600ms"), None);
    }

    /// The defaults of HTTP servers say nothing about a database's connection.
    #[test]
    fn a_default_is_one_of_the_protocol() {
        let text = |port: u16, pause: &str| {
            format!(
                "client :40000 server 10.0.0.2:{port}\nSYN -->\n<-- SYN\nACK -->\n\"Q select 1\" -->\n<-- \"T one\"\nACK -->\n+{pause} <-- FIN\nFIN -->\n<-- ACK"
            )
        };
        let told = |port, pause| {
            let told = ladder_check::told_by(&super::RULE, &text(port, pause));
            told.unwrap_or_else(|| panic!("{port} {pause}: not found"))
        };
        for port in [5432, 3306, 9000] {
            let message = told(port, "75s");
            assert!(!message.contains("default"), "{port}: {message}");
            assert!(
                message.contains("75 s is a round number"),
                "{port}: {message}"
            );
        }
        let mail = told(25, "300s");
        assert!(
            mail.contains("300 s matches the default of Postfix `smtpd_timeout`."),
            "{mail}"
        );
        let files = told(21, "300s");
        assert!(
            files.contains("vsftpd") && !files.contains("Caddy"),
            "{files}"
        );
        // What does not look into the connection may cut any.
        let cut = told(5432, "350s");
        assert!(cut.contains("AWS NLB"), "{cut}");
    }

    /// A program closes its connections when it ends.
    #[test]
    fn a_client_closes_after_any_time() {
        for (pause, told) in [
            ("401ms", false),
            ("2s", false),
            ("3s", false),
            ("5s", true),
            ("40s", true),
            ("43s", false),
        ] {
            let text = format!(
                "SYN -->\n<-- SYN\nGET / -->\n<-- 200 \"x\"\nACK -->\n+{pause} FIN -->\n<-- FIN\nACK -->"
            );
            let found = ladder_check::told_by(&super::RULE, &text);
            assert_eq!(found.is_some(), told, "{pause}: {found:?}");
        }
    }

    #[test]
    fn what_was_not_captured_may_have_been_a_request() {
        let text = "SYN -->\n<-- SYN\nGET / -->\n<-- 200 \"x\"\nACK -->\n+4s GET /2 ~~>\n<~~ 200 \"y\"\n+1s <-- FIN\nFIN -->\n<-- ACK";
        assert_eq!(ladder_check::told_by(&super::RULE, text), None);
    }

    #[test]
    fn the_reason_is_given() {
        let hint = message("75s", "x-a=b").expect("a default");
        assert!(
            hint.ends_with(
                "75 s matches the default of Azure Application Gateway v2, aiohttp server and nginx."
            ),
            "{hint}"
        );
        // A proxy's timer towards its own servers is none that a server has.
        let server = message("60s", "x-a=b").expect("a default");
        assert!(
            server.ends_with("AWS ALB, Tomcat and AWS Classic Load Balancer."),
            "{server}"
        );
        let left =
            "SYN -->\n<-- SYN\nGET / -->\n<-- 200 \"x\"\nACK -->\n+60s FIN -->\n<-- FIN\nACK -->";
        let client = ladder_check::told_by(&super::RULE, left).expect("a default");
        assert!(
            client.contains("60 s is a common default (") && client.ends_with(" others)."),
            "{client}"
        );
        let known = message("75s", "server=nginx/1.24.0").expect("a default");
        assert!(
            known.ends_with("75 s is the default of nginx `keepalive_timeout`."),
            "{known}"
        );
        let short = message("2s", "x-a=b").expect("a round number");
        assert!(!short.contains("gunicorn"), "{short}");
        let other = message("65s", "server=nginx/1.24.0").expect("a round number");
        assert!(!other.contains("Puma"), "{other}");
        assert!(message("35s", "x-a=b").is_some_and(|told| told.contains("round")));
        let promised = message("7s", "keep-alive=timeout=7").is_some();
        assert!(promised);
        assert_eq!(message("33.7s", "x-a=b"), None);
    }
}
