//! A client never has more than a fixed number of connections, and requests wait for one of them.

use std::time::Duration;

use crate::analysis::connection::{By, ConnectionSummary, Phase};
use crate::analysis::hosts::{Concurrency, HostPair, Hosts};
use crate::base::certainty::Certainty;
use crate::knowledge::Counted;
use crate::protocol::http::Protocol;
use crate::rules::Severity;
use crate::rules::measured_time::default_count;
use crate::rules::rule::{Check, Diagnosis, HostDiagnosis, rule};
use crate::rules::statement::{Statement, Value, sentence};
use crate::rules::wording::shows;

rule! {
    /// # What happened
    ///
    /// The client never had more than a certain number of connections open to the server. All of them were busy, and each
    /// next request began as soon as a response had ended: requests were waiting for a connection.
    ///
    /// # Why it matters
    ///
    /// Time in that queue counts against the request's timeout. The log says "The operation has timed-out" although the
    /// server responds to each request that it gets. Outside ASP.NET, .NET Framework allows two connections to a host.
    /// Browsers allow six, and pools what they were given.
    ///
    /// A pool of workers with a connection each looks the same and is fine, so this is only a possibility. Load generators do
    /// it on purpose; they are left out where they can be recognised.
    ///
    /// # Remedy
    ///
    /// - Compare the time that the program measures for a call with the server's response time here. Calls that take longer
    ///   have waited for a connection.
    /// - Raise the client's limit (.NET Framework `ServicePointManager.DefaultConnectionLimit`, `MaxConnectionsPerServer`,
    ///   the size of the pool).
    /// - Or make the slow calls fewer or shorter. Close each response, which frees its connection.
    ///
    /// # Tell it by
    ///
    /// The client never has more than a few connections to the server. Each next request starts when a response ends.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client :40000 [times=2 every=10ms] server
    ///  0.000  SYN                -->
    ///  0.001                     <--  SYN
    ///  0.002  GET /1             -->
    ///  0.402                     <--  200 "one"
    ///  0.403  GET /2             -->
    ///  0.803                     <--  200 "two"
    ///  0.804  GET /3             -->
    ///  1.204                     <--  200 "three"
    ///  1.205  GET /4             -->
    ///  1.605                     <--  200 "four"
    ///  1.645  ACK                -->
    /// ```
    ///
    /// # Not this
    ///
    /// One connection is one program that sends one request after the other:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.001                     <--  SYN
    ///  0.002  GET /1             -->
    ///  2.000                     <--  200 "one"
    ///  2.001  GET /2             -->
    ///  4.000                     <--  200 "two"
    ///  4.001  GET /3             -->
    ///  6.000                     <--  200 "three"
    ///  6.001  GET /4             -->
    ///  8.000                     <--  200 "four"
    ///  8.001  GET /5             -->
    /// 10.000                     <--  200 "five"
    /// ```
    ///
    /// Two connections that are busy only now and then:
    ///
    /// ```ladder
    ///         client :40000 [times=2 every=10ms] server
    ///  0.000  SYN                -->
    ///  0.001                     <--  SYN
    ///  0.002  GET /1             -->
    ///  2.000                     <--  200 "one"
    ///  4.001  GET /2             -->
    ///  6.000                     <--  200 "two"
    ///  8.001  GET /3             -->
    /// 10.000                     <--  200 "three"
    /// 12.001  GET /4             -->
    /// 14.000                     <--  200 "four"
    /// 16.001  GET /5             -->
    /// 18.000                     <--  200 "five"
    /// 20.001  GET /6             -->
    /// 22.000                     <--  200 "six"
    /// ```
    ///
    /// Responses so quick that nobody notices the wait:
    ///
    /// ```ladder
    ///         client :40000 [times=2 every=1ms] server
    ///  0.000  SYN                -->
    ///  0.001                     <--  SYN
    ///  0.002  GET /1             -->
    ///  0.402                     <--  200 "one"
    ///  0.403  GET /2             -->
    ///  0.408                     <--  200 "two"
    ///  0.409  GET /3             -->
    ///  0.414                     <--  200 "three"
    ///  0.415  GET /4             -->
    ///  0.420                     <--  200 "four"
    ///  0.421  GET /5             -->
    ///  0.426                     <--  200 "five"
    ///  0.427  ACK                -->
    /// ```
    ///
    /// A load generator:
    ///
    /// ```ladder
    ///         client :40000 [times=2 every=10ms] server
    ///  0.000  SYN                -->
    ///  0.001                     <--  SYN
    ///  0.002  GET / [user-agent=ApacheBench/2.3] -->
    ///  0.402                     <--  200 "one"
    ///  0.403  GET / [user-agent=ApacheBench/2.3] -->
    ///  0.802                     <--  200 "two"
    ///  0.803  GET / [user-agent=ApacheBench/2.3] -->
    ///  1.202                     <--  200 "three"
    ///  1.203  GET / [user-agent=ApacheBench/2.3] -->
    ///  1.602                     <--  200 "four"
    ///  1.642  ACK                -->
    /// ```
    ///
    /// # References
    ///
    /// RFC 9112 §9.4 (how many connections).
    pub(super) RULE: "connection-limit-queueing", Severity::Note,
    "all of a client's few connections are busy, and requests wait for one of them", Check::Hosts(check)
}

/// Mean number of requests per connection that shows a queue.
const DEEP: u32 = 4;
/// Share of requests that begin as soon as a response has ended.
const PROMPT: f64 = 0.8;
/// Share of the time in which the maximum number of connections is open.
const AT_LIMIT: f64 = 0.7;
/// More connections than this at once are not the effect of a forgotten limit.
const MOST: usize = 32;
/// Programs with a limit that they did not choose have no more connections (RFC 9112 §9.4: browsers).
const USUAL: usize = 6;
/// Seconds; over a shorter time there is no long wait.
const LONG_ENOUGH: f64 = 1.0;
/// Seconds from one request to the next on a connection, in the mean; less is no wait.
const SLOW: f64 = 0.1;
/// The same request so often on each connection is a load test.
const MONOTONOUS: u32 = 20;
/// A load generator stops on all its connections at once.
const AT_ONCE: Duration = Duration::from_millis(100);

fn check(hosts: &Hosts<'_>) -> Vec<HostDiagnosis> {
    hosts
        .busy(2)
        .filter_map(|host_pairs| queue(&host_pairs))
        .collect()
}

/// A queue of requests.
struct Queue {
    /// Connections at once.
    limit: usize,
    requests: u32,
    /// Requests that began as soon as a response had ended.
    prompt: u32,
    /// From the first connection to the last segment, in seconds.
    seconds: f64,
    /// Connections that the client closed while it waited for a response.
    gave_up: usize,
}

fn queue(host_pairs: &HostPair<'_>) -> Option<HostDiagnosis> {
    let used: Vec<&ConnectionSummary> = host_pairs
        .connections
        .iter()
        .copied()
        // HTTP/2 streams do not wait for each other.
        .filter(|it| it.exchanges > 0 && it.protocol != Protocol::Http2)
        .collect();
    let requests: u32 = used.iter().map(|it| it.exchanges).sum();
    let again = requests.checked_sub(u32::try_from(used.len()).ok()?)?;
    let prompt: u32 = used.iter().map(|it| u32::from(it.prompt)).sum();
    if requests < DEEP * 2 || again == 0 || f64::from(prompt) < PROMPT * f64::from(again) {
        return None;
    }
    let at_once = Concurrency::of(&used)?;
    let limit = at_once.most;
    let deep = requests as usize >= DEEP as usize * limit;
    let slow = at_once.seconds * limit as f64 >= SLOW * f64::from(requests);
    if !(2..=MOST).contains(&limit)
        || !deep
        || !slow
        || at_once.at_most < AT_LIMIT
        || at_once.seconds < LONG_ENOUGH
        || is_load_test(&used, limit, requests)
    {
        return None;
    }
    let queue = Queue {
        limit,
        requests,
        prompt,
        seconds: at_once.seconds,
        gave_up: used.iter().filter(|it| gave_up(it)).count(),
    };
    Some(HostDiagnosis::of(story(&used, &queue), &used))
}

fn gave_up(it: &ConnectionSummary) -> bool {
    it.by == By::Client && it.phase == Phase::Waiting
}

/// Whether the client keeps its connections busy on purpose.
fn is_load_test(used: &[&ConnectionSummary], limit: usize, requests: u32) -> bool {
    if used.iter().any(|it| it.by_load_generator()) {
        return true;
    }
    // Its time is over, and it leaves what is under way.
    let left: Vec<_> = used.iter().filter(|it| gave_up(it)).collect();
    let first = left.iter().map(|it| it.close.time).min();
    let last = left.iter().map(|it| it.close.time).max();
    let together = first
        .zip(last)
        .is_some_and(|(first, last)| last.since(first) <= AT_ONCE);
    let asked = used.first().map(|it| it.retried[0]).unwrap_or_default();
    let same = used.iter().all(|it| asked != 0 && it.retried == [asked; 2]);
    if left.len() >= limit && together && (same || limit > USUAL) {
        return true;
    }
    same && (limit > USUAL || requests as usize > MONOTONOUS as usize * limit)
}

fn story(used: &[&ConnectionSummary], queue: &Queue) -> Diagnosis {
    let mean = queue.seconds * queue.limit as f64 / f64::from(queue.requests.max(1));
    let waited = Duration::from_secs_f64((queue.seconds - mean).max(0.0));
    let behind = (queue.requests as usize).saturating_sub(queue.limit);
    let mut message = Statement::from(sentence!(
        "The client never had more than {} open to this server.",
        Value::count(queue.limit as u64, "connection", "connections")
    ))
    .and(sentence!(
        "{} of {} requests began within 10 ms of the response before.",
        queue.prompt,
        queue.requests
    ))
    .presuming("These requests had waited for a free connection.")
    .and(sentence!(
        "If all were due from the beginning, the queue was {} long. At {} for each, the last one waited {}.",
        Value::count(behind as u64, "request", "requests"),
        Duration::from_secs_f64(mean),
        waited
    ));
    if let Some(whose) = default_count(queue.limit as u64, Counted::Connections) {
        message.say(whose);
    }
    if queue.gave_up > 0 {
        message.say(sentence!(
            "The client closed {} while it waited for the response.",
            Value::count(queue.gave_up as u64, "connection", "connections")
        ));
    }
    message.mean("Workers with a connection each, which send one request after the other, look the same. The client's \
                  own timings would settle it.");
    Diagnosis {
        severity: match queue.gave_up {
            0 => Severity::Note,
            _ => Severity::Warning,
        },
        certainty: Certainty::Possible,
        summary: "Requests may have waited for a free connection".into(),
        message,
        evidence: used
            .iter()
            .take(queue.limit.min(4))
            .map(|it| shows(it.first, "first packet of one of the connections"))
            .collect(),
        remedies: RULE.remedies(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::ladder_check;

    /// `count` connections with four requests each, `wait` for each answer and `pause` before the next request.
    fn told(count: usize, path: &str, wait: &str, pause: &str, end: &str) -> Option<String> {
        let mut text =
            format!("client :40000 [times={count} every=1ms] server\nSYN -->\n<-- SYN\n");
        for nth in 1..=4 {
            let path = path.replace('N', &nth.to_string());
            text += &format!("+{pause} GET {path} -->\n+{wait} <-- 200 \"x\"\n");
        }
        ladder_check::told_by(&RULE, &format!("{text}{end}"))
    }

    #[test]
    fn a_queue_is_reported_with_its_length() {
        let two = told(2, "/N", "400ms", "1ms", "").expect("found");
        assert!(two.contains("6 of 8 requests"), "{two}");
        assert!(two.contains("the queue was 6 requests long"), "{two}");
        assert!(two.contains("more than 2 connections"), "{two}");
        assert!(
            told(2, "/", "400ms", "1ms", "").is_some(),
            "the same request"
        );
    }

    #[test]
    fn pauses_quick_answers_and_load_generators_are_no_queue() {
        for (count, path, wait, pause, end) in [
            (2, "/N", "400ms", "50ms", ""),
            (2, "/N", "20ms", "1ms", ""),
            (1, "/N", "400ms", "1ms", ""),
            // Twenty connections with the same request.
            (20, "/", "400ms", "1ms", ""),
            // All are left at once when the time is over.
            (2, "/", "400ms", "1ms", "GET / -->\n+100ms FIN -->"),
        ] {
            let found = told(count, path, wait, pause, end);
            assert_eq!(found, None, "{count} {path} {wait} {pause} {end}");
        }
    }
}
