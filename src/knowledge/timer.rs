//! Default timers, and which of them can explain a measured time.
//!
//! `timers.tsv` has one row per default. Several products share a value, so a time has candidates, never a proven
//! cause.

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
    /// `client`, `server`, `proxy`, `network` or `system`.
    pub role: &'static str,
    /// `source-code`, `documented`, `seen-in-thread` or `presumed`.
    pub basis: &'static str,
    /// The source of this row.
    pub source: &'static str,
}

impl Timer {
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
    /// The same of one product, by its title; `None` if it has another default.
    #[must_use]
    pub(crate) fn of(&self, title: &str) -> Option<Self> {
        let own = self.products.iter().copied().filter(|(product, _)| {
            let rest = product.strip_prefix(title);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', ',']))
        });
        let products: Vec<_> = own.collect();
        let seconds = self.seconds;
        (!products.is_empty()).then_some(Self { seconds, products })
    }

    /// Whether so many programs close after a time so short that it says nothing of any of them.
    #[must_use]
    pub(crate) fn is_a_hint(&self) -> bool {
        self.seconds >= LEAST_HINT_SECONDS
    }
}

impl fmt::Display for DefaultTime {
    /// ``gunicorn `timeout` and Jetty `idleTimeout` ``; of very many products only the names.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (named, more) = match self.products.len() {
            0..=MOST_NAMED => (&self.products[..], 0),
            all => (&self.products[..MOST_NAMED - 1], all - (MOST_NAMED - 1)),
        };
        for (nth, (product, setting)) in named.iter().enumerate() {
            match (nth, nth + 1 == named.len() && more == 0) {
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
        match more {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

/// Products named one by one.
const MOST_NAMED: usize = 5;
/// Products whose settings are named as well.
const MOST_WITH_SETTINGS: usize = 2;

/// A time shorter than this is compared with the default of a known product only.
const LEAST_HINT_SECONDS: f64 = 4.0;
/// Shorter pauses have too many causes to be compared with a timer.
const LEAST_SECONDS: f64 = 2.0;

/// The default that a measured time is nearest to, of those that close from this side, with all products that share it.
#[must_use]
pub(crate) fn default_time(
    time: Duration,
    running: TimerPhase,
    side: LogSide,
) -> Option<DefaultTime> {
    let mut candidates = timer_candidates(time.as_secs_f64(), running);
    // One close alone must not be early: a timer fires late. (Of many closes the median may be.)
    candidates.retain(|timer| {
        timer.closes_from(side)
            && timer.seconds >= LEAST_SECONDS
            && time.as_secs_f64() + SLACK_SECONDS >= timer.seconds
    });
    let seconds = candidates.first()?.seconds;
    let same = candidates.iter().filter(|it| it.seconds == seconds);
    let mut products: Vec<_> = same.map(|it| (it.product, it.setting)).collect();
    products.sort_unstable();
    products.dedup_by_key(|it| it.0);
    Some(DefaultTime { seconds, products })
}

/// The idle limit of networks that is next below this time: what had forgotten a connection by then, at the latest.
#[must_use]
pub(crate) fn network_limit(idle: Duration) -> Option<DefaultTime> {
    let within = |timer: &&Timer| {
        timer.running == TimerPhase::Idle
            && timer.role == "network"
            && timer.seconds <= idle.as_secs_f64() + SLACK_SECONDS
    };
    let longest = TIMERS.iter().filter(within).map(|it| it.seconds);
    let seconds = longest.max_by(f64::total_cmp)?;
    let same = TIMERS
        .iter()
        .filter(|it| within(it) && it.seconds == seconds);
    let mut products: Vec<_> = same.map(|it| (it.product, it.setting)).collect();
    products.sort_unstable();
    products.dedup_by_key(|it| it.0);
    Some(DefaultTime { seconds, products })
}

/// All timers.
pub static TIMERS: LazyLock<Vec<Timer>> = LazyLock::new(|| {
    table::rows(include_str!("timers.tsv"))
        .filter_map(|[seconds, phase, role, product, setting, basis, source]| {
            Some(Timer {
                product,
                setting,
                seconds: seconds.parse().ok()?,
                running: TimerPhase::named(phase)?,
                role,
                basis,
                source,
            })
        })
        .collect()
});

/// Least deviation of a timer in seconds: scheduling, and the packet's way to the capture point.
const SLACK_SECONDS: f64 = 0.05;
/// Deviation of a long timer, as a share of it.
const SLACK_SHARE: f64 = 0.01;
/// Products that check their timers once in a while, and how much later than its time one may fire: Node.js once a second,
/// gunicorn's arbiter once a second with a process in between.
const LATE_SECONDS: [(&str, &[TimerPhase], f64); 2] = [
    ("Node.js", &[TimerPhase::Idle, TimerPhase::Request], 1.0),
    ("gunicorn", &[TimerPhase::Wait], 1.2),
];

/// The timers that can explain a measured time, nearest first.
#[must_use]
pub(crate) fn timer_candidates(seconds: f64, running: TimerPhase) -> Vec<&'static Timer> {
    let mut found: Vec<_> = TIMERS
        .iter()
        .filter(|timer| timer.running == running && fires_at(timer, seconds))
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
    let late = LATE_SECONDS
        .iter()
        .find(|(product, phases, _)| {
            timer.product.starts_with(product) && phases.contains(&timer.running)
        })
        .map_or(0.0, |(.., late)| *late);
    seconds >= timer.seconds - slack && seconds <= timer.seconds + slack + late
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_well_formed() {
        table::well_formed::<7>(include_str!("timers.tsv"));
        assert_eq!(TIMERS.len(), include_str!("timers.tsv").lines().count() - 1);
        for timer in TIMERS.iter() {
            assert!(timer.seconds > 0.0 && !timer.source.is_empty(), "{timer:?}");
        }
    }

    #[track_caller]
    fn names(seconds: f64, running: TimerPhase, product: &str, expected: bool) {
        let found = timer_candidates(seconds, running);
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
        assert!(timer_candidates(f64::NAN, TimerPhase::Idle).is_empty());
        assert!(timer_candidates(-1.0, TimerPhase::Idle).is_empty());
    }

    #[test]
    fn all_that_share_a_default_are_named() {
        let told = |seconds: f64, running, side| {
            let time = Duration::from_secs_f64(seconds);
            default_time(time, running, side).map(|it| it.to_string())
        };
        let known = default_time(Duration::from_secs(65), TimerPhase::Idle, LogSide::Server)
            .expect("two products");
        assert_eq!(
            known.of("Puma").map(|it| it.to_string()).as_deref(),
            Some("Puma `persistent_timeout`")
        );
        assert_eq!(known.of("gunicorn"), None);
        assert_eq!(
            told(65.02, TimerPhase::Idle, LogSide::Server).as_deref(),
            Some("Node.js http server (newer) `keepAliveTimeout` and Puma `persistent_timeout`")
        );
        assert_eq!(
            told(90.0, TimerPhase::Idle, LogSide::Client).as_deref(),
            Some("Go http.Transport `IdleConnTimeout` and reqwest, hyper-util `pool_idle_timeout`")
        );
        assert_eq!(told(90.0, TimerPhase::Idle, LogSide::Server), None);
        assert_eq!(told(14.9, TimerPhase::Idle, LogSide::Client), None);
        assert_eq!(told(1.0, TimerPhase::Idle, LogSide::Server), None);
        assert_eq!(told(17.0, TimerPhase::Wait, LogSide::Server), None);
    }

    #[test]
    fn a_network_forgets_after_its_limit() {
        let limit = |seconds| network_limit(Duration::from_secs(seconds)).map(|it| it.seconds);
        assert_eq!(limit(412), Some(350.0));
        assert_eq!(limit(908), Some(900.0));
        assert_eq!(limit(350), Some(350.0));
        assert_eq!(limit(100), None);
    }

    #[test]
    fn the_nearest_comes_first() {
        let found = timer_candidates(127.3, TimerPhase::Connect);
        assert_eq!(found[0].product, "Linux before 6.5");
    }
}
