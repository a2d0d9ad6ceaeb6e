//! The server closed an HTTP/2 connection with streams open, and no GOAWAY stated which of them it had processed.

use crate::analysis::connection::{By, Connection, How, ResetKind, Who};
use crate::base::certainty::Certainty;
use crate::protocol::http::{Exchange, MessageProgress};
use crate::rules::Severity;
use crate::rules::rule::{Check, Verdict, rule};
use crate::rules::statement::{Sentence, Value, sentence};
use crate::rules::wording::{named, not_yet, tell};
use crate::rules::wording_tls::adding;

rule! {
    /// # What happened
    ///
    /// The server closed the connection with a FIN or a RST while streams were open, and had not sent a GOAWAY. All streams on
    /// the connection ended at once. The client's log says "The response ended prematurely while waiting for the next frame
    /// from the server" or "HTTP/2 stream 1 was not closed cleanly before end of the underlying stream". Others say "server
    /// closed the stream without sending trailers" or `UNAVAILABLE`.
    ///
    /// # Why it matters
    ///
    /// GOAWAY names the last stream that may have been processed: everything above it is safe to retry (RFC 9113 §6.8, §8.7).
    /// Without it the client does not know which requests took effect, so only idempotent ones may be retried. A server that
    /// shuts down cleanly never ends so. A killed or crashed process does, and so does a proxy, load balancer or firewall that
    /// cuts the connection after a timeout.
    ///
    /// # Remedy
    ///
    /// - Look in the server's log and the system log at the time of the close: a crash, an out-of-memory kill, a deployment that kills
    ///   instead of draining. Let the server shut down gracefully, and wait longer than its longest request.
    /// - Compare the time since the last frame with the timeouts of the server and of the proxies between. Raise the one that
    ///   fits, or let the client send PINGs more often.
    /// - *If the request may be repeated:* Let the client retry requests whose method is idempotent.
    ///
    /// # Tell it by
    ///
    /// The FIN or RST comes while HTTP/2 streams are open, and no GOAWAY frame comes before it.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                               server
    ///  0.000  SYN                             -->
    ///  0.010                                  <--  SYN
    ///  0.020  h2 preface h2 SETTINGS          -->
    ///  0.021  h2 HEADERS 1 GET /big END       -->
    ///  0.030                                  <--  h2 SETTINGS
    ///  0.040                                  <--  h2 HEADERS 1 200 [content-length=5000] h2 DATA 1 1000
    ///  0.050  h2 HEADERS 3 POST /order END    -->
    ///  0.070                                  <--  FIN
    ///  0.080  FIN                             -->
    ///  0.090                                  <--  ACK
    ///  => protocol http/2
    ///  => teardown server fin response-body
    ///  => outcome 1 cut-short
    ///  => outcome 2 no-response
    ///  => findings h2-close-without-goaway response-cut-short
    /// ```
    ///
    /// # Not this
    ///
    /// No stream was open:
    ///
    /// ```ladder
    ///         client                               server
    ///  0.000  SYN                             -->
    ///  0.010                                  <--  SYN
    ///  0.020  h2 preface h2 SETTINGS          -->
    ///  0.021  h2 HEADERS 1 GET / END          -->
    ///  0.030                                  <--  h2 SETTINGS
    ///  0.040                                  <--  h2 HEADERS 1 200 h2 DATA 1 1000 END
    ///  0.050                                  <--  FIN
    ///  0.060  FIN                             -->
    ///  0.070                                  <--  ACK
    ///  => outcome 1 complete
    ///  => findings none
    /// ```
    ///
    /// The client left:
    ///
    /// ```ladder
    ///         client                               server
    ///  0.000  SYN                             -->
    ///  0.010                                  <--  SYN
    ///  0.020  h2 preface h2 SETTINGS          -->
    ///  0.021  h2 HEADERS 1 GET / END          -->
    ///  0.030                                  <--  h2 SETTINGS
    ///  5.020  FIN                             -->
    ///  5.030                                  <--  FIN
    ///  5.040  ACK                             -->
    ///  => outcome 1 client-left
    /// ```
    ///
    /// # References
    ///
    /// RFC 9113 §5.4.1, §6.8, §8.7.
    pub(super) RULE: "h2-close-without-goaway", Severity::Error,
    "the server closed an HTTP/2 connection with streams open and no GOAWAY", Check::Connection(check)
}

/// Streams listed one by one; the others are counted.
const NAMED: usize = 3;

fn check(connection: &Connection) -> Verdict {
    let Some(h2) = &connection.h2 else {
        return Verdict::Clear;
    };
    let server = &h2.halves[Who::Server as usize];
    let close = match (connection.teardown.by, connection.teardown.how) {
        (By::Server, How::Fin) => connection.fin[Who::Server as usize],
        (By::Server, How::Reset(ResetKind::Abort | ResetKind::NoSocket)) => {
            connection.reset[Who::Server as usize]
        }
        (By::Server, _) | (By::Client | By::Both | By::Middlebox, _) => return Verdict::Clear,
        (By::Nobody, _) => return not_yet(connection),
    };
    let sent_close_notify = h2.halves.iter().any(|half| half.goaway().is_some());
    if sent_close_notify || h2.mismatch.is_some() || server.frames == 0 {
        return Verdict::Clear;
    }
    let Some(close) = close else {
        return Verdict::Clear;
    };
    // A stream that had not reached the server when it closed was not open there, but is lost all the same.
    let lost: Vec<&Exchange> = connection
        .exchanges
        .iter()
        .filter(|exchange| !exchange.is_settled())
        .collect();
    if lost.is_empty() {
        return Verdict::Clear;
    }
    // Where frames were not captured, the end of the stream or a GOAWAY may have been among them.
    let unsure = h2.midstream || server.lost || connection.sent.iter().any(|sent| sent.missing > 0);
    let (severity, certainty) = match unsure {
        true => (Severity::Note, Certainty::Possible),
        false => (Severity::Error, connection.teardown.certainty),
    };
    let open = Value::count(lost.len() as u64, "stream was", "streams were");
    let (word, message) = match close.kind {
        Some(_) => (
            "RST",
            sentence!(
                "The server reset the connection while {} open, without a GOAWAY.",
                open
            ),
        ),
        None => (
            "FIN",
            sentence!(
                "The server closed with a FIN while {} open, without a GOAWAY.",
                open
            ),
        ),
    };
    let message = match unsure {
        false => message,
        true => match close.kind {
            Some(_) => {
                "The server reset the connection; no end of some streams was seen, and no GOAWAY."
                    .into()
            }
            None => "The server closed with a FIN; no end of some streams was seen, and no GOAWAY."
                .into(),
        },
    };
    let mut fates: Vec<Sentence> = lost.iter().take(NAMED).map(|it| fate(it)).collect();
    let more = lost.len().saturating_sub(NAMED);
    if more > 0 {
        fates.push(sentence!(
            "{} unfinished.",
            Value::count(more as u64, "more stream was", "more streams were")
        ));
    }
    let unsafe_ones = lost.iter().filter(|exchange| {
        let request = exchange.request.as_ref();
        request.is_none_or(|request| !request.method.is_idempotent())
    });
    let blind = match unsafe_ones.count() {
        0 => None,
        count => Some(sentence!(
            "Do not retry {} blindly: no GOAWAY says which requests were processed.",
            Value::count(count as u64, "of them", "of them")
        )),
    };
    let silent = server.last.map(|last| {
        sentence!(
            "The server's last frame began {} before.",
            close.frame_ref.time.since(last.time)
        )
    });
    let cut = unsure.then_some("These streams were not complete.");
    let hidden = unsure.then_some(
        "Part of the frames was not captured: the end of a stream or a GOAWAY may have been among them.",
    );
    let first = lost.first().and_then(|it| it.request.as_ref());
    let summary = match unsure {
        true => "HTTP/2 closed, the end of some streams not captured",
        false => "HTTP/2 closed with open streams and no GOAWAY",
    };
    adding(tell(&RULE, severity, certainty, summary, message), fates)
        .means(blind)
        .adds(silent)
        .presumes(cut)
        .adds(hidden)
        .shows(
            first.map(|it| it.message.first),
            "oldest open stream begins",
        )
        .shows(server.last, "last frame of the server begins")
        .shows(
            Some(close.frame_ref),
            format!("{word} from the server, without GOAWAY"),
        )
        .about(connection)
}

/// "GET /a on stream 3 had got no byte of its response."
fn fate(exchange: &Exchange) -> Sentence {
    let id = exchange.stream_id().unwrap_or(0);
    let what = named(exchange);
    let Some(message) = exchange.response.as_ref().map(|it| &it.message) else {
        return sentence!("{} on stream {} had got no byte of its response.", what, id);
    };
    let received = message.received();
    match (message.progress, exchange.response_expected()) {
        (MessageProgress::Head, _) => {
            sentence!(
                "{} on stream {} had got part of the response's head.",
                what,
                id
            )
        }
        // The number of bytes in frames that were not captured is unknown.
        (MessageProgress::Unseen, _) => sentence!(
            "{} on stream {} had got {} of the response's body at least.",
            what,
            id,
            Value::exact_bytes(received)
        ),
        (_, Some(expected)) => sentence!(
            "{} on stream {} had got {} of {} of the response's body.",
            what,
            id,
            Value::exact_bytes(received),
            Value::exact_bytes(expected)
        ),
        (_, None) => sentence!(
            "{} on stream {} had got {} of the response's body.",
            what,
            id,
            Value::exact_bytes(received)
        ),
    }
}

#[cfg(test)]
mod tests {
    use crate::base::certainty::Certainty;
    use crate::rules::{Severity, ladder_check};

    const OPEN: &str = "SYN -->\n<-- SYN\nh2 preface h2 SETTINGS -->\n<-- h2 SETTINGS\n";

    fn message(text: &str) -> Option<String> {
        ladder_check::told_by(&super::RULE, &format!("{OPEN}{text}"))
    }

    #[test]
    fn each_stream_is_told() {
        let told = message(
            "h2 HEADERS 1 GET / END -->\nh2 HEADERS 3 POST / END -->\n<-- h2 HEADERS 1 200 [content-length=9] h2 DATA 1 5\n\
             <-- RST",
        );
        let told = told.expect("found");
        assert!(told.contains("2 streams were open"), "{told}");
        assert!(
            told.contains("`GET /` on stream 1 had got 5 bytes of 9 bytes"),
            "{told}"
        );
        assert!(
            told.contains("`POST /` on stream 3 had got no byte"),
            "{told}"
        );
        assert!(told.contains("Do not retry 1 of them"), "{told}");
    }

    /// What the snap length cut may have been a GOAWAY or the end of the stream.
    #[test]
    fn frames_that_were_cut_may_have_been_the_goaway() {
        let text = format!(
            "{OPEN}h2 HEADERS 1 GET / END -->\n<-- h2 HEADERS 1 200 h2 DATA 1 5 h2 GOAWAY 1 NO_ERROR [cut=20]\n<-- FIN"
        );
        let found = ladder_check::found_by(&super::RULE, &text);
        assert!(
            found.is_none_or(
                |it| it.severity == Severity::Note && it.certainty == Certainty::Possible
            )
        );
        let text =
            format!("{OPEN}h2 HEADERS 1 GET / END -->\n<~~ h2 GOAWAY 1 NO_ERROR\nACK -->\n<-- FIN");
        let found = ladder_check::found_by(&super::RULE, &text);
        assert!(found.is_none_or(|it| it.severity == Severity::Note));
    }

    /// The first frames of a capture that begins late may be either side's; a response shows whose they are.
    #[test]
    fn the_ports_do_not_tell_the_client_for_ever() {
        for text in [
            "<-- h2 SETTINGS\nh2 SETTINGS ACK -->\n<-- \"\\x00\\x00\\x01\\x01\\x05\\x00\\x00\\x00\\x01\\x88\"\nFIN -->\n<-- FIN",
            "<-- h2 SETTINGS\nh2 preface h2 SETTINGS -->\nh2 HEADERS 3 GET / END -->\n<-- h2 HEADERS 3 200 END\nFIN -->\n<-- FIN",
        ] {
            let text = format!("client :4000 server :50051\n{text}");
            let proof = ladder_check::run(&text.parse().expect("a ladder"));
            assert!(proof.rules().is_empty(), "{text}: {:?}", proof.rules());
            assert_eq!(proof.connections[0].client.port, 4000, "{text}");
        }
    }

    #[test]
    fn a_goaway_or_a_reset_before_is_another_story() {
        assert!(message("h2 HEADERS 1 GET / END -->\n<-- h2 GOAWAY 1 NO_ERROR\n<-- FIN").is_none());
        assert!(
            message("h2 HEADERS 1 GET / END -->\n<-- h2 RST_STREAM 1 INTERNAL_ERROR\n<-- FIN")
                .is_none()
        );
    }
}
