//! A listener answers some and ignores others at the same time.

use crate::base::format::{counted, duration};
use std::collections::BTreeMap;
use std::time::Duration;

use crate::analysis::connection::{By, ConnectionSummary, How, Opening, Phase, ResetKind};
use crate::analysis::hosts::{Hosts, Measured};
use crate::base::certainty::Certainty;
use crate::base::net::Endpoint;
use crate::rules::Severity;
use crate::rules::rule::{Check, Diagnosis, HostDiagnosis, rule};
use crate::rules::wording::shows;

rule! {
    /// # What happened
    ///
    /// Within a few seconds one listener let several connects wait while it completed others: SYNs were ignored and only a
    /// repetition got through, or the SYN-ACK came again although the client had acknowledged it, or the first segment after
    /// the handshake drew a RST from a host that had no socket for it. That is what a full accept queue looks like.
    ///
    /// # Why it matters
    ///
    /// The kernel completes handshakes by itself, up to the number that the program gave to `listen()`; beyond that it drops.
    /// Clients see connects that take 1, 3 or 7 s, time out, or end in "connection reset by peer" on the first read. The
    /// server's log shows nothing: its program never saw those connections.
    ///
    /// # Remedy
    ///
    /// - Confirm it at the server: `nstat -az TcpExtListenOverflows TcpExtListenDrops`, and `ss -ltn`, where Recv-Q near
    ///   Send-Q is a full queue.
    /// - Find out why the program does not accept: a blocked accept loop, all workers busy, a pause for garbage collection.
    /// - Raise the backlog of `listen()` and with it `net.core.somaxconn`, which caps it.
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
    /// ```
    ///
    /// # Not this
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
    /// A server that answers nobody is not overloaded but gone:
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
    pub(super) RULE: "accept-queue-overflow", Severity::Error,
    "a listener completed some handshakes and ignored others at the same time", Check::Hosts(check)
}

/// Delayed connects that are more than packet loss.
const SUSPECTS: usize = 3;
/// A RST right after a handshake for lack of a socket is not packet loss, so that fewer suffice.
const REFUSED: usize = 2;
/// All within this time.
const WINDOW: Duration = Duration::from_secs(5);
/// A connect counts as served at the same time if it came no earlier than this before the burst.
const AROUND: Duration = Duration::from_secs(1);
/// Microseconds. A SYN is first repeated after a second; a connect that took less was not ignored.
const STEP: u32 = 900_000;
/// A RST that refuses a handshake after the fact comes within this time.
const SOON: Duration = Duration::from_secs(1);

fn check(hosts: &Hosts<'_>) -> Vec<HostDiagnosis> {
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
        let Some(burst) = burst(&suspects) else {
            continue;
        };
        let (from, to) = (burst[0].first.time, burst[burst.len() - 1].first.time);
        let others = hosts.connections.iter().filter(|it| {
            it.server == server && it.opening == Opening::Handshake && !waited(it) && it.seen[1]
        });
        let near = others
            .filter(|it| it.first.time <= to.after(WINDOW) && it.first.time.after(AROUND) >= from);
        let (mut served, mut lossy) = (0, 0);
        for other in near {
            served += 1;
            lossy += usize::from(other.retransmitted);
        }
        // If established connections retransmit as well, the path loses segments.
        if served > 0 && lossy * 2 < burst.len() {
            let client = burst[0].client.ip;
            let mut it = HostDiagnosis::of(story(&burst, served), &burst);
            it.client = burst
                .iter()
                .all(|it| it.client.ip == client)
                .then_some(client);
            found.push(it);
        }
    }
    found
}

/// A connect that the listener delayed.
fn waited(it: &ConnectionSummary) -> bool {
    match it.opening {
        Opening::Unanswered => it.syn_retries > 0,
        Opening::Handshake | Opening::Rejected => {
            it.syn_retries > 0 && it.connected_after >= STEP || it.syn_acks > 2 || refused_late(it)
        }
        _ => false,
    }
}

/// Whether the first segment after the handshake met no socket (`tcp_abort_on_overflow`, a lost SYN cookie).
fn refused_late(it: &ConnectionSummary) -> bool {
    it.by == By::Server
        && it.how == How::Reset(ResetKind::NoSocket)
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

fn story(burst: &[&ConnectionSummary], served: usize) -> Diagnosis {
    let count = |what: fn(&ConnectionSummary) -> bool| burst.iter().filter(|it| what(it)).count();
    let never = count(|it| it.opening == Opening::Unanswered);
    let reset = count(refused_late);
    let over = burst[burst.len() - 1].first.time.since(burst[0].first.time);
    let slow = burst
        .iter()
        .filter(|it| it.opening == Opening::Handshake && it.syn_retries > 0);
    let slow = Measured::of(
        slow.map(|it| Duration::from_micros(it.connected_after.into()))
            .collect(),
    );
    let mut message = format!(
        "Within {} {} had to wait at a listener that served {} around the same time:",
        duration(over),
        counted(burst.len(), "connect"),
        counted(served, "other"),
    );
    let mut parts = Vec::new();
    if never > 0 {
        parts.push(format!("{never} never got an answer"));
    }
    if let Some(slow) = slow {
        parts.push(format!(
            "{} got through on a repetition, after {} to {}",
            slow.count,
            duration(slow.range.0),
            duration(slow.range.1)
        ));
    }
    if reset > 0 {
        parts.push(format!(
            "{reset} met a RST for want of a socket right after the handshake"
        ));
    }
    if parts.is_empty() {
        parts.push("their SYN-ACKs came again although they had been acknowledged".to_owned());
    }
    message.push_str(&format!(" {}.", parts.join(", ")));
    let mut evidence = vec![shows(burst[0].first, "the first SYN that had to wait")];
    let last = burst[burst.len() - 1];
    evidence.push(shows(last.first, "the last one"));
    Diagnosis {
        severity: Severity::Error,
        certainty: if burst.len() >= SUSPECTS {
            Certainty::Likely
        } else {
            Certainty::Possible
        },
        summary: "connects had to wait at a listener that served others".into(),
        message: message.into(),
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
}
