//! Default timers, and which of them a measured time may come from.
//!
//! `timers.tsv` has one row per default; several products share a value, so a time has candidates, never a culprit.

use std::sync::LazyLock;

use super::table;

/// What goes on while a timer runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TimerPhase {
    /// Connecting.
    Connect,
    /// A TLS handshake.
    Tls,
    /// The request is awaited or still incomplete.
    Request,
    /// The response is awaited.
    Wait,
    /// The response is being sent.
    Response,
    /// Nothing: every exchange is complete.
    Idle,
    /// A side has closed and waits for the other: lingering, CLOSE-WAIT.
    Between,
    /// Until the first TCP keep-alive probe.
    KeepAlive,
    /// From probe to probe.
    Probe,
    /// Retransmission without an answer.
    Retransmit,
    /// TIME-WAIT.
    TimeWait,
    /// FIN-WAIT-2 of a socket that no process holds.
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
    /// Whose.
    pub product: &'static str,
    /// What sets it.
    pub setting: &'static str,
    /// How long.
    pub seconds: f64,
    /// Meanwhile.
    pub running: TimerPhase,
    /// `client`, `server`, `proxy`, `network` or `system`.
    pub role: &'static str,
    /// `source-code`, `documented`, `seen-in-thread` or `presumed`.
    pub basis: &'static str,
    /// Where this is from.
    pub source: &'static str,
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

/// A timer fires this much off at least: scheduling and the way of the packet.
const SLACK_SECONDS: f64 = 0.05;
/// And this share of a long one.
const SLACK_SHARE: f64 = 0.01;
/// Node's timers run in a list that is looked through once a second: its idle close comes up to this much late.
const NODE_LATE_SECONDS: f64 = 1.0;

/// The timers that a measured time may come from, the nearest first.
#[must_use]
pub fn timer_candidates(seconds: f64, running: TimerPhase) -> Vec<&'static Timer> {
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
    let late = if timer.product.starts_with("Node.js") {
        NODE_LATE_SECONDS
    } else {
        0.0
    };
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
    fn the_nearest_comes_first() {
        let found = timer_candidates(127.3, TimerPhase::Connect);
        assert_eq!(found[0].product, "Linux before 6.5");
    }
}
