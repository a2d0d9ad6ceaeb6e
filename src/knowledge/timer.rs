//! Default timers, and which of them can explain a measured time.
//!
//! `timers.tsv` has one row per default. Several products share a value, so a time has candidates, never a proven
//! cause. A row whose basis is `presumed` is a candidate of nothing: nobody has checked it.

use std::fmt;
use std::sync::LazyLock;
use std::time::Duration;

use super::table;
use super::wire_event::LogSide;

/// What the connection does while a timer runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TimerPhase {
    /// Connecting.
    Connect,
    /// A TLS handshake.
    Tls,
    /// The server waits for a request or for the rest of one.
    Request,
    /// The client waits for the response.
    Wait,
    /// The response is being sent.
    Response,
    /// Nothing is outstanding: every exchange is complete.
    Idle,
    /// The same, but the timer is looked at only when the connection is wanted again: no close comes at its time.
    Reuse,
    /// The connection exists, idle or not.
    Age,
    /// One side has closed and waits for the other: lingering, CLOSE-WAIT.
    Between,
    /// Until the first TCP keep-alive probe.
    KeepAlive,
    /// The interval between keep-alive probes.
    Probe,
    /// Retransmission without an answer.
    Retransmit,
    /// TIME-WAIT.
    TimeWait,
    /// FIN-WAIT-2 of a socket that no process holds any more.
    FinWait2,
}

impl TimerPhase {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "connect" => Self::Connect,
            "tls" => Self::Tls,
            "request" => Self::Request,
            "wait" => Self::Wait,
            "response" => Self::Response,
            "idle" => Self::Idle,
            "reuse" => Self::Reuse,
            "age" => Self::Age,
            "between" => Self::Between,
            "keepalive" => Self::KeepAlive,
            "probe" => Self::Probe,
            "retransmit" => Self::Retransmit,
            "time-wait" => Self::TimeWait,
            "fin-wait-2" => Self::FinWait2,
            _ => return None,
        })
    }
}

/// A default of a product.
#[derive(Debug, PartialEq)]
pub struct Timer {
    /// The product.
    pub product: &'static str,
    /// The name of the setting.
    pub setting: &'static str,
    /// The default, in seconds.
    pub seconds: f64,
    /// What the connection does while it runs.
    pub running: TimerPhase,
    /// The side of the connection whose timer it is, `client` or `server`; a proxy is either, and `proxy` is both of them.
    /// `network` and `system` are what carries the connection.
    pub role: &'static str,
    /// The application protocols of the connections that it closes, separated by spaces: `http`, `postgresql`, … or `any`.
    pub protocol: &'static str,
    /// `documented`, `source-code`, `measured` or `presumed`.
    pub basis: &'static str,
    /// The version that was checked.
    pub version: &'static str,
    /// The source of this row.
    pub source: &'static str,
}

impl Timer {
    /// Whether somebody has read it in the product's documentation or source, or measured it.
    #[must_use]
    pub(crate) fn is_checked(&self) -> bool {
        matches!(self.basis, "documented" | "source-code" | "measured")
    }

    /// Whether it may close a connection of one of these protocols.
    #[must_use]
    fn speaks(&self, protocols: &[&str]) -> bool {
        let mut own = self.protocol.split(' ');
        own.any(|it| it == "any" || protocols.contains(&it))
    }

    /// Whether this timer may be why a connection was closed from this side. What stands between closes towards either; the
    /// network forgets on a server's behalf.
    #[must_use]
    pub(crate) fn closes_from(&self, side: LogSide) -> bool {
        match side {
            LogSide::Client => matches!(self.role, "client" | "proxy"),
            LogSide::Server => matches!(self.role, "server" | "proxy" | "network"),
        }
    }
}

/// A length of time that is the default of some products.
#[derive(Clone, Debug, PartialEq)]
pub struct DefaultTime {
    /// How long, in seconds.
    pub seconds: f64,
    /// The products and what sets it there, by name, each product once.
    pub products: Vec<(&'static str, &'static str)>,
}

impl DefaultTime {
    /// Of timers of this length: those of a protocol before those of any.
    fn new<'a>(seconds: f64, timers: impl Iterator<Item = &'a Timer>) -> Self {
        let mut timers: Vec<_> = timers.collect();
        timers.sort_by_key(|it| (it.product, it.setting));
        timers.dedup_by_key(|it| it.product);
        timers.sort_by_key(|it| it.protocol == "any");
        let products = timers.iter().map(|it| (it.product, it.setting)).collect();
        Self { seconds, products }
    }

    /// Whether more products have it than are worth naming.
    #[must_use]
    pub(crate) fn is_common(&self) -> bool {
        self.products.len() > MOST_NAMED
    }

    /// Whether so many programs close after a time so short that it says nothing of any of them.
    #[must_use]
    pub(crate) fn is_a_hint(&self) -> bool {
        self.seconds >= LEAST_HINT_SECONDS
    }
}

impl fmt::Display for DefaultTime {
    /// ``gunicorn `timeout` and Jetty `idleTimeout` ``; of many products only names.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (named, others) = match self.is_common() {
            false => (&self.products[..], 0),
            true => (
                &self.products[..NAMED_OF_MANY],
                self.products.len() - NAMED_OF_MANY,
            ),
        };
        for (nth, (product, setting)) in named.iter().enumerate() {
            match (nth, nth + 1 == named.len() && others == 0) {
                (0, _) => {}
                (_, true) => f.write_str(" and ")?,
                (_, false) => f.write_str(", ")?,
            }
            f.write_str(product)?;
            match setting.contains(' ') {
                _ if self.products.len() > MOST_WITH_SETTINGS => {}
                true => write!(f, " {setting}")?,
                false => write!(f, " `{setting}`")?,
            }
        }
        match others {
            0 => Ok(()),
            others => write!(f, " and {others} others"),
        }
    }
}

/// Products that share a default and are all named.
const MOST_NAMED: usize = 4;
/// Products named of more than that.
const NAMED_OF_MANY: usize = 3;
/// Products whose settings are named as well.
const MOST_WITH_SETTINGS: usize = 2;

/// A time shorter than this is compared with the default of a known product only.
const LEAST_HINT_SECONDS: f64 = 4.0;
/// Shorter pauses have too many causes to be compared with a timer.
const LEAST_SECONDS: f64 = 2.0;

/// The default that a measured time is nearest to, of those that close a connection of one of these protocols from this
/// side, with all products that share it. If the product is known, its own defaults only.
#[must_use]
pub(crate) fn default_time(
    time: Duration,
    running: TimerPhase,
    side: LogSide,
    protocols: &[&str],
    product: Option<&str>,
) -> Option<DefaultTime> {
    if time.as_secs_f64() + SLACK_SECONDS < LEAST_SECONDS {
        return None;
    }
    let mut candidates = timer_candidates(time.as_secs_f64(), running, protocols);
    // One close alone must not be early: a timer fires late. (Of many closes the median may be.)
    candidates.retain(|timer| {
        timer.closes_from(side)
            && timer.seconds >= LEAST_SECONDS
            && time.as_secs_f64() + SLACK_SECONDS >= timer.seconds
            && product.is_none_or(|title| is_of(timer.product, title))
    });
    let seconds = candidates.first()?.seconds;
    let same = candidates.iter().filter(|it| it.seconds == seconds);
    Some(DefaultTime::new(seconds, same.copied()))
}

/// Whether a name of the table is this product's: `Squid (to servers)` is Squid's, `IIS, HTTP.sys` is of both.
fn is_of(product: &str, title: &str) -> bool {
    product.split(", ").any(|name| {
        let rest = name.strip_prefix(title);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
    })
}

/// The idle limit of networks that is next below this time: what had forgotten a connection by then, at the latest.
#[must_use]
pub(crate) fn network_limit(idle: Duration) -> Option<DefaultTime> {
    let within = |timer: &&Timer| {
        timer.is_checked()
            && timer.running == TimerPhase::Idle
            && timer.role == "network"
            && timer.seconds <= idle.as_secs_f64() + SLACK_SECONDS
    };
    let longest = TIMERS.iter().filter(within).map(|it| it.seconds);
    let seconds = longest.max_by(f64::total_cmp)?;
    let same = TIMERS
        .iter()
        .filter(|it| within(it) && it.seconds == seconds);
    Some(DefaultTime::new(seconds, same))
}

/// All timers.
pub static TIMERS: LazyLock<Vec<Timer>> = LazyLock::new(|| {
    table::rows(include_str!("timers.tsv"))
        .filter_map(
            |[
                seconds,
                phase,
                role,
                protocol,
                product,
                setting,
                basis,
                version,
                source,
            ]| {
                Some(Timer {
                    product,
                    setting,
                    seconds: seconds.parse().ok()?,
                    running: TimerPhase::named(phase)?,
                    role,
                    protocol,
                    basis,
                    version,
                    source,
                })
            },
        )
        .collect()
});

/// Least deviation of a timer in seconds: scheduling, and the packet's way to the capture point.
const SLACK_SECONDS: f64 = 0.05;
/// Deviation of a long timer, as a share of it.
const SLACK_SHARE: f64 = 0.01;
/// Products that check their timers once in a while, and how much later than its time one may fire: Node.js adds up to a
/// second to a pause and looks at requests every half minute, gunicorn's arbiter looks once a second with a process in
/// between.
const LATE_SECONDS: [(&str, &[TimerPhase], f64); 3] = [
    ("Node.js", &[TimerPhase::Idle], 1.0),
    ("Node.js", &[TimerPhase::Request], 30.0),
    ("gunicorn", &[TimerPhase::Wait], 1.2),
];

/// The checked timers that can explain a measured time on a connection of one of these protocols, nearest first.
#[must_use]
pub(crate) fn timer_candidates(
    seconds: f64,
    running: TimerPhase,
    protocols: &[&str],
) -> Vec<&'static Timer> {
    let mut found: Vec<_> = TIMERS
        .iter()
        .filter(|timer| timer.running == running && fires_at(timer, seconds))
        .filter(|timer| timer.is_checked() && timer.speaks(protocols))
        .collect();
    found.sort_by(|a, b| {
        let off = |timer: &Timer| (timer.seconds - seconds).abs();
        off(a)
            .total_cmp(&off(b))
            .then_with(|| a.product.cmp(b.product))
    });
    found
}

fn fires_at(timer: &Timer, seconds: f64) -> bool {
    let slack = SLACK_SECONDS.max(timer.seconds * SLACK_SHARE);
    if seconds < timer.seconds - slack {
        return false;
    }
    let late = LATE_SECONDS
        .iter()
        .find(|(product, phases, _)| {
            timer.product.starts_with(product) && phases.contains(&timer.running)
        })
        .map_or(0.0, |(.., late)| *late);
    seconds <= timer.seconds + slack + late
}

#[cfg(test)]
mod tests {
    use super::super::service::is_service;
    use super::*;

    #[test]
    fn the_table_is_well_formed() {
        table::well_formed::<9>(include_str!("timers.tsv"));
        assert_eq!(TIMERS.len(), include_str!("timers.tsv").lines().count() - 1);
        for timer in TIMERS.iter() {
            assert!(timer.seconds > 0.0 && !timer.source.is_empty(), "{timer:?}");
            assert!(
                timer.is_checked() || timer.basis == "presumed",
                "{timer:?}: no such basis"
            );
            // What was checked was some version; what was not has none.
            assert_eq!(timer.is_checked(), !timer.version.is_empty(), "{timer:?}");
            let roles = ["client", "server", "proxy", "network", "system"];
            assert!(roles.contains(&timer.role), "{timer:?}: no such role");
            for protocol in timer.protocol.split(' ') {
                let known =
                    ["any", "http", "websocket", "tls"].contains(&protocol) || is_service(protocol);
                assert!(known, "{timer:?}: no such protocol");
            }
        }
    }

    #[test]
    fn nothing_presumed_is_told() {
        let presumed: Vec<_> = TIMERS.iter().filter(|it| !it.is_checked()).collect();
        assert!(!presumed.is_empty());
        for timer in presumed {
            let time = Duration::from_secs_f64(timer.seconds + 0.01);
            let protocols: Vec<_> = timer.protocol.split(' ').collect();
            for side in [LogSide::Client, LogSide::Server] {
                let told = default_time(time, timer.running, side, &protocols, None);
                let named = told.map_or_else(Vec::new, |it| it.products);
                let own = (timer.product, timer.setting);
                // Another row of the same product may be checked.
                let checked = TIMERS.iter().any(|it| {
                    it.is_checked()
                        && (it.product, it.setting) == own
                        && it.running == timer.running
                });
                assert!(checked || !named.contains(&own), "{timer:?}: {named:?}");
            }
            let limit = network_limit(time).map_or_else(Vec::new, |it| it.products);
            assert!(
                !limit.contains(&(timer.product, timer.setting)),
                "{timer:?}"
            );
        }
    }

    const HTTP: &[&str] = &["http"];

    #[track_caller]
    fn names(seconds: f64, running: TimerPhase, product: &str, expected: bool) {
        let found = timer_candidates(seconds, running, HTTP);
        assert_eq!(
            found.iter().any(|timer| timer.product.starts_with(product)),
            expected,
            "{seconds} {product}: {found:?}"
        );
    }

    #[test]
    fn a_time_names_its_candidates() {
        names(5.01, TimerPhase::Idle, "Node.js", true);
        names(5.97, TimerPhase::Idle, "Node.js", true);
        names(6.2, TimerPhase::Idle, "Node.js", false);
        names(5.97, TimerPhase::Idle, "Apache", false);
        names(4.97, TimerPhase::Idle, "Apache", true);
        names(4.9, TimerPhase::Idle, "Apache", false);
        names(75.6, TimerPhase::Idle, "nginx", true);
        names(60.0, TimerPhase::Wait, "AWS ALB", true);
        names(60.0, TimerPhase::Wait, "Linux", false);
        names(349.0, TimerPhase::Idle, "AWS NLB", true);
        names(30.02, TimerPhase::Wait, "gunicorn", true);
        names(73.6, TimerPhase::Request, "Node.js", true);
        // No close comes when these times have passed.
        names(118.0, TimerPhase::Idle, "curl", false);
        names(3600.0, TimerPhase::Idle, "nginx", false);
        assert!(timer_candidates(f64::NAN, TimerPhase::Idle, HTTP).is_empty());
        assert!(timer_candidates(-1.0, TimerPhase::Idle, HTTP).is_empty());
    }

    fn told(
        seconds: f64,
        running: TimerPhase,
        side: LogSide,
        protocols: &[&str],
    ) -> Option<String> {
        let time = Duration::from_secs_f64(seconds);
        default_time(time, running, side, protocols, None).map(|it| it.to_string())
    }

    #[test]
    fn all_that_share_a_default_are_named() {
        let http = |seconds, running, side| told(seconds, running, side, HTTP);
        let (idle, wait) = (TimerPhase::Idle, TimerPhase::Wait);
        assert_eq!(
            http(65.02, idle, LogSide::Server).as_deref(),
            Some("Node.js http server (newer) `keepAliveTimeout` and Puma `persistent_timeout`")
        );
        assert_eq!(
            http(90.0, idle, LogSide::Client).as_deref(),
            Some("Go net/http, Rust reqwest, hyper-util and Traefik (to its servers)")
        );
        assert_eq!(http(90.0, idle, LogSide::Server), None);
        assert_eq!(http(14.9, idle, LogSide::Client), None);
        assert_eq!(http(1.0, idle, LogSide::Server), None);
        assert_eq!(http(17.0, wait, LogSide::Server), None);
        assert_eq!(
            http(60.0, wait, LogSide::Server).as_deref(),
            Some("AWS ALB, Apache httpd, Varnish and nginx")
        );
        // Of more than four, three.
        let many = http(60.0, wait, LogSide::Client).expect("many");
        assert!(many.contains(" others"), "{many}");
        assert_eq!(many.matches(", ").count(), 2, "{many}");
    }

    #[test]
    fn a_known_product_is_asked_for_its_own_default() {
        let of = |seconds: u64, product| {
            let time = Duration::from_secs(seconds);
            let found = default_time(time, TimerPhase::Idle, LogSide::Server, HTTP, Some(product));
            found.map(|it| it.to_string())
        };
        assert_eq!(of(65, "Puma").as_deref(), Some("Puma `persistent_timeout`"));
        assert_eq!(of(65, "gunicorn"), None);
        assert_eq!(
            of(75, "nginx").as_deref(),
            Some("nginx `keepalive_timeout`")
        );
        assert_eq!(
            of(120, "HTTP.sys").as_deref(),
            Some("IIS, HTTP.sys `connectionTimeout`")
        );
        assert_eq!(
            of(120, "Squid").as_deref(),
            Some("Squid `client_idle_pconn_timeout`")
        );
    }

    #[test]
    fn what_cannot_be_this_side_is_not_named() {
        let idle = |seconds, side| told(seconds, TimerPhase::Idle, side, HTTP);
        let holds =
            |told: Option<String>, product: &str| told.is_some_and(|it| it.contains(product));
        // A browser's and a pool's are clients'; a proxy has one for its clients and one for its servers.
        assert!(holds(idle(115.0, LogSide::Client), "Firefox"));
        assert_eq!(idle(115.0, LogSide::Server), None);
        assert!(holds(idle(610.0, LogSide::Server), "Google Cloud"));
        assert_eq!(idle(610.0, LogSide::Client), None);
        assert!(holds(idle(75.0, LogSide::Server), "nginx"));
        assert_eq!(idle(75.0, LogSide::Client), None);
        assert!(!holds(idle(60.0, LogSide::Server), "to its upstreams"));
    }

    #[test]
    fn what_does_not_speak_the_protocol_is_not_named() {
        let idle =
            |seconds, side, protocols: &[&str]| told(seconds, TimerPhase::Idle, side, protocols);
        let server = |seconds, protocols: &[&str]| idle(seconds, LogSide::Server, protocols);
        assert_eq!(server(75.0, &["postgresql"]), None);
        assert_eq!(server(75.0, &[]), None);
        assert_eq!(
            server(28_800.0, &["mysql"]).as_deref(),
            Some("MySQL, MariaDB `wait_timeout`")
        );
        assert_eq!(server(28_800.0, HTTP), None);
        let pool = idle(600.0, LogSide::Client, &["postgresql"]).expect("pools");
        assert!(
            pool.contains("HikariCP") && pool.contains("PgBouncer"),
            "{pool}"
        );
        assert!(!pool.contains("Google"), "{pool}");
        let broker = server(600.0, &["kafka"]).expect("a broker");
        assert!(broker.contains("Kafka broker"), "{broker}");
        // What does not look at the protocol may cut any.
        let cut = server(350.0, &[]).expect("networks");
        assert!(cut.contains("AWS NLB"), "{cut}");
    }

    #[test]
    fn a_network_forgets_after_its_limit() {
        let limit = |seconds| network_limit(Duration::from_secs(seconds)).map(|it| it.seconds);
        assert_eq!(limit(412), Some(350.0));
        assert_eq!(limit(908), Some(900.0));
        assert_eq!(limit(350), Some(350.0));
        assert_eq!(limit(3700), Some(1800.0));
        assert_eq!(limit(100), None);
    }

    #[test]
    fn the_nearest_comes_first() {
        let found = timer_candidates(127.3, TimerPhase::Connect, &[]);
        assert_eq!(found[0].product, "Linux before 6.5");
    }
}
