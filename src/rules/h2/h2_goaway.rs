//! A GOAWAY: which side ended the connection, why, and what happened to the streams.

use crate::analysis::connection::{Connection, How, Who};
use crate::base::escape::escape;
use crate::base::format::count;
use crate::protocol::h2::Goaway;
use crate::protocol::http::{ErrorCode, Exchange};
use crate::rules::Severity;
use crate::rules::rule::{Check, Verdict, rule};
use crate::rules::wording::{side, tell};

rule! {
    /// # What happened
    ///
    /// One side sent a GOAWAY: no new streams on this connection. With NO_ERROR that is how HTTP/2 connections end in order:
    /// after a number of requests, an age, an idle time, before a shutdown. With any other code the sender says that the
    /// other side broke the protocol (PROTOCOL_ERROR), or does something too often (ENHANCE_YOUR_CALM: too many PINGs or
    /// resets), or that TLS is too weak (INADEQUATE_SECURITY). The client's log says "The server shut down the connection",
    /// "GOAWAY received", `http2: server sent GOAWAY and closed the connection`.
    ///
    /// # Why it matters
    ///
    /// A GOAWAY names the last stream that may have been processed. Streams above it were not, and are safe to send again,
    /// whatever their method (RFC 9113 §6.8, §8.7). Streams up to it may still be answered; those that are not when the
    /// connection closes were lost, and may have taken effect.
    ///
    /// # Remedy
    ///
    /// - NO_ERROR: let the client retry what lies above the last stream; most libraries do. If it comes too often, raise what
    ///   limits the connection (nginx `keepalive_requests`, `keepalive_time`; gRPC `MAX_CONNECTION_AGE` and its grace).
    /// - If streams that were promised died, give the server more time to drain before it closes (gRPC
    ///   `MAX_CONNECTION_AGE_GRACE`, a longer termination grace period).
    /// - ENHANCE_YOUR_CALM, "too_many_pings": let the client ping less often (gRPC `GRPC_ARG_KEEPALIVE_TIME_MS`) or let the
    ///   server permit it (`permit_keepalive_time`).
    /// - Other codes: the debug data and the server's log name the frame that was not liked; update the side that sent it.
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
    /// A graceful one is a note; the stream above the last one is safe to send again:
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
    /// A client that says goodbye has ended in order:
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
    // If one side does not speak HTTP/2, its GOAWAY is part of that finding.
    let Some(h2) = connection.h2.as_ref().filter(|h2| h2.mismatch.is_none()) else {
        return Verdict::Clear;
    };
    // An error of either side takes precedence over a graceful GOAWAY, and the first error over its consequences.
    let by_server = h2.halves[Who::Server as usize].goaway();
    let told = [Who::Server, Who::Client]
        .into_iter()
        .filter_map(|who| h2.halves[who as usize].complaint().map(|it| (who, it)))
        .min_by_key(|(_, it)| it.at)
        .or(by_server.map(|it| (Who::Server, it)));
    let Some((who, goaway)) = told else {
        return Verdict::Clear;
    };
    story(connection, who, goaway)
}

fn story(connection: &Connection, who: Who, goaway: &Goaway) -> Verdict {
    let refused = streams(connection, |it| {
        it.stream
            .as_ref()
            .is_some_and(|stream| stream.refused.is_some())
    });
    let over = !matches!(connection.teardown.how, How::Open);
    // Streams that the GOAWAY allowed to continue, and that were ended neither by a response nor by a reset.
    let lost = streams(connection, |it| over && !it.is_settled());
    let cancelled = streams(connection, |it| {
        let h2 = connection.h2.as_ref();
        it.cut_by()
            .is_some_and(|reset| h2.is_some_and(|h2| h2.passes_on(reset)))
    });
    // Programs send INTERNAL_ERROR for whatever ends them, gRPC servers also for an idle timer ("connection idle"). If
    // nothing was lost, it did no harm.
    let is_error = match who {
        Who::Server => {
            blames(goaway.code) || goaway.code != ErrorCode::NO_ERROR && !refused.is_empty()
        }
        Who::Client => blames(goaway.code),
    };
    let severity = if is_error || !lost.is_empty() {
        Severity::Error
    } else {
        Severity::Note
    };
    let mut told = format!("The {} sent GOAWAY ({})", side(who), goaway.code);
    if !goaway.debug.as_bytes().is_empty() {
        told.push_str(&format!(", saying \"{}\"", escape(goaway.debug.as_bytes())));
    }
    let blamed = offence(goaway.code).map(|offence| {
        let other = match who {
            Who::Client => Who::Server,
            Who::Server => Who::Client,
        };
        format!("As it sees it, the {} {offence}.", side(other))
    });
    if goaway.last_stream == Goaway::NOT_YET {
        told.push_str("; it asks for no new streams and refuses none yet.");
    } else {
        told.push_str(&format!(
            "; stream {} is the last it may have processed.",
            goaway.last_stream
        ));
    }
    let safe = refused.first().map(|first| {
        let id = first.stream_id().unwrap_or(0);
        match refused.len() {
            1 => format!("Stream {id} lies above that and is safe to send again."),
            many => {
                format!("{many} streams from {id} on lie above that and are safe to send again.")
            }
        }
    });
    let gone = lost.first().map(|first| {
        let id = first.stream_id().unwrap_or(0);
        format!(
            "{} not over when the connection ended, the first number {id}: lost, and may have taken effect.",
            match lost.len() {
                1 => "1 stream was".to_owned(),
                many => count(many as u64, "stream was", "streams were"),
            }
        )
    });
    let cancelled = cancelled.first().map(|first| {
        let id = first.stream_id().unwrap_or(0);
        format!(
            "The other side then gave up {}, the first number {id}, with the same code.",
            count(cancelled.len() as u64, "stream", "streams")
        )
    });
    tell(
        &RULE,
        severity,
        connection.teardown.certainty,
        "HTTP/2 connections were ended by a GOAWAY",
        told,
    )
    .adds(blamed)
    .adds(safe)
    .adds(cancelled)
    .adds(gone)
    .shows(
        Some(goaway.at),
        format!("GOAWAY ({}) from the {}", goaway.code, side(who)),
    )
    .shows(
        lost.first()
            .and_then(|it| it.request.as_ref())
            .map(|it| it.message.first),
        "a stream that was lost begins",
    )
    .about(connection)
}

/// What the other side did wrong, according to the code (RFC 9113 §7).
const fn offence(code: ErrorCode) -> Option<&'static str> {
    Some(match code.0 {
        0x1 => "broke a rule of HTTP/2",
        0x3 => "sent more than flow control allows",
        0x4 => "left SETTINGS unacknowledged for too long",
        0x5 => "sent on a stream that was closed",
        0x6 => "sent a frame of a length that may not be",
        0x9 => "sent fields that cannot be decoded",
        0xb => "does something too often",
        0xc => "uses TLS that is too weak",
        _ => return None,
    })
}

/// Whether the code blames the other side (RFC 9113 §7).
const fn blames(code: ErrorCode) -> bool {
    !matches!(
        code,
        ErrorCode::NO_ERROR | ErrorCode::INTERNAL_ERROR | ErrorCode::CANCEL
    )
}

fn streams(connection: &Connection, which: impl Fn(&Exchange) -> bool) -> Vec<&Exchange> {
    connection.exchanges.iter().filter(|it| which(it)).collect()
}

#[cfg(test)]
mod tests {
    use crate::rules::{Finding, Severity, ladder_check};

    const OPEN: &str = "SYN -->\n<-- SYN\nh2 preface h2 SETTINGS -->\n<-- h2 SETTINGS\n";

    fn found(text: &str) -> Option<Finding> {
        ladder_check::found_by(&super::RULE, &format!("{OPEN}{text}"))
    }

    #[test]
    fn streams_that_the_goaway_left_a_chance_may_die_all_the_same() {
        let text = "h2 HEADERS 1 GET / END -->\nh2 HEADERS 3 GET / END -->\n<-- h2 GOAWAY 1 NO_ERROR \"\\x1b[2J\"\n<-- FIN";
        let found = found(text).expect("found");
        assert_eq!(found.severity, Severity::Error);
        assert!(
            found.message.contains("Stream 3 lies above that"),
            "{}",
            found.message
        );
        assert!(
            found.message.contains("1 stream was not over"),
            "{}",
            found.message
        );
        assert!(!found.message.contains('\x1b'), "{}", found.message);
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
            "The server sent GOAWAY (ENHANCE_YOUR_CALM)",
            "As it sees it, the client does something too often.",
            "gave up 1 stream, the first number 1, with the same code",
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
