//! Small segments get through and large ones do not.

use crate::analysis::connection::{Connection, Opening, UnansweredSegments, Who};
use crate::base::certainty::Certainty;
use crate::base::format::exact_bytes;
use crate::base::net::QuoteKind;
use crate::rules::Severity;
use crate::rules::rule::{Check, Verdict, rule};
use crate::rules::statement::{Value, sentence};
use crate::rules::stuck_segments::is_stuck;
use crate::rules::wording::{side, tell};

rule! {
    /// # What happened
    ///
    /// The connection was opened, and small segments came through in both directions. A full-sized segment was retransmitted
    /// and never acknowledged, while the other side went on sending.
    ///
    /// # Why it matters
    ///
    /// A link on the way has a smaller maximum packet size (a tunnel, PPPoE, a VPN). The ICMP message that would report it
    /// does not reach the sender. Logins and short pages work. Uploads, long pages and the certificates of a TLS handshake
    /// hang until a timeout.
    ///
    /// # Remedy
    ///
    /// - Clamp the maximum segment size at the tunnel's router (`--clamp-mss-to-pmtu`), or lower the MTU of the sending
    ///   host's interface.
    /// - Or let ICMP type 3 code 4 (IPv6: type 2) through all firewalls on the way.
    /// - Or set `net.ipv4.tcp_mtu_probing` at the sender, so that it finds a size itself.
    ///
    /// # Tell it by
    ///
    /// Small segments are acknowledged. A full-sized segment is retransmitted and never acknowledged.
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
    /// The capture kept only the beginnings of segments, and all were acknowledged:
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
    "small segments get through and large ones do not", Check::Connection(check)
}

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
        (is_stuck(it) && alive).then_some((who, it))
    })
}

fn check(connection: &Connection) -> Verdict {
    let Some((who, it)) = find(connection) else {
        return Verdict::Clear;
    };
    let name = side(who);
    let quote = connection
        .icmp
        .as_ref()
        .filter(|quote| quote.kind == QuoteKind::TooBig);
    let told = quote.map(|quote| {
        sentence!(
            "{} reported that the segment is too big ({}). The {} did not get that message, or ignored it.",
            quote.reporter,
            quote.frame,
            name
        )
    });
    let message = sentence!(
        "The {} sent a segment of {} {} over {}, and it was never acknowledged. The largest segment known to have come through \
         had {}.",
        name,
        Value::exact_bytes(it.length.into()),
        Value::count(u64::from(it.same) + 1, "time", "times"),
        it.until.time.since(it.since.time),
        Value::exact_bytes(it.through.into())
    );
    tell(
        &RULE,
        Severity::Error,
        Certainty::Likely,
        "[A large segment|Large segments on # connections] did not get through",
        message,
    )
    .adds(Some(sentence!(
        "The {} sent segments after the first retransmission, so it was still there.",
        side(who.other())
    )))
    .adds(told)
    .presumes(Some(
        "A link on the way carries only smaller packets, and the sender is not told (a path MTU black hole).",
    ))
    .shows(
        Some(it.since),
        format!(
            "segment of {}, first transmission",
            exact_bytes(it.length.into())
        ),
    )
    .shows(
        Some(it.peer_last_sent),
        format!("segment from the {} that does not acknowledge it", side(who.other())),
    )
    .shows(Some(it.until), "last retransmission")
    .about(connection)
}
