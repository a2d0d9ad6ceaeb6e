//! The client closed its direction at once, and the server took that for an abort.

use crate::analysis::connection::{Connection, Who};
use crate::base::certainty::Certainty;
use crate::protocol::dialogue::AppProtocol;
use crate::rules::Severity;
use crate::rules::classify::{Ending, EndingKind, request};
use crate::rules::classify_h2::was_sent_away;
use crate::rules::rule::{Check, Verdict, rule};
use crate::rules::statement::sentence;
use crate::rules::wording::{is_of_another_protocol, named, repetition, tell};

rule! {
    /// # What happened
    ///
    /// The client sent its request and closed its direction at once. The server closed as soon as it had the FIN, without a
    /// byte of the response. The client reads an end of stream where its response should be, and nginx logs 499.
    ///
    /// # Why it matters
    ///
    /// A client that half-closes means "that is all I have to send" and waits for the response. Many proxies and servers read
    /// it as "I am gone" and drop the request (nginx 499, Squid `half_closed_clients off`, Envoy, IPVS). The two look the
    /// same in a capture, so this is at most likely.
    ///
    /// # Remedy
    ///
    /// - *If HTTP was spoken:* Do not half-close: send `Connection: close` instead, and close after the response (`nc` without
    ///   `-N`).
    /// - *If HTTP was spoken:* Or let the server ignore the half-close (nginx `proxy_ignore_client_abort on`, HAProxy without
    ///   `option abortonclose`).
    /// - *If HTTP was not spoken:* Close at the client only after the reply has come, where it still wants it.
    ///
    /// # Tell it by
    ///
    /// The client's FIN follows its request at once, and the server closes as soon as it has that FIN.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET / FIN          -->
    ///  0.030                     <--  FIN
    ///  0.040  ACK                -->
    ///  => teardown client fin waiting
    ///  => findings half-close-taken-as-abort
    /// ```
    ///
    /// # Not this
    ///
    /// A client that has waited, and closes:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /              -->
    ///  0.030                     <--  ACK
    ///  5.020  FIN                -->
    ///  5.030                     <--  FIN
    ///  5.040  ACK                -->
    /// ```
    ///
    /// A server that understands it and responds:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET / FIN          -->
    ///  0.030                     <--  ACK
    ///  0.500                     <--  200 "hello"
    ///  0.510  ACK                -->
    ///  0.520                     <--  FIN
    ///  0.530  ACK                -->
    /// ```
    ///
    /// # References
    ///
    /// RFC 9293 §3.6 (half-closed connections); RFC 9112 §9.6.
    pub(super) RULE: "half-close-taken-as-abort", Severity::Error,
    "the server closes at the client's half-close instead of responding", Check::Ending(&[EndingKind::HalfCloseTakenAsAbort], check)
}

fn check(connection: &Connection, ending: &Ending<'_>) -> Verdict {
    // Servers drop what they cannot read, whether the client closes its direction or not.
    let broken = ending
        .exchange
        .is_some_and(|it| !it.request_faults().is_empty());
    // Offers of keys have no response.
    let dialogue = connection.dialogue.as_deref();
    if broken || dialogue.is_some_and(|it| it.protocol == Some(AppProtocol::Ssh)) {
        return Verdict::Clear;
    }
    // Of other protocols clients leave without a goodbye as often as they half-close.
    let other = ending.exchange.is_some_and(is_of_another_protocol);
    let close = ending.close.frame_ref;
    if was_sent_away(connection, close) {
        return Verdict::Clear;
    }
    let sent = ending.exchange.and_then(request);
    let answer = connection.fin[Who::Server as usize]
        .or(connection.reset[Who::Server as usize])
        .map(|event| event.frame_ref);
    let message = sentence!(
        "The client closed its direction {} after the last byte of {}. The server closed {} later, without a byte of \
         the response.",
        sent.map(|sent| close.time.since(sent.last.time))
            .unwrap_or_default(),
        ending.exchange.map(named).unwrap_or_default(),
        answer
            .map(|frame_ref| frame_ref.time.since(close.time))
            .unwrap_or_default()
    );
    tell(
        &RULE,
        match other {
            true => Severity::Warning,
            false => Severity::Error,
        },
        match other {
            true => Certainty::Possible,
            false => ending.certainty.max(Certainty::Likely),
        },
        "Server closed [the connection|# connections] after a half-close",
        message,
    )
    .presumes(Some(
        "The server took the client's half-close for a close of the whole connection.",
    ))
    .means(Some(
        "If the client was still reading, its request was lost.",
    ))
    .means(ending.exchange.map(repetition))
    .shows(Some(close), "FIN from the client, right after the request")
    .shows(answer, "close by the server, no response byte sent")
    .about(connection)
}

#[cfg(test)]
mod tests {
    use crate::rules::{Severity, ladder_check};

    /// An offer of keys has no response, and clients of other protocols leave without a word.
    #[test]
    fn what_is_no_half_close_outside_of_http() {
        let offer = format!("\\x00\\x00\\x00\\x44\\x05\\x14{}", "\\x00".repeat(66));
        let ssh = format!(
            "client server :22\nSYN -->\n<-- SYN\nACK -->\n\"SSH-2.0-a\\r\\n\" -->\n<-- \"SSH-2.0-b\\r\\n\"\n\
             \"{offer}\" -->\n"
        );
        let mail = "client server :25\nSYN -->\n<-- SYN\nACK -->\n<-- \"220 mx ESMTP\\r\\n\"\n\"EHLO a\\r\\n\" -->\n\
                    <-- \"250 mx\\r\\n\"\n\"NOOP\\r\\n\" -->\n";
        let http = "SYN -->\n<-- SYN\nACK -->\nGET / -->\n";
        for (open, severity) in [
            (ssh.as_str(), None),
            (mail, Some(Severity::Note)),
            (http, Some(Severity::Error)),
        ] {
            let text = format!("{open}FIN -->\n<-- ACK\n<-- FIN\nACK -->");
            let found = ladder_check::found_by(&super::RULE, &text);
            assert_eq!(found.map(|it| it.severity), severity, "{open}");
        }
    }
}
