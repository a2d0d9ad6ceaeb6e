//! The same bytes were sent repeatedly, and the other side did not answer.

use std::time::Duration;

use super::{checksum_wrong, path_mtu_blackhole};
use crate::analysis::connection::{
    Connection, ConnectionOutcome, FailedReason, How, Opening, ResetKind, UnansweredSegments, Who,
    beside,
};
use crate::base::certainty::Certainty;
use crate::base::frame_ref::FrameRef;
use crate::protocol::http::Message;
use crate::rules::Severity;
use crate::rules::classify::ending;
use crate::rules::keep_alive::idle_state_lost::IDLE;
use crate::rules::lost_data::lost_data;
use crate::rules::rule::{Check, Verdict, rule};
use crate::rules::statement::{Sentence, Statement, Value, sentence};
use crate::rules::stuck_segments::largest_through;
use crate::rules::unanswered::{lost_between_places, silence};
use crate::rules::wording::{named, not_yet, side, tell};

rule! {
    /// # What happened
    ///
    /// One side retransmitted the same bytes at growing intervals. The other side did not answer any more: no
    /// acknowledgement, no FIN, no RST. Data that nobody had acknowledged for a second when a RST ended the connection are
    /// reported as well: they were lost.
    ///
    /// # Why it matters
    ///
    /// The other host vanished during the connection (crashed, suspended, unplugged, moved), or the path to it broke. The
    /// sender hangs until its own timeout or the system's: about 15 minutes on Linux (`tcp_retries2`), or `TCP_USER_TIMEOUT`
    /// if a program has set it. Then its log says `ETIMEDOUT`, "connection timed out".
    ///
    /// # Remedy
    ///
    /// - *If only smaller segments had come through:* Clamp the maximum segment size (`--clamp-mss-to-pmtu`), where a ping of full
    ///   size (`ping -M do -s 1400`) gets no reply and a small one does.
    /// - *If the server's data was lost between two places:* Find what drops packets on the path from the server to the client:
    ///   a firewall, a NAT or a route.
    /// - *If the client's data was lost between two places:* Find what drops packets on the path from the client to the server:
    ///   a firewall, a NAT or a route.
    /// - *If the data had been acknowledged:* Look at the host that retransmits, and what stands before it, for what drops packets
    ///   that arrive: a wrong checksum (`nstat -az TcpInCsumErrors`), a local firewall, a policy of a virtual network. A second
    ///   capture on the other side of a suspected device shows which of them it is.
    /// - *If the data was not acknowledged:* Check the path to the host that stopped answering (a firewall, a NAT, a
    ///   route) and that host itself (a crash, a suspended machine). A second capture at that host shows which of them it is.
    /// - *If no other place shows that data was lost:* Also let the sender notice sooner: set a request timeout or
    ///   `TCP_USER_TIMEOUT`.
    ///
    /// # Tell it by
    ///
    /// The same bytes are retransmitted at growing intervals, and no ACK, FIN or RST comes back.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /1             -->
    ///  0.220  again              -->
    ///  0.620  again              -->
    ///  1.420  again              -->
    ///  3.020  again              -->
    ///  6.220  again              -->
    ///  => teardown nobody silence waiting
    /// ```
    ///
    /// # Not this
    ///
    /// A loss that was repaired in the end:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /1             -->
    ///  0.220  again              -->
    ///  0.620  again              -->
    ///  1.420  again              -->
    ///  3.020  again              -->
    ///  3.040                     <--  200 "hello"
    ///  3.050  ACK                -->
    /// ```
    ///
    /// Only one direction was captured, so answers are not visible:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <~~  SYN
    ///  0.020  GET /1             -->
    ///  0.220  again              -->
    ///  0.620  again              -->
    ///  1.420  again              -->
    ///  3.020  again              -->
    /// ```
    ///
    /// # References
    ///
    /// RFC 9293 §3.8.3 (R1, R2); RFC 6298 §5.
    pub(in crate::rules) RULE: "retransmissions-exhausted", Severity::Error,
    "the same bytes are retransmitted, and no answer comes", Check::Connection(check)
}

/// Retransmissions of the oldest bytes among them: a probe repeats the last bytes first (RFC 8985 §7).
const SAME: u16 = 2;
/// Retransmissions; fewer at the end of a short capture may still be answered.
const REPETITIONS: u16 = 3;

/// Data that was never acknowledged, though few or no repetitions of it were captured: the RST that ended the connection
/// proves that it was lost. What a rule says of that RST is said there.
fn never_acknowledged(connection: &Connection) -> Verdict {
    let lost = connection.outcome == ConnectionOutcome::Failed(FailedReason::BytesLost);
    let untaken = connection.syn_acks > 1 && connection.taken.is_none();
    let said = ending(connection).is_some() || lost_data(connection).is_some();
    let sent = [Who::Server, Who::Client].into_iter().find_map(|who| {
        let sent = connection.in_flight(who)?;
        Some((who, sent, connection.waited_unacknowledged(who)?))
    });
    let Some((who, sent, waited)) = sent.filter(|_| lost && !untaken && !said) else {
        return not_yet(connection);
    };
    let events = connection.reset.iter().flatten();
    let reset = events.map(|it| it.frame_ref).find(|it| *it > sent.since);
    tell(
        &RULE,
        Severity::Error,
        Certainty::Likely,
        "Data on [a connection|# connections] was never acknowledged",
        match sent.acknowledged {
            None => sentence!(
                "The {} sent {}, and the {} had not acknowledged them when the connection was reset, {} later.",
                side(who),
                Value::exact_bytes(sent.bytes),
                side(who.other()),
                waited
            ),
            Some(_) => sentence!(
                "The {} had sent {} that were not acknowledged when the connection was reset, {} after the {}'s last acknowledgement.",
                side(who),
                Value::exact_bytes(sent.bytes),
                waited,
                side(who.other())
            ),
        },
    )
    .presumes(Some("These bytes were lost on the way."))
    .shows(
        Some(sent.since).filter(|_| sent.acknowledged.is_none()),
        "data that was not acknowledged",
    )
    .shows(
        sent.acknowledged,
        format!("last acknowledgement from the {}", side(who.other())),
    )
    .shows(reset, "RST")
    .about(connection)
}

/// Over at least this time, retransmissions are not those of one loss.
const LASTED: Duration = Duration::from_secs(1);

/// Data that was repeated and never acknowledged, though the other side was alive, or its last acknowledgement before was not
/// captured. What a rule says of the close that followed is said there.
fn never_taken(connection: &Connection) -> Option<Verdict> {
    let lost = connection.outcome == ConnectionOutcome::Failed(FailedReason::Silence);
    let damaged = checksum_wrong::dropped(connection).is_some();
    let said = ending(connection).is_some_and(|it| it.exchange.is_some())
        || path_mtu_blackhole::is_one(connection)
        || damaged;
    let unanswered = connection.unanswered.as_deref().filter(|_| lost && !said)?;
    let (who, it) = Who::BOTH.into_iter().find_map(|who| {
        let it = &unanswered[who as usize];
        let data = it.count.saturating_sub(it.probes);
        let lasted = it.until.time.since(it.since.time) >= LASTED;
        // A probe repeats the last bytes first.
        let enough = it.same >= SAME || data > REPETITIONS;
        (data >= REPETITIONS && enough && lasted).then_some((who, it))
    })?;
    let (name, other) = (side(who), side(who.other()));
    let again = match it.same >= SAME {
        true => sentence!(
            "The {} retransmitted {} {} over {}.",
            name,
            what(connection, who, it.since),
            Value::count(it.same.into(), "time", "times"),
            it.until.time.since(it.again.max(it.since).time)
        ),
        false => sentence!(
            "The {} sent {} again over {}.",
            name,
            Value::count(it.count.into(), "segment", "segments"),
            it.until.time.since(it.since.time)
        ),
    };
    let fin = connection.fin[who.other() as usize].map(|fin| fin.frame_ref);
    let left = fin.filter(|fin| *fin > it.since).map(|fin| {
        sentence!(
            "The {} closed {} after the first copy and acknowledged none of them.",
            other,
            fin.time.since(it.since.time)
        )
    });
    let missing = connection.has_holes() || connection.opening == Opening::Midstream;
    let told = tell(
        &RULE,
        Severity::Error,
        match missing || left.is_none() {
            true => Certainty::Possible,
            false => Certainty::Likely,
        },
        "Data on [a connection|# connections] was never acknowledged",
        again,
    )
    .adds(left)
    .presumes(Some(sentence!(
        "What the {} sent was lost on the way to the {}.",
        name,
        other
    )))
    .shows(Some(it.since), "first copy")
    .shows(Some(it.until), "last retransmission")
    .shows(
        fin.filter(|fin| *fin > it.since),
        format!("FIN from the {other}, without an acknowledgement of the data"),
    );
    Some(told.about(connection))
}

/// The capture ends while two retransmissions are unanswered. Chance loses no three segments over so long a time.
const LONG: Duration = Duration::from_secs(10);

/// A connection that hangs at the end of the capture: few retransmissions, far apart.
fn few(connection: &Connection) -> Option<Verdict> {
    let unanswered = connection.unanswered.as_deref()?;
    let seen = connection.sent.iter().all(|it| it.packets > 0);
    let open = connection.teardown.how == How::Open
        && matches!(connection.opening, Opening::Handshake | Opening::Midstream);
    let (who, it) = Who::BOTH.into_iter().find_map(|who| {
        let it = &unanswered[who as usize];
        let alone = it.same >= SAME && it.probes == 0 && it.length > 0;
        let silent = it.peer_last_sent <= it.since && it.acknowledged.is_none();
        let long = connection.until.since(it.since.time) >= LONG
            && it.until.time.since(it.since.time) >= LONG / 2;
        (alone && silent && long).then_some((who, it))
    })?;
    let told = tell(
        &RULE,
        Severity::Warning,
        Certainty::Possible,
        "Retransmissions on [a connection|# connections] got no answer",
        sentence!(
            "The {} retransmitted {} {} over {}. Nothing came from the {} until the capture ended, {} after the first copy.",
            side(who),
            what(connection, who, it.since),
            Value::count(it.same.into(), "time", "times"),
            it.until.time.since(it.again.time),
            side(who.other()),
            connection.until.since(it.since.time)
        ),
    );
    let told = told
        .presumes(Some(why(connection, who, it)))
        .shows(
            Some(it.peer_last_sent),
            format!("last segment from the {}", side(who.other())),
        )
        .shows(Some(it.again), "first retransmission")
        .shows(Some(it.until), "last retransmission");
    (seen && open).then(|| told.about(connection))
}

/// How long the sender has been silent after its last retransmission, if the next one was due: each interval is twice the
/// one before (RFC 6298 §5.5), so that it is little longer than all before it together.
fn stopped(connection: &Connection, it: &UnansweredSegments) -> Option<Duration> {
    let silent = connection.until.since(it.until.time);
    let due = it.until.time.since(it.again.time) * 2 + DELAY;
    (it.same >= REPETITIONS && silent > due && connection.reset == [None; 2]).then_some(silent)
}

/// What a timer may be late by.
const DELAY: Duration = Duration::from_secs(1);

/// The longest close_notify, in any cipher.
const GOODBYE: u32 = 128;

/// A path that fails for less, as in a handover, comes back before most programs notice.
const SHORT_OUTAGE: Duration = Duration::from_secs(5);

/// What followed on the last retransmission.
fn afterwards(connection: &Connection, who: Who, it: &UnansweredSegments) -> Option<Sentence> {
    let (name, other) = (side(who), side(who.other()));
    let later = |at: FrameRef| at.time.since(it.until.time);
    let left = connection.fin[who.other() as usize].map(|fin| fin.frame_ref);
    let left = left.filter(|fin| *fin > it.until);
    let reset = Who::BOTH.into_iter().find_map(|by| {
        let reset = connection.reset[by as usize]?;
        (reset.frame_ref > it.until).then_some((by, reset))
    });
    if let Some(silent) = stopped(connection, it) {
        return Some(match lasted_long(it) {
            true => sentence!(
                "Then the {} sent nothing for {}, though the next retransmission was due: its operating system had timed out, or the host was gone.",
                name,
                silent
            ),
            false => sentence!(
                "Then the {} sent nothing for {}, though the next retransmission was due. No operating system times out so soon by default.",
                name,
                silent
            ),
        });
    }
    match (left, reset) {
        (Some(fin), Some((by, reset))) if by == who && reset.frame_ref > fin => {
            Some(match reset.kind {
                Some(ResetKind::NoSocket) => sentence!(
                    "The {} closed {} after the last retransmission. The {}'s host answered with a RST: by then that host had dropped \
                 the connection.",
                    other,
                    later(fin),
                    name
                ),
                _ => sentence!(
                    "The {} closed {} after the last retransmission, and the {} answered with a RST.",
                    other,
                    later(fin),
                    name
                ),
            })
        }
        (Some(fin), _) => Some(sentence!(
            "The {} closed {} after the last retransmission.",
            other,
            later(fin)
        )),
        (None, Some((by, reset))) => Some(sentence!(
            "The {} reset the connection {} after the last retransmission.",
            side(by),
            later(reset.frame_ref)
        )),
        (None, None) => goes_on(connection, it).then(|| {
            sentence!(
                "The {} was still retransmitting when the capture ended.",
                name
            )
        }),
    }
}

/// Whether a side's operating system has given up retransmitting: the next retransmission was due, and did not come.
pub(in crate::rules) fn is_given_up(connection: &Connection, it: &UnansweredSegments) -> bool {
    stopped(connection, it).is_some() && lasted_long(it)
}

/// What the operating system that times out first retransmits for: Windows, five times from 0.3 s on.
const SHORTEST_LIMIT: Duration = Duration::from_secs(9);

/// Whether retransmissions lasted as long as an operating system waits at least.
fn lasted_long(it: &UnansweredSegments) -> bool {
    it.until.time.since(it.since.time) >= SHORTEST_LIMIT
}

/// Whether a side was still retransmitting when the capture ended: its system has not given up.
pub(in crate::rules) fn goes_on(connection: &Connection, it: &UnansweredSegments) -> bool {
    // Of a side that was never seen nothing was the last.
    let heard = it.peer_last_sent.time.max(connection.first.time);
    let lasted = it.until.time.since(heard);
    connection.teardown.how == How::Open
        || stopped(connection, it).is_none() && lasted < SHORT_OUTAGE
}

fn check(connection: &Connection) -> Verdict {
    let Some((who, it)) = silence(connection) else {
        return few(connection)
            .or_else(|| never_taken(connection))
            .unwrap_or_else(|| never_acknowledged(connection));
    };
    if it.idle >= IDLE || it.count < REPETITIONS || path_mtu_blackhole::is_one(connection) {
        return Verdict::Clear;
    }
    if it.same < SAME {
        return never_taken(connection).unwrap_or(Verdict::Clear);
    }
    let missing = connection.sent[who.other() as usize].missing > 0;
    let stopped = stopped(connection, it);
    let certainty = if (it.count > REPETITIONS || stopped.is_some()) && !missing {
        Certainty::Likely
    } else {
        Certainty::Possible
    };
    // A side that has closed and is gone needs no more data; at most the sender's socket lingers.
    let left = connection.fin[who.other() as usize].is_some_and(|fin| fin.frame_ref <= it.again);
    let others = it.count.saturating_sub(it.same);
    let others = (others > 0).then(|| {
        sentence!(
            "The {} also retransmitted {} with later bytes.",
            side(who),
            Value::count(others.into(), "segment", "segments")
        )
    });
    let lost = lost_between_places(connection) == Some(who);
    // The next one was not due when the capture ended, and the path may have come back.
    let open = connection.teardown.how == How::Open;
    let goes_on = goes_on(connection, it);
    let left_before = left.then(|| sentence!("The {} had closed before.", side(who.other())));
    // A side that did not wait for `close_notify` does not need it.
    let goodbye = connection.tls.as_deref().is_some_and(|facts| {
        let mut flows = facts.flows.iter();
        it.length <= GOODBYE && flows.any(|flow| flow.close_notify.frame_ref().is_some())
    });
    let unheard = connection.sent[who.other() as usize].packets == 0;
    // Nor does one that says it with its own FIN lose anything.
    let parting = connection.fin[who as usize].is_some_and(|fin| fin.frame_ref >= it.since);
    let again = sentence!(
        "The {} retransmitted {} {} over {}.",
        side(who),
        what(connection, who, it.since),
        Value::count(it.same.into(), "time", "times"),
        it.until.time.since(it.again.max(it.since).time)
    );
    let (summary, message) = match (lost, it.acknowledged) {
        (false, Some(at)) => (
            "Acknowledged data on [a connection|# connections] was retransmitted",
            Statement::from(again).and(sentence!(
                "The {} had acknowledged that before the first retransmission ({}).",
                side(who.other()),
                at
            )),
        ),
        (false, None) if unheard => (
            "Retransmissions on [a connection|# connections] got no answer",
            Statement::from(again).and(sentence!(
                "The capture holds no segment from the {} on this connection.",
                side(who.other())
            )),
        ),
        (false, None) => (
            "Retransmissions on [a connection|# connections] got no answer",
            Statement::from(again).and(sentence!(
                "Nothing came from the {} in that time: its last segment had come {} before the last retransmission.",
                side(who.other()),
                it.until.time.since(it.peer_last_sent.time)
            )),
        ),
        (true, _) => {
            let (summary, message) = all_lost(connection, who, it);
            (summary, message.and(again))
        }
    };
    tell(
        &RULE,
        match left {
            _ if goodbye && (left || parting) => Severity::Note,
            true => Severity::Warning,
            false if goes_on && !lost => Severity::Warning,
            false => Severity::Error,
        },
        match (open, lost) {
            (false, true) => Certainty::Certain,
            (false, false) => certainty,
            (true, _) => Certainty::Possible,
        },
        summary,
        message,
    )
    .adds(others)
    .adds(largest_through(connection).map(|size| {
        sentence!(
            "Of what it had sent, no segment of more than {} had come through: larger packets may be lost on the way.",
            Value::exact_bytes(size.into())
        )
    }))
    .adds(afterwards(connection, who, it))
    .adds(left_before)
    .presumes(match (lost, open) {
        (false, _) => Some(why(connection, who, it)),
        // A copy that arrives after the end of the capture is not seen.
        (true, true) => Some("Later copies are lost in the same way.".into()),
        (true, false) => None,
    })
    .shows(
        it.acknowledged,
        format!("the {} acknowledges the data", side(who.other())),
    )
    .shows(
        Some(it.peer_last_sent)
            .filter(|last| !unheard && it.acknowledged.is_none_or(|at| *last > at)),
        format!("last segment from the {}", side(who.other())),
    )
    .shows(Some(it.again), "first retransmission")
    .shows(Some(it.until), "last retransmission")
    .about(connection)
}

/// What a side sent first at this time: its request, its response, or data of which no more is known.
fn what(connection: &Connection, who: Who, since: FrameRef) -> Value {
    let holds = |it: &Message| it.first <= since && since <= it.last;
    let mut spoken = connection.spoken().iter();
    let named = match who {
        Who::Client => spoken
            .find(|it| it.request.as_ref().is_some_and(|it| holds(&it.message)))
            .map(named),
        Who::Server => spoken
            .find(|it| it.response.as_ref().is_some_and(|it| holds(&it.message)))
            .map(|it| format!("its response to {}", named(it))),
    };
    Value::named(named.unwrap_or_else(|| "the same data".to_owned()))
}

/// Why no answer came, as far as one place of capture shows.
fn why(connection: &Connection, who: Who, it: &UnansweredSegments) -> Sentence {
    let (name, other) = (side(who), side(who.other()));
    let closed = connection.fin[who.other() as usize].map(|fin| fin.frame_ref);
    if it.acknowledged.is_some() {
        return sentence!(
            "That acknowledgement, and what came with it, did not reach the {}'s operating system, or was dropped there.",
            name
        );
    }
    match closed {
        Some(fin) if fin <= it.again => sentence!(
            "The {}'s host, or a device in front of it, dropped what came after that close.",
            other
        ),
        Some(fin) if fin > it.until => {
            sentence!("The path from the {} to the {} was broken.", name, other)
        }
        _ if beside(connection) == Some(who.other()) => sentence!(
            "The {}'s host was gone, or its network was down: the capture was taken beside it, after every router on the way.",
            other
        ),
        _ => sentence!(
            "The {}'s host was gone, or the path between the two was broken.",
            other
        ),
    }
}

/// That no copy of the data arrived at the place of capture that is nearer to the other side.
fn all_lost(
    connection: &Connection,
    who: Who,
    it: &UnansweredSegments,
) -> (&'static str, Statement) {
    let copies = Value::count(u64::from(it.same) + 1, "copy", "copies");
    // The response is what the client waited for; what else was lost has no name.
    let mut spoken = connection.spoken().iter();
    let waited = spoken.any(|it| it.request.is_some());
    let answer =
        who == Who::Server && waited && connection.sent[Who::Server as usize].acknowledged == 0;
    let (summary, message) = match (answer, who) {
        (true, _) => (
            "[Server's response|Responses on # connections] never reached the client",
            sentence!(
                "The server's response never reached the client: all {} left the server, and none arrived.",
                copies
            ),
        ),
        (false, Who::Server) => (
            "[Server's data|Data on # connections] never reached the client",
            sentence!(
                "Data from the server never reached the client: all {} left the server, and none arrived.",
                copies
            ),
        ),
        (false, Who::Client) => (
            "[Client's data|Data on # connections] never reached the server",
            sentence!(
                "Data from the client never reached the server: all {} left the client, and none arrived.",
                copies
            ),
        ),
    };
    let message = Statement::from(message);
    let lost = connection.passages(who).last_lost;
    (
        summary,
        match lost {
            Some(last) => message.and(sentence!(
                "The copies were lost between {}.",
                Value::between(last.frame)
            )),
            None => message,
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::{ladder_check, log_errors};

    #[test]
    fn only_the_same_bytes_are_counted_as_the_same() {
        let two = "GET / -->\n<-- 200 data 1000 [length=2000 lost]\n<-- data 1000 [lost]";
        let text = format!(
            "SYN -->\n<-- SYN\nACK -->\n{two}\n+300ms <-- 200 data 1000 [length=2000 seq=1 lost]\n\
             +600ms <-- 200 data 1000 [length=2000 seq=1 lost]\n+900ms <-- again [lost]\n+1800ms <-- again [lost]"
        );
        let told = ladder_check::told_by(&RULE, &text).unwrap_or_default();
        assert!(told.contains(" 4 times over"), "{told}");
        let tail = format!(
            "SYN -->\n<-- SYN\nACK -->\n{two}\n+300ms <-- again [lost]\n+600ms <-- again [lost]\n+900ms <-- again [lost]"
        );
        let told = ladder_check::told_by(&RULE, &tail);
        assert_eq!(told, None, "the last bytes are not the oldest");
    }

    /// A client that closes has not acknowledged what it did not get; a capture without bare acknowledgements shows no older one.
    #[test]
    fn what_was_never_acknowledged_is_told_of_a_side_that_is_alive() {
        let ask = "SYN -->\n<-- SYN\nGET / -->\n";
        let again = "+300ms <-- again [lost]\n+600ms <-- again [lost]\n";
        let lost = |head: &str| {
            format!(
                "{ask}<-- 200 data 300 [lost {head}]\n{again}+900ms FIN -->\n<-- ACK\n+300ms <-- again [lost]\n+2s <-- again [lost]"
            )
        };
        let told = ladder_check::told_by(&RULE, &lost("head=400 cut=60")).expect("found");
        assert!(
            told.contains("The client closed 1.80 s after the first copy and acknowledged none"),
            "{told}"
        );
        // What the client did is told by another rule, where the response is read.
        assert_eq!(ladder_check::told_by(&RULE, &lost("")), None);
        let turns = "\"\\x01a\" -->\n<-- \"\\x02b\"\n";
        let text = format!(
            "SYN -->\n<-- SYN\n{turns}data 9 -->\n+2s data 8 [lost] -->\n{}",
            "+400ms again [lost] -->\n".repeat(5)
        );
        let told = ladder_check::told_by(&RULE, &text).expect("found");
        assert!(told.contains("sent 5 segments again over 4.00 s"), "{told}");
    }

    #[test]
    fn a_sender_that_stops_has_timed_out() {
        let text = |end: &str| {
            format!(
                "SYN -->\n<-- SYN\nGET / -->\n<-- 200 data 1000 [length=2000 lost]\n+200ms <-- again [lost]\n\
                 +400ms <-- again [lost]\n+800ms <-- again [lost]\n\
                 client 10.0.0.9:40001 server 10.0.0.2:80\n{end} SYN -->\n<-- SYN\nACK -->\nFIN -->\n<-- FIN\nACK -->"
            )
        };
        let told = |end: &str| ladder_check::told_by(&RULE, &text(end)).unwrap_or_default();
        assert!(
            told("+5s").contains("sent nothing for 5.0"),
            "{}",
            told("+5s")
        );
        assert!(!told("+3s").contains("sent nothing"), "{}", told("+3s"));
    }

    /// Windows retransmits for 9 s, others for minutes.
    #[test]
    fn an_operating_system_does_not_time_out_at_once() {
        let sockets = |first: u32| {
            let mut text = "SYN -->\n<-- SYN\nACK -->\nGET / [lost] -->\n".to_owned();
            let waits = (0..6).map(|nth| first << nth);
            waits.for_each(|wait| text += &format!("+{wait}ms again [lost] -->\n"));
            text += "client 10.0.0.9:40001 server 10.0.0.2:80\n+150s SYN -->\n<-- SYN\nACK -->\nFIN -->\n<-- FIN\nACK -->";
            let proof = ladder_check::run(&text.parse().expect("a ladder"));
            let told = ladder_check::told_by(&RULE, &text).expect("found");
            let side = log_errors::system(&proof.connections[0], Who::Client);
            let met = log_errors::socket(&proof.connections[0], Who::Client, side);
            (told, met.and_then(|it| it.error()))
        };
        let (told, error) = sockets(100);
        assert!(told.contains("times out so soon"), "{told}");
        assert_eq!(error, None);
        let (told, error) = sockets(300);
        assert!(told.contains("had timed out"), "{told}");
        assert!(error.is_some_and(|it| it.contains("TIMEDOUT")));
    }

    /// An upload whose receiver has nothing to say: whether it is alive is not known.
    #[test]
    fn segments_that_are_too_large_are_a_possible_cause() {
        let again = |times: usize| "+600ms again [lost] -->\n".repeat(times);
        let open = "SYN -->\n<-- SYN\nPOST / [length=9000] -->\n<-- ACK\n";
        let stuck = format!("{open}data 1400 [lost] -->\n{}", again(6));
        let told = ladder_check::found_by(&RULE, &stuck).expect("found");
        assert!(
            told.message.contains("larger packets may be lost"),
            "{}",
            told.message
        );
        assert!(
            told.remedies.iter().any(|it| it.contains("ping")),
            "{:?}",
            told.remedies
        );
        let before = format!(
            "{open}data 1400 -->\n<-- ACK\ndata 1400 [lost] -->\n{}",
            again(6)
        );
        let told = ladder_check::found_by(&RULE, &before).expect("found");
        assert!(!told.message.contains("larger packets"), "{}", told.message);
    }

    #[test]
    fn a_connection_that_hangs_at_the_end_is_a_note() {
        let told = |pause: &str| {
            let text = format!(
                "SYN -->\n<-- SYN\nACK -->\ndata 900 -->\n<-- ACK [win=100]\ndata 100 [lost] -->\n{pause} again [lost] -->\n\
                 {pause} again [lost] -->"
            );
            ladder_check::found_by(&RULE, &text).map(|it| (it.severity, it.message.to_string()))
        };
        let (severity, message) = told("+5500ms").expect("found");
        assert_eq!(severity, Severity::Note);
        assert!(message.contains("2 times over 5.50 s"), "{message}");
        assert_eq!(told("+300ms"), None, "soon repaired");
    }

    #[test]
    fn a_side_that_has_closed_and_left_lost_nothing() {
        for (last, severity) in [
            ("GET / -->", Severity::Error),
            ("GET / FIN -->", Severity::Warning),
        ] {
            let again = "+1400ms <-- again [lost]\n".repeat(5);
            let text = format!("SYN -->\n<-- SYN\n{last}\n<-- 200 \"x\" [lost]\n{again}");
            let all = ladder_check::run(&text.parse().expect("a ladder")).findings;
            let own = all.iter().find(|it| it.rule == RULE.name);
            assert_eq!(own.map(|it| it.severity), Some(severity), "{last}");
        }
    }

    #[test]
    fn a_close_notify_that_nobody_waited_for_is_a_note() {
        let again = "+1400ms <-- again [lost]\n".repeat(5);
        let text = format!(
            "SYN -->\n<-- SYN\nClientHello [sni=a version=1.2] -->\n<-- ServerHello Certificate [name=a] ServerHelloDone\n\
             KeyExchange Finished -->\n<-- Finished\napp 300 -->\n<-- app 900\nclose_notify FIN -->\n\
             <-- close_notify FIN [lost]\n{again}"
        );
        let all = ladder_check::run(&text.parse().expect("a ladder")).findings;
        let own = all.iter().find(|it| it.rule == RULE.name);
        assert!(
            own.is_none_or(|it| it.severity == Severity::Note),
            "{own:?}"
        );
    }
}
