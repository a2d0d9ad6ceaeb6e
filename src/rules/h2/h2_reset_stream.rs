//! An HTTP/2 stream that was ended early by RST_STREAM, other than by a client that cancelled.

use super::h2_reset_burst::burst;
use crate::analysis::connection::{Connection, Who};
use crate::base::certainty::Certainty;
use crate::protocol::h2::Stall;
use crate::protocol::http::{ErrorCode, Exchange, MessageProgress, Party, StreamReset};
use crate::rules::Severity;
use crate::rules::classify_h2::{code_word, resets};
use crate::rules::rule::{Check, Verdict, rule};
use crate::rules::statement::{Value, sentence};
use crate::rules::wording::{named, repetition, tell, waited};

rule! {
    /// # What happened
    ///
    /// RST_STREAM ended one stream before it was complete, while its connection went on. The code says why. INTERNAL_ERROR: the
    /// handler failed. REFUSED_STREAM: the server did not begin. PROTOCOL_ERROR: it objected to the request. CANCEL: a proxy
    /// lost its own backend. The client's log says "The HTTP/2 server reset the stream", `stream error: stream ID 1;
    /// INTERNAL_ERROR`, curl (92), `ERR_HTTP2_PROTOCOL_ERROR`, or Envoy's flag `UR`. If flow control (RFC 9113 §5.2) kept the
    /// server from sending until it stopped, the finding says so: the client did not read.
    ///
    /// # Why it matters
    ///
    /// The exchange is lost. After REFUSED_STREAM nothing was done, so the request is safe to retry with any method (RFC
    /// 9113 §8.7). After any other code it may have taken effect.
    ///
    /// # Remedy
    ///
    /// - *If the stream was reset with REFUSED_STREAM:* Let the client retry, and open no more streams than
    ///   SETTINGS_MAX_CONCURRENT_STREAMS allows; raise that limit if the server can bear it (nginx
    ///   `http2_max_concurrent_streams`).
    /// - *If the stream was reset with PROTOCOL_ERROR and the client reset the stream:* Look at the response for what HTTP/2
    ///   forbids: fields such as `Connection`, a content length that does not fit.
    /// - *If the stream was reset with INTERNAL_ERROR and the server reset the stream:* Find out whether the server is a
    ///   proxy, and look at its connection to the server behind it: the fault may lie there.
    /// - *If the server reset the stream:* Look in the server's log for that request: the code comes from its handler or
    ///   from the proxy in front of it.
    /// - *If the client reset the stream:* Look in the client's log: it names what it objected to in the response.
    ///
    /// # Tell it by
    ///
    /// A RST_STREAM frame ends one stream, and the other streams of the connection go on.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                               server
    ///  0.000  SYN                             -->
    ///  0.010                                  <--  SYN
    ///  0.020  h2 preface h2 SETTINGS          -->
    ///  0.021  h2 HEADERS 1 POST /order END    -->
    ///  0.030                                  <--  h2 SETTINGS
    ///  0.540                                  <--  h2 RST_STREAM 1 INTERNAL_ERROR
    ///  0.550  h2 GOAWAY 0 NO_ERROR FIN        -->
    ///  0.560                                  <--  FIN
    ///  0.570  ACK                             -->
    ///  => outcome 1 reset
    ///  => findings h2-reset-stream
    /// ```
    ///
    /// # Not this
    ///
    /// A client that no longer wants the answer:
    ///
    /// ```ladder
    ///         client                               server
    ///  0.000  SYN                             -->
    ///  0.010                                  <--  SYN
    ///  0.020  h2 preface h2 SETTINGS          -->
    ///  0.021  h2 HEADERS 1 GET / END          -->
    ///  0.030                                  <--  h2 SETTINGS
    ///  0.040                                  <--  h2 HEADERS 1 200 h2 DATA 1 500
    ///  0.050  h2 RST_STREAM 1 CANCEL          -->
    ///  0.060  h2 GOAWAY 0 NO_ERROR FIN        -->
    ///  0.070                                  <--  FIN
    ///  0.080  ACK                             -->
    ///  => outcome 1 client-left
    ///  => findings client-left-mid-response
    /// ```
    ///
    /// A server that has answered and does not want the rest of the request (RFC 9113 §8.1):
    ///
    /// ```ladder
    ///         client                               server
    ///  0.000  SYN                             -->
    ///  0.010                                  <--  SYN
    ///  0.020  h2 preface h2 SETTINGS          -->
    ///  0.021  h2 HEADERS 1 POST / h2 DATA 1 100 -->
    ///  0.030                                  <--  h2 SETTINGS
    ///  0.040                                  <--  h2 HEADERS 1 413 END h2 RST_STREAM 1 NO_ERROR
    ///  0.060  h2 GOAWAY 0 NO_ERROR FIN        -->
    ///  0.070                                  <--  FIN
    ///  0.080  ACK                             -->
    ///  => outcome 1 complete
    ///  => findings request-refused
    /// ```
    ///
    /// # References
    ///
    /// RFC 9113 §5.4.2, §6.4, §7, §8.1, §8.7.
    pub(in crate::rules) RULE: "h2-reset-stream", Severity::Error,
    "a stream of HTTP/2 was reset before it was complete", Check::Connection(check)
}

fn check(connection: &Connection) -> Verdict {
    let mut all = resets(connection);
    let Some((exchange, reset)) = all.next() else {
        return Verdict::Clear;
    };
    // A burst of resets is one finding of its own.
    if burst(connection).is_some() {
        return Verdict::Clear;
    }
    let mut told = story(connection, exchange, reset, all.count());
    // What came of the stream may be beyond the snapshot length, or among what was not captured.
    let partly = connection.turns.cut || connection.sent.iter().any(|it| it.missing > 0);
    if let Verdict::Found(story) = &mut told
        && partly
        && exchange
            .response
            .as_ref()
            .is_none_or(|it| !it.message.is_complete())
    {
        story.severity = Severity::Note;
        story.certainty = Certainty::Possible;
    }
    told
}

fn story(connection: &Connection, exchange: &Exchange, reset: StreamReset, more: usize) -> Verdict {
    let who = match reset.by {
        Party::Requester => "client",
        Party::Responder => "server",
    };
    let refused = reset.by == Party::Responder && reset.code == ErrorCode::REFUSED_STREAM;
    let id = exchange.stream_id().unwrap_or(0);
    let code = || code_word(reset.code);
    let (summary, message) = match reset.by {
        Party::Requester => (
            sentence!(
                "Client reset [an HTTP/2 stream|# HTTP/2 streams] with {}",
                code()
            ),
            sentence!("The client reset stream {} with {}.", id, code()),
        ),
        Party::Responder => (
            sentence!(
                "Server reset [an HTTP/2 stream|# HTTP/2 streams] with {}",
                code()
            ),
            sentence!("The server reset stream {} with {}.", id, code()),
        ),
    };
    let when = match &exchange.request {
        Some(_) => sentence!(
            "The reset came {} after the last byte of {}.",
            waited(Some(exchange), reset.at),
            named(exchange)
        ),
        None => "The request on that stream was not captured.".into(),
    };
    let how_far = match &exchange.response {
        None => "No byte of the response had come.".into(),
        Some(response) => match (exchange.response_expected(), response.message.progress) {
            (Some(expected), MessageProgress::Body) => sentence!(
                "Of the response's body {} of {} had come.",
                Value::exact_bytes(response.message.received()),
                Value::exact_bytes(expected)
            ),
            _ => sentence!(
                "Of the response's body {} had come.",
                Value::exact_bytes(response.message.received())
            ),
        },
    };
    let retry = match refused {
        true => sentence!(
            "The server did not process {}: it is safe to retry.",
            named(exchange)
        ),
        false => repetition(exchange),
    };
    let stall = stalled(connection, id, &reset);
    let waiting = stall.map(|stall| {
        sentence!(
            "Flow control had kept the sender of the body waiting for {} by then: its peer gave it no more room, as a program does that \
             does not read.",
            reset.at.time.since(stall.since.time)
        )
    });
    let more = (more > 0).then(|| {
        let count = Value::count(more as u64, "more stream", "more streams");
        sentence!("{} on the connection ended like this.", count)
    });
    let severity = if refused {
        Severity::Warning
    } else {
        Severity::Error
    };
    tell(
        &RULE,
        severity,
        connection.teardown.certainty,
        summary,
        message,
    )
    .adds(Some(when))
    .adds(Some(how_far))
    .adds(waiting)
    .means(Some(retry))
    .adds(more)
    .shows(
        exchange.request.as_ref().map(|it| it.message.first),
        format!("stream {id} begins"),
    )
    .shows(
        stall.map(|stall| stall.since),
        "flow-control window used up",
    )
    .shows(
        Some(reset.at),
        format!("RST_STREAM ({}) from the {who}", reset.code),
    )
    .about(connection)
}

/// The flow control that kept the side that reset the stream from sending on it, if it lasted until then (RFC 9113
/// §5.2).
fn stalled(connection: &Connection, stream: u32, reset: &StreamReset) -> Option<Stall> {
    let who = match reset.by {
        Party::Requester => Who::Client,
        Party::Responder => Who::Server,
    };
    let stall = connection.h2.as_ref()?.halves[who as usize].stalls.worst?;
    let lasts = stall.since <= reset.at && stall.until.is_none_or(|until| until > reset.at);
    (lasts && [0, stream].contains(&stall.stream)).then_some(stall)
}

#[cfg(test)]
mod tests {
    use crate::rules::{Finding, Severity, ladder_check};

    fn found(text: &str) -> Option<Finding> {
        let text = format!("SYN -->\n<-- SYN\nh2 preface h2 SETTINGS -->\n<-- h2 SETTINGS\n{text}");
        ladder_check::found_by(&super::RULE, &text)
    }

    #[test]
    fn what_was_refused_is_safe_to_send_again() {
        let found = found("h2 HEADERS 1 POST / END -->\n<-- h2 RST_STREAM 1 REFUSED_STREAM")
            .expect("found");
        assert_eq!(found.severity, Severity::Warning);
        assert!(
            found.message.contains("did not process"),
            "{}",
            found.message
        );
    }

    #[test]
    fn what_a_client_clears_up_after_the_close_ended_nothing() {
        let reset = "h2 RST_STREAM 1 REFUSED_STREAM";
        let asked = "h2 HEADERS 1 POST / END -->\n";
        assert!(found(&format!("{asked}<-- FIN\n{reset} FIN -->\n<-- RST [noack]")).is_none());
        assert!(found(&format!("{asked}{reset} -->\n<-- FIN")).is_some());
    }

    #[test]
    fn a_window_that_stayed_used_up_is_told() {
        let told = |more: &str| {
            let text = format!(
                "h2 SETTINGS window=7 -->\nh2 HEADERS 1 GET / END -->\n<-- h2 HEADERS 1 200 h2 DATA 1 7\n{more}\
                 +30s <-- h2 RST_STREAM 1 INTERNAL_ERROR"
            );
            found(&text).expect("found").message
        };
        let stalled = "Flow control had kept the sender of the body waiting for 30.0 s";
        assert!(told("").contains(stalled), "{}", told(""));
        let read = told("h2 WINDOW_UPDATE 1 100 -->\n");
        assert!(!read.contains("Flow control"), "{read}");
    }

    #[test]
    fn who_and_how_far_is_told() {
        let text = "h2 HEADERS 1 POST / END -->\n<-- h2 HEADERS 1 200 h2 DATA 1 7\n<-- h2 RST_STREAM 1 CANCEL\n\
                    h2 HEADERS 3 GET / END -->\nh2 RST_STREAM 3 PROTOCOL_ERROR -->";
        let told = found(text).expect("found").message;
        assert!(
            told.contains("The server reset stream 1 with CANCEL"),
            "{told}"
        );
        assert!(
            told.contains("body 7 bytes had come") && told.contains("blindly"),
            "{told}"
        );
        assert!(told.contains("1 more stream on"), "{told}");
    }
}
