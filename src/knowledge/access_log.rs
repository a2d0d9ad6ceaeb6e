//! Recognises a line of an access log, and its status.
//!
//! Such a line reports how an exchange ended by a number in a fixed place. What it quotes, such as the request and the
//! `User-Agent`, is the client's and says nothing of the end. Known are the common and the combined format of Apache
//! httpd and nginx, Envoy, Traefik and what derives from them; AWS ALB; HAProxy; Squid; IIS (W3C); morgan and Gin.

/// What an access log says of one exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AccessLine {
    /// The status in the log.
    pub status: u16,
    /// The rest that counts: the line without its quoted parts.
    pub rest: String,
    /// The Windows error that IIS logs beside the status.
    pub win32: Option<u32>,
}

const METHODS: &[&str] = &[
    "GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS", "CONNECT",
];

/// The first line of an access log in the text.
#[must_use]
pub(super) fn access_line(text: &str) -> Option<AccessLine> {
    text.lines().find_map(of_line)
}

fn of_line(line: &str) -> Option<AccessLine> {
    let (status, win32) = after_request(line)
        .or_else(|| before_request(line))
        .or_else(|| after_timers(line))
        .or_else(|| after_result(line))
        .or_else(|| between_bars(line))
        .or_else(|| after_target(line))
        .map(|status| (status, None))
        .or_else(|| at_the_end(line))?;
    Some(AccessLine {
        status,
        rest: unquoted(line),
        win32,
    })
}

fn status(word: &str) -> Option<u16> {
    let number: u16 = word.parse().ok()?;
    (word.len() == 3 && (100..600).contains(&number)).then_some(number)
}

/// `"GET / HTTP/1.1" 502 157`.
fn after_request(line: &str) -> Option<u16> {
    let mut rest = line;
    while let Some((_, after)) = rest.split_once(" HTTP/") {
        let version = after.trim_start_matches(|it: char| it.is_ascii_digit() || it == '.');
        if let Some(then) = version.strip_prefix('"').or(version.strip_prefix("\\\"")) {
            let word = then.split_whitespace().next()?;
            if let Some(status) = status(word) {
                return Some(status);
            }
        }
        rest = after;
    }
    None
}

/// ALB: the load balancer's status, that of the target or `-`, and two sizes stand before the request.
fn before_request(line: &str) -> Option<u16> {
    let at = METHODS.iter().find_map(|method| {
        let quoted = format!("\"{method} http");
        line.find(&quoted)
    })?;
    let before: Vec<&str> = line.get(..at)?.split_whitespace().collect();
    let [.., own, target, received, sent] = before[..] else {
        return None;
    };
    let number = |it: &str| it.parse::<u64>().is_ok();
    (number(received) && number(sent) && (target == "-" || status(target).is_some()))
        .then(|| status(own))?
}

/// HAProxy: the status follows the timers `0/0/1/-1/30001`.
fn after_timers(line: &str) -> Option<u16> {
    let words: Vec<&str> = line.split_whitespace().collect();
    words.windows(2).find_map(|pair| {
        let [timers, after] = pair else { return None };
        let parts: Vec<&str> = timers.split('/').collect();
        let timer = |it: &&str| it.trim_start_matches('+').parse::<i64>().is_ok();
        (parts.len() == 5 && parts.iter().all(timer)).then(|| status(after))?
    })
}

/// Squid: `TCP_MISS/502`.
fn after_result(line: &str) -> Option<u16> {
    line.split_whitespace().find_map(|word| {
        let (result, code) = word.split_once('/')?;
        result.starts_with("TCP_").then(|| status(code))?
    })
}

/// Gin: `[GIN] 2026/11/20 - 18:30:47 | 502 |`.
fn between_bars(line: &str) -> Option<u16> {
    let (_, rest) = line.split_once("[GIN]")?;
    rest.split('|').find_map(|word| status(word.trim()))
}

/// morgan and its like: `GET /x 502 12.3 ms`.
fn after_target(line: &str) -> Option<u16> {
    let words: Vec<&str> = line.split_whitespace().collect();
    words.windows(3).find_map(|three| {
        let [method, target, code] = three else {
            return None;
        };
        (METHODS.contains(method) && target.starts_with('/')).then(|| status(code))?
    })
}

/// IIS: status, substatus, Windows error and then numbers up to the end of the line.
fn at_the_end(line: &str) -> Option<(u16, Option<u32>)> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let dated = words.first()?.split('-').count() == 3 && words.get(1)?.split(':').count() == 3;
    if !dated || !words.iter().any(|it| METHODS.contains(it)) {
        return None;
    }
    let numeric = words
        .iter()
        .rev()
        .take_while(|it| it.parse::<u64>().is_ok())
        .count();
    let tail = words.get(words.len() - numeric..)?;
    let [code, substatus, win32, _, ..] = tail else {
        return None;
    };
    let status = status(code).filter(|_| substatus.len() < 4)?;
    Some((status, win32.parse().ok().filter(|it| *it != 0)))
}

/// The line without what it quotes.
fn unquoted(line: &str) -> String {
    let parts = line.split('"').enumerate();
    let outside = parts.filter(|(index, _)| index % 2 == 0);
    outside.map(|(_, part)| part).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_is_where_each_format_has_it() {
        for (line, status) in [
            (r#""GET / HTTP/1.1" 502 157 "-" "curl/8.5.0""#, 502),
            (
                r#"10.0.0.1 - bob [20/Nov/2026:18:30:47 +0000] "POST /x?a=500 HTTP/2.0" 404 12"#,
                404,
            ),
            (
                r#"http 2018-11-30T22:23:00.186641Z app/my-lb/50dc6c495c0c9188 192.168.131.39:2817 - 0.000 0.001 0.000 502 - 34 366 "GET http://www.example.com:80/ HTTP/1.1" "curl/7.46.0" - -"#,
                502,
            ),
            (
                "haproxy[7]: 10.0.0.1:4711 [20/Nov/2026:18:30:47.123] web be/s1 0/0/1/-1/30001 504 194 - - sH-- 1/1/0/0/0 0/0 \"GET /x HTTP/1.1\"",
                504,
            ),
            (
                "1763665262.250 60001 10.0.0.1 TCP_MISS/504 4120 GET http://a/ - HIER_DIRECT/10.0.0.2 text/html",
                504,
            ),
            (
                "[GIN] 2026/11/20 - 18:30:47 | 502 |  1.2ms | 10.0.0.1 | GET  \"/x\"",
                502,
            ),
            ("GET /items 503 12.345 ms - 157", 503),
        ] {
            assert_eq!(
                access_line(line).map(|it| it.status),
                Some(status),
                "{line}"
            );
        }
        let iis = "2026-11-20 18:30:47 10.0.0.2 GET /x - 80 - 10.0.0.1 Mozilla/5.0 - 500 0 64 1503";
        let line = access_line(iis).expect("an access log");
        assert_eq!((line.status, line.win32), (500, Some(64)));
    }

    #[test]
    fn an_error_log_is_no_access_log() {
        for line in [
            "upstream prematurely closed connection, request: \"GET / HTTP/1.1\", upstream: \"http://a/\"",
            "curl: (52) Empty reply from server",
            "error 502 in room 101",
            "",
        ] {
            assert_eq!(access_line(line), None, "{line}");
        }
    }
}
