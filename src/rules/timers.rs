//! Well-known time limits: what a measured time is held against. A match is a hint, never a proof.

use std::time::Duration;

/// How long idle connections are kept, and by whom.
const IDLE: &[(u64, &str)] = &[
    (2, "gunicorn's keep-alive"),
    (5, "Node.js, Apache httpd, uvicorn"),
    (15, "aiohttp's client pool"),
    (20, "Tomcat as shipped"),
    (30, "Jetty"),
    (60, "AWS ALB, nginx's upstream pool, Squid's server side"),
    (65, "Puma"),
    (75, "nginx, aiohttp's server"),
    (90, "the pools of reqwest and Go"),
    (120, "IIS, Squid's client side"),
    (130, "Kestrel"),
    (180, "Traefik"),
    (240, "Azure's load balancer"),
    (300, "OkHttp's pool, Caddy"),
    (350, "AWS NLB and NAT gateway"),
    (600, "Google's load balancer"),
];

/// How long an answer is waited for, and by whom.
const WAIT: &[(u64, &str)] = &[
    (10, "Prometheus' scrape timeout"),
    (
        30,
        "gunicorn's worker timeout, Google's backend timeout, Heroku's router",
    ),
    (60, "nginx's proxy_read_timeout, AWS ALB's idle timeout"),
    (90, "ASP.NET's execution timeout of old"),
    (100, "Cloudflare's proxy read timeout, .NET's HttpClient"),
    (110, "ASP.NET's execution timeout"),
    (120, "IIS' connection timeout"),
    (230, "Azure App Service's front end"),
    (240, "Azure's load balancer"),
    (350, "AWS NLB"),
];

/// Timers that are looked at once in a while fire late, never early.
const LATE: Duration = Duration::from_millis(1050);
const EARLY: Duration = Duration::from_millis(50);

/// Whose limit it is that an idle connection was closed after this time.
pub(super) fn idle(time: Duration) -> Option<(u64, &'static str)> {
    near(IDLE, time)
}

/// Whose limit it is that an answer was given up after this time, as a sentence.
pub(super) fn wait(time: Duration) -> Option<String> {
    near(WAIT, time).map(|(seconds, whose)| format!("{seconds} s is the default of {whose}."))
}

/// A round number of seconds is somebody's setting; timers fire a little late.
pub(super) fn is_round(time: Duration) -> Option<u64> {
    let seconds = (time + EARLY).as_secs();
    let off = (time + EARLY).subsec_millis();
    (seconds >= 2 && off <= 150).then_some(seconds)
}

/// The same for times of some tenths of a second, to within some milliseconds.
pub(super) fn is_round_in_short(time: Duration) -> Option<u128> {
    let millis = time.as_millis();
    ((100..2000).contains(&millis) && millis % 100 <= 5).then_some(millis - millis % 100)
}

/// Whether a timer of so many seconds would have fired after this time.
pub(super) fn fires(seconds: u64, time: Duration) -> bool {
    let limit = Duration::from_secs(seconds);
    time + EARLY >= limit && time <= limit + LATE.min(limit / 4)
}

fn near(table: &'static [(u64, &'static str)], time: Duration) -> Option<(u64, &'static str)> {
    table
        .iter()
        .find(|(seconds, _)| fires(*seconds, time))
        .copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_fire_late_but_not_early() {
        let idle = |millis| super::idle(Duration::from_millis(millis)).map(|(seconds, _)| seconds);
        assert_eq!(idle(5000), Some(5));
        assert_eq!(idle(6010), Some(5));
        assert_eq!(idle(4960), Some(5));
        assert_eq!(idle(4900), None);
        assert_eq!(idle(7000), None);
        assert_eq!(idle(75_002), Some(75));
    }

    #[test]
    fn round_numbers() {
        let round = |millis| is_round(Duration::from_millis(millis));
        assert_eq!(round(3001), Some(3));
        assert_eq!(round(2990), Some(3));
        assert_eq!(round(93_660), None);
        assert_eq!(round(2500), None);
        assert_eq!(round(20), None);
        assert_eq!(round(1020), None);
        let short = |millis| is_round_in_short(Duration::from_millis(millis));
        assert_eq!(short(401), Some(400));
        assert_eq!(short(1002), Some(1000));
        assert_eq!(short(1020), None);
        assert_eq!(short(50), None);
        assert_eq!(round(30_090), Some(30));
    }
}
