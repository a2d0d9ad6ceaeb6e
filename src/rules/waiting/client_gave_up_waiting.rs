//! The client closed while it waited for the response.

use std::time::Duration;

use crate::analysis::connection::{
    CROSSES_WITHIN, Connection, ResetKind, Taken, Who, left_at_once,
};
use crate::base::certainty::Certainty;
use crate::base::format::whole_seconds;
use crate::base::frame_ref::FrameRef;
use crate::knowledge::service_name;
use crate::protocol::http::{Exchange, Message};
use crate::rules::Severity;
use crate::rules::classify::{Ending, EndingKind, is_open_ended, request, response, unaccepted};
use crate::rules::classify_h2::{client_cancelled, more_cancelled, was_sent_away};
use crate::rules::classify_messages::NO_WAIT;
use crate::rules::h2::h2_reset_burst::burst;
use crate::rules::measured_time;
use crate::rules::named_products::{is_browser, may_be_browser};
use crate::rules::rule::{Check, Verdict, rule};
use crate::rules::statement::{Sentence, Statement, Value, sentence};
use crate::rules::wording::{asked, close_word, named, not_yet, repetition, tell, waited};
use crate::rules::wording_tls::hidden_wait;

rule! {
    /// # What happened
    ///
    /// The client sent a complete request, waited, and closed the connection (FIN or RST) before the first byte of the final
    /// response. Its log says "The operation has timed out", `ETIMEDOUT`, `context deadline exceeded` or curl (28). The
    /// server's log says "client closed request" (nginx 499), "broken pipe" or `ClientAbortException`; a load balancer's says
    /// 460.
    ///
    /// Inside TLS without keys, the order of the records shows it: the client sent last, waited, and closed. Without an
    /// announced protocol an answer may not have been due. HTTP/2 has records that are not requests. In both cases the finding
    /// is a note.
    ///
    /// Where servers speak first (mail, FTP, SSH, MySQL), the client may have waited for the greeting. The server's
    /// operating system accepted the connection, but the program was busy, stopped or dead.
    ///
    /// # Why it matters
    ///
    /// The response comes too late for a client that has stopped waiting, and the server works on for nobody. The client does
    /// not know whether the request took effect. A round number of seconds is a timeout that somebody set; any other time may
    /// be a user who left.
    ///
    /// A client that closes sooner than a response can come does not want one. That is a note.
    ///
    /// A browser closes the connection when its user leaves the page. That is a note, after 3 s of waiting a warning.
    ///
    /// # Remedy
    ///
    /// - *If the request had not been acknowledged:* Find out what stopped the request on the way: capture at the server too.
    /// - *If a 504 came after the client had left:* First find out how long this request takes on the server behind the proxy,
    ///   and why.
    /// - *If a 504 came after the client had left:* Then make the server's timeout the shortest and the client's the longest,
    ///   with the proxy's in between.
    /// - *If no request went unacknowledged and no 504 came after the client had left:* Raise the client's timeout above the
    ///   time that the server needs for this request.
    /// - *If no request went unacknowledged and no 504 came after the client had left:* Or find out why the response took so
    ///   long: look in the server's log for this request.
    /// - *If no request went unacknowledged and no 504 came after the client had left:* Where services call one another, give
    ///   each a shorter timeout than its caller has.
    /// - *If no request went unacknowledged and no 504 came after the client had left:* Let the server stop working when the client has closed
    ///   (`Response.IsClientConnected`, `HttpContext.RequestAborted`, a request's context in Go).
    ///
    /// # Tell it by
    ///
    /// The client's FIN or RST comes first, often a round number of seconds after its request, and the server has sent no
    /// response byte.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /slow          -->
    ///  0.030                     <--  ACK
    ///  5.020  FIN                -->
    ///  5.030                     <--  ACK
    ///  => teardown client fin waiting
    ///  => findings client-gave-up-waiting
    /// ```
    ///
    /// # Not this
    ///
    /// A client that closes only its own direction still reads:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /              -->
    ///  0.021  FIN                -->
    ///  0.030                     <--  ACK
    ///  0.500                     <--  200 "hello"
    ///  0.510  ACK                -->
    ///  0.520                     <--  FIN
    ///  0.530  ACK                -->
    ///  => outcome 1 complete
    /// ```
    ///
    /// The response had begun:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /              -->
    ///  0.030                     <--  200 data 300 [length=1000]
    ///  5.020  RST                -->
    /// ```
    ///
    /// The capture ends while the client still waits:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /slow          -->
    ///  0.030                     <--  ACK
    ///  => teardown nobody open waiting
    /// ```
    ///
    /// Only the client's side was captured, so a response would not be seen:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <~~  SYN
    ///  0.020  GET /              -->
    ///  5.020  FIN                -->
    /// ```
    ///
    /// # References
    ///
    /// RFC 9110 §9.2.2 (idempotent methods), §15.5.9 (408); RFC 9112 §9.5 (timeouts).
    pub(in crate::rules) RULE: "client-gave-up-waiting", Severity::Error,
    "the client closes the connection while it waits for the response", Check::Read(check)
}

fn check(connection: &Connection, ending: Option<&Ending<'_>>) -> Verdict {
    let read = ending.filter(|it| it.reading == EndingKind::GaveUp);
    let Some(ending) = read else {
        let whose = |time| {
            [
                round(time, false),
                measured_time::wait(connection, time, Who::Client),
            ]
        };
        return hidden_wait(&RULE, connection, whose)
            .or_else(|| cancelled(connection))
            .or_else(|| ungreeted(connection))
            .unwrap_or_else(|| not_yet(connection));
    };
    let Some(exchange) = ending.exchange else {
        return Verdict::Clear;
    };
    let close = ending.close.frame_ref;
    if was_sent_away(connection, close) {
        return Verdict::Clear;
    }
    let word = close_word(ending);
    let what = asked(Some(exchange));
    let time = waited(Some(exchange), close);
    if let Some(lost) = lost_on_the_way(connection, exchange, close, word)
        .or_else(|| passed_unseen(connection, exchange, close, word))
    {
        return lost;
    }
    if is_drawn(connection, ending, time) {
        return gone(connection, ending, exchange, time);
    }
    if let Some(heard) = unread(connection, exchange, close) {
        return left_after(connection, exchange, [heard, close], word);
    }
    let end = request(exchange).map_or(u64::MAX, |message| message.end());
    let taken = connection.taken_at(&ending.close, end, time);
    let server = match (taken, is_open_ended(exchange)) {
        // The response, told below, shows that it was read.
        (Taken::BeforeClose, _) if response(exchange).is_some() => {
            "The server had received the request."
        }
        (Taken::BeforeClose, false) => {
            "The server's operating system had received the request. Whether the program had read it is not shown."
        }
        (Taken::BeforeClose, true) => {
            "The server's operating system had received what was sent of the request."
        }
        (Taken::AfterClose, _) => "The server acknowledged the request only after that close.",
        (Taken::Never, _) => "The server had not acknowledged the request.",
        (Taken::Unseen, _) => {
            "The capture shows no acknowledgement of the request before that close. The client did not repeat it: the capture \
             probably lacks one."
        }
    };
    let message = Statement::from(sentence!(
        "The client waited {} for the response to {}, then closed with a {}. No byte of the response had arrived.",
        time,
        named(exchange),
        word
    ))
    .and(server);
    let browser = is_browser(connection);
    let round = round(time, browser);
    let late = response(exchange).map(|answer| {
        if is_reaction(exchange, close) {
            return sentence!(
                "{} after that close the server responded with {}, probably because of it: how long the request takes is not \
                 known.",
                answer.first.time.since(close.time),
                exchange.status().unwrap_or_default().to_string()
            );
        }
        let took = waited(Some(exchange), answer.first);
        if let Some(by) = sent_before(connection, answer) {
            return sentence!(
                "The server had sent the response {} after the request at the latest, as the number of a later segment ({}) shows. It was \
                 lost before it was captured, and came again {} after the request.",
                waited(Some(exchange), by),
                by,
                took
            );
        }
        if answer.first < close {
            return sentence!(
                "The response had been sent {} before that close, and crossed it.",
                close.time.since(answer.first.time)
            );
        }
        match exchange.status().filter(|it| *it >= 500) {
            Some(504) => sentence!(
                "The server responded with 504 (a timeout of its own) {} after the request, too late for the client.",
                took
            ),
            Some(status) => sentence!(
                "The server responded with {} {} after the request: a client that waits longer gets that error.",
                status.to_string(),
                took
            ),
            None => sentence!(
                "The response came {} after the request, too late for the client.",
                took
            ),
        }
    });
    let again = late
        .is_some()
        .then_some("With the same timeout a retry fails again, unless the server responds sooner.");
    let others = usual(connection).map(|usual| {
        sentence!(
            "The other requests on this connection got a response within {}.",
            usual
        )
    });
    let reset = ending.close.kind.is_some();
    let soon = NO_WAIT.max(connection.expected_round_trip() * 2);
    // No program has so short a timeout; and what had been sent before the close was not awaited any longer.
    let crossed = response(exchange).is_some_and(|answer| {
        answer.first < close && close.time.since(answer.first.time) < CROSSES_WITHIN
    });
    let hasty = time <= NO_WAIT
        || crossed
        || !reset && (time <= soon || left_at_once(connection, exchange));
    let sooner = hasty
        && connection.connect_time.is_some_and(|it| time < it)
        && usual(connection).is_none_or(|it| time < it);
    let severity = match may_be_browser(connection) {
        _ if hasty => Severity::Note,
        false => Severity::Error,
        true => browsers_severity(time, round.is_some()),
    };
    tell(
        &RULE,
        severity,
        ending.certainty,
        "Client closed [the connection|# connections] before the response",
        message,
    )
    .adds(round)
    .adds(browser.then_some(CANCELS))
    .adds(measured_time::wait(connection, time, Who::Client))
    .adds(late)
    .adds(others)
    .adds(sooner.then_some(
        "That is sooner than a round trip took in the handshake: the client did not wait for a response.",
    ))
    .means(Some(repetition(exchange)))
    .means(again.filter(|_| !hasty))
    .shows(
        request(exchange).map(|message| message.last),
        format!("{what} complete"),
    )
    .shows(
        Some(close),
        format!("{word} from the client, no response byte received"),
    )
    .about(connection)
    .advises(hasty.then_some(HASTY))
}

/// The segment that shows that a response had been sent before the first copy of it that was captured: the server's FIN, whose
/// number is behind it.
fn sent_before(connection: &Connection, answer: &Message) -> Option<FrameRef> {
    let fin = connection.fin[Who::Server as usize]?;
    let behind = fin.sent > answer.start && fin.frame_ref < answer.first;
    (behind && connection.unseen_fin(Who::Server).is_none()).then_some(fin.frame_ref)
}

/// Whether a response came so soon after the client's close, of which it had shown nothing for long, that the close probably
/// caused it: many programs end their work on a request whose client has left.
pub(in crate::rules) fn is_reaction(exchange: &Exchange, close: FrameRef) -> bool {
    const SOON: Duration = Duration::from_millis(50);
    let Some((asked, answer)) = request(exchange).zip(response(exchange)) else {
        return false;
    };
    let after = answer.first.time.since(close.time);
    answer.first > close && after <= SOON && close.time.since(asked.last.time) >= after * 10
}

/// Whether a RST without ACK was drawn from a host that had no such connection any more, and no close of the client was captured,
/// sooner than any program's timeout: what ended it there is not known.
fn is_drawn(connection: &Connection, ending: &Ending<'_>, time: Duration) -> bool {
    let own = connection.fin[Who::Client as usize];
    ending.close.kind == Some(ResetKind::NoSocket)
        && own.is_none()
        && time < CROSSES_WITHIN
        && !may_be_browser(connection)
}

/// The client's host had no such connection any more when a segment of the server came.
fn gone(
    connection: &Connection,
    ending: &Ending<'_>,
    exchange: &Exchange,
    time: Duration,
) -> Verdict {
    let close = ending.close.frame_ref;
    let message = sentence!(
        "The client's host answered a segment of the server with a RST, {} after {}: it had no such connection any more. What had \
         ended it there is not in the capture.",
        time,
        named(exchange)
    );
    tell(
        &RULE,
        Severity::Note,
        Certainty::Possible,
        "Client closed [the connection|# connections] before the response",
        message,
    )
    .presumes(Some("The client's program had closed, or a RST that the capture lacks had come in the server's name."))
    .means(Some(repetition(exchange)))
    .shows(
        request(exchange).map(|message| message.last),
        format!("{} complete", asked(Some(exchange))),
    )
    .shows(Some(close), "RST from the client: no such connection")
    .about(connection)
    .advises(Some(ELSEWHERE))
}

/// What to do where the end of a connection is not in the capture.
const ELSEWHERE: &str =
    "Capture at the client, without gaps: that shows what ended the connection there.";

/// What to change where a client does not wait.
const HASTY: &str = "Change nothing if the client only notifies. Otherwise let it read the response before it closes.";

/// What the server sent last between a request and the close, if it is of no response that was read.
fn unread(connection: &Connection, exchange: &Exchange, close: FrameRef) -> Option<FrameRef> {
    let heard = connection.last_data[Who::Server as usize];
    let asked = request(exchange)?.last;
    let unread = asked < heard && heard < close && !connection.is_of_response(heard);
    unread.then_some(heard)
}

/// The client left, and what the server had sent is not read: it may have been the response.
fn left_after(
    connection: &Connection,
    exchange: &Exchange,
    [heard, close]: [FrameRef; 2],
    word: &'static str,
) -> Verdict {
    let last = connection.last_data[Who::Client as usize];
    let went_on = heard < last && last < close;
    let message = match went_on {
        true => sentence!(
            "The server answered {} with data that hangup does not read as a response. After it the client sent more, got nothing back, \
             and closed with a {} {} later.",
            named(exchange),
            word,
            close.time.since(last.time)
        ),
        false => sentence!(
            "The client closed with a {} {} after the last byte of {}. Before that the server had sent data that hangup does not read as a response.",
            word,
            waited(Some(exchange), close),
            named(exchange)
        ),
    };
    tell(
        &RULE,
        Severity::Note,
        Certainty::Possible,
        "Client closed [the connection|# connections] before the response",
        message,
    )
    .presumes(Some(match went_on {
        true => "The client did not wait for an answer to what it sent last.",
        false => "That data was not the whole response.",
    }))
    .means(Some(repetition(exchange)))
    .shows(Some(heard), "last data from the server")
    .shows(Some(last).filter(|_| went_on), "last data from the client")
    .shows(Some(close), format!("{word} from the client"))
    .about(connection)
    .advises(Some(if went_on { HASTY } else { UNREAD }))
}

/// The server had sent its response before the client left, and the client never acknowledged any of it.
fn lost_on_the_way(
    connection: &Connection,
    exchange: &Exchange,
    close: FrameRef,
    word: &'static str,
) -> Option<Verdict> {
    let sent = &connection.sent[Who::Server as usize];
    let answer = response(exchange)?;
    let repeated = unaccepted(connection, answer)?;
    if answer.first > close || sent.acknowledged > answer.start {
        return None;
    }
    let told = sentence!(
        "The server sent its response to {} {} after the request, and repeated it {}. The client acknowledged none of it, and closed \
         with a {} after {}.",
        named(exchange),
        waited(Some(exchange), answer.first),
        match repeated {
            1 => "once".to_owned(),
            more => format!("{more} times"),
        },
        word,
        waited(Some(exchange), close)
    );
    let evidence = [
        (
            request(exchange).map(|message| message.last),
            format!("{} complete", asked(Some(exchange))),
        ),
        (
            Some(answer.first),
            "response, never acknowledged".to_owned(),
        ),
        (Some(close), format!("{word} from the client")),
    ];
    Some(response_lost(connection, exchange, told, evidence))
}

/// The numbers of the server's later segments show that it had sent something, of which the client had nothing.
fn passed_unseen(
    connection: &Connection,
    exchange: &Exchange,
    close: FrameRef,
    word: &'static str,
) -> Option<Verdict> {
    let skipped = connection.skipped(Who::Server)?;
    let asked_at = request(exchange)?.last;
    if response(exchange).is_some() || skipped.shown_by < asked_at {
        return None;
    }
    let told = sentence!(
        "The client waited {} for the response to {}, then closed with a {}. The number of a later segment shows that the server had \
         sent {}. The capture has none of it, and the client acknowledged none.",
        waited(Some(exchange), close),
        named(exchange),
        word,
        Value::bytes(skipped.bytes)
    );
    let evidence = [
        (
            Some(asked_at),
            format!("{} complete", asked(Some(exchange))),
        ),
        (Some(close), format!("{word} from the client")),
        (
            Some(skipped.shown_by),
            "segment whose number shows what is missing".to_owned(),
        ),
    ];
    Some(response_lost(connection, exchange, told, evidence))
}

/// The client left because the response did not get through to it.
fn response_lost(
    connection: &Connection,
    exchange: &Exchange,
    told: Sentence,
    evidence: [(Option<FrameRef>, String); 3],
) -> Verdict {
    let mut telling = tell(
        &RULE,
        Severity::Error,
        Certainty::Likely,
        "Client closed [the connection|# connections] before the response",
        Statement::from(told),
    )
    .presumes(Some("The response was lost on the way to the client."))
    .means(Some(repetition(exchange)));
    for (at, note) in evidence {
        telling = telling.shows(at, note);
    }
    telling.about(connection).advises(Some(LOST_ON_THE_WAY))
}

/// What to look at where the response did not get through.
pub(in crate::rules) const LOST_ON_THE_WAY: &str = "Find out what stops the server's data on its way to the client: a firewall, a route of one direction, a \
                               link with a smaller MTU. Capture at the other side too.";

/// What to look at where the response may have come.
const UNREAD: &str =
    "Look at what the server sent before the close: if it is the whole response, change nothing.";

/// Whether a longer timeout would have helped none of these: an error came after the client had left, or the response did not
/// get through.
pub(in crate::rules) fn needs_no_timeout(rule: &str, own: &[&Connection]) -> bool {
    let never_came = |it: &&Connection| {
        let answer = it.spoken().last().and_then(response);
        match answer {
            Some(answer) => unaccepted(it, answer).is_some(),
            None => it.skipped(Who::Server).is_some(),
        }
    };
    let is_error = |it: &&Connection| {
        let mut all = it.spoken().iter();
        let close = it.teardown.frame_ref();
        let late = |exchange: &Exchange| {
            let began = response(exchange).map(|answer| answer.first.time);
            let failed = exchange.status().is_some_and(|status| status >= 500);
            failed
                && began.is_some_and(|began| began > it.teardown.at)
                && !is_reaction(exchange, close)
        };
        all.any(late)
    };
    rule == RULE.name && !own.is_empty() && own.iter().all(|it| is_error(it) || never_came(it))
}

/// The client left a server that, by its port, should have greeted it.
fn ungreeted(connection: &Connection) -> Option<Verdict> {
    let protocol = service_name(connection.ungreeted()?)?;
    let opened = connection
        .first
        .time
        .after(connection.connect_time.unwrap_or_default());
    let time = connection.teardown.at.since(opened);
    let message = sentence!(
        "The server's operating system accepted the connection, and the program sent nothing. The client waited {} and closed.",
        time
    );
    let first = sentence!(
        "The client waited for a greeting: {} servers, for which port {} is known, speak first.",
        protocol,
        connection.server.port.to_string()
    );
    let close = connection.teardown.frame_ref();
    let found = tell(
        &RULE,
        Severity::Error,
        Certainty::Likely,
        "Client closed [the connection|# connections] before the greeting",
        message,
    )
    .presumes(Some(first))
    .adds(round(time, false))
    .shows(
        connection.last_syn[Who::Server as usize],
        "SYN-ACK from the server",
    )
    .shows(Some(close), "close by the client, no byte received")
    .about(connection);
    Some(found)
}

/// A client that cancels a stream sooner did not wait for it: users and programs change their minds.
const WAITED: Duration = Duration::from_secs(1);
/// A user who leaves a page sooner did not leave because it was slow.
const PATIENT: Duration = Duration::from_secs(3);
/// Why a browser closes.
const CANCELS: &str =
    "A browser does this when the user leaves the page or a script cancels the request.";
/// Why a program cancels without having waited.
const CANCELS_AT_ONCE: &str =
    "So soon, a program cancels what it no longer needs, or has a deadline below one second.";

/// How severe it is that a browser did not wait.
fn browsers_severity(time: Duration, is_round: bool) -> Severity {
    match time {
        _ if is_round => Severity::Error,
        _ if time >= PATIENT => Severity::Warning,
        _ => Severity::Note,
    }
}

/// An HTTP/2 stream that the client cancelled while it waited (RFC 9113 §7, CANCEL).
fn cancelled(connection: &Connection) -> Option<Verdict> {
    let all = connection.exchanges.iter().filter_map(|exchange| {
        let reset = client_cancelled(exchange)?;
        let gave_up = exchange.response.is_none()
            && request(exchange).is_some_and(|message| message.is_complete());
        let time = waited(Some(exchange), reset.at);
        gave_up.then_some((exchange, reset, time))
    });
    let all: Vec<_> = all.collect();
    let &(exchange, reset, time) = all.iter().max_by_key(|(_, _, time)| *time)?;
    let at_once = time < WAITED;
    // Many at once are one finding of their own.
    if at_once && burst(connection).is_some() {
        return None;
    }
    let more = more_cancelled(all.len() - 1);
    let what = asked(Some(exchange));
    let told = sentence!(
        "The client cancelled stream {}, {} after the last byte of {}. No byte of the response had arrived.",
        exchange.stream_id().unwrap_or(0),
        time,
        named(exchange)
    );
    let browser = is_browser(connection);
    let round = round(time, browser);
    let severity = match browser {
        _ if at_once => Severity::Note,
        true => browsers_severity(time, round.is_some()),
        false if round.is_some() => Severity::Error,
        false => Severity::Warning,
    };
    let verdict = tell(
        &RULE,
        severity,
        connection.teardown.certainty,
        "Client cancelled [a stream|streams on # connections] while waiting",
        told,
    )
    .adds(round)
    .adds(match browser {
        true => Some(CANCELS),
        false if at_once => Some(CANCELS_AT_ONCE),
        false => None,
    })
    .adds(
        (!at_once)
            .then(|| measured_time::wait(connection, time, Who::Client))
            .flatten(),
    )
    .adds(more)
    .means(Some(repetition(exchange)))
    .shows(
        request(exchange).map(|message| message.last),
        format!("{what} complete"),
    )
    .shows(Some(reset.at), "RST_STREAM (CANCEL) from the client")
    .about(connection)
    .advises(at_once.then_some(CANCELLED_AT_ONCE));
    Some(verdict)
}

/// What to change where a client cancels a request sooner than most timeouts are.
const CANCELLED_AT_ONCE: &str = "Change nothing if the client no longer needed the response. Otherwise raise its deadline above the time that the server needs.";

/// A round number of seconds is a setting. Users of browsers leave after any time: with them only multiples of 5 s count.
fn round(time: Duration, browser: bool) -> Option<Sentence> {
    let seconds = measured_time::is_round(time)?;
    if browser && seconds % 5 != 0 {
        return None;
    }
    Some(sentence!(
        "{} is a round number: probably a configured timeout.",
        whole_seconds(seconds)
    ))
}

/// The longest wait of another request on this connection.
pub(super) fn usual(connection: &Connection) -> Option<Duration> {
    let complete = connection.spoken().iter();
    complete
        .filter(|exchange| exchange.is_complete())
        .filter_map(|exchange| {
            let answered = response(exchange)?.first;
            (answered.time < connection.teardown.at).then(|| exchange.waited())?
        })
        .max()
}

#[cfg(test)]
mod tests {
    use crate::rules::ladder_check;

    fn message(text: &str) -> Option<String> {
        let text = format!("SYN -->\n<-- SYN\nACK -->\n{text}");
        ladder_check::told_by(&super::RULE, &text)
    }

    #[test]
    fn a_round_time_is_a_setting() {
        let told = message("GET / -->\n<-- ACK\n+30s FIN -->\n<-- ACK").expect("found");
        assert!(
            told.contains("30.0 s") && told.contains("round number"),
            "{told}"
        );
        let told = message("GET / -->\n<-- ACK\n+3.4s RST -->").expect("found");
        assert!(
            told.contains("waited 3.40 s") && told.contains("a RST") && !told.contains("round"),
            "{told}"
        );
    }

    /// A RST that answers a segment is no decision of the client's program.
    #[test]
    fn a_host_without_the_connection_had_no_timeout() {
        let drawn = "GET / -->\n<-- ACK\nRST [noack] -->";
        let told = message(&format!("+1ms {drawn}")).expect("found");
        assert!(
            told.contains("it had no such connection any more"),
            "{told}"
        );
        let told = message("GET / -->\n<-- ACK\nRST -->").expect("found");
        assert!(told.contains("then closed with a RST"), "{told}");
    }

    /// A server of another protocol answers in its own: a client that leaves after that had an answer.
    #[test]
    fn what_is_not_read_may_have_been_the_response() {
        let ask =
            r#""\x03\x00\x00\x13\x0e\xe0\x00\x00\x00\x00\x00\x01\x00\x08\x00\x03\x00\x00\x00" -->"#;
        for (answer, told) in [
            ("<-- ACK", "No byte of the response"),
            ("<-- data 9\nACK -->", "not read as a response"),
        ] {
            let found = message(&format!("{ask}\n{answer}\n+30s FIN -->\n<-- ACK"));
            assert!(
                found.as_ref().is_some_and(|it| it.contains(told)),
                "{found:?}"
            );
        }
    }

    /// The wait is counted from what the client sent last, and that it was not answered is a fact.
    #[test]
    fn a_client_that_goes_on_after_what_is_not_read_waits_from_then_on() {
        let ask =
            r#""\x03\x00\x00\x13\x0e\xe0\x00\x00\x00\x00\x00\x01\x00\x08\x00\x03\x00\x00\x00" -->"#;
        let told = message(&format!(
            "{ask}\n<-- data 9\nACK -->\n+50ms data 40 -->\n<-- ACK\n+12ms FIN -->\n<-- ACK"
        ));
        assert!(
            told.as_ref()
                .is_some_and(|it| it.contains("got nothing back") && it.contains("13.0 ms later")),
            "{told:?}"
        );
    }

    /// The first copy was lost before the place of capture; the FIN behind it was not.
    #[test]
    fn a_retransmission_is_not_when_the_response_was_sent() {
        let told = |fin: &str| {
            let text = format!(
                "GET / -->\n+1400ms FIN -->\n{fin}\n+5s <-- 200 \"hello\" FIN [seq=1]\nRST [noack] -->"
            );
            message(&text).expect("found")
        };
        let late = told("<-- ACK");
        assert!(late.contains("too late for the client"), "{late}");
        let lost = told("+1s <-- FIN [seq=44]");
        assert!(
            lost.contains("2.40 s after the request at the latest"),
            "{lost}"
        );
    }

    /// Users leave pages after any time. Scripts have timeouts of some seconds.
    #[test]
    fn what_a_browser_cancels_is_its_users_wish() {
        use crate::rules::Severity::{Error, Note, Warning};
        for (agent, wait, severity) in [
            ("Firefox/128.0", "0ms", Note),
            ("Firefox/128.0", "700ms", Note),
            ("Firefox/128.0", "2s", Note),
            ("Chrome/126.0", "3s", Warning),
            ("Chrome/126.0", "5s", Error),
            ("curl/8.5", "700ms", Error),
            ("curl/8.5", "3s", Error),
        ] {
            let text = format!(
                "SYN -->\n<-- SYN\nACK -->\nGET / [user-agent={agent}] -->\n<-- ACK\n+{wait} FIN -->\n<-- FIN\nACK -->"
            );
            let found = ladder_check::run(&text.parse().expect("a ladder")).findings;
            let found: Vec<_> = found.iter().map(|it| (it.rule, it.severity)).collect();
            assert_eq!(
                found,
                [("client-gave-up-waiting", severity)],
                "{agent}, {wait}"
            );
        }
    }

    /// Nothing shows that a client which cancels at once has waited; what it asked for is lost all the same.
    #[test]
    fn a_stream_that_is_cancelled_at_once_is_a_note() {
        use crate::rules::Severity::{Error, Note, Warning};
        for (wait, severity) in [
            ("20ms", Note),
            ("900ms", Note),
            ("1300ms", Warning),
            ("5s", Error),
        ] {
            let text = format!(
                "SYN -->\n<-- SYN\nh2 preface h2 SETTINGS -->\n<-- h2 SETTINGS\nh2 HEADERS 1 GET / END -->\n<-- ACK\n\
                 +{wait} h2 RST_STREAM 1 CANCEL -->\n<-- ACK\n+10s h2 GOAWAY 0 NO_ERROR FIN -->\n<-- FIN\nACK -->"
            );
            let found = ladder_check::run(&text.parse().expect("a ladder")).findings;
            let found: Vec<_> = found.iter().map(|it| (it.rule, it.severity)).collect();
            assert_eq!(found, [("client-gave-up-waiting", severity)], "{wait}");
            let fix = ladder_check::found_by(&super::RULE, &text).expect("found");
            let nothing = fix.remedies[0].starts_with("Change nothing if the client no longer");
            assert_eq!(nothing, severity == Note, "{:?}", fix.remedies);
        }
    }

    #[test]
    fn a_server_that_should_greet_and_does_not_is_reported() {
        let told = |port: &str, wait: &str| {
            let text = format!(
                "client server :{port}\nSYN -->\n<-- SYN\nACK -->\n+{wait} FIN -->\n<-- ACK\n+5s <-- FIN\nACK -->"
            );
            ladder_check::told_by(&super::RULE, &text)
        };
        let found = told("3306", "3s").expect("found");
        assert!(
            found.contains("3.00 s") && found.contains("MySQL"),
            "{found}"
        );
        // A probe does not wait, and on other ports the client begins.
        assert_eq!(told("3306", "40ms"), None);
        assert_eq!(told("8080", "3s"), None);
        assert_eq!(told("993", "3s"), None);
    }

    /// The server did respond: what it sent is repeated until the client leaves, and after.
    #[test]
    fn a_response_that_does_not_get_through_is_no_slow_response() {
        use crate::rules::ladder_check;
        let lost = "<-- 200 \"hello\"\n+300ms <-- again\n+600ms <-- again\n+1s FIN [ack=1] -->\n<-- ACK\n+1s <-- again\n+4s <-- again";
        let text = format!("SYN -->\n<-- SYN\nACK -->\nGET / -->\n<-- ACK\n{lost}");
        let proof = ladder_check::run(&text.parse().expect("a ladder"));
        assert_eq!(proof.rules()[0], super::RULE.name, "{:?}", proof.rules());
        let told = proof.findings[0].message.to_string();
        assert!(
            told.contains("acknowledged none of it") && told.contains("lost on the way"),
            "{told}"
        );
    }

    /// Near the client nothing of a lost response is captured, but the server's next segment counts it.
    #[test]
    fn the_number_of_a_later_segment_shows_a_response_that_was_lost() {
        use crate::rules::ladder_check;
        let text = |last: &str| {
            format!(
                "SYN -->\n<-- SYN\nACK -->\nGET / -->\n<-- ACK\n+2s FIN [ack=1] -->\n<-- ACK [{last}]"
            )
        };
        let told = |last: &str| ladder_check::told_by(&super::RULE, &text(last)).expect("found");
        let lost = told("seq=418");
        assert!(
            lost.contains("had sent 417 B") && lost.contains("lost on the way"),
            "{lost}"
        );
        // One number may be a FIN.
        for other in ["seq=1", "seq=2"] {
            let told = told(other);
            assert!(!told.contains("lost on the way"), "{other}: {told}");
        }
    }

    #[test]
    fn what_the_server_needed_before_is_said() {
        let text = "GET /1 -->\n+20ms <-- 200 \"x\"\nGET /2 -->\n<-- ACK\n+2s FIN -->\n<-- ACK";
        let told = message(text).expect("found");
        assert!(told.contains("a response within 20.0 ms"), "{told}");
    }

    #[test]
    fn an_acknowledgement_after_the_close_came_too_late() {
        let lost = "GET / [lost] -->\n+1s again -->\n";
        let told = message(&format!("{lost}+3s FIN -->\n<-- ACK\n<-- FIN\nACK -->"));
        let told = told.expect("found");
        assert!(told.contains("only after that"), "{told}");
        // One that is on its way is not missing.
        let told = message("GET / -->\n+100ms FIN -->\n<-- ACK\n<-- FIN\nACK -->").expect("found");
        assert!(told.contains("had received the request"), "{told}");
    }

    /// What was captured before the close and not acknowledged by it was still on its way: the client is far.
    #[test]
    fn a_response_that_crosses_the_close_was_not_awaited() {
        use crate::rules::Severity::{Error, Note};
        for (text, severity) in [
            (
                "GET / -->\n<-- ACK\n<-- 200 \"x\"\n+9ms FIN [ack=1] -->\n<-- FIN\nRST -->",
                Note,
            ),
            (
                "GET / -->\n+40ms FIN -->\n+20ms <-- ACK\n<-- 200 \"x\"\nRST -->",
                Note,
            ),
            (
                "GET / -->\n<-- ACK\n+60ms FIN -->\n<-- ACK\n<-- 200 \"x\"\nRST -->",
                Error,
            ),
        ] {
            let text = format!("SYN -->\n<-- SYN\nACK -->\n{text}");
            let found = ladder_check::found_by(&super::RULE, &text).expect("found");
            assert_eq!(found.severity, severity, "{text}: {}", found.message);
            let raise = found.remedies.iter().any(|it| it.contains("Raise"));
            assert_eq!(raise, severity == Error, "{:?}", found.remedies);
        }
    }

    #[test]
    fn whether_the_server_had_the_request_is_said() {
        let told = message("GET / [lost] -->\n+1s FIN -->").expect("found");
        assert!(told.contains("had not acknowledged"), "{told}");
    }

    /// A client whose request is not acknowledged repeats it. One that does not has had the acknowledgement.
    #[test]
    fn an_acknowledgement_that_the_capture_lacks_is_not_missing() {
        for end in ["FIN -->\n<-- ACK\n<-- FIN\nACK -->", "RST -->"] {
            let told = message(&format!("GET / -->\n+3s {end}")).expect("found");
            assert!(told.contains("the capture probably lacks one"), "{told}");
        }
    }

    /// A server that learns of the close ends its work, often with a response: what the request needs is not known.
    #[test]
    fn a_response_that_the_close_caused_says_nothing_of_the_time() {
        use crate::rules::ladder_check::found_by;
        for (after, status, caused) in [
            ("3ms", 200, true),
            ("3ms", 502, true),
            ("300ms", 200, false),
            ("300ms", 502, false),
        ] {
            let text = format!(
                "SYN -->\n<-- SYN\nACK -->\nGET / [user-agent=Go-http-client/1.1] -->\n<-- ACK\n+1500ms FIN -->\n<-- ACK\n\
                 +{after} <-- {status} \"x\"\nRST -->"
            );
            let found = found_by(&super::RULE, &text).expect("found");
            let told = found.message.contains("because of it");
            assert_eq!(told, caused, "{after} {status}: {}", found.message);
            let numbered = found.remedies.iter().any(|it| it.contains("above 1."));
            assert_eq!(numbered, !caused && status == 200, "{:?}", found.remedies);
        }
    }
}
