//! The server reset the connection while the request was still being sent, with or without a response.

use crate::analysis::connection::{Connection, Who};
use crate::base::flow_end::FlowEnd;
use crate::protocol::http::{Exchange, Framing, MessageProgress};
use crate::rules::Severity;
use crate::rules::classify::{Ending, EndingKind, is_shut, owns_reset, request, response};
use crate::rules::rule::{Check, Verdict, rule};
use crate::rules::statement::{Sentence, Value, sentence};
use crate::rules::wording::{asked, far, named, quoted_error, refused_again, repetition, tell};
use crate::rules::wording_tls::hidden_upload;

rule! {
    /// # What happened
    ///
    /// The client was still sending the request. The server responded early (413, 401, 302, …) or not at all, and closed its
    /// socket with bytes of the request unread. Its kernel then sent a RST. The client's *send* fails: `ECONNRESET`, `EPIPE`,
    /// "broken pipe", "An unexpected error occurred on a send".
    ///
    /// Inside TLS without keys, a record that the client had not finished, or a full one, shows that it was still sending.
    ///
    /// # Why it matters
    ///
    /// The response that would explain it is often lost. The client is busy writing, sees the error and looks no further, and
    /// some systems discard received data when a RST comes. So a "413 Payload Too Large" turns into a network error. RFC 9112
    /// §9.6 asks servers to close in steps: stop sending, read on for a while, then close.
    ///
    /// # Remedy
    ///
    /// - *If the status was 413:* Raise the limit that the request hit (nginx `client_max_body_size`, Kestrel
    ///   `MaxRequestBodySize`).
    /// - *If HTTP was spoken and the server had answered before:* Let the server read on after an early response (nginx
    ///   `lingering_close on`, Tomcat `maxSwallowSize`).
    /// - *If HTTP was spoken and the request had a body and the client had not asked for permission:* Or let the client ask first,
    ///   with `Expect: 100-continue`, before it sends a large body.
    /// - *If HTTP was not spoken and the server had answered before:* Raise the limit that the server's message names
    ///   above the size of the request, or let the client send less at once.
    /// - *If the server had answered before:* Also let the client look for a response when a write fails: it is often
    ///   there.
    /// - *If the server had not answered:* Look in the server's log at the time of the RST: a limit of size or time, a crash,
    ///   a killed worker.
    ///
    /// # Tell it by
    ///
    /// The client is still sending the request body when the server's RST comes, often after a complete 4xx response.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                              server
    ///  0.000  SYN                            -->
    ///  0.010                                 <--  SYN
    ///  0.020  POST /up [length=9000] data 1000 -->
    ///  0.030                                 <--  413 "too large" [close]
    ///  0.035  data 1000                      -->
    ///  0.040                                 <--  RST
    ///  => teardown server reset abort request
    ///  => findings early-response-reset
    /// ```
    ///
    /// # Not this
    ///
    /// A server that responds early and reads on:
    ///
    /// ```ladder
    ///         client                              server
    ///  0.000  SYN                            -->
    ///  0.010                                 <--  SYN
    ///  0.020  POST /up [length=3000] data 1000 -->
    ///  0.030                                 <--  413 "too large" [close]
    ///  0.031                                 <--  FIN
    ///  0.035  data 2000                      -->
    ///  0.040                                 <--  ACK
    ///  0.050  FIN                            -->
    ///  0.060                                 <--  ACK
    ///  => findings request-refused
    /// ```
    ///
    /// A client that has its response and stops by itself:
    ///
    /// ```ladder
    ///         client                              server
    ///  0.000  SYN                            -->
    ///  0.010                                 <--  SYN
    ///  0.020  POST /up [length=9000] data 1000 -->
    ///  0.030                                 <--  413 "too large" [close]
    ///  0.040  FIN                            -->
    ///  0.050                                 <--  RST
    ///  => teardown client fin request
    /// ```
    ///
    /// A body that was held back, and need not be sent any more:
    ///
    /// ```ladder
    ///         client                              server
    ///  0.000  SYN                            -->
    ///  0.010                                 <--  SYN
    ///  0.020  POST /up [length=9000 expect=100-continue] -->
    ///  0.030                                 <--  401 "no" [close]
    ///  0.031                                 <--  FIN
    ///  0.050  FIN                            -->
    ///  0.060                                 <--  ACK
    ///  => findings none
    /// ```
    ///
    /// # References
    ///
    /// RFC 9112 §9.6 (tear-down); RFC 9293 §3.6.1 (SHLD-3: unread data is answered by a RST); RFC 2525 §2.17; RFC 9110
    /// §10.1.1 (`Expect`).
    pub(in crate::rules) RULE: "early-response-reset", Severity::Error,
    "the server resets the connection while the client is still sending the request", Check::Read(check)
}

fn check(connection: &Connection, ending: Option<&Ending<'_>>) -> Verdict {
    match ending.filter(|it| it.reading == EndingKind::EarlyReset) {
        Some(ending) => read(connection, ending),
        None => hidden_upload(&RULE, connection),
    }
}

/// What the server said in a protocol other than HTTP: `with "1153 Got a packet that is too large"`.
fn quoted(connection: &Connection) -> Option<String> {
    let complaint = connection.dialogue.as_deref()?.complaint.as_ref()?;
    (complaint.by == FlowEnd::B).then(|| format!("with {}", quoted_error(complaint)))
}

fn read(connection: &Connection, ending: &Ending<'_>) -> Verdict {
    let sent = ending.exchange.and_then(request);
    let answer = ending.exchange.and_then(response);
    let reset = owns_reset(connection, Who::Server).unwrap_or(ending.close);
    let what = asked(ending.exchange);
    let name = ending.exchange.map(named).unwrap_or_default();
    let status = ending.exchange.and_then(|exchange| exchange.status());
    let status = status.map(|status| format!("with {status}"));
    let status = status
        .or_else(|| quoted(connection))
        .unwrap_or_else(|| "with bytes that name no status".to_owned());
    let fin = connection.fin[Who::Server as usize].filter(|fin| fin.frame_ref < reset.frame_ref);
    // What was sent whole, and not acknowledged whole, was cut all the same.
    let own = connection.sent[Who::Client as usize];
    let whole = answer.is_none()
        && sent.is_some_and(|it| {
            it.progress == MessageProgress::Complete && it.framing != Framing::Unknown
        });
    let message = match (answer, fin) {
        (Some(answer), None) => sentence!(
            "The server responded {} before {} was complete, and reset the connection {} later.",
            status,
            name,
            reset.frame_ref.time.since(answer.first.time)
        ),
        (Some(answer), Some(fin)) => sentence!(
            "The server responded {} before {} was complete, and closed the connection {} later. The server did not \
             read on, and reset the connection {} after that.",
            status,
            name,
            fin.frame_ref.time.since(answer.first.time),
            reset.frame_ref.time.since(fin.frame_ref.time)
        ),
        (None, _) if whole => sentence!(
            "The server reset the connection {} after the client had sent {}. It had acknowledged {} of the client's {}, and sent no \
             response.",
            sent.map_or_else(Default::default, |it| reset
                .frame_ref
                .time
                .since(it.last.time)),
            name,
            own.acknowledged,
            Value::exact_bytes(own.bytes)
        ),
        (None, _) => sentence!(
            "The server reset the connection while the client was still sending {}, without a response.",
            name
        ),
    };
    let delivered = answer.map(|answer| {
        if connection.sent[Who::Server as usize].acknowledged >= answer.end() {
            "The response arrived at the client. Whether the program read it is not known."
        } else {
            "The client had not acknowledged the whole response: it may be lost."
        }
    });
    let shut = is_shut(connection, Who::Server).then_some(
        "The server's window had gone to zero: it had stopped reading, and the client could not send the rest.",
    );
    tell(
        &RULE,
        Severity::Error,
        ending.certainty,
        match whole {
            true => "Server reset [the connection|# connections] before the whole request arrived",
            false => "Server reset [the connection|# connections] mid-request",
        },
        message,
    )
    .adds(
        ending
            .exchange
            .filter(|_| !whole)
            .and_then(|it| Some(far(it, request(it)?))),
    )
    .adds(shut)
    .means(delivered)
    .means(again(ending.exchange))
    .shows(sent.map(|message| message.first), format!("{what} begins"))
    .shows(answer.map(|message| message.first), "response begins")
    .shows(Some(reset.frame_ref), "RST from the server")
    .about(connection)
}

/// Whether a retry makes sense: a refusal stays one.
fn again(exchange: Option<&Exchange>) -> Option<Sentence> {
    let exchange = exchange?;
    let status = exchange.response.as_ref().map_or(0, |it| it.status);
    Some(match status {
        400..=499 => refused_again(exchange, status),
        _ => repetition(exchange),
    })
}

#[cfg(test)]
mod tests {
    use crate::rules::ladder_check;

    fn message(text: &str) -> Option<String> {
        let text = format!("SYN -->\n<-- SYN\nACK -->\n{text}");
        ladder_check::told_by(&super::RULE, &text)
    }

    #[test]
    fn without_a_response_too() {
        let told = message("POST / [length=9000] data 1000 -->\n<-- ACK\n<-- RST").expect("found");
        assert!(
            told.contains("1,000 of 9,000") && told.contains("without a response"),
            "{told}"
        );
    }

    #[test]
    fn the_whole_body_may_have_been_sent_before_the_reset() {
        let text = "POST / [length=2000] data 1000 -->\n<-- 413 \"no\" [close]\ndata 1000 -->\n+5ms <-- RST";
        let told = message(text).expect("found");
        assert!(
            told.contains("responded with 413") && told.contains("2,000 of 2,000"),
            "{told}"
        );
    }

    #[test]
    fn a_shut_window_shows_that_the_request_was_not_whole() {
        for cut in ["", " cut=20"] {
            let told = message(&format!(
                "POST / [length=3000000{cut}] data 20000 -->\n<-- ACK [win=0]\n+2s probe -->\n<-- ACK [win=0]\n+1s <-- \
                 RST"
            ));
            let told = told.expect("found");
            assert!(told.contains("had stopped reading"), "{told}");
        }
    }

    #[test]
    fn a_server_that_closes_after_its_response_does_not_read_on() {
        let text = "POST / [length=9000] data 1000 -->\n<-- 413 \"no\" [close]\n<-- FIN\ndata 1000 -->\n<-- RST [noack]";
        let told = message(text).expect("found");
        assert!(told.contains("did not read on"), "{told}");
    }
}
