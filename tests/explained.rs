//! What people type or paste after `hangup explain`, and the cause that must come first, or that nothing is known. Every page is
//! read for its width, for the lines that can be copied from it, and for its parts.

#![cfg(feature = "cli")]

use clap::Parser;
use hangup::app::cli::Cli;
use hangup::knowledge::{Explanation, explain};
use hangup::report::explanation;

/// A text, and the rules of which one must be the first; nothing for what is no event on the wire or not known.
const FIRST: &[(&str, &str)] = &[
    // Words and numbers alone, as they are typed.
    ("websocket 1006", "websocket-abnormal-close"),
    ("1006", "websocket-abnormal-close"),
    ("1006.", "websocket-abnormal-close"),
    ("WebSocket close code 1006", "websocket-abnormal-close"),
    ("NS_ERROR_NET_RESET", "reset-before-response"),
    ("ns_error_net_reset", "reset-before-response"),
    ("499", "client-gave-up-waiting"),
    ("http 499", "client-gave-up-waiting"),
    ("502", "gateway-error"),
    ("502 Bad Gateway", "gateway-error"),
    ("502 bad gateway nginx", "gateway-error"),
    ("HTTP 503", "gateway-error"),
    ("504 Gateway Time-out", "gateway-timeout"),
    ("504", "gateway-timeout"),
    ("ECONNRESET", "reset-before-response|keep-alive-race"),
    ("econnreset", "reset-before-response|keep-alive-race"),
    ("ECONNRESET!", "reset-before-response|keep-alive-race"),
    ("'ECONNRESET'", "reset-before-response|keep-alive-race"),
    ("ECONNREFUSED", "connection-refused"),
    (
        "EPIPE",
        "client-gave-up-waiting|keep-alive-race|early-response-reset|client-left-mid-response|closed-before-request",
    ),
    ("ETIMEDOUT", "connect-unanswered"),
    ("EHOSTUNREACH", "connection-unreachable"),
    ("ENOTFOUND", "name-resolution-failed"),
    ("EADDRNOTAVAIL", "ephemeral-ports-exhausted"),
    ("10054", "reset-before-response"),
    ("10061", "connection-refused"),
    ("10060", "connect-unanswered"),
    ("WSAECONNRESET", "reset-before-response"),
    ("errno 104", "reset-before-response"),
    ("errno=111", "connection-refused"),
    (
        "0x800704CD",
        "client-gave-up-waiting|client-left-mid-response",
    ),
    ("0x80070032", "periodic-abandoned-request"),
    ("curl 52", "closed-before-response"),
    ("curl: (56)", "reset-before-response"),
    ("curl error 28", "connect-unanswered|client-gave-up-waiting"),
    (
        "exit code 35 curl",
        "tls-alert|tls-handshake-cut|tls-no-common-version",
    ),
    ("UC", "keep-alive-race"),
    ("SH--", "closed-before-response|reset-before-response"),
    (
        "connection reset by peer",
        "reset-before-response|keep-alive-race",
    ),
    (
        "Connection reset by peer.",
        "reset-before-response|keep-alive-race",
    ),
    (
        "CONNECTION RESET BY PEER",
        "reset-before-response|keep-alive-race",
    ),
    ("connection reset", "reset-before-response|keep-alive-race"),
    ("socket hang up", "keep-alive-race|closed-before-response"),
    (
        "\"socket hang up\"",
        "keep-alive-race|closed-before-response",
    ),
    (
        "Error: socket hang up!!",
        "keep-alive-race|closed-before-response",
    ),
    (
        "broken pipe",
        "client-gave-up-waiting|client-left-mid-response|response-after-client-left|keep-alive-race",
    ),
    ("connection timed out", "connect-unanswered"),
    ("connection refused", "connection-refused"),
    ("no route to host", "connection-unreachable"),
    (
        "unexpected EOF",
        "response-cut-short|closed-before-response",
    ),
    (
        "EOF",
        "closed-before-response|keep-alive-race|response-cut-short",
    ),
    ("empty reply from server", "closed-before-response"),
    ("ERR_EMPTY_RESPONSE", "closed-before-response"),
    ("ERR_CONNECTION_CLOSED", "closed-before-response"),
    ("net::ERR_INCOMPLETE_CHUNKED_ENCODING", "response-cut-short"),
    ("ERR_CONNECTION_TIMED_OUT", "connect-unanswered"),
    (
        "ERR_SSL_PROTOCOL_ERROR",
        "tls-alert|tls-plaintext-mismatch|tls-handshake-cut",
    ),
    (
        "PR_CONNECT_RESET_ERROR",
        "tls-handshake-cut|reset-before-response",
    ),
    (
        "cannot assign requested address",
        "ephemeral-ports-exhausted",
    ),
    (
        "Only one usage of each socket address (protocol/network address/port) is normally permitted",
        "ephemeral-ports-exhausted",
    ),
    (
        "getaddrinfo ENOTFOUND api.example.com",
        "name-resolution-failed",
    ),
    ("getaddrinfo EAI_AGAIN db", "name-resolution-failed"),
    (
        "upstream prematurely closed connection",
        "closed-before-response|keep-alive-race",
    ),
    (
        "an existing connection was forcibly closed by the remote host",
        "reset-before-response|keep-alive-race",
    ),
    (
        "The underlying connection was closed: An unexpected error occurred on a send.",
        "keep-alive-race|reset-before-response|early-response-reset",
    ),
    (
        "the specified network name is no longer available",
        "client-gave-up-waiting|client-left-mid-response",
    ),
    ("too_many_pings", "h2-goaway"),
    ("GOAWAY ENHANCE_YOUR_CALM", "h2-goaway"),
    (
        "stream error: stream ID 7; PROTOCOL_ERROR; received from peer",
        "h2-reset-stream|h2-goaway",
    ),
    ("transport is closing", "h2-close-without-goaway"),
    ("certificate has expired", "tls-certificate-expired"),
    (
        "unable to get local issuer certificate",
        "tls-certificate-rejected",
    ),
    (
        "self-signed certificate in certificate chain",
        "tls-certificate-rejected",
    ),
    ("handshake failure", "tls-alert"),
    ("wrong version number", "tls-plaintext-mismatch"),
    (
        "client sent an HTTP request to an HTTPS server",
        "tls-plaintext-mismatch",
    ),
    // Java.
    (
        "java.net.SocketException: Connection reset",
        "reset-before-response|keep-alive-race",
    ),
    (
        "java.net.SocketTimeoutException: Read timed out",
        "client-gave-up-waiting",
    ),
    (
        "java.net.ConnectException: Connection refused (Connection refused)",
        "connection-refused",
    ),
    (
        "java.net.NoRouteToHostException: No route to host",
        "connection-unreachable",
    ),
    (
        "java.net.UnknownHostException: api.example.com",
        "name-resolution-failed",
    ),
    (
        "2026-11-20 18:30:47,123 ERROR [http-nio-8080-exec-7] o.h.e.j.s.SqlExceptionHelper - HikariPool-1 - Connection is not available, request timed out after 30000ms.\norg.springframework.jdbc.CannotGetJdbcConnectionException: Failed to obtain JDBC Connection\n\tat org.springframework.jdbc.datasource.DataSourceUtils.getConnection(DataSourceUtils.java:84)\n\t... 44 common frames omitted\nCaused by: java.sql.SQLTransientConnectionException: HikariPool-1 - Connection is not available, request timed out after 30000ms.\n\tat com.zaxxer.hikari.pool.HikariPool.createTimeoutException(HikariPool.java:696)\nCaused by: java.net.ConnectException: Connection refused\n\tat java.base/sun.nio.ch.Net.pollConnect(Native Method)",
        "connection-refused",
    ),
    (
        "org.springframework.web.client.ResourceAccessException: I/O error on POST request for \"http://orders:8080/pay\": orders:8080 failed to respond; nested exception is org.apache.http.NoHttpResponseException: orders:8080 failed to respond\n\tat org.springframework.web.client.RestTemplate.doExecute(RestTemplate.java:785)\nCaused by: org.apache.http.NoHttpResponseException: orders:8080 failed to respond\n\tat org.apache.http.impl.conn.DefaultHttpResponseParser.parseHead(DefaultHttpResponseParser.java:141)",
        "keep-alive-race",
    ),
    (
        "feign.RetryableException: Connection reset executing GET http://stock/items\n\tat feign.FeignException.errorExecuting(FeignException.java:268)\nCaused by: java.net.SocketException: Connection reset\n\tat java.base/sun.nio.ch.NioSocketImpl.implRead(NioSocketImpl.java:328)",
        "reset-before-response|keep-alive-race",
    ),
    (
        "org.apache.catalina.connector.ClientAbortException: java.io.IOException: Broken pipe\n\tat org.apache.catalina.connector.OutputBuffer.realWriteBytes(OutputBuffer.java:353)\nCaused by: java.io.IOException: Broken pipe\n\tat sun.nio.ch.FileDispatcherImpl.write0(Native Method)",
        "client-left-mid-response|client-gave-up-waiting|response-after-client-left",
    ),
    (
        "javax.net.ssl.SSLHandshakeException: Received fatal alert: protocol_version\n\tat sun.security.ssl.Alert.createSSLException(Alert.java:131)",
        "tls-no-common-version",
    ),
    // Python.
    (
        "Traceback (most recent call last):\n  File \"/usr/lib/python3/dist-packages/urllib3/connectionpool.py\", line 703, in urlopen\n    httplib_response = self._make_request(\n  File \"/usr/lib/python3.11/http/client.py\", line 286, in _read_status\n    raise RemoteDisconnected(\"Remote end closed connection without\"\nhttp.client.RemoteDisconnected: Remote end closed connection without response\n\nDuring handling of the above exception, another exception occurred:\n\nTraceback (most recent call last):\n  File \"/app/a.py\", line 3, in <module>\n    requests.get(url)\nrequests.exceptions.ConnectionError: ('Connection aborted.', RemoteDisconnected('Remote end closed connection without response'))",
        "keep-alive-race|closed-before-response",
    ),
    (
        "Traceback (most recent call last):\n  File \"/app/a.py\", line 3, in <module>\n    s.connect((host, port))\nConnectionRefusedError: [Errno 111] Connection refused",
        "connection-refused",
    ),
    (
        "urllib3.exceptions.NewConnectionError: <urllib3.connection.HTTPConnection object at 0x7f3c2c1d3fd0>: Failed to establish a new connection: [Errno 113] No route to host",
        "connection-unreachable",
    ),
    (
        "BrokenPipeError: [Errno 32] Broken pipe",
        "client-gave-up-waiting|client-left-mid-response|keep-alive-race|early-response-reset|closed-before-request",
    ),
    ("httpx.ConnectTimeout: timed out", "connect-unanswered"),
    ("httpx.ReadTimeout", "client-gave-up-waiting"),
    (
        "aiohttp.client_exceptions.ClientPayloadError: Response payload is not completed",
        "response-cut-short|reset-mid-response",
    ),
    (
        "ssl.SSLError: [SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1006)",
        "tls-plaintext-mismatch",
    ),
    (
        "ssl.SSLCertVerificationError: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: certificate has expired (_ssl.c:1006)",
        "tls-certificate-expired",
    ),
    // Node.
    (
        "Error: read ECONNRESET\n    at TCP.onStreamRead (node:internal/stream_base_commons:217:20) {\n  errno: -104,\n  code: 'ECONNRESET',\n  syscall: 'read'\n}",
        "reset-before-response|keep-alive-race",
    ),
    (
        "Error: write EPIPE\n    at afterWriteDispatched (node:internal/stream_base_commons:160:15)",
        "keep-alive-race|early-response-reset|closed-before-request|client-left-mid-response|response-after-client-left|client-gave-up-waiting",
    ),
    (
        "TypeError: fetch failed\n    at node:internal/deps/undici/undici:13185:13\n  [cause]: Error: connect ECONNREFUSED 127.0.0.1:3000\n      at TCPConnectWrap.afterConnect [as oncomplete] (node:net:1611:16)",
        "connection-refused",
    ),
    (
        "TypeError: fetch failed\n  [cause]: HeadersTimeoutError: Headers Timeout Error",
        "client-gave-up-waiting",
    ),
    (
        "\u{1b}[31mError:\u{1b}[39m \u{1b}[1msocket hang up\u{1b}[22m",
        "keep-alive-race|closed-before-response",
    ),
    (
        "AxiosError: timeout of 5000ms exceeded",
        "client-gave-up-waiting",
    ),
    (
        "{\"level\":50,\"time\":1763665262250,\"pid\":7,\"hostname\":\"web-1\",\"err\":{\"type\":\"Error\",\"message\":\"read ECONNRESET\",\"stack\":\"Error: read ECONNRESET\\n    at TCP.onStreamRead (node:internal/stream_base_commons:217:20)\",\"code\":\"ECONNRESET\"},\"msg\":\"request errored\"}",
        "reset-before-response|keep-alive-race",
    ),
    // Go.
    (
        "{\"level\":\"error\",\"ts\":1763665262.25,\"msg\":\"proxying\",\"error\":\"read tcp 10.0.0.5:51234->10.0.0.2:8080: read: connection reset by peer\"}",
        "reset-before-response|keep-alive-race",
    ),
    (
        "time=2026-11-20T18:30:47Z level=ERROR msg=\"call failed\" err=\"Post \\\"http://10.0.0.2:8080/x\\\": EOF\"",
        "closed-before-response|keep-alive-race",
    ),
    (
        "panic: Get \"http://10.0.0.2/\": dial tcp 10.0.0.2:80: connect: connection refused\n\ngoroutine 1 [running]:\nmain.main()\n\t/app/main.go:12 +0x1d",
        "connection-refused",
    ),
    (
        "http: proxy error: context canceled",
        "client-gave-up-waiting",
    ),
    (
        "net/http: request canceled (Client.Timeout exceeded while awaiting headers)",
        "client-gave-up-waiting",
    ),
    (
        "tls: first record does not look like a TLS handshake",
        "tls-plaintext-mismatch",
    ),
    (
        "x509: certificate signed by unknown authority",
        "tls-certificate-rejected",
    ),
    (
        "x509: certificate is valid for a.example, not b.example",
        "tls-name-mismatch",
    ),
    (
        "dial tcp: lookup api.example.com on 10.0.0.53:53: no such host",
        "name-resolution-failed",
    ),
    // .NET.
    (
        "System.Net.WebException: The underlying connection was closed: An unexpected error occurred on a receive.",
        "reset-before-response|keep-alive-race",
    ),
    (
        "System.Net.Http.HttpRequestException: An error occurred while sending the request.\n ---> System.IO.IOException: Unable to read data from the transport connection: Connection reset by peer.\n ---> System.Net.Sockets.SocketException (104): Connection reset by peer\n   --- End of inner exception stack trace ---\n   at System.Net.Sockets.Socket.AwaitableSocketAsyncEventArgs.ThrowException(SocketError error)",
        "reset-before-response|keep-alive-race",
    ),
    (
        "System.Net.Http.HttpRequestException: No connection could be made because the target machine actively refused it. (localhost:5001)\n ---> System.Net.Sockets.SocketException (10061): No connection could be made because the target machine actively refused it.\n   at System.Net.Http.ConnectHelper.ConnectAsync(String host, Int32 port)",
        "connection-refused",
    ),
    (
        "System.Net.WebException: Unable to connect to the remote server",
        "connection-refused|connect-unanswered",
    ),
    ("The operation has timed out", "client-gave-up-waiting"),
    (
        "Microsoft.AspNetCore.Server.Kestrel.Core.BadHttpRequestException: Unexpected end of request content.",
        "client-left-mid-upload",
    ),
    // Rust.
    (
        "Error: fetching the index\n\nCaused by:\n    0: error sending request for url (http://10.0.0.2:8080/)\n    1: client error (SendRequest)\n    2: connection error\n    3: Connection reset by peer (os error 104)\n\nStack backtrace:\n   0: anyhow::error::<impl>::from\n   1: app::main",
        "reset-before-response|keep-alive-race",
    ),
    ("Connection refused (os error 111)", "connection-refused"),
    (
        "hyper::Error(IncompleteMessage)",
        "closed-before-response|keep-alive-race",
    ),
    // Proxies and servers.
    (
        "Nov 20 18:30:47 web-1 nginx[31]: 2026/11/20 18:30:47 [error] 31#31: *7 upstream prematurely closed connection while reading response header from upstream, client: 10.0.0.1, server: shop, request: \"GET / HTTP/1.1\", upstream: \"http://10.0.0.2:9000/\", host: \"shop\"",
        "closed-before-response|keep-alive-race",
    ),
    (
        "2026/11/20 18:30:47 [error] 31#31: *7 recv() failed (104: Connection reset by peer) while reading response header from upstream, client: 10.0.0.1, server: _, upstream: \"http://10.0.0.2:9000/\"",
        "reset-before-response|keep-alive-race",
    ),
    (
        "2026/11/20 18:30:47 [error] 31#31: *7 upstream timed out (110: Connection timed out) while connecting to upstream, client: 10.0.0.1, upstream: \"http://10.0.0.2:9000/\"",
        "connect-unanswered",
    ),
    (
        "2026/11/20 18:30:47 [error] 31#31: *7 upstream sent too big header while reading response header from upstream",
        "malformed-response",
    ),
    (
        "2026/11/20 18:30:47 [error] 31#31: *7 SSL_do_handshake() failed (SSL: error:0A00010B:SSL routines::wrong version number) while SSL handshaking to upstream",
        "tls-plaintext-mismatch",
    ),
    (
        "10.0.0.1 - - [20/Nov/2026:18:30:47 +0000] \"POST /upload HTTP/1.1\" 408 0 \"-\" \"-\"",
        "client-left-mid-upload|unsolicited-response|preconnect-unused",
    ),
    (
        "haproxy[7]: 10.0.0.1:40711 [20/Nov/2026:18:30:47.123] web be/s1 0/0/0/-1/5 502 194 - - SH-- 1/1/0/0/0 0/0 \"GET /x HTTP/1.1\"",
        "closed-before-response|reset-before-response",
    ),
    (
        "haproxy[7]: 10.0.0.1:40711 [20/Nov/2026:18:30:47.123] web be/s1 0/0/0/12/800 200 90194 - - CD-- 1/1/0/0/0 0/0 \"GET /x HTTP/1.1\"",
        "client-left-mid-response",
    ),
    (
        "upstream connect error or disconnect/reset before headers. reset reason: connection termination",
        "keep-alive-race",
    ),
    (
        "upstream_reset_before_response_started{connection_termination}",
        "keep-alive-race",
    ),
    ("no healthy upstream", ""),
    (
        "AH01114: HTTP: failed to make connection to backend: 10.0.0.2",
        "connection-refused|connect-unanswered",
    ),
    (
        "wget: error getting response: Connection reset by peer",
        "reset-before-response|keep-alive-race",
    ),
    (
        "wget: can't connect to remote host (10.0.0.2): Connection refused",
        "connection-refused",
    ),
    (
        "curl: (28) Failed to connect to 10.0.0.2 port 443 after 5001 ms: Timeout was reached",
        "connect-unanswered",
    ),
    (
        "curl: (28) Operation timed out after 3000 milliseconds with 0 bytes received",
        "client-gave-up-waiting",
    ),
    (
        "curl: (35) OpenSSL SSL_connect: Connection reset by peer in connection to 10.0.0.2:443",
        "tls-handshake-cut|reset-on-name",
    ),
    (
        "curl: (60) SSL certificate problem: unable to get local issuer certificate",
        "tls-certificate-rejected",
    ),
    (
        "* Empty reply from server\n* Connection #0 to host 10.0.0.2 left intact\ncurl: (52) Empty reply from server",
        "closed-before-response",
    ),
    // Databases and the like.
    (
        "SQLSTATE[HY000] [2002] Connection refused",
        "connection-refused",
    ),
    ("MySQL server has gone away", "keep-alive-race"),
    (
        "psycopg2.OperationalError: server closed the connection unexpectedly",
        "closed-before-response",
    ),
    (
        "redis.exceptions.ConnectionError: Error 104 while writing to socket. Connection reset by peer.",
        "keep-alive-race|reset-before-response",
    ),
    // What is no fault of a connection, or not known.
    ("404", ""),
    ("everything is fine", ""),
    ("it does not work", ""),
    ("i/o timeout", "client-gave-up-waiting"),
    ("segmentation fault (core dumped)", ""),
    ("java.lang.OutOfMemoryError: Java heap space", ""),
    ("permission denied", ""),
    ("no space left on device", ""),
    (
        "{\"level\":\"info\",\"msg\":\"user logged in\",\"user\":502}",
        "",
    ),
    ("42", ""),
    ("undefined is not a function", ""),
    ("kubectl: pod web-1 was evicted", ""),
    ("invalid username or password", ""),
];

fn first(told: &Explanation) -> &'static str {
    let mut rules = told.stories.iter().flat_map(|it| &it.rules);
    rules.next().copied().unwrap_or_default()
}

#[test]
fn each_leads_to_its_cause_first_or_to_none() {
    let mut lost = Vec::new();
    for (text, wanted) in FIRST {
        let told = explain(text);
        if !wanted.split('|').any(|it| it == first(&told)) {
            let all: Vec<_> = told
                .stories
                .iter()
                .map(|it| (it.rules.first(), it.score, &it.why))
                .collect();
            lost.push(format!("{text}\n  wants {wanted:?}, has {all:?}"));
        }
    }
    assert!(FIRST.len() >= 120);
    assert!(
        lost.is_empty(),
        "{} of {}:\n{}",
        lost.len(),
        FIRST.len(),
        lost.join("\n")
    );
}

/// Where a keep-alive race is common, it is among the causes that are told in full.
#[test]
fn the_race_is_among_the_first_causes() {
    for text in [
        "The underlying connection was closed: An unexpected error occurred on a receive.",
        "The underlying connection was closed: An unexpected error occurred on a send.",
        "org.apache.http.NoHttpResponseException: orders:8080 failed to respond",
        "upstream connect error or disconnect/reset before headers. reset reason: connection termination",
        "System.Net.Http.HttpIOException: The response ended prematurely. (ResponseEnded)",
        "socket hang up",
        "ECONNRESET",
        "connection reset by peer",
        "java.net.SocketException: Connection reset",
    ] {
        let told = explain(text);
        let mut causes = told.stories.iter().take(3);
        assert!(
            causes.any(|it| it.rules.first() == Some(&"keep-alive-race")),
            "{text}: {:?}",
            told.stories
        );
    }
}

#[test]
fn a_general_text_asks_the_question_that_narrows_it() {
    for (text, answers) in [
        (
            "connection reset by peer",
            &["reset-before-response", "keep-alive-race"][..],
        ),
        (
            "socket hang up",
            &["closed-before-response", "keep-alive-race"],
        ),
        ("broken pipe", &["client-left-mid-response"]),
        (
            "connection timed out",
            &["connect-unanswered", "retransmissions-exhausted"],
        ),
        ("unexpected EOF", &["response-cut-short"]),
        ("ECONNRESET", &["reset-before-response", "keep-alive-race"]),
        ("502", &["connection-refused", "keep-alive-race"]),
    ] {
        let told = explain(text);
        let question = told
            .question
            .as_ref()
            .unwrap_or_else(|| panic!("{text}: {:?}", told.stories));
        let rules: Vec<_> = question.answers.iter().flat_map(|it| &it.1).collect();
        assert!(question.answers.len() > 1, "{text}");
        for rule in answers {
            assert!(rules.contains(&rule), "{text}: {question:?}");
        }
    }
}

#[test]
fn a_page_fits_the_terminal_and_its_commands_are_commands() {
    for (text, _) in FIRST {
        let told = explain(text);
        let Some(page) = explanation(&told, false) else {
            assert!(told.is_empty(), "{text}");
            continue;
        };
        let mut commands = 0;
        for line in page.lines() {
            let command = ["sudo ", "hangup "]
                .iter()
                .any(|it| line.trim_start().starts_with(it));
            assert!(command || line.chars().count() <= 80, "{text}\n{line}");
            let line = line.trim_start().trim_start_matches("sudo ");
            if line.starts_with("hangup ") {
                let parsed = Cli::try_parse_from(words(line));
                assert!(parsed.is_ok(), "{text}\n{line}\n{parsed:?}");
                commands += 1;
            }
        }
        assert!(commands > 0 && page.lines().count() <= 54, "{text}\n{page}");
        assert!(!page.contains("\n\n\n"), "{text}\n{page}");
        for (name, story) in told
            .stories
            .iter()
            .take(3)
            .filter_map(|it| Some((*it.rules.first()?, it)))
        {
            assert!(page.contains(name), "{text}: {name} {story:?}");
        }
    }
}

/// A command line as a shell splits it.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    let mut escaped = false;
    for char in line.chars() {
        let Some(word) = words.last_mut() else { break };
        match char {
            _ if escaped => {
                word.push(char);
                escaped = false;
            }
            '\\' if !quoted => escaped = true,
            '\'' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            char => word.push(char),
        }
    }
    words
}
