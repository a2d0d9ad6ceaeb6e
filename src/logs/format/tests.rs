//! What each format's lines say.
//!
//! Lines of IIS, HTTP.sys, AWS, Envoy, Istio, Traefik, Google Cloud and ECS follow the documentation of these products; none of
//! them wrote one. Other lines are shortened or made up. What nginx, Apache httpd, HAProxy, Varnish and Caddy themselves wrote
//! is in `captures/legs`; `tests/logs.rs` reads that.

use std::time::Duration;

use super::*;
use crate::base::time::Timestamp;

fn calendar() -> Calendar {
    Calendar::of(Timestamp::new(1_764_374_400, 0))
}

fn read(format: LogFormat, line: &str) -> Option<LogLine> {
    LineReader::new(format, calendar()).strictly(line)
}

/// What a line says, in short: client, what was asked, status, bytes, milliseconds, ending, upstream.
fn told(line: &LogLine) -> String {
    let mut said = Vec::new();
    if let Some(ip) = line.client {
        let port = line
            .client_port
            .map_or(String::new(), |it| format!(":{it}"));
        said.push(format!("{ip}{port}"));
    }
    if let (Some(method), Some(target)) = (&line.method, &line.target) {
        said.push(format!("{method} {target}"));
    }
    if let Some(status) = line.status {
        said.push(status.to_string());
    }
    if let Some(bytes) = line.bytes {
        said.push(format!("{bytes}B"));
    }
    if let Some(duration) = line.duration {
        said.push(format!("{}ms", duration.as_millis()));
    }
    if let Some(ending) = &line.ending {
        said.push(ending.to_string());
    }
    if let Some(upstream) = line.upstream {
        said.push(format!("to {upstream}"));
    }
    said.join(", ")
}

#[test]
fn access_lines_say_who_what_and_how() {
    use LogFormat::{Alb, CommonLog, Envoy, Haproxy, IisW3c, Json};
    for (format, line, wanted) in [
        (
            CommonLog,
            r#"10.0.0.1 - - [29/Nov/2025:00:00:01 +0000] "GET /a?b=1 HTTP/1.1" 200 6 "-" "curl/7.88.1""#,
            "10.0.0.1, GET /a?b=1, 200, 6B",
        ),
        (
            CommonLog,
            r#"10.0.0.1 - bob smith [29/Nov/2025:00:00:01 +0000] "GET / HTTP/1.0" 304 -"#,
            "10.0.0.1, GET /, 304, 0B",
        ),
        (
            CommonLog,
            r#"shop.example:80 10.0.0.1 - - [29/Nov/2025:00:00:01 +0000] "GET /\x22 HTTP/1.1" 404 9 "-" "a\"b""#,
            "10.0.0.1, GET /\", 404, 9B",
        ),
        (
            CommonLog,
            r#"10.0.0.1:4711 [29/Nov/2025:00:00:01 +0000] "GET /a HTTP/1.1" 502 157 rt=0.051 id=fb0f upstream=10.0.0.3:90, 10.0.0.4:90 status=502"#,
            "10.0.0.1:4711, GET /a, 502, 157B, 51ms, to 10.0.0.4:90",
        ),
        (
            CommonLog,
            r#"::1 - - [29/Nov/2025:00:00:01 +0000] "-" 408 0 "-" "-""#,
            "::1, 408, 0B",
        ),
        (
            CommonLog,
            r#"10.0.0.1 - - [29/Nov/2025:00:00:01 +0000] "GET http://h/a HTTP/1.1" 200 5 "-" "x""#,
            "10.0.0.1, GET http://h/a, 200, 5B",
        ),
        (
            CommonLog,
            r#"10.0.0.1 - - [29/Nov/2025:00:00:01 +0000] "GET /a HTTP/1.1" 502 11 "-" "x" 7 "shop@file" "http://10.0.0.3:80" 3ms"#,
            "10.0.0.1, GET /a, 502, 11B, 3ms, to 10.0.0.3:80",
        ),
        (
            CommonLog,
            r#"127.0.0.1 - - [29/Nov/2025 00:00:01] "GET /a HTTP/1.1" 200 -"#,
            "127.0.0.1, GET /a, 200, 0B",
        ),
        (
            Haproxy,
            r#"Nov 29 00:00:01 h haproxy[7]: 10.0.0.1:46728 [29/Nov/2025:00:00:01.997] shop app/app1 0/0/1/-1/1005 504 198 - - sH-- 1/1/0/0/0 0/0 "GET /slow HTTP/1.1""#,
            "10.0.0.1:46728, GET /slow, 504, 198B, 1005ms, sH--",
        ),
        (
            Haproxy,
            "10.0.0.1:41122 [29/Nov/2025:00:00:01.905] shop app/app1 1/0/6 0 SD 1/1/0/0/0 0/0",
            "10.0.0.1:41122, 0B, 6ms, SD",
        ),
        (
            Haproxy,
            r#"10.0.0.1:4 [29/Nov/2025:00:00:01.905] f f/<NOSRV> -1/-1/-1/-1/10000 408 212 - - cR-- 1/1/0/0/0 0/0 {|} "<BADREQ>""#,
            "10.0.0.1:4, 408, 212B, 10000ms, cR--",
        ),
        (
            Haproxy,
            r#"[::1]:4 [29/Nov/2025:00:00:01.905] f b/s 0/0/0/1/+9 -1 +0 - - CD-- 1/1/0/0/0 0/0 "GET / HTTP/1.1""#,
            "::1:4, GET /, 0, 0B, 9ms, CD--",
        ),
        (
            Envoy,
            r#"[2025-11-29T00:00:01.310Z] "POST /api/v1 HTTP/2" 204 - 154 0 226 100 "10.0.35.28" "nsq2http" "cc21d9b0" "locations" "tcp://10.0.2.1:80""#,
            "POST /api/v1, 204, 0B, 226ms, to 10.0.2.1:80",
        ),
        (
            Envoy,
            r#"[2025-11-29T00:00:01.310Z] "GET /a HTTP/1.1" 503 UC upstream_reset_before_response_started{connection_termination} - "-" 0 95 12 - "-" "curl/8" "id" "shop" "10.0.0.3:80" outbound|80||shop 10.0.0.2:5 10.0.0.2:8080 10.0.0.1:4711 - default"#,
            "10.0.0.1:4711, GET /a, 503, 95B, 12ms, UC upstream_reset_before_response_started{connection_termination}, to 10.0.0.3:80",
        ),
        (
            Alb,
            r#"http 2018-07-02T22:23:00.186641Z app/my-loadbalancer/50dc6c495c0c9188 192.168.131.39:2817 10.0.0.1:80 0.000 0.001 0.000 200 200 34 366 "GET http://www.example.com:80/ HTTP/1.1" "curl/7.46.0" - - arn:aws:elasticloadbalancing:us-east-2:123456789012:targetgroup/my-targets/73e2d6bc24d8a067 "Root=1-58337262-36d228ad5d99923122bbe354" "-" "-" 0 2018-07-02T22:22:48.364000Z "forward" "-" "-" "10.0.0.1:80" "200" "-" "-""#,
            "192.168.131.39:2817, GET http://www.example.com:80/, 200, 366B, 1ms, to 10.0.0.1:80",
        ),
        (
            Alb,
            r#"http 2018-11-30T22:23:00.186641Z app/my-loadbalancer/50dc6c495c0c9188 192.168.131.39:2817 - 0.000 0.001 -1 502 - 34 366 "GET http://www.example.com:80/ HTTP/1.1" "curl/7.46.0" - -"#,
            "192.168.131.39:2817, GET http://www.example.com:80/, 502, 366B",
        ),
        (
            IisW3c,
            "2025-11-29 00:00:01 10.0.0.2 GET /a q=1 80 - 10.0.0.1 Mozilla/5.0+(X) - 200 0 64 1503",
            "10.0.0.1, GET /a?q=1, 200, 1503ms, sc-win32-status 64",
        ),
        (
            Json,
            r#"{"level":"info","ts":1764374401.5,"logger":"http.log.access","msg":"handled request","request":{"remote_ip":"10.0.0.1","remote_port":"4711","method":"GET","host":"h","uri":"/a"},"duration":0.5,"size":12,"status":200}"#,
            "10.0.0.1:4711, GET /a, 200, 12B",
        ),
        (
            Json,
            r#"{"time_iso8601":"2025-11-29T00:00:01+00:00","remote_addr":"10.0.0.1","request":"GET /a HTTP/1.1","status":"502","body_bytes_sent":"157","request_time":"0.051","upstream_addr":"10.0.0.3:80"}"#,
            "10.0.0.1, GET /a, 502, 157B, 51ms, to 10.0.0.3:80",
        ),
        (
            Json,
            r#"{"@timestamp":"2025-11-29T00:00:01.000Z","http.request.method":"GET","url.path":"/a","http.response.status_code":200,"client":{"ip":"10.0.0.1"}}"#,
            "GET /a, 200",
        ),
        (
            Json,
            r#"{"severity":"INFO","timestamp":"2025-11-29T00:00:01Z","httpRequest":{"requestMethod":"GET","requestUrl":"http://h/a","status":200,"responseSize":"12","remoteIp":"10.0.0.1"}}"#,
            "10.0.0.1, GET http://h/a, 200, 12B",
        ),
    ] {
        let read = read(format, line);
        let said = read.as_ref().map(told);
        assert_eq!(said.as_deref(), Some(wanted), "{line}");
        assert!(read.is_some_and(|it| it.time.is_some()), "{line}");
    }
}

#[test]
fn error_lines_say_which_leg_they_are_about() {
    use LogFormat::{ApacheError, HttpSysError, Json, NginxError, Text};
    for (format, line, wanted, leg) in [
        (
            NginxError,
            r#"2025/11/29 00:00:01 [error] 7#7: *1 upstream prematurely closed connection while reading response header from upstream, client: 10.0.0.1, server: , request: "POST /a HTTP/1.1", upstream: "http://10.0.0.3:90/b", host: "h""#,
            "10.0.0.1, POST /b, to 10.0.0.3:90",
            Some(true),
        ),
        (
            NginxError,
            r#"2025/11/29 00:00:01 [info] 7#7: *4 epoll_wait() reported that client prematurely closed connection, so upstream connection is closed too (104: Connection reset by peer) while sending request to upstream, client: 10.0.0.1, server: , request: "GET /a HTTP/1.1", upstream: "http://10.0.0.3:90/a""#,
            "10.0.0.1, GET /a, to 10.0.0.3:90",
            Some(false),
        ),
        (
            NginxError,
            r#"2025/11/29 00:00:01 [error] 7#7: *1 no live upstreams while connecting to upstream, client: 10.0.0.1, server: , request: "GET /a HTTP/1.1", upstream: "http://app/a""#,
            "10.0.0.1, GET /a",
            Some(false),
        ),
        (
            NginxError,
            r#"2025/11/29 00:00:01 [notice] 7#7: using the "epoll" event method"#,
            "",
            None,
        ),
        (
            ApacheError,
            "[Sat Nov 29 00:00:01.223962 2025] [proxy_http:error] [pid 1804:tid 1813] (104)Connection reset by peer: [client 10.0.0.1:40512] AH01102: error reading status line from remote server 10.0.0.3:9000",
            "10.0.0.1:40512, to 10.0.0.3:9000",
            Some(true),
        ),
        (
            ApacheError,
            "[Sat Nov 29 00:00:01 2025] [error] [client 10.0.0.1] File does not exist: /x",
            "10.0.0.1",
            Some(false),
        ),
        (
            HttpSysError,
            "2002-07-05 18:45:09 172.31.77.6 2094 172.31.77.6 80 HTTP/1.1 GET /qos/1kbfile.txt 503 - ConnLimit",
            "172.31.77.6:2094, GET /qos/1kbfile.txt, 503, ConnLimit",
            Some(false),
        ),
        (
            HttpSysError,
            "2002-07-05 20:06:01 172.31.77.6 64388 127.0.0.1 80 - - - - - Timer_MinBytesPerSecond",
            "172.31.77.6:64388, Timer_MinBytesPerSecond",
            Some(false),
        ),
        (
            Json,
            r#"{"time":"2025-11-29T00:00:01.563Z","level":"error","msg":"request failed","err":{"message":"socket hang up"}}"#,
            "",
            None,
        ),
        (
            Text,
            "2025-11-29 00:00:01,123 ERROR [main] java.net.SocketException: Connection reset",
            "",
            None,
        ),
        (
            Text,
            "2025/11/29 00:00:01 http: proxy error: read tcp 10.0.0.2:44034->10.0.0.3:8010: read: connection reset by peer",
            "",
            None,
        ),
    ] {
        let read = read(format, line);
        assert_eq!(read.as_ref().map(told).as_deref(), Some(wanted), "{line}");
        assert_eq!(read.and_then(|it| it.of_upstream), leg, "{line}");
    }
}

#[test]
fn a_format_is_known_by_its_first_lines() {
    for (lines, wanted) in [
        (
            &[r#"10.0.0.1 - - [29/Nov/2025:00:00:01 +0000] "GET / HTTP/1.1" 200 6"#][..],
            Some(LogFormat::CommonLog),
        ),
        (
            &[
                "2025/11/29 00:00:01 [notice] 7#7: nginx/1.22.1",
                "2025/11/29 00:00:01 [notice] 7#7: OS",
            ],
            Some(LogFormat::NginxError),
        ),
        (
            &[
                "#Software: Microsoft Internet Information Services 10.0",
                "#Fields: date time c-ip cs-method cs-uri-stem sc-status",
                "2025-11-29 00:00:01 10.0.0.1 GET /a 200",
            ],
            Some(LogFormat::IisW3c),
        ),
        (
            &["2025-11-29 00:00:01 10.0.0.1 4711 10.0.0.2 80 - - - - - Timer_ConnectionIdle -"],
            Some(LogFormat::HttpSysError),
        ),
        (
            &["[2025-11-29 00:00:01 +0000] [7] [CRITICAL] WORKER TIMEOUT (pid:8)"],
            Some(LogFormat::Text),
        ),
        (
            &[
                "2025-11-29T00:00:01.5Z stderr F 10.0.0.1:41122 [29/Nov/2025:00:00:01.905] shop app/app1 1/0/6 0 SD 1/1/0/0/0 0/0",
            ],
            Some(LogFormat::Haproxy),
        ),
        (
            &[
                r#"{"log":"2025/11/29 00:00:01 [error] 7#7: *1 x, client: 10.0.0.1\n","stream":"stderr","time":"2025-11-29T00:00:01.5Z"}"#,
            ],
            Some(LogFormat::Json),
        ),
        (&["once upon a time", "there was a log"], None),
        (&[][..], None),
    ] {
        let found = LineReader::detect(lines.iter().copied(), calendar());
        assert_eq!(found.map(|it| it.format()), wanted, "{lines:?}");
    }
}

#[test]
fn a_line_of_another_format_is_text() {
    let mut reader = LineReader::new(LogFormat::CommonLog, calendar());
    let line = reader.read("2025-11-29T00:00:01Z worker 7 died: connection reset by peer");
    let line = line.expect("it has a time");
    assert_eq!(
        line.message.as_deref(),
        Some("worker 7 died: connection reset by peer")
    );
    assert!(
        reader
            .read("    at java.base/java.net.Socket.read")
            .is_none()
    );
}

#[test]
fn times_that_a_line_takes_are_seconds_or_milliseconds() {
    let line = r#"10.0.0.1 - - [29/Nov/2025:00:00:01 +0000] "GET / HTTP/1.1" 200 6 "-" "x" 0.123"#;
    let read = read(LogFormat::CommonLog, line).expect("a line");
    assert_eq!(read.duration, Some(Duration::from_millis(123)));
}

mod anything {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn can_be_read(line in "\\PC{0,200}") {
            for format in LogFormat::ALL {
                let _ = LineReader::new(format, calendar()).read(&line);
            }
        }

        #[test]
        fn like_a_log_can_be_read(line in "[0-9 :/\\[\\]\"\\\\.,A-Z-]{0,120}", cut in 0..400_usize) {
            let whole = format!("10.0.0.1:1 [29/Nov/2025:00:00:01.905] {line}");
            let end = cut.min(whole.len());
            for format in LogFormat::ALL {
                let _ = LineReader::new(format, calendar()).read(&whole[..end]);
                let _ = LineReader::new(format, calendar()).read(&line);
            }
        }
    }
}
