//! A listener answers some and ignores others at the same time.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use crate::analysis::connection::{By, ConnectionSummary, How, Opening, Phase, ResetKind};
use crate::analysis::hosts::{Hosts, Measured};
use crate::base::certainty::Certainty;
use crate::base::net::Endpoint;
use crate::rules::remedy::Remedy;
use crate::rules::rule::{Check, Diagnosis, HostDiagnosis, rule};
use crate::rules::statement::{Statement, Value, sentence};
use crate::rules::wording::shows;
use crate::rules::{RuleInput, Severity};

rule! {
    /// # What happened
    ///
    /// The server's host answered connection attempts and did not hand them to its program. Within a few seconds one
    /// listener delayed several attempts while it served others. It ignored SYNs until they were retransmitted, or it
    /// answered the first segment after the handshake with a RST because it had no socket. Or it repeated its SYN-ACK
    /// although the client had acknowledged it, and acknowledged no data. This is what a full accept queue looks like.
    ///
    /// # Why it matters
    ///
    /// The operating system completes handshakes by itself, up to the number that the program gave to `listen()`. Beyond that it drops
    /// the end of the handshake. Clients see connection attempts that take 1, 3 or 7 s, time out, or end in "connection
    /// reset by peer" on the first read. The server's log shows nothing, because its program never got those connections or
    /// their data.
    ///
    /// # Remedy
    ///
    /// - Find out why the server's program does not accept connections: a blocked accept loop, busy workers, a pause for
    ///   garbage collection.
    /// - Confirm it at the server while it happens: in `ss -ltn` the accept queue is full if its Recv-Q is as large as its
    ///   Send-Q. In `nstat -az` the counters TcpExtListenOverflows and TcpExtListenDrops grow.
    /// - When the counters confirm it, raise the backlog of `listen()`, and `net.core.somaxconn`, which caps it.
    ///
    /// # Tell it by
    ///
    /// Other connections to the same port open at the same time. On this one the server ignores the SYN, or repeats its
    /// SYN-ACK although the client has acknowledged it.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client :40000           server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  ACK                -->
    ///         client :40001 [times=3 every=10ms] server
    ///  0.100  SYN                -->
    ///  1.100  again              -->
    ///  1.110                     <--  SYN
    ///  1.120  ACK                -->
    ///  => findings accept-queue-overflow connect-delayed
    /// ```
    ///
    /// A single connection shows it too: the SYN-ACK comes again after the client has acknowledged it, and no data from the
    /// client is acknowledged:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  "PING"             -->
    ///  0.220  again              -->
    ///  0.620  again              -->
    ///  1.010                     <--  again [ack=1]
    ///  1.420  again              -->
    ///  3.010                     <--  again [ack=1]
    ///  3.020  again              -->
    ///  7.420  again              -->
    ///  7.430                     <--  RST [noack]
    /// ```
    ///
    /// # Not this
    ///
    /// A server that waits for the request before it accepts (`TCP_DEFER_ACCEPT`) repeats its SYN-ACK too:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  ACK                -->
    ///  1.010                     <--  again
    ///  1.020  ACK                -->
    ///  3.010                     <--  again
    ///  3.020  ACK                -->
    ///  5.000  GET /              -->
    ///  5.010                     <--  200 "hello"
    ///  5.020  ACK                -->
    /// ```
    ///
    /// One SYN that was lost:
    ///
    /// ```ladder
    ///         client :40000           server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  ACK                -->
    ///         client :40001           server
    ///  0.100  SYN                -->
    ///  1.100  again              -->
    ///  1.110                     <--  SYN
    ///  1.120  ACK                -->
    /// ```
    ///
    /// A server that answers no client is not overloaded but gone:
    ///
    /// ```ladder
    ///         client :40001 [times=4 every=10ms] server
    ///  0.100  SYN                -->
    ///  1.100  again              -->
    ///  3.100  again              -->
    ///  7.100  again              -->
    ///  => findings connect-unanswered
    /// ```
    ///
    /// # References
    ///
    /// RFC 9293 §3.9.2 (passive open), RFC 6298 §5.7; listen(2), tcp(7).
    pub(in crate::rules) RULE: "accept-queue-overflow", Severity::Error,
    "a listener delays connection attempts, or accepts none of their data", Check::All(check)
}

/// Delayed connection attempts that are more than packet loss.
const SUSPECTS: usize = 3;
/// A RST right after a handshake because there is no socket is not packet loss, so fewer suffice.
const REFUSED: usize = 2;
/// All within this time.
const WINDOW: Duration = Duration::from_secs(5);
/// An attempt counts as served at the same time if it came no earlier than this before the burst.
const AROUND: Duration = Duration::from_secs(1);
/// Microseconds. A SYN is first retransmitted after a second; an attempt that took less was not ignored.
const STEP: u32 = 900_000;
/// A RST that refuses a handshake after the fact comes within this time.
const SOON: Duration = Duration::from_secs(1);

fn check(facts: &RuleInput<'_>, hosts: &Hosts<'_>) -> Vec<HostDiagnosis> {
    if hosts.halves().misses_a_direction() {
        return Vec::new();
    }
    let mut listeners: BTreeMap<Endpoint, Vec<&ConnectionSummary>> = BTreeMap::new();
    for connection_summary in hosts.connections.iter().filter(|it| waited(it)) {
        listeners
            .entry(connection_summary.server)
            .or_default()
            .push(connection_summary);
    }
    let mut found = Vec::new();
    for (server, suspects) in listeners {
        let (mut all, mut story) = match served_beside(hosts, server, &suspects) {
            Some((burst, served)) => {
                let story = among_others(facts, &burst, &served);
                (burst, story)
            }
            None => {
                let alone: Vec<&ConnectionSummary> =
                    suspects.into_iter().filter(|it| is_ignored(it)).collect();
                let Some(first) = alone.first() else {
                    continue;
                };
                let story = ignored(facts, first, &alone);
                (alone, story)
            }
        };
        all.sort_by_key(|it| it.first);
        story.remedies = at_port(story.remedies, server.port);
        let mut it = HostDiagnosis::of(story, &all);
        it.client = it
            .client
            .filter(|client| all.iter().all(|it| it.client.ip == *client));
        found.push(it);
    }
    found
}

/// These remedies, with the port in the command that shows its queue.
fn at_port(remedies: Vec<Remedy>, port: u16) -> Vec<Remedy> {
    let all = remedies
        .into_iter()
        .map(|it| match it.text().contains("`ss -ltn`") {
            true => it
                .text()
                .replace("`ss -ltn`", &format!("`ss -ltn 'sport = :{port}'`"))
                .into(),
            false => it,
        });
    all.collect()
}

/// The suspects of one burst, and the attempts that the listener served at that time; `None` if it was not a
/// burst, or the path loses segments.
fn served_beside<'a>(
    hosts: &Hosts<'a>,
    server: Endpoint,
    suspects: &[&'a ConnectionSummary],
) -> Option<(Vec<&'a ConnectionSummary>, Vec<&'a ConnectionSummary>)> {
    let burst = burst(suspects)?;
    let (from, to) = (burst.first()?.first.time, burst.last()?.first.time);
    let others = hosts.connections.iter().filter(|it| {
        it.server == server && it.opening == Opening::Handshake && !waited(it) && it.seen[1]
    });
    let near = others
        .filter(|it| it.first.time <= to.after(WINDOW) && it.first.time.after(AROUND) >= from);
    let served: Vec<&ConnectionSummary> = near.collect();
    let lossy = served.iter().filter(|it| it.retransmitted > 0).count();
    // If established connections retransmit as well, the path loses segments.
    (!is_outage(hosts, server, &burst) && !served.is_empty() && lossy * 2 < burst.len())
        .then_some((burst, served))
}

/// So many other servers that a client waited for at the same time show that its own link was out, or its network.
const ELSEWHERE: usize = 2;

/// Whether each client of a burst waited for other servers at that time as well: not one listener was slow, but the way to all.
fn is_outage(hosts: &Hosts<'_>, server: Endpoint, burst: &[&ConnectionSummary]) -> bool {
    let (Some(first), Some(last)) = (burst.first(), burst.last()) else {
        return false;
    };
    let (from, to) = (first.first.time, last.first.time.after(AROUND));
    let mut elsewhere: BTreeMap<IpAddr, BTreeSet<IpAddr>> = BTreeMap::new();
    let other = |it: &&ConnectionSummary| it.server.ip != server.ip && waited(it);
    for it in hosts.connections.iter().filter(other) {
        if it.first.time.after(AROUND) >= from && it.first.time <= to {
            let servers = elsewhere.entry(it.client.ip).or_default();
            servers.insert(it.server.ip);
        }
    }
    burst.iter().all(|it| {
        let servers = elsewhere.get(&it.client.ip);
        servers.is_some_and(|servers| servers.len() >= ELSEWHERE)
    })
}

/// An attempt that the listener delayed.
fn waited(it: &ConnectionSummary) -> bool {
    match it.opening {
        Opening::Unanswered => it.syn_retries > 0,
        Opening::Handshake | Opening::Rejected => {
            it.syn_retries > 0 && it.connected_after >= STEP || is_ignored(it) || refused_late(it)
        }
        _ => false,
    }
}

/// Repetitions of the client's data of which the path does not lose all.
const REPETITIONS: u16 = 3;

/// Whether the SYN-ACK came again although the client had gone on, and none of its data was accepted.
fn is_ignored(it: &ConnectionSummary) -> bool {
    it.opening == Opening::Handshake
        && it.client_syn()
        && (it.syn_acks > 2
            || it.syn_acks == 2 && (no_socket(it) || it.retransmitted >= REPETITIONS))
        && it.spoke == [true, false]
        && !it.taken()
        && it.retransmitted > 0
        && it.last.since(it.first.time) >= Duration::from_micros(STEP.into())
}

/// Whether it ended with a RST because there was no socket.
fn no_socket(it: &ConnectionSummary) -> bool {
    it.by == By::Server && it.how == How::Reset(ResetKind::NoSocket)
}

/// Whether the first segment after the handshake met no socket (`tcp_abort_on_overflow`, a lost SYN cookie).
fn refused_late(it: &ConnectionSummary) -> bool {
    no_socket(it)
        && matches!(
            it.phase,
            Phase::BeforeRequest | Phase::Request | Phase::Waiting
        )
        && !it.spoke[1]
        && it.close.time.since(it.first.time) < SOON
}

/// The largest number of suspects within the window.
fn burst<'a>(suspects: &[&'a ConnectionSummary]) -> Option<Vec<&'a ConnectionSummary>> {
    let mut best = 0..0;
    let mut low = 0;
    for high in 0..suspects.len() {
        while suspects[high].first.time.since(suspects[low].first.time) > WINDOW {
            low += 1;
        }
        if high + 1 - low > best.len() {
            best = low..high + 1;
        }
    }
    let burst = suspects[best].to_vec();
    let refused = burst.iter().filter(|it| refused_late(it)).count();
    (burst.len() >= SUSPECTS || refused >= REFUSED).then_some(burst)
}

/// A connection that is open when the capture ends, and has not been tried for this long, may still be served.
const STILL_TRIED: Duration = Duration::from_secs(3);

/// Connections that the listener never handed to its program, with none served beside them.
fn ignored(
    facts: &RuleInput<'_>,
    first: &ConnectionSummary,
    all: &[&ConnectionSummary],
) -> Diagnosis {
    let is_reset =
        |it: &&&ConnectionSummary| it.by == By::Server && it.how == How::Reset(ResetKind::NoSocket);
    let reset = all.iter().filter(is_reset).count();
    let range = |of: fn(&ConnectionSummary) -> u64| {
        let values = || all.iter().map(|it| of(it));
        let (least, most) = (values().min(), values().max());
        (least.unwrap_or_default(), most.unwrap_or_default())
    };
    let (least, most) = range(|it| it.syn_acks.into());
    let (few, many) = range(|it| it.bytes[0]);
    let mut message = Statement::default();
    if all.len() > 1 {
        message.say(sentence!(
            "This happened on {}.",
            Value::count(all.len() as u64, "connection", "connections")
        ));
    }
    message.say(sentence!(
        "The client acknowledged the SYN-ACK and sent {}. The server's host acknowledged none of it, and sent its SYN-ACK {} in \
         total.",
        Value::ExactBytes(few, many),
        Value::Count(least, most, "time", "times")
    ));
    if reset > 0 {
        let lasted = all.iter().filter(is_reset);
        let lasted = lasted.map(|it| it.close.time.since(it.first.time));
        let lasted = Measured::of(lasted.collect());
        let (least, most) = lasted.map_or_else(Default::default, |it| it.range);
        message.say(sentence!(
            "The server reset the connection {} after the SYN. That RST has no ACK: the server's operating system had dropped \
             the connection.",
            Value::Duration(least, most)
        ));
    }
    message.presume("The accept queue is full, and the server's program never got the connection.");
    if reset == 0 {
        message.say("Or the client's packets are lost on the way: the counters of the server's host show whether they arrive.");
    }
    message.mean(match reset {
        0 => {
            "Most likely no program received what the client sent. If so, a retry on a new connection is safe."
        }
        _ => "The server's program never got the connection or its data: what was sent is safe to retry.",
    });
    let record = facts.record(first.id);
    let mut evidence = vec![shows(first.first, "SYN")];
    let unanswered = record.and_then(|it| it.unanswered.as_deref());
    let since = unanswered.map(|[client, _]| client.since);
    evidence.extend(since.filter(|since| since.frame.0 > 0).map(|since| {
        shows(
            since,
            "data from the client, which acknowledges the SYN-ACK",
        )
    }));
    evidence.extend(
        record
            .and_then(|it| it.last_syn[1])
            .map(|at| shows(at, format!("SYN-ACK, number {}", first.syn_acks))),
    );
    if is_reset(&&first) {
        evidence.push(shows(first.close, "RST without ACK: no socket"));
    }
    evidence.sort_by_key(|it| it.frame_ref);
    // Its next segment may still be taken.
    let trying = reset == 0
        && all
            .iter()
            .all(|it| it.how == How::Open && it.last.since(it.first.time) < STILL_TRIED);
    Diagnosis {
        severity: match trying {
            true => Severity::Note,
            false => Severity::Error,
        },
        certainty: match reset == all.len() {
            true => Certainty::Likely,
            false => Certainty::Possible,
        },
        summary: "Server acknowledged nothing that [the client|# clients] sent".into(),
        message,
        evidence,
        remedies: match reset {
            0 => to_confirm_first(),
            _ => RULE.remedies(),
        },
    }
}

/// The remedies of a case that may have another reason: first what confirms it.
fn to_confirm_first() -> Vec<Remedy> {
    let mut all = RULE.remedies();
    all.sort_by_key(|it| !it.text().starts_with("Confirm"));
    all
}

fn among_others(
    facts: &RuleInput<'_>,
    burst: &[&ConnectionSummary],
    served: &[&ConnectionSummary],
) -> Diagnosis {
    let count = |what: fn(&ConnectionSummary) -> bool| burst.iter().filter(|it| what(it)).count();
    let never = count(|it| it.opening == Opening::Unanswered);
    let reset = count(refused_late);
    let ignored = count(is_ignored);
    let over = burst[burst.len() - 1].first.time.since(burst[0].first.time);
    let slow = burst
        .iter()
        .filter(|it| it.opening == Opening::Handshake && it.syn_retries > 0);
    let slow = Measured::of(
        slow.map(|it| Duration::from_micros(it.connected_after.into()))
            .collect(),
    );
    let attempts = Value::count(
        burst.len() as u64,
        "connection attempt",
        "connection attempts",
    );
    let mut message = Statement::from(match burst.len() {
        all if all == never => sentence!("{} within {} got no answer.", attempts, over),
        all if all == reset => sentence!(
            "{} within {} got a RST right after the handshake, because the server's host had no socket.",
            attempts,
            over
        ),
        _ => sentence!("{} within {} had to wait.", attempts, over),
    });
    message.say(sentence!(
        "The server's operating system opened {} at about that time.",
        Value::count(served.len() as u64, "other connection", "other connections")
    ));
    let unanswered = served.iter().filter(|it| it.spoke == [true, false]);
    let unanswered = unanswered.count();
    match unanswered {
        0 => {}
        all if all == served.len() => {
            message.say("No byte of a response came on these either.");
        }
        some => message.say(sentence!(
            "On {} of these no byte of a response came.",
            Value::from(some)
        )),
    }
    if never > 0 && never < burst.len() {
        message.say(sentence!("{} never got an answer.", never));
    }
    if let Some(slow) = slow {
        message.say(sentence!(
            "{} got through with a retransmitted SYN, after {}.",
            slow.count,
            Value::Duration(slow.range.0, slow.range.1)
        ));
    }
    if reset > 0 && reset < burst.len() {
        message.say(sentence!(
            "{} got a RST right after the handshake, because the server's host had no socket.",
            reset
        ));
    }
    if ignored > 0 {
        message.say(sentence!(
            "{} got the SYN-ACK again after the client had acknowledged it, and none of the data was acknowledged.",
            ignored
        ));
    }
    message.presume(
        "The program does not take connections from its accept queue (connections that are open and wait for the program) fast enough, and the queue is full.",
    );
    if never > 0 {
        message.mean("The attempts without an answer sent no request: a retry of these is safe.");
    }
    if reset > 0 {
        message.mean("If so, the program got nothing from the connections with a RST: what they asked is safe to retry.");
    }
    if unanswered > 0 {
        message.mean(
            "What the other connections asked may still be processed: retry only what is safe to repeat.",
        );
    }
    let first = burst[0];
    let mut evidence = vec![shows(first.first, "first SYN that had to wait")];
    let again = facts.record(first.id).and_then(|it| it.last_syn[0]);
    evidence.extend(again.filter(|at| *at != first.first).map(|at| {
        shows(
            at,
            format!("retransmission {} of that SYN", first.syn_retries),
        )
    }));
    evidence.sort_by_key(|it| it.frame_ref);
    Diagnosis {
        severity: Severity::Error,
        certainty: if burst.len() >= SUSPECTS {
            Certainty::Likely
        } else {
            Certainty::Possible
        },
        summary: match burst.len() {
            all if all == never => {
                "[A connection attempt|# connection attempts] got no answer while others did"
            }
            all if all == reset => {
                "[A connection was|# connections were] reset on opening while others were not"
            }
            _ => "[A connection attempt|# connection attempts] waited while others did not",
        }
        .into(),
        message,
        evidence,
        remedies: RULE.remedies(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::ladder_check;

    fn fires(text: &str) -> bool {
        ladder_check::run(&text.parse().expect("a ladder"))
            .rules()
            .contains(&RULE.name)
    }

    const SERVED: &str = "client :1 server\nSYN -->\n<-- SYN\nACK -->\n";

    #[test]
    fn late_resets_count_and_losses_on_the_path_do_not() {
        let late = "client :40001 [times=3 every=10ms] server\nSYN -->\n<-- SYN\nGET / -->\n<-- RST [noack]\n";
        assert!(fires(&format!("{SERVED}{late}")));
        let slow =
            "client :40001 [times=3 every=10ms] server\nSYN -->\n+1s again -->\n<-- SYN\nACK -->\n";
        let lossy =
            "client :2 [times=2] server\nSYN -->\n<-- SYN\nGET / -->\n+300ms again -->\n<-- 200\n";
        assert!(fires(&format!("{SERVED}{slow}")));
        assert!(!fires(&format!("{lossy}{slow}")));
    }

    #[test]
    fn a_link_that_was_out_is_no_queue() {
        let slow =
            "client :40001 [times=3 every=10ms] server\nSYN -->\n+1s again -->\n<-- SYN\nACK -->\n";
        let gone = |server: u8| {
            format!("client :4100{server} server 10.0.0.{server}:80\nSYN -->\n+40ms again -->\n")
        };
        let one = format!("{SERVED}{}{slow}", gone(3));
        assert!(fires(&one), "one other server may be down");
        let two = format!("{SERVED}{}{}{slow}", gone(3), gone(4));
        assert!(!fires(&two));
    }

    const IGNORED: &str =
        "SYN -->\n<-- SYN\nGET / -->\n+200ms again -->\n+400ms again -->\n+400ms <-- again [ack=1]
        +400ms again -->\n+2s <-- again [ack=1]\n+2s again -->\n";

    #[test]
    fn a_second_syn_ack_is_enough_if_data_was_repeated_in_between() {
        let data = "SYN -->\n<-- SYN\n\"12345678\" -->\n";
        let again = "+200ms again -->\n";
        let answer = "+600ms <-- again [ack=1]\nACK -->";
        assert!(fires(&format!("{data}{}{answer}", again.repeat(3))));
        assert!(!fires(&format!("{data}{again}{answer}")));
    }

    #[test]
    fn one_connection_without_accepted_data_is_enough() {
        for (sent, end, certainty) in [
            ("GET /", "+4s again -->\n<-- RST [noack]", Certainty::Likely),
            (
                "\"PING\"",
                "+4s again -->\n<-- RST [noack]",
                Certainty::Likely,
            ),
            ("\"PING\"", "+4s again -->", Certainty::Possible),
        ] {
            let text = format!("{IGNORED}{end}").replace("GET /", sent);
            let findings = ladder_check::run(&text.parse().expect("a ladder")).findings;
            let own = findings
                .iter()
                .find(|it| it.rule == RULE.name)
                .expect(&text);
            assert_eq!((own.severity, own.certainty), (Severity::Error, certainty));
            assert!(own.message.contains("3 times"), "{}", own.message);
            // What may have another reason is confirmed first.
            let first = own.remedies.first();
            let confirms = first.is_some_and(|it| it.contains("'sport = :80'"));
            assert_eq!(confirms, certainty == Certainty::Possible, "{first:?}");
            assert!(own.message.meaning().contains("retry"), "{}", own.message);
            let others: Vec<_> = findings.iter().map(|it| it.rule).collect();
            assert!(
                !others.contains(&"reuse-of-forgotten-connection"),
                "{others:?}"
            );
            let mut frames: Vec<_> = own.evidence.iter().map(|it| it.frame_ref).collect();
            frames.dedup();
            assert!(
                frames.is_sorted() && frames.len() >= 3,
                "{:?}",
                own.evidence
            );
        }
    }

    #[test]
    fn data_that_was_accepted_late_was_accepted() {
        assert!(!fires(&format!("{IGNORED}<-- 200 \"late\"\nACK -->")));
    }
}
