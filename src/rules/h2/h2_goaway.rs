//! A GOAWAY: which side ended the connection, why, and what happened to the streams.

use std::time::Duration;

use crate::analysis::connection::{By, Connection, How, Who};
use crate::base::escape::escape;
use crate::protocol::h2::Goaway;
use crate::protocol::http::{ErrorCode, Exchange};
use crate::rules::Severity;
use crate::rules::classify::response;
use crate::rules::classify_h2::{blames, code_word, ended_by_drain, lost, refused, told_goaway};
use crate::rules::rule::{Check, Verdict, rule};
use crate::rules::statement::{Sentence, Value, sentence};
use crate::rules::wording::{named, repetitions, side, tell};

rule! {
    /// # What happened
    ///
    /// One side sent a GOAWAY: no new streams on this connection. With NO_ERROR, HTTP/2 connections end cleanly: after a number
    /// of requests, an age, an idle time, or before a shutdown. Other codes blame the other side. It broke the protocol
    /// (PROTOCOL_ERROR), does something too often (ENHANCE_YOUR_CALM: PINGs or resets), or uses weak TLS (INADEQUATE_SECURITY).
    /// The client's log says "The server shut down the connection", "GOAWAY received" or `http2: server sent GOAWAY and closed
    /// the connection`.
    ///
    /// # Why it matters
    ///
    /// A GOAWAY names the last stream that may have been processed. Streams above it were not processed and are safe to retry with any method (RFC 9113 §6.8, §8.7). Streams up to it may still be answered. Those without an answer when the
    /// connection closes are lost, and may have taken effect.
    ///
    /// # Remedy
    ///
    /// - *If the GOAWAY named too_many_pings:* Let the client send fewer PINGs (gRPC `GRPC_ARG_KEEPALIVE_TIME_MS`), or let
    ///   the server permit them (gRPC `permit_keepalive_time`).
    /// - *If the GOAWAY said ENHANCE_YOUR_CALM and the GOAWAY did not name too_many_pings:* Find out what the client does too
    ///   often: PINGs, resets, or small frames.
    /// - *If the GOAWAY said INADEQUATE_SECURITY:* Let both sides use TLS 1.2 or newer with ciphers that HTTP/2 allows
    ///   (RFC 9113 §9.2.2).
    /// - *If the GOAWAY said INTERNAL_ERROR and the GOAWAY did not name connection idle:* Look in the log of the side that sent
    ///   it: it failed by itself, or ended the connection for a reason of its own.
    /// - *If the GOAWAY named connection idle:* Change nothing: the connection had been idle. To keep it longer, raise the idle
    ///   timeout of the side that sent it (gRPC `MAX_CONNECTION_IDLE`).
    /// - *If the GOAWAY blames the other side:* Look in the log of the side that sent the GOAWAY for what it objected to.
    /// - *If streams were lost with the connection:* Give the server more time to drain before it closes (gRPC
    ///   `MAX_CONNECTION_AGE_GRACE`, a longer termination grace period).
    /// - *If streams lay above the last one:* Let the client retry what lies above the last stream; most libraries do.
    /// - *If the GOAWAY said NO_ERROR and no stream was lost:* Change nothing: nothing was lost.
    /// - *If the GOAWAY said NO_ERROR and the server sent the GOAWAY:* To have fewer of them, raise what limits the
    ///   connection (nginx `keepalive_requests`, `keepalive_time`, `keepalive_timeout`; gRPC `MAX_CONNECTION_AGE`).
    ///
    /// # Tell it by
    ///
    /// A GOAWAY frame comes before the close. Its code is NO_ERROR for a planned end, anything else is a complaint.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                               server
    ///  0.000  SYN                             -->
    ///  0.010                                  <--  SYN
    ///  0.020  h2 preface h2 SETTINGS          -->
    ///  0.030                                  <--  h2 SETTINGS
    ///  0.040  h2 PING                         -->
    ///  0.050  h2 PING                         -->
    ///  0.060                                  <--  h2 GOAWAY 0 ENHANCE_YOUR_CALM "too_many_pings"
    ///  0.061                                  <--  FIN
    ///  0.070  FIN                             -->
    ///  0.080                                  <--  ACK
    ///  => findings h2-goaway
    /// ```
    ///
    /// A graceful one is a note; the stream above the last one is safe to retry:
    ///
    /// ```ladder
    ///         client                               server
    ///  0.000  SYN                             -->
    ///  0.010                                  <--  SYN
    ///  0.020  h2 preface h2 SETTINGS          -->
    ///  0.021  h2 HEADERS 1 GET /1 END         -->
    ///  0.030                                  <--  h2 SETTINGS
    ///  0.040                                  <--  h2 HEADERS 1 200 END
    ///  0.050  h2 HEADERS 3 POST /3 END        -->
    ///  0.051                                  <--  h2 GOAWAY 1 NO_ERROR
    ///  0.052                                  <--  FIN
    ///  0.060  FIN                             -->
    ///  0.070                                  <--  ACK
    ///  => teardown server fin after
    ///  => outcome 2 no-response
    ///  => findings h2-goaway
    /// ```
    ///
    /// # Not this
    ///
    /// A client that says goodbye has closed cleanly:
    ///
    /// ```ladder
    ///         client                               server
    ///  0.000  SYN                             -->
    ///  0.010                                  <--  SYN
    ///  0.020  h2 preface h2 SETTINGS          -->
    ///  0.021  h2 HEADERS 1 GET / END          -->
    ///  0.030                                  <--  h2 SETTINGS
    ///  0.040                                  <--  h2 HEADERS 1 200 END
    ///  0.050  h2 GOAWAY 0 NO_ERROR            -->
    ///  0.051  FIN                             -->
    ///  0.060                                  <--  FIN
    ///  0.070  ACK                             -->
    ///  => findings none
    /// ```
    ///
    /// # References
    ///
    /// RFC 9113 §5.4.1, §6.8, §7, §8.7.
    pub(super) RULE: "h2-goaway", Severity::Error,
    "a GOAWAY ended an HTTP/2 connection", Check::Connection(check)
}

fn check(connection: &Connection) -> Verdict {
    match told_goaway(connection) {
        Some((who, goaway)) => story(connection, who, goaway),
        None => Verdict::Clear,
    }
}

fn story(connection: &Connection, who: Who, goaway: &Goaway) -> Verdict {
    let refused: Vec<&Exchange> = refused(connection).collect();
    let lost: Vec<&Exchange> = lost(connection).collect();
    let cancelled = connection.exchanges.iter().filter(|it| {
        let h2 = connection.h2.as_ref();
        it.cut_by()
            .is_some_and(|reset| h2.is_some_and(|h2| h2.passes_on(reset)))
    });
    let cancelled: Vec<&Exchange> = cancelled.collect();
    // Programs send INTERNAL_ERROR for whatever ends them, gRPC servers also for an idle timer ("connection idle"). If
    // nothing was lost, it did no harm.
    let is_error = match who {
        Who::Server => {
            blames(goaway.code) || goaway.code != ErrorCode::NO_ERROR && !refused.is_empty()
        }
        Who::Client => blames(goaway.code),
    };
    // The end of a stream may be among frames that were not captured.
    let unsure = connection.h2.as_ref().is_some_and(|h2| {
        h2.halves.iter().any(|half| half.lost)
            || connection.sent.iter().any(|sent| sent.missing > 0)
    });
    let drained: Vec<&Exchange> = ended_by_drain(connection).collect();
    let severity = if is_error || !lost.is_empty() && !unsure {
        Severity::Error
    } else if !drained.is_empty() {
        Severity::Warning
    } else {
        Severity::Note
    };
    let code = || code_word(goaway.code);
    let (summary, message) = match who {
        Who::Server => (
            sentence!("Server sent GOAWAY ({})", code()),
            sentence!("The server sent GOAWAY with the code {}.", code()),
        ),
        Who::Client => (
            sentence!("Client sent GOAWAY ({})", code()),
            sentence!("The client sent GOAWAY with the code {}.", code()),
        ),
    };
    let debug = goaway.debug.as_bytes();
    let said = (!debug.is_empty()).then(|| sentence!("The GOAWAY says \"{}\".", escape(debug)));
    let pings = connection
        .h2
        .as_ref()
        .map(|h2| &h2.halves[who.other() as usize]);
    let pings = pings.filter(|half| debug == b"too_many_pings" && !half.lost && !unsure);
    let pings = pings.map(|half| {
        sentence!(
            "The {} sent {} on this connection.",
            side(who.other()),
            Value::count(half.pings.sent, "PING", "PINGs")
        )
    });
    let blamed = offence(goaway.code).map(|offence| match who {
        Who::Client => sentence!("As the client sees it, the server {}.", offence),
        Who::Server => sentence!("As the server sees it, the client {}.", offence),
    });
    let last = match goaway.last_stream == Goaway::NOT_YET {
        true => Sentence::from("The GOAWAY asks for no new streams and refuses none yet."),
        false => sentence!(
            "Stream {} is the last that it may have processed.",
            goaway.last_stream
        ),
    };
    let safe = (!refused.is_empty()).then(|| {
        sentence!(
            "The server did not process {}, on [a stream|streams] above that: [it is|they are] safe to retry.",
            Value::named_all(refused.iter().map(|it| named(it)))
        )
    });
    let gone = (!lost.is_empty()).then(|| {
        let names = Value::named_all(lost.iter().map(|it| named(it)));
        match unsure {
            true => sentence!(
                "{} [was|were] not seen to end before the connection did; the frames of [its|their] end may be among what the \
                 capture lacks.",
                names
            ),
            false => sentence!(
                "{} [was|were] not complete when the connection ended.",
                names
            ),
        }
    });
    let ended = (!cancelled.is_empty()).then(|| {
        sentence!(
            "The {} then reset the [stream|streams] of {} with the same code.",
            side(who.other()),
            Value::named_all(cancelled.iter().map(|it| named(it)))
        )
    });
    let ends = drained.first().and_then(|it| response(it)).map(|end| {
        sentence!(
            "{} after the GOAWAY the server ended {} with `grpc-status` 14 (UNAVAILABLE): the time to finish was over.",
            end.last.time.since(goaway.at.time),
            Value::named_all(drained.iter().map(|it| named(it)))
        )
    });
    // Those that may have been processed; what must not be retried first.
    let retried = lost.iter().chain(&cancelled).chain(&drained);
    let mut retried: Vec<&Exchange> = retried
        .filter(|it| it.stream.as_ref().is_none_or(|it| it.refused.is_none()))
        .copied()
        .collect();
    retried.dedup_by(|one, other| std::ptr::eq(*one, *other));
    tell(
        &RULE,
        severity,
        connection.teardown.certainty,
        summary,
        message,
    )
    .adds(said)
    .adds(blamed)
    .adds(pings)
    .adds(Some(last))
    .means(safe)
    .adds(ended)
    .adds(gone)
    .adds(ends)
    .adds(closed_after(connection, goaway))
    .means_all(repetitions(&retried))
    .adds(idle_for(connection, goaway))
    .shows(
        Some(goaway.at),
        format!("GOAWAY ({}) from the {}", goaway.code, side(who)),
    )
    .about(connection)
}

/// Who closed the connection after the GOAWAY.
fn closed_after(connection: &Connection, goaway: &Goaway) -> Option<Sentence> {
    let teardown = &connection.teardown;
    let who = match teardown.by {
        By::Client => Who::Client,
        By::Server => Who::Server,
        _ => return None,
    };
    let verb = match teardown.how {
        How::Fin => "closed",
        How::Reset(_) => "reset",
        _ => return None,
    };
    (teardown.at >= goaway.at.time).then(|| {
        sentence!(
            "The {} {} the connection {} after the GOAWAY.",
            side(who),
            verb,
            teardown.at.since(goaway.at.time)
        )
    })
}

/// Shorter pauses are not idleness.
const IDLE: Duration = Duration::from_millis(190);

/// How long no stream had been open when a GOAWAY in order came.
fn idle_for(connection: &Connection, goaway: &Goaway) -> Option<Sentence> {
    let over = connection.exchanges.iter().all(|it| it.is_settled());
    let ends = connection.exchanges.iter().filter_map(|it| {
        let response = it.response.as_ref().map(|it| it.message.last);
        response.max(it.request.as_ref().map(|it| it.message.last))
    });
    let last = ends.max().filter(|last| over && *last < goaway.at)?;
    let idle = goaway.at.time.since(last.time);
    (goaway.code == ErrorCode::NO_ERROR && idle >= IDLE)
        .then(|| sentence!("No stream had been open for {} by then.", idle))
}

/// What the other side did wrong, according to the code (RFC 9113 §7).
const fn offence(code: ErrorCode) -> Option<&'static str> {
    Some(match code.0 {
        0x1 => "broke a rule of HTTP/2",
        0x3 => "sent more than flow control allows",
        0x4 => "left SETTINGS unacknowledged for too long",
        0x5 => "sent on a stream that was closed",
        0x6 => "sent a frame of a forbidden length",
        0x9 => "sent fields that cannot be decoded",
        0xb => "does something too often",
        0xc => "uses TLS that is too weak",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use crate::rules::{Finding, Severity, ladder_check};

    const OPEN: &str = "SYN -->\n<-- SYN\nh2 preface h2 SETTINGS -->\n<-- h2 SETTINGS\n";

    fn found(text: &str) -> Option<Finding> {
        ladder_check::found_by(&super::RULE, &format!("{OPEN}{text}"))
    }

    /// A call that runs longer than the server waits is cut, and the server says so in its trailers.
    #[test]
    fn a_call_that_the_drain_cuts_is_lost() {
        let call = |status: u8| {
            format!(
                "SYN -->\n<-- SYN\nh2 preface h2 SETTINGS -->\n<-- h2 SETTINGS\nh2 HEADERS 3 POST /S/M END -->\n\
                 <-- h2 GOAWAY 3 NO_ERROR \"max_age\"\n+500ms <-- h2 HEADERS 3 200 END [grpc-status={status}]\n<-- FIN\nFIN -->\n<-- ACK"
            )
        };
        let found = ladder_check::found_by(&super::RULE, &call(14)).expect("found");
        assert_eq!(found.severity, Severity::Warning);
        assert!(found.message.contains("UNAVAILABLE"), "{}", found.message);
        assert!(found.remedies[0].contains("GRACE"), "{:?}", found.remedies);
        let fine = ladder_check::found_by(&super::RULE, &call(0)).expect("found");
        assert_eq!(fine.severity, Severity::Note);
        assert!(
            fine.remedies[0].contains("Change nothing"),
            "{:?}",
            fine.remedies
        );
    }

    #[test]
    fn streams_that_the_goaway_left_a_chance_may_die_all_the_same() {
        let text = "h2 HEADERS 1 GET / END -->\nh2 HEADERS 3 GET / END -->\n<-- h2 GOAWAY 1 NO_ERROR \"\\x1b[2J\"\n<-- FIN";
        let found = found(text).expect("found");
        assert_eq!(found.severity, Severity::Error);
        assert!(
            found
                .message
                .contains("did not process `GET /`, on a stream above that: it is safe to retry"),
            "{}",
            found.message
        );
        assert!(
            found.message.contains("`GET /` was not complete"),
            "{}",
            found.message
        );
        assert!(!found.message.contains('\x1b'), "{}", found.message);
    }

    /// Whoever closes then, the GOAWAY is the reason.
    #[test]
    fn what_ends_after_a_goaway_with_an_error_ends_because_of_it() {
        let sent = "h2 HEADERS 1 GET / END -->\n<-- h2 GOAWAY 1 ENHANCE_YOUR_CALM\n";
        for end in [
            "+8ms FIN -->\n<-- FIN\nACK -->",
            "<-- FIN\nFIN -->\n<-- ACK",
            "+8ms RST -->",
        ] {
            let text = format!("{OPEN}{sent}{end}");
            let rules = ladder_check::run(&text.parse().expect("a ladder")).rules();
            assert_eq!(rules, [super::RULE.name], "{end}");
        }
    }

    #[test]
    fn a_client_that_fails_when_all_is_over_harms_nobody() {
        let severity = |code: &str| {
            let text = format!(
                "h2 HEADERS 1 GET / END -->\n<-- h2 HEADERS 1 204 END\nh2 GOAWAY 0 {code} FIN -->\n<-- FIN"
            );
            found(&text).expect("found").severity
        };
        assert_eq!(severity("INTERNAL_ERROR"), Severity::Note);
        assert_eq!(severity("PROTOCOL_ERROR"), Severity::Error);
    }

    #[test]
    fn an_error_is_told_though_a_goodbye_in_order_follows_it() {
        let text = "h2 HEADERS 1 GET / END -->\n<-- h2 HEADERS 1 200 h2 GOAWAY 1 ENHANCE_YOUR_CALM \"calm\"\n\
                    h2 RST_STREAM 1 ENHANCE_YOUR_CALM h2 GOAWAY 0 NO_ERROR FIN -->\n<-- h2 GOAWAY 1 NO_ERROR FIN";
        let found = found(text).expect("found");
        assert_eq!(found.severity, Severity::Error);
        for part in [
            "The server sent GOAWAY with the code ENHANCE_YOUR_CALM",
            "As the server sees it, the client does something too often.",
            "The client then reset the stream of `GET /` with the same code.",
        ] {
            assert!(found.message.contains(part), "{}", found.message);
        }
        let text = format!("{OPEN}{text}");
        let proof = ladder_check::run(&text.parse().expect("a ladder"));
        assert_eq!(proof.rules(), [super::RULE.name]);
    }

    #[test]
    fn a_server_that_fails_when_all_is_over_harms_nobody() {
        let severity = |code: &str, more: &str| {
            let text = format!(
                "h2 HEADERS 1 GET / END -->\n<-- h2 HEADERS 1 204 END\n{more}<-- h2 GOAWAY 1 {code} \"connection idle\"\n<-- FIN\nFIN -->\n<-- ACK"
            );
            found(&text).expect("found").severity
        };
        assert_eq!(severity("INTERNAL_ERROR", ""), Severity::Note);
        assert_eq!(severity("ENHANCE_YOUR_CALM", ""), Severity::Error);
        let refused = "h2 HEADERS 3 GET / END -->\n";
        assert_eq!(severity("INTERNAL_ERROR", refused), Severity::Error);
    }

    #[test]
    fn a_goodbye_that_loses_nothing_is_a_note() {
        let text = "h2 HEADERS 1 GET / END -->\n<-- h2 GOAWAY 2147483647 NO_ERROR\n<-- h2 HEADERS 1 204 END\n\
                    <-- h2 GOAWAY 1 NO_ERROR\n<-- FIN\nFIN -->\n<-- ACK";
        assert_eq!(found(text).expect("found").severity, Severity::Note);
    }
}
