//! A request that got no response was retried on another connection.

use std::collections::BTreeSet;
use std::time::Duration;

use hashbrown::HashMap;

use crate::analysis::connection::{ConnectionSummary, LostRequest};
use crate::analysis::hosts::{HostPair, Hosts, Legs};
use crate::base::certainty::Certainty;
use crate::rules::facts::RuleInput;
use crate::rules::rule::{Check, Diagnosis, HostDiagnosis, rule};
use crate::rules::statement::{Statement, Value, sentence};
use crate::rules::wording::shows;
use crate::rules::{Evidence, Severity};

rule! {
    /// # What happened
    ///
    /// A connection ended before a request had its response. Moments later the same client sent the same request first on another connection to the same server. Same means method, host, target and length of the body.
    ///
    /// # Why it matters
    ///
    /// For an idempotent request (GET, PUT, DELETE) this is right, and the reason why a user saw no error. A POST that the
    /// server had received in full may take effect twice: an order, a payment, a message. Many clients retry by themselves
    /// when a kept connection fails under them, and so do proxies in front of several servers.
    ///
    /// # Remedy
    ///
    /// - Fix the loss first: another finding says what ended the connection.
    /// - *If the request must not be repeated:* Let the client retry only idempotent requests by itself, or give each request a
    ///   key by which the server recognises a retry (`Idempotency-Key`).
    /// - *If the request must not be repeated:* At proxies, switch off retries of requests that are not idempotent (nginx `proxy_next_upstream` without
    ///   `non_idempotent`).
    ///
    /// # Example
    ///
    /// ```ladder
    /// client :40001 server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  POST /order "one"  -->
    ///  0.030                     <--  ACK
    ///  0.500                     <--  FIN
    ///  0.510  FIN                -->
    ///  0.520                     <--  ACK
    /// client :40002 server
    ///  0.600  SYN                -->
    ///  0.610                     <--  SYN
    ///  0.620  POST /order "one"  -->
    ///  0.700                     <--  200 "taken" [close]
    ///  0.701                     <--  FIN
    ///  0.710  FIN                -->
    ///  0.720                     <--  ACK
    ///  => findings closed-before-response request-retried
    /// ```
    ///
    /// # Not this
    ///
    /// Another request:
    ///
    /// ```ladder
    /// client :40001 server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  POST /order "one"  -->
    ///  0.500                     <--  FIN
    ///  0.510  FIN                -->
    ///  0.520                     <--  ACK
    /// client :40002 server
    ///  0.600  SYN                -->
    ///  0.610                     <--  SYN
    ///  0.620  POST /order "other" [close] -->
    ///  0.700                     <--  200 "taken" [close]
    /// ```
    ///
    /// The same request, after the first one got its response:
    ///
    /// ```ladder
    /// client :40001 server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /              -->
    ///  0.040                     <--  200 "one" [close] FIN
    ///  0.050  FIN                -->
    ///  0.060                     <--  ACK
    /// client :40002 server
    ///  0.600  SYN                -->
    ///  0.610                     <--  SYN
    ///  0.620  GET /              -->
    ///  0.700                     <--  200 "two" [close] FIN
    ///  0.710  FIN                -->
    ///  0.720                     <--  ACK
    /// ```
    ///
    /// Or long after, when somebody pressed the button again:
    ///
    /// ```ladder
    /// client :40001 server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /              -->
    ///  0.500                     <--  FIN
    ///  0.510  FIN                -->
    ///  0.520                     <--  ACK
    /// client :40002 server
    /// 60.600  SYN                -->
    /// 60.610                     <--  SYN
    /// 60.620  GET /              -->
    /// 60.700                     <--  200 "two" [close]
    /// ```
    ///
    /// # References
    ///
    /// RFC 9110 §9.2.2 (idempotent methods); RFC 9112 §9.3.1 (retrying requests).
    pub(in crate::rules) RULE: "request-retried", Severity::Warning,
    "a request that lost its response is retried on another connection", Check::All(check)
}

/// A program that retries a request automatically does so within this time.
const SOON: Duration = Duration::from_secs(5);
/// A client that retries by itself does so at once. What is sent later may be the program's next call.
const AT_ONCE: Duration = Duration::from_millis(500);
/// So many more connections with the same request than losses explain make it a routine.
const ROUTINE: usize = 1;

/// A connection that lost its last request, and the one that began with the same request.
type RetryPair<'a> = (&'a ConnectionSummary, &'a ConnectionSummary);

fn check(facts: &RuleInput<'_>, hosts: &Hosts<'_>) -> Vec<HostDiagnosis> {
    let mut found = Vec::new();
    for host_pairs in hosts.busy(2) {
        let pairs = retried(&host_pairs, facts.legs);
        for (lost, severity) in [
            (LostRequest::Had, Severity::Warning),
            (LostRequest::Harmless, Severity::Note),
        ] {
            let own: Vec<_> = pairs
                .iter()
                .copied()
                .filter(|(first, _)| first.lost == Some(lost))
                .collect();
            if let Some(found_here) = tell(&own, lost, severity) {
                found.push(found_here);
            }
        }
    }
    found
}

/// Whether a proxy made the two for different requests of its clients.
fn is_for_another(legs: &Legs, first: u32, second: u32) -> bool {
    let first = legs.before_all(first).last().map(|it| it.client);
    let second = legs.before_all(second).first().map(|it| it.client);
    first.zip(second).is_some_and(|(one, other)| one != other)
}

fn retried<'a>(host_pairs: &HostPair<'a>, legs: &Legs) -> Vec<RetryPair<'a>> {
    let all = &host_pairs.connections;
    if all.iter().all(|it| it.lost.is_none()) {
        return Vec::new();
    }
    let mut taken = BTreeSet::new();
    let mut pairs = Vec::new();
    // A request that is also sent where nothing was lost is sent over and over: whether one of them repeats another cannot
    // be told.
    let mut begun: HashMap<u32, usize, foldhash::fast::FixedState> = HashMap::default();
    let mut lost: HashMap<u32, usize, foldhash::fast::FixedState> = HashMap::default();
    for it in all {
        *begun.entry(it.retried[0]).or_default() += 1;
        if it.retried[1] != it.retried[0] {
            *begun.entry(it.retried[1]).or_default() += 1;
        }
        if it.lost.is_some() {
            *lost.entry(it.retried[1]).or_default() += 1;
        }
    }
    // By request: the connections that begin with it, in order, and how many of the first ones are taken.
    let mut same: HashMap<u32, (Vec<&ConnectionSummary>, usize), foldhash::fast::FixedState> =
        HashMap::default();
    for it in all.iter().copied().filter(|it| it.retried[0] != 0) {
        same.entry(it.retried[0]).or_default().0.push(it);
    }
    let count = |of: &HashMap<u32, usize, _>, asked: u32| of.get(&asked).copied().unwrap_or(0);
    let is_routine = |asked: u32| count(&begun, asked) > 2 * count(&lost, asked) + ROUTINE;
    for first in all.iter().copied().filter(|it| it.lost.is_some()) {
        let asked = first.retried[1];
        if is_routine(asked) {
            continue;
        }
        let Some((same, free)) = same.get_mut(&asked) else {
            continue;
        };
        while same.get(*free).is_some_and(|it| taken.contains(&it.id)) {
            *free += 1;
        }
        let from = same.partition_point(|it| it.first.time < first.close.time);
        let second = same[from.max(*free)..]
            .iter()
            .copied()
            .take_while(|it| it.first.time.since(first.close.time) < SOON)
            .find(|it| !taken.contains(&it.id) && it.id != first.id)
            .filter(|it| !is_for_another(legs, first.id, it.id));
        if let Some(second) = second {
            taken.insert(second.id);
            pairs.push((first, second));
        }
    }
    pairs
}

fn tell(pairs: &[RetryPair<'_>], lost: LostRequest, severity: Severity) -> Option<HostDiagnosis> {
    let (first, second) = *pairs.first()?;
    let mut connections: Vec<&ConnectionSummary> =
        pairs.iter().flat_map(|(a, b)| [*a, *b]).collect();
    connections.sort_by_key(|it| it.id);
    connections.dedup_by_key(|it| it.id);
    let what = match lost {
        LostRequest::Had => {
            "The server had received the whole first request, and the method is not idempotent: the request may have taken effect twice."
        }
        LostRequest::Harmless => {
            "That is safe: the method is idempotent, or the server had not received the whole request."
        }
    };
    let later = second.first.time.since(first.close.time);
    let mut message = Statement::from(match pairs.len() {
        1 => sentence!(
            "A request was lost when its connection ended. Another connection began with the same request {} later.",
            later
        ),
        more => sentence!(
            "{} were lost when their connections ended. Other connections began with the same requests, the first {} later.",
            Value::count(more as u64, "request", "requests"),
            later
        ),
    })
    .presuming("The client retried what was lost.")
    .means(what);
    // Where nothing was done twice, nobody needs to know.
    if matches!(lost, LostRequest::Had) {
        message.mean("That the bodies are the same is concluded from their lengths.");
    }
    let evidence: Vec<Evidence> = vec![
        shows(
            first.close,
            "close of the connection, no whole response to the request",
        ),
        shows(
            second.first,
            "new connection that begins with the same request",
        ),
    ];
    // A program's next call may be the same as the one that failed.
    let later = |(first, second): &RetryPair<'_>| second.first.time.since(first.close.time);
    let at_once = pairs.iter().any(|it| later(it) < AT_ONCE);
    let story = Diagnosis {
        severity: match at_once {
            true => severity,
            false => Severity::Note,
        },
        certainty: match at_once {
            true => Certainty::Likely,
            false => Certainty::Possible,
        },
        summary: "[Lost request was|# lost requests were] retried on another connection".into(),
        message,
        evidence,
        remedies: RULE.remedies(),
    };
    let times = pairs.len() as u64;
    Some(HostDiagnosis {
        times,
        ..HostDiagnosis::of(story, &connections)
    })
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::{Severity, ladder_check};

    fn severity(request: &str, seen: &str) -> Option<Severity> {
        let text = format!(
            "client :1 server\nSYN -->\n<-- SYN\n{request} -->\n{seen}\n<-- RST\n\
             client :2 server\n+9ms SYN -->\n<-- SYN\n{request} -->\n<-- 200"
        );
        ladder_check::found_by(&RULE, &text).map(|found| found.severity)
    }

    #[test]
    fn a_harmless_retry_is_a_note() {
        let connect = "CONNECT b:443";
        assert_eq!(severity(connect, "<-- ACK"), Some(Severity::Note));
        let grpc = "POST /Shop/Find \"x\" [user-agent=grpc-python/1.51.1]";
        assert_eq!(severity(grpc, "<-- ACK"), None);
    }

    #[test]
    fn a_request_that_comes_over_and_over_is_no_retry() {
        let one = |port: u16, end: &str| {
            format!("client :{port} server\nSYN -->\n<-- SYN\nPOST /a \"x\" -->\n{end}\n")
        };
        let (lost, fine) = (
            "<-- ACK\n+9ms <-- RST",
            "<-- 200 [close] FIN\nFIN -->\n<-- ACK",
        );
        let told = |ends: &[&str]| {
            let text: String = (1..).zip(ends).map(|(port, end)| one(port, end)).collect();
            ladder_check::found_by(&RULE, &text).is_some()
        };
        assert!(told(&[lost, fine]));
        assert!(!told(&[fine, fine, lost, fine, fine]));
    }

    #[test]
    fn others_in_between_hide_no_retry() {
        let one = |port: u16, path: &str, end: &str| {
            format!("client :{port} server\nSYN -->\n<-- SYN\nPOST {path} \"x\" -->\n{end}\n")
        };
        let fine = "<-- 200 [close] FIN\nFIN -->\n<-- ACK";
        let mut text = one(1, "/a", "<-- ACK\n+9ms <-- RST");
        (2..90).for_each(|port| text += &one(port, &format!("/{port}"), fine));
        text += &one(90, "/a", fine);
        assert!(ladder_check::found_by(&RULE, &text).is_some());
    }

    #[test]
    fn what_a_proxy_asks_for_two_clients_is_no_retry() {
        let asks = |host: u8| {
            format!(
                "client 10.0.0.{host}:40000 server 10.0.0.2:80\nSYN -->\n<-- SYN\nACK -->\nGET /p -->\n"
            )
        };
        let leg = |port: u16| {
            format!(
                "client 10.0.0.2:{port} server 10.0.0.3:8080\nSYN -->\n<-- SYN\nACK -->\nGET /p -->\n<-- ACK\n+20ms <-- RST\n"
            )
        };
        let told = |host: u8| {
            format!("client 10.0.0.{host}:40000 server 10.0.0.2:80\n<-- 502 \"x\"\nACK -->\n")
        };
        let one = |host: u8, port: u16| [asks(host), leg(port), told(host)].concat();
        let text = one(1, 50_000) + &one(9, 50_001);
        assert!(ladder_check::found_by(&RULE, &text).is_none());
    }

    #[test]
    fn another_program_retries_nothing() {
        let severity = |second: &str| {
            let text = format!(
                "client :1 server\nSYN -->\n<-- SYN\nPOST / \"x\" [user-agent=a] -->\n<-- ACK\n<-- RST\n\
                 client :2 server\n+9ms SYN -->\n<-- SYN\nPOST / \"x\" [user-agent={second}] -->\n<-- 200"
            );
            ladder_check::found_by(&RULE, &text).map(|found| found.severity)
        };
        assert_eq!(severity("a"), Some(Severity::Warning));
        assert_eq!(severity("b"), None);
        // Where none names itself, the fields tell them apart.
        assert_eq!(severity("a accept=text"), None);
    }

    /// A program that tries again by itself does not wait; its next call may look the same.
    #[test]
    fn what_is_sent_much_later_is_only_possibly_a_retry() {
        for (wait, severity) in [("9ms", Severity::Warning), ("865ms", Severity::Note)] {
            let text = format!(
                "client :1 server\nSYN -->\n<-- SYN\nPOST / \"x\" -->\n<-- ACK\n<-- RST\n\
                 client :2 server\n+{wait} SYN -->\n<-- SYN\nPOST / \"x\" -->\n<-- 200"
            );
            let found = ladder_check::found_by(&RULE, &text).expect("found");
            assert_eq!(found.severity, severity, "{wait}: {}", found.message);
        }
    }

    #[test]
    fn what_was_not_captured_may_have_been_the_response() {
        let text = "client :1 server\nSYN -->\n<~~ SYN\nACK -->\nGET / -->\n<~~ 200 \"x\"\nACK -->\nFIN -->\n<~~ FIN\nACK -->\n\
                    client :2 server\nSYN -->\n<~~ SYN\nACK -->\nGET / -->\n<~~ 200 \"x\"\nACK -->\nFIN -->\n<~~ FIN\nACK -->";
        assert!(ladder_check::found_by(&RULE, text).is_none());
    }

    #[test]
    fn what_may_take_effect_twice_is_a_warning() {
        let had = "<-- ACK";
        assert_eq!(severity("POST / \"x\"", had), Some(Severity::Warning));
        assert_eq!(severity("GET /", had), Some(Severity::Note));
        assert_eq!(severity("PUT / \"x\"", had), Some(Severity::Note));
    }
}
