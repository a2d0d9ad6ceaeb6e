//! The false positives that each rule must avoid, and the ladder on its page that proves it.
//!
//! A test only: it checks the table against the pages. A row names a rule, a guard, and words of the prose before the
//! ladder under *Not this*; the ladder itself is run with the others. Every ladder there must have prose, so that a
//! reader knows what it is. What a ladder cannot show is stated with the place that handles it ([`ELSEWHERE`]).

use super::page::{Section, ladders};
use super::{CATALOGUE, rule};

/// Rule, false positive to avoid, words before the ladder.
const GUARDS: &[(&str, &str, &str)] = &[
    (
        "accept-queue-overflow",
        "one SYN lost on the way",
        "One SYN that was lost",
    ),
    (
        "answer-from-elsewhere",
        "two servers",
        "each asked by itself",
    ),
    ("auth-broken-by-close", "a scheme of one leg", "single leg"),
    (
        "client-gave-up-waiting",
        "long polling: the answer had begun",
        "The response had begun",
    ),
    (
        "client-gave-up-waiting",
        "G5: the capture ends",
        "The capture ends",
    ),
    (
        "client-gave-up-waiting",
        "G3: one direction only",
        "Only the client's side",
    ),
    (
        "client-left-mid-response",
        "the client had all of it",
        "The client had received everything",
    ),
    (
        "client-reset-after-response",
        "the response was not complete",
        "had not everything",
    ),
    (
        "client-reset-handshake",
        "somebody else's RST",
        "Another host answers",
    ),
    ("close-not-announced", "an idle timer", "An idle timer"),
    (
        "close-promise-not-kept",
        "G5: the capture ends",
        "The capture ends",
    ),
    (
        "close-wait-leak",
        "a legitimate half-close",
        "still has something to say",
    ),
    ("close-wait-leak", "G5: the capture ends", "ends too soon"),
    (
        "closed-before-request",
        "a connection opened in advance",
        "opened in advance",
    ),
    (
        "closed-before-response",
        "the request came after the FIN",
        "the two crossed",
    ),
    (
        "closed-before-response",
        "G2: the answer was not captured",
        "was acknowledged",
    ),
    (
        "closed-before-response",
        "G3: one direction only",
        "Only one side was captured",
    ),
    (
        "connect-unanswered",
        "the capture stops soon after the SYN",
        "at the end of the capture",
    ),
    (
        "connect-unanswered",
        "G3: one direction only",
        "one direction only",
    ),
    (
        "connection-limit-queueing",
        "a sequential program",
        "sends one request after the other",
    ),
    (
        "connection-limit-queueing",
        "starts that are not back to back",
        "only now and then",
    ),
    (
        "connection-refused",
        "a RST on an open connection",
        "which was open",
    ),
    (
        "connection-unreachable",
        "a soft error",
        "did not keep the connection",
    ),
    (
        "early-response-reset",
        "the client stops at once",
        "stops by itself",
    ),
    (
        "early-tuple-reuse",
        "a protocol with a fixed port",
        "a port of its own",
    ),
    (
        "ephemeral-port-pressure",
        "the server closes first",
        "closes first",
    ),
    (
        "ephemeral-port-pressure",
        "several servers share no limit",
        "several servers",
    ),
    (
        "ephemeral-ports-exhausted",
        "the traffic stopped",
        "The traffic stops",
    ),
    ("fin-unanswered", "G3: one direction only", "Only one side"),
    (
        "fin-unanswered",
        "the acknowledgement was lost",
        "was lost, and the FIN",
    ),
    (
        "half-close-taken-as-abort",
        "shutdown or close",
        "A server that understands it",
    ),
    ("happy-eyeballs-loser", "no winner", "neither is used"),
    (
        "health-probe",
        "a load test that repeats its list of requests",
        "A load test goes through",
    ),
    (
        "health-probe",
        "other requests fail",
        "requests get no answer",
    ),
    (
        "idle-state-lost",
        "an answer comes after all",
        "answers in the end",
    ),
    (
        "keep-alive-race",
        "the request came before the FIN",
        "had the request when it closed",
    ),
    (
        "keep-alive-race",
        "a close that nobody minds",
        "nobody needs any more",
    ),
    (
        "keep-alive-race-risk",
        "a client that honours the limit",
        "heeds the limit",
    ),
    (
        "keepalive-probes-unanswered",
        "pings of the program",
        "carry payload",
    ),
    ("malformed-request", "TLS", "TLS is not HTTP"),
    ("malformed-request", "another protocol", "Another protocol"),
    (
        "malformed-request",
        "G1: the snap length",
        "only the beginning was captured",
    ),
    ("malformed-request", "G2: a gap", "A gap"),
    (
        "malformed-response",
        "the server speaks first",
        "speaks first",
    ),
    ("malformed-response", "TLS", "TLS is not HTTP"),
    ("malformed-response", "another protocol", "Another protocol"),
    (
        "malformed-response",
        "G1: the snap length",
        "only the beginning was captured",
    ),
    ("malformed-response", "G2: a gap", "A gap"),
    ("name-resolution-failed", "a search list", "search list"),
    (
        "name-resolution-failed",
        "no AAAA beside an A",
        "no address of IPv6",
    ),
    (
        "name-resolution-failed",
        "a connection to that name",
        "A connection to that name",
    ),
    ("name-resolution-failed", "mDNS and LLMNR", "Neighbours"),
    (
        "name-resolution-failed",
        "G5: the capture ends",
        "after the end of the capture",
    ),
    (
        "nat-invalid-reset",
        "a program that leaves",
        "leaves in the middle",
    ),
    (
        "nat-ports-exhausted",
        "the server is overloaded",
        "answers other clients no more",
    ),
    (
        "path-mtu-blackhole",
        "G1: the snap length",
        "beginnings of segments",
    ),
    (
        "path-mtu-blackhole",
        "G8: segments before they are cut",
        "before they are cut",
    ),
    (
        "periodic-abandoned-request",
        "long polling and event streams",
        "long polling",
    ),
    (
        "proxy-refused",
        "the first leg of an authentication",
        "answered with credentials",
    ),
    (
        "reset-after-handshake",
        "a RST of a box on the way",
        "another time to live",
    ),
    ("reset-after-handshake", "a probe of the client", "A probe"),
    (
        "reset-before-response",
        "part of the request",
        "not complete",
    ),
    (
        "reset-before-response",
        "a RST of a box on the way",
        "another time to live",
    ),
    ("reset-injected", "a route that changes", "A whole route"),
    (
        "reset-injected",
        "the kernel's own RST",
        "A RST of a closed socket",
    ),
    (
        "reset-injected",
        "translators take a hop or two",
        "differs by one or two",
    ),
    (
        "reset-mid-response",
        "all of it was delivered",
        "The response was complete",
    ),
    (
        "reset-on-name",
        "the server itself says no",
        "The server itself",
    ),
    (
        "response-after-client-left",
        "the answer was complete",
        "has its response and leaves",
    ),
    ("response-cut-short", "no body to a HEAD", "a HEAD"),
    ("response-cut-short", "no body in a 304", "A 304"),
    ("response-cut-short", "the client left first", "left first"),
    (
        "response-cut-short",
        "G1: the snap length",
        "only its beginning",
    ),
    ("response-cut-short", "G2: a gap", "not captured"),
    (
        "retransmissions-exhausted",
        "G3: one direction only",
        "one direction",
    ),
    (
        "reuse-of-closed-connection",
        "G9: no time to know",
        "only just been told",
    ),
    (
        "reuse-of-forgotten-connection",
        "a FIN that was not captured",
        "not in the capture",
    ),
    ("syn-challenged", "an ordinary loss", "was lost"),
    (
        "time-wait-reuse-refused",
        "the close before was not captured",
        "not in the capture",
    ),
    (
        "unsolicited-response",
        "G6: the capture began later",
        "The capture began after it",
    ),
];

/// Guards that no ladder under *Not this* can show, and where they are handled.
const ELSEWHERE: &[(&str, &str)] = &[
    (
        "connection-refused: a scan",
        "one note for each client: `scans::group`",
    ),
    (
        "connection-refused: another address answers",
        "told as benign, by its own test",
    ),
    (
        "connection-refused: the RST of a firewall",
        "told as such where the server's own packets show another distance; a lone RST bears no sign",
    ),
    (
        "client-reset-handshake: a probe",
        "told as benign, and `health-probe` beside it",
    ),
    (
        "idle-state-lost: the peer died",
        "the message names both readings and what tells them apart",
    ),
    (
        "idle-timeout-close: several products share a limit",
        "the message lists the candidates",
    ),
    (
        "preconnect-unused: failures beside it",
        "benign either way; what failed is told by itself",
    ),
    (
        "time-wait-on-server: ports are not used up",
        "the page says so; `ephemeral-port-pressure` looks at clients only",
    ),
    (
        "G4: the same packet twice",
        "dropped before any rule: `tcp::sightings`",
    ),
    (
        "G7: clocks that step",
        "order is that of the capture, and durations never run backwards: `Timestamp::since`",
    ),
    (
        "G10: scanners and load generators",
        "one finding for each client: `evaluate::collapse`",
    ),
];

#[test]
fn every_guard_has_its_ladder() {
    for (name, guard, words) in GUARDS {
        let rule = rule(name).unwrap_or_else(|| panic!("{name} is a rule"));
        let prose = prose_before_ladders(&rule.section(Section::NotThis));
        assert!(
            prose.iter().any(|text| text.contains(words)),
            "{name}: no ladder for \"{guard}\" ({words}) among {prose:#?}"
        );
    }
    assert!(GUARDS.is_sorted_by_key(|(name, ..)| name));
    for (guard, how) in ELSEWHERE {
        let (name, _) = guard.split_once(": ").unwrap_or_default();
        assert!(!how.is_empty());
        assert!(name.starts_with('G') || rule(name).is_some(), "{guard}");
    }
}

#[test]
fn every_counterexample_says_what_it_is() {
    for rule in CATALOGUE.iter() {
        let section = rule.section(Section::NotThis);
        let prose = prose_before_ladders(&section);
        assert_eq!(prose.len(), ladders(&section).len());
        assert!(!prose.is_empty(), "{}", rule.name);
        for text in prose {
            assert!(!text.is_empty(), "{}: a ladder without a word", rule.name);
        }
    }
}

/// The paragraph before each ladder.
fn prose_before_ladders(section: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut paragraph = String::new();
    let mut inside = false;
    for line in section.lines() {
        match (inside, line) {
            (false, "```ladder") => {
                all.push(std::mem::take(&mut paragraph));
                inside = true;
            }
            (true, "```") => inside = false,
            (true, _) => {}
            (false, line) => {
                paragraph.push_str(line);
                paragraph.push(' ');
            }
        }
    }
    all.iter().map(|text| text.trim().to_owned()).collect()
}
