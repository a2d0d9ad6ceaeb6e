//! The client waited for `100 Continue`, and it did not come.

use std::time::Duration;

use crate::analysis::connection::{Connection, Who};
use crate::base::frame_ref::FrameRef;
use crate::protocol::http::{Exchange, FieldName};
use crate::rules::Severity;
use crate::rules::classify::response;
use crate::rules::rule::{Check, Verdict, rule};
use crate::rules::statement::{Value, sentence};
use crate::rules::wording::{named, not_yet, tell};

rule! {
    /// # What happened
    ///
    /// The request says `Expect: 100-continue`: the client holds its body back until the server sends `100 Continue`. The
    /// server sent nothing, and after a fixed time (1 s in curl, 350 ms in .NET) the client sent the body anyway. No error is
    /// logged; curl's trace says "Done waiting for 100-continue".
    ///
    /// # Why it matters
    ///
    /// Every such request takes that time longer, without any use. It is the mark of a server, or of a proxy in front of it,
    /// that does not know the field.
    ///
    /// # Remedy
    ///
    /// - Let the server or proxy send `100 Continue`, or pass the field on to a server that does.
    /// - Or let the client not ask (.NET `ServicePointManager.Expect100Continue = false`, curl `-H 'Expect:'`).
    ///
    /// # Tell it by
    ///
    /// The request says `Expect: 100-continue`. Its body follows only after a pause with no packet from the server.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  POST /up [length=5 expect=100-continue close] -->
    ///  0.030                     <--  ACK
    ///  1.020  "hello"            -->
    ///  1.040                     <--  200 "thanks" [close]
    ///  1.041                     <--  FIN
    ///  1.050  FIN                -->
    ///  1.060                     <--  ACK
    ///  => findings expect-continue-stall
    /// ```
    ///
    /// # Not this
    ///
    /// The server sent `100 Continue`:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  POST /up [length=5 expect=100-continue close] -->
    ///  0.900                     <--  "HTTP/1.1 100 Continue\r\n\r\n"
    ///  0.910  "hello"            -->
    ///  0.930                     <--  200 "thanks" [close]
    ///  0.931                     <--  FIN
    ///  0.940  FIN                -->
    ///  0.950                     <--  ACK
    ///  => findings none
    /// ```
    ///
    /// The client did not wait:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  POST /up [length=5 expect=100-continue close] -->
    ///  0.021  "hello"            -->
    ///  0.040                     <--  200 "thanks" [close]
    ///  0.041                     <--  FIN
    ///  0.050  FIN                -->
    ///  0.060                     <--  ACK
    ///  => findings none
    /// ```
    ///
    /// # References
    ///
    /// RFC 9110 §10.1.1 (`Expect`), §15.2.1 (100).
    pub(super) RULE: "expect-continue-stall", Severity::Warning,
    "the client waits for `100 Continue`, and it does not come", Check::Connection(check)
}

/// The shortest wait known is .NET's 350 ms.
const PATIENCE: Duration = Duration::from_millis(300);

/// The end of the head and the start of the body, if nothing was received in between.
fn stalled(exchange: &Exchange) -> Option<(FrameRef, FrameRef)> {
    let rare = exchange.rare.as_ref()?;
    let body = rare.body_began?;
    exchange.request_fields(FieldName::Expect).next()?;
    let head = exchange.request_head_end()?;
    let answered = rare.interim.iter().any(|interim| interim.at <= body)
        || response(exchange).is_some_and(|answer| answer.first <= body);
    (!answered && body.time.since(head.time) >= PATIENCE).then_some((head, body))
}

fn check(connection: &Connection) -> Verdict {
    let mut found = connection
        .exchanges
        .iter()
        .filter_map(|exchange| Some((exchange, stalled(exchange)?)));
    let Some((exchange, (head, body))) = found.next() else {
        return not_yet(connection);
    };
    let server = &connection.sent[Who::Server as usize];
    if server.missing > 0 || server.packets == 0 {
        return Verdict::Clear;
    }
    let more = found.count();
    let message = sentence!(
        "The client announced the body of {} with `Expect: 100-continue` and waited {} for `100 Continue`. None came, \
         and the client sent the body anyway.",
        named(exchange),
        body.time.since(head.time)
    );
    let whole = exchange.is_complete();
    let end = whole.then_some("The request got its response: only this time was lost.");
    let more = (more > 0).then(|| {
        sentence!(
            "{} on this connection waited as well.",
            Value::count(more as u64, "more request", "more requests")
        )
    });
    tell(
        &RULE,
        match whole {
            true => Severity::Note,
            false => Severity::Warning,
        },
        connection.teardown.certainty,
        "Client waited, no 100 Continue came[| on # connections]",
        message,
    )
    .means(end)
    .adds(more)
    .shows(Some(head), "head complete, with `Expect: 100-continue`")
    .shows(Some(body), "body begins")
    .about(connection)
}

#[cfg(test)]
mod tests {
    use crate::rules::Severity;
    use crate::rules::ladder_check::found_by;

    #[test]
    fn a_request_that_got_its_response_in_the_end_is_a_note() {
        let open = "SYN -->\n<-- SYN\nACK -->\nPOST /up [length=5 expect=100-continue] -->\n<-- ACK\n+1s \"hello\" -->\n";
        let severity =
            |end: &str| found_by(&super::RULE, &format!("{open}{end}")).map(|it| it.severity);
        assert_eq!(severity("<-- 200 \"x\"\nACK -->"), Some(Severity::Note));
        assert_eq!(severity("<-- RST"), Some(Severity::Warning));
    }
}
