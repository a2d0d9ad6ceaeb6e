//! A request and the server's close crossed on an idle connection.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::analysis::connection::{By, CloseEvent, Connection, How, Phase, ResetKind, Who};
use crate::analysis::hosts::Measured;
use crate::base::certainty::Certainty;
use crate::base::frame_ref::FrameRef;
use crate::base::net::Endpoint;
use crate::protocol::http::Exchange;
use crate::rules::classify::{
    Ending, EndingKind, PAUSE, acknowledged_close, ending, is_first_in_view, request, response,
};
use crate::rules::lost_data::{Before, LostData, lost_data};
use crate::rules::measured_time;
use crate::rules::rule::{Check, Diagnosis, Verdict, rule};
use crate::rules::statement::{Sentence, Statement, Value, sentence};
use crate::rules::wording::{asked, close_word, named, not_yet, repetition_on, tell};
use crate::rules::{RuleInput, Severity};

rule! {
    /// # What happened
    ///
    /// The client kept a connection open for later requests. The server closed it after some idle time, just when the client
    /// sent its next request. The two crossed on the way. The server's host answers such a request with a RST, and no
    /// response comes.
    ///
    /// The client's log says `ECONNRESET`, `socket hang up`, `NoHttpResponseException`, `RemoteDisconnected`, or "A
    /// connection that was expected to be kept alive was closed by the server". A gateway answers 502 or 503.
    ///
    /// # Why it matters
    ///
    /// The error comes and goes, hits one request in many, and looks like a fault of the network. The cause is two timers:
    /// the client keeps idle connections as long as the server does, or longer. Some requests are then sent in the last
    /// moment. The server has not read the request, but the client cannot know that. On its own it may retry only idempotent
    /// requests.
    ///
    /// # Remedy
    ///
    /// - Make the client's idle timeout shorter than the server's (.NET `MaxServicePointIdleTime` or
    ///   `PooledConnectionIdleTimeout`, Node.js `keepAliveTimeout` of the agent, nginx's upstream `keepalive_timeout`). A
    ///   clear margin is enough.
    /// - Or make the server's idle timeout longer than that of every client and proxy in front (Node.js
    ///   `server.keepAliveTimeout` and `headersTimeout`, gunicorn `--keep-alive`, Kestrel `KeepAliveTimeout`). Behind an
    ///   AWS ALB that is above 60 s, unless it is set otherwise.
    /// - *If HTTP was spoken:* Also let the client retry idempotent requests on a new connection (RFC 9112 §9.3.1).
    ///
    /// # Tell it by
    ///
    /// The connection carried a response before, and was idle for about the server's keep-alive timeout. The server's FIN or
    /// RST comes within a round trip of the request.
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
    ///  5.040                     <--  FIN
    ///  5.041  GET /2 [crossed]   -->
    ///  5.051                     <--  RST [noack]
    ///  => teardown server fin between
    ///  => findings keep-alive-race
    /// ```
    ///
    /// # Not this
    ///
    /// The server already had the request when it closed:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /1             -->
    ///  0.040                     <--  200 "one"
    ///  0.050  ACK                -->
    ///  5.000  GET /2             -->
    ///  5.010                     <--  FIN
    ///  5.020  FIN                -->
    ///  5.030                     <--  ACK
    ///  => teardown server fin waiting
    /// ```
    ///
    /// The client had known of the FIN for seconds:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /1             -->
    ///  0.040                     <--  200 "one"
    ///  5.040                     <--  FIN
    ///  5.050  ACK                -->
    ///  9.000  GET /2             -->
    ///  9.010                     <--  RST [noack]
    /// ```
    ///
    /// An idle connection that nobody needs any more:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /1             -->
    ///  0.040                     <--  200 "one"
    ///  0.050  ACK                -->
    ///  5.040                     <--  FIN
    ///  5.050  FIN                -->
    ///  5.060                     <--  ACK
    /// ```
    ///
    /// # References
    ///
    /// RFC 9112 §9.3.1 (retrying requests), §9.5 (timeouts: "a client or server can close at any time"), §9.6; RFC 9110 §9.2.2.
    pub(in crate::rules) RULE: "keep-alive-race", Severity::Error,
    "a request crossed the server's close of an idle connection", Check::Read(check)
}

/// The exchange before this one.
pub(in crate::rules) fn before<'a>(
    connection: &'a Connection,
    this: &Exchange,
) -> Option<&'a Exchange> {
    let index = connection
        .spoken()
        .iter()
        .position(|exchange| std::ptr::eq(exchange, this))?;
    connection.spoken().get(index.checked_sub(1)?)
}

/// How long the connection had been idle when it was closed.
pub(in crate::rules) fn idle_until_close(
    connection: &Connection,
    ending: &Ending<'_>,
) -> Option<Duration> {
    let previous = before(connection, ending.exchange?)?;
    let last = response(previous)?.last;
    Some(ending.close.frame_ref.time.since(last.time))
}

fn check(connection: &Connection, ending: Option<&Ending<'_>>) -> Verdict {
    if connection.teardown.orderly || connection.sent[Who::Client as usize].bytes == 0 {
        return not_yet(connection);
    }
    if let Some(ending) = ending.filter(|it| it.exchange.is_some()) {
        return match ending.reading {
            EndingKind::Race => read(connection, ending),
            _ => Verdict::Clear,
        };
    }
    if let Some(lost) = lost_data(connection)
        && let Before::Crossed(close) = lost.before
    {
        return unread(connection, &close, &lost);
    }
    Verdict::Clear
}

/// The verb for a close with this segment.
fn closed(word: &'static str) -> &'static str {
    match word {
        "FIN" => "closed",
        _ => "reset",
    }
}

/// Data whose meaning is not read.
fn unread(connection: &Connection, close: &CloseEvent, lost: &LostData) -> Verdict {
    let (sent, at) = (lost.sent, close.frame_ref);
    let word = match close.kind {
        None => "FIN",
        Some(_) => "RST",
    };
    let bytes = Value::bytes(sent.bytes);
    let known = acknowledged_close(connection, sent.since);
    let message = match sent.since >= at {
        true if known.is_some() => sentence!(
            "The server {} the idle connection ({}). The client sent {} {} after that, when its host had acknowledged the {}.",
            closed(word),
            word,
            bytes,
            sent.since.time.since(at.time),
            word
        ),
        true => sentence!(
            "The server {} the idle connection ({}). The client sent {} {} after that.",
            closed(word),
            word,
            bytes,
            sent.since.time.since(at.time)
        ),
        false => sentence!(
            "The client sent {} on an idle connection. The server {} that connection ({}) {} later.",
            bytes,
            closed(word),
            word,
            at.time.since(sent.since.time)
        ),
    };
    tell(
        &RULE,
        Severity::Error,
        connection.teardown.certainty.max(Certainty::Likely),
        match known {
            Some(_) => "Data came just after the server's idle close[| on # connections]",
            None => "Data crossed the server's idle close[| on # connections]",
        },
        message,
    )
    .presumes(Some(match known {
        Some(_) => "The client's program had not noticed the close yet.",
        None => "The data and the close crossed on the way.",
    }))
    .means(Some(
        "The server did not process what the client sent last: it is safe to retry on a new connection.",
    ))
    .shows(Some(at), format!("{word} from the server"))
    .shows(Some(sent.since), "data that was never acknowledged")
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
    let close = ending.close.frame_ref;
    let word = close_word(ending);
    let what = asked(Some(exchange));
    let idle = idle_until_close(connection, ending);
    let is_first = before(connection, exchange).is_none();
    let mut message = Statement::from(match idle {
        Some(idle) => sentence!(
            "The server {} the connection ({}) after it had been idle for {}.",
            closed(word),
            word,
            idle
        ),
        // Whether it was idle, a capture that begins with the close does not show.
        None if is_first => sentence!("The server {} the connection ({}).", closed(word), word),
        None => sentence!(
            "The server {} the idle connection ({}).",
            closed(word),
            word
        ),
    });
    if let Some(whose) = idle.and_then(|idle| measured_time::idle(connection, idle, Who::Server)) {
        message.say(whose);
    }
    message.say(match sent.first.time >= close.time {
        true => sentence!(
            "The client sent its next {} {} after the {}.",
            &what,
            sent.first.time.since(close.time),
            word
        ),
        false => sentence!(
            "The client's next {} was already on its way: it was captured {} before the {}.",
            &what,
            close.time.since(sent.first.time),
            word
        ),
    });
    let known = acknowledged_close(connection, sent.first);
    if known.is_some() {
        message.say(sentence!(
            "The client's host had acknowledged the {} by then.",
            word
        ));
    }
    message.say("No response came.");
    let late = is_first_in_view(connection, exchange);
    if late {
        message.say(
            "The capture does not show whether the connection had been used before: the server may have closed as soon as it \
             had accepted it.",
        );
    }
    message.presume(match known {
        Some(_) => Sentence::from("The client's program had not noticed the close yet."),
        None => sentence!("The request and the {} crossed on the way.", word),
    });
    // Timeouts do not help against a close right behind a response.
    let at_once = idle.is_some_and(|idle| idle < PAUSE);
    let summary = match (known, at_once) {
        (Some(_), _) if is_first => "[A request|# requests] came just after the server's close",
        (None, _) if is_first => "[A request|# requests] crossed the server's close",
        (Some(_), _) => "[A request|# requests] came just after the server's idle close",
        (None, false) => "[A request|# requests] crossed the server's idle close",
        (None, true) => "[A request|# requests] crossed the server's close",
    };
    let verdict = tell(&RULE, Severity::Error, ending.certainty, summary, message)
        .means(Some(repetition_on(connection, exchange)))
        .shows(Some(close), format!("{word} from the server"))
        .shows(known, format!("{word} acknowledged by the client"))
        .shows(Some(sent.first), format!("{what}, no response"))
        .about(connection);
    match at_once {
        true => verdict.keeps(|remedy| remedy.contains("retry")),
        false => verdict,
    }
}

/// A server that closes while a request is unread in its socket resets the connection within this time after the request.
const AT_ONCE: Duration = Duration::from_millis(50);
/// How much times of the same timer differ at most: this share, or this time if it is more.
const SHARE: f64 = 0.03;
const FLOOR: Duration = Duration::from_millis(50);

/// A request after a pause, and the RST that answered it at once.
struct Suspect<'a> {
    connection: &'a Connection,
    exchange: &'a Exchange,
    idle: Duration,
    reset: FrameRef,
}

/// The connection, if a request on it came after a pause and was answered by a RST at once.
fn suspect(connection: &Connection) -> Option<Suspect<'_>> {
    let reset = (By::Server, How::Reset(ResetKind::Abort));
    let teardown = &connection.teardown;
    if (teardown.by, teardown.how) != reset || connection.exchanges.len() < 2 {
        return None;
    }
    let ending = ending(connection).filter(|it| it.reading == EndingKind::ResetBeforeResponse)?;
    let exchange = ending.exchange?;
    let sent = request(exchange)?;
    let idle = sent
        .first
        .time
        .since(response(before(connection, exchange)?)?.last.time);
    let reset = ending.close.frame_ref;
    let at_once = reset.time.since(sent.last.time) < AT_ONCE;
    (idle >= PAUSE && at_once).then_some(Suspect {
        connection,
        exchange,
        idle,
        reset,
    })
}

/// Requests that were unread in the server's socket when its idle timer closed it, so that its system sent a RST instead of
/// a FIN: the connections, and the diagnosis of each. One such RST may have any cause. The time shows this cause if it is
/// that of other idle closes of the server or of other such RSTs, or was announced.
pub(in crate::rules) fn lay_unread(facts: &RuleInput<'_>) -> BTreeMap<u32, Diagnosis> {
    let suspects: Vec<Suspect<'_>> = facts
        .connections
        .iter()
        .filter_map(|it| suspect(it))
        .collect();
    let mut servers: BTreeMap<Endpoint, Vec<Suspect<'_>>> = BTreeMap::new();
    for it in suspects {
        servers.entry(it.connection.server).or_default().push(it);
    }
    let mut found = BTreeMap::new();
    for (server, suspects) in servers {
        let closes = facts.summaries.iter().filter(|it| {
            it.server == server
                && (it.by, it.how, it.phase) == (By::Server, How::Fin, Phase::Between)
                && it.idle > 0
        });
        let closes = closes.map(|it| Duration::from_millis(it.idle.into()));
        let timer = Measured::cluster(closes.collect(), SHARE, FLOOR).filter(|it| it.count >= 2);
        let same = Measured::cluster(suspects.iter().map(|it| it.idle).collect(), SHARE, FLOOR);
        let same = same.filter(|it| it.count >= 2);
        for it in suspects {
            if let Some(story) = told_of(&it, timer, same) {
                found.insert(it.connection.id, story);
            }
        }
    }
    found
}

/// Whether this time is one of the measured ones.
fn is_of(measured: &Measured, time: Duration) -> bool {
    let margin = FLOOR.max(measured.median.mul_f64(SHARE));
    time + margin >= measured.range.0 && time <= measured.range.1 + margin
}

fn told_of(it: &Suspect<'_>, timer: Option<Measured>, same: Option<Measured>) -> Option<Diagnosis> {
    let announced = before(it.connection, it.exchange)
        .and_then(response)
        .and_then(|answer| answer.keep_alive.timeout())
        .filter(|seconds| measured_time::fires((*seconds).into(), it.idle));
    let why = if let Some(timer) = timer.filter(|timer| is_of(timer, it.idle)) {
        sentence!(
            "The server closes idle connections after {} ({} in the capture): this timeout expired when the request arrived.",
            timer.median,
            Value::count(timer.count as u64, "close", "closes")
        )
    } else if let Some(seconds) = announced {
        sentence!(
            "The server had announced an idle timeout of {}, which expired when the request arrived.",
            Duration::from_secs(seconds.into())
        )
    } else if let Some(same) = same.filter(|same| is_of(same, it.idle)) {
        sentence!(
            "The same happened after the same idle time on {}, so the server's idle timeout seems to have expired.",
            Value::count(same.count as u64, "connection", "connections")
        )
    } else {
        return None;
    };
    let sent = request(it.exchange)?;
    let what = asked(Some(it.exchange));
    Some(
        tell(
            &RULE,
            Severity::Error,
            Certainty::Likely,
            "[A request|# requests] crossed the server's idle reset",
            sentence!(
                "The connection was idle for {}. Then the client sent a {}, and the server reset the connection {} later.",
                it.idle,
                &what,
                it.reset.time.since(sent.last.time)
            ),
        )
        .presumes(Some(why))
        .adds(Some(
            "The request was still unread in the server's socket, so the server's host sent a RST instead of a FIN.",
        ))
        .means(Some(sentence!(
            "If so, the server did not process {}: [it is|they are] safe to retry on a new connection.",
            Value::named(named(it.exchange))
        )))
        .shows(Some(sent.first), what.to_string())
        .shows(Some(it.reset), "RST from the server")
        .story(),
    )
}

#[cfg(test)]
mod tests {
    use crate::rules::ladder_check;

    fn message(text: &str) -> Option<String> {
        let text = format!("SYN -->\n<-- SYN\nGET /1 -->\n<-- 200 \"one\"\nACK -->\n{text}");
        ladder_check::told_by(&super::RULE, &text)
    }

    /// A server that closes at once when it has accepted looks the same where the capture begins late.
    #[test]
    fn a_capture_that_begins_with_the_close_shows_no_idle_time() {
        let text = "ACK -->\n<-- FIN\nACK -->\n+15ms GET / -->\n<-- RST [noack]";
        let found = ladder_check::found_by(&super::RULE, text).expect("found");
        let told = found.message.to_string();
        assert!(
            told.contains("may have closed as soon as it had accepted"),
            "{told}"
        );
        assert!(found.certainty > crate::base::certainty::Certainty::Certain);
    }

    #[test]
    fn both_times_are_reported() {
        let told =
            message("+5s <-- FIN\n+1ms GET /2 [crossed] -->\n<-- RST [noack]").expect("found");
        assert!(
            told.contains("idle for 5.00 s") && told.contains("1.0 ms after"),
            "{told}"
        );
        assert!(
            told.contains("Node.js") && told.contains("safe to retry"),
            "{told}"
        );
    }

    /// A row: how the client's request meets the close, what is found, what its text has, and what it has not.
    #[test]
    fn what_followed_the_acknowledgement_of_the_close_did_not_cross_it() {
        let rows = [
            (
                "+5s <-- FIN\n+1ms GET /2 [crossed] -->\n<-- RST [noack]",
                "keep-alive-race",
                "crossed on the way",
                "acknowledged",
            ),
            (
                "+5s <-- FIN\nACK -->\n+1ms GET /2 -->\n<-- RST [noack]",
                "keep-alive-race",
                "had acknowledged the FIN",
                "crossed",
            ),
            // The request itself acknowledges it.
            (
                "+5s <-- FIN\n+1ms GET /2 -->\n<-- RST [noack]",
                "keep-alive-race",
                "had acknowledged the FIN",
                "crossed",
            ),
            // Right behind the response: no idle connection.
            (
                "+1ms <-- FIN\nACK -->\n+1ms GET /2 -->\n<-- RST [noack]",
                "reuse-of-closed-connection",
                "after its operating system had acknowledged the close",
                "crossed",
            ),
        ];
        let open = "SYN -->\n<-- SYN\nGET /1 -->\n<-- 200 \"one\"\nACK -->\n";
        for (text, rule, has, lacks) in rows {
            let proof = ladder_check::run(&format!("{open}{text}").parse().expect("a ladder"));
            assert_eq!(proof.rules(), [rule], "{text}");
            let told = proof.findings[0].message.to_string();
            assert!(
                told.contains(has) && !told.contains(lacks),
                "{text}: {told}"
            );
        }
    }

    #[test]
    fn a_close_right_behind_a_response_has_no_idle_timeout_to_set() {
        let text = "SYN -->\n<-- SYN\nGET /1 -->\n<-- 200 \"one\"\n<-- FIN\nGET /2 [crossed] -->\n<-- RST [noack]";
        let found = ladder_check::found_by(&super::RULE, text).expect("found");
        assert_eq!(found.remedies.len(), 1, "{:?}", found.remedies);
        assert!(found.remedies[0].contains("retry"), "{:?}", found.remedies);
    }

    #[test]
    fn a_request_that_was_unread_at_the_close_is_a_race_too() {
        let open = "SYN -->\n<-- SYN\nGET /1 -->\n<-- 200 \"one\"\nACK -->\n";
        let idle =
            |port: u16| format!("client :{port} server\n{open}+1001ms <-- FIN\nFIN -->\n<-- ACK\n");
        let lost = |port: u16, after: u64| {
            format!("client :{port} server\n{open}+{after}ms POST /2 \"x\" -->\n<-- RST\n")
        };
        let rules = |text: String| ladder_check::run(&text.parse().expect("a ladder")).rules();
        let all = rules(format!("{}{}{}", idle(1), idle(2), lost(3, 999)));
        assert!(all.contains(&"keep-alive-race"), "{all:?}");
        assert!(!all.contains(&"reset-before-response"), "{all:?}");
        let all = rules(format!("{}{}", lost(1, 999), lost(2, 1000)));
        assert!(all.contains(&"keep-alive-race"), "{all:?}");
        let all = rules(format!("{}{}{}", idle(1), idle(2), lost(3, 400)));
        assert!(all.contains(&"reset-before-response"), "{all:?}");
        assert!(!rules(lost(3, 999)).contains(&"keep-alive-race"));
    }

    #[test]
    fn data_of_any_protocol_crosses_a_close() {
        let open = "SYN -->\n<-- SYN\nACK -->\n\"PING\" -->\n<-- \"PONG\"\nACK -->";
        let told = |rest: &str| ladder_check::told_by(&super::RULE, &format!("{open}\n{rest}"));
        assert!(told("+2s <-- FIN\n+1ms \"GET a\" [crossed] -->\n<-- RST [noack]").is_some());
        assert!(told("+2s \"GET a\" -->\n<-- RST [crossed]").is_some());
        assert_eq!(told("+2s <-- FIN\nFIN -->\n<-- ACK"), None);
    }

    /// A program that sends on and on is not idle, though the server never spoke.
    #[test]
    fn an_upload_that_the_server_cuts_met_no_idle_connection() {
        let rules = |pause: &str| {
            let text = format!(
                "SYN -->\n<-- SYN\nACK -->\n\"\\x01\" -->\n<-- ACK\n+2s data 1000 -->\n<-- ACK\n{pause}<-- FIN\n\
                 +1ms data 1000 [crossed] -->\n<-- RST [noack]"
            );
            ladder_check::run(&text.parse().expect("a ladder")).rules()
        };
        let cut = rules("");
        assert!(!cut.contains(&"keep-alive-race"), "{cut:?}");
        assert!(rules("+2s ").contains(&"keep-alive-race"));
    }

    #[test]
    fn a_server_that_closes_while_both_talk_was_not_idle() {
        let open = "SYN -->\n<-- SYN\nACK -->\n\"PING\" -->\n<-- \"PONG\"\nACK -->\n";
        let rules = |wait: &str| {
            let text = format!(
                "{open}\"GET a\" -->\n{wait}<-- FIN\n+1ms \"GET b\" [crossed] -->\n<-- RST [noack]"
            );
            ladder_check::run(&text.parse().expect("a ladder")).rules()
        };
        assert!(rules("+2s ").contains(&"keep-alive-race"));
        let at_work = rules("");
        assert!(at_work.contains(&"data-lost-in-reset"), "{at_work:?}");
        assert!(!at_work.contains(&"keep-alive-race"), "{at_work:?}");
    }

    #[test]
    fn a_reset_races_as_well_as_a_fin() {
        let told = message("+5s POST /2 \"x\" -->\n<-- RST [crossed]").expect("found");
        assert!(
            told.contains("The server reset the connection (RST)") && told.contains("blindly"),
            "{told}"
        );
    }
}
