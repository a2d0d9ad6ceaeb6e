//! A RST that was not sent by the host whose address it carries.

use std::time::Duration;

use crate::analysis::connection::{
    CloseEvent, Connection, OddSegments, Oddity, ResetKind, ResetSigns, Who,
};
use crate::base::certainty::Certainty;
use crate::base::frame_ref::FrameNumber;
use crate::rules::Severity;
use crate::rules::measured_time;
use crate::rules::rule::{Check, Diagnosis, Verdict, rule};
use crate::rules::statement::{Sentence, Statement, Value, sentence};
use crate::rules::wording::{named, repetition, side, tell};

rule! {
    /// # What happened
    ///
    /// A RST carries the address of one side, but that side did not send it. It comes from another distance, has another
    /// numbering, or lacks options that all other segments of that side have. Or that side goes on as if nothing had
    /// happened. A device between the two sent it.
    ///
    /// # Why it matters
    ///
    /// Each side believes that the other one reset the connection, and finds nothing in its own log. Firewalls, intrusion
    /// prevention, content filters and load balancers do this: by policy, because of a name or word in the first bytes, or
    /// because they have forgotten the connection.
    ///
    /// # Remedy
    ///
    /// - *If one place alone was captured:* Capture at the server as well, and give both files: a RST that the client receives
    ///   and the server never sent is the proof.
    /// - Look for the device. The TTL hints at how far away it is (senders start from 64, 128 or 255). What the connections
    ///   have in common shows why: a name, an address, an idle time.
    /// - *If the lost data came after an idle time of 30 s or more:* Set a TCP keep-alive time shorter than the limit on
    ///   the way, or give the device a longer idle timeout.
    /// - Ask the operator of the device to look in its log.
    ///
    /// # Tell it by
    ///
    /// The RST has another TTL than the server's other segments, or lacks their TCP timestamps, or comes sooner than any other
    /// answer of the server. The server may go on sending after it.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /report        -->
    ///  0.021                     <--  RST [ttl=249 id=4660]
    ///  0.030                     <--  ACK
    ///  0.031  RST [noack]        -->
    ///  => teardown middlebox reset foreign waiting
    /// ```
    ///
    /// # Not this
    ///
    /// A RST with the TTL and the numbering of the host:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /report        -->
    ///  0.030                     <--  ACK
    ///  0.040                     <--  RST
    /// ```
    ///
    /// A TTL that differs by one or two, because containers and NAT gateways count as hops:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /report        -->
    ///  0.030                     <--  ACK
    ///  0.040                     <--  RST [ttl=62]
    /// ```
    ///
    /// A RST of a closed socket has the IP identification 0 on Linux:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET / [close]      -->
    ///  0.040                     <--  200 "hello" [close]
    ///  0.041                     <--  FIN
    ///  0.050  "\r\n"             -->
    ///  0.060                     <--  RST [noack id=0]
    /// ```
    ///
    /// A whole route that changes, so that other segments just before or after the RST have the new distance too:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /report        -->
    ///  0.030                     <--  ACK [ttl=58]
    ///  0.040                     <--  RST [ttl=58]
    /// ```
    ///
    /// A load balancer at the place of the server, whose TTL begins with another value: 255 − 242 and 128 − 115 are the same distance.
    ///
    /// ```ladder
    ///         client                  server [ttl=115]
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /              -->
    ///  0.030                     <--  200 "hello"
    ///  0.040  ACK                -->
    /// 60.000                     <--  RST [ttl=242]
    /// ```
    ///
    /// A scanner that makes its own segments, and the operating system beside it, which knows of no connection:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN [ttl=49]       -->
    ///  0.010                     <--  SYN
    ///  0.011  RST [noack ttl=64] -->
    /// ```
    ///
    /// The same, and its program goes on after that RST:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.011  RST [noack]        -->
    ///  9.000  GET /              -->
    ///  9.010                     <--  RST [noack]
    /// ```
    ///
    /// The client's direction was not captured: what it had sent is not known.
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                ~~>
    ///  0.010                     <--  SYN
    ///  0.020  "ask for it"       ~~>
    ///  0.040                     <--  RST
    /// ```
    ///
    /// On one host there is no device between the two:
    ///
    /// ```ladder
    ///         client 127.0.0.29:15308 server 127.0.0.21:1024
    ///  0.000  SYN                -->
    ///  0.001                     <--  SYN
    ///  0.002  "ask"              -->
    ///  0.003                     <--  RST
    ///  0.004                     <--  "reply"
    ///  0.005  ACK                -->
    /// ```
    ///
    /// # References
    ///
    /// RFC 9293 §3.10.7 (what a host sends); RFC 7323 §3.2 (timestamps on RST); RFC 3360 (inappropriate resets).
    pub(in crate::rules) RULE: "reset-injected", Severity::Error,
    "a RST does not come from the host whose address it carries", Check::Connection(check)
}

fn check(connection: &Connection) -> Verdict {
    let foreign = Who::BOTH.into_iter().filter_map(|who| {
        let ignored = connection.ignored_reset(who);
        let ignored = ignored.filter(|event| is_ignored(connection, who, event));
        let event = ignored.or(connection.reset[who as usize])?;
        let foreign = event.kind == Some(ResetKind::Foreign);
        // If the kind of RST alone does not show it, two signs do.
        let manner = ResetSigns::NUMBERING.with(ResetSigns::OPTIONS);
        let scored = (event.signs.show_another_sender() || event.signs.has(manner))
            && event.signs.count() >= 2
            && !matches!(event.kind, Some(ResetKind::Stale | ResetKind::Refusal));
        let odd = is_late_forgery(connection, who, &event) || is_ignored(connection, who, &event);
        let doubted = foreign || scored || odd;
        (doubted && !was_over(connection, who, &event)).then_some((who, event))
    });
    // Some devices reset both sides.
    let foreign = foreign.min_by_key(|(_, event)| event.frame_ref);
    // A side that had already closed lost nothing.
    let within_host = connection.client.ip == connection.server.ip
        || connection.client.ip.is_loopback()
        || connection.server.ip.is_loopback();
    match foreign {
        Some((who, event))
            if !within_host
                && connection
                    .fin
                    .iter()
                    .flatten()
                    .all(|fin| fin.frame_ref > event.frame_ref) =>
        {
            Verdict::Found(Box::new(story(connection, who, event)))
        }
        _ => before_answer(connection),
    }
}

/// Whether this is a RST that came before the answer to a SYN, from another distance than all other segments of its host.
pub(super) fn is_from_elsewhere(connection: &Connection, who: Who, odd: &OddSegments) -> bool {
    let (low, high) = connection.sent[who as usize].ttls;
    let within_host = connection.client.ip == connection.server.ip
        || connection.client.ip.is_loopback()
        || connection.server.ip.is_loopback();
    let known = connection.sent[who as usize].packets > u64::from(odd.count) && low > 0;
    odd.kind == Oddity::EarlyReset && known && !within_host && !(low..=high).contains(&odd.ttl)
}

/// A RST before the answer to the SYN that does not acknowledge it, from another distance: its receiver ignores it.
fn before_answer(connection: &Connection) -> Verdict {
    let mut early = Who::BOTH.into_iter().filter_map(|who| {
        let mut odd = connection.oddities[who as usize].iter();
        let odd = odd.find(|odd| is_from_elsewhere(connection, who, odd))?;
        Some((who, odd))
    });
    let Some((who, odd)) = early.next() else {
        return refused_and_accepted(connection);
    };
    let name = side(who);
    let (low, high) = connection.sent[who as usize].ttls;
    let message = Statement::from(sentence!(
        "A RST with the {}'s address came before the answer to the SYN. It does not acknowledge the SYN, so its receiver ignores it.",
        name
    ))
    .and(ttls(name, odd.ttl, low, high, odd.last.frame))
    .means("A capture on the other side of the suspected device would settle it.");
    tell(
        &RULE,
        Severity::Warning,
        Certainty::Possible,
        "[A reset|# resets] may come from a device on the way",
        message,
    )
    .presumes(Some(sentence!("The {} did not send it.", name)))
    .shows(
        Some(odd.first),
        format!("RST with the {name}'s address, TTL {}", odd.ttl),
    )
    .shows(
        connection.last_syn[who as usize],
        format!("SYN-ACK from the {name}"),
    )
    .about(connection)
}

/// A RST refused the SYN, and after that the server accepted the same SYN: one host does not do both.
fn refused_and_accepted(connection: &Connection) -> Verdict {
    let [called, accepted] = connection.last_syn;
    let refusal = connection.reset[Who::Server as usize]
        .filter(|event| event.kind == Some(ResetKind::Refusal));
    let Some((refusal, (called, accepted))) = refusal.zip(called.zip(accepted)) else {
        return Verdict::Clear;
    };
    if called > refusal.frame_ref || accepted < refusal.frame_ref {
        return Verdict::Clear;
    }
    let message = Statement::from(sentence!(
        "A RST with the server's address refused the SYN. {} later the server accepted the same SYN, and the connection was opened.",
        accepted.time.since(refusal.frame_ref.time)
    ))
    .means("A capture on the other side of the suspected device would settle it.");
    tell(
        &RULE,
        Severity::Warning,
        Certainty::Possible,
        "[A reset|# resets] may come from a device on the way",
        message,
    )
    .presumes(Some("Another device or host sent one of the two answers."))
    .shows(Some(refusal.frame_ref), "RST that refuses the SYN")
    .shows(Some(accepted), "SYN-ACK from the server")
    .about(connection)
}

/// How the TTL of a RST differs from those of the host whose address it carries, all of them as the file shows them that has the
/// RST.
fn ttls(name: &'static str, own: u8, low: u8, high: u8, frame: FrameNumber) -> Sentence {
    let ttl = |ttl| Value::hop_limit(ttl, frame);
    match low == high {
        true => sentence!(
            "The RST's TTL is {}; all other segments from the {} have {}: another sender, or another route.",
            ttl(own),
            name,
            ttl(low)
        ),
        false => sentence!(
            "The RST's TTL is {}; all other segments from the {} have {} to {}: another sender, or another route.",
            ttl(own),
            name,
            ttl(low),
            ttl(high)
        ),
    }
}

/// Whether a RST that its receiver ignored, because others had overtaken it, has no other explanation: its place among the host's
/// numbers, its identification and its TTL are all wrong.
fn is_late_forgery(connection: &Connection, who: Who, event: &CloseEvent) -> bool {
    event.kind == Some(ResetKind::Stale)
        && event
            .signs
            .has(ResetSigns::BEHIND.with(ResetSigns::NUMBERING))
        && connection.sent[who as usize].ttl != event.ttl
}

/// Whether the other side had reset the connection long before: whoever sent this RST, it ended nothing. A device that resets
/// both sides does so at once.
fn was_over(connection: &Connection, who: Who, event: &CloseEvent) -> bool {
    let other = connection.reset[who.other() as usize];
    other.is_some_and(|it| event.frame_ref.time.since(it.frame_ref.time) >= LONG_OVER)
}

/// No device that resets both sides takes longer.
const LONG_OVER: Duration = Duration::from_secs(1);

/// Whether a RST had no effect where it should have had one: the host whose address it carries went on, and the other side
/// answered.
fn is_ignored(connection: &Connection, who: Who, event: &CloseEvent) -> bool {
    let sent = connection.sent[who as usize].bytes > event.sent;
    // A client that tries again after a refusal may be accepted.
    let again = connection.last_syn[Who::Client as usize].is_some_and(|syn| syn > event.frame_ref);
    let goes_on = event.signs.has(ResetSigns::GOES_ON) && sent;
    event.kind == Some(ResetKind::Stale) && goes_on && !again
}

/// After a pause this long, a device may have forgotten the connection.
const LONG: Duration = Duration::from_secs(30);

/// How the RST differs, a sentence for each sign.
fn differences(connection: &Connection, who: Who, event: &CloseEvent) -> Vec<Sentence> {
    let name = side(who);
    let signs = event.signs;
    let (low, high) = connection.sent[who as usize].ttls;
    let mut all = Vec::new();
    if signs.has(ResetSigns::NOT_SENT) {
        all.push(sentence!(
            "The capture nearer to the {} does not have this RST, though it has what came before and after.",
            name
        ));
    }
    let elsewhere = signs.has(ResetSigns::DISTANCE) || !(low..=high).contains(&event.ttl);
    if low > 0 && elsewhere {
        all.push(ttls(name, event.ttl, low, high, event.frame_ref.frame));
    }
    if signs.has(ResetSigns::NUMBERING) {
        all.push(sentence!(
            "The RST's IP identification does not fit the {}'s numbering.",
            name
        ));
    }
    if signs.has(ResetSigns::OPTIONS) {
        all.push(sentence!(
            "The RST has no timestamp option; all other segments from the {} have one.",
            name
        ));
    }
    if let Some(least) = connection.round_trip[who as usize]
        && signs.has(ResetSigns::EARLY)
    {
        all.push(sentence!(
            "The RST acknowledges data sooner than the {} has ever answered: the fastest answer took {}.",
            name,
            least
        ));
    }
    if signs.has(ResetSigns::MIRRORED) {
        all.push(sentence!(
            "The RST carries the bytes that the {} had sent: it was made from that segment.",
            side(who.other())
        ));
    }
    if signs.has(ResetSigns::UNSENT) {
        all.push(sentence!(
            "The RST acknowledges bytes that the {} had not sent, as far as the capture shows.",
            side(who.other())
        ));
    }
    if signs.has(ResetSigns::PAIRED) {
        all.push(sentence!(
            "A RST with the {}'s address came at the same moment: devices that cut a connection reset both sides.",
            side(who.other())
        ));
    }
    if signs.has(ResetSigns::BEHIND) {
        all.push(sentence!(
            "The RST's sequence number is behind what the {} had already sent.",
            name
        ));
    }
    if signs.has(ResetSigns::GOES_ON) {
        all.push(sentence!(
            "The {} went on after the RST, which a host that has reset a connection does not do.",
            name
        ));
    }
    all
}

fn story(connection: &Connection, who: Who, event: CloseEvent) -> Diagnosis {
    let name = side(who);
    let signs = event.signs;
    // A single sign may have another cause: a changed route, a load balancer that answers for a host.
    let proven = signs.has(ResetSigns::NOT_SENT);
    let (severity, certainty) = match signs.count() {
        _ if proven => (Severity::Error, Certainty::Certain),
        _ if event.kind == Some(ResetKind::Stale) => (Severity::Warning, Certainty::Possible),
        _ if signs.has(ResetSigns::MIRRORED) => (Severity::Error, Certainty::Likely),
        // A load balancer in front of a server makes its RSTs in its own manner.
        _ if !signs.show_another_sender() && signs.count() > 1 => {
            (Severity::Warning, Certainty::Possible)
        }
        0 | 1 if signs.has(ResetSigns::GOES_ON) => (Severity::Error, Certainty::Likely),
        0 | 1 => (Severity::Warning, Certainty::Possible),
        _ => (Severity::Error, Certainty::Likely),
    };
    let mut message = Statement::from(sentence!(
        "A device on the way sent a RST with the {}'s address.",
        name
    ));
    for difference in differences(connection, who, &event) {
        message.say(difference);
    }
    let last = connection
        .exchanges
        .last()
        .and_then(|it| it.request.as_ref());
    if let Some(request) = last.filter(|it| it.message.last.time <= event.frame_ref.time) {
        message.say(sentence!(
            "The RST came {} after the request.",
            event.frame_ref.time.since(request.message.last.time)
        ));
    }
    let flight = connection.in_flight(who.other());
    if let Some(sent) = flight.filter(|it| it.idle >= LONG && it.since < event.frame_ref) {
        message.say(sentence!(
            "The RST answered the first data after {} of idle time: the device may have forgotten the connection.",
            sent.idle
        ));
        if let Some(limit) = measured_time::forgotten(sent.idle) {
            message.say(limit);
        }
    }
    let gone = connection.reset[who.other() as usize].filter(|it| it.frame_ref > event.frame_ref);
    if gone.is_some_and(|it| it.kind == Some(ResetKind::NoSocket)) {
        message.say(sentence!(
            "The RST ended the connection at the {}, whose host reset what came later.",
            side(who.other())
        ));
    }
    message.mean(match proven {
        true => sentence!(
            "The device is between {}.",
            Value::between(event.frame_ref.frame)
        ),
        false => "A capture on the other side of the suspected device would settle it.".into(),
    });
    for told in retries(connection, &event) {
        message.mean(told);
    }
    tell(
        &RULE,
        severity,
        certainty,
        match proven {
            true => "A device on the way sent [a reset|# resets]",
            false => "[A reset|# resets] may come from a device on the way",
        },
        message,
    )
    .shows(
        flight
            .map(|it| it.since)
            .filter(|since| *since < event.frame_ref),
        "data that the RST answers",
    )
    .shows(
        Some(event.frame_ref),
        match proven {
            true => format!("RST with the {name}'s address"),
            false => format!("RST with the {name}'s address, TTL {}", event.ttl),
        },
    )
    .story()
}

/// Whether what the RST cut off may be retried: a response that came later shows that the server processed the request.
fn retries(connection: &Connection, event: &CloseEvent) -> Vec<Sentence> {
    let spoken = connection.spoken().iter();
    let mut cut = spoken.filter(|it| {
        let answer = it.response.as_ref().map(|it| it.message.last);
        let asked = it.request.as_ref().map(|it| it.message.first);
        asked.is_some_and(|asked| asked < event.frame_ref)
            && answer.is_none_or(|answer| answer > event.frame_ref)
    });
    let Some(exchange) = cut.next() else {
        return Vec::new();
    };
    let response = exchange.response.as_ref();
    let processed = response.filter(|it| it.message.first > event.frame_ref);
    let processed = processed.map(|it| {
        sentence!(
            "The server processed {}: its response came {} after that RST.",
            Value::named(named(exchange)),
            it.message.first.time.since(event.frame_ref.time)
        )
    });
    let retry = match repetition(exchange) {
        told if told.forbids_retry() && processed.is_some() => sentence!(
            "Do not retry {}: [it was|they were] done.",
            Value::named(named(exchange))
        ),
        told => told,
    };
    processed.into_iter().chain([retry]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::connection::By;
    use crate::rules::ladder_check;

    fn severity(text: &str) -> Option<Severity> {
        let all = ladder_check::run(&text.parse().expect("a ladder")).findings;
        all.iter()
            .find(|it| it.rule == RULE.name)
            .map(|it| it.severity)
    }

    const OPEN: &str = "SYN -->\n<-- SYN\nGET / -->\n<-- ACK\n";

    #[test]
    fn one_sign_is_no_proof() {
        assert_eq!(
            severity(&format!("{OPEN}<-- RST [ttl=249]")),
            Some(Severity::Warning)
        );
        assert_eq!(
            severity(&format!("{OPEN}<-- RST [ttl=249]\n<-- 200")),
            Some(Severity::Error)
        );
        assert_eq!(
            severity(&format!("{OPEN}<-- RST [id=60000]")),
            None,
            "a host that has not counted yet"
        );
    }

    #[test]
    fn a_host_that_has_reset_acknowledges_nothing() {
        let text =
            "SYN -->\n<-- SYN\nACK -->\nGET / -->\n<-- RST [ack=1]\n<-- ACK [seq=1]".to_owned();
        let all = ladder_check::run(&text.parse().expect("a ladder"));
        let own = all.findings.iter().find(|it| it.rule == RULE.name);
        let own = own.expect("found");
        assert_eq!(
            (own.severity, own.certainty),
            (Severity::Error, Certainty::Likely)
        );
        assert!(
            own.message.contains("went on after the RST"),
            "{}",
            own.message
        );
        assert!(
            all.findings
                .iter()
                .all(|it| it.rule != "reset-before-response")
        );
        assert!(all.connections[0].outcome.is_failed());
    }

    #[test]
    fn each_difference_is_reported_with_its_values() {
        let text = format!("{OPEN}<-- RST [ttl=47]\n<-- 200");
        let told = ladder_check::told_by(&RULE, &text).expect("found");
        assert!(
            told.contains(
                "The RST's TTL is 47; all other segments from the server have 64: another sender"
            ),
            "{told}"
        );
    }

    #[test]
    fn a_reset_that_comes_sooner_than_any_answer_is_doubted() {
        let open = "SYN -->\n+25ms <-- SYN [id=100]\nACK -->\nGET / -->\n";
        let proof = |text: &str| ladder_check::run(&text.parse().expect("a ladder"));
        // The host counts its packets, and the RST is not in the count: two signs.
        let next = |id: u16| format!("+25ms <-- 200 \"x\" [id={id}]\nGET / -->\n");
        let counted = [101, 102, 103].map(next).concat();
        let two = proof(&format!("{open}{counted}+14ms <-- RST [id=60000]"));
        let own = two.findings.iter().find(|it| it.rule == RULE.name);
        let own = own.expect("found");
        assert_eq!(own.certainty, Certainty::Likely);
        assert!(
            own.message.contains("fastest answer took 25.0 ms"),
            "{}",
            own.message
        );
        assert_eq!(two.connections[0].teardown.by, By::Middlebox);
        // One sign: it is said once, and nothing is certain.
        let one = proof(&format!("{open}+14ms <-- RST"));
        let [own] = &one.findings[..] else {
            panic!("{:?}", one.findings);
        };
        assert_eq!(
            (own.rule, own.certainty),
            ("reset-before-response", Certainty::Likely)
        );
        assert!(
            own.message.contains("may have sent the RST"),
            "{}",
            own.message
        );
        assert_eq!(one.connections[0].teardown.certainty, Certainty::Likely);
        // As late as an answer, or near the server, where every answer is at once.
        for late in ["+25ms", "+20ms"] {
            let proof = proof(&format!("{open}{late} <-- RST"));
            assert_eq!(proof.findings[0].certainty, Certainty::Certain, "{late}");
        }
        let near = "SYN -->\n+800us <-- SYN\n+25ms ACK -->\nGET / -->\n+100us <-- RST";
        assert_eq!(proof(near).findings[0].certainty, Certainty::Certain);
    }

    #[test]
    fn a_device_resets_both_sides_at_once_or_turns_a_segment_around() {
        let open = "SYN [id=1] -->\n<-- SYN [id=1]\nACK [id=2] -->\ndata 31 [id=3] -->\ndata 383 [id=4] -->\n";
        // Two RSTs at once, one of which acknowledges what nobody had sent.
        let both = format!("{open}RST [id=59230 ack=321] -->\n+0us <-- RST [id=13184]");
        let proof = ladder_check::run(&both.parse().expect("a ladder"));
        let own = ladder_check::found_by(&RULE, &both).expect("found");
        assert_eq!(
            (own.severity, own.certainty),
            (Severity::Error, Certainty::Likely)
        );
        assert!(
            own.message.contains("at the same moment"),
            "{}",
            own.message
        );
        assert_eq!(proof.connections[0].teardown.by, By::Middlebox);
        assert_eq!(proof.connections[0].sent[1].missing, 0);
        // Two hosts that are killed together do the same, without more.
        let killed = format!("{open}<-- ACK\nRST -->\n+0us <-- RST [crossed]");
        assert!(ladder_check::found_by(&RULE, &killed).is_none());
        // The bytes of the client in a RST with the server's address.
        let hello = r#""a request of its own, to be turned around""#;
        let turned = format!("SYN -->\n<-- SYN\nACK -->\n{hello} -->\n<-- RST {hello} [noack]");
        let own = ladder_check::found_by(&RULE, &turned).expect("found");
        assert!(
            own.message.contains("made from that segment"),
            "{}",
            own.message
        );
        let text = format!(
            "SYN -->\n<-- SYN\nACK -->\n{hello} -->\n<-- RST \"no such service here, says the host\" [noack]"
        );
        assert!(ladder_check::found_by(&RULE, &text).is_none());
    }

    #[test]
    fn a_reset_behind_everything_is_doubted_if_nothing_of_it_fits() {
        let late = |odd: &str| {
            format!(
                "SYN -->\n<-- SYN [id=9]\nGET / -->\n<-- ACK [id=10]\n<-- 200 data 1000 [length=9000 id=11]\n<-- data 1000 [id=12]\n\
                 <-- data 1000 [id=13]\n<-- data 1000 [id=14]\nACK -->\n<-- RST [seq=2001 {odd}]"
            )
        };
        assert_eq!(severity(&late("id=16894 ttl=65")), Some(Severity::Note));
        assert_eq!(severity(&late("id=15 ttl=65")), None);
        assert_eq!(severity(&late("id=16894")), None);
    }

    /// A device resets both hosts. Its RST in the client's name overtakes the request, which the server then acknowledges; the
    /// client's host, told by the other one, knows of no connection any more.
    #[test]
    fn near_the_server_the_reset_in_the_clients_name_is_seen() {
        let open = "SYN -->\n<-- SYN\n+30ms ACK -->\n";
        let both = |ttl: u8, after: &str| {
            let text = format!(
                "{open}+1ms RST [seq=23 noack ttl={ttl}] -->\n<-- ACK\nGET /x -->\n<-- ACK\n{after} RST [noack] -->"
            );
            ladder_check::run(&text.parse().expect("a ladder"))
        };
        let proof = both(250, "+35ms");
        assert_eq!(proof.connections[0].teardown.by, By::Middlebox);
        let own = proof.findings.iter().find(|it| it.rule == RULE.name);
        assert_eq!(own.expect("found").severity, Severity::Error);
        // The client itself, or much later.
        for other in [both(64, "+35ms"), both(250, "+20s")] {
            assert_eq!(other.connections[0].teardown.by, By::Client);
        }
    }

    /// A host's operating system is as far away as a program of it that opens connections by itself.
    #[test]
    fn a_reset_from_nearer_than_a_stack_that_goes_on_is_not_its_own() {
        let cut = |ttl: u8, after: &str| {
            let text = format!("SYN -->\n<-- SYN\n+15ms RST [noack ttl={ttl}] -->\n+30ms {after}");
            ladder_check::run(&text.parse().expect("a ladder"))
        };
        let proof = cut(117, "ACK -->\n<-- RST [noack]");
        assert_eq!(proof.connections[0].teardown.by, By::Middlebox);
        assert!(proof.rules().contains(&RULE.name), "{:?}", proof.rules());
        // Its system, as near as it is; a program whose TTL begins elsewhere; a scanner that does not go on.
        for (ttl, after) in [(64, "ACK -->"), (255, "ACK -->"), (117, "<-- ACK")] {
            let other = cut(ttl, after);
            assert!(!other.rules().contains(&RULE.name), "{:?}", other.rules());
        }
    }

    /// It has no effect, so nothing else changes; the server's own RST is the server's.
    #[test]
    fn a_reset_from_elsewhere_before_the_answer_to_a_syn_is_doubted() {
        let text = |ttl: &str, end: &str| {
            format!(
                "SYN -->\n+200ms <-- RST [ack=0 win=16384 {ttl}]\n+1s <-- SYN [ttl=49]\nACK -->\n\"\\xd7\\xee[hello\" -->\n<-- ACK [ttl=49]\n{end}"
            )
        };
        let own = "<-- RST [ttl=49]";
        for end in [
            own,
            "<-- \"\\x01ok\" [ttl=49]\nFIN -->\n<-- FIN [ttl=49]\nACK -->",
        ] {
            let told = ladder_check::told_by(&RULE, &text("ttl=46", end)).expect("found");
            assert!(
                told.contains("The RST's TTL is 46; all other segments from the server have 49"),
                "{told}"
            );
        }
        assert!(severity(&text("ttl=46", own)).is_some());
        let same = text("ttl=49", own);
        assert_eq!(severity(&same), None);
        assert!(
            ladder_check::run(&same.parse().expect("a ladder"))
                .rules()
                .contains(&"tcp-flags-anomaly")
        );
    }

    #[test]
    fn a_reset_that_its_receiver_did_not_heed_is_told() {
        let rest = "GET / -->\n<-- ACK\n<-- 200 \"x\"\nACK -->\nFIN -->\n<-- FIN\nACK -->";
        let told = |text: &str| ladder_check::told_by(&RULE, &format!("{text}{rest}"));
        let open = told("SYN -->\n<-- SYN\nACK -->\n+40ms RST -->\n+40ms ").expect("found");
        assert!(open.contains("The client went on after the RST"), "{open}");
        assert!(!open.contains("processed"), "{open}");
        let both = told("SYN -->\n<-- RST\n<-- SYN\nACK -->\n").expect("found");
        assert!(both.contains("The server went on after the RST"), "{both}");
        let unused = "SYN -->\n<-- RST\n<-- SYN\nACK -->\n+1s FIN -->\n<-- FIN\nACK -->";
        let unused = ladder_check::told_by(&RULE, unused).expect("found");
        assert!(unused.contains("accepted the same SYN"), "{unused}");
        // The client tried again, and the server had begun to listen.
        assert_eq!(
            told("SYN -->\n<-- RST\n+500ms again -->\n<-- SYN\nACK -->\n"),
            None
        );
    }

    #[test]
    fn after_the_close_nothing_is_lost() {
        assert_eq!(
            severity(&format!("{OPEN}<-- 200 [close] FIN\n<-- RST [ttl=249]")),
            None
        );
        let both = |wait| format!("{OPEN}<-- 200 \"x\"\nRST -->\n+{wait} <-- RST [ttl=249]");
        assert_eq!(severity(&both("17s")), None);
        assert!(severity(&both("1ms")).is_some());
    }
}
