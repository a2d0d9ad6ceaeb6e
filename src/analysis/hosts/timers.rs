//! Timeouts as measured values: after how long idle connections are closed and waiting requests abandoned, by which
//! side, how often that was observed, how far the measurements spread, and which products have such a default.
//!
//! A timer is what many closes have in common. Closes after unrelated times give no timer. A single close gives none
//! either, even after a well-known time: the rules report that for the one connection.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use super::{Hosts, Measured};
use crate::analysis::connection::{By, ConnectionSummary, How, Phase, ResetKind, Who};
use crate::base::net::Endpoint;
use crate::knowledge::{self, TimerPhase, timer_candidates};

/// A timeout that was observed.
#[derive(Clone, Debug, PartialEq)]
pub struct ObservedTimer {
    /// Whose it is: the server's towards all its clients, or one client's towards this server.
    pub who: Who,
    /// The client, of a client's timeout.
    pub client: Option<IpAddr>,
    /// The server.
    pub server: Endpoint,
    /// What the timer measures: [`TimerPhase::Idle`] or [`TimerPhase::Wait`].
    pub running: TimerPhase,
    /// Its length, over the closes that have it in common.
    pub measured: Measured,
    /// All closes of that kind, outliers included.
    pub closes: usize,
    /// Products with a default of that length, the nearest first. Several share one length: these are candidates only.
    pub known: Vec<&'static knowledge::Timer>,
    /// The connections closed by it, by number.
    pub connections: Vec<u32>,
}

/// The fewest closes that show a timer: two waits may be equal by chance if the work takes that long.
const LEAST: [(TimerPhase, usize); 2] = [(TimerPhase::Idle, 2), (TimerPhase::Wait, 3)];
/// Percentage of the closes of that kind that must have the time in common.
const IN_COMMON: usize = 60;
/// How close to each other the times of one timer are, as a share.
const SHARE: f64 = 0.02;
/// The same for timers that are checked once a second (Node), or less often the longer they are.
const COARSE: f64 = 0.1;
/// The absolute tolerance for scheduling and transmission.
const FLOOR: Duration = Duration::from_millis(50);
/// Shorter pauses do not count as idle, and shorter waits not as a timeout.
const SHORTEST: Duration = Duration::from_millis(190);

impl Hosts<'_> {
    /// The observed timeouts, in order of servers; a server's own before those of its clients.
    #[must_use]
    pub fn timers(&self) -> Vec<ObservedTimer> {
        let mut kinds: BTreeMap<(Endpoint, u8, Option<IpAddr>, u8), Vec<&ConnectionSummary>> =
            BTreeMap::new();
        for summary in self.connections {
            let Some((who, running)) = kind(summary) else {
                continue;
            };
            let client = (who == Who::Client).then_some(summary.client.ip);
            let key = (
                summary.server,
                who as u8,
                client,
                u8::from(running == TimerPhase::Wait),
            );
            kinds.entry(key).or_default().push(summary);
        }
        let limits = kinds
            .into_iter()
            .filter_map(|((server, who, client, wait), closed)| {
                let who = Who::BOTH[usize::from(who != Who::Client as u8)];
                let running = if wait == 0 {
                    TimerPhase::Idle
                } else {
                    TimerPhase::Wait
                };
                limit(who, client, server, running, &closed)
            });
        let mut limits: Vec<ObservedTimer> = limits.collect();
        limits.sort_by_key(|it| (it.server, it.client));
        limits
    }
}

/// The side and timer that may have caused this close.
fn kind(summary: &ConnectionSummary) -> Option<(Who, TimerPhase)> {
    let own = matches!(summary.how, How::Fin | How::Reset(ResetKind::Abort));
    let who = match summary.by {
        By::Client => Who::Client,
        By::Server => Who::Server,
        _ => return None,
    };
    if !own || summary.missing {
        return None;
    }
    let running = match summary.phase {
        Phase::Between if summary.orderly && summary.exchanges > 0 => TimerPhase::Idle,
        Phase::Waiting if summary.status == 0 => TimerPhase::Wait,
        // Inside TLS that is not decrypted the turns show it.
        Phase::Opaque if summary.waited > 0 && summary.outcome.is_failed() => TimerPhase::Wait,
        _ => return None,
    };
    (time(summary, running) >= SHORTEST).then_some((who, running))
}

fn time(summary: &ConnectionSummary, running: TimerPhase) -> Duration {
    match running {
        TimerPhase::Idle => Duration::from_millis(summary.idle.into()),
        _ => Duration::from_micros(summary.waited.into()),
    }
}

fn limit(
    who: Who,
    client: Option<IpAddr>,
    server: Endpoint,
    running: TimerPhase,
    closed: &[&ConnectionSummary],
) -> Option<ObservedTimer> {
    let times = || {
        closed
            .iter()
            .map(|it| time(it, running))
            .collect::<Vec<_>>()
    };
    let least = LEAST.iter().find(|(kind, _)| *kind == running)?.1;
    let measured = [SHARE, COARSE].into_iter().find_map(|share| {
        let group = Measured::cluster(times(), share, FLOOR)?;
        (group.count >= least && group.count * 100 >= closed.len() * IN_COMMON).then_some(group)
    })?;
    let of = |it: &&&ConnectionSummary| {
        (measured.range.0..=measured.range.1).contains(&time(it, running))
    };
    let protocols = closed.first()?.carried();
    let mut known = timer_candidates(measured.median.as_secs_f64(), running, &protocols);
    known.retain(|timer| timer.closes_from(who.log_side()));
    Some(ObservedTimer {
        who,
        client,
        server,
        running,
        measured,
        closes: closed.len(),
        known,
        connections: closed.iter().filter(of).map(|it| it.id).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::ladder_check;

    fn limits(ladder: &str) -> Vec<ObservedTimer> {
        let proof = ladder_check::run(&ladder.parse().expect("a ladder"));
        let summaries: Vec<_> = proof
            .connections
            .iter()
            .map(ConnectionSummary::from)
            .collect();
        let end = summaries.iter().map(|it| it.last).max().unwrap_or_default();
        Hosts::new(&summaries, &[], end).timers()
    }

    /// One connection for each of these times in milliseconds, which replace `{}` in `lines`.
    fn each(times: &[u64], lines: &str) -> String {
        let one = |(port, time): (usize, &u64)| {
            let lines = lines.replace("{}", &time.to_string());
            format!(
                "client :{} server\n{}.0 SYN -->\n<-- SYN\nGET / -->\n{lines}\n",
                40_000 + port,
                port * 500
            )
        };
        times.iter().enumerate().map(one).collect()
    }

    const IDLE: &str = "<-- 200 \"x\"\nACK -->\n+{}ms <-- FIN\nFIN -->\n<-- ACK";
    const LEFT: &str = "<-- 200 \"x\"\nACK -->\n+{}ms FIN -->\n<-- FIN\nACK -->";
    const DIED: &str = "<-- ACK\n+{}ms <-- FIN\nFIN -->\n<-- ACK";
    const GAVE_UP: &str = "<-- ACK\n+{}ms FIN -->\n<-- ACK";

    #[test]
    fn limits_are_measured_and_matched() {
        for (lines, times, who, running, seconds, whose) in [
            (
                IDLE,
                [75_000, 75_030, 75_010, 31_000],
                Who::Server,
                TimerPhase::Idle,
                75,
                "nginx",
            ),
            (
                IDLE,
                [5010, 5950, 5400, 5700],
                Who::Server,
                TimerPhase::Idle,
                5,
                "Node.js",
            ),
            (
                LEFT,
                [90_000, 90_002, 90_001, 90_010],
                Who::Client,
                TimerPhase::Idle,
                90,
                "Go",
            ),
            (
                DIED,
                [110_000, 110_400, 110_200, 110_100],
                Who::Server,
                TimerPhase::Wait,
                110,
                "ASP.NET",
            ),
            (
                GAVE_UP,
                [100_000, 100_002, 100_001, 5_000],
                Who::Client,
                TimerPhase::Wait,
                100,
                ".NET",
            ),
        ] {
            let found = limits(&each(&times, lines));
            let [limit] = &found[..] else {
                panic!("one limit of {times:?}: {found:?}")
            };
            assert_eq!((limit.who, limit.running, limit.closes), (who, running, 4));
            assert_eq!(limit.measured.median.as_secs(), seconds, "{limit:?}");
            assert!(
                limit.known.iter().any(|it| it.product.starts_with(whose)),
                "{limit:?}"
            );
            assert_eq!(limit.connections.len(), limit.measured.count);
            assert_eq!(limit.client.is_some(), who == Who::Client);
        }
    }

    #[test]
    fn times_without_anything_in_common_are_no_timer() {
        for lines in [IDLE, LEFT, DIED, GAVE_UP] {
            assert!(limits(&each(&[3000, 7100, 12_000, 29_000, 41_000], lines)).is_empty());
            assert!(
                limits(&each(&[5000], lines)).is_empty(),
                "one is no pattern"
            );
            assert!(
                limits(&each(&[20, 20, 20, 20], lines)).is_empty(),
                "that is no idleness"
            );
        }
        assert!(
            limits(&each(&[4000, 4010], DIED)).is_empty(),
            "two answers that failed are no limit"
        );
    }

    #[test]
    fn an_announced_close_is_no_timer() {
        let announced = "+{}ms <-- 200 \"x\" [close]\n<-- FIN\nFIN -->\n<-- ACK";
        assert!(limits(&each(&[5000, 5000, 5000], announced)).is_empty());
    }
}
