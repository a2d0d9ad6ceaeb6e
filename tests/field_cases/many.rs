//! Cases 6 (its queue), 7, 9, 11 and 12: what only many connections together show, with the measured numbers.

use std::fmt::Write as _;

use hangup::analysis::connection::{By, Who};
use hangup::analysis::hosts::RangeBasis;
use hangup::knowledge;
use hangup::report;
use hangup::rules::Severity;

use crate::story::{DOTNET, Story};

/// Milliseconds in a ladder's time format.
fn at(millis: u64) -> String {
    format!("{}.{:03}", millis / 1000, millis % 1000)
}

/// Case 6: the client allows two connections to a host, both are busy, and a third request waits in vain for one of
/// them.
#[test]
fn case_6_requests_that_wait_for_one_of_two_connections() {
    let mut text =
        String::from("client :40000 [times=2 every=10ms] server\n0.000 SYN -->\n+1ms <-- SYN\n");
    for number in 0..6 {
        writeln!(
            text,
            "+1ms GET /{number} [{DOTNET}] -->\n+3s <-- 200 \"slow\""
        )
        .unwrap();
    }
    // The client gives up the next request: most of its timeout passed in the queue.
    writeln!(
        text,
        "+1ms GET /6 [{DOTNET}] -->\n+1ms <-- ACK\n+2s FIN -->\n+1ms <-- ACK"
    )
    .unwrap();
    let story = Story::drawn(&text);
    story.says(
        "connection-limit-queueing",
        Severity::Warning,
        &[
            "never had more than 2 connections",
            "a common default (.NET Framework",
            "closed 2 connections while it waited for the response",
        ],
        &["DefaultConnectionLimit"],
    );
    assert_eq!(
        story.first_line(1, Who::Client),
        "dotnet-framework*: The operation has timed out"
    );
}

/// Case 7: intermittent errors, in a capture of their cause: the server's idle timer, and a request that crosses its
/// FIN.
#[test]
fn case_7_a_pooled_connection_that_is_reused_as_it_is_closed() {
    let story = Story::captured("keep-alive-race.pcapng");
    story.says(
        "idle-timeout-close",
        Severity::Note,
        &["closed the connection (FIN) after 2.00 s without a request"],
        &["the idle timeout of the client's connection pool"],
    );
    story.says(
        "keep-alive-race",
        Severity::Error,
        &[
            "closed the connection (FIN) after it had been idle for 2.00 s",
            "captured 27.0 ms before the FIN",
            "The request and the FIN crossed on the way",
        ],
        &[
            "client's idle timeout shorter than the server's",
            "MaxServicePointIdleTime",
        ],
    );
    assert_eq!(story.loud(), ["keep-alive-race"]);
    assert_eq!(story.finding("keep-alive-race").connections, [2]);
    let log = story.log(2, Who::Client);
    let python = log
        .iter()
        .find(|it| it.stack == "python-http.client")
        .expect("a suspect");
    assert_eq!(
        python.text,
        Some("Remote end closed connection without response")
    );
}

/// Case 7: over many connections, the server's timer as a measured value, and how close to it the client reuses
/// connections.
#[test]
fn case_7_both_limits_are_measured() {
    let mut text = String::new();
    for (number, off) in [(0u64, 0u64), (1, 40), (2, 90), (3, 20), (4, 60)] {
        let begin = number * 200_000;
        writeln!(
            text,
            "client :{} server\n{} SYN -->\n+1ms <-- SYN\n+1ms GET /1 [{DOTNET}] -->\n+20ms <-- 200 \"one\" \
             [server=Microsoft-IIS/6.0]\n+1ms ACK -->",
            40_000 + number,
            at(begin)
        )
        .unwrap();
        match number {
            // One connection is reused successfully 1.2 s before the server's timer expires, and then stays idle.
            4 => writeln!(text, "+118800ms GET /2 -->\n+20ms <-- 200 \"two\"\n+1ms ACK -->\n+{}ms <-- FIN\n+1ms FIN \
                                 -->\n+1ms <-- ACK", 120_000 + off).unwrap(),
            // One request crosses the server's FIN.
            3 => writeln!(text, "+{}ms <-- FIN\n+1ms POST /2 \"x\" [{DOTNET} crossed] -->\n+1ms <-- RST [noack]", 120_000 + off).unwrap(),
            _ => writeln!(text, "+{}ms <-- FIN\n+1ms FIN -->\n+1ms <-- ACK", 120_000 + off).unwrap(),
        }
    }
    let story = Story::drawn(&text);
    let timers = story.reading.hosts().timers();
    let timer = timers
        .iter()
        .find(|it| it.who == Who::Server)
        .expect("the server's idle timer");
    assert_eq!((timer.measured.count, timer.closes), (4, 4), "{timer:?}");
    assert!(
        (120.0..120.2).contains(&timer.measured.median.as_secs_f64()),
        "{timer:?}"
    );
    assert!(timer.measured.spread() < 0.001, "{timer:?}");
    assert!(
        timer
            .known
            .iter()
            .any(|it| it.product.contains("HTTP.sys") || it.product.contains("IIS")),
        "{timer:?}"
    );
    story.says(
        "keep-alive-race",
        Severity::Error,
        &[
            "POST request 1.0 ms after the FIN",
            "idle for 120.0 s",
            "IIS",
        ],
        &["MaxServicePointIdleTime"],
    );
    story.says(
        "keep-alive-race-risk",
        Severity::Warning,
        &[
            "closed 4 connections after 120.0 to 120.1 s of idle time",
            "idle timeout is 120.1 s",
            "reused 2 connections after up to 120.0 s",
        ],
        &["idle"],
    );
    let kept_alive = "The underlying connection was closed: A connection that was expected to be kept alive was closed \
                      by the server.";
    assert_eq!(
        story.first_line(4, Who::Client),
        format!("dotnet-framework*: {kept_alive}")
    );
}

/// Case 9: requests that fail after 90 or 110 s, the execution limits of two generations of ASP.NET.
#[test]
fn case_9_a_request_that_outlives_its_execution_limit() {
    for (limit, said) in [
        (90u64, "ASP.NET 1.x `executionTimeout`"),
        (110, "ASP.NET `executionTimeout`"),
    ] {
        let mut text = String::new();
        for (number, off) in [0, 120, 260].into_iter().enumerate() {
            writeln!(
                text,
                "client :{} server\n{} SYN -->\n+1ms <-- SYN\n+1ms GET /report.aspx [{DOTNET}] -->\n+1ms <-- \
                 ACK\n+{}ms <-- FIN\n+1ms FIN -->\n+1ms <-- ACK",
                40_000 + number,
                at(number as u64 * 300_000),
                limit * 1000 + off
            )
            .unwrap();
        }
        let story = Story::drawn(&text);
        let measured = format!("after {limit}.1 s ({limit}.0 s to {limit}.3 s)");
        story.says(
            "server-time-limit",
            Severity::Error,
            &["3 requests ended without a response", &measured, said],
            &["executionTimeout", "above the longest call"],
        );
        assert_eq!(story.finding("server-time-limit").connections, [1, 2, 3]);
        let unexpectedly =
            "The underlying connection was closed: The connection was closed unexpectedly.";
        assert_eq!(
            story.first_line(1, Who::Client),
            format!("dotnet-framework*: {unexpectedly}")
        );
        let limits = story.reading.hosts().timers();
        let wait = limits
            .iter()
            .find(|it| it.running == knowledge::TimerPhase::Wait)
            .expect("a limit of waiting");
        assert_eq!((wait.who, wait.measured.count), (Who::Server, 3));
    }
}

/// Case 11: the same request over loopback every 21 minutes; its sender does not wait for the response, some beats are
/// missed, and the period jitters.
#[test]
fn case_11_a_request_that_is_abandoned_at_a_fixed_period() {
    let mut text = String::new();
    for (number, beat) in [0u64, 1, 2, 4, 5, 6, 9, 10].into_iter().enumerate() {
        let jitter = [0, 410, 90, 700, 250, 30, 520, 180][number];
        writeln!(
            text,
            "client 127.0.0.1:{} server 127.0.0.1:80\n{} SYN -->\n+1ms <-- SYN\n+1ms GET / -->\n+1ms FIN -->\n+1ms <-- \
             ACK\n+800ms <-- 200 \"warm\" [server=Microsoft-IIS/7.5]\n+1ms RST [noack] -->",
            49_200 + number,
            at(beat * 1_260_000 + jitter)
        )
        .unwrap();
    }
    let story = Story::drawn(&text);
    story.says(
        "periodic-abandoned-request",
        Severity::Warning,
        &[
            "came 8 times",
            "every 21 min",
            "3 requests are missing in between",
            "on the server's own host",
        ],
        &["idle timeout", "OnDemand", "ignore it in the logger"],
    );
    let periodic_requests = story.reading.hosts().periodic_requests();
    let [beat] = &periodic_requests[..] else {
        panic!("one period: {periodic_requests:?}")
    };
    let minutes = beat.period.measured.median.as_secs_f64() / 60.0;
    assert!((20.8..21.2).contains(&minutes), "{beat:?}");
    assert_eq!(
        (beat.requests, beat.period.missed, beat.abandoned),
        (8, 3, 8),
        "{beat:?}"
    );
    // The error itself belongs to another request, which uses no socket.
    let page = report::explanation(&knowledge::explain("The error code is 0x80070032"), false)
        .expect("it is known");
    let page = page.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in [
        "crosses no socket",
        "a capture holds nothing of it",
        "periodic-abandoned-request",
    ] {
        assert!(page.contains(part), "{part:?} is not in {page}");
    }
}

/// Case 12: 15 000 calls, each on a port of its own; the responses contain `Connection: close` twice, and the client
/// closes first.
#[test]
fn case_12_ports_that_a_client_spends_on_calls_of_their_own() {
    let captured = Story::captured("streamed-transfers.pcap.gz");
    let row = captured.sockets();
    assert_eq!(
        (
            row.connections,
            row.time_wait_peak,
            row.ports_low,
            row.ports_high
        ),
        (60, 60, 49_160, 49_219)
    );
    captured.says(
        "duplicate-connection-close",
        Severity::Note,
        &["twice, on 2 lines", "The client holds the TIME-WAIT"],
        &["remove"],
    );
    captured.says(
        "keep-alive-refused",
        Severity::Warning,
        &["On 60 connections", "One connection could have carried"],
        &["keep-alive"],
    );
    let drawn = format!(
        "client :49152 [times=15000 every=3ms ttl=128] server\n\
         0.000 SYN -->\n<-- SYN\nPOST /Service.svc \"x\" [keep-alive {DOTNET}] -->\n\
         <-- 200 \"done\" [connection=close connection=close server=Microsoft-IIS/6.0]\nFIN -->\n<-- FIN\nACK -->"
    );
    let story = Story::drawn(&drawn);
    let row = story.sockets();
    assert_eq!(row.connections, 15_000);
    assert_eq!(
        (row.time_wait_peak, row.time_wait_now, row.used_peak),
        (15_000, 15_000, 15_000)
    );
    assert_eq!(
        (row.ports_low, row.ports_high),
        (49_152, 64_151),
        "counted upwards"
    );
    assert_eq!(
        (row.range, row.basis),
        ((49_152, 65_535), RangeBasis::Default)
    );
    assert_eq!(row.range_size(), 16_384);
    assert!((91.5..91.6).contains(&row.used_peak_percent()), "{row:?}");
    assert!(
        (333.0..334.0).contains(&row.rate.expect("a rate")),
        "{row:?}"
    );
    // 1 384 ports are left, at 333 per second.
    let left = row
        .runs_out_at
        .expect("it runs out")
        .since(row.peak_at.expect("a peak"))
        .as_secs_f64();
    assert!((4.0..4.3).contains(&left), "{left}");
    let connections = &story.reading.snapshot.summaries;
    assert!(
        connections
            .iter()
            .all(|it| it.by == By::Client && it.client_time_wait.is_some())
    );
    // One chain of findings, cause first.
    let chain = [
        "duplicate-connection-close",
        "keep-alive-refused",
        "time-wait-on-client",
        "ephemeral-port-pressure",
    ];
    for pair in chain.windows(2) {
        let (cause, effect) = (story.finding(pair[0]), story.finding(pair[1]));
        assert_eq!(effect.caused_by, Some(cause.id), "{pair:?}");
    }
    story.says(
        "duplicate-connection-close",
        Severity::Note,
        &["twice"],
        &["both places"],
    );
    story.says(
        "ephemeral-port-pressure",
        Severity::Error,
        &[
            "15,000 ports open or in TIME-WAIT",
            "16,384 ports (49152-65535",
            "15,000 of them in TIME-WAIT",
            "client closed 15,000 of 15,000 connections first",
            "on 15,000 the server sent `Connection: close`",
        ],
        &["keep-alive", "widen the range", "TcpTimedWaitDelay"],
    );
    let page = report::explanation(&knowledge::explain("10048"), false).expect("it is known");
    assert!(page.contains("ephemeral-ports-exhausted"), "{page}");
}
