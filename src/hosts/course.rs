//! How many sockets in TIME-WAIT one client held towards one server, over time.

use std::net::IpAddr;
use std::time::Duration;

use hashbrown::HashMap;

use crate::connection::Brief;
use crate::decode::Endpoint;
use crate::time::Timestamp;

/// Equal steps of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Steps {
    /// When the first one begins.
    pub first: Timestamp,
    /// How long each is.
    pub step: Duration,
    /// How many there are.
    pub count: usize,
}

impl Steps {
    /// The step that holds a moment; the first or last for what lies before or after all of them.
    fn of(&self, at: Timestamp) -> usize {
        let nth = at.since(self.first).as_nanos() / self.step.as_nanos().max(1);
        usize::try_from(nth).map_or(self.last(), |nth| nth.min(self.last()))
    }

    const fn last(&self) -> usize {
        self.count.saturating_sub(1)
    }
}

/// The most at any time of each step. A socket leaves TIME-WAIT after `time_wait`, or when its port is used again.
#[must_use]
pub fn time_waits(
    connections: &[Brief],
    client: IpAddr,
    server: Endpoint,
    time_wait: Duration,
    steps: &Steps,
) -> Vec<u64> {
    let mut waits: Vec<(Timestamp, Timestamp)> = Vec::new();
    let mut latest: HashMap<u16, usize, foldhash::fast::FixedState> = HashMap::default();
    for it in connections {
        if it.client.ip != client || it.server != server {
            continue;
        }
        if let Some(before) = latest.remove(&it.client.port) {
            waits[before].1 = waits[before].1.min(it.first.time);
        }
        if let Some(mark) = it.client_time_wait {
            latest.insert(it.client.port, waits.len());
            waits.push((mark.time, mark.time.after(time_wait)));
        }
    }
    let mut changes: Vec<(Timestamp, i8)> = Vec::with_capacity(waits.len() * 2);
    for (since, until) in waits.into_iter().filter(|(since, until)| since < until) {
        changes.push((since, 1));
        changes.push((until, -1));
    }
    // At one moment, ends come first.
    changes.sort_unstable();
    let mut course = vec![0u64; steps.count];
    let (mut now, mut reached) = (0u64, 0);
    for (at, change) in changes {
        let step = steps.of(at);
        if at > steps.first.after(steps.step * steps.count as u32) {
            break;
        }
        // What there is lasts through all steps up to this one.
        for passed in course.iter_mut().take(step + 1).skip(reached) {
            *passed = (*passed).max(now);
        }
        reached = step;
        now = if change > 0 {
            now + 1
        } else {
            now.saturating_sub(1)
        };
        if let Some(here) = course.get_mut(step) {
            *here = (*here).max(now);
        }
    }
    for passed in course.iter_mut().skip(reached) {
        *passed = (*passed).max(now);
    }
    course
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::sample;
    use crate::mark::{FrameNumber, Mark};

    fn at(seconds: u64) -> Timestamp {
        Timestamp::default().after(Duration::from_secs(seconds))
    }

    fn waiting(port: u16, begins: u64, ends: u64) -> Brief {
        let mark = |seconds| Mark {
            frame: FrameNumber(1),
            time: at(seconds),
        };
        let mut connection = sample::connection();
        connection.client.port = port;
        connection.first = mark(begins);
        connection.time_wait = [Some(mark(ends)), None];
        Brief::from(&connection)
    }

    #[track_caller]
    fn check(all: &[Brief], expected: &[u64]) {
        let steps = Steps {
            first: at(0),
            step: Duration::from_secs(1),
            count: 8,
        };
        let one = sample::connection();
        let time_wait = Duration::from_secs(3);
        let course = time_waits(all, one.client.ip, one.server, time_wait, &steps);
        assert_eq!(course, expected);
    }

    #[test]
    fn they_come_and_go() {
        check(&[], &[0; 8]);
        check(&[waiting(1, 0, 1)], &[0, 1, 1, 1, 1, 0, 0, 0]);
        check(
            &[waiting(1, 0, 1), waiting(2, 1, 2)],
            &[0, 1, 2, 2, 2, 1, 0, 0],
        );
    }

    #[test]
    fn a_port_that_is_used_again_leaves_and_enters_once_more() {
        check(
            &[waiting(1, 0, 1), waiting(1, 2, 6)],
            &[0, 1, 1, 0, 0, 0, 1, 1],
        );
    }

    #[test]
    fn what_lasts_beyond_the_end_is_there_at_the_end() {
        check(&[waiting(1, 6, 7)], &[0, 0, 0, 0, 0, 0, 0, 1]);
        check(&[waiting(1, 8, 30)], &[0; 8]);
    }
}
