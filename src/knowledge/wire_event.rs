//! Wire events: what an application can meet on the wire. They connect captures to error texts.
//!
//! An event is named from the side of the application that meets it: a client that waits and gets a FIN, a server whose
//! client resets. A proxy has no events of its own: towards its backend it is a client, towards its client a server.
//! The few events that no packet shows are included, so that `explain` can say so.

use std::fmt;

/// The side whose application writes the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LogSide {
    /// The side that opened the connection; a proxy towards its backend.
    Client,
    /// The side that accepted the connection; a proxy towards its client.
    Server,
}

impl LogSide {
    /// The word used in tables and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
        }
    }
}

/// What a capture shows of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventTrace {
    /// Its own packets.
    Packets,
    /// No packet of its own; what came before or after may show it.
    Circumstance,
}

macro_rules! events {
    ($($side:ident $trace:ident $variant:ident $name:literal $story:literal [$($rule:literal)*])*) => {
        /// A wire event, named as in the tables.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum WireEvent {
            $(#[doc = $story] $variant,)*
        }

        impl WireEvent {
            /// All events, in the order of a connection's life, the client's first.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The name used in tables.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            /// The side that meets it.
            #[must_use]
            pub const fn side(self) -> LogSide {
                match self { $(Self::$variant => LogSide::$side),* }
            }

            /// Whether packets show it.
            #[must_use]
            pub const fn trace(self) -> EventTrace {
                match self { $(Self::$variant => EventTrace::$trace),* }
            }

            /// What happens, in one line.
            #[must_use]
            pub const fn story(self) -> &'static str {
                match self { $(Self::$variant => $story),* }
            }

            /// The rules that flag it, most specific first.
            #[must_use]
            pub const fn rules(self) -> &'static [&'static str] {
                match self { $(Self::$variant => &[$($rule),*]),* }
            }

            /// The event with this name.
            #[must_use]
            pub fn named(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

events! {
    // Connecting.
    Client Packets ConnectRefused "connect-refused" "the SYN is answered by a RST: nobody listens there, or a firewall refuses in its place" ["connection-refused"]
    Client Packets ConnectUnanswered "connect-unanswered" "nothing answers the SYN until the client's own timeout" ["connect-unanswered" "accept-queue-overflow" "nat-ports-exhausted"]
    Client Packets ConnectUnansweredToTheEnd "connect-unanswered-os" "nothing answers the SYN until the system stops trying" ["connect-unanswered" "accept-queue-overflow" "nat-ports-exhausted"]
    Client Packets HostUnreachable "host-unreachable" "ICMP answers the SYN: host unreachable" ["connection-unreachable"]
    Client Packets NetUnreachable "net-unreachable" "ICMP answers the SYN: network unreachable" ["connection-unreachable"]
    Client Packets AdminProhibited "admin-prohibited" "ICMP answers the SYN: administratively prohibited" ["connection-unreachable"]
    Client Packets PortUnreachable "port-unreachable" "ICMP answers the SYN: port unreachable" ["connection-unreachable"]
    Client Circumstance PortsExhausted "ports-exhausted" "the client has no free port: connecting fails before a SYN is sent" ["ephemeral-ports-exhausted" "ephemeral-port-pressure" "time-wait-on-client"]
    Client Circumstance PortForbidden "port-forbidden" "the client's own system forbids the socket: nothing is sent" []
    Client Packets NameNotFound "name-not-found" "the server's name cannot be resolved" ["name-resolution-failed"]

    // Before the response.
    Client Packets FinAfterAccept "fin-after-accept" "the server closes right after it accepted" ["closed-before-request" "closed-before-response"]
    Client Packets RstAfterAccept "rst-after-accept" "the server resets right after it accepted" ["reset-after-handshake" "reset-before-response"]
    Client Packets FinBeforeResponse "fin-before-response" "the server closes a fresh connection without answering the request" ["closed-before-response" "closed-before-request"]
    Client Packets FinAfterInterim "fin-after-interim" "the server closes behind an interim response, without the response" ["closed-before-response"]
    Client Packets RstBeforeResponse "rst-before-response" "a fresh connection is reset before any byte of the response" ["reset-before-response" "reset-injected"]
    Client Packets FinWhileSending "fin-while-sending" "the server closes while the request is being sent" ["closed-before-request" "early-response-reset"]
    Client Packets RstWhileSending "rst-while-sending" "the connection is reset while the request is being sent" ["early-response-reset" "reset-before-response"]
    Client Packets WriteStalled "write-stalled" "the server takes no more of the request until the client's timeout" ["client-gave-up-waiting" "early-response-reset"]
    Client Packets RstAtConnect "rst-at-connect" "the server resets before the client's program has seen the connection open" ["reset-after-handshake"]
    Client Packets EarlyResponseThenRst "early-response-then-rst" "the server answers early, then resets while the client still sends" ["early-response-reset"]
    Client Packets EarlyResponseRstAtOnce "early-response-rst-at-once" "the server answers early, and resets within 20 ms, while the client still sends" ["early-response-reset"]
    Client Packets GreetingSilent "greeting-silent" "the connection opens, and the server sends no byte until the client's timeout" ["client-gave-up-waiting"]
    Client Packets ServerSilent "server-silent" "the server sends no response until the client's timeout" ["client-gave-up-waiting"]
    Client Packets EarlyResponseFinThenRst "early-response-fin-then-rst" "the server answers early and closes, then resets while the client still sends" ["early-response-reset"]
    Client Packets RetransmissionsExhausted "retransmissions-exhausted" "nothing that is sent is acknowledged any more, until the system stops trying" ["retransmissions-exhausted" "idle-state-lost"]
    Client Packets KeepAliveUnanswered "keepalive-unanswered" "TCP keep-alive probes are not answered" ["keepalive-probes-unanswered"]
    Client Packets Expect417 "expect-417" "the server refuses `Expect: 100-continue`" ["expect-continue-stall"]
    Client Packets ClientAbort "client-abort" "the client's own program cancels the request" ["client-gave-up-waiting" "client-left-mid-response"]

    // In the response.
    Client Packets FinInStatusLine "fin-in-status-line" "the server closes within the status line" ["response-cut-short"]
    Client Packets RstInStatusLine "rst-in-status-line" "the connection is reset within the status line" ["reset-mid-response"]
    Client Packets FinInHeaders "fin-in-headers" "the server closes within the response's headers" ["response-cut-short"]
    Client Packets RstInHeaders "rst-in-headers" "the connection is reset within the response's headers" ["reset-mid-response"]
    Client Packets FinInBodyLength "fin-in-body-length" "the server closes before Content-Length is reached" ["response-cut-short"]
    Client Packets RstInBodyLength "rst-in-body-length" "the connection is reset before Content-Length is reached" ["reset-mid-response" "response-cut-short"]
    Client Packets FinInChunk "fin-in-chunk" "the server closes within a chunk" ["response-cut-short"]
    Client Packets FinBetweenChunks "fin-between-chunks" "the server closes between chunks, the last one missing" ["response-cut-short"]
    Client Packets RstInChunk "rst-in-chunk" "the connection is reset within a chunked body" ["reset-mid-response" "response-cut-short"]
    Client Packets RstInBodyUntilClose "rst-in-body-until-close" "the connection is reset in a body that the close should have ended" ["response-end-unknown" "reset-mid-response"]
    Client Packets FinInAnswer "fin-in-answer" "the server closes within its answer, in a protocol other than HTTP" ["response-cut-short"]
    Client Packets RstInAnswer "rst-in-answer" "the connection is reset within the answer, in a protocol other than HTTP" ["reset-mid-response"]
    Client Packets BodyStalled "body-stalled" "the body stops coming until the client's timeout" ["client-gave-up-waiting" "client-left-mid-response" "response-cut-short"]

    // In the words of other protocols.
    Client Packets LoginRefused "login-refused" "the server refuses the login or the session, and says why in the words of the protocol" ["session-ended-with-error" "request-refused"]
    Client Packets GreetingRefused "greeting-refused" "the server's first words say that it will not serve the client, and why" ["session-ended-with-error"]
    Client Packets SessionEnded "session-ended" "the server ends the session, and says why in the words of the protocol" ["session-ended-with-error"]
    Client Packets ErrorAnswered "error-answered" "the server answers a request by an error of the protocol, and the session goes on" ["request-refused"]
    Client Packets StatementCancelled "statement-cancelled" "the server ends a statement because its client asked for it" ["request-refused"]
    Client Packets ClientEndsSession "client-ends-session" "the client ends the session, and says why in the words of the protocol" ["session-ended-with-error"]
    Client Packets RecipientRefused "recipient-refused" "the server refuses the recipient of a mail" ["request-refused"]
    Client Packets HostKeyRefused "host-key-refused" "the client leaves when it has seen the server's host key" ["session-not-opened"]
    Client Packets NothingInCommon "nothing-in-common" "the algorithms that client and server offer have nothing in common" ["session-not-opened"]
    Client Packets TlsNotOffered "tls-not-offered" "the client asks for TLS, and the server does not do it" []

    // On a reused connection.
    Client Packets IdleFin "idle-fin" "the server closes an idle connection; the client's next request comes later" ["idle-timeout-close" "reuse-of-closed-connection"]
    Client Packets IdleFinPost "idle-fin-post" "the server closes an idle connection; a request that must not be repeated comes later" ["idle-timeout-close" "reuse-of-closed-connection"]
    Client Packets IdleRst "idle-rst" "the server resets an idle connection; the client's next request comes later" ["idle-timeout-close" "reset-after-response"]
    Client Packets RaceFin "race-fin" "the server closes an idle connection as the client sends the next request" ["keep-alive-race" "reuse-of-closed-connection"]
    Client Packets RaceFinPost "race-fin-post" "the server closes an idle connection as the client sends a request that must not be retried" ["keep-alive-race" "reuse-of-closed-connection"]
    Client Packets RaceRst "race-rst" "the server resets a reused connection when the client sends the next request" ["keep-alive-race" "reuse-of-forgotten-connection" "reset-before-response"]
    Client Packets RaceRstPost "race-rst-post" "the server resets a reused connection when the client sends a request that must not be retried" ["keep-alive-race" "reuse-of-forgotten-connection" "reset-before-response"]
    Client Packets RaceWriteFails "race-write-fails" "a reused connection was already reset when the request was written" ["keep-alive-race" "reuse-of-closed-connection" "reset-before-response"]
    Client Packets Idle408Fin "idle-408-fin" "the server sends 408 on an idle connection and closes" ["unsolicited-response" "idle-timeout-close"]
    Client Packets Idle408FinPost "idle-408-fin-post" "the server sends 408 on an idle connection and closes; a request that must not be repeated follows" ["unsolicited-response" "idle-timeout-close"]
    Client Circumstance IdleStateDropped "idle-state-dropped" "a device in between forgets an idle connection without a packet" ["idle-state-lost" "reuse-of-forgotten-connection"]

    // A response that is not HTTP.
    Client Packets BadStatusLine "bad-status-line" "what comes is not a status line" ["malformed-response" "protocol-mismatch"]
    Client Packets Http09Response "http09-response" "a body comes without any head" ["malformed-response" "protocol-mismatch"]
    Client Packets BadStatusCode "bad-status-code" "the status is not three digits" ["malformed-response"]
    Client Packets StatusWord "status-word" "a word stands in the place of the status" ["malformed-response"]
    Client Packets ShortStatusCode "short-status-code" "the status has fewer than three digits" ["malformed-response"]
    Client Packets LongStatusCode "long-status-code" "the status has more than three digits" ["malformed-response"]
    Client Packets NoStatusCode "no-status-code" "the status line has a version and nothing else" ["malformed-response"]
    Client Packets BadHttpVersion "bad-http-version" "the version in the status line is unknown" ["malformed-response"]
    Client Packets HttpVersion2 "http-version-2" "the status line says HTTP/2" ["malformed-response"]
    Client Packets StrayLine "stray-line" "a line that is no status line comes, and no empty line after it" ["malformed-response" "protocol-mismatch"]
    Client Packets StrayBytes "stray-bytes" "bytes come that no HTTP message begins with, and no line end" ["malformed-response" "protocol-mismatch"]
    Client Packets HeaderWithoutColon "header-without-colon" "a header line has no colon" ["malformed-response"]
    Client Packets SpaceBeforeLengthColon "space-before-length-colon" "white space stands before the colon of the field that says how long the body is" ["malformed-response"]
    Client Packets SpaceInHeaderName "space-in-header-name" "a header's name holds a space" ["malformed-response"]
    Client Packets SpaceBeforeColon "space-before-colon" "a space stands before a header's colon" ["malformed-response"]
    Client Packets NulInHeader "nul-in-header" "a header holds a NUL byte" ["malformed-response"]
    Client Packets BareLf "bare-lf" "header lines end in a bare line feed" ["malformed-response"]
    Client Packets Malformed "malformed" "a response breaks the grammar of HTTP, and parsers differ in what they make of it" ["malformed-response"]
    Client Packets ObsFold "obs-fold" "a header is folded over two lines" ["malformed-response"]
    Client Packets SwitchUnasked "switch-unasked" "the server answers 101 Switching Protocols to a request that asks for none" ["malformed-response"]
    Client Packets Redirects10 "redirects-10" "the server redirects in a circle, and the client stops at the 10th redirect" []
    Client Packets Redirects11 "redirects-11" "the server redirects in a circle, and the client stops at the 11th redirect" []
    Client Packets Redirects21 "redirects-21" "the server redirects in a circle, and the client stops at the 21st redirect" []
    Client Packets Redirects31 "redirects-31" "the server redirects in a circle, and the client stops at the 31st redirect" []
    Client Packets Redirects51 "redirects-51" "the server redirects in a circle, and the client stops at the 51st redirect" []
    Client Packets BareCr "bare-cr" "a CR in the head has no LF behind it" ["malformed-response"]
    Client Packets SpaceBeforeFields "space-before-fields" "white space stands before the first header" ["malformed-response"]
    Client Packets HeaderOver8K "header-over-8k" "the head is larger than 8 KiB" []
    Client Packets HeaderOver16K "header-over-16k" "the head is larger than 16 KiB" []
    Client Packets HeaderOver64K "header-over-64k" "the head is larger than 64 KiB" ["malformed-response"]
    Client Packets HeaderTooLarge "header-too-large" "the head is larger than 100 KiB" ["malformed-response"]
    Client Packets HeaderOver384K "header-over-384k" "the head is larger than 384 KiB" ["malformed-response"]
    Client Packets TooManyFields "too-many-header-lines" "the head has more than 100 header lines" []
    Client Packets ShortLengthAndChunked "short-length-and-chunked" "the response has both Content-Length and chunked, and fewer bytes than the former says" ["ambiguous-message-length" "malformed-response"]
    Client Packets LengthAndChunked "length-and-chunked" "the response has both Content-Length and chunked" ["ambiguous-message-length"]
    Client Packets DifferingLengths "differing-lengths" "the response has two Content-Lengths that differ" ["ambiguous-message-length"]
    Client Packets RepeatedLength "repeated-length" "the response has the same Content-Length twice" []
    Client Packets LengthList "length-list" "one Content-Length lists several numbers" ["ambiguous-message-length"]
    Client Packets EmptyContentLength "empty-content-length" "Content-Length has no value" ["malformed-response" "ambiguous-message-length"]
    Client Packets ContentLengthWord "content-length-word" "Content-Length does not even begin with a digit" ["malformed-response" "ambiguous-message-length"]
    Client Packets HugeContentLength "huge-content-length" "Content-Length is larger than any counter" ["malformed-response" "ambiguous-message-length"]
    Client Packets BadContentLength "bad-content-length" "Content-Length is no number" ["malformed-response" "ambiguous-message-length"]
    Client Packets NegativeContentLength "negative-content-length" "Content-Length is negative" ["malformed-response" "ambiguous-message-length"]
    Client Packets BadTransferEncoding "bad-transfer-encoding" "Transfer-Encoding names a coding that does not exist" ["malformed-response" "ambiguous-message-length"]
    Client Packets RepeatedTransferEncoding "repeated-transfer-encoding" "Transfer-Encoding: chunked comes twice" ["ambiguous-message-length"]
    Client Packets ChunkedNotLast "chunked-not-last" "one Transfer-Encoding lists chunked twice, or before another coding" ["ambiguous-message-length"]
    Client Packets BadChunkEnd "bad-chunk-end" "a chunk is longer or shorter than its size says" ["malformed-response"]
    Client Packets ChunkBareLf "chunk-bare-lf" "the lines of a chunked body end in a bare line feed" ["malformed-response"]
    Client Packets ChunkSizeTooLarge "chunk-size-too-large" "a chunk's size has more digits than any counter" ["malformed-response"]
    Client Packets BadChunkExtension "bad-chunk-extension" "a chunk's extension breaks the grammar" ["malformed-response"]
    Client Packets ChunkExtensionTooLong "chunk-extension-too-long" "a chunk's extension does not end" ["malformed-response"]
    Client Packets ChunkSize0x "chunk-size-0x" "0x stands before a chunk's size" ["malformed-response"]
    Client Packets NegativeChunkSize "negative-chunk-size" "a chunk's size is negative" ["malformed-response"]
    Client Packets EmptyChunkSize "empty-chunk-size" "an empty line stands where a chunk's size must be" ["malformed-response"]
    Client Packets BadChunkSize "bad-chunk-size" "a chunk's size is no hexadecimal number" ["malformed-response"]
    Client Packets ExcessBody "excess-body" "bytes follow the complete response" ["body-overrun"]
    Client Packets BodyOn204 "body-on-204" "a 204 response carries a body" ["body-overrun"]
    Client Packets BodyOn304 "body-on-304" "a 304 response carries a body" ["body-overrun"]
    Client Packets StatusError "status-error" "a complete response whose status many programs report as an error: nothing was cut or closed" []
    Client Packets StatusNotModified "status-not-modified" "a complete response 304, which some libraries report as an error: nothing was cut or closed" []
    Client Packets StatusUnauthorized "status-unauthorized" "a complete response 401: nothing was cut or closed" []
    Client Packets StatusProxyAuthentication "status-proxy-authentication" "a complete response 407 to a request that is no CONNECT: nothing was cut or closed" []
    Client Packets StatusServerError "status-server-error" "a complete response with a status from 500: nothing was cut or closed" []
    Client Packets SoapEncoded "soap-encoded" "the response to a SOAP call is compressed" []
    Client Packets SoapMediaType "soap-media-type" "the response to a SOAP call is no XML" []
    Client Packets NotInContentEncoding "not-in-content-encoding" "the body does not begin as the coding does that Content-Encoding names" ["undecodable-body"]
    Client Packets ContentEncodingChecksum "content-encoding-checksum" "the body can be decoded, and does not match its checksum" ["undecodable-body"]
    Client Packets BadContentEncoding "bad-content-encoding" "the body is not in the coding that Content-Encoding names" ["undecodable-body"]
    Client Packets ContentEncodingCut "content-encoding-cut" "the body is complete, and ends before the data in its coding do" ["undecodable-body"]

    // TLS.
    Client Packets TlsFinAfterHello "tls-fin-after-hello" "the server closes after the ClientHello" ["tls-handshake-cut"]
    Client Packets TlsRstAfterHello "tls-rst-after-hello" "the connection is reset after the ClientHello" ["tls-handshake-cut" "reset-on-name" "reset-injected"]
    Client Packets TlsAlertHandshakeFailure "tls-alert-handshake-failure" "the server sends the alert handshake_failure" ["tls-alert"]
    Client Packets TlsAlertProtocolVersion "tls-alert-protocol-version" "the server sends the alert protocol_version" ["tls-no-common-version" "tls-alert"]
    Client Packets TlsAlertUnrecognizedName "tls-alert-unrecognized-name" "the server sends the alert unrecognized_name" ["tls-alert"]
    Client Packets TlsAlertOther "tls-alert-other" "the server ends the handshake by another fatal alert" ["tls-alert"]
    Client Packets TlsAlertUnknownCa "tls-alert-unknown-ca" "the server does not trust the issuer of the client's certificate" ["tls-alert"]
    Client Packets TlsPlaintextAnswer "tls-plaintext-answer" "the ClientHello is answered in plain text" ["tls-plaintext-mismatch"]
    Client Packets TlsGarbageAnswer "tls-garbage-answer" "the ClientHello is answered by what is neither TLS nor HTTP" ["tls-plaintext-mismatch"]
    Client Packets TlsHandshakeSilent "tls-handshake-silent" "nothing answers the ClientHello until the client's timeout" ["client-gave-up-waiting" "tls-handshake-cut" "path-mtu-blackhole"]
    Client Packets TlsCertExpired "tls-cert-expired" "the client rejects the certificate: expired" ["tls-certificate-expired" "tls-certificate-rejected"]
    Client Packets TlsCertNotYetValid "tls-cert-not-yet-valid" "the client rejects the certificate: not valid yet" ["tls-certificate-expired" "tls-certificate-rejected"]
    Client Packets TlsCertWrongPurpose "tls-cert-wrong-purpose" "the client rejects the certificate: it is not one of a server" ["tls-certificate-rejected"]
    Client Packets TlsCertUntrusted "tls-cert-untrusted" "the client rejects the certificate: issuer not trusted" ["tls-certificate-rejected"]
    Client Packets TlsIssuerUnknown "tls-issuer-unknown" "the client rejects the certificate: its chain leads to no issuer that the client has" ["tls-certificate-rejected"]
    Client Packets TlsCertNameMismatch "tls-cert-name-mismatch" "the client rejects the certificate: another name" ["tls-name-mismatch" "tls-certificate-rejected"]
    Client Packets TlsCertOtherAddress "tls-cert-other-address" "the client rejects the certificate: it connects by address, and the certificate is for another" ["tls-name-mismatch" "tls-certificate-rejected"]
    Client Packets TlsClientCertRequired "tls-client-cert-required" "the server wants a client certificate" ["tls-client-certificate-missing" "tls-alert"]
    Client Packets TlsTruncation "tls-truncation" "a body that the close ends has no close_notify" ["tls-no-close-notify" "response-end-unknown"]
    Client Packets TlsFinInBody "tls-fin-in-body" "the server closes in the body, inside TLS" ["response-cut-short" "tls-no-close-notify"]
    Client Packets TlsRstInBody "tls-rst-in-body" "the connection is reset in the body, inside TLS" ["reset-mid-response"]
    Client Packets TlsRaceRst "tls-race-rst" "the server resets a reused connection when the client sends the next request, inside TLS" ["keep-alive-race" "reuse-of-forgotten-connection"]
    Client Packets TlsIdleRst "tls-idle-rst" "the server resets an idle connection inside TLS; the client's next request comes later" ["idle-timeout-close" "reset-after-response"]
    Client Packets TlsRstInHeaders "tls-rst-in-headers" "the connection is reset within the response's headers, inside TLS" ["reset-mid-response"]
    Client Packets TlsRstInChunk "tls-rst-in-chunk" "the connection is reset in a chunked body, inside TLS" ["reset-mid-response"]
    Client Packets TlsRstUntilClose "tls-rst-until-close" "the connection is reset in a body that the close should have ended, inside TLS" ["response-end-unknown" "reset-mid-response"]
    Client Packets TlsFinBeforeResponse "tls-fin-before-response" "the server closes without a response, inside TLS" ["closed-before-response" "tls-no-close-notify"]
    Client Packets TlsNotifyBeforeResponse "tls-notify-before-response" "the server sends close_notify and no response" ["closed-before-response"]
    Client Packets TlsRstBeforeResponse "tls-rst-before-response" "the connection is reset without a response, inside TLS" ["reset-before-response"]

    // Through a proxy.
    Client Packets Proxy403 "proxy-403" "the proxy refuses CONNECT: 403" ["proxy-refused"]
    Client Packets Proxy407 "proxy-407" "the proxy wants credentials: 407" ["proxy-refused"]
    Client Packets Proxy502 "proxy-502" "the proxy cannot reach the server: 502" ["proxy-refused"]
    Client Packets Proxy503 "proxy-503" "the proxy has no server: 503" ["proxy-refused"]
    Client Packets Proxy504 "proxy-504" "the proxy's server does not answer: 504" ["proxy-refused" "gateway-timeout"]
    Client Packets ProxyFin "proxy-fin" "the proxy closes instead of answering CONNECT" ["proxy-refused" "closed-before-response"]
    Client Packets ProxyRst "proxy-rst" "the proxy resets instead of answering CONNECT" ["proxy-refused" "reset-before-response"]
    Client Packets ProxyHandshake "proxy-handshake" "the talk with the proxy fails" ["proxy-refused"]

    // HTTP/2 and WebSocket.
    Client Packets H2Fin "h2-fin" "the connection closes with streams open" ["h2-close-without-goaway"]
    Client Packets H2GoawayKept "h2-goaway-kept" "the server sends GOAWAY, keeps the stream, and closes before it is complete" ["h2-goaway"]
    Client Packets H2Goaway "h2-goaway" "the server sends GOAWAY" ["h2-goaway"]
    Client Packets H2NoSettings "h2-no-settings" "the server does not answer the HTTP/2 preface" ["h2-preface-mismatch"]
    Client Packets H2ProtocolError "h2-protocol-error" "HTTP/2 frames break the protocol" ["h2-goaway" "h2-preface-mismatch"]
    Client Packets H2RefusedStream "h2-refused-stream" "the server refuses one stream" ["h2-reset-stream" "h2-reset-burst"]
    Client Packets H2ResetStream "h2-reset-stream" "the server resets one stream" ["h2-reset-stream" "h2-reset-burst"]
    Client Packets WebsocketError "websocket-error" "the server closes a WebSocket with a code that blames one side" ["websocket-closed-with-error"]
    Client Packets WebsocketCut "websocket-cut" "a WebSocket ends without a Close frame" ["websocket-abnormal-close"]

    // A proxy answers by itself.
    Client Packets GatewayError "gateway-error" "a gateway answers 502 or 503 instead of the server" ["gateway-error"]
    Client Packets GatewayTimeout "gateway-timeout" "a gateway answers 504: its server did not answer in time" ["gateway-timeout"]
    Client Circumstance ProxyNoBackend "proxy-no-backend" "the proxy knows no healthy backend: it connects nowhere" []
    Client Circumstance ProxyOverload "proxy-overload" "the proxy is at a limit of its own" []
    Client Packets ProxyTimeLimit "proxy-time-limit" "the proxy's limit for the whole request is reached" ["gateway-timeout"]
    Client Circumstance ProxyOwnAnswer "proxy-own-answer" "the proxy answers without asking a backend" []
    Client Packets ProxyKill "proxy-kill" "the proxy is told to end the connection" ["reset-mid-response" "response-cut-short"]

    // The server's side: the client closes.
    Server Packets ClientFinBeforeRequest "client-fin-before-request" "the client connects and closes without a request" ["preconnect-unused" "health-probe"]
    Server Packets ClientRstBeforeRequest "client-rst-before-request" "the client connects and resets without a request" ["health-probe" "client-reset-handshake"]
    Server Packets ClientFinWhileWaiting "client-fin-while-waiting" "the client closes while it waits for the response" ["client-gave-up-waiting" "response-after-client-left" "half-close-taken-as-abort"]
    Server Packets ClientRstWhileWaiting "client-rst-while-waiting" "the client resets while it waits for the response" ["client-gave-up-waiting" "response-after-client-left"]
    Server Packets ClientFinWhileForwarded "client-fin-while-forwarded" "the client closes while the server behind the proxy has sent nothing" ["client-gave-up-waiting"]
    Server Packets ClientRstWhileForwarded "client-rst-while-forwarded" "the client resets while the server behind the proxy has sent nothing" ["client-gave-up-waiting"]
    Server Packets ClientFinWhileRelayed "client-fin-while-relayed" "the client closes while the server behind the proxy is responding" ["client-gave-up-waiting"]
    Server Packets ClientRstWhileRelayed "client-rst-while-relayed" "the client resets while the server behind the proxy is responding" ["client-gave-up-waiting"]
    Server Packets ClientFinInResponse "client-fin-in-response" "the client closes while the response is being sent" ["client-left-mid-response"]
    Server Packets ClientRstInResponse "client-rst-in-response" "the client resets while the response is being sent" ["client-left-mid-response"]
    Server Packets ClientStoppedReading "client-stopped-reading" "the client stops taking the response" ["client-left-mid-response" "retransmissions-exhausted"]
    Server Packets ClientFinInRequestHead "client-fin-in-request-head" "the client closes within the request's head" ["client-left-mid-upload" "malformed-request"]
    Server Packets ClientRstInRequestHead "client-rst-in-request-head" "the client resets within the request's head" ["client-left-mid-upload"]
    Server Packets ClientFinInRequestBody "client-fin-in-request-body" "the client closes within the request's body" ["client-left-mid-upload"]
    Server Packets ClientRstInRequestBody "client-rst-in-request-body" "the client resets within the request's body" ["client-left-mid-upload"]
    Server Packets ClientFinInRequestChunk "client-fin-in-request-chunk" "the client closes within a chunked request body" ["client-left-mid-upload"]
    Server Packets RequestHeadStalled "request-head-stalled" "the request's head does not come to its end in time" ["client-left-mid-upload" "preconnect-unused" "unsolicited-response"]
    Server Packets RequestBodyStalled "request-body-stalled" "the request's body does not come to its end in time" ["client-left-mid-upload" "path-mtu-blackhole"]
    Server Packets ClientLeftWithoutGoodbye "client-left-without-goodbye" "the client closes between two requests, without the goodbye of the protocol" []
    Server Packets ClientDisconnects "client-disconnects" "the client ends the session by a message of the protocol, and closes" []
    Server Packets ServerEndsSession "server-ends-session" "the server ends the session, and says why in the words of the protocol" ["session-ended-with-error"]
    Server Packets IdleClose "idle-close" "the server closes an idle connection" ["idle-timeout-close"]

    // The server's side: malformed requests.
    Server Packets RequestBadLine "request-bad-line" "what comes is not a request line" ["malformed-request"]
    Server Packets RequestBadHeader "request-bad-header" "a header of the request breaks the grammar" ["malformed-request"]
    Server Packets RequestBadLength "request-bad-length" "the request's Content-Length is no number" ["malformed-request" "ambiguous-message-length"]
    Server Packets RequestDifferingLengths "request-differing-lengths" "the request has two Content-Lengths that differ" ["ambiguous-message-length"]
    Server Packets RequestLengthAndChunked "request-length-and-chunked" "the request has both Content-Length and chunked" ["ambiguous-message-length"]
    Server Packets RequestBadEncoding "request-bad-encoding" "the request's Transfer-Encoding is unknown" ["malformed-request" "ambiguous-message-length"]
    Server Packets RequestBadChunk "request-bad-chunk" "a chunk's size in the request is no hexadecimal number" ["malformed-request"]
    Server Packets RequestHeaderTooLarge "request-header-too-large" "the request's head is larger than the server allows" ["malformed-request"]
    Server Packets RequestBodyTooLarge "request-body-too-large" "the request's body is larger than the server allows" ["early-response-reset"]
    Server Packets RequestNoHost "request-no-host" "the request has no Host" ["malformed-request"]
    Server Packets PlainToTls "plain-to-tls" "plain HTTP comes to a TLS port" ["tls-plaintext-mismatch"]
    Server Packets TlsToPlain "tls-to-plain" "a ClientHello comes to a plain port" ["tls-plaintext-mismatch"]
    Server Packets TlsClientRejectsCert "tls-client-rejects-cert" "the client rejects the server's certificate" ["tls-certificate-rejected" "tls-alert"]
    Server Packets TlsClientSaysBadCertificate "tls-client-says-bad-certificate" "the client rejects the server's certificate: bad_certificate" ["tls-certificate-rejected" "tls-name-mismatch" "tls-certificate-expired"]
    Server Packets TlsClientSaysExpired "tls-client-says-expired" "the client rejects the server's certificate: certificate_expired" ["tls-certificate-expired"]
    Server Packets TlsClientSaysUnknown "tls-client-says-unknown" "the client rejects the server's certificate: certificate_unknown" ["tls-certificate-rejected" "tls-name-mismatch" "tls-certificate-expired"]
    Server Packets TlsClientSaysUnknownCa "tls-client-says-unknown-ca" "the client rejects the server's certificate: unknown_ca" ["tls-certificate-rejected"]
    Server Packets TlsClientTooOld "tls-client-too-old" "the client speaks no version that the server takes" ["tls-no-common-version" "tls-alert"]
    Server Packets TlsClientFinInHandshake "tls-client-fin-in-handshake" "the client closes within the TLS handshake" ["tls-handshake-cut" "health-probe"]
    Server Packets TlsClientRstInHandshake "tls-client-rst-in-handshake" "the client resets within the TLS handshake" ["tls-handshake-cut" "health-probe"]

    // The server fails for reasons of its own.
    Server Packets ServerTimeLimit "server-time-limit" "the server's own limit for a request is reached" ["server-time-limit" "reset-before-response" "closed-before-response"]
    Server Packets ServerWorkerLost "server-worker-lost" "the process that had the request is gone" ["reset-before-response" "closed-before-response"]
    Server Packets ServerAbortsResponse "server-aborts-response" "the program fails while it sends the response" ["response-cut-short" "reset-mid-response"]
    Server Packets GatewayTimesOut "gateway-times-out" "a gateway answers 504: its own timeout for the server behind it expired" ["gateway-timeout"]
    Server Packets GatewayCannotConnect "gateway-cannot-connect" "a gateway answers 503 at once: the server behind it refused the connection" ["gateway-error"]
    Server Packets GatewayConnectTimesOut "gateway-connect-times-out" "a gateway answers 503 after a while: it could not connect to the server behind it in time" ["gateway-error"]
    Server Packets ServerOverload "server-overload" "the server turns requests away: 503" ["server-time-limit"]
    Server Packets ServerError "server-error" "the server answers 500" ["server-time-limit"]
    Server Circumstance Preload "preload" "IIS warms an application up by a request that crosses no socket" ["periodic-abandoned-request"]
}

impl WireEvent {
    /// The same event for a request that must not be retried automatically (RFC 9110 §9.2.2): clients that silently
    /// retry a GET report this one.
    #[must_use]
    pub(crate) const fn for_unsafe_method(self) -> Self {
        match self {
            Self::IdleFin => Self::IdleFinPost,
            Self::RaceFin => Self::RaceFinPost,
            Self::RaceRst => Self::RaceRstPost,
            Self::Idle408Fin => Self::Idle408FinPost,
            other => other,
        }
    }

    /// What a client meets in place of this event that does not retry the request: the end on a connection that it used
    /// again, then that on any.
    #[must_use]
    pub(crate) fn without_a_retry(self) -> Vec<Self> {
        let last = match self {
            Self::IdleFin | Self::IdleFinPost | Self::RaceFin | Self::RaceFinPost => {
                Self::FinBeforeResponse
            }
            Self::RaceRst | Self::RaceRstPost | Self::RaceWriteFails => Self::RstBeforeResponse,
            other => return vec![other],
        };
        vec![self.for_unsafe_method(), last]
    }

    /// The same event at a proxy that has handed the request on. `responds`: the server behind it has sent something.
    #[must_use]
    pub(crate) const fn behind_a_proxy(self, responds: bool) -> Self {
        match (self, responds) {
            (Self::ClientFinWhileWaiting, false) => Self::ClientFinWhileForwarded,
            (Self::ClientFinWhileWaiting, true) => Self::ClientFinWhileRelayed,
            (Self::ClientRstWhileWaiting, false) => Self::ClientRstWhileForwarded,
            (Self::ClientRstWhileWaiting, true) => Self::ClientRstWhileRelayed,
            (other, _) => other,
        }
    }

    /// Whether it is what a gateway met behind it, by its own answer.
    #[must_use]
    pub(crate) const fn is_of_gateway(self) -> bool {
        matches!(
            self,
            Self::GatewayTimesOut | Self::GatewayCannotConnect | Self::GatewayConnectTimesOut
        )
    }

    /// The same event inside TLS, where some libraries report it differently: OpenSSL in Python reports a RST as the
    /// end of the stream. `notified`: the server had sent `close_notify` before, so the end is an orderly one.
    #[must_use]
    pub(crate) const fn inside_tls(self, notified: bool) -> Self {
        match self {
            Self::FinBeforeResponse | Self::FinAfterAccept if notified => {
                Self::TlsNotifyBeforeResponse
            }
            Self::FinBeforeResponse | Self::FinAfterAccept => Self::TlsFinBeforeResponse,
            Self::RstBeforeResponse | Self::RstAfterAccept => Self::TlsRstBeforeResponse,
            Self::FinInBodyLength if !notified => Self::TlsFinInBody,
            Self::RstInBodyLength => Self::TlsRstInBody,
            Self::RstInChunk => Self::TlsRstInChunk,
            Self::RstInHeaders => Self::TlsRstInHeaders,
            Self::RaceRst => Self::TlsRaceRst,
            Self::IdleRst => Self::TlsIdleRst,
            Self::RstInBodyUntilClose => Self::TlsRstUntilClose,
            other => other,
        }
    }

    /// Whether the program was still waiting when it gave up.
    #[must_use]
    pub(crate) const fn is_wait(self) -> bool {
        matches!(
            self,
            Self::ServerSilent | Self::GreetingSilent | Self::BodyStalled | Self::ClientAbort
        )
    }

    /// Whether a response that came whole is one that a client may refuse to read.
    #[must_use]
    pub(crate) fn may_be_refused(self) -> bool {
        const RULES: [&str; 4] = [
            "malformed-response",
            "ambiguous-message-length",
            "body-overrun",
            "undecodable-body",
        ];
        let of_limits = matches!(
            self,
            Self::TooManyFields | Self::RepeatedLength | Self::HeaderOver8K | Self::HeaderOver16K
        );
        of_limits || self.rules().iter().any(|it| RULES.contains(it))
    }

    /// Whether it is about what a whole response says, not about whether it is one.
    #[must_use]
    pub(crate) const fn is_of_content(self) -> bool {
        matches!(
            self,
            Self::NotInContentEncoding
                | Self::BadContentEncoding
                | Self::ContentEncodingChecksum
                | Self::ContentEncodingCut
                | Self::SoapEncoded
                | Self::SoapMediaType
                | Self::StatusError
                | Self::StatusUnauthorized
                | Self::StatusNotModified
                | Self::StatusProxyAuthentication
                | Self::StatusServerError
                | Self::Expect417
                | Self::TooManyFields
                | Self::HeaderOver8K
                | Self::HeaderOver16K
                | Self::HeaderOver64K
        )
    }

    /// The event whose texts apply where a product has none for this one: the application meets the same thing, at a
    /// point that few programs distinguish.
    #[must_use]
    pub const fn like(self) -> Option<Self> {
        Some(match self {
            Self::IdleFinPost => Self::IdleFin,
            Self::RaceFinPost => Self::RaceFin,
            Self::RaceRstPost => Self::RaceRst,
            Self::Idle408FinPost => Self::Idle408Fin,
            Self::EarlyResponseRstAtOnce => Self::EarlyResponseThenRst,
            Self::EarlyResponseFinThenRst => Self::EarlyResponseRstAtOnce,
            Self::ClientFinWhileForwarded | Self::ClientFinWhileRelayed => {
                Self::ClientFinWhileWaiting
            }
            Self::ClientRstWhileForwarded | Self::ClientRstWhileRelayed => {
                Self::ClientRstWhileWaiting
            }
            Self::RaceFin | Self::FinAfterAccept => Self::FinBeforeResponse,
            Self::RaceRst | Self::RstAfterAccept | Self::RaceWriteFails => Self::RstBeforeResponse,
            Self::LoginRefused => Self::SessionEnded,
            Self::GreetingRefused => Self::LoginRefused,
            Self::RecipientRefused | Self::StatementCancelled => Self::ErrorAnswered,
            Self::GreetingSilent | Self::WriteStalled => Self::ServerSilent,
            Self::FinAfterInterim => Self::FinBeforeResponse,
            Self::FinInAnswer => Self::FinBeforeResponse,
            Self::RstInAnswer => Self::RstBeforeResponse,
            Self::ConnectUnansweredToTheEnd => Self::ConnectUnanswered,
            Self::AdminProhibited | Self::NetUnreachable => Self::HostUnreachable,
            Self::PortUnreachable => Self::ConnectRefused,
            Self::FinInStatusLine => Self::FinBeforeResponse,
            Self::RstInHeaders => Self::RstBeforeResponse,
            Self::FinBetweenChunks => Self::FinInChunk,
            Self::RstInChunk | Self::RstInBodyUntilClose => Self::RstInBodyLength,
            Self::RstInStatusLine => Self::RstInHeaders,
            Self::StatusWord
            | Self::ShortStatusCode
            | Self::LongStatusCode
            | Self::NoStatusCode => Self::BadStatusCode,
            Self::H2GoawayKept => Self::H2Goaway,
            Self::H2RefusedStream => Self::H2ResetStream,
            Self::HttpVersion2 => Self::BadHttpVersion,
            Self::StrayLine => Self::BadStatusLine,
            Self::StrayBytes => Self::Http09Response,
            Self::SpaceBeforeLengthColon => Self::SpaceBeforeColon,
            Self::ShortLengthAndChunked => Self::LengthAndChunked,
            Self::SpaceBeforeColon => Self::SpaceInHeaderName,
            Self::NegativeContentLength
            | Self::EmptyContentLength
            | Self::LengthList
            | Self::ContentLengthWord
            | Self::HugeContentLength => Self::BadContentLength,
            Self::ChunkedNotLast => Self::RepeatedTransferEncoding,
            Self::BadChunkEnd
            | Self::ChunkSizeTooLarge
            | Self::ChunkBareLf
            | Self::ChunkSize0x
            | Self::NegativeChunkSize
            | Self::EmptyChunkSize => Self::BadChunkSize,
            Self::BodyOn304 => Self::BodyOn204,
            Self::HeaderOver384K => Self::HeaderTooLarge,
            Self::HeaderTooLarge => Self::HeaderOver64K,
            Self::HeaderOver64K => Self::HeaderOver16K,
            Self::HeaderOver16K => Self::HeaderOver8K,
            Self::StatusUnauthorized
            | Self::StatusNotModified
            | Self::StatusProxyAuthentication
            | Self::StatusServerError => Self::StatusError,
            Self::NotInContentEncoding | Self::ContentEncodingChecksum => Self::BadContentEncoding,
            Self::TlsAlertHandshakeFailure
            | Self::TlsAlertProtocolVersion
            | Self::TlsAlertUnrecognizedName
            | Self::TlsAlertUnknownCa => Self::TlsAlertOther,
            Self::TlsGarbageAnswer => Self::TlsPlaintextAnswer,
            Self::TlsIssuerUnknown => Self::TlsCertUntrusted,
            Self::TlsCertOtherAddress => Self::TlsCertNameMismatch,
            Self::TlsFinInBody => Self::FinInBodyLength,
            Self::TlsRstInBody => Self::RstInBodyLength,
            Self::TlsRstInChunk => Self::RstInChunk,
            Self::TlsRstInHeaders => Self::RstInHeaders,
            Self::TlsRaceRst => Self::RaceRst,
            Self::TlsIdleRst => Self::IdleRst,
            Self::TlsRstUntilClose => Self::RstInBodyUntilClose,
            Self::TlsFinBeforeResponse | Self::TlsNotifyBeforeResponse => Self::FinBeforeResponse,
            Self::TlsRstBeforeResponse => Self::RstBeforeResponse,
            Self::ProxyFin => Self::FinBeforeResponse,
            Self::ProxyRst => Self::RstBeforeResponse,
            Self::ClientFinInRequestChunk => Self::ClientFinInRequestBody,
            Self::ClientFinInResponse => Self::ClientRstInResponse,
            _ => return None,
        })
    }
}

impl fmt::Display for WireEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back_and_are_kebab_case() {
        for event in WireEvent::ALL {
            assert_eq!(WireEvent::named(event.name()), Some(*event));
            let name = event.name().bytes();
            assert!(
                name.clone()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'),
                "{event}"
            );
            for rule in event.rules() {
                assert!(
                    rule.bytes()
                        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'),
                    "{event}: {rule}"
                );
            }
        }
        assert_eq!(WireEvent::named("no-such-event"), None);
    }

    #[test]
    fn what_packets_show_is_flagged() {
        let silent: Vec<_> = WireEvent::ALL
            .iter()
            .filter(|event| event.trace() == EventTrace::Packets && event.rules().is_empty())
            .collect();
        assert_eq!(
            silent,
            [
                &WireEvent::TlsNotOffered,
                &WireEvent::Redirects10,
                &WireEvent::Redirects11,
                &WireEvent::Redirects21,
                &WireEvent::Redirects31,
                &WireEvent::Redirects51,
                &WireEvent::HeaderOver8K,
                &WireEvent::HeaderOver16K,
                &WireEvent::TooManyFields,
                &WireEvent::RepeatedLength,
                &WireEvent::StatusError,
                &WireEvent::StatusNotModified,
                &WireEvent::StatusUnauthorized,
                &WireEvent::StatusProxyAuthentication,
                &WireEvent::StatusServerError,
                &WireEvent::SoapEncoded,
                &WireEvent::SoapMediaType,
                &WireEvent::ClientLeftWithoutGoodbye,
                &WireEvent::ClientDisconnects,
            ],
            "TCP and the protocol are well there"
        );
    }

    #[test]
    fn under_keys_it_is_still_the_same_end() {
        for event in WireEvent::ALL {
            for notified in [false, true] {
                let inside = event.inside_tls(notified);
                assert_eq!(inside.inside_tls(notified), inside, "{event}");
                assert_eq!(inside.side(), event.side(), "{event}");
                // An event without a text uses that of the same event outside TLS, or of one like it.
                let like = std::iter::successors(inside.like(), |it| it.like());
                let known = [*event].into_iter().chain(event.like());
                assert!(
                    inside == *event || known.into_iter().any(|it| like.clone().any(|at| at == it)),
                    "{event}"
                );
            }
        }
    }

    #[test]
    fn likeness_ends() {
        for event in WireEvent::ALL {
            let mut at = *event;
            for _ in 0..5 {
                match at.like() {
                    Some(next) => {
                        assert_eq!(next.side(), event.side(), "{event}");
                        at = next;
                    }
                    None => break,
                }
            }
            assert_eq!(at.like(), None, "{event}");
        }
    }
}
