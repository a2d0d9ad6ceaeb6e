//! One side of a WebSocket closed it with an error code.

use crate::analysis::connection::{Connection, Who};
use crate::base::escape::escape;
use crate::protocol::websocket::CloseFrame;
use crate::rules::Severity;
use crate::rules::rule::{Check, Verdict, rule};
use crate::rules::statement::sentence;
use crate::rules::wording::{side, tell};

rule! {
    /// # What happened
    ///
    /// The WebSocket was closed by a Close frame whose code reports a fault. 1002: protocol error. 1003 and 1007: data that was
    /// not understood. 1008: policy. 1009: message too big. 1010: an extension missing. 1011: internal error. 1014: bad
    /// gateway.
    ///
    /// # Why it matters
    ///
    /// The program did not mean to end here. The other side reads the code and the reason: "received 1011 (internal error)",
    /// `CloseEvent.code 1009`, "close 1008". Its last messages may not have been processed.
    ///
    /// # Remedy
    ///
    /// - *If the close reason mentions ping timeout:* Let the side that did not close answer pings: its event loop or thread was
    ///   busy. Or raise the ping timeout of the side that closed (`ping_timeout`).
    /// - *If the close code was 1011 and the close reason does not mention ping timeout:* Look in the log of the side that
    ///   closed: its handler failed.
    /// - *If the close code was 1009:* Send smaller messages, or raise the limit of the side that closed (`max_size`,
    ///   `maxPayload`, `MaxReceivedMessageSize`).
    /// - *If the close code was 1008:* Look at what the side that closed asks of its peers: tokens, origins, rates.
    /// - *If the close code was 1002:* Compare the two libraries: one of them, or a proxy that does not know WebSockets, breaks
    ///   the framing.
    /// - *If the close code was 1007:* Look at the text that the side which did not close sent: it is not UTF-8.
    /// - Look in the log of the side that closed, at the time of the close.
    ///
    /// # Tell it by
    ///
    /// A Close frame comes before the FIN, and its code is neither 1000 nor 1001.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                                                server
    ///  0.000  SYN                                              -->
    ///  0.010                                                   <--  SYN
    ///  0.020  GET /ws [connection=Upgrade upgrade=websocket]   -->
    ///  0.030                                                   <--  101 [connection=Upgrade upgrade=websocket]
    ///  0.040  ws text 5                                        -->
    ///  0.050                                                   <--  ws close 1011 "failed"
    ///  0.060  ws close 1011                                    -->
    ///  0.070                                                   <--  FIN
    ///  0.080  FIN                                              -->
    ///  0.090                                                   <--  ACK
    ///  => protocol websocket
    ///  => findings websocket-closed-with-error
    /// ```
    ///
    /// # Not this
    ///
    /// A side that goes away, or starts anew (1012), or has a code of its own (from 3000 on), blames nobody:
    ///
    /// ```ladder
    ///         client                                                server
    ///  0.000  SYN                                              -->
    ///  0.010                                                   <--  SYN
    ///  0.020  GET /ws [connection=Upgrade upgrade=websocket]   -->
    ///  0.030                                                   <--  101 [connection=Upgrade upgrade=websocket]
    ///  0.040                                                   <--  ws close 1012 "restart"
    ///  0.050  ws close 1012                                    -->
    ///  0.060                                                   <--  FIN
    ///  0.070  FIN                                              -->
    ///  0.080                                                   <--  ACK
    ///  => findings none
    /// ```
    ///
    /// # References
    ///
    /// RFC 6455 §5.5.1, §7.4.1; the registry of WebSocket close codes.
    pub(super) RULE: "websocket-closed-with-error", Severity::Warning,
    "a WebSocket was closed with an error code", Check::Connection(check)
}

fn check(connection: &Connection) -> Verdict {
    let Some(websocket) = &connection.websocket else {
        return Verdict::Clear;
    };
    let first = websocket.first_close();
    let Some((end, close, code)) = first.and_then(|(end, it)| Some((end, it, it.blames()?))) else {
        return Verdict::Clear;
    };
    let who = Who::of(end);
    let named = match CloseFrame::meaning(code) {
        Some(meaning) => format!("{code} ({meaning})"),
        None => code.to_string(),
    };
    let reason = close.reason.as_bytes();
    let reason =
        (!reason.is_empty()).then(|| sentence!("The Close frame says \"{}\".", escape(reason)));
    let summary = match (who, CloseFrame::meaning(code)) {
        (Who::Client, Some(meaning)) => sentence!(
            "Client closed [a WebSocket|# WebSockets] with {} ({})",
            code.to_string(),
            meaning
        ),
        (Who::Server, Some(meaning)) => sentence!(
            "Server closed [a WebSocket|# WebSockets] with {} ({})",
            code.to_string(),
            meaning
        ),
        (Who::Client, None) => {
            sentence!("Client closed [a WebSocket|# WebSockets] with {}", &named)
        }
        (Who::Server, None) => {
            sentence!("Server closed [a WebSocket|# WebSockets] with {}", &named)
        }
    };
    let message = match who {
        Who::Client => sentence!("The client closed the WebSocket with the code {}.", &named),
        Who::Server => sentence!("The server closed the WebSocket with the code {}.", &named),
    };
    tell(
        &RULE,
        Severity::Warning,
        connection.teardown.certainty,
        summary,
        message,
    )
    .adds(reason)
    .shows(
        Some(close.at),
        format!("Close {code} from the {}", side(who)),
    )
    .about(connection)
}

#[cfg(test)]
mod tests {
    use crate::rules::ladder_check;

    #[test]
    fn who_was_first_is_told_of() {
        let open = "SYN -->\n<-- SYN\nGET /ws [connection=Upgrade upgrade=websocket] -->\n\
                    <-- 101 [connection=Upgrade upgrade=websocket]\n";
        let found = |text: &str| ladder_check::found_by(&super::RULE, &format!("{open}{text}"));
        let told =
            found("ws close 1009 \"\\x1b[2J\" -->\n<-- ws close 1009\n<-- FIN").expect("found");
        assert!(
            told.message.starts_with("The client closed"),
            "{}",
            told.message
        );
        assert!(
            told.message.contains("1009 (message too big)"),
            "{}",
            told.message
        );
        assert!(!told.message.contains('\x1b'), "{}", told.message);
        assert!(found("ws close 1000 -->\n<-- ws close 1002\n<-- FIN").is_none());
        assert!(found("<-- ws close 4001\nws close 4001 -->\n<-- FIN").is_none());
    }
}
