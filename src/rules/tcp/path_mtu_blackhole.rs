//! Small segments get through and large ones do not.

use crate::analysis::connection::{Connection, Opening, UnansweredSegments, Who};
use crate::base::certainty::Certainty;
use crate::base::format::{duration, number};
use crate::rules::Severity;
use crate::rules::rule::{Check, Diagnosis, Verdict, rule};
use crate::rules::wording::shows;

rule! {
    /// # What happened
    ///
    /// The connection was opened and small segments came through in both directions, but a full-sized one was sent again and
    /// again without ever being acknowledged, while the other side went on to send.
    ///
    /// # Why it matters
    ///
    /// Somewhere on the way is a link with a smaller maximum packet size (a tunnel, PPPoE, a VPN), and the ICMP message that
    /// would say so does not reach the sender. Logins and short pages work; uploads, long pages and the certificates of a TLS
    /// handshake hang until a timeout.
    ///
    /// # Remedy
    ///
    /// - Let routers at the tunnel clamp the maximum segment size (`--clamp-mss-to-pmtu`), or lower the MTU of the sending
    ///   host's interface.
    /// - Let ICMP type 3 code 4 (IPv6: type 2) through all firewalls on the way.
    /// - Switch on `net.ipv4.tcp_mtu_probing` at the sender, which finds a size by itself.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /big           -->
    ///  0.030                     <--  200 data 1300 [lost]
    ///  0.300                     <--  again [lost]
    ///  0.900                     <--  again [lost]
    ///  2.100                     <--  again [lost]
    ///  4.500                     <--  again [lost]
    ///  5.000  ACK [ack=1]        -->
    ///  9.300                     <--  again [lost]
    ///  => findings path-mtu-blackhole
    /// ```
    ///
    /// # Not this
    ///
    /// Large segments came through before:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /big           -->
    ///  0.030                     <--  200 data 1300 [length=5000]
    ///  0.040  ACK                -->
    ///  0.050                     <--  data 1300 [lost]
    ///  0.300                     <--  again [lost]
    ///  0.900                     <--  again [lost]
    ///  2.100                     <--  again [lost]
    ///  4.500                     <--  again [lost]
    /// ```
    ///
    /// Only the beginnings of segments were kept, and all were acknowledged:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /big           -->
    ///  0.030                     <--  200 data 1300 [cut=60]
    ///  0.040  ACK                -->
    /// ```
    ///
    /// On the sending host a capture shows segments before they are cut for the wire:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /big           -->
    ///  0.030                     <--  200 data 9000
    ///  0.300                     <--  again
    ///  0.310  ACK                -->
    /// ```
    ///
    /// # References
    ///
    /// RFC 2923 §2.1; RFC 1191; RFC 4821; RFC 8201.
    pub(super) RULE: "path-mtu-blackhole", Severity::Error,
    "small segments come through and large ones do not", Check::Connection(check)
}

/// Smaller segments fit through every link that IPv6 may use, less the headers (RFC 8200 §5).
const LARGE: u32 = 1200;
/// Repetitions without an answer.
const REPETITIONS: u16 = 3;

/// Whether a connection stalls on the size of its segments.
pub(in crate::rules) fn is_one(connection: &Connection) -> bool {
    find(connection).is_some()
}

fn find(connection: &Connection) -> Option<(Who, &UnansweredSegments)> {
    let unanswered = connection.unanswered.as_deref()?;
    if connection.opening != Opening::Handshake
        || connection.sent.iter().any(|sent| sent.packets == 0)
    {
        return None;
    }
    Who::BOTH.into_iter().find_map(|who| {
        let it = &unanswered[who as usize];
        // A peer that sends after the first transmission is alive.
        let alive = it.peer_last_sent.time > it.again.time;
        let stuck = it.count >= REPETITIONS && it.probes == 0;
        (stuck && alive && it.length >= LARGE && it.through < LARGE.min(it.length))
            .then_some((who, it))
    })
}

fn check(connection: &Connection) -> Verdict {
    let Some((who, it)) = find(connection) else {
        return Verdict::Clear;
    };
    let name = match who {
        Who::Client => "client",
        Who::Server => "server",
    };
    let told = connection
        .icmp
        .as_ref()
        .filter(|quote| quote.kind == crate::base::net::QuoteKind::TooBig);
    let mut message = format!(
        "The {name} sent a segment of {} bytes {} times over {} and it was never acknowledged; the largest that came through \
         had {}. The other side was there all the while.",
        number(it.length),
        u32::from(it.count) + 1,
        duration(it.until.time.since(it.since.time)),
        number(it.through),
    );
    if let Some(quote) = told {
        message.push_str(&format!(
            " A router at {} said that it is too big, and the {name} did not hear it or did not heed it.",
            quote.reporter
        ));
    }
    Verdict::Found(Box::new(Diagnosis {
        severity: Severity::Error,
        certainty: Certainty::Likely,
        summary: "large segments do not come through".into(),
        message: message.into(),
        evidence: vec![
            shows(
                it.since,
                format!(
                    "the segment of {} bytes, for the first time",
                    number(it.length)
                ),
            ),
            shows(
                it.peer_last_sent,
                "the other side is there, and does not acknowledge it",
            ),
            shows(it.until, "for the last time"),
        ],
        remedies: RULE.remedies(),
    }))
}
