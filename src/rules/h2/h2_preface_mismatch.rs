//! One side speaks HTTP/2 and the other does not.

use crate::analysis::connection::{By, Connection, How, Opening, ResetKind, Who};
use crate::base::certainty::Certainty;
use crate::base::escape::shortened;
use crate::protocol::h2;
use crate::protocol::http::{Exchange, Fault, FaultRule, FieldName};
use crate::rules::Severity;
use crate::rules::rule::{Check, Verdict, rule};
use crate::rules::statement::sentence;
use crate::rules::wording::{named, tell};

rule! {
    /// # What happened
    ///
    /// The client began with the preface of HTTP/2 (`PRI * HTTP/2.0`), and the server answered in HTTP/1 or closed without a
    /// frame. Or the client sent an HTTP/1 request, and the server answered with HTTP/2 frames. Without TLS nothing negotiates
    /// the version: both must be configured alike. The log says "An HTTP/2 connection could not be established because the
    /// server did not complete the HTTP/2 handshake" or "malformed HTTP response". Others say `ERR_HTTP2_PROTOCOL_ERROR`,
    /// "http2: frame too large", or "invalid method PRI" at the server.
    ///
    /// # Why it matters
    ///
    /// No request will ever succeed on such a connection. It looks like a broken server, but it is a wrong setting.
    ///
    /// # Remedy
    ///
    /// - *If the client spoke HTTP/2:* Turn HTTP/2 without TLS (`h2c`) on at the server's port (nginx `http2 on`, Envoy's
    ///   `http2_protocol_options`, Kubernetes `appProtocol: kubernetes.io/h2c`), or let the client speak HTTP/1.1.
    /// - *If the client spoke HTTP/2:* gRPC needs HTTP/2 all the way: look at each proxy in between (nginx `grpc_pass`, not
    ///   `proxy_pass`).
    /// - *If the client spoke HTTP/1:* Let the client speak HTTP/2 from the start (curl `--http2-prior-knowledge`), or use a
    ///   port on which the server speaks HTTP/1.1.
    /// - *If TLS was used:* Let ALPN decide, and offer `h2` only where it is spoken.
    ///
    /// # Tell it by
    ///
    /// The client begins with `PRI * HTTP/2.0` and gets HTTP/1, or begins with HTTP/1 and gets HTTP/2 frames.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                               server
    ///  0.000  SYN                             -->
    ///  0.010                                  <--  SYN
    ///  0.020  h2 preface h2 SETTINGS          -->
    ///  0.030                                  <--  400 "no" [close]
    ///  0.031                                  <--  FIN
    ///  0.040  FIN                             -->
    ///  0.050                                  <--  ACK
    ///  => findings h2-preface-mismatch
    /// ```
    ///
    /// # Not this
    ///
    /// Both speak it:
    ///
    /// ```ladder
    ///         client                               server
    ///  0.000  SYN                             -->
    ///  0.010                                  <--  SYN
    ///  0.015                                  <--  h2 SETTINGS
    ///  0.020  h2 preface h2 SETTINGS          -->
    ///  0.021  h2 HEADERS 1 GET / END          -->
    ///  0.040                                  <--  h2 HEADERS 1 200 END
    ///  0.060  h2 GOAWAY 0 NO_ERROR FIN        -->
    ///  0.070                                  <--  FIN
    ///  0.080  ACK                             -->
    ///  => protocol http/2
    ///  => outcome 1 complete
    ///  => findings none
    /// ```
    ///
    /// # References
    ///
    /// RFC 9113 §3.3, §3.4; RFC 9112 §2.3.
    pub(super) RULE: "h2-preface-mismatch", Severity::Error,
    "one side speaks HTTP/2 and the other does not", Check::Connection(check)
}

/// The HTTP/1 exchange that was answered with HTTP/2 frames.
pub(in crate::rules) fn answered_in_frames(connection: &Connection) -> Option<(&Exchange, &Fault)> {
    connection.exchanges.iter().find_map(|exchange| {
        let mut faults = exchange.response_faults().iter();
        let fault = faults.find(|fault| {
            fault.rule == FaultRule::StartLine && h2::begins(fault.bytes.as_bytes())
        })?;
        Some((exchange, fault))
    })
}

fn check(connection: &Connection) -> Verdict {
    const SUMMARY: &str = "One side speaks HTTP/2, the other does not";
    if let Some((exchange, _)) = answered_in_frames(connection) {
        // An answer to the request's `Upgrade: h2c` may be among what was not captured (RFC 7540 §3.2).
        let upgrades = exchange.request_fields(FieldName::Upgrade).next().is_some();
        if upgrades || is_partial(connection, Who::Server) {
            return Verdict::Clear;
        }
        let told = sentence!(
            "The client sent {} in HTTP/1, and the server answered with frames of HTTP/2: this port speaks nothing else.",
            named(exchange)
        );
        let response = exchange.response.as_ref().map(|it| it.message.first);
        return tell(&RULE, Severity::Error, Certainty::Certain, SUMMARY, told)
            .shows(
                exchange.request.as_ref().map(|it| it.message.first),
                "request in HTTP/1",
            )
            .shows(response, "HTTP/2 frames from the server")
            .about(connection);
    }
    let Some(h2) = &connection.h2 else {
        return Verdict::Clear;
    };
    let [client, server] = &h2.halves;
    if let Some(mismatch) = &h2.mismatch {
        let by = match mismatch.by_client {
            true => Who::Client,
            false => Who::Server,
        };
        // What the capture lacks may have been the preface, or the frames before these bytes.
        if h2.midstream || is_partial(connection, by) {
            return Verdict::Clear;
        }
        let bytes = mismatch.bytes.as_bytes();
        let line = bytes
            .split(|byte| matches!(byte, b'\r' | b'\n'))
            .next()
            .unwrap_or(bytes);
        let line = shortened(line, QUOTED);
        let told = match (mismatch.by_client, mismatch.is_http1()) {
            (true, _) => sentence!(
                "The server began with SETTINGS of HTTP/2, and the client did not send its preface but \"{}\".",
                line
            ),
            (false, true) => sentence!(
                "The client began with the preface of HTTP/2, and the server answered in HTTP/1: \"{}\".",
                line
            ),
            (false, false) => sentence!(
                "The client began with the preface of HTTP/2, and the server's first bytes are no frame of it: \"{}\".",
                line
            ),
        };
        return tell(&RULE, Severity::Error, Certainty::Certain, SUMMARY, told)
            .shows(
                client.settings_at.or(Some(connection.first)),
                "the client's first frames",
            )
            .shows(Some(mismatch.at), "bytes that are not HTTP/2")
            .about(connection);
    }
    // A server that closes on the preface does not know it.
    let by_server = connection.teardown.by == By::Server
        && matches!(
            connection.teardown.how,
            How::Fin | How::Reset(ResetKind::Abort | ResetKind::NoSocket)
        );
    let mute = server.frames == 0 && !server.lost;
    let sent = &connection.sent[Who::Server as usize];
    if !by_server
        || !mute
        || h2.upgraded
        || h2.midstream
        || client.frames == 0
        || sent.missing > 0
        || sent.packets == 0
    {
        return Verdict::Clear;
    }
    let close = connection.fin[Who::Server as usize].or(connection.reset[Who::Server as usize]);
    let close = close.map(|event| event.frame_ref);
    let since = client.last.zip(close);
    let waited = since.map(|(last, close)| close.time.since(last.time));
    let told = sentence!(
        "The client began with the preface of HTTP/2. The server closed {} after the client's last frame, without a frame of its own.",
        waited.unwrap_or_default()
    );
    tell(&RULE, Severity::Error, Certainty::Likely, SUMMARY, told)
        .presumes(Some(
            "The server does not speak HTTP/2 on this port, or its program failed.",
        ))
        .shows(client.last, "frames of the client")
        .shows(close, "the server closes")
        .about(connection)
}

/// Characters quoted of what is not HTTP/2.
const QUOTED: usize = 64;

/// Whether the capture lacks bytes that this side sent before those it has.
fn is_partial(connection: &Connection, who: Who) -> bool {
    let h2 = connection.h2.as_deref();
    let lost = h2.is_some_and(|h2| h2.halves[who as usize].lost);
    // The preface is the beginning, whether or not the handshake was captured.
    let begun = h2.is_some_and(|h2| {
        let [client, _] = &h2.halves;
        client.frames > 0 && !h2.midstream && !client.lost
    });
    let began_before = connection.opening != Opening::Handshake && !begun;
    began_before || connection.sent[who as usize].missing > 0 || lost
}

#[cfg(test)]
mod tests {
    use crate::rules::ladder_check;

    fn rules(text: &str) -> Vec<&'static str> {
        let text = format!("SYN -->\n<-- SYN\nACK -->\n{text}");
        ladder_check::run(&text.parse().expect("a ladder")).rules()
    }

    /// What the capture lacks may have been the preface, or an answer to an upgrade.
    #[test]
    fn a_capture_without_the_beginning_shows_no_mismatch() {
        let run = |text: &str| ladder_check::run(&text.parse().expect("a ladder")).rules();
        for text in [
            "<-- h2 SETTINGS\ndata 40 -->\nh2 HEADERS 1 GET / END -->\n<-- h2 HEADERS 1 200 END\nFIN -->\n<-- FIN",
            "<-- 101 [upgrade=h2c connection=Upgrade]\n<-- h2 SETTINGS\nh2 preface h2 SETTINGS -->\n<-- h2 HEADERS 1 200 END",
            "SYN -->\n<-- SYN\nGET / [upgrade=h2c connection=Upgrade] -->\n<~~ 101 [upgrade=h2c connection=Upgrade]\n\
             <-- h2 SETTINGS\nh2 preface h2 SETTINGS -->\n<-- h2 HEADERS 1 200 END\nFIN -->\n<-- FIN",
        ] {
            assert!(!run(text).contains(&super::RULE.name), "{text}");
        }
    }

    /// The preface is the beginning of what is said, with or without the handshake.
    #[test]
    fn the_preface_shows_the_beginning() {
        let run = |text: &str| ladder_check::run(&text.parse().expect("a ladder")).rules();
        let text = "h2 preface h2 SETTINGS -->\n<-- 400 \"no\" [close] FIN\nFIN -->\n<-- ACK";
        assert!(run(text).contains(&super::RULE.name), "{:?}", run(text));
    }

    #[test]
    fn either_side_may_be_the_one_that_does_not() {
        let only = [super::RULE.name];
        assert_eq!(
            rules("GET / -->\n<-- h2 SETTINGS h2 GOAWAY 0 PROTOCOL_ERROR FIN\nFIN -->\n<-- ACK"),
            only
        );
        assert_eq!(
            rules(
                "<-- h2 SETTINGS\nGET / -->\n<-- h2 GOAWAY 0 PROTOCOL_ERROR FIN\nFIN -->\n<-- ACK"
            ),
            only
        );
        assert_eq!(
            rules("h2 preface h2 SETTINGS -->\n<-- FIN\nFIN -->\n<-- ACK"),
            only
        );
        assert_eq!(
            rules("h2 preface h2 SETTINGS h2 HEADERS 1 GET / END -->\n<-- RST"),
            only
        );
        assert_eq!(
            rules("h2 preface h2 SETTINGS -->\n<-- \"hello\\r\\n\" FIN\nFIN -->\n<-- ACK"),
            only
        );
    }
}
